/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "log_line.h"

#include "alloc.h"
#include "json.h"
#include "out.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define SECOND 1000000

const char *const log_priorities[] = { "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug", NULL };

/* Seconds, and microseconds that are never negative. */
static time_t seconds_of(int64_t usec, unsigned *rest)
{
	int64_t sec = usec / SECOND - (usec % SECOND < 0);

	*rest = (unsigned)(usec - sec * SECOND);
	return (time_t)sec;
}

static void quoted(struct strbuf *out, const char *text)
{
	out_text(out, text, strlen(text));
}

/* The message with its further lines indented as far as the first. */
static void message(struct strbuf *out, const struct dry_log_entry *ent, size_t indent)
{
	const char *p = ent->message, *end = p + ent->message_len;

	while (end > p && end[-1] == '\n')
		end--;
	for (;;) {
		const char *line = memchr(p, '\n', (size_t)(end - p));

		out_text(out, p, (size_t)((line ? line : end) - p));
		strbuf_putc(out, '\n');
		if (!line)
			return;
		p = line + 1;
		for (size_t i = 0; i < indent; i++)
			strbuf_putc(out, ' ');
	}
}

void log_line_text(struct strbuf *out, const struct dry_log_entry *ent, bool utc)
{
	size_t begin = out->len;
	unsigned rest;
	time_t sec = seconds_of(ent->usec, &rest);
	struct tm tm;
	char when[64];

	if (!(utc ? gmtime_r(&sec, &tm) : localtime_r(&sec, &tm)) || !strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S%z", &tm))
		snprintf(when, sizeof when, "@%" PRId64, (int64_t)sec);
	strbuf_puts(out, when);
	if (ent->host) {
		strbuf_putc(out, ' ');
		quoted(out, ent->host);
	}
	strbuf_putc(out, ' ');
	quoted(out, ent->identifier ? ent->identifier : "unknown");
	if (ent->pid) {
		strbuf_putc(out, '[');
		quoted(out, ent->pid);
		strbuf_putc(out, ']');
	}
	strbuf_puts(out, ": ");
	message(out, ent, out->len - begin);
}

static void member(struct json *j, const char *key, const char *value)
{
	if (value)
		json_str(j, key, value);
}

void log_line_json(struct strbuf *out, const struct dry_log_entry *ent, const char *image)
{
	struct json j = JSON_INIT(out, false);
	unsigned rest;
	time_t sec = seconds_of(ent->usec, &rest);
	struct tm tm;
	char when[64], whole[80];

	json_object(&j, NULL);
	json_str(&j, "image", image);
	json_str(&j, "source", ent->source);
	json_str(&j, "file", ent->path);
	if (gmtime_r(&sec, &tm) && strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &tm)) {
		snprintf(whole, sizeof whole, "%s.%06uZ", when, rest);
		json_str(&j, "time", whole);
	}
	json_i64(&j, "usec", ent->usec);
	member(&j, "host", ent->host);
	member(&j, "unit", ent->unit);
	member(&j, "identifier", ent->identifier);
	member(&j, "pid", ent->pid);
	if (ent->priority >= 0)
		json_i64(&j, "priority", ent->priority);
	member(&j, "boot", ent->boot);
	json_strn(&j, "message", ent->message, ent->message_len);
	if (ent->nfields) {
		json_array(&j, "fields");
		for (size_t i = 0; i < ent->nfields; i++) {
			json_object(&j, NULL);
			json_str(&j, "name", ent->fields[i].name);
			json_strn(&j, "value", ent->fields[i].value, ent->fields[i].len);
			json_object_end(&j);
		}
		json_array_end(&j);
	}
	member(&j, "xml", ent->xml);
	json_object_end(&j);
	strbuf_putc(out, '\n');
}
