/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qemu_img_bitmap.c - qemu-img bitmap. */
#include "qemu_img.h"

#include <errno.h>
#include <string.h>

enum { OPT_OBJECT = 256, OPT_IMAGE_OPTS, OPT_ADD, OPT_REMOVE, OPT_CLEAR, OPT_ENABLE, OPT_DISABLE, OPT_MERGE };
#define MIN_GRANULARITY 512
#define MAX_GRANULARITY (1ULL << 31)
#define MAX_NAME 1023

struct action {
	int what; /* OPT_ADD ... */
	const char *from; /* OPT_MERGE */
};

struct request {
	struct qi_name n, source;
	const char *bitmap;
	struct action *actions;
	size_t nactions;
	bool adds, merges, has_granularity;
	uint64_t granularity;
	struct dry_image *img, *from;
};

static const char *word(int what)
{
	switch (what) {
	case OPT_ADD:
		return "add";
	case OPT_REMOVE:
		return "remove";
	case OPT_CLEAR:
		return "clear";
	case OPT_ENABLE:
		return "enable";
	case OPT_DISABLE:
		return "disable";
	default:
		return "merge";
	}
}

enum found { FOUND_NONE, FOUND_SOUND, FOUND_INCONSISTENT };

static enum found find(struct dry_image *img, const char *name)
{
	const struct dry_bitmap *list = NULL;
	size_t n = 0;

	dry_image_bitmaps(img, &list, &n, NULL);
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i].name, name) == 0)
			return list[i].inconsistent ? FOUND_INCONSISTENT : FOUND_SOUND;
	return FOUND_NONE;
}

/* Why a new bitmap cannot be, in the order in which the peer asks. */
static bool add_problem(struct strbuf *why, const struct request *r)
{
	uint64_t g = r->granularity;

	if (!*r->bitmap)
		strbuf_puts(why, "Bitmap name cannot be empty");
	else if (r->has_granularity && (g < MIN_GRANULARITY || g > MAX_GRANULARITY || (g & (g - 1))))
		strbuf_printf(why, "Granularity must be power of 2 and at least %d", MIN_GRANULARITY);
	else if (strlen(r->bitmap) > MAX_NAME)
		strbuf_printf(why, "Can't make bitmap '%s' persistent in '%s': Name length exceeds maximum (%d characters)",
			      r->bitmap, r->n.name, MAX_NAME);
	else if (find(r->img, r->bitmap) != FOUND_NONE)
		strbuf_printf(why, "Bitmap already exists: %s", r->bitmap);
	return why->len;
}

static bool use_problem(struct strbuf *why, struct dry_image *img, const char *name, bool remove)
{
	enum found f = find(img, name);

	if (f == FOUND_NONE)
		strbuf_printf(why, "Dirty bitmap '%s' not found", name);
	else if (f == FOUND_INCONSISTENT && !remove)
		strbuf_printf(why,
			      "Bitmap '%s' is inconsistent and cannot be used\n"
			      "Try block-dirty-bitmap-remove to delete this bitmap from disk",
			      name);
	return why->len;
}

/* The same for an action in whole. */
static bool action_problem(struct strbuf *why, const struct request *r, const struct action *a)
{
	if (a->what == OPT_ADD)
		return add_problem(why, r);
	return use_problem(why, r->img, r->bitmap, a->what == OPT_REMOVE) ||
	       (a->what == OPT_MERGE && use_problem(why, r->from ? r->from : r->img, a->from, false));
}

static int apply(const struct request *r, const struct action *a, struct dry_error *e)
{
	switch (a->what) {
	case OPT_ADD:
		return dry_image_bitmap_add(r->img, r->bitmap, r->granularity, false, e);
	case OPT_REMOVE:
		return dry_image_bitmap_remove(r->img, r->bitmap, e);
	case OPT_CLEAR:
		return dry_image_bitmap_clear(r->img, r->bitmap, e);
	case OPT_ENABLE:
		return dry_image_bitmap_enable(r->img, r->bitmap, true, e);
	case OPT_DISABLE:
		return dry_image_bitmap_enable(r->img, r->bitmap, false, e);
	default:
		return dry_image_bitmap_merge(r->img, r->bitmap, r->from ? r->from : r->img, a->from, e);
	}
}

static bool is_qcow2(struct dry_image *img)
{
	struct dry_info info;

	return dry_image_info(img, &info, NULL) == 0 && strcmp(info.format, "qcow2") == 0;
}

