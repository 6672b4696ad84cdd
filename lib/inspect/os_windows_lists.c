/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* os_windows_lists.c - drive letters, drivers for virtual hardware, services that start, and accounts of a Windows. */
#include "os_windows.h"

#include "alloc.h"
#include "ondisk.h"
#include "registry.h"
#include "text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#define SERVICES "HKLM\\SYSTEM\\CurrentControlSet\\Services"

/* ---- drive letters ---- */

/* A GUID as Windows has it in memory: three numbers in little-endian order, then bytes. */
static void guid_text_order(const uint8_t *in, uint8_t out[16])
{
	static const uint8_t from[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };

	for (size_t i = 0; i < 16; i++)
		out[i] = in[from[i]];
}

/*
 * "\DosDevices\C:" with 12 bytes is the signature of a disk with an MBR and an offset on it; with "DMIO:ID:" and 16 bytes a
 * partition's GUID.  Others are devices that are not disks.
 */
static bool drive_of(const struct hive_value *v, struct os_drive *d)
{
	const char *rest;

	memset(d, 0, sizeof *d);
	if (!text_starts(v->name, "\\DosDevices\\", &rest) || !isalpha((unsigned char)rest[0]) || strcmp(rest + 1, ":") != 0)
		return false;
	d->letter = (char)toupper((unsigned char)rest[0]);
	if (v->len == 12) {
		le32 id;
		le64 off;

		memcpy(&id, v->data, sizeof id);
		memcpy(&off, v->data + sizeof id, sizeof off);
		d->mbr_id = le32_get(id);
		d->off = le64_get(off);
		return true;
	}
	if (v->len == 24 && memcmp(v->data, "DMIO:ID:", 8) == 0) {
		d->gpt = true;
		guid_text_order(v->data + 8, d->guid);
		return true;
	}
	return false;
}

/* Letters in their order; there are no more than there are letters. */
static int drives_read(struct registry *r, struct os_windows *w, struct err *e)
{
	CLEANUP(registry_key_clear) struct registry_key k = { NULL };
	CLEANUP(free_ptr) uint32_t *values = NULL;
	struct os_drive by_letter[26] = { { 0 } };
	size_t n = 0;
	int rc = registry_find(r, "HKLM\\SYSTEM\\MountedDevices", &k, e);

	if (rc > 0)
		rc = hive_values(k.hive, k.key, &values, &n, e);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		CLEANUP(hive_value_clear) struct hive_value v = { NULL };
		struct os_drive d;

		rc = hive_value(k.hive, values[i], &v, e);
		if (rc == 0 && drive_of(&v, &d))
			by_letter[d.letter - 'A'] = d;
	}
	if (rc < 0)
		return rc;
	w->drives = alloc_array(ARRAY_LEN(by_letter), sizeof *w->drives);
	if (!w->drives)
		return err_nomem(e);
	for (size_t i = 0; i < ARRAY_LEN(by_letter); i++)
		if (by_letter[i].letter)
			w->drives[w->ndrives++] = by_letter[i];
	return 0;
}

const struct content *os_drive_volume(const struct os_drive *d, const struct contents *c)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct volume *v = c->items[i].vol;

		if (v->extended || v->depth)
			continue;
		if (d->gpt && strcmp(v->scheme, "gpt") == 0 && memcmp(v->part_uuid, d->guid, 16) == 0)
			return &c->items[i];
		if (!d->gpt && strcmp(v->scheme, "mbr") == 0 && v->mbr_id == d->mbr_id && v->off == d->off)
			return &c->items[i];
	}
	return NULL;
}

/* ---- drivers and services ---- */

static int service_add(struct os_service **list, size_t *n, const char *name, unsigned start, bool file, struct err *e)
{
	struct os_service *items = alloc_resize(*list, *n + 1, sizeof *items);
	char *copy = alloc_strdup(name);

	if (items)
		*list = items;
	if (!items || !copy) {
		free(copy);
		return err_nomem(e);
	}
	items[(*n)++] = (struct os_service){ .name = copy, .start = start, .file = file };
	return 0;
}

/* Of virtio-win, and what Xen and VMware guests have in their place. */
static const char *const virtual_drivers[] = {
	"viostor", "vioscsi", "netkvm", "balloon", "vioser", "viorng", "viofs", "viosock", "vioinput", "viogpudo", "viomem",
	"viocrypt", "pvpanic", "fwcfg", "qxldod", "xenvbd", "xennet", "pvscsi", "vmxnet3",
};

static bool driver_file(const struct os_windows *w, struct vfs *v, const char *name)
{
	static const char *const folders[] = { "System32", "system32" };
	char path[200];

	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		snprintf(path, sizeof path, "%s/%s/drivers/%s.sys", w->systemroot, folders[i], name);
		if (vfs_is_file(v, path))
			return true;
	}
	return false;
}

