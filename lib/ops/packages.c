/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* packages.c - one row a package manager. */
#include "packages.h"

#include "alloc.h"

#include <ctype.h>

/* Each is a script that ends with the first failure; "@" are the names. */
static const struct {
	const char *name;
	const char *commands[3]; /* by enum package_job */
} managers[] = {
	{ "apk", { "apk update\napk add @", "apk del @", "apk update\napk upgrade" } },
	{ "apt",
	  { "export DEBIAN_FRONTEND=noninteractive\napt-get -q -y update\n"
	    "apt-get -q -y -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold install @",
	    "export DEBIAN_FRONTEND=noninteractive\napt-get -q -y remove @",
	    "export DEBIAN_FRONTEND=noninteractive\napt-get -q -y update\n"
	    "apt-get -q -y -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold upgrade" } },
	{ "dnf", { "dnf -y --nogpgcheck install @", "dnf -y remove @", "dnf -y --nogpgcheck upgrade" } },
	{ "dnf5", { "dnf -y --no-gpgchecks install @", "dnf -y remove @", "dnf -y --no-gpgchecks upgrade" } },
	{ "pacman", { "pacman -Sy --noconfirm --needed @", "pacman -R --noconfirm @", "pacman -Syu --noconfirm" } },
	{ "pisi", { "pisi -y install @", "pisi -y remove @", "pisi -y upgrade" } },
	{ "pkg",
	  { "ASSUME_ALWAYS_YES=yes pkg install @", "ASSUME_ALWAYS_YES=yes pkg delete @",
	    "ASSUME_ALWAYS_YES=yes pkg upgrade" } },
	{ "portage", { "emerge --noreplace @", "emerge --unmerge @", "emerge --sync\nemerge -uDN @world" } },
	{ "urpmi", { "urpmi --auto --no-verify-rpm @", "urpme --auto @", "urpmi --auto --auto-select" } },
	{ "xbps", { "xbps-install -Sy @", "xbps-remove -y @", "xbps-install -Suy" } },
	{ "yum", { "yum -y install @", "yum -y remove @", "yum -y update" } },
	{ "zypper",
	  { "zypper --non-interactive install --auto-agree-with-licenses @", "zypper --non-interactive remove @",
	    "zypper --non-interactive update --auto-agree-with-licenses" } },
};

/* What package managers take: names, versions, architectures, groups ("@core"), files below the guest's root. */
static bool name_ok(const char *name, size_t len)
{
	if (!len || name[0] == '-')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("+-._:~=@/*^<>", name[i]))
			return false;
	return true;
}

static int names_put(const char *names, struct strbuf *out, struct err *e)
{
	for (const char *p = names; *p;) {
		size_t len = strcspn(p, ",");

		if (!name_ok(p, len))
			return err_set(e, ERR_USAGE, "\"%.*s\" is no name of a package", (int)len, p);
		strbuf_printf(out, p == names ? "'%.*s'" : " '%.*s'", (int)len, p);
		p += len + (p[len] == ',');
	}
	return *names ? 0 : err_set(e, ERR_USAGE, "no package is named");
}

int packages_script(const struct os *os, enum package_job job, const char *names, struct strbuf *out, struct err *e)
{
	const char *commands = NULL, *at;
	int rc = 0;

	for (size_t i = 0; os->package_manager && i < ARRAY_LEN(managers); i++)
		if (strcmp(managers[i].name, os->package_manager) == 0)
			commands = managers[i].commands[job];
	if (!commands)
		return err_set(e, ERR_UNSUPPORTED, "how packages of this system (%s) are installed is not known",
			       os->package_manager ? os->package_manager : os->distro ? os->distro : "unknown");
	strbuf_puts(out, "set -e\n");
	at = job == PACKAGES_UPDATE ? NULL : strchr(commands, '@');
	strbuf_add(out, commands, at ? (size_t)(at - commands) : strlen(commands));
	if (at)
		rc = names_put(names, out, e);
	if (at)
		strbuf_puts(out, at + 1);
	strbuf_putc(out, '\n');
	return rc < 0 ? rc : out->failed ? err_nomem(e) : 0;
}
