/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* change.c - what is changed of files. */
#include "agent.h"
#include "io.h"
#include "limits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

static int may_change(struct agent *a, uint64_t node)
{
	struct agent_mount *m;
	int rc = node_mount(a, node, &m);

	if (rc)
		return rc;
	if (m->readonly || a->readonly)
		return EROFS;
	/* The agent itself would wait, and nobody could thaw it any more. */
	return m->frozen ? agent_say(a, EBUSY, "%s is frozen", m->type) : 0;
}

static int done(struct agent *a, const struct question *q, int rc)
{
	if (rc)
		return rc;
	agent_begin(a);
	agent_answer(a, q);
	return 0;
}

/* A folder that is to be changed, and a name in it. */
static int get_place(struct agent *a, struct proto_in *in, uint64_t *dir, char name[AGENT_NAME], int *fd)
{
	int rc;

	*dir = proto_get_u64(in);
	rc = get_name(in, name);
	if (rc == 0)
		rc = may_change(a, *dir);
	return rc ? rc : node_open(a, *dir, OPEN_PATH, fd);
}

static int answer_made(struct agent *a, const struct question *q, uint64_t dir, const char *name)
{
	struct proto_stat st;
	int rc = node_stat_at(a, dir, name, &st);

	if (rc)
		return rc;
	proto_put_stat(agent_begin(a), &st);
	agent_answer(a, q);
	return 0;
}

static int make(int dir, const char *name, uint16_t type, uint32_t mode, dev_t dev)
{
	if (type == PROTO_MKDIR)
		return mkdirat(dir, name, 0700) < 0 ? errno : 0;
	if (type == PROTO_MKNOD)
		return mknodat(dir, name, (mode & S_IFMT) | 0600, dev) < 0 ? errno : 0;
	return mknodat(dir, name, S_IFREG | 0600, 0) < 0 ? errno : 0;
}

