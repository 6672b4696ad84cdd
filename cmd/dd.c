/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dd.c - drydock dd: a part of a disk into a new image, in the words of dd(1). */
#include "image.h"
#include "out.h"
#include "progress.h"

#include "alloc.h"
#include "checked.h"
#include "json.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>

enum { DEFAULT_BLOCK = 512 };

struct dd_args {
	struct image_how how;
	const char *format, *in, *out;
	uint64_t block, count, skip;
	bool has_count, json, quiet;
	int progress;
};

static void dd_args_free(struct dd_args *a)
{
	image_how_free(&a->how);
}

static int parse_operand(struct dd_args *a, const char *arg)
{
	uint64_t *number = NULL;
	const char *value;

	if (text_starts(arg, "if=", &a->in) || text_starts(arg, "of=", &a->out))
		return EXIT_DONE;
	if (text_starts(arg, "bs=", &value))
		number = &a->block;
	else if (text_starts(arg, "skip=", &value))
		number = &a->skip;
	else if (text_starts(arg, "count=", &value))
		number = &a->count;
	if (!number)
		return cmd_usage("dd", "\"%s\" is none of if=, of=, bs=, count= and skip=", arg);
	if (!text_parse_size(value, number) || (number == &a->block && !*number))
		return cmd_usage("dd", "\"%s\": not a number that makes sense", arg);
	a->has_count = a->has_count || number == &a->count;
	return EXIT_DONE;
}

/* Blocks are counted behind those that are skipped, as in dd(1). */
static int range(const struct dd_args *a, uint64_t size, uint64_t *off, uint64_t *len)
{
	uint64_t count;

	if (!checked_mul(a->skip, a->block, off) || *off > size)
		return cmd_usage("dd", "skip=%" PRIu64 " is behind the end of the disk (%" PRIu64 " bytes)", a->skip, size);
	*len = size - *off;
	if (a->has_count && checked_mul(a->count, a->block, &count) && count < *len)
		*len = count;
	return EXIT_DONE;
}

static int report(const struct dd_args *a, uint64_t off, uint64_t len, const struct dry_convert_result *r)
{
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	struct json j = JSON_INIT(&out, true);
	char size[16], data[16];

	if (a->json) {
		json_object(&j, NULL);
		json_str(&j, "image", a->out);
		json_str(&j, "format", a->format);
		json_u64(&j, "offset", off);
		json_u64(&j, "size", len);
		json_u64(&j, "copied", r->copied);
		json_object_end(&j);
		strbuf_putc(&out, '\n');
	} else if (!a->quiet) {
		text_quote(&out, a->out, strlen(a->out));
		strbuf_printf(&out, ": %s, with %s of data\n", text_size(len, size, sizeof size),
			      text_size(r->copied, data, sizeof data));
	}
	return out_flush(&out);
}

static int dd(const struct dd_args *a)
{
	CLEANUP(image_closep) struct dry_image *in = NULL;
	CLEANUP(image_closep) struct dry_image *part = NULL;
	struct dry_convert how = { .sources = &part, .nsources = 1, .target = a->out, .format = a->format,
				   .policy = image_policy_of(&a->how), .sparse = DRY_SPARSE_DEFAULT, .notice = cmd_notice };
	struct dry_convert_result result;
	struct dry_error e;
	struct progress p;
	uint64_t off = 0, len = 0;
	int rc = image_open(a->in, &a->how, 0, &in);

	if (rc == EXIT_DONE)
		rc = range(a, dry_image_size(in), &off, &len);
	if (rc != EXIT_DONE)
		return rc;
	if (dry_image_window(in, off, len, &part, &e) < 0)
		return cmd_fail(&e);
	progress_begin(&p, (enum progress_mode)a->progress);
	how.progress = progress_watch(&p);
	rc = dry_convert(&how, &result, &e);
	progress_end(&p);
	if (rc == -(int)DRY_CANCELED)
		return progress_stopped();
	return rc < 0 ? cmd_fail(&e) : report(a, off, len, &result);
}

int cmd_dd(int argc, char **argv)
{
	CLEANUP(dd_args_free) struct dd_args a = { .block = DEFAULT_BLOCK, .progress = PROGRESS_AUTO };
	const struct usage u = { "dd", "[options] if=IMAGE of=IMAGE [bs=SIZE] [count=N] [skip=N]",
				 "Copies a part of a disk into a new image." };
	const struct opt opts[] = {
		IMAGE_OPT_FORMAT(&a.how),
		OPT_STRING('O', "output-format", "FMT", &a.format, "format of the copy (its suffix tells, else raw)"),
		IMAGE_OPT_SNAPSHOT(&a.how),
		IMAGE_OPT_SHARE(&a.how),
		IMAGE_OPT_SECRETS(&a.how),
		IMAGE_OPT_ALLOW(&a.how),
		PROGRESS_OPT(&a.progress),
		OPT_FLAG(0, "json", &a.json, "tell what was done as JSON"),
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
	for (int i = 0; i < argc; i++) {
		int status = parse_operand(&a, argv[i]);

		if (status != EXIT_DONE)
			return status;
	}
	if (!a.in || !a.out)
		return cmd_usage("dd", "needs if= and of=");
	if (!a.format)
		a.format = image_format_of_name(a.out);
	if (!a.format)
		a.format = "raw";
	return dd(&a);
}
