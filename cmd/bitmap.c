/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bitmap.c - drydock bitmap: which parts of a disk were written since when. */
#include "image.h"
#include "out.h"

#include "alloc.h"
#include "json.h"

#include <inttypes.h>
#include <stdio.h>

struct bitmap_args {
	struct image_how how;
	const char *source, *source_format;
	uint64_t granularity;
	bool disabled, json;
};

static void bitmap_args_free(struct bitmap_args *a)
{
	image_how_free(&a->how);
}

static const char *state_of(const struct dry_bitmap *b)
{
	return b->inconsistent ? "inconsistent" : b->enabled ? "enabled" : "disabled";
}

static int list_json(const char *image, const struct dry_bitmap *items, size_t n)
{
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	struct json j = JSON_INIT(&out, true);

	json_object(&j, NULL);
	json_str(&j, "image", image);
	json_array(&j, "bitmaps");
	for (size_t i = 0; i < n; i++) {
		json_object(&j, NULL);
		json_str(&j, "name", items[i].name);
		json_str(&j, "state", state_of(&items[i]));
		json_u64(&j, "granularity", items[i].granularity);
		if (!items[i].inconsistent)
			json_u64(&j, "dirty", items[i].dirty);
		json_object_end(&j);
	}
	json_array_end(&j);
	json_object_end(&j);
	strbuf_putc(&out, '\n');
	return out_flush(&out);
}

static int list(const struct bitmap_args *a, const char *name)
{
	CLEANUP(table_free) struct table t = TABLE_INIT("llrr", "NAME", "STATE", "GRANULARITY", "DIRTY");
	CLEANUP(image_closep) struct dry_image *img = NULL;
	const struct dry_bitmap *items;
	struct dry_error e;
	char text[16];
	size_t n;
	int status = image_open(name, &a->how, DRY_OPEN_NO_BACKING, &img);

	if (status != EXIT_DONE)
		return status;
	if (dry_image_bitmaps(img, &items, &n, &e) < 0)
		return cmd_fail(&e);
	if (a->json)
		return list_json(name, items, n);
	for (size_t i = 0; i < n; i++) {
		table_add_guest(&t, items[i].name);
		table_add(&t, state_of(&items[i]));
		table_add(&t, out_human(items[i].granularity, text, sizeof text));
		table_add(&t, items[i].inconsistent ? NULL : out_human(items[i].dirty, text, sizeof text));
	}
	return n ? table_print(&t, TABLE_TITLES) : EXIT_DONE;
}

static int merge(const struct bitmap_args *a, struct dry_image *img, const char *name, const char *from, struct dry_error *e)
{
	CLEANUP(image_closep) struct dry_image *source = NULL;
	struct image_how other = a->how; /* lent: freed with a */

	other.format = a->source_format;
	if (a->source && image_open(a->source, &other, DRY_OPEN_NO_BACKING, &source) != EXIT_DONE) {
		e->msg[0] = '\0'; /* it was said */
		return -(int)DRY_SYSTEM;
	}
	return dry_image_bitmap_merge(img, name, source ? source : img, from, e);
}

enum action { LIST, ADD, REMOVE, CLEAR, ENABLE, DISABLE, MERGE };
static const char *const action_words[] = { "list", "add", "remove", "clear", "enable", "disable", "merge" };

static int change(const struct bitmap_args *a, enum action what, char *const words[])
{
	CLEANUP(image_closep) struct dry_image *img = NULL;
	const char *name = words[1];
	struct dry_error e = { 0 };
	int rc = image_open(words[0], &a->how, DRY_OPEN_WRITE | DRY_OPEN_RESIZE, &img);

	if (rc != EXIT_DONE)
		return rc;
	if (what == ADD)
		rc = dry_image_bitmap_add(img, name, a->granularity, a->disabled, &e);
	else if (what == REMOVE)
		rc = dry_image_bitmap_remove(img, name, &e);
	else if (what == CLEAR)
		rc = dry_image_bitmap_clear(img, name, &e);
	else if (what == MERGE)
		rc = merge(a, img, name, words[2], &e);
	else
		rc = dry_image_bitmap_enable(img, name, what == ENABLE, &e);
	if (rc == 0)
		rc = dry_image_finish(img, &e);
	if (rc < 0 && !*e.msg)
		return EXIT_FAILED;
	return rc < 0 ? cmd_fail(&e) : EXIT_DONE;
}

static int run(const struct bitmap_args *a, int argc, char **argv)
{
	size_t what = 0;
	int wanted;

	while (argc && what < ARRAY_LEN(action_words) && strcmp(argv[0], action_words[what]) != 0)
		what++;
	if (!argc || what == ARRAY_LEN(action_words))
		return cmd_usage("bitmap", "needs list, add, remove, clear, enable, disable or merge, and an image");
	wanted = what == LIST ? 2 : what == MERGE ? 4 : 3;
	if (argc != wanted)
		return cmd_usage("bitmap", what == LIST	  ? "%s needs an image"
					   : what == MERGE ? "%s needs an image, a bitmap, and the bitmap to merge into it"
							   : "%s needs an image and the name of a bitmap",
				 argv[0]);
	if ((a->granularity || a->disabled) && what != ADD)
		return cmd_usage("bitmap", "--granularity and --disabled are for a new bitmap (add)");
	if ((a->source || a->source_format) && (what != MERGE || !a->source))
		return cmd_usage("bitmap", "--from and --from-format are for merge, and go together");
	return what == LIST ? list(a, argv[1]) : change(a, (enum action)what, argv + 1);
}

int cmd_bitmap(int argc, char **argv)
{
	CLEANUP(bitmap_args_free) struct bitmap_args a = { .json = false };
	const struct usage u = { "bitmap", "[options] list|add|remove|clear|enable|disable|merge IMAGE [BITMAP [SOURCE]]",
				 "Lists and changes the dirty bitmaps kept in an image." };
	const struct opt opts[] = {
		IMAGE_OPT_FORMAT(&a.how),
		OPT_SIZE('g', "granularity", "SIZE", &a.granularity, "add: bytes of the disk for a bit (64k)"),
		OPT_FLAG(0, "disabled", &a.disabled, "add: do not record writes yet"),
		OPT_STRING('b', "from", "FILE", &a.source, "merge: the image that holds the other bitmap"),
		OPT_STRING('F', "from-format", "FMT", &a.source_format, "its format (guessed if not given)"),
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
	return run(&a, argc, argv);
}
