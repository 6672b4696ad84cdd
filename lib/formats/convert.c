/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "convert_internal.h"
#include "convert_bitmaps.h"

#include "alloc.h"
#include "block_driver.h"
#include "checked.h"
#include "limits.h"
#include "resume.h"
#include "stream.h"
#include "target.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* The first size of a target for a stream, whose own is not known. */
#define STREAM_FIRST_SIZE (1 * GiB)

/* ---- options of create ---- */

static const struct create_opt *find_opt(const struct create_opt *table, const char *name)
{
	for (; table && table->name; table++)
		if (strcmp(table->name, name) == 0)
			return table;
	return NULL;
}

/* One option, written the way the drivers and the peers' messages want it. */
static int plan_opt(const struct create_opt *o, const char *value, struct dict *out, struct err *e)
{
	CLEANUP(dict_free) struct dict one = DICT_INIT;
	char text[24];
	uint64_t n = 0;
	bool on = false;
	int rc;

	if (o->type == CREATE_OPT_STRING)
		return dict_set(out, o->name, value, e);
	rc = dict_set(&one, o->name, value, e);
	if (rc == 0 && o->type == CREATE_OPT_BOOL)
		rc = dict_take_bool(&one, o->name, &on, e);
	else if (rc == 0 && o->type == CREATE_OPT_SIZE)
		rc = dict_take_size(&one, o->name, &n, e);
	else if (rc == 0 && !text_parse_u64(value, &n))
		rc = err_set(e, ERR_USAGE, "option \"%s\": \"%s\" is not a number", o->name, value);
	if (rc < 0)
		return rc;
	snprintf(text, sizeof text, "%" PRIu64, n);
	return dict_set(out, o->name, o->type == CREATE_OPT_BOOL ? (on ? "on" : "off") : text, e);
}

/* Opens the file that a new image at path will name as its backing file, as opening the new image will. */
static int open_backing_of(const char *path, const struct dict *opts, const struct block_policy *policy,
			   struct block **out, struct err *e)
{
	const char *name = dict_get(opts, "backing_file"), *format = dict_get(opts, "backing_fmt");
	struct block_open how = { .format = format, .policy = policy };
	CLEANUP(free_ptr) char *at = block_resolve_name(path, name, e);
	int rc;

	if (!at)
		return -(int)ERR_NOMEM;
	rc = block_open(at, &how, out, e);
	return rc < 0 ? err_in(e, rc, "backing file") : 0;
}

static int plan_backing(const char *path, const struct create_plan *plan, struct dict *out, struct err *e)
{
	CLEANUP(block_unrefp) struct block *backing = NULL;
	char text[24];
	int rc;

	if (!dict_get(out, "backing_fmt"))
		return err_set(e, ERR_USAGE, "the format of the backing file \"%s\" is not given, and it is never guessed",
			       dict_get(out, "backing_file"));
	if (plan->no_backing)
		return 0;
	rc = open_backing_of(path, out, plan->policy, &backing, e);
	if (rc < 0 || dict_get(out, "size"))
		return rc;
	snprintf(text, sizeof text, "%" PRIu64, block_size(backing));
	return dict_set(out, "size", text, e);
}

int convert_plan_create(const char *path, const struct create_plan *plan, struct dict *out, struct err *e)
{
	const struct create_opt *table = block_create_opts(plan->format);
	int rc = 0;

	if (!block_format_known(plan->format))
		return err_set(e, ERR_USAGE, "unknown format \"%s\"", plan->format);
	if (!table)
		return err_set(e, ERR_UNSUPPORTED, "%s images cannot be created", plan->format);
	for (size_t i = 0; plan->opts && i < plan->opts->n && rc == 0; i++) {
		const struct dict_item *it = &plan->opts->items[i];
		const struct create_opt *o = find_opt(table, it->key);

		rc = o ? plan_opt(o, it->value, out, e)
		       : err_set(e, ERR_USAGE, "%s has no option \"%s\"", plan->format, it->key);
	}
	if (rc < 0)
		return rc;
	if (dict_get(out, "backing_file"))
		rc = plan_backing(path, plan, out, e);
	else if (dict_get(out, "backing_fmt"))
		rc = err_set(e, ERR_USAGE, "a backing format is given, but no backing file");
	if (rc == 0 && !dict_get(out, "size"))
		rc = err_set(e, ERR_USAGE, "the size of the new image is not given");
	return rc;
}

