/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* luks_ondisk.h - the LUKS header as it lies on a disk, and what luks*.c share beside luks.h. */
#ifndef DRYDOCK_LUKS_ONDISK_H
#define DRYDOCK_LUKS_ONDISK_H

#include "luks.h"
#include "ondisk.h"

#define LUKS_MAGIC "LUKS\xba\xbe"
enum { LUKS_MAGIC_LEN = 6 };
#define LUKS_SLOT_ACTIVE   0x00ac71f3U
#define LUKS_SLOT_INACTIVE 0x0000deadU

struct luks_ondisk_slot {
	be32 active, iterations;
	uint8_t salt[32];
	be32 off, stripes; /* off in sectors */
};
struct luks_ondisk {
	char magic[6];
	be16 version;
	char cipher[32], mode[32], hash[32];
	be32 payload_off; /* in sectors */
	be32 key_bytes;
	uint8_t digest[20], digest_salt[32];
	be32 digest_iterations;
	char uuid[40];
	struct luks_ondisk_slot slots[LUKS_SLOTS];
};
_Static_assert(sizeof(struct luks_ondisk) == 592, "LUKS header");

/* Version 2: 4096 bytes, with JSON behind them up to `size`; at once the second header follows. */
#define LUKS2_MAGIC_SECOND "SKUL\xba\xbe"
struct luks2_ondisk {
	char magic[6];
	be16 version;
	be64 size, seqid;
	char label[48], checksum_alg[32];
	uint8_t salt[64];
	char uuid[40], subsystem[48];
	be64 off; /* where this header is */
	uint8_t reserved[184];
	uint8_t checksum[64]; /* over header and JSON, with zeros here */
	uint8_t reserved2[3584];
};
_Static_assert(sizeof(struct luks2_ondisk) == 4096, "LUKS2 header");

struct luks2_facts;
/* luks2_json.c: judges the text, len bytes without a NUL, of a header of facts->header_bytes; fills the rest of *facts. */
int luks2_judge(const char *text, size_t len, uint64_t end, struct luks2_facts *facts, struct err *e);

/* Bytes of a slot's key material, whole sectors. */
uint64_t luks_material_bytes(uint32_t key_bytes, uint32_t stripes);
/* luks_af.c: n stripes of len bytes each into a key, and back with the help of random bytes. */
void luks_af_merge(enum hash_alg hash, const uint8_t *stripes, uint32_t n, uint8_t *key, size_t len);
int luks_af_split(enum hash_alg hash, const uint8_t *key, size_t len, uint8_t *stripes, uint32_t n, struct err *e);
/* Writes one slot's entry, or the whole header, from the facts; syncs. */
int luks_write_slot(struct luks *l, unsigned slot, struct err *e);
int luks_write_header(struct luks *l, struct err *e);

#endif
