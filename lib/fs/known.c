/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs_driver.h"
static int p(struct block *d, struct fs_id *i, struct err *e){(void)d;(void)i;(void)e;return 0;}
const struct fs_driver fs_known={.name="known",.probe=p};
