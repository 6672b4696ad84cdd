/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "late.h"

#include <dlfcn.h>
#include <string.h>

const char *late_find(void *library, const struct late_symbol *symbols, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		void *at = dlsym(library, symbols[i].name);

		if (!at)
			return symbols[i].name;
		/* A pointer to a function and one to an object are the same to dlsym(), and not to the compiler. */
		memcpy(symbols[i].to, &at, sizeof at);
	}
	return NULL;
}

void *late_load(const char *soname, int flags, const struct late_symbol *symbols, size_t n, const char **missing)
{
	void *library = dlopen(soname, RTLD_NOW | flags);

	*missing = library ? late_find(library, symbols, n) : NULL;
	if (!*missing)
		return library;
	dlclose(library);
	return NULL;
}
