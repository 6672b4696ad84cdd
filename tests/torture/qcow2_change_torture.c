/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2_change_torture.c - an image is changed as a whole (snapshots, backing name, bitmaps, amend), and the power may go at any
 * moment of it: whatever has reached the disk, the next writer finds an image that is clean or merely leaks, the disk
 * as it was before or after the change, and every snapshot as it was made.
 */
#include "cut.h"
#include "workload.h"

#include <inttypes.h>

#define MAX_SNAPS 8
/* The granularity of the one bitmap, and how many bits the largest disk has. */
#define MARK	  4096
#define MAX_MARKS 1024

struct snap {
	char id[24];
	struct model model;
};
/* What an image holds. */
struct holding {
	struct model disk;
	struct snap snaps[MAX_SNAPS];
	unsigned n;
	char backing[1000]; /* the name; "": none */
	bool has_bitmap;
	bool marked[MAX_MARKS]; /* by its bits */
};

struct change {
	struct rng rng;
	struct holding before, after;
	uint8_t *bytes; /* the image before the change */
	size_t len;
	struct recording rec;
	bool v2;
	bool partly; /* the change may come in parts: each byte of the disk is as before or as after */
	uint64_t cluster_size;
	size_t ncuts;
	char last[100];
};

static void model_free(struct model *m)
{
	free(m->bytes);
	*m = (struct model){ NULL, 0 };
}

static int model_copy(struct model *to, const struct model *from)
{
	*to = (struct model){ NULL, 0 };
	if (model_resize(to, from->size) < 0)
		return -1;
	memcpy(to->bytes, from->bytes, from->size);
	return 0;
}

static void holding_free(struct holding *h)
{
	model_free(&h->disk);
	for (unsigned i = 0; i < h->n; i++)
		model_free(&h->snaps[i].model);
	h->n = 0;
}

static int holding_copy(struct holding *to, const struct holding *from, struct err *e)
{
	to->n = 0;
	memcpy(to->backing, from->backing, sizeof to->backing);
	memcpy(to->marked, from->marked, sizeof to->marked);
	to->has_bitmap = from->has_bitmap;
	if (model_copy(&to->disk, &from->disk) < 0)
		return err_nomem(e);
	for (; to->n < from->n; to->n++) {
		to->snaps[to->n] = from->snaps[to->n];
		if (model_copy(&to->snaps[to->n].model, &from->snaps[to->n].model) < 0)
			return err_nomem(e);
	}
	return 0;
}

static int compare_snapshots(const struct holding *h, struct block *file, const struct block_snapshots *list, struct err *e)
{
	if (list->n != h->n)
		return err_set(e, ERR_CORRUPT, "%zu snapshots, not %u", list->n, h->n);
	for (unsigned i = 0; i < h->n; i++) {
		CLEANUP(block_unrefp) struct block *b = NULL;
		int rc = strcmp(h->snaps[i].id, list->items[i].id) == 0
				 ? qcow2_over(file, 0, NULL, &b, e)
				 : err_set(e, ERR_CORRUPT, "snapshot %u is \"%s\", not \"%s\"", i, list->items[i].id,
					   h->snaps[i].id);

		if (rc == 0)
			rc = block_snapshot_load(b, h->snaps[i].id, e);
		if (rc == 0 && block_size(b) != h->snaps[i].model.size)
			rc = err_set(e, ERR_CORRUPT, "its size is %" PRIu64, block_size(b));
		if (rc == 0)
			rc = model_compare(&h->snaps[i].model, b, 0, block_size(b), e);
		if (rc < 0)
			return err_in(e, rc, "snapshot \"%s\"", h->snaps[i].id);
	}
	return 0;
}

/* The bitmap as the image has it: *state 0 none, 1 consistent, 2 not. */
static int read_bitmap(struct block *b, bool marked[MAX_MARKS], int *state, struct err *e)
{
	struct block_bitmaps list;
	uint64_t off = 0, len = 0;
	int rc = block_bitmaps(b, &list, e);

	memset(marked, 0, MAX_MARKS * sizeof *marked);
	if (rc < 0)
		return rc;
	*state = list.n == 0 ? 0 : list.items[0].inconsistent ? 2 : 1;
	block_bitmaps_free(&list);
	while (*state == 1 && (rc = block_bitmap_next(b, "m", off, &off, &len, e)) == 0 && len) {
		for (uint64_t i = off / MARK; i <= (off + len - 1) / MARK && i < MAX_MARKS; i++)
			marked[i] = true;
		off += len;
	}
	return rc;
}