/* ---- making ---- */

/* A further file that creating makes under its own name; it goes again when the image does not come to be. */
struct extra_file {
	char *path; /* NULL: none that was not there before */
};

static void extra_file_remove(struct extra_file *f)
{
	if (f->path)
		unlink(f->path);
	free(take(f->path));
}

static int extra_file_note(struct extra_file *f, const char *image, const struct dict *opts, struct err *e)
{
	const char *name = dict_get(opts, "data_file");
	CLEANUP(free_ptr) char *path = NULL;
	struct stat st;

	if (!name)
		return 0;
	path = block_resolve_name(image, name, e);
	if (!path)
		return -(int)ERR_NOMEM;
	if (lstat(path, &st) != 0)
		f->path = take(path);
	return 0;
}

/* A policy that also allows the files which the user names in the options of create. */
struct wider_policy {
	struct block_policy policy;
	const char **allowed;
	char *named[2];
};

static void wider_policy_free(struct wider_policy *w)
{
	free(w->allowed);
	free(w->named[0]);
	free(w->named[1]);
}

static int widen_policy(struct wider_policy *w, const struct block_policy *given, const char *image,
			const struct dict *opts, struct err *e)
{
	static const char *const keys[] = { "backing_file", "data_file" };
	size_t n = given ? given->nallowed : 0;

	if (given)
		w->policy = *given;
	w->allowed = alloc_array(n + ARRAY_LEN(keys), sizeof *w->allowed);
	if (!w->allowed)
		return err_nomem(e);
	for (size_t i = 0; i < n; i++)
		w->allowed[i] = given->allowed[i];
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const char *name = dict_get(opts, keys[i]);

		if (!name)
			continue;
		w->named[i] = block_resolve_name(image, name, e);
		if (!w->named[i])
			return -(int)ERR_NOMEM;
		w->allowed[n++] = w->named[i];
	}
	w->policy.allowed = w->allowed;
	w->policy.nallowed = n;
	return 0;
}

static int create_at(struct target *t, const struct create_plan *plan, const struct dict *opts, struct extra_file *extra,
		     struct err *e)
{
	CLEANUP(wider_policy_free) struct wider_policy wider = { .allowed = NULL };
	struct block_create_how how = { .policy = &wider.policy, .secrets = plan->secrets };
	int rc = extra_file_note(extra, t->path, opts, e);

	if (rc == 0)
		rc = widen_policy(&wider, plan->policy, t->path, opts, e);
	if (rc == 0)
		rc = block_create_with(t->path, plan->format, opts, &how, e);
	return target_err(t, rc, e);
}

int convert_create(const char *path, const struct create_plan *plan, struct err *e)
{
	CLEANUP(target_abort) struct target t = TARGET_INIT;
	CLEANUP(extra_file_remove) struct extra_file extra = { NULL };
	CLEANUP(dict_free) struct dict opts = DICT_INIT;
	int rc = convert_plan_create(path, plan, &opts, e);

	if (rc == 0)
		rc = target_begin(&t, path, e);
	if (rc == 0)
		rc = create_at(&t, plan, &opts, &extra, e);
	if (rc == 0)
		rc = target_commit(&t, true, e);
	if (rc == 0)
		free(take(extra.path));
	return rc;
}

/* ---- converting ---- */

static struct block *host_of(struct block *b)
{
	while (block_file(b))
		b = block_file(b);
	return b;
}

static bool same_host_file(struct block *a, struct block *b)
{
	struct stat sa, sb;
	int fa = block_host_fd(host_of(a)), fb = block_host_fd(host_of(b));

	return fa >= 0 && fb >= 0 && fstat(fa, &sa) == 0 && fstat(fb, &sb) == 0 && sa.st_dev == sb.st_dev &&
	       sa.st_ino == sb.st_ino;
}

