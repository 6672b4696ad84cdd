/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * luks_driver.c - a LUKS header and behind it the encrypted disk, as an image format of its own: what cryptsetup makes
 * of a partition, in a file.
 *
 * All of the file behind the header is the disk.  A new image, and what is added at its end, decrypts to noise until it
 * is written to: nothing in the format could tell zeros.
 *
 * A write of part of a sector reads the sector, and for that time no other write is under way.
 *
 * Version 2 is read (luks_disk.c), when the format is given: nobody takes its magic for an image format, since what has it is
 * the disk of a guest that encrypts by itself.
 */
#include "block_driver.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"
#include "luks.h"
#include "luks_disk.h"

#include <inttypes.h>
#include <pthread.h>

enum { BOUNCE = 256 * 1024 };

struct luks_state {
	struct luks *luks;
	struct luks_disk *disk; /* version 2; then luks is NULL */
	pthread_rwlock_t lock; /* shared for whole sectors, exclusive for parts */
	bool lock_made;
};

/* ---- the header's callbacks ---- */

static int file_read(void *arg, void *buf, size_t len, uint64_t off, struct err *e)
{
	return block_pread(arg, buf, len, off, e);
}

static int file_write(void *arg, const void *buf, size_t len, uint64_t off, struct err *e)
{
	return block_pwrite(arg, buf, len, off, e);
}

static int file_sync(void *arg, struct err *e)
{
	return block_flush(arg, e);
}

static struct luks_io file_io(struct block *file, uint64_t size)
{
	return (struct luks_io){ .read = file_read,
				 .write = block_writable(file) ? file_write : NULL,
				 .sync = file_sync,
				 .arg = file,
				 .size = size };
}

/* ---- life ---- */

static int open_v2(struct block *b, const char *key_secret, const struct block_env *env, struct err *e)
{
	struct luks_state *s = b->state;
	const struct locked *pass;
	int rc;

	if (block_writable(b))
		return err_set(e, ERR_UNSUPPORTED, "LUKS version 2 is read and not written");
	if ((rc = luks_disk_open(b->file, NULL, &s->disk, e)) < 0)
		return rc;
	b->size = luks_disk_size(s->disk);
	if (env->flags & BLOCK_FACTS)
		return 0;
	if (!key_secret)
		return err_set(e, ERR_USAGE, "parameter 'key-secret' is required for cipher");
	rc = secrets_find_text(env->secrets, key_secret, &pass, e);
	return rc < 0 ? rc : luks_disk_unlock(s->disk, pass->p, pass->len, e);
}

static int is_v2(struct block *file, struct err *e)
{
	uint8_t head[8];
	int rc;

	if (block_size(file) < sizeof head)
		return 0;
	rc = block_pread(file, head, sizeof head, 0, e);
	return rc < 0 ? rc : luks_magic(head, sizeof head) && luks_version(head) == 2;
}

static int luks_drv_open(struct block *b, struct dict *opts, const struct block_env *env, struct err *e)
{
	CLEANUP(free_ptr) char *key_secret = dict_take(opts, "key-secret");
	struct luks_io io = file_io(b->file, block_size(b->file));
	struct luks_state *s = b->state;
	int rc;

	if (pthread_rwlock_init(&s->lock, NULL) != 0)
		return err_nomem(e);
	s->lock_made = true;
	if ((rc = is_v2(b->file, e)) != 0)
		return rc < 0 ? rc : open_v2(b, key_secret, env, e);
	if ((rc = luks_open(&io, &s->luks, e)) < 0)
		return rc;
	/* As of a raw disk, the missing bytes of a last sector read as zeros before they are decrypted. */
	b->size = round_up(io.size - s->luks->facts.payload_off, CRYPT_SECTOR);
	if (env->flags & BLOCK_FACTS)
		return 0;
	return luks_unlock_secret(s->luks, env->secrets, key_secret, e);
}

