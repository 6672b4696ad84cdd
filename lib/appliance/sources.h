/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sources.h - where an appliance's files are taken from: this host, and trees of unpacked packages.
 *
 * A path is looked for in each tree in turn.  In a tree of packages a symlink leads no further than that tree.
 */
#ifndef DRYDOCK_SOURCES_H
#define DRYDOCK_SOURCES_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct source_tree {
	int dir;
	bool host;
};

struct sources {
	struct source_tree *trees;
	size_t n;
};

/* Adds a tree behind the others; "/" is the host. */
int sources_add(struct sources *s, const char *path, struct err *e);
void sources_free(struct sources *s); /* for CLEANUP; zeroed is fine */

struct source_file {
	int fd;
	size_t tree;
	struct stat st;
};

#define SOURCE_FILE_NONE { .fd = -1 }

/* A regular file that may be read; 1 and open, or 0 where no tree has one. */
int sources_open(const struct sources *s, const char *path, struct source_file *out, struct err *e);
void source_file_close(struct source_file *f); /* for CLEANUP */
/* Its bytes, uncompressed where it is a whole file of gzip, xz or zstd and `unpacked` is set; to be freed. */
int source_file_read(const struct source_file *f, const char *path, uint64_t limit, bool unpacked, void **out, size_t *len,
		     struct err *e);

/* The names in a folder of all trees, sorted, each once; an absent one is empty. */
struct source_names {
	char **names;
	size_t n;
};
int sources_list(const struct sources *s, const char *path, struct source_names *out, struct err *e);
void source_names_free(struct source_names *n); /* for CLEANUP */

#endif
