/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Free blocks of ext, with dumpe2fs as the oracle. */
#include "fixture.h"

#include "fs.h"

static const struct {
	const char *options;
	unsigned cluster; /* in blocks */
} layouts[] = {
	{ "-t ext2 -b 1024", 1 },
	{ "-t ext3 -b 4096", 1 },
	{ "-t ext4 -b 1024", 1 },
	{ "-t ext4 -b 4096 -G 4 -g 2048", 1 },
	{ "-t ext4 -b 1024 -O ^metadata_csum,^64bit,uninit_bg", 1 },
	{ "-t ext4 -b 1024 -O ^flex_bg", 1 },
	{ "-t ext4 -b 1024 -O meta_bg,^resize_inode", 1 },
	{ "-t ext4 -b 1024 -O bigalloc -C 8192 -N 1024", 8 },
	{ "-t ext4 -b 4096 -O bigalloc -C 65536 -N 1024", 16 },
	{ "-t ext4 -b 1024 -O sparse_super2,^flex_bg", 1 },
};
#define NLAYOUTS ((int)(sizeof layouts / sizeof *layouts))

static void make(const char *layout)
{
	run("mkdir -p t/sub; head -c 3000000 /dev/urandom >t/sub/large; for i in $(seq 60); do echo $i >t/$i; done");
	make_fs("100M", layout);
	/* Holes in the middle of the bitmaps. */
	run("for i in 5 6 7 30; do echo rm /$i; done | debugfs -w -f - d");
}

struct runs {
	uint64_t first[4096], end[4096];
	size_t n;
	uint64_t bs;
};

static int add(void *arg, uint64_t off, uint64_t len, struct err *why)
{
	struct runs *r = arg;

	(void)why;
	ck_assert_uint_lt(r->n, 4096);
	ck_assert_uint_eq(off % r->bs, 0);
	ck_assert_uint_eq(len % r->bs, 0);
	ck_assert_uint_gt(len, 0);
	r->first[r->n] = off / r->bs;
	r->end[r->n] = (off + len) / r->bs;
	ck_assert(r->n == 0 || r->first[r->n] > r->end[r->n - 1]); /* in order, and whole */
	r->n++;
	return 0;
}

static int free_extents(struct runs *r)
{
	struct block_open how = { .format = "raw" };
	struct block *b;
	struct fs *fs = NULL;
	struct fs_usage u;
	int rc;

	r->n = 0;
	ok(block_open("d", &how, &b, &e));
	ok(fs_open(b, &fs, &e));
	ok(fs_statfs(fs, &u, &e));
	r->bs = u.block_size;
	rc = fs_free_extents(fs, add, r, &e);
	fs_close(fs);
	block_unref(b);
	return rc;
}

static void not_believed(struct runs *r, enum err_code code, const char *words)
{
	fails(free_extents(r), code);
	ck_assert_msg(strstr(e.msg, words), "%s", e.msg);
	err_clear(&e);
}

START_TEST(free_blocks_are_those_that_dumpe2fs_lists)
{
	static struct runs ours;
	unsigned long long first, last, at = 0, total = 0;
	unsigned cluster = layouts[_i].cluster;
	size_t i = 0;
	FILE *p;

	make(layouts[_i].options);
	ok(free_extents(&ours));
	p = popen("PATH=$PATH:/sbin:/usr/sbin; dumpe2fs d 2>/dev/null | sed -n 's/^  Free blocks: //p' | tr -d ' ' | "
		  "tr ',' '\\n' | sed '/^$/d; s/^[0-9]*$/&-&/' | tr '-' ' '",
		  "r");
	ck_assert_ptr_nonnull(p);
	while (fscanf(p, "%llu %llu", &first, &last) == 2) {
		/* Of clusters the first blocks are listed. */
		last += cluster - 1;
		/* Theirs end with the group: several may be one of ours. */
		if (i < ours.n && at == ours.end[i])
			i++;
		ck_assert_msg(i < ours.n && (at == first || ours.first[i] == first) && last < ours.end[i],
			      "%s: %llu-%llu is free", layouts[_i].options, first, last);
		ck_assert(ours.first[i] == first || (ours.first[i] < first && at == first));
		at = last + 1;
		total += at - first;
	}
	pclose(p);
	ck_assert_uint_eq(i + 1, ours.n);
	ck_assert_uint_eq(at, ours.end[i]);
	ck_assert_uint_gt(ours.n, 1);
	ck_assert_uint_gt(total, 100);
}
END_TEST

START_TEST(what_was_not_shut_down_well_is_not_believed)
{
	static const struct {
		const char *debugfs, *say;
	} bad[] = {
		{ "feature needs_recovery", "needs recovery" },
		{ "ssv state 0", "was not unmounted" },
		{ "ssv state 3", "errors that need e2fsck" },
		{ "ssv last_orphan 12", "deleted files that were still open" },
	};
	static struct runs r;
	char cmd[200];

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		make("-t ext4 -b 1024");
		snprintf(cmd, sizeof cmd, "debugfs -w -R '%s' d", bad[i].debugfs);
		run(cmd);
		not_believed(&r, ERR_UNSUPPORTED, bad[i].say);
	}
}
END_TEST

START_TEST(what_does_not_add_up_is_not_believed)
{
	static struct runs r;

	make("-t ext2 -b 1024");
	run("debugfs -w -R 'set_bg 0 free_blocks_count 77' d");
	not_believed(&r, ERR_CORRUPT, "group 0 has");
	make("-t ext4 -b 1024");
	run("b=$(dumpe2fs d 2>/dev/null | sed -n 's/.*Block bitmap at \\([0-9]*\\).*/\\1/p' | head -n 1)\n"
	    "printf '\\245' | dd of=d bs=1 seek=$((b * 1024 + 500)) conv=notrunc");
	not_believed(&r, ERR_CORRUPT, "checksum of the block bitmap of group 0");
	/* The inode table of group 0 is called free: no checksums stand in the way. */
	make("-t ext2 -b 1024");
	run("t=$(dumpe2fs d 2>/dev/null | sed -n 's/.*Inode table at \\([0-9]*\\)-.*/\\1/p' | head -n 1)\n"
	    "debugfs -w -R \"freeb $t\" d");
	not_believed(&r, ERR_CORRUPT, "holds the filesystem itself");
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("ext free");
	Suite *s = suite_create("ext free");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, enter_scratch, leave_scratch);
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, free_blocks_are_those_that_dumpe2fs_lists, 0, NLAYOUTS);
	tcase_add_test(t, what_was_not_shut_down_well_is_not_believed);
	tcase_add_test(t, what_does_not_add_up_is_not_believed);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
