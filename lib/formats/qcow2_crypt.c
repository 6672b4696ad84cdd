// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * qcow2_crypt.c - guest data through a cipher.
 *
 * Method 2 keeps a LUKS header in clusters that a header extension names; sectors are numbered by where they lie in the
 * file.  Method 1, older and weak, has the passphrase itself for its key and numbers sectors as the guest does.  Only
 * data in whole clusters is encrypted: not metadata, and not what reads as zeros.
 *
 * A write of part of a sector reads it first; meanwhile nobody else writes.
 */
#include "qcow2.h"
#include "json.h"
#include "luks.h"

#include <inttypes.h>

enum { BOUNCE = 256 * 1024, METHOD_AES = 1, METHOD_LUKS = 2 };

/* ---- the LUKS header's place ---- */

static int io_range(const struct block *b, uint64_t off, size_t len, struct err *e)
{
	const struct qcow2_state *s = b->state;

	return range_in(off, len, s->crypto_len) ? 0 : err_set(e, ERR_CORRUPT, "past the end of the LUKS header");
}

static int io_read(void *arg, void *buf, size_t len, uint64_t off, struct err *e)
{
	const struct block *b = arg;
	int rc = io_range(b, off, len, e);

	return rc < 0 ? rc : block_pread(b->file, buf, len, qcow2_state(b)->crypto_off + off, e);
}

static int io_write(void *arg, const void *buf, size_t len, uint64_t off, struct err *e)
{
	const struct block *b = arg;
	int rc = io_range(b, off, len, e);

	return rc < 0 ? rc : block_pwrite(b->file, buf, len, qcow2_state(b)->crypto_off + off, e);
}

static int io_sync(void *arg, struct err *e)
{
	return block_flush(((const struct block *)arg)->file, e);
}

static struct luks_io luks_io_of(struct block *b)
{
	return (struct luks_io){ .read = io_read,
				 .write = block_writable(b->file) ? io_write : NULL,
				 .sync = io_sync,
				 .arg = b,
				 .size = qcow2_state(b)->crypto_len,
				 .embedded = true };
}

int qcow2_crypt_take_ext(struct block *b, const uint8_t *data, uint32_t len, struct err *e)
{
	struct qcow2_state *s = b->state;
	be64 x[2];

	if (s->crypt_method != METHOD_LUKS)
		return err_set(e, ERR_CORRUPT, "a LUKS header is named, but encryption is method %u", s->crypt_method);
	if (len != sizeof x)
		return err_set(e, ERR_CORRUPT, "encryption header extension of %" PRIu32 " bytes", len);
	memcpy(x, data, sizeof x);
	s->crypto_off = be64_get(x[0]);
	s->crypto_len = be64_get(x[1]);
	if ((s->crypto_off & (s->cluster_size - 1)) || s->crypto_off < s->cluster_size ||
	    !range_in(s->crypto_off, s->crypto_len, block_size(b->file)))
		return err_set(e, ERR_CORRUPT, "the LUKS header lies outside of the file");
	return 0;
}

/* ---- opening ---- */

static int open_luks(struct block *b, const char *secret, const struct block_env *env, struct err *e)
{
	struct qcow2_state *s = b->state;
	struct luks_io io = luks_io_of(b);
	int rc;

	if (!s->crypto_len)
		return err_set(e, ERR_CORRUPT, "encrypted with LUKS, but no LUKS header is named");
	rc = luks_open(&io, &s->luks, e);
	if (rc < 0)
		return rc;
	if (!secret)
		return 0;
	rc = luks_unlock_secret(s->luks, env->secrets, secret, e);
	s->crypt = rc == 0 ? s->luks->crypt : NULL;
	return rc;
}

static int open_legacy(struct block *b, const char *secret, const struct block_env *env, struct err *e)
{
	struct qcow2_state *s = b->state;
	const struct locked *pass;
	int rc;

	if (!secret)
		return 0;
	rc = secrets_find_text(env->secrets, secret, &pass, e);
	if (rc == 0)
		rc = crypt_new_legacy(pass->p, pass->len, &s->legacy, e);
	s->crypt = rc == 0 ? s->legacy : NULL;
	return rc;
}

int qcow2_crypt_open(struct block *b, struct dict *opts, const struct block_env *env, struct err *e)
{
	struct qcow2_state *s = b->state;
	CLEANUP(free_ptr) char *format = dict_take(opts, "encrypt.format");
	CLEANUP(free_ptr) char *secret = dict_take(opts, "encrypt.key-secret");
	const char *is = s->crypt_method == METHOD_AES ? "aes" : "luks";
	bool no_key = (env->flags & BLOCK_FACTS) || ((b->flags & BLOCK_CHECK) && !secret);
	int rc;

	if (pthread_rwlock_init(&s->crypt_lock, NULL) != 0)
		return err_nomem(e);
	s->crypt_lock_made = true;
	if (!s->crypt_method && (format || secret))
		return err_set(e, ERR_USAGE, "no encryption in image header, but options specified format '%s'",
			       format ? format : "luks");
	if (!s->crypt_method || s->crypt)
		return 0;
	if (format && strcmp(format, is) != 0)
		return err_set(e, ERR_USAGE, "header reported '%s' encryption format but options specify '%s'", is, format);
	if (!secret && !no_key)
		return err_set(e, ERR_USAGE, "parameter 'encrypt.key-secret' is required for cipher");
	if (no_key)
		free(take(secret));
	s->crypt_by_host = s->crypt_method == METHOD_LUKS;
	rc = s->crypt_by_host ? open_luks(b, secret, env, e) : open_legacy(b, secret, env, e);
	return rc;
}

