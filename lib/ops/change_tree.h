/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* change_tree.h - a guest that is changed (change.h), as jobs see it (tree.h). */
#ifndef DRYDOCK_CHANGE_TREE_H
#define DRYDOCK_CHANGE_TREE_H

#include "change.h"
#include "tree.h"

struct change_tree {
	struct tree tree;
	struct guest *guest; /* what is read from */
	struct change *c;    /* NULL: nothing is changed */
	uint64_t max_ms, max_output; /* of each program, as client_run() takes them */
	bool network;	     /* programs see the machine's /etc/resolv.conf */
	bool (*stop)(void *arg);     /* asked while one runs; NULL: no */
	void *arg;
};
/* What it points to must live as long; os is that of the tree. */
void change_tree_init(struct change_tree *t, struct change *c, const struct os *os);
/* The same of a tree that is only read: of its calls there are stat, read, pread, readlink and list. */
void change_tree_init_reading(struct change_tree *t, struct guest *g, const struct os *os);

#endif
