// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * qcow2_snap_write.c - internal snapshots: made, applied, deleted.
 *
 * A new snapshot table (or L1 table) is written beside the old one, and one write of the header switches over; counts
 * are raised before it and lowered after it, so that they are never too low.  But a refcount and the COPIED flag that
 * speaks of it lie in two places: while they change, the dirty bit of version 3 tells the next writer to count again.
 * In version 2 a crash at the wrong moment leaves flags that do not fit or clusters that leak, and no more than that.
 */
#include "qcow2.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- the table on disk ---- */

static size_t entry_bytes(const struct qcow2_snapshot *p)
{
	size_t len = sizeof(struct qcow2_snapshot_entry) + QCOW2_SNAPSHOT_EXTRA + p->unknown_len;

	return (size_t)round_up(len + strlen(p->pub.id) + strlen(p->pub.name), 8);
}

static uint8_t *put_entry(uint8_t *to, const struct qcow2_snapshot *p)
{
	size_t id_len = strlen(p->pub.id), name_len = strlen(p->pub.name);
	struct qcow2_snapshot_entry h;
	be64 extra[3];
	uint8_t *at = to + sizeof h;

	_Static_assert(sizeof extra == QCOW2_SNAPSHOT_EXTRA, "qcow2 snapshot extra data");
	be64_put(&h.l1_off, p->l1_off);
	be32_put(&h.l1_size, p->l1_size);
	be16_put(&h.id_len, (uint16_t)id_len);
	be16_put(&h.name_len, (uint16_t)name_len);
	be32_put(&h.date_sec, p->pub.date_sec);
	be32_put(&h.date_nsec, p->pub.date_nsec);
	be64_put(&h.vm_clock_nsec, p->pub.vm_clock_nsec);
	be32_put(&h.vm_state_size, p->pub.vm_state_size > UINT32_MAX ? 0 : (uint32_t)p->pub.vm_state_size);
	be32_put(&h.extra_len, (uint32_t)(sizeof extra + p->unknown_len));
	be64_put(&extra[0], p->pub.vm_state_size);
	be64_put(&extra[1], p->pub.disk_size);
	be64_put(&extra[2], p->pub.icount);
	memcpy(to, &h, sizeof h);
	memcpy(at, extra, sizeof extra);
	at += sizeof extra;
	if (p->unknown_len)
		memcpy(at, p->unknown, p->unknown_len);
	memcpy(at + p->unknown_len, p->pub.id, id_len);
	memcpy(at + p->unknown_len + id_len, p->pub.name, name_len);
	return to + entry_bytes(p);
}

/* A table of these n snapshots in clusters of its own (*off 0 for none), not yet named by the header. */
static int write_table(struct block *b, struct qcow2_snapshot *snaps, uint32_t n, uint64_t *off, uint64_t *len,
		       struct err *e)
{
	const struct qcow2_state *s = b->state;
	CLEANUP(free_ptr) uint8_t *bytes = NULL;
	uint8_t *at;
	int rc;

	*off = *len = 0;
	for (uint32_t i = 0; i < n; i++)
		*len += entry_bytes(&snaps[i]);
	if (!*len)
		return 0;
	if (*len > LIMIT_QCOW2_SNAPSHOT_TABLE)
		return err_set(e, ERR_LIMIT, "the snapshot table would be larger than 16 MiB");
	at = bytes = alloc_zero(*len);
	if (!bytes)
		return err_nomem(e);
	rc = qcow2_alloc(b, div_round_up(*len, s->cluster_size), true, off, NULL, NULL, e);
	if (rc < 0)
		return rc;
	for (uint32_t i = 0; i < n; i++) {
		snaps[i].entry_off = *off + (uint64_t)(at - bytes);
		at = put_entry(at, &snaps[i]);
	}
	rc = qcow2_write_refs(b, e);
	if (rc == 0)
		rc = block_pwrite(b->file, bytes, *len, *off, e);
	if (rc < 0)
		qcow2_alloc_undo(b, *off, div_round_up(*len, s->cluster_size));
	return rc < 0 ? err_in(e, rc, "snapshot table") : 0;
}

