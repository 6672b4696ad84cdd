/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cut.h - writes recorded below a driver, to be replayed as far as a power cut lets them come. */
#ifndef CUT_H
#define CUT_H

#include "torture.h"

struct event {
	enum fault_kind kind;
	uint64_t off, len;
	uint8_t *data;
};

struct recording {
	struct event *events;
	size_t n, cap;
	bool failed;
};

/* For struct fault_plan: arg is the struct recording. */
void cut_record(void *arg, enum fault_kind kind, const void *buf, uint64_t len, uint64_t off);
void cut_free(struct recording *r);
/* Does what was recorded to a file; len is that of the event, or less of a write. */
int cut_apply(const struct event *x, uint64_t len, struct block *file, struct err *e);

#endif
