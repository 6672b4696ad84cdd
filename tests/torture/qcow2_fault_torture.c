/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2_fault_torture.c - the same writes again and again, and each time another read, write or allocation fails: nothing
 * may crash or leak memory, the image may leak clusters but no more, and what did not fail must be there.
 */
#include "workload.h"

#include <errno.h>
#include <inttypes.h>

enum fault { FAIL_READ, FAIL_WRITE, FAIL_WRITE_FOR_GOOD, FAIL_FULL, FAIL_ALLOC };
static const char *const fault_names[] = {
	"one read fails", "one write fails", "all writes fail from one on", "the disk is full from one write on",
	"one allocation fails",
};

struct job {
	enum fault fault;
	uint64_t seed, cluster_size;
	const uint8_t *bytes;
	size_t len;
	const struct model *start;
	bool snapshot;
	bool repair; /* the work is to repair spoiled refcounts */
};

static void arm(struct fault_plan *plan, enum fault fault, unsigned long n)
{
	if (fault == FAIL_READ)
		plan->fail_read_at = n;
	else if (fault == FAIL_ALLOC)
		alloc_fault_at(n);
	else
		plan->fail_write_at = n;
	plan->fail_all_after = fault == FAIL_WRITE_FOR_GOOD || fault == FAIL_FULL;
	plan->sys_errno = fault == FAIL_FULL ? ENOSPC : 0;
}

static bool was_hit(const struct fault_plan *plan, enum fault fault, unsigned long n)
{
	if (fault == FAIL_READ)
		return atomic_load(&plan->nreads) >= n;
	if (fault == FAIL_ALLOC)
		return alloc_fault_hit();
	return atomic_load(&plan->nwrites) >= n;
}

/* Does the work; failures are what we came for.  *stable: all of it that did not fail has been finished. */
static void work(const struct job *j, struct workload *w, struct block *file, unsigned long n, bool *hit, bool *stable)
{
	struct fault_plan plan = { .record = NULL };
	CLEANUP(block_unrefp) struct block *fault = NULL;
	CLEANUP(block_unrefp) struct block *b = NULL;
	CLEANUP(dict_free) struct dict opts = DICT_INIT;
	struct err e = ERR_INIT;

	*stable = false;
	*hit = true;
	qcow2_random_options(&w->rng, false, &opts);
	if (block_fault(file, &plan, &fault, &e) < 0)
		return;
	arm(&plan, j->fault, n);
	if (qcow2_over(fault, BLOCK_WRITE | BLOCK_RESIZE, &opts, &b, &e) == 0) {
		w->b = b;
		for (int i = 0; i < 14; i++) {
			workload_step(w, &e);
			if (i % 5 == 4)
				block_flush(b, &e);
		}
		/* One fault is over by now, or comes here: then a second try must do. */
		*stable = block_finish(b, &e) == 0 || block_finish(b, &e) == 0;
	}
	*hit = was_hit(&plan, j->fault, n);
	alloc_fault_at(0);
}

static int look(const struct job *j, struct workload *w, struct block *file, bool stable, struct err *e)
{
	CLEANUP(block_unrefp) struct block *b = NULL;
	int rc = qcow2_over(file, BLOCK_WRITE, NULL, &b, e); /* counts again what lazy refcounts left */

	if (rc < 0)
		return err_in(e, rc, "open");
	rc = check_image(b, 0, e);
	if (rc < 0)
		return rc;
	if (stable)
		rc = workload_compare(&w->model, w->known, BYTE_UNKNOWN, b, e);
	if (rc < 0 || !j->snapshot)
		return rc < 0 ? rc : 0;
	block_unrefp(&b);
	rc = qcow2_over(file, 0, NULL, &b, e);
	if (rc == 0)
		rc = block_snapshot_load(b, "s", e);
	if (rc == 0)
		rc = model_compare(j->start, b, 0, j->start->size, e);
	return rc < 0 ? err_in(e, rc, "snapshot") : 0;
}

