/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * evtx.c - event logs of Windows Vista and later, one file each.
 *
 * A head of 4 KiB, then chunks of 64 KiB, each with a head and records from byte 512 on.  A log that is full begins to write over
 * its oldest chunk, so chunks are put in the order of the records that they begin with.  How many there are the head does
 * not know while Windows runs; the file's size does.  A record is an event in binary XML (evtx_xml.c).
 *
 * Logs of Windows XP (.evt) are recognised by their name and told.
 */
#include "evtx.h"

#include "alloc.h"
#include "guest_file.h"
#include "limits.h"
#include "logs.h"
#include "ondisk.h"
#include "text.h"

#include <inttypes.h>
#include <strings.h>
#include <zlib.h>

#define HEAD_SIZE 4096
#define RECORDS 512
#define RECORD_HEAD 24

struct file_ondisk {
	uint8_t magic[8]; /* "ElfFile\0" */
	le64 first_chunk, last_chunk, next_record;
	le32 head_size;
	le16 minor, major, block_size, nchunks;
	uint8_t unused[76];
	le32 flags, checksum;
};
enum { FLAG_DIRTY = 1 };

struct chunk_ondisk {
	uint8_t magic[8]; /* "ElfChnk\0" */
	le64 first_number, last_number, first_id, last_id;
	le32 head_size, last_record, free, records_checksum;
	uint8_t unused[64];
	le32 flags, checksum; /* of the first 120 bytes and bytes 128 to 512 */
};

struct record_ondisk {
	uint8_t magic[4]; /* "**\0\0" */
	le32 size;
	le64 id, written;
};

struct chunk {
	uint64_t first; /* record */
	uint32_t index; /* in the file */
};

struct evtx {
	struct log_stream base;
	struct log_open how;
	struct guest_file f;
	char *path;
	struct chunk *chunks;
	size_t nchunks, next; /* next: the one that comes when the present one ends */
	bool dirty, told;
	uint8_t *bytes; /* of the present chunk; NULL: none */
	size_t at, end; /* the next record, and where there are no more */
	size_t record, size;
	struct evtx_budget budget;
	struct evtx_event event;
	struct strbuf message;
};

static int told(struct evtx *s, const struct err *why, struct err *e)
{
	if (s->told && why->code != ERR_NOMEM)
		return 0;
	s->told = true;
	return log_failed(s->how.walk, s->path, why, e);
}

static int told_damage(struct evtx *s, const char *what, uint32_t chunk, struct err *e)
{
	struct err why = ERR_INIT;

	err_set(&why, ERR_CORRUPT, "%s in chunk %" PRIu32, what, chunk);
	return told(s, &why, e);
}

/* ---- chunks ---- */

/* Reads one whole: 1, or 0 when it cannot be used. */
static int chunk_load(struct evtx *s, uint32_t index, struct err *e)
{
	struct chunk_ondisk h;
	struct err why = ERR_INIT;
	uint32_t sum;
	int rc = 0;

	if (!s->bytes)
		s->bytes = alloc_bytes(EVTX_CHUNK);
	if (!s->bytes)
		return err_nomem(e);
	rc = guest_file_read(&s->f, s->bytes, EVTX_CHUNK, HEAD_SIZE + (uint64_t)index * EVTX_CHUNK, &why);
	if (rc < 0)
		return told(s, &why, e);
	memcpy(&h, s->bytes, sizeof h);
	sum = (uint32_t)crc32(crc32(0, s->bytes, 120), s->bytes + 128, RECORDS - 128);
	s->at = RECORDS;
	s->end = le32_get(h.free);
	if (s->end < RECORDS || s->end > EVTX_CHUNK)
		s->end = EVTX_CHUNK;
	/* The heads of a log that was not closed are of some time before. */
	if (!s->dirty && sum != le32_get(h.checksum))
		rc = told_damage(s, "a head with a wrong checksum", index, e);
	else if (!s->dirty && (uint32_t)crc32(0, s->bytes + RECORDS, (uInt)(s->end - RECORDS)) != le32_get(h.records_checksum))
		rc = told_damage(s, "records with a wrong checksum", index, e);
	if (s->dirty)
		s->end = EVTX_CHUNK;
	return rc < 0 ? rc : 1;
}

