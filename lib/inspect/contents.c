/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* contents.c - what lies in each volume, and volumes by the names that fstab and people give them. */
#include "guest.h"

#include "alloc.h"
#include "text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

/* Who reads it, as the policy says. */
static void content_judge(struct content *c, const struct engine *engine)
{
	bool reads = engine && engine_reads(engine, &c->id);

	c->by_appliance = reads && (!c->id.readable || engine_policy_of(engine) == ENGINE_APPLIANCE);
	if (engine && engine_policy_of(engine) == ENGINE_APPLIANCE)
		c->id.readable = reads;
	else
		c->id.readable |= reads;
}

int contents_scan(const struct volume_list *vols, struct engine *engine, struct contents *out, struct err *e)
{
	memset(out, 0, sizeof *out);
	out->engine = engine;
	out->items = alloc_array(vols->n, sizeof *out->items);
	if (!out->items)
		return err_nomem(e);
	for (size_t i = 0; i < vols->n; i++) {
		struct content *c = &out->items[i];
		struct err why = ERR_INIT;

		c->vol = &vols->items[i];
		if (!c->vol->extended && fs_probe(c->vol->block, &c->id, &why) < 0) {
			memset(&c->id, 0, sizeof c->id);
			if (why.code == ERR_NOMEM) {
				contents_free(out);
				return err_nomem(e);
			}
		}
		content_judge(c, engine);
		for (size_t k = 0; c->id.shared && k < i && !c->again; k++)
			c->again = out->items[k].id.shared && strcmp(out->items[k].id.type, c->id.type) == 0 &&
				   strcmp(out->items[k].id.uuid, c->id.uuid) == 0;
	}
	out->n = vols->n;
	return 0;
}

/* What may hold a part of a filesystem, or one of its own. */
static bool is_leaf(const struct content *it)
{
	return !it->vol->extended && !it->vol->in_use && !it->vol->locked;
}

static int open_ours(const struct contents *c, const struct content *it, struct fs **out, struct err *e)
{
	CLEANUP(free_ptr) struct block **others = alloc_array(c->n, sizeof *others);
	size_t n = 0;

	if (!others)
		return err_nomem(e);
	for (size_t i = 0; i < c->n; i++)
		if (&c->items[i] != it && !c->items[i].vol->extended && !c->items[i].vol->in_use)
			others[n++] = c->items[i].vol->block;
	return fs_open_among(it->vol->block, others, n, out, e);
}

/* The engine hears of all volumes, so that one machine may have the disks of all that will be asked for. */
static int open_by_appliance(const struct contents *c, const struct content *it, struct fs **out, struct err *e)
{
	CLEANUP(free_ptr) struct engine_volume *vols = alloc_array(c->n, sizeof *vols);
	size_t n = 0, which = 0;

	if (!vols)
		return err_nomem(e);
	for (size_t i = 0; i < c->n; i++) {
		const struct content *k = &c->items[i];

		if (k == it)
			which = n;
		if (is_leaf(k) && k->id.type)
			vols[n++] = (struct engine_volume){ k->vol->block, &k->id, k->vol->name, k->by_appliance };
	}
	return engine_open(c->engine, vols, n, which, out, e);
}

/* After what our own reader said, rc: is there something that Linux itself could do better? */
static bool appliance_may_help(const struct contents *c, const struct content *it, const struct fs *fs, int rc)
{
	if (!c->engine || engine_policy_of(c->engine) != ENGINE_AUTO || !engine_reads(c->engine, &it->id))
		return false;
	return rc == 0 ? fs_warning(fs) && engine_replays(&it->id) : rc == -ERR_UNSUPPORTED || rc == -ERR_LIMIT;
}

static int open_auto(const struct contents *c, const struct content *it, struct fs **out, struct err *e)
{
	CLEANUP(fs_closep) struct fs *fs = NULL;
	struct fs *better;
	struct err why = ERR_INIT, ours = ERR_INIT;
	int rc = open_ours(c, it, &fs, &ours);

	if (appliance_may_help(c, it, fs, rc)) {
		if (open_by_appliance(c, it, &better, &why) == 0) {
			*out = better;
			return 0;
		}
		if (why.code == ERR_NOMEM)
			return err_nomem(e);
	}
	if (rc == 0)
		*out = take(fs);
	else if (why.code)
		return err_set(e, ours.code, "%s; nor through the appliance: %s", ours.msg, why.msg);
	else if (e)
		*e = ours;
	return rc;
}

int content_open(const struct contents *c, const struct content *it, struct fs **out, struct err *e)
{
	int rc;

	if (it->vol->locked)
		return err_set(e, ERR_UNSUPPORTED, "%s is encrypted, and was not opened", it->vol->name);
	if (it->by_appliance)
		rc = open_by_appliance(c, it, out, e);
	else if (c->engine && engine_policy_of(c->engine) == ENGINE_APPLIANCE)
		rc = err_set(e, ERR_UNSUPPORTED, "%s is nothing that the appliance reads",
			     it->id.type ? it->id.type : "what is there");
	else
		rc = open_auto(c, it, out, e);
	return rc < 0 ? err_in(e, rc, "%s", it->vol->name) : 0;
}

const struct content *content_inside(const struct contents *c, const struct content *it)
{
	size_t i = (size_t)(it - c->items);

	for (size_t k = i + 1; k < c->n; k++)
		if (c->items[k].vol->nparts == 1 && c->items[k].vol->parts[0] == i && strcmp(c->items[k].vol->scheme, "luks") == 0)
			return &c->items[k];
	return NULL;
}

