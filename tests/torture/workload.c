/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "workload.h"

#include "ondisk.h"

#include <inttypes.h>
#include <unistd.h>

int workload_init(struct workload *w, uint64_t seed, const struct model *start, uint64_t max_size, struct err *e)
{
	*w = (struct workload){ .rng = { seed }, .max_size = max_size };
	w->known = calloc(max_size, 1);
	if (!w->known || model_resize(&w->model, start->size) < 0)
		return err_nomem(e);
	memcpy(w->model.bytes, start->bytes, start->size);
	return 0;
}

void workload_free(struct workload *w)
{
	free(w->model.bytes);
	free(w->known);
}

void workload_settle(struct workload *w)
{
	for (uint64_t i = 0; i < w->max_size; i++)
		w->known[i] &= (uint8_t)~BYTE_TOUCHED;
}

static void mark(struct workload *w, uint64_t off, uint64_t len, bool known)
{
	memset(w->known + off, known ? BYTE_TOUCHED : BYTE_TOUCHED | BYTE_UNKNOWN, len);
}

static int step_write(struct workload *w, uint64_t off, uint64_t len, struct err *e)
{
	int rc;

	snprintf(w->last, sizeof w->last, "write %" PRIu64 " at %" PRIu64, len, off);
	rng_fill(&w->rng, w->model.bytes + off, len);
	rc = block_pwrite(w->b, w->model.bytes + off, len, off, e);
	mark(w, off, len, rc == 0);
	return rc;
}

static int step_zero(struct workload *w, uint64_t off, uint64_t len, struct err *e)
{
	unsigned how = rng_one_in(&w->rng, 2) ? BLOCK_ZERO_UNMAP : BLOCK_ZERO_KEEP;
	int rc;

	snprintf(w->last, sizeof w->last, "zero %" PRIu64 " at %" PRIu64, len, off);
	memset(w->model.bytes + off, 0, len);
	rc = block_zero(w->b, len, off, how, e);
	mark(w, off, len, rc == 0);
	return rc;
}

static int step_discard(struct workload *w, uint64_t off, uint64_t len, struct err *e)
{
	int rc;

	snprintf(w->last, sizeof w->last, "discard %" PRIu64 " at %" PRIu64, len, off);
	rc = block_discard(w->b, len, off, e);
	mark(w, off, len, false);
	return rc;
}

static int step_compressed(struct workload *w, uint64_t off, struct err *e)
{
	uint64_t len;
	int rc;

	off = round_down(off, w->cluster_size);
	len = MIN_OF(w->cluster_size, w->model.size - off);
	snprintf(w->last, sizeof w->last, "compressed %" PRIu64 " at %" PRIu64, len, off);
	rng_fill(&w->rng, w->model.bytes + off, len);
	rc = block_pwrite_compressed(w->b, w->model.bytes + off, len, off, e);
	mark(w, off, len, rc == 0);
	return rc;
}

static int step_resize(struct workload *w, struct err *e)
{
	uint64_t size = 512 * (1 + rng_below(&w->rng, w->max_size / 512)), asked = size, old = w->model.size;
	int rc;

	snprintf(w->last, sizeof w->last, "resize %" PRIu64 " to %" PRIu64, old, size);
	rc = block_truncate(w->b, size, PREALLOC_OFF, e);
	if (rc < 0)
		size = block_size(w->b);
	if (model_resize(&w->model, size) < 0)
		return err_nomem(e);
	/* What was to be cut off may be gone although the rest failed. */
	if (asked != old)
		mark(w, MIN_OF(old, asked), MAX_OF(old, asked) - MIN_OF(old, asked), rc == 0);
	return rc;
}

int workload_step(struct workload *w, struct err *e)
{
	uint64_t off, len;

	rng_range(&w->rng, w->model.size, &off, &len);
	switch (rng_below(&w->rng, 16)) {
	case 0:
	case 1:
	case 2:
		return step_zero(w, off, len, e);
	case 3:
	case 4:
		return step_discard(w, off, len, e);
	case 5:
	case 6:
	case 7:
		return w->may_compress ? step_compressed(w, off, e) : step_write(w, off, len, e);
	case 8:
		return w->may_resize ? step_resize(w, e) : step_write(w, off, len, e);
	default:
		return step_write(w, off, len, e);
	}
}

int workload_compare(const struct model *want, const uint8_t *known, unsigned except, struct block *b, struct err *e)
{
	uint64_t size = MIN_OF(want->size, block_size(b));
	uint8_t *buf = malloc(size ? size : 1);
	int rc = buf ? block_pread(b, buf, size, 0, e) : err_nomem(e);

	for (uint64_t i = 0; rc == 0 && i < size; i++)
		if (buf[i] != want->bytes[i] && !(known[i] & except))
			rc = err_set(e, ERR_CORRUPT, "byte %" PRIu64 " reads as %02x, not %02x", i, buf[i],
				     want->bytes[i]);
	free(buf);
	return rc;
}

/* ---- images to start from ---- */

static void opt(struct dict *opts, char *about, size_t size, const char *key, const char *fmt, uint64_t value)
{
	char text[32];
	size_t used = strlen(about);

	/* fmt is one of our own: a number or a word. */
	if (fmt)
		snprintf(text, sizeof text, "%s", fmt);
	else
		snprintf(text, sizeof text, "%" PRIu64, value);
	dict_set(opts, key, text, NULL);
	snprintf(about + used, size - used, " %s=%s", key, text);
}

