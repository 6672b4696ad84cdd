/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * luks_disk.c - a volume as pieces one behind the other: the payload of version 1, the segments of version 2.
 *
 * Reading decrypts in the caller's buffer; only what is less than a sector, at both ends, goes by way of another.  Writing
 * encrypts in a buffer of its own; a sector of which only a part is written is read before, and nobody writes meanwhile.
 */
#include "luks_disk.h"

#include "alloc.h"
#include "block_driver.h"
#include "checked.h"
#include "json.h"
#include "limits.h"
#include "luks2.h"
#include "luks_ondisk.h"

#include <ctype.h>
#include <inttypes.h>
#include <pthread.h>

struct piece {
	uint64_t start, len; /* in what is shown */
	uint64_t off;	     /* in the data */
	uint64_t iv_off;     /* bytes before the first, as far as the sectors' numbers go */
	bool encrypted;
	struct crypt_spec spec;
	struct crypt *crypt; /* NULL while locked */
};

struct luks_disk {
	struct block *header, *data; /* one reference each */
	unsigned version;
	struct luks *v1;
	struct luks2 *v2;
	struct piece pieces[LUKS2_SEGMENTS];
	unsigned npieces;
	uint64_t size;
	char uuid[41]; /* "" where it is not one */
};

static int header_pread(void *arg, void *buf, size_t len, uint64_t off, struct err *e)
{
	return block_pread(arg, buf, len, off, e);
}

/* ---- life ---- */

void luks_disk_free(struct luks_disk *d)
{
	if (!d)
		return;
	for (unsigned i = 0; i < d->npieces; i++)
		crypt_free(d->pieces[i].crypt);
	luks_free(d->v1);
	luks2_free(d->v2);
	block_unref(d->header);
	block_unref(d->data);
	free(d);
}

void luks_disk_freep(struct luks_disk **d)
{
	luks_disk_free(*d);
	*d = NULL;
}

/* Whole sectors up to the end of the data. */
static uint64_t rest_of(const struct luks_disk *d, uint64_t off, uint64_t sector)
{
	return round_down(block_size(d->data) - off, sector);
}

/* size UINT64_MAX: all that there is. */
static int piece_add(struct luks_disk *d, const struct piece *p, uint64_t size, struct err *e)
{
	uint64_t end = block_size(d->data), sector = p->spec.sector ? p->spec.sector : CRYPT_SECTOR;
	struct piece *to = &d->pieces[d->npieces];

	if (p->off > end)
		return err_set(e, ERR_CORRUPT, "the encrypted data begins at %" PRIu64 ", past the end (%" PRIu64 " bytes)",
			       p->off, end);
	if (size != UINT64_MAX && !range_in(p->off, size, end))
		return err_set(e, ERR_CORRUPT,
			       "the encrypted data (%" PRIu64 " bytes at %" PRIu64 ") goes past the end (%" PRIu64 " bytes)",
			       size, p->off, end);
	*to = *p;
	to->start = d->size;
	to->len = size == UINT64_MAX ? rest_of(d, p->off, sector) : size;
	if (!checked_add(d->size, to->len, &d->size) || d->size > LIMIT_IMAGE_SIZE)
		return err_set(e, ERR_LIMIT, "the encrypted data is larger than any disk");
	d->npieces++;
	return 0;
}

static int open_v1(struct luks_disk *d, struct luks_io *io, struct err *e)
{
	int rc = luks_open(io, &d->v1, e);
	struct piece p = { .encrypted = true };

	if (rc < 0)
		return rc;
	p.off = d->v1->facts.payload_off;
	p.spec = d->v1->facts.spec;
	return piece_add(d, &p, UINT64_MAX, e);
}

static int open_v2(struct luks_disk *d, struct luks_io *io, struct err *e)
{
	int rc = luks2_open(io, &d->v2, e);

	for (unsigned i = 0; rc == 0 && i < d->v2->facts.nsegments; i++) {
		const struct luks2_segment *s = &d->v2->facts.segments[i];
		const struct piece p = { .encrypted = s->encrypted, .off = s->off, .iv_off = s->iv_tweak * CRYPT_SECTOR,
					 .spec = s->spec };

		rc = piece_add(d, &p, s->size, e);
	}
	return rc;
}

