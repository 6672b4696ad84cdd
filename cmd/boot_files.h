/* SPDX-License-Identifier: GPL-2.0-or-later */
/* boot_files.h - kernels and initrds on their way out of a guest: shared by drydock boot and virt-get-kernel. */
#ifndef DRYDOCK_BOOT_FILES_H
#define DRYDOCK_BOOT_FILES_H

#include "cp_target.h"

/* The last part of a path. */
const char *boot_base_name(const char *path);
/*
 * Opens the folder that is written to, before confinement: the descriptor is that of t.  false with *reason, words for a sentence
 * about the folder.
 */
bool boot_target_open(struct cp_target *t, const char *folder, const char **reason);
/* Copies a file, which need not be in the guest's tree, under the name: readable by whoever may make files. */
int boot_file_copy(struct cp_target *t, struct dry_guest *g, struct dry_node node, const char *path, const char *name,
		   struct dry_error *e);

#endif
