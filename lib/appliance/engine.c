/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* engine.c - machines for the volumes of one guest, started when a filesystem needs one. */
#include "engine.h"

#include "appliance_fs.h"
#include "client.h"

#include "alloc.h"

#include <errno.h>
#include <stdio.h>

/* A machine has no more disks: each costs a socket, threads, and a letter. */
#define DISKS_MAX 20
/* A filesystem that ends its machine takes the others' with it; they get another. So many, and no more. */
#define MACHINES_MAX 8

struct disk {
	struct block *block; /* the volume; one reference */
	struct block *served; /* what the machine sees and writes to; one reference */
	char device[24];      /* as client.h names it */
	uint32_t mount;	      /* 0: not mounted */
	bool mounting;	      /* it was being mounted when the machine was last asked */
	struct err no_driver; /* the machine's kernel has none for it */
};

struct machine {
	struct appliance *app;
	struct disk disks[DISKS_MAX];
	size_t n;
};

struct engine {
	enum engine_policy policy;
	struct broker *broker;
	struct appliance_how how;
	struct machine *machines[MACHINES_MAX];
	size_t n;
	struct err failed; /* why no machine comes up; it is not tried again and again */
};

int engine_new(enum engine_policy policy, struct broker *broker, const struct appliance_how *how, struct engine **out,
	       struct err *e)
{
	struct engine *en = alloc_zero(sizeof *en);

	if (!en)
		return err_nomem(e);
	en->policy = policy;
	en->broker = broker;
	en->how = *how;
	*out = en;
	return 0;
}

static void machine_free(struct machine *m)
{
	if (!m)
		return;
	/* It looks only: there is nothing that it must still write. */
	appliance_kill(m->app);
	for (size_t i = 0; i < m->n; i++) {
		block_unref(m->disks[i].served);
		block_unref(m->disks[i].block);
	}
	free(m);
}

static void machine_freep(struct machine **m)
{
	machine_free(*m);
}

void engine_stop(struct engine *en)
{
	while (en && en->n)
		machine_free(en->machines[--en->n]);
}

void engine_free(struct engine *en)
{
	engine_stop(en);
	free(en);
}

enum engine_policy engine_policy_of(const struct engine *en)
{
	return en->policy;
}

bool engine_reads(const struct engine *en, const struct fs_id *id)
{
	return en->policy != ENGINE_DIRECT && appliance_type_find(id->type);
}

bool engine_replays(const struct fs_id *id)
{
	const struct appliance_type *type = appliance_type_find(id->type);

	return type && type->replays;
}

/* ---- machines ---- */

static struct disk *disk_find(struct machine *m, const struct block *block)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->disks[i].block == block)
			return &m->disks[i];
	return NULL;
}

static bool same_filesystem(const struct fs_id *a, const struct fs_id *b)
{
	return a->shared && b->shared && strcmp(a->type, b->type) == 0 && strcmp(a->uuid, b->uuid) == 0;
}

static int disk_add(struct machine *m, struct block *block, struct err *e)
{
	struct disk *d = &m->disks[m->n];
	int rc = block_scratch(block, &d->served, e);

	if (rc < 0)
		return rc;
	d->block = block_ref(block);
	snprintf(d->device, sizeof d->device, "serial:disk%u", (unsigned)m->n);
	m->n++;
	return 0;
}

/* Has a machine that ended been mounting it? */
static bool ended_a_machine(const struct engine *en, const struct block *block)
{
	for (size_t i = 0; i < en->n; i++) {
		const struct disk *d = disk_find(en->machines[i], block);

		if (d && d->mounting)
			return true;
	}
	return false;
}

/* The disks of a machine: those of the filesystem that is to be opened, then others that will be asked for. */
static int disks_choose(const struct engine *en, const struct engine_volume *vols, size_t n, size_t which, struct machine *m,
			struct err *e)
{
	int rc = disk_add(m, vols[which].block, e);

	for (size_t i = 0; i < n && rc == 0; i++) {
		if (i == which || !same_filesystem(vols[i].id, vols[which].id))
			continue;
		if (m->n == DISKS_MAX)
			return err_set(e, ERR_LIMIT, "the filesystem lies in more than %d devices", DISKS_MAX);
		rc = disk_add(m, vols[i].block, e);
	}
	for (size_t i = 0; i < n && rc == 0 && m->n < DISKS_MAX; i++) {
		bool served = disk_find(m, vols[i].block) || ended_a_machine(en, vols[i].block);

		for (size_t k = 0; k < en->n && !served; k++)
			served = !client_lost(appliance_client(en->machines[k]->app)) &&
				 disk_find(en->machines[k], vols[i].block);
		if (vols[i].likely && !served)
			rc = disk_add(m, vols[i].block, e);
	}
	return rc;
}

/* Does any of the machine's disks hold a btrfs that may have stripes with parity? */
static bool wants_raid6(const struct machine *m, const struct engine_volume *vols, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < i; k++)
			if (same_filesystem(vols[i].id, vols[k].id) && disk_find((struct machine *)m, vols[i].block))
				return true;
	return false;
}

/* Kinds of machines whose kernel has no driver for what is in the volume. */
static unsigned without_driver(const struct engine *en, const struct block *block)
{
	unsigned kinds = 0;

	for (size_t i = 0; i < en->n; i++) {
		const struct disk *d = disk_find(en->machines[i], block);

		if (d && d->no_driver.code)
			kinds |= 1u << appliance_backend(en->machines[i]->app);
	}
	return kinds;
}