static int run(struct request *r)
{
	CLEANUP(strbuf_free) struct strbuf why = STRBUF_INIT;
	struct dry_error e = { 0 };
	int status = EXIT_DONE;

	if (!qi_open(&r->n, DRY_OPEN_WRITE, DRY_CACHE_WRITEBACK, NULL, &r->img) ||
	    (r->source.name && !qi_open(&r->source, 0, DRY_CACHE_WRITEBACK, NULL, &r->from)))
		return EXIT_FAILED;
	for (size_t i = 0; status == EXIT_DONE && i < r->nactions; i++) {
		const struct action *a = &r->actions[i];

		if (!action_problem(&why, r, a) && apply(r, a, &e) < 0) {
			if (e.code == DRY_UNSUPPORTED && is_qcow2(r->img))
				strbuf_printf(&why, "Can't make bitmap '%s' persistent in '%s': Cannot store dirty bitmaps in "
						    "qcow2 v2 files", r->bitmap, r->n.name);
			else if (e.code == DRY_UNSUPPORTED)
				strbuf_printf(&why, "Can't store persistent bitmaps to %s: %s", r->n.name, strerror(ENOTSUP));
			else
				strbuf_puts(&why, qi_reason(&e));
		}
		if (why.len) {
			qi_error("Operation %s on bitmap %s failed: %s", word(a->what), r->bitmap, why.s);
			status = EXIT_FAILED;
		}
	}
	/* What went well before a failure stays. */
	if (dry_image_finish(r->img, &e) < 0) {
		qi_error("%s", qi_reason(&e));
		status = EXIT_FAILED;
	}
	return status;
}

static bool add_action(struct request *r, int what, const char *from)
{
	struct action *grown = alloc_resize(r->actions, r->nactions + 1, sizeof *grown);

	if (!grown) {
		qi_error("%s", strerror(ENOMEM));
		return false;
	}
	r->actions = grown;
	r->actions[r->nactions++] = (struct action){ what, from };
	r->adds = r->adds || what == OPT_ADD;
	r->merges = r->merges || what == OPT_MERGE;
	return true;
}

static void request_free(struct request *r)
{
	dry_image_close(r->from);
	dry_image_close(r->img);
	free(r->actions);
	dry_secrets_free(r->n.secrets);
}

/* What options do not go together; NULL: they do. */
static const char *contradiction(const struct request *r, int operands)
{
	if (!r->nactions)
		return "Need at least one of --add, --remove, --clear, --enable, --disable, or --merge";
	if (operands != 2)
		return "Expecting filename and bitmap name";
	if (r->has_granularity && !r->adds)
		return "granularity only supported with --add";
	if (r->source.format && !r->source.name)
		return "-F only supported with -b";
	if (r->source.name && !r->merges)
		return "Merge bitmap source file only supported with --merge";
	return NULL;
}

int qemu_img_bitmap(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "object", required_argument, NULL, OPT_OBJECT },
		{ "image-opts", no_argument, NULL, OPT_IMAGE_OPTS },
		{ "add", no_argument, NULL, OPT_ADD },
		{ "remove", no_argument, NULL, OPT_REMOVE },
		{ "clear", no_argument, NULL, OPT_CLEAR },
		{ "enable", no_argument, NULL, OPT_ENABLE },
		{ "disable", no_argument, NULL, OPT_DISABLE },
		{ "merge", required_argument, NULL, OPT_MERGE },
		{ NULL, 0, NULL, 0 },
	};
	CLEANUP(request_free) struct request r = { .bitmap = NULL };
	const char *no;
	int c;

	while ((c = getopt_long(argc, argv, ":b:f:F:g:h", longs, NULL)) != -1) {
		switch (c) {
		case 'h':
			return qi_help();
		case 'b':
			r.source.name = optarg;
			break;
		case 'f':
			r.n.format = optarg;
			break;
		case 'F':
			r.source.format = optarg;
			break;
		case 'g':
			if (!qi_size_option("granularity", optarg, &r.granularity))
				return EXIT_FAILED;
			r.has_granularity = r.granularity; /* 0 is the default */
			break;
		case OPT_ADD:
		case OPT_REMOVE:
		case OPT_CLEAR:
		case OPT_ENABLE:
		case OPT_DISABLE:
		case OPT_MERGE:
			if (!add_action(&r, c, optarg))
				return EXIT_FAILED;
			break;
		case OPT_OBJECT:
			if (!qi_object_option(optarg, &r.n.secrets))
				return EXIT_FAILED;
			break;
		case OPT_IMAGE_OPTS:
			r.n.image_opts = true;
			break;
		default:
			return qi_bad_option(c, argv);
		}
	}
	no = contradiction(&r, argc - optind);
	if (no) {
		qi_error("%s", no);
		return EXIT_FAILED;
	}
	r.n.name = argv[optind];
	r.bitmap = argv[optind + 1];
	r.source.secrets = r.n.secrets;
	return run(&r);
}
