/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "virt_change.h"

#include "alloc.h"

#include <stdio.h>

static int begin_failed(const struct virt *v, const struct dry_error *e)
{
	if (e->code == DRY_NOT_FOUND && !v->mounts.n)
		fprintf(stderr,
			"%s: no operating system was found on this disk\n\n"
			"virt-filesystems lists the filesystems that are there; -m mounts one of them.\n",
			v->name);
	else if (e->code == DRY_USAGE && !v->mounts.n)
		fprintf(stderr, "%s: multi-boot operating systems are not supported: %s\n", v->name, e->msg);
	else
		fprintf(stderr, "libguestfs: error: mount: %s\n", e->msg);
	return EXIT_FAILED;
}

static int begin(struct virt *v, struct dry_change **out)
{
	CLEANUP(free_ptr) struct dry_shell_mount *mounts = alloc_array(v->mounts.n + 1, sizeof *mounts);
	CLEANUP(free_ptr) char **copies = alloc_array(v->mounts.n + 1, sizeof *copies);
	const struct dry_change_how how = { .mounts = mounts, .nmounts = v->mounts.n, .inspect = !v->mounts.n };
	struct dry_error e = { .code = DRY_OK };
	const char *note;
	int rc = v->mounts.n ? VIRT_GO_ON : virt_unlocked(v);

	if (rc != VIRT_GO_ON)
		return rc;
	if (!mounts || !copies || guest_mounts_split(&v->mounts, mounts, copies)) {
		fprintf(stderr, "%s: out of memory\n", v->name);
		rc = EXIT_FAILED;
	} else if (dry_guest_change(v->guest, &how, out, &e) < 0) {
		rc = begin_failed(v, &e);
	}
	for (size_t i = 0; copies && i < v->mounts.n; i++)
		free(copies[i]);
	virt_warnings(v);
	for (size_t i = 0; v->verbose && (note = dry_guest_note(v->guest, i)); i++)
		fprintf(stderr, "%s: %s\n", v->name, note);
	return rc;
}

int virt_change_begin(struct virt *v, const struct change_host *host, struct dry_change **out)
{
	const struct guest_confine confine = {
		.write_dir = -1,
		.trust_backing = true,
		.image_flags = host && host->keep_images ? DRY_OPEN_TEMPORARY
							 : DRY_OPEN_WRITE | DRY_OPEN_CHANGE | DRY_OPEN_GUESS_WRITE,
		.read_paths = host ? host->read_paths : NULL,
		.nread = host ? host->nread : 0,
	};
	CLEANUP(guest_set_free) struct guest_set set = { .guests = NULL };
	bool fatal;
	int rc = virt_set_of_images(v, &set);

	*out = NULL;
	if (rc != VIRT_GO_ON)
		return rc;
	v->opts.verbose = v->verbose;
	v->opts.needs_machine = true;
	v->opts.keys.peer = v->name;
	v->opts.keys.ask = v->opts.keys.echo || !v->mounts.n;
	if (guest_set_open(&v->opts, &confine, &set, &fatal))
		return EXIT_FAILED;
	v->guest = take(set.guests[0].guest);
	v->machines = take(set.machines);
	return begin(v, out);
}

int virt_change_end(struct virt *v, struct dry_change *c, int status)
{
	struct dry_error e = { .code = DRY_OK };

	if (!c || status != EXIT_DONE) {
		dry_change_abandon(c);
		return status;
	}
	if (dry_change_commit(c, NULL, &e) == 0)
		return EXIT_DONE;
	fprintf(stderr, "%s: %s\n", v->name, e.msg);
	return EXIT_FAILED;
}
