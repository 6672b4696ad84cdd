/* SPDX-License-Identifier: GPL-2.0-or-later */
/* df.c - drydock df: how full the filesystems of guests are. */
#include "alloc.h"
#include "guest_run.h"
#include "out.h"

#include <inttypes.h>
#include <stdio.h>

struct df {
	struct guest_opts guest;
	bool json, human, inodes;
	struct json j; /* around what guests print */
	struct guest_set *set;
	struct df_guest *guests; /* as many as the set has */
};

/* What is printed about one guest: rows are for one table of all guests. */
struct df_guest {
	const struct df *c;
	struct table table;
	struct strbuf text;
	struct json j;
};

static void add_amount(struct df_guest *f, uint64_t n, uint64_t unit)
{
	const struct df *c = f->c;
	char buf[16];

	if (c->human)
		table_add(&f->table, out_human(n * unit, buf, sizeof buf));
	else if (c->inodes)
		table_addf(&f->table, "%" PRIu64, n);
	else /* in KiB, rounded up as df does */
		table_addf(&f->table, "%" PRIu64, unit >= 1024 ? n * (unit / 1024) : (n * unit + 1023) / 1024);
}

/* Rounded up as df does, of what users can have: 100% means that they can write no more. */
static unsigned percent(uint64_t used, uint64_t avail)
{
	uint64_t all = used + avail;

	return all ? (unsigned)(((unsigned __int128)used * 100 + all - 1) / all) : 0;
}

static const char *mounted_on(const struct guest_ref *g, size_t volume)
{
	struct dry_mount m;

	for (size_t i = 0; dry_guest_mount_at(g->guest, i, &m); i++)
		if (m.volume_index == volume)
			return m.path;
	return NULL;
}

static void row(struct df_guest *f, const struct guest_ref *g, const struct dry_volume *v, const struct dry_usage *u,
		const char *on, bool with_image)
{
	const struct df *c = f->c;
	uint64_t total = c->inodes ? u->inodes : u->blocks;
	uint64_t left = c->inodes ? u->inodes_free : u->blocks_avail;
	uint64_t used = c->inodes ? u->inodes - u->inodes_free : u->blocks - u->blocks_free;
	uint64_t unit = c->inodes ? 1 : u->block_size;

	if (with_image)
		table_addf(&f->table, "%s:%s", g->label, v->name);
	else
		table_add(&f->table, v->name);
	add_amount(f, total, unit);
	add_amount(f, used, unit);
	add_amount(f, left, unit);
	table_addf(&f->table, "%u%%", percent(used, left));
	table_add_guest(&f->table, on);
}

static void object(struct df_guest *f, const struct guest_ref *g, const struct dry_volume *v, const struct dry_usage *u,
		   const char *on)
{
	struct json *j = &f->j;

	json_object(j, NULL);
	json_str(j, "image", g->label);
	json_str(j, "filesystem", v->name);
	json_str(j, "type", v->fs_type);
	json_u64(j, "block_size", u->block_size);
	json_u64(j, "blocks", u->blocks);
	json_u64(j, "blocks_free", u->blocks_free);
	json_u64(j, "blocks_available", u->blocks_avail);
	json_u64(j, "inodes", u->inodes);
	json_u64(j, "inodes_free", u->inodes_free);
	json_u64(j, "size", u->blocks * u->block_size);
	json_u64(j, "used", (u->blocks - u->blocks_free) * u->block_size);
	json_u64(j, "available", u->blocks_avail * u->block_size);
	if (on)
		json_str(j, "mounted_on", on);
	json_object_end(j);
}

