/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * window.h - memory of ours that a machine sees behind the end of its disk of tools: what is much goes through it.
 *
 * A port of virtio takes and gives pages; a disk moves a megabyte with one request, at the speed of whoever serves it.  So the
 * channel only carries the words: so much lies in that slot.  A slot belongs to one side at a time, by those words; a machine
 * that does not keep to them spoils the data that it gives, and no more, as what lies here is data and never anything else.
 * Before the window and behind it there are zeros: who looks at a disk's end for what volumes and tables leave there finds nothing
 * of what went through it.
 */
#ifndef DRYDOCK_WINDOW_H
#define DRYDOCK_WINDOW_H

#include "block.h"

#include <stdint.h>

/*
 * The block is what is to be served; *bytes, `size` of them, live as long as it does, and begin at *off of it.  Nothing else
 * of it can be written to.
 */
int window_block(struct block *tools, size_t size, struct block **out, uint8_t **bytes, uint64_t *off, struct err *e);

#endif
