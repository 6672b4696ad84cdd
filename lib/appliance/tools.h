/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools.h - which programs go into the image of tools, and all that they need to run.
 *
 * A program that is not to be had is left out and told: the appliance is of use without it.
 */
#ifndef DRYDOCK_TOOLS_H
#define DRYDOCK_TOOLS_H

#include "sources.h"

/* A file of the image: copied from somewhere, a text of ours, or a symlink. */
struct tool_file {
	char *to;	  /* usr/bin/bash: no "/" at the front */
	char *from;	  /* where it was found; NULL: it is none */
	size_t tree;	  /* in which of the sources */
	const char *text; /* NULL: it is none */
	char *link;	  /* NULL: it is none */
	struct stat st;	  /* of `from` */
};

/* The programs of one package. */
struct tool_group {
	const char *name; /* as the package is called */
	bool mounts;	  /* without it, something cannot be mounted */
	size_t nfound;
	char *missing; /* names, blanks between; "" when all are there */
};

struct tools {
	struct tool_file *files; /* sorted by `to`, after tools_sort() */
	size_t n;
	struct tool_group *groups;
	size_t ngroups;
};

int tools_collect(const struct sources *s, struct tools *out, struct err *e);
/* Adds one more file; 1, or 0 where no source has it. */
int tools_add(struct tools *t, const struct sources *s, const char *from, const char *to, struct err *e);
void tools_sort(struct tools *t);
void tools_free(struct tools *t); /* for CLEANUP; zeroed is fine */
/* Is there a program of that name? */
bool tools_have(const struct tools *t, const char *name);

#endif
