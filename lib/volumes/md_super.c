/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * md_super.c - the superblock of a member of an MD array.
 *
 * Version 0.90 is an array of 32-bit words in the byte order of the machine that made it, in the last whole 64 KiB of the
 * member.  Version 1 is little-endian; it lies near the end (1.0), at the beginning (1.1) or at 4 KiB (1.2), says itself
 * where, and where on the member the data begins.  Each member has one, with a number of events that grows with each
 * change of the array's state: what was left out for a while is told by its lower number.
 */
#include "md.h"

#include "alloc.h"
#include "checked.h"
#include "crc32c.h"
#include "limits.h"
#include "ondisk.h"

#include <inttypes.h>
#include <stdio.h>

#define MAGIC 0xa92b4efcu
#define SUPER_BYTES 4096u

struct super_1 {
	le32 magic, major, features, pad0;
	uint8_t uuid[16];
	char name[32];
	le64 ctime;
	le32 level, layout;
	le64 size; /* sectors, as everything below that does not say bytes */
	le32 chunk, ndisks;
	uint8_t bitmap[4];
	le32 new_level;
	le64 reshape_position;
	le32 delta_disks, new_layout, new_chunk, new_offset;
	le64 data_off, data_size, super_off, recovery_or_tail;
	le32 number, nfixed;
	uint8_t device_uuid[16], device_flags, bad_shift;
	le16 bad_size;
	le32 bad_off; /* signed, from the superblock */
	le64 utime, events, resync_off;
	le32 checksum, nroles;
	uint8_t pad3[32];
};
_Static_assert(sizeof(struct super_1) == 256, "as the format has it");
#define DEVICE_WRITE_MOSTLY 1
#define MAX_ROLES_1 ((SUPER_BYTES - sizeof(struct super_1)) / sizeof(le16))

/* Words of version 0.90. */
enum {
	W_MAGIC, W_MAJOR, W_MINOR, W_UUID0 = 5, W_CTIME, W_LEVEL, W_SIZE, W_NDISKS = 10, W_PREFERRED, W_UUID1 = 13,
	W_UTIME = 32, W_STATE, W_CHECKSUM = 38, W_EVENTS, W_CHECKPOINT_EVENTS = 41, W_RESYNC = 43, W_LAYOUT = 64, W_CHUNK,
	W_DISKS = 128, W_THIS = 992, NWORDS = 1024,
};
/* Words of one of the descriptors of members, of which there are 27, and which of the states count. */
enum { DISK_WORDS = 32, DISK_NUMBER = 0, DISK_ROLE = 3, DISK_STATE = 4, MAX_ROLES_0 = 27 };
enum { STATE_CLEAN = 1u << 0, DISK_FAULTY = 1u << 0, DISK_SYNC = 1u << 2, DISK_REMOVED = 1u << 3,
       DISK_WRITE_MOSTLY = 1u << 9 };

void md_super_free(struct md_super *s)
{
	free(s->roles);
	free(s->bad);
	memset(s, 0, sizeof *s);
}

char *md_uuid_text(const uint8_t uuid[16], char *buf)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;

	for (size_t i = 0; i < 16; i++) {
		if (i && i % 4 == 0)
			buf[n++] = ':';
		buf[n++] = digits[uuid[i] >> 4];
		buf[n++] = digits[uuid[i] & 15];
	}
	buf[n] = '\0';
	return buf;
}

unsigned md_role(const struct md_super *s, unsigned number)
{
	return number < s->nroles ? s->roles[number] : MD_ROLE_SPARE;
}

/* Sectors as bytes; what does not fit (all ones stand for "everywhere") is UINT64_MAX. */
static uint64_t bytes_of(le64 sectors)
{
	uint64_t bytes;

	return checked_mul(le64_get(sectors), MD_SECTOR, &bytes) ? bytes : UINT64_MAX;
}

/* ---- version 1 ---- */

