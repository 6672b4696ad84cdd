/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client_internal.h - what the files of the client share.
 *
 * One question waits for its answer at a time; what may be under way besides are reads ahead (client_ahead.c) and programs
 * (client_run.c), whose frames are known by their tags.
 */
#ifndef DRYDOCK_CLIENT_INTERNAL_H
#define DRYDOCK_CLIENT_INTERNAL_H

#include "client.h"
#include "limits.h"
#include "proto.h"

#include <sys/stat.h>

/* Tags: of reads ahead the place in ahead[] and a count, of the others a count. */
#define TAG_AHEAD 0x80000000u
#define TAG_AHEAD_SLOTS 8u
#define TAG_COUNT 0x0fffffffu
#define TAG_PING 0x40000000u
#define TAG_WRITE 0x20000000u

#define CLIENT_MOUNTS 250
/* Writes under way at once. */
#define CLIENT_WRITES 4
#define CLIENT_PATIENCE 30000u
/* Bytes of one read ahead, and of all that are under way. */
#define AHEAD_SIZE (512u * 1024)
/* From so many bytes on, the window is worth its requests. */
#define WINDOW_FROM (64u * 1024)

enum ahead_state {
	AHEAD_FREE,
	AHEAD_ASKED,
	AHEAD_HERE,
	AHEAD_DROPPED, /* asked, and no longer wanted */
};
struct client_ahead {
	enum ahead_state state;
	uint32_t tag;
	uint64_t node, off;
	uint32_t len;
	size_t got;
	struct err why; /* with a failure */
	bool by_window; /* the bytes are in the slot of the same number */
	uint8_t *bytes; /* AHEAD_SIZE; NULL: not needed so far */
};

/* A write that is under way; tag 0: none.  By the window, the slots behind those of the reads are theirs. */
struct client_write {
	uint32_t tag;
	uint16_t type;
};

/* Slots of bulk data. */
struct client_window {
	uint8_t *bytes; /* NULL: none */
	uint64_t off;
	char device[64];
	bool told; /* the agent has opened it */
};

/* What a folder's listing told, and the facts of its names that were asked for. */
struct client_entry {
	uint64_t node;	/* 0: not known */
	uint32_t name;	/* where in names */
	uint32_t type;
	int errnum;	/* of the facts, -1: not asked yet */
	uint32_t stat;	/* their place in stats */
};
struct client_listing {
	uint64_t dir; /* 0: free */
	uint64_t used;
	struct client_entry *entries;
	size_t n, cap;
	struct strbuf names; /* each with its NUL */
	struct proto_stat *stats;
	size_t nstats, stats_cap;
	uint32_t *by_name, *by_node; /* hashes of entry + 1 */
	size_t hash_size;
};
#define CLIENT_LISTINGS 8
#define CLIENT_STATS 32

struct client_mounted {
	bool used;
	uint64_t root;
	char type[32];
};

struct client {
	int fd;
	unsigned patience;
	bool lost;
	struct err why;
	char kernel[80];
	uint32_t tags;

	/* The frame that is coming in. */
	uint8_t head_bytes[PROTO_HEAD];
	size_t head_have, body_have;
	struct proto_head head;
	uint8_t *body;		 /* LIMIT_PROTO_BODY */
	uint8_t *into;		 /* where the body goes: body, or a read ahead's room */
	uint32_t waits_for;	 /* the tag of the question that waits, 0: none */
	uint8_t *out;		 /* PROTO_HEAD + LIMIT_PROTO_BODY, of the question that is written */
	struct proto_out o;
	uint64_t heard_ms;	 /* when the agent said something last */

	struct client_mounted mounts[CLIENT_MOUNTS + 1];
	struct client_listing listings[CLIENT_LISTINGS];
	uint64_t tick;
	struct proto_stat stats[CLIENT_STATS]; /* of the last files that were asked about; node 0: none */
	unsigned next_stat;

