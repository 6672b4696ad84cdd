/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fat_dir.c - directories of FAT, with long names.
 *
 * A long name lies before its entry in up to 20 pieces of 13 units of UTF-16, last piece first; each has its number, the
 * last one marked, and a checksum of the short name.  Pieces that are not all there, or belong to another entry, are
 * remains of a system that knows no long names: then the short name counts.  That is 8 and 3 bytes of a code page, 437 as
 * on Linux by default, with two bits that show either part in lower case, as Windows NT writes and Linux (shortname=mixed)
 * reads them.
 */
#include "fat.h"

#include "alloc.h"
#include "text.h"
#include "upcase.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

#define PIECE_UNITS 13
#define PIECES_MAX 20
#define PIECE_LAST 0x40
#define LOWER_BASE 0x08
#define LOWER_EXT 0x10

struct piece_raw {
	uint8_t number;
	le16 units1[5];
	uint8_t attr, zero, checksum;
	le16 units2[6], zero2, units3[2];
};
_Static_assert(sizeof(struct piece_raw) == FAT_ENTRY_SIZE, "as on the disk");

/* ---- names ---- */

/* Code page 437 from 0x80 on. */
static const uint16_t codepage[128] = {
	0x00c7, 0x00fc, 0x00e9, 0x00e2, 0x00e4, 0x00e0, 0x00e5, 0x00e7, 0x00ea, 0x00eb, 0x00e8, 0x00ef, 0x00ee,
	0x00ec, 0x00c4, 0x00c5, 0x00c9, 0x00e6, 0x00c6, 0x00f4, 0x00f6, 0x00f2, 0x00fb, 0x00f9, 0x00ff, 0x00d6,
	0x00dc, 0x00a2, 0x00a3, 0x00a5, 0x20a7, 0x0192, 0x00e1, 0x00ed, 0x00f3, 0x00fa, 0x00f1, 0x00d1, 0x00aa,
	0x00ba, 0x00bf, 0x2310, 0x00ac, 0x00bd, 0x00bc, 0x00a1, 0x00ab, 0x00bb, 0x2591, 0x2592, 0x2593, 0x2502,
	0x2524, 0x2561, 0x2562, 0x2556, 0x2555, 0x2563, 0x2551, 0x2557, 0x255d, 0x255c, 0x255b, 0x2510, 0x2514,
	0x2534, 0x252c, 0x251c, 0x2500, 0x253c, 0x255e, 0x255f, 0x255a, 0x2554, 0x2569, 0x2566, 0x2560, 0x2550,
	0x256c, 0x2567, 0x2568, 0x2564, 0x2565, 0x2559, 0x2558, 0x2552, 0x2553, 0x256b, 0x256a, 0x2518, 0x250c,
	0x2588, 0x2584, 0x258c, 0x2590, 0x2580, 0x03b1, 0x00df, 0x0393, 0x03c0, 0x03a3, 0x03c3, 0x00b5, 0x03c4,
	0x03a6, 0x0398, 0x03a9, 0x03b4, 0x221e, 0x03c6, 0x03b5, 0x2229, 0x2261, 0x00b1, 0x2265, 0x2264, 0x2320,
	0x2321, 0x00f7, 0x2248, 0x00b0, 0x2219, 0x00b7, 0x221a, 0x207f, 0x00b2, 0x25a0, 0x00a0,
};

/* Letters of the code page above 0x7f that have a lower case in it. */
static uint8_t lower(uint8_t c)
{
	static const uint8_t pairs[][2] = { { 0x80, 0x87 }, { 0x8e, 0x84 }, { 0x8f, 0x86 }, { 0x90, 0x82 }, { 0x92, 0x91 },
					    { 0x99, 0x94 }, { 0x9a, 0x81 }, { 0xa5, 0xa4 }, { 0xe4, 0xe5 }, { 0xe8, 0xed } };

	if (c >= 'A' && c <= 'Z')
		return c + ('a' - 'A');
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		if (pairs[i][0] == c)
			return pairs[i][1];
	return c;
}

/* One part of a short name, without the blanks at its end. */
static size_t short_part(const uint8_t *bytes, size_t len, bool in_lower, uint16_t *units)
{
	size_t n = 0;

	for (size_t i = 0; i < len && bytes[i]; i++) {
		uint8_t c = in_lower ? lower(bytes[i]) : bytes[i];

		units[i] = c < 0x80 ? c : codepage[c - 0x80];
		if (c != ' ')
			n = i + 1;
	}
	return n;
}

