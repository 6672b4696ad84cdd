/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* os_system.c - host name, time zone, init and packages of a guest, and what libosinfo calls it. */
#include "os.h"

#include "alloc.h"
#include "text.h"

#include <stdio.h>
#include <sys/stat.h>

/* ---- packages ---- */

static const struct {
	const char *distro, *format, *manager;
} packages[] = {
	{ "almalinux", "rpm", "dnf" },	    { "alpinelinux", "apk", "apk" },	{ "altlinux", "rpm", "apt" },
	{ "amazonlinux", "rpm", "yum" },    { "archlinux", "pacman", "pacman" }, { "azurelinux", "rpm", "dnf" },
	{ "centos", "rpm", "yum" },	    { "circle", "rpm", "dnf" },		{ "debian", "deb", "apt" },
	{ "fedora", "rpm", "yum" },	    { "freebsd", "pkg", "pkg" },	{ "frugalware", "pacman", "pacman" },
	{ "gentoo", "ebuild", "portage" },  { "kalilinux", "deb", "apt" },	{ "kylin", "deb", "apt" },
	{ "linuxmint", "deb", "apt" },	    { "mageia", "rpm", "urpmi" },	{ "mandriva", "rpm", "urpmi" },
	{ "manjaro", "pacman", "pacman" },  { "meego", "rpm", "yum" },		{ "neokylin", "rpm", "yum" },
	{ "netbsd", "pkgsrc", NULL },	    { "nixos", "nix", "nix" },		{ "openbsd", "pkg", "pkg_add" },
	{ "opencloudos", "rpm", "dnf" },    { "openeuler", "rpm", "dnf" },	{ "openmandriva", "rpm", "dnf" },
	{ "opensuse", "rpm", "zypper" },    { "oraclelinux", "rpm", "yum" },	{ "pardus", "pisi", "pisi" },
	{ "photon", "rpm", "dnf" },	    { "pldlinux", "rpm", NULL },	{ "pop", "deb", "apt" },
	{ "raspbian", "deb", "apt" },	    { "redhat-based", "rpm", "yum" },	{ "rhel", "rpm", "yum" },
	{ "rocky", "rpm", "dnf" },	    { "scientificlinux", "rpm", "yum" }, { "sles", "rpm", "zypper" },
	{ "steamos", "pacman", "pacman" },  { "suse-based", "rpm", "zypper" },	{ "tencentos", "rpm", "dnf" },
	{ "ubuntu", "deb", "apt" },	    { "voidlinux", "xbps", "xbps" },	{ "dragonfly", "pkg", "pkg" },
};

/* Red Hat's family changed its manager: from which major version on. */
static const struct {
	const char *distro;
	unsigned major;
} dnf[] = {
	{ "fedora", 22 }, { "rhel", 8 }, { "centos", 8 }, { "oraclelinux", 8 }, { "redhat-based", 8 }, { "amazonlinux", 2022 },
};
/* Up to version 4; those that were made from it for free had yum from the beginning. */
static const char *const up2date[] = { "rhel", "oraclelinux", "redhat-based" };
#define UP2DATE_LAST 4

static void packages_set(struct os *o)
{
	for (size_t i = 0; i < ARRAY_LEN(packages); i++) {
		if (strcmp(o->distro, packages[i].distro) != 0)
			continue;
		o->package_format = packages[i].format;
		o->package_manager = packages[i].manager;
	}
	/* SteamOS was made from Debian, and is made from Arch since version 3. */
	if (strcmp(o->distro, "steamos") == 0 && o->has_version && o->major < 3) {
		o->package_format = "deb";
		o->package_manager = "apt";
	}
	for (size_t i = 0; i < ARRAY_LEN(dnf); i++)
		if (strcmp(o->distro, dnf[i].distro) == 0 && o->major >= dnf[i].major)
			o->package_manager = "dnf";
	for (size_t i = 0; i < ARRAY_LEN(up2date); i++)
		if (strcmp(o->distro, up2date[i]) == 0 && o->has_version && o->major <= UP2DATE_LAST)
			o->package_manager = "up2date";
}

/* ---- libosinfo ---- */

/* How a name is made from the version; of several rows of a distribution the first whose `from` is not above it. */
static const struct {
	const char *distro;
	unsigned from;
	enum { NAME, NAME_MAJOR, NAME_MAJOR_MINOR, NAME_MAJOR_0, NAME_SERVICE_PACK, NAME_TWO_DIGITS } how;
	const char *name;
} osinfo[] = {
	{ "almalinux", 0, NAME_MAJOR, "almalinux" },
	{ "alpinelinux", 0, NAME_MAJOR_MINOR, "alpinelinux" },
	{ "altlinux", 8, NAME_MAJOR_MINOR, "alt" },
	{ "altlinux", 0, NAME_MAJOR_MINOR, "altlinux" },
	{ "archlinux", 0, NAME, "archlinux" },
	{ "centos", 8, NAME_MAJOR, "centos" },
	{ "centos", 7, NAME_MAJOR_0, "centos" },
	{ "centos", 6, NAME_MAJOR_MINOR, "centos" },
	{ "circle", 8, NAME_MAJOR, "circle" },
	{ "debian", 4, NAME_MAJOR, "debian" },
	{ "fedora", 0, NAME_MAJOR, "fedora" },
	{ "gentoo", 0, NAME, "gentoo" },
	{ "mageia", 0, NAME_MAJOR, "mageia" },
	{ "openeuler", 0, NAME_MAJOR_MINOR, "openeuler" },
	{ "opensuse", 0, NAME_MAJOR_MINOR, "opensuse" },
	{ "oraclelinux", 0, NAME_MAJOR_MINOR, "ol" },
	{ "rhel", 0, NAME_MAJOR_MINOR, "rhel" },
	{ "rocky", 8, NAME_MAJOR, "rocky" },
	{ "sles", 15, NAME_SERVICE_PACK, "sle" },
	{ "sles", 0, NAME_SERVICE_PACK, "sles" },
	{ "ubuntu", 0, NAME_TWO_DIGITS, "ubuntu" },
	{ "voidlinux", 0, NAME, "voidlinux" },
	{ "freebsd", 0, NAME_MAJOR_MINOR, "freebsd" },
	{ "netbsd", 0, NAME_MAJOR_MINOR, "netbsd" },
	{ "openbsd", 0, NAME_MAJOR_MINOR, "openbsd" },
};

