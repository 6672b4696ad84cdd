/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_file.h - reading whole files of a guest, and telling what a file is. */
#ifndef DRYDOCK_GUEST_FILE_H
#define DRYDOCK_GUEST_FILE_H

#include "cmd.h"

/* Large enough that the cost of a call does not show, small enough to stay in the processor's cache. */
#define GUEST_FILE_CHUNK (1u << 20)

enum { GUEST_FILE_STDOUT = 99 };

/*
 * Writes a regular file (symlinks followed) to standard output; buf has GUEST_FILE_CHUNK bytes.  0, an error of the
 * guest, or GUEST_FILE_STDOUT when standard output took no more, which has been told.
 */
int guest_file_print(struct dry_guest *g, const char *path, void *buf, struct dry_error *e);
/* Finds a regular file (symlinks followed); what else it is is an error in the words of the system. */
int guest_file_stat(struct dry_guest *g, const char *path, struct dry_node *node, struct dry_stat *st, struct dry_error *e);
/* Finds a regular file (symlinks followed) and calls fn for its bytes, as guest_file_each() does. */
int guest_file_bytes(struct dry_guest *g, const char *path, void *buf, int (*fn)(void *arg, const void *bytes, size_t len),
		    void *arg, struct dry_error *e);
/* Calls fn for the bytes of a regular file, in order; fn's first non-zero answer ends it and is returned. */
int guest_file_each(struct dry_guest *g, struct dry_node n, void *buf,
		    int (*fn)(void *arg, const void *bytes, size_t len), void *arg, struct dry_error *e);

/* 'd', '-', 'l', 'c', 'b', 'p', 's', or '?'. */
char guest_type_letter(uint32_t mode);
/* "directory", "file", "symlink", "char", "block", "fifo", "socket", "unknown". */
const char *guest_type_word(uint32_t mode);
/* "drwxr-sr-x": 11 bytes. */
char *guest_mode_text(uint32_t mode, char buf[11]);

#endif
