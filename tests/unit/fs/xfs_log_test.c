/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xfs_log_test.c - logs of XFS, written by hand behind the record that mkfs.xfs leaves, and what of them is seen.
 *
 * A body is put together operation by operation; record() writes it to the ring, with its words put aside and its checksum.
 */
#include "xfs_make.h"

#include "crc32c.h"
#include "fs_driver.h"
#include "ondisk.h"

#define SECTOR 512u
#define INODE 512u

/* ---- writing ---- */

static uint8_t body[300000];
static size_t body_len;
static unsigned nops;

static void op(uint32_t tid, uint8_t flags, const void *bytes, size_t len)
{
	be32 v;

	be32_put(&v, tid);
	memcpy(body + body_len, &v, 4);
	be32_put(&v, (uint32_t)len);
	memcpy(body + body_len + 4, &v, 4);
	body[body_len + 8] = 0x69;
	body[body_len + 9] = flags;
	body[body_len + 10] = body[body_len + 11] = 0;
	if (len)
		memcpy(body + body_len + 12, bytes, len);
	body_len += 12 + len;
	nops++;
}

static void start(uint32_t tid)
{
	static const uint8_t head[16] = { 'N', 'A', 'R', 'T', 40 };

	op(tid, 0x01, NULL, 0);
	op(tid, 0, head, sizeof head);
}

static void commit(uint32_t tid)
{
	op(tid, 0x02, NULL, 0);
}

/* The format of a buffer of whose chunks these are logged. */
static void buffer(uint32_t tid, uint64_t pos, size_t len, uint16_t flags, uint32_t chunks)
{
	struct {
		le16 type, n, flags, sectors;
		le64 sector;
		le32 words, map[2];
	} f;
	unsigned n = 1;

	for (unsigned i = 0; i < 32; i++)
		n += (chunks >> i & 1) && (i == 0 || !(chunks >> (i - 1) & 1));
	le16_put(&f.type, 0x123c);
	le16_put(&f.n, (uint16_t)n);
	le16_put(&f.flags, flags);
	le16_put(&f.sectors, (uint16_t)(len / SECTOR));
	le64_put(&f.sector, pos / SECTOR);
	le32_put(&f.words, 1);
	le32_put(&f.map[0], chunks);
	le32_put(&f.map[1], 0);
	op(tid, 0, &f, 28);
}

/* The log's first byte, and its sectors. */
static uint64_t log_at(uint32_t *nsectors)
{
	be64 start_block;
	be32 blocks;
	uint8_t b[4];

	peek(48, &start_block, 8);
	peek(96, &blocks, 4);
	peek(4, b, 4);
	*nsectors = be32_get(blocks) * ((uint32_t)b[2] << 8 | b[3]) / SECTOR;
	return be64_get(start_block) * ((uint32_t)b[2] << 8 | b[3]);
}

static void put_be32(uint8_t *p, uint32_t v)
{
	be32 b;

	be32_put(&b, v);
	memcpy(p, &b, 4);
}

/* Sectors of the ring, from `sector` on. */
static void ring_put(uint32_t sector, const uint8_t *bytes, size_t n)
{
	uint32_t nsectors;
	uint64_t log = log_at(&nsectors);

	for (size_t i = 0; i < n; i++)
		poke(log + (sector + i) % nsectors * SECTOR, bytes + i * SECTOR, SECTOR);
}

/* Records have one head, whatever their length. */
static bool few_heads;

