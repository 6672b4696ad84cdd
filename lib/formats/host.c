/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host.c - a file or block device of the host: the bottom of every tree of nodes.
 *
 * Locks.  A running QEMU marks what it does with an image by open-file-description locks on single bytes of it (see
 * "image locking" in QEMU's documentation): byte 100 + p is held shared while permission p is used, byte 200 + p while
 * permission p is refused to others.  p is 0 for reading consistent data, 1 for writing, 3 for resizing.  We mark the
 * same bytes, then look whether another process's marks contradict ours, and let go again if they do.
 */
#include "block_driver.h"

#include "alloc.h"
#include "checked.h"
#include "io.h"
#include "limits.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { LOCK_USED = 100, LOCK_REFUSED = 200, PERM_READ = 0, PERM_WRITE = 1, PERM_RESIZE = 3 };
/* O_DIRECT alignment that suits every disk of today; logical blocks of 512 bytes accept it too. */
enum { DIRECT_ALIGN = 4096 };
/*
 * Buffered writes go to the kernel in steps of this size.  It fills the page cache with blocks of memory as large as
 * the write, and the largest come from memory that has lain idle: in a virtual machine the host may have taken that back,
 * and gives it again page by page.  With steps of 1 MiB copies took up to twice as long, with 2 MiB five times.
 */
enum { BUFFERED_STEP = 1 << 19 };

struct host_state {
	int fd; /* -1: none; stored plus one, so that zeroed state says so */
	bool is_device;
	dev_t dev; /* what the file was when it was opened: a confined process may not ask again */
	ino_t ino;
	struct timespec mtime;
	struct timespec looked; /* when that was looked at */
	bool direct;
	atomic_bool sync_failed; /* the kernel forgets a failed write-back once told; we do not */
	bool has_lock;
	/*
	 * One buffered write at a time: the kernel locks the file for each, and threads that wait for it there burn the
	 * processor as they do.
	 */
	pthread_mutex_t write_lock;
	pthread_rwlock_t direct_lock; /* read-modify-write of partial blocks keeps everyone else out */
};

static int host_fd(const struct block *b)
{
	return ((const struct host_state *)b->state)->fd - 1;
}

static bool host_id(const struct block *b, uint64_t *dev, uint64_t *ino)
{
	const struct host_state *s = b->state;

	*dev = s->dev;
	*ino = s->ino;
	return true;
}

/* ---- locks ---- */

static int lock_byte(int fd, int byte, short type)
{
	struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

	return fcntl(fd, F_OFD_SETLK, &l) == 0 ? 0 : errno;
}

/* Does somebody else hold a lock on this byte? */
static bool byte_is_held(int fd, int byte)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

	return fcntl(fd, F_OFD_GETLK, &l) == 0 && l.l_type != F_UNLCK;
}

static void unlock_all(int fd)
{
	struct flock l = { .l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = LOCK_USED, .l_len = 200 };

	fcntl(fd, F_OFD_SETLK, &l);
}

