/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* squashfs_meta.c - metadata blocks, the tables made of them, and inodes. */
#include "squashfs.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"
#include "ondisk.h"

#include <inttypes.h>
#include <sys/stat.h>

#define META_STORED 0x8000

/* ---- metadata blocks ---- */

/* Reads and unpacks the block at addr into m. */
static int meta_load(struct squash *s, uint64_t addr, struct squash_meta *m, struct err *e)
{
	uint8_t raw[2 + SQUASH_META_SIZE];
	size_t have, len;
	bool stored;
	le16 head;
	int rc;

	if (!range_in(addr, sizeof head, s->end))
		return err_set(e, ERR_CORRUPT, "a metadata block at %" PRIu64 ", past the end", addr);
	have = (size_t)MIN_OF((uint64_t)sizeof raw, s->end - addr);
	rc = block_pread(s->dev, raw, have, addr, e);
	if (rc < 0)
		return rc;
	memcpy(&head, raw, sizeof head);
	stored = le16_get(head) & META_STORED;
	len = le16_get(head) & ~META_STORED;
	if (len == 0)
		len = META_STORED;
	if (len > SQUASH_META_SIZE || len > have - sizeof head)
		return err_set(e, ERR_CORRUPT, "the metadata block at %" PRIu64 " has %zu bytes", addr, len);
	if (stored) {
		memcpy(m->data, raw + sizeof head, len);
		m->len = len;
	} else {
		rc = unpack(s->unpacker, raw + sizeof head, len, m->data, SQUASH_META_SIZE, &m->len, e);
		if (rc < 0)
			return err_in(e, rc, "the metadata block at %" PRIu64, addr);
	}
	m->addr = addr;
	m->next = addr + sizeof head + len;
	return 0;
}

static int meta_get(struct squash *s, uint64_t addr, const struct squash_meta **out, struct err *e)
{
	struct squash_meta *oldest = &s->metas[0];
	int rc;

	for (size_t i = 0; i < SQUASH_META_LINES; i++) {
		struct squash_meta *m = &s->metas[i];

		if (m->addr == addr) {
			m->used = ++s->clock;
			*out = m;
			return 0;
		}
		if (m->used < oldest->used)
			oldest = m;
	}
	if (!oldest->data)
		oldest->data = alloc_bytes(SQUASH_META_SIZE);
	if (!oldest->data)
		return err_nomem(e);
	oldest->addr = UINT64_MAX;
	rc = meta_load(s, addr, oldest, e);
	if (rc < 0) {
		oldest->addr = UINT64_MAX;
		return rc;
	}
	oldest->used = ++s->clock;
	*out = oldest;
	return 0;
}

/* It ends: each turn goes to a later block, and none lies past the end. */
int squash_read(struct squash *s, struct squash_cursor *c, void *buf, size_t len, struct err *e)
{
	uint8_t *to = buf;

	while (len > 0) {
		const struct squash_meta *m = NULL;
		size_t n;
		int rc = meta_get(s, c->addr, &m, e);

		if (rc < 0)
			return rc;
		if (c->off > m->len || (c->off == m->len && m->len == 0))
			return err_set(e, ERR_CORRUPT, "byte %u of a metadata block of %zu", c->off, m->len);
		n = MIN_OF(len, m->len - c->off);
		if (to) {
			memcpy(to, m->data + c->off, n);
			to += n;
		}
		c->off += (unsigned)n;
		len -= n;
		if (c->off == m->len) {
			c->addr = m->next;
			c->off = 0;
		}
	}
	return 0;
}

int squash_table_read(struct squash *s, uint64_t index, uint32_t n, void *buf, size_t size, const char *what,
		      struct err *e)
{
	unsigned per_block = (unsigned)(SQUASH_META_SIZE / size);
	uint64_t at = index + n / per_block * sizeof(le64); /* the index lies before s->end, which an off_t holds */
	struct squash_cursor c = { .off = n % per_block * (unsigned)size };
	le64 addr;
	int rc;