	struct client_ahead ahead[TAG_AHEAD_SLOTS];
	uint64_t ahead_node, ahead_next; /* where a read goes on that is one after the other */
	unsigned ahead_window;		 /* how many are asked for in advance */

	struct client_window window;

	/* Writes that are under way, and the first failure of theirs. */
	struct client_write writes[CLIENT_WRITES];
	struct err write_why;

	struct client_session *sessions;

	void (*progress)(void *arg, unsigned step, uint64_t done, uint64_t of); /* of tools; NULL */
	void *progress_arg;
};

uint64_t client_now_ms(void);
/* What the agent did cannot be: it is given up, with this sentence. */
__attribute__((format(printf, 3, 4))) int client_lose(struct client *c, struct err *e, const char *fmt, ...);
/* The same for a body that is not as it must be. */
int client_bad_answer(struct client *c, struct err *e);

/* Begins a question in c->o. */
struct proto_out *client_begin(struct client *c);
/* Sends it, and waits for its answer, whose body is lent until the next question. */
int client_ask(struct client *c, uint16_t type, struct proto_in *answer, struct err *e);
/* The same for what may take longer. */
int client_ask_slow(struct client *c, uint16_t type, struct proto_in *answer, struct err *e);
/* The same in steps: only sends, with a tag; then waits for a frame of it, *more: others follow. */
int client_send(struct client *c, uint32_t tag, uint16_t type, struct err *e);
int client_await(struct client *c, uint32_t tag, uint16_t type, unsigned ms, struct proto_in *answer, bool *more,
		 struct err *e);
uint32_t client_new_tag(struct client *c);
/* Asks a question whose answer is empty. */
int client_tell(struct client *c, uint16_t type, struct err *e);
/*
 * Takes what has come, waiting at most so long for a first byte; 1: a frame of the tag waited for is complete, 0: not.  Frames
 * of reads ahead and programs are put where they belong.
 */
int client_take(struct client *c, int wait_ms, struct err *e);
/* The error of a body with PROTO_FAILED. */
int client_refused(struct client *c, struct proto_in *in, struct err *e);

/* Facts, judged.  client_bad_answer() where they cannot be. */
int client_get_stat(struct client *c, struct proto_in *in, struct proto_stat *st, struct err *e);
void client_fs_stat(const struct proto_stat *st, struct fs_stat *out);
/* Is it one component of a path? */
bool client_good_name(const char *name);

/* client_list.c: facts that are already known, and the asking for some together.  1: *st is what is known. */
int listing_stat(struct client *c, uint64_t node, struct proto_stat *st, struct err *e);
/* By name: also a failure that is known is a failure. */
int listing_lookup(struct client *c, uint64_t dir, const char *name, struct proto_stat *st, struct err *e);

void stat_remember(struct client *c, const struct proto_stat *st);

/* Something was changed: forgets what was known of files. */
void client_changed(struct client *c);
void listings_forget(struct client *c);
void ahead_forget(struct client *c);
void ahead_free(struct client *c);
/* A frame of a read ahead: where its body goes, NULL: it is no such frame; then, that it is complete. */
struct client_ahead *ahead_of_tag(struct client *c, uint32_t tag);
int ahead_take(struct client *c, struct client_ahead *s, struct err *e);

/* 1: there is a window that the agent has opened; 0: there is none. */
int window_ready(struct client *c, struct err *e);
uint8_t *window_slot(struct client *c, size_t number);

/* client_change.c: a write by its tag, or NULL; its answer has come. */
struct client_write *write_of_tag(struct client *c, uint32_t tag);
int write_take(struct client *c, struct client_write *w, struct proto_in *in, struct err *e);

/* client_run.c: a frame of a program, 0 or lost. */
struct client_session *session_of_tag(struct client *c, uint32_t tag);
int session_take(struct client_session *s, const struct proto_head *h, struct proto_in *in, struct err *e);
void sessions_lost(struct client *c);

#endif