static int machine_start(struct engine *en, const struct engine_volume *vols, size_t n, size_t which, struct machine **out,
			 struct err *e)
{
	struct err why = ERR_INIT;
	CLEANUP(machine_freep) struct machine *m = alloc_zero(sizeof *m);
	struct appliance_disk disks[DISKS_MAX];
	struct appliance_how how = en->how;
	int rc;

	if (!m)
		return err_nomem(e);
	if (en->n == MACHINES_MAX)
		return err_set(e, ERR_LIMIT, "%d machines were started for this guest, which is enough", MACHINES_MAX);
	if (en->failed.code) {
		if (e)
			*e = en->failed;
		return -(int)en->failed.code;
	}
	rc = disks_choose(en, vols, n, which, m, e);
	if (rc < 0)
		return rc;
	how.raid6 = wants_raid6(m, vols, n);
	how.without = without_driver(en, vols[which].block);
	for (size_t i = 0; i < m->n; i++) {
		disks[i] = (struct appliance_disk){ .block = m->disks[i].served, .writable = true };
		snprintf(disks[i].serial, sizeof disks[i].serial, "disk%u", (unsigned)i);
	}
	rc = appliance_launch(en->broker, &how, disks, m->n, &m->app, &why);
	if (rc < 0) {
		if (!how.without)
			en->failed = why;
		if (e)
			*e = why;
		return rc;
	}
	*out = en->machines[en->n++] = m;
	m = NULL;
	return 0;
}

/* The machine that has the volume, which is started if there is none. */
static int machine_for(struct engine *en, const struct engine_volume *vols, size_t n, size_t which, struct machine **out,
		       struct err *e)
{
	for (size_t i = 0; i < en->n; i++) {
		struct client *c = appliance_client(en->machines[i]->app);
		const struct disk *d = disk_find(en->machines[i], vols[which].block);

		if (!client_lost(c) && d && !d->no_driver.code) {
			*out = en->machines[i];
			return 0;
		}
	}
	if (ended_a_machine(en, vols[which].block))
		return err_set(e, ERR_UNSUPPORTED, "Linux in the appliance did not survive this filesystem");
	return machine_start(en, vols, n, which, out, e);
}

/* ---- filesystems ---- */

/* Members of a filesystem are told to the kernel before it is asked to mount one of them. */
static int volume_mount(struct machine *m, struct disk *d, const struct fs_id *id, struct err *e)
{
	const struct appliance_type *type = appliance_type_find(id->type);
	struct client *c = appliance_client(m->app);
	struct err why = ERR_INIT;
	int rc = 0;

	d->mounting = true;
	if (id->shared)
		rc = client_activate(c, CLIENT_BTRFS, false, e);
	if (rc == 0)
		rc = appliance_fs_mount(c, d->device, type, &d->mount, e);
	d->mounting = client_lost(c);
	if (rc < 0 && e && e->sys_errno == ENODEV && !client_lost(c))
		d->no_driver = *e;
	/* What went wrong with a disk is why Linux did not get on with what is on it. */
	if (rc < 0 && appliance_disk_error(m->app, &why) < 0) {
		if (e)
			*e = why;
		rc = -(int)why.code;
	}
	return rc;
}

/* The machine in which the volume is mounted.  Kernels differ in what they read: one without a driver is not the last word. */
static int mounted(struct engine *en, const struct engine_volume *vols, size_t n, size_t which, struct machine **out,
		   struct err *e)
{
	/* Ends: each turn but the last marks the volume in one more kind of machine, which is not started again. */
	for (;;) {
		struct err why = ERR_INIT;
		struct disk *d;
		int rc = machine_for(en, vols, n, which, out, &why);

		/* No other machine is no news. */
		for (size_t i = 0; rc < 0 && i < en->n; i++) {
			d = disk_find(en->machines[i], vols[which].block);
			if (d && d->no_driver.code)
				why = d->no_driver;
		}
		if (rc == 0) {
			d = disk_find(*out, vols[which].block);
			rc = d->mount ? 0 : volume_mount(*out, d, vols[which].id, &why);
			if (rc == 0)
				return 0;
			if (d->no_driver.code)
				continue;
		}
		if (e)
			*e = why;
		return -(int)why.code;
	}
}

int engine_open(struct engine *en, const struct engine_volume *vols, size_t n, size_t which, struct fs **out, struct err *e)
{
	const struct engine_volume *v = &vols[which];
	CLEANUP(free_ptr) struct block **others = alloc_array(n, sizeof *others);
	char notice[160];
	struct machine *m = NULL;
	struct disk *d;
	size_t nothers = 0;
	int rc = others ? mounted(en, vols, n, which, &m, e) : err_nomem(e);

	for (size_t i = 0; i < n && others; i++)
		if (i != which && same_filesystem(vols[i].id, v->id))
			others[nothers++] = vols[i].block;
	if (rc < 0)
		return err_in(e, rc, "%s", v->id->type);
	d = disk_find(m, v->block);
	snprintf(notice, sizeof notice, "%s is read through the appliance (%s, Linux %s)", v->id->type,
		 appliance_backend_name(m->app), client_kernel(appliance_client(m->app)));
	return appliance_fs_open(&(const struct appliance_mounted){ .client = appliance_client(m->app),
								    .device = d->device,
								    .mount = d->mount,
								    .block = d->block,
								    .disk = d->served,
								    .others = others,
								    .nothers = nothers,
								    .notice = notice },
				 v->id, out, e);
}
