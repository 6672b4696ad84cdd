/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * evtx_xml.c - binary XML of Windows event logs, after [MS-EVEN6].
 *
 * A stream of tokens, each a byte with a flag (0x40) that more follows.  Elements and attributes have names, which are stored
 * once in a chunk: where a name is used first it stands behind its own place.  Most of an event is a template instance: the
 * template, stored in the same way, has gaps, and the instance has the values to fill them; a value can be binary XML again.
 *
 * Nothing here is trusted: each read is within the chunk, elements and templates are nested to a depth, and every token and
 * every byte that is written is counted.
 */
#include "evtx.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"
#include "text.h"

enum {
	TOKEN_EOF = 0x00,
	TOKEN_OPEN = 0x01,
	TOKEN_CLOSE_START = 0x02,
	TOKEN_CLOSE_EMPTY = 0x03,
	TOKEN_END = 0x04,
	TOKEN_VALUE = 0x05,
	TOKEN_ATTRIBUTE = 0x06,
	TOKEN_CDATA = 0x07,
	TOKEN_CHARREF = 0x08,
	TOKEN_ENTITY = 0x09,
	TOKEN_PI_TARGET = 0x0a,
	TOKEN_PI_DATA = 0x0b,
	TOKEN_TEMPLATE = 0x0c,
	TOKEN_NORMAL = 0x0d,
	TOKEN_OPTIONAL = 0x0e,
	TOKEN_FRAGMENT = 0x0f,
	TOKEN_MORE = 0x40,
};

struct values {
	struct evtx_value *items;
	size_t n;
};

/* Where we are: what lies in chunk[at, end). */
struct cursor {
	size_t at, end;
	bool bare; /* elements have no dependency: directly in a value */
	const struct values *values; /* of the template; NULL: none */
};

struct reader {
	const uint8_t *chunk;
	struct evtx_budget *budget;
	struct evtx_event *ev;
	unsigned depth;	   /* of elements and templates in each other */
	unsigned elements; /* of elements alone */
	bool in_system, leaf;
	struct strbuf name; /* of the value that is being read: the attribute Name of Data, else the element's */
};

static int damaged(struct err *e, size_t at)
{
	return err_set(e, ERR_CORRUPT, "an event that is damaged at byte %zu of its chunk", at);
}

static int spend(struct reader *r, uint64_t steps, struct err *e)
{
	if (steps > r->budget->steps || r->ev->xml.len > LIMIT_EVTX_EVENT) {
		r->budget->steps -= MIN_OF(steps, r->budget->steps);
		return err_set(e, ERR_LIMIT, "an event that is out of all proportion to the file");
	}
	r->budget->steps -= steps;
	return 0;
}

/* n bytes as a number; false when they are not there. */
static bool take_le(const struct reader *r, struct cursor *c, size_t n, uint64_t *out)
{
	if (c->end - c->at < n)
		return false;
	*out = 0;
	for (size_t i = 0; i < n; i++)
		*out |= (uint64_t)r->chunk[c->at + i] << 8 * i;
	c->at += n;
	return true;
}

/* The token that comes, without its flag; TOKEN_EOF at the end. */
static unsigned peek(const struct reader *r, const struct cursor *c)
{
	return c->at < c->end ? r->chunk[c->at] & ~(unsigned)TOKEN_MORE : TOKEN_EOF;
}

/* ---- writing ---- */

static void cut(struct strbuf *b, size_t len)
{
	if (len < b->len) {
		b->len = len;
		b->s[len] = '\0';
	}
}

/* Text in which XML sees no mark-up, and a terminal no command. */
static void write_escaped(struct strbuf *out, const char *text, size_t len, bool in_attribute)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '&')
			strbuf_puts(out, "&amp;");
		else if (c == '<')
			strbuf_puts(out, "&lt;");
		else if (c == '>')
			strbuf_puts(out, "&gt;");
		else if (c == '"' && in_attribute)
			strbuf_puts(out, "&quot;");
		else if ((c < 0x20 && c != '\n' && c != '\t' && c != '\r') || c == 0x7f)
			strbuf_puts(out, "\xef\xbf\xbd");
		else if (c == 0xc2 && i + 1 < len && (unsigned char)text[i + 1] < 0xa0) { /* controls of 8 bits */
			strbuf_puts(out, "\xef\xbf\xbd");
			i++;
		} else
			strbuf_putc(out, (char)c);
	}
}