static int host_lock(struct block *b, const char *path, struct err *e)
{
	bool writes = b->flags & BLOCK_WRITE, refuses = !(b->flags & BLOCK_SHARE_WRITE);
	const struct {
		int perm;
		bool used, refused;
	} rows[] = {
		{ PERM_READ, true, false },
		{ PERM_WRITE, writes, refuses },
		{ PERM_RESIZE, writes && (b->flags & BLOCK_RESIZE), refuses },
	};
	int fd = host_fd(b);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int err = rows[i].used ? lock_byte(fd, LOCK_USED + rows[i].perm, F_RDLCK) : 0;
		if (!err && rows[i].refused)
			err = lock_byte(fd, LOCK_REFUSED + rows[i].perm, F_RDLCK);
		/* A filesystem without locks: nobody else can have any there. */
		if (err) {
			unlock_all(fd);
			return err == EAGAIN || err == EACCES
				       ? err_sys(e, EAGAIN, "%s: another process holds it exclusively", path)
				       : 0;
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].used && byte_is_held(fd, LOCK_REFUSED + rows[i].perm)) {
			unlock_all(fd);
			err_set(e, ERR_SYSTEM, "%s: another process uses this image and does not share it%s", path,
				writes ? "" : "; --force-share reads it all the same");
			if (e)
				e->sys_errno = EAGAIN;
			return -(int)ERR_SYSTEM;
		}
		if (rows[i].refused && byte_is_held(fd, LOCK_USED + rows[i].perm)) {
			unlock_all(fd);
			err_set(e, ERR_SYSTEM, "%s: another process is writing to this image%s", path,
				writes ? "" : "; --force-share reads it all the same");
			if (e)
				e->sys_errno = EBUSY;
			return -(int)ERR_SYSTEM;
		}
	}
	((struct host_state *)b->state)->has_lock = true;
	return 0;
}

/* ---- open and close ---- */

static int device_size(int fd, uint64_t *size)
{
	off_t end = lseek(fd, 0, SEEK_END);

	if (ioctl(fd, BLKGETSIZE64, size) == 0)
		return 0;
	if (end < 0)
		return errno;
	*size = (uint64_t)end;
	return 0;
}

/* Takes over fd; fills what is known of it. */
static int host_adopt(struct block *b, int fd, const char *path, struct err *e)
{
	struct host_state *s = b->state;
	struct stat st;
	int rc;

	s->fd = fd + 1;
	if (pthread_rwlock_init(&s->direct_lock, NULL) != 0)
		return err_nomem(e);
	if (pthread_mutex_init(&s->write_lock, NULL) != 0)
		return err_nomem(e);
	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "%s", path);
	if (S_ISDIR(st.st_mode))
		return err_sys(e, EISDIR, "%s", path);
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_set(e, ERR_UNSUPPORTED, "%s: neither a regular file nor a block device", path);
	s->is_device = S_ISBLK(st.st_mode);
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	s->mtime = st.st_mtim;
	clock_gettime(CLOCK_REALTIME, &s->looked);
	b->size = (uint64_t)st.st_size;
	if (s->is_device && (rc = device_size(fd, &b->size)) != 0)
		return err_sys(e, rc, "%s", path);
	if (b->size > LIMIT_IMAGE_SIZE)
		return err_set(e, ERR_LIMIT, "%s: %llu bytes", path, (unsigned long long)b->size);
	return 0;
}

static int open_flags(unsigned flags)
{
	int f = O_CLOEXEC | O_NONBLOCK; /* a FIFO must not hang us */

	f |= flags & BLOCK_WRITE ? O_RDWR : O_RDONLY;
	if (flags & BLOCK_DIRECT)
		f |= O_DIRECT;
	if (flags & BLOCK_WRITETHROUGH)
		f |= O_DSYNC;
	return f;
}

/* The same host file as that of an image above us in the chain: it would be its own backing file. */
static int refuse_loop(const struct block *b, const struct block_env *env, struct err *e)
{
	for (; env; env = env->above) {
		const struct block *n = env->node;

		while (n && n->file)
			n = n->file;
		if (n && n->drv->same_host && n->drv->same_host(n, b))
			return err_set(e, ERR_CORRUPT, "%s: the backing chain comes back to this file", b->name);
	}
	return 0;
}

/* Options of QEMU's for a host file.  Which interface of the kernel moves the bytes is ours to choose; it is judged only. */
static int take_options(struct block *b, struct dict *opts, struct err *e)
{
	static const char *const engines[] = { "threads", "native", "io_uring", NULL };
	static const char *const lockings[] = { "auto", "on", "off", NULL };
	unsigned engine = 0, locking = 0;
	int rc = block_take_word(opts, "aio", engines, &engine, e);

	if (rc == 0)
		rc = block_take_word(opts, "locking", lockings, &locking, e);
	if (rc < 0)
		return rc;
	if (engine == 1 && !(b->flags & BLOCK_DIRECT))
		return err_set(e, ERR_USAGE, "option \"aio\": native I/O needs \"cache.direct\"");
	if (locking == 2)
		b->flags |= BLOCK_NO_LOCK;
	return 0;
}

