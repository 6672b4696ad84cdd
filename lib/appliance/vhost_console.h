/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vhost_console.h - a stream socket as a serial port of a virtual machine: virtio-console over vhost-user.
 *
 * For user-mode Linux, whose own serial lines lose bytes: "virtio_uml.device=SOCKET:3" gives the machine one port,
 * /dev/vport0p0 (the digit behind "vport" counts the machine's consoles), with the bytes of the socket behind it.
 * Nothing is lost: who does not read stops the other side from writing.  When the other end of the socket is closed,
 * a reader in the machine sees the end of the file; when the machine closes the port, nothing happens, since it may open
 * it again; when the machine is gone, the socket is shut down.
 *
 * The quick way in the machine: open the port with O_NONBLOCK, poll(), and use readv() with many pieces of 4096 bytes
 * and writev() with pieces of 32 KiB, which are what the kernel moves at a time: then one call moves many.
 */
#ifndef DRYDOCK_VHOST_CONSOLE_H
#define DRYDOCK_VHOST_CONSOLE_H

#include "err.h"

#include <stdbool.h>

struct vhost_console;

/*
 * Serves a console with one port on `fd` (as that of vhost_blk_serve()) in a thread of its own, with `stream`, one end of
 * a socketpair, behind the port.  `name` (at most 64 bytes) is what the machine finds in
 * /sys/class/virtio-ports/vport0p0/name.  Both descriptors are the console's from now on, also when this fails.
 *
 * A confined process needs confine_how.serve (confine.h).
 */
int vhost_console_serve(int fd, int stream, const char *name, struct vhost_console **out, struct err *e);

/* Has the machine hung up, or did it break the protocol? */
bool vhost_console_ended(struct vhost_console *c);
/* What the machine did against the protocol, "console: ..."; 0: nothing. */
int vhost_console_error(struct vhost_console *c, struct err *e);
/* Hangs up on both sides, waits for the thread and ends the console; NULL is fine.  Answers as vhost_console_error(). */
int vhost_console_stop(struct vhost_console *c, struct err *e);

#endif