static void luks_drv_close(struct block *b)
{
	struct luks_state *s = b->state;

	luks_free(s->luks);
	luks_disk_free(s->disk);
	if (s->lock_made)
		pthread_rwlock_destroy(&s->lock);
}

/* ---- data ---- */

static int need_key(const struct luks_state *s, struct err *e)
{
	return s->luks->crypt ? 0 : err_set(e, ERR_USAGE, "opened without its key, for facts only");
}

/* Whole sectors, decrypted. */
static int read_sectors(struct block *b, uint8_t *buf, size_t len, uint64_t off, struct err *e)
{
	const struct luks_state *s = b->state;
	uint64_t at = s->luks->facts.payload_off + off, end = block_size(b->file);
	size_t there = at >= end ? 0 : (size_t)MIN_OF((uint64_t)len, end - at);
	int rc = there ? block_pread(b->file, buf, there, at, e) : 0;

	if (rc < 0)
		return rc;
	memset(buf + there, 0, len - there);
	return crypt_sectors(s->luks->crypt, false, buf, buf, len, off, e);
}

static int write_sectors(struct block *b, const uint8_t *buf, size_t len, uint64_t off, uint8_t *bounce, struct err *e)
{
	const struct luks_state *s = b->state;

	while (len) {
		size_t n = MIN_OF(len, (size_t)BOUNCE);
		int rc = crypt_sectors(s->luks->crypt, true, bounce, buf, n, off, e);

		if (rc == 0)
			rc = block_pwrite(b->file, bounce, n, s->luks->facts.payload_off + off, e);
		if (rc < 0)
			return rc;
		buf += n;
		off += n;
		len -= n;
	}
	return 0;
}

/* Bytes of [off, off + len) that lie in the sector of off. */
static size_t in_sector(size_t len, uint64_t off)
{
	return MIN_OF(len, (size_t)(CRYPT_SECTOR - off % CRYPT_SECTOR));
}

static int luks_pread(struct block *b, void *buf, size_t len, uint64_t off, struct err *e)
{
	const struct luks_state *s = b->state;
	uint8_t sector[CRYPT_SECTOR], *to = buf;
	int rc;

	if (s->disk)
		return luks_disk_pread(s->disk, buf, len, off, e);
	rc = need_key(s, e);
	while (rc == 0 && len) {
		size_t n = in_sector(len, off);

		if (n == CRYPT_SECTOR) {
			n = len - len % CRYPT_SECTOR;
			rc = read_sectors(b, to, n, off, e);
		} else {
			rc = read_sectors(b, sector, sizeof sector, off - off % CRYPT_SECTOR, e);
			memcpy(to, sector + off % CRYPT_SECTOR, n);
		}
		to += n;
		off += n;
		len -= n;
	}
	explicit_bzero(sector, sizeof sector);
	return rc;
}

static int write_part(struct block *b, const uint8_t *buf, size_t len, uint64_t off, uint8_t *bounce, struct err *e)
{
	uint64_t start = off - off % CRYPT_SECTOR;
	uint8_t sector[CRYPT_SECTOR];
	int rc = read_sectors(b, sector, sizeof sector, start, e);

	if (rc == 0) {
		memcpy(sector + off % CRYPT_SECTOR, buf, len);
		rc = write_sectors(b, sector, sizeof sector, start, bounce, e);
	}
	explicit_bzero(sector, sizeof sector);
	return rc;
}