static int host_open(struct block *b, struct dict *opts, const struct block_env *env, struct err *e)
{
	CLEANUP(free_ptr) char *path = dict_take(opts, "filename");
	CLEANUP(close_fd) int fd = -1;
	struct host_state *s = b->state;
	int rc = take_options(b, opts, e);

	if (rc < 0)
		return rc;
	if (!path || !*path)
		return err_set(e, ERR_USAGE, "a file needs a \"filename\"");
	free(b->name);
	b->name = alloc_strdup(path);
	if (!b->name)
		return err_nomem(e);
	fd = open(path, open_flags(b->flags));
	if (fd < 0)
		return err_sys(e, errno, "%s", path);
	rc = host_adopt(b, fd, path, e);
	fd = -1;
	if (rc < 0)
		return rc;
	if (b->drv == &block_host_device && !s->is_device)
		return err_set(e, ERR_USAGE, "%s: not a block device", path);
	s->direct = b->flags & BLOCK_DIRECT;
	if ((rc = refuse_loop(b, env, e)) < 0)
		return rc;
	if (!(b->flags & (BLOCK_FORCE_SHARE | BLOCK_NO_LOCK)))
		return host_lock(b, path, e);
	return 0;
}

static void host_close(struct block *b)
{
	struct host_state *s = b->state;

	if (!s->fd)
		return;
	if (s->has_lock)
		unlock_all(host_fd(b));
	close(host_fd(b));
	pthread_rwlock_destroy(&s->direct_lock);
	pthread_mutex_destroy(&s->write_lock);
}

/* ---- data ---- */

static bool is_aligned(const void *buf, size_t len, uint64_t off)
{
	return ((uintptr_t)buf | len | off) % DIRECT_ALIGN == 0;
}

/* Reads through an aligned buffer; the caller holds direct_lock. */
static int bounce_read(int fd, uint8_t *bounce, uint64_t start, size_t span)
{
	size_t got;
	int rc = io_pread(fd, bounce, span, start, &got);

	if (rc == 0)
		memset(bounce + got, 0, span - got);
	return rc;
}

static int direct_io(struct block *b, void *rbuf, const void *wbuf, size_t len, uint64_t off)
{
	struct host_state *s = b->state;
	uint64_t start = round_down(off, DIRECT_ALIGN);
	size_t span = (size_t)(round_up(off + len, DIRECT_ALIGN) - start);
	CLEANUP(free_ptr) uint8_t *bounce = alloc_aligned(DIRECT_ALIGN, span);
	int rc;

	if (!bounce)
		return ENOMEM;
	if (wbuf)
		pthread_rwlock_wrlock(&s->direct_lock);
	else
		pthread_rwlock_rdlock(&s->direct_lock);
	rc = bounce_read(host_fd(b), bounce, start, span);
	if (rc == 0 && wbuf) {
		memcpy(bounce + (off - start), wbuf, len);
		rc = io_pwrite(host_fd(b), bounce, span, start);
	}
	pthread_rwlock_unlock(&s->direct_lock);
	if (rc == 0 && rbuf)
		memcpy(rbuf, bounce + (off - start), len);
	return rc;
}

