/* SPDX-License-Identifier: GPL-2.0-or-later */
/* evtx_make.h - small Windows event logs written by hand, token by token, after [MS-EVEN6]. */
#ifndef DRYDOCK_TEST_EVTX_MAKE_H
#define DRYDOCK_TEST_EVTX_MAKE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define EV_HEAD 4096
#define EV_CHUNK 65536
/* 1700000000 seconds after 1970 */
#define EV_TIME ((1700000000ULL + 11644473600ULL) * 10000000ULL)

struct ev {
	uint8_t file[EV_HEAD + 2 * EV_CHUNK];
	uint8_t *c; /* the present chunk */
	size_t at, nchunks, record;
	uint64_t id;
	struct {
		char name[32];
		size_t at;
	} names[64];
	size_t nnames;
};

static inline void ev_put(struct ev *m, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		m->c[m->at++] = (uint8_t)(v >> 8 * i);
}

static inline void ev_set(struct ev *m, size_t at, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		m->c[at + i] = (uint8_t)(v >> 8 * i);
}

/* ASCII as UTF-16 */
static inline void ev_units(struct ev *m, const char *s)
{
	for (; *s; s++)
		ev_put(m, (uint8_t)*s, 2);
}

static inline void ev_begin(struct ev *m)
{
	memset(m, 0, sizeof *m);
	memcpy(m->file, "ElfFile", 8);
	m->c = m->file;
	ev_set(m, 32, 128, 4);
	ev_set(m, 36, 1, 2);
	ev_set(m, 38, 3, 2);
	ev_set(m, 40, EV_HEAD, 2);
}

static inline void ev_chunk(struct ev *m, uint64_t first)
{
	m->c = m->file + EV_HEAD + EV_CHUNK * m->nchunks++;
	memcpy(m->c, "ElfChnk", 8);
	ev_set(m, 24, first, 8);
	ev_set(m, 40, 128, 4);
	m->id = first;
	m->at = 512;
	m->nnames = 0;
}

/* Sums over what the chunk has now. */
static inline void ev_chunk_end(struct ev *m)
{
	ev_set(m, 48, m->at, 4);
	ev_set(m, 52, crc32(0, m->c + 512, (uInt)(m->at - 512)), 4);
	ev_set(m, 124, crc32(crc32(0, m->c, 120), m->c + 128, 384), 4);
}

static inline void ev_record(struct ev *m, uint64_t sec)
{
	m->record = m->at;
	ev_put(m, 0x2a2a, 4);
	ev_put(m, 0, 4);
	ev_put(m, m->id++, 8);
	ev_put(m, EV_TIME + sec * 10000000, 8);
	ev_put(m, 0x0001010f, 4); /* a fragment */
}

static inline void ev_record_end(struct ev *m)
{
	ev_put(m, 0, 1);
	ev_put(m, m->at - m->record + 4, 4);
	ev_set(m, m->record + 4, m->at - m->record, 4);
}

/* A place, and the name itself where it is used first. */
static inline void ev_name(struct ev *m, const char *name)
{
	for (size_t i = 0; i < m->nnames; i++) {
		if (strcmp(m->names[i].name, name) == 0) {
			ev_put(m, m->names[i].at, 4);
			return;
		}
	}
	snprintf(m->names[m->nnames].name, sizeof m->names[0].name, "%s", name);
	m->names[m->nnames++].at = m->at + 4;
	ev_put(m, m->at + 4, 4);
	ev_put(m, 0, 4);
	ev_put(m, 0x1234, 2);
	ev_put(m, strlen(name), 2);
	ev_units(m, name);
	ev_put(m, 0, 2);
}

static inline void ev_open(struct ev *m, const char *name, int attributes)
{
	ev_put(m, attributes ? 0x41 : 0x01, 1);
	ev_put(m, 0xffff, 2);
	ev_put(m, 0, 4);
	ev_name(m, name);
	if (attributes)
		ev_put(m, 0, 4);
}

static inline void ev_attribute(struct ev *m, const char *name)
{
	ev_put(m, 0x06, 1);
	ev_name(m, name);
}

static inline void ev_text(struct ev *m, const char *text)
{
	ev_put(m, 0x0105, 2);
	ev_put(m, strlen(text), 2);
	ev_units(m, text);
}

/* token 0x0d: a value; 0x0e: one that need not be there */
static inline void ev_gap(struct ev *m, unsigned token, unsigned id, unsigned type)
{
	ev_put(m, token, 1);
	ev_put(m, id, 2);
	ev_put(m, type, 1);
}

#define EV_CLOSE(m) ev_put(m, 2, 1)
#define EV_EMPTY(m) ev_put(m, 3, 1)
#define EV_END(m) ev_put(m, 4, 1)

/* <name>gap</name> */
static inline void ev_element(struct ev *m, const char *name, unsigned token, unsigned id, unsigned type)
{
	ev_open(m, name, 0);
	EV_CLOSE(m);
	ev_gap(m, token, id, type);
	EV_END(m);
}

/* An instance with its template behind it: its body comes, then ev_template_end(). */
static inline size_t ev_template(struct ev *m)
{
	size_t place;

	ev_put(m, 0x010c, 2);
	ev_put(m, 7, 4);
	ev_put(m, m->at + 4, 4);
	place = m->at;
	for (size_t i = 0; i < 24; i++)
		ev_put(m, 0, 1);
	ev_put(m, 0x0001010f, 4);
	return place;
}

