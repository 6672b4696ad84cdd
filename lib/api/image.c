/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* image.c - opening images, and their facts. */
#include "image.h"

#include "stream.h"

#include "json.h"

_Static_assert((int)DRY_OPEN_WRITE == (int)BLOCK_WRITE && (int)DRY_OPEN_RESIZE == (int)BLOCK_RESIZE &&
		       (int)DRY_OPEN_NO_BACKING == (int)BLOCK_NO_BACKING &&
		       (int)DRY_OPEN_FORCE_SHARE == (int)BLOCK_FORCE_SHARE,
	       "these flags are passed on as they are");

unsigned image_open_flags(const struct dry_open *how)
{
	/* A temporary overlay takes the writes in the image's place. */
	unsigned asked = how->flags & DRY_OPEN_TEMPORARY ? how->flags & ~(unsigned)(DRY_OPEN_WRITE | DRY_OPEN_RESIZE) : how->flags;
	unsigned same = DRY_OPEN_WRITE | DRY_OPEN_RESIZE | DRY_OPEN_NO_BACKING | DRY_OPEN_FORCE_SHARE;

	return (asked & same) | (how->flags & DRY_OPEN_CHECK ? BLOCK_CHECK : 0) |
	       (how->flags & DRY_OPEN_GUESS_WRITE ? BLOCK_GUESS_WRITE : 0) |
	       (how->flags & DRY_OPEN_FACTS ? BLOCK_FACTS : 0) |
	       (how->flags & DRY_OPEN_SHARE_WRITE ? BLOCK_SHARE_WRITE : 0) | image_cache_flags(how->cache);
}

int image_new(struct block *block, struct dry_image **out, struct err *e)
{
	struct dry_image *img = alloc_zero(sizeof *img);

	if (!img) {
		block_unref(block);
		return err_nomem(e);
	}
	img->block = block;
	*out = img;
	return 0;
}

/* Puts the filter over *block that the caller asked for. */
static int wrap(struct block **block, unsigned flags, struct err *e)
{
	struct block *over = NULL;
	int rc = 0;

	if (flags & DRY_OPEN_TEMPORARY)
		rc = block_overlay(*block, &over, e);
	else if (flags & DRY_OPEN_COPY_ON_READ)
		rc = block_copy_on_reads(*block, &over, e);
	if (rc == 0 && over) {
		block_unref(*block);
		*block = over;
	}
	return rc;
}

/* By name, or (NULL) what comes through fd. */
static int open_name_or_fd(const char *name, int fd, const struct dry_open *how, struct dry_image **out, struct err *e)
{
	static const struct dry_open defaults = { .format = NULL };
	CLEANUP(block_unrefp) struct block *block = NULL;
	struct block_policy policy;
	int rc;

	*out = NULL;
	if (!how)
		how = &defaults;
	policy = image_policy(&how->policy);
	struct block_open open = {
		.format = how->format, .opts = image_dict(how->opts), .flags = image_open_flags(how), .policy = &policy,
		.secrets = image_secrets(how->secrets), .notice = how->notice, .notice_arg = how->notice_arg
	};
	rc = fd < 0 ? block_open(name, &open, &block, e) : block_stream_open(fd, &open, &block, e);
	if (rc == 0 && how->snapshot)
		rc = block_snapshot_load(block, how->snapshot, e);
	if (rc == 0)
		rc = wrap(&block, how->flags, e);
	if (rc == 0)
		rc = image_new(take(block), out, e);
	if (rc == 0)
		(*out)->snapshot = how->snapshot;
	return rc;
}

int dry_image_open(const char *name, const struct dry_open *how, struct dry_image **out, struct dry_error *error)
{
	API_ERR(e, error);

	return open_name_or_fd(name, -1, how, out, e);
}

int dry_image_open_stream(int fd, const struct dry_open *how, struct dry_image **out, struct dry_error *error)
{
	API_ERR(e, error);

	return open_name_or_fd(NULL, fd, how, out, e);
}