static int host_pread(struct block *b, void *buf, size_t len, uint64_t off, struct err *e)
{
	struct host_state *s = b->state;
	size_t got = 0;
	int rc;

	if (s->direct && is_aligned(buf, len, off)) {
		pthread_rwlock_rdlock(&s->direct_lock);
		rc = io_pread(host_fd(b), buf, len, off, &got);
		pthread_rwlock_unlock(&s->direct_lock);
	} else if (s->direct) {
		rc = direct_io(b, buf, NULL, len, off);
		got = len;
	} else {
		rc = io_pread(host_fd(b), buf, len, off, &got);
	}
	if (rc)
		return err_sys(e, rc, "%s: reading %zu bytes at %llu", b->name, len, (unsigned long long)off);
	if (got < len)
		return err_set(e, ERR_CORRUPT, "%s: %zu bytes at %llu are gone: another process has made it shorter", b->name,
			       len - got, (unsigned long long)(off + got));
	return 0;
}

/* Whoever reads in spite of a writer (BLOCK_FORCE_SHARE) expects growth. */
static int host_same_size(struct block *b, struct err *e)
{
	const struct host_state *s = b->state;
	struct stat st;

	if (s->is_device || (b->flags & BLOCK_WRITE) || fstat(host_fd(b), &st) < 0)
		return 0;
	if ((uint64_t)st.st_size == b->size || ((uint64_t)st.st_size > b->size && (b->flags & BLOCK_FORCE_SHARE)))
		return 0;
	return err_set(e, ERR_CORRUPT, "%s: another process has changed its size from %llu to %llu bytes while it was read",
		       b->name, (unsigned long long)b->size, (unsigned long long)st.st_size);
}

static bool host_was_written(struct block *b)
{
	const struct host_state *s = b->state;
	struct stat st;

	if (s->is_device || (b->flags & BLOCK_WRITE) || io_fstat(host_fd(b), &st) < 0)
		return false;
	return st.st_mtim.tv_sec != s->mtime.tv_sec || st.st_mtim.tv_nsec != s->mtime.tv_nsec || (uint64_t)st.st_size != b->size;
}

/* Two writes in one tick of the kernel's clock leave one time: one that was young when it was looked at tells nothing. */
#define TICKS_NS 100000000

static bool host_is_unchanged(struct block *b)
{
	const struct host_state *s = b->state;
	const int64_t age = (s->looked.tv_sec - s->mtime.tv_sec) * 1000000000LL + (s->looked.tv_nsec - s->mtime.tv_nsec);

	return !s->is_device && age > TICKS_NS && !host_was_written(b);
}

static int host_refresh(struct block *b, struct err *e)
{
	struct host_state *s = b->state;
	uint64_t size;
	struct stat st;
	int rc;

	clock_gettime(CLOCK_REALTIME, &s->looked);
	if (io_fstat(host_fd(b), &st) < 0)
		return err_sys(e, errno, "%s", b->name);
	size = (uint64_t)st.st_size;
	if (s->is_device && (rc = device_size(host_fd(b), &size)) != 0)
		return err_sys(e, rc, "%s", b->name);
	if (size > LIMIT_IMAGE_SIZE)
		return err_set(e, ERR_LIMIT, "%s: %llu bytes", b->name, (unsigned long long)size);
	s->mtime = st.st_mtim;
	b->size = size;
	return 0;
}

static void host_grow(struct block *b)
{
	uint64_t size = 0;
	struct stat st;

	if (((struct host_state *)b->state)->is_device)
		(void)device_size(host_fd(b), &size);
	else if (io_fstat(host_fd(b), &st) == 0)
		size = (uint64_t)st.st_size;
	if (size <= LIMIT_IMAGE_SIZE)
		block_reach(b, size);
}

static int write_buffered(struct host_state *s, const uint8_t *buf, size_t len, uint64_t off)
{
	int rc = 0;

	for (size_t at = 0; rc == 0 && at < len; at += BUFFERED_STEP) {
		size_t n = MIN_OF(len - at, (size_t)BUFFERED_STEP);

		if (!s->is_device)
			pthread_mutex_lock(&s->write_lock);
		rc = io_pwrite(s->fd - 1, buf + at, n, off + at);
		if (!s->is_device)
			pthread_mutex_unlock(&s->write_lock);
	}
	return rc;
}

