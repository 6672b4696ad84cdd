/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ntfs3g_record.c - records of the master file table are judged before libntfs-3g sees them.
 *
 * A record is whole (fixups), says itself where it ends, its attributes lie in it and are in order, those that must lie in
 * the record do, and runs decode to clusters of the volume, one after the other, as many as the attribute claims.  An
 * attribute list names records that belong to the file and are judged, too.
 */
#include "ntfs3g.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"

#include <inttypes.h>
#include <stddef.h>

#define RECORD_SIZE_MAX 4096
#define COMPRESSION_UNIT 4 /* 16 clusters, the only one there is */
#define COMPRESSION_CLUSTER_BITS 12
#define LIST_ENTRY_SIZE 26u

struct list_entry {
	le32 type;
	le16 len;
	uint8_t name_len, name_off;
	le64 lowest_vcn, reference;
	le16 instance;
};
_Static_assert(sizeof(struct list_entry) == LIST_ENTRY_SIZE, "as on the disk");

/* ---- runs ---- */

/*
 * The next run of an attribute's list: 1, or 0 at the end.  A byte tells how many bytes the length and the cluster have; the
 * cluster is relative to that of the run before, and one of no bytes is a hole.  *pos grows by at least 2.
 */
static int run_next(const uint8_t *p, size_t size, size_t *pos, uint64_t *len, int64_t *lcn, bool *hole, struct err *e)
{
	unsigned len_bytes, lcn_bytes;
	uint64_t delta = 0;

	if (*pos >= size || p[*pos] == 0)
		return 0;
	len_bytes = p[*pos] & 15;
	lcn_bytes = p[*pos] >> 4;
	if (len_bytes == 0 || len_bytes > 8 || lcn_bytes > 8 || !range_in(*pos + 1, len_bytes + lcn_bytes, size))
		return err_set(e, ERR_CORRUPT, "a run of clusters that cannot be decoded");
	*len = 0;
	for (unsigned i = 0; i < len_bytes; i++)
		*len |= (uint64_t)p[*pos + 1 + i] << 8 * i;
	for (unsigned i = 0; i < lcn_bytes; i++)
		delta |= (uint64_t)p[*pos + 1 + len_bytes + i] << 8 * i;
	/* The cluster is signed. */
	if (lcn_bytes && lcn_bytes < 8 && delta >> (8 * lcn_bytes - 1))
		delta |= UINT64_MAX << 8 * lcn_bytes;
	*hole = lcn_bytes == 0;
	if (__builtin_add_overflow(*lcn, (int64_t)delta, lcn))
		return err_set(e, ERR_CORRUPT, "a run of clusters that lies nowhere");
	*pos += 1 + len_bytes + lcn_bytes;
	return 1;
}

static int judge_runs(const struct nt *x, const struct nt_attr_raw *a, const uint8_t *at, struct err *e)
{
	uint64_t most = (uint64_t)INT64_MAX >> x->super.cluster_bits, len = 0;
	uint64_t vcn = le64_get(a->u.runs.lowest_vcn), end = le64_get(a->u.runs.highest_vcn) + 1;
	size_t pos = le16_get(a->u.runs.runs_off), size = le32_get(a->len);
	int64_t lcn = 0;
	bool hole = false;
	int rc;

	/* The highest cluster of nothing is -1; where there is but one part, some write 0 all the same. */
	if (vcn == 0 && end == 1)
		end = MAX_OF(le64_get(a->u.runs.allocated) >> x->super.cluster_bits, 1);
	if (vcn > end || end > most)
		return err_set(e, ERR_CORRUPT, "runs for the clusters from %" PRId64 " to %" PRId64, (int64_t)vcn,
			       (int64_t)end - 1);
	while ((rc = run_next(at, size, &pos, &len, &lcn, &hole, e)) > 0) {
		if (len == 0 || len > end - vcn)
			return err_set(e, ERR_CORRUPT, "a run of %" PRIu64 " clusters where %" PRIu64 " are left", len, end - vcn);
		if (!hole && (lcn < 0 || !range_in((uint64_t)lcn, len, x->super.nclusters)))
			return err_set(e, ERR_CORRUPT, "%" PRIu64 " clusters at %" PRId64 " lie outside of the volume", len, lcn);
		vcn += len;
	}
	if (rc == 0 && vcn != end)
		return err_set(e, ERR_CORRUPT, "runs end at cluster %" PRIu64 ", not at %" PRIu64, vcn, end);
	return rc;
}

