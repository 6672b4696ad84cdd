// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * qcow2_amend.c - the settings of an image that can change while its content stays.
 *
 * Each step is complete on disk before the next begins, and comes into force by one write of the header's first sector;
 * so a crash leaves an image with some of the changes made.
 */
#include "qcow2.h"

#include <inttypes.h>

const struct create_opt qcow2_amend_opts[] = {
	{ "backing_file", "File name of a base image", CREATE_OPT_STRING, NULL },
	{ "backing_fmt", "Image format of the base image", CREATE_OPT_STRING, NULL },
	{ "compat", "Compatibility level (v2 [0.10] or v3 [1.1])", CREATE_OPT_STRING, NULL },
	{ "data_file", "File name of an external data file", CREATE_OPT_STRING, NULL },
	{ "data_file_raw", "The external data file must stay valid as a raw image", CREATE_OPT_BOOL, NULL },
	{ "encrypt.iter-time", "Time to spend in PBKDF in milliseconds", CREATE_OPT_NUMBER, NULL },
	{ "encrypt.keyslot", "Select a single keyslot to modify explicitly", CREATE_OPT_NUMBER, NULL },
	{ "encrypt.new-secret", "New secret to set in the matching keyslots. Empty string to erase", CREATE_OPT_STRING,
	  NULL },
	{ "encrypt.old-secret", "Select all keyslots that match this password", CREATE_OPT_STRING, NULL },
	{ "encrypt.state", "Select new state of affected keyslots (active/inactive)", CREATE_OPT_STRING, NULL },
	{ "lazy_refcounts", "Postpone refcount updates", CREATE_OPT_BOOL, NULL },
	{ "refcount_bits", "Width of a reference count entry in bits", CREATE_OPT_NUMBER, NULL },
	{ "size", "Virtual disk size", CREATE_OPT_SIZE, NULL },
	{ NULL, NULL, CREATE_OPT_STRING, NULL },
};

/* What was asked for; what was not is as the image has it. */
struct wish {
	unsigned version;
	uint64_t size, refcount_bits;
	bool lazy, data_file_raw;
	char *backing, *backing_fmt, *data_file; /* NULL: not asked for */
	struct dict encrypt;
};

static void wish_free(struct wish *w)
{
	free(w->backing);
	free(w->backing_fmt);
	free(w->data_file);
	dict_free(&w->encrypt);
}

/* ---- judging ---- */

static int take_compat(struct dict *opts, struct wish *w, struct err *e)
{
	CLEANUP(free_ptr) char *v = dict_take(opts, "compat");

	if (!v || !*v)
		return 0;
	if (strcmp(v, "0.10") == 0 || strcmp(v, "v2") == 0)
		w->version = 2;
	else if (strcmp(v, "1.1") == 0 || strcmp(v, "v3") == 0)
		w->version = 3;
	else
		return err_set(e, ERR_USAGE, "unknown compatibility level %s", v);
	return 0;
}

