/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qemu_img_resize.c - qemu-img resize. */
#include "qemu_img.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { OPT_OBJECT = 256, OPT_IMAGE_OPTS, OPT_PREALLOCATION, OPT_SHRINK };

/* The new size from "10G", "+10G" or "-10G"; false when it would not be positive. */
static bool new_size(char sign, uint64_t n, uint64_t old, uint64_t *out)
{
	if (n > INT64_MAX)
		return false;
	if (sign == '-')
		*out = old > n ? old - n : 0;
	else
		*out = sign == '+' ? old + n : n;
	return *out > 0 && *out <= INT64_MAX;
}

/* What the format thinks of the wish, in the peer's words; NULL: nothing to say. */
static const char *refusal(const struct dry_info *info, uint64_t size, uint64_t old, enum dry_prealloc prealloc)
{
	if (size > old && prealloc == DRY_PREALLOC_METADATA && strcmp(info->format, "raw") == 0)
		return "Unsupported preallocation mode: metadata";
	if (size % 512 && strcmp(info->format, "qcow2") == 0)
		return "The new size must be a multiple of 512";
	return NULL;
}

static int resize(const struct qi_name *n, char sign, uint64_t wish, enum dry_prealloc prealloc, bool shrink, bool quiet)
{
	CLEANUP(qi_image_closep) struct dry_image *img = NULL;
	struct dry_error e = { 0 };
	uint64_t size, old;
	struct dry_info info;
	const char *no;

	if (!qi_open(n, DRY_OPEN_WRITE | DRY_OPEN_RESIZE, DRY_CACHE_WRITEBACK, NULL, &img))
		return EXIT_FAILED;
	old = qi_disk_size(img);
	if (!new_size(sign, wish, old, &size)) {
		qi_error("New image size must be positive");
		return EXIT_FAILED;
	}
	if (size <= old && prealloc != DRY_PREALLOC_OFF) {
		qi_error("Preallocation can only be used for growing images");
		return EXIT_FAILED;
	}
	if (size < old && !shrink) {
		qi_error("Use the --shrink option to perform a shrink operation.");
		qi_error("warning: Shrinking an image will delete all data beyond the shrunken image's end. Before performing "
			 "such an operation, make sure there is no important data there.");
		return EXIT_FAILED;
	}
	if (dry_image_info(img, &info, &e) == 0 && (no = refusal(&info, size, old, prealloc))) {
		qi_error("%s", no);
		return EXIT_FAILED;
	}
	if (dry_image_resize(img, size, prealloc, &e) < 0 || dry_image_finish(img, &e) < 0) {
		if (e.code == DRY_LIMIT && strcmp(info.format, "qcow2") == 0)
			qi_error("Failed to grow the L1 table: %s", strerror(EFBIG));
		else
			qi_error("%s", e.msg);
		return EXIT_FAILED;
	}
	if (!quiet)
		printf("Image resized.\n");
	return EXIT_DONE;
}

int qemu_img_resize(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "object", required_argument, NULL, OPT_OBJECT },
		{ "image-opts", no_argument, NULL, OPT_IMAGE_OPTS },
		{ "preallocation", required_argument, NULL, OPT_PREALLOCATION },
		{ "shrink", no_argument, NULL, OPT_SHRINK },
		{ NULL, 0, NULL, 0 },
	};
	enum dry_prealloc prealloc = DRY_PREALLOC_OFF;
	CLEANUP(strbuf_free) struct strbuf why = STRBUF_INIT;
	bool shrink = false, quiet = false;
	CLEANUP(qi_name_free) struct qi_name n = { .name = NULL };
	const char *size_text;
	enum qi_number got;
	uint64_t wish;
	char sign = 0;
	int c;

	/* The size is the last word, whatever it looks like: "-10G" is no option. */
	if (argc < 3)
		return qi_usage("Not enough arguments");
	size_text = argv[--argc];
	while ((c = getopt_long(argc, argv, ":f:hq", longs, NULL)) != -1) {
		switch (c) {
		case 'h':
			return qi_help();
		case 'f':
			n.format = optarg;
			break;
		case 'q':
			quiet = true;
			break;
		case OPT_OBJECT:
			if (!qi_object_option(optarg, &n.secrets))
				return EXIT_FAILED;
			break;
		case OPT_IMAGE_OPTS:
			n.image_opts = true;
			break;
		case OPT_PREALLOCATION:
			if (!dry_prealloc_parse(optarg, &prealloc)) {
				qi_error("Invalid preallocation mode '%s'", optarg);
				return EXIT_FAILED;
			}
			break;
		case OPT_SHRINK:
			shrink = true;
			break;
		default:
			return qi_bad_option(c, argv);
		}
	}
	if (optind != argc - 1)
		return qi_usage("Expecting image file name and size");
	n.name = argv[optind];
	if (*size_text == '+' || *size_text == '-')
		sign = *size_text++;
	got = qi_parse_size(size_text, &wish);
	if (got != QI_OK) {
		qi_size_problem(&why, "size", size_text, got);
		qi_error("%s", why.s);
		return EXIT_FAILED;
	}
	return resize(&n, sign, wish, prealloc, shrink, quiet);
}
