/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fact_logins.c - who can log in: passwd(5) with shadow(5), or the BSDs' master.passwd(5).  Of a password only whether there is
 * one leaves this file; the text of its hash is wiped as soon as it was looked at.
 */
#include "facts.h"

#include "alloc.h"
#include "limits.h"
#include "text.h"

#include <string.h>

/* Shells that let nobody in, by the last part of their names. */
static const char *const no_shells[] = { "nologin", "false", "true", "sync", "halt", "shutdown", "git-shell" };

static bool lets_in(const char *shell)
{
	const char *slash = strrchr(shell, '/'), *name = slash ? slash + 1 : shell;

	for (size_t i = 0; i < ARRAY_LEN(no_shells); i++)
		if (strcmp(name, no_shells[i]) == 0)
			return false;
	return true;
}

/* Splits a line at its colons, in place; the number of fields, at most max. */
static size_t fields_split(char *line, char **fields, size_t max)
{
	size_t n = 0;

	while (n < max) {
		char *colon = strchr(line, ':');

		fields[n++] = line;
		if (!colon)
			break;
		*colon = '\0';
		line = colon + 1;
	}
	return n;
}

/* What the field of a hash says. */
static enum login_password password_of(const char *field)
{
	if (!*field)
		return PASSWORD_NONE;
	if (*field == '!' || *field == '*')
		return PASSWORD_LOCKED;
	/* "x": it is in shadow. */
	return strcmp(field, "x") == 0 ? PASSWORD_UNKNOWN : PASSWORD_SET;
}

/* Where passwd and its kin have their fields. */
struct layout {
	size_t nfields, real_name, home, shell;
};
static const struct layout passwd_layout = { 7, 4, 5, 6 }, master_layout = { 10, 7, 8, 9 };

static int login_add(struct facts *f, char **fields, const struct layout *l, struct err *e)
{
	struct login *items, *u;
	uint64_t uid, gid;

	/* A line of NIS ("+::::::") is no user. */
	if (!*fields[0] || *fields[0] == '+' || *fields[0] == '-' || *fields[0] == '#' || !text_parse_u64(fields[2], &uid) ||
	    !text_parse_u64(fields[3], &gid) || uid > UINT32_MAX || gid > UINT32_MAX || !lets_in(fields[l->shell]))
		return 0;
	if (f->nlogins == LIMIT_LOGINS)
		return sentence_add(&f->warnings, &f->nwarnings, e, "of its users no more than %d are told", LIMIT_LOGINS);
	items = alloc_resize(f->logins, f->nlogins + 1, sizeof *items);
	if (!items)
		return err_nomem(e);
	f->logins = items;
	u = &items[f->nlogins++];
	*u = (struct login){
		.name = alloc_strdup(fields[0]),
		.real_name = alloc_strdup(fields[l->real_name]),
		.home = alloc_strdup(fields[l->home]),
		.shell = alloc_strdup(*fields[l->shell] ? fields[l->shell] : "/bin/sh"),
		.uid = (uint32_t)uid,
		.gid = (uint32_t)gid,
		.password = password_of(fields[1]),
	};
	if (!u->name || !u->real_name || !u->home || !u->shell)
		return err_nomem(e);
	/* "Ann,Room 5,..." */
	u->real_name[strcspn(u->real_name, ",")] = '\0';
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct login *)a)->name, ((const struct login *)b)->name);
}

static int by_number(const void *a, const void *b)
{
	const struct login *x = a, *y = b;

	if (x->uid != y->uid)
		return x->uid < y->uid ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* A line of shadow: the users are sorted by their names. */
static int shadow_line(struct facts *f, char *line, struct err *e)
{
	char *fields[3];
	struct login key, *u;

	(void)e;
	if (fields_split(line, fields, ARRAY_LEN(fields)) < 2)
		return 0;
	key.name = fields[0];
	u = f->nlogins ? bsearch(&key, f->logins, f->nlogins, sizeof key, by_name) : NULL;
	if (u && u->password == PASSWORD_UNKNOWN)
		u->password = strcmp(fields[1], "x") == 0 ? PASSWORD_SET : password_of(fields[1]);
	return 0;
}

static int passwd_line(struct facts *f, char *line, struct err *e)
{
	char *fields[8];

	return fields_split(line, fields, ARRAY_LEN(fields)) == passwd_layout.nfields ? login_add(f, fields, &passwd_layout, e)
											  : 0;
}

static int master_line(struct facts *f, char *line, struct err *e)
{
	char *fields[11];

	return fields_split(line, fields, ARRAY_LEN(fields)) == master_layout.nfields ? login_add(f, fields, &master_layout, e)
											  : 0;
}

/* Each line of a file: 1, or 0 when there is no such file.  The text is wiped. */
static int each_line(struct facts *f, struct vfs *v, const char *path, int (*fn)(struct facts *, char *, struct err *),
		     struct err *e)
{
	char *text = NULL, *line;
	size_t len;
	int rc = facts_text(f, v, path, LIMIT_PASSWD_BYTES, &text, e);

	if (rc <= 0 || !text)
		return rc;
	len = strlen(text);
	line = text;
	rc = 0;
	for (char *p = text, *end = text + len; p < end && rc == 0; p = line) {
		char *nl = memchr(p, '\n', (size_t)(end - p));

		line = nl ? nl + 1 : end;
		if (nl)
			*nl = '\0';
		rc = fn(f, p, e);
	}
	explicit_bzero(text, len);
	free(text);
	return rc < 0 ? rc : 1;
}

/* Keys in the usual place of a home: a way in without a password. */
static int keys_look(struct facts *f, struct vfs *v, struct err *e)
{
	for (size_t i = 0; i < f->nlogins; i++) {
		struct login *u = &f->logins[i];
		CLEANUP(free_ptr) char *path = alloc_printf("%s/.ssh/authorized_keys", u->home);
		struct fs_stat st;
		int rc;

		if (!path)
			return err_nomem(e);
		rc = *u->home == '/' ? vfs_stat(v, path, true, &st, NULL) : -ERR_NOT_FOUND;
		if (rc == -ERR_NOMEM)
			return err_nomem(e);
		u->ssh_keys = rc == 0 && st.size > 0;
	}
	return 0;
}

int facts_logins(const struct facts_from *from, struct facts *f, struct err *e)
{
	struct vfs *v = from->g->vfs;
	/* The BSDs' passwd has no hashes, and nothing that the other has not. */
	int rc = each_line(f, v, "/etc/master.passwd", master_line, e);

	if (rc == 0)
		rc = each_line(f, v, "/etc/passwd", passwd_line, e);
	if (rc >= 0 && f->nlogins) {
		qsort(f->logins, f->nlogins, sizeof *f->logins, by_name);
		rc = each_line(f, v, "/etc/shadow", shadow_line, e);
		qsort(f->logins, f->nlogins, sizeof *f->logins, by_number);
	}
	return rc < 0 ? rc : keys_look(f, v, e);
}
