/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * opts.h - typed option tables.
 *
 * A command describes its options once; the table parses them, prints --help, and answers the hidden --long-options
 * and --short-options that completion and the test of the man pages ask for.
 *
 *	const struct opt opts[] = {
 *		OPT_FLAG('q', "quiet", &quiet, "print errors only"),
 *		OPT_STRING('f', "format", "FMT", &format, "format of the image"),
 *		OPT_END,
 *	};
 *	switch (opts_parse(&usage, opts, &argc, &argv)) { case OPTS_DONE: return 0; case OPTS_BAD: return EXIT_USAGE; }
 */
#ifndef DRYDOCK_OPTS_H
#define DRYDOCK_OPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Texts given by repeating an option; the pointers are argv's. */
struct opt_list {
	const char **items;
	size_t n;
};

/* Options of several names in the order in which they were given; the pointers are the table's and argv's. */
struct opt_event {
	const char *name, *value; /* value NULL: the option has none */
};
struct opt_events {
	struct opt_event *items;
	size_t n;
};

enum opt_kind { OPT_KIND_END, OPT_KIND_FLAG, OPT_KIND_STRING, OPT_KIND_LIST, OPT_KIND_SIZE, OPT_KIND_U64, OPT_KIND_CHOICE,
		OPT_KIND_WHEN, OPT_KIND_EVENT };

struct opt {
	enum opt_kind kind;
	char letter; /* 0: none */
	const char *name, *arg, *help;
	void *dest;
	const char *const *choices; /* OPT_KIND_CHOICE, _WHEN: ends at NULL; *dest is the index as an int */
};

#define OPT_FLAG(l, n, bool_ptr, h) { OPT_KIND_FLAG, l, n, NULL, h, (bool_ptr), NULL }
#define OPT_STRING(l, n, a, str_ptr, h) { OPT_KIND_STRING, l, n, a, h, (str_ptr), NULL }
#define OPT_LIST(l, n, a, list_ptr, h) { OPT_KIND_LIST, l, n, a, h, (list_ptr), NULL }
#define OPT_SIZE(l, n, a, u64_ptr, h) { OPT_KIND_SIZE, l, n, a, h, (u64_ptr), NULL }
#define OPT_U64(l, n, a, u64_ptr, h) { OPT_KIND_U64, l, n, a, h, (u64_ptr), NULL }
#define OPT_CHOICE(l, n, a, int_ptr, c, h) { OPT_KIND_CHOICE, l, n, a, h, (int_ptr), (c) }
/* A choice that may be left out: "--name" and "-l" are the first of the choices, "--name=WORD" is that one. */
#define OPT_WHEN(l, n, a, int_ptr, c, h) { OPT_KIND_WHEN, l, n, a, h, (int_ptr), (c) }
/* Noted among others, in their order; a NULL: it has no value. */
#define OPT_EVENT(n, a, events_ptr, h) { OPT_KIND_EVENT, 0, n, a, h, (events_ptr), NULL }
#define OPT_END { OPT_KIND_END, 0, NULL, NULL, NULL, NULL, NULL }

struct usage {
	const char *verb;     /* "info" */
	const char *synopsis; /* "[options] IMAGE..." */
	const char *summary;  /* one line */
};

enum opts_answer { OPTS_OK, OPTS_DONE, OPTS_BAD };

/*
 * Parses up to the first "--" and lets options and operands mix; afterwards argc and argv are the operands.  --help and
 * the hidden lists print and answer OPTS_DONE; a wrong option prints a sentence and answers OPTS_BAD.  -h is help
 * unless the table has its own -h.
 */
enum opts_answer opts_parse(const struct usage *u, const struct opt *opts, int *argc, char ***argv);
void opt_list_free(struct opt_list *l); /* for CLEANUP */
bool opt_event_add(struct opt_events *l, const char *name, const char *value);
void opt_events_free(struct opt_events *l); /* for CLEANUP */
/* For programs that parse by themselves, under a peer's name; false with a sentence printed when memory is out. */
bool opt_list_add(struct opt_list *l, const char *s);

#endif
