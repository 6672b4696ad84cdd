/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* zone.h - the guest's time zone, by its own /etc/localtime: for logs that are written in local time. */
#ifndef DRYDOCK_ZONE_H
#define DRYDOCK_ZONE_H

#include "vfs.h"

/* When daylight saving begins or ends: "M3.5.0/2", "J60", "59". */
struct zone_rule {
	char kind; /* 'M', 'J', or 0: a day from 0 to 365 */
	int month, week, day;
	int32_t at; /* seconds after midnight, local time */
};

struct zone {
	size_t n; /* changes; none of them: `std` for ever, 0 where nothing is known */
	int64_t *when;
	int32_t *offset; /* from then on, in seconds east of Greenwich */
	int32_t first;	 /* before */
	bool has_tail;	 /* after the last change the rest counts */
	int32_t std, dst;
	bool has_dst;
	struct zone_rule start, end;
};

/* UTC when the guest has none, or none that can be understood.  Fails only when memory is out. */
int zone_read(struct vfs *v, struct zone *z, struct err *e);
/* The same from the bytes of a file ("The Time Zone Information Format", RFC 8536); false: it is none. */
bool zone_parse(const void *bytes, size_t len, struct zone *z);
void zone_free(struct zone *z); /* for CLEANUP */

/* Seconds east of Greenwich at a time. */
int32_t zone_offset(const struct zone *z, int64_t utc);
/* The time at which clocks there showed this, in seconds as if it were UTC; of two the earlier. */
int64_t zone_to_utc(const struct zone *z, int64_t local);

/* Days since 1970 of a date of the Gregorian calendar; month 1 to 12. */
int64_t days_from_date(int64_t year, unsigned month, unsigned day);
void date_from_days(int64_t days, int64_t *year, unsigned *month, unsigned *day);

#endif
