/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shell_inspect.c - commands of the shell that tell which operating system is there. */
#include "shell.h"

#include "alloc.h"

#include <inttypes.h>

/* The volume on "/", or NULL. */
static bool root_mounted(struct shell *s, struct dry_mount *out)
{
	for (size_t i = 0; dry_guest_mount_at(s->g, i, out); i++)
		if (strcmp(out->path, "/") == 0)
			return true;
	return false;
}

static int list_roots(struct shell *s, struct call *c)
{
	struct dry_error e = { .code = DRY_OK };
	const struct dry_root *roots;
	size_t n;

	(void)c;
	if (dry_guest_roots(s->g, &roots, &n, &e) < 0)
		return shell_error(s, "%s", e.msg);
	for (size_t i = 0; i < n; i++)
		shell_line(s, roots[i].volume);
	return 0;
}

/* Sees to it that the root is mounted, also for a moment; *again: it was mounted for this alone. */
static int show_root(struct shell *s, const char *root, bool *again)
{
	struct dry_error e = { .code = DRY_OK };
	const struct dry_root *roots;
	struct dry_mount m;
	size_t n;

	*again = false;
	if (root_mounted(s, &m))
		return strcmp(m.volume, root) == 0 ? 0
						   : shell_error(s, "%s: another root (%s) is mounted", root, m.volume);
	if (s->c && !s->readonly)
		return shell_error(s, "%s: in a session that writes it has to be mounted, as -i does", root);
	if (dry_guest_roots(s->g, &roots, &n, &e) < 0)
		return shell_error(s, "%s", e.msg);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(roots[i].volume, root) != 0)
			continue;
		*again = true;
		return dry_guest_mount_root(s->g, i, &e) < 0 ? shell_error(s, "%s", e.msg) : 0;
	}
	return shell_error(s,
			   "%s: root device not found: only call this function with a root device previously returned "
			   "by inspect-os",
			   root);
}

static const char *or_unknown(const char *text)
{
	return text && *text ? text : "unknown";
}

static int os_fact(struct shell *s, struct call *c)
{
	const char *what = s->cmd->name + strlen("inspect-get-");
	struct dry_error e = { .code = DRY_OK };
	struct dry_os os;
	bool again;
	int rc = show_root(s, c->arg[0], &again);

	if (rc == 0 && dry_guest_os(s->g, &os, &e) < 0)
		rc = shell_error(s, "%s", e.msg);
	if (rc == 0) {
		if (strcmp(what, "type") == 0)
			shell_line(s, or_unknown(os.type));
		else if (strcmp(what, "distro") == 0)
			shell_line(s, or_unknown(os.distro));
		else if (strcmp(what, "arch") == 0)
			shell_line(s, or_unknown(os.arch));
		else if (strcmp(what, "hostname") == 0)
			shell_line(s, or_unknown(os.hostname));
		else if (strcmp(what, "product-name") == 0)
			shell_line(s, or_unknown(os.product_name));
		else if (strcmp(what, "product-variant") == 0)
			shell_line(s, or_unknown(os.product_variant));
		else if (strcmp(what, "build-id") == 0)
			shell_line(s, or_unknown(os.build_id));
		else if (strcmp(what, "osinfo") == 0)
			shell_line(s, or_unknown(os.osinfo));
		else if (strcmp(what, "package-format") == 0)
			shell_line(s, or_unknown(os.package_format));
		else if (strcmp(what, "package-management") == 0)
			shell_line(s, or_unknown(os.package_manager));
		else
			shell_printf(s, "%u\n",
				     !os.has_version		      ? 0
				     : *what == 'm' && what[1] == 'a' ? os.major
								      : os.minor);
	}
	if (again)
		dry_guest_unmount(s->g);
	return rc;
}

static int mount_facts(struct shell *s, struct call *c)
{
	const bool points = strstr(s->cmd->name, "mountpoints") != NULL;
	struct dry_mount m;
	bool again;
	int rc = show_root(s, c->arg[0], &again);

	for (size_t i = 0; rc == 0 && dry_guest_mount_at(s->g, i, &m); i++) {
		if (points)
			shell_printf(s, "%s: %s\n", m.path, m.volume);
		else
			shell_line(s, m.volume);
	}
	if (again)
		dry_guest_unmount(s->g);
	return rc;
}

