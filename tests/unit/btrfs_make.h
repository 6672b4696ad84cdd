/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * btrfs_make.h - a btrfs of 256 KiB, made byte by byte: one leaf for each tree, addresses that are offsets on the disk, and
 * everything a reader looks at.  Not all that a kernel would ask for.  On request the data of one file lies in a chunk of
 * another profile, whose stripes are all on this one disk.
 */
#ifndef DRYDOCK_TEST_BTRFS_MAKE_H
#define DRYDOCK_TEST_BTRFS_MAKE_H

#include "alloc.h"
#include "btrfs.h"
#include "parity.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>
#include <zstd.h>

enum {
	MAKE_SIZE = 256 * 1024,
	MAKE_NODE = 4096,
	MAKE_GENERATION = 7,
	/* Where the leaves lie. */
	MAKE_CHUNKS = 0x11000,
	MAKE_ROOTS = 0x12000,
	MAKE_TOP = 0x13000,
	MAKE_SUMS = 0x14000,
	MAKE_GROUPS = 0x15000,
	MAKE_SUB = 0x16000,
	MAKE_DATA = 0x20000,   /* two sectors of "big" */
	MAKE_PACKED = 0x22000, /* one sector of "packed", 8 KiB undone */
	/* The chunk of another profile: its address, and where its stripes of 64 KiB lie one behind the other. */
	MAKE_OTHER = 0x1000000,
	MAKE_STRIPES = 0x40000,
};

struct make {
	uint8_t *img;
	size_t size;
	uint64_t profile, data_at; /* BTRFS_BG_*; the address of the data of "big" */
	bool group_tree; /* block groups have a tree of their own */
	unsigned nstripes;
	uint64_t leaf; /* the leaf that is being made */
	uint32_t nitems, data;
};

static inline struct btrfs_disk_super *make_super(struct make *m)
{
	return (void *)(m->img + BTRFS_SUPER_OFF);
}

static inline void make_leaf(struct make *m, uint64_t at, uint64_t owner)
{
	struct btrfs_disk_header *h = (void *)(m->img + at);

	memcpy(h->fsid, make_super(m)->fsid, sizeof h->fsid);
	le64_put(&h->bytenr, at);
	le64_put(&h->generation, MAKE_GENERATION);
	le64_put(&h->owner, owner);
	m->leaf = at;
	m->nitems = 0;
	m->data = MAKE_NODE - sizeof *h;
}

static inline void make_item(struct make *m, uint64_t objectid, uint8_t type, uint64_t offset, const void *data, size_t len)
{
	struct btrfs_disk_header *h = (void *)(m->img + m->leaf);
	struct btrfs_disk_item *it = (void *)(h + 1);

	it += m->nitems++;
	if (m->data < len + m->nitems * sizeof *it)
		abort(); /* the leaf is full */
	m->data -= (uint32_t)len;
	le64_put(&it->key.objectid, objectid);
	it->key.type = type;
	le64_put(&it->key.offset, offset);
	le32_put(&it->offset, m->data);
	le32_put(&it->size, (uint32_t)len);
	if (len)
		memcpy((uint8_t *)(h + 1) + m->data, data, len);
	le32_put(&h->nritems, m->nitems);
}

static inline void make_inode(struct make *m, uint64_t ino, uint32_t mode, uint64_t size, uint64_t flags)
{
	struct btrfs_disk_inode d = { 0 };

	le64_put(&d.size, size);
	le64_put(&d.nbytes, size);
	le32_put(&d.nlink, 1);
	le32_put(&d.mode, mode);
	le32_put(&d.uid, 1000);
	le64_put(&d.flags, flags);
	le64_put(&d.mtime.sec, (uint64_t)-5);
	le32_put(&d.mtime.nsec, 123456789);
	make_item(m, ino, BTRFS_INODE_ITEM, 0, &d, sizeof d);
}