/* The body so far as a record of a ring at `sector`, in this cycle; the next sector. */
static uint32_t record(uint32_t cycle, uint32_t sector, uint32_t tail_cycle, uint32_t tail)
{
	static uint8_t all[sizeof body + 16 * SECTOR];
	uint32_t nsectors, nwords = (uint32_t)((body_len + SECTOR - 1) / SECTOR), nheads = few_heads ? 1 : (nwords + 63) / 64;
	uint8_t *data = all + nheads * SECTOR;
	uint32_t crc;

	log_at(&nsectors);
	memset(all, 0, sizeof all);
	memcpy(data, body, body_len);
	for (uint32_t i = 0; i < nwords; i++) {
		if (i / 64 < nheads)
			memcpy(all + i / 64 * SECTOR + (i < 64 ? 44 : 4) + i % 64 * 4, data + i * SECTOR, 4);
		put_be32(data + i * SECTOR, sector + nheads + i < nsectors ? cycle : cycle + 1);
	}
	for (uint32_t i = 1; i < nheads; i++)
		put_be32(all + i * SECTOR, sector + i < nsectors ? cycle : cycle + 1);
	put_be32(all, 0xfeedbabe);
	put_be32(all + 4, cycle);
	put_be32(all + 8, 2);
	put_be32(all + 12, nwords * SECTOR);
	put_be32(all + 16, cycle);
	put_be32(all + 20, sector);
	put_be32(all + 24, tail_cycle);
	put_be32(all + 28, tail);
	put_be32(all + 40, nops);
	put_be32(all + 300, 1);
	memcpy(all + 304, uuid_bytes, 16);
	put_be32(all + 320, nheads * 32768);
	crc = crc32c(~0u, all, 328);
	for (uint32_t i = 1; i < nheads; i++)
		crc = crc32c(crc, all + i * SECTOR, 260);
	crc = ~crc32c(crc, data, nwords * SECTOR);
	for (int i = 0; i < 4; i++)
		all[32 + i] = (uint8_t)(crc >> (8 * i));
	ring_put(sector, all, nheads + nwords);
	body_len = 0;
	nops = 0;
	return (sector + nheads + nwords) % nsectors;
}

/* ---- what is seen ---- */

static bool has(const char *path)
{
	struct vfs *v = open_tree();
	struct fs_stat st;
	int rc = vfs_stat(v, path, false, &st, &e);

	vfs_free(v);
	return rc == 0;
}

struct names {
	const char *want;
	bool found;
};

static int look(void *arg, const struct fs_dirent *d, struct err *er)
{
	struct names *n = arg;

	(void)er;
	n->found |= strcmp(d->name, n->want) == 0;
	return 0;
}

/* Is there such a name in the folder "some", whose hashes do not know of it? */
static bool some_has(const char *name)
{
	struct vfs *v = open_tree();
	struct names n = { .want = name };
	struct vfs_node dir;

	ok(vfs_lookup(v, "/some", true, &dir, &e));
	ok(fs_readdir(dir.fs, dir.ino, look, &n, &e));
	vfs_free(v);
	return n.found;
}

/* The first chunk of the block of "some", whose third entry, "some-1", becomes "SOME-" and this letter. */
static uint64_t some;
static uint8_t chunk[128];
static void chunk_of_some(char letter)
{
	some = xfs_db_at("-c 'path /some' -c 'dblock 0'");
	peek(some, chunk, sizeof chunk);
	for (size_t i = 0; i + 6 <= sizeof chunk; i++)
		if (memcmp(chunk + i, "some-1", 6) == 0) {
			memcpy(chunk + i, "SOME-", 5);
			chunk[i + 5] = (uint8_t)letter;
			return;
		}
	ck_abort_msg("the entry is elsewhere");
}

static void log_some(uint32_t tid, char letter)
{
	chunk_of_some(letter);
	buffer(tid, some, 4096, 0, 1);
	op(tid, 0, chunk, sizeof chunk);
}

/* Everything is as mkfs.xfs left it, and the image too. */
static void make(void)
{
	make_xfs("");
	body_len = 0;
	nops = 0;
}

START_TEST(a_logged_buffer_is_read_and_the_image_stays_as_it_is)
{
	make();
	start(1);
	log_some(1, 'A');
	commit(1);
	record(1, 2, 1, 2);
	run("cp d before");
	ck_assert_str_eq(opening_notice(), "log replayed in memory: 1 transactions, 1 buffers, 0 inodes");
	ck_assert(some_has("SOME-A") && !some_has("some-1") && some_has("some-2"));
	run("cmp d before");
}
END_TEST

START_TEST(the_later_of_two_transactions_wins_by_its_commit)
{
	make();
	start(1);
	start(2);
	log_some(2, 'B');
	log_some(1, 'A');
	commit(2);
	commit(1);
	record(1, 2, 1, 2);
	ck_assert(some_has("SOME-A"));
	start(1);
	start(2);
	log_some(2, 'B');
	log_some(1, 'A');
	commit(1);
	commit(2);
	record(1, 2, 1, 2);
	ck_assert(some_has("SOME-B"));
}
END_TEST

