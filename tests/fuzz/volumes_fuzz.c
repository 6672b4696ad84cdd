/* SPDX-License-Identifier: GPL-2.0-or-later */
/* volumes_fuzz.c - partition tables, and the magics of what may lie in each partition. */
#include "memory.h"

#include "fs.h"
#include "volume.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct block *disk = memory_disk(data, len);
	struct volume_list l = { 0 };
	struct err e = ERR_INIT;
	int rc;

	if (!disk)
		return 0;
	rc = volume_scan(disk, 0, &l, &e);
	if ((rc < 0) != (e.code != ERR_NONE) || (rc < 0 && l.n) || (rc >= 0 && !l.sector_size))
		abort();
	for (size_t i = 0; i < l.n; i++) {
		const struct volume *v = &l.items[i];
		struct fs_id id;

		if (v->off > block_size(disk) || v->size > block_size(disk) - v->off || block_size(v->block) != v->size)
			abort();
		volume_type_name(v);
		if (i < 16 && fs_probe(v->block, &id, &e) < 0)
			abort();
	}
	volume_list_free(&l);
	block_unref(disk);
	return 0;
}
