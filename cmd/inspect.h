/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inspect.h - the parts of drydock inspect to each other. */
#ifndef DRYDOCK_INSPECT_H
#define DRYDOCK_INSPECT_H

#include "guest_opts.h"
#include "json.h"
#include "out.h"

/* Lists the packages of what is mounted: as members of an array in JSON, or as a table in a text.  The exit status. */
int packages_json(const struct guest_ref *ref, struct json *j);
int packages_table(const struct guest_ref *ref, struct strbuf *out);

/* How a guest boots, who can log in, what it starts: as members of an object, or as rows of a table of two columns. */
void facts_json(const struct guest_ref *ref, const struct dry_facts *facts, struct json *j);
void facts_rows(const struct guest_ref *ref, const struct dry_facts *facts, bool all, struct table *t);

/* What only Windows has: members of an object in JSON, or rows of a table; nothing for other systems. */
void windows_json(struct dry_guest *g, struct json *j);
void windows_rows(struct dry_guest *g, struct table *t);

enum sbom_kind { SBOM_CYCLONEDX, SBOM_SPDX };
/* A document that names the system and its packages, as one JSON object. */
int sbom_json(const struct guest_ref *ref, const struct dry_os *os, enum sbom_kind kind, struct json *j);

#endif
