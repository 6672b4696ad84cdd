/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* info.h - what an appliance was built from, as its builder wrote it down in info.json. */
#ifndef DRYDOCK_INFO_H
#define DRYDOCK_INFO_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct appliance_kernel {
	char *backend, *release, *source;
	char *filesystems; /* blanks between */
	uint64_t size, initrd_size;
};

struct appliance_tool {
	char *package, *missing; /* names with blanks between */
	uint64_t nprograms;
	bool mounts;
};

struct appliance_info {
	char *folder, *version, *key;
	struct appliance_kernel kernels[2];
	size_t nkernels;
	struct appliance_tool *tools;
	size_t ntools;
	uint64_t tools_size;
};

/* Of the appliance in that folder; NULL: of the one that appliance_files_find() finds. */
int appliance_info_read(const char *folder, struct appliance_info *out, struct err *e);
void appliance_info_free(struct appliance_info *i); /* for CLEANUP; zeroed is fine */

#endif
