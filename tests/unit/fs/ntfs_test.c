/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NTFS, as libntfs-3g itself writes it: the library is linked anyway, and needs no mount. */
#include "fixture.h"

#include "ntfs3g.h"

#include <errno.h>
#include <sys/sysmacros.h>
/* As in ntfs3g.h. */
#define le16 ntfs3g_le16
#define le32 ntfs3g_le32
#define le64 ntfs3g_le64
#include <ntfs-3g/dir.h>
#include <ntfs-3g/object_id.h>
#include <ntfs-3g/reparse.h>
#include <ntfs-3g/security.h>
#include <ntfs-3g/unistr.h>
#undef le16
#undef le32
#undef le64

static ntfs_volume *vol;

static void start_writing(void)
{
	ntfs_set_char_encoding("UTF-8");
	vol = ntfs_mount("d", 0);
	ck_assert_msg(vol != NULL, "%s", strerror(errno));
	NVolSetCompression(vol);
}

static void stop_writing(void)
{
	ck_assert_int_eq(ntfs_umount(vol, FALSE), 0);
}

/* An NTFS of 8 MiB with these options of mkntfs, open for writing. */
static void make_ntfs(const char *options)
{
	char cmd[300];

	snprintf(cmd, sizeof cmd, "rm -f d; truncate -s 8M d; mkntfs -F -Q -q -L Etikett %s d", options);
	run(cmd);
	start_writing();
}

static ntfs_inode *at(const char *path)
{
	ntfs_inode *ni = ntfs_pathname_to_inode(vol, NULL, path);

	ck_assert_msg(ni != NULL, "%s: %s", path, strerror(errno));
	return ni;
}

/* Makes a file, directory or such in a folder; returns its number. */
static uint64_t make(const char *folder, const char *name, unsigned type, unsigned rdev)
{
	ntfs_inode *dir = at(folder), *ni;
	ntfschar *units = NULL;
	int len = ntfs_mbstoucs(name, &units);
	uint64_t number;

	ck_assert_int_gt(len, 0);
	if (type == S_IFCHR || type == S_IFBLK)
		ni = ntfs_create_device(dir, 0, units, (u8)len, type, rdev);
	else
		ni = ntfs_create(dir, 0, units, (u8)len, type);
	ck_assert_msg(ni != NULL, "%s: %s", name, strerror(errno));
	number = ni->mft_no;
	free(units);
	ntfs_inode_close_in_dir(ni, dir);
	ntfs_inode_close(dir);
	return number;
}

static void put_bytes(const char *path, const char *stream, const void *bytes, size_t len, uint64_t off)
{
	ntfs_inode *ni = at(path);
	ntfschar *name = NULL;
	int n = stream ? ntfs_mbstoucs(stream, &name) : 0;
	ntfs_attr *na;

	if (stream && !ntfs_attr_exist(ni, AT_DATA, name, (u32)n))
		ck_assert_int_eq(ntfs_attr_add(ni, AT_DATA, name, (u8)n, NULL, 0), 0);
	na = ntfs_attr_open(ni, AT_DATA, stream ? name : AT_UNNAMED, (u32)n);
	ck_assert_msg(na != NULL, "%s: %s", path, strerror(errno));
	ck_assert_int_eq(ntfs_attr_pwrite(na, (s64)off, (s64)len, bytes), (s64)len);
	ntfs_attr_pclose(na);
	ntfs_attr_close(na);
	free(name);
	ck_assert_int_eq(ntfs_inode_close(ni), 0);
}

static void put_file(const char *folder, const char *name, const void *bytes, size_t len)
{
	char path[600];

	make(folder, name, S_IFREG, 0);
	snprintf(path, sizeof path, "%s/%s", folder, name);
	if (len)
		put_bytes(path, NULL, bytes, len, 0);
}

/* Every file is as Windows makes one in a compressed folder. */
static void compress_folder(const char *path)
{
	ntfs_inode *ni = at(path);
	static const uint8_t compressed[4] = { 0, 8, 0, 0 };

	ck_assert_int_eq(ntfs_set_ntfs_attrib(ni, (const char *)compressed, 4, 0), 0);
	ntfs_inode_close(ni);
}

static void keep(const char *path, const void *bytes, size_t len)
{
	FILE *f = fopen(path, "wb");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(bytes, 1, len, f), len);
	fclose(f);
}

static uint64_t record_at(uint64_t number)
{
	return (uint64_t)peek32(48) * peek16(11) * (peek16(13) & 0xff) + number * 1024;
}

/* Where an attribute of a record lies in the image. */
static uint64_t attr_at(uint64_t number, uint32_t type)
{
	uint64_t off = record_at(number) + peek16(record_at(number) + 20);

	while (peek32(off) != type) {
		ck_assert_uint_ne(peek32(off), NTFS_END);
		off += peek32(off + 4);
	}
	return off;
}

/* Of a file's data, by its first run. */
static uint64_t first_cluster(uint64_t number)
{
	uint64_t run = attr_at(number, NTFS_DATA);
	uint8_t bytes[17];
	uint64_t lcn = 0;

	peek(run + peek16(run + 32), bytes, sizeof bytes);
	for (unsigned i = 0; i < bytes[0] >> 4; i++)
		lcn |= (uint64_t)bytes[1 + (bytes[0] & 15) + i] << 8 * i;
	return lcn;
}

