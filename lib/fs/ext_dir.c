/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ext_dir.c - directories: blocks of entries, with a tree of hashes over them where there are many.
 *
 * An entry: inode, rec_len (to the next entry, a multiple of 4), name_len, file type, name.  The nodes of the tree look
 * like blocks with one empty entry to who does not know them, so a plain walk of all blocks sees every name.  Small
 * directories may lie inside the inode: the number of the parent, then entries.
 */
#include "ext.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"
#include "ondisk.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

#define DIRENT_HEAD 8
#define TAIL_SIZE 12
#define TAIL_TYPE 0xde
#define IBLOCK_BYTES 60
#define DX_LEVELS 4 /* root and three below it, with large_dir */
#define DX_BLOCK_MASK 0x0fffffff

struct dirent_head {
	le32 ino;
	le16 rec_len;
	uint8_t name_len, type;
};
struct dir_tail {
	le32 zero;
	le16 rec_len;
	uint8_t zero2, type;
	le32 checksum;
};
struct dx_entry {
	le32 hash, block;
};
/* In place of the first entry's hash. */
struct dx_countlimit {
	le16 limit, count;
};

typedef int (*dirent_fn)(void *arg, const struct fs_dirent *d, struct err *e);

static uint32_t type_bits(uint8_t type)
{
	static const uint16_t bits[] = { 0, S_IFREG, S_IFDIR, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK, S_IFLNK };

	return type < ARRAY_LEN(bits) ? bits[type] : 0;
}

/* With blocks of 64 KiB a length does not fit 16 bits: its lowest two bits, always zero, stand for the highest. */
static uint32_t rec_len_of(const struct ext *x, le16 v)
{
	uint32_t len = le16_get(v);

	if (x->bs < 65536)
		return len;
	if (len == 65535 || len == 0)
		return x->bs;
	return (len & 65532) | (len & 3) << 16;
}

/* The entries of one stretch of bytes.  rec_len is at least an entry's head, so the walk ends. */
static int entries_show(const struct ext *x, const uint8_t *data, size_t len, dirent_fn fn, void *arg, struct err *e)
{
	bool has_type = x->incompat & EXT2_FEATURE_INCOMPAT_FILETYPE;
	struct fs_dirent d;
	size_t pos = 0;

	while (len - pos >= DIRENT_HEAD) {
		struct dirent_head h;
		uint32_t rec_len, ino;
		int rc;

		memcpy(&h, data + pos, sizeof h);
		rec_len = rec_len_of(x, h.rec_len);
		ino = le32_get(h.ino);
		if (rec_len < DIRENT_HEAD || rec_len % 4 || rec_len > len - pos)
			return err_set(e, ERR_CORRUPT, "a directory entry of %" PRIu32 " bytes with %zu left", rec_len, len - pos);
		if (ino != 0) {
			/* Without file types the length of a name has two bytes. */
			size_t name_len = h.name_len | (has_type ? 0u : (unsigned)h.type << 8);
			const char *name = (const char *)data + pos + DIRENT_HEAD;

			if (name_len == 0 || name_len > 255 || name_len > rec_len - DIRENT_HEAD)
				return err_set(e, ERR_CORRUPT, "a name of %zu bytes in a directory entry of %" PRIu32, name_len,
					       rec_len);
			if (memchr(name, '/', name_len) || memchr(name, 0, name_len))
				return err_set(e, ERR_CORRUPT, "a directory entry whose name holds a slash or a NUL");
			if (ino > x->ninodes)
				return err_set(e, ERR_CORRUPT, "a directory entry leads to inode %" PRIu32 " of %" PRIu32, ino,
					       x->ninodes);
			d.ino = ino;
			d.type = has_type ? type_bits(h.type) : 0;
			memcpy(d.name, name, name_len);
			d.name[name_len] = '\0';
			rc = fn(arg, &d, e);
			if (rc)
				return rc;
		}
		pos += rec_len;
	}
	return 0;
}

/* ---- blocks and their checksums ---- */

