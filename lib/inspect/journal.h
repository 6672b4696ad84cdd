/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * journal.h - one file of the systemd journal, read from its first entry to its last.
 *
 * Files that were not closed are read as far as they are whole: a guest's disk is often taken while it writes.  What is
 * damaged is told, once for each file, and stepped over.
 */
#ifndef DRYDOCK_JOURNAL_H
#define DRYDOCK_JOURNAL_H

#include "guest_pages.h"
#include "log_fields.h"
#include "unpack.h"

#include <stdbool.h>

enum { JOURNAL_XZ, JOURNAL_LZ4, JOURNAL_ZSTD, JOURNAL_ALGORITHMS };

/* What all files of a guest share. */
struct journal_tools {
	struct guest_pages *pages;
	/* Made when they are needed. */
	struct unpacker *unpackers[JOURNAL_ALGORITHMS];
	uint8_t *field, *unpacked;
	size_t field_cap;
};
int journal_tools_init(struct journal_tools *t, struct err *e);
void journal_tools_free(struct journal_tools *t);

/* What an entry is known and compared by. */
struct journal_key {
	uint64_t seqnum, realtime, monotonic, xor_hash;
	uint8_t boot[16];
};

struct journal {
	struct guest_file f;
	struct journal_tools *tools; /* lent */
	char *path;
	unsigned id; /* among the files that share the tools */
	bool compact, told;
	uint8_t seqnum_id[16];
	uint64_t header_size;
	uint64_t budget; /* bytes that entries may still give */
	/* Where we are: in an array of places of entries, or (scan) going from object to object. */
	uint64_t array, nitems, item;
	bool scan;
	uint64_t at, sought;
	/* The present entry. */
	uint64_t entry, entry_size, nfields;
	struct journal_key key;
};

/* Judges the header of j->f, which the caller has found, with tools, path and id set; nothing is read of entries. */
int journal_open(struct journal *j, struct err *e);
void journal_close(struct journal *j);
/* Leaves out all but the last n entries, as far as the arrays of places can be followed. */
int journal_skip(struct journal *j, uint64_t n, struct err *e);
/*
 * Goes to the next entry: 1, or 0 at the end.  ERR_CORRUPT: something there is damaged; the next call goes on behind it, and
 * it ends, as places only grow.
 */
int journal_next(struct journal *j, struct err *e);
/*
 * Adds the fields of the present entry to out.  ERR_CORRUPT and ERR_LIMIT: some of them could not be had, the others are
 * there.
 */
int journal_fields(struct journal *j, struct log_fields *out, struct err *e);

#endif
