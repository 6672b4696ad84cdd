/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ls.c - drydock ls: the files of guests.
 *
 * Names are printed as they are into a pipe, so that a program gets the guest's own bytes (with -0 it can tell where one
 * ends), and made safe for a terminal.  Long lines are always made safe: a newline in a name must not forge a line.
 */
#include "alloc.h"
#include "digest.h"
#include "guest_file.h"
#include "guest_opts.h"
#include "json.h"
#include "out.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

/* Text is handed to stdout when there is this much of it. */
#define TEXT_PIECE (64u << 10)

struct ls {
	struct guest_opts guest;
	bool long_lines, recursive, directory, human, json, null, xattrs;
	const char *checksum;
	enum digest_kind digest;
	void *buf; /* GUEST_FILE_CHUNK bytes, with --checksum */
	struct strbuf text;
	struct json j;
	int status;
	/* the operand at work */
	struct guest_ref *ref;
	struct dry_guest *g;
	bool start_is_dir;
	struct table table;
};

static void failed(struct ls *c, const struct dry_error *e)
{
	guest_fail(c->ref, e);
	c->status = EXIT_FAILED;
}

/* The link's target, or NULL with the failure told. */
static char *target_of(struct ls *c, const struct dry_entry *ent)
{
	struct dry_error e = { .code = DRY_OK };
	char *target = NULL;

	if (S_ISLNK(ent->stat.mode) && dry_node_readlink(c->g, ent->node, &target, &e) < 0)
		failed(c, &e);
	return target;
}

static int digest_bytes(void *d, const void *bytes, size_t len)
{
	digest_add(d, bytes, len);
	return 0;
}

/* false: it has none, or could not be read, which was told. */
static bool checksum_of(struct ls *c, const struct dry_entry *ent, char text[DIGEST_TEXT])
{
	struct digest d;
	struct dry_error e = { .code = DRY_OK };

	if (!c->checksum || !S_ISREG(ent->stat.mode))
		return false;
	digest_start(&d, c->digest);
	if (guest_file_each(c->g, ent->node, c->buf, digest_bytes, &d, &e) < 0) {
		failed(c, &e);
		return false;
	}
	digest_end(&d, text);
	return true;
}

/* ---- JSON ---- */

static void json_time(struct json *j, const char *key, struct dry_time t)
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

/* A guest's bytes: as text, and when they are not UTF-8 also in hex under KEY-hex. */
static void json_guest(struct json *j, const char *key, const char *bytes, size_t len)
{
	json_strn(j, key, bytes, len);
	if (text_utf8_valid(bytes, len) != len) {
		CLEANUP(strbuf_free) struct strbuf hex = STRBUF_INIT;
		char hex_key[32];

		for (size_t i = 0; i < len; i++)
			strbuf_printf(&hex, "%02x", (unsigned char)bytes[i]);
		snprintf(hex_key, sizeof hex_key, "%s_hex", key);
		json_str(j, hex_key, hex.s);
		j->out->failed |= hex.failed;
	}
}

struct xattr {
	char *name, *hex;
};
struct xattrs {
	struct xattr *items;
	size_t n;
	bool nomem;
};

static void xattrs_free(struct xattrs *x)
{
	for (size_t i = 0; i < x->n; i++) {
		free(x->items[i].name);
		free(x->items[i].hex);
	}
	free(x->items);
}

static char *hex_text(const void *bytes, size_t len)
{
	struct strbuf hex = STRBUF_INIT;

	strbuf_puts(&hex, "");
	for (size_t i = 0; i < len; i++)
		strbuf_printf(&hex, "%02x", ((const unsigned char *)bytes)[i]);
	return strbuf_detach(&hex);
}

static int xattr_add(void *arg, const char *name, const void *value, size_t len)
{
	struct xattrs *x = arg;
	struct xattr *items = alloc_resize(x->items, x->n + 1, sizeof *items), *i;

	if (!items) {
		x->nomem = true;
		return 1;
	}
	x->items = items;
	i = &x->items[x->n++];
	*i = (struct xattr){ alloc_strdup(name), hex_text(value, len) };
	x->nomem = !i->name || !i->hex;
	return x->nomem;
}

static int xattr_by_name(const void *a, const void *b)
{
	return strcmp(((const struct xattr *)a)->name, ((const struct xattr *)b)->name);
}

/* Sorted by name: their order on the disk means nothing. */
static void json_xattrs(struct ls *c, const struct dry_entry *ent)
{
	CLEANUP(xattrs_free) struct xattrs x = { .items = NULL };
	struct dry_error e = { .code = DRY_OK };

	if (dry_node_xattrs(c->g, ent->node, xattr_add, &x, &e) < 0)
		failed(c, &e);
	c->text.failed |= x.nomem;
	if (x.nomem)
		return;
	if (x.n)
		qsort(x.items, x.n, sizeof *x.items, xattr_by_name);
	json_array(&c->j, "xattrs");
	for (size_t i = 0; i < x.n; i++) {
		json_object(&c->j, NULL);
		json_guest(&c->j, "name", x.items[i].name, strlen(x.items[i].name));
		json_str(&c->j, "value_hex", x.items[i].hex);
		json_object_end(&c->j);
	}
	json_array_end(&c->j);
}