/* At most 12 units. */
static size_t short_name(const struct fat_entry_raw *raw, uint16_t *units)
{
	uint8_t bytes[sizeof raw->name];
	size_t n, ext;

	memcpy(bytes, raw->name, sizeof bytes);
	/* The first byte that would mean "deleted". */
	if (bytes[0] == 0x05)
		bytes[0] = 0xe5;
	n = short_part(bytes, 8, raw->lcase & LOWER_BASE, units);
	ext = short_part(bytes + 8, 3, raw->lcase & LOWER_EXT, units + n + 1);
	if (ext == 0)
		return n;
	units[n] = '.';
	return n + 1 + ext;
}

static uint8_t short_checksum(const uint8_t name[11])
{
	uint8_t sum = 0;

	for (size_t i = 0; i < 11; i++)
		sum = (uint8_t)((sum >> 1 | sum << 7) + name[i]);
	return sum;
}

/* A long name that is being put together from its pieces. */
struct pieces {
	uint16_t units[PIECES_MAX * PIECE_UNITS];
	unsigned total, next; /* next: the number of the piece that must follow; 0: complete */
	uint8_t checksum;
};

static void pieces_add(struct pieces *p, const struct piece_raw *raw)
{
	unsigned number = raw->number & ~PIECE_LAST;
	uint16_t *to;

	if (raw->number & PIECE_LAST) {
		p->total = number <= PIECES_MAX ? number : 0;
		p->next = p->total;
		p->checksum = raw->checksum;
	}
	if (p->total == 0 || number == 0 || number != p->next || raw->checksum != p->checksum) {
		p->total = 0;
		return;
	}
	p->next--;
	to = p->units + p->next * PIECE_UNITS;
	for (size_t i = 0; i < 5; i++)
		*to++ = le16_get(raw->units1[i]);
	for (size_t i = 0; i < 6; i++)
		*to++ = le16_get(raw->units2[i]);
	for (size_t i = 0; i < 2; i++)
		*to++ = le16_get(raw->units3[i]);
}

/* The long name of the entry that follows the pieces; 0: it has none. */
static size_t pieces_name(const struct pieces *p, const struct fat_entry_raw *raw, uint16_t name[FAT_NAME_UNITS])
{
	size_t n = 0;

	if (p->total == 0 || p->next != 0 || p->checksum != short_checksum(raw->name))
		return 0;
	while (n < p->total * PIECE_UNITS && p->units[n])
		n++;
	if (n > FAT_NAME_UNITS)
		return 0;
	memcpy(name, p->units, n * sizeof *name);
	return n;
}

/* ---- walking ---- */

/* Where on the device byte off of the directory lies, and how many follow there. */
static int dir_place(struct fat *f, struct fat_file *dir, uint64_t off, uint64_t *at, uint64_t *len, struct err *e)
{
	unsigned bits = f->clusters.bits;
	uint32_t cluster = 0;
	uint64_t run = 0;
	int rc;

	if (dir->node == FAT_ROOT && f->super.bits != 32) {
		*at = f->super.root_off + off;
		*len = dir->dir_size - off;
		return 0;
	}
	rc = chain_map(&f->clusters, &dir->chain, off >> bits, 1, &cluster, &run, e);
	*at = clusters_off(&f->clusters, cluster) + (off & ((1u << bits) - 1));
	*len = (1u << bits) - (off & ((1u << bits) - 1));
	return rc;
}

static bool is_dots(const struct fat_entry_raw *raw)
{
	return memcmp(raw->name, ".          ", sizeof raw->name) == 0 || memcmp(raw->name, "..         ", sizeof raw->name) == 0;
}

/* It ends: off only grows, to the directory's size. */
static int walk(struct fat *f, struct fat_file *dir, int (*fn)(void *, const struct fat_dirent *, struct err *), void *arg,
		struct err *e)
{
	struct pieces pieces = { .total = 0 };
	struct fat_dirent d;
	uint64_t at = 0, left = 0;
	int rc = fat_file_load(f, dir, e);

