/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * redo_map.h - what was written to which block of a disk: two bits a block, and nothing where nothing was.
 *
 * Reading needs no lock; who writes holds one.
 */
#ifndef DRYDOCK_REDO_MAP_H
#define DRYDOCK_REDO_MAP_H

#include "err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum redo_state {
	REDO_NONE,  /* nothing: the image has it */
	REDO_DATA,  /* its bytes are in the journal */
	REDO_ZERO,  /* zeros, which keep their allocation */
	REDO_UNMAP, /* zeros, for which holes are welcome */
};

struct redo_map {
	_Atomic(atomic_uchar *) *leaves; /* 64 MiB of the disk each; NULL: nothing was written there */
	size_t nleaves;
	uint64_t nblocks;
};

int redo_map_init(struct redo_map *m, uint64_t nblocks, struct err *e);
void redo_map_free(struct redo_map *m);
/* All is REDO_NONE again.  Nobody else looks meanwhile. */
void redo_map_clear(struct redo_map *m);
enum redo_state redo_map_get(const struct redo_map *m, uint64_t block);
/* How many blocks from `block` on (at most `most`, at least 1) are in one state, which is *state. */
uint64_t redo_map_run(const struct redo_map *m, uint64_t block, uint64_t most, enum redo_state *state);
int redo_map_set(struct redo_map *m, uint64_t block, uint64_t n, enum redo_state state, struct err *e);

#endif
