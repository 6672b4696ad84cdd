/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qemu_img_info.c - qemu-img info. */
#include "qemu_img.h"

#include "json.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { OPT_OUTPUT = 256, OPT_CHAIN, OPT_OBJECT, OPT_IMAGE_OPTS };

/* One image's facts, as long as it is open. */
struct facts {
	struct dry_image *img;
	struct dry_info info;
	const struct dry_snapshot *snapshots;
	size_t nsnapshots;
};

/* ---- for people ---- */

/* "hours:minutes:seconds.milliseconds" of a VM's clock. */
static void print_clock(uint64_t nsec)
{
	uint64_t s = nsec / 1000000000;
	char text[48];

	snprintf(text, sizeof text, "%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64 ".%03" PRIu64, s / 3600, s / 60 % 60, s % 60,
		 nsec / 1000000 % 1000);
	printf("%13s", text);
}

static void print_snapshot(const struct dry_snapshot *s)
{
	time_t when = s->date_sec;
	char date[32] = "", size[24], icount[24] = "";
	struct tm tm;

	if (localtime_r(&when, &tm))
		strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S", &tm);
	text_size(s->vm_state_size, size, sizeof size);
	if (s->icount != UINT64_MAX)
		snprintf(icount, sizeof icount, "%" PRIu64, s->icount);
	printf("%-9s %-16s %8s%20s", s->id, s->name, size, date);
	print_clock(s->vm_clock_nsec);
	printf("%11s\n", icount);
}

void qi_print_snapshots(const struct dry_snapshot *list, size_t n)
{
	if (n)
		printf("Snapshot list:\n%-9s %-16s %8s%20s%13s%11s\n", "ID", "TAG", "VM SIZE", "DATE", "VM CLOCK",
		       "ICOUNT");
	for (size_t i = 0; i < n; i++)
		print_snapshot(&list[i]);
}

static void print_facts(const struct facts *f)
{
	const struct dry_info *i = &f->info;
	const char *specific = dry_image_specific(f->img);
	CLEANUP(strbuf_free) struct strbuf b = STRBUF_INIT;
	char size[24], disk[24];

	printf("image: %s\n", i->name);
	printf("file format: %s\n", i->format);
	printf("virtual size: %s (%" PRIu64 " bytes)\n", text_size(qi_disk_size(f->img), size, sizeof size),
	       qi_disk_size(f->img));
	printf("disk size: %s\n", i->allocated == UINT64_MAX ? "unavailable" : text_size(i->allocated, disk, sizeof disk));
	if (i->encrypted)
		printf("encrypted: yes\n");
	if (i->cluster_size)
		printf("cluster_size: %" PRIu64 "\n", i->cluster_size);
	if (i->dirty)
		printf("cleanly shut down: no\n");
	if (i->backing_name) {
		printf("backing file: %s", i->backing_name);
		if (!i->backing_path)
			printf(" (cannot determine actual path)");
		else if (strcmp(i->backing_path, i->backing_name) != 0)
			printf(" (actual path: %s)", i->backing_path);
		printf("\n");
		if (i->backing_format)
			printf("backing file format: %s\n", i->backing_format);
	}
	qi_print_snapshots(f->snapshots, f->nsnapshots);
	if (specific) {
		qi_json_human(&b, specific, 0);
		printf("Format specific information:\n%s", b.s);
	}
}

/* ---- JSON: the members in the order in which the peer happens to print them ---- */

static void json_snapshots(struct json *j, const struct facts *f)
{
	json_array(j, "snapshots");
	for (size_t n = 0; n < f->nsnapshots; n++) {
		const struct dry_snapshot *s = &f->snapshots[n];

		json_object(j, NULL);
		if (s->icount != UINT64_MAX)
			json_u64(j, "icount", s->icount);
		json_u64(j, "vm-clock-nsec", s->vm_clock_nsec % 1000000000);
		json_str(j, "name", s->name);
		json_u64(j, "date-sec", s->date_sec);
		json_u64(j, "date-nsec", s->date_nsec);
		json_u64(j, "vm-clock-sec", s->vm_clock_nsec / 1000000000);
		json_str(j, "id", s->id);
		json_u64(j, "vm-state-size", s->vm_state_size);
		json_object_end(j);
	}
	json_array_end(j);
}

