/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_put.h - what a tar archive holds, made in a guest: for tar, for cp, and under the peers' names.
 *
 * An archive may be a stranger's.  No member leads out of the folder that it is unpacked in: not by "..", and not through a
 * symlink that another member has made.  Links that the guest has are followed, as they are in the guest.
 */
#ifndef DRYDOCK_GUEST_PUT_H
#define DRYDOCK_GUEST_PUT_H

#include "drydock.h"
#include "strbuf.h"
#include "untar.h"

struct put_later; /* what is done when all else is there */

struct guest_put {
	struct dry_change *c;
	struct dry_guest *g;
	const char *base; /* the folder in the guest */
	/* what is kept of the archive's */
	bool owners;	   /* else all is root's, or what uid and gid say */
	uint32_t uid, gid;
	bool plain;	   /* no modes and times: as if it were made now */
	bool xattrs;	   /* all attributes, else those of users, capabilities and ACLs */
	bool no_xattrs, no_acls, no_labels; /* not even these; labels: security.selinux */
	bool no_setuid;	   /* set-user-id bits and capabilities are taken away */
	bool in_place;	   /* a file that is there gets another content and keeps all else; else it is replaced */
	bool no_folders;   /* attributes of folders that are there stay as they are */
	/* inside */
	struct strbuf parent; /* the folder that members come into, */
	struct dry_node parent_node;
	struct strbuf label; /* and its SELinux label, which what is made there gets */
	struct strbuf path;
	struct put_later *later;
	size_t nlater, cap_later;
	void *buf;
	/* outcome */
	uint64_t entries, bytes, setuid_lost;
	/* told of progress; NULL: nobody looks */
	int (*watch)(void *arg, uint64_t bytes);
	void *arg;
};

/* Unpacks all members: 0, or an error that names the member. */
int guest_put_archive(struct guest_put *p, struct untar *u, struct dry_error *e);
void guest_put_free(struct guest_put *p); /* for CLEANUP */

/*
 * A regular file of the guest gets a content that comes piece by piece (*got 0: its end).  One that is there (symlinks followed)
 * keeps its attributes and names; a new one is owner's.
 */
int guest_put_stream(struct dry_change *c, const char *path, const struct dry_owner *owner,
		     int (*next)(void *arg, void *buf, size_t len, size_t *got, struct dry_error *e), void *arg,
		     uint64_t *bytes, struct dry_error *e);
/* The content of one regular file as that of another, which is empty; holes stay holes. */
int guest_put_content(struct dry_change *c, struct dry_node from, struct dry_node to, uint64_t size, struct dry_error *e);
/* The extended attributes of one as another's, but what its filesystem does not have. */
int guest_put_xattrs(struct dry_change *c, struct dry_node from, struct dry_node to, struct dry_error *e);
/* A copy of a regular file beside it, with its mode, owner, times and attributes, under a name that need not be free. */
int guest_put_copy(struct dry_change *c, const char *from, const char *to, struct dry_error *e);

#endif
