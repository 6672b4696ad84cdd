/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "domain.h"

#include "alloc.h"
#include "io.h"
#include "libxml.h"
#include "limits.h"
#include "text.h"
#include "uri.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

int domain_fail(struct dry_error *e, enum dry_code code, const char *fmt, ...)
{
	va_list ap;

	*e = (struct dry_error){ .code = code };
	va_start(ap, fmt);
	vsnprintf(e->msg, sizeof e->msg, fmt, ap);
	va_end(ap);
	return -(int)code;
}

void domain_free(struct domain *d)
{
	for (size_t i = 0; i < d->ndisks; i++) {
		free(d->disks[i].path);
		free(d->disks[i].format);
		free(d->disks[i].target);
	}
	free(d->disks);
	free(d->name);
	free(d->uuid);
	*d = (struct domain){ .name = NULL };
}

/* ---- XML ---- */

static bool is_element(const xmlNode *n, const char *name)
{
	return n->type == XML_ELEMENT_NODE && strcmp((const char *)n->name, name) == 0;
}

/* The first element of the name among the children; NULL: there is none. */
static xmlNode *child(const xmlNode *parent, const char *name)
{
	xmlNode *n = parent ? parent->children : NULL;

	/* Ends: a parsed tree is one. */
	while (n && !is_element(n, name))
		n = n->next;
	return n;
}

/* Of domain_parse(), that loads it; it is not unloaded. */
static const struct libxml *libxml;

/* libxml2's own allocator is malloc(), as nobody has set another; but ours counts. */
static char *copy_of(xmlChar *text)
{
	char *copy = text ? alloc_strdup((const char *)text) : NULL;

	free(text);
	return copy;
}

static char *attribute(xmlNode *n, const char *name)
{
	return n ? copy_of(libxml->xmlGetNoNsProp(n, (const xmlChar *)name)) : NULL;
}

static char *content(xmlNode *n)
{
	return n ? copy_of(libxml->xmlNodeGetContent(n)) : NULL;
}

static int add_disk(struct domain *d, xmlNode *node, char *path, struct dry_error *e)
{
	struct domain_disk *disks;

	if (d->ndisks >= LIMIT_DOMAIN_DISKS) {
		free(path);
		return domain_fail(e, DRY_LIMIT, "more than %d disks", LIMIT_DOMAIN_DISKS);
	}
	disks = path ? alloc_resize(d->disks, d->ndisks + 1, sizeof *disks) : NULL;
	if (!disks) {
		free(path);
		return domain_fail(e, DRY_NOMEM, "out of memory");
	}
	d->disks = disks;
	d->disks[d->ndisks++] = (struct domain_disk){
		.path = path,
		.format = attribute(child(node, "driver"), "type"),
		.target = attribute(child(node, "target"), "dev"),
		.readonly = child(node, "readonly") != NULL,
	};
	return 0;
}

/* How many there are among the children. */
static unsigned count(const xmlNode *parent, const char *name)
{
	unsigned n = 0;

	for (const xmlNode *c = parent->children; c; c = c->next)
		n += is_element(c, name);
	return n;
}

/* The host, or the socket, of a server of disks as an address; the name is what it has there. */
static int put_address(struct strbuf *out, xmlNode *source, const char *protocol, const char *name, const char *shown,
		       struct dry_error *e)
{
	xmlNode *node = child(source, "host");
	CLEANUP(free_ptr) char *transport = attribute(node, "transport"), *host = attribute(node, "name"),
				*port = attribute(node, "port"), *path = attribute(node, "socket"),
				*tls = attribute(source, "tls"), *query = attribute(source, "query");
	const bool nbd = strcmp(protocol, "nbd") == 0, unix = transport && strcmp(transport, "unix") == 0;
	uint64_t number = 0;

