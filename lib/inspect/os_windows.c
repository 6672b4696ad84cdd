/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * os_windows.c - which Windows a tree is, from the hives SOFTWARE and SYSTEM; and those from before there was such a registry,
 * by what their MSDOS.SYS says.
 */
#include "os_windows.h"

#include "alloc.h"
#include "registry.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <strings.h>
#include <sys/stat.h>

#define VERSION "HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion"
#define CONTROL "HKLM\\SYSTEM\\CurrentControlSet\\Control"
#define SERVICES "HKLM\\SYSTEM\\CurrentControlSet\\Services"
#define FIREWALL SERVICES "\\SharedAccess\\Parameters\\FirewallPolicy"
#define POLICIES "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Group Policy\\History"

void os_windows_free(struct os *o)
{
	struct os_windows *w = o->windows;

	if (!w)
		return;
	free(w->systemroot);
	free(w->control_set);
	free(w->software_hive);
	free(w->system_hive);
	free(w->edition);
	free(w->display_version);
	free(w->service_pack);
	free(w->drives);
	for (size_t i = 0; i < w->nvirtio; i++)
		free(w->virtio[i].name);
	for (size_t i = 0; i < w->nservices; i++)
		free(w->services[i].name);
	for (size_t i = 0; i < w->naccounts; i++)
		free(w->accounts[i].name);
	free(w->virtio);
	free(w->services);
	free(w->accounts);
	free(take(o->windows));
}

int os_windows_failed(struct os *o, const struct err *why, struct err *e)
{
	if (why->code == ERR_NOMEM)
		return err_nomem(e);
	for (size_t i = 0; i < o->nwarnings; i++)
		if (strcmp(o->warnings[i], why->msg) == 0)
			return 0;
	return os_warn(o, why->msg, e);
}

/* ---- texts ---- */

/* Where each text comes from; of several rows of one the first that has it. */
static const struct {
	size_t field; /* in struct os, or with `own` in struct os_windows */
	bool own;
	const char *key, *name;
} texts[] = {
	{ offsetof(struct os, product_name), false, VERSION, "ProductName" },
	{ offsetof(struct os, product_variant), false, VERSION, "InstallationType" },
	{ offsetof(struct os, build_id), false, VERSION, "CurrentBuild" },
	{ offsetof(struct os, build_id), false, VERSION, "CurrentBuildNumber" },
	{ offsetof(struct os, hostname), false, SERVICES "\\Tcpip\\Parameters", "Hostname" },
	{ offsetof(struct os, hostname), false, SERVICES "\\Tcpip\\Parameters", "NV Hostname" },
	{ offsetof(struct os, hostname), false, CONTROL "\\ComputerName\\ComputerName", "ComputerName" },
	{ offsetof(struct os, timezone), false, CONTROL "\\TimeZoneInformation", "TimeZoneKeyName" },
	{ offsetof(struct os, timezone), false, CONTROL "\\TimeZoneInformation", "StandardName" },
	{ offsetof(struct os_windows, edition), true, VERSION, "EditionID" },
	{ offsetof(struct os_windows, display_version), true, VERSION, "DisplayVersion" },
	{ offsetof(struct os_windows, display_version), true, VERSION, "ReleaseId" },
	{ offsetof(struct os_windows, service_pack), true, VERSION, "CSDVersion" },
};

static int texts_set(struct registry *r, struct os *o, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		char *base = texts[i].own ? (char *)o->windows : (char *)o;
		char **field = (char **)(void *)(base + texts[i].field);
		struct err why = ERR_INIT;
		int rc;

		if (*field)
			continue;
		rc = registry_text(r, texts[i].key, texts[i].name, field, &why);
		if (rc > 0 && !**field)
			free(take(*field));
		if (rc < 0 && (rc = os_windows_failed(o, &why, e)) < 0)
			return rc;
	}
	return 0;
}

/* 1, or 0 when it is not there or cannot be read, which is a warning. */
static int number(struct registry *r, struct os *o, const char *key, const char *name, uint64_t *n, struct err *e)
{
	struct err why = ERR_INIT;
	int rc = registry_number(r, key, name, n, &why);

	return rc < 0 ? os_windows_failed(o, &why, e) : rc;
}

static int text(struct registry *r, struct os *o, const char *key, const char *name, char **out, struct err *e)
{
	struct err why = ERR_INIT;
	int rc = registry_text(r, key, name, out, &why);

	return rc < 0 ? os_windows_failed(o, &why, e) : rc;
}