static const char *const clusters[] = { "-c 512", "-c 4096", "-c 65536" };
#define NCLUSTERS ((int)(sizeof clusters / sizeof *clusters))

START_TEST(files_of_every_kind_of_storage_read_as_they_were_written)
{
	static uint8_t data[300000], sparse[300000], text[200000];
	struct fs_stat st;
	struct vfs *v;

	run("head -c 300000 /dev/urandom > random");
	{
		FILE *f = fopen("random", "rb");

		ck_assert_uint_eq(fread(data, 1, sizeof data, f), sizeof data);
		fclose(f);
	}
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (uint8_t)(i % 7000 < 3000 ? "words, words; "[i % 14] : data[i]);
	memset(text + 65536, 0, 65536);
	memcpy(sparse + 150000, "middle", 6);
	make_ntfs(clusters[_i]);
	put_file("/", "small", "hello\n", 6);
	put_file("/", "empty", "", 0);
	put_file("/", "random", data, sizeof data);
	make("/", "sparse", S_IFREG, 0);
	put_bytes("/sparse", NULL, "middle", 6, 150000);
	put_bytes("/sparse", NULL, "", 1, 299999);
	make("/", "dir", S_IFDIR, 0);
	compress_folder("/dir");
	put_file("/dir", "text", text, sizeof text);
	put_file("/dir", "random", data, sizeof data);
	stop_writing();
	keep("small", "hello\n", 6);
	keep("empty", "", 0);
	keep("sparse", sparse, sizeof sparse);
	keep("text", text, sizeof text);
	v = open_tree();
	reads_as(v, "/small", "small");
	reads_as(v, "/empty", "empty");
	reads_as(v, "/random", "random");
	reads_as(v, "/sparse", "sparse");
	reads_as(v, "/dir/text", "text");
	reads_as(v, "/dir/random", "random");
	ok(vfs_stat(v, "/small", true, &st, &e));
	ck_assert_uint_eq(st.mode, S_IFREG | 0777);
	ck_assert_uint_eq(st.size, 6);
	ck_assert_uint_eq(st.blocks512, 1);
	ok(vfs_stat(v, "/dir", true, &st, &e));
	ck_assert_uint_eq(st.mode, S_IFDIR | 0777);
	ck_assert_uint_eq(st.nlink, 1);
	ok(vfs_stat(v, "/dir/text", true, &st, &e));
	/* Clusters of more than 4 KiB are never compressed. */
	ck_assert(_i == 2 ? st.blocks512 * 512 >= st.size : st.blocks512 * 512 < st.size / 2);
	ok(vfs_stat(v, "/", true, &st, &e));
	ck_assert_uint_eq(st.ino, 5);
	fails(vfs_stat(v, "/nothing", true, &st, &e), ERR_NOT_FOUND);
	vfs_free(v);
}
END_TEST

/* off and len of the first run that begins there. */
static void run_is(struct vfs *v, const char *path, uint64_t off, uint64_t want, bool want_hole)
{
	struct vfs_node n;
	uint64_t len = 0;
	bool hole = false;

	ok(vfs_lookup(v, path, true, &n, &e));
	ok(fs_extent(n.fs, n.ino, off, &len, &hole, &e));
	ck_assert_msg(len == want && hole == want_hole, "%s at %" PRIu64 ": %" PRIu64 " %d", path, off, len, hole);
}

START_TEST(holes_are_told_from_data)
{
	static uint8_t text[400000];
	struct vfs *v;

	/* Units of 16 clusters of 4 KiB: text, zeros, zeros, text. */
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = i / 65536 == 1 || i / 65536 == 2 ? 0 : (uint8_t)"some text that repeats "[i % 23];
	make_ntfs("-c 4096");
	make("/", "sparse", S_IFREG, 0);
	put_bytes("/sparse", NULL, "x", 1, 100000);
	put_bytes("/sparse", NULL, "x", 1, 199999);
	put_file("/", "small", "hello\n", 6);
	make("/", "dir", S_IFDIR, 0);
	compress_folder("/dir");
	put_file("/dir", "text", text, sizeof text);
	stop_writing();
	v = open_tree();
	run_is(v, "/sparse", 0, 98304, true);
	run_is(v, "/sparse", 98304, 4096, false);
	run_is(v, "/sparse", 102400, 94208, true);
	run_is(v, "/sparse", 150000, 46608, true);
	run_is(v, "/sparse", 196608, 3392, false);
	run_is(v, "/small", 2, 4, false);
	run_is(v, "/small", 6, 0, false);
	run_is(v, "/dir/text", 0, 65536, false);
	run_is(v, "/dir/text", 40000, 25536, false);
	run_is(v, "/dir/text", 65536, 131072, true);
	run_is(v, "/dir/text", 100000, 96608, true);
	run_is(v, "/dir/text", 196608, 203392, false);
	vfs_free(v);
}
END_TEST

