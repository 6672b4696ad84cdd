/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2_model_torture.c - random operations on qcow2 images of random geometry, beside a model in plain memory: at
 * every moment the image must read as the model, and at the end our check and the peer's must find nothing.
 */
#include "torture.h"

#include <inttypes.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_SIZE (4 * MiB)
#define MAX_SNAPSHOTS 3

/* One image and what it must be. */
struct disk {
	struct rng rng;
	char *path, *backing_path;
	char about[400];	/* the geometry, for people */
	uint64_t cluster_size;
	bool data_file, has_backing, v2;
	struct block *b;
	struct model model, backing;
	struct model snapshots[MAX_SNAPSHOTS];
	unsigned nsnapshots;
	unsigned op;
	char last[200]; /* the operation under way, for people */
};

/* ---- making one ---- */

static const char *pick(struct rng *r, const char *const *of, size_t n)
{
	return of[rng_below(r, n)];
}

static void opt(struct dict *opts, struct disk *d, const char *key, const char *value)
{
	size_t used = strlen(d->about);

	dict_set(opts, key, value, NULL);
	/* Paths are long and tell nothing. */
	snprintf(d->about + used, sizeof d->about - used, " %s=%s", key, strrchr(value, '/') ? "yes" : value);
}

static void opt_number(struct dict *opts, struct disk *d, const char *key, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof text, "%" PRIu64, value);
	opt(opts, d, key, text);
}

/* A backing file, raw or qcow2, full of data with holes, shorter or longer than the disk. */
static int make_backing(struct disk *d, struct dict *opts, uint64_t size, struct err *e)
{
	const char *format = rng_one_in(&d->rng, 2) ? "raw" : "qcow2";
	struct block_open how = { .format = format, .flags = BLOCK_WRITE };
	CLEANUP(block_unrefp) struct block *b = NULL;
	CLEANUP(dict_free) struct dict o = DICT_INIT;
	char text[32];
	int rc;

	size = round_up(1 + rng_below(&d->rng, size + size / 2), 512);
	snprintf(text, sizeof text, "%" PRIu64, size);
	dict_set(&o, "size", text, e);
	rc = block_create(d->backing_path, format, &o, NULL, e);
	if (rc == 0)
		rc = block_open(d->backing_path, &how, &b, e);
	if (rc == 0 && model_resize(&d->backing, size) < 0)
		rc = err_nomem(e);
	for (int i = 0; rc == 0 && i < 12; i++) {
		uint64_t off, len;

		rng_range(&d->rng, size, &off, &len);
		rng_fill(&d->rng, d->backing.bytes + off, len);
		rc = block_pwrite(b, d->backing.bytes + off, len, off, e);
	}
	if (rc == 0)
		rc = block_finish(b, e);
	if (rc < 0)
		return err_in(e, rc, "backing file");
	d->has_backing = true;
	opt(opts, d, "backing_file", d->backing_path);
	opt(opts, d, "backing_fmt", format);
	memcpy(d->model.bytes, d->backing.bytes, MIN_OF(size, d->model.size));
	return 0;
}

static int make_disk(struct disk *d, struct err *e)
{
	static const char *const widths[] = { "1", "2", "4", "8", "16", "16", "16", "32", "64" };
	static const char *const compressions[] = { "zlib", "zstd" };
	CLEANUP(dict_free) struct dict opts = DICT_INIT;
	unsigned bits = 9 + (unsigned)rng_below(&d->rng, rng_one_in(&d->rng, 6) ? 13 : 8);
	uint64_t size = 512 * (1 + rng_below(&d->rng, MAX_SIZE / 2 / 512));
	CLEANUP(free_ptr) char *data_path = torture_path("data.raw");
	int rc = 0;

	d->v2 = rng_one_in(&d->rng, 5);
	if (!d->v2 && rng_one_in(&d->rng, 4)) {
		bits = MAX_OF(bits, 14u);
		opt(&opts, d, "extended_l2", "on");
	}
	if (!d->v2 && rng_one_in(&d->rng, 6)) {
		opt(&opts, d, "data_file", data_path);
		d->data_file = true;
		if (rng_one_in(&d->rng, 3))
			opt(&opts, d, "data_file_raw", "on");
	}
	if (bits < 12)
		size = MIN_OF(size, 1 * MiB); /* many small clusters take long */
	d->cluster_size = 1ULL << bits;
	opt(&opts, d, "compat", d->v2 ? "0.10" : "1.1");
	opt_number(&opts, d, "cluster_size", d->cluster_size);
	opt_number(&opts, d, "size", size);
	if (!d->v2) {
		opt(&opts, d, "refcount_bits", pick(&d->rng, widths, ARRAY_LEN(widths)));
		opt(&opts, d, "compression_type", pick(&d->rng, compressions, ARRAY_LEN(compressions)));
		if (rng_one_in(&d->rng, 3))
			opt(&opts, d, "lazy_refcounts", "on");
	}
	if (model_resize(&d->model, size) < 0)
		return err_nomem(e);
	if (!dict_get(&opts, "data_file_raw") && rng_one_in(&d->rng, 3))
		rc = make_backing(d, &opts, size, e);
	else if (rng_one_in(&d->rng, 5))
		opt(&opts, d, "preallocation", "metadata");
	return rc < 0 ? rc : err_in(e, block_create(d->path, "qcow2", &opts, NULL, e), "create");
}

