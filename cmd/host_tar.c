/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host_tar.h"

#include "alloc.h"
#include "cmd.h"
#include "io.h"
#include "limits.h"
#include "tar.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define CHUNK (256u << 10)
/* As Linux has them: of one file all names, and one value. */
#define XATTR_BYTES (64u << 10)

struct file {
	const char *path; /* on the host */
	const struct stat *st;
	struct tar_member m;
	char *xattr_names, *xattr_values;
	struct tar_xattr *xattrs;
	struct tar_run *runs;
};

static void file_free(struct file *f)
{
	free(f->xattr_names);
	free(f->xattr_values);
	free(f->xattrs);
	free(f->runs);
}

static bool fail(struct host_tar *t, int errnum, const char *path, const char *what)
{
	if (!t->failed)
		snprintf(t->why, sizeof t->why, "%s%s%s", path, *what ? ": " : "", *what ? what : strerror(errnum));
	t->failed = true;
	t->sys_errno = errnum;
	return false;
}

static bool flush(struct host_tar *t)
{
	if (t->out.failed)
		return fail(t, ENOMEM, "archive", "");
	if (!t->send(t->arg, t->out.s, t->out.len)) {
		t->gone = true;
		return fail(t, EPIPE, "archive", "");
	}
	t->sent += t->out.len;
	strbuf_reset(&t->out);
	return true;
}

void host_tar_begin(struct host_tar *t)
{
	t->out = (struct strbuf)STRBUF_INIT;
	t->buf = alloc_bytes(CHUNK);
	if (!t->buf)
		fail(t, ENOMEM, "archive", "");
}

void host_tar_end(struct host_tar *t)
{
	if (!t->failed) {
		tar_end(&t->out, t->sent);
		flush(t);
	}
	links_free(&t->links);
	strbuf_free(&t->out);
	free(t->buf);
}

/* ---- what belongs to a file ---- */

static bool xattr_wanted(const struct host_tar *t, const char *name)
{
	/* What Linux makes up, or keeps for itself. */
	if (text_starts(name, "security.evm", NULL) || text_starts(name, "security.ima", NULL))
		return false;
	return text_starts(name, "user.", NULL) || t->flags & HOST_TAR_XATTRS;
}

static bool get_xattrs(struct host_tar *t, struct file *f)
{
	size_t n = 0, used = 0;
	ssize_t len;

	if (t->flags & HOST_TAR_NO_XATTRS)
		return true;
	len = (t->flags & HOST_TAR_FOLLOW ? listxattr : llistxattr)(f->path, t->buf, XATTR_BYTES);
	if (len <= 0)
		return len == 0 || errno == ENOTSUP || errno == EPERM || fail(t, errno, f->path, "");
	f->xattr_names = alloc_bytes((size_t)len);
	f->xattr_values = alloc_bytes(4 * XATTR_BYTES);
	f->xattrs = alloc_array((size_t)len, sizeof *f->xattrs);
	if (!f->xattr_names || !f->xattr_values || !f->xattrs)
		return fail(t, ENOMEM, f->path, "");
	memcpy(f->xattr_names, t->buf, (size_t)len);
	for (const char *name = f->xattr_names; name < f->xattr_names + len; name += strlen(name) + 1) {
		ssize_t size;

		if (!xattr_wanted(t, name))
			continue;
		size = (t->flags & HOST_TAR_FOLLOW ? getxattr : lgetxattr)(f->path, name, f->xattr_values + used,
									   4 * XATTR_BYTES - used);
		if (size < 0 && (errno == ENODATA || errno == ENOTSUP))
			continue;
		if (size < 0)
			return fail(t, errno, f->path, "");
		f->xattrs[n++] = (struct tar_xattr){ name, f->xattr_values + used, (size_t)size };
		used += (size_t)size;
	}
	f->m.xattrs = f->xattrs;
	f->m.nxattrs = n;
	return true;
}

/* Where a file has data.  Ends, as each run lies behind the one before. */
static bool get_runs(struct host_tar *t, struct file *f, int fd)
{
	size_t n = 0, cap = 0;
	const off_t size = f->st->st_size;

	if ((uint64_t)f->st->st_blocks * 512 >= (uint64_t)size)
		return true;
	for (off_t at = 0; at < size;) {
		off_t data = lseek(fd, at, SEEK_DATA), hole;

		if (data < 0 && errno == ENXIO)
			break;
		hole = data < 0 ? data : lseek(fd, data, SEEK_HOLE);
		/* A filesystem that does not know, or a map that is not worth it: all of it is data. */
		if (hole < 0 || n == LIMIT_TAR_RUNS)
			return free(take(f->runs)), true;
		if (n == cap) {
			struct tar_run *runs = alloc_resize(f->runs, cap ? 2 * cap : 16, sizeof *runs);

			if (!runs)
				return fail(t, ENOMEM, f->path, "");
			f->runs = runs;
			cap = cap ? 2 * cap : 16;
		}
		hole = MIN_OF(hole, size);
		if (data < hole)
			f->runs[n++] = (struct tar_run){ (uint64_t)data, (uint64_t)(hole - data) };
		at = hole;
	}
	if (!f->runs)
		f->runs = alloc_zero(sizeof *f->runs);
	f->m.runs = f->runs;
	f->m.nruns = n;
	return true;
}

