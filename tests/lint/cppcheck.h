/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cppcheck.h - macros of other people's headers, which cppcheck does not read. */
#define json_object_foreach(object, key, value) for (key = "", value = object; key; key = NULL)
#define json_array_foreach(array, index, value) for (index = 0, value = array; index < 1; index++)
