/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sysprep.h - a guest made ready to be cloned: what belongs to this one machine is taken away, operation by operation.
 *
 * Most operations are lists of patterns of files that are removed.  Which are done is a bit each, by their index in the table.
 */
#ifndef DRYDOCK_SYSPREP_H
#define DRYDOCK_SYSPREP_H

#include "customize.h"
#include "tree.h"

struct sysprep_job;
struct sysprep_op {
	const char *name, *help;
	/* As tree_glob_homes() takes them, ends at NULL; "-" in front: folders that the pattern names are left.  NULL: none. */
	const char *const *files;
	int (*run)(struct sysprep_job *job, struct err *e); /* besides; NULL: nothing */
	bool by_default;
	bool own;	  /* the peer's virt-sysprep does not have it */
	bool any_system; /* not of Linux alone */
	bool last;	  /* behind all others, which would take away what it makes */
};
#define SYSPREP_OPS 64
/* NULL past the end; by name. */
const struct sysprep_op *sysprep_op_at(size_t i);

struct sysprep_choice {
	bool on[SYSPREP_OPS];
};
/* Those that are done when nobody says otherwise; peer: as its virt-sysprep. */
void sysprep_defaults(bool peer, struct sysprep_choice *out);
/* "a,b": these and no others. */
int sysprep_enable(const char *names, struct sysprep_choice *out, struct err *e);
/* "defaults,-ssh-hostkeys,ca-certificates", "all": these are added and taken away, one after the other, from none. */
int sysprep_operations(const char *names, bool peer, struct sysprep_choice *out, struct err *e);

struct sysprep_job {
	struct customize_job customize; /* the tree, and who is told */
	const struct customize *ops;	/* of the operation customize; NULL: none */
	struct sysprep_choice choice;
	/* Of user-account, between commas: who stays; who goes (NULL: all the others). */
	const char *keep, *remove;
	/*
	 * Of fs-uuids and lvm-uuids: settles that filesystems or volume groups get other UUIDs when the guest is unmounted; arg is
	 * that of `customize`.  NULL: there is nobody who could.
	 */
	int (*fs_uuids)(void *arg, struct err *e);
	int (*lvm_uuids)(void *arg, struct err *e);
};
int sysprep_run(struct sysprep_job *job, struct err *e);

/* Calls fn for each secret that is met at the usual places: its path, and what it is ("a private key of ssh"). */
int secrets_find_in(struct tree *t, int (*fn)(void *arg, const char *path, const char *what, struct err *e), void *arg,
		    struct err *e);

#endif
