/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qemu_img_compare.c - qemu-img compare. */
#include "qemu_img.h"

#include <inttypes.h>
#include <stdio.h>

enum { OPT_OBJECT = 256, OPT_IMAGE_OPTS };
enum { EXIT_DIFFERENT = 1, EXIT_OPEN = 2, EXIT_MAP = 3, EXIT_READ = 4 };

/* Words for a difference; the offset is that of the sector. */
static int tell(const struct dry_compare_result *r, uint64_t shorter, bool quiet)
{
	uint64_t sector = r->off & ~511ULL;

	if (!quiet && r->sizes_differ && r->difference != DRY_DIFFERENT_SIZE &&
	    (r->difference == DRY_SAME || sector >= shorter))
		printf("Warning: Image size mismatch!\n");
	switch (r->difference) {
	case DRY_SAME:
		if (!quiet)
			printf("Images are identical.\n");
		return EXIT_DONE;
	case DRY_DIFFERENT_SIZE:
		if (!quiet)
			printf("Strict mode: Image size mismatch!\n");
		break;
	case DRY_DIFFERENT_ALLOC:
		if (!quiet)
			printf("Strict mode: Offset %" PRIu64 " block status mismatch!\n", r->off);
		break;
	case DRY_DIFFERENT:
		if (!quiet)
			printf("Content mismatch at offset %" PRIu64 "!\n", sector);
		break;
	}
	return EXIT_DIFFERENT;
}

static int compare(struct qi_name n[2], enum dry_cache cache, bool strict, bool shows, bool quiet)
{
	CLEANUP(qi_image_closep) struct dry_image *a = NULL;
	CLEANUP(qi_image_closep) struct dry_image *b = NULL;
	struct dry_compare_result r;
	struct dry_error e = { 0 };
	struct qi_progress p;
	uint64_t sizes[2];
	int status;

	if (!qi_open(&n[0], 0, cache, NULL, &a) || !qi_open(&n[1], 0, cache, NULL, &b))
		return EXIT_OPEN;
	sizes[0] = qi_disk_size(a);
	sizes[1] = qi_disk_size(b);
	qi_progress_begin(&p, shows && !quiet, 2);
	/* Disks have whole sectors: host files that differ by less are disks of one size. */
	if (dry_compare(&(struct dry_compare){ .a = a, .b = b, .strict = strict && sizes[0] == sizes[1],
					       .progress = { qi_progress_run, &p } },
			&r, &e) < 0) {
		const char *name = n[r.failed_image ? 1 : 0].name;

		if (r.failed_map)
			qi_error("Error while reading block status at offset %" PRIu64 " of %s: %s", r.off, name, qi_reason(&e));
		else
			qi_error("Error while reading offset %" PRIu64 " of %s: %s", r.off, name, qi_reason(&e));
		status = r.failed_map ? EXIT_MAP : EXIT_READ;
	} else {
		r.sizes_differ = sizes[0] != sizes[1];
		if (strict && r.sizes_differ)
			r.difference = DRY_DIFFERENT_SIZE;
		status = tell(&r, MIN_OF(sizes[0], sizes[1]), quiet);
	}
	qi_progress_end(&p);
	return status;
}

int qemu_img_compare(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "object", required_argument, NULL, OPT_OBJECT },
		{ "image-opts", no_argument, NULL, OPT_IMAGE_OPTS },
		{ "force-share", no_argument, NULL, 'U' },
		{ NULL, 0, NULL, 0 },
	};
	bool strict = false, shows = false, quiet = false;
	enum dry_cache cache = DRY_CACHE_WRITEBACK;
	const char *cache_text = "writeback";
	struct qi_name n[2] = { { .name = NULL }, { .name = NULL } };
	int c;

	while ((c = getopt_long(argc, argv, ":hf:F:T:pqsU", longs, NULL)) != -1) {
		switch (c) {
		case 'h':
			return qi_help();
		case 'f':
			n[0].format = optarg;
			break;
		case 'F':
			n[1].format = optarg;
			break;
		case 'T':
			cache_text = optarg;
			break;
		case 'p':
			shows = true;
			break;
		case 'q':
			quiet = true;
			break;
		case 's':
			strict = true;
			break;
		case 'U':
			n[0].force_share = n[1].force_share = true;
			break;
		case OPT_OBJECT:
			if (!qi_object_option(optarg))
				return EXIT_OPEN;
			break;
		case OPT_IMAGE_OPTS:
			n[0].image_opts = n[1].image_opts = true;
			break;
		default:
			return qi_bad_option(c, argv);
		}
	}
	if (optind != argc - 2)
		return qi_usage("Expecting two image file names");
	n[0].name = argv[optind];
	n[1].name = argv[optind + 1];
	if (!qi_cache_option("source cache", cache_text, &cache))
		return EXIT_OPEN;
	return compare(n, cache, strict, shows, quiet);
}
