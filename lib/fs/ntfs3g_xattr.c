/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ntfs3g_xattr.c - what extended attributes show of NTFS, by the names that ntfs-3g gives them.
 *
 * Alternate data streams are user.STREAM.  Windows' own things, which ntfs-3g gives to who asks for them by name, are
 * listed here: the security descriptor (system.ntfs_acl), attributes as DOS has them (system.ntfs_attrib), the reparse point,
 * the object's identifier, extended attributes as of OS/2, and what an encrypted file's key is wrapped in.
 */
#include "ntfs3g.h"

#include "alloc.h"
#include "limits.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>

#define SDS_HEAD 20u

typedef int (*xattr_fn)(void *arg, const char *name, const void *value, size_t len, struct err *e);

struct listing {
	struct nt *x;
	struct nt_file *file;
	xattr_fn fn;
	void *arg;
	struct err bad; /* a stream that is too long to be an attribute; the others are shown */
};

/* ---- streams ---- */

static int show_stream(void *arg, unsigned number, const struct nt_stream *s, struct err *e)
{
	struct listing *l = arg;
	CLEANUP(free_ptr) uint8_t *value = NULL;
	char name[5 + 3 * NTFS_NAME_UNITS + 1] = "user.";
	le16 units[NTFS_NAME_UNITS];
	size_t size = 0;
	int rc;

	(void)number;
	text_from_utf16(s->name, s->len, name + 5, sizeof name - 5);
	if (s->size > LIMIT_XATTR_SIZE) {
		if (l->bad.code == ERR_NONE)
			err_set(&l->bad, ERR_LIMIT,
				"the stream \"%s\" of %" PRIu64 " bytes is too long for an extended attribute: read FILE:%s",
				name + 5, s->size, name + 5);
		return 0;
	}
	for (unsigned i = 0; i < s->len; i++)
		le16_put(&units[i], s->name[i]);
	rc = nt_attr_load(l->x, l->file, NTFS_DATA, units, s->len, LIMIT_XATTR_SIZE, &value, &size, e);
	if (rc < 0 || !value)
		return rc;
	return l->fn(l->arg, name, value, size, e);
}

/* ---- security descriptors ---- */

/* Since version 3 they are kept once each: an index over their numbers leads into one stream of the file $Secure. */
struct security_search {
	uint32_t id;
	uint64_t off;
	uint32_t len;
};
struct security_entry {
	le32 hash, id;
	le64 off;
	le32 len;
};

static int security_is(void *arg, const struct nt_index_entry *ent)
{
	struct security_search *s = arg;
	struct security_entry raw;
	le32 key;

	if (ent->key_len < sizeof key || ent->data_len < SDS_HEAD)
		return 1;
	memcpy(&key, ent->key, sizeof key);
	if (le32_get(key) != s->id)
		return s->id < le32_get(key) ? -1 : 1;
	memcpy(&raw, ent->data, SDS_HEAD);
	s->off = le64_get(raw.off);
	s->len = le32_get(raw.len);
	return 0;
}

static int shared_descriptor(struct nt *x, uint32_t id, uint8_t **value, size_t *size, struct err *e)
{
	static const le16 sii[] = { { { '$', 0 } }, { { 'S', 0 } }, { { 'I', 0 } }, { { 'I', 0 } } };
	static const le16 sds[] = { { { '$', 0 } }, { { 'S', 0 } }, { { 'D', 0 } }, { { 'S', 0 } } };
	CLEANUP(nt_index_close) struct nt_index ix = { .x = NULL };
	CLEANUP(nt_file_putp) struct nt_file *secure = NULL;
	CLEANUP(nt_attr_putp) ntfs_attr *stream = NULL;
	CLEANUP(free_ptr) uint8_t *buf = NULL;
	struct security_search s = { .id = id };
	struct security_entry head;
	int rc = nt_file_get(x, NTFS_FILE_SECURE, &secure, e);

	if (rc == 0)
		rc = nt_index_open(x, secure, sii, ARRAY_LEN(sii), &ix, e);
	if (rc == 0)
		rc = nt_index_find(&ix, security_is, &s, e);
	if (rc <= 0)
		return rc;
	if (s.len <= SDS_HEAD || s.len - SDS_HEAD > LIMIT_XATTR_SIZE)
		return err_set(e, ERR_CORRUPT, "a security descriptor of %" PRIu32 " bytes", s.len);
	rc = nt_attr_get(x, secure, NTFS_DATA, sds, ARRAY_LEN(sds), &stream, e);
	if (rc < 0)
		return rc;
	buf = alloc_bytes(s.len);
	if (!buf)
		return err_nomem(e);
	rc = stream ? nt_attr_read(x, stream, buf, s.len, s.off, e) : err_set(e, ERR_CORRUPT, "no security descriptors are kept");
	if (rc < 0)
		return rc;
	memcpy(&head, buf, SDS_HEAD);
	if (le32_get(head.id) != id || le32_get(head.len) != s.len)
		return err_set(e, ERR_CORRUPT, "what is kept as security descriptor %" PRIu32 " is another", id);
	*size = s.len - SDS_HEAD;
	memmove(buf, buf + SDS_HEAD, *size);
	*value = take(buf);
	return 0;
}

