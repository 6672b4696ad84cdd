/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * crypt.h - sectors through a cipher: what LUKS and the old qcow encryption do to the data of a disk.
 *
 * A disk is encrypted in sectors, each by itself, under an initialisation vector made from its number.  Sectors have 512
 * bytes; LUKS version 2 has larger ones too, whose number is that of the first 512 bytes in them.
 */
#ifndef DRYDOCK_CRYPT_H
#define DRYDOCK_CRYPT_H

#include "hash.h"
#include "err.h"

enum { CRYPT_SECTOR = 512, CRYPT_SECTOR_MAX = 4096, CRYPT_KEY_MAX = 64 };

enum crypt_alg { CRYPT_AES_128, CRYPT_AES_192, CRYPT_AES_256, CRYPT_CAST5_128, CRYPT_ALG_N };
enum crypt_mode { CRYPT_ECB, CRYPT_CBC, CRYPT_XTS, CRYPT_CTR, CRYPT_MODE_N };
enum crypt_ivgen {
	CRYPT_PLAIN,   /* the low 32 bits of the sector's number, little endian */
	CRYPT_PLAIN64, /* all 64 */
	CRYPT_ESSIV,   /* those 64, encrypted under the hash of the key */
	CRYPT_IVGEN_N,
};

struct crypt_spec {
	enum crypt_alg alg;
	enum crypt_mode mode;
	enum crypt_ivgen ivgen;
	bool has_ivgen_hash;
	enum hash_alg ivgen_hash;
	unsigned sector; /* bytes, a power of two up to CRYPT_SECTOR_MAX; 0: CRYPT_SECTOR */
};

/* "aes-256", "xts", "plain64": as options and facts name them. */
const char *crypt_alg_name(enum crypt_alg alg);
const char *crypt_mode_name(enum crypt_mode mode);
const char *crypt_ivgen_name(enum crypt_ivgen ivgen);
/* ERR_USAGE when there is no such name, ERR_UNSUPPORTED for ciphers that others have and we do not. */
int crypt_find_alg(const char *name, enum crypt_alg *out, struct err *e);
bool crypt_find_mode(const char *name, enum crypt_mode *out);
bool crypt_find_ivgen(const char *name, enum crypt_ivgen *out);

/* Bytes of its key: twice the cipher's in XTS. */
size_t crypt_key_bytes(const struct crypt_spec *s);
/* Do its parts go together?  ERR_UNSUPPORTED says which do not. */
int crypt_judge(const struct crypt_spec *s, struct err *e);

/* As a LUKS header has it: cipher "aes", mode "xts-plain64" or "cbc-essiv:sha256"; buf of 32 bytes each. */
void crypt_spec_to_luks(const struct crypt_spec *s, char *cipher, char *mode);
/* The way back; strings that make no sense are ERR_UNSUPPORTED. */
int crypt_spec_from_luks(const char *cipher, const char *mode, size_t key_bytes, struct crypt_spec *out, struct err *e);

struct crypt;
/* Copies the key (crypt_key_bytes() of it) into locked memory. */
int crypt_new(const struct crypt_spec *s, const uint8_t *key, struct crypt **out, struct err *e);
/* The encryption that qcow and qcow2 had before LUKS (crypt_method 1): AES-128-CBC, the passphrase as its key. */
int crypt_new_legacy(const void *pass, size_t len, struct crypt **out, struct err *e);
void crypt_free(struct crypt *c); /* NULL is fine */
void crypt_freep(struct crypt **c);
/*
 * Encrypts or decrypts whole sectors; off is where the first lies, in bytes, from where the numbers count, a multiple of
 * CRYPT_SECTOR.  out and in may be the same.  May be called from many threads at once.  What out holds after an error is
 * undefined.
 */
int crypt_sectors(struct crypt *c, bool encrypt, void *out, const void *in, size_t len, uint64_t off, struct err *e);

#endif
