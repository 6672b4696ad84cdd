/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* settings.c - small settings, each in the files in which some distribution keeps it. */
#include "settings.h"

#include "alloc.h"
#include "locked.h"
#include "text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static bool is_distro(const struct tree *t, const char *const *names)
{
	for (; t->os->distro && *names; names++)
		if (strcmp(t->os->distro, *names) == 0)
			return true;
	return false;
}

static bool is_type(const struct tree *t, const char *type)
{
	return t->os->type && strcmp(t->os->type, type) == 0;
}

/* Sets KEY=value in a file of a shell's variables, which is made where it is not there. */
static int set_value(struct tree *t, const char *path, const char *key, const char *value, struct err *e)
{
	CLEANUP(free_ptr) char *text = NULL;
	int rc = tree_text(t, path, &text, NULL, e);

	if (rc >= 0)
		rc = text_set_value(&text, key, value, e);
	return rc < 0 ? rc : tree_put(t, path, text, 0644, e);
}

/* ---- the host name ---- */

/* As many labels as fit; letters, digits, "-" and "_". */
static bool name_ok(const char *name)
{
	size_t len = strlen(name), label = 0;

	for (size_t i = 0; i < len; i++) {
		if (name[i] == '.' ? label == 0 : !(isalnum((unsigned char)name[i]) || name[i] == '-' || name[i] == '_'))
			return false;
		label = name[i] == '.' ? 0 : label + 1;
		if (label > 63 || (label == 1 && name[i] == '-'))
			return false;
	}
	return len > 0 && len <= 253 && label > 0;
}

static int put_line(struct tree *t, const char *path, const char *line, struct err *e)
{
	CLEANUP(free_ptr) char *text = alloc_printf("%s\n", line);

	return text ? tree_put(t, path, text, 0644, e) : err_nomem(e);
}

static bool is_word_end(char c)
{
	return c == '\0' || c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '#';
}

/* The old name as a word of /etc/hosts becomes the new one; of "old.domain" the whole word. */
static int hosts_rename(struct tree *t, const char *old, const char *name, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	CLEANUP(free_ptr) char *text = NULL;
	size_t old_len = strlen(old);
	bool changed = false, begins = true;
	int rc = tree_text(t, "/etc/hosts", &text, NULL, e);

	if (rc <= 0)
		return rc;
	for (const char *p = text; *p; p++) {
		if (begins && strncmp(p, old, old_len) == 0 && is_word_end(p[old_len])) {
			strbuf_puts(&out, name);
			p += old_len - 1;
			changed = true;
		} else {
			strbuf_putc(&out, *p);
		}
		begins = *p == ' ' || *p == '\t';
	}
	if (out.failed)
		return err_nomem(e);
	return changed ? tree_put(t, "/etc/hosts", out.s, 0644, e) : 0;
}

/* The name that a file has in its first line, without what is behind a blank: 1 and free(*out), or 0. */
static int first_word(struct tree *t, const char *path, char **out, struct err *e)
{
	CLEANUP(free_ptr) char *text = NULL;
	int rc = tree_text(t, path, &text, NULL, e);
	size_t len = rc > 0 ? strcspn(text, " \t\r\n") : 0;

	*out = NULL;
	if (rc <= 0 || !len)
		return rc < 0 ? rc : 0;
	*out = alloc_strndup(text, len);
	return *out ? 1 : err_nomem(e);
}

static int etc_hostname(struct tree *t, const char *name, struct err *e)
{
	static const char *const with_hosts[] = { "debian", "ubuntu", "linuxmint", "kalilinux", "alpinelinux", NULL };
	CLEANUP(free_ptr) char *old = NULL;
	int rc = first_word(t, "/etc/hostname", &old, e);

	if (rc >= 0)
		rc = put_line(t, "/etc/hostname", name, e);
	if (rc == 0 && old && is_distro(t, with_hosts))
		rc = hosts_rename(t, old, name, e);
	return rc;
}

