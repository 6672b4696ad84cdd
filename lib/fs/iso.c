/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* iso.c - ISO 9660 with Rock Ridge or Joliet, the filesystem of installer images: the driver over its parts. */
#include "iso.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

enum { DESCRIPTOR_PRIMARY = 1, DESCRIPTOR_SUPPLEMENTARY = 2, DESCRIPTOR_END = 255 };
/* There are two or three. */
#define DESCRIPTORS_MAX 32

struct descriptor {
	uint8_t type;
	char id[5];
	uint8_t version, flags;
	uint8_t system[32], label[32];
	uint8_t unused[8];
	le32 blocks;
	uint8_t blocks_be[4];
	uint8_t escapes[32];
	uint8_t set[8];
	le16 bs;
	uint8_t bs_be[2];
	uint8_t path_tables[24];
	uint8_t root[34];
	uint8_t names[623];
	uint8_t made[17], changed[17];
	uint8_t rest[1201];
};
_Static_assert(sizeof(struct descriptor) == ISO_SECTOR, "a descriptor fills a sector");

/* ---- probing ---- */

/* Up to a NUL, without blanks at the end. */
static void label_set(struct fs_id *id, const uint8_t *label, size_t len)
{
	len = strnlen((const char *)label, len);
	while (len > 0 && label[len - 1] == ' ')
		len--;
	memcpy(id->label, label, len);
	id->label[len] = '\0';
}

/* The volume's own date is its name: of its last change, or else of its making. */
static void uuid_set(struct fs_id *id, const struct descriptor *d)
{
	const uint8_t *date = d->made;
	char t[17] = "";

	for (size_t i = 0; i < 16; i++)
		if (d->changed[i] != '0' && d->changed[i] != 0)
			date = d->changed;
	for (size_t i = 0; i < 16; i++) {
		if (!isdigit(date[i]))
			return;
		t[i] = (char)date[i];
	}
	snprintf(id->uuid, sizeof id->uuid, "%.4s-%.2s-%.2s-%.2s-%.2s-%.2s-%.2s", t, t + 4, t + 6, t + 8, t + 10, t + 12,
		 t + 14);
}

static int iso_probe(struct block *dev, struct fs_id *id, struct err *e)
{
	struct descriptor d;
	uint64_t size;
	int rc;

	if (block_size(dev) < ISO_SYSTEM_AREA + sizeof d)
		return 0;
	rc = block_pread(dev, &d, sizeof d, ISO_SYSTEM_AREA, e);
	if (rc < 0)
		return rc;
	if (memcmp(d.id, "CD001", 5) != 0)
		return 0;
	id->type = "iso9660";
	id->readable = true;
	size = (uint64_t)le32_get(d.blocks) * le16_get(d.bs);
	id->size = size;
	label_set(id, d.label, sizeof d.label);
	uuid_set(id, &d);
	return FS_PROBE_SHARED;
}

/* ---- opening ---- */

static bool is_joliet(const struct descriptor *d)
{
	return d->escapes[0] == 0x25 && d->escapes[1] == 0x2f &&
	       (d->escapes[2] == 0x40 || d->escapes[2] == 0x43 || d->escapes[2] == 0x45);
}

static uint64_t root_of(const struct iso *s, const struct descriptor *d)
{
	le32 extent;

	memcpy(&extent, d->root + 2, sizeof extent);
	return ((uint64_t)le32_get(extent) + d->root[1]) * s->bs;
}

static int primary_judge(struct iso *s, const struct descriptor *d, struct err *e)
{
	s->bs = le16_get(d->bs);
	if (!is_pow2(s->bs) || s->bs < 512 || s->bs > ISO_SECTOR)
		return err_set(e, ERR_CORRUPT, "logical blocks of %u bytes", s->bs);
	s->volume = (uint64_t)le32_get(d->blocks) * s->bs;
	/* Some writers count too few, and a disc that was cut still has files. */
	s->size = block_size(s->dev);
	s->root = root_of(s, d);
	return 0;
}