START_TEST(what_was_not_committed_never_happened)
{
	make();
	start(1);
	log_some(1, 'A');
	record(1, 2, 1, 2);
	ck_assert_str_eq(opening_notice(), "log replayed in memory: 0 transactions, 0 buffers, 0 inodes");
	ck_assert(some_has("some-1"));
}
END_TEST

START_TEST(what_is_older_than_the_block_on_the_disk_is_not_replayed)
{
	static const uint8_t lsn[8] = { 0, 0, 0, 1, 0, 0, 0, 3 };

	make();
	start(1);
	log_some(1, 'A');
	commit(1);
	record(1, 2, 1, 2);
	poke(some + 16, lsn, sizeof lsn);
	run("xfs_db -x -c 'path /some' -c 'dblock 0' -c 'write -d bhdr.hdr.lsn 0x100000003' d");
	ck_assert(some_has("some-1"));
	/* Of the same age it may be another change of the same record. */
	run("xfs_db -x -c 'path /some' -c 'dblock 0' -c 'write -d bhdr.hdr.lsn 0x100000002' d");
	ck_assert(some_has("SOME-A"));
}
END_TEST

START_TEST(what_was_freed_is_not_replayed_and_what_was_logged_afterwards_is)
{
	make();
	start(1);
	log_some(1, 'A');
	commit(1);
	start(2);
	buffer(2, some, 4096, 0x02, 0);
	commit(2);
	record(1, 2, 1, 2);
	ck_assert(some_has("some-1"));
	start(1);
	log_some(1, 'A');
	commit(1);
	start(2);
	buffer(2, some, 4096, 0x02, 0);
	commit(2);
	start(3);
	log_some(3, 'C');
	commit(3);
	record(1, 2, 1, 2);
	ck_assert(some_has("SOME-C"));
}
END_TEST

START_TEST(a_region_goes_on_in_the_next_record)
{
	uint32_t next;

	make();
	chunk_of_some('A');
	start(1);
	buffer(1, some, 4096, 0, 1);
	op(1, 0x04, chunk, 60);
	next = record(1, 2, 1, 2);
	/* Another transaction comes in between. */
	start(2);
	op(1, 0x08 | 0x04, chunk + 60, 8);
	commit(2);
	next = record(1, next, 1, 2);
	op(1, 0x08 | 0x10, chunk + 68, 60);
	commit(1);
	record(1, next, 1, 2);
	ck_assert(some_has("SOME-A"));
	ck_assert_str_eq(opening_notice(), "log replayed in memory: 2 transactions, 1 buffers, 0 inodes");
}
END_TEST

START_TEST(records_of_more_than_32_kib_have_more_heads)
{
	static uint8_t filler[128];

	make();
	start(1);
	for (unsigned i = 0; i < 600; i++) {
		memset(filler, (int)i, sizeof filler);
		buffer(1, 4096 * 4 + 128 * SECTOR, 512, 0, 1);
		op(1, 0, filler, sizeof filler);
	}
	log_some(1, 'A');
	commit(1);
	ck_assert_uint_gt(body_len, 3 * 32768);
	record(1, 2, 1, 2);
	ck_assert(some_has("SOME-A"));
}
END_TEST

/* The whole ring is written: in cycle 2 up to the end, in cycle 1 behind. */
START_TEST(records_go_around_the_end_of_the_ring)
{
	uint8_t sector[SECTOR] = { 0 };
	uint32_t nsectors, tail, next;

	make();
	log_at(&nsectors);
	put_be32(sector, 1);
	for (uint32_t i = 0; i < nsectors; i++)
		ring_put(i, sector, 1);
	/* The record has a head and 2 sectors: its last one is the ring's first, then comes another. */
	tail = nsectors - 2;
	start(1);
	for (int i = 0; i < 3; i++)
		log_some(1, 'A');
	ck_assert(body_len > SECTOR && body_len + 12 <= 2 * SECTOR);
	commit(1);
	next = record(1, tail, 1, tail);
	ck_assert_uint_eq(next, 1);
	start(2);
	log_some(2, 'B');
	commit(2);
	record(2, next, 1, tail);
	ck_assert_str_eq(opening_notice(), "log replayed in memory: 2 transactions, 4 buffers, 0 inodes");
	ck_assert(some_has("SOME-B"));
}
END_TEST

