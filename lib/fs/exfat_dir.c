/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* exfat_dir.c - directories of exFAT: sets of entries, the tables in the root, names with and without regard to case. */
#include "exfat.h"

#include "alloc.h"
#include "checked.h"
#include "fat.h"
#include "limits.h"
#include "text.h"
#include "upcase.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

#define NAME_PIECE 15u

enum { STREAM_ALLOCATED = 1, STREAM_CONTIGUOUS = 2 };

/* ---- a place in a directory ---- */

/* Where an entry lies on the device, and what is needed to find the next one. */
struct place {
	uint64_t at;
	uint64_t left; /* entries of the directory behind it, as far as that is known */
	bool contiguous;
};

/* 1: the next entry; 0: the directory ends there. */
static int place_next(struct exfat *x, struct place *p, struct err *e)
{
	uint64_t size = 1ULL << x->clusters.bits;
	uint32_t cluster, next = 0;
	int rc;

	if (p->left-- == 0)
		return 0;
	p->at += EXFAT_ENTRY_SIZE;
	if ((p->at - x->clusters.off) % size)
		return 1;
	cluster = (uint32_t)((p->at - x->clusters.off) / size) - 1 + 2;
	if (p->contiguous)
		return cluster + 1 - 2 < x->clusters.n;
	rc = clusters_next(&x->clusters, cluster, &next, e);
	if (rc < 0 || next == 0)
		return rc;
	p->at = clusters_off(&x->clusters, next);
	return 1;
}

static int place_of_node(struct exfat *x, uint64_t node, struct place *p, struct err *e)
{
	uint64_t end = x->clusters.off + ((uint64_t)x->clusters.n << x->clusters.bits);

	p->contiguous = node & 1;
	p->left = EXFAT_SET_MAX;
	if (!checked_mul(node >> 1, EXFAT_ENTRY_SIZE, &p->at) || p->at < x->clusters.off ||
	    !range_in(p->at, EXFAT_ENTRY_SIZE, end))
		return err_set(e, ERR_CORRUPT, "no directory entry lies at %" PRIu64, node >> 1);
	return 0;
}

/* ---- one set ---- */

/* Times have 2 seconds, some hundredths beside them, and a zone in quarters of an hour, 7 bits signed, where it is known. */
static struct fs_time time_of(le32 stamp, uint8_t hundredths, uint8_t zone)
{
	uint32_t v = le32_get(stamp);
	struct fs_time t = fat_time((uint16_t)(v >> 16), (uint16_t)v, hundredths);
	int quarters = (zone & 0x7f) < 0x40 ? zone & 0x7f : (zone & 0x7f) - 0x80;

	if (zone & 0x80)
		t.sec -= quarters * 900;
	return t;
}

static int take_stream(struct exfat *x, const struct exfat_stream_raw *raw, struct exfat_set *s, struct err *e)
{
	s->contiguous = raw->flags & STREAM_CONTIGUOUS;
	s->first = le32_get(raw->first);
	s->len = le64_get(raw->len);
	s->valid_len = le64_get(raw->valid_len);
	s->name_len = raw->name_len;
	if (s->valid_len > s->len)
		return err_set(e, ERR_CORRUPT, "%" PRIu64 " bytes written of a file of %" PRIu64, s->valid_len, s->len);
	if (s->len > (uint64_t)x->clusters.n << x->clusters.bits)
		return err_set(e, ERR_CORRUPT, "a file of %" PRIu64 " bytes, more than the volume has", s->len);
	if (s->len && (!(raw->flags & STREAM_ALLOCATED) || s->first == 0))
		return err_set(e, ERR_CORRUPT, "%" PRIu64 " bytes, but no cluster", s->len);
	return 0;
}

/* Names follow the stream; what else belongs to the set and need not be understood comes behind them. */
static int take_name(const uint8_t entries[][EXFAT_ENTRY_SIZE], struct exfat_set *s, struct err *e)
{
	unsigned npieces = 0;

	for (unsigned i = 2; i < s->nentries; i++) {
		if (entries[i][0] == EXFAT_NAME && npieces == i - 2)
			npieces++;
		else if (!(entries[i][0] & EXFAT_BENIGN))
			return err_set(e, ERR_CORRUPT, "an entry of type 0x%02x in a file's set", entries[i][0]);
	}
	if (s->name_len == 0 || s->name_len > npieces * NAME_PIECE)
		return err_set(e, ERR_CORRUPT, "a name of %zu units in %u entries", s->name_len, npieces);
	for (size_t at = 0; at < s->name_len; at++) {
		struct exfat_name_raw raw;

		memcpy(&raw, entries[2 + at / NAME_PIECE], sizeof raw);
		s->name[at] = le16_get(raw.units[at % NAME_PIECE]);
		if (s->name[at] == 0 || s->name[at] == '/')
			return err_set(e, ERR_CORRUPT, "a name that holds a slash or a NUL");
	}
	return 0;
}