START_TEST(times_have_tenths_of_microseconds_since_1601)
{
	static const struct {
		int64_t tenths;
		int64_t sec;
		uint32_t nsec;
	} rows[] = {
		{ 116444736000000000, 0, 0 },	     { 126256467067890123, 981173106, 789012300 }, { 0, -11644473600, 0 },
		{ 116444735999999999, -1, 999999900 }, { -1, -11644473601, 999999900 },
	};
	uint64_t number;
	struct fs_stat st;
	struct vfs *v;

	make_ntfs("");
	number = make("/", "file", S_IFREG, 0);
	stop_writing();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint64_t value = attr_at(number, NTFS_STANDARD_INFORMATION) + 24;

		/* Made, changed, its record changed, looked at. */
		for (unsigned k = 0; k < 4; k++) {
			uint64_t t = (uint64_t)rows[i].tenths + k * 10000000;

			poke(value + k * 8, &t, 8);
		}
		v = open_tree();
		ok(vfs_stat(v, "/file", true, &st, &e));
		vfs_free(v);
		ck_assert(st.has_crtime);
		ck_assert_int_eq(st.crtime.sec, rows[i].sec);
		ck_assert_uint_eq(st.crtime.nsec, rows[i].nsec);
		ck_assert_int_eq(st.mtime.sec, rows[i].sec + 1);
		ck_assert_int_eq(st.ctime.sec, rows[i].sec + 2);
		ck_assert_int_eq(st.atime.sec, rows[i].sec + 3);
	}
}
END_TEST

START_TEST(names_are_listed_as_they_are_and_found_in_any_case)
{
	static const char *const names[] = { "$a", "PROGRAMS and Files", "SAME", "same", "Ärger €", "\360\237\230\200" };
	struct vfs *v;
	struct vfs_node a, b;
	struct fs_stat st;
	ntfs_inode *ni, *dir;

	make_ntfs("");
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		make("/", names[i], S_IFREG, 0);
	/* A name for DOS beside the other. */
	ni = at("/PROGRAMS and Files");
	dir = at("/");
	ck_assert_int_eq(ntfs_set_ntfs_dos_name(ni, dir, "PROGRA~1", 8, 0), 0);
	stop_writing();
	v = open_tree();
	sees(v, "/", 6, names);
	ok(vfs_lookup(v, "/PROGRAMS and Files", true, &a, &e));
	ok(vfs_lookup(v, "/programs AND files", true, &b, &e));
	ck_assert_uint_eq(a.ino, b.ino);
	ok(vfs_lookup(v, "/progra~1", true, &b, &e));
	ck_assert_uint_eq(a.ino, b.ino);
	ok(vfs_lookup(v, "/SAME", true, &a, &e));
	ok(vfs_lookup(v, "/same", true, &b, &e));
	ck_assert_uint_ne(a.ino, b.ino);
	ok(vfs_lookup(v, "/ärger €", true, &a, &e));
	fails(vfs_lookup(v, "/arger €", true, &a, &e), ERR_NOT_FOUND);
	fails(vfs_lookup(v, "/\xff", true, &a, &e), ERR_NOT_FOUND);
	/* The volume's own files are not listed, but there. */
	ok(vfs_stat(v, "/$UpCase", true, &st, &e));
	ck_assert_uint_eq(st.ino, 10);
	ck_assert_uint_eq(st.size, 131072);
	ok(vfs_stat(v, "/$Extend/$ObjId", true, &st, &e));
	vfs_free(v);
}
END_TEST

START_TEST(every_name_of_a_large_directory_is_found)
{
	struct vfs *v;
	struct fs_stat st;
	char name[100];

	make_ntfs(clusters[_i]);
	make("/", "many", S_IFDIR, 0);
	for (int i = 0; i < 700; i++) {
		snprintf(name, sizeof name, "a name that is long enough %d", i * 7919 % 10000);
		make("/many", name, S_IFREG, 0);
	}
	stop_writing();
	v = open_tree();
	for (int i = 0; i < 700; i++) {
		snprintf(name, sizeof name, "/many/A NAME that is long enough %d", i * 7919 % 10000);
		ok(vfs_stat(v, name, true, &st, &e));
	}
	fails(vfs_stat(v, "/many/a name that is long enough x", true, &st, &e), ERR_NOT_FOUND);
	fails(vfs_stat(v, "/many/a", true, &st, &e), ERR_NOT_FOUND);
	fails(vfs_stat(v, "/many/z", true, &st, &e), ERR_NOT_FOUND);
	ok(vfs_stat(v, "/many", true, &st, &e));
	ck_assert_uint_gt(st.size, 65536);
	vfs_free(v);
}
END_TEST

struct attrs {
	char text[4000];
	size_t len;
};

static int on_xattr(void *arg, const char *name, const void *value, size_t len, struct err *er)
{
	struct attrs *a = arg;

	(void)er;
	a->len += (size_t)snprintf(a->text + a->len, sizeof a->text - a->len, "%s=%zu", name, len);
	if (len > 0 && len < 10)
		a->len += (size_t)snprintf(a->text + a->len, sizeof a->text - a->len, ":%.*s", (int)len, (const char *)value);
	a->len += (size_t)snprintf(a->text + a->len, sizeof a->text - a->len, " ");
	return 0;
}

static int xattrs_of(struct vfs *v, const char *path, struct attrs *a)
{
	struct vfs_node n;

	memset(a, 0, sizeof *a);
	ok(vfs_lookup(v, path, false, &n, &e));
	return fs_xattrs(n.fs, n.ino, on_xattr, a, &e);
}

