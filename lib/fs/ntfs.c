/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ntfs.c - NTFS, read-only, as ntfs-3g shows it by default: the driver over the parts of ntfs3g.h.  Built without
 * libntfs-3g (make NTFS=0) it knows NTFS by name only.
 */
#ifdef DRYDOCK_NTFS
#include "ntfs3g.h"

#include "alloc.h"

#include <errno.h>
#include <inttypes.h>

static int ntfs_op_probe(struct block *dev, struct fs_id *id, struct err *e)
{
	int rc = nt_probe(dev, id, e);

	id->readable = rc > 0;
	return rc;
}

static int ntfs_op_open(struct fs *fs, struct err *e)
{
	struct nt *x = fs->state;
	int rc = nt_super_read(fs->dev, &x->super, e);

	if (rc == 0)
		return err_set(e, ERR_CORRUPT, "the boot sector changed while it was read");
	return rc < 0 ? rc : nt_volume_open(x, fs, e);
}

static void ntfs_op_close(struct fs *fs)
{
	nt_volume_close(fs->state);
}

static int ntfs_op_statfs(struct fs *fs, struct fs_usage *out, struct err *e)
{
	return nt_statfs(fs->state, out, e);
}

static int ntfs_op_stat(struct fs *fs, uint64_t node, struct fs_stat *out, struct err *e)
{
	CLEANUP(nt_file_putp) struct nt_file *file = NULL;
	int rc = nt_file_get(fs->state, node, &file, e);

	return rc < 0 ? rc : nt_file_stat(fs->state, file, out, e);
}

static int ntfs_op_lookup(struct fs *fs, uint64_t dir, const char *name, uint64_t *node, struct err *e)
{
	CLEANUP(nt_file_putp) struct nt_file *file = NULL;
	int rc = nt_file_get(fs->state, dir, &file, e);

	return rc < 0 ? rc : nt_lookup(fs->state, file, name, node, e);
}

static int ntfs_op_readdir(struct fs *fs, uint64_t dir, int (*fn)(void *, const struct fs_dirent *, struct err *),
			   void *arg, struct err *e)
{
	CLEANUP(nt_file_putp) struct nt_file *file = NULL;
	int rc = nt_file_get(fs->state, dir, &file, e);

	return rc < 0 ? rc : nt_readdir(fs->state, file, fn, arg, e);
}

static int get_regular(struct fs *fs, uint64_t node, struct nt_file **file, struct err *e)
{
	int rc = nt_file_get(fs->state, node, file, e);

	if (rc == 0 && (*file)->kind != NTFS_KIND_FILE)
		return err_set(e, ERR_USAGE, "file %" PRIu32 " is not a regular file", NTFS_RECORD_OF(node));
	return rc;
}

static int ntfs_op_pread(struct fs *fs, uint64_t node, void *buf, size_t len, uint64_t off, size_t *got, struct err *e)
{
	CLEANUP(nt_file_putp) struct nt_file *file = NULL;
	int rc = get_regular(fs, node, &file, e);

	return rc < 0 ? rc : nt_file_read(fs->state, file, buf, len, off, got, e);
}

static int ntfs_op_extent(struct fs *fs, uint64_t node, uint64_t off, uint64_t *len, bool *hole, struct err *e)
{
	CLEANUP(nt_file_putp) struct nt_file *file = NULL;
	int rc = get_regular(fs, node, &file, e);

	return rc < 0 ? rc : nt_file_extent(fs->state, file, off, len, hole, e);
}

static int ntfs_op_readlink(struct fs *fs, uint64_t node, struct strbuf *target, struct err *e)
{
	CLEANUP(nt_file_putp) struct nt_file *file = NULL;
	int rc = nt_file_get(fs->state, node, &file, e);

	if (rc == 0 && file->kind != NTFS_KIND_LINK)
		return err_sys(e, EINVAL, "file %" PRIu32 " is not a symlink", NTFS_RECORD_OF(node));
	if (rc == 0)
		rc = nt_link_load(fs->state, file, e);
	if (rc < 0)
		return rc;
	strbuf_puts(target, file->target);
	return target->failed ? err_nomem(e) : 0;
}

static int ntfs_op_xattrs(struct fs *fs, uint64_t node, int (*fn)(void *, const char *, const void *, size_t, struct err *),
			  void *arg, struct err *e)
{
	CLEANUP(nt_file_putp) struct nt_file *file = NULL;
	int rc = nt_file_get(fs->state, node, &file, e);

	return rc < 0 ? rc : nt_xattrs(fs->state, file, fn, arg, e);
}

const struct fs_driver fs_ntfs = {
	.name = "ntfs",
	.state_size = sizeof(struct nt),
	.name_max = FS_NAME_MAX, /* a name of 255 units, or two of them: FILE:STREAM */
	.probe = ntfs_op_probe,
	.open = ntfs_op_open,
	.close = ntfs_op_close,
	.statfs = ntfs_op_statfs,
	.stat = ntfs_op_stat,
	.lookup = ntfs_op_lookup,
	.readdir = ntfs_op_readdir,
	.pread = ntfs_op_pread,
	.extent = ntfs_op_extent,
	.readlink = ntfs_op_readlink,
	.xattrs = ntfs_op_xattrs,
};
#else
#include "ntfs.h"

const struct fs_driver fs_ntfs = {
	.name = "ntfs",
	.probe = nt_probe,
	.needs = "libntfs-3g",
};
#endif