static uint32_t checksum_1(const uint8_t *raw, size_t len)
{
	const size_t own = offsetof(struct super_1, checksum);
	uint64_t sum = 0;

	for (size_t i = 0; i < len; i += 2) {
		/* Words of 32 bits, and perhaps one of 16 at the end. */
		if (i >= own && i < own + 4)
			continue;
		sum += (uint64_t)(raw[i] | (uint32_t)raw[i + 1] << 8) << (i % 4 ? 16 : 0);
	}
	return (uint32_t)(sum + (sum >> 32));
}

static int compare_bad(const void *a, const void *b)
{
	const struct md_bad *x = a, *y = b;

	return x->off < y->off ? -1 : x->off > y->off;
}

/* Sorted and joined; what lies before the data is of no interest. */
static void bad_tidy(struct md_super *s)
{
	size_t n = 0;

	qsort(s->bad, s->nbad, sizeof *s->bad, compare_bad);
	for (size_t i = 0; i < s->nbad; i++) {
		struct md_bad b = s->bad[i];

		if (b.off + b.len <= s->data_off)
			continue;
		if (b.off < s->data_off)
			b = (struct md_bad){ s->data_off, b.off + b.len - s->data_off };
		b.off -= s->data_off;
		if (n && b.off <= s->bad[n - 1].off + s->bad[n - 1].len) {
			uint64_t end = MAX_OF(s->bad[n - 1].off + s->bad[n - 1].len, b.off + b.len);

			s->bad[n - 1].len = end - s->bad[n - 1].off;
		} else {
			s->bad[n++] = b;
		}
	}
	s->nbad = n;
}

/* The list of sectors that could not be written: 54 bits of sector and 10 of length each, both shifted. */
static int bad_read(struct block *b, const struct super_1 *raw, uint64_t super_off, struct md_super *s, struct err *e)
{
	uint64_t size = (uint64_t)le16_get(raw->bad_size) * MD_SECTOR;
	int64_t off = (int64_t)super_off + (int64_t)(int32_t)le32_get(raw->bad_off) * (int64_t)MD_SECTOR;
	CLEANUP(free_ptr) uint8_t *list = NULL;
	int rc;

	if (size == 0)
		return 0;
	if (size > LIMIT_MD_BAD_BLOCKS || raw->bad_shift > 10)
		return err_set(e, ERR_LIMIT, "a list of bad blocks of %" PRIu64 " bytes in units of 2^%u sectors", size,
			       raw->bad_shift);
	if (off < 0 || !range_in((uint64_t)off, size, block_size(b)))
		return err_set(e, ERR_CORRUPT, "its list of bad blocks lies outside");
	list = alloc_bytes((size_t)size);
	s->bad = alloc_array((size_t)size / sizeof(le64), sizeof *s->bad);
	if (!list || !s->bad)
		return err_nomem(e);
	rc = block_pread(b, list, (size_t)size, (uint64_t)off, e);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < size; i += sizeof(le64)) {
		uint64_t sector, len;
		le64 entry;

		memcpy(&entry, list + i, sizeof entry);
		if (le64_get(entry) == UINT64_MAX)
			break;
		sector = le64_get(entry) >> 10 << raw->bad_shift;
		len = (le64_get(entry) & 0x3ff) << raw->bad_shift;
		/* Past the end of any member. */
		if (sector > LIMIT_IMAGE_SIZE / MD_SECTOR)
			continue;
		s->bad[s->nbad++] = (struct md_bad){ sector * MD_SECTOR, len * MD_SECTOR };
	}
	bad_tidy(s);
	return 0;
}

static int features_judge(const struct md_super *s, struct err *e)
{
	if (s->features & ~(uint32_t)MD_FEATURES_KNOWN)
		return err_set(e, ERR_UNSUPPORTED, "it has features that are not known (0x%" PRIx32 ")",
			       s->features & ~(uint32_t)MD_FEATURES_KNOWN);
	if (s->features & MD_FEATURE_CLUSTERED)
		return err_set(e, ERR_UNSUPPORTED, "the array belongs to a cluster");
	return 0;
}

