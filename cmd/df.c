/* SPDX-License-Identifier: GPL-2.0-or-later */
/* df.c - drydock df: how full the filesystems of guests are. */
#include "alloc.h"
#include "guest_opts.h"
#include "json.h"
#include "out.h"

#include <inttypes.h>
#include <stdio.h>

struct df {
	struct guest_opts guest;
	bool json, human, inodes;
	struct table table;
	struct strbuf text;
	struct json j;
};

static void add_amount(struct df *c, uint64_t n, uint64_t unit)
{
	char buf[16];

	if (c->human)
		table_add(&c->table, out_human(n * unit, buf, sizeof buf));
	else if (c->inodes)
		table_addf(&c->table, "%" PRIu64, n);
	else /* in KiB, rounded up as df does */
		table_addf(&c->table, "%" PRIu64, unit >= 1024 ? n * (unit / 1024) : (n * unit + 1023) / 1024);
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

static void row(struct df *c, const struct guest_ref *g, const struct dry_volume *v, const struct dry_usage *u,
		const char *on, bool with_image)
{
	uint64_t total = c->inodes ? u->inodes : u->blocks;
	uint64_t left = c->inodes ? u->inodes_free : u->blocks_avail;
	uint64_t used = c->inodes ? u->inodes - u->inodes_free : u->blocks - u->blocks_free;
	uint64_t unit = c->inodes ? 1 : u->block_size;

	if (with_image)
		table_addf(&c->table, "%s:%s", g->label, v->name);
	else
		table_add(&c->table, v->name);
	add_amount(c, total, unit);
	add_amount(c, used, unit);
	add_amount(c, left, unit);
	table_addf(&c->table, "%u%%", percent(used, left));
	table_add_guest(&c->table, on);
}

static void object(struct df *c, const struct guest_ref *g, const struct dry_volume *v, const struct dry_usage *u,
		   const char *on)
{
	struct json *j = &c->j;

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

static int show_guest(struct df *c, struct guest_ref *g, bool with_image)
{
	const struct dry_volume *v;
	size_t n;
	struct dry_error e = { .code = DRY_OK };
	int status = EXIT_DONE;

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
			status = guest_fail(g, &e);
			continue;
		}
		if (c->json)
			object(c, g, &v[i], &u, mounted_on(g, i));
		else
			row(c, g, &v[i], &u, mounted_on(g, i), with_image);
	}
	guest_notes(&c->guest, g);
	return status;
}

static int show(struct df *c, struct guest_set *s)
{
	int status = EXIT_DONE;

	if (c->json)
		json_array(&c->j, NULL);
	for (size_t i = 0; i < s->nguests; i++) {
		if (!s->guests[i].guest)
			continue;
		status |= show_guest(c, &s->guests[i], s->nguests > 1);
		/* Hundreds of images in one call: keep no more open than needed. */
		dry_guest_close(take(s->guests[i].guest));
	}
	if (c->json) {
		json_array_end(&c->j);
		strbuf_putc(&c->text, '\n');
		status |= out_flush(&c->text);
	} else {
		status |= table_print(&c->table, TABLE_TITLES);
	}
	return status ? EXIT_FAILED : EXIT_DONE;
}

int cmd_df(int argc, char **argv)
{
	struct df c = { .text = STRBUF_INIT, .table = { .cells = STRBUF_INIT } };
	CLEANUP(guest_set_free) struct guest_set set = { .guests = NULL };
	const struct usage u = { "df", "[options] IMAGE...", "Shows how full the filesystems of guests are." };
	const struct opt opts[] = {
		GUEST_OPTS(&c.guest),
		OPT_FLAG('h', "human-readable", &c.human, "sizes with K, M, G ... (powers of 1024)"),
		OPT_FLAG('i', "inodes", &c.inodes, "count inodes, not blocks"),
		OPT_FLAG(0, "json", &c.json, "print JSON"),
		OPT_END,
	};
	const struct guest_confine confine = { .write_dir = -1, .seconds = 3600 };
	const struct table blocks = TABLE_INIT("l r r r r l", "Filesystem", "1K-blocks", "Used", "Available", "Use%",
					       "Mounted on");
	const struct table inodes = TABLE_INIT("l r r r r l", "Filesystem", "Inodes", "IUsed", "IFree", "IUse%",
					       "Mounted on");
	bool fatal;
	int status = EXIT_USAGE;

	c.j = (struct json)JSON_INIT(&c.text, true);
	switch (opts_parse(&u, opts, &argc, &argv)) {
	case OPTS_DONE:
		status = EXIT_DONE;
		break;
	case OPTS_OK:
		c.table = c.inodes ? inodes : blocks;
		if (c.human && !c.inodes)
			c.table.titles[1] = "Size";
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
	table_free(&c.table);
	strbuf_free(&c.text);
	guest_opts_free(&c.guest);
	return status;
}
