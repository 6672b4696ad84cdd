/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* image_io.c - an image's bytes, where they are, and whether its metadata is sound. */
#include "image.h"

_Static_assert((int)DRY_ZERO_UNMAP == (int)BLOCK_ZERO_UNMAP && (int)DRY_ZERO_FAST == (int)BLOCK_ZERO_FAST &&
		       (int)DRY_EXTENT_DATA == (int)EXTENT_DATA && (int)DRY_EXTENT_ZERO == (int)EXTENT_ZERO &&
		       (int)DRY_EXTENT_ALLOC == (int)EXTENT_ALLOC &&
		       (int)DRY_EXTENT_COMPRESSED == (int)EXTENT_COMPRESSED &&
		       (int)DRY_EXTENT_HOST == (int)EXTENT_PLAIN && (int)DRY_EXTENT_EOF == (int)EXTENT_EOF &&
		       (int)DRY_FIX_LEAKS == (int)CHECK_FIX_LEAKS && (int)DRY_FIX_ERRORS == (int)CHECK_FIX_ERRORS &&
		       (int)DRY_PREALLOC_FULL == (int)PREALLOC_FULL,
	       "these flags are passed on as they are");

int dry_image_read(struct dry_image *img, void *buf, size_t len, uint64_t off, struct dry_error *error)
{
	API_ERR(e, error);

	return block_pread(img->block, buf, len, off, e);
}

int dry_image_write(struct dry_image *img, const void *buf, size_t len, uint64_t off, struct dry_error *error)
{
	API_ERR(e, error);

	return block_pwrite(img->block, buf, len, off, e);
}

int dry_image_write_compressed(struct dry_image *img, const void *buf, size_t len, uint64_t off, struct dry_error *error)
{
	API_ERR(e, error);
	struct block_info info;
	int rc = block_info(img->block, &info, e);

	if (rc < 0)
		return rc;
	if (!info.cluster_size)
		return err_set(e, ERR_UNSUPPORTED, "%s: %s images have no compressed clusters", block_name(img->block),
			       block_format(img->block));
	if (off % info.cluster_size || (len % info.cluster_size && off + len != block_size(img->block)))
		return err_set(e, ERR_USAGE, "%s: a compressed write is of whole clusters", block_name(img->block));
	for (size_t at = 0; rc == 0 && at < len; at += info.cluster_size)
		rc = block_pwrite_compressed(img->block, (const char *)buf + at, MIN_OF(len - at, (size_t)info.cluster_size),
					     off + at, e);
	return rc;
}

int dry_image_zero(struct dry_image *img, uint64_t len, uint64_t off, unsigned how, struct dry_error *error)
{
	API_ERR(e, error);

	return block_zero(img->block, len, off, how, e);
}

int dry_image_discard(struct dry_image *img, uint64_t len, uint64_t off, struct dry_error *error)
{
	API_ERR(e, error);

	return block_discard(img->block, len, off, e);
}

int dry_image_flush(struct dry_image *img, struct dry_error *error)
{
	API_ERR(e, error);

	return block_flush(img->block, e);
}

/* ---- extents ---- */

static void extent_out(const struct extent *x, struct dry_extent *out)
{
	*out = (struct dry_extent){ .off = x->off, .len = x->len, .flags = x->flags, .depth = x->depth };
	if (x->flags & EXTENT_PLAIN && x->host) {
		out->host_name = block_name(x->host);
		out->host_off = x->host_off;
	} else {
		out->flags &= ~(unsigned)DRY_EXTENT_HOST;
	}
}

static int clip_range(struct dry_image *img, uint64_t *len, uint64_t off, struct err *e)
{
	uint64_t size = block_size(img->block);

	if (off >= size || !*len)
		return err_set(e, ERR_USAGE, "%s: no extent at %llu of %llu bytes", block_name(img->block),
			       (unsigned long long)off, (unsigned long long)size);
	*len = MIN_OF(*len, size - off);
	return 0;
}

int dry_image_extent(struct dry_image *img, uint64_t len, uint64_t off, struct dry_extent *out, struct dry_error *error)
{
	API_ERR(e, error);
	struct extent x;
	int rc = clip_range(img, &len, off, e);

	if (rc == 0)
		rc = block_extent_merged(img->block, NULL, len, off, &x, e);
	if (rc == 0)
		extent_out(&x, out);
	return rc;
}

int dry_image_extent_own(struct dry_image *img, uint64_t len, uint64_t off, struct dry_extent *out,
			 struct dry_error *error)
{
	API_ERR(e, error);
	struct block *backing = block_shows_through(img->block);
	struct extent x;
	int rc = clip_range(img, &len, off, e);

	if (rc == 0) /* down to the backing file, not included, is this image alone */
		rc = backing ? block_extent_merged(img->block, backing, len, off, &x, e)
			     : block_extent_merged(img->block, NULL, len, off, &x, e);
	if (rc == 0)
		extent_out(&x, out);
	return rc;
}

