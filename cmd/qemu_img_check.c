/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qemu_img_check.c - qemu-img check. */
#include "qemu_img.h"

#include "json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { OPT_OUTPUT = 256, OPT_OBJECT, OPT_IMAGE_OPTS };
enum { EXIT_CORRUPT = 2, EXIT_LEAKS = 3, EXIT_NO_CHECK = 63 };

/* What was repaired is told once more at the end, as the peer does it. */
struct repairs {
	struct strbuf lines;
};

static void repairs_free(struct repairs *r)
{
	strbuf_free(&r->lines);
}

static void tell(void *arg, const struct dry_finding *f)
{
	const char *how = f->fixed ? "Repairing" : "ERROR";
	struct repairs *r = arg;

	switch (f->kind) {
	case DRY_FINDING_REFCOUNT:
		for (uint64_t i = 0; i < f->nclusters; i++) {
			fprintf(stderr, "%s cluster %" PRIu64 " refcount=%" PRIu64 " reference=%" PRIu64 "\n",
				f->refcount > f->references ? "Leaked" : "ERROR", f->cluster + i, f->refcount, f->references);
			if (f->fixed)
				strbuf_printf(&r->lines, "Repairing cluster %" PRIu64 " refcount=%" PRIu64
					      " reference=%" PRIu64 "\n", f->cluster + i, f->refcount, f->references);
		}
		return;
	case DRY_FINDING_L1_COPIED:
	case DRY_FINDING_DATA_COPIED:
		fputs(r->lines.s, stderr);
		strbuf_reset(&r->lines);
		if (f->kind == DRY_FINDING_L1_COPIED)
			fprintf(stderr, "%s OFLAG_COPIED L2 cluster: l1_index=%" PRIu32 " l1_entry=%" PRIx64
				" refcount=%" PRIu64 "\n", how, f->l1_idx, f->entry, f->refcount);
		else
			fprintf(stderr, "%s OFLAG_COPIED data cluster: l2_entry=%" PRIx64 " refcount=%" PRIu64 "\n", how,
				f->entry, f->refcount);
		return;
	default:
		fprintf(stderr, "%s %s\n", how, f->text);
	}
}

static void print_human(const struct dry_check *r)
{
	if (!r->corruptions && !r->leaks && !r->check_errors)
		printf("No errors were found on the image.\n");
	if (r->corruptions)
		printf("\n%" PRIu64 " errors were found on the image.\n"
		       "Data may be corrupted, or further writes to the image may corrupt it.\n",
		       r->corruptions);
	if (r->leaks)
		printf("\n%" PRIu64 " leaked clusters were found on the image.\n"
		       "This means waste of disk space, but no harm to data.\n",
		       r->leaks);
	if (r->check_errors)
		printf("\n%" PRIu64 " internal errors have occurred during the check.\n", r->check_errors);
	if (r->total_clusters && r->allocated_clusters) {
		double allocated = (double)r->allocated_clusters;

		printf("%" PRIu64 "/%" PRIu64 " = %0.2f%% allocated, %0.2f%% fragmented, %0.2f%% compressed clusters\n",
		       r->allocated_clusters, r->total_clusters, allocated * 100.0 / (double)r->total_clusters,
		       (double)r->fragmented_clusters * 100.0 / allocated, (double)r->compressed_clusters * 100.0 / allocated);
	}
	if (r->image_end_offset)
		printf("Image end offset: %" PRIu64 "\n", r->image_end_offset);
}

/* The members in the order in which the peer happens to print them; those that are 0 are left out. */
static void print_json(const struct dry_check *r, const char *name, const char *format)
{
	CLEANUP(strbuf_free) struct strbuf b = STRBUF_INIT;
	struct json j = JSON_INIT(&b, true);

	json_object(&j, NULL);
	if (r->image_end_offset)
		json_u64(&j, "image-end-offset", r->image_end_offset);
	if (r->compressed_clusters)
		json_u64(&j, "compressed-clusters", r->compressed_clusters);
	if (r->total_clusters)
		json_u64(&j, "total-clusters", r->total_clusters);
	if (r->corruptions)
		json_u64(&j, "corruptions", r->corruptions);
	if (r->corruptions_fixed)
		json_u64(&j, "corruptions-fixed", r->corruptions_fixed);
	json_u64(&j, "check-errors", r->check_errors);
	if (r->leaks)
		json_u64(&j, "leaks", r->leaks);
	if (r->leaks_fixed)
		json_u64(&j, "leaks-fixed", r->leaks_fixed);
	if (r->allocated_clusters)
		json_u64(&j, "allocated-clusters", r->allocated_clusters);
	json_str(&j, "filename", name);
	json_str(&j, "format", format);
	if (r->fragmented_clusters)
		json_u64(&j, "fragmented-clusters", r->fragmented_clusters);
	json_object_end(&j);
	printf("%s\n", b.s);
}

