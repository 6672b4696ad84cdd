// SPDX-License-Identifier: LGPL-2.1-or-later
/* qcow2_bitmap_write.c - persistent dirty bitmaps, changed: by what is written to the disk, and by orders. */
#include "qcow2_bitmap.h"

#include <inttypes.h>

/* What others refuse to load: so many bytes of bits, so many entries of a table. */
#define MAX_BYTES (512 * MiB)
#define MAX_TABLE (128 * MiB)

/* ---- marks ---- */

static int write_flags(struct block *b, const struct qcow2_bitmap *m, struct err *e)
{
	const struct qcow2_state *s = b->state;
	be32 flags;

	be32_put(&flags, m->flags);
	return block_pwrite(b->file, &flags, sizeof flags,
			    s->bitmaps_dir_off + m->dir_pos + offsetof(struct qcow2_bitmap_entry, flags), e);
}

/* It is marked in use, and that is stable. */
static int hold(struct block *b, struct qcow2_bitmap *m, struct err *e)
{
	int rc;

	if (m->held)
		return 0;
	m->flags |= QCOW2_BITMAP_IN_USE;
	if (m->dir_pos != QCOW2_BITMAP_NOWHERE) {
		rc = write_flags(b, m, e);
		if (rc == 0)
			rc = block_flush(b->file, e);
		if (rc < 0)
			return err_in(e, rc, "bitmap \"%s\"", m->name);
	}
	m->held = true;
	return 0;
}

/* Clusters that lose their reference when all is stored.  Where memory is out they leak. */
static void gone(struct block *b, uint64_t off, uint64_t n)
{
	struct qcow2_state *s = b->state;
	struct qcow2_free *p;

	if (!off || !n)
		return;
	p = alloc_resize(s->bm_gone, s->nbm_gone + 1UL, sizeof *p);
	if (!p)
		return;
	s->bm_gone = p;
	p[s->nbm_gone++] = (struct qcow2_free){ .idx = off >> s->cluster_bits, .n = n };
}

static void table_gone(struct block *b, struct qcow2_bitmap *m)
{
	const struct qcow2_state *s = b->state;

	gone(b, m->table_off, div_round_up(8ULL * m->table_size, s->cluster_size));
	m->table_off = 0;
	m->table_size = 0;
}

/* ---- bits ---- */

static void set_range(uint8_t *bits, uint64_t from, uint64_t until, bool on)
{
	while (from < until) {
		if (from % 8 == 0 && until - from >= 8) {
			memset(bits + from / 8, on ? 0xff : 0, (until - from) / 8);
			from += (until - from) / 8 * 8;
			continue;
		}
		if (on)
			bits[from / 8] |= (uint8_t)(1u << from % 8);
		else
			bits[from / 8] &= (uint8_t)~(1u << from % 8);
		from++;
	}
}

static int change_bits(struct block *b, struct qcow2_bitmap *m, uint64_t from, uint64_t until, bool on, struct err *e)
{
	const struct qcow2_state *s = b->state;
	uint64_t per = s->cluster_size * 8;
	int rc = qcow2_bitmap_table(b, m, e);

	until = MIN_OF(until, m->nchunks * per);
	while (rc == 0 && from < until) {
		uint64_t i = from / per, stop = MIN_OF(until, (i + 1) * per);
		struct qcow2_bitmap_chunk *c = &m->chunks[i];
		uint8_t *bits;

		if (c->bits || (c->entry & QCOW2_OFFSET_MASK) || (c->entry & 1) != on) {
			rc = qcow2_bitmap_chunk(b, m, i, &bits, e);
			if (rc == 0) {
				set_range(bits, from % per, from % per + (stop - from), on);
				c->dirty = true;
			}
		}
		from = stop;
	}
	return rc;
}