void image_forget_lists(struct dry_image *img)
{
	block_snapshots_free(&img->snapshots);
	free(take(img->snapshot_list));
	block_bitmaps_free(&img->bitmaps);
	free(take(img->bitmap_list));
}

void dry_image_close(struct dry_image *img)
{
	/* Ends: handles are made downwards, along a tree of finite depth. */
	if (!img)
		return;
	dry_image_close(img->backing);
	dry_image_close(img->file);
	block_unref(img->block);
	image_forget_lists(img);
	free(img->backing_path);
	free(img->specific);
	free(img);
}

int dry_image_finish(struct dry_image *img, struct dry_error *error)
{
	API_ERR(e, error);

	return block_finish(img->block, e);
}

/* ---- facts ---- */

uint64_t dry_image_size(const struct dry_image *img)
{
	return block_size(img->block);
}

int dry_image_info(struct dry_image *img, struct dry_info *out, struct dry_error *error)
{
	API_ERR(e, error);
	struct block *b = img->block;
	struct block_info info;
	int rc = block_info(b, &info, e);

	if (rc < 0)
		return rc;
	if (block_backing_name(b) && !img->backing_path) {
		img->backing_path = block_backing_path(b, e);
		if (!img->backing_path)
			return -(int)DRY_NOMEM;
	}
	*out = (struct dry_info){
		.name = block_name(b),
		.format = block_format(b),
		.guessed = block_guessed(b),
		.writable = block_writable(b),
		.size = block_size(b),
		.allocated = block_allocated(b),
		.cluster_size = info.cluster_size,
		.dirty = info.dirty,
		.encrypted = info.encrypted,
		.vm_state_off = info.vm_state_off,
		.backing_name = block_backing_name(b),
		.backing_format = block_backing_format(b),
		.backing_path = img->backing_path,
	};
	return 0;
}

const char *dry_image_specific(struct dry_image *img)
{
	struct strbuf text = STRBUF_INIT;
	struct json j = JSON_INIT(&text, false);
	bool some;

	free(take(img->specific));
	json_object(&j, NULL);
	some = block_info_specific(img->block, &j);
	json_object_end(&j);
	if (some)
		img->specific = strbuf_detach(&text);
	strbuf_free(&text);
	return img->specific;
}

/* The handle of another node of the tree, made when it is first asked for. */
static struct dry_image *image_child(struct dry_image **slot, struct block *block)
{
	if (!*slot && block)
		image_new(block_ref(block), slot, NULL);
	return *slot;
}

struct dry_image *dry_image_backing(struct dry_image *img)
{
	return image_child(&img->backing, block_backing(img->block));
}

struct dry_image *dry_image_file(struct dry_image *img)
{
	return image_child(&img->file, block_file(img->block));
}

static int read_snapshots(struct dry_image *img, struct err *e)
{
	struct block_snapshots list = { NULL, 0 };
	int rc = block_snapshots(img->block, &list, e);

	if (rc < 0 || !list.n)
		return rc;
	img->snapshot_list = alloc_array(list.n, sizeof *img->snapshot_list);
	if (!img->snapshot_list) {
		block_snapshots_free(&list);
		return err_nomem(e);
	}
	for (size_t i = 0; i < list.n; i++) {
		const struct block_snapshot *s = &list.items[i];

		img->snapshot_list[i] = (struct dry_snapshot){
			.id = s->id,
			.name = s->name,
			.vm_state_size = s->vm_state_size,
			.disk_size = s->disk_size,
			.date_sec = s->date_sec,
			.date_nsec = s->date_nsec,
			.vm_clock_nsec = s->vm_clock_nsec,
			.icount = s->icount,
		};
	}
	img->snapshots = list;
	return 0;
}

int dry_image_snapshots(struct dry_image *img, const struct dry_snapshot **out, size_t *n, struct dry_error *error)
{
	API_ERR(e, error);
	int rc = img->snapshot_list ? 0 : read_snapshots(img, e);

	if (rc == -(int)ERR_UNSUPPORTED) {
		err_clear(e);
		rc = 0;
	}
	*out = img->snapshot_list;
	*n = img->snapshots.n;
	return rc;
}
