/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host_tar.h - files and trees of the host as a tar archive, for the way into a guest. */
#ifndef DRYDOCK_HOST_TAR_H
#define DRYDOCK_HOST_TAR_H

#include "links.h"
#include "strbuf.h"

enum {
	HOST_TAR_XATTRS = 1u << 0, /* all extended attributes and ACLs; else those of users */
	HOST_TAR_NO_XATTRS = 1u << 1, /* none at all */
	HOST_TAR_FOLLOW = 1u << 2, /* what is named may be a link: the archive has what it leads to */
};
struct host_tar {
	unsigned flags;
	bool (*send)(void *arg, const void *bytes, size_t len); /* false: nobody wants it any more */
	void *arg;
	/* inside */
	struct links links;
	struct strbuf out;
	void *buf;
	uint64_t sent;
	/* outcome */
	bool failed, gone;
	int sys_errno;
	char why[400];
};
void host_tar_begin(struct host_tar *t);
/* What lies at path and below, under that name.  The first failure ends the archive: t->why tells. */
void host_tar_add(struct host_tar *t, const char *path, const char *name);
void host_tar_end(struct host_tar *t);

#endif
