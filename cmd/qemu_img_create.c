/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qemu_img_create.c - qemu-img create. */
#include "qemu_img.h"

#include "checked.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct request {
	const struct dry_secrets *secrets;
	const char *path, *format, *backing, *backing_format;
	bool unsafe, quiet, has_size;
	uint64_t size;
	struct dry_opts *opts;
};

/* A backing file's name as seen from here: relative names are taken from where the image is.  free() it. */
static char *backing_path(const char *image, const char *backing)
{
	const char *slash = strrchr(image, '/');

	if (!slash || *backing == '/' || strncmp(backing, "json:", 5) == 0 || strncmp(backing, "file:", 5) == 0)
		return alloc_strdup(backing);
	return alloc_printf("%.*s/%s", (int)(slash - image), image, backing);
}

/* Looks at the backing file: is it there, and how long is it?  false: *why is the reason. */
static bool judge_backing(struct request *r, const char *backing, const char *format, struct strbuf *why)
{
	CLEANUP(qi_image_closep) struct dry_image *img = NULL;
	CLEANUP(free_ptr) char *path = backing_path(r->path, backing);
	/* Shared with a VM that writes to it, as the peer does: only the size is wanted. */
	struct dry_open how = { .format = format, .flags = DRY_OPEN_FORCE_SHARE, .policy.trust = DRY_TRUST_ANY };
	struct dry_error e = { 0 };
	struct dry_info info;
	char text[32];

	if (!path || (format && !dry_format_known(format))) {
		strbuf_printf(why, "Unknown driver '%s'\nCould not open backing image.", format ? format : "");
		return false;
	}
	if (dry_image_open(path, &how, &img, &e) < 0 || dry_image_info(img, &info, &e) < 0) {
		qi_why_not(why, path, format, how.flags, &e);
		strbuf_puts(why, "\nCould not open backing image.");
		return false;
	}
	if (!format) {
		/* The last line has no end of its own: see where it is printed. */
		strbuf_printf(why, "Backing file specified without backing format\nDetected format of %s.", info.format);
		return false;
	}
	if (!dry_opts_get(r->opts, "size")) {
		snprintf(text, sizeof text, "%" PRIu64, qi_disk_size(img));
		if (dry_opts_set(r->opts, "size", text, &e) < 0) {
			strbuf_puts(why, qi_reason(&e));
			return false;
		}
	}
	return true;
}

static bool format_has(const char *format, const char *option)
{
	struct dry_create_opt o;

	for (size_t i = 0; dry_create_opt(format, i, &o); i++)
		if (strcmp(o.name, option) == 0)
			return true;
	return false;
}

/* Puts what the command line says beside -o into the options. */
static bool add_arguments(struct request *r, struct strbuf *why)
{
	struct dry_error e = { 0 };
	char text[32];

	if (r->has_size && dry_opts_get(r->opts, "size")) {
		strbuf_puts(why, "The image size must be specified only once");
		return false;
	}
	if (r->backing && !format_has(r->format, "backing_file")) {
		strbuf_printf(why, "Backing file not supported for file format '%s'", r->format);
		return false;
	}
	if (r->backing_format && !format_has(r->format, "backing_fmt")) {
		strbuf_printf(why, "Backing format not supported for file format '%s'", r->format);
		return false;
	}
	snprintf(text, sizeof text, "%" PRIu64, r->size);
	if ((r->has_size && dry_opts_set(r->opts, "size", text, &e) < 0) ||
	    (r->backing && dry_opts_set(r->opts, "backing_file", r->backing, &e) < 0) ||
	    (r->backing_format && dry_opts_set(r->opts, "backing_fmt", r->backing_format, &e) < 0)) {
		strbuf_puts(why, qi_reason(&e));
		return false;
	}
	return true;
}

