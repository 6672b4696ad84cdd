/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_entry.h - how a file of a guest is shown: as a long line, as an object of JSON. */
#ifndef DRYDOCK_GUEST_ENTRY_H
#define DRYDOCK_GUEST_ENTRY_H

#include "digest.h"
#include "guest_opts.h"
#include "json.h"
#include "strbuf.h"

struct entry_style {
	struct guest_ref *ref; /* whose files these are */
	bool human, xattrs;
	bool checksum; /* of regular files, of this kind: */
	enum digest_kind digest;
	void *buf;   /* for checksums: GUEST_FILE_CHUNK bytes */
	bool failed; /* something of an entry could not be read, which was told */
};

/* The cells of a long line. */
void entry_size(const struct entry_style *s, const struct dry_stat *st, char *buf, size_t size);
void entry_date(const struct dry_stat *st, char *buf, size_t size);
/* A symlink's target, or NULL: it is none, or could not be read; free() it. */
char *entry_target(struct entry_style *s, const struct dry_entry *ent);
/* The name that is to be shown and a symlink's target, made safe for a terminal. */
void entry_name(struct entry_style *s, const struct dry_entry *ent, const char *shown, struct strbuf *out);
/* false: it is no regular file, or could not be read. */
bool entry_checksum(struct entry_style *s, const struct dry_entry *ent, char text[DIGEST_TEXT]);
/* A whole line without its end, in columns of usual widths: for trees of millions of lines, that go out as they come. */
void entry_line(struct entry_style *s, const struct dry_entry *ent, const char *shown, struct strbuf *out);
/* An object of JSON: see drydock-ls(1). */
void entry_json(struct entry_style *s, const struct dry_entry *ent, struct json *j);
/* A guest's bytes: as text, and when they are not UTF-8 also in hexadecimal digits under KEY_hex. */
void json_guest(struct json *j, const char *key, const char *bytes, size_t len);
/* "2024-01-02T03:04:05.000000000Z"; nothing for a year that has no place in it. */
void json_time(struct json *j, const char *key, struct dry_time t);

/* An extended attribute, kept. */
struct entry_xattr {
	char *name;
	void *value;
	size_t len;
};
struct entry_xattrs {
	struct entry_xattr *items; /* sorted by name: their order on the disk means nothing */
	size_t n;
	bool nomem;
};
/* Those of a node: 0, or < 0 with *e filled; entry_xattrs_free() in either case. */
int entry_xattrs(struct dry_guest *g, struct dry_node n, struct entry_xattrs *out, struct dry_error *e);
void entry_xattrs_free(struct entry_xattrs *x);

#endif
