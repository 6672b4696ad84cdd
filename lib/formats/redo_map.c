/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "redo_map.h"

#include "alloc.h"
#include "checked.h"

enum { PER_BYTE = 4, LEAF_BLOCKS = 16384, LEAF_BYTES = LEAF_BLOCKS / PER_BYTE };

int redo_map_init(struct redo_map *m, uint64_t nblocks, struct err *e)
{
	m->nblocks = nblocks;
	m->nleaves = (size_t)div_round_up(nblocks, LEAF_BLOCKS);
	m->leaves = alloc_array(MAX_OF(m->nleaves, (size_t)1), sizeof *m->leaves);
	return m->leaves ? 0 : err_nomem(e);
}

void redo_map_clear(struct redo_map *m)
{
	for (size_t i = 0; m->leaves && i < m->nleaves; i++)
		free((void *)atomic_exchange(&m->leaves[i], NULL));
}

void redo_map_free(struct redo_map *m)
{
	redo_map_clear(m);
	free((void *)m->leaves);
	m->leaves = NULL;
}

static atomic_uchar *leaf_of(const struct redo_map *m, uint64_t block)
{
	return atomic_load_explicit(&m->leaves[block / LEAF_BLOCKS], memory_order_acquire);
}

enum redo_state redo_map_get(const struct redo_map *m, uint64_t block)
{
	atomic_uchar *leaf = leaf_of(m, block);
	unsigned shift = 2 * (unsigned)(block % PER_BYTE);

	if (!leaf)
		return REDO_NONE;
	return (enum redo_state)(atomic_load_explicit(&leaf[block % LEAF_BLOCKS / PER_BYTE], memory_order_acquire) >> shift & 3);
}

uint64_t redo_map_run(const struct redo_map *m, uint64_t block, uint64_t most, enum redo_state *state)
{
	uint64_t n = 0;

	*state = redo_map_get(m, block);
	/* Ends: n only grows. */
	while (n < most && redo_map_get(m, block + n) == *state)
		n += !leaf_of(m, block + n) ? LEAF_BLOCKS - (block + n) % LEAF_BLOCKS : 1;
	return MIN_OF(n, most);
}

/* The leaf, made where there is none; NULL: out of memory. */
static atomic_uchar *leaf_make(struct redo_map *m, uint64_t block)
{
	atomic_uchar *leaf = leaf_of(m, block);

	if (leaf)
		return leaf;
	leaf = alloc_zero(LEAF_BYTES);
	if (leaf)
		atomic_store_explicit(&m->leaves[block / LEAF_BLOCKS], leaf, memory_order_release);
	return leaf;
}

int redo_map_set(struct redo_map *m, uint64_t block, uint64_t n, enum redo_state state, struct err *e)
{
	/* Ends: each turn sets at least one block. */
	while (n) {
		atomic_uchar *leaf = leaf_make(m, block), *byte;
		unsigned shift = 2 * (unsigned)(block % PER_BYTE);

		if (!leaf)
			return err_nomem(e);
		byte = &leaf[block % LEAF_BLOCKS / PER_BYTE];
		if (!shift && n >= PER_BYTE) {
			atomic_store_explicit(byte, (unsigned char)(state * 0x55), memory_order_release);
			block += PER_BYTE;
			n -= PER_BYTE;
		} else {
			unsigned was = atomic_load_explicit(byte, memory_order_relaxed);

			atomic_store_explicit(byte, (unsigned char)((was & ~(3u << shift)) | (unsigned)state << shift),
					      memory_order_release);
			block++;
			n--;
		}
	}
	return 0;
}
