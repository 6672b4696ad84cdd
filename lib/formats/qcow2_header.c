// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * qcow2_header.c - the first cluster written anew: header extensions added and removed, another backing name.
 *
 * Only the first sector is sure to reach the disk whole.  So it is written last, and before anything behind it changes
 * it is made to stand alone: extensions that matter fit into it (the table of feature names is a courtesy), and a
 * backing name in the way is copied out of it first.
 */
#include "qcow2.h"

#include <inttypes.h>

enum { SECTOR = 512 };

/* What is on disk now. */
struct before {
	uint8_t *bytes;
	size_t len;
	uint32_t header_len, name_len;
	uint64_t name_off;
	bool ended; /* the list of extensions has its end mark */
};

struct area {
	uint8_t *bytes;
	size_t len, size;
};

static void before_free(struct before *o)
{
	free(o->bytes);
}

static void area_free(struct area *a)
{
	free(a->bytes);
}

static int read_before(struct block *b, struct before *o, struct err *e)
{
	const struct qcow2_state *s = b->state;
	struct qcow2_header h;
	int rc;

	o->len = (size_t)MIN_OF(s->cluster_size, block_size(b->file));
	o->bytes = alloc_zero(MAX_OF(s->cluster_size, sizeof h));
	if (!o->bytes)
		return err_nomem(e);
	rc = block_pread(b->file, o->bytes, o->len, 0, e);
	if (rc < 0)
		return rc;
	memcpy(&h, o->bytes, sizeof h);
	o->header_len = be32_get(h.version) < 3 ? QCOW2_HEADER_V2 : be32_get(h.header_len);
	o->name_off = be64_get(h.backing_off);
	o->name_len = o->name_off ? be32_get(h.backing_len) : 0;
	if (o->header_len < QCOW2_HEADER_V2 || o->header_len > o->len || !range_in(o->name_off, o->name_len, o->len) ||
	    (o->name_off && o->name_off < o->header_len))
		return err_set(e, ERR_CORRUPT, "the header has changed beneath us");
	return 0;
}

/* The extension at *pos; false at the end of the list. */
static bool next_ext(struct before *o, size_t *pos, uint32_t *type, const uint8_t **data, size_t *len)
{
	size_t end = o->name_off ? (size_t)o->name_off : o->len;
	struct qcow2_ext x;

	if (*pos + sizeof x > end)
		return false;
	memcpy(&x, o->bytes + *pos, sizeof x);
	*type = be32_get(x.type);
	*len = be32_get(x.len);
	*data = o->bytes + *pos + sizeof x;
	o->ended |= *type == QCOW2_EXT_END;
	if (*type == QCOW2_EXT_END || *len > end - *pos - sizeof x)
		return false;
	*pos += sizeof x + (size_t)MIN_OF(round_up(*len, 8), (uint64_t)(end - *pos - sizeof x));
	return true;
}

static bool find_ext(struct before *o, uint32_t want, const uint8_t **data, size_t *len)
{
	size_t pos = o->header_len;
	uint32_t type;

	while (next_ext(o, &pos, &type, data, len))
		if (type == want)
			return true;
	return false;
}

static int put_ext(struct area *a, uint32_t type, const void *data, size_t len, struct err *e)
{
	struct qcow2_ext x;

	/* The end mark must still fit. */
	if (len > a->size || a->len + sizeof x + round_up(len, 8) + sizeof x > a->size)
		return err_set(e, ERR_LIMIT, "the header does not fit a cluster of %zu bytes", a->size);
	be32_put(&x.type, type);
	be32_put(&x.len, (uint32_t)len);
	memcpy(a->bytes + a->len, &x, sizeof x);
	if (len)
		memcpy(a->bytes + a->len + sizeof x, data, len);
	memset(a->bytes + a->len + sizeof x + len, 0, (size_t)round_up(len, 8) - len);
	a->len += sizeof x + (size_t)round_up(len, 8);
	return 0;
}

static bool is_known(uint32_t type)
{
	return type == QCOW2_EXT_BACKING_FMT || type == QCOW2_EXT_DATA_FILE || type == QCOW2_EXT_CRYPTO ||
	       type == QCOW2_EXT_BITMAPS || type == QCOW2_EXT_FEATURES;
}

