/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* registry.c - the filesystems that we know, containers first. */
#include "fs_driver.h"

const struct fs_driver *const fs_drivers[] = {
	&fs_known,
	&fs_ext,
	&fs_btrfs,
	&fs_iso,
	&fs_squashfs,
	&fs_xfs,
	&fs_fat,
	&fs_exfat,
	&fs_ntfs,
	NULL,
};
