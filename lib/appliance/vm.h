/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vm.h - between the command, its broker and the guardian of a machine: what is asked for, and what is answered.
 *
 * All three are one program, forked, so that the words are structs.  Each is one message of a socket that keeps messages
 * apart.  The broker does not trust the command, which reads guests: numbers are judged, texts are checked, and neither
 * programs nor files can be named.
 */
#ifndef DRYDOCK_VM_H
#define DRYDOCK_VM_H

#include "files.h"
#include "launch.h"
#include "saved.h"

#include <stdint.h>
#include <sys/types.h>

/* Disks with that of the tools. */
#define VM_DISKS_MAX (APPLIANCE_DISKS_MAX + 1)
#define VM_APPEND_MAX 1024
#define VM_TEXT_MAX 600

enum vm_ask {
	VM_START,
	VM_PROBE, /* does KVM run at the speed of the hardware here? */
	VM_SAVE,  /* boot a machine, of which nothing counts but `programs`, and save it */
	VM_DROP,  /* the machine that is saved does not work: give it up */
};

/* What a start of QEMU has to do with a saved machine (saved.h). */
enum vm_saved {
	VM_BOOTS,
	VM_BOOTS_TO_SAVE, /* without disks; its memory and its monitor go to the command */
	VM_GOES_ON,	  /* from the saved one */
};

/* QEMU's machines, in the order in which they are tried. */
enum vm_board {
	VM_MICROVM,
	VM_Q35,
};

struct vm_request {
	uint32_t ask;
	uint32_t backend; /* APPLIANCE_KVM, _UML, _TCG */
	uint32_t board;
	uint32_t memory, smp, ndisks;
	uint8_t network, raid6, verbose, programs;
	uint8_t saved; /* enum vm_saved */
	uint8_t bare;  /* this QEMU has no sandbox option */
	uint8_t plain; /* this KVM does not take all that it says it has: fewer of the host's registers */
	uint8_t writable[VM_DISKS_MAX]; /* what QEMU tells the machine; who serves the disk sees to it */
	char serials[VM_DISKS_MAX][APPLIANCE_SERIAL_MAX + 1];
	char append[VM_APPEND_MAX];
};

/* From the broker: VM_OK with the life line and the guardian's process, or VM_FAILED.  From the guardian: the others. */
enum vm_what {
	VM_OK,
	VM_FAILED, /* text says why; nothing else will come */
	VM_UNSAVED, /* the same: there is no saved machine, or it is of something else, or damaged */
	VM_SERVE,  /* with descriptors: the console's pipe, the channel (for user-mode Linux both ends, and the
		    console's socket; for one that is to be saved its monitor and its memory), one for each disk */
	VM_ENDED,  /* the machine has ended: status as of waitpid() */
};
struct vm_word {
	uint32_t what;
	int32_t status;
	char text[VM_TEXT_MAX];
};

#define VM_FDS_MAX (VM_DISKS_MAX + 4)

/* One message with its descriptors.  0, or an errno; EPIPE: the other side is gone. */
int vm_send(int sock, const void *msg, size_t len, const int *fds, size_t nfds);
/*
 * One message of exactly len bytes, and at most max descriptors (which are closed on exec): *nfds of them.  EPIPE: the other
 * side is gone; EPROTO: it is something else.
 */
int vm_receive(int sock, void *msg, size_t len, int *fds, size_t max, size_t *nfds);

/* What a moment is in the processor's counter and in ours, to tell how fast that one runs. */
struct tsc_moment {
	uint64_t tsc, ns;
};

/* What a guardian knows besides the request. */
struct vm_host {
	const struct appliance_files *files; /* NULL: none */
	char *kernel, *initrd;		     /* of the backend, from the root folder on; the guardian fills them */
	struct tsc_moment began; /* when the broker was started */
	uid_t uid;
	gid_t gid;
	bool spaces;		 /* it has namespaces of its own, and is their first process */
	bool room;		 /* and is in its room */
};

/*
 * guardian.c: starts the machine and watches over it; ends when it ends, or when `life` says so or is hung up.  Does not
 * return: the process has been forked for this.
 */
__attribute__((noreturn)) void guardian_run(const struct vm_request *req, struct vm_host *host, int life);

/* ---- what the two kinds of machines are for the guardian ---- */

struct room;
struct vm_argv {
	char **items; /* ends at NULL once built */
	size_t n, cap;
	bool failed;
};
__attribute__((format(printf, 2, 3))) void vm_arg(struct vm_argv *a, const char *fmt, ...);

/* Descriptors: `ours` go to the command, `its` are inherited by the machine; -1 where there is none. */
struct vm_wires {
	int console[2];			 /* a pipe: what the machine says */
	int channel[2];
	int disks[VM_DISKS_MAX], disks_vm[VM_DISKS_MAX];
	int listening;			 /* user-mode Linux: where its console connects to */
	int monitor[2];			 /* QEMU's, of one that is saved or goes on */
	int memory;			 /* of the same: the file that is its memory */
	int state;			 /* of one that goes on: the file that it was saved in */
};

struct vmm {
	const char *name; /* for sentences */
	bool needs_room;  /* it is not started without namespaces, Landlock and seccomp */
	/* The program and what else of the host it needs to see. */
	int (*room)(const struct vm_request *req, const struct vm_host *host, struct room *room, struct err *e);
	/* In the room: makes the wires. */
	int (*wire)(const struct vm_request *req, const struct vm_host *host, struct vm_wires *w, struct err *e);
	void (*argv)(const struct vm_request *req, const struct vm_host *host, const struct vm_wires *w,
		     struct vm_argv *argv);
	/* In the process that becomes the machine, last; NULL: nothing.  0 or an errno, *what tells of what (seccomp). */
	int (*seal)(const char **what);
	const char *const *env;
};
extern const struct vmm vmm_uml, vmm_qemu;

/* The path of the host's QEMU, to be freed; ERR_NOT_FOUND. */
int vmm_qemu_find(char **path, struct err *e);
/* What a machine of these words has to have been saved as. */
int vmm_qemu_saved(const struct vm_request *req, const struct vm_host *host, struct saved_of *of, struct err *e);
/* Makes one that was started as VM_GOES_ON go on, once its memory is there.  0 or an errno. */
int vmm_qemu_go_on(const struct vm_wires *w);
/* The request of one that can be saved: without disks yet. */
void vm_saved_request(struct vm_request *req, enum vm_saved saved, bool programs);
/* This moment. */
struct tsc_moment tsc_now(void);

#endif
