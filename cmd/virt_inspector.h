/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virt_inspector.h - the parts of virt-inspector to each other. */
#ifndef DRYDOCK_VIRT_INSPECTOR_H
#define DRYDOCK_VIRT_INSPECTOR_H

#include "virt.h"
#include "xml.h"

struct virt_inspector {
	struct virt virt;
	bool no_applications, no_icon;
	const char *xpath;
	struct strbuf text;
	struct xml xml;
	/* Applications, which are sorted by name before they are written. */
	struct strbuf elements; /* of all of them, and their names, NUL-terminated */
	struct application {
		size_t name, start, end; /* in elements */
		size_t number; /* in the order of the database */
	} *applications;
	size_t napplications, cap;
};

/* virt_icon.c: an <icon> with the picture of the system that is mounted, where it has one.  0 or EXIT_FAILED. */
int virt_inspector_icon(struct virt_inspector *c, const struct dry_os *os);
/* virt_xpath.c: evaluates a query over the document on standard input; the exit status. */
int virt_xpath(const char *query);

#endif