int settings_hostname(struct tree *t, const char *name, struct err *e)
{
	static const char *const redhat[] = { "fedora", "rhel", "centos", "scientificlinux", "oraclelinux", "redhat-based", NULL };
	static const char *const suse[] = { "opensuse", "sles", "suse-based", NULL };
	static const char *const gentoo[] = { "gentoo", NULL };
	static const char *const pld[] = { "pldlinux", NULL };
	CLEANUP(free_ptr) char *quoted = alloc_printf("\"%s\"", name);
	bool old_redhat;
	int rc;

	if (!quoted)
		return err_nomem(e);
	if (!name_ok(name))
		return err_set(e, ERR_USAGE, "\"%s\" is no host name", name);
	if (is_type(t, "freebsd") || is_type(t, "dragonflybsd") || is_type(t, "netbsd"))
		return set_value(t, "/etc/rc.conf", "hostname", quoted, e);
	if (is_type(t, "openbsd"))
		return put_line(t, "/etc/myname", name, e);
	if (!is_type(t, "linux"))
		return err_set(e, ERR_UNSUPPORTED, "where %s keeps its host name is not known",
			       t->os->type ? t->os->type : "this system");
	/* Before systemd: Fedora 17, RHEL 6. */
	old_redhat = is_distro(t, redhat) && t->os->has_version &&
		     t->os->major < (t->os->distro && strcmp(t->os->distro, "fedora") == 0 ? 18u : 7u);
	if (old_redhat || is_distro(t, pld))
		return set_value(t, "/etc/sysconfig/network", "HOSTNAME", name, e);
	if (is_distro(t, gentoo) && !tree_has(t, "/etc/hostname"))
		return set_value(t, "/etc/conf.d/hostname", "hostname", quoted, e);
	/* A file in /etc/HOSTNAME is a link to the other one since openSUSE 13. */
	if (is_distro(t, suse) && !tree_has(t, "/etc/hostname"))
		return put_line(t, "/etc/HOSTNAME", name, e);
	rc = etc_hostname(t, name, e);
	/* The name that desktops show. */
	return rc == 0 && is_distro(t, redhat) ? set_value(t, "/etc/machine-info", "PRETTY_HOSTNAME", name, e) : rc;
}

/* ---- the time zone ---- */

/* Names of files below the folder of zones, and nothing that leads out of it. */
static bool zone_ok(const char *zone)
{
	if (!isalpha((unsigned char)zone[0]) || strlen(zone) > 100 || strstr(zone, "//") || strstr(zone, ".."))
		return false;
	return zone[strspn(zone, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/")] == '\0' &&
	       zone[strlen(zone) - 1] != '/';
}

int settings_timezone(struct tree *t, const char *zone, struct err *e)
{
	CLEANUP(free_ptr) char *file = alloc_printf("/usr/share/zoneinfo/%s", zone);
	CLEANUP(free_ptr) char *quoted = alloc_printf("\"%s\"", zone);
	static const struct {
		const char *path, *key;
	} values[] = { { "/etc/sysconfig/clock", "ZONE" },
		       { "/etc/sysconfig/clock", "TIMEZONE" },
		       { "/etc/conf.d/clock", "TIMEZONE" } };
	int rc;

	if (!file || !quoted)
		return err_nomem(e);
	if (!zone_ok(zone))
		return err_set(e, ERR_USAGE, "\"%s\" is no time zone", zone);
	if (is_type(t, "windows"))
		return err_set(e, ERR_UNSUPPORTED, "the time zone of Windows cannot be set yet");
	if (!tree_is_file(t, file))
		return err_set(e, ERR_NOT_FOUND, "the guest does not know the time zone \"%s\"", zone);
	rc = tree_relink(t, "/etc/localtime", file, e);
	if (rc == 0 && tree_is_file(t, "/etc/timezone"))
		rc = put_line(t, "/etc/timezone", zone, e);
	/* Where older systems keep the name, the one that is there. */
	for (size_t i = 0; i < ARRAY_LEN(values) && rc == 0; i++) {
		CLEANUP(free_ptr) char *text = NULL;
		CLEANUP(free_ptr) char *line = alloc_printf("\n%s=", values[i].key);

		rc = tree_text(t, values[i].path, &text, NULL, e);
		if (rc > 0 && line && (strstr(text, line) || text_starts(text, line + 1, NULL)))
			rc = set_value(t, values[i].path, values[i].key, quoted, e);
		rc = rc < 0 ? rc : 0;
	}
	return rc;
}

/* ---- what is one machine's own ---- */

static int random_id(char id[33], struct err *e)
{
	uint8_t b[16];

	if (!random_bytes(b, sizeof b))
		return err_set(e, ERR_SYSTEM, "there are no random bytes");
	/* As a random UUID has it. */
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < sizeof b; i++)
		snprintf(id + 2 * i, 3, "%02x", b[i]);
	return 0;
}

int settings_machine_id(struct tree *t, const char *id, struct err *e)
{
	static const char dbus[] = "/var/lib/dbus/machine-id";
	char random[33];
	struct fs_stat st;
	int rc = 0;

	if (strcmp(id, "random") == 0) {
		rc = random_id(random, e);
		id = random;
	} else if (strcmp(id, "empty") == 0) {
		id = "";
	} else if (strlen(id) != 32 || id[strspn(id, "0123456789abcdef")]) {
		return err_set(e, ERR_USAGE, "a machine id is \"random\", \"empty\", or 32 hexadecimal digits in lower case");
	}
	if (rc == 0 && !*id)
		rc = tree_put(t, "/etc/machine-id", "", 0444, e);
	else if (rc == 0)
		rc = put_line(t, "/etc/machine-id", id, e);
	/* D-Bus has a link to it, or a copy of its own, which it makes again. */
	if (rc == 0 && t->ops->stat(t, dbus, false, &st, NULL) == 0 && (st.mode & S_IFMT) == S_IFREG)
		rc = t->ops->remove(t, dbus, e);
	return rc;
}

int settings_random_seed(struct tree *t, struct err *e)
{
	static const char *const files[] = { "/var/lib/systemd/random-seed", "/var/lib/urandom/random-seed", "/var/lib/random-seed",
					     "/var/lib/misc/random-seed", "/var/lib/seedrng/seed.no-credit" };
	uint8_t seed[512];
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(files) && rc == 0; i++) {
		if (!tree_is_file(t, files[i]))
			continue;
		if (!random_bytes(seed, sizeof seed))
			return err_set(e, ERR_SYSTEM, "there are no random bytes");
		rc = t->ops->write(t, files[i], seed, sizeof seed, NULL, e);
	}
	return rc;
}

