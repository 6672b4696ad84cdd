/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ntfs3g_volume.c - an NTFS volume: opened by libntfs-3g once its first records are judged; what state it was left in; how
 * full it is.
 *
 * Nothing is replayed and nothing is marked: a volume that Windows did not close is read as it is, and that is said.
 */
#include "ntfs3g.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"

#include <inttypes.h>
#include <stdio.h>

#define VOLUME_DIRTY 0x0001
#define UPCASE_BYTES (2 * 65536)
#define LOG_PAGE_MAX 65536

static void notice(struct fs *fs, const char *text)
{
	size_t n = strlen(fs->notice);

	snprintf(fs->notice + n, sizeof fs->notice - n, "%s%s", n ? "; " : "", text);
}

/* ---- how Windows left it ---- */

/* Version and flags, which are kept in file 3. */
static int read_volume_file(struct nt *x, bool *dirty, struct err *e)
{
	CLEANUP(nt_file_putp) struct nt_file *file = NULL;
	CLEANUP(free_ptr) uint8_t *info = NULL;
	size_t size = 0;
	le16 flags;
	int rc = nt_file_get(x, NTFS_FILE_VOLUME, &file, e);

	if (rc == 0)
		rc = nt_attr_load(x, file, NTFS_VOLUME_INFORMATION, NULL, 0, x->super.record_size, &info, &size, e);
	if (rc < 0)
		return rc;
	if (size < 12)
		return err_set(e, ERR_CORRUPT, "the volume's version and state are missing");
	x->version = (unsigned)info[8] << 8 | info[9];
	if (info[8] < 1 || info[8] > 3)
		return err_set(e, ERR_UNSUPPORTED, "version %u.%u of NTFS", info[8], info[9]);
	memcpy(&flags, info + 10, sizeof flags);
	*dirty = le16_get(flags) & VOLUME_DIRTY;
	return 0;
}

struct restart_page {
	uint8_t magic[4];
	le16 fixups_off, nfixups;
	le64 chkdsk_lsn;
	le32 system_page_size, log_page_size;
	le16 area_off, minor, major;
};
struct restart_area {
	le64 lsn;
	le16 nclients, client_free, client_in_use, flags;
};
enum { RESTART_CLEAN = 2, NO_CLIENT = 0xffff };

/*
 * $LogFile begins with two restart pages, of which the one that was written last counts.  It is clean when no client has
 * the log open, or when the page says so; a log that holds nothing but 0xff was emptied.
 */
static int read_log(struct nt *x, bool *clean, struct err *e)
{
	CLEANUP(nt_file_putp) struct nt_file *file = NULL;
	CLEANUP(free_ptr) uint8_t *page = alloc_bytes(LOG_PAGE_MAX);
	uint64_t newest = 0, off = 0;
	size_t got = 0;
	int rc = page ? nt_file_get(x, NTFS_FILE_LOG, &file, e) : err_nomem(e);

	*clean = true;
	for (unsigned i = 0; rc == 0 && i < 2; i++) {
		struct restart_page h;
		struct restart_area area;
		size_t size, at;

		rc = nt_file_read(x, file, page, LOG_PAGE_MAX, off, &got, e);
		if (rc < 0 || got < 4096)
			break;
		memcpy(&h, page, sizeof h);
		size = le32_get(h.system_page_size);
		off = is_pow2(size) && size >= 512 && size <= LOG_PAGE_MAX ? size : 4096;
		/* Whatever is no page, or only half of one, does not tell that all was written. */
		if (memcmp(h.magic, "RSTR", sizeof h.magic) != 0 && memcmp(h.magic, "CHKD", sizeof h.magic) != 0) {
			if (i == 0 && memcmp(h.magic, "\xff\xff\xff\xff", sizeof h.magic) != 0)
				*clean = false;
			continue;
		}
		at = le16_get(h.area_off);
		if (size != off || size > got || !nt_fixup(page, size) || !range_in(at, sizeof area, size)) {
			if (i == 0)
				*clean = false;
			continue;
		}
		memcpy(&area, page + at, sizeof area);
		if (i > 0 && le64_get(area.lsn) <= newest)
			continue;
		newest = le64_get(area.lsn);
		*clean = le16_get(area.client_in_use) == NO_CLIENT || (le16_get(area.flags) & RESTART_CLEAN);
	}
	return rc < 0 ? err_in(e, rc, "$LogFile") : 0;
}