/* Names are made of it: nothing but what UUIDs are made of. */
static void uuid_take(struct luks_disk *d, const char *uuid)
{
	size_t n = 0;

	for (; uuid[n]; n++)
		if (uuid[n] != '-' && !isxdigit((unsigned char)uuid[n]))
			return;
	if (n == 36)
		memcpy(d->uuid, uuid, n + 1);
}

/* ERR_NOT_FOUND when no header is there. */
static int find_version(struct luks_disk *d, const struct luks_io *io, struct err *e)
{
	uint8_t head[8];
	int rc;

	if (io->size < sizeof head)
		return err_set(e, ERR_NOT_FOUND, "no LUKS header");
	if ((rc = io->read(io->arg, head, sizeof head, 0, e)) < 0)
		return rc;
	if (luks_magic(head, sizeof head)) {
		d->version = luks_version(head);
		return d->version == 1 || d->version == 2 ? 0
							   : err_set(e, ERR_UNSUPPORTED, "LUKS of version %u", d->version);
	}
	d->version = 2;
	rc = luks2_is_headless(io, e);
	return rc != 0 ? MIN_OF(rc, 0) : err_set(e, ERR_NOT_FOUND, "no LUKS header");
}

int luks_disk_open(struct block *header, struct block *data, struct luks_disk **out, struct err *e)
{
	CLEANUP(luks_disk_freep) struct luks_disk *d = alloc_zero(sizeof *d);
	struct luks_io io = { .read = header_pread, .arg = header, .size = block_size(header), .detached = data != NULL };
	int rc;

	if (!d)
		return err_nomem(e);
	d->header = block_ref(header);
	d->data = block_ref(data ? data : header);
	if ((rc = find_version(d, &io, e)) < 0 || (rc = (d->version == 1 ? open_v1 : open_v2)(d, &io, e)) < 0)
		return rc;
	uuid_take(d, d->v1 ? d->v1->facts.uuid : d->v2->facts.uuid);
	*out = take(d);
	return 0;
}

/* ---- facts ---- */

unsigned luks_disk_version(const struct luks_disk *d)
{
	return d->version;
}

const char *luks_disk_uuid(const struct luks_disk *d)
{
	return d->uuid;
}

const char *luks_disk_notice(const struct luks_disk *d)
{
	return d->v2 && *d->v2->notice ? d->v2->notice : NULL;
}

uint64_t luks_disk_size(const struct luks_disk *d)
{
	return d->size;
}

static const char *kdf_name(const struct kdf *k)
{
	static const char *const names[] = { "pbkdf2", "argon2i", "argon2id" };

	return names[k->alg];
}

static void slot_info(const struct luks2_slot *s, unsigned i, struct json *j)
{
	json_object(j, NULL);
	json_u64(j, "number", i);
	json_u64(j, "priority", s->priority);
	if (*s->why) {
		json_str(j, "unusable", s->why);
		json_object_end(j);
		return;
	}
	json_u64(j, "key-bytes", s->key_bytes);
	json_str(j, "kdf", kdf_name(&s->kdf));
	if (s->kdf.alg == KDF_PBKDF2) {
		json_str(j, "hash-alg", hash_name(s->kdf.hash));
		json_u64(j, "iters", s->kdf.cost);
	} else {
		json_u64(j, "passes", s->kdf.cost);
		json_u64(j, "memory", s->kdf.memory * KiB);
		json_u64(j, "threads", s->kdf.lanes);
	}
	json_u64(j, "key-offset", s->off);
	json_u64(j, "stripes", s->stripes);
	json_object_end(j);
}

