/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qemu_img_dd.c - qemu-img dd. */
#include "qemu_img.h"

#include "checked.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { OPT_OBJECT = 256, OPT_IMAGE_OPTS, DEFAULT_BLOCK = 512 };

struct request {
	struct qi_name in;
	const char *out, *format;
	uint64_t block, count, skip;
	bool has_count, has_skip;
};

/* "bs=64k"; says what is wrong and returns false. */
static bool operand(struct request *r, const char *arg)
{
	const char *equals = strchr(arg, '='), *value = equals ? equals + 1 : NULL;
	size_t len = equals ? (size_t)(equals - arg) : strlen(arg);

	if (value && len == 2 && memcmp(arg, "bs", 2) == 0)
		return qi_size_range("bs", value, 1, INT32_MAX, &r->block);
	if (value && len == 5 && memcmp(arg, "count", 5) == 0)
		return r->has_count = qi_size_option("count", value, &r->count);
	if (value && len == 4 && memcmp(arg, "skip", 4) == 0)
		return r->has_skip = qi_size_option("skip", value, &r->skip);
	if (value && len == 2 && memcmp(arg, "if", 2) == 0) {
		r->in.name = value;
		return true;
	}
	if (value && len == 2 && memcmp(arg, "of", 2) == 0) {
		r->out = value;
		return true;
	}
	qi_error("unrecognized operand %.*s", (int)len, arg);
	return false;
}

/* Where the copy begins and how much it is: blocks are counted from the beginning of the input, skipped ones too. */
static void range(const struct request *r, uint64_t size, uint64_t *off, uint64_t *len, bool *beyond)
{
	uint64_t end = size;

	if (r->has_count && (!checked_mul(r->count, r->block, &end) || end > size))
		end = size;
	if (!r->has_skip || !checked_mul(r->skip, r->block, off))
		*off = r->has_skip ? UINT64_MAX : 0;
	*beyond = r->has_skip && *off > end;
	if (*off > end)
		*off = end;
	*len = end - *off;
}

static int fail(const struct request *r, const struct dry_convert_result *result, const struct dry_error *e)
{
	CLEANUP(strbuf_free) struct strbuf why = STRBUF_INIT;

	switch (result->stage) {
	case DRY_STAGE_READ:
	case DRY_STAGE_MAP:
		qi_error("error while reading from input image file: %s", qi_io_reason(e));
		break;
	case DRY_STAGE_WRITE:
	case DRY_STAGE_FINISH:
		qi_error("error while writing to output image file: %s", qi_io_reason(e));
		break;
	default:
		qi_create_problem(&why, r->out, r->format, e);
		qi_error("%s: error while creating output image: %s", r->out, why.s);
	}
	return EXIT_FAILED;
}

static int copy(const struct request *r, struct dry_image *in)
{
	CLEANUP(qi_image_closep) struct dry_image *window = NULL;
	CLEANUP(qi_opts_freep) struct dry_opts *opts = dry_opts_new();
	CLEANUP(strbuf_free) struct strbuf why = STRBUF_INIT;
	struct dry_convert how = { .sources = &window, .nsources = 1, .target = r->out, .format = r->format, .opts = opts,
				   .policy.trust = DRY_TRUST_ANY, .sparse = DRY_SPARSE_DEFAULT, .secrets = r->in.secrets,
				   .notice = qi_notice };
	struct dry_convert_result result = { .stage = DRY_STAGE_PREPARE };
	struct dry_error e = { 0 };
	uint64_t off, len;
	bool beyond;
	char size[24];

	/* The input's last sector may be a partial one; the output has whole ones. */
	range(r, qi_disk_size(in), &off, &len, &beyond);
	snprintf(size, sizeof size, "%" PRIu64, round_up(len, 512));
	if (!qi_replaceable(r->out, &why)) {
		qi_error("%s: error while creating output image: %s", r->out, why.s);
		return EXIT_FAILED;
	}
	len = off < dry_image_size(in) ? MIN_OF(len, dry_image_size(in) - off) : 0;
	if (!opts || dry_opts_set(opts, "size", size, &e) < 0 ||
	    dry_image_window(in, len ? off : 0, len, &window, &e) < 0 || dry_convert(&how, &result, &e) < 0)
		return fail(r, &result, &e);
	if (beyond)
		qi_error("%s: cannot skip to specified offset", r->in.name);
	return EXIT_DONE;
}

static int dd(const struct request *r)
{
	CLEANUP(qi_image_closep) struct dry_image *in = NULL;
	struct dry_create_opt any;

	if (!qi_open(&r->in, 0, DRY_CACHE_WRITEBACK, NULL, &in))
		return EXIT_FAILED;
	if (!dry_format_known(r->format)) {
		qi_error("Unknown file format");
		return EXIT_FAILED;
	}
	if (!dry_create_opt(r->format, 0, &any)) {
		qi_error("Format driver '%s' does not support image creation", r->format);
		return EXIT_FAILED;
	}
	return copy(r, in);
}

int qemu_img_dd(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "object", required_argument, NULL, OPT_OBJECT },
		{ "image-opts", no_argument, NULL, OPT_IMAGE_OPTS },
		{ "force-share", no_argument, NULL, 'U' },
		{ NULL, 0, NULL, 0 },
	};
	CLEANUP(qi_secrets_freep) struct dry_secrets *secrets = NULL;
	struct request r = { .format = "raw", .block = DEFAULT_BLOCK };
	int c;

	while ((c = getopt_long(argc, argv, ":hf:O:U", longs, NULL)) != -1) {
		switch (c) {
		case 'h':
			return qi_help();
		case 'f':
			r.in.format = optarg;
			break;
		case 'O':
			r.format = optarg;
			break;
		case 'U':
			r.in.force_share = true;
			break;
		case OPT_OBJECT:
			if (!qi_object_option(optarg, &secrets))
				return EXIT_FAILED;
			break;
		case OPT_IMAGE_OPTS:
			r.in.image_opts = true;
			break;
		default:
			return qi_bad_option(c, argv);
		}
	}
	for (int i = optind; i < argc; i++)
		if (!operand(&r, argv[i]))
			return EXIT_FAILED;
	if (!r.in.name || !r.out) {
		qi_error("Must specify both input and output files");
		return EXIT_FAILED;
	}
	r.in.secrets = secrets;
	return dd(&r);
}