START_TEST(streams_are_attributes_and_files_of_their_own)
{
	static uint8_t long_one[200000];
	struct attrs a;
	struct vfs *v;
	struct fs_stat st;

	memset(long_one, 'l', sizeof long_one);
	make_ntfs("");
	put_file("/", "file", "content", 7);
	put_bytes("/file", "short", "value", 5, 0);
	put_bytes("/file", "Zone.Identifier", long_one, 1000, 0);
	make("/", "dir", S_IFDIR, 0);
	put_bytes("/dir", "of a dir", "d", 1, 0);
	put_file("/", "large", "content", 7);
	put_bytes("/large", "long", long_one, sizeof long_one, 0);
	put_bytes("/large", "short", "value", 5, 0);
	put_file("/", "colon:inside", "posix", 5);
	stop_writing();
	keep("want", long_one, 1000);
	keep("short", "value", 5);
	keep("long", long_one, sizeof long_one);
	keep("posix", "posix", 5);
	v = open_tree();
	ok(xattrs_of(v, "/file", &a));
	ck_assert_msg(strstr(a.text, "user.Zone.Identifier=1000 ") && strstr(a.text, "user.short=5:value "), "%s", a.text);
	ok(xattrs_of(v, "/dir", &a));
	ck_assert_msg(strstr(a.text, "user.of a dir=1:d ") != NULL, "%s", a.text);
	reads_as(v, "/file:zone.identifier", "want");
	reads_as(v, "/FILE:Short", "short");
	ok(vfs_stat(v, "/file:short", true, &st, &e));
	ck_assert_uint_eq(st.size, 5);
	ck_assert_uint_eq(st.mode, S_IFREG | 0777);
	fails(vfs_stat(v, "/file:none", true, &st, &e), ERR_NOT_FOUND);
	fails(vfs_stat(v, "/file:", true, &st, &e), ERR_NOT_FOUND);
	fails(vfs_stat(v, "/:short", true, &st, &e), ERR_NOT_FOUND);
	/* One that is too long for an attribute does not hide the others. */
	fails(xattrs_of(v, "/large", &a), ERR_LIMIT);
	ck_assert_msg(strstr(e.msg, "the stream \"long\" of 200000 bytes is too long for an extended attribute: read FILE:long"),
		      "%s", e.msg);
	ck_assert_msg(strstr(a.text, "user.short=5:value ") != NULL, "%s", a.text);
	reads_as(v, "/large:long", "long");
	/* A name may hold a colon, too. */
	reads_as(v, "/colon:inside", "posix");
	vfs_free(v);
}
END_TEST

START_TEST(windows_own_attributes_are_listed)
{
	static const uint8_t hidden[4] = { 0x22, 0, 0, 0 }, id[16] = "0123456789abcde";
	struct attrs a;
	struct vfs *v;
	ntfs_inode *ni;

	make_ntfs("");
	put_file("/", "file", "content", 7);
	ni = at("/file");
	ck_assert_int_eq(ntfs_set_ntfs_attrib(ni, (const char *)hidden, 4, 0), 0);
	ck_assert_int_eq(ntfs_set_ntfs_object_id(ni, (const char *)id, 16, 0), 0);
	ntfs_inode_close(ni);
	stop_writing();
	v = open_tree();
	ok(xattrs_of(v, "/file", &a));
	ck_assert_msg(strncmp(a.text, "system.ntfs_attrib=4:\"", 22) == 0, "%s", a.text);
	ck_assert_msg(strstr(a.text, " system.ntfs_object_id=16 ") != NULL, "%s", a.text);
	/* The root's own descriptor is in $Secure. */
	ok(xattrs_of(v, "/", &a));
	ck_assert_msg(strstr(a.text, "system.ntfs_acl=") != NULL, "%s", a.text);
	vfs_free(v);
}
END_TEST

/* ---- links ---- */

static void set_reparse(const char *path, uint32_t tag, const void *data, size_t len)
{
	uint8_t value[2000] = { (uint8_t)tag, (uint8_t)(tag >> 8), (uint8_t)(tag >> 16), (uint8_t)(tag >> 24), (uint8_t)len,
				(uint8_t)(len >> 8) };
	ntfs_inode *ni = at(path);

	memcpy(value + 8, data, len);
	ck_assert_msg(ntfs_set_ntfs_reparse_data(ni, (const char *)value, len + 8, 0) == 0, "%s: %s", path, strerror(errno));
	ntfs_inode_close(ni);
}

/* A symlink, or a junction, to an ASCII target. */
static void set_target(const char *path, bool junction, const char *target)
{
	uint8_t data[1000] = { 0 };
	size_t n = strlen(target), head = junction ? 8 : 12;

	data[2] = data[6] = (uint8_t)(2 * n);
	data[3] = data[7] = (uint8_t)(2 * n >> 8);
	for (size_t i = 0; i < n; i++)
		data[head + 2 * i] = (uint8_t)target[i];
	set_reparse(path, junction ? 0xa0000003 : 0xa000000c, data, head + 2 * n);
}

static void leads_to(struct vfs *v, const char *path, const char *want)
{
	struct strbuf t = STRBUF_INIT;
	struct vfs_node n;
	struct fs_stat st;

	ok(vfs_lookup(v, path, false, &n, &e));
	ok(fs_readlink(n.fs, n.ino, &t, &e));
	ck_assert_str_eq(t.s, want);
	ok(fs_stat(n.fs, n.ino, &st, &e));
	ck_assert_uint_eq(st.mode, S_IFLNK | 0777);
	ck_assert_uint_eq(st.size, strlen(want));
	strbuf_free(&t);
}

