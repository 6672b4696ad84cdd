/* SPDX-License-Identifier: GPL-2.0-or-later */
/* info.c - drydock info: what an image is. */
#include "flatten.h"
#include "image.h"
#include "out.h"

#include "alloc.h"
#include "json.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

struct info_args {
	struct image_how how;
	bool chain, json;
};

static void info_args_free(struct info_args *a)
{
	image_how_free(&a->how);
}

/* Everything that is printed of one image; strings are lent by it. */
struct facts {
	struct dry_info info;
	const char *specific;
	const struct dry_snapshot *snapshots;
	size_t nsnapshots;
};

static int read_facts(struct dry_image *img, struct facts *f)
{
	struct dry_error e;

	if (dry_image_info(img, &f->info, &e) < 0 || dry_image_snapshots(img, &f->snapshots, &f->nsnapshots, &e) < 0)
		return cmd_fail(&e);
	f->specific = dry_image_specific(img);
	return EXIT_DONE;
}

/* ---- for people ---- */

static void date_text(const struct dry_snapshot *s, char *buf, size_t size)
{
	time_t t = s->date_sec;
	struct tm tm;

	if (!localtime_r(&t, &tm) || !strftime(buf, size, "%Y-%m-%d %H:%M:%S", &tm))
		snprintf(buf, size, "%" PRIu32, s->date_sec);
}

static void add_text(struct strbuf *out, const char *label, const char *value)
{
	strbuf_printf(out, "  %-22s", label);
	text_quote(out, value, strlen(value));
	strbuf_putc(out, '\n');
}

static void add_size(struct strbuf *out, const char *label, uint64_t bytes)
{
	char human[16];

	strbuf_printf(out, "  %-22s%s (%" PRIu64 " bytes)\n", label, text_size(bytes, human, sizeof human), bytes);
}

static void add_specific(void *arg, const char *path, const char *value)
{
	add_text(arg, path, value);
}

static void add_backing(struct strbuf *out, const struct dry_info *i)
{
	strbuf_printf(out, "  %-22s", "backing file");
	text_quote(out, i->backing_name, strlen(i->backing_name));
	if (i->backing_format) {
		strbuf_puts(out, " (");
		text_quote(out, i->backing_format, strlen(i->backing_format));
		strbuf_putc(out, ')');
	} else {
		strbuf_puts(out, " (no format recorded)");
	}
	strbuf_putc(out, '\n');
	if (i->backing_path && strcmp(i->backing_path, i->backing_name) != 0)
		add_text(out, "backing file's path", i->backing_path);
}

static int print_snapshots(const struct facts *f)
{
	CLEANUP(table_free) struct table t = TABLE_INIT("lllrr", "  SNAPSHOT", "NAME", "DATE", "VM STATE", "VM CLOCK");
	char date[32], human[16];

	for (size_t i = 0; i < f->nsnapshots; i++) {
		const struct dry_snapshot *s = &f->snapshots[i];
		uint64_t clock = s->vm_clock_nsec / 1000000000;
		CLEANUP(strbuf_free) struct strbuf id = STRBUF_INIT;

		strbuf_puts(&id, "  ");
		text_quote(&id, s->id, strlen(s->id));
		date_text(s, date, sizeof date);
		table_add(&t, id.s);
		table_add_guest(&t, s->name);
		table_add(&t, date);
		table_add(&t, text_size(s->vm_state_size, human, sizeof human));
		table_addf(&t, "%" PRIu64 ":%02d:%02d", clock / 3600, (int)(clock / 60 % 60), (int)(clock % 60));
	}
	return f->nsnapshots ? table_print(&t, TABLE_TITLES) : EXIT_DONE;
}

static int print_facts(const struct facts *f)
{
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	const struct dry_info *i = &f->info;
	int status;

	text_quote(&out, i->name, strlen(i->name));
	strbuf_putc(&out, '\n');
	add_text(&out, "format", i->format);
	if (i->guessed)
		strbuf_puts(&out, "                        (no format was given, and nothing in it names one)\n");
	add_size(&out, "disk", i->size);
	if (i->allocated != UINT64_MAX)
		add_size(&out, "on the host", i->allocated);
	if (i->cluster_size)
		add_size(&out, "cluster", i->cluster_size);
	if (i->backing_name)
		add_backing(&out, i);
	if (i->dirty)
		strbuf_printf(&out, "  %-22syes: it was not closed in order, \"drydock check\" tells more\n", "dirty");
	if (i->encrypted)
		add_text(&out, "encrypted", "yes");
	if (f->specific)
		flatten_json(f->specific, add_specific, &out);
	status = out_flush(&out);
	return status == EXIT_DONE ? print_snapshots(f) : status;
}

