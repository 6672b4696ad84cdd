/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* upcase.h - letters that Windows takes for the same, where a filesystem brings no table of its own. */
#ifndef DRYDOCK_UPCASE_H
#define DRYDOCK_UPCASE_H

#include <stdint.h>

/* The upper case of a unit of UTF-16, or the unit itself. */
uint16_t upcase_unit(uint16_t unit);

#endif