/* ---- attributes ---- */

/* Sizes are there in the first part of an attribute only. */
static int judge_sizes(const struct nt *x, const struct nt_attr_raw *a, struct err *e)
{
	uint64_t allocated = le64_get(a->u.runs.allocated), size = le64_get(a->u.runs.size);
	uint64_t initialized = le64_get(a->u.runs.initialized), cluster = 1ULL << x->super.cluster_bits;
	bool squeezed = le16_get(a->flags) & (NTFS_ATTR_COMPRESSION_MASK | NTFS_ATTR_SPARSE);

	if (allocated > INT64_MAX || size > allocated || initialized > size || allocated % cluster)
		return err_set(e, ERR_CORRUPT, "%" PRIu64 " bytes, of which %" PRIu64 " are written, in %" PRIu64, size,
			       initialized, allocated);
	if (squeezed && (le16_get(a->u.runs.runs_off) < sizeof *a || le64_get(a->u.runs.compressed) > INT64_MAX))
		return err_set(e, ERR_CORRUPT, "a compressed or sparse attribute without its size");
	if (le16_get(a->flags) & NTFS_ATTR_COMPRESSION_MASK) {
		if ((le16_get(a->flags) & NTFS_ATTR_COMPRESSION_MASK) != NTFS_ATTR_COMPRESSED)
			return err_set(e, ERR_UNSUPPORTED, "compression of an unknown kind");
		if (a->u.runs.compression_unit != COMPRESSION_UNIT || x->super.cluster_bits > COMPRESSION_CLUSTER_BITS)
			return err_set(e, ERR_CORRUPT, "compression in units of 2^%u clusters of %" PRIu64 " bytes",
				       a->u.runs.compression_unit, cluster);
	}
	return 0;
}

static int judge_attr(const struct nt *x, const struct nt_attr_raw *a, const uint8_t *at, struct err *e)
{
	/* The library takes these from the record without a second look. */
	static const struct {
		uint32_t type, min_len;
	} resident[] = {
		{ NTFS_STANDARD_INFORMATION, 48 }, { NTFS_FILE_NAME, 66 },  { NTFS_VOLUME_NAME, 0 },
		{ NTFS_VOLUME_INFORMATION, 12 },   { NTFS_INDEX_ROOT, 32 },
	};
	uint32_t type = le32_get(a->type);
	int rc;

	for (size_t i = 0; i < ARRAY_LEN(resident); i++)
		if (type == resident[i].type && (a->non_resident || le32_get(a->u.resident.value_len) < resident[i].min_len))
			return err_set(e, ERR_CORRUPT, "its value does not lie in the record, or is too short");
	/* Not even Windows can compress these. */
	if (type != NTFS_DATA && type != NTFS_LOGGED_UTILITY_STREAM && (le16_get(a->flags) & NTFS_ATTR_COMPRESSION_MASK) &&
	    a->non_resident)
		return err_set(e, ERR_CORRUPT, "it is compressed");
	if (!a->non_resident)
		return 0;
	rc = le64_get(a->u.runs.lowest_vcn) == 0 ? judge_sizes(x, a, e) : 0;
	return rc < 0 ? rc : judge_runs(x, a, at, e);
}

/* ---- records ---- */

