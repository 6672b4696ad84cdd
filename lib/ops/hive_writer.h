/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hive_writer.h - registry hives are written by libhivex, in a process of its own.
 *
 * libhivex reads a whole hive into memory, from a file that it opens by name, and trusts much of it.  So a hive is judged by our
 * own reader first; then it goes, with the changes, to a process that was started before the command confined itself, that has
 * nothing but two files without names, and that ends with the command.  What comes back is judged as a stranger's hive again.
 */
#ifndef DRYDOCK_HIVE_WRITER_H
#define DRYDOCK_HIVE_WRITER_H

#include "hive.h"
#include "reg_text.h"

struct hive_writer;
/*
 * Loads libhivex and starts the process; before confine(), and before there are threads.  ERR_UNSUPPORTED when libhivex is not
 * installed.
 */
int hive_writer_start(struct hive_writer **out, struct err *e);
void hive_writer_stop(struct hive_writer *w); /* NULL is fine */
void hive_writer_stopp(struct hive_writer **w); /* for CLEANUP */

/*
 * The hive h with n changes, whose keys are paths in it: free(*out).  What its logs hold is in it, too (hive_copy()).  *changed is
 * false when it holds all of them already; *out is NULL then.
 */
int hive_write(struct hive_writer *w, struct hive *h, const struct reg_edit *edits, size_t n, uint8_t **out, size_t *len,
	       bool *changed, struct err *e);

#endif