static int windows_fact(struct shell *s, struct call *c)
{
	const char *what = s->cmd->name + strlen("inspect-get-");
	struct dry_error e = { .code = DRY_OK };
	struct dry_windows w;
	const char *text;
	bool again;
	int rc = show_root(s, c->arg[0], &again);

	if (rc == 0 && dry_guest_windows(s->g, &w, &e) < 0)
		rc = shell_error(s, "%s", e.msg);
	if (rc == 0 && strcmp(what, "drive-mappings") == 0) {
		for (size_t i = 0; i < w.ndrives; i++)
			if (w.drives[i].volume)
				shell_printf(s, "%c: %s\n", w.drives[i].letter, w.drives[i].volume);
	} else if (rc == 0) {
		text = strcmp(what, "windows-systemroot") == 0	    ? w.systemroot
		       : strcmp(what, "windows-software-hive") == 0 ? w.software_hive
		       : strcmp(what, "windows-system-hive") == 0   ? w.system_hive
								    : w.control_set;
		if (text)
			shell_line(s, text);
		else
			rc = shell_error(s, "%s: it is not known", c->arg[0]);
	}
	if (again)
		dry_guest_unmount(s->g);
	return rc;
}

static void app_fact(struct shell *s, const char *name, const char *value)
{
	shell_printf(s, "  app2_%s: %s\n", name, value ? value : "");
}

struct apps {
	struct shell *s;
	size_t n;
};

static int show_app(void *arg, const struct dry_package *p)
{
	struct apps *a = arg;
	struct shell *s = a->s;

	shell_printf(s, "[%zu] = {\n", a->n++);
	app_fact(s, "name", p->id ? p->id : p->name);
	app_fact(s, "display_name", p->id ? p->name : NULL);
	shell_printf(s, "  app2_epoch: %" PRIu32 "\n", p->epoch);
	app_fact(s, "version", p->version);
	app_fact(s, "release", p->release);
	app_fact(s, "arch", p->arch);
	app_fact(s, "install_path", p->location);
	app_fact(s, "trans_path", NULL);
	app_fact(s, "publisher", p->vendor);
	app_fact(s, "url", p->url);
	app_fact(s, "source_package", p->source);
	app_fact(s, "summary", p->summary);
	app_fact(s, "description", p->description);
	for (int i = 1; i <= 4; i++)
		shell_printf(s, "  app2_spare%d: \n", i);
	shell_printf(s, "}\n");
	return s->lost;
}

static int applications(struct shell *s, struct call *c)
{
	struct apps a = { .s = s };
	const struct dry_package_walk walk = { .package = show_app, .arg = &a };
	struct dry_error e = { .code = DRY_OK };
	bool again;
	int rc = show_root(s, c->arg[0], &again);

	if (rc == 0 && dry_guest_packages(s->g, &walk, &e) < 0 && e.code != DRY_CANCELED)
		rc = shell_error(s, "%s", e.msg);
	if (again)
		dry_guest_unmount(s->g);
	return rc;
}

#define OS(n, h)                                                                                                       \
	{                                                                                                              \
		"inspect-get-" n, NULL, "=root", h, os_fact, 0, NULL                                                   \
	}
#define WINDOWS(n, h)                                                                                                  \
	{                                                                                                              \
		"inspect-get-" n, NULL, "=root", h, windows_fact, 0, NULL                                              \
	}
static const struct shell_command commands[] = {
	{ "inspect-os", NULL, NULL, "look for operating systems: their roots", list_roots, 0, NULL },
	{ "inspect-get-roots", NULL, NULL, "the roots of operating systems", list_roots, 0, NULL },
	OS("type", "linux, windows ..."),
	OS("distro", "debian, fedora ..."),
	OS("major-version", "the major version of the system"),
	OS("minor-version", "the minor version of the system"),
	OS("product-name", "the system's name for people"),
	OS("product-variant", "which variant of it"),
	OS("build-id", "its build"),
	OS("arch", "its architecture"),
	OS("hostname", "its host name"),
	OS("osinfo", "how libosinfo calls it"),
	OS("package-format", "deb, rpm ..."),
	OS("package-management", "apt, dnf ..."),
	{ "inspect-get-mountpoints", NULL, "=root", "what the system mounts, and where", mount_facts, 0, NULL },
	{ "inspect-get-filesystems", NULL, "=root", "the filesystems of the system", mount_facts, 0, NULL },
	{ "inspect-list-applications2", "inspect-list-applications", "=root", "which packages are installed",
	  applications, 0, NULL },
	WINDOWS("drive-mappings", "the drive letters of Windows"),
	WINDOWS("windows-systemroot", "the folder of Windows"),
	WINDOWS("windows-current-control-set", "what CurrentControlSet is"),
	WINDOWS("windows-software-hive", "the file of the software hive"),
	WINDOWS("windows-system-hive", "the file of the system hive"),
};
const struct shell_group shell_inspect_group = SHELL_GROUP("the operating system", commands);