static int osinfo_set(struct os *o, struct err *e)
{
	size_t i = 0;

	while (i < ARRAY_LEN(osinfo) && (strcmp(o->distro, osinfo[i].distro) != 0 || o->major < osinfo[i].from))
		i++;
	if (i == ARRAY_LEN(osinfo) || (osinfo[i].how != NAME && !o->has_version))
		return 0;
	switch (osinfo[i].how) {
	case NAME:
		o->osinfo = alloc_strdup(osinfo[i].name);
		break;
	case NAME_MAJOR:
		o->osinfo = alloc_printf("%s%u", osinfo[i].name, o->major);
		break;
	case NAME_MAJOR_MINOR:
		o->osinfo = alloc_printf("%s%u.%u", osinfo[i].name, o->major, o->minor);
		break;
	case NAME_MAJOR_0:
		o->osinfo = alloc_printf("%s%u.0", osinfo[i].name, o->major);
		break;
	case NAME_SERVICE_PACK:
		o->osinfo = o->minor ? alloc_printf("%s%usp%u", osinfo[i].name, o->major, o->minor)
				     : alloc_printf("%s%u", osinfo[i].name, o->major);
		break;
	case NAME_TWO_DIGITS:
		o->osinfo = alloc_printf("%s%u.%02u", osinfo[i].name, o->major, o->minor);
		break;
	}
	return o->osinfo ? 0 : err_nomem(e);
}

/* ---- host name ---- */

static int hostname_set(struct vfs *v, struct os *o, struct err *e)
{
	static const struct {
		const char *path, *key; /* key NULL: the first line */
	} places[] = {
		{ "/etc/HOSTNAME", NULL },
		{ "/etc/hostname", NULL },
		{ "/etc/sysconfig/network", "HOSTNAME" },
		{ "/etc/conf.d/hostname", "hostname" },
		{ "/etc/rc.conf", "hostname" },
		{ "/etc/myname", NULL },
		{ "/etc/hostname.file", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(places) && !o->hostname; i++) {
		CLEANUP(free_ptr) char *text = NULL;
		int rc;

		if (places[i].key) {
			rc = os_text(v, o, places[i].path, &text, e);
			if (rc > 0)
				rc = os_shell_value(text, places[i].key, &o->hostname, e);
		} else {
			rc = os_line(v, o, places[i].path, &o->hostname, e);
		}
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---- time zone ---- */

/* /etc/localtime is a link below zoneinfo; older systems write the name into a file. */
static int timezone_set(struct vfs *v, struct os *o, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf target = STRBUF_INIT;
	CLEANUP(free_ptr) char *text = NULL;
	const char *name = NULL;
	struct vfs_node n;
	int rc;

	if (vfs_lookup(v, "/etc/localtime", false, &n, NULL) == 0 && fs_readlink(n.fs, n.ino, &target, NULL) == 0)
		name = strstr(target.s, "zoneinfo/");
	if (name) {
		o->timezone = alloc_strdup(name + strlen("zoneinfo/"));
		return o->timezone ? 0 : err_nomem(e);
	}
	rc = os_line(v, o, "/etc/timezone", &o->timezone, e);
	if (rc == 0)
		rc = os_text(v, o, "/etc/sysconfig/clock", &text, e);
	if (rc > 0 && text) {
		rc = os_shell_value(text, "ZONE", &o->timezone, e);
		if (rc == 0)
			rc = os_shell_value(text, "TIMEZONE", &o->timezone, e);
	}
	return rc < 0 ? rc : 0;
}

/* ---- init ---- */

static int init_set(struct vfs *v, struct os *o, struct err *e)
{
	static const struct {
		const char *path, *init;
	} programs[] = {
		{ "/usr/lib/systemd/systemd", "systemd" }, { "/lib/systemd/systemd", "systemd" },
		{ "/sbin/openrc-init", "openrc" },	   { "/sbin/openrc", "openrc" },
		{ "/sbin/runit-init", "runit" },	   { "/usr/bin/runit-init", "runit" },
		{ "/sbin/initctl", "upstart" },		   { "/bin/s6-svscan", "s6" },
		{ "/etc/inittab", "sysvinit" },
	};

	for (size_t i = 0; i < ARRAY_LEN(programs) && !o->init; i++) {
		int rc = os_has(v, programs[i].path, 0, e);

		if (rc < 0)
			return rc;
		if (rc > 0)
			o->init = programs[i].init;
	}
	return 0;
}

int os_system(struct vfs *v, struct os *o, struct err *e)
{
	bool windows = o->type && strcmp(o->type, "windows") == 0;
	int rc = 0;

	if (o->distro)
		packages_set(o);
	if (o->distro && !o->osinfo)
		rc = osinfo_set(o, e);
	if (rc == 0 && !windows)
		rc = hostname_set(v, o, e);
	if (rc == 0 && !windows)
		rc = timezone_set(v, o, e);
	if (rc == 0 && o->type && strcmp(o->type, "linux") == 0)
		rc = init_set(v, o, e);
	return rc;
}