/* Windows that was hibernated, or shut down to start fast, leaves its memory in a file with this magic. */
static int read_hibernation(struct nt *x, struct fs *fs, bool *hibernated, struct err *e)
{
	CLEANUP(nt_file_putp) struct nt_file *file = NULL;
	uint8_t magic[4] = { 0 };
	uint64_t node = 0;
	size_t got = 0;
	int rc;

	*hibernated = false;
	rc = fs_lookup(fs, fs->root, "hiberfil.sys", &node, NULL);
	if (rc < 0)
		return rc == -ERR_NOMEM ? err_nomem(e) : 0;
	rc = nt_file_get(x, node, &file, NULL);
	if (rc == 0)
		rc = nt_file_read(x, file, magic, sizeof magic, 0, &got, NULL);
	*hibernated = rc == 0 && got == sizeof magic && (memcmp(magic, "hibr", 4) == 0 || memcmp(magic, "HIBR", 4) == 0);
	return rc == -ERR_NOMEM ? err_nomem(e) : 0;
}

/* ---- opening ---- */

static int read_upcase(struct nt *x, struct err *e)
{
	CLEANUP(nt_file_putp) struct nt_file *file = NULL;
	CLEANUP(free_ptr) uint8_t *bytes = NULL;
	size_t size = 0;
	int rc = nt_file_get(x, NTFS_FILE_UPCASE, &file, e);

	if (rc == 0)
		rc = nt_attr_load(x, file, NTFS_DATA, NULL, 0, UPCASE_BYTES, &bytes, &size, e);
	if (rc < 0)
		return rc;
	if (size != UPCASE_BYTES)
		return err_set(e, ERR_CORRUPT, "the table of upper case has %zu bytes", size);
	x->upcase = alloc_array(65536, sizeof *x->upcase);
	if (!x->upcase)
		return err_nomem(e);
	for (size_t i = 0; i < 65536; i++)
		x->upcase[i] = (uint16_t)(bytes[2 * i] | bytes[2 * i + 1] << 8);
	return 0;
}

static int start_library(struct nt *x, struct err *e)
{
	x->device = nt_dev_new(x);
	if (!x->device)
		return err_nomem(e);
	nt_lib_start(x);
	x->vol = ntfs_volume_startup(x->device, NTFS_MNT_RDONLY | NTFS_MNT_FORENSIC);
	return x->vol ? 0 : nt_lib_error(x, "master file table", e);
}

int nt_volume_open(struct nt *x, struct fs *fs, struct err *e)
{
	bool dirty = false, clean = true, hibernated = false;
	unsigned ncopies = 0;
	int rc;

	x->dev = fs->dev;
	if (!range_in(0, x->super.size, block_size(fs->dev)))
		return err_set(e, ERR_CORRUPT, "the volume has %" PRIu64 " bytes, but there are only %" PRIu64, x->super.size,
			       block_size(fs->dev));
	rc = lines_init(&x->io, fs->dev, 16 * KiB, 64, e);
	if (rc == 0)
		rc = nt_table_judge(x, &ncopies, e);
	if (rc == 0)
		rc = start_library(x, e);
	if (rc == 0)
		rc = read_volume_file(x, &dirty, e);
	if (rc < 0)
		return rc;
	/* The library wants to know whether there may be compression, and opens nothing more by itself. */
	x->vol->major_ver = (u8)(x->version >> 8);
	x->vol->minor_ver = (u8)x->version;
	fs->root = NTFS_FILE_ROOT;
	rc = read_upcase(x, e);
	if (rc == 0)
		rc = read_log(x, &clean, e);
	if (rc == 0)
		rc = read_hibernation(x, fs, &hibernated, e);
	if (rc < 0)
		return rc;
	if (ncopies)
		notice(fs, "the start of the master file table is damaged: its mirror is read");
	if (hibernated)
		notice(fs, "Windows is hibernated: what it has in memory is not in the files");
	if (dirty)
		notice(fs, "the volume is marked dirty");
	if (!clean)
		notice(fs, "$LogFile was not replayed: the last changes may be missing");
	return 0;
}

