/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest_usr.c - a /usr that the root's fstab does not name: Flatcar and CoreOS have two volumes for it, of which the boot loader
 * chooses one, as do images by the discoverable partitions specification.  Taken is the one of the highest version.
 */
#include "guest.h"

#include "alloc.h"
#include "limits.h"
#include "os.h"
#include "strbuf.h"

#include <string.h>
#include <sys/stat.h>

/* The version of what would be /usr in an item; 1, or 0 when that is none, or cannot be read. */
static int usr_version(const struct contents *c, const struct content *it, char **version, struct err *e)
{
	static const char *const places[] = { "/bin", "/lib", "/share" };
	CLEANUP(fs_closep) struct fs *fs = NULL;
	CLEANUP(vfs_freep) struct vfs *v = NULL;
	CLEANUP(free_ptr) char *text = NULL;
	struct err why = ERR_INIT;
	size_t len;
	int rc = content_open(c, it, &fs, &why);

	if (rc == 0)
		rc = vfs_new(&v, &why);
	if (rc == 0)
		rc = vfs_mount(v, fs, "/", &why);
	if (rc < 0)
		return rc == -ERR_NOMEM ? err_nomem(e) : 0;
	fs = NULL;
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		rc = os_has(v, places[i], S_IFDIR, e);
		if (rc <= 0)
			return rc;
	}
	/* A root has such folders, too, where they are no links; but then it has /etc. */
	rc = os_has(v, "/etc", S_IFDIR, e);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (vfs_read_file(v, "/lib/os-release", LIMIT_CONFIG_BYTES, &text, &len, &why) < 0)
		return why.code == ERR_NOMEM ? err_nomem(e) : 0;
	rc = os_shell_value(text, "VERSION_ID", version, e);
	return rc < 0 ? rc : 1;
}

int guest_mount_usr(const struct contents *c, struct guest *g, struct err *e)
{
	const struct content *best = NULL;
	CLEANUP(free_ptr) char *best_version = NULL;
	struct err why = ERR_INIT;
	int rc;

	if (vfs_is_dir(g->vfs, "/usr/bin") || !vfs_is_dir(g->vfs, "/usr"))
		return 0;
	for (size_t i = 0; i < c->n; i++) {
		const struct content *it = &c->items[i];
		CLEANUP(free_ptr) char *version = NULL;
		bool mounted = false;

		for (size_t k = 0; k < g->nmounted; k++)
			mounted |= g->mounted[k] == it;
		if (mounted || !it->id.readable || it->again || it->vol->snapshot)
			continue;
		rc = usr_version(c, it, &version, e);
		if (rc < 0)
			return rc;
		if (rc == 0 || (best && strverscmp(version ? version : "", best_version ? best_version : "") <= 0))
			continue;
		best = it;
		free(best_version);
		best_version = take(version);
	}
	if (!best)
		return 0;
	rc = guest_mount(c, best->vol->name, NULL, "/usr", g, &why);
	if (rc == -ERR_NOMEM)
		return err_nomem(e);
	return rc < 0 ? sentence_add(&g->notes, &g->nnotes, e, "/usr is not mounted: %s", why.msg) : 0;
}
