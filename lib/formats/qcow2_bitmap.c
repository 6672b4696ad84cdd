// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * qcow2_bitmap.c - persistent dirty bitmaps, read: the directory, their tables, the bits.
 *
 * A bitmap's bits lie in clusters that a table names; an entry without a cluster stands for a cluster of zeros, or (1)
 * of ones.  Clusters are read when they are asked for.  How they change is qcow2_bitmap_write.c.
 */
#include "qcow2_bitmap.h"

#include "json.h"
#include "text.h"

#include <inttypes.h>

static void chunks_free(struct qcow2_bitmap *m)
{
	for (uint64_t i = 0; m->chunks && i < m->nchunks; i++)
		free(m->chunks[i].bits);
	free(take(m->chunks));
}

void qcow2_bitmap_free(struct qcow2_bitmap *m)
{
	chunks_free(m);
	free(m->name);
	free(m->extra);
}

void qcow2_bitmaps_free(struct qcow2_state *s)
{
	for (uint32_t i = 0; i < s->nbm; i++)
		qcow2_bitmap_free(&s->bm[i]);
	free(take(s->bm));
	free(take(s->bm_gone));
	s->nbm = s->nbm_gone = 0;
	s->bm_loaded = s->bm_dir_changed = false;
}

uint64_t qcow2_bitmap_bits(const struct block *b, const struct qcow2_bitmap *m)
{
	return div_round_up(b->size, 1ULL << m->granularity_bits);
}

uint64_t qcow2_bitmap_chunks(const struct block *b, const struct qcow2_bitmap *m)
{
	const struct qcow2_state *s = b->state;

	return div_round_up(div_round_up(qcow2_bitmap_bits(b, m), 8), s->cluster_size);
}

/* ---- the directory ---- */

static int judge(struct block *b, struct qcow2_bitmap *m, uint32_t flags, struct err *e)
{
	const struct qcow2_state *s = b->state;

	if (m->granularity_bits < QCOW2_BITMAP_MIN_BITS || m->granularity_bits > QCOW2_BITMAP_MAX_BITS)
		return err_set(e, ERR_CORRUPT, "bitmap \"%s\": granularity of 2^%u bytes", m->name, m->granularity_bits);
	if ((m->table_off & (s->cluster_size - 1)) || m->table_off < s->cluster_size ||
	    !range_in(m->table_off, 8ULL * m->table_size, block_size(b->file)))
		return err_set(e, ERR_CORRUPT, "bitmap \"%s\": its table lies outside of the file", m->name);
	m->foreign = m->type != QCOW2_BITMAP_DIRTY || (flags & ~(uint32_t)QCOW2_BITMAP_FLAGS) ||
		     (m->extra_len && !(flags & QCOW2_BITMAP_EXTRA_COMPATIBLE));
	m->inconsistent = m->foreign || (flags & QCOW2_BITMAP_IN_USE) || m->table_size != qcow2_bitmap_chunks(b, m);
	return 0;
}

/* The entry at *pos of the directory, which moves on. */
static int read_entry(struct block *b, const uint8_t *dir, size_t len, size_t *pos, struct qcow2_bitmap *m, struct err *e)
{
	struct qcow2_bitmap_entry x;
	uint64_t total;
	size_t name_len;

	if (len - *pos < sizeof x)
		return err_set(e, ERR_CORRUPT, "the bitmap directory ends too early");
	memcpy(&x, dir + *pos, sizeof x);
	m->extra_len = be32_get(x.extra_len);
	name_len = be16_get(x.name_len);
	total = sizeof x + (uint64_t)m->extra_len + name_len;
	if (total > len - *pos || !name_len || name_len > QCOW2_BITMAP_MAX_NAME)
		return err_set(e, ERR_CORRUPT, "an entry of the bitmap directory goes past its end");
	m->dir_pos = *pos;
	m->table_off = be64_get(x.table_off);
	m->table_size = be32_get(x.table_size);
	m->flags = be32_get(x.flags);
	m->type = x.type;
	m->granularity_bits = x.granularity_bits;
	m->name = alloc_strndup((const char *)dir + *pos + sizeof x + m->extra_len, name_len);
	m->extra = m->extra_len ? alloc_bytes(m->extra_len) : NULL;
	if (!m->name || (m->extra_len && !m->extra))
		return err_nomem(e);
	if (m->extra_len)
		memcpy(m->extra, dir + *pos + sizeof x, m->extra_len);
	*pos += (size_t)MIN_OF(round_up(total, 8), (uint64_t)(len - *pos));
	return judge(b, m, m->flags, e);
}

