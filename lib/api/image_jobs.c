/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* image_jobs.c - formats, creating, measuring, converting, comparing. */
#include "image.h"

#include "compare.h"
#include "convert.h"
#include "hash.h"

#include <stdio.h>

_Static_assert((int)DRY_STAGE_DONE == (int)CONVERT_DONE && (int)DRY_STAGE_READ == (int)CONVERT_READ &&
		       (int)DRY_DIFFERENT_ALLOC == (int)COMPARE_ALLOC && (int)DRY_DIFFERENT == (int)COMPARE_CONTENT &&
		       (int)DRY_OPT_NUMBER == (int)CREATE_OPT_NUMBER && (int)DRY_OPT_SIZE == (int)CREATE_OPT_SIZE,
	       "public and internal words are one list");

/* ---- formats ---- */

const char *dry_format_at(size_t i, bool writable)
{
	return block_format_at(i, writable);
}

bool dry_format_known(const char *name)
{
	return block_format_known(name);
}

bool dry_name_is_remote(const char *name)
{
	return block_name_is_remote(name);
}

bool dry_format_compresses(const char *name)
{
	return block_format_compresses(name);
}

static bool opt_at(const struct create_opt *o, size_t i, struct dry_create_opt *out)
{
	while (o && o->name && i--)
		o++;
	if (!o || !o->name)
		return false;
	*out = (struct dry_create_opt){ .name = o->name, .help = o->help, .def = o->def };
	out->type = (int)o->type;
	return true;
}

bool dry_create_opt(const char *format, size_t i, struct dry_create_opt *out)
{
	return opt_at(block_create_opts(format), i, out);
}

bool dry_amend_opt(const char *format, size_t i, struct dry_create_opt *out)
{
	return opt_at(block_amend_opts(format), i, out);
}

/* ---- create, measure ---- */

int dry_create_plan(const char *path, const struct dry_create *how, struct dry_opts **out, struct dry_error *error)
{
	API_ERR(e, error);
	struct block_policy policy = image_policy(&how->policy);
	struct create_plan plan = { .format = how->format, .opts = image_dict(how->opts), .policy = &policy,
				    .no_backing = how->no_backing, .secrets = image_secrets(how->secrets) };
	struct dry_opts *opts = dry_opts_new();
	int rc;

	*out = NULL;
	if (!opts)
		return err_nomem(e);
	rc = convert_plan_create(path, &plan, &opts->dict, e);
	if (rc == 0)
		*out = take(opts);
	dry_opts_free(opts);
	return rc;
}

int dry_create(const char *path, const struct dry_create *how, struct dry_error *error)
{
	API_ERR(e, error);
	struct block_policy policy = image_policy(&how->policy);
	struct create_plan plan = { .format = how->format, .opts = image_dict(how->opts), .policy = &policy,
				    .no_backing = how->no_backing, .secrets = image_secrets(how->secrets) };

	return convert_create(path, &plan, e);
}

int dry_measure(const char *format, const struct dry_opts *opts, struct dry_image *src, struct dry_measure *out,
		struct dry_error *error)
{
	API_ERR(e, error);
	static const struct dict none = DICT_INIT;
	struct measure_report r;
	int rc = block_measure(format, opts ? &opts->dict : &none, src ? src->block : NULL, &r, e);

	*out = (struct dry_measure){ r.required, r.fully_allocated, r.has_bitmaps, r.bitmaps };
	return rc;
}

/* ---- convert, compare ---- */

static void fill_copy_job(const struct dry_convert *how, struct block *const *sources, struct copy_job *job)
{
	*job = (struct copy_job){
		.sources = sources,
		.nsources = how->nsources,
		.compress = how->flags & DRY_CONVERT_COMPRESS,
		.in_order = !(how->flags & DRY_CONVERT_ANY_ORDER),
		.offload = how->flags & DRY_CONVERT_OFFLOAD,
		.salvage = how->flags & DRY_CONVERT_SALVAGE,
		.sparse = how->sparse,
		.threads = how->threads,
		.rate = how->rate,
		.progress = how->progress.run,
		.progress_arg = how->progress.arg,
		.unreadable = how->unreadable,
		.unreadable_arg = how->unreadable_arg,
	};
	image_free_ranges(how->free_space, &job->unused, &job->nunused);
}

