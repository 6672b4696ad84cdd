/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest_machine.h - a machine with the whole disks of a guest, and which of its volumes is which device there.
 *
 * Which volume is what our own readers find out, before the machine starts.  In the machine, Linux finds partitions by itself,
 * arrays and logical volumes are activated, and encrypted volumes opened by the keys that were given.
 */
#ifndef DRYDOCK_GUEST_MACHINE_H
#define DRYDOCK_GUEST_MACHINE_H

#include "client.h"
#include "guest.h"
#include "launch.h"

/* ---- what is to be mounted where ---- */

struct guest_planned {
	const struct content *it; /* lent */
	char *path, *options;	  /* options NULL: none */
	char *type;		  /* NULL: what is there */
};
struct guest_plan {
	struct guest_planned *items;
	size_t n;
};
void guest_plan_free(struct guest_plan *p); /* for CLEANUP */
void guest_plan_drop(struct guest_plan *p, size_t i);
/* As our own readers would mount the guest (guest_open()); nothing stays mounted. */
int guest_plan_inspected(const struct contents *c, bool any, struct guest_plan *p, struct err *e);
/* A volume by any of its names, with mount options (NULL: none) and a type (NULL: what is there). */
int guest_plan_given(const struct contents *c, const char *volume, const char *path, const char *options, const char *type,
		     struct guest_plan *p, struct err *e);

/* ---- the machine ---- */

struct guest_machine_how {
	struct block *const *disks; /* as many as there are; those that are writable are written to */
	size_t ndisks;
	const struct contents *contents; /* what lies on them; NULL: that was not looked at */
	struct volume_how keys;
	bool any_volumes; /* who uses it may make or start volumes that are not in the contents */
	/* Starts a machine with such disks; raid6: as appliance_how.raid6. */
	int (*launch)(void *arg, const struct appliance_disk *disks, size_t n, bool raid6, struct appliance **out, struct err *e);
	void *arg;
};
struct guest_machine {
	struct guest_machine_how how; /* what it points to must live as long */
	struct appliance *app;
	struct client *client; /* of app */
};
int guest_machine_start(const struct guest_machine_how *how, struct guest_machine *m, struct err *e);
void guest_machine_kill(struct guest_machine *m); /* at once; may be called on an empty one */
/* Activates kinds of volumes (CLIENT_LVM ...), and opens what was opened here, by the same keys. */
int guest_machine_activate(struct guest_machine *m, unsigned kinds, struct err *e);
/* The kinds of which there are any. */
unsigned guest_machine_kinds(const struct contents *c);
/* May there be RAID 6 in what the machine will activate? */
bool guest_machine_raid6(const struct guest_machine_how *how);
/* The name of a volume in the machine, appended. */
int guest_machine_device(struct guest_machine *m, const struct content *it, struct strbuf *path, struct err *e);
/* Runs one of the appliance's programs; what it said is the error. */
int guest_machine_tool(struct guest_machine *m, const char *const *argv, struct err *e);

#endif
