/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hive_file.c - a hive's bytes: cut into cells once, and brought into memory where they are looked at.
 *
 *	header, 4096 bytes: "regf", two numbers that are equal when the last write was completed, the offset of the root's
 *	cell, the length of all bins, a checksum
 *	bins, each some pages of 4096 bytes: "hbin", its offset, its length; then cells without a gap
 *	a cell: a length, which is negative while it is used, and content; a multiple of 8
 *
 * There is no specification; the layout is known from the works of Joachim Metz and Maxim Suhanov.
 *
 * The whole hive has its place in the address space, and pieces are read into it as cells of them are asked for.  When they are
 * many, all are given back at once: a hive of any size takes as much memory as what is held, and a bit for each possible cell.
 */
#include "hive_file.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>

struct hbin_header {
	uint8_t magic[4];
	le32 off, len;
	uint8_t rest[20];
};
_Static_assert(sizeof(struct hbin_header) == 32, "layout");

#define BIN_ALIGN 4096u
#define CELL_ALIGN 8u
/* Bytes that are looked through at a time, and that are brought into memory where a cell is asked for. */
#define SCAN (256 * KiB)
#define PIECE (16 * KiB)

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

bool regf_header_sum_ok(const struct regf_header *r)
{
	return le32_get(r->checksum) == header_checksum(r);
}

static int header_judge(const struct regf_header *r, struct hive *h, struct err *e)
{
	uint64_t bins = le32_get(r->bins_len);

	if (memcmp(r->magic, "regf", 4) != 0)
		return err_set(e, ERR_CORRUPT, "it is not a registry hive");
	if (!regf_header_sum_ok(r))
		return err_set(e, ERR_CORRUPT, "the checksum of its header is wrong");
	if (le32_get(r->major) != 1)
		return err_set(e, ERR_UNSUPPORTED, "version %" PRIu32 ".%" PRIu32 " of hives is not known",
			       le32_get(r->major), le32_get(r->minor));
	if (bins == 0 || bins % BIN_ALIGN)
		return err_set(e, ERR_CORRUPT, "its bins of %" PRIu64 " bytes are not made of pages", bins);
	if (bins > LIMIT_HIVE_BYTES - HIVE_HEADER)
		return err_set(e, ERR_LIMIT, "%" PRIu64 " bytes are more than any registry hive has", bins);
	if (!range_in(HIVE_HEADER, bins, h->file.size))
		return err_set(e, ERR_CORRUPT, "its bins of %" PRIu64 " bytes reach past the end of the file", bins);
	h->root = le32_get(r->root);
	h->minor = le32_get(r->minor);
	h->size = (size_t)(HIVE_HEADER + bins);
	return 0;
}

/* Bytes of the hive with what its logs change of them; what they add behind the file's end is zero before. */
static int read_bytes(struct hive *h, uint8_t *buf, size_t len, uint64_t off, struct err *e)
{
	size_t have = off < h->file.size ? (size_t)MIN_OF(len, h->file.size - off) : 0;
	int rc = have ? h->file.read(h->file.arg, buf, have, off, e) : 0;

	memset(buf + have, 0, len - have);
	return rc < 0 || !h->sectors ? rc : hive_logs_apply(h, buf, len, off, e);
}

/* ---- cells ---- */

/* How far the look through a hive has come: where its bin ends, and where the next cell begins. */
struct scan {
	uint64_t bin_end, cell;
};

static int bin_begin(const uint8_t *bytes, const struct hive *h, struct scan *s, struct err *e)
{
	struct hbin_header b;
	uint64_t off = s->bin_end, len;

	memcpy(&b, bytes, sizeof b);
	len = le32_get(b.len);
	if (memcmp(b.magic, "hbin", 4) != 0)
		return err_set(e, ERR_CORRUPT, "no bin begins at %" PRIu64, off);
	if (len == 0 || len % BIN_ALIGN || len > h->size - off)
		return err_set(e, ERR_CORRUPT, "the bin at %" PRIu64 " has a wrong length of %" PRIu64, off, len);
	s->cell = off + sizeof b;
	s->bin_end = off + len;
	return 0;
}

static int cell_take(const uint8_t *bytes, struct hive *h, struct scan *s, struct err *e)
{
	uint64_t len, bit = (s->cell - HIVE_HEADER) / CELL_ALIGN;
	int64_t claimed;
	le32 head;

	memcpy(&head, bytes, sizeof head);
	claimed = (int32_t)le32_get(head);
	len = (uint64_t)(claimed < 0 ? -claimed : claimed);
	if (len < CELL_ALIGN || len % CELL_ALIGN || len > s->bin_end - s->cell)
		return err_set(e, ERR_CORRUPT, "the cell at %" PRIu64 " has a wrong length of %" PRIu64, s->cell, len);
	if (claimed < 0) {
		h->starts[bit / 8] |= (uint8_t)(1u << bit % 8);
		h->ncells++;
	}
	s->cell += len;
	return 0;
}

/*
 * Finds all cells, which fill their bins, which fill the hive.  A file without end is left at its first byte that is no bin's.
 * Bins begin at pages and cells at multiples of 8, as pieces do: the head of each is whole.  Each turn takes a bin, or a cell of
 * 8 bytes at least, or goes on to the next piece.
 */
static int scan(struct hive *h, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *piece = alloc_bytes(SCAN);
	struct scan s = { .bin_end = HIVE_HEADER, .cell = HIVE_HEADER };
	int rc = 0;

	free(h->starts);
	h->ncells = 0;
	h->starts = alloc_zero((h->size - HIVE_HEADER) / CELL_ALIGN / 8);
	if (!h->starts || !piece)
		return err_nomem(e);
	for (uint64_t off = HIVE_HEADER, end; rc == 0 && off < h->size; off = end) {
		end = off + MIN_OF(SCAN, h->size - off);
		rc = read_bytes(h, piece, (size_t)(end - off), off, e);
		while (rc == 0 && s.cell < end)
			rc = s.cell == s.bin_end ? bin_begin(piece + (s.cell - off), h, &s, e)
						 : cell_take(piece + (s.cell - off), h, &s, e);
	}
	return rc;
}