static int mark(struct block *b, struct qcow2_bitmap *m, uint64_t off, uint64_t len, struct err *e)
{
	int rc = hold(b, m, e);

	if (rc < 0 || !len)
		return rc;
	rc = change_bits(b, m, off >> m->granularity_bits, ((off + len - 1) >> m->granularity_bits) + 1, true, e);
	return rc;
}

int qcow2_bitmaps_note(struct block *b, uint64_t off, uint64_t len, struct err *e)
{
	struct qcow2_state *s = b->state;
	int rc = 0;

	if (off >= b->size)
		return 0;
	len = MIN_OF(len, b->size - off);
	for (uint32_t i = 0; rc == 0 && i < s->nbm; i++) {
		struct qcow2_bitmap *m = &s->bm[i];

		/* What we cannot keep must not look valid to those who can. */
		if (m->inconsistent && !(m->flags & QCOW2_BITMAP_IN_USE))
			rc = hold(b, m, e);
		if (rc < 0 || m->inconsistent || !(m->flags & QCOW2_BITMAP_AUTO))
			continue;
		rc = hold(b, m, e);
		/* It stays marked in use on disk. */
		if (rc == 0 && mark(b, m, off, len, NULL) < 0)
			m->inconsistent = true;
	}
	return rc;
}

/* ---- another size ---- */

int qcow2_bitmaps_may_resize(struct block *b, struct err *e)
{
	struct qcow2_state *s = b->state;
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < s->nbm; i++) {
		struct qcow2_bitmap *m = &s->bm[i];

		if (m->inconsistent)
			return err_set(e, ERR_USAGE, "bitmap '%s' is inconsistent and cannot be resized: remove it first",
				       m->name);
		rc = hold(b, m, e);
		if (rc == 0)
			rc = qcow2_bitmap_table(b, m, e);
	}
	return rc;
}

static int resize(struct block *b, struct qcow2_bitmap *m, uint64_t old_bits, struct err *e)
{
	const struct qcow2_state *s = b->state;
	uint64_t n = qcow2_bitmap_chunks(b, m), bits = qcow2_bitmap_bits(b, m), per = s->cluster_size * 8;
	struct qcow2_bitmap_chunk *chunks;
	int rc = 0;

	/* Nothing behind the end of the smaller disk may be seen as set. */
	if (MIN_OF(bits, old_bits) % per)
		rc = change_bits(b, m, MIN_OF(bits, old_bits), round_up(MIN_OF(bits, old_bits), per), false, e);
	if (rc < 0 || n == m->nchunks)
		return rc;
	for (uint64_t i = n; i < m->nchunks; i++) {
		gone(b, m->chunks[i].entry & QCOW2_OFFSET_MASK, 1);
		free(take(m->chunks[i].bits));
	}
	m->nchunks = MIN_OF(m->nchunks, n);
	chunks = alloc_resize(m->chunks, MAX_OF(n, 1), sizeof *chunks);
	if (!chunks)
		return err_nomem(e);
	memset(chunks + m->nchunks, 0, (n - m->nchunks) * sizeof *chunks);
	m->chunks = chunks;
	m->nchunks = n;
	m->table_moves = true;
	return 0;
}

void qcow2_bitmaps_resize(struct block *b, uint64_t size)
{
	struct qcow2_state *s = b->state;
	uint64_t old_size = b->size;

	__atomic_store_n(&b->size, size, __ATOMIC_RELAXED);
	for (uint32_t i = 0; i < s->nbm; i++) {
		struct qcow2_bitmap *m = &s->bm[i];

		if (!m->inconsistent && resize(b, m, div_round_up(old_size, 1ULL << m->granularity_bits), NULL) < 0)
			m->inconsistent = true;
		/* A disk that was cut and grows again has other bytes there than at first. */
		if (!m->inconsistent && size > old_size && (m->flags & QCOW2_BITMAP_AUTO) &&
		    mark(b, m, old_size, size - old_size, NULL) < 0)
			m->inconsistent = true;
		s->bm_dir_changed |= m->table_moves;
	}
}

/* ---- onto the disk ---- */

