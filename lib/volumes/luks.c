/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * luks.c - encrypted volumes: LUKS of both versions on whatever there is, opened with the keys that were given.
 *
 * What is opened is called as systemd's and Debian's installers call it, "/dev/mapper/luks-UUID", and also as libguestfs does,
 * "/dev/mapper/cryptsda2".  Partition tables are looked for inside, which the kernel does not do for a mapping: an image that
 * a hypervisor has encrypted is a whole disk.
 *
 * A member of an MD mirror whose superblock lies at its end begins as the mirror does: with the LUKS header, if there is one.  So
 * such a member waits until it is known that no array takes it.
 *
 * Each volume is judged once: one that stays locked is marked so, and is no leaf any more.
 */
#include "volume_driver.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"
#include "luks_disk.h"
#include "ondisk.h"
#include "strbuf.h"

#include <ctype.h>
#include <stdio.h>

/* "/dev/mapper/crypt" and the letters and digits of the volume's name. */
static void crypt_name(const struct volume *v, char *out, size_t size)
{
	const char *p = strncmp(v->name, "/dev/", 5) == 0 ? v->name + 5 : v->name;
	size_t n = (size_t)snprintf(out, size, "/dev/mapper/crypt");

	for (; *p && n + 1 < size; p++)
		if (isalnum((unsigned char)*p))
			out[n++] = *p;
	out[n] = '\0';
}

/* It stays as it is, for this reason. */
__attribute__((format(printf, 4, 5))) static int lock(struct volume_list *l, size_t i, struct err *e, const char *fmt, ...)
{
	CLEANUP(strbuf_free) struct strbuf b = STRBUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	strbuf_vprintf(&b, fmt, ap);
	va_end(ap);
	l->items[i].locked = true;
	if (b.failed)
		return err_nomem(e);
	return volume_warn(l, e, "%s is encrypted%s", l->items[i].name, b.s);
}

/* Appends what the opened volume i holds, and takes *d. */
static int opened(struct volume_list *l, size_t i, struct luks_disk **d, struct err *e)
{
	CLEANUP(block_unrefp) struct block *block = NULL;
	CLEANUP(free_ptr) char *uuid = alloc_strdup(luks_disk_uuid(*d));
	char other[100], name[100];
	struct volume_made made = { .stack = &volume_luks, .name = name, .parts = &i, .nparts = 1 };
	struct volume *v;
	int rc;

	if (!uuid)
		return err_nomem(e);
	crypt_name(&l->items[i], other, sizeof other);
	snprintf(name, sizeof name, "/dev/mapper/luks-%s", uuid);
	/* A copy of a disk has its UUIDs, too. */
	if (!*uuid || volume_find(l, name))
		snprintf(name, sizeof name, "%s", other);
	if ((rc = luks_disk_block(*d, &block, e)) < 0)
		return rc;
	*d = NULL;
	made.block = block;
	if ((rc = volume_add_made(l, &made, &v, e)) < 0)
		return rc;
	v->uuid = take(uuid);
	return strcmp(name, other) == 0 ? 0 : volume_alias(v, e, "%s", other);
}

/* 1: a key opened it, 0: none did, and *why (code ERR_NONE: there was none to try) tells, < 0: the end. */
static int keys_try(struct volume_list *l, const struct volume_how *how, size_t i, struct luks_disk *d, struct err *why,
		    struct err *e)
{
	/* It ends: the work has a limit, and each turn costs some. */
	for (unsigned nth = 0; how->key; nth++) {
		CLEANUP(locked_free) struct locked key = LOCKED_INIT;
		uint64_t work = luks_disk_work(d) + 1;
		int rc = how->key(how->arg, &l->items[i], luks_disk_uuid(d), nth, &key, e);

		if (rc <= 0)
			return rc;
		if (work > LIMIT_LUKS_GUEST_WORK - l->key_work) {
			err_set(why, ERR_LIMIT, "all that was tried on the volumes of this guest is more than any passphrase "
						"is worth");
			return 0;
		}
		l->key_work += work;
		rc = luks_disk_unlock(d, key.p, key.len, why);
		if (rc == 0)
			return 1;
		if (rc == -ERR_NOMEM)
			return err_nomem(e);
		}
	return 0;
}

