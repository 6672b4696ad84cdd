/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hive.c - keys and values of a hive.
 *
 *	nk, a key: its name, how many subkeys and values it has, where the lists of them are
 *	li, lf, lh: a list of keys; ri: a list of such lists, where one would be too long
 *	vk, a value: its name, type, length, and where its data are (up to 4 bytes are in the place of the offset)
 *	db: data of more than 16344 bytes, since version 1.4: how many segments there are, and where the list of them is
 */
#include "hive_file.h"

#include "alloc.h"
#include "limits.h"
#include "text.h"
#include "upcase.h"

#include <inttypes.h>

struct nk {
	uint8_t id[2];
	le16 flags;
	le64 written;
	le32 spare, parent, nsubkeys, nvolatile, subkeys, volatiles, nvalues, values, security, class;
	le32 longest[5];
	le16 name_len, class_len;
};
_Static_assert(sizeof(struct nk) == 76, "layout");
#define NK_COMPRESSED 0x20 /* the name has a byte a letter, the first 256 of Unicode */

struct vk {
	uint8_t id[2];
	le16 name_len;
	le32 len, data, type;
	le16 flags, spare;
};
_Static_assert(sizeof(struct vk) == 20, "layout");
#define VK_COMPRESSED 1
#define VK_INLINE 0x80000000u

struct list_head {
	uint8_t id[2];
	le16 n;
};
_Static_assert(sizeof(struct list_head) == 4, "layout");

/* 1601 to 1970, and the 100 ns of which Windows counts. */
#define EPOCH_SECONDS 11644473600LL
#define TICKS 10000000LL

struct db {
	uint8_t id[2];
	le16 n;
	le32 list;
};
_Static_assert(sizeof(struct db) == 8, "layout");
#define DB_SEGMENT 16344u

/* ---- opening ---- */

static int nk_at(struct hive *h, hive_key k, struct nk *out, const uint8_t **name, struct err *e)
{
	const uint8_t *cell;
	size_t len;
	int rc;

	hive_rest(h);
	rc = hive_cell(h, k, sizeof *out, "the key", &cell, &len, e);
	if (rc < 0)
		return rc;
	memcpy(out, cell, sizeof *out);
	if (memcmp(out->id, "nk", 2) != 0)
		return err_set(e, ERR_CORRUPT, "there is no key at %" PRIu32, k);
	if (le16_get(out->name_len) > len - sizeof *out)
		return err_set(e, ERR_CORRUPT, "the name of the key at %" PRIu32 " does not fit its cell", k);
	if (le16_get(out->name_len) > LIMIT_HIVE_KEY_NAME)
		return err_set(e, ERR_LIMIT, "the name of the key at %" PRIu32 " has %u bytes", k, le16_get(out->name_len));
	if (name)
		*name = cell + sizeof *out;
	return 0;
}

int hive_open(const struct hive_bytes *file, const struct hive_bytes *logs, size_t nlogs, struct hive **out, struct err *e)
{
	CLEANUP(hive_closep) struct hive *h = alloc_zero(sizeof *h);
	struct nk nk;
	int rc;

	if (!h)
		return err_nomem(e);
	h->file = *file;
	for (size_t i = 0; i < nlogs && i < HIVE_LOGS; i++)
		h->logs[i] = logs[i];
	rc = hive_file_open(h, e);
	if (rc == 0 && (rc = nk_at(h, h->root, &nk, NULL, e)) < 0)
		rc = err_in(e, rc, "its root");
	if (rc < 0)
		return rc;
	*out = take(h);
	return 0;
}

void hive_close(struct hive *h)
{
	if (!h)
		return;
	hive_file_free(h);
	free(h);
}

void hive_closep(struct hive **h)
{
	hive_close(*h);
}

const char *hive_warning(const struct hive *h)
{
	return h->warning;
}

size_t hive_size(const struct hive *h)
{
	return h->size;
}

/* ---- names ---- */

struct name {
	const uint8_t *bytes;
	size_t nunits;
	bool compressed;
};

static uint16_t name_unit(const struct name *n, size_t i)
{
	return n->compressed ? n->bytes[i] : (uint16_t)(n->bytes[2 * i] | n->bytes[2 * i + 1] << 8);
}

