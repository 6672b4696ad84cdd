/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * known.c - what lies in a block, by its magic bytes, where we can tell but not read it: other filesystems, swap, and
 * containers of volumes.  Types, labels and UUIDs are given as blkid prints them.
 */
#include "known.h"

#include "alloc.h"
#include "checked.h"
#include "text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>


static uint32_t get32(const struct head *h, size_t off)
{
	le32 v;

	memcpy(&v, h->bytes + off, sizeof v);
	return le32_get(v);
}

static uint64_t get64(const struct head *h, size_t off)
{
	return get32(h, off) | (uint64_t)get32(h, off + 4) << 32;
}

/* ---- labels and UUIDs ---- */

void known_label(struct fs_id *id, const uint8_t *p, size_t len)
{
	len = strnlen((const char *)p, MIN_OF(len, sizeof id->label - 1));
	while (len > 0 && p[len - 1] == ' ')
		len--;
	memcpy(id->label, p, len);
	id->label[len] = '\0';
}

static int label_utf16(struct fs_id *id, const uint8_t *p, size_t units, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf b = STRBUF_INIT;

	text_utf16le(&b, p, units);
	if (b.failed)
		return err_nomem(e);
	known_label(id, (const uint8_t *)b.s, b.len);
	return 0;
}

int known_label_utf16be(struct fs_id *id, const uint8_t *p, size_t units, struct err *e)
{
	uint8_t swapped[2 * 255];

	units = MIN_OF(units, sizeof swapped / 2);
	for (size_t i = 0; i < units; i++) {
		swapped[2 * i] = p[2 * i + 1];
		swapped[2 * i + 1] = p[2 * i];
	}
	return label_utf16(id, swapped, units, e);
}

void known_uuid(struct fs_id *id, const uint8_t p[16])
{
	static const uint8_t none[16];

	if (memcmp(p, none, sizeof none) != 0)
		text_uuid(p, id->uuid);
}

/* ---- second looks ---- */

/* The version of swap areas that are made since 1998. */
static int swap_more(const struct head *h, struct fs_id *id, struct err *e)
{
	(void)id, (void)e;
	return get32(h, 1024) == 1;
}

static int luks_more(const struct head *h, struct fs_id *id, struct err *e)
{
	unsigned version = (unsigned)h->bytes[6] << 8 | h->bytes[7];

	(void)e;
	if (version == 2)
		known_label(id, h->bytes + 24, 48);
	return version == 1 || version == 2;
}

/* The label is in one of the first four sectors and names where the UUID is: 32 letters, printed in groups. */
static int lvm2_more(const struct head *h, struct fs_id *id, struct err *e)
{
	static const uint8_t groups[] = { 6, 4, 4, 4, 4, 4, 6 };
	size_t n = 0;

	(void)e;
	for (size_t at = 0; at < 2048; at += 512) {
		const uint8_t *p = h->bytes + at;
		uint32_t off = get32(h, at + 20);

		if (memcmp(p, "LABELONE", 8) != 0 || memcmp(p + 24, "LVM2 001", 8) != 0 || off > 512 - 32)
			continue;
		p += off;
		for (size_t g = 0; g < ARRAY_LEN(groups); g++) {
			if (g)
				id->uuid[n++] = '-';
			for (size_t i = 0; i < groups[g]; i++, p++)
				id->uuid[n++] = isalnum(*p) ? (char)*p : '?';
		}
		id->uuid[n] = '\0';
		return 1;
	}
	return 0;
}

/* ---- the table ---- */

#define SWAP_IDS UUID_BYTES, 1024 + 12, LABEL_BYTES, 1024 + 28, 16
#define AT_PAGE_ENDS(type, text, more)                                                                                 \
	{ type, MAGIC(0x1000 - 10, text), false, SWAP_IDS, more }, { type, MAGIC(0x2000 - 10, text), false, SWAP_IDS, more }, \
		{ type, MAGIC(0x4000 - 10, text), false, SWAP_IDS, more },                                             \
		{ type, MAGIC(0x8000 - 10, text), false, SWAP_IDS, more },                                             \
	{                                                                                                              \
		type, MAGIC(0x10000 - 10, text), false, SWAP_IDS, more                                                 \
	}

static const struct known table[] = {
	{ "crypto_LUKS", MAGIC(0, "LUKS\xba\xbe"), true, UUID_TEXT, 168, NO_LABEL, luks_more },
	{ "BitLocker", MAGIC(3, "-FVE-FS-"), true, NO_UUID, NO_LABEL, NULL },
	{ "BitLocker", MAGIC(424, "\x3b\xd6\x67\x49\x29\x2e\xd8\x4a\x83\x99\xf6\xa3\x39\xe3\xd0\x01"), true, NO_UUID,
	  NO_LABEL, NULL },
	{ "LVM2_member", MAGIC(24, "LVM2 001"), true, NO_UUID, NO_LABEL, lvm2_more },
	{ "LVM2_member", MAGIC(512 + 24, "LVM2 001"), true, NO_UUID, NO_LABEL, lvm2_more },
	{ "LVM2_member", MAGIC(1024 + 24, "LVM2 001"), true, NO_UUID, NO_LABEL, lvm2_more },
	{ "LVM2_member", MAGIC(1536 + 24, "LVM2 001"), true, NO_UUID, NO_LABEL, lvm2_more },
	{ "linux_raid_member", MAGIC(0, "\xfc\x4e\x2b\xa9\1\0\0\0"), true, UUID_BYTES, 16, LABEL_BYTES, 32, 32, NULL },
	{ "linux_raid_member", MAGIC(4096, "\xfc\x4e\x2b\xa9\1\0\0\0"), true, UUID_BYTES, 4096 + 16, LABEL_BYTES, 4096 + 32, 32,
	  NULL },
	AT_PAGE_ENDS("swap", "SWAPSPACE2", swap_more),
	AT_PAGE_ENDS("swap", "SWAP-SPACE", NULL),
	AT_PAGE_ENDS("swsuspend", "S1SUSPEND", NULL),
	AT_PAGE_ENDS("swsuspend", "S2SUSPEND", NULL),
	AT_PAGE_ENDS("swsuspend", "ULSUSPEND", NULL),
	AT_PAGE_ENDS("swsuspend", "LINHIB0001", NULL),
};

