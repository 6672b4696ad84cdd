/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log_time.h - times as people type them. */
#ifndef DRYDOCK_LOG_TIME_H
#define DRYDOCK_LOG_TIME_H

#include <stdbool.h>
#include <stdint.h>

/*
 * "2026-11-25", "2026-11-25 21:50[:40]" (also with "T", and with "Z" or "+01:00" behind), "21:50", "@1700000000", "now", "today",
 * "yesterday", or how long ago: "-90s", "-30min", "-2h", "-3d", "-1w".  Microseconds since 1970; without a zone, the
 * host's.  False: it is none of these.
 */
bool log_time_parse(const char *text, int64_t now, int64_t *usec);

#endif