static struct name name_of(const uint8_t *bytes, size_t len, bool compressed)
{
	return (struct name){ .bytes = bytes, .nunits = compressed ? len : len / 2, .compressed = compressed };
}

/* A length has 16 bits: so many units at most. */
#define NAME_UNITS 65535

static void name_text(const struct name *n, struct strbuf *out)
{
	uint16_t units[128];
	char text[3 * ARRAY_LEN(units) + 1];
	size_t have = 0;

	for (size_t i = 0; i < n->nunits; i++) {
		uint16_t unit = name_unit(n, i);

		units[have++] = unit ? unit : 0xfffd;
		/* Both halves of a pair in one go. */
		if (i + 1 == n->nunits || (have >= ARRAY_LEN(units) - 1 && (unit & 0xfc00) != 0xd800) ||
		    have == ARRAY_LEN(units)) {
			strbuf_add(out, text, text_from_utf16(units, have, text, sizeof text));
			have = 0;
		}
	}
}

/* Names that are looked for, in upper case. */
struct wanted {
	uint16_t *units;
	size_t n;
};

static void wanted_free(struct wanted *w)
{
	free(w->units);
}

/* 1, or 0 for what cannot be a name. */
static int wanted_name(const char *name, size_t len, struct wanted *w, struct err *e)
{
	if (len > 3 * NAME_UNITS)
		return 0;
	w->units = alloc_array(len + 1, sizeof *w->units);
	if (!w->units)
		return err_nomem(e);
	if (!text_to_utf16(name, len, w->units, len, &w->n))
		return 0;
	for (size_t i = 0; i < w->n; i++)
		w->units[i] = upcase_unit(w->units[i]);
	return 1;
}

static bool name_is(const struct name *n, const struct wanted *w)
{
	if (n->nunits != w->n)
		return false;
	for (size_t i = 0; i < w->n; i++) {
		uint16_t unit = name_unit(n, i);

		if (upcase_unit(unit ? unit : 0xfffd) != w->units[i])
			return false;
	}
	return true;
}

/* A letter in upper case, and a backslash before all of them, so that a key comes before what is in it. */
static uint32_t folded(const uint8_t **p)
{
	uint32_t c = *(*p)++;
	unsigned more = c < 0xc0 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;

	if (c == 0)
		return 0;
	c &= 0xffu >> (more ? more + 2 : 0);
	for (; more && **p; more--)
		c = c << 6 | (*(*p)++ & 0x3f);
	return 1 + (c == '\\' ? 0 : c > UINT16_MAX ? c : upcase_unit((uint16_t)c));
}

int hive_name_order(const char *a, const char *b)
{
	const uint8_t *x = (const uint8_t *)a, *y = (const uint8_t *)b;
	uint32_t left, right;

	do {
		left = folded(&x);
		right = folded(&y);
	} while (left && left == right);
	return (left > right) - (left < right);
}

/* ---- keys ---- */

hive_key hive_root(const struct hive *h)
{
	return h->root;
}

static int key_name(struct hive *h, hive_key k, struct name *out, struct err *e)
{
	const uint8_t *bytes;
	struct nk nk;
	int rc = nk_at(h, k, &nk, &bytes, e);

	if (rc == 0)
		*out = name_of(bytes, le16_get(nk.name_len), le16_get(nk.flags) & NK_COMPRESSED);
	return rc;
}

int hive_key_name(struct hive *h, hive_key k, struct strbuf *out, struct err *e)
{
	struct name n;
	int rc = key_name(h, k, &n, e);

	if (rc < 0)
		return rc;
	name_text(&n, out);
	return out->failed ? err_nomem(e) : 0;
}

int hive_key_time(struct hive *h, hive_key k, int64_t *out, struct err *e)
{
	struct nk nk;
	int rc = nk_at(h, k, &nk, NULL, e);
	uint64_t ticks = rc == 0 ? le64_get(nk.written) : 0;

	*out = ticks ? (int64_t)(ticks / TICKS) - EPOCH_SECONDS : 0;
	return rc;
}

/* The subkeys that lists have brought, and how many there are; no more than `max` are kept. */
struct listed {
	hive_key *keys;
	uint64_t n, max;
};

