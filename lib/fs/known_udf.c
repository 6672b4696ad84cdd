/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * known_udf.c - UDF (ECMA-167): discs, and disks of video recorders.
 *
 * From 32 KiB on a list of descriptors of 2 KiB, or of a block, tells which standards the volume follows: "NSR02" or "NSR03" is
 * this one.  Block 256 is an anchor that leads to a sequence of descriptors: the primary one's set name becomes the UUID, the
 * logical volume's name the label.
 */
#include "known.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"
#include "strbuf.h"
#include "text.h"

#include <ctype.h>
#include <stdio.h>

#define LIST_OFF (32 * KiB)
enum { TAG_PRIMARY = 1, TAG_ANCHOR = 2, TAG_LOGICAL = 6, TAG_END = 8 };
/* A name of 128 bytes: the first says how it is coded, the last how long it is. */
enum { NAME_BYTES = 128, CODED_8 = 8, CODED_16 = 16 };
/* Of descriptors that are looked at. */
enum { STANDARDS_MAX = 64, DESCRIPTORS_MAX = 64 };

static int follows_nsr(const struct head *h, unsigned step, struct err *e)
{
	for (unsigned i = 0; i < STANDARDS_MAX; i++) {
		uint8_t d[7];
		int rc = known_read(h, LIST_OFF + (uint64_t)i * step, d, sizeof d, e);

		if (rc <= 0)
			return rc;
		if (memcmp(d + 1, "NSR02", 5) == 0 || memcmp(d + 1, "NSR03", 5) == 0)
			return 1;
		if (memcmp(d + 1, "BEA01", 5) != 0 && memcmp(d + 1, "BOOT2", 5) != 0 && memcmp(d + 1, "CD001", 5) != 0 &&
		    memcmp(d + 1, "CDW02", 5) != 0 && memcmp(d + 1, "TEA01", 5) != 0)
			return 0;
	}
	return 0;
}

/* A name as UTF-8. */
static int name_get(const uint8_t *p, struct strbuf *out, struct err *e)
{
	size_t len = p[NAME_BYTES - 1];
	struct fs_id wide = { 0 };

	if (len < 2 || len > NAME_BYTES - 1)
		return 0;
	if (p[0] == CODED_16) {
		int rc = known_label_utf16be(&wide, p + 1, (len - 1) / 2, e);

		strbuf_puts(out, wide.label);
		return rc < 0 ? rc : 0;
	}
	for (size_t i = 1; p[0] == CODED_8 && i < len && p[i]; i++) {
		if (p[i] < 0x80) {
			strbuf_putc(out, (char)p[i]);
		} else {
			strbuf_putc(out, (char)(0xc0 | p[i] >> 6));
			strbuf_putc(out, (char)(0x80 | (p[i] & 0x3f)));
		}
	}
	return out->failed ? err_nomem(e) : 0;
}

/* The first 16 letters of the set's name, when they are hexadecimal digits; what is none is written as such. */
static void uuid_make(const struct strbuf *name, struct fs_id *id)
{
	const uint8_t *s = (const uint8_t *)name->s;
	size_t ndigits = 0, n = 0;

	if (name->len < 8)
		return;
	while (ndigits < 16 && isxdigit(s[ndigits]))
		ndigits++;
	ndigits = ndigits == 16 ? 16 : ndigits >= 8 ? 8 : 0;
	for (; n < ndigits; n++)
		id->uuid[n] = (char)tolower(s[n]);
	for (size_t i = ndigits; n < 16; i++, n += 2)
		snprintf(id->uuid + n, 3, "%02x", i < name->len ? s[i] : 0);
	id->uuid[16] = '\0';
}

static int descriptors_look(const struct head *h, uint64_t block, const uint8_t *anchor, struct fs_id *id, struct err *e)
{
	uint64_t n = known_le32(anchor + 16) / block, first = known_le32(anchor + 20);

	for (uint64_t i = 0; i < MIN_OF(n, (uint64_t)DESCRIPTORS_MAX); i++) {
		CLEANUP(strbuf_free) struct strbuf name = STRBUF_INIT;
		uint8_t d[512];
		unsigned tag;
		int rc = known_read(h, (first + i) * block, d, sizeof d, e);

		if (rc <= 0)
			return rc;
		tag = known_le16(d);
		if (tag == TAG_END || tag == 0)
			return 0;
		if (tag == TAG_PRIMARY && !id->uuid[0]) {
			rc = name_get(d + 72, &name, e);
			uuid_make(&name, id);
		} else if (tag == TAG_LOGICAL && !id->label[0]) {
			rc = name_get(d + 84, &name, e);
			known_label(id, (const uint8_t *)name.s, name.len);
		}
		if (rc < 0)
			return rc;
	}
	return 0;
}

int known_udf(const struct head *h, struct fs_id *id, struct err *e)
{
	static const unsigned blocks[] = { 512, 1024, 2048, 4096 };

	for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
		uint8_t anchor[512];
		int rc = follows_nsr(h, MAX_OF(blocks[i], 2048u), e);

		if (rc > 0)
			rc = known_read(h, 256ULL * blocks[i], anchor, sizeof anchor, e);
		if (rc < 0)
			return rc;
		if (rc == 0 || known_le16(anchor) != TAG_ANCHOR || known_le32(anchor + 12) != 256)
			continue;
		id->type = "udf";
		id->takes_linux = true;
		rc = descriptors_look(h, blocks[i], anchor, id, e);
		return rc < 0 ? rc : 1;
	}
	return 0;
}
