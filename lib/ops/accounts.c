/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* accounts.c - users and groups, line by line. */
#include "accounts.h"

#include "alloc.h"
#include "limits.h"
#include "text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* ---- lines of fields between colons ---- */

#define FIELDS 7
/* A line split where it lies: field i is at[i], len[i] bytes; those that are not there are empty. */
struct fields {
	const char *at[FIELDS];
	size_t len[FIELDS];
	size_t n;
	const char *end; /* of the line, without its newline */
};

static struct fields split(const char *line)
{
	struct fields f = { .n = 0 };
	const char *p = line;

	f.end = line + strcspn(line, "\n");
	for (size_t i = 0; i < FIELDS; i++)
		f.at[i] = f.end;
	while (f.n < FIELDS) {
		const char *colon = memchr(p, ':', (size_t)(f.end - p));
		const char *stop = colon ? colon : f.end;

		f.at[f.n] = p;
		f.len[f.n++] = (size_t)(stop - p);
		if (!colon)
			break;
		p = colon + 1;
	}
	return f;
}

static bool field_is(const struct fields *f, size_t i, const char *text)
{
	return f->len[i] == strlen(text) && memcmp(f->at[i], text, f->len[i]) == 0;
}

static bool field_number(const struct fields *f, size_t i, uint32_t *out)
{
	char digits[16];
	uint64_t n;

	if (!f->len[i] || f->len[i] >= sizeof digits || !isdigit((unsigned char)f->at[i][0]))
		return false;
	snprintf(digits, sizeof digits, "%.*s", (int)f->len[i], f->at[i]);
	if (!text_parse_u64(digits, &n) || n >= UINT32_MAX)
		return false;
	*out = (uint32_t)n;
	return true;
}

/* ---- a file of such lines that is changed ---- */

/* What becomes of a line: it is kept, or what was appended to out takes its place. */
enum line_fate { LINE_KEEP, LINE_REPLACED };
typedef enum line_fate (*line_fn)(void *arg, const struct fields *f, struct strbuf *out);

/* How many lines were changed; 0 also when there is no such file. */
static int lines_change(struct tree *t, const char *path, line_fn fn, void *arg, const char *more, struct err *e)
{
	CLEANUP(free_ptr) char *text = NULL;
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	size_t len;
	int n = 0, rc = tree_text(t, path, &text, &len, e);

	if (rc <= 0)
		return rc;
	for (const char *p = text; p < text + len;) {
		const struct fields f = split(p);

		if (!fn || fn(arg, &f, &out) == LINE_KEEP) {
			strbuf_add(&out, p, (size_t)(f.end - p));
			if (f.end < text + len)
				strbuf_putc(&out, *f.end); /* a newline, or a NUL of the guest's */
		} else {
			n++;
		}
		p = f.end + (f.end < text + len);
	}
	if (more) {
		if (out.len && out.s[out.len - 1] != '\n')
			strbuf_putc(&out, '\n');
		strbuf_puts(&out, more);
		n++;
	}
	if (out.failed)
		return err_nomem(e);
	if (!n)
		return 0;
	rc = t->ops->write(t, path, out.s, out.len, NULL, e);
	return rc < 0 ? rc : n;
}

/* ---- looking ---- */

void account_clear(struct account *a)
{
	free(a->name);
	free(a->home);
	free(a->shell);
	memset(a, 0, sizeof *a);
}

int accounts_each(struct tree *t, int (*fn)(void *arg, const struct account *a, struct err *e), void *arg, struct err *e)
{
	CLEANUP(free_ptr) char *text = NULL;
	int rc = tree_text(t, "/etc/passwd", &text, NULL, e);

	if (rc <= 0)
		return rc;
	rc = 0;
	for (const char *p = text; *p && rc == 0;) {
		CLEANUP(account_clear) struct account a = { NULL };
		const struct fields f = split(p);

		p = f.end + (*f.end == '\n');
		if (f.n < FIELDS || !f.len[0] || !field_number(&f, 2, &a.uid) || !field_number(&f, 3, &a.gid))
			continue;
		a.name = alloc_strndup(f.at[0], f.len[0]);
		a.home = alloc_strndup(f.at[5], f.len[5]);
		a.shell = alloc_strndup(f.at[6], f.len[6]);
		rc = a.name && a.home && a.shell ? fn(arg, &a, e) : err_nomem(e);
	}
	return rc;
}

