/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fixture.h"

#include "block_driver.h"

static const char make_tree[] =
	"mkdir -p t/dir/sub t/many; echo hello > t/file; chmod 4755 t/file; printf tiny > t/tiny\n"
	"ln -s file t/fast; ln -s \"$(printf 'x%.0s' $(seq 200))\" t/slow; ln -s \"$(printf 'y%.0s' $(seq 59))\" t/edge\n"
	"mkfifo t/fifo; truncate -s 300000 t/holes; printf middle | dd of=t/holes bs=1 seek=100000 conv=notrunc\n"
	"for i in $(seq 300); do : > t/many/a-name-that-is-long-enough-$i; done\n"
	"touch -d '2200-01-02 03:04:05.123456789 UTC' t/future; touch -d '1930-01-01 00:00:00 UTC' t/past\n"
	"head -c 200000 /dev/urandom > t/random\n";

/* The ways a filesystem of these files can be laid out. */
static const char *const layouts[] = {
	"-t ext2 -b 1024",
	"-t ext3 -b 1024 -I 256",
	"-t ext4 -b 1024",
	"-t ext4 -b 4096",
	"-t ext4 -b 1024 -O ^metadata_csum,^64bit,uninit_bg",
	"-t ext4 -b 1024 -O meta_bg,^resize_inode",
	"-t ext4 -b 1024 -O bigalloc -C 8192 -N 1024",
	"-t ext4 -b 1024 -O ea_inode,large_dir,mmp,quota,project,casefold,verity,metadata_csum_seed",
	"-t ext4 -b 1024 -O sparse_super2,^flex_bg",
	"-t ext4 -b 1024 -g 256 -N 1024 -O meta_bg,^resize_inode,^flex_bg,^has_journal",
	"-t ext4 -b 1024 -g 256 -N 1024 -O meta_bg,^resize_inode,^flex_bg,^has_journal,^metadata_csum,uninit_bg",
	"-t ext4 -b 1024 -I 512 -O inline_data", /* last: mke2fs -d with it cuts a file's last hole off */
};
#define NLAYOUTS ((int)(sizeof layouts / sizeof *layouts))

static void make_layout(int i)
{
	run(make_tree);
	make_fs("16M", layouts[i]);
}

static void expect_link(struct vfs *v, const char *path, size_t len, char c)
{
	struct strbuf t = STRBUF_INIT;
	struct vfs_node n;

	ok(vfs_lookup(v, path, false, &n, &e));
	ok(fs_readlink(n.fs, n.ino, &t, &e));
	ck_assert_uint_eq(t.len, len);
	ck_assert_int_eq(t.s[len - 1], c);
	strbuf_free(&t);
}

START_TEST(files_of_every_layout_read_as_they_were_written)
{
	struct vfs *v;
	struct fs_stat st;
	char *text;
	size_t len;
	FILE *f;
	static char want[200000];

	make_layout(_i);
	v = open_tree();
	ok(vfs_read_file(v, "/fast", 100, &text, &len, &e));
	ck_assert_str_eq(text, "hello\n");
	free(text);
	ok(vfs_read_file(v, "/tiny", 100, &text, &len, &e));
	ck_assert_str_eq(text, "tiny");
	free(text);
	ok(vfs_read_file(v, "/random", 1 << 20, &text, &len, &e));
	f = fopen("t/random", "rb");
	ck_assert_uint_eq(fread(want, 1, sizeof want, f), len);
	ck_assert_mem_eq(text, want, len);
	fclose(f);
	free(text);
	ok(vfs_stat(v, "/file", true, &st, &e));
	ck_assert_uint_eq(st.mode, S_IFREG | 04755);
	ok(vfs_stat(v, "/dir", true, &st, &e));
	ck_assert_uint_eq(st.nlink, 3);
	ok(vfs_stat(v, "/fifo", true, &st, &e));
	ck_assert(S_ISFIFO(st.mode));
	fails(vfs_stat(v, "/nothing", true, &st, &e), ERR_NOT_FOUND);
	expect_link(v, "/slow", 200, 'x');
	expect_link(v, "/edge", 59, 'y');
	vfs_free(v);
}
END_TEST

