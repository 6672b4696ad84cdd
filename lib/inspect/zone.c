/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * zone.c - RFC 8536: a head with counts, a block with times of 32 bits for old readers; then, from version 2 on, the same
 * with times of 64 bits, and a line with the rule for the time after the last change, as POSIX writes it in TZ.
 */
#include "zone.h"

#include "alloc.h"
#include "limits.h"
#include "ondisk.h"

#define DAY 86400

struct head_ondisk {
	uint8_t magic[4], version, reserved[15];
	be32 nutc, nstd, nleap, ntimes, ntypes, nchars;
};

/* ---- dates ---- */

int64_t days_from_date(int64_t year, unsigned month, unsigned day)
{
	/* Years that begin in March, so that the leap day is their last; eras of 400 of them. */
	int64_t y = month <= 2 ? year - 1 : year, era = (y >= 0 ? y : y - 399) / 400;
	unsigned yoe = (unsigned)(y - era * 400), doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097 + (int64_t)(yoe * 365 + yoe / 4 - yoe / 100 + doy) - 719468;
}

void date_from_days(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
	int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
	unsigned doe = (unsigned)(z - era * 146097), yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;

	*day = doy - (153 * mp + 2) / 5 + 1;
	*month = mp < 10 ? mp + 3 : mp - 9;
	*year = era * 400 + yoe + (*month <= 2);
}

/* ---- the rule of POSIX ---- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool number(const char **p, int max, int *out)
{
	if (!is_digit(**p))
		return false;
	for (*out = 0; is_digit(**p); ++*p) {
		*out = *out * 10 + (**p - '0');
		if (*out > max)
			return false;
	}
	return true;
}

/* "[+-]hh[:mm[:ss]]" */
static bool clock_time(const char **p, int32_t *out)
{
	int sign = **p == '-' ? -1 : 1, h, m = 0, s = 0;

	if (**p == '-' || **p == '+')
		++*p;
	if (!number(p, 167, &h))
		return false;
	if (**p == ':') {
		++*p;
		if (!number(p, 59, &m))
			return false;
		if (**p == ':') {
			++*p;
			if (!number(p, 59, &s))
				return false;
		}
	}
	*out = sign * (h * 3600 + m * 60 + s);
	return true;
}

/* "CET" or "<+03>" */
static bool zone_name(const char **p)
{
	const char *from = *p;

	if (*from == '<') {
		*p = strchr(from, '>');
		return *p && ++*p;
	}
	while ((**p >= 'A' && **p <= 'Z') || (**p >= 'a' && **p <= 'z'))
		++*p;
	return *p - from >= 3;
}

/* ",M3.5.0/2" */
static bool rule_parse(const char **p, struct zone_rule *r)
{
	*r = (struct zone_rule){ .at = 2 * 3600 };
	if (*(*p)++ != ',')
		return false;
	if (**p == 'M' || **p == 'J')
		r->kind = *(*p)++;
	if (r->kind == 'M') {
		if (!number(p, 12, &r->month) || r->month < 1 || *(*p)++ != '.' || !number(p, 5, &r->week) || r->week < 1 ||
		    *(*p)++ != '.' || !number(p, 6, &r->day))
			return false;
	} else if (!number(p, 365, &r->day) || (r->kind == 'J' && r->day < 1)) {
		return false;
	}
	if (**p != '/')
		return true;
	++*p;
	return clock_time(p, &r->at);
}

static bool posix_parse(const char *p, struct zone *z)
{
	int32_t west;

	if (!zone_name(&p) || !clock_time(&p, &west))
		return false;
	z->std = -west;
	z->has_dst = *p != '\0';
	if (!z->has_dst)
		return true;
	z->dst = z->std + 3600;
	if (!zone_name(&p))
		return false;
	if (*p && *p != ',') {
		if (!clock_time(&p, &west))
			return false;
		z->dst = -west;
	}
	return rule_parse(&p, &z->start) && rule_parse(&p, &z->end) && !*p;
}

