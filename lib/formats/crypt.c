/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * crypt.c - libcrypto's ciphers, one sector at a time.
 *
 * A cipher context costs a key schedule, and one context serves one thread at a time.  So contexts are made when they
 * are needed, and wait in a list between two calls: there are never more than threads were once at work.
 *
 * libcrypto lacks two pairs that images have: AES-192 in XTS and CAST5 in CTR mode.  Both modes are a few lines over
 * the bare cipher (ECB).
 */
#include "crypt.h"

#include "alloc.h"
#include "checked.h"
#include "locked.h"
#include "ondisk.h"
#include "text.h"

#include <openssl/evp.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <stdio.h>

enum { BLOCK_MAX = 16 };

struct alg {
	const char *name, *luks, *evp; /* evp: before the mode */
	size_t key, block;	       /* bytes */
};
static const struct alg algs[CRYPT_ALG_N] = {
	[CRYPT_AES_128] = { "aes-128", "aes", "AES-128", 16, 16 },
	[CRYPT_AES_192] = { "aes-192", "aes", "AES-192", 24, 16 },
	[CRYPT_AES_256] = { "aes-256", "aes", "AES-256", 32, 16 },
	[CRYPT_CAST5_128] = { "cast5-128", "cast5", "CAST5", 16, 8 },
};
static const char *const modes[CRYPT_MODE_N] = { "ecb", "cbc", "xts", "ctr" };
static const char *const evp_modes[CRYPT_MODE_N] = { "ECB", "CBC", "XTS", "CTR" };
static const char *const ivgens[CRYPT_IVGEN_N] = { "plain", "plain64", "essiv" };
static const char *const foreign[] = { "3des",	      "des-rfb",     "serpent-128", "serpent-192",
				       "serpent-256", "twofish-128", "twofish-192", "twofish-256" };

/* ---- names ---- */

const char *crypt_alg_name(enum crypt_alg alg)
{
	return algs[alg].name;
}

const char *crypt_mode_name(enum crypt_mode mode)
{
	return modes[mode];
}

const char *crypt_ivgen_name(enum crypt_ivgen ivgen)
{
	return ivgens[ivgen];
}

int crypt_find_alg(const char *name, enum crypt_alg *out, struct err *e)
{
	for (unsigned i = 0; i < CRYPT_ALG_N; i++)
		if (strcmp(algs[i].name, name) == 0) {
			*out = (enum crypt_alg)i;
			return 0;
		}
	for (size_t i = 0; i < ARRAY_LEN(foreign); i++)
		if (strcmp(foreign[i], name) == 0)
			return err_set(e, ERR_UNSUPPORTED, "algorithm '%s' not supported: aes and cast5 are", name);
	return err_set(e, ERR_USAGE, "parameter 'cipher-alg' does not accept value '%s'", name);
}

static bool find_name(const char *const *names, unsigned n, const char *name, unsigned *out)
{
	for (unsigned i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0) {
			*out = i;
			return true;
		}
	return false;
}

bool crypt_find_mode(const char *name, enum crypt_mode *out)
{
	unsigned i;

	if (!find_name(modes, CRYPT_MODE_N, name, &i))
		return false;
	*out = (enum crypt_mode)i;
	return true;
}

bool crypt_find_ivgen(const char *name, enum crypt_ivgen *out)
{
	unsigned i;

	if (!find_name(ivgens, CRYPT_IVGEN_N, name, &i))
		return false;
	*out = (enum crypt_ivgen)i;
	return true;
}

size_t crypt_key_bytes(const struct crypt_spec *s)
{
	return algs[s->alg].key * (s->mode == CRYPT_XTS ? 2 : 1);
}

/* The cipher that encrypts the vectors of ESSIV: as the bulk's, with the hash as its key. */
static bool essiv_alg(const struct crypt_spec *s, enum crypt_alg *out)
{
	for (unsigned i = 0; i < CRYPT_ALG_N; i++)
		if (strcmp(algs[i].luks, "aes") == 0 && algs[i].key == hash_size(s->ivgen_hash)) {
			*out = (enum crypt_alg)i;
			return true;
		}
	return false;
}

