/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qemu_img_convert.c - qemu-img convert. */
#include "qemu_img.h"

#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { OPT_OBJECT = 256, OPT_IMAGE_OPTS, OPT_TARGET_IMAGE_OPTS, OPT_SALVAGE, OPT_TARGET_IS_ZERO, OPT_BITMAPS, OPT_SKIP_BROKEN };
#define MAX_SPARSE (16ULL << 20)
#define MAX_WORKERS 16

struct request {
	struct qi_name src; /* what all sources have in common */
	char **names;
	size_t nsources;
	struct dry_image **images;
	const char *target, *format, *backing, *backing_format, *snapshot, *cache_text, *source_cache_text;
	struct strbuf options;
	struct dry_opts *opts;
	bool target_image_opts, keep, compress, target_is_zero, salvage, quiet, shows, offload, bitmaps, skip_broken;
	bool sparse_given, any_order;
	uint64_t sparse, rate;
	unsigned workers;
};

/* ---- the sources ---- */

static bool open_sources(struct request *r, enum dry_cache cache)
{
	r->images = alloc_array(r->nsources, sizeof *r->images);
	if (!r->images) {
		qi_error("out of memory");
		return false;
	}
	for (size_t i = 0; i < r->nsources; i++) {
		r->src.name = r->names[i];
		if (r->snapshot && r->nsources > 1) {
			/* All are opened before this is said. */
			if (!qi_open(&r->src, 0, cache, NULL, &r->images[i]))
				return false;
		} else if (!qi_open_snapshot(&r->src, r->snapshot, cache, &r->images[i])) {
			return false;
		}
	}
	if (r->snapshot && r->nsources > 1) {
		qi_error("No support for concatenating multiple snapshot");
		return false;
	}
	return true;
}

/* Can the only source's bitmaps be copied?  Says what is wrong. */
static bool judge_bitmaps(const struct request *r)
{
	const struct dry_bitmap *list = NULL;
	struct dry_info info;
	struct dry_error e = { 0 };
	size_t n = 0;

	if (r->nsources > 1) {
		qi_error("Copying bitmaps only possible with single source");
		return false;
	}
	if (dry_image_info(r->images[0], &info, &e) < 0 || dry_image_bitmaps(r->images[0], &list, &n, &e) < 0) {
		qi_error("%s", qi_reason(&e));
		return false;
	}
	if (strcmp(info.format, "qcow2") != 0) {
		qi_error("Source lacks bitmap support");
		return false;
	}
	for (size_t i = 0; i < n && !r->skip_broken; i++) {
		if (!list[i].inconsistent)
			continue;
		qi_error("Cannot copy inconsistent bitmap '%s'\n"
			 "Try --skip-broken-bitmaps, or use 'qemu-img bitmap --remove'", list[i].name);
		return false;
	}
	for (size_t i = 0; i < n; i++)
		if (list[i].inconsistent)
			fprintf(stderr, "qemu-img: warning: Skipping inconsistent bitmap '%s'\n", list[i].name);
	return true;
}

/* ---- the target's options ---- */

static bool option_on(const struct request *r, const char *key)
{
	const char *v = dry_opts_get(r->opts, key);

	return v && strcmp(v, "off") != 0 && strcmp(v, "no") != 0 && strcmp(v, "false") != 0 && strcmp(v, "n") != 0;
}

static bool format_has(const char *format, const char *option)
{
	struct dry_create_opt o;

	for (size_t i = 0; dry_create_opt(format, i, &o); i++)
		if (strcmp(o.name, option) == 0)
			return true;
	return false;
}

static bool set(struct request *r, const char *key, const char *value)
{
	struct dry_error e = { 0 };

	if (dry_opts_set(r->opts, key, value, &e) == 0)
		return true;
	qi_error("%s", qi_reason(&e));
	return false;
}

/* Options of a new target; false: something is wrong with them, and was said. */
static bool plan_target(struct request *r)
{
	CLEANUP(strbuf_free) struct strbuf why = STRBUF_INIT;
	uint64_t total = 0;
	char text[32];

	if (!dry_format_known(r->format)) {
		qi_error("Unknown file format '%s'", r->format);
		return false;
	}
	if (!format_has(r->format, "size")) {
		qi_error("Format driver '%s' does not support image creation", r->format);
		return false;
	}
	if (r->options.len && !qi_parse_options(r->opts, r->format, true, r->options.s, &why)) {
		qi_error("%s", why.s);
		return false;
	}
	if (r->backing && !format_has(r->format, "backing_file")) {
		qi_error("Backing file not supported for file format '%s'", r->format);
		return false;
	}
	if (r->backing_format && !format_has(r->format, "backing_fmt")) {
		qi_error("Backing file format not supported for file format '%s'", r->format);
		return false;
	}
	for (size_t i = 0; i < r->nsources; i++)
		total += qi_disk_size(r->images[i]);
	snprintf(text, sizeof text, "%" PRIu64, total);
	return (!r->backing || set(r, "backing_file", r->backing)) &&
	       (!r->backing_format || set(r, "backing_fmt", r->backing_format)) && set(r, "size", text);
}

