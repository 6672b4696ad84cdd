/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sqlite.c - "Database File Format" of SQLite: pages, of which page 1 begins with a head of 100 bytes and holds the root of
 * the schema's tree.  A table is a tree of pages: inner ones name their children, leaves hold rows; a row that is too large
 * for its page goes on in a chain of overflow pages.  All integers are big-endian; many are varints of one to nine bytes.
 */
#include "sqlite.h"

#include "alloc.h"
#include "checked.h"
#include "guest_file.h"
#include "limits.h"
#include "ondisk.h"

#include <inttypes.h>

#define HEAD_SIZE 100
enum { PAGE_INNER = 5, PAGE_LEAF = 13 };
/* A tree of this depth has more leaves than a file has pages. */
#define DEPTH_MAX 20
#define WAL_HEAD 32
#define WAL_FRAME 24

/* Where the newest version of a page lies in the write-ahead log. */
struct wal_page {
	uint32_t page, frame;
};

struct sqlite {
	struct guest_file f, wal;
	uint32_t page_size, usable;
	uint64_t npages;
	struct wal_page *wal_pages; /* sorted by page, one each */
	size_t nwal;
	uint64_t nread; /* pages of the walk so far: each belongs to one place */
};

static void sqlite_free(struct sqlite *s)
{
	free(s->wal_pages);
}

static uint32_t get32(const uint8_t *p)
{
	be32 v;

	memcpy(&v, p, sizeof v);
	return be32_get(v);
}

static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* A varint of at most left bytes: how many it takes, 0 when it does not end. */
static size_t varint(const uint8_t *p, size_t left, uint64_t *out)
{
	uint64_t v = 0;

	for (size_t i = 0; i < 8 && i < left; i++) {
		v = v << 7 | (p[i] & 0x7f);
		if (!(p[i] & 0x80)) {
			*out = v;
			return i + 1;
		}
	}
	if (left < 9)
		return 0;
	*out = v << 8 | p[8];
	return 9;
}

/* ---- the write-ahead log ---- */

/* Sums over pairs of words, in the order of bytes that the log's head asks for. */
struct wal_sum {
	bool big_endian;
	uint32_t a, b;
};

static uint32_t sum_word(const struct wal_sum *s, const uint8_t *p)
{
	le32 v;

	memcpy(&v, p, sizeof v);
	return s->big_endian ? get32(p) : le32_get(v);
}

static void sum_add(struct wal_sum *s, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i + 8 <= len; i += 8) {
		s->a += sum_word(s, p + i) + s->b;
		s->b += sum_word(s, p + i + 4) + s->a;
	}
}

static int by_page(const void *x, const void *y)
{
	const struct wal_page *a = x, *b = y;

	if (a->page != b->page)
		return a->page < b->page ? -1 : 1;
	return a->frame < b->frame ? -1 : a->frame > b->frame;
}

/* Keeps the last frame of each page. */
static void wal_sort(struct sqlite *s)
{
	size_t n = 0;

	if (s->nwal)
		qsort(s->wal_pages, s->nwal, sizeof *s->wal_pages, by_page);
	for (size_t i = 0; i < s->nwal; i++)
		if (i + 1 == s->nwal || s->wal_pages[i + 1].page != s->wal_pages[i].page)
			s->wal_pages[n++] = s->wal_pages[i];
	s->nwal = n;
}

/* Frames count up to the last one that ends a transaction, and up to the first whose salt or checksum does not fit. */
static int wal_read(struct sqlite *s, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *frame = alloc_bytes(WAL_FRAME + s->page_size);
	uint8_t head[WAL_HEAD];
	struct wal_sum sum = { 0 };
	size_t n = 0, cap = 0;
	int rc;

	if (!frame)
		return err_nomem(e);
	if (s->wal.size < WAL_HEAD)
		return 0;
	rc = guest_file_read(&s->wal, head, sizeof head, 0, e);
	if (rc < 0)
		return rc;
	if ((get32(head) & ~1u) != 0x377f0682 || get32(head + 8) != s->page_size)
		return 0;
	sum.big_endian = get32(head) & 1;
	sum_add(&sum, head, 24);
	if (sum.a != get32(head + 24) || sum.b != get32(head + 28))
		return 0;
	for (uint32_t i = 0;; i++) {
		uint64_t off = WAL_HEAD + (uint64_t)i * (WAL_FRAME + s->page_size);

		if (!range_in(off, WAL_FRAME + s->page_size, s->wal.size))
			break;
		if (n == LIMIT_SQLITE_WAL_PAGES)
			return err_set(e, ERR_LIMIT, "more than %d pages in its write-ahead log", LIMIT_SQLITE_WAL_PAGES);
		rc = guest_file_read(&s->wal, frame, WAL_FRAME + s->page_size, off, e);
		if (rc < 0)
			return rc;
		sum_add(&sum, frame, 8);
		sum_add(&sum, frame + WAL_FRAME, s->page_size);
		if (memcmp(frame + 8, head + 16, 8) != 0 || sum.a != get32(frame + 16) || sum.b != get32(frame + 20))
			break;
		if (n == cap) {
			struct wal_page *pages;

			cap = cap ? cap * 2 : 64;
			pages = alloc_resize(s->wal_pages, cap, sizeof *pages);
			if (!pages)
				return err_nomem(e);
			s->wal_pages = pages;
		}
		s->wal_pages[n++] = (struct wal_page){ .page = get32(frame), .frame = i };
		if (get32(frame + 4)) {
			s->nwal = n;
			s->npages = get32(frame + 4);
		}
	}
	wal_sort(s);
	return 0;
}

