/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "log_file.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"
#include "unstream.h"

struct log_file {
	struct guest_file f;
	uint64_t off;	       /* in the file: what is not read yet */
	uint64_t budget;       /* bytes that may still come out */
	struct unstream *from; /* NULL: it is not compressed */
	size_t pos, have;
	bool ended, cut; /* cut: of the line that was given the rest is not wanted */
	char *buf;
};

/* The next bytes of the file as it lies there; where it has a large hole, those behind it. */
static int raw_read(void *arg, void *buf, size_t len, size_t *got, struct err *e)
{
	struct log_file *f = arg;
	uint64_t run;
	bool hole;
	int rc;

	*got = 0;
	/* Ends: a hole that is left out takes us on, and the file has an end. */
	while (f->off < f->f.size && !f->from) {
		rc = fs_extent(f->f.node.fs, f->f.node.ino, f->off, &run, &hole, e);
		if (rc < 0)
			return rc;
		if (!hole || run < LIMIT_LOG_LINE)
			break;
		f->off += MIN_OF(run, f->f.size - f->off);
	}
	len = (size_t)MIN_OF((uint64_t)len, f->f.size - f->off);
	if (len == 0)
		return 0;
	rc = fs_pread(f->f.node.fs, f->f.node.ino, buf, len, f->off, got, e);
	f->off += *got;
	return rc;
}

int log_file_open(const struct guest_file *file, struct log_file **out, struct err *e)
{
	struct log_file *f = alloc_zero(sizeof *f);
	uint8_t magic[8] = { 0 };
	enum unpack_alg alg;
	size_t got;
	int rc;

	if (!f)
		return err_nomem(e);
	f->f = *file;
	f->budget = UINT64_MAX;
	f->buf = alloc_bytes(LIMIT_LOG_LINE + 1);
	rc = f->buf ? fs_pread(file->node.fs, file->node.ino, magic, sizeof magic, 0, &got, e) : err_nomem(e);
	if (rc >= 0 && unstream_detect(magic, got, &alg)) {
		if (!checked_mul(file->size, LIMIT_LOG_GROWTH, &f->budget) ||
		    !checked_add(f->budget, LIMIT_LOG_UNPACKED, &f->budget))
			f->budget = UINT64_MAX;
		rc = unstream_new(alg, raw_read, f, &f->from, e);
	} else if (rc >= 0 && got >= 4 && memcmp(magic, "BZh", 3) == 0) {
		rc = err_set(e, ERR_UNSUPPORTED, "logs that are compressed by bzip2 are not read");
	}
	if (rc < 0) {
		log_file_close(f);
		return rc;
	}
	*out = f;
	return 0;
}

void log_file_close(struct log_file *f)
{
	if (!f)
		return;
	unstream_free(f->from);
	free(f->buf);
	free(f);
}

/* Moves what is left to the front and reads behind it: 1, or 0 when there is no more to read, or no room. */
static int refill(struct log_file *f, struct err *e)
{
	size_t got = 0, room;
	int rc;

	memmove(f->buf, f->buf + f->pos, f->have - f->pos);
	f->have -= f->pos;
	f->pos = 0;
	room = LIMIT_LOG_LINE - f->have;
	if (room == 0 || f->ended)
		return 0;
	if (f->budget == 0)
		return err_set(e, ERR_LIMIT, "more comes out of it than %llu times its size", LIMIT_LOG_GROWTH);
	room = (size_t)MIN_OF((uint64_t)room, f->budget);
	rc = f->from ? unstream_read(f->from, f->buf + f->have, room, &got, e) : raw_read(f, f->buf + f->have, room, &got, e);
	if (rc < 0) {
		f->ended = true;
		return rc;
	}
	f->budget -= f->from ? got : 0;
	f->have += got;
	f->ended = got == 0;
	return got > 0;
}

static void skip_nuls(struct log_file *f)
{
	while (f->pos < f->have && f->buf[f->pos] == '\0')
		f->pos++;
}

