/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fat_file.c - files and directories of FAT: found by where their entry lies, told as Linux tells them, read.
 *
 * The last few stay open with their chains.
 */
#include "fat.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"

#include <inttypes.h>
#include <sys/stat.h>

void fat_file_put(struct fat_file *file)
{
	if (!file || --file->refs > 0)
		return;
	chain_free(&file->chain);
	free(file);
}

void fat_file_putp(struct fat_file **file)
{
	fat_file_put(*file);
	*file = NULL;
}

/* Nodes come from directories, but an image may change, and the caller is not trusted to remember them right. */
static int entry_read(struct fat *f, uint64_t node, struct fat_entry_raw *raw, struct err *e)
{
	const struct fat_super *s = &f->super;
	uint64_t off, end = s->clusters_off + ((uint64_t)s->nclusters << s->cluster_bits);
	int rc;

	if (!checked_mul(node, FAT_ENTRY_SIZE, &off) || off < s->root_off || !range_in(off, FAT_ENTRY_SIZE, end))
		return err_set(e, ERR_CORRUPT, "no directory entry lies at %" PRIu64, node);
	rc = lines_read(&f->io, raw, sizeof *raw, off, e);
	if (rc < 0)
		return rc;
	if (raw->name[0] == 0 || raw->name[0] == FAT_DELETED || raw->attr & FAT_VOLUME)
		return err_set(e, ERR_CORRUPT, "what lies at %" PRIu64 " is no file's directory entry", node);
	return 0;
}

static int file_read(struct fat *f, struct fat_file *file, struct err *e)
{
	int rc;

	if (file->node == FAT_ROOT) {
		file->is_dir = true;
		file->first = f->super.root_cluster;
		return 0;
	}
	rc = entry_read(f, file->node, &file->raw, e);
	if (rc < 0)
		return rc;
	file->is_dir = file->raw.attr & FAT_DIR;
	file->first = le16_get(file->raw.first_low);
	if (f->super.bits == 32)
		file->first |= (uint32_t)le16_get(file->raw.first_high) << 16;
	return 0;
}

int fat_file_get(struct fat *f, uint64_t node, struct fat_file **out, struct err *e)
{
	CLEANUP(fat_file_putp) struct fat_file *file = NULL;
	struct fat_file **slot = &f->files[0];
	int rc;

	for (size_t i = 0; i < FAT_OPEN_FILES; i++) {
		if (f->files[i] && f->files[i]->node == node) {
			*out = f->files[i];
			(*out)->used = ++f->clock;
			(*out)->refs++;
			return 0;
		}
		if (*slot && (!f->files[i] || f->files[i]->used < (*slot)->used))
			slot = &f->files[i];
	}
	file = alloc_zero(sizeof *file);
	if (!file)
		return err_nomem(e);
	file->refs = 1;
	file->node = node;
	rc = file_read(f, file, e);
	if (rc < 0)
		return rc;
	fat_file_put(*slot);
	*slot = file;
	file->refs++;
	file->used = ++f->clock;
	*out = take(file);
	return 0;
}

int fat_file_load(struct fat *f, struct fat_file *file, struct err *e)
{
	uint32_t size = le32_get(file->raw.size);
	int rc;

	if (file->loaded)
		return 0;
	chain_free(&file->chain);
	if (file->node == FAT_ROOT && f->super.bits != 32) {
		file->dir_size = f->super.root_size;
		file->loaded = true;
		return 0;
	}
	if (file->is_dir && file->node != FAT_ROOT && (file->first == 0 || file->first == f->super.root_cluster))
		return err_set(e, ERR_CORRUPT, "a directory that begins at cluster %" PRIu32, file->first);
	if (!file->is_dir && file->first == 0 && size == 0)
		rc = chain_contiguous(&f->clusters, 0, 0, &file->chain, e);
	else if (!file->is_dir && file->first == 0)
		rc = err_set(e, ERR_CORRUPT, "%" PRIu32 " bytes, but no cluster", size);
	else
		rc = chain_load(&f->clusters, file->first, &file->chain, e);
	if (rc < 0)
		return rc;
	if (!file->is_dir && size > file->chain.n << f->clusters.bits)
		return err_set(e, ERR_CORRUPT, "%" PRIu32 " bytes, but clusters for %" PRIu64 " only", size,
			       file->chain.n << f->clusters.bits);
	if (file->is_dir)
		file->dir_size = file->chain.n << f->clusters.bits;
	if (file->dir_size > LIMIT_FAT_DIR_SIZE)
		return err_set(e, ERR_LIMIT, "a directory of %" PRIu64 " bytes", file->dir_size);
	file->loaded = true;
	return 0;
}

