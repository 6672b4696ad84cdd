/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest_entry.h"

#include "alloc.h"
#include "guest_file.h"
#include "out.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

static void failed(struct entry_style *s, const struct dry_entry *ent, const struct dry_error *e)
{
	guest_fail_file(s->ref, ent->path, e);
	s->failed = true;
}

char *entry_target(struct entry_style *s, const struct dry_entry *ent)
{
	struct dry_error e = { .code = DRY_OK };
	char *target = NULL;

	if (S_ISLNK(ent->stat.mode) && dry_node_readlink(s->ref->guest, ent->node, &target, &e) < 0)
		failed(s, ent, &e);
	return target;
}

static int digest_bytes(void *d, const void *bytes, size_t len)
{
	digest_add(d, bytes, len);
	return 0;
}

bool entry_checksum(struct entry_style *s, const struct dry_entry *ent, char text[DIGEST_TEXT])
{
	struct digest d;
	struct dry_error e = { .code = DRY_OK };

	if (!s->checksum || !S_ISREG(ent->stat.mode))
		return false;
	digest_start(&d, s->digest);
	if (guest_file_each(s->ref->guest, ent->node, s->buf, digest_bytes, &d, &e) < 0) {
		failed(s, ent, &e);
		return false;
	}
	digest_end(&d, text);
	return true;
}

/* ---- extended attributes ---- */

void entry_xattrs_free(struct entry_xattrs *x)
{
	for (size_t i = 0; i < x->n; i++) {
		free(x->items[i].name);
		free(x->items[i].value);
	}
	free(x->items);
	*x = (struct entry_xattrs){ .items = NULL };
}

static int xattr_add(void *arg, const char *name, const void *value, size_t len)
{
	struct entry_xattrs *x = arg;
	struct entry_xattr *items = alloc_resize(x->items, x->n + 1, sizeof *items), *i;

	if (!items) {
		x->nomem = true;
		return 1;
	}
	x->items = items;
	i = &x->items[x->n++];
	*i = (struct entry_xattr){ alloc_strdup(name), alloc_bytes(len + 1), len };
	x->nomem = !i->name || !i->value;
	if (!x->nomem && len)
		memcpy(i->value, value, len);
	return x->nomem;
}

static int xattr_by_name(const void *a, const void *b)
{
	return strcmp(((const struct entry_xattr *)a)->name, ((const struct entry_xattr *)b)->name);
}

int entry_xattrs(struct dry_guest *g, struct dry_node n, struct entry_xattrs *out, struct dry_error *e)
{
	int rc;

	*out = (struct entry_xattrs){ .items = NULL };
	rc = dry_node_xattrs(g, n, xattr_add, out, e);
	if (out->nomem) {
		*e = (struct dry_error){ .code = DRY_NOMEM, .msg = "out of memory" };
		return -DRY_NOMEM;
	}
	if (out->n)
		qsort(out->items, out->n, sizeof *out->items, xattr_by_name);
	return rc;
}

/* ---- JSON ---- */

void json_time(struct json *j, const char *key, struct dry_time t)
{
	char text[64];
	struct tm tm;
	time_t sec = t.sec;
	size_t n;

	if (!gmtime_r(&sec, &tm))
		return;
	n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, sizeof text - n, ".%09" PRIu32 "Z", t.nsec);
	json_str(j, key, text);
}

static void hex_put(struct strbuf *out, const void *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		strbuf_printf(out, "%02x", ((const unsigned char *)bytes)[i]);
}

void json_guest(struct json *j, const char *key, const char *bytes, size_t len)
{
	json_strn(j, key, bytes, len);
	if (text_utf8_valid(bytes, len) != len) {
		CLEANUP(strbuf_free) struct strbuf hex = STRBUF_INIT;
		char hex_key[32];

		hex_put(&hex, bytes, len);
		snprintf(hex_key, sizeof hex_key, "%s_hex", key);
		json_str(j, hex_key, hex.s);
		j->out->failed |= hex.failed;
	}
}

