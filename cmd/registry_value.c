/* SPDX-License-Identifier: GPL-2.0-or-later */
/* registry_value.c - values of the Windows registry as text and as JSON. */
#include "registry.h"

#include "alloc.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum { NONE, SZ, EXPAND_SZ, BINARY, DWORD, DWORD_BIG_ENDIAN, LINK, MULTI_SZ, QWORD = 11 };

void reg_quote(struct strbuf *out, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\\");

		text_quote(out, text, len);
		text += len;
		if (*text) {
			strbuf_putc(out, '\\');
			text++;
		}
	}
}

bool reg_has_control(const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		if (*p < ' ' || *p == 0x7f || (*p == 0xc2 && p[1] < 0xa0))
			return true;
	return false;
}

const char *reg_type(uint32_t type, char buf[24])
{
	const char *name = dry_registry_type_name(type);

	if (name)
		return name;
	snprintf(buf, 24, "REG_0x%" PRIx32, type);
	return buf;
}

/* ---- strings ---- */

static uint16_t unit(const struct dry_registry_value *v, size_t i)
{
	const uint8_t *b = v->data;

	return (uint16_t)(b[2 * i] | b[2 * i + 1] << 8);
}

/* Are units from i up to end characters, and none half of one? */
static bool is_text(const struct dry_registry_value *v, size_t i, size_t end)
{
	for (; i < end; i++) {
		uint16_t u = unit(v, i);

		if (u == 0 || (u & 0xfc00) == 0xdc00)
			return false;
		if ((u & 0xfc00) == 0xd800 && (++i == end || (unit(v, i) & 0xfc00) != 0xdc00))
			return false;
	}
	return true;
}

/* The end of the string that begins at i: where its NUL is, or the end. */
static size_t string_end(const struct dry_registry_value *v, size_t i)
{
	size_t n = v->len / 2;

	while (i < n && unit(v, i))
		i++;
	return i;
}

static bool is_texts(const struct dry_registry_value *v)
{
	size_t n = v->len / 2, i = 0;

	while (i < n && unit(v, i)) {
		size_t end = string_end(v, i);

		if (!is_text(v, i, end))
			return false;
		i = end + 1;
	}
	/* Behind the last there is one NUL more, or nothing. */
	return i == n || (i + 1 == n && unit(v, i) == 0);
}

enum reg_form reg_form(const struct dry_registry_value *v)
{
	size_t n = v->len / 2;

	switch (v->type) {
	case SZ:
	case EXPAND_SZ:
	case LINK:
		if (v->len % 2)
			return REGISTRY_BYTES;
		return is_text(v, 0, n && !unit(v, n - 1) ? n - 1 : n) ? REGISTRY_TEXT : REGISTRY_BYTES;
	case MULTI_SZ:
		return v->len % 2 == 0 && is_texts(v) ? REGISTRY_TEXTS : REGISTRY_BYTES;
	case DWORD:
	case DWORD_BIG_ENDIAN:
		return v->len == 4 ? REGISTRY_NUMBER : REGISTRY_BYTES;
	case QWORD:
		return v->len == 8 ? REGISTRY_NUMBER : REGISTRY_BYTES;
	default:
		return REGISTRY_BYTES;
	}
}

uint64_t reg_number(const struct dry_registry_value *v)
{
	const uint8_t *b = v->data;
	uint64_t n = 0;

	for (size_t i = 0; i < v->len; i++)
		n = n << 8 | b[v->type == DWORD_BIG_ENDIAN ? i : v->len - 1 - i];
	return n;
}

void reg_string(const struct dry_registry_value *v, struct strbuf *out)
{
	text_utf16le(out, v->data, v->len / 2);
}

/* ---- lines and JSON ---- */

static void hex(struct strbuf *out, const struct dry_registry_value *v)
{
	for (size_t i = 0; i < v->len; i++)
		strbuf_printf(out, "%02x", ((const uint8_t *)v->data)[i]);
}

void reg_line(const struct dry_registry_value *v, struct strbuf *out)
{
	CLEANUP(strbuf_free) struct strbuf text = STRBUF_INIT;

	switch (reg_form(v)) {
	case REGISTRY_TEXT:
		reg_string(v, &text);
		reg_quote(out, text.s);
		break;
	case REGISTRY_TEXTS:
		for (size_t i = 0, n = v->len / 2; i < n && unit(v, i); i = string_end(v, i) + 1) {
			strbuf_puts(out, i ? "\\0" : "");
			strbuf_reset(&text);
			text_utf16le(&text, (const uint8_t *)v->data + 2 * i, n - i);
			reg_quote(out, text.s);
		}
		break;
	case REGISTRY_NUMBER:
		strbuf_printf(out, "%" PRIu64, reg_number(v));
		break;
	case REGISTRY_BYTES:
		hex(out, v);
		break;
	}
	out->failed |= text.failed;
}

void reg_json(const struct dry_registry_value *v, struct json *j)
{
	CLEANUP(strbuf_free) struct strbuf text = STRBUF_INIT;
	char type[24];

	json_str(j, "name", v->name);
	json_str(j, "type", reg_type(v->type, type));
	switch (reg_form(v)) {
	case REGISTRY_TEXT:
		reg_string(v, &text);
		json_strn(j, "value", text.s, text.len);
		break;
	case REGISTRY_TEXTS:
		json_array(j, "value");
		for (size_t i = 0, n = v->len / 2; i < n && unit(v, i); i = string_end(v, i) + 1) {
			strbuf_reset(&text);
			text_utf16le(&text, (const uint8_t *)v->data + 2 * i, n - i);
			json_strn(j, NULL, text.s, text.len);
		}
		json_array_end(j);
		break;
	case REGISTRY_NUMBER:
		json_u64(j, "value", reg_number(v));
		break;
	case REGISTRY_BYTES:
		hex(&text, v);
		json_strn(j, "data", text.s, text.len);
		break;
	}
	j->out->failed |= text.failed;
}

const char *reg_date(int64_t seconds, char buf[32])
{
	time_t when = (time_t)seconds;
	struct tm tm;

	if (!seconds || !gmtime_r(&when, &tm) || tm.tm_year < 0 || tm.tm_year > 8099 ||
	    !strftime(buf, 32, "%Y-%m-%dT%H:%M:%SZ", &tm))
		return NULL;
	return buf;
}
