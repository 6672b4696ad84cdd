/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hive.h - one file of the Windows registry: keys in a tree, values in keys.
 *
 * It is read by our own code, a piece at a time where it is looked at: hives have some hundred MiB, of which a question needs a
 * few KiB.  A hive whose last write was not completed is read with what its logs hold that is newer.  Whatever a hive holds, the
 * work done on one handle is counted and comes to an end.
 *
 * Names and texts are UTF-8; a NUL in a name is shown as U+FFFD.  Errors are sentences about the hive, without its name.
 */
#ifndef DRYDOCK_HIVE_H
#define DRYDOCK_HIVE_H

#include "err.h"
#include "strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hive;
/* A file: exactly len bytes at off of it. */
typedef int (*hive_read_fn)(void *arg, void *buf, size_t len, uint64_t off, struct err *e);
struct hive_bytes {
	hive_read_fn read;
	void *arg;
	uint64_t size;
};
/* .LOG1 and .LOG2 */
#define HIVE_LOGS 2

/*
 * Reads the hive of a file, with as many of its logs as there are; hive_close() ends it, and until then `read` is called.
 */
int hive_open(const struct hive_bytes *file, const struct hive_bytes *logs, size_t nlogs, struct hive **out, struct err *e);
void hive_close(struct hive *h); /* NULL is fine */
void hive_closep(struct hive **h); /* for CLEANUP */
/* A sentence when the hive was not written to its end, and its logs do not tell all that is newer; NULL: there is nothing. */
const char *hive_warning(const struct hive *h);
/* Bytes: all values together have no more. */
size_t hive_size(const struct hive *h);

/*
 * The whole hive as a file that needs no logs: what they hold is in it, and its numbers are those of a write that came after
 * them, so that nobody replays them again.  free(*out).  ERR_UNSUPPORTED when the logs do not tell all that is newer.
 */
int hive_copy(struct hive *h, uint8_t **out, size_t *len, struct err *e);

/* A key of a hive: a place in it.  0 is none. */
typedef uint32_t hive_key;
hive_key hive_root(const struct hive *h);
/* Appends the key's name. */
int hive_key_name(struct hive *h, hive_key k, struct strbuf *out, struct err *e);
/* When it was last written: seconds since 1970, 0: not known. */
int hive_key_time(struct hive *h, hive_key k, int64_t *out, struct err *e);
/* Its subkeys in the order of the hive: free(*out). */
int hive_subkeys(struct hive *h, hive_key k, hive_key **out, size_t *n, struct err *e);
/* The subkey of that name, whatever its case: 1, or 0 when there is none. */
int hive_subkey(struct hive *h, hive_key k, const char *name, hive_key *out, struct err *e);
/* From k on by names between backslashes, of which any number stand where one does: 1 or 0. */
int hive_find(struct hive *h, hive_key k, const char *path, hive_key *out, struct err *e);

enum {
	REG_NONE,
	REG_SZ,
	REG_EXPAND_SZ,
	REG_BINARY,
	REG_DWORD,
	REG_DWORD_BIG_ENDIAN,
	REG_LINK,
	REG_MULTI_SZ,
	REG_RESOURCE_LIST,
	REG_FULL_RESOURCE_DESCRIPTOR,
	REG_RESOURCE_REQUIREMENTS_LIST,
	REG_QWORD,
};

struct hive_value {
	char *name; /* "": the default value */
	uint32_t type;
	uint8_t *data;
	size_t len;
};
void hive_value_clear(struct hive_value *v); /* for CLEANUP */
/* A key's values: places in the hive, free(*out), of which each is read by hive_value(). */
int hive_values(struct hive *h, hive_key k, uint32_t **out, size_t *n, struct err *e);
int hive_value(struct hive *h, uint32_t value, struct hive_value *out, struct err *e);
/* Appends its name alone. */
int hive_value_name(struct hive *h, uint32_t value, struct strbuf *out, struct err *e);
/* The value of that name, whatever its case: 1, or 0 when there is none. */
int hive_get(struct hive *h, hive_key k, const char *name, struct hive_value *out, struct err *e);
/* The same from a key by its path and a name. */
int hive_get_at(struct hive *h, hive_key k, const char *path, const char *name, struct hive_value *out, struct err *e);

/* The text of REG_SZ and the like, or of the first of REG_MULTI_SZ, up to its NUL; false when it is of another type. */
bool hive_value_text(const struct hive_value *v, struct strbuf *out);
/* REG_DWORD, REG_DWORD_BIG_ENDIAN, REG_QWORD of the right length. */
bool hive_value_number(const struct hive_value *v, uint64_t *out);

/* What is done on the way through a tree of keys; a non-zero answer ends it and is returned. */
struct hive_walk {
	unsigned max_depth; /* 0: the start only */
	bool sorted;	    /* by the bytes of the names; else as the hive has them */
	/* Each key before what is in it; path is below the start, "" there, "A\\B"; lent. */
	int (*key)(void *arg, hive_key k, const char *path, unsigned depth, struct err *e);
	/* What of a key could not be read; 0 goes on with the next. */
	int (*failed)(void *arg, const char *path, const struct err *why, struct err *e);
	void *arg;
};
int hive_walk(struct hive *h, hive_key start, const struct hive_walk *w, struct err *e);

/* The same walk, drawn on by its caller key by key. */
struct hive_tree;
struct hive_place {
	hive_key key;
	const char *path; /* below the start; lent until the next call */
	unsigned depth;
	const struct err *failed; /* what of the key of that path could not be read; then there is no key.  NULL: all could */
};
/* order: of names that have one parent, as strcmp() and hive_name_order() give it; NULL: as the hive has them. */
int hive_tree_open(struct hive *h, hive_key start, unsigned max_depth, int (*order)(const char *a, const char *b),
		   struct hive_tree **out, struct err *e);
/* 1, or 0 when there is no more. */
int hive_tree_next(struct hive_tree *t, const struct hive_place **out, struct err *e);
void hive_tree_close(struct hive_tree *t); /* NULL is fine */
void hive_tree_closep(struct hive_tree **t); /* for CLEANUP */

/* < 0, 0, > 0: the order of names, or of paths of them, whatever their case. */
int hive_name_order(const char *a, const char *b);

#endif
