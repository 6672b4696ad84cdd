/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pkg_test.c - package databases as their managers write them. */
#include "testing.h"

#include "alloc.h"
#include "guest_lines.h"
#include "pkg.h"
#include "tree.h"

#include <inttypes.h>
#include <string.h>

/* Everything that was told, a line a package: "format name epoch:version-release arch source time". */
struct told {
	struct strbuf text;
	const char *format;
	char failed[1100];
};

static int on_format(void *arg, const char *format, const char *path, struct err *err)
{
	(void)path, (void)err;
	((struct told *)arg)->format = format;
	return 0;
}

static int on_package(void *arg, const struct package *p, struct err *err)
{
	struct told *t = arg;

	(void)err;
	strbuf_printf(&t->text, "%s %s %" PRIu32 ":%s-%s %s %s %" PRId64 "\n", t->format, p->name, p->epoch, p->version,
		      p->release ? p->release : "", p->arch ? p->arch : "", p->source ? p->source : "", p->install_time);
	return 0;
}

static int on_failure(void *arg, const char *path, const struct err *why, struct err *err)
{
	struct told *t = arg;

	(void)err;
	snprintf(t->failed, sizeof t->failed, "%s: %s", path, why->msg);
	return 0;
}

static void tells(const char *script, const char *wanted)
{
	struct told t = { .text = STRBUF_INIT };
	const struct pkg_walk w = { .format = on_format, .package = on_package, .failed = on_failure, .arg = &t };
	struct vfs *v = tree(script);

	ok(pkg_walk(v, &w, &e));
	ck_assert_str_eq(t.failed, "");
	ck_assert_str_eq(t.text.s, wanted);
	strbuf_free(&t.text);
	vfs_free(v);
}

START_TEST(dpkg_lists_what_is_installed)
{
	tells("mkdir -p var/lib/dpkg/info; touch -d @1000000000 var/lib/dpkg/info/zlib1g:amd64.list\n"
	      "cat >var/lib/dpkg/status <<'X'\n"
	      "Package: zlib1g\nStatus: install ok installed\nPriority: required\nArchitecture: amd64\n"
	      "Multi-Arch: same\nSource: zlib (1:1.2.13.dfsg-1)\nVersion: 1:1.2.13.dfsg-1\n"
	      "Description: compression library\n runtime\n .\n more\nHomepage: http://zlib.net/\n\n"
	      "Package: gone\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1-1\n\n"
	      "Package: native\nStatus: install ok installed\nArchitecture: all\nVersion: 12.4+deb12u1\nX",
	      "deb zlib1g 1:1.2.13.dfsg-1 amd64 zlib 1000000000\n"
	      "deb native 0:12.4+deb12u1- all native 0\n");
}
END_TEST

START_TEST(apk_lists_what_is_installed)
{
	tells("mkdir -p lib/apk/db; cat >lib/apk/db/installed <<'X'\n"
	      "C:Q1abc=\nP:musl\nV:1.2.5-r0\nA:x86_64\nS:1\nT:the musl c library\nU:https://musl.libc.org/\no:musl\nF:lib\n"
	      "R:ld-musl-x86_64.so.1\na:0:0:755\n\nP:busybox-binsh\nV:1.36.1-r29\nA:x86_64\no:busybox\n\nX",
	      "apk musl 0:1.2.5-r0 x86_64 musl 0\napk busybox-binsh 0:1.36.1-r29 x86_64 busybox 0\n");
}
END_TEST

START_TEST(pacman_lists_what_is_installed)
{
	tells("mkdir -p var/lib/pacman/local/zlib-1:1.3.1-2; echo 9 >var/lib/pacman/local/ALPM_DB_VERSION\n"
	      "printf '%%NAME%%\\nzlib\\n\\n%%VERSION%%\\n1:1.3.1-2\\n\\n%%BASE%%\\nzlib\\n\\n%%ARCH%%\\nx86_64\\n\\n"
	      "%%LICENSE%%\\ncustom\\n\\n%%INSTALLDATE%%\\n1700000000\\n' >var/lib/pacman/local/zlib-1:1.3.1-2/desc",
	      "pacman zlib 1:1.3.1-2 x86_64 zlib 1700000000\n");
}
END_TEST