/* Reads the descriptors: fills s, and *joliet with the root of that tree (0: none). */
static int descriptors_read(struct iso *s, uint64_t *joliet, struct err *e)
{
	bool primary = false;

	for (unsigned i = 0; i < DESCRIPTORS_MAX; i++) {
		struct descriptor d;
		uint64_t at = ISO_SYSTEM_AREA + (uint64_t)i * ISO_SECTOR;
		int rc;

		if (!range_in(at, sizeof d, block_size(s->dev)))
			break;
		rc = block_pread(s->dev, &d, sizeof d, at, e);
		if (rc < 0)
			return rc;
		if (memcmp(d.id, "CD001", 5) != 0 || d.type == DESCRIPTOR_END)
			break;
		if (d.type == DESCRIPTOR_PRIMARY && !primary) {
			rc = primary_judge(s, &d, e);
			if (rc < 0)
				return rc;
			primary = true;
		} else if (d.type == DESCRIPTOR_SUPPLEMENTARY && primary && is_joliet(&d)) {
			*joliet = root_of(s, &d);
		}
	}
	return primary ? 0 : err_set(e, ERR_CORRUPT, "no primary volume descriptor");
}

static int iso_open(struct fs *fs, struct err *e)
{
	struct iso *s = fs->state;
	struct iso_record root;
	uint64_t joliet = 0;
	int rc, skip;

	s->dev = fs->dev;
	s->at = UINT64_MAX;
	s->sector = alloc_bytes(ISO_SECTOR);
	if (!s->sector)
		return err_nomem(e);
	rc = descriptors_read(s, &joliet, e);
	if (rc == 0)
		rc = iso_dir_get(s, s->root, &root, e);
	if (rc < 0)
		return err_in(e, rc, "the root directory");
	skip = iso_rock_probe(&root);
	if (skip >= 0) {
		s->names = ISO_NAMES_ROCK;
		s->skip = (unsigned)skip;
	} else if (joliet) {
		s->names = ISO_NAMES_JOLIET;
		s->root = joliet;
		rc = iso_dir_get(s, s->root, &root, e);
		if (rc < 0)
			return err_in(e, rc, "the root directory of the Joliet names");
	}
	fs->root = s->root;
	return 0;
}

static void iso_close(struct fs *fs)
{
	free(((struct iso *)fs->state)->sector);
}

/* ---- files ---- */

static int iso_statfs(struct fs *fs, struct fs_usage *out, struct err *e)
{
	const struct iso *s = fs->state;

	(void)e;
	out->block_size = s->bs;
	out->blocks = s->volume / s->bs;
	return 0;
}

/* The record of a node, and what Rock Ridge says of it; rock is to be freed. */
static int node_get(struct iso *s, uint64_t node, struct iso_record *rec, struct iso_rock *rock, struct err *e)
{
	int rc = iso_record_get(s, node, rec, e);

	if (rc < 0)
		return rc;
	if (rc == 0)
		return err_set(e, ERR_CORRUPT, "no directory record at %" PRIu64, node);
	if (rec->flags & ISO_FLAG_DIR) {
		rc = iso_dir_get(s, node, rec, e);
		if (rc < 0)
			return rc;
	}
	return s->names == ISO_NAMES_ROCK ? iso_rock_read(s, rec, rock, e) : 0;
}

/* One extent of a file. */
struct piece {
	uint64_t off, len;
};

/*
 * The next extent of a file: 1, or 0 behind the last one.  *rec is its record, *left how many more may follow; begin with
 * the record of the node and *left 0.
 */
