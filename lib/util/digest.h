/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* digest.h - checksums of files as the usual tools print them: md5sum, sha256sum, cksum ... */
#ifndef DRYDOCK_DIGEST_H
#define DRYDOCK_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum digest_kind { DIGEST_CRC, DIGEST_MD5, DIGEST_SHA1, DIGEST_SHA224, DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512 };

/* The longest text (SHA-512 in hex) and its NUL. */
#define DIGEST_TEXT 129

struct digest {
	enum digest_kind kind;
	uint64_t len;	   /* bytes so far */
	uint32_t w32[8];   /* state of the 32-bit ones; CRC uses the first */
	uint64_t w64[8];   /* of SHA-384 and -512 */
	uint8_t block[128]; /* what does not fill a block yet */
};

/* "crc" (POSIX cksum), "md5", "sha1", "sha224", "sha256", "sha384", "sha512"; false for any other word. */
bool digest_kind_parse(const char *name, enum digest_kind *out);
void digest_start(struct digest *d, enum digest_kind kind);
void digest_add(struct digest *d, const void *bytes, size_t len);
/* Lower-case hex, or for CRC a decimal number.  The digest is used up. */
void digest_end(struct digest *d, char text[DIGEST_TEXT]);

#endif