static void segment_info(const struct luks2_segment *s, struct json *j)
{
	char cipher[32], mode[32];
	CLEANUP(free_ptr) char *both = NULL;

	json_object(j, NULL);
	json_u64(j, "offset", s->off);
	if (s->size != UINT64_MAX)
		json_u64(j, "size", s->size);
	if (s->encrypted) {
		crypt_spec_to_luks(&s->spec, cipher, mode);
		both = alloc_printf("%s-%s", cipher, mode);
		json_str(j, "cipher", both ? both : cipher);
		json_u64(j, "sector", s->spec.sector);
	}
	json_object_end(j);
}

void luks_disk_info(const struct luks_disk *d, struct json *j)
{
	const struct luks2_facts *f = &d->v2->facts;

	json_u64(j, "version", d->version);
	json_str(j, "uuid", f->uuid);
	if (*f->label)
		json_str(j, "label", f->label);
	json_array(j, "segments");
	for (unsigned i = 0; i < f->nsegments; i++)
		segment_info(&f->segments[i], j);
	json_array_end(j);
	json_array(j, "slots");
	for (unsigned i = 0; i < LUKS2_SLOTS; i++)
		if (f->slots[i].bound)
			slot_info(&f->slots[i], i, j);
	json_array_end(j);
}

/* ---- the key ---- */

uint64_t luks_disk_work(const struct luks_disk *d)
{
	return d->v1 ? luks_work(d->v1) : luks2_work(d->v2);
}

int luks_disk_unlock(struct luks_disk *d, const void *pass, size_t len, struct err *e)
{
	int rc = d->v1 ? luks_unlock(d->v1, pass, len, e) : luks2_unlock(d->v2, pass, len, e);
	struct locked *key = d->v1 ? &d->v1->key : &d->v2->key;

	for (unsigned i = 0; rc == 0 && i < d->npieces; i++) {
		struct piece *p = &d->pieces[i];

		if (p->encrypted && !p->crypt)
			rc = crypt_new(&p->spec, key->p, &p->crypt, e);
	}
	/* The ciphers have their own copies, and nothing is left to ask of these. */
	locked_free(key);
	if (d->v1) {
		crypt_free(d->v1->crypt);
		d->v1->crypt = NULL;
	}
	return rc;
}

/* ---- data ---- */

static int sectors_read(const struct luks_disk *d, const struct piece *p, uint8_t *buf, size_t len, uint64_t off,
			struct err *e)
{
	int rc = block_pread(d->data, buf, len, p->off + off, e);

	return rc < 0 || !p->encrypted ? rc : crypt_sectors(p->crypt, false, buf, buf, len, p->iv_off + off, e);
}

/* off and len lie in the piece, which is whole sectors long. */
static int piece_read(const struct luks_disk *d, const struct piece *p, uint8_t *to, size_t len, uint64_t off, struct err *e)
{
	size_t size = p->spec.sector ? p->spec.sector : CRYPT_SECTOR;
	uint8_t sector[CRYPT_SECTOR_MAX];
	int rc = 0;

	if (!p->encrypted)
		return sectors_read(d, p, to, len, off, e);
	if (!p->crypt)
		return err_set(e, ERR_USAGE, "opened without its key, for facts only");
	while (rc == 0 && len) {
		size_t in = (size_t)(off % size), n = MIN_OF(len, size - in);

		if (n == size) {
			n = len - len % size;
			rc = sectors_read(d, p, to, n, off, e);
		} else {
			rc = sectors_read(d, p, sector, size, off - in, e);
			if (rc == 0)
				memcpy(to, sector + in, n);
		}
		to += n;
		off += n;
		len -= n;
	}
	explicit_bzero(sector, sizeof sector);
	return rc;
}

int luks_disk_pread(const struct luks_disk *d, void *buf, size_t len, uint64_t off, struct err *e)
{
	uint8_t *to = buf;

	for (unsigned i = 0; i < d->npieces && len; i++) {
		const struct piece *p = &d->pieces[i];
		size_t n;
		int rc;

		if (off >= p->start + p->len)
			continue;
		n = (size_t)MIN_OF((uint64_t)len, p->start + p->len - off);
		if ((rc = piece_read(d, p, to, n, off - p->start, e)) < 0)
			return rc;
		to += n;
		off += n;
		len -= n;
	}
	return 0;
}

