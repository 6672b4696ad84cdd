/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diff_files.c - drydock diff: which files are in one guest only, and how those differ that are in both. */
#include "diff.h"

#include "alloc.h"
#include "guest_entry.h"
#include "guest_file.h"
#include "line_diff.h"
#include "out.h"
#include "pair.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

enum { FROM, TO };

struct files {
	struct diff *d;
	struct dry_guest *guests[2];
	void *bufs[2];
};

/* What differs between a file of the one and a file of the other. */
struct changes {
	bool type, content, size, mode, owner, links, target, device, xattrs, modified;
};

/* What could not be read is told, and the comparison goes on without. */
static void trouble(struct files *f, int side, const char *path, const struct dry_error *e)
{
	CLEANUP(strbuf_free) struct strbuf name = STRBUF_INIT;

	text_quote(&name, path, strlen(path));
	cmd_warn("%s: %s: %s", f->d->set.guests[side].label, name.s, e->msg);
	f->d->trouble = true;
}

static int on_failed(void *arg, bool second, const char *path, const struct dry_error *why)
{
	trouble(arg, second ? TO : FROM, path, why);
	return 0;
}

/* ---- what differs ---- */

static bool content_differs(struct files *f, const struct dry_entry *a, const struct dry_entry *b)
{
	const struct pair_files pair = {
		.guests = { f->guests[FROM], f->guests[TO] },
		.nodes = { a->node, b->node },
		.size = a->stat.size,
		.bufs = { f->bufs[FROM], f->bufs[TO] },
	};
	struct dry_error e = { .code = DRY_OK };
	unsigned which;
	int rc;

	if (a->stat.size != b->stat.size)
		return true;
	rc = pair_same_content(&pair, &which, &e);
	if (rc < 0)
		trouble(f, which ? TO : FROM, which ? b->path : a->path, &e);
	return rc == 0;
}

static bool targets_differ(struct files *f, const struct dry_entry *a, const struct dry_entry *b)
{
	CLEANUP(free_ptr) char *x = NULL;
	CLEANUP(free_ptr) char *y = NULL;
	struct dry_error e = { .code = DRY_OK };

	if (dry_node_readlink(f->guests[FROM], a->node, &x, &e) < 0) {
		trouble(f, FROM, a->path, &e);
		return false;
	}
	if (dry_node_readlink(f->guests[TO], b->node, &y, &e) < 0) {
		trouble(f, TO, b->path, &e);
		return false;
	}
	return strcmp(x, y) != 0;
}

static bool xattrs_differ(struct files *f, const struct dry_entry *a, const struct dry_entry *b)
{
	CLEANUP(pair_xattrs_free) struct pair_xattrs x = { NULL, 0 };
	CLEANUP(pair_xattrs_free) struct pair_xattrs y = { NULL, 0 };
	struct dry_error e = { .code = DRY_OK };

	if (pair_xattrs_load(f->guests[FROM], a->node, &x, &e) < 0) {
		trouble(f, FROM, a->path, &e);
		return false;
	}
	if (pair_xattrs_load(f->guests[TO], b->node, &y, &e) < 0) {
		trouble(f, TO, b->path, &e);
		return false;
	}
	return !pair_xattrs_same(&x, &y);
}

/* Of things of two types no more is asked than that. */
static struct changes changes_of(struct files *f, const struct dry_entry *a, const struct dry_entry *b)
{
	const struct dry_stat *x = &a->stat, *y = &b->stat;
	const uint32_t type = x->mode & S_IFMT;
	struct changes c = { .type = type != (y->mode & S_IFMT) };

	c.mode = (x->mode & 07777) != (y->mode & 07777);
	c.owner = x->uid != y->uid || x->gid != y->gid;
	c.modified = f->d->times && !(f->d->texts && S_ISDIR(x->mode)) &&
		     (x->mtime.sec != y->mtime.sec || x->mtime.nsec != y->mtime.nsec);
	c.xattrs = xattrs_differ(f, a, b);
	if (c.type)
		return c;
	/* The links of a directory are the directories in it, and its size is how they are kept. */
	c.links = type != S_IFDIR && x->nlink != y->nlink;
	if (type == S_IFREG) {
		c.size = x->size != y->size;
		c.content = content_differs(f, a, b);
	} else if (type == S_IFLNK) {
		c.target = targets_differ(f, a, b);
	} else if (type == S_IFCHR || type == S_IFBLK) {
		c.device = x->rdev_major != y->rdev_major || x->rdev_minor != y->rdev_minor;
	}
	return c;
}

static bool any(const struct changes *c)
{
	return c->type || c->content || c->size || c->mode || c->owner || c->links || c->target || c->device || c->xattrs ||
	       c->modified;
}

/* ---- lines ---- */

static void put_time(struct strbuf *out, struct dry_time t)
{
	char text[64];
	struct tm tm;
	time_t sec = t.sec;

	if (localtime_r(&sec, &tm) && strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm))
		strbuf_puts(out, text);
	else
		strbuf_printf(out, "%" PRId64, t.sec);
	/* Two times of one second differ in what is behind. */
	strbuf_printf(out, ".%09" PRIu32, t.nsec);
}

