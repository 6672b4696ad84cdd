/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compare.c - drydock compare: do two images hold the same disk? */
#include "image.h"
#include "out.h"
#include "progress.h"

#include "alloc.h"
#include "json.h"

#include <inttypes.h>
#include <stdio.h>

/* As the peers exit. */
enum { COMPARE_DIFFERENT = 1, COMPARE_NOT_OPEN = 2, COMPARE_NO_MAP = 3, COMPARE_NO_DATA = 4 };

struct compare_args {
	struct image_how how; /* of both; its format is the first one's */
	const char *second_format;
	bool strict, json, quiet;
	int progress;
};

static void compare_args_free(struct compare_args *a)
{
	image_how_free(&a->how);
}

static int report(const struct compare_args *a, struct dry_image *const images[2], const struct dry_compare_result *r)
{
	static const char *const words[] = { "same", "content", "size", "allocation" };
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	struct json j = JSON_INIT(&out, true);
	bool at = r->difference == DRY_DIFFERENT || r->difference == DRY_DIFFERENT_ALLOC;
	int status;

	if (a->json) {
		json_object(&j, NULL);
		json_bool(&j, "same", r->difference == DRY_SAME);
		if (r->difference != DRY_SAME)
			json_str(&j, "difference", words[r->difference]);
		if (at)
			json_u64(&j, "offset", r->off);
		json_array(&j, "sizes");
		json_u64(&j, NULL, dry_image_size(images[0]));
		json_u64(&j, NULL, dry_image_size(images[1]));
		json_array_end(&j);
		json_object_end(&j);
		strbuf_putc(&out, '\n');
	} else if (!a->quiet) {
		if (r->difference == DRY_DIFFERENT)
			strbuf_printf(&out, "different: content at offset %" PRIu64 "\n", r->off);
		else if (r->difference == DRY_DIFFERENT_ALLOC)
			strbuf_printf(&out, "different: allocation at offset %" PRIu64 "\n", r->off);
		else if (r->difference == DRY_DIFFERENT_SIZE)
			strbuf_printf(&out, "different: sizes %" PRIu64 " and %" PRIu64 "\n", dry_image_size(images[0]),
				      dry_image_size(images[1]));
		else
			strbuf_puts(&out, r->sizes_differ ? "same, and the longer one goes on with zeros\n" : "same\n");
	}
	status = out_flush(&out);
	return status != EXIT_DONE ? status : r->difference == DRY_SAME ? EXIT_DONE : COMPARE_DIFFERENT;
}

static int compare(const struct compare_args *a, char *const names[2])
{
	CLEANUP(image_closep) struct dry_image *first = NULL;
	CLEANUP(image_closep) struct dry_image *second = NULL;
	struct image_how other = a->how; /* lent: freed with a */
	struct dry_compare how = { .strict = a->strict };
	struct dry_compare_result r;
	struct progress p;
	struct dry_error e;
	int rc;

	other.format = a->second_format;
	if (image_open(names[0], &a->how, 0, &first) != EXIT_DONE || image_open(names[1], &other, 0, &second) != EXIT_DONE)
		return COMPARE_NOT_OPEN;
	how.a = first;
	how.b = second;
	progress_begin(&p, (enum progress_mode)a->progress);
	how.progress = progress_watch(&p);
	rc = dry_compare(&how, &r, &e);
	progress_end(&p);
	if (rc == -(int)DRY_CANCELED)
		return progress_stopped();
	if (rc < 0) {
		cmd_fail(&e);
		return r.failed_map ? COMPARE_NO_MAP : COMPARE_NO_DATA;
	}
	return report(a, (struct dry_image *const[]){ first, second }, &r);
}

int cmd_compare(int argc, char **argv)
{
	CLEANUP(compare_args_free) struct compare_args a = { .progress = PROGRESS_AUTO };
	const struct usage u = { "compare", "[options] IMAGE IMAGE", "Tells whether two images hold the same disk." };
	const struct opt opts[] = {
		OPT_STRING('f', "format", "FMT", &a.how.format, "format of the first image (guessed if not given)"),
		OPT_STRING('F', "second-format", "FMT", &a.second_format, "format of the second image"),
		OPT_FLAG('s', "strict", &a.strict, "sizes, and what is allocated, must be the same, too"),
		IMAGE_OPT_SHARE(&a.how),
		IMAGE_OPT_SECRETS(&a.how),
		IMAGE_OPT_ALLOW(&a.how),
		PROGRESS_OPT(&a.progress),
		OPT_FLAG(0, "json", &a.json, "print JSON"),
		OPT_FLAG('q', "quiet", &a.quiet, "print errors only"),
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
	if (argc != 2)
		return cmd_usage("compare", "needs two images");
	return compare(&a, argv);
}
