/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log_logins.c - wtmp and btmp, utmp(5): records of one size, of who came and went, when the system started and stopped, and of
 * attempts that failed.
 */
#include "log_file.h"
#include "logs.h"

#include "alloc.h"
#include "ondisk.h"

#include <stdio.h>

struct utmp_ondisk {
	le16 type, pad;
	le32 pid;
	char line[32], id[4], user[32], host[256];
};
/* Behind that the size of a long decides: most Linux keeps the layout of 32 bits. */
enum { RECORD_SHORT = 384, RECORD_LONG = 400, TIME_SHORT = 340, TIME_LONG = 344 };
enum { RUN_LEVEL = 1, BOOT_TIME = 2, USER_PROCESS = 7, DEAD_PROCESS = 8, TYPES = 10 };

struct logins {
	struct log_stream base;
	struct log_open how;
	struct log_paths paths;
	size_t next;
	bool failed; /* btmp */
	struct guest_file f;
	uint64_t off;
	size_t record;
	char pid[16];
	struct strbuf message;
	struct log_entry ent;
};

/* A field that ends at a NUL or at its own end. */
static void add_field(struct strbuf *out, const char *before, const char *field, size_t size)
{
	size_t len = strnlen(field, size);

	if (len) {
		strbuf_puts(out, before);
		strbuf_add(out, field, len);
	}
}

/* False: it says nothing. */
static bool words(const struct logins *s, const struct utmp_ondisk *u, struct strbuf *out)
{
	unsigned type = le16_get(u->type);

	strbuf_reset(out);
	if (s->failed || type == USER_PROCESS) {
		strbuf_puts(out, s->failed ? "failed login" : "login");
		add_field(out, " of ", u->user, sizeof u->user);
	} else if (type == DEAD_PROCESS) {
		strbuf_puts(out, "logout");
	} else if (type == BOOT_TIME) {
		strbuf_puts(out, "boot");
		add_field(out, " of Linux ", u->host, sizeof u->host);
		return true;
	} else if (type == RUN_LEVEL) {
		/* "shutdown" is written so, too. */
		strbuf_puts(out, strncmp(u->user, "shutdown", sizeof u->user) == 0 ? "shutdown" : "runlevel");
		if (out->s[0] == 'r' && (le32_get(u->pid) & 0xff) > ' ' && (le32_get(u->pid) & 0xff) < 0x7f)
			strbuf_printf(out, " %c", (char)(le32_get(u->pid) & 0xff));
		return true;
	} else {
		return false;
	}
	add_field(out, " on ", u->line, sizeof u->line);
	add_field(out, " from ", u->host, sizeof u->host);
	return true;
}

/* Opens the next file: 1, or 0 when it is none. */
static int next_file(struct logins *s, struct err *e)
{
	int rc = guest_file_find(s->how.vfs, s->paths.items[s->next++].path, &s->f, e);

	s->off = 0;
	if (rc <= 0) {
		s->f.size = 0;
		return rc;
	}
	s->record = s->f.size % RECORD_SHORT && s->f.size % RECORD_LONG == 0 ? RECORD_LONG : RECORD_SHORT;
	return 1;
}

static int logins_next(struct log_stream *base, struct err *e)
{
	struct logins *s = (struct logins *)base;

	/* Ends: each turn takes a record or a file. */
	for (;;) {
		uint8_t record[RECORD_LONG];
		struct err why = ERR_INIT;
		struct utmp_ondisk u;
		le32 sec, usec;
		uint64_t run;
		bool hole;
		int rc;

		if (s->f.size - s->off < RECORD_SHORT || s->f.size - s->off < s->record) {
			if (s->next == s->paths.n)
				return 0;
			rc = next_file(s, e);
			if (rc < 0)
				return rc;
			continue;
		}
		rc = fs_extent(s->f.node.fs, s->f.node.ino, s->off, &run, &hole, &why);
		if (rc == 0 && hole && run > 2 * s->record) {
			run = MIN_OF(run, s->f.size - s->off);
			s->off += run - run % s->record;
			continue;
		}
		if (rc == 0)
			rc = guest_file_read(&s->f, record, s->record, s->off, &why);
		if (rc < 0) {
			s->off = s->f.size;
			rc = log_failed(s->how.walk, s->paths.items[s->next - 1].path, &why, e);
			if (rc != 0)
				return rc;
			continue;
		}
		s->off += s->record;
		memcpy(&u, record, sizeof u);
		memcpy(&sec, record + (s->record == RECORD_LONG ? TIME_LONG : TIME_SHORT), sizeof sec);
		memcpy(&usec, record + (s->record == RECORD_LONG ? TIME_LONG + 8 : TIME_SHORT + 4), sizeof usec);
		if (le16_get(u.type) >= TYPES || le32_get(sec) == 0 || le32_get(usec) >= 1000000 || !words(s, &u, &s->message))
			continue;
		if (s->message.failed)
			return err_nomem(e);
		base->usec = (int64_t)le32_get(sec) * 1000000 + le32_get(usec);
		snprintf(s->pid, sizeof s->pid, "%u", le32_get(u.pid));
		s->ent = (struct log_entry){ .source = LOG_LOGINS, .path = s->paths.items[s->next - 1].path, .usec = base->usec,
					     .priority = -1, .identifier = s->failed ? "btmp" : "wtmp", .message = s->message.s,
					     .message_len = s->message.len };
		if (le16_get(u.type) != RUN_LEVEL && le32_get(u.pid))
			s->ent.pid = s->pid;
		return 1;
	}
}

static int logins_entry(struct log_stream *base, struct log_entry *out, struct err *e)
{
	(void)e;
	*out = ((struct logins *)base)->ent;
	return 1;
}

static void logins_close(struct log_stream *base)
{
	struct logins *s = (struct logins *)base;

	log_paths_free(&s->paths);
	strbuf_free(&s->message);
	free(s);
}

static const struct log_driver logins_driver = { logins_next, logins_entry, logins_close };

int log_logins_collect(const struct log_open *how, struct log_streams *out, struct err *e)
{
	static const char *const paths[] = { "/var/log/wtmp", "/var/log/btmp" };
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(paths) && rc == 0; i++) {
		struct logins *s = alloc_zero(sizeof *s);
		struct err why = ERR_INIT;

		if (!s)
			return err_nomem(e);
		*s = (struct logins){ .base.drv = &logins_driver, .how = *how, .failed = i == 1, .message = STRBUF_INIT };
		rc = log_paths_find(how->vfs, paths[i], &s->paths, &why);
		if (rc < 0)
			rc = log_failed(how->walk, paths[i], &why, e);
		if (rc != 0 || s->paths.n == 0)
			logins_close(&s->base);
		else
			rc = log_streams_add(out, &s->base, e);
	}
	return rc;
}
