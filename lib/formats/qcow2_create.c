// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * qcow2_create.c - new images, and how large they will be.
 *
 * A new image begins as three clusters (header, refcount table, refcount block) with a disk of no size.  That is a
 * valid image, which is then opened here and grown by the same code as any other.
 */
#include "qcow2.h"

#include <inttypes.h>
#include <stdio.h>

const struct create_opt qcow2_create_opts[] = {
	{ "encryption", "Encrypt the image with format 'aes'. (Deprecated in favor of encrypt.format=aes)",
	  CREATE_OPT_BOOL, NULL },
	{ "encrypt.format", "Encrypt the image, format choices: 'aes', 'luks'", CREATE_OPT_STRING, NULL },
	{ "encrypt.key-secret", "ID of secret providing qcow AES key or LUKS passphrase", CREATE_OPT_STRING, NULL },
	{ "encrypt.cipher-alg", "Name of encryption cipher algorithm", CREATE_OPT_STRING, NULL },
	{ "encrypt.cipher-mode", "Name of encryption cipher mode", CREATE_OPT_STRING, NULL },
	{ "encrypt.ivgen-alg", "Name of IV generator algorithm", CREATE_OPT_STRING, NULL },
	{ "encrypt.ivgen-hash-alg", "Name of IV generator hash algorithm", CREATE_OPT_STRING, NULL },
	{ "encrypt.hash-alg", "Name of encryption hash algorithm", CREATE_OPT_STRING, NULL },
	{ "encrypt.iter-time", "Time to spend in PBKDF in milliseconds", CREATE_OPT_NUMBER, NULL },
	{ "cluster_size", "qcow2 cluster size", CREATE_OPT_SIZE, "65536" },
	{ "extended_l2", "Extended L2 tables", CREATE_OPT_BOOL, "off" },
	{ "preallocation", "Preallocation mode (allowed values: off, metadata, falloc, full)", CREATE_OPT_STRING, NULL },
	{ "compression_type", "Compression method used for image cluster compression", CREATE_OPT_STRING, "zlib" },
	{ "size", "Virtual disk size", CREATE_OPT_SIZE, NULL },
	{ "compat", "Compatibility level (v2 [0.10] or v3 [1.1])", CREATE_OPT_STRING, NULL },
	{ "backing_file", "File name of a base image", CREATE_OPT_STRING, NULL },
	{ "backing_fmt", "Image format of the base image", CREATE_OPT_STRING, NULL },
	{ "data_file", "File name of an external data file", CREATE_OPT_STRING, NULL },
	{ "data_file_raw", "The external data file must stay valid as a raw image", CREATE_OPT_BOOL, NULL },
	{ "lazy_refcounts", "Postpone refcount updates", CREATE_OPT_BOOL, "off" },
	{ "refcount_bits", "Width of a reference count entry in bits", CREATE_OPT_NUMBER, "16" },
	{ "nocow", "Turn off copy-on-write (valid only on btrfs)", CREATE_OPT_BOOL, NULL },
	{ "extent_size_hint", "Extent size hint for the image file, 0 to disable", CREATE_OPT_SIZE, NULL },
	{ NULL, NULL, CREATE_OPT_STRING, NULL },
};

/* What was asked for. */
struct plan {
	unsigned version, refcount_order;
	uint64_t size, cluster_size; /* size UINT64_MAX: not given */
	uint64_t refcount_bits;
	bool extended_l2, lazy, data_file_raw;
	enum qcow2_compression compression;
	enum block_prealloc prealloc;
	char *backing, *backing_fmt, *data_file;
	struct qcow2_crypt_plan crypt;
};

static void plan_free(struct plan *p)
{
	free(p->backing);
	free(p->backing_fmt);
	free(p->data_file);
	qcow2_crypt_plan_free(&p->crypt);
}

/* One of some words; absent leaves *out as it is. */
static int take_word(struct dict *opts, const char *key, const char *const *words, unsigned *out, struct err *e)
{
	CLEANUP(free_ptr) char *v = dict_take(opts, key);

	if (!v)
		return 0;
	for (unsigned i = 0; words[i]; i++) {
		if (strcmp(v, words[i]) == 0) {
			*out = i;
			return 0;
		}
	}
	return err_set(e, ERR_USAGE, "option \"%s\" cannot be \"%s\"", key, v);
}

