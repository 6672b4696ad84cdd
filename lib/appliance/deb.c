/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * deb.c - a Debian package (deb(5)): an ar archive whose members are debian-binary, control.tar and data.tar, the last of which
 * is compressed by gzip, xz or zstd, or not at all.
 *
 * ar: the magic "!<arch>\n", then members of a header of 60 bytes (name 16, time 12, owner 6, group 6, mode 8, size 10, all of
 * them text, and "`\n") and their content, padded to 2 bytes.
 *
 * tar: blocks of 512 bytes; a header is one of them, with octal numbers.  Long names come in a member of their own before the
 * one that they are of, in GNU's form ("L", "K"), which is what dpkg-deb writes, or in a record of POSIX ("x").
 */
#include "deb.h"

#include "alloc.h"
#include "checked.h"
#include "io.h"
#include "limits.h"
#include "strbuf.h"
#include "text.h"
#include "unstream.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct ar_header {
	char name[16], date[12], uid[6], gid[6], mode[8], size[10], end[2];
};

struct tar_header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100], magic[6], version[2], uname[32],
		gname[32], major[8], minor[8], prefix[155], pad[12];
};
_Static_assert(sizeof(struct ar_header) == 60 && sizeof(struct tar_header) == 512, "as the formats say");

enum { CHUNK = 64 * 1024, LONG_NAME = 64 * 1024 };

struct deb {
	int fd;
	uint64_t at, end; /* of data.tar, what is not read yet */
	struct unstream *stream; /* NULL: it is not compressed */
	uint64_t left_bytes;
	unsigned left_files;
	int into;
	char *long_name, *long_link; /* of the next member */
	uint8_t buf[CHUNK];
};

/* ---- ar ---- */

/* A number of digits and blanks; false for anything else. */
static bool decimal(const char *field, size_t len, uint64_t *out)
{
	uint64_t n = 0;
	size_t i = 0;

	for (; i < len && field[i] >= '0' && field[i] <= '9'; i++)
		n = 10 * n + (uint64_t)(field[i] - '0'); /* at most ten digits */
	for (size_t k = i; k < len; k++)
		if (field[k] != ' ')
			return false;
	*out = n;
	return i > 0;
}

static int damaged(struct err *e)
{
	return err_set(e, ERR_CORRUPT, "not a Debian package, or damaged");
}

/* Finds the member whose name begins with "data.tar". */
static int find_data(struct deb *d, struct err *e)
{
	struct ar_header h;
	char magic[8];
	uint64_t off = sizeof magic, size;
	size_t got;

	if (io_pread(d->fd, magic, sizeof magic, 0, &got) || got != sizeof magic || memcmp(magic, "!<arch>\n", 8) != 0)
		return damaged(e);
	/* Ends: each member moves on by its header at least. */
	for (;;) {
		if (io_pread(d->fd, &h, sizeof h, off, &got) || got != sizeof h || memcmp(h.end, "`\n", 2) != 0 ||
		    !decimal(h.size, sizeof h.size, &size))
			return damaged(e);
		off += sizeof h;
		if (memcmp(h.name, "data.tar", 8) == 0)
			break;
		off += size + (size & 1);
	}
	d->at = off;
	d->end = off + size;
	return 0;
}

/* ---- the bytes of data.tar ---- */

static int read_raw(void *arg, void *buf, size_t len, size_t *got, struct err *e)
{
	struct deb *d = arg;
	int failed = io_pread(d->fd, buf, (size_t)MIN_OF(len, d->end - d->at), d->at, got);

	d->at += failed ? 0 : *got;
	return failed ? err_sys(e, failed, "reading") : 0;
}

/* Exactly len bytes; 1, or 0 at the very end. */
static int read_exactly(struct deb *d, void *buf, size_t len, struct err *e)
{
	size_t have = 0, got;

	while (have < len) {
		int rc = d->stream ? unstream_read(d->stream, (char *)buf + have, len - have, &got, e)
				   : read_raw(d, (char *)buf + have, len - have, &got, e);

		if (rc < 0)
			return rc;
		if (got == 0)
			return have ? damaged(e) : 0;
		have += got;
	}
	return 1;
}

static int open_data(struct deb *d, struct err *e)
{
	uint8_t head[8];
	size_t got = 0;
	enum unpack_alg alg;
	int rc = find_data(d, e);

	if (rc < 0)
		return rc;
	if (io_pread(d->fd, head, sizeof head, d->at, &got))
		return damaged(e);
	return unstream_detect(head, got, &alg) ? unstream_new(alg, read_raw, d, &d->stream, e) : 0;
}

/* ---- tar ---- */

