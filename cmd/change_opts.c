/* SPDX-License-Identifier: GPL-2.0-or-later */
/* change_opts.c - a change's beginning and end, as the command line has it. */
#include "change_opts.h"

#include "alloc.h"
#include "diff.h"
#include "out.h"

#include <inttypes.h>
#include <stdio.h>

void change_opts_free(struct change_opts *o)
{
	guest_opts_free(&o->guest);
}

/* ---- beginning ---- */

/* Which guest it is, and what of it. */
static int take_operands(struct change_job *job, struct change_opts *o, int argc, char **argv)
{
	int status;

	if (o->inspect && o->guest.mounts.n)
		return cmd_usage(job->verb, "-i and -m exclude each other");
	if (o->dry_run && o->undo)
		return cmd_usage(job->verb, "--dry-run changes nothing that --undo-file could go back from");
	status = argv ? guest_set_paths(job->verb, &o->guest, argc, argv, &job->set) :
			guest_set_images(job->verb, &o->guest, 0, argv, &job->set);
	if (status)
		return status;
	if (job->set.nguests != 1)
		return cmd_usage(job->verb, "one guest is changed at a time, not %zu", job->set.nguests);
	return 0;
}

static int begin_change(struct change_job *job, const struct change_host *host)
{
	const struct change_opts *o = job->opts;
	const struct opt_list *texts = &o->guest.mounts;
	CLEANUP(free_ptr) struct dry_shell_mount *mounts = alloc_array(texts->n + 1, sizeof *mounts);
	CLEANUP(free_ptr) char **copies = alloc_array(texts->n + 1, sizeof *copies);
	struct dry_error e = { .code = DRY_OK };
	const struct dry_change_how how = {
		.mounts = mounts,
		.nmounts = texts->n,
		.inspect = o->inspect || (!texts->n && !host->nothing_mounted),
		.any = true,
		.all_volumes = host->all_volumes,
		.progress = progress_watch(&job->bar),
	};
	int rc = -1;

	if (!mounts || !copies || guest_mounts_split(texts, mounts, copies))
		cmd_warn("out of memory");
	else if ((rc = dry_guest_change(job->g, &how, &job->c, &e)) < 0)
		guest_fail(job->ref, &e);
	for (size_t i = 0; copies && i < texts->n; i++)
		free(copies[i]);
	guest_notes(&o->guest, job->ref);
	return rc < 0 ? EXIT_FAILED : 0;
}

int change_begin(const char *verb, struct change_opts *o, int argc, char **argv, const struct change_host *host,
		 struct change_job *job)
{
	static const struct change_host nothing = { .write_dir = -1 };
	const struct change_host *h = host ? host : &nothing;
	struct guest_confine confine = {
		.write_dir = h->write_dir,
		.image_flags = o->dry_run || h->keep_images ? DRY_OPEN_TEMPORARY : DRY_OPEN_WRITE | DRY_OPEN_CHANGE,
		.shell = h->terminal,
		.undo = o->undo,
		.read_paths = h->read_paths,
		.nread = h->nread,
		.trust_backing = h->guess_write,
	};
	bool fatal;
	int status;

	*job = (struct change_job){ .opts = o, .verb = verb };
	status = take_operands(job, o, argc, argv);
	if (status)
		return status;
	if (h->guess_write && confine.image_flags & DRY_OPEN_WRITE)
		confine.image_flags |= DRY_OPEN_GUESS_WRITE;
	o->guest.needs_machine = true;
	status = guest_set_open(&o->guest, &confine, &job->set, &fatal);
	if (status || fatal)
		return status ? status : EXIT_FAILED;
	job->ref = &job->set.guests[0];
	job->g = job->ref->guest;
	return begin_change(job, h);
}

int change_fail(const struct change_job *job, const struct dry_error *e)
{
	return guest_fail(job->ref, e);
}

int change_fail_path(const struct change_job *job, const char *path, const struct dry_error *e)
{
	return guest_fail_file(job->ref, path, e);
}

/* ---- the end ---- */

/* What is printed of a change: its files only where nothing was kept. */
static int show(struct change_job *job, struct dry_guest *before, struct dry_guest *after)
{
	struct guest_ref sides[2] = { { .label = job->ref->label, .guest = before }, { .label = job->ref->label, .guest = after } };
	struct diff d = { .times = true, .texts = true, .json = job->opts->json, .set = { .guests = sides, .nguests = 2 },
			  .text = STRBUF_INIT };
	int status = 0;

	if (d.json) {
		d.j = (struct json)JSON_INIT(&d.text, false);
		json_object(&d.j, NULL);
		json_str(&d.j, "image", job->ref->label);
		json_bool(&d.j, "dry_run", before != NULL);
		json_u64(&d.j, "bytes", job->result.bytes);
	}
	if (before)
		status = diff_files(&d);
	if (d.json) {
		json_object_end(&d.j);
		strbuf_putc(&d.text, '\n');
	} else if (before) {
		strbuf_printf(&d.text, "%" PRIu64 " bytes of %s would change\n", job->result.bytes, job->ref->label);
	}
	if (out_flush(&d.text))
		status = EXIT_FAILED;
	strbuf_free(&d.text);
	return status || d.trouble ? EXIT_FAILED : EXIT_DONE;
}

static int end_dry(struct change_job *job)
{
	struct dry_guest *before, *after;
	struct dry_error e = { .code = DRY_OK };
	int status = dry_change_preview(job->c, &before, &after, &job->result, &e) < 0 ? change_fail(job, &e) :
											    show(job, before, after);

	dry_change_abandon(take(job->c));
	return status;
}

static int end_kept(struct change_job *job)
{
	struct dry_error e = { .code = DRY_OK };
	int rc;

	/* Until here a signal ends the process, and nothing has happened. */
	progress_begin(&job->bar, (enum progress_mode)job->opts->progress);
	rc = dry_change_commit(take(job->c), &job->result, &e);
	progress_end(&job->bar);
	if (rc == -DRY_CANCELED)
		return progress_stopped();
	if (rc < 0)
		return change_fail(job, &e);
	return job->opts->json ? show(job, NULL, NULL) : EXIT_DONE;
}

int change_end(struct change_job *job, int status)
{
	if (job->c && !status)
		status = job->opts->dry_run ? end_dry(job) : end_kept(job);
	dry_change_abandon(take(job->c));
	guest_set_free(&job->set);
	return status;
}

int change_checkpoint(struct change_job *job)
{
	struct dry_error e = { .code = DRY_OK };
	int rc;

	if (job->opts->dry_run)
		return 0;
	progress_begin(&job->bar, (enum progress_mode)job->opts->progress);
	rc = dry_change_checkpoint(job->c, &job->result, &e);
	progress_end(&job->bar);
	if (rc == -DRY_CANCELED)
		return progress_stopped();
	return rc < 0 ? change_fail(job, &e) : 0;
}
