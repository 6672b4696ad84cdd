/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fixture.h"

#include "clusters.h"
#include "fat.h"

/* Made small, so that clusters are 512 bytes: FAT12, FAT16, FAT32. */
static const char *const kinds[] = { "2M -F 12 -s 1 -r 512", "8M -F 16 -s 1", "36M -F 32 -s 1" };
#define NKINDS ((int)(sizeof kinds / sizeof *kinds))

/* The tree t in an image d.  mtools refuses volumes that are no multiple of a track. */
static void make_fat(const char *kind)
{
	char cmd[600];

	snprintf(cmd, sizeof cmd,
		 "export MTOOLS_SKIP_CHECK=1 TZ=UTC; set -- %s; rm -f d; truncate -s $1 d; shift\n"
		 "mkfs.fat -n LABEL -i 1234abcd $* d\n"
		 "for f in t/*; do [ ! -e \"$f\" ] || mcopy -sm -i d \"$f\" ::; done",
		 kind);
	run(cmd);
}

/* Where the table lies, and a file's entry, with sectors of 512 bytes. */
static uint64_t table(void)
{
	return (uint64_t)peek16(14) * 512;
}

static uint64_t entry_of(struct vfs *v, const char *path)
{
	struct vfs_node n;

	ok(vfs_lookup(v, path, false, &n, &e));
	return n.ino * 32;
}

START_TEST(files_of_every_kind_read_as_they_were_written)
{
	struct vfs *v;
	struct fs_stat st;

	run("mkdir -p t/dir/sub; echo hello > t/hello.txt; : > t/empty; head -c 300000 /dev/urandom > t/dir/random\n"
	    "touch -d '2001-02-03 04:05:06 UTC' t/hello.txt");
	make_fat(kinds[_i]);
	v = open_tree();
	reads_as(v, "/hello.txt", "t/hello.txt");
	reads_as(v, "/empty", "t/empty");
	reads_as(v, "/dir/random", "t/dir/random");
	ok(vfs_stat(v, "/hello.txt", true, &st, &e));
	ck_assert_uint_eq(st.mode, S_IFREG | 0755);
	ck_assert_uint_eq(st.size, 6);
	ck_assert_uint_eq(st.blocks512, 1);
	ck_assert_int_eq(st.mtime.sec, 981173106);
	ck_assert(st.has_crtime);
	ok(vfs_stat(v, "/dir", true, &st, &e));
	ck_assert_uint_eq(st.mode, S_IFDIR | 0755);
	ck_assert_uint_eq(st.nlink, 3);
	ok(vfs_stat(v, "/", true, &st, &e));
	ck_assert_uint_eq(st.nlink, 3);
	ck_assert_uint_eq(st.ino, 1);
	fails(vfs_stat(v, "/nothing", true, &st, &e), ERR_NOT_FOUND);
	fails(vfs_stat(v, "/hello.txt/x", true, &st, &e), ERR_SYSTEM);
	vfs_free(v);
}
END_TEST

START_TEST(names_are_long_or_short_in_either_case)
{
	static const char *const names[] = { "A longer name", "Mixed.Txt", "UPPER.TXT", "base.EXT", "lower.txt", "\303\204.b",
					     "\360\237\230\200 emoji" };
	struct vfs *v;

	run("mkdir t; for f in 'A longer name' Mixed.Txt UPPER.TXT lower.txt 'xx emoji' BASE.EXT A.B; do\n"
	    "echo x > \"t/$f\"; done");
	make_fat(kinds[_i]);
	/* Bits for either part, and a letter of the code page. */
	v = open_tree();
	poke(entry_of(v, "/BASE.EXT") + 12, "\x08", 1);
	poke(entry_of(v, "/A.B"), "\x8e", 1);
	poke(entry_of(v, "/A.B") + 12, "\x10", 1);
	/* A character of two units, in the only piece of the long name. */
	poke(entry_of(v, "/xx emoji") - 32 + 1, "\x3d\xd8\x00\xde", 4);
	vfs_free(v);
	v = open_tree();
	sees(v, "/", sizeof names / sizeof *names, names);
	vfs_free(v);
}
END_TEST