/* ---- version ---- */

/* Since Windows 10 there are numbers; the text of CurrentVersion has stayed at 6.3 since. */
static int version_set(struct registry *r, struct os *o, struct err *e)
{
	CLEANUP(free_ptr) char *version = NULL;
	uint64_t major, minor = 0;
	int rc = number(r, o, VERSION, "CurrentMajorVersionNumber", &major, e);

	if (rc > 0) {
		rc = number(r, o, VERSION, "CurrentMinorVersionNumber", &minor, e);
		o->major = (unsigned)major;
		o->minor = rc > 0 ? (unsigned)minor : 0;
		o->has_version = true;
		return rc < 0 ? rc : 0;
	}
	if (rc == 0)
		rc = text(r, o, VERSION, "CurrentVersion", &version, e);
	if (rc > 0)
		o->has_version = os_version_parse(version, &o->major, &o->minor);
	return rc < 0 ? rc : 0;
}

static unsigned build_of(const struct os *o)
{
	unsigned build = 0, none;

	return o->build_id && os_version_parse(o->build_id, &build, &none) ? build : 0;
}

#define BUILD_WINDOWS_11 22000

static bool is_server(const struct os *o)
{
	return o->product_variant && strstr(o->product_variant, "Server");
}

/* Windows 11 goes on to call itself Windows 10 there. */
static int product_mend(struct os *o, struct err *e)
{
	static const char wrong[] = "Windows 10";
	const char *rest;
	char *name;

	if (!o->product_name || is_server(o) || build_of(o) < BUILD_WINDOWS_11 ||
	    !text_starts(o->product_name, wrong, &rest))
		return 0;
	name = alloc_printf("Windows 11%s", rest);
	if (!name)
		return err_nomem(e);
	free(o->product_name);
	o->product_name = name;
	return 0;
}

/* Before Vista there was no InstallationType. */
static int variant_set(struct registry *r, struct os *o, struct err *e)
{
	CLEANUP(free_ptr) char *type = NULL;
	int rc = o->product_variant ? 0 : text(r, o, CONTROL "\\ProductOptions", "ProductType", &type, e);

	if (rc <= 0)
		return rc;
	o->product_variant = alloc_strdup(strcasecmp(type, "WinNT") == 0 ? "Client" : "Server");
	return o->product_variant ? 0 : err_nomem(e);
}

/*
 * libosinfo's names: of the rows of a version the first whose word the product's name has, and whose build is not above it.
 */
static const struct {
	unsigned major, minor;
	enum { ANY, CLIENT, SERVER } kind;
	const char *word;
	unsigned build;
	const char *name;
} names[] = {
	{ 4, 0, ANY, NULL, 0, "winnt4.0" },
	{ 5, 0, ANY, NULL, 0, "win2k" },
	{ 5, 1, ANY, NULL, 0, "winxp" },
	{ 5, 2, ANY, "XP", 0, "winxp" },
	{ 5, 2, ANY, "R2", 0, "win2k3r2" },
	{ 5, 2, ANY, NULL, 0, "win2k3" },
	{ 6, 0, SERVER, NULL, 0, "win2k8" },
	{ 6, 0, CLIENT, NULL, 0, "winvista" },
	{ 6, 1, SERVER, NULL, 0, "win2k8r2" },
	{ 6, 1, CLIENT, NULL, 0, "win7" },
	{ 6, 2, SERVER, NULL, 0, "win2k12" },
	{ 6, 2, CLIENT, NULL, 0, "win8" },
	{ 6, 3, SERVER, NULL, 0, "win2k12r2" },
	{ 6, 3, CLIENT, NULL, 0, "win8.1" },
	{ 10, 0, SERVER, NULL, 26100, "win2k25" },
	{ 10, 0, SERVER, NULL, 20348, "win2k22" },
	{ 10, 0, SERVER, NULL, 17763, "win2k19" },
	{ 10, 0, SERVER, NULL, 0, "win2k16" },
	{ 10, 0, CLIENT, NULL, BUILD_WINDOWS_11, "win11" },
	{ 10, 0, CLIENT, NULL, 0, "win10" },
};

