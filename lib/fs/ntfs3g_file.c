/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ntfs3g_file.c - files of NTFS: opened by the library, told as ntfs-3g tells them by default (everything is root's and
 * open to all), read; the last few stay open.
 */
#include "ntfs3g.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

#define ATTR_HIDDEN 0x0002u
#define ATTR_SYSTEM 0x0004u
#define ATTR_REPARSE 0x0400u
#define UNIT_CLUSTERS 16 /* that are compressed together */
#define STREAMS_MAX 0xffff

/* Interix (Services for UNIX) keeps special files as system files with one of these magics. */
#define INTERIX_LINK "IntxLNK\1"
#define INTERIX_CHAR "IntxCHR\0"
#define INTERIX_BLOCK "IntxBLK\0"
struct interix_device {
	uint8_t magic[8];
	le64 major, minor;
};

int nt_node_of(uint64_t reference, uint64_t *node, struct err *e)
{
	uint64_t number = reference & 0xffffffffffff;

	if (number > UINT32_MAX)
		return err_set(e, ERR_CORRUPT, "record %" PRIu64 " is none of a master file table", number);
	*node = number | reference >> 48 << 48;
	return 0;
}

/* ---- attributes ---- */

/* As the library has it: in the order of the disk. */
static ATTR_TYPES lib_type(uint32_t type)
{
	le32 disk;
	uint32_t v;

	le32_put(&disk, type);
	memcpy(&v, &disk, sizeof v);
	return (ATTR_TYPES)v;
}

void nt_attr_putp(ntfs_attr **na)
{
	if (*na)
		ntfs_attr_close(*na);
	*na = NULL;
}

int nt_attr_get(struct nt *x, struct nt_file *file, uint32_t type, const le16 *name, unsigned len, ntfs_attr **na,
		struct err *e)
{
	ntfschar units[NTFS_NAME_UNITS];

	*na = NULL;
	if (len > NTFS_NAME_UNITS)
		return 0;
	if (len)
		memcpy(units, name, len * sizeof *units);
	nt_lib_start(x);
	*na = ntfs_attr_open(file->ni, lib_type(type), len ? units : AT_UNNAMED, len);
	if (!*na && (errno != ENOENT || x->io_err.code))
		return nt_lib_error(x, "attribute", e);
	if (*na && ((*na)->data_size < 0 || (*na)->initialized_size < 0 || (*na)->initialized_size > (*na)->data_size)) {
		nt_attr_putp(na);
		return err_set(e, ERR_CORRUPT, "an attribute of an impossible size");
	}
	return 0;
}

int nt_attr_read(struct nt *x, ntfs_attr *na, void *buf, size_t len, uint64_t off, struct err *e)
{
	uint8_t *p = buf;

	if (!range_in(off, len, (uint64_t)na->data_size))
		return err_set(e, ERR_CORRUPT, "byte %" PRIu64 " of an attribute of %" PRIu64, off + len, (uint64_t)na->data_size);
	/* Each turn reads something. */
	while (len > 0) {
		s64 got;

		nt_lib_start(x);
		got = ntfs_attr_pread(na, (s64)off, (s64)len, p);
		if (got <= 0 || (uint64_t)got > len)
			return nt_lib_error(x, "data", e);
		p += got;
		off += (uint64_t)got;
		len -= (size_t)got;
	}
	return 0;
}

int nt_attr_load(struct nt *x, struct nt_file *file, uint32_t type, const le16 *name, unsigned len, size_t max,
		 uint8_t **value, size_t *size, struct err *e)
{
	CLEANUP(nt_attr_putp) ntfs_attr *na = NULL;
	CLEANUP(free_ptr) uint8_t *buf = NULL;
	int rc = nt_attr_get(x, file, type, name, len, &na, e);

	*value = NULL;
	*size = 0;
	if (rc < 0 || !na)
		return rc;
	if ((uint64_t)na->data_size > max)
		return err_set(e, ERR_LIMIT, "attribute 0x%" PRIx32 " of %" PRId64 " bytes", type, (int64_t)na->data_size);
	buf = alloc_bytes((size_t)na->data_size + 1);
	if (!buf)
		return err_nomem(e);
	rc = nt_attr_read(x, na, buf, (size_t)na->data_size, 0, e);
	if (rc < 0)
		return rc;
	*size = (size_t)na->data_size;
	*value = take(buf);
	return 0;
}

/* ---- streams ---- */

static void ctx_putp(ntfs_attr_search_ctx **ctx)
{
	if (*ctx)
		ntfs_attr_put_search_ctx(*ctx);
	*ctx = NULL;
}

