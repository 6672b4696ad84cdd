/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * modules.h - the modules of one kernel, and the order in which they are to be loaded.
 *
 * From the files that depmod writes: modules.dep names each module's file and those that it needs, modules.softdep those
 * that it asks for when it runs, modules.alias other names, modules.builtin what is in the kernel itself.
 */
#ifndef DRYDOCK_MODULES_H
#define DRYDOCK_MODULES_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>

struct module {
	char *name; /* as the kernel calls it: xts, dm_mod */
	char *file; /* below the folder of modules; NULL: built in */
	char *needs; /* the rest of its line in modules.dep */
};

struct module_pair {
	char *name, *value;
};

struct modules {
	struct module *list; /* sorted by name */
	size_t n;
	struct module_pair *soft; /* a module, and one line of what it asks for before it; sorted */
	size_t nsoft;
	struct module_pair *aliases; /* those without patterns; sorted */
	size_t naliases;
};

/* The texts are those of modules.dep, .softdep, .alias and .builtin; NULL where there is no such file. */
int modules_parse(struct modules *m, const char *dep, const char *softdep, const char *alias, const char *builtin, struct err *e);
void modules_free(struct modules *m); /* for CLEANUP; zeroed is fine */
/* NULL when the kernel has no such module; - and _ are the same. */
const struct module *modules_find(const struct modules *m, const char *name);

/* Modules in the order in which they are to be loaded, each once; pointers into the modules. */
struct module_order {
	const struct module **list;
	size_t n;
};
/*
 * Appends a module behind all that it needs and asks for; what is built in takes no place.  1, or 0 where neither a module
 * nor an alias has that name.  A circle ends where it began.
 */
int modules_order(const struct modules *m, const char *name, struct module_order *out, struct err *e);
void module_order_free(struct module_order *o); /* for CLEANUP; zeroed is fine */

#endif
