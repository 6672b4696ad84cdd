/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fixture.h"

#include "btrfs_make.h"

#include "block_driver.h"

/* ---- a filesystem made byte by byte ---- */

static void write_disk(const struct make *m)
{
	FILE *f = fopen("d", "wb");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(m->img, 1, m->size, f), m->size);
	ck_assert_int_eq(fclose(f), 0);
}

static struct vfs *open_made(struct make *m)
{
	make_sums(m);
	write_disk(m);
	return open_tree();
}

static void reads(struct vfs *v, const char *path, const char *want, size_t want_len)
{
	char *text = NULL;
	size_t len;

	ok(vfs_read_file(v, path, 1 << 20, &text, &len, &e));
	ck_assert_uint_eq(len, want_len);
	ck_assert_mem_eq(text, want, len);
	free(text);
}

START_TEST(what_was_made_by_hand_is_read)
{
	static char big[3 * 4096 + 100], packed[8192];
	struct strbuf target = STRBUF_INIT;
	struct fs_usage u;
	struct fs_stat st;
	struct vfs_node n;
	struct make m;
	struct vfs *v;
	uint64_t len;
	bool hole;

	make_btrfs(&m);
	v = open_made(&m);
	reads(v, "/file", "words of the guest", 18);
	reads(v, "/dir/hard", "words of the guest", 18);
	reads(v, "/zlib", "words of the guest", 18);
	reads(v, "/lzo", "words of the guest", 18);
	reads(v, "/zstd", "words of the guest", 18);
	reads(v, "/link", "words of the guest", 18);
	reads(v, "/sub/inner", "inner", 5);
	memset(packed, 'p', sizeof packed);
	reads(v, "/packed", packed, sizeof packed);
	memset(big, 'd', 4096);
	memset(big + 3 * 4096, 'd', 100);
	reads(v, "/big", big, sizeof big);
	ok(vfs_lookup(v, "/big", true, &n, &e));
	ok(fs_extent(n.fs, n.ino, 10, &len, &hole, &e));
	ck_assert(!hole && len == 4086);
	ok(fs_extent(n.fs, n.ino, 4096, &len, &hole, &e));
	ck_assert(hole && len == 8192);
	ok(fs_extent(n.fs, n.ino, 12288, &len, &hole, &e));
	ck_assert(!hole && len == 100);
	ok(fs_readlink(n.fs, (vfs_lookup(v, "/link", false, &n, &e), n.ino), &target, &e));
	ck_assert_str_eq(target.s, "file");
	strbuf_free(&target);
	ok(vfs_stat(v, "/file", true, &st, &e));
	ck_assert_uint_eq(st.ino, 257);
	ck_assert_uint_eq(st.subvol, 5);
	ck_assert_uint_eq(st.blocks512, 8);
	ck_assert_int_eq(st.mtime.sec, -5);
	ck_assert_uint_eq(st.mtime.nsec, 123456789);
	ok(fs_statfs(n.fs, &u, &e));
	ck_assert_uint_eq(u.blocks, 64);
	ck_assert_uint_eq(u.inodes, 0);
	fails(vfs_stat(v, "/nothing", true, &st, &e), ERR_NOT_FOUND);
	vfs_free(v);
	free(m.img);
}
END_TEST

START_TEST(subvolumes_have_inodes_and_devices_of_their_own)
{
	struct fs_stat st;
	struct make m;
	struct vfs *v;

	make_btrfs(&m);
	v = open_made(&m);
	ok(vfs_stat(v, "/sub", true, &st, &e));
	ck_assert_uint_eq(st.ino, 256);
	ck_assert_uint_eq(st.subvol, 256);
	ok(vfs_stat(v, "/sub/inner", true, &st, &e));
	ck_assert_uint_eq(st.ino, 257);
	ck_assert_uint_eq(st.subvol, 256);
	ok(vfs_stat(v, "/sub/..", true, &st, &e));
	ck_assert_uint_eq(st.subvol, 5);
	/* What the original of a snapshot had nested is an empty directory, inode 2. */
	ok(vfs_stat(v, "/sub/gone", true, &st, &e));
	ck_assert_uint_eq(st.ino, 2);
	ck_assert_uint_eq(st.uid, 1000);
	ck_assert(S_ISDIR(st.mode) && !st.has_crtime);
	fails(vfs_stat(v, "/sub/gone/x", true, &st, &e), ERR_NOT_FOUND);
	vfs_free(v);
	free(m.img);
}
END_TEST

