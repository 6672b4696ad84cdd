/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * initrd.h - the initramfs of one kernel: the agent as /init, modules, and the list by which the agent loads them.
 *
 *	/init			the agent, a static program
 *	/modules/NAME.ko	what the appliance is reached by, not compressed
 *	/modules.list		a line for each purpose: its name, and files in the order of loading
 *	/dev/console, /dev/null	and empty folders to mount on
 *
 * It is kept small, as the kernel unpacks it at every start: all other modules are in the image of tools, and the list says so
 * with a path below /tools, where the agent mounts that.
 */
#ifndef DRYDOCK_INITRD_H
#define DRYDOCK_INITRD_H

#include "kernels.h"

/* Where a module that is not in the initramfs lies in the image of tools, to be freed; no "/" at the front. */
char *initrd_module_place(const struct kernel *k, const struct module *m);
/* Writes it to fd, which is empty. */
int initrd_write(const struct sources *s, const struct kernel *k, const void *agent, size_t agent_len, int fd, struct err *e);

#endif
