/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * redo_settle.c - what an interrupted change left is completed, shown or dropped.
 *
 * A journal is a stranger's claim.  It only ever touches the image that it lies beside, and only after that was looked at: each
 * block of the image must be as it was before the change, or as it is after it.
 *
 *	all as before			nothing was applied yet, so that the file's own time tells whether somebody wrote to it
 *	some as after			it was being applied: to be completed
 *	none as after, some otherwise	the image was changed or replaced since, and nothing of the change is in it: dropped
 *	some as after, some otherwise	both: nobody but the owner can tell what is right, so nothing is done, and he is told
 *
 * What may hold a part of a change that cannot be shown whole is not read either, unless that was asked for (BLOCK_FORCE_SHARE): an
 * answer is of the old disk or of the new one.
 *
 * That some blocks are as after also proves that a transaction of several disks was decided, should its record not be found.
 */
#include "redo_settle.h"

#include "redo_internal.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { SECTOR = 512, PIECE = 256 * REDO_BLOCK };

struct redo_found {
	struct redo_place place;
	struct block *file;
	const char *path; /* of the journal; lent by place */
	char problem[700]; /* it could not be opened, and why; "": no problem */
	bool trusted;	   /* with a problem: who owns the image, or root, has made it all the same */
};

struct redo_view {
	struct redo_index index;
	struct block *file;
};

/* ---- looking ---- */

void redo_found_freep(struct redo_found **f)
{
	if (!*f)
		return;
	redo_place_free(&(*f)->place);
	block_unref((*f)->file);
	free(*f);
	*f = NULL;
}

/* A journal that is open; fd is taken over.  0: its owner lives, and is left alone. */
static int found_open(struct redo_found *f, int fd, unsigned flags, struct err *e)
{
	const bool write = flags & BLOCK_WRITE;

	if (write && !redo_hold(fd)) {
		close(fd);
		return err_sys(e, EBUSY, "%s: another process is changing this image", f->path);
	}
	if (!write && redo_is_held(fd)) {
		close(fd);
		return 0;
	}
	return block_host_fd_open(fd, f->path, flags | BLOCK_NO_LOCK, &f->file, e);
}

int redo_look(struct block *file, unsigned flags, struct redo_found **out, struct err *e)
{
	CLEANUP(redo_found_freep) struct redo_found *f = NULL;
	const bool write = flags & BLOCK_WRITE;
	struct block *host = redo_host_of(file);
	struct err why = ERR_INIT;
	int fd = -1, rc = 0;

	*out = NULL;
	/* Who repairs a format's metadata does not ask for content, and cannot write it yet. */
	if (!host || flags & BLOCK_CHECK)
		return 0;
	f = alloc_zero(sizeof *f);
	if (!f)
		return err_nomem(e);
	rc = redo_place_of(host, &f->place, &why);
	if (rc == -(int)ERR_NOMEM)
		return err_nomem(e);
	for (size_t i = 0; rc == 0 && i < f->place.njournals && fd < 0; i++) {
		f->path = f->place.journals[i];
		rc = redo_open_file(f->path, &f->place.st, write, &fd, &why);
		if (rc < 0) {
			snprintf(f->problem, sizeof f->problem, "%.600s", why.msg);
			f->trusted = redo_is_trusted(f->path, &f->place.st);
			*out = take(f);
			return 0;
		}
	}
	if (fd < 0)
		return 0;
	rc = found_open(f, fd, write ? BLOCK_WRITE | BLOCK_RESIZE | (flags & BLOCK_UNSAFE) : 0, e);
	if (rc == 0 && f->file)
		*out = take(f);
	return rc;
}

/* ---- judging ---- */

struct evidence {
	uint64_t before, after, other; /* blocks */
	uint64_t zeros;		       /* as after, which is zeros: of another image that proves nothing */
};

