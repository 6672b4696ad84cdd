/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qemu_img_commit.c - qemu-img commit. */
#include "qemu_img.h"

#include <stdio.h>
#include <string.h>

enum { OPT_OBJECT = 256, OPT_IMAGE_OPTS };

struct request {
	struct qi_name n;
	const char *base;
	enum dry_cache cache;
	uint64_t rate;
	bool keep, shows, quiet;
};

static void tell_failure(const struct request *r, const struct dry_commit_result *result, const struct dry_error *e)
{
	if (result->stage == DRY_COMMIT_FIND && e->code == DRY_NOT_FOUND && r->base)
		qi_error("Did not find '%s' in the backing chain of '%s'", r->base, r->n.name);
	else if (result->stage == DRY_COMMIT_FIND && e->code == DRY_NOT_FOUND)
		qi_error("Image does not have a backing file");
	else if (result->stage == DRY_COMMIT_EMPTY)
		qi_error("Could not empty %s: %s", r->n.name, qi_reason(e));
	else if (result->stage == DRY_COMMIT_OPEN && e->code == DRY_SYSTEM)
		qi_error("%s", e->msg);
	else
		qi_error("Block job failed: %s", qi_io_reason(e));
}

static int commit(struct request *r)
{
	CLEANUP(qi_opts_freep) struct dry_opts *opts = NULL;
	struct dry_image *img = NULL;
	struct dry_commit how = { .base = r->base, .keep = r->keep, .rate = r->rate };
	struct dry_commit_result result;
	struct dry_error e = { 0 };
	struct qi_progress p;
	struct dry_open open;
	int rc;

	/* Once by itself, for what the peer says of an image that it cannot open. */
	if (!qi_open(&r->n, DRY_OPEN_WRITE, r->cache, NULL, &img))
		return EXIT_FAILED;
	dry_image_close(img);
	if (!qi_how(&r->n, DRY_OPEN_WRITE, r->cache, &how.name, &open, &opts))
		return EXIT_FAILED;
	how.open = &open;
	qi_progress_begin(&p, r->shows && !r->quiet, 1);
	how.progress = (struct dry_progress){ qi_progress_run, &p };
	rc = dry_commit(&how, &result, &e);
	if (rc == 0)
		qi_progress_run(&p, 1, 1);
	qi_progress_end(&p);
	if (rc < 0) {
		tell_failure(r, &result, &e);
		return EXIT_FAILED;
	}
	if (!r->quiet)
		printf("Image committed.\n");
	return EXIT_DONE;
}

int qemu_img_commit(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "object", required_argument, NULL, OPT_OBJECT },
		{ "image-opts", no_argument, NULL, OPT_IMAGE_OPTS },
		{ NULL, 0, NULL, 0 },
	};
	CLEANUP(qi_secrets_freep) struct dry_secrets *secrets = NULL;
	const char *cache_text = "writeback";
	struct request r = { .base = NULL };
	int c;

	while ((c = getopt_long(argc, argv, ":f:ht:b:dpqr:", longs, NULL)) != -1) {
		switch (c) {
		case 'h':
			return qi_help();
		case 'f':
			r.n.format = optarg;
			break;
		case 't':
			cache_text = optarg;
			break;
		case 'b':
			r.base = optarg;
			r.keep = true; /* what lies between would change if this image were emptied */
			break;
		case 'd':
			r.keep = true;
			break;
		case 'p':
			r.shows = true;
			break;
		case 'q':
			r.quiet = true;
			break;
		case 'r':
			if (!qi_size_option("rate limit", optarg, &r.rate))
				return EXIT_FAILED;
			break;
		case OPT_OBJECT:
			if (!qi_object_option(optarg, &secrets))
				return EXIT_FAILED;
			break;
		case OPT_IMAGE_OPTS:
			r.n.image_opts = true;
			break;
		default:
			return qi_bad_option(c, argv);
		}
	}
	if (optind != argc - 1)
		return qi_usage("Expecting one image file name");
	r.n.name = argv[optind];
	r.n.secrets = secrets;
	return qi_cache_option("cache", cache_text, &r.cache) ? commit(&r) : EXIT_FAILED;
}
