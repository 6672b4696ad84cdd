/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cp_target.h"

#include "alloc.h"
#include "cmd.h"
#include "guest_file.h"
#include "io.h"
#include "strbuf.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define TEMPORARY_NAME 48

const char *const cp_devices_words[] = { "fail", "skip", "make", NULL };

__attribute__((format(printf, 4, 5))) static int fail(struct dry_error *e, enum dry_code code, int sys_errno,
						     const char *fmt, ...)
{
	va_list ap;
	size_t n;

	*e = (struct dry_error){ .code = code, .sys_errno = sys_errno };
	va_start(ap, fmt);
	vsnprintf(e->msg, sizeof e->msg, fmt, ap);
	va_end(ap);
	n = strlen(e->msg);
	if (sys_errno && n < sizeof e->msg)
		snprintf(e->msg + n, sizeof e->msg - n, ": %s", strerror(sys_errno));
	return -(int)code;
}

/* "what /guest/path: the host's reason", the path made safe for a terminal. */
static int fail_host(struct dry_error *e, int errnum, const char *what, const struct dry_entry *ent)
{
	CLEANUP(strbuf_free) struct strbuf path = STRBUF_INIT;

	text_quote(&path, ent->path, strlen(ent->path));
	return fail(e, DRY_SYSTEM, errnum, "cannot %s %.700s", what, path.s);
}

static int fail_nomem(struct dry_error *e)
{
	return fail(e, DRY_NOMEM, 0, "out of memory");
}

void cp_target_begin(struct cp_target *t)
{
	if (t->keep) /* modes are given explicitly, at the end */
		umask(0077);
	t->path = alloc_strdup("");
	t->buf = alloc_bytes(GUEST_FILE_CHUNK);
}

void cp_target_forget(struct cp_target *t)
{
	links_free(&t->links);
	/* A walk that was stopped has not left its folders. */
	while (t->nfolders)
		close(t->folders[--t->nfolders]);
	if (t->path)
		t->path[0] = '\0';
}

void cp_target_free(struct cp_target *t)
{
	cp_target_forget(t);
	close_fd(&t->base);
	free(t->folders);
	free(t->path);
	free(t->buf);
}

static int present(const struct cp_target *t)
{
	return t->nfolders ? t->folders[t->nfolders - 1] : t->base;
}

