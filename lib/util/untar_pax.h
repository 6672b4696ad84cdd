/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* untar_pax.h - the records of pax headers: "LEN KEY=VALUE\n", one after the other. */
#ifndef DRYDOCK_UNTAR_PAX_H
#define DRYDOCK_UNTAR_PAX_H

#include "err.h"
#include "tar.h"

struct pax_record {
	char *key, *value; /* the value is NUL-terminated and may hold NULs */
	size_t len;
};
struct pax {
	struct pax_record *items;
	size_t n, cap;
	size_t bytes;
	struct tar_xattr *xattrs;
};
void pax_free(struct pax *p); /* empty again */
/* Empty but for what is said of all members. */
void pax_reset(struct pax *p, const struct pax *global);
/* Takes what such a header's content says; a later record of a key counts. */
int pax_read(struct pax *p, const char *text, size_t len, struct err *e);
/* NULL: it is not told.  Of several, the last; an empty value takes back what was said before. */
const char *pax_get(const struct pax *p, const char *key);
/* Extended attributes by SCHILY.xattr.NAME, and the label by RHT.security.selinux. */
int pax_xattrs(struct pax *p, const struct tar_xattr **out, size_t *n, struct err *e);
/* "12.5", "-0.25"; false: it is no time. */
bool pax_time(const char *text, struct tar_time *out);

#endif
