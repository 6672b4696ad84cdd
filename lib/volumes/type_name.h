/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* type_name.h - what a partition's type byte or UUID means, in words. */
#ifndef DRYDOCK_TYPE_NAME_H
#define DRYDOCK_TYPE_NAME_H

#include <stdint.h>

/* NULL when it is not one of the known. */
const char *volume_mbr_type_name(uint8_t type);
/* uuid as text_uuid() writes it. */
const char *volume_gpt_type_name(const char *uuid);

#endif