START_TEST(every_name_of_a_large_directory_is_found)
{
	char name[100];
	struct vfs *v;
	struct fs_stat st;

	run(make_tree);
	make_fs("16M", _i ? "-t ext4 -b 1024" : "-t ext4 -b 1024 -O ^metadata_csum");
	/* Builds the tree of hashes, which mke2fs does not. */
	run("e2fsck -fyD d || test $? -le 1; debugfs -R 'htree_dump /many' d | grep -q 'Root node dump'");
	v = open_tree();
	for (int i = 1; i <= 300; i++) {
		snprintf(name, sizeof name, "/many/a-name-that-is-long-enough-%d", i);
		ok(vfs_stat(v, name, false, &st, &e));
	}
	fails(vfs_stat(v, "/many/a-name-that-is-long-enough-301", false, &st, &e), ERR_NOT_FOUND);
	fails(vfs_stat(v, "/many/a-name-that-is-long-enough-0", false, &st, &e), ERR_NOT_FOUND);
	vfs_free(v);
}
END_TEST

START_TEST(holes_are_told_from_data)
{
	struct vfs *v;
	struct vfs_node n;
	uint64_t len;
	bool hole;

	make_layout(_i);
	v = open_tree();
	ok(vfs_lookup(v, "/holes", true, &n, &e));
	ok(fs_extent(n.fs, n.ino, 0, &len, &hole, &e));
	ck_assert(hole && len <= 100000 && len >= 98304);
	ok(fs_extent(n.fs, n.ino, len, &len, &hole, &e));
	ck_assert(!hole && len <= 16384);
	ok(fs_extent(n.fs, n.ino, 200000, &len, &hole, &e));
	ck_assert(hole && len == 100000);
	ok(fs_extent(n.fs, n.ino, 300000, &len, &hole, &e));
	ck_assert_uint_eq(len, 0);
	places_hold_the_bytes(v);
	vfs_free(v);
}
END_TEST

START_TEST(times_reach_beyond_32_bits)
{
	struct vfs *v;
	struct fs_stat st;

	run(make_tree);
	make_fs("16M", "-t ext4 -b 1024");
	v = open_tree();
	/* mke2fs -d keeps only the low 32 bits: set the rest as a kernel does. */
	vfs_free(v);
	run("debugfs -w -R 'sif /future mtime_lo 0xb0a2a7e5' d; debugfs -w -R 'sif /future mtime_extra 0x1d6f3455' d");
	v = open_tree();
	ok(vfs_stat(v, "/future", true, &st, &e));
	ck_assert_int_eq(st.mtime.sec, (int32_t)0xb0a2a7e5 + (1LL << 32));
	ck_assert_uint_eq(st.mtime.nsec, 123456789);
	ok(vfs_stat(v, "/past", true, &st, &e));
	ck_assert_int_eq(st.mtime.sec, -1262304000);
	ck_assert(st.has_crtime);
	vfs_free(v);
}
END_TEST

struct attrs {
	unsigned n;
	char text[2000];
};

static int on_xattr(void *arg, const char *name, const void *value, size_t len, struct err *err)
{
	struct attrs *a = arg;
	size_t at = strlen(a->text);

	(void)err;
	a->n++;
	at += (size_t)snprintf(a->text + at, sizeof a->text - at, "%s=", name);
	for (size_t i = 0; i < len && i < 60; i++)
		at += (size_t)snprintf(a->text + at, sizeof a->text - at, "%02x", ((const uint8_t *)value)[i]);
	snprintf(a->text + at, sizeof a->text - at, "\n");
	return 0;
}

