/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_tar.h - a tree of a guest as a tar archive: what drydock tar and virt-tar-out do. */
#ifndef DRYDOCK_GUEST_TAR_H
#define DRYDOCK_GUEST_TAR_H

#include "guest_opts.h"
#include "links.h"
#include "strbuf.h"

struct guest_tar {
	struct guest_ref *ref;
	struct dry_guest *guest;
	bool no_xattrs, no_acls, no_selinux; /* what is not kept: extended attributes other than the two others, ACLs, labels */
	bool ntfs_xattrs; /* system.ntfs_* too, which only NTFS has */
	bool times;	 /* when files were read and changed, too */
	bool one_fs;
	bool no_devices; /* they are left out, as sockets are */
	const struct opt_list *exclude; /* patterns; see guest_tar_excluded() */
	/* where it goes: a file has a temporary name in its folder until it is whole */
	int fd;
	/* In place of a file: takes the archive's bytes; 0 or an errno. */
	int (*send)(void *arg, const void *bytes, size_t len);
	void *send_arg;
	const char *fd_name, *name;
	int folder; /* -1: written in place */
	char temporary[300];
	/* inside */
	struct links links;
	struct strbuf out;
	void *buf;
	uint64_t written;
	bool failed;  /* something was left out, or not read whole, and that was told */
	bool stopped; /* what was written is no whole archive; that was told */
};

#define GUEST_TAR_INIT { .fd = -1, .folder = -1 }

/*
 * Before confinement: opens the file that is written to, "-" for standard output.  Its folder is t->folder, for the
 * confinement.  0, or EXIT_FAILED with a sentence told.
 */
int guest_tar_open(struct guest_tar *t, const char *file);
/*
 * Afterwards: a whole archive gets its name, another goes away; closes all.  What could not be read was told, and is no reason
 * to lose the rest.  The exit status of this.
 */
int guest_tar_close(struct guest_tar *t);
/*
 * Writes the archive of what lies at path and below: members "./" and below, or for a single file its name.  Names are in the
 * order of their bytes, so that one tree gives one archive.  Sockets are left out.  The exit status.
 */
int guest_tar(struct guest_tar *t, const char *path);
/*
 * Does a pattern say that it is left out?  One with a "/" at its beginning is for whole paths in the guest, another for names
 * in any folder; "*" stands for "/" too.
 */
bool guest_tar_excluded(const struct opt_list *patterns, const struct dry_entry *ent);

#endif
