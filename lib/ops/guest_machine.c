/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest_machine.c - whole disks in a machine: what is to be mounted, volumes that are activated, and their names there. */
#include "guest_machine.h"

#include "alloc.h"
#include "limits.h"
#include "locked.h"
#include "strbuf.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- what is to be mounted where ---- */

void guest_plan_drop(struct guest_plan *p, size_t i)
{
	free(p->items[i].path);
	free(p->items[i].options);
	free(p->items[i].type);
	memmove(&p->items[i], &p->items[i + 1], (--p->n - i) * sizeof *p->items);
}

void guest_plan_free(struct guest_plan *p)
{
	while (p->n)
		guest_plan_drop(p, p->n - 1);
	free(p->items);
	*p = (struct guest_plan){ .items = NULL };
}

static int plan_add(struct guest_plan *p, const struct content *it, const char *path, const char *options, const char *type,
		    struct err *e)
{
	struct guest_planned *items = alloc_resize(p->items, p->n + 1, sizeof *items), *m;

	if (!items)
		return err_nomem(e);
	p->items = items;
	m = &items[p->n++];
	*m = (struct guest_planned){ .it = it, .path = alloc_strdup(path), .options = options ? alloc_strdup(options) : NULL,
				     .type = type ? alloc_strdup(type) : NULL };
	return !m->path || (options && !m->options) || (type && !m->type) ? err_nomem(e) : 0;
}

int guest_plan_inspected(const struct contents *c, bool any, struct guest_plan *p, struct err *e)
{
	CLEANUP(guest_free) struct guest tree = { 0 };
	int rc = guest_open(c, any, &tree, e);

	for (size_t i = 0; rc == 0 && i < tree.nmounted; i++) {
		const struct vfs_mount_info m = vfs_mount_info(tree.vfs, i);
		char options[40] = "";
		struct fs_stat st;

		rc = fs_stat(m.fs, m.root, &st, e);
		if (rc == 0 && st.subvol)
			snprintf(options, sizeof options, "subvolid=%" PRIu64, st.subvol);
		if (rc == 0)
			rc = plan_add(p, tree.mounted[i], m.path, *options ? options : NULL, NULL, e);
	}
	return rc;
}

int guest_plan_given(const struct contents *c, const char *volume, const char *path, const char *options, const char *type,
		     struct guest_plan *p, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf all = STRBUF_INIT;
	const char *subvol;
	const struct content *it = contents_find_subvol(c, volume, &subvol);

	if (!it)
		return err_set(e, ERR_NOT_FOUND, "no volume \"%s\"", volume);
	strbuf_puts(&all, options ? options : "");
	if (subvol)
		strbuf_printf(&all, "%ssubvol=%s", all.len ? "," : "", subvol);
	if (all.failed)
		return err_nomem(e);
	return plan_add(p, it, path, all.len ? all.s : NULL, type, e);
}

/* ---- the machine ---- */

int guest_machine_start(const struct guest_machine_how *how, struct guest_machine *m, struct err *e)
{
	CLEANUP(free_ptr) struct appliance_disk *disks = alloc_array(how->ndisks, sizeof *disks);
	int rc;

	*m = (struct guest_machine){ .how = *how };
	if (!disks)
		return err_nomem(e);
	for (size_t i = 0; i < how->ndisks; i++) {
		disks[i] = (struct appliance_disk){ .block = how->disks[i], .writable = block_writable(how->disks[i]) };
		snprintf(disks[i].serial, sizeof disks[i].serial, "disk%u", (unsigned)i);
	}
	rc = how->launch(how->arg, disks, how->ndisks, guest_machine_raid6(how), &m->app, e);
	if (rc == 0)
		m->client = appliance_client(m->app);
	return rc;
}

void guest_machine_kill(struct guest_machine *m)
{
	appliance_kill(take(m->app));
	m->client = NULL;
}

static int gather(void *arg, int stream, const void *bytes, size_t len, struct err *e)
{
	struct strbuf *said = arg;

	(void)stream;
	(void)e;
	strbuf_add(said, bytes, len);
	return 0;
}

int guest_machine_tool(struct guest_machine *m, const char *const *argv, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf said = STRBUF_INIT;
	const struct client_run run = { .argv = argv, .output = gather, .arg = &said, .max_output = 64 * KiB };
	int status, rc = client_run(m->client, &run, &status, e);
	size_t len;

	if (rc < 0)
		return rc;
	if (said.failed)
		return err_nomem(e);
	if (status == 0)
		return 0;
	len = said.len;
	while (len && isspace((unsigned char)said.s[len - 1]))
		len--;
	return err_set(e, ERR_SYSTEM, "%s: %.*s", argv[0], (int)len, len ? said.s : "");
}

static bool is_writable(const struct guest_machine *m, const struct volume *v)
{
	return block_writable(m->how.disks[v->disk]);
}

/* A volume that is looked for by what it holds, as its name there is not known. */
struct look {
	const struct content *it;
	struct strbuf *path;
	unsigned found;
};