/*
 * The header names a table of these n snapshots.  On success they are the state's own; on failure they stay the
 * caller's, and all is as before.
 */
static int switch_table(struct block *b, struct qcow2_snapshot *snaps, uint32_t n, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t off, len, old_off = s->snapshots_off, old_len = s->snapshots_size;
	uint32_t old_n = s->nsnapshots;
	int rc = write_table(b, snaps, n, &off, &len, e);

	if (rc < 0)
		return rc;
	rc = qcow2_write_meta(b, e);
	if (rc == 0)
		rc = qcow2_sync(b, e);
	if (rc == 0) {
		s->snapshots_off = off;
		s->nsnapshots = n;
		rc = qcow2_header_write(b, e);
	}
	if (rc == 0)
		rc = block_flush(b->file, e);
	if (rc < 0) {
		/* The header may have been written all the same: then a crash must not find it naming free clusters. */
		s->snapshots_off = old_off;
		s->nsnapshots = old_n;
		s->needs_recount = true;
		return rc;
	}
	s->snapshots = snaps;
	s->snapshots_size = len;
	if (old_len)
		qcow2_free_later(b, old_off, div_round_up(old_len, s->cluster_size), QCOW2_FREE_OTHER);
	return 0;
}

/* ---- what all of them begin and end with ---- */

static int begin(struct block *b, struct err *e)
{
	struct qcow2_state *s = b->state;
	int rc;

	if (s->data_file)
		return err_set(e, ERR_UNSUPPORTED, "an image with a data file has no internal snapshots");
	rc = qcow2_begin_write(b, e);
	if (rc == 0)
		rc = qcow2_load_snapshots(b, e);
	return rc == 0 ? qcow2_apply_frees(b, e) : rc;
}

static int end(struct block *b, struct err *e)
{
	int rc = qcow2_apply_frees(b, e);

	return rc == 0 ? qcow2_dirty_end(b, e) : rc;
}

static int find(struct block *b, const char *id_or_name, uint32_t *out, struct err *e)
{
	const struct qcow2_snapshot *p = qcow2_find_snapshot(b->state, id_or_name);

	if (!p)
		return err_set(e, ERR_NOT_FOUND, "no snapshot \"%s\"", id_or_name);
	*out = (uint32_t)(p - qcow2_state(b)->snapshots);
	return 0;
}

/* A snapshot's L1 table in host order, in room for at least `room` entries. */
static int read_l1(struct block *b, const struct qcow2_snapshot *p, uint64_t room, uint64_t **out, struct err *e)
{
	CLEANUP(free_ptr) uint64_t *l1 = alloc_array(MAX_OF(MAX_OF((uint64_t)p->l1_size, room), 1), sizeof *l1);
	int rc;

	if (!l1)
		return err_nomem(e);
	rc = p->l1_size ? block_pread(b->file, l1, 8UL * p->l1_size, p->l1_off, e) : 0;
	for (uint32_t i = 0; rc == 0 && i < p->l1_size; i++) {
		be64 v;

		memcpy(&v, &l1[i], sizeof v);
		l1[i] = be64_get(v);
	}
	if (rc == 0)
		*out = take(l1);
	return rc < 0 ? err_in(e, rc, "L1 table of the snapshot") : 0;
}

/* Writes n entries into new clusters; without COPIED flags, since all that they name has another owner. */
static int write_l1(struct block *b, const uint64_t *l1, uint32_t n, uint64_t *off, struct err *e)
{
	const struct qcow2_state *s = b->state;
	CLEANUP(free_ptr) be64 *disk = alloc_array(MAX_OF(n, 1), sizeof *disk);
	uint64_t nclusters = div_round_up(8ULL * n, s->cluster_size);
	int rc;

	*off = 0;
	if (!n)
		return 0;
	if (!disk)
		return err_nomem(e);
	rc = qcow2_alloc(b, nclusters, true, off, NULL, NULL, e);
	if (rc < 0)
		return rc;
	for (uint32_t i = 0; i < n; i++)
		be64_put(&disk[i], l1[i] & ~QCOW2_COPIED);
	rc = qcow2_write_refs(b, e);
	if (rc == 0)
		rc = block_pwrite(b->file, disk, 8UL * n, *off, e);
	if (rc < 0)
		qcow2_alloc_undo(b, *off, nclusters);
	return rc < 0 ? err_in(e, rc, "L1 table of the snapshot") : 0;
}

