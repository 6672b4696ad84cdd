/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest_windows.c - what only Windows has, in the form of drydock.h. */
#include "guest_api.h"

#include "os_windows.h"

struct guest_windows {
	struct dry_drive *drives;
	struct dry_windows_service *drivers, *services;
	struct dry_account *accounts;
};

void guest_windows_free(struct dry_guest *g)
{
	struct guest_windows *w = take(g->windows);

	if (!w)
		return;
	free(w->drives);
	free(w->drivers);
	free(w->services);
	free(w->accounts);
	free(w);
}

static const char *const starts[] = { "boot", "system", "automatic", "manual", "disabled" };

static struct dry_windows_service *services_public(const struct os_service *list, size_t n)
{
	struct dry_windows_service *out = alloc_array(n + 1, sizeof *out);

	for (size_t i = 0; out && i < n; i++)
		out[i] = (struct dry_windows_service){ list[i].name, starts[list[i].start], list[i].file };
	return out;
}

static int lists_make(struct dry_guest *g, const struct os_windows *o, struct err *e)
{
	struct guest_windows *w = g->windows = alloc_zero(sizeof *w);

	if (!w)
		return err_nomem(e);
	w->drives = alloc_array(o->ndrives + 1, sizeof *w->drives);
	w->drivers = services_public(o->virtio, o->nvirtio);
	w->services = services_public(o->services, o->nservices);
	w->accounts = alloc_array(o->naccounts + 1, sizeof *w->accounts);
	if (!w->drives || !w->drivers || !w->services || !w->accounts) {
		guest_windows_free(g);
		return err_nomem(e);
	}
	for (size_t i = 0; i < o->ndrives; i++) {
		const struct content *c = os_drive_volume(&o->drives[i], &g->contents);

		w->drives[i] = (struct dry_drive){ o->drives[i].letter, c ? c->vol->name : NULL };
	}
	for (size_t i = 0; i < o->naccounts; i++)
		w->accounts[i] = (struct dry_account){ o->accounts[i].name, o->accounts[i].rid, o->accounts[i].disabled };
	return 0;
}

_Static_assert((int)DRY_ON == (int)OS_ON && (int)DRY_OFF == (int)OS_OFF, "public and internal flags are one list");

int dry_guest_windows(struct dry_guest *g, struct dry_windows *out, struct dry_error *error)
{
	API_ERR(e, error);
	const struct os_windows *o;
	int rc = guest_inspected(g, e);

	if (rc < 0)
		return rc;
	o = g->os.windows;
	if (!o)
		return err_set(e, ERR_NOT_FOUND, "there is no Windows with a registry");
	rc = g->windows ? 0 : lists_make(g, o, e);
	if (rc < 0)
		return rc;
	*out = (struct dry_windows){
		.systemroot = o->systemroot,
		.control_set = o->control_set,
		.software_hive = o->software_hive,
		.system_hive = o->system_hive,
		.edition = o->edition,
		.display_version = o->display_version,
		.service_pack = o->service_pack,
		.update_revision = o->update_revision,
		.install_time = o->install_time,
		.group_policy = (enum dry_flag)o->group_policy,
		.firewall_domain = (enum dry_flag)o->firewall_domain,
		.firewall_private = (enum dry_flag)o->firewall_private,
		.firewall_public = (enum dry_flag)o->firewall_public,
		.drives = g->windows->drives,
		.ndrives = o->ndrives,
		.virtual_drivers = g->windows->drivers,
		.nvirtual_drivers = o->nvirtio,
		.services = g->windows->services,
		.nservices = o->nservices,
		.accounts = g->windows->accounts,
		.naccounts = o->naccounts,
	};
	return 0;
}