static bool all_zero(const uint8_t *p, size_t len)
{
	return p[0] == 0 && memcmp(p, p + 1, len - 1) == 0;
}

static int store_chunks(struct block *b, struct qcow2_bitmap *m, struct err *e)
{
	const struct qcow2_state *s = b->state;
	int rc = 0;

	for (uint64_t i = 0; rc == 0 && i < m->nchunks; i++) {
		struct qcow2_bitmap_chunk *c = &m->chunks[i];
		uint64_t off = c->entry & QCOW2_OFFSET_MASK;

		if (!c->dirty)
			continue;
		if (all_zero(c->bits, s->cluster_size)) {
			gone(b, off, 1);
			c->entry = 0;
			c->dirty = false;
			continue;
		}
		if (!off) {
			rc = qcow2_alloc(b, 1, true, &off, NULL, NULL, e);
			c->entry = rc == 0 ? off : c->entry;
		}
		if (rc == 0)
			rc = block_pwrite(b->file, c->bits, s->cluster_size, off, e);
		c->dirty = rc < 0;
	}
	return rc;
}

static int store_table(struct block *b, struct qcow2_bitmap *m, struct err *e)
{
	const struct qcow2_state *s = b->state;
	CLEANUP(free_ptr) be64 *disk = alloc_array(MAX_OF(m->nchunks, 1), sizeof *disk);
	uint64_t nclusters = div_round_up(8 * m->nchunks, s->cluster_size);
	int rc = 0;

	if (!disk)
		return err_nomem(e);
	if (m->table_moves || !m->table_off) {
		uint64_t off;

		/* Others want a table even where there is nothing to tell. */
		rc = qcow2_alloc(b, MAX_OF(nclusters, 1), true, &off, NULL, NULL, e);
		if (rc < 0)
			return rc;
		table_gone(b, m);
		m->table_off = off;
		m->table_size = (uint32_t)m->nchunks;
		m->table_moves = false;
	}
	for (uint64_t i = 0; i < m->nchunks; i++)
		be64_put(&disk[i], m->chunks[i].entry);
	/* What it names must be counted before it is named. */
	rc = qcow2_write_refs(b, e);
	if (rc == 0)
		rc = qcow2_sync(b, e);
	return rc == 0 ? block_pwrite(b->file, disk, m->nchunks * sizeof *disk, m->table_off, e) : rc;
}

static size_t entry_bytes(const struct qcow2_bitmap *m)
{
	return (size_t)round_up(sizeof(struct qcow2_bitmap_entry) + m->extra_len + strlen(m->name), 8);
}

static void put_entry(uint8_t *to, const struct qcow2_bitmap *m)
{
	struct qcow2_bitmap_entry x = { .type = (uint8_t)m->type, .granularity_bits = (uint8_t)m->granularity_bits };

	be64_put(&x.table_off, m->table_off);
	be32_put(&x.table_size, m->table_size);
	be32_put(&x.flags, m->flags);
	be16_put(&x.name_len, (uint16_t)strlen(m->name));
	be32_put(&x.extra_len, m->extra_len);
	memcpy(to, &x, sizeof x);
	if (m->extra_len)
		memcpy(to + sizeof x, m->extra, m->extra_len);
	memcpy(to + sizeof x + m->extra_len, m->name, strlen(m->name));
}

/* Where the directory was, to go back to when the header could not be written. */
struct dir_place {
	uint64_t off, size, autoclear;
	uint32_t n;
};