/* A write that power cut off: sectors of one and the other. */
static bool is_torn(const uint8_t *image, const uint8_t *change, size_t len)
{
	static const uint8_t zeros[SECTOR];

	for (size_t i = 0; i + SECTOR <= len; i += SECTOR)
		if (memcmp(image + i, change + i, SECTOR) == 0 && memcmp(change + i, zeros, SECTOR) != 0)
			return true;
	return false;
}

static void judge_block(const struct redo_sum *s, const uint8_t *image, const uint8_t *change, size_t len, struct evidence *v)
{
	uint32_t sum = redo_sum_of(image, len);

	if (sum == s->was)
		v->before++;
	else if (sum == s->is && sum == redo_sum_zeros(len))
		v->zeros++;
	else if (sum == s->is || (change && is_torn(image, change, len)))
		v->after++;
	else
		v->other++;
}

static int judge_run(struct block *b, struct block *file, const struct redo_index *x, const struct redo_run *r, uint8_t *image,
		     uint8_t *change, struct evidence *v, struct err *e)
{
	uint64_t len = redo_run_bytes(x, r);

	for (uint64_t at = 0; at < len; at += PIECE) {
		size_t n = (size_t)MIN_OF((uint64_t)PIECE, len - at);
		bool data = r->kind == REDO_RUN_DATA;
		int rc = block_pread(b, image, n, r->off + at, e);

		if (rc == 0 && data)
			rc = block_pread(file, change, n, r->at + at, e);
		if (rc < 0)
			return rc;
		for (size_t k = 0; k < n; k += REDO_BLOCK)
			judge_block(&x->sums[r->first + (at + k) / REDO_BLOCK], image + k, data ? change + k : NULL,
				    MIN_OF((size_t)REDO_BLOCK, n - k), v);
	}
	return 0;
}

static int judge_content(struct block *b, struct block *file, const struct redo_index *x, struct evidence *v, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *image = alloc_bytes(PIECE);
	CLEANUP(free_ptr) uint8_t *change = alloc_bytes(PIECE);
	int rc = image && change ? 0 : err_nomem(e);

	*v = (struct evidence){ .before = 0 };
	for (size_t i = 0; i < x->nruns && rc == 0; i++)
		rc = judge_run(b, file, x, &x->runs[i], image, change, v, e);
	return rc;
}

/* Is it the file that the change was made for? */
static bool same_file(const struct redo_found *f, const struct redo_image *was, struct block *host)
{
	struct redo_image now = { .size = 0 };

	if (redo_place_image(host, &now, NULL) < 0 || now.device != was->device)
		return false;
	if (was->device)
		return true;
	return now.ino == was->ino && f->place.st.st_ino == was->ino &&
	       (!now.birth_sec || !was->birth_sec ||
		(now.birth_sec == was->birth_sec && now.birth_nsec == was->birth_nsec));
}

/* As it was when the change was about to count; asked before our own opening could write to it. */
static bool same_time(const struct redo_found *f, const struct redo_image *was)
{
	return was->device || (f->place.st.st_mtim.tv_sec == was->mtime_sec &&
			       (uint32_t)f->place.st.st_mtim.tv_nsec == was->mtime_nsec);
}

/* ---- the record of several disks ---- */

static char *record_beside(const struct redo_found *f, const struct redo_index *x)
{
	char name[64] = REDO_RECORD_PREFIX;

	for (size_t i = 0; i < REDO_ID; i++)
		snprintf(name + strlen(name), sizeof name - strlen(name), "%02x", x->id[i]);
	return redo_sibling(f->path, name);
}

/* Opens and judges another file of the transaction; NULL: it is not there, or none. */
static struct block *open_other(const char *path, const struct redo_found *f, struct redo_index *x)
{
	struct block *file = NULL;
	int fd = -1;

	*x = (struct redo_index){ .disks = NULL };
	if (redo_open_file(path, &f->place.st, false, &fd, NULL) < 0 || fd < 0 ||
	    block_host_fd_open(fd, path, BLOCK_NO_LOCK, &file, NULL) < 0)
		return NULL;
	if (redo_file_read(file, x, NULL) < 0)
		block_unrefp(&file);
	return file;
}