/* ---- stat ---- */

struct fs_time fat_time(uint16_t date, uint16_t time, uint8_t hundredths)
{
	/* Days before a month; the three that do not exist are taken as Linux takes them. */
	static const uint16_t before[] = { 0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 0, 0, 0 };
	unsigned year = date >> 9, month = MAX_OF(date >> 5 & 15, 1), day = MAX_OF(date & 31, 1) - 1u;
	/* Years since 1980; 2100 is no leap year. */
	unsigned leaps = (year + 3) / 4 - (year > 120);
	int64_t sec;

	if (year % 4 == 0 && year != 120 && month > 2)
		leaps++;
	sec = (int64_t)(year * 365 + leaps + before[month] + day + 3652) * 86400;
	sec += (time >> 11) * 3600 + (time >> 5 & 63) * 60 + (time & 31) * 2 + hundredths / 100;
	return (struct fs_time){ .sec = sec, .nsec = hundredths % 100 * 10000000u };
}

static int count_subdir(void *arg, const struct fat_dirent *d, struct err *e)
{
	(void)e;
	*(uint32_t *)arg += (d->raw.attr & FAT_DIR) != 0;
	return 0;
}

static int dir_stat(struct fat *f, struct fat_file *dir, struct fs_stat *out, struct err *e)
{
	uint32_t n = 0;
	int rc = fat_file_load(f, dir, e);

	if (rc == 0 && !dir->counted)
		rc = fat_dir_walk(f, dir, count_subdir, &n, e);
	if (rc < 0)
		return rc;
	if (!dir->counted)
		dir->nsubdirs = n;
	dir->counted = true;
	out->mode = S_IFDIR | 0755;
	out->nlink = 2 + dir->nsubdirs;
	out->size = dir->dir_size;
	return 0;
}

int fat_file_stat(struct fat *f, struct fat_file *file, struct fs_stat *out, struct err *e)
{
	const struct fat_entry_raw *raw = &file->raw;
	int rc;

	out->ino = file->node;
	out->has_crtime = true;
	if (file->is_dir) {
		rc = dir_stat(f, file, out, e);
		if (rc < 0)
			return rc;
	} else {
		out->mode = S_IFREG | (raw->attr & FAT_RO ? 0555 : 0755);
		out->nlink = 1;
		out->size = le32_get(raw->size);
	}
	out->blocks512 = round_up(out->size, 1ULL << f->clusters.bits) / 512;
	/* Nothing keeps the times of the root. */
	if (file->node == FAT_ROOT)
		return 0;
	out->mtime = out->ctime = fat_time(le16_get(raw->modified_date), le16_get(raw->modified_time), 0);
	out->atime = fat_time(le16_get(raw->accessed_date), 0, 0);
	out->crtime = fat_time(le16_get(raw->created_date), le16_get(raw->created_time), raw->created_10ms);
	return 0;
}

/* ---- bytes ---- */

int fat_file_read(struct fat *f, struct fat_file *file, void *buf, size_t len, uint64_t off, size_t *got, struct err *e)
{
	uint32_t size = le32_get(file->raw.size);
	int rc;

	*got = 0;
	if (off >= size)
		return 0;
	len = (size_t)MIN_OF((uint64_t)len, size - off);
	rc = fat_file_load(f, file, e);
	if (rc == 0)
		rc = chain_read(&f->clusters, &file->chain, buf, len, off, e);
	if (rc == 0)
		*got = len;
	return rc;
}
