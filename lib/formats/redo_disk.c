/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * redo_disk.c - a disk as it will be: its image, and over that what its journal holds.
 *
 * A block that was written lies in the journal whole: one that is written in part is completed from beneath first, under the lock.
 * Once its state says so, reads and writes go straight to the journal without the lock.
 */
#include "redo_internal.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"

struct node_state {
	struct redo_disk *d; /* NULL: the transaction is over */
};

static struct redo_disk *disk_of(struct block *b, struct err *e)
{
	struct redo_disk *d = ((struct node_state *)b->state)->d;

	if (!d)
		err_set(e, ERR_USAGE, "%s: the change of it is over", b->name);
	return d;
}

/* How far from off all blocks are in one state; at most len. */
static uint64_t same_run(const struct redo_disk *d, uint64_t off, uint64_t len, enum redo_state *state)
{
	uint64_t first = off / REDO_BLOCK, last = (off + len - 1) / REDO_BLOCK;
	uint64_t n = redo_map_run(&d->map, first, last - first + 1, state);

	return MIN_OF((first + n) * REDO_BLOCK - off, len);
}

static int read_run(struct redo_disk *d, enum redo_state state, void *buf, size_t len, uint64_t off, struct err *e)
{
	if (state == REDO_NONE)
		return block_pread(d->image, buf, len, off, e);
	if (state == REDO_DATA)
		return block_pread(d->file, buf, len, REDO_DATA_OFF + off, e);
	memset(buf, 0, len);
	return 0;
}

static int read_all(struct redo_disk *d, uint8_t *p, size_t len, uint64_t off, struct err *e)
{
	int rc = 0;

	while (len && rc == 0) {
		enum redo_state state;
		size_t n = (size_t)same_run(d, off, len, &state);

		rc = read_run(d, state, p, n, off, e);
		p += n;
		off += n;
		len -= n;
	}
	return rc;
}

static int node_pread(struct block *b, void *buf, size_t len, uint64_t off, struct err *e)
{
	struct redo_disk *d = disk_of(b, e);
	int rc;

	if (!d)
		return -(int)ERR_USAGE;
	pthread_rwlock_rdlock(&d->redo->gate);
	rc = read_all(d, buf, len, off, e);
	pthread_rwlock_unlock(&d->redo->gate);
	return rc;
}

/* A part of one block; the caller holds the lock. */
static int write_part(struct redo_disk *d, const uint8_t *buf, size_t len, uint64_t off, struct err *e)
{
	uint64_t start = round_down(off, REDO_BLOCK);
	size_t whole = (size_t)MIN_OF((uint64_t)REDO_BLOCK, d->who.size - start);
	uint8_t block[REDO_BLOCK];
	enum redo_state state = redo_map_get(&d->map, off / REDO_BLOCK);
	int rc;

	if (state == REDO_DATA)
		return block_pwrite(d->file, buf, len, REDO_DATA_OFF + off, e);
	rc = read_run(d, state, block, whole, start, e);
	if (rc < 0)
		return rc;
	memcpy(block + (off - start), buf, len);
	rc = block_pwrite(d->file, block, whole, REDO_DATA_OFF + start, e);
	return rc < 0 ? rc : redo_map_set(&d->map, off / REDO_BLOCK, 1, REDO_DATA, e);
}

/* How many bytes from off on are whole blocks of the disk; the end of the disk ends a block, too. */
static uint64_t whole_blocks(const struct redo_disk *d, uint64_t off, uint64_t len)
{
	if (off % REDO_BLOCK)
		return 0;
	return off + len == d->who.size ? len : round_down(len, REDO_BLOCK);
}

static size_t part_of_block(uint64_t off, uint64_t len)
{
	return (size_t)MIN_OF(len, REDO_BLOCK - off % REDO_BLOCK);
}

/* What is not in the journal yet; the caller holds the lock. */
static int write_new(struct redo_disk *d, const uint8_t *p, size_t len, uint64_t off, struct err *e)
{
	while (len) {
		size_t whole = (size_t)whole_blocks(d, off, len), n = whole ? whole : part_of_block(off, len);
		int rc;

		if (whole) {
			rc = block_pwrite(d->file, p, n, REDO_DATA_OFF + off, e);
			if (rc == 0)
				rc = redo_map_set(&d->map, off / REDO_BLOCK, div_round_up(n, REDO_BLOCK), REDO_DATA, e);
		} else {
			rc = write_part(d, p, n, off, e);
		}
		if (rc < 0)
			return rc;
		p += n;
		off += n;
		len -= n;
	}
	return 0;
}

