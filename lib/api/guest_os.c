/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest_os.c - the guests section of drydock.h: roots, which operating system is there, and its packages. */
#include "guest_api.h"

#include "pkg.h"
#include "pkg_version.h"

/* Finds the roots; once. */
static int roots_scan(struct dry_guest *g, struct err *e)
{
	int rc = guest_scan(g, e);

	if (rc < 0 || g->rooted)
		return rc;
	rc = roots_find(&g->contents, true, &g->roots, e);
	if (rc < 0)
		return rc;
	if (g->roots.n) {
		g->root_facts = alloc_array(g->roots.n, sizeof *g->root_facts);
		if (!g->root_facts) {
			roots_free(&g->roots);
			return err_nomem(e);
		}
	}
	for (size_t i = 0; i < g->roots.n; i++) {
		const struct content *c = &g->contents.items[g->roots.items[i].content];

		g->root_facts[i] = (struct dry_root){ c->vol->name, g->roots.items[i].opts, c->id.type };
	}
	g->rooted = true;
	return 0;
}

int dry_guest_roots(struct dry_guest *g, const struct dry_root **out, size_t *n, struct dry_error *error)
{
	API_ERR(e, error);
	int rc = roots_scan(g, e);

	if (rc < 0)
		return rc;
	*out = g->root_facts;
	*n = g->roots.n;
	return 0;
}

int dry_guest_mount_root(struct dry_guest *g, size_t root, struct dry_error *error)
{
	API_ERR(e, error);
	int rc = roots_scan(g, e);

	if (rc < 0)
		return rc;
	if (g->tree.nmounted)
		return err_set(e, ERR_USAGE, "the guest is mounted already");
	if (root >= g->roots.n)
		return err_set(e, ERR_USAGE, "there is no root number %zu", root);
	return guest_mount_root(&g->contents, &g->roots.items[root], &g->tree, e);
}

/* What the tree's files told. */
static void system_forget(struct dry_guest *g)
{
	guest_windows_free(g);
	os_free(&g->os);
	g->inspected = false;
	facts_free(&g->seen);
	g->looked = false;
	g->stale = false;
}

void dry_guest_unmount(struct dry_guest *g)
{
	system_forget(g);
	guest_free(&g->tree);
}

void guest_changed(struct dry_guest *g)
{
	g->stale = true;
}

int guest_inspected(struct dry_guest *g, struct err *e)
{
	int rc = guest_mounted(g, e);

	if (rc == 0 && g->stale)
		system_forget(g);
	if (rc == 0 && !g->inspected)
		rc = os_inspect(g->tree.vfs, &g->os, e);
	g->inspected |= rc == 0;
	return rc;
}

int dry_guest_os(struct dry_guest *g, struct dry_os *out, struct dry_error *error)
{
	API_ERR(e, error);
	const struct os *o = &g->os;
	int rc = guest_inspected(g, e);

	if (rc < 0)
		return rc;
	*out = (struct dry_os){
		.type = o->type,
		.distro = o->distro,
		.distro_id = o->distro_id,
		.product_name = o->product_name,
		.product_variant = o->product_variant,
		.has_version = o->has_version,
		.major = o->major,
		.minor = o->minor,
		.version_id = o->version_id,
		.arch = o->arch,
		.hostname = o->hostname,
		.build_id = o->build_id,
		.timezone = o->timezone,
		.osinfo = o->osinfo,
		.package_format = o->package_format,
		.package_manager = o->package_manager,
		.init = o->init,
		.media = o->media,
		.warnings = (const char *const *)o->warnings,
		.nwarnings = o->nwarnings,
	};
	return 0;
}

struct package_call {
	const struct dry_package_walk *w;
	const char *format;
};

static int package_format(void *arg, const char *format, const char *path, struct err *e)
{
	(void)path, (void)e;
	((struct package_call *)arg)->format = format;
	return 0;
}

static int package_public(void *arg, const struct package *p, struct err *e)
{
	const struct package_call *c = arg;
	const struct dry_package pub = {
		.format = c->format,
		.name = p->name,
		.epoch = p->epoch,
		.version = p->version,
		.release = p->release,
		.arch = p->arch,
		.vendor = p->vendor,
		.url = p->url,
		.summary = p->summary,
		.description = p->description,
		.source = p->source,
		.id = p->id,
		.location = p->location,
		.install_time = p->install_time,
	};

	return c->w->package(c->w->arg, &pub) ? err_set(e, ERR_CANCELED, "the list of packages was stopped") : 0;
}

static int package_failed(void *arg, const char *path, const struct err *why, struct err *e)
{
	const struct package_call *c = arg;
	struct dry_error pub = { .code = (enum dry_code)why->code, .sys_errno = why->sys_errno };

	if (why->code == ERR_CANCELED || !c->w->failed) {
		if (e)
			*e = *why;
		return -(int)why->code;
	}
	memcpy(pub.msg, why->msg, sizeof pub.msg);
	return c->w->failed(c->w->arg, path, &pub) ? err_set(e, ERR_CANCELED, "the list of packages was stopped") : 0;
}

int dry_guest_packages(struct dry_guest *g, const struct dry_package_walk *w, struct dry_error *error)
{
	API_ERR(e, error);
	struct package_call call = { .w = w };
	const struct pkg_walk walk = {
		.format = package_format, .package = package_public, .failed = package_failed, .arg = &call
	};
	int rc = guest_mounted(g, e);

	return rc < 0 ? rc : pkg_walk(g->tree.vfs, &walk, e);
}

int dry_package_order(const struct dry_package *a, const struct dry_package *b)
{
	const struct package pa = { .epoch = a->epoch, .version = a->version, .release = a->release };
	const struct package pb = { .epoch = b->epoch, .version = b->version, .release = b->release };

	return pkg_version_order(a->format, &pa, &pb);
}
