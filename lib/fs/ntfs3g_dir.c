/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ntfs3g_dir.c - directories of NTFS.
 *
 * A name may be of four kinds: POSIX, Windows, DOS (8.3), and one that is both of the latter; a Windows name that needs one
 * has a DOS name beside it, which is not listed, as ntfs-3g does not list it, but found.  Names are in order of their
 * letters' upper case, by the volume's own table; those that differ in case only are in order of their units.
 */
#include "ntfs3g.h"

#include "alloc.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

#define NAME_DOS 2
#define ATTR_SYSTEM 0x0004u
#define ATTR_REPARSE 0x0400u
#define ATTR_DIR 0x10000000u

const le16 nt_i30[4] = { { { '$', 0 } }, { { 'I', 0 } }, { { '3', 0 } }, { { '0', 0 } } };

/* The key of an entry: what the file's own attribute says, too. */
struct file_name_raw {
	le64 parent, created, modified, changed, accessed, allocated, size;
	le32 attributes, reparse;
	uint8_t len, kind;
};
#define FILE_NAME_SIZE 66u

struct name {
	uint64_t reference;
	uint32_t attributes;
	uint8_t kind;
	unsigned len;
	uint16_t units[NTFS_NAME_UNITS];
};

/* false: it is none. */
static bool name_of(const struct nt_index_entry *ent, struct name *out)
{
	struct file_name_raw raw;

	if (ent->key_len < FILE_NAME_SIZE)
		return false;
	memcpy(&raw, ent->key, FILE_NAME_SIZE);
	if (raw.len == 0 || ent->key_len - FILE_NAME_SIZE < 2u * raw.len)
		return false;
	out->reference = ent->reference;
	out->attributes = le32_get(raw.attributes);
	out->kind = raw.kind;
	out->len = raw.len;
	for (unsigned i = 0; i < out->len; i++) {
		le16 unit;

		memcpy(&unit, ent->key + FILE_NAME_SIZE + 2 * i, sizeof unit);
		out->units[i] = le16_get(unit);
		if (out->units[i] == 0)
			return false;
	}
	return true;
}

static int open_index(struct nt *x, struct nt_file *dir, struct nt_index *ix, struct err *e)
{
	int rc;

	if (dir->kind != NTFS_KIND_DIR)
		return err_sys(e, ENOTDIR, "file %" PRIu32, NTFS_RECORD_OF(dir->node));
	rc = nt_index_open(x, dir, nt_i30, ARRAY_LEN(nt_i30), ix, e);
	if (rc == -ERR_NOT_FOUND)
		rc = err_set(e, ERR_CORRUPT, "a directory without an index");
	if (rc == 0 && ix->key_type != NTFS_FILE_NAME)
		rc = err_set(e, ERR_CORRUPT, "an index of attribute 0x%" PRIx32 " in a directory", ix->key_type);
	return rc < 0 ? err_in(e, rc, "file %" PRIu32, NTFS_RECORD_OF(dir->node)) : 0;
}

/* ---- reading all ---- */

struct listing {
	int (*fn)(void *arg, const struct fs_dirent *d, struct err *e);
	void *arg;
	struct fs_dirent d;
	struct err bad; /* the first name that cannot be shown; the others are */
	int stopped;
};

static int list_one(void *arg, const struct nt_index_entry *ent, struct err *e)
{
	struct listing *l = arg;
	struct err why = ERR_INIT;
	struct name name;
	size_t len;
	int rc;

	if (!name_of(ent, &name)) {
		rc = err_set(&why, ERR_CORRUPT, "an entry that holds no name");
	} else {
		/* ntfs-3g shows the volume's own files only when it is told to; the root lists itself. */
		if (name.kind == NAME_DOS || (name.reference & 0xffffffffffff) < NTFS_FIRST_USER_FILE)
			return 0;
		len = text_from_utf16(name.units, name.len, l->d.name, sizeof l->d.name);
		rc = memchr(l->d.name, '/', len) ? err_set(&why, ERR_CORRUPT, "a name that holds a slash")
						 : nt_node_of(name.reference, &l->d.ino, &why);
	}
	if (rc < 0) {
		if (l->bad.code == ERR_NONE)
			l->bad = why;
		return 0;
	}
	/* What such files really are is seen in them only. */
	l->d.type = name.attributes & (ATTR_REPARSE | ATTR_SYSTEM) ? 0 : name.attributes & ATTR_DIR ? S_IFDIR : S_IFREG;
	l->stopped = l->fn(l->arg, &l->d, e);
	return l->stopped;
}

static int list_dots(struct nt_file *dir, struct listing *l, struct err *e)
{
	static const char *const dots[] = { ".", ".." };

	/* The directory above is known to the file's names only: who asks for ".." is told the directory's own number. */
	l->d.ino = dir->node;
	l->d.type = S_IFDIR;
	for (size_t i = 0; i < ARRAY_LEN(dots); i++) {
		memcpy(l->d.name, dots[i], strlen(dots[i]) + 1);
		l->stopped = l->fn(l->arg, &l->d, e);
		if (l->stopped)
			return l->stopped;
	}
	return 0;
}

