/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * luks.h - LUKS version 1: a header, eight key slots, and the cipher they lead to.
 *
 * Specification: "LUKS On-Disk Format Specification, version 1.2.3".  The header may begin an image of its own (format
 * luks, luks_driver.c), lie inside a qcow2 image, or begin a partition of a guest; so it is reached through callbacks,
 * and offsets count from its first byte.
 */
#ifndef DRYDOCK_LUKS_H
#define DRYDOCK_LUKS_H

#include "crypt.h"
#include "dict.h"
#include "locked.h"
#include "secret.h"

struct json;

enum { LUKS_SLOTS = 8 };

/* Where the header lies.  The callbacks are lent for the life of what is opened with them. */
struct luks_io {
	int (*read)(void *arg, void *buf, size_t len, uint64_t off, struct err *e);
	int (*write)(void *arg, const void *buf, size_t len, uint64_t off, struct err *e); /* NULL: read-only */
	int (*sync)(void *arg, struct err *e); /* all that was written is stable */
	void *arg;
	uint64_t size; /* bytes there: header, key material, and the payload, if it follows */
	bool embedded; /* the payload is elsewhere: payload_off says nothing */
	bool detached; /* the payload is elsewhere: payload_off counts there */
};

struct luks_slot {
	bool active;
	uint32_t iterations;
	uint8_t salt[32];
	uint64_t off; /* of its key material */
	uint32_t stripes;
};

/* The header's fields, judged. */
struct luks_facts {
	struct crypt_spec spec;
	enum hash_alg hash;
	uint64_t payload_off;
	uint32_t key_bytes;
	uint8_t digest[20], digest_salt[32];
	uint32_t digest_iterations;
	char uuid[41];
	struct luks_slot slots[LUKS_SLOTS];
};

struct luks {
	struct luks_io io;
	struct luks_facts facts;
	struct locked key;   /* the master key; empty while locked */
	struct crypt *crypt; /* NULL while locked */
};

/*
 * Reads and judges the header: no key is needed for that.  ERR_CORRUPT, ERR_UNSUPPORTED or ERR_LIMIT say what is wrong
 * with it.  luks_free() ends it and wipes the key.
 */
int luks_open(const struct luks_io *io, struct luks **out, struct err *e);
void luks_free(struct luks *l); /* NULL is fine */
void luks_freep(struct luks **l);
/* Do bytes begin with the magic of a LUKS header, whatever its version? */
bool luks_magic(const void *bytes, size_t len);
/* The version that its first 8 bytes give. */
unsigned luks_version(const uint8_t bytes[8]);

/*
 * Tries a passphrase on the active slots; with the right one l->crypt is there.  A wrong one is ERR_USAGE; slots that
 * would take more hash computations than LIMIT_LUKS_WORK are not tried, and if none else fits that is ERR_LIMIT.
 */
int luks_unlock(struct luks *l, const void *pass, size_t len, struct err *e);
/* The same with the passphrase of a secret; id NULL: ERR_USAGE, since it was not given. */
int luks_unlock_secret(struct luks *l, const struct secrets *secrets, const char *id, struct err *e);
/* What one call of luks_unlock() may cost, in the unit of LIMIT_LUKS_WORK. */
uint64_t luks_work(const struct luks *l);

/* ---- creating ---- */

struct luks_create {
	struct crypt_spec spec;
	enum hash_alg hash;
	unsigned iter_ms; /* processor time that one attempt at a passphrase takes */
	uint32_t stripes;
	char *key_secret; /* the option; NULL: not given */
};

#define LUKS_CREATE_INIT                                                                                               \
	{                                                                                                              \
		.spec = { .alg = CRYPT_AES_256, .mode = CRYPT_XTS, .ivgen = CRYPT_PLAIN64 }, .hash = HASH_SHA256,      \
		.iter_ms = 2000, .stripes = 4000                                                                       \
	}

void luks_create_free(struct luks_create *c);
/*
 * Takes key-secret, cipher-alg, cipher-mode, ivgen-alg, ivgen-hash-alg, hash-alg and iter-time out of opts, and judges
 * them.  c is LUKS_CREATE_INIT before.
 */
int luks_create_take(struct luks_create *c, struct dict *opts, struct err *e);
/* Bytes of header and key material, and the payload's offset: a multiple of 4096. */
uint64_t luks_header_bytes(const struct luks_create *c);
/*
 * Writes a new header and key material with the passphrase in slot 0 and syncs; *out (may be NULL) is it, unlocked.
 * io->size is at least luks_header_bytes().
 */
int luks_create(const struct luks_io *io, const struct luks_create *c, const void *pass, size_t len, struct luks **out,
		struct err *e);

/* ---- changing the key slots: luks_amend.c ---- */

/*
 * opts as the amend options of the format: state (active, inactive), new-secret, old-secret, keyslot, iter-time; one
 * that is unknown is ERR_USAGE.  force allows overwriting active slots and erasing the last one.  Adding needs an
 * unlocked l.  Whatever moment the machine stops at, each passphrase that was to stay still opens the disk.
 */
int luks_amend(struct luks *l, struct dict *opts, const struct secrets *secrets, bool force, struct err *e);

/* ---- for luks_amend.c: luks_key.c ---- */

/* Which active slots does the passphrase open?  A slot that cannot be read is an error here. */
int luks_match(struct luks *l, const void *pass, size_t len, bool match[LUKS_SLOTS], struct err *e);
/* Puts the master key under a passphrase into a slot that is not active.  Stable on return. */
int luks_slot_store(struct luks *l, unsigned slot, const void *pass, size_t len, unsigned iter_ms, struct err *e);
/* Overwrites a slot's key material with noise and makes it inactive.  Stable on return. */
int luks_slot_erase(struct luks *l, unsigned slot, struct err *e);

/* Members of the facts as info names them, into an open object; `format` adds "format": "luks". */
void luks_info(const struct luks *l, bool format, struct json *j);

#endif