static int show_security(struct listing *l, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *value = NULL;
	size_t size = 0;
	le32 id;
	int rc;

	memcpy(&id, &l->file->ni->security_id, sizeof id);
	if (le32_get(id))
		rc = shared_descriptor(l->x, le32_get(id), &value, &size, e);
	else
		rc = nt_attr_load(l->x, l->file, NTFS_SECURITY_DESCRIPTOR, NULL, 0, LIMIT_XATTR_SIZE, &value, &size, e);
	if (rc < 0)
		return err_in(e, rc, "security descriptor");
	return value ? l->fn(l->arg, "system.ntfs_acl", value, size, e) : 0;
}

/* ---- the others ---- */

/* The attributes that Windows shows; whether it is a directory is no attribute of the file's own. */
static int show_attributes(struct listing *l, struct err *e)
{
	struct nt_record_raw h;
	le32 value;

	memcpy(&h, l->file->ni->mrec, sizeof h);
	le32_put(&value, (l->file->attributes & 0x0fffffff) | (le16_get(h.flags) & NTFS_RECORD_DIR ? 0x10u : 0));
	return l->fn(l->arg, "system.ntfs_attrib", &value, sizeof value, e);
}

static int show_value(struct listing *l, const char *name, uint32_t type, const le16 *units, unsigned len, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *value = NULL;
	size_t size = 0;
	int rc = nt_attr_load(l->x, l->file, type, units, len, LIMIT_XATTR_SIZE, &value, &size, e);

	return rc < 0 || !value ? rc : l->fn(l->arg, name, value, size, e);
}

int nt_xattrs(struct nt *x, struct nt_file *file,
	      int (*fn)(void *arg, const char *name, const void *value, size_t len, struct err *e), void *arg, struct err *e)
{
	static const le16 efs[] = { { { '$', 0 } }, { { 'E', 0 } }, { { 'F', 0 } }, { { 'S', 0 } } };
	struct listing l = { .x = x, .file = file, .fn = fn, .arg = arg };
	int rc = 0;

	/* A stream of a file is but bytes. */
	if (NTFS_STREAM_OF(file->node))
		return 0;
	if (file->kind == NTFS_KIND_FILE || file->kind == NTFS_KIND_DIR)
		rc = nt_streams(x, file, show_stream, &l, e);
	if (rc == 0)
		rc = show_attributes(&l, e);
	if (rc == 0)
		rc = show_security(&l, e);
	if (rc == 0 && file->reparse)
		rc = fn(arg, "system.ntfs_reparse_data", file->reparse, file->reparse_len, e);
	if (rc == 0)
		rc = show_value(&l, "system.ntfs_object_id", NTFS_OBJECT_ID, NULL, 0, e);
	if (rc == 0)
		rc = show_value(&l, "system.ntfs_ea", NTFS_EA, NULL, 0, e);
	if (rc == 0)
		rc = show_value(&l, "system.ntfs_efsinfo", NTFS_LOGGED_UTILITY_STREAM, efs, ARRAY_LEN(efs), e);
	if (rc == 0 && l.bad.code) {
		if (e)
			*e = l.bad;
		rc = -(int)l.bad.code;
	}
	return rc < 0 ? err_in(e, rc, "file %" PRIu32, NTFS_RECORD_OF(file->node)) : rc;
}