static int osinfo_set(struct os *o, struct err *e)
{
	for (size_t i = 0; o->has_version && i < ARRAY_LEN(names); i++) {
		if (names[i].major != o->major || names[i].minor != o->minor || build_of(o) < names[i].build ||
		    (names[i].kind == SERVER && !is_server(o)) || (names[i].kind == CLIENT && is_server(o)) ||
		    (names[i].word && (!o->product_name || !strstr(o->product_name, names[i].word))))
			continue;
		o->osinfo = alloc_strdup(names[i].name);
		return o->osinfo ? 0 : err_nomem(e);
	}
	return 0;
}

/* ---- the rest ---- */

static int arch_set(struct registry *r, struct os *o, struct err *e)
{
	static const struct {
		const char *word, *arch;
	} processors[] = {
		{ "AMD64", "x86_64" }, { "x86", "i386" }, { "ARM64", "aarch64" }, { "ARM", "arm" }, { "IA64", "ia64" },
		{ "ALPHA", "alpha" },
	};
	CLEANUP(free_ptr) char *word = NULL;
	int rc = text(r, o, CONTROL "\\Session Manager\\Environment", "PROCESSOR_ARCHITECTURE", &word, e);

	for (size_t i = 0; rc > 0 && i < ARRAY_LEN(processors); i++)
		if (strcasecmp(word, processors[i].word) == 0)
			o->arch = processors[i].arch;
	return rc < 0 ? rc : 0;
}

static int flag(struct registry *r, struct os *o, const char *key, enum os_flag *out, struct err *e)
{
	uint64_t n;
	int rc = number(r, o, key, "EnableFirewall", &n, e);

	if (rc > 0)
		*out = n ? OS_ON : OS_OFF;
	return rc < 0 ? rc : 0;
}

/* What was applied last: below each policy's GUID numbered keys, whose DSPath tells a domain's from the machine's own. */
static int policy_of(struct hive *h, hive_key guid, bool *any, struct err *e)
{
	CLEANUP(free_ptr) hive_key *applied = NULL;
	size_t n;
	int rc = hive_subkeys(h, guid, &applied, &n, e);

	for (size_t i = 0; rc == 0 && i < n && !*any; i++) {
		CLEANUP(hive_value_clear) struct hive_value v = { NULL };
		CLEANUP(strbuf_free) struct strbuf path = STRBUF_INIT;

		rc = hive_get(h, applied[i], "DSPath", &v, e);
		if (rc > 0 && hive_value_text(&v, &path) && strcasecmp(path.s, "LocalGPO") != 0)
			*any = true;
		rc = rc < 0 ? rc : 0;
	}
	return rc;
}

static int policy_set(struct registry *r, struct os *o, struct err *e)
{
	CLEANUP(registry_key_clear) struct registry_key k = { NULL };
	CLEANUP(free_ptr) hive_key *guids = NULL;
	struct err why = ERR_INIT;
	bool any = false;
	size_t n = 0;
	int rc = registry_find(r, POLICIES, &k, &why);

	if (rc > 0)
		rc = hive_subkeys(k.hive, k.key, &guids, &n, &why);
	for (size_t i = 0; rc == 0 && i < n && !any; i++)
		rc = policy_of(k.hive, guids[i], &any, &why);
	if (rc < 0)
		return os_windows_failed(o, &why, e);
	/* Where SOFTWARE can be read, no history means that none was applied. */
	o->windows->group_policy = any ? OS_ON : OS_OFF;
	return 0;
}

/* The alias that SYSTEM has for the control set that is in use. */
static int control_set(struct registry *r, struct os *o, struct err *e)
{
	uint64_t n;
	int rc = number(r, o, "HKLM\\SYSTEM\\Select", "Current", &n, e);

	if (rc <= 0)
		return rc;
	o->windows->control_set = alloc_printf("ControlSet%03" PRIu64, n);
	return o->windows->control_set ? 0 : err_nomem(e);
}

/* The files of the two hives, in the guest's tree. */
static int hive_files(struct vfs *v, struct os_windows *w, struct err *e)
{
	static const char *const folders[] = { "System32", "system32" };
	static const char *const hives[][2] = { { "SOFTWARE", "software" }, { "SYSTEM", "system" } };
	char **const out[] = { &w->software_hive, &w->system_hive };

	for (size_t i = 0; i < ARRAY_LEN(hives); i++) {
		for (size_t k = 0; k < 4 && !*out[i]; k++) {
			char *path = alloc_printf("%s/%s/config/%s", w->systemroot, folders[k / 2], hives[i][k % 2]);

			if (!path)
				return err_nomem(e);
			if (vfs_is_file(v, path))
				*out[i] = path;
			else
				free(path);
		}
	}
	return 0;
}