static int piece_next(struct iso *s, struct iso_record *rec, unsigned *n, struct piece *out, struct err *e)
{
	if (*n > 0) {
		uint64_t at = rec->at + rec->len;
		int rc;

		if (!(rec->flags & ISO_FLAG_MORE))
			return 0;
		/* It ends: places only grow, and there is a limit. */
		if (*n == LIMIT_ISO_EXTENTS)
			return err_set(e, ERR_LIMIT, "a file of more than %d extents", LIMIT_ISO_EXTENTS);
		rc = iso_record_get(s, at, rec, e);
		if (rc == 0) {
			at = round_down(at, ISO_SECTOR) + ISO_SECTOR;
			rc = iso_record_get(s, at, rec, e);
		}
		if (rc < 0)
			return rc;
		if (rc == 0 || (rec->flags & ISO_FLAG_DIR))
			return err_set(e, ERR_CORRUPT, "a file that ends without its last extent, at %" PRIu64, at);
	}
	++*n;
	*out = (struct piece){ .off = rec->off, .len = rec->size };
	return 1;
}

static int size_get(struct iso *s, const struct iso_record *first, uint64_t *size, struct err *e)
{
	struct iso_record rec = *first;
	struct piece p;
	unsigned n = 0;
	int rc;

	*size = 0;
	if (first->flags & ISO_FLAG_DIR) {
		*size = first->size;
		return 0;
	}
	while ((rc = piece_next(s, &rec, &n, &p, e)) > 0)
		*size += p.len; /* at most 2^32 each, of a limited number */
	return rc;
}

static int iso_stat(struct fs *fs, uint64_t ino, struct fs_stat *out, struct err *e)
{
	CLEANUP(iso_rock_free) struct iso_rock rock = { .name = STRBUF_INIT, .target = STRBUF_INIT };
	struct iso *s = fs->state;
	struct iso_record rec;
	int rc = node_get(s, ino, &rec, &rock, e);

	if (rc == 0)
		rc = size_get(s, &rec, &out->size, e);
	if (rc < 0)
		return rc;
	/* As Linux numbers them: the block, and which 32 bytes of it. */
	out->ino = ino / s->bs * (s->bs / 32) + ino % s->bs / 32;
	out->mode = rec.flags & ISO_FLAG_DIR ? S_IFDIR | 0555 : S_IFREG | 0444;
	out->nlink = 1;
	out->mtime = iso_date(rec.date);
	if (rock.has_px) {
		out->mode = rock.mode & 0177777;
		out->nlink = rock.nlink;
		out->uid = rock.uid;
		out->gid = rock.gid;
	}
	/* What the directory record is, it is, whatever the mode says. */
	if (rec.flags & ISO_FLAG_DIR)
		out->mode = (out->mode & ~(uint32_t)S_IFMT) | S_IFDIR;
	else if (S_ISDIR(out->mode) || (out->mode & S_IFMT) == 0)
		out->mode = (out->mode & ~(uint32_t)S_IFMT) | S_IFREG;
	if (rock.has_tf[1])
		out->mtime = rock.times[1];
	out->atime = rock.has_tf[2] ? rock.times[2] : out->mtime;
	out->ctime = rock.has_tf[3] ? rock.times[3] : out->mtime;
	if (S_ISLNK(out->mode))
		out->size = rock.target.len;
	if (S_ISCHR(out->mode) || S_ISBLK(out->mode)) {
		/* Two halves; where the higher is empty, the lower is a 16-bit number of old. */
		out->rdev_major = rock.rdev_high ? rock.rdev_high : rock.rdev_low >> 8;
		out->rdev_minor = rock.rdev_high ? rock.rdev_low : rock.rdev_low & 0xff;
	}
	out->blocks512 = div_round_up(out->size, 512);
	return 0;
}

static int iso_op_lookup(struct fs *fs, uint64_t dir, const char *name, uint64_t *ino, struct err *e)
{
	return iso_lookup(fs->state, dir, name, ino, e);
}

static int iso_op_readdir(struct fs *fs, uint64_t dir, int (*fn)(void *, const struct fs_dirent *, struct err *),
			  void *arg, struct err *e)
{
	return iso_readdir(fs->state, dir, fn, arg, e);
}

