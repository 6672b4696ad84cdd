/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host_allow.h"

#include "alloc.h"

#include <fnmatch.h>
#include <string.h>

static void add(struct host_allowed *a, enum host_frame kind, const void *text, size_t len, const char *name, bool pattern)
{
	struct host_grant *more = alloc_resize(a->items, a->n + 1, sizeof *more);
	struct host_grant g = { .kind = kind, .text = alloc_zero(len + 1), .len = len, .pattern = pattern };

	if (more)
		a->items = more;
	if (name)
		g.name = alloc_strdup(name);
	if (!more || !g.text || (name && !g.name)) {
		free(g.text);
		free(g.name);
		return;
	}
	memcpy(g.text, text, len);
	more[a->n++] = g;
}

void host_allow(struct host_allowed *a, enum host_frame kind, const char *text)
{
	add(a, kind, text, strlen(text) + 1, NULL, false);
}

void host_allow_bytes(struct host_allowed *a, enum host_frame kind, const void *text, size_t len)
{
	add(a, kind, text, len, NULL, false);
}

void host_allow_pattern(struct host_allowed *a, enum host_frame kind, const char *text, const char *name)
{
	add(a, kind, text, strlen(text) + 1, name, true);
}

void host_allow_forget(struct host_allowed *a, size_t n)
{
	while (a->n > n) {
		free(a->items[--a->n].text);
		free(a->items[a->n].name);
	}
}

/* The text itself, or one that the guest's names made of a pattern: no wildcard stands for a slash or a dot that comes first. */
static bool matches(const char *pattern, const char *text, bool is_pattern)
{
	return strcmp(pattern, text) == 0 || (is_pattern && fnmatch(pattern, text, FNM_PATHNAME | FNM_PERIOD) == 0);
}

static bool has(const struct host_allowed *a, enum host_frame kind, const char *text)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->items[i].kind == kind && matches(a->items[i].text, text, a->items[i].pattern))
			return true;
	return false;
}

static bool has_bytes(const struct host_allowed *a, enum host_frame kind, const char *text, size_t len)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->items[i].kind == kind && a->items[i].len == len && memcmp(a->items[i].text, text, len) == 0)
			return true;
	return false;
}

static bool has_any(const struct host_allowed *a, enum host_frame kind)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->items[i].kind == kind)
			return true;
	return false;
}

/* The word behind one; past the last: "". */
static const char *next(const char *word, const char *end)
{
	word += strlen(word) + 1;
	return word < end ? word : "";
}

static bool has_trees(const struct host_allowed *a, const char *words, const char *end)
{
	/* Each round takes two words. */
	for (const char *p = words + strlen(words) + 1; p < end;) {
		if (!has(a, HOST_TREE, p))
			return false;
		p += strlen(p) + 1;
		p += p < end ? strlen(p) + 1 : 0;
	}
	return true;
}

static bool has_unpacking(const struct host_allowed *a, const char *folder, const char *name)
{
	if (strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->items[i].kind == HOST_UNPACK && matches(a->items[i].text, folder, a->items[i].pattern) &&
		    matches(a->items[i].name, name, a->items[i].pattern))
			return true;
	return false;
}

bool host_allows(const struct host_allowed *a, enum host_frame kind, const char *words, size_t len)
{
	const char *end = words + len, *second = next(words, end), *third = next(second, end);

	switch (kind) {
	case HOST_OPEN:
	case HOST_OUTPUT:
	case HOST_CREATE:
	case HOST_PIPE:
	case HOST_RUN:
	case HOST_CHDIR:
		return has(a, kind, words);
	case HOST_EDIT: /* its name is made plain, and what is edited comes from the guest anyway */
		return has_any(a, kind);
	case HOST_TREE:
		return has_trees(a, words, end);
	case HOST_SETENV:
		return has_bytes(a, kind, words, len);
	case HOST_PACK:
		return has(a, kind, second) && (!*third || has(a, HOST_PIPE, third));
	case HOST_UNPACK:
		return has_unpacking(a, words, second);
	case HOST_LINE:
		return true;
	case HOST_ONLY:
	case HOST_DATA:
	case HOST_END:
		break;
	}
	return false;
}
