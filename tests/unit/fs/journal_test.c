/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fixture.h"

/*
 * A file of 3 blocks whose middle block was logged with other content by debugfs's journal writer: the image's own
 * block is stale.  The block begins with the journal's magic, so that it lies escaped in the log.
 */
static const char make_dirty[] =
	"mkdir -p t; head -c 1024 /dev/zero | tr '\\0' a > t/f; head -c 1024 /dev/zero | tr '\\0' b >> t/f\n"
	"head -c 1024 /dev/zero | tr '\\0' c >> t/f; rm -f d; truncate -s 8M d\n"
	"mke2fs -q -F -t ext4 -b 1024 -J size=1 -O %s -d t d\n"
	"b=$(debugfs -R 'bmap /f 1' d)\n"
	"{ printf '\\300\\073\\071\\230'; head -c 1020 /dev/zero | tr '\\0' N; } > new\n"
	"{ echo 'jo %s'; echo \"jw -b $b new\"; echo jc; } > cmds\n"
	"debugfs -w -f cmds d; dumpe2fs -h d | grep -q needs_recovery; cp d before";

static void make(const char *features, const char *journal_options)
{
	char cmd[3000];

	snprintf(cmd, sizeof cmd, make_dirty, features, journal_options);
	run(cmd);
}

/* The second block of /f begins with these bytes. */
static void second_block_is(const char *want, size_t len)
{
	struct vfs *v = open_tree();
	char *text;
	size_t n;

	ok(vfs_read_file(v, "/f", 10000, &text, &n, &e));
	ck_assert_uint_eq(n, 3072);
	ck_assert_int_eq(text[1023], 'a');
	ck_assert_mem_eq(text + 1024, want, len);
	ck_assert_int_eq(text[2048], 'c');
	free(text);
	vfs_free(v);
	run("cmp d before");
}

static const char *notice_of(struct fs **fs)
{
	ok(open_fs(fs));
	ck_assert_ptr_nonnull(fs_notice(*fs));
	return fs_notice(*fs);
}

START_TEST(a_logged_block_is_read_and_the_image_stays_as_it_is)
{
	static const char *const kinds[][2] = {
		{ "^metadata_csum", "" },
		{ "^metadata_csum,^64bit", "" },
		{ "metadata_csum", "-c" },
		{ "metadata_csum,64bit", "-c -v 3" },
		{ "metadata_csum,64bit", "-c -v 2" },
	};
	struct fs *fs;

	make(kinds[_i][0], kinds[_i][1]);
	ck_assert_str_eq(notice_of(&fs), "journal replayed in memory: 1 transactions, 1 blocks");
	fs_close(fs);
	second_block_is("\300\073\071\230NNNN", 8);
}
END_TEST

START_TEST(a_revoked_block_is_left_as_it_is_on_the_disk)
{
	make("^metadata_csum", "");
	run("b=$(debugfs -R 'bmap /f 1' d); printf \"jo\\njw -r $b\\njc\\n\" > cmds; debugfs -w -f cmds d; cp d before");
	second_block_is("bbbbbbbb", 8);
}
END_TEST

START_TEST(a_block_that_is_logged_again_is_the_later_one)
{
	make("^metadata_csum", "");
	run("b=$(debugfs -R 'bmap /f 1' d); head -c 1024 /dev/zero | tr '\\0' L > new\n"
	    "printf \"jo\\njw -b $b new\\njc\\n\" > cmds; debugfs -w -f cmds d; cp d before");
	second_block_is("LLLLLLLL", 8);
}
END_TEST

/* The byte of the image where block n of the journal lies. */
static uint64_t journal_off(unsigned n)
{
	char request[40];

	snprintf(request, sizeof request, "bmap <8> %u", n);
	return debugfs_number(request) * 1024;
}

/* debugfs starts the log at block 1: descriptor, block, commit. */
START_TEST(the_log_ends_where_it_does_not_check)
{
	struct fs *fs;

	make("metadata_csum", "-c");
	poke(journal_off(1) + 100, "x", 1);
	ck_assert_str_eq(notice_of(&fs), "journal replayed in memory: 0 transactions, 0 blocks; it ends early: "
					 "the checksum of a descriptor block does not match");
	fs_close(fs);
	run("cp before d");
	poke(journal_off(2) + 100, "x", 1);
	ck_assert_ptr_nonnull(strstr(notice_of(&fs), "the checksum of a logged block does not match"));
	fs_close(fs);
	run("cp before d");
	poke(journal_off(3) + 100, "x", 1);
	ck_assert_ptr_nonnull(strstr(notice_of(&fs), "the checksum of a commit block does not match"));
	fs_close(fs);
	/* Without a commit block the transaction never happened. */
	run("cp before d");
	poke(journal_off(3), "xxxx", 4);
	ck_assert_str_eq(notice_of(&fs), "journal replayed in memory: 0 transactions, 0 blocks");
	fs_close(fs);
}
END_TEST

static void put_be32(uint64_t off, uint32_t v)
{
	const uint8_t b[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };

	poke(off, b, 4);
}