int log_file_line(struct log_file *f, char **line, size_t *len, struct err *e)
{
	/* Ends: each turn finds a line, or reads on in a file that ends. */
	for (;;) {
		char *end;
		int rc;

		if (!f->cut)
			skip_nuls(f);
		end = memchr(f->buf + f->pos, '\n', f->have - f->pos);
		if (end && f->cut) {
			f->pos = (size_t)(end - f->buf) + 1;
			f->cut = false;
			continue;
		}
		if (f->cut)
			f->pos = f->have;
		if (!end) {
			rc = refill(f, e);
			if (rc < 0)
				return rc;
			if (rc > 0)
				continue;
			if (f->have == 0)
				return 0;
			/* The last one, without an end, or one that fills the buffer. */
			end = f->buf + f->have;
			f->cut = !f->ended;
		}
		*line = f->buf + f->pos;
		*len = (size_t)(end - *line);
		f->pos = MIN_OF((size_t)(end - f->buf) + 1, f->have);
		*end = '\0';
		return 1;
	}
}

/* ---- rotated files ---- */

void log_paths_free(struct log_paths *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->items[i].path);
	free(p->items);
	*p = (struct log_paths){ .items = NULL };
}

struct search {
	const char *dir, *base;
	struct log_paths *out;
};

/*
 * Behind the log's own name: nothing, ".1", "-20260101", "-20260101-1767225600", and perhaps ".gz".  Dates grow, so that the
 * oldest comes first; numbers, counted from the newest, come behind them, the highest first.
 */
static bool rank_of(const char *rest, uint64_t *rank)
{
	static const char *const ends[] = { "", ".gz", ".xz", ".zst", ".bz2" };
	uint64_t number = 0;
	size_t n = 0;

	*rank = UINT64_MAX;
	if (!*rest)
		return true;
	if (*rest != '.' && *rest != '-')
		return false;
	rest++;
	for (; (*rest >= '0' && *rest <= '9') || (n >= 8 && *rest == '-'); rest++) {
		if (*rest == '-')
			continue;
		if (++n > 18)
			return false;
		number = number * 10 + (uint64_t)(*rest - '0');
	}
	if (n == 0)
		return false;
	/* A date alone, and one with the time behind it, as numbers of the same length. */
	for (size_t i = n; n >= 8 && i < 18; i++)
		number *= 10;
	*rank = n >= 8 ? number : UINT64_MAX - 1 - number;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (strcmp(rest, ends[i]) == 0)
			return true;
	return false;
}

static int on_name(void *arg, const struct vfs_dirent *d, struct err *e)
{
	struct search *s = arg;
	size_t len = strlen(s->base);
	struct log_path *items;
	uint64_t rank;

	if (strncmp(d->name, s->base, len) != 0 || !rank_of(d->name + len, &rank))
		return 0;
	if (s->out->n == LIMIT_LOG_FILES)
		return err_set(e, ERR_LIMIT, "more than %d files of one log", LIMIT_LOG_FILES);
	items = alloc_resize(s->out->items, s->out->n + 1, sizeof *items);
	if (!items)
		return err_nomem(e);
	s->out->items = items;
	items[s->out->n] = (struct log_path){ alloc_printf("%s/%s", s->dir, d->name), rank };
	return items[s->out->n++].path ? 0 : err_nomem(e);
}

static int by_rank(const void *x, const void *y)
{
	const struct log_path *a = x, *b = y;

	return a->rank != b->rank ? (a->rank < b->rank ? -1 : 1) : strcmp(a->path, b->path);
}

int log_paths_find(struct vfs *v, const char *path, struct log_paths *out, struct err *e)
{
	const char *slash = strrchr(path, '/');
	CLEANUP(free_ptr) char *dir = alloc_strndup(path, (size_t)(slash - path));
	struct search s = { dir, slash + 1, out };
	struct vfs_node n;
	int rc;

	if (!dir)
		return err_nomem(e);
	if (!vfs_is_dir(v, dir))
		return 0;
	rc = vfs_lookup(v, dir, true, &n, e);
	if (rc == 0)
		rc = vfs_readdir(v, n, true, on_name, &s, e);
	if (out->n)
		qsort(out->items, out->n, sizeof *out->items, by_rank);
	return rc;
}
