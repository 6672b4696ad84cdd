/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qemu_img_amend.c - qemu-img amend. */
#include "qemu_img.h"

#include <stdio.h>
#include <string.h>

enum { OPT_OBJECT = 256, OPT_IMAGE_OPTS, OPT_FORCE };

/* What an image of the format is now, as far as it matters here. */
struct now {
	bool v2, data_file, encrypted, snapshots;
	uint64_t refcount_bits;
};

static void look(struct dry_image *img, const struct dry_info *info, struct now *now)
{
	const struct dry_snapshot *list;
	const char *text = dry_image_specific(img), *bits = text ? strstr(text, "\"refcount-bits\"") : NULL;
	size_t n = 0;

	*now = (struct now){ .refcount_bits = 16, .encrypted = info->encrypted };
	if (!text)
		return;
	now->v2 = strstr(text, "\"compat\":\"0.10\"") || strstr(text, "\"compat\": \"0.10\"");
	now->data_file = strstr(text, "\"data-file\"");
	if (bits)
		now->refcount_bits = strtoull(bits + strcspn(bits, "0123456789"), NULL, 10);
	/* Version 2 has no room for what such a snapshot needs. */
	if (dry_image_snapshots(img, &list, &n, NULL) == 0)
		for (size_t i = 0; i < n; i++)
			now->snapshots |= list[i].vm_state_size || list[i].disk_size != dry_image_size(img);
}

static bool is_on(const char *v)
{
	return v && (strcmp(v, "on") == 0 || strcmp(v, "yes") == 0 || strcmp(v, "true") == 0 || strcmp(v, "y") == 0);
}

static bool wants_encryption(const struct dry_opts *o)
{
	const char *key, *value;

	for (size_t i = 0; dry_opts_at(o, i, &key, &value); i++)
		if (strncmp(key, "encrypt.", 8) == 0)
			return true;
	return false;
}

/* What qcow2 finds wrong with the options, the peer's sentence, in the order in which the peer asks; false: nothing. */
static bool qcow2_problem(struct strbuf *why, const struct dry_opts *o, const struct now *now)
{
	const char *compat = dry_opts_get(o, "compat"), *bits_text = dry_opts_get(o, "refcount_bits");
	const char *size_text = dry_opts_get(o, "size");
	uint64_t bits = bits_text ? strtoull(bits_text, NULL, 10) : now->refcount_bits;
	uint64_t size = size_text ? strtoull(size_text, NULL, 10) : 0;
	bool to_v2 = compat && (strcmp(compat, "0.10") == 0 || strcmp(compat, "v2") == 0);
	bool to_v3 = compat && (strcmp(compat, "1.1") == 0 || strcmp(compat, "v3") == 0);
	bool v2 = to_v2 || (now->v2 && !to_v3);

	if (compat && *compat && !to_v2 && !to_v3) {
		strbuf_printf(why, "Unknown compatibility level %s", compat);
		return true;
	}
	if (compat && !*compat)
		strbuf_puts(why, "Unknown compatibility level ");
	else if (wants_encryption(o) && !now->encrypted)
		strbuf_puts(why, "Can't amend encryption options - encryption not present");
	else if (bits_text && (bits == 0 || bits > 64 || (bits & (bits - 1))))
		strbuf_puts(why, "Refcount width must be a power of two and may not exceed 64 bits");
	else if (dry_opts_get(o, "data_file") && *dry_opts_get(o, "data_file") && !now->data_file)
		strbuf_puts(why, "data-file can only be set for images that use an external data file");
	else if (is_on(dry_opts_get(o, "data_file_raw")))
		strbuf_puts(why, "data-file-raw cannot be set on existing images");
	else if (bits_text && bits != 16 && v2)
		strbuf_puts(why, "Refcount widths other than 16 bits require compatibility level 1.1 or above (use compat=1.1 "
				 "or greater)");
	else if (dry_opts_get(o, "backing_file") || dry_opts_get(o, "backing_fmt"))
		strbuf_puts(why, "Cannot amend the backing file\nYou can use 'qemu-img rebase' instead.");
	else if (is_on(dry_opts_get(o, "lazy_refcounts")) && v2)
		strbuf_puts(why, "Lazy refcounts only supported with compatibility level 1.1 and above (use compat=1.1 or "
				 "greater)");
	else if (size_text && size % 512)
		strbuf_puts(why, "The new size must be a multiple of 512");
	else if (to_v2 && !now->v2 && now->snapshots)
		strbuf_puts(why, "Internal snapshots prevent downgrade of image");
	else if (to_v2 && !now->v2 && bits != 16)
		strbuf_puts(why, "compat=0.10 requires refcount_bits=16");
	return why->len;
}