/* A bitmap may be given up by a crash, but if it says something it says the truth. */
static int compare_bitmap(const struct holding *h, struct block *b, struct err *e)
{
	bool marked[MAX_MARKS];
	int state, rc = read_bitmap(b, marked, &state, e);

	if (rc < 0 || state == 2)
		return rc;
	if ((state == 1) != h->has_bitmap)
		return err_set(e, ERR_CORRUPT, "%s bitmap", state ? "a" : "no");
	for (unsigned i = 0; i < MAX_MARKS; i++)
		if (state == 1 && marked[i] != h->marked[i])
			return err_set(e, ERR_CORRUPT, "bit %u of the bitmap is %d", i, marked[i]);
	return 0;
}

/* Does the image in `file`, opened as b, hold just this? */
static int holds(const struct holding *h, struct block *file, struct block *b, struct err *e)
{
	struct block_snapshots list;
	int rc = 0;

	if (block_size(b) != h->disk.size)
		return err_set(e, ERR_CORRUPT, "a disk of %" PRIu64 " bytes, not %" PRIu64, block_size(b), h->disk.size);
	if (strcmp(block_backing_name(b) ? block_backing_name(b) : "", h->backing) != 0)
		return err_set(e, ERR_CORRUPT, "the backing file is \"%.40s\", not \"%.40s\"", block_backing_name(b),
			       h->backing);
	rc = model_compare(&h->disk, b, 0, h->disk.size, e);
	if (rc == 0)
		rc = block_snapshots(b, &list, e);
	if (rc < 0)
		return rc;
	rc = compare_snapshots(h, file, &list, e);
	block_snapshots_free(&list);
	return rc < 0 ? rc : compare_bitmap(h, b, e);
}

static int holds_some(struct change *c, struct block *file, struct block *b, struct err *e)
{
	struct holding mix = c->after;
	CLEANUP(free_ptr) uint8_t *bytes = malloc(block_size(b));
	int rc = bytes ? block_pread(b, bytes, block_size(b), 0, e) : err_nomem(e);

	mix.disk.bytes = bytes;
	for (uint64_t i = 0; rc == 0 && i < mix.disk.size; i++)
		if (bytes[i] != c->before.disk.bytes[i] && bytes[i] != c->after.disk.bytes[i])
			rc = err_set(e, ERR_CORRUPT, "byte %" PRIu64 " reads as %02x", i, bytes[i]);
	return rc < 0 ? rc : holds(&mix, file, b, e);
}

/* What a machine finds that starts again with this file. */
static int survives(struct change *c, struct block *file, struct err *e)
{
	CLEANUP(block_unrefp) struct block *copy = NULL;
	CLEANUP(block_unrefp) struct block *b = NULL;
	int rc = copy_of(file, &copy, e);

	c->ncuts++;
	/* Version 2 cannot say that it was cut off: there flags may be wrong that a repair sets right. */
	if (rc == 0)
		rc = qcow2_over(copy, BLOCK_WRITE | BLOCK_RESIZE | (c->v2 ? BLOCK_CHECK : 0), NULL, &b, e);
	if (rc == 0 && c->v2)
		rc = block_check(b, CHECK_FIX_ERRORS, &(struct check_report){ .finding = NULL }, e);
	if (rc == 0)
		rc = check_image(b, 0, e);
	if (rc < 0)
		return rc;
	if (c->partly)
		return holds_some(c, copy, b, e);
	rc = holds(&c->before, copy, b, e);
	return rc < 0 ? holds(&c->after, copy, b, e) : rc;
}