static bool same(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

static int judge_downgrade(const struct block *b, const struct wish *w, struct err *e)
{
	const struct qcow2_state *s = b->state;
	uint64_t known = QCOW2_INCOMPAT_DIRTY;

	if (w->version >= s->version)
		return 0;
	if (w->refcount_bits != 16)
		return err_set(e, ERR_USAGE, "compat=0.10 requires refcount_bits=16");
	if (s->data_file)
		return err_set(e, ERR_UNSUPPORTED, "cannot downgrade an image with a data file");
	if (s->nsnapshots)
		return err_set(e, ERR_UNSUPPORTED, "internal snapshots prevent downgrade of image");
	if (s->incompat & ~known)
		return err_set(e, ERR_UNSUPPORTED, "cannot downgrade an image with incompatible features 0x%" PRIx64 " set",
			       s->incompat & ~known);
	return 0;
}

static int judge(const struct block *b, const struct wish *w, struct err *e)
{
	const struct qcow2_state *s = b->state;

	if (!is_pow2(w->refcount_bits) || w->refcount_bits > 64)
		return err_set(e, ERR_USAGE, "refcount width must be a power of two and may not exceed 64 bits");
	if (w->version < 3 && w->refcount_bits != 16 && w->refcount_bits != 1ULL << s->refcount_order)
		return err_set(e, ERR_USAGE, "refcount widths other than 16 bits require compatibility level 1.1 or above "
			       "(use compat=1.1 or greater)");
	if (w->version < 3 && w->lazy)
		return err_set(e, ERR_USAGE, "lazy refcounts only supported with compatibility level 1.1 and above "
			       "(use compat=1.1 or greater)");
	if (w->data_file && !s->data_file)
		return err_set(e, ERR_USAGE, "data-file can only be set for images that use an external data file");
	if (w->data_file_raw && !s->data_file_raw)
		return err_set(e, ERR_USAGE, "data-file-raw cannot be set on existing images");
	if ((w->backing && !same(w->backing, b->backing_name)) ||
	    (w->backing_fmt && !same(w->backing_fmt, b->backing_format)))
		return err_set(e, ERR_USAGE, "cannot amend the backing file");
	return judge_downgrade(b, w, e);
}

static int take_wish(struct block *b, struct dict *opts, struct wish *w, struct err *e)
{
	const struct qcow2_state *s = b->state;
	bool lazy = s->compat & QCOW2_COMPAT_LAZY, asked = dict_get(opts, "lazy_refcounts") != NULL;
	int rc;

	*w = (struct wish){ .version = s->version, .size = UINT64_MAX, .refcount_bits = 1ULL << s->refcount_order,
			    .lazy = lazy, .data_file_raw = s->data_file_raw };
	if ((rc = take_compat(opts, w, e)) < 0 || (rc = dict_take_size(opts, "size", &w->size, e)) < 0 ||
	    (rc = dict_take_size(opts, "refcount_bits", &w->refcount_bits, e)) < 0 ||
	    (rc = dict_take_bool(opts, "lazy_refcounts", &w->lazy, e)) < 0 ||
	    (rc = dict_take_bool(opts, "data_file_raw", &w->data_file_raw, e)) < 0 ||
	    (rc = dict_take_sub(opts, "encrypt", &w->encrypt, e)) < 0)
		return rc;
	/* The old version has no such thing to keep. */
	if (!asked && w->version < 3)
		w->lazy = false;
	w->backing = dict_take(opts, "backing_file");
	w->backing_fmt = dict_take(opts, "backing_fmt");
	w->data_file = dict_take(opts, "data_file");
	if (dict_first_key(opts))
		return err_set(e, ERR_USAGE, "invalid parameter '%s'", dict_first_key(opts));
	return judge(b, w, e);
}

/* ---- progress ---- */

static void tell(const struct block_amend_how *how, uint64_t done, uint64_t total)
{
	if (how->progress)
		how->progress(how->arg, done, total);
}

/* ---- versions ---- */

static int upgrade(struct block *b, struct err *e)
{
	struct qcow2_state *s = b->state;
	int rc;

	s->version = 3;
	s->incompat = s->compat = s->autoclear = 0;
	rc = qcow2_header_edit(b, NULL, 0, e);
	if (rc < 0)
		s->version = 2;
	return rc;
}

/* Version 2 knows no clusters that read as zeros: they become zeros that are stored, or nothing over nothing. */
static int expand_zeros(struct block *b, const struct block_amend_how *how, struct err *e)
{
	struct qcow2_state *s = b->state;
	bool bare = !b->backing && !b->backing_name;
	CLEANUP(free_ptr) uint8_t *zeros = alloc_zero(s->cluster_size);
	/* VM states lie behind the disk. */
	uint64_t off = 0, end = MAX_OF((uint64_t)s->l1_size << (s->cluster_bits + s->l2_bits), b->size);
	int rc = zeros ? 0 : err_nomem(e);

	end = MIN_OF(end, LIMIT_IMAGE_SIZE);
	while (rc == 0 && off < end) {
		struct qcow2_run run;

		pthread_mutex_lock(&s->lock);
		rc = qcow2_map(b, off, end - off, &run, e);
		if (rc == 0 && run.kind == QCOW2_KIND_ZERO && bare)
			rc = qcow2_drop(b, off, run.len, e);
		pthread_mutex_unlock(&s->lock);
		for (uint64_t at = off; rc == 0 && run.kind == QCOW2_KIND_ZERO && !bare && at < off + run.len;
		     at += s->cluster_size) {
			rc = qcow2_pwrite(b, zeros, s->cluster_size, at, e);
			tell(how, at, end);
		}
		off += rc == 0 ? run.len : 0;
		tell(how, off, end);
	}
	return rc;
}

static int remove_bitmaps(struct block *b, struct err *e)
{
	struct block_bitmaps list;
	int rc = qcow2_bitmaps(b, &list, NULL);

	/* Where they cannot be read they are forgotten with their extension, and leak. */
	if (rc < 0)
		return 0;
	for (size_t i = 0; rc == 0 && i < list.n; i++)
		rc = qcow2_bitmap_remove(b, list.items[i].name, e);
	block_bitmaps_free(&list);
	return rc;
}

static int downgrade(struct block *b, const struct block_amend_how *how, struct err *e)
{
	struct qcow2_state *s = b->state;
	struct qcow2_ext_edit edits[] = { { .type = QCOW2_EXT_BITMAPS } };
	uint64_t incompat, compat, autoclear;
	bool lazy = s->lazy_refcounts;
	int rc = remove_bitmaps(b, e);

	if (rc == 0)
		rc = expand_zeros(b, how, e);
	s->lazy_refcounts = false;
	/* All counts are on disk, and nothing is dirty any more. */
	if (rc == 0)
		rc = block_finish(b, e);
	if (rc == 0 && s->needs_recount)
		rc = err_set(e, ERR_CORRUPT, "the image must be repaired first");
	pthread_mutex_lock(&s->lock);
	incompat = s->incompat;
	compat = s->compat;
	autoclear = s->autoclear;
	if (rc == 0) {
		s->version = 2;
		s->incompat = s->compat = s->autoclear = 0;
		rc = qcow2_header_edit(b, edits, ARRAY_LEN(edits), e);
		if (rc < 0) {
			s->version = 3;
			s->incompat = incompat;
			s->compat = compat;
			s->autoclear = autoclear;
		}
	}
	if (rc < 0)
		s->lazy_refcounts = lazy;
	pthread_mutex_unlock(&s->lock);
	return rc;
}

/* ---- flags and names ---- */

static int set_lazy(struct block *b, bool on, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t compat = s->compat;
	int rc = 0;

	s->lazy_refcounts = on;
	/* Late counts are written before nobody expects them any more. */
	if (!on)
		rc = block_finish(b, e);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&s->lock);
	s->compat = on ? compat | QCOW2_COMPAT_LAZY : compat & ~(uint64_t)QCOW2_COMPAT_LAZY;
	rc = qcow2_header_write(b, e);
	if (rc == 0)
		rc = block_flush(b->file, e);
	if (rc < 0)
		s->compat = compat;
	pthread_mutex_unlock(&s->lock);
	return rc;
}

