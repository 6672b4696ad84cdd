/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qemu_img_map.c - qemu-img map. */
#include "qemu_img.h"

#include <inttypes.h>
#include <stdio.h>

enum { OPT_OUTPUT = 256, OPT_OBJECT, OPT_IMAGE_OPTS };

/* Is the range one of those that people are shown, and can it be?  false with a sentence: it cannot. */
static bool print_human(const struct dry_extent *x)
{
	if (!(x->flags & DRY_EXTENT_DATA))
		return true;
	if (!(x->flags & DRY_EXTENT_HOST)) {
		qi_error("File contains external, encrypted or compressed clusters.");
		return false;
	}
	if (!(x->flags & DRY_EXTENT_ZERO))
		printf("%#-16" PRIx64 "%#-16" PRIx64 "%#-16" PRIx64 "%s\n", x->off, x->len, x->host_off, x->host_name);
	return true;
}

static void print_json(const struct dry_extent *x, bool first)
{
	printf("%s{ \"start\": %" PRIu64 ", \"length\": %" PRIu64
	       ", \"depth\": %u, \"present\": %s, \"zero\": %s, \"data\": %s",
	       first ? "[" : ",\n", x->off, x->len, x->depth, x->flags & DRY_EXTENT_ALLOC ? "true" : "false",
	       x->flags & DRY_EXTENT_ZERO ? "true" : "false", x->flags & DRY_EXTENT_DATA ? "true" : "false");
	if (x->flags & DRY_EXTENT_HOST)
		printf(", \"offset\": %" PRIu64, x->host_off);
	printf("}");
}

/* Would the peer show b as part of a?  The two are neighbours. */
static bool joins(const struct dry_extent *a, const struct dry_extent *b)
{
	unsigned kinds = DRY_EXTENT_DATA | DRY_EXTENT_ZERO | DRY_EXTENT_ALLOC | DRY_EXTENT_HOST;

	return (a->flags & kinds) == (b->flags & kinds) && a->depth == b->depth && a->host_name == b->host_name &&
	       (!(a->flags & DRY_EXTENT_HOST) || b->host_off == a->host_off + a->len);
}

/* The part of a disk's last sector that its file does not fill reads as zeros, and has its place behind the rest. */
static void place_last_part(struct dry_extent *x, const struct dry_extent *before, uint64_t disk)
{
	if (x->off + x->len != disk || x->len >= 512 || !before->len || x->depth != before->depth ||
	    (x->flags & (DRY_EXTENT_ZERO | DRY_EXTENT_HOST)) != DRY_EXTENT_ZERO || !(before->flags & DRY_EXTENT_HOST))
		return;
	x->flags |= DRY_EXTENT_HOST;
	x->host_name = before->host_name;
	x->host_off = before->host_off + before->len;
}

static int map(struct dry_image *img, uint64_t from, uint64_t max, enum qi_output output)
{
	uint64_t disk = dry_image_size(img), end;
	struct dry_extent run = { .off = from }, next;
	struct dry_error e = { 0 };
	bool first = true, ok = true;

	end = from >= disk ? from : max < disk - from ? from + max : disk;
	if (output == QI_HUMAN)
		printf("%-16s%-16s%-16s%s\n", "Offset", "Length", "Mapped to", "File");
	/* Ends because every answer is at least one byte long. */
	for (uint64_t off = from; off < end && ok; off = next.off + next.len) {
		if (dry_image_extent(img, end - off, off, &next, &e) < 0) {
			if (output == QI_JSON && first)
				printf("[");
			qi_error("Could not read file metadata: %s", qi_io_reason(&e));
			return EXIT_FAILED;
		}
		place_last_part(&next, &run, disk);
		if (run.len && joins(&run, &next)) {
			run.len += next.len;
			continue;
		}
		if (run.len) {
			if (output == QI_JSON)
				print_json(&run, first);
			else
				ok = print_human(&run);
			first = false;
		}
		run = next;
	}
	if (output == QI_JSON) {
		print_json(&run, first);
		printf("]\n");
	} else if (ok) {
		ok = print_human(&run);
	}
	return ok ? EXIT_DONE : EXIT_FAILED;
}

int qemu_img_map(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "format", required_argument, NULL, 'f' },
		{ "output", required_argument, NULL, OPT_OUTPUT },
		{ "object", required_argument, NULL, OPT_OBJECT },
		{ "image-opts", no_argument, NULL, OPT_IMAGE_OPTS },
		{ "force-share", no_argument, NULL, 'U' },
		{ "start-offset", required_argument, NULL, 's' },
		{ "max-length", required_argument, NULL, 'l' },
		{ NULL, 0, NULL, 0 },
	};
	CLEANUP(qi_image_closep) struct dry_image *img = NULL;
	CLEANUP(qi_name_free) struct qi_name n = { .name = NULL };
	uint64_t from = 0, max = UINT64_MAX;
	const char *output_text = NULL;
	enum qi_output output;
	int c;

	while ((c = getopt_long(argc, argv, ":f:s:l:hU", longs, NULL)) != -1) {
		switch (c) {
		case 'h':
			return qi_help();
		case 'f':
			n.format = optarg;
			break;
		case 'U':
			n.force_share = true;
			break;
		case 's':
			if (!qi_size_option("start offset", optarg, &from))
				return EXIT_FAILED;
			break;
		case 'l':
			if (!qi_size_option("max length", optarg, &max))
				return EXIT_FAILED;
			break;
		case OPT_OUTPUT:
			output_text = optarg;
			break;
		case OPT_OBJECT:
			if (!qi_object_option(optarg, &n.secrets))
				return EXIT_FAILED;
			break;
		case OPT_IMAGE_OPTS:
			n.image_opts = true;
			break;
		default:
			return qi_bad_option(c, argv);
		}
	}
	if (optind != argc - 1)
		return qi_usage("Expecting one image file name");
	n.name = argv[optind];
	if (!qi_output_option(output_text, &output) || !qi_open(&n, 0, DRY_CACHE_WRITEBACK, NULL, &img))
		return EXIT_FAILED;
	return map(img, from, max, output);
}
