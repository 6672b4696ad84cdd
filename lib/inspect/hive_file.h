/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hive_file.h - the parts of hive.h to each other: a hive's bytes, and where in them cells begin. */
#ifndef DRYDOCK_HIVE_FILE_H
#define DRYDOCK_HIVE_FILE_H

#include "hive.h"

#include <hivex.h>

/* Offsets in a hive count from behind its header. */
#define HIVE_HEADER 4096
#define HIVE_NONE UINT32_MAX

struct hive {
	hive_h *lib;
	int fd;		/* of the file in memory */
	uint8_t *bytes; /* the same, mapped: header and bins */
	size_t size;
	uint8_t *starts; /* a bit for each 8 bytes behind the header: a used cell begins there */
	uint64_t ncells; /* used ones */
	uint64_t steps;	 /* what has been done so far, see LIMIT_HIVE_STEPS */
	const char *warning;
};

/* hive_file.c: reads header and bins into memory and finds the cells. */
int hive_file_load(hive_read_fn read, void *arg, uint64_t size, struct hive *h, struct err *e);
void hive_file_free(struct hive *h);
/*
 * The used cell at off (from behind the header): its bytes behind the length, of which there are at least min; `what` is
 * named when there is none.
 */
int hive_cell(const struct hive *h, uint32_t off, size_t min, const char *what, const uint8_t **out, size_t *len,
	      struct err *e);
/* Counts work: ERR_LIMIT when it is more than any honest hive takes. */
int hive_step(struct hive *h, uint64_t steps, struct err *e);

#endif
