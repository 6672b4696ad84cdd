/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xfs_make.h"

#include "block_driver.h"

static const char *const layouts[] = {
	"-b size=1024",
	"",
	"-b size=2048 -n size=16k -i size=1024,nrext64=1",
	"-m bigtime=0,reflink=0,finobt=0 -i sparse=0 -s size=4096",
	"-m crc=0",
	"-m crc=0 -b size=512 -i size=256 -n ftype=1",
	"-m crc=0 -b size=1024 -l version=1",
};
#define NLAYOUTS ((int)(sizeof layouts / sizeof *layouts))

static void each_is_found(struct vfs *v, const char *folder, unsigned n)
{
	char path[60];
	struct fs_stat st;

	for (unsigned i = 1; i <= n; i++) {
		snprintf(path, sizeof path, "/%s/%s-%u", folder, folder, i);
		ok(vfs_stat(v, path, false, &st, &e));
		ck_assert(S_ISFIFO(st.mode));
	}
	snprintf(path, sizeof path, "/%s/%s-%u", folder, folder, n + 1);
	fails(vfs_stat(v, path, false, &st, &e), ERR_NOT_FOUND);
	snprintf(path, sizeof path, "/%s/.", folder);
	ok(vfs_stat(v, path, false, &st, &e));
}

static int count(void *arg, const struct vfs_dirent *d, struct err *er)
{
	(void)d, (void)er;
	++*(unsigned *)arg;
	return 0;
}

static void has_names(struct vfs *v, const char *folder, unsigned n)
{
	struct vfs_node dir;
	unsigned seen = 0;

	ok(vfs_lookup(v, folder, true, &dir, &e));
	ok(vfs_readdir(v, dir, false, count, &seen, &e));
	ck_assert_uint_eq(seen, n);
}

START_TEST(files_of_every_layout_read_as_they_were_written)
{
	struct strbuf target = STRBUF_INIT;
	struct fs_usage usage;
	struct fs_stat st;
	struct vfs_node n;
	char path[40];
	struct vfs *v;

	make_xfs(layouts[_i]);
	v = open_tree();
	reads_as(v, "/file", "words");
	reads_as(v, "/tiny", "tiny");
	reads_as(v, "/empty", "empty");
	ok(vfs_stat(v, "/file", true, &st, &e));
	ck_assert_uint_eq(st.mode, S_IFREG | 0640);
	ck_assert_uint_eq(st.uid, 12);
	ck_assert_uint_eq(st.gid, 34);
	ck_assert_uint_eq(st.size, 200000);
	ck_assert_uint_ge(st.blocks512, 391);
	ck_assert(st.has_crtime == (_i < 4));
	ck_assert_int_gt(st.mtime.sec, 1700000000);
	ok(vfs_stat(v, "/tiny", true, &st, &e));
	ck_assert_uint_eq(st.mode, S_IFREG | 04755);
	ok(vfs_stat(v, "/device", true, &st, &e));
	ck_assert_uint_eq(st.rdev_major, 10);
	ck_assert_uint_eq(st.rdev_minor, 200);
	ok(vfs_lookup(v, "/short", false, &n, &e));
	ok(fs_readlink(n.fs, n.ino, &target, &e));
	ck_assert_str_eq(target.s, "file");
	strbuf_free(&target);
	each_is_found(v, "few", 2);
	each_is_found(v, "some", 40);
	each_is_found(v, "many", 200);
	each_is_found(v, "most", 700);
	has_names(v, "/most", 700);
	has_names(v, "/same", NSAME);
	for (unsigned i = 0; i < NSAME; i++) {
		strcpy(path, "/same/");
		same_hash_name(i, path + 6);
		ok(vfs_stat(v, path, false, &st, &e));
	}
	ok(fs_statfs(n.fs, &usage, &e));
	ck_assert_uint_lt(usage.blocks_free, usage.blocks);
	ck_assert_uint_gt(usage.inodes, 1000);
	places_hold_the_bytes(v);
	vfs_free(v);
}
END_TEST

