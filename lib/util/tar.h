/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tar.h - the headers of a tar archive: POSIX pax, as every tar of today reads it.
 *
 * A member is a header, which tar_member() makes, its content, and zeros up to a multiple of 512 bytes; tar_end() ends the
 * archive.  What the old header has no room for (long names, large files and owners, nanoseconds, extended attributes,
 * ACLs, holes) goes into a pax header before it.  The same members give the same bytes: no process, clock or host is in
 * them, and no names of owners.
 */
#ifndef DRYDOCK_TAR_H
#define DRYDOCK_TAR_H

#include "strbuf.h"

#include <stdbool.h>
#include <stdint.h>

#define TAR_BLOCK 512u

struct tar_time {
	int64_t sec;
	uint32_t nsec;
};
/* Data of a sparse file: the rest reads as zeros. */
struct tar_run {
	uint64_t off, len;
};
struct tar_xattr {
	const char *name;
	const void *value;
	size_t len;
};

enum tar_type {
	TAR_FILE = '0',
	TAR_HARDLINK = '1',
	TAR_SYMLINK = '2',
	TAR_CHAR = '3',
	TAR_BLOCK_DEVICE = '4',
	TAR_DIRECTORY = '5',
	TAR_FIFO = '6',
};

struct tar_member {
	enum tar_type type;
	const char *path; /* a directory's ends in "/" */
	const char *link; /* what a symlink says, or the path of the member that a hard link is one with; else NULL */
	uint32_t mode;	  /* the permission bits */
	uint32_t uid, gid, major, minor;
	uint64_t size; /* of a file's content */
	struct tar_time mtime;
	const struct tar_time *atime, *ctime; /* NULL: not told */
	/*
	 * A file with holes: its runs of data in order, none of length 0; NULL: all of it is data.  The content is then the
	 * runs' bytes, one behind the other.
	 */
	const struct tar_run *runs;
	size_t nruns;
	const struct tar_xattr *xattrs;
	size_t nxattrs;
	const char *acl, *default_acl; /* texts of tar_acl_text(); NULL: none */
};

/* Appends the headers, and for a file with holes its map; what follows is tar_content_size() bytes of content. */
void tar_member(struct strbuf *out, const struct tar_member *m);
uint64_t tar_content_size(const struct tar_member *m);
/* Zeros up to the end of the block, for content of that many bytes. */
void tar_pad(struct strbuf *out, uint64_t content);
/* The end of an archive that has `written` bytes so far: zeros up to a multiple of 10240 bytes, as tar writes it. */
void tar_end(struct strbuf *out, uint64_t written);

/*
 * An ACL as the kernel gives it (system.posix_acl_access) in the words of acl(5), owners as numbers.  false when those
 * bytes are none.
 */
bool tar_acl_text(struct strbuf *out, const void *value, size_t len);

#endif