static int name_count(void *arg, const struct fs_dirent *d, struct err *err)
{
	(void)err;
	ck_assert(S_ISDIR(d->type) || strcmp(d->name, "inner") == 0);
	++*(int *)arg;
	return 0;
}

START_TEST(nodes_that_nobody_gave_are_refused)
{
	static const uint64_t bad[] = { 0, 1, 255, UINT64_MAX, 1ULL << 47, 1ULL << 48, (5ULL << 48) + 256 };
	struct vfs_node n;
	struct fs_stat st;
	struct make m;
	struct vfs *v;
	uint64_t ino, len;
	bool hole;
	int count = 0;

	make_btrfs(&m);
	v = open_made(&m);
	ok(vfs_lookup(v, "/sub", true, &n, &e));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_int_lt(fs_stat(n.fs, bad[i], &st, &e), 0);
	/* A number that could be, of an inode that is not. */
	fails(fs_stat(n.fs, fs_root(n.fs) + 5000, &st, &e), ERR_CORRUPT);
	ok(fs_readdir(n.fs, n.ino, name_count, &count, &e));
	ck_assert_int_eq(count, 4);
	ok(vfs_lookup(v, "/sub/gone", true, &n, &e));
	count = 0;
	ok(fs_readdir(n.fs, n.ino, name_count, &count, &e));
	ck_assert_int_eq(count, 2);
	fails(fs_extent(n.fs, n.ino, 0, &len, &hole, &e), ERR_USAGE);
	ok(fs_lookup(n.fs, n.ino, "..", &ino, &e));
	ok(vfs_lookup(v, "/sub", true, &n, &e));
	ck_assert_uint_eq(ino, n.ino);
	vfs_free(v);
	free(m.img);
}
END_TEST

static int subvolume_is(void *arg, uint64_t id, const char *path, struct err *err)
{
	(void)err;
	ck_assert_uint_eq(id, 256);
	ck_assert_str_eq(path, "sub");
	++*(int *)arg;
	return 0;
}

START_TEST(mount_options_choose_a_subvolume)
{
	static const struct {
		const char *opts;
		int code; /* 0: the subvolume; 1: the top; else the error */
	} cases[] = {
		{ "", 1 },		   { "ro,noatime", 1 },		{ "subvol=sub", 0 },
		{ "subvol=/sub", 0 },	   { "ro,subvol=/sub/,x", 0 },	{ "subvolid=256", 0 },
		{ "subvolid=0x100", 0 },   { "subvolid=5", 1 },		{ "subvolid=0", 1 },
		{ "subvol=/", 1 },	   { "subvolid=256,subvol=sub", 0 }, { "subvolid=5,subvolid=256", 0 },
		{ "subvolid=5,subvol=sub", -ERR_NOT_FOUND }, { "subvol=other", -ERR_NOT_FOUND },
		{ "subvolid=257", -ERR_NOT_FOUND },	     { "subvolid=2", -ERR_NOT_FOUND },
		{ "subvol=dir", -ERR_NOT_FOUND },	     { "subvol=file", -ERR_NOT_FOUND },
		{ "subvol=file/x", -ERR_NOT_FOUND },	     { "subvol=sub/gone", -ERR_NOT_FOUND },
		{ "subvolid=x", -ERR_USAGE },
	};
	struct fs *fs = NULL;
	struct fs_stat st;
	struct make m;
	int count = 0;

	make_btrfs(&m);
	write_disk(&m);
	ok(open_fs(&fs));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t root;
		int rc = fs_mount_root(fs, cases[i].opts, &root, &e);

		ck_assert_msg(rc == (cases[i].code < 0 ? cases[i].code : 0), "%s: %d", cases[i].opts, rc);
		if (rc < 0)
			continue;
		ok(fs_stat(fs, root, &st, &e));
		ck_assert_msg(st.subvol == (cases[i].code ? 5 : 256), "%s", cases[i].opts);
	}
	ok(fs_subvolumes(fs, subvolume_is, &count, &e));
	ck_assert_int_eq(count, 1);
	fs_close(fs);
	free(m.img);
}
END_TEST

