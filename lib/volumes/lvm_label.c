/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lvm_label.c - what makes a volume a physical volume of LVM2.
 *
 * One of its first four sectors is the label: "LABELONE", the sector's number, a checksum, where in the sector its content
 * begins, and "LVM2 001".  The content is the PV header: the PV's id, its size, and two lists of places (offset and size)
 * which end at zeros: where the extents begin, and the metadata areas, of which there may be none.
 *
 * A metadata area begins with a header of 512 bytes; behind it is a ring in which a new text is written behind the older
 * ones.  The header tells where the present one begins (from the area's beginning) and how long it is; it goes on behind
 * the header when it reaches the area's end.  All checksums are CRC32 with a start of its own, not inverted at the end.
 */
#include "lvm.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"
#include "ondisk.h"
#include "strbuf.h"

#include <ctype.h>
#include <inttypes.h>
#include <zlib.h>

#define LABEL_SECTORS 4
#define MDA_HEADER 512
#define MDA_MAGIC " LVM2 x[5A%r0N*>"
#define MDA_IGNORED 1u
/* The id and seqno are the first things that LVM writes. */
#define HEAD_MAX (64 * KiB)

struct label {
	char id[8];
	le64 sector;
	le32 crc, offset;
	char type[8];
};
_Static_assert(sizeof(struct label) == 32, "as LVM writes it");

struct pv_header {
	char id[LVM_ID_LEN];
	le64 size;
};
struct place {
	le64 off, size;
};

struct mda_header {
	le32 crc;
	char magic[16];
	le32 version;
	le64 start, size;
	struct {
		le64 off, size;
		le32 crc, flags;
	} text;
};
_Static_assert(sizeof(struct mda_header) == 64, "as LVM writes it");

static uint32_t lvm_crc(uint32_t crc, const void *bytes, size_t len)
{
	return ~(uint32_t)crc32(~crc, bytes, (unsigned)len);
}
#define CRC_START 0xf597a6cfu

static const uint8_t groups[] = { 6, 4, 4, 4, 4, 4, 6 };

/* "abcdef-ghij-klmn-opqr-stuv-wxyz-012345"; false when it is not made of letters and digits. */
static bool id_to_text(const char *id, char text[LVM_ID_TEXT])
{
	for (size_t g = 0; g < ARRAY_LEN(groups); g++) {
		if (g)
			*text++ = '-';
		for (size_t i = 0; i < groups[g]; i++, id++) {
			if (!isalnum((unsigned char)*id))
				return false;
			*text++ = *id;
		}
	}
	*text = '\0';
	return true;
}

bool lvm_id_is_good(const char *text)
{
	for (size_t g = 0; g < ARRAY_LEN(groups); g++) {
		if (g && *text++ != '-')
			return false;
		for (size_t i = 0; i < groups[g]; i++)
			if (!isalnum((unsigned char)*text++))
				return false;
	}
	return *text == '\0';
}

void lvm_label_free(struct lvm_label *l)
{
	free(l->copies);
	free(l->damage);
	memset(l, 0, sizeof *l);
}

/* ---- metadata areas ---- */

/* The text of a copy, which may wrap around; its checksum.  out has room for c->len bytes. */
static int copy_bytes(struct block *b, const struct lvm_copy *c, char *out, uint32_t *crc, struct err *e)
{
	uint64_t first = MIN_OF(c->len, c->mda_size - c->off);
	int rc = block_pread(b, out, (size_t)first, c->mda_off + c->off, e);

	if (rc == 0 && first < c->len)
		rc = block_pread(b, out + first, (size_t)(c->len - first), c->mda_off + MDA_HEADER, e);
	if (rc == 0)
		*crc = lvm_crc(CRC_START, out, (size_t)c->len);
	return rc;
}

/* Reads what the header at [off, off + size) says; 1 and *c filled when there is a whole copy, 0 when there is none. */
static int mda_read(struct block *b, uint64_t off, uint64_t size, uint64_t *budget, struct lvm_copy *c, struct err *e)
{
	CLEANUP(free_ptr) char *bytes = NULL;
	CLEANUP(lvm_text_free) struct lvm_text t = { NULL };
	const struct lvm_value *vg;
	uint8_t raw[MDA_HEADER];
	struct mda_header h;
	const char *id;
	int rc;

	if (size < 2 * MDA_HEADER || !range_in(off, size, block_size(b)))
		return err_set(e, ERR_CORRUPT, "it lies past the end");
	rc = block_pread(b, raw, sizeof raw, off, e);
	if (rc < 0)
		return rc;
	memcpy(&h, raw, sizeof h);
	if (memcmp(h.magic, MDA_MAGIC, sizeof h.magic) != 0)
		return err_set(e, ERR_CORRUPT, "it has no header");
	if (lvm_crc(CRC_START, raw + 4, sizeof raw - 4) != le32_get(h.crc))
		return err_set(e, ERR_CORRUPT, "the checksum of its header does not match");
	if (le32_get(h.version) != 1)
		return err_set(e, ERR_UNSUPPORTED, "version %" PRIu32, le32_get(h.version));
	if (le64_get(h.start) != off || le64_get(h.size) != size)
		return err_set(e, ERR_CORRUPT, "its header says that it is another one");
	*c = (struct lvm_copy){ .mda_off = off, .mda_size = size, .off = le64_get(h.text.off), .len = le64_get(h.text.size) };
	if (c->off == 0 || le32_get(h.text.flags) & MDA_IGNORED)
		return 0;
	if (c->off < MDA_HEADER || c->off >= size || c->len == 0 || c->len > size - MDA_HEADER)
		return err_set(e, ERR_CORRUPT, "its text lies past its end");
	if (c->len > LIMIT_LVM_TEXT || c->len > *budget)
		return err_set(e, ERR_LIMIT, "a text of %" PRIu64 " bytes", c->len);
	*budget -= c->len;
	bytes = alloc_bytes((size_t)c->len);
	if (!bytes)
		return err_nomem(e);
	rc = copy_bytes(b, c, bytes, &c->crc, e);
	if (rc < 0)
		return rc;
	if (c->crc != le32_get(h.text.crc))
		return err_set(e, ERR_CORRUPT, "the checksum of its text does not match");
	rc = lvm_text_parse(take(bytes), (size_t)MIN_OF(c->len, HEAD_MAX), true, &t, e);
	if (rc < 0)
		return rc;
	vg = lvm_first(&t, t.values);
	id = vg && vg->kind == LVM_SECTION ? lvm_string(&t, vg, "id") : NULL;
	if (!id || !lvm_id_is_good(id) || !lvm_number(&t, vg, "seqno", UINT64_MAX, &c->seqno))
		return err_set(e, ERR_CORRUPT, "its text is not that of a volume group");
	memcpy(c->vg_id, id, LVM_ID_TEXT);
	return 1;
}

int lvm_copy_read(struct block *b, const struct lvm_copy *c, struct lvm_text *out, struct err *e)
{
	CLEANUP(free_ptr) char *bytes = alloc_bytes((size_t)c->len);
	uint32_t crc;
	int rc;

	memset(out, 0, sizeof *out);
	if (!bytes)
		return err_nomem(e);
	rc = copy_bytes(b, c, bytes, &crc, e); /* which was right when the copy was found */
	return rc < 0 ? rc : lvm_text_parse(take(bytes), (size_t)c->len, false, out, e);
}

/* ---- label and header ---- */

static int damage_add(struct lvm_label *l, unsigned area, const struct err *why, struct err *e)
{
	char *text = alloc_printf("%s%smetadata area %u: %s", l->damage ? l->damage : "", l->damage ? "; " : "", area,
				  why->msg);

	free(l->damage);
	l->damage = text;
	return text ? 0 : err_nomem(e);
}

static int area_add(struct block *b, const struct place *at, unsigned number, uint64_t *budget, struct lvm_label *l,
		    struct err *e)
{
	struct err why = ERR_INIT;
	struct lvm_copy c = { 0 }, *copies;
	int rc = mda_read(b, le64_get(at->off), le64_get(at->size), budget, &c, &why);

	if (rc == -ERR_NOMEM)
		return err_nomem(e);
	if (rc < 0)
		return damage_add(l, number, &why, e);
	if (rc == 0)
		return 0;
	copies = alloc_resize(l->copies, l->ncopies + 1, sizeof *copies);
	if (!copies)
		return err_nomem(e);
	l->copies = copies;
	copies[l->ncopies++] = c;
	return 0;
}

/* The lists of places lie in the label's sector: they end there at the latest. */
static int header_read(struct block *b, const uint8_t *sector, size_t at, uint64_t *budget, struct lvm_label *l,
		       struct err *e)
{
	struct pv_header h;
	struct place place;
	unsigned list = 0, number = 0;

	if (at > LVM_SECTOR - sizeof h)
		return 0;
	memcpy(&h, sector + at, sizeof h);
	if (!id_to_text(h.id, l->id))
		return 0;
	l->size = le64_get(h.size);
	for (at += sizeof h; list < 2 && at <= LVM_SECTOR - sizeof place; at += sizeof place) {
		int rc;

		memcpy(&place, sector + at, sizeof place);
		if (le64_get(place.off) == 0) {
			list++;
			continue;
		}
		rc = list == 1 ? area_add(b, &place, ++number, budget, l, e) : 0;
		if (rc < 0)
			return rc;
	}
	return 1;
}

int lvm_label_read(struct block *b, uint64_t *budget, struct lvm_label *out, struct err *e)
{
	uint8_t sectors[LABEL_SECTORS * LVM_SECTOR];
	struct err why = ERR_INIT;
	int rc = 0;

	memset(out, 0, sizeof *out);
	if (block_size(b) < sizeof sectors || block_pread(b, sectors, sizeof sectors, 0, &why) < 0)
		return why.code == ERR_NOMEM ? err_nomem(e) : 0;
	for (unsigned i = 0; i < LABEL_SECTORS && rc == 0; i++) {
		const uint8_t *s = sectors + (size_t)i * LVM_SECTOR;
		struct label h;

		memcpy(&h, s, sizeof h);
		if (memcmp(h.id, "LABELONE", sizeof h.id) != 0 || memcmp(h.type, "LVM2 001", sizeof h.type) != 0 ||
		    le64_get(h.sector) != i || lvm_crc(CRC_START, s + 20, LVM_SECTOR - 20) != le32_get(h.crc))
			continue;
		rc = header_read(b, s, le32_get(h.offset), budget, out, e);
	}
	if (rc <= 0)
		lvm_label_free(out);
	return rc;
}