/* The ring is full, and of what was under way from its beginning on, which is half of it, all but the first sector was written. */
START_TEST(the_end_of_the_ring_is_the_logs_when_its_beginning_was_not_written)
{
	uint8_t sector[SECTOR] = { 0 };
	uint32_t nsectors, tail;

	make();
	log_at(&nsectors);
	put_be32(sector, 1);
	for (uint32_t i = 0; i < nsectors; i++)
		ring_put(i, sector, 1);
	tail = nsectors - 2;
	start(1);
	log_some(1, 'A');
	commit(1);
	ck_assert_uint_eq(record(1, tail, 1, tail), 0);
	put_be32(sector, 2);
	for (uint32_t i = 1; i < nsectors / 2 + 10; i++)
		ring_put(i, sector, 1);
	ck_assert(some_has("SOME-A"));
}
END_TEST

START_TEST(a_tail_that_was_written_over_is_refused)
{
	make();
	start(1);
	log_some(1, 'A');
	commit(1);
	record(1, 2, 0, 2);
	refused(ERR_CORRUPT, "its tail at sector 2 was written over");
}
END_TEST

START_TEST(a_record_with_fewer_heads_than_its_words_need_is_refused)
{
	static uint8_t filler[128];

	make();
	start(1);
	for (unsigned i = 0; i < 300; i++) {
		buffer(1, 4096 * 4 + 128 * SECTOR, 512, 0, 1);
		op(1, 0, filler, sizeof filler);
	}
	commit(1);
	few_heads = true;
	record(1, 2, 1, 2);
	few_heads = false;
	refused(ERR_CORRUPT, "bytes with 1 heads");
}
END_TEST

START_TEST(records_that_were_under_way_never_happened)
{
	uint8_t none[SECTOR] = { 0 };
	uint32_t second, third, end, nsectors;
	uint64_t log;

	make();
	log = log_at(&nsectors);
	start(1);
	log_some(1, 'A');
	commit(1);
	second = record(1, 2, 1, 2);
	start(2);
	log_some(2, 'B');
	commit(2);
	third = record(1, second, 1, 2);
	start(3);
	log_some(3, 'C');
	commit(3);
	end = record(1, third, 1, 2);
	ck_assert(some_has("SOME-C"));
	run("cp d whole");
	/* The last one's end was not written. */
	ring_put(end - 1, none, 1);
	ck_assert(some_has("SOME-B"));
	/* Nor was the second's head, although the third is whole. */
	run("cp whole d");
	ring_put(second, none, 1);
	ck_assert(some_has("SOME-A"));
	/* A sector is there, with other bytes. */
	run("cp whole d");
	poke(log + third * SECTOR + SECTOR + 100, "xxxx", 4);
	ck_assert(some_has("SOME-B"));
	run("cp whole d");
	poke(log + second * SECTOR + SECTOR + 100, "xxxx", 4);
	ck_assert(some_has("SOME-A"));
}
END_TEST

START_TEST(a_bad_record_among_older_ones_is_refused)
{
	uint32_t next = 2, first, nsectors;
	uint64_t log;

	make();
	log = log_at(&nsectors);
	first = next;
	for (unsigned i = 0; i < 12; i++) {
		start(1);
		log_some(1, 'A');
		commit(1);
		next = record(1, next, 1, 2);
	}
	poke(log + first * SECTOR + SECTOR + 100, "xxxx", 4);
	refused(ERR_CORRUPT, "the checksum of the record at sector 2 does not match");
}
END_TEST

START_TEST(a_record_of_an_unmount_makes_it_clean)
{
	uint32_t next;

	make();
	start(1);
	log_some(1, 'A');
	commit(1);
	next = record(1, 2, 1, 2);
	op(9, 0x20, "nU\0\0\0\0\0", 8);
	record(1, next, 1, next);
	ck_assert_str_eq(opening_notice(), "");
	ck_assert(some_has("some-1"));
}
END_TEST

/* ---- inodes ---- */

/* A core as a little-endian machine logs it: what lies on the disk, each number turned around. */
static uint8_t raw[INODE], core[176];
static uint64_t ino, ino_at;

