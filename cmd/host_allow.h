/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host_allow.h - what the process on the host (host_serve.c) may be asked for: what the user's own words name, and nothing else.
 *
 * Who asks is confined because a guest may take it over; so what it says is not believed to be what the user said.
 */
#ifndef DRYDOCK_HOST_ALLOW_H
#define DRYDOCK_HOST_ALLOW_H

#include "host_frame.h"

struct host_grant {
	enum host_frame kind;
	char *text; /* as the question has it; of HOST_TREE a path, of HOST_PACK the file, of HOST_UNPACK the folder */
	size_t len;
	char *name;   /* of HOST_UNPACK: the one that is made in the folder */
	bool pattern; /* text and name are patterns, as "glob" has them */
};
struct host_allowed {
	struct host_grant *items;
	size_t n;
};
/* Out of memory: what is not noted is not allowed. */
void host_allow(struct host_allowed *a, enum host_frame kind, const char *text);
void host_allow_bytes(struct host_allowed *a, enum host_frame kind, const void *text, size_t len);
void host_allow_pattern(struct host_allowed *a, enum host_frame kind, const char *text, const char *name);
/* Takes back all but the first n. */
void host_allow_forget(struct host_allowed *a, size_t n);
/* words[len] and words[len + 1] are NUL. */
bool host_allows(const struct host_allowed *a, enum host_frame kind, const char *words, size_t len);

#endif