START_TEST(it_is_told_by_type_label_and_uuid)
{
	const struct block_open how = { .format = "raw" };
	struct block *b = NULL;
	struct fs_id id;

	make_xfs("-L roots");
	ok(block_open("d", &how, &b, &e));
	ok(fs_probe(b, &id, &e));
	block_unref(b);
	ck_assert_str_eq(id.type, "xfs");
	ck_assert_str_eq(id.label, "roots");
	ck_assert_str_eq(id.uuid, UUID_TEXT);
	ck_assert(id.readable);
	ck_assert_uint_eq(id.size, 16 << 20);
}
END_TEST

/* A UUID that was changed leaves the one in the metadata as it was. */
START_TEST(another_uuid_is_no_foreign_metadata)
{
	struct vfs *v;

	make_xfs("");
	run("xfs_db -x -c 'uuid 99999999-2222-3333-4444-555555555555' d");
	v = open_tree();
	each_is_found(v, "some", 40);
	vfs_free(v);
}
END_TEST

START_TEST(names_are_folded_where_the_filesystem_folds_them)
{
	struct fs_stat st;
	struct vfs *v;

	make_xfs(_i ? "-n version=ci" : "-n version=ci -m crc=0");
	v = open_tree();
	ok(vfs_stat(v, "/FILE", true, &st, &e));
	ok(vfs_stat(v, "/FEW/Few-1", true, &st, &e));
	ok(vfs_stat(v, "/SoMe/SOME-40", true, &st, &e));
	ok(vfs_stat(v, "/many/MANY-200", true, &st, &e));
	ok(vfs_stat(v, "/most/mOsT-700", true, &st, &e));
	fails(vfs_stat(v, "/most/MOST-701", true, &st, &e), ERR_NOT_FOUND);
	vfs_free(v);
}
END_TEST

START_TEST(names_are_bytes_elsewhere)
{
	struct fs_stat st;
	struct vfs *v;

	make_xfs("");
	v = open_tree();
	fails(vfs_stat(v, "/FILE", true, &st, &e), ERR_NOT_FOUND);
	fails(vfs_stat(v, "/some/SOME-40", true, &st, &e), ERR_NOT_FOUND);
	vfs_free(v);
}
END_TEST

/* ---- attributes ---- */

struct values {
	size_t n, bytes;
	char last[300];
};

static int see_value(void *arg, const char *name, const void *value, size_t len, struct err *er)
{
	struct values *s = arg;

	(void)er;
	s->n++;
	s->bytes += len;
	/* xfs_db fills values with "v". */
	for (size_t i = 0; i < len; i++)
		ck_assert_int_eq(((const char *)value)[i], 'v');
	snprintf(s->last, sizeof s->last, "%s", name);
	return 0;
}

static struct values values_of(const char *path)
{
	struct vfs *v = open_tree();
	struct values s = { .n = 0 };
	struct vfs_node n;

	ok(vfs_lookup(v, path, true, &n, &e));
	ok(fs_xattrs(n.fs, n.ino, see_value, &s, &e));
	vfs_free(v);
	return s;
}

START_TEST(attributes_of_every_form_are_read)
{
	make_xfs(_i ? "-b size=1024" : "-b size=1024 -m crc=0");
	ck_assert_uint_eq(values_of("/file").n, 0);
	/* In the inode. */
	run("xfs_db -x -c 'path /file' -c 'attr_set -r -v 20 short' d");
	ck_assert_uint_eq(values_of("/file").bytes, 20);
	ck_assert_str_eq(values_of("/file").last, "trusted.short");
	run("xfs_db -x -c 'path /file' -c 'attr_set -s -v 1 one' d");
	ck_assert_uint_eq(values_of("/file").n, 2);
	/* In a leaf. */
	run("xfs_db -x -c 'path /file' -c 'attr_set -u -v 500 longer' d");
	ck_assert_uint_eq(values_of("/file").bytes, 521);
	/* In blocks of its own. */
	run("xfs_db -x -c 'path /file' -c 'attr_set -u -v 60000 large' d");
	ck_assert_uint_eq(values_of("/file").bytes, 60521);
	/* In a tree. */
	run("seq -f 'attr_set -u -v 100 name-%g' 60 | { echo 'path /file'; cat; } | xfs_db -x d");
	ck_assert_uint_eq(values_of("/file").n, 64);
	ck_assert_uint_eq(values_of("/file").bytes, 66521);
}
END_TEST

