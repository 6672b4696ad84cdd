/* SPDX-License-Identifier: GPL-2.0-or-later */
/* undo.c - drydock undo: takes back what a command did that kept an undo file. */
#include "image.h"
#include "out.h"
#include "progress.h"

#include "alloc.h"
#include "json.h"
#include "text.h"

#include <stdio.h>

struct undo_args {
	struct image_how how;
	bool json, quiet;
	int progress;
};

static void undo_args_free(struct undo_args *a)
{
	image_how_free(&a->how);
}

static int report(const struct undo_args *a, const char *file, const struct dry_undo_result *r)
{
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	struct json j = JSON_INIT(&out, true);
	char human[16];

	if (a->json) {
		json_object(&j, NULL);
		json_str(&j, "undo", file);
		json_u64(&j, "images", r->nimages);
		json_u64(&j, "bytes", r->bytes);
		json_object_end(&j);
		strbuf_putc(&out, '\n');
	} else if (!a->quiet) {
		text_quote(&out, file, strlen(file));
		strbuf_printf(&out, ": %s written back to %zu image%s\n", text_size(r->bytes, human, sizeof human), r->nimages,
			      r->nimages == 1 ? "" : "s");
	}
	return out_flush(&out);
}

static int undo(const struct undo_args *a, int argc, char **argv)
{
	CLEANUP(image_secretsp) struct dry_secrets *secrets = NULL;
	CLEANUP(image_optsp) struct dry_opts *opts = NULL;
	struct dry_undo how = { .file = argv[0] };
	struct dry_undo_result result;
	struct dry_error e;
	struct dry_open open;
	struct progress p;
	int rc = image_how_to_open(&a->how, 0, &open, &opts, &secrets);

	if (rc != EXIT_DONE)
		return rc;
	how.open = &open;
	if (argc > 1) {
		how.images = (const char *const *)argv + 1;
		how.nimages = (size_t)argc - 1;
	}
	progress_begin(&p, (enum progress_mode)a->progress);
	how.progress = progress_watch(&p);
	rc = dry_undo(&how, &result, &e);
	progress_end(&p);
	if (rc == -(int)DRY_CANCELED)
		return progress_stopped();
	return rc < 0 ? (cmd_fail(&e), EXIT_FAILED) : report(a, argv[0], &result);
}

int cmd_undo(int argc, char **argv)
{
	CLEANUP(undo_args_free) struct undo_args a = { .progress = PROGRESS_AUTO };
	const struct usage u = { "undo", "[options] FILE [IMAGE...]",
				"Takes back what a command did that kept FILE (--undo-file)." };
	const struct opt opts[] = {
		OPT_STRING('t', "cache", "MODE", &a.how.cache, "cache mode of the images"),
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
	if (argc < 1)
		return cmd_usage("undo", "needs the file that was kept");
	return undo(&a, argc, argv);
}