static int drivers_read(struct registry *r, struct vfs *v, struct os_windows *w, struct err *e)
{
	CLEANUP(registry_key_clear) struct registry_key k = { NULL };
	int rc = registry_find(r, SERVICES, &k, e);

	for (size_t i = 0; rc > 0 && i < ARRAY_LEN(virtual_drivers); i++) {
		CLEANUP(hive_value_clear) struct hive_value start = { NULL };
		uint64_t n = 3;
		int found = hive_get_at(k.hive, k.key, virtual_drivers[i], "Start", &start, e);

		if (found > 0)
			hive_value_number(&start, &n);
		if (found > 0)
			found = service_add(&w->virtio, &w->nvirtio, virtual_drivers[i], n > 4 ? 4 : (unsigned)n,
					    driver_file(w, v, virtual_drivers[i]), e);
		rc = found < 0 ? found : rc;
	}
	return rc < 0 ? rc : 0;
}

enum { START_AUTO = 2, TYPE_PROGRAM = 0x30 };

/* 1 and the number, or 0. */
static int key_number(struct hive *h, hive_key k, const char *name, uint64_t *n, struct err *e)
{
	CLEANUP(hive_value_clear) struct hive_value v = { NULL };
	int rc = hive_get(h, k, name, &v, e);

	return rc > 0 ? hive_value_number(&v, n) : rc;
}

static int services_read(struct registry *r, struct os_windows *w, struct err *e)
{
	CLEANUP(registry_key_clear) struct registry_key k = { NULL };
	CLEANUP(free_ptr) hive_key *keys = NULL;
	size_t n = 0;
	int rc = registry_find(r, SERVICES, &k, e);

	if (rc > 0)
		rc = hive_subkeys(k.hive, k.key, &keys, &n, e);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		CLEANUP(strbuf_free) struct strbuf name = STRBUF_INIT;
		uint64_t start, type;

		rc = key_number(k.hive, keys[i], "Start", &start, e);
		if (rc > 0 && start == START_AUTO)
			rc = key_number(k.hive, keys[i], "Type", &type, e);
		else
			rc = rc < 0 ? rc : 0;
		if (rc > 0 && (type & TYPE_PROGRAM)) {
			rc = hive_key_name(k.hive, keys[i], &name, e);
			if (rc == 0)
				rc = service_add(&w->services, &w->nservices, name.s, START_AUTO, false, e);
		}
		rc = rc < 0 ? rc : 0;
	}
	return rc;
}

/* ---- accounts ---- */

#define USERS "HKLM\\SAM\\SAM\\Domains\\Account\\Users"
/* In the fixed part of an account, its flags: 16 bits, the first of which turns it off. */
#define FLAGS_OFF 0x38

static int account_add(struct os_windows *w, const char *name, uint32_t rid, bool disabled, struct err *e)
{
	struct os_account *items = alloc_resize(w->accounts, w->naccounts + 1, sizeof *items);
	char *copy = alloc_strdup(name);

	if (items)
		w->accounts = items;
	if (!items || !copy) {
		free(copy);
		return err_nomem(e);
	}
	items[w->naccounts++] = (struct os_account){ .name = copy, .rid = rid, .disabled = disabled };
	return 0;
}

/* Below Names each account has a key, whose default value has the account's number as its type. */
static int account_read(struct hive *h, hive_key users, hive_key name_key, struct os_windows *w, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf name = STRBUF_INIT;
	CLEANUP(hive_value_clear) struct hive_value number = { NULL };
	CLEANUP(hive_value_clear) struct hive_value fixed = { NULL };
	bool disabled = false;
	char place[16];
	int rc = hive_key_name(h, name_key, &name, e);

	if (rc == 0)
		rc = hive_get(h, name_key, "", &number, e);
	if (rc <= 0)
		return rc;
	snprintf(place, sizeof place, "%08" PRIX32, number.type);
	rc = hive_get_at(h, users, place, "F", &fixed, e);
	if (rc > 0 && fixed.len > FLAGS_OFF)
		disabled = fixed.data[FLAGS_OFF] & 1;
	return rc < 0 ? rc : account_add(w, name.s, number.type, disabled, e);
}

static int accounts_read(struct registry *r, struct os_windows *w, struct err *e)
{
	CLEANUP(registry_key_clear) struct registry_key k = { NULL };
	CLEANUP(free_ptr) hive_key *keys = NULL;
	hive_key names;
	size_t n = 0;
	int rc = registry_find(r, USERS, &k, e);

	if (rc > 0)
		rc = hive_subkey(k.hive, k.key, "Names", &names, e);
	if (rc > 0)
		rc = hive_subkeys(k.hive, names, &keys, &n, e);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = account_read(k.hive, k.key, keys[i], w, e);
	return rc < 0 ? rc : 0;
}

int os_windows_lists(struct registry *r, struct vfs *v, struct os *o, struct err *e)
{
	struct os_windows *w = o->windows;
	struct err why = ERR_INIT;
	int rc = drives_read(r, w, &why);

	if (rc < 0)
		rc = os_windows_failed(o, &why, e);
	if (rc >= 0 && (rc = drivers_read(r, v, w, &why)) < 0)
		rc = os_windows_failed(o, &why, e);
	if (rc >= 0 && (rc = services_read(r, w, &why)) < 0)
		rc = os_windows_failed(o, &why, e);
	if (rc >= 0 && (rc = accounts_read(r, w, &why)) < 0)
		rc = os_windows_failed(o, &why, e);
	return rc < 0 ? rc : 0;
}