int qcow2_bitmaps_load(struct block *b, struct err *e)
{
	struct qcow2_state *s = b->state;
	CLEANUP(free_ptr) uint8_t *dir = NULL;
	size_t pos = 0, len = (size_t)s->bitmaps_dir_size;
	int rc = 0;

	if (s->bm_loaded)
		return 0;
	if (s->nbitmaps && (s->autoclear & QCOW2_AUTOCLEAR_BITMAPS)) {
		dir = alloc_bytes(len + 1);
		s->bm = alloc_array(s->nbitmaps, sizeof *s->bm);
		if (!dir || !s->bm)
			rc = err_nomem(e);
		else
			rc = block_pread(b->file, dir, len, s->bitmaps_dir_off, e);
		for (uint32_t i = 0; rc == 0 && i < s->nbitmaps; i++) {
			s->nbm = i + 1;
			rc = read_entry(b, dir, len, &pos, &s->bm[i], e);
		}
	}
	if (rc < 0)
		qcow2_bitmaps_free(s);
	else
		s->bm_loaded = true;
	return rc;
}

struct qcow2_bitmap *qcow2_bitmap_find(struct qcow2_state *s, const char *name)
{
	for (uint32_t i = 0; i < s->nbm; i++)
		if (strcmp(s->bm[i].name, name) == 0)
			return &s->bm[i];
	return NULL;
}

int qcow2_bitmap_get(struct block *b, const char *name, struct qcow2_bitmap **out, struct err *e)
{
	int rc = qcow2_bitmaps_load(b, e);

	if (rc < 0)
		return rc;
	*out = qcow2_bitmap_find(b->state, name);
	if (!*out)
		return err_set(e, ERR_NOT_FOUND, "dirty bitmap '%s' not found", name);
	if ((*out)->inconsistent)
		return err_set(e, ERR_USAGE, "bitmap '%s' is inconsistent and cannot be used", name);
	return 0;
}

/* ---- bits ---- */

int qcow2_bitmap_table(struct block *b, struct qcow2_bitmap *m, struct err *e)
{
	const struct qcow2_state *s = b->state;
	CLEANUP(free_ptr) be64 *disk = NULL;
	int rc = 0;

	if (m->chunks)
		return 0;
	m->chunks = alloc_array(MAX_OF((uint64_t)m->table_size, 1), sizeof *m->chunks);
	disk = alloc_array(MAX_OF((uint64_t)m->table_size, 1), sizeof *disk);
	if (!m->chunks || !disk)
		rc = err_nomem(e);
	m->nchunks = rc == 0 ? m->table_size : 0;
	if (rc == 0)
		rc = block_pread(b->file, disk, m->table_size * sizeof *disk, m->table_off, e);
	for (uint64_t i = 0; rc == 0 && i < m->nchunks; i++) {
		uint64_t entry = be64_get(disk[i]), off = entry & QCOW2_OFFSET_MASK;

		if ((entry & ~QCOW2_OFFSET_MASK & ~1ULL) || (off & (s->cluster_size - 1)) || (off && (entry & 1)) ||
		    (off && !range_in(off, s->cluster_size, block_size(b->file))))
			rc = err_set(e, ERR_CORRUPT, "bitmap \"%s\": table entry 0x%" PRIx64, m->name, entry);
		m->chunks[i].entry = entry;
	}
	if (rc < 0)
		chunks_free(m);
	return rc;
}

int qcow2_bitmap_chunk(struct block *b, struct qcow2_bitmap *m, uint64_t i, uint8_t **bits, struct err *e)
{
	const struct qcow2_state *s = b->state;
	struct qcow2_bitmap_chunk *c = &m->chunks[i];
	int rc = 0;

	*bits = c->bits;
	if (c->bits)
		return 0;
	c->bits = alloc_bytes(s->cluster_size);
	if (!c->bits)
		return err_nomem(e);
	/* One that is only read is held until the next is asked for. */
	if (m->held_chunk < m->nchunks && m->held_chunk != i && !m->chunks[m->held_chunk].dirty)
		free(take(m->chunks[m->held_chunk].bits));
	m->held_chunk = i;
	if (c->entry & QCOW2_OFFSET_MASK)
		rc = block_pread(b->file, c->bits, s->cluster_size, c->entry & QCOW2_OFFSET_MASK, e);
	else
		memset(c->bits, c->entry & 1 ? 0xff : 0, s->cluster_size);
	if (rc < 0)
		free(take(c->bits));
	*bits = c->bits;
	return rc;
}

/* The first bit from `from` on that is (set) one or zero; nbits when there is none. */
static int find_bit(struct block *b, struct qcow2_bitmap *m, uint64_t from, bool set, uint64_t *out, struct err *e)
{
	const struct qcow2_state *s = b->state;
	uint64_t per = s->cluster_size * 8, end = qcow2_bitmap_bits(b, m);

	while (from < end) {
		uint64_t i = from / per, stop = MIN_OF(end, (i + 1) * per);
		struct qcow2_bitmap_chunk *c = &m->chunks[i];
		uint8_t *bits;
		int rc;

		if (!c->bits && !(c->entry & QCOW2_OFFSET_MASK)) {
			if ((c->entry & 1) == set)
				break;
			from = stop;
			continue;
		}
		rc = qcow2_bitmap_chunk(b, m, i, &bits, e);
		if (rc < 0)
			return rc;
		while (from < stop) {
			uint8_t byte = bits[from % per / 8];

			if (from % 8 == 0 && byte == (set ? 0 : 0xff)) {
				from = MIN_OF(stop, from + 8);
				continue;
			}
			if ((byte >> from % 8 & 1) == set)
				break;
			from++;
		}
		if (from < stop)
			break;
	}
	*out = MIN_OF(from, end);
	return 0;
}