static int name_dir(struct block *b, const struct dir_place *p, struct err *e)
{
	struct qcow2_state *s = b->state;
	struct dir_place old = { s->bitmaps_dir_off, s->bitmaps_dir_size, s->autoclear, s->nbitmaps };
	struct qcow2_ext_edit edit = { .type = QCOW2_EXT_BITMAPS };
	struct qcow2_bitmaps_ext x = { .nbitmaps = { { 0 } } };
	int rc;

	be32_put(&x.nbitmaps, p->n);
	be32_put(&x.reserved, 0);
	be64_put(&x.dir_size, p->size);
	be64_put(&x.dir_off, p->off);
	edit.data = p->n ? &x : NULL;
	edit.len = sizeof x;
	s->autoclear = p->autoclear;
	s->bitmaps_dir_off = p->off;
	s->bitmaps_dir_size = p->size;
	s->nbitmaps = p->n;
	rc = qcow2_header_edit(b, &edit, 1, e);
	if (rc == 0) {
		gone(b, old.off, div_round_up(old.size, s->cluster_size));
		return 0;
	}
	s->autoclear = old.autoclear;
	s->bitmaps_dir_off = old.off;
	s->bitmaps_dir_size = old.size;
	s->nbitmaps = old.n;
	return rc;
}

/* A directory of all bitmaps as they are now, switched to by the header. */
static int store_dir(struct block *b, struct err *e)
{
	struct qcow2_state *s = b->state;
	struct dir_place p = { .n = s->nbm, .autoclear = s->autoclear & ~(uint64_t)QCOW2_AUTOCLEAR_BITMAPS };
	CLEANUP(free_ptr) uint8_t *bytes = NULL;
	size_t pos = 0;
	int rc;

	if (!s->nbm)
		return name_dir(b, &p, e);
	for (uint32_t i = 0; i < s->nbm; i++)
		p.size += entry_bytes(&s->bm[i]);
	p.autoclear |= QCOW2_AUTOCLEAR_BITMAPS;
	bytes = alloc_zero(p.size);
	if (!bytes)
		return err_nomem(e);
	rc = qcow2_alloc(b, div_round_up(p.size, s->cluster_size), true, &p.off, NULL, NULL, e);
	if (rc < 0)
		return rc;
	for (uint32_t i = 0; i < s->nbm; i++) {
		put_entry(bytes + pos, &s->bm[i]);
		pos += entry_bytes(&s->bm[i]);
	}
	rc = qcow2_write_refs(b, e);
	if (rc == 0)
		rc = block_pwrite(b->file, bytes, p.size, p.off, e);
	if (rc == 0)
		rc = qcow2_sync(b, e);
	if (rc == 0)
		rc = name_dir(b, &p, e);
	if (rc < 0)
		return rc;
	pos = 0;
	for (uint32_t i = 0; i < s->nbm; i++) {
		s->bm[i].dir_pos = pos;
		pos += entry_bytes(&s->bm[i]);
	}
	return 0;
}

static int store_all(struct block *b, struct err *e)
{
	struct qcow2_state *s = b->state;
	int rc = qcow2_write_meta(b, e);

	for (uint32_t i = 0; rc == 0 && i < s->nbm; i++) {
		struct qcow2_bitmap *m = &s->bm[i];

		if (m->inconsistent || !m->held)
			continue;
		rc = qcow2_bitmap_table(b, m, e);
		if (rc == 0)
			rc = store_chunks(b, m, e);
		if (rc == 0)
			rc = store_table(b, m, e);
	}
	if (rc == 0)
		rc = qcow2_sync(b, e);
	if (rc < 0)
		return rc;
	/* The directory may be new: with the marks, since nobody could say which of the two a failed switch left. */
	rc = s->bm_dir_changed ? store_dir(b, e) : 0;
	if (rc < 0)
		return rc;
	s->bm_dir_changed = false;
	/* Everything is there: now it is valid. */
	for (uint32_t i = 0; rc == 0 && i < s->nbm; i++) {
		struct qcow2_bitmap *m = &s->bm[i];

		if (!m->held || m->inconsistent)
			continue;
		m->flags &= ~(uint32_t)QCOW2_BITMAP_IN_USE;
		m->held = false;
		rc = write_flags(b, m, e);
		if (rc < 0 && hold(b, m, NULL) < 0)
			m->inconsistent = true;
	}
	return rc == 0 ? block_flush(b->file, e) : rc;
}

