/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sqlite.h - the rows of a table in a guest's SQLite database, read in place.
 *
 * SQLite's own library wants a file of the host, and trusts it; a guest's database is a stranger's and lies in an image.
 * What a write-ahead log beside it holds counts, as it does for SQLite; a database that was left in the middle of a
 * transaction with a rollback journal is refused.
 */
#ifndef DRYDOCK_SQLITE_H
#define DRYDOCK_SQLITE_H

#include "vfs.h"

/* A value of a row, lent until the callback returns. */
struct sqlite_value {
	enum { SQLITE_NULL, SQLITE_INTEGER, SQLITE_REAL, SQLITE_TEXT, SQLITE_BLOB } type;
	int64_t integer;
	const uint8_t *bytes; /* with text and blobs; not NUL-terminated */
	size_t len;
};
#define SQLITE_COLUMNS 32 /* further ones are left out */

/* The row's values in the order of columns; a column that aliases the row's number is NULL.  Non-zero ends the walk. */
typedef int (*sqlite_row_fn)(void *arg, const struct sqlite_value *values, size_t n, struct err *e);
/*
 * Calls fn for each row of the table, in the order of row numbers.  ERR_NOT_FOUND: there is no such table.  A row larger than
 * max bytes is ERR_LIMIT.
 */
int sqlite_walk(struct vfs *v, const char *path, const char *table, size_t max, sqlite_row_fn fn, void *arg, struct err *e);
/*
 * The same with the columns in the order of names; one that the table has not is NULL.  Tables gain and lose columns from
 * version to version of what writes them.
 */
int sqlite_walk_columns(struct vfs *v, const char *path, const char *table, const char *const *columns, size_t ncolumns,
			size_t max, sqlite_row_fn fn, void *arg, struct err *e);

/* ---- between the parts ---- */

/* sqlite_columns.c: the place of a column in the statement that made its table; -1: it has none of this name. */
int sqlite_column_place(const char *sql, size_t len, const char *column);

#endif
