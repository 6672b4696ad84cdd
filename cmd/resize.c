/* SPDX-License-Identifier: GPL-2.0-or-later */
/* resize.c - drydock resize: a larger or smaller disk. */
#include "image.h"
#include "out.h"

#include "alloc.h"
#include "text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

struct resize_args {
	struct image_how how;
	const char *prealloc;
	bool shrink, quiet;
};

static void resize_args_free(struct resize_args *a)
{
	image_how_free(&a->how);
}

/* "10G", "+1G", "-1G" over the old size. */
static int parse_new_size(const char *text, uint64_t old, uint64_t *out)
{
	bool more = text[0] == '+', less = text[0] == '-';
	uint64_t n;

	if (!text_parse_size(text + (more || less), &n))
		return cmd_usage("resize", "\"%s\" is not a size (10G, +1G, -512M)", text);
	if (less && n > old)
		return cmd_usage("resize", "there are only %" PRIu64 " bytes to take %s from", old, text + 1);
	if (more && n > UINT64_MAX - old)
		return cmd_usage("resize", "%s is too much", text);
	*out = more ? old + n : less ? old - n : n;
	return EXIT_DONE;
}

static int resize(const struct resize_args *a, const char *name, const char *size)
{
	CLEANUP(image_closep) struct dry_image *img = NULL;
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	enum dry_prealloc prealloc = DRY_PREALLOC_OFF;
	uint64_t old, now = 0;
	struct dry_error e;
	int status;
	char from[16], to[16];

	if (a->prealloc && !dry_prealloc_parse(a->prealloc, &prealloc))
		return cmd_usage("resize", "--preallocation: \"%s\" is not off, metadata, falloc or full", a->prealloc);
	status = image_open(name, &a->how, DRY_OPEN_WRITE | DRY_OPEN_RESIZE, &img);
	if (status != EXIT_DONE)
		return status;
	old = dry_image_size(img);
	status = parse_new_size(size, old, &now);
	if (status != EXIT_DONE)
		return status;
	if (now < old && !a->shrink)
		return cmd_usage("resize", "%" PRIu64 " bytes are less than the %" PRIu64 " of now, and what lies behind would be "
				 "lost; --shrink says that it may", now, old);
	if (now < old && prealloc != DRY_PREALLOC_OFF)
		return cmd_usage("resize", "--preallocation is for what is added");
	if (dry_image_resize(img, now, prealloc, &e) < 0 || dry_image_finish(img, &e) < 0)
		return cmd_fail(&e);
	now = dry_image_size(img);
	if (!a->quiet) {
		text_quote(&out, name, strlen(name));
		strbuf_printf(&out, ": %s, was %s (%" PRIu64 " bytes, was %" PRIu64 ")\n", text_size(now, to, sizeof to),
			      text_size(old, from, sizeof from), now, old);
	}
	return out_flush(&out);
}

int cmd_resize(int argc, char **argv)
{
	CLEANUP(resize_args_free) struct resize_args a = { .prealloc = NULL };
	const struct usage u = { "resize", "[options] IMAGE [+|-]SIZE", "Makes an image's disk larger or smaller." };
	const struct opt opts[] = {
		IMAGE_OPT_FORMAT(&a.how),
		OPT_FLAG(0, "shrink", &a.shrink, "make it smaller, though what lies behind the new end is lost"),
		OPT_STRING(0, "preallocation", "MODE", &a.prealloc, "for what is added: off, metadata, falloc or full"),
		IMAGE_OPT_SECRETS(&a.how),
		IMAGE_OPT_ALLOW(&a.how),
		OPT_FLAG('q', "quiet", &a.quiet, "print errors only"),
		OPT_END,
	};
	const char *less = NULL;

	/* "-1G" is no option: it is taken away before the options are looked at. */
	if (argc > 1 && argv[argc - 1][0] == '-' && isdigit((unsigned char)argv[argc - 1][1]))
		less = argv[--argc];
	switch (opts_parse(&u, opts, &argc, &argv)) {
	case OPTS_DONE:
		return EXIT_DONE;
	case OPTS_BAD:
		return EXIT_USAGE;
	case OPTS_OK:
		break;
	}
	if (argc + (less ? 1 : 0) != 2)
		return cmd_usage("resize", "needs an image and a size");
	return resize(&a, argv[0], less ? less : argv[1]);
}