static int luks_pwrite(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e)
{
	bool parts = off % CRYPT_SECTOR || len % CRYPT_SECTOR;
	struct luks_state *s = b->state;
	CLEANUP(free_ptr) uint8_t *bounce = NULL;
	const uint8_t *from = buf;
	int rc = need_key(s, e);

	if (rc < 0)
		return rc;
	bounce = alloc_aligned(4096, MIN_OF(round_up(len, 4096), (uint64_t)BOUNCE));
	if (!bounce)
		return err_nomem(e);
	if (parts)
		pthread_rwlock_wrlock(&s->lock);
	else
		pthread_rwlock_rdlock(&s->lock);
	while (rc == 0 && len) {
		size_t n = in_sector(len, off);

		if (n == CRYPT_SECTOR) {
			n = len - len % CRYPT_SECTOR;
			rc = write_sectors(b, from, n, off, bounce, e);
		} else {
			rc = write_part(b, from, n, off, bounce, e);
		}
		from += n;
		off += n;
		len -= n;
	}
	pthread_rwlock_unlock(&s->lock);
	return rc;
}

/* ---- size ---- */

static int resize_file(struct block *file, uint64_t payload_off, uint64_t size, enum block_prealloc p, struct err *e)
{
	uint64_t whole, end;

	if (!checked_round_up(size, CRYPT_SECTOR, &whole) || !checked_add(whole, payload_off, &end) ||
	    end > LIMIT_IMAGE_SIZE)
		return err_set(e, ERR_LIMIT, "size of %" PRIu64 " bytes", size);
	/* Nothing but the header is metadata. */
	return block_truncate(file, end, p == PREALLOC_METADATA ? PREALLOC_OFF : p, e);
}

static int luks_truncate(struct block *b, uint64_t size, enum block_prealloc p, struct err *e)
{
	const struct luks_state *s = b->state;
	int rc = resize_file(b->file, s->luks->facts.payload_off, size, p, e);

	if (rc == 0)
		b->size = round_up(size, CRYPT_SECTOR);
	return rc;
}

/* ---- facts, amend ---- */

static int luks_drv_info(struct block *b, struct block_info *out, struct err *e)
{
	(void)b;
	(void)e;
	out->encrypted = true;
	return 0;
}

static void luks_info_specific(struct block *b, struct json *j)
{
	const struct luks_state *s = b->state;

	if (s->disk)
		luks_disk_info(s->disk, j);
	else
		luks_info(s->luks, false, j);
}

static int luks_drv_amend(struct block *b, struct dict *opts, const struct block_amend_how *how, struct err *e)
{
	struct luks_state *s = b->state;

	return luks_amend(s->luks, opts, how->secrets, how->force, e);
}

/* ---- create, measure ---- */

static int take_prealloc(struct dict *opts, enum block_prealloc *out, struct err *e)
{
	static const char *const names[] = { "off", "metadata", "falloc", "full" };
	CLEANUP(free_ptr) char *v = dict_take(opts, "preallocation");

	*out = PREALLOC_OFF;
	for (size_t i = 0; v && i < ARRAY_LEN(names); i++)
		if (strcmp(v, names[i]) == 0) {
			*out = (enum block_prealloc)i;
			return 0;
		}
	return v ? err_set(e, ERR_USAGE, "parameter 'preallocation' does not accept value '%s'", v) : 0;
}

static int luks_drv_create(struct block *file, const char *path, struct dict *opts, const struct block_create_how *how,
			   struct err *e)
{
	CLEANUP(luks_create_free) struct luks_create c = LUKS_CREATE_INIT;
	enum block_prealloc prealloc;
	const struct locked *pass;
	uint64_t size = UINT64_MAX;
	struct luks_io io;
	int rc;

	(void)path;
	if ((rc = luks_create_take(&c, opts, e)) < 0 || (rc = dict_take_size(opts, "size", &size, e)) < 0 ||
	    (rc = take_prealloc(opts, &prealloc, e)) < 0)
		return rc;
	if (size == UINT64_MAX)
		return err_set(e, ERR_USAGE, "a luks image needs a size");
	if (!c.key_secret)
		return err_set(e, ERR_USAGE, "parameter 'key-secret' is required for cipher");
	if ((rc = secrets_find_text(how->secrets, c.key_secret, &pass, e)) < 0 ||
	    (rc = resize_file(file, luks_header_bytes(&c), size, prealloc, e)) < 0)
		return rc;
	io = file_io(file, block_size(file));
	return luks_create(&io, &c, pass->p, pass->len, NULL, e);
}