START_TEST(names_are_found_in_any_case_and_by_their_short_form)
{
	struct vfs *v;
	struct vfs_node a, b;

	run("mkdir t; echo 1 > 't/A longer name.txt'; echo 2 > t/Ärger.txt; echo 3 > t/file; mkdir t/Dir; echo 4 > t/Dir/in");
	make_fat(kinds[0]);
	v = open_tree();
	ok(vfs_lookup(v, "/A longer name.txt", true, &a, &e));
	ok(vfs_lookup(v, "/a LONGER name.TXT", true, &b, &e));
	ck_assert_uint_eq(a.ino, b.ino);
	ok(vfs_lookup(v, "/alonge~1.txt", true, &b, &e));
	ck_assert_uint_eq(a.ino, b.ino);
	ok(vfs_lookup(v, "/ÄRGER.txt", true, &a, &e));
	ok(vfs_lookup(v, "/ärger.txt", true, &b, &e));
	ck_assert_uint_eq(a.ino, b.ino);
	ok(vfs_lookup(v, "/DIR/IN", true, &b, &e));
	fails(vfs_lookup(v, "/\xff\xfe", true, &b, &e), ERR_NOT_FOUND);
	/* Where only case tells two names apart, each is found by its own. */
	poke(entry_of(v, "/file") + 12, "\0", 1);
	vfs_free(v);
	run("MTOOLS_SKIP_CHECK=1 mcopy -i d t/file ::second");
	v = open_tree();
	poke(entry_of(v, "/second"), "FILE       ", 11);
	poke(entry_of(v, "/second") + 12, "\x18", 1);
	vfs_free(v);
	v = open_tree();
	ok(vfs_lookup(v, "/FILE", true, &a, &e));
	ok(vfs_lookup(v, "/file", true, &b, &e));
	ck_assert_uint_ne(a.ino, b.ino);
	vfs_free(v);
}
END_TEST

START_TEST(pieces_of_a_long_name_that_do_not_fit_are_not_used)
{
	static const char *const names[] = { "ALONGE~1.TXT", "x" };
	struct vfs *v;
	uint64_t at;

	run("mkdir t; echo 1 > 't/A longer name.txt'; echo 2 > t/x");
	make_fat(kinds[0]);
	v = open_tree();
	at = entry_of(v, "/A longer name.txt");
	vfs_free(v);
	/* The two pieces before the entry: a wrong checksum, a wrong number, one that is deleted, no last one. */
	if (_i == 0)
		poke(at - 32 + 13, "\0", 1);
	else if (_i == 1)
		poke(at - 32, "\2", 1);
	else if (_i == 2)
		poke(at - 32, "\xe5", 1);
	else
		poke(at - 64, "\2", 1);
	v = open_tree();
	sees(v, "/", 2, names);
	vfs_free(v);
}
END_TEST

START_TEST(what_follows_the_end_of_a_directory_is_not_in_it)
{
	static const char *const names[] = { "one" };
	struct vfs *v;

	run("mkdir t; echo 1 > t/one; echo 2 > t/two");
	make_fat(kinds[_i]);
	v = open_tree();
	poke(entry_of(v, "/two"), "\0", 1);
	vfs_free(v);
	v = open_tree();
	sees(v, "/", 1, names);
	vfs_free(v);
}
END_TEST