static void put_target(struct files *f, int side, const struct dry_entry *ent, struct strbuf *out)
{
	CLEANUP(free_ptr) char *target = NULL;
	struct dry_error e;

	if (dry_node_readlink(f->guests[side], ent->node, &target, &e) == 0)
		out_guest(out, target);
}

static void put_changes(struct files *f, const struct changes *c, const struct dry_entry *a, const struct dry_entry *b,
			struct strbuf *out)
{
	const struct dry_stat *x = &a->stat, *y = &b->stat;
	const char *sep = ": ";

	if (c->type) {
		strbuf_printf(out, "%s%s to %s", sep, guest_type_word(x->mode), guest_type_word(y->mode));
		sep = ", ";
	}
	if (c->content) {
		strbuf_printf(out, "%scontent", sep);
		sep = ", ";
	}
	if (c->size) {
		strbuf_printf(out, "%ssize %" PRIu64 " to %" PRIu64, sep, x->size, y->size);
		sep = ", ";
	}
	if (c->mode) {
		strbuf_printf(out, "%smode %04" PRIo32 " to %04" PRIo32, sep, x->mode & 07777, y->mode & 07777);
		sep = ", ";
	}
	if (c->owner) {
		strbuf_printf(out, "%sowner %" PRIu32 ":%" PRIu32 " to %" PRIu32 ":%" PRIu32, sep, x->uid, x->gid, y->uid, y->gid);
		sep = ", ";
	}
	if (c->links) {
		strbuf_printf(out, "%slinks %" PRIu32 " to %" PRIu32, sep, x->nlink, y->nlink);
		sep = ", ";
	}
	if (c->target) {
		strbuf_printf(out, "%starget ", sep);
		put_target(f, FROM, a, out);
		strbuf_puts(out, " to ");
		put_target(f, TO, b, out);
		sep = ", ";
	}
	if (c->device) {
		strbuf_printf(out, "%sdevice %" PRIu32 ":%" PRIu32 " to %" PRIu32 ":%" PRIu32, sep, x->rdev_major, x->rdev_minor,
			      y->rdev_major, y->rdev_minor);
		sep = ", ";
	}
	if (c->xattrs) {
		strbuf_printf(out, "%sextended attributes", sep);
		sep = ", ";
	}
	if (c->modified) {
		strbuf_printf(out, "%smodified ", sep);
		put_time(out, x->mtime);
		strbuf_puts(out, " to ");
		put_time(out, y->mtime);
	}
}

/* shown: one of both. */
static void put_line(struct files *f, const char *word, const struct changes *c, const struct dry_entry *shown,
		     const struct dry_entry *a, const struct dry_entry *b)
{
	struct strbuf *out = &f->d->text;

	strbuf_printf(out, "%-10s  %-9s  ", word, guest_type_word(shown->stat.mode));
	out_guest(out, shown->path);
	if (a && b)
		put_changes(f, c, a, b, out);
	strbuf_putc(out, '\n');
}

/* ---- how texts differ ---- */

/* Larger files are not shown line by line. */
#define TEXT_MAX (256u * 1024)

/* The whole of a regular file; *len 0 where there is none on this side.  false: it is none to be shown. */
static bool text_read(struct files *f, int side, const struct dry_entry *ent, void *buf, size_t *len)
{
	struct dry_error e = { .code = DRY_OK };

	*len = 0;
	if (!ent)
		return true;
	if (!S_ISREG(ent->stat.mode) || ent->stat.size > TEXT_MAX)
		return false;
	if (dry_node_read(f->guests[side], ent->node, buf, (size_t)ent->stat.size, 0, len, &e) < 0) {
		trouble(f, side, ent->path, &e);
		return false;
	}
	return text_utf8_valid(buf, *len) == *len && !memchr(buf, '\0', *len);
}

/* The hunks that lead from a to b, one of which may be missing; nothing where they are no texts. */
static void text_hunks(struct files *f, const struct dry_entry *a, const struct dry_entry *b, struct strbuf *out)
{
	CLEANUP(free_ptr) void *x = alloc_bytes(TEXT_MAX);
	CLEANUP(free_ptr) void *y = alloc_bytes(TEXT_MAX);
	size_t nx, ny;

	if (!x || !y || !text_read(f, FROM, a, x, &nx) || !text_read(f, TO, b, y, &ny))
		return;
	line_diff(x, nx, y, ny, out);
}