static int next(struct block *b, struct qcow2_bitmap *m, uint64_t off, uint64_t *run_off, uint64_t *len, struct err *e)
{
	uint64_t first, last, end = qcow2_bitmap_bits(b, m);
	int rc = qcow2_bitmap_table(b, m, e);

	*len = 0;
	*run_off = off;
	if (rc < 0 || off >= b->size)
		return rc;
	rc = find_bit(b, m, off >> m->granularity_bits, true, &first, e);
	if (rc < 0 || first == end)
		return rc;
	rc = find_bit(b, m, first, false, &last, e);
	if (rc < 0)
		return rc;
	*run_off = MAX_OF(off, first << m->granularity_bits);
	*len = MIN_OF(last << m->granularity_bits, b->size) - *run_off;
	return 0;
}

int qcow2_bitmap_next(struct block *b, const char *name, uint64_t off, uint64_t *run_off, uint64_t *len, struct err *e)
{
	struct qcow2_state *s = b->state;
	struct qcow2_bitmap *m;
	int rc;

	pthread_mutex_lock(&s->lock);
	rc = qcow2_bitmap_get(b, name, &m, e);
	if (rc == 0)
		rc = next(b, m, off, run_off, len, e);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

/* ---- the list ---- */

static int describe(struct block *b, struct qcow2_bitmap *m, struct block_bitmap *out, struct err *e)
{
	uint64_t off = 0, len = 0;
	int rc = 0;

	out->name = alloc_strdup(m->name);
	if (!out->name)
		return err_nomem(e);
	out->granularity = 1ULL << m->granularity_bits;
	out->enabled = m->flags & QCOW2_BITMAP_AUTO;
	out->inconsistent = m->inconsistent;
	while (rc == 0 && !m->inconsistent) {
		rc = next(b, m, off, &off, &len, e);
		if (!len)
			break;
		out->dirty += len;
		off += len;
	}
	return rc;
}

int qcow2_bitmaps(struct block *b, struct block_bitmaps *out, struct err *e)
{
	struct qcow2_state *s = b->state;
	int rc;

	*out = (struct block_bitmaps){ NULL, 0 };
	pthread_mutex_lock(&s->lock);
	rc = qcow2_bitmaps_load(b, e);
	if (rc == 0 && s->nbm) {
		out->items = alloc_array(s->nbm, sizeof *out->items);
		rc = out->items ? 0 : err_nomem(e);
	}
	for (uint32_t i = 0; rc == 0 && i < s->nbm; i++) {
		rc = describe(b, &s->bm[i], &out->items[i], e);
		out->n = i + 1;
	}
	pthread_mutex_unlock(&s->lock);
	if (rc < 0)
		block_bitmaps_free(out);
	return rc < 0 ? err_in(e, rc, "%s", b->name) : 0;
}

/* ---- facts ---- */

void qcow2_info_bitmaps(struct block *b, struct json *j)
{
	struct qcow2_state *s = b->state;

	pthread_mutex_lock(&s->lock);
	if (qcow2_bitmaps_load(b, NULL) == 0 && s->nbm) {
		json_array(j, "bitmaps");
		for (uint32_t i = 0; i < s->nbm; i++) {
			json_object(j, NULL);
			json_array(j, "flags");
			/* While we have the image open for writing, we do. */
			if ((s->bm[i].flags & QCOW2_BITMAP_IN_USE) || block_writable(b))
				json_str(j, NULL, "in-use");
			if (s->bm[i].flags & QCOW2_BITMAP_AUTO)
				json_str(j, NULL, "auto");
			json_array_end(j);
			json_strn(j, "name", s->bm[i].name, strlen(s->bm[i].name));
			json_u64(j, "granularity", 1ULL << s->bm[i].granularity_bits);
			json_object_end(j);
		}
		json_array_end(j);
	}
	pthread_mutex_unlock(&s->lock);
}

uint64_t qcow2_bitmaps_bytes(struct block *b, uint64_t cluster_size)
{
	struct qcow2_state *s = b->state;
	uint64_t total = 0, dir_bytes = 0;

	pthread_mutex_lock(&s->lock);
	for (uint32_t i = 0; qcow2_bitmaps_load(b, NULL) == 0 && i < s->nbm; i++) {
		uint64_t clusters = div_round_up(div_round_up(qcow2_bitmap_bits(b, &s->bm[i]), 8), cluster_size);

		total += clusters * cluster_size + round_up(clusters * 8, cluster_size);
		dir_bytes += round_up(sizeof(struct qcow2_bitmap_entry) + strlen(s->bm[i].name), 8);
	}
	pthread_mutex_unlock(&s->lock);
	return total + round_up(dir_bytes, cluster_size);
}