static bool octal(const char *field, size_t len, uint64_t *out)
{
	uint64_t n = 0;
	size_t i = 0;

	while (i < len && field[i] == ' ')
		i++;
	for (; i < len && field[i] >= '0' && field[i] <= '7'; i++)
		n = 8 * n + (uint64_t)(field[i] - '0'); /* at most twelve digits */
	*out = n;
	return i == len || field[i] == '\0' || field[i] == ' ';
}

static bool is_sound(const struct tar_header *h)
{
	const unsigned char *b = (const unsigned char *)h;
	uint64_t want, sum = 0;

	for (size_t i = 0; i < sizeof *h; i++)
		sum += i >= offsetof(struct tar_header, checksum) && i < offsetof(struct tar_header, type) ? ' ' : b[i];
	return octal(h->checksum, sizeof h->checksum, &want) && want == sum;
}

static char *name_of(struct deb *d, const struct tar_header *h)
{
	if (d->long_name)
		return take(d->long_name);
	if (memcmp(h->magic, "ustar", 6) == 0 && h->prefix[0])
		return alloc_printf("%.155s/%.100s", h->prefix, h->name);
	return alloc_printf("%.100s", h->name);
}

/* Its path below the folder: "./usr/bin/x" and "usr/bin/x/" are usr/bin/x; NULL for one that leads elsewhere, "" for the top. */
static const char *clean_path(char *name)
{
	char *p = name;
	size_t len;

	while (*p == '/' || (p[0] == '.' && p[1] == '/'))
		p++;
	if (strcmp(p, ".") == 0)
		p++;
	len = strlen(p);
	while (len && p[len - 1] == '/')
		p[--len] = '\0';
	for (const char *part = p; part; part = strchr(part, '/')) {
		part += *part == '/';
		if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0'))
			return NULL;
	}
	return p;
}

/* Skips or keeps a member's content and what it is padded with. */
static int pass(struct deb *d, uint64_t size, int to, struct err *e)
{
	uint64_t padded = round_up(size, 512);

	while (padded) {
		size_t n = (size_t)MIN_OF(padded, (uint64_t)CHUNK), keep = (size_t)MIN_OF(size, (uint64_t)n);
		int failed, rc = read_exactly(d, d->buf, n, e);

		if (rc <= 0)
			return rc < 0 ? rc : damaged(e);
		failed = to >= 0 ? io_write(to, d->buf, keep) : 0;
		if (failed)
			return err_sys(e, failed, "writing");
		padded -= n;
		size -= keep;
	}
	return 0;
}

static int read_text(struct deb *d, uint64_t size, char **out, struct err *e)
{
	CLEANUP(free_ptr) char *text = NULL;
	int rc;

	if (size > LONG_NAME)
		return err_set(e, ERR_LIMIT, "a name of %llu bytes", (unsigned long long)size);
	text = alloc_zero((size_t)round_up(size, 512) + 1);
	if (!text)
		return err_nomem(e);
	rc = size ? read_exactly(d, text, (size_t)round_up(size, 512), e) : 1;
	if (rc <= 0)
		return rc < 0 ? rc : damaged(e);
	text[size] = '\0';
	free(*out);
	*out = take(text);
	return 0;
}

/* "27 path=usr/share/...\n": of POSIX records, those of names. */
static int read_records(struct deb *d, uint64_t size, struct err *e)
{
	CLEANUP(free_ptr) char *text = NULL;
	int rc = read_text(d, size, &text, e);

	for (char *line = text, *next; rc == 0 && line && *line; line = next) {
		char *key = strchr(line, ' ');
		const char *value;

		next = line + strcspn(line, "\n");
		next += *next ? (*next = '\0', 1) : 0;
		if (!key)
			return damaged(e);
		if (text_starts(key, " path=", &value)) {
			free(d->long_name);
			d->long_name = alloc_strdup(value);
			rc = d->long_name ? 0 : err_nomem(e);
		} else if (text_starts(key, " linkpath=", &value)) {
			free(d->long_link);
			d->long_link = alloc_strdup(value);
			rc = d->long_link ? 0 : err_nomem(e);
		}
	}
	return rc;
}

/* ---- files ---- */

/* The folder that a path is in, made where it is missing; *name is the path's last part.  No link is followed out of `into`. */
static int open_parent(struct deb *d, const char *path, const char **name, struct err *e)
{
	const struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
	const char *slash = strrchr(path, '/');
	CLEANUP(free_ptr) char *folder = slash ? alloc_strndup(path, (size_t)(slash - path)) : alloc_strdup(".");
	int fd;

	if (!folder)
		return err_nomem(e);
	*name = slash ? slash + 1 : path;
	fd = (int)syscall(SYS_openat2, d->into, folder, &how, sizeof how);
	return fd < 0 ? err_sys(e, errno, "%s", path) : fd;
}

