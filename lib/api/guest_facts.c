/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest_facts.c - the guests section of drydock.h: how a guest boots, who can log in, what it starts, what it is for. */
#include "guest_api.h"

_Static_assert((int)DRY_SIGN_ROLE == (int)SIGN_ROLE && (int)DRY_SIGN_PROVISIONING == (int)SIGN_PROVISIONING &&
		       (int)DRY_SIGN_SECURITY == (int)SIGN_SECURITY,
	       "public and internal kinds of signs are one list");
_Static_assert((int)DRY_PASSWORD_LOCKED == (int)PASSWORD_LOCKED && (int)DRY_PASSWORD_NONE == (int)PASSWORD_NONE,
	       "public and internal words for passwords are one list");
_Static_assert(DRY_NO_KERNEL == NO_KERNEL, "no kernel is no kernel");

int dry_guest_facts(struct dry_guest *g, struct dry_facts *out, struct dry_error *error)
{
	API_ERR(e, error);
	const struct facts *f = &g->seen;
	int rc = guest_inspected(g, e);

	if (rc == 0 && !g->looked) {
		const struct facts_from from = {
			.c = &g->contents, .disks = g->disks, .ndisks = g->ndisks, .g = &g->tree, .os = &g->os
		};

		rc = facts_inspect(&from, &g->seen, e);
	}
	if (rc < 0)
		return rc;
	g->looked = true;
	*out = (struct dry_facts){
		.bios = f->bios,
		.uefi = f->uefi,
		.nkernels = f->nkernels,
		.ninitrds = f->ninitrds,
		.nsigns = f->nsigns,
		.nlogins = f->nlogins,
		.nservices = f->nservices,
		.nfstab = f->nmounts,
		.warnings = (const char *const *)f->warnings,
		.nwarnings = f->nwarnings,
	};
	return 0;
}

bool dry_guest_kernel(const struct dry_guest *g, size_t i, struct dry_kernel *out)
{
	const struct kernel *k;

	if (i >= g->seen.nkernels)
		return false;
	k = &g->seen.kernels[i];
	*out = (struct dry_kernel){
		.path = k->path,
		.volume = k->volume,
		.version = k->version,
		.arch = k->arch,
		.format = k->format,
		.size = k->size,
		.modules = k->modules,
		.node = { k->node.fs, k->node.ino },
	};
	return true;
}

bool dry_guest_initrd(const struct dry_guest *g, size_t i, struct dry_initrd *out)
{
	const struct initrd *r;

	if (i >= g->seen.ninitrds)
		return false;
	r = &g->seen.initrds[i];
	*out = (struct dry_initrd){
		.path = r->path,
		.volume = r->volume,
		.version = r->version,
		.compression = r->compression,
		.size = r->size,
		.kernel = r->kernel,
		.node = { r->node.fs, r->node.ino },
	};
	return true;
}

bool dry_guest_sign(const struct dry_guest *g, size_t i, struct dry_sign *out)
{
	const struct sign *s;

	if (i >= g->seen.nsigns)
		return false;
	s = &g->seen.signs[i];
	*out = (struct dry_sign){ (enum dry_sign_kind)s->kind, s->name, s->path, s->volume, s->value };
	return true;
}

bool dry_guest_login(const struct dry_guest *g, size_t i, struct dry_login *out)
{
	const struct login *u;

	if (i >= g->seen.nlogins)
		return false;
	u = &g->seen.logins[i];
	*out = (struct dry_login){
		.name = u->name,
		.real_name = *u->real_name ? u->real_name : NULL,
		.home = u->home,
		.shell = u->shell,
		.uid = u->uid,
		.gid = u->gid,
		.ssh_keys = u->ssh_keys,
	};
	out->password = (__typeof__(out->password))u->password;
	return true;
}

bool dry_guest_service(const struct dry_guest *g, size_t i, struct dry_service *out)
{
	const struct service *s;

	if (i >= g->seen.nservices)
		return false;
	s = &g->seen.services[i];
	*out = (struct dry_service){ s->name, s->manager, s->state, s->when };
	return true;
}

bool dry_guest_fstab(const struct dry_guest *g, size_t i, struct dry_fstab *out)
{
	const struct fact_mount *m;

	if (i >= g->seen.nmounts)
		return false;
	m = &g->seen.mounts[i];
	*out = (struct dry_fstab){ m->spec, m->dir, m->type, m->opts, m->content ? m->content->vol->name : NULL };
	return true;
}
