/* SPDX-License-Identifier: GPL-2.0-or-later */
/* amend.c - drydock amend: options of an image's format, changed in place. */
#include "image.h"
#include "out.h"
#include "progress.h"

#include "alloc.h"

#include <stdio.h>

struct amend_args {
	struct image_how how;
	struct opt_list options;
	bool force;
	int progress;
};

static void amend_args_free(struct amend_args *a)
{
	image_how_free(&a->how);
	opt_list_free(&a->options);
}

static int print_options(const char *format)
{
	static const char *const types[] = { "text", "size", "on/off", "number" };
	CLEANUP(table_free) struct table t = TABLE_INIT("lll", "OPTION", "VALUE", "MEANING");
	struct dry_create_opt o;

	if (!dry_amend_opt(format, 0, &o))
		return cmd_usage("amend", "%s images have no options to change", format);
	for (size_t i = 0; dry_amend_opt(format, i, &o); i++) {
		table_add(&t, o.name);
		table_add(&t, types[o.type]);
		table_add(&t, o.help);
	}
	return table_print(&t, TABLE_TITLES);
}

static int amend(const struct amend_args *a, const char *name, const struct dry_opts *opts, bool help)
{
	CLEANUP(image_secretsp) struct dry_secrets *secrets = NULL;
	CLEANUP(image_closep) struct dry_image *img = NULL;
	struct dry_amend how = { .opts = opts, .force = a->force };
	struct dry_info info;
	struct dry_error e;
	struct progress p;
	int rc = image_secrets_of(&a->how, &secrets);

	if (rc == EXIT_DONE)
		rc = image_open(name, &a->how, help ? DRY_OPEN_FACTS : DRY_OPEN_WRITE | DRY_OPEN_RESIZE, &img);
	if (rc != EXIT_DONE)
		return rc;
	if (help)
		return dry_image_info(img, &info, &e) < 0 ? cmd_fail(&e) : print_options(info.format);
	how.secrets = secrets;
	progress_begin(&p, (enum progress_mode)a->progress);
	how.progress = progress_watch(&p);
	rc = dry_image_amend(img, &how, &e);
	if (rc == 0)
		rc = dry_image_finish(img, &e);
	progress_end(&p);
	return rc < 0 ? cmd_fail(&e) : EXIT_DONE;
}

int cmd_amend(int argc, char **argv)
{
	CLEANUP(amend_args_free) struct amend_args a = { .progress = PROGRESS_AUTO };
	CLEANUP(image_optsp) struct dry_opts *given = NULL;
	const struct usage u = { "amend", "[options] -o K=V,... IMAGE", "Changes options of an image's format in place." };
	const struct opt opts[] = {
		IMAGE_OPT_FORMAT(&a.how),
		OPT_LIST('o', "option", "K=V,...", &a.options, "options to change; -o help lists those of the format"),
		OPT_FLAG(0, "force", &a.force, "also what loses data for good, such as the last passphrase"),
		OPT_STRING('t', "cache", "MODE", &a.how.cache, "cache mode"),
		IMAGE_OPT_SECRETS(&a.how),
		IMAGE_OPT_ALLOW(&a.how),
		PROGRESS_OPT(&a.progress),
		OPT_END,
	};
	bool help;
	int status;

	switch (opts_parse(&u, opts, &argc, &argv)) {
	case OPTS_DONE:
		return EXIT_DONE;
	case OPTS_BAD:
		return EXIT_USAGE;
	case OPTS_OK:
		break;
	}
	status = image_create_opts("amend", &a.options, &given, &help);
	if (status != EXIT_DONE)
		return status;
	if (help && a.how.format)
		return print_options(a.how.format);
	if (argc != 1)
		return cmd_usage("amend", "needs one image");
	if (!a.options.n)
		return cmd_usage("amend", "nothing to change is given (-o)");
	return amend(&a, argv[0], given, help);
}