static void turn(size_t off, size_t size)
{
	for (size_t i = 0; i < size; i++)
		core[off + i] = raw[off + size - 1 - i];
}

static void core_of(const char *path)
{
	static const uint8_t fields[][2] = {
		{ 0, 2 },   { 2, 2 },	{ 4, 1 },   { 5, 1 },	{ 6, 2 },    { 8, 4 },	  { 12, 4 },  { 16, 4 },   { 20, 2 },
		{ 22, 2 },  { 24, 8 },	{ 32, 8 },  { 40, 8 },	{ 48, 8 },   { 56, 8 },	  { 64, 8 },  { 72, 4 },   { 76, 4 },
		{ 80, 2 },  { 82, 1 },	{ 83, 1 },  { 84, 4 },	{ 88, 2 },   { 90, 2 },	  { 92, 4 },  { 104, 8 },  { 112, 8 },
		{ 120, 8 }, { 128, 4 }, { 144, 8 }, { 152, 8 },
	};
	char cmd[100];

	snprintf(cmd, sizeof cmd, "-c 'path %s' -c inode", path);
	ino = xfs_db_number(cmd);
	ino_at = xfs_inode_at(path, INODE, 4096);
	peek(ino_at, raw, sizeof raw);
	memset(core, 0, sizeof core);
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		bool two = !(raw[127] & 8) && (fields[i][0] == 144 || (fields[i][0] >= 32 && fields[i][0] <= 48));

		/* A time is one number only where the inode says so. */
		turn(fields[i][0], two ? 4 : fields[i][1]);
		if (two)
			turn(fields[i][0] + 4u, 4);
	}
	memcpy(core + 160, uuid_bytes, 16);
}

static void inode(uint32_t tid, uint32_t fields, unsigned nregions)
{
	struct {
		le16 type, n;
		le32 fields;
		le16 attr_len, data_len;
		le32 pad;
		le64 ino;
		uint8_t dev[16];
		le64 sector;
		le32 len, off;
	} f;

	memset(&f, 0, sizeof f);
	le16_put(&f.type, 0x123b);
	le16_put(&f.n, (uint16_t)nregions);
	le32_put(&f.fields, fields);
	le64_put(&f.ino, ino);
	le64_put(&f.sector, ino_at / 4096 * 8);
	le32_put(&f.off, (uint32_t)(ino_at % 4096));
	f.dev[0] = 7;
	f.dev[2] = 20; /* 5 << 18 */
	op(tid, 0, &f, sizeof f);
	op(tid, 0, core, sizeof core);
}

static struct fs_stat stat_of(const char *path)
{
	struct vfs *v = open_tree();
	struct fs_stat st;

	ok(vfs_stat(v, path, false, &st, &e));
	vfs_free(v);
	return st;
}

START_TEST(a_logged_inode_is_told_as_it_is_logged)
{
	struct fs_stat st;

	make_xfs(_i ? "-m bigtime=0" : "");
	core_of("/tiny");
	core[2] = 0xa4; /* 0644 */
	core[3] = 0x81;
	core[8] = 77;
	core[9] = 1;
	start(1);
	inode(1, 1, 2);
	commit(1);
	record(1, 2, 1, 2);
	st = stat_of("/tiny");
	ck_assert_uint_eq(st.mode, S_IFREG | 0644);
	ck_assert_uint_eq(st.uid, 256 + 77);
	ck_assert_uint_eq(st.size, 4);
	ck_assert_int_gt(st.mtime.sec, 1700000000);
	ck_assert_int_lt(st.crtime.sec, 5000000000);
	/* Written to the disk since. */
	run("xfs_db -x -c 'path /tiny' -c 'write -d v3.lsn 0x100000003' d");
	ck_assert_uint_eq(stat_of("/tiny").mode, S_IFREG | 04755);
}
END_TEST