static int replay(struct change *c, struct err *e)
{
	CLEANUP(block_unrefp) struct block *file = NULL;
	CLEANUP(block_unrefp) struct block *base = NULL;
	size_t flushed = 0;
	int rc = memory_file(c->bytes, c->len, &file, e);

	if (rc == 0)
		rc = copy_of(file, &base, e);
	for (size_t i = 0; rc == 0 && i < c->rec.n; i++) {
		const struct event *x = &c->rec.events[i];

		if (x->kind != FAULT_FLUSH) {
			rc = cut_apply(x, x->len, file, e);
			if (rc == 0)
				rc = survives(c, file, e);
			if (rc < 0)
				err_in(e, rc, "event %zu of %zu", i, c->rec.n);
			continue;
		}
		for (int n = 0; rc == 0 && i - flushed > 1 && n < 2; n++) {
			CLEANUP(block_unrefp) struct block *some = NULL;

			rc = copy_of(base, &some, e);
			for (size_t k = flushed; rc == 0 && k < i; k++) {
				const struct event *y = &c->rec.events[k];
				uint64_t len = y->len;

				if (rng_one_in(&c->rng, 2))
					continue;
				if (y->kind == FAULT_WRITE && len > 512 && rng_one_in(&c->rng, 4))
					len = 512 * (1 + rng_below(&c->rng, len / 512));
				rc = cut_apply(y, len, some, e);
			}
			if (rc == 0)
				rc = survives(c, some, e);
			if (rc < 0)
				err_in(e, rc, "some of events %zu to %zu", flushed, i);
		}
		block_unrefp(&base);
		if (rc == 0)
			rc = copy_of(file, &base, e);
		flushed = i + 1;
	}
	return rc;
}

/* ---- changes ---- */

static int make(struct change *c, struct block *b, struct err *e)
{
	struct block_snapshot what = { .name = (char *)"a name", .date_sec = 1, .icount = UINT64_MAX };
	struct holding *h = &c->after;
	struct block_snapshots list;
	int rc;

	snprintf(c->last, sizeof c->last, "create");
	rc = block_snapshot_create(b, &what, e);
	if (rc < 0)
		return rc;
	rc = block_snapshots(b, &list, e);
	if (rc < 0)
		return rc;
	if (model_copy(&h->snaps[h->n].model, &h->disk) < 0)
		rc = err_nomem(e);
	snprintf(h->snaps[h->n].id, sizeof h->snaps[h->n].id, "%s", list.items[list.n - 1].id);
	h->n++;
	block_snapshots_free(&list);
	return rc;
}

static int unmake(struct change *c, struct block *b, struct err *e)
{
	struct holding *h = &c->after;
	unsigned i = (unsigned)rng_below(&c->rng, h->n);
	int rc;

	snprintf(c->last, sizeof c->last, "delete %s", h->snaps[i].id);
	rc = block_snapshot_delete(b, h->snaps[i].id, e);
	model_free(&h->snaps[i].model);
	memmove(&h->snaps[i], &h->snaps[i + 1], (h->n - i - 1) * sizeof h->snaps[0]);
	h->n--;
	return rc;
}

static int go_back(struct change *c, struct block *b, struct err *e)
{
	struct holding *h = &c->after;
	unsigned i = (unsigned)rng_below(&c->rng, h->n);

	snprintf(c->last, sizeof c->last, "apply %s", h->snaps[i].id);
	model_free(&h->disk);
	if (model_copy(&h->disk, &h->snaps[i].model) < 0)
		return err_nomem(e);
	return block_snapshot_apply(b, h->snaps[i].id, e);
}

static int rename_backing(struct change *c, struct block *b, struct err *e)
{
	static const char *const formats[] = { NULL, "raw", "qcow2" };
	struct holding *h = &c->after;
	/* In the smallest clusters there is little room. */
	size_t len = (size_t)rng_below(&c->rng, c->cluster_size < 2048 ? 60 : sizeof h->backing - 1);

	memset(h->backing, 0, sizeof h->backing);
	memset(h->backing, 'a' + (int)rng_below(&c->rng, 26), len);
	snprintf(c->last, sizeof c->last, "a backing name of %zu bytes", len);
	return block_change_backing(b, h->backing, len ? formats[rng_below(&c->rng, 3)] : NULL, e);
}

static int empty(struct change *c, struct block *b, struct err *e)
{
	snprintf(c->last, sizeof c->last, "empty");
	/* On the way it may be anything between the two. */
	memset(c->after.disk.bytes, 0, c->after.disk.size);
	c->partly = true;
	return block_make_empty(b, e);
}

static int change_bitmap(struct change *c, struct block *b, struct err *e)
{
	uint64_t off, len;

	snprintf(c->last, sizeof c->last, "bitmap");
	if (!c->after.has_bitmap)
		return block_bitmap_add(b, "m", MARK, false, e);
	switch (rng_below(&c->rng, 4)) {
	case 0:
		return block_bitmap_remove(b, "m", e);
	case 1:
		return block_bitmap_clear(b, "m", e);
	default:
		rng_range(&c->rng, block_size(b), &off, &len);
		return block_bitmap_mark(b, "m", len, off, e);
	}
}

