/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tar.c - POSIX pax archives (IEEE Std 1003.1, "pax"), written.
 *
 *	[ header 'x' | records "LEN KEY=VALUE\n" ... ]	where the second header has no room
 *	header of 512 bytes | content | zeros to 512
 *	...
 *	zeros: two blocks at least
 *
 * Beyond POSIX, in the words that GNU tar, star and libarchive share: SCHILY.xattr.NAME for extended attributes,
 * SCHILY.acl.access and SCHILY.acl.default for ACLs, and GNU's format 1.0 for sparse files: the content begins with a map, in
 * decimal lines, filled up to a block, and records tell the true name and size.
 */
#include "tar.h"

#include "ondisk.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Of struct posix_header: where fields are, and how long. */
enum {
	NAME = 0, NAME_LEN = 100,
	MODE = 100, UID = 108, GID = 116, NUMBER_LEN = 8,
	SIZE = 124, MTIME = 136, LONG_LEN = 12,
	CHECKSUM = 148,
	TYPE = 156,
	LINK = 157,
	MAGIC = 257,
	MAJOR = 329, MINOR = 337,
};

#define RECORD (20 * TAR_BLOCK)

static const char zeros[TAR_BLOCK];

void tar_pad(struct strbuf *out, uint64_t content)
{
	strbuf_add(out, zeros, (size_t)((TAR_BLOCK - content % TAR_BLOCK) % TAR_BLOCK));
}

void tar_end(struct strbuf *out, uint64_t written)
{
	uint64_t len = 2 * TAR_BLOCK;

	len += (RECORD - (written + len) % RECORD) % RECORD;
	for (; len; len -= TAR_BLOCK)
		strbuf_add(out, zeros, TAR_BLOCK);
}

/* ---- the header of 512 bytes ---- */

/* How much fits: digits of base 8 and a NUL. */
static bool fits(uint64_t n, size_t field)
{
	return n >> (3 * (field - 1)) == 0;
}

/* What does not fit is told by a pax record; here it is the largest that does. */
static void put_number(char *header, size_t at, size_t field, uint64_t n)
{
	char text[24];

	if (!fits(n, field))
		n = (1ULL << (3 * (field - 1))) - 1;
	snprintf(text, sizeof text, "%0*" PRIo64, (int)field - 1, n);
	memcpy(header + at, text, field);
}

/* What does not fit is cut off, and told by a pax record. */
static void put_text(char *header, size_t at, const char *text)
{
	size_t len = strlen(text);

	memcpy(header + at, text, len < NAME_LEN ? len : NAME_LEN);
}

static void put_checksum(char *header)
{
	unsigned sum = 0;
	char text[8];

	memset(header + CHECKSUM, ' ', sizeof text);
	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += (unsigned char)header[i];
	snprintf(text, sizeof text, "%06o", sum);
	memcpy(header + CHECKSUM, text, sizeof text - 1);
}

static void put_header(struct strbuf *out, const struct tar_member *m, char type, const char *name, uint64_t size)
{
	char header[TAR_BLOCK] = { 0 };

	put_text(header, NAME, name);
	put_number(header, MODE, NUMBER_LEN, m->mode & 07777);
	put_number(header, UID, NUMBER_LEN, m->uid);
	put_number(header, GID, NUMBER_LEN, m->gid);
	put_number(header, SIZE, LONG_LEN, size);
	put_number(header, MTIME, LONG_LEN, m->mtime.sec > 0 ? (uint64_t)m->mtime.sec : 0);
	header[TYPE] = type;
	if (m->link)
		put_text(header, LINK, m->link);
	memcpy(header + MAGIC, "ustar\00000", 8);
	put_number(header, MAJOR, NUMBER_LEN, m->major);
	put_number(header, MINOR, NUMBER_LEN, m->minor);
	put_checksum(header);
	strbuf_add(out, header, sizeof header);
}

/* ---- pax records ---- */

/* "LEN KEY=VALUE\n", where LEN counts all of that, its own digits too. */
static void record(struct strbuf *out, const char *key, const void *value, size_t len)
{
	size_t rest = 1 + strlen(key) + 1 + len + 1, total = rest;
	char digits[24];

	/* A longer LEN makes LEN longer at most once more: two rounds settle it, as the number of digits only grows. */
	for (int i = 0; i < 3; i++)
		total = rest + (size_t)snprintf(digits, sizeof digits, "%zu", total);
	strbuf_printf(out, "%zu %s=", total, key);
	strbuf_add(out, value, len);
	strbuf_putc(out, '\n');
}