/* The device's byte of a record, before the library has loaded the table: by the runs of record 0. */
static int place_early(struct nt *x, uint64_t number, uint64_t *off, struct err *e)
{
	uint64_t at = number * x->super.record_size, cluster = at >> x->super.cluster_bits, vcn = 0, len = 0;
	const uint8_t *attr_at = NULL;
	struct nt_attr_raw a;
	size_t pos = 0, run = 0;
	int64_t lcn = 0;
	bool hole = false;
	int rc;

	*off = x->super.mft_off + at;
	if (number == 0 || !x->base)
		return 0;
	while ((rc = nt_attr_next(x->base, x->super.record_size, &pos, &a, &attr_at, e)) > 0)
		if (le32_get(a.type) == NTFS_DATA && a.name_len == 0 && a.non_resident)
			break;
	if (rc == 0)
		return err_set(e, ERR_CORRUPT, "the table has no runs");
	run = rc > 0 ? le16_get(a.u.runs.runs_off) : 0;
	while (rc > 0 && (rc = run_next(attr_at, le32_get(a.len), &run, &len, &lcn, &hole, e)) > 0) {
		if (!hole && cluster >= vcn && cluster - vcn < len) {
			*off = (((uint64_t)lcn + (cluster - vcn)) << x->super.cluster_bits) +
			       (at & ((1ULL << x->super.cluster_bits) - 1));
			return 0;
		}
		vcn += len;
	}
	return rc < 0 ? rc : err_set(e, ERR_CORRUPT, "the first record of the table does not tell where this one is");
}

static int record_read(struct nt *x, uint64_t number, uint8_t *buf, struct err *e)
{
	size_t size = x->super.record_size;
	uint64_t off = 0;
	int rc;

	if (x->vol) {
		nt_lib_start(x);
		if (number >= (uint64_t)x->vol->mft_na->initialized_size / size)
			return err_set(e, ERR_CORRUPT, "the table has records for %" PRIu64 " only",
				       (uint64_t)x->vol->mft_na->initialized_size / size);
		if (ntfs_attr_pread(x->vol->mft_na, (s64)(number * size), (s64)size, buf) != (s64)size)
			return nt_lib_error(x, "master file table", e);
		return 0;
	}
	rc = place_early(x, number, &off, e);
	return rc < 0 ? rc : nt_dev_read(x, buf, size, off, e);
}

static int judge_record(struct nt *x, uint8_t *record, struct err *e)
{
	struct nt_record_raw h;
	struct nt_attr_raw a;
	const uint8_t *at = NULL;
	uint32_t previous = 0;
	size_t pos = 0;
	int rc;

	if (memcmp(record, "FILE", 4) != 0)
		return err_set(e, ERR_CORRUPT, "it is no record of a file");
	if (!nt_fixup(record, x->super.record_size))
		return err_set(e, ERR_CORRUPT, "it was not written whole");
	memcpy(&h, record, sizeof h);
	if (le32_get(h.allocated) != x->super.record_size)
		return err_set(e, ERR_CORRUPT, "a record of %" PRIu32 " bytes", le32_get(h.allocated));
	while ((rc = nt_attr_next(record, x->super.record_size, &pos, &a, &at, e)) > 0) {
		if (le32_get(a.type) < previous)
			return err_set(e, ERR_CORRUPT, "attributes out of order");
		previous = le32_get(a.type);
		rc = judge_attr(x, &a, at, e);
		if (rc < 0)
			return err_in(e, rc, "attribute 0x%" PRIx32, previous);
	}
	return rc;
}

/* ---- attribute lists ---- */