struct search {
	const char *name;
	struct account *out;
};

static int is_that(void *arg, const struct account *a, struct err *e)
{
	struct search *s = arg;

	if (strcmp(a->name, s->name) != 0)
		return 0;
	s->out->uid = a->uid;
	s->out->gid = a->gid;
	s->out->name = alloc_strdup(a->name);
	s->out->home = alloc_strdup(a->home);
	s->out->shell = alloc_strdup(a->shell);
	return s->out->name && s->out->home && s->out->shell ? 1 : err_nomem(e);
}

static int no_such_user(const char *name, struct err *e)
{
	return err_set(e, ERR_NOT_FOUND, "the guest has no user \"%s\"", name);
}

int account_find(struct tree *t, const char *name, struct account *out, struct err *e)
{
	struct search s = { name, out };
	int rc;

	memset(out, 0, sizeof *out);
	rc = accounts_each(t, is_that, &s, e);
	return rc == 0 ? no_such_user(name, e) : rc < 0 ? rc : 0;
}

bool account_name_ok(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > 32 || !(islower((unsigned char)name[0]) || name[0] == '_'))
		return false;
	for (size_t i = 1; i < len; i++)
		if (!islower((unsigned char)name[i]) && !isdigit((unsigned char)name[i]) && !strchr("_-.", name[i]) &&
		    !(name[i] == '$' && i + 1 == len))
			return false;
	return true;
}

/* ---- passwords ---- */

struct set_field {
	const char *name, *value;
};

static enum line_fate set_second(void *arg, const struct fields *f, struct strbuf *out)
{
	const struct set_field *s = arg;

	if (f->n < 2 || !field_is(f, 0, s->name))
		return LINE_KEEP;
	strbuf_printf(out, "%s:%s%.*s\n", s->name, s->value, (int)(f->end - f->at[1] - f->len[1]), f->at[1] + f->len[1]);
	return LINE_REPLACED;
}

int account_set_password(struct tree *t, const char *name, const char *field, struct err *e)
{
	struct set_field s = { name, field };
	bool shadow = tree_is_file(t, "/etc/shadow");
	int rc = lines_change(t, shadow ? "/etc/shadow" : "/etc/passwd", set_second, &s, NULL, e);

	return rc == 0 ? no_such_user(name, e) : rc < 0 ? rc : 0;
}

/* ---- a new user ---- */

/* The number of a line "UID_MIN 1000" in login.defs. */
static uint32_t login_def(const char *text, const char *key, uint32_t otherwise)
{
	for (const char *p = text; p && *p; p += strcspn(p, "\n"), p += *p == '\n') {
		size_t len = strlen(key);

		p += strspn(p, " \t");
		if (strncmp(p, key, len) == 0 && (p[len] == ' ' || p[len] == '\t')) {
			const char *digits = p + len + strspn(p + len, " \t");
			CLEANUP(free_ptr) char *number = alloc_strndup(digits, strspn(digits, "0123456789"));
			uint64_t n;

			return number && text_parse_u64(number, &n) && n && n < UINT32_MAX ? (uint32_t)n : otherwise;
		}
	}
	return otherwise;
}

/* The first number from `from` on that no line of a file has in its third field. */
static int number_free(struct tree *t, const char *path, uint32_t from, uint32_t to, uint32_t *out, struct err *e)
{
	CLEANUP(free_ptr) char *text = NULL;
	uint32_t most = from - 1;
	int rc = tree_text(t, path, &text, NULL, e);

	if (rc < 0)
		return rc;
	for (const char *p = text ? text : ""; *p;) {
		const struct fields f = split(p);
		uint32_t n;

		p = f.end + (*f.end == '\n');
		if (field_number(&f, 2, &n) && n >= from && n <= to && n > most)
			most = n;
	}
	if (most >= to)
		return err_set(e, ERR_LIMIT, "%s has no number left", path);
	*out = most + 1;
	return 0;
}

/* "group:x:27:a,b" gets one more member. */
struct join {
	const char *group, *user;
	size_t len; /* of group */
	size_t field;
	bool joined;
};

static enum line_fate group_join(void *arg, const struct fields *f, struct strbuf *out)
{
	struct join *j = arg;