static inline void ev_template_end(struct ev *m, size_t place)
{
	ev_put(m, 0, 1);
	ev_set(m, place + 20, m->at - place - 24, 4);
}

/* An instance of a template that was before. */
static inline void ev_template_again(struct ev *m, size_t place)
{
	ev_put(m, 0x010c, 2);
	ev_put(m, 7, 4);
	ev_put(m, place, 4);
}

/* n values: their sizes and types come by ev_value(), then the bytes. */
static inline void ev_values(struct ev *m, size_t n)
{
	ev_put(m, n, 4);
}

static inline void ev_value(struct ev *m, size_t size, unsigned type)
{
	ev_put(m, size, 2);
	ev_put(m, type, 2);
}

static inline void ev_write(const struct ev *m, const char *path)
{
	FILE *f = fopen(path, "w");
	size_t len = EV_HEAD + EV_CHUNK * m->nchunks;

	if (!f || fwrite(m->file, 1, len, f) != len || fclose(f) != 0)
		abort();
}

/* ---- an event as services write them ---- */

/* Its template; the values are those of ev_service_values(). */
static inline size_t ev_service_template(struct ev *m)
{
	size_t t = ev_template(m);

	ev_open(m, "Event", 1);
	ev_attribute(m, "xmlns");
	ev_text(m, "http://schemas.microsoft.com/win/2004/08/events/event");
	EV_CLOSE(m);
	ev_open(m, "System", 0);
	EV_CLOSE(m);
	ev_open(m, "Provider", 1);
	ev_put(m, 0x46, 1);
	ev_name(m, "Name");
	ev_text(m, "Service Control Manager");
	ev_attribute(m, "Guid");
	ev_gap(m, 0x0e, 0, 0x0f);
	EV_EMPTY(m);
	ev_open(m, "EventID", 1);
	ev_attribute(m, "Qualifiers");
	ev_gap(m, 0x0e, 1, 0x06);
	EV_CLOSE(m);
	ev_gap(m, 0x0e, 2, 0x06);
	EV_END(m);
	ev_element(m, "Version", 0x0e, 10, 0x04);
	ev_element(m, "Level", 0x0e, 3, 0x04);
	ev_element(m, "Keywords", 0x0e, 4, 0x15);
	ev_open(m, "TimeCreated", 1);
	ev_attribute(m, "SystemTime");
	ev_gap(m, 0x0e, 5, 0x11);
	EV_EMPTY(m);
	ev_open(m, "Correlation", 1);
	ev_attribute(m, "ActivityID");
	ev_gap(m, 0x0e, 10, 0x0f);
	EV_EMPTY(m);
	ev_open(m, "Execution", 1);
	ev_attribute(m, "ProcessID");
	ev_gap(m, 0x0e, 6, 0x08);
	EV_EMPTY(m);
	ev_element(m, "Computer", 0x0d, 7, 0x01);
	ev_open(m, "Security", 1);
	ev_attribute(m, "UserID");
	ev_gap(m, 0x0e, 8, 0x13);
	EV_EMPTY(m);
	EV_END(m);
	ev_gap(m, 0x0d, 9, 0x21);
	EV_END(m);
	ev_template_end(m, t);
	return t;
}

/* The instance's values; text is one of two in the event's own data. */
static inline void ev_service_values(struct ev *m, uint64_t sec, const char *text)
{
	static const uint8_t system_sid[] = { 1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0 };
	size_t sizes, begin, t;

	ev_values(m, 11);
	ev_value(m, 16, 0x0f);
	ev_value(m, 2, 0x06);
	ev_value(m, 2, 0x06);
	ev_value(m, 1, 0x04);
	ev_value(m, 8, 0x15);
	ev_value(m, 8, 0x11);
	ev_value(m, 4, 0x08);
	ev_value(m, 4, 0x01);
	ev_value(m, sizeof system_sid, 0x13);
	sizes = m->at;
	ev_value(m, 0, 0x21);
	ev_value(m, 0, 0x00);
	ev_put(m, 0x0123456789abcdef, 8);
	ev_put(m, 0xfedcba9876543210, 8);
	ev_put(m, 16384, 2);
	ev_put(m, 7036, 2);
	ev_put(m, 4, 1);
	ev_put(m, 0x8080000000000000, 8);
	ev_put(m, EV_TIME + sec * 10000000 + 1234567, 8);
	ev_put(m, 77, 4);
	ev_units(m, "PC");
	for (size_t i = 0; i < sizeof system_sid; i++)
		ev_put(m, system_sid[i], 1);
	begin = m->at;
	ev_put(m, 0x0001010f, 4);
	t = ev_template(m);
	ev_open(m, "EventData", 0);
	EV_CLOSE(m);
	ev_open(m, "Data", 1);
	ev_attribute(m, "Name");
	ev_text(m, "param1");
	EV_CLOSE(m);
	ev_gap(m, 0x0d, 0, 0x01);
	EV_END(m);
	ev_element(m, "Data", 0x0d, 1, 0x81);
	EV_END(m);
	ev_template_end(m, t);
	ev_values(m, 2);
	ev_value(m, 2 * strlen(text), 0x01);
	ev_value(m, 12, 0x81);
	ev_units(m, text);
	ev_units(m, "ab");
	ev_put(m, 0, 2);
	ev_units(m, "cd");
	ev_put(m, 0, 2);
	ev_set(m, sizes, m->at - begin, 2);
}

#endif