/* It ends: attributes are numbered. */
int nt_streams(struct nt *x, struct nt_file *file,
	       int (*fn)(void *arg, unsigned number, const struct nt_stream *s, struct err *e), void *arg, struct err *e)
{
	CLEANUP(ctx_putp) ntfs_attr_search_ctx *ctx = NULL;
	unsigned number = 0;

	nt_lib_start(x);
	ctx = ntfs_attr_get_search_ctx(file->ni, NULL);
	if (!ctx)
		return err_nomem(e);
	for (unsigned i = 0; i < STREAMS_MAX; i++) {
		struct nt_attr_raw a = { .name_len = 0 };
		struct nt_stream s;
		const uint8_t *at;
		int rc;

		nt_lib_start(x);
		if (ntfs_attr_lookup(lib_type(NTFS_DATA), NULL, 0, CASE_SENSITIVE, 0, NULL, 0, ctx))
			return errno == ENOENT && !x->io_err.code ? 0 : nt_lib_error(x, "streams", e);
		at = (const uint8_t *)ctx->attr;
		memcpy(&a, at, NTFS_ATTR_RESIDENT_SIZE);
		if (a.non_resident)
			memcpy(&a, at, NTFS_ATTR_RUNS_SIZE);
		if (a.name_len == 0 || (a.non_resident && le64_get(a.u.runs.lowest_vcn)))
			continue;
		number++;
		s.len = a.name_len;
		for (unsigned k = 0; k < s.len; k++) {
			le16 unit;

			memcpy(&unit, at + le16_get(a.name_off) + 2 * k, sizeof unit);
			s.name[k] = le16_get(unit);
		}
		s.size = a.non_resident ? le64_get(a.u.runs.size) : le32_get(a.u.resident.value_len);
		rc = fn(arg, number, &s, e);
		if (rc)
			return rc;
	}
	return err_set(e, ERR_LIMIT, "more than %d streams", STREAMS_MAX);
}

struct stream_search {
	unsigned number;
	struct nt_stream s;
};

static int stream_found(void *arg, unsigned number, const struct nt_stream *s, struct err *e)
{
	struct stream_search *search = arg;

	(void)e;
	if (number != search->number)
		return 0;
	search->s = *s;
	return 1;
}

/* The stream that a node names. */
static int open_stream(struct nt *x, struct nt_file *file, struct err *e)
{
	struct stream_search search = { .number = NTFS_STREAM_OF(file->node) };
	le16 name[NTFS_NAME_UNITS];
	int rc = nt_streams(x, file, stream_found, &search, e);

	if (rc < 0)
		return rc;
	if (rc == 0)
		return err_set(e, ERR_CORRUPT, "it has no stream %u", search.number);
	for (unsigned i = 0; i < search.s.len; i++)
		le16_put(&name[i], search.s.name[i]);
	rc = nt_attr_get(x, file, NTFS_DATA, name, search.s.len, &file->data, e);
	return rc == 0 && !file->data ? err_set(e, ERR_CORRUPT, "its stream %u is gone", search.number) : rc;
}

static int open_data(struct nt *x, struct nt_file *file, struct err *e)
{
	return file->data ? 0 : nt_attr_get(x, file, NTFS_DATA, NULL, 0, &file->data, e);
}

/* ---- opening ---- */

void nt_file_put(struct nt_file *file)
{
	if (!file || --file->refs > 0)
		return;
	nt_attr_putp(&file->data);
	if (file->ni)
		ntfs_inode_close(file->ni);
	free(file->reparse);
	free(file->target);
	free(file);
}

void nt_file_putp(struct nt_file **file)
{
	nt_file_put(*file);
	*file = NULL;
}

/* A system file may be Interix's: by its size, or by its magic. */
static int interix_kind(struct nt *x, struct nt_file *file, struct err *e)
{
	struct interix_device d;
	uint64_t size;
	int rc = open_data(x, file, e);

	if (rc < 0 || !file->data)
		return rc;
	size = (uint64_t)file->data->data_size;
	if (!(file->attributes & ATTR_HIDDEN) && size <= 1)
		file->kind = size ? NTFS_KIND_SOCKET : NTFS_KIND_FIFO;
	if (size <= sizeof d.magic || size > sizeof d.magic + 2 * LIMIT_PATH)
		return 0;
	memset(&d, 0, sizeof d);
	rc = nt_attr_read(x, file->data, &d, (size_t)MIN_OF(size, (uint64_t)sizeof d), 0, e);
	if (rc < 0)
		return rc;
	if (memcmp(d.magic, INTERIX_LINK, sizeof d.magic) == 0)
		file->kind = NTFS_KIND_LINK;
	else if (size == sizeof d && memcmp(d.magic, INTERIX_CHAR, sizeof d.magic) == 0)
		file->kind = NTFS_KIND_CHAR;
	else if (size == sizeof d && memcmp(d.magic, INTERIX_BLOCK, sizeof d.magic) == 0)
		file->kind = NTFS_KIND_BLOCK;
	file->rdev_major = (uint32_t)le64_get(d.major);
	file->rdev_minor = (uint32_t)le64_get(d.minor);
	return 0;
}

