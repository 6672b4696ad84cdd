/* SPDX-License-Identifier: GPL-2.0-or-later */
/* helper.h - what the helpers for sources on a network have in common: the talk with the library, and confinement. */
#ifndef DRYDOCK_NET_HELPER_H
#define DRYDOCK_NET_HELPER_H

#include "dict.h"
#include "err.h"
#include "net_proto.h"

struct helper {
	/*
	 * Before the process confines itself: nothing is heard from a server yet.  Loads what is loaded late, and adds
	 * files that must be readable to paths (lent for the life of the process), at most HELPER_PATHS.
	 */
	int (*prepare)(const struct dict *opts, const char **paths, size_t *n, struct err *e);
	/* Connects, and fills in all of hello but its version and failure; data: of the first slot, NET_DATA bytes. */
	int (*open)(const struct dict *opts, struct net_hello *hello, void *data, struct err *e);
	/* Answers a question of that slot, which was judged; each slot has a thread of its own. */
	int (*ask)(unsigned slot, const struct net_slot *q, struct net_slot *answer, void *data, struct err *e);
	/* Says goodbye; may take as long as it likes, as nobody waits for more than a second.  NULL: there is no such word. */
	void (*close)(void);
};
enum { HELPER_PATHS = 8 };

int helper_main(const struct helper *h);

/* Options, which the library has judged: a text that is not there is NULL, a number `otherwise`. */
const char *helper_text(const struct dict *opts, const char *key);
uint64_t helper_number(const struct dict *opts, const char *key, uint64_t otherwise);
/* Asks for a name once, so that the C library has loaded what it needs for that. */
void helper_warm_names(const char *host);

#endif
