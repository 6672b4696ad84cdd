/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2_powercut_torture.c - the power may go at any moment: all writes below the driver are recorded, and the image
 * that each prefix of them leaves (and between two flushes, some random subsets, with torn writes) must be clean or
 * merely leak, and must hold everything that had been flushed before.
 */
#include "cut.h"
#include "workload.h"

#include <inttypes.h>

/* A flush the user asked for has returned: from event `at` on the image must read as the model, but for what is touched
 * by the operations until the next one. */
struct epoch {
	size_t at;
	struct model model;
	uint8_t *known;
};

struct powercut {
	struct recording rec;
	struct epoch *epochs;
	size_t nepochs;
	struct model start;
	bool snapshot, lazy;
	uint64_t max_size;
	size_t nchecked;
};

/* What a machine finds that starts again with this file. */
static int survives(struct powercut *p, const struct epoch *k, struct block *file, struct err *e)
{
	CLEANUP(block_unrefp) struct block *copy = NULL;
	CLEANUP(block_unrefp) struct block *b = NULL;
	int rc = 0;

	p->nchecked++;
	if (p->lazy) {
		/* Refcounts may be late: opening for writing counts them again, and then everything must be right. */
		rc = copy_of(file, &copy, e);
		if (rc == 0)
			rc = qcow2_over(copy, BLOCK_WRITE, NULL, &b, e);
	} else {
		rc = qcow2_over(file, BLOCK_CHECK, NULL, &b, e);
	}
	if (rc == 0)
		rc = check_image(b, 0, e);
	if (rc >= 0)
		rc = workload_compare(&k->model, k->known, BYTE_TOUCHED | BYTE_UNKNOWN, b, e);
	if (rc < 0 || !p->snapshot)
		return rc;
	block_unrefp(&b);
	rc = qcow2_over(copy ? copy : file, 0, NULL, &b, e);
	if (rc == 0)
		rc = block_snapshot_load(b, "s", e);
	if (rc == 0)
		rc = model_compare(&p->start, b, 0, p->start.size, e);
	return rc < 0 ? err_in(e, rc, "snapshot") : 0;
}

/* Some of the writes between two flushes have reached the disk, one of them in part. */
static int subset(struct powercut *p, struct rng *r, size_t from, size_t to, const struct epoch *k, struct block *base,
		  struct err *e)
{
	CLEANUP(block_unrefp) struct block *file = NULL;
	int rc = copy_of(base, &file, e);

	for (size_t i = from; rc == 0 && i < to; i++) {
		const struct event *x = &p->rec.events[i];
		uint64_t len = x->len;

		if (rng_one_in(r, 2))
			continue;
		if (x->kind == FAULT_WRITE && len > 512 && rng_one_in(r, 4))
			len = 512 * (1 + rng_below(r, len / 512));
		rc = cut_apply(x, len, file, e);
	}
	return rc < 0 ? rc : survives(p, k, file, e);
}

static int replay(struct powercut *p, struct rng *r, const uint8_t *bytes, size_t len, char *where, size_t size,
		  struct err *e)
{
	CLEANUP(block_unrefp) struct block *file = NULL;
	CLEANUP(block_unrefp) struct block *base = NULL;
	size_t flushed = 0, k = 0;
	int rc = memory_file(bytes, len, &file, e);

	if (rc == 0)
		rc = copy_of(file, &base, e);
	for (size_t i = 0; rc == 0 && i < p->rec.n; i++) {
		const struct event *x = &p->rec.events[i];

		while (k + 1 < p->nepochs && p->epochs[k + 1].at <= i)
			k++;
		if (x->kind == FAULT_FLUSH) {
			for (int n = 0; rc == 0 && i - flushed > 1 && n < 3; n++) {
				snprintf(where, size, "some of events %zu to %zu", flushed, i - 1);
				rc = subset(p, r, flushed, i, &p->epochs[k], base, e);
			}
			block_unrefp(&base);
			if (rc == 0)
				rc = copy_of(file, &base, e);
			flushed = i + 1;
			continue;
		}
		snprintf(where, size, "event %zu of %zu", i, p->rec.n);
		rc = cut_apply(x, x->len, file, e);
		if (rc == 0)
			rc = survives(p, &p->epochs[k], file, e);
	}
	return rc;
}

/* ---- a case ---- */

static int epoch_begin(struct powercut *p, struct workload *w, struct err *e)
{
	struct epoch *ks = realloc(p->epochs, (p->nepochs + 1) * sizeof *ks), *k;

	if (!ks)
		return err_nomem(e);
	p->epochs = ks;
	k = &ks[p->nepochs++];
	*k = (struct epoch){ .at = p->rec.n, .known = malloc(w->max_size) };
	if (!k->known || model_resize(&k->model, w->model.size) < 0)
		return err_nomem(e);
	memcpy(k->model.bytes, w->model.bytes, w->model.size);
	workload_settle(w);
	memcpy(k->known, w->known, w->max_size);
	return 0;
}

/* What the operations of an epoch touched is only known at its end. */
static void epoch_end(struct powercut *p, const struct workload *w)
{
	struct epoch *k = &p->epochs[p->nepochs - 1];

	for (uint64_t i = 0; i < w->max_size; i++)
		k->known[i] |= w->known[i] & (BYTE_TOUCHED | BYTE_UNKNOWN);
}

