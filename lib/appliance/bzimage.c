/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bzimage.c - the boot protocol of Linux on x86 ("The Linux/x86 Boot Protocol", in the kernel's documentation).
 *
 * A bzImage begins with real-mode code: (setup_sects + 1) sectors of 512 bytes, with a header in the first.  Behind it is the
 * protected-mode part, in which, from version 2.08 of the header on, payload_offset and payload_length tell where the
 * compressed kernel lies.  Behind each stream (but gzip, which has it itself) are 4 bytes: how long it is when unpacked.
 */
#include "bzimage.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"
#include "ondisk.h"
#include "unpack.h"
#include "unstream.h"

enum {
	AT_SETUP_SECTS = 0x1f1,
	AT_FLAG = 0x1fe, /* 0xaa55 */
	AT_MAGIC = 0x202, /* HdrS */
	AT_VERSION = 0x206,
	AT_PAYLOAD_OFFSET = 0x248,
	AT_PAYLOAD_LENGTH = 0x24c,
	HEADER_END = 0x250,
	/* The LZ4 of old, which the kernel takes: blocks of 8 MiB. */
	LZ4_BLOCK = 8 << 20,
};

static uint32_t u32_at(const uint8_t *bytes, size_t off)
{
	le32 v;

	memcpy(&v, bytes + off, sizeof v);
	return le32_get(v);
}

static uint16_t u16_at(const uint8_t *bytes, size_t off)
{
	le16 v;

	memcpy(&v, bytes + off, sizeof v);
	return le16_get(v);
}

/* Blocks behind their lengths, up to the end. */
static int unpack_lz4(const uint8_t *in, size_t len, uint8_t *out, size_t cap, size_t *got, struct err *e)
{
	struct unpacker *u;
	int rc = unpacker_new(UNPACK_LZ4, &u, e);
	size_t at = 4, n;

	*got = 0;
	/* Ends: each block moves on. */
	while (rc == 0 && at + 4 <= len && *got < cap) {
		uint32_t block = u32_at(in, at);

		at += 4;
		if (block == 0 || block > len - at) {
			rc = err_set(e, ERR_CORRUPT, "a block of LZ4 that lies past the end");
			break;
		}
		rc = unpack(u, in + at, block, out + *got, MIN_OF(cap - *got, (size_t)LZ4_BLOCK), &n, e);
		at += block;
		*got += rc == 0 ? n : 0;
	}
	unpacker_free(u);
	return rc;
}

static int unpack_payload(const uint8_t *in, size_t len, uint8_t *out, size_t cap, size_t *got, struct err *e)
{
	enum unpack_alg alg;
	struct unpacker *u;
	int rc;

	if (u32_at(in, 0) == 0x184c2102)
		return unpack_lz4(in, len - 4, out, cap, got, e);
	if (!unstream_detect(in, len, &alg))
		return err_set(e, ERR_UNSUPPORTED, "a kernel that is compressed neither by gzip, xz, zstd nor LZ4");
	rc = unpacker_new(alg, &u, e);
	if (rc < 0)
		return rc;
	rc = unpack(u, in, alg == UNPACK_GZIP ? len : len - 4, out, cap, got, e);
	unpacker_free(u);
	return rc;
}

int bzimage_unpack(const void *bytes, size_t len, void **out, size_t *out_len, struct err *e)
{
	const uint8_t *b = bytes;
	CLEANUP(free_ptr) uint8_t *kernel = NULL;
	uint64_t from, n;
	uint32_t cap;
	int rc;

	if (len < HEADER_END || u16_at(b, AT_FLAG) != 0xaa55 || memcmp(b + AT_MAGIC, "HdrS", 4) != 0)
		return err_set(e, ERR_UNSUPPORTED, "no Linux kernel for a PC");
	if (u16_at(b, AT_VERSION) < 0x208)
		return err_set(e, ERR_UNSUPPORTED, "a kernel from before Linux 2.6.26");
	/* 0 means 4, by the protocol. */
	from = ((b[AT_SETUP_SECTS] ? b[AT_SETUP_SECTS] : 4) + 1ULL) * 512 + u32_at(b, AT_PAYLOAD_OFFSET);
	n = u32_at(b, AT_PAYLOAD_LENGTH);
	if (n < 16 || !range_in(from, n, len))
		return err_set(e, ERR_CORRUPT, "a kernel whose payload lies past its end");
	b += from;
	if (memcmp(b, "\177ELF", 4) == 0)
		cap = (uint32_t)n;
	else
		cap = u32_at(b, n - 4);
	if (cap > LIMIT_KERNEL_IMAGE || cap < 4)
		return err_set(e, ERR_LIMIT, "a kernel that says it has %u bytes", cap);
	kernel = alloc_bytes(cap);
	if (!kernel)
		return err_nomem(e);
	if (memcmp(b, "\177ELF", 4) == 0) {
		memcpy(kernel, b, cap);
		*out_len = cap;
	} else {
		rc = unpack_payload(b, (size_t)n, kernel, cap, out_len, e);
		if (rc < 0)
			return rc;
	}
	if (*out_len < 4 || memcmp(kernel, "\177ELF", 4) != 0)
		return err_set(e, ERR_UNSUPPORTED, "a kernel that is no ELF file when unpacked");
	*out = take(kernel);
	return 0;
}
