/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "saved.h"

#include "alloc.h"
#include "checked.h"
#include "crc32c.h"
#include "io.h"
#include "limits.h"
#include "ondisk.h"
#include "zero.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096u
#define PAGES_AT_ONCE 64u
#define LAYOUT 1

struct saved_head {
	uint8_t magic[16];
	le32 layout;
	le32 crc; /* of this head with zeroes here, the runs and the state */
	uint8_t key[SAVED_KEY];
	le64 khz;
	le32 memory;
	le32 memory_crc;
	le64 runs_off, state_off, state_len;
	le32 nruns, npages;
};
static const char magic[16] = "drydock machine\n";

struct saved_run {
	le32 first, n;
};

char *saved_path(const struct appliance_files *files, bool programs)
{
	const char *name = programs ? "saved-programs" : "saved";
	CLEANUP(free_ptr) char *cache = NULL;

	if (!files->installed)
		return alloc_printf("%s/%s", files->folder, name);
	cache = appliance_cache_folder();
	return cache ? alloc_printf("%s/%s", cache, name) : NULL;
}

/* ---- reading ---- */

void saved_close(struct saved *s)
{
	close_fd(&s->fd);
}

static int damaged(struct err *e)
{
	return err_set(e, ERR_CORRUPT, "the saved machine is damaged");
}

static int judge_file(int fd, struct stat *st, struct err *e)
{
	if (fstat(fd, st) < 0)
		return err_sys(e, errno, "the saved machine");
	/* A kernel is run that is in it. */
	if (!S_ISREG(st->st_mode) || (st->st_uid != geteuid() && st->st_uid != 0) || st->st_mode & (S_IWGRP | S_IWOTH))
		return err_set(e, ERR_POLICY, "the saved machine could have been written by another user");
	if (st->st_size == 0 && time(NULL) - st->st_mtime < SAVED_NOT_SECONDS && time(NULL) >= st->st_mtime)
		return err_set(e, ERR_UNSUPPORTED, "saved machines do not work here, as was tried");
	return st->st_size == 0 ? err_set(e, ERR_NOT_FOUND, "no machine is saved") : 0;
}

/* A counter that is measured is right to a part in some hundreds. */
static bool same_speed(uint64_t a, uint64_t b)
{
	return a == b || (a && b && (a > b ? a - b : b - a) < a / 100);
}

static int judge_head(const struct saved_head *h, const struct saved_of *of, uint64_t size, struct saved *s, struct err *e)
{
	uint64_t npages = le32_get(h->npages), nruns = le32_get(h->nruns), all = (uint64_t)of->memory * MiB / PAGE;

	if (memcmp(h->magic, magic, sizeof magic) != 0 || le32_get(h->layout) != LAYOUT ||
	    memcmp(h->key, of->key, SAVED_KEY) != 0 || le32_get(h->memory) != of->memory ||
	    !same_speed(le64_get(h->khz), of->khz))
		return err_set(e, ERR_NOT_FOUND, "the machine that is saved is another one");
	s->of = *of;
	s->npages = (uint32_t)npages;
	s->nruns = (uint32_t)nruns;
	s->memory_crc = le32_get(h->memory_crc);
	s->runs_off = le64_get(h->runs_off);
	s->state_off = le64_get(h->state_off);
	s->state_len = le64_get(h->state_len);
	if (npages > all || nruns > npages || s->runs_off != PAGE + npages * PAGE ||
	    s->state_off != s->runs_off + nruns * sizeof(struct saved_run) || !s->state_len ||
	    s->state_len > LIMIT_SAVED_STATE || s->state_off + s->state_len != size)
		return damaged(e);
	return 0;
}

/* All but the pages. */
static int judge_sum(struct saved_head *h, const struct saved *s, struct err *e)
{
	uint64_t len = s->state_off + s->state_len - s->runs_off;
	CLEANUP(free_ptr) void *rest = alloc_bytes(len);
	uint32_t want = le32_get(h->crc);
	size_t got;
	int rc;

	if (!rest)
		return err_nomem(e);
	rc = io_pread(s->fd, rest, len, s->runs_off, &got);
	if (rc)
		return err_sys(e, rc, "the saved machine");
	le32_put(&h->crc, 0);
	return got != len || crc32c(crc32c(~0u, h, sizeof *h), rest, len) != want ? damaged(e) : 0;
}

