/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "text.h"

#include "alloc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The shift of a size suffix, -1 for a letter that is none. */
static int suffix_bits(char c)
{
	static const char letters[] = "bkmgtpe";
	const char *p = c ? strchr(letters, c | 0x20) : NULL;

	if (c == 'B' || c == 'b')
		return 0;
	return p ? (int)(p - letters) * 10 : -1;
}

bool text_is_identifier(const char *s)
{
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	return *s && strchr(LETTERS, *s) && !s[strspn(s, LETTERS "0123456789-._")];
#undef LETTERS
}

bool text_parse_size(const char *s, uint64_t *out)
{
	unsigned long long whole;
	double fraction = 0;
	bool has_fraction = false;
	uint64_t result;
	int bits = 0;
	char *end;

	if (*s < '0' || *s > '9')
		return false;
	errno = 0;
	whole = strtoull(s, &end, s[0] == '0' && (s[1] | 0x20) == 'x' ? 16 : 10);
	if (errno)
		return false;
	if (*end == '.') {
		double scale = 0.1;
		has_fraction = true;
		for (end++; *end >= '0' && *end <= '9'; end++, scale /= 10)
			fraction += (*end - '0') * scale;
	}
	if (*end) {
		bits = suffix_bits(*end++);
		if (bits < 0 || *end)
			return false;
	}
	if (has_fraction && bits == 0)
		return false;
	if (bits && whole >> (64 - bits))
		return false;
	result = (uint64_t)whole << bits;
	/* fraction < 1, so the product is below 2^60 and the conversion is defined. */
	if (has_fraction && __builtin_add_overflow(result, (uint64_t)(fraction * (double)(1ULL << bits) + 0.5), &result))
		return false;
	*out = result;
	return true;
}

bool text_parse_u64(const char *s, uint64_t *out)
{
	unsigned long long v;
	char *end;

	if (*s < '0' || *s > '9')
		return false;
	errno = 0;
	v = strtoull(s, &end, s[0] == '0' && (s[1] | 0x20) == 'x' ? 16 : 10);
	if (errno || *end)
		return false;
	*out = v;
	return true;
}

char *text_size(uint64_t bytes, char *buf, size_t size)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double v = (double)bytes;
	size_t i = 0;

	/* 1000 of a unit already go to the next, so that there are never four digits. */
	while (i + 1 < ARRAY_LEN(units) && v >= 1000) {
		v /= 1024;
		i++;
	}
	snprintf(buf, size, "%0.3g %s", v, units[i]);
	return buf;
}

/* Bytes of the UTF-8 sequence that begins at s, 0 when it is not one (overlong, surrogate, out of range, cut). */
static size_t utf8_len(const uint8_t *s, size_t left)
{
	uint32_t min, cp;
	size_t n;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] < 0xe0) {
		n = 2;
		cp = s[0] & 0x1f;
		min = 0x80;
	} else if (s[0] >= 0xe0 && s[0] < 0xf0) {
		n = 3;
		cp = s[0] & 0x0f;
		min = 0x800;
	} else if (s[0] >= 0xf0 && s[0] < 0xf5) {
		n = 4;
		cp = s[0] & 0x07;
		min = 0x10000;
	} else {
		return 0;
	}
	if (left < n)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		cp = cp << 6 | (s[i] & 0x3f);
	}
	if (cp < min || cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000))
		return 0;
	return n;
}

size_t text_utf8_valid(const void *bytes, size_t len)
{
	const uint8_t *s = bytes;
	size_t i = 0, n;

	while (i < len && (n = utf8_len(s + i, len - i)))
		i += n;
	return i;
}

