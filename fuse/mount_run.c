/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mount_run.h"

#include "alloc.h"
#include "pool.h"
#include "strbuf.h"

#include <stdio.h>

/* ---- snapshots, with --blocks ---- */

static const char *keep_name(struct mount_run *r, const char *text)
{
	char **names = alloc_resize(r->names, r->nnames + 1, sizeof *names);
	char *copy = text ? alloc_strdup(text) : NULL;

	if (names)
		r->names = names;
	if (!names || !copy) {
		free(copy);
		fprintf(stderr, "%s: out of memory\n", r->name);
		return NULL;
	}
	return r->names[r->nnames++] = copy;
}

static int add_snapshot(struct mount_run *r, size_t disk, const struct dry_snapshot *s)
{
	const struct guest_ref *g = &r->set.guests[0];
	const char *image = g->images[disk], *format = g->formats ? g->formats[disk] : r->opts->image.format;
	CLEANUP(free_ptr) char *file = g->nimages > 1 ? alloc_printf("sd%c-%s", (char)('a' + disk % 26), s->name)
						      : alloc_strdup(s->name);
	const char *id = keep_name(r, s->id), *label = keep_name(r, file);

	if (!id || !label || guest_set_add(&r->set, &image, &format, 1))
		return EXIT_FAILED;
	r->set.guests[r->set.nguests - 1].snapshot = id;
	r->set.guests[r->set.nguests - 1].label = label;
	return EXIT_DONE;
}

/* Makes each internal snapshot of the guest's disks a guest of the set.  What cannot be opened is told when the guest is. */
static int find_snapshots(struct mount_run *r)
{
	const size_t ndisks = r->set.guests[0].nimages;
	int status = EXIT_DONE;

	for (size_t i = 0; i < ndisks && status == EXIT_DONE; i++) {
		const struct guest_ref *g = &r->set.guests[0];
		const struct dry_open how = {
			.format = g->formats ? g->formats[i] : r->opts->image.format,
			.flags = DRY_OPEN_FACTS | DRY_OPEN_NO_BACKING | DRY_OPEN_FORCE_SHARE,
		};
		const struct dry_snapshot *s;
		struct dry_image *image;
		size_t n = 0;

		if (dry_image_open(g->images[i], &how, &image, NULL) < 0)
			continue;
		if (dry_image_snapshots(image, &s, &n, NULL) < 0)
			n = 0;
		for (size_t k = 0; k < n && status == EXIT_DONE; k++)
			status = add_snapshot(r, i, &s[k]);
		dry_image_close(image);
	}
	return status;
}

/* ---- the server ---- */

/* Begins the change that what is written goes to; NULL with a sentence printed. */
static struct dry_change *change_begin(struct mount_run *r)
{
	const struct opt_list *texts = &r->opts->mounts;
	const struct guest_ref *ref = &r->set.guests[0];
	CLEANUP(free_ptr) struct dry_shell_mount *mounts = alloc_array(texts->n + 1, sizeof *mounts);
	CLEANUP(free_ptr) char **copies = alloc_array(texts->n + 1, sizeof *copies);
	struct dry_error e = { .code = DRY_OK };
	const struct dry_change_how how = { .mounts = mounts, .nmounts = texts->n, .inspect = !texts->n, .any = true };
	struct dry_change *c = NULL;

	if (!mounts || !copies || guest_mounts_split(texts, mounts, copies))
		fprintf(stderr, "%s: out of memory\n", r->name);
	else if (dry_guest_change(ref->guest, &how, &c, &e) < 0)
		guest_fail(ref, &e);
	for (size_t i = 0; copies && i < texts->n; i++)
		free(copies[i]);
	guest_notes(r->opts, ref);
	return c;
}

