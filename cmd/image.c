/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image.h"

#include "alloc.h"
#include "out.h"

#include <stdio.h>
#include <unistd.h>

void image_how_free(struct image_how *how)
{
	opt_list_free(&how->allow);
}

struct dry_policy image_policy_of(const struct image_how *how)
{
	struct dry_policy p = { .allowed = how->allow.items, .nallowed = how->allow.n };

	for (size_t i = 0; i < how->allow.n; i++) {
		if (strcmp(how->allow.items[i], "any") == 0)
			p.trust = DRY_TRUST_ANY;
		else if (strcmp(how->allow.items[i], "none") == 0)
			p.trust = DRY_TRUST_NONE;
	}
	return p;
}

int image_open(const char *name, const struct image_how *how, unsigned flags, struct dry_image **out)
{
	struct dry_open open = { .format = how->format,
				 .flags = flags | (how->force_share ? DRY_OPEN_FORCE_SHARE : 0),
				 .policy = image_policy_of(how),
				 .snapshot = how->snapshot };
	struct dry_error e;

	if (how->cache && !dry_cache_parse(how->cache, &open.cache)) {
		cmd_warn("\"%s\" is no cache mode (writeback, none, writethrough, directsync, unsafe)", how->cache);
		return EXIT_USAGE;
	}
	open.flags &= ~IMAGE_STREAM;
	if (flags & IMAGE_STREAM && strcmp(name, "-") == 0)
		return dry_image_open_stream(STDIN_FILENO, &open, out, &e) == 0 ? EXIT_DONE : cmd_fail(&e);
	return dry_image_open(name, &open, out, &e) == 0 ? EXIT_DONE : cmd_fail(&e);
}

void image_closep(struct dry_image **img)
{
	dry_image_close(*img);
	*img = NULL;
}

void image_optsp(struct dry_opts **opts)
{
	dry_opts_free(*opts);
	*opts = NULL;
}

const char *image_format_of_name(const char *name)
{
	const char *dot = strrchr(name, '.');
	const char *format;

	for (size_t i = 0; dot && !strchr(dot, '/') && (format = dry_format_at(i, true)); i++)
		if (strcmp(dot + 1, format) == 0)
			return format;
	return NULL;
}

int image_create_opts(const char *verb, const struct opt_list *texts, struct dry_opts **out, bool *help)
{
	struct dry_error e;

	*help = false;
	*out = dry_opts_new();
	if (!*out) {
		cmd_warn("out of memory");
		return EXIT_FAILED;
	}
	for (size_t i = 0; i < texts->n; i++) {
		if (strcmp(texts->items[i], "help") == 0)
			*help = true;
		else if (dry_opts_parse(*out, texts->items[i], NULL, &e) < 0)
			return cmd_usage(verb, "-o: %s", e.msg);
	}
	return EXIT_DONE;
}

int image_print_create_opts(const char *verb, const char *format)
{
	static const char *const types[] = { "text", "size", "on/off", "number" };
	CLEANUP(table_free) struct table t = TABLE_INIT("llll", "OPTION", "VALUE", "DEFAULT", "MEANING");
	struct dry_create_opt o;

	if (!dry_format_known(format))
		return cmd_usage(verb, "unknown format \"%s\"", format);
	for (size_t i = 0; dry_create_opt(format, i, &o); i++) {
		table_add(&t, o.name);
		table_add(&t, types[o.type]);
		table_add(&t, o.def);
		table_add(&t, o.help);
	}
	return table_print(&t, TABLE_TITLES);
}