/* What does not go together. */
static bool judge_target(struct request *r)
{
	const char *backing = r->keep ? r->backing : dry_opts_get(r->opts, "backing_file");
	const char *prealloc = dry_opts_get(r->opts, "preallocation");

	if (backing && r->nsources > 1) {
		qi_error("Having a backing file for the target makes no sense when concatenating multiple input images");
		return false;
	}
	if (backing && !r->keep && !dry_opts_get(r->opts, "backing_fmt")) {
		qi_error("Use of backing file requires explicit backing format");
		return false;
	}
	if (r->compress && r->format && !dry_format_compresses(r->format)) {
		qi_error("Compression not supported for this file format");
		return false;
	}
	if (r->compress && (option_on(r, "encryption") || dry_opts_get(r->opts, "encrypt.format"))) {
		qi_error("Compression and encryption not supported at the same time");
		return false;
	}
	if (r->compress && prealloc && strcmp(prealloc, "off") != 0) {
		qi_error("Compression and preallocation not supported at the same time");
		return false;
	}
	if (r->bitmaps && r->format && strcmp(r->format, "qcow2") != 0) {
		qi_error("Format driver '%s' does not support bitmaps", r->format);
		return false;
	}
	return true;
}

/* What the peer would trip over when it creates the target. */
static bool target_can_be_made(struct request *r)
{
	CLEANUP(strbuf_free) struct strbuf why = STRBUF_INIT;

	if (!qi_options_problem(&why, r->format, r->opts, r->src.secrets) && qi_replaceable(r->target, &why))
		return true;
	qi_error("%s: error while converting %s: %s", r->target, r->format, why.s);
	return false;
}

/* The backing file of a new target, which is looked at once the target is there: so the peer's sentence says. */
static bool target_backing_opens(struct request *r)
{
	CLEANUP(strbuf_free) struct strbuf why = STRBUF_INIT;
	const char *backing = dry_opts_get(r->opts, "backing_file"), *format = dry_opts_get(r->opts, "backing_fmt");
	const char *slash = strrchr(r->target, '/');
	CLEANUP(qi_image_closep) struct dry_image *img = NULL;
	CLEANUP(free_ptr) char *path = NULL;
	struct dry_open how = { .format = format, .policy.trust = DRY_TRUST_ANY, .secrets = r->src.secrets };
	struct dry_error e = { 0 };

	if (!backing)
		return true;
	path = slash && *backing != '/' && strncmp(backing, "json:", 5) != 0
		       ? alloc_printf("%.*s/%s", (int)(slash - r->target), r->target, backing)
		       : alloc_strdup(backing);
	if (path && dry_format_known(format) && dry_image_open(path, &how, &img, &e) == 0)
		return true;
	qi_why_not(&why, path ? path : backing, format, 0, &e);
	qi_error("Could not open '%s': Could not open backing file: %s", r->target, why.s);
	return false;
}

/* An existing target: can it be opened, is it long enough? */
static bool judge_existing(struct request *r, enum dry_cache cache)
{
	const struct qi_name n = { .name = r->target, .format = r->format, .image_opts = r->target_image_opts,
				   .secrets = r->src.secrets };
	CLEANUP(qi_image_closep) struct dry_image *img = NULL;
	struct dry_error e = { 0 };
	struct dry_info info;
	uint64_t total = 0;

	if (!qi_open(&n, DRY_OPEN_WRITE, cache, NULL, &img) || dry_image_info(img, &info, &e) < 0)
		return false;
	for (size_t i = 0; i < r->nsources; i++)
		total += qi_disk_size(r->images[i]);
	if (r->compress && !dry_format_compresses(info.format))
		qi_error("Compression not supported for this file format");
	else if (dry_image_size(img) < total)
		qi_error("output file is smaller than input file");
	else
		return !r->target_image_opts || dry_opts_parse(r->opts, r->target, "file", &e) == 0;
	return false;
}

/* ---- copying ---- */

static void tell_unreadable(void *arg, uint64_t off, uint64_t len, const char *text)
{
	const struct request *r = arg;

	if (!r->quiet)
		qi_error("warning: error while reading offset %" PRIu64 ": %s", off, text);
	(void)len;
}

