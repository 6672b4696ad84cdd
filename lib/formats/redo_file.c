/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* redo_file.c - journals and undo files: as they lie in the host's files. */
#include "redo_file.h"

#include "alloc.h"
#include "checked.h"
#include "crc32c.h"
#include "limits.h"
#include "ondisk.h"
#include "strbuf.h"

#include <inttypes.h>

struct disk_header {
	uint8_t magic[8];
	le32 version, sum; /* of the whole block, with sum 0 */
	le32 kind, counts;
	uint8_t id[REDO_ID];
	le64 index_off, index_len;
	le32 index_sum;
	le32 ndisks, record_len, begun;
	le64 nruns, nsums;
};
struct disk_image {
	le64 size, ino, birth_sec, mtime_sec;
	le32 birth_nsec, mtime_nsec, device, path_len;
	char format[REDO_FORMAT];
};
struct disk_run {
	le64 off, at;
	le32 nblocks;
	le16 disk;
	uint8_t kind, unused;
};
struct disk_sum {
	le32 was, is;
};

static const uint8_t magic[8] = { 'D', 'r', 'y', 'R', 'e', 'd', 'o', '\n' };
enum { VERSION = 1, PIECE = 256 * REDO_BLOCK };

uint32_t redo_sum_of(const void *bytes, size_t len)
{
	return ~crc32c(~0u, bytes, len);
}

uint32_t redo_sum_zeros(size_t len)
{
	static const uint8_t zeros[REDO_BLOCK];

	return redo_sum_of(zeros, len);
}

/* ---- the index in memory ---- */

void redo_index_free(struct redo_index *x)
{
	for (size_t i = 0; i < x->ndisks; i++)
		free(x->disks[i].path);
	free(x->disks);
	free(x->record);
	free(x->runs);
	free(x->sums);
	*x = (struct redo_index){ .kind = x->kind, .counts = x->counts };
}

static uint64_t whole_len(const struct redo_run *r)
{
	return (uint64_t)r->nblocks * REDO_BLOCK;
}

uint64_t redo_run_bytes(const struct redo_index *x, const struct redo_run *r)
{
	return MIN_OF(whole_len(r), x->disks[r->disk].size - r->off);
}

static bool joins(const struct redo_run *r, unsigned disk, uint64_t off, enum redo_run_kind kind, uint64_t at)
{
	return r->disk == disk && r->kind == kind && r->off + whole_len(r) == off && r->nblocks < UINT32_MAX &&
	       (kind != REDO_RUN_DATA || r->at + whole_len(r) == at);
}

/* Room for one more of `size` bytes; *room grows by half. */
static bool room_for(void *list, size_t n, size_t *room, size_t size)
{
	void *p, *grown;
	size_t more = *room + *room / 2 + 64;

	if (n < *room)
		return true;
	memcpy(&p, list, sizeof p);
	grown = alloc_resize(p, more, size);
	if (!grown)
		return false;
	memcpy(list, &grown, sizeof grown);
	*room = more;
	return true;
}

int redo_index_add(struct redo_index *x, unsigned disk, uint64_t off, enum redo_run_kind kind, uint64_t at, struct redo_sum sum,
		   struct err *e)
{
	struct redo_run *last = x->nruns ? &x->runs[x->nruns - 1] : NULL;

	if ((x->nsums + 1) * sizeof(struct disk_sum) + (x->nruns + 1) * sizeof(struct disk_run) > LIMIT_REDO_INDEX)
		return err_set(e, ERR_LIMIT, "a change of more than %zu blocks at once", x->nsums);
	if (!room_for(&x->sums, x->nsums, &x->room_sums, sizeof *x->sums))
		return err_nomem(e);
	if (last && joins(last, disk, off, kind, at)) {
		last->nblocks++;
	} else {
		if (!room_for(&x->runs, x->nruns, &x->room_runs, sizeof *x->runs))
			return err_nomem(e);
		x->runs[x->nruns++] = (struct redo_run){ off, kind == REDO_RUN_DATA ? at : 0, x->nsums, 1, (uint16_t)disk,
							 (uint8_t)kind };
	}
	x->sums[x->nsums++] = sum;
	return 0;
}

const struct redo_run *redo_index_find(const struct redo_index *x, unsigned disk, uint64_t off)
{
	size_t low = 0, high = x->nruns;

	/* The first run that ends behind off. */
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct redo_run *r = &x->runs[mid];

		if (r->disk < disk || (r->disk == disk && r->off + whole_len(r) <= off))
			low = mid + 1;
		else
			high = mid;
	}
	return low < x->nruns && x->runs[low].disk == disk ? &x->runs[low] : NULL;
}

/* ---- writing ---- */

