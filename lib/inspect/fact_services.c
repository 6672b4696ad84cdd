/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fact_services.c - what a guest starts by itself: the links by which systemd, OpenRC, System V's init and runit are told, jobs of
 * upstart, and the BSDs' rc.conf.  What is told is what was asked for: a service may be enabled and not installed.
 */
#include "facts.h"

#include "alloc.h"
#include "limits.h"
#include "text.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

struct call {
	struct facts *f;
	struct vfs *v;
	const char *folder, *manager, *when;
};

static int service_add(struct facts *f, const char *name, size_t len, const char *manager, const char *state, const char *when,
		       struct err *e)
{
	struct service *items = alloc_resize(f->services, f->nservices + 1, sizeof *items), *s;

	if (!items)
		return err_nomem(e);
	f->services = items;
	s = &items[f->nservices++];
	*s = (struct service){ .name = alloc_strndup(name, len), .manager = manager, .state = state,
			       .when = when ? alloc_strdup(when) : NULL };
	return s->name && (s->when || !when) ? 0 : err_nomem(e);
}

static int by_name(const void *a, const void *b)
{
	const struct service *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	if (order == 0)
		order = strcmp(x->state, y->state);
	return order ? order : strcmp(x->when ? x->when : "", y->when ? y->when : "");
}

/* ---- systemd ---- */

#define SYSTEM_UNITS "/etc/systemd/system"
#define VENDOR_UNITS "/usr/lib/systemd/system"

/* A link in "multi-user.target.wants/". */
static int on_wanted(void *arg, const struct vfs_dirent *d, struct err *e)
{
	const struct call *c = arg;

	return strchr(d->name, '.') ? service_add(c->f, d->name, strlen(d->name), "systemd", "enabled", c->when, e) : 0;
}

/* In /etc/systemd/system: folders of wanted units, and links to /dev/null. */
static int on_unit(void *arg, const struct vfs_dirent *d, struct err *e)
{
	static const char *const kinds[] = { ".wants", ".requires", ".upholds" };
	const struct call *above = arg;
	CLEANUP(strbuf_free) struct strbuf target = STRBUF_INIT;
	struct fs_stat st;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		size_t len = strlen(d->name), kind = strlen(kinds[i]);
		CLEANUP(free_ptr) char *folder = NULL, *when = NULL;
		struct call c = *above;

		if (len <= kind || strcmp(d->name + len - kind, kinds[i]) != 0)
			continue;
		c.folder = folder = alloc_printf("%s/%s", above->folder, d->name);
		c.when = when = alloc_strndup(d->name, len - kind);
		if (!folder || !when)
			return err_nomem(e);
		return facts_dir(c.f, c.v, folder, on_wanted, &c, e);
	}
	if (fs_stat(d->node.fs, d->node.ino, &st, NULL) == 0 && S_ISLNK(st.mode) &&
	    fs_readlink(d->node.fs, d->node.ino, &target, NULL) == 0 && strcmp(target.s, "/dev/null") == 0)
		return service_add(above->f, d->name, strlen(d->name), "systemd", "masked", NULL, e);
	return 0;
}

/*
 * Does a pattern of "*" and "?" fit a name?  fnmatch() would do, but takes as long as the pattern likes: here each star is gone
 * back to from the next one on only, and steps are counted.
 */
