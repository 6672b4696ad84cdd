/* SPDX-License-Identifier: GPL-2.0-or-later */
/* map.c - drydock map: which bytes of a disk lie where. */
#include "image.h"
#include "out.h"

#include "alloc.h"
#include "json.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>

enum { FLUSH_AT = 32 * 1024 };

struct map_args {
	struct image_how how;
	uint64_t start, length;
	bool own, json;
};

static void map_args_free(struct map_args *a)
{
	image_how_free(&a->how);
}

static const char *kind_of(const struct dry_extent *x)
{
	if (x->flags & DRY_EXTENT_ZERO)
		return x->flags & DRY_EXTENT_ALLOC ? "zero" : "hole";
	if (x->flags & DRY_EXTENT_COMPRESSED)
		return "compressed";
	return x->flags & DRY_EXTENT_DATA ? "data" : "backing";
}

static void add_json(struct strbuf *out, const struct dry_extent *x, bool first)
{
	struct json j = JSON_INIT(out, false);

	strbuf_puts(out, first ? "\n" : ",\n");
	json_object(&j, NULL);
	json_u64(&j, "offset", x->off);
	json_u64(&j, "length", x->len);
	json_str(&j, "kind", kind_of(x));
	json_u64(&j, "depth", x->depth);
	if (x->flags & DRY_EXTENT_HOST) {
		json_str(&j, "file", x->host_name);
		json_u64(&j, "file_offset", x->host_off);
	}
	json_object_end(&j);
}

static void add_line(struct strbuf *out, const struct dry_extent *x)
{
	strbuf_printf(out, "%18" PRIu64 "%18" PRIu64 "  %-10s%6u", x->off, x->len, kind_of(x), x->depth);
	if (x->flags & DRY_EXTENT_HOST && !(x->flags & DRY_EXTENT_ZERO)) {
		strbuf_printf(out, "%18" PRIu64 "  ", x->host_off);
		text_quote(out, x->host_name, strlen(x->host_name));
	}
	strbuf_putc(out, '\n');
}

/* One run after the other, printed some at a time: a map may be long. */
static int print_runs(const struct map_args *a, struct dry_image *img, uint64_t end)
{
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	struct dry_extent x;
	struct dry_error e;

	for (uint64_t at = a->start; at < end; at = x.off + x.len) {
		int rc = a->own ? dry_image_extent_own(img, end - at, at, &x, &e) : dry_image_extent(img, end - at, at, &x, &e);

		if (rc < 0) {
			out_flush(&out); /* what is known comes first */
			return cmd_fail(&e);
		}
		if (a->json)
			add_json(&out, &x, at == a->start);
		else
			add_line(&out, &x);
		if (out.len < FLUSH_AT)
			continue;
		if (out_flush(&out) != EXIT_DONE)
			return EXIT_FAILED;
	}
	return out_flush(&out);
}

static int map(const struct map_args *a, const char *name)
{
	CLEANUP(image_closep) struct dry_image *img = NULL;
	int status = image_open(name, &a->how, a->own ? DRY_OPEN_NO_BACKING : 0, &img);
	uint64_t size;

	if (status != EXIT_DONE)
		return status;
	size = dry_image_size(img);
	if (a->json)
		printf("{\"size\": %" PRIu64 ", \"extents\": [", size);
	else
		printf("%18s%18s  %-10s%6s%18s  %s\n", "OFFSET", "LENGTH", "KIND", "DEPTH", "FILE OFFSET", "FILE");
	if (a->start < size)
		status = print_runs(a, img, a->length < size - a->start ? a->start + a->length : size);
	if (a->json)
		puts("\n]}");
	return status;
}

int cmd_map(int argc, char **argv)
{
	CLEANUP(map_args_free) struct map_args a = { .length = UINT64_MAX };
	const struct usage u = { "map", "[options] IMAGE", "Tells which bytes of a disk lie where." };
	const struct opt opts[] = {
		IMAGE_OPT_FORMAT(&a.how),
		OPT_SIZE('s', "start-offset", "OFFSET", &a.start, "begin here"),
		OPT_SIZE('m', "max-length", "LENGTH", &a.length, "go on for so many bytes"),
		OPT_FLAG(0, "own", &a.own, "this image alone, without its backing files"),
		IMAGE_OPT_SNAPSHOT(&a.how),
		IMAGE_OPT_SHARE(&a.how),
		IMAGE_OPT_SECRETS(&a.how),
		IMAGE_OPT_ALLOW(&a.how),
		OPT_FLAG(0, "json", &a.json, "print JSON"),
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
	if (argc != 1)
		return cmd_usage("map", "needs an image");
	return map(&a, argv[0]);
}
