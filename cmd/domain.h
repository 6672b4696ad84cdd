/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * domain.h - the disks of libvirt's domains: from a file of domain XML, or from libvirt.
 *
 * libvirt's client library is looked for when it is needed, and the program does without it else.  All this is done before
 * the process confines itself: what a domain says comes from the host, and names the files that are to be opened.
 */
#ifndef DRYDOCK_DOMAIN_H
#define DRYDOCK_DOMAIN_H

#include "drydock.h"

struct domain_disk {
	char *path;   /* of a file or device, or an address (nbd, http, https) */
	char *format; /* NULL: not told */
	char *target; /* "vda", NULL: not told */
	bool readonly;
};
struct domain {
	char *name, *uuid; /* uuid NULL: not told */
	struct domain_disk *disks; /* in the order of the XML, without CD-ROMs, floppies and drives that are empty */
	size_t ndisks;
};
void domain_free(struct domain *d);

/*
 * What "-d WHICH" names: a file, where it has a slash or ends in .xml and there is one; else a name or UUID that libvirt at
 * the URI (NULL: where libvirt looks by itself) knows.  0, or < 0 with *e filled: the sentence names the domain.
 */
int domain_load(const char *which, const char *uri, struct domain *out, struct dry_error *e);
/* Parses domain XML; `from` is its name in messages. */
int domain_parse(const char *xml, size_t len, const char *from, struct domain *out, struct dry_error *e);
/*
 * All domains that libvirt knows, sorted by name; free() it after domain_free() of each.  One whose XML makes no sense has no
 * disks, and its sentence is given to `failed`.
 */
int domain_list(const char *uri, struct domain **out, size_t *n, void (*failed)(const struct dry_error *e), struct dry_error *e);

/* For the files of this part: fills *e, returns -code. */
__attribute__((format(printf, 3, 4))) int domain_fail(struct dry_error *e, enum dry_code code, const char *fmt, ...);
/* domain_libvirt.c: the XML of a domain, free() it. */
int domain_libvirt_xml(const char *which, const char *uri, char **xml, struct dry_error *e);
/* The XML of all of them: an array of *n texts. */
int domain_libvirt_all(const char *uri, char ***xml, size_t *n, struct dry_error *e);

#endif