/* Where a node of the tree has its entries; 0: the block is not one. */
static size_t dx_entries_off(const struct ext *x, const uint8_t *block, uint64_t lblk)
{
	struct dirent_head h;

	memcpy(&h, block, sizeof h);
	if (lblk > 0)
		return le32_get(h.ino) == 0 && rec_len_of(x, h.rec_len) == x->bs ? DIRENT_HEAD : 0;
	/* The root: "." (12 bytes), ".." to the end, 8 bytes of root info inside it. */
	if (rec_len_of(x, h.rec_len) != 12)
		return 0;
	memcpy(&h, block + 12, sizeof h);
	if (rec_len_of(x, h.rec_len) != x->bs - 12 || block[24 + 5] != 8)
		return 0;
	return 32;
}

static bool dx_checksum_matches(const struct ext *x, const struct ext_inode *in, const uint8_t *block, size_t off)
{
	static const uint8_t zeros[4];
	struct dx_countlimit c;
	le32 tail[2]; /* reserved, checksum: behind the last possible entry */
	size_t at;
	uint32_t crc;

	memcpy(&c, block + off, sizeof c);
	at = off + (size_t)le16_get(c.limit) * sizeof(struct dx_entry);
	if (le16_get(c.count) > le16_get(c.limit) || at + sizeof tail > x->bs)
		return false;
	memcpy(tail, block + at, sizeof tail);
	crc = ext2fs_crc32c_le(in->seed, block, off + (size_t)le16_get(c.count) * sizeof(struct dx_entry));
	crc = ext2fs_crc32c_le(crc, tail[0].b, sizeof tail[0].b);
	crc = ext2fs_crc32c_le(crc, zeros, sizeof zeros);
	return crc == le32_get(tail[1]);
}

static int dirblock_check(const struct ext *x, const struct ext_inode *in, const uint8_t *block, uint64_t lblk,
		       struct err *e)
{
	size_t dx = in->flags & EXT2_INDEX_FL ? dx_entries_off(x, block, lblk) : 0;
	struct dir_tail t;
	bool ok;

	if (!x->csum)
		return 0;
	if (dx) {
		ok = dx_checksum_matches(x, in, block, dx);
	} else {
		memcpy(&t, block + x->bs - TAIL_SIZE, sizeof t);
		ok = le32_get(t.zero) == 0 && le16_get(t.rec_len) == TAIL_SIZE && t.zero2 == 0 && t.type == TAIL_TYPE &&
		     ext2fs_crc32c_le(in->seed, block, x->bs - TAIL_SIZE) == le32_get(t.checksum);
	}
	if (!ok)
		return err_set(e, ERR_CORRUPT, "the checksum of directory block %" PRIu64 " does not match", lblk);
	return 0;
}

/* Reads a directory's block; a hole is *hole. */
static int dirblock_read(struct ext *x, struct ext_inode *in, uint64_t lblk, uint8_t *buf, bool *hole, struct err *e)
{
	struct ext_run run;
	int rc = ext_map(x, in, lblk, &run, e);

	if (rc < 0)
		return rc;
	*hole = run.kind != EXT_RUN_DATA;
	if (*hole)
		return 0;
	rc = ext_io_read_meta(&x->io, buf, x->bs, run.pblk << x->bs_bits, e);
	return rc < 0 ? rc : dirblock_check(x, in, buf, lblk, e);
}

static int judge_dir(const struct ext *x, const struct ext_inode *in, struct err *e)
{
	if (!S_ISDIR(in->mode))
		return err_sys(e, ENOTDIR, "inode %" PRIu32, in->ino);
	if (in->flags & EXT4_ENCRYPT_FL)
		return err_set(e, ERR_UNSUPPORTED,
			       "directory inode %" PRIu32 " is encrypted (fscrypt), its names cannot be read without the key",
			       in->ino);
	if (in->size > LIMIT_EXT_DIR_SIZE)
		return err_set(e, ERR_LIMIT, "directory inode %" PRIu32 " of %" PRIu64 " bytes", in->ino, in->size);
	if (!(in->flags & EXT4_INLINE_DATA_FL) && in->size % x->bs)
		return err_set(e, ERR_CORRUPT, "directory inode %" PRIu32 " of %" PRIu64 " bytes", in->ino, in->size);
	return 0;
}