static void put_image(struct strbuf *s, const struct redo_image *d)
{
	size_t len = d->path ? strlen(d->path) : 0;
	struct disk_image o;

	memset(&o, 0, sizeof o);
	le64_put(&o.size, d->size);
	le64_put(&o.ino, d->ino);
	le64_put(&o.birth_sec, (uint64_t)d->birth_sec);
	le64_put(&o.mtime_sec, (uint64_t)d->mtime_sec);
	le32_put(&o.birth_nsec, d->birth_nsec);
	le32_put(&o.mtime_nsec, d->mtime_nsec);
	le32_put(&o.device, d->device);
	le32_put(&o.path_len, (uint32_t)len);
	memcpy(o.format, d->format, sizeof o.format);
	strbuf_add(s, &o, sizeof o);
	strbuf_add(s, d->path, len);
}

static void put_run(struct strbuf *s, const struct redo_run *r)
{
	struct disk_run o = { .kind = r->kind };

	le64_put(&o.off, r->off);
	le64_put(&o.at, r->at);
	le32_put(&o.nblocks, r->nblocks);
	le16_put(&o.disk, r->disk);
	strbuf_add(s, &o, sizeof o);
}

static int header_put(struct block *file, struct disk_header *h, struct err *e)
{
	uint8_t block[REDO_HEADER] = { 0 };

	le32_put(&h->sum, 0);
	memcpy(block, h, sizeof *h);
	le32_put(&h->sum, redo_sum_of(block, sizeof block));
	memcpy(block, h, sizeof *h);
	return block_pwrite(file, block, sizeof block, 0, e);
}

static int header_write(struct block *file, struct disk_header *h, enum redo_kind kind, enum redo_counts counts,
			const uint8_t id[REDO_ID], struct err *e)
{
	memcpy(h->magic, magic, sizeof magic);
	le32_put(&h->version, VERSION);
	le32_put(&h->kind, kind);
	le32_put(&h->counts, counts);
	memcpy(h->id, id, REDO_ID);
	return header_put(file, h, e);
}

int redo_file_open_header(struct block *file, enum redo_kind kind, const uint8_t id[REDO_ID], struct err *e)
{
	struct disk_header h;

	memset(&h, 0, sizeof h);
	return header_write(file, &h, kind, REDO_OPEN, id, e);
}

int redo_file_done_header(struct block *file, enum redo_kind kind, const uint8_t id[REDO_ID], struct err *e)
{
	struct disk_header h;

	memset(&h, 0, sizeof h);
	le32_put(&h.begun, 1);
	return header_write(file, &h, kind, REDO_OPEN, id, e);
}

int redo_file_write(struct block *file, struct redo_index *x, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf s = STRBUF_INIT;
	uint64_t at = round_up(MAX_OF(block_size(file), (uint64_t)REDO_DATA_OFF), REDO_BLOCK);
	struct disk_header h;
	int rc;

	memset(&h, 0, sizeof h);
	for (size_t i = 0; i < x->ndisks; i++)
		put_image(&s, &x->disks[i]);
	strbuf_add(&s, x->record, x->record ? strlen(x->record) : 0);
	for (size_t i = 0; i < x->nruns; i++)
		put_run(&s, &x->runs[i]);
	for (size_t i = 0; i < x->nsums; i++) {
		struct disk_sum o;

		le32_put(&o.was, x->sums[i].was);
		le32_put(&o.is, x->sums[i].is);
		strbuf_add(&s, &o, sizeof o);
	}
	if (s.failed)
		return err_nomem(e);
	if (s.len > LIMIT_REDO_INDEX)
		return err_set(e, ERR_LIMIT, "a change of %zu blocks at once", x->nsums);
	le64_put(&h.index_off, at);
	le64_put(&h.index_len, s.len);
	le32_put(&h.index_sum, redo_sum_of(s.s, s.len));
	le32_put(&h.ndisks, (uint32_t)x->ndisks);
	le32_put(&h.record_len, x->record ? (uint32_t)strlen(x->record) : 0);
	le64_put(&h.nruns, x->nruns);
	le64_put(&h.nsums, x->nsums);
	rc = block_pwrite(file, s.s, s.len, at, e);
	if (rc == 0)
		rc = block_flush(file, e);
	if (rc == 0)
		rc = header_write(file, &h, x->kind, x->counts, x->id, e);
	return rc < 0 ? rc : block_flush(file, e);
}

/* ---- reading: all of it is judged ---- */

/* The next len bytes of the index; NULL: there are not so many. */
static const uint8_t *next_bytes(const uint8_t **p, size_t *left, uint64_t len)
{
	const uint8_t *at = *p;

	if (len > *left)
		return NULL;
	*p += len;
	*left -= (size_t)len;
	return at;
}