static int item_open(struct volume_list *l, const struct volume_how *how, size_t i, struct err *e)
{
	CLEANUP(luks_disk_freep) struct luks_disk *d = NULL;
	struct block *header = how->header ? how->header(how->arg, &l->items[i]) : NULL, *block = l->items[i].block;
	struct err why = ERR_INIT;
	uint8_t first;
	int rc;

	/* What cannot be read is no matter of encryption. */
	if (block_size(block) == 0 || block_pread(block, &first, 1, 0, NULL) < 0)
		return 0;
	rc = luks_disk_open(header ? header : block, header ? block : NULL, &d, &why);
	if (rc == -ERR_NOMEM)
		return err_nomem(e);
	if (rc == -ERR_NOT_FOUND)
		return header ? lock(l, i, e, ", and the file given as its header is none: %s", why.msg) : 0;
	if (rc < 0)
		return lock(l, i, e, ", and cannot be opened: %s", why.msg);
	if (luks_disk_notice(d) && (rc = volume_warn(l, e, "%s: %s", l->items[i].name, luks_disk_notice(d))) < 0)
		return rc;
	rc = keys_try(l, how, i, d, &why, e);
	if (rc != 0)
		return rc < 0 ? rc : opened(l, i, &d, e);
	if (why.code == ERR_NONE)
		return lock(l, i, e, "; --key gives its passphrase");
	l->items[i].wrong_key = true;
	if (why.code == ERR_USAGE)
		return lock(l, i, e, ", and no key that was given opens it");
	return lock(l, i, e, ", and could not be opened: %s", why.msg);
}

/* A key for what is no such volume is told: plain dm-crypt, TrueCrypt and VeraCrypt have no signature. */
static int warn_of_others(struct volume_list *l, const struct volume_how *how, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; how->is_named && i < l->n && rc == 0; i++)
		if (volume_is_leaf(&l->items[i]) && how->is_named(how->arg, &l->items[i]))
			rc = volume_warn(l, e, "a key was given for %s, which is no LUKS volume; plain dm-crypt, TrueCrypt and "
					       "VeraCrypt are not opened here", l->items[i].name);
	return rc;
}

#define MD_MAGIC 0xa92b4efcU

static bool has_md_magic(struct block *b, uint64_t off)
{
	le32 magic;

	return range_in(off, sizeof magic, block_size(b)) && block_pread(b, &magic, sizeof magic, off, NULL) == 0 &&
	       le32_get(magic) == MD_MAGIC;
}

/* A superblock of version 1.0 begins 8 KiB before the end, aligned to 4 KiB; of 0.90 in the last whole 64 KiB. */
static bool is_md_member(struct block *b)
{
	uint64_t size = round_down(block_size(b), 512);

	return size >= 128 * KiB && (has_md_magic(b, round_down(size - 8 * KiB, 4 * KiB)) ||
				     has_md_magic(b, round_down(size, 64 * KiB) - 64 * KiB));
}

static int luks_assemble(struct volume_list *l, const struct volume_how *how, bool last, struct err *e)
{
	/* What is added behind them is looked at in the next turn. */
	for (size_t i = 0, n = l->n; i < n; i++) {
		struct volume *v = &l->items[i];
		int rc = volume_is_leaf(v) && (last || !is_md_member(v->block)) ? item_open(l, how, i, e) : 0;

		if (rc < 0)
			return rc;
	}
	return last ? warn_of_others(l, how, e) : 0;
}

const struct volume_stack volume_luks = {
	.name = "luks",
	.holds_tables = true,
	.assemble = luks_assemble,
};