void nt_volume_close(struct nt *x)
{
	for (size_t i = 0; i < NTFS_OPEN_FILES; i++)
		nt_file_put(x->files[i]);
	/* Opened for reading: nothing is written back.  The device goes away with the volume. */
	if (x->vol)
		ntfs_umount(x->vol, TRUE);
	else if (x->device)
		ntfs_device_free(x->device);
	free(x->base);
	free(x->upcase);
	lines_free(&x->io);
}

/* ---- statfs ---- */

/* Zero bits among the first nbits of an attribute, which are all when it has fewer. */
static int count_zeros(struct nt *x, ntfs_attr *na, uint64_t nbits, uint64_t *out, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *buf = alloc_bytes(64 * KiB);
	uint64_t len = MIN_OF((uint64_t)na->data_size, div_round_up(nbits, 8)), nset = 0;

	if (!buf)
		return err_nomem(e);
	nbits = MIN_OF(nbits, len * 8);
	for (uint64_t off = 0; off < len; off += 64 * KiB) {
		size_t n = (size_t)MIN_OF(64 * KiB, len - off);
		int rc = nt_attr_read(x, na, buf, n, off, e);

		if (rc < 0)
			return rc;
		if (off + n == len && nbits % 8)
			buf[n - 1] &= (uint8_t)((1u << nbits % 8) - 1);
		for (size_t i = 0; i < n; i++)
			nset += (unsigned)__builtin_popcount(buf[i]);
	}
	*out = nbits - nset;
	return 0;
}

/* As ntfs-3g counts: files are those that there are records for, and those that could be made of free clusters. */
int nt_statfs(struct nt *x, struct fs_usage *out, struct err *e)
{
	CLEANUP(nt_file_putp) struct nt_file *file = NULL;
	CLEANUP(nt_attr_putp) ntfs_attr *bitmap = NULL;
	const ntfs_attr *records = x->vol->mftbmp_na;
	uint64_t nfree = 0, nrecords = 0, more;
	int rc = nt_file_get(x, NTFS_FILE_BITMAP, &file, e);

	if (rc == 0)
		rc = nt_attr_get(x, file, NTFS_DATA, NULL, 0, &bitmap, e);
	if (rc == 0 && (!bitmap || (uint64_t)bitmap->data_size < div_round_up(x->super.nclusters, 8)))
		rc = err_set(e, ERR_CORRUPT, "the bitmap of clusters is too short");
	if (rc == 0)
		rc = count_zeros(x, bitmap, x->super.nclusters, &nfree, e);
	if (rc == 0)
		rc = count_zeros(x, x->vol->mftbmp_na, (uint64_t)records->data_size * 8, &nrecords, e);
	if (rc < 0)
		return rc;
	more = (nfree << x->super.cluster_bits) / x->super.record_size;
	out->block_size = 1ULL << x->super.cluster_bits;
	out->blocks = x->super.nclusters;
	out->blocks_free = out->blocks_avail = nfree;
	out->inodes = (uint64_t)records->allocated_size * 8 + more;
	out->inodes_free = nrecords + (uint64_t)(records->allocated_size - records->data_size) * 8 + more;
	return 0;
}