static void json_entry(struct ls *c, const struct dry_entry *ent)
{
	const struct dry_stat *st = &ent->stat;
	CLEANUP(free_ptr) char *target = target_of(c, ent);
	char sum[DIGEST_TEXT], mode[16];
	struct json *j = &c->j;

	json_object(j, NULL);
	json_guest(j, "path", ent->path, strlen(ent->path));
	json_str(j, "type", guest_type_word(st->mode));
	snprintf(mode, sizeof mode, "%04" PRIo32, st->mode & 07777);
	json_str(j, "mode", mode);
	json_u64(j, "uid", st->uid);
	json_u64(j, "gid", st->gid);
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
	if (checksum_of(c, ent, sum))
		json_str(j, "checksum", sum);
	if (c->xattrs)
		json_xattrs(c, ent);
	json_object_end(j);
}

/* ---- text ---- */

static void size_cell(struct ls *c, const struct dry_stat *st, char *buf, size_t size)
{
	if (S_ISCHR(st->mode) || S_ISBLK(st->mode))
		snprintf(buf, size, "%" PRIu32 ", %" PRIu32, st->rdev_major, st->rdev_minor);
	else if (c->human)
		out_human(st->size, buf, size);
	else
		snprintf(buf, size, "%" PRIu64, st->size);
}

static void date_cell(const struct dry_stat *st, char *buf, size_t size)
{
	struct tm tm;
	time_t sec = st->mtime.sec;

	if (!localtime_r(&sec, &tm) || !strftime(buf, size, "%Y-%m-%d %H:%M", &tm))
		snprintf(buf, size, "%" PRId64, st->mtime.sec);
}

static const char *shown_name(const struct ls *c, const struct dry_entry *ent)
{
	if (ent->depth == 0)
		return c->start_is_dir && c->recursive && !c->directory ? "." : ent->path;
	return c->recursive ? ent->rel : ent->name;
}

static void long_line(struct ls *c, const struct dry_entry *ent)
{
	const struct dry_stat *st = &ent->stat;
	CLEANUP(free_ptr) char *target = target_of(c, ent);
	CLEANUP(strbuf_free) struct strbuf name = STRBUF_INIT;
	char mode[11], size[48], date[48], sum[DIGEST_TEXT];
	const char *shown = shown_name(c, ent);

	text_quote(&name, shown, strlen(shown));
	if (target) {
		strbuf_puts(&name, " -> ");
		text_quote(&name, target, strlen(target));
	}
	guest_mode_text(st->mode, mode);
	size_cell(c, st, size, sizeof size);
	date_cell(st, date, sizeof date);
	if (c->recursive) {
		/* A tree may have millions of lines: they go out as they come, in columns of usual widths. */
		strbuf_printf(&c->text, "%s %3" PRIu32 " %5" PRIu32 " %5" PRIu32 " %10s %s ", mode, st->nlink, st->uid, st->gid,
			      size, date);
		if (c->checksum)
			strbuf_printf(&c->text, "%s ", checksum_of(c, ent, sum) ? sum : "-");
		strbuf_puts(&c->text, name.s);
		strbuf_putc(&c->text, c->null ? '\0' : '\n');
		c->text.failed |= name.failed;
		return;
	}
	table_add(&c->table, mode);
	table_addf(&c->table, "%" PRIu32, st->nlink);
	table_addf(&c->table, "%" PRIu32, st->uid);
	table_addf(&c->table, "%" PRIu32, st->gid);
	table_add(&c->table, size);
	table_add(&c->table, date);
	if (c->checksum)
		table_add(&c->table, checksum_of(c, ent, sum) ? sum : NULL);
	table_add(&c->table, name.s);
	c->table.cells.failed |= name.failed;
}

static void short_line(struct ls *c, const struct dry_entry *ent)
{
	const char *shown = shown_name(c, ent);
	char sum[DIGEST_TEXT];

	if (c->checksum)
		strbuf_printf(&c->text, "%s  ", checksum_of(c, ent, sum) ? sum : "-");
	if (c->null)
		strbuf_puts(&c->text, shown);
	else
		out_guest(&c->text, shown);
	strbuf_putc(&c->text, c->null ? '\0' : '\n');
}

/* ---- walking ---- */

static int visit(void *arg, const struct dry_entry *ent)
{
	struct ls *c = arg;

	if (ent->depth == 0) {
		c->start_is_dir = S_ISDIR(ent->stat.mode);
		/* A directory's own line is not among its contents, unless the whole tree is asked for. */
		if (c->start_is_dir && !c->directory && !(c->recursive && (c->long_lines || c->json)))
			return DRY_WALK_ON;
	}
	if (c->json)
		json_entry(c, ent);
	else if (c->long_lines)
		long_line(c, ent);
	else
		short_line(c, ent);
	if (c->text.len >= TEXT_PIECE && out_flush(&c->text))
		return DRY_WALK_STOP;
	return DRY_WALK_ON;
}