/* The entries of a list, copied: free(*items).  *lists: they are lists themselves. */
static int list_load(struct hive *h, uint32_t off, uint32_t **items, size_t *n, bool *lists, struct err *e)
{
	struct list_head head;
	const uint8_t *cell;
	size_t len, each;
	int rc = hive_cell(h, off, sizeof head, "a list of keys", &cell, &len, e);

	*items = NULL;
	if (rc < 0)
		return rc;
	memcpy(&head, cell, sizeof head);
	*lists = memcmp(head.id, "ri", 2) == 0;
	if (memcmp(head.id, "lf", 2) == 0 || memcmp(head.id, "lh", 2) == 0)
		each = 8;
	else if (memcmp(head.id, "li", 2) == 0 || *lists)
		each = 4;
	else
		return err_set(e, ERR_CORRUPT, "there is no list of keys at %" PRIu32, off);
	*n = le16_get(head.n);
	if (*n * each > len - sizeof head)
		return err_set(e, ERR_CORRUPT, "the list of keys at %" PRIu32 " does not fit its cell", off);
	rc = hive_step(h, *n, e);
	if (rc < 0)
		return rc;
	*items = alloc_array(*n + 1, sizeof **items);
	if (!*items)
		return err_nomem(e);
	for (size_t i = 0; i < *n; i++) {
		le32 at;

		memcpy(&at, cell + sizeof head + i * each, sizeof at);
		(*items)[i] = le32_get(at);
	}
	hive_rest(h);
	return 0;
}

/* A list of keys, or (depth 0 only) of lists. */
static int list_keys(struct hive *h, uint32_t off, unsigned depth, struct listed *l, struct err *e)
{
	CLEANUP(free_ptr) uint32_t *items = NULL;
	bool lists = false;
	size_t n = 0;
	int rc = list_load(h, off, &items, &n, &lists, e);

	if (rc == 0 && lists && depth)
		rc = err_set(e, ERR_CORRUPT, "there is no list of keys at %" PRIu32, off);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		uint64_t before = l->n;

		if (!lists) {
			if (l->n < l->max)
				l->keys[l->n] = items[i];
			l->n++;
			continue;
		}
		rc = list_keys(h, items[i], depth + 1, l, e);
		/* Each list that is followed must bring keys, of which there are no more than cells. */
		if (rc == 0 && (l->n == before || l->n > h->ncells))
			rc = err_set(e, ERR_CORRUPT, "the list of keys at %" PRIu32 " is nonsense", off);
	}
	return rc;
}

int hive_subkeys(struct hive *h, hive_key k, hive_key **out, size_t *n, struct err *e)
{
	CLEANUP(free_ptr) hive_key *keys = NULL;
	struct listed l = { .n = 0 };
	uint32_t counted;
	struct nk nk;
	int rc = nk_at(h, k, &nk, NULL, e);

	*n = 0;
	*out = NULL;
	counted = rc == 0 ? le32_get(nk.nsubkeys) : 0;
	if (!counted)
		return rc;
	l.max = MIN_OF(counted, h->ncells);
	l.keys = keys = alloc_array(l.max, sizeof *keys);
	if (!keys)
		return err_nomem(e);
	rc = list_keys(h, le32_get(nk.subkeys), 0, &l, e);
	if (rc < 0)
		return rc;
	if (l.n != counted || l.n > l.max)
		return err_set(e, ERR_CORRUPT, "%" PRIu32 " subkeys are counted and %" PRIu64 " are listed", counted, l.n);
	*n = (size_t)l.n;
	*out = take(keys);
	return 0;
}

static int subkey(struct hive *h, hive_key k, const struct wanted *w, hive_key *out, struct err *e)
{
	CLEANUP(free_ptr) hive_key *keys = NULL;
	size_t n;
	int rc = hive_subkeys(h, k, &keys, &n, e);

	for (size_t i = 0; rc == 0 && i < n; i++) {
		struct name name;

		/* One that is damaged is not the one. */
		if (key_name(h, keys[i], &name, NULL) == 0 && name_is(&name, w)) {
			*out = keys[i];
			return 1;
		}
	}
	return rc;
}

int hive_subkey(struct hive *h, hive_key k, const char *name, hive_key *out, struct err *e)
{
	CLEANUP(wanted_free) struct wanted w = { NULL, 0 };
	int rc = wanted_name(name, strlen(name), &w, e);

	return rc > 0 ? subkey(h, k, &w, out, e) : rc;
}