/* The record, if it says that the transaction counts.  A path that the journal names must be one of a record. */
static bool record_find(const struct redo_found *f, const struct redo_index *x, struct redo_index *record)
{
	CLEANUP(free_ptr) char *beside = record_beside(f, x);
	const char *paths[] = { beside, x->record };

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		CLEANUP(block_unrefp) struct block *file = NULL;

		if (!paths[i] || !redo_name_is_record(paths[i]))
			continue;
		file = open_other(paths[i], f, record);
		if (file && record->kind == REDO_RECORD && record->counts == REDO_COUNTS && memcmp(record->id, x->id, REDO_ID) == 0)
			return true;
		redo_index_free(record);
	}
	return false;
}

/* Is another journal of the transaction left?  What cannot be found out may be one. */
static bool others_left(const struct redo_found *f, const struct redo_index *record)
{
	for (size_t i = 0; i < record->ndisks; i++) {
		CLEANUP(redo_index_free) struct redo_index x = { .disks = NULL };
		CLEANUP(block_unrefp) struct block *file = NULL;
		const char *path = record->disks[i].path;

		if (!redo_name_is_journal(path) || strcmp(path, f->path) == 0 || (access(path, F_OK) < 0 && errno == ENOENT))
			continue;
		file = open_other(path, f, &x);
		if (!file || (x.counts != REDO_OPEN && memcmp(x.id, record->id, REDO_ID) == 0))
			return true;
	}
	return false;
}

/* This image's journal is gone.  The record goes too, if nobody needs it. */
static void record_release(const struct redo_found *f, const struct redo_index *x)
{
	CLEANUP(free_ptr) char *beside = record_beside(f, x);
	const char *paths[] = { beside, x->record };

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		CLEANUP(redo_index_free) struct redo_index record = { .disks = NULL };
		CLEANUP(block_unrefp) struct block *file = NULL;
		int fd = -1, rc;

		if (!paths[i] || !redo_name_is_record(paths[i]) || redo_open_file(paths[i], &f->place.st, false, &fd, NULL) < 0 ||
		    fd < 0 || block_host_fd_open(fd, paths[i], BLOCK_NO_LOCK, &file, NULL) < 0 || redo_is_held(fd))
			continue;
		rc = redo_file_read(file, &record, NULL);
		if (rc < 0 ? record.counts == 0 : memcmp(record.id, x->id, REDO_ID) == 0 && !others_left(f, &record))
			unlink(paths[i]);
	}
}

/* ---- what to do ---- */

enum verdict {
	NOT_COUNTING, /* it never counted: dropped */
	COMPLETE,
	STALE,	      /* of an image that is another now, or was changed since: dropped */
	UNCLEAR,      /* left to the owner */
	HALF,	      /* the same, and the image may hold a part of it */
};