static int visit_failed(void *arg, const char *path, const struct dry_error *why)
{
	(void)path; /* the sentence names it */
	failed(arg, why);
	return 0;
}

static void heading(struct ls *c, const struct guest_item *item, bool first)
{
	strbuf_printf(&c->text, "%s%s:", first ? "" : "\n", c->ref->label);
	out_guest(&c->text, item->path ? item->path : "/");
	strbuf_puts(&c->text, ":\n");
}

static void list_item(struct ls *c, struct guest_set *s, const struct guest_item *item, bool first)
{
	const struct table columns = TABLE_INIT("l r r r r l l", NULL);
	const struct table with_sum = TABLE_INIT("l r r r r l l l", NULL);
	struct dry_error e = { .code = DRY_OK };
	const struct dry_walk walk = {
		.max_depth = c->directory ? 0 : c->recursive ? DRY_DEPTH_ALL : 1,
		.fn = visit,
		.failed = visit_failed,
		.arg = c,
	};

	c->ref = &s->guests[item->guest];
	c->g = guest_ready(&c->guest, s, item->guest);
	if (!c->g) {
		c->status = EXIT_FAILED;
		return;
	}
	if (c->json) {
		json_object(&c->j, NULL);
		json_str(&c->j, "image", c->ref->label);
		json_str(&c->j, "path", item->path ? item->path : "/");
		json_array(&c->j, "entries");
	} else if (s->nitems > 1 && !c->directory) {
		heading(c, item, first);
	}
	c->table = c->checksum ? with_sum : columns;
	if (dry_guest_walk(c->g, item->path ? item->path : "/", &walk, &e) < 0)
		failed(c, &e);
	if (c->json) {
		json_array_end(&c->j);
		json_object_end(&c->j);
	}
	c->status |= out_flush(&c->text);
	c->status |= table_print(&c->table, 0);
	table_free(&c->table);
}

static int show(struct ls *c, struct guest_set *s)
{
	if (c->checksum) {
		c->buf = alloc_bytes(GUEST_FILE_CHUNK);
		if (!c->buf) {
			cmd_warn("out of memory");
			return EXIT_FAILED;
		}
	}
	if (c->json)
		json_array(&c->j, NULL);
	for (size_t i = 0; i < s->nitems; i++)
		list_item(c, s, &s->items[i], i == 0);
	if (c->json) {
		json_array_end(&c->j);
		strbuf_putc(&c->text, '\n');
		c->status |= out_flush(&c->text);
	}
	return c->status ? EXIT_FAILED : EXIT_DONE;
}

static int run(struct ls *c, int argc, char **argv)
{
	CLEANUP(guest_set_free) struct guest_set set = { .guests = NULL };
	const struct guest_confine confine = { .write_dir = -1, .seconds = c->checksum ? 0 : 3600 };
	bool fatal;
	int status;

	if (c->checksum && !digest_kind_parse(c->checksum, &c->digest))
		return cmd_usage("ls", "--checksum: \"%s\" is not crc, md5, sha1, sha224, sha256, sha384 or sha512",
				 c->checksum);
	if (c->xattrs && !c->json)
		return cmd_usage("ls", "--xattrs is for --json");
	status = guest_set_paths("ls", &c->guest, argc, argv, &set);
	if (status)
		return status;
	status = guest_set_open(&c->guest, &confine, &set, &fatal);
	return fatal ? status : status | show(c, &set);
}

int cmd_ls(int argc, char **argv)
{
	struct ls c = { .text = STRBUF_INIT, .table = { .cells = STRBUF_INIT } };
	const struct usage u = { "ls", "[options] IMAGE[:/PATH]...", "Lists files of guests." };
	const struct opt opts[] = {
		GUEST_OPTS(&c.guest),
		GUEST_OPT_MOUNT(&c.guest),
		OPT_FLAG('l', "long", &c.long_lines, "mode, links, owner, size, date, name, target"),
		OPT_FLAG('R', "recursive", &c.recursive, "the whole tree, one path a line"),
		OPT_FLAG('d', "directory", &c.directory, "a directory itself, not what is in it"),
		OPT_FLAG('h', "human-readable", &c.human, "with -l: sizes with K, M, G ..."),
		OPT_FLAG('0', "null", &c.null, "end lines with a NUL byte, and quote no short name"),
		OPT_STRING(0, "checksum", "ALG", &c.checksum, "print crc, md5, sha1, sha224, sha256, sha384 or sha512"),
		OPT_FLAG(0, "xattrs", &c.xattrs, "with --json: extended attributes too"),
		OPT_FLAG(0, "json", &c.json, "print JSON"),
		OPT_END,
	};
	int status = EXIT_USAGE;

	switch (opts_parse(&u, opts, &argc, &argv)) {
	case OPTS_DONE:
		status = EXIT_DONE;
		break;
	case OPTS_OK:
		c.j = (struct json)JSON_INIT(&c.text, false);
		status = run(&c, argc, argv);
		break;
	case OPTS_BAD:
		break;
	}
	free(c.buf);
	table_free(&c.table);
	strbuf_free(&c.text);
	guest_opts_free(&c.guest);
	return status;
}
