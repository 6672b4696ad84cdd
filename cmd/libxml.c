/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "libxml.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

const struct libxml *libxml_load(const char **why)
{
	static struct libxml x;
	static bool loaded;
	void *library = loaded ? NULL : dlopen("libxml2.so.2", RTLD_NOW | RTLD_LOCAL);
	void *at;

	if (loaded)
		return &x;
	if (!library) {
		*why = dlerror();
		return NULL;
	}
/* A pointer to a function and one to an object are the same to dlsym(), and not to the compiler. */
#define LOOK_UP(name)                                                                                                  \
	at = dlsym(library, #name);                                                                                    \
	if (!at) {                                                                                                     \
		*why = "libxml2 has no " #name;                                                                        \
		return NULL;                                                                                           \
	}                                                                                                              \
	memcpy(&x.name, &at, sizeof at);
	LIBXML_FUNCTIONS(LOOK_UP)
	loaded = true;
	return &x;
}
