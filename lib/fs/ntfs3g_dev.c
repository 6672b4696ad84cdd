/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ntfs3g_dev.c - the bytes beneath libntfs-3g: a struct block, read-only; small requests, which are for metadata, through a
 * cache.  And the library's errors.
 */
#include "ntfs3g.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"

#include <errno.h>
#include <inttypes.h>
#include <ntfs-3g/logging.h>
#include <stdio.h>

#define SMALL 8192

/* Copies of records over what was read. */
static int patch_over(struct nt *x, uint8_t *buf, size_t len, uint64_t off, struct err *e)
{
	for (size_t i = 0; i < x->npatches; i++) {
		const struct nt_patch *p = &x->patches[i];
		uint64_t from = MAX_OF(p->off, off), to = MIN_OF(p->off + x->super.record_size, off + len);
		int rc;

		if (from >= to)
			continue;
		rc = block_pread(x->dev, buf + (from - off), to - from, p->from + (from - p->off), e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int nt_dev_read(struct nt *x, void *buf, size_t len, uint64_t off, struct err *e)
{
	int rc;

	if (!range_in(off, len, block_size(x->dev)))
		return err_set(e, ERR_CORRUPT, "byte %" PRIu64 " lies past the end of the device", off);
	rc = len <= SMALL ? lines_read(&x->io, buf, len, off, e) : block_pread(x->dev, buf, len, off, e);
	return rc < 0 || x->npatches == 0 ? rc : patch_over(x, buf, len, off, e);
}

/* ---- the library's device ---- */

static int dev_open(struct ntfs_device *dev, int flags)
{
	(void)flags;
	NDevSetOpen(dev);
	NDevSetReadOnly(dev);
	return 0;
}

static int dev_close(struct ntfs_device *dev)
{
	NDevClearOpen(dev);
	return 0;
}

static s64 dev_write(struct ntfs_device *dev, const void *buf, s64 len)
{
	(void)dev, (void)buf, (void)len;
	errno = EROFS;
	return -1;
}

static s64 dev_pread(struct ntfs_device *dev, void *buf, s64 len, s64 off)
{
	struct nt *x = dev->d_private;

	if (len < 0 || off < 0 || (uint64_t)len > LIMIT_REQUEST) {
		errno = EINVAL;
		return -1;
	}
	if (nt_dev_read(x, buf, (size_t)len, (uint64_t)off, &x->io_err) < 0) {
		errno = EIO;
		return -1;
	}
	return len;
}

/* To look whether the last sector is there. */
static s64 dev_seek(struct ntfs_device *dev, s64 off, int whence)
{
	struct nt *x = dev->d_private;
	s64 base = whence == SEEK_CUR ? x->pos : whence == SEEK_END ? (s64)block_size(x->dev) : 0;

	if (__builtin_add_overflow(base, off, &off) || off < 0) {
		errno = EINVAL;
		return -1;
	}
	x->pos = off;
	return off;
}

static s64 dev_read(struct ntfs_device *dev, void *buf, s64 len)
{
	struct nt *x = dev->d_private;
	s64 got = dev_pread(dev, buf, len, x->pos);

	if (got > 0)
		x->pos += got;
	return got;
}

static s64 dev_pwrite(struct ntfs_device *dev, const void *buf, s64 len, s64 off)
{
	(void)off;
	return dev_write(dev, buf, len);
}

static int dev_sync(struct ntfs_device *dev)
{
	(void)dev;
	return 0;
}

static int dev_stat(struct ntfs_device *dev, struct stat *st)
{
	struct nt *x = dev->d_private;

	memset(st, 0, sizeof *st);
	st->st_mode = S_IFREG | 0444;
	st->st_size = (off_t)block_size(x->dev);
	return 0;
}

static int dev_ioctl(struct ntfs_device *dev, unsigned long request, void *arg)
{
	(void)dev, (void)request, (void)arg;
	errno = ENOTTY;
	return -1;
}

/* The library takes a pointer to a table that may be written, and never writes to it. */
static const struct ntfs_device_operations ops = {
	.open = dev_open,
	.close = dev_close,
	.seek = dev_seek,
	.read = dev_read,
	.write = dev_write,
	.pread = dev_pread,
	.pwrite = dev_pwrite,
	.sync = dev_sync,
	.stat = dev_stat,
	.ioctl = dev_ioctl,
};

static int log_nothing(const char *function, const char *file, int line, u32 level, void *data, const char *format,
		       va_list args)
{
	(void)function, (void)file, (void)line, (void)level, (void)data, (void)format, (void)args;
	return 0;
}

struct ntfs_device *nt_dev_new(struct nt *x)
{
	/* What it would print belongs to nobody: errors come back as numbers. */
	ntfs_log_set_handler(log_nothing);
	return ntfs_device_alloc("drydock", 0, (struct ntfs_device_operations *)(uintptr_t)&ops, x);
}

/* ---- errors ---- */

void nt_lib_start(struct nt *x)
{
	err_clear(&x->io_err);
	errno = 0;
}

int nt_lib_error(struct nt *x, const char *what, struct err *e)
{
	int errnum = errno;

	if (x->io_err.code) {
		if (e)
			*e = x->io_err;
		return err_in(e, -(int)x->io_err.code, "%s", what);
	}
	switch (errnum) {
	case ENOMEM:
		return err_nomem(e);
	case EACCES:
		return err_set(e, ERR_UNSUPPORTED, "%s: encrypted by Windows (EFS), it cannot be read without its key", what);
	case EOPNOTSUPP:
		return err_set(e, ERR_UNSUPPORTED, "%s: a kind that libntfs-3g does not read", what);
	case 0:
	case EIO:
	case EINVAL:
	case ENOENT:
	case ERANGE:
	case EOVERFLOW:
		return err_set(e, ERR_CORRUPT, "%s: libntfs-3g finds it damaged", what);
	default:
		return err_sys(e, errnum, "%s", what);
	}
}