/* Text of the present element or attribute. */
static int write_text(struct reader *r, const char *text, size_t len, bool in_attribute, struct err *e)
{
	write_escaped(&r->ev->xml, text, len, in_attribute);
	strbuf_add(&r->ev->text, text, len);
	return spend(r, len, e);
}

/* ---- names ---- */

/* Of elements and attributes: letters, digits and what else XML allows; so that a name is nothing but a name. */
static bool is_name(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];
		bool first = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;

		if (!first && (i == 0 || !((c >= '0' && c <= '9') || c == '-' || c == '.' || c == ':')))
			return false;
	}
	return len > 0;
}

/* A name by its place: here, and then we go on behind it, or somewhere else in the chunk. */
static int name_read(struct reader *r, struct cursor *c, struct strbuf *out, struct err *e)
{
	struct cursor n = { .end = EVTX_CHUNK };
	uint64_t place, next, hash, units;

	if (!take_le(r, c, 4, &place) || place >= EVTX_CHUNK)
		return damaged(e, c->at);
	n.at = (size_t)place;
	if (!take_le(r, &n, 4, &next) || !take_le(r, &n, 2, &hash) || !take_le(r, &n, 2, &units) ||
	    n.end - n.at < 2 * units + 2)
		return damaged(e, (size_t)place);
	text_utf16le(out, r->chunk + n.at, (size_t)units);
	if (out->failed)
		return err_nomem(e);
	if (!is_name(out->s, out->len))
		return damaged(e, (size_t)place);
	if (place == c->at) {
		n.at += 2 * (size_t)units + 2;
		if (n.at > c->end)
			return damaged(e, c->at);
		c->at = n.at;
	}
	return spend(r, 1 + out->len, e);
}

/* ---- values ---- */

static int fragment(struct reader *r, struct cursor *c, struct err *e);

static const struct evtx_value *substitution(const struct reader *r, struct cursor *c, bool *optional)
{
	static const struct evtx_value none = { .type = EVTX_NULL };
	uint64_t token, id, type;

	if (!take_le(r, c, 1, &token) || !take_le(r, c, 2, &id) || !take_le(r, c, 1, &type))
		return NULL;
	*optional = (token & ~(uint64_t)TOKEN_MORE) == TOKEN_OPTIONAL;
	return c->values && id < c->values->n ? &c->values->items[id] : &none;
}

/* A value's text; what it is made of is read in a buffer of its own, as it is escaped on its way. */
static int value_write(struct reader *r, const struct evtx_value *v, bool in_attribute, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf text = STRBUF_INIT;

	if (v->type == EVTX_BINXML) {
		struct cursor inner = { .at = (size_t)(v->bytes - r->chunk), .bare = true };

		if (in_attribute)
			return damaged(e, inner.at);
		inner.end = inner.at + v->len;
		return fragment(r, &inner, e);
	}
	evtx_value_text(&text, v);
	if (text.failed)
		return err_nomem(e);
	return write_text(r, text.s, text.len, in_attribute, e);
}

/* Value text, references: 1 when the token was one of these and is dealt with. */
static int plain_token(struct reader *r, struct cursor *c, bool in_attribute, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf text = STRBUF_INIT;
	static const struct {
		const char *name, *text;
	} entities[] = { { "amp", "&" }, { "lt", "<" }, { "gt", ">" }, { "quot", "\"" }, { "apos", "'" } };
	unsigned token = peek(r, c);
	uint64_t units, type;
	int rc;

	switch (token) {
	case TOKEN_VALUE:
	case TOKEN_CDATA:
		c->at++;
		if (token == TOKEN_VALUE && (!take_le(r, c, 1, &type) || type != EVTX_STRING))
			return damaged(e, c->at);
		if (!take_le(r, c, 2, &units) || c->end - c->at < 2 * units)
			return damaged(e, c->at);
		text_utf16le(&text, r->chunk + c->at, (size_t)units);
		c->at += 2 * (size_t)units;
		break;
	case TOKEN_CHARREF:
		c->at++;
		if (c->end - c->at < 2)
			return damaged(e, c->at);
		text_utf16le(&text, r->chunk + c->at, 1);
		c->at += 2;
		break;
	case TOKEN_ENTITY: {
		CLEANUP(strbuf_free) struct strbuf name = STRBUF_INIT;

		c->at++;
		rc = name_read(r, c, &name, e);
		if (rc < 0)
			return rc;
		for (size_t i = 0; i < ARRAY_LEN(entities); i++)
			if (strcmp(name.s, entities[i].name) == 0)
				strbuf_puts(&text, entities[i].text);
		break;
	}
	default:
		return 0;
	}
	if (text.failed)
		return err_nomem(e);
	rc = write_text(r, text.s, text.len, in_attribute, e);
	return rc < 0 ? rc : 1;
}

