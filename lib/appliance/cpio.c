/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cpio.h"

#include "checked.h"
#include "io.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

struct member {
	const char *path;
	unsigned mode, major, minor;
	const void *bytes;
	size_t len;
};

static int put(struct cpio *c, const void *bytes, size_t len, struct err *e)
{
	int failed = io_write(c->fd, bytes, len);

	if (failed)
		return err_sys(e, failed, "initramfs");
	c->written += len;
	return 0;
}

static int pad(struct cpio *c, struct err *e)
{
	return put(c, "\0\0\0", (size_t)(round_up(c->written, 4) - c->written), e);
}

static int put_member(struct cpio *c, const struct member *m, struct err *e)
{
	size_t name = strlen(m->path) + 1;
	int rc;

	if (m->len > UINT32_MAX)
		return err_set(e, ERR_LIMIT, "%s is too large for an initramfs", m->path);
	strbuf_reset(&c->head);
	/* ino, mode, uid, gid, nlink, mtime, size, device of the file, device that it is, length of the name, checksum. */
	strbuf_printf(&c->head, "070701%08" PRIX32 "%08X%08X%08X%08X%08X%08zX%08X%08X%08X%08X%08zX%08X", ++c->ino, m->mode, 0u, 0u,
		      S_ISDIR(m->mode) ? 2u : 1u, 0u, m->len, 0u, 0u, m->major, m->minor, name, 0u);
	strbuf_add(&c->head, m->path, name);
	if (c->head.failed)
		return err_nomem(e);
	rc = put(c, c->head.s, c->head.len, e);
	if (rc == 0)
		rc = pad(c, e);
	if (rc == 0 && m->len)
		rc = put(c, m->bytes, m->len, e);
	return rc < 0 ? rc : pad(c, e);
}

void cpio_free(struct cpio *c)
{
	strbuf_free(&c->head);
}

int cpio_folder(struct cpio *c, const char *path, unsigned mode, struct err *e)
{
	return put_member(c, &(struct member){ .path = path, .mode = S_IFDIR | mode }, e);
}

int cpio_file(struct cpio *c, const char *path, unsigned mode, const void *bytes, size_t len, struct err *e)
{
	return put_member(c, &(struct member){ .path = path, .mode = S_IFREG | mode, .bytes = bytes, .len = len }, e);
}

int cpio_symlink(struct cpio *c, const char *path, const char *target, struct err *e)
{
	return put_member(c, &(struct member){ .path = path, .mode = S_IFLNK | 0777, .bytes = target, .len = strlen(target) }, e);
}

int cpio_char_device(struct cpio *c, const char *path, unsigned mode, unsigned major, unsigned minor, struct err *e)
{
	return put_member(c, &(struct member){ .path = path, .mode = S_IFCHR | mode, .major = major, .minor = minor }, e);
}

int cpio_end(struct cpio *c, struct err *e)
{
	return put_member(c, &(struct member){ .path = "TRAILER!!!" }, e);
}