static int judge_plan(struct plan *p, struct err *e)
{
	if (!is_pow2(p->cluster_size) || p->cluster_size < 512 || p->cluster_size > 2 * MiB)
		return err_set(e, ERR_USAGE, "the cluster size must be a power of two from 512 to 2 MiB");
	if (!is_pow2(p->refcount_bits) || p->refcount_bits > 64)
		return err_set(e, ERR_USAGE, "refcounts have 1, 2, 4, 8, 16, 32 or 64 bits");
	p->refcount_order = log2_of(p->refcount_bits);
	if (p->version < 3 && p->refcount_bits != 16)
		return err_set(e, ERR_USAGE, "refcounts of other than 16 bits need compat=1.1");
	if (p->version < 3 && p->lazy)
		return err_set(e, ERR_USAGE, "lazy refcounts need compat=1.1");
	if (p->version < 3 && p->extended_l2)
		return err_set(e, ERR_USAGE, "extended L2 entries need compat=1.1");
	if (p->version < 3 && p->compression != QCOW2_ZLIB)
		return err_set(e, ERR_USAGE, "a compression type other than zlib needs compat=1.1");
	if (p->version < 3 && p->data_file)
		return err_set(e, ERR_USAGE, "a data file needs compat=1.1");
	if (p->extended_l2 && p->cluster_size < 16 * KiB)
		return err_set(e, ERR_USAGE, "extended L2 entries need clusters of at least 16 KiB");
	if (p->data_file_raw && !p->data_file)
		return err_set(e, ERR_USAGE, "data_file_raw needs data_file");
	if (p->data_file_raw && p->backing)
		return err_set(e, ERR_USAGE, "an image with a raw data file cannot have a backing file");
	if (p->backing && p->prealloc != PREALLOC_OFF && !p->extended_l2)
		return err_set(e, ERR_USAGE, "preallocation over a backing file needs extended_l2=on");
	if (p->crypt.method && p->version < 3 && p->prealloc != PREALLOC_OFF)
		return err_set(e, ERR_USAGE, "preallocation of an encrypted disk needs compat=1.1");
	if (p->backing_fmt && !p->backing)
		return err_set(e, ERR_USAGE, "a backing format without a backing file");
	/* A raw data file shows all of its bytes, so all must be mapped. */
	if (p->data_file_raw && p->prealloc == PREALLOC_OFF)
		p->prealloc = PREALLOC_METADATA;
	return 0;
}

static int take_plan(struct dict *opts, struct plan *p, struct err *e)
{
	static const char *const compats[] = { "0.10", "1.1", "v2", "v3", NULL };
	static const char *const preallocs[] = { "off", "metadata", "falloc", "full", NULL };
	static const char *const compressions[] = { "zlib", "zstd", NULL };
	unsigned compat = 1, prealloc = PREALLOC_OFF, compression = QCOW2_ZLIB;
	int rc;

	*p = (struct plan){ .size = UINT64_MAX, .cluster_size = 64 * KiB, .refcount_bits = 16 };
	p->backing = dict_take(opts, "backing_file");
	p->backing_fmt = dict_take(opts, "backing_fmt");
	p->data_file = dict_take(opts, "data_file");
	if ((rc = qcow2_crypt_take(opts, &p->crypt, e)) < 0 || (rc = dict_take_size(opts, "size", &p->size, e)) < 0 ||
	    (rc = dict_take_size(opts, "cluster_size", &p->cluster_size, e)) < 0 ||
	    (rc = dict_take_size(opts, "refcount_bits", &p->refcount_bits, e)) < 0 ||
	    (rc = dict_take_bool(opts, "extended_l2", &p->extended_l2, e)) < 0 ||
	    (rc = dict_take_bool(opts, "lazy_refcounts", &p->lazy, e)) < 0 ||
	    (rc = dict_take_bool(opts, "data_file_raw", &p->data_file_raw, e)) < 0 ||
	    (rc = take_word(opts, "compat", compats, &compat, e)) < 0 ||
	    (rc = take_word(opts, "preallocation", preallocs, &prealloc, e)) < 0 ||
	    (rc = take_word(opts, "compression_type", compressions, &compression, e)) < 0)
		return rc;
	p->version = compat & 1 ? 3 : 2;
	p->prealloc = (enum block_prealloc)prealloc;
	p->compression = (enum qcow2_compression)compression;
	if (p->size != UINT64_MAX && p->size > LIMIT_IMAGE_SIZE - 512)
		return err_set(e, ERR_LIMIT, "a disk of %" PRIu64 " bytes", p->size);
	if (p->size != UINT64_MAX)
		p->size = round_up(p->size, 512);
	return judge_plan(p, e);
}