/* ---- reading all ---- */

static int inline_show(struct ext *x, struct ext_inode *in, dirent_fn fn, void *arg, struct err *e)
{
	const uint8_t *iblock = (const uint8_t *)in->d->i_block, *rest;
	struct fs_dirent d = { .ino = in->ino, .type = S_IFDIR, .name = "." };
	le32 parent;
	size_t rest_len;
	int rc = ext_inline_rest(x, in, &rest, &rest_len, e);

	if (rc == 0)
		rc = fn(arg, &d, e);
	if (rc)
		return rc;
	memcpy(&parent, iblock, sizeof parent);
	d = (struct fs_dirent){ .ino = le32_get(parent), .type = S_IFDIR, .name = ".." };
	rc = fn(arg, &d, e);
	if (rc == 0)
		rc = entries_show(x, iblock + sizeof parent, IBLOCK_BYTES - sizeof parent, fn, arg, e);
	if (rc == 0 && rest_len)
		rc = entries_show(x, rest, rest_len, fn, arg, e);
	return rc;
}

static int blocks_show(struct ext *x, struct ext_inode *in, dirent_fn fn, void *arg, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *block = alloc_bytes(x->bs);
	uint64_t nblocks = in->size >> x->bs_bits, nread = 0;

	if (!block)
		return err_nomem(e);
	for (uint64_t lblk = 0; lblk < nblocks;) {
		struct ext_run run;
		int rc = ext_map(x, in, lblk, &run, e);

		if (rc < 0)
			return rc;
		if (run.kind != EXT_RUN_DATA) {
			lblk += run.len;
			continue;
		}
		/* One block under many names would make a small image an endless directory. */
		if (nread++ >= x->nblocks)
			return err_set(e, ERR_CORRUPT, "more blocks than the filesystem has");
		rc = ext_io_read_meta(&x->io, block, x->bs, run.pblk << x->bs_bits, e);
		if (rc == 0)
			rc = dirblock_check(x, in, block, lblk, e);
		if (rc == 0)
			rc = entries_show(x, block, x->bs, fn, arg, e);
		if (rc)
			return rc;
		lblk++;
	}
	return 0;
}

int ext_readdir(struct ext *x, struct ext_inode *in, dirent_fn fn, void *arg, struct err *e)
{
	int rc = judge_dir(x, in, e);

	if (rc < 0)
		return rc;
	return in->flags & EXT4_INLINE_DATA_FL ? inline_show(x, in, fn, arg, e) : blocks_show(x, in, fn, arg, e);
}

/* ---- looking up one name ---- */

struct search {
	const char *name;
	const struct ext2fs_nls_table *fold; /* NULL: bytes only */
	uint64_t ino, folded_ino;
};

static int search_entry(void *arg, const struct fs_dirent *d, struct err *e)
{
	struct search *s = arg;

	(void)e;
	if (strcmp(d->name, s->name) == 0) {
		s->ino = d->ino;
		return 1;
	}
	if (s->fold && s->folded_ino == 0 &&
	    ext2fs_casefold_cmp(s->fold, (const unsigned char *)s->name, strlen(s->name), (const unsigned char *)d->name,
				strlen(d->name)) == 0)
		s->folded_ino = d->ino;
	return 0;
}

/* The tree of hashes says where a name can be: 1 found, 0 not there, 2 the tree does not decide. */
enum { DX_NOT_THERE, DX_FOUND, DX_UNDECIDED };