/* ---- pages ---- */

static int page_read(struct sqlite *s, uint32_t n, uint8_t *buf, struct err *e)
{
	const struct wal_page key = { .page = n };
	size_t lo = 0, hi = s->nwal;

	if (n == 0 || n > s->npages)
		return err_set(e, ERR_CORRUPT, "page %" PRIu32 " of %" PRIu64, n, s->npages);
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->wal_pages[mid].page < key.page)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < s->nwal && s->wal_pages[lo].page == n)
		return guest_file_read(&s->wal, buf, s->page_size,
				       WAL_HEAD + (uint64_t)s->wal_pages[lo].frame * (WAL_FRAME + s->page_size) + WAL_FRAME, e);
	return guest_file_read(&s->f, buf, s->page_size, (uint64_t)(n - 1) * s->page_size, e);
}

static int sqlite_open(struct vfs *v, const char *path, struct sqlite *s, struct err *e)
{
	CLEANUP(free_ptr) char *wal = alloc_printf("%s-wal", path), *journal = alloc_printf("%s-journal", path);
	uint8_t head[HEAD_SIZE];
	struct guest_file hot;
	be64 mark;
	int rc;

	if (!wal || !journal)
		return err_nomem(e);
	rc = guest_file_find(v, path, &s->f, e);
	if (rc == 0)
		rc = err_set(e, ERR_NOT_FOUND, "there is no such file");
	if (rc > 0)
		rc = guest_file_read(&s->f, head, sizeof head, 0, e);
	if (rc < 0)
		return rc;
	if (memcmp(head, "SQLite format 3", 16) != 0)
		return err_set(e, ERR_CORRUPT, "it is no database of SQLite");
	s->page_size = get16(head + 16) == 1 ? 65536 : get16(head + 16);
	if (!is_pow2(s->page_size) || s->page_size < 512 || head[20] > s->page_size - 480)
		return err_set(e, ERR_CORRUPT, "pages of %" PRIu32 " bytes, %u of them reserved", s->page_size, head[20]);
	s->usable = s->page_size - head[20];
	s->npages = s->f.size / s->page_size;
	rc = guest_file_find(v, journal, &hot, e);
	if (rc > 0 && hot.size >= sizeof mark) {
		rc = guest_file_read(&hot, &mark, sizeof mark, 0, e);
		/* The first bytes of one that is needed; one that is done with is empty, gone, or zeros. */
		if (rc == 0 && be64_get(mark) == 0xd9d505f920a163d7)
			return err_set(e, ERR_UNSUPPORTED,
				       "it was left in the middle of a transaction, which must be rolled back first");
	}
	if (rc >= 0)
		rc = guest_file_find(v, wal, &s->wal, e);
	return rc > 0 ? wal_read(s, e) : rc;
}

/* ---- rows ---- */