/* Appends the extensions: as the edits say, else as they are.  The ones we do not know stay. */
static int put_exts(struct area *a, struct before *o, const struct qcow2_ext_edit *edits, size_t n, struct err *e)
{
	static const uint32_t order[] = { QCOW2_EXT_BACKING_FMT, QCOW2_EXT_DATA_FILE, QCOW2_EXT_CRYPTO, QCOW2_EXT_BITMAPS };
	size_t pos = o->header_len, len;
	const uint8_t *data;
	uint32_t type;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(order); i++) {
		const struct qcow2_ext_edit *edit = NULL;

		for (size_t k = 0; k < n; k++)
			edit = edits[k].type == order[i] ? &edits[k] : edit;
		if (edit && edit->data)
			rc = put_ext(a, order[i], edit->data, edit->len, e);
		else if (!edit && find_ext(o, order[i], &data, &len))
			rc = put_ext(a, order[i], data, len, e);
	}
	while (rc == 0 && next_ext(o, &pos, &type, &data, &len))
		if (!is_known(type))
			rc = put_ext(a, type, data, len, e);
	return rc;
}

/* The names of features, as the image had them or as we know them, if there is room for `reserve` more bytes. */
static void put_features(struct area *a, struct before *o, size_t reserve)
{
	struct qcow2_feature table[QCOW2_FEATURES];
	const uint8_t *data = (const uint8_t *)table;
	size_t len = sizeof table;

	qcow2_feature_names(table);
	if (!find_ext(o, QCOW2_EXT_FEATURES, &data, &len)) {
		data = (const uint8_t *)table;
		len = sizeof table;
	}
	if (a->len + 2 * sizeof(struct qcow2_ext) + round_up(len, 8) + reserve <= a->size)
		put_ext(a, QCOW2_EXT_FEATURES, data, len, NULL);
}

/* The new first cluster; s->backing_off and ->header_len are set to what it says. */
static int build(struct block *b, struct before *o, const struct qcow2_ext_edit *edits, size_t n, struct area *a,
		 struct err *e)
{
	struct qcow2_state *s = b->state;
	size_t name_len = b->backing_name ? strlen(b->backing_name) : 0;
	int rc;

	a->size = s->cluster_size;
	a->bytes = alloc_zero(a->size);
	if (!a->bytes)
		return err_nomem(e);
	if (s->version < 3)
		s->header_len = QCOW2_HEADER_V2;
	else if (o->header_len < QCOW2_HEADER_V3)
		s->header_len = sizeof(struct qcow2_header);
	else
		s->header_len = o->header_len;
	if (o->header_len >= s->header_len) /* fields behind those that we know */
		memcpy(a->bytes, o->bytes, s->header_len);
	a->len = s->header_len;
	rc = put_exts(a, o, edits, n, e);
	if (rc < 0)
		return rc;
	if (s->version >= 3)
		put_features(a, o, name_len);
	a->len += sizeof(struct qcow2_ext);
	if (a->len + name_len > a->size)
		return err_set(e, ERR_LIMIT, "the backing file's name does not fit a cluster of %zu bytes", a->size);
	s->backing_off = name_len ? a->len : 0;
	s->backing_len = (uint32_t)name_len;
	if (name_len)
		memcpy(a->bytes + a->len, b->backing_name, name_len);
	a->len += name_len;
	qcow2_header_fill(b, a->bytes);
	return 0;
}

/* ---- onto the disk ---- */

static int put(struct block *b, const void *bytes, size_t len, uint64_t off, struct err *e)
{
	int rc = block_pwrite(b->file, bytes, len, off, e);

	return rc == 0 ? block_flush(b->file, e) : rc;
}

/* The old name goes where neither it nor the new bytes are. */
static int move_name(struct block *b, struct before *o, size_t new_len, struct err *e)
{
	size_t to = (size_t)round_up(MAX_OF((uint64_t)new_len, o->name_off + o->name_len), 8);
	be64 off;
	int rc;

	if (!o->name_len || o->name_off + o->name_len <= SECTOR || o->name_off >= new_len)
		return 0;
	if (!o->ended || to + o->name_len > qcow2_state(b)->cluster_size)
		return 1;
	memcpy(o->bytes + to, o->bytes + o->name_off, o->name_len);
	rc = put(b, o->bytes + to, o->name_len, to, e);
	if (rc < 0)
		return rc;
	be64_put(&off, to);
	memcpy(o->bytes + offsetof(struct qcow2_header, backing_off), &off, sizeof off);
	o->name_off = to;
	return put(b, o->bytes, SECTOR, 0, e);
}

