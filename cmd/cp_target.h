/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cp_target.h - a guest's tree made on the host, beneath one folder.
 *
 * The guest is a stranger, and its names and links are chosen by it.  So nothing is ever opened by a path: each name is
 * one component, judged, in a folder that we hold open and that was opened without following links.  A link is written
 * and never gone through.  A file gets a temporary name, its content and its attributes, and then its name.
 */
#ifndef DRYDOCK_CP_TARGET_H
#define DRYDOCK_CP_TARGET_H

#include "links.h"

enum cp_devices { CP_DEVICES_FAIL, CP_DEVICES_SKIP, CP_DEVICES_MAKE };
extern const char *const cp_devices_words[];

struct cp_target {
	int base; /* the folder; ours */
	struct dry_guest *guest;
	/* what is kept */
	bool keep;	    /* modes and times */
	bool owners;
	bool user_xattrs;   /* user.* */
	bool system_xattrs; /* all others but these: */
	bool ntfs_xattrs;   /* system.ntfs_* */
	bool setuid;
	enum cp_devices devices;
	/* where we are: folders from base down, by depth */
	int *folders;
	size_t nfolders, cap_folders;
	char *path; /* of the innermost folder beneath base, "" or ending in "/" */
	struct links links; /* files of several names that were copied, by their paths beneath base */
	void *buf;
	unsigned long temporary; /* the number in the next temporary name */
	/* outcome */
	size_t failures, devices_left, setuid_lost;
	bool canceled;
	bool xattrs_refused; /* the host's filesystem has none: said once */
	struct dry_progress progress;
	uint64_t done, total;
};
#define CP_TARGET_INIT { .base = -1 }

/* Before confinement. */
void cp_target_begin(struct cp_target *t);
void cp_target_free(struct cp_target *t);
/*
 * Makes what ent is under the name in the present folder; a directory becomes the present folder.  name NULL, for a
 * directory at the start: the base itself.
 */
int cp_target_put(struct cp_target *t, const char *name, const struct dry_entry *ent, struct dry_error *e);
/* The present folder is complete: gives it its attributes and goes back up. */
int cp_target_leave(struct cp_target *t, const struct dry_entry *ent, struct dry_error *e);
/* Another guest comes: inode numbers start anew. */
void cp_target_forget(struct cp_target *t);

#endif