int qcow2_bitmaps_store(struct block *b, struct err *e)
{
	struct qcow2_state *s = b->state;
	bool any = s->bm_dir_changed;
	int rc;

	for (uint32_t i = 0; i < s->nbm; i++)
		any |= s->bm[i].held && !s->bm[i].inconsistent;
	if (!any)
		return 0;
	rc = store_all(b, e);
	if (rc < 0)
		return err_in(e, rc, "bitmaps");
	for (uint32_t i = 0; i < s->nbm_gone; i++)
		qcow2_free_later(b, s->bm_gone[i].idx << s->cluster_bits, s->bm_gone[i].n, QCOW2_FREE_OTHER);
	s->nbm_gone = 0;
	return qcow2_apply_frees(b, e);
}

/* ---- orders ---- */

/* Takes the lock and finds a bitmap to change; the caller always unlocks. */
static int begin(struct block *b, const char *name, struct qcow2_bitmap **m, struct err *e)
{
	struct qcow2_state *s = b->state;
	int rc;

	pthread_mutex_lock(&s->lock);
	rc = qcow2_begin_write(b, e);
	if (rc == 0)
		rc = qcow2_bitmap_get(b, name, m, e);
	return rc == 0 ? hold(b, *m, e) : rc;
}

static int judge_new(struct block *b, const char *name, uint64_t granularity, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t bytes, dir = entry_bytes(&(struct qcow2_bitmap){ .name = (char *)name });

	if (s->version < 3)
		return err_set(e, ERR_UNSUPPORTED, "cannot store dirty bitmaps in qcow2 v2 files");
	if (!*name)
		return err_set(e, ERR_USAGE, "bitmap name cannot be empty");
	if (strlen(name) > QCOW2_BITMAP_MAX_NAME)
		return err_set(e, ERR_USAGE, "name length exceeds maximum (%d characters)", QCOW2_BITMAP_MAX_NAME);
	if (!is_pow2(granularity) || granularity < 1ULL << QCOW2_BITMAP_MIN_BITS)
		return err_set(e, ERR_USAGE, "granularity must be power of 2 and at least 512");
	if (granularity > 1ULL << QCOW2_BITMAP_MAX_BITS)
		return err_set(e, ERR_USAGE, "granularity exceeds maximum (2147483648 bytes)");
	bytes = div_round_up(div_round_up(b->size, granularity), 8);
	if (bytes > MAX_BYTES || div_round_up(bytes, s->cluster_size) > MAX_TABLE)
		return err_set(e, ERR_LIMIT, "too much space will be occupied by the bitmap; use larger granularity");
	if (qcow2_bitmap_find(s, name))
		return err_set(e, ERR_USAGE, "bitmap already exists: %s", name);
	for (uint32_t i = 0; i < s->nbm; i++)
		dir += entry_bytes(&s->bm[i]);
	if (s->nbm >= LIMIT_QCOW2_BITMAPS)
		return err_set(e, ERR_LIMIT, "maximum number of persistent bitmaps is already reached");
	if (dir > LIMIT_QCOW2_BITMAP_DIR)
		return err_set(e, ERR_LIMIT, "not enough space in the bitmap directory");
	return 0;
}

