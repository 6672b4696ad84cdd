/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rebase.c - drydock rebase: another image beneath an overlay. */
#include "image.h"
#include "out.h"
#include "progress.h"

#include "alloc.h"
#include "json.h"
#include "text.h"

#include <stdio.h>

struct rebase_args {
	struct image_how how;
	const char *backing, *format;
	uint64_t threads;
	bool none, unsafe, json, quiet;
	int progress;
};

static void rebase_args_free(struct rebase_args *a)
{
	image_how_free(&a->how);
}

static int report(const struct rebase_args *a, const char *name, const struct dry_rebase_result *r)
{
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	struct json j = JSON_INIT(&out, true);
	char human[16];

	if (a->json) {
		json_object(&j, NULL);
		json_str(&j, "image", name);
		if (a->backing)
			json_str(&j, "backing", a->backing);
		json_u64(&j, "copied", r->copied);
		json_object_end(&j);
		strbuf_putc(&out, '\n');
	} else if (!a->quiet) {
		text_quote(&out, name, strlen(name));
		strbuf_puts(&out, a->none ? ": stands by itself" : ": over ");
		if (!a->none)
			text_quote(&out, a->backing, strlen(a->backing));
		if (!a->unsafe)
			strbuf_printf(&out, "; %s copied into it", text_size(r->copied, human, sizeof human));
		strbuf_putc(&out, '\n');
	}
	return out_flush(&out);
}

static int rebase(const struct rebase_args *a, const char *name)
{
	CLEANUP(image_secretsp) struct dry_secrets *secrets = NULL;
	CLEANUP(image_closep) struct dry_image *img = NULL;
	struct dry_rebase how = { .backing = a->none ? NULL : a->backing, .format = a->none ? NULL : a->format,
				  .unsafe = a->unsafe, .force_share = a->how.force_share,
				  .policy = image_policy_of(&a->how), .threads = (unsigned)a->threads };
	struct image_how top = a->how; /* lent: freed with a */
	struct dry_rebase_result result;
	struct dry_error e;
	struct progress p;
	int rc = image_secrets_of(&a->how, &secrets);

	top.force_share = false;
	if (rc == EXIT_DONE)
		rc = image_open(name, &top, DRY_OPEN_WRITE | (a->unsafe ? DRY_OPEN_NO_BACKING : 0), &img);
	if (rc != EXIT_DONE)
		return rc;
	how.image = img;
	how.secrets = secrets;
	progress_begin(&p, (enum progress_mode)a->progress);
	how.progress = progress_watch(&p);
	rc = dry_rebase(&how, &result, &e);
	progress_end(&p);
	if (rc == -(int)DRY_CANCELED)
		return progress_stopped();
	return rc < 0 ? cmd_fail(&e) : report(a, name, &result);
}

int cmd_rebase(int argc, char **argv)
{
	CLEANUP(rebase_args_free) struct rebase_args a = { .progress = PROGRESS_AUTO };
	const struct usage u = { "rebase", "[options] IMAGE", "Puts another image beneath an image, whose content stays." };
	const struct opt opts[] = {
		IMAGE_OPT_FORMAT(&a.how),
		OPT_STRING('b', "backing", "FILE", &a.backing, "the new backing file, as the image is to name it"),
		OPT_STRING('F', "backing-format", "FMT", &a.format, "its format"),
		OPT_FLAG(0, "no-backing", &a.none, "none any more: the image then holds everything itself"),
		OPT_FLAG('u', "unsafe", &a.unsafe, "change the name only, whatever the files hold"),
		OPT_U64('m', "threads", "N", &a.threads, "threads that compare and copy (as many as cores)"),
		OPT_STRING('t', "cache", "MODE", &a.how.cache, "cache mode of the image"),
		OPT_FLAG('U', "force-share", &a.how.force_share, "read the new backing file although a process writes to it"),
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
	if (argc != 1)
		return cmd_usage("rebase", "needs one image");
	if (a.none == (a.backing != NULL))
		return cmd_usage("rebase", "needs either the new backing file (-b) or --no-backing");
	if (a.backing && (!*a.backing || !a.format))
		return cmd_usage("rebase", "the format of the new backing file is not given (-F): it is never guessed");
	if (a.threads > 64)
		return cmd_usage("rebase", "--threads: at most 64");
	return rebase(&a, argv[0]);
}
