/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext_image.h"

#include "alloc.h"
#include "checked.h"

#include <errno.h>
#include <et/com_err.h>
#include <ext2fs/ext2fs.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 4096, INODE = 256 };

struct ext_image {
	ext2_filsys fs;
	uint32_t when;
};

static int failed(errcode_t rc, const char *what, struct err *e)
{
	return err_set(e, rc == EXT2_ET_NO_MEMORY ? ERR_NOMEM : ERR_SYSTEM, "%s: %s", what, error_message(rc));
}

uint64_t ext_image_blocks(uint64_t size)
{
	return div_round_up(size, BLOCK);
}

/* ---- the empty filesystem ---- */

static void stamp(struct ext_image *x, const uint8_t uuid[16])
{
	struct ext2_super_block *sb = x->fs->super;

	x->fs->now = x->when;
	sb->s_mkfs_time = sb->s_lastcheck = sb->s_wtime = x->when;
	memcpy(sb->s_uuid, uuid, sizeof sb->s_uuid);
	memcpy(sb->s_hash_seed, uuid, sizeof sb->s_hash_seed);
	sb->s_def_hash_version = EXT2_HASH_HALF_MD4;
	sb->s_max_mnt_count = -1;
	memcpy(sb->s_volume_name, "drydock-tools", 13);
}

static errcode_t fill_root(ext2_filsys fs)
{
	errcode_t rc = ext2fs_allocate_tables(fs);
	struct ext2_inode inode;

	if (!rc)
		rc = ext2fs_mkdir(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, NULL);
	if (!rc)
		rc = ext2fs_read_inode(fs, EXT2_ROOT_INO, &inode);
	inode.i_mode = S_IFDIR | 0755;
	inode.i_uid = inode.i_gid = 0;
	if (!rc)
		rc = ext2fs_write_inode(fs, EXT2_ROOT_INO, &inode);
	/* Those that are reserved count as taken. */
	for (ext2_ino_t i = EXT2_ROOT_INO + 1; !rc && i < EXT2_FIRST_INODE(fs->super); i++)
		ext2fs_inode_alloc_stats2(fs, i, +1, 0);
	if (!rc)
		ext2fs_inode_alloc_stats2(fs, EXT2_BAD_INO, +1, 0);
	/* The first of the others, by convention: e2fsck misses it. */
	return rc ? rc : ext2fs_mkdir(fs, EXT2_ROOT_INO, 0, "lost+found");
}

int ext_image_new(const char *path, uint64_t nblocks, uint32_t nfiles, const uint8_t uuid[16], uint32_t when,
		  struct ext_image **out, struct err *e)
{
	struct ext2_super_block sb = { .s_rev_level = EXT2_DYNAMIC_REV };
	CLEANUP(ext_image_free) struct ext_image *x = alloc_zero(sizeof *x);
	uint64_t inodes = nfiles + 64ULL;
	uint64_t blocks;
	errcode_t rc;

	if (!x)
		return err_nomem(e);
	/* Inodes, blocks of folders, maps, and room for the trees of files in pieces. */
	blocks = nblocks + inodes * INODE / BLOCK + inodes / 8 + nblocks / 32 + 1024;
	if (blocks > UINT32_MAX)
		return err_set(e, ERR_LIMIT, "an image of %llu blocks", (unsigned long long)blocks);
	sb.s_log_block_size = 2;
	sb.s_inodes_count = (uint32_t)inodes;
	sb.s_inode_size = INODE;
	sb.s_feature_incompat = EXT2_FEATURE_INCOMPAT_FILETYPE | EXT3_FEATURE_INCOMPAT_EXTENTS;
	sb.s_feature_ro_compat = EXT2_FEATURE_RO_COMPAT_SPARSE_SUPER | EXT2_FEATURE_RO_COMPAT_LARGE_FILE |
				 EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE;
	ext2fs_blocks_count_set(&sb, blocks);
	/* libext2fs reads what it has not written yet. */
	if (truncate(path, (off_t)(blocks * BLOCK)) < 0)
		return err_sys(e, errno, "%s", path);
	rc = ext2fs_initialize(path, EXT2_FLAG_64BITS, &sb, unix_io_manager, &x->fs);
	if (rc)
		return failed(rc, path, e);
	x->when = when;
	x->fs->super->s_min_extra_isize = x->fs->super->s_want_extra_isize = 32;
	stamp(x, uuid);
	rc = fill_root(x->fs);
	if (rc)
		return failed(rc, path, e);
	*out = take(x);
	return 0;
}