static int status_of(const struct dry_check *r)
{
	if (r->corruptions)
		return EXIT_CORRUPT;
	if (r->leaks)
		return EXIT_LEAKS;
	return r->check_errors ? EXIT_FAILED : EXIT_DONE;
}

static int check(const struct qi_name *n, unsigned fix, enum dry_cache cache, enum qi_output output, bool quiet)
{
	CLEANUP(qi_image_closep) struct dry_image *img = NULL;
	CLEANUP(repairs_free) struct repairs repairs = { STRBUF_INIT };
	struct dry_error e = { 0 };
	struct dry_check r, again;
	struct dry_info info;
	int rc;

	if (!qi_open(n, DRY_OPEN_CHECK | (fix ? DRY_OPEN_WRITE | DRY_OPEN_RESIZE : 0), cache, NULL, &img))
		return EXIT_FAILED;
	rc = dry_image_check_detailed(img, fix, &r, tell, &repairs, &e);
	fputs(repairs.lines.s, stderr);
	strbuf_reset(&repairs.lines);
	if (rc == -(int)DRY_UNSUPPORTED) {
		qi_error("This image format does not support checks");
		return EXIT_NO_CHECK;
	}
	if (rc == 0 && (r.corruptions_fixed || r.leaks_fixed)) {
		if (output == QI_HUMAN && !quiet)
			printf("The following inconsistencies were found and repaired:\n\n"
			       "    %" PRIu64 " leaked clusters\n    %" PRIu64 " corruptions\n\n"
			       "Double checking the fixed image now...\n",
			       r.leaks_fixed, r.corruptions_fixed);
		rc = dry_image_check_detailed(img, 0, &again, tell, &repairs, &e);
		again.leaks_fixed = r.leaks_fixed;
		again.corruptions_fixed = r.corruptions_fixed;
		r = again;
	}
	if (rc == 0 && fix)
		rc = dry_image_finish(img, &e);
	if (rc == 0)
		rc = dry_image_info(img, &info, &e);
	if (rc < 0) {
		qi_error("Check failed: %s", qi_reason(&e));
		return EXIT_FAILED;
	}
	if (!quiet && output == QI_JSON)
		print_json(&r, n->name, info.format);
	else if (!quiet)
		print_human(&r);
	return status_of(&r);
}

int qemu_img_check(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "format", required_argument, NULL, 'f' },
		{ "repair", required_argument, NULL, 'r' },
		{ "output", required_argument, NULL, OPT_OUTPUT },
		{ "object", required_argument, NULL, OPT_OBJECT },
		{ "image-opts", no_argument, NULL, OPT_IMAGE_OPTS },
		{ "force-share", no_argument, NULL, 'U' },
		{ NULL, 0, NULL, 0 },
	};
	enum dry_cache cache = DRY_CACHE_WRITEBACK;
	const char *output_text = NULL, *cache_text = "writeback";
	CLEANUP(qi_name_free) struct qi_name n = { .name = NULL };
	enum qi_output output;
	bool quiet = false;
	unsigned fix = 0;
	int c;

	while ((c = getopt_long(argc, argv, ":hf:r:T:qU", longs, NULL)) != -1) {
		switch (c) {
		case 'h':
			return qi_help();
		case 'f':
			n.format = optarg;
			break;
		case 'r':
			if (strcmp(optarg, "leaks") == 0)
				fix = DRY_FIX_LEAKS;
			else if (strcmp(optarg, "all") == 0)
				fix = DRY_FIX_LEAKS | DRY_FIX_ERRORS;
			else
				return qi_usage("Unknown option value for -r (expecting 'leaks' or 'all'): %s", optarg);
			break;
		case 'T':
			cache_text = optarg;
			break;
		case 'q':
			quiet = true;
			break;
		case 'U':
			n.force_share = true;
			break;
		case OPT_OUTPUT:
			output_text = optarg;
			break;
		case OPT_OBJECT:
			if (!qi_object_option(optarg, &n.secrets))
				return EXIT_FAILED;
			break;
		case OPT_IMAGE_OPTS:
			n.image_opts = true;
			break;
		default:
			return qi_bad_option(c, argv);
		}
	}
	if (optind != argc - 1)
		return qi_usage("Expecting one image file name");
	n.name = argv[optind];
	if (!qi_output_option(output_text, &output) || !qi_cache_option("source cache", cache_text, &cache))
		return EXIT_FAILED;
	return check(&n, fix, cache, output, quiet);
}