static inline void make_ref(struct make *m, uint64_t ino, uint64_t parent, const char *name)
{
	uint8_t buf[300];
	struct btrfs_disk_inode_ref d = { 0 };

	le16_put(&d.name_len, (uint16_t)strlen(name));
	memcpy(buf, &d, sizeof d);
	memcpy(buf + sizeof d, name, strlen(name));
	make_item(m, ino, BTRFS_INODE_REF, parent, buf, sizeof d + strlen(name));
}

/* An entry or attribute, at buf: its length. */
static inline size_t make_dir_bytes(uint8_t *buf, uint64_t objectid, uint8_t key_type, uint8_t type, const char *name,
				    const void *value, size_t len)
{
	struct btrfs_disk_dir d = { .type = type };

	le64_put(&d.location.objectid, objectid);
	d.location.type = key_type;
	le16_put(&d.name_len, (uint16_t)strlen(name));
	le16_put(&d.data_len, (uint16_t)len);
	memcpy(buf, &d, sizeof d);
	memcpy(buf + sizeof d, name, strlen(name));
	if (len)
		memcpy(buf + sizeof d + strlen(name), value, len);
	return sizeof d + strlen(name) + len;
}

/* The entries of a directory: DIR_ITEMs must be sorted by their hashes, so all are given at once. */
struct make_entry {
	const char *name;
	uint64_t objectid;
	uint8_t key_type, type;
};
static inline void make_dir(struct make *m, uint64_t dir, const struct make_entry *ents, size_t n)
{
	bool done[32] = { false };
	uint8_t buf[300];

	for (size_t turn = 0; turn < n; turn++) {
		size_t best = n;

		for (size_t i = 0; i < n; i++)
			if (!done[i] && (best == n || btrfs_name_hash(ents[i].name, strlen(ents[i].name)) <
							      btrfs_name_hash(ents[best].name, strlen(ents[best].name))))
				best = i;
		done[best] = true;
		make_item(m, dir, BTRFS_DIR_ITEM, btrfs_name_hash(ents[best].name, strlen(ents[best].name)), buf,
			  make_dir_bytes(buf, ents[best].objectid, ents[best].key_type, ents[best].type, ents[best].name, NULL, 0));
	}
	for (size_t i = 0; i < n; i++)
		make_item(m, dir, BTRFS_DIR_INDEX, i + 2, buf,
			  make_dir_bytes(buf, ents[i].objectid, ents[i].key_type, ents[i].type, ents[i].name, NULL, 0));
}

static inline void make_inline(struct make *m, uint64_t ino, uint64_t ram, uint8_t compression, const void *data, size_t len)
{
	uint8_t buf[1000] = { 0 };
	struct btrfs_disk_extent d = { .compression = compression, .type = BTRFS_EXTENT_INLINE };

	le64_put(&d.ram_bytes, ram);
	memcpy(buf, &d, BTRFS_EXTENT_INLINE_OFF);
	memcpy(buf + BTRFS_EXTENT_INLINE_OFF, data, len);
	make_item(m, ino, BTRFS_EXTENT_DATA, 0, buf, BTRFS_EXTENT_INLINE_OFF + len);
}

static inline void make_extent(struct make *m, uint64_t ino, uint64_t at, uint64_t bytenr, uint64_t disk, uint64_t ram,
			       uint64_t num, uint8_t compression, uint8_t type)
{
	struct btrfs_disk_extent d = { .compression = compression, .type = type };

	le64_put(&d.ram_bytes, ram);
	le64_put(&d.disk_bytenr, bytenr);
	le64_put(&d.disk_num_bytes, disk);
	le64_put(&d.num_bytes, num);
	make_item(m, ino, BTRFS_EXTENT_DATA, at, &d, sizeof d);
}

