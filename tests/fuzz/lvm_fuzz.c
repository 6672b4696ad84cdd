/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lvm_fuzz.c - volume groups on one or two disks, and what their logical volumes hold.
 *
 * 16 bits say how long the description of the first disk is; that of the second follows.  Checksums are made right before
 * the library looks, or hardly any input would get past them.
 */
#include "memory.h"

#include "crc32c.h"
#include "ondisk.h"
#include "volume.h"

#include <zlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static uint32_t get32(const uint8_t *p)
{
	le32 v;

	memcpy(&v, p, sizeof v);
	return le32_get(v);
}

static uint64_t get64(const uint8_t *p)
{
	return get32(p) | (uint64_t)get32(p + 4) << 32;
}

static void put32(uint8_t *p, uint32_t x)
{
	le32 v;

	le32_put(&v, x);
	memcpy(p, &v, sizeof v);
}

/* ---- right sums ---- */

static uint32_t lvm_crc(uint32_t crc, const uint8_t *bytes, size_t len)
{
	return ~(uint32_t)crc32(~crc, bytes, (unsigned)len);
}

static void area_mend(uint8_t *bytes, uint64_t size, uint64_t off, uint64_t area)
{
	uint8_t *h;
	uint64_t text, len, first;
	uint32_t crc;

	if (off > size || size - off < 512 || area < 512 || area > size - off)
		return;
	h = bytes + off;
	text = get64(h + 40);
	len = get64(h + 48);
	if (text < area && len <= area - 512) {
		first = len < area - text ? len : area - text;
		crc = lvm_crc(0xf597a6cf, h + text, (size_t)first);
		put32(h + 56, lvm_crc(crc, h + 512, (size_t)(len - first)));
	}
	put32(h, lvm_crc(0xf597a6cf, h + 4, 508));
}

static void label_mend(uint8_t *bytes, uint64_t size, uint8_t *sector)
{
	unsigned list = 0;

	put32(sector + 16, lvm_crc(0xf597a6cf, sector + 20, 492));
	for (size_t at = get32(sector + 20) % 512 + 40; list < 2 && at <= 512 - 16; at += 16) {
		if (get64(sector + at) == 0)
			list++;
		else if (list == 1)
			area_mend(bytes, size, get64(sector + at), get64(sector + at + 8));
	}
}

static void block_mend(uint8_t *p)
{
	bool super = get64(p + 32) == 27022010;

	if (super || get32(p + 24) == 8)
		put32(p, crc32c(~0u, p + 4, 4092) ^ (super ? 160774 : 121107));
}

static void disk_mend(struct block *disk)
{
	uint8_t *bytes = ((struct memory *)disk->state)->bytes;

	for (size_t at = 8192; at + 4096 <= disk->size; at += 4096)
		block_mend(bytes + at);
	for (size_t at = 0; at < 2048 && at + 512 <= disk->size; at += 512)
		if (memcmp(bytes + at, "LABELONE", 8) == 0)
			label_mend(bytes, disk->size, bytes + at);
}

/* ---- questions ---- */

/* Reads a piece, and what is said of it must hold. */
static void look_at(struct block *b, uint64_t off)
{
	static uint8_t buf[16384];
	uint64_t len = b->size - off < sizeof buf ? b->size - off : sizeof buf;
	struct extent x;
	struct err e = ERR_INIT;
	int rc, read;

	if (len == 0)
		return;
	rc = block_extent(b, len, off, &x, &e);
	if ((rc < 0) != (e.code != ERR_NONE) || (rc == 0 && (x.off != off || x.len == 0 || x.len > len || x.depth)))
		abort();
	e = (struct err)ERR_INIT;
	read = block_pread(b, buf, (size_t)len, off, &e);
	if ((read < 0) != (e.code != ERR_NONE))
		abort();
	for (size_t i = 0; rc == 0 && read == 0 && x.flags & EXTENT_ZERO && i < x.len; i++)
		if (buf[i])
			abort();
}

static void look_into(const struct volume_list *l, const struct volume *v)
{
	if (block_size(v->block) != v->size || !v->nparts || !v->uuid || !v->group || v->group > l->ngroups)
		abort();
	for (size_t i = 0; i < v->nparts; i++)
		if (v->parts[i] >= (size_t)(v - l->items) || !l->items[v->parts[i]].in_use)
			abort();
	for (uint64_t off = 0; off < v->size && off < 16 * 16384; off += 16384)
		look_at(v->block, off);
	look_at(v->block, v->size / 2 + 100);
	look_at(v->block, v->size - (v->size < 1000 ? v->size : 1000));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct block *disks[2] = { NULL, NULL };
	struct volume_list l = { 0 };
	struct err e = ERR_INIT;
	size_t first;
	int rc = 0;

	if (len < 2)
		return 0;
	first = data[0] | (size_t)data[1] << 8;
	data += 2;
	len -= 2;
	first = first < len ? first : len;
	disks[0] = memory_disk(data, first);
	disks[1] = memory_disk(data + first, len - first);
	for (unsigned i = 0; i < 2 && rc == 0; i++) {
		if (!disks[i])
			continue;
		disk_mend(disks[i]);
		rc = volume_scan(disks[i], i, &l, &e);
	}
	if (rc == 0)
		rc = volume_assemble(&l, NULL, &e);
	if ((rc < 0) != (e.code != ERR_NONE))
		abort();
	for (size_t i = 0; rc == 0 && i < l.n && i < 40; i++)
		if (strcmp(l.items[i].scheme, "lvm") == 0)
			look_into(&l, &l.items[i]);
	volume_list_free(&l);
	block_unref(disks[0]);
	block_unref(disks[1]);
	return 0;
}