static size_t sector_bytes(const struct crypt_spec *s)
{
	return s->sector ? s->sector : CRYPT_SECTOR;
}

int crypt_judge(const struct crypt_spec *s, struct err *e)
{
	enum crypt_alg iv_alg;

	if (!is_pow2(sector_bytes(s)) || sector_bytes(s) < CRYPT_SECTOR || sector_bytes(s) > CRYPT_SECTOR_MAX)
		return err_set(e, ERR_CORRUPT, "encrypted sectors of %u bytes: it is 512, 1024, 2048 or 4096", s->sector);
	if (s->mode == CRYPT_XTS && algs[s->alg].block != BLOCK_MAX)
		return err_set(e, ERR_UNSUPPORTED,
			       "unsupported cipher mode xts: %s has blocks of %zu bytes, xts wants %d",
			       algs[s->alg].name, algs[s->alg].block, BLOCK_MAX);
	if (s->ivgen != CRYPT_ESSIV)
		return 0;
	if (!s->has_ivgen_hash)
		return err_set(e, ERR_UNSUPPORTED, "essiv without a hash");
	if (algs[s->alg].block != BLOCK_MAX)
		return err_set(e, ERR_UNSUPPORTED, "algorithm '%s' not supported with essiv", algs[s->alg].name);
	if (!essiv_alg(s, &iv_alg))
		return err_set(e, ERR_UNSUPPORTED,
			       "no AES cipher with key size %zu available: essiv takes the %s as its key",
			       hash_size(s->ivgen_hash), hash_name(s->ivgen_hash));
	return 0;
}

void crypt_spec_to_luks(const struct crypt_spec *s, char *cipher, char *mode)
{
	snprintf(cipher, 32, "%s", algs[s->alg].luks);
	snprintf(mode, 32, "%s-%s%s%s", modes[s->mode], ivgens[s->ivgen], s->has_ivgen_hash ? ":" : "",
		 s->has_ivgen_hash ? hash_name(s->ivgen_hash) : "");
}

/* The header's words in an error. */
static int refuse(const char *cipher, const char *mode, enum err_code code, const char *why, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf shown = STRBUF_INIT;

	text_quote(&shown, cipher, strlen(cipher));
	strbuf_putc(&shown, '-');
	text_quote(&shown, mode, strlen(mode));
	return err_set(e, code, "encryption with %s: %s", shown.s, why);
}

int crypt_spec_from_luks(const char *cipher, const char *mode, size_t key_bytes, struct crypt_spec *out, struct err *e)
{
	char text[32], *ivgen, *hash;
	unsigned i;

	*out = (struct crypt_spec){ .ivgen = CRYPT_PLAIN64 };
	snprintf(text, sizeof text, "%s", mode);
	ivgen = strchr(text, '-');
	if (ivgen)
		*ivgen++ = '\0';
	hash = ivgen ? strchr(ivgen, ':') : NULL;
	if (hash)
		*hash++ = '\0';
	out->has_ivgen_hash = hash != NULL;
	if (!crypt_find_mode(text, &out->mode))
		return refuse(cipher, mode, ERR_UNSUPPORTED, "the mode is not known here", e);
	if (ivgen ? !crypt_find_ivgen(ivgen, &out->ivgen) : out->mode != CRYPT_ECB)
		return refuse(cipher, mode, ERR_UNSUPPORTED, "how its vectors are made is not known here", e);
	if (hash && !hash_find(hash, &out->ivgen_hash))
		return refuse(cipher, mode, ERR_UNSUPPORTED, "the hash of its vectors is not known here", e);
	for (i = 0; i < CRYPT_ALG_N && strcmp(algs[i].luks, cipher) != 0; i++)
		;
	if (i == CRYPT_ALG_N)
		return refuse(cipher, mode, ERR_UNSUPPORTED, "of the ciphers, aes and cast5 are known here", e);
	for (; i < CRYPT_ALG_N; i++) {
		out->alg = (enum crypt_alg)i;
		if (strcmp(algs[i].luks, cipher) == 0 && crypt_key_bytes(out) == key_bytes)
			return crypt_judge(out, e);
	}
	return refuse(cipher, mode, ERR_CORRUPT, "there is no key of the length that the header gives", e);
}

