/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * os_media.c - what is no installed system but the medium of one: installers, and systems that are started from it.
 *
 * Each family has a file at the top of its media; some say there what they are, in the family's own form.
 */
#include "os.h"

#include "alloc.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum form {
	FORM_NONE,     /* that it is there is all */
	FORM_LINE,     /* its first line is the name, with the version in it */
	FORM_TREEINFO, /* "name = Fedora 41", "version = 41", "arch = x86_64" in sections */
	FORM_DISCINFO, /* lines: a time, the name, the processor */
	FORM_SHELL,    /* PRODUCTLONG='Proxmox Virtual Environment', RELEASE='8.1' */
	FORM_SUSE,     /* "/ openSUSE-Leap 15.6-1" */
};

/* The first that is there counts.  distro NULL: as its name tells; media NULL: an installer, unless it is a live system. */
static const struct {
	const char *path, *type, *distro, *media;
	enum form form;
} rows[] = {
	{ "/.disk/info", "linux", NULL, NULL, FORM_LINE },
	{ "/.treeinfo", "linux", NULL, NULL, FORM_TREEINFO },
	{ "/.discinfo", "linux", NULL, NULL, FORM_DISCINFO },
	{ "/media.1/products", "linux", NULL, NULL, FORM_SUSE },
	{ "/.alpine-release", "linux", "alpinelinux", "live", FORM_LINE },
	{ "/arch/x86_64/airootfs.sfs", "linux", "archlinux", "live", FORM_NONE },
	{ "/arch/x86_64/airootfs.erofs", "linux", "archlinux", "live", FORM_NONE },
	{ "/nix-store.squashfs", "linux", "nixos", "live", FORM_NONE },
	{ "/.cd-info", "linux", "debian", NULL, FORM_SHELL },
	{ "/slackware64/PACKAGES.TXT", "linux", "slackware", NULL, FORM_NONE },
	{ "/slackware/PACKAGES.TXT", "linux", "slackware", NULL, FORM_NONE },
	{ "/image.squashfs", "linux", "gentoo", "live", FORM_NONE },
	{ "/live/filesystem.squashfs", "linux", NULL, "live", FORM_NONE },
	{ "/casper/filesystem.squashfs", "linux", NULL, "live", FORM_NONE },
	{ "/LiveOS/squashfs.img", "linux", NULL, "live", FORM_NONE },
	{ "/install.amd/vmlinuz", "linux", "debian", NULL, FORM_NONE },
	{ "/sources/install.wim", "windows", "windows", "installer", FORM_NONE },
	{ "/sources/install.esd", "windows", "windows", "installer", FORM_NONE },
	{ "/sources/install.swm", "windows", "windows", "installer", FORM_NONE },
	{ "/I386/TXTSETUP.SIF", "windows", "windows", "installer", FORM_NONE },
};

/* Systems that are run from the medium: beside these an installer may be there, too. */
static const char *const lives[] = { "/live/filesystem.squashfs", "/casper/filesystem.squashfs", "/casper/minimal.squashfs",
				     "/LiveOS/squashfs.img" };

/* Roots of whole systems that are there to install another. */
static const char *const installers[] = { "/usr/freebsd-dist/MANIFEST" };

/* Words in names; the narrower first. */
static const struct {
	const char *word, *distro;
} names[] = {
	{ "Debian", "debian" },	    { "Kubuntu", "ubuntu" },	   { "Xubuntu", "ubuntu" },	{ "Lubuntu", "ubuntu" },
	{ "Ubuntu", "ubuntu" },	    { "Kali", "kalilinux" },	   { "Linux Mint", "linuxmint" }, { "Pop_OS", "pop" },
	{ "Fedora", "fedora" },	    { "CentOS", "centos" },	   { "Red Hat", "rhel" },	{ "Rocky", "rocky" },
	{ "AlmaLinux", "almalinux" }, { "Oracle Linux", "oraclelinux" }, { "openSUSE", "opensuse" },	{ "SLE", "sles" },
	{ "Mageia", "mageia" },	    { "Amazon Linux", "amazonlinux" }, { "Photon", "photon" },
};

static const struct {
	const char *word, *arch;
} archs[] = {
	{ "amd64", "x86_64" },	  { "x86_64", "x86_64" },   { "i386", "i386" },	      { "i686", "i386" },
	{ "arm64", "aarch64" },	  { "aarch64", "aarch64" }, { "ppc64el", "ppc64le" }, { "ppc64le", "ppc64le" },
	{ "s390x", "s390x" },	  { "riscv64", "riscv64" },
};

static void name_judge(struct os *o)
{
	for (size_t i = 0; i < ARRAY_LEN(names) && o->product_name && !o->distro; i++)
		if (strstr(o->product_name, names[i].word))
			o->distro = names[i].distro;
}

