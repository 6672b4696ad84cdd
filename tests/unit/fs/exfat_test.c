/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fixture.h"

#include "upcase.h"

enum { ENTRY = 32, ALLOCATED = 1, CONTIGUOUS = 2, RO = 1, DIR_ATTR = 0x10 };

/* What mkfs.exfat made: no tool of Linux writes files without mounting, so they are put there by hand. */
static uint64_t heap, fat, dir_at; /* dir_at: where the next entry of the root goes */
static uint32_t cluster_size, next_cluster;

static uint64_t at(uint32_t cluster)
{
	return heap + (uint64_t)(cluster - 2) * cluster_size;
}

static void link_to(uint32_t cluster, uint32_t next)
{
	poke32(fat + cluster * 4u, next);
}

static void make_exfat(const char *options)
{
	char cmd[300];
	uint8_t type;

	snprintf(cmd, sizeof cmd, "rm -f d; truncate -s 8M d; mkfs.exfat -L Etikett %s d; exfatlabel -i d 0x1234abcd", options);
	run(cmd);
	heap = (uint64_t)peek32(88) * 512;
	fat = (uint64_t)peek32(80) * 512;
	cluster_size = 512u << (peek16(108) >> 8);
	next_cluster = 100;
	dir_at = at(peek32(96));
	for (;; dir_at += ENTRY) {
		peek(dir_at, &type, 1);
		if (!type)
			break;
	}
}

static uint16_t sum_of(const uint8_t *set, size_t len)
{
	uint16_t sum = 0;

	for (size_t i = 0; i < len; i++)
		if (i != 2 && i != 3)
			sum = (uint16_t)((sum >> 1 | (unsigned)sum << 15) + set[i]);
	return sum;
}

