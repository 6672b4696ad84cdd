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
	int fd; /* written to */
	const char *fd_name;
	bool no_xattrs;	 /* neither extended attributes nor ACLs */
	bool ntfs_xattrs; /* system.ntfs_* too, which only NTFS has */
	bool times;	 /* when files were read and changed, too */
	bool one_fs;
	const struct opt_list *exclude; /* patterns; see guest_tar_excluded() */
	/* inside */
	struct links links;
	struct strbuf out;
	void *buf;
	uint64_t written;
	bool failed;  /* something was left out, or not read whole, and that was told */
	bool stopped; /* what was written is no whole archive; that was told */
};

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