static bool is_leap(int64_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* When it is in a year, in local time. */
static int64_t rule_when(const struct zone_rule *r, int64_t year)
{
	int64_t first, day;

	if (r->kind == 'J') /* 29 February is not counted */
		day = days_from_date(year, 1, 1) + r->day - 1 + (is_leap(year) && r->day >= 60);
	else if (r->kind == 0)
		day = days_from_date(year, 1, 1) + r->day;
	else {
		int64_t next = r->month == 12 ? days_from_date(year + 1, 1, 1) : days_from_date(year, (unsigned)r->month + 1, 1);
		int64_t weekday;

		first = days_from_date(year, (unsigned)r->month, 1);
		weekday = ((first + 4) % 7 + 7) % 7; /* 1 January 1970 was a Thursday */
		day = first + (r->day - weekday + 7) % 7 + (r->week - 1) * 7;
		if (day >= next)
			day -= 7;
	}
	return day * DAY + r->at;
}

static int32_t tail_offset(const struct zone *z, int64_t utc)
{
	int64_t year, start, end;
	unsigned month, day;
	bool summer;

	if (!z->has_dst)
		return z->std;
	date_from_days((utc + z->std) / DAY - ((utc + z->std) % DAY < 0), &year, &month, &day);
	start = rule_when(&z->start, year) - z->std;
	end = rule_when(&z->end, year) - z->dst;
	summer = start < end ? utc >= start && utc < end : utc >= start || utc < end;
	return summer ? z->dst : z->std;
}

/* ---- the file ---- */

struct counts {
	size_t nutc, nstd, nleap, ntimes, ntypes, nchars;
};

static bool head_parse(const uint8_t *p, size_t left, struct counts *c, uint8_t *version)
{
	struct head_ondisk h;

	if (left < sizeof h)
		return false;
	memcpy(&h, p, sizeof h);
	*version = h.version;
	*c = (struct counts){ be32_get(h.nutc), be32_get(h.nstd), be32_get(h.nleap),
			      be32_get(h.ntimes), be32_get(h.ntypes), be32_get(h.nchars) };
	return memcmp(h.magic, "TZif", 4) == 0 && c->ntypes >= 1 && c->ntypes <= 256 && c->ntimes < LIMIT_ZONE_BYTES &&
	       c->nleap < LIMIT_ZONE_BYTES && c->nchars < LIMIT_ZONE_BYTES && c->nutc <= 256 && c->nstd <= 256;
}

static size_t part_size(const struct counts *c, size_t width)
{
	return c->ntimes * width + c->ntimes + c->ntypes * 6 + c->nchars + c->nleap * (width + 4) + c->nstd + c->nutc;
}

static bool type_offset(const uint8_t *types, const struct counts *c, unsigned i, int32_t *out)
{
	be32 v;

	if (i >= c->ntypes)
		return false;
	memcpy(&v, types + 6 * (size_t)i, sizeof v);
	*out = (int32_t)be32_get(v);
	return *out > -26 * 3600 && *out < 26 * 3600;
}

static bool block_parse(const uint8_t *p, const struct counts *c, size_t width, struct zone *z)
{
	const uint8_t *index = p + c->ntimes * width, *types = index + c->ntimes;

	z->when = alloc_array(c->ntimes + 1, sizeof *z->when);
	z->offset = alloc_array(c->ntimes + 1, sizeof *z->offset);
	if (!z->when || !z->offset || !type_offset(types, c, 0, &z->first))
		return false;
	for (size_t i = 0; i < c->ntimes; i++) {
		be64 wide = { { 0 } };
		be32 narrow;

		memcpy(&wide, p + i * width, width == 8 ? 8 : 0);
		memcpy(&narrow, p + i * width, sizeof narrow);
		z->when[i] = width == 8 ? (int64_t)be64_get(wide) : (int32_t)be32_get(narrow);
		if ((i && z->when[i] <= z->when[i - 1]) || !type_offset(types, c, index[i], &z->offset[i]))
			return false;
	}
	z->n = c->ntimes;
	return true;
}

bool zone_parse(const void *bytes, size_t len, struct zone *z)
{
	const uint8_t *p = bytes;
	size_t width = 4, size;
	struct counts c;
	uint8_t version;

	memset(z, 0, sizeof *z);
	if (!head_parse(p, len, &c, &version))
		return false;
	p += sizeof(struct head_ondisk);
	len -= sizeof(struct head_ondisk);
	size = part_size(&c, width);
	if (version >= '2') {
		if (size > len || !head_parse(p + size, len - size, &c, &version))
			return false;
		p += size + sizeof(struct head_ondisk);
		len -= size + sizeof(struct head_ondisk);
		width = 8;
		size = part_size(&c, width);
	}
	if (size > len || !block_parse(p, &c, width, z)) {
		zone_free(z);
		return false;
	}
	if (width == 8 && len - size > 2 && p[size] == '\n') {
		const char *line = (const char *)p + size + 1, *end = memchr(line, '\n', len - size - 1);
		char rule[128];

		if (end && (size_t)(end - line) < sizeof rule) {
			memcpy(rule, line, (size_t)(end - line));
			rule[end - line] = '\0';
			z->has_tail = posix_parse(rule, z);
		}
	}
	return true;
}

int zone_read(struct vfs *v, struct zone *z, struct err *e)
{
	CLEANUP(free_ptr) char *bytes = NULL;
	struct err why = ERR_INIT;
	size_t len;
	int rc = vfs_read_file(v, "/etc/localtime", LIMIT_ZONE_BYTES, &bytes, &len, &why);

	memset(z, 0, sizeof *z);
	if (rc == -ERR_NOMEM)
		return err_nomem(e);
	if (rc < 0 || !zone_parse(bytes, len, z))
		memset(z, 0, sizeof *z);
	return 0;
}

void zone_free(struct zone *z)
{
	free(z->when);
	free(z->offset);
	memset(z, 0, sizeof *z);
}

int32_t zone_offset(const struct zone *z, int64_t utc)
{
	size_t lo = 0, hi = z->n;

	if (z->has_tail && (z->n == 0 || utc >= z->when[z->n - 1]))
		return tail_offset(z, utc);
	/* The last change that is not after it. */
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (z->when[mid] <= utc)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? z->offset[lo - 1] : z->first;
}

int64_t zone_to_utc(const struct zone *z, int64_t local)
{
	/* What holds a day before and a day after are all the offsets that come into question. */
	int32_t before = zone_offset(z, local - DAY), after = zone_offset(z, local + DAY);

	if (zone_offset(z, local - before) == before)
		return local - before;
	return local - after;
}
