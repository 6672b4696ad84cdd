/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inspect_windows.c - drydock inspect: what only Windows has. */
#include "inspect.h"

#include "alloc.h"
#include "out.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>

static void string_or_none(struct json *j, const char *key, const char *value)
{
	if (value)
		json_str(j, key, value);
}

static void flag_or_none(struct json *j, const char *key, enum dry_flag flag)
{
	if (flag != DRY_UNKNOWN)
		json_bool(j, key, flag == DRY_ON);
}

static void firewall_json(const struct dry_windows *w, struct json *j)
{
	if (w->firewall_domain == DRY_UNKNOWN && w->firewall_private == DRY_UNKNOWN && w->firewall_public == DRY_UNKNOWN)
		return;
	json_object(j, "firewall");
	flag_or_none(j, "domain", w->firewall_domain);
	flag_or_none(j, "private", w->firewall_private);
	flag_or_none(j, "public", w->firewall_public);
	json_object_end(j);
}

static void drives_json(const struct dry_windows *w, struct json *j)
{
	json_array(j, "drives");
	for (size_t i = 0; i < w->ndrives; i++) {
		json_object(j, NULL);
		json_strn(j, "letter", &w->drives[i].letter, 1);
		if (w->drives[i].volume)
			json_str(j, "volume", w->drives[i].volume);
		else
			json_null(j, "volume");
		json_object_end(j);
	}
	json_array_end(j);
}

static void lists_json(const struct dry_windows *w, struct json *j)
{
	json_array(j, "virtual_drivers");
	for (size_t i = 0; i < w->nvirtual_drivers; i++) {
		json_object(j, NULL);
		json_str(j, "name", w->virtual_drivers[i].name);
		json_str(j, "start", w->virtual_drivers[i].start);
		json_bool(j, "file", w->virtual_drivers[i].file);
		json_object_end(j);
	}
	json_array_end(j);
	json_array(j, "services");
	for (size_t i = 0; i < w->nservices; i++)
		json_str(j, NULL, w->services[i].name);
	json_array_end(j);
	json_array(j, "accounts");
	for (size_t i = 0; i < w->naccounts; i++) {
		json_object(j, NULL);
		json_str(j, "name", w->accounts[i].name);
		json_u64(j, "rid", w->accounts[i].rid);
		json_bool(j, "disabled", w->accounts[i].disabled);
		json_object_end(j);
	}
	json_array_end(j);
}

void windows_json(struct dry_guest *g, struct json *j)
{
	struct dry_windows w;

	if (dry_guest_windows(g, &w, NULL) < 0)
		return;
	json_object(j, "windows");
	json_str(j, "systemroot", w.systemroot);
	string_or_none(j, "current_control_set", w.control_set);
	string_or_none(j, "software_hive", w.software_hive);
	string_or_none(j, "system_hive", w.system_hive);
	string_or_none(j, "edition", w.edition);
	string_or_none(j, "display_version", w.display_version);
	string_or_none(j, "service_pack", w.service_pack);
	if (w.update_revision)
		json_u64(j, "update_revision", w.update_revision);
	if (w.install_time)
		json_i64(j, "installed", w.install_time);
	flag_or_none(j, "group_policy", w.group_policy);
	firewall_json(&w, j);
	drives_json(&w, j);
	lists_json(&w, j);
	json_object_end(j);
}

static void row(struct table *t, const char *title, const char *value)
{
	if (!value)
		return;
	table_addf(t, "  %s", title);
	table_add_guest(t, value);
}

/* A list on one row; names are quoted one by one, between commas. */
static void names_add(struct strbuf *b, const char *name)
{
	strbuf_puts(b, b->len ? ", " : "");
	text_quote(b, name, strlen(name));
}

static void names_row(struct table *t, const char *title, const struct strbuf *names)
{
	if (!names->len)
		return;
	table_addf(t, "  %s", title);
	table_add(t, names->s);
}

void windows_rows(struct dry_guest *g, struct table *t)
{
	CLEANUP(strbuf_free) struct strbuf drivers = STRBUF_INIT;
	CLEANUP(strbuf_free) struct strbuf accounts = STRBUF_INIT;
	struct dry_windows w;

	if (dry_guest_windows(g, &w, NULL) < 0)
		return;
	row(t, "system root", w.systemroot);
	row(t, "control set", w.control_set);
	row(t, "edition", w.edition);
	row(t, "release", w.display_version);
	row(t, "service pack", w.service_pack);
	if (w.group_policy == DRY_ON)
		row(t, "group policy", "of a domain");
	for (size_t i = 0; i < w.nvirtual_drivers; i++)
		names_add(&drivers, w.virtual_drivers[i].name);
	for (size_t i = 0; i < w.naccounts; i++)
		if (!w.accounts[i].disabled)
			names_add(&accounts, w.accounts[i].name);
	names_row(t, "virtual drivers", &drivers);
	names_row(t, "accounts", &accounts);
	if (w.nservices) {
		table_add(t, "  services");
		table_addf(t, "%zu that start by themselves", w.nservices);
	}
	for (size_t i = 0; i < w.ndrives; i++) {
		table_add(t, i ? "" : "  drives");
		table_addf(t, "%c: %s", w.drives[i].letter, w.drives[i].volume ? w.drives[i].volume : "on none of these disks");
	}
}
