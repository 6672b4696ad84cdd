/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * windows_media.h - the virtio-win medium: drivers and agents for Windows in a virtual machine, in an ISO image or a folder of the
 * host, and which of its files are for which Windows.
 *
 *	DRIVER/VERSION/ARCH/FILE	as on the public ISO: NetKVM/w10/amd64/netkvm.inf, Balloon/2k19/amd64/blnsvr.exe
 *	drivers/.../ARCH/VERSION/FILE	as packages of distributions unpack it: drivers/by-os/amd64/w10/netkvm.sys
 *	guest-agent/qemu-ga-x86_64.msi
 *
 * It is opened before a process is confined, and looked at afterwards.
 */
#ifndef DRYDOCK_WINDOWS_MEDIA_H
#define DRYDOCK_WINDOWS_MEDIA_H

#include "os.h"
#include "tree.h"

struct windows_media;
int windows_media_open(const char *path, struct windows_media **out, struct err *e);
void windows_media_close(struct windows_media *m); /* NULL is fine */

/*
 * Calls fn for each file that is for this Windows by its path, with its name in small letters.  Of what the medium has for several
 * versions, the newest that this Windows takes.
 */
int windows_media_drivers(struct windows_media *m, const struct os *os,
			  int (*fn)(void *arg, const char *path, const char *name, struct err *e), void *arg, struct err *e);
/* The installer of QEMU's guest agent for this Windows: its path and name, for free(); NULL: there is none. */
int windows_media_agent(struct windows_media *m, const struct os *os, char **path, char **name, struct err *e);
/* Copies a file of the medium to a path of the guest. */
int windows_media_copy(struct windows_media *m, const char *path, struct tree *t, const char *to, struct err *e);

#endif