static void tell_failure(const struct request *r, const struct dry_convert_result *result, const struct dry_error *e)
{
	CLEANUP(strbuf_free) struct strbuf why = STRBUF_INIT;

	switch (result->stage) {
	case DRY_STAGE_CREATE:
		qi_create_problem(&why, r->target, r->format, e);
		qi_error("%s: error while converting %s: %s", r->target, r->format, why.s);
		return;
	case DRY_STAGE_OPEN:
		qi_why_not(&why, r->target, r->format, DRY_OPEN_WRITE, e);
		qi_error("Could not open '%s': %s", r->target, why.s);
		return;
	case DRY_STAGE_MAP:
		qi_error("error while reading block status at offset %" PRIu64 ": %s", result->off, qi_io_reason(e));
		return;
	case DRY_STAGE_READ:
		qi_error("error while reading at byte %" PRIu64 ": %s", result->off, qi_io_reason(e));
		return;
	case DRY_STAGE_WRITE:
		qi_error("error while writing at byte %" PRIu64 ": %s", result->off, qi_io_reason(e));
		return;
	default:
		qi_error("%s", qi_reason(e));
	}
}

static int copy(struct request *r, enum dry_cache cache)
{
	struct dry_convert how = {
		.sources = r->images,
		.nsources = r->nsources,
		.notice = qi_notice,
		.target = r->target_image_opts ? NULL : r->target,
		.format = r->format,
		.opts = r->opts,
		.policy.trust = DRY_TRUST_ANY,
		.flags = (r->compress ? DRY_CONVERT_COMPRESS : 0) | (r->keep ? DRY_CONVERT_KEEP : 0) |
			 (r->target_is_zero ? DRY_CONVERT_TARGET_IS_ZERO : 0) | (r->salvage ? DRY_CONVERT_SALVAGE : 0) |
			 (r->offload ? DRY_CONVERT_OFFLOAD : 0) | (r->bitmaps ? DRY_CONVERT_BITMAPS : 0) |
			 (r->skip_broken ? DRY_CONVERT_SKIP_BROKEN : 0) | (r->any_order ? DRY_CONVERT_ANY_ORDER : 0),
		.sparse = r->sparse,
		.cache = cache,
		.threads = r->workers,
		.rate = r->rate,
		.unreadable = tell_unreadable,
		.unreadable_arg = r,
		.secrets = r->src.secrets,
	};
	struct dry_convert_result result = { .stage = DRY_STAGE_PREPARE };
	struct dry_error e = { 0 };
	struct qi_progress p;
	int rc;

	qi_progress_begin(&p, r->shows && !r->quiet, 1);
	how.progress = (struct dry_progress){ qi_progress_run, &p };
	rc = dry_convert(&how, &result, &e);
	if (rc == 0)
		qi_progress_run(&p, 1, 1);
	qi_progress_end(&p);
	if (rc < 0)
		tell_failure(r, &result, &e);
	return rc < 0 ? EXIT_FAILED : EXIT_DONE;
}

static int convert(struct request *r)
{
	enum dry_cache cache = DRY_CACHE_UNSAFE, source_cache = DRY_CACHE_WRITEBACK;

	if (!qi_cache_option("source cache", r->source_cache_text, &source_cache) || !open_sources(r, source_cache) ||
	    (r->bitmaps && !judge_bitmaps(r)) ||
	    (!r->keep && !plan_target(r)) || !judge_target(r) || !qi_cache_option("cache", r->cache_text, &cache))
		return EXIT_FAILED;
	if (r->keep ? !judge_existing(r, cache) : !target_can_be_made(r) || !target_backing_opens(r))
		return EXIT_FAILED;
	return copy(r, cache);
}

/* ---- the command line ---- */