START_TEST(attributes_and_acls_come_as_the_kernel_gives_them)
{
	struct attrs a = { 0 };
	struct vfs_node n;
	struct vfs *v;

	run("mkdir t; : > t/f");
	make_fs("8M", "-t ext4 -b 1024 -O ea_inode");
	run("printf 'ea_set /f user.one -f one\\nea_set /f user.empty \"\"\\nea_set /f security.big -f big\\n' > cmds\n"
	    "printf 1 > one; head -c 2000 /dev/zero | tr '\\0' z > big\n"
	    /* user::rw-, user:7:r--, group::r--, mask::r--, other::r-- as getxattr() gives it */
	    "printf '\\2\\0\\0\\0\\1\\0\\6\\0\\377\\377\\377\\377\\2\\0\\4\\0\\7\\0\\0\\0\\4\\0\\4\\0\\377\\377\\377\\377"
	    "\\20\\0\\4\\0\\377\\377\\377\\377 \\0\\4\\0\\377\\377\\377\\377' > acl\n"
	    "echo 'ea_set /f system.posix_acl_access -f acl' >> cmds; debugfs -w -f cmds d; debugfs -R 'ea_list /f' d");
	v = open_tree();
	ok(vfs_lookup(v, "/f", true, &n, &e));
	ok(fs_xattrs(n.fs, n.ino, on_xattr, &a, &e));
	ck_assert_msg(a.n >= 3, "%s", a.text);
	ck_assert_msg(strstr(a.text, "user.one=31\n"), "%s", a.text);
	ck_assert_msg(strstr(a.text, "security.big=7a7a7a"), "%s", a.text);
	ck_assert_msg(strstr(a.text, "system.posix_acl_access=0200000001000600ffffffff0200040007000000"
					     "04000400ffffffff10000400ffffffff20000400ffffffff\n"),
		      "%s", a.text);
	vfs_free(v);
}
END_TEST

/* ---- the superblock's lies ---- */

START_TEST(absurd_geometry_is_refused_in_words)
{
	static const struct {
		unsigned off;
		uint32_t value;
		enum err_code code;
		const char *words;
	} lies[] = {
		{ 24, 7, ERR_CORRUPT, "block size 2^17" },
		{ 24, 0xffffffff, ERR_CORRUPT, "block size 2^4294967305" },
		{ 20, 2, ERR_CORRUPT, "first data block 2" },
		{ 4, 0, ERR_CORRUPT, "0 blocks in all" },
		{ 4, 0x7fffffff, ERR_CORRUPT, "the filesystem claims 2147483647 blocks of 1024 bytes" },
		{ 32, 0, ERR_CORRUPT, "0 blocks per group" },
		{ 32, 9000, ERR_CORRUPT, "9000 blocks per group" },
		{ 32, 8, ERR_CORRUPT, "cannot hold" },
		{ 40, 0, ERR_CORRUPT, "0 inodes per group" },
		{ 40, 0xffffffff, ERR_CORRUPT, "4294967295 inodes per group" },
		{ 0, 5, ERR_CORRUPT, "5 inodes in" },
		{ 84, 1, ERR_CORRUPT, "first inode 1" },
		{ 88, 100, ERR_CORRUPT, "inodes of 100 bytes" },
		{ 88, 0x8000, ERR_CORRUPT, "inodes of 32768 bytes" },
		{ 96, 0x2c2 | 0x80000, ERR_UNSUPPORTED, "unknown incompatible feature 0x80000" },
		{ 96, 0x2c3, ERR_UNSUPPORTED, "feature \"compression\" is not read" },
		{ 76, 9, ERR_UNSUPPORTED, "revision 9" },
		{ 206, 5000, ERR_CORRUPT, "5000 reserved descriptor blocks" },
		{ 254, 48, ERR_CORRUPT, "group descriptors of 48 bytes" },
	};

	run("mkdir t; echo x > t/f");
	make_fs("8M", "-t ext4 -b 1024 -O ^metadata_csum,^has_journal,64bit,^resize_inode");
	run("cp d good");
	for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
		run("cp good d");
		if (lies[i].off == 88 || lies[i].off == 206 || lies[i].off == 254)
			poke16(1024 + lies[i].off, (uint16_t)lies[i].value);
		else
			poke32(1024 + lies[i].off, lies[i].value);
		refused(lies[i].code, lies[i].words);
	}
}
END_TEST