/* The core that was logged last, and the fork that was logged last, need not be of one item. */
START_TEST(forks_that_are_logged_earlier_count)
{
	struct strbuf target = STRBUF_INIT;
	struct vfs_node n;
	struct vfs *v;

	make();
	core_of("/short");
	core[56] = 5;
	start(1);
	inode(1, 1 | 2, 3);
	op(1, 0, "other\0\0\0", 8);
	commit(1);
	start(2);
	core[8] = 3;
	inode(2, 1, 2);
	commit(2);
	record(1, 2, 1, 2);
	v = open_tree();
	ok(vfs_lookup(v, "/short", false, &n, &e));
	ok(fs_readlink(n.fs, n.ino, &target, &e));
	ck_assert_str_eq(target.s, "other");
	strbuf_free(&target);
	vfs_free(v);
	ck_assert_uint_eq(stat_of("/short").uid, 3);
	/* But not when there is a device now, where a symlink was. */
	core_of("/short");
	start(1);
	inode(1, 1 | 2, 3);
	op(1, 0, "other\0\0\0", 8);
	commit(1);
	core[2] = 0;
	core[3] = 0x20; /* a character device */
	core[5] = 0;
	start(2);
	inode(2, 1 | 0x10, 2);
	commit(2);
	record(1, 2, 1, 2);
	ck_assert_uint_eq(stat_of("/short").rdev_major, 5);
	ck_assert_uint_eq(stat_of("/short").rdev_minor, 7);
}
END_TEST