/* The list's bytes, wherever they are; *list NULL when there is none. */
static int list_load(struct nt *x, const uint8_t *record, uint8_t **list, size_t *size, struct err *e)
{
	struct nt_attr_raw a;
	const uint8_t *at = NULL;
	size_t pos = 0, run, got = 0;
	uint64_t len = 0;
	int64_t lcn = 0;
	bool hole = false;
	int rc;

	*list = NULL;
	while ((rc = nt_attr_next(record, x->super.record_size, &pos, &a, &at, e)) > 0)
		if (le32_get(a.type) == NTFS_ATTRIBUTE_LIST)
			break;
	if (rc <= 0)
		return rc;
	len = a.non_resident ? le64_get(a.u.runs.size) : le32_get(a.u.resident.value_len);
	if (len == 0 || len > LIMIT_NTFS_ATTR_LIST)
		return err_set(e, len ? ERR_LIMIT : ERR_CORRUPT, "an attribute list of %" PRIu64 " bytes", len);
	*size = (size_t)len;
	*list = alloc_zero(*size);
	if (!*list)
		return err_nomem(e);
	if (!a.non_resident) {
		memcpy(*list, at + le16_get(a.u.resident.value_off), *size);
		return 0;
	}
	if (le64_get(a.u.runs.initialized) != len || le16_get(a.flags) & (NTFS_ATTR_SPARSE | NTFS_ATTR_ENCRYPTED))
		return err_set(e, ERR_CORRUPT, "an attribute list that is not written whole");
	run = le16_get(a.u.runs.runs_off);
	while (got < *size && (rc = run_next(at, le32_get(a.len), &run, &len, &lcn, &hole, e)) > 0) {
		size_t n = (size_t)MIN_OF((uint64_t)(*size - got), len << x->super.cluster_bits);

		rc = hole ? err_set(e, ERR_CORRUPT, "an attribute list with a hole")
			  : nt_dev_read(x, *list + got, n, (uint64_t)lcn << x->super.cluster_bits, e);
		if (rc < 0)
			return rc;
		got += n;
	}
	return rc;
}

/* A further record of a file. */
static int judge_extent(struct nt *x, uint64_t number, uint64_t reference, struct err *e)
{
	uint8_t record[RECORD_SIZE_MAX];
	struct nt_record_raw h;
	uint64_t other = reference & 0xffffffffffff;
	int rc = record_read(x, other, record, e);

	if (rc == 0)
		rc = judge_record(x, record, e);
	if (rc < 0)
		return err_in(e, rc, "record %" PRIu64, other);
	memcpy(&h, record, sizeof h);
	if (!(le16_get(h.flags) & NTFS_RECORD_IN_USE) || (le64_get(h.base) & 0xffffffffffff) != number ||
	    le16_get(h.sequence) != reference >> 48)
		return err_set(e, ERR_CORRUPT, "record %" PRIu64 " is not a part of it", other);
	return 0;
}

/* It ends: pos grows by an entry's length, which is at least that of its head. */
static int judge_list(struct nt *x, uint64_t number, const uint8_t *list, size_t size, struct err *e)
{
	uint64_t last = number;
	uint32_t previous = 0;

	for (size_t pos = 0; pos < size;) {
		struct list_entry ent;
		uint64_t reference;
		int rc;

		if (!range_in(pos, LIST_ENTRY_SIZE, size))
			return err_set(e, ERR_CORRUPT, "an attribute list that ends in the middle of an entry");
		memcpy(&ent, list + pos, sizeof ent);
		if (le16_get(ent.len) < LIST_ENTRY_SIZE || le16_get(ent.len) % 8 || !range_in(pos, le16_get(ent.len), size) ||
		    (ent.name_len && (ent.name_off < LIST_ENTRY_SIZE ||
				      !range_in(ent.name_off, 2u * ent.name_len, le16_get(ent.len)))))
			return err_set(e, ERR_CORRUPT, "an entry of %u bytes in an attribute list", le16_get(ent.len));
		if (le32_get(ent.type) < previous || le32_get(ent.type) == NTFS_END)
			return err_set(e, ERR_CORRUPT, "an attribute list out of order");
		previous = le32_get(ent.type);
		reference = le64_get(ent.reference);
		if ((reference & 0xffffffffffff) != number && reference != last) {
			rc = judge_extent(x, number, reference, e);
			if (rc < 0)
				return rc;
			last = reference;
		}
		pos += le16_get(ent.len);
	}
	return 0;
}

