/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest_images.c - the disks and volumes of a guest as images of their bytes. */
#include "guest_api.h"
#include "image.h"

static int image_of(struct block *b, struct dry_image **out, struct err *e)
{
	return image_new(block_ref(b), out, e);
}

int dry_guest_disk_image(struct dry_guest *g, size_t disk, struct dry_image **out, struct dry_error *error)
{
	API_ERR(e, error);

	*out = NULL;
	if (disk >= g->ndisks)
		return err_set(e, ERR_USAGE, "there is no disk %zu", disk);
	return image_of(g->disks[disk], out, e);
}

int dry_guest_volume_image(struct dry_guest *g, size_t volume, struct dry_image **out, struct dry_error *error)
{
	API_ERR(e, error);
	int rc = guest_scan(g, e);

	*out = NULL;
	if (rc < 0)
		return rc;
	if (volume >= g->contents.n)
		return err_set(e, ERR_USAGE, "there is no volume %zu", volume);
	return image_of(g->contents.items[volume].vol->block, out, e);
}