START_TEST(links_lead_into_the_guests_tree)
{
	static const struct {
		const char *name;
		char kind; /* d: junction, f: symlink to a file, F: symlink that is a directory */
		const char *target, *want;
	} rows[] = {
		{ "All Users", 'd', "\\??\\C:\\ProgramData", "../ProgramData" },
		{ "case", 'd', "\\??\\C:\\PROGRAMDATA\\sub", "../ProgramData/Sub" },
		{ "other drive", 'd', "\\??\\d:\\Games\\X", "../.NTFS-3G/D:/Games/X" },
		{ "volume", 'd', "\\??\\Volume{123}\\", "../.NTFS-3G/Volume{123}" },
		{ "no directory", 'd', "\\??\\C:\\ProgramData\\Sub\\File", "../.NTFS-3G/C:/ProgramData/Sub/File" },
		{ "over a link", 'd', "\\??\\C:\\Users\\all users\\sub", "../Users/All Users/sub" },
		{ "full", 'f', "\\??\\C:\\programdata\\sub\\file", "../ProgramData/Sub/File" },
		{ "drive", 'f', "C:\\ProgramData\\Sub\\File", "../ProgramData/Sub/File" },
		{ "rooted", 'f', "\\ProgramData\\Sub\\File", "../ProgramData/Sub/File" },
		{ "rooted, gone", 'f', "\\Nothing", "../Nothing" },
		{ "relative", 'f', "..\\programdata\\sub\\file", "../ProgramData/Sub/File" },
		{ "relative, gone", 'f', "..\\programdata\\none\\file", "../ProgramData/none/file" },
		{ "here", 'f', ".\\case", "./case" },
		{ "dirlink", 'F', "..\\ProgramData", "../ProgramData" },
		{ "network", 'f', "\\??\\UNC\\server\\share", "unsupported reparse tag 0xa000000c" },
		{ "server", 'f', "\\\\server\\share", "unsupported reparse tag 0xa000000c" },
	};
	char path[100], *text = NULL;
	struct vfs *v;
	size_t len;

	make_ntfs("");
	make("/", "Users", S_IFDIR, 0);
	make("/", "ProgramData", S_IFDIR, 0);
	make("/ProgramData", "Sub", S_IFDIR, 0);
	put_file("/ProgramData/Sub", "File", "found", 5);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		make("/Users", rows[i].name, rows[i].kind == 'f' ? S_IFREG : S_IFDIR, 0);
		snprintf(path, sizeof path, "/Users/%s", rows[i].name);
		set_target(path, rows[i].kind == 'd', rows[i].target);
	}
	stop_writing();
	v = open_tree();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		snprintf(path, sizeof path, "/Users/%s", rows[i].name);
		leads_to(v, path, rows[i].want);
	}
	/* And the links of a path are followed. */
	ok(vfs_read_file(v, "/Users/over a link/file", 100, &text, &len, &e));
	ck_assert_str_eq(text, "found");
	free(text);
	vfs_free(v);
}
END_TEST

START_TEST(special_files_and_other_reparse_points_are_what_ntfs_3g_shows)
{
	static const uint8_t lx_link[] = { 2, 0, 0, 0, '.', '.', '/', 'x' };
	struct vfs *v;
	struct fs_stat st;
	ntfs_inode *dir;
	ntfschar *name = NULL, *target = NULL;
	int name_len, target_len;

	make_ntfs("");
	make("/", "fifo", S_IFIFO, 0);
	make("/", "socket", S_IFSOCK, 0);
	make("/", "char", S_IFCHR, makedev(1, 3));
	make("/", "block", S_IFBLK, makedev(8, 17));
	dir = at("/");
	name_len = ntfs_mbstoucs("interix", &name);
	target_len = ntfs_mbstoucs("../some/where", &target);
	ck_assert_int_eq(ntfs_inode_close(ntfs_create_symlink(dir, 0, name, (u8)name_len, target, target_len)), 0);
	ntfs_inode_close(dir);
	free(name);
	free(target);
	make("/", "lx", S_IFREG, 0);
	set_reparse("/lx", 0xa000001d, lx_link, sizeof lx_link);
	make("/", "wof", S_IFREG, 0);
	set_reparse("/wof", 0x80000017, "0123456789abcdef", 16);
	vol->special_files = NTFS_FILES_WSL;
	make("/", "lxfifo", S_IFIFO, 0);
	make("/", "lxchar", S_IFCHR, makedev(5, 1));
	stop_writing();
	v = open_tree();
	ok(vfs_stat(v, "/fifo", true, &st, &e));
	ck_assert_uint_eq(st.mode, S_IFIFO | 0777);
	ok(vfs_stat(v, "/socket", true, &st, &e));
	ck_assert_uint_eq(st.mode, S_IFSOCK | 0777);
	ok(vfs_stat(v, "/char", true, &st, &e));
	ck_assert_uint_eq(st.mode, S_IFCHR | 0777);
	ck_assert(st.rdev_major == 1 && st.rdev_minor == 3);
	ok(vfs_stat(v, "/block", true, &st, &e));
	ck_assert(S_ISBLK(st.mode) && st.rdev_major == 8 && st.rdev_minor == 17);
	ok(vfs_stat(v, "/lxfifo", true, &st, &e));
	ck_assert_uint_eq(st.mode, S_IFIFO);
	ok(vfs_stat(v, "/lxchar", true, &st, &e));
	ck_assert(S_ISCHR(st.mode) && st.rdev_major == 5 && st.rdev_minor == 1);
	leads_to(v, "/interix", "../some/where");
	leads_to(v, "/lx", "../x");
	leads_to(v, "/wof", "unsupported reparse tag 0x80000017");
	vfs_free(v);
}
END_TEST

