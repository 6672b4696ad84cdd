/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * engine.h - who reads the filesystems of a guest: our own readers, or Linux in a small virtual machine.
 *
 * An engine belongs to one guest and to one thread at a time.  No machine is started before a filesystem needs one; it then gets
 * a disk for each volume that is likely to be asked for.  What a machine writes stays in memory.
 */
#ifndef DRYDOCK_ENGINE_H
#define DRYDOCK_ENGINE_H

#include "launch.h"
#include "fs.h"

enum engine_policy {
	ENGINE_AUTO,	  /* our own readers; the appliance where they cannot */
	ENGINE_DIRECT,	  /* our own readers alone */
	ENGINE_APPLIANCE, /* the appliance alone */
};

struct engine;
/* The broker is lent, and must outlive it. */
int engine_new(enum engine_policy policy, struct broker *broker, const struct appliance_how *how, struct engine **out,
	       struct err *e);
/* Ends the machines; filesystems that they show must have been closed.  They are started again when they are needed. */
void engine_stop(struct engine *en);
void engine_free(struct engine *en); /* NULL is fine */
enum engine_policy engine_policy_of(const struct engine *en);

/* Does Linux in the appliance read what fs_probe() says is there? */
bool engine_reads(const struct engine *en, const struct fs_id *id);
/* Does it bring up to date what our own reader shows only as of an earlier time, with a warning? */
bool engine_replays(const struct fs_id *id);

struct engine_volume {
	struct block *block;
	const struct fs_id *id;
	const char *name;
	bool likely; /* it will be asked for, too */
};
/*
 * Opens the filesystem of vols[which]; those that share it (devices of one btrfs) are found by their UUID.  Starts a machine
 * unless one runs that has the volume.
 */
int engine_open(struct engine *en, const struct engine_volume *vols, size_t n, size_t which, struct fs **out,
		struct err *e);

#endif
