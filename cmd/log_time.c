/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "log_time.h"

#include "alloc.h"
#include "text.h"

#include <time.h>

#define SECOND 1000000LL

/* Exactly n digits. */
static bool digits(const char **p, size_t n, int *out)
{
	*out = 0;
	for (size_t i = 0; i < n; i++, ++*p) {
		if (**p < '0' || **p > '9')
			return false;
		*out = *out * 10 + (**p - '0');
	}
	return true;
}

static bool literal(const char **p, char c)
{
	if (**p != c)
		return false;
	++*p;
	return true;
}

/* "-30min": 1 when it is one. */
static bool ago(const char *text, int64_t now, int64_t *usec)
{
	static const struct {
		const char *unit;
		int64_t seconds;
	} units[] = { { "s", 1 },	{ "sec", 1 }, { "m", 60 },     { "min", 60 },	 { "h", 3600 },
		      { "hour", 3600 }, { "d", 86400 }, { "day", 86400 }, { "w", 604800 }, { "week", 604800 } };
	CLEANUP(free_ptr) char *count = NULL;
	size_t n;
	uint64_t v;

	if (*text++ != '-')
		return false;
	n = strspn(text, "0123456789");
	count = alloc_strndup(text, n);
	if (!count || !text_parse_u64(count, &v) || v > 100000000)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (strcmp(text + n, units[i].unit) == 0) {
			*usec = now - (int64_t)v * units[i].seconds * SECOND;
			return true;
		}
	}
	return false;
}

/* "21:50[:40[.123456]]" */
static bool clock_parse(const char **p, struct tm *tm, int64_t *fraction)
{
	*fraction = 0;
	if (!digits(p, 2, &tm->tm_hour) || !literal(p, ':') || !digits(p, 2, &tm->tm_min) || tm->tm_hour > 23 || tm->tm_min > 59)
		return false;
	if (!literal(p, ':'))
		return true;
	if (!digits(p, 2, &tm->tm_sec) || tm->tm_sec > 60)
		return false;
	if (literal(p, '.')) {
		int64_t unit = SECOND / 10;

		if (**p < '0' || **p > '9')
			return false;
		for (; **p >= '0' && **p <= '9'; ++*p, unit /= 10)
			*fraction += (**p - '0') * unit;
	}
	return true;
}

/* "", "Z", "+0100", "+01:00" */
static bool zone_parse(const char **p, bool *given, int64_t *offset)
{
	int sign, h, m;

	*given = **p != '\0';
	*offset = 0;
	if (!*given || literal(p, 'Z'))
		return true;
	if (**p != '+' && **p != '-')
		return false;
	sign = *(*p)++ == '-' ? -1 : 1;
	if (!digits(p, 2, &h))
		return false;
	literal(p, ':');
	if (!digits(p, 2, &m) || h > 23 || m > 59)
		return false;
	*offset = sign * (h * 3600 + m * 60);
	return true;
}

bool log_time_parse(const char *text, int64_t now, int64_t *usec)
{
	const time_t now_sec = (time_t)(now / SECOND);
	int64_t fraction = 0, offset;
	const char *p = text;
	struct tm tm;
	bool zoned;
	uint64_t v;

	if (strcmp(text, "now") == 0) {
		*usec = now;
		return true;
	}
	if (text[0] == '@') {
		if (!text_parse_u64(text + 1, &v) || v > INT64_MAX / SECOND)
			return false;
		*usec = (int64_t)v * SECOND;
		return true;
	}
	if (ago(text, now, usec))
		return true;
	if (!localtime_r(&now_sec, &tm))
		return false;
	tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	tm.tm_isdst = -1;
	if (strcmp(text, "today") == 0 || strcmp(text, "yesterday") == 0) {
		tm.tm_mday -= text[0] == 'y';
		*usec = (int64_t)mktime(&tm) * SECOND;
		return true;
	}
	if (strlen(text) >= 10 && text[4] == '-') {
		if (!digits(&p, 4, &tm.tm_year) || !literal(&p, '-') || !digits(&p, 2, &tm.tm_mon) || !literal(&p, '-') ||
		    !digits(&p, 2, &tm.tm_mday) || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31)
			return false;
		tm.tm_year -= 1900;
		tm.tm_mon--;
		if ((literal(&p, ' ') || literal(&p, 'T')) && !clock_parse(&p, &tm, &fraction))
			return false;
	} else if (!clock_parse(&p, &tm, &fraction)) {
		return false;
	}
	if (!zone_parse(&p, &zoned, &offset) || *p)
		return false;
	*usec = (zoned ? (int64_t)timegm(&tm) - offset : (int64_t)mktime(&tm)) * SECOND + fraction;
	return true;
}