static int add(struct block *b, const char *name, uint64_t granularity, bool disabled, struct err *e)
{
	struct qcow2_state *s = b->state;
	struct qcow2_bitmap m = { .type = QCOW2_BITMAP_DIRTY, .dir_pos = QCOW2_BITMAP_NOWHERE, .held = true }, *list;
	int rc = qcow2_begin_write(b, e);

	if (rc == 0)
		rc = qcow2_bitmaps_load(b, e);
	if (!granularity)
		granularity = MIN_OF(MAX_OF(s->cluster_size, 4 * KiB), 64 * KiB);
	if (rc == 0)
		rc = judge_new(b, name, granularity, e);
	if (rc < 0)
		return rc;
	list = alloc_resize(s->bm, s->nbm + 1UL, sizeof *list);
	if (!list)
		return err_nomem(e);
	s->bm = list;
	m.flags = QCOW2_BITMAP_IN_USE | (disabled ? 0 : QCOW2_BITMAP_AUTO);
	m.granularity_bits = log2_of(granularity);
	m.nchunks = qcow2_bitmap_chunks(b, &m);
	m.name = alloc_strdup(name);
	m.chunks = alloc_array(MAX_OF(m.nchunks, 1), sizeof *m.chunks);
	if (!m.name || !m.chunks) {
		qcow2_bitmap_free(&m);
		return err_nomem(e);
	}
	s->bm[s->nbm++] = m;
	s->bm_dir_changed = true;
	return 0;
}

int qcow2_bitmap_add(struct block *b, const char *name, uint64_t granularity, bool disabled, struct err *e)
{
	struct qcow2_state *s = b->state;
	int rc;

	pthread_mutex_lock(&s->lock);
	rc = add(b, name, granularity, disabled, e);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

int qcow2_bitmap_remove(struct block *b, const char *name, struct err *e)
{
	struct qcow2_state *s = b->state;
	struct qcow2_bitmap *m;
	int rc;

	pthread_mutex_lock(&s->lock);
	rc = qcow2_begin_write(b, e);
	if (rc == 0)
		rc = qcow2_bitmaps_load(b, e);
	m = rc == 0 ? qcow2_bitmap_find(s, name) : NULL;
	if (rc == 0 && !m)
		rc = err_set(e, ERR_NOT_FOUND, "dirty bitmap '%s' not found", name);
	if (rc == 0) {
		/* Where its table cannot be read, its clusters leak; check finds them. */
		if (qcow2_bitmap_table(b, m, NULL) == 0)
			for (uint64_t i = 0; i < m->nchunks; i++)
				gone(b, m->chunks[i].entry & QCOW2_OFFSET_MASK, 1);
		table_gone(b, m);
		qcow2_bitmap_free(m);
		memmove(m, m + 1, (size_t)(&s->bm[s->nbm] - (m + 1)) * sizeof *m);
		s->nbm--;
		s->bm_dir_changed = true;
	}
	pthread_mutex_unlock(&s->lock);
	return rc;
}

int qcow2_bitmap_clear(struct block *b, const char *name, struct err *e)
{
	struct qcow2_state *s = b->state;
	struct qcow2_bitmap *m = NULL;
	int rc = begin(b, name, &m, e);

	if (rc == 0)
		rc = qcow2_bitmap_table(b, m, e);
	for (uint64_t i = 0; rc == 0 && i < m->nchunks; i++) {
		struct qcow2_bitmap_chunk *c = &m->chunks[i];

		gone(b, c->entry & QCOW2_OFFSET_MASK, 1);
		free(c->bits);
		*c = (struct qcow2_bitmap_chunk){ .entry = 0 };
	}
	pthread_mutex_unlock(&s->lock);
	return rc;
}

int qcow2_bitmap_enable(struct block *b, const char *name, bool enable, struct err *e)
{
	struct qcow2_state *s = b->state;
	struct qcow2_bitmap *m = NULL;
	int rc = begin(b, name, &m, e);

	if (rc == 0)
		m->flags = enable ? m->flags | QCOW2_BITMAP_AUTO : m->flags & ~(uint32_t)QCOW2_BITMAP_AUTO;
	pthread_mutex_unlock(&s->lock);
	return rc;
}

int qcow2_bitmap_mark(struct block *b, const char *name, uint64_t len, uint64_t off, struct err *e)
{
	struct qcow2_state *s = b->state;
	struct qcow2_bitmap *m = NULL;
	int rc = begin(b, name, &m, e);

	if (rc == 0)
		rc = mark(b, m, off, len, e);
	pthread_mutex_unlock(&s->lock);
	return rc;
}
