/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * os.h - which operating system a tree is, as far as its files tell.
 *
 * Every fact is a guest's word: a file that is missing, too large or nonsense leaves its fact out, and what stood in the
 * way is a warning, never a failure of the whole.
 */
#ifndef DRYDOCK_OS_H
#define DRYDOCK_OS_H

#include "vfs.h"

/* NULL (0 for numbers): not known.  Texts are the guest's bytes, without control characters at their ends. */
struct os {
	const char *type;	     /* "linux", "windows", "freebsd" ... */
	const char *distro;	     /* "debian", "fedora" ...: a word of ours, not of the guest */
	const char *arch;	     /* "x86_64" */
	const char *package_format;  /* "deb" */
	const char *package_manager; /* "apt" */
	const char *init;	     /* "systemd", "openrc", "sysvinit", "upstart", "busybox", "runit", "s6" */
	char *distro_id;	     /* ID of os-release, as the guest has it */
	char *product_name;	     /* "Debian GNU/Linux 12 (bookworm)" */
	char *product_variant;	     /* VARIANT_ID of os-release; the edition of Windows */
	char *hostname, *build_id, *timezone;
	char *osinfo;		     /* as libosinfo names it: "debian12" */
	bool has_version;
	unsigned major, minor;
	char *version_id;	     /* VERSION_ID as the guest has it */
	const char *media;	     /* "installer", "live": it is no installed system, but the medium of one */
	struct os_windows *windows;  /* what only Windows has (os_windows.h); NULL: it is none, or has no registry */
	/* Sentences on what could not be read. */
	char **warnings;
	size_t nwarnings;
};
void os_free(struct os *o); /* for CLEANUP */

/* Is the tree the root of an operating system?  1 and its type, 0 when not, < 0 out of memory. */
int os_root(struct vfs *v, const char **type, struct err *e);
/* Looks at the tree of one.  Only memory can fail. */
int os_inspect(struct vfs *v, struct os *out, struct err *e);

/* ---- between the parts ---- */

/* The text of a small file, NUL-terminated: 1 and free() it, 0 when it is not there; a warning when it cannot be read. */
int os_text(struct vfs *v, struct os *o, const char *path, char **text, struct err *e);
/* The first line of such a file, without blanks around it; 0 also when it is empty. */
int os_line(struct vfs *v, struct os *o, const char *path, char **line, struct err *e);
/*
 * Is there such a thing?  Symlinks are followed only with a type (S_IFMT bits); an unreadable place is none.  < 0: out of
 * memory.
 */
int os_has(struct vfs *v, const char *path, uint32_t type, struct err *e);
/*
 * The value of KEY in lines "KEY=value" as a shell reads them: quotes and backslashes undone.  1 and free() it, 0 none.
 */
int os_shell_value(const char *text, const char *key, char **value, struct err *e);
/* "12.5" in a text: the first number and what follows its point. */
bool os_version_parse(const char *text, unsigned *major, unsigned *minor);

/* os_release.c: distribution, product, version. */
int os_release(struct vfs *v, struct os *o, struct err *e);
/* os_windows.c: all of Windows, from its registry; nothing when it is none. */
int os_windows(struct vfs *v, struct os *o, struct err *e);
void os_windows_free(struct os *o);
/* Adds a sentence to the warnings. */
int os_warn(struct os *o, const char *sentence, struct err *e);
/* os_arch.c: from the header of a program. */
int os_arch(struct vfs *v, struct os *o, struct err *e);
/* The same of the first bytes of a program, ELF or PE; NULL: it is neither, or for a processor that we do not know. */
const char *os_program_arch(const void *head, size_t len);
/* os_media.c: is it the medium of an installer or a live system?  1, 0, < 0: out of memory. */
int os_media_root(struct vfs *v, struct err *e);
/* What it says of itself; where the type is known already, only whether that root is there to install another. */
int os_media(struct vfs *v, struct os *o, struct err *e);
/* os_system.c: host name, time zone, init, packages, libosinfo's name. */
int os_system(struct vfs *v, struct os *o, struct err *e);

#endif
