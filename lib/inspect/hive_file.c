/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hive_file.c - a hive's bytes: brought into memory, and cut into cells.
 *
 *	header, 4096 bytes: "regf", two numbers that are equal when the last write was completed, the offset of the root's
 *	cell, the length of all bins, a checksum
 *	bins, each some pages of 4096 bytes: "hbin", its offset, its length; then cells without a gap
 *	a cell: a length, which is negative while it is used, and content; a multiple of 8
 *
 * There is no specification; the layout is known from the works of Joachim Metz and Maxim Suhanov.
 */
#include "hive_file.h"

#include "alloc.h"
#include "checked.h"
#include "io.h"
#include "limits.h"
#include "memfile.h"
#include "ondisk.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>

struct regf_header {
	uint8_t magic[4];
	le32 sequence1, sequence2;
	le64 written;
	le32 major, minor, type, format;
	le32 root, bins_len;
	uint8_t rest[464];
	le32 checksum;
};
_Static_assert(sizeof(struct regf_header) == 512, "layout");

struct hbin_header {
	uint8_t magic[4];
	le32 off, len;
	uint8_t rest[20];
};
_Static_assert(sizeof(struct hbin_header) == 32, "layout");

#define BIN_ALIGN 4096u
#define CELL_ALIGN 8u
/* Bytes that go from the file to memory at a time. */
#define PIECE (256 * KiB)

/* The words before it, xor'ed; two results are not used. */
static uint32_t header_checksum(const struct regf_header *r)
{
	const uint8_t *b = (const uint8_t *)r;
	uint32_t sum = 0;

	for (size_t i = 0; i < offsetof(struct regf_header, checksum); i += 4) {
		le32 word;

		memcpy(&word, b + i, sizeof word);
		sum ^= le32_get(word);
	}
	return sum == 0 ? 1 : sum == UINT32_MAX ? UINT32_MAX - 1 : sum;
}

static int header_judge(const struct regf_header *r, uint64_t size, struct hive *h, struct err *e)
{
	uint64_t bins = le32_get(r->bins_len);

	if (memcmp(r->magic, "regf", 4) != 0)
		return err_set(e, ERR_CORRUPT, "it is not a registry hive");
	if (le32_get(r->checksum) != header_checksum(r))
		return err_set(e, ERR_CORRUPT, "the checksum of its header is wrong");
	if (le32_get(r->major) != 1)
		return err_set(e, ERR_UNSUPPORTED, "version %" PRIu32 ".%" PRIu32 " of hives is not known",
			       le32_get(r->major), le32_get(r->minor));
	if (bins == 0 || bins % BIN_ALIGN)
		return err_set(e, ERR_CORRUPT, "its bins of %" PRIu64 " bytes are not made of pages", bins);
	if (bins > LIMIT_HIVE_BYTES - HIVE_HEADER)
		return err_set(e, ERR_LIMIT, "%" PRIu64 " bytes are more than any registry hive has", bins);
	if (!range_in(HIVE_HEADER, bins, size))
		return err_set(e, ERR_CORRUPT, "its bins of %" PRIu64 " bytes reach past the end of the file", bins);
	if (le32_get(r->sequence1) != le32_get(r->sequence2))
		h->warning = "it was not written to its end: what is newer is in its log, which is not read";
	h->size = (size_t)(HIVE_HEADER + bins);
	return 0;
}

/* The bin at off and its length. */
static int bin_judge(const uint8_t *bytes, uint64_t off, const struct hive *h, uint64_t *len, struct err *e)
{
	struct hbin_header b;

	memcpy(&b, bytes, sizeof b);
	*len = le32_get(b.len);
	if (memcmp(b.magic, "hbin", 4) != 0)
		return err_set(e, ERR_CORRUPT, "no bin begins at %" PRIu64, off);
	if (*len == 0 || *len % BIN_ALIGN || *len > h->size - off)
		return err_set(e, ERR_CORRUPT, "the bin at %" PRIu64 " has a wrong length of %" PRIu64, off, *len);
	return 0;
}

/*
 * The header, judged, and all bins go to the file in memory.  They are looked at on their way, so that a file without end is
 * left at its first byte that is no bin's.
 */