/* ---- JSON ---- */

static void json_snapshots(struct json *j, const struct facts *f)
{
	json_array(j, "snapshots");
	for (size_t i = 0; i < f->nsnapshots; i++) {
		const struct dry_snapshot *s = &f->snapshots[i];

		json_object(j, NULL);
		json_str(j, "id", s->id);
		json_str(j, "name", s->name);
		json_u64(j, "disk_size", s->disk_size);
		json_u64(j, "vm_state_size", s->vm_state_size);
		json_u64(j, "date_sec", s->date_sec);
		json_u64(j, "date_nsec", s->date_nsec);
		json_u64(j, "vm_clock_nsec", s->vm_clock_nsec);
		if (s->icount != UINT64_MAX)
			json_u64(j, "icount", s->icount);
		json_object_end(j);
	}
	json_array_end(j);
}

static void json_facts(struct json *j, const struct facts *f, unsigned depth)
{
	const struct dry_info *i = &f->info;

	json_object(j, NULL);
	json_str(j, "image", i->name);
	json_u64(j, "depth", depth);
	json_str(j, "format", i->format);
	json_bool(j, "guessed", i->guessed);
	json_u64(j, "size", i->size);
	if (i->allocated != UINT64_MAX)
		json_u64(j, "allocated", i->allocated);
	if (i->cluster_size)
		json_u64(j, "cluster_size", i->cluster_size);
	json_bool(j, "dirty", i->dirty);
	json_bool(j, "encrypted", i->encrypted);
	if (i->backing_name) {
		json_object(j, "backing");
		json_str(j, "name", i->backing_name);
		if (i->backing_format)
			json_str(j, "format", i->backing_format);
		if (i->backing_path)
			json_str(j, "path", i->backing_path);
		json_object_end(j);
	}
	if (f->specific)
		json_raw(j, "specific", f->specific);
	json_snapshots(j, f);
	json_object_end(j);
}

/* ---- the command ---- */

/* One image, and with --backing-chain those behind it. */
static int info_image(const struct info_args *a, const char *name, struct json *j, bool first)
{
	CLEANUP(image_closep) struct dry_image *img = NULL;
	unsigned depth = 0;
	unsigned facts = DRY_OPEN_SHARE_WRITE | DRY_OPEN_FACTS;
	int status = image_open(name, &a->how, facts | (a->chain ? 0 : DRY_OPEN_NO_BACKING), &img);

	/* Ends: a chain that was opened is finite. */
	for (struct dry_image *at = img; status == EXIT_DONE && at; at = dry_image_backing(at), depth++) {
		struct facts f;

		status = read_facts(at, &f);
		if (status != EXIT_DONE)
			break;
		if (a->json) {
			json_facts(j, &f, depth);
			continue;
		}
		if (!first || depth)
			putchar('\n');
		status = print_facts(&f);
	}
	return status;
}

static int info(const struct info_args *a, char *const names[], int n)
{
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	struct json j = JSON_INIT(&out, true);
	int status = EXIT_DONE;

	json_object(&j, NULL);
	json_array(&j, "images");
	for (int i = 0; i < n; i++) {
		int one = info_image(a, names[i], &j, i == 0);

		if (one != EXIT_DONE) /* the others are told all the same */
			status = one;
	}
	json_array_end(&j);
	json_object_end(&j);
	strbuf_putc(&out, '\n');
	if (a->json && out_flush(&out) != EXIT_DONE)
		return EXIT_FAILED;
	return status;
}

int cmd_info(int argc, char **argv)
{
	CLEANUP(info_args_free) struct info_args a = { .chain = false };
	const struct usage u = { "info", "[options] IMAGE...", "Tells what an image is." };
	const struct opt opts[] = {
		IMAGE_OPT_FORMAT(&a.how),
		OPT_FLAG(0, "backing-chain", &a.chain, "also all the images behind it"),
		IMAGE_OPT_SHARE(&a.how),
		IMAGE_OPT_SECRETS(&a.how),
		IMAGE_OPT_ALLOW(&a.how),
		OPT_FLAG(0, "json", &a.json, "print JSON"),
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
	if (!argc)
		return cmd_usage("info", "no image is named");
	return info(&a, argv, argc);
}
