/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* log_packages.c - what package managers have done, in their own logs. */
#include "log_text.h"

#include "alloc.h"

/* "2026-11-25 21:50:40 status installed zlib1g:amd64 1:1.2.13" */
static bool dpkg_parse(struct text_log *t, char *line, struct log_entry *ent)
{
	char *p = line;

	if (text_time_iso(t, &p, &t->usec))
		ent->message = p + strspn(p, " ");
	return true;
}

/* Paragraphs: "Start-Date: 2026-11-25  21:50:40", "Commandline: apt install x", "Install: x:amd64 (1.0)", "End-Date: ..." */
static bool apt_parse(struct text_log *t, char *line, struct log_entry *ent)
{
	static const char start[] = "Start-Date: ";
	char *p = line + strlen(start);

	(void)ent;
	if (strncmp(line, start, strlen(start)) != 0)
		return strncmp(line, "End-Date: ", 10) != 0;
	text_time_iso(t, &p, &t->usec);
	return false;
}

/* "2026-11-25T21:50:40+0000 [77] INFO words"; the number since version 5 only */
static bool dnf_parse(struct text_log *t, char *line, struct log_entry *ent)
{
	char *p = line;
	size_t n;

	if (!text_time_iso(t, &p, &t->usec))
		return true;
	p += strspn(p, " ");
	if (*p == '[' && (n = strspn(p + 1, "0123456789")) && p[1 + n] == ']') {
		ent->pid = p + 1;
		p[1 + n] = '\0';
		p += 2 + n;
		p += strspn(p, " ");
	}
	n = strcspn(p, " ");
	ent->priority = text_priority(p, n);
	if (ent->priority >= 0)
		p += n;
	ent->message = p + strspn(p, " ");
	return true;
}

/* "Nov 25 21:50:40 Installed: zlib-1.2.11-40.el9.x86_64" */
static bool yum_parse(struct text_log *t, char *line, struct log_entry *ent)
{
	char *p = line;

	if (text_time_bsd(t, &p, &t->usec))
		ent->message = p + strspn(p, " ");
	return true;
}

/* "2026-11-25 21:50:40|install|zlib|1.3|x86_64||repo|sum|"; "# " in front of what a script printed */
static bool zypp_parse(struct text_log *t, char *line, struct log_entry *ent)
{
	char *p = line + (line[0] == '#' ? 1 : 0);

	p += strspn(p, " ");
	if (text_time_iso(t, &p, &t->usec))
		ent->message = p + strspn(p, " |");
	return true;
}

/* "[2026-11-25T21:50:40+0100] [ALPM] installed zlib (1.3-1)" */
static bool pacman_parse(struct text_log *t, char *line, struct log_entry *ent)
{
	char *p = line + 1;

	if (line[0] == '[' && text_time_iso(t, &p, &t->usec) && *p == ']') {
		p++;
		ent->message = p + strspn(p, " ");
	}
	return true;
}

/* "Running `apk add zlib` at 2026-11-25 21:50:40", and below it what was done: "(1/1) Installing zlib (1.3.1-r0)" */
static bool apk_parse(struct text_log *t, char *line, struct log_entry *ent)
{
	char *p = strncmp(line, "Running ", 8) == 0 ? strstr(line, " at ") : NULL;

	(void)ent;
	/* Of several the last one: a command may have the word in it. */
	for (char *next; p && (next = strstr(p + 1, " at "));)
		p = next;
	if (p) {
		p += 4;
		text_time_iso(t, &p, &t->usec);
	}
	return true;
}

static const struct {
	const char *path;
	struct text_format format;
} histories[] = {
	{ "/var/log/dpkg.log", { LOG_PACKAGES, "dpkg", dpkg_parse } },
	{ "/var/log/apt/history.log", { LOG_PACKAGES, "apt", apt_parse } },
	{ "/var/log/dnf.rpm.log", { LOG_PACKAGES, "dnf", dnf_parse } },
	{ "/var/log/dnf5.log", { LOG_PACKAGES, "dnf5", dnf_parse } },
	{ "/var/log/yum.log", { LOG_PACKAGES, "yum", yum_parse } },
	{ "/var/log/zypp/history", { LOG_PACKAGES, "zypp", zypp_parse } },
	{ "/var/log/pacman.log", { LOG_PACKAGES, "pacman", pacman_parse } },
	{ "/var/log/apk.log", { LOG_PACKAGES, "apk", apk_parse } },
};

int log_packages_collect(const struct log_open *how, struct log_streams *out, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(histories) && rc == 0; i++)
		rc = text_log_collect(how, histories[i].path, &histories[i].format, out, e);
	return rc;
}
