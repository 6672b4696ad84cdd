/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snapshot.c - drydock snapshot: the internal snapshots of an image. */
#include "image.h"
#include "out.h"

#include "alloc.h"
#include "json.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

struct snapshot_args {
	struct image_how how;
	bool json;
};

static void snapshot_args_free(struct snapshot_args *a)
{
	image_how_free(&a->how);
}

/* "2026-11-20T06:49:33Z" */
static const char *date_of(const struct dry_snapshot *s, char *buf, size_t size)
{
	time_t when = s->date_sec;
	struct tm tm;

	if (!gmtime_r(&when, &tm) || !strftime(buf, size, "%Y-%m-%dT%H:%M:%SZ", &tm))
		return NULL;
	return buf;
}

static int list_json(const char *image, const struct dry_snapshot *items, size_t n)
{
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	struct json j = JSON_INIT(&out, true);
	char date[32];

	json_object(&j, NULL);
	json_str(&j, "image", image);
	json_array(&j, "snapshots");
	for (size_t i = 0; i < n; i++) {
		const struct dry_snapshot *s = &items[i];

		json_object(&j, NULL);
		json_str(&j, "id", s->id);
		json_str(&j, "name", s->name);
		if (date_of(s, date, sizeof date))
			json_str(&j, "date", date);
		json_u64(&j, "disk_size", s->disk_size);
		json_u64(&j, "vm_state_size", s->vm_state_size);
		json_u64(&j, "vm_clock_nsec", s->vm_clock_nsec);
		if (s->icount != UINT64_MAX)
			json_u64(&j, "icount", s->icount);
		json_object_end(&j);
	}
	json_array_end(&j);
	json_object_end(&j);
	strbuf_putc(&out, '\n');
	return out_flush(&out);
}

static int list(const struct snapshot_args *a, const char *name)
{
	CLEANUP(table_free) struct table t = TABLE_INIT("lllrr", "ID", "NAME", "DATE", "DISK", "VM STATE");
	CLEANUP(image_closep) struct dry_image *img = NULL;
	const struct dry_snapshot *items;
	struct dry_error e;
	char text[32];
	size_t n;
	int status = image_open(name, &a->how, DRY_OPEN_NO_BACKING, &img);

	if (status != EXIT_DONE)
		return status;
	if (dry_image_snapshots(img, &items, &n, &e) < 0)
		return cmd_fail(&e);
	if (a->json)
		return list_json(name, items, n);
	for (size_t i = 0; i < n; i++) {
		table_add_guest(&t, items[i].id);
		table_add_guest(&t, items[i].name);
		table_add(&t, date_of(&items[i], text, sizeof text));
		table_add(&t, out_human(items[i].disk_size, text, sizeof text));
		table_add(&t, out_human(items[i].vm_state_size, text, sizeof text));
	}
	return n ? table_print(&t, TABLE_TITLES) : EXIT_DONE;
}

static int change(const struct snapshot_args *a, const char *image, const char *name,
		  int (*what)(struct dry_image *img, const char *name, struct dry_error *e))
{
	CLEANUP(image_closep) struct dry_image *img = NULL;
	struct dry_error e;
	int status = image_open(image, &a->how, DRY_OPEN_WRITE | DRY_OPEN_RESIZE, &img);

	if (status != EXIT_DONE)
		return status;
	return what(img, name, &e) < 0 || dry_image_finish(img, &e) < 0 ? cmd_fail(&e) : EXIT_DONE;
}

int cmd_snapshot(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*what)(struct dry_image *img, const char *name, struct dry_error *e);
	} actions[] = {
		{ "create", dry_image_snapshot_create },
		{ "apply", dry_image_snapshot_apply },
		{ "delete", dry_image_snapshot_delete },
	};
	CLEANUP(snapshot_args_free) struct snapshot_args a = { .json = false };
	const struct usage u = { "snapshot", "[options] list|create|apply|delete IMAGE [SNAPSHOT]",
				 "Lists, makes, goes back to and removes the snapshots inside an image." };
	const struct opt opts[] = {
		IMAGE_OPT_FORMAT(&a.how),
		IMAGE_OPT_SHARE(&a.how),
		IMAGE_OPT_SECRETS(&a.how),
		IMAGE_OPT_ALLOW(&a.how),
		OPT_FLAG(0, "json", &a.json, "list as JSON"),
		OPT_END,
	};

	switch (opts_parse(&u, opts, &argc, &argv)) {
	case OPTS_DONE:
		return EXIT_DONE;
	case OPTS_BAD:
		return EXIT_USAGE;
	case OPTS_OK:
		break;
	}
	if (argc == 2 && strcmp(argv[0], "list") == 0)
		return list(&a, argv[1]);
	for (size_t i = 0; argc && i < ARRAY_LEN(actions); i++) {
		if (strcmp(argv[0], actions[i].name) != 0)
			continue;
		if (argc != 3)
			return cmd_usage("snapshot", "%s needs an image and the name of a snapshot", argv[0]);
		return change(&a, argv[1], argv[2], actions[i].what);
	}
	return cmd_usage("snapshot", "needs list, create, apply or delete, and an image");
}
