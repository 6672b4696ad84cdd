/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qemu_img_qcow2.c - what the peer says about a qcow2 header that it will not open.
 *
 * Only run after the library has refused a file, to find the peer's sentence for the reason.  The order of the
 * questions is the order in which the peer asks them.
 */
#include "qemu_img_qcow2.h"

#include "alloc.h"
#include "checked.h"
#include "drydock.h"
#include "io.h"
#include "limits.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

enum {
	HEADER_V2 = 72,
	HEADER_V3 = 104,
	HEADER_READ = 4096, /* the header, and the names of features in the usual place */
	EXT_FEATURES = 0x6803f857,
	INCOMPAT_KNOWN = 0x1f,
	INCOMPAT_CORRUPT = 0x02,
	INCOMPAT_DATA_FILE = 0x04,
	EXT_DATA_FILE = 0x44415441,
};

static uint32_t u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint64_t u64(const uint8_t *p)
{
	return (uint64_t)u32(p) << 32 | u32(p + 4);
}

/* The content of the first header extension of a type; NULL: none.  Ends because the offset only grows. */
static const uint8_t *extension(const uint8_t *h, uint32_t type, uint32_t *len)
{
	uint64_t off = u32(h + 4) == 2 ? HEADER_V2 : u32(h + 100);

	while (off + 8 <= HEADER_READ && u32(h + off) != 0) {
		*len = u32(h + off + 4);
		if (*len > HEADER_READ - off - 8)
			return NULL;
		if (u32(h + off) == type)
			return h + off + 8;
		off += 8 + round_up(*len, 8);
	}
	return NULL;
}

static void features_problem(struct strbuf *out, const uint8_t *h, uint64_t unknown)
{
	uint32_t len = 0;
	const uint8_t *table = extension(h, EXT_FEATURES, &len);
	const char *sep = "";

	strbuf_puts(out, "Unsupported qcow2 feature(s): ");
	for (const uint8_t *row = table; table && row + 48 <= table + len; row += 48) {
		if (row[0] != 0 || row[1] > 63 || !(unknown & (1ULL << row[1])))
			continue;
		strbuf_printf(out, "%s%.46s", sep, (const char *)row + 2);
		unknown &= ~(1ULL << row[1]);
		sep = ", ";
	}
	if (unknown)
		strbuf_printf(out, "%sUnknown incompatible feature: %" PRIx64, sep, unknown);
}

/* A table of the image: its size and place. */
static bool table_problem(struct strbuf *out, const char *what, uint64_t off, uint64_t bytes, uint64_t max,
			  uint64_t cluster)
{
	if (bytes > max)
		strbuf_printf(out, "%s too large", what);
	else if (off > INT64_MAX - bytes || off % cluster)
		strbuf_printf(out, "%s offset invalid", what);
	else
		return false;
	return true;
}

static bool tables_problem(struct strbuf *out, const uint8_t *h, uint64_t cluster, bool check)
{
	uint64_t reftable_bytes = (uint64_t)u32(h + 56) * cluster;
	uint64_t entry_covers, l1_needed;

	if (u32(h + 56) == 0 && !check) {
		strbuf_puts(out, "Image does not contain a reference count table");
		return true;
	}
	if (table_problem(out, "Reference count table", u64(h + 48), reftable_bytes, LIMIT_QCOW2_REFTABLE_BYTES, cluster))
		return true;
	if (!check && u32(h + 60) > 0 &&
	    table_problem(out, "Snapshot table", u64(h + 64), (uint64_t)u32(h + 60) * 40,
			  LIMIT_QCOW2_SNAPSHOTS * 40ULL, cluster))
		return true;
	if (table_problem(out, "Active L1 table", u64(h + 40), (uint64_t)u32(h + 36) * 8, LIMIT_QCOW2_L1_BYTES, cluster))
		return true;
	entry_covers = cluster / 8 * cluster;
	if (u32(h + 4) >= 3 && (u64(h + 72) & 0x10))
		entry_covers /= 2;
	l1_needed = div_round_up(u64(h + 24), entry_covers);
	if (l1_needed > INT32_MAX) {
		strbuf_puts(out, "Image is too big");
		return true;
	}
	if (u32(h + 36) < l1_needed) {
		strbuf_puts(out, "L1 table is too small");
		return true;
	}
	return false;
}