void qcow2_crypt_close(struct qcow2_state *s)
{
	luks_free(s->luks);
	crypt_free(s->legacy);
	if (s->crypt_lock_made)
		pthread_rwlock_destroy(&s->crypt_lock);
}

void qcow2_crypt_info(const struct block *b, struct json *j)
{
	const struct qcow2_state *s = b->state;

	if (!s->crypt_method)
		return;
	json_object(j, "encrypt");
	if (s->luks)
		luks_info(s->luks, true, j);
	else
		json_str(j, "format", "aes");
	json_object_end(j);
}

int qcow2_crypt_amend(struct block *b, struct dict *opts, const struct block_amend_how *how, struct err *e)
{
	struct qcow2_state *s = b->state;

	if (!s->crypt_method)
		return err_set(e, ERR_USAGE, "can't amend encryption options - encryption not present");
	if (!s->luks)
		return err_set(e, ERR_UNSUPPORTED, "only LUKS encryption options can be amended for qcow2 with encryption");
	return luks_amend(s->luks, opts, how->secrets, how->force, e);
}

/* ---- creating ---- */

/* A LUKS header in clusters of its own, named by the first cluster. */
static int create_luks(struct block *b, const struct luks_create *c, const struct locked *pass, struct err *e)
{
	struct qcow2_state *s = b->state;
	struct qcow2_ext_edit edit = { .type = QCOW2_EXT_CRYPTO };
	uint64_t len = luks_header_bytes(c), n = div_round_up(len, s->cluster_size), off;
	struct luks_io io;
	be64 x[2];
	int rc = qcow2_begin_write(b, e);

	if (rc == 0)
		rc = qcow2_alloc(b, n, true, &off, NULL, NULL, e);
	if (rc == 0)
		rc = qcow2_write_refs(b, e);
	if (rc < 0)
		return rc;
	s->crypto_off = off;
	s->crypto_len = len;
	/* All of it is there, whatever the file beneath does with what is not written. */
	rc = block_zero(b->file, n << s->cluster_bits, off, BLOCK_ZERO_KEEP, e);
	io = luks_io_of(b);
	if (rc == 0)
		rc = luks_create(&io, c, pass->p, pass->len, &s->luks, e);
	if (rc < 0)
		return rc;
	be64_put(&x[0], off);
	be64_put(&x[1], len);
	edit.data = x;
	edit.len = sizeof x;
	s->crypt = s->luks->crypt;
	s->crypt_method = METHOD_LUKS;
	s->crypt_by_host = true;
	return qcow2_header_edit(b, &edit, 1, e);
}

int qcow2_crypt_create(struct block *b, const struct qcow2_crypt_plan *p, const struct secrets *secrets, struct err *e)
{
	struct qcow2_state *s = b->state;
	const struct locked *pass;
	int rc;

	if (!p->method)
		return 0;
	rc = secrets_find_text(secrets, p->secret, &pass, e);
	pthread_mutex_lock(&s->lock);
	if (rc == 0 && p->method == METHOD_LUKS)
		rc = create_luks(b, p->luks, pass, e);
	else if (rc == 0)
		rc = crypt_new_legacy(pass->p, pass->len, &s->legacy, e);
	if (rc == 0 && p->method == METHOD_AES) {
		s->crypt = s->legacy;
		s->crypt_method = METHOD_AES;
		rc = qcow2_header_write(b, e);
	}
	pthread_mutex_unlock(&s->lock);
	return rc;
}

void qcow2_crypt_plan_free(struct qcow2_crypt_plan *p)
{
	if (p->luks)
		luks_create_free(p->luks);
	free(p->luks);
	free(p->secret);
}

