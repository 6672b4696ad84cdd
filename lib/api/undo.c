/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* undo.c - taking back a change of a guest. */
#include "image.h"
#include "redo.h"

struct images {
	struct block **items;
	size_t n;
};

static void images_free(struct images *l)
{
	for (size_t i = 0; i < l->n; i++)
		block_unref(l->items[i]);
	free(l->items);
}

static size_t ndisks(const struct redo_undo *u)
{
	const char *path, *format;
	size_t n = 0;

	while (redo_undo_disk(u, n, &path, &format))
		n++;
	return n;
}

static int open_images(const struct dry_undo *how, const struct redo_undo *u, struct images *l, struct err *e)
{
	static const struct dry_open defaults = { .format = NULL };
	const struct dry_open *given = how->open ? how->open : &defaults;
	struct block_policy policy = image_policy(&given->policy);
	size_t n = ndisks(u);

	l->items = alloc_array(n, sizeof *l->items);
	if (!l->items)
		return err_nomem(e);
	for (; l->n < n; l->n++) {
		struct block_open open = {
			.opts = image_dict(given->opts), .flags = image_open_flags(given) | BLOCK_WRITE, .policy = &policy,
			.secrets = image_secrets(given->secrets), .notice = given->notice, .notice_arg = given->notice_arg,
		};
		const char *path;
		int rc;

		redo_undo_disk(u, l->n, &path, &open.format);
		rc = block_open(how->images ? how->images[l->n] : path, &open, &l->items[l->n], e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int relay(void *arg, uint64_t done, uint64_t total)
{
	const struct dry_progress *p = arg;

	return p->run ? p->run(p->arg, done, total) : 0;
}

int dry_undo(const struct dry_undo *how, struct dry_undo_result *out, struct dry_error *error)
{
	API_ERR(e, error);
	CLEANUP(redo_undo_freep) struct redo_undo *u = NULL;
	CLEANUP(images_free) struct images images = { NULL, 0 };
	struct dry_progress progress = how->progress;
	const struct redo_how commit = { .progress = relay, .arg = &progress };
	struct redo_result result = { .bytes = 0 };
	int rc = redo_undo_open(how->file, &u, e);

	if (rc < 0)
		return rc;
	if (how->images && how->nimages != ndisks(u))
		return err_set(e, ERR_USAGE, "%s: the change was of %zu images, and %zu are given", how->file, ndisks(u),
			       how->nimages);
	if (!how->images && !redo_undo_is_ours(u))
		return err_set(e, ERR_POLICY, "%s: others could have written it, so what images it names is not trusted; name them",
			       how->file);
	rc = open_images(how, u, &images, e);
	if (rc == 0)
		rc = redo_undo_run(u, images.items, images.n, &commit, &result, e);
	if (rc == 0 && out)
		*out = (struct dry_undo_result){ images.n, result.bytes };
	return rc;
}