static inline void make_root(struct make *m, uint64_t id, uint64_t at)
{
	uint8_t buf[439] = { 0 };
	struct btrfs_disk_root d = { 0 };

	le64_put(&d.bytenr, at);
	le64_put(&d.generation, MAKE_GENERATION);
	le64_put(&d.root_dirid, 256);
	le64_put(&d.bytes_used, MAKE_NODE);
	le32_put(&d.refs, 1);
	memcpy(buf, &d, sizeof d);
	make_item(m, id, BTRFS_ROOT_ITEM, 0, buf, sizeof buf);
}

static inline void make_root_ref(struct make *m, uint64_t id, uint8_t type, uint64_t other, uint64_t dirid, const char *name)
{
	uint8_t buf[300];
	struct btrfs_disk_root_ref d = { 0 };

	le64_put(&d.dirid, dirid);
	le16_put(&d.name_len, (uint16_t)strlen(name));
	memcpy(buf, &d, sizeof d);
	memcpy(buf + sizeof d, name, strlen(name));
	make_item(m, id, type, other, buf, sizeof d + strlen(name));
}

/* Right sums for the superblock, and for every block that says it is a node. */
static inline void make_sums_at(uint8_t *img, size_t size)
{
	struct btrfs_disk_super *s = (void *)(img + BTRFS_SUPER_OFF);
	unsigned type = le16_get(s->csum_type);
	uint32_t node = le32_get(s->nodesize);
	const uint8_t *fsid = le64_get(s->incompat) & BTRFS_INCOMPAT_METADATA_UUID ? s->metadata_uuid : s->fsid;

	if (!btrfs_csum_size(type))
		return;
	btrfs_csum(type, (uint8_t *)s + BTRFS_CSUM_MAX, sizeof *s - BTRFS_CSUM_MAX, s->csum);
	if (node < 512 || node > 65536)
		return;
	for (size_t at = 0; at + node <= size; at += 4096) {
		struct btrfs_disk_header *h = (void *)(img + at);

		if (at != BTRFS_SUPER_OFF && memcmp(h->fsid, fsid, sizeof h->fsid) == 0)
			btrfs_csum(type, img + at + BTRFS_CSUM_MAX, node - BTRFS_CSUM_MAX, h->csum);
	}
}
static inline void make_sums(struct make *m)
{
	make_sums_at(m->img, m->size);
}

/* ---- the filesystem ---- */

static inline void make_chunk_bytes(uint8_t *buf, uint64_t type, unsigned nstripes, uint64_t length)
{
	struct btrfs_disk_chunk c = { 0 };
	struct btrfs_disk_stripe s = { 0 };

	le64_put(&c.length, length);
	le64_put(&c.stripe_len, BTRFS_STRIPE_LEN);
	le64_put(&c.type, type);
	le32_put(&c.sector_size, 4096);
	le16_put(&c.num_stripes, (uint16_t)nstripes);
	le64_put(&s.devid, 1);
	memset(s.dev_uuid, 0xdd, sizeof s.dev_uuid);
	if (type & BTRFS_BG_RAID10)
		le16_put(&c.sub_stripes, 2);
	memcpy(buf, &c, sizeof c);
	for (unsigned i = 0; i < nstripes; i++) {
		if (nstripes > 1)
			le64_put(&s.offset, MAKE_STRIPES + i * (uint64_t)BTRFS_STRIPE_LEN);
		memcpy(buf + sizeof c + i * sizeof s, &s, sizeof s);
	}
}
enum { MAKE_CHUNK_BYTES = sizeof(struct btrfs_disk_chunk) + sizeof(struct btrfs_disk_stripe) };