static int known_look(const struct known *k, const struct head *h, struct fs_id *id, struct err *e)
{
	int rc = 1;

	if (memcmp(h->bytes + k->off, k->magic, k->len) != 0)
		return 0;
	id->type = k->type;
	id->takes_linux = k->takes_linux;
	if (k->uuid_kind == UUID_BYTES)
		known_uuid(id, h->bytes + k->uuid_off);
	else if (k->uuid_kind == UUID_TEXT)
		snprintf(id->uuid, sizeof id->uuid, "%.36s", (const char *)h->bytes + k->uuid_off);
	else if (k->uuid_kind == UUID_SERIAL64)
		snprintf(id->uuid, sizeof id->uuid, "%016" PRIX64, get64(h, k->uuid_off));
	if (k->label_kind == LABEL_BYTES || k->label_kind == LABEL_PADDED)
		known_label(id, h->bytes + k->label_off, k->label_len);
	else if (k->label_kind == LABEL_UTF16)
		rc = label_utf16(id, h->bytes + k->label_off, k->label_len, e) < 0 ? -ERR_NOMEM : 1;
	return rc > 0 && k->more ? k->more(h, id, e) : rc;
}

/* ---- all of it ---- */

int known_read(const struct head *h, uint64_t off, void *buf, size_t len, struct err *e)
{
	int rc;

	if (!range_in(off, len, h->size))
		return 0;
	if (range_in(off, len, HEAD_SIZE)) {
		memcpy(buf, h->bytes + off, len);
		return 1;
	}
	rc = block_pread(h->dev, buf, len, off, e);
	return rc < 0 ? rc : 1;
}

/* What was found so far. */
struct claims {
	struct fs_id first;
	unsigned n;	/* of different types */
	bool shared;	/* all of them are such that may lie beside others */
	bool container; /* one of them: it is the first then, and the rest does not count */
};

/* FAT and UDF may be on one disc with each other, and with ISO 9660. */
static bool is_shared(const char *type)
{
	return strcmp(type, "vfat") == 0 || strcmp(type, "udf") == 0;
}

static void claim_add(struct claims *c, const struct fs_id *id, bool container)
{
	if (c->container || (c->n && strcmp(c->first.type, id->type) == 0))
		return;
	if (container || c->n == 0)
		c->first = *id;
	c->container = container;
	c->shared = is_shared(id->type) && (c->n == 0 || c->shared);
	c->n++;
}

static int rows_look(const struct known *row, size_t n, const struct head *h, struct claims *c, struct err *e)
{
	for (size_t i = 0; i < n && row[i].type && !c->container; i++) {
		struct fs_id id = { 0 };
		int rc = known_look(&row[i], h, &id, e);

		if (rc < 0)
			return rc;
		if (rc > 0)
			claim_add(c, &id, row[i].container);
	}
	return 0;
}

static int probes_look(known_probe_fn *const *probe, size_t n, const struct head *h, bool container, struct claims *c,
		       struct err *e)
{
	for (size_t i = 0; i < n && !c->container; i++) {
		struct fs_id id = { 0 };
		int rc = probe[i](h, &id, e);

		if (rc < 0)
			return rc;
		if (rc > 0)
			claim_add(c, &id, container);
	}
	return 0;
}

static int known_probe(struct block *dev, struct fs_id *id, struct err *e)
{
	static known_probe_fn *const containers[] = { known_raid, known_drbd, known_vmfs_member, known_zfs };
	static known_probe_fn *const filesystems[] = { known_udf,   known_hfsplus, known_hfs, known_ufs,
						       known_minix, known_sysv,	   known_vmfs };
	CLEANUP(free_ptr) uint8_t *bytes = alloc_zero(HEAD_SIZE);
	struct head h = { .dev = dev, .size = block_size(dev), .bytes = bytes };
	struct claims c = { .n = 0 };
	int rc;

	if (!bytes)
		return err_nomem(e);
	if (h.size == 0)
		return 0;
	if ((rc = block_pread(dev, bytes, (size_t)MIN_OF((uint64_t)HEAD_SIZE, h.size), 0, e)) < 0 ||
	    (rc = probes_look(containers, ARRAY_LEN(containers), &h, true, &c, e)) < 0 ||
	    (rc = rows_look(table, ARRAY_LEN(table), &h, &c, e)) < 0 ||
	    (rc = rows_look(known_rest, SIZE_MAX, &h, &c, e)) < 0 ||
	    (rc = probes_look(filesystems, ARRAY_LEN(filesystems), &h, false, &c, e)) < 0)
		return rc;
	if (c.n == 0)
		return 0;
	*id = c.first;
	if (c.container)
		return FS_PROBE_CONTAINER;
	return c.shared ? FS_PROBE_SHARED : c.n == 1 ? FS_PROBE_MINE : FS_PROBE_MANY;
}

const struct fs_driver fs_known = {
	.name = "known",
	.probe = known_probe,
};