static void text_record(struct strbuf *out, const char *key, const char *value)
{
	record(out, key, value, strlen(value));
}

static void number_record(struct strbuf *out, const char *key, uint64_t n)
{
	char text[24];

	record(out, key, text, (size_t)snprintf(text, sizeof text, "%" PRIu64, n));
}

static void time_record(struct strbuf *out, const char *key, struct tar_time t)
{
	char text[48];
	uint64_t whole = (uint64_t)t.sec;
	uint32_t nsec = t.nsec;
	bool negative = t.sec < 0;

	/* Nanoseconds count forwards, a decimal fraction away from zero. */
	if (negative) {
		whole = 0 - whole;
		if (nsec) {
			whole--;
			nsec = 1000000000 - nsec;
		}
	}
	if (nsec)
		snprintf(text, sizeof text, "%s%" PRIu64 ".%09" PRIu32, negative ? "-" : "", whole, nsec);
	else
		snprintf(text, sizeof text, "%s%" PRIu64, negative ? "-" : "", whole);
	text_record(out, key, text);
}

static bool is_ascii(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s >= 0x80)
			return false;
	return true;
}

static bool is_utf8(const char *s)
{
	return text_utf8_valid(s, strlen(s)) == strlen(s);
}

/* A name that the old header cannot say; one that is not UTF-8 is best left there, where nobody takes it for text. */
static bool needs_record(const char *s)
{
	return strlen(s) > NAME_LEN || (!is_ascii(s) && is_utf8(s));
}

/* The key of a record ends at "=": GNU tar writes one that is in an attribute's name as %3D, and then % as %25. */
static void xattr_record(struct strbuf *out, const struct tar_xattr *x)
{
	struct strbuf key = STRBUF_INIT;

	strbuf_puts(&key, "SCHILY.xattr.");
	for (const char *p = x->name; *p; p++) {
		if (*p == '=')
			strbuf_puts(&key, "%3D");
		else if (*p == '%')
			strbuf_puts(&key, "%25");
		else
			strbuf_putc(&key, *p);
	}
	out->failed |= key.failed;
	record(out, key.s, x->value, x->len);
	strbuf_free(&key);
}

static uint64_t runs_size(const struct tar_member *m)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < m->nruns; i++)
		sum += m->runs[i].len;
	return sum;
}

uint64_t tar_content_size(const struct tar_member *m)
{
	return m->type != TAR_FILE ? 0 : m->runs ? runs_size(m) : m->size;
}

/* A hole at the end is a run of no bytes that begins there. */
static bool ends_in_hole(const struct tar_member *m)
{
	const struct tar_run *last = m->nruns ? &m->runs[m->nruns - 1] : NULL;

	return !last || last->off + last->len < m->size;
}

static void sparse_map(struct strbuf *out, const struct tar_member *m)
{
	size_t before = out->len;
	bool end = ends_in_hole(m);

	strbuf_printf(out, "%zu\n", m->nruns + end);
	for (size_t i = 0; i < m->nruns; i++)
		strbuf_printf(out, "%" PRIu64 "\n%" PRIu64 "\n", m->runs[i].off, m->runs[i].len);
	if (end)
		strbuf_printf(out, "%" PRIu64 "\n0\n", m->size);
	tar_pad(out, out->len - before);
}

