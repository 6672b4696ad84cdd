/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "libfuse.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

const struct libfuse *libfuse_load(const char **why)
{
	static struct libfuse f;
	static bool loaded;
	void *library = loaded ? NULL : dlopen("libfuse3.so.3", RTLD_NOW | RTLD_LOCAL);
	void *at;

	if (loaded)
		return &f;
	if (!library) {
		*why = dlerror();
		return NULL;
	}
/* A pointer to a function and one to an object are the same to dlsym(), and not to the compiler. */
#define LOOK_UP(name)                                                                                                  \
	at = dlsym(library, #name);                                                                                    \
	if (!at) {                                                                                                     \
		*why = "libfuse3 has no " #name;                                                                       \
		return NULL;                                                                                           \
	}                                                                                                              \
	memcpy(&f.name, &at, sizeof at);
	LIBFUSE_FUNCTIONS(LOOK_UP)
	loaded = true;
	return &f;
}