static int find_kind(struct nt *x, struct nt_file *file, struct err *e)
{
	struct nt_record_raw h;
	le32 attributes;

	memcpy(&h, file->ni->mrec, sizeof h);
	memcpy(&attributes, &file->ni->flags, sizeof attributes);
	file->attributes = le32_get(attributes);
	file->kind = NTFS_KIND_FILE;
	if (NTFS_STREAM_OF(file->node))
		return open_stream(x, file, e);
	if (file->attributes & ATTR_REPARSE)
		return nt_reparse_kind(x, file, e);
	if (le16_get(h.flags) & NTFS_RECORD_DIR) {
		file->kind = NTFS_KIND_DIR;
		return 0;
	}
	return file->attributes & ATTR_SYSTEM ? interix_kind(x, file, e) : 0;
}

int nt_file_get(struct nt *x, uint64_t node, struct nt_file **out, struct err *e)
{
	CLEANUP(nt_file_putp) struct nt_file *file = NULL;
	struct nt_file **slot = &x->files[0];
	int rc;

	for (size_t i = 0; i < NTFS_OPEN_FILES; i++) {
		if (x->files[i] && x->files[i]->node == node) {
			*out = x->files[i];
			(*out)->used = ++x->clock;
			(*out)->refs++;
			return 0;
		}
		if (*slot && (!x->files[i] || x->files[i]->used < (*slot)->used))
			slot = &x->files[i];
	}
	file = alloc_zero(sizeof *file);
	if (!file)
		return err_nomem(e);
	file->refs = 1;
	file->node = node;
	rc = nt_file_judge(x, NTFS_RECORD_OF(node), NTFS_SEQUENCE_OF(node), e);
	if (rc == 0) {
		nt_lib_start(x);
		file->ni = ntfs_inode_open(x->vol, NTFS_RECORD_OF(node));
		rc = file->ni ? find_kind(x, file, e) : nt_lib_error(x, "opening", e);
	}
	if (rc < 0)
		return err_in(e, rc, "file %" PRIu32, NTFS_RECORD_OF(node));
	nt_file_put(*slot);
	*slot = file;
	file->refs++;
	file->used = ++x->clock;
	*out = take(file);
	return 0;
}

/* ---- stat ---- */

/* Tenths of microseconds since 1601, signed. */
static struct fs_time time_of(const void *disk)
{
	le64 v;
	int64_t t, sec;

	memcpy(&v, disk, sizeof v);
	t = (int64_t)le64_get(v);
	sec = t / 10000000 - (t % 10000000 < 0);
	return (struct fs_time){ .sec = sec - 11644473600, .nsec = (uint32_t)(t - sec * 10000000) * 100 };
}

/* A directory is as large as its blocks; a small one has none. */
static int dir_size(struct nt *x, struct nt_file *dir, struct fs_stat *out, struct err *e)
{
	CLEANUP(nt_attr_putp) ntfs_attr *na = NULL;
	int rc = nt_attr_get(x, dir, NTFS_INDEX_ALLOCATION, nt_i30, ARRAY_LEN(nt_i30), &na, e);

	if (rc == 0 && na) {
		out->size = (uint64_t)na->data_size;
		out->blocks512 = (uint64_t)na->allocated_size / 512;
	}
	return rc;
}

int nt_file_stat(struct nt *x, struct nt_file *file, struct fs_stat *out, struct err *e)
{
	static const uint32_t types[] = {
		[NTFS_KIND_FILE] = S_IFREG, [NTFS_KIND_DIR] = S_IFDIR,	  [NTFS_KIND_LINK] = S_IFLNK, [NTFS_KIND_FIFO] = S_IFIFO,
		[NTFS_KIND_SOCKET] = S_IFSOCK, [NTFS_KIND_CHAR] = S_IFCHR, [NTFS_KIND_BLOCK] = S_IFBLK,
	};
	const ntfs_inode *ni = file->ni;
	struct nt_record_raw h;
	int rc = 0;

	memcpy(&h, ni->mrec, sizeof h);
	out->ino = NTFS_RECORD_OF(file->node);
	/* The special files of Windows' subsystem for Linux are nobody's. */
	out->mode = types[file->kind] | (file->reparse && file->kind != NTFS_KIND_LINK ? 0 : 0777);
	out->nlink = file->kind == NTFS_KIND_DIR ? 1 : le16_get(h.nlinks);
	out->atime = time_of(&ni->last_access_time);
	out->mtime = time_of(&ni->last_data_change_time);
	out->ctime = time_of(&ni->last_mft_change_time);
	out->crtime = time_of(&ni->creation_time);
	out->has_crtime = true;
	out->rdev_major = file->kind == NTFS_KIND_CHAR || file->kind == NTFS_KIND_BLOCK ? file->rdev_major : 0;
	out->rdev_minor = file->kind == NTFS_KIND_CHAR || file->kind == NTFS_KIND_BLOCK ? file->rdev_minor : 0;
	if (NTFS_STREAM_OF(file->node)) {
		out->size = (uint64_t)file->data->data_size;
		out->blocks512 = (uint64_t)file->data->allocated_size / 512;
	} else if (file->kind == NTFS_KIND_DIR) {
		rc = dir_size(x, file, out, e);
	} else {
		out->size = (uint64_t)MAX_OF(ni->data_size, 0);
		out->blocks512 = div_round_up((uint64_t)MAX_OF(ni->allocated_size, 0), 512);
	}
	if (file->kind == NTFS_KIND_LINK) {
		rc = nt_link_load(x, file, e);
		if (rc == 0)
			out->size = strlen(file->target);
	}
	return rc < 0 ? err_in(e, rc, "file %" PRIu32, NTFS_RECORD_OF(file->node)) : 0;
}

