/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kernels.h - the kernels that an appliance can be made from, and what of their modules goes into its initramfs.
 *
 * A purpose is what somebody may ask the appliance for: "boot" (what it is reached by), "fs-TYPE" by the name that mount(2)
 * takes, "lvm", "luks", "md" ...  For each that a kernel can serve there is a list of modules in the order in which they are to
 * be loaded; it is empty where all of it is in the kernel.
 */
#ifndef DRYDOCK_KERNELS_H
#define DRYDOCK_KERNELS_H

#include "modules.h"
#include "sources.h"

enum kernel_kind { KERNEL_UML, KERNEL_PC };

struct purpose_modules {
	const char *name;
	struct module_order order;
};

struct kernel {
	enum kernel_kind kind;
	char *path;	/* of the program, or of the vmlinuz */
	char *release;	/* 6.1.0-56-cloud-amd64 */
	char *folder;	/* of its modules */
	struct modules modules;
	struct purpose_modules *purposes;
	size_t npurposes;
	struct module_order all; /* every module of those lists, once */
	size_t nboot;		 /* the first of them: those of "boot" */
};

/*
 * Finds one of that kind: of several the newest, and of a PC's kernels rather one for virtual machines ("cloud") than one for
 * all hardware.  `path` names one instead (NULL: none).  1, or 0 when there is none that may be read and has modules.
 */
int kernel_find(const struct sources *s, enum kernel_kind kind, const char *path, struct kernel *out, struct err *e);
void kernel_free(struct kernel *k); /* for CLEANUP; zeroed is fine */
/* Does it serve that purpose? */
bool kernel_can(const struct kernel *k, const char *purpose);

#endif
