/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hive_file.h - the parts of hive.h to each other: a hive's bytes, where in them cells begin, and what its logs change of them. */
#ifndef DRYDOCK_HIVE_FILE_H
#define DRYDOCK_HIVE_FILE_H

#include "hive.h"
#include "ondisk.h"

/* Offsets in a hive count from behind its header. */
#define HIVE_HEADER 4096
#define HIVE_NONE UINT32_MAX
/* What logs change are multiples of it. */
#define HIVE_SECTOR 512u

/* The first sector of a hive, and of its logs. */
struct regf_header {
	uint8_t magic[4];
	le32 sequence1, sequence2;
	le64 written;
	le32 major, minor, type, format;
	le32 root, bins_len;
	uint8_t rest[464];
	le32 checksum;
};
_Static_assert(sizeof(struct regf_header) == 512, "layout");

struct hive {
	struct hive_bytes file, logs[HIVE_LOGS];
	size_t size;	/* of header and bins, with what logs add */
	uint8_t *bytes; /* so much address space; what was looked at lies there */
	uint8_t *loaded; /* a bit for each piece of it: its bytes are there */
	size_t held;	 /* of all pieces that are there */
	/* Of each sector behind the header where in a log it is newer (hive_log.c); NULL: no log holds what is newer. */
	uint32_t *sectors;
	size_t nsectors;
	uint32_t next;	/* with sectors: the number of the write that comes after all that the logs hold */
	uint8_t *starts; /* a bit for each 8 bytes behind the header: a used cell begins there */
	uint64_t ncells; /* used ones */
	uint64_t steps;	 /* what has been done so far, see LIMIT_HIVE_STEPS */
	uint32_t root, minor;
	const char *warning;
};

/* hive_file.c: judges header and bins, and finds the cells. */
int hive_file_open(struct hive *h, struct err *e);
void hive_file_free(struct hive *h);
bool regf_header_sum_ok(const struct regf_header *r);
/*
 * The used cell at off (from behind the header): its bytes behind the length, of which there are at least min; `what` is
 * named when there is none.  They stay until hive_rest().
 */
int hive_cell(struct hive *h, uint32_t off, size_t min, const char *what, const uint8_t **out, size_t *len, struct err *e);
/* Cells that were asked for are done with: when there are many, their memory is given back. */
void hive_rest(struct hive *h);
/* Counts work: ERR_LIMIT when it is more than any honest hive takes. */
int hive_step(struct hive *h, uint64_t steps, struct err *e);

/* hive_log.c: finds what logs hold that is newer than the hive, whose last complete write had that number. */
int hive_logs_find(struct hive *h, uint32_t sequence, struct err *e);
/* Puts what is newer over len bytes at off of the hive, both multiples of HIVE_SECTOR. */
int hive_logs_apply(struct hive *h, uint8_t *buf, size_t len, uint64_t off, struct err *e);
/* Forgets it. */
void hive_logs_drop(struct hive *h);

#endif
