/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * luks2.h - LUKS version 2, read: two headers that carry the same JSON, up to 32 key slots, and the segments of the data.
 *
 * Specification: "LUKS2 On-Disk Format Specification, version 1.1".  As in luks.h the header is reached through
 * callbacks, and its offsets count from its first byte; the segments' offsets count in the data, which may lie elsewhere.
 *
 * Read is what cryptsetup opens with a passphrase.  Refused by name are what a passphrase alone does not open, what is not
 * finished, and what a later release may have invented: authenticated encryption, self-encrypting disks, a reencryption
 * that is under way, unknown requirements.
 */
#ifndef DRYDOCK_LUKS2_H
#define DRYDOCK_LUKS2_H

#include "kdf.h"
#include "luks.h"

enum { LUKS2_SLOTS = 32, LUKS2_SEGMENTS = 32 };

struct luks2_slot {
	bool bound;	    /* it holds the key of the data; nothing else is filled where it does not */
	char why[160];	    /* why it cannot be tried: something that we do not know, or a limit; "": it can */
	unsigned priority;  /* 0: only when it is asked for by its number, 1: normal, 2: before others */
	uint32_t key_bytes; /* of the key that it holds */
	struct kdf kdf;
	uint32_t stripes;
	enum hash_alg af_hash;
	struct crypt_spec spec; /* of its key material */
	uint64_t off;
};

/* A piece of the data; the volume shows them one behind the other. */
struct luks2_segment {
	bool encrypted; /* else as it lies there */
	uint64_t off;
	uint64_t size; /* UINT64_MAX: all that there is; only of the last */
	uint64_t iv_tweak; /* the number of its first 512 bytes */
	struct crypt_spec spec;
};

/* The header's fields, judged. */
struct luks2_facts {
	char uuid[41], label[49];
	uint64_t header_bytes; /* of one of the two */
	uint64_t seqid;
	uint32_t key_bytes;
	struct luks2_slot slots[LUKS2_SLOTS];
	struct luks2_segment segments[LUKS2_SEGMENTS];
	unsigned nsegments;
	struct kdf digest_kdf;
	uint8_t digest[HASH_MAX];
	size_t digest_len;
};

struct luks2 {
	struct luks_io io;
	struct luks2_facts facts;
	char notice[200];  /* a damaged header that the other one stands in for; "": both are good */
	struct locked key; /* of the data; empty while locked */
};

/*
 * Reads both headers and judges the newer good one.  ERR_CORRUPT, ERR_UNSUPPORTED or ERR_LIMIT say what is wrong with it.
 * luks2_free() ends it and wipes the key.
 */
int luks2_open(const struct luks_io *io, struct luks2 **out, struct err *e);
void luks2_free(struct luks2 *l); /* NULL is fine */
void luks2_freep(struct luks2 **l);
/*
 * 1 when the first header is gone, and what is left at its place (zeros, or its JSON) says that a LUKS volume is there all
 * the same, whose second header is good: wiped by accident, not given to something else.
 */
int luks2_is_headless(const struct luks_io *io, struct err *e);
/*
 * Tries a passphrase on the key slots, those of higher priority first; with the right one l->key is there.  Errors as of
 * luks_unlock().
 */
int luks2_unlock(struct luks2 *l, const void *pass, size_t len, struct err *e);
/* What one call of luks2_unlock() may cost, in the unit of LIMIT_LUKS_WORK. */
uint64_t luks2_work(const struct luks2 *l);

#endif