	if (!range_in(at, sizeof addr, s->end))
		return err_set(e, ERR_CORRUPT, "the table of %s leaves the filesystem", what);
	rc = block_pread(s->dev, &addr, sizeof addr, at, e);
	if (rc < 0)
		return rc;
	c.addr = le64_get(addr);
	rc = squash_read(s, &c, buf, size, e);
	return rc < 0 ? err_in(e, rc, "the table of %s", what) : 0;
}

/* ---- inodes ---- */

enum { T_DIR = 1, T_FILE, T_LINK, T_BLOCK, T_CHAR, T_FIFO, T_SOCKET, T_EXTENDED = 7 };

struct ondisk_inode {
	le16 type, mode, uid, gid;
	le32 mtime, number;
};
struct ondisk_dir {
	le32 start_block, nlink;
	le16 size, off;
	le32 parent;
};
struct ondisk_dir_ext {
	le32 nlink, size, start_block, parent;
	le16 nindex, off;
	le32 xattr;
};
struct ondisk_file {
	le32 start, fragment, frag_off, size;
};
struct ondisk_file_ext {
	le64 start, size, sparse;
	le32 nlink, fragment, frag_off, xattr;
};
struct ondisk_link {
	le32 nlink, size;
};
struct ondisk_device {
	le32 nlink, rdev;
};

static int dir_get(struct squash *s, struct squash_inode *in, struct err *e)
{
	struct ondisk_dir d;
	struct ondisk_dir_ext x;
	int rc = in->extended ? squash_read(s, &in->rest, &x, sizeof x, e) : squash_read(s, &in->rest, &d, sizeof d, e);

	if (rc < 0)
		return rc;
	if (in->extended) {
		in->nlink = le32_get(x.nlink);
		in->size = le32_get(x.size);
		in->dir_block = le32_get(x.start_block);
		in->dir_off = le16_get(x.off);
		in->parent = le32_get(x.parent);
		in->nindex = le16_get(x.nindex);
		in->xattr = le32_get(x.xattr);
	} else {
		in->nlink = le32_get(d.nlink);
		in->size = le16_get(d.size);
		in->dir_block = le32_get(d.start_block);
		in->dir_off = le16_get(d.off);
		in->parent = le32_get(d.parent);
	}
	return 0;
}

static int file_get(struct squash *s, struct squash_inode *in, struct err *e)
{
	struct ondisk_file d;
	struct ondisk_file_ext x;
	int rc = in->extended ? squash_read(s, &in->rest, &x, sizeof x, e) : squash_read(s, &in->rest, &d, sizeof d, e);

	if (rc < 0)
		return rc;
	if (in->extended) {
		in->nlink = le32_get(x.nlink);
		in->size = le64_get(x.size);
		in->start = le64_get(x.start);
		in->sparse = le64_get(x.sparse);
		in->fragment = le32_get(x.fragment);
		in->frag_off = le32_get(x.frag_off);
		in->xattr = le32_get(x.xattr);
	} else {
		in->nlink = 1;
		in->size = le32_get(d.size);
		in->start = le32_get(d.start);
		in->fragment = le32_get(d.fragment);
		in->frag_off = le32_get(d.frag_off);
	}
	if (in->size > INT64_MAX || in->sparse > in->size)
		return err_set(e, ERR_CORRUPT, "a file of %" PRIu64 " bytes, %" PRIu64 " of them holes", in->size, in->sparse);
	if (in->fragment != SQUASH_NONE32 && in->fragment >= s->nfragments)
		return err_set(e, ERR_CORRUPT, "fragment %" PRIu32 " of %" PRIu32, in->fragment, s->nfragments);
	in->nblocks = in->fragment == SQUASH_NONE32 ? div_round_up(in->size, s->bs) : in->size >> s->bs_bits;
	return 0;
}