START_TEST(times_of_dos_are_told_as_linux_tells_them)
{
	static const struct {
		uint16_t date, time;
		uint8_t hundredths;
		int64_t sec;
		uint32_t nsec;
	} rows[] = {
		{ 0, 0, 0, 315532800, 0 },
		{ 0x0021, 0, 0, 315532800, 0 },
		{ 127 << 9 | 12 << 5 | 31, 23 << 11 | 59 << 5 | 29, 199, 4354819199, 990000000 },
		{ 20 << 9 | 2 << 5 | 29, 1 << 11, 101, 951786001, 10000000 },
		{ 20 << 9 | 3 << 5 | 1, 0, 0, 951868800, 0 },
		{ 120 << 9 | 3 << 5 | 1, 0, 0, 4107542400, 0 },
		/* Fields that no clock shows. */
		{ 10 << 9 | 15 << 5 | 31, 31 << 11 | 63 << 5 | 31, 0, 633859442, 0 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct fs_time t = fat_time(rows[i].date, rows[i].time, rows[i].hundredths);

		ck_assert_int_eq(t.sec, rows[i].sec);
		ck_assert_uint_eq(t.nsec, rows[i].nsec);
	}
}
END_TEST

/* Where cluster 2 lies: FAT12 and FAT16 of two tables. */
static uint64_t clusters_at(void)
{
	return table() + (uint64_t)peek16(22) * 512 * 2 + peek16(17) * 32u;
}

/* Neighbouring clusters of a file whose clusters follow each other change places, in the table (FAT16) and in the heap. */
static void shuffle(uint64_t entry, unsigned n)
{
	uint16_t first = peek16(entry + 26);
	uint8_t a[512], b[512];

	for (unsigned i = 0; i < n; i += 2) {
		uint64_t at = clusters_at() + (uint64_t)(first + i - 2u) * 512;

		peek(at, a, sizeof a);
		peek(at + 512, b, sizeof b);
		poke(at, b, sizeof b);
		poke(at + 512, a, sizeof a);
		poke16(table() + (first + i + 1u) * 2, (uint16_t)(first + i));
		poke16(table() + (first + i) * 2u, i + 2 < n ? (uint16_t)(first + i + 3) : 0xffff);
	}
	poke16(entry + 26, (uint16_t)(first + 1));
}

START_TEST(a_file_in_pieces_is_read_from_any_place)
{
	enum { CLUSTERS = 3000 }; /* more than there are marks along a chain */
	struct vfs *v;
	struct vfs_node n;
	static uint8_t want[CLUSTERS * 512], got[2000];
	size_t len;
	FILE *f;

	run("mkdir t; head -c 1536000 /dev/urandom > t/a");
	make_fat(kinds[1]);
	v = open_tree();
	shuffle(entry_of(v, "/a"), CLUSTERS);
	vfs_free(v);
	v = open_tree();
	reads_as(v, "/a", "t/a");
	ok(vfs_lookup(v, "/a", true, &n, &e));
	f = fopen("t/a", "rb");
	ck_assert_uint_eq(fread(want, 1, sizeof want, f), sizeof want);
	fclose(f);
	for (uint64_t i = 0; i < 3000; i++) {
		uint64_t off = (i * 7919 * 512 + i * 13) % (sizeof want - sizeof got);

		ok(fs_pread(n.fs, n.ino, got, sizeof got, off, &len, &e));
		ck_assert_uint_eq(len, sizeof got);
		ck_assert_mem_eq(got, want + off, sizeof got);
	}
	ok(fs_pread(n.fs, n.ino, got, sizeof got, sizeof want - 10, &len, &e));
	ck_assert_uint_eq(len, 10);
	ok(fs_pread(n.fs, n.ino, got, sizeof got, sizeof want, &len, &e));
	ck_assert_uint_eq(len, 0);
	vfs_free(v);
}
END_TEST

/* Where the entry of a cluster lies in the first table, of FAT16. */
static uint64_t link_of(uint16_t cluster)
{
	return table() + cluster * 2u;
}

START_TEST(chains_that_do_not_end_well_are_refused)
{
	static const struct {
		uint16_t at, value; /* relative to the first cluster; value: absolute when above 0xff00 or below 2 */
		const char *words;
	} rows[] = {
		{ 3, 1, "runs in a circle" },
		{ 9, 9, "runs in a circle" },
		{ 3, 0xfff7, "to a bad one" },
		{ 3, 0, "which is free" },
		{ 3, 0xfff0, "past the last one" },
		{ 3, 0xffff, "5120 bytes, but clusters for 2048 only" },
	};
	struct vfs *v;
	struct vfs_node n;
	uint8_t buf[100];
	size_t len;
	uint16_t first, value;

	run("mkdir t; head -c 5120 /dev/urandom > t/a");
	make_fat(kinds[1]);
	v = open_tree();
	first = peek16(entry_of(v, "/a") + 26);
	value = rows[_i].value;
	if (value > 0 && value < 100)
		value = (uint16_t)(first + value);
	poke16(link_of((uint16_t)(first + rows[_i].at)), value);
	vfs_free(v);
	v = open_tree();
	ok(vfs_lookup(v, "/a", true, &n, &e));
	fails(fs_pread(n.fs, n.ino, buf, sizeof buf, 0, &len, &e), ERR_CORRUPT);
	ck_assert_msg(strstr(e.msg, rows[_i].words) != NULL, "%s", e.msg);
	vfs_free(v);
}
END_TEST

START_TEST(a_volume_that_was_not_unmounted_is_noticed)
{
	run("mkdir t");
	make_fat(kinds[_i]);
	ck_assert_str_eq(opening_notice(), "");
	poke(_i == 2 ? 65 : 37, "\1", 1);
	ck_assert_str_eq(opening_notice(), "the volume was not unmounted cleanly: the last changes may be missing");
	poke(_i == 2 ? 65 : 37, "\0", 1);
	if (_i == 0)
		return;
	if (_i == 1)
		poke16(link_of(1), 0x7fff);
	else
		poke32(table() + 4, 0x07ffffff);
	ck_assert_str_eq(opening_notice(), "the volume was not unmounted cleanly: the last changes may be missing");
	if (_i == 1)
		poke16(link_of(1), 0xbfff);
	else
		poke32(table() + 4, 0x0bffffff);
	ck_assert_str_eq(opening_notice(), "the last system that used the volume met bad sectors");
}
END_TEST

START_TEST(the_second_table_stands_in_for_a_damaged_one)
{
	static const uint8_t zeros[512];
	struct vfs *v;

	run("mkdir t; head -c 5120 /dev/urandom > t/a");
	make_fat(kinds[_i]);
	poke(table(), zeros, sizeof zeros);
	ck_assert_str_eq(opening_notice(), "the first table is damaged: the second one is read");
	v = open_tree();
	reads_as(v, "/a", "t/a");
	vfs_free(v);
}
END_TEST

START_TEST(of_fat32_the_table_that_is_active_counts)
{
	static uint8_t copy[512];
	struct vfs *v;

	run("mkdir t; head -c 5120 /dev/urandom > t/a");
	make_fat(kinds[2]);
	/* Only the second table is kept up to date, and the first is nonsense. */
	poke16(40, 0x81);
	memset(copy, 0x77, sizeof copy);
	poke(table(), copy, sizeof copy);
	v = open_tree();
	reads_as(v, "/a", "t/a");
	vfs_free(v);
	poke16(40, 0x80);
	refused(ERR_CORRUPT, "leads from 2 to 125269879, past the last one");
	poke16(40, 0x82);
	refused(ERR_CORRUPT, "table 2 counts, of 2");
	poke16(40, 0x81);
	poke16(42, 0x0100);
	refused(ERR_UNSUPPORTED, "version 1.0 of FAT32");
}
END_TEST

START_TEST(free_clusters_are_counted)
{
	struct fs *fs = NULL;
	struct fs_usage before, after;

	run("mkdir t");
	make_fat(kinds[_i]);
	ok(open_fs(&fs));
	ok(fs_statfs(fs, &before, &e));
	fs_close(fs);
	run("head -c 5000 /dev/urandom > a; MTOOLS_SKIP_CHECK=1 mcopy -i d a ::a");
	ok(open_fs(&fs));
	ok(fs_statfs(fs, &after, &e));
	fs_close(fs);
	ck_assert_uint_eq(before.block_size, 512);
	ck_assert_uint_eq(before.blocks, after.blocks);
	ck_assert_uint_eq(before.blocks_free - 10, after.blocks_free);
	ck_assert_uint_eq(before.inodes, 0);
}
END_TEST

START_TEST(a_node_that_is_no_entry_is_refused)
{
	struct fs *fs = NULL;
	struct fs_stat st;

	run("mkdir t; echo x > 't/a long name.txt'");
	make_fat(kinds[_i]);
	ok(open_fs(&fs));
	fails(fs_stat(fs, 0, &st, &e), ERR_CORRUPT);
	fails(fs_stat(fs, UINT64_MAX, &st, &e), ERR_CORRUPT);
	fails(fs_stat(fs, UINT64_MAX / 32, &st, &e), ERR_CORRUPT);
	/* The boot sector, an entry that was never used. */
	fails(fs_stat(fs, 2, &st, &e), ERR_CORRUPT);
	fails(fs_stat(fs, 1600000 / 32, &st, &e), ERR_CORRUPT);
	fs_close(fs);
}
END_TEST

START_TEST(the_label_may_lie_in_a_later_cluster)
{
	const struct block_open how = { .format = "raw" };
	struct block *b = NULL;
	struct fs_id id;

	/* FAT32: 40 files fill clusters of 512 bytes before the label is written; a label in the boot sector alone is one, too. */
	run("truncate -s 36M d; mkfs.fat -F 32 -s 1 -i 1234abcd d; export MTOOLS_SKIP_CHECK=1; echo x > x\n"
	    "for i in $(seq 40); do mcopy -i d x ::file$i; done; mlabel -i d ::LATE");
	ok(block_open("d", &how, &b, &e));
	ok(fs_probe(b, &id, &e));
	block_unref(b);
	ck_assert_str_eq(id.type, "vfat");
	ck_assert_str_eq(id.label, "LATE");
	ck_assert_str_eq(id.uuid, "1234-ABCD");
	ck_assert(id.readable);
	ck_assert_uint_eq(id.size, 36 << 20);
}
END_TEST

START_TEST(every_failing_read_is_an_error_and_the_next_attempt_works)
{
	run("mkdir -p t/dir; head -c 300000 /dev/urandom > t/dir/random");
	make_fat(_i ? "8M -F 16 -s 1 -f 1" : "2M -F 12 -s 1 -f 1");
	each_failing_read_is_an_error("/dir/random", false);
	/* With a second table it matters less. */
	make_fat(kinds[1]);
	each_failing_read_is_an_error("/dir/random", true);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("fat");
	Suite *s = suite_create("fat");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, enter_scratch, leave_scratch);
	tcase_set_timeout(t, 200);
	tcase_add_loop_test(t, files_of_every_kind_read_as_they_were_written, 0, NKINDS);
	tcase_add_loop_test(t, names_are_long_or_short_in_either_case, 0, NKINDS);
	tcase_add_test(t, names_are_found_in_any_case_and_by_their_short_form);
	tcase_add_loop_test(t, pieces_of_a_long_name_that_do_not_fit_are_not_used, 0, 4);
	tcase_add_loop_test(t, what_follows_the_end_of_a_directory_is_not_in_it, 0, NKINDS);
	tcase_add_test(t, times_of_dos_are_told_as_linux_tells_them);
	tcase_add_test(t, a_file_in_pieces_is_read_from_any_place);
	tcase_add_loop_test(t, chains_that_do_not_end_well_are_refused, 0, 6);
	tcase_add_loop_test(t, a_volume_that_was_not_unmounted_is_noticed, 0, NKINDS);
	tcase_add_loop_test(t, the_second_table_stands_in_for_a_damaged_one, 0, NKINDS);
	tcase_add_test(t, of_fat32_the_table_that_is_active_counts);
	tcase_add_loop_test(t, free_clusters_are_counted, 0, NKINDS);
	tcase_add_loop_test(t, a_node_that_is_no_entry_is_refused, 0, NKINDS);
	tcase_add_test(t, the_label_may_lie_in_a_later_cluster);
	tcase_add_loop_test(t, every_failing_read_is_an_error_and_the_next_attempt_works, 0, 2);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