START_TEST(a_file_whose_attributes_need_several_records_is_whole)
{
	static uint8_t data[100000];
	char name[300];
	struct attrs a;
	struct vfs *v;
	struct fs_stat st;
	ntfs_inode *ni, *dir;
	ntfschar *units = NULL;

	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)(i * i >> 8);
	keep("want", data, sizeof data);
	make_ntfs("");
	put_file("/", "file", data, sizeof data);
	ni = at("/file");
	dir = at("/");
	for (int i = 0; i < 30; i++) {
		int len;

		snprintf(name, sizeof name, "another name of the same file, long, so that there is no room in its record %d", i);
		len = ntfs_mbstoucs(name, &units);
		ck_assert_int_eq(ntfs_link(ni, dir, units, (u8)len), 0);
		free(units);
		units = NULL;
	}
	ntfs_inode_close(ni);
	ntfs_inode_close(dir);
	put_bytes("/file", "stream", "value", 5, 0);
	stop_writing();
	v = open_tree();
	ok(vfs_stat(v, "/file", true, &st, &e));
	ck_assert_uint_eq(st.nlink, 31);
	reads_as(v, "/file", "want");
	reads_as(v, "/another name of the same file, long, so that there is no room in its record 29", "want");
	ok(xattrs_of(v, "/file", &a));
	ck_assert_msg(strstr(a.text, "user.stream=5:value ") != NULL, "%s", a.text);
	vfs_free(v);
}
END_TEST

/* ---- how Windows left it ---- */

START_TEST(what_windows_left_undone_is_said)
{
	static const uint8_t rstr[] = { 'R', 'S', 'T', 'R', 0x1e, 0, 9, 0 };
	uint64_t number, log;

	make_ntfs("-c 4096");
	number = make("/", "hiberfil.sys", S_IFREG, 0);
	put_bytes("/hiberfil.sys", NULL, "hibr\0\0\0\0", 8, 0);
	stop_writing();
	ck_assert_str_eq(opening_notice(), "Windows is hibernated: what it has in memory is not in the files");
	number = attr_at(number, NTFS_DATA);
	poke(number + peek16(number + 20), "wake", 4);
	ck_assert_str_eq(opening_notice(), "");
	number = attr_at(NTFS_FILE_VOLUME, NTFS_VOLUME_INFORMATION) + 24 + 10;
	poke16(number, 1);
	ck_assert_str_eq(opening_notice(), "the volume is marked dirty");
	poke16(number, 0);
	/* The first page of the log: a client has it open. */
	log = first_cluster(NTFS_FILE_LOG) * 4096;
	ck_assert_uint_eq(peek32(log), 0xffffffff);
	{
		uint8_t page[4096] = { 0 };

		memcpy(page, rstr, sizeof rstr);
		page[17] = 0x10; /* pages of 4096 bytes */
		page[21] = 0x10;
		page[24] = 0x30; /* the area */
		page[0x30 + 12] = 0;
		poke(log, page, sizeof page);
		ck_assert_str_eq(opening_notice(), "$LogFile was not replayed: the last changes may be missing");
		page[0x30 + 12] = page[0x30 + 13] = 0xff; /* no client */
		poke(log, page, sizeof page);
		ck_assert_str_eq(opening_notice(), "");
		page[0x30 + 12] = page[0x30 + 13] = 0;
		page[0x30 + 14] = 2; /* said to be clean */
		poke(log, page, sizeof page);
		ck_assert_str_eq(opening_notice(), "");
		/* The second page is newer. */
		page[0x30 + 14] = 0;
		page[0x30] = 1;
		poke(log + 4096, page, sizeof page);
		ck_assert_str_eq(opening_notice(), "$LogFile was not replayed: the last changes may be missing");
	}
}
END_TEST

START_TEST(copies_of_the_first_records_stand_in)
{
	static const uint8_t junk[600] = { 0 };
	struct vfs *v;
	uint64_t mirror;

	make_ntfs("-c 4096");
	put_file("/", "file", "content", 7);
	stop_writing();
	keep("want", "content", 7);
	mirror = (uint64_t)peek32(56) * 4096;
	poke(record_at((uint64_t)_i), junk, sizeof junk);
	ck_assert_str_eq(opening_notice(), "the start of the master file table is damaged: its mirror is read");
	v = open_tree();
	reads_as(v, "/file", "want");
	vfs_free(v);
	poke(mirror + (uint64_t)_i * 1024, junk, sizeof junk);
	refused(ERR_CORRUPT, "of the master file table, and its copy: it is no record of a file");
}
END_TEST

/* ---- lies ---- */