/* The external data file that is not there, or cannot be opened. */
static bool data_file_problem(struct strbuf *out, const uint8_t *h, const char *path)
{
	CLEANUP(free_ptr) char *name = NULL, *full = NULL;
	CLEANUP(close_fd) int fd = -1;
	const char *slash = strrchr(path, '/');
	uint32_t len = 0;
	const uint8_t *ext;

	if (u32(h + 4) < 3 || !(u64(h + 72) & INCOMPAT_DATA_FILE) || !(ext = extension(h, EXT_DATA_FILE, &len)))
		return false;
	name = alloc_strndup((const char *)ext, len);
	if (!name)
		return false;
	full = *name == '/' || !slash ? alloc_strdup(name)
				      : alloc_printf("%.*s/%s", (int)(slash - path), path, name);
	if (!full || (fd = open(full, O_RDONLY | O_CLOEXEC)) >= 0)
		return false;
	strbuf_printf(out, "Could not open '%s': %s", full, strerror(errno));
	return true;
}

bool qi_qcow2_problem(struct strbuf *out, const char *path, const char *format, unsigned flags)
{
	uint8_t h[HEADER_READ] = { 0 };
	CLEANUP(close_fd) int fd = -1;
	uint32_t version, cluster_bits;
	size_t got;

	if (format && strcmp(format, "qcow2") != 0)
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || io_pread(fd, h, sizeof h, 0, &got) != 0)
		return false;
	if (memcmp(h, "QFI\xfb", 4) != 0) {
		if (format)
			strbuf_puts(out, "Image is not in qcow2 format");
		return format;
	}
	version = u32(h + 4);
	cluster_bits = u32(h + 20);
	if (version < 2 || version > 3) {
		strbuf_printf(out, "Unsupported qcow2 version %" PRIu32, version);
		return true;
	}
	if (cluster_bits < 9 || cluster_bits > 21) {
		strbuf_printf(out, "Unsupported cluster size: 2^%" PRIu32, cluster_bits);
		return true;
	}
	if (version == 3 && u32(h + 100) < HEADER_V3) {
		strbuf_puts(out, "qcow2 header too short");
		return true;
	}
	if (version == 3 && u32(h + 100) > 1u << cluster_bits) {
		strbuf_puts(out, "qcow2 header exceeds cluster size");
		return true;
	}
	if (u64(h + 8) > 1u << cluster_bits) {
		strbuf_puts(out, "Invalid backing file offset");
		return true;
	}
	if (version == 3 && (u64(h + 72) & ~(uint64_t)INCOMPAT_KNOWN)) {
		features_problem(out, h, u64(h + 72) & ~(uint64_t)INCOMPAT_KNOWN);
		return true;
	}
	if (version == 3 && (u64(h + 72) & INCOMPAT_CORRUPT) && (flags & DRY_OPEN_WRITE) && !(flags & DRY_OPEN_CHECK)) {
		strbuf_puts(out, "qcow2: Image is corrupt; cannot be opened read/write");
		return true;
	}
	if (version == 3 && u32(h + 96) > 6) {
		strbuf_puts(out, "Reference count entry width too large; may not exceed 64 bits");
		return true;
	}
	if (u32(h + 32) > 2) {
		strbuf_printf(out, "Unsupported encryption method %" PRIu32, u32(h + 32));
		return true;
	}
	if (version == 3 && u32(h + 100) > HEADER_V3 && h[HEADER_V3] > 1) {
		strbuf_printf(out, "qcow2: unknown compression type: %u", h[HEADER_V3]);
		return true;
	}
	if (tables_problem(out, h, 1ULL << cluster_bits, flags & DRY_OPEN_CHECK))
		return true;
	if (u64(h + 8) && u32(h + 16) > MIN_OF(1023u, (1u << cluster_bits) - (uint32_t)u64(h + 8))) {
		strbuf_puts(out, "Backing file name too long");
		return true;
	}
	if (u32(h + 32)) {
		strbuf_puts(out, "Parameter 'encrypt.key-secret' is required for cipher");
		return true;
	}
	return data_file_problem(out, h, path);
}
