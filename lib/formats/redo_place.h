/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * redo_place.h - where the journal of an image lies, and whose it may be.
 *
 * Beside the file, by its real name; so that links to it find the same.  What has no one folder of its own (block devices, files
 * with several hard links), or one that cannot be written to, has it in a folder of state, under a name that is made of a hash.
 */
#ifndef DRYDOCK_REDO_PLACE_H
#define DRYDOCK_REDO_PLACE_H

#include "redo_file.h"

#include <sys/stat.h>

#define REDO_SUFFIX ".drydock-redo"
#define REDO_RECORD_PREFIX ".drydock-redo-"

struct redo_place {
	char *path;	 /* the image's real path */
	char *journals[3]; /* where its journal may be: that beside it first, if that is possible */
	size_t njournals;
	struct stat st;	 /* of the image, as it was when this was asked */
};
void redo_place_free(struct redo_place *p); /* for CLEANUP too */
/* Of a host file's or device's node.  Costs a system call or two.  ERR_UNSUPPORTED: it is none. */
int redo_place_of(struct block *host, struct redo_place *p, struct err *e);
/* The host file at the bottom of an image; NULL: there is none. */
struct block *redo_host_of(struct block *image);
/* What tells the image from others: all but size and format. */
int redo_place_image(struct block *host, struct redo_image *out, struct err *e);

/* A file that this process has made, or will remove. */
struct redo_made {
	int fd, dir; /* -1: none */
	char *path, *name; /* name: the last part of path */
};
#define REDO_MADE_INIT { .fd = -1, .dir = -1 }
void redo_made_free(struct redo_made *m); /* for CLEANUP too; the file stays */
/* Makes a journal for the image, at the first place that can be written to, and locks it. */
int redo_place_make(const struct redo_place *p, struct redo_made *m, struct err *e);
/* Makes a file with this name in the folder of another one, or (beside NULL) at a path. */
int redo_make_beside(const struct redo_made *beside, const char *name, struct redo_made *m, struct err *e);
int redo_make_at(const char *path, struct redo_made *m, struct err *e);

/* The file that was made is no longer needed: removed, also by a confined process that may remove files in its folder. */
int redo_remove(const struct redo_made *m, struct err *e);

/*
 * Opens what is at path, if it is a file such as we make: *fd is -1 when nothing is there.  ERR_POLICY: it belongs to somebody who
 * has no business with the image (st).  write: for writing too.
 */
int redo_open_file(const char *path, const struct stat *st, bool write, int *fd, struct err *e);
/* What is at path, which could not be opened: is it a file of somebody's who has business with the image? */
bool redo_is_trusted(const char *path, const struct stat *st);
/* A path that a journal names: its last part must be the name of a journal (or of a record). */
bool redo_name_is_journal(const char *path);
bool redo_name_is_record(const char *path);
/* Is a process alive that holds it? */
bool redo_is_held(int fd);
bool redo_hold(int fd); /* false: another process does */

/* What belongs to `path`: the same folder, another name; NULL: out of memory. */
char *redo_sibling(const char *path, const char *name);

#endif
