/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* exfat.c - exFAT, read-only, as Linux shows it: the driver over the parts of exfat.h. */
#include "exfat.h"

#include "alloc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define LINE_SIZE 16384
#define LINES 64

static void notice(struct fs *fs, const char *text)
{
	size_t n = strlen(fs->notice);

	snprintf(fs->notice + n, sizeof fs->notice - n, "%s%s", n ? "; " : "", text);
}

/* The boot region, or its backup where the checksum of the first does not match. */
static int read_boot(struct fs *fs, struct exfat *x, struct err *e)
{
	struct exfat_super backup;
	bool good = false, backup_good = false;
	uint64_t off;
	int rc = exfat_super_read(fs->dev, 0, &x->super, e);

	if (rc == 0)
		return err_set(e, ERR_CORRUPT, "the boot sector changed while it was read");
	if (rc < 0)
		return rc;
	rc = exfat_boot_checked(fs->dev, 0, x->super.sector_bits, &good, e);
	if (rc < 0 || good)
		return rc;
	off = 12ULL << x->super.sector_bits;
	rc = exfat_super_read(fs->dev, off, &backup, e);
	if (rc > 0 && backup.sector_bits == x->super.sector_bits)
		rc = exfat_boot_checked(fs->dev, off, backup.sector_bits, &backup_good, e);
	if (rc < 0)
		return rc;
	if (!backup_good)
		return err_set(e, ERR_CORRUPT, "the checksum of the boot region does not match, nor does that of its backup");
	x->super = backup;
	notice(fs, "the checksum of the boot region does not match: its backup is read");
	return 0;
}

static int exfat_open(struct fs *fs, struct err *e)
{
	struct exfat *x = fs->state;
	bool damaged = false;
	int rc = read_boot(fs, x, e);

	if (rc == 0 && x->super.clusters_off > block_size(fs->dev))
		rc = err_set(e, ERR_CORRUPT, "the device ends before the first cluster");
	if (rc == 0)
		rc = lines_init(&x->io, fs->dev, LINE_SIZE, LINES, e);
	if (rc < 0)
		return rc;
	exfat_clusters(&x->super, &x->io, &x->clusters);
	fs->root = EXFAT_ROOT;
	rc = exfat_tables_load(x, &damaged, e);
	if (rc < 0)
		return err_in(e, rc, "root directory");
	if (x->super.flags & EXFAT_DIRTY)
		notice(fs, "the volume was not unmounted cleanly: the last changes may be missing");
	if (x->super.flags & EXFAT_MEDIA_FAILURE)
		notice(fs, "the last system that used the volume met bad sectors");
	if (damaged)
		notice(fs, "the table of upper case is damaged: the usual one is used");
	return 0;
}

static void exfat_close(struct fs *fs)
{
	struct exfat *x = fs->state;

	for (size_t i = 0; i < EXFAT_OPEN_FILES; i++)
		exfat_file_put(x->files[i]);
	free(x->upcase);
	lines_free(&x->io);
}

/* exFAT counts no inodes. */
static int exfat_op_statfs(struct fs *fs, struct fs_usage *out, struct err *e)
{
	struct exfat *x = fs->state;
	uint32_t nfree = 0;
	int rc = exfat_count_free(x, &nfree, e);

	if (rc < 0)
		return rc;
	out->block_size = 1ULL << x->clusters.bits;
	out->blocks = x->clusters.n;
	out->blocks_free = out->blocks_avail = nfree;
	return 0;
}

static int exfat_op_stat(struct fs *fs, uint64_t node, struct fs_stat *out, struct err *e)
{
	CLEANUP(exfat_file_putp) struct exfat_file *file = NULL;
	int rc = exfat_file_get(fs->state, node, &file, e);

	return rc < 0 ? rc : exfat_file_stat(fs->state, file, out, e);
}

static int exfat_op_lookup(struct fs *fs, uint64_t dir, const char *name, uint64_t *node, struct err *e)
{
	CLEANUP(exfat_file_putp) struct exfat_file *file = NULL;
	int rc = exfat_file_get(fs->state, dir, &file, e);

	return rc < 0 ? rc : exfat_lookup(fs->state, file, name, node, e);
}

static int exfat_op_readdir(struct fs *fs, uint64_t dir, int (*fn)(void *, const struct fs_dirent *, struct err *),
			    void *arg, struct err *e)
{
	CLEANUP(exfat_file_putp) struct exfat_file *file = NULL;
	int rc = exfat_file_get(fs->state, dir, &file, e);

	return rc < 0 ? rc : exfat_readdir(fs->state, file, fn, arg, e);
}

static int get_regular(struct fs *fs, uint64_t node, struct exfat_file **file, struct err *e)
{
	int rc = exfat_file_get(fs->state, node, file, e);

	if (rc == 0 && (*file)->is_dir)
		return err_set(e, ERR_USAGE, "what lies at %" PRIu64 " is not a regular file", node >> 1);
	return rc;
}

static int exfat_op_pread(struct fs *fs, uint64_t node, void *buf, size_t len, uint64_t off, size_t *got, struct err *e)
{
	CLEANUP(exfat_file_putp) struct exfat_file *file = NULL;
	int rc = get_regular(fs, node, &file, e);

	return rc < 0 ? rc : exfat_file_read(fs->state, file, buf, len, off, got, e);
}

/* There are no holes: what was never written has its clusters all the same. */
static int exfat_op_extent(struct fs *fs, uint64_t node, uint64_t off, uint64_t *len, bool *hole, struct err *e)
{
	CLEANUP(exfat_file_putp) struct exfat_file *file = NULL;
	int rc = get_regular(fs, node, &file, e);

	(void)hole;
	if (rc == 0 && off < file->set.len)
		*len = file->set.len - off;
	return rc;
}

static int exfat_op_readlink(struct fs *fs, uint64_t node, struct strbuf *target, struct err *e)
{
	(void)fs, (void)target;
	return err_sys(e, EINVAL, "what lies at %" PRIu64 " is not a symlink", node >> 1);
}

static int exfat_op_xattrs(struct fs *fs, uint64_t node, int (*fn)(void *, const char *, const void *, size_t, struct err *),
			   void *arg, struct err *e)
{
	(void)fs, (void)node, (void)fn, (void)arg, (void)e;
	return 0;
}

const struct fs_driver fs_exfat = {
	.name = "exfat",
	.state_size = sizeof(struct exfat),
	.name_max = 3 * EXFAT_NAME_UNITS,
	.probe = exfat_probe,
	.open = exfat_open,
	.close = exfat_close,
	.statfs = exfat_op_statfs,
	.stat = exfat_op_stat,
	.lookup = exfat_op_lookup,
	.readdir = exfat_op_readdir,
	.pread = exfat_op_pread,
	.extent = exfat_op_extent,
	.readlink = exfat_op_readlink,
	.xattrs = exfat_op_xattrs,
};