static bool plan(struct request *r, const char *options, struct strbuf *why)
{
	const char *backing, *format;

	if (!dry_format_known(r->format)) {
		strbuf_printf(why, "Unknown file format '%s'", r->format);
		return false;
	}
	if (!format_has(r->format, "size")) {
		strbuf_printf(why, "Format driver '%s' does not support image creation", r->format);
		return false;
	}
	if ((options && !qi_parse_options(r->opts, r->format, true, options, why)) || !add_arguments(r, why))
		return false;
	backing = dry_opts_get(r->opts, "backing_file");
	format = dry_opts_get(r->opts, "backing_fmt");
	if (backing && !*backing) {
		strbuf_puts(why, "Expected backing file name, got empty string");
		return false;
	}
	if (backing && strcmp(backing, r->path) == 0) {
		strbuf_puts(why, "Error: Trying to create an image with the same filename as the backing file");
		return false;
	}
	if (backing && r->unsafe && !format) {
		strbuf_puts(why, "Backing file specified without backing format");
		return false;
	}
	if (backing && !r->unsafe && !judge_backing(r, backing, format, why))
		return false;
	if (!dry_opts_get(r->opts, "size")) {
		strbuf_puts(why, "Image creation needs a size parameter");
		return false;
	}
	return true;
}

static bool make(struct request *r, struct strbuf *why)
{
	struct dry_create how = { .format = r->format, .opts = r->opts, .policy.trust = DRY_TRUST_ANY, .no_backing = true,
				  .secrets = r->secrets };
	struct dry_error e = { 0 };
	uint64_t size = 0;
	char text[32];

	text_parse_u64(dry_opts_get(r->opts, "size"), &size);
	/* Disks have whole sectors. */
	snprintf(text, sizeof text, "%" PRIu64, size > INT64_MAX - 511 ? size : round_up(size, 512));
	if (qi_options_problem(why, r->format, r->opts, r->secrets) || !qi_replaceable(r->path, why))
		return false;
	if (dry_opts_set(r->opts, "size", text, &e) < 0 || dry_create(r->path, &how, &e) < 0) {
		qi_create_problem(why, r->path, r->format, &e);
		return false;
	}
	return true;
}

static int create(struct request *r, const char *options)
{
	CLEANUP(strbuf_free) struct strbuf why = STRBUF_INIT, line = STRBUF_INIT;

	if (plan(r, options, &why)) {
		if (!r->quiet) {
			qi_describe_options(&line, r->format, r->opts);
			printf("Formatting '%s', fmt=%s%s\n", r->path, r->format, line.s);
			fflush(stdout);
		}
		if (make(r, &why))
			return EXIT_DONE;
	}
	/* The peer leaves the line of a detected format open. */
	fprintf(stderr, "qemu-img: %s: %s%s", r->path, why.s, strstr(why.s, "\nDetected format of ") ? "" : "\n");
	return EXIT_FAILED;
}

int qemu_img_create(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "object", required_argument, NULL, 'O' },
		{ NULL, 0, NULL, 0 },
	};
	CLEANUP(strbuf_free) struct strbuf options = STRBUF_INIT;
	CLEANUP(qi_opts_freep) struct dry_opts *opts = dry_opts_new();
	CLEANUP(qi_secrets_freep) struct dry_secrets *secrets = NULL;
	struct request r = { .format = "raw", .opts = opts };
	int c;

	if (!opts) {
		qi_error("out of memory");
		return EXIT_FAILED;
	}
	while ((c = getopt_long(argc, argv, ":F:b:f:ho:qu", longs, NULL)) != -1) {
		switch (c) {
		case 'h':
			return qi_help();
		case 'F':
			r.backing_format = optarg;
			break;
		case 'b':
			r.backing = optarg;
			break;
		case 'f':
			r.format = optarg;
			break;
		case 'o':
			if (!qi_add_options(&options, optarg))
				return EXIT_FAILED;
			break;
		case 'q':
			r.quiet = true;
			break;
		case 'u':
			r.unsafe = true;
			break;
		case 'O':
			if (!qi_object_option(optarg, &secrets))
				return EXIT_FAILED;
			break;
		default:
			return qi_bad_option(c, argv);
		}
	}
	r.secrets = secrets;
	r.path = optind < argc ? argv[optind++] : NULL;
	if (qi_wants_help(options.s))
		return qi_print_options(r.format, r.path);
	if (!r.path)
		return qi_usage("Expecting image file name");
	if (optind < argc) {
		if (!qi_size_option("image size", argv[optind++], &r.size))
			return EXIT_FAILED;
		r.has_size = true;
	}
	if (optind < argc)
		return qi_usage("Unexpected argument: %s", argv[optind]);
	return create(&r, options.len ? options.s : NULL);
}
