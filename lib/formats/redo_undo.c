/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * redo_undo.c - going back: the blocks as they were are kept in a file, and written to the images again.
 *
 * The file is that of redo_file.h, of all disks of the transaction.  Each block is in it once, as it was before the first commit,
 * with its sum before that, and after the last one.
 */
#include "redo_internal.h"

#include "alloc.h"
#include "checked.h"
#include "locked.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

/* ---- keeping ---- */

struct kept {
	uint64_t off, at;
	struct redo_sum sum;
	uint32_t was_is; /* its sum `is` before the commit that is under way */
	uint16_t disk;
	uint8_t kind;
	bool fresh; /* of the commit that is under way */
};

struct redo_keep {
	struct redo *r;
	struct redo_made made;
	struct block *file;
	uint8_t id[REDO_ID];
	struct kept *items; /* the first `sorted` of them are, by disk and offset */
	size_t n, room, sorted;
	uint64_t end; /* of the data */
	bool counts;  /* a commit has added to it */
};

static int by_place(const void *a, const void *b)
{
	const struct kept *x = a, *y = b;

	if (x->disk != y->disk)
		return x->disk < y->disk ? -1 : 1;
	return x->off < y->off ? -1 : x->off > y->off;
}

static struct kept *kept_find(struct redo_keep *k, unsigned disk, uint64_t off)
{
	const struct kept key = { .off = off, .disk = (uint16_t)disk };

	return k->sorted ? bsearch(&key, k->items, k->sorted, sizeof *k->items, by_place) : NULL;
}

int redo_keep_block(struct redo_keep *k, unsigned disk, const struct redo_change *c, struct redo_sum sum, struct err *e)
{
	struct kept *it = kept_find(k, disk, c->off);
	int rc = 0;

	if (it) {
		it->sum.is = sum.is;
		return 0;
	}
	if (k->n == k->room) {
		size_t room = k->room + k->room / 2 + 256;
		struct kept *items = alloc_resize(k->items, room, sizeof *items);

		if (!items)
			return err_nomem(e);
		k->items = items;
		k->room = room;
	}
	if (c->was)
		rc = block_pwrite(k->file, c->was, c->len, k->end, e);
	if (rc < 0)
		return rc;
	k->items[k->n++] = (struct kept){
		.off = c->off, .at = k->end, .sum = sum, .was_is = sum.is, .disk = (uint16_t)disk,
		.kind = c->was ? REDO_RUN_DATA : REDO_RUN_UNMAP, .fresh = true,
	};
	k->end += c->was ? REDO_BLOCK : 0;
	return 0;
}

static int keep_index(struct redo_keep *k, struct err *e)
{
	struct redo_index x = { .kind = REDO_UNDO, .counts = REDO_COUNTS };
	int rc = 0;

	qsort(k->items, k->n, sizeof *k->items, by_place);
	k->sorted = k->n;
	memcpy(x.id, k->id, REDO_ID);
	for (size_t i = 0; i < k->n && rc == 0; i++) {
		const struct kept *it = &k->items[i];

		rc = redo_index_add(&x, it->disk, it->off, (enum redo_run_kind)it->kind, it->at, it->sum, e);
	}
	x.disks = alloc_array(k->r->n, sizeof *x.disks);
	if (!x.disks && rc == 0)
		rc = err_nomem(e);
	for (size_t i = 0; i < k->r->n && rc == 0; i++)
		x.disks[i] = k->r->disks[i].who; /* paths are lent */
	x.ndisks = rc == 0 ? k->r->n : 0;
	if (rc == 0)
		rc = redo_file_write(k->file, &x, e);
	x.ndisks = 0;
	redo_index_free(&x);
	if (rc == 0) /* the next data lie behind the index, which must stay until there is another */
		k->end = round_up(MAX_OF(block_size(k->file), (uint64_t)REDO_DATA_OFF), REDO_BLOCK);
	return rc;
}

int redo_keep_write(struct redo_keep *k, struct err *e)
{
	int rc = keep_index(k, e);

	if (rc == 0 && fsync(k->made.dir) < 0 && errno != EINVAL)
		rc = err_sys(e, errno, "%s: making its name stable", k->made.path);
	return rc;
}