/* The node of the source's chain that is the target's backing file, too; NULL: it is another one. */
static struct block *find_base(const struct copy_job *job, struct block *backing)
{
	if (job->nsources != 1)
		return NULL;
	for (struct block *b = block_backing(job->sources[0]); b; b = block_backing(b))
		if (strcmp(block_format(b), block_format(backing)) == 0 && block_size(b) == block_size(backing) &&
		    same_host_file(b, backing))
			return b;
	return NULL;
}

/* A copy onto what is being read: there would be nothing left to read, or images behind others would change. */
static int refuse_own_source(const struct convert *how, const struct stat *at, const char *name, struct err *e)
{
	struct stat st;

	for (size_t i = 0; i < how->copy.nsources; i++) {
		for (struct block *b = how->copy.sources[i]; b; b = block_backing(b)) {
			int fd = block_host_fd(host_of(b));

			if (fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == at->st_dev && st.st_ino == at->st_ino)
				return err_set(e, ERR_USAGE, "%s is among the files to be read; the copy needs another name", name);
		}
	}
	return 0;
}

/* The same, by the target's name: before anything is done to it.  A target given by options alone has none. */
static int refuse_own_source_named(const struct convert *how, struct err *e)
{
	const char *path = how->target;
	struct stat at;

	if (!path)
		return 0;
	text_starts(path, "file:", &path);
	return stat(path, &at) == 0 ? refuse_own_source(how, &at, how->target, e) : 0;
}

int convert_total_size(const struct copy_job *job, uint64_t *out, struct err *e)
{
	*out = 0;
	for (size_t i = 0; i < job->nsources; i++)
		if (!checked_add(*out, block_size(job->sources[i]), out) || *out > LIMIT_IMAGE_SIZE)
			return err_set(e, ERR_LIMIT, "the sources together are too long for an image");
	return job->nsources ? 0 : err_set(e, ERR_USAGE, "nothing to convert");
}

void convert_stage_of_copy(struct convert_result *result, int rc)
{
	if (rc == 0)
		result->stage = CONVERT_FINISH;
	else
		result->stage = result->copy.stage == COPY_MAP	  ? CONVERT_MAP
				: result->copy.stage == COPY_READ ? CONVERT_READ
								  : CONVERT_WRITE;
}

static int run_copy(const struct convert *how, struct copy_job *job, struct convert_result *result, struct err *e)
{
	int rc;

	job->over_backing = !how->keep && block_backing(job->target);
	job->base = job->over_backing ? find_base(job, block_backing(job->target)) : NULL;
	/* The bytes of a raw disk have their places. */
	job->in_order = job->in_order && strcmp(block_format(job->target), "raw") != 0;
	rc = copy_run(job, &result->copy, e);
	convert_stage_of_copy(result, rc);
	if (rc == 0 && job->grow)
		rc = block_truncate(job->target, result->copy.total, PREALLOC_OFF, e);
	if (rc == 0 && how->bitmaps)
		rc = convert_copy_bitmaps(job->sources[0], job->target, e);
	return rc < 0 ? rc : block_finish(job->target, e);
}

/* Opens the target anew, for reading, and looks. */
static int verify(const struct convert *how, const char *path, const struct block_open *written,
		  struct convert_result *result, struct err *e)
{
	struct block_open open = *written;
	CLEANUP(block_unrefp) struct block *target = NULL;
	int rc;

	if (!how->verify)
		return 0;
	open.flags &= ~(unsigned)(BLOCK_WRITE | BLOCK_RESIZE | BLOCK_WRITETHROUGH | BLOCK_UNSAFE | BLOCK_GUESS_WRITE);
	rc = block_open(path, &open, &target, e);
	return rc < 0 ? rc : convert_verify(how, target, &result->copy, e);
}

/* What is copied, and with a digest where that is needed. */
static struct copy_job job_of(const struct convert *how)
{
	struct copy_job job = how->copy;

	job.hashes = job.hashes || (how->verify && convert_verifies_by_hash(how));
	return job;
}

