/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image.h"

#include "alloc.h"
#include "out.h"

#include <stdio.h>
#include <unistd.h>

void image_how_free(struct image_how *how)
{
	opt_list_free(&how->allow);
	opt_list_free(&how->objects);
	opt_list_free(&how->secret_files);
	opt_list_free(&how->open);
}

static int add_secret_file(struct dry_secrets *s, const char *text)
{
	const char *equals = strchr(text, '=');
	CLEANUP(free_ptr) char *id = equals ? alloc_strndup(text, (size_t)(equals - text)) : NULL;
	struct dry_error e;

	if (!equals || equals == text) {
		cmd_warn("--secret: \"%s\" is not ID=FILE", text);
		return EXIT_USAGE;
	}
	if (!id) {
		cmd_warn("out of memory");
		return EXIT_FAILED;
	}
	return dry_secrets_add_file(s, id, equals + 1, &e) == 0 ? EXIT_DONE : cmd_fail(&e);
}

int image_secrets_of(const struct image_how *how, struct dry_secrets **out)
{
	int status = EXIT_DONE;
	struct dry_error e;

	*out = NULL;
	if (!how->objects.n && !how->secret_files.n)
		return EXIT_DONE;
	*out = dry_secrets_new();
	if (!*out) {
		cmd_warn("out of memory");
		return EXIT_FAILED;
	}
	for (size_t i = 0; status == EXIT_DONE && i < how->secret_files.n; i++)
		status = add_secret_file(*out, how->secret_files.items[i]);
	for (size_t i = 0; status == EXIT_DONE && i < how->objects.n; i++)
		if (dry_secrets_add(*out, how->objects.items[i], &e) < 0)
			status = cmd_fail(&e);
	return status;
}

void image_secretsp(struct dry_secrets **s)
{
	dry_secrets_free(*s);
	*s = NULL;
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

int image_how_to_open(const struct image_how *how, unsigned flags, struct dry_open *out, struct dry_opts **opts,
		      struct dry_secrets **secrets)
{
	struct dry_error e;
	int status;

	*out = (struct dry_open){ .format = how->format,
				  .flags = (flags | (how->force_share ? DRY_OPEN_FORCE_SHARE : 0)) & ~IMAGE_STREAM,
				  .policy = image_policy_of(how),
				  .snapshot = how->snapshot,
				  .notice = cmd_notice };
	if (how->cache && !dry_cache_parse(how->cache, &out->cache)) {
		cmd_warn("\"%s\" is no cache mode (writeback, none, writethrough, directsync, unsafe)", how->cache);
		return EXIT_USAGE;
	}
	status = image_secrets_of(how, secrets);
	out->secrets = *secrets;
	if (status != EXIT_DONE || !how->open.n)
		return status;
	*opts = dry_opts_new();
	for (size_t i = 0; *opts && i < how->open.n; i++)
		if (dry_opts_parse(*opts, how->open.items[i], NULL, &e) < 0)
			return cmd_fail(&e);
	out->opts = *opts;
	return *opts ? EXIT_DONE : EXIT_FAILED;
}

int image_open(const char *name, const struct image_how *how, unsigned flags, struct dry_image **out)
{
	CLEANUP(image_secretsp) struct dry_secrets *secrets = NULL;
	CLEANUP(image_optsp) struct dry_opts *opts = NULL;
	struct dry_error e;
	struct dry_open open;
	int status = image_how_to_open(how, flags, &open, &opts, &secrets);

	if (status != EXIT_DONE)
		return status;
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
