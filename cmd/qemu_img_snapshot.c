/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qemu_img_snapshot.c - qemu-img snapshot. */
#include "qemu_img.h"

#include <errno.h>
#include <string.h>

enum { OPT_OBJECT = 256, OPT_IMAGE_OPTS };

/* The number and the words for an error that the peer tells as an errno. */
static int errno_of(const struct dry_error *e)
{
	switch (e->code) {
	case DRY_SYSTEM:
		return e->sys_errno;
	case DRY_NOMEM:
		return ENOMEM;
	case DRY_UNSUPPORTED:
		return ENOTSUP;
	case DRY_NOT_FOUND:
		return ENOENT;
	case DRY_LIMIT:
		return EFBIG;
	case DRY_CORRUPT:
		return EIO;
	default:
		return EINVAL;
	}
}

static int list(struct dry_image *img)
{
	const struct dry_snapshot *items;
	size_t n;

	if (dry_image_snapshots(img, &items, &n, NULL) == 0)
		qi_print_snapshots(items, n);
	return EXIT_DONE;
}

static int create(struct dry_image *img, const char *name)
{
	struct dry_error e = { 0 };

	if (dry_image_snapshot_create(img, name, &e) == 0 && dry_image_finish(img, &e) == 0)
		return EXIT_DONE;
	qi_error("Could not create snapshot '%s': %d (%s)", name, -errno_of(&e), strerror(errno_of(&e)));
	return EXIT_FAILED;
}

static int apply(struct dry_image *img, const char *name)
{
	struct dry_error e = { 0 };

	if (dry_image_snapshot_apply(img, name, &e) == 0 && dry_image_finish(img, &e) == 0)
		return EXIT_DONE;
	if (e.code == DRY_UNSUPPORTED)
		qi_error("Could not apply snapshot '%s': Block driver does not support snapshots", name);
	else
		qi_error("Could not apply snapshot '%s': Failed to load snapshot: %s", name, strerror(errno_of(&e)));
	return EXIT_FAILED;
}

/* Only names count here. */
static int delete(struct dry_image *img, const char *name)
{
	const struct dry_snapshot *items = NULL;
	struct dry_error e = { 0 };
	size_t n = 0, i = 0;

	if (dry_image_snapshots(img, &items, &n, &e) == 0)
		while (i < n && strcmp(items[i].name, name) != 0)
			i++;
	if (i == n) {
		qi_error("Could not delete snapshot '%s': snapshot not found", name);
		return EXIT_FAILED;
	}
	CLEANUP(free_ptr) char *id = alloc_strdup(items[i].id);

	if (id && dry_image_snapshot_delete(img, id, &e) == 0 && dry_image_finish(img, &e) == 0)
		return EXIT_DONE;
	qi_error("Could not delete snapshot '%s': %s", name, strerror(id ? errno_of(&e) : ENOMEM));
	return EXIT_FAILED;
}

int qemu_img_snapshot(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "object", required_argument, NULL, OPT_OBJECT },
		{ "image-opts", no_argument, NULL, OPT_IMAGE_OPTS },
		{ "force-share", no_argument, NULL, 'U' },
		{ NULL, 0, NULL, 0 },
	};
	CLEANUP(qi_name_free) struct qi_name n = { .name = NULL };
	CLEANUP(qi_image_closep) struct dry_image *img = NULL;
	const char *name = NULL;
	int c, action = 0;

	while ((c = getopt_long(argc, argv, ":la:c:d:hqU", longs, NULL)) != -1) {
		switch (c) {
		case 'h':
			return qi_help();
		case 'l':
		case 'a':
		case 'c':
		case 'd':
			if (action)
				return qi_usage("Cannot mix '-l', '-a', '-c', '-d'");
			action = c;
			name = optarg;
			break;
		case 'q': /* there is nothing to be quiet about */
			break;
		case 'U':
			n.force_share = true;
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
	if (!qi_open(&n, action == 'l' ? 0 : DRY_OPEN_WRITE | DRY_OPEN_RESIZE, DRY_CACHE_WRITEBACK, NULL, &img))
		return EXIT_FAILED;
	switch (action) {
	case 'l':
		return list(img);
	case 'a':
		return apply(img, name);
	case 'c':
		return create(img, name);
	case 'd':
		return delete(img, name);
	default:
		return EXIT_DONE;
	}
}