static int copy_in(hive_read_fn read, void *arg, uint64_t size, struct hive *h, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *piece = alloc_bytes(PIECE);
	uint64_t bin = HIVE_HEADER, bin_len;
	struct regf_header r;
	int rc;

	if (!piece)
		return err_nomem(e);
	if (size < HIVE_HEADER)
		return err_set(e, ERR_CORRUPT, "%" PRIu64 " bytes are too few for a registry hive", size);
	rc = read(arg, &r, sizeof r, 0, e);
	if (rc == 0)
		rc = header_judge(&r, size, h, e);
	for (uint64_t off = 0; rc == 0 && off < h->size; off += PIECE) {
		size_t len = (size_t)MIN_OF(PIECE, h->size - off);

		rc = read(arg, piece, len, off, e);
		/* Bins begin at pages, as pieces do: their heads are whole.  Each has a page at least: the loop ends. */
		for (; rc == 0 && bin < off + len; bin += bin_len)
			rc = bin_judge(piece + (bin - off), bin, h, &bin_len, e);
		if (rc == 0 && (errno = io_write(h->fd, piece, len)) != 0)
			rc = err_sys(e, errno, "memory for the hive");
	}
	return rc;
}

/* The cells of a bin, whose lengths must fill it: each is 8 at least, so that the loop ends. */
static int bin_cells(struct hive *h, uint64_t off, uint64_t end, struct err *e)
{
	for (uint64_t at = off + sizeof(struct hbin_header), len; at < end; at += len) {
		le32 head;
		int64_t claimed;

		memcpy(&head, h->bytes + at, sizeof head);
		claimed = (int32_t)le32_get(head);
		len = (uint64_t)(claimed < 0 ? -claimed : claimed);
		if (len < CELL_ALIGN || len % CELL_ALIGN || len > end - at)
			return err_set(e, ERR_CORRUPT, "the cell at %" PRIu64 " has a wrong length of %" PRIu64, at, len);
		if (claimed < 0) {
			uint64_t bit = (at - HIVE_HEADER) / CELL_ALIGN;

			h->starts[bit / 8] |= (uint8_t)(1u << bit % 8);
			h->ncells++;
		}
	}
	return 0;
}

/* Each bin has a page at least, so that the loop ends. */
static int bins_scan(struct hive *h, struct err *e)
{
	h->starts = alloc_zero((h->size - HIVE_HEADER) / CELL_ALIGN / 8);
	if (!h->starts)
		return err_nomem(e);
	for (uint64_t off = HIVE_HEADER, len; off < h->size; off += len) {
		int rc = bin_judge(h->bytes + off, off, h, &len, e);

		if (rc == 0)
			rc = bin_cells(h, off, off + len, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int hive_file_load(hive_read_fn read, void *arg, uint64_t size, struct hive *h, struct err *e)
{
	void *map;
	int rc = memfile_new(&h->fd, e);

	if (rc == 0)
		rc = copy_in(read, arg, size, h, e);
	if (rc < 0)
		return rc;
	map = mmap(NULL, h->size, PROT_READ, MAP_SHARED, h->fd, 0);
	if (map == MAP_FAILED)
		return errno == ENOMEM ? err_nomem(e) : err_sys(e, errno, "memory for the hive");
	h->bytes = map;
	return bins_scan(h, e);
}

void hive_file_free(struct hive *h)
{
	if (h->bytes)
		munmap(h->bytes, h->size);
	close_fd(&h->fd);
	free(h->starts);
}

int hive_cell(const struct hive *h, uint32_t off, size_t min, const char *what, const uint8_t **out, size_t *len,
	      struct err *e)
{
	uint64_t bit = off / CELL_ALIGN;
	le32 head;

	if (off % CELL_ALIGN || off >= h->size - HIVE_HEADER || !(h->starts[bit / 8] & 1u << bit % 8))
		return err_set(e, ERR_CORRUPT, "%s at %" PRIu32 " is in no cell", what, off);
	*out = h->bytes + HIVE_HEADER + off;
	memcpy(&head, *out, sizeof head);
	*len = (size_t)(-(int64_t)(int32_t)le32_get(head)) - sizeof head;
	*out += sizeof head;
	if (*len < min)
		return err_set(e, ERR_CORRUPT, "%s at %" PRIu32 " does not fit its cell", what, off);
	return 0;
}

int hive_step(struct hive *h, uint64_t steps, struct err *e)
{
	h->steps += steps;
	if (h->steps > LIMIT_HIVE_STEPS)
		return err_set(e, ERR_LIMIT, "looking through it takes more work than any honest hive does");
	return 0;
}