static uint16_t set_checksum(const uint8_t entries[][EXFAT_ENTRY_SIZE], size_t n)
{
	uint16_t sum = 0;

	for (size_t i = 0; i < n * EXFAT_ENTRY_SIZE; i++)
		if (i != 2 && i != 3)
			sum = (uint16_t)((sum >> 1 | (unsigned)sum << 15) + entries[i / EXFAT_ENTRY_SIZE][i % EXFAT_ENTRY_SIZE]);
	return sum;
}

/* The set whose first entry lies at p, which is left at the last one.  It ends: a set has at most EXFAT_SET_MAX entries. */
static int set_take(struct exfat *x, struct place *p, struct exfat_set *s, struct err *e)
{
	uint8_t entries[EXFAT_SET_MAX][EXFAT_ENTRY_SIZE];
	struct exfat_file_raw file;
	struct exfat_stream_raw stream;
	int rc;

	memset(s, 0, sizeof *s);
	s->node = p->at / EXFAT_ENTRY_SIZE * 2 + p->contiguous;
	rc = lines_read(&x->io, entries[0], EXFAT_ENTRY_SIZE, p->at, e);
	if (rc < 0)
		return rc;
	memcpy(&file, entries[0], sizeof file);
	if (file.type != EXFAT_FILE)
		return err_set(e, ERR_CORRUPT, "what lies at %" PRIu64 " is no file's directory entry", s->node >> 1);
	s->nentries = file.nsecondary + 1u;
	if (s->nentries < 3 || s->nentries > EXFAT_SET_MAX)
		return err_set(e, ERR_CORRUPT, "a set of %u directory entries", s->nentries);
	for (unsigned i = 1; i < s->nentries; i++) {
		rc = place_next(x, p, e);
		if (rc > 0)
			rc = lines_read(&x->io, entries[i], EXFAT_ENTRY_SIZE, p->at, e);
		else if (rc == 0)
			rc = err_set(e, ERR_CORRUPT, "the directory ends within a set of entries");
		if (rc < 0)
			return rc;
	}
	if (set_checksum(entries, s->nentries) != le16_get(file.checksum))
		return err_set(e, ERR_CORRUPT, "the checksum of the directory entries at %" PRIu64 " does not match", s->node >> 1);

	s->attr = le16_get(file.attr);
	s->created = time_of(file.created, file.created_10ms, file.created_zone);
	s->modified = time_of(file.modified, file.modified_10ms, file.modified_zone);
	s->accessed = time_of(file.accessed, 0, file.accessed_zone);
	memcpy(&stream, entries[1], sizeof stream);
	if (stream.type != EXFAT_STREAM)
		return err_set(e, ERR_CORRUPT, "no stream entry follows that of the file");
	rc = take_stream(x, &stream, s, e);
	return rc < 0 ? rc : take_name(entries, s, e);
}

int exfat_set_read(struct exfat *x, uint64_t node, struct exfat_set *out, struct err *e)
{
	struct place p;
	int rc = place_of_node(x, node, &p, e);

	return rc < 0 ? rc : set_take(x, &p, out, e);
}

/* ---- all of them ---- */

typedef int (*entry_fn)(struct exfat *x, struct place *p, uint8_t type, void *arg, struct err *e);

/* Calls fn at each entry in use; it may move p on.  It ends: entries are counted. */
static int entries_walk(struct exfat *x, struct exfat_file *dir, entry_fn fn, void *arg, struct err *e)
{
	struct place p = { .contiguous = dir->set.contiguous };
	int rc = 1;

	if (dir->set.len < EXFAT_ENTRY_SIZE)
		return 0;
	p.at = clusters_off(&x->clusters, dir->chain.first);
	p.left = dir->set.len / EXFAT_ENTRY_SIZE - 1;
	while (rc > 0) {
		uint8_t type = 0;

		rc = lines_read(&x->io, &type, sizeof type, p.at, e);
		if (rc < 0)
			return rc;
		if (type == EXFAT_END)
			return 0;
		if (type & EXFAT_IN_USE) {
			rc = fn(x, &p, type, arg, e);
			if (rc)
				return rc;
		}
		rc = place_next(x, &p, e);
	}
	return rc;
}

