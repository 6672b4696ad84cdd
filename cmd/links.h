/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links.h - files of several names in one guest: under which name was this one met first? */
#ifndef DRYDOCK_LINKS_H
#define DRYDOCK_LINKS_H

#include "drydock.h"

struct link_item {
	uint64_t dev, ino;
	char *path; /* NULL: a free place */
};
struct links {
	struct link_item *items; /* a table of 2^n places */
	size_t n, cap;
};

/* The name that was given with links_add(), or NULL. */
const char *links_find(const struct links *l, const struct dry_stat *st);
/* Remembers the path (copied) of a file that has several names; others are passed over.  false: memory is out. */
bool links_add(struct links *l, const struct dry_stat *st, const char *path);
void links_free(struct links *l); /* empty again */

#endif