int qcow2_start(struct rng *r, uint8_t **bytes, size_t *len, struct model *start, bool *snapshot, uint64_t *cluster_size,
		char *about, size_t about_size, struct err *e)
{
	static const unsigned widths[] = { 1, 2, 8, 16, 16, 16, 64 };
	struct block_open how = { .format = "qcow2", .flags = BLOCK_WRITE | BLOCK_RESIZE };
	uint64_t size = 512 * (128 + rng_below(r, 512)), bits = 9 + rng_below(r, 8), width;
	CLEANUP(free_ptr) char *path = torture_path("start.qcow2");
	CLEANUP(block_unrefp) struct block *b = NULL;
	CLEANUP(dict_free) struct dict opts = DICT_INIT;
	struct workload w;
	int rc;

	about[0] = 0;
	width = widths[rng_below(r, ARRAY_LEN(widths))];
	if (rng_one_in(r, 4)) {
		bits = MAX_OF(bits, 14u);
		opt(&opts, about, about_size, "extended_l2", "on", 0);
	}
	if (rng_one_in(r, 4))
		opt(&opts, about, about_size, "lazy_refcounts", "on", 0);
	opt(&opts, about, about_size, "cluster_size", NULL, *cluster_size = 1ULL << bits);
	opt(&opts, about, about_size, "refcount_bits", NULL, width);
	opt(&opts, about, about_size, "size", NULL, size);
	unlink(path);
	if (model_resize(start, size) < 0)
		return err_nomem(e);
	rc = workload_init(&w, rng_next(r), start, size, e);
	if (rc == 0)
		rc = block_create(path, "qcow2", &opts, NULL, e);
	if (rc == 0)
		rc = block_open(path, &how, &b, e);
	w.b = b;
	w.cluster_size = *cluster_size;
	w.may_compress = true;
	for (int i = 0; rc == 0 && i < 10; i++)
		rc = workload_step(&w, e);
	if (rc == 0) /* discarded bytes are what they are */
		rc = block_pread(b, start->bytes, size, 0, e);
	if (rc == 0)
		rc = block_finish(b, e);
	block_unrefp(&b);
	*snapshot = rc == 0 && width > 2 && have_qemu_img() && rng_one_in(r, 2);
	if (*snapshot && qemu_img("snapshot", "-c", "s", path, NULL) != 0)
		rc = err_set(e, ERR_CORRUPT, "the peer makes no snapshot");
	if (*snapshot)
		snprintf(about + strlen(about), about_size - strlen(about), " snapshot");
	if (rc == 0 && read_file(path, bytes, len) < 0)
		rc = err_nomem(e);
	workload_free(&w);
	return rc;
}

/* ---- repairs ---- */

int copy_of(struct block *file, struct block **out, struct err *e)
{
	size_t len = block_size(file);
	CLEANUP(free_ptr) uint8_t *bytes = malloc(len ? len : 1);
	int rc = bytes ? block_pread(file, bytes, len, 0, e) : err_nomem(e);

	return rc < 0 ? rc : memory_file(bytes, len, out, e);
}

void qcow2_spoil(struct rng *r, uint8_t *bytes, size_t len, uint64_t cluster_size)
{
	const be64 *l1_off = (const be64 *)(bytes + 40), *table_off = (const be64 *)(bytes + 48);
	uint64_t table = be64_get(*table_off), block = be64_get(*(const be64 *)(bytes + table)), n;
	be64 bad;

	switch (rng_below(r, 3)) {
	case 0: /* some wrong refcounts */
		for (n = 1 + rng_below(r, 20); n; n--) {
			uint64_t at = block + rng_below(r, MIN_OF(cluster_size, (uint64_t)64));

			if (at < len)
				bytes[at] ^= (uint8_t)(1 + rng_below(r, 255));
		}
		break;
	case 1: /* a table entry that cannot be */
		be64_put(&bad, block + 512);
		memcpy(bytes + table, &bad, sizeof bad);
		break;
	default: /* a refcount block in the middle of the L1 table */
		bad = *l1_off;
		memcpy(bytes + table, &bad, sizeof bad);
	}
}

int qcow2_mends(struct block *file, const struct model *start, struct err *e)
{
	CLEANUP(block_unrefp) struct block *copy = NULL;
	CLEANUP(block_unrefp) struct block *b = NULL;
	int rc = copy_of(file, &copy, e);

	if (rc == 0)
		rc = qcow2_over(copy, BLOCK_CHECK | BLOCK_WRITE | BLOCK_RESIZE, NULL, &b, e);
	if (rc == 0)
		rc = model_compare(start, b, 0, start->size, e);
	if (rc == 0)
		rc = check_image(b, CHECK_FIX_LEAKS | CHECK_FIX_ERRORS, e);
	block_unrefp(&b);
	if (rc == 0)
		rc = qcow2_over(copy, BLOCK_CHECK, NULL, &b, e);
	if (rc == 0)
		rc = check_image(b, 0, e);
	if (rc == 0)
		rc = model_compare(start, b, 0, start->size, e);
	return rc == 1 ? -(int)ERR_CORRUPT : rc;
}