/* ---- SELinux ---- */

/* By the guest's own program: its status, or -1 where it could not be run. */
static int run_setfiles(struct tree *t, const char *contexts, const char *const *but, size_t nbut, int *status, struct err *e)
{
	static const char *const always[] = { "/dev", "/proc", "/sys" };
	CLEANUP(free_ptr) const char **argv = alloc_array(2 * (ARRAY_LEN(always) + nbut) + 6, sizeof *argv);
	struct tree_run run = { .argv = argv };
	size_t n = 0;
	int rc;

	if (!argv)
		return err_nomem(e);
	argv[n++] = "setfiles";
	argv[n++] = "-F";
	argv[n++] = "-m";
	for (size_t i = 0; i < ARRAY_LEN(always) + nbut; i++) {
		argv[n++] = "-e";
		argv[n++] = i < ARRAY_LEN(always) ? always[i] : but[i - ARRAY_LEN(always)];
	}
	argv[n++] = contexts;
	argv[n++] = "/";
	rc = t->ops->run(t, &run, status, e);
	if (rc == -ERR_NOT_FOUND || rc == -ERR_SYSTEM) {
		err_clear(e);
		*status = -1;
		rc = 0;
	}
	return rc;
}

int settings_relabel(struct tree *t, const char *const *but, size_t nbut, bool *at_boot, struct err *e)
{
	CLEANUP(free_ptr) char *config = NULL;
	CLEANUP(free_ptr) char *type = NULL;
	CLEANUP(free_ptr) char *contexts = NULL;
	const bool later = *at_boot;
	int status = -1, rc = tree_text(t, "/etc/selinux/config", &config, NULL, e);

	*at_boot = false;
	if (rc <= 0)
		return rc;
	rc = os_shell_value(config, "SELINUXTYPE", &type, e);
	if (rc <= 0)
		return rc;
	contexts = alloc_printf("/etc/selinux/%s/contexts/files/file_contexts", type);
	if (!contexts)
		return err_nomem(e);
	if (!later && !strchr(type, '/') && tree_is_file(t, contexts)) {
		rc = run_setfiles(t, contexts, but, nbut, &status, e);
		if (rc < 0 || status == 0)
			return rc < 0 ? rc : tree_drop(t, "/.autorelabel", e);
	}
	*at_boot = true;
	return tree_put(t, "/.autorelabel", "", 0644, e);
}
