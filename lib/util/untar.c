/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* untar.c - the headers of tar.c read again, by POSIX's "pax" and "ustar", and by what the manual of GNU tar tells of its own. */
#include "untar.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"
#include "text.h"
#include "untar_pax.h"

#include <inttypes.h>
#include <stdio.h>

/* Where fields are in the header, and how long. */
enum {
	NAME = 0, NAME_LEN = 100,
	MODE = 100, UID = 108, GID = 116, NUMBER_LEN = 8,
	SIZE = 124, MTIME = 136, LONG_LEN = 12,
	CHECKSUM = 148, CHECKSUM_LEN = 8,
	TYPE = 156,
	LINK = 157,
	MAGIC = 257,
	MAJOR = 329, MINOR = 337,
	PREFIX = 345, PREFIX_LEN = 155,
	/* GNU's sparse files of old, type S */
	SPARSE = 386, SPARSE_EXTENDED = 482, SPARSE_SIZE = 483, SPARSE_RUNS = 4,
	MORE_RUNS = 21, MORE_EXTENDED = 504,
};

struct untar {
	unstream_fn fn;
	void *arg;
	struct unstream *unpack; /* NULL: it is not compressed */
	char ahead[TAR_BLOCK];	 /* bytes that were looked at to find that out */
	size_t nahead, ahead_at;
	uint64_t members;
	bool ended;
	uint64_t left, padding; /* of the present member's content */
	struct pax global, pax;
	char *long_name, *long_link; /* GNU's, for the next member */
	struct strbuf name, link;
	struct tar_run *runs;
	size_t nruns, cap_runs;
};

/* ---- bytes ---- */

static int raw(void *arg, void *buf, size_t len, size_t *got, struct err *e)
{
	struct untar *u = arg;
	const size_t n = MIN_OF(len, u->nahead - u->ahead_at);

	if (!n)
		return u->fn(u->arg, buf, len, got, e);
	memcpy(buf, u->ahead + u->ahead_at, n);
	u->ahead_at += n;
	*got = n;
	return 0;
}

/* Up to len bytes; fewer only at the end. */
static int fill(struct untar *u, void *buf, size_t len, size_t *got, struct err *e)
{
	size_t n = 0;

	while (n < len) {
		size_t part;
		int rc = u->unpack ? unstream_read(u->unpack, (char *)buf + n, len - n, &part, e)
				   : raw(u, (char *)buf + n, len - n, &part, e);

		if (rc < 0)
			return rc;
		if (!part)
			break;
		n += part;
	}
	*got = n;
	return 0;
}

static int whole(struct untar *u, void *buf, size_t len, struct err *e)
{
	size_t got;
	int rc = fill(u, buf, len, &got, e);

	if (rc == 0 && got < len)
		return err_set(e, ERR_CORRUPT, "the archive is cut off behind %" PRIu64 " members", u->members);
	return rc;
}

static int skip(struct untar *u, uint64_t len, struct err *e)
{
	char buf[8 * TAR_BLOCK];

	while (len) {
		const size_t n = (size_t)MIN_OF(len, sizeof buf);
		int rc = whole(u, buf, n, e);

		if (rc < 0)
			return rc;
		len -= n;
	}
	return 0;
}

void untar_free(struct untar *u)
{
	if (!u)
		return;
	unstream_free(u->unpack);
	pax_free(&u->global);
	pax_free(&u->pax);
	free(u->long_name);
	free(u->long_link);
	strbuf_free(&u->name);
	strbuf_free(&u->link);
	free(u->runs);
	free(u);
}

static void untar_freep(struct untar **u)
{
	untar_free(*u);
}

/* Ways to compress that are not read, by their first bytes; NULL: it is none of these. */
static const char *unread(const char *bytes, size_t len)
{
	static const struct {
		const char *magic, *name;
	} others[] = { { "BZh", "bzip2" }, { "\x1f\x9d", "compress" }, { "\x89LZO", "lzop" }, { "LZIP", "lzip" } };

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (len > strlen(others[i].magic) && memcmp(bytes, others[i].magic, strlen(others[i].magic)) == 0)
			return others[i].name;
	return NULL;
}