struct files {
	int (*fn)(void *arg, const struct exfat_set *s, struct err *e);
	void *arg;
	struct err bad;
};

static int on_entry(struct exfat *x, struct place *p, uint8_t type, void *arg, struct err *e)
{
	struct files *f = arg;
	struct place after = *p;
	struct exfat_set s;
	struct err why = ERR_INIT;
	int rc;

	if (type != EXFAT_FILE)
		return 0;
	rc = set_take(x, &after, &s, &why);
	if (rc == -ERR_CORRUPT) {
		if (f->bad.code == ERR_NONE)
			f->bad = why;
		return 0;
	}
	if (rc < 0) {
		if (e)
			*e = why;
		return rc;
	}
	*p = after;
	return f->fn(f->arg, &s, e);
}

int exfat_dir_walk(struct exfat *x, struct exfat_file *dir, int (*fn)(void *, const struct exfat_set *, struct err *),
		   void *arg, struct err *e)
{
	struct files f = { .fn = fn, .arg = arg };
	int rc;

	if (!dir->is_dir)
		return err_sys(e, ENOTDIR, "the file at %" PRIu64, dir->node >> 1);
	rc = exfat_file_load(x, dir, e);
	if (rc == 0)
		rc = entries_walk(x, dir, on_entry, &f, e);
	if (rc == 0 && f.bad.code) {
		if (e)
			*e = f.bad;
		return -(int)f.bad.code;
	}
	return rc;
}

struct listing {
	int (*fn)(void *arg, const struct fs_dirent *d, struct err *e);
	void *arg;
	struct fs_dirent d;
};

static int list_one(void *arg, const struct exfat_set *s, struct err *e)
{
	struct listing *l = arg;

	text_from_utf16(s->name, s->name_len, l->d.name, sizeof l->d.name);
	l->d.ino = s->node;
	l->d.type = s->attr & EXFAT_DIR ? S_IFDIR : S_IFREG;
	return l->fn(l->arg, &l->d, e);
}

/* The directory knows nothing of the one above it: who asks for ".." is told the directory's own number. */
int exfat_readdir(struct exfat *x, struct exfat_file *dir, int (*fn)(void *, const struct fs_dirent *, struct err *),
		  void *arg, struct err *e)
{
	struct listing l = { .fn = fn, .arg = arg, .d = { .ino = dir->node, .type = S_IFDIR } };
	static const char *const dots[] = { ".", ".." };

	if (!dir->is_dir)
		return err_sys(e, ENOTDIR, "the file at %" PRIu64, dir->node >> 1);
	for (size_t i = 0; i < ARRAY_LEN(dots); i++) {
		int rc;

		memcpy(l.d.name, dots[i], strlen(dots[i]) + 1);
		rc = fn(arg, &l.d, e);
		if (rc)
			return rc;
	}
	return exfat_dir_walk(x, dir, list_one, &l, e);
}

/* ---- looking up one name: as it is shown, else the first that differs in case only ---- */

static uint16_t upper(const struct exfat *x, uint16_t unit)
{
	return x->upcase ? x->upcase[unit] : upcase_unit(unit);
}

struct search {
	const struct exfat *x;
	const char *name;
	uint16_t folded[EXFAT_NAME_UNITS];
	size_t len;
	uint64_t exact, other;
};

static int search_one(void *arg, const struct exfat_set *set, struct err *e)
{
	struct search *s = arg;
	char utf8[FS_NAME_MAX + 1];
	size_t i = 0;

	(void)e;
	if (set->name_len != s->len)
		return 0;
	while (i < s->len && upper(s->x, set->name[i]) == s->folded[i])
		i++;
	if (i < s->len)
		return 0;
	text_from_utf16(set->name, set->name_len, utf8, sizeof utf8);
	if (strcmp(utf8, s->name) == 0) {
		s->exact = set->node;
		return 1;
	}
	if (!s->other)
		s->other = set->node;
	return 0;
}