static inline void make_head(struct make *m)
{
	struct btrfs_disk_super *s = make_super(m);
	struct btrfs_disk_key key = { .type = BTRFS_CHUNK_ITEM };
	uint8_t chunk[MAKE_CHUNK_BYTES];

	memset(s->fsid, 0xfd, sizeof s->fsid);
	le64_put(&s->bytenr, BTRFS_SUPER_OFF);
	memcpy(s->magic, BTRFS_MAGIC, sizeof s->magic);
	le64_put(&s->generation, MAKE_GENERATION);
	le64_put(&s->root, MAKE_ROOTS);
	le64_put(&s->chunk_root, MAKE_CHUNKS);
	le64_put(&s->chunk_root_generation, MAKE_GENERATION);
	le64_put(&s->total_bytes, MAKE_SIZE);
	le64_put(&s->root_dir, BTRFS_TREE_DIR);
	le64_put(&s->num_devices, 1);
	le32_put(&s->sectorsize, 4096);
	le32_put(&s->nodesize, MAKE_NODE);
	le64_put(&s->incompat, 0x361); /* as mkfs sets them: mixed_backref, big_metadata, extref, skinny_metadata, no_holes */
	le64_put(&s->dev.devid, 1);
	le64_put(&s->dev.total_bytes, MAKE_SIZE);
	le64_put(&s->dev.bytes_used, MAKE_SIZE);
	memset(s->dev.uuid, 0xdd, sizeof s->dev.uuid);
	memcpy(s->dev.fsid, s->fsid, sizeof s->fsid);
	memcpy(s->label, "tiny", 4);
	le64_put(&key.objectid, BTRFS_CHUNKS);
	make_chunk_bytes(chunk, BTRFS_BG_SYSTEM | BTRFS_BG_METADATA | BTRFS_BG_DATA, 1, MAKE_SIZE);
	memcpy(s->sys_chunk_array, &key, sizeof key);
	memcpy(s->sys_chunk_array + sizeof key, chunk, sizeof chunk);
	le32_put(&s->sys_chunk_array_size, sizeof key + sizeof chunk);

	make_leaf(m, MAKE_CHUNKS, 3);
	make_item(m, BTRFS_DEV_ITEMS, BTRFS_DEV_ITEM, 1, &s->dev, sizeof s->dev);
	make_item(m, BTRFS_CHUNKS, BTRFS_CHUNK_ITEM, 0, chunk, sizeof chunk);
	if (m->profile) {
		uint8_t other[sizeof(struct btrfs_disk_chunk) + 8 * sizeof(struct btrfs_disk_stripe)];
		unsigned parity = btrfs_profile_parity(m->profile), copies = btrfs_profile_copies(m->profile);

		make_chunk_bytes(other, BTRFS_BG_DATA | m->profile, m->nstripes,
				 (m->nstripes - parity) / copies * (uint64_t)BTRFS_STRIPE_LEN);
		make_item(m, BTRFS_CHUNKS, BTRFS_CHUNK_ITEM, MAKE_OTHER, other,
			  sizeof(struct btrfs_disk_chunk) + m->nstripes * sizeof(struct btrfs_disk_stripe));
	}
}

