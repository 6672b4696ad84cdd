/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fat.c - FAT12, FAT16 and FAT32, read-only, as Linux's vfat shows them: the driver over the parts of fat.h. */
#include "fat.h"

#include "alloc.h"
#include "limits.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define LINE_SIZE 16384
#define LINES 64

static int judge(const struct fat_super *s, uint64_t device, struct err *e)
{
	static const struct {
		unsigned bits;
		uint32_t most;
	} kinds[] = { { 12, 4084 }, { 16, 65524 }, { 32, 0x0ffffff5 } };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (s->bits == kinds[i].bits && s->nclusters > kinds[i].most)
			return err_set(e, ERR_CORRUPT, "FAT%u with %" PRIu32 " clusters", s->bits, s->nclusters);
	if (s->nclusters == 0)
		return err_set(e, ERR_CORRUPT, "no cluster at all");
	if (s->active >= s->ntables)
		return err_set(e, ERR_CORRUPT, "table %u counts, of %u", s->active, s->ntables);
	if (s->version)
		return err_set(e, ERR_UNSUPPORTED, "version %u.%u of FAT32", s->version >> 8, s->version & 255);
	/* Clusters past the end of a cut-off device are told when something lies in them. */
	if (s->clusters_off > device)
		return err_set(e, ERR_CORRUPT, "the device ends before the first cluster");
	return 0;
}

/* What the first two entries of a table hold besides clusters: the media byte, and two bits that are 1 in good times. */
static int look_at_table(struct fs *fs, struct fat *f, struct err *e)
{
	uint32_t media = 0, state = 0, other = 0;
	uint32_t clean = f->super.bits == 32 ? 1u << 27 : 1u << 15, no_errors = clean >> 1;
	int rc = clusters_entry(&f->clusters, 0, &media, e);

	/* A table that was overwritten at its start: the other one, where that looks better. */
	if (rc == 0 && (media & 0xff) != f->super.media && f->clusters.table_copy_off) {
		struct clusters copy = f->clusters;

		copy.table_off = f->clusters.table_copy_off;
		copy.table_copy_off = 0;
		rc = clusters_entry(&copy, 0, &other, e);
		if (rc == 0 && (other & 0xff) == f->super.media) {
			f->clusters = copy;
			snprintf(fs->notice, sizeof fs->notice, "the first table is damaged: the second one is read");
		}
	}
	if (rc == 0 && f->super.bits != 12)
		rc = clusters_entry(&f->clusters, 1, &state, e);
	if (rc < 0 || fs->notice[0])
		return rc;
	if (f->super.dirty || (f->super.bits != 12 && !(state & clean)))
		snprintf(fs->notice, sizeof fs->notice, "the volume was not unmounted cleanly: the last changes may be missing");
	else if (f->super.bits != 12 && !(state & no_errors))
		snprintf(fs->notice, sizeof fs->notice, "the last system that used the volume met bad sectors");
	return 0;
}

static int fat_open(struct fs *fs, struct err *e)
{
	struct fat *f = fs->state;
	CLEANUP(fat_file_putp) struct fat_file *root = NULL;
	int rc = fat_super_read(fs->dev, &f->super, e);

	if (rc == 0)
		return err_set(e, ERR_CORRUPT, "the boot sector changed while it was read");
	if (rc > 0)
		rc = judge(&f->super, block_size(fs->dev), e);
	if (rc == 0)
		rc = lines_init(&f->io, fs->dev, LINE_SIZE, LINES, e);
	if (rc < 0)
		return rc;
	fat_clusters(&f->super, &f->io, &f->clusters);
	rc = look_at_table(fs, f, e);
	fs->root = FAT_ROOT;
	if (rc == 0)
		rc = fat_file_get(f, FAT_ROOT, &root, e);
	if (rc == 0) {
		rc = fat_file_load(f, root, e);
		if (rc < 0)
			return err_in(e, rc, "root directory");
	}
	return rc;
}