static int set_data_file(struct block *b, const struct wish *w, struct err *e)
{
	struct qcow2_state *s = b->state;
	bool has = w->data_file && *w->data_file;
	struct qcow2_ext_edit edit = { .type = QCOW2_EXT_DATA_FILE, .data = has ? w->data_file : NULL };
	bool raw = s->data_file_raw;
	char *name = NULL;
	int rc;

	edit.len = has ? strlen(w->data_file) : 0;
	if (has && !(name = alloc_strdup(w->data_file)))
		return err_nomem(e);
	pthread_mutex_lock(&s->lock);
	if (!w->data_file_raw) {
		s->data_file_raw = false;
		s->autoclear &= ~(uint64_t)QCOW2_AUTOCLEAR_DATA_FILE_RAW;
	}
	rc = qcow2_header_edit(b, &edit, w->data_file ? 1 : 0, e);
	if (rc == 0 && w->data_file) {
		free(s->data_file_name);
		s->data_file_name = take(name);
	} else if (rc < 0 && raw) {
		s->data_file_raw = true;
		s->autoclear |= QCOW2_AUTOCLEAR_DATA_FILE_RAW;
	}
	pthread_mutex_unlock(&s->lock);
	free(name);
	return rc;
}

/* ---- all of it ---- */

int qcow2_amend(struct block *b, struct dict *opts, const struct block_amend_how *how, struct err *e)
{
	struct qcow2_state *s = b->state;
	CLEANUP(wish_free) struct wish w = { .version = 0 };
	bool lazy = s->compat & QCOW2_COMPAT_LAZY;
	int rc;

	pthread_mutex_lock(&s->lock);
	rc = qcow2_begin_write(b, e);
	if (rc == 0)
		rc = qcow2_load_snapshots(b, e);
	pthread_mutex_unlock(&s->lock);
	if (rc == 0)
		rc = take_wish(b, opts, &w, e);
	if (rc == 0 && w.encrypt.n)
		rc = qcow2_crypt_amend(b, &w.encrypt, how, e);
	if (rc == 0 && w.version > s->version)
		rc = upgrade(b, e);
	if (rc == 0 && w.refcount_bits != 1ULL << s->refcount_order)
		rc = qcow2_change_refcounts(b, log2_of(w.refcount_bits), how, e);
	if (rc == 0 && (w.data_file || w.data_file_raw != s->data_file_raw))
		rc = set_data_file(b, &w, e);
	if (rc == 0 && w.lazy != lazy && s->version >= 3)
		rc = set_lazy(b, w.lazy, e);
	if (rc == 0 && w.size != UINT64_MAX && round_up(w.size, 512) != b->size)
		rc = w.size > LIMIT_IMAGE_SIZE - 512 ? err_set(e, ERR_LIMIT, "a disk of %" PRIu64 " bytes", w.size)
						     : block_truncate(b, round_up(w.size, 512), PREALLOC_OFF, e);
	if (rc == 0 && w.version < s->version)
		rc = downgrade(b, how, e);
	if (rc == 0)
		tell(how, 1, 1);
	return rc;
}
