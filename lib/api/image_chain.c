/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* image_chain.c - jobs on images with backing files: commit, rebase; and the benchmark. */
#include "image.h"

#include "bench.h"
#include "commit.h"
#include "rebase.h"

_Static_assert((int)DRY_COMMIT_DONE == (int)COMMIT_DONE && (int)DRY_COMMIT_COPY == (int)COMMIT_COPY &&
		       (int)DRY_REBASE_WRITE == (int)REBASE_WRITE && (int)DRY_REBASE_FINISH == (int)REBASE_FINISH,
	       "public and internal words are one list");

/* ---- commit ---- */

static enum dry_stage copy_stage(enum copy_stage stage)
{
	switch (stage) {
	case COPY_MAP:
		return DRY_STAGE_MAP;
	case COPY_READ:
		return DRY_STAGE_READ;
	case COPY_WRITE:
		break;
	}
	return DRY_STAGE_WRITE;
}

int dry_commit(const struct dry_commit *how, struct dry_commit_result *result, struct dry_error *error)
{
	API_ERR(e, error);
	static const struct dry_open defaults = { .format = NULL };
	const struct dry_open *given = how->open ? how->open : &defaults;
	struct block_policy policy = image_policy(&given->policy);
	const struct block_open open = { .format = given->format,
					 .opts = image_dict(given->opts),
					 .flags = image_open_flags(given),
					 .policy = &policy,
					 .secrets = image_secrets(given->secrets),
					 .notice = given->notice,
					 .notice_arg = given->notice_arg };
	const struct commit job = {
		.name = how->name,
		.open = &open,
		.base = how->base,
		.keep = how->keep,
		.threads = how->threads,
		.rate = how->rate,
		.progress = how->progress.run,
		.progress_arg = how->progress.arg,
	};
	struct commit_result r;
	int rc = commit_run(&job, &r, e);

	if (result)
		*result = (struct dry_commit_result){ .stage = (enum dry_commit_stage)r.stage,
						      .copy_stage = copy_stage(r.copy.stage),
						      .off = r.copy.off,
						      .copied = r.copy.copied,
						      .emptied = r.emptied };
	return rc;
}

/* ---- rebase ---- */

/* The new backing file, named as the image will name it. */
static int open_backing(const struct dry_rebase *how, struct block **out, struct err *e)
{
	struct block_policy policy = image_policy(&how->policy);
	struct block *image = how->image->block;
	CLEANUP(free_ptr) char *path = NULL;
	const struct block_open open = { .format = how->format,
					 .opts = image_dict(how->opts),
					 .flags = image_cache_flags(how->cache) | (how->force_share ? BLOCK_FORCE_SHARE : 0),
					 .policy = &policy,
					 .secrets = image_secrets(how->secrets) };

	path = block_sibling_path(image, how->backing, e);
	return path ? block_open(path, &open, out, e) : -(int)ERR_NOMEM;
}

int dry_rebase(const struct dry_rebase *how, struct dry_rebase_result *result, struct dry_error *error)
{
	API_ERR(e, error);
	CLEANUP(block_unrefp) struct block *backing = NULL;
	struct rebase_result r = { .stage = REBASE_DONE };
	struct dry_rebase_result out = { .stage = DRY_REBASE_OPEN };
	int rc = 0;

	if (!how->unsafe && how->backing)
		rc = open_backing(how, &backing, e);
	if (rc == 0 && !how->unsafe) {
		const struct rebase job = { .image = how->image->block,
					    .backing = backing,
					    .threads = how->threads,
					    .progress = how->progress.run,
					    .progress_arg = how->progress.arg };

		rc = rebase_copy(&job, &r, e);
		out = (struct dry_rebase_result){ (enum dry_rebase_stage)r.stage, r.off, r.copied };
	}
	if (rc == 0) {
		out.stage = DRY_REBASE_CHANGE;
		free(take(how->image->backing_path));
		rc = block_change_backing(how->image->block, how->backing, how->format, e);
	}
	if (rc == 0)
		rc = block_finish(how->image->block, e);
	if (rc == 0)
		out.stage = DRY_REBASE_DONE;
	if (result)
		*result = out;
	return rc;
}

/* ---- benchmark ---- */

int dry_bench(const struct dry_bench *how, struct dry_bench_result *result, struct dry_error *error)
{
	API_ERR(e, error);
	struct bench job = {
		.image = how->image->block,
		.write = how->write,
		.count = how->count,
		.depth = how->depth,
		.len = (size_t)how->len,
		.off = how->off,
		.step = how->step,
		.pattern = how->pattern,
		.flush_interval = how->flush_interval,
		.no_drain = how->no_drain,
		.progress = how->progress.run,
		.progress_arg = how->progress.arg,
	};
	struct bench_result r = { .seconds = 0 };
	int rc;

	if (how->len > INT32_MAX)
		return err_set(e, ERR_USAGE, "a request of %llu bytes is longer than 2 GiB", (unsigned long long)how->len);
	rc = bench_run(&job, &r, e);
	*result = (struct dry_bench_result){ r.seconds, r.done, r.flushes };
	return rc;
}