int dry_convert(const struct dry_convert *how, struct dry_convert_result *result, struct dry_error *error)
{
	API_ERR(e, error);
	CLEANUP(free_ptr) struct block **sources = alloc_array(how->nsources ? how->nsources : 1, sizeof *sources);
	struct block_policy policy = image_policy(&how->policy);
	struct convert_result r = { .stage = CONVERT_PREPARE };
	struct convert job = {
		.target = how->target,
		.to_stream = how->flags & DRY_CONVERT_STREAM,
		.out_fd = how->out_fd,
		.format = how->format,
		.opts = image_dict(how->opts),
		.policy = &policy,
		.secrets = image_secrets(how->secrets),
		.open_flags = image_cache_flags(how->cache) |
			      (how->flags & DRY_CONVERT_GUESS_WRITE ? BLOCK_GUESS_WRITE : 0),
		.verify = how->flags & DRY_CONVERT_VERIFY,
		.resume = how->flags & DRY_CONVERT_RESUME,
		.resume_note = how->resume_note,
		.keep = how->flags & DRY_CONVERT_KEEP,
		.notice = how->notice,
		.notice_arg = how->notice_arg,
		.keep_is_zero = how->flags & DRY_CONVERT_TARGET_IS_ZERO,
		.bitmaps = how->flags & DRY_CONVERT_BITMAPS,
		.skip_broken = how->flags & DRY_CONVERT_SKIP_BROKEN,
	};
	enum hash_alg alg = HASH_SHA256;
	int rc = 0;

	if (how->hash && !hash_find(how->hash, &alg))
		rc = err_set(e, ERR_USAGE, "unknown hash function \"%s\"", how->hash);
	else if (!sources)
		rc = err_nomem(e);
	else if (!how->format && !job.keep)
		rc = err_set(e, ERR_USAGE, "the format of the new image is not given");
	else if (how->free_space && (how->nsources != 1 || (how->opts && dry_opts_get(how->opts, "backing_file"))))
		rc = err_set(e, ERR_USAGE, "free space is left out of one source, into a target without a backing file");
	for (size_t i = 0; rc == 0 && i < how->nsources; i++)
		sources[i] = how->sources[i]->block;
	if (rc == 0) {
		fill_copy_job(how, sources, &job.copy);
		job.copy.hashes = how->hash;
		job.copy.hash = alg;
		rc = convert_run(&job, &r, e);
	}
	if (result)
		*result = (struct dry_convert_result){
			.stage = (enum dry_stage)r.stage, .off = r.copy.off, .copied = r.copy.copied, .shared = r.copy.shared,
			.unread = r.copy.unread, .size = r.copy.total, .resumed = r.resumed,
			.dropped = r.copy.dropped
		};
	if (result && rc == 0 && how->hash)
		for (size_t i = 0; i < hash_size(alg); i++)
			snprintf(result->digest + 2 * i, 3, "%02x", r.copy.digest[i]);
	return rc;
}

int dry_compare(const struct dry_compare *how, struct dry_compare_result *result, struct dry_error *error)
{
	API_ERR(e, error);
	struct compare_job job = {
		.sides = { how->a->block, how->b->block },
		.strict = how->strict,
		.threads = how->threads,
		.progress = how->progress.run,
		.progress_arg = how->progress.arg,
	};
	struct compare_result r;
	int rc = compare_run(&job, &r, e);

	*result = (struct dry_compare_result){
		.difference = (enum dry_difference)r.difference,
		.off = r.off,
		.sizes_differ = r.sizes_differ,
		.failed_image = r.failed_side,
		.failed_map = r.failed_map,
	};
	return rc;
}
