/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest_api.h - what a struct dry_guest is made of: shared by guest.c (disks, mounts) and guest_files.c. */
#ifndef DRYDOCK_GUEST_API_H
#define DRYDOCK_GUEST_API_H

#include "api.h"
#include "facts.h"
#include "guest.h"
#include "guest_machine.h"
#include "locked.h"
#include "os.h"
#include "redo.h"

struct guest_subvolumes {
	struct dry_subvolume *items;
	size_t n;
	bool known;
};

/* What was typed for an encrypted volume: it is not asked for again. */
struct guest_asked {
	char *volume;
	unsigned nth;
	struct locked key;
};

struct dry_guest {
	struct block **disks; /* one reference each */
	struct block **images; /* beneath disks that take changes elsewhere, one reference each; NULL: disks are the images */
	struct redo *redo;     /* disks are its; NULL: they are temporary, or the images */
	char **devices; /* "/dev/sda", by disk */
	size_t ndisks;
	const struct dry_keys *keys; /* lent; NULL: none */
	struct dry_ask ask;
	struct guest_asked *asked;
	size_t nasked;
	struct dry_guest *twin_of; /* whose keys are taken; lent; NULL: its own */
	struct engine *engine; /* NULL: our own readers alone */
	struct dry_machines *machines; /* lent; NULL: none */
	enum dry_engine policy;
	bool torn; /* its images could not be read anew: nothing of them is known */
	bool scanned;
	struct volume_list vols;
	struct contents contents; /* lent parts of vols */
	struct dry_volume *facts; /* by the index of contents */
	struct guest_subvolumes *subvolumes; /* the same; filled when they are asked for */
	struct dry_group *groups; /* by the index of vols.groups */
	char **texts;		  /* strings that facts point to */
	size_t ntexts;
	bool rooted;
	struct roots roots;
	struct dry_root *root_facts; /* by the index of roots */
	struct guest tree;
	bool inspected;
	bool stale; /* something was changed since: what follows is looked at anew when it is asked for */
	struct os os; /* of the tree */
	bool looked;
	struct facts seen; /* of the tree */
	struct guest_windows *windows; /* lists of dry_windows, made when they are asked for */
	char **notes; /* of the disks; the tree has its own */
	size_t nnotes;
	char **warnings; /* of filesystems that were asked for their usage */
	size_t nwarnings;
};

/* machines.c: a machine with all disks of the guest. */
struct guest_machine_how guest_machine_of(struct dry_guest *g);
/* The same file: the engine for a guest; *out NULL: our own readers alone. */
int guest_engine(const struct dry_guest_open *how, struct engine **out, struct err *e);
/* A number for the filesystem, or its subvolume: the index of its first mount, where there are no subvolumes. */
uint64_t guest_dev(const struct dry_guest *g, const struct fs *fs, uint64_t subvol);
/* Reads the partition tables and looks what is in each volume; once. */
int guest_scan(struct dry_guest *g, struct err *e);
/* The same anew; nothing is mounted. */
int guest_rescan(struct dry_guest *g, struct err *e);
/* guest_keys.c: the keys for volume_assemble(), lent until the guest is closed. */
struct volume_how guest_keys(struct dry_guest *g);
void guest_keys_forget(struct dry_guest *g);
/* guest_os.c: looks which system the tree is; once. */
int guest_inspected(struct dry_guest *g, struct err *e);
/* The same file: something was changed, what is known of the system may no longer be so. */
void guest_changed(struct dry_guest *g);
/* The same guest as its images have it, without changes; ended by dry_guest_close(), before g is. */
int guest_twin(struct dry_guest *g, struct dry_guest **out, struct err *e);
/* guest_windows.c: ends what was made for dry_guest_windows(). */
void guest_windows_free(struct dry_guest *g);
/* What a filesystem says of one of its files, as the public header has it. */
void guest_stat_public(const struct dry_guest *g, const struct fs *fs, const struct fs_stat *st, struct dry_stat *out);
/* guest_change.c: what is beneath a change of which something will be changed; lent. */
struct change;
int change_inner(struct dry_change *c, struct change **out, struct err *e);
/* ERR_USAGE when nothing is mounted yet. */
int guest_mounted(const struct dry_guest *g, struct err *e);

#endif