static int open_disk(struct disk *d, unsigned flags, struct err *e)
{
	CLEANUP(dict_free) struct dict opts = DICT_INIT;
	struct block_open how = { .format = "qcow2", .flags = flags, .opts = &opts };

	qcow2_random_options(&d->rng, d->v2, &opts);
	return block_open(d->path, &how, &d->b, e);
}

static int close_disk(struct disk *d, struct err *e)
{
	int rc = block_finish(d->b, e);

	block_unrefp(&d->b);
	return rc;
}

/* ---- operations: each does the same to the image and to the model ---- */

static int op_write(struct disk *d, struct err *e)
{
	uint64_t off, len;

	rng_range(&d->rng, d->model.size, &off, &len);
	snprintf(d->last, sizeof d->last, "write %" PRIu64 " at %" PRIu64, len, off);
	if (rng_one_in(&d->rng, 6))
		memset(d->model.bytes + off, 0, len);
	else
		rng_fill(&d->rng, d->model.bytes + off, len);
	return block_pwrite(d->b, d->model.bytes + off, len, off, e);
}

static int op_zero(struct disk *d, struct err *e)
{
	unsigned how = rng_one_in(&d->rng, 2) ? BLOCK_ZERO_UNMAP : BLOCK_ZERO_KEEP;
	uint64_t off, len;

	rng_range(&d->rng, d->model.size, &off, &len);
	snprintf(d->last, sizeof d->last, "zero %" PRIu64 " at %" PRIu64 " how %u", len, off, how);
	memset(d->model.bytes + off, 0, len);
	return block_zero(d->b, len, off, how, e);
}

/* What a discarded byte reads as is not said, but it is the old byte, or zero, or the backing file's. */
static int op_discard(struct disk *d, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *buf = NULL;
	uint64_t off, len;
	int rc;

	rng_range(&d->rng, d->model.size, &off, &len);
	snprintf(d->last, sizeof d->last, "discard %" PRIu64 " at %" PRIu64, len, off);
	rc = block_discard(d->b, len, off, e);
	buf = malloc(len);
	if (rc == 0)
		rc = buf ? block_pread(d->b, buf, len, off, e) : err_nomem(e);
	for (uint64_t i = 0; rc == 0 && i < len; i++) {
		uint8_t under = off + i < d->backing.size ? d->backing.bytes[off + i] : 0;

		if (buf[i] != d->model.bytes[off + i] && buf[i] != 0 && buf[i] != under)
			return err_set(e, ERR_CORRUPT, "discarded byte %" PRIu64 " reads as %02x", off + i, buf[i]);
		d->model.bytes[off + i] = buf[i];
	}
	return rc;
}

static int op_compressed(struct disk *d, struct err *e)
{
	uint64_t off = round_down(rng_below(&d->rng, d->model.size), d->cluster_size);
	uint64_t len = MIN_OF(d->cluster_size, d->model.size - off);
	CLEANUP(free_ptr) uint8_t *buf = malloc(len);
	int rc;

	if (!buf)
		return err_nomem(e);
	snprintf(d->last, sizeof d->last, "compressed %" PRIu64 " at %" PRIu64, len, off);
	rng_fill(&d->rng, buf, len);
	rc = block_pwrite_compressed(d->b, buf, len, off, e);
	if (rc < 0 && d->data_file && e->code == ERR_UNSUPPORTED) {
		err_clear(e);
		return 0;
	}
	memcpy(d->model.bytes + off, buf, len);
	return rc;
}

