/* SPDX-License-Identifier: GPL-2.0-or-later */
/* boot_files.c - kernels and initrds on their way out of a guest. */
#include "boot_files.h"

#include "cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

const char *boot_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

bool boot_target_open(struct cp_target *t, const char *folder, const char **reason)
{
	t->base = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*reason = t->base < 0 ? strerror(errno) : NULL;
	if (t->base < 0)
		return false;
	cp_target_begin(t);
	return true;
}

int boot_file_copy(struct cp_target *t, struct dry_guest *g, struct dry_node node, const char *path, const char *name,
		   struct dry_error *e)
{
	struct dry_entry ent = { .path = path, .rel = "", .name = "", .node = node };
	int rc = dry_node_stat(g, node, &ent.stat, e);

	if (rc < 0)
		return rc;
	/* Two names of one file become two files: links of a guest are no business of a boot loader. */
	ent.stat.nlink = 1;
	t->guest = g;
	return cp_target_put(t, name, &ent, e);
}
