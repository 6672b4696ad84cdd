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

/*
 * Where the two are not stored alike (data, zeros, nothing, compressed): *off is the begin of that run, or `end`.
 * Ends because every run is at least one byte long.
 */
static bool find_stored_unlike(struct dry_image *img[2], uint64_t end, uint64_t *off, unsigned *failed, struct dry_error *e)
{
	const unsigned kinds = DRY_EXTENT_DATA | DRY_EXTENT_ZERO | DRY_EXTENT_ALLOC | DRY_EXTENT_COMPRESSED;
	struct dry_extent x[2];

	for (*off = 0; *off < end; *off += MIN_OF(x[0].len, x[1].len)) {
		for (unsigned i = 0; i < 2; i++) {
			*failed = i;
			if (dry_image_extent(img[i], end - *off, *off, &x[i], e) < 0)
				return false;
		}
		/* A run that lasts to the end counts as one of another kind than one that does not. */
		if (((x[0].flags ^ x[1].flags) & kinds) || (*off + x[0].len == end) != (*off + x[1].len == end))
			break;
	}
	return true;
}

/* The comparison, with sizes and storage when strict: what is unlike first is what counts. */
static int run_compare(struct dry_image *img[2], bool strict, struct qi_progress *p, struct dry_compare_result *r,
		       struct dry_error *e)
{
	uint64_t sizes[2] = { qi_disk_size(img[0]), qi_disk_size(img[1]) }, unlike = UINT64_MAX;
	int rc;

	*r = (struct dry_compare_result){ .sizes_differ = sizes[0] != sizes[1] };
	if (strict && r->sizes_differ) {
		r->difference = DRY_DIFFERENT_SIZE;
		return 0;
	}
	if (strict && !find_stored_unlike(img, sizes[0], &unlike, &r->failed_image, e)) {
		r->failed_map = true;
		r->off = unlike;
		return -(int)e->code;
	}
	if (strict && unlike == 0 && sizes[0]) {
		r->difference = DRY_DIFFERENT_ALLOC;
		return 0;
	}
	rc = dry_compare(&(struct dry_compare){ .a = img[0], .b = img[1], .progress = { qi_progress_run, p } }, r, e);
	r->sizes_differ = sizes[0] != sizes[1];
	if (rc == 0 && strict && unlike < sizes[0] && (r->difference == DRY_SAME || unlike <= r->off)) {
		r->difference = DRY_DIFFERENT_ALLOC;
		r->off = unlike;
	}
	return rc;
}

static int compare(struct qi_name n[2], enum dry_cache cache, bool strict, bool shows, bool quiet)
{
	CLEANUP(qi_image_closep) struct dry_image *a = NULL;
	CLEANUP(qi_image_closep) struct dry_image *b = NULL;
	struct dry_compare_result r;
	struct dry_error e = { 0 };
	struct qi_progress p;
	int status;

	if (!qi_open(&n[0], 0, cache, NULL, &a) || !qi_open(&n[1], 0, cache, NULL, &b))
		return EXIT_OPEN;
	qi_progress_begin(&p, shows && !quiet, 2);
	if (run_compare((struct dry_image *[2]){ a, b }, strict, &p, &r, &e) < 0) {
		const char *name = n[r.failed_image ? 1 : 0].name;

		if (r.failed_map)
			qi_error("Error while reading block status at offset %" PRIu64 " of %s: %s", r.off, name, qi_io_reason(&e));
		else
			qi_error("Error while reading offset %" PRIu64 " of %s: %s", r.off, name, qi_io_reason(&e));
		status = r.failed_map ? EXIT_MAP : EXIT_READ;
	} else {
		status = tell(&r, MIN_OF(qi_disk_size(a), qi_disk_size(b)), quiet);
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
	CLEANUP(qi_secrets_freep) struct dry_secrets *secrets = NULL;
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
			if (!qi_object_option(optarg, &secrets))
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
	n[0].secrets = n[1].secrets = secrets;
	n[0].name = argv[optind];
	n[1].name = argv[optind + 1];
	if (!qi_cache_option("source cache", cache_text, &cache))
		return EXIT_OPEN;
	return compare(n, cache, strict, shows, quiet);
}
