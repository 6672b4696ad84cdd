/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "opts.h"

#include "alloc.h"
#include "cmd.h"
#include "text.h"

#include <stdio.h>

/* Does it take the next word as its value when none is attached? */
static bool needs_value(const struct opt *o)
{
	return o->arg && o->kind != OPT_KIND_WHEN;
}

static void print_help(const struct usage *u, const struct opt *opts)
{
	printf("usage: drydock %s %s\n\n%s\n\noptions:\n", u->verb, u->synopsis, u->summary);
	for (const struct opt *o = opts; o->kind; o++) {
		char left[80];
		int n = o->letter ? snprintf(left, sizeof left, "  -%c, --%s", o->letter, o->name)
				  : snprintf(left, sizeof left, "      --%s", o->name);
		if (o->kind == OPT_KIND_WHEN)
			snprintf(left + n, sizeof left - (size_t)n, "[=%s]", o->arg);
		else if (o->arg)
			snprintf(left + n, sizeof left - (size_t)n, "%c%s", o->letter ? ' ' : '=', o->arg);
		if (strlen(left) > 30)
			printf("%s\n%-32s%s\n", left, "", o->help);
		else
			printf("%-32s%s\n", left, o->help);
	}
	printf("%-32s%s\n", "      --help", "print this help");
}

static void print_names(const struct opt *opts, bool want_long)
{
	for (const struct opt *o = opts; o->kind; o++)
		if (want_long)
			printf("--%s\n", o->name);
		else if (o->letter)
			printf("-%c\n", o->letter);
	if (want_long)
		puts("--help");
}

bool opt_list_add(struct opt_list *l, const char *s)
{
	const char **items = alloc_resize(l->items, l->n + 1, sizeof *items);

	if (!items) {
		cmd_warn("out of memory");
		return false;
	}
	l->items = items;
	l->items[l->n++] = s;
	return true;
}

void opt_list_free(struct opt_list *l)
{
	free(l->items);
	*l = (struct opt_list){ NULL, 0 };
}

bool opt_event_add(struct opt_events *l, const char *name, const char *value)
{
	struct opt_event *items = alloc_resize(l->items, l->n + 1, sizeof *items);

	if (!items) {
		cmd_warn("out of memory");
		return false;
	}
	l->items = items;
	l->items[l->n++] = (struct opt_event){ name, value };
	return true;
}

void opt_events_free(struct opt_events *l)
{
	free(l->items);
	*l = (struct opt_events){ NULL, 0 };
}

/* Puts one value where its option wants it; false with a sentence printed when it is not of the option's kind. */
static bool opt_store(const struct usage *u, const struct opt *o, const char *value)
{
	switch (o->kind) {
	case OPT_KIND_FLAG:
		*(bool *)o->dest = true;
		return true;
	case OPT_KIND_STRING:
		*(const char **)o->dest = value;
		return true;
	case OPT_KIND_LIST:
		return opt_list_add(o->dest, value);
	case OPT_KIND_EVENT:
		return opt_event_add(o->dest, o->name, value);
	case OPT_KIND_SIZE:
		if (text_parse_size(value, o->dest))
			return true;
		cmd_usage(u->verb, "--%s: \"%s\" is not a size (a number, and one of k M G T P E)", o->name, value);
		return false;
	case OPT_KIND_U64:
		if (text_parse_u64(value, o->dest))
			return true;
		cmd_usage(u->verb, "--%s: \"%s\" is not a number", o->name, value);
		return false;
	case OPT_KIND_WHEN:
		if (!value) {
			*(int *)o->dest = 0;
			return true;
		}
		/* fall through */
	case OPT_KIND_CHOICE:
		for (int i = 0; o->choices[i]; i++) {
			if (strcmp(o->choices[i], value) == 0) {
				*(int *)o->dest = i;
				return true;
			}
		}
		cmd_usage(u->verb, "--%s: \"%s\" is not %s", o->name, value, o->arg);
		return false;
	case OPT_KIND_END:
		break;
	}
	return false;
}

static const struct opt *find_long(const struct opt *opts, const char *name, size_t len)
{
	for (; opts->kind; opts++)
		if (strncmp(opts->name, name, len) == 0 && !opts->name[len])
			return opts;
	return NULL;
}

static const struct opt *find_letter(const struct opt *opts, char c)
{
	for (; opts->kind; opts++)
		if (opts->letter == c)
			return opts;
	return NULL;
}

/* "-qf raw": letters may share a word, the last may take the rest of it or the next word. */
static enum opts_answer parse_letters(const struct usage *u, const struct opt *opts, const char *p, char **argv, int argc,
				      int *i)
{
	for (; *p; p++) {
		const struct opt *o = find_letter(opts, *p);
		const char *value = NULL;

		if (!o && *p == 'h') {
			print_help(u, opts);
			return OPTS_DONE;
		}
		if (!o) {
			cmd_usage(u->verb, "unknown option -%c", *p);
			return OPTS_BAD;
		}
		if (needs_value(o)) {
			value = p[1] ? p + 1 : *i + 1 < argc ? argv[++*i] : NULL;
			if (!value) {
				cmd_usage(u->verb, "-%c needs a value (%s)", *p, o->arg);
				return OPTS_BAD;
			}
		}
		if (!opt_store(u, o, value))
			return OPTS_BAD;
		if (needs_value(o))
			break;
	}
	return OPTS_OK;
}

static enum opts_answer parse_long(const struct usage *u, const struct opt *opts, const char *name, char **argv, int argc,
				   int *i)
{
	size_t len = strcspn(name, "=");
	const char *value = name[len] ? name + len + 1 : NULL;
	const struct opt *o = find_long(opts, name, len);

	if (!o && strcmp(name, "help") == 0) {
		print_help(u, opts);
		return OPTS_DONE;
	}
	if (!o && (strcmp(name, "long-options") == 0 || strcmp(name, "short-options") == 0)) {
		print_names(opts, name[0] == 'l');
		return OPTS_DONE;
	}
	if (!o) {
		cmd_usage(u->verb, "unknown option --%.*s", (int)len, name);
		return OPTS_BAD;
	}
	if (needs_value(o) && !value)
		value = *i + 1 < argc ? argv[++*i] : NULL;
	if (needs_value(o) && !value) {
		cmd_usage(u->verb, "--%s needs a value (%s)", o->name, o->arg);
		return OPTS_BAD;
	}
	if (!o->arg && value) {
		cmd_usage(u->verb, "--%s takes no value", o->name);
		return OPTS_BAD;
	}
	return opt_store(u, o, value) ? OPTS_OK : OPTS_BAD;
}

enum opts_answer opts_parse(const struct usage *u, const struct opt *opts, int *argc, char ***argv)
{
	char **v = *argv;
	int kept = 0;

	for (int i = 1; i < *argc; i++) {
		enum opts_answer a = OPTS_OK;

		if (strcmp(v[i], "--") == 0) {
			while (++i < *argc)
				v[kept++] = v[i];
			break;
		}
		if (v[i][0] == '-' && v[i][1] == '-')
			a = parse_long(u, opts, v[i] + 2, v, *argc, &i);
		else if (v[i][0] == '-' && v[i][1])
			a = parse_letters(u, opts, v[i] + 1, v, *argc, &i);
		else
			v[kept++] = v[i];
		if (a != OPTS_OK)
			return a;
	}
	*argc = kept;
	return OPTS_OK;
}