/* In words for all but the first two: *why. */
static int judge(struct block *b, struct redo_found *f, struct redo_index *x, enum verdict *out, const char **why, struct err *e)
{
	CLEANUP(redo_index_free) struct redo_index record = { .disks = NULL };
	struct redo_image *was;
	struct evidence v;
	struct err ignored;
	bool same, counts;
	int rc;

	/* Header or nothing: the header is written last. */
	*out = NOT_COUNTING;
	rc = redo_file_read(f->file, x, &ignored);
	if ((rc == -(int)ERR_CORRUPT && !x->counts) || (rc == 0 && x->counts == REDO_OPEN))
		return 0;
	*out = HALF;
	*why = "its journal is damaged";
	if (rc < 0 && rc != -(int)ERR_NOMEM)
		return 0;
	if (rc < 0)
		return err_nomem(e);
	if (x->kind != REDO_JOURNAL || x->ndisks != 1)
		return 0;
	was = &x->disks[0];
	same = same_file(f, was, redo_host_of(b));
	if (strcmp(was->format, b->drv->name) != 0 || was->size != block_size(b)) {
		*out = same ? UNCLEAR : STALE;
		*why = same ? "it was opened in another format, or of another size" : "the image was replaced since";
		return 0;
	}
	*out = UNCLEAR;
	*why = "its backing file is left out";
	if (b->flags & BLOCK_NO_BACKING && b->backing_name)
		return 0;
	*out = HALF;
	*why = "its journal is damaged";
	rc = redo_file_check(f->file, x, &ignored);
	if (rc < 0)
		return rc == -(int)ERR_NOMEM ? err_nomem(e) : 0;
	rc = judge_content(b, f->file, x, &v, e);
	if (rc < 0)
		return rc;
	if (same)
		v.after += v.zeros;
	counts = x->counts == REDO_COUNTS || v.after || record_find(f, x, &record);
	if (!counts) {
		*out = NOT_COUNTING;
	} else if (v.other && (v.after || was->device)) {
		*why = "the image was changed since, by somebody else";
	} else if (v.other || (!v.after && v.before && !(same && (x->begun || same_time(f, was))))) {
		*out = STALE;
		*why = same ? "the image was changed since" : "the image was replaced since";
	} else {
		*out = COMPLETE;
	}
	return 0;
}

static int say(struct block *b, struct err *e, char *text)
{
	if (!text)
		return err_nomem(e);
	free(b->notice);
	b->notice = text;
	return 0;
}

/* Nothing of it counts any more; then its name goes.  Where it may not be removed, it is empty. */
static int journal_drop(const struct redo_found *f, const struct redo_index *x, struct err *e)
{
	static const uint8_t none[REDO_ID];
	int rc = redo_file_open_header(f->file, REDO_JOURNAL, none, e);

	if (rc == 0)
		rc = block_flush(f->file, e);
	if (rc == 0)
		rc = block_truncate(f->file, REDO_HEADER, PREALLOC_OFF, e);
	if (rc == 0) {
		unlink(f->path);
		record_release(f, x);
	}
	return rc;
}

static uint64_t bytes_of(const struct redo_index *x)
{
	uint64_t n = 0;

	for (size_t i = 0; i < x->nruns; i++)
		n += redo_run_bytes(x, &x->runs[i]);
	return n;
}

static int complete(struct block *b, struct redo_found *f, struct redo_index *x, struct err *e)
{
	bool no_share = false;
	int rc = redo_apply(b, f->file, x, 0, &no_share, NULL, NULL, e);

	if (rc == 0)
		rc = journal_drop(f, x, e);
	if (rc < 0)
		return err_in(e, rc, "completing a change that was interrupted");
	return say(b, e, alloc_printf("%s: a change that was interrupted is completed now (%" PRIu64 " bytes)", b->name,
				      bytes_of(x)));
}

static int settle_writer(struct block *b, struct redo_found *f, struct redo_index *x, enum verdict v, const char *why,
			 struct err *e)
{
	bool done;
	int rc = 0;

	switch (v) {
	case COMPLETE:
		return complete(b, f, x, e);
	case UNCLEAR:
	case HALF:
		return err_set(e, ERR_CORRUPT, "a change of it was interrupted and cannot be completed: %s; if the image is right "
			       "as it is, remove %s", why, f->path);
	case NOT_COUNTING:
		done = x->counts == REDO_OPEN && x->begun;
		rc = journal_drop(f, x, e);
		return rc < 0 ? rc : say(b, e, alloc_printf(done ? "%s: the last change of it is complete; what was begun after "
								   "it, if anything, is dropped"
								 : "%s: a change that was interrupted before it counted is "
								   "dropped", b->name));
	case STALE:
		rc = journal_drop(f, x, e);
		return rc < 0 ? rc : say(b, e, alloc_printf("%s: a change that was interrupted is dropped: %s", b->name, why));
	}
	return rc;
}