START_TEST(a_wrong_checksum_is_said_wherever_it_is)
{
	struct vfs *v;
	struct fs_stat st;
	struct vfs_node n;
	char byte[1] = { 0x5a };
	char *text;
	size_t len;

	run(make_tree);
	make_fs("16M", "-t ext4 -b 1024");
	run("cp d good");
	poke(1024 + 120, byte, 1);
	refused(ERR_CORRUPT, "the checksum of the superblock does not match");

	run("cp good d");
	poke(inode_off("/file") + 4, byte, 1);
	v = open_tree();
	fails(vfs_stat(v, "/file", true, &st, &e), ERR_CORRUPT);
	ck_assert_ptr_nonnull(strstr(e.msg, "the checksum does not match"));
	ok(vfs_stat(v, "/tiny", true, &st, &e));
	vfs_free(v);

	run("cp good d");
	poke(debugfs_number("blocks /dir") * 1024 + 30, byte, 1);
	v = open_tree();
	fails(vfs_stat(v, "/dir/sub", true, &st, &e), ERR_CORRUPT);
	ck_assert_ptr_nonnull(strstr(e.msg, "the checksum of directory block 0 does not match"));
	vfs_free(v);

	/* The first group's descriptor. */
	run("cp good d");
	poke(2048 + 4 + 20, byte, 1);
	fails(open_fs(&(struct fs *){ NULL }), ERR_CORRUPT);
	ck_assert_ptr_nonnull(strstr(e.msg, "the checksum of group descriptor 0 does not match"));

	/* A file with a node outside of its inode. */
	run("cp good d; mkdir t2; for i in $(seq 0 2 60); do printf z | dd of=t2/f bs=1024 seek=$i conv=notrunc; done\n"
	    "rm -f d; truncate -s 16M d; mke2fs -q -F -t ext4 -b 1024 -d t2 d");
	v = open_tree();
	ok(vfs_read_file(v, "/f", 1 << 20, &text, &len, &e));
	free(text);
	vfs_free(v);
	{
		uint8_t leaf[4];
		FILE *f = fopen("d", "rb");
		uint64_t at = inode_off("/f");

		/* i_block: header of 12 bytes, then an index entry whose block is at 4. */
		ck_assert_int_eq(fseek(f, (long)at + 40 + 12 + 4, SEEK_SET), 0);
		ck_assert_uint_eq(fread(leaf, 1, 4, f), 4);
		fclose(f);
		poke((leaf[0] | (uint64_t)leaf[1] << 8) * 1024 + 20, byte, 1);
	}
	v = open_tree();
	ok(vfs_lookup(v, "/f", true, &n, &e));
	fails(vfs_read_file(v, "/f", 1 << 20, &text, &len, &e), ERR_CORRUPT);
	ck_assert_ptr_nonnull(strstr(e.msg, "the checksum of the node"));
	vfs_free(v);
}
END_TEST

/* ---- maps and directories that lie ---- */

/* A file with an extent tree of one level below the inode, without checksums: its index entry names leaf[]. */
static uint64_t make_deep_file(void)
{
	run("mkdir -p t; for i in $(seq 0 2 60); do printf z | dd of=t/f bs=1024 seek=$i conv=notrunc; done");
	make_fs("8M", "-t ext4 -b 1024 -O ^metadata_csum,^has_journal");
	return inode_off("/f") + 40;
}

static void map_refused(const char *words)
{
	struct vfs *v = open_tree();
	char *text = NULL;
	size_t len;

	fails(vfs_read_file(v, "/f", 1 << 20, &text, &len, &e), ERR_CORRUPT);
	ck_assert_msg(strstr(e.msg, words), "%s", e.msg);
	vfs_free(v);
}

START_TEST(extent_trees_that_loop_or_lie_are_refused)
{
	static const uint8_t loop_index[] = { 0x0a, 0xf3, 1, 0, 84, 0, 1, 0, 0, 0, 0, 0 };
	uint64_t iblock = make_deep_file();
	uint8_t where[4];
	uint64_t leaf;
	FILE *f = fopen("d", "rb");

	ck_assert_int_eq(fseek(f, (long)iblock + 12 + 4, SEEK_SET), 0);
	ck_assert_uint_eq(fread(where, 1, 4, f), 4);
	fclose(f);
	leaf = (where[0] | (uint64_t)where[1] << 8 | (uint64_t)where[2] << 16) * 1024;
	run("cp d good");

	/* The leaf becomes an index node that names itself: the depths cannot fit. */
	poke(leaf, loop_index, sizeof loop_index);
	poke32(leaf + 12, 0);
	poke(leaf + 16, where, 4);
	map_refused("a node of depth 1 where 0 belongs");

	run("cp good d");
	poke16(iblock + 6, 2);
	map_refused("a node of depth 0 where 1 belongs");
	poke16(iblock + 6, 60000);
	map_refused("depth 60000");
	run("cp good d");
	poke16(iblock + 2, 200);
	map_refused("200 of at most 4 entries");
	run("cp good d");
	poke16(leaf + 2, 0);
	map_refused("an empty node");
	run("cp good d");
	poke32(iblock + 12 + 4, 0x7fffffff);
	map_refused("a node at block 2147483647, outside of the filesystem");
	run("cp good d");
	poke32(leaf + 12 + 8, 0x7fffffff);
	map_refused("lie outside of the filesystem");
	run("cp good d");
	poke16(leaf + 12 + 4, 3);
	map_refused("overlaps its neighbours");
	run("cp good d");
	poke16(leaf + 12 + 4, 0);
	map_refused("overlaps its neighbours");
	run("cp good d");
	poke32(iblock + 12, 5);
	map_refused("overlaps its neighbours");
}
END_TEST