	if (f->n < 4 || f->len[0] != j->len || memcmp(f->at[0], j->group, j->len) != 0)
		return LINE_KEEP;
	j->joined = true;
	strbuf_add(out, f->at[0], (size_t)(f->end - f->at[0]));
	strbuf_printf(out, "%s%s\n", f->len[3] ? "," : "", j->user);
	return LINE_REPLACED;
}

static int groups_join(struct tree *t, const char *groups, const char *user, struct err *e)
{
	for (const char *p = groups; p && *p;) {
		struct join j = { .group = p, .user = user, .len = strcspn(p, ",") };
		int rc = lines_change(t, "/etc/group", group_join, &j, NULL, e);

		if (rc >= 0 && !j.joined)
			return err_set(e, ERR_NOT_FOUND, "the guest has no group \"%.*s\"", (int)j.len, p);
		if (rc >= 0)
			rc = lines_change(t, "/etc/gshadow", group_join, &j, NULL, e);
		if (rc < 0)
			return rc;
		p += j.len + (p[j.len] == ',');
	}
	return 0;
}

struct skel {
	struct tree *t;
	const struct account *a;
};

/* Copies what /etc/skel has: files, one by one; what else lies there is not a part of a home. */
static int skel_take(void *arg, const char *path, const struct fs_stat *st, struct err *e)
{
	const struct skel *s = arg;
	const struct tree_owner owner = { st->mode & 07777, s->a->uid, s->a->gid };
	CLEANUP(free_ptr) char *to = alloc_printf("%s%s", s->a->home, path + strlen("/etc/skel"));
	CLEANUP(free_ptr) char *bytes = NULL;
	CLEANUP(free_ptr) char *dir = NULL;
	size_t len;
	int rc;

	if (!to || !(dir = tree_parent(to)))
		return err_nomem(e);
	if (S_ISDIR(st->mode))
		return s->t->ops->mkdir(s->t, to, &owner, e);
	if (!S_ISREG(st->mode))
		return 0;
	if (!tree_is_dir(s->t, dir)) {
		const struct tree_owner folder = { 0755, s->a->uid, s->a->gid };

		rc = s->t->ops->mkdir(s->t, dir, &folder, e);
		if (rc < 0)
			return rc;
	}
	rc = s->t->ops->read(s->t, path, LIMIT_CONFIG_BYTES, &bytes, &len, e);
	return rc < 0 ? rc : s->t->ops->write(s->t, to, bytes, len, &owner, e);
}

static int home_make(struct tree *t, const struct account *a, uint32_t mode, struct err *e)
{
	const struct tree_owner owner = { mode, a->uid, a->gid };
	const struct skel s = { t, a };
	int rc = tree_make_parents(t, a->home, e);

	if (rc == 0 && !tree_is_dir(t, a->home))
		rc = t->ops->mkdir(t, a->home, &owner, e);
	if (rc == 0 && tree_is_dir(t, "/etc/skel"))
		rc = tree_walk(t, "/etc/skel", skel_take, (void *)&s, e);
	return rc;
}

static int line_add(struct tree *t, const char *path, char *line, struct err *e)
{
	int rc = line ? lines_change(t, path, NULL, NULL, line, e) : err_nomem(e);

	free(line);
	return rc < 0 ? rc : 0;
}

/* The next range of subordinate numbers, where the guest gives them out. */
static int subids_add(struct tree *t, const char *path, const char *name, const char *defs, const char *key, struct err *e)
{
	CLEANUP(free_ptr) char *text = NULL;
	uint64_t next = login_def(defs, key, 100000);
	int rc = tree_text(t, path, &text, NULL, e);

	if (rc <= 0)
		return rc;
	for (const char *p = text; *p;) {
		const struct fields f = split(p);
		uint32_t from, n;

		p = f.end + (*f.end == '\n');
		if (field_number(&f, 1, &from) && field_number(&f, 2, &n) && (uint64_t)from + n > next)
			next = (uint64_t)from + n;
	}
	return line_add(t, path, alloc_printf("%s:%" PRIu64 ":65536\n", name, next), e);
}

