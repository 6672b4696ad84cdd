/* SPDX-License-Identifier: GPL-2.0-or-later */
/* os_test.c - the smallest trees that make systems recognisable, and what is told of each. */
#include "testing.h"

#include "alloc.h"
#include "os.h"
#include "tree.h"

#include <string.h>

/* What a row leaves NULL must not be known. */
struct wanted {
	const char *script;
	const char *type, *distro, *product, *version, *osinfo, *format, *manager, *hostname;
};

static const char *shown(const char *s)
{
	return s ? s : "(none)";
}

static void same(const struct wanted *w, const char *what, const char *got, const char *wanted)
{
	ck_assert_msg(strcmp(shown(got), shown(wanted)) == 0, "%s: %s is %s, not %s", w->script, what, shown(got),
		      shown(wanted));
}

static const struct wanted systems[] = {
	{ "echo '127.0.0.1 localhost' >etc/hosts\n"
	  "printf 'PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\\nVERSION_ID=\"12\"\\nID=debian\\n' >etc/os-release\n"
	  "echo 12.8 >etc/debian_version; echo web >etc/hostname",
	  "linux", "debian", "Debian GNU/Linux 12 (bookworm)", "12.8", "debian12", "deb", "apt", "web" },
	{ "mkdir -p usr/lib; touch etc/fstab; ln -s ../usr/lib/os-release etc/os-release\n"
	  "printf 'NAME=\"Ubuntu\"\\nVERSION_ID=\"22.04\"\\nID=ubuntu\\nID_LIKE=debian\\nPRETTY_NAME=\"Ubuntu 22.04.5 LTS\"\\n' "
	  ">usr/lib/os-release",
	  "linux", "ubuntu", "Ubuntu 22.04.5 LTS", "22.4", "ubuntu22.04", "deb", "apt", NULL },
	{ "touch etc/fstab; printf 'ID=\"rhel\"\\nVERSION_ID=\"9.4\"\\nPRETTY_NAME=\"Red Hat Enterprise Linux 9.4 (Plow)\"\\n' "
	  ">etc/os-release; echo 'Red Hat Enterprise Linux release 9.4 (Plow)' >etc/redhat-release",
	  "linux", "rhel", "Red Hat Enterprise Linux 9.4 (Plow)", "9.4", "rhel9.4", "rpm", "dnf", NULL },
	{ "touch etc/fstab; echo 'Red Hat Enterprise Linux ES release 3 (Taroon Update 9)' >etc/redhat-release",
	  "linux", "rhel", "Red Hat Enterprise Linux ES release 3 (Taroon Update 9)", "3.9", "rhel3.9", "rpm", "up2date", NULL },
	{ "touch etc/fstab; printf 'ID=\"centos\"\\nVERSION_ID=\"7\"\\nPRETTY_NAME=\"CentOS Linux 7 (Core)\"\\n"
	  "' >etc/os-release\n"
	  "echo 'CentOS Linux release 7.9.2009 (Core)' >etc/centos-release; ln -s centos-release etc/redhat-release",
	  "linux", "centos", "CentOS Linux 7 (Core)", "7.9", "centos7.0", "rpm", "yum", NULL },
	{ "touch etc/fstab; echo 'CentOS release 6.10 (Final)' >etc/redhat-release\n"
	  "mkdir etc/sysconfig; printf 'NETWORKING=yes\\nHOSTNAME=old.example.com\\n' >etc/sysconfig/network",
	  "linux", "centos", "CentOS release 6.10 (Final)", "6.10", "centos6.10", "rpm", "yum", "old.example.com" },
	{ "touch etc/fstab; printf 'ID=almalinux\\nID_LIKE=\"rhel centos fedora\"\\nVERSION_ID=9.3\\n' >etc/os-release",
	  "linux", "almalinux", NULL, "9.3", "almalinux9", "rpm", "dnf", NULL },
	{ "touch etc/fstab; printf 'ID=eurolinux\\nID_LIKE=\"rhel fedora\"\\nVERSION_ID=8.5\\n' >etc/os-release",
	  "linux", "redhat-based", NULL, "8.5", NULL, "rpm", "dnf", NULL },
	{ "touch etc/fstab; printf 'ID=fedora\\nVERSION_ID=41\\nPRETTY_NAME=\"Fedora Linux 41 (Server Edition)\"\\n' "
	  ">etc/os-release",
	  "linux", "fedora", "Fedora Linux 41 (Server Edition)", "41.0", "fedora41", "rpm", "dnf", NULL },
	{ "touch etc/fstab; printf 'ID=\"opensuse-leap\"\\nVERSION_ID=\"15.6\"\\nPRETTY_NAME=\"openSUSE Leap 15.6\"\\n' "
	  ">etc/os-release; echo suse >etc/HOSTNAME",
	  "linux", "opensuse", "openSUSE Leap 15.6", "15.6", "opensuse15.6", "rpm", "zypper", "suse" },
	{ "touch etc/fstab; printf 'ID=\"sles\"\\nVERSION_ID=\"15.5\"\\n' >etc/os-release",
	  "linux", "sles", NULL, "15.5", "sle15sp5", "rpm", "zypper", NULL },
	{ "touch etc/fstab; printf \"ID=alpine\\nVERSION_ID=3.20.3\\nPRETTY_NAME='Alpine Linux v3.20'\\n\" >etc/os-release\n"
	  "echo 3.20.3 >etc/alpine-release",
	  "linux", "alpinelinux", "Alpine Linux v3.20", "3.20", "alpinelinux3.20", "apk", "apk", NULL },
	{ "touch etc/fstab; printf 'ID=arch\\nPRETTY_NAME=\"Arch Linux\"\\nBUILD_ID=rolling\\n' >etc/os-release",
	  "linux", "archlinux", "Arch Linux", NULL, "archlinux", "pacman", "pacman", NULL },
	{ "touch etc/fstab; printf 'ID=gentoo\\nPRETTY_NAME=\"Gentoo Linux\"\\n' >etc/os-release\n"
	  "mkdir etc/conf.d; echo 'hostname=\"larry\"' >etc/conf.d/hostname",
	  "linux", "gentoo", "Gentoo Linux", NULL, "gentoo", "ebuild", "portage", "larry" },
	{ "touch etc/fstab; printf 'ID=nixos\\nVERSION_ID=\"24.05\"\\n' >etc/os-release", "linux", "nixos", NULL, "24.5", NULL,
	  "nix", "nix", NULL },
	{ "touch etc/fstab; printf 'DISTRIB_ID=Ubuntu\\nDISTRIB_RELEASE=10.04\\nDISTRIB_DESCRIPTION=\"Ubuntu 10.04.4 LTS\"\\n' "
	  ">etc/lsb-release; echo squeeze/sid >etc/debian_version",
	  "linux", "ubuntu", "Ubuntu 10.04.4 LTS", "10.4", "ubuntu10.04", "deb", "apt", NULL },
	{ "touch etc/fstab etc/freebsd-update.conf; printf 'ID=freebsd\\nVERSION_ID=14.1\\nPRETTY_NAME=\"FreeBSD 14.1\"\\n' "
	  ">etc/os-release; echo 'hostname=\"beastie\"' >etc/rc.conf",
	  "freebsd", "freebsd", "FreeBSD 14.1", "14.1", "freebsd14.1", "pkg", "pkg", "beastie" },
	{ "touch etc/fstab bsd; echo 'OpenBSD 7.6 (GENERIC.MP) #338' >etc/motd; echo puffy >etc/myname", "openbsd", "openbsd",
	  "OpenBSD 7.6 (GENERIC.MP) #338", "7.6", "openbsd7.6", "pkg", "pkg_add", "puffy" },
	/* Without what is made at each start. */
	{ "touch etc/fstab etc/freebsd-update.conf; ln -s ../var/run/os-release etc/os-release\n"
	  "printf '#!/bin/sh\n\nset -e\nUSERLAND_VERSION=\"14.1-RELEASE-p5\"\n' >bin/freebsd-version",
	  "freebsd", "freebsd", "FreeBSD 14.1-RELEASE-p5", "14.1", "freebsd14.1", "pkg", "pkg", NULL },
	{ "touch etc/fstab; mkdir sbin; touch sbin/hammer2; echo 'DragonFly v6.4.0-RELEASE' >etc/motd", "dragonfly", "dragonfly",
	  "DragonFly BSD", NULL, NULL, "pkg", "pkg", NULL },
	{ "mkdir FDOS; touch FDOS/FREEDOS.BSS; printf 'PLATFORM=FreeDOS\r\nVERSION=1.3\r\n' >FDOS/VERSION.FDI", "dos", "freedos",
	  "FreeDOS 1.3", "1.3", NULL, NULL, NULL, NULL },
	{ "mkdir DOS; touch DOS/COMMAND.COM", "dos", "msdos", "MS-DOS", NULL, NULL, NULL, NULL, NULL },
	{ "mkdir hurd; touch hurd/console hurd/hello hurd/null; printf 'ID=debian\nVERSION_ID=12\n"
	  "' >etc/os-release", "hurd", "debian",
	  NULL, "12.0", "debian12", "deb", "apt", NULL },
	{ "mkdir service; touch service/vm etc/fstab; echo 'Minix 3.3.0' >etc/version", "minix", "minix", "Minix "
	  "3.3.0", "3.3", NULL,
	  NULL, NULL, NULL },
	/* Those that have no name of their own with the peers. */
	{ "touch etc/fstab etc/rpi-issue; printf 'ID=debian\nVERSION_ID=12\n"
	  "' >etc/os-release", "linux", "raspbian", NULL, "12.0", NULL,
	  "deb", "apt", NULL },
	{ "touch etc/fstab; printf 'ID=pop\nID_LIKE=\"ubuntu debian\"\nVERSION_ID=22.04\n"
	  "' >etc/os-release", "linux", "pop", NULL, "22.4",
	  NULL, "deb", "apt", NULL },
	{ "touch etc/fstab; printf 'ID=\"amzn\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"2023\"\n"
	  "' >etc/os-release", "linux", "amazonlinux", NULL,
	  "2023.0", NULL, "rpm", "dnf", NULL },
	{ "touch etc/fstab; printf 'ID=photon\nVERSION_ID=5.0\n"
	  "' >etc/os-release", "linux", "photon", NULL, "5.0", NULL, "rpm", "dnf", NULL },
	{ "touch etc/fstab; printf 'ID=steamos\nID_LIKE=arch\nVERSION_ID=3.5.7\n"
	  "' >etc/os-release", "linux", "steamos", NULL, "3.5", NULL,
	  "pacman", "pacman", NULL },
	{ "touch etc/fstab; printf 'ID=steamos\nID_LIKE=debian\nVERSION_ID=2\n"
	  "' >etc/os-release", "linux", "steamos", NULL, "2.0", NULL, "deb",
	  "apt", NULL },
	{ "rmdir bin; mkdir -p x/usr/bin x/usr/lib; ln -s x/usr usr; ln -s usr/bin bin\n"
	  "printf 'ID=bottlerocket\nVERSION_ID=1.20.0\nVARIANT_ID=aws-k8s-1.29\n' >usr/lib/os-release",
	  "linux", "bottlerocket", NULL, "1.20", NULL, NULL, NULL, NULL },
	{ "rmdir bin etc; mkdir -p nix/store/a/etc nix/var/nix/profiles; ln -s /nix/store/a nix/var/nix/profiles/system\n"
	  "printf 'ID=nixos\nVERSION_ID=\"24.11\"\n' >nix/store/a/etc/os-release",
	  "linux", "nixos", NULL, "24.11", NULL, "nix", "nix", NULL },
	{ "rmdir bin; mkdir -p root home usr/lib etc/flatcar; touch etc/flatcar/update.conf\n"
	  "printf 'ID=flatcar\nVERSION_ID=3815.2.5\nBUILD_ID=2024\n' >usr/lib/os-release",
	  "linux", "flatcar", NULL, "3815.2", NULL, NULL, NULL, NULL },
	{ "touch etc/fstab netbsd; echo 'NetBSD 10.0' >etc/release", "netbsd", "netbsd", "NetBSD 10.0", "10.0", "netbsd10.0",
	  "pkgsrc", NULL, NULL },
};