static int op_resize(struct disk *d, struct err *e)
{
	uint64_t size = 512 * (1 + rng_below(&d->rng, MIN_OF(MAX_SIZE, 2 * d->model.size) / 512));

	/* The peer shrinks no image that has snapshots, and a version 2 snapshot knows no size; neither do we. */
	if (d->nsnapshots && (d->v2 || size < d->model.size))
		size = d->model.size;
	snprintf(d->last, sizeof d->last, "resize %" PRIu64 " to %" PRIu64, d->model.size, size);
	if (model_resize(&d->model, size) < 0)
		return err_nomem(e);
	return block_truncate(d->b, size, PREALLOC_OFF, e);
}

static int op_read(struct disk *d, struct err *e)
{
	uint64_t off, len;

	rng_range(&d->rng, d->model.size, &off, &len);
	snprintf(d->last, sizeof d->last, "read %" PRIu64 " at %" PRIu64, len, off);
	return model_compare(&d->model, d->b, off, len, e);
}

static int extent_agrees(struct disk *d, const struct extent *x, struct err *e)
{
	const uint8_t *want = d->model.bytes + x->off;
	CLEANUP(free_ptr) uint8_t *buf = malloc(x->len);
	int rc = 0;

	if (!buf)
		return err_nomem(e);
	memset(buf, 0, x->len);
	if ((x->flags & EXTENT_PLAIN) && x->host_off < block_size(x->host))
		rc = block_pread(x->host, buf, MIN_OF(x->len, block_size(x->host) - x->host_off), x->host_off, e);
	else if (!(x->flags & EXTENT_ALLOC) && x->off < d->backing.size)
		memcpy(buf, d->backing.bytes + x->off, MIN_OF(x->len, d->backing.size - x->off));
	else if ((x->flags & EXTENT_ALLOC) && !(x->flags & EXTENT_ZERO))
		return 0;
	if (rc == 0 && memcmp(buf, want, x->len) != 0)
		rc = err_set(e, ERR_CORRUPT, "extent %" PRIu64 " at %" PRIu64 " with flags %x says otherwise", x->len,
			     x->off, x->flags);
	return rc;
}

static int op_extents(struct disk *d, struct err *e)
{
	uint64_t off, len, end;
	struct extent x;
	int rc = 0;

	rng_range(&d->rng, d->model.size, &off, &len);
	snprintf(d->last, sizeof d->last, "extents of %" PRIu64 " at %" PRIu64, len, off);
	/* Plain bytes in a host file are only there once they are written. */
	rc = block_flush(d->b, e);
	for (end = off + len; rc == 0 && off < end; off += x.len) {
		rc = block_extent(d->b, end - off, off, &x, e);
		if (rc == 0)
			rc = extent_agrees(d, &x, e);
	}
	return rc;
}

static int op_flush(struct disk *d, struct err *e)
{
	snprintf(d->last, sizeof d->last, "flush");
	return block_flush(d->b, e);
}

static int op_reopen(struct disk *d, struct err *e)
{
	int rc;

	snprintf(d->last, sizeof d->last, "reopen");
	rc = close_disk(d, e);
	return rc < 0 ? rc : open_disk(d, BLOCK_WRITE | BLOCK_RESIZE, e);
}

static int op_check(struct disk *d, struct err *e)
{
	int rc;

	snprintf(d->last, sizeof d->last, "check");
	rc = check_image(d->b, 0, e);
	return rc == 1 ? -(int)ERR_CORRUPT : rc;
}

/* ---- threads ---- */

struct part {
	struct disk *d;
	struct rng rng;
	uint64_t off, len; /* its own part of the disk */
	int rc;
	struct err err;
};

static void *write_part(void *arg)
{
	struct part *p = arg;
	struct disk *d = p->d;

	for (int i = 0; i < 8 && p->rc == 0; i++) {
		uint64_t off, len;

		rng_range(&p->rng, p->len, &off, &len);
		off += p->off;
		switch (rng_below(&p->rng, 4)) {
		case 0:
			memset(d->model.bytes + off, 0, len);
			p->rc = block_zero(d->b, len, off, BLOCK_ZERO_UNMAP, &p->err);
			break;
		case 1:
			p->rc = model_compare(&d->model, d->b, off, len, &p->err);
			break;
		default:
			rng_fill(&p->rng, d->model.bytes + off, len);
			p->rc = block_pwrite(d->b, d->model.bytes + off, len, off, &p->err);
		}
	}
	return NULL;
}

