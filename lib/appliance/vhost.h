/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vhost.h - the back end of a virtio device by vhost-user: messages, the machine's memory, split virtqueues.
 *
 * The other end is the kernel of a virtual machine that has looked at a stranger's disk, so everything that comes from it
 * is a stranger's claim: the messages of the socket, the file that is its memory, and what it writes there at any moment,
 * also while we read.  Three rules follow.
 *
 *  - What steers us is copied once, and then judged: the index of a ring, the ring, the descriptors, a request's header.
 *    Nothing is read twice, so nothing can change between judgement and use.
 *  - No instruction of ours touches the machine's memory.  A file can be cut off, or its filesystem be full, and then a
 *    load or a store ends in SIGBUS, which a library can neither prevent (a lock on the size, F_SEAL_SHRINK, is for files
 *    that we made) nor catch without taking over a signal of the whole process.  So memory is reached by system calls
 *    alone, for which missing memory is EFAULT or a short count: small things by pread() and pwrite() of the file, bulk
 *    data by readv() and the like straight into a mapping, and the one word that must change at once, the index of the used
 *    ring, by FUTEX_WAKE_OP, with which the kernel adds to a word of memory atomically.
 *  - Every loop has an end of ours: a chain of descriptors has no more links than its table has entries.
 *
 * A struct vhost has no threads and no locks: who uses it (vhost_blk.c, vhost_console.c) brings these.
 */
#ifndef DRYDOCK_VHOST_H
#define DRYDOCK_VHOST_H

#include "err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* ---- memory ---- */

#define VHOST_REGIONS 8

struct vhost_region {
	uint64_t guest, user; /* where the machine has it: physical, and as its messages call it */
	uint64_t size;
	uint64_t file_off; /* of the file */
	int fd;
	uint8_t *at; /* where system calls may put and find its bytes; not for us */
	void *map;
	size_t map_len;
};

struct vhost_memory {
	struct vhost_region regions[VHOST_REGIONS];
	unsigned n;
};

void vhost_memory_free(struct vhost_memory *m);
/* Adds a region; takes fd, also on failure. */
int vhost_memory_add(struct vhost_memory *m, const struct vhost_region *r, int fd, struct err *e);
/* A piece of the machine's memory that was judged to be there. */
struct vhost_piece {
	struct iovec at; /* for system calls only */
	int fd;		 /* the same bytes */
	uint64_t off;
};

/* The piece of physical memory; ERR_CORRUPT where it does not lie in one region. */
int vhost_piece_at(const struct vhost_memory *m, uint64_t guest, uint64_t len, struct vhost_piece *out, struct err *e);
/* Copies len bytes from and to `skip` bytes behind the beginning of a piece, within it. */
int vhost_piece_get(const struct vhost_piece *p, uint64_t skip, void *buf, size_t len, struct err *e);
int vhost_piece_put(const struct vhost_piece *p, uint64_t skip, const void *buf, size_t len, struct err *e);
/* The same from and to physical memory. */
int vhost_get(const struct vhost_memory *m, uint64_t guest, void *buf, size_t len, struct err *e);
int vhost_put(const struct vhost_memory *m, uint64_t guest, const void *buf, size_t len, struct err *e);
/* What a message calls `user`, as a physical address. */
int vhost_user_to_guest(const struct vhost_memory *m, uint64_t user, uint64_t len, uint64_t *guest, struct err *e);

/* ---- queues ---- */

/* The largest queue that we take; the specification allows 32768, Linux asks for 256 at most. */
#define VHOST_QUEUE_MAX 1024

/* A request: pieces that we read, then pieces that we write. */
struct vhost_chain {
	uint16_t head;
	unsigned nread, nwrite;
	uint64_t read_len, write_len;
	struct vhost_piece pieces[VHOST_QUEUE_MAX];
};

struct vhost_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