static int host_pwrite(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e)
{
	struct host_state *s = b->state;
	int rc;

	if (!s->direct) {
		rc = write_buffered(s, buf, len, off);
	} else if (is_aligned(buf, len, off)) {
		pthread_rwlock_rdlock(&s->direct_lock);
		rc = io_pwrite(host_fd(b), buf, len, off);
		pthread_rwlock_unlock(&s->direct_lock);
	} else {
		rc = direct_io(b, NULL, buf, len, off);
	}
	if (rc)
		return err_sys(e, rc, "%s: writing %zu bytes at %llu", b->name, len, (unsigned long long)off);
	block_reach(b, s->direct ? round_up(off + len, is_aligned(buf, len, off) ? 1 : DIRECT_ALIGN) : off + len);
	return 0;
}

/* Blocks of the filesystem are shared whole; of larger ones than this it will say so itself. */
enum { SHARE_ALIGN = 4096 };

static bool share(int from, uint64_t from_off, int to, uint64_t to_off, uint64_t len)
{
	struct file_clone_range range = { .src_fd = from, .src_offset = from_off, .src_length = len, .dest_offset = to_off };
	int rc;

	if ((from_off | to_off | len) % SHARE_ALIGN)
		return false;
	do
		rc = ioctl(to, FICLONERANGE, &range);
	while (rc < 0 && errno == EINTR);
	return rc == 0;
}

static bool kernel_copy(struct host_state *s, int from, uint64_t from_off, uint64_t to_off, uint64_t len)
{
	loff_t in = (loff_t)from_off, out = (loff_t)to_off;

	/* Ends: len gets less, or the kernel has no more, or says why not. */
	while (len) {
		ssize_t n;

		pthread_mutex_lock(&s->write_lock);
		n = copy_file_range(from, &in, s->fd - 1, &out, (size_t)MIN_OF(len, (uint64_t)BUFFERED_STEP), 0);
		pthread_mutex_unlock(&s->write_lock);
		if (n == 0 || (n < 0 && errno != EINTR))
			return false;
		len -= n > 0 ? (uint64_t)n : 0;
	}
	return true;
}

static int host_pwrite_from(struct block *b, struct block *src, uint64_t len, uint64_t src_off, uint64_t off,
			    enum block_from how, struct err *e)
{
	struct host_state *s = b->state;
	int from = block_host_fd(src);

	if (how == BLOCK_FROM_SHARE ? !share(from, src_off, host_fd(b), off, len)
				    : s->direct || !kernel_copy(s, from, src_off, off, len))
		return err_set(e, ERR_UNSUPPORTED, "%s: the host cannot fill it from %s", b->name, src->name);
	block_reach(b, off + len);
	return 0;
}

static bool is_unsupported(int err)
{
	return err == EOPNOTSUPP || err == ENOSYS || err == ENOTTY || err == EINVAL;
}

static int host_zero(struct block *b, uint64_t len, uint64_t off, unsigned how, struct err *e)
{
	struct host_state *s = b->state;
	int fd = host_fd(b);
	int rc = -1;

	/* A punched range past the end of the file would not make the file longer. */
	if ((how & BLOCK_ZERO_UNMAP) && (s->is_device || off + len <= block_size(b)))
		rc = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off, (off_t)len);
	else if ((how & BLOCK_ZERO_UNMAP) && off >= block_size(b))
		rc = ftruncate(fd, (off_t)(off + len));
	if (rc < 0)
		rc = fallocate(fd, FALLOC_FL_ZERO_RANGE, (off_t)off, (off_t)len);
	if (rc < 0 && s->is_device) {
		uint64_t range[2] = { off, len };
		rc = ioctl(fd, BLKZEROOUT, range);
	}
	if (rc == 0) {
		block_reach(b, off + len);
		return 0;
	}
	if (is_unsupported(errno))
		return err_set(e, ERR_UNSUPPORTED, "%s: zeroing a range", b->name);
	return err_sys(e, errno, "%s: zeroing %llu bytes at %llu", b->name, (unsigned long long)len,
		       (unsigned long long)off);
}