static int show_guest(void *arg, struct guest_ref *g, const struct guest_item *items, size_t nitems)
{
	struct df *c = arg;
	struct df_guest *f = &c->guests[g - c->set->guests];
	const struct dry_volume *v;
	size_t n;
	struct dry_error e = { .code = DRY_OK };
	int status = EXIT_DONE;

	(void)items;
	(void)nitems;
	if (dry_guest_volumes(g->guest, &v, &n, &e) < 0)
		return guest_fail(g, &e);
	/* Where they would be mounted is for the last column; a disk without an operating system has no such place. */
	if (dry_guest_mount_auto(g->guest, false, &e) < 0 && c->guest.verbose)
		guest_fail(g, &e);
	for (size_t i = 0; i < n; i++) {
		struct dry_usage u;

		if (!v[i].fs_readable)
			continue;
		if (dry_guest_usage(g->guest, i, &u, &e) < 0) {
			if (!guest_volume_may_fail(&c->guest, &v[i]))
				status = guest_fail(g, &e);
			else if (c->guest.verbose)
				guest_say(g, "%s", e.msg);
			continue;
		}
		if (c->json)
			object(f, g, &v[i], &u, mounted_on(g, i));
		else
			row(f, g, &v[i], &u, mounted_on(g, i), c->set->nguests > 1);
	}
	guest_notes(&c->guest, g);
	return status | guest_out(g, &f->text);
}

static int show(struct df *c, struct guest_set *s)
{
	CLEANUP(strbuf_free) struct strbuf text = STRBUF_INIT;
	const struct table blocks = TABLE_INIT("l r r r r l", "Filesystem", "1K-blocks", "Used", "Available", "Use%",
					       "Mounted on");
	const struct table inodes = TABLE_INIT("l r r r r l", "Filesystem", "Inodes", "IUsed", "IFree", "IUse%",
					       "Mounted on");
	struct table all = c->inodes ? inodes : blocks;
	struct guest_run run = { .opts = &c->guest, .set = s, .between = c->json ? "," : NULL, .work = show_guest, .arg = c };
	int status;

	c->set = s;
	c->guests = alloc_array(s->nguests, sizeof *c->guests);
	if (!c->guests) {
		cmd_warn("out of memory");
		return EXIT_FAILED;
	}
	c->j = (struct json)JSON_INIT(&text, true);
	if (c->human && !c->inodes)
		all.titles[1] = "Size";
	if (c->json) {
		json_array(&c->j, NULL);
		out_flush(&text);
	}
	for (size_t i = 0; i < s->nguests; i++) {
		struct df_guest *f = &c->guests[i];

		*f = (struct df_guest){ .c = c, .table = { .cells = STRBUF_INIT }, .text = STRBUF_INIT };
		f->j = guest_json(&c->j, &f->text);
	}
	status = guest_run(&run);
	for (size_t i = 0; i < s->nguests; i++) {
		table_move(&all, &c->guests[i].table);
		strbuf_free(&c->guests[i].text);
	}
	if (c->json) {
		c->j.has_items[c->j.depth] = run.printed;
		json_array_end(&c->j);
		strbuf_putc(&text, '\n');
		status |= out_flush(&text);
	} else {
		status |= table_print(&all, TABLE_TITLES);
	}
	table_free(&all);
	free(take(c->guests));
	return status ? EXIT_FAILED : EXIT_DONE;
}

int cmd_df(int argc, char **argv)
{
	struct df c = { .json = false };
	CLEANUP(guest_set_free) struct guest_set set = { .guests = NULL };
	const struct usage u = { "df", "[options] IMAGE...", "Shows how full the filesystems of guests are." };
	const struct opt opts[] = {
		GUEST_OPTS(&c.guest),
		GUEST_OPT_DOMAIN(&c.guest, 'd'),
		OPT_FLAG('h', "human-readable", &c.human, "sizes with K, M, G ... (powers of 1024)"),
		OPT_FLAG('i', "inodes", &c.inodes, "count inodes, not blocks"),
		OPT_FLAG(0, "json", &c.json, "print JSON"),
		OPT_END,
	};
	const struct guest_confine confine = { .write_dir = -1, .seconds = 3600 };
	bool fatal;
	int status = EXIT_USAGE;

	switch (opts_parse(&u, opts, &argc, &argv)) {
	case OPTS_DONE:
		status = EXIT_DONE;
		break;
	case OPTS_OK:
		status = guest_set_images("df", &c.guest, argc, argv, &set);
		if (!status) {
			status = guest_set_open(&c.guest, &confine, &set, &fatal);
			if (!fatal)
				status |= show(&c, &set);
		}
		break;
	case OPTS_BAD:
		break;
	}
	guest_opts_free(&c.guest);
	return status;
}