int dry_image_place(struct dry_image *img, uint64_t off, uint64_t *len, struct dry_place *out, bool *zero,
		    struct dry_error *error)
{
	API_ERR(e, error);
	struct extent x;
	int rc = clip_range(img, len, off, e);

	if (rc == 0)
		rc = block_extent_merged(img->block, NULL, *len, off, &x, e);
	if (rc < 0)
		return rc;
	*len = x.len;
	*zero = x.flags & EXTENT_ZERO;
	out->host_off = x.host_off;
	out->fd = x.flags & EXTENT_PLAIN ? block_host_fd(x.host) : -1;
	return !*zero && x.flags & EXTENT_PLAIN && block_host_id(x.host, &out->host_dev, &out->host_ino);
}

/* ---- check, resize ---- */

struct finding_relay {
	void (*finding)(void *arg, bool fixed, const char *text);
	void (*detail)(void *arg, const struct dry_finding *f);
	void *arg;
};

static void relay_finding(void *arg, const struct check_finding *f)
{
	const struct finding_relay *r = arg;

	if (r->finding)
		r->finding(r->arg, f->fixed, f->text);
	if (r->detail)
		r->detail(r->arg, &(struct dry_finding){ .kind = (enum dry_finding_kind)f->kind,
							 .fixed = f->fixed,
							 .text = f->text,
							 .cluster = f->cluster,
							 .nclusters = f->nclusters,
							 .refcount = f->refcount,
							 .references = f->references,
							 .entry = f->entry,
							 .l1_idx = f->l1_idx });
}

static int run_check(struct dry_image *img, unsigned fix, struct dry_check *out, struct finding_relay *relay, struct err *e)
{
	struct check_report r = { .detail = relay_finding, .arg = relay };
	int rc = block_check(img->block, fix, &r, e);

	*out = (struct dry_check){
		.corruptions = r.corruptions,
		.leaks = r.leaks,
		.check_errors = r.check_errors,
		.corruptions_fixed = r.corruptions_fixed,
		.leaks_fixed = r.leaks_fixed,
		.image_end_offset = r.image_end_offset,
		.total_clusters = r.total_clusters,
		.allocated_clusters = r.allocated_clusters,
		.fragmented_clusters = r.fragmented_clusters,
		.compressed_clusters = r.compressed_clusters,
	};
	return rc;
}

int dry_image_check(struct dry_image *img, unsigned fix, struct dry_check *out,
		    void (*finding)(void *arg, bool fixed, const char *text), void *arg, struct dry_error *error)
{
	API_ERR(e, error);

	return run_check(img, fix, out, &(struct finding_relay){ .finding = finding, .arg = arg }, e);
}

int dry_image_check_detailed(struct dry_image *img, unsigned fix, struct dry_check *out,
			     void (*finding)(void *arg, const struct dry_finding *f), void *arg, struct dry_error *error)
{
	API_ERR(e, error);

	return run_check(img, fix, out, &(struct finding_relay){ .detail = finding, .arg = arg }, e);
}

int dry_image_resize(struct dry_image *img, uint64_t size, enum dry_prealloc prealloc, struct dry_error *error)
{
	API_ERR(e, error);

	return block_truncate(img->block, size, (enum block_prealloc)prealloc, e);
}

int dry_image_vmstate_read(struct dry_image *img, void *buf, size_t len, uint64_t off, struct dry_error *error)
{
	API_ERR(e, error);

	return block_vmstate_pread(img->block, buf, len, off, e);
}

int dry_image_vmstate_write(struct dry_image *img, const void *buf, size_t len, uint64_t off, struct dry_error *error)
{
	API_ERR(e, error);

	return block_vmstate_pwrite(img->block, buf, len, off, e);
}

/* ---- breakpoints ---- */

int dry_image_break(struct dry_image *img, const char *event, const char *tag, struct dry_error *error)
{
	API_ERR(e, error);

	return block_debug(img->block, BLOCK_DEBUG_BREAK, event, tag, e);
}

int dry_image_remove_break(struct dry_image *img, const char *tag, struct dry_error *error)
{
	API_ERR(e, error);

	return block_debug(img->block, BLOCK_DEBUG_REMOVE_BREAK, NULL, tag, e);
}

int dry_image_resume(struct dry_image *img, const char *tag, struct dry_error *error)
{
	API_ERR(e, error);

	return block_debug(img->block, BLOCK_DEBUG_RESUME, NULL, tag, e);
}

int dry_image_is_suspended(struct dry_image *img, const char *tag, struct dry_error *error)
{
	API_ERR(e, error);

	return block_debug(img->block, BLOCK_DEBUG_IS_SUSPENDED, NULL, tag, e);
}