static int host_discard(struct block *b, uint64_t len, uint64_t off, struct err *e)
{
	struct host_state *s = b->state;
	uint64_t range[2] = { off, len };
	int rc;

	if (s->is_device)
		rc = ioctl(host_fd(b), BLKDISCARD, range);
	else
		rc = fallocate(host_fd(b), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off, (off_t)len);
	if (rc == 0 || is_unsupported(errno))
		return 0;
	return err_sys(e, errno, "%s: discarding %llu bytes at %llu", b->name, (unsigned long long)len,
		       (unsigned long long)off);
}

static int host_extent(struct block *b, uint64_t len, uint64_t off, struct extent *out, struct err *e)
{
	int fd = host_fd(b);
	off_t data, end;

	(void)e;
	out->flags = EXTENT_DATA | EXTENT_ALLOC | EXTENT_PLAIN;
	out->host = b;
	out->host_off = off;
	data = lseek(fd, (off_t)off, SEEK_DATA);
	if (data < 0 && errno == ENXIO) {
		/* No data from here to the end of the file. */
		out->flags = EXTENT_ZERO | EXTENT_ALLOC | EXTENT_PLAIN;
		return 0;
	}
	if (data < 0)
		return 0; /* devices and filesystems that do not tell: it may all be data */
	if ((uint64_t)data > off) {
		out->flags = EXTENT_ZERO | EXTENT_ALLOC | EXTENT_PLAIN;
		out->len = MIN_OF(len, (uint64_t)data - off);
		return 0;
	}
	end = lseek(fd, data, SEEK_HOLE);
	if (end > data)
		out->len = MIN_OF(len, (uint64_t)end - off);
	return 0;
}

static int host_flush(struct block *b, struct err *e)
{
	struct host_state *s = b->state;

	if (b->flags & BLOCK_UNSAFE)
		return 0;
	if (atomic_load(&s->sync_failed))
		return err_set(e, ERR_SYSTEM, "%s: an earlier flush failed, so writes may be lost", b->name);
	if (fdatasync(host_fd(b)) == 0)
		return 0;
	atomic_store(&s->sync_failed, true);
	return err_sys(e, errno, "%s: flushing", b->name);
}

/* ---- size ---- */

/* Allocates [from, to); the caller cuts the file back when this fails. */
static int host_preallocate(struct block *b, uint64_t from, uint64_t to, enum block_prealloc p)
{
	enum { CHUNK = 1 << 20 };
	CLEANUP(free_ptr) uint8_t *zeros = NULL;
	int rc = 0;

	if (p == PREALLOC_FALLOC && fallocate(host_fd(b), 0, (off_t)from, (off_t)(to - from)) == 0)
		return 0;
	if (p == PREALLOC_FALLOC && !is_unsupported(errno))
		return errno;
	zeros = alloc_aligned(DIRECT_ALIGN, CHUNK);
	if (!zeros)
		return ENOMEM;
	memset(zeros, 0, CHUNK);
	for (uint64_t at = from; at < to && rc == 0; at += CHUNK)
		rc = io_pwrite(host_fd(b), zeros, (size_t)MIN_OF((uint64_t)CHUNK, to - at), at);
	return rc;
}

