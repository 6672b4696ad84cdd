/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest_file.c - a regular file of the guest that is read at places. */
#include "guest_file.h"

#include <sys/stat.h>

int guest_file_find(struct vfs *v, const char *path, struct guest_file *f, struct err *e)
{
	struct err why = ERR_INIT;
	struct fs_stat st;
	int rc = vfs_lookup(v, path, true, &f->node, &why);

	if (rc == 0)
		rc = fs_stat(f->node.fs, f->node.ino, &st, &why);
	if (rc == -ERR_NOMEM)
		return err_nomem(e);
	if (rc < 0 || !S_ISREG(st.mode))
		return 0;
	f->size = st.size;
	return 1;
}

int guest_file_read(const struct guest_file *f, void *buf, size_t len, uint64_t off, struct err *e)
{
	size_t got;
	int rc = fs_pread(f->node.fs, f->node.ino, buf, len, off, &got, e);

	if (rc < 0)
		return rc;
	return got == len ? 0 : err_set(e, ERR_CORRUPT, "it ends inside a record");
}