static int write_all(struct redo_disk *d, const uint8_t *p, size_t len, uint64_t off, struct err *e)
{
	int rc = 0;

	while (len && rc == 0) {
		enum redo_state state;
		size_t n = (size_t)same_run(d, off, len, &state);

		if (state == REDO_DATA) {
			rc = block_pwrite(d->file, p, n, REDO_DATA_OFF + off, e);
		} else {
			pthread_mutex_lock(&d->lock);
			rc = write_new(d, p, n, off, e);
			pthread_mutex_unlock(&d->lock);
		}
		p += n;
		off += n;
		len -= n;
	}
	return rc;
}

static int node_pwrite(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e)
{
	struct redo_disk *d = disk_of(b, e);
	int rc;

	if (!d)
		return -(int)ERR_USAGE;
	pthread_rwlock_rdlock(&d->redo->writers);
	rc = write_all(d, buf, len, off, e);
	pthread_rwlock_unlock(&d->redo->writers);
	return rc;
}

static int zero_all(struct redo_disk *d, uint64_t len, uint64_t off, enum redo_state state, bool parts, struct err *e)
{
	static const uint8_t zeros[REDO_BLOCK];
	int rc = 0;

	while (len && rc == 0) {
		uint64_t whole = whole_blocks(d, off, len), n = whole ? whole : part_of_block(off, len);

		if (whole || parts)
			pthread_mutex_lock(&d->lock);
		if (whole)
			rc = redo_map_set(&d->map, off / REDO_BLOCK, div_round_up(n, REDO_BLOCK), state, e);
		else if (parts)
			rc = write_part(d, zeros, (size_t)n, off, e);
		if (whole || parts)
			pthread_mutex_unlock(&d->lock);
		off += n;
		len -= n;
	}
	return rc;
}

static int node_zero(struct block *b, uint64_t len, uint64_t off, unsigned how, struct err *e)
{
	struct redo_disk *d = disk_of(b, e);
	int rc;

	if (!d)
		return -(int)ERR_USAGE;
	pthread_rwlock_rdlock(&d->redo->writers);
	rc = zero_all(d, len, off, how & BLOCK_ZERO_UNMAP ? REDO_UNMAP : REDO_ZERO, true, e);
	pthread_rwlock_unlock(&d->redo->writers);
	return rc;
}

static int node_discard(struct block *b, uint64_t len, uint64_t off, struct err *e)
{
	struct redo_disk *d = disk_of(b, e);
	int rc;

	if (!d)
		return -(int)ERR_USAGE;
	pthread_rwlock_rdlock(&d->redo->writers);
	rc = zero_all(d, len, off, REDO_UNMAP, false, e);
	pthread_rwlock_unlock(&d->redo->writers);
	return rc;
}

/* Where the journal's bytes lie is not told: it is emptied under the eyes of who reads there. */
static int node_extent(struct block *b, uint64_t len, uint64_t off, struct extent *out, struct err *e)
{
	struct redo_disk *d = disk_of(b, e);
	enum redo_state state;
	int rc = 0;

	if (!d)
		return -(int)ERR_USAGE;
	pthread_rwlock_rdlock(&d->redo->gate);
	len = same_run(d, off, len, &state);
	if (state == REDO_NONE)
		rc = block_extent_chain(d->image, NULL, len, off, out, e);
	else
		*out = (struct extent){ .off = off, .len = len, .flags = state == REDO_DATA ? EXTENT_DATA : EXTENT_ZERO };
	out->depth = 0;
	out->flags |= EXTENT_ALLOC;
	pthread_rwlock_unlock(&d->redo->gate);
	return rc;
}

static uint64_t node_allocated(const struct block *b)
{
	const struct redo_disk *d = ((const struct node_state *)b->state)->d;

	return d ? block_allocated(d->image) : UINT64_MAX;
}

/* Nothing is stable before a commit: a flush has nothing to do. */
static const struct block_driver redo_node = {
	.name = "redo",
	.state_size = sizeof(struct node_state),
	.pread = node_pread,
	.pwrite = node_pwrite,
	.zero = node_zero,
	.discard = node_discard,
	.extent = node_extent,
	.allocated = node_allocated,
};

int redo_disk_node(struct redo_disk *d, struct err *e)
{
	int rc = block_new_filter(&redo_node, NULL, &d->block, e);

	if (rc < 0)
		return rc;
	((struct node_state *)d->block->state)->d = d;
	d->block->size = d->who.size;
	d->block->flags = BLOCK_WRITE;
	free(d->block->name);
	d->block->name = alloc_strdup(block_name(d->image));
	return d->block->name ? 0 : err_nomem(e);
}

void redo_disk_forget(struct redo_disk *d)
{
	if (d->block)
		((struct node_state *)d->block->state)->d = NULL;
	block_unrefp(&d->block);
}