/* A count that does not fit into fewer bits: says which, if that is what is wrong. */
static bool tell_refcount(const struct dry_error *e, const struct dry_info *info, const char *bits)
{
	const char *at = strstr(e->msg, "cluster ");
	unsigned long long cluster, count;

	if (!bits || !at || sscanf(at, "cluster %llu is referenced %llu times", &cluster, &count) != 2)
		return false;
	qi_error("Cannot decrease refcount entry width to %s bits: Cluster at offset 0x%llx has a refcount of %llu", bits,
		 cluster * info->cluster_size, count);
	return true;
}

static int change(struct dry_image *img, const struct dry_info *info, const struct dry_amend *how)
{
	CLEANUP(strbuf_free) struct strbuf why = STRBUF_INIT;
	struct dry_error e = { 0 };
	struct now now;

	look(img, info, &now);
	if (strcmp(info->format, "qcow2") == 0 && qcow2_problem(&why, how->opts, &now)) {
		qi_error("%s", why.s);
		return EXIT_FAILED;
	}
	if (dry_image_amend(img, how, &e) == 0 && dry_image_finish(img, &e) == 0)
		return EXIT_DONE;
	if (tell_refcount(&e, info, dry_opts_get(how->opts, "refcount_bits")))
		return EXIT_FAILED;
	if (strstr(e.msg, "prevent downgrade"))
		qi_error("Internal snapshots prevent downgrade of image");
	else if (e.code == DRY_LIMIT)
		qi_error("Failed to grow the L1 table: File too large");
	else
		qi_error("%s", qi_reason(&e));
	return EXIT_FAILED;
}

static int amend(const struct qi_name *n, const char *options, const char *cache_text, bool force, struct qi_progress *p)
{
	CLEANUP(qi_image_closep) struct dry_image *img = NULL;
	CLEANUP(qi_opts_freep) struct dry_opts *opts = dry_opts_new();
	CLEANUP(strbuf_free) struct strbuf why = STRBUF_INIT;
	const struct dry_amend how = { .opts = opts, .secrets = n->secrets, .force = force,
				       .progress = { qi_progress_run, p } };
	struct dry_create_opt any;
	struct dry_error e = { 0 };
	enum dry_cache cache;
	struct dry_info info;
	int status;

	if (!opts || !qi_cache_option("cache", cache_text, &cache) ||
	    !qi_open(n, DRY_OPEN_WRITE | DRY_OPEN_RESIZE, cache, NULL, &img))
		return EXIT_FAILED;
	if (dry_image_info(img, &info, &e) < 0) {
		qi_error("%s", qi_reason(&e));
		return EXIT_FAILED;
	}
	if (qi_wants_help(options))
		return qi_print_amend(info.format);
	if (!dry_amend_opt(info.format, 0, &any)) {
		qi_error("Format driver '%s' does not support option amendment", info.format);
		return EXIT_FAILED;
	}
	if (!qi_parse_amend(opts, info.format, options, &why)) {
		qi_error("%s", why.s);
		return EXIT_FAILED;
	}
	qi_progress_run(p, 0, 1);
	status = change(img, &info, &how);
	if (status == EXIT_DONE)
		qi_progress_run(p, 1, 1);
	return status;
}

int qemu_img_amend(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "object", required_argument, NULL, OPT_OBJECT },
		{ "image-opts", no_argument, NULL, OPT_IMAGE_OPTS },
		{ "force", no_argument, NULL, OPT_FORCE },
		{ NULL, 0, NULL, 0 },
	};
	CLEANUP(qi_name_free) struct qi_name n = { .name = NULL };
	CLEANUP(strbuf_free) struct strbuf options = STRBUF_INIT;
	bool shows = false, quiet = false, force = false;
	const char *cache_text = "writeback";
	struct qi_progress p;
	int c, status;

	while ((c = getopt_long(argc, argv, ":ho:f:t:pq", longs, NULL)) != -1) {
		switch (c) {
		case 'h':
			return qi_help();
		case 'o':
			if (!qi_add_options(&options, optarg))
				return EXIT_FAILED;
			break;
		case 'f':
			n.format = optarg;
			break;
		case 't':
			cache_text = optarg;
			break;
		case 'p':
			shows = true;
			break;
		case 'q':
			quiet = true;
			break;
		case OPT_OBJECT:
			if (!qi_object_option(optarg, &n.secrets))
				return EXIT_FAILED;
			break;
		case OPT_IMAGE_OPTS:
			n.image_opts = true;
			break;
		case OPT_FORCE:
			force = true;
			break;
		default:
			return qi_bad_option(c, argv);
		}
	}
	if (!options.len)
		return qi_usage("Must specify options (-o)");
	n.name = optind == argc - 1 ? argv[optind] : NULL;
	if (n.format && qi_wants_help(options.s))
		return qi_print_amend(n.format);
	if (!n.name) {
		qi_error("Expecting one image file name");
		return EXIT_FAILED;
	}
	qi_progress_begin(&p, shows && !quiet, 1);
	status = amend(&n, options.s, cache_text, force, &p);
	qi_progress_end(&p);
	return status;
}