static void json_facts(struct json *j, const struct facts *f)
{
	const struct dry_info *i = &f->info;
	const char *specific = dry_image_specific(f->img);

	json_object(j, NULL);
	if (f->nsnapshots)
		json_snapshots(j, f);
	if (i->backing_name && i->backing_format)
		json_str(j, "backing-filename-format", i->backing_format);
	json_u64(j, "virtual-size", qi_disk_size(f->img));
	json_str(j, "filename", i->name);
	if (i->cluster_size)
		json_u64(j, "cluster-size", i->cluster_size);
	json_str(j, "format", i->format);
	if (i->allocated != UINT64_MAX)
		json_u64(j, "actual-size", i->allocated);
	if (specific) {
		CLEANUP(strbuf_free) struct strbuf b = STRBUF_INIT;

		qi_json_pretty(&b, specific, j->depth + 1);
		json_object(j, "format-specific");
		json_str(j, "type", i->format);
		json_raw(j, "data", b.s);
		json_object_end(j);
	}
	if (i->backing_path)
		json_str(j, "full-backing-filename", i->backing_path);
	if (i->encrypted)
		json_bool(j, "encrypted", true);
	if (i->backing_name)
		json_str(j, "backing-filename", i->backing_name);
	json_bool(j, "dirty-flag", i->dirty);
	json_object_end(j);
}

/* ---- the chain ---- */

static bool ask(struct facts *f)
{
	struct dry_error e = { 0 };
	struct dry_info file;

	if (dry_image_info(f->img, &f->info, &e) < 0 ||
	    dry_image_snapshots(f->img, &f->snapshots, &f->nsnapshots, &e) < 0) {
		qi_error("%s", qi_reason(&e));
		return false;
	}
	/* Without what an external data file takes. */
	if (dry_image_file(f->img) && dry_image_info(dry_image_file(f->img), &file, NULL) == 0)
		f->info.allocated = file.allocated;
	return true;
}

static bool seen(const struct facts *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i].info.name, name) == 0)
			return true;
	return false;
}

/* Opens the image, and with `chain` all below it, one by one; ends because a name that comes again is an error. */
static bool collect(struct qi_name n, bool chain, struct facts **list, size_t *count)
{
	for (;;) {
		struct facts *more = alloc_resize(*list, *count + 1, sizeof *more), *f;

		if (!more) {
			qi_error("out of memory");
			return false;
		}
		*list = more;
		if (seen(more, *count, n.name)) {
			qi_error("Backing file '%s' creates an infinite loop.", n.name);
			return false;
		}
		f = &more[*count];
		*f = (struct facts){ .img = NULL };
		if (!qi_open(&n, DRY_OPEN_NO_BACKING | DRY_OPEN_FACTS, DRY_CACHE_WRITEBACK, NULL, &f->img))
			return false;
		++*count;
		if (!ask(f))
			return false;
		if (!chain || !f->info.backing_name)
			return true;
		if (!f->info.backing_path) {
			qi_error("Could not determine the backing file name");
			return false;
		}
		n = (struct qi_name){ .secrets = n.secrets, .name = f->info.backing_path, .format = f->info.backing_format,
				      .force_share = n.force_share };
	}
}

static void print_all(const struct facts *list, size_t n, bool chain, enum qi_output output)
{
	CLEANUP(strbuf_free) struct strbuf b = STRBUF_INIT;
	struct json j = JSON_INIT(&b, true);

	if (output == QI_HUMAN) {
		for (size_t i = 0; i < n; i++) {
			if (i)
				printf("\n");
			print_facts(&list[i]);
		}
		return;
	}
	if (chain)
		json_array(&j, NULL);
	for (size_t i = 0; i < n; i++)
		json_facts(&j, &list[i]);
	if (chain)
		json_array_end(&j);
	printf("%s\n", b.s);
}

int qemu_img_info(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "format", required_argument, NULL, 'f' },
		{ "output", required_argument, NULL, OPT_OUTPUT },
		{ "backing-chain", no_argument, NULL, OPT_CHAIN },
		{ "object", required_argument, NULL, OPT_OBJECT },
		{ "image-opts", no_argument, NULL, OPT_IMAGE_OPTS },
		{ "force-share", no_argument, NULL, 'U' },
		{ NULL, 0, NULL, 0 },
	};
	CLEANUP(qi_name_free) struct qi_name n = { .name = NULL };
	const char *output_text = NULL;
	struct facts *list = NULL;
	enum qi_output output;
	bool chain = false, ok;
	size_t count = 0;
	int c;

	while ((c = getopt_long(argc, argv, ":hf:U", longs, NULL)) != -1) {
		switch (c) {
		case 'h':
			return qi_help();
		case 'f':
			n.format = optarg;
			break;
		case 'U':
			n.force_share = true;
			break;
		case OPT_OUTPUT:
			output_text = optarg;
			break;
		case OPT_CHAIN:
			chain = true;
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
	if (!qi_output_option(output_text, &output))
		return EXIT_FAILED;
	ok = collect(n, chain, &list, &count);
	if (ok)
		print_all(list, count, chain, output);
	for (size_t i = 0; i < count; i++)
		dry_image_close(list[i].img);
	free(list);
	return ok ? EXIT_DONE : EXIT_FAILED;
}
