/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* registry_change.h - changes to the registry of a guest: each goes to the hive in which its key lies. */
#ifndef DRYDOCK_REGISTRY_CHANGE_H
#define DRYDOCK_REGISTRY_CHANGE_H

#include "hive_writer.h"
#include "registry.h"
#include "tree.h"

/*
 * Makes all changes, hive by hive; r, of the tree's guest, shows the hives as they were.  *nhives were written.  ERR_NOT_FOUND
 * for a key whose hive the guest does not have.
 */
int registry_change(struct tree *t, struct registry *r, struct hive_writer *w, const struct reg_edits *edits, size_t *nhives,
		    struct err *e);
/* The same of a registry that is one hive of the host: its new content, free(*out); NULL when nothing would change. */
int registry_change_alone(struct registry *r, struct hive_writer *w, const struct reg_edits *edits, uint8_t **out, size_t *len,
			  struct err *e);

#endif