/* false: a value is wrong, and was said. */
static bool take_option(struct request *r, int c)
{
	uint64_t n;

	switch (c) {
	case 'f':
		r->src.format = optarg;
		return true;
	case 'O':
		r->format = optarg;
		return true;
	case 'B':
		r->backing = optarg;
		return true;
	case 'F':
		r->backing_format = optarg;
		return true;
	case 'C':
		r->offload = true;
		return true;
	case 'c':
		r->compress = true;
		return true;
	case 'o':
		return qi_add_options(&r->options, optarg);
	case 'l':
		r->snapshot = optarg;
		return true;
	case 'S':
		r->sparse_given = true;
		if (!qi_size_option("buffer size for sparse output", optarg, &r->sparse))
			return false;
		if (r->sparse % 512 == 0 && r->sparse <= MAX_SPARSE)
			return true;
		qi_error("Invalid buffer size for sparse output specified. Valid sizes are multiples of 512 up to %llu. Select 0 "
			 "to disable sparse detection (fully allocates output).",
			 MAX_SPARSE);
		return false;
	case 'p':
		r->shows = true;
		return true;
	case 't':
		r->cache_text = optarg;
		return true;
	case 'T':
		r->source_cache_text = optarg;
		return true;
	case 'q':
		r->quiet = true;
		return true;
	case 'n':
		r->keep = true;
		return true;
	case 'm':
		if (text_parse_u64(optarg, &n) && n >= 1 && n <= MAX_WORKERS) {
			r->workers = (unsigned)n;
			return true;
		}
		qi_error("Invalid number of coroutines. Allowed number of coroutines is between 1 and %d", MAX_WORKERS);
		return false;
	case 'W':
		r->any_order = true;
		return true;
	case 'U':
		r->src.force_share = true;
		return true;
	case 'r':
		return qi_size_option("rate limit", optarg, &r->rate);
	case OPT_OBJECT:
		return qi_object_option(optarg, &r->src.secrets);
	case OPT_IMAGE_OPTS:
		r->src.image_opts = true;
		return true;
	case OPT_TARGET_IMAGE_OPTS:
		r->target_image_opts = true;
		return true;
	case OPT_SALVAGE:
		r->salvage = true;
		return true;
	case OPT_TARGET_IS_ZERO:
		r->target_is_zero = true;
		return true;
	case OPT_BITMAPS:
		r->bitmaps = true;
		return true;
	default:
		r->skip_broken = true;
		return true;
	}
}

/* What options do not go together; NULL: they do. */
static const char *contradiction(const struct request *r)
{
	if (r->skip_broken && !r->bitmaps)
		return "Use of --skip-broken-bitmaps requires --bitmaps";
	if (r->compress && r->offload)
		return "Cannot enable copy offloading when -c is used";
	if (r->sparse_given && r->offload)
		return "Cannot enable copy offloading when -S is used";
	if (r->salvage && r->offload)
		return "Cannot use copy offloading in salvaging mode";
	if (r->target_image_opts && !r->keep)
		return "--target-image-opts requires use of -n flag";
	if (r->keep && r->options.len)
		return "-o has no effect when skipping image creation";
	if (r->target_is_zero && !r->keep)
		return "--target-is-zero requires use of -n flag";
	return NULL;
}

static int parse(struct request *r, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "object", required_argument, NULL, OPT_OBJECT },
		{ "image-opts", no_argument, NULL, OPT_IMAGE_OPTS },
		{ "force-share", no_argument, NULL, 'U' },
		{ "target-image-opts", no_argument, NULL, OPT_TARGET_IMAGE_OPTS },
		{ "salvage", no_argument, NULL, OPT_SALVAGE },
		{ "target-is-zero", no_argument, NULL, OPT_TARGET_IS_ZERO },
		{ "bitmaps", no_argument, NULL, OPT_BITMAPS },
		{ "skip-broken-bitmaps", no_argument, NULL, OPT_SKIP_BROKEN },
		{ NULL, 0, NULL, 0 },
	};
	const char *no;
	int c;

	while ((c = getopt_long(argc, argv, ":hf:O:B:CcF:o:l:S:pt:T:qnm:WUr:", longs, NULL)) != -1) {
		if (c == 'h')
			return qi_help();
		if (c == ':' || c == '?')
			return qi_bad_option(c, argv);
		if (!take_option(r, c))
			return EXIT_FAILED;
	}
	if (!r->format && !r->target_image_opts)
		r->format = "raw";
	if ((no = contradiction(r))) {
		qi_error("%s", no);
		return EXIT_FAILED;
	}
	r->nsources = argc - optind >= 2 ? (size_t)(argc - optind - 1) : 0;
	r->names = argv + optind;
	r->target = r->nsources ? argv[argc - 1] : NULL;
	if (r->options.len && r->format && qi_wants_help(r->options.s))
		return qi_print_options(r->format, r->target);
	if (!r->nsources) {
		qi_error("Must specify image file name");
		return EXIT_FAILED;
	}
	return convert(r);
}

int qemu_img_convert(int argc, char **argv)
{
	struct request r = { .options = STRBUF_INIT, .opts = dry_opts_new(), .sparse = DRY_SPARSE_DEFAULT,
			     .cache_text = "unsafe", .source_cache_text = "writeback" };
	int status = EXIT_FAILED;

	if (r.opts)
		status = parse(&r, argc, argv);
	else
		qi_error("out of memory");
	for (size_t i = 0; r.images && i < r.nsources; i++)
		dry_image_close(r.images[i]);
	free(r.images);
	dry_opts_free(r.opts);
	dry_secrets_free(r.src.secrets);
	strbuf_free(&r.options);
	return status;
}