static int by_first(const void *x, const void *y)
{
	const struct chunk *a = x, *b = y;

	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

/* Which chunks are used, in the order of their records. */
static int chunks_find(struct evtx *s, struct err *e)
{
	uint64_t n = (s->f.size - HEAD_SIZE) / EVTX_CHUNK;

	if (n > LIMIT_EVTX_CHUNKS)
		return err_set(e, ERR_LIMIT, "an event log of %" PRIu64 " chunks", n);
	s->chunks = alloc_array((size_t)n + 1, sizeof *s->chunks);
	if (!s->chunks)
		return err_nomem(e);
	for (uint32_t i = 0; i < n; i++) {
		struct chunk_ondisk h;
		int rc = guest_file_read(&s->f, &h, sizeof h, HEAD_SIZE + (uint64_t)i * EVTX_CHUNK, e);

		if (rc < 0)
			return rc;
		if (memcmp(h.magic, "ElfChnk", 8) == 0)
			s->chunks[s->nchunks++] = (struct chunk){ le64_get(h.first_id), i };
	}
	qsort(s->chunks, s->nchunks, sizeof *s->chunks, by_first);
	return 0;
}

static int evtx_open(struct evtx *s, struct err *e)
{
	struct file_ondisk h;
	int rc;

	if (s->f.size == 0) /* a log that nothing was written to */
		return 0;
	if (s->f.size < HEAD_SIZE)
		return err_set(e, ERR_CORRUPT, "it is too short for an event log");
	rc = guest_file_read(&s->f, &h, sizeof h, 0, e);
	if (rc < 0)
		return rc;
	if (memcmp(h.magic, "ElfFile", 8) != 0)
		return err_set(e, ERR_CORRUPT, "it is no event log");
	if (le16_get(h.major) != 3 || le16_get(h.block_size) != HEAD_SIZE)
		return err_set(e, ERR_UNSUPPORTED, "an event log of version %u.%u", le16_get(h.major), le16_get(h.minor));
	s->dirty = le32_get(h.flags) & FLAG_DIRTY;
	s->budget.steps = s->f.size * LIMIT_EVTX_STEPS;
	return chunks_find(s, e);
}

/* ---- the stream ---- */

static int evtx_next(struct log_stream *base, struct err *e)
{
	struct evtx *s = (struct evtx *)base;

	/* Ends: each turn takes a record or a chunk. */
	for (;;) {
		struct record_ondisk r;
		uint32_t index = s->next ? s->chunks[s->next - 1].index : 0, size;
		le32 copy;
		int rc;

		if (s->end - s->at < sizeof r + 4) {
			if (s->next == s->nchunks) {
				free(take(s->bytes));
				return 0;
			}
			s->at = s->end = 0;
			rc = chunk_load(s, s->chunks[s->next++].index, e);
			if (rc < 0)
				return rc;
			continue;
		}
		memcpy(&r, s->bytes + s->at, sizeof r);
		size = le32_get(r.size);
		if (memcmp(r.magic, "**\0\0", 4) != 0) {
			/* Behind the last record there are zeros, or in a log that was not closed what was there before. */
			rc = s->dirty || (r.magic[0] | r.magic[1] | r.magic[2] | r.magic[3]) == 0
				     ? 0
				     : told_damage(s, "something that is no record", index, e);
			s->at = s->end;
			if (rc != 0)
				return rc;
			continue;
		}
		if (size < sizeof r + 4 || size > s->end - s->at) {
			s->at = s->end;
			rc = told_damage(s, "a record that leaves its chunk", index, e);
			if (rc != 0)
				return rc;
			continue;
		}
		memcpy(&copy, s->bytes + s->at + size - 4, sizeof copy);
		s->record = s->at;
		s->size = size;
		s->at += size;
		if (le32_get(copy) != size || !evtx_time(le64_get(r.written), &base->usec)) {
			rc = told_damage(s, "a record that is damaged", index, e);
			if (rc != 0)
				return rc;
			continue;
		}
		return 1;
	}
}

/* Windows' levels: 0 and 4 are information, 1 critical, 5 verbose. */
static int priority_of(const char *level)
{
	static const int priorities[] = { 6, 2, 3, 4, 6, 7 };

	return level && level[0] >= '0' && level[0] <= '5' && !level[1] ? priorities[level[0] - '0'] : -1;
}

/* "7036: param1=Windows Update, param2=running" */
static int message_make(struct evtx *s, struct err *e)
{
	const struct log_fields *f = &s->event.fields;
	const char *id = log_fields_get(f, "EventID", NULL);

	strbuf_reset(&s->message);
	strbuf_puts(&s->message, id ? id : "event");
	for (size_t i = s->event.data_from; i < f->n; i++) {
		const char *name = log_field_name(f, i);

		strbuf_puts(&s->message, i == s->event.data_from ? ": " : ", ");
		if (strcmp(name, "Data") != 0)
			strbuf_printf(&s->message, "%s=", name);
		strbuf_add(&s->message, log_field_value(f, i), f->items[i].len);
	}
	return s->message.failed ? err_nomem(e) : 0;
}

static int evtx_entry(struct log_stream *base, struct log_entry *out, struct err *e)
{
	struct evtx *s = (struct evtx *)base;
	const struct log_fields *f = &s->event.fields;
	struct err why = ERR_INIT;
	int rc = evtx_xml_read(s->bytes, s->record + RECORD_HEAD, s->record + s->size - 4, &s->budget, &s->event, &why);

	if (rc < 0) {
		rc = told(s, &why, e);
		if (rc != 0)
			return rc;
		if (s->event.fields.n == 0)
			return 0;
		/* What was understood of it; its XML would have no end. */
		strbuf_reset(&s->event.xml);
	}
	rc = message_make(s, e);
	if (rc < 0)
		return rc;
	*out = (struct log_entry){
		.source = LOG_EVTX,
		.path = s->path,
		.usec = base->usec,
		.priority = priority_of(log_fields_get(f, "Level", NULL)),
		.host = log_fields_get(f, "Computer", NULL),
		.identifier = log_fields_get(f, "Provider", NULL),
		.pid = log_fields_get(f, "ProcessID", NULL),
		.message = s->message.s,
		.message_len = s->message.len,
		.fields = f,
		.xml = s->event.xml.len ? s->event.xml.s : NULL,
	};
	evtx_time((uint64_t)s->event.created, &out->usec);
	return 1;
}

static void evtx_close(struct log_stream *base)
{
	struct evtx *s = (struct evtx *)base;

	evtx_event_free(&s->event);
	strbuf_free(&s->message);
	free(s->bytes);
	free(s->chunks);
	free(s->path);
	free(s);
}

static const struct log_driver evtx_driver = { evtx_next, evtx_entry, evtx_close };

/* ---- which files ---- */

struct search {
	const struct log_open *how;
	struct log_streams *out;
	const char *folder;
	size_t n;
};

static int file_add(struct search *q, const char *path, struct err *e)
{
	struct evtx *s = alloc_zero(sizeof *s);
	struct err why = ERR_INIT;
	int rc;

	if (!s)
		return err_nomem(e);
	*s = (struct evtx){ .base.drv = &evtx_driver, .how = *q->how, .path = alloc_strdup(path), .event = EVTX_EVENT_INIT,
			    .message = STRBUF_INIT };
	rc = s->path ? guest_file_find(q->how->vfs, path, &s->f, e) : err_nomem(e);
	if (rc > 0) {
		rc = evtx_open(s, &why);
		rc = rc < 0 ? told(s, &why, e) : 1;
	}
	if (rc > 0 && s->nchunks)
		return log_streams_add(q->out, &s->base, e);
	evtx_close(&s->base);
	return rc < 0 ? rc : 0;
}

static bool ends_in(const char *name, const char *end)
{
	size_t n = strlen(name), k = strlen(end);

	return n > k && strcasecmp(name + n - k, end) == 0;
}

static int on_file(void *arg, const struct vfs_dirent *d, struct err *e)
{
	struct search *q = arg;
	CLEANUP(free_ptr) char *path = alloc_printf("%s/%s", q->folder, d->name);
	struct err why = ERR_INIT;

	if (!path)
		return err_nomem(e);
	if (ends_in(d->name, ".evt")) {
		err_set(&why, ERR_UNSUPPORTED, "event logs of Windows XP and before are not read");
		return log_failed(q->how->walk, path, &why, e);
	}
	if (!ends_in(d->name, ".evtx"))
		return 0;
	if (++q->n > LIMIT_LOG_EVTX_FILES) {
		err_set(&why, ERR_LIMIT, "there are too many event logs; the others are left out");
		return q->n == LIMIT_LOG_EVTX_FILES + 1 ? log_failed(q->how->walk, q->folder, &why, e) : 0;
	}
	return file_add(q, path, e);
}

struct name_search {
	const char *wanted;
	char *found;
};

static int on_name(void *arg, const struct vfs_dirent *d, struct err *e)
{
	struct name_search *s = arg;

	if (strcasecmp(d->name, s->wanted) != 0)
		return 0;
	s->found = alloc_strdup(d->name);
	return s->found ? 1 : err_nomem(e);
}

/* A folder whatever the case of its name: *path grows by it.  1, or 0 when there is none. */
static int folder_find(struct vfs *v, struct strbuf *path, const char *name, struct err *e)
{
	struct name_search s = { .wanted = name };
	struct vfs_node n;
	int rc;

	if (!vfs_is_dir(v, path->len ? path->s : "/"))
		return 0;
	rc = vfs_lookup(v, path->len ? path->s : "/", true, &n, e);
	if (rc == 0)
		rc = vfs_readdir(v, n, true, on_name, &s, e);
	if (rc <= 0)
		return rc;
	strbuf_printf(path, "/%s", s.found);
	free(s.found);
	return path->failed ? err_nomem(e) : 1;
}

int evtx_collect(const struct log_open *how, struct log_streams *out, struct err *e)
{
	static const char *const folders[][5] = {
		{ "Windows", "System32", "winevt", "Logs", NULL },
		{ "Windows", "System32", "config", NULL },
		{ "WINNT", "System32", "config", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		CLEANUP(strbuf_free) struct strbuf path = STRBUF_INIT;
		struct search q = { .how = how, .out = out };
		struct err why = ERR_INIT;
		struct vfs_node n;
		int rc = 1;

		for (size_t k = 0; folders[i][k] && rc > 0; k++)
			rc = folder_find(how->vfs, &path, folders[i][k], &why);
		if (rc > 0 && vfs_is_dir(how->vfs, path.s)) {
			q.folder = path.s;
			rc = vfs_lookup(how->vfs, path.s, true, &n, &why);
			if (rc == 0)
				rc = vfs_readdir(how->vfs, n, true, on_file, &q, &why);
		}
		if (rc < 0)
			rc = log_failed(how->walk, path.len ? path.s : "/", &why, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}
