/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base64.h"

#include "alloc.h"

static int digit_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int base64_decode(const void *text, size_t len, const char *what, struct locked *out, struct err *e)
{
	CLEANUP(locked_free) struct locked bytes = LOCKED_INIT;
	unsigned ndigits = 0, npad = 0; /* of this group */
	const char *from = text;
	bool ended = false;
	uint32_t group = 0;
	size_t n = 0;

	if (!locked_alloc(&bytes, len / 4 * 3 + 3))
		return err_nomem(e);
	for (size_t i = 0; i < len; i++) {
		int digit = digit_of(from[i]);

		if (from[i] == ' ' || from[i] == '\n' || from[i] == '\r' || from[i] == '\t')
			continue;
		if (from[i] == '=' && ndigits >= 2)
			npad++;
		else if (digit < 0 || npad || ended)
			return err_set(e, ERR_USAGE, "%s is not valid base64", what);
		else
			ndigits++;
		group = group << 6 | (digit < 0 ? 0 : (uint32_t)digit);
		if (ndigits + npad < 4)
			continue;
		bytes.p[n++] = (uint8_t)(group >> 16);
		bytes.p[n++] = (uint8_t)(group >> 8);
		bytes.p[n++] = (uint8_t)group;
		n -= npad;
		ended = npad > 0;
		ndigits = npad = 0;
		group = 0;
	}
	if (ndigits)
		return err_set(e, ERR_USAGE, "%s is not valid base64: its last group is not whole", what);
	bytes.len = n;
	*out = locked_take(&bytes);
	return 0;
}

void base64_encode(struct strbuf *out, const void *bytes, size_t len, size_t line, const char *sep)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *p = bytes;
	size_t written = 0;

	for (size_t i = 0; i < len; i += 3) {
		const size_t n = len - i < 3 ? len - i : 3;
		const uint32_t v = (uint32_t)p[i] << 16 | (n > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (n > 2 ? p[i + 2] : 0);

		if (line && written && written % line == 0)
			strbuf_puts(out, sep);
		strbuf_putc(out, digits[v >> 18]);
		strbuf_putc(out, digits[v >> 12 & 63]);
		strbuf_putc(out, n > 1 ? digits[v >> 6 & 63] : '=');
		strbuf_putc(out, n > 2 ? digits[v & 63] : '=');
		written += 4;
	}
}