static int luks_measure(struct dict *opts, struct block *src, struct measure_report *out, struct err *e)
{
	CLEANUP(luks_create_free) struct luks_create c = LUKS_CREATE_INIT;
	uint64_t size = src ? block_size(src) : 0, whole;
	enum block_prealloc prealloc;
	int rc;

	if ((rc = luks_create_take(&c, opts, e)) < 0 || (rc = dict_take_size(opts, "size", &size, e)) < 0 ||
	    (rc = take_prealloc(opts, &prealloc, e)) < 0)
		return rc;
	if (!c.key_secret)
		return err_set(e, ERR_USAGE, "parameter 'key-secret' is required for cipher");
	if (!checked_round_up(size, CRYPT_SECTOR, &whole) || !checked_add(whole, luks_header_bytes(&c), &whole) ||
	    whole > LIMIT_IMAGE_SIZE)
		return err_set(e, ERR_LIMIT, "size of %" PRIu64 " bytes", size);
	out->required = out->fully_allocated = whole;
	return 0;
}

static const struct create_opt luks_create_opts[] = {
	{ "cipher-alg", "Name of encryption cipher algorithm", CREATE_OPT_STRING, NULL },
	{ "cipher-mode", "Name of encryption cipher mode", CREATE_OPT_STRING, NULL },
	{ "extent_size_hint", "Extent size hint for the image file, 0 to disable", CREATE_OPT_SIZE, NULL },
	{ "hash-alg", "Name of encryption hash algorithm", CREATE_OPT_STRING, NULL },
	{ "iter-time", "Time to spend in PBKDF in milliseconds", CREATE_OPT_NUMBER, NULL },
	{ "ivgen-alg", "Name of IV generator algorithm", CREATE_OPT_STRING, NULL },
	{ "ivgen-hash-alg", "Name of IV generator hash algorithm", CREATE_OPT_STRING, NULL },
	{ "key-secret", "ID of the secret that provides the keyslot passphrase", CREATE_OPT_STRING, NULL },
	{ "nocow", "Turn off copy-on-write (valid only on btrfs)", CREATE_OPT_BOOL, NULL },
	{ "preallocation", "Preallocation mode (allowed values: off, falloc, full)", CREATE_OPT_STRING, NULL },
	{ "size", "Virtual disk size", CREATE_OPT_SIZE, NULL },
	{ NULL, NULL, CREATE_OPT_STRING, NULL },
};

static const struct create_opt luks_amend_opts[] = {
	{ "iter-time", "Time to spend in PBKDF in milliseconds", CREATE_OPT_NUMBER, NULL },
	{ "keyslot", "Select a single keyslot to modify explicitly", CREATE_OPT_NUMBER, NULL },
	{ "new-secret", "New secret to set in the matching keyslots. Empty string to erase", CREATE_OPT_STRING, NULL },
	{ "old-secret", "Select all keyslots that match this password", CREATE_OPT_STRING, NULL },
	{ "state", "Select new state of affected keyslots (active/inactive)", CREATE_OPT_STRING, NULL },
	{ NULL, NULL, CREATE_OPT_STRING, NULL },
};

const struct block_driver block_luks = {
	.name = "luks",
	.state_size = sizeof(struct luks_state),
	.noise_init = true,
	.magic = { { 0, "LUKS\xba\xbe\x00\x01", 8 } },
	.open = luks_drv_open,
	.close = luks_drv_close,
	.pread = luks_pread,
	.pwrite = luks_pwrite,
	.truncate = luks_truncate,
	.info = luks_drv_info,
	.info_specific = luks_info_specific,
	.create_opts = luks_create_opts,
	.create_how = luks_drv_create,
	.amend_opts = luks_amend_opts,
	.amend = luks_drv_amend,
	.measure = luks_measure,
};