/* ---- a log on another device ---- */

START_TEST(a_log_on_another_device_is_found_by_its_uuid)
{
	const struct block_open how = { .format = "raw" };
	static const char *const names[] = { "tiny", "other-log", "its-log" };
	struct block *dev = NULL, *others[3];
	struct fs_id id;
	struct fs *fs = NULL;

	make_xfs("");
	run("export TEST_DIR=x TEST_DEV=x QA_CHECK_FS=x; truncate -s 6M its-log other-log; truncate -s 16M d2\n"
	    "mkfs.xfs -q -l logdev=other-log,size=6m d2; rm d; truncate -s 16M d\n"
	    "mkfs.xfs -q -m uuid=" UUID_TEXT " -l logdev=its-log,size=6m d");
	refused(ERR_UNSUPPORTED, "log: it is on another device");
	ok(block_open("d", &how, &dev, &e));
	for (size_t i = 0; i < 3; i++)
		ok(block_open(names[i], &how, &others[i], &e));
	fails(fs_open_among(dev, others, 2, &fs, &e), ERR_UNSUPPORTED);
	ok(fs_open_among(dev, others, 3, &fs, &e));
	fs_close(fs);
	ok(fs_probe(others[2], &id, &e));
	ck_assert_str_eq(id.type, "xfs_external_log");
	ck_assert_str_eq(id.uuid, "");
	ck_assert(!id.readable);
	for (size_t i = 0; i < 3; i++)
		block_unref(others[i]);
	block_unref(dev);
}
END_TEST

/* ---- what fails ---- */

START_TEST(a_read_that_fails_is_an_error)
{
	make_xfs("");
	each_failing_read_is_an_error("/most/../same/../file", false);
}
END_TEST

START_TEST(memory_that_runs_out_is_an_error)
{
	const struct block_open how = { .format = "raw" };
	struct block *b = NULL;
	struct fs_stat st;
	unsigned long n;

	make_xfs("");
	ok(block_open("d", &how, &b, &e));
	for (n = 1; n < 1000; n++) {
		struct vfs *v = NULL;
		struct fs *fs = NULL;
		int rc;

		ok(vfs_new(&v, &e));
		alloc_fault_at(n);
		rc = fs_open(b, &fs, &e);
		if (rc == 0) {
			rc = vfs_mount(v, fs, "/", &e);
			if (rc < 0)
				fs_close(fs);
		}
		if (rc == 0)
			rc = vfs_stat(v, "/most/most-600", true, &st, &e);
		vfs_free(v);
		if (!alloc_fault_hit())
			break;
		alloc_fault_at(0);
		ck_assert_int_eq(rc, -ERR_NOMEM);
	}
	alloc_fault_at(0);
	block_unref(b);
	ck_assert_uint_gt(n, 10);
	ck_assert_uint_lt(n, 1000);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("xfs");
	Suite *s = suite_create("xfs");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, enter_scratch, leave_scratch);
	tcase_set_timeout(t, 200);
	tcase_add_loop_test(t, files_of_every_layout_read_as_they_were_written, 0, NLAYOUTS);
	tcase_add_test(t, it_is_told_by_type_label_and_uuid);
	tcase_add_test(t, another_uuid_is_no_foreign_metadata);
	tcase_add_loop_test(t, names_are_folded_where_the_filesystem_folds_them, 0, 2);
	tcase_add_test(t, names_are_bytes_elsewhere);
	tcase_add_loop_test(t, attributes_of_every_form_are_read, 0, 2);
	tcase_add_test(t, a_log_on_another_device_is_found_by_its_uuid);
	tcase_add_test(t, a_read_that_fails_is_an_error);
	tcase_add_test(t, memory_that_runs_out_is_an_error);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