static int amend(struct change *c, struct block *b, struct err *e)
{
	static const char *const opts[][2] = { { "compat", "0.10" },	   { "compat", "1.1" },	    { "refcount_bits", "8" },
					       { "refcount_bits", "16" },  { "refcount_bits", "32" }, { "refcount_bits", "64" },
					       { "lazy_refcounts", "on" }, { "lazy_refcounts", "off" } };
	unsigned i = (unsigned)rng_below(&c->rng, ARRAY_LEN(opts));
	CLEANUP(dict_free) struct dict d = DICT_INIT;
	int rc = dict_set(&d, opts[i][0], opts[i][1], e);

	snprintf(c->last, sizeof c->last, "amend %s=%s", opts[i][0], opts[i][1]);
	/* The old version has one width only, and neither bitmaps nor snapshots go there. */
	if (rc == 0 && i == 0)
		rc = dict_set(&d, "refcount_bits", "16", e);
	rc = rc == 0 ? block_amend(b, &d, NULL, false, e) : rc;
	if (rc == -(int)ERR_USAGE || rc == -(int)ERR_UNSUPPORTED)
		return 0;
	return rc;
}

static int change(struct change *c, struct block *b, struct err *e)
{
	switch (rng_below(&c->rng, 14)) {
	case 11:
	case 12:
	case 13:
		return amend(c, b, e);
	case 8:
	case 9:
	case 10:
		return c->v2 ? make(c, b, e) : change_bitmap(c, b, e);
	case 2:
		return empty(c, b, e);
	case 3:
	case 4:
		return rename_backing(c, b, e);
	case 0:
		return c->after.n ? unmake(c, b, e) : make(c, b, e);
	case 1:
		return c->after.n ? go_back(c, b, e) : make(c, b, e);
	default:
		return c->after.n < MAX_SNAPS ? make(c, b, e) : unmake(c, b, e);
	}
}

static int take_bytes(struct change *c, struct block *file, struct err *e)
{
	free(c->bytes);
	c->len = block_size(file);
	c->bytes = malloc(c->len);
	return c->bytes ? block_pread(file, c->bytes, c->len, 0, e) : err_nomem(e);
}

static int note_bitmap(struct holding *h, struct block *b, struct err *e)
{
	int state, rc = read_bitmap(b, h->marked, &state, e);

	if (rc == 0 && state == 2)
		rc = err_set(e, ERR_CORRUPT, "the bitmap is inconsistent without reason");
	h->has_bitmap = rc == 0 && state;
	return rc;
}

/* What differs from before must be marked. */
static int judge_marks(const struct holding *h, const struct model *old, struct err *e)
{
	for (uint64_t i = 0; h->has_bitmap && i < MIN_OF(old->size, h->disk.size); i++)
		if (old->bytes[i] != h->disk.bytes[i] && !h->marked[i / MARK])
			return err_set(e, ERR_CORRUPT, "byte %" PRIu64 " has changed and is not marked", i);
	return 0;
}

/* Some writes between two changes, which are not cut off here. */
static int write_some(struct change *c, struct block *file, struct err *e)
{
	CLEANUP(block_unrefp) struct block *b = NULL;
	struct workload w = { .known = NULL };
	struct model old = { NULL, 0 };
	int rc = qcow2_over(file, BLOCK_WRITE | BLOCK_RESIZE, NULL, &b, e);

	if (rc == 0 && model_copy(&old, &c->before.disk) < 0)
		rc = err_nomem(e);
	if (rc == 0)
		rc = workload_init(&w, rng_next(&c->rng), &c->before.disk, 2 * c->before.disk.size, e);
	w.b = b;
	w.cluster_size = c->cluster_size;
	w.may_compress = true;
	w.may_resize = !c->v2 && rng_one_in(&c->rng, 2);
	for (unsigned i = 0; rc == 0 && i < 4; i++)
		rc = workload_step(&w, e);
	if (rc == 0 && model_resize(&c->before.disk, block_size(b)) < 0)
		rc = err_nomem(e);
	if (rc == 0) /* discarded bytes are what they are */
		rc = block_pread(b, c->before.disk.bytes, c->before.disk.size, 0, e);
	if (rc == 0)
		rc = note_bitmap(&c->before, b, e);
	if (rc == 0)
		rc = judge_marks(&c->before, &old, e);
	model_free(&old);
	if (rc == 0)
		rc = block_finish(b, e);
	block_unrefp(&b);
	if (rc == 0)
		rc = qcow2_over(file, BLOCK_CHECK, NULL, &b, e);
	if (rc == 0 && (rc = check_image(b, 0, e)) == 1)
		rc = -(int)ERR_CORRUPT;
	workload_free(&w);
	return rc < 0 ? err_in(e, rc, "writing") : 0;
}