START_TEST(records_that_lie_are_refused_before_the_library_sees_them)
{
	enum { MAGIC, FIXUP, USED, FIRST_ATTR, SEQUENCE, NOT_IN_USE, BASE, ORDER, ATTR_LEN, NAME_OFF, VALUE_OFF, VALUE_LEN,
	       STD_SHORT, RUNS_OFF, RUN_BYTES, RUN_PAST, RUN_LONG, RUN_SHORT, SIZE, INITIALIZED, HIGHEST, UNIT, KIND };
	static const struct {
		int what;
		const char *words;
	} rows[] = {
		{ MAGIC, "it is no record of a file" },
		{ FIXUP, "it was not written whole" },
		{ USED, "a record of 65535 bytes in 1024" },
		{ FIRST_ATTR, "attributes at byte 57 of a record" },
		{ SEQUENCE, "another file has its record by now" },
		{ NOT_IN_USE, "it is not in use" },
		{ BASE, "it is a part of another file" },
		{ ORDER, "attributes out of order" },
		{ ATTR_LEN, "bytes that does not fit its record" },
		{ NAME_OFF, "the name of an attribute lies outside of it" },
		{ VALUE_OFF, "the value of an attribute lies outside of it" },
		{ VALUE_LEN, "the value of an attribute lies outside of it" },
		{ STD_SHORT, "attribute 0x10: its value does not lie in the record, or is too short" },
		{ RUNS_OFF, "the runs of an attribute lie outside of it" },
		{ RUN_BYTES, "attribute 0x80: a run of clusters that cannot be decoded" },
		{ RUN_PAST, "lie outside of the volume" },
		{ RUN_LONG, "clusters where 5 are left" },
		{ RUN_SHORT, "runs end at cluster 4, not at 5" },
		{ SIZE, "bytes, of which" },
		{ INITIALIZED, "bytes, of which" },
		{ HIGHEST, "runs for the clusters from 0 to" },
		{ UNIT, "a compressed or sparse attribute without its size" },
		{ KIND, "a compressed or sparse attribute without its size" },
	};
	static uint8_t bytes[20000];
	uint64_t number, rec, std, data, runs;
	struct vfs *v;
	struct fs_stat st;

	make_ntfs("-c 4096");
	number = make("/", "file", S_IFREG, 0);
	put_bytes("/file", NULL, bytes, sizeof bytes, 0);
	stop_writing();
	rec = record_at(number);
	std = attr_at(number, NTFS_STANDARD_INFORMATION);
	data = attr_at(number, NTFS_DATA);
	runs = data + peek16(data + 32);
	/* One run: a byte of length, two or less of place. */
	ck_assert_uint_eq(peek16(runs) & 0x0f, 1);
	switch (rows[_i].what) {
	case MAGIC: poke(rec, "BAAD", 4); break;
	case FIXUP: poke(rec + 510, "\x77\x77", 2); break;
	case USED: poke32(rec + 24, 65535); break;
	case FIRST_ATTR: poke16(rec + 20, 57); break;
	case SEQUENCE: poke16(rec + 16, 77); break;
	case NOT_IN_USE: poke16(rec + 22, 0); break;
	case BASE: poke32(rec + 32, 5); break;
	case ORDER: poke32(std, 0x200); break;
	case ATTR_LEN: poke32(std + 4, 0x1000); break;
	case NAME_OFF: poke(std + 9, "\xff", 1); break;
	case VALUE_OFF: poke16(std + 20, 0xfff0); break;
	case VALUE_LEN: poke32(std + 16, 0x7fffffff); break;
	case STD_SHORT: poke32(std + 16, 20); break;
	case RUNS_OFF: poke16(data + 32, 0x700); break;
	case RUN_BYTES: poke(runs, "\x9f", 1); break;
	case RUN_PAST: poke(runs, "\x21\x05\xff\x7f\0", 5); break;
	case RUN_LONG: poke(runs + 1, "\x66", 1); break;
	case RUN_SHORT: poke(runs + 1, "\x04", 1); break;
	case SIZE: poke32(data + 48, 0x7fffffff); break;
	case INITIALIZED: poke32(data + 56, 0x7fffffff); break;
	case HIGHEST: poke32(data + 28, 0x7fffffff); break;
	case UNIT: poke16(data + 12, 1); break;
	case KIND: poke16(data + 12, 2); break;
	}
	v = open_tree();
	fails(vfs_stat(v, "/file", true, &st, &e), ERR_CORRUPT);
	ck_assert_msg(strstr(e.msg, rows[_i].words) != NULL, "%s", e.msg);
	/* The others are there all the same. */
	ok(vfs_stat(v, "/$UpCase", true, &st, &e));
	vfs_free(v);
}
END_TEST

struct seen_twice {
	unsigned nentries;
	bool said;
};

static int on_entry(void *arg, enum vfs_when when, const struct vfs_entry *ent, struct err *er)
{
	(void)when, (void)ent, (void)er;
	((struct seen_twice *)arg)->nentries++;
	return VFS_GO_ON;
}

static int on_failure(void *arg, const char *path, const struct err *why, struct err *er)
{
	(void)path, (void)er;
	((struct seen_twice *)arg)->said = strstr(why->msg, "the directory contains itself") != NULL;
	return 0;
}

START_TEST(a_directory_that_contains_itself_is_left)
{
	struct seen_twice seen = { .nentries = 0 };
	const struct vfs_walk w = { .fn = on_entry, .failed = on_failure, .arg = &seen };
	struct vfs *v;
	uint64_t number, root;

	make_ntfs("");
	number = make("/", "dir", S_IFDIR, 0);
	make("/dir", "again", S_IFDIR, 0);
	stop_writing();
	/* The first entry of its index leads to itself. */
	root = attr_at(number, NTFS_INDEX_ROOT);
	root += peek16(root + 20) + 32u;
	poke32(root, (uint32_t)number);
	poke32(root + 4, (uint32_t)peek16(record_at(number) + 16) << 16);
	v = open_tree();
	ok(vfs_walk(v, "/", &w, &e));
	ck_assert(seen.said);
	ck_assert_uint_eq(seen.nentries, 3);
	vfs_free(v);
}
END_TEST

