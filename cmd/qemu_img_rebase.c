/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qemu_img_rebase.c - qemu-img rebase. */
#include "qemu_img.h"

#include <errno.h>
#include <string.h>

enum { OPT_OBJECT = 256, OPT_IMAGE_OPTS };

struct request {
	struct qi_name n;
	const char *backing, *format, *cache_text, *source_cache_text;
	enum dry_cache cache, source_cache;
	bool unsafe, force_share;
};

/* The path of a backing file that an image of this name would have. */
static char *path_beside(const char *image, const char *name)
{
	CLEANUP(free_ptr) char *host = qi_host_path(image);
	const char *slash = host ? strrchr(host, '/') : NULL;

	if (*name == '/' || !slash || strncmp(name, "json:", 5) == 0)
		return alloc_strdup(name);
	return alloc_printf("%.*s/%s", (int)(slash - host), host, name);
}

/* Is the new backing file there and sound?  Says what is wrong. */
static bool backing_opens(const struct request *r)
{
	CLEANUP(qi_image_closep) struct dry_image *img = NULL;
	CLEANUP(strbuf_free) struct strbuf why = STRBUF_INIT;
	CLEANUP(free_ptr) char *path = path_beside(r->n.name, r->backing);
	struct dry_open how = { .format = r->format, .flags = r->force_share ? DRY_OPEN_FORCE_SHARE : 0,
				.cache = r->source_cache, .policy.trust = DRY_TRUST_ANY, .secrets = r->n.secrets };
	struct dry_error e = { 0 };

	if (path && dry_image_open(path, &how, &img, &e) == 0)
		return true;
	qi_why_not(&why, path ? path : r->backing, r->format, how.flags, &e);
	qi_error("Could not open new backing file '%s': %s", r->backing, why.s);
	return false;
}

static void tell_change(const struct request *r, const struct dry_error *e)
{
	const char *why = e->code == DRY_UNSUPPORTED			 ? strerror(ENOTSUP)
			  : e->code == DRY_USAGE || e->code == DRY_LIMIT ? strerror(EINVAL)
									 : qi_reason(e);

	if (r->backing && *r->backing && !r->format)
		why = "backing format must be specified";
	qi_error("Could not change the backing file to '%s': %s", r->backing ? r->backing : "(null)", why);
}

static void tell_failure(const struct request *r, const struct dry_rebase_result *result, const struct dry_error *e)
{
	switch (result->stage) {
	case DRY_REBASE_MAP:
		qi_error("error while reading image metadata: %s", qi_io_reason(e));
		return;
	case DRY_REBASE_READ_OLD:
		qi_error("error while reading from old backing file");
		return;
	case DRY_REBASE_READ_NEW:
		qi_error("error while reading from new backing file");
		return;
	case DRY_REBASE_WRITE:
		qi_error("Error while writing to COW image: %s", qi_io_reason(e));
		return;
	case DRY_REBASE_CHANGE:
		tell_change(r, e);
		return;
	default:
		qi_error("%s", qi_reason(e));
	}
}

static int rebase(struct request *r, struct qi_progress *p)
{
	CLEANUP(qi_image_closep) struct dry_image *img = NULL;
	unsigned flags = DRY_OPEN_WRITE | (r->unsafe ? DRY_OPEN_NO_BACKING : 0);
	bool some = r->backing && *r->backing;
	struct dry_rebase how = { .backing = some ? r->backing : NULL, .format = some ? r->format : NULL,
				  .unsafe = r->unsafe, .force_share = r->force_share, .policy.trust = DRY_TRUST_ANY,
				  .secrets = r->n.secrets };
	struct dry_rebase_result result;
	struct dry_error e = { 0 };

	if (!qi_cache_option("cache", r->cache_text, &r->cache) ||
	    !qi_cache_option("source cache", r->source_cache_text, &r->source_cache) ||
	    !qi_open(&r->n, flags, r->cache, NULL, &img))
		return EXIT_FAILED;
	if (r->format && !dry_format_known(r->format)) {
		qi_error("Invalid format name: '%s'", r->format);
		return EXIT_FAILED;
	}
	if (some && !r->unsafe && !backing_opens(r))
		return EXIT_FAILED;
	if (some && !r->format) {
		tell_change(r, &e);
		return EXIT_FAILED;
	}
	how.image = img;
	how.cache = r->source_cache;
	how.progress = (struct dry_progress){ qi_progress_run, p };
	if (dry_rebase(&how, &result, &e) == 0) {
		qi_progress_run(p, 1, 1);
		return EXIT_DONE;
	}
	tell_failure(r, &result, &e);
	return EXIT_FAILED;
}

int qemu_img_rebase(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "object", required_argument, NULL, OPT_OBJECT },
		{ "image-opts", no_argument, NULL, OPT_IMAGE_OPTS },
		{ "force-share", no_argument, NULL, 'U' },
		{ NULL, 0, NULL, 0 },
	};
	CLEANUP(qi_secrets_freep) struct dry_secrets *secrets = NULL;
	struct request r = { .cache_text = "writeback", .source_cache_text = "writeback" };
	bool shows = false, quiet = false;
	struct qi_progress p;
	int c, status;

	while ((c = getopt_long(argc, argv, ":hf:F:b:upt:T:qU", longs, NULL)) != -1) {
		switch (c) {
		case 'h':
			return qi_help();
		case 'f':
			r.n.format = optarg;
			break;
		case 'F':
			r.format = optarg;
			break;
		case 'b':
			r.backing = optarg;
			break;
		case 'u':
			r.unsafe = true;
			break;
		case 'p':
			shows = true;
			break;
		case 't':
			r.cache_text = optarg;
			break;
		case 'T':
			r.source_cache_text = optarg;
			break;
		case 'q':
			quiet = true;
			break;
		case 'U':
			r.force_share = true;
			break;
		case OPT_OBJECT:
			if (!qi_object_option(optarg, &secrets))
				return EXIT_FAILED;
			break;
		case OPT_IMAGE_OPTS:
			r.n.image_opts = true;
			break;
		default:
			return qi_bad_option(c, argv);
		}
	}
	if (optind != argc - 1)
		return qi_usage("Expecting one image file name");
	if (!r.unsafe && !r.backing)
		return qi_usage("Must specify backing file (-b) or use unsafe mode (-u)");
	r.n.name = argv[optind];
	r.n.secrets = secrets;
	qi_progress_begin(&p, shows && !quiet, 1);
	status = rebase(&r, &p);
	qi_progress_end(&p);
	return status;
}