	if (count(source, "host") != 1)
		return domain_fail(e, DRY_UNSUPPORTED, "disk %.100s: one host is read from, not %u", shown, count(source, "host"));
	if ((unix && (!path || *path != '/' || !nbd)) || (!unix && (!host || !*host)) ||
	    (transport && !unix && strcmp(transport, "tcp") != 0))
		return domain_fail(e, DRY_UNSUPPORTED, "disk %.100s: not the host of a server that is read from", shown);
	if (port && (!text_parse_u64(port, &number) || !number || number > UINT16_MAX))
		return domain_fail(e, DRY_CORRUPT, "disk %.100s: \"%.20s\" is no port", shown, port);
	strbuf_printf(out, "%s%s%s://", protocol, nbd && tls && strcmp(tls, "yes") == 0 ? "s" : "", unix ? "+unix" : "");
	if (!unix)
		strbuf_printf(out, strchr(host, ':') ? "[%s]" : "%s", host);
	if (!unix && number)
		strbuf_printf(out, ":%u", (unsigned)number);
	if (*name != '/')
		strbuf_putc(out, '/');
	uri_escape(out, name);
	if (unix) {
		strbuf_puts(out, "?socket=");
		uri_escape(out, path);
	} else if (query && !nbd) {
		strbuf_printf(out, "?%s", query);
	}
	return 0;
}

/* A disk on a network: its address, by which all that reads opens it. */
static int network_path(xmlNode *source, const char *shown, char **out, struct dry_error *e)
{
	CLEANUP(free_ptr) char *protocol = attribute(source, "protocol"), *name = attribute(source, "name");
	CLEANUP(strbuf_free) struct strbuf address = STRBUF_INIT;
	int rc;

	if (!protocol || (strcmp(protocol, "nbd") != 0 && strcmp(protocol, "http") != 0 && strcmp(protocol, "https") != 0))
		return domain_fail(e, DRY_UNSUPPORTED,
				   "disk %.100s is on a network, by \"%.50s\": only nbd, http and https are read", shown,
				   protocol ? protocol : "");
	if (child(source, "auth") || child(source, "cookies"))
		return domain_fail(e, DRY_UNSUPPORTED, "disk %.100s: its server wants a secret that is kept by libvirt", shown);
	rc = put_address(&address, source, protocol, name ? name : "", shown, e);
	if (rc < 0)
		return rc;
	*out = address.failed ? NULL : alloc_strdup(address.s);
	return *out ? 0 : domain_fail(e, DRY_NOMEM, "out of memory");
}

static int parse_disk(struct domain *d, xmlNode *node, struct dry_error *e)
{
	CLEANUP(free_ptr) char *type = attribute(node, "type");
	CLEANUP(free_ptr) char *device = attribute(node, "device");
	CLEANUP(free_ptr) char *target = attribute(child(node, "target"), "dev");
	CLEANUP(free_ptr) char *path = NULL;
	xmlNode *source = child(node, "source");
	const char *shown = target ? target : "without a target";
	int rc;

	/* What is in a drive is not a part of the guest. */
	if (device && strcmp(device, "disk") != 0 && strcmp(device, "lun") != 0)
		return 0;
	if (!source)
		return 0;
	if (!type || strcmp(type, "file") == 0)
		path = attribute(source, "file");
	else if (strcmp(type, "block") == 0)
		path = attribute(source, "dev");
	else if (strcmp(type, "network") == 0)
		return (rc = network_path(source, shown, &path, e)) < 0 ? rc : add_disk(d, node, take(path), e);
	else
		return domain_fail(e, DRY_UNSUPPORTED,
				   "disk %.100s is of type \"%.100s\": only files, block devices and networks are read", shown,
				   type);
	if (!path)
		return domain_fail(e, DRY_CORRUPT, "disk %.100s has a source without a name", shown);
	return path[0] == '/' ? add_disk(d, node, take(path), e)
			      : domain_fail(e, DRY_CORRUPT, "disk %.100s: \"%.500s\" is not an absolute path", shown, path);
}

static int parse_domain(struct domain *d, xmlNode *root, struct dry_error *e)
{
	xmlNode *devices;
	int rc = 0;

	if (!root || !is_element(root, "domain"))
		return domain_fail(e, DRY_CORRUPT, "its root element is not \"domain\"");
	d->name = content(child(root, "name"));
	d->uuid = content(child(root, "uuid"));
	if (!d->name || !*d->name)
		return domain_fail(e, DRY_CORRUPT, "the domain has no name");
	devices = child(root, "devices");
	for (xmlNode *n = devices ? devices->children : NULL; n && rc >= 0; n = n->next)
		if (is_element(n, "disk"))
			rc = parse_disk(d, n, e);
	return rc;
}