/* ---- the first clusters ---- */

static const struct {
	uint8_t type, bit;
	const char *name;
} feature_names[] = {
	{ 0, 0, "dirty bit" },
	{ 0, 1, "corrupt bit" },
	{ 0, 2, "external data file" },
	{ 0, 3, "compression type" },
	{ 0, 4, "extended L2 entries" },
	{ 1, 0, "lazy refcounts" },
	{ 2, 0, "bitmaps" },
	{ 2, 1, "raw external data" },
};

/* A cluster that is being filled from its start. */
struct filling {
	uint8_t *bytes;
	size_t len, size;
};

static int add_ext(struct filling *f, uint32_t type, const void *data, size_t len, struct err *e)
{
	struct qcow2_ext x;

	/* The end mark must still fit. */
	if (len > f->size || f->len + sizeof x + round_up(len, 8) + sizeof x > f->size)
		return err_set(e, ERR_LIMIT, "the header does not fit a cluster of %zu bytes", f->size);
	be32_put(&x.type, type);
	be32_put(&x.len, (uint32_t)len);
	memcpy(f->bytes + f->len, &x, sizeof x);
	memcpy(f->bytes + f->len + sizeof x, data, len);
	f->len += sizeof x + (size_t)round_up(len, 8);
	return 0;
}

void qcow2_feature_names(struct qcow2_feature table[QCOW2_FEATURES])
{
	_Static_assert(ARRAY_LEN(feature_names) == QCOW2_FEATURES, "qcow2 feature names");
	memset(table, 0, sizeof *table * QCOW2_FEATURES);
	for (size_t i = 0; i < QCOW2_FEATURES; i++) {
		table[i].type = feature_names[i].type;
		table[i].bit = feature_names[i].bit;
		memcpy(table[i].name, feature_names[i].name, strlen(feature_names[i].name));
	}
}

static int add_features(struct filling *f, size_t reserve)
{
	struct qcow2_feature table[QCOW2_FEATURES];

	qcow2_feature_names(table);
	/* Names are a courtesy: in a small cluster the backing file's name goes first. */
	if (f->len + 2 * sizeof(struct qcow2_ext) + sizeof table + reserve > f->size)
		return 0;
	return add_ext(f, QCOW2_EXT_FEATURES, table, sizeof table, NULL);
}

static void fill_header(const struct plan *p, struct qcow2_header *h)
{
	uint64_t incompat = 0;

	incompat |= p->data_file ? QCOW2_INCOMPAT_DATA_FILE : 0;
	incompat |= p->compression != QCOW2_ZLIB ? QCOW2_INCOMPAT_COMPRESSION : 0;
	incompat |= p->extended_l2 ? QCOW2_INCOMPAT_EXTL2 : 0;
	be32_put(&h->magic, QCOW2_MAGIC);
	be32_put(&h->version, p->version);
	be32_put(&h->cluster_bits, log2_of(p->cluster_size));
	be64_put(&h->reftable_off, p->cluster_size);
	be32_put(&h->reftable_clusters, 1);
	if (p->version < 3)
		return;
	be64_put(&h->incompat, incompat);
	be64_put(&h->compat, p->lazy ? QCOW2_COMPAT_LAZY : 0);
	be64_put(&h->autoclear, p->data_file_raw ? QCOW2_AUTOCLEAR_DATA_FILE_RAW : 0);
	be32_put(&h->refcount_order, p->refcount_order);
	be32_put(&h->header_len, sizeof *h);
	h->compression = (uint8_t)p->compression;
}

