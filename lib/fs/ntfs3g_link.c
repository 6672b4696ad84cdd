/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ntfs3g_link.c - reparse points: symlinks, junctions, and the special files of Windows' subsystem for Linux; and
 * Interix's symlinks.
 *
 * Windows names targets from a drive or from the root of a volume.  What is found on this volume is shown as a path
 * relative to the link, in the spelling of the directories, so that it holds wherever the volume is mounted.  What is
 * not found is on another drive: it is shown below .NTFS-3G in the root of the volume, where ntfs-3g lets users say what
 * that drive is.  Any other reparse point is a symlink whose target tells its tag, as ntfs-3g shows it.
 */
#include "ntfs3g.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>

enum {
	TAG_MOUNT_POINT = 0xa0000003,
	TAG_SYMLINK = 0xa000000c,
	TAG_LX_SYMLINK = 0xa000001d,
	TAG_AF_UNIX = 0x80000023,
	TAG_LX_FIFO = 0x80000024,
	TAG_LX_CHR = 0x80000025,
	TAG_LX_BLK = 0x80000026,
};
#define REPARSE_HEAD 8u
#define GUID_SIZE 16u
#define TAG_MICROSOFT 0x80000000u
#define TARGET_UNITS LIMIT_PATH
#define INTERIX_HEAD 8u

struct link_raw {
	le16 subst_off, subst_len, print_off, print_len;
};

/* ---- what kind of file it is ---- */

static uint32_t tag_of(const struct nt_file *file)
{
	le32 tag;

	if (file->reparse_len < REPARSE_HEAD)
		return 0;
	memcpy(&tag, file->reparse, sizeof tag);
	return le32_get(tag);
}

/* The bytes behind the head; false when their number is not the one that is claimed. */
static bool reparse_data(const struct nt_file *file, const uint8_t **data, size_t *len)
{
	size_t head = REPARSE_HEAD + (tag_of(file) & TAG_MICROSOFT ? 0 : GUID_SIZE);
	le16 claimed;

	if (file->reparse_len < head)
		return false;
	memcpy(&claimed, file->reparse + 4, sizeof claimed);
	*data = file->reparse + head;
	*len = file->reparse_len - head;
	return *len == le16_get(claimed);
}

/* A device of the subsystem for Linux keeps its numbers in an extended attribute.  pos grows by at least 8. */
static int lx_device(struct nt *x, struct nt_file *file, struct err *e)
{
	struct ea {
		le32 next;
		uint8_t flags, name_len;
		le16 value_len;
	} ea;
	static const char name[] = "$LXDEV";
	CLEANUP(free_ptr) uint8_t *list = NULL;
	size_t size = 0, value;
	int rc = nt_attr_load(x, file, NTFS_EA, NULL, 0, LIMIT_XATTR_SIZE, &list, &size, e);

	for (size_t pos = 0; rc == 0 && list && range_in(pos, sizeof ea, size);) {
		memcpy(&ea, list + pos, sizeof ea);
		value = pos + sizeof ea + ea.name_len + 1u;
		if (!range_in(value, le16_get(ea.value_len), size) || (le32_get(ea.next) && le32_get(ea.next) < sizeof ea))
			return err_set(e, ERR_CORRUPT, "its extended attributes run past their end");
		if (ea.name_len == sizeof name - 1 && memcmp(list + pos + sizeof ea, name, sizeof name - 1) == 0 &&
		    le16_get(ea.value_len) == 8) {
			le32 number[2];

			memcpy(number, list + value, sizeof number);
			file->rdev_major = le32_get(number[0]);
			file->rdev_minor = le32_get(number[1]);
			break;
		}
		if (le32_get(ea.next) == 0)
			break;
		pos += le32_get(ea.next);
	}
	return rc;
}

int nt_reparse_kind(struct nt *x, struct nt_file *file, struct err *e)
{
	const uint8_t *data;
	size_t len;
	int rc = nt_attr_load(x, file, NTFS_REPARSE_POINT, NULL, 0, LIMIT_NTFS_REPARSE, &file->reparse, &file->reparse_len, e);

	file->kind = NTFS_KIND_LINK;
	if (rc < 0 || !reparse_data(file, &data, &len) || len)
		return rc;
	switch (tag_of(file)) {
	case TAG_AF_UNIX:
		file->kind = NTFS_KIND_SOCKET;
		break;
	case TAG_LX_FIFO:
		file->kind = NTFS_KIND_FIFO;
		break;
	case TAG_LX_CHR:
		file->kind = NTFS_KIND_CHAR;
		break;
	case TAG_LX_BLK:
		file->kind = NTFS_KIND_BLOCK;
		break;
	default:
		break;
	}
	return file->kind == NTFS_KIND_CHAR || file->kind == NTFS_KIND_BLOCK ? lx_device(x, file, e) : 0;
}