static int in(struct dry_error *e, int rc, const char *from)
{
	CLEANUP(free_ptr) char *text = rc < 0 ? alloc_printf("%.300s: %s", from, e->msg) : NULL;

	if (text)
		snprintf(e->msg, sizeof e->msg, "%s", text);
	return rc;
}

int domain_parse(const char *xml, size_t len, const char *from, struct domain *out, struct dry_error *e)
{
	struct domain d = { .name = NULL };
	const char *why;
	xmlDoc *doc = NULL;
	int rc;

	libxml = libxml_load(&why);
	if (!libxml)
		return in(e, domain_fail(e, DRY_UNSUPPORTED, "domain XML needs libxml2: %s", why), from);
	/* Nothing is fetched, no entity replaced, and libxml2 keeps its own bounds on depth and length. */
	if (len <= LIMIT_DOMAIN_XML)
		doc = libxml->xmlReadMemory(xml, (int)len, NULL, NULL,
					    XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	if (len > LIMIT_DOMAIN_XML)
		rc = domain_fail(e, DRY_LIMIT, "domain XML of more than %llu MiB", LIMIT_DOMAIN_XML / MiB);
	else if (!doc)
		rc = domain_fail(e, DRY_CORRUPT, "not well-formed XML");
	else if (doc->intSubset || doc->extSubset)
		rc = domain_fail(e, DRY_CORRUPT, "it has a document type declaration, which no domain has");
	else
		rc = parse_domain(&d, libxml->xmlDocGetRootElement(doc), e);
	if (doc)
		libxml->xmlFreeDoc(doc);
	if (rc < 0)
		domain_free(&d);
	*out = d;
	return in(e, rc, from);
}

/* ---- where it comes from ---- */

static bool is_file(const char *which)
{
	size_t len = strlen(which);

	return strchr(which, '/') || (len > 4 && strcmp(which + len - 4, ".xml") == 0 && access(which, F_OK) == 0);
}

static int load_file(const char *path, struct domain *out, struct dry_error *e)
{
	CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	CLEANUP(free_ptr) char *text = alloc_bytes(LIMIT_DOMAIN_XML + 1);
	size_t len = 0;
	int err;

	if (fd < 0)
		return domain_fail(e, DRY_SYSTEM, "%.300s: %s", path, strerror(errno));
	if (!text)
		return domain_fail(e, DRY_NOMEM, "out of memory");
	err = io_read(fd, text, LIMIT_DOMAIN_XML + 1, &len);
	if (err)
		return domain_fail(e, DRY_SYSTEM, "%.300s: %s", path, strerror(err));
	return domain_parse(text, len, path, out, e);
}

int domain_load(const char *which, const char *uri, struct domain *out, struct dry_error *e)
{
	CLEANUP(free_ptr) char *xml = NULL;
	int rc;

	*out = (struct domain){ .name = NULL };
	if (is_file(which))
		return load_file(which, out, e);
	rc = domain_libvirt_xml(which, uri, &xml, e);
	return rc < 0 ? rc : domain_parse(xml, strlen(xml), which, out, e);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct domain *)a)->name, ((const struct domain *)b)->name);
}

int domain_list(const char *uri, struct domain **out, size_t *n, void (*failed)(const struct dry_error *e), struct dry_error *e)
{
	size_t ntexts = 0;
	char **texts = NULL;
	int rc = domain_libvirt_all(uri, &texts, &ntexts, e);
	struct domain *domains = rc < 0 ? NULL : alloc_array(ntexts + 1, sizeof *domains);

	*out = NULL;
	*n = 0;
	if (rc >= 0 && !domains)
		rc = domain_fail(e, DRY_NOMEM, "out of memory");
	for (size_t i = 0; i < ntexts; i++) {
		struct dry_error why = { .code = DRY_OK };

		if (domains && domain_parse(texts[i], strlen(texts[i]), "libvirt", &domains[*n], &why) >= 0)
			(*n)++;
		else if (domains)
			failed(&why);
		free(texts[i]);
	}
	free(texts);
	if (domains)
		qsort(domains, *n, sizeof *domains, by_name);
	*out = domains;
	return rc;
}
