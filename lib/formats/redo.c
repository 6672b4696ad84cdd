/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * redo.c - a transaction over disks: its journals from their making to their removal.
 *
 * The order of a commit, each step stable before the next:
 *
 *	the undo file, if one is kept
 *	in each journal: data and index, then the header "counts" (one disk) or "prepared" (several)
 *	several disks: the record, beside the first journal: this write decides for all of them
 *	the images: the blocks that differ, by the writes of their format
 *	each journal's header "open", the record's too: nothing counts any more, before anything else is written there
 *
 * What a killed process leaves is settled by the next that opens an image: redo_settle.c.
 */
#include "redo_internal.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"
#include "locked.h"
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

/* ---- beginning ---- */

/* Whoever does without flushes of the image needs none of its journal. */
static int file_over(struct redo_made *m, const struct block *image, const struct redo_test *test, struct block **out,
		     struct err *e)
{
	unsigned flags = BLOCK_WRITE | BLOCK_RESIZE | BLOCK_NO_LOCK | (image->flags & BLOCK_UNSAFE);
	int fd = fcntl(m->fd, F_DUPFD_CLOEXEC, 0);
	int rc;

	if (fd < 0)
		return err_sys(e, errno, "%s", m->path);
	rc = block_host_fd_open(fd, m->path, flags, out, e);
	return rc == 0 && test ? test->wrap(test->arg, out, e) : rc;
}

static int judge_image(struct block *image, struct block **host, struct err *e)
{
	if (!block_writable(image))
		return err_set(e, ERR_USAGE, "%s: not open for writing", block_name(image));
	if (!image->drv->pwrite)
		return err_set(e, ERR_UNSUPPORTED, "%s: writing to %s images", block_name(image), block_format(image));
	if (block_size(image) > LIMIT_REDO_DISK)
		return err_set(e, ERR_LIMIT, "%s: a disk of %" PRIu64 " bytes is too large to be changed", block_name(image),
			       block_size(image));
	*host = redo_host_of(image);
	return *host ? 0 : err_set(e, ERR_UNSUPPORTED, "%s: not in a file or device of this host", block_name(image));
}

