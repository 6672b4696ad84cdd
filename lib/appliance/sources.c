/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sources.h"

#include "alloc.h"
#include "io.h"
#include "limits.h"
#include "unstream.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

int sources_add(struct sources *s, const char *path, struct err *e)
{
	int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct source_tree *more;

	if (dir < 0)
		return err_sys(e, errno, "%s", path);
	more = alloc_resize(s->trees, s->n + 1, sizeof *more);
	if (!more) {
		close(dir);
		return err_nomem(e);
	}
	s->trees = more;
	s->trees[s->n++] = (struct source_tree){ dir, strcmp(path, "/") == 0 };
	return 0;
}

void sources_free(struct sources *s)
{
	for (size_t i = 0; i < s->n; i++)
		close(s->trees[i].dir);
	free(s->trees);
	*s = (struct sources){ .trees = NULL };
}

static int open_below(const struct source_tree *t, const char *path, int flags)
{
	const struct open_how how = { .flags = (uint64_t)(flags | O_CLOEXEC), .resolve = RESOLVE_IN_ROOT };

	if (t->host)
		return open(path, flags | O_CLOEXEC);
	return (int)syscall(SYS_openat2, t->dir, path, &how, sizeof how);
}

int sources_open(const struct sources *s, const char *path, struct source_file *out, struct err *e)
{
	for (size_t i = 0; i < s->n; i++) {
		int fd = open_below(&s->trees[i], path, O_RDONLY | O_NONBLOCK | O_NOCTTY);

		if (fd < 0 && (errno == ENOSYS || errno == EPERM))
			return err_sys(e, errno, "this host cannot look into unpacked packages");
		if (fd < 0)
			continue;
		*out = (struct source_file){ .fd = fd, .tree = i };
		if (fstat(fd, &out->st) == 0 && S_ISREG(out->st.st_mode))
			return 1;
		source_file_close(out);
	}
	return 0;
}

void source_file_close(struct source_file *f)
{
	close_fd(&f->fd);
	f->fd = -1;
}

struct reading {
	int fd;
	uint64_t at;
};

static int read_more(void *arg, void *buf, size_t len, size_t *got, struct err *e)
{
	struct reading *r = arg;
	int failed = io_pread(r->fd, buf, len, r->at, got);

	r->at += failed ? 0 : *got;
	return failed ? err_sys(e, failed, "reading") : 0;
}

/* Grows by doubling up to the limit: a file that is bigger than that when unpacked is refused. */
static int read_stream(struct unstream *u, uint64_t limit, void **out, size_t *len, struct err *e)
{
	CLEANUP(free_ptr) char *bytes = NULL;
	size_t have = 0, cap = 0, got;

	do {
		int rc;

		if (have == cap) {
			void *more;

			if (cap >= limit)
				return err_set(e, ERR_LIMIT, "more than %llu bytes when unpacked", (unsigned long long)limit);
			cap = cap ? 2 * cap : (size_t)(256 * KiB);
			more = alloc_resize(bytes, cap, 1);
			if (!more)
				return err_nomem(e);
			bytes = more;
		}
		rc = unstream_read(u, bytes + have, cap - have, &got, e);
		if (rc < 0)
			return rc;
		have += got;
	} while (got);
	*out = take(bytes);
	*len = have;
	return 0;
}

static int read_plain(const struct source_file *f, void **out, size_t *len, struct err *e)
{
	CLEANUP(free_ptr) void *bytes = alloc_bytes((size_t)f->st.st_size + 1);
	int failed;

	if (!bytes)
		return err_nomem(e);
	failed = io_pread(f->fd, bytes, (size_t)f->st.st_size, 0, len);
	if (failed)
		return err_sys(e, failed, "reading");
	if (*len != (size_t)f->st.st_size)
		return err_set(e, ERR_CORRUPT, "the file became shorter while it was read");
	((char *)bytes)[*len] = '\0'; /* for those who read text */
	*out = take(bytes);
	return 0;
}

int source_file_read(const struct source_file *f, const char *path, uint64_t limit, bool unpacked, void **out, size_t *len,
		     struct err *e)
{
	uint8_t head[8];
	size_t got = 0;
	enum unpack_alg alg;
	struct unstream *u;
	struct reading r = { f->fd, 0 };
	int rc;

	if ((uint64_t)f->st.st_size > limit)
		return err_set(e, ERR_LIMIT, "%s has more than %llu bytes", path, (unsigned long long)limit);
	if (!unpacked || io_pread(f->fd, head, sizeof head, 0, &got) || !unstream_detect(head, got, &alg)) {
		rc = read_plain(f, out, len, e);
	} else {
		rc = unstream_new(alg, read_more, &r, &u, e);
		if (rc == 0) {
			rc = read_stream(u, limit, out, len, e);
			unstream_free(u);
		}
	}
	return rc < 0 ? err_in(e, rc, "%s", path) : 0;
}

void source_names_free(struct source_names *n)
{
	for (size_t i = 0; i < n->n; i++)
		free(n->names[i]);
	free(n->names);
	*n = (struct source_names){ .names = NULL };
}

static int add_name(struct source_names *n, const char *name, struct err *e)
{
	char **more;

	if (n->n == LIMIT_SOURCE_NAMES)
		return err_set(e, ERR_LIMIT, "more than %d names in a folder", LIMIT_SOURCE_NAMES);
	more = alloc_resize(n->names, n->n + 1, sizeof *more);
	if (!more)
		return err_nomem(e);
	n->names = more;
	n->names[n->n] = alloc_strdup(name);
	return n->names[n->n] ? (n->n++, 0) : err_nomem(e);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void drop_doubles(struct source_names *n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n->n; i++) {
		if (kept && strcmp(n->names[kept - 1], n->names[i]) == 0)
			free(n->names[i]);
		else
			n->names[kept++] = n->names[i];
	}
	n->n = kept;
}

int sources_list(const struct sources *s, const char *path, struct source_names *out, struct err *e)
{
	int rc = 0;

	*out = (struct source_names){ .names = NULL };
	for (size_t i = 0; i < s->n && rc == 0; i++) {
		int fd = open_below(&s->trees[i], path, O_RDONLY | O_DIRECTORY);
		DIR *d = fd < 0 ? NULL : fdopendir(fd);
		const struct dirent *ent;

		if (!d) {
			close_fd(&fd);
			continue;
		}
		while (rc == 0 && (ent = readdir(d)))
			if (ent->d_name[0] != '.')
				rc = add_name(out, ent->d_name, e);
		closedir(d);
	}
	if (rc < 0) {
		source_names_free(out);
		return err_in(e, rc, "%s", path);
	}
	if (out->n)
		qsort(out->names, out->n, sizeof *out->names, by_name);
	drop_doubles(out);
	return 0;
}
