// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * qcow2.c - the header of a qcow2 image, what it asks for, and the driver's table.
 *
 * The first cluster holds the header (72 bytes in version 2, header_len in version 3), header extensions, and the
 * backing file's name.  Only the fixed fields are ever written again, in place; what we do not know stays.
 */
#include "qcow2.h"
#include "json.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- header ---- */

void qcow2_header_fill(const struct block *b, uint8_t *bytes)
{
	const struct qcow2_state *s = b->state;
	struct qcow2_header h = { .compression = (uint8_t)s->compression };

	be32_put(&h.magic, QCOW2_MAGIC);
	be32_put(&h.version, s->version);
	be64_put(&h.backing_off, s->backing_off);
	be32_put(&h.backing_len, s->backing_len);
	be32_put(&h.cluster_bits, s->cluster_bits);
	be64_put(&h.size, s->disk_size);
	be32_put(&h.crypt_method, s->crypt_method);
	be32_put(&h.l1_size, s->l1_size);
	be64_put(&h.l1_off, s->l1_off);
	be64_put(&h.reftable_off, s->reftable_off);
	be32_put(&h.reftable_clusters, s->reftable_clusters);
	be32_put(&h.nsnapshots, s->nsnapshots);
	be64_put(&h.snapshots_off, s->snapshots_off);
	be64_put(&h.incompat, s->incompat);
	be64_put(&h.compat, s->compat);
	be64_put(&h.autoclear, s->autoclear);
	be32_put(&h.refcount_order, s->refcount_order);
	be32_put(&h.header_len, s->header_len);
	memcpy(bytes, &h, s->version < 3 ? QCOW2_HEADER_V2 : MIN_OF(s->header_len, sizeof h));
}

int qcow2_header_write(struct block *b, struct err *e)
{
	const struct qcow2_state *s = b->state;
	uint8_t bytes[sizeof(struct qcow2_header)];
	int rc;

	qcow2_header_fill(b, bytes);
	rc = block_pwrite(b->file, bytes, s->version < 3 ? QCOW2_HEADER_V2 : QCOW2_HEADER_V3, 0, e);
	return rc < 0 ? err_in(e, rc, "qcow2 header") : 0;
}

