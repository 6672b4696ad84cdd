/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * saved.h - a machine that has booted, saved: QEMU without KVM goes on from there in a twentieth of the time of a start.
 *
 * One file, little-endian:
 *
 *	0		struct saved_head: what it was made from, where its parts lie, checksums
 *	4096		pages of memory, those that are not zero, one after the other
 *	runs_off	which these are: runs of {le32 first page, le32 pages}, in their order
 *	state_off	the state of processor and devices, as QEMU writes it, to the end of the file
 *
 * It is trusted as the kernel beside it is: it must belong to the user or to root, and nobody else may write to it.  The
 * checksums are against accidents.  An empty file says that it was tried, and does not work here.
 */
#ifndef DRYDOCK_SAVED_H
#define DRYDOCK_SAVED_H

#include "err.h"
#include "files.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SAVED_KEY 64 /* characters of a key */
/* Disks that the saved machine has room for, with that of the tools. */
#define SAVED_SLOTS 9
/* How long it is believed that it does not work here. */
#define SAVED_NOT_SECONDS (24 * 3600)

/* What a state has to be of. */
struct saved_of {
	char key[SAVED_KEY + 1]; /* of program, kernel and all words of the machine */
	uint32_t memory;	 /* MiB */
	uint64_t khz;		 /* of the processor's counter, by which its clock goes; 0: not known */
};

/* One that was judged; `fd` is its file. */
struct saved {
	int fd;
	uint64_t runs_off, state_off, state_len;
	uint32_t nruns, npages;
	uint32_t memory_crc;
	struct saved_of of;
};

/* Where it is kept: beside the appliance, or in the cache where that was installed; to be freed, NULL where there is no place. */
char *saved_path(const struct appliance_files *files, bool programs);

/*
 * Opens and judges all but the pages.  ERR_NOT_FOUND: there is none, or it is of something else; ERR_CORRUPT; ERR_UNSUPPORTED:
 * it does not work here; ERR_POLICY: somebody else may have written it.
 */
int saved_open(const char *path, const struct saved_of *of, struct saved *out, struct err *e);
/* The same for a file that is open; takes fd, also when it fails. */
int saved_read(int fd, const struct saved_of *of, struct saved *out, struct err *e);
void saved_close(struct saved *s); /* for CLEANUP; { .fd = -1 } is fine */
/* Writes the pages into the memory of a machine, all zero so far; -1: only looks at them.  ERR_CORRUPT. */
int saved_load(const struct saved *s, int memory, struct err *e);
/* Writes a whole file to fd, in which nothing was written yet: the pages of `memory`, and the state. */
int saved_write(int fd, const struct saved_of *of, int memory, const void *state, size_t len, struct err *e);
/* Notes that it does not work here. */
int saved_give_up(const char *path, struct err *e);

#endif