int qcow2_crypt_take(struct dict *opts, struct qcow2_crypt_plan *p, struct err *e)
{
	CLEANUP(dict_free) struct dict sub = DICT_INIT;
	CLEANUP(free_ptr) char *format = NULL;
	bool on = false;
	int rc = dict_take_bool(opts, "encryption", &on, e);

	*p = (struct qcow2_crypt_plan){ .method = 0 };
	if (rc == 0)
		rc = dict_take_sub(opts, "encrypt", &sub, e);
	if (rc < 0)
		return rc;
	format = dict_take(&sub, "format");
	if (on && format)
		return err_set(e, ERR_USAGE, "options \"encryption\" and \"encrypt.format\" are mutually exclusive");
	if (!on && !format)
		return sub.n ? err_set(e, ERR_USAGE, "parameter 'encrypt.format' is missing") : 0;
	if (format && strcmp(format, "luks") == 0) {
		p->luks = alloc_zero(sizeof *p->luks);
		if (!p->luks)
			return err_nomem(e);
		*p->luks = (struct luks_create)LUKS_CREATE_INIT;
		rc = luks_create_take(p->luks, &sub, e);
		p->secret = take(p->luks->key_secret);
		p->method = METHOD_LUKS;
		p->header_bytes = rc == 0 ? luks_header_bytes(p->luks) : 0;
	} else if (!format || strcmp(format, "aes") == 0) {
		p->secret = dict_take(&sub, "key-secret");
		p->method = METHOD_AES;
	} else {
		return err_set(e, ERR_USAGE, "parameter 'format' does not accept value '%s'", format);
	}
	if (rc == 0 && dict_first_key(&sub))
		rc = err_set(e, ERR_USAGE, "invalid parameter 'encrypt.%s'", dict_first_key(&sub));
	if (rc == 0 && !p->secret)
		rc = err_set(e, ERR_USAGE, "parameter 'encrypt.key-secret' is required for cipher");
	return rc;
}

/* ---- data: without the lock ---- */

static int need_key(const struct block *b, struct err *e)
{
	return qcow2_state(b)->crypt ? 0 : err_set(e, ERR_USAGE, "%s: opened without its key, for facts only", b->name);
}

int qcow2_data_read(struct block *b, void *buf, size_t len, uint64_t host, uint64_t guest, struct err *e)
{
	struct qcow2_state *s = b->state;
	size_t lead = guest % CRYPT_SECTOR, whole = (size_t)round_up(lead + len, CRYPT_SECTOR);
	CLEANUP(free_ptr) uint8_t *bounce = NULL;
	uint8_t *to = buf;
	int rc;

	if (!s->crypt_method)
		return qcow2_read_file(qcow2_data(b), buf, len, host, e);
	if ((rc = need_key(b, e)) < 0)
		return rc;
	if (whole != len) {
		to = bounce = alloc_bytes(whole);
		if (!bounce)
			return err_nomem(e);
	}
	host -= lead;
	guest -= lead;
	rc = qcow2_read_file(qcow2_data(b), to, whole, host, e);
	if (rc == 0)
		rc = crypt_sectors(s->crypt, false, to, to, whole, s->crypt_by_host ? host : guest, e);
	if (rc == 0 && bounce)
		memcpy(buf, bounce + lead, len);
	return rc;
}

int qcow2_data_write(struct block *b, const void *buf, size_t len, uint64_t host, uint64_t guest, struct err *e)
{
	struct qcow2_state *s = b->state;
	CLEANUP(free_ptr) uint8_t *bounce = NULL;
	const uint8_t *from = buf;
	int rc;

	if (!s->crypt_method)
		return block_pwrite(qcow2_data(b), buf, len, host, e);
	if ((rc = need_key(b, e)) < 0)
		return rc;
	bounce = alloc_aligned(4096, MIN_OF(round_up(len, 4096), (uint64_t)BOUNCE));
	if (!bounce)
		return err_nomem(e);
	while (rc == 0 && len) {
		size_t n = MIN_OF(len, (size_t)BOUNCE);

		rc = crypt_sectors(s->crypt, true, bounce, from, n, s->crypt_by_host ? host : guest, e);
		if (rc == 0)
			rc = block_pwrite(qcow2_data(b), bounce, n, host, e);
		from += n;
		host += n;
		guest += n;
		len -= n;
	}
	return rc;
}

/* Part of one sector. */
static int write_part(struct block *b, const uint8_t *buf, size_t len, uint64_t off, struct err *e)
{
	uint64_t start = round_down(off, CRYPT_SECTOR);
	uint8_t sector[CRYPT_SECTOR];
	int rc = qcow2_pread(b, sector, sizeof sector, start, e);

	if (rc == 0) {
		memcpy(sector + (off - start), buf, len);
		rc = qcow2_write_sectors(b, sector, sizeof sector, start, e);
	}
	explicit_bzero(sector, sizeof sector);
	return rc;
}

int qcow2_pwrite_encrypted(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e)
{
	struct qcow2_state *s = b->state;
	const uint8_t *from = buf;
	int rc = need_key(b, e);

	if (rc < 0)
		return rc;
	if ((off | len) % CRYPT_SECTOR)
		pthread_rwlock_wrlock(&s->crypt_lock);
	else
		pthread_rwlock_rdlock(&s->crypt_lock);
	while (rc == 0 && len) {
		size_t in = off % CRYPT_SECTOR, n = MIN_OF(len, CRYPT_SECTOR - in);

		if (n == CRYPT_SECTOR) {
			n = len - len % CRYPT_SECTOR;
			rc = qcow2_write_sectors(b, from, n, off, e);
		} else {
			rc = write_part(b, from, n, off, e);
		}
		from += n;
		off += n;
		len -= n;
	}
	pthread_rwlock_unlock(&s->crypt_lock);
	return rc;
}
