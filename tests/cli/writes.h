/* SPDX-License-Identifier: GPL-2.0-or-later */
/* writes.h - the log of record_writes.c: events one behind the other, those with data followed by it. */
#ifndef DRYDOCK_TEST_WRITES_H
#define DRYDOCK_TEST_WRITES_H

#include <errno.h>
#include <stdint.h>

enum { WRITES_FILES_MAX = 8 };
enum write_kind {
	WRITE_DATA,
	WRITE_HOLE,   /* zeros, as far as the file goes */
	WRITE_ZEROS,  /* zeros, and as long as that */
	WRITE_ROOM,   /* at least as long as that */
	WRITE_LENGTH, /* len is the new length */
	WRITE_FLUSH,
};
struct write_event {
	uint32_t kind, file;
	uint64_t off, len;
};

#endif