/* *more: the fault was met, so that there may be a later place for one. */
static int run_one(const struct job *j, unsigned long n, bool *more, struct err *e)
{
	CLEANUP(block_unrefp) struct block *file = NULL;
	struct workload w = { .known = NULL };
	bool stable = false;
	int rc = memory_file(j->bytes, j->len, &file, e);

	if (rc == 0)
		rc = workload_init(&w, j->seed, j->start, 2 * j->start->size, e);
	w.cluster_size = j->cluster_size;
	w.may_compress = true;
	w.may_resize = !j->snapshot;
	if (rc == 0) {
		work(j, &w, file, n, more, &stable);
		rc = look(j, &w, file, stable, e);
	}
	/* A single fault must not keep the image from being finished. */
	if (rc == 0 && !stable && *more && w.b && j->fault != FAIL_WRITE_FOR_GOOD && j->fault != FAIL_FULL)
		rc = err_set(e, ERR_CORRUPT, "the image cannot be finished after a single fault");
	workload_free(&w);
	return rc;
}

/* A repair that fails: what it leaves reads the same, and can be repaired. */
static int run_repair(const struct job *j, unsigned long n, bool *more, struct err *e)
{
	struct fault_plan plan = { .record = NULL };
	struct check_report r = { .finding = NULL };
	CLEANUP(block_unrefp) struct block *file = NULL;
	CLEANUP(block_unrefp) struct block *fault = NULL;
	CLEANUP(block_unrefp) struct block *b = NULL;
	int rc = memory_file(j->bytes, j->len, &file, e);

	if (rc == 0)
		rc = block_fault(file, &plan, &fault, e);
	if (rc < 0)
		return rc;
	arm(&plan, j->fault, n);
	if (qcow2_over(fault, BLOCK_CHECK | BLOCK_WRITE | BLOCK_RESIZE, NULL, &b, e) == 0)
		block_check(b, CHECK_FIX_LEAKS | CHECK_FIX_ERRORS, &r, e);
	*more = was_hit(&plan, j->fault, n);
	block_unrefp(&b);
	alloc_fault_at(0);
	return qcow2_mends(file, j->start, e);
}

static void run_job(const struct job *j, const char *about)
{
	struct err e = ERR_INIT;
	char name[500], why[1300];
	unsigned long n = 0;
	bool more = true;
	int rc = 0;

	/* Ends: the work is finite, and beyond its last read, write or allocation nothing is met. */
	while (rc == 0 && more && n < 5000)
		rc = j->repair ? run_repair(j, ++n, &more, &e) : run_one(j, ++n, &more, &e);
	snprintf(name, sizeof name, "%s%s (%lu places), seed %" PRIu64 ":%s", j->repair ? "a repair where " : "",
		 fault_names[j->fault], n - 1, j->seed, about);
	if (rc < 0)
		snprintf(why, sizeof why, "number %lu: %s", n, e.msg);
	tap_result(name, rc < 0 ? why : NULL);
}

int main(void)
{
	uint64_t seed = env_number("DRYDOCK_TORTURE_SEED", 1);
	unsigned ncases = (unsigned)env_number("DRYDOCK_TORTURE_OPS", 600) / 100;

	for (unsigned i = 0; i < ncases; i++, seed++) {
		struct rng r = { seed };
		struct model start = { NULL, 0 };
		struct job j = { .seed = seed, .start = &start };
		char about[300];
		struct err e = ERR_INIT;
		uint8_t *bytes = NULL;

		if (qcow2_start(&r, &bytes, &j.len, &start, &j.snapshot, &j.cluster_size, about, sizeof about, &e) < 0) {
			tap_result("an image to start from", e.msg);
		} else {
			j.bytes = bytes;
			for (j.fault = FAIL_READ; j.fault <= FAIL_ALLOC; j.fault++)
				run_job(&j, about);
			qcow2_spoil(&r, bytes, j.len, j.cluster_size);
			j.repair = true;
			for (j.fault = FAIL_READ; j.fault <= FAIL_ALLOC; j.fault++)
				run_job(&j, about);
		}
		free(bytes);
		free(start.bytes);
	}
	torture_folder_remove();
	return tap_done();
}
