/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check.c - drydock check: is an image's metadata sound? */
#include "image.h"
#include "out.h"

#include "alloc.h"
#include "json.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>

/* As the peers exit. */
enum { CHECK_IMPOSSIBLE = 1, CHECK_CORRUPT = 2, CHECK_LEAKS = 3, CHECK_NO_FORMAT = 63 };

enum { REPAIR_NOTHING, REPAIR_LEAKS, REPAIR_ALL };
static const char *const repair_words[] = { "none", "leaks", "all", NULL };

struct check_args {
	struct image_how how;
	int repair;
	bool json, quiet;
};

static void check_args_free(struct check_args *a)
{
	image_how_free(&a->how);
}

/* Findings go out as they come; with JSON they are kept. */
struct findings {
	const struct check_args *args;
	struct strbuf json;
	bool some;
};

static void findings_free(struct findings *f)
{
	strbuf_free(&f->json);
}

static void on_finding(void *arg, bool fixed, const char *text)
{
	struct findings *f = arg;
	CLEANUP(strbuf_free) struct strbuf line = STRBUF_INIT;

	if (f->args->json) {
		struct json j = JSON_INIT(&f->json, false);

		strbuf_puts(&f->json, f->some ? ",\n        " : "\n        ");
		json_object(&j, NULL);
		json_str(&j, "text", text);
		json_bool(&j, "fixed", fixed);
		json_object_end(&j);
	} else if (!f->args->quiet) {
		text_quote(&line, text, strlen(text));
		printf("%s%s\n", fixed ? "repaired: " : "", line.s);
	}
	f->some = true;
}

static void add_counts(struct json *j, const struct dry_check *c)
{
	json_u64(j, "corruptions", c->corruptions);
	json_u64(j, "leaks", c->leaks);
	json_u64(j, "check_errors", c->check_errors);
	json_u64(j, "corruptions_fixed", c->corruptions_fixed);
	json_u64(j, "leaks_fixed", c->leaks_fixed);
	if (c->image_end_offset)
		json_u64(j, "image_end_offset", c->image_end_offset);
	if (!c->total_clusters)
		return;
	json_u64(j, "total_clusters", c->total_clusters);
	json_u64(j, "allocated_clusters", c->allocated_clusters);
	json_u64(j, "fragmented_clusters", c->fragmented_clusters);
	json_u64(j, "compressed_clusters", c->compressed_clusters);
}

static int print_json(const char *name, const struct dry_image *img, const struct dry_check *c, const struct findings *f)
{
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	CLEANUP(strbuf_free) struct strbuf list = STRBUF_INIT;
	struct json j = JSON_INIT(&out, true);
	struct dry_info info = { .format = "" };

	strbuf_printf(&list, "[%s%s]", f->json.s, f->some ? "\n    " : "");
	dry_image_info((struct dry_image *)img, &info, NULL);
	json_object(&j, NULL);
	json_str(&j, "image", name);
	json_str(&j, "format", info.format);
	add_counts(&j, c);
	json_raw(&j, "findings", list.s);
	json_object_end(&j);
	strbuf_putc(&out, '\n');
	return out_flush(&out);
}

static int print_summary(const struct dry_check *c)
{
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	uint64_t total = c->total_clusters, used = c->allocated_clusters;

	if (c->corruptions_fixed)
		strbuf_printf(&out, "%" PRIu64 " errors were repaired\n", c->corruptions_fixed);
	if (c->leaks_fixed)
		strbuf_printf(&out, "%" PRIu64 " leaked clusters were freed\n", c->leaks_fixed);
	if (c->corruptions)
		strbuf_printf(&out, "%" PRIu64 " errors: data may be damaged or lost\n", c->corruptions);
	if (c->leaks)
		strbuf_printf(&out, "%" PRIu64 " leaked clusters: room is wasted, nothing else\n", c->leaks);
	if (c->check_errors)
		strbuf_printf(&out, "%" PRIu64 " places could not be checked\n", c->check_errors);
	if (!c->corruptions && !c->leaks && !c->check_errors)
		strbuf_puts(&out, "no errors\n");
	if (total)
		strbuf_printf(&out,
			      "%" PRIu64 " of %" PRIu64 " clusters in use (%.2f %%), %.2f %% of them fragmented, "
			      "%.2f %% compressed\n",
			      used, total, (double)used * 100 / (double)total,
			      used ? (double)c->fragmented_clusters * 100 / (double)used : 0,
			      used ? (double)c->compressed_clusters * 100 / (double)used : 0);
	return out_flush(&out);
}

/* A repair is believed when a second look agrees. */
static int run_check(const struct check_args *a, struct dry_image *img, struct findings *f, struct dry_check *c,
		     struct dry_error *e)
{
	static const unsigned fixes[] = { 0, DRY_FIX_LEAKS, DRY_FIX_LEAKS | DRY_FIX_ERRORS };
	uint64_t errors_fixed, leaks_fixed;
	int rc = dry_image_check(img, fixes[a->repair], c, on_finding, f, e);

	if (rc < 0 || !a->repair)
		return rc;
	errors_fixed = c->corruptions_fixed;
	leaks_fixed = c->leaks_fixed;
	rc = dry_image_finish(img, e);
	if (rc == 0 && (errors_fixed || leaks_fixed)) {
		rc = dry_image_check(img, 0, c, NULL, NULL, e);
		c->corruptions_fixed = errors_fixed;
		c->leaks_fixed = leaks_fixed;
	}
	return rc;
}

static int check(const struct check_args *a, const char *name)
{
	CLEANUP(image_closep) struct dry_image *img = NULL;
	CLEANUP(findings_free) struct findings f = { .args = a, .json = STRBUF_INIT };
	struct dry_check c = { .corruptions = 0 };
	struct dry_error e;
	int status, rc;

	status = image_open(name, &a->how, DRY_OPEN_CHECK | DRY_OPEN_NO_BACKING | (a->repair ? DRY_OPEN_WRITE : 0), &img);
	if (status != EXIT_DONE)
		return CHECK_IMPOSSIBLE;
	rc = run_check(a, img, &f, &c, &e);
	if (rc < 0) {
		cmd_fail(&e);
		return rc == -(int)DRY_UNSUPPORTED ? CHECK_NO_FORMAT : CHECK_IMPOSSIBLE;
	}
	status = a->json ? print_json(name, img, &c, &f) : a->quiet ? EXIT_DONE : print_summary(&c);
	if (status != EXIT_DONE || c.check_errors)
		return CHECK_IMPOSSIBLE;
	return c.corruptions ? CHECK_CORRUPT : c.leaks ? CHECK_LEAKS : EXIT_DONE;
}

int cmd_check(int argc, char **argv)
{
	CLEANUP(check_args_free) struct check_args a = { .repair = REPAIR_NOTHING };
	const struct usage u = { "check", "[options] IMAGE", "Checks an image's metadata, and repairs it if asked." };
	const struct opt opts[] = {
		IMAGE_OPT_FORMAT(&a.how),
		OPT_CHOICE('r', "repair", "leaks|all", &a.repair, repair_words, "repair leaked clusters, or all that is found"),
		IMAGE_OPT_SHARE(&a.how),
		IMAGE_OPT_SECRETS(&a.how),
		IMAGE_OPT_ALLOW(&a.how),
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
	if (argc != 1)
		return cmd_usage("check", "needs an image");
	if (a.repair && a.how.force_share)
		return cmd_usage("check", "an image in use can be looked at (--force-share), not repaired");
	return check(&a, argv[0]);
}