static int write_first(struct block *file, const struct plan *p, struct err *e)
{
	struct filling f = { .size = p->cluster_size, .len = p->version < 3 ? QCOW2_HEADER_V2 : sizeof(struct qcow2_header) };
	CLEANUP(free_ptr) uint8_t *all = alloc_zero(3 * p->cluster_size);
	size_t name_len = p->backing ? strlen(p->backing) : 0;
	struct qcow2_header h = { .compression = 0 };
	be64 block_off;
	int rc = 0;

	if (!all)
		return err_nomem(e);
	if (name_len > LIMIT_QCOW2_BACKING_NAME)
		return err_set(e, ERR_LIMIT, "backing file name of %zu bytes", name_len);
	f.bytes = all;
	fill_header(p, &h);
	if (p->backing_fmt)
		rc = add_ext(&f, QCOW2_EXT_BACKING_FMT, p->backing_fmt, strlen(p->backing_fmt), e);
	if (rc == 0 && p->data_file)
		rc = add_ext(&f, QCOW2_EXT_DATA_FILE, p->data_file, strlen(p->data_file), e);
	if (rc == 0 && p->version >= 3)
		rc = add_features(&f, name_len);
	if (rc < 0)
		return rc;
	f.len += sizeof(struct qcow2_ext); /* the end mark is all zeros */
	if (f.len + name_len > f.size)
		return err_set(e, ERR_LIMIT, "the backing file's name does not fit a cluster of %zu bytes", f.size);
	if (name_len) {
		be64_put(&h.backing_off, f.len);
		be32_put(&h.backing_len, (uint32_t)name_len);
		memcpy(all + f.len, p->backing, name_len);
	}
	memcpy(all, &h, p->version < 3 ? QCOW2_HEADER_V2 : sizeof h);
	be64_put(&block_off, 2 * p->cluster_size);
	memcpy(all + p->cluster_size, &block_off, sizeof block_off);
	for (unsigned i = 0; i < 3; i++)
		qcow2_refblock_set(p->refcount_order, all + 2 * p->cluster_size, i, 1);
	return block_pwrite(file, all, 3 * p->cluster_size, 0, e);
}

/* ---- create ---- */

/* The size of the backing file, which the new image takes over. */
static int ask_backing(const struct plan *p, const char *path, const struct block_policy *policy, uint64_t *size,
		       struct err *e)
{
	CLEANUP(free_ptr) char *name = block_resolve_name(path, p->backing, e);
	CLEANUP(block_unrefp) struct block *backing = NULL;
	struct block_open how = { .format = p->backing_fmt, .policy = policy };
	int rc;

	if (!name)
		return e ? -(int)e->code : -(int)ERR_NOMEM;
	rc = block_open(name, &how, &backing, e);
	if (rc < 0)
		return err_in(e, rc, "backing file");
	*size = round_up(block_size(backing), 512);
	return 0;
}

/* The data file, made new and empty. */
static int make_data_file(const struct plan *p, const char *path, struct block **out, char **made_name, struct err *e)
{
	CLEANUP(free_ptr) char *name = block_resolve_name(path, p->data_file, e);
	bool made = false;
	int rc;

	if (!name)
		return e ? -(int)e->code : -(int)ERR_NOMEM;
	rc = block_open_host(name, BLOCK_WRITE | BLOCK_RESIZE, &made, out, e);
	if (rc == 0)
		rc = block_truncate(*out, 0, PREALLOC_OFF, e);
	if (made)
		*made_name = take(name);
	return rc < 0 ? err_in(e, rc, "data file") : 0;
}

/* Grows the empty image in `file` to its size. */
static int grow_new(struct block *file, const struct plan *p, struct block *data, const struct block_create_how *how,
		    struct err *e)
{
	struct block_env env = { .flags = file->flags, .policy = how->policy };
	CLEANUP(block_unrefp) struct block *b = NULL;
	CLEANUP(dict_free) struct dict opts = DICT_INIT;
	int rc = block_new_filter(&block_qcow2, file, &b, e);

	/* Until it is whole nobody reads it, so there is nothing to be late with. */
	if (rc == 0 && p->version >= 3)
		rc = dict_set(&opts, "lazy-refcounts", "off", e);
	if (rc < 0)
		return rc;
	if (data)
		qcow2_state(b)->data_file = block_ref(data);
	rc = qcow2_open_here(b, &opts, &env, e);
	if (rc < 0)
		return rc;
	rc = qcow2_crypt_create(b, &p->crypt, how->secrets, e);
	if (rc < 0)
		return rc;
	/* The disk was not smaller before: what the backing file has is to be seen. */
	free(take(b->backing_name));
	rc = block_truncate(b, p->size, p->prealloc, e);
	return rc == 0 ? block_finish(b, e) : rc;
}

int qcow2_create(struct block *file, const char *path, struct dict *opts, const struct block_create_how *how,
		 struct err *e)
{
	CLEANUP(plan_free) struct plan p;
	CLEANUP(block_unrefp) struct block *data = NULL;
	CLEANUP(free_ptr) char *made_name = NULL;
	unsigned flags = file->flags;
	int rc = take_plan(opts, &p, e);