/* An index node of one entry. */
static void make_index(uint64_t block, unsigned depth, uint64_t next)
{
	poke16(block * 1024, 0xf30a);
	poke16(block * 1024 + 2, 1);
	poke16(block * 1024 + 4, 84);
	poke16(block * 1024 + 6, (uint16_t)depth);
	poke32(block * 1024 + 8, 0);
	poke32(block * 1024 + 12, 0);
	poke32(block * 1024 + 16, (uint32_t)next);
	poke32(block * 1024 + 20, 0);
}

/* Between the root and the leaf come blocks of another file, one for each level more. */
START_TEST(extent_trees_of_every_depth_are_read)
{
	uint64_t iblock, leaf, spare;
	struct vfs *v;

	run("mkdir t; head -c 8192 /dev/urandom > t/spare");
	iblock = make_deep_file();
	ck_assert_uint_eq(peek16(iblock + 6), 1);
	leaf = peek32(iblock + 16);
	spare = debugfs_number("blocks /spare");
	for (unsigned depth = 2; depth <= 5; depth++) {
		make_index(spare + depth, depth - 1, leaf);
		leaf = spare + depth;
		poke16(iblock + 6, (uint16_t)depth);
		poke32(iblock + 16, (uint32_t)leaf);
		v = open_tree();
		reads_as(v, "/f", "t/f");
		vfs_free(v);
	}
	make_index(spare, 5, leaf);
	poke16(iblock + 6, 6);
	poke32(iblock + 16, (uint32_t)spare);
	map_refused("depth 6");
}
END_TEST

/* Its Merkle tree lies behind the end, from the next 64 KiB on. */
START_TEST(the_content_of_a_verity_file_ends_at_its_size)
{
	struct vfs *v;
	struct vfs_node n;
	struct fs_stat st;
	uint64_t len;
	bool hole;

	run("mkdir t; head -c 100000 /dev/urandom > want; cp want t/f; truncate -s 131072 t/f; head -c 8192 /dev/urandom >> t/f");
	make_fs("8M", "-t ext4 -b 1024 -O verity,^metadata_csum");
	run("debugfs -w -R 'sif /f flags 0x180000' d; debugfs -w -R 'sif /f size 100000' d");
	v = open_tree();
	reads_as(v, "/f", "want");
	ok(vfs_stat(v, "/f", true, &st, &e));
	ck_assert_uint_eq(st.size, 100000);
	ok(vfs_lookup(v, "/f", true, &n, &e));
	ok(fs_extent(n.fs, n.ino, 0, &len, &hole, &e));
	ck_assert(!hole);
	ck_assert_uint_eq(len, 100000);
	vfs_free(v);
}
END_TEST

START_TEST(directories_that_lie_are_refused)
{
	static const struct {
		unsigned off; /* in the root's entry "..", at 12 */
		uint8_t value[2];
		const char *words;
	} lies[] = {
		{ 12 + 4, { 0, 0 }, "a directory entry of 0 bytes" },
		{ 12 + 4, { 13, 0 }, "a directory entry of 13 bytes" },
		{ 12 + 4, { 0xfc, 0xff }, "a directory entry of 65532 bytes" },
		{ 12 + 6, { 200, 2 }, "a name of 200 bytes" },
		{ 12 + 8, { '/', '/' }, "holds a slash or a NUL" },
		{ 12 + 2, { 0xff, 0xff }, "leads to inode" },
	};
	struct fs_stat st;

	run("mkdir t; echo x > t/f");
	make_fs("8M", "-t ext4 -b 1024 -O ^metadata_csum,^has_journal");
	run("cp d good");
	for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
		struct vfs *v;

		run("cp good d");
		poke(debugfs_number("blocks /") * 1024 + lies[i].off, lies[i].value, 2);
		v = open_tree();
		fails(vfs_stat(v, "/f", true, &st, &e), ERR_CORRUPT);
		ck_assert_msg(strstr(e.msg, lies[i].words), "%s", e.msg);
		vfs_free(v);
	}
}
END_TEST

