/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pair.h - two guests' trees side by side: what only one has, and what both have under the same path. */
#ifndef DRYDOCK_PAIR_H
#define DRYDOCK_PAIR_H

#include "cmd.h"

struct pair_walk {
	struct dry_guest *first, *second;
	/* Of the first and the second guest, for each path in the order of walks; NULL: it has none.  Non-zero ends the walk. */
	int (*fn)(void *arg, const struct dry_entry *a, const struct dry_entry *b);
	/* Something could not be read, in the first or the second: a sentence.  0 goes on. */
	int (*failed)(void *arg, bool second, const char *path, const struct dry_error *why);
	void *arg;
};
/*
 * Goes through both from their roots on, holding no more than the names of the directories that are open.  0, fn's answer, or
 * an error.
 */
int pair_walk(const struct pair_walk *w, struct dry_error *e);

/* Two regular files, and memory to read them into: GUEST_FILE_CHUNK bytes each. */
struct pair_files {
	struct dry_guest *guests[2];
	struct dry_node nodes[2];
	uint64_t size; /* of both */
	void *bufs[2];
};
/*
 * 1: they hold the same bytes; 0: they do not; or an error, *which then says of which.  Holes of both are not read, nor what
 * lies at the same place of the same host file, as in two images over one backing file.
 */
int pair_same_content(const struct pair_files *f, unsigned *which, struct dry_error *e);

/* The extended attributes of a node, by their names. */
struct pair_xattr {
	char *name;
	void *value;
	size_t len;
};
struct pair_xattrs {
	struct pair_xattr *items;
	size_t n;
};
int pair_xattrs_load(struct dry_guest *g, struct dry_node n, struct pair_xattrs *out, struct dry_error *e);
bool pair_xattrs_same(const struct pair_xattrs *a, const struct pair_xattrs *b);
void pair_xattrs_free(struct pair_xattrs *x); /* for CLEANUP */

#endif
