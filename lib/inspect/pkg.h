/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pkg.h - the packages that a guest's package manager says are installed, from its own database: read by our own bounded
 * readers, never by the manager's library or program.
 */
#ifndef DRYDOCK_PKG_H
#define DRYDOCK_PKG_H

#include "vfs.h"

/* Texts are the guest's, lent until the callback returns; NULL: not known. */
struct package {
	const char *name;
	uint32_t epoch;
	const char *version, *release; /* without the epoch; release NULL: the format has none */
	const char *arch, *vendor, *url, *summary, *description;
	const char *source;   /* the source package, by its name */
	const char *id;	      /* what the database calls it, where that is not its name: a key of Windows */
	const char *location; /* the folder in which it is, where that is told */
	int64_t install_time; /* seconds since 1970; 0: not known */
};
typedef int (*package_fn)(void *arg, const struct package *p, struct err *e);

/* A database of a kind: what reads it, and where it lies. */
struct pkg_format {
	const char *name; /* "deb" */
	const char *path; /* the file or folder that is there when the guest has such a database */
	/* Calls fn for each installed package, in the database's order, until it returns non-zero, which is then returned. */
	int (*list)(struct vfs *v, const char *path, package_fn fn, void *arg, struct err *e);
};
extern const struct pkg_format pkg_deb, pkg_rpm, pkg_rpm_var, pkg_apk, pkg_pacman, pkg_portage;
extern const struct pkg_format pkg_xbps, pkg_pkgsrc, pkg_pkgsrc_usr, pkg_openbsd, pkg_freebsd, pkg_pisi, pkg_flatpak, pkg_snap,
	pkg_snap_var;
extern const struct pkg_format pkg_windows, pkg_winnt, pkg_win32, pkg_win, pkg_reactos;

/* What is done for each database that the guest has; failed is told when one cannot be read to its end: 0 goes on. */
struct pkg_walk {
	int (*format)(void *arg, const char *format, const char *path, struct err *e); /* before its packages; may be NULL */
	package_fn package;
	int (*failed)(void *arg, const char *path, const struct err *why, struct err *e);
	void *arg;
};
int pkg_walk(struct vfs *v, const struct pkg_walk *w, struct err *e);

/* ---- between the parts ---- */

/* Calls fn for each folder in a folder, sorted; what cannot be looked at is passed over. */
int pkg_each_folder(struct vfs *v, const char *path, int (*fn)(void *arg, const char *name, struct err *e), void *arg,
		    struct err *e);
/* The text of a small file, free() it; NULL when it is not there or cannot be read.  < 0: out of memory. */
int pkg_text(struct vfs *v, const char *folder, const char *name, char **text, struct err *e);
/* Undoes the entities of XML in place: "&amp;" and the like, "&#65;" of ASCII; others stay as they are. */
char *pkg_xml_unescape(char *text);
/* "1:2.3-4" in place: epoch, version, and (with a dash) release. */
void pkg_version_split(char *text, struct package *p);

#endif
