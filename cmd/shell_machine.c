/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shell_machine.c - the machine of a session that only reads: started by the first command that cannot do without.
 *
 * Until then files are read directly.  The machine gets what is mounted, read-only as the session's options are, and the disks
 * with temporary files over them: what is written there goes with the session.
 */
#include "shell.h"

#include "alloc.h"

#include <inttypes.h>

/* The options that a command gave for the last mount on a path; NULL: the session's own options mounted it. */
static const char *told_options(const struct shell *s, const char *path)
{
	const char *options = NULL;

	for (size_t i = 0; i < s->nmounted; i++)
		if (strcmp(s->mounted[i].path, path) == 0)
			options = s->mounted[i].options;
	return options;
}

char *shell_mount_options(const struct shell *s, const struct dry_mount *m)
{
	const char *told = told_options(s, m->path), *options = s->peer && told ? told : "ro";

	return m->subvolume ? alloc_printf("%s%ssubvolid=%" PRIu64, options, *options ? "," : "", m->subvolume)
			    : alloc_strdup(options);
}

struct kept_mounts {
	struct dry_shell_mount *mounts;
	char *(*texts)[3]; /* what each consists of */
	size_t n;
};

static void kept_free(struct kept_mounts *k)
{
	for (size_t i = 0; i < k->n; i++)
		for (size_t t = 0; t < 3; t++)
			free(k->texts[i][t]);
	free(k->texts);
	free(k->mounts);
}

static bool keep(struct shell *s, struct kept_mounts *k)
{
	struct dry_mount m;
	size_t n = 0;

	while (dry_guest_mount_at(s->g, n, &m))
		n++;
	k->mounts = alloc_array(n + 1, sizeof *k->mounts);
	k->texts = alloc_array(n + 1, sizeof *k->texts);
	if (!k->mounts || !k->texts)
		return false;
	for (; k->n < n && dry_guest_mount_at(s->g, k->n, &m); k->n++) {
		char **t = k->texts[k->n];

		t[0] = alloc_strdup(m.volume);
		t[1] = alloc_strdup(m.path);
		t[2] = shell_mount_options(s, &m);
		k->mounts[k->n] = (struct dry_shell_mount){ t[0], t[1], t[2] && *t[2] ? t[2] : NULL, NULL };
		if (!t[0] || !t[1] || !t[2]) {
			k->n++;
			return false;
		}
	}
	return true;
}

/* Without a machine what was mounted is read directly, as before. */
static void mount_again(struct shell *s, const struct kept_mounts *k)
{
	for (size_t i = 0; i < k->n; i++)
		dry_guest_mount(s->g, k->mounts[i].volume, k->mounts[i].options, k->mounts[i].path, NULL);
}

int shell_machine(struct shell *s)
{
	CLEANUP(kept_free) struct kept_mounts kept = { .n = 0 };
	struct dry_change_how how = { .all_volumes = true };
	struct dry_error e = { .code = DRY_OK };

	if (!s->set.machines)
		return shell_error(s, "this needs a machine, and there is no appliance (drydock appliance build makes one)");
	if (!keep(s, &kept))
		return shell_nomem(s);
	dry_guest_unmount(s->g);
	how.mounts = kept.mounts;
	how.nmounts = kept.n;
	if (dry_guest_change(s->g, &how, &s->c, &e) >= 0)
		return 0;
	mount_again(s, &kept);
	return shell_error(s, "%s", e.msg);
}