static inline void make_top(struct make *m)
{
	static const char text[] = "words of the guest";
	static const struct make_entry top[] = {
		{ "file", 257, BTRFS_INODE_ITEM, BTRFS_FT_REG },   { "big", 258, BTRFS_INODE_ITEM, BTRFS_FT_REG },
		{ "link", 259, BTRFS_INODE_ITEM, BTRFS_FT_LNK },   { "sub", 256, BTRFS_ROOT_ITEM, BTRFS_FT_DIR },
		{ "dir", 260, BTRFS_INODE_ITEM, BTRFS_FT_DIR },	   { "zlib", 261, BTRFS_INODE_ITEM, BTRFS_FT_REG },
		{ "lzo", 262, BTRFS_INODE_ITEM, BTRFS_FT_REG },	   { "zstd", 263, BTRFS_INODE_ITEM, BTRFS_FT_REG },
		{ "packed", 264, BTRFS_INODE_ITEM, BTRFS_FT_REG },
	};
	static const struct make_entry dir[] = { { "hard", 257, BTRFS_INODE_ITEM, BTRFS_FT_REG } };
	uint8_t buf[600], lzo[8 + 1 + sizeof text + 3];
	le32 v;
	uLongf zlen = sizeof buf;
	size_t n;

	make_leaf(m, MAKE_TOP, BTRFS_TREE_FS);
	make_inode(m, 256, S_IFDIR | 0755, 80, 0);
	make_ref(m, 256, 256, "..");
	make_dir(m, 256, top, ARRAY_LEN(top));
	make_inode(m, 257, S_IFREG | 0644, strlen(text), 0);
	make_ref(m, 257, 256, "file");
	make_item(m, 257, BTRFS_XATTR_ITEM, btrfs_name_hash("user.x", 6), buf,
		  make_dir_bytes(buf, 0, 0, 8, "user.x", "value", 5));
	make_inline(m, 257, strlen(text), 0, text, strlen(text));
	make_inode(m, 258, S_IFREG | 0600, 3 * 4096 + 100, 0);
	make_ref(m, 258, 256, "big");
	make_extent(m, 258, 0, m->data_at, 8192, 8192, 4096, 0, BTRFS_EXTENT_REG);
	make_extent(m, 258, 3 * 4096, m->data_at, 8192, 8192, 4096, 0, BTRFS_EXTENT_REG);
	make_inode(m, 259, S_IFLNK | 0777, 4, 0);
	make_ref(m, 259, 256, "link");
	make_inline(m, 259, 4, 0, "file", 4);
	make_inode(m, 260, S_IFDIR | 0700, 8, 0);
	make_ref(m, 260, 256, "dir");
	make_dir(m, 260, dir, ARRAY_LEN(dir));
	make_inode(m, 261, S_IFREG | 0644, strlen(text), 0);
	if (compress(buf, &zlen, (const void *)text, strlen(text)) == Z_OK)
		make_inline(m, 261, strlen(text), BTRFS_COMPRESS_ZLIB, buf, zlen);
	/* The length of all, of the piece, and as many literals. */
	le32_put(&v, sizeof lzo - 1);
	memcpy(lzo, &v, 4);
	le32_put(&v, sizeof lzo - 9);
	memcpy(lzo + 4, &v, 4);
	lzo[8] = 17 + sizeof text - 1;
	memcpy(lzo + 9, text, strlen(text));
	memcpy(lzo + 9 + strlen(text), "\x11\0\0", 3);
	make_inode(m, 262, S_IFREG | 0644, strlen(text), 0);
	make_inline(m, 262, strlen(text), BTRFS_COMPRESS_LZO, lzo, sizeof lzo - 1);
	make_inode(m, 263, S_IFREG | 0644, strlen(text), 0);
	n = ZSTD_compress(buf, sizeof buf, text, strlen(text), 1);
	make_inline(m, 263, strlen(text), BTRFS_COMPRESS_ZSTD, buf, n);
	make_inode(m, 264, S_IFREG | 0644, 8192, 0);
	make_extent(m, 264, 0, MAKE_PACKED, 4096, 8192, 8192, BTRFS_COMPRESS_ZSTD, BTRFS_EXTENT_REG);
}

