/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* evtx_value.c - values of Windows event logs as text. */
#include "evtx.h"

#include "alloc.h"
#include "ondisk.h"
#include "text.h"
#include "zone.h"

#include <inttypes.h>
#include <math.h>

#define TICKS 10000000ULL /* of a FILETIME in a second */
#define EPOCH 11644473600LL /* seconds from 1601 to 1970 */

/* Bytes of an item by its type, 0: it has no fixed size. */
static size_t fixed_size(unsigned type)
{
	static const uint8_t sizes[] = { [0x03] = 1, [0x04] = 1, [0x05] = 2, [0x06] = 2, [0x07] = 4,  [0x08] = 4,  [0x09] = 8,
					 [0x0a] = 8, [0x0b] = 4, [0x0c] = 8, [0x0d] = 4, [0x0f] = 16, [0x11] = 8,  [0x12] = 16,
					 [0x14] = 4, [0x15] = 8 };

	return type < ARRAY_LEN(sizes) ? sizes[type] : 0;
}

static uint64_t integer(const uint8_t *p, size_t len)
{
	uint64_t v = 0;

	for (size_t i = 0; i < len && i < 8; i++)
		v |= (uint64_t)p[i] << 8 * i;
	return v;
}

static int64_t signed_integer(const uint8_t *p, size_t len)
{
	uint64_t v = integer(p, len);

	if (len < 8 && v >> (8 * len - 1))
		v |= ~0ULL << 8 * len;
	return (int64_t)v;
}

bool evtx_time(uint64_t filetime, int64_t *usec)
{
	if (filetime == 0 || filetime > INT64_MAX)
		return false;
	*usec = ((int64_t)(filetime / TICKS) - EPOCH) * 1000000 + (int64_t)(filetime % TICKS / 10);
	return true;
}

static void filetime_text(struct strbuf *out, uint64_t t)
{
	int64_t sec = (int64_t)(t / TICKS) - EPOCH, days = sec / 86400 - (sec % 86400 < 0), year;
	unsigned month, day, rest = (unsigned)(sec - days * 86400);

	date_from_days(days, &year, &month, &day);
	strbuf_printf(out, "%04" PRId64 "-%02u-%02uT%02u:%02u:%02u.%07uZ", year, month, day, rest / 3600, rest / 60 % 60, rest % 60,
		      (unsigned)(t % TICKS));
}

/* Eight numbers: year, month, day of the week, day, hour, minute, second, millisecond. */
static void systemtime_text(struct strbuf *out, const uint8_t *p)
{
	unsigned n[8];

	for (size_t i = 0; i < 8; i++)
		n[i] = (unsigned)integer(p + 2 * i, 2);
	strbuf_printf(out, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", n[0], n[1], n[3], n[4], n[5], n[6], n[7]);
}

static void guid_text(struct strbuf *out, const uint8_t *p)
{
	strbuf_printf(out, "{%08x-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x}", (unsigned)integer(p, 4),
		      (unsigned)integer(p + 4, 2), (unsigned)integer(p + 6, 2), p[8], p[9], p[10], p[11], p[12], p[13], p[14],
		      p[15]);
}

static void hex_text(struct strbuf *out, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		strbuf_printf(out, "%02X", p[i]);
}

/* Revision, number of parts, 48 bits of authority in big-endian order, parts of 32 bits. */
static void sid_text(struct strbuf *out, const uint8_t *p, size_t len)
{
	uint64_t authority = 0;

	if (len < 8 || len < 8 + 4 * (size_t)p[1]) {
		hex_text(out, p, len);
		return;
	}
	for (size_t i = 2; i < 8; i++)
		authority = authority << 8 | p[i];
	strbuf_printf(out, "S-%u-%" PRIu64, p[0], authority);
	for (size_t i = 0; i < p[1]; i++)
		strbuf_printf(out, "-%u", (unsigned)integer(p + 8 + 4 * i, 4));
}

static void real_text(struct strbuf *out, double v)
{
	if (isnan(v))
		strbuf_puts(out, "-1.#IND");
	else if (isinf(v))
		strbuf_puts(out, v < 0 ? "-1.#INF" : "1.#INF");
	else
		strbuf_printf(out, "%g", v);
}

/* Bytes of a code page that is not told: ASCII is all that can be relied on. */
static void ansi_text(struct strbuf *out, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len && p[i]; i++) {
		if (p[i] < 0x80)
			strbuf_putc(out, (char)p[i]);
		else
			strbuf_puts(out, "\xef\xbf\xbd");
	}
}

void evtx_value_text(struct strbuf *out, const struct evtx_value *v)
{
	const uint8_t *p = v->bytes;
	float f;
	double d;

	if (fixed_size(v->type) && fixed_size(v->type) != v->len) {
		hex_text(out, p, v->len);
		return;
	}
	switch (v->type) {
	case EVTX_NULL:
		break;
	case EVTX_STRING:
		text_utf16le(out, p, v->len / 2);
		break;
	case 0x02:
		ansi_text(out, p, v->len);
		break;
	case 0x03:
	case 0x05:
	case 0x07:
	case 0x09:
		strbuf_printf(out, "%" PRId64, signed_integer(p, v->len));
		break;
	case 0x04:
	case 0x06:
	case 0x08:
	case 0x0a:
		strbuf_printf(out, "%" PRIu64, integer(p, v->len));
		break;
	case 0x0b:
		memcpy(&f, &(uint32_t){ (uint32_t)integer(p, 4) }, sizeof f);
		real_text(out, (double)f);
		break;
	case 0x0c:
		memcpy(&d, &(uint64_t){ integer(p, 8) }, sizeof d);
		real_text(out, d);
		break;
	case 0x0d:
		strbuf_puts(out, integer(p, 4) ? "true" : "false");
		break;
	case 0x0f:
		guid_text(out, p);
		break;
	case EVTX_FILETIME:
		filetime_text(out, integer(p, 8));
		break;
	case 0x12:
		systemtime_text(out, p);
		break;
	case 0x13:
		sid_text(out, p, v->len);
		break;
	case 0x10:
	case 0x14:
	case 0x15:
		strbuf_printf(out, "0x%" PRIx64, integer(p, v->len));
		break;
	default:
		hex_text(out, p, v->len);
	}
}

bool evtx_array_next(struct evtx_value *a, struct evtx_value *item)
{
	unsigned type = a->type & ~(unsigned)EVTX_ARRAY;
	size_t n = fixed_size(type), ends = 0;

	if (a->len == 0)
		return false;
	if (type == EVTX_STRING) {
		/* Each ends at a NUL. */
		while (ends + 2 <= a->len && (a->bytes[ends] || a->bytes[ends + 1]))
			ends += 2;
		n = MIN_OF(ends + 2, a->len);
	} else if (type == 0x02) {
		while (ends < a->len && a->bytes[ends])
			ends++;
		n = MIN_OF(ends + 1, a->len);
	} else {
		if (n == 0 || n > a->len)
			n = a->len;
		ends = n;
	}
	*item = (struct evtx_value){ (uint8_t)type, a->bytes, MIN_OF(ends, a->len) };
	a->bytes += n;
	a->len -= n;
	return true;
}