static int damaged(struct err *e, const char *what)
{
	return err_set(e, ERR_CORRUPT, "damaged: %s", what);
}

static int get_image(const uint8_t **p, size_t *left, struct redo_image *d, struct err *e)
{
	const uint8_t *bytes = next_bytes(p, left, sizeof(struct disk_image)), *path;
	struct disk_image o;
	uint32_t len;

	if (!bytes)
		return damaged(e, "the index is too short for its disks");
	memcpy(&o, bytes, sizeof o);
	len = le32_get(o.path_len);
	path = len <= LIMIT_REDO_PATH ? next_bytes(p, left, len) : NULL;
	if (!path || memchr(path, 0, len))
		return damaged(e, "the path of a disk");
	*d = (struct redo_image){
		.size = le64_get(o.size),
		.ino = le64_get(o.ino),
		.birth_sec = (int64_t)le64_get(o.birth_sec),
		.mtime_sec = (int64_t)le64_get(o.mtime_sec),
		.birth_nsec = le32_get(o.birth_nsec),
		.mtime_nsec = le32_get(o.mtime_nsec),
		.device = le32_get(o.device),
	};
	memcpy(d->format, o.format, sizeof d->format);
	if (d->size > LIMIT_REDO_DISK || !memchr(d->format, 0, sizeof d->format))
		return damaged(e, "a disk's size or format");
	d->path = alloc_strndup((const char *)path, len);
	return d->path ? 0 : err_nomem(e);
}

static int get_run(const uint8_t *bytes, const struct redo_index *x, uint64_t index_off, struct redo_run *r, struct err *e)
{
	const struct redo_run *last = x->nruns ? &x->runs[x->nruns - 1] : NULL;
	struct disk_run o;
	uint64_t size;

	memcpy(&o, bytes, sizeof o);
	*r = (struct redo_run){ .off = le64_get(o.off), .at = le64_get(o.at), .first = x->nsums,
				.nblocks = le32_get(o.nblocks), .disk = le16_get(o.disk), .kind = o.kind };
	if (r->disk >= x->ndisks || r->kind > REDO_RUN_UNMAP || !r->nblocks || r->off % REDO_BLOCK)
		return damaged(e, "a run of blocks");
	size = x->disks[r->disk].size;
	if (r->off >= size || !range_in(r->off, whole_len(r), round_up(size, REDO_BLOCK)))
		return damaged(e, "a run of blocks past the end of its disk");
	if (last && (last->disk > r->disk || (last->disk == r->disk && last->off + whole_len(last) > r->off)))
		return damaged(e, "runs of blocks out of order");
	if (r->kind == REDO_RUN_DATA &&
	    (r->at % REDO_BLOCK || r->at < REDO_DATA_OFF || !range_in(r->at, whole_len(r), index_off)))
		return damaged(e, "a run of blocks outside of its data");
	return 0;
}

static int index_parse(const struct disk_header *h, const uint8_t *p, size_t left, struct redo_index *x, struct err *e)
{
	uint64_t nruns = le64_get(h->nruns), nsums = le64_get(h->nsums), blocks = 0;
	uint32_t ndisks = le32_get(h->ndisks), record_len = le32_get(h->record_len);
	const uint8_t *bytes;
	int rc;

	if (!ndisks || ndisks > LIMIT_REDO_DISKS || record_len > LIMIT_REDO_PATH)
		return damaged(e, "the number of its disks");
	x->disks = alloc_array(ndisks, sizeof *x->disks);
	if (!x->disks)
		return err_nomem(e);
	for (uint32_t i = 0; i < ndisks; i++) {
		rc = get_image(&p, &left, &x->disks[i], e);
		if (rc < 0)
			return rc;
		x->ndisks++;
	}
	bytes = next_bytes(&p, &left, record_len);
	if (!bytes || memchr(bytes, 0, record_len))
		return damaged(e, "the name of its record");
	x->record = record_len ? alloc_strndup((const char *)bytes, record_len) : NULL;
	if (record_len && !x->record)
		return err_nomem(e);
	/* What is left bounds both, and what is allocated for them. */
	if (nruns > left / sizeof(struct disk_run) || nsums > left / sizeof(struct disk_sum) ||
	    nruns * sizeof(struct disk_run) + nsums * sizeof(struct disk_sum) != left)
		return damaged(e, "the length of its index");
	x->runs = alloc_array(MAX_OF((size_t)nruns, (size_t)1), sizeof *x->runs);
	x->sums = alloc_array(MAX_OF((size_t)nsums, (size_t)1), sizeof *x->sums);
	if (!x->runs || !x->sums)
		return err_nomem(e);
	for (uint64_t i = 0; i < nruns; i++, p += sizeof(struct disk_run)) {
		struct redo_run *r = &x->runs[i];

		rc = get_run(p, x, le64_get(h->index_off), r, e);
		if (rc < 0)
			return rc;
		r->first = blocks;
		blocks += r->nblocks; /* far from wrapping: LIMIT_REDO_INDEX bounds how many of 32 bits there are */
		x->nruns++;
	}
	if (blocks != nsums)
		return damaged(e, "the number of its sums");
	for (uint64_t i = 0; i < nsums; i++, p += sizeof(struct disk_sum)) {
		struct disk_sum o;

		memcpy(&o, p, sizeof o);
		x->sums[i] = (struct redo_sum){ le32_get(o.was), le32_get(o.is) };
	}
	x->nsums = (size_t)nsums;
	return 0;
}

