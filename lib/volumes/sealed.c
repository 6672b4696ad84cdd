/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sealed.c - volumes that are encrypted in a way that is recognised and not opened.
 *
 * BitLocker has a signature at the place where other filesystems of Windows have their name; on a removable disk, which looks
 * like FAT to those who do not know it, a GUID.  TrueCrypt and VeraCrypt have none, so that their volumes cannot be told from
 * noise; where they encrypt a whole system, the boot loader that asks for the passphrase gives its name.
 */
#include "volume_driver.h"

#include "alloc.h"

#include <string.h>

enum { SECTOR = 512, TO_GO_AT = 424 };

static const char fve[] = "-FVE-FS-";
static const uint8_t to_go[16] = { 0x3b, 0xd6, 0x67, 0x49, 0x29, 0x2e, 0xd8, 0x4a,
				   0x83, 0x99, 0xf6, 0xa3, 0x39, 0xe3, 0xd0, 0x01 };

static bool first_sector(struct block *b, uint8_t sector[SECTOR])
{
	return block_size(b) >= SECTOR && block_pread(b, sector, SECTOR, 0, NULL) == 0;
}

static int bitlocker_assemble(struct volume_list *l, const struct volume_how *how, bool last, struct err *e)
{
	uint8_t sector[SECTOR];

	(void)how;
	(void)last;
	for (size_t i = 0; i < l->n; i++) {
		struct volume *v = &l->items[i];
		int rc;

		if (!volume_is_leaf(v) || !first_sector(v->block, sector) ||
		    (memcmp(sector + 3, fve, sizeof fve - 1) != 0 && memcmp(sector + TO_GO_AT, to_go, sizeof to_go) != 0))
			continue;
		v->locked = true;
		rc = volume_warn(l, e, "%s is encrypted with BitLocker, which is not opened here", v->name);
		if (rc < 0)
			return rc;
	}
	return 0;
}

const struct volume_stack volume_bitlocker = {
	.name = "bitlocker",
	.assemble = bitlocker_assemble,
};

int volume_warn_sealed(struct block *disk, struct volume_list *l, struct err *e)
{
	static const char *const loaders[] = { "VeraCrypt Boot Loader", "TrueCrypt Boot Loader" };
	uint8_t sector[SECTOR];

	if (!first_sector(disk, sector))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(loaders); i++)
		if (memmem(sector, SECTOR, loaders[i], strlen(loaders[i])))
			return volume_warn(l, e, "the system on it is encrypted with %.9s, which is not opened here",
					   loaders[i]);
	return 0;
}
