/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ls.c - drydock ls: the files of guests.
 *
 * Names are printed as they are into a pipe, so that a program gets the guest's own bytes (with -0 it can tell where one
 * ends), and made safe for a terminal.  Long lines are always made safe: a newline in a name must not forge a line.
 */
#include "alloc.h"
#include "guest_entry.h"
#include "guest_file.h"
#include "guest_run.h"
#include "out.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

/* Text is handed on when there is this much of it. */
#define TEXT_PIECE (64u << 10)

struct ls {
	struct guest_opts guest;
	bool long_lines, recursive, directory, human, json, null, xattrs;
	const char *checksum;
	enum digest_kind digest;
	struct guest_set *set;
	struct json j; /* around what guests print */
};

/* The work on one guest. */
struct listing {
	const struct ls *c;
	struct entry_style style;
	struct strbuf text;
	struct json j;
	int status;
	/* the operand at work */
	struct guest_ref *ref;
	bool start_is_dir;
	struct table table;
};

static void failed(struct listing *l, const struct dry_error *e)
{
	guest_fail(l->ref, e);
	l->status = EXIT_FAILED;
}

static const char *shown_name(const struct listing *l, const struct dry_entry *ent)
{
	const struct ls *c = l->c;

	if (ent->depth == 0)
		return l->start_is_dir && c->recursive && !c->directory ? "." : ent->path;
	return c->recursive ? ent->rel : ent->name;
}

static void table_line(struct listing *l, const struct dry_entry *ent)
{
	const struct dry_stat *st = &ent->stat;
	CLEANUP(strbuf_free) struct strbuf name = STRBUF_INIT;
	char mode[11], size[48], date[48], sum[DIGEST_TEXT];

	entry_name(&l->style, ent, shown_name(l, ent), &name);
	guest_mode_text(st->mode, mode);
	entry_size(&l->style, st, size, sizeof size);
	entry_date(st, date, sizeof date);
	table_add(&l->table, mode);
	table_addf(&l->table, "%" PRIu32, st->nlink);
	table_addf(&l->table, "%" PRIu32, st->uid);
	table_addf(&l->table, "%" PRIu32, st->gid);
	table_add(&l->table, size);
	table_add(&l->table, date);
	if (l->c->checksum)
		table_add(&l->table, entry_checksum(&l->style, ent, sum) ? sum : NULL);
	table_add(&l->table, name.s);
	l->table.cells.failed |= name.failed;
}

static void short_line(struct listing *l, const struct dry_entry *ent)
{
	const char *shown = shown_name(l, ent);
	char sum[DIGEST_TEXT];

	if (l->c->checksum)
		strbuf_printf(&l->text, "%s  ", entry_checksum(&l->style, ent, sum) ? sum : "-");
	if (l->c->null)
		strbuf_puts(&l->text, shown);
	else
		out_guest(&l->text, shown);
	strbuf_putc(&l->text, l->c->null ? '\0' : '\n');
}

/* ---- walking ---- */

static int visit(void *arg, const struct dry_entry *ent)
{
	struct listing *l = arg;
	const struct ls *c = l->c;

	if (ent->depth == 0) {
		l->start_is_dir = S_ISDIR(ent->stat.mode);
		/* A directory's own line is not among its contents, unless the whole tree is asked for. */
		if (l->start_is_dir && !c->directory && !(c->recursive && (c->long_lines || c->json)))
			return DRY_WALK_ON;
	}
	if (c->json) {
		entry_json(&l->style, ent, &l->j);
	} else if (c->long_lines && c->recursive) {
		entry_line(&l->style, ent, shown_name(l, ent), &l->text);
		strbuf_putc(&l->text, c->null ? '\0' : '\n');
	} else if (c->long_lines) {
		table_line(l, ent);
	} else {
		short_line(l, ent);
	}
	if (l->text.len >= TEXT_PIECE && guest_out(l->ref, &l->text)) {
		l->status = EXIT_FAILED;
		return DRY_WALK_STOP;
	}
	return DRY_WALK_ON;
}

static int visit_failed(void *arg, const char *path, const struct dry_error *why)
{
	(void)path; /* the sentence names it */
	failed(arg, why);
	return 0;
}

static void heading(struct listing *l, const struct guest_item *item, bool first)
{
	strbuf_printf(&l->text, "%s%s:", first ? "" : "\n", l->ref->label);
	out_guest(&l->text, item->path ? item->path : "/");
	strbuf_puts(&l->text, ":\n");
}

static void list_item(struct listing *l, const struct guest_item *item)
{
	const struct ls *c = l->c;
	const struct table columns = TABLE_INIT("l r r r r l l", NULL);
	const struct table with_sum = TABLE_INIT("l r r r r l l l", NULL);
	struct dry_guest *g = guest_ready(&c->guest, c->set, item->guest);
	struct dry_error e = { .code = DRY_OK };
	const struct dry_walk walk = {
		.max_depth = c->directory ? 0 : c->recursive ? DRY_DEPTH_ALL : 1,
		.fn = visit,
		.failed = visit_failed,
		.arg = l,
	};

	if (!g) {
		l->status = EXIT_FAILED;
		return;
	}
	if (c->json) {
		json_object(&l->j, NULL);
		json_str(&l->j, "image", l->ref->label);
		json_str(&l->j, "path", item->path ? item->path : "/");
		json_array(&l->j, "entries");
	} else if (c->set->nitems > 1 && !c->directory) {
		heading(l, item, item == c->set->items);
	}
	l->table = c->checksum ? with_sum : columns;
	if (dry_guest_walk(g, item->path ? item->path : "/", &walk, &e) < 0)
		failed(l, &e);
	if (c->json) {
		json_array_end(&l->j);
		json_object_end(&l->j);
	}
	l->status |= table_text(&l->table, 0, &l->text);
	l->status |= guest_out(l->ref, &l->text);
	table_free(&l->table);
}

static int list_guest(void *arg, struct guest_ref *ref, const struct guest_item *items, size_t n)
{
	const struct ls *c = arg;
	CLEANUP(free_ptr) void *buf = c->checksum ? alloc_bytes(GUEST_FILE_CHUNK) : NULL;
	struct listing l = {
		.c = c,
		.style = { .ref = ref, .human = c->human, .xattrs = c->xattrs, .checksum = c->checksum, .digest = c->digest,
			   .buf = buf },
		.text = STRBUF_INIT,
		.ref = ref,
	};

	if (c->checksum && !buf) {
		cmd_warn("out of memory");
		return EXIT_FAILED;
	}
	l.j = guest_json(&c->j, &l.text);
	for (size_t i = 0; i < n; i++)
		list_item(&l, &items[i]);
	strbuf_free(&l.text);
	return l.status || l.style.failed ? EXIT_FAILED : EXIT_DONE;
}

static int show(struct ls *c, struct guest_set *s)
{
	struct guest_run run = { .opts = &c->guest, .set = s, .work = list_guest, .arg = c };

	c->set = s;
	return guest_run_list(&run, c->json, &c->j);
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
	struct ls c = { .json = false };
	const struct usage u = { "ls", "[options] IMAGE[:/PATH]...", "Lists files of guests." };
	const struct opt opts[] = {
		GUEST_OPTS(&c.guest),
		GUEST_OPT_DOMAIN(&c.guest, 0),
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
		status = run(&c, argc, argv);
		break;
	case OPTS_BAD:
		break;
	}
	guest_opts_free(&c.guest);
	return status;
}
