/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diff.c - drydock diff: how two guests differ, or one at two times. */
#include "diff.h"

#include "alloc.h"
#include "out.h"

#include <stdio.h>

static void diff_free(struct diff *d)
{
	for (int i = 0; i < 2; i++)
		opt_list_free(&d->mounts[i]);
	opt_list_free(&d->second);
	guest_set_free(&d->set);
	guest_opts_free(&d->guest);
	strbuf_free(&d->text);
}

int diff_flush(struct diff *d)
{
	if (d->text.len < 64 * 1024 && !d->text.failed)
		return 0;
	return out_flush(&d->text) == EXIT_DONE ? 0 : DIFF_TROUBLE;
}

/* ---- the two guests ---- */

static int add_side(struct diff *d, const struct opt_list *images, const char *snapshot)
{
	CLEANUP(free_ptr) const char **formats = alloc_array(images->n, sizeof *formats);

	if (!formats) {
		cmd_warn("out of memory");
		return EXIT_FAILED;
	}
	for (size_t i = 0; i < images->n; i++)
		formats[i] = d->guest.image.format;
	if (guest_set_add(&d->set, images->items, formats, images->n))
		return EXIT_FAILED;
	d->set.guests[d->set.nguests - 1].snapshot = snapshot;
	return 0;
}

/* What the operands and -a, -A name. */
static int add_sides(struct diff *d, int argc, char **argv)
{
	const char *names[2] = { argc > 0 ? argv[0] : NULL, argc > 1 ? argv[1] : NULL };
	struct opt_list first = d->guest.images, second = d->second; /* lent */
	const bool two_views = d->snapshots[0] || d->snapshots[1] || d->mounts[0].n || d->mounts[1].n;

	if (first.n && argc)
		return cmd_usage("diff", "name the images with -a and -A, or without any of both");
	if (!first.n && second.n)
		return cmd_usage("diff", "-A needs -a, which names the first guest's images");
	if (argc > 2)
		return cmd_usage("diff", "compares two guests; -a and -A name further disks of them");
	if (!first.n) {
		first = (struct opt_list){ &names[0], argc > 0 };
		second = (struct opt_list){ &names[1], argc > 1 };
	}
	if (!first.n)
		return cmd_usage("diff", "name two images, or one and what of it is to be compared");
	if (!second.n) {
		if (!two_views)
			return cmd_usage("diff",
					 "name two images, or two views of one with --from, --to, --from-mount, --to-mount");
		second = first;
	}
	if (add_side(d, &first, d->snapshots[0]) || add_side(d, &second, d->snapshots[1]))
		return DIFF_TROUBLE;
	return 0;
}

static int mount_side(struct diff *d, int i)
{
	struct guest_ref *ref = &d->set.guests[i];
	const struct opt_list *own = &d->mounts[i], *both = &d->guest.mounts;
	struct dry_error e = { .code = DRY_OK };
	int rc = 0;

	for (size_t k = 0; k < own->n && rc >= 0; k++)
		rc = guest_mount_given(ref->guest, own->items[k], &e);
	for (size_t k = 0; k < both->n && rc >= 0; k++)
		rc = guest_mount_given(ref->guest, both->items[k], &e);
	if (!own->n && !both->n)
		rc = dry_guest_mount_auto(ref->guest, true, &e);
	guest_notes(&d->guest, ref);
	if (rc < 0)
		guest_fail(ref, &e);
	return rc < 0 ? DIFF_TROUBLE : 0;
}

static int open_sides(struct diff *d)
{
	const struct guest_confine confine = { .write_dir = -1, .seconds = 3600 };
	bool fatal;

	for (int i = 0; i < 2; i++)
		for (size_t k = 0; k < d->mounts[i].n; k++)
			if (guest_mount_check(d->mounts[i].items[k]))
				return DIFF_TROUBLE;
	if (guest_set_open(&d->guest, &confine, &d->set, &fatal) || fatal)
		return DIFF_TROUBLE;
	return mount_side(d, 0) || mount_side(d, 1) ? DIFF_TROUBLE : 0;
}

/* ---- */

static void json_sides(struct diff *d)
{
	static const char *const keys[2] = { "from", "to" };

	for (int i = 0; i < 2; i++) {
		json_object(&d->j, keys[i]);
		json_str(&d->j, "image", d->set.guests[i].label);
		if (d->set.guests[i].snapshot)
			json_str(&d->j, "snapshot", d->set.guests[i].snapshot);
		json_object_end(&d->j);
	}
}

/* asked: the registry was named. */
static int compare(struct diff *d, bool asked)
{
	int rc = 0;

	if (d->json) {
		json_object(&d->j, NULL);
		json_sides(d);
	}
	if (d->files)
		rc = diff_files(d);
	if (!rc && d->packages && !(d->quiet && d->ndifferences))
		rc = diff_packages(d);
	if (!rc && d->registry && !(d->quiet && d->ndifferences))
		rc = diff_registry(d, asked);
	if (d->json && !rc) {
		json_bool(&d->j, "same", !d->ndifferences && !d->trouble);
		json_object_end(&d->j);
		strbuf_putc(&d->text, '\n');
	}
	if (!d->quiet && out_flush(&d->text) != EXIT_DONE)
		rc = DIFF_TROUBLE;
	return rc || d->trouble ? DIFF_TROUBLE : d->ndifferences ? DIFF_DIFFERENT : DIFF_SAME;
}

int cmd_diff(int argc, char **argv)
{
	CLEANUP(diff_free) struct diff d = { .text = STRBUF_INIT };
	const struct usage u = { "diff", "[options] IMAGE [IMAGE]", "Tells how two guests differ." };
	const struct opt opts[] = {
		GUEST_OPTS(&d.guest),
		OPT_LIST('A', "add-second", "IMAGE", &d.second, "a disk of the second guest; repeat it for more disks"),
		OPT_STRING(0, "from", "SNAP", &d.snapshots[0], "compare this internal snapshot of the first, by id or name"),
		OPT_STRING(0, "to", "SNAP", &d.snapshots[1], "and this one of the second, or of the only one"),
		GUEST_OPT_MOUNT(&d.guest),
		OPT_LIST(0, "from-mount", "DEV[:DIR[:OPTS[:TYPE]]]", &d.mounts[0], "as -m, for the first"),
		OPT_LIST(0, "to-mount", "DEV[:DIR[:OPTS[:TYPE]]]", &d.mounts[1], "as -m, for the second"),
		OPT_FLAG(0, "files", &d.files, "compare files only"),
		OPT_FLAG(0, "packages", &d.packages, "compare packages only"),
		OPT_FLAG(0, "registry", &d.registry, "compare the registry of Windows only"),
		OPT_FLAG('t', "times", &d.times, "compare when files and keys were modified, too"),
		OPT_FLAG(0, "json", &d.json, "print JSON"),
		OPT_FLAG('q', "quiet", &d.quiet, "print errors only"),
		OPT_END,
	};
	bool asked;
	int rc;

	d.j = (struct json)JSON_INIT(&d.text, true);
	switch (opts_parse(&u, opts, &argc, &argv)) {
	case OPTS_DONE:
		return EXIT_DONE;
	case OPTS_BAD:
		return EXIT_USAGE;
	case OPTS_OK:
		break;
	}
	asked = d.registry;
	if (!d.files && !d.packages && !asked)
		d.files = d.packages = d.registry = true;
	rc = add_sides(&d, argc, argv);
	if (!rc)
		rc = open_sides(&d);
	return rc ? rc : compare(&d, asked);
}
