/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * luks2_image.h - LUKS version 2 images in memory, small and quick to unlock, with JSON that a test may spoil before the
 * checksums are made.
 */
#ifndef DRYDOCK_TEST_LUKS2_IMAGE_H
#define DRYDOCK_TEST_LUKS2_IMAGE_H

#include "alloc.h"
#include "kdf.h"
#include "luks2.h"
#include "luks_ondisk.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

enum { IMG_HEADER = 16384, IMG_SLOT0 = 2 * IMG_HEADER, IMG_SLOT1 = IMG_SLOT0 + 4096, IMG_DATA = 2 * IMG_HEADER + 16384,
       IMG_BYTES = IMG_DATA + 65536, IMG_KEY = 64, IMG_STRIPES = 3 };

struct img {
	uint8_t *p;
	size_t len;
	char json[8192];
	uint8_t key[IMG_KEY];
};

static inline int img_read(void *arg, void *buf, size_t len, uint64_t off, struct err *e)
{
	const struct img *m = arg;

	if (off > m->len || len > m->len - off)
		return err_set(e, ERR_SYSTEM, "read past the end");
	memcpy(buf, m->p + off, len);
	return 0;
}

static inline struct luks_io img_io(struct img *m)
{
	return (struct luks_io){ .read = img_read, .arg = m, .size = m->len };
}

static inline const char *img_base64(const uint8_t *bytes, int len, char *out)
{
	EVP_EncodeBlock((uint8_t *)out, bytes, len);
	return out;
}

/* Writes one header, with the JSON as it is now. */
static inline void img_header(struct img *m, bool second, uint64_t seqid, const char *label)
{
	struct luks2_ondisk h = { .reserved = { 0 } };
	uint8_t *to = m->p + (second ? IMG_HEADER : 0);
	struct hash_work w;

	memcpy(h.magic, second ? LUKS2_MAGIC_SECOND : LUKS_MAGIC, LUKS_MAGIC_LEN);
	be16_put(&h.version, 2);
	be64_put(&h.size, IMG_HEADER);
	be64_put(&h.seqid, seqid);
	be64_put(&h.off, second ? IMG_HEADER : 0);
	snprintf(h.label, sizeof h.label, "%s", label);
	memcpy(h.checksum_alg, "sha256", 6);
	memcpy(h.uuid, "11111111-2222-3333-4444-555555555555", 36);
	memset(to, 0, IMG_HEADER);
	memcpy(to + sizeof h, m->json, strlen(m->json));
	memcpy(to, &h, sizeof h);
	hash_start(&w, HASH_SHA256);
	hash_add(&w, to, IMG_HEADER);
	hash_end(&w, h.checksum);
	memcpy(to, &h, sizeof h);
}

static inline void img_headers(struct img *m)
{
	img_header(m, false, 3, "first");
	img_header(m, true, 3, "second");
}

/* Puts other text for the first `old` in the JSON; false when there is none. */
static inline bool img_replace(struct img *m, const char *old, const char *text)
{
	char *at = strstr(m->json, old), rest[sizeof m->json];

	if (!at || strlen(m->json) - strlen(old) + strlen(text) >= sizeof m->json)
		return false;
	snprintf(rest, sizeof rest, "%s", at + strlen(old));
	memcpy(at, text, strlen(text));
	memcpy(at + strlen(text), rest, strlen(rest) + 1);
	return true;
}

/* Key material of a slot at off. */
static inline bool img_slot(struct img *m, const struct kdf *k, const char *pass, uint64_t off)
{
	const struct crypt_spec spec = { .alg = CRYPT_AES_256, .mode = CRYPT_XTS, .ivgen = CRYPT_PLAIN64 };
	uint8_t area[1024] = { 0 }, key[IMG_KEY];
	struct crypt *c;

	if (kdf_derive(k, pass, strlen(pass), key, sizeof key, NULL) < 0 ||
	    luks_af_split(HASH_SHA256, m->key, IMG_KEY, area, IMG_STRIPES, NULL) < 0 || crypt_new(&spec, key, &c, NULL) < 0)
		return false;
	if (crypt_sectors(c, true, area, area, 512, 0, NULL) < 0)
		return false;
	crypt_free(c);
	memcpy(m->p + off, area, 512);
	return true;
}

/*
 * Slot 0: PBKDF2, "abc"; slot 1: Argon2id, "def"; one segment of AES-XTS with sectors of 4096 bytes up to the end, not yet
 * filled.  The headers are not yet written.
 */
static inline bool img_make(struct img *m)
{
	struct kdf k0 = { .alg = KDF_PBKDF2, .hash = HASH_SHA256, .cost = 2, .salt_len = 32 };
	struct kdf k1 = { .alg = KDF_ARGON2ID, .cost = 1, .memory = 32, .lanes = 1, .salt_len = 32 };
	uint8_t digest_salt[32], digest[32];
	char t0[64], t1[64], t2[64], t3[64];

	*m = (struct img){ .len = IMG_BYTES, .p = alloc_zero(IMG_BYTES) };
	for (unsigned i = 0; i < IMG_KEY; i++)
		m->key[i] = (uint8_t)(i * 5 + 1);
	memset(k0.salt, 1, 32);
	memset(k1.salt, 2, 32);
	memset(digest_salt, 3, 32);
	hash_pbkdf2(HASH_SHA256, m->key, IMG_KEY, digest_salt, 32, 2, digest, 32);
	snprintf(m->json, sizeof m->json,
		 "{\"keyslots\":{"
		 "\"0\":{\"type\":\"luks2\",\"key_size\":64,"
		 "\"af\":{\"type\":\"luks1\",\"stripes\":3,\"hash\":\"sha256\"},"
		 "\"area\":{\"type\":\"raw\",\"offset\":\"32768\",\"size\":\"4096\",\"encryption\":\"aes-xts-plain64\","
		 "\"key_size\":64},"
		 "\"kdf\":{\"type\":\"pbkdf2\",\"hash\":\"sha256\",\"iterations\":2,\"salt\":\"%s\"}},"
		 "\"1\":{\"type\":\"luks2\",\"key_size\":64,\"priority\":1,"
		 "\"af\":{\"type\":\"luks1\",\"stripes\":3,\"hash\":\"sha256\"},"
		 "\"area\":{\"type\":\"raw\",\"offset\":\"36864\",\"size\":\"4096\",\"encryption\":\"aes-xts-plain64\","
		 "\"key_size\":64},"
		 "\"kdf\":{\"type\":\"argon2id\",\"time\":1,\"memory\":32,\"cpus\":1,\"salt\":\"%s\"}}},"
		 "\"tokens\":{},"
		 "\"segments\":{\"0\":{\"type\":\"crypt\",\"offset\":\"49152\",\"size\":\"dynamic\",\"iv_tweak\":\"0\","
		 "\"encryption\":\"aes-xts-plain64\",\"sector_size\":4096}},"
		 "\"digests\":{\"0\":{\"type\":\"pbkdf2\",\"keyslots\":[\"0\",\"1\"],\"segments\":[\"0\"],"
		 "\"hash\":\"sha256\",\"iterations\":2,\"salt\":\"%s\",\"digest\":\"%s\"}},"
		 "\"config\":{\"json_size\":\"12288\",\"keyslots_size\":\"16384\"}}",
		 img_base64(k0.salt, 32, t0), img_base64(k1.salt, 32, t1), img_base64(digest_salt, 32, t2),
		 img_base64(digest, 32, t3));
	return m->p && img_slot(m, &k0, "abc", IMG_SLOT0) && img_slot(m, &k1, "def", IMG_SLOT1);
}

#endif
