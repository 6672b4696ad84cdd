/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * facts.h - what else a guest's files tell of it: how it boots, who can log in, what it starts, what it is for.
 *
 * As with os.h, every fact is a guest's word; one that cannot be read is a warning, and the others are told all the same.
 */
#ifndef DRYDOCK_FACTS_H
#define DRYDOCK_FACTS_H

#include "guest.h"
#include "os.h"

/* A tree that is looked at for how it boots: the guest's own, or a volume that it does not mount. */
struct boot_place {
	struct vfs *v;	       /* lent */
	const char *prefix;    /* where it lies in that: "", "/boot/efi" */
	const char *volume;    /* "/dev/sda1" where the guest does not mount it, else NULL; lent */
};

struct kernel {
	char *path;
	const char *volume; /* that of its place */
	struct vfs_node node;
	uint64_t size;
	char *tag;	     /* what its name has behind "vmlinuz-", by which an initrd is found; NULL: nothing */
	char *version;	     /* as it says itself, else its tag; NULL: not known */
	const char *arch, *format; /* "x86_64", "bzImage"; NULL: not known */
	bool modules;	     /* there is a folder of modules for its version */
};

struct initrd {
	char *path;
	const char *volume;
	struct vfs_node node;
	uint64_t size;
	char *version;		 /* from its name; NULL: not known */
	const char *compression; /* of its last part: "gzip", "zstd" ... "none"; NULL: not known */
	size_t kernel;		 /* the kernel that it is for; NO_KERNEL */
};
#define NO_KERNEL SIZE_MAX

/* Things that are seen by a file: what is there, by which file, and a value that the file has for it. */
enum sign_kind { SIGN_BOOT_LOADER, SIGN_PROVISIONING, SIGN_SECURITY, SIGN_ROLE };
struct sign {
	enum sign_kind kind;
	const char *name; /* "grub2", "cloud-init", "selinux", "docker" */
	char *path;
	const char *volume; /* as of a kernel */
	char *value;	    /* "enforcing"; NULL: none */
};

/* A line of passwd whose shell lets somebody in.  Of the password nothing is kept but whether there is one. */
struct login {
	char *name, *real_name, *home, *shell;
	uint32_t uid, gid;
	enum login_password { PASSWORD_UNKNOWN, PASSWORD_SET, PASSWORD_NONE, PASSWORD_LOCKED } password;
	bool ssh_keys; /* there is an authorized_keys */
};

struct service {
	char *name;	      /* "ssh.service", "sshd" */
	const char *manager;  /* "systemd", "openrc" ... */
	const char *state;    /* "enabled", "masked", "preset" */
	char *when;	      /* target or runlevel; NULL: none is told */
};

/* A line of fstab. */
struct fact_mount {
	char *spec, *dir, *type, *opts;
	const struct content *content; /* which volume it means; NULL: none that is here */
};

struct facts {
	bool bios, uefi;
	struct kernel *kernels; /* the newest first */
	size_t nkernels;
	struct initrd *initrds;
	size_t ninitrds;
	struct sign *signs;
	size_t nsigns;
	struct login *logins; /* by their numbers */
	size_t nlogins;
	struct service *services; /* by their names */
	size_t nservices;
	struct fact_mount *mounts;
	size_t nmounts;
	char **warnings;
	size_t nwarnings;
	/* ---- for the collecting ---- */
	struct vfs **others; /* of volumes that were opened to look into them */
	size_t nothers;
	size_t entries, kib; /* of folders and files so far: LIMIT_FACT_ENTRIES, LIMIT_FACT_KIB */
};
void facts_free(struct facts *f); /* for CLEANUP */

/* Where facts come from.  c NULL: a tree alone. */
struct facts_from {
	const struct contents *c;
	struct block *const *disks;
	size_t ndisks;
	const struct guest *g; /* mounted and opened; must outlive the facts */
	const struct os *os;
};
/* Only memory can fail. */
int facts_inspect(const struct facts_from *from, struct facts *out, struct err *e);

/* ---- between the parts ---- */

/*
 * The text of a file, NUL-terminated: 1 and free() it, or 0 when it is not there; a warning when it cannot be read, or is
 * larger than max.
 */
int facts_text(struct facts *f, struct vfs *v, const char *path, size_t max, char **text, struct err *e);
/*
 * Calls fn for what is in a folder, in no order; 0 when there is none.  What cannot be read, and more entries than are looked
 * at, is a warning.  A non-zero answer of fn ends it and is returned.
 */
int facts_dir(struct facts *f, struct vfs *v, const char *path,
	      int (*fn)(void *arg, const struct vfs_dirent *d, struct err *e), void *arg, struct err *e);
int facts_sign(struct facts *f, enum sign_kind kind, const char *name, const char *path, const char *volume, const char *value,
	       struct err *e);

/* fact_boot.c: kernels and initrds. */
int facts_kernels(const struct facts_from *from, const struct boot_place *p, struct facts *f, struct err *e);
int facts_kernels_end(struct facts *f, struct vfs *v, struct err *e);
/* fact_loader.c: boot loaders, firmware; asks facts_kernels() for each place. */
int facts_boot(const struct facts_from *from, struct facts *f, struct err *e);
/* fact_logins.c, fact_services.c, fact_signs.c */
int facts_logins(const struct facts_from *from, struct facts *f, struct err *e);
int facts_services(const struct facts_from *from, struct facts *f, struct err *e);
int facts_signs(const struct facts_from *from, struct facts *f, struct err *e);

#endif
