// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * qcow2_snap.c - internal snapshots: the table read, a snapshot shown.
 *
 * The snapshot table is a row of entries of different lengths, each at a multiple of 8: a fixed part, extra data (the
 * size of the VM state, of the disk, the instruction count), the id, the name.  A snapshot is an L1 table of its own.
 */
#include "qcow2.h"

#include <inttypes.h>

void qcow2_snapshot_free(struct qcow2_snapshot *p)
{
	free(p->pub.id);
	free(p->pub.name);
	free(p->unknown);
}

void qcow2_snapshots_free(struct qcow2_state *s)
{
	for (uint32_t i = 0; s->snapshots && i < s->nsnapshots; i++)
		qcow2_snapshot_free(&s->snapshots[i]);
	free(s->snapshots);
	s->snapshots = NULL;
}

static int judge_snapshot(struct block *b, uint32_t i, const struct qcow2_snapshot *p, struct err *e)
{
	const struct qcow2_state *s = b->state;

	if (p->l1_size > LIMIT_QCOW2_L1_BYTES / 8)
		return err_set(e, ERR_LIMIT, "snapshot %" PRIu32 ": L1 table of %" PRIu32 " entries", i, p->l1_size);
	if ((p->l1_off & (s->cluster_size - 1)) || (p->l1_size && p->l1_off < s->cluster_size) ||
	    !range_in(p->l1_off, 8ULL * p->l1_size, block_size(b->file)))
		return err_set(e, ERR_CORRUPT, "snapshot %" PRIu32 ": its L1 table lies outside of the file", i);
	if (p->pub.disk_size > LIMIT_IMAGE_SIZE)
		return err_set(e, ERR_LIMIT, "snapshot %" PRIu32 ": disk of %" PRIu64 " bytes", i, p->pub.disk_size);
	if (p->l1_size < qcow2_l1_entries(s, p->pub.disk_size))
		return err_set(e, ERR_CORRUPT, "snapshot %" PRIu32 ": its L1 table is too small for its disk", i);
	return 0;
}

/* Reads the entry at *off and moves *off behind it. */
static int read_snapshot(struct block *b, uint32_t i, uint64_t *off, struct qcow2_snapshot *p, struct err *e)
{
	const struct qcow2_state *s = b->state;
	uint8_t text[2 * 65536 + LIMIT_QCOW2_SNAPSHOT_EXTRA];
	struct qcow2_snapshot_entry h;
	uint32_t extra_len, id_len, name_len;
	be64 extra[3];
	int rc;

	if (!range_in(*off, sizeof h, block_size(b->file)))
		return err_set(e, ERR_CORRUPT, "snapshot %" PRIu32 " lies past the end of the file", i);
	rc = block_pread(b->file, &h, sizeof h, *off, e);
	if (rc < 0)
		return rc;
	extra_len = be32_get(h.extra_len);
	id_len = be16_get(h.id_len);
	name_len = be16_get(h.name_len);
	if (extra_len > LIMIT_QCOW2_SNAPSHOT_EXTRA)
		return err_set(e, ERR_LIMIT, "snapshot %" PRIu32 " has %" PRIu32 " bytes of extra data", i, extra_len);
	if (!range_in(*off + sizeof h, (uint64_t)extra_len + id_len + name_len, block_size(b->file)))
		return err_set(e, ERR_CORRUPT, "snapshot %" PRIu32 " lies past the end of the file", i);
	rc = block_pread(b->file, text, (size_t)extra_len + id_len + name_len, *off + sizeof h, e);
	if (rc < 0)
		return rc;
	memset(extra, 0, sizeof extra);
	memcpy(extra, text, MIN_OF(sizeof extra, extra_len & ~7U));
	p->entry_off = *off;
	p->l1_off = be64_get(h.l1_off);
	p->l1_size = be32_get(h.l1_size);
	p->pub.date_sec = be32_get(h.date_sec);
	p->pub.date_nsec = be32_get(h.date_nsec);
	p->pub.vm_clock_nsec = be64_get(h.vm_clock_nsec);
	/* Older writers left the extra data out: then the disk was as large as it is now. */
	p->pub.vm_state_size = extra_len >= 8 ? be64_get(extra[0]) : be32_get(h.vm_state_size);
	p->pub.disk_size = extra_len >= 16 ? be64_get(extra[1]) : s->disk_size;
	p->pub.icount = extra_len >= 24 ? be64_get(extra[2]) : UINT64_MAX;
	p->pub.id = alloc_strndup((char *)text + extra_len, id_len);
	p->pub.name = alloc_strndup((char *)text + extra_len + id_len, name_len);
	p->unknown_len = extra_len > QCOW2_SNAPSHOT_EXTRA ? extra_len - QCOW2_SNAPSHOT_EXTRA : 0;
	p->unknown = p->unknown_len ? alloc_bytes(p->unknown_len) : NULL;
	if (!p->pub.id || !p->pub.name || (p->unknown_len && !p->unknown))
		return err_nomem(e);
	if (p->unknown_len)
		memcpy(p->unknown, text + QCOW2_SNAPSHOT_EXTRA, p->unknown_len);
	*off = round_up(*off + sizeof h + extra_len + id_len + name_len, 8);
	return judge_snapshot(b, i, p, e);
}

