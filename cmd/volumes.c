/* SPDX-License-Identifier: GPL-2.0-or-later */
/* volumes.c - drydock volumes: the partitions and filesystems of images, and what volumes are made of. */
#include "alloc.h"
#include "guest_run.h"
#include "out.h"

#include <inttypes.h>
#include <stdio.h>

/* The command; and a copy of it for each guest, with tables and texts of its own. */
struct volumes {
	const struct guest_opts *guest;
	bool json, bytes, with_image;
	struct table table, groups;
	struct strbuf text;
	struct json j;
};

static void add_size(const struct volumes *c, struct table *t, uint64_t size)
{
	char buf[16];

	if (c->bytes)
		table_addf(t, "%" PRIu64, size);
	else
		table_add(t, out_human(size, buf, sizeof buf));
}

static void row(struct volumes *c, const struct dry_volume *v, const struct dry_usage *u)
{
	uint64_t used = u ? u->blocks - u->blocks_free : 0;

	table_add(&c->table, v->name);
	table_add(&c->table, v->scheme);
	table_add(&c->table, v->part_type_name ? v->part_type_name : v->part_type);
	add_size(c, &c->table, v->size);
	table_add(&c->table, v->fs_type);
	table_add_guest(&c->table, v->fs_label);
	table_add_guest(&c->table, v->fs_uuid);
	if (u && used + u->blocks_avail)
		table_addf(&c->table, "%.0f%%", 100.0 * (double)used / (double)(used + u->blocks_avail));
	else
		table_add(&c->table, NULL);
}

static void subvolume_row(struct volumes *c, const struct dry_volume *v, const struct dry_subvolume *s)
{
	table_add_guest(&c->table, s->name);
	table_add(&c->table, "subvolume");
	table_add(&c->table, NULL);
	table_add(&c->table, NULL);
	table_add(&c->table, v->fs_type);
	table_add_guest(&c->table, v->fs_label);
	table_add_guest(&c->table, v->fs_uuid);
	table_add(&c->table, NULL);
}

static void subvolume_objects(struct json *j, const struct dry_subvolume *s, size_t n)
{
	json_array(j, "subvolumes");
	for (size_t i = 0; i < n; i++) {
		json_object(j, NULL);
		json_u64(j, "id", s[i].id);
		json_str(j, "path", s[i].path);
		json_str(j, "name", s[i].name);
		json_bool(j, "default", s[i].is_default);
		json_object_end(j);
	}
	json_array_end(j);
}

/* "/dev/sda2,/dev/sdb": the members that are there; how many are missing. */
static void group_row(struct volumes *c, const struct dry_group *g, const struct dry_volume *v)
{
	CLEANUP(strbuf_free) struct strbuf names = STRBUF_INIT;
	size_t nmissing = 0;

	for (size_t i = 0; i < g->nmembers; i++) {
		if (g->members[i].volume == DRY_NO_VOLUME) {
			nmissing++;
			continue;
		}
		strbuf_printf(&names, "%s%s", names.len ? "," : "", v[g->members[i].volume].name);
	}
	table_add(&c->groups, g->name);
	table_add(&c->groups, g->scheme);
	add_size(c, &c->groups, g->size);
	add_size(c, &c->groups, g->free);
	table_add(&c->groups, names.failed ? NULL : names.s);
	table_addf(&c->groups, "%zu", nmissing);
	table_add(&c->groups, g->uuid);
}

static void string_or_none(struct json *j, const char *key, const char *value)
{
	if (value)
		json_str(j, key, value);
}

static void group_object(struct json *j, const struct dry_group *g, const struct dry_volume *v)
{
	json_object(j, NULL);
	json_str(j, "name", g->name);
	json_str(j, "scheme", g->scheme);
	json_str(j, "uuid", g->uuid);
	json_u64(j, "size", g->size);
	json_u64(j, "free", g->free);
	json_u64(j, "extent_size", g->extent_size);
	json_array(j, "members");
	for (size_t i = 0; i < g->nmembers; i++) {
		const struct dry_member *m = &g->members[i];

		json_object(j, NULL);
		if (m->volume == DRY_NO_VOLUME)
			json_bool(j, "missing", true);
		else
			json_str(j, "volume", v[m->volume].name);
		json_str(j, "uuid", m->uuid);
		json_u64(j, "size", m->size);
		json_u64(j, "free", m->free);
		json_object_end(j);
	}
	json_array_end(j);
	json_object_end(j);
}

