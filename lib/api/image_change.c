/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* image_change.c - changing an image as a whole: snapshots, bitmaps, options of its format, its backing file's name. */
#include "image.h"

#include <time.h>

/* ---- snapshots ---- */

int dry_image_snapshot_create(struct dry_image *img, const char *name, struct dry_error *error)
{
	API_ERR(e, error);
	CLEANUP(free_ptr) char *copy = alloc_strdup(name);
	struct block_snapshot what = { .name = copy };
	struct timespec now;

	if (!copy)
		return err_nomem(e);
	clock_gettime(CLOCK_REALTIME, &now);
	what.date_sec = (uint32_t)now.tv_sec;
	what.date_nsec = (uint32_t)now.tv_nsec;
	image_forget_lists(img);
	return block_snapshot_create(img->block, &what, e);
}

int dry_image_snapshot_apply(struct dry_image *img, const char *id_or_name, struct dry_error *error)
{
	API_ERR(e, error);

	image_forget_lists(img);
	return block_snapshot_apply(img->block, id_or_name, e);
}

int dry_image_snapshot_delete(struct dry_image *img, const char *id_or_name, struct dry_error *error)
{
	API_ERR(e, error);

	image_forget_lists(img);
	return block_snapshot_delete(img->block, id_or_name, e);
}

/* ---- bitmaps ---- */

static int read_bitmaps(struct dry_image *img, struct err *e)
{
	int rc = block_bitmaps(img->block, &img->bitmaps, e);

	if (rc < 0)
		return rc;
	img->bitmap_list = alloc_array(MAX_OF(img->bitmaps.n, (size_t)1), sizeof *img->bitmap_list);
	if (!img->bitmap_list) {
		block_bitmaps_free(&img->bitmaps);
		return err_nomem(e);
	}
	for (size_t i = 0; i < img->bitmaps.n; i++) {
		const struct block_bitmap *b = &img->bitmaps.items[i];

		img->bitmap_list[i] = (struct dry_bitmap){
			.name = b->name,
			.granularity = b->granularity,
			.enabled = b->enabled,
			.inconsistent = b->inconsistent,
			.dirty = b->dirty,
		};
	}
	return 0;
}

int dry_image_bitmaps(struct dry_image *img, const struct dry_bitmap **out, size_t *n, struct dry_error *error)
{
	API_ERR(e, error);
	int rc;

	block_bitmaps_free(&img->bitmaps);
	free(take(img->bitmap_list));
	rc = read_bitmaps(img, e);
	if (rc == -(int)ERR_UNSUPPORTED) {
		err_clear(e);
		rc = 0;
	}
	*out = img->bitmap_list;
	*n = img->bitmaps.n;
	return rc;
}

int dry_image_bitmap_add(struct dry_image *img, const char *name, uint64_t granularity, bool disabled,
			 struct dry_error *error)
{
	API_ERR(e, error);

	return block_bitmap_add(img->block, name, granularity, disabled, e);
}

int dry_image_bitmap_remove(struct dry_image *img, const char *name, struct dry_error *error)
{
	API_ERR(e, error);

	return block_bitmap_remove(img->block, name, e);
}

int dry_image_bitmap_clear(struct dry_image *img, const char *name, struct dry_error *error)
{
	API_ERR(e, error);

	return block_bitmap_clear(img->block, name, e);
}

int dry_image_bitmap_enable(struct dry_image *img, const char *name, bool enable, struct dry_error *error)
{
	API_ERR(e, error);

	return block_bitmap_enable(img->block, name, enable, e);
}

int dry_image_bitmap_merge(struct dry_image *img, const char *name, struct dry_image *src, const char *src_name,
			   struct dry_error *error)
{
	API_ERR(e, error);

	return block_bitmap_merge(img->block, name, src->block, src_name, e);
}

/* ---- settings ---- */

static void relay_progress(void *arg, uint64_t done, uint64_t total)
{
	const struct dry_progress *p = arg;

	if (p->run)
		p->run(p->arg, done, total);
}

int dry_image_amend(struct dry_image *img, const struct dry_amend *how, struct dry_error *error)
{
	API_ERR(e, error);
	static const struct dict none = DICT_INIT;
	struct dry_progress progress = how->progress;
	const struct block_amend_how amend = {
		.secrets = image_secrets(how->secrets), .force = how->force, .progress = relay_progress, .arg = &progress
	};

	return block_amend_with(img->block, how->opts ? &how->opts->dict : &none, &amend, e);
}

int dry_image_change_backing(struct dry_image *img, const char *name, const char *format, struct dry_error *error)
{
	API_ERR(e, error);

	free(take(img->backing_path));
	return block_change_backing(img->block, name, format, e);
}

int dry_image_window(struct dry_image *over, uint64_t off, uint64_t size, struct dry_image **out, struct dry_error *error)
{
	API_ERR(e, error);
	struct block *window = NULL;
	int rc = block_window(over->block, off, size, &window, e);

	*out = NULL;
	return rc < 0 ? rc : image_new(window, out, e);
}
