/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * new_fs_uuids.c - other UUIDs for a guest's filesystems, and texts of the guest that name the old ones.
 *
 * What they are going to be is settled while the guest is mounted, so that /etc/fstab and the boot loader's configuration can be
 * changed; they are given when it is not.
 */
#include "new_uuids.h"

#include "alloc.h"
#include "change_internal.h"
#include "limits.h"
#include "locked.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

/* Files in which filesystems are named by their UUIDs. */
static const char *const namers[] = {
	"/etc/fstab", "/etc/crypttab", "/etc/default/grub", "/etc/kernel/cmdline", "/etc/initramfs-tools/conf.d/resume",
	"/boot/grub/grub.cfg", "/boot/grub/menu.lst", "/boot/grub2/grub.cfg", "/boot/grub2/grubenv", "/boot/grub/grubenv",
	"/boot/efi/EFI/*/grub.cfg", "/boot/loader/entries/*.conf", "/boot/extlinux/extlinux.conf", "/boot/syslinux/syslinux.cfg",
};

static bool takes_another(const struct fs_id *id)
{
	static const char *const types[] = { "ext2", "ext3", "ext4", "xfs", "btrfs" };

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (id->type && strcmp(id->type, types[i]) == 0)
			return strlen(id->uuid) == 36;
	return false;
}

static void uuid_make(const uint8_t bytes[16], char *text)
{
	uint8_t b[16];
	size_t n = 0;

	memcpy(b, bytes, sizeof b);
	b[6] = (b[6] & 0x0f) | 0x40; /* a random one, as RFC 4122 has it */
	b[8] = (b[8] & 0x3f) | 0x80;
	for (size_t i = 0; i < sizeof b; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			text[n++] = '-';
		n += (size_t)snprintf(text + n, 3, "%02x", b[i]);
	}
}

/* Is it the only filesystem of its UUID?  A snapshot has that of what it shows, and which one a text means cannot be told. */
static bool is_alone(const struct contents *all, size_t i)
{
	for (size_t k = 0; k < all->n; k++)
		if (k != i && !all->items[k].again && strcmp(all->items[k].id.uuid, all->items[i].id.uuid) == 0)
			return false;
	return true;
}

static int filesystem_add(struct change *c, const struct content *it, struct err *e)
{
	struct change_filesystem *more = alloc_resize(c->filesystems, c->nfilesystems + 1, sizeof *more);
	uint8_t bytes[16];

	if (!more)
		return err_nomem(e);
	c->filesystems = more;
	more[c->nfilesystems].it = it;
	if (!random_bytes(bytes, sizeof bytes))
		return err_set(e, ERR_SYSTEM, "there are no random bytes");
	uuid_make(bytes, more[c->nfilesystems++].uuid);
	return 0;
}

struct renaming {
	struct change *c;
	struct tree *t;
};

static int rename_in(void *arg, const char *path, struct err *e)
{
	const struct renaming *r = arg;
	CLEANUP(free_ptr) char *text = NULL;
	bool changed = false;
	size_t len;
	int rc = tree_is_file(r->t, path) ? tree_text(r->t, path, &text, &len, e) : 0;

	if (rc <= 0)
		return rc;
	/* One is as long as another. */
	for (size_t i = 0; i < r->c->nfilesystems; i++) {
		const struct change_filesystem *f = &r->c->filesystems[i];
		char *at = text;

		while ((at = memmem(at, len - (size_t)(at - text), f->it->id.uuid, 36)) != NULL) {
			memcpy(at, f->uuid, 36);
			at += 36;
			changed = true;
		}
	}
	return changed ? r->t->ops->write(r->t, path, text, len, NULL, e) : 0;
}

int new_fs_uuids_settle(struct change *c, struct tree *t, void (*say)(void *arg, const char *line), void *arg, struct err *e)
{
	const struct contents *all = c->machine.how.contents;
	struct renaming r = { c, t };
	int rc = 0;

	for (size_t i = 0; all && i < all->n && rc == 0; i++) {
		const struct content *it = &all->items[i];

		if (!takes_another(&it->id) || it->again || it->vol->in_use || it->vol->snapshot || it->vol->dormant ||
		    !block_writable(c->machine.how.disks[it->vol->disk]) || !is_alone(all, i))
			continue;
		rc = filesystem_add(c, it, e);
	}
	for (size_t i = 0; i < ARRAY_LEN(namers) && rc == 0; i++)
		rc = tree_glob(t, namers[i], rename_in, &r, e);
	if (rc == 0 && c->nfilesystems && say)
		say(arg, "where GRUB's own image or the initial RAM disk names the old UUIDs, "
			 "it must be made anew for the guest to start");
	return rc;
}

int new_fs_uuids_give(struct change *c, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < c->nfilesystems && rc == 0; i++) {
		const struct change_filesystem *f = &c->filesystems[i];
		CLEANUP(strbuf_free) struct strbuf device = STRBUF_INIT;

		rc = guest_machine_device(&c->machine, f->it, &device, e);
		if (rc == 0)
			rc = client_set_uuid(c->machine.client, device.s, f->it->id.type, f->uuid, e);
		if (rc < 0)
			rc = err_in(e, rc, "%s", f->it->vol->name);
	}
	return rc;
}
