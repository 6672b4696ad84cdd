/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qemu_img_qcow2.h - what the peer says about a qcow2 file that cannot be opened. */
#ifndef DRYDOCK_QEMU_IMG_QCOW2_H
#define DRYDOCK_QEMU_IMG_QCOW2_H

#include "strbuf.h"

#include <stdbool.h>

/*
 * Judges the header of the file at path, to be read as `format` (NULL: whatever it seems to be) with DRY_OPEN_* flags.
 * Appends the peer's sentence and returns true when the header is at fault.
 */
bool qi_qcow2_problem(struct strbuf *out, const char *path, const char *format, unsigned flags);

#endif