static void free_l1(struct block *b, uint64_t off, uint32_t n)
{
	const struct qcow2_state *s = b->state;

	if (n)
		qcow2_free_later(b, off, div_round_up(8ULL * n, s->cluster_size), QCOW2_FREE_SNAPSHOT);
}

/* ---- create ---- */

/* One more than the largest id that is a number. */
static char *next_id(const struct qcow2_state *s)
{
	uint64_t max = 0;

	for (uint32_t i = 0; i < s->nsnapshots; i++) {
		uint64_t v;

		if (text_parse_u64(s->snapshots[i].pub.id, &v) && v > max && v < UINT64_MAX)
			max = v;
	}
	return alloc_printf("%" PRIu64, max + 1);
}

static int fill(struct block *b, const struct block_snapshot *what, struct qcow2_snapshot *p, struct err *e)
{
	const struct qcow2_state *s = b->state;

	*p = (struct qcow2_snapshot){ .pub = *what, .l1_size = s->l1_size };
	p->pub.disk_size = b->size;
	p->pub.id = what->id ? alloc_strdup(what->id) : next_id(s);
	p->pub.name = alloc_strdup(what->name ? what->name : "");
	if (!p->pub.id || !p->pub.name)
		return err_nomem(e);
	for (uint32_t i = 0; i < s->nsnapshots; i++)
		if (strcmp(s->snapshots[i].pub.id, p->pub.id) == 0)
			return err_set(e, ERR_USAGE, "there is a snapshot of id \"%s\" already", p->pub.id);
	if (strlen(p->pub.id) > UINT16_MAX || strlen(p->pub.name) > UINT16_MAX)
		return err_set(e, ERR_USAGE, "the name of a snapshot has at most 65535 bytes");
	if (s->nsnapshots >= LIMIT_QCOW2_SNAPSHOTS)
		return err_set(e, ERR_LIMIT, "no more than %d snapshots", LIMIT_QCOW2_SNAPSHOTS);
	return 0;
}

/* The VM state belongs to the snapshot: the active table forgets it. */
static int forget_vm_state(struct block *b, uint64_t size, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t unit = s->cluster_bits + s->l2_bits, from = qcow2_l1_entries(s, s->disk_size) << unit;
	uint64_t until = (uint64_t)s->l1_size << unit;

	if (!size || from >= until)
		return 0;
	size = MIN_OF(size, until - from);
	return qcow2_drop(b, from, round_up(size, s->cluster_size), e);
}

static int create(struct block *b, struct qcow2_snapshot *p, struct err *e)
{
	struct qcow2_state *s = b->state;
	CLEANUP(free_ptr) struct qcow2_snapshot *list = alloc_array(s->nsnapshots + 1UL, sizeof *list);
	struct qcow2_snapshot *old = s->snapshots;
	int rc;

	if (!list)
		return err_nomem(e);
	rc = qcow2_dirty_begin(b, e);
	if (rc == 0)
		rc = qcow2_paths_raise(b, s->l1, s->l1_size, true, e);
	if (rc < 0)
		return rc;
	rc = write_l1(b, s->l1, s->l1_size, &p->l1_off, e);
	if (rc == 0) {
		if (s->nsnapshots)
			memcpy(list, old, s->nsnapshots * sizeof *list);
		list[s->nsnapshots] = *p;
		rc = switch_table(b, list, s->nsnapshots + 1, e);
		if (rc < 0 && p->l1_off)
			free_l1(b, p->l1_off, p->l1_size);
	}
	if (rc < 0) {
		if (qcow2_paths_lower(b, s->l1, s->l1_size, NULL) < 0 || qcow2_paths_flags(b, NULL) < 0)
			s->needs_recount = true;
		return rc;
	}
	/* The list holds the strings of the old one, and of p. */
	free(old);
	list = NULL;
	*p = (struct qcow2_snapshot){ .l1_size = 0 };
	return forget_vm_state(b, s->snapshots[s->nsnapshots - 1].pub.vm_state_size, e);
}