static int disk_begin(struct redo *r, struct redo_disk *d, struct block *image, const struct redo_test *test, struct err *e)
{
	CLEANUP(redo_place_free) struct redo_place place = { .path = NULL };
	struct block *host;
	int rc = judge_image(image, &host, e);

	if (rc < 0 || (rc = redo_place_of(host, &place, e)) < 0)
		return rc;
	d->redo = r;
	d->image = image;
	d->who.size = block_size(image);
	d->who.path = take(place.path);
	snprintf(d->who.format, sizeof d->who.format, "%s", block_format(image));
	d->has_lock = pthread_mutex_init(&d->lock, NULL) == 0;
	if (!d->has_lock)
		return err_nomem(e);
	rc = redo_place_image(host, &d->who, e);
	if (rc == 0)
		rc = redo_map_init(&d->map, div_round_up(d->who.size, REDO_BLOCK), e);
	d->has_map = rc == 0;
	if (rc == 0)
		rc = redo_place_make(&place, &d->made, e);
	if (rc == 0)
		rc = file_over(&d->made, image, test, &d->file, e);
	if (rc == 0)
		rc = redo_file_open_header(d->file, REDO_JOURNAL, r->id, e);
	if (rc == 0)
		rc = redo_disk_node(d, e);
	/* Where there are no files without a name, none is needed. */
	if (rc == 0)
		d->spare = openat(d->made.dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	return rc;
}

static int record_begin(struct redo *r, const struct redo_test *test, struct err *e)
{
	char name[64] = REDO_RECORD_PREFIX;
	int rc;

	for (size_t i = 0; i < REDO_ID; i++)
		snprintf(name + strlen(name), sizeof name - strlen(name), "%02x", r->id[i]);
	rc = redo_make_beside(&r->disks[0].made, name, &r->record, e);
	if (rc == 0)
		rc = file_over(&r->record, r->disks[0].image, test, &r->record_file, e);
	return rc < 0 ? rc : redo_file_open_header(r->record_file, REDO_RECORD, r->id, e);
}

/* Whoever commits is not to wait for those without end who read and write. */
static bool lock_init(pthread_rwlock_t *lock)
{
	pthread_rwlockattr_t attr;
	bool good = pthread_rwlockattr_init(&attr) == 0;

	if (!good)
		return false;
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	good = pthread_rwlock_init(lock, &attr) == 0;
	pthread_rwlockattr_destroy(&attr);
	return good;
}

int redo_begin_tested(struct block *const *images, size_t n, const struct redo_test *test, struct redo **out, struct err *e)
{
	CLEANUP(redo_freep) struct redo *r = alloc_zero(sizeof *r);
	int rc = 0;

	*out = NULL;
	if (!r)
		return err_nomem(e);
	r->record = (struct redo_made)REDO_MADE_INIT;
	if (!n || n > LIMIT_REDO_DISKS)
		return err_set(e, n ? ERR_LIMIT : ERR_USAGE, "a change of %zu disks", n);
	r->has_writers = lock_init(&r->writers);
	r->has_gate = lock_init(&r->gate);
	r->disks = alloc_array(n, sizeof *r->disks);
	if (!r->disks || !r->has_writers || !r->has_gate)
		return err_nomem(e);
	if (!random_bytes(r->id, sizeof r->id))
		return err_sys(e, errno, "no random bytes");
	for (size_t i = 0; i < n && rc == 0; i++) {
		r->disks[i].made = (struct redo_made)REDO_MADE_INIT;
		r->disks[i].spare = -1;
		r->n++;
		rc = disk_begin(r, &r->disks[i], images[i], test, e);
	}
	if (rc == 0 && n > 1)
		rc = record_begin(r, test, e);
	if (rc == 0)
		*out = take(r);
	return rc;
}

int redo_begin(struct block *const *images, size_t n, struct redo **out, struct err *e)
{
	return redo_begin_tested(images, n, NULL, out, e);
}

size_t redo_folders(const struct redo *r, int *fds, size_t room)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++, n++)
		if (n < room)
			fds[n] = r->disks[i].made.dir;
	if (r->record.dir >= 0 && n++ < room)
		fds[n - 1] = r->record.dir;
	if (r->keep && n++ < room)
		fds[n - 1] = redo_keep_made(r->keep)->dir;
	return n;
}

struct block *redo_disk(struct redo *r, size_t i)
{
	return r->disks[i].block;
}

/* ---- what differs ---- */

struct telling {
	int (*fn)(void *arg, size_t disk, uint64_t off, uint64_t len, struct err *e);
	void *arg;
	size_t disk;
	uint64_t off, len;
};

static int tell_run(struct telling *t, struct err *e)
{
	return t->len ? t->fn(t->arg, t->disk, t->off, t->len, e) : 0;
}

static int tell_change(void *arg, const struct redo_change *c, struct err *e)
{
	struct telling *t = arg;
	int rc = 0;

	if (t->len && t->off + t->len == c->off) {
		t->len += c->len;
		return 0;
	}
	rc = tell_run(t, e);
	t->off = c->off;
	t->len = c->len;
	return rc;
}

int redo_changes(struct redo *r, int (*fn)(void *arg, size_t disk, uint64_t off, uint64_t len, struct err *e), void *arg,
		 struct err *e)
{
	int rc = 0;

	pthread_rwlock_wrlock(&r->writers);
	for (size_t i = 0; i < r->n && rc == 0; i++) {
		struct telling t = { .fn = fn, .arg = arg, .disk = i };

		rc = redo_diff(&r->disks[i], tell_change, &t, e);
		if (rc == 0)
			rc = tell_run(&t, e);
	}
	pthread_rwlock_unlock(&r->writers);
	return rc;
}

