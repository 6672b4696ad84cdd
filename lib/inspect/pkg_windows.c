/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pkg_windows.c - the programs of a Windows: what its list of programs to uninstall shows, of its own kind and 32-bit ones
 * beside them, and those of single users; and what the Windows Installer (MSI) has installed without a row in that list.
 */
#include "pkg.h"

#include "alloc.h"
#include "registry.h"
#include "text.h"

#include <stdio.h>
#include <strings.h>
#include <time.h>

#define UNINSTALL "\\Microsoft\\Windows\\CurrentVersion\\Uninstall"
#define NATIVE "HKLM\\SOFTWARE" UNINSTALL
#define WOW64 "HKLM\\SOFTWARE\\WOW6432Node" UNINSTALL
#define PRODUCTS "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Installer\\UserData\\S-1-5-18\\Products"

/* "20240131" */
static int64_t date(const char *text)
{
	struct tm tm = { .tm_isdst = 0 };

	if (!text || strlen(text) != 8 || strspn(text, "0123456789") != 8 ||
	    sscanf(text, "%4d%2d%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday) != 3)
		return 0;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	return tm.tm_mon < 0 || tm.tm_mon > 11 || tm.tm_mday < 1 || tm.tm_mday > 31 ? 0 : MAX_OF(timegm(&tm), 0);
}

/* Where each text of a program stands. */
enum { NAME, VERSION, VENDOR, URL, COMMENT, DATE, LOCATION, NTEXTS };
static const char *const names[NTEXTS] = { "DisplayName", "DisplayVersion", "Publisher", "URLInfoAbout", "Comments",
					   "InstallDate", "InstallLocation" };

struct program {
	char *id;
	char *texts[NTEXTS];
};

static void program_clear(struct program *p)
{
	free(p->id);
	for (size_t i = 0; i < NTEXTS; i++)
		free(p->texts[i]);
}

/* The texts of a key, which has its name from another one where the installer keeps it. */
static int program_read(struct hive *h, hive_key named, hive_key k, struct program *p, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf id = STRBUF_INIT;
	int named_rc = hive_key_name(h, named, &id, e);

	if (named_rc < 0)
		return named_rc;
	p->id = strbuf_detach(&id);
	if (!p->id)
		return err_nomem(e);
	for (size_t i = 0; i < NTEXTS; i++) {
		CLEANUP(hive_value_clear) struct hive_value v = { NULL };
		CLEANUP(strbuf_free) struct strbuf text = STRBUF_INIT;
		int rc = hive_get(h, k, names[i], &v, e);

		if (rc < 0)
			return rc;
		if (rc == 0 || !hive_value_text(&v, &text) || !text.len)
			continue;
		p->texts[i] = strbuf_detach(&text);
		if (!p->texts[i])
			return err_nomem(e);
	}
	return 0;
}

struct listing {
	struct registry *r;
	package_fn fn;
	void *arg;
	const char *arch;
};

static int program_tell(const struct listing *l, const struct program *p, struct err *e)
{
	const struct package pkg = {
		.name = p->texts[NAME],
		.version = p->texts[VERSION],
		.vendor = p->texts[VENDOR],
		.url = p->texts[URL],
		.summary = p->texts[COMMENT],
		.arch = l->arch,
		.id = p->id,
		.location = p->texts[LOCATION],
		.install_time = date(p->texts[DATE]),
	};

	/* Without a name it is a part of another program, and is not shown there either. */
	return pkg.name ? l->fn(l->arg, &pkg, e) : 0;
}

static int uninstall_list(const struct listing *l, const char *path, struct err *e)
{
	CLEANUP(registry_key_clear) struct registry_key list = { NULL };
	CLEANUP(free_ptr) hive_key *keys = NULL;
	size_t n = 0;
	int rc = registry_find(l->r, path, &list, e);

	if (rc > 0)
		rc = hive_subkeys(list.hive, list.key, &keys, &n, e);
	for (size_t i = 0; i < n && rc == 0; i++) {
		CLEANUP(program_clear) struct program p = { NULL };

		rc = program_read(list.hive, keys[i], keys[i], &p, e);
		if (rc == 0)
			rc = program_tell(l, &p, e);
	}
	return rc;
}

/*
 * The installer names a product by its code with the digits turned about: of {12345678-9abc-def0-...} each of the first three
 * groups backwards, and of the rest each pair.  text has 39 bytes.
 */
static bool product_code(const char *packed, char *text)
{
	static const uint8_t groups[] = { 8, 4, 4, 2, 2, 2, 2, 2, 2, 2, 2 };
	size_t at = 0;

	if (strlen(packed) != 32 || strspn(packed, "0123456789abcdefABCDEF") != 32)
		return false;
	*text++ = '{';
	for (size_t i = 0; i < ARRAY_LEN(groups); at += groups[i++]) {
		if (i == 1 || i == 2 || i == 3 || i == 5)
			*text++ = '-';
		for (size_t k = groups[i]; k > 0; k--)
			*text++ = packed[at + k - 1];
	}
	*text++ = '}';
	*text = '\0';
	return true;
}

/* Is there a row for that product in one of the lists? */
static int is_listed(const struct listing *l, const char *code, struct err *e)
{
	static const char *const lists[] = { NATIVE, WOW64 };
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(lists) && rc == 0; i++) {
		CLEANUP(registry_key_clear) struct registry_key k = { NULL };
		char path[sizeof WOW64 + 48];

		snprintf(path, sizeof path, "%s\\%s", lists[i], code);
		rc = registry_find(l->r, path, &k, e);
	}
	return rc;
}

static int product(const struct listing *l, struct hive *h, hive_key k, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf name = STRBUF_INIT;
	CLEANUP(program_clear) struct program p = { NULL };
	hive_key properties;
	char code[40];
	int rc = hive_key_name(h, k, &name, e);

	if (rc == 0 && product_code(name.s, code) && (rc = is_listed(l, code, e)) > 0)
		return 0;
	if (rc == 0)
		rc = hive_subkey(h, k, "InstallProperties", &properties, e);
	if (rc > 0)
		rc = program_read(h, k, properties, &p, e);
	return rc < 0 ? rc : program_tell(l, &p, e);
}

static int installer_list(const struct listing *l, struct err *e)
{
	CLEANUP(registry_key_clear) struct registry_key list = { NULL };
	CLEANUP(free_ptr) hive_key *keys = NULL;
	size_t n = 0;
	int rc = registry_find(l->r, PRODUCTS, &list, e);

	if (rc > 0)
		rc = hive_subkeys(list.hive, list.key, &keys, &n, e);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = product(l, list.hive, keys[i], e);
	return rc;
}

/* What is installed for one user; a hive that cannot be read is told when the others have been. */
struct user_listing {
	const struct listing *l;
	struct err first;
};

static int user_list(void *arg, const struct registry_user *u, struct err *e)
{
	struct user_listing *c = arg;
	CLEANUP(free_ptr) char *path = alloc_printf("HKEY_USERS\\%s\\Software" UNINSTALL, u->sid);
	struct err why = ERR_INIT;
	int rc = path ? uninstall_list(c->l, path, &why) : err_nomem(&why);

	if (rc < 0 && why.code != ERR_NOMEM && why.code != ERR_CANCELED) {
		if (c->first.code == ERR_NONE)
			c->first = why;
		return 0;
	}
	if (rc < 0 && e)
		*e = why;
	return rc;
}

static int users_list(const struct listing *l, struct err *e)
{
	struct user_listing c = { .l = l, .first = ERR_INIT };
	int rc = registry_users(l->r, user_list, &c, e);

	if (rc == 0 && c.first.code != ERR_NONE) {
		if (e)
			*e = c.first;
		return -(int)c.first.code;
	}
	return rc;
}

static int windows_list(struct vfs *v, const char *path, package_fn fn, void *arg, struct err *e)
{
	CLEANUP(registry_freep) struct registry *r = NULL;
	CLEANUP(registry_key_clear) struct registry_key wow64 = { NULL };
	struct listing l = { .fn = fn, .arg = arg };
	const char *root = registry_systemroot(v);
	int rc;

	(void)path;
	if (!root)
		return 0;
	rc = registry_new(v, root, &r, e);
	l.r = r;
	if (rc == 0)
		rc = registry_find(r, WOW64, &wow64, e);
	/* Which processor a program is for is told only where there are two. */
	l.arch = rc > 0 ? "x86_64" : NULL;
	rc = rc < 0 ? rc : uninstall_list(&l, NATIVE, e);
	if (rc == 0)
		rc = installer_list(&l, e);
	l.arch = "i386";
	rc = rc != 0 ? rc : uninstall_list(&l, WOW64, e);
	/* Theirs may be for either. */
	l.arch = NULL;
	return rc != 0 ? rc : users_list(&l, e);
}

const struct pkg_format pkg_windows = { "windows", "/Windows/System32/config/SOFTWARE", windows_list };
const struct pkg_format pkg_winnt = { "windows", "/WINNT/system32/config/software", windows_list };
const struct pkg_format pkg_win32 = { "windows", "/WIN32/system32/config/software", windows_list };
const struct pkg_format pkg_win = { "windows", "/WIN/system32/config/software", windows_list };
const struct pkg_format pkg_reactos = { "windows", "/ReactOS/system32/config/software", windows_list };
