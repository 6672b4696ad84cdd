/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* registry.c - the roots of the registry, the hives beneath them, and users. */
#include "registry.h"

#include "alloc.h"
#include "guest_file.h"
#include "limits.h"
#include "text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

struct open_hive {
	char *file;
	struct guest_file *files; /* it and its logs, which it reads as long as it is open; NULL: it is not of the guest */
	struct hive *hive; /* NULL: there is no such file, or it is none */
	struct err *bad;   /* why it is none; NULL: nothing is wrong */
};

struct registry {
	struct vfs *v;
	bool alone; /* one hive, the first */
	char *systemroot;
	struct open_hive *hives;
	size_t nhives;
	char **warnings;
	size_t nwarnings;
};

/* Keys that are hives of the system, with the file in its folder. */
static const struct {
	const char *root, *name, *file;
} places[] = {
	{ "HKEY_LOCAL_MACHINE", "COMPONENTS", "COMPONENTS" },
	{ "HKEY_LOCAL_MACHINE", "DRIVERS", "DRIVERS" },
	{ "HKEY_LOCAL_MACHINE", "SAM", "SAM" },
	{ "HKEY_LOCAL_MACHINE", "SECURITY", "SECURITY" },
	{ "HKEY_LOCAL_MACHINE", "SOFTWARE", "SOFTWARE" },
	{ "HKEY_LOCAL_MACHINE", "SYSTEM", "SYSTEM" },
	{ "HKEY_USERS", ".DEFAULT", "DEFAULT" },
};

static const struct {
	const char *name, *brief;
	const char *is; /* a place elsewhere; NULL: a root of its own */
} roots[] = {
	{ "HKEY_LOCAL_MACHINE", "HKLM", NULL },
	{ "HKEY_USERS", "HKU", NULL },
	{ "HKEY_CLASSES_ROOT", "HKCR", "HKEY_LOCAL_MACHINE\\SOFTWARE\\Classes" },
	{ "HKEY_CURRENT_CONFIG", "HKCC", "HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Hardware Profiles\\Current" },
};

#define PROFILES "HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\ProfileList"

int registry_new(struct vfs *v, const char *systemroot, struct registry **out, struct err *e)
{
	CLEANUP(registry_freep) struct registry *r = alloc_zero(sizeof *r);

	if (!r)
		return err_nomem(e);
	r->v = v;
	r->systemroot = alloc_strdup(systemroot);
	if (!r->systemroot)
		return err_nomem(e);
	*out = take(r);
	return 0;
}

/* Takes over *h and *files. */
static int hive_add(struct registry *r, const char *file, struct hive **h, struct guest_file **files, struct err *e)
{
	struct open_hive *hives = alloc_resize(r->hives, r->nhives + 1, sizeof *hives);
	const char *warning = *h ? hive_warning(*h) : NULL;
	char *copy = alloc_strdup(file);

	if (hives)
		r->hives = hives;
	if (!hives || !copy) {
		free(copy);
		return err_nomem(e);
	}
	hives[r->nhives++] = (struct open_hive){ .file = copy, .hive = take(*h), .files = take(*files) };
	if (warning) {
		char **warnings = alloc_resize(r->warnings, r->nwarnings + 1, sizeof *warnings);

		if (!warnings)
			return err_nomem(e);
		r->warnings = warnings;
		warnings[r->nwarnings] = alloc_printf("%s: %s", file, warning);
		if (!warnings[r->nwarnings])
			return err_nomem(e);
		r->nwarnings++;
	}
	return 0;
}

int registry_of_hive(struct hive **h, const char *name, struct registry **out, struct err *e)
{
	CLEANUP(registry_freep) struct registry *r = alloc_zero(sizeof *r);
	struct guest_file *none = NULL;
	int rc = r ? hive_add(r, name, h, &none, e) : err_nomem(e);

	if (rc == 0)
		r->alone = true;
	if (rc == 0)
		*out = take(r);
	return rc;
}

void registry_free(struct registry *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->nhives; i++) {
		free(r->hives[i].file);
		free(r->hives[i].bad);
		hive_close(r->hives[i].hive);
		free(r->hives[i].files);
	}
	for (size_t i = 0; i < r->nwarnings; i++)
		free(r->warnings[i]);
	free(r->warnings);
	free(r->hives);
	free(r->systemroot);
	free(r);
}

void registry_freep(struct registry **r)
{
	registry_free(*r);
}

