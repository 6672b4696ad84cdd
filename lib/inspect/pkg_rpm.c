/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pkg_rpm.c - rpm's packages: where their database lies, and headers.
 *
 * A header ("RPM Package Manager: package format", the header structure) in a database begins with two counts, of index
 * entries and of bytes of data, in big-endian order; then the entries: tag, type, offset in the data, count; then the data.
 */
#include "rpm.h"

#include "alloc.h"
#include "checked.h"
#include "guest_file.h"
#include "ondisk.h"

#include <string.h>

/* ---- headers ---- */

struct ondisk_entry {
	be32 tag, type, off, count;
};
enum { TYPE_INT32 = 4, TYPE_STRING = 6, TYPE_STRING_ARRAY = 8, TYPE_I18N = 9 };
enum {
	TAG_NAME = 1000,
	TAG_VERSION = 1001,
	TAG_RELEASE = 1002,
	TAG_EPOCH = 1003,
	TAG_SUMMARY = 1004,
	TAG_DESCRIPTION = 1005,
	TAG_INSTALLTIME = 1008,
	TAG_VENDOR = 1011,
	TAG_URL = 1020,
	TAG_ARCH = 1022,
	TAG_SOURCERPM = 1044,
};

struct header {
	const uint8_t *entries, *data;
	uint32_t nentries, ndata;
};

static int header_judge(const uint8_t *bytes, size_t len, struct header *h, struct err *e)
{
	be32 n[2];

	if (len < sizeof n)
		return err_set(e, ERR_CORRUPT, "a header of %zu bytes", len);
	memcpy(n, bytes, sizeof n);
	h->nentries = be32_get(n[0]);
	h->ndata = be32_get(n[1]);
	if (h->nentries > (len - sizeof n) / sizeof(struct ondisk_entry) ||
	    h->ndata > len - sizeof n - h->nentries * sizeof(struct ondisk_entry))
		return err_set(e, ERR_CORRUPT, "a header of %zu bytes that counts %u entries and %u bytes of data", len,
			       h->nentries, h->ndata);
	h->entries = bytes + sizeof n;
	h->data = h->entries + h->nentries * sizeof(struct ondisk_entry);
	return 0;
}

/* The entry of a tag, whose value begins in the data; false when there is none. */
static bool entry_find(const struct header *h, uint32_t tag, uint32_t *type, uint32_t *off)
{
	for (uint32_t i = 0; i < h->nentries; i++) {
		struct ondisk_entry ent;

		memcpy(&ent, h->entries + i * sizeof ent, sizeof ent);
		if (be32_get(ent.tag) != tag)
			continue;
		*type = be32_get(ent.type);
		*off = be32_get(ent.off);
		return be32_get(ent.count) > 0 && *off < h->ndata;
	}
	return false;
}

/* The first string of a tag, which ends inside the data; NULL when there is none, or an empty one. */
static const char *header_string(const struct header *h, uint32_t tag)
{
	uint32_t type, off;

	if (!entry_find(h, tag, &type, &off) ||
	    (type != TYPE_STRING && type != TYPE_STRING_ARRAY && type != TYPE_I18N) ||
	    !memchr(h->data + off, 0, h->ndata - off) || !h->data[off])
		return NULL;
	return (const char *)h->data + off;
}

static uint32_t header_number(const struct header *h, uint32_t tag)
{
	uint32_t type, off;
	be32 v;

	if (!entry_find(h, tag, &type, &off) || type != TYPE_INT32 || !range_in(off, sizeof v, h->ndata))
		return 0;
	memcpy(&v, h->data + off, sizeof v);
	return be32_get(v);
}

struct rpm_call {
	package_fn fn;
	void *arg;
};

/* "bash-5.2.15-3.fc38.src.rpm": the name before the last two dashes. */
static char *source_name(const char *file)
{
	const char *end = file + strlen(file);

	for (unsigned dashes = 0; end > file && dashes < 2;)
		dashes += *--end == '-';
	return alloc_strndup(file, (size_t)(end - file));
}

static int on_header(void *arg, const uint8_t *bytes, size_t len, struct err *e)
{
	const struct rpm_call *c = arg;
	CLEANUP(free_ptr) char *source = NULL;
	struct package p = { .name = NULL };
	const char *file;
	struct header h;
	int rc = header_judge(bytes, len, &h, e);

	if (rc < 0)
		return rc;
	p.name = header_string(&h, TAG_NAME);
	if (!p.name)
		return err_set(e, ERR_CORRUPT, "a header without a name");
	p.epoch = header_number(&h, TAG_EPOCH);
	p.version = header_string(&h, TAG_VERSION);
	p.release = header_string(&h, TAG_RELEASE);
	p.arch = header_string(&h, TAG_ARCH);
	p.vendor = header_string(&h, TAG_VENDOR);
	p.url = header_string(&h, TAG_URL);
	p.summary = header_string(&h, TAG_SUMMARY);
	p.description = header_string(&h, TAG_DESCRIPTION);
	p.install_time = header_number(&h, TAG_INSTALLTIME);
	file = header_string(&h, TAG_SOURCERPM);
	if (file) {
		source = source_name(file);
		if (!source)
			return err_nomem(e);
		p.source = *source ? source : NULL;
	}
	return c->fn(c->arg, &p, e);
}

/* ---- databases ---- */

static int rpm_list(struct vfs *v, const char *folder, package_fn fn, void *arg, struct err *e)
{
	/* The newest first: a system that was converted may have left the older one behind. */
	static const struct {
		const char *name;
		int (*walk)(struct vfs *v, const char *path, rpm_header_fn fn, void *arg, struct err *e);
	} databases[] = { { "rpmdb.sqlite", rpm_sqlite_walk }, { "Packages.db", rpm_ndb_walk }, { "Packages", rpm_bdb_walk } };
	struct rpm_call c = { fn, arg };

	for (size_t i = 0; i < ARRAY_LEN(databases); i++) {
		CLEANUP(free_ptr) char *path = alloc_printf("%s/%s", folder, databases[i].name);
		struct guest_file f;
		int rc;

		if (!path)
			return err_nomem(e);
		rc = guest_file_find(v, path, &f, e);
		if (rc < 0)
			return rc;
		if (rc > 0)
			return databases[i].walk(v, path, on_header, &c, e);
	}
	return 0;
}

/* The first is often a symlink to the second. */
static int rpm_list_var(struct vfs *v, const char *path, package_fn fn, void *arg, struct err *e)
{
	struct vfs_node a, b;

	if (vfs_lookup(v, path, true, &a, NULL) == 0 && vfs_lookup(v, pkg_rpm.path, true, &b, NULL) == 0 && a.fs == b.fs &&
	    a.ino == b.ino)
		return 0;
	return rpm_list(v, path, fn, arg, e);
}

const struct pkg_format pkg_rpm = { .name = "rpm", .path = "/usr/lib/sysimage/rpm", .list = rpm_list };
const struct pkg_format pkg_rpm_var = { .name = "rpm", .path = "/var/lib/rpm", .list = rpm_list_var };
