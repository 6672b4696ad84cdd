/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * os_release.c - distribution, product name and version: by rules in tables, the file that says most first.
 *
 * os-release names itself; where a distribution tells less there than in a file of its own (Debian's and CentOS's minor
 * versions), that file completes it.  Older systems have only such a file.
 */
#include "os.h"

#include "alloc.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- os-release and lsb-release: identifiers ---- */

static const struct {
	const char *id; /* with "*" at its end: a prefix */
	const char *distro;
} ids[] = {
	{ "almalinux", "almalinux" },
	{ "alpine", "alpinelinux" },
	{ "altlinux", "altlinux" },
	{ "amzn", "amazonlinux" },
	{ "arch", "archlinux" },
	{ "archarm", "archlinux" },
	{ "azurelinux", "azurelinux" },
	{ "bottlerocket", "bottlerocket" },
	{ "buildroot", "buildroot" },
	{ "centos", "centos" },
	{ "circle", "circle" },
	{ "cirros", "cirros" },
	{ "coreos", "coreos" },
	{ "debian", "debian" },
	{ "fedora", "fedora" },
	{ "flatcar", "flatcar" },
	{ "freebsd", "freebsd" },
	{ "frugalware", "frugalware" },
	{ "gentoo", "gentoo" },
	{ "kali", "kalilinux" },
	{ "kylin", "kylin" },
	{ "linuxmint", "linuxmint" },
	{ "mageia", "mageia" },
	{ "manjaro", "manjaro" },
	{ "mariner", "azurelinux" },
	{ "meego", "meego" },
	{ "neokylin", "neokylin" },
	{ "nixos", "nixos" },
	{ "ol", "oraclelinux" },
	{ "opencloudos", "opencloudos" },
	{ "openEuler", "openeuler" },
	{ "openeuler", "openeuler" },
	{ "openmandriva", "openmandriva" },
	{ "opensuse*", "opensuse" },
	{ "pardus", "pardus" },
	{ "photon", "photon" },
	{ "pld", "pldlinux" },
	{ "pop", "pop" },
	{ "raspbian", "raspbian" },
	{ "rhel", "rhel" },
	{ "rocky", "rocky" },
	{ "scientific", "scientificlinux" },
	{ "slackware", "slackware" },
	{ "sled", "sles" },
	{ "sles*", "sles" },
	{ "sl-micro", "sles" },
	{ "steamos", "steamos" },
	{ "tencentos", "tencentos" },
	{ "ubuntu", "ubuntu" },
	{ "void", "voidlinux" },
	/* DISTRIB_ID of lsb-release */
	{ "Debian", "debian" },
	{ "Fedora", "fedora" },
	{ "LinuxMint", "linuxmint" },
	{ "MageiaLinux", "mageia" },
	{ "Mageia", "mageia" },
	{ "MandrivaLinux", "mandriva" },
	{ "Mandriva Linux", "mandriva" },
	{ "CoreOS", "coreos" },
	{ "Ubuntu", "ubuntu" },
};

static const char *distro_of(const char *id)
{
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		size_t len = strlen(ids[i].id);

		if (ids[i].id[len - 1] == '*' ? strncmp(id, ids[i].id, len - 1) == 0 : strcmp(id, ids[i].id) == 0)
			return ids[i].distro;
	}
	return NULL;
}

/* The first of the words in ID_LIKE that we know: a family. */
static const char *family_of(const char *like)
{
	char word[64];
	int used;

	for (; sscanf(like, " %63s%n", word, &used) == 1; like += used) {
		if (strcmp(word, "rhel") == 0 || strcmp(word, "fedora") == 0 || strcmp(word, "centos") == 0)
			return "redhat-based";
		if (strcmp(word, "suse") == 0 || strcmp(word, "opensuse") == 0)
			return "suse-based";
		if (distro_of(word))
			return distro_of(word);
	}
	return NULL;
}

static int version_set(struct os *o, const char *text)
{
	if (!o->has_version && text)
		o->has_version = os_version_parse(text, &o->major, &o->minor);
	return 0;
}

/* Takes the value of a key, when *to has none yet. */
static int take_value(const char *text, const char *key, char **to, struct err *e)
{
	int rc = *to ? 0 : os_shell_value(text, key, to, e);

	return rc < 0 ? rc : 0;
}