/* ---- committing ---- */

struct commit {
	struct redo *r;
	const struct redo_how *how;
	struct redo_result result;
	struct redo_disk *d; /* the disk in hand */
	size_t ndisks;	     /* that have changes */
	uint64_t done;
};

static int told(void *arg, uint64_t bytes)
{
	struct commit *c = arg;

	c->done += bytes;
	return c->how && c->how->progress ? c->how->progress(c->how->arg, c->done, c->result.bytes) : 0;
}

/* What raw.c would refuse when it is too late for that: a guessed format must not become another by what is written. */
static int refuse_disguise(const struct redo_disk *d, const struct redo_change *c, struct err *e)
{
	const struct block_driver *drv = c->off == 0 && c->is && block_guessed(d->image) ? probe_bytes(c->is, MIN_OF(c->len, 512u))
											 : NULL;

	return drv ? err_sys(e, EPERM, "%s: its format was guessed, so nothing that looks like a %s header is written to its first "
			     "sector", block_name(d->image), drv->name)
		   : 0;
}

static int collect(void *arg, const struct redo_change *ch, struct err *e)
{
	struct commit *c = arg;
	const struct redo_sum sum = { ch->was ? redo_sum_of(ch->was, ch->len) : redo_sum_zeros(ch->len),
				      ch->is ? redo_sum_of(ch->is, ch->len) : redo_sum_zeros(ch->len) };
	int rc = refuse_disguise(c->d, ch, e);

	if (rc < 0)
		return rc;
	if (c->how && c->how->progress && c->result.blocks % 256 == 0 && c->how->progress(c->how->arg, 0, 0))
		return err_set(e, ERR_CANCELED, "stopped");
	c->result.blocks++;
	c->result.bytes += ch->len;
	if (ch->grows && ch->kind == REDO_RUN_DATA)
		c->d->grows += ch->len;
	rc = redo_index_add(&c->d->index, 0, ch->off, ch->kind, ch->at, sum, e);
	if (rc == 0 && c->r->keep)
		rc = redo_keep_block(c->r->keep, (unsigned)(c->d - c->r->disks), ch, sum, e);
	return rc;
}

static int collect_all(struct commit *c, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < c->r->n && rc == 0; i++) {
		c->d = &c->r->disks[i];
		c->d->index.kind = REDO_JOURNAL;
		redo_index_free(&c->d->index);
		c->d->grows = 0;
		rc = redo_diff(c->d, collect, c, e);
		c->ndisks += c->d->index.nruns > 0;
	}
	return rc;
}

static int sync_folder(const struct redo_made *m, const struct block *file, struct err *e)
{
	if (m->dir < 0 || file->flags & BLOCK_UNSAFE || fsync(m->dir) == 0 || errno == EINVAL)
		return 0;
	return err_sys(e, errno, "%s: making its name stable", m->path);
}

static int sync_names(struct redo *r, struct err *e)
{
	int rc = r->named || !r->record_file ? 0 : sync_folder(&r->record, r->record_file, e);

	for (size_t i = 0; i < r->n && rc == 0 && !r->named; i++)
		rc = sync_folder(&r->disks[i].made, r->disks[i].file, e);
	r->named |= rc == 0;
	return rc;
}

/*
 * Room for what the image will grow by is taken before the change counts, and given back when it does: a full disk is then
 * found out in time.  Formats with clusters take more than the bytes that change.
 */
static int keep_room(struct redo_disk *d, struct err *e)
{
	const bool raw = d->image->drv == &block_raw;
	uint64_t len = d->grows + (raw ? 0 : MIN_OF(d->index.nruns * 64 * KiB, 64 * MiB));

	if (d->spare < 0 || d->who.device || !d->grows)
		return 0;
	if (fallocate(d->spare, 0, 0, (off_t)len) == 0 || errno != ENOSPC)
		return 0;
	return err_sys(e, ENOSPC, "%s: it needs %" PRIu64 " bytes more", block_name(d->image), len);
}