int account_add(struct tree *t, const char *name, const char *groups, struct err *e)
{
	CLEANUP(account_clear) struct account a = { NULL };
	CLEANUP(account_clear) struct account there = { NULL };
	CLEANUP(free_ptr) char *defs = NULL;
	int rc;

	if (!account_name_ok(name))
		return err_set(e, ERR_USAGE, "\"%s\" is no name for a user", name);
	rc = account_find(t, name, &there, NULL);
	if (rc == 0)
		return err_set(e, ERR_USAGE, "the guest has a user \"%s\" already", name);
	if (!tree_is_file(t, "/etc/passwd"))
		return err_set(e, ERR_UNSUPPORTED, "the guest has no /etc/passwd");
	rc = tree_text(t, "/etc/login.defs", &defs, NULL, e);
	if (rc >= 0)
		rc = number_free(t, "/etc/passwd", login_def(defs, "UID_MIN", 1000), login_def(defs, "UID_MAX", 60000), &a.uid, e);
	if (rc >= 0)
		rc = number_free(t, "/etc/group", login_def(defs, "GID_MIN", 1000), login_def(defs, "GID_MAX", 60000), &a.gid, e);
	if (rc < 0)
		return rc;
	a.home = alloc_printf("/home/%s", name);
	a.shell = alloc_strdup(tree_has(t, "/bin/bash") ? "/bin/bash" : "/bin/sh");
	if (!a.home || !a.shell)
		return err_nomem(e);
	rc = line_add(t, "/etc/passwd",
		      alloc_printf("%s:x:%" PRIu32 ":%" PRIu32 "::%s:%s\n", name, a.uid, a.gid, a.home, a.shell), e);
	if (rc == 0)
		rc = line_add(t, "/etc/shadow", alloc_printf("%s:!::0:99999:7:::\n", name), e);
	if (rc == 0)
		rc = line_add(t, "/etc/group", alloc_printf("%s:x:%" PRIu32 ":\n", name, a.gid), e);
	if (rc == 0)
		rc = line_add(t, "/etc/gshadow", alloc_printf("%s:!::\n", name), e);
	if (rc == 0)
		rc = subids_add(t, "/etc/subuid", name, defs, "SUB_UID_MIN", e);
	if (rc == 0)
		rc = subids_add(t, "/etc/subgid", name, defs, "SUB_GID_MIN", e);
	if (rc == 0)
		rc = groups_join(t, groups, name, e);
	return rc < 0 ? rc : home_make(t, &a, 0700, e);
}

/* ---- a user who goes ---- */

static enum line_fate first_is(void *arg, const struct fields *f, struct strbuf *out)
{
	(void)out;
	return field_is(f, 0, arg) ? LINE_REPLACED : LINE_KEEP;
}

/* Lists of members, the fourth field of group and gshadow (whose third lists who may change them). */
static void members_without(const char *list, size_t len, const char *name, struct strbuf *out, bool *changed)
{
	bool first = true;

	for (size_t i = 0; i < len;) {
		const char *comma = memchr(list + i, ',', len - i);
		size_t n = comma ? (size_t)(comma - list) - i : len - i;

		if (n == strlen(name) && memcmp(list + i, name, n) == 0) {
			*changed = true;
		} else {
			strbuf_puts(out, first ? "" : ",");
			strbuf_add(out, list + i, n);
			first = false;
		}
		i += n + 1;
	}
}

static enum line_fate group_leave(void *arg, const struct fields *f, struct strbuf *out)
{
	CLEANUP(strbuf_free) struct strbuf line = STRBUF_INIT;
	bool changed = false;

	if (f->n < 4)
		return LINE_KEEP;
	strbuf_add(&line, f->at[0], (size_t)(f->at[3] - f->at[0]));
	members_without(f->at[3], f->len[3], arg, &line, &changed);
	if (!changed)
		return LINE_KEEP;
	strbuf_printf(out, "%s\n", line.s);
	return LINE_REPLACED;
}

/* The group of a user's name, when nobody is in it. */
static enum line_fate own_group(void *arg, const struct fields *f, struct strbuf *out)
{
	(void)out;
	return field_is(f, 0, arg) && f->len[3] == 0 ? LINE_REPLACED : LINE_KEEP;
}

struct primary {
	const char *name;
	uint32_t gid;
};

static int has_primary(void *arg, const struct account *a, struct err *e)
{
	const struct primary *p = arg;

	(void)e;
	return strcmp(a->name, p->name) != 0 && a->gid == p->gid;
}

/*
 * A home that can be removed without asking: where homes are, or, as userdel(8) judges it, one that belongs to the user; never a
 * folder right below the root.
 */