/* ---- attributes ---- */

/* What of System is in attributes. */
static int system_attribute(struct reader *r, const char *element, const char *name, struct err *e)
{
	const char *as = strcmp(element, "Provider") == 0 && strcmp(name, "Name") == 0 ? "Provider" : name;

	return log_fields_add(&r->ev->fields, as, strlen(as), r->ev->text.s, r->ev->text.len, e);
}

static int attribute(struct reader *r, struct cursor *c, const char *element, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf name = STRBUF_INIT;
	size_t before = r->ev->xml.len;
	bool absent = false;
	int rc;

	c->at++;
	rc = name_read(r, c, &name, e);
	if (rc < 0)
		return rc;
	strbuf_printf(&r->ev->xml, " %s=\"", name.s);
	strbuf_reset(&r->ev->text);
	/* Ends: each turn takes a token. */
	for (;;) {
		unsigned token = peek(r, c);

		rc = spend(r, 1, e);
		if (rc == 0)
			rc = plain_token(r, c, true, e);
		if (rc < 0)
			return rc;
		if (rc > 0)
			continue;
		if (token != TOKEN_NORMAL && token != TOKEN_OPTIONAL)
			break;
		bool optional;
		const struct evtx_value *v = substitution(r, c, &optional);

		if (!v)
			return damaged(e, c->at);
		if (v->type == EVTX_NULL && optional) {
			absent = true;
			continue;
		}
		if (v->type == EVTX_FILETIME && v->len == 8 && r->in_system && strcmp(name.s, "SystemTime") == 0) {
			struct cursor t = { .at = (size_t)(v->bytes - r->chunk), .end = EVTX_CHUNK };
			uint64_t ticks;

			if (take_le(r, &t, 8, &ticks))
				r->ev->created = (int64_t)(ticks & INT64_MAX);
		}
		rc = value_write(r, v, true, e);
		if (rc < 0)
			return rc;
	}
	if (absent && r->ev->text.len == 0) {
		cut(&r->ev->xml, before);
		return 0;
	}
	strbuf_putc(&r->ev->xml, '"');
	if (r->in_system)
		return system_attribute(r, element, name.s, e);
	if (strcmp(name.s, "Name") == 0) {
		strbuf_reset(&r->name);
		strbuf_add(&r->name, r->ev->text.s, r->ev->text.len);
	}
	return 0;
}

/* ---- elements ---- */

/* The text of an element that has no others in it is a field. */
static int leaf_end(struct reader *r, const char *element, struct err *e)
{
	bool value = r->elements > 2 && r->leaf && r->ev->text.len;
	const char *name = r->in_system || r->name.len == 0 ? element : r->name.s;

	r->leaf = false;
	return value ? log_fields_add(&r->ev->fields, name, strlen(name), r->ev->text.s, r->ev->text.len, e) : 0;
}

/* An array in an element: the element is written for each item. */
static int array_write(struct reader *r, const struct evtx_value *array, const char *element, size_t open, struct err *e)
{
	CLEANUP(free_ptr) char *tag = alloc_strndup(r->ev->xml.s + open, r->ev->xml.len - open);
	struct evtx_value rest = *array, item;
	int rc = 0;

	if (!tag)
		return err_nomem(e);
	/* Ends: each item takes something off the array. */
	for (bool first = true; rc == 0 && evtx_array_next(&rest, &item); first = false) {
		if (!first) {
			rc = leaf_end(r, element, e);
			if (rc == 0)
				rc = spend(r, strlen(tag), e);
			strbuf_printf(&r->ev->xml, "</%s>%s", element, tag);
			strbuf_reset(&r->ev->text);
			r->leaf = true;
		}
		if (rc == 0)
			rc = value_write(r, &item, false, e);
	}
	return rc;
}

