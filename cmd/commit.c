/* SPDX-License-Identifier: GPL-2.0-or-later */
/* commit.c - drydock commit: an overlay's data into the image beneath it. */
#include "image.h"
#include "out.h"
#include "progress.h"

#include "alloc.h"
#include "json.h"
#include "text.h"

#include <stdio.h>

struct commit_args {
	struct image_how how;
	const char *base;
	uint64_t rate, threads;
	bool keep, json, quiet;
	int progress;
};

static void commit_args_free(struct commit_args *a)
{
	image_how_free(&a->how);
}

static int report(const struct commit_args *a, const char *name, const struct dry_commit_result *r)
{
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	struct json j = JSON_INIT(&out, true);
	char human[16];

	if (a->json) {
		json_object(&j, NULL);
		json_str(&j, "image", name);
		json_u64(&j, "copied", r->copied);
		json_bool(&j, "emptied", r->emptied);
		json_object_end(&j);
		strbuf_putc(&out, '\n');
	} else if (!a->quiet) {
		text_quote(&out, name, strlen(name));
		strbuf_printf(&out, ": %s of data committed%s\n", text_size(r->copied, human, sizeof human),
			      r->emptied ? ", and the image holds none of its own now" : "; the image keeps its own");
	}
	return out_flush(&out);
}

static int commit(const struct commit_args *a, const char *name)
{
	CLEANUP(image_secretsp) struct dry_secrets *secrets = NULL;
	CLEANUP(image_optsp) struct dry_opts *opts = NULL;
	struct dry_commit how = { .name = name, .base = a->base, .keep = a->keep, .rate = a->rate,
				  .threads = (unsigned)a->threads };
	struct dry_commit_result result;
	struct dry_error e;
	struct dry_open open;
	struct progress p;
	int rc = image_how_to_open(&a->how, 0, &open, &opts, &secrets);

	if (rc != EXIT_DONE)
		return rc;
	how.open = &open;
	progress_begin(&p, (enum progress_mode)a->progress);
	how.progress = progress_watch(&p);
	rc = dry_commit(&how, &result, &e);
	progress_end(&p);
	if (rc == -(int)DRY_CANCELED)
		return progress_stopped();
	return rc < 0 ? cmd_fail(&e) : report(a, name, &result);
}

int cmd_commit(int argc, char **argv)
{
	CLEANUP(commit_args_free) struct commit_args a = { .progress = PROGRESS_AUTO };
	const struct usage u = { "commit", "[options] IMAGE", "Merges an image into the image that it lies over." };
	const struct opt opts[] = {
		IMAGE_OPT_FORMAT(&a.how),
		OPT_STRING('b', "base", "FILE", &a.base, "into this file of the backing chain (the next one); see -d"),
		OPT_FLAG('d', "keep", &a.keep, "the image keeps its data, as it does with a deeper base"),
		OPT_U64('m', "threads", "N", &a.threads, "threads that copy (as many as cores)"),
		OPT_SIZE('r', "rate", "RATE", &a.rate, "copy at most so many bytes a second"),
		OPT_STRING('t', "cache", "MODE", &a.how.cache, "cache mode of all files"),
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
		return cmd_usage("commit", "needs one image");
	if (a.threads > 64)
		return cmd_usage("commit", "--threads: at most 64");
	return commit(&a, argv[0]);
}