const char *registry_warning(const struct registry *r, size_t i)
{
	return i < r->nwarnings ? r->warnings[i] : NULL;
}

const char *registry_systemroot(struct vfs *v)
{
	static const char *const folders[] = { "/Windows", "/WINDOWS", "/WINNT", "/ReactOS", "/reactos", "/winnt",
					       "/windows", "/WIN32",   "/win32", "/WIN",     "/win" };

	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		char path[40];

		snprintf(path, sizeof path, "%s/System32/config", folders[i]);
		if (vfs_is_dir(v, path))
			return folders[i];
		snprintf(path, sizeof path, "%s/system32/config", folders[i]);
		if (vfs_is_dir(v, path))
			return folders[i];
	}
	return NULL;
}

/* ---- files ---- */

static int read_guest(void *arg, void *buf, size_t len, uint64_t off, struct err *e)
{
	return guest_file_read(arg, buf, len, off, e);
}

/* A hive that is damaged is not read again for each question. */
static int hive_bad(struct registry *r, const char *file, int rc, struct err *e)
{
	struct err why = *e;
	struct hive *none = NULL;
	struct guest_file *no_files = NULL;
	struct err *copy;

	err_in(&why, rc, "%s", file);
	if (rc == -ERR_NOMEM)
		return rc;
	copy = alloc_zero(sizeof *copy);
	if (!copy || hive_add(r, file, &none, &no_files, e) < 0) {
		free(copy);
		return err_nomem(e);
	}
	*copy = *e = why;
	r->hives[r->nhives - 1].bad = copy;
	return rc;
}

/* Opens the hive that is files[0], and its logs beside it: 1, or 0 when there is no such file. */
static int hive_and_logs(struct registry *r, const char *file, struct guest_file *files, struct hive **h, struct err *e)
{
	struct hive_bytes logs[HIVE_LOGS], bytes;
	size_t nlogs = 0;
	int rc = guest_file_find(r->v, file, &files[0], e);

	if (rc <= 0)
		return rc;
	for (unsigned i = 1; i <= HIVE_LOGS; i++) {
		CLEANUP(free_ptr) char *name = alloc_printf("%s.LOG%u", file, i);
		struct guest_file *f = &files[nlogs + 1];

		if (!name)
			return err_nomem(e);
		/* One that cannot be looked at is none. */
		if (guest_file_find(r->v, name, f, NULL) > 0)
			logs[nlogs++] = (struct hive_bytes){ read_guest, f, f->size };
	}
	bytes = (struct hive_bytes){ read_guest, &files[0], files[0].size };
	rc = hive_open(&bytes, logs, nlogs, h, e);
	return rc < 0 ? rc : 1;
}

/* The hive in a file of the guest, opened once; *out NULL: there is no such file. */
static int hive_of_file(struct registry *r, const char *file, struct hive **out, struct err *e)
{
	CLEANUP(free_ptr) struct guest_file *files = NULL;
	CLEANUP(hive_closep) struct hive *h = NULL;
	struct err why = ERR_INIT;
	int rc;

	*out = NULL;
	for (size_t i = 0; i < r->nhives; i++) {
		const struct open_hive *have = &r->hives[i];

		if (strcmp(have->file, file) != 0)
			continue;
		*out = have->hive;
		if (have->bad && e)
			*e = *have->bad;
		return have->bad ? -(int)have->bad->code : 0;
	}
	files = alloc_array(1 + HIVE_LOGS, sizeof *files);
	if (!files)
		return err_nomem(e);
	rc = hive_and_logs(r, file, files, &h, &why);
	if (rc < 0) {
		rc = hive_bad(r, file, rc, &why);
		if (e)
			*e = why;
		return rc;
	}
	rc = hive_add(r, file, &h, &files, e);
	if (rc < 0)
		return rc;
	*out = r->hives[r->nhives - 1].hive;
	return 0;
}

int registry_of_file(struct vfs *v, const char *file, struct registry **out, struct err *e)
{
	CLEANUP(registry_freep) struct registry *r = alloc_zero(sizeof *r);
	struct hive *h;
	int rc;

	if (!r)
		return err_nomem(e);
	r->v = v;
	r->alone = true;
	rc = hive_of_file(r, file, &h, e);
	if (rc < 0 || !h)
		return rc;
	*out = take(r);
	return 1;
}