static int view_over(struct block *b, struct redo_found *f, struct redo_index *x, struct err *e)
{
	struct redo_view *v = alloc_zero(sizeof *v);

	if (!v)
		return err_nomem(e);
	v->index = *x;
	*x = (struct redo_index){ .disks = NULL };
	v->file = take(f->file);
	b->view = v;
	return say(b, e, alloc_printf("%s: shown as a change makes it that was interrupted; the next command that writes to it "
				      "completes that", b->name));
}

static int settle_reader(struct block *b, struct redo_found *f, struct redo_index *x, enum verdict v, const char *why,
			 struct err *e)
{
	switch (v) {
	case COMPLETE:
		return view_over(b, f, x, e);
	case HALF:
	case UNCLEAR:
		if (v == HALF && !(b->flags & (BLOCK_FORCE_SHARE | BLOCK_FACTS)))
			return err_set(e, ERR_CORRUPT, "a change of it was interrupted that cannot be shown, and it may "
				       "hold a part of that: %s (%s)", why, f->path);
		return say(b, e, alloc_printf("%s: a change of it was interrupted and is not shown: %s (%s)", b->name, why,
					      f->path));
	case STALE:
		return say(b, e, alloc_printf("%s: a change that was interrupted is not shown: %s", b->name, why));
	case NOT_COUNTING:
		break;
	}
	return 0;
}

int redo_settle(struct block *b, struct redo_found *f, struct err *e)
{
	CLEANUP(redo_index_free) struct redo_index x = { .disks = NULL };
	enum verdict v = f->trusted ? HALF : UNCLEAR;
	const char *why = f->problem;
	int rc = 0;

	if (!*f->problem && b->flags & BLOCK_FACTS)
		return 0; /* nothing of the content is asked */
	if (!*f->problem)
		rc = judge(b, f, &x, &v, &why, e);
	if (rc < 0)
		return err_in(e, rc, "%s", f->path);
	return block_writable(b) ? settle_writer(b, f, &x, v, why, e) : settle_reader(b, f, &x, v, why, e);
}

/* ---- the view ---- */

void redo_view_free(struct redo_view *v)
{
	if (!v)
		return;
	redo_index_free(&v->index);
	block_unref(v->file);
	free(v);
}

/* The run that off is in (NULL: none), and how far from off that is so; at most len. */
static const struct redo_run *view_run(const struct redo_view *v, uint64_t off, uint64_t len, uint64_t *n)
{
	const struct redo_run *r = redo_index_find(&v->index, 0, off);

	if (!r || r->off > off) {
		*n = r ? MIN_OF(len, r->off - off) : len;
		return NULL;
	}
	*n = MIN_OF(len, r->off + redo_run_bytes(&v->index, r) - off);
	return r;
}

int redo_view_pread(struct block *b, void *buf, size_t len, uint64_t off, struct err *e)
{
	const struct redo_view *v = b->view;
	uint8_t *p = buf;
	int rc = 0;

	/* Ends: view_run() tells of at least one byte. */
	while (len && rc == 0) {
		uint64_t n;
		const struct redo_run *r = view_run(v, off, len, &n);

		if (!r)
			rc = b->drv->pread(b, p, (size_t)n, off, e);
		else if (r->kind == REDO_RUN_DATA)
			rc = block_pread(v->file, p, (size_t)n, r->at + (off - r->off), e);
		else
			memset(p, 0, (size_t)n);
		p += n;
		off += n;
		len -= (size_t)n;
	}
	return rc;
}

int redo_view_extent(struct block *b, uint64_t len, uint64_t off, struct extent *out, struct err *e)
{
	uint64_t n;
	const struct redo_run *r = view_run(b->view, off, len, &n);

	*out = (struct extent){ .off = off, .len = n };
	if (r) {
		out->flags = EXTENT_ALLOC | (r->kind == REDO_RUN_DATA ? EXTENT_DATA : EXTENT_ZERO);
		return 0;
	}
	if (b->drv->extent)
		return b->drv->extent(b, n, off, out, e);
	out->flags = EXTENT_DATA | EXTENT_ALLOC;
	return 0;
}