static void records(struct strbuf *out, const struct tar_member *m, uint64_t stored)
{
	if ((needs_record(m->path) && !is_utf8(m->path)) || (m->link && needs_record(m->link) && !is_utf8(m->link)))
		text_record(out, "hdrcharset", "BINARY");
	if (m->runs) {
		text_record(out, "GNU.sparse.major", "1");
		text_record(out, "GNU.sparse.minor", "0");
		text_record(out, "GNU.sparse.name", m->path);
		number_record(out, "GNU.sparse.realsize", m->size);
	} else if (needs_record(m->path)) {
		text_record(out, "path", m->path);
	}
	if (m->link && needs_record(m->link))
		text_record(out, "linkpath", m->link);
	if (!fits(stored, LONG_LEN))
		number_record(out, "size", stored);
	if (!fits(m->uid, NUMBER_LEN))
		number_record(out, "uid", m->uid);
	if (!fits(m->gid, NUMBER_LEN))
		number_record(out, "gid", m->gid);
	if (!fits(m->major, NUMBER_LEN))
		number_record(out, "SCHILY.devmajor", m->major);
	if (!fits(m->minor, NUMBER_LEN))
		number_record(out, "SCHILY.devminor", m->minor);
	if (m->mtime.nsec || m->mtime.sec < 0 || !fits((uint64_t)m->mtime.sec, LONG_LEN))
		time_record(out, "mtime", m->mtime);
	if (m->atime)
		time_record(out, "atime", *m->atime);
	if (m->ctime)
		time_record(out, "ctime", *m->ctime);
	for (size_t i = 0; i < m->nxattrs; i++)
		xattr_record(out, &m->xattrs[i]);
	if (m->acl)
		text_record(out, "SCHILY.acl.access", m->acl);
	if (m->default_acl)
		text_record(out, "SCHILY.acl.default", m->default_acl);
}

/* "dir/WORD/name": what a tar that does not know the pax header unpacks it, or a sparse file's map and data, as. */
static void name_beside(char buf[NAME_LEN + 1], const char *path, const char *word)
{
	size_t len = strlen(path), at;

	while (len && path[len - 1] == '/')
		len--;
	for (at = len; at && path[at - 1] != '/'; at--)
		;
	snprintf(buf, NAME_LEN + 1, "%.*s%s/%.*s", (int)at, path, word, (int)(len - at), path + at);
}

void tar_member(struct strbuf *out, const struct tar_member *m)
{
	struct strbuf pax = STRBUF_INIT, map = STRBUF_INIT;
	char name[NAME_LEN + 1];
	uint64_t stored = tar_content_size(m);

	if (m->type == TAR_FILE && m->runs) {
		sparse_map(&map, m);
		stored += map.len;
	}
	records(&pax, m, stored);
	if (pax.len) {
		const struct tar_member about = { .mode = 0644, .mtime = { 0, 0 } };

		name_beside(name, m->path, "PaxHeaders");
		put_header(out, &about, 'x', name, pax.len);
		strbuf_add(out, pax.s, pax.len);
		tar_pad(out, pax.len);
	}
	if (m->runs)
		name_beside(name, m->path, "GNUSparseFile.0");
	put_header(out, m, (char)m->type, m->runs ? name : m->path, stored);
	strbuf_add(out, map.s, map.len);
	out->failed |= pax.failed || map.failed;
	strbuf_free(&pax);
	strbuf_free(&map);
}

/* ---- ACLs ---- */

/* As the kernel gives them: a version, then entries of a tag, permissions, and whose they are. */
struct acl_entry {
	le16 tag, perm;
	le32 id;
};
enum { ACL_VERSION = 2 };

bool tar_acl_text(struct strbuf *out, const void *value, size_t len)
{
	static const struct {
		uint16_t tag;
		bool named;
		const char *word;
	} tags[] = { { 0x01, false, "user" },  { 0x02, true, "user" },	{ 0x04, false, "group" },
		     { 0x08, true, "group" }, { 0x10, false, "mask" }, { 0x20, false, "other" } };
	const unsigned char *p = value;
	struct acl_entry e;
	le32 version;
	size_t before = out->len;

	if (len < sizeof version + sizeof e || (len - sizeof version) % sizeof e)
		return false;
	memcpy(&version, p, sizeof version);
	if (le32_get(version) != ACL_VERSION)
		return false;
	for (size_t at = sizeof version; at < len; at += sizeof e) {
		size_t t = 0;
		unsigned perm;

		memcpy(&e, p + at, sizeof e);
		perm = le16_get(e.perm);
		while (t < sizeof tags / sizeof *tags && tags[t].tag != le16_get(e.tag))
			t++;
		if (t == sizeof tags / sizeof *tags)
			return false;
		if (out->len > before)
			strbuf_putc(out, ',');
		strbuf_printf(out, "%s:", tags[t].word);
		if (tags[t].named)
			strbuf_printf(out, "%" PRIu32, le32_get(e.id));
		strbuf_printf(out, ":%c%c%c", perm & 4 ? 'r' : '-', perm & 2 ? 'w' : '-', perm & 1 ? 'x' : '-');
	}
	return true;
}