START_TEST(encrypted_files_are_refused_in_one_sentence)
{
	static uint8_t bytes[20000];
	struct vfs *v;
	struct vfs_node n;
	uint64_t number;
	struct fs_stat st;
	size_t len;

	make_ntfs("-c 4096");
	number = make("/", "file", S_IFREG, 0);
	put_bytes("/file", NULL, bytes, sizeof bytes, 0);
	stop_writing();
	poke16(attr_at(number, NTFS_STANDARD_INFORMATION) + 24 + 32, 0x4020);
	poke16(attr_at(number, NTFS_DATA) + 12, 0x4000);
	v = open_tree();
	ok(vfs_lookup(v, "/file", true, &n, &e));
	ok(fs_stat(n.fs, n.ino, &st, &e));
	ck_assert_uint_eq(st.size, 20000);
	fails(fs_pread(n.fs, n.ino, bytes, 100, 0, &len, &e), ERR_UNSUPPORTED);
	ck_assert_msg(strstr(e.msg, "encrypted by Windows (EFS), it cannot be read without its key") != NULL, "%s", e.msg);
	vfs_free(v);
}
END_TEST

START_TEST(a_node_that_is_no_file_is_refused)
{
	struct fs *fs = NULL;
	struct fs_stat st;

	make_ntfs("");
	put_file("/", "file", "content", 7);
	stop_writing();
	ok(open_fs(&fs));
	ok(fs_stat(fs, 5, &st, &e));
	fails(fs_stat(fs, 12345678, &st, &e), ERR_CORRUPT);
	fails(fs_stat(fs, UINT32_MAX, &st, &e), ERR_CORRUPT);
	fails(fs_stat(fs, 5 | 1ULL << 32, &st, &e), ERR_CORRUPT);  /* a stream that it has not */
	fails(fs_stat(fs, 5 | 99ULL << 48, &st, &e), ERR_CORRUPT); /* another sequence number */
	fs_close(fs);
}
END_TEST

START_TEST(label_serial_and_usage_are_told)
{
	const struct block_open how = { .format = "raw" };
	struct block *b = NULL;
	struct fs *fs = NULL;
	struct fs_usage u;
	struct fs_id id;
	s64 nfree;

	make_ntfs("-c 4096");
	put_file("/", "file", "content", 7);
	ck_assert_int_eq(ntfs_volume_get_free_space(vol), 0);
	nfree = vol->free_clusters;
	stop_writing();
	ok(block_open("d", &how, &b, &e));
	ok(fs_probe(b, &id, &e));
	ck_assert_str_eq(id.type, "ntfs");
	ck_assert_str_eq(id.label, "Etikett");
	ck_assert_uint_eq(strlen(id.uuid), 16);
	ck_assert(id.readable);
	ok(fs_open(b, &fs, &e));
	ok(fs_statfs(fs, &u, &e));
	ck_assert_uint_eq(u.block_size, 4096);
	ck_assert_uint_eq(u.blocks, 2047);
	ck_assert_uint_eq(u.blocks_free, nfree);
	ck_assert_uint_gt(u.inodes, u.inodes_free);
	fs_close(fs);
	block_unref(b);
	run("truncate -s 4M d");
	refused(ERR_CORRUPT, "the volume has 8388096 bytes, but there are only 4194304");
}
END_TEST

START_TEST(every_failing_read_is_an_error_and_the_next_attempt_works)
{
	static uint8_t data[100000];

	make_ntfs("");
	make("/", "dir", S_IFDIR, 0);
	put_file("/dir", "file", data, sizeof data);
	stop_writing();
	/* Whether it is hibernated may stay unknown, and the mirror stands in for what cannot be read. */
	each_failing_read_is_an_error("/dir/file", true);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("ntfs");
	Suite *s = suite_create("ntfs");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, enter_scratch, leave_scratch);
	tcase_set_timeout(t, 200);
	tcase_add_loop_test(t, files_of_every_kind_of_storage_read_as_they_were_written, 0, NCLUSTERS);
	tcase_add_test(t, holes_are_told_from_data);
	tcase_add_test(t, times_have_tenths_of_microseconds_since_1601);
	tcase_add_test(t, names_are_listed_as_they_are_and_found_in_any_case);
	tcase_add_loop_test(t, every_name_of_a_large_directory_is_found, 0, NCLUSTERS);
	tcase_add_test(t, streams_are_attributes_and_files_of_their_own);
	tcase_add_test(t, windows_own_attributes_are_listed);
	tcase_add_test(t, links_lead_into_the_guests_tree);
	tcase_add_test(t, special_files_and_other_reparse_points_are_what_ntfs_3g_shows);
	tcase_add_test(t, a_file_whose_attributes_need_several_records_is_whole);
	tcase_add_test(t, what_windows_left_undone_is_said);
	tcase_add_loop_test(t, copies_of_the_first_records_stand_in, 0, 4);
	tcase_add_loop_test(t, records_that_lie_are_refused_before_the_library_sees_them, 0, 23);
	tcase_add_test(t, a_directory_that_contains_itself_is_left);
	tcase_add_test(t, encrypted_files_are_refused_in_one_sentence);
	tcase_add_test(t, a_node_that_is_no_file_is_refused);
	tcase_add_test(t, label_serial_and_usage_are_told);
	tcase_add_test(t, every_failing_read_is_an_error_and_the_next_attempt_works);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