static int read_head(struct saved_head *h, const struct saved_of *of, struct saved *s, struct err *e)
{
	struct stat st;
	size_t got;
	int rc = judge_file(s->fd, &st, e), failed;

	if (rc < 0)
		return rc;
	failed = io_pread(s->fd, h, sizeof *h, 0, &got);
	if (failed)
		return err_sys(e, failed, "the saved machine");
	return got != sizeof *h ? damaged(e) : judge_head(h, of, (uint64_t)st.st_size, s, e);
}

int saved_read(int fd, const struct saved_of *of, struct saved *out, struct err *e)
{
	struct saved_head h;
	int rc;

	*out = (struct saved){ .fd = fd };
	rc = read_head(&h, of, out, e);
	if (rc == 0)
		rc = judge_sum(&h, out, e);
	if (rc < 0)
		saved_close(out);
	return rc;
}

int saved_open(const char *path, const struct saved_of *of, struct saved *out, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	*out = (struct saved){ .fd = -1 };
	if (fd < 0)
		return errno == ENOENT ? err_set(e, ERR_NOT_FOUND, "no machine is saved") : err_sys(e, errno, "%s", path);
	return saved_read(fd, of, out, e);
}

static int load_run(const struct saved *s, uint64_t off, uint64_t page, uint64_t n, int memory, uint8_t *buf, uint32_t *crc,
		    struct err *e)
{
	while (n) {
		size_t len = MIN_OF(n, PAGES_AT_ONCE) * PAGE, got;
		int rc = io_pread(s->fd, buf, len, off, &got);

		if (rc)
			return err_sys(e, rc, "the saved machine");
		if (got != len)
			return damaged(e);
		*crc = crc32c(*crc, buf, len);
		rc = memory < 0 ? 0 : io_pwrite(memory, buf, len, page * PAGE);
		if (rc)
			return err_sys(e, rc, "the memory of the machine");
		off += len;
		page += len / PAGE;
		n -= len / PAGE;
	}
	return 0;
}

int saved_load(const struct saved *s, int memory, struct err *e)
{
	const uint64_t all = (uint64_t)s->of.memory * MiB / PAGE;
	CLEANUP(free_ptr) struct saved_run *runs = alloc_array(s->nruns + 1, sizeof *runs);
	CLEANUP(free_ptr) uint8_t *buf = alloc_bytes(PAGES_AT_ONCE * PAGE);
	uint64_t done = 0, next = 0;
	uint32_t crc = ~0u;
	size_t got;
	int rc;

	if (!runs || !buf)
		return err_nomem(e);
	rc = io_pread(s->fd, runs, s->nruns * sizeof *runs, s->runs_off, &got);
	if (rc)
		return err_sys(e, rc, "the saved machine");
	if (got != s->nruns * sizeof *runs)
		return damaged(e);
	for (uint32_t i = 0; i < s->nruns; i++) {
		uint64_t first = le32_get(runs[i].first), n = le32_get(runs[i].n);

		if (first < next || !n || !range_in(first, n, all) || n > s->npages - done)
			return damaged(e);
		rc = load_run(s, PAGE + done * PAGE, first, n, memory, buf, &crc, e);
		if (rc < 0)
			return rc;
		done += n;
		next = first + n;
	}
	return done != s->npages || crc != s->memory_crc ? damaged(e) : 0;
}

/* ---- writing ---- */

struct writer {
	int fd, memory;
	struct saved_run *runs;
	uint32_t nruns, cap, npages, crc;
	uint64_t next; /* the page behind the last one */
	uint8_t *buf;
};

static int add_page(struct writer *w, uint64_t page, const uint8_t *bytes, struct err *e)
{
	struct saved_run *r = w->nruns ? &w->runs[w->nruns - 1] : NULL;
	int rc = io_pwrite(w->fd, bytes, PAGE, PAGE + (uint64_t)w->npages * PAGE);

	if (rc)
		return err_sys(e, rc, "writing the saved machine");
	w->crc = crc32c(w->crc, bytes, PAGE);
	w->npages++;
	if (r && w->next == page) {
		le32_put(&r->n, le32_get(r->n) + 1);
	} else {
		if (w->nruns == w->cap) {
			uint32_t cap = w->cap ? w->cap * 2 : 256;
			struct saved_run *runs = alloc_resize(w->runs, cap, sizeof *runs);

			if (!runs)
				return err_nomem(e);
			w->runs = runs;
			w->cap = cap;
		}
		r = &w->runs[w->nruns++];
		le32_put(&r->first, (uint32_t)page);
		le32_put(&r->n, 1);
	}
	w->next = page + 1;
	return 0;
}