static int count_failure(void *arg, const char *path, const struct err *why, struct err *err)
{
	(void)path, (void)err;
	ck_assert_msg(strstr(why->msg, "contains itself"), "%s", why->msg);
	++*(unsigned *)arg;
	return 0;
}

static int go_on(void *arg, enum vfs_when when, const struct vfs_entry *ent, struct err *err)
{
	(void)arg, (void)when, (void)ent, (void)err;
	return VFS_GO_ON;
}

START_TEST(a_walk_leaves_a_directory_that_contains_itself)
{
	unsigned nfailures = 0;
	const struct vfs_walk w = { .fn = go_on, .failed = count_failure, .arg = &nfailures };
	struct vfs *v;

	run("mkdir -p t/a/b");
	make_fs("8M", "-t ext4 -b 1024 -O ^metadata_csum,^has_journal");
	run("debugfs -w -R 'ln /a /a/b/again' d; debugfs -w -R 'ln / /a/root' d");
	v = open_tree();
	ok(vfs_walk(v, "/", &w, &e));
	ck_assert_uint_eq(nfailures, 2);
	vfs_free(v);
}
END_TEST

START_TEST(encrypted_files_and_directories_are_refused_in_one_sentence)
{
	struct vfs *v;
	struct fs_stat st;
	char *text;
	size_t len;

	run("mkdir -p t/dir; echo x > t/file; echo y > t/dir/f");
	make_fs("8M", "-t ext4 -b 1024 -O ^metadata_csum,encrypt");
	run("debugfs -w -R 'sif /dir flags 0x80800' d; debugfs -w -R 'sif /file flags 0x80800' d");
	v = open_tree();
	ok(vfs_stat(v, "/dir", true, &st, &e));
	fails(vfs_stat(v, "/dir/f", true, &st, &e), ERR_UNSUPPORTED);
	ck_assert_ptr_nonnull(strstr(e.msg, "is encrypted (fscrypt), its names cannot be read without the key"));
	fails(vfs_read_file(v, "/file", 100, &text, &len, &e), ERR_UNSUPPORTED);
	vfs_free(v);
}
END_TEST

START_TEST(names_are_folded_only_where_a_directory_says_so)
{
	struct vfs *v;
	struct fs_stat st, other;

	run("mkdir -p t/fold t/plain; echo 1 > t/fold/File; echo 2 > t/fold/FILE\n"
	    "echo 3 > t/fold/Gr\303\266\303\237e; : > t/plain/File");
	make_fs("8M", "-t ext4 -b 1024 -O casefold,^metadata_csum");
	run("debugfs -w -R 'sif /fold flags 0x40080000' d");
	v = open_tree();
	ok(vfs_stat(v, "/fold/File", true, &st, &e));
	ok(vfs_stat(v, "/fold/FILE", true, &other, &e));
	ck_assert_uint_ne(st.ino, other.ino);
	ok(vfs_stat(v, "/fold/fILe", true, &other, &e));
	ok(vfs_stat(v, "/fold/GR\303\226SSE", true, &other, &e));
	fails(vfs_stat(v, "/plain/file", true, &st, &e), ERR_NOT_FOUND);
	vfs_free(v);
}
END_TEST

/* How many reads of the image "d" it takes to open it and then, where there is one, to find a path. */
static unsigned long reads_to_find(const char *path)
{
	const struct block_open how = { .format = "raw" };
	struct fault_plan plan = { .fail_read_at = 0 };
	struct block *file = NULL, *b = NULL;
	struct fs *fs = NULL;
	struct vfs *v = NULL;
	struct fs_stat st;

	ok(block_open("d", &how, &file, &e));
	ok(block_fault(file, &plan, &b, &e));
	ok(fs_open(b, &fs, &e));
	ok(vfs_new(&v, &e));
	ok(vfs_mount(v, fs, "/", &e));
	if (path)
		ok(vfs_stat(v, path, true, &st, &e));
	vfs_free(v);
	block_unref(b);
	block_unref(file);
	return atomic_load(&plan.nreads);
}