START_TEST(portage_lists_what_is_installed)
{
	tells("mkdir -p var/db/pkg/sys-libs/zlib-1.3.1-r1 var/db/pkg/dev-lang/python-exec-2.4.10 var/db/pkg/virtual\n"
	      "echo 1650000000 >var/db/pkg/sys-libs/zlib-1.3.1-r1/BUILD_TIME; echo x >var/db/pkg/stray",
	      "ebuild dev-lang/python-exec 0:2.4.10-   0\nebuild sys-libs/zlib 0:1.3.1-r1   1650000000\n");
}
END_TEST

START_TEST(xbps_lists_what_is_installed)
{
	tells("mkdir -p var/db/xbps; cat >var/db/xbps/pkgdb-0.38.plist <<'X'\n"
	      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<plist version=\"1.0\">\n<dict>\n\t<key>acl</key>\n\t<dict>\n"
	      "\t\t<key>alternatives</key>\n\t\t<dict>\n\t\t\t<key>pkgver</key>\n\t\t\t<string>trap-1_1</string>\n\t\t</dict>\n"
	      "\t\t<key>architecture</key>\n\t\t<string>x86_64</string>\n\t\t<key>install-date</key>\n"
	      "\t\t<string>2021-02-03 04:05 UTC</string>\n"
	      "\t\t<key>pkgver</key>\n\t\t<string>acl-2.3.1_3</string>\n\t\t<key>run_depends</key>\n\t\t<array>\n"
	      "\t\t\t<string>a&gt;=1</string>\n"
	      "\t\t</array>\n\t\t<key>source-revisions</key>\n\t\t<string>acl:8a9</string>\n\t\t<key>state</key>\n"
	      "\t\t<string>installed</string>\n"
	      "\t</dict>\n\t<key>b</key><dict><key>pkgver</key><string>b-a&amp;b-1_1</string></dict>\n\t<key>half</key>\n"
	      "\t<dict>\n"
	      "\t\t<key>pkgver</key>\n\t\t<string>half-1_1</string>\n\t\t<key>state</key>\n\t\t<string>half-removed</string>\n"
	      "\t</dict>\n"
	      "</dict>\n</plist>\nX",
	      "xbps acl 0:2.3.1_3- x86_64 acl 1612325100\nxbps b-a&b 0:1_1-   0\n");
}
END_TEST

START_TEST(pkgsrc_and_openbsd_are_told_apart_by_their_files)
{
	tells("mkdir -p var/db/pkg/bash-5.2.15 var/db/pkg/py311-setuptools-68.0nb1 var/db/pkg/pkgdb.byfile.db "
	      "usr/pkg/pkgdb/vim-share-9.0\n"
	      "for p in var/db/pkg/*-[0-9]* usr/pkg/pkgdb/*; do touch $p/+CONTENTS $p/+BUILD_INFO; touch -d @1000000000 "
	      "$p/+CONTENTS; done\n"
	      "printf 'HOMEPAGE=https://x/\\nMACHINE_ARCH=x86_64\\nPKGPATH=shells/bash\\n' >var/db/pkg/bash-5.2.15/+BUILD_INFO\n"
	      "echo 'The shell' >var/db/pkg/bash-5.2.15/+COMMENT",
	      "pkgsrc bash 0:5.2.15- x86_64 shells/bash 1000000000\npkgsrc py311-setuptools 0:68.0nb1-   1000000000\n"
	      "pkgsrc vim-share 0:9.0-   1000000000\n");
	tells("mkdir -p var/db/pkg/vim-9.0.1-no_x11; cd var/db/pkg/vim*; printf '@name vim-9.0.1-no_x11\\n"
	      "@comment pkgpath=editors/vim,no_x11 ftp=yes\\n"
	      "@arch amd64\\n+DESC\\n' >+CONTENTS; touch -d @5 +CONTENTS; cd ../../../..",
	      "pkg vim 0:9.0.1-no_x11- amd64 editors/vim,no_x11 5\n");
}
END_TEST