int qcow2_snapshot_create(struct block *b, const struct block_snapshot *what, struct err *e)
{
	struct qcow2_state *s = b->state;
	struct qcow2_snapshot p = { .l1_size = 0 };
	int rc, rc2;

	pthread_mutex_lock(&s->lock);
	rc = begin(b, e);
	if (rc == 0)
		rc = fill(b, what, &p, e);
	if (rc == 0) {
		rc = create(b, &p, e);
		rc2 = end(b, rc == 0 ? e : NULL);
		rc = rc < 0 ? rc : rc2;
	}
	qcow2_snapshot_free(&p);
	pthread_mutex_unlock(&s->lock);
	return rc < 0 ? err_in(e, rc, "%s", b->name) : 0;
}

/* ---- delete ---- */

static int delete(struct block *b, uint32_t i, struct err *e)
{
	struct qcow2_state *s = b->state;
	struct qcow2_snapshot *old = s->snapshots, gone = old[i];
	CLEANUP(free_ptr) struct qcow2_snapshot *list = alloc_array(s->nsnapshots, sizeof *list);
	CLEANUP(free_ptr) uint64_t *l1 = NULL;
	uint32_t n = s->nsnapshots;
	int rc;

	if (!list)
		return err_nomem(e);
	rc = read_l1(b, &gone, 0, &l1, e);
	if (rc == 0)
		rc = qcow2_dirty_begin(b, e);
	if (rc < 0)
		return rc;
	memcpy(list, old, i * sizeof *list);
	memcpy(list + i, old + i + 1, (n - 1 - i) * sizeof *list);
	rc = switch_table(b, list, n - 1, e);
	if (rc < 0)
		return rc;
	list = NULL;
	free(old);
	qcow2_snapshot_free(&gone);
	free_l1(b, gone.l1_off, gone.l1_size);
	rc = qcow2_paths_lower(b, l1, gone.l1_size, e);
	/* No flag before the count of which it speaks: the order of metadata sees to that. */
	if (rc == 0)
		rc = qcow2_paths_flags(b, e);
	return rc;
}

int qcow2_snapshot_delete(struct block *b, const char *id_or_name, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint32_t i = 0;
	int rc, rc2;

	pthread_mutex_lock(&s->lock);
	rc = begin(b, e);
	if (rc == 0)
		rc = find(b, id_or_name, &i, e);
	if (rc == 0) {
		rc = delete(b, i, e);
		rc2 = end(b, rc == 0 ? e : NULL);
		rc = rc < 0 ? rc : rc2;
	}
	pthread_mutex_unlock(&s->lock);
	return rc < 0 ? err_in(e, rc, "%s", b->name) : 0;
}

/* ---- apply ---- */

/* The header names the new L1 table and the size that goes with it, in one write. */
static int switch_l1(struct block *b, uint64_t off, uint32_t n, uint64_t size, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t old_off = s->l1_off, old_size = s->disk_size;
	uint32_t old_n = s->l1_size;
	int rc = qcow2_write_meta(b, e);

	if (rc == 0)
		rc = qcow2_sync(b, e);
	if (rc < 0)
		return rc;
	s->l1_off = off;
	s->l1_size = n;
	s->disk_size = size;
	rc = qcow2_header_write(b, e);
	if (rc == 0)
		rc = block_flush(b->file, e);
	if (rc < 0) {
		s->l1_off = old_off;
		s->l1_size = old_n;
		s->disk_size = old_size;
		s->needs_recount = true;
	}
	return rc;
}