static int link_get(struct squash *s, struct squash_inode *in, struct err *e)
{
	struct squash_cursor after;
	struct ondisk_link d;
	le32 xattr;
	int rc = squash_read(s, &in->rest, &d, sizeof d, e);

	if (rc < 0)
		return rc;
	in->nlink = le32_get(d.nlink);
	in->size = le32_get(d.size);
	if (in->size >= LIMIT_PATH)
		return err_set(e, ERR_CORRUPT, "a symlink of %" PRIu64 " bytes", in->size);
	after = in->rest;
	rc = in->extended ? squash_read(s, &after, NULL, in->size, e) : 0;
	if (rc == 0 && in->extended) {
		rc = squash_read(s, &after, &xattr, sizeof xattr, e);
		in->xattr = le32_get(xattr);
	}
	return rc;
}

/* Devices, pipes and sockets. */
static int special_get(struct squash *s, struct squash_inode *in, struct err *e)
{
	bool device = in->type == T_BLOCK || in->type == T_CHAR;
	struct ondisk_device d = { .rdev = { .b = { 0 } } };
	le32 xattr;
	int rc = squash_read(s, &in->rest, &d, device ? sizeof d : sizeof d.nlink, e);

	if (rc < 0)
		return rc;
	in->nlink = le32_get(d.nlink);
	in->rdev = le32_get(d.rdev);
	if (in->extended) {
		rc = squash_read(s, &in->rest, &xattr, sizeof xattr, e);
		in->xattr = le32_get(xattr);
	}
	return rc;
}

static int owner_get(struct squash *s, le16 idx, uint32_t *out, struct err *e)
{
	le32 id;
	int rc;

	if (le16_get(idx) >= s->nids)
		return err_set(e, ERR_CORRUPT, "owner %u of %" PRIu32, le16_get(idx), s->nids);
	rc = squash_table_read(s, s->id_index, le16_get(idx), &id, sizeof id, "owners", e);
	*out = le32_get(id);
	return rc;
}

static int inode_read(struct squash *s, struct squash_inode *in, struct err *e)
{
	static const uint16_t formats[] = { 0, S_IFDIR, S_IFREG, S_IFLNK, S_IFBLK, S_IFCHR, S_IFIFO, S_IFSOCK };
	struct ondisk_inode d;
	int rc = squash_read(s, &in->rest, &d, sizeof d, e);

	if (rc < 0)
		return rc;
	in->type = le16_get(d.type);
	in->extended = in->type > T_EXTENDED;
	if (in->extended)
		in->type -= T_EXTENDED;
	if (in->type < T_DIR || in->type > T_SOCKET)
		return err_set(e, ERR_CORRUPT, "type %u", le16_get(d.type));
	in->mode = formats[in->type] | (le16_get(d.mode) & 07777);
	in->mtime = le32_get(d.mtime);
	in->number = le32_get(d.number);
	in->xattr = SQUASH_NONE32;
	rc = owner_get(s, d.uid, &in->uid, e);
	if (rc == 0)
		rc = owner_get(s, d.gid, &in->gid, e);
	if (rc < 0)
		return rc;
	switch (in->type) {
	case T_DIR:
		return dir_get(s, in, e);
	case T_FILE:
		return file_get(s, in, e);
	case T_LINK:
		return link_get(s, in, e);
	default:
		return special_get(s, in, e);
	}
}

int squash_inode_get(struct squash *s, uint64_t ref, struct squash_inode *out, struct err *e)
{
	int rc;

	memset(out, 0, sizeof *out);
	out->ref = ref;
	out->rest.off = ref & 0xffff;
	/* Offsets of blocks are 32 bits, and the table is before the end: the sum fits. */
	out->rest.addr = s->inode_table + (ref >> 16);
	if (ref >> 48 || out->rest.addr >= s->dir_table || out->rest.off >= SQUASH_META_SIZE)
		return err_set(e, ERR_CORRUPT, "an inode outside the inode table, at %" PRIx64, ref);
	rc = inode_read(s, out, e);
	return rc < 0 ? err_in(e, rc, "inode at %" PRIx64, ref) : 0;
}