/* ---- the object ---- */

/* What one thread works with. */
struct lane {
	EVP_CIPHER_CTX *bulk[2]; /* decrypting, encrypting */
	EVP_CIPHER_CTX *tweak;	 /* of XTS, where it is ours */
	EVP_CIPHER_CTX *iv;	 /* of ESSIV */
	struct lane *next;
};

struct crypt {
	struct crypt_spec spec;
	bool native; /* libcrypto knows the mode; else cipher is the bare one */
	size_t block;
	OSSL_LIB_CTX *lib;
	OSSL_PROVIDER *base, *legacy;
	EVP_CIPHER *cipher, *iv_cipher;
	struct locked key, iv_key;
	pthread_mutex_t lock; /* of idle */
	bool lock_made;
	struct lane *idle;
};

static void lane_free(struct lane *l)
{
	if (!l)
		return;
	EVP_CIPHER_CTX_free(l->bulk[0]);
	EVP_CIPHER_CTX_free(l->bulk[1]);
	EVP_CIPHER_CTX_free(l->tweak);
	EVP_CIPHER_CTX_free(l->iv);
	free(l);
}

void crypt_free(struct crypt *c)
{
	if (!c)
		return;
	for (struct lane *l = c->idle, *next; l; l = next) {
		next = l->next;
		lane_free(l);
	}
	EVP_CIPHER_free(c->cipher);
	EVP_CIPHER_free(c->iv_cipher);
	if (c->legacy)
		OSSL_PROVIDER_unload(c->legacy);
	if (c->base)
		OSSL_PROVIDER_unload(c->base);
	OSSL_LIB_CTX_free(c->lib);
	locked_free(&c->key);
	locked_free(&c->iv_key);
	if (c->lock_made)
		pthread_mutex_destroy(&c->lock);
	free(c);
}

void crypt_freep(struct crypt **c)
{
	crypt_free(*c);
	*c = NULL;
}

static int fetch(struct crypt *c, enum crypt_alg alg, enum crypt_mode mode, EVP_CIPHER **out, struct err *e)
{
	char name[24];

	snprintf(name, sizeof name, "%s-%s", algs[alg].evp, evp_modes[mode]);
	*out = EVP_CIPHER_fetch(c->lib, name, NULL);
	if (!*out)
		return err_set(e, ERR_UNSUPPORTED, "this machine's libcrypto has no %s", name);
	return 0;
}

/* A library context of our own: what the machine's openssl.cnf says about TLS is no matter of disks. */
static int load_ciphers(struct crypt *c, struct err *e)
{
	enum crypt_alg iv_alg;
	int rc;

	c->lib = OSSL_LIB_CTX_new();
	if (!c->lib)
		return err_nomem(e);
	c->base = OSSL_PROVIDER_load(c->lib, "default");
	if (!c->base)
		return err_set(e, ERR_UNSUPPORTED, "this machine's libcrypto has no default provider");
	if (c->spec.alg == CRYPT_CAST5_128) {
		c->legacy = OSSL_PROVIDER_load(c->lib, "legacy");
		if (!c->legacy)
			return err_set(e, ERR_UNSUPPORTED,
				       "cast5 needs libcrypto's legacy provider, which cannot be loaded");
	}
	c->native = !(c->spec.alg == CRYPT_AES_192 && c->spec.mode == CRYPT_XTS) &&
		    !(c->spec.alg == CRYPT_CAST5_128 && c->spec.mode == CRYPT_CTR);
	rc = fetch(c, c->spec.alg, c->native ? c->spec.mode : CRYPT_ECB, &c->cipher, e);
	if (rc == 0 && c->spec.ivgen == CRYPT_ESSIV && essiv_alg(&c->spec, &iv_alg))
		rc = fetch(c, iv_alg, CRYPT_ECB, &c->iv_cipher, e);
	return rc;
}

