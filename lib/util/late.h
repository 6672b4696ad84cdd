/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * late.h - a library that is loaded when it is needed: its start takes longer than most commands, or few machines have
 * it.
 */
#ifndef DRYDOCK_LATE_H
#define DRYDOCK_LATE_H

#include <stddef.h>

/* A function by its name, and the address of the pointer that is to lead to it. */
struct late_symbol {
	const char *name;
	void *to;
};

/* Of a list of names f(a) f(b) ... and a struct with a pointer to a function of each name: see its users. */
#define LATE_MEMBER(name) __typeof__(name) *name;

/* Looks up all of `symbols` in `library` (or RTLD_DEFAULT: what is loaded for all); the first name that it lacks, or NULL. */
const char *late_find(void *library, const struct late_symbol *symbols, size_t n);

/*
 * Loads `soname` with dlopen()'s `flags` (RTLD_LOCAL, RTLD_GLOBAL) and looks up all of `symbols`.
 * Returns the library, for dlclose(); NULL when it is not there, then *missing is NULL, or when it is not what we know:
 * then *missing is the name that it lacks, and it is not loaded any more.
 */
void *late_load(const char *soname, int flags, const struct late_symbol *symbols, size_t n, const char **missing);

#endif
