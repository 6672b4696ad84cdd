/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "libfuse.h"

#include "alloc.h"

#include <dlfcn.h>
#include <stdio.h>

const struct libfuse *libfuse_load(const char **why)
{
	static struct libfuse lib;
	static bool loaded;
	static char lacks[100];
#define SYMBOL(name) { #name, &lib.name },
	const struct late_symbol symbols[] = { LIBFUSE_FUNCTIONS(SYMBOL) };
	const char *missing;

	if (loaded)
		return &lib;
	loaded = late_load("libfuse3.so.3", RTLD_LOCAL, symbols, ARRAY_LEN(symbols), &missing) != NULL;
	if (loaded)
		return &lib;
	*why = missing ? lacks : dlerror();
	if (missing)
		snprintf(lacks, sizeof lacks, "libfuse3 has no %s", missing);
	return NULL;
}
