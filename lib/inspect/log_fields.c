/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "log_fields.h"

#include "alloc.h"

void log_fields_free(struct log_fields *f)
{
	strbuf_free(&f->text);
	free(f->items);
	f->items = NULL;
	f->n = f->cap = 0;
}

void log_fields_reset(struct log_fields *f)
{
	strbuf_reset(&f->text);
	f->n = 0;
}

int log_fields_add(struct log_fields *f, const char *name, size_t name_len, const void *value, size_t len, struct err *e)
{
	struct log_field item = { .name = f->text.len, .len = len };

	if (f->n == f->cap) {
		size_t cap = f->cap ? f->cap * 2 : 32;
		struct log_field *items = alloc_resize(f->items, cap, sizeof *items);

		if (!items)
			return err_nomem(e);
		f->items = items;
		f->cap = cap;
	}
	strbuf_add(&f->text, name, name_len);
	strbuf_putc(&f->text, '\0');
	item.value = f->text.len;
	strbuf_add(&f->text, value, len);
	strbuf_putc(&f->text, '\0');
	if (f->text.failed)
		return err_nomem(e);
	f->items[f->n++] = item;
	return 0;
}

const char *log_field_name(const struct log_fields *f, size_t i)
{
	return f->text.s + f->items[i].name;
}

const char *log_field_value(const struct log_fields *f, size_t i)
{
	return f->text.s + f->items[i].value;
}

const char *log_fields_get(const struct log_fields *f, const char *name, size_t *len)
{
	for (size_t i = 0; i < f->n; i++) {
		if (strcmp(log_field_name(f, i), name) == 0) {
			if (len)
				*len = f->items[i].len;
			return log_field_value(f, i);
		}
	}
	return NULL;
}