struct vhost_queue {
	unsigned size;
	uint64_t user_desc, user_avail, user_used; /* as the machine named them; 0: not yet */
	uint64_t desc, avail, used;		   /* physical */
	uint32_t *used_word;			   /* flags and index of the used ring: for the futex call only */
	bool placed, enabled, event_idx;
	int kick, call; /* -1: none */
	uint16_t last_avail, seen;	       /* taken so far; known to be there */
	uint16_t used_idx, published, notified; /* filled; shown to the machine; last told by an interrupt */
	bool told;			       /* notified is valid */
	uint16_t *ring;			       /* copy: what lies between last_avail and seen */
	struct vhost_desc *table;	       /* copy, taken after seen */
	struct vhost_desc *indirect;	       /* copy of one request's own table */
};

/* Has the machine said all that it takes? */
bool vhost_queue_runs(const struct vhost_queue *q);
/* The next request: 1, or 0 when there is none. */
int vhost_queue_pop(struct vhost_queue *q, const struct vhost_memory *m, struct vhost_chain *c, struct err *e);
/* How many requests there are that vhost_queue_pop() would give without looking at the ring again. */
unsigned vhost_queue_known(const struct vhost_queue *q);
/* The machine shall kick when there are `more` new requests (at least 1); true: there are already. */
int vhost_queue_arm(struct vhost_queue *q, const struct vhost_memory *m, unsigned more, struct err *e);
/* A request is done, written bytes long.  The machine sees it after vhost_queue_publish(). */
int vhost_queue_push(struct vhost_queue *q, const struct vhost_memory *m, uint16_t head, uint32_t written, struct err *e);
/* Shows what was pushed, and interrupts the machine if it wants that. */
int vhost_queue_publish(struct vhost_queue *q, const struct vhost_memory *m, struct err *e);
/* Takes the kicks that are there; false: there will be no more. */
bool vhost_queue_kicked(struct vhost_queue *q);

/* Copies from the part that we read, and to the part that we write, len bytes from `skip` on; all or ERR_CORRUPT. */
int vhost_chain_get(const struct vhost_chain *c, uint64_t skip, void *buf, size_t len, struct err *e);
int vhost_chain_put(const struct vhost_chain *c, uint64_t skip, const void *buf, size_t len, struct err *e);
/* The pieces of one part as an iovec (at most max entries) for len bytes from `skip` on; *got: bytes in these. */
unsigned vhost_chain_iov(const struct vhost_chain *c, bool write_part, uint64_t skip, uint64_t len, struct iovec *iov,
			 unsigned max, uint64_t *got);

/* ---- the device ---- */

enum {
	VHOST_F_INDIRECT = 28,
	VHOST_F_EVENT_IDX = 29,
	VHOST_F_PROTOCOL = 30,
	VHOST_F_VERSION_1 = 32,
};
/* What every device of ours offers. */
#define VHOST_FEATURES                                                                                                 \
	(1ULL << VHOST_F_INDIRECT | 1ULL << VHOST_F_EVENT_IDX | 1ULL << VHOST_F_PROTOCOL | 1ULL << VHOST_F_VERSION_1)

#define VHOST_QUEUES 4
#define VHOST_CONFIG_MAX 256

struct vhost {
	int listen_fd, fd, slave_fd; /* -1: none */
	atomic_int wake;	     /* the descriptor to shut down so that a wait ends */
	uint64_t offered, features;
	bool acks; /* the machine waits for the end of what it asks for */
	unsigned nqueues;
	struct vhost_queue queues[VHOST_QUEUES];
	struct vhost_memory memory;
	uint8_t config[VHOST_CONFIG_MAX];
	size_t config_len;
	/* Called before memory or a queue changes: requests under way end, and none is held; may be NULL. */
	void (*quiesce)(void *arg);
	void *arg;
};

/* fd is the device's, also on failure: connected, or listening.  vhost_free() ends what was begun. */
int vhost_init(struct vhost *v, int fd, unsigned nqueues, uint64_t features, struct err *e);
void vhost_free(struct vhost *v);
/* Waits for the machine where fd is listening; false: it will not come (vhost_hang_up()). */
bool vhost_connected(struct vhost *v);
/* From any thread: whatever waits for the machine's messages or connection ends. */
void vhost_hang_up(struct vhost *v);
/* Takes one message, and waits for it: 0, or 1 when the machine hung up. */
int vhost_message(struct vhost *v, struct err *e);

#endif
