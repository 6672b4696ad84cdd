/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * modinfo.h - what a kernel module says about itself: the section .modinfo, texts "key=value" with a NUL behind each.
 *
 * depmod makes its files (modules.h) from these.  A kernel that was unpacked and not installed has none of those yet.
 */
#ifndef DRYDOCK_MODINFO_H
#define DRYDOCK_MODINFO_H

#include "err.h"
#include "strbuf.h"

#include <stddef.h>

/* The lines of depmod's three files. */
struct modinfo_text {
	struct strbuf dep, softdep, alias;
};
#define MODINFO_TEXT_INIT { .dep = STRBUF_INIT, .softdep = STRBUF_INIT, .alias = STRBUF_INIT }

void modinfo_text_free(struct modinfo_text *t); /* for CLEANUP */
/* Appends the lines of one module, whose file has that path below the folder of modules.  ERR_CORRUPT when it is none. */
int modinfo_add(struct modinfo_text *t, const char *path, const void *bytes, size_t len, struct err *e);

#endif