/* The values of a record: a head of types, then the bytes. */
static int record_parse(const uint8_t *p, size_t len, struct sqlite_value *values, size_t *n, struct err *e)
{
	static const uint8_t sizes[] = { 0, 1, 2, 3, 4, 6, 8, 8, 0, 0 };
	uint64_t head;
	size_t at = varint(p, len, &head), body = (size_t)head;

	if (at == 0 || head > len)
		return err_set(e, ERR_CORRUPT, "a record whose head leaves it");
	for (*n = 0; at < head && *n < SQLITE_COLUMNS; ++*n) {
		struct sqlite_value *v = &values[*n];
		uint64_t type, size;
		size_t used = varint(p + at, (size_t)head - at, &type);

		if (used == 0 || type == 10 || type == 11)
			return err_set(e, ERR_CORRUPT, "a record with a value of no type");
		at += used;
		size = type < 12 ? sizes[type] : (type - 12) / 2;
		if (!range_in(body, size, len))
			return err_set(e, ERR_CORRUPT, "a record whose values leave it");
		*v = (struct sqlite_value){ .bytes = p + body, .len = (size_t)size };
		if (type >= 12) {
			v->type = type % 2 ? SQLITE_TEXT : SQLITE_BLOB;
		} else if (type == 0) {
			v->type = SQLITE_NULL;
		} else if (type == 7) {
			v->type = SQLITE_REAL;
		} else {
			uint64_t x = size && (p[body] & 0x80) ? UINT64_MAX : 0;

			for (size_t i = 0; i < size; i++)
				x = x << 8 | p[body + i];
			v->type = SQLITE_INTEGER;
			v->integer = type == 9 ? 1 : (int64_t)x;
		}
		body += (size_t)size;
	}
	return 0;
}

struct walk {
	struct sqlite *s;
	size_t max;
	sqlite_row_fn fn;
	void *arg;
};

/* Brings what of a payload lies in overflow pages behind the `have` bytes of buf.  Each page is counted, so it ends. */
static int overflow_read(struct sqlite *s, uint32_t page, uint8_t *buf, size_t have, size_t len, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *bytes = alloc_bytes(s->page_size);

	if (!bytes)
		return err_nomem(e);
	while (have < len) {
		size_t n = MIN_OF(len - have, (size_t)s->usable - 4);
		int rc;

		if (s->nread++ > s->npages)
			return err_set(e, ERR_CORRUPT, "pages that belong to several rows");
		rc = page_read(s, page, bytes, e);
		if (rc < 0)
			return rc;
		memcpy(buf + have, bytes + 4, n);
		have += n;
		page = get32(bytes);
	}
	return 0;
}

/* The row in a leaf's cell of at most left bytes. */
static int row_give(const struct walk *w, const uint8_t *cell, size_t left, struct err *e)
{
	struct sqlite_value values[SQLITE_COLUMNS];
	CLEANUP(free_ptr) uint8_t *whole = NULL;
	uint64_t len, rowid;
	size_t at = varint(cell, left, &len), used, here, n = 0;
	uint32_t u = w->s->usable;
	int rc = 0;

	used = at ? varint(cell + at, left - at, &rowid) : 0;
	if (used == 0)
		return err_set(e, ERR_CORRUPT, "a row that leaves its page");
	at += used;
	if (len > w->max)
		return err_set(e, ERR_LIMIT, "a row of %" PRIu64 " bytes", len);
	/* How much stays in the page: "B-tree Cell Format". */
	here = (size_t)len;
	if (len > u - 35) {
		uint32_t min = (u - 12) * 32 / 255 - 23;
		uint64_t k = min + (len - min) % (u - 4);

		here = k <= u - 35 ? (size_t)k : min;
	}
	if (here + (here < len ? 4 : 0) > left - at)
		return err_set(e, ERR_CORRUPT, "a row that leaves its page");
	if (here < len) {
		if (len > (w->s->npages + 1) * w->s->page_size)
			return err_set(e, ERR_CORRUPT, "a row of %" PRIu64 " bytes in a smaller file", len);
		whole = alloc_bytes((size_t)len);
		if (!whole)
			return err_nomem(e);
		memcpy(whole, cell + at, here);
		rc = overflow_read(w->s, get32(cell + at + here), whole, here, (size_t)len, e);
	}
	if (rc == 0)
		rc = record_parse(whole ? whole : cell + at, (size_t)len, values, &n, e);
	return rc < 0 ? rc : w->fn(w->arg, values, n, e);
}