	if (rc < 0)
		return rc;
	for (uint64_t off = 0; off < dir->dir_size; off += FAT_ENTRY_SIZE, at += FAT_ENTRY_SIZE, left -= FAT_ENTRY_SIZE) {
		if (left == 0)
			rc = dir_place(f, dir, off, &at, &left, e);
		if (rc == 0)
			rc = lines_read(&f->io, &d.raw, sizeof d.raw, at, e);
		if (rc < 0)
			return rc;
		/* What lies behind the first entry that was never used is no part of the directory. */
		if (d.raw.name[0] == 0)
			return 0;
		if (d.raw.attr == FAT_LONG_NAME && d.raw.name[0] != FAT_DELETED) {
			struct piece_raw piece;

			memcpy(&piece, &d.raw, sizeof piece);
			pieces_add(&pieces, &piece);
			continue;
		}
		if (d.raw.name[0] != FAT_DELETED && !(d.raw.attr & FAT_VOLUME) && !is_dots(&d.raw)) {
			d.node = at / FAT_ENTRY_SIZE;
			d.len = pieces_name(&pieces, &d.raw, d.name);
			d.has_long = d.len > 0;
			if (!d.has_long)
				d.len = short_name(&d.raw, d.name);
			rc = fn(arg, &d, e);
			if (rc)
				return rc;
		}
		pieces.total = 0;
	}
	return 0;
}

int fat_dir_walk(struct fat *f, struct fat_file *dir, int (*fn)(void *, const struct fat_dirent *, struct err *), void *arg,
		 struct err *e)
{
	if (!dir->is_dir)
		return err_sys(e, ENOTDIR, "the file at %" PRIu64, dir->node);
	return walk(f, dir, fn, arg, e);
}

/* ---- reading all ---- */

struct listing {
	int (*fn)(void *arg, const struct fs_dirent *d, struct err *e);
	void *arg;
	struct fs_dirent d;
};

static int list_one(void *arg, const struct fat_dirent *d, struct err *e)
{
	struct listing *l = arg;
	size_t len = text_from_utf16(d->name, d->len, l->d.name, sizeof l->d.name);

	if (len == 0 || memchr(l->d.name, '/', len))
		return err_set(e, ERR_CORRUPT, "a directory entry whose name is empty or holds a slash");
	l->d.ino = d->node;
	l->d.type = d->raw.attr & FAT_DIR ? S_IFDIR : S_IFREG;
	return l->fn(l->arg, &l->d, e);
}

/* ".." has no entry of its own number here: who asks for it is told the directory's. */
int fat_readdir(struct fat *f, struct fat_file *dir, int (*fn)(void *, const struct fs_dirent *, struct err *), void *arg,
		struct err *e)
{
	struct listing l = { .fn = fn, .arg = arg, .d = { .ino = dir->node, .type = S_IFDIR } };
	static const char *const dots[] = { ".", ".." };

	if (!dir->is_dir)
		return err_sys(e, ENOTDIR, "the file at %" PRIu64, dir->node);
	for (size_t i = 0; i < ARRAY_LEN(dots); i++) {
		int rc;

		memcpy(l.d.name, dots[i], strlen(dots[i]) + 1);
		rc = fn(arg, &l.d, e);
		if (rc)
			return rc;
	}
	return fat_dir_walk(f, dir, list_one, &l, e);
}

/* ---- looking up one name ---- */

/*
 * The name as it is shown wins; else the first whose letters differ in case only, or whose short name it is.
 */
struct search {
	const char *name;
	uint16_t folded[FAT_NAME_UNITS];
	size_t len;
	uint64_t exact, other;
};

static bool equal_folded(const struct search *s, const uint16_t *units, size_t len)
{
	if (len != s->len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (upcase_unit(units[i]) != s->folded[i])
			return false;
	return true;
}

static int search_one(void *arg, const struct fat_dirent *d, struct err *e)
{
	struct search *s = arg;
	char utf8[FS_NAME_MAX + 1];
	uint16_t alias[12];

	(void)e;
	text_from_utf16(d->name, d->len, utf8, sizeof utf8);
	if (strcmp(utf8, s->name) == 0) {
		s->exact = d->node;
		return 1;
	}
	if (!s->other && (equal_folded(s, d->name, d->len) ||
			  (d->has_long && equal_folded(s, alias, short_name(&d->raw, alias)))))
		s->other = d->node;
	return 0;
}

int fat_lookup(struct fat *f, struct fat_file *dir, const char *name, uint64_t *node, struct err *e)
{
	struct search s = { .name = name };
	int rc;

	if (!text_to_utf16(name, strlen(name), s.folded, FAT_NAME_UNITS, &s.len))
		return err_set(e, ERR_NOT_FOUND, "no such file or directory");
	for (size_t i = 0; i < s.len; i++)
		s.folded[i] = upcase_unit(s.folded[i]);
	rc = fat_dir_walk(f, dir, search_one, &s, e);
	if (rc < 0)
		return rc;
	*node = s.exact ? s.exact : s.other;
	if (*node == 0)
		return err_set(e, ERR_NOT_FOUND, "no such file or directory");
	return 0;
}
