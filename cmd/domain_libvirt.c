/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * domain_libvirt.c - libvirt's client library, looked for when it is needed: the program is built and runs without it.
 *
 * The declarations are those of its documented interface (libvirt.so.0, which has kept it since its first release).  The
 * connection is read-only, and is closed again before the process confines itself.
 */
#include "domain.h"

#include "alloc.h"
#include "late.h"

#include <dlfcn.h>

#define LIBVIRT "libvirt.so.0"

struct libvirt {
	void *library;
	void *(*open_read_only)(const char *uri);
	int (*close)(void *conn);
	void *(*by_name)(void *conn, const char *name);
	void *(*by_uuid)(void *conn, const char *uuid);
	char *(*xml)(void *domain, unsigned flags);
	int (*free)(void *domain);
	int (*list)(void *conn, void ***domains, unsigned flags);
	const char *(*message)(void);
	void (*on_error)(void *data, void (*fn)(void *data, void *error));
	void *conn;
};

/* Of the XML: what is there when it starts the next time may differ; asked for is what is now. */
enum { XML_NOW = 0, LIST_ALL = 0 };

static void quiet(void *data, void *error)
{
	(void)data;
	(void)error;
}

static void libvirt_end(struct libvirt *v)
{
	if (v->conn)
		v->close(v->conn);
	/* The library stays loaded: it has set up what does not take its leave. */
}

static int load(struct libvirt *v, struct dry_error *e)
{
	const struct late_symbol symbols[] = {
		{ "virConnectOpenReadOnly", &v->open_read_only },
		{ "virConnectClose", &v->close },
		{ "virDomainLookupByName", &v->by_name },
		{ "virDomainLookupByUUIDString", &v->by_uuid },
		{ "virDomainGetXMLDesc", &v->xml },
		{ "virDomainFree", &v->free },
		{ "virConnectListAllDomains", &v->list },
		{ "virGetLastErrorMessage", &v->message },
		{ "virSetErrorFunc", &v->on_error },
	};
	const char *missing;

	v->library = late_load(LIBVIRT, RTLD_LOCAL, symbols, ARRAY_LEN(symbols), &missing);
	if (!v->library && missing)
		return domain_fail(e, DRY_UNSUPPORTED, LIBVIRT " has no %s: it is too old", missing);
	if (!v->library)
		return domain_fail(e, DRY_UNSUPPORTED,
				   "libvirt's client library (" LIBVIRT ") is not installed: name the disks with -a, or "
				   "give a file of domain XML to -d");
	return 0;
}

static int libvirt_open(struct libvirt *v, const char *uri, struct dry_error *e)
{
	int rc = load(v, e);

	if (rc < 0)
		return rc;
	v->on_error(NULL, quiet);
	v->conn = v->open_read_only(uri);
	if (!v->conn)
		return domain_fail(e, DRY_SYSTEM, "libvirt%s%.200s: %.600s", uri ? " at " : "", uri ? uri : "", v->message());
	return 0;
}

int domain_libvirt_xml(const char *which, const char *uri, char **xml, struct dry_error *e)
{
	CLEANUP(libvirt_end) struct libvirt v = { .library = NULL };
	void *domain;
	int rc = libvirt_open(&v, uri, e);

	if (rc < 0)
		return rc;
	domain = v.by_name(v.conn, which);
	if (!domain)
		domain = v.by_uuid(v.conn, which);
	if (!domain)
		return domain_fail(e, DRY_NOT_FOUND, "libvirt knows no domain \"%.300s\"", which);
	*xml = v.xml(domain, XML_NOW);
	if (!*xml)
		rc = domain_fail(e, DRY_SYSTEM, "%.300s: %.600s", which, v.message());
	v.free(domain);
	return rc;
}

int domain_libvirt_all(const char *uri, char ***xml, size_t *n, struct dry_error *e)
{
	CLEANUP(libvirt_end) struct libvirt v = { .library = NULL };
	void **domains = NULL;
	int rc = libvirt_open(&v, uri, e), ndomains;

	*n = 0;
	if (rc < 0)
		return rc;
	ndomains = v.list(v.conn, &domains, LIST_ALL);
	if (ndomains < 0)
		return domain_fail(e, DRY_SYSTEM, "libvirt: %.600s", v.message());
	*xml = alloc_array((size_t)ndomains + 1, sizeof **xml);
	if (!*xml)
		rc = domain_fail(e, DRY_NOMEM, "out of memory");
	for (int i = 0; i < ndomains; i++) {
		/* One that is gone meanwhile is not there. */
		char *text = *xml ? v.xml(domains[i], XML_NOW) : NULL;

		if (text)
			(*xml)[(*n)++] = text;
		v.free(domains[i]);
	}
	free(domains);
	return rc;
}