static bool name_is_safe(const char *name)
{
	return *name && strlen(name) <= 255 && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static char *temporary_name(struct cp_target *t, char buf[TEMPORARY_NAME])
{
	snprintf(buf, TEMPORARY_NAME, ".drydock-%ld-%lu.tmp", (long)getpid(), t->temporary++);
	return buf;
}

/* ---- attributes ---- */

/*
 * What an attribute needs that is not the owner's to give: it is for root, or for who asks for it.  What NTFS has of
 * Windows' own no other filesystem stores: it is for who asks for it.
 */
static bool xattr_wanted(const struct cp_target *t, const char *name)
{
	if (text_starts(name, "system.ntfs_", NULL))
		return t->ntfs_xattrs;
	return text_starts(name, "user.", NULL) ? t->user_xattrs : t->system_xattrs;
}

struct xattr_job {
	struct cp_target *t;
	int fd, errnum;
};

static int put_xattr(void *arg, const char *name, const void *value, size_t len)
{
	struct xattr_job *j = arg;

	if (!xattr_wanted(j->t, name))
		return 0;
	/* As good as a set-user-id bit. */
	if (strcmp(name, "security.capability") == 0 && !j->t->setuid) {
		j->t->setuid_lost++;
		return 0;
	}
	if (fsetxattr(j->fd, name, value, len, 0) == 0)
		return 0;
	/* Of no kind, or not of this size (ext4 has a block for all of a file's). */
	j->errnum = errno == E2BIG || errno == ENOSPC ? ENOTSUP : errno;
	return j->errnum != ENOTSUP || !j->t->xattrs_refused;
}

static int put_xattrs(struct cp_target *t, int fd, const struct dry_entry *ent, struct dry_error *e)
{
	struct xattr_job job = { .t = t, .fd = fd };
	int rc;

	if (!t->user_xattrs && !t->system_xattrs)
		return 0;
	rc = dry_node_xattrs(t->guest, ent->node, put_xattr, &job, e);
	if (rc <= 0)
		return rc;
	if (job.errnum == ENOTSUP) {
		/* Said once: it is the same for every file there. */
		t->xattrs_refused = true;
		return fail(e, DRY_SYSTEM, 0,
			    "the target's filesystem does not store all extended attributes; --no-xattrs leaves them out");
	}
	return fail_host(e, job.errnum, "give an extended attribute to the copy of", ent);
}

static struct timespec *times_of(const struct dry_stat *st, struct timespec out[2])
{
	out[0] = (struct timespec){ .tv_sec = st->atime.sec, .tv_nsec = (long)st->atime.nsec };
	out[1] = (struct timespec){ .tv_sec = st->mtime.sec, .tv_nsec = (long)st->mtime.nsec };
	return out;
}

/* Owner, mode, attributes, times: in the order in which none undoes another. */
static int put_attributes(struct cp_target *t, int fd, const struct dry_entry *ent, struct dry_error *e)
{
	const struct dry_stat *st = &ent->stat;
	mode_t mode = st->mode & 07777;
	struct timespec times[2];
	int rc = 0, later;

	if (!t->keep) /* it was made as a program makes a file: what the umask leaves of rw, and x if it was executable */
		return 0;
	if (S_ISREG(st->mode) && (mode & (S_ISUID | S_ISGID)) && !t->setuid) {
		mode &= ~(mode_t)(S_ISUID | S_ISGID);
		t->setuid_lost++;
	}
	if (t->owners && fchown(fd, st->uid, st->gid) < 0)
		rc = fail_host(e, errno, "give its owner to the copy of", ent);
	if (fchmod(fd, mode) < 0)
		rc = fail_host(e, errno, "give its mode to the copy of", ent);
	later = put_xattrs(t, fd, ent, rc ? &(struct dry_error){ .code = DRY_OK } : e);
	rc = rc ? rc : later;
	if (futimens(fd, times_of(st, times)) < 0 && !rc)
		rc = fail_host(e, errno, "give its times to the copy of", ent);
	return rc;
}

/* ---- files of several names ---- */

/* Remembers under which name a file of several was made. */
static int link_add(struct cp_target *t, const struct dry_stat *st, const char *name, struct dry_error *e)
{
	CLEANUP(free_ptr) char *path = st->nlink > 1 ? alloc_printf("%s%s", t->path, name) : NULL;

	return st->nlink > 1 && (!path || !links_add(&t->links, st, path)) ? fail_nomem(e) : 0;
}

/* 1: the file is there already under another name and now has this one too; 0: it is not. */
static int put_link(struct cp_target *t, const char *name, const struct dry_entry *ent, struct dry_error *e)
{
	const char *first = links_find(&t->links, &ent->stat);
	char tmp[TEMPORARY_NAME];
	int dir = present(t), rc = 1;

	if (!first)
		return 0;
	if (linkat(t->base, first, dir, temporary_name(t, tmp), 0) < 0)
		return fail_host(e, errno, "link the copy of", ent);
	if (renameat(dir, tmp, dir, name) < 0)
		rc = fail_host(e, errno, "link the copy of", ent);
	/* A rename between two names of one file does nothing, and leaves the first. */
	unlinkat(dir, tmp, 0);
	return rc;
}

/* ---- content ---- */

static int canceled(struct cp_target *t, uint64_t more)
{
	t->done += more;
	if (!t->progress.run || !t->progress.run(t->progress.arg, t->done, MAX_OF(t->total, t->done + 1)))
		return 0;
	t->canceled = true;
	return 1;
}

static int put_run(struct cp_target *t, int fd, const struct dry_entry *ent, uint64_t off, uint64_t len,
		   struct dry_error *e)
{
	while (len) {
		size_t want = (size_t)MIN_OF(len, (uint64_t)GUEST_FILE_CHUNK), got;
		int rc = dry_node_read(t->guest, ent->node, t->buf, want, off, &got, e), err;

		if (rc < 0)
			return rc;
		if (got != want)
			return fail(e, DRY_CORRUPT, 0, "a file ends before its extents do");
		err = io_pwrite(fd, t->buf, got, off);
		if (err)
			return fail_host(e, err, "write the copy of", ent);
		if (canceled(t, got))
			return fail(e, DRY_CANCELED, 0, "stopped");
		off += got;
		len -= got;
	}
	return 0;
}

/* Holes stay holes. */
static int put_content(struct cp_target *t, int fd, const struct dry_entry *ent, struct dry_error *e)
{
	uint64_t size = ent->stat.size;

	for (uint64_t off = 0; off < size;) {
		uint64_t len;
		bool hole;
		int rc = dry_node_extent(t->guest, ent->node, off, &len, &hole, e);

		if (rc < 0)
			return rc;
		/* Each run has a length, so off grows and this ends. */
		if (!len)
			return fail(e, DRY_CORRUPT, 0, "an extent without a length");
		len = MIN_OF(len, size - off);
		rc = hole ? 0 : put_run(t, fd, ent, off, len, e);
		if (rc < 0)
			return rc;
		if (hole && canceled(t, len))
			return fail(e, DRY_CANCELED, 0, "stopped");
		off += len;
	}
	if (ftruncate(fd, (off_t)size) < 0)
		return fail_host(e, errno, "write the copy of", ent);
	return 0;
}

/* ---- one of each kind ---- */

static int put_file(struct cp_target *t, const char *name, const struct dry_entry *ent, struct dry_error *e)
{
	char tmp[TEMPORARY_NAME];
	int dir = present(t), attributes, rc;
	mode_t mode = t->keep ? 0600 : ent->stat.mode & 0111 ? 0777 : 0666;
	CLEANUP(close_fd) int fd = openat(dir, temporary_name(t, tmp),
					  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);

	if (fd < 0)
		return fail_host(e, errno, "make the copy of", ent);
	rc = put_content(t, fd, ent, e);
	if (rc < 0) {
		unlinkat(dir, tmp, 0);
		return rc;
	}
	/* An attribute that the host does not take is told, and is no reason to go without the file. */
	attributes = put_attributes(t, fd, ent, e);
	if (renameat(dir, tmp, dir, name) < 0) {
		rc = fail_host(e, errno, "make the copy of", ent);
		unlinkat(dir, tmp, 0);
		return rc;
	}
	rc = link_add(t, &ent->stat, name, rc || attributes ? &(struct dry_error){ .code = DRY_OK } : e);
	return attributes < 0 ? attributes : rc;
}

/* What has no content and is made at once: then owner, times, name. */
static int finish_special(struct cp_target *t, const char *tmp, const char *name, const struct dry_entry *ent,
			  struct dry_error *e)
{
	int dir = present(t), rc = 0;
	struct timespec times[2];

	if (t->owners && fchownat(dir, tmp, ent->stat.uid, ent->stat.gid, AT_SYMLINK_NOFOLLOW) < 0)
		rc = fail_host(e, errno, "give its owner to the copy of", ent);
	if (t->keep && utimensat(dir, tmp, times_of(&ent->stat, times), AT_SYMLINK_NOFOLLOW) < 0)
		rc = fail_host(e, errno, "give its times to the copy of", ent);
	if (renameat(dir, tmp, dir, name) < 0) {
		rc = fail_host(e, errno, "make the copy of", ent);
		unlinkat(dir, tmp, 0);
		return rc;
	}
	return rc < 0 ? rc : link_add(t, &ent->stat, name, e);
}

static int put_symlink(struct cp_target *t, const char *name, const struct dry_entry *ent, struct dry_error *e)
{
	CLEANUP(free_ptr) char *text = NULL;
	char tmp[TEMPORARY_NAME];
	int rc = dry_node_readlink(t->guest, ent->node, &text, e);

	if (rc < 0)
		return rc;
	if (symlinkat(text, present(t), temporary_name(t, tmp)) < 0)
		return fail_host(e, errno, "make the copy of", ent);
	return finish_special(t, tmp, name, ent, e);
}

static int put_node(struct cp_target *t, const char *name, const struct dry_entry *ent, struct dry_error *e)
{
	const struct dry_stat *st = &ent->stat;
	bool device = S_ISCHR(st->mode) || S_ISBLK(st->mode);
	mode_t type = st->mode & S_IFMT, mode = t->keep ? st->mode & 0777 : 0666;
	char tmp[TEMPORARY_NAME];
	mode_t was;
	int rc;

	if (device && t->devices != CP_DEVICES_MAKE) {
		t->devices_left++;
		return 0;
	}
	if (!device && !S_ISFIFO(st->mode) && !S_ISSOCK(st->mode))
		return fail(e, DRY_UNSUPPORTED, 0, "%.700s is of no known type", ent->path);
	/* There is no descriptor to give a mode to without opening it, which may wake a driver: the call gives it. */
	was = t->keep ? umask(0) : 0;
	rc = mknodat(present(t), temporary_name(t, tmp), type | mode, device ? makedev(st->rdev_major, st->rdev_minor) : 0);
	if (rc < 0)
		rc = fail_host(e, errno, "make the copy of", ent);
	if (t->keep)
		umask(was);
	return rc < 0 ? rc : finish_special(t, tmp, name, ent, e);
}

static int folder_enter(struct cp_target *t, int fd, const char *name, struct dry_error *e)
{
	char *path;

	if (t->nfolders == t->cap_folders) {
		size_t cap = t->cap_folders ? 2 * t->cap_folders : 16;
		int *folders = alloc_resize(t->folders, cap, sizeof *folders);

		if (!folders) {
			close(fd);
			return fail_nomem(e);
		}
		t->folders = folders;
		t->cap_folders = cap;
	}
	path = alloc_printf("%s%s%s", t->path, name, *name ? "/" : "");
	if (!path) {
		close(fd);
		return fail_nomem(e);
	}
	free(t->path);
	t->path = path;
	t->folders[t->nfolders++] = fd;
	return 0;
}

static int put_folder(struct cp_target *t, const char *name, const struct dry_entry *ent, struct dry_error *e)
{
	int dir = present(t), fd;

	if (!name) {
		fd = dup(t->base);
		if (fd < 0)
			return fail_host(e, errno, "open the target for", ent);
		return folder_enter(t, fd, "", e);
	}
	/* Ours alone until it is complete, when it gets its mode. */
	if (mkdirat(dir, name, t->keep ? 0700 : 0777) < 0 && errno != EEXIST)
		return fail_host(e, errno, "make the copy of", ent);
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail_host(e, errno, "go into the copy of", ent);
	return folder_enter(t, fd, name, e);
}

int cp_target_put(struct cp_target *t, const char *name, const struct dry_entry *ent, struct dry_error *e)
{
	int rc;

	if (!t->path || !t->buf)
		return fail_nomem(e);
	if (name && !name_is_safe(name))
		return fail(e, DRY_CORRUPT, 0, "a name in the guest cannot be one: it is empty, too long, or has a slash");
	if (S_ISDIR(ent->stat.mode))
		return put_folder(t, name, ent, e);
	if (!name) /* "IMAGE:/.." and the like are directories */
		return fail(e, DRY_USAGE, 0, "%.700s has no name", ent->path);
	if (canceled(t, 0))
		return fail(e, DRY_CANCELED, 0, "stopped");
	rc = put_link(t, name, ent, e);
	if (rc)
		return rc < 0 ? rc : 0;
	if (S_ISREG(ent->stat.mode))
		return put_file(t, name, ent, e);
	if (S_ISLNK(ent->stat.mode))
		return put_symlink(t, name, ent, e);
	return put_node(t, name, ent, e);
}

int cp_target_leave(struct cp_target *t, const struct dry_entry *ent, struct dry_error *e)
{
	int rc;
	size_t len = strlen(t->path);

	if (!t->nfolders)
		return 0;
	/* The base is the user's own folder: it keeps its mode and owner. */
	rc = *t->path ? put_attributes(t, t->folders[t->nfolders - 1], ent, e) : 0;
	close(t->folders[--t->nfolders]);
	/* "a/b/" becomes "a/" */
	if (len) {
		for (len--; len && t->path[len - 1] != '/'; len--)
			;
		t->path[len] = '\0';
	}
	return rc;
}
