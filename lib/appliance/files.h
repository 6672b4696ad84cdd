/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * files.h - the files that an appliance is started from: kernels, an initramfs for each, and the image of tools.
 *
 * They lie together in one folder, made whole by the builder and never changed after that:
 *
 *	key		text: a line with the number of the layout; one with the key over all that the folder was made from; for
 *			each kernel one with its file's name and the filesystems that it mounts
 *	uml		user-mode Linux, a program
 *	uml.initrd	its initramfs: the agent as /init, and modules
 *	vmlinux		a kernel for QEMU, as an ELF file
 *	vmlinux.initrd	its initramfs
 *	tools.ext4	programs for the guest's filesystems and volumes, and a shell: an image to be mounted read-only
 *	info.json	what was built from what, for people
 *
 * A kernel that was not to be had when the folder was made is not there, and neither is its initramfs.
 */
#ifndef DRYDOCK_FILES_H
#define DRYDOCK_FILES_H

#include "err.h"

#include <stdbool.h>

/* The layout of the folder and of what the initramfs's agent understands: another number is not looked at. */
#define APPLIANCE_LAYOUT 5

/* A file, open for reading; fd is -1 and path NULL where there is none. */
struct appliance_file {
	int fd;
	char *path;
};

struct appliance_files {
	char *folder;
	bool installed; /* with the program, or beside it: nothing is added to it */
	char key[65];
	struct appliance_file uml, uml_initrd;	       /* both or none */
	struct appliance_file vmlinux, vmlinux_initrd; /* both or none */
	struct appliance_file tools;
	/* The filesystems that each mounts, by the names of mount(2) and "ntfs", blanks around each; NULL without that kernel. */
	char *uml_mounts, *vmlinux_mounts;
};

/*
 * Finds the files of the appliance and opens them: in DRYDOCK_APPLIANCE_DIR, and nowhere else where that is set; in the
 * user's cache ($XDG_CACHE_HOME/drydock/appliance); in the folder that is beside the program or was installed with it.
 * Costs a few system calls.  ERR_NOT_FOUND where there is none: the sentence says how to make one.
 */
int appliance_files_find(struct appliance_files *out, struct err *e);
/* The same for one folder, whoever owns it. */
int appliance_files_open(const char *folder, struct appliance_files *out, struct err *e);
void appliance_files_free(struct appliance_files *f); /* for CLEANUP; zeroed is fine */
/* Is a filesystem in such a list, which may be NULL? */
bool appliance_mounts(const char *list, const char *type);

/* $XDG_CACHE_HOME/drydock or ~/.cache/drydock, to be freed; NULL where there is no home, or when memory is out. */
char *appliance_cache_folder(void);
/* The folder of the program that runs, to be freed; NULL when that is not known. */
char *appliance_program_folder(void);

#endif
