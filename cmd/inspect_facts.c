/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inspect_facts.c - drydock inspect: how a guest boots, who can log in, what it starts, what it is for. */
#include "inspect.h"

#include "alloc.h"
#include "out.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>

/* In the order of their kinds. */
static const struct {
	const char *title, *key;
} sign_kinds[] = {
	[DRY_SIGN_BOOT_LOADER] = { "boot loader", "boot_loaders" },
	[DRY_SIGN_PROVISIONING] = { "first start", "provisioning" },
	[DRY_SIGN_SECURITY] = { "security", "security" },
	[DRY_SIGN_ROLE] = { "role", "roles" },
};

static const char *const password_words[] = {
	[DRY_PASSWORD_UNKNOWN] = "unknown",
	[DRY_PASSWORD_SET] = "set",
	[DRY_PASSWORD_NONE] = "none",
	[DRY_PASSWORD_LOCKED] = "locked",
};

static void string_or_none(struct json *j, const char *key, const char *value)
{
	if (value)
		json_str(j, key, value);
}

/* ---- JSON ---- */

static void kernels_json(const struct dry_guest *g, struct json *j)
{
	struct dry_kernel k;
	struct dry_initrd r;

	json_array(j, "kernels");
	for (size_t i = 0; dry_guest_kernel(g, i, &k); i++) {
		json_object(j, NULL);
		string_or_none(j, "version", k.version);
		string_or_none(j, "arch", k.arch);
		string_or_none(j, "format", k.format);
		json_str(j, "path", k.path);
		string_or_none(j, "volume", k.volume);
		json_u64(j, "size", k.size);
		json_bool(j, "modules", k.modules);
		json_array(j, "initrds");
		for (size_t n = 0; dry_guest_initrd(g, n, &r); n++)
			if (r.kernel == i)
				json_str(j, NULL, r.path);
		json_array_end(j);
		json_object_end(j);
	}
	json_array_end(j);
	json_array(j, "initrds");
	for (size_t i = 0; dry_guest_initrd(g, i, &r); i++) {
		json_object(j, NULL);
		string_or_none(j, "version", r.version);
		json_str(j, "path", r.path);
		string_or_none(j, "volume", r.volume);
		json_u64(j, "size", r.size);
		string_or_none(j, "compression", r.compression);
		json_object_end(j);
	}
	json_array_end(j);
}

static void signs_json(const struct dry_guest *g, struct json *j)
{
	for (size_t kind = 0; kind < ARRAY_LEN(sign_kinds); kind++) {
		struct dry_sign s;

		json_array(j, sign_kinds[kind].key);
		for (size_t i = 0; dry_guest_sign(g, i, &s); i++) {
			if (s.kind != kind)
				continue;
			json_object(j, NULL);
			json_str(j, "name", s.name);
			string_or_none(j, "value", s.value);
			json_str(j, "path", s.path);
			string_or_none(j, "volume", s.volume);
			json_object_end(j);
		}
		json_array_end(j);
	}
}

static void logins_json(const struct dry_guest *g, struct json *j)
{
	struct dry_login u;

	json_array(j, "logins");
	for (size_t i = 0; dry_guest_login(g, i, &u); i++) {
		json_object(j, NULL);
		json_str(j, "name", u.name);
		string_or_none(j, "real_name", u.real_name);
		json_u64(j, "uid", u.uid);
		json_u64(j, "gid", u.gid);
		json_str(j, "home", u.home);
		json_str(j, "shell", u.shell);
		json_str(j, "password", password_words[u.password]);
		json_bool(j, "ssh_keys", u.ssh_keys);
		json_object_end(j);
	}
	json_array_end(j);
}

static void lists_json(const struct dry_guest *g, struct json *j)
{
	struct dry_service s;
	struct dry_fstab f;

	json_array(j, "services");
	for (size_t i = 0; dry_guest_service(g, i, &s); i++) {
		json_object(j, NULL);
		json_str(j, "name", s.name);
		json_str(j, "manager", s.manager);
		json_str(j, "state", s.state);
		string_or_none(j, "when", s.when);
		json_object_end(j);
	}
	json_array_end(j);
	json_array(j, "fstab");
	for (size_t i = 0; dry_guest_fstab(g, i, &f); i++) {
		json_object(j, NULL);
		json_str(j, "device", f.spec);
		json_str(j, "path", f.path);
		json_str(j, "type", f.type);
		json_str(j, "options", f.options);
		string_or_none(j, "volume", f.volume);
		json_object_end(j);
	}
	json_array_end(j);
}