static int super_1_judge(struct block *b, const uint8_t *bytes, uint64_t at, struct md_super *s, struct err *e)
{
	struct super_1 raw;
	int rc;

	memcpy(&raw, bytes, sizeof raw);
	s->nroles = le32_get(raw.nroles);
	if (s->nroles > MAX_ROLES_1)
		return err_set(e, ERR_LIMIT, "%u members", s->nroles);
	if (checksum_1(bytes, sizeof raw + s->nroles * sizeof(le16)) != le32_get(raw.checksum))
		return err_set(e, ERR_CORRUPT, "its checksum does not match");
	memcpy(s->uuid, raw.uuid, sizeof s->uuid);
	snprintf(s->name, sizeof s->name, "%.32s", raw.name);
	s->level = (int)le32_get(raw.level);
	s->preferred_minor = -1;
	s->layout = le32_get(raw.layout);
	s->features = le32_get(raw.features);
	s->ctime = le64_get(raw.ctime) & 0xffffffffff;
	s->utime = le64_get(raw.utime) & 0xffffffffff;
	s->events = le64_get(raw.events);
	s->ndisks = le32_get(raw.ndisks);
	s->chunk = (uint64_t)le32_get(raw.chunk) * MD_SECTOR;
	s->number = le32_get(raw.number);
	s->resync_from = bytes_of(raw.resync_off);
	s->rebuilt = UINT64_MAX;
	if (s->features & MD_FEATURE_RECOVERY)
		s->rebuilt = s->features & MD_FEATURE_RECOVERY_BITMAP ? 0 : bytes_of(raw.recovery_or_tail);
	s->write_mostly = raw.device_flags & DEVICE_WRITE_MOSTLY;
	s->used = bytes_of(raw.size);
	s->data_off = bytes_of(raw.data_off);
	s->data_size = bytes_of(raw.data_size);
	s->journal_tail = bytes_of(raw.recovery_or_tail);
	rc = features_judge(s, e);
	if (rc < 0)
		return rc;
	if (!range_in(s->data_off, s->data_size, block_size(b)))
		return err_set(e, ERR_CORRUPT, "its %" PRIu64 " bytes of data at %" PRIu64 " go past its end (%" PRIu64 " bytes)",
			       s->data_size, s->data_off, block_size(b));
	s->roles = alloc_array(MAX_OF(s->nroles, 1u), sizeof *s->roles);
	if (!s->roles)
		return err_nomem(e);
	for (unsigned i = 0; i < s->nroles; i++) {
		le16 role;

		memcpy(&role, bytes + sizeof raw + i * sizeof role, sizeof role);
		s->roles[i] = le16_get(role);
	}
	return s->features & MD_FEATURE_BAD_BLOCKS ? bad_read(b, &raw, at, s, e) : 0;
}

/* Is there one at this place?  One that says it lies elsewhere is that of a partition, or of a disk that holds this one. */
static int super_1_read(struct block *b, uint64_t at, struct md_super *s, struct err *e)
{
	uint8_t bytes[SUPER_BYTES];
	struct super_1 raw;
	int rc;

	if (!range_in(at, sizeof bytes, block_size(b)))
		return 0;
	rc = block_pread(b, bytes, sizeof bytes, at, e);
	if (rc < 0)
		return rc;
	memcpy(&raw, bytes, sizeof raw);
	if (le32_get(raw.magic) != MAGIC || le32_get(raw.major) != 1 || le64_get(raw.super_off) != at / MD_SECTOR)
		return 0;
	rc = super_1_judge(b, bytes, at, s, e);
	return rc < 0 ? rc : 1;
}

/* ---- version 0.90 ---- */

struct words {
	uint8_t bytes[SUPER_BYTES];
	bool big_endian;
};

static uint32_t word(const struct words *w, unsigned i)
{
	le32 le;
	be32 be;

	memcpy(&le, w->bytes + i * sizeof le, sizeof le);
	memcpy(&be, w->bytes + i * sizeof be, sizeof be);
	return w->big_endian ? be32_get(be) : le32_get(le);
}

/* Two words that a 64-bit number of that machine fills. */
static uint64_t word_pair(const struct words *w, unsigned i)
{
	uint64_t first = word(w, i), second = word(w, i + 1);

	return w->big_endian ? first << 32 | second : second << 32 | first;
}