/* The pages from off on that may hold something, to the next hole. */
static int add_data(struct writer *w, uint64_t off, uint64_t end, struct err *e)
{
	while (off < end) {
		size_t len = MIN_OF(end - off, PAGES_AT_ONCE * PAGE), got;
		int rc = io_pread(w->memory, w->buf, len, off, &got);

		if (rc || got != len)
			return err_sys(e, rc ? rc : EIO, "the memory of the machine");
		for (size_t at = 0; at < len; at += PAGE) {
			if (mem_is_zero(w->buf + at, PAGE))
				continue;
			rc = add_page(w, (off + at) / PAGE, w->buf + at, e);
			if (rc < 0)
				return rc;
		}
		off += len;
	}
	return 0;
}

static int add_memory(struct writer *w, uint64_t size, struct err *e)
{
	uint64_t off = 0;

	/* Ends: each turn goes on behind the hole that it found, or to the end. */
	while (off < size) {
		off_t data = lseek(w->memory, (off_t)off, SEEK_DATA), hole;
		int rc;

		if (data < 0 && errno == ENXIO)
			return 0;
		hole = data < 0 ? -1 : lseek(w->memory, data, SEEK_HOLE);
		if (hole < 0)
			return err_sys(e, errno, "the memory of the machine");
		off = MIN_OF(round_up((uint64_t)hole, PAGE), size);
		rc = add_data(w, round_down((uint64_t)data, PAGE), off, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int write_rest(const struct writer *w, const struct saved_of *of, const void *state, size_t len, struct err *e)
{
	struct saved_head h = { .layout = { { 0 } } };
	size_t runs_len = w->nruns * sizeof *w->runs;
	uint64_t runs_off = PAGE + (uint64_t)w->npages * PAGE;
	uint32_t crc;
	int rc;

	memcpy(h.magic, magic, sizeof h.magic);
	le32_put(&h.layout, LAYOUT);
	memcpy(h.key, of->key, SAVED_KEY);
	le64_put(&h.khz, of->khz);
	le32_put(&h.memory, of->memory);
	le32_put(&h.memory_crc, w->crc);
	le64_put(&h.runs_off, runs_off);
	le64_put(&h.state_off, runs_off + runs_len);
	le64_put(&h.state_len, len);
	le32_put(&h.nruns, w->nruns);
	le32_put(&h.npages, w->npages);
	crc = crc32c(~0u, &h, sizeof h);
	crc = crc32c(crc, w->runs, runs_len);
	le32_put(&h.crc, crc32c(crc, state, len));
	rc = io_pwrite(w->fd, w->runs, runs_len, runs_off);
	if (!rc)
		rc = io_pwrite(w->fd, state, len, runs_off + runs_len);
	if (!rc && ftruncate(w->fd, (off_t)(runs_off + runs_len + len)) < 0)
		rc = errno;
	if (!rc)
		rc = io_pwrite(w->fd, &h, sizeof h, 0);
	return rc ? err_sys(e, rc, "writing the saved machine") : 0;
}

int saved_write(int fd, const struct saved_of *of, int memory, const void *state, size_t len, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *buf = alloc_bytes(PAGES_AT_ONCE * PAGE);
	struct writer w = { .fd = fd, .memory = memory, .crc = ~0u, .buf = buf };
	int rc = buf ? 0 : err_nomem(e);

	if (rc == 0)
		rc = add_memory(&w, (uint64_t)of->memory * MiB, e);
	if (rc == 0)
		rc = write_rest(&w, of, state, len, e);
	free(w.runs);
	return rc;
}

int saved_give_up(const char *path, struct err *e)
{
	CLEANUP(close_fd) int fd = -1;

	/* Not the file itself: machines may be starting from it. */
	if (unlink(path) < 0 && errno != ENOENT)
		return err_sys(e, errno, "%s", path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return fd < 0 && errno != EEXIST ? err_sys(e, errno, "%s", path) : 0;
}
