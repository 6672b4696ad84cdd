/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* convert_bitmaps.h - the bitmaps of an image go into its copy. */
#ifndef DRYDOCK_CONVERT_BITMAPS_H
#define DRYDOCK_CONVERT_BITMAPS_H

#include "block.h"

/* Before anything is copied: has the source bitmaps, and are all of them sound (or to be skipped)? */
int convert_judge_bitmaps(struct block *source, bool skip_broken, struct err *e);
/* Adds each to the target, enabled where it is in the source; the target must not have one of the name. */
int convert_copy_bitmaps(struct block *source, struct block *target, struct err *e);

#endif
