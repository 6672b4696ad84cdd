/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * registry.h - the registry of a Windows guest: which file holds which keys.
 *
 *	HKEY_LOCAL_MACHINE (HKLM)	SAM, SECURITY, SOFTWARE, SYSTEM ... of system32/config
 *	  SYSTEM\CurrentControlSet	the ControlSet001 or so that SYSTEM\Select names
 *	HKEY_USERS (HKU)		.DEFAULT; users by SID or by the name of their folder; SID_Classes
 *	HKEY_CLASSES_ROOT (HKCR)	HKLM\SOFTWARE\Classes
 *	HKEY_CURRENT_CONFIG (HKCC)	a part of SYSTEM
 *
 * Words are taken in any case, names of roots in their long and their short form, and \ may stand in front.
 */
#ifndef DRYDOCK_REGISTRY_H
#define DRYDOCK_REGISTRY_H

#include "hive.h"
#include "vfs.h"

struct registry;
/* Of the tree of a guest, in which Windows lies in the folder systemroot ("/Windows"); registry_free() ends it. */
int registry_new(struct vfs *v, const char *systemroot, struct registry **out, struct err *e);
/* One hive alone, a file of that tree: its keys are named from its root.  1, or 0 when there is no such file. */
int registry_of_file(struct vfs *v, const char *file, struct registry **out, struct err *e);
/* The same of one that is open, *h, which is taken over.  name is for sentences. */
int registry_of_hive(struct hive **h, const char *name, struct registry **out, struct err *e);
void registry_free(struct registry *r); /* NULL is fine */
void registry_freep(struct registry **r); /* for CLEANUP */
/* The i-th sentence on a hive that may be older than what the guest itself would see; NULL past the end. */
const char *registry_warning(const struct registry *r, size_t i);

/* The folder of Windows in a tree, as far as one of the usual names has it ("/Windows", "/WINNT"); NULL: none. */
const char *registry_systemroot(struct vfs *v);

/* A place in the registry: a key of a hive, or (hive NULL) one that only holds hives, as HKLM. */
struct registry_key {
	struct hive *hive; /* lent */
	hive_key key;
	char *path; /* in its long form, as the hive has its names: "HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft" */
};
void registry_key_clear(struct registry_key *k); /* for CLEANUP */
/* 1, or 0 when there is no such key; ERR_USAGE for a path that is none. */
int registry_find(struct registry *r, const char *path, struct registry_key *out, struct err *e);
/*
 * Where a key is, or would be if it were made: 1 with the hive (lent), its file in the guest's tree (lent) and the path in it,
 * appended; 0 when there is no such hive.
 */
int registry_place(struct registry *r, const char *path, struct hive **h, const char **file, struct strbuf *inside,
		   struct err *e);
/* Calls fn with the paths of what lies in a place without a hive. */
int registry_places(struct registry *r, const struct registry_key *k, int (*fn)(void *arg, const char *path, struct err *e),
		    void *arg, struct err *e);
/* The value of that name of a key: 1 or 0. */
int registry_get(struct registry *r, const char *path, const char *name, struct hive_value *out, struct err *e);
/* Its text, or number; 0 also when it is of another type.  free(*text). */
int registry_text(struct registry *r, const char *path, const char *name, char **text, struct err *e);
int registry_number(struct registry *r, const char *path, const char *name, uint64_t *n, struct err *e);

/* A user who has a profile. */
struct registry_user {
	const char *sid;    /* "S-1-5-21-..." */
	const char *name;   /* the last part of the profile's path */
	const char *folder; /* the profile's folder, in the guest's tree */
};
int registry_users(struct registry *r, int (*fn)(void *arg, const struct registry_user *u, struct err *e), void *arg,
		   struct err *e);
/* A path as Windows has it ("%SystemRoot%\\x", "C:\\x") in the guest's tree; NULL: out of memory. */
char *registry_file(const struct registry *r, const char *path);

#endif