	if (rc < 0)
		return rc;
	if (p.backing && !p.backing_fmt)
		return err_set(e, ERR_USAGE, "backing file specified without backing format");
	if (p.size == UINT64_MAX && !p.backing)
		return err_set(e, ERR_USAGE, "a new image needs a size");
	if (p.size == UINT64_MAX && (rc = ask_backing(&p, path, how->policy, &p.size, e)) < 0)
		return rc;
	if (p.data_file && (rc = make_data_file(&p, path, &data, &made_name, e)) < 0)
		return rc;
	/* The order of writes does not matter before the image is whole; then the caller flushes. */
	file->flags |= BLOCK_UNSAFE;
	rc = write_first(file, &p, e);
	if (rc == 0)
		rc = grow_new(file, &p, data, how, e);
	file->flags = flags;
	if (rc == 0 && data)
		rc = block_flush(data, e);
	if (rc < 0 && made_name)
		remove(made_name);
	return rc;
}

/* ---- measure ---- */

/* Bytes of refcount blocks and table that count `clusters` and themselves. */
static uint64_t refcount_bytes(uint64_t clusters, uint64_t cluster_size, unsigned order)
{
	uint64_t per_block = (cluster_size * 8) >> order, per_table = cluster_size / 8, blocks = 0, table = 0, before;

	/* Ends: both numbers only grow, and by less each time. */
	do {
		before = blocks + table;
		blocks = div_round_up(clusters + blocks + table, per_block);
		table = div_round_up(blocks, per_table);
	} while (blocks + table != before);
	return (blocks + table) * cluster_size;
}

/* The file when every cluster of the disk is allocated. */
static uint64_t full_bytes(const struct plan *p, uint64_t size)
{
	uint64_t entry = p->extended_l2 ? 16 : 8, cs = p->cluster_size, disk = round_up(size, cs), meta = cs;
	uint64_t l2 = round_up(disk / cs, cs / entry) * entry, l1 = round_up(l2 / cs, cs / 8) * 8;

	meta += l2 + l1;
	return disk + meta + refcount_bytes((meta + disk) / cs, cs, p->refcount_order);
}

/* Bytes in clusters that a copy of src must store. */
static int stored_bytes(struct block *src, uint64_t cs, uint64_t *out, struct err *e)
{
	uint64_t size = block_size(src), off = 0;

	*out = 0;
	/* Ends: an extent has at least one byte. */
	while (off < size) {
		struct extent x;
		uint64_t end;
		int rc = block_extent_merged(src, NULL, size - off, off, &x, e);

		if (rc < 0)
			return rc;
		end = off + x.len;
		if (!(x.flags & EXTENT_ZERO)) {
			end = round_up(end, cs);
			*out += end - round_down(off, cs);
		}
		off = end;
	}
	return 0;
}

int qcow2_measure(struct dict *opts, struct block *src, struct measure_report *out, struct err *e)
{
	CLEANUP(plan_free) struct plan p;
	uint64_t size, entry, stored = 0;
	int rc = take_plan(opts, &p, e);

	/* They say how the host file is made, not how large it is. */
	free(dict_take(opts, "nocow"));
	free(dict_take(opts, "extent_size_hint"));
	if (rc < 0)
		return rc;
	if (!src && p.size == UINT64_MAX)
		return err_set(e, ERR_USAGE, "a size or an image to measure is needed");
	size = src ? block_size(src) : p.size;
	entry = p.extended_l2 ? 16 : 8;
	if (div_round_up(div_round_up(size, p.cluster_size), p.cluster_size / entry) > LIMIT_QCOW2_L1_BYTES / 8)
		return err_set(e, ERR_LIMIT, "the disk is too large for qcow2 with clusters of %" PRIu64 " bytes",
			       p.cluster_size);
	size = round_up(size, p.cluster_size);
	/* How much of a chain is shared with the new backing file is not known: assume all must be stored. */
	if (src && (rc = p.backing ? 0 : stored_bytes(src, p.cluster_size, &stored, e)) < 0)
		return rc;
	if ((src && p.backing) || p.prealloc == PREALLOC_FULL || p.prealloc == PREALLOC_FALLOC)
		stored = size;
	out->fully_allocated = full_bytes(&p, size) + round_up(p.crypt.header_bytes, p.cluster_size);
	out->required = out->fully_allocated - size + stored;
	if (src && src->drv == &block_qcow2 && p.version >= 3) {
		out->has_bitmaps = qcow2_state(src)->version >= 3;
		out->bitmaps = qcow2_bitmaps_bytes(src, p.cluster_size);
	}
	return 0;
}