int untar_new(unstream_fn fn, void *arg, struct untar **out, struct err *e)
{
	CLEANUP(untar_freep) struct untar *u = alloc_zero(sizeof *u);
	enum unpack_alg alg;
	const char *other;
	int rc;

	if (!u)
		return err_nomem(e);
	*u = (struct untar){ .fn = fn, .arg = arg, .name = STRBUF_INIT, .link = STRBUF_INIT };
	rc = fill(u, u->ahead, sizeof u->ahead, &u->nahead, e);
	other = rc == 0 ? unread(u->ahead, u->nahead) : NULL;
	if (other)
		return err_set(e, ERR_UNSUPPORTED, "the archive is compressed by %s: unpack it and give what comes out as \"-\"",
			       other);
	if (rc == 0 && unstream_detect(u->ahead, u->nahead, &alg))
		rc = unstream_new(alg, raw, u, &u->unpack, e);
	if (rc < 0)
		return rc;
	*out = take(u);
	return 0;
}

/* ---- the header ---- */

/* Octal digits, or with the first bit set a number of base 256.  false: it is none, or too large. */
static bool number(const char *field, size_t len, uint64_t *out)
{
	const unsigned char *p = (const unsigned char *)field;
	size_t i = 0;

	*out = 0;
	if (p[0] & 0x80) {
		if (p[0] == 0xff)
			return false; /* below zero: not for what is read by this */
		*out = p[0] & 0x7f;
		for (i = 1; i < len; i++) {
			if (*out >> 56)
				return false;
			*out = *out << 8 | p[i];
		}
		return true;
	}
	while (i < len && p[i] == ' ')
		i++;
	for (; i < len && p[i] >= '0' && p[i] <= '7'; i++) {
		if (*out >> 61)
			return false;
		*out = *out << 3 | (uint64_t)(p[i] - '0');
	}
	return i == len || p[i] == '\0' || p[i] == ' ';
}

/* The sum of all bytes, the sum's own taken as blanks; very old programs took bytes as signed. */
static bool checksum_right(const char *h)
{
	uint64_t want;
	long plain = 0, with_sign = 0;

	for (size_t i = 0; i < TAR_BLOCK; i++) {
		const bool own = i >= CHECKSUM && i < CHECKSUM + CHECKSUM_LEN;

		plain += own ? ' ' : (unsigned char)h[i];
		with_sign += own ? ' ' : (signed char)h[i];
	}
	return number(h + CHECKSUM, CHECKSUM_LEN, &want) &&
	       (want == (uint64_t)plain || (with_sign >= 0 && want == (uint64_t)with_sign));
}

static bool all_zero(const char *h)
{
	for (size_t i = 0; i < TAR_BLOCK; i++)
		if (h[i])
			return false;
	return true;
}

static int bad(const struct untar *u, const char *what, struct err *e)
{
	return err_set(e, ERR_CORRUPT, "member %" PRIu64 " of the archive has a bad %s", u->members + 1, what);
}