int hive_find(struct hive *h, hive_key k, const char *path, hive_key *out, struct err *e)
{
	for (size_t len; *(path += strspn(path, "\\")); path += len) {
		CLEANUP(wanted_free) struct wanted w = { NULL, 0 };
		int rc;

		len = strcspn(path, "\\");
		rc = wanted_name(path, len, &w, e);
		if (rc > 0)
			rc = subkey(h, k, &w, &k, e);
		if (rc <= 0)
			return rc;
	}
	*out = k;
	return 1;
}

/* ---- values ---- */

void hive_value_clear(struct hive_value *v)
{
	free(v->name);
	free(v->data);
	memset(v, 0, sizeof *v);
}

static int vk_at(struct hive *h, uint32_t off, struct vk *out, struct name *name, struct err *e)
{
	const uint8_t *cell;
	size_t len;
	int rc;

	hive_rest(h);
	rc = hive_cell(h, off, sizeof *out, "the value", &cell, &len, e);
	if (rc < 0)
		return rc;
	memcpy(out, cell, sizeof *out);
	if (memcmp(out->id, "vk", 2) != 0)
		return err_set(e, ERR_CORRUPT, "there is no value at %" PRIu32, off);
	if (le16_get(out->name_len) > len - sizeof *out)
		return err_set(e, ERR_CORRUPT, "the name of the value at %" PRIu32 " does not fit its cell", off);
	*name = name_of(cell + sizeof *out, le16_get(out->name_len), le16_get(out->flags) & VK_COMPRESSED);
	return 0;
}

int hive_values(struct hive *h, hive_key k, uint32_t **out, size_t *n, struct err *e)
{
	const uint8_t *cell;
	size_t len, claimed;
	struct nk nk;
	int rc = nk_at(h, k, &nk, NULL, e);

	*n = 0;
	*out = NULL;
	if (rc < 0 || !le32_get(nk.nvalues))
		return rc;
	claimed = le32_get(nk.nvalues);
	rc = hive_cell(h, le32_get(nk.values), 0, "the list of values", &cell, &len, e);
	if (rc == 0 && claimed > len / 4)
		rc = err_set(e, ERR_CORRUPT, "a list of %zu values does not fit its cell", claimed);
	if (rc == 0)
		rc = hive_step(h, claimed, e);
	if (rc < 0)
		return rc;
	*out = alloc_array(claimed, sizeof **out);
	if (!*out)
		return err_nomem(e);
	for (; *n < claimed; ++*n) {
		le32 at;

		memcpy(&at, cell + 4 * *n, sizeof at);
		(*out)[*n] = le32_get(at);
	}
	return 0;
}

static int not_there(uint32_t len, struct err *e)
{
	return err_set(e, ERR_CORRUPT, "its %" PRIu32 " bytes are not there", len);
}

/* Data in segments, each but the last of the same length. */
static int segments_load(struct hive *h, const struct db *db, uint8_t *data, uint32_t len, struct err *e)
{
	CLEANUP(free_ptr) le32 *list = NULL;
	size_t n = le16_get(db->n), cell_len;
	const uint8_t *cell;
	int rc;

	if (n != (len + DB_SEGMENT - 1) / DB_SEGMENT)
		return not_there(len, e);
	rc = hive_cell(h, le32_get(db->list), n * sizeof *list, "the list of its segments", &cell, &cell_len, e);
	if (rc < 0)
		return rc;
	list = alloc_array(n, sizeof *list);
	if (!list)
		return err_nomem(e);
	memcpy(list, cell, n * sizeof *list);
	for (size_t i = 0, at = 0; rc == 0 && i < n; i++) {
		size_t part = MIN_OF(len - at, DB_SEGMENT);

		hive_rest(h);
		rc = hive_cell(h, le32_get(list[i]), part, "a segment", &cell, &cell_len, e);
		if (rc == 0)
			memcpy(data + at, cell, part);
		at += part;
	}
	return rc;
}