static int header_read(struct block *file, struct disk_header *h, struct err *e)
{
	uint8_t block[REDO_HEADER];
	le32 none;
	int rc;

	if (block_size(file) < sizeof block)
		return damaged(e, "no header");
	rc = block_pread(file, block, sizeof block, 0, e);
	if (rc < 0)
		return rc;
	memcpy(h, block, sizeof *h);
	if (memcmp(h->magic, magic, sizeof magic) != 0)
		return damaged(e, "no header");
	if (le32_get(h->version) != VERSION)
		return err_set(e, ERR_UNSUPPORTED, "version %" PRIu32 " of such files", le32_get(h->version));
	le32_put(&none, 0);
	memcpy(block + offsetof(struct disk_header, sum), &none, sizeof none);
	if (redo_sum_of(block, sizeof block) != le32_get(h->sum))
		return damaged(e, "the sum of its header");
	if (le32_get(h->kind) < REDO_JOURNAL || le32_get(h->kind) > REDO_RECORD || le32_get(h->counts) < REDO_OPEN ||
	    le32_get(h->counts) > REDO_PREPARED)
		return damaged(e, "its kind");
	return 0;
}

int redo_file_begun(struct block *file, struct err *e)
{
	struct disk_header h;
	int rc = header_read(file, &h, e);

	if (rc < 0)
		return rc;
	le32_put(&h.begun, 1);
	return header_put(file, &h, e);
}

int redo_file_read(struct block *file, struct redo_index *x, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *bytes = NULL;
	struct disk_header h;
	uint64_t off, len;
	int rc;

	*x = (struct redo_index){ .disks = NULL };
	rc = header_read(file, &h, e);
	if (rc < 0)
		return rc;
	*x = (struct redo_index){ .kind = (enum redo_kind)le32_get(h.kind), .counts = (enum redo_counts)le32_get(h.counts),
				  .begun = le32_get(h.begun) };
	memcpy(x->id, h.id, REDO_ID);
	if (x->counts == REDO_OPEN)
		return 0;
	off = le64_get(h.index_off);
	len = le64_get(h.index_len);
	if (len > LIMIT_REDO_INDEX)
		return err_set(e, ERR_LIMIT, "an index of %" PRIu64 " bytes", len);
	if (!len || !range_in(off, len, block_size(file)))
		return damaged(e, "its index lies past its end");
	bytes = alloc_bytes((size_t)len);
	if (!bytes)
		return err_nomem(e);
	rc = block_pread(file, bytes, (size_t)len, off, e);
	if (rc == 0 && redo_sum_of(bytes, (size_t)len) != le32_get(h.index_sum))
		rc = damaged(e, "the sum of its index");
	if (rc == 0)
		rc = index_parse(&h, bytes, (size_t)len, x, e);
	if (rc < 0)
		redo_index_free(x);
	return rc;
}

int redo_file_check(struct block *file, const struct redo_index *x, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *buf = alloc_bytes(PIECE);
	int rc;

	if (!buf)
		return err_nomem(e);
	for (size_t i = 0; i < x->nruns; i++) {
		const struct redo_run *r = &x->runs[i];
		uint64_t len = redo_run_bytes(x, r);

		for (uint64_t at = 0; r->kind == REDO_RUN_DATA && at < len; at += PIECE) {
			size_t n = (size_t)MIN_OF((uint64_t)PIECE, len - at);

			rc = block_pread(file, buf, n, r->at + at, e);
			if (rc < 0)
				return rc;
			for (size_t b = 0; b < n; b += REDO_BLOCK) {
				const struct redo_sum *s = &x->sums[r->first + (at + b) / REDO_BLOCK];
				uint32_t sum = redo_sum_of(buf + b, MIN_OF((size_t)REDO_BLOCK, n - b));

				if (sum != (x->kind == REDO_UNDO ? s->was : s->is))
					return damaged(e, "the sum of a block");
			}
		}
	}
	return 0;
}