static int judge_all(struct nt *x, uint64_t number, uint8_t *record, uint16_t sequence, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *list = NULL;
	struct nt_record_raw h;
	size_t size = 0;
	int rc = judge_record(x, record, e);

	if (rc < 0)
		return rc;
	memcpy(&h, record, sizeof h);
	if (!(le16_get(h.flags) & NTFS_RECORD_IN_USE))
		return err_set(e, ERR_CORRUPT, "it is not in use");
	if (le64_get(h.base))
		return err_set(e, ERR_CORRUPT, "it is a part of another file");
	if (sequence && le16_get(h.sequence) != sequence)
		return err_set(e, ERR_CORRUPT, "another file has its record by now");
	rc = list_load(x, record, &list, &size, e);
	return rc < 0 || !list ? rc : judge_list(x, number, list, size, e);
}

int nt_file_judge(struct nt *x, uint64_t number, uint16_t sequence, struct err *e)
{
	uint8_t record[RECORD_SIZE_MAX];
	int rc = record_read(x, number, record, e);

	return rc < 0 ? rc : judge_all(x, number, record, sequence, e);
}

/* ---- the table itself ---- */

/* The copies of the first records lie one after the other. */
static bool copy_is_good(struct nt *x, uint64_t number, uint8_t *record)
{
	uint64_t off = x->super.mftmirr_off + number * x->super.record_size;

	return nt_dev_read(x, record, x->super.record_size, off, NULL) == 0 && judge_record(x, record, NULL) == 0;
}

/* The table begins where the boot sector says, as plain data: else the library gives up half way. */
static int judge_table(struct nt *x, struct err *e)
{
	const uint8_t *at = NULL;
	struct nt_attr_raw a;
	size_t pos = 0, run;
	uint64_t len = 0;
	int64_t lcn = 0;
	bool hole = true;
	int rc;

	while ((rc = nt_attr_next(x->base, x->super.record_size, &pos, &a, &at, e)) > 0)
		if (le32_get(a.type) == NTFS_DATA && a.name_len == 0)
			break;
	if (rc < 0)
		return rc;
	if (rc == 0 || !a.non_resident || le64_get(a.u.runs.lowest_vcn) ||
	    le16_get(a.flags) & (NTFS_ATTR_COMPRESSION_MASK | NTFS_ATTR_ENCRYPTED | NTFS_ATTR_SPARSE))
		return err_set(e, ERR_CORRUPT, "the table is no plain file");
	run = le16_get(a.u.runs.runs_off);
	rc = run_next(at, le32_get(a.len), &run, &len, &lcn, &hole, e);
	if (rc >= 0 && (rc == 0 || hole || (uint64_t)lcn << x->super.cluster_bits != x->super.mft_off))
		return err_set(e, ERR_CORRUPT, "the table does not begin where the boot sector says");
	return MIN_OF(rc, 0);
}

int nt_table_judge(struct nt *x, unsigned *ncopies, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *record = alloc_bytes(RECORD_SIZE_MAX);
	int rc = 0;

	*ncopies = 0;
	x->base = alloc_bytes(x->super.record_size);
	if (!record || !x->base)
		return err_nomem(e);
	for (unsigned number = 0; number < 4; number++) {
		uint64_t off = 0;
		struct err why = ERR_INIT;

		rc = place_early(x, number, &off, &why);
		if (rc == 0)
			rc = nt_dev_read(x, record, x->super.record_size, off, &why);
		if (rc == 0)
			rc = judge_record(x, record, &why);
		if (rc == -ERR_NOMEM)
			return err_nomem(e);
		if (rc < 0 && off && copy_is_good(x, number, record)) {
			x->patches[x->npatches++] = (struct nt_patch){
				.off = off, .from = x->super.mftmirr_off + (uint64_t)number * x->super.record_size
			};
			(*ncopies)++;
			rc = 0;
		}
		if (rc < 0) {
			if (e)
				*e = why;
			return err_in(e, rc, "record %u of the master file table, and its copy", number);
		}
		if (number == 0)
			memcpy(x->base, record, x->super.record_size);
	}
	rc = judge_table(x, e);
	/* Now that it is known where records are: the further records of the table itself, and of its mirror. */
	for (unsigned number = 0; rc == 0 && number < 2; number++) {
		rc = nt_file_judge(x, number, 0, e);
		if (rc < 0)
			return err_in(e, rc, "file %u", number);
	}
	return rc;
}