static void fat_close(struct fs *fs)
{
	struct fat *f = fs->state;

	for (size_t i = 0; i < FAT_OPEN_FILES; i++)
		fat_file_put(f->files[i]);
	lines_free(&f->io);
}

/* FAT counts no inodes. */
static int fat_op_statfs(struct fs *fs, struct fs_usage *out, struct err *e)
{
	struct fat *f = fs->state;
	uint32_t nfree = 0;
	int rc = clusters_count_free(&f->clusters, &nfree, e);

	if (rc < 0)
		return rc;
	out->block_size = 1ULL << f->clusters.bits;
	out->blocks = f->clusters.n;
	out->blocks_free = out->blocks_avail = nfree;
	return 0;
}

static int fat_op_stat(struct fs *fs, uint64_t node, struct fs_stat *out, struct err *e)
{
	CLEANUP(fat_file_putp) struct fat_file *file = NULL;
	int rc = fat_file_get(fs->state, node, &file, e);

	return rc < 0 ? rc : fat_file_stat(fs->state, file, out, e);
}

static int fat_op_lookup(struct fs *fs, uint64_t dir, const char *name, uint64_t *node, struct err *e)
{
	CLEANUP(fat_file_putp) struct fat_file *file = NULL;
	int rc = fat_file_get(fs->state, dir, &file, e);

	return rc < 0 ? rc : fat_lookup(fs->state, file, name, node, e);
}

static int fat_op_readdir(struct fs *fs, uint64_t dir, int (*fn)(void *, const struct fs_dirent *, struct err *),
			  void *arg, struct err *e)
{
	CLEANUP(fat_file_putp) struct fat_file *file = NULL;
	int rc = fat_file_get(fs->state, dir, &file, e);

	return rc < 0 ? rc : fat_readdir(fs->state, file, fn, arg, e);
}

static int get_regular(struct fs *fs, uint64_t node, struct fat_file **file, struct err *e)
{
	int rc = fat_file_get(fs->state, node, file, e);

	if (rc == 0 && (*file)->is_dir)
		return err_set(e, ERR_USAGE, "what lies at %" PRIu64 " is not a regular file", node);
	return rc;
}

static int fat_op_pread(struct fs *fs, uint64_t node, void *buf, size_t len, uint64_t off, size_t *got, struct err *e)
{
	CLEANUP(fat_file_putp) struct fat_file *file = NULL;
	int rc = get_regular(fs, node, &file, e);

	return rc < 0 ? rc : fat_file_read(fs->state, file, buf, len, off, got, e);
}

/* There are no holes. */
static int fat_op_extent(struct fs *fs, uint64_t node, uint64_t off, uint64_t *len, bool *hole, struct err *e)
{
	CLEANUP(fat_file_putp) struct fat_file *file = NULL;
	int rc = get_regular(fs, node, &file, e);

	(void)hole;
	if (rc == 0 && off < le32_get(file->raw.size))
		*len = le32_get(file->raw.size) - off;
	return rc;
}

static int fat_op_readlink(struct fs *fs, uint64_t node, struct strbuf *target, struct err *e)
{
	(void)fs, (void)target;
	return err_sys(e, EINVAL, "what lies at %" PRIu64 " is not a symlink", node);
}

static int fat_op_xattrs(struct fs *fs, uint64_t node, int (*fn)(void *, const char *, const void *, size_t, struct err *),
			 void *arg, struct err *e)
{
	(void)fs, (void)node, (void)fn, (void)arg, (void)e;
	return 0;
}

const struct fs_driver fs_fat = {
	.name = "fat",
	.state_size = sizeof(struct fat),
	.name_max = 3 * FAT_NAME_UNITS,
	.probe = fat_probe,
	.open = fat_open,
	.close = fat_close,
	.statfs = fat_op_statfs,
	.stat = fat_op_stat,
	.lookup = fat_op_lookup,
	.readdir = fat_op_readdir,
	.pread = fat_op_pread,
	.extent = fat_op_extent,
	.readlink = fat_op_readlink,
	.xattrs = fat_op_xattrs,
};