/* e2fsck builds the tree of hashes, of names that are folded. */
START_TEST(folded_names_are_found_by_their_hash)
{
	struct vfs *v;
	struct fs_stat st;
	char path[300];

	/* Long ones, so that there are many blocks of few. */
	run("mkdir -p t/fold; cd t/fold; seq -f '\303\204-Name-%0200g' 1500 | xargs -d '\\n' touch");
	make_fs("16M", "-t ext4 -b 1024 -O casefold -N 2000");
	run("debugfs -w -R 'sif /fold flags 0x40080000' d; e2fsck -fyD d || [ $? = 1 ]; e2fsck -fn d");
	v = open_tree();
	for (unsigned i = 1; i <= 1500; i += 7) {
		snprintf(path, sizeof path, "/fold/\303\244-NAME-%0200u", i);
		ok(vfs_stat(v, path, true, &st, &e));
	}
	fails(vfs_stat(v, "/fold/no such name", true, &st, &e), ERR_NOT_FOUND);
	vfs_free(v);
	ck_assert_uint_lt(reads_to_find(path), reads_to_find(NULL) + 8);
}
END_TEST

START_TEST(opening_costs_no_more_with_many_groups)
{
	unsigned long few;

	run("mkdir t");
	make_fs("4M", "-t ext4 -b 1024 -g 256 -N 64");
	few = reads_to_find(NULL);
	make_fs("1G", "-t ext4 -b 1024 -g 256 -N 65536");
	ck_assert_uint_le(reads_to_find(NULL), few);
}
END_TEST

START_TEST(every_failing_read_is_an_error_and_the_next_attempt_works)
{
	const struct block_open how = { .format = "raw" };
	unsigned long n;

	run(make_tree);
	make_fs("16M", "-t ext4 -b 1024");
	for (n = 1; n < 300; n++) {
		struct fault_plan plan = { .fail_read_at = n };
		struct block *file = NULL, *b = NULL;
		struct fs *fs = NULL;
		struct vfs *v = NULL;
		char *text = NULL;
		size_t len;
		int rc;

		ok(block_open("d", &how, &file, &e));
		ok(block_fault(file, &plan, &b, &e));
		rc = fs_open(b, &fs, &e);
		if (rc == 0) {
			ok(vfs_new(&v, &e));
			ok(vfs_mount(v, fs, "/", &e));
			rc = vfs_read_file(v, "/random", 1 << 20, &text, &len, &e);
			free(text);
			/* Nothing half read stays in the caches. */
			if (rc < 0)
				ok(vfs_read_file(v, "/random", 1 << 20, &text, &len, &e));
			if (rc < 0)
				free(text);
		}
		vfs_free(v);
		block_unref(b);
		block_unref(file);
		if (atomic_load(&plan.nreads) < n)
			break;
		ck_assert_msg(rc < 0, "read %lu did not matter", n);
	}
	ck_assert_uint_gt(n, 5);
	ck_assert_uint_lt(n, 300);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("ext");
	Suite *s = suite_create("ext");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, enter_scratch, leave_scratch);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, files_of_every_layout_read_as_they_were_written, 0, NLAYOUTS);
	tcase_add_loop_test(t, holes_are_told_from_data, 0, NLAYOUTS - 1);
	tcase_add_loop_test(t, every_name_of_a_large_directory_is_found, 0, 2);
	tcase_add_test(t, times_reach_beyond_32_bits);
	tcase_add_test(t, attributes_and_acls_come_as_the_kernel_gives_them);
	tcase_add_test(t, absurd_geometry_is_refused_in_words);
	tcase_add_test(t, a_wrong_checksum_is_said_wherever_it_is);
	tcase_add_test(t, extent_trees_that_loop_or_lie_are_refused);
	tcase_add_test(t, directories_that_lie_are_refused);
	tcase_add_test(t, a_walk_leaves_a_directory_that_contains_itself);
	tcase_add_test(t, encrypted_files_and_directories_are_refused_in_one_sentence);
	tcase_add_test(t, names_are_folded_only_where_a_directory_says_so);
	tcase_add_test(t, extent_trees_of_every_depth_are_read);
	tcase_add_test(t, the_content_of_a_verity_file_ends_at_its_size);
	tcase_add_test(t, folded_names_are_found_by_their_hash);
	tcase_add_test(t, opening_costs_no_more_with_many_groups);
	tcase_add_test(t, every_failing_read_is_an_error_and_the_next_attempt_works);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