/* The files of a guest that is changed: what was written is kept at the end, all of it or nothing. */
static int serve_change(struct mount_run *r, const struct server_how *server)
{
	struct tree_how how = { r->opts, &r->set.guests[0], &r->mount, *server, change_begin(r), r->discard, r->commit_every,
				false };
	struct dry_error e = { .code = DRY_OK };
	int status;

	if (!how.change)
		return EXIT_FAILED;
	status = tree_serve(&how);
	if (status != EXIT_DONE || r->discard || server_is_stopped(server->control)) {
		dry_change_abandon(how.change);
		return status;
	}
	return dry_change_commit(how.change, NULL, &e) < 0 ? guest_fail(how.ref, &e) : EXIT_DONE;
}

static unsigned image_flags(const struct mount_run *r)
{
	if (!r->write)
		return 0;
	if (r->discard)
		return DRY_OPEN_TEMPORARY;
	return DRY_OPEN_WRITE | (r->blocks ? 0 : DRY_OPEN_CHANGE) | (r->guess_write ? DRY_OPEN_GUESS_WRITE : 0);
}

static int serve(void *arg, int control)
{
	struct mount_run *r = arg;
	struct server_early early;
	const struct server_how server = {
		.f = r->f,
		.name = r->name,
		.control = control,
		.args = &r->mount.args,
		.early = &early,
		.quiet = !r->foreground,
	};
	const struct guest_confine confine = {
		.write_dir = -1,
		.trust_backing = r->trust_backing,
		.image_flags = image_flags(r),
		.mount = true,
	};
	bool fatal;
	int status;

	server_prepare(&early, control);
	/* A machine would go on with what it has read. */
	if (r->blocks || r->live)
		r->opts->engine = DRY_ENGINE_DIRECT;
	else if (r->write)
		r->opts->needs_machine = true;
	else if (!r->live)
		r->set.handles = MIN_OF(pool_threads(), 4u);
	status = guest_set_open(r->opts, &confine, &r->set, &fatal);
	if (fatal || !r->set.guests[0].guest)
		return status ? status : EXIT_FAILED;
	if (r->blocks) {
		const struct blocks_how how = { &r->set, &r->mount, r->write, server };

		status = blocks_serve(&how);
	} else if (r->write) {
		status = serve_change(r, &server);
	} else if (guest_ready(r->opts, &r->set, 0)) {
		const struct tree_how how = { r->opts, &r->set.guests[0], &r->mount, server, NULL, false, 0, r->live };

		status = tree_serve(&how);
	} else {
		status = EXIT_FAILED;
	}
	guest_set_free(&r->set);
	return status;
}

/* ---- the whole ---- */

/* "fsname=web.qcow2,subtype=drydock,ro": what mount(8) and df(1) show. */
static int own_args(struct mount_run *r)
{
	CLEANUP(strbuf_free) struct strbuf b = STRBUF_INIT;

	strbuf_puts(&b, "fsname=");
	for (const char *p = r->set.guests[0].label; *p; p++) {
		if (*p == ',' || *p == '\\')
			strbuf_putc(&b, '\\');
		strbuf_putc(&b, *p);
	}
	strbuf_printf(&b, ",subtype=drydock%s", r->write ? "" : ",ro");
	if (b.failed || r->f->fuse_opt_add_arg(&r->mount.args, "-o") != 0 ||
	    r->f->fuse_opt_add_arg(&r->mount.args, b.s) != 0) {
		fprintf(stderr, "%s: out of memory\n", r->name);
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}

int mount_run(struct mount_run *r)
{
	const struct keeper_how how = {
		.f = r->f,
		.name = r->name,
		.mountpoint = r->mountpoint,
		.args = &r->mount.args,
		.foreground = r->foreground,
		.ready_fd = r->ready_fd,
		.pid_file = r->pid_file,
		.serve = serve,
		.arg = r,
	};
	int status = own_args(r);

	/* An image that is written to is nobody else's, its snapshots not ours to read either. */
	if (status == EXIT_DONE && r->blocks && !r->write)
		status = find_snapshots(r);
	return status == EXIT_DONE ? keeper_run(&how) : status;
}

void mount_run_free(struct mount_run *r)
{
	guest_set_free(&r->set);
	if (r->f)
		r->f->fuse_opt_free_args(&r->mount.args);
	for (size_t i = 0; i < r->nnames; i++)
		free(r->names[i]);
	free(r->names);
}
