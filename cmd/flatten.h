/* SPDX-License-Identifier: GPL-2.0-or-later */
/* flatten.h - a JSON object as lines for people. */
#ifndef DRYDOCK_FLATTEN_H
#define DRYDOCK_FLATTEN_H

#include <stdbool.h>

/*
 * Calls each() for every leaf of a JSON object: "refcount-bits" and "16", "bitmaps[0].name" and "b", with yes and no
 * for true and false.  Strings are as they are: quote them before printing.  false when the text is no JSON object.
 */
bool flatten_json(const char *text, void (*each)(void *arg, const char *path, const char *value), void *arg);

#endif
