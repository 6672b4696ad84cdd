/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qemu_img_measure.c - qemu-img measure. */
#include "qemu_img.h"

#include "checked.h"
#include "json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { OPT_OUTPUT = 256, OPT_OBJECT, OPT_IMAGE_OPTS, OPT_SIZE };

static void print(const struct dry_measure *m, enum qi_output output)
{
	CLEANUP(strbuf_free) struct strbuf b = STRBUF_INIT;
	struct json j = JSON_INIT(&b, true);

	if (output == QI_HUMAN) {
		printf("required size: %" PRIu64 "\nfully allocated size: %" PRIu64 "\n", m->required, m->fully_allocated);
		if (m->has_bitmaps)
			printf("bitmaps size: %" PRIu64 "\n", m->bitmaps);
		return;
	}
	json_object(&j, NULL);
	if (m->has_bitmaps)
		json_u64(&j, "bitmaps", m->bitmaps);
	json_u64(&j, "required", m->required);
	json_u64(&j, "fully-allocated", m->fully_allocated);
	json_object_end(&j);
	printf("%s\n", b.s);
}

/* Sizes and preallocation are all that counts; what else the format finds wrong is said as create says it. */
static bool options_problem(struct strbuf *why, const char *format, const struct dry_opts *opts,
			    const struct dry_secrets *secrets)
{
	static const char *const modes[] = { "off", "metadata", "falloc", "full" };
	const char *v = dry_opts_get(opts, "preallocation");
	bool known = !v;

	for (size_t i = 0; v && i < ARRAY_LEN(modes); i++)
		known = known || strcmp(v, modes[i]) == 0;
	if (!known) {
		strbuf_printf(why, "invalid parameter value: %s", v);
		return true;
	}
	return qi_options_problem(why, format, opts, secrets);
}

static int measure(struct dry_image *src, const char *format, struct dry_opts *opts,
		   const struct dry_secrets *secrets, enum qi_output output)
{
	CLEANUP(strbuf_free) struct strbuf why = STRBUF_INIT;
	struct dry_error e = { 0 };
	struct dry_measure m;

	if (options_problem(&why, format, opts, secrets)) {
		qi_error("%s", why.s);
		return EXIT_FAILED;
	}
	if (dry_measure(format, opts, src, &m, &e) < 0) {
		if (e.code == DRY_LIMIT)
			qi_error("The image size is too large (try using a larger cluster size)");
		else if (e.code == DRY_UNSUPPORTED)
			qi_error("Block driver '%s' does not support size measurement", format);
		else
			qi_error("%s", qi_key_reason(&why, &e) ? why.s : qi_reason(&e));
		return EXIT_FAILED;
	}
	print(&m, output);
	return EXIT_DONE;
}

int qemu_img_measure(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "image-opts", no_argument, NULL, OPT_IMAGE_OPTS },
		{ "object", required_argument, NULL, OPT_OBJECT },
		{ "output", required_argument, NULL, OPT_OUTPUT },
		{ "size", required_argument, NULL, OPT_SIZE },
		{ "force-share", no_argument, NULL, 'U' },
		{ NULL, 0, NULL, 0 },
	};
	CLEANUP(strbuf_free) struct strbuf options = STRBUF_INIT, why = STRBUF_INIT;
	CLEANUP(qi_opts_freep) struct dry_opts *opts = dry_opts_new();
	CLEANUP(qi_image_closep) struct dry_image *img = NULL;
	const char *format = "raw", *output_text = NULL, *snapshot = NULL;
	CLEANUP(qi_name_free) struct qi_name n = { .name = NULL };
	struct dry_error e = { 0 };
	bool has_size = false;
	enum qi_output output;
	char text[32] = "";
	uint64_t size = 0;
	int c;

	while ((c = getopt_long(argc, argv, "hf:l:o:O:U", longs, NULL)) != -1) {
		switch (c) {
		case 'h':
			return qi_help();
		case '?':
			return qi_bad_option(c, argv);
		case 'f':
			n.format = optarg;
			break;
		case 'l':
			snapshot = optarg;
			break;
		case 'o':
			if (!qi_add_options(&options, optarg))
				return EXIT_FAILED;
			break;
		case 'O':
			format = optarg;
			break;
		case 'U':
			n.force_share = true;
			break;
		case OPT_OBJECT:
			if (!qi_object_option(optarg, &n.secrets))
				return EXIT_FAILED;
			break;
		case OPT_IMAGE_OPTS:
			n.image_opts = true;
			break;
		case OPT_OUTPUT:
			output_text = optarg;
			break;
		case OPT_SIZE:
			if (!qi_size_option("image size", optarg, &size))
				return EXIT_FAILED;
			has_size = true;
			break;
		}
	}
	if (!qi_output_option(output_text, &output))
		return EXIT_FAILED;
	if (argc - optind > 1) {
		qi_error("At most one filename argument is allowed.");
		return EXIT_FAILED;
	}
	if (argc - optind == 1)
		n.name = argv[optind];
	if (!n.name && (n.image_opts || n.format || snapshot)) {
		qi_error("--image-opts, -f, and -l require a filename argument.");
		return EXIT_FAILED;
	}
	if (!n.name && !has_size) {
		qi_error("Either --size N or one filename must be specified.");
		return EXIT_FAILED;
	}
	if (n.name && has_size) {
		qi_error("--size N cannot be used together with a filename.");
		return EXIT_FAILED;
	}
	if (n.name && !qi_open_snapshot(&n, snapshot, DRY_CACHE_WRITEBACK, &img))
		return EXIT_FAILED;
	if (!dry_format_known(format)) {
		qi_error("Unknown file format '%s'", format);
		return EXIT_FAILED;
	}
	if (options.len && !qi_parse_options(opts, format, true, options.s, &why)) {
		qi_error("%s", why.s);
		qi_error("Invalid options for file format '%s'", format);
		return EXIT_FAILED;
	}
	if (has_size)
		snprintf(text, sizeof text, "%" PRIu64, size > INT64_MAX - 511 ? size : round_up(size, 512));
	/* A copy is as long as its source, whatever -o says. */
	if (!opts || dry_opts_set(opts, "size", has_size ? text : NULL, &e) < 0) {
		qi_error("%s", qi_reason(&e));
		return EXIT_FAILED;
	}
	return measure(img, format, opts, n.secrets, output);
}