/* The content of a header that only tells of the next one. */
static int read_text(struct untar *u, uint64_t size, char **out, struct err *e)
{
	CLEANUP(free_ptr) char *text = NULL;
	int rc;

	if (size > LIMIT_TAR_HEADER)
		return err_set(e, ERR_LIMIT, "a header of %" PRIu64 " bytes in the archive", size);
	text = alloc_bytes((size_t)size + 1);
	if (!text)
		return err_nomem(e);
	rc = whole(u, text, (size_t)size, e);
	if (rc == 0)
		rc = skip(u, (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK, e);
	if (rc < 0)
		return rc;
	text[size] = '\0';
	free(*out);
	*out = take(text);
	return 0;
}

/* Headers up to that of a member: 1, or 0 at the end.  Ends, as each round reads on. */
static int member_header(struct untar *u, char h[TAR_BLOCK], struct err *e)
{
	for (;;) {
		uint64_t size;
		size_t got;
		CLEANUP(free_ptr) char *text = NULL;
		int rc = fill(u, h, TAR_BLOCK, &got, e);

		if (rc < 0)
			return rc;
		if (got == 0)
			return 0;
		if (got < TAR_BLOCK)
			return u->members ? err_set(e, ERR_CORRUPT, "the archive is cut off behind %" PRIu64 " members", u->members)
					  : err_set(e, ERR_CORRUPT, "this is no tar archive");
		if (all_zero(h))
			return 0;
		if (!checksum_right(h))
			return u->members ? bad(u, "checksum", e) : err_set(e, ERR_CORRUPT, "this is no tar archive");
		if (!strchr("LKxgX", h[TYPE]) || !h[TYPE])
			return 1;
		if (!number(h + SIZE, LONG_LEN, &size))
			return bad(u, "size", e);
		if (h[TYPE] == 'L')
			rc = read_text(u, size, &u->long_name, e);
		else if (h[TYPE] == 'K')
			rc = read_text(u, size, &u->long_link, e);
		else if ((rc = read_text(u, size, &text, e)) == 0)
			rc = pax_read(h[TYPE] == 'g' ? &u->global : &u->pax, text, (size_t)size, e);
		if (rc < 0)
			return rc;
	}
}

/* ---- sparse files ---- */

static int add_run(struct untar *u, uint64_t off, uint64_t len, struct err *e)
{
	const struct tar_run *last = u->nruns ? &u->runs[u->nruns - 1] : NULL;
	uint64_t end;

	if (!checked_add(off, len, &end) || (last && off < last->off + last->len))
		return bad(u, "map of a sparse file", e);
	if (!len)
		return 0;
	if (u->nruns == LIMIT_TAR_RUNS)
		return err_set(e, ERR_LIMIT, "a sparse file of more than %d pieces in the archive", LIMIT_TAR_RUNS);
	if (u->nruns == u->cap_runs) {
		const size_t cap = u->cap_runs ? 2 * u->cap_runs : 16;
		struct tar_run *runs = alloc_resize(u->runs, cap, sizeof *runs);

		if (!runs)
			return err_nomem(e);
		u->runs = runs;
		u->cap_runs = cap;
	}
	u->runs[u->nruns++] = (struct tar_run){ off, len };
	return 0;
}

static int table_of_runs(struct untar *u, const char *at, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++, at += 2 * LONG_LEN) {
		uint64_t off, len;
		int rc;

		if (!at[0] && !at[LONG_LEN])
			break;
		if (!number(at, LONG_LEN, &off) || !number(at + LONG_LEN, LONG_LEN, &len))
			return bad(u, "map of a sparse file", e);
		rc = add_run(u, off, len, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* GNU's type S: the map begins in the header and goes on in blocks behind it.  Ends, as each round reads on. */
static int gnu_map(struct untar *u, const char *h, uint64_t *size, struct err *e)
{
	char more[TAR_BLOCK];
	bool goes_on = h[SPARSE_EXTENDED];
	int rc = table_of_runs(u, h + SPARSE, SPARSE_RUNS, e);

	if (rc == 0 && !number(h + SPARSE_SIZE, LONG_LEN, size))
		return bad(u, "size", e);
	while (rc == 0 && goes_on) {
		rc = whole(u, more, sizeof more, e);
		if (rc == 0)
			rc = table_of_runs(u, more, MORE_RUNS, e);
		goes_on = more[MORE_EXTENDED];
	}
	return rc;
}

/* A decimal line of the map at the beginning of the content; *block is what is left of the present block. */
static int map_line(struct untar *u, char *block, size_t *at, uint64_t *out, struct err *e)
{
	*out = 0;
	for (size_t digits = 0;; digits++) {
		char c;

		if (*at == TAR_BLOCK) {
			int rc;

			if (u->left < TAR_BLOCK)
				return bad(u, "map of a sparse file", e);
			rc = whole(u, block, TAR_BLOCK, e);
			if (rc < 0)
				return rc;
			u->left -= TAR_BLOCK;
			*at = 0;
		}
		c = block[(*at)++];
		if (c == '\n' && digits)
			return 0;
		if (c < '0' || c > '9' || digits > 18)
			return bad(u, "map of a sparse file", e);
		*out = *out * 10 + (uint64_t)(c - '0');
	}
}

/* GNU's format 1.0. */
static int content_map(struct untar *u, struct err *e)
{
	char block[TAR_BLOCK];
	size_t at = TAR_BLOCK;
	uint64_t n;
	int rc = map_line(u, block, &at, &n, e);

	if (rc == 0 && n > LIMIT_TAR_RUNS)
		return err_set(e, ERR_LIMIT, "a sparse file of %" PRIu64 " pieces in the archive", n);
	for (uint64_t i = 0; i < n && rc == 0; i++) {
		uint64_t off, len;

		rc = map_line(u, block, &at, &off, e);
		if (rc == 0)
			rc = map_line(u, block, &at, &len, e);
		if (rc == 0)
			rc = add_run(u, off, len, e);
	}
	return rc;
}

/* Its format 0.1: "OFF,LEN,OFF,LEN" in the record. */
static int record_map(struct untar *u, const char *map, struct err *e)
{
	while (*map) {
		uint64_t pair[2];
		int rc;

		for (size_t i = 0; i < 2; i++) {
			const size_t len = strcspn(map, ",");
			char digits[24];

			if (!len || len >= sizeof digits || (i == 0 && !map[len]))
				return bad(u, "map of a sparse file", e);
			memcpy(digits, map, len);
			digits[len] = '\0';
			if (!text_parse_u64(digits, &pair[i]))
				return bad(u, "map of a sparse file", e);
			map += len + (map[len] == ',');
		}
		rc = add_run(u, pair[0], pair[1], e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int sparse(struct untar *u, const char *h, struct untar_member *m, struct err *e)
{
	const char *map = pax_get(&u->pax, "GNU.sparse.map"), *major = pax_get(&u->pax, "GNU.sparse.major");
	const char *size = pax_get(&u->pax, "GNU.sparse.realsize");
	uint64_t stored = 0;
	bool is = true;
	int rc = 0;

	u->nruns = 0;
	if (!size)
		size = pax_get(&u->pax, "GNU.sparse.size");
	if (h[TYPE] == 'S')
		rc = gnu_map(u, h, &m->size, e);
	else if (major && strcmp(major, "1") == 0)
		rc = content_map(u, e);
	else if (map)
		rc = record_map(u, map, e);
	else if (pax_get(&u->pax, "GNU.sparse.numblocks"))
		return err_set(e, ERR_UNSUPPORTED, "the archive has a sparse file in GNU's format 0.0");
	else
		is = false;
	if (rc < 0 || !is)
		return rc;
	if (h[TYPE] != 'S' && (!size || !text_parse_u64(size, &m->size)))
		return bad(u, "size", e);
	for (size_t i = 0; i < u->nruns; i++)
		stored += u->runs[i].len; /* below 2^64: they do not overlap */
	if (stored != u->left || (u->nruns && u->runs[u->nruns - 1].off + u->runs[u->nruns - 1].len > m->size))
		return bad(u, "map of a sparse file", e);
	/* One hole is a file without data, but with runs. */
	static const struct tar_run none;
	m->runs = u->nruns ? u->runs : &none;
	m->nruns = u->nruns;
	return 0;
}

/* ---- a member ---- */

static void put_field(struct strbuf *out, const char *field, size_t len)
{
	strbuf_add(out, field, strnlen(field, len));
}

static int names(struct untar *u, const char *h, struct untar_member *m, struct err *e)
{
	const char *name = pax_get(&u->pax, "GNU.sparse.name"), *link = pax_get(&u->pax, "linkpath");

	if (!name)
		name = pax_get(&u->pax, "path");
	strbuf_reset(&u->name);
	strbuf_reset(&u->link);
	if (!name)
		name = u->long_name;
	if (name) {
		strbuf_puts(&u->name, name);
	} else {
		if (memcmp(h + MAGIC, "ustar", 6) == 0 && h[PREFIX]) {
			put_field(&u->name, h + PREFIX, PREFIX_LEN);
			strbuf_putc(&u->name, '/');
		}
		put_field(&u->name, h + NAME, NAME_LEN);
	}
	if (!link)
		link = u->long_link;
	if (link)
		strbuf_puts(&u->link, link);
	else
		put_field(&u->link, h + LINK, NAME_LEN);
	if (u->name.failed || u->link.failed)
		return err_nomem(e);
	if (!u->name.len)
		return bad(u, "name", e);
	m->path = u->name.s;
	m->link = u->link.s;
	return 0;
}

static int numbers(struct untar *u, const char *h, struct untar_member *m, struct err *e)
{
	const struct {
		size_t at, len;
		const char *key, *what;
		uint32_t *to;
	} fields[] = {
		{ MODE, NUMBER_LEN, NULL, "mode", &m->mode },
		{ UID, NUMBER_LEN, "uid", "owner", &m->uid },
		{ GID, NUMBER_LEN, "gid", "group", &m->gid },
	};
	const char *text;

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		uint64_t n;

		text = fields[i].key ? pax_get(&u->pax, fields[i].key) : NULL;
		if (!(text ? text_parse_u64(text, &n) : number(h + fields[i].at, fields[i].len, &n)) || n > UINT32_MAX)
			return bad(u, fields[i].what, e);
		*fields[i].to = (uint32_t)n;
	}
	m->mode &= 07777;
	if (h[TYPE] == TAR_CHAR || h[TYPE] == TAR_BLOCK_DEVICE) {
		uint64_t major, minor;

		if (!number(h + MAJOR, NUMBER_LEN, &major) || !number(h + MINOR, NUMBER_LEN, &minor) || major > UINT32_MAX ||
		    minor > UINT32_MAX)
			return bad(u, "device number", e);
		m->major = (uint32_t)major;
		m->minor = (uint32_t)minor;
	}
	text = pax_get(&u->pax, "size");
	if (!(text ? text_parse_u64(text, &m->size) : number(h + SIZE, LONG_LEN, &m->size)) || m->size > LIMIT_IMAGE_SIZE)
		return bad(u, "size", e);
	text = pax_get(&u->pax, "mtime");
	if (text) {
		if (!pax_time(text, &m->mtime))
			return bad(u, "time", e);
	} else {
		uint64_t sec;

		/* Times before 1970 have no place in the old field, but GNU has found one: they are of no use here. */
		m->mtime.sec = number(h + MTIME, LONG_LEN, &sec) && sec < INT64_MAX ? (int64_t)sec : 0;
	}
	text = pax_get(&u->pax, "atime");
	m->has_atime = text && pax_time(text, &m->atime);
	text = pax_get(&u->pax, "ctime");
	m->has_ctime = text && pax_time(text, &m->ctime);
	return 0;
}

static void kind(const char *h, struct untar_member *m)
{
	const size_t len = strlen(m->path);

	m->type = h[TYPE] >= TAR_HARDLINK && h[TYPE] <= TAR_FIFO ? (enum tar_type)h[TYPE] : TAR_FILE;
	/* An old archive tells a directory by its name, GNU's incremental ones have a list in it. */
	if (m->type == TAR_FILE && (h[TYPE] == 'D' || m->path[len - 1] == '/'))
		m->type = TAR_DIRECTORY;
}

int untar_next(struct untar *u, struct untar_member *out, struct err *e)
{
	char h[TAR_BLOCK];
	int rc = skip(u, u->left, e);

	*out = (struct untar_member){ .type = TAR_FILE };
	if (rc == 0)
		rc = skip(u, u->padding, e);
	u->left = u->padding = 0;
	if (rc < 0 || u->ended)
		return rc;
	pax_reset(&u->pax, &u->global);
	free(take(u->long_name));
	free(take(u->long_link));
	do {
		rc = member_header(u, h, e);
		if (rc == 0)
			u->ended = true;
	} while (rc > 0 && h[TYPE] == 'V'); /* the name of the archive */
	if (rc <= 0)
		return rc;
	if (h[TYPE] == 'M')
		return err_set(e, ERR_UNSUPPORTED, "the archive goes over several volumes");
	rc = names(u, h, out, e);
	if (rc == 0)
		rc = numbers(u, h, out, e);
	if (rc < 0)
		return rc;
	kind(h, out);
	/* Links may tell the size of what they are one with; their content is not there. */
	if (out->type == TAR_FILE || h[TYPE] == 'D') {
		u->left = out->size;
		u->padding = (TAR_BLOCK - out->size % TAR_BLOCK) % TAR_BLOCK;
	}
	if (out->type == TAR_FILE)
		rc = sparse(u, h, out, e);
	if (rc == 0)
		rc = pax_xattrs(&u->pax, &out->xattrs, &out->nxattrs, e);
	if (rc < 0)
		return rc;
	out->acl = pax_get(&u->pax, "SCHILY.acl.access");
	out->default_acl = pax_get(&u->pax, "SCHILY.acl.default");
	u->members++;
	return 1;
}

int untar_read(struct untar *u, void *buf, size_t len, size_t *got, struct err *e)
{
	const size_t n = (size_t)MIN_OF(u->left, len);
	int rc = whole(u, buf, n, e);

	if (rc < 0)
		return rc;
	u->left -= n;
	*got = n;
	return 0;
}
