/* SPDX-License-Identifier: GPL-2.0-or-later */
/* edit_file.h - a file of a guest edited: by the user's editor, or by expressions. */
#ifndef DRYDOCK_EDIT_FILE_H
#define DRYDOCK_EDIT_FILE_H

#include "cmd.h"
#include "host_side.h"
#include "line_edit.h"

struct edit_how {
	struct line_edit **exprs; /* one after the other; none: the editor of the host side */
	size_t nexprs;
	struct host_side *h;
	const char *backup; /* what is appended to the name of a copy; NULL: none is kept */
};
/* Compiles the expressions: 0, or < 0 with *e filled; edit_how_free() in either case. */
int edit_how_expressions(struct edit_how *how, const struct opt_list *texts, struct dry_error *e);
void edit_how_free(struct edit_how *how); /* not the host side */
/* A host side that starts the editor and does nothing else. */
int edit_host_start(struct host_side **out, struct dry_error *e);

/*
 * The regular file at path (symlinks followed) gets its new content, and keeps all else; *changed false: it was the same, and
 * nothing was written.
 */
int edit_file(struct dry_change *c, const char *path, const struct edit_how *how, bool *changed, struct dry_error *e);

#endif