START_TEST(block_groups_are_found_in_a_tree_of_their_own)
{
	struct make m = { .group_tree = true };
	struct fs_usage u[2];
	struct fs *fs = NULL;

	make_it(&m);
	le64_put(&make_super(&m)->compat_ro, BTRFS_COMPAT_RO_BLOCK_GROUP_TREE);
	make_sums(&m);
	write_disk(&m);
	ok(open_fs(&fs));
	ok(fs_statfs(fs, &u[0], &e));
	fs_close(fs);
	free(m.img);
	make_btrfs(&m);
	write_disk(&m);
	ok(open_fs(&fs));
	ok(fs_statfs(fs, &u[1], &e));
	fs_close(fs);
	ck_assert_uint_eq(u[0].blocks, u[1].blocks);
	ck_assert_uint_eq(u[0].blocks_avail, u[1].blocks_avail);
	/* Where the feature is claimed, the other tree is not asked. */
	le64_put(&make_super(&m)->compat_ro, BTRFS_COMPAT_RO_BLOCK_GROUP_TREE);
	make_sums(&m);
	write_disk(&m);
	ok(open_fs(&fs));
	fails(fs_statfs(fs, &u[0], &e), ERR_CORRUPT);
	ck_assert_str_eq(e.msg, "there is no tree of block groups");
	fs_close(fs);
	free(m.img);
}
END_TEST

/* ---- copies and parity ---- */

static const struct {
	uint64_t profile;
	unsigned nstripes;
	unsigned lost[3]; /* as many stripes may be lost at once, in each of these ways: bits */
} profiles[] = {
	{ BTRFS_BG_DUP, 2, { 1, 2 } },
	{ BTRFS_BG_RAID0, 2, { 2 } },
	{ BTRFS_BG_RAID1, 2, { 1, 2 } },
	{ BTRFS_BG_RAID1C3, 3, { 3, 6, 5 } },
	{ BTRFS_BG_RAID1C4, 4, { 7, 14, 11 } },
	{ BTRFS_BG_RAID10, 4, { 1, 2, 8 } },
	{ BTRFS_BG_RAID5, 3, { 1, 2, 4 } },
	{ BTRFS_BG_RAID5, 2, { 1, 2 } },
	/* Two data, data and P, data and Q; then P with Q, and others. */
	{ BTRFS_BG_RAID6, 4, { 3, 5, 9 } },
	{ BTRFS_BG_RAID6, 5, { 24, 17, 5 } },
	{ BTRFS_BG_RAID6, 3, { 3, 5, 6 } },
};
#define NPROFILES ((int)ARRAY_LEN(profiles))

START_TEST(lost_stripes_come_back)
{
	static char big[3 * 4096 + 100];
	struct vfs *v;

	memset(big, 'd', 4096);
	memset(big + 3 * 4096, 'd', 100);
	for (unsigned i = 0; i < 3; i++) {
		struct make m;

		make_btrfs_on(&m, profiles[_i].profile, profiles[_i].nstripes);
		for (unsigned k = 0; k < profiles[_i].nstripes; k++)
			if (profiles[_i].lost[i] >> k & 1)
				memset(m.img + MAKE_STRIPES + k * (size_t)BTRFS_STRIPE_LEN, 'x', BTRFS_STRIPE_LEN);
		v = open_made(&m);
		reads(v, "/big", big, sizeof big);
		vfs_free(v);
		free(m.img);
	}
}
END_TEST

START_TEST(more_lost_stripes_than_a_profile_survives_are_said)
{
	char *text;
	size_t len;
	struct make m;
	struct vfs *v;

	make_btrfs_on(&m, profiles[_i].profile, profiles[_i].nstripes);
	memset(m.img + MAKE_STRIPES, 'x', profiles[_i].nstripes * (size_t)BTRFS_STRIPE_LEN);
	v = open_made(&m);
	fails(vfs_read_file(v, "/big", 1 << 20, &text, &len, &e), ERR_CORRUPT);
	ck_assert_ptr_nonnull(strstr(e.msg, "/big: inode 258: data at 16777216: the checksum does not match"));
	vfs_free(v);
	free(m.img);
}
END_TEST

/* ---- what is wrong is said ---- */

static void opening_says(struct make *m, enum err_code code, const char *words)
{
	make_sums(m);
	write_disk(m);
	refused(code, words);
	free(m->img);
}