START_TEST(a_system_is_told_by_its_files)
{
	const struct wanted *w = &systems[_i];
	struct vfs *v = tree(w->script);
	char version[40];
	struct os os;

	ok(os_inspect(v, &os, &e));
	snprintf(version, sizeof version, "%u.%u", os.major, os.minor);
	same(w, "type", os.type, w->type);
	same(w, "distro", os.distro, w->distro);
	same(w, "product", os.product_name, w->product);
	same(w, "version", os.has_version ? version : NULL, w->version);
	same(w, "osinfo", os.osinfo, w->osinfo);
	same(w, "package format", os.package_format, w->format);
	same(w, "package manager", os.package_manager, w->manager);
	same(w, "host name", os.hostname, w->hostname);
	ck_assert_uint_eq(os.nwarnings, 0);
	os_free(&os);
	vfs_free(v);
}
END_TEST

/* Trees that are no root, but what one is installed or started from. */
static const struct {
	const char *script, *told; /* "type distro media version arch product" */
} media[] = {
	{ "mkdir .disk; echo 'Debian GNU/Linux 12.5.0 \"Bookworm\" - Official amd64 NETINST with firmware 20240210-11:27' "
	  ">.disk/info",
	  "linux debian installer 12.5 x86_64 Debian GNU/Linux 12.5.0 \"Bookworm\" - Official amd64 NETINST with firmware "
	  "20240210-11:27" },
	{ "mkdir .disk casper; printf 'Ubuntu 22.04.4 LTS \"Jammy Jellyfish\" - Release arm64 (20240220)' >.disk/info\n"
	  "touch casper/filesystem.squashfs",
	  "linux ubuntu live 22.4 aarch64 Ubuntu 22.04.4 LTS \"Jammy Jellyfish\" - Release arm64 (20240220)" },
	{ "printf '[checksums]\\nx = y\\n[general]\\narch = x86_64\\nfamily = Rocky Linux\\nname = Rocky Linux 9.3\\n"
	  "version = 9.3\\n' >.treeinfo",
	  "linux rocky installer 9.3 x86_64 Rocky Linux 9.3" },
	{ "printf '1700000000.1\\nFedora 41\\naarch64\\nALL\\n' >.discinfo; mkdir LiveOS; touch LiveOS/squashfs.img",
	  "linux fedora live 41.0 aarch64 Fedora 41" },
	{ "mkdir media.1; echo '/ openSUSE-Leap 15.6-1' >media.1/products", "linux opensuse installer 15.6 - openSUSE-Leap "
	  "15.6-1" },
	{ "echo 'alpine-standard 3.20.3 240906' >.alpine-release", "linux alpinelinux live 3.20 - alpine-standard 3.20.3 "
	  "240906" },
	{ "mkdir -p arch/x86_64; touch arch/x86_64/airootfs.sfs", "linux archlinux live - - -" },
	{ "printf \"PRODUCT='pve'\\nPRODUCTLONG='Proxmox Virtual Environment'\\nRELEASE='8.1'\\n\" >.cd-info",
	  "linux debian installer 8.1 - Proxmox Virtual Environment" },
	{ "mkdir sources; touch sources/install.wim", "windows windows installer - - -" },
	/* One that is a whole system by itself. */
	{ "mkdir -p etc bin usr/freebsd-dist; touch etc/fstab etc/freebsd-update.conf usr/freebsd-dist/MANIFEST", "freebsd - "
	  "installer - - -" },
	{ "mkdir -p sources; ln -s /etc .disk", "- - - - - -" },
};