static void arch_judge(struct os *o, const char *text)
{
	for (size_t i = 0; i < ARRAY_LEN(archs) && text && !o->arch; i++)
		if (strstr(text, archs[i].word))
			o->arch = archs[i].arch;
}

static void version_judge(struct os *o, const char *text)
{
	if (text && !o->has_version)
		o->has_version = os_version_parse(text, &o->major, &o->minor);
}

/* "key = value" of an INI file, the first of them in any section: 1 and free() it. */
static int ini_value(const char *text, const char *key, char **value, struct err *e)
{
	const char *rest;

	for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		size_t len;

		if (!text_starts(p, key, &rest))
			continue;
		rest += strspn(rest, " \t");
		if (*rest != '=')
			continue;
		rest += 1 + strspn(rest + 1, " \t");
		len = strcspn(rest, "\r\n");
		if (len == 0)
			continue;
		*value = alloc_strndup(rest, len);
		return *value ? 1 : err_nomem(e);
	}
	return 0;
}

static int treeinfo_read(struct os *o, const char *text, struct err *e)
{
	CLEANUP(free_ptr) char *version = NULL, *arch = NULL;
	int rc = ini_value(text, "name", &o->product_name, e);

	if (rc == 0)
		rc = ini_value(text, "family", &o->product_name, e);
	if (rc >= 0)
		rc = ini_value(text, "version", &version, e);
	if (rc >= 0)
		rc = ini_value(text, "arch", &arch, e);
	if (rc >= 0)
		rc = ini_value(text, "variant", &o->product_variant, e);
	version_judge(o, version);
	arch_judge(o, arch);
	return rc < 0 ? rc : 0;
}

/* The nth line, from 0; NULL with 0 when there is none. */
static int line_copy(const char *text, size_t nth, char **out, struct err *e)
{
	while (nth-- && *text) {
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	if (!*text || *text == '\n')
		return 0;
	*out = alloc_strndup(text, strcspn(text, "\r\n"));
	return *out ? 0 : err_nomem(e);
}

static int form_read(struct os *o, enum form form, char *text, struct err *e)
{
	CLEANUP(free_ptr) char *extra = NULL;
	int rc = 0;

	switch (form) {
	case FORM_NONE:
		break;
	case FORM_LINE:
		rc = line_copy(text, 0, &o->product_name, e);
		arch_judge(o, o->product_name);
		version_judge(o, o->product_name);
		break;
	case FORM_TREEINFO:
		rc = treeinfo_read(o, text, e);
		break;
	case FORM_DISCINFO:
		rc = line_copy(text, 1, &o->product_name, e);
		if (rc == 0)
			rc = line_copy(text, 2, &extra, e);
		arch_judge(o, extra);
		version_judge(o, o->product_name);
		break;
	case FORM_SHELL:
		rc = os_shell_value(text, "PRODUCTLONG", &o->product_name, e);
		if (rc >= 0)
			rc = os_shell_value(text, "RELEASE", &extra, e);
		version_judge(o, extra);
		break;
	case FORM_SUSE:
		rc = line_copy(text[0] == '/' ? text + 1 + strspn(text + 1, " ") : text, 0, &o->product_name, e);
		version_judge(o, o->product_name);
		break;
	}
	return rc < 0 ? rc : 0;
}

/* The row whose file is there, or -1; < -1: a negated error. */
static int row_find(struct vfs *v, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int rc = os_has(v, rows[i].path, S_IFREG, e);

		if (rc != 0)
			return rc < 0 ? -2 : (int)i;
	}
	return -1;
}

int os_media_root(struct vfs *v, struct err *e)
{
	int row = row_find(v, e);

	return row == -2 ? -ERR_NOMEM : row >= 0;
}

int os_media(struct vfs *v, struct os *o, struct err *e)
{
	CLEANUP(free_ptr) char *text = NULL;
	int row, rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(installers) && o->type; i++) {
		rc = os_has(v, installers[i], S_IFREG, e);
		if (rc < 0)
			return rc;
		if (rc > 0)
			o->media = "installer";
	}
	if (o->type)
		return 0;
	row = row_find(v, e);
	if (row < 0)
		return row == -2 ? -ERR_NOMEM : 0;
	o->type = rows[row].type;
	o->distro = rows[row].distro;
	o->media = rows[row].media;
	if (rows[row].form != FORM_NONE)
		rc = os_text(v, o, rows[row].path, &text, e);
	if (rc > 0 && text)
		rc = form_read(o, rows[row].form, text, e);
	for (size_t i = 0; i < ARRAY_LEN(lives) && rc >= 0 && !o->media; i++) {
		rc = os_has(v, lives[i], S_IFREG, e);
		if (rc > 0)
			o->media = "live";
	}
	if (!o->media)
		o->media = "installer";
	name_judge(o);
	return rc < 0 ? rc : 0;
}