START_TEST(superblocks_that_lie_are_refused)
{
	struct make m;

	make_btrfs(&m);
	le32_put(&make_super(&m)->nodesize, 1024);
	opening_says(&m, ERR_CORRUPT, "superblock: nodes of 1024 bytes with sectors of 4096");
	make_btrfs(&m);
	le32_put(&make_super(&m)->sectorsize, 3000);
	opening_says(&m, ERR_CORRUPT, "superblock: sectors of 3000 bytes");
	make_btrfs(&m);
	le64_put(&make_super(&m)->incompat, 1ULL << 14);
	opening_says(&m, ERR_UNSUPPORTED, "feature \"raid_stripe_tree\" is not read");
	make_btrfs(&m);
	le64_put(&make_super(&m)->incompat, 1ULL << 12);
	opening_says(&m, ERR_UNSUPPORTED, "feature \"zoned\" is not read");
	make_btrfs(&m);
	le64_put(&make_super(&m)->incompat, 1ULL << 50);
	opening_says(&m, ERR_UNSUPPORTED, "unknown incompatible feature 0x4000000000000");
	make_btrfs(&m);
	le64_put(&make_super(&m)->flags, BTRFS_SUPER_CHANGING_FSID);
	opening_says(&m, ERR_UNSUPPORTED, "a change of its UUID was begun and not ended");
	make_btrfs(&m);
	le16_put(&make_super(&m)->csum_type, 4);
	opening_says(&m, ERR_UNSUPPORTED, "checksums of type 4");
	make_btrfs(&m);
	make_super(&m)->root_level = 8;
	opening_says(&m, ERR_CORRUPT, "trees of 9 and 1 levels");
	make_btrfs(&m);
	le64_put(&make_super(&m)->bytenr, 4096);
	opening_says(&m, ERR_CORRUPT, "it says that it lies at byte 4096");
	make_btrfs(&m);
	le32_put(&make_super(&m)->sys_chunk_array_size, 2049);
	opening_says(&m, ERR_CORRUPT, "2049 bytes of system chunks");
	make_btrfs(&m);
	le32_put(&make_super(&m)->sys_chunk_array_size, 10);
	opening_says(&m, ERR_CORRUPT, "end amid a key");
	make_btrfs(&m);
	make_super(&m)->label[0] ^= 1;
	write_disk(&m);
	refused(ERR_CORRUPT, "superblock: its checksum does not match");
	free(m.img);
}
END_TEST

START_TEST(a_log_that_was_left_is_a_warning)
{
	struct make m;
	struct fs *fs = NULL;

	make_btrfs(&m);
	write_disk(&m);
	ok(open_fs(&fs));
	ck_assert_ptr_null(fs_warning(fs));
	ck_assert_ptr_null(fs_notice(fs));
	fs_close(fs);
	le64_put(&make_super(&m)->log_root, 0x17000);
	make_sums(&m);
	write_disk(&m);
	ok(open_fs(&fs));
	ck_assert_ptr_nonnull(strstr(fs_warning(fs), "(generation 7) lies in a log that is not replayed"));
	fs_close(fs);
	free(m.img);
}
END_TEST

START_TEST(inodes_that_nobody_summed_are_read_unchecked)
{
	static char big[3 * 4096 + 100];
	struct btrfs_disk_header *h;
	struct make m;
	struct vfs *v;
	char *text;
	size_t len;

	make_btrfs(&m);
	m.img[MAKE_DATA + 10] ^= 1;
	v = open_made(&m);
	fails(vfs_read_file(v, "/big", 1 << 20, &text, &len, &e), ERR_CORRUPT);
	ck_assert_str_eq(e.msg, "/big: inode 258: data at 131072: the checksum does not match");
	vfs_free(v);
	/* The flag of the inode, which is the second regular file's. */
	h = (void *)(m.img + MAKE_TOP);
	for (unsigned i = 0; i < le32_get(h->nritems); i++) {
		struct btrfs_disk_item *it = (struct btrfs_disk_item *)(void *)(h + 1) + i;
		struct btrfs_disk_inode *d = (void *)((uint8_t *)(h + 1) + le32_get(it->offset));

		if (le64_get(it->key.objectid) == 258 && it->key.type == BTRFS_INODE_ITEM)
			le64_put(&d->flags, BTRFS_INODE_NODATASUM);
	}
	v = open_made(&m);
	memset(big, 'd', 4096);
	big[10] ^= 1;
	memset(big + 3 * 4096, 'd', 100);
	big[3 * 4096 + 10] ^= 1;
	reads(v, "/big", big, sizeof big);
	vfs_free(v);
	free(m.img);
}
END_TEST