/* The node of a regular file whose content can be read. */
static int file_get(struct iso *s, uint64_t node, struct iso_record *rec, struct err *e)
{
	CLEANUP(iso_rock_free) struct iso_rock rock = { .name = STRBUF_INIT, .target = STRBUF_INIT };
	int rc = node_get(s, node, rec, &rock, e);

	if (rc < 0)
		return rc;
	if ((rec->flags & ISO_FLAG_DIR) || (rock.has_px && !S_ISREG(rock.mode) && (rock.mode & S_IFMT)))
		return err_set(e, ERR_USAGE, "the record at %" PRIu64 " is not that of a regular file", node);
	if (rock.compressed)
		return err_set(e, ERR_UNSUPPORTED, "the file is compressed by zisofs, which drydock does not read");
	if (rec->interleave)
		return err_set(e, ERR_UNSUPPORTED, "the file is interleaved with others, which drydock does not read");
	return 0;
}

static int iso_pread(struct fs *fs, uint64_t ino, void *buf, size_t len, uint64_t off, size_t *got, struct err *e)
{
	struct iso *s = fs->state;
	struct iso_record rec;
	struct piece p;
	uint64_t start = 0; /* of the piece, in the file */
	unsigned n = 0;
	int rc = file_get(s, ino, &rec, e);

	if (rc < 0)
		return rc;
	while (*got < len && (rc = piece_next(s, &rec, &n, &p, e)) > 0) {
		uint64_t at = off + *got;

		if (at >= start && at - start < p.len) {
			size_t want = (size_t)MIN_OF((uint64_t)(len - *got), p.len - (at - start));

			if (!range_in(p.off, p.len, s->size))
				return err_set(e, ERR_CORRUPT, "%" PRIu64 " bytes at %" PRIu64 ", past the end of the disc", p.len,
					       p.off);
			rc = block_pread(s->dev, (uint8_t *)buf + *got, want, p.off + (at - start), e);
			if (rc < 0)
				return rc;
			*got += want;
		}
		start += p.len;
	}
	return rc < 0 ? rc : 0;
}

/* Everything is data. */
static int iso_extent(struct fs *fs, uint64_t ino, uint64_t off, uint64_t *len, bool *hole, struct err *e)
{
	struct iso_record rec;
	uint64_t size;
	int rc = file_get(fs->state, ino, &rec, e);

	if (rc == 0)
		rc = size_get(fs->state, &rec, &size, e);
	if (rc < 0)
		return rc;
	*len = off < size ? size - off : 0;
	*hole = false;
	return 0;
}

static int iso_readlink(struct fs *fs, uint64_t ino, struct strbuf *target, struct err *e)
{
	CLEANUP(iso_rock_free) struct iso_rock rock = { .name = STRBUF_INIT, .target = STRBUF_INIT };
	struct iso_record rec;
	int rc = node_get(fs->state, ino, &rec, &rock, e);

	if (rc < 0)
		return rc;
	if (!rock.has_px || !S_ISLNK(rock.mode))
		return err_set(e, ERR_USAGE, "the record at %" PRIu64 " is not that of a symlink", ino);
	if (rock.bad_target)
		return err_set(e, ERR_CORRUPT, "the components of the symlink at %" PRIu64 " contradict their lengths", ino);
	if (rock.target.len == 0 || memchr(rock.target.s, 0, rock.target.len))
		return err_set(e, ERR_CORRUPT, "the target of the symlink at %" PRIu64 " is empty or holds a NUL", ino);
	strbuf_add(target, rock.target.s, rock.target.len);
	return target->failed ? err_nomem(e) : 0;
}

static int iso_xattrs(struct fs *fs, uint64_t ino, int (*fn)(void *, const char *, const void *, size_t, struct err *),
		      void *arg, struct err *e)
{
	(void)fs, (void)ino, (void)fn, (void)arg, (void)e;
	return 0;
}

const struct fs_driver fs_iso = {
	.name = "iso9660",
	.state_size = sizeof(struct iso),
	.probe = iso_probe,
	.open = iso_open,
	.close = iso_close,
	.statfs = iso_statfs,
	.stat = iso_stat,
	.lookup = iso_op_lookup,
	.readdir = iso_op_readdir,
	.pread = iso_pread,
	.extent = iso_extent,
	.readlink = iso_readlink,
	.xattrs = iso_xattrs,
};