/* ---- bytes ---- */

int nt_file_read(struct nt *x, struct nt_file *file, void *buf, size_t len, uint64_t off, size_t *got, struct err *e)
{
	int rc = open_data(x, file, e);

	*got = 0;
	if (rc == 0 && file->data && off < (uint64_t)file->data->data_size) {
		len = (size_t)MIN_OF((uint64_t)len, (uint64_t)file->data->data_size - off);
		rc = nt_attr_read(x, file->data, buf, len, off, e);
		if (rc == 0)
			*got = len;
	}
	return rc < 0 ? err_in(e, rc, "file %" PRIu32, NTFS_RECORD_OF(file->node)) : 0;
}

/* The run that holds a cluster: how many clusters from there, and whether it is a hole. */
static int run_at(struct nt *x, ntfs_attr *na, uint64_t vcn, uint64_t *len, bool *hole, struct err *e)
{
	const runlist_element *rl;
	int64_t behind;

	nt_lib_start(x);
	rl = ntfs_attr_find_vcn(na, (VCN)vcn);
	behind = rl ? (VCN)vcn - rl->vcn : 0;
	if (!rl || behind < 0 || rl->length <= behind)
		return nt_lib_error(x, "runs", e);
	*len = (uint64_t)(rl->length - behind);
	*hole = rl->lcn < 0;
	return 0;
}

/* The same of a compressed attribute: a unit of zeros has no cluster; one with a cluster ends in a hole that is none. */
static int unit_at(struct nt *x, ntfs_attr *na, uint64_t vcn, uint64_t *len, bool *hole, struct err *e)
{
	uint64_t skip = vcn % UNIT_CLUSTERS;
	int rc = run_at(x, na, vcn - skip, len, hole, e);

	if (rc == 0 && *hole && *len >= UNIT_CLUSTERS) {
		*len -= *len % UNIT_CLUSTERS + skip;
	} else {
		*hole = false;
		*len = UNIT_CLUSTERS - skip;
	}
	return rc;
}

static bool is_compressed(const ntfs_attr *na)
{
	le16 flags;

	memcpy(&flags, &na->data_flags, sizeof flags);
	return le16_get(flags) & NTFS_ATTR_COMPRESSED;
}

/* What was never written, behind the initialized size, is a hole like any other. */
int nt_file_extent(struct nt *x, struct nt_file *file, uint64_t off, uint64_t *len, bool *hole, struct err *e)
{
	unsigned bits = x->super.cluster_bits;
	uint64_t size, written, at = off;
	int rc = open_data(x, file, e);

	if (rc < 0 || !file->data || off >= (uint64_t)file->data->data_size)
		return rc;
	size = (uint64_t)file->data->data_size;
	written = NAttrNonResident(file->data) ? (uint64_t)file->data->initialized_size : size;
	if (off >= written || !NAttrNonResident(file->data)) {
		*hole = off >= written;
		*len = size - off;
		return 0;
	}
	/* at only grows: a run has at least one cluster. */
	while (at < written) {
		uint64_t n = 0;
		bool is_hole = false;

		rc = is_compressed(file->data) ? unit_at(x, file->data, at >> bits, &n, &is_hole, e)
					       : run_at(x, file->data, at >> bits, &n, &is_hole, e);
		if (rc < 0)
			return err_in(e, rc, "file %" PRIu32, NTFS_RECORD_OF(file->node));
		if (at == off)
			*hole = is_hole;
		else if (*hole != is_hole)
			break;
		at = ((at >> bits) + n) << bits;
	}
	if (at >= written)
		at = *hole ? size : written;
	*len = at - off;
	return 0;
}
