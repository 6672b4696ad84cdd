/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest_log.c - the guests section of drydock.h: logs. */
#include "guest_api.h"

#include "logs.h"

_Static_assert((int)DRY_LOG_SOURCES == (int)LOG_SOURCES && (int)DRY_LOG_EVTX == (int)LOG_EVTX, "one list of sources");

struct log_call {
	const struct dry_log_walk *w;
	struct dry_log_field *fields;
	size_t cap;
};

static int fields_public(struct log_call *c, const struct log_fields *f, struct err *e)
{
	if (f->n > c->cap) {
		struct dry_log_field *fields = alloc_resize(c->fields, f->n, sizeof *fields);

		if (!fields)
			return err_nomem(e);
		c->fields = fields;
		c->cap = f->n;
	}
	for (size_t i = 0; i < f->n; i++)
		c->fields[i] = (struct dry_log_field){ log_field_name(f, i), log_field_value(f, i), f->items[i].len };
	return 0;
}

static int entry_public(void *arg, const struct log_entry *ent, struct err *e)
{
	struct log_call *c = arg;
	struct dry_log_entry pub = {
		.source = log_source_name(ent->source),
		.path = ent->path,
		.usec = ent->usec,
		.logged = ent->logged,
		.priority = ent->priority,
		.host = ent->host,
		.unit = ent->unit,
		.identifier = ent->identifier,
		.pid = ent->pid,
		.boot = ent->boot,
		.message = ent->message,
		.message_len = ent->message_len,
		.xml = ent->xml,
	};

	if (ent->fields && ent->fields->n) {
		int rc = fields_public(c, ent->fields, e);

		if (rc < 0)
			return rc;
		pub.fields = c->fields;
		pub.nfields = ent->fields->n;
	}
	return c->w->entry(c->w->arg, &pub) ? err_set(e, ERR_CANCELED, "reading the logs was stopped") : 0;
}

static int failed_public(void *arg, const char *path, const struct err *why, struct err *e)
{
	const struct log_call *c = arg;
	struct dry_error pub = { .code = (enum dry_code)why->code, .sys_errno = why->sys_errno };

	if (!c->w->failed) {
		if (e)
			*e = *why;
		return err_in(e, -(int)why->code, "%s", path);
	}
	memcpy(pub.msg, why->msg, sizeof pub.msg);
	return c->w->failed(c->w->arg, path, &pub) ? err_set(e, ERR_CANCELED, "reading the logs was stopped") : 0;
}

int dry_guest_log(struct dry_guest *g, const struct dry_log_query *q, const struct dry_log_walk *w, struct dry_error *error)
{
	API_ERR(e, error);
	const struct log_query query = {
		.sources = q->sources,
		.has_since = q->has_since,
		.has_until = q->has_until,
		.since = q->since,
		.until = q->until,
		.units = q->units,
		.nunits = q->nunits,
		.max_priority = q->max_priority,
		.boot = q->boot,
		.last = q->last,
	};
	struct log_call call = { .w = w };
	const struct log_walk walk = { .entry = entry_public, .failed = failed_public, .arg = &call };
	int rc = guest_mounted(g, e);

	if (rc == 0)
		rc = log_walk(g->tree.vfs, &query, &walk, e);
	free(call.fields);
	return rc;
}

const char *dry_log_source_name(unsigned source)
{
	return source < LOG_SOURCES ? log_source_name((enum log_source)source) : NULL;
}
