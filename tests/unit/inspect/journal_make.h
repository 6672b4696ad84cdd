/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * journal_make.h - small journals written by hand: header, fields, entries, lists of entries; without the hash tables, which
 * only those need who look for a field.
 */
#ifndef DRYDOCK_TEST_JOURNAL_MAKE_H
#define DRYDOCK_TEST_JOURNAL_MAKE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAKE_SIZE (256 * 1024)
#define MAKE_HEAD 208
#define MAKE_ARRAY_AT 176 /* in the header: the place of the first list */

struct make {
	uint8_t bytes[MAKE_SIZE];
	size_t len;
	int compact;
	uint64_t seqnum;
	size_t entries[64];
	size_t nentries;
};

static inline void make_le(struct make *m, size_t at, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		m->bytes[at + i] = (uint8_t)(v >> 8 * i);
}

/* flags: incompatible features, as the header has them */
static inline void make_begin(struct make *m, unsigned flags)
{
	memset(m, 0, sizeof *m);
	memcpy(m->bytes, "LPKSHHRH", 8);
	make_le(m, 12, flags, 4);
	memset(m->bytes + 72, 's', 16); /* seqnum_id */
	make_le(m, 88, MAKE_HEAD, 8);
	m->compact = flags & 16;
	m->len = MAKE_HEAD;
}

static inline size_t make_object(struct make *m, unsigned type, unsigned flags, size_t size)
{
	size_t at = m->len;

	m->bytes[at] = (uint8_t)type;
	m->bytes[at + 1] = (uint8_t)flags;
	make_le(m, at + 8, size, 8);
	m->len += (size + 7) / 8 * 8;
	return at;
}

/* A field as it lies there, compressed already where flags say so. */
static inline size_t make_bytes(struct make *m, unsigned flags, const void *bytes, size_t len)
{
	size_t head = m->compact ? 72 : 64, at = make_object(m, 1, flags, head + len);

	memcpy(m->bytes + at + head, bytes, len);
	return at;
}

static inline size_t make_field(struct make *m, const char *text)
{
	return make_bytes(m, 0, text, strlen(text));
}

/* An entry with these fields, at so many seconds. */
static inline size_t make_entry(struct make *m, uint64_t sec, const size_t *fields, size_t n)
{
	size_t step = m->compact ? 4 : 16, at = make_object(m, 3, 0, 64 + n * step);

	make_le(m, at + 16, ++m->seqnum, 8);
	make_le(m, at + 24, sec * 1000000, 8);
	make_le(m, at + 32, sec, 8);
	memset(m->bytes + at + 40, 'b', 16);
	for (size_t i = 0; i < n; i++)
		make_le(m, at + 64 + i * step, fields[i], m->compact ? 4 : 8);
	m->entries[m->nentries++] = at;
	return at;
}

/* An entry that says MESSAGE=text. */
static inline void make_message(struct make *m, uint64_t sec, const char *text)
{
	char field[200];
	size_t at;

	snprintf(field, sizeof field, "MESSAGE=%s", text);
	at = make_field(m, field);
	make_entry(m, sec, &at, 1);
}

/* A list of all entries since the last list, with room for some more; linked from `from`, a place of 64 bits. */
static inline size_t make_list(struct make *m, size_t from, size_t spare)
{
	size_t step = m->compact ? 4 : 8, at = make_object(m, 6, 0, 24 + (m->nentries + spare) * step);

	for (size_t i = 0; i < m->nentries; i++)
		make_le(m, at + 24 + i * step, m->entries[i], step);
	m->nentries = 0;
	make_le(m, from, at, 8);
	make_le(m, 96, m->len - MAKE_HEAD, 8); /* arena_size */
	return at;
}

static inline void make_write(const struct make *m, const char *path)
{
	FILE *f = fopen(path, "w");

	if (!f || fwrite(m->bytes, 1, m->len, f) != m->len || fclose(f) != 0)
		abort();
}

#endif