/* Into what is there already. */
static int convert_into(const struct convert *how, struct convert_result *result, struct err *e)
{
	struct block_open open = { .notice = how->notice, .notice_arg = how->notice_arg,
				   .format = how->format, .opts = how->opts, .flags = BLOCK_WRITE | how->open_flags,
				   .policy = how->policy, .secrets = how->secrets };
	CLEANUP(block_unrefp) struct block *target = NULL;
	struct copy_job job = job_of(how);
	struct stat at;
	int rc;

	result->stage = CONVERT_OPEN;
	rc = block_open(how->target, &open, &target, e);
	if (rc < 0)
		return rc;
	if (fstat(block_host_fd(host_of(target)), &at) == 0 &&
	    (rc = refuse_own_source(how, &at, block_name(target), e)) < 0)
		return rc;
	job.target = target;
	job.target_is_zero = how->keep_is_zero;
	rc = run_copy(how, &job, result, e);
	block_unrefp(&target);
	if (rc == 0)
		rc = verify(how, how->target, &open, result, e);
	if (rc == 0)
		result->stage = CONVERT_DONE;
	return rc;
}

/* How hard to compress is nothing that an image keeps: it is an option of opening the new image. */
static int split_level(const char *format, struct dict *given, struct dict *open, struct err *e)
{
	CLEANUP(free_ptr) char *level = NULL;

	if (!block_format_compresses(format))
		return 0; /* it is told that it has no such option */
	level = dict_take(given, "compression_level");
	return level ? dict_set(open, "compression-level", level, e) : 0;
}

/* A stream has no size before it has ended: the target grows, if the user gave it none. */
static bool grows(const struct convert *how)
{
	return block_is_stream(how->copy.sources[0]) && !(how->opts && dict_get(how->opts, "size"));
}

static int judge_stream(const struct convert *how, struct err *e)
{
	const char *prealloc = how->opts ? dict_get(how->opts, "preallocation") : NULL;

	if (how->copy.nsources > 1)
		return err_set(e, ERR_USAGE, "a stream cannot be put together with other sources");
	if (how->opts && dict_get(how->opts, "backing_file"))
		return err_set(e, ERR_USAGE, "a stream cannot be compared with a backing file");
	if (grows(how) && prealloc && strcmp(prealloc, "off") != 0)
		return err_set(e, ERR_USAGE, "nothing can be preallocated for a stream unless its size is given");
	return 0;
}

int convert_plan_target(const struct convert *how, struct dict *opts, struct dict *open, struct err *e)
{
	CLEANUP(dict_free) struct dict given = DICT_INIT;
	struct create_plan plan = { .format = how->format, .opts = &given, .policy = how->policy };
	uint64_t total, size = 0;
	char text[24];
	int rc;

	if ((rc = convert_total_size(&how->copy, &total, e)) < 0 ||
	    (how->opts && (rc = dict_merge(&given, how->opts, e)) < 0))
		return rc;
	rc = dict_take_size(&given, "size", &size, e);
	if (rc == 0)
		rc = split_level(how->format, &given, open, e);
	if (rc < 0)
		return rc;
	if (size && size < total)
		return err_set(e, ERR_USAGE, "a size of %" PRIu64 " bytes does not hold the %" PRIu64 " bytes to convert",
			       size, total);
	if (block_is_stream(how->copy.sources[0]) && (rc = judge_stream(how, e)) < 0)
		return rc;
	if (grows(how))
		size = STREAM_FIRST_SIZE;
	snprintf(text, sizeof text, "%" PRIu64, size ? size : total);
	rc = dict_set(&given, "size", text, e);
	return rc < 0 ? rc : convert_plan_create(how->target, &plan, opts, e);
}