static void give_back_room(struct redo *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->disks[i].spare >= 0 && r->disks[i].grows && ftruncate(r->disks[i].spare, 0) < 0)
			close_fd(&r->disks[i].spare);
}

/* The index with what tells the image from others: lent, not to be freed. */
static int prepare(struct redo *r, struct redo_disk *d, bool alone, struct err *e)
{
	struct redo_index *x = &d->index;
	int rc = redo_place_image(redo_host_of(d->image), &d->who, e);

	if (rc == 0)
		rc = keep_room(d, e);
	if (rc < 0)
		return rc;
	x->counts = alone ? REDO_COUNTS : REDO_PREPARED;
	memcpy(x->id, r->id, REDO_ID);
	x->disks = &d->who;
	x->ndisks = 1;
	x->record = alone ? NULL : r->record.path;
	rc = redo_file_write(d->file, x, e);
	x->record = NULL;
	return rc;
}

static int record_write(struct redo *r, struct err *e)
{
	CLEANUP(free_ptr) struct redo_image *list = alloc_array(r->n, sizeof *list);
	struct redo_index x = { .kind = REDO_RECORD, .counts = REDO_COUNTS, .disks = list };

	if (!list)
		return err_nomem(e);
	memcpy(x.id, r->id, REDO_ID);
	for (size_t i = 0; i < r->n; i++)
		if (r->disks[i].index.nruns)
			list[x.ndisks++] = (struct redo_image){ .path = r->disks[i].made.path };
	return redo_file_write(r->record_file, &x, e);
}

/* Nothing in the file counts any more, and that is stable; then its room is given back. */
static int reopen(struct redo *r, struct block *file, enum redo_kind kind, struct err *e)
{
	int rc = redo_file_done_header(file, kind, r->id, e);

	if (rc == 0)
		rc = block_flush(file, e);
	return rc < 0 ? rc : block_truncate(file, REDO_HEADER, PREALLOC_OFF, e);
}

/* After a failure before the change counted.  A header may have been written all the same: it must not count later. */
static void undecide(struct redo *r)
{
	give_back_room(r);
	for (size_t i = 0; i < r->n; i++) {
		struct redo_disk *d = &r->disks[i];

		if (redo_file_open_header(d->file, REDO_JOURNAL, r->id, NULL) == 0)
			block_flush(d->file, NULL);
	}
	if (r->record_file && redo_file_open_header(r->record_file, REDO_RECORD, r->id, NULL) == 0)
		block_flush(r->record_file, NULL);
	if (r->keep)
		redo_keep_revert(r->keep);
}

static int decide(struct commit *c, struct err *e)
{
	struct redo *r = c->r;
	bool alone = c->ndisks == 1;
	int rc = r->keep ? redo_keep_write(r->keep, e) : 0;

	if (rc == 0)
		rc = sync_names(r, e);
	for (size_t i = 0; i < r->n && rc == 0; i++)
		if (r->disks[i].index.nruns)
			rc = prepare(r, &r->disks[i], alone, e);
	return rc < 0 || alone ? rc : record_write(r, e);
}

/* All that was written is in the images: the disks begin anew. */
static void start_over(struct redo *r)
{
	pthread_rwlock_wrlock(&r->gate);
	for (size_t i = 0; i < r->n; i++)
		redo_map_clear(&r->disks[i].map);
	pthread_rwlock_unlock(&r->gate);
}

/* Told in time, so that a change of the image's own time is known to be ours.  Of several disks one must not be mistaken. */
static int begin_apply(struct redo_disk *d, bool alone, struct err *e)
{
	int rc = d->index.nruns ? redo_file_begun(d->file, e) : 0;

	return rc < 0 || alone || !d->index.nruns ? rc : block_flush(d->file, e);
}