/* Three threads, each in its own part of the disk; the parts meet within clusters. */
static int op_threads(struct disk *d, struct err *e)
{
	struct part parts[3];
	pthread_t threads[3];
	uint64_t each = d->model.size / 3;
	int rc = 0;

	snprintf(d->last, sizeof d->last, "three threads");
	if (!each)
		return 0;
	for (int i = 0; i < 3; i++) {
		parts[i] = (struct part){ .d = d, .rng = { rng_next(&d->rng) }, .off = each * (uint64_t)i, .len = each };
		if (pthread_create(&threads[i], NULL, write_part, &parts[i]) != 0)
			return err_set(e, ERR_SYSTEM, "no thread");
	}
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], NULL);
		if (parts[i].rc < 0 && rc == 0) {
			rc = parts[i].rc;
			*e = parts[i].err;
		}
	}
	return rc < 0 ? rc : model_compare(&d->model, d->b, 0, d->model.size, e);
}

/* ---- snapshots, which the peer makes ---- */

static int op_snapshot(struct disk *d, struct err *e)
{
	struct model *s = &d->snapshots[d->nsnapshots];
	char name[16];
	int rc;

	if (!have_qemu_img() || d->data_file || d->nsnapshots == MAX_SNAPSHOTS)
		return op_reopen(d, e);
	/* With 1-bit refcounts nothing can be shared. */
	if (strstr(d->about, "refcount_bits=1 ") || strstr(d->about, "refcount_bits=2"))
		return 0;
	snprintf(d->last, sizeof d->last, "snapshot");
	rc = close_disk(d, e);
	if (rc < 0)
		return rc;
	snprintf(name, sizeof name, "snap%u", d->nsnapshots);
	if (qemu_img("snapshot", "-c", name, d->path, NULL) != 0)
		return err_set(e, ERR_CORRUPT, "the peer makes no snapshot");
	if (model_resize(s, d->model.size) < 0)
		return err_nomem(e);
	memcpy(s->bytes, d->model.bytes, s->size);
	d->nsnapshots++;
	return open_disk(d, BLOCK_WRITE | BLOCK_RESIZE, e);
}

static int compare_snapshots(struct disk *d, struct err *e)
{
	for (unsigned i = 0; i < d->nsnapshots; i++) {
		char name[16];
		int rc;

		snprintf(name, sizeof name, "snap%u", i);
		rc = open_disk(d, 0, e);
		if (rc == 0)
			rc = block_snapshot_load(d->b, name, e);
		if (rc == 0 && block_size(d->b) != d->snapshots[i].size)
			rc = err_set(e, ERR_CORRUPT, "its size is %" PRIu64 ", not %" PRIu64, block_size(d->b),
				     d->snapshots[i].size);
		if (rc == 0)
			rc = model_compare(&d->snapshots[i], d->b, 0, d->snapshots[i].size, e);
		block_unrefp(&d->b);
		if (rc < 0)
			return err_in(e, rc, "%s", name);
	}
	return 0;
}

/* ---- a case ---- */

static const struct {
	int (*run)(struct disk *d, struct err *e);
	unsigned weight;
} ops[] = {
	{ op_write, 40 }, { op_zero, 12 },  { op_discard, 10 }, { op_compressed, 10 }, { op_resize, 3 },   { op_read, 12 },
	{ op_extents, 8 }, { op_flush, 3 }, { op_reopen, 4 },	{ op_check, 2 },       { op_threads, 2 }, { op_snapshot, 1 },
};

static int random_op(struct disk *d, struct err *e)
{
	unsigned total = 0, at;

	for (size_t i = 0; i < ARRAY_LEN(ops); i++)
		total += ops[i].weight;
	at = (unsigned)rng_below(&d->rng, total);
	for (size_t i = 0;; i++) {
		if (at < ops[i].weight)
			return ops[i].run(d, e);
		at -= ops[i].weight;
	}
}

/* What the peer says of the image; the model goes into a file for it. */
static int ask_peer(struct disk *d, struct err *e)
{
	CLEANUP(free_ptr) char *raw = torture_path("model.raw");
	FILE *f;
	int rc;

	if (!have_qemu_img())
		return 0;
	rc = compare_checks(d->path, NULL, e);
	if (rc < 0)
		return rc;
	f = fopen(raw, "wb");
	if (!f || fwrite(d->model.bytes, 1, d->model.size, f) != d->model.size || fclose(f) != 0)
		return err_set(e, ERR_SYSTEM, "%s: cannot be written", raw);
	rc = qemu_img("compare", "-q", "-f", "qcow2", "-F", "raw", d->path, raw, NULL);
	return rc ? err_set(e, ERR_CORRUPT, "qemu-img compare finds a difference") : 0;
}

/*
 * The file as it is while the image is open and in use, as a crash would leave it: it may leak, in the peer's eyes as in
 * ours, and giving back what leaks makes it clean.
 */
