/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "log_text.h"

#include "alloc.h"
#include "zone.h"

#include <strings.h>

#define SECOND 1000000LL
#define DAY 86400

/* ---- times ---- */

static bool digits(char **p, size_t n, int *out)
{
	*out = 0;
	for (size_t i = 0; i < n; i++, ++*p) {
		if (**p < '0' || **p > '9')
			return false;
		*out = *out * 10 + (**p - '0');
	}
	return true;
}

/* "21:50[:40[.123456]]" in microseconds */
static bool clock_time(char **p, int64_t *usec)
{
	int h, m, s = 0;

	if (!digits(p, 2, &h) || *(*p)++ != ':' || !digits(p, 2, &m) || h > 23 || m > 59)
		return false;
	*usec = 0;
	if (**p == ':') {
		++*p;
		if (!digits(p, 2, &s) || s > 60)
			return false;
		if (**p == '.' || **p == ',') {
			int64_t unit = SECOND / 10;

			for (++*p; **p >= '0' && **p <= '9'; ++*p, unit /= 10)
				*usec += (**p - '0') * unit;
		}
	}
	*usec += (h * 3600 + m * 60 + s) * SECOND;
	return true;
}

bool text_time_iso(const struct text_log *t, char **p, int64_t *usec)
{
	char *at = *p;
	int year, month, day, h, m = 0;
	int64_t clock, sec, offset = 0;
	bool zoned = true;

	if (!digits(&at, 4, &year) || *at++ != '-' || !digits(&at, 2, &month) || *at++ != '-' || !digits(&at, 2, &day) ||
	    month < 1 || month > 12 || day < 1 || day > 31 || (*at != 'T' && *at != ' '))
		return false;
	at++;
	at += strspn(at, " ");
	if (!clock_time(&at, &clock))
		return false;
	if (*at == 'Z') {
		at++;
	} else if ((*at == '+' || *at == '-') && at[1] >= '0' && at[1] <= '9') {
		int sign = *at++ == '-' ? -1 : 1;

		if (!digits(&at, 2, &h))
			return false;
		at += *at == ':';
		if (!digits(&at, 2, &m))
			return false;
		offset = sign * (h * 3600 + m * 60);
	} else {
		zoned = false;
	}
	sec = days_from_date(year, (unsigned)month, (unsigned)day) * DAY + clock / SECOND;
	sec = zoned ? sec - offset : zone_to_utc(t->how.zone, sec);
	*usec = sec * SECOND + clock % SECOND;
	*p = at;
	return true;
}

bool text_time_bsd(struct text_log *t, char **p, int64_t *usec)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	char *at = *p;
	int month = 0, day = 0;
	int64_t clock, sec;

	while (month < 12 && strncmp(at, months + 3 * month, 3) != 0)
		month++;
	month++;
	if (month > 12 || at[3] != ' ')
		return false;
	at += 4;
	at += *at == ' ';
	for (; *at >= '0' && *at <= '9' && day < 100; at++)
		day = day * 10 + (*at - '0');
	if (day < 1 || day > 31 || *at++ != ' ' || !clock_time(&at, &clock))
		return false;
	if (t->year == 0) {
		int64_t year, days = t->mtime / DAY - (t->mtime % DAY < 0);
		unsigned mmonth, mday;

		/* A file holds less than a year: its first line is not younger than the file. */
		date_from_days(days + 1, &year, &mmonth, &mday);
		t->year = month > (int)mmonth || (month == (int)mmonth && day > (int)mday) ? year - 1 : year;
	} else if (t->month - month > 6) {
		t->year++;
	} else if (month - t->month > 6) { /* a line of December among those of January */
		t->year--;
	}
	t->month = month;
	sec = days_from_date(t->year, (unsigned)month, (unsigned)day) * DAY + clock / SECOND;
	*usec = zone_to_utc(t->how.zone, sec) * SECOND + clock % SECOND;
	*p = at;
	return true;
}

