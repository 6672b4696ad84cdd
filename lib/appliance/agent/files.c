/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* files.c - what is read of files. */
#include "agent.h"
#include "alloc.h"
#include "io.h"
#include "limits.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

int get_name(struct proto_in *in, char name[AGENT_NAME])
{
	size_t len = proto_get_str(in, name, AGENT_NAME);

	if (in->bad)
		return EPROTO;
	return len == 0 || strchr(name, '/') ? EINVAL : 0;
}

static int answer_stat(struct agent *a, const struct question *q, int rc, const struct proto_stat *st)
{
	if (rc)
		return rc;
	proto_put_stat(agent_begin(a), st);
	agent_answer(a, q);
	return 0;
}

int ask_stat(struct agent *a, struct question *q)
{
	uint64_t node = proto_get_u64(&q->in);
	struct proto_stat st;

	if (!proto_done(&q->in))
		return EPROTO;
	return answer_stat(a, q, node_stat(a, node, &st), &st);
}

int ask_lookup(struct agent *a, struct question *q)
{
	uint64_t dir = proto_get_u64(&q->in);
	char name[AGENT_NAME];
	struct proto_stat st;
	int rc = get_name(&q->in, name);

	if (!proto_done(&q->in))
		return EPROTO;
	return answer_stat(a, q, rc ? rc : node_stat_at(a, dir, name, &st), &st);
}

int ask_stats(struct agent *a, struct question *q)
{
	uint64_t dir = proto_get_u64(&q->in);
	uint16_t n = proto_get_u16(&q->in);
	struct proto_out *o = agent_begin(a);

	for (uint16_t i = 0; i < n; i++) {
		char name[AGENT_NAME];
		struct proto_stat st;
		int rc = get_name(&q->in, name);

		if (rc == EPROTO)
			return rc;
		if (rc == 0)
			rc = node_stat_at(a, dir, name, &st);
		proto_put_u32(o, (uint32_t)rc);
		if (rc == 0)
			proto_put_stat(o, &st);
	}
	if (!proto_done(&q->in) || o->failed)
		return EPROTO;
	a->said[0] = '\0';
	agent_answer(a, q);
	return 0;
}

/* As getdents64() gives them. */
struct linux_dirent {
	uint64_t ino;
	int64_t off;
	unsigned short reclen;
	unsigned char type;
	char name[];
};
#define DIRENTS_SIZE (32 * 1024)
/* A page of a listing: a folder of ordinary size in one answer. */
#define PAGE_SIZE_WANTED (128 * 1024)

static void put_dirent(struct agent *a, uint64_t dir, const struct linux_dirent *d)
{
	proto_put_u64(&a->o, node_of_entry(a, dir, d->name, d->ino, d->type));
	proto_put_u32(&a->o, (uint32_t)d->type << 12); /* DT_* are the bits of S_IFMT */
	proto_put_str(&a->o, d->name);
}

int ask_readdir(struct agent *a, struct question *q)
{
	uint64_t dir = proto_get_u64(&q->in), cookie = proto_get_u64(&q->in);
	_Alignas(struct linux_dirent) char buf[DIRENTS_SIZE];
	struct proto_out *o = agent_begin(a), head;
	struct agent_fd *slot;
	long n = 0;
	int rc;

	if (!proto_done(&q->in))
		return EPROTO;
	slot = node_open_slot(a, dir, OPEN_READ, &rc);
	if (!slot)
		return rc;
	/* From the start it is read anew, even when that is where it stands: the kernel may hold an old listing. */
	if ((cookie == 0 || slot->at != cookie) && lseek(slot->fd, (off_t)cookie, SEEK_SET) < 0)
		return errno;
	slot->at = cookie;
	proto_put_u64(o, 0);
	proto_put_u8(o, 0);
	while (o->len < PAGE_SIZE_WANTED) {
		n = syscall(SYS_getdents64, slot->fd, buf, sizeof buf);
		if (n < 0)
			return errno;
		if (n == 0)
			break;
		/* Ends: the kernel's entries are at least as long as their heads. */
		for (long at = 0; at < n;) {
			const struct linux_dirent *d = (const struct linux_dirent *)(buf + at);

			put_dirent(a, dir, d);
			slot->at = (uint64_t)d->off;
			at += d->reclen;
		}
	}
	head = (struct proto_out){ .bytes = o->bytes, .len = PROTO_HEAD, .cap = o->cap };
	proto_put_u64(&head, slot->at);
	proto_put_u8(&head, n == 0);
	agent_answer(a, q);
	return 0;
}

int ask_pread(struct agent *a, struct question *q)
{
	uint64_t node = proto_get_u64(&q->in), off = proto_get_u64(&q->in);
	uint32_t len = proto_get_u32(&q->in);
	struct proto_out *o = agent_begin(a);
	uint8_t *room;
	size_t got;
	int fd = -1, rc;

	if (!proto_done(&q->in) || len > LIMIT_PROTO_DATA || off > (uint64_t)INT64_MAX - len)
		return EPROTO;
	rc = node_open(a, node, OPEN_READ, &fd);
	if (rc)
		return rc;
	room = proto_put_room(o, len);
	rc = room ? io_pread(fd, room, len, off, &got) : ENOMEM;
	if (rc)
		return rc;
	o->len -= len - got;
	agent_answer(a, q);
	return 0;
}