/* 16 bits of a sum of words, as the sums of the years differ in how they carry. */
static uint32_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint32_t)sum;
}

static bool checksum_0_matches(const struct words *w)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < NWORDS; i++)
		sum += i == W_CHECKSUM ? 0 : word(w, i);
	return fold(sum) == fold(word(w, W_CHECKSUM));
}

/* The role of a member by its descriptor. */
static uint16_t role_0(const struct words *w, unsigned disk, unsigned ndisks)
{
	uint32_t role = word(w, disk + DISK_ROLE), state = word(w, disk + DISK_STATE);

	if (state & (DISK_FAULTY | DISK_REMOVED))
		return MD_ROLE_FAULTY;
	return state & DISK_SYNC && role < ndisks && role < MD_ROLE_MAX ? (uint16_t)role : MD_ROLE_SPARE;
}

static int super_0_judge(const struct words *w, uint64_t at, struct md_super *s, struct err *e)
{
	static const unsigned uuid_words[] = { W_UUID0, W_UUID1, W_UUID1 + 1, W_UUID1 + 2 };
	uint32_t minor = word(w, W_MINOR);

	if (minor == 91)
		return err_set(e, ERR_UNSUPPORTED, "the array was being reshaped; mdadm must finish that first");
	if (minor != 90)
		return err_set(e, ERR_UNSUPPORTED, "version 0.%" PRIu32, minor);
	if (!checksum_0_matches(w))
		return err_set(e, ERR_CORRUPT, "its checksum does not match");
	for (size_t i = 0; i < ARRAY_LEN(uuid_words); i++) {
		be32 v;

		be32_put(&v, word(w, uuid_words[i]));
		memcpy(s->uuid + i * sizeof v, &v, sizeof v);
	}
	s->level = (int)word(w, W_LEVEL);
	s->preferred_minor = (int)MIN_OF(word(w, W_PREFERRED), (uint32_t)INT32_MAX);
	s->layout = word(w, W_LAYOUT);
	s->ctime = word(w, W_CTIME);
	s->utime = word(w, W_UTIME);
	s->events = word_pair(w, W_EVENTS);
	s->ndisks = word(w, W_NDISKS);
	s->chunk = word(w, W_CHUNK);
	s->used = (uint64_t)word(w, W_SIZE) * KiB;
	s->data_size = at;
	s->rebuilt = UINT64_MAX;
	if (word(w, W_STATE) & STATE_CLEAN)
		s->resync_from = UINT64_MAX;
	else if (word_pair(w, W_CHECKPOINT_EVENTS) == s->events)
		s->resync_from = (uint64_t)word(w, W_RESYNC) * MD_SECTOR;
	/* A version of 4 TiB at most; the kernel takes no more of a larger disk. */
	if (s->level >= 1)
		s->data_size = MIN_OF(s->data_size, 4 * TiB - 2 * MD_SECTOR);
	s->number = word(w, W_THIS + DISK_NUMBER);
	s->write_mostly = word(w, W_THIS + DISK_STATE) & DISK_WRITE_MOSTLY;
	s->nroles = MAX_ROLES_0;
	s->roles = alloc_array(s->nroles, sizeof *s->roles);
	if (!s->roles)
		return err_nomem(e);
	for (unsigned i = 0; i < s->nroles; i++)
		s->roles[i] = role_0(w, W_DISKS + i * DISK_WORDS, s->ndisks);
	return 0;
}

static int super_0_read(struct block *b, struct md_super *s, struct err *e)
{
	struct words w;
	uint64_t at;
	int rc;

	if (block_size(b) < 128 * KiB)
		return 0;
	at = round_down(block_size(b), 64 * KiB) - 64 * KiB;
	rc = block_pread(b, w.bytes, sizeof w.bytes, at, e);
	if (rc < 0)
		return rc;
	w.big_endian = false;
	if (word(&w, W_MAGIC) != MAGIC)
		w.big_endian = true;
	if (word(&w, W_MAGIC) != MAGIC || word(&w, W_MAJOR) != 0)
		return 0;
	rc = super_0_judge(&w, at, s, e);
	return rc < 0 ? rc : 1;
}

