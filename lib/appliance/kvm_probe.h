/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kvm_probe.h - is there KVM, and does it run at the speed of the hardware?
 *
 * A virtual machine in a cloud may show a /dev/kvm that works and executes a million instructions a second: Linux in it
 * looks as if it hung.  So a few thousand instructions are run and timed.
 */
#ifndef DRYDOCK_KVM_PROBE_H
#define DRYDOCK_KVM_PROBE_H

#include "err.h"

#include <stdbool.h>
#include <stdint.h>

/* Two a turn of the loop. */
#define KVM_PROBE_INSTRUCTIONS 4000
/*
 * The hardware needs some microseconds for them, with a first entry and a fault or two of some tens, more where it is nested; a
 * machine that emulates KVM, 4 to 8 ms.  The best of three counts, since the probe may be interrupted; should all three be, the
 * appliance starts in another way, and nothing is lost.
 */
#define KVM_PROBE_FAST_NS 1000000u
/* Who has not answered by then is slow. */
#define KVM_PROBE_MS 500

struct kvm_probe {
	bool present;	 /* there is a /dev/kvm */
	bool usable;	 /* a machine could be made */
	bool ran;	 /* and ran to its end */
	bool fast;	 /* at the speed of the hardware */
	uint64_t ns;	 /* what the instructions took */
	char words[200]; /* a sentence: what was found */
};

/* Runs a machine in a child process, which is killed when it takes too long.  Returns 0, or an error of the host; e may be NULL. */
int kvm_probe(struct kvm_probe *out, struct err *e);

/* What the processor says of itself. */
struct cpu_virtualization {
	bool vmx, svm;	     /* it can run machines */
	bool hypervisor;     /* we are in one already */
};
void cpu_virtualization(struct cpu_virtualization *out);

#endif