int exfat_lookup(struct exfat *x, struct exfat_file *dir, const char *name, uint64_t *node, struct err *e)
{
	struct search s = { .x = x, .name = name };
	int rc;

	if (!text_to_utf16(name, strlen(name), s.folded, EXFAT_NAME_UNITS, &s.len))
		return err_set(e, ERR_NOT_FOUND, "no such file or directory");
	for (size_t i = 0; i < s.len; i++)
		s.folded[i] = upper(x, s.folded[i]);
	rc = exfat_dir_walk(x, dir, search_one, &s, e);
	*node = s.exact ? s.exact : s.other;
	/* Damaged neighbours do not matter to who was found. */
	if (*node && (rc >= 0 || rc == -ERR_CORRUPT)) {
		err_clear(e);
		return 0;
	}
	return rc < 0 ? rc : err_set(e, ERR_NOT_FOUND, "no such file or directory");
}

/* ---- the tables in the root directory ---- */

struct tables {
	struct exfat_table_raw upcase, bitmap;
	bool has_upcase;
};

static int find_table(struct exfat *x, struct place *p, uint8_t type, void *arg, struct err *e)
{
	struct tables *t = arg;
	struct exfat_table_raw raw;
	int rc;

	if (type != EXFAT_UPCASE && type != EXFAT_BITMAP)
		return 0;
	rc = lines_read(&x->io, &raw, sizeof raw, p->at, e);
	if (rc < 0)
		return rc;
	if (type == EXFAT_UPCASE && !t->has_upcase) {
		t->upcase = raw;
		t->has_upcase = true;
	}
	/* With two tables there are two bitmaps, too. */
	if (type == EXFAT_BITMAP && (x->super.ntables == 1 || (raw.flags & 1) == (x->super.flags & EXFAT_ACTIVE_TABLE))) {
		x->bitmap_first = le32_get(raw.first);
		x->bitmap_len = le64_get(raw.len);
	}
	return 0;
}

/* Units as they are, but 0xffff and a number stand for so many that are their own upper case.  1: it is a table. */
static int upcase_unpack(const uint8_t *bytes, size_t len, uint16_t *table)
{
	size_t at = 0;

	for (size_t i = 0; i < EXFAT_UPCASE_UNITS; i++)
		table[i] = (uint16_t)i;
	for (size_t i = 0; i + 2 <= len; i += 2) {
		unsigned v = bytes[i] | (unsigned)bytes[i + 1] << 8;

		if (v == 0xffff && i + 4 <= len && at < 0xffff) {
			i += 2;
			at += bytes[i] | (size_t)bytes[i + 1] << 8;
		} else if (at < EXFAT_UPCASE_UNITS) {
			table[at++] = (uint16_t)v;
		} else {
			return 0;
		}
	}
	return at <= EXFAT_UPCASE_UNITS;
}

static int upcase_load(struct exfat *x, const struct exfat_table_raw *raw, bool *damaged, struct err *e)
{
	CLEANUP(chain_free) struct chain chain = { .n = 0 };
	CLEANUP(free_ptr) uint8_t *bytes = NULL;
	CLEANUP(free_ptr) uint16_t *table = NULL;
	uint64_t len = le64_get(raw->len);
	uint32_t sum = 0;
	int rc;

	if (len < 2 || len > 2 * EXFAT_UPCASE_UNITS || len % 2)
		return 0;
	bytes = alloc_bytes((size_t)len);
	table = alloc_array(EXFAT_UPCASE_UNITS, sizeof *table);
	if (!bytes || !table)
		return err_nomem(e);
	rc = chain_load(&x->clusters, le32_get(raw->first), &chain, e);
	if (rc == 0)
		rc = chain_read(&x->clusters, &chain, bytes, (size_t)len, 0, e);
	if (rc == -ERR_CORRUPT) {
		err_clear(e);
		return 0;
	}
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < len; i++)
		sum = (sum >> 1 | sum << 31) + bytes[i];
	if (sum != le32_get(raw->checksum) || !upcase_unpack(bytes, (size_t)len, table))
		return 0;
	*damaged = false;
	x->upcase = take(table);
	return 0;
}

int exfat_tables_load(struct exfat *x, bool *damaged, struct err *e)
{
	CLEANUP(exfat_file_putp) struct exfat_file *root = NULL;
	struct tables t = { .has_upcase = false };
	int rc = exfat_file_get(x, EXFAT_ROOT, &root, e);

	*damaged = true;
	if (rc == 0)
		rc = exfat_file_load(x, root, e);
	if (rc == 0)
		rc = entries_walk(x, root, find_table, &t, e);
	if (rc < 0 || !t.has_upcase)
		return rc;
	return upcase_load(x, &t.upcase, damaged, e);
}