START_TEST(freebsds_database_is_read_by_the_names_of_its_columns)
{
	if (system("command -v sqlite3 >/dev/null") != 0) /* not everywhere */
		return;
	tells("mkdir -p var/db/pkg; sqlite3 var/db/pkg/local.sqlite \"CREATE TABLE packages (id INTEGER PRIMARY KEY, origin "
	      "TEXT NOT NULL,"
	      " 'name' TEXT DEFAULT 'x,(y' NOT NULL, /**/ version TEXT, flatsize INTEGER CHECK (flatsize > 0), [arch] TEXT, "
	      "time INTEGER,"
	      " -- time\n comment TEXT, UNIQUE(name, version)); INSERT INTO packages VALUES"
	      " (1,'shells/bash','bash','5.2.15_1,1',5,'FreeBSD:14:amd64',1700000000,'The shell'), "
	      "(2,'a/b','b','1',NULL,NULL,NULL,NULL);\"",
	      "pkg bash 0:5.2.15_1,1- FreeBSD:14:amd64 shells/bash 1700000000\npkg b 0:1-  a/b 0\n");
}
END_TEST

START_TEST(pisi_lists_what_is_installed)
{
	tells("mkdir -p var/lib/pisi/package/zlib-1.2.5-9 var/lib/pisi/package/junk; cd var/lib/pisi/package; cat "
	      ">zlib-1.2.5-9/metadata.xml <<'X'\n"
	      "<?xml version=\"1.0\" ?>\n<!-- <PISI><Package><Name>trap</Name> -->\n<PISI>\n <Source><Name>zlib-src</Name>\n"
	      "  <Homepage>http://zlib.net/</Homepage><Packager><Name>A &amp; B</Name></Packager></Source>\n <Package>\n"
	      "  <Name>zlib</Name>\n"
	      "  <RuntimeDependencies><Dependency release=\"3\">x</Dependency><Name>no</Name></RuntimeDependencies><Empty/>\n"
	      "  <Architecture>i686</Architecture><History><Update "
	      "release=\"9\"><Date>2011</Date><Version>1.2.5</Version></Update>\n"
	      "  <Update release=\"8\"><Version>1.2.4</Version></Update></History>\n </Package>\n</PISI>\nX\n"
	      "echo '<PISI><a><b><c><d><e><f><g><h><i></i></h>' >junk/metadata.xml; cd ../../../..",
	      "pisi zlib 0:1.2.5-9 i686 zlib-src 0\n");
}
END_TEST

START_TEST(flatpaks_are_told_with_the_version_in_their_description)
{
	tells("mkdir -p var/lib/flatpak/repo; b=var/lib/flatpak/app/org.x.App/x86_64/stable; mkdir -p "
	      "$b/0a1b/files/share/metainfo; ln -s 0a1b $b/active\n"
	      "ln -s x86_64/stable var/lib/flatpak/app/org.x.App/current; touch -d @7 $b/0a1b\n"
	      "echo '<component><releases><release date=\"d\" version=\"2.4\"/><release version=\"2.3\"/>'"
	      " >$b/0a1b/files/share/metainfo/org.x.App.metainfo.xml; touch -d @7 $b/0a1b\n"
	      "mkdir -p var/lib/flatpak/app/org.x.Old/x86_64/stable/1c; r=var/lib/flatpak/runtime/org.x.Platform/aarch64/23.08; "
	      "mkdir -p $r/2d; ln -s 2d $r/active\n"
	      "touch -d @8 $r/2d",
	      "flatpak org.x.App 0:2.4- x86_64  7\nflatpak org.x.Platform 0:23.08- aarch64  8\n");
}
END_TEST

START_TEST(snaps_are_told_by_what_is_in_their_squashfs)
{
	if (system("PATH=$PATH:/usr/sbin command -v mksquashfs >/dev/null") != 0) /* not everywhere */
		return;
	tells("mkdir -p snap/core/12 snap/core/13 snap/bin snap/lost snap/bad var/lib/snapd/snaps ../s/meta; ln -s 13 "
	      "snap/core/current; ln -s x1 snap/lost/current\n"
	      "ln -s ../../etc snap/bad/current; printf 'name: core\\nversion: \"16-2.61\"\\narchitectures:\\n- amd64\\n"
	      "summary: base\\n' >../s/meta/snap.yaml\n"
	      "mksquashfs ../s var/lib/snapd/snaps/core_13.snap -quiet -no-progress; touch -d @9 "
	      "var/lib/snapd/snaps/core_13.snap\n"
	      "ln -s /snap var/lib/snapd/snap",
	      "snap core 0:16-2.61-13 amd64  9\nsnap lost 0:x1-   0\n");
}
END_TEST