/* ---- as a block ---- */

struct luks_data {
	struct luks_disk *disk;
	pthread_rwlock_t lock; /* who writes a part of a sector keeps other writers out */
	bool lock_made;
};

enum { BOUNCE = 256 * 1024 };

/* off and len lie in the piece. */
static int piece_write(const struct luks_disk *d, const struct piece *p, const uint8_t *from, size_t len, uint64_t off,
		       uint8_t *bounce, struct err *e)
{
	const size_t size = p->spec.sector ? p->spec.sector : CRYPT_SECTOR;
	int rc = 0;

	while (rc == 0 && len) {
		const size_t in = (size_t)(off % size);
		size_t n = MIN_OF(len, size - in), whole = size;

		if (n == size) {
			n = whole = MIN_OF(len - len % size, (size_t)BOUNCE);
			rc = crypt_sectors(p->crypt, true, bounce, from, n, p->iv_off + off, e);
		} else {
			rc = sectors_read(d, p, bounce, size, off - in, e);
			if (rc == 0) {
				memcpy(bounce + in, from, n);
				rc = crypt_sectors(p->crypt, true, bounce, bounce, size, p->iv_off + off - in, e);
			}
		}
		if (rc == 0)
			rc = block_pwrite(d->data, bounce, whole, p->off + off - in, e);
		from += n;
		off += n;
		len -= n;
	}
	return rc;
}

/* Of one piece, as luks_disk_block() has seen to. */
static int luks_data_pwrite(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e)
{
	struct luks_data *s = b->state;
	const struct piece *p = s->disk->pieces;
	const size_t size = p->spec.sector ? p->spec.sector : CRYPT_SECTOR;
	CLEANUP(free_ptr) uint8_t *bounce = alloc_aligned(4096, MIN_OF(round_up(len, CRYPT_SECTOR_MAX), (uint64_t)BOUNCE));
	int rc;

	if (!bounce)
		return err_nomem(e);
	if (off % size || len % size)
		pthread_rwlock_wrlock(&s->lock);
	else
		pthread_rwlock_rdlock(&s->lock);
	rc = piece_write(s->disk, p, buf, len, off, bounce, e);
	pthread_rwlock_unlock(&s->lock);
	explicit_bzero(bounce, MIN_OF(round_up(len, CRYPT_SECTOR_MAX), (uint64_t)BOUNCE));
	return rc;
}

static int luks_data_pread(struct block *b, void *buf, size_t len, uint64_t off, struct err *e)
{
	const struct luks_data *s = b->state;

	return luks_disk_pread(s->disk, buf, len, off, e);
}

static void luks_data_close(struct block *b)
{
	struct luks_data *s = b->state;

	if (s->lock_made)
		pthread_rwlock_destroy(&s->lock);
	luks_disk_free(s->disk);
}

static const struct block_driver luks_data_driver = {
	.name = "luks-data",
	.state_size = sizeof(struct luks_data),
	.pread = luks_data_pread,
	.pwrite = luks_data_pwrite,
	.close = luks_data_close,
};

int luks_disk_block(struct luks_disk *d, struct block **out, struct err *e)
{
	struct luks_data *s;
	struct block *b;
	int rc = block_new_filter(&luks_data_driver, d->data, &b, e);

	if (rc < 0)
		return rc;
	s = b->state;
	if (pthread_rwlock_init(&s->lock, NULL) != 0) {
		block_unref(b);
		return err_nomem(e);
	}
	s->lock_made = true;
	s->disk = d;
	b->size = d->size;
	b->flags &= ~(unsigned)BLOCK_RESIZE;
	/* Several, or one that is not encrypted, are what is left of other times. */
	if (d->npieces != 1 || !d->pieces->encrypted || !d->pieces->crypt)
		b->flags &= ~(unsigned)BLOCK_WRITE;
	*out = b;
	return 0;
}
