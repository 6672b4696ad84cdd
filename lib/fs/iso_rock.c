/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * iso_rock.c - Rock Ridge: entries of two letters, a length and a version in the system use of a record, and in the areas
 * that a CE entry continues to.
 */
#include "iso.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

/* A continuation may name the next one: more than these, of a sector each, is a loop. */
#define CONTINUATIONS 64
#define NM_CONTINUE 1
#define NM_CURRENT 2
#define NM_PARENT 4
#define SL_CONTINUE 1
#define TF_LONG 0x80

void iso_rock_free(struct iso_rock *r)
{
	strbuf_free(&r->name);
	strbuf_free(&r->target);
}

static uint32_t get32(const uint8_t *p)
{
	le32 v;

	memcpy(&v, p, sizeof v);
	return le32_get(v);
}

int iso_rock_probe(const struct iso_record *root)
{
	const uint8_t *p = root->use;

	/* CD-ROM XA puts 14 bytes of its own before it. */
	for (unsigned skip = 0; skip <= 14; skip += 14, p = root->use + skip)
		if (root->use_len >= skip + 7 && p[0] == 'S' && p[1] == 'P' && p[2] >= 7 && p[4] == 0xbe && p[5] == 0xef)
			return p[6];
	return -1;
}

/* NM: flags, a part of the name. */
static void name_part(struct iso_rock *r, const uint8_t *p, unsigned len)
{
	if (len < 5 || (p[4] & (NM_CURRENT | NM_PARENT)))
		return;
	r->has_name = true;
	strbuf_add(&r->name, p + 5, len - 5);
}

/* SL: flags, then components: flags, length, text. */
static void link_part(struct iso_rock *r, bool *open, const uint8_t *p, unsigned len)
{
	unsigned pos = 5;

	while (pos + 2 <= len) {
		unsigned flags = p[pos], n = p[pos + 1];

		if (n > len - pos - 2 || r->target.len + n >= LIMIT_PATH) {
			r->bad_target = true;
			return;
		}
		/* The one before was not ended: no slash between. */
		if (r->target.len > 0 && !*open && r->target.s[r->target.len - 1] != '/')
			strbuf_putc(&r->target, '/');
		*open = flags & SL_CONTINUE;
		if (flags & 2)
			strbuf_puts(&r->target, ".");
		else if (flags & 4)
			strbuf_puts(&r->target, "..");
		else if (flags & 8)
			strbuf_puts(&r->target, "/");
		else
			strbuf_add(&r->target, p + pos + 2, n);
		pos += 2 + n;
	}
}

/* "2026112518150000" and the zone, as a short date. */
static struct fs_time long_date(const uint8_t *p)
{
	uint8_t d[7];
	unsigned v[6], hundredths;
	struct fs_time t;
	char text[17];

	memcpy(text, p, 16);
	text[16] = '\0';
	if (sscanf(text, "%4u%2u%2u%2u%2u%2u%2u", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &hundredths) != 7 ||
	    v[0] < 1900 || v[0] > 2155)
		return (struct fs_time){ 0, 0 };
	d[0] = (uint8_t)(v[0] - 1900);
	for (size_t i = 1; i < 6; i++)
		d[i] = (uint8_t)v[i];
	d[6] = p[16];
	t = iso_date(d);
	t.nsec = hundredths % 100 * 10000000;
	return t;
}

/* TF: which of seven times follow, each of 7 or 17 bytes. */
static void times_get(struct iso_rock *r, const uint8_t *p, unsigned len)
{
	unsigned size, pos = 5;

	if (len < 5)
		return;
	size = p[4] & TF_LONG ? 17 : 7;
	for (unsigned i = 0; i < 7; i++) {
		if (!(p[4] & 1u << i))
			continue;
		if (pos + size > len)
			return;
		r->has_tf[i] = true;
		r->times[i] = size == 7 ? iso_date(p + pos) : long_date(p + pos);
		pos += size;
	}
}

struct area {
	const uint8_t *p;
	unsigned len;
};
struct continuation {
	uint64_t off;
	uint32_t len;
};

/* The entries of one area; a CE among them is given back.  Each has at least four bytes, so it ends. */
static void area_read(const struct iso *s, struct area a, struct iso_rock *r, bool *open, struct continuation *next)
{
	while (a.len >= 4 && a.p[2] >= 4 && a.p[2] <= a.len) {
		const uint8_t *p = a.p;
		unsigned len = p[2];

		if (memcmp(p, "PX", 2) == 0 && len >= 36) {
			r->has_px = true;
			r->mode = get32(p + 4);
			r->nlink = get32(p + 12);
			r->uid = get32(p + 20);
			r->gid = get32(p + 28);
		} else if (memcmp(p, "PN", 2) == 0 && len >= 20) {
			r->rdev_high = get32(p + 4);
			r->rdev_low = get32(p + 12);
		} else if (memcmp(p, "NM", 2) == 0) {
			name_part(r, p, len);
		} else if (memcmp(p, "SL", 2) == 0) {
			link_part(r, open, p, len);
		} else if (memcmp(p, "TF", 2) == 0) {
			times_get(r, p, len);
		} else if (memcmp(p, "CL", 2) == 0 && len >= 12) {
			r->child = (uint64_t)get32(p + 4) * s->bs;
		} else if (memcmp(p, "RE", 2) == 0) {
			r->relocated = true;
		} else if (memcmp(p, "ZF", 2) == 0) {
			r->compressed = true;
		} else if (memcmp(p, "CE", 2) == 0 && len >= 28) {
			next->off = (uint64_t)get32(p + 4) * s->bs + get32(p + 12);
			next->len = get32(p + 20);
		} else if (memcmp(p, "ST", 2) == 0) {
			break;
		}
		a.p += len;
		a.len -= len;
	}
}

int iso_rock_read(struct iso *s, const struct iso_record *rec, struct iso_rock *out, struct err *e)
{
	uint8_t more[ISO_SECTOR];
	struct area a = { .p = rec->use + MIN_OF(s->skip, rec->use_len), .len = rec->use_len - MIN_OF(s->skip, rec->use_len) };
	bool open = false;

	out->name = out->target = (struct strbuf)STRBUF_INIT;
	for (unsigned n = 0;; n++) {
		struct continuation next = { 0, 0 };
		int rc;

		area_read(s, a, out, &open, &next);
		if (out->name.failed || out->target.failed)
			return err_nomem(e);
		if (next.len == 0)
			return 0;
		if (n == CONTINUATIONS || next.len > sizeof more || !range_in(next.off, next.len, s->size))
			return err_set(e, ERR_CORRUPT, "the record at %" PRIu64 " goes on in %" PRIu32 " bytes at %" PRIu64,
				       rec->at, next.len, next.off);
		rc = block_pread(s->dev, more, next.len, next.off, e);
		if (rc < 0)
			return rc;
		a = (struct area){ .p = more, .len = next.len };
	}
}