int nt_readdir(struct nt *x, struct nt_file *dir, int (*fn)(void *, const struct fs_dirent *, struct err *), void *arg,
	       struct err *e)
{
	CLEANUP(nt_index_close) struct nt_index ix = { .x = NULL };
	struct listing l = { .fn = fn, .arg = arg };
	int rc = open_index(x, dir, &ix, e);

	if (rc == 0)
		rc = list_dots(dir, &l, e);
	if (rc)
		return rc;
	rc = nt_index_each(&ix, list_one, &l, e);
	if (l.stopped)
		return rc;
	if (rc == 0 && l.bad.code) {
		if (e)
			*e = l.bad;
		rc = -(int)l.bad.code;
	}
	return rc < 0 ? err_in(e, rc, "file %" PRIu32, NTFS_RECORD_OF(dir->node)) : rc;
}

/* ---- looking up one name ---- */

struct search {
	const struct nt *x;
	const uint16_t *units;
	size_t len;
	bool any_case;
	struct name found;
	bool has_found;
};

/* By upper case, then by length; equal so: by the units. */
static int compare(const struct search *s, const struct name *name)
{
	size_t n = MIN_OF(s->len, (size_t)name->len);

	for (size_t i = 0; i < n; i++) {
		int order = s->x->upcase[s->units[i]] - s->x->upcase[name->units[i]];

		if (order)
			return order;
	}
	if (s->len != name->len)
		return s->len < name->len ? -1 : 1;
	for (size_t i = 0; i < n && !s->any_case; i++)
		if (s->units[i] != name->units[i])
			return s->units[i] - name->units[i];
	return 0;
}

static int search_one(void *arg, const struct nt_index_entry *ent)
{
	struct search *s = arg;
	struct name name;
	int order;

	/* A damaged key cannot be compared: what is looked for is taken to lie behind it. */
	if (!name_of(ent, &name))
		return 1;
	order = compare(s, &name);
	if (order)
		return order;
	s->found = name;
	s->has_found = true;
	/* Of those that differ in case the first is wanted, which may lie before this one. */
	return s->any_case ? -1 : 0;
}

static int find(struct nt *x, struct nt_file *dir, struct search *s, struct err *e)
{
	CLEANUP(nt_index_close) struct nt_index ix = { .x = NULL };
	int rc = open_index(x, dir, &ix, e);

	if (rc == 0) {
		rc = nt_index_find(&ix, search_one, s, e);
		if (rc < 0)
			err_in(e, rc, "file %" PRIu32, NTFS_RECORD_OF(dir->node));
	}
	return MIN_OF(rc, 0);
}

int nt_dir_find(struct nt *x, struct nt_file *dir, const uint16_t *name, size_t len, uint64_t *node, uint16_t *found,
		struct err *e)
{
	struct search s = { .x = x, .units = name, .len = len };
	int rc;

	*node = 0;
	if (len == 0 || len > NTFS_NAME_UNITS)
		return 0;
	rc = find(x, dir, &s, e);
	if (rc == 0 && !s.has_found) {
		s.any_case = true;
		rc = find(x, dir, &s, e);
	}
	if (rc < 0 || !s.has_found)
		return rc;
	if (found)
		memcpy(found, s.found.units, len * sizeof *found);
	return nt_node_of(s.found.reference, node, e);
}

struct stream_wish {
	const struct nt *x;
	const uint16_t *units;
	size_t len;
	unsigned number;
};

static int stream_is(void *arg, unsigned number, const struct nt_stream *s, struct err *e)
{
	struct stream_wish *w = arg;

	(void)e;
	if (s->len != w->len)
		return 0;
	for (unsigned i = 0; i < s->len; i++)
		if (w->x->upcase[s->name[i]] != w->x->upcase[w->units[i]])
			return 0;
	w->number = number;
	return 1;
}

/* "FILE:STREAM" */
static int find_stream(struct nt *x, struct nt_file *dir, const uint16_t *name, size_t len, uint64_t *node, struct err *e)
{
	CLEANUP(nt_file_putp) struct nt_file *file = NULL;
	struct stream_wish wish = { .x = x };
	size_t colon = 0;
	int rc;

	while (colon < len && name[colon] != ':')
		colon++;
	if (colon == 0 || colon + 1 >= len)
		return 0;
	rc = nt_dir_find(x, dir, name, colon, node, NULL, e);
	if (rc < 0 || *node == 0)
		return rc;
	rc = nt_file_get(x, *node, &file, e);
	wish.units = name + colon + 1;
	wish.len = len - colon - 1;
	if (rc == 0)
		rc = nt_streams(x, file, stream_is, &wish, e);
	if (rc < 0)
		return rc;
	*node = wish.number ? *node | (uint64_t)wish.number << 32 : 0;
	return 0;
}

int nt_lookup(struct nt *x, struct nt_file *dir, const char *name, uint64_t *node, struct err *e)
{
	uint16_t units[2 * NTFS_NAME_UNITS + 1];
	size_t len = 0;
	int rc = 0;

	*node = 0;
	if (text_to_utf16(name, strlen(name), units, ARRAY_LEN(units), &len)) {
		rc = nt_dir_find(x, dir, units, len, node, NULL, e);
		if (rc == 0 && *node == 0)
			rc = find_stream(x, dir, units, len, node, e);
	}
	if (rc == 0 && *node == 0)
		return err_set(e, ERR_NOT_FOUND, "no such file or directory");
	return rc;
}