static int looks_same(void *arg, const struct client_volume *v, struct err *e)
{
	struct look *l = arg;
	const struct fs_id *id = &l->it->id;

	(void)e;
	if (!id->type || !*v->uuid || strcmp(v->uuid, id->uuid) != 0 || strcmp(v->type, id->type) != 0 ||
	    v->size != l->it->vol->size)
		return 0;
	if (l->found++ == 0)
		strbuf_puts(l->path, v->device);
	return 0;
}

/* One of two that hold the same, a clone or a snapshot, is never guessed: it would be written to. */
static int device_look(struct guest_machine *m, const struct content *it, struct strbuf *path, struct err *e)
{
	struct look look = { .it = it, .path = path };
	int rc = client_volumes(m->client, looks_same, &look, e);

	if (rc < 0 || look.found == 1)
		return rc;
	if (look.found)
		return err_set(e, ERR_UNSUPPORTED,
			       "%s: %u volumes of the appliance hold the same filesystem, and it cannot be told which it is",
			       it->vol->name, look.found);
	return err_set(e, ERR_NOT_FOUND, "%s is not found in the appliance", it->vol->name);
}

int guest_machine_device(struct guest_machine *m, const struct content *it, struct strbuf *path, struct err *e)
{
	const struct volume *v = it->vol;
	char serial[32];
	int rc = 0;

	if (strcmp(v->scheme, "luks") == 0 && v->uuid) {
		strbuf_printf(path, "/dev/mapper/luks-%s", v->uuid);
	} else if (strcmp(v->scheme, "lvm") == 0) {
		strbuf_puts(path, v->name);
	} else if (v->depth == 0) {
		snprintf(serial, sizeof serial, "serial:disk%u", v->disk);
		rc = client_device(m->client, serial, path, e);
		if (rc == 0 && v->number && path->len)
			strbuf_printf(path, isdigit((unsigned char)path->s[path->len - 1]) ? "p%u" : "%u", v->number);
	} else {
		rc = device_look(m, it, path, e);
	}
	return rc < 0 ? rc : path->failed ? err_nomem(e) : 0;
}

/* Opens what was opened here, by the same keys: each that fits nothing is passed over. */
static int luks_open(struct guest_machine *m, const struct content *inside, struct err *e)
{
	const struct content *box = &m->how.contents->items[inside->vol->parts[0]];
	CLEANUP(strbuf_free) struct strbuf device = STRBUF_INIT;
	const struct volume_how *keys = &m->how.keys;
	char name[60];
	int rc = guest_machine_device(m, box, &device, e);

	snprintf(name, sizeof name, "luks-%.50s", inside->vol->uuid);
	/* It ends: a volume has so many keys, and who types them is asked so often. */
	for (unsigned nth = 0; rc == 0; nth++) {
		CLEANUP(locked_free) struct locked key = LOCKED_INIT;
		struct err why = ERR_INIT;

		rc = keys->key(keys->arg, box->vol, inside->vol->uuid, nth, &key, e);
		if (rc <= 0)
			return rc < 0 ? rc : err_set(e, ERR_NOT_FOUND, "no key opens %s in the appliance", box->vol->name);
		rc = 0;
		if (client_luks_open(m->client, device.s, key.p, key.len, name, !is_writable(m, box->vol), &why) == 0)
			return 0;
		if (client_lost(m->client))
			return err_set(e, why.code, "%s", why.msg);
	}
	return rc;
}

int guest_machine_activate(struct guest_machine *m, unsigned kinds, struct err *e)
{
	const struct contents *c = m->how.contents;
	int rc = client_activate(m->client, kinds, false, e);
	bool more = false;

	for (size_t i = 0; c && i < c->n && rc == 0; i++) {
		const struct volume *v = c->items[i].vol;

		if (strcmp(v->scheme, "luks") != 0 || v->nparts != 1 || !v->uuid)
			continue;
		rc = luks_open(m, &c->items[i], e);
		more = true;
	}
	return rc == 0 && more ? client_activate(m->client, kinds, false, e) : rc;
}

unsigned guest_machine_kinds(const struct contents *c)
{
	unsigned kinds = 0;

	for (size_t i = 0; i < c->n; i++) {
		const char *scheme = c->items[i].vol->scheme;

		kinds |= strcmp(scheme, "lvm") == 0 ? CLIENT_LVM : strcmp(scheme, "md") == 0 ? CLIENT_MD : 0;
		kinds |= c->items[i].again ? CLIENT_BTRFS : 0;
	}
	return kinds;
}

bool guest_machine_raid6(const struct guest_machine_how *how)
{
	const struct contents *c = how->contents;

	/* It takes several devices, which mostly are disks. */
	if ((how->any_volumes || !c) && how->ndisks > 1)
		return true;
	for (size_t i = 0; c && i < c->n; i++) {
		const struct content *it = &c->items[i];

		/* Of what level an array is, is not told; one that cannot be put together here may yet be in the machine. */
		if (it->again || it->vol->arrays || strcmp(it->vol->scheme, "md") == 0 ||
		    (it->id.type && strcmp(it->id.type, "linux_raid_member") == 0))
			return true;
	}
	return false;
}