START_TEST(media_of_installers_and_live_systems_are_recognised)
{
	char script[400], told[300], version[40];
	struct vfs *v;
	struct os os;

	snprintf(script, sizeof script, "rmdir etc bin; %s", media[_i].script);
	v = tree(script);
	ok(os_inspect(v, &os, &e));
	snprintf(version, sizeof version, "%u.%u", os.major, os.minor);
	snprintf(told, sizeof told, "%s %s %s %s %s "
	"%s", os.type ? os.type : "-", os.distro ? os.distro : "-", os.media ? os.media : "-",
		 os.has_version ? version : "-", os.arch ? os.arch : "-", os.product_name ? os.product_name : "-");
	ck_assert_str_eq(told, media[_i].told);
	ck_assert_int_eq(os_media_root(v, &e), os.media && strcmp(os.type, "freebsd") != 0);
	os_free(&os);
	vfs_free(v);
}
END_TEST

START_TEST(a_tree_without_programs_is_no_system)
{
	struct vfs *v = tree("rmdir bin; touch etc/fstab");
	const char *type;
	struct os os;

	ck_assert_int_eq(os_root(v, &type, &e), 0);
	ok(os_inspect(v, &os, &e));
	ck_assert_ptr_null(os.type);
	os_free(&os);
	vfs_free(v);
}
END_TEST