/* ---- opening ---- */

/* What logs hold is put over the hive, unless that damages it. */
static int scan_with_logs(struct hive *h, uint32_t sequence, struct err *e)
{
	struct err why = ERR_INIT;
	size_t size = h->size;
	int rc = hive_logs_find(h, sequence, e);

	if (rc < 0 || !h->sectors)
		return rc < 0 ? rc : scan(h, e);
	rc = scan(h, &why);
	if (rc == 0)
		return 0;
	if (rc == -ERR_NOMEM)
		return err_nomem(e);
	hive_logs_drop(h);
	h->size = size;
	h->warning = "it was not written to its end, and what its logs hold would damage it, and is left out";
	return scan(h, e);
}

int hive_file_open(struct hive *h, struct err *e)
{
	struct regf_header r;
	void *map;
	int rc;

	if (h->file.size < HIVE_HEADER)
		return err_set(e, ERR_CORRUPT, "%" PRIu64 " bytes are too few for a registry hive", h->file.size);
	rc = h->file.read(h->file.arg, &r, sizeof r, 0, e);
	if (rc == 0)
		rc = header_judge(&r, h, e);
	if (rc < 0)
		return rc;
	rc = le32_get(r.sequence1) == le32_get(r.sequence2) ? scan(h, e) : scan_with_logs(h, le32_get(r.sequence2), e);
	if (rc < 0)
		return rc;
	h->loaded = alloc_zero(h->size / PIECE / 8 + 1);
	if (!h->loaded)
		return err_nomem(e);
	map = mmap(NULL, h->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED)
		return errno == ENOMEM ? err_nomem(e) : err_sys(e, errno, "memory for the hive");
	h->bytes = map;
	return 0;
}

int hive_copy(struct hive *h, uint8_t **out, size_t *len, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *bytes = NULL;
	struct regf_header r;
	int rc;

	if (h->warning)
		return err_set(e, ERR_UNSUPPORTED, "%s; start its system and shut it down once", h->warning);
	bytes = alloc_bytes(h->size);
	if (!bytes)
		return err_nomem(e);
	rc = read_bytes(h, bytes, h->size, 0, e);
	if (rc < 0)
		return rc;
	if (h->sectors) {
		/* As after a complete write that came after all records. */
		memcpy(&r, bytes, sizeof r);
		le32_put(&r.sequence1, h->next);
		le32_put(&r.sequence2, h->next);
		le32_put(&r.bins_len, (uint32_t)(h->size - HIVE_HEADER));
		le32_put(&r.checksum, header_checksum(&r));
		memcpy(bytes, &r, sizeof r);
	}
	*out = take(bytes);
	*len = h->size;
	return 0;
}

void hive_file_free(struct hive *h)
{
	if (h->bytes)
		munmap(h->bytes, h->size);
	hive_logs_drop(h);
	free(h->loaded);
	free(h->starts);
}

/* ---- what is looked at ---- */

/* Brings a range of the hive into memory. */
static int load(struct hive *h, uint64_t off, size_t len, struct err *e)
{
	for (uint64_t i = off / PIECE; i <= (off + len - 1) / PIECE; i++) {
		size_t bytes = (size_t)MIN_OF(PIECE, h->size - i * PIECE);
		int rc;

		if (h->loaded[i / 8] & 1u << i % 8)
			continue;
		rc = read_bytes(h, h->bytes + i * PIECE, bytes, i * PIECE, e);
		if (rc < 0)
			return rc;
		h->loaded[i / 8] |= (uint8_t)(1u << i % 8);
		h->held += bytes;
	}
	return 0;
}

void hive_rest(struct hive *h)
{
	if (h->held <= LIMIT_HIVE_HELD || madvise(h->bytes, h->size, MADV_DONTNEED) != 0)
		return;
	memset(h->loaded, 0, h->size / PIECE / 8 + 1);
	h->held = 0;
}

/* A live image may tell another length than when its cells were found: it is judged once more. */
int hive_cell(struct hive *h, uint32_t off, size_t min, const char *what, const uint8_t **out, size_t *len, struct err *e)
{
	uint64_t bit = off / CELL_ALIGN, at = (uint64_t)HIVE_HEADER + off;
	int64_t claimed;
	le32 head;
	int rc;

	if (off % CELL_ALIGN || at >= h->size || !(h->starts[bit / 8] & 1u << bit % 8))
		return err_set(e, ERR_CORRUPT, "%s at %" PRIu32 " is in no cell", what, off);
	rc = load(h, at, sizeof head, e);
	if (rc < 0)
		return rc;
	memcpy(&head, h->bytes + at, sizeof head);
	claimed = -(int64_t)(int32_t)le32_get(head);
	if (claimed < (int64_t)(sizeof head + min) || (uint64_t)claimed > h->size - at)
		return err_set(e, ERR_CORRUPT, "%s at %" PRIu32 " does not fit its cell", what, off);
	*len = (size_t)claimed - sizeof head;
	*out = h->bytes + at + sizeof head;
	return load(h, at, (size_t)claimed, e);
}

int hive_step(struct hive *h, uint64_t steps, struct err *e)
{
	h->steps += steps;
	if (h->steps > LIMIT_HIVE_STEPS)
		return err_set(e, ERR_LIMIT, "looking through it takes more work than any honest hive does");
	return 0;
}