/* ---- filesystems made by mkfs.btrfs, without a kernel ---- */

static const char make_files[] =
	"mkdir -p t/dir t/many; head -c 500000 /dev/urandom > t/random; echo hello > t/file; echo x > t/dir/x\n"
	"for i in $(seq 800); do : > t/many/a-name-that-is-long-enough-for-many-leaves-$i; done\n";

static void mkfs(const char *options)
{
	char cmd[300];

	snprintf(cmd, sizeof cmd, "rm -f d; truncate -s 200M d; mkfs.btrfs -q -r t %s d", options);
	run(make_files);
	run(cmd);
}

static void expect_random(struct vfs *v)
{
	static char want[500000];
	FILE *f = fopen("t/random", "rb");

	ck_assert_uint_eq(fread(want, 1, sizeof want, f), sizeof want);
	fclose(f);
	reads(v, "/random", want, sizeof want);
}

static const char *const layouts[] = {
	"-n 4096 --csum crc32c", "-n 16384 --csum xxhash", "-n 65536 --csum sha256", "--csum blake2 -m single", "-M -n 4096",
};
#define NLAYOUTS ((int)ARRAY_LEN(layouts))

START_TEST(files_of_every_layout_read_as_they_were_written)
{
	char name[100];
	struct fs_stat st;
	struct vfs *v;

	mkfs(layouts[_i]);
	v = open_tree();
	expect_random(v);
	reads(v, "/file", "hello\n", 6);
	for (int i = 1; i <= 800; i++) {
		snprintf(name, sizeof name, "/many/a-name-that-is-long-enough-for-many-leaves-%d", i);
		ok(vfs_stat(v, name, false, &st, &e));
	}
	fails(vfs_stat(v, "/many/a-name-that-is-long-enough-for-many-leaves-801", false, &st, &e), ERR_NOT_FOUND);
	vfs_free(v);
}
END_TEST

/* The offset on the disk of a logical address, of the nth copy, as btrfs-map-logical prints it. */
static uint64_t physical(uint64_t logical, unsigned copy)
{
	char cmd[200];
	unsigned long long at = 0;
	FILE *p;

	snprintf(cmd, sizeof cmd, "PATH=$PATH:/sbin:/usr/sbin; btrfs-map-logical -l %" PRIu64 " d | sed -n 's/^mirror %u logical.*"
		 " physical \\([0-9]*\\) device.*/\\1/p'", logical, copy);
	p = popen(cmd, "r");
	ck_assert_ptr_nonnull(p);
	ck_assert_msg(fscanf(p, "%llu", &at) == 1, "%s", cmd);
	pclose(p);
	return at;
}

START_TEST(the_good_copy_of_a_node_is_used)
{
	struct btrfs_disk_super s;
	uint64_t copies[2];
	struct vfs *v;
	FILE *f;

	mkfs("-m dup -d dup");
	f = fopen("d", "rb");
	ck_assert_int_eq(fseek(f, BTRFS_SUPER_OFF, SEEK_SET), 0);
	ck_assert_uint_eq(fread(&s, sizeof s, 1, f), 1);
	fclose(f);
	for (unsigned i = 0; i < 2; i++)
		copies[i] = physical(le64_get(s.root), i + 1);
	poke(copies[_i] + 200, "damage", 6);
	v = open_tree();
	expect_random(v);
	vfs_free(v);
	poke(copies[1 - _i] + 200, "damage", 6);
	refused(ERR_CORRUPT, "its checksum does not match");
}
END_TEST

/* Opens "d" with the nth read (0: none) failing, and tells of the others by *plan. */
static int open_faulty(struct fault_plan *plan, unsigned long nth, struct block **b, struct fs **fs)
{
	const struct block_open how = { .format = "raw" };
	struct block *file = NULL;
	int rc;

	*plan = (struct fault_plan){ .fail_read_at = nth };
	ok(block_open("d", &how, &file, &e));
	ok(block_fault(file, plan, b, &e));
	block_unref(file);
	*fs = NULL;
	rc = fs_open(*b, fs, &e);
	return rc;
}

