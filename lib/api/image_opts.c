/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* image_opts.c - options as text, and the small words of the command lines: cache modes, preallocation, trust. */
#include "image.h"

struct dry_opts *dry_opts_new(void)
{
	return alloc_zero(sizeof(struct dry_opts));
}

void dry_opts_free(struct dry_opts *o)
{
	if (o)
		dict_free(&o->dict);
	free(o);
}

int dry_opts_parse(struct dry_opts *o, const char *text, const char *implied_key, struct dry_error *error)
{
	API_ERR(e, error);

	return dict_parse(&o->dict, text, implied_key, e);
}

int dry_opts_set(struct dry_opts *o, const char *key, const char *value, struct dry_error *error)
{
	API_ERR(e, error);

	if (value)
		return dict_set(&o->dict, key, value, e);
	free(dict_take(&o->dict, key));
	return 0;
}

const char *dry_opts_get(const struct dry_opts *o, const char *key)
{
	return dict_get(&o->dict, key);
}

bool dry_opts_at(const struct dry_opts *o, size_t i, const char **key, const char **value)
{
	if (i >= o->dict.n)
		return false;
	*key = o->dict.items[i].key;
	*value = o->dict.items[i].value;
	return true;
}

static bool find_word(const char *const *words, size_t n, const char *name, unsigned *out)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(words[i], name) == 0) {
			*out = (unsigned)i;
			return true;
		}
	}
	return false;
}

bool dry_cache_parse(const char *name, enum dry_cache *out)
{
	static const char *const words[] = {
		[DRY_CACHE_WRITEBACK] = "writeback",   [DRY_CACHE_NONE] = "none",     [DRY_CACHE_WRITETHROUGH] = "writethrough",
		[DRY_CACHE_DIRECTSYNC] = "directsync", [DRY_CACHE_UNSAFE] = "unsafe",
	};
	unsigned i;

	if (!find_word(words, ARRAY_LEN(words), name, &i))
		return false;
	*out = (enum dry_cache)i;
	return true;
}

bool dry_prealloc_parse(const char *name, enum dry_prealloc *out)
{
	static const char *const words[] = { "off", "metadata", "falloc", "full" };
	unsigned i;

	if (!find_word(words, ARRAY_LEN(words), name, &i))
		return false;
	*out = (enum dry_prealloc)i;
	return true;
}

struct block_policy image_policy(const struct dry_policy *p)
{
	return (struct block_policy){ .allow_all = p->trust == DRY_TRUST_ANY,
				      .allow_none = p->trust == DRY_TRUST_NONE,
				      .allowed = p->allowed,
				      .nallowed = p->nallowed };
}

unsigned image_cache_flags(enum dry_cache cache)
{
	switch (cache) {
	case DRY_CACHE_NONE:
		return BLOCK_DIRECT;
	case DRY_CACHE_WRITETHROUGH:
		return BLOCK_WRITETHROUGH;
	case DRY_CACHE_DIRECTSYNC:
		return BLOCK_DIRECT | BLOCK_WRITETHROUGH;
	case DRY_CACHE_UNSAFE:
		return BLOCK_UNSAFE;
	case DRY_CACHE_WRITEBACK:
		break;
	}
	return 0;
}