START_TEST(a_database_that_is_no_file_is_told_and_left)
{
	struct told t = { .text = STRBUF_INIT };
	const struct pkg_walk w = { .format = on_format, .package = on_package, .failed = on_failure, .arg = &t };
	struct vfs *v = tree("mkdir -p var/lib/dpkg/status lib/apk/db; printf 'P:a\\nV:1-r0\\n\\n' >lib/apk/db/installed");

	ok(pkg_walk(v, &w, &e));
	ck_assert_str_eq(t.failed, "/var/lib/dpkg/status: /var/lib/dpkg/status is not a regular file");
	ck_assert_str_eq(t.text.s, "apk a 0:1-r0   0\n");
	strbuf_free(&t.text);
	vfs_free(v);
}
END_TEST

START_TEST(lines_longer_than_the_buffer_are_cut_and_the_next_is_whole)
{
	struct vfs *v = tree("{ echo first; head -c 200000 /dev/zero | tr '\\0' x; echo; echo third; printf last; } >f; : "
	">empty");
	struct lines l;
	char *line;

	ok(lines_open(v, "/f", &l, &e));
	ck_assert_int_eq(lines_next(&l, &line, &e), 1);
	ck_assert_str_eq(line, "first");
	ck_assert_int_eq(lines_next(&l, &line, &e), 1);
	ck_assert_uint_eq(strspn(line, "x"), strlen(line));
	ck_assert_uint_eq(strlen(line), LINES_BUFFER);
	ck_assert_int_eq(lines_next(&l, &line, &e), 1);
	ck_assert_str_eq(line, "third");
	ck_assert_int_eq(lines_next(&l, &line, &e), 1);
	ck_assert_str_eq(line, "last");
	ck_assert_int_eq(lines_next(&l, &line, &e), 0);
	lines_close(&l);
	ok(lines_open(v, "/empty", &l, &e));
	ck_assert_int_eq(lines_next(&l, &line, &e), 0);
	lines_close(&l);
	fails(lines_open(v, "/etc", &l, &e), ERR_NOT_FOUND);
	lines_close(&l);
	vfs_free(v);
}
END_TEST

/* ---- rpm's own database, by hand, since few builds of rpm write it ---- */

