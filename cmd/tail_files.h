/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tail_files.h - the ends of files in guests, and what comes to them while a guest runs.
 *
 * A process that has read a guest's bytes has given up its rights and opens nothing any more.  So each look is a process of
 * its own, which opens the images, confines itself, prints what is new, and leaves in shared memory how far it has come.
 * The one that waits between the looks never touches a byte of a guest.
 */
#ifndef DRYDOCK_TAIL_FILES_H
#define DRYDOCK_TAIL_FILES_H

#include "guest_opts.h"

/* How far we have come in a file; all zeros before the first look. */
struct tail_file {
	uint64_t dev, ino, off; /* off: what is before it was printed */
	bool seen, gone;
};

/*
 * Prints what is new in a file since the last look, on the first one its last `lines` lines (UINT64_MAX: all of it).  header is
 * called in front of the first byte.  0, an error of the guest, or GUEST_FILE_STDOUT.
 */
struct tail_how {
	uint64_t lines;
	bool any_inode; /* another file of the same name is the same file, unless it is shorter */
	bool quote; /* for a terminal: control characters are written as \xHH */
	/* Prints some bytes in another way; NULL: as they are.  0, or GUEST_FILE_STDOUT. */
	int (*print)(void *arg, const char *bytes, size_t len);
	void (*header)(void *arg);
	/* The file was replaced or became shorter: it is printed from its beginning. */
	void (*restarted)(void *arg);
	void *arg;
	void *buf; /* GUEST_FILE_CHUNK bytes */
};
int tail_file_look(struct dry_guest *g, const char *path, struct tail_file *f, const struct tail_how *how,
		   struct dry_error *e);

/* Zeroed memory that a process and those that it forks have in common; NULL with a sentence printed. */
void *tail_shared(size_t size);
/*
 * Calls look() in a process of its own, again and again with `seconds` in between, for as long as it returns TAIL_GO_ON; what it
 * says on stderr is shown when it is not what it said the time before.  Returns what it returned at last.
 */
enum { TAIL_GO_ON = 100 };
int tail_follow(int (*look)(void *arg), void *arg, uint64_t seconds);

#endif
