/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* exfat_file.c - files and directories of exFAT: told as Linux tells them, read; the last few stay open. */
#include "exfat.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"

#include <inttypes.h>
#include <sys/stat.h>

void exfat_file_put(struct exfat_file *file)
{
	if (!file || --file->refs > 0)
		return;
	chain_free(&file->chain);
	free(file);
}

void exfat_file_putp(struct exfat_file **file)
{
	exfat_file_put(*file);
	*file = NULL;
}

int exfat_file_get(struct exfat *x, uint64_t node, struct exfat_file **out, struct err *e)
{
	CLEANUP(exfat_file_putp) struct exfat_file *file = NULL;
	struct exfat_file **slot = &x->files[0];
	int rc = 0;

	for (size_t i = 0; i < EXFAT_OPEN_FILES; i++) {
		if (x->files[i] && x->files[i]->node == node) {
			*out = x->files[i];
			(*out)->used = ++x->clock;
			(*out)->refs++;
			return 0;
		}
		if (*slot && (!x->files[i] || x->files[i]->used < (*slot)->used))
			slot = &x->files[i];
	}
	file = alloc_zero(sizeof *file);
	if (!file)
		return err_nomem(e);
	file->refs = 1;
	file->node = node;
	if (node == EXFAT_ROOT) {
		file->set.attr = EXFAT_DIR;
		file->set.first = x->super.root_cluster;
	} else {
		rc = exfat_set_read(x, node, &file->set, e);
	}
	if (rc < 0)
		return rc;
	file->is_dir = file->set.attr & EXFAT_DIR;
	exfat_file_put(*slot);
	*slot = file;
	file->refs++;
	file->used = ++x->clock;
	*out = take(file);
	return 0;
}

int exfat_file_load(struct exfat *x, struct exfat_file *file, struct err *e)
{
	struct exfat_set *s = &file->set;
	uint64_t nclusters = div_round_up(s->len, 1ULL << x->clusters.bits);
	int rc;

	if (file->loaded)
		return 0;
	chain_free(&file->chain);
	if (file->is_dir && file->node != EXFAT_ROOT && s->first == x->super.root_cluster)
		return err_set(e, ERR_CORRUPT, "a directory that begins where the root directory does");
	if (s->contiguous || (file->node != EXFAT_ROOT && s->len == 0))
		rc = chain_contiguous(&x->clusters, s->first, nclusters, &file->chain, e);
	else
		rc = chain_load(&x->clusters, s->first, &file->chain, e);
	if (rc < 0)
		return rc;
	/* Nothing tells the size of the root directory but its chain. */
	if (file->node == EXFAT_ROOT)
		s->len = s->valid_len = file->chain.n << x->clusters.bits;
	if (nclusters > file->chain.n)
		return err_set(e, ERR_CORRUPT, "%" PRIu64 " bytes, but clusters for %" PRIu64 " only", s->len,
			       file->chain.n << x->clusters.bits);
	if (file->is_dir && s->len > LIMIT_EXFAT_DIR_SIZE)
		return err_set(e, ERR_LIMIT, "a directory of %" PRIu64 " bytes", s->len);
	file->loaded = true;
	return 0;
}

static int count_subdir(void *arg, const struct exfat_set *s, struct err *e)
{
	(void)e;
	*(uint32_t *)arg += (s->attr & EXFAT_DIR) != 0;
	return 0;
}

static int dir_stat(struct exfat *x, struct exfat_file *dir, struct fs_stat *out, struct err *e)
{
	uint32_t n = 0;
	int rc = exfat_file_load(x, dir, e);

	if (rc < 0)
		return rc;
	/* A damaged set in it is told when it is read. */
	if (!dir->counted) {
		rc = exfat_dir_walk(x, dir, count_subdir, &n, NULL);
		if (rc < 0 && rc != -ERR_CORRUPT)
			return exfat_dir_walk(x, dir, count_subdir, &n, e);
		dir->nsubdirs = n;
		dir->counted = true;
	}
	out->mode = S_IFDIR | 0755;
	out->nlink = 2 + dir->nsubdirs;
	out->size = dir->set.len;
	return 0;
}

int exfat_file_stat(struct exfat *x, struct exfat_file *file, struct fs_stat *out, struct err *e)
{
	const struct exfat_set *s = &file->set;
	int rc;

	out->ino = file->node;
	out->has_crtime = true;
	if (file->is_dir) {
		rc = dir_stat(x, file, out, e);
		if (rc < 0)
			return rc;
	} else {
		out->mode = S_IFREG | (s->attr & EXFAT_RO ? 0555 : 0755);
		out->nlink = 1;
		out->size = s->len;
	}
	out->blocks512 = div_round_up(out->size, 1ULL << x->clusters.bits) << x->clusters.bits >> 9;
	out->mtime = out->ctime = s->modified;
	out->atime = s->accessed;
	out->crtime = s->created;
	return 0;
}

/* Behind what was ever written, up to the size, is nothing but zeros. */
int exfat_file_read(struct exfat *x, struct exfat_file *file, void *buf, size_t len, uint64_t off, size_t *got,
		    struct err *e)
{
	const struct exfat_set *s = &file->set;
	size_t stored;
	int rc;

	*got = 0;
	if (off >= s->len)
		return 0;
	len = (size_t)MIN_OF((uint64_t)len, s->len - off);
	stored = off < s->valid_len ? (size_t)MIN_OF((uint64_t)len, s->valid_len - off) : 0;
	rc = exfat_file_load(x, file, e);
	if (rc == 0 && stored)
		rc = chain_read(&x->clusters, &file->chain, buf, stored, off, e);
	if (rc < 0)
		return rc;
	memset((uint8_t *)buf + stored, 0, len - stored);
	*got = len;
	return 0;
}

int exfat_count_free(struct exfat *x, uint32_t *out, struct err *e)
{
	CLEANUP(chain_free) struct chain chain = { .n = 0 };
	CLEANUP(free_ptr) uint8_t *buf = NULL;
	uint64_t len = div_round_up(x->clusters.n, 8), nset = 0;
	size_t piece = 64 * KiB;
	int rc;

	if (x->bitmap_len < len)
		return err_set(e, ERR_CORRUPT, "the bitmap of clusters has %" PRIu64 " bytes of %" PRIu64, x->bitmap_len, len);
	buf = alloc_bytes(piece);
	if (!buf)
		return err_nomem(e);
	rc = chain_load(&x->clusters, x->bitmap_first, &chain, e);
	for (uint64_t off = 0; rc == 0 && off < len; off += piece) {
		size_t n = (size_t)MIN_OF((uint64_t)piece, len - off);

		rc = chain_read(&x->clusters, &chain, buf, n, off, e);
		if (rc < 0)
			break;
		/* Bits behind the last cluster mean nothing. */
		if (off + n == len && x->clusters.n % 8)
			buf[n - 1] &= (uint8_t)((1u << x->clusters.n % 8) - 1);
		for (size_t i = 0; i < n; i++)
			nset += (unsigned)__builtin_popcount(buf[i]);
	}
	if (rc < 0)
		return err_in(e, rc, "the bitmap of clusters");
	*out = x->clusters.n - (uint32_t)nset;
	return 0;
}
