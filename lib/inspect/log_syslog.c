/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log_syslog.c - what syslog daemons write: a time ("Nov 25 21:50:40", or as RFC 3339 has it), the host, who speaks, words.
 *
 * Daemons write one message to several files.  Where there is a file with nearly all of them, the others that repeat it are
 * left out.  With them come the logs of auditd and cloud-init, which are text with a time in each line as well.
 */
#include "log_text.h"

#include "alloc.h"
#include "text.h"

#include <ctype.h>

static const struct {
	const char *path, *unless; /* unless: the one that has all that is in it */
} logs[] = {
	{ "/var/log/syslog", NULL },
	{ "/var/log/messages", "/var/log/syslog" },
	{ "/var/log/auth.log", NULL },	/* Debian, FreeBSD, Alpine */
	{ "/var/log/authlog", NULL },	/* OpenBSD, NetBSD */
	{ "/var/log/secure", NULL },	/* Red Hat, OpenBSD */
	{ "/var/log/maillog", NULL },	/* Red Hat, BSD */
	{ "/var/log/cron", NULL },	/* Red Hat, BSD */
	{ "/var/log/daemon", NULL },	/* OpenBSD */
	{ "/var/log/mail", NULL },	/* SUSE */
	{ "/var/log/mail.log", "/var/log/syslog" },
	{ "/var/log/cron.log", "/var/log/syslog" },
	{ "/var/log/daemon.log", "/var/log/syslog" },
	{ "/var/log/kern.log", "/var/log/syslog" },
	{ "/var/log/user.log", "/var/log/syslog" },
	{ "/var/log/everything.log", NULL }, /* Arch, of old */
};

/* Cuts a word off at a blank; what is behind it, or NULL. */
static char *cut_word(char *p)
{
	char *blank = strchr(p, ' ');

	if (!blank)
		return NULL;
	*blank = '\0';
	return blank + 1;
}

/* "sshd[77]: words", "kernel: words": the identifier and process; what is behind them, or p where it is not so. */
static char *tag_parse(char *p, struct log_entry *ent)
{
	size_t n = strcspn(p, " :["), pid;
	char *behind = p + n;

	if (n == 0 || n > 128)
		return p;
	if (*behind == '[') {
		pid = strspn(behind + 1, "0123456789");
		if (pid == 0 || behind[1 + pid] != ']' || behind[2 + pid] != ':')
			return p;
		*behind = '\0';
		ent->pid = behind + 1;
		behind += 1 + pid;
		*behind++ = '\0';
	} else if (*behind != ':' || (behind[1] && behind[1] != ' ')) {
		return p;
	}
	*behind++ = '\0';
	ent->identifier = p;
	return behind + (*behind == ' ');
}

static bool syslog_parse(struct text_log *t, char *line, struct log_entry *ent)
{
	char *p = line, *rest;
	size_t n;

	/* "<34>": facility and priority, as on the wire. */
	if (*p == '<' && (n = strspn(p + 1, "0123456789")) && n <= 3 && p[1 + n] == '>') {
		ent->priority = (p[n] - '0' + (n > 1 ? (p[n - 1] - '0') * 10 : 0) + (n > 2 ? (p[n - 2] - '0') * 100 : 0)) & 7;
		p += n + 2;
	}
	if ((!text_time_iso(t, &p, &t->usec) && !text_time_bsd(t, &p, &t->usec)) || *p++ != ' ')
		return true;
	/* "<kern.crit>", as FreeBSD may */
	if (*p == '<' && (n = strcspn(p, ". ")) && p[n] == '.') {
		size_t len = strcspn(p + n + 1, "> ");

		if (p[n + 1 + len] == '>' && p[n + 2 + len] == ' ') {
			ent->priority = text_priority(p + n + 1, len);
			p += n + 3 + len;
		}
	}
	rest = cut_word(p);
	if (!rest) {
		ent->message = p;
		return true;
	}
	ent->host = p;
	ent->message = tag_parse(rest, ent);
	return true;
}

static const struct text_format syslog_format = { .source = LOG_SYSLOG, .parse = syslog_parse };

/* "type=USER_LOGIN msg=audit(1700000000.123:77): pid=1 ..." */
static bool audit_parse(struct text_log *t, char *line, struct log_entry *ent)
{
	char *p = strstr(line, "msg=audit(");
	int64_t sec = 0, rest = 0, unit = 100000;

	(void)ent;
	if (!p)
		return true;
	for (p += strlen("msg=audit("); *p >= '0' && *p <= '9' && sec < INT32_MAX; p++)
		sec = sec * 10 + (*p - '0');
	if (sec == 0 || *p++ != '.')
		return true;
	for (; *p >= '0' && *p <= '9'; p++, unit /= 10)
		rest += (*p - '0') * unit;
	t->usec = sec * 1000000 + rest;
	return true;
}

static const struct text_format audit_format = { .source = LOG_SYSLOG, .identifier = "audit", .parse = audit_parse };

/* "2026-11-25 21:50:40,123 - util.py[WARNING]: words" */
static bool cloud_init_parse(struct text_log *t, char *line, struct log_entry *ent)
{
	char *p = line, *level, *end;

	if (!text_time_iso(t, &p, &t->usec) || strncmp(p, " - ", 3) != 0)
		return true;
	ent->message = p + 3;
	level = strchr(p, '[');
	end = level ? strchr(level, ']') : NULL;
	if (end)
		ent->priority = text_priority(level + 1, (size_t)(end - level - 1));
	return true;
}

static const struct text_format cloud_init_format = { .source = LOG_SYSLOG, .identifier = "cloud-init",
						      .parse = cloud_init_parse };

int syslog_collect(const struct log_open *how, struct log_streams *out, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(logs) && rc == 0; i++)
		if (!logs[i].unless || !vfs_is_file(how->vfs, logs[i].unless))
			rc = text_log_collect(how, logs[i].path, &syslog_format, out, e);
	if (rc == 0)
		rc = text_log_collect(how, "/var/log/audit/audit.log", &audit_format, out, e);
	if (rc == 0)
		rc = text_log_collect(how, "/var/log/cloud-init.log", &cloud_init_format, out, e);
	return rc;
}
