// SPDX-License-Identifier: LGPL-2.1-or-later
#include "resume.h"

#include "alloc.h"
#include "hash.h"
#include "io.h"
#include "limits.h"
#include "strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* "drydock conversion 1 " and 20 digits: written over in place, within one sector. */
#define HEAD_FORMAT "drydock conversion 1 %020" PRIu64 "\n"
enum { HEAD_LEN = 42 };

/* ---- what identifies a conversion ---- */

static void add_opts(struct strbuf *s, const struct dict *opts)
{
	for (size_t i = 0; opts && i < opts->n; i++)
		strbuf_printf(s, "%zu:%s=%zu:%s,", strlen(opts->items[i].key), opts->items[i].key,
			      strlen(opts->items[i].value), opts->items[i].value);
}

/* One line: a digest, since options may be of any length and hold anything. */
static int add_options_line(struct strbuf *out, const struct resume_what *w, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf s = STRBUF_INIT;
	CLEANUP(free_ptr) char *text = NULL;
	uint8_t digest[HASH_MAX];
	size_t len;

	strbuf_printf(&s, "%s,%d,%d,%" PRIu64 ",%zu,%s;", w->format, w->compress, w->salvage, w->sparse, w->nsources,
		      w->note ? w->note : "");
	add_opts(&s, w->opts);
	add_opts(&s, w->open);
	len = s.len;
	text = strbuf_detach(&s);
	if (!text)
		return err_nomem(e);
	hash_two(HASH_SHA256, text, len, NULL, 0, digest);
	strbuf_printf(out, "options ");
	for (size_t i = 0; i < hash_size(HASH_SHA256); i++)
		strbuf_printf(out, "%02x", digest[i]);
	strbuf_putc(out, '\n');
	return 0;
}

static int add_source_line(struct strbuf *out, const struct block *b, struct err *e)
{
	const struct block *host = b;
	struct stat st;

	while (block_file(host))
		host = block_file(host);
	if (block_host_fd(host) < 0 || fstat(block_host_fd(host), &st) != 0)
		return err_set(e, ERR_USAGE, "%s cannot be told apart from another source, so its conversion cannot be resumed",
			       block_name(b));
	/* A device has no time of its last change that would mean anything. */
	if (S_ISBLK(st.st_mode))
		strbuf_printf(out, "source device %" PRIu64 " %" PRIu64 "\n", (uint64_t)st.st_rdev, block_size(b));
	else
		strbuf_printf(out, "source %" PRIu64 " %" PRIu64 " %" PRId64 " %" PRId64 ".%09ld %" PRIu64 "\n",
			      (uint64_t)st.st_dev, (uint64_t)st.st_ino, (int64_t)st.st_size, (int64_t)st.st_mtim.tv_sec,
			      st.st_mtim.tv_nsec, block_size(b));
	return 0;
}

static int identify(const struct resume_what *w, char **out, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf s = STRBUF_INIT;
	int rc = add_options_line(&s, w, e);

	for (size_t i = 0; rc == 0 && i < w->nsources; i++)
		for (const struct block *b = w->sources[i]; rc == 0 && b; b = block_backing(b))
			rc = add_source_line(&s, b, e);
	if (rc < 0)
		return rc;
	*out = strbuf_detach(&s);
	return *out ? 0 : err_nomem(e);
}

/* ---- the journal ---- */

static int lock(struct resume *r, const char *target, struct err *e)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	struct stat st;
	bool ours = fcntl(r->fd, F_OFD_SETLK, &l) == 0;

	/* Whoever held the lock may have finished, and removed the journal, since we opened it. */
	if (ours && fstat(r->fd, &st) == 0 && st.st_nlink)
		return 0;
	if (ours || errno == EAGAIN || errno == EACCES)
		return err_set(e, ERR_USAGE, "%s: another process is making it", target);
	return err_sys(e, errno, "%s", r->path);
}

/* Reads what is there: r->found when it is ours, ERR_USAGE when it is another's. */
static int judge(struct resume *r, const char *target, struct err *e)
{
	size_t len = strlen(r->text), got = 0, line;
	CLEANUP(free_ptr) char *buf = alloc_zero(HEAD_LEN + len + 2);
	char again[HEAD_LEN + 1];
	int rc;

	if (!buf)
		return err_nomem(e);
	rc = io_pread(r->fd, buf, HEAD_LEN + len + 1, 0, &got);
	if (rc)
		return err_sys(e, rc, "%s", r->path);
	if (got < HEAD_LEN || !buf[0])
		return 0; /* its maker did not come to the first mark */
	if (sscanf(buf, "drydock conversion 1 %20" SCNu64, &r->pos) != 1 ||
	    snprintf(again, sizeof again, HEAD_FORMAT, r->pos) != HEAD_LEN || memcmp(again, buf, HEAD_LEN) != 0)
		return err_set(e, ERR_CORRUPT, "%s is no journal of a conversion; remove it to begin anew", r->path);
	if (strcmp(buf + HEAD_LEN, r->text) == 0) {
		r->found = true;
		return 0;
	}
	line = strcspn(r->text, "\n");
	return err_set(e, ERR_USAGE, "%s: the interrupted conversion %s; remove %s to begin anew", target,
		       strncmp(buf + HEAD_LEN, r->text, line + 1) == 0 ? "read a source that has changed since, or another one"
								       : "had other options",
		       r->path);
}

int resume_begin(struct resume *r, const struct resume_what *what, struct err *e)
{
	const char *slash = strrchr(what->target, '/'), *base = slash ? slash + 1 : what->target;
	int rc = identify(what, &r->text, e);

	if (rc < 0)
		return rc;
	r->path = alloc_printf("%.*s.%.200s.drydock-journal", (int)(base - what->target), what->target, base);
	if (!r->path)
		return err_nomem(e);
	r->fd = open(r->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (r->fd < 0)
		return err_sys(e, errno, "%s", r->path);
	rc = lock(r, what->target, e);
	if (rc < 0) {
		close_fd(&r->fd); /* it is another's: it stays */
		return rc;
	}
	return judge(r, what->target, e);
}

int resume_mark(struct resume *r, uint64_t pos, struct err *e)
{
	char head[HEAD_LEN + 1];
	int rc;

	snprintf(head, sizeof head, HEAD_FORMAT, pos);
	/* The first time the head comes last: a journal with a head is whole. */
	rc = r->found ? 0 : io_pwrite(r->fd, r->text, strlen(r->text), HEAD_LEN);
	if (!rc && !r->found && fdatasync(r->fd) != 0)
		rc = errno;
	if (!rc)
		rc = io_pwrite(r->fd, head, HEAD_LEN, 0);
	if (!rc && fdatasync(r->fd) != 0)
		rc = errno;
	if (rc)
		return err_sys(e, rc, "%s", r->path);
	r->found = true;
	r->pos = pos;
	return 0;
}

void resume_finish(struct resume *r)
{
	if (r->fd >= 0)
		unlink(r->path);
	close_fd(&r->fd);
}

void resume_end(struct resume *r)
{
	struct stat st;

	if (r->fd >= 0 && fstat(r->fd, &st) == 0 && st.st_size == 0)
		unlink(r->path);
	close_fd(&r->fd);
	free(take(r->path));
	free(take(r->text));
}
