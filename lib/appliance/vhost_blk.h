/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vhost_blk.h - a block as a disk of a virtual machine: virtio-blk over vhost-user.
 *
 * The machine (user-mode Linux: "virtio_uml.device=SOCKET:2") is a stranger: whatever it writes into the memory that it
 * shares with us is copied once and then judged, and what it takes away from that memory is an error and not a signal
 * (vhost.h).  Read-only is enforced here, whatever the machine believes.
 */
#ifndef DRYDOCK_VHOST_BLK_H
#define DRYDOCK_VHOST_BLK_H

#include "block.h"

/* What the machine sees as the disk's serial number: /sys/block/vda/serial. */
#define VHOST_BLK_SERIAL_MAX 20

struct vhost_blk_how {
	struct block *block;  /* a reference is taken */
	bool writable;	      /* false: the machine is told, and a write of it fails all the same */
	bool steady;	      /* where its bytes lie stays as it is while it is written to */
	const char *serial;   /* at most VHOST_BLK_SERIAL_MAX bytes; "disk1" */
	unsigned sector_size; /* 512 or 4096; 0: 512 */
	unsigned threads;     /* requests at once, at most VHOST_BLK_THREADS; 0: that many */
};
#define VHOST_BLK_THREADS 4

struct vhost_blk;

/*
 * Serves the disk on `fd` in threads of its own until the machine hangs up or vhost_blk_stop() is called.  fd is a
 * stream socket of the Unix family: a connected one, or a listening one, whose first connection is the machine.  It is
 * the disk's from now on, also when this fails.  Threads that are started have all signals blocked.
 *
 * The machine sees whole sectors of 512 bytes: what is left at the end of a block is not there.  A confined process needs
 * confine_how.serve (confine.h), and the machine's memory counts as address space.
 */
int vhost_blk_serve(int fd, const struct vhost_blk_how *how, struct vhost_blk **out, struct err *e);

/* Has the machine hung up, or did it break the protocol?  Then nothing is served any more. */
bool vhost_blk_ended(struct vhost_blk *d);

/*
 * The first thing that went wrong so far, "disk1: ...": an error of the image (the machine has seen an I/O error), or what
 * the machine did against the protocol.  0: nothing.  May be asked at any time, from any thread.
 */
int vhost_blk_error(struct vhost_blk *d, struct err *e);

/*
 * Hangs up, waits for requests under way and ends the disk; NULL is fine.  Its answer is that of vhost_blk_error().  The
 * block is not flushed: what the machine wanted stable, it flushed.
 */
int vhost_blk_stop(struct vhost_blk *d, struct err *e);

#endif