static void put(uint8_t *p, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

struct want {
	const char *name; /* ASCII */
	unsigned attr, flags;
	uint32_t first;
	uint64_t len, valid;
};

/* A set of entries at `where`; returns where the next may go. */
static uint64_t put_set(uint64_t where, const struct want *w)
{
	uint8_t set[19 * ENTRY] = { 0 };
	size_t n = strlen(w->name), npieces = (n + 14) / 15;

	set[0] = 0x85;
	set[1] = (uint8_t)(1 + npieces);
	put(set + 4, w->attr, 2);
	/* 2001-02-03 04:05:06 in three zones: made 99 hundredths later at +01:00, changed at -02:00, looked at somewhere. */
	for (size_t i = 8; i <= 16; i += 4)
		put(set + i, (21u << 9 | 2 << 5 | 3) << 16 | 4 << 11 | 5 << 5 | 3, 4);
	set[20] = 99;
	set[22] = 0x84;
	set[23] = 0xf8;
	set[ENTRY] = 0xc0;
	set[ENTRY + 1] = (uint8_t)w->flags;
	set[ENTRY + 3] = (uint8_t)n;
	put(set + ENTRY + 8, w->valid, 8);
	put(set + ENTRY + 20, w->first, 4);
	put(set + ENTRY + 24, w->len, 8);
	for (size_t i = 0; i < n; i++) {
		set[(2 + i / 15) * ENTRY] = 0xc1;
		set[(2 + i / 15) * ENTRY + 2 + i % 15 * 2] = (uint8_t)w->name[i];
	}
	put(set + 2, sum_of(set, (2 + npieces) * ENTRY), 2);
	poke(where, set, (2 + npieces) * ENTRY);
	return where + (2 + npieces) * ENTRY;
}

static void resum(uint64_t where)
{
	uint8_t set[19 * ENTRY];

	peek(where, set, sizeof set);
	poke16(where + 2, sum_of(set, (set[1] + 1u) * ENTRY));
}

/* A file in the root: clusters one after the other, of which the table knows nothing, or every second one, chained. */
static uint64_t put_file(const char *name, const uint8_t *bytes, uint64_t len, bool contiguous)
{
	uint32_t n = (uint32_t)((len + cluster_size - 1) / cluster_size), first = next_cluster, step = contiguous ? 1 : 2;
	struct want w = { .name = name, .first = first, .len = len, .valid = len };
	uint64_t where = dir_at;

	w.flags = ALLOCATED | (contiguous ? CONTIGUOUS : 0);
	for (uint32_t i = 0; i < n; i++) {
		uint64_t left = len - (uint64_t)i * cluster_size;

		poke(at(first + i * step), bytes + (uint64_t)i * cluster_size, left < cluster_size ? left : cluster_size);
		if (!contiguous)
			link_to(first + i * step, i + 1 < n ? first + (i + 1) * step : 0xffffffff);
	}
	next_cluster += n * step;
	dir_at = put_set(dir_at, &w);
	return where;
}

static uint8_t *random_file(const char *path, size_t len)
{
	uint8_t *buf = malloc(len);
	char cmd[200];
	FILE *f;

	snprintf(cmd, sizeof cmd, "head -c %zu /dev/urandom > %s", len, path);
	run(cmd);
	f = fopen(path, "rb");
	ck_assert_uint_eq(fread(buf, 1, len, f), len);
	fclose(f);
	return buf;
}

static const char *const clusters[] = { "-c 512 -b 4096", "-c 4096 -b 4096" };

START_TEST(files_with_and_without_chains_read_as_they_were_written)
{
	uint8_t *bytes = random_file("want", 300001), buf[100];
	struct vfs *v;
	struct vfs_node n;
	struct fs_stat st;
	size_t len;

	make_exfat(clusters[_i]);
	put_file("chained", bytes, 300001, false);
	put_file("contiguous", bytes, 300001, true);
	dir_at = put_set(dir_at, &(struct want){ .name = "empty", .attr = RO });
	v = open_tree();
	reads_as(v, "/chained", "want");
	reads_as(v, "/contiguous", "want");
	ok(vfs_lookup(v, "/chained", true, &n, &e));
	for (uint64_t off = 0; off < 300000; off += 7777) {
		ok(fs_pread(n.fs, n.ino, buf, sizeof buf, 300000 - off, &len, &e));
		ck_assert_uint_eq(len, off ? 100 : 1);
		ck_assert_mem_eq(buf, bytes + 300000 - off, len);
	}
	ok(vfs_stat(v, "/chained", true, &st, &e));
	ck_assert_uint_eq(st.mode, S_IFREG | 0755);
	ck_assert_uint_eq(st.nlink, 1);
	ck_assert_uint_eq(st.blocks512, (300001 + cluster_size - 1) / cluster_size * (cluster_size / 512));
	ok(vfs_stat(v, "/empty", true, &st, &e));
	ck_assert_uint_eq(st.mode, S_IFREG | 0555);
	ok(vfs_stat(v, "/", true, &st, &e));
	ck_assert_uint_eq(st.nlink, 2);
	vfs_free(v);
	free(bytes);
}
END_TEST

START_TEST(what_was_never_written_reads_as_zeros)
{
	uint8_t *bytes = random_file("want", 20000);
	struct want w = { .name = "part", .flags = ALLOCATED | CONTIGUOUS, .len = 20000, .valid = 5000 };
	struct vfs *v;
	struct vfs_node n;
	uint64_t len;
	bool hole;

	make_exfat(clusters[_i]);
	w.first = next_cluster;
	poke(at(w.first), bytes, 20000);
	put_set(dir_at, &w);
	run("truncate -s 5000 want; truncate -s 20000 want");
	v = open_tree();
	reads_as(v, "/part", "want");
	ok(vfs_lookup(v, "/part", true, &n, &e));
	ok(fs_extent(n.fs, n.ino, 100, &len, &hole, &e));
	ck_assert(!hole && len == 19900);
	vfs_free(v);
	free(bytes);
}
END_TEST

START_TEST(times_have_zones_and_hundredths)
{
	struct vfs *v;
	struct fs_stat st;
	uint64_t where;

	make_exfat(clusters[0]);
	where = dir_at;
	put_set(dir_at, &(struct want){ .name = "file" });
	v = open_tree();
	ok(vfs_stat(v, "/file", true, &st, &e));
	ck_assert(st.has_crtime);
	ck_assert_int_eq(st.crtime.sec, 981173106 - 3600);
	ck_assert_uint_eq(st.crtime.nsec, 990000000);
	ck_assert_int_eq(st.mtime.sec, 981173106 + 7200);
	ck_assert_uint_eq(st.mtime.nsec, 0);
	ck_assert_int_eq(st.atime.sec, 981173106);
	ck_assert_int_eq(st.ctime.sec, st.mtime.sec);
	vfs_free(v);
	ck_assert_uint_gt(where, 0);
}
END_TEST

START_TEST(names_are_found_in_any_case_by_the_volumes_own_table)
{
	struct vfs *v;
	struct vfs_node a, b;
	char name[256];

	memset(name, 'n', 255);
	name[255] = '\0';
	make_exfat(clusters[1]);
	dir_at = put_set(dir_at, &(struct want){ .name = "Read Me.txt" });
	dir_at = put_set(dir_at, &(struct want){ .name = "same" });
	dir_at = put_set(dir_at, &(struct want){ .name = "SAME" });
	dir_at = put_set(dir_at, &(struct want){ .name = name });
	v = open_tree();
	ok(vfs_lookup(v, "/Read Me.txt", true, &a, &e));
	ok(vfs_lookup(v, "/READ me.TXT", true, &b, &e));
	ck_assert_uint_eq(a.ino, b.ino);
	ok(vfs_lookup(v, "/SAME", true, &a, &e));
	ok(vfs_lookup(v, "/same", true, &b, &e));
	ck_assert_uint_ne(a.ino, b.ino);
	memset(name, 'N', 255);
	{
		char path[300];

		snprintf(path, sizeof path, "/%s", name);
		ok(vfs_lookup(v, path, true, &a, &e));
	}
	fails(vfs_lookup(v, "/read me", true, &a, &e), ERR_NOT_FOUND);
	fails(vfs_lookup(v, "/\xff", true, &a, &e), ERR_NOT_FOUND);
	vfs_free(v);
	/* One byte of the table: then the usual one, which knows these letters. */
	{
		uint64_t root = at(peek32(96));
		uint8_t type = 0;

		for (;; root += ENTRY) {
			peek(root, &type, 1);
			if (type == 0x82)
				break;
		}
		poke(at(peek32(root + 20)) + 100, "!", 1);
	}
	ck_assert_str_eq(opening_notice(), "the table of upper case is damaged: the usual one is used");
	v = open_tree();
	ok(vfs_lookup(v, "/READ me.TXT", true, &b, &e));
	vfs_free(v);
}
END_TEST

START_TEST(a_set_may_reach_into_the_next_cluster)
{
	static const char *const names[] = { "a name of four entries, or five", "in", "last" };
	struct vfs *v;
	struct fs_stat st;
	struct want d = { .name = "dir", .attr = DIR_ATTR, .flags = ALLOCATED };
	uint64_t end;

	/* A directory of two clusters of 512 bytes; two entries of a set of five are in the first. */
	make_exfat(clusters[0]);
	d.first = next_cluster;
	d.len = d.valid = 2 * cluster_size;
	if (_i)
		d.flags |= CONTIGUOUS;
	put_set(dir_at, &d);
	end = at(d.first) + cluster_size;
	put_set(at(d.first), &(struct want){ .name = "in" });
	for (uint64_t p = at(d.first) + 3 * ENTRY; p < end - 2 * ENTRY; p += ENTRY)
		poke(p, "\x05", 1); /* deleted */
	put_set(end - 2 * ENTRY, &(struct want){ .name = names[0] });
	put_set(end + 3 * ENTRY, &(struct want){ .name = "last" });
	if (!_i) {
		/* The second cluster lies elsewhere. */
		uint8_t second[512];

		peek(end, second, sizeof second);
		poke(at(d.first + 7), second, sizeof second);
		memset(second, 0x77, sizeof second);
		poke(end, second, sizeof second);
		link_to(d.first, d.first + 7);
		link_to(d.first + 7, 0xffffffff);
	}
	v = open_tree();
	sees(v, "/dir", 3, names);
	ok(vfs_stat(v, "/dir/a name of four entries, or five", true, &st, &e));
	ck_assert(S_ISREG(st.mode));
	ok(vfs_stat(v, "/dir", true, &st, &e));
	ck_assert_uint_eq(st.size, 1024);
	ck_assert_uint_eq(st.nlink, 2);
	ok(vfs_stat(v, "/", true, &st, &e));
	ck_assert_uint_eq(st.nlink, 3);
	vfs_free(v);
}
END_TEST

static int listed(void *arg, const struct fs_dirent *d, struct err *er)
{
	(void)er;
	(*(unsigned *)arg) += d->name[0] != '.';
	return 0;
}

START_TEST(a_damaged_set_does_not_hide_its_neighbours)
{
	static const struct {
		unsigned off, value;
		const char *words;
		bool resum;
	} rows[] = {
		{ 4, 1, "the checksum of the directory entries", false },
		{ 1, 30, "a set of 31 directory entries", false },
		{ 1, 1, "a set of 2 directory entries", false },
		{ ENTRY, 0xc1, "no stream entry follows", true },
		{ 2 * ENTRY, 0xc0, "an entry of type 0xc0 in a file's set", true },
		{ ENTRY + 3, 16, "a name of 16 units in 1 entries", true },
		{ ENTRY + 3, 0, "a name of 0 units", true },
		{ 2 * ENTRY + 4, '/', "holds a slash or a NUL", true },
		{ 2 * ENTRY + 4, 0, "holds a slash or a NUL", true },
		{ ENTRY + 9, 1, "bytes written of a file of 1000", true },
		{ ENTRY + 30, 1, "more than the volume has", true },
		{ ENTRY + 1, 0, "1000 bytes, but no cluster", true },
	};
	uint8_t bytes[1000] = { 0 };
	struct vfs *v;
	struct fs_stat st;
	unsigned n = 0;
	uint64_t where;

	make_exfat(clusters[0]);
	put_file("one", bytes, sizeof bytes, true);
	where = put_file("two", bytes, sizeof bytes, true);
	put_file("six", bytes, sizeof bytes, true);
	poke(where + rows[_i].off, &(uint8_t){ (uint8_t)rows[_i].value }, 1);
	if (rows[_i].off == ENTRY + 9)
		poke(where + ENTRY + 8, "\xff\xff", 2);
	if (rows[_i].resum)
		resum(where);
	v = open_tree();
	fails(fs_readdir(vfs_mount_info(v, 0).fs, fs_root(vfs_mount_info(v, 0).fs), listed, &n, &e), ERR_CORRUPT);
	ck_assert_msg(strstr(e.msg, rows[_i].words) != NULL, "%s", e.msg);
	ck_assert_uint_eq(n, 2);
	ok(vfs_stat(v, "/one", true, &st, &e));
	ok(vfs_stat(v, "/six", true, &st, &e));
	ok(vfs_stat(v, "/", true, &st, &e));
	fails(vfs_stat(v, "/none", true, &st, &e), ERR_CORRUPT);
	vfs_free(v);
}
END_TEST

START_TEST(chains_that_do_not_end_well_are_refused)
{
	static const struct {
		uint32_t from, to;
		const char *words;
	} rows[] = {
		{ 2, 0, "runs in a circle" },
		{ 2, 0xfffffff7, "to a bad one" },
		{ 2, 1000000, "past the last one" },
		{ 2, 0xffffffff, "2000 bytes, but clusters for 1024 only" },
	};
	uint8_t bytes[2000] = { 0 };
	struct vfs *v;
	struct vfs_node n;
	size_t len;
	uint32_t first;

	make_exfat(clusters[0]);
	first = next_cluster;
	put_file("file", bytes, sizeof bytes, false);
	link_to(first + rows[_i].from, rows[_i].to ? rows[_i].to : first);
	v = open_tree();
	ok(vfs_lookup(v, "/file", true, &n, &e));
	fails(fs_pread(n.fs, n.ino, bytes, 10, 0, &len, &e), ERR_CORRUPT);
	ck_assert_msg(strstr(e.msg, rows[_i].words) != NULL, "%s", e.msg);
	vfs_free(v);
}
END_TEST

START_TEST(the_backup_of_the_boot_region_stands_in)
{
	make_exfat(clusters[0]);
	ck_assert_str_eq(opening_notice(), "");
	/* The flags are not under the checksum. */
	poke16(106, 2);
	ck_assert_str_eq(opening_notice(), "the volume was not unmounted cleanly: the last changes may be missing");
	poke16(106, 4);
	ck_assert_str_eq(opening_notice(), "the last system that used the volume met bad sectors");
	poke16(106, 0);
	poke(200, "!", 1);
	ck_assert_str_eq(opening_notice(), "the checksum of the boot region does not match: its backup is read");
	poke(12 * 512 + 200, "?", 1);
	refused(ERR_CORRUPT, "the checksum of the boot region does not match, nor does that of its backup");
}
END_TEST

START_TEST(label_serial_and_free_clusters_are_told)
{
	const struct block_open how = { .format = "raw" };
	struct block *b = NULL;
	struct fs *fs = NULL;
	struct fs_usage u;
	struct fs_id id;

	make_exfat(clusters[1]);
	ok(block_open("d", &how, &b, &e));
	ok(fs_probe(b, &id, &e));
	ck_assert_str_eq(id.type, "exfat");
	ck_assert_str_eq(id.label, "Etikett");
	ck_assert_str_eq(id.uuid, "1234-ABCD");
	ck_assert_uint_eq(id.size, 8 << 20);
	ok(fs_open(b, &fs, &e));
	ok(fs_statfs(fs, &u, &e));
	ck_assert_uint_eq(u.block_size, 4096);
	ck_assert_uint_eq(u.blocks, peek32(92));
	/* The bitmap, two clusters of upper case, the root directory. */
	ck_assert_uint_eq(u.blocks_free, u.blocks - 4);
	ck_assert_uint_eq(u.blocks_avail, u.blocks_free);
	fs_close(fs);
	block_unref(b);
}
END_TEST

START_TEST(a_node_that_is_no_set_is_refused)
{
	struct fs *fs = NULL;
	struct fs_stat st;

	make_exfat(clusters[0]);
	put_set(dir_at, &(struct want){ .name = "file" });
	ok(open_fs(&fs));
	ok(fs_stat(fs, dir_at / ENTRY * 2, &st, &e));
	fails(fs_stat(fs, 0, &st, &e), ERR_CORRUPT);
	fails(fs_stat(fs, UINT64_MAX, &st, &e), ERR_CORRUPT);
	fails(fs_stat(fs, UINT64_MAX / 16 - 1, &st, &e), ERR_CORRUPT);
	fails(fs_stat(fs, (dir_at / ENTRY + 1) * 2, &st, &e), ERR_CORRUPT);
	fs_close(fs);
}
END_TEST

START_TEST(every_failing_read_is_an_error_and_the_next_attempt_works)
{
	uint8_t *bytes = random_file("want", 40000);

	make_exfat(clusters[_i]);
	put_file("file", bytes, 40000, _i);
	each_failing_read_is_an_error("/file", false);
	free(bytes);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("exfat");
	Suite *s = suite_create("exfat");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, enter_scratch, leave_scratch);
	tcase_set_timeout(t, 200);
	tcase_add_loop_test(t, files_with_and_without_chains_read_as_they_were_written, 0, 2);
	tcase_add_loop_test(t, what_was_never_written_reads_as_zeros, 0, 2);
	tcase_add_test(t, times_have_zones_and_hundredths);
	tcase_add_test(t, names_are_found_in_any_case_by_the_volumes_own_table);
	tcase_add_loop_test(t, a_set_may_reach_into_the_next_cluster, 0, 2);
	tcase_add_loop_test(t, a_damaged_set_does_not_hide_its_neighbours, 0, 12);
	tcase_add_loop_test(t, chains_that_do_not_end_well_are_refused, 0, 4);
	tcase_add_test(t, the_backup_of_the_boot_region_stands_in);
	tcase_add_test(t, label_serial_and_free_clusters_are_told);
	tcase_add_test(t, a_node_that_is_no_set_is_refused);
	tcase_add_loop_test(t, every_failing_read_is_an_error_and_the_next_attempt_works, 0, 2);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
