/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * redo_file.h - the file in which blocks of disks lie that are to be written: a journal, an undo file, or the record that several
 * journals count.
 *
 *	0		the header, of one block
 *	64 KiB		data; in a journal each block at its own offset of the disk
 *	index_off	the index: disks, the name of the record, runs, and two sums for each block of the runs
 *
 * The file counts when its header says so and the sums of both are right.  Header and index are written last, in the order that
 * redo_file_write() keeps.  All of it is a stranger's claim when it is read: it is judged here, and only struct redo_index
 * lives on.
 */
#ifndef DRYDOCK_REDO_FILE_H
#define DRYDOCK_REDO_FILE_H

#include "block_driver.h"
#include "redo.h"

enum { REDO_HEADER = 4096, REDO_DATA_OFF = 64 * 1024, REDO_ID = 16, REDO_FORMAT = 32 };

enum redo_kind { REDO_JOURNAL = 1, REDO_UNDO, REDO_RECORD };
enum redo_counts {
	REDO_OPEN = 1,	/* nothing in it counts */
	REDO_COUNTS,	/* it counts */
	REDO_PREPARED,	/* it counts if the record of its transaction does */
};

/* What tells an image from others, and from how it was. */
struct redo_image {
	uint64_t size;			/* of the disk */
	uint64_t ino;			/* of the file */
	int64_t birth_sec, mtime_sec;	/* birth 0: the filesystem does not tell */
	uint32_t birth_nsec, mtime_nsec;
	bool device;			/* a block device: its file tells nothing */
	char format[REDO_FORMAT];
	char *path;			/* of a record: that of the image's journal */
};

enum redo_run_kind { REDO_RUN_DATA, REDO_RUN_ZERO, REDO_RUN_UNMAP };
struct redo_run {
	uint64_t off;	  /* of the disk, whole blocks */
	uint64_t at;	  /* of the file, with REDO_RUN_DATA */
	uint64_t first;	  /* sum of its first block; not stored */
	uint32_t nblocks;
	uint16_t disk;
	uint8_t kind;
};
struct redo_sum {
	uint32_t was, is; /* crc32c of a block: in the image before, and after */
};

struct redo_index {
	enum redo_kind kind;
	enum redo_counts counts;
	bool begun; /* the image was written to since it counts; with REDO_OPEN: what was in it is in the image */
	uint8_t id[REDO_ID];
	struct redo_image *disks;
	size_t ndisks;
	char *record; /* path of the record; NULL: none */
	struct redo_run *runs; /* by disk and offset, none over another */
	size_t nruns, room_runs;
	struct redo_sum *sums;
	size_t nsums, room_sums;
};
void redo_index_free(struct redo_index *x); /* for CLEANUP too */
/* Adds one block behind the last one, to the last run where it fits there. */
int redo_index_add(struct redo_index *x, unsigned disk, uint64_t off, enum redo_run_kind kind, uint64_t at, struct redo_sum sum,
		   struct err *e);
uint64_t redo_run_bytes(const struct redo_index *x, const struct redo_run *r); /* the last block of a disk may be short */
/* The run that holds off of the disk, or else the first behind it; NULL: none. */
const struct redo_run *redo_index_find(const struct redo_index *x, unsigned disk, uint64_t off);

/* What a block of zeros has. */
uint32_t redo_sum_zeros(size_t len);
uint32_t redo_sum_of(const void *bytes, size_t len);

/*
 * Writes the index behind all that is in the file, makes that and the data stable, then writes the header, and makes it stable.
 * counts: what the header says then.
 */
int redo_file_write(struct block *file, struct redo_index *x, struct err *e);
/* The header says that the image is being written to from now on.  Not stable before a flush. */
int redo_file_begun(struct block *file, struct err *e);
/* The header of a file that holds nothing yet, or nothing any more.  Not stable before a flush. */
int redo_file_open_header(struct block *file, enum redo_kind kind, const uint8_t id[REDO_ID], struct err *e);
/* The same where what counted in it is in the images, which is told to who finds the file. */
int redo_file_done_header(struct block *file, enum redo_kind kind, const uint8_t id[REDO_ID], struct err *e);
/*
 * Reads and judges.  ERR_CORRUPT: it is none, or damaged; x->counts is 0 then if not even the header is right.  With REDO_OPEN the
 * index is empty.  The data are not looked at: see redo_file_check().
 */
int redo_file_read(struct block *file, struct redo_index *x, struct err *e);
/* Do all data have the sums that the index says?  ERR_CORRUPT when not. */
int redo_file_check(struct block *file, const struct redo_index *x, struct err *e);

#endif
