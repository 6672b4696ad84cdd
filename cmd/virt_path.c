/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virt_path.c - paths as Windows has them, under the peers' names. */
#include "virt.h"

#include "alloc.h"

#include <ctype.h>
#include <stdio.h>

/* The volume of a letter becomes the root, if it is not.  0, or EXIT_FAILED. */
static int take_letter(struct virt *v, const struct dry_windows *w, char letter, bool *elsewhere)
{
	CLEANUP(free_ptr) char *volume = NULL;
	struct dry_error e = { .code = DRY_OK };
	struct dry_mount root;

	for (size_t i = 0; i < w->ndrives && !volume; i++)
		if (w->drives[i].letter == toupper((unsigned char)letter) && w->drives[i].volume)
			volume = alloc_strdup(w->drives[i].volume);
	if (!volume) {
		fprintf(stderr, "%s: drive '%c:' not found.\n", v->name, tolower((unsigned char)letter));
		return EXIT_FAILED;
	}
	if (dry_guest_mount_at(v->guest, 0, &root) && strcmp(root.volume, volume) == 0)
		return 0;
	*elsewhere = true;
	dry_guest_unmount(v->guest);
	return dry_guest_mount(v->guest, volume, NULL, "/", &e) < 0 ? virt_call_failed("mount_ro", volume, &e) : 0;
}

char *virt_windows_path(struct virt *v, const char *path, bool *elsewhere)
{
	const bool letter = isalpha((unsigned char)path[0]) && path[1] == ':';
	struct dry_windows w;
	char *copy;

	*elsewhere = false;
	/* With -m nothing was inspected. */
	if (!v->mounts.n && dry_guest_windows(v->guest, &w, NULL) == 0) {
		if (letter && take_letter(v, &w, path[0], elsewhere))
			return NULL;
		copy = alloc_printf("%s%s", letter && path[2] != '/' && path[2] != '\\' ? "/" : "", letter ? path + 2 : path);
		for (char *p = copy; p && *p; p++)
			if (*p == '\\')
				*p = '/';
	} else {
		copy = alloc_strdup(path);
	}
	if (!copy)
		fprintf(stderr, "%s: out of memory\n", v->name);
	return copy;
}

int virt_mount_again(struct virt *v)
{
	struct dry_error e = { .code = DRY_OK };

	dry_guest_unmount(v->guest);
	return dry_guest_mount_auto(v->guest, false, &e) < 0 ? virt_call_failed("mount_ro", "/", &e) : 0;
}