/* Of what is made of others: of what, and as which of its kind. */
static void made_of(struct json *j, const struct dry_volume *v, const struct dry_volume *all)
{
	string_or_none(j, "uuid", v->uuid);
	string_or_none(j, "group", v->group);
	if (v->snapshot)
		json_bool(j, "snapshot", true);
	if (v->dormant)
		json_bool(j, "dormant", true);
	if (v->in_use)
		json_bool(j, "in_use", true);
	if (v->nparts) {
		json_array(j, "parts");
		for (size_t i = 0; i < v->nparts; i++)
			json_str(j, NULL, all[v->parts[i]].name);
		json_array_end(j);
	}
	if (v->naliases) {
		json_array(j, "aliases");
		for (size_t i = 0; i < v->naliases; i++)
			json_str(j, NULL, v->aliases[i]);
		json_array_end(j);
	}
}

static void object(struct json *j, const struct dry_volume *v, const struct dry_volume *all, const struct dry_usage *u,
		   const struct dry_subvolume *sub, size_t nsub)
{
	json_object(j, NULL);
	json_str(j, "name", v->name);
	json_str(j, "scheme", v->scheme);
	json_u64(j, "disk", v->disk);
	json_u64(j, "number", v->number);
	json_u64(j, "offset", v->off);
	json_u64(j, "size", v->size);
	json_bool(j, "bootable", v->bootable);
	if (v->extended)
		json_bool(j, "extended", true);
	if (v->locked)
		json_bool(j, "locked", true);
	made_of(j, v, all);
	string_or_none(j, "partition_type", v->part_type);
	string_or_none(j, "partition_type_name", v->part_type_name);
	string_or_none(j, "partition_uuid", v->part_uuid);
	string_or_none(j, "partition_label", v->part_label);
	if (v->fs_type) {
		json_object(j, "filesystem");
		json_str(j, "type", v->fs_type);
		string_or_none(j, "label", v->fs_label);
		string_or_none(j, "uuid", v->fs_uuid);
		json_bool(j, "readable", v->fs_readable);
		if (v->fs_readable && v->by_appliance)
			json_str(j, "engine", "appliance");
		if (u) {
			json_u64(j, "block_size", u->block_size);
			json_u64(j, "blocks", u->blocks);
			json_u64(j, "blocks_free", u->blocks_free);
			json_u64(j, "blocks_available", u->blocks_avail);
			json_u64(j, "inodes", u->inodes);
			json_u64(j, "inodes_free", u->inodes_free);
		}
		if (nsub)
			subvolume_objects(j, sub, nsub);
		json_object_end(j);
	}
	json_object_end(j);
}

static int list_volumes(struct volumes *c, struct guest_ref *g)
{
	const struct dry_volume *v;
	size_t n;
	struct dry_error e = { .code = DRY_OK };
	int status = EXIT_DONE;

	if (dry_guest_volumes(g->guest, &v, &n, &e) < 0) {
		g->failed = true;
		return guest_fail(g, &e);
	}
	for (size_t i = 0; i < n; i++) {
		const struct dry_subvolume *sub = NULL;
		struct dry_usage usage, *u = NULL;
		size_t nsub = 0;

		if (v[i].fs_readable) {
			/* What could not be read then is no longer called readable. */
			if (dry_guest_usage(g->guest, i, &usage, &e) >= 0)
				u = &usage;
			else if (!guest_volume_may_fail(c->guest, &v[i]))
				status = guest_fail(g, &e);
			else if (c->guest->verbose)
				guest_say(g, "%s", e.msg);
		}
		if (u && dry_guest_subvolumes(g->guest, i, &sub, &nsub, &e) < 0)
			status = guest_fail(g, &e);
		if (c->json) {
			object(&c->j, &v[i], v, u, sub, nsub);
			continue;
		}
		row(c, &v[i], u);
		for (size_t k = 0; k < nsub; k++)
			subvolume_row(c, &v[i], &sub[k]);
	}
	guest_notes(c->guest, g);
	return status;
}

/* What dry_guest_volumes() has found before. */
static void list_groups(struct volumes *c, const struct guest_ref *g)
{
	const struct dry_volume *v;
	const struct dry_group *groups;
	size_t n, nvolumes;

	if (g->failed || dry_guest_volumes(g->guest, &v, &nvolumes, NULL) < 0 || dry_guest_groups(g->guest, &groups, &n, NULL) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		if (c->json)
			group_object(&c->j, &groups[i], v);
		else
			group_row(c, &groups[i], v);
	}
}

