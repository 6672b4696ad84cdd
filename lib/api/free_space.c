/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * free_space.c - the free space of a guest's filesystems, found by a process that can do nothing else.
 *
 * A conversion writes, and opens files; who reads a stranger's filesystem should not be able to.  So a child is made that
 * has the image and one end of a pipe, gives up the rest (confine.h), and sends what it finds.  Its words are judged here as
 * a stranger's: the worst that they can do is to leave out something of the very disk that misled it.
 */
#include "api.h"
#include "image.h"

#include "alloc.h"
#include "checked.h"
#include "confine.h"
#include "free_space.h"
#include "io.h"
#include "limits.h"
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILD_SECONDS = 600, CHUNK = 1024 };
#define CHILD_MEMORY (1 * GiB)

struct dry_free_space {
	struct free_space found;
	struct dry_free_volume *volumes;
};

void dry_free_space_free(struct dry_free_space *f)
{
	if (!f)
		return;
	free_space_free(&f->found);
	free(f->volumes);
	free(f);
}

static void free_found(struct dry_free_space **f)
{
	dry_free_space_free(*f);
}

/* ---- the pipe: a head, and n things of a kind.  Both ends are one program. ---- */

enum word { WORD_VOLUME, WORD_RANGES, WORD_ERROR, WORD_DONE };
struct head {
	uint32_t word, n;
};

static bool put(int fd, enum word word, const void *what, size_t size, size_t n)
{
	const struct head h = { (uint32_t)word, (uint32_t)n };

	return io_write(fd, &h, sizeof h) == 0 && io_write(fd, what, size * n) == 0;
}

static bool put_all(int fd, const struct free_space *f)
{
	for (size_t i = 0; i < f->nvolumes; i++)
		if (!put(fd, WORD_VOLUME, &f->volumes[i], sizeof *f->volumes, 1))
			return false;
	for (size_t i = 0; i < f->n; i += CHUNK)
		if (!put(fd, WORD_RANGES, &f->ranges[i], sizeof *f->ranges, MIN_OF(f->n - i, (size_t)CHUNK)))
			return false;
	return put(fd, WORD_DONE, "", 1, 0);
}

/* The child: it ends here. */
__attribute__((noreturn)) static void look(struct block *disk, int fd)
{
	const struct confine_how how = { .want = CONFINE_BEST, .write_dir = -1, .memory = CHILD_MEMORY,
					 .seconds = CHILD_SECONDS };
	struct free_space found = { .n = 0 };
	struct confine_report report;
	struct err e = ERR_INIT;
	int rc = confine(&how, &report, &e);
	bool sent;

	if (rc == 0)
		rc = free_space_scan(disk, &found, &e);
	sent = rc == 0 ? put_all(fd, &found) : put(fd, WORD_ERROR, &e, sizeof e, 1);
	_exit(sent ? 0 : 1);
}

static int no_answer(struct err *e)
{
	return err_set(e, ERR_CORRUPT, "the search for free space broke off");
}

/* Reads exactly that much. */
static bool get(int fd, void *buf, size_t len)
{
	size_t got;

	return io_read(fd, buf, len, &got) == 0 && got == len;
}

static int get_volume(int fd, struct free_space *f, struct err *e)
{
	struct free_volume *v;

	if (f->nvolumes == LIMIT_VOLUMES)
		return no_answer(e);
	v = free_space_volume(f);
	if (!v)
		return err_nomem(e);
	if (!get(fd, v, sizeof *v))
		return no_answer(e);
	v->name[sizeof v->name - 1] = v->type[sizeof v->type - 1] = v->why[sizeof v->why - 1] = '\0';
	return 0;
}

static int get_ranges(int fd, uint64_t size, size_t n, struct free_space *f, struct err *e)
{
	struct copy_range ranges[CHUNK];

	if (n > CHUNK || n > LIMIT_FREE_RANGES - f->n || !get(fd, ranges, n * sizeof *ranges))
		return no_answer(e);
	for (size_t i = 0; i < n; i++) {
		const struct copy_range *r = &ranges[i], *last = f->n ? &f->ranges[f->n - 1] : NULL;
		int rc;

		if (r->len == 0 || (r->off | r->len) % 512 || !range_in(r->off, r->len, size) ||
		    (last && r->off < last->off + last->len))
			return no_answer(e);
		rc = free_space_add(f, r->off, r->len, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Until all is said.  It ends: volumes and ranges are counted. */
static int listen_to(int fd, uint64_t size, struct free_space *f, struct err *e)
{
	struct head h;
	struct err theirs;
	int rc = 0;

	while (rc == 0) {
		if (!get(fd, &h, sizeof h))
			return no_answer(e);
		switch (h.word) {
		case WORD_VOLUME:
			rc = get_volume(fd, f, e);
			break;
		case WORD_RANGES:
			rc = h.n ? get_ranges(fd, size, h.n, f, e) : no_answer(e);
			break;
		case WORD_ERROR:
			if (!get(fd, &theirs, sizeof theirs))
				return no_answer(e);
			theirs.msg[sizeof theirs.msg - 1] = '\0';
			return err_set(e, ERR_CORRUPT, "%s", theirs.msg);
		case WORD_DONE:
			return 0;
		default:
			return no_answer(e);
		}
	}
	return rc;
}

static int ask_child(struct block *disk, struct free_space *f, struct err *e)
{
	int ends[2], status, rc;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return err_sys(e, errno, "pipe");
	pid = fork();
	if (pid < 0) {
		rc = err_sys(e, errno, "fork");
		close(ends[0]);
		close(ends[1]);
		return rc;
	}
	if (pid == 0) {
		close(ends[0]);
		look(disk, ends[1]);
	}
	close(ends[1]);
	rc = listen_to(ends[0], block_size(disk), f, e);
	close(ends[0]);
	/* It is through, or is not listened to any more. */
	if (rc < 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return rc;
}

int dry_free_space_find(struct dry_image *image, struct dry_free_space **out, struct dry_error *error)
{
	API_ERR(e, error);
	CLEANUP(free_found) struct dry_free_space *f = alloc_zero(sizeof *f);
	int rc;

	*out = NULL;
	if (!f)
		return err_nomem(e);
	if (block_is_stream(image->block))
		return err_set(e, ERR_USAGE, "what is free on a disk cannot be told from a stream, which comes once");
	rc = ask_child(image->block, &f->found, e);
	if (rc < 0)
		return err_in(e, rc, "%s", block_name(image->block));
	f->volumes = alloc_array(f->found.nvolumes + 1, sizeof *f->volumes);
	if (!f->volumes)
		return err_nomem(e);
	for (size_t i = 0; i < f->found.nvolumes; i++) {
		const struct free_volume *v = &f->found.volumes[i];

		f->volumes[i] = (struct dry_free_volume){ .name = v->name, .type = v->type[0] ? v->type : NULL, .size = v->size,
							  .free = v->free, .why = v->why[0] ? v->why : NULL };
	}
	*out = take(f);
	return 0;
}

const struct dry_free_volume *dry_free_space_volumes(const struct dry_free_space *f, size_t *n)
{
	*n = f->found.nvolumes;
	return f->volumes;
}

void image_free_ranges(const struct dry_free_space *f, const struct copy_range **ranges, size_t *n)
{
	*ranges = f ? f->found.ranges : NULL;
	*n = f ? f->found.n : 0;
}