static int dx_search(struct ext *x, struct ext_inode *in, uint8_t *block, struct search *s, struct err *e)
{
	uint64_t nblocks = in->size >> x->bs_bits, lblk = 0;
	unsigned version, levels;
	uint32_t seed[4];
	ext2_dirhash_t hash, minor;
	uint32_t next_hash = 0; /* where the name's leaf ends; 0: at the end of all */
	bool hole;
	int rc = dirblock_read(x, in, 0, block, &hole, e);

	if (rc < 0)
		return rc;
	if (hole || !dx_entries_off(x, block, 0))
		return DX_UNDECIDED;
	version = block[24 + 4];
	levels = block[24 + 6];
	if (version > EXT2_HASH_TEA || levels >= DX_LEVELS)
		return DX_UNDECIDED;
	if (EXT_LE32(x->sb.s_flags) & EXT2_FLAGS_UNSIGNED_HASH)
		version += 3;
	for (size_t i = 0; i < ARRAY_LEN(seed); i++)
		seed[i] = EXT_LE32(x->sb.s_hash_seed[i]);
	/* The hash of a name that is folded is that of all its spellings. */
	if (ext2fs_dirhash2((int)version, s->name, (int)strlen(s->name), s->fold, s->fold ? EXT4_CASEFOLD_FL : 0, seed, &hash,
			    &minor))
		return DX_UNDECIDED;

	/* One step for each level, then the leaf. */
	for (unsigned level = 0;; level++) {
		size_t off = dx_entries_off(x, block, lblk);
		struct dx_countlimit c;
		struct dx_entry ent;
		unsigned lo = 0, hi;

		if (!off)
			return DX_UNDECIDED;
		memcpy(&c, block + off, sizeof c);
		hi = le16_get(c.count);
		if (hi == 0 || off + (size_t)hi * sizeof ent > x->bs)
			return DX_UNDECIDED;
		/* The last entry whose hash is not above; the first has none and stands for 0. */
		while (hi - lo > 1) {
			unsigned mid = lo + (hi - lo) / 2;

			memcpy(&ent, block + off + mid * sizeof ent, sizeof ent);
			if (le32_get(ent.hash) <= hash)
				lo = mid;
			else
				hi = mid;
		}
		if (lo + 1 < le16_get(c.count)) {
			memcpy(&ent, block + off + (lo + 1) * sizeof ent, sizeof ent);
			next_hash = le32_get(ent.hash);
		}
		memcpy(&ent, block + off + lo * sizeof ent, sizeof ent);
		lblk = le32_get(ent.block) & DX_BLOCK_MASK;
		if (lblk == 0 || lblk >= nblocks)
			return DX_UNDECIDED;
		rc = dirblock_read(x, in, lblk, block, &hole, e);
		if (rc < 0)
			return rc;
		if (hole)
			return DX_UNDECIDED;
		if (level == levels)
			break;
	}
	rc = entries_show(x, block, x->bs, search_entry, s, e);
	if (rc != 0 || s->folded_ino)
		return rc < 0 ? rc : DX_FOUND;
	/* Whoever wrote the directory may have folded by other tables of Unicode. */
	if (s->fold)
		return DX_UNDECIDED;
	/* Equal hashes may go on in the next leaf, whose hash then has its lowest bit set. */
	return (next_hash & 1) && (next_hash & ~1u) == hash ? DX_UNDECIDED : DX_NOT_THERE;
}

int ext_lookup(struct ext *x, struct ext_inode *in, const char *name, uint64_t *ino, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *block = NULL;
	struct search s = { .name = name };
	int rc = judge_dir(x, in, e);

	if (rc < 0)
		return rc;
	if (in->flags & EXT4_CASEFOLD_FL)
		s.fold = x->casefold;
	if ((in->flags & EXT2_INDEX_FL) && (x->compat & EXT2_FEATURE_COMPAT_DIR_INDEX) &&
	    !(in->flags & EXT4_INLINE_DATA_FL) && strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
		block = alloc_bytes(x->bs);
		if (!block)
			return err_nomem(e);
		rc = dx_search(x, in, block, &s, e);
		if (rc < 0)
			return err_in(e, rc, "directory inode %" PRIu32, in->ino);
	} else {
		rc = DX_UNDECIDED;
	}
	if (rc == DX_UNDECIDED) {
		rc = ext_readdir(x, in, search_entry, &s, e);
		if (rc < 0)
			return err_in(e, rc, "directory inode %" PRIu32, in->ino);
	}
	*ino = s.ino ? s.ino : s.folded_ino;
	if (*ino == 0)
		return err_set(e, ERR_NOT_FOUND, "no such file or directory");
	return 0;
}