static int work(struct powercut *p, struct workload *w, const uint8_t *bytes, size_t len, unsigned nops, struct err *e)
{
	struct fault_plan plan = { .record = cut_record, .arg = &p->rec };
	CLEANUP(block_unrefp) struct block *file = NULL;
	CLEANUP(block_unrefp) struct block *fault = NULL;
	CLEANUP(block_unrefp) struct block *b = NULL;
	CLEANUP(dict_free) struct dict opts = DICT_INIT;
	int rc = memory_file(bytes, len, &file, e);

	qcow2_random_options(&w->rng, false, &opts);
	if (rc == 0)
		rc = block_fault(file, &plan, &fault, e);
	if (rc == 0)
		rc = qcow2_over(fault, BLOCK_WRITE | BLOCK_RESIZE, &opts, &b, e);
	if (rc == 0)
		rc = epoch_begin(p, w, e);
	w->b = b;
	for (unsigned i = 0; rc == 0 && i < nops; i++) {
		rc = workload_step(w, e);
		if (rc < 0)
			return err_in(e, rc, "%s", w->last);
		if (!rng_one_in(&w->rng, 6) && i + 1 < nops)
			continue;
		rc = i + 1 < nops ? block_flush(b, e) : block_finish(b, e);
		epoch_end(p, w);
		if (rc == 0)
			rc = epoch_begin(p, w, e);
	}
	return rc == 0 && p->rec.failed ? err_nomem(e) : rc;
}

/* ---- a repair that is cut off ---- */

static int cut_repair(struct powercut *p, struct rng *r, uint8_t *bytes, size_t len, uint64_t cluster_size, struct err *e)
{
	struct fault_plan plan = { .record = cut_record, .arg = &p->rec };
	CLEANUP(block_unrefp) struct block *file = NULL;
	CLEANUP(block_unrefp) struct block *fault = NULL;
	CLEANUP(block_unrefp) struct block *b = NULL;
	CLEANUP(block_unrefp) struct block *again = NULL;
	int rc;

	qcow2_spoil(r, bytes, len, cluster_size);
	rc = memory_file(bytes, len, &file, e);
	if (rc == 0)
		rc = block_fault(file, &plan, &fault, e);
	if (rc == 0)
		rc = qcow2_over(fault, BLOCK_CHECK | BLOCK_WRITE | BLOCK_RESIZE, NULL, &b, e);
	if (rc == 0)
		rc = check_image(b, CHECK_FIX_LEAKS | CHECK_FIX_ERRORS, e);
	if (rc == 0)
		rc = memory_file(bytes, len, &again, e);
	for (size_t i = 0; rc == 0 && i < p->rec.n; i++) {
		rc = cut_apply(&p->rec.events[i], p->rec.events[i].len, again, e);
		if (rc == 0)
			rc = qcow2_mends(again, &p->start, e);
		p->nchecked++;
	}
	return rc;
}

static void run_repair(uint64_t seed)
{
	struct rng r = { seed };
	struct powercut p = { .nepochs = 0 };
	CLEANUP(free_ptr) uint8_t *bytes = NULL;
	char about[300], name[400];
	struct err e = ERR_INIT;
	uint64_t cluster_size;
	size_t len = 0;
	int rc;

	rc = qcow2_start(&r, &bytes, &len, &p.start, &p.snapshot, &cluster_size, about, sizeof about, &e);
	if (rc == 0)
		rc = cut_repair(&p, &r, bytes, len, cluster_size, &e);
	snprintf(name, sizeof name, "a repair is cut off, seed %" PRIu64 ":%s: %zu crashes", seed, about, p.nchecked);
	tap_result(name, rc ? e.msg : NULL);
	cut_free(&p.rec);
	free(p.start.bytes);
}

static void run_case(uint64_t seed, unsigned nops)
{
	struct rng r = { seed };
	struct powercut p = { .nepochs = 0 };
	struct workload w = { .known = NULL };
	CLEANUP(free_ptr) uint8_t *bytes = NULL;
	char about[300], name[400], where[100] = "recording", why[1400];
	struct err e = ERR_INIT;
	size_t len = 0;
	uint64_t cluster_size;
	int rc;

	rc = qcow2_start(&r, &bytes, &len, &p.start, &p.snapshot, &cluster_size, about, sizeof about, &e);
	p.lazy = strstr(about, "lazy_refcounts");
	if (rc == 0)
		rc = workload_init(&w, seed, &p.start, 2 * p.start.size, &e);
	w.cluster_size = cluster_size;
	w.may_compress = true;
	w.may_resize = !p.snapshot;
	if (rc == 0)
		rc = work(&p, &w, bytes, len, nops, &e);
	if (rc == 0)
		rc = replay(&p, &r, bytes, len, where, sizeof where, &e);
	snprintf(name, sizeof name, "seed %" PRIu64 ":%s: %zu crashes", seed, about, p.nchecked);
	if (rc < 0)
		snprintf(why, sizeof why, "%s: %s", where, e.msg);
	tap_result(name, rc < 0 ? why : NULL);
	cut_free(&p.rec);
	for (size_t i = 0; i < p.nepochs; i++) {
		free(p.epochs[i].model.bytes);
		free(p.epochs[i].known);
	}
	free(p.epochs);
	free(p.start.bytes);
	workload_free(&w);
}

int main(void)
{
	uint64_t seed = env_number("DRYDOCK_TORTURE_SEED", 1);
	unsigned nops = (unsigned)env_number("DRYDOCK_TORTURE_OPS", 600), per_case = 40;

	for (unsigned done = 0; done < nops; done += per_case) {
		run_case(seed++, per_case);
		if (getenv("DRYDOCK_TORTURE_SEED") && !getenv("DRYDOCK_TORTURE_OPS"))
			break;
	}
	for (unsigned i = 0; i < 20; i++)
		run_repair(seed + i);
	torture_folder_remove();
	return tap_done();
}
