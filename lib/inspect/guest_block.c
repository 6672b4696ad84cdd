/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest_block.c - a file of the guest as a disk.  As the filesystem, it belongs to one thread at a time. */
#include "guest_block.h"

#include "alloc.h"
#include "block_driver.h"

struct state {
	struct guest_file f;
	struct fs *fs; /* one reference */
};

static int file_pread(struct block *b, void *buf, size_t len, uint64_t off, struct err *e)
{
	const struct state *s = b->state;

	return guest_file_read(&s->f, buf, len, off, e);
}

static void file_close(struct block *b)
{
	fs_close(((struct state *)b->state)->fs);
}

static const struct block_driver file_driver = {
	.name = "guest-file",
	.state_size = sizeof(struct state),
	.pread = file_pread,
	.close = file_close,
};

int guest_block_open(const struct guest_file *f, const char *name, struct block **out, struct err *e)
{
	CLEANUP(block_unrefp) struct block *b = NULL;
	int rc = block_new_filter(&file_driver, NULL, &b, e);

	if (rc < 0)
		return rc;
	free(b->name);
	b->name = alloc_strdup(name);
	if (!b->name)
		return err_nomem(e);
	b->size = f->size;
	*(struct state *)b->state = (struct state){ .f = *f, .fs = fs_ref(f->node.fs) };
	*out = take(b);
	return 0;
}
