/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * known.h - what known*.c share: types of content that are told apart, with label and UUID, and not read.
 *
 * Most are rows of the table in known.c.  Those whose magic is not at one place near the beginning, or proves little by
 * itself, have a probe of their own.
 */
#ifndef DRYDOCK_FS_KNOWN_H
#define DRYDOCK_FS_KNOWN_H

#include "fs_driver.h"

#include "ondisk.h"

/* All that the table looks at lies before this, except what is at the end of a device. */
#define HEAD_SIZE (72 * 1024u)

/* The first HEAD_SIZE bytes of the device; what it does not have is zeros. */
struct head {
	struct block *dev;
	uint64_t size;
	uint8_t *bytes;
};

enum uuid_kind { UUID_NONE, UUID_BYTES, UUID_TEXT, UUID_SERIAL64 };
enum label_kind { LABEL_NONE, LABEL_BYTES, LABEL_UTF16, LABEL_PADDED };

struct known {
	const char *type;
	uint32_t off;
	const char *magic;
	uint8_t len;
	bool container;
	enum uuid_kind uuid_kind;
	uint32_t uuid_off;
	enum label_kind label_kind;
	uint32_t label_off;
	uint16_t label_len; /* bytes; UTF-16: units */
	/* A second look, and what the table cannot say: 1 mine, 0 not, < 0 a read error.  NULL: the magic is enough. */
	int (*more)(const struct head *h, struct fs_id *id, struct err *e);
	bool takes_linux;   /* Linux itself can read it */
};
#define MAGIC(off, text) off, text, sizeof(text) - 1
#define NO_UUID UUID_NONE, 0
#define NO_LABEL LABEL_NONE, 0, 0

/* known_rest.c: what has no reader of its own; ends at type NULL. */
extern const struct known known_rest[];

/* 1 and the bytes, 0 when the device does not have them, < 0 on a read error. */
int known_read(const struct head *h, uint64_t off, void *buf, size_t len, struct err *e);
/* Up to a NUL, without blanks at the end. */
void known_label(struct fs_id *id, const uint8_t *p, size_t len);
/* UTF-16, most significant byte first, in at most that many units. */
int known_label_utf16be(struct fs_id *id, const uint8_t *p, size_t units, struct err *e);
/* All zeros are no UUID. */
void known_uuid(struct fs_id *id, const uint8_t p[16]);

static inline uint16_t known_be16(const uint8_t *p)
{
	be16 v;

	memcpy(&v, p, sizeof v);
	return be16_get(v);
}

static inline uint32_t known_be32(const uint8_t *p)
{
	be32 v;

	memcpy(&v, p, sizeof v);
	return be32_get(v);
}

static inline uint64_t known_be64(const uint8_t *p)
{
	be64 v;

	memcpy(&v, p, sizeof v);
	return be64_get(v);
}

static inline uint16_t known_le16(const uint8_t *p)
{
	le16 v;

	memcpy(&v, p, sizeof v);
	return le16_get(v);
}

static inline uint32_t known_le32(const uint8_t *p)
{
	le32 v;

	memcpy(&v, p, sizeof v);
	return le32_get(v);
}

/* Each: 1 with type, label and UUID when it is this, 0 when not, < 0 on an error. */
typedef int known_probe_fn(const struct head *h, struct fs_id *id, struct err *e);
known_probe_fn known_raid, known_drbd, known_vmfs_member, known_zfs; /* containers */
known_probe_fn known_vmfs, known_ufs, known_minix, known_sysv, known_hfs, known_hfsplus, known_udf;

#endif