int qcow2_load_snapshots(struct block *b, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t off = s->snapshots_off;

	if (s->snapshots || !s->nsnapshots)
		return 0;
	s->snapshots = alloc_array(s->nsnapshots, sizeof *s->snapshots);
	if (!s->snapshots)
		return err_nomem(e);
	for (uint32_t i = 0; i < s->nsnapshots; i++) {
		int rc = read_snapshot(b, i, &off, &s->snapshots[i], e);

		if (rc == 0 && off - s->snapshots_off > LIMIT_QCOW2_SNAPSHOT_TABLE)
			rc = err_set(e, ERR_LIMIT, "the snapshot table is larger than 16 MiB");
		if (rc < 0) {
			qcow2_snapshots_free(s);
			return err_in(e, rc, "%s", b->name);
		}
	}
	s->snapshots_size = off - s->snapshots_off;
	return 0;
}

static int copy_snapshot(struct block_snapshot *to, const struct block_snapshot *from, struct err *e)
{
	*to = *from;
	to->id = alloc_strdup(from->id);
	to->name = alloc_strdup(from->name);
	return to->id && to->name ? 0 : err_nomem(e);
}

int qcow2_snapshots(struct block *b, struct block_snapshots *out, struct err *e)
{
	struct qcow2_state *s = b->state;
	int rc;

	*out = (struct block_snapshots){ .n = 0 };
	pthread_mutex_lock(&s->lock);
	rc = qcow2_load_snapshots(b, e);
	if (rc == 0 && s->nsnapshots) {
		out->items = alloc_array(s->nsnapshots, sizeof *out->items);
		rc = out->items ? 0 : err_nomem(e);
	}
	for (uint32_t i = 0; rc == 0 && i < s->nsnapshots; i++) {
		rc = copy_snapshot(&out->items[i], &s->snapshots[i].pub, e);
		out->n = i + 1;
	}
	pthread_mutex_unlock(&s->lock);
	if (rc < 0)
		block_snapshots_free(out);
	return rc;
}

const struct qcow2_snapshot *qcow2_find_snapshot(const struct qcow2_state *s, const char *id_or_name)
{
	for (uint32_t i = 0; i < s->nsnapshots; i++)
		if (strcmp(s->snapshots[i].pub.id, id_or_name) == 0)
			return &s->snapshots[i];
	for (uint32_t i = 0; i < s->nsnapshots; i++)
		if (strcmp(s->snapshots[i].pub.name, id_or_name) == 0)
			return &s->snapshots[i];
	return NULL;
}

static int show_snapshot(struct block *b, const struct qcow2_snapshot *snap, struct err *e)
{
	struct qcow2_state *s = b->state;
	CLEANUP(free_ptr) uint64_t *l1 = alloc_array(MAX_OF(snap->l1_size, 1), sizeof *l1);
	int rc;

	if (!l1)
		return err_nomem(e);
	rc = block_pread(b->file, l1, 8UL * snap->l1_size, snap->l1_off, e);
	if (rc < 0)
		return rc;
	for (uint32_t i = 0; i < snap->l1_size; i++) {
		be64 v;

		memcpy(&v, &l1[i], sizeof v);
		l1[i] = be64_get(v);
	}
	rc = qcow2_l1_refuse_repeats(l1, snap->l1_size, e);
	if (rc < 0)
		return rc;
	free(s->l1);
	s->l1 = take(l1);
	s->l1_size = snap->l1_size;
	s->l1_off = snap->l1_off;
	s->snapshot_shown = true;
	b->size = snap->pub.disk_size;
	return 0;
}

int qcow2_snapshot_load(struct block *b, const char *id_or_name, struct err *e)
{
	struct qcow2_state *s = b->state;
	const struct qcow2_snapshot *snap;
	int rc;

	if (b->flags & BLOCK_WRITE)
		return err_set(e, ERR_USAGE, "%s: a snapshot is only shown read-only", b->name);
	pthread_mutex_lock(&s->lock);
	rc = qcow2_load_snapshots(b, e);
	snap = rc == 0 ? qcow2_find_snapshot(s, id_or_name) : NULL;
	if (rc == 0 && !snap)
		rc = err_set(e, ERR_NOT_FOUND, "%s: no snapshot \"%s\"", b->name, id_or_name);
	if (rc == 0) {
		rc = show_snapshot(b, snap, e);
		if (rc < 0)
			err_in(e, rc, "%s: snapshot \"%s\"", b->name, id_or_name);
	}
	pthread_mutex_unlock(&s->lock);
	return rc;
}