static int turn(struct change *c, struct block *file, struct err *e)
{
	struct fault_plan plan = { .record = cut_record, .arg = &c->rec };
	CLEANUP(block_unrefp) struct block *fault = NULL;
	CLEANUP(block_unrefp) struct block *b = NULL;
	CLEANUP(dict_free) struct dict opts = DICT_INIT;
	uint8_t version = 0;
	int rc = block_pread(file, &version, 1, 7, e);

	c->v2 = version == 2;
	if (rc == 0)
		rc = write_some(c, file, e);
	qcow2_random_options(&c->rng, c->v2, &opts);
	if (rc == 0)
		rc = take_bytes(c, file, e);
	if (rc == 0)
		rc = holding_copy(&c->after, &c->before, e);
	if (rc == 0)
		rc = block_fault(file, &plan, &fault, e);
	if (rc == 0)
		rc = qcow2_over(fault, BLOCK_WRITE | BLOCK_RESIZE, &opts, &b, e);
	if (rc == 0)
		rc = change(c, b, e);
	if (rc == 0)
		rc = note_bitmap(&c->after, b, e);
	if (rc == 0)
		rc = block_finish(b, e);
	if (rc == 0 && c->rec.failed)
		rc = err_nomem(e);
	block_unrefp(&b);
	if (rc == 0)
		rc = replay(c, e);
	if (rc == 0)
		rc = qcow2_over(file, BLOCK_CHECK, NULL, &b, e);
	if (rc == 0 && (rc = check_image(b, 0, e)) == 1)
		rc = -(int)ERR_CORRUPT;
	if (rc == 0)
		rc = holds(&c->after, file, b, e);
	c->partly = false;
	cut_free(&c->rec);
	holding_free(&c->before);
	c->before = c->after;
	memset(&c->after, 0, sizeof c->after);
	return rc;
}

static void run_case(uint64_t seed, unsigned turns)
{
	struct change c = { .rng = { seed } };
	CLEANUP(block_unrefp) struct block *file = NULL;
	char about[300], name[400], why[1400];
	struct err e = ERR_INIT;
	bool snapshot;
	int rc = 0;

	do {
		free(take(c.bytes));
		model_free(&c.before.disk);
		rc = qcow2_start(&c.rng, &c.bytes, &c.len, &c.before.disk, &snapshot, &c.cluster_size, about,
				 sizeof about, &e);
		/* A refcount of a bit or two cannot say how often. */
	} while (rc == 0 && (snapshot || strstr(about, "refcount_bits=1 ") || strstr(about, "refcount_bits=2 ")));
	if (rc == 0)
		rc = memory_file(c.bytes, c.len, &file, &e);
	for (unsigned i = 0; rc == 0 && i < turns; i++)
		rc = turn(&c, file, &e);
	snprintf(name, sizeof name, "seed %" PRIu64 ":%s: %zu crashes", seed, about, c.ncuts);
	snprintf(why, sizeof why, "%s: %s", c.last, e.msg);
	tap_result(name, rc ? why : NULL);
	free(c.bytes);
	holding_free(&c.before);
	holding_free(&c.after);
}

int main(void)
{
	uint64_t seed = env_number("DRYDOCK_TORTURE_SEED", 1);
	unsigned nops = (unsigned)env_number("DRYDOCK_TORTURE_OPS", 60), per_case = 5;

	for (unsigned done = 0; done < nops; done += per_case) {
		run_case(seed++, per_case);
		if (getenv("DRYDOCK_TORTURE_SEED") && !getenv("DRYDOCK_TORTURE_OPS"))
			break;
	}
	torture_folder_remove();
	return tap_done();
}