/* As "diff -u", which patch(1) takes. */
static void put_hunks(struct files *f, const struct dry_entry *a, const struct dry_entry *b)
{
	CLEANUP(strbuf_free) struct strbuf hunks = STRBUF_INIT;
	struct strbuf *out = &f->d->text;

	text_hunks(f, a, b, &hunks);
	if (!hunks.len)
		return;
	strbuf_puts(out, "--- ");
	out_guest(out, a ? a->path : "/dev/null");
	strbuf_puts(out, "\n+++ ");
	out_guest(out, b ? b->path : "/dev/null");
	strbuf_putc(out, '\n');
	/* Line by line: what would do something to a terminal is made safe, and the ends are not. */
	for (const char *line = hunks.s, *end; *line; line = end + 1) {
		end = line + strcspn(line, "\n");
		out_text(out, line, (size_t)(end - line));
		strbuf_putc(out, '\n');
		if (!*end)
			break;
	}
}

/* ---- JSON ---- */

static void json_side(struct files *f, int side, const struct dry_entry *ent)
{
	static const char *const keys[2] = { "from", "to" };
	const struct dry_stat *st = &ent->stat;
	struct json *j = &f->d->j;
	struct dry_error e;
	char mode[8];

	json_object(j, keys[side]);
	json_str(j, "type", guest_type_word(st->mode));
	snprintf(mode, sizeof mode, "%04" PRIo32, st->mode & 07777);
	json_str(j, "mode", mode);
	json_u64(j, "uid", st->uid);
	json_u64(j, "gid", st->gid);
	json_u64(j, "size", st->size);
	json_u64(j, "links", st->nlink);
	json_time(j, "modified", st->mtime);
	if (S_ISCHR(st->mode) || S_ISBLK(st->mode)) {
		json_u64(j, "major", st->rdev_major);
		json_u64(j, "minor", st->rdev_minor);
	}
	if (S_ISLNK(st->mode)) {
		CLEANUP(free_ptr) char *target = NULL;

		if (dry_node_readlink(f->guests[side], ent->node, &target, &e) == 0)
			json_guest(j, "target", target, strlen(target));
	}
	json_object_end(j);
}

static void put_object(struct files *f, const char *word, const struct changes *c, const struct dry_entry *shown,
		       const struct dry_entry *a, const struct dry_entry *b)
{
	struct json *j = &f->d->j;

	json_object(j, NULL);
	json_str(j, "change", word);
	json_guest(j, "path", shown->path, strlen(shown->path));
	if (a && b) {
		const struct {
			const char *name;
			bool differs;
		} fields[] = {
			{ "type", c->type },   { "content", c->content }, { "size", c->size },
			{ "mode", c->mode },   { "owner", c->owner },	  { "links", c->links },
			{ "target", c->target }, { "device", c->device }, { "xattrs", c->xattrs },
			{ "modified", c->modified },
		};

		json_array(j, "what");
		for (size_t i = 0; i < ARRAY_LEN(fields); i++)
			if (fields[i].differs)
				json_str(j, NULL, fields[i].name);
		json_array_end(j);
	}
	if (a)
		json_side(f, FROM, a);
	if (b)
		json_side(f, TO, b);
	if (f->d->texts && (!a || !b || c->content)) {
		CLEANUP(strbuf_free) struct strbuf hunks = STRBUF_INIT;

		text_hunks(f, a, b, &hunks);
		if (hunks.len)
			json_str(j, "diff", hunks.s);
	}
	json_object_end(j);
}

/* ---- */

static int on_pair(void *arg, const struct dry_entry *a, const struct dry_entry *b)
{
	struct files *f = arg;
	struct diff *d = f->d;
	const char *word = a && b ? "changed" : a ? "removed" : "added";
	const struct dry_entry *shown = b ? b : a; /* what it is now */
	struct changes c = { .type = false };

	if (a && b) {
		c = changes_of(f, a, b);
		if (!any(&c))
			return 0;
	}
	d->ndifferences++;
	if (d->quiet)
		return 1;
	if (d->json)
		put_object(f, word, &c, shown, a, b);
	else
		put_line(f, word, &c, shown, a, b);
	if (d->texts && !d->json && (!a || !b || c.content))
		put_hunks(f, a, b);
	return diff_flush(d);
}

int diff_files(struct diff *d)
{
	struct files f = { .d = d, .guests = { d->set.guests[FROM].guest, d->set.guests[TO].guest } };
	CLEANUP(free_ptr) void *first = alloc_bytes(GUEST_FILE_CHUNK);
	CLEANUP(free_ptr) void *second = alloc_bytes(GUEST_FILE_CHUNK);
	const struct pair_walk w = {
		.first = f.guests[FROM], .second = f.guests[TO], .fn = on_pair, .failed = on_failed, .arg = &f
	};
	struct dry_error e = { .code = DRY_OK };
	int rc;

	if (!first || !second) {
		cmd_warn("out of memory");
		return DIFF_TROUBLE;
	}
	f.bufs[FROM] = first;
	f.bufs[TO] = second;
	if (d->json)
		json_array(&d->j, "files");
	rc = pair_walk(&w, &e);
	if (rc < 0) {
		cmd_fail(&e);
		return DIFF_TROUBLE;
	}
	if (d->json)
		json_array_end(&d->j);
	/* With -q the first difference was enough. */
	return rc && !d->quiet ? DIFF_TROUBLE : 0;
}