static int host_truncate(struct block *b, uint64_t size, enum block_prealloc p, struct err *e)
{
	struct host_state *s = b->state;
	uint64_t old = block_size(b);
	int rc = 0;

	if (s->is_device) {
		if (size > old)
			return err_set(e, ERR_USAGE, "%s: the device has only %llu bytes", b->name, (unsigned long long)old);
		return 0;
	}
	if (size > LIMIT_IMAGE_SIZE)
		return err_set(e, ERR_LIMIT, "%s: size of %llu bytes", b->name, (unsigned long long)size);
	if (ftruncate(host_fd(b), (off_t)size) < 0)
		return err_sys(e, errno, "%s: changing the size to %llu bytes", b->name, (unsigned long long)size);
	if (size > old && p != PREALLOC_OFF && p != PREALLOC_METADATA)
		rc = host_preallocate(b, old, size, p);
	if (rc) {
		if (ftruncate(host_fd(b), (off_t)old) < 0)
			old = size;
		__atomic_store_n(&b->size, old, __ATOMIC_RELAXED);
		return err_sys(e, rc, "%s: allocating %llu bytes", b->name, (unsigned long long)(size - old));
	}
	__atomic_store_n(&b->size, size, __ATOMIC_RELAXED);
	return 0;
}

static uint64_t host_allocated(const struct block *b)
{
	struct stat st;

	return fstat(host_fd(b), &st) == 0 ? (uint64_t)st.st_blocks * 512 : UINT64_MAX;
}

static bool host_same(const struct block *a, const struct block *b)
{
	struct stat sa, sb;

	if (!b->drv->same_host || fstat(host_fd(a), &sa) < 0 || fstat(host_fd(b), &sb) < 0)
		return false;
	if (S_ISBLK(sa.st_mode) && S_ISBLK(sb.st_mode))
		return sa.st_rdev == sb.st_rdev;
	return sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

#define HOST_OPS                                                                                                       \
	.state_size = sizeof(struct host_state), .is_protocol = true, .open = host_open, .close = host_close,          \
	.pread = host_pread, .pwrite = host_pwrite, .pwrite_from = host_pwrite_from, .zero = host_zero,                \
	.discard = host_discard, .extent = host_extent, .flush = host_flush, .truncate = host_truncate,                \
	.allocated = host_allocated, .same_size = host_same_size, .was_written = host_was_written,                     \
	.is_unchanged = host_is_unchanged, .refresh = host_refresh, .grow = host_grow,                              \
	.host_fd = host_fd, .host_id = host_id, .same_host = host_same

const struct block_driver block_host = { .name = "file", HOST_OPS };
const struct block_driver block_host_device = { .name = "host_device", HOST_OPS };

/* ---- for create and for temporary files ---- */

int block_host_fd_open(int fd, const char *name, unsigned flags, struct block **out, struct err *e)
{
	CLEANUP(block_unrefp) struct block *b = NULL;
	int rc = block_new_filter(&block_host, NULL, &b, e);

	if (rc < 0) {
		close(fd);
		return rc;
	}
	b->flags = flags;
	free(b->name);
	b->name = alloc_strdup(name);
	rc = host_adopt(b, fd, name, e);
	if (rc == 0 && !b->name)
		rc = err_nomem(e);
	if (rc == 0)
		*out = take(b);
	return rc;
}

int block_open_host(const char *path, unsigned flags, bool *make, struct block **out, struct err *e)
{
	CLEANUP(block_unrefp) struct block *b = NULL;
	int fd = open(path, open_flags(flags));
	int rc;

	if (make)
		*make = false;
	if (fd < 0 && errno == ENOENT && make) {
		fd = open(path, open_flags(flags) | O_CREAT | O_EXCL, 0666);
		*make = fd >= 0;
	}
	if (fd < 0)
		return err_sys(e, errno, "%s", path);
	rc = block_host_fd_open(fd, path, flags, &b, e);
	if (rc < 0)
		return rc;
	((struct host_state *)b->state)->direct = flags & BLOCK_DIRECT;
	if (!(flags & (BLOCK_FORCE_SHARE | BLOCK_NO_LOCK)) && (rc = host_lock(b, path, e)) < 0)
		return rc;
	*out = take(b);
	return 0;
}