void redo_keep_decided(struct redo_keep *k)
{
	for (size_t i = 0; i < k->n; i++) {
		k->items[i].fresh = false;
		k->items[i].was_is = k->items[i].sum.is;
	}
	k->counts = true;
}

void redo_keep_revert(struct redo_keep *k)
{
	size_t n = 0;

	for (size_t i = 0; i < k->n; i++) {
		if (k->items[i].fresh)
			continue;
		k->items[n] = k->items[i];
		k->items[n++].sum.is = k->items[i].was_is;
	}
	k->n = n;
	k->sorted = MIN_OF(k->sorted, n);
	/* As far as that is possible: the file tells of what counts. */
	if (k->counts)
		keep_index(k, NULL);
}

const struct redo_made *redo_keep_made(const struct redo_keep *k)
{
	return &k->made;
}

void redo_keep_free(struct redo_keep *k)
{
	if (!k)
		return;
	if (!k->counts && k->made.fd >= 0)
		redo_remove(&k->made, NULL);
	block_unref(k->file);
	redo_made_free(&k->made);
	free(k->items);
	free(k);
}

static void keep_freep(struct redo_keep **k)
{
	redo_keep_free(*k);
}

int redo_keep_undo(struct redo *r, const char *path, struct err *e)
{
	CLEANUP(keep_freep) struct redo_keep *k = alloc_zero(sizeof *k);
	int fd, rc;

	if (!k)
		return err_nomem(e);
	k->r = r;
	k->made = (struct redo_made)REDO_MADE_INIT;
	k->end = REDO_DATA_OFF;
	if (r->keep)
		return err_set(e, ERR_USAGE, "%s: an undo file is kept already", path);
	if (!random_bytes(k->id, sizeof k->id))
		return err_sys(e, errno, "no random bytes");
	rc = redo_make_at(path, &k->made, e);
	if (rc < 0)
		return rc;
	fd = fcntl(k->made.fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(e, errno, "%s", path);
	rc = block_host_fd_open(fd, path, BLOCK_WRITE | BLOCK_RESIZE | BLOCK_NO_LOCK, &k->file, e);
	if (rc == 0)
		rc = redo_file_open_header(k->file, REDO_UNDO, k->id, e);
	if (rc == 0)
		r->keep = take(k);
	return rc;
}

/* ---- going back ---- */

struct redo_undo {
	struct block *file;
	struct redo_index index;
	bool ours;
};

void redo_undo_free(struct redo_undo *u)
{
	if (!u)
		return;
	block_unref(u->file);
	redo_index_free(&u->index);
	free(u);
}

void redo_undo_freep(struct redo_undo **u)
{
	redo_undo_free(*u);
	*u = NULL;
}

int redo_undo_open(const char *path, struct redo_undo **out, struct err *e)
{
	CLEANUP(redo_undo_freep) struct redo_undo *u = alloc_zero(sizeof *u);
	struct stat st;
	int fd = u ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
	int rc;

	*out = NULL;
	if (!u)
		return err_nomem(e);
	if (fd < 0)
		return err_sys(e, errno, "%s", path);
	u->ours = fstat(fd, &st) == 0 && (st.st_uid == 0 || st.st_uid == geteuid()) && !(st.st_mode & (S_IWGRP | S_IWOTH));
	rc = block_host_fd_open(fd, path, BLOCK_NO_LOCK, &u->file, e);
	if (rc < 0)
		return rc;
	rc = redo_file_read(u->file, &u->index, e);
	if (rc == -(int)ERR_CORRUPT && !u->index.counts)
		return err_set(e, ERR_CORRUPT, "%s: no undo file", path);
	if (rc == 0 && u->index.kind != REDO_UNDO)
		return err_set(e, ERR_USAGE, "%s: no undo file, but the journal of a change", path);
	if (rc == 0 && u->index.counts != REDO_COUNTS)
		return err_set(e, ERR_USAGE, "%s: nothing was changed that could be taken back", path);
	if (rc == 0)
		rc = redo_file_check(u->file, &u->index, e);
	if (rc < 0)
		return err_in(e, rc, "%s", path);
	*out = take(u);
	return 0;
}

bool redo_undo_disk(const struct redo_undo *u, size_t i, const char **path, const char **format)
{
	if (i >= u->index.ndisks)
		return false;
	*path = u->index.disks[i].path;
	*format = u->index.disks[i].format;
	return true;
}

bool redo_undo_is_ours(const struct redo_undo *u)
{
	return u->ours;
}

/* How many blocks of the run are as they were before the change; ERR_USAGE when one is neither that nor as after it. */
static int judge_run(struct redo_undo *u, const struct redo_run *r, struct block *image, uint8_t *buf, uint64_t *before,
		     struct err *e)
{
	uint64_t len = redo_run_bytes(&u->index, r);

	for (uint64_t at = 0; at < len; at += REDO_BLOCK) {
		const struct redo_sum *s = &u->index.sums[r->first + at / REDO_BLOCK];
		size_t n = (size_t)MIN_OF((uint64_t)REDO_BLOCK, len - at);
		int rc = block_pread(image, buf, n, r->off + at, e);
		uint32_t sum;

		if (rc < 0)
			return rc;
		sum = redo_sum_of(buf, n);
		if (sum != s->is && sum != s->was)
			return err_set(e, ERR_USAGE, "%s: it was changed since, so that what was done before cannot be taken back",
				       block_name(image));
		*before += sum != s->is;
	}
	return 0;
}

static int judge(struct redo_undo *u, struct block *const *images, size_t n, struct err *e)
{
	const struct redo_index *x = &u->index;
	uint8_t buf[REDO_BLOCK];
	uint64_t before = 0;
	int rc = 0;

	if (n != x->ndisks)
		return err_set(e, ERR_USAGE, "%zu images are given, and the change was of %zu", n, x->ndisks);
	for (size_t i = 0; i < n; i++)
		if (block_size(images[i]) != x->disks[i].size)
			return err_set(e, ERR_USAGE, "%s: its disk has %" PRIu64 " bytes, and had %" PRIu64 " when it was changed",
				       block_name(images[i]), block_size(images[i]), x->disks[i].size);
	for (size_t i = 0; i < x->nruns && rc == 0; i++)
		rc = judge_run(u, &x->runs[i], images[x->runs[i].disk], buf, &before, e);
	if (rc == 0 && before == x->nsums)
		return err_set(e, ERR_USAGE, "%s: it is as it was before the change", block_name(images[0]));
	if (rc == 0 && before)
		return err_set(e, ERR_USAGE, "%s: it was changed since, so that what was done before cannot be taken back",
			       block_name(images[0]));
	return rc;
}

static int write_back(struct redo_undo *u, struct redo *r, struct err *e)
{
	enum { PIECE = 256 * REDO_BLOCK };
	CLEANUP(free_ptr) uint8_t *buf = alloc_bytes(PIECE);
	const struct redo_index *x = &u->index;
	int rc = buf ? 0 : err_nomem(e);

	for (size_t i = 0; i < x->nruns && rc == 0; i++) {
		const struct redo_run *run = &x->runs[i];
		struct block *disk = redo_disk(r, run->disk);
		uint64_t len = redo_run_bytes(x, run);

		if (run->kind != REDO_RUN_DATA) {
			rc = block_zero(disk, len, run->off, BLOCK_ZERO_UNMAP, e);
			continue;
		}
		for (uint64_t at = 0; at < len && rc == 0; at += PIECE) {
			size_t n = (size_t)MIN_OF((uint64_t)PIECE, len - at);

			rc = block_pread(u->file, buf, n, run->at + at, e);
			if (rc == 0)
				rc = block_pwrite(disk, buf, n, run->off + at, e);
		}
	}
	return rc;
}

int redo_undo_run(struct redo_undo *u, struct block *const *images, size_t n, const struct redo_how *how, struct redo_result *out,
		  struct err *e)
{
	CLEANUP(redo_freep) struct redo *r = NULL;
	int rc = judge(u, images, n, e);

	if (rc == 0)
		rc = redo_begin(images, n, &r, e);
	if (rc == 0)
		rc = write_back(u, r, e);
	return rc < 0 ? rc : redo_commit(r, how, out, NULL, e);
}