/* A hive of the folder of hives, whose name has one of two forms where names have a case. */
static int system_hive(struct registry *r, const char *name, struct hive **out, struct err *e)
{
	static const char *const folders[] = { "System32", "system32" };

	*out = NULL;
	for (size_t i = 0; i < ARRAY_LEN(folders) && !*out; i++) {
		CLEANUP(free_ptr) char *file = alloc_printf("%s/%s/config/%s", r->systemroot, folders[i], name);
		CLEANUP(free_ptr) char *lower = alloc_strdup(file ? file : "");
		int rc;

		if (!file || !lower)
			return err_nomem(e);
		rc = hive_of_file(r, file, out, e);
		for (char *p = strrchr(lower, '/'); p && *p; p++)
			*p = (char)tolower((unsigned char)*p);
		if (rc == 0 && !*out)
			rc = hive_of_file(r, lower, out, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

char *registry_file(const struct registry *r, const char *path)
{
	static const char *const windows[] = { "%SystemRoot%", "%windir%" };
	const char *front = "", *rest = path;
	char *file;

	for (size_t i = 0; i < ARRAY_LEN(windows); i++) {
		if (strncasecmp(path, windows[i], strlen(windows[i])) == 0) {
			front = r->systemroot;
			rest = path + strlen(windows[i]);
		}
	}
	if (strncasecmp(path, "%SystemDrive%", strlen("%SystemDrive%")) == 0)
		rest = path + strlen("%SystemDrive%");
	else if (isalpha((unsigned char)path[0]) && path[1] == ':')
		rest = path + 2;
	file = alloc_printf("%s%s%s", front, *rest == '\\' || *rest == '/' || !*rest ? "" : "/", rest);
	for (char *p = file; p && *p; p++)
		if (*p == '\\')
			*p = '/';
	return file;
}

/* ---- users ---- */

int registry_users(struct registry *r, int (*fn)(void *arg, const struct registry_user *u, struct err *e), void *arg,
		   struct err *e)
{
	CLEANUP(registry_key_clear) struct registry_key list = { NULL };
	CLEANUP(free_ptr) hive_key *keys = NULL;
	size_t n = 0;
	int rc = registry_find(r, PROFILES, &list, e);

	if (rc > 0)
		rc = hive_subkeys(list.hive, list.key, &keys, &n, e);
	for (size_t i = 0; i < n && rc == 0; i++) {
		CLEANUP(strbuf_free) struct strbuf sid = STRBUF_INIT;
		CLEANUP(strbuf_free) struct strbuf path = STRBUF_INIT;
		CLEANUP(hive_value_clear) struct hive_value v = { NULL };
		CLEANUP(free_ptr) char *folder = NULL;
		struct registry_user u;

		rc = hive_key_name(list.hive, keys[i], &sid, e);
		if (rc == 0)
			rc = hive_get(list.hive, keys[i], "ProfileImagePath", &v, e);
		if (rc <= 0 || !hive_value_text(&v, &path)) {
			rc = rc < 0 ? rc : 0;
			continue;
		}
		folder = path.failed ? NULL : registry_file(r, path.s);
		if (!folder)
			return err_nomem(e);
		u = (struct registry_user){ .sid = sid.s, .folder = folder };
		u.name = strrchr(folder, '/');
		u.name = u.name ? u.name + 1 : folder;
		rc = fn(arg, &u, e);
	}
	return rc;
}

struct user_search {
	const char *name; /* SID or name */
	size_t len;
	char *folder, *sid;
};

static int user_is_that(void *arg, const struct registry_user *u, struct err *e)
{
	struct user_search *s = arg;

	if (s->folder || ((strlen(u->sid) != s->len || strncasecmp(u->sid, s->name, s->len) != 0) &&
			  (strlen(u->name) != s->len || strncasecmp(u->name, s->name, s->len) != 0)))
		return 0;
	s->folder = alloc_strdup(u->folder);
	s->sid = alloc_strdup(u->sid);
	return s->folder && s->sid ? 0 : err_nomem(e);
}

/* Names that Windows has for itself. */
static const struct {
	const char *name, *sid;
} services[] = {
	{ "LocalSystem", "S-1-5-18" },
	{ "LocalService", "S-1-5-19" },
	{ "NetworkService", "S-1-5-20" },
};

static const char *const user_folders[] = { "/Users", "/Documents and Settings" };

/* The folder of a user of whom the registry does not tell. */
static int user_by_folder(struct registry *r, struct user_search *s, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(user_folders) && !s->folder; i++) {
		CLEANUP(free_ptr) char *folder = alloc_printf("%s/%.*s", user_folders[i], (int)s->len, s->name);

		if (!folder)
			return err_nomem(e);
		if (!memchr(s->name, '/', s->len) && s->name[0] != '.' && vfs_is_dir(r->v, folder))
			s->folder = take(folder);
	}
	return 0;
}

static int file_in(struct registry *r, const char *folder, const char *const *names, size_t n, struct hive **out,
		   struct err *e)
{
	*out = NULL;
	for (size_t i = 0; i < n && !*out; i++) {
		CLEANUP(free_ptr) char *file = alloc_printf("%s/%s", folder, names[i]);
		int rc = file ? hive_of_file(r, file, out, e) : err_nomem(e);

		if (rc < 0)
			return rc;
	}
	return 0;
}

/* The hive of a user by SID or name, or with _Classes behind it the second one; *out NULL: there is none. */
static int user_hive(struct registry *r, const char *name, size_t len, struct hive **out, struct err *e)
{
	static const char *const own[] = { "NTUSER.DAT", "ntuser.dat" };
	static const char *const classes[] = { "AppData/Local/Microsoft/Windows/UsrClass.dat",
					       "Local Settings/Application Data/Microsoft/Windows/UsrClass.dat" };
	static const char suffix[] = "_Classes";
	struct user_search s = { .name = name, .len = len };
	bool is_classes = len > strlen(suffix) && strncasecmp(name + len - strlen(suffix), suffix, strlen(suffix)) == 0;
	int rc;

	*out = NULL;
	if (is_classes)
		s.len -= strlen(suffix);
	for (size_t i = 0; i < ARRAY_LEN(services); i++) {
		if (strlen(services[i].name) == s.len && strncasecmp(services[i].name, s.name, s.len) == 0) {
			s.name = services[i].sid;
			s.len = strlen(s.name);
		}
	}
	rc = registry_users(r, user_is_that, &s, e);
	if (rc == 0 && !s.folder)
		rc = user_by_folder(r, &s, e);
	if (rc == 0 && s.folder)
		rc = is_classes ? file_in(r, s.folder, classes, ARRAY_LEN(classes), out, e)
				: file_in(r, s.folder, own, ARRAY_LEN(own), out, e);
	free(s.folder);
	free(s.sid);
	return rc;
}

/* ---- paths ---- */

void registry_key_clear(struct registry_key *k)
{
	free(k->path);
	memset(k, 0, sizeof *k);
}

/* The next name of a path: its length, and *path behind it and its backslashes. */
static const char *part(const char **path, size_t *len)
{
	const char *name = *path + strspn(*path, "\\");

	*len = strcspn(name, "\\");
	*path = name + *len;
	*path += strspn(*path, "\\");
	return name;
}

static bool part_is(const char *name, size_t len, const char *word)
{
	return strlen(word) == len && strncasecmp(name, word, len) == 0;
}

/* From a key of a hive on, one name after the other; the path is told as the hive has it. */
static int find_below(struct hive *h, const char *path, struct strbuf *told, hive_key *k, struct err *e)
{
	const char *name;
	size_t len;

	while (*path) {
		CLEANUP(free_ptr) char *copy = NULL;
		int rc;

		name = part(&path, &len);
		copy = alloc_strndup(name, len);
		if (!copy)
			return err_nomem(e);
		if (len == 0)
			break;
		rc = hive_subkey(h, *k, copy, k, e);
		if (rc <= 0)
			return rc;
		strbuf_puts(told, told->len ? "\\" : "");
		rc = hive_key_name(h, *k, told, e);
		if (rc < 0)
			return rc;
	}
	return 1;
}

/* Of SYSTEM, the key that the alias CurrentControlSet stands for: 1 or 0. */
static int control_set(struct hive *h, hive_key *out, struct err *e)
{
	static const char *const which[] = { "Current", "Default" };

	for (size_t i = 0; i < ARRAY_LEN(which); i++) {
		CLEANUP(hive_value_clear) struct hive_value v = { NULL };
		char name[40];
		uint64_t n;
		int rc = hive_get_at(h, hive_root(h), "Select", which[i], &v, e);

		if (rc > 0 && hive_value_number(&v, &n) && n) {
			snprintf(name, sizeof name, "ControlSet%03" PRIu64, n);
			rc = hive_subkey(h, hive_root(h), name, out, e);
		}
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int found(struct hive *h, hive_key k, struct strbuf *told, struct registry_key *out, struct err *e)
{
	*out = (struct registry_key){ .hive = h, .key = k, .path = strbuf_detach(told) };
	return out->path ? 1 : err_nomem(e);
}

/* The rest of a path in a hive whose place was told. */
static int find_in(struct hive *h, const char *path, bool is_system, struct strbuf *told, struct registry_key *out,
		   struct err *e)
{
	const char *after = path;
	hive_key k = hive_root(h);
	size_t len;
	const char *name = part(&after, &len);
	int rc = 1;

	if (is_system && part_is(name, len, "CurrentControlSet") && (rc = control_set(h, &k, e)) > 0) {
		strbuf_puts(told, "\\CurrentControlSet");
		path = after;
	}
	if (rc < 0)
		return rc;
	rc = find_below(h, path, told, &k, e);
	return rc > 0 ? found(h, k, told, out, e) : rc;
}

static int find_in_root(struct registry *r, const char *root, const char *path, struct registry_key *out, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf told = STRBUF_INIT;
	const char *name, *rest = path;
	struct hive *h = NULL;
	size_t len;
	int rc = 0;

	strbuf_puts(&told, root);
	name = part(&rest, &len);
	if (!len)
		return found(NULL, 0, &told, out, e);
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		if (strcmp(places[i].root, root) != 0 || !part_is(name, len, places[i].name))
			continue;
		rc = system_hive(r, places[i].file, &h, e);
		if (rc < 0 || !h)
			return rc;
		strbuf_printf(&told, "\\%s", places[i].name);
		return find_in(h, rest, strcmp(places[i].file, "SYSTEM") == 0, &told, out, e);
	}
	if (strcmp(root, "HKEY_USERS") == 0)
		rc = user_hive(r, name, len, &h, e);
	if (rc < 0 || !h)
		return rc;
	strbuf_printf(&told, "\\%.*s", (int)len, name);
	return find_in(h, rest, false, &told, out, e);
}

int registry_find(struct registry *r, const char *path, struct registry_key *out, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf text = STRBUF_INIT;
	const char *name, *rest = path;
	size_t len;

	memset(out, 0, sizeof *out);
	if (r->alone)
		return find_in(r->hives[0].hive, path, false, &text, out, e);
	name = part(&rest, &len);
	if (part_is(name, len, "HKEY_CURRENT_USER") || part_is(name, len, "HKCU"))
		return err_set(e, ERR_USAGE, "nobody is logged in to a disk: HKEY_USERS\\NAME is the registry of a user");
	for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
		if (!part_is(name, len, roots[i].name) && !part_is(name, len, roots[i].brief))
			continue;
		if (!roots[i].is)
			return find_in_root(r, roots[i].name, rest, out, e);
		strbuf_printf(&text, "%s\\%s", roots[i].is, rest);
		return text.failed ? err_nomem(e) : registry_find(r, text.s, out, e);
	}
	return err_set(e, ERR_USAGE, "the path of a key begins with HKEY_LOCAL_MACHINE, HKEY_USERS or another root");
}

/* The path in its hive of a key that was found, appended. */
static int path_inside(struct registry *r, const struct registry_key *k, struct strbuf *out, struct err *e)
{
	const char *rest = k->path, *after, *name;
	hive_key set;
	size_t len;
	int rc;

	if (!r->alone) {
		part(&rest, &len);
		part(&rest, &len);
	}
	after = rest;
	name = part(&after, &len);
	if (!r->alone && part_is(name, len, "CurrentControlSet") && text_starts(k->path, "HKEY_LOCAL_MACHINE\\SYSTEM\\", NULL)) {
		rc = control_set(k->hive, &set, e);
		if (rc > 0)
			rc = hive_key_name(k->hive, set, out, e);
		if (rc < 0)
			return rc;
		strbuf_puts(out, *after ? "\\" : "");
		rest = after;
	}
	strbuf_puts(out, rest);
	return out->failed ? err_nomem(e) : 0;
}

int registry_place(struct registry *r, const char *path, struct hive **h, const char **file, struct strbuf *inside,
		   struct err *e)
{
	CLEANUP(registry_key_clear) struct registry_key k = { NULL };
	CLEANUP(free_ptr) char *found_at = alloc_strdup(path);
	size_t len = strlen(path);
	int rc;

	if (!found_at)
		return err_nomem(e);
	/* Shorter by a name each time, as long as there is one: the loop ends. */
	while ((rc = registry_find(r, found_at, &k, e)) == 0) {
		while (len && found_at[len - 1] != '\\')
			len--;
		while (len && found_at[len - 1] == '\\')
			len--;
		if (!len)
			break;
		found_at[len] = '\0';
	}
	if (rc == 0 && r->alone) {
		*found_at = '\0';
		len = 0;
		rc = registry_find(r, "", &k, e);
	}
	if (rc <= 0 || !k.hive)
		return rc < 0 ? rc : 0;
	rc = path_inside(r, &k, inside, e);
	if (rc < 0)
		return rc;
	for (const char *rest = path + len, *name; *rest;) {
		name = part(&rest, &len);
		if (len && inside->len)
			strbuf_putc(inside, '\\');
		strbuf_add(inside, name, len);
	}
	if (inside->failed)
		return err_nomem(e);
	*h = k.hive;
	*file = NULL;
	for (size_t i = 0; i < r->nhives && !*file; i++)
		if (r->hives[i].hive == k.hive)
			*file = r->hives[i].file;
	return 1;
}

struct place_call {
	struct registry *r;
	int (*fn)(void *arg, const char *path, struct err *e);
	void *arg;
};

static int user_place(void *arg, const struct registry_user *u, struct err *e)
{
	static const char *const suffixes[] = { "", "_Classes" };
	struct place_call *c = arg;
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(suffixes) && rc == 0; i++) {
		CLEANUP(free_ptr) char *path = alloc_printf("HKEY_USERS\\%s%s", u->sid, suffixes[i]);
		CLEANUP(registry_key_clear) struct registry_key k = { NULL };
		struct err why = ERR_INIT;

		if (!path)
			return err_nomem(e);
		rc = registry_find(c->r, path, &k, &why);
		if (rc == -ERR_NOMEM)
			return err_nomem(e);
		/* What is damaged is there; who looks into it is told. */
		rc = rc != 0 ? c->fn(c->arg, path, e) : 0;
	}
	return rc;
}

int registry_places(struct registry *r, const struct registry_key *k, int (*fn)(void *arg, const char *path, struct err *e),
		    void *arg, struct err *e)
{
	struct place_call call = { r, fn, arg };
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(places) && rc == 0; i++) {
		CLEANUP(free_ptr) char *path = alloc_printf("%s\\%s", places[i].root, places[i].name);
		struct err why = ERR_INIT;
		struct hive *h;

		if (!path)
			return err_nomem(e);
		if (strcmp(places[i].root, k->path) != 0)
			continue;
		rc = system_hive(r, places[i].file, &h, &why);
		if (rc == -ERR_NOMEM)
			return err_nomem(e);
		rc = rc < 0 || h ? fn(arg, path, e) : 0;
	}
	if (rc == 0 && strcmp(k->path, "HKEY_USERS") == 0) {
		struct err why = ERR_INIT;

		rc = registry_users(r, user_place, &call, &why);
		/* Users are those of SOFTWARE; without it there are none to list. */
		if (rc < 0 && why.code != ERR_CORRUPT && why.code != ERR_LIMIT && e)
			*e = why;
		else if (rc < 0)
			rc = 0;
	}
	return rc;
}

/* ---- values ---- */

int registry_get(struct registry *r, const char *path, const char *name, struct hive_value *out, struct err *e)
{
	CLEANUP(registry_key_clear) struct registry_key k = { NULL };
	int rc = registry_find(r, path, &k, e);

	memset(out, 0, sizeof *out);
	return rc > 0 && k.hive ? hive_get(k.hive, k.key, name, out, e) : rc < 0 ? rc : 0;
}

int registry_text(struct registry *r, const char *path, const char *name, char **text, struct err *e)
{
	CLEANUP(hive_value_clear) struct hive_value v = { NULL };
	CLEANUP(strbuf_free) struct strbuf b = STRBUF_INIT;
	int rc = registry_get(r, path, name, &v, e);

	if (rc <= 0 || !hive_value_text(&v, &b))
		return rc < 0 ? rc : 0;
	*text = strbuf_detach(&b);
	return *text ? 1 : err_nomem(e);
}

int registry_number(struct registry *r, const char *path, const char *name, uint64_t *n, struct err *e)
{
	CLEANUP(hive_value_clear) struct hive_value v = { NULL };
	int rc = registry_get(r, path, name, &v, e);

	return rc > 0 ? hive_value_number(&v, n) : rc;
}
