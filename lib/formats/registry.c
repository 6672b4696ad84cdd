/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* registry.c - the drivers, and nothing else. */
#include "block_driver.h"

#include <string.h>

const struct block_driver *const block_drivers[] = {
	&block_host,
	&block_host_device,
	&block_qcow2,
	&block_raw,
	&block_null_co,
	&block_null_aio,
	&block_blkdebug,
	&block_quorum,
	&block_copy_on_read,
	&block_throttle,
	&block_luks,
	&block_nbd,
	&block_http,
	&block_https,
	NULL,
};

const struct block_driver *block_driver_find(const char *name)
{
	for (size_t i = 0; block_drivers[i]; i++)
		if (strcmp(block_drivers[i]->name, name) == 0)
			return block_drivers[i];
	return NULL;
}