static void put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static void put32_be(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* A header with name, version and release; returns its length. */
static size_t header_put(uint8_t *p, const char *name)
{
	const char *const values[] = { name, "1.0", "2.fc38" };
	size_t data = 0;

	put32_be(p, 3);
	for (uint32_t i = 0; i < 3; i++) {
		uint8_t *ent = p + 8 + i * 16;

		put32_be(ent, 1000 + i);
		put32_be(ent + 4, 6);
		put32_be(ent + 8, (uint32_t)data);
		put32_be(ent + 12, 1);
		strcpy((char *)p + 8 + 3 * 16 + data, values[i]);
		data += strlen(values[i]) + 1;
	}
	put32_be(p + 4, (uint32_t)data);
	return 8 + 3 * 16 + data;
}

#define NDB_SIZE 8192
#define NDB_SLOT(n) (32 + (size_t)(n) * 16)
#define NDB_BLOB(n) (4096 + (size_t)(n) * 512)

static void ndb_make(uint8_t *b)
{
	memset(b, 0, NDB_SIZE);
	put32(b, 0x506d7052);
	put32(b + 12, 1);
	for (uint32_t i = 0; i < (4096 - 32) / 16; i++)
		put32(b + NDB_SLOT(i), 0x746f6c53);
	for (uint32_t i = 0; i < 2; i++) {
		uint8_t *blob = b + NDB_BLOB(i);

		put32(b + NDB_SLOT(i) + 4, i + 1);
		put32(b + NDB_SLOT(i) + 8, (uint32_t)NDB_BLOB(i) / 16);
		put32(b + NDB_SLOT(i) + 12, 32);
		put32(blob, 0x53626c42);
		put32(blob + 4, i + 1);
		put32(blob + 12, (uint32_t)header_put(blob + 16, i ? "second" : "first"));
	}
}

static void file_put(const char *path, const void *bytes, size_t len)
{
	FILE *f = fopen(path, "wb");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(bytes, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

#define NDB_TREE "mkdir -p usr/lib/sysimage/rpm; cp ../ndb usr/lib/sysimage/rpm/Packages.db"

START_TEST(rpms_own_database_is_read)
{
	static uint8_t b[NDB_SIZE];

	ndb_make(b);
	file_put("ndb", b, sizeof b);
	tells(NDB_TREE, "rpm first 0:1.0-2.fc38   0\nrpm second 0:1.0-2.fc38   0\n");
}
END_TEST

START_TEST(a_lie_in_rpms_own_database_is_told)
{
	static const struct {
		size_t off;
		uint32_t value;
		const char *sentence;
	} lies[] = {
		{ 0, 7, "it is no database of rpm" },
		{ 4, 9, "version 9 of the database" },
		{ 12, 1000000, "1000000 pages of slots in a file of 8192 bytes" },
		{ NDB_SLOT(0), 0, "slot 2 of page 0 is none" },
		{ NDB_SLOT(0) + 8, 0xffffff, "it ends inside a record" },
		{ NDB_SLOT(0) + 4, 5, "no header of package 5 at 4096" },
		{ NDB_BLOB(0) + 12, 0xffffffff, "a header of 4294967295 bytes" },
		{ NDB_BLOB(0) + 12, 5000, "the header of package 1 leaves the file" },
		{ NDB_BLOB(0) + 12, 4, "a header of 4 bytes" },
		{ NDB_BLOB(0) + 16, 0xffffffff, "counts 4294967295 entries" },
		{ NDB_BLOB(0) + 24, 0, "a header without a name" },
	};
	static uint8_t b[NDB_SIZE];

	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		struct told t = { .text = STRBUF_INIT };
		const struct pkg_walk w = { .format = on_format, .package = on_package, .failed = on_failure, .arg = &t };
		struct vfs *v;

		ndb_make(b);
		put32(b + lies[i].off, lies[i].value);
		file_put("ndb", b, sizeof b);
		v = tree(NDB_TREE);
		ok(pkg_walk(v, &w, &e));
		ck_assert_msg(strstr(t.failed, lies[i].sentence), "%s: %s", lies[i].sentence, t.failed);
		strbuf_free(&t.text);
		vfs_free(v);
	}
}
END_TEST

START_TEST(versions_are_split)
{
	static const struct {
		const char *text, *version, *release;
		uint32_t epoch;
	} rows[] = {
		{ "1.2-3", "1.2", "3", 0 },   { "2:1.2-3", "1.2", "3", 2 }, { "1.2", "1.2", NULL, 0 },
		{ "1.2-3-4", "1.2-3", "4", 0 }, { "x:1", "x:1", NULL, 0 },	   { "99999999999:1", "99999999999:1", NULL, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct package p = { .name = "x" };
		char text[40];

		snprintf(text, sizeof text, "%s", rows[i].text);
		pkg_version_split(text, &p);
		ck_assert_str_eq(p.version, rows[i].version);
		ck_assert_int_eq(p.release != NULL, rows[i].release != NULL);
		if (p.release)
			ck_assert_str_eq(p.release, rows[i].release);
		ck_assert_uint_eq(p.epoch, rows[i].epoch);
	}
}
END_TEST

TEST_MAIN("pkg", dpkg_lists_what_is_installed, apk_lists_what_is_installed, pacman_lists_what_is_installed,
	  portage_lists_what_is_installed, xbps_lists_what_is_installed, pkgsrc_and_openbsd_are_told_apart_by_their_files,
	  freebsds_database_is_read_by_the_names_of_its_columns, pisi_lists_what_is_installed,
	  flatpaks_are_told_with_the_version_in_their_description, snaps_are_told_by_what_is_in_their_squashfs,
	  a_database_that_is_no_file_is_told_and_left,
	  lines_longer_than_the_buffer_are_cut_and_the_next_is_whole, rpms_own_database_is_read,
	  a_lie_in_rpms_own_database_is_told, versions_are_split)