static bool put_bytes(struct host_tar *t, const struct file *f, int fd, uint64_t off, uint64_t len)
{
	while (len) {
		size_t got;
		int errnum = io_pread(fd, t->buf, (size_t)MIN_OF(len, CHUNK), off, &got);

		if (errnum)
			return fail(t, errnum, f->path, "");
		if (!got)
			return fail(t, EIO, f->path, "the file became shorter while it was read");
		strbuf_add(&t->out, t->buf, got);
		if (!flush(t))
			return false;
		off += got;
		len -= got;
	}
	return true;
}

static bool put_file(struct host_tar *t, struct file *f)
{
	CLEANUP(close_fd) int fd = open(f->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	const struct tar_run all = { 0, (uint64_t)f->st->st_size };
	struct stat st;

	if (fd < 0 && t->flags & HOST_TAR_FOLLOW)
		fd = open(f->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return fail(t, errno, f->path, "");
	if (fstat(fd, &st) < 0 || st.st_ino != f->st->st_ino || st.st_dev != f->st->st_dev)
		return fail(t, EIO, f->path, "another file took this name while it was read");
	f->m.size = (uint64_t)f->st->st_size;
	if (!get_runs(t, f, fd))
		return false;
	tar_member(&t->out, &f->m);
	for (size_t i = 0; i < (f->m.runs ? f->m.nruns : 1); i++) {
		const struct tar_run r = f->m.runs ? f->m.runs[i] : all;

		if (!put_bytes(t, f, fd, r.off, r.len))
			return false;
	}
	tar_pad(&t->out, tar_content_size(&f->m));
	return flush(t);
}

static bool put_link(struct host_tar *t, struct file *f)
{
	char target[4096];
	ssize_t n = readlink(f->path, target, sizeof target - 1);

	if (n < 0)
		return fail(t, errno, f->path, "");
	target[n] = '\0';
	f->m.link = target;
	tar_member(&t->out, &f->m);
	return flush(t);
}

/* ---- the walk ---- */

static bool put(struct host_tar *t, const char *path, const char *name, const struct stat *st)
{
	CLEANUP(file_free) struct file f = { .path = path, .st = st };
	CLEANUP(strbuf_free) struct strbuf member = STRBUF_INIT;
	const struct dry_stat ids = { .dev = st->st_dev, .ino = st->st_ino, .nlink = (uint32_t)st->st_nlink, .mode = st->st_mode };
	const char *first = S_ISDIR(st->st_mode) ? NULL : links_find(&t->links, &ids);

	strbuf_puts(&member, *name ? name : ".");
	if (S_ISDIR(st->st_mode))
		strbuf_putc(&member, '/');
	if (member.failed)
		return fail(t, ENOMEM, path, "");
	f.m = (struct tar_member){
		.path = member.s,
		.mode = st->st_mode & 07777,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.mtime = { st->st_mtim.tv_sec, (uint32_t)st->st_mtim.tv_nsec },
	};
	if (first) {
		f.m.type = TAR_HARDLINK;
		f.m.link = first;
		tar_member(&t->out, &f.m);
		return flush(t);
	}
	if (!get_xattrs(t, &f) || (!S_ISDIR(st->st_mode) && !links_add(&t->links, &ids, member.s) && fail(t, ENOMEM, path, "")))
		return false;
	switch (st->st_mode & S_IFMT) {
	case S_IFREG:
		f.m.type = TAR_FILE;
		return put_file(t, &f);
	case S_IFLNK:
		f.m.type = TAR_SYMLINK;
		return put_link(t, &f);
	case S_IFDIR:
		f.m.type = TAR_DIRECTORY;
		break;
	case S_IFCHR:
	case S_IFBLK:
		f.m.type = S_ISCHR(st->st_mode) ? TAR_CHAR : TAR_BLOCK_DEVICE;
		f.m.major = major(st->st_rdev);
		f.m.minor = minor(st->st_rdev);
		break;
	case S_IFIFO:
		f.m.type = TAR_FIFO;
		break;
	default:
		cmd_warn("%s: a socket is left out", path);
		return true;
	}
	tar_member(&t->out, &f.m);
	return flush(t);
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

void host_tar_add(struct host_tar *t, const char *path, const char *name)
{
	char *const start[] = { (char *)path, NULL };
	FTS *walk = fts_open(start, FTS_PHYSICAL | FTS_NOCHDIR | (t->flags & HOST_TAR_FOLLOW ? FTS_COMFOLLOW : 0), by_name);
	const size_t len = strlen(path);
	FTSENT *ent;

	if (!walk) {
		fail(t, errno, path, "");
		return;
	}
	errno = 0;
	while (!t->failed && (ent = fts_read(walk))) {
		CLEANUP(strbuf_free) struct strbuf member = STRBUF_INIT;
		const char *below = ent->fts_pathlen > len ? ent->fts_path + len : "";

		while (*below == '/')
			below++;
		strbuf_puts(&member, name);
		if (*name && *below)
			strbuf_putc(&member, '/');
		strbuf_puts(&member, below);
		if (member.failed)
			fail(t, ENOMEM, path, "");
		else if (ent->fts_info == FTS_DNR || ent->fts_info == FTS_ERR || ent->fts_info == FTS_NS)
			fail(t, ent->fts_errno, ent->fts_path, "");
		else if (ent->fts_info != FTS_DP)
			put(t, ent->fts_path, member.s, ent->fts_statp);
	}
	if (!t->failed && errno)
		fail(t, errno, path, "");
	fts_close(walk);
}