/* _i: without and with second copies of the nodes. */
START_TEST(every_failing_read_is_an_error_or_has_another_copy)
{
	struct fault_plan plan;
	struct block *b;
	struct vfs *v;
	struct fs *fs;
	unsigned long n, failed = 0;
	char *text;
	size_t len;

	mkfs(_i ? "-n 4096 -m dup" : "-n 4096 -m single");
	/* The opening, in which a read of the superblock's copy does not matter. */
	for (n = 1; n < 100; n++) {
		failed += open_faulty(&plan, n, &b, &fs) < 0;
		fs_close(fs);
		block_unref(b);
		if (atomic_load(&plan.nreads) < n)
			break;
	}
	ck_assert_uint_gt(n, 5);
	ck_assert_uint_lt(n, 100);
	ck_assert_uint_gt(failed, 1);
	for (n = 1; n < 300; n++) {
		int rc;

		ok(open_faulty(&plan, 0, &b, &fs));
		ok(vfs_new(&v, &e));
		ok(vfs_mount(v, fs, "/", &e));
		plan.fail_read_at = atomic_load(&plan.nreads) + n;
		rc = vfs_read_file(v, "/random", 1 << 20, &text, &len, &e);
		if (rc < 0)
			ok(vfs_read_file(v, "/random", 1 << 20, &text, &len, &e));
		free(text);
		vfs_free(v);
		block_unref(b);
		if (atomic_load(&plan.nreads) < plan.fail_read_at)
			break;
		ck_assert_msg(rc < 0 || _i, "read %lu did not matter", n);
	}
	ck_assert_uint_gt(n, 2);
	ck_assert_uint_lt(n, 300);
}
END_TEST

START_TEST(when_memory_is_out_it_says_so)
{
	unsigned long n;
	struct make m;

	make_btrfs(&m);
	write_disk(&m);
	for (n = 1; n < 500; n++) {
		const struct block_open how = { .format = "raw" };
		struct block *b = NULL;
		struct fs *fs = NULL;
		struct vfs *v = NULL;
		char *text = NULL;
		size_t len;
		int rc;

		ok(block_open("d", &how, &b, &e));
		alloc_fault_at(n);
		rc = fs_open(b, &fs, &e);
		if (rc == 0)
			rc = vfs_new(&v, &e);
		if (rc == 0) {
			rc = vfs_mount(v, fs, "/", &e);
			/* From now on it is the tree's. */
			if (rc == 0) {
				fs = NULL;
				rc = vfs_read_file(v, "/packed", 1 << 20, &text, &len, &e);
			}
		}
		free(text);
		alloc_fault_at(0);
		ck_assert_msg(rc == 0 || rc == -ERR_NOMEM, "allocation %lu: %d (%s)", n, rc, e.msg);
		vfs_free(v);
		fs_close(fs);
		block_unref(b);
		if (rc == 0)
			break;
	}
	ck_assert_uint_gt(n, 10);
	ck_assert_uint_lt(n, 500);
	free(m.img);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("btrfs");
	Suite *s = suite_create("btrfs");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, enter_scratch, leave_scratch);
	tcase_set_timeout(t, 100);
	tcase_add_test(t, what_was_made_by_hand_is_read);
	tcase_add_test(t, subvolumes_have_inodes_and_devices_of_their_own);
	tcase_add_test(t, nodes_that_nobody_gave_are_refused);
	tcase_add_test(t, mount_options_choose_a_subvolume);
	tcase_add_test(t, block_groups_are_found_in_a_tree_of_their_own);
	tcase_add_loop_test(t, lost_stripes_come_back, 0, NPROFILES);
	tcase_add_loop_test(t, more_lost_stripes_than_a_profile_survives_are_said, 0, NPROFILES);
	tcase_add_test(t, superblocks_that_lie_are_refused);
	tcase_add_test(t, a_log_that_was_left_is_a_warning);
	tcase_add_test(t, inodes_that_nobody_summed_are_read_unchecked);
	tcase_add_loop_test(t, files_of_every_layout_read_as_they_were_written, 0, NLAYOUTS);
	tcase_add_loop_test(t, the_good_copy_of_a_node_is_used, 0, 2);
	tcase_add_loop_test(t, every_failing_read_is_an_error_or_has_another_copy, 0, 2);
	tcase_add_test(t, when_memory_is_out_it_says_so);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
