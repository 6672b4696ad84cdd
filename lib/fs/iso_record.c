/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* iso_record.c - one directory record: ECMA-119, 9.1. */
#include "iso.h"

#include "alloc.h"
#include "checked.h"

#include <inttypes.h>

struct ondisk_record {
	uint8_t len, xattr_len;
	le32 extent;
	uint8_t extent_be[4];
	le32 size;
	uint8_t size_be[4];
	uint8_t date[7];
	uint8_t flags, unit, gap;
	uint8_t volume[4];
	uint8_t name_len;
};

/* Brings the sector that holds a byte into s->sector. */
static int sector_get(struct iso *s, uint64_t at, struct err *e)
{
	uint64_t start = round_down(at, ISO_SECTOR);
	int rc;

	if (s->at == start)
		return 0;
	s->at = UINT64_MAX;
	s->have = (size_t)MIN_OF((uint64_t)ISO_SECTOR, s->size - start);
	rc = block_pread(s->dev, s->sector, s->have, start, e);
	if (rc == 0)
		s->at = start;
	return rc;
}

int iso_record_get(struct iso *s, uint64_t at, struct iso_record *out, struct err *e)
{
	struct ondisk_record r;
	size_t pos = (size_t)(at % ISO_SECTOR), use;
	int rc;

	if (at >= s->size)
		return err_set(e, ERR_CORRUPT, "a directory record at %" PRIu64 ", past the end", at);
	rc = sector_get(s, at, e);
	if (rc < 0)
		return rc;
	if (pos >= s->have || s->sector[pos] == 0 || s->have - pos < sizeof r)
		return 0;
	memcpy(&r, s->sector + pos, sizeof r);
	if (r.len < sizeof r || r.len > s->have - pos || r.name_len == 0 || r.name_len > r.len - sizeof r)
		return err_set(e, ERR_CORRUPT, "the directory record at %" PRIu64 " has %u bytes and a name of %u", at, r.len,
			       r.name_len);
	memset(out, 0, sizeof *out);
	out->at = at;
	out->len = r.len;
	out->off = ((uint64_t)le32_get(r.extent) + r.xattr_len) * s->bs;
	out->size = le32_get(r.size);
	out->flags = r.flags;
	out->interleave = r.unit;
	memcpy(out->date, r.date, sizeof out->date);
	out->name_len = r.name_len;
	memcpy(out->name, s->sector + pos + sizeof r, r.name_len);
	/* A name of even length is followed by a zero. */
	use = sizeof r + r.name_len + (r.name_len % 2 == 0);
	if (use < r.len) {
		out->use_len = (unsigned)(r.len - use);
		memcpy(out->use, s->sector + pos + use, out->use_len);
	}
	return 1;
}

/* Days since 1970-01-01 of a date of the Gregorian calendar. */
static int64_t days_from_civil(int64_t year, unsigned month, unsigned day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	unsigned yoe = (unsigned)(y - era * 400);
	unsigned doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

	return era * 146097 + (int64_t)doe - 719468;
}

/* Years since 1900, month, day, hour, minute, second, quarters of an hour east of Greenwich. */
struct fs_time iso_date(const uint8_t d[7])
{
	int64_t zone = (int8_t)d[6];
	int64_t days;

	if (d[1] < 1 || d[1] > 12 || d[2] < 1 || d[2] > 31)
		return (struct fs_time){ 0, 0 };
	days = days_from_civil(1900 + d[0], d[1], d[2]);
	/* Within half a day, else it is nonsense and counts as none. */
	if (zone < -52 || zone > 52)
		zone = 0;
	return (struct fs_time){ .sec = days * 86400 + d[3] * 3600 + d[4] * 60 + d[5] - zone * 900 };
}