int crypt_new(const struct crypt_spec *s, const uint8_t *key, struct crypt **out, struct err *e)
{
	CLEANUP(crypt_freep) struct crypt *c = NULL;
	size_t len = crypt_key_bytes(s);
	int rc = crypt_judge(s, e);

	if (rc < 0)
		return rc;
	c = alloc_zero(sizeof *c);
	if (!c)
		return err_nomem(e);
	c->spec = *s;
	c->block = algs[s->alg].block;
	if (pthread_mutex_init(&c->lock, NULL) != 0)
		return err_nomem(e);
	c->lock_made = true;
	if (!locked_copy(&c->key, key, len))
		return err_nomem(e);
	if ((rc = load_ciphers(c, e)) < 0)
		return rc;
	if (s->ivgen == CRYPT_ESSIV) {
		if (!locked_alloc(&c->iv_key, hash_size(s->ivgen_hash)))
			return err_nomem(e);
		hash_two(s->ivgen_hash, key, len, NULL, 0, c->iv_key.p);
	}
	*out = take(c);
	return 0;
}

int crypt_new_legacy(const void *pass, size_t len, struct crypt **out, struct err *e)
{
	static const struct crypt_spec spec = { .alg = CRYPT_AES_128, .mode = CRYPT_CBC, .ivgen = CRYPT_PLAIN64 };
	CLEANUP(locked_free) struct locked key = LOCKED_INIT;

	if (!locked_alloc(&key, 16))
		return err_nomem(e);
	memcpy(key.p, pass, MIN_OF(len, key.len));
	return crypt_new(&spec, key.p, out, e);
}

/* ---- lanes ---- */

static int new_context(EVP_CIPHER *cipher, const uint8_t *key, bool encrypt, EVP_CIPHER_CTX **out, struct err *e)
{
	*out = EVP_CIPHER_CTX_new();
	if (!*out)
		return err_nomem(e);
	if (EVP_CipherInit_ex2(*out, cipher, key, NULL, encrypt, NULL) != 1 || EVP_CIPHER_CTX_set_padding(*out, 0) != 1)
		return err_set(e, ERR_UNSUPPORTED, "libcrypto does not take the key for %s",
			       EVP_CIPHER_get0_name(cipher));
	return 0;
}

static int lane_get(struct crypt *c, bool encrypt, struct lane **out, struct err *e)
{
	/* In CTR mode of our own both ways are the same one. */
	bool way = encrypt || (!c->native && c->spec.mode == CRYPT_CTR);
	struct lane *l = NULL;
	int rc = 0;

	pthread_mutex_lock(&c->lock);
	l = c->idle;
	if (l)
		c->idle = l->next;
	pthread_mutex_unlock(&c->lock);
	if (!l && !(l = alloc_zero(sizeof *l)))
		return err_nomem(e);
	if (!l->bulk[encrypt])
		rc = new_context(c->cipher, c->key.p, way, &l->bulk[encrypt], e);
	if (rc == 0 && !c->native && c->spec.mode == CRYPT_XTS && !l->tweak)
		rc = new_context(c->cipher, c->key.p + c->key.len / 2, true, &l->tweak, e);
	if (rc == 0 && c->iv_cipher && !l->iv)
		rc = new_context(c->iv_cipher, c->iv_key.p, true, &l->iv, e);
	if (rc < 0)
		lane_free(l);
	else
		*out = l;
	return rc;
}

static void lane_put(struct crypt *c, struct lane *l)
{
	pthread_mutex_lock(&c->lock);
	l->next = c->idle;
	c->idle = l;
	pthread_mutex_unlock(&c->lock);
}

/* ---- one sector ---- */

static bool update(EVP_CIPHER_CTX *ctx, void *out, const void *in, size_t len)
{
	int n;

	return EVP_CipherUpdate(ctx, out, &n, in, (int)len) == 1 && (size_t)n == len;
}

static bool make_iv(const struct crypt *c, const struct lane *l, uint64_t sector, uint8_t iv[BLOCK_MAX])
{
	le64 number;

	le64_put(&number, c->spec.ivgen == CRYPT_PLAIN ? sector & UINT32_MAX : sector);
	memset(iv, 0, BLOCK_MAX);
	memcpy(iv, number.b, sizeof number);
	return c->spec.ivgen != CRYPT_ESSIV || update(l->iv, iv, iv, BLOCK_MAX);
}