/* ---- entries ---- */

/* The folder that a path is in, and its last part. */
static int find_parent(struct ext_image *x, const char *path, ext2_ino_t *parent, const char **name, struct err *e)
{
	const char *slash = strrchr(path, '/');
	CLEANUP(free_ptr) char *folder = alloc_strndup(path, slash ? (size_t)(slash - path) : 0);
	errcode_t rc;

	if (!folder)
		return err_nomem(e);
	*name = slash ? slash + 1 : path;
	*parent = EXT2_ROOT_INO;
	rc = *folder ? ext2fs_namei(x->fs, EXT2_ROOT_INO, EXT2_ROOT_INO, folder, parent) : 0;
	return rc ? failed(rc, path, e) : 0;
}

int ext_image_folder(struct ext_image *x, const char *path, unsigned mode, struct err *e)
{
	struct ext2_inode inode;
	ext2_ino_t parent, ino;
	const char *name;
	int found = find_parent(x, path, &parent, &name, e);
	errcode_t rc;

	if (found < 0)
		return found;
	rc = ext2fs_mkdir(x->fs, parent, 0, name);
	if (rc == EXT2_ET_DIR_NO_SPACE && !(rc = ext2fs_expand_dir(x->fs, parent)))
		rc = ext2fs_mkdir(x->fs, parent, 0, name);
	if (!rc)
		rc = ext2fs_lookup(x->fs, parent, name, (int)strlen(name), NULL, &ino);
	if (!rc)
		rc = ext2fs_read_inode(x->fs, ino, &inode);
	inode.i_mode = (uint16_t)(S_IFDIR | mode);
	inode.i_uid = inode.i_gid = 0;
	if (!rc)
		rc = ext2fs_write_inode(x->fs, ino, &inode);
	return rc ? failed(rc, path, e) : 0;
}

int ext_image_symlink(struct ext_image *x, const char *path, const char *target, struct err *e)
{
	ext2_ino_t parent;
	const char *name;
	int found = find_parent(x, path, &parent, &name, e);
	errcode_t rc;

	if (found < 0)
		return found;
	rc = ext2fs_symlink(x->fs, parent, 0, name, target);
	if (rc == EXT2_ET_DIR_NO_SPACE && !(rc = ext2fs_expand_dir(x->fs, parent)))
		rc = ext2fs_symlink(x->fs, parent, 0, name, target);
	return rc ? failed(rc, path, e) : 0;
}

static errcode_t link_file(ext2_filsys fs, ext2_ino_t parent, const char *name, ext2_ino_t ino)
{
	errcode_t rc = ext2fs_link(fs, parent, name, ino, EXT2_FT_REG_FILE);

	if (rc == EXT2_ET_DIR_NO_SPACE && !(rc = ext2fs_expand_dir(fs, parent)))
		rc = ext2fs_link(fs, parent, name, ino, EXT2_FT_REG_FILE);
	return rc;
}