/* ---- targets ---- */

/* The directory that holds a file, by the first of its names; the root is its own. */
static int parent_of(struct nt *x, struct nt_file *file, uint64_t *node, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *name = NULL;
	size_t size = 0;
	le64 parent;
	int rc = nt_attr_load(x, file, NTFS_FILE_NAME, NULL, 0, x->super.record_size, &name, &size, e);

	if (rc < 0)
		return rc;
	if (size < sizeof parent)
		return err_set(e, ERR_CORRUPT, "it has no name");
	memcpy(&parent, name, sizeof parent);
	return nt_node_of(le64_get(parent), node, e);
}

/* Adds what leads from the link's folder to the volume's root.  It ends: steps are counted. */
static int up_to_root(struct nt *x, uint64_t node, struct strbuf *out, struct err *e)
{
	for (unsigned depth = 0; depth <= LIMIT_DIR_DEPTH; depth++) {
		CLEANUP(nt_file_putp) struct nt_file *file = NULL;
		int rc = nt_file_get(x, node, &file, e);

		if (rc == 0)
			rc = parent_of(x, file, &node, e);
		if (rc < 0)
			return rc;
		if (NTFS_RECORD_OF(node) == NTFS_FILE_ROOT)
			return 0;
		strbuf_puts(out, "../");
	}
	return err_set(e, ERR_CORRUPT, "its folder is not below the root");
}

struct target {
	uint16_t units[TARGET_UNITS];
	size_t len;
};

static size_t part_end(const struct target *t, size_t pos)
{
	while (pos < t->len && t->units[pos] != '\\' && t->units[pos] != '/')
		pos++;
	return pos;
}

