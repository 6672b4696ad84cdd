/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * serve_device.h - the kernel's own NBD client: /dev/nbdN shows a disk that this process serves.
 *
 * A process of its own is the client between the two: it has the device, agrees with the server on an export, gives the
 * connection to the kernel, and waits in the kernel until that ends (NBD_DO_IT).  Whichever of the two ends first, the other
 * one follows, and the device is free.
 */
#ifndef DRYDOCK_SERVE_DEVICE_H
#define DRYDOCK_SERVE_DEVICE_H

#include "serve_live.h"

/* Opens l->device and starts that process: l->connected is its connection, l->line tells of it.  false: a sentence was printed. */
bool serve_device_start(struct serve_live *l);
/* Takes a device away from whoever has it, and says so; an exit status. */
int serve_device_disconnect(const struct serve_live *l, const char *device);

#endif