static int element(struct reader *r, struct cursor *c, struct err *e);
static int template_instance(struct reader *r, struct cursor *c, struct err *e);

/* What is between the tags, and the end tag. */
static int content(struct reader *r, struct cursor *c, const char *name, size_t open, bool *absent, struct err *e)
{
	size_t begin = r->ev->xml.len;
	int rc;

	/* Ends: each turn takes a token. */
	for (;;) {
		unsigned token = peek(r, c);

		rc = spend(r, 1, e);
		if (rc == 0)
			rc = plain_token(r, c, false, e);
		if (rc < 0)
			return rc;
		if (rc > 0)
			continue;
		if (token == TOKEN_END) {
			c->at++;
			*absent = *absent && r->ev->xml.len == begin;
			return 0;
		}
		if (token == TOKEN_OPEN) {
			rc = element(r, c, e);
		} else if (token == TOKEN_TEMPLATE) {
			rc = template_instance(r, c, e);
		} else if (token == TOKEN_NORMAL || token == TOKEN_OPTIONAL) {
			bool optional;
			const struct evtx_value *v = substitution(r, c, &optional);

			if (!v)
				return damaged(e, c->at);
			*absent |= optional && v->type == EVTX_NULL;
			rc = v->type & EVTX_ARRAY ? array_write(r, v, name, open, e) : value_write(r, v, false, e);
		} else if (token == TOKEN_PI_TARGET) {
			CLEANUP(strbuf_free) struct strbuf target = STRBUF_INIT;

			c->at++;
			rc = name_read(r, c, &target, e);
		} else if (token == TOKEN_PI_DATA) {
			uint64_t units;

			c->at++;
			if (!take_le(r, c, 2, &units) || c->end - c->at < 2 * units)
				return damaged(e, c->at);
			c->at += 2 * (size_t)units;
		} else {
			return damaged(e, c->at);
		}
		if (rc < 0)
			return rc;
	}
}

static int element_inside(struct reader *r, struct cursor *c, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf name = STRBUF_INIT;
	struct strbuf *out = &r->ev->xml;
	size_t open = out->len, nfields = r->ev->fields.n;
	bool more = r->chunk[c->at] & TOKEN_MORE, absent = false;
	uint64_t skipped;
	int rc;

	c->at++;
	if ((!c->bare && !take_le(r, c, 2, &skipped)) || !take_le(r, c, 4, &skipped))
		return damaged(e, c->at);
	rc = name_read(r, c, &name, e);
	if (rc < 0)
		return rc;
	if (r->elements == 2) {
		r->in_system = strcmp(name.s, "System") == 0;
		if (!r->in_system && r->ev->data_from == SIZE_MAX)
			r->ev->data_from = nfields;
	}
	strbuf_printf(out, "<%s", name.s);
	strbuf_reset(&r->name);
	if (more && !take_le(r, c, 4, &skipped))
		return damaged(e, c->at);
	while (rc == 0 && peek(r, c) == TOKEN_ATTRIBUTE)
		rc = attribute(r, c, name.s, e);
	if (rc < 0)
		return rc;
	strbuf_reset(&r->ev->text);
	r->leaf = true;
	if (peek(r, c) == TOKEN_CLOSE_EMPTY && c->at < c->end) {
		c->at++;
		r->leaf = false;
		strbuf_puts(out, "/>");
		return out->failed ? err_nomem(e) : 0;
	}
	if (peek(r, c) != TOKEN_CLOSE_START)
		return damaged(e, c->at);
	c->at++;
	strbuf_putc(out, '>');
	rc = content(r, c, name.s, open, &absent, e);
	if (rc < 0)
		return rc;
	if (absent) { /* an optional value that is not there takes its element with it */
		cut(out, open);
		r->leaf = false;
		return 0;
	}
	strbuf_printf(out, "</%s>", name.s);
	return out->failed ? err_nomem(e) : leaf_end(r, name.s, e);
}

static int element(struct reader *r, struct cursor *c, struct err *e)
{
	int rc;

	if (r->depth == LIMIT_EVTX_DEPTH)
		return err_set(e, ERR_LIMIT, "an event nested more than %d deep", LIMIT_EVTX_DEPTH);
	r->depth++;
	r->elements++;
	rc = element_inside(r, c, e);
	if (r->elements == 2)
		r->in_system = false;
	r->elements--;
	r->depth--;
	return rc;
}