static int value_data(struct hive *h, const struct vk *vk, struct hive_value *out, struct err *e)
{
	const bool is_inline = le32_get(vk->len) & VK_INLINE;
	uint32_t len = le32_get(vk->len) & ~VK_INLINE;
	const uint8_t *cell;
	size_t cell_len;
	struct db db;
	int rc;

	if (len > LIMIT_HIVE_VALUE)
		return err_set(e, ERR_LIMIT, "%" PRIu32 " bytes are more than a value may have", len);
	rc = hive_step(h, 1 + len / 64, e);
	if (rc < 0)
		return rc;
	if (is_inline && len > sizeof vk->data)
		return not_there(len, e);
	out->data = alloc_zero(len + 1);
	if (!out->data)
		return err_nomem(e);
	out->len = len;
	if (len == 0)
		return 0;
	if (is_inline) {
		memcpy(out->data, &vk->data, len);
		return 0;
	}
	rc = hive_cell(h, le32_get(vk->data), 0, "what it holds", &cell, &cell_len, e);
	if (rc < 0)
		return rc == -ERR_CORRUPT ? not_there(len, e) : rc;
	if (cell_len >= len) {
		memcpy(out->data, cell, len);
		return 0;
	}
	if (len <= DB_SEGMENT || h->minor < 4 || cell_len < sizeof db || memcmp(cell, "db", 2) != 0)
		return not_there(len, e);
	memcpy(&db, cell, sizeof db);
	return segments_load(h, &db, out->data, len, e);
}

int hive_value_name(struct hive *h, uint32_t value, struct strbuf *out, struct err *e)
{
	struct name n;
	struct vk vk;
	int rc = vk_at(h, value, &vk, &n, e);

	if (rc < 0)
		return rc;
	name_text(&n, out);
	return out->failed ? err_nomem(e) : 0;
}

int hive_value(struct hive *h, uint32_t value, struct hive_value *out, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf name = STRBUF_INIT;
	struct name n;
	struct vk vk;
	int rc = vk_at(h, value, &vk, &n, e);

	memset(out, 0, sizeof *out);
	if (rc < 0)
		return rc;
	name_text(&n, &name);
	out->type = le32_get(vk.type);
	rc = value_data(h, &vk, out, e);
	if (rc < 0) {
		CLEANUP(strbuf_free) struct strbuf q = STRBUF_INIT;

		hive_value_clear(out);
		text_quote(&q, name.s, MIN_OF(name.len, 200));
		return err_in(e, rc, "the value \"%s\"", q.s);
	}
	out->name = strbuf_detach(&name);
	if (!out->name) {
		hive_value_clear(out);
		return err_nomem(e);
	}
	return 0;
}

int hive_get(struct hive *h, hive_key k, const char *name, struct hive_value *out, struct err *e)
{
	CLEANUP(wanted_free) struct wanted w = { NULL, 0 };
	CLEANUP(free_ptr) uint32_t *values = NULL;
	size_t n;
	int rc = wanted_name(name, strlen(name), &w, e);

	memset(out, 0, sizeof *out);
	if (rc <= 0)
		return rc;
	rc = hive_values(h, k, &values, &n, e);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		struct name found;
		struct vk vk;

		if (vk_at(h, values[i], &vk, &found, NULL) < 0 || !name_is(&found, &w))
			continue;
		rc = hive_value(h, values[i], out, e);
		return rc < 0 ? rc : 1;
	}
	return rc;
}

int hive_get_at(struct hive *h, hive_key k, const char *path, const char *name, struct hive_value *out, struct err *e)
{
	int rc = hive_find(h, k, path, &k, e);

	memset(out, 0, sizeof *out);
	return rc > 0 ? hive_get(h, k, name, out, e) : rc;
}

bool hive_value_text(const struct hive_value *v, struct strbuf *out)
{
	if (v->type != REG_SZ && v->type != REG_EXPAND_SZ && v->type != REG_MULTI_SZ && v->type != REG_LINK)
		return false;
	text_utf16le(out, v->data, v->len / 2);
	return true;
}

bool hive_value_number(const struct hive_value *v, uint64_t *out)
{
	*out = 0;
	if (v->type == REG_DWORD && v->len == 4)
		*out = v->data[0] | v->data[1] << 8 | v->data[2] << 16 | (uint32_t)v->data[3] << 24;
	else if (v->type == REG_DWORD_BIG_ENDIAN && v->len == 4)
		*out = v->data[3] | v->data[2] << 8 | v->data[1] << 16 | (uint32_t)v->data[0] << 24;
	else if (v->type == REG_QWORD && v->len == 8)
		for (int i = 7; i >= 0; i--)
			*out = *out << 8 | v->data[i];
	else
		return false;
	return true;
}