/* IEEE 1619: the tweak is multiplied by x in GF(2^128) from block to block, little endian. */
static bool xts_sector(const struct crypt *c, const struct lane *l, bool encrypt, uint8_t *out, const uint8_t *in,
		       const uint8_t iv[BLOCK_MAX])
{
	uint64_t tweaks[CRYPT_SECTOR_MAX / 8], *t = tweaks, words[CRYPT_SECTOR_MAX / 8];
	size_t len = sector_bytes(&c->spec), nwords = len / 8;
	uint8_t first[BLOCK_MAX];
	le64 half;

	if (!update(l->tweak, first, iv, BLOCK_MAX))
		return false;
	for (unsigned i = 0; i < 2; i++) {
		memcpy(&half, first + 8 * i, 8);
		t[i] = le64_get(half);
	}
	for (; t + 2 < tweaks + nwords; t += 2) {
		t[2] = t[0] << 1 ^ (t[1] >> 63 ? 0x87 : 0);
		t[3] = t[1] << 1 | t[0] >> 63;
	}
	for (size_t i = 0; i < nwords; i++) {
		le64_put(&half, tweaks[i]);
		memcpy(&tweaks[i], &half, 8);
	}
	memcpy(words, in, len);
	for (size_t i = 0; i < nwords; i++)
		words[i] ^= tweaks[i];
	if (!update(l->bulk[encrypt], words, words, len))
		return false;
	for (size_t i = 0; i < nwords; i++)
		words[i] ^= tweaks[i];
	memcpy(out, words, len);
	return true;
}

/* The vector is a big-endian number that counts the blocks; what it encrypts to covers the data. */
static bool ctr_sector(const struct crypt *c, const struct lane *l, bool encrypt, uint8_t *out, const uint8_t *in,
		       uint8_t iv[BLOCK_MAX])
{
	uint8_t cover[CRYPT_SECTOR_MAX];
	size_t len = sector_bytes(&c->spec);

	for (size_t at = 0; at < len; at += c->block) {
		memcpy(cover + at, iv, c->block);
		for (size_t i = c->block; i-- && ++iv[i] == 0;)
			;
	}
	if (!update(l->bulk[encrypt], cover, cover, len))
		return false;
	for (size_t i = 0; i < len; i++)
		out[i] = in[i] ^ cover[i];
	return true;
}

static bool one_sector(const struct crypt *c, const struct lane *l, bool encrypt, uint8_t *out, const uint8_t *in,
		       uint64_t sector)
{
	size_t len = sector_bytes(&c->spec);
	uint8_t iv[BLOCK_MAX];

	if (c->spec.mode == CRYPT_ECB)
		return update(l->bulk[encrypt], out, in, len);
	if (!make_iv(c, l, sector, iv))
		return false;
	if (!c->native && c->spec.mode == CRYPT_XTS)
		return xts_sector(c, l, encrypt, out, in, iv);
	if (!c->native)
		return ctr_sector(c, l, encrypt, out, in, iv);
	return EVP_CipherInit_ex2(l->bulk[encrypt], NULL, NULL, iv, -1, NULL) == 1 &&
	       update(l->bulk[encrypt], out, in, len);
}

int crypt_sectors(struct crypt *c, bool encrypt, void *out, const void *in, size_t len, uint64_t off, struct err *e)
{
	size_t sector = sector_bytes(&c->spec);
	const uint8_t *from = in;
	uint8_t *to = out;
	struct lane *l = NULL;
	bool good = true;
	int rc;

	if (len % sector || off % CRYPT_SECTOR)
		return err_set(e, ERR_USAGE, "encryption of less than a sector");
	if ((rc = lane_get(c, encrypt, &l, e)) < 0)
		return rc;
	for (size_t at = 0; at < len && good; at += sector)
		good = one_sector(c, l, encrypt, to + at, from + at, (off + at) / CRYPT_SECTOR);
	lane_put(c, l);
	return good ? 0
		    : err_set(e, ERR_UNSUPPORTED, "libcrypto failed to %s a sector", encrypt ? "encrypt" : "decrypt");
}
