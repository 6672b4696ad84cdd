/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * machine.h - one virtual machine as the command has it: the line to its guardian, the threads that serve its disks and its
 * channel, and the thread that reads its console.
 */
#ifndef DRYDOCK_MACHINE_H
#define DRYDOCK_MACHINE_H

#include "block.h"
#include "broker_ask.h"
#include "launch.h"
#include "strbuf.h"
#include "vm.h"

struct machine_disk {
	struct block *block;
	bool writable;
	bool steady; /* where its bytes lie stays as it is while it is written to */
	const char *serial;
};

struct machine;

uint64_t machine_now_ms(void); /* a clock that only goes on */
/* Waits until fd can be read; false: the time has come. */
bool machine_wait_for(int fd, uint64_t end_ms);

/*
 * Has the broker start what is asked for, and serves its disks.  *out may be a machine that failed, too: it tells why, and
 * is to be ended.
 */
int machine_start(struct broker *b, const struct vm_request *req, const struct machine_disk *disks,
		  void (*log)(void *arg, const char *line), void *log_arg, uint64_t end_ms, struct machine **out,
		  struct err *e);
/* Waits until its agent has said something, the machine has ended, or the time has come. */
int machine_wait(struct machine *m, uint64_t end_ms, struct err *e);
/* A first word to the agent, which is short and waits for it. */
int machine_say(struct machine *m, const void *bytes, size_t len, struct err *e);
/* Of one that is to be saved: QEMU's monitor and the file that is its memory, lent. */
int machine_monitor(const struct machine *m, int *memory);
/* The socket to the agent, which is the caller's from now on. */
int machine_channel(struct machine *m);
/* Has it ended by itself? */
bool machine_ended(const struct machine *m);
/* Waits until the machine and its guardian are gone; false: they are not. */
bool machine_gone(const struct machine *m, unsigned ms);
/* The last line that it said, made safe for a terminal, appended. */
void machine_console(const struct machine *m, struct strbuf *out);
int machine_disk_error(const struct machine *m, struct err *e);
/* Ends it and all that served it, and waits until it is gone; NULL is fine. */
void machine_end(struct machine *m);

#endif