int ask_readlink(struct agent *a, struct question *q)
{
	uint64_t node = proto_get_u64(&q->in);
	char target[LIMIT_PATH + 1];
	ssize_t n;
	int fd = -1, rc;

	if (!proto_done(&q->in))
		return EPROTO;
	rc = node_open(a, node, OPEN_PATH, &fd);
	if (rc)
		return rc;
	n = readlinkat(fd, "", target, sizeof target - 1);
	if (n < 0)
		return errno == ENOENT ? EINVAL : errno; /* what is no symlink is ENOENT for an empty path */
	target[n] = '\0';
	proto_put_str(agent_begin(a), target);
	agent_answer(a, q);
	return 0;
}

static int put_xattr(struct agent *a, struct question *q, const char *path, const char *name)
{
	CLEANUP(free_ptr) uint8_t *value = alloc_bytes(LIMIT_XATTR_SIZE);
	struct proto_out *o = &a->o;
	ssize_t n;

	if (!value)
		return ENOMEM;
	n = getxattr(path, name, value, LIMIT_XATTR_SIZE);
	if (n < 0) /* listed and not to be had: as if it were not there */
		return errno == ENODATA || errno == EOPNOTSUPP ? 0 : errno;
	if (o->len + strlen(name) + 6 + (size_t)n > PROTO_HEAD + LIMIT_PROTO_BODY) {
		agent_more(a, q);
		o = agent_begin(a);
	}
	proto_put_str(o, name);
	proto_put_u32(o, (uint32_t)n);
	proto_put_bytes(o, value, (size_t)n);
	return 0;
}

int ask_xattrs(struct agent *a, struct question *q)
{
	uint64_t node = proto_get_u64(&q->in);
	CLEANUP(free_ptr) char *names = NULL;
	char path[64];
	ssize_t n;
	int rc;

	if (!proto_done(&q->in))
		return EPROTO;
	rc = node_proc_path(a, node, path);
	if (rc)
		return rc;
	n = listxattr(path, NULL, 0);
	if (n > 0) {
		if ((size_t)n > LIMIT_XATTR_SIZE)
			return E2BIG;
		names = alloc_zero((size_t)n + 1);
		if (!names)
			return ENOMEM;
		n = listxattr(path, names, (size_t)n);
	}
	if (n < 0 && errno != EOPNOTSUPP)
		return errno;
	agent_begin(a);
	for (ssize_t at = 0; at < n; at += (ssize_t)strlen(names + at) + 1) {
		rc = put_xattr(a, q, path, names + at);
		if (rc)
			return rc;
	}
	agent_answer(a, q);
	return 0;
}

int ask_extent(struct agent *a, struct question *q)
{
	uint64_t node = proto_get_u64(&q->in), off = proto_get_u64(&q->in);
	struct proto_out *o;
	struct stat st;
	off_t data, end;
	int fd = -1, rc;

	if (!proto_done(&q->in) || off > INT64_MAX)
		return EPROTO;
	rc = node_open(a, node, OPEN_READ, &fd);
	if (rc)
		return rc;
	if (fstat(fd, &st) < 0)
		return errno;
	if (!S_ISREG(st.st_mode))
		return EISDIR;
	if ((off_t)off >= st.st_size) {
		data = end = (off_t)off;
	} else {
		data = lseek(fd, (off_t)off, SEEK_DATA);
		if (data < 0 && errno != ENXIO)
			return errno;
		if (data < 0) /* a hole to the end */
			data = end = st.st_size;
		else if (data > (off_t)off)
			end = data;
		else
			end = lseek(fd, (off_t)off, SEEK_HOLE);
		if (end < 0)
			return errno;
		if (end > st.st_size)
			end = st.st_size;
	}
	o = agent_begin(a);
	proto_put_u64(o, (uint64_t)end - off);
	proto_put_u8(o, data > (off_t)off);
	agent_answer(a, q);
	return 0;
}

/* Extents of which the bytes are not as they lie, or not where they are said to be. */
#define FIEMAP_NOT_PLAIN                                                                                               \
	(FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_ENCODED | FIEMAP_EXTENT_DATA_ENCRYPTED |       \
	 FIEMAP_EXTENT_NOT_ALIGNED | FIEMAP_EXTENT_DATA_INLINE | FIEMAP_EXTENT_DATA_TAIL | FIEMAP_EXTENT_UNWRITTEN)

int ask_place(struct agent *a, struct question *q)
{
	uint64_t node = proto_get_u64(&q->in), off = proto_get_u64(&q->in), len = 1, where = 0;
	_Alignas(struct fiemap) char room[sizeof(struct fiemap) + sizeof(struct fiemap_extent)] = { 0 };
	struct fiemap *map = (struct fiemap *)room;
	const struct fiemap_extent *x = map->fm_extents;
	struct agent_mount *m;
	struct proto_out *o;
	bool known = false;
	int fd = -1, rc;

	if (!proto_done(&q->in) || off > INT64_MAX)
		return EPROTO;
	rc = node_mount(a, node, &m);
	if (rc)
		return rc;
	rc = node_open(a, node, OPEN_READ, &fd);
	if (rc)
		return rc;
	map->fm_start = off;
	map->fm_length = UINT64_MAX - off;
	map->fm_extent_count = 1;
	if (m->plain && m->readonly && ioctl(fd, FS_IOC_FIEMAP, map) == 0 && map->fm_mapped_extents == 1) {
		if (x->fe_logical > off) {
			len = x->fe_logical - off;
		} else if (x->fe_length > off - x->fe_logical) {
			len = x->fe_length - (off - x->fe_logical);
			known = !(x->fe_flags & FIEMAP_NOT_PLAIN);
			where = x->fe_physical + (off - x->fe_logical);
		}
	}
	o = agent_begin(a);
	proto_put_u8(o, known);
	proto_put_u64(o, len);
	proto_put_u64(o, known ? where : 0);
	agent_answer(a, q);
	return 0;
}