static void disks(struct json *j, const struct guest_ref *g)
{
	struct dry_disk d;

	json_array(j, "disks");
	for (size_t i = 0; dry_guest_disk(g->guest, i, &d); i++) {
		json_object(j, NULL);
		json_str(j, "device", d.device);
		json_str(j, "image", d.name);
		json_str(j, "format", d.format);
		json_u64(j, "size", d.size);
		json_object_end(j);
	}
	json_array_end(j);
}

static void show_json(struct volumes *c, struct guest_ref *g, int *status)
{
	json_object(&c->j, NULL);
	json_str(&c->j, "image", g->label);
	disks(&c->j, g);
	json_array(&c->j, "volumes");
	*status |= list_volumes(c, g);
	json_array_end(&c->j);
	json_array(&c->j, "groups");
	list_groups(c, g);
	json_array_end(&c->j);
	json_object_end(&c->j);
}

static void show_tables(struct volumes *c, struct guest_ref *g, int *status)
{
	if (c->with_image)
		strbuf_printf(&c->text, "%s:\n", g->label);
	*status |= list_volumes(c, g);
	list_groups(c, g);
	if (!g->failed)
		*status |= table_text(&c->table, TABLE_TITLES, &c->text);
	if (c->groups.ncells) {
		strbuf_putc(&c->text, '\n');
		*status |= table_text(&c->groups, TABLE_TITLES, &c->text);
	}
}

static int show_guest(void *arg, struct guest_ref *g, const struct guest_item *items, size_t nitems)
{
	const struct volumes *all = arg;
	struct volumes c = *all;
	int status = EXIT_DONE;

	(void)items;
	(void)nitems;
	c.text = (struct strbuf)STRBUF_INIT;
	c.j = guest_json(&all->j, &c.text);
	if (c.json)
		show_json(&c, g, &status);
	else
		show_tables(&c, g, &status);
	status |= guest_out(g, &c.text);
	table_free(&c.table);
	table_free(&c.groups);
	strbuf_free(&c.text);
	return status;
}

static int show(struct volumes *c, struct guest_set *s)
{
	struct guest_run run = { .opts = c->guest, .set = s, .between = c->json ? "," : "\n", .work = show_guest, .arg = c };
	int status;

	c->with_image = s->nguests > 1;
	if (c->json) {
		json_array(&c->j, NULL);
		out_flush(&c->text);
	}
	status = guest_run(&run);
	if (c->json) {
		c->j.has_items[c->j.depth] = run.printed;
		json_array_end(&c->j);
		strbuf_putc(&c->text, '\n');
		status |= out_flush(&c->text);
	}
	return status ? EXIT_FAILED : EXIT_DONE;
}

int cmd_volumes(int argc, char **argv)
{
	struct guest_opts guest = { .verbose = false };
	struct volumes c = {
		.guest = &guest,
		.table = TABLE_INIT("l l l r l l l r", "NAME", "SCHEME", "PARTITION TYPE", "SIZE", "FILESYSTEM", "LABEL",
				    "UUID", "USE%"),
		.groups = TABLE_INIT("l l r r l r l", "GROUP", "SCHEME", "SIZE", "FREE", "MEMBERS", "MISSING", "UUID"),
		.text = STRBUF_INIT,
	};
	CLEANUP(guest_set_free) struct guest_set set = { .guests = NULL };
	const struct usage u = { "volumes", "[options] IMAGE...",
				 "Lists the partitions, logical volumes and filesystems of images." };
	const struct opt opts[] = {
		GUEST_OPTS(&guest),
		GUEST_OPT_DOMAIN(&guest, 'd'),
		OPT_FLAG('b', "bytes", &c.bytes, "sizes in bytes"),
		OPT_FLAG(0, "json", &c.json, "print JSON"),
		OPT_END,
	};
	const struct guest_confine confine = { .write_dir = -1, .seconds = 3600 };
	bool fatal;
	int status = EXIT_USAGE;

	c.j = (struct json)JSON_INIT(&c.text, true);
	switch (opts_parse(&u, opts, &argc, &argv)) {
	case OPTS_DONE:
		status = EXIT_DONE;
		break;
	case OPTS_OK:
		status = guest_set_images("volumes", &guest, argc, argv, &set);
		if (!status) {
			status = guest_set_open(&guest, &confine, &set, &fatal);
			if (!fatal)
				status |= show(&c, &set);
		}
		break;
	case OPTS_BAD:
		break;
	}
	strbuf_free(&c.text);
	guest_opts_free(&guest);
	return status;
}