static int tree_walk(const struct walk *w, uint32_t page, unsigned depth, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *p = alloc_bytes(w->s->page_size);
	size_t head = page == 1 ? HEAD_SIZE : 0;
	unsigned ncells, type;
	int rc;

	if (!p)
		return err_nomem(e);
	if (depth > DEPTH_MAX || w->s->nread++ > w->s->npages)
		return err_set(e, ERR_CORRUPT, "a tree of pages that contains itself");
	rc = page_read(w->s, page, p, e);
	if (rc < 0)
		return rc;
	type = p[head];
	if (type != PAGE_INNER && type != PAGE_LEAF)
		return err_set(e, ERR_CORRUPT, "page %" PRIu32 " is of type %u", page, type);
	ncells = get16(p + head + 3);
	for (unsigned i = 0; rc == 0 && i < ncells; i++) {
		size_t at = head + (type == PAGE_INNER ? 12 : 8) + (size_t)i * 2, cell;

		if (at + 2 > w->s->usable)
			return err_set(e, ERR_CORRUPT, "page %" PRIu32 " counts %u cells", page, ncells);
		cell = get16(p + at);
		if (cell + 4 > w->s->usable)
			return err_set(e, ERR_CORRUPT, "a cell at byte %zu of page %" PRIu32, cell, page);
		rc = type == PAGE_LEAF ? row_give(w, p + cell, w->s->usable - cell, e)
				       : tree_walk(w, get32(p + cell), depth + 1, e);
	}
	if (rc == 0 && type == PAGE_INNER)
		rc = tree_walk(w, get32(p + head + 8), depth + 1, e);
	return rc;
}

/* ---- the schema ---- */

struct table_search {
	const char *name;
	int64_t root; /* 0: not found */
	/* Columns that are asked for by name, and where they are; NULL: none is. */
	const char *const *columns;
	size_t ncolumns;
	int places[SQLITE_COLUMNS];
};

static bool is_text(const struct sqlite_value *v, const char *text)
{
	return v->type == SQLITE_TEXT && v->len == strlen(text) && memcmp(v->bytes, text, v->len) == 0;
}

/* type, name, table, root page, statement */
static int schema_row(void *arg, const struct sqlite_value *v, size_t n, struct err *e)
{
	struct table_search *s = arg;

	(void)e;
	if (n < 4 || !is_text(&v[0], "table") || !is_text(&v[1], s->name) || v[3].type != SQLITE_INTEGER)
		return 0;
	s->root = v[3].integer;
	for (size_t i = 0; i < s->ncolumns; i++)
		s->places[i] = n > 4 && v[4].type == SQLITE_TEXT
				       ? sqlite_column_place((const char *)v[4].bytes, v[4].len, s->columns[i])
				       : -1;
	return 1;
}

/* A row whose values are to come in another order. */
struct named_call {
	const struct table_search *search;
	sqlite_row_fn fn;
	void *arg;
};

static int named_row(void *arg, const struct sqlite_value *v, size_t n, struct err *e)
{
	const struct named_call *c = arg;
	struct sqlite_value values[SQLITE_COLUMNS] = { { .type = SQLITE_NULL } };

	for (size_t i = 0; i < c->search->ncolumns; i++)
		if (c->search->places[i] >= 0 && (size_t)c->search->places[i] < n)
			values[i] = v[c->search->places[i]];
	return c->fn(c->arg, values, c->search->ncolumns, e);
}

static int table_walk(struct vfs *v, const char *path, struct table_search *search, size_t max, sqlite_row_fn fn, void *arg,
		      struct err *e)
{
	CLEANUP(sqlite_free) struct sqlite s = { .nwal = 0 };
	struct walk w = { .s = &s, .max = LIMIT_CONFIG_BYTES, .fn = schema_row, .arg = search };
	int rc = sqlite_open(v, path, &s, e);

	if (rc == 0)
		rc = tree_walk(&w, 1, 0, e);
	if (rc < 0)
		return rc;
	if (search->root <= 0 || search->root > UINT32_MAX)
		return err_set(e, ERR_NOT_FOUND, "it has no table \"%s\"", search->name);
	s.nread = 0;
	w = (struct walk){ .s = &s, .max = max, .fn = fn, .arg = arg };
	return tree_walk(&w, (uint32_t)search->root, 0, e);
}

int sqlite_walk(struct vfs *v, const char *path, const char *table, size_t max, sqlite_row_fn fn, void *arg, struct err *e)
{
	struct table_search search = { .name = table };

	return table_walk(v, path, &search, max, fn, arg, e);
}

int sqlite_walk_columns(struct vfs *v, const char *path, const char *table, const char *const *columns, size_t ncolumns,
			size_t max, sqlite_row_fn fn, void *arg, struct err *e)
{
	struct table_search search = { .name = table, .columns = columns, .ncolumns = MIN_OF(ncolumns, SQLITE_COLUMNS) };
	struct named_call call = { &search, fn, arg };

	return table_walk(v, path, &search, max, named_row, &call, e);
}