static inline void make_rest(struct make *m)
{
	static const struct make_entry sub[] = {
		{ "inner", 257, BTRFS_INODE_ITEM, BTRFS_FT_REG },
		{ "gone", 300, BTRFS_ROOT_ITEM, BTRFS_FT_DIR }, /* nested in what this is a snapshot of */
	};
	struct btrfs_disk_block_group g = { 0 };
	uint8_t sums[3 * 4], one[BTRFS_CSUM_MAX];
	static uint8_t text[8192];

	make_leaf(m, MAKE_SUB, 256);
	make_inode(m, 256, S_IFDIR | 0755, 18, 0);
	make_ref(m, 256, 256, "..");
	make_dir(m, 256, sub, ARRAY_LEN(sub));
	make_inode(m, 257, S_IFREG | 0644, 5, 0);
	make_inline(m, 257, 5, 0, "inner", 5);

	memset(m->img + MAKE_DATA, 'd', 8192);
	memset(text, 'p', sizeof text);
	ZSTD_compress(m->img + MAKE_PACKED, 4096, text, sizeof text, 1);
	for (unsigned i = 0; i < 3; i++) {
		btrfs_csum(0, m->img + MAKE_DATA + i * 4096, 4096, one);
		memcpy(sums + i * 4, one, 4);
	}
	make_leaf(m, MAKE_SUMS, BTRFS_TREE_CSUM);
	make_item(m, BTRFS_CSUMS, BTRFS_EXTENT_CSUM, MAKE_DATA, sums, sizeof sums);
	if (m->profile)
		make_item(m, BTRFS_CSUMS, BTRFS_EXTENT_CSUM, m->data_at, sums, 8);
	make_leaf(m, MAKE_GROUPS, BTRFS_TREE_EXTENT);
	le64_put(&g.used, 0x9000);
	make_item(m, 0, BTRFS_BLOCK_GROUP_ITEM, MAKE_SIZE, &g, sizeof g);
	if (m->profile)
		make_item(m, MAKE_OTHER, BTRFS_BLOCK_GROUP_ITEM,
			  (m->nstripes - btrfs_profile_parity(m->profile)) / btrfs_profile_copies(m->profile) *
				  (uint64_t)BTRFS_STRIPE_LEN,
			  &g, sizeof g);

	make_leaf(m, MAKE_ROOTS, 1);
	if (!m->group_tree)
		make_root(m, BTRFS_TREE_EXTENT, MAKE_GROUPS);
	make_root(m, BTRFS_TREE_FS, MAKE_TOP);
	make_root_ref(m, BTRFS_TREE_FS, BTRFS_ROOT_REF, 256, 256, "sub");
	make_root(m, BTRFS_TREE_CSUM, MAKE_SUMS);
	if (m->group_tree)
		make_root(m, BTRFS_TREE_BLOCK_GROUP, MAKE_GROUPS);
	make_root(m, 256, MAKE_SUB);
	make_root_ref(m, 256, BTRFS_ROOT_BACKREF, BTRFS_TREE_FS, 256, "sub");
}

/* The first row of the other chunk: the data of "big" is its first, the second is its own. */
static inline void make_stripes(struct make *m)
{
	unsigned parity = btrfs_profile_parity(m->profile), data = m->nstripes - parity;
	uint8_t *stripes = m->img + MAKE_STRIPES, *p = stripes + (size_t)data * BTRFS_STRIPE_LEN;
	size_t len = BTRFS_STRIPE_LEN;

	if (!parity) {
		for (unsigned i = 0; i < m->nstripes; i++)
			memset(stripes + i * len, 'd', 8192);
		return;
	}
	memset(stripes, 'd', 8192);
	for (unsigned i = 1; i < data; i++)
		memset(stripes + i * len, (int)('0' + i), len);
	for (unsigned i = data; i-- > 0;) {
		parity_add(p, stripes + i * len, len);
		if (parity > 1) {
			parity_double(p + len, len);
			parity_add(p + len, stripes + i * len, len);
		}
	}
}

/* As profile, nstripes and group_tree ask; the rest is filled in.  free() img. */
static inline void make_it(struct make *m)
{
	m->size = m->nstripes ? MAKE_STRIPES + m->nstripes * (size_t)BTRFS_STRIPE_LEN : MAKE_SIZE;
	m->data_at = m->profile ? MAKE_OTHER : MAKE_DATA;
	m->img = alloc_zero(m->size);
	make_head(m);
	make_top(m);
	make_rest(m);
	if (m->profile)
		make_stripes(m);
	make_sums(m);
}
static inline void make_btrfs(struct make *m)
{
	*m = (struct make){ .nstripes = 0 };
	make_it(m);
}
/* With the data of "big" in so many stripes of a profile. */
static inline void make_btrfs_on(struct make *m, uint64_t profile, unsigned nstripes)
{
	*m = (struct make){ .profile = profile, .nstripes = nstripes };
	make_it(m);
}

#endif