/* ---- which of them ---- */

static int super_read_at(struct block *b, size_t place, struct md_super *s, struct err *e)
{
	static const char *const versions[] = { "1.2", "1.1", "1.0", "0.90" };
	uint64_t nsectors = block_size(b) / MD_SECTOR;
	int rc;

	s->version = versions[place];
	switch (place) {
	case 0:
		rc = super_1_read(b, 4 * KiB, s, e);
		break;
	case 1:
		rc = super_1_read(b, 0, s, e);
		break;
	case 2:
		rc = nsectors < 24 ? 0 : super_1_read(b, round_down(nsectors - 16, 8) * MD_SECTOR, s, e);
		break;
	default:
		rc = super_0_read(b, s, e);
		break;
	}
	return rc < 0 ? err_in(e, rc, "MD superblock %s", s->version) : rc;
}

/* A block that was a member twice may have superblocks in several places: the one made last counts, as for mdadm. */
int md_super_read(struct block *b, struct md_super *out, struct err *e)
{
	CLEANUP(md_super_free) struct md_super best = { 0 };
	struct err why = ERR_INIT;
	bool found = false, damaged = false;

	memset(out, 0, sizeof *out);
	for (size_t place = 0; place < 4; place++) {
		CLEANUP(md_super_free) struct md_super s = { 0 };
		int rc = super_read_at(b, place, &s, damaged ? NULL : &why);

		if (rc == -ERR_NOMEM)
			return err_nomem(e);
		if (rc < 0)
			damaged = true;
		if (rc <= 0 || (found && s.ctime <= best.ctime))
			continue;
		md_super_free(&best);
		best = s;
		memset(&s, 0, sizeof s);
		found = true;
	}
	if (!found) {
		if (damaged && e)
			*e = why;
		return damaged ? -(int)why.code : 0;
	}
	*out = best;
	memset(&best, 0, sizeof best);
	return 1;
}

/* ---- the journal of raid4, 5 and 6 ---- */

struct journal_block {
	le32 magic, checksum;
	uint8_t version, pad[3];
	le32 size; /* of what is used of the block, this header included */
	le64 seq, position;
};
#define JOURNAL_MAGIC 0x6433c509u
#define JOURNAL_BLOCK 4096u

/* Is this a block of the journal that the kernel would take for the one at that position? */
static bool is_journal_block(const uint8_t *block, uint64_t position, const struct md_super *s)
{
	static const uint8_t zeros[4];
	struct journal_block h;
	uint32_t crc;

	memcpy(&h, block, sizeof h);
	if (le32_get(h.magic) != JOURNAL_MAGIC || h.version != 1 || le64_get(h.position) != position / MD_SECTOR)
		return false;
	crc = crc32c(crc32c(~0u, s->uuid, sizeof s->uuid), block, 4);
	crc = crc32c(crc32c(crc, zeros, sizeof zeros), block + 8, JOURNAL_BLOCK - 8);
	return crc == le32_get(h.checksum);
}

int md_journal_pending(struct block *b, const struct md_super *s, struct err *e)
{
	uint64_t size = round_down(s->data_size, JOURNAL_BLOCK), at = s->journal_tail, seq = 0;

	/* From the place that the superblock names, blocks that hold nothing may precede; each has its predecessor's number + 1. */
	for (unsigned hops = 0; hops < LIMIT_MD_JOURNAL_EMPTY; hops++) {
		uint8_t block[JOURNAL_BLOCK];
		struct journal_block h;
		int rc;

		if (!range_in(at, sizeof block, size))
			return 0;
		rc = block_pread(b, block, sizeof block, s->data_off + at, e);
		if (rc < 0)
			return rc;
		memcpy(&h, block, sizeof h);
		if (!is_journal_block(block, at, s) || (hops && le64_get(h.seq) != seq))
			return 0;
		if (le32_get(h.size) > sizeof h)
			return 1;
		seq = le64_get(h.seq) + 1;
		at = (at + JOURNAL_BLOCK) % size;
	}
	return 1;
}