START_TEST(a_file_too_large_is_a_warning_and_the_rest_is_told)
{
	struct vfs *v = tree("touch etc/fstab; truncate -s 10G etc/os-release; echo web >etc/hostname; ln -s loop etc/loop\n"
			     "echo 12.1 >etc/debian_version; ln -s loop etc/timezone");
	struct os os;

	ok(os_inspect(v, &os, &e));
	ck_assert_str_eq(os.distro, "debian");
	ck_assert_str_eq(os.hostname, "web");
	ck_assert_uint_eq(os.nwarnings, 2);
	ck_assert_ptr_nonnull(strstr(os.warnings[0], "/etc/os-release"));
	ck_assert_ptr_nonnull(strstr(os.warnings[1], "/etc/timezone"));
	os_free(&os);
	vfs_free(v);
}
END_TEST

START_TEST(the_processor_is_that_of_a_program)
{
	struct vfs *v = tree("touch etc/fstab; printf '\\177ELF\\2\\1\\1\\0\\0\\0\\0\\0\\0\\0\\0\\0\\3\\0\\267\\0' >bin/sh\n"
			     "ln -s sh bin/bash; mkdir -p usr/lib/systemd; touch usr/lib/systemd/systemd\n"
			     "mkdir -p usr/share/zoneinfo/Europe; ln -s /usr/share/zoneinfo/Europe/Berlin etc/localtime");
	struct os os;

	ok(os_inspect(v, &os, &e));
	ck_assert_str_eq(os.arch, "aarch64");
	ck_assert_str_eq(os.init, "systemd");
	ck_assert_str_eq(os.timezone, "Europe/Berlin");
	os_free(&os);
	vfs_free(v);
}
END_TEST

