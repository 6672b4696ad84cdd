/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* evtx.h - the parts of the reader of Windows event logs (.evtx) to each other. */
#ifndef DRYDOCK_EVTX_H
#define DRYDOCK_EVTX_H

#include "log_fields.h"

#include <stdbool.h>
#include <stdint.h>

#define EVTX_CHUNK 65536u

/* What reading a file may cost: a few bytes can ask for the same template again and again, within itself too. */
struct evtx_budget {
	uint64_t steps; /* tokens, and bytes that are written */
};

/* An event: its XML, and out of it what logs have in common; start with EVTX_EVENT_INIT, used again for the next. */
struct evtx_event {
	struct strbuf xml;
	struct log_fields fields; /* what System tells in its own words, then the values */
	size_t data_from;	  /* the first of the values among the fields */
	int64_t created;	  /* FILETIME; 0: not known */
	struct strbuf text;	  /* of the present element */
};
#define EVTX_EVENT_INIT { .xml = STRBUF_INIT, .fields = LOG_FIELDS_INIT, .text = STRBUF_INIT }
void evtx_event_free(struct evtx_event *ev);

/* The binary XML in chunk[at, end): evtx_xml.c.  ERR_CORRUPT, or ERR_LIMIT when the budget is used up. */
int evtx_xml_read(const uint8_t *chunk, size_t at, size_t end, struct evtx_budget *budget, struct evtx_event *out,
		  struct err *e);

/* ---- values: evtx_value.c ---- */

enum { EVTX_NULL = 0, EVTX_STRING = 1, EVTX_FILETIME = 0x11, EVTX_BINXML = 0x21, EVTX_ARRAY = 0x80 };

struct evtx_value {
	uint8_t type;
	const uint8_t *bytes;
	size_t len;
};
/* Appends it as Windows writes it; of a type that is not known its bytes in hexadecimal.  Not of EVTX_BINXML and arrays. */
void evtx_value_text(struct strbuf *out, const struct evtx_value *v);
/* Takes the first item off an array: false when there is no more. */
bool evtx_array_next(struct evtx_value *array, struct evtx_value *item);

/* Microseconds since 1970 of a count of 100 ns since 1601; false: out of range. */
bool evtx_time(uint64_t filetime, int64_t *usec);

#endif