static int apply(struct block *b, const struct qcow2_snapshot *p, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t size = p->pub.disk_size, old_off = s->l1_off, off;
	uint32_t n = (uint32_t)MAX_OF((uint64_t)p->l1_size, qcow2_l1_entries(s, size)), old_n = s->l1_size;
	CLEANUP(free_ptr) uint64_t *l1 = NULL;
	int rc = read_l1(b, p, n, &l1, e);

	if (rc == 0)
		rc = qcow2_dirty_begin(b, e);
	if (rc == 0)
		rc = qcow2_paths_raise(b, l1, n, false, e);
	if (rc < 0)
		return rc;
	for (uint32_t i = 0; i < n; i++)
		l1[i] &= ~QCOW2_COPIED;
	rc = write_l1(b, l1, n, &off, e);
	if (rc == 0) {
		rc = switch_l1(b, off, n, size, e);
		if (rc < 0 && off)
			free_l1(b, off, n);
	}
	if (rc < 0) {
		if (qcow2_paths_lower(b, l1, n, NULL) < 0)
			s->needs_recount = true;
		return rc;
	}
	{
		CLEANUP(free_ptr) uint64_t *old = s->l1;

		s->l1 = take(l1);
		if (b->size != size)
			qcow2_bitmaps_resize(b, size);
		s->l1_dirty = (struct qcow2_dirty){ .hi = 0 };
		free_l1(b, old_off, old_n);
		rc = qcow2_paths_lower(b, old, old_n, e);
	}
	return rc == 0 ? qcow2_paths_flags(b, e) : rc;
}

int qcow2_snapshot_apply(struct block *b, const char *id_or_name, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint32_t i = 0;
	int rc, rc2;

	pthread_mutex_lock(&s->lock);
	rc = begin(b, e);
	if (rc == 0)
		rc = find(b, id_or_name, &i, e);
	/* The disk becomes another one: so it is new to those who ask what has changed. */
	if (rc == 0 && s->snapshots[i].pub.disk_size != b->size)
		rc = qcow2_bitmaps_may_resize(b, e);
	if (rc == 0)
		rc = qcow2_bitmaps_note(b, 0, b->size, e);
	if (rc == 0) {
		rc = apply(b, &s->snapshots[i], e);
		if (rc == 0)
			rc = qcow2_bitmaps_note(b, 0, b->size, e);
		rc2 = end(b, rc == 0 ? e : NULL);
		rc = rc < 0 ? rc : rc2;
	}
	pthread_mutex_unlock(&s->lock);
	return rc < 0 ? err_in(e, rc, "%s", b->name) : 0;
}

/* ---- VM state ---- */

static int vm_state_off(const struct block *b, uint64_t len, uint64_t off, uint64_t *out, struct err *e)
{
	const struct qcow2_state *s = b->state;
	uint64_t from = qcow2_l1_entries(s, b->size) << (s->cluster_bits + s->l2_bits), end_;

	if (!checked_add(from, off, out) || !checked_add(*out, len, &end_) || end_ > LIMIT_IMAGE_SIZE)
		return err_set(e, ERR_LIMIT, "%s: VM state of more than %" PRIu64 " bytes", b->name, off);
	return 0;
}

int qcow2_vmstate_pread(struct block *b, void *buf, size_t len, uint64_t off, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t at, end_;
	size_t there;
	int rc = vm_state_off(b, len, off, &at, e);

	if (rc < 0)
		return rc;
	block_event(b->file, "vmstate_load");
	end_ = (uint64_t)s->l1_size << (s->cluster_bits + s->l2_bits);
	there = at >= end_ ? 0 : (size_t)MIN_OF((uint64_t)len, end_ - at);
	memset((uint8_t *)buf + there, 0, len - there);
	return there ? qcow2_pread(b, buf, there, at, e) : 0;
}

int qcow2_vmstate_pwrite(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t at;
	int rc = vm_state_off(b, len, off, &at, e);

	if (rc < 0)
		return rc;
	block_event(b->file, "vmstate_save");
	pthread_mutex_lock(&s->lock);
	rc = qcow2_begin_write(b, e);
	if (rc == 0)
		rc = qcow2_grow_l1(b, qcow2_l1_entries(s, at + len), e);
	pthread_mutex_unlock(&s->lock);
	return rc < 0 ? rc : qcow2_pwrite(b, buf, len, at, e);
}