int text_priority(const char *word, size_t len)
{
	static const struct {
		const char *word;
		int priority;
	} words[] = { { "emerg", 0 },  { "panic", 0 }, { "alert", 1 },    { "crit", 2 },  { "critical", 2 }, { "err", 3 },
		      { "error", 3 },  { "warn", 4 },  { "warning", 4 },  { "notice", 5 }, { "info", 6 },
		      { "subdebug", 6 }, { "debug", 7 }, { "ddebug", 7 }, { "trace", 7 } };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strlen(words[i].word) == len && strncasecmp(words[i].word, word, len) == 0)
			return words[i].priority;
	return -1;
}

/* ---- the stream ---- */

static int told(struct text_log *t, const char *path, const struct err *why, struct err *e)
{
	if (t->told && why->code != ERR_NOMEM)
		return 0;
	t->told = true;
	return log_failed(t->how.walk, path, why, e);
}

/* Opens the next file: 1, or 0 when there is none, or not this one. */
static int next_file(struct text_log *t, struct err *e)
{
	const char *path = t->paths.items[t->next++].path;
	struct err why = ERR_INIT;
	struct guest_file f;
	struct fs_stat st;
	int rc = guest_file_find(t->how.vfs, path, &f, e);

	if (rc <= 0)
		return rc;
	log_file_close(take(t->file));
	t->told = false;
	t->year = 0;
	rc = fs_stat(f.node.fs, f.node.ino, &st, &why);
	if (rc == 0)
		rc = log_file_open(&f, &t->file, &why);
	if (rc < 0)
		return told(t, path, &why, e);
	t->mtime = st.mtime.sec;
	/* Lines in front that have no time. */
	if (t->usec == INT64_MIN)
		t->usec = st.mtime.sec > INT32_MIN && st.mtime.sec < INT64_MAX / SECOND / 2 ? st.mtime.sec * SECOND : 0;
	return 1;
}

static int text_next(struct log_stream *base, struct err *e)
{
	struct text_log *t = (struct text_log *)base;

	/* Ends: each turn takes a line or a file. */
	for (;;) {
		const char *path = t->next ? t->paths.items[t->next - 1].path : NULL;
		struct err why = ERR_INIT;
		size_t len = 0;
		char *line;
		int rc = t->file ? log_file_line(t->file, &line, &len, &why) : 0;

		if (rc < 0) {
			rc = told(t, path, &why, e);
			if (rc != 0)
				return rc;
		}
		if (rc == 0) {
			log_file_close(take(t->file));
			if (t->next == t->paths.n)
				return 0;
			rc = next_file(t, e);
			if (rc < 0)
				return rc;
			continue;
		}
		t->ent = (struct log_entry){ .source = t->format->source, .path = path, .priority = -1,
					     .identifier = t->format->identifier, .message = line };
		if (len == 0 || !t->format->parse(t, line, &t->ent))
			continue;
		t->ent.message_len = len - (size_t)(t->ent.message - line);
		t->ent.usec = base->usec = t->usec;
		return 1;
	}
}

static int text_entry(struct log_stream *base, struct log_entry *out, struct err *e)
{
	(void)e;
	*out = ((struct text_log *)base)->ent;
	return 1;
}

static void text_close(struct log_stream *base)
{
	struct text_log *t = (struct text_log *)base;

	log_file_close(t->file);
	log_paths_free(&t->paths);
	free(t);
}

static const struct log_driver text_driver = { text_next, text_entry, text_close };

int text_log_collect(const struct log_open *how, const char *path, const struct text_format *format, struct log_streams *out,
		     struct err *e)
{
	struct text_log *t = alloc_zero(sizeof *t);
	struct err why = ERR_INIT;
	int rc;

	if (!t)
		return err_nomem(e);
	*t = (struct text_log){ .base.drv = &text_driver, .how = *how, .format = format, .usec = INT64_MIN };
	rc = log_paths_find(how->vfs, path, &t->paths, &why);
	if (rc < 0)
		rc = told(t, path, &why, e);
	if (rc != 0 || t->paths.n == 0) {
		text_close(&t->base);
		return rc;
	}
	return log_streams_add(out, &t->base, e);
}