int qcow2_mark_corrupt(struct block *b, struct err *e, const char *fmt, ...)
{
	struct qcow2_state *s = b->state;
	char text[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (!(s->incompat & QCOW2_INCOMPAT_CORRUPT)) {
		s->incompat |= QCOW2_INCOMPAT_CORRUPT;
		/* Version 2 cannot say it on disk; this handle refuses to write all the same. */
		if (s->version >= 3 && qcow2_header_write(b, NULL) == 0)
			block_flush(b->file, NULL);
	}
	return err_set(e, ERR_CORRUPT, "%s; nothing more is written before \"check -r all\" has repaired the image", text);
}

int qcow2_begin_write(struct block *b, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t autoclear = s->data_file_raw ? QCOW2_AUTOCLEAR_DATA_FILE_RAW : 0, incompat = s->incompat;
	int rc;

	if (s->snapshot_shown)
		return err_set(e, ERR_USAGE, "%s: an internal snapshot cannot be written to", b->name);
	if ((s->incompat & QCOW2_INCOMPAT_CORRUPT) && !(b->flags & BLOCK_CHECK))
		return err_set(e, ERR_CORRUPT, "%s: marked corrupt: repair it with \"check -r all\" before writing",
			       b->name);
	rc = qcow2_load_reftable(b, e);
	if (rc < 0)
		return rc;
	if (!s->frees && !(s->frees = alloc_array(QCOW2_MAX_FREES, sizeof *s->frees)))
		return err_nomem(e);
	if (s->version < 3)
		return 0;
	/* Bitmaps that cannot be read cannot be told what is written. */
	if ((s->autoclear & QCOW2_AUTOCLEAR_BITMAPS) && qcow2_bitmaps_load(b, NULL) == 0)
		autoclear |= QCOW2_AUTOCLEAR_BITMAPS;
	if (s->lazy_refcounts)
		incompat |= QCOW2_INCOMPAT_DIRTY;
	if (autoclear == s->autoclear && incompat == s->incompat)
		return 0;
	/* Unknown features promise that nobody wrote without knowing them. */
	if (incompat != s->incompat)
		s->dirty_ours = true;
	s->incompat = incompat;
	s->autoclear = autoclear;
	rc = qcow2_header_write(b, e);
	return rc < 0 ? rc : block_flush(b->file, e);
}

int qcow2_begin_write_at(struct block *b, uint64_t off, uint64_t len, struct err *e)
{
	int rc = qcow2_begin_write(b, e);

	return rc == 0 ? qcow2_bitmaps_note(b, off, len, e) : rc;
}

int qcow2_dirty_begin(struct block *b, struct err *e)
{
	struct qcow2_state *s = b->state;
	int rc;

	if (s->version < 3 || (s->incompat & QCOW2_INCOMPAT_DIRTY))
		return 0;
	s->incompat |= QCOW2_INCOMPAT_DIRTY;
	s->dirty_ours = true;
	rc = qcow2_header_write(b, e);
	return rc < 0 ? rc : block_flush(b->file, e);
}

int qcow2_dirty_end(struct block *b, struct err *e)
{
	struct qcow2_state *s = b->state;
	int rc = qcow2_write_meta(b, e);

	if (rc < 0 || !s->dirty_ours || s->lazy_refcounts || s->needs_recount)
		return rc;
	rc = qcow2_write_refs(b, e);
	if (rc == 0)
		rc = qcow2_sync(b, e);
	if (rc < 0)
		return rc;
	s->incompat &= ~(uint64_t)QCOW2_INCOMPAT_DIRTY;
	rc = qcow2_header_write(b, e);
	if (rc < 0)
		s->incompat |= QCOW2_INCOMPAT_DIRTY;
	else
		s->dirty_ours = false;
	return rc;
}

/* ---- features and extensions ---- */

/* The names, from the image's own table, of incompatible features we do not know. */
static int refuse_features(struct block *b, const uint8_t *table, size_t len, struct err *e)
{
	const struct qcow2_state *s = b->state;
	CLEANUP(strbuf_free) struct strbuf names = STRBUF_INIT;
	uint64_t unknown = s->incompat & ~(uint64_t)QCOW2_INCOMPAT_ALL;

	for (unsigned bit = 0; bit < 64; bit++) {
		struct qcow2_feature f;
		bool named = false;

		if (!(unknown >> bit & 1))
			continue;
		strbuf_puts(&names, names.len ? ", " : "");
		for (size_t i = 0; i + sizeof f <= len && !named; i += sizeof f) {
			memcpy(&f, table + i, sizeof f);
			if (f.type != 0 || f.bit != bit)
				continue;
			named = true;
			text_quote(&names, f.name, strnlen(f.name, sizeof f.name));
		}
		if (!named)
			strbuf_printf(&names, "bit %u", bit);
	}
	return err_set(e, ERR_UNSUPPORTED, "incompatible features that are not supported: %s", names.s);
}

static int set_text(char **out, const uint8_t *text, size_t len, const char *what, struct err *e)
{
	if (memchr(text, 0, len))
		return err_set(e, ERR_CORRUPT, "the %s has a NUL byte in it", what);
	free(*out);
	*out = alloc_strndup((const char *)text, len);
	return *out ? 0 : err_nomem(e);
}

static int take_bitmaps(struct block *b, const uint8_t *data, uint32_t len, uint64_t off, struct err *e)
{
	struct qcow2_state *s = b->state;
	struct qcow2_bitmaps_ext x;

	/* Without its autoclear bit the extension is out of date: whoever wrote last did not know it. */
	if (s->version < 3 || !(s->autoclear & QCOW2_AUTOCLEAR_BITMAPS))
		return 0;
	if (len != sizeof x)
		return err_set(e, ERR_CORRUPT, "bitmaps extension of %" PRIu32 " bytes", len);
	memcpy(&x, data, sizeof x);
	s->bitmaps_ext_off = off;
	s->nbitmaps = be32_get(x.nbitmaps);
	s->bitmaps_dir_off = be64_get(x.dir_off);
	s->bitmaps_dir_size = be64_get(x.dir_size);
	if (s->nbitmaps > LIMIT_QCOW2_BITMAPS || s->bitmaps_dir_size > LIMIT_QCOW2_BITMAP_DIR)
		return err_set(e, ERR_LIMIT, "%" PRIu32 " bitmaps in a directory of %" PRIu64 " bytes", s->nbitmaps,
			       s->bitmaps_dir_size);
	if ((s->bitmaps_dir_off & (s->cluster_size - 1)) ||
	    !range_in(s->bitmaps_dir_off, s->bitmaps_dir_size, block_size(b->file)))
		return err_set(e, ERR_CORRUPT, "the bitmap directory lies outside of the file");
	return 0;
}

/* Walks the extensions in area[0 .. len), which lies at `at` of the file. */
static int read_extensions(struct block *b, const uint8_t *area, size_t len, uint64_t at, struct err *e)
{
	struct qcow2_state *s = b->state;
	const uint8_t *features = NULL;
	size_t features_len = 0, pos = 0;
	int rc = 0;

	/* Ends: pos grows by at least 8. */
	while (rc == 0 && pos + sizeof(struct qcow2_ext) <= len) {
		struct qcow2_ext x;
		const uint8_t *data = area + pos + sizeof x;
		uint32_t type, n;

		memcpy(&x, area + pos, sizeof x);
		type = be32_get(x.type);
		n = be32_get(x.len);
		pos += sizeof x;
		if (type == QCOW2_EXT_END)
			break;
		if (n > len - pos)
			return err_set(e, ERR_CORRUPT,
				       "header extension 0x%08" PRIx32 " of %" PRIu32 " bytes goes past the header",
				       type, n);
		switch (type) {
		case QCOW2_EXT_BACKING_FMT:
			rc = set_text(&b->backing_format, data, n, "backing format", e);
			break;
		case QCOW2_EXT_DATA_FILE:
			rc = set_text(&s->data_file_name, data, n, "data file's name", e);
			break;
		case QCOW2_EXT_FEATURES:
			features = data;
			features_len = n;
			break;
		case QCOW2_EXT_CRYPTO:
			rc = qcow2_crypt_take_ext(b, data, n, e);
			break;
		case QCOW2_EXT_BITMAPS:
			rc = take_bitmaps(b, data, n, at + pos, e);
			break;
		default:
			break; /* not for us; kept as it is */
		}
		pos += MIN_OF(round_up(n, 8), (uint64_t)(len - pos));
	}
	if (rc == 0 && (s->incompat & ~(uint64_t)QCOW2_INCOMPAT_ALL))
		rc = refuse_features(b, features, features_len, e);
	return rc;
}

/* Reads what follows the fixed header in the first cluster: extensions, and the backing name. */
static int read_first_cluster(struct block *b, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t end = MIN_OF(s->cluster_size, block_size(b->file)), ext_end = end;
	CLEANUP(free_ptr) uint8_t *c = NULL;
	int rc;

	if (s->backing_off) {
		if (s->backing_off < s->header_len || !range_in(s->backing_off, s->backing_len, end))
			return err_set(e, ERR_CORRUPT, "the backing file's name lies outside of the header");
		if (s->backing_len > LIMIT_QCOW2_BACKING_NAME)
			return err_set(e, ERR_LIMIT, "backing file name of %" PRIu32 " bytes", s->backing_len);
		ext_end = s->backing_off;
	}
	if (s->header_len > ext_end)
		return err_set(e, ERR_CORRUPT, "header of %" PRIu32 " bytes", s->header_len);
	/* Nothing stands behind 64 KiB of extensions but a cluster chosen large. */
	if (!s->backing_off)
		end = ext_end = MIN_OF(end, 64 * KiB);
	c = alloc_bytes(end);
	if (!c)
		return err_nomem(e);
	rc = block_pread(b->file, c, end, 0, e);
	if (rc == 0)
		rc = read_extensions(b, c + s->header_len, ext_end - s->header_len, s->header_len, e);
	if (rc == 0 && s->backing_off && s->backing_len)
		rc = set_text(&b->backing_name, c + s->backing_off, s->backing_len, "backing file's name", e);
	return rc;
}

/* ---- open ---- */

static int judge_geometry(struct block *b, const struct qcow2_header *h, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint32_t bits = be32_get(h->cluster_bits);

	if (be32_get(h->magic) != QCOW2_MAGIC)
		return err_set(e, ERR_CORRUPT, "not a qcow2 image");
	s->version = be32_get(h->version);
	if (s->version != 2 && s->version != 3)
		return err_set(e, ERR_UNSUPPORTED, "qcow2 version %u", s->version);
	if (bits < QCOW2_MIN_CLUSTER_BITS || bits > QCOW2_MAX_CLUSTER_BITS)
		return err_set(e, ERR_CORRUPT, "clusters of 2^%" PRIu32 " bytes", bits);
	s->cluster_bits = bits;
	s->cluster_size = 1ULL << bits;
	s->header_len = QCOW2_HEADER_V2;
	s->refcount_order = 4;
	if (s->version >= 3) {
		s->incompat = be64_get(h->incompat);
		s->compat = be64_get(h->compat);
		s->autoclear = be64_get(h->autoclear);
		s->refcount_order = be32_get(h->refcount_order);
		s->header_len = be32_get(h->header_len);
		if (s->header_len < QCOW2_HEADER_V3)
			return err_set(e, ERR_CORRUPT, "header of %" PRIu32 " bytes, too short for version 3", s->header_len);
		if (s->header_len > s->cluster_size)
			return err_set(e, ERR_CORRUPT, "header of %" PRIu32 " bytes, more than a cluster", s->header_len);
		if (s->refcount_order > 6)
			return err_set(e, ERR_CORRUPT, "refcounts of 2^%u bits", s->refcount_order);
	}
	s->refcount_max = s->refcount_order == 6 ? INT64_MAX : (1ULL << (1u << s->refcount_order)) - 1;
	s->refblock_bits = s->cluster_bits + 3 - s->refcount_order;
	s->subclusters = s->incompat & QCOW2_INCOMPAT_EXTL2 ? QCOW2_SUBCLUSTERS : 1;
	s->l2_entry_size = s->subclusters > 1 ? 16 : 8;
	s->l2_bits = s->cluster_bits - log2_of(s->l2_entry_size);
	s->sub_bits = s->cluster_bits - log2_of(s->subclusters);
	if (s->subclusters > 1 && s->sub_bits < QCOW2_MIN_CLUSTER_BITS)
		return err_set(e, ERR_CORRUPT, "extended L2 entries need clusters of at least 16 KiB");
	return 0;
}

static int judge_compression(struct block *b, const struct qcow2_header *h, struct err *e)
{
	struct qcow2_state *s = b->state;
	unsigned type = s->header_len > QCOW2_HEADER_V3 ? h->compression : 0;

	if (type > QCOW2_ZSTD)
		return err_set(e, ERR_UNSUPPORTED, "compression type %u", type);
	if ((type != QCOW2_ZLIB) != !!(s->incompat & QCOW2_INCOMPAT_COMPRESSION))
		return err_set(e, ERR_CORRUPT, "compression type %u contradicts the feature bit", type);
	s->compression = type;
	return 0;
}

/* A table named by the header: at a cluster's start, behind the header, within the file. */
static int judge_table(struct block *b, const char *what, uint64_t off, uint64_t bytes, struct err *e)
{
	const struct qcow2_state *s = b->state;

	if (!bytes)
		return 0;
	if (off & (s->cluster_size - 1))
		return err_set(e, ERR_CORRUPT, "the %s at %" PRIu64 " is not at a cluster's start", what, off);
	if (off < s->cluster_size)
		return err_set(e, ERR_CORRUPT, "the %s overlaps the header", what);
	if (!range_in(off, bytes, block_size(b->file)))
		return err_set(e, ERR_CORRUPT, "the %s lies past the end of the file", what);
	return 0;
}

static int judge_tables(struct block *b, const struct qcow2_header *h, struct err *e)
{
	struct qcow2_state *s = b->state;
	bool check = b->flags & BLOCK_CHECK;
	int rc;

	s->l1_size = be32_get(h->l1_size);
	s->l1_off = be64_get(h->l1_off);
	s->reftable_off = be64_get(h->reftable_off);
	s->reftable_clusters = be32_get(h->reftable_clusters);
	s->nsnapshots = be32_get(h->nsnapshots);
	s->snapshots_off = be64_get(h->snapshots_off);
	if (s->l1_size > LIMIT_QCOW2_L1_BYTES / 8)
		return err_set(e, ERR_LIMIT, "L1 table of %" PRIu32 " entries", s->l1_size);
	if (s->reftable_clusters > LIMIT_QCOW2_REFTABLE_BYTES >> s->cluster_bits)
		return err_set(e, ERR_LIMIT, "refcount table of %" PRIu32 " clusters", s->reftable_clusters);
	if (s->nsnapshots > LIMIT_QCOW2_SNAPSHOTS)
		return err_set(e, ERR_LIMIT, "%" PRIu32 " snapshots", s->nsnapshots);
	if (s->l1_size < qcow2_l1_entries(s, b->size))
		return err_set(e, ERR_CORRUPT, "the L1 table of %" PRIu32 " entries is too small for the disk",
			       s->l1_size);
	rc = judge_table(b, "L1 table", s->l1_off, 8ULL * s->l1_size, e);
	if (rc < 0)
		return rc;
	/* The others are of no use for reading, and check wants to see them as they are. */
	if (!s->reftable_clusters && !check)
		return err_set(e, ERR_CORRUPT, "no refcount table");
	if (check)
		return 0;
	rc = judge_table(b, "refcount table", s->reftable_off, s->reftable_clusters ? 8 : 0, e);
	if (rc == 0)
		rc = judge_table(b, "snapshot table", s->snapshots_off, s->nsnapshots, e);
	if (rc == 0 && ranges_overlap(s->l1_off, 8ULL * s->l1_size, s->reftable_off,
				      (uint64_t)s->reftable_clusters << s->cluster_bits))
		rc = err_set(e, ERR_CORRUPT, "the L1 table and the refcount table overlap");
	return rc;
}

static int read_l1(struct block *b, struct err *e)
{
	struct qcow2_state *s = b->state;
	int rc;

	s->l1 = alloc_array(MAX_OF(s->l1_size, 1), sizeof *s->l1);
	if (!s->l1)
		return err_nomem(e);
	rc = block_pread(b->file, s->l1, 8UL * s->l1_size, s->l1_off, e);
	for (uint32_t i = 0; rc == 0 && i < s->l1_size; i++) {
		be64 v;

		memcpy(&v, &s->l1[i], sizeof v);
		s->l1[i] = be64_get(v);
	}
	if (rc < 0)
		return err_in(e, rc, "L1 table");
	return b->flags & BLOCK_CHECK ? 0 : qcow2_l1_refuse_repeats(s->l1, s->l1_size, e);
}

/* The external data file: by the user's option, else by the name in the image. */
static int open_data_file(struct block *b, struct dict *opts, const struct block_env *env, struct err *e)
{
	struct qcow2_state *s = b->state;
	CLEANUP(dict_free) struct dict sub = DICT_INIT;
	unsigned flags = b->flags & ~(unsigned)(BLOCK_CHECK | BLOCK_NO_BACKING);
	const char *name;
	int rc = dict_take_sub(opts, "data-file", &sub, e);

	if (rc < 0)
		return rc;
	/* Without a data file the bit says nothing, and whoever writes next clears it. */
	s->data_file_raw = (s->autoclear & QCOW2_AUTOCLEAR_DATA_FILE_RAW) && (s->incompat & QCOW2_INCOMPAT_DATA_FILE);
	if (s->data_file)
		return 0; /* just made, and handed to us */
	if (!(s->incompat & QCOW2_INCOMPAT_DATA_FILE))
		return sub.n ? err_set(e, ERR_USAGE, "\"data-file\" is for images with a data file") : 0;
	if (b->flags & BLOCK_FACTS)
		return 0;
	name = sub.n ? NULL : s->data_file_name;
	if (!name && !sub.n)
		return err_set(e, ERR_USAGE, "give its data file by \"data-file.filename\": the image does not name it");
	if (!dict_get(&sub, "driver") && sub.n && (rc = dict_set(&sub, "driver", "file", e)) < 0)
		return rc;
	rc = block_open_named(b, name, NULL, flags, &sub, env, &s->data_file, e);
	return rc < 0 ? err_in(e, rc, "data file") : 0;
}

static int init_caches(struct qcow2_state *s, struct err *e)
{
	int rc = qcow2_cache_init(&s->l2, (unsigned)s->l2_slice_size, s->l2_cache_size, e);

	return rc < 0 ? rc : qcow2_cache_init(&s->refs, (unsigned)s->cluster_size, s->refcount_cache_size, e);
}

static int judge_header(struct block *b, struct err *e)
{
	struct qcow2_state *s = b->state;
	struct qcow2_header h = { .compression = 0 };
	size_t n = (size_t)MIN_OF((uint64_t)sizeof h, block_size(b->file));
	int rc;

	if (n < QCOW2_HEADER_V2)
		return err_set(e, ERR_CORRUPT, "too short for a qcow2 header");
	rc = block_pread(b->file, &h, n, 0, e);
	if (rc < 0)
		return rc;
	if (be32_get(h.version) == 3 && n < QCOW2_HEADER_V3)
		return err_set(e, ERR_CORRUPT, "the file ends in the qcow2 header");
	rc = judge_geometry(b, &h, e);
	if (rc < 0)
		return rc;
	if (n < s->header_len && n < sizeof h)
		return err_set(e, ERR_CORRUPT, "the file ends in the qcow2 header");
	b->size = s->disk_size = be64_get(h.size);
	s->crypt_method = be32_get(h.crypt_method);
	s->backing_off = be64_get(h.backing_off);
	s->backing_len = be32_get(h.backing_len);
	/* First of all the features: an unknown one may change what every other field means. */
	rc = read_first_cluster(b, e);
	if (rc < 0)
		return rc;
	if (s->crypt_method > 2)
		return err_set(e, ERR_UNSUPPORTED, "encryption method %u", s->crypt_method);
	if (b->size > LIMIT_IMAGE_SIZE)
		return err_set(e, ERR_LIMIT, "disk of %" PRIu64 " bytes", b->size);
	rc = judge_compression(b, &h, e);
	return rc < 0 ? rc : judge_tables(b, &h, e);
}

/* Does a header describe the image that was opened, whatever its tables and size are now? */
static bool is_same_image(const struct qcow2_state *s, const struct qcow2_header *h)
{
	const uint64_t passing = QCOW2_INCOMPAT_DIRTY | QCOW2_INCOMPAT_CORRUPT;

	return be32_get(h->magic) == QCOW2_MAGIC && be32_get(h->version) == s->version &&
	       be32_get(h->cluster_bits) == s->cluster_bits && be64_get(h->backing_off) == s->backing_off &&
	       be32_get(h->backing_len) == s->backing_len && be32_get(h->crypt_method) == s->crypt_method &&
	       (s->version < 3 ||
		(!((be64_get(h->incompat) ^ s->incompat) & ~passing) && be32_get(h->header_len) == s->header_len &&
		 be32_get(h->refcount_order) == s->refcount_order));
}

/* Nothing of the disk can be read when it fails. */
static int qcow2_refresh(struct block *b, struct err *e)
{
	struct qcow2_state *s = b->state;
	struct qcow2_header h = { .compression = 0 };
	const size_t n = s->version < 3 ? QCOW2_HEADER_V2 : QCOW2_HEADER_V3;
	int rc = s->data_file ? block_refresh(s->data_file, e) : 0;

	b->size = s->disk_size = 0;
	free(take(s->l1));
	s->l1_size = 0;
	qcow2_cache_drop(&s->l2);
	qcow2_cache_drop(&s->refs);
	qcow2_zslots_free(s);
	qcow2_snapshots_free(s);
	if (rc == 0 && block_size(b->file) < n)
		rc = err_set(e, ERR_CORRUPT, "too short for a qcow2 header");
	if (rc == 0)
		rc = block_pread(b->file, &h, n, 0, e);
	if (rc < 0)
		return rc;
	if (!is_same_image(s, &h))
		return err_set(e, ERR_UNSUPPORTED, "%s: it is another image now than when it was opened", b->name);
	b->size = s->disk_size = be64_get(h.size);
	rc = b->size > LIMIT_IMAGE_SIZE ? err_set(e, ERR_LIMIT, "disk of %" PRIu64 " bytes", b->size) : judge_tables(b, &h, e);
	if (rc == 0)
		rc = read_l1(b, e);
	if (rc < 0)
		b->size = s->disk_size = s->l1_size = 0;
	return rc < 0 ? err_in(e, rc, "%s", b->name) : 0;
}

/* An image whose refcounts were being written late when its writer died: count again before anything is added. */
static int settle_for_writing(struct block *b, struct err *e)
{
	struct qcow2_state *s = b->state;

	if (!(b->flags & BLOCK_WRITE) || (b->flags & BLOCK_CHECK))
		return 0;
	if (s->incompat & QCOW2_INCOMPAT_CORRUPT)
		return err_set(e, ERR_CORRUPT, "marked corrupt: it can only be read, or repaired with \"check -r all\"");
	if (!(s->incompat & QCOW2_INCOMPAT_DIRTY))
		return 0;
	return qcow2_repair_refcounts(b, e);
}

static int qcow2_open(struct block *b, struct dict *opts, const struct block_env *env, struct err *e)
{
	struct qcow2_state *s = b->state;
	int rc;

	if (pthread_mutex_init(&s->lock, NULL) != 0)
		return err_nomem(e);
	if (pthread_cond_init(&s->wake, NULL) != 0) {
		pthread_mutex_destroy(&s->lock);
		return err_nomem(e);
	}
	s->lock_made = true;
	if ((rc = codecs_init(&s->codecs, e)) < 0 || (rc = judge_header(b, e)) < 0 ||
	    (rc = qcow2_take_options(b, opts, e)) < 0 || (rc = read_l1(b, e)) < 0 ||
	    (rc = init_caches(s, e)) < 0 || (rc = open_data_file(b, opts, env, e)) < 0 ||
	    (rc = qcow2_crypt_open(b, opts, env, e)) < 0)
		return rc;
	s->virgin = round_up(block_size(b->file), s->cluster_size);
	rc = block_open_backing(b, opts, env, e);
	return rc < 0 ? rc : settle_for_writing(b, e);
}

int qcow2_open_here(struct block *b, struct dict *opts, const struct block_env *env, struct err *e)
{
	b->flags |= BLOCK_NO_BACKING;
	return qcow2_open(b, opts, env, e);
}

static void qcow2_close(struct block *b)
{
	struct qcow2_state *s = b->state;

	qcow2_snapshots_free(s);
	qcow2_bitmaps_free(s);
	qcow2_crypt_close(s);
	qcow2_zslots_free(s);
	codecs_free(&s->codecs);
	qcow2_cache_free(&s->l2);
	qcow2_cache_free(&s->refs);
	free(s->frees);
	free(s->meta_set);
	free(s->l1);
	free(s->reftable);
	free(s->data_file_name);
	block_unrefp(&s->data_file);
	if (s->lock_made) {
		pthread_cond_destroy(&s->wake);
		pthread_mutex_destroy(&s->lock);
	}
}

/* ---- flush and finish ---- */

static int flush_locked(struct block *b, struct err *e)
{
	struct qcow2_state *s = b->state;
	int rc = qcow2_write_meta(b, e);

	if (rc == 0 && s->nfrees)
		rc = qcow2_apply_frees(b, e);
	if (rc == 0 && s->data_file)
		rc = block_flush(s->data_file, e);
	return rc;
}

static int qcow2_flush(struct block *b, struct err *e)
{
	struct qcow2_state *s = b->state;
	int rc;

	block_event(b->file, "flush_to_os");
	pthread_mutex_lock(&s->lock);
	rc = flush_locked(b, e);
	pthread_mutex_unlock(&s->lock);
	block_event(b->file, "flush_to_disk");
	return rc;
}

static int qcow2_finish(struct block *b, struct err *e)
{
	struct qcow2_state *s = b->state;
	int rc;

	pthread_mutex_lock(&s->lock);
	rc = flush_locked(b, e);
	if (rc == 0)
		rc = qcow2_bitmaps_store(b, e);
	if (rc == 0)
		rc = qcow2_write_refs(b, e);
	if (rc == 0 && s->dirty_ours && !s->needs_recount) {
		rc = qcow2_sync(b, e);
		if (rc == 0) {
			s->incompat &= ~(uint64_t)QCOW2_INCOMPAT_DIRTY;
			rc = qcow2_header_write(b, e);
			if (rc < 0)
				s->incompat |= QCOW2_INCOMPAT_DIRTY;
			else
				s->dirty_ours = false;
		}
	}
	pthread_mutex_unlock(&s->lock);
	return rc;
}

/* ---- facts ---- */

static int qcow2_info(struct block *b, struct block_info *out, struct err *e)
{
	const struct qcow2_state *s = b->state;

	(void)e;
	out->cluster_size = s->cluster_size;
	out->dirty = s->incompat & QCOW2_INCOMPAT_DIRTY;
	out->encrypted = s->crypt_method != 0;
	out->vm_state_off = qcow2_l1_entries(s, s->disk_size) << (s->cluster_bits + s->l2_bits);
	return 0;
}

static void qcow2_info_specific(struct block *b, struct json *j)
{
	const struct qcow2_state *s = b->state;

	json_str(j, "compat", s->version < 3 ? "0.10" : "1.1");
	json_str(j, "compression-type", s->compression == QCOW2_ZSTD ? "zstd" : "zlib");
	if (s->version >= 3)
		json_bool(j, "lazy-refcounts", s->compat & QCOW2_COMPAT_LAZY);
	qcow2_info_bitmaps(b, j);
	json_u64(j, "refcount-bits", 1ULL << s->refcount_order);
	qcow2_crypt_info(b, j);
	if (s->incompat & QCOW2_INCOMPAT_DATA_FILE) {
		if (s->data_file_name)
			json_str(j, "data-file", s->data_file_name);
		json_bool(j, "data-file-raw", s->data_file_raw);
	}
	if (s->version >= 3) {
		json_bool(j, "corrupt", s->incompat & QCOW2_INCOMPAT_CORRUPT);
		json_bool(j, "extended-l2", s->subclusters > 1);
	}
}

static uint64_t qcow2_allocated(const struct block *b)
{
	const struct qcow2_state *s = b->state;
	uint64_t here = block_allocated(b->file), there = s->data_file ? block_allocated(s->data_file) : 0;

	return here == UINT64_MAX || there == UINT64_MAX ? UINT64_MAX : here + there;
}

static int qcow2_same_size(struct block *b, struct err *e)
{
	const struct qcow2_state *s = b->state;

	return s->data_file ? block_same_size(s->data_file, e) : 0;
}

static bool qcow2_was_written(struct block *b)
{
	const struct qcow2_state *s = b->state;

	return s->data_file && block_was_written(s->data_file);
}

static bool qcow2_is_unchanged(struct block *b)
{
	const struct qcow2_state *s = b->state;

	return !s->data_file || block_is_unchanged(s->data_file);
}

/* Version 1 has the same magic and is another format. */
static int qcow2_probe(struct block *file, struct err *e)
{
	be32 version;
	int rc = block_size(file) < 8 ? 0 : block_pread(file, &version, sizeof version, 4, e);

	if (rc < 0)
		return rc;
	return block_size(file) >= 8 && be32_get(version) != 1;
}

static const struct block_bitmap_ops bitmap_ops = {
	.list = qcow2_bitmaps,
	.add = qcow2_bitmap_add,
	.remove = qcow2_bitmap_remove,
	.clear = qcow2_bitmap_clear,
	.enable = qcow2_bitmap_enable,
	.mark = qcow2_bitmap_mark,
	.next = qcow2_bitmap_next,
};

const struct block_driver block_qcow2 = {
	.name = "qcow2",
	.state_size = sizeof(struct qcow2_state),
	.supports_backing = true,
	.magic = { { 0, "QFI\xfb", 4 } },
	.probe = qcow2_probe,
	.open = qcow2_open,
	.close = qcow2_close,
	.finish = qcow2_finish,
	.pread = qcow2_pread,
	.pwrite = qcow2_pwrite,
	.pwrite_from = qcow2_pwrite_from,
	.zero = qcow2_zero,
	.discard = qcow2_discard,
	.pwrite_compressed = qcow2_pwrite_compressed,
	.pack = qcow2_pack,
	.pwrite_packed = qcow2_pwrite_packed,
	.extent = qcow2_extent,
	.flush = qcow2_flush,
	.truncate = qcow2_truncate,
	.info = qcow2_info,
	.info_specific = qcow2_info_specific,
	.allocated = qcow2_allocated,
	.same_size = qcow2_same_size,
	.was_written = qcow2_was_written,
	.is_unchanged = qcow2_is_unchanged,
	.refresh = qcow2_refresh,
	.check = qcow2_check,
	.snapshots = qcow2_snapshots,
	.snapshot_load = qcow2_snapshot_load,
	.snapshot_create = qcow2_snapshot_create,
	.snapshot_apply = qcow2_snapshot_apply,
	.snapshot_delete = qcow2_snapshot_delete,
	.amend_opts = qcow2_amend_opts,
	.amend = qcow2_amend,
	.bitmaps = &bitmap_ops,
	.change_backing = qcow2_change_backing,
	.make_empty = qcow2_make_empty,
	.vmstate_pread = qcow2_vmstate_pread,
	.vmstate_pwrite = qcow2_vmstate_pwrite,
	.create_opts = qcow2_create_opts,
	.create_how = qcow2_create,
	.measure = qcow2_measure,
};