static bool fits(const char *pattern, const char *name, uint64_t *steps)
{
	const char *star = NULL, *from = NULL;

	while (*name) {
		++*steps;
		if (*pattern == '*') {
			star = ++pattern;
			from = name;
		} else if (*pattern == '?' || *pattern == *name) {
			pattern++;
			name++;
		} else if (star) {
			pattern = star;
			name = ++from;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

/* A rule of a preset file: patterns of units to enable or not; the first that fits decides (systemd.preset(5)). */
struct preset {
	char *pattern;
	bool enable;
};
struct presets {
	char **files; /* names, that of the folder left off */
	size_t nfiles;
	struct preset *rules;
	size_t nrules;
	uint64_t steps; /* of fits() */
	struct facts *f;
	struct vfs *v;
};

static void presets_free(struct presets *p)
{
	for (size_t i = 0; i < p->nfiles; i++)
		free(p->files[i]);
	for (size_t i = 0; i < p->nrules; i++)
		free(p->rules[i].pattern);
	free(p->files);
	free(p->rules);
}

static const char *const preset_folders[] = { "/etc/systemd/system-preset", "/usr/lib/systemd/system-preset" };

static int on_preset_file(void *arg, const struct vfs_dirent *d, struct err *e)
{
	struct presets *p = arg;
	char **files;

	if (fnmatch("*.preset", d->name, 0) != 0 || p->nfiles == LIMIT_PRESETS)
		return 0;
	/* One of this name in /etc takes the place of the vendor's. */
	for (size_t i = 0; i < p->nfiles; i++)
		if (strcmp(p->files[i], d->name) == 0)
			return 0;
	files = alloc_resize(p->files, p->nfiles + 1, sizeof *files);
	if (!files)
		return err_nomem(e);
	p->files = files;
	files[p->nfiles] = alloc_strdup(d->name);
	return files[p->nfiles++] ? 0 : err_nomem(e);
}

static int file_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int preset_line(struct presets *p, const char *line, size_t len, struct err *e)
{
	struct preset *rules;
	bool enable = strncmp(line, "enable", 6) == 0;
	size_t word = enable ? 6 : 7;

	if ((!enable && strncmp(line, "disable", 7) != 0) || len <= word || (line[word] != ' ' && line[word] != '\t'))
		return 0;
	while (word < len && (line[word] == ' ' || line[word] == '\t'))
		word++;
	while (len > word && (unsigned char)line[len - 1] <= ' ')
		len--;
	if (len == word || p->nrules == LIMIT_PRESETS)
		return 0;
	rules = alloc_resize(p->rules, p->nrules + 1, sizeof *rules);
	if (!rules)
		return err_nomem(e);
	p->rules = rules;
	/* Instances of a template may follow: the pattern is the first word. */
	rules[p->nrules].enable = enable;
	rules[p->nrules].pattern = alloc_strndup(line + word, MIN_OF(strcspn(line + word, " \t"), len - word));
	return rules[p->nrules++].pattern ? 0 : err_nomem(e);
}

static int presets_read(struct presets *p, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(preset_folders) && rc == 0; i++)
		rc = facts_dir(p->f, p->v, preset_folders[i], on_preset_file, p, e);
	if (p->nfiles)
		qsort(p->files, p->nfiles, sizeof *p->files, file_order);
	for (size_t i = 0; i < p->nfiles && rc == 0; i++) {
		CLEANUP(free_ptr) char *text = NULL;

		/* A link to /dev/null there hides the vendor's: the first that is there counts, readable or not. */
		for (size_t k = 0; k < ARRAY_LEN(preset_folders) && rc == 0; k++) {
			CLEANUP(free_ptr) char *path = alloc_printf("%s/%s", preset_folders[k], p->files[i]);

			if (!path)
				return err_nomem(e);
			rc = os_has(p->v, path, 0, e);
			if (rc <= 0)
				continue;
			rc = facts_text(p->f, p->v, path, LIMIT_CONFIG_BYTES, &text, e);
			break;
		}
		if (rc <= 0 || !text)
			continue;
		rc = 0;
		for (const char *line = text; *line && rc == 0; line += strcspn(line, "\n"), line += *line == '\n')
			rc = preset_line(p, line, strcspn(line, "\n"), e);
	}
	return rc < 0 ? rc : 0;
}

static int on_vendor_unit(void *arg, const struct vfs_dirent *d, struct err *e)
{
	struct presets *p = arg;

	if (p->steps > LIMIT_PRESET_STEPS)
		return sentence_add(&p->f->warnings, &p->f->nwarnings, e, "%s: its presets take too long to be told",
				    VENDOR_UNITS);
	for (size_t i = 0; i < p->nrules; i++) {
		if (!fits(p->rules[i].pattern, d->name, &p->steps))
			continue;
		return p->rules[i].enable ? service_add(p->f, d->name, strlen(d->name), "systemd", "preset", NULL, e) : 0;
	}
	return 0;
}

/*
 * A system that was never started enables, when it is, what its presets say.  Only units that a rule names are told: what is
 * left to the default would take reading each.
 */
static int presets_look(struct facts *f, struct vfs *v, struct err *e)
{
	CLEANUP(presets_free) struct presets p = { .f = f, .v = v };
	CLEANUP(free_ptr) char *id = NULL;
	int rc = facts_text(f, v, "/etc/machine-id", LIMIT_CONFIG_BYTES, &id, e);

	if (rc < 0)
		return rc;
	if (id && *id && *id != '\n' && strncmp(id, "uninitialized", 13) != 0)
		return 0;
	rc = presets_read(&p, e);
	return rc < 0 || !p.nrules ? rc : facts_dir(f, v, VENDOR_UNITS, on_vendor_unit, &p, e);
}

static int systemd_look(const struct facts_from *from, struct facts *f, struct err *e)
{
	struct call c = { .f = f, .v = from->g->vfs, .folder = SYSTEM_UNITS };
	int rc = facts_dir(f, c.v, SYSTEM_UNITS, on_unit, &c, e);

	return rc < 0 ? rc : presets_look(f, c.v, e);
}

/* ---- folders with a link for each service ---- */

static int on_link(void *arg, const struct vfs_dirent *d, struct err *e)
{
	const struct call *c = arg;

	return *d->name == '.' ? 0 : service_add(c->f, d->name, strlen(d->name), c->manager, "enabled", c->when, e);
}

/* OpenRC: /etc/runlevels/LEVEL/NAME. */
static int on_level(void *arg, const struct vfs_dirent *d, struct err *e)
{
	struct call c = *(const struct call *)arg;
	CLEANUP(free_ptr) char *folder = alloc_printf("%s/%s", c.folder, d->name);

	if (!folder)
		return err_nomem(e);
	c.when = d->name;
	return facts_dir(c.f, c.v, folder, on_link, &c, e);
}

static int openrc_look(const struct facts_from *from, struct facts *f, struct err *e)
{
	struct call c = { .f = f, .v = from->g->vfs, .folder = "/etc/runlevels", .manager = "openrc" };

	return facts_dir(f, c.v, c.folder, on_level, &c, e);
}

static int runit_look(const struct facts_from *from, struct facts *f, struct err *e)
{
	static const char *const folders[] = { "/etc/runit/runsvdir/default", "/etc/service" };
	struct call c = { .f = f, .v = from->g->vfs, .manager = "runit" };
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(folders) && rc == 0 && !f->nservices; i++)
		rc = facts_dir(f, c.v, folders[i], on_link, &c, e);
	return rc;
}

/* System V: S20name in the folder of a runlevel. */
static int on_start(void *arg, const struct vfs_dirent *d, struct err *e)
{
	const struct call *c = arg;

	if (*d->name != 'S' || !isdigit((unsigned char)d->name[1]) || !isdigit((unsigned char)d->name[2]) || !d->name[3])
		return 0;
	return service_add(c->f, d->name + 3, strlen(d->name + 3), c->manager, "enabled", c->when, e);
}

/* The runlevel in "id:3:initdefault:" of inittab; what Debian, and what others have without one. */
static int default_runlevel(struct facts *f, struct vfs *v, char *level, struct err *e)
{
	CLEANUP(free_ptr) char *text = NULL;
	int rc = facts_text(f, v, "/etc/inittab", LIMIT_CONFIG_BYTES, &text, e);

	*level = vfs_is_dir(v, "/etc/rc.d/rc3.d") ? '3' : '2';
	for (const char *p = text ? text : ""; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		const char *colon = *p == '#' ? NULL : memchr(p, ':', strcspn(p, "\n"));

		if (colon && isdigit((unsigned char)colon[1]) && strncmp(colon + 2, ":initdefault:", 13) == 0)
			*level = colon[1];
	}
	return rc < 0 ? rc : 0;
}

static int sysv_look(const struct facts_from *from, struct facts *f, struct err *e)
{
	char level, when[2] = { 0 };
	struct call c = { .f = f, .v = from->g->vfs, .manager = "sysvinit", .when = when };
	int rc = default_runlevel(f, c.v, &level, e);

	for (int i = 0; i < 2 && rc == 0; i++) {
		CLEANUP(free_ptr) char *folder = NULL;

		/* rcS.d comes before any runlevel. */
		when[0] = i ? level : 'S';
		folder = alloc_printf(vfs_is_dir(c.v, "/etc/rc.d/rc3.d") ? "/etc/rc.d/rc%s.d" : "/etc/rc%s.d", when);
		if (!folder)
			return err_nomem(e);
		rc = facts_dir(f, c.v, folder, on_start, &c, e);
	}
	return rc;
}

/* ---- upstart: /etc/init/NAME.conf with a line "start on ..." ---- */

static int on_job(void *arg, const struct vfs_dirent *d, struct err *e)
{
	const struct call *c = arg;
	CLEANUP(free_ptr) char *path = NULL, *text = NULL;
	size_t len = strlen(d->name);
	int rc;

	if (len <= 5 || strcmp(d->name + len - 5, ".conf") != 0)
		return 0;
	path = alloc_printf("/etc/init/%s", d->name);
	if (!path)
		return err_nomem(e);
	rc = facts_text(c->f, c->v, path, LIMIT_CONFIG_BYTES, &text, e);
	for (const char *p = text; rc > 0 && p && *p; p += strcspn(p, "\n"), p += *p == '\n')
		if (text_starts(p, "start on", NULL))
			return service_add(c->f, d->name, len - 5, "upstart", "enabled", NULL, e);
	return rc < 0 ? rc : 0;
}

static int upstart_look(const struct facts_from *from, struct facts *f, struct err *e)
{
	struct call c = { .f = f, .v = from->g->vfs };
	int rc = facts_dir(f, c.v, "/etc/init", on_job, &c, e);

	return rc < 0 ? rc : sysv_look(from, f, e);
}

/* ---- the BSDs: NAME_enable="YES" (FreeBSD), NAME=YES (NetBSD), NAME_flags=... and pkg_scripts (OpenBSD) ---- */

static bool is_yes(const char *value)
{
	return strcasecmp(value, "yes") == 0 || strcasecmp(value, "true") == 0 || strcasecmp(value, "on") == 0 ||
	       strcmp(value, "1") == 0;
}

/* The names in "a b c". */
static int words_add(struct facts *f, const char *words, struct err *e)
{
	int rc = 0;

	for (const char *p = words; *p && rc == 0; p += strspn(p, " \t")) {
		size_t len = strcspn(p, " \t");

		if (len)
			rc = service_add(f, p, len, "rc", "enabled", NULL, e);
		p += len;
	}
	return rc;
}

static int rc_line(struct facts *f, const char *line, const char *type, struct err *e)
{
	size_t len = strspn(line, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
	CLEANUP(free_ptr) char *key = NULL, *value = NULL;
	int rc;

	if (len == 0 || line[len] != '=')
		return 0;
	key = alloc_strndup(line, len);
	if (!key)
		return err_nomem(e);
	rc = os_shell_value(line, key, &value, e);
	if (rc <= 0 && strcmp(type, "openbsd") != 0)
		return rc;
	if (strcmp(type, "openbsd") == 0) {
		if (rc > 0 && strcmp(key, "pkg_scripts") == 0)
			return words_add(f, value, e);
		/* Without a value it is enabled, and started without flags. */
		if (rc < 0 || len <= 6 || strcmp(key + len - 6, "_flags") != 0 || (value && strcmp(value, "NO") == 0))
			return rc < 0 ? rc : 0;
		return service_add(f, key, len - 6, "rc", "enabled", NULL, e);
	}
	if (!is_yes(value))
		return 0;
	if (strcmp(type, "netbsd") == 0)
		return service_add(f, key, len, "rc", "enabled", NULL, e);
	return len > 7 && strcmp(key + len - 7, "_enable") == 0 ? service_add(f, key, len - 7, "rc", "enabled", NULL, e) : 0;
}

static int rc_conf_look(const struct facts_from *from, struct facts *f, struct err *e)
{
	static const char *const files[] = { "/etc/rc.conf", "/etc/rc.conf.local" };
	int rc = 0;

	/* OpenBSD's rc.conf is not to be changed: it has what is started without being asked for. */
	for (size_t i = strcmp(from->os->type, "openbsd") == 0; i < ARRAY_LEN(files) && rc == 0; i++) {
		CLEANUP(free_ptr) char *text = NULL;

		rc = facts_text(f, from->g->vfs, files[i], LIMIT_CONFIG_BYTES, &text, e);
		rc = rc < 0 ? rc : 0;
		for (const char *p = text ? text : ""; *p && rc == 0; p += strcspn(p, "\n"), p += *p == '\n')
			rc = rc_line(f, p, from->os->type, e);
	}
	return rc;
}

/* ---- which of them ---- */

static const struct {
	const char *type, *init; /* init NULL: any, or none known */
	int (*look)(const struct facts_from *from, struct facts *f, struct err *e);
} looks[] = {
	{ "linux", "systemd", systemd_look },
	{ "linux", "openrc", openrc_look },
	{ "linux", "runit", runit_look },
	{ "linux", "upstart", upstart_look },
	{ "linux", "sysvinit", sysv_look },
	{ "linux", "busybox", sysv_look },
	{ "hurd", NULL, sysv_look },
	{ "freebsd", NULL, rc_conf_look },
	{ "dragonfly", NULL, rc_conf_look },
	{ "netbsd", NULL, rc_conf_look },
	{ "openbsd", NULL, rc_conf_look },
};

static bool is_masked(const struct service *s)
{
	return strcmp(s->state, "masked") == 0;
}

/* Drops what is told twice, and that something is enabled which is masked. */
static void services_sort(struct facts *f)
{
	struct service *all = f->services;
	size_t n = 0, end;

	if (f->nservices)
		qsort(all, f->nservices, sizeof *all, by_name);
	for (size_t i = 0; i < f->nservices; i = end) {
		size_t first = n;
		bool masked = false;

		for (end = i; end < f->nservices && strcmp(all[end].name, all[i].name) == 0; end++)
			masked |= is_masked(&all[end]);
		/* What is kept of a name moves forward, never over what is still to be looked at: all[i] is the first of it. */
		for (size_t k = i; k < end; k++) {
			struct service s = all[k];

			if ((masked && (!is_masked(&s) || n > first)) || (n > first && by_name(&all[n - 1], &s) == 0)) {
				free(s.name);
				free(s.when);
			} else {
				all[n++] = s;
			}
		}
	}
	f->nservices = n;
}

int facts_services(const struct facts_from *from, struct facts *f, struct err *e)
{
	const struct os *os = from->os;
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(looks) && os->type && rc == 0; i++)
		if (strcmp(os->type, looks[i].type) == 0 &&
		    (!looks[i].init || (os->init && strcmp(os->init, looks[i].init) == 0)))
			rc = looks[i].look(from, f, e);
	services_sort(f);
	return rc;
}