static int os_release_file(struct vfs *v, struct os *o, struct err *e)
{
	static const char *const paths[] = { "/etc/os-release", "/usr/lib/os-release",
					     "/nix/var/nix/profiles/system/etc/os-release" };
	CLEANUP(free_ptr) char *text = NULL, *like = NULL;
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(paths) && rc == 0; i++)
		rc = os_text(v, o, paths[i], &text, e);
	if (rc <= 0)
		return rc;
	rc = take_value(text, "ID", &o->distro_id, e);
	if (rc == 0)
		rc = take_value(text, "PRETTY_NAME", &o->product_name, e);
	if (rc == 0)
		rc = take_value(text, "VERSION_ID", &o->version_id, e);
	if (rc == 0)
		rc = take_value(text, "VARIANT_ID", &o->product_variant, e);
	if (rc == 0)
		rc = take_value(text, "BUILD_ID", &o->build_id, e);
	if (rc == 0)
		rc = take_value(text, "ID_LIKE", &like, e);
	if (rc < 0)
		return rc;
	if (o->distro_id)
		o->distro = distro_of(o->distro_id);
	if (!o->distro && like)
		o->distro = family_of(like);
	return version_set(o, o->version_id);
}

static int lsb_release_file(struct vfs *v, struct os *o, struct err *e)
{
	CLEANUP(free_ptr) char *text = NULL, *id = NULL, *release = NULL;
	int rc = os_text(v, o, "/etc/lsb-release", &text, e);

	if (rc <= 0)
		return rc;
	rc = os_shell_value(text, "DISTRIB_ID", &id, e);
	if (rc >= 0)
		rc = os_shell_value(text, "DISTRIB_RELEASE", &release, e);
	if (rc >= 0 && id && distro_of(id) && !o->distro) {
		o->distro = distro_of(id);
		rc = take_value(text, "DISTRIB_DESCRIPTION", &o->product_name, e);
		if (rc == 0)
			rc = version_set(o, release);
	}
	return rc < 0 ? rc : 0;
}

/* ---- files of one distribution ---- */

/*
 * The first line of the file is looked at; where it holds `word` (NULL: any), the distribution is that, the line its
 * product name, and its first number the version.  In the order in which they are tried: several files of a family lie
 * together, the narrower one first.
 */
static const struct {
	const char *path, *word, *distro;
} files[] = {
	{ "/etc/oracle-release", "Oracle Linux", "oraclelinux" },
	{ "/etc/neokylin-release", NULL, "neokylin" },
	{ "/etc/centos-release", "CentOS", "centos" },
	{ "/etc/almalinux-release", NULL, "almalinux" },
	{ "/etc/rocky-release", NULL, "rocky" },
	{ "/etc/altlinux-release", NULL, "altlinux" },
	{ "/etc/frugalware-release", NULL, "frugalware" },
	{ "/etc/pardus-release", NULL, "pardus" },
	{ "/etc/openmandriva-release", NULL, "openmandriva" },
	{ "/etc/mageia-release", NULL, "mageia" },
	{ "/etc/mandriva-release", NULL, "mandriva" },
	{ "/etc/meego-release", NULL, "meego" },
	{ "/etc/pld-release", NULL, "pldlinux" },
	{ "/etc/photon-release", NULL, "photon" },
	{ "/etc/system-release", "Amazon Linux", "amazonlinux" },
	{ "/etc/redhat-release", "Fedora", "fedora" },
	{ "/etc/redhat-release", "Red Hat", "rhel" },
	{ "/etc/redhat-release", "CentOS", "centos" },
	{ "/etc/redhat-release", "Scientific Linux", "scientificlinux" },
	{ "/etc/redhat-release", "Oracle Linux", "oraclelinux" },
	{ "/etc/redhat-release", "Rocky Linux", "rocky" },
	{ "/etc/redhat-release", "AlmaLinux", "almalinux" },
	{ "/etc/redhat-release", NULL, "redhat-based" },
	{ "/etc/debian_version", NULL, "debian" },
	{ "/etc/arch-release", NULL, "archlinux" },
	{ "/etc/gentoo-release", NULL, "gentoo" },
	{ "/etc/slackware-version", NULL, "slackware" },
	{ "/etc/SuSE-release", "SUSE Linux Enterprise", "sles" },
	{ "/etc/SuSE-release", "openSUSE", "opensuse" },
	{ "/etc/SuSE-release", NULL, "suse-based" },
	{ "/etc/alpine-release", NULL, "alpinelinux" },
	{ "/etc/ttylinux-target", NULL, "ttylinux" },
	{ "/etc/cirros/version", NULL, "cirros" },
	{ "/etc/br-version", NULL, "buildroot" },
	{ "/etc/release", "NetBSD", "netbsd" },
	{ "/etc/motd", "OpenBSD", "openbsd" },
	{ "/etc/motd", "FreeBSD", "freebsd" },
	{ "/etc/motd", "DragonFly", "dragonfly" },
	{ "/etc/version", "Minix", "minix" },
};

/* Before version 5 of RHEL the minor version was an update: "release 4 (Nahant Update 8)". */
static void update_set(struct os *o, const char *line)
{
	const char *update = strstr(line, "Update ");
	unsigned n;

	if (o->has_version && o->major < 5 && !o->minor && update && sscanf(update, "Update %3u", &n) == 1)
		o->minor = n;
}