/* Owner, then permissions, which a change of the owner takes bits from. */
static int give(int dir, const char *name, uint32_t mode, uint32_t uid, uint32_t gid)
{
	if (fchownat(dir, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return errno;
	return fchmodat(dir, name, mode & 07777, 0) < 0 ? errno : 0;
}

int ask_make(struct agent *a, struct question *q)
{
	char name[AGENT_NAME];
	uint64_t dir;
	uint32_t mode, uid, gid, major = 0, minor = 0;
	int fd = -1;
	int rc = get_place(a, &q->in, &dir, name, &fd);

	mode = proto_get_u32(&q->in);
	uid = proto_get_u32(&q->in);
	gid = proto_get_u32(&q->in);
	if (q->type == PROTO_MKNOD) {
		major = proto_get_u32(&q->in);
		minor = proto_get_u32(&q->in);
	}
	if (!proto_done(&q->in))
		return EPROTO;
	if (rc)
		return rc;
	rc = make(fd, name, q->type, mode, makedev(major, minor));
	if (rc)
		return rc;
	rc = give(fd, name, mode, uid, gid);
	if (rc) {
		/* All or nothing. */
		if (unlinkat(fd, name, q->type == PROTO_MKDIR ? AT_REMOVEDIR : 0) < 0)
			return errno;
		return rc;
	}
	return answer_made(a, q, dir, name);
}

int ask_symlink(struct agent *a, struct question *q)
{
	char name[AGENT_NAME], target[LIMIT_PATH];
	uint64_t dir;
	uint32_t uid, gid;
	int fd = -1;
	int rc = get_place(a, &q->in, &dir, name, &fd);

	proto_get_str(&q->in, target, sizeof target);
	uid = proto_get_u32(&q->in);
	gid = proto_get_u32(&q->in);
	if (!proto_done(&q->in))
		return EPROTO;
	if (rc)
		return rc;
	if (symlinkat(target, fd, name) < 0)
		return errno;
	if (fchownat(fd, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return errno;
	return answer_made(a, q, dir, name);
}

int ask_link(struct agent *a, struct question *q)
{
	uint64_t node = proto_get_u64(&q->in), dir;
	char name[AGENT_NAME], path[64];
	struct proto_stat st;
	int fd = -1;
	int rc = get_place(a, &q->in, &dir, name, &fd);

	if (!proto_done(&q->in))
		return EPROTO;
	if (rc == 0)
		rc = node_proc_path(a, node, path);
	/* The folder again: opening the file may have closed it. */
	if (rc == 0)
		rc = node_open(a, dir, OPEN_PATH, &fd);
	if (rc == 0 && linkat(AT_FDCWD, path, fd, name, AT_SYMLINK_FOLLOW) < 0)
		rc = errno;
	/* By this name it will be found when the other is gone. */
	return done(a, q, rc ? rc : node_stat_at(a, dir, name, &st));
}

int ask_unlink(struct agent *a, struct question *q)
{
	char name[AGENT_NAME];
	uint64_t dir;
	int fd = -1;
	int rc = get_place(a, &q->in, &dir, name, &fd);

	if (!proto_done(&q->in))
		return EPROTO;
	if (rc)
		return rc;
	if (unlinkat(fd, name, q->type == PROTO_RMDIR ? AT_REMOVEDIR : 0) < 0)
		return errno;
	/* An open file would keep its room. */
	nodes_moved(a);
	return done(a, q, 0);
}

static unsigned rename_flags(unsigned told)
{
	return (told & PROTO_RENAME_NOREPLACE ? RENAME_NOREPLACE : 0) | (told & PROTO_RENAME_EXCHANGE ? RENAME_EXCHANGE : 0);
}

int ask_rename(struct agent *a, struct question *q)
{
	char name[AGENT_NAME], newname[AGENT_NAME];
	uint64_t dir, newdir;
	struct proto_stat st;
	unsigned flags;
	int fd = -1, newfd = -1;
	int rc = get_place(a, &q->in, &dir, name, &fd);

	if (rc)
		return rc;
	rc = get_place(a, &q->in, &newdir, newname, &newfd);
	flags = proto_get_u8(&q->in);
	if (!proto_done(&q->in) || flags & ~(PROTO_RENAME_NOREPLACE | PROTO_RENAME_EXCHANGE))
		return EPROTO;
	if (rc == 0)
		rc = node_open(a, dir, OPEN_PATH, &fd);
	if (rc == 0 && renameat2(fd, name, newfd, newname, rename_flags(flags)) < 0)
		rc = errno;
	if (rc)
		return rc;
	nodes_moved(a);
	/* Where they are now, is known by their being looked at there. */
	if (flags & PROTO_RENAME_EXCHANGE)
		rc = node_stat_at(a, dir, name, &st);
	return done(a, q, rc ? rc : node_stat_at(a, newdir, newname, &st));
}

/* A file that is to be changed by a path that names it. */
static int get_path(struct agent *a, struct proto_in *in, uint64_t *node, char path[64])
{
	int rc;

	*node = proto_get_u64(in);
	rc = in->bad ? EPROTO : may_change(a, *node);
	return rc ? rc : node_proc_path(a, *node, path);
}

int ask_chmod(struct agent *a, struct question *q)
{
	uint64_t node;
	char path[64];
	int rc = get_path(a, &q->in, &node, path);
	uint32_t mode = proto_get_u32(&q->in);

	if (!proto_done(&q->in))
		return EPROTO;
	if (rc == 0 && chmod(path, mode & 07777) < 0)
		rc = errno;
	return done(a, q, rc);
}

int ask_chown(struct agent *a, struct question *q)
{
	uint64_t node;
	char path[64];
	int rc = get_path(a, &q->in, &node, path), fd = -1;
	uint32_t uid = proto_get_u32(&q->in), gid = proto_get_u32(&q->in);

	if (!proto_done(&q->in))
		return EPROTO;
	if (rc == 0)
		rc = node_open(a, node, OPEN_PATH, &fd);
	if (rc == 0 && fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0)
		rc = errno;
	return done(a, q, rc);
}

static struct timespec get_time(struct proto_in *in)
{
	bool set = proto_get_u8(in);
	int64_t sec = (int64_t)proto_get_u64(in);
	uint32_t nsec = proto_get_u32(in);

	return set ? (struct timespec){ .tv_sec = sec, .tv_nsec = nsec } : (struct timespec){ .tv_nsec = UTIME_OMIT };
}

int ask_utimens(struct agent *a, struct question *q)
{
	uint64_t node;
	char path[64];
	struct timespec times[2];
	struct proto_stat st;
	int rc = get_path(a, &q->in, &node, path), fd = -1;

	times[0] = get_time(&q->in);
	times[1] = get_time(&q->in);
	if (!proto_done(&q->in))
		return EPROTO;
	if (rc == 0)
		rc = node_stat(a, node, &st);
	if (rc == 0)
		rc = node_open(a, node, OPEN_PATH, &fd);
	if (rc)
		return rc;
	/* Newer kernels take the descriptor itself; older ones a path, which a symlink would lead elsewhere. */
	if (utimensat(fd, "", times, AT_EMPTY_PATH) < 0) {
		if (errno != EINVAL && errno != ENOENT)
			return errno;
		if (S_ISLNK(st.mode))
			return EOPNOTSUPP;
		if (utimensat(AT_FDCWD, path, times, 0) < 0)
			return errno;
	}
	return done(a, q, 0);
}

int change_file(struct agent *a, struct proto_in *in, int *fd)
{
	uint64_t node = proto_get_u64(in);
	int rc = in->bad ? EPROTO : may_change(a, node);

	return rc ? rc : node_open(a, node, OPEN_WRITE, fd);
}

int ask_truncate(struct agent *a, struct question *q)
{
	int fd = -1;
	int rc = change_file(a, &q->in, &fd);
	uint64_t size = proto_get_u64(&q->in);

	if (!proto_done(&q->in) || size > INT64_MAX)
		return EPROTO;
	if (rc == 0 && ftruncate(fd, (off_t)size) < 0)
		rc = errno;
	return done(a, q, rc);
}

int ask_pwrite(struct agent *a, struct question *q)
{
	int fd = -1;
	int rc = change_file(a, &q->in, &fd);
	uint64_t off = proto_get_u64(&q->in);
	size_t len = q->in.left;
	const uint8_t *bytes = proto_get_bytes(&q->in, len);

	if (!proto_done(&q->in) || off > INT64_MAX - LIMIT_PROTO_BODY)
		return EPROTO;
	return done(a, q, rc ? rc : io_pwrite(fd, bytes, len, off));
}

int ask_fallocate(struct agent *a, struct question *q)
{
	int fd = -1;
	int rc = change_file(a, &q->in, &fd);
	uint64_t off = proto_get_u64(&q->in), len = proto_get_u64(&q->in);
	const unsigned how = proto_get_u8(&q->in);
	const int mode = (how & PROTO_ALLOCATE_PUNCH ? FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE : 0) |
			 (how & PROTO_ALLOCATE_KEEP_SIZE ? FALLOC_FL_KEEP_SIZE : 0) |
			 (how & PROTO_ALLOCATE_ZERO ? FALLOC_FL_ZERO_RANGE : 0);

	if (!proto_done(&q->in) || off > INT64_MAX || len > INT64_MAX - off ||
	    how & ~(PROTO_ALLOCATE_PUNCH | PROTO_ALLOCATE_KEEP_SIZE | PROTO_ALLOCATE_ZERO))
		return EPROTO;
	if (rc == 0 && fallocate(fd, mode, (off_t)off, (off_t)len) < 0)
		rc = errno;
	return done(a, q, rc);
}

int ask_xattr(struct agent *a, struct question *q)
{
	uint64_t node;
	char path[64], name[256];
	const uint8_t *value;
	int rc = get_path(a, &q->in, &node, path);
	unsigned flags = 0;
	size_t len;

	if (rc == EPROTO)
		return rc;
	proto_get_str(&q->in, name, sizeof name);
	if (q->type == PROTO_SETXATTR)
		flags = proto_get_u8(&q->in);
	len = q->type == PROTO_SETXATTR ? q->in.left : 0;
	value = proto_get_bytes(&q->in, len);
	if (!proto_done(&q->in) || flags & ~(PROTO_XATTR_CREATE | PROTO_XATTR_REPLACE))
		return EPROTO;
	flags = (flags & PROTO_XATTR_CREATE ? XATTR_CREATE : 0) | (flags & PROTO_XATTR_REPLACE ? XATTR_REPLACE : 0);
	if (rc)
		return rc;
	if (q->type == PROTO_SETXATTR ? setxattr(path, name, value, len, (int)flags) < 0 : removexattr(path, name) < 0)
		rc = errno;
	return done(a, q, rc);
}

int ask_fsync(struct agent *a, struct question *q)
{
	uint64_t node = proto_get_u64(&q->in);
	int fd = -1, rc;

	if (!proto_done(&q->in))
		return EPROTO;
	rc = node_open(a, node, OPEN_READ, &fd);
	if (rc == 0 && fsync(fd) < 0)
		rc = errno;
	return done(a, q, rc);
}