void contents_free(struct contents *c)
{
	free(c->items);
	memset(c, 0, sizeof *c);
}

/* ---- by name ---- */

static const struct content *by_name(const struct contents *c, const char *name)
{
	for (size_t i = 0; i < c->n; i++)
		if (volume_is_called(c->items[i].vol, name))
			return &c->items[i];
	return NULL;
}

static const struct content *by_device(const struct contents *c, const char *name)
{
	for (size_t i = 0; i < c->n; i++)
		if (device_is_volume(name, c->items[i].vol))
			return &c->items[i];
	return NULL;
}

enum tag { TAG_UUID, TAG_LABEL, TAG_PARTUUID, TAG_PARTLABEL };

static bool has_tag(const struct content *c, enum tag tag, const char *value)
{
	char text[40];

	switch (tag) {
	case TAG_UUID:
		return c->id.uuid[0] && strcasecmp(c->id.uuid, value) == 0;
	case TAG_LABEL:
		return c->id.label[0] && strcmp(c->id.label, value) == 0;
	case TAG_PARTLABEL:
		return c->vol->label && strcmp(c->vol->label, value) == 0;
	case TAG_PARTUUID:
		if (strcmp(c->vol->scheme, "gpt") == 0)
			text_uuid(c->vol->part_uuid, text);
		else if (strcmp(c->vol->scheme, "mbr") == 0 && c->vol->mbr_id)
			snprintf(text, sizeof text, "%08" PRIx32 "-%02x", c->vol->mbr_id, c->vol->number);
		else
			return false;
		return strcasecmp(text, value) == 0;
	}
	return false;
}

/* A snapshot has the tags of what it is a snapshot of, which is meant. */
static const struct content *by_tag(const struct contents *c, enum tag tag, const char *value)
{
	const struct content *snapshot = NULL;

	for (size_t i = 0; i < c->n; i++) {
		if (!has_tag(&c->items[i], tag, value))
			continue;
		if (!c->items[i].vol->snapshot)
			return &c->items[i];
		if (!snapshot)
			snapshot = &c->items[i];
	}
	return snapshot;
}

/* udev writes blanks and the like in links as \x20. */
static void undo_udev_escapes(char *s)
{
	char *to = s;
	unsigned v;

	while (*s) {
		if (s[0] == '\\' && s[1] == 'x' && isxdigit((unsigned char)s[2]) && isxdigit((unsigned char)s[3]) &&
		    sscanf(s + 2, "%2x", &v) == 1 && v) {
			*to++ = (char)v;
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

/* Of a filesystem on several devices the item that stands for it. */
static const struct content *first_of(const struct contents *c, const struct content *it)
{
	for (size_t i = 0; it && it->again && i < c->n; i++)
		if (c->items[i].id.shared && strcmp(c->items[i].id.type, it->id.type) == 0 &&
		    strcmp(c->items[i].id.uuid, it->id.uuid) == 0)
			return &c->items[i];
	return it;
}

const struct content *contents_find(const struct contents *c, const char *spec)
{
	const struct content *found = first_of(c, by_name(c, spec));
	static const struct {
		const char *prefix;
		enum tag tag;
		bool link;
	} tags[] = {
		{ "UUID=", TAG_UUID, false },		  { "LABEL=", TAG_LABEL, false },
		{ "PARTUUID=", TAG_PARTUUID, false },	  { "PARTLABEL=", TAG_PARTLABEL, false },
		{ "/dev/disk/by-uuid/", TAG_UUID, true }, { "/dev/disk/by-label/", TAG_LABEL, true },
		{ "/dev/disk/by-partuuid/", TAG_PARTUUID, true },
		{ "/dev/disk/by-partlabel/", TAG_PARTLABEL, true },
		/* FreeBSD's and NetBSD's. */
		{ "/dev/gpt/", TAG_PARTLABEL, false },	  { "/dev/gptid/", TAG_PARTUUID, false },
		{ "/dev/ufs/", TAG_LABEL, false },	  { "/dev/msdosfs/", TAG_LABEL, false },
		{ "/dev/ext2fs/", TAG_LABEL, false },	  { "NAME=", TAG_PARTLABEL, false },
	};
	char value[300];
	const char *rest;

	if (found)
		return found;
	for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
		size_t len;

		if (!text_starts(spec, tags[i].prefix, &rest))
			continue;
		len = strlen(rest);
		/* LABEL="a b" */
		if (len >= 2 && (*rest == '"' || *rest == '\'') && rest[len - 1] == *rest) {
			rest++;
			len -= 2;
		}
		if (len == 0 || len >= sizeof value)
			return NULL;
		memcpy(value, rest, len);
		value[len] = '\0';
		if (tags[i].link)
			undo_udev_escapes(value);
		return first_of(c, by_tag(c, tags[i].tag, value));
	}
	return first_of(c, by_device(c, spec));
}

const struct content *contents_find_subvol(const struct contents *c, const char *spec, const char **subvol)
{
	char name[300];
	const char *device;

	*subvol = NULL;
	if (!text_starts(spec, "btrfsvol:", &device))
		return contents_find(c, spec);
	/* Where the device's name ends only the device can tell: it is tried at each slash. */
	for (const char *p = strchr(device + (*device == '/'), '/'); p; p = strchr(p + 1, '/')) {
		const struct content *found;

		if ((size_t)(p - device) >= sizeof name)
			return NULL;
		memcpy(name, device, (size_t)(p - device));
		name[p - device] = '\0';
		found = contents_find(c, name);
		if (found) {
			*subvol = p + 1;
			return found;
		}
	}
	return NULL;
}