START_TEST(a_journal_that_lies_is_refused_in_words)
{
	static const struct {
		unsigned block, off;
		uint32_t value;
		enum err_code code;
		const char *words;
	} lies[] = {
		{ 0, 0, 0, ERR_CORRUPT, "journal: no superblock" },
		{ 0, 4, 9, ERR_CORRUPT, "journal: no superblock" },
		{ 0, 12, 4096, ERR_CORRUPT, "journal: blocks of 4096 bytes in a filesystem of 1024" },
		{ 0, 16, 0xffffffff, ERR_LIMIT, "journal: 4294967295 blocks" },
		{ 0, 16, 5000, ERR_CORRUPT, "it claims 5000 blocks and has 1024" },
		{ 0, 20, 0, ERR_CORRUPT, "its log begins at block 0" },
		{ 0, 20, 1024, ERR_CORRUPT, "its log begins at block 1024 of 1024" },
		{ 0, 28, 1024, ERR_CORRUPT, "its log starts at block 1024, outside of 1 to 1024" },
		{ 0, 40, 0x80, ERR_UNSUPPORTED, "unknown feature 0x80" },
		{ 0, 40, 0x18, ERR_CORRUPT, "checksums of version 2 and 3 at once" },
		{ 1, 12, 0x7fffffff, ERR_CORRUPT, "it holds block 2147483647 of a filesystem of 8192" },
	};

	make("^metadata_csum,^64bit", "");
	for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
		run("cp before d");
		put_be32(journal_off(lies[i].block) + lies[i].off, lies[i].value);
		refused(lies[i].code, lies[i].words);
	}
}
END_TEST

/* Each descriptor claims more blocks than follow it, all around the ring. */
START_TEST(a_log_that_runs_around_the_ring_ends)
{
	uint8_t block[1024] = { 0xc0, 0x3b, 0x39, 0x98, 0, 0, 0, 1 };
	struct fs *fs;
	uint64_t at;
	FILE *f;

	make("^metadata_csum,^64bit", "");
	at = journal_off(1);
	f = fopen("d", "rb");
	ck_assert_int_eq(fseek(f, (long)at + 8, SEEK_SET), 0);
	ck_assert_uint_eq(fread(block + 8, 1, 4, f), 4);
	fclose(f);
	/* Tags of 8 bytes with the flag "same UUID", none of them the last: 126 blocks. */
	for (size_t i = 12; i + 8 <= sizeof block; i += 8)
		block[i + 7] = 2;
	put_be32(journal_off(0) + 16, 64); /* a ring of 63 blocks */
	for (unsigned n = 1; n < 64; n++)
		poke(journal_off(n), block, sizeof block);
	if (open_fs(&fs) == 0) {
		ck_assert_ptr_nonnull(strstr(fs_notice(fs), "0 transactions"));
		fs_close(fs);
	} else {
		ck_assert_msg(strstr(e.msg, "a transaction longer than the journal"), "%s", e.msg);
	}
}
END_TEST

START_TEST(a_journal_on_another_device_is_refused_only_when_it_is_needed)
{
	struct fs *fs;

	make("^metadata_csum", "");
	run("debugfs -w -R 'ssv journal_inum 0' d");
	refused(ERR_UNSUPPORTED, "the journal needs recovery and is on another device");
	run("debugfs -w -R 'feature ^needs_recovery' d");
	ok(open_fs(&fs));
	ck_assert_ptr_null(fs_notice(fs));
	fs_close(fs);
}
END_TEST

START_TEST(every_failing_allocation_of_a_replay_is_an_error)
{
	unsigned long n;

	make("metadata_csum", "-c");
	for (n = 1; n < 500; n++) {
		const struct block_open how = { .format = "raw" };
		struct block *b = NULL;
		struct fs *fs = NULL;
		int rc;

		ok(block_open("d", &how, &b, &e));
		alloc_fault_at(n);
		rc = fs_open(b, &fs, &e);
		if (!alloc_fault_hit()) {
			alloc_fault_at(0);
			ok(rc);
			fs_close(fs);
			block_unref(b);
			break;
		}
		alloc_fault_at(0);
		ck_assert_msg(rc == -ERR_NOMEM, "allocation %lu: %d %s", n, rc, e.msg);
		block_unref(b);
	}
	ck_assert_uint_gt(n, 10);
	ck_assert_uint_lt(n, 500);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("journal");
	Suite *s = suite_create("journal");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, enter_scratch, leave_scratch);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, a_logged_block_is_read_and_the_image_stays_as_it_is, 0, 5);
	tcase_add_test(t, a_revoked_block_is_left_as_it_is_on_the_disk);
	tcase_add_test(t, a_block_that_is_logged_again_is_the_later_one);
	tcase_add_test(t, the_log_ends_where_it_does_not_check);
	tcase_add_test(t, a_journal_that_lies_is_refused_in_words);
	tcase_add_test(t, a_log_that_runs_around_the_ring_ends);
	tcase_add_test(t, a_journal_on_another_device_is_refused_only_when_it_is_needed);
	tcase_add_test(t, every_failing_allocation_of_a_replay_is_an_error);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