static void json_xattrs(struct entry_style *s, const struct dry_entry *ent, struct json *j)
{
	CLEANUP(entry_xattrs_free) struct entry_xattrs x = { .items = NULL };
	struct dry_error e = { .code = DRY_OK };

	if (entry_xattrs(s->ref->guest, ent->node, &x, &e) < 0)
		failed(s, ent, &e);
	j->out->failed |= x.nomem;
	if (x.nomem)
		return;
	json_array(j, "xattrs");
	for (size_t i = 0; i < x.n; i++) {
		CLEANUP(strbuf_free) struct strbuf hex = STRBUF_INIT;

		hex_put(&hex, x.items[i].value, x.items[i].len);
		json_object(j, NULL);
		json_guest(j, "name", x.items[i].name, strlen(x.items[i].name));
		json_str(j, "value_hex", hex.s);
		json_object_end(j);
		j->out->failed |= hex.failed;
	}
	json_array_end(j);
}

void entry_json(struct entry_style *s, const struct dry_entry *ent, struct json *j)
{
	const struct dry_stat *st = &ent->stat;
	CLEANUP(free_ptr) char *target = entry_target(s, ent);
	char sum[DIGEST_TEXT], mode[16];

	json_object(j, NULL);
	json_guest(j, "path", ent->path, strlen(ent->path));
	json_str(j, "type", guest_type_word(st->mode));
	snprintf(mode, sizeof mode, "%04" PRIo32, st->mode & 07777);
	json_str(j, "mode", mode);
	json_u64(j, "uid", st->uid);
	json_u64(j, "gid", st->gid);
	if (st->project)
		json_u64(j, "project", st->project);
	json_u64(j, "size", st->size);
	json_u64(j, "allocated", st->blocks512 * 512);
	json_u64(j, "filesystem", st->dev);
	json_u64(j, "inode", st->ino);
	json_u64(j, "links", st->nlink);
	json_time(j, "accessed", st->atime);
	json_time(j, "modified", st->mtime);
	json_time(j, "changed", st->ctime);
	if (st->has_crtime)
		json_time(j, "created", st->crtime);
	if (S_ISCHR(st->mode) || S_ISBLK(st->mode)) {
		json_u64(j, "major", st->rdev_major);
		json_u64(j, "minor", st->rdev_minor);
	}
	if (target)
		json_guest(j, "target", target, strlen(target));
	if (entry_checksum(s, ent, sum))
		json_str(j, "checksum", sum);
	if (s->xattrs)
		json_xattrs(s, ent, j);
	json_object_end(j);
}

/* ---- long lines ---- */

void entry_size(const struct entry_style *s, const struct dry_stat *st, char *buf, size_t size)
{
	if (S_ISCHR(st->mode) || S_ISBLK(st->mode))
		snprintf(buf, size, "%" PRIu32 ", %" PRIu32, st->rdev_major, st->rdev_minor);
	else if (s->human)
		out_human(st->size, buf, size);
	else
		snprintf(buf, size, "%" PRIu64, st->size);
}

void entry_date(const struct dry_stat *st, char *buf, size_t size)
{
	struct tm tm;
	time_t sec = st->mtime.sec;

	if (!localtime_r(&sec, &tm) || !strftime(buf, size, "%Y-%m-%d %H:%M", &tm))
		snprintf(buf, size, "%" PRId64, st->mtime.sec);
}

void entry_name(struct entry_style *s, const struct dry_entry *ent, const char *shown, struct strbuf *out)
{
	CLEANUP(free_ptr) char *target = entry_target(s, ent);

	text_quote(out, shown, strlen(shown));
	if (target) {
		strbuf_puts(out, " -> ");
		text_quote(out, target, strlen(target));
	}
}

void entry_line(struct entry_style *s, const struct dry_entry *ent, const char *shown, struct strbuf *out)
{
	const struct dry_stat *st = &ent->stat;
	char mode[11], size[48], date[48], sum[DIGEST_TEXT];

	guest_mode_text(st->mode, mode);
	entry_size(s, st, size, sizeof size);
	entry_date(st, date, sizeof date);
	strbuf_printf(out, "%s %3" PRIu32 " %5" PRIu32 " %5" PRIu32 " %10s %s ", mode, st->nlink, st->uid, st->gid, size, date);
	if (s->checksum)
		strbuf_printf(out, "%s ", entry_checksum(s, ent, sum) ? sum : "-");
	entry_name(s, ent, shown, out);
}
