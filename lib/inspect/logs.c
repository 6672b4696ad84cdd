/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* logs.c - the streams of a guest's logs merged by time, and what of them is wanted. */
#include "logs.h"

#include "alloc.h"
#include "zone.h"

#include <fnmatch.h>

static const struct {
	const char *name;
	int (*collect)(const struct log_open *how, struct log_streams *out, struct err *e);
} sources[LOG_SOURCES] = {
	[LOG_JOURNAL] = { "journal", journal_collect },
	[LOG_SYSLOG] = { "syslog", syslog_collect },
	[LOG_PACKAGES] = { "packages", log_packages_collect },
	[LOG_LOGINS] = { "logins", log_logins_collect },
	[LOG_EVTX] = { "evtx", evtx_collect },
};

const char *log_source_name(enum log_source s)
{
	return sources[s].name;
}

int log_failed(const struct log_walk *w, const char *path, const struct err *why, struct err *e)
{
	if (why->code == ERR_NOMEM || why->code == ERR_CANCELED) {
		if (e)
			*e = *why;
		return -(int)why->code;
	}
	return w->failed(w->arg, path, why, e);
}

int log_streams_add(struct log_streams *l, struct log_stream *s, struct err *e)
{
	struct log_stream **items = alloc_resize(l->items, l->n + 1, sizeof *items);

	if (!items) {
		s->drv->close(s);
		return err_nomem(e);
	}
	l->items = items;
	items[l->n++] = s;
	return 0;
}

static void streams_free(struct log_streams *l)
{
	for (size_t i = 0; i < l->n; i++)
		l->items[i]->drv->close(l->items[i]);
	free(l->items);
}

/* A unit's name without what it is a unit of: what programs call themselves elsewhere. */
static bool identifier_is(const char *identifier, const char *pattern)
{
	CLEANUP(free_ptr) char *bare = NULL;
	const char *dot = strrchr(pattern, '.');

	if (fnmatch(pattern, identifier, 0) == 0)
		return true;
	if (!dot || strcmp(dot, ".service") != 0)
		return false;
	bare = alloc_strndup(pattern, (size_t)(dot - pattern));
	return bare && fnmatch(bare, identifier, 0) == 0;
}

static bool unit_wanted(const struct log_query *q, const struct log_entry *ent)
{
	for (size_t i = 0; i < q->nunits; i++) {
		if (ent->source == LOG_JOURNAL ? journal_unit_is(ent->fields, q->units[i])
					       : ent->identifier && identifier_is(ent->identifier, q->units[i]))
			return true;
	}
	return q->nunits == 0;
}

static int entry_give(const struct log_query *q, const struct log_walk *w, struct log_stream *s, struct err *e)
{
	struct log_entry ent;
	int rc;

	if ((q->has_since && s->usec < q->since) || (q->has_until && s->usec > q->until))
		return 0;
	rc = s->drv->entry(s, &ent, e);
	if (rc <= 0)
		return rc;
	ent.logged = s->usec;
	if ((q->max_priority >= 0 && (ent.priority < 0 || ent.priority > q->max_priority)) || !unit_wanted(q, &ent))
		return 0;
	return w->entry(w->arg, &ent, e);
}

/* A heap by time; streams of one time in the order in which they were collected. */
static bool is_before(const struct log_stream *a, const struct log_stream *b)
{
	return a->usec != b->usec ? a->usec < b->usec : a->rank < b->rank;
}

static void heap_down(struct log_stream **heap, size_t n, size_t i)
{
	for (;;) {
		struct log_stream *s = heap[i];
		size_t least = i;

		for (size_t k = 2 * i + 1; k < 2 * i + 3 && k < n; k++)
			if (is_before(heap[k], heap[least]))
				least = k;
		if (least == i)
			return;
		heap[i] = heap[least];
		heap[least] = s;
		i = least;
	}
}

static int merge(const struct log_query *q, const struct log_walk *w, struct log_streams *l, struct err *e)
{
	CLEANUP(free_ptr) struct log_stream **heap = alloc_array(l->n + 1, sizeof *heap);
	size_t n = 0;
	int rc = 0;

	if (!heap)
		return err_nomem(e);
	for (size_t i = 0; i < l->n; i++) {
		l->items[i]->rank = i;
		rc = l->items[i]->drv->next(l->items[i], e);
		if (rc < 0)
			return rc;
		if (rc > 0)
			heap[n++] = l->items[i];
	}
	for (size_t i = n; i-- > 0;)
		heap_down(heap, n, i);
	/* Ends: each turn takes an entry, of which each stream has a number. */
	while (n) {
		rc = entry_give(q, w, heap[0], e);
		if (rc != 0)
			return rc;
		rc = heap[0]->drv->next(heap[0], e);
		if (rc < 0)
			return rc;
		if (rc == 0)
			heap[0] = heap[--n];
		heap_down(heap, n, 0);
	}
	return 0;
}

int log_walk(struct vfs *v, const struct log_query *q, const struct log_walk *w, struct err *e)
{
	CLEANUP(streams_free) struct log_streams streams = { .items = NULL };
	CLEANUP(zone_free) struct zone zone = { .n = 0 };
	const struct log_open how = { .vfs = v, .query = q, .walk = w, .zone = &zone };
	int rc = zone_read(v, &zone, e);

	for (size_t i = 0; rc >= 0 && i < LOG_SOURCES; i++) {
		if (q->sources && !(q->sources & 1u << i))
			continue;
		/* Only the journal knows of boots. */
		if (q->boot && i != LOG_JOURNAL)
			continue;
		rc = sources[i].collect(&how, &streams, e);
	}
	return rc < 0 ? rc : merge(q, w, &streams, e);
}
