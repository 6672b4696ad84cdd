/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker.h - who starts virtual machines for a process that may not start anything.
 *
 * A command confines itself before it reads a guest (confine.h): no programs, no sockets.  Only then does it know whether
 * it needs a virtual machine.  So it forks a broker before: a process that never sees a byte of a guest, waits for the word,
 * and starts machines, each under a guardian of its own (guardian.h).
 *
 *	the command --- socket ---> broker --- fork ---> guardian --- fork ---> user-mode Linux or QEMU
 *	     \_______________________ socket, process ________/
 *
 * Nothing outlives the command: the broker ends when the command does, the guardian when either does, the machine when
 * the guardian does; each is seen to by the kernel, so that it holds for SIGKILL, too.
 */
#ifndef DRYDOCK_BROKER_H
#define DRYDOCK_BROKER_H

#include "err.h"
#include "files.h"

#include <stdbool.h>

struct broker;

/*
 * What the broker may do is settled before the first byte of a guest is read: should a guest take the command over, it
 * can ask for these machines and no others.
 */
struct broker_how {
	const struct appliance_files *files; /* lent until broker_free() */
	bool network;			     /* a machine may have a network, if it is asked for */
	bool saves;			     /* the process may have the memory and the monitor of a machine: it sees no guest */
};

/*
 * Forks the broker.  To be called before the process confines itself or makes threads.  A broker is for all threads of
 * the process.
 */
int broker_start(const struct broker_how *how, struct broker **out, struct err *e);
/* Ends the broker, and every machine that it started; NULL is fine. */
void broker_free(struct broker *b);

#endif
