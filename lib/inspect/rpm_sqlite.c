/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rpm_sqlite.c - rpmdb.sqlite: the table Packages has a row of number and header for each. */
#include "rpm.h"

#include "limits.h"
#include "sqlite.h"

struct row_call {
	rpm_header_fn fn;
	void *arg;
};

static int on_row(void *arg, const struct sqlite_value *v, size_t n, struct err *e)
{
	const struct row_call *c = arg;

	if (n < 2 || v[1].type != SQLITE_BLOB)
		return err_set(e, ERR_CORRUPT, "a row without a header");
	return c->fn(c->arg, v[1].bytes, v[1].len, e);
}

int rpm_sqlite_walk(struct vfs *v, const char *path, rpm_header_fn fn, void *arg, struct err *e)
{
	struct row_call c = { fn, arg };

	return sqlite_walk(v, path, "Packages", LIMIT_RPM_HEADER, on_row, &c, e);
}
