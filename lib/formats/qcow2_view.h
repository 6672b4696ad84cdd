/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qcow2_view.h - a disk seen as the qcow2 file it would be.
 *
 * The map of the disk tells where all metadata and data will lie, so every byte of the file can be told without
 * writing it anywhere: it can go through a pipe, front to back.
 */
#ifndef DRYDOCK_QCOW2_VIEW_H
#define DRYDOCK_QCOW2_VIEW_H

#include "block.h"

struct qcow2_view_how {
	struct block *const *sources; /* one behind the other; referenced */
	size_t nsources;
	uint64_t size;		/* of the disk: at least theirs together */
	uint64_t cluster_size;	/* a power of two from 512 to 2 MiB */
};
/*
 * Reads the sources' maps.  *out is a read-only node: header, refcount table and blocks, L1, L2 tables, data in the
 * order of the disk.  What the maps know to be zeros is left out.  The sources must not change while it is used.
 */
int qcow2_view(const struct qcow2_view_how *how, struct block **out, struct err *e);

#endif