static bool part_is(const struct target *t, size_t pos, size_t end, const char *text)
{
	size_t len = strlen(text);

	if (end - pos != len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (t->units[pos + i] != (uint8_t)text[i])
			return false;
	return true;
}

/*
 * Walks from a directory along the parts of a path and gives them the spelling that they have there, up to what is not
 * found, is no directory, or is a link itself.  *found: nothing stood in the way, and what is there is a directory, or a
 * file, as it should be.  It ends: pos only grows.
 */
static int walk(struct nt *x, uint64_t node, struct target *t, size_t pos, bool want_dir, bool *found, struct err *e)
{
	*found = false;
	for (;;) {
		CLEANUP(nt_file_putp) struct nt_file *file = NULL;
		size_t end = part_end(t, pos);
		int rc = nt_file_get(x, node, &file, e);

		if (rc < 0)
			return rc;
		if (file->kind == NTFS_KIND_LINK || pos >= t->len) {
			*found = file->kind == NTFS_KIND_LINK || (file->kind == NTFS_KIND_DIR) == want_dir;
			return 0;
		}
		if (file->kind != NTFS_KIND_DIR)
			return 0;
		if (part_is(t, pos, end, ".."))
			rc = parent_of(x, file, &node, e);
		else if (!part_is(t, pos, end, ".") && end > pos)
			rc = nt_dir_find(x, file, t->units + pos, end - pos, &node, t->units + pos, e);
		if (rc < 0 || node == 0)
			return rc;
		pos = end + (end < t->len);
	}
}

static void add_path(struct strbuf *out, const struct target *t, size_t pos)
{
	char utf8[3 * TARGET_UNITS + 1];
	size_t n;

	n = text_from_utf16(t->units + pos, t->len - pos, utf8, sizeof utf8);
	for (size_t i = 0; i < n; i++)
		strbuf_putc(out, utf8[i] == '\\' ? '/' : utf8[i]);
}

/* A path from the root of the volume at `pos`; that of another drive when it is not found, if there is a drive at `drive`. */
static int absolute(struct nt *x, struct nt_file *file, struct target *t, size_t drive, size_t pos, struct strbuf *out,
		    struct err *e)
{
	struct nt_record_raw h;
	bool found = false;
	int rc = up_to_root(x, file->node, out, e);

	memcpy(&h, file->ni->mrec, sizeof h);
	if (rc == 0 && pos < t->len)
		rc = walk(x, NTFS_FILE_ROOT, t, pos, le16_get(h.flags) & NTFS_RECORD_DIR, &found, e);
	if (rc < 0)
		return rc;
	if (!found && drive < pos) {
		strbuf_puts(out, ".NTFS-3G/");
		if (t->units[drive] >= 'a' && t->units[drive] <= 'z')
			t->units[drive] -= 'a' - 'A';
		pos = drive;
	}
	add_path(out, t, pos);
	return 0;
}

static bool begins(const struct target *t, size_t pos, const char *text)
{
	size_t len = strlen(text);

	return t->len - pos >= len && part_is(t, pos, pos + len, text);
}

static bool has_drive(const struct target *t, size_t pos)
{
	return t->len - pos >= 3 && t->units[pos + 1] == ':' && t->units[pos + 2] == '\\';
}

/* 1 when it is a path that can be shown. */
static int translate(struct nt *x, struct nt_file *file, struct target *t, struct strbuf *out, struct err *e)
{
	bool full = begins(t, 0, "\\??\\") || begins(t, 0, "\\\\?\\"), found = false;
	size_t start = full ? 4 : 0;
	uint64_t parent = 0;
	int rc;

	if (has_drive(t, start)) {
		rc = absolute(x, file, t, start, start + 3, out, e);
	} else if (full && begins(t, start, "Volume{")) {
		/* No volume of ours knows its name for Windows. */
		if (t->units[t->len - 1] == '\\')
			t->len--;
		rc = up_to_root(x, file->node, out, e);
		strbuf_puts(out, ".NTFS-3G/");
		add_path(out, t, start);
	} else if (full || begins(t, 0, "\\\\") || t->len == 0) {
		return 0;
	} else if (t->units[0] == '\\') {
		rc = absolute(x, file, t, 1, 1, out, e);
	} else {
		rc = parent_of(x, file, &parent, e);
		if (rc == 0)
			rc = walk(x, parent, t, 0, true, &found, e);
		add_path(out, t, 0);
	}
	return rc < 0 ? rc : 1;
}

/* The name that counts, of a junction or a symlink: 1, or 0 when there is none. */
static int reparse_target(const struct nt_file *file, struct target *t)
{
	size_t head = sizeof(struct link_raw) + (tag_of(file) == TAG_SYMLINK ? 4 : 0), len = 0;
	const uint8_t *data = NULL;
	struct link_raw raw;

	if (!reparse_data(file, &data, &len) || len < head)
		return 0;
	memcpy(&raw, data, sizeof raw);
	t->len = le16_get(raw.subst_len) / 2u;
	if (!range_in(le16_get(raw.subst_off), le16_get(raw.subst_len), len - head) || t->len > TARGET_UNITS)
		return 0;
	for (size_t i = 0; i < t->len; i++) {
		le16 unit;

		memcpy(&unit, data + head + le16_get(raw.subst_off) + 2 * i, sizeof unit);
		t->units[i] = le16_get(unit);
		if (t->units[i] == 0)
			return 0;
	}
	return 1;
}

static int interix_target(struct nt *x, struct nt_file *file, struct strbuf *out, struct err *e)
{
	uint8_t bytes[INTERIX_HEAD + 2 * LIMIT_PATH];
	size_t got = 0;
	int rc = nt_file_read(x, file, bytes, sizeof bytes, 0, &got, e);

	if (rc == 0 && got > INTERIX_HEAD)
		text_utf16le(out, bytes + INTERIX_HEAD, (got - INTERIX_HEAD) / 2);
	return rc;
}

static int load(struct nt *x, struct nt_file *file, struct strbuf *out, struct err *e)
{
	CLEANUP(free_ptr) struct target *t = NULL;
	const uint8_t *data = NULL;
	size_t len = 0;
	int rc = 0;

	if (!file->reparse)
		return interix_target(x, file, out, e);
	t = alloc_zero(sizeof *t);
	if (!t)
		return err_nomem(e);
	if (tag_of(file) == TAG_MOUNT_POINT || tag_of(file) == TAG_SYMLINK) {
		rc = reparse_target(file, t) ? translate(x, file, t, out, e) : 0;
	} else if (tag_of(file) == TAG_LX_SYMLINK && reparse_data(file, &data, &len) && len > 4 && data[0] == 2) {
		/* Its version, then UTF-8. */
		strbuf_add(out, data + 4, strnlen((const char *)data + 4, len - 4));
		rc = 1;
	}
	if (rc < 0)
		return rc;
	if (rc == 0 || out->len == 0) {
		strbuf_reset(out);
		strbuf_printf(out, "unsupported reparse tag 0x%08" PRIx32, tag_of(file));
	}
	return 0;
}

int nt_link_load(struct nt *x, struct nt_file *file, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	int rc = file->target ? 0 : load(x, file, &out, e);

	if (rc < 0 || file->target)
		return rc;
	if (out.len == 0 || out.len >= LIMIT_PATH)
		return err_set(e, ERR_CORRUPT, "a symlink of %zu bytes", out.len);
	file->target = strbuf_detach(&out);
	return file->target ? 0 : err_nomem(e);
}
