/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * untar.h - a tar archive, member by member, from front to back: what tar.h writes, and what GNU tar, bsdtar and older ones do.
 *
 * POSIX ustar and pax, GNU's and the old format, with sparse files, extended attributes and ACLs; compressed by gzip, xz or
 * zstd, or not.  Paths and links are told as they are written: whoever makes files of them judges them.
 */
#ifndef DRYDOCK_UNTAR_H
#define DRYDOCK_UNTAR_H

#include "tar.h"
#include "unstream.h"

struct untar;
/* fn gives the archive's bytes in their order.  ERR_CORRUPT: it is none; an empty file is one without members. */
int untar_new(unstream_fn fn, void *arg, struct untar **out, struct err *e);
void untar_free(struct untar *u); /* NULL is fine */

/* Lent until the next call. */
struct untar_member {
	enum tar_type type;
	const char *path, *link; /* as tar_member has them */
	uint32_t mode, uid, gid, major, minor;
	uint64_t size; /* of a file, its holes too */
	struct tar_time mtime, atime, ctime;
	bool has_atime, has_ctime;
	const struct tar_run *runs; /* NULL: all of it is data */
	size_t nruns;
	const struct tar_xattr *xattrs;
	size_t nxattrs;
	const char *acl, *default_acl; /* texts, for tar_acl_parse(); NULL: none */
};
/* The next member: 1; 0: that was the last. */
int untar_next(struct untar *u, struct untar_member *out, struct err *e);
/* The content of the present one, of a file with holes its runs one behind the other; *got 0 at its end. */
int untar_read(struct untar *u, void *buf, size_t len, size_t *got, struct err *e);

/* The text of an ACL, owners as numbers, in the kernel's form; false: it is none, or has an owner by name only. */
bool tar_acl_parse(struct strbuf *out, const char *text);

#endif