/* ---- templates ---- */

static void values_free(struct values *v)
{
	free(v->items);
}

/* A count, sizes and types, then the bytes. */
static int values_read(struct reader *r, struct cursor *c, struct values *out, struct err *e)
{
	uint64_t n, len, type, unused;
	size_t bytes;

	if (!take_le(r, c, 4, &n) || n > (c->end - c->at) / 4)
		return damaged(e, c->at);
	out->items = alloc_array((size_t)n + 1, sizeof *out->items);
	if (!out->items)
		return err_nomem(e);
	out->n = (size_t)n;
	bytes = c->at + 4 * (size_t)n;
	for (size_t i = 0; i < out->n; i++) {
		if (!take_le(r, c, 2, &len) || !take_le(r, c, 1, &type) || !take_le(r, c, 1, &unused) || len > c->end - bytes)
			return damaged(e, c->at);
		out->items[i] = (struct evtx_value){ (uint8_t)type, r->chunk + bytes, (size_t)len };
		bytes += (size_t)len;
	}
	c->at = bytes;
	return spend(r, n, e);
}

static int template_instance(struct reader *r, struct cursor *c, struct err *e)
{
	CLEANUP(values_free) struct values values = { .n = 0 };
	struct cursor body = { .end = EVTX_CHUNK, .values = &values };
	uint64_t unused, place, size;
	int rc;

	c->at++;
	if (!take_le(r, c, 1, &unused) || !take_le(r, c, 4, &unused) || !take_le(r, c, 4, &place) ||
	    !range_in(place, 24, EVTX_CHUNK))
		return damaged(e, c->at);
	body.at = (size_t)place + 20;
	if (!take_le(r, &body, 4, &size) || size > EVTX_CHUNK - body.at)
		return damaged(e, (size_t)place);
	body.end = body.at + (size_t)size;
	if (place == c->at) {
		if (body.end > c->end)
			return damaged(e, c->at);
		c->at = body.end;
	}
	rc = values_read(r, c, &values, e);
	if (rc < 0)
		return rc;
	if (r->depth == LIMIT_EVTX_DEPTH)
		return err_set(e, ERR_LIMIT, "an event nested more than %d deep", LIMIT_EVTX_DEPTH);
	r->depth++;
	rc = fragment(r, &body, e);
	r->depth--;
	return rc;
}

/* Headers, and one element or template instance, or several. */
static int fragment(struct reader *r, struct cursor *c, struct err *e)
{
	int rc = 0;

	/* Ends: each turn takes a token. */
	while (rc == 0) {
		unsigned token = peek(r, c);

		rc = spend(r, 1, e);
		if (rc < 0 || token == TOKEN_EOF)
			return rc;
		if (token == TOKEN_FRAGMENT) {
			if (c->end - c->at < 4)
				return damaged(e, c->at);
			c->at += 4;
			c->bare = false;
		} else if (token == TOKEN_OPEN) {
			rc = element(r, c, e);
		} else if (token == TOKEN_TEMPLATE) {
			rc = template_instance(r, c, e);
		} else {
			return damaged(e, c->at);
		}
	}
	return rc;
}

void evtx_event_free(struct evtx_event *ev)
{
	strbuf_free(&ev->xml);
	strbuf_free(&ev->text);
	log_fields_free(&ev->fields);
}

int evtx_xml_read(const uint8_t *chunk, size_t at, size_t end, struct evtx_budget *budget, struct evtx_event *out, struct err *e)
{
	struct reader r = { .chunk = chunk, .budget = budget, .ev = out, .name = STRBUF_INIT };
	struct cursor c = { .at = at, .end = end };
	int rc;

	strbuf_reset(&out->xml);
	strbuf_reset(&out->text);
	log_fields_reset(&out->fields);
	out->data_from = SIZE_MAX;
	out->created = 0;
	rc = fragment(&r, &c, e);
	strbuf_free(&r.name);
	if (rc == 0 && (out->xml.failed || out->text.failed))
		rc = err_nomem(e);
	if (out->data_from == SIZE_MAX)
		out->data_from = out->fields.n;
	return rc;
}