/* An extent tree's root is logged as a block of its own, and becomes what lies in the inode. */
START_TEST(the_root_of_an_extent_tree_is_put_into_its_inode)
{
	uint8_t leaf[4096] = { 0 }, root[72 + 3 * 16] = { 0 };
	uint64_t leaf_at;
	struct vfs *v;

	make();
	core_of("/file");
	/* The leaf lies in the file's last block, which then is no longer the file's. */
	leaf_at = xfs_db_at("-c 'path /file' -c 'dblock 48'");
	memcpy(leaf, "BMA3\0\0\0\1\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 24);
	put_be32(leaf + 28, (uint32_t)(leaf_at / SECTOR));
	memcpy(leaf + 40, uuid_bytes, 16);
	put_be32(leaf + 60, (uint32_t)ino);
	memcpy(leaf + 72, raw + 176, 16);
	leaf[72 + 15]--;
	poke(leaf_at, leaf, sizeof leaf);
	core[57] = 0;
	core[58] = 0;
	core[56] = 100;
	core[5] = 3;
	memcpy(root, "BMA3\0\1\0\1", 8);
	/* Behind room for three keys. */
	put_be32(root + 72 + 24 + 4, (uint32_t)xfs_db_number("-c 'path /file' -c 'dblock 48' -c fsblock"));
	start(1);
	inode(1, 1 | 8, 3);
	op(1, 0, root, sizeof root);
	/* The leaf's head is logged, so that its checksum does not count. */
	buffer(1, leaf_at, 4096, 0, 1);
	op(1, 0, leaf, 128);
	commit(1);
	record(1, 2, 1, 2);
	run("head -c 100 words >part");
	v = open_tree();
	reads_as(v, "/file", "part");
	vfs_free(v);
}
END_TEST

/* Eight inodes are made in the block at pos. */
static void make_inodes(uint32_t tid, uint64_t pos)
{
	struct {
		le16 type, n;
		be32 ag, agbno, count, size, length, gen;
	} f;
	be32 agblocks;

	peek(84, &agblocks, sizeof agblocks);
	le16_put(&f.type, 0x123f);
	le16_put(&f.n, 1);
	be32_put(&f.ag, (uint32_t)(pos / 4096) / be32_get(agblocks));
	be32_put(&f.agbno, (uint32_t)(pos / 4096) % be32_get(agblocks));
	be32_put(&f.count, 8);
	be32_put(&f.size, INODE);
	be32_put(&f.length, 1);
	be32_put(&f.gen, 1);
	op(tid, 0, &f, sizeof f);
}

/* In version 4 the bytes of new inodes are logged: how often those were flushed that were there before says nothing. */
START_TEST(inodes_whose_bytes_are_logged_have_no_age)
{
	uint32_t first;

	make_xfs("-m crc=0 -i size=512");
	core_of("/tiny");
	first = (uint32_t)(ino_at % 4096 / 128);
	core[8] = 77;
	start(1);
	inode(1, 1, 2);
	commit(1);
	record(1, 2, 1, 2);
	ck_assert_uint_eq(stat_of("/tiny").uid, 77);
	run("xfs_db -x -c 'path /tiny' -c 'write core.flushiter 5' d");
	ck_assert_uint_eq(stat_of("/tiny").uid, 0);
	raw[30] = raw[31] = 0;
	start(1);
	buffer(1, ino_at / 4096 * 4096, 4096, 0, 0xfu << first);
	op(1, 0, raw, INODE);
	commit(1);
	start(2);
	inode(2, 1, 2);
	commit(2);
	record(1, 2, 1, 2);
	ck_assert_uint_eq(stat_of("/tiny").uid, 77);
}
END_TEST

/* A directory took their block, and is on the disk but for its last change. */
START_TEST(inodes_that_were_made_and_freed_leave_nothing)
{
	make();
	chunk_of_some('A');
	start(1);
	make_inodes(1, some);
	commit(1);
	start(2);
	buffer(2, some, 4096, 0x02, 0);
	commit(2);
	start(3);
	log_some(3, 'A');
	commit(3);
	record(1, 2, 1, 2);
	ck_assert(some_has("SOME-A") && some_has("some-2") && some_has("some-9"));
}
END_TEST

START_TEST(inodes_that_are_made_in_the_log_begin_as_zeros)
{
	make();
	/* In a block of the middle: the root is in the first. */
	core_of("/most/most-300");
	/* What was logged before does not count, and what lies on the disk may be of any age. */
	run("xfs_db -x -c 'path /most/most-300' -c 'write -d v3.lsn 0x900000003' d");
	start(1);
	core[8] = 1;
	inode(1, 1, 2);
	commit(1);
	start(2);
	make_inodes(2, ino_at);
	commit(2);
	start(3);
	core[8] = 9;
	inode(3, 1, 2);
	commit(3);
	record(1, 2, 1, 2);
	ck_assert_uint_eq(stat_of("/most/most-300").uid, 9);
	/* Its neighbours in the block are gone. */
	ck_assert(!has("/most/most-299") || !has("/most/most-301"));
	ck_assert(has("/most/most-280") && has("/most/most-320"));
}
END_TEST

/* ---- changes that were announced ---- */

static void announce(uint32_t tid, uint64_t id, uint64_t lblk, uint64_t fsb, uint32_t len, uint32_t flags)
{
	struct {
		le16 type, n;
		le32 count;
		le64 id, owner, fsb, lblk;
		le32 len, flags;
	} f;

	le16_put(&f.type, 0x1244);
	le16_put(&f.n, 1);
	le32_put(&f.count, 1);
	le64_put(&f.id, id);
	le64_put(&f.owner, ino);
	le64_put(&f.fsb, fsb);
	le64_put(&f.lblk, lblk);
	le32_put(&f.len, len);
	le32_put(&f.flags, flags);
	op(tid, 0, &f, sizeof f);
}

static void done(uint32_t tid, uint64_t id)
{
	struct {
		le16 type, n;
		le32 pad;
		le64 id;
	} f;

	le16_put(&f.type, 0x1245);
	le16_put(&f.n, 1);
	le32_put(&f.pad, 0);
	le64_put(&f.id, id);
	op(tid, 0, &f, sizeof f);
}

START_TEST(announced_changes_of_a_map_are_completed)
{
	struct vfs_node n;
	struct vfs *v;
	uint64_t len, before;
	bool hole;

	make();
	core_of("/file");
	before = stat_of("/file").blocks512;
	start(1);
	/* Blocks 3 to 6 are taken away; 4 becomes what tiny has; what was to happen to 10 is done. */
	announce(1, 1, 3, 0, 4, 2);
	announce(1, 2, 4, xfs_db_number("-c 'path /tiny' -c 'dblock 0' -c fsblock"), 1, 1);
	announce(1, 3, 10, 0, 1, 2);
	done(1, 3);
	commit(1);
	record(1, 2, 1, 2);
	ck_assert_str_eq(opening_notice(),
			 "log replayed in memory: 1 transactions, 0 buffers, 0 inodes; announced changes completed");
	run("cp words want; head -c 16384 /dev/zero | dd of=want bs=4096 seek=3 conv=notrunc\n"
	    "printf tiny | dd of=want bs=4096 seek=4 conv=notrunc");
	v = open_tree();
	reads_as(v, "/file", "want");
	ok(vfs_lookup(v, "/file", true, &n, &e));
	ok(fs_extent(n.fs, n.ino, 0, &len, &hole, &e));
	ck_assert(!hole && len == 3 * 4096);
	ok(fs_extent(n.fs, n.ino, len, &len, &hole, &e));
	ck_assert(hole && len == 4096);
	ok(fs_extent(n.fs, n.ino, 4 * 4096, &len, &hole, &e));
	ck_assert(!hole && len == 4096);
	ok(fs_extent(n.fs, n.ino, 5 * 4096, &len, &hole, &e));
	ck_assert(hole && len == 2 * 4096);
	vfs_free(v);
	ck_assert_uint_eq(stat_of("/file").blocks512, before - 3 * 8);
}
END_TEST

START_TEST(every_failing_allocation_of_a_replay_is_an_error)
{
	const struct block_open how = { .format = "raw" };
	struct block *b = NULL;
	unsigned long n;

	make();
	core_of("/file");
	start(1);
	log_some(1, 'A');
	inode(1, 1, 2);
	announce(1, 1, 3, 0, 4, 2);
	commit(1);
	record(1, 2, 1, 2);
	ok(block_open("d", &how, &b, &e));
	for (n = 1; n < 500; n++) {
		struct fs *fs = NULL;
		int rc;

		alloc_fault_at(n);
		rc = fs_open(b, &fs, &e);
		if (!alloc_fault_hit()) {
			ok(rc);
			fs_close(fs);
			break;
		}
		ck_assert_msg(rc == -ERR_NOMEM, "allocation %lu: %d %s", n, rc, e.msg);
	}
	alloc_fault_at(0);
	block_unref(b);
	ck_assert_uint_gt(n, 10);
	ck_assert_uint_lt(n, 500);
}
END_TEST

START_TEST(a_read_of_the_log_that_fails_is_an_error)
{
	make();
	start(1);
	log_some(1, 'A');
	commit(1);
	record(1, 2, 1, 2);
	each_failing_read_is_an_error("/some/../tiny", false);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("xfs_log");
	Suite *s = suite_create("xfs_log");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, enter_scratch, leave_scratch);
	tcase_set_timeout(t, 200);
	tcase_add_test(t, a_logged_buffer_is_read_and_the_image_stays_as_it_is);
	tcase_add_test(t, the_later_of_two_transactions_wins_by_its_commit);
	tcase_add_test(t, what_was_not_committed_never_happened);
	tcase_add_test(t, what_is_older_than_the_block_on_the_disk_is_not_replayed);
	tcase_add_test(t, what_was_freed_is_not_replayed_and_what_was_logged_afterwards_is);
	tcase_add_test(t, a_region_goes_on_in_the_next_record);
	tcase_add_test(t, records_of_more_than_32_kib_have_more_heads);
	tcase_add_test(t, records_go_around_the_end_of_the_ring);
	tcase_add_test(t, the_end_of_the_ring_is_the_logs_when_its_beginning_was_not_written);
	tcase_add_test(t, a_tail_that_was_written_over_is_refused);
	tcase_add_test(t, a_record_with_fewer_heads_than_its_words_need_is_refused);
	tcase_add_test(t, records_that_were_under_way_never_happened);
	tcase_add_test(t, a_bad_record_among_older_ones_is_refused);
	tcase_add_test(t, a_record_of_an_unmount_makes_it_clean);
	tcase_add_loop_test(t, a_logged_inode_is_told_as_it_is_logged, 0, 2);
	tcase_add_test(t, forks_that_are_logged_earlier_count);
	tcase_add_test(t, the_root_of_an_extent_tree_is_put_into_its_inode);
	tcase_add_test(t, inodes_whose_bytes_are_logged_have_no_age);
	tcase_add_test(t, inodes_that_were_made_and_freed_leave_nothing);
	tcase_add_test(t, inodes_that_are_made_in_the_log_begin_as_zeros);
	tcase_add_test(t, announced_changes_of_a_map_are_completed);
	tcase_add_test(t, every_failing_allocation_of_a_replay_is_an_error);
	tcase_add_test(t, a_read_of_the_log_that_fails_is_an_error);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
