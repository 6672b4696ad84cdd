/* SPDX-License-Identifier: GPL-2.0-or-later */
/* measure.c - drydock measure: the room a new image will need. */
#include "image.h"
#include "out.h"

#include "alloc.h"
#include "json.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>

struct measure_args {
	struct image_how how;
	const char *target_format, *size;
	struct opt_list options;
	bool json;
};

static void measure_args_free(struct measure_args *a)
{
	image_how_free(&a->how);
	opt_list_free(&a->options);
}

static int report(const struct measure_args *a, const struct dry_measure *m)
{
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	struct json j = JSON_INIT(&out, true);
	char human[16];

	if (a->json) {
		json_object(&j, NULL);
		json_str(&j, "format", a->target_format);
		json_u64(&j, "required", m->required);
		json_u64(&j, "fully_allocated", m->fully_allocated);
		if (m->has_bitmaps)
			json_u64(&j, "bitmaps", m->bitmaps);
		json_object_end(&j);
		strbuf_putc(&out, '\n');
		return out_flush(&out);
	}
	strbuf_printf(&out, "required         %s (%" PRIu64 " bytes)\n", text_size(m->required, human, sizeof human),
		      m->required);
	strbuf_printf(&out, "fully allocated  %s (%" PRIu64 " bytes)\n",
		      text_size(m->fully_allocated, human, sizeof human), m->fully_allocated);
	if (m->has_bitmaps)
		strbuf_printf(&out, "bitmaps          %s (%" PRIu64 " bytes)\n", text_size(m->bitmaps, human, sizeof human),
			      m->bitmaps);
	return out_flush(&out);
}

static int measure(const struct measure_args *a, const char *name)
{
	CLEANUP(image_closep) struct dry_image *img = NULL;
	CLEANUP(image_optsp) struct dry_opts *opts = NULL;
	struct dry_measure m;
	struct dry_error e;
	bool help;
	int status = image_create_opts("measure", &a->options, &opts, &help);

	if (status != EXIT_DONE)
		return status;
	if (help)
		return image_print_create_opts("measure", a->target_format);
	if (!name == !a->size)
		return cmd_usage("measure", "needs an image, or else --size");
	if (a->size && dry_opts_set(opts, "size", a->size, &e) < 0)
		return cmd_fail(&e);
	if (name)
		status = image_open(name, &a->how, 0, &img);
	if (status != EXIT_DONE)
		return status;
	return dry_measure(a->target_format, opts, img, &m, &e) < 0 ? cmd_fail(&e) : report(a, &m);
}

int cmd_measure(int argc, char **argv)
{
	CLEANUP(measure_args_free) struct measure_args a = { .target_format = "raw" };
	const struct usage u = { "measure", "[options] [IMAGE]", "Tells the room that a new image, or a copy of one, will need." };
	const struct opt opts[] = {
		IMAGE_OPT_FORMAT(&a.how),
		OPT_STRING('O', "output-format", "FMT", &a.target_format, "format of the new image (raw if not given)"),
		OPT_LIST('o', "option", "K=V,...", &a.options, "options of that format; -o help lists them"),
		OPT_STRING(0, "size", "SIZE", &a.size, "an empty image of this size"),
		IMAGE_OPT_SNAPSHOT(&a.how),
		IMAGE_OPT_SHARE(&a.how),
		IMAGE_OPT_SECRETS(&a.how),
		IMAGE_OPT_ALLOW(&a.how),
		OPT_FLAG(0, "json", &a.json, "print JSON"),
		OPT_END,
	};

	switch (opts_parse(&u, opts, &argc, &argv)) {
	case OPTS_DONE:
		return EXIT_DONE;
	case OPTS_BAD:
		return EXIT_USAGE;
	case OPTS_OK:
		break;
	}
	if (argc > 1)
		return cmd_usage("measure", "\"%s\" is one word too many", argv[1]);
	return measure(&a, argc ? argv[0] : NULL);
}