/* Runs of blocks that lie in one piece go out at once. */
static errcode_t write_runs(ext2_filsys fs, ext2_ino_t ino, struct ext2_inode *inode, const uint8_t *bytes, uint64_t whole)
{
	uint64_t at = 0;
	errcode_t rc = 0;

	while (!rc && at < whole) {
		blk64_t first, next;
		uint64_t n = 1;

		rc = ext2fs_bmap2(fs, ino, inode, NULL, 0, at, NULL, &first);
		while (!rc && at + n < whole && n < INT32_MAX) {
			rc = ext2fs_bmap2(fs, ino, inode, NULL, 0, at + n, NULL, &next);
			if (rc || next != first + n)
				break;
			n++;
		}
		if (!rc)
			rc = io_channel_write_blk64(fs->io, first, (int)n, bytes + at * BLOCK);
		at += n;
	}
	return rc;
}

static errcode_t write_tail(ext2_filsys fs, ext2_ino_t ino, struct ext2_inode *inode, const uint8_t *tail, size_t len, uint64_t at)
{
	uint8_t block[BLOCK] = { 0 };
	blk64_t where;
	errcode_t rc;

	if (!len)
		return 0;
	memcpy(block, tail, len);
	rc = ext2fs_bmap2(fs, ino, inode, NULL, 0, at, NULL, &where);
	return rc ? rc : io_channel_write_blk64(fs->io, where, 1, block);
}

static errcode_t write_content(ext2_filsys fs, ext2_ino_t ino, const uint8_t *bytes, uint64_t size)
{
	struct ext2_inode inode;
	uint64_t whole = size / BLOCK;
	errcode_t rc;

	if (!size)
		return 0;
	rc = ext2fs_fallocate(fs, EXT2_FALLOCATE_FORCE_INIT, ino, NULL, ~0ULL, 0, div_round_up(size, BLOCK));
	if (!rc)
		rc = ext2fs_read_inode(fs, ino, &inode);
	if (!rc)
		rc = write_runs(fs, ino, &inode, bytes, whole);
	return rc ? rc : write_tail(fs, ino, &inode, bytes + whole * BLOCK, (size_t)(size - whole * BLOCK), whole);
}

static errcode_t new_file(struct ext_image *x, ext2_ino_t parent, unsigned mode, uint64_t size, ext2_ino_t *ino)
{
	struct ext2_inode inode = { .i_mode = (uint16_t)(S_IFREG | mode), .i_links_count = 1 };
	errcode_t rc = ext2fs_new_inode(x->fs, parent, S_IFREG, NULL, ino);
	ext2_extent_handle_t tree;

	if (rc)
		return rc;
	inode.i_atime = inode.i_ctime = inode.i_mtime = x->when;
	inode.i_flags = EXT4_EXTENTS_FL;
	rc = ext2fs_inode_size_set(x->fs, &inode, size);
	/* Makes an empty tree in the inode. */
	if (!rc)
		rc = ext2fs_extent_open2(x->fs, *ino, &inode, &tree);
	if (!rc)
		ext2fs_extent_free(tree);
	if (!rc)
		rc = ext2fs_write_new_inode(x->fs, *ino, &inode);
	if (!rc)
		ext2fs_inode_alloc_stats2(x->fs, *ino, +1, 0);
	return rc;
}

int ext_image_file(struct ext_image *x, const char *path, unsigned mode, const void *bytes, uint64_t size, struct err *e)
{
	ext2_ino_t parent, ino;
	const char *name;
	int found = find_parent(x, path, &parent, &name, e);
	errcode_t rc;

	if (found < 0)
		return found;
	rc = new_file(x, parent, mode, size, &ino);
	if (!rc)
		rc = link_file(x->fs, parent, name, ino);
	if (!rc)
		rc = write_content(x->fs, ino, bytes, size);
	return rc ? failed(rc, path, e) : 0;
}

int ext_image_finish(struct ext_image *x, struct err *e)
{
	errcode_t rc = ext2fs_close_free(&x->fs);

	return rc ? failed(rc, "writing the image of tools", e) : 0;
}

void ext_image_free(struct ext_image **x)
{
	if (!*x)
		return;
	if ((*x)->fs)
		ext2fs_free((*x)->fs);
	free(*x);
}