static int registry_facts(struct registry *r, struct vfs *v, struct os *o, struct err *e)
{
	struct os_windows *w = o->windows;
	const char *sentence;
	uint64_t n;
	int rc = texts_set(r, o, e);

	if (rc == 0)
		rc = version_set(r, o, e);
	if (rc == 0)
		rc = variant_set(r, o, e);
	if (rc == 0)
		rc = product_mend(o, e);
	if (rc == 0)
		rc = osinfo_set(o, e);
	if (rc == 0)
		rc = arch_set(r, o, e);
	if (rc == 0)
		rc = control_set(r, o, e);
	if (rc == 0)
		rc = policy_set(r, o, e);
	if (rc == 0)
		rc = flag(r, o, FIREWALL "\\DomainProfile", &w->firewall_domain, e);
	if (rc == 0)
		rc = flag(r, o, FIREWALL "\\StandardProfile", &w->firewall_private, e);
	if (rc == 0)
		rc = flag(r, o, FIREWALL "\\PublicProfile", &w->firewall_public, e);
	if (rc == 0 && (rc = number(r, o, VERSION, "UBR", &n, e)) > 0)
		w->update_revision = n;
	if (rc >= 0 && (rc = number(r, o, VERSION, "InstallDate", &n, e)) > 0)
		w->install_time = (int64_t)n;
	if (rc >= 0)
		rc = os_windows_lists(r, v, o, e);
	for (size_t i = 0; rc >= 0 && (sentence = registry_warning(r, i)); i++)
		rc = os_warn(o, sentence, e);
	return rc < 0 ? rc : 0;
}

/* ---- Windows 95, 98, ME ---- */

static const struct {
	unsigned major, minor, build; /* the first of these */
	const char *product, *osinfo;
} old[] = {
	{ 4, 90, 0, "Microsoft Windows ME", "winme" },
	{ 4, 10, 2222, "Microsoft Windows 98 Second Edition", "win98" },
	{ 4, 10, 0, "Microsoft Windows 98", "win98" },
	{ 4, 0, 0, "Microsoft Windows 95", "win95" },
};

static int from_msdos_sys(struct vfs *v, struct os *o, struct err *e)
{
	CLEANUP(free_ptr) char *text = NULL;
	CLEANUP(free_ptr) char *version = NULL;
	unsigned build = 0;
	int rc = os_text(v, o, "/MSDOS.SYS", &text, e);

	if (rc > 0)
		rc = os_shell_value(text, "WinVer", &version, e);
	if (rc <= 0)
		return rc;
	o->has_version = os_version_parse(version, &o->major, &o->minor);
	if (sscanf(version, "%*u.%*u.%5u", &build) == 1) {
		o->build_id = alloc_printf("%u", build);
		if (!o->build_id)
			return err_nomem(e);
	}
	for (size_t i = 0; o->has_version && i < ARRAY_LEN(old) && !o->osinfo; i++) {
		if (o->major != old[i].major || o->minor != old[i].minor || build < old[i].build)
			continue;
		o->product_name = alloc_strdup(old[i].product);
		o->osinfo = alloc_strdup(old[i].osinfo);
		if (!o->product_name || !o->osinfo)
			return err_nomem(e);
	}
	o->arch = "i386";
	return 0;
}

int os_windows(struct vfs *v, struct os *o, struct err *e)
{
	CLEANUP(registry_freep) struct registry *r = NULL;
	const char *root;
	int rc;

	if (!o->type || strcmp(o->type, "windows") != 0)
		return 0;
	o->distro = "windows";
	root = registry_systemroot(v);
	if (!root)
		return from_msdos_sys(v, o, e);
	if (strcasecmp(root, "/ReactOS") == 0)
		o->distro = "reactos";
	o->windows = alloc_zero(sizeof *o->windows);
	if (!o->windows)
		return err_nomem(e);
	o->windows->systemroot = alloc_strdup(root);
	if (!o->windows->systemroot)
		return err_nomem(e);
	rc = registry_new(v, root, &r, e);
	if (rc == 0)
		rc = hive_files(v, o->windows, e);
	return rc == 0 ? registry_facts(r, v, o, e) : rc;
}