/* An image that was made under a key is opened with it. */
static int keys_of(const struct dict *create, struct dict *open, struct err *e)
{
	static const char *const keys[] = { "key-secret", "encrypt.key-secret" };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const char *id = dict_get(create, keys[i]);
		int rc = id ? dict_set(open, keys[i], id, e) : 0;

		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Was room asked for on the host that is the new image's alone? */
static bool wants_room(const struct dict *create)
{
	const char *prealloc = dict_get(create, "preallocation");

	return prealloc && strcmp(prealloc, "off") != 0 && strcmp(prealloc, "metadata") != 0;
}

/* Fills a target that was just made; its locks are its own: nobody knows its name yet. */
static int fill_target(const struct convert *how, const struct target *t, const struct dict *opts,
		       struct dict *open_opts, struct convert_result *result, struct err *e)
{
	CLEANUP(wider_policy_free) struct wider_policy wider = { .allowed = NULL };
	struct block_open open = { .format = how->format, .opts = open_opts,
				   .flags = BLOCK_WRITE | (grows(how) ? BLOCK_RESIZE : 0) | how->open_flags,
				   .policy = &wider.policy, .secrets = how->secrets };
	CLEANUP(block_unrefp) struct block *target = NULL;
	struct copy_job job = job_of(how);
	bool raw = strcmp(how->format, "raw") == 0;
	int rc;

	result->stage = CONVERT_OPEN;
	rc = widen_policy(&wider, how->policy, t->path, opts, e);
	if (rc == 0)
		rc = keys_of(opts, open_opts, e);
	if (rc == 0)
		rc = block_open(t->path, &open, &target, e);
	if (rc < 0)
		return rc;
	job.target = target;
	job.grow = grows(how);
	job.target_is_zero = block_zero_init(target) && !(raw && t->in_place);
	job.share = !wants_room(opts);
	rc = run_copy(how, &job, result, e);
	block_unrefp(&target);
	return rc < 0 ? rc : verify(how, t->path, &open, result, e);
}

/* ---- what was interrupted goes on ---- */

static int judge_resume(const struct convert *how, struct err *e)
{
	const char *no = NULL;

	if (how->copy.hashes)
		no = "a digest is of one pass";
	else if (how->verify && convert_verifies_by_hash(how))
		no = "this source can only be verified in one pass";
	else if (how->opts && dict_get(how->opts, "data_file"))
		no = "an image with a data file is made in one pass";
	else if (how->open_flags & BLOCK_UNSAFE)
		no = "with the cache mode unsafe nobody knows how far the copy is";
	for (size_t i = 0; i < how->copy.nsources && !no; i++)
		if (block_is_stream(how->copy.sources[i]))
			no = "a stream comes once";
	return no ? err_set(e, ERR_USAGE, "the conversion cannot be resumed: %s", no) : 0;
}

/* The copy as it was left: it may have lost count of clusters, which is mended, and nothing else. */
static int mend(const struct convert *how, const struct target *t, const struct dict *open_opts, struct err *e)
{
	struct block_open open = { .format = how->format, .opts = open_opts,
				   .flags = BLOCK_WRITE | BLOCK_CHECK | BLOCK_NO_BACKING,
				   .policy = how->policy, .secrets = how->secrets };
	CLEANUP(block_unrefp) struct block *b = NULL;
	struct check_report report = { .finding = NULL };
	int rc = block_open(t->path, &open, &b, e);

	if (rc == 0)
		rc = block_check(b, CHECK_FIX_LEAKS, &report, e);
	if (rc == -(int)ERR_UNSUPPORTED) {
		err_clear(e);
		return 0;
	}
	if (rc < 0)
		return rc;
	if (report.corruptions || report.check_errors)
		return err_set(e, ERR_CORRUPT, "what was left of the interrupted conversion is damaged; remove %s to begin anew",
			       t->path);
	return block_finish(b, e);
}

static int mark(void *journal, uint64_t pos, struct err *e)
{
	return resume_mark(journal, pos, e);
}

/* An empty target and a journal that says so, or those that are there. */
static int begin_or_go_on(const struct convert *how, struct target *t, struct resume *r, const struct dict *opts,
			  const struct dict *open_opts, struct err *e)
{
	CLEANUP(extra_file_remove) struct extra_file none = { NULL };
	struct create_plan plan = { .format = how->format, .policy = how->policy, .secrets = how->secrets };
	int rc;

	if (r->found && access(t->path, F_OK) == 0)
		return target_err(t, mend(how, t, open_opts, e), e);
	r->found = false;
	rc = target_renew(t, e);
	if (rc == 0)
		rc = create_at(t, &plan, opts, &none, e);
	return rc < 0 ? rc : resume_mark(r, 0, e);
}

static int convert_resuming(const struct convert *given, struct convert_result *result, struct err *e)
{
	CLEANUP(resume_end) struct resume r = RESUME_INIT;
	CLEANUP(target_abort) struct target t = TARGET_INIT;
	CLEANUP(dict_free) struct dict opts = DICT_INIT;
	CLEANUP(dict_free) struct dict open_opts = DICT_INIT;
	struct convert how = *given;
	struct resume_what what = { .format = how.format, .opts = &opts, .open = &open_opts, .sources = how.copy.sources,
				    .nsources = how.copy.nsources, .sparse = how.copy.sparse, .compress = how.copy.compress,
				    .salvage = how.copy.salvage, .note = how.resume_note };
	int rc = convert_plan_target(&how, &opts, &open_opts, e);

	if (rc < 0 || (rc = keys_of(&opts, &open_opts, e)) < 0 || (rc = judge_resume(&how, e)) < 0)
		return rc;
	result->stage = CONVERT_CREATE;
	rc = target_begin_lasting(&t, how.target, e);
	if (rc < 0)
		return rc;
	what.target = t.final;
	rc = resume_begin(&r, &what, e);
	if (rc == 0)
		rc = begin_or_go_on(&how, &t, &r, &opts, &open_opts, e);
	if (rc < 0)
		return rc;
	target_keep(&t);
	result->resumed = r.pos;
	how.copy.start = r.pos;
	how.copy.mark = mark;
	how.copy.mark_arg = &r;
	rc = target_err(&t, fill_target(&how, &t, &opts, &open_opts, result, e), e);
	if (rc < 0)
		return rc;
	result->stage = CONVERT_FINISH;
	rc = target_commit(&t, true, e);
	if (rc == 0) {
		resume_finish(&r);
		result->stage = CONVERT_DONE;
	}
	return rc;
}

static int convert_new(const struct convert *how, struct convert_result *result, struct err *e)
{
	CLEANUP(target_abort) struct target t = TARGET_INIT;
	CLEANUP(extra_file_remove) struct extra_file extra = { NULL };
	CLEANUP(dict_free) struct dict opts = DICT_INIT;
	CLEANUP(dict_free) struct dict open_opts = DICT_INIT;
	struct create_plan plan = { .format = how->format, .policy = how->policy, .secrets = how->secrets };
	int rc = convert_plan_target(how, &opts, &open_opts, e);

	if (rc < 0)
		return rc;
	result->stage = CONVERT_CREATE;
	rc = target_begin(&t, how->target, e);
	if (rc == 0)
		rc = create_at(&t, &plan, &opts, &extra, e);
	if (rc < 0)
		return rc;
	rc = target_err(&t, fill_target(how, &t, &opts, &open_opts, result, e), e);
	if (rc < 0)
		return rc;
	result->stage = CONVERT_FINISH;
	rc = target_commit(&t, !(how->open_flags & BLOCK_UNSAFE), e);
	if (rc == 0) {
		free(take(extra.path));
		result->stage = CONVERT_DONE;
	}
	return rc;
}

static int judge_bitmaps(const struct convert *how, struct err *e)
{
	if (!how->bitmaps)
		return 0;
	if (how->copy.nsources != 1 || how->to_stream || how->resume)
		return err_set(e, ERR_USAGE, "bitmaps go with one source, into an image, in one go");
	return convert_judge_bitmaps(how->copy.sources[0], how->skip_broken, e);
}

int convert_run(const struct convert *how, struct convert_result *result, struct err *e)
{
	int rc;

	*result = (struct convert_result){ .stage = CONVERT_PREPARE };
	rc = judge_bitmaps(how, e);
	if (rc < 0)
		return rc;
	if (how->to_stream)
		return convert_to_stream(how, result, e);
	rc = refuse_own_source_named(how, e);
	if (rc < 0)
		return rc;
	if (how->resume && how->keep)
		return err_set(e, ERR_USAGE, "the conversion cannot be resumed: it writes into an image that is there");
	if (how->resume)
		return convert_resuming(how, result, e);
	return how->keep ? convert_into(how, result, e) : convert_new(how, result, e);
}