static int check_crashed(struct disk *d, struct err *e)
{
	struct block_open how = { .format = "qcow2", .flags = BLOCK_CHECK | BLOCK_NO_BACKING | BLOCK_WRITE | BLOCK_RESIZE };
	CLEANUP(free_ptr) char *path = torture_path("crashed.qcow2");
	CLEANUP(block_unrefp) struct block *b = NULL;
	struct check_report r;
	uint8_t *bytes = NULL;
	size_t len;
	FILE *f;
	bool ok;
	int rc;

	/* With lazy refcounts they may be too low as well, and a data file is shared with the image. */
	if (d->data_file || strstr(d->about, "lazy_refcounts"))
		return 0;
	ok = read_file(d->path, &bytes, &len) == 0;
	f = ok ? fopen(path, "wb") : NULL;
	ok = f && fwrite(bytes, 1, len, f) == len && fclose(f) == 0;
	free(bytes);
	if (!ok)
		return err_set(e, ERR_SYSTEM, "%s: cannot be copied", d->path);
	rc = compare_checks(path, &r, e);
	if (rc == 0 && (r.corruptions || r.check_errors))
		rc = err_set(e, ERR_CORRUPT, "%" PRIu64 " corruptions", r.corruptions);
	if (rc == 0)
		rc = block_open(path, &how, &b, e);
	if (rc == 0)
		rc = check_image(b, CHECK_FIX_LEAKS, e);
	block_unrefp(&b);
	if (rc == 0)
		rc = compare_checks(path, &r, e);
	if (rc == 0 && (r.leaks || r.corruptions))
		rc = err_set(e, ERR_CORRUPT, "%" PRIu64 " leaks are left", r.leaks);
	return rc < 0 ? err_in(e, rc, "after a crash") : rc;
}

static int finish_case(struct disk *d, struct err *e)
{
	int rc;

	snprintf(d->last, sizeof d->last, "the end");
	rc = model_compare(&d->model, d->b, 0, d->model.size, e);
	if (rc == 0)
		rc = check_crashed(d, e);
	if (rc == 0)
		rc = close_disk(d, e);
	if (rc == 0)
		rc = open_disk(d, BLOCK_CHECK, e);
	if (rc == 0)
		rc = op_check(d, e);
	block_unrefp(&d->b);
	if (rc == 0)
		rc = compare_snapshots(d, e);
	return rc < 0 ? rc : ask_peer(d, e);
}

static void run_case(uint64_t seed, unsigned nops)
{
	CLEANUP(free_ptr) char *data_path = torture_path("data.raw");
	struct disk d = { .rng = { seed }, .path = torture_path("image.qcow2"), .backing_path = torture_path("backing") };
	struct err e = ERR_INIT;
	char name[500], why[1500];
	int rc;

	unlink(d.path);
	unlink(d.backing_path);
	unlink(data_path);
	rc = make_disk(&d, &e);
	snprintf(name, sizeof name, "seed %" PRIu64 ":%s", seed, d.about);
	if (rc == 0)
		rc = open_disk(&d, BLOCK_WRITE | BLOCK_RESIZE, &e);
	for (d.op = 0; rc == 0 && d.op < nops; d.op++)
		rc = random_op(&d, &e);
	if (rc == 0)
		rc = finish_case(&d, &e);
	if (rc < 0)
		snprintf(why, sizeof why, "operation %u (%s): %s", d.op, d.last, e.msg);
	tap_result(name, rc < 0 ? why : NULL);
	block_unrefp(&d.b);
	for (unsigned i = 0; i < MAX_SNAPSHOTS; i++)
		free(d.snapshots[i].bytes);
	free(d.model.bytes);
	free(d.backing.bytes);
	free(d.path);
	free(d.backing_path);
}

int main(void)
{
	uint64_t seed = env_number("DRYDOCK_TORTURE_SEED", 1);
	unsigned nops = (unsigned)env_number("DRYDOCK_TORTURE_OPS", 3000), per_case = 75;

	/* One case alone, with all operations, when its seed is given. */
	if (getenv("DRYDOCK_TORTURE_SEED"))
		per_case = getenv("DRYDOCK_TORTURE_OPS") ? nops : per_case;
	for (unsigned done = 0; done < nops; done += per_case) {
		run_case(seed++, per_case);
		if (getenv("DRYDOCK_TORTURE_SEED") && !getenv("DRYDOCK_TORTURE_OPS"))
			break;
	}
	torture_folder_remove();
	return tap_done();
}
