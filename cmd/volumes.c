/* SPDX-License-Identifier: GPL-2.0-or-later */
/* volumes.c - drydock volumes: the partitions and filesystems of images. */
#include "alloc.h"
#include "guest_opts.h"
#include "json.h"
#include "out.h"

#include <inttypes.h>
#include <stdio.h>

struct volumes {
	struct guest_opts guest;
	bool json, bytes;
	struct table table;
	struct strbuf text;
	struct json j;
};

static void add_size(struct volumes *c, uint64_t size)
{
	char buf[16];

	if (c->bytes)
		table_addf(&c->table, "%" PRIu64, size);
	else
		table_add(&c->table, out_human(size, buf, sizeof buf));
}

static void row(struct volumes *c, const struct dry_volume *v, const struct dry_usage *u)
{
	uint64_t used = u ? u->blocks - u->blocks_free : 0;

	table_add(&c->table, v->name);
	table_add(&c->table, v->scheme);
	table_add(&c->table, v->part_type_name ? v->part_type_name : v->part_type);
	add_size(c, v->size);
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

static void string_or_none(struct json *j, const char *key, const char *value)
{
	if (value)
		json_str(j, key, value);
}

static void object(struct json *j, const struct dry_volume *v, const struct dry_usage *u,
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
			if (dry_guest_usage(g->guest, i, &usage, &e) < 0)
				status = guest_fail(g, &e);
			else
				u = &usage;
		}
		if (u && dry_guest_subvolumes(g->guest, i, &sub, &nsub, &e) < 0)
			status = guest_fail(g, &e);
		if (c->json) {
			object(&c->j, &v[i], u, sub, nsub);
			continue;
		}
		row(c, &v[i], u);
		for (size_t k = 0; k < nsub; k++)
			subvolume_row(c, &v[i], &sub[k]);
	}
	guest_notes(&c->guest, g);
	return status;
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

static int show(struct volumes *c, struct guest_set *s)
{
	int status = EXIT_DONE;

	if (c->json)
		json_array(&c->j, NULL);
	for (size_t i = 0; i < s->nguests; i++) {
		struct guest_ref *g = &s->guests[i];

		if (!g->guest)
			continue;
		if (c->json) {
			json_object(&c->j, NULL);
			json_str(&c->j, "image", g->label);
			disks(&c->j, g);
			json_array(&c->j, "volumes");
		} else if (s->nguests > 1) {
			printf("%s%s:\n", i ? "\n" : "", g->label);
		}
		status |= list_volumes(c, g);
		if (c->json) {
			json_array_end(&c->j);
			json_object_end(&c->j);
		} else {
			if (!g->failed)
				status |= table_print(&c->table, TABLE_TITLES);
			table_free(&c->table);
		}
	}
	if (c->json) {
		json_array_end(&c->j);
		strbuf_putc(&c->text, '\n');
		status |= out_flush(&c->text);
	}
	return status ? EXIT_FAILED : EXIT_DONE;
}

int cmd_volumes(int argc, char **argv)
{
	struct volumes c = {
		.table = TABLE_INIT("l l l r l l l r", "NAME", "SCHEME", "PARTITION TYPE", "SIZE", "FILESYSTEM", "LABEL",
				    "UUID", "USE%"),
		.text = STRBUF_INIT,
	};
	CLEANUP(guest_set_free) struct guest_set set = { .guests = NULL };
	const struct usage u = { "volumes", "[options] IMAGE...", "Lists the partitions and filesystems of images." };
	const struct opt opts[] = {
		GUEST_OPTS(&c.guest),
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
		status = guest_set_images("volumes", &c.guest, argc, argv, &set);
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
