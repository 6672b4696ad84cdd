/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * launch.h - the appliance: a small virtual machine that is there in a tenth of a second, and leaves nothing behind.
 *
 * Three ways to have one, tried in this order until an agent answers: QEMU with KVM where that runs at the speed of the
 * hardware (kvm_probe.h), user-mode Linux, QEMU without KVM.  One that does not come up in its time is ended and named in
 * the log.
 *
 * QEMU without KVM goes on from a machine that has booted already and was saved (saver.h), where one of the usual shape is
 * asked for: APPLIANCE_MEMORY, one processor, no network, no words for its kernel, at most eight disks.  The first start makes
 * one.  Whatever is wrong with it, the start is then one from nothing.
 *
 * Its disks are served by threads of this process: the machine is given no file of the host but its kernel and initramfs.
 */
#ifndef DRYDOCK_LAUNCH_H
#define DRYDOCK_LAUNCH_H

#include "block.h"
#include "broker.h"
#include "err.h"
#include "files.h"
#include "strbuf.h"

#include <stdbool.h>
#include <stddef.h>

struct client;

enum appliance_backend {
	APPLIANCE_AUTO,
	APPLIANCE_KVM, /* QEMU with KVM */
	APPLIANCE_UML, /* user-mode Linux */
	APPLIANCE_TCG, /* QEMU alone */
};
#define APPLIANCE_BACKENDS 4 /* APPLIANCE_AUTO among them */

/* "auto", "kvm", "uml", "tcg". */
const char *appliance_backend_word(enum appliance_backend backend);
/* ERR_USAGE for a word that is none of these. */
int appliance_backend_parse(const char *word, enum appliance_backend *out, struct err *e);

#define APPLIANCE_DISKS_MAX 64
#define APPLIANCE_SERIAL_MAX 20

struct appliance_disk {
	struct block *block; /* a reference is taken */
	bool writable;
	char serial[APPLIANCE_SERIAL_MAX + 1]; /* by which the agent finds it; letters, digits, '-', '_' and '.' */
};

struct appliance_how {
	enum appliance_backend backend; /* APPLIANCE_AUTO: what DRYDOCK_APPLIANCE in the environment says, else any */
	unsigned without;	/* of APPLIANCE_AUTO, those that are not tried: 1u << APPLIANCE_KVM ... */
	unsigned memory;	/* MiB; 0: APPLIANCE_MEMORY */
	unsigned smp;		/* processors; 0: 1.  User-mode Linux has one */
	bool network;		/* user-mode network, outwards only; not with user-mode Linux.  As broker_how.network */
	bool raid6;		/* user-mode Linux is to manage RAID 6: 0.6 s later; without, it panics at such an array */
	bool programs;		/* programs of guests will run: QEMU shows them the newest processor it has, 0.2 s later */
	bool no_tools;		/* the disk of tools is left out */
	const char *append;	/* further words for the kernel; NULL: none */
	unsigned deadline;	/* seconds for each backend to come up; 0: APPLIANCE_SECONDS_... */
	bool verbose;		/* the kernel says all it has to say, to log() */
	/* What happens, a line at a time, from any thread; NULL: nobody wants to know. */
	void (*log)(void *arg, const char *line);
	void *log_arg;
};
#define APPLIANCE_MEMORY 512
#define APPLIANCE_MEMORY_MIN 64
#define APPLIANCE_MEMORY_MAX (1024 * 1024)
#define APPLIANCE_SMP_MAX 64
/* On a machine at rest it takes a tenth of a second, and a second with TCG. */
#define APPLIANCE_SECONDS_KVM 20
#define APPLIANCE_SECONDS_UML 20
#define APPLIANCE_SECONDS_TCG 90

struct appliance;

/*
 * Starts one and waits until its agent has said who it is.  May be called in a confined process (confine_how.serve), from any
 * thread.  The disk of tools, where there is one, is served as the last disk, with the serial number "tools".  When no backend
 * comes up the sentence names each of them, and why.
 */
int appliance_launch(struct broker *b, const struct appliance_how *how, const struct appliance_disk *disks, size_t n,
		     struct appliance **out, struct err *e);

/* The talk with the agent; lent, for one thread at a time. */
struct client *appliance_client(struct appliance *a);
enum appliance_backend appliance_backend(const struct appliance *a);
const char *appliance_backend_name(const struct appliance *a); /* "uml" */
/* Milliseconds that the start took, from the word to the agent's first one. */
unsigned appliance_launch_ms(const struct appliance *a);
/* Has the machine ended? */
bool appliance_ended(struct appliance *a);
/* The last line that the kernel wrote to its console, if it wrote any, made safe for a terminal; appended. */
void appliance_console(struct appliance *a, struct strbuf *out);
/* The first thing that went wrong with a disk, "disk1: ..."; 0: nothing. */
int appliance_disk_error(struct appliance *a, struct err *e);

/*
 * Asks the agent to write out what it has and to power off, waits a few seconds for that, and ends what is left.  The
 * answer tells what did not go well; the appliance is gone either way.  NULL is fine.
 */
int appliance_close(struct appliance *a, struct err *e);
/* Ends it at once: what it has not written is lost.  NULL is fine. */
void appliance_kill(struct appliance *a);

/*
 * Could a backend (APPLIANCE_AUTO: any) be tried here, by what is installed?  Costs a few system calls: nothing is started.
 * ERR_NOT_FOUND says what is missing.
 */
int appliance_possible(const struct appliance_files *files, enum appliance_backend backend, struct err *e);

#endif
