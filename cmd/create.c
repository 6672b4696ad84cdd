/* SPDX-License-Identifier: GPL-2.0-or-later */
/* create.c - drydock create: a new, empty image. */
#include "image.h"
#include "out.h"

#include "alloc.h"
#include "json.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>

struct create_args {
	const char *format, *backing, *backing_format, *prealloc;
	struct opt_list options;
	struct image_how how;
	bool no_backing, json, quiet;
};

static void create_args_free(struct create_args *a)
{
	opt_list_free(&a->options);
	image_how_free(&a->how);
}

/* What an option of its own has, it may not have in -o too. */
static int set_once(struct dry_opts *opts, const char *key, const char *value)
{
	struct dry_error e;

	if (!value)
		return EXIT_DONE;
	if (dry_opts_get(opts, key))
		return cmd_usage("create", "%s is given twice", key);
	return dry_opts_set(opts, key, value, &e) == 0 ? EXIT_DONE : cmd_fail(&e);
}

static int fill_opts(const struct create_args *a, const char *size, struct dry_opts *opts)
{
	const char *const pairs[][2] = {
		{ "size", size },
		{ "backing_file", a->backing },
		{ "backing_fmt", a->backing_format },
		{ "preallocation", a->prealloc },
	};
	int status = EXIT_DONE;

	for (size_t i = 0; status == EXIT_DONE && i < ARRAY_LEN(pairs); i++)
		status = set_once(opts, pairs[i][0], pairs[i][1]);
	return status;
}

static int report(const struct create_args *a, const char *name, const struct dry_opts *planned)
{
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	struct json j = JSON_INIT(&out, true);
	const char *key, *value;
	uint64_t size = 0;
	char human[16];

	text_parse_u64(dry_opts_get(planned, "size"), &size);
	if (a->json) {
		json_object(&j, NULL);
		json_str(&j, "image", name);
		json_str(&j, "format", a->format);
		json_u64(&j, "size", size);
		json_object(&j, "options");
		for (size_t i = 0; dry_opts_at(planned, i, &key, &value); i++)
			if (strcmp(key, "size") != 0)
				json_str(&j, key, value);
		json_object_end(&j);
		json_object_end(&j);
		strbuf_putc(&out, '\n');
	} else if (!a->quiet) {
		text_quote(&out, name, strlen(name));
		strbuf_printf(&out, ": %s, %s (%" PRIu64 " bytes)\n", a->format, text_size(size, human, sizeof human), size);
	}
	return out_flush(&out);
}

static int create(struct create_args *a, const char *name, const char *size)
{
	CLEANUP(image_optsp) struct dry_opts *opts = NULL;
	CLEANUP(image_optsp) struct dry_opts *planned = NULL;
	CLEANUP(image_secretsp) struct dry_secrets *secrets = NULL;
	struct dry_create how = { .format = a->format, .policy = image_policy_of(&a->how), .no_backing = a->no_backing };
	struct dry_error e;
	bool help;
	int status = image_create_opts("create", &a->options, &opts, &help);

	if (status != EXIT_DONE)
		return status;
	if (help)
		return a->format ? image_print_create_opts("create", a->format)
				 : cmd_usage("create", "-o help needs the format (-f)");
	if (!name)
		return cmd_usage("create", "no image is named");
	if (!a->format)
		a->format = how.format = image_format_of_name(name);
	if (!a->format)
		return cmd_usage("create", "the format is not given (-f), and the name \"%s\" does not tell", name);
	status = fill_opts(a, size, opts);
	if (status != EXIT_DONE)
		return status;
	status = image_secrets_of(&a->how, &secrets);
	if (status != EXIT_DONE)
		return status;
	how.opts = opts;
	how.secrets = secrets;
	if (dry_create_plan(name, &how, &planned, &e) < 0)
		return cmd_fail(&e);
	how.opts = planned;
	if (dry_create(name, &how, &e) < 0)
		return cmd_fail(&e);
	return report(a, name, planned);
}

int cmd_create(int argc, char **argv)
{
	CLEANUP(create_args_free) struct create_args a = { .format = NULL };
	const struct usage u = { "create", "[options] IMAGE [SIZE]", "Makes an empty image." };
	const struct opt opts[] = {
		OPT_STRING('f', "format", "FMT", &a.format, "format of the image (its suffix tells, if not given)"),
		OPT_LIST('o', "option", "K=V,...", &a.options, "options of the format; -o help lists them"),
		OPT_STRING('b', "backing", "FILE", &a.backing, "show what this image holds until it is written over"),
		OPT_STRING('F', "backing-format", "FMT", &a.backing_format, "format of the backing file"),
		OPT_FLAG('u', "unsafe", &a.no_backing, "do not look at the backing file"),
		OPT_STRING(0, "preallocation", "MODE", &a.prealloc, "off, metadata, falloc or full"),
		IMAGE_OPT_NEW_SECRETS(&a.how),
		IMAGE_OPT_ALLOW(&a.how),
		OPT_FLAG(0, "json", &a.json, "tell what was made as JSON"),
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
	if (argc > 2)
		return cmd_usage("create", "\"%s\" is one word too many", argv[2]);
	return create(&a, argc > 0 ? argv[0] : NULL, argc > 1 ? argv[1] : NULL);
}
