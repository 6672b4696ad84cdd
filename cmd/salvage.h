/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * salvage.h - the map of what could not be read: a file as GNU ddrescue writes it, so that its tools can go on from it.
 *
 *	CLEANUP(salvage_map_free) struct salvage_map map = SALVAGE_MAP_INIT;
 *	status = salvage_map_begin(&map, "bad.map");	// before hours of work
 *	salvage_map_add(&map, off, len);
 *	status = salvage_map_write(&map, size, true);
 */
#ifndef DRYDOCK_SALVAGE_H
#define DRYDOCK_SALVAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct salvage_range {
	uint64_t off, len;
};

struct salvage_map {
	const char *path; /* lent */
	FILE *file;	  /* NULL: no map is wanted */
	struct salvage_range *ranges;
	size_t n, room;
	bool cut; /* not all of them are in it */
};

#define SALVAGE_MAP_INIT { .file = NULL }

/* Makes the file; EXIT_FAILED with a sentence. */
int salvage_map_begin(struct salvage_map *m, const char *path);
/* A stretch of the copy is bad; in any order. */
void salvage_map_add(struct salvage_map *m, uint64_t off, uint64_t len);
/* whole: what is not bad was copied; else nobody knows.  EXIT_FAILED with a sentence. */
int salvage_map_write(struct salvage_map *m, uint64_t size, bool whole);
void salvage_map_free(struct salvage_map *m);

#endif