static int release_file(struct vfs *v, struct os *o, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(files) && !o->distro; i++) {
		CLEANUP(free_ptr) char *line = NULL;
		int rc;

		rc = os_has(v, files[i].path, 0, e);
		if (rc == 0)
			continue;
		if (rc > 0)
			rc = os_line(v, o, files[i].path, &line, e);
		if (rc < 0)
			return rc;
		if (files[i].word && (!line || !strstr(line, files[i].word)))
			continue;
		o->distro = files[i].distro;
		if (!line)
			continue;
		version_set(o, line);
		update_set(o, line);
		if (!o->product_name)
			o->product_name = take(line);
	}
	return 0;
}

/*
 * Systems that are what they are by a file of theirs; where that is a script or a list of "KEY=VALUE", the value is the version.
 * Of FreeBSD, os-release is made at each start in a place that is not kept.
 */
static const struct {
	const char *type, *path, *key, *distro, *product; /* the product's name is that and the version */
} marks[] = {
	{ "freebsd", "/bin/freebsd-version", "USERLAND_VERSION", "freebsd", "FreeBSD" },
	{ "dragonfly", "/sbin/hammer2", NULL, "dragonfly", "DragonFly BSD" },
	{ "dos", "/FDOS/VERSION.FDI", "VERSION", "freedos", "FreeDOS" },
	{ "dos", "/FREEDOS/VERSION.FDI", "VERSION", "freedos", "FreeDOS" },
	{ "dos", "/FDOS/FREEDOS.BSS", NULL, "freedos", "FreeDOS" },
	{ "dos", "/KERNEL.SYS", NULL, "freedos", "FreeDOS" },
	{ "dos", "/DOS/COMMAND.COM", NULL, "msdos", "MS-DOS" },
};

static int mark_file(struct vfs *v, struct os *o, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(marks) && !o->distro && o->type; i++) {
		CLEANUP(free_ptr) char *text = NULL, *version = NULL;
		int rc = strcmp(o->type, marks[i].type) == 0 ? os_has(v, marks[i].path, 0, e) : 0;

		if (rc > 0 && marks[i].key) {
			rc = os_text(v, o, marks[i].path, &text, e);
			if (rc > 0 && (rc = os_shell_value(text, marks[i].key, &version, e)) >= 0)
				rc = 1;
		}
		if (rc < 0)
			return rc;
		if (rc == 0)
			continue;
		o->distro = marks[i].distro;
		version_set(o, version);
		if (o->product_name)
			continue;
		o->product_name = alloc_printf("%s%s%s", marks[i].product, version ? " " : "", version ? version : "");
		if (!o->product_name)
			return err_nomem(e);
	}
	return 0;
}

/* Distributions that call themselves what they were made from, and are told by a file of their own. */
static const struct {
	const char *distro, *path, *real;
} made_from[] = {
	{ "debian", "/etc/rpi-issue", "raspbian" }, /* Raspberry Pi OS of 64 bits */
};

static int made_from_look(struct vfs *v, struct os *o, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(made_from); i++) {
		int rc = o->distro && strcmp(o->distro, made_from[i].distro) == 0 ? os_has(v, made_from[i].path, 0, e) : 0;

		if (rc < 0)
			return rc;
		if (rc > 0)
			o->distro = made_from[i].real;
	}
	return 0;
}

/* Files that know the minor version which os-release leaves out. */
static const struct {
	const char *distro, *path;
} minors[] = {
	{ "debian", "/etc/debian_version" },
	{ "raspbian", "/etc/debian_version" },
	{ "centos", "/etc/centos-release" },
	{ "alpinelinux", "/etc/alpine-release" },
};

static int minor_version(struct vfs *v, struct os *o, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(minors); i++) {
		CLEANUP(free_ptr) char *line = NULL;
		unsigned major, minor;
		int rc;

		if (!o->distro || strcmp(o->distro, minors[i].distro) != 0)
			continue;
		rc = os_line(v, o, minors[i].path, &line, e);
		if (rc < 0)
			return rc;
		/* A testing version has a name there; another major version contradicts, and does not complete. */
		if (!line || !os_version_parse(line, &major, &minor) || (o->has_version && major != o->major))
			continue;
		o->major = major;
		o->minor = minor;
		o->has_version = true;
	}
	return 0;
}

int os_release(struct vfs *v, struct os *o, struct err *e)
{
	int rc = os_release_file(v, o, e);

	if (rc == 0 && !o->distro)
		rc = lsb_release_file(v, o, e);
	if (rc == 0)
		rc = mark_file(v, o, e);
	if (rc == 0)
		rc = release_file(v, o, e);
	if (rc == 0)
		rc = made_from_look(v, o, e);
	return rc < 0 ? rc : minor_version(v, o, e);
}