static int put_file(struct deb *d, int parent, const char *name, const struct tar_header *h, uint64_t size, struct err *e)
{
	CLEANUP(close_fd) int fd = -1;
	uint64_t mode = 0, mtime = 0;
	int rc;

	octal(h->mode, sizeof h->mode, &mode);
	octal(h->mtime, sizeof h->mtime, &mtime);
	if (unlinkat(parent, name, 0) < 0 && errno != ENOENT)
		return err_sys(e, errno, "%s", name);
	fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode & 0111 ? 0755 : 0644);
	if (fd < 0)
		return err_sys(e, errno, "%s", name);
	rc = pass(d, size, fd, e);
	/* The times are a part of what an appliance is called by. */
	if (rc == 0 && futimens(fd, (struct timespec[2]){ { (time_t)mtime, 0 }, { (time_t)mtime, 0 } }) < 0)
		rc = err_sys(e, errno, "%s", name);
	return rc;
}

static int put_hardlink(struct deb *d, int parent, const char *name, char *target, struct err *e)
{
	const char *path = clean_path(target), *old_name;
	CLEANUP(close_fd) int old = path && *path ? open_parent(d, path, &old_name, e) : damaged(e);

	if (old < 0)
		return old;
	if (linkat(old, old_name, parent, name, 0) < 0 && errno != EEXIST)
		return err_sys(e, errno, "%s", name);
	return 0;
}

/* A member that has a name in the folder. */
static int put_member(struct deb *d, const struct tar_header *h, const char *path, uint64_t size, struct err *e)
{
	CLEANUP(free_ptr) char *link = NULL;
	const char *name;
	CLEANUP(close_fd) int parent = open_parent(d, path, &name, e);
	int rc = 0;

	if (parent < 0)
		return parent;
	if (h->type == '1' || h->type == '2') {
		link = d->long_link ? take(d->long_link) : alloc_printf("%.100s", h->link);
		if (!link)
			return err_nomem(e);
	}
	if (h->type == '0' || h->type == '\0')
		return put_file(d, parent, name, h, size, e);
	if (h->type == '5' && mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
		rc = err_sys(e, errno, "%s", path);
	else if (h->type == '2' && symlinkat(link, parent, name) < 0 && errno != EEXIST)
		rc = err_sys(e, errno, "%s", path);
	else if (h->type == '1')
		rc = put_hardlink(d, parent, name, link, e);
	return rc < 0 ? rc : pass(d, size, -1, e);
}

/* 1, or 0 at the end of the archive. */
static int next_member(struct deb *d, struct err *e)
{
	CLEANUP(free_ptr) char *name = NULL;
	struct tar_header h;
	uint64_t size;
	const char *path;
	int rc = read_exactly(d, &h, sizeof h, e);

	if (rc <= 0)
		return rc;
	if (h.name[0] == '\0' && h.checksum[0] == '\0')
		return 0; /* a block of zeros ends it */
	if (!is_sound(&h) || !octal(h.size, sizeof h.size, &size))
		return damaged(e);
	if (d->left_files-- == 0 || size > d->left_bytes)
		return err_set(e, ERR_LIMIT, "more than %d files, or %llu bytes of them", LIMIT_DEB_FILES,
			       (unsigned long long)LIMIT_DEB_BYTES);
	d->left_bytes -= size;
	switch (h.type) {
	case 'L':
		rc = read_text(d, size, &d->long_name, e);
		return rc < 0 ? rc : 1;
	case 'K':
		rc = read_text(d, size, &d->long_link, e);
		return rc < 0 ? rc : 1;
	case 'x':
		rc = read_records(d, size, e);
		return rc < 0 ? rc : 1;
	}
	name = name_of(d, &h);
	if (!name)
		return err_nomem(e);
	path = clean_path(name);
	if (!path)
		return err_set(e, ERR_CORRUPT, "a file whose path leads out of the package");
	rc = *path ? put_member(d, &h, path, size, e) : pass(d, size, -1, e);
	free(take(d->long_link));
	return rc < 0 ? rc : 1;
}

int deb_unpack(const char *path, int into, struct err *e)
{
	CLEANUP(free_ptr) struct deb *d = alloc_zero(sizeof *d);
	int rc;

	if (!d)
		return err_nomem(e);
	d->left_bytes = LIMIT_DEB_BYTES;
	d->left_files = LIMIT_DEB_FILES;
	d->into = into;
	d->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (d->fd < 0)
		return err_sys(e, errno, "%s", path);
	rc = open_data(d, e);
	while (rc >= 0 && (rc = next_member(d, e)) > 0)
		;
	unstream_free(d->stream);
	free(d->long_name);
	free(d->long_link);
	close(d->fd);
	return rc < 0 ? err_in(e, rc, "%s", path) : 0;
}
