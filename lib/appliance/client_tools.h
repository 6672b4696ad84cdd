/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* client_tools.h - running a tool of the appliance for its answer. */
#ifndef DRYDOCK_CLIENT_TOOLS_H
#define DRYDOCK_CLIENT_TOOLS_H

#include "client.h"

struct tool {
	const char *const *argv;
	const void *input; /* for its standard input */
	size_t input_len;
	struct strbuf *out; /* what it said on standard output, the first TOOL_SAID bytes; NULL: forgotten */
	struct strbuf *err; /* the same of the other stream; may be the same */
	bool tells;	    /* of its progress, at descriptor 3: somebody wants to know (client_set_progress()) */
};
#define TOOL_SAID (1024u * 1024)
/* The longest that a check or a new size takes, on a disk of some TiB. */
#define TOOL_MS (6ull * 3600 * 1000)

/* Runs it to its end; how it ended: 0 to 255, and one that was killed by a signal is an error. */
int tool_run(struct client *c, const struct tool *t, int *status, struct err *e);
/* Runs it, and takes any status but 0 for an error: "WHAT: its last lines". */
int tool_must(struct client *c, const char *what, const char *const *argv, struct strbuf *said, struct err *e);
/* The error for what a tool has said: "WHAT: its last lines". */
int tool_failed(const char *what, int status, const struct strbuf *said, struct err *e);
/* Loads what a purpose takes. */
int tool_modules(struct client *c, const char *purpose, struct err *e);

#endif
