/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "libxml.h"

#include "alloc.h"

#include <dlfcn.h>
#include <stdio.h>

const struct libxml *libxml_load(const char **why)
{
	static struct libxml lib;
	static bool loaded;
	static char lacks[100];
#define SYMBOL(name) { #name, &lib.name },
	const struct late_symbol symbols[] = { LIBXML_FUNCTIONS(SYMBOL) };
	const char *missing;

	if (loaded)
		return &lib;
	loaded = late_load("libxml2.so.2", RTLD_LOCAL, symbols, ARRAY_LEN(symbols), &missing) != NULL;
	if (loaded)
		return &lib;
	*why = missing ? lacks : dlerror();
	if (missing)
		snprintf(lacks, sizeof lacks, "libxml2 has no %s", missing);
	return NULL;
}