START_TEST(values_are_read_as_a_shell_reads_them)
{
	static const struct {
		const char *text, *value;
	} rows[] = {
		{ "KEY=plain", "plain" },
		{ "A=1\n  KEY=\"two words\"\nB=2", "two words" },
		{ "KEY='single \"quoted\"'", "single \"quoted\"" },
		{ "KEY=\"a \\\"quote\\\" \\$x\"", "a \"quote\" $x" },
		{ "KEY=one two", "one" },
		{ "KEY=\"not closed\nKEY=second", "not closed" },
		{ "KEY=", NULL },
		{ "KEYS=x\n#KEY=y", NULL },
		{ "", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *value = NULL;
		int rc = os_shell_value(rows[i].text, "KEY", &value, &e);

		ck_assert_int_eq(rc, rows[i].value != NULL);
		if (value)
			ck_assert_str_eq(value, rows[i].value);
		free(value);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("os");
	TCase *t = tcase_create("os");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, enter_scratch, leave_scratch);
	tcase_add_loop_test(t, a_system_is_told_by_its_files, 0, ARRAY_LEN(systems));
	tcase_add_loop_test(t, media_of_installers_and_live_systems_are_recognised, 0, ARRAY_LEN(media));
	tcase_add_test(t, a_tree_without_programs_is_no_system);
	tcase_add_test(t, a_file_too_large_is_a_warning_and_the_rest_is_told);
	tcase_add_test(t, the_processor_is_that_of_a_program);
	tcase_add_test(t, values_are_read_as_a_shell_reads_them);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