void text_quote(struct strbuf *out, const void *bytes, size_t len)
{
	const uint8_t *s = bytes;

	for (size_t i = 0; i < len;) {
		size_t n = utf8_len(s + i, len - i);

		if (n == 1 && s[i] == '\n')
			strbuf_puts(out, "\\n");
		else if (n == 1 && s[i] == '\t')
			strbuf_puts(out, "\\t");
		else if (n == 1 && s[i] == '\\')
			strbuf_puts(out, "\\\\");
		else if (n == 0 || s[i] < 0x20 || s[i] == 0x7f || (n == 2 && s[i] == 0xc2 && s[i + 1] < 0xa0))
			/* Not UTF-8, a C0 control, or the second byte's C1 control: terminals act on all of these. */
			for (size_t k = 0; k < (n ? n : 1); k++)
				strbuf_printf(out, "\\x%02x", s[i + k]);
		else
			strbuf_add(out, s + i, n);
		i += n ? n : 1;
	}
}

char *text_uuid(const uint8_t u[16], char *buf)
{
	static const char hex[] = "0123456789abcdef";
	char *p = buf;

	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		*p++ = hex[u[i] >> 4];
		*p++ = hex[u[i] & 15];
	}
	*p = 0;
	return buf;
}

bool text_starts(const char *s, const char *prefix, const char **rest)
{
	size_t len = strlen(prefix);

	if (strncmp(s, prefix, len) != 0)
		return false;
	if (rest)
		*rest = s + len;
	return true;
}

static size_t utf8_encode(uint32_t c, char out[4])
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* The character that begins with a unit, whose successor (0: none) may belong to it: then *two. */
static uint32_t utf16_decode(uint32_t unit, uint32_t next, bool *two)
{
	*two = false;
	if (unit < 0xd800 || unit >= 0xe000)
		return unit;
	if (unit >= 0xdc00 || next < 0xdc00 || next >= 0xe000)
		return 0xfffd;
	*two = true;
	return 0x10000 + ((unit - 0xd800) << 10) + (next - 0xdc00);
}

void text_utf16le(struct strbuf *out, const void *units, size_t nunits)
{
	const uint8_t *p = units;

	for (size_t i = 0; i < nunits; i++) {
		uint32_t unit = p[2 * i] | (uint32_t)p[2 * i + 1] << 8;
		uint32_t next = i + 1 < nunits ? p[2 * i + 2] | (uint32_t)p[2 * i + 3] << 8 : 0;
		char utf8[4];
		bool two;

		if (unit == 0)
			return;
		strbuf_add(out, utf8, utf8_encode(utf16_decode(unit, next, &two), utf8));
		i += two;
	}
}

size_t text_from_utf16(const uint16_t *units, size_t nunits, char *buf, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < nunits && units[i]; i++) {
		char utf8[4];
		bool two;
		size_t len = utf8_encode(utf16_decode(units[i], i + 1 < nunits ? units[i + 1] : 0, &two), utf8);

		if (len >= size - n)
			break;
		memcpy(buf + n, utf8, len);
		n += len;
		i += two;
	}
	buf[n] = '\0';
	return n;
}

bool text_to_utf16(const char *s, size_t len, uint16_t *units, size_t max, size_t *n)
{
	const uint8_t *p = (const uint8_t *)s;
	size_t at = 0;

	*n = 0;
	if (text_utf8_valid(s, len) != len)
		return false;
	/* Each turn takes a whole character, as the text is well-formed. */
	while (at < len) {
		unsigned more = p[at] < 0x80 ? 0 : p[at] < 0xe0 ? 1 : p[at] < 0xf0 ? 2 : 3;
		uint32_t c = more ? p[at] & (0x3fu >> more) : p[at];

		for (unsigned i = 1; i <= more; i++)
			c = c << 6 | (p[at + i] & 0x3f);
		at += 1 + more;
		if (max - *n < (c >= 0x10000 ? 2 : 1))
			return false;
		if (c >= 0x10000) {
			units[(*n)++] = (uint16_t)(0xd800 + ((c - 0x10000) >> 10));
			c = 0xdc00 + ((c - 0x10000) & 0x3ff);
		}
		units[(*n)++] = (uint16_t)c;
	}
	return true;
}