/* The first sector with all old extensions but the names of features: so it needs nothing of what is behind it. */
static int stand_alone(struct block *b, struct before *o, struct err *e)
{
	uint8_t sector[SECTOR];
	struct area a = { .bytes = sector, .len = o->header_len, .size = SECTOR };

	if (o->name_off && o->name_off < SECTOR)
		a.size = (size_t)o->name_off;
	memcpy(sector, o->bytes, SECTOR);
	if (o->header_len + sizeof(struct qcow2_ext) > a.size || put_exts(&a, o, NULL, 0, NULL) < 0)
		return 1;
	memset(sector + a.len, 0, a.size - a.len);
	return put(b, sector, SECTOR, 0, e);
}

static int store(struct block *b, struct before *o, const struct area *a, struct err *e)
{
	int rc;

	if (a->len <= SECTOR)
		return put(b, a->bytes, a->len, 0, e);
	/* Where there is no room for care (small clusters, long lists) it is one write as ever. */
	rc = move_name(b, o, a->len, e);
	if (rc == 0)
		rc = stand_alone(b, o, e);
	if (rc < 0)
		return rc;
	if (rc == 1)
		return put(b, a->bytes, a->len, 0, e);
	rc = put(b, a->bytes + SECTOR, a->len - SECTOR, SECTOR, e);
	return rc == 0 ? put(b, a->bytes, SECTOR, 0, e) : rc;
}

int qcow2_header_edit(struct block *b, const struct qcow2_ext_edit *edits, size_t n, struct err *e)
{
	struct qcow2_state *s = b->state;
	CLEANUP(before_free) struct before o = { .bytes = NULL };
	CLEANUP(area_free) struct area a = { .bytes = NULL };
	uint64_t name_off = s->backing_off;
	uint32_t name_len = s->backing_len, header_len = s->header_len;
	int rc = read_before(b, &o, e);

	if (rc == 0)
		rc = build(b, &o, edits, n, &a, e);
	if (rc == 0) {
		rc = store(b, &o, &a, e);
		/* On the way the name may have moved: later writes of the header must say where it is. */
		name_off = o.name_off;
	}
	if (rc < 0) {
		s->backing_off = name_off;
		s->backing_len = name_len;
		s->header_len = header_len;
	}
	return rc < 0 ? err_in(e, rc, "qcow2 header") : 0;
}

/* ---- the backing file's name ---- */

int qcow2_change_backing(struct block *b, const char *name, const char *format, struct err *e)
{
	struct qcow2_state *s = b->state;
	bool has = name && *name;
	struct qcow2_ext_edit edit = { .type = QCOW2_EXT_BACKING_FMT, .data = has ? format : NULL };
	char *new_name = has ? alloc_strdup(name) : NULL, *new_format = edit.data ? alloc_strdup(format) : NULL;
	char *old_name, *old_format;
	int rc = 0;

	edit.len = new_format ? strlen(new_format) : 0;
	if ((has && !new_name) || (edit.data && !new_format))
		rc = err_nomem(e);
	else if (format && !has)
		rc = err_set(e, ERR_USAGE, "%s: a backing format without a backing file", b->name);
	else if (has && strlen(name) > LIMIT_QCOW2_BACKING_NAME)
		rc = err_set(e, ERR_LIMIT, "%s: a backing file's name has at most %d bytes", b->name,
			     LIMIT_QCOW2_BACKING_NAME);
	else if (has && s->data_file_raw)
		rc = err_set(e, ERR_USAGE, "%s: an image with a raw data file cannot have a backing file", b->name);
	pthread_mutex_lock(&s->lock);
	if (rc == 0)
		rc = qcow2_begin_write(b, e);
	old_name = b->backing_name;
	old_format = b->backing_format;
	if (rc == 0) {
		b->backing_name = new_name;
		b->backing_format = new_format;
		rc = qcow2_header_edit(b, &edit, 1, e);
		if (rc == 0) {
			new_name = old_name;
			new_format = old_format;
		} else {
			b->backing_name = old_name;
			b->backing_format = old_format;
		}
	}
	pthread_mutex_unlock(&s->lock);
	free(new_name);
	free(new_format);
	return rc;
}