static int apply_all(struct commit *c, struct err *e)
{
	struct redo *r = c->r;
	int rc = 0;

	for (size_t i = 0; i < r->n && rc == 0; i++)
		rc = begin_apply(&r->disks[i], c->ndisks == 1, e);
	for (size_t i = 0; i < r->n && rc == 0; i++) {
		struct redo_disk *d = &r->disks[i];

		if (d->index.nruns)
			rc = redo_apply(d->image, d->file, &d->index, 0, &d->no_share, told, c, e);
	}
	if (rc == 0)
		start_over(r);
	for (size_t i = 0; i < r->n && rc == 0; i++)
		if (r->disks[i].index.nruns)
			rc = reopen(r, r->disks[i].file, REDO_JOURNAL, e);
	if (rc == 0 && c->ndisks > 1)
		rc = reopen(r, r->record_file, REDO_RECORD, e);
	return rc;
}

static void index_drop(struct redo_disk *d)
{
	d->index.disks = NULL; /* they were lent */
	d->index.ndisks = 0;
	redo_index_free(&d->index);
}

static int commit_locked(struct commit *c, bool *decided, struct err *e)
{
	struct redo *r = c->r;
	int rc = collect_all(c, e);

	if (rc == 0 && c->ndisks)
		rc = decide(c, e);
	if (rc < 0) {
		undecide(r);
		return rc;
	}
	*decided = c->ndisks > 0;
	if (c->ndisks) {
		if (r->keep)
			redo_keep_decided(r->keep);
		give_back_room(r);
		r->stuck = true;
		/* Readers of the disks find the journals' blocks until the images have them. */
		rc = apply_all(c, e);
	}
	if (rc < 0)
		return err_in(e, rc, "the change counts, and the next command that writes to the images completes it");
	r->stuck = false;
	if (!c->ndisks)
		start_over(r);
	return 0;
}

int redo_commit(struct redo *r, const struct redo_how *how, struct redo_result *out, bool *decided, struct err *e)
{
	struct commit c = { .r = r, .how = how };
	bool ignored;
	int rc;

	if (!decided)
		decided = &ignored;
	*decided = false;
	if (r->stuck)
		return err_set(e, ERR_USAGE, "an earlier change of these images is not completed yet");
	pthread_rwlock_wrlock(&r->writers);
	rc = commit_locked(&c, decided, e);
	for (size_t i = 0; i < r->n; i++)
		index_drop(&r->disks[i]);
	pthread_rwlock_unlock(&r->writers);
	if (rc == 0 && out)
		*out = c.result;
	return rc;
}

/* ---- the end ---- */

static void disk_free(struct redo *r, struct redo_disk *d)
{
	redo_disk_forget(d);
	if (d->made.fd >= 0 && !r->stuck)
		redo_remove(&d->made, NULL);
	block_unref(d->file);
	redo_made_free(&d->made);
	close_fd(&d->spare);
	free(d->who.path);
	if (d->has_map)
		redo_map_free(&d->map);
	if (d->has_lock)
		pthread_mutex_destroy(&d->lock);
}

void redo_free(struct redo *r)
{
	if (!r)
		return;
	/* First: whoever drops a journal looks for the record beside it. */
	if (r->record.fd >= 0 && !r->stuck)
		redo_remove(&r->record, NULL);
	for (size_t i = 0; i < r->n; i++)
		disk_free(r, &r->disks[i]);
	block_unref(r->record_file);
	redo_made_free(&r->record);
	redo_keep_free(r->keep);
	free(r->disks);
	if (r->has_writers)
		pthread_rwlock_destroy(&r->writers);
	if (r->has_gate)
		pthread_rwlock_destroy(&r->gate);
	free(r);
}

void redo_freep(struct redo **r)
{
	redo_free(*r);
	*r = NULL;
}