void facts_json(const struct guest_ref *ref, const struct dry_facts *facts, struct json *j)
{
	json_array(j, "firmware");
	if (facts->bios)
		json_str(j, NULL, "bios");
	if (facts->uefi)
		json_str(j, NULL, "uefi");
	json_array_end(j);
	kernels_json(ref->guest, j);
	signs_json(ref->guest, j);
	logins_json(ref->guest, j);
	lists_json(ref->guest, j);
}

/* ---- for people ---- */

/* A row whose title stands only before the first of its kind. */
__attribute__((format(printf, 4, 5))) static void row(struct table *t, const char *title, size_t nth, const char *fmt, ...)
{
	CLEANUP(strbuf_free) struct strbuf b = STRBUF_INIT;
	va_list ap;

	if (nth)
		table_add(t, "");
	else
		table_addf(t, "  %s", title);
	va_start(ap, fmt);
	strbuf_vprintf(&b, fmt, ap);
	va_end(ap);
	if (b.failed)
		t->cells.failed = true;
	table_add_guest(t, b.s);
}

static void kernels_rows(const struct dry_guest *g, struct table *t)
{
	struct dry_kernel k;
	struct dry_initrd r;

	for (size_t i = 0; dry_guest_kernel(g, i, &k); i++) {
		row(t, "kernel", i, "%s%s%s%s%s%s", k.volume ? k.volume : "", k.volume ? ":" : "", k.path,
		    k.version ? " version " : "", k.version ? k.version : "", k.modules ? "" : ", no modules");
		for (size_t n = 0; dry_guest_initrd(g, n, &r); n++)
			if (r.kernel == i)
				row(t, "", 1, "with %s%s%s", r.path, r.compression ? " " : "", r.compression ? r.compression : "");
	}
}

static void signs_rows(const struct dry_guest *g, struct table *t)
{
	for (size_t kind = 0; kind < ARRAY_LEN(sign_kinds); kind++) {
		struct dry_sign s;
		size_t nth = 0;

		for (size_t i = 0; dry_guest_sign(g, i, &s); i++)
			if (s.kind == kind)
				row(t, sign_kinds[kind].title, nth++, "%s%s%s (%s%s%s)", s.name, s.value ? ": " : "",
				    s.value ? s.value : "", s.volume ? s.volume : "", s.volume ? ":" : "", s.path);
	}
}

static void lists_rows(const struct dry_guest *g, struct table *t, bool all)
{
	struct dry_service s;
	struct dry_fstab f;
	struct dry_login u;
	size_t nth = 0, enabled = 0;

	for (size_t i = 0; dry_guest_login(g, i, &u); i++)
		row(t, "login", i, "%s (%" PRIu32 "): password %s%s", u.name, u.uid, password_words[u.password],
		    u.ssh_keys ? ", keys for ssh" : "");
	for (size_t i = 0; dry_guest_service(g, i, &s); i++)
		if (all)
			row(t, "service", nth++, "%s %s%s%s", s.name, s.state, s.when ? " for " : "", s.when ? s.when : "");
		else
			enabled += strcmp(s.state, "masked") != 0;
	if (enabled)
		row(t, "services", 0, "%zu (--all lists them)", enabled);
	for (size_t i = 0; all && dry_guest_fstab(g, i, &f); i++)
		row(t, "fstab", i, "%s on %s type %s (%s)%s%s", f.spec, f.path, f.type, f.options, f.volume ? " is " : "",
		    f.volume ? f.volume : "");
}

void facts_rows(const struct guest_ref *ref, const struct dry_facts *facts, bool all, struct table *t)
{
	if (facts->bios || facts->uefi)
		row(t, "firmware", 0, "%s%s%s", facts->bios ? "BIOS" : "", facts->bios && facts->uefi ? ", " : "",
		    facts->uefi ? "UEFI" : "");
	signs_rows(ref->guest, t);
	kernels_rows(ref->guest, t);
	lists_rows(ref->guest, t, all);
}
