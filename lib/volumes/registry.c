/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* registry.c - the partition tables and the volumes made of others that we read, in the order in which they are tried. */
#include "volume_driver.h"

const struct volume_driver *const volume_drivers[] = {
	&volume_raid_disk,
	&volume_gpt,
	&volume_mbr,
	&volume_mac,
	&volume_bsd,
	NULL,
};

/* Those that may be parts of the ones behind them come first. */
const struct volume_stack *const volume_stacks[] = {
	&volume_md,
	&volume_bitlocker,
	&volume_luks,
	&volume_lvm,
	NULL,
};
