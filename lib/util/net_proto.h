/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * net_proto.h - what the library and the process that holds the connections to a server say to each other.
 *
 * One helper is started for each source on a network: drydock-http or drydock-nbd.  It is a program of its own, so that
 * nothing of our memory is in it, and so that nobody else pays for its libraries.  The two share memory, which has a few
 * slots; each slot holds a question, its answer, and data.
 *
 *	library					helper
 *	  in the first slot's data, before the helper begins:  a length, and "key\0value\0..."
 *					  <--   struct net_hello, through a pipe
 *	  a slot:  fills in the question
 *	  eventfd of that slot: 1	  -->   a thread of its own for each slot
 *	  pipe of that slot:		  <--   one byte: the answer is in the slot
 *
 * There is no pipe that the library writes to: a confined process may read and write what is open, and no signal comes
 * when the other one is gone.  It sees that at the end of the slot's pipe; the helper sees the end of the library at the
 * end of a pipe that is there for nothing else.
 *
 * The helper listens to a stranger and may have been taken over: what it says is judged.  The memory cannot be made
 * shorter (it is sealed), each number is read from it once, and data is copied once.
 */
#ifndef DRYDOCK_NET_PROTO_H
#define DRYDOCK_NET_PROTO_H

#include "dict.h"
#include "err.h"
#include "limits.h"

#include <stddef.h>
#include <stdint.h>

enum { NET_VERSION = 2 };

/* Descriptors that the helper is born with; those of slot i are NET_FD_SLOTS + 2 * i and the one behind it. */
enum { NET_FD_LIFE = 3, NET_FD_HELLO = 4, NET_FD_MEMORY = 5, NET_FD_SLOTS = 6 };

/* Connections to one web server at a time, as many as browsers make; and what one question moves at most. */
#define NET_SLOTS 6
#define NET_DATA ((size_t)(2 * MiB))
/* So many read at once where all is copied, over as many connections of an NBD server; what is left is for reading ahead. */
#define NET_READERS 4
/* The text that tells what to connect to: addresses, names of files, passwords, cookies. */
#define NET_CONFIG_MAX ((size_t)(64 * KiB))
/* A question to a web server may take so many times as long as a connection over which nothing comes is kept. */
#define NET_HTTP_PATIENCE 60
/* Runs that one answer tells of. */
#define NET_EXTENTS 256

enum net_op { NET_READ = 1, NET_WRITE, NET_ZERO, NET_TRIM, NET_FLUSH, NET_MAP };
/* Flags of NET_ZERO. */
enum { NET_NO_HOLE = 1u << 0, NET_FAST = 1u << 1 };
/* Flags of a run. */
enum { NET_HOLE = 1u << 0, NET_ZEROES = 1u << 1 };
/* What a server can do. */
enum {
	NET_CAN_WRITE = 1u << 0,
	NET_CAN_FLUSH = 1u << 1,
	NET_CAN_TRIM = 1u << 2,
	NET_CAN_ZERO = 1u << 3,
	NET_CAN_FAST_ZERO = 1u << 4,
	NET_CAN_MAP = 1u << 5,
};

struct net_failure {
	uint32_t code; /* enum err_code; 0: none */
	int32_t sys_errno;
	char msg[400];
};

struct net_extent {
	uint64_t len;
	uint64_t flags;
};

struct net_slot {
	/* the question */
	uint32_t op, flags;
	uint64_t off, len; /* NET_READ and NET_WRITE: at most NET_DATA */
	/* the answer */
	struct net_failure failure;
	uint32_t nextents; /* NET_MAP: runs from off on */
	struct net_extent extents[NET_EXTENTS];
};
/* A slot's data lies behind it, at this distance; a slot and its data have this length. */
#define NET_SLOT_HEAD ((size_t)8192)
#define NET_SLOT_SPAN (NET_SLOT_HEAD + NET_DATA)
#define NET_MEMORY (NET_SLOTS * NET_SLOT_SPAN)
_Static_assert(sizeof(struct net_slot) <= NET_SLOT_HEAD, "a slot's head holds it");

struct net_hello {
	uint32_t version;
	uint32_t features;
	uint32_t slots;	    /* how many are served */
	uint32_t block_min; /* questions begin and end at its multiples; 1: anywhere */
	uint32_t block_max; /* and are no longer than that */
	uint32_t first_len; /* so many bytes from the beginning lie in the first slot's data */
	uint64_t size;
	struct net_failure failure;
};

/* The helper's side: "key\0value\0..." as options. */
int net_read_config(const char *text, size_t len, struct dict *opts, struct err *e);
/* Who asks may have been taken over by a guest: no more than was opened, which has that size, is given. */
int net_judge_question(const struct net_slot *q, uint64_t size, struct err *e);
/* The library's side.  block_max is made a multiple of block_min; name: of the source. */
int net_judge_hello(struct net_hello *h, const char *name, struct err *e);
/* Of so many runs as the helper has told: how many of the NET_EXTENTS that there are can be taken. */
size_t net_judge_runs(struct net_extent *runs, uint32_t told);

#endif
