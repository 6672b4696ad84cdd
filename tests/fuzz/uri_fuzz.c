/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * uri_fuzz.c - addresses that a user types or an image names: "BASE\nNAME", and what the policy says of them.
 *
 * What is admitted as beneath a folder must be beneath it however often a server decodes it, and whatever it takes for a
 * slash.
 */
#include "alloc.h"
#include "block.h"
#include "policy.h"
#include "uri.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Once, in place. */
static void decode(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (*s == '%' && hex(s[1]) >= 0 && hex(s[2]) >= 0) {
			*to++ = (char)(hex(s[1]) * 16 + hex(s[2]));
			s += 2;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

/* Does a path come out above where it begins, as the most generous server reads it? */
static int comes_out_above(char *path)
{
	long depth = 0;

	path[strcspn(path, "?#")] = '\0';
	for (int i = 0; i < 3; i++)
		decode(path);
	for (char *s = path; *s;) {
		size_t len = strcspn(s, "/\\;");

		if (len == 2 && strncmp(s, "..", 2) == 0)
			depth--;
		else if (len && !(len == 1 && *s == '.'))
			depth++;
		if (depth < 0)
			return 1;
		s += len + (s[len] != '\0');
	}
	return 0;
}

static void try_beneath(const char *address, const char *top)
{
	char *rest;

	if (!uri_is_beneath(address, top))
		return;
	if (strncmp(address, top, strlen(top)) != 0)
		abort();
	rest = strdup(address + strlen(top));
	if (rest && comes_out_above(rest))
		abort();
	free(rest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct block_policy by_default;
	char *text = alloc_strndup((const char *)data, size), *name = text ? strchr(text, '\n') : NULL, *sibling;
	struct err e = ERR_INIT;
	struct uri u;

	if (!name) {
		free(text);
		return 0;
	}
	*name++ = '\0';
	if (uri_parse(text, &u, &e) == 0 && (!u.plain || !u.path))
		abort();
	uri_free(&u);
	(void)block_name_is_remote(name);
	try_beneath(name, text);
	if (uri_scheme(text) && (sibling = uri_sibling(text, name))) {
		(void)policy_admit_address(&by_default, text, sibling, &e);
		try_beneath(sibling, text);
		free(sibling);
	}
	/* An image of this host names no address by itself. */
	if (policy_admit_address(&by_default, "/images/a", name, &e) == 0)
		abort();
	free(text);
	return 0;
}
