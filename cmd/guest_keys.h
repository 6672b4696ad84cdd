/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_keys.h - keys of encrypted volumes: from options, from standard input, from the user at the terminal. */
#ifndef DRYDOCK_GUEST_KEYS_H
#define DRYDOCK_GUEST_KEYS_H

#include "cmd.h"

#include <pthread.h>

struct guest_keys {
	struct opt_list selectors;
	bool from_stdin, echo;
	bool ask;	  /* at the terminal, for what no key was given for */
	bool later;	  /* the terminal is opened, but nobody is asked by this */
	bool silent;	  /* nobody is asked any more */
	const char *peer; /* called by this name: it prompts and falls back to standard input as the peer does; NULL: not */
	struct dry_keys *keys;
	bool has_tty;
	int tty;
	pthread_mutex_t asking;
	bool failed; /* somebody was to be asked, and there was no answer */
};

#define GUEST_KEYS_OPTS(k)                                                                                             \
	OPT_LIST(0, "key", "NAME:KIND:VALUE", &(k)->selectors, "key of an encrypted volume: sda2:key:WORD, all:file:PATH"),      \
	OPT_FLAG(0, "keys-from-stdin", &(k)->from_stdin, "read passphrases from standard input, one a line"),          \
	OPT_FLAG(0, "echo-keys", &(k)->echo, "show a passphrase while it is typed")

void guest_keys_free(struct guest_keys *k);
/*
 * Before the process confines itself: reads key files, opens headers and the terminal, and takes passphrases out of the list
 * of processes.  0, or < 0 with *e filled.
 */
int guest_keys_load(struct guest_keys *k, struct dry_error *e);
/* For dry_guest_open(). */
struct dry_ask guest_keys_ask(struct guest_keys *k);

#endif