static bool is_home(struct tree *t, const struct account *a)
{
	const char *home = a->home, *last;
	struct fs_stat st;

	if (home[0] != '/' || !strchr(home + 1, '/') || strstr(home, "/../") || strstr(home, "/./") || strstr(home, "//"))
		return false;
	last = strrchr(home, '/') + 1;
	if (!*last || strcmp(last, ".") == 0 || strcmp(last, "..") == 0)
		return false;
	if (text_starts(home, "/home/", NULL) || text_starts(home, "/var/home/", NULL) ||
	    text_starts(home, "/export/home/", NULL) || text_starts(home, "/usr/home/", NULL))
		return true;
	return t->ops->stat(t, home, false, &st, NULL) == 0 && S_ISDIR(st.mode) && st.uid == a->uid;
}

int account_remove(struct tree *t, const char *name, struct err *e)
{
	static const char *const files[] = { "/etc/passwd", "/etc/shadow", "/etc/subuid", "/etc/subgid" };
	static const char *const lists[] = { "/etc/group", "/etc/gshadow" };
	CLEANUP(account_clear) struct account a = { NULL };
	struct primary p = { .name = name };
	int rc = account_find(t, name, &a, e), others;

	if (rc < 0)
		return rc;
	p.gid = a.gid;
	others = accounts_each(t, has_primary, &p, e);
	if (others < 0)
		return others;
	for (size_t i = 0; i < ARRAY_LEN(files) && rc >= 0; i++)
		rc = lines_change(t, files[i], first_is, (void *)name, NULL, e);
	for (size_t i = 0; i < ARRAY_LEN(lists) && rc >= 0; i++) {
		rc = lines_change(t, lists[i], group_leave, (void *)name, NULL, e);
		if (rc >= 0 && !others)
			rc = lines_change(t, lists[i], own_group, (void *)name, NULL, e);
	}
	for (size_t i = 0; i < 2 && rc >= 0; i++) {
		CLEANUP(free_ptr)
		char *mail = i == 0 ? alloc_printf("/var/mail/%s", name) : alloc_printf("/var/spool/mail/%s", name);

		rc = mail ? tree_drop(t, mail, e) : err_nomem(e);
	}
	if (rc >= 0 && is_home(t, &a))
		rc = tree_drop(t, a.home, e);
	return rc < 0 ? rc : 0;
}

/* ---- keys ---- */

/* Is there such a line? */
static bool has_line(const char *text, const char *line)
{
	size_t len = strlen(line);

	for (const char *p = text; p && *p; p += strcspn(p, "\n"), p += *p == '\n')
		if (strncmp(p, line, len) == 0 && (p[len] == '\n' || p[len] == '\r' || p[len] == '\0'))
			return true;
	return false;
}

int account_add_key(struct tree *t, const char *name, const char *key, struct err *e)
{
	CLEANUP(account_clear) struct account a = { NULL };
	CLEANUP(free_ptr) char *folder = NULL;
	CLEANUP(free_ptr) char *file = NULL;
	CLEANUP(free_ptr) char *text = NULL;
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	struct tree_owner owner = { .mode = 0700 };
	size_t len = 0;
	int rc = account_find(t, name, &a, e);

	if (rc < 0)
		return rc;
	owner.uid = a.uid;
	owner.gid = a.gid;
	folder = alloc_printf("%s/.ssh", strcmp(a.home, "/") == 0 ? "" : a.home);
	file = alloc_printf("%s/.ssh/authorized_keys", strcmp(a.home, "/") == 0 ? "" : a.home);
	if (!folder || !file)
		return err_nomem(e);
	if (a.home[0] != '/' || !tree_is_dir(t, a.home))
		return err_set(e, ERR_NOT_FOUND, "the home \"%s\" of the user \"%s\" is not there", a.home, name);
	if (!tree_is_dir(t, folder))
		rc = t->ops->mkdir(t, folder, &owner, e);
	if (rc == 0)
		rc = tree_text(t, file, &text, &len, e);
	if (rc < 0 || has_line(text, key))
		return rc < 0 ? rc : 0;
	owner.mode = 0600;
	rc = text_append_line(text ? text : "", len, key, &out, e);
	return rc < 0 ? rc : t->ops->write(t, file, out.s, out.len, text ? NULL : &owner, e);
}
