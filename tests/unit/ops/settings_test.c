/* SPDX-License-Identifier: GPL-2.0-or-later */
/* settings_test.c - which files of which distribution are written for a name, a zone, an id, a first start. */
#include "testing.h"

#include "firstboot.h"
#include "hive.h"
#include "host_tree.h"
#include "packages.h"
#include "settings.h"

static struct err e = ERR_INIT;
static struct host_tree h;

static void guest(const char *distro, unsigned major)
{
	if (h.tree.ops) {
		ok(host_remove(&h.tree, "/etc", &e));
		host_tree_free(&h);
	}
	host_tree_new(&h, "linux", distro);
	h.os.has_version = major > 0;
	h.os.major = major;
	host_put(&h, "/etc/x", "");
}

START_TEST(the_host_name_is_where_each_distribution_has_it)
{
	guest("debian", 12);
	host_put(&h, "/etc/hostname", "old\n");
	host_put(&h, "/etc/hosts", "127.0.0.1 localhost\n127.0.1.1\told.example old\n::1 older old# old\n");
	ok(settings_hostname(&h.tree, "new.example", &e));
	ck_assert_str_eq(host_get(&h, "/etc/hostname"), "new.example\n");
	ck_assert_str_eq(host_get(&h, "/etc/hosts"),
			 "127.0.0.1 localhost\n127.0.1.1\told.example new.example\n::1 older new.example# new.example\n");
	guest("fedora", 17);
	host_put(&h, "/etc/sysconfig/network", "NETWORKING=yes\nHOSTNAME=old\n");
	ok(settings_hostname(&h.tree, "new", &e));
	ck_assert_str_eq(host_get(&h, "/etc/sysconfig/network"), "NETWORKING=yes\nHOSTNAME=new\n");
	guest("rhel", 7);
	ok(settings_hostname(&h.tree, "new", &e));
	ck_assert_str_eq(host_get(&h, "/etc/hostname"), "new\n");
	guest("sles", 11);
	ok(settings_hostname(&h.tree, "new", &e));
	ck_assert_str_eq(host_get(&h, "/etc/HOSTNAME"), "new\n");
	guest("gentoo", 0);
	ok(settings_hostname(&h.tree, "new", &e));
	ck_assert_str_eq(host_get(&h, "/etc/conf.d/hostname"), "hostname=\"new\"\n");
	guest(NULL, 0);
	h.os.type = "freebsd";
	ok(settings_hostname(&h.tree, "new", &e));
	ck_assert_str_eq(host_get(&h, "/etc/rc.conf"), "hostname=\"new\"\n");
	h.os.type = "minix";
	fails(settings_hostname(&h.tree, "new", &e), ERR_UNSUPPORTED);
}
END_TEST

START_TEST(what_is_no_host_name_is_refused)
{
	static const char *const wrong[] = { "", "-a", "a..b", ".a", "a b", "a\nb", "a." };

	guest("debian", 12);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		fails(settings_hostname(&h.tree, wrong[i], &e), ERR_USAGE);
}
END_TEST

START_TEST(the_time_zone_is_a_link_and_a_name)
{
	guest("debian", 12);
	host_put(&h, "/usr/share/zoneinfo/Europe/Berlin", "TZif");
	host_put(&h, "/etc/timezone", "Etc/UTC\n");
	host_put(&h, "/etc/localtime", "x");
	ok(settings_timezone(&h.tree, "Europe/Berlin", &e));
	ck_assert_str_eq(host_link(&h, "/etc/localtime"), "/usr/share/zoneinfo/Europe/Berlin");
	ck_assert_str_eq(host_get(&h, "/etc/timezone"), "Europe/Berlin\n");
	fails(settings_timezone(&h.tree, "Europe/Nowhere", &e), ERR_NOT_FOUND);
	fails(settings_timezone(&h.tree, "../../etc/shadow", &e), ERR_USAGE);
	guest("centos", 6);
	host_put(&h, "/etc/sysconfig/clock", "ZONE=\"UTC\"\n");
	ok(settings_timezone(&h.tree, "Europe/Berlin", &e));
	ck_assert_str_eq(host_get(&h, "/etc/sysconfig/clock"), "ZONE=\"Europe/Berlin\"\n");
	ck_assert_str_eq(host_get(&h, "/etc/timezone"), "(none)");
}
END_TEST

START_TEST(a_machine_id_is_given_or_taken_away)
{
	guest("debian", 12);
	host_put(&h, "/var/lib/dbus/machine-id", "x\n");
	ok(settings_machine_id(&h.tree, "0123456789abcdef0123456789abcdef", &e));
	ck_assert_str_eq(host_get(&h, "/etc/machine-id"), "0123456789abcdef0123456789abcdef\n");
	ck_assert_str_eq(host_get(&h, "/var/lib/dbus/machine-id"), "(none)");
	ok(settings_machine_id(&h.tree, "random", &e));
	ck_assert_uint_eq(strlen(host_get(&h, "/etc/machine-id")), 33);
	ok(settings_machine_id(&h.tree, "empty", &e));
	ck_assert_str_eq(host_get(&h, "/etc/machine-id"), "");
	fails(settings_machine_id(&h.tree, "xyz", &e), ERR_USAGE);
}
END_TEST

START_TEST(labels_are_given_now_or_at_the_next_start)
{
	static const char *const but[] = { "/srv", "/a b" };
	bool at_boot = false;

	guest("fedora", 38);
	ok(settings_relabel(&h.tree, NULL, 0, &at_boot, &e));
	ck_assert(!at_boot && !h.ran.len);
	host_put(&h, "/etc/selinux/config", "SELINUX=enforcing\nSELINUXTYPE=targeted\n");
	host_put(&h, "/etc/selinux/targeted/contexts/files/file_contexts", "");
	ok(settings_relabel(&h.tree, but, 2, &at_boot, &e));
	ck_assert(!at_boot);
	ck_assert_ptr_nonnull(strstr(h.ran.s, "setfiles -F -m -e /dev -e /proc -e /sys -e /srv -e /a b /etc/selinux/targeted/"));
	ck_assert(!tree_has(&h.tree, "/.autorelabel"));
	h.status = 256;
	ok(settings_relabel(&h.tree, NULL, 0, &at_boot, &e));
	ck_assert(at_boot && tree_has(&h.tree, "/.autorelabel"));
	h.status = 0;
	strbuf_reset(&h.ran);
	ok(settings_relabel(&h.tree, NULL, 0, &at_boot, &e));
	ck_assert(at_boot && !h.ran.len && tree_has(&h.tree, "/.autorelabel"));
}
END_TEST

START_TEST(packages_are_named_to_each_manager)
{
	CLEANUP(strbuf_free) struct strbuf b = STRBUF_INIT;
	struct os os = { .package_manager = "dnf" };

	ok(packages_script(&os, PACKAGES_INSTALL, "vim,@core,libc6=2.36-9", &b, &e));
	ck_assert_str_eq(b.s, "set -e\ndnf -y --nogpgcheck install 'vim' '@core' 'libc6=2.36-9'\n");
	os.package_manager = "apt";
	strbuf_reset(&b);
	ok(packages_script(&os, PACKAGES_UPDATE, NULL, &b, &e));
	ck_assert_ptr_nonnull(strstr(b.s, "upgrade\n"));
	fails(packages_script(&os, PACKAGES_INSTALL, "vim;reboot", &b, &e), ERR_USAGE);
	fails(packages_script(&os, PACKAGES_INSTALL, "--allow", &b, &e), ERR_USAGE);
	fails(packages_script(&os, PACKAGES_INSTALL, "", &b, &e), ERR_USAGE);
	fails(packages_script(&os, PACKAGES_UNINSTALL, "it's", &b, &e), ERR_USAGE);
	os.package_manager = NULL;
	fails(packages_script(&os, PACKAGES_INSTALL, "vim", &b, &e), ERR_UNSUPPORTED);
}
END_TEST

START_TEST(scripts_of_the_first_start_are_started_by_each_init)
{
	guest("debian", 12);
	h.os.init = "systemd";
	ok(firstboot_add(&h.tree, "say it", "#!/bin/sh\necho hi\n", 18, NULL, &e));
	ok(firstboot_add(&h.tree, "again", "x", 1, NULL, &e));
	ck_assert_str_eq(host_get(&h, "/usr/lib/drydock/firstboot/0001-say-it"), "#!/bin/sh\necho hi\n");
	ck_assert_str_eq(host_get(&h, "/usr/lib/drydock/firstboot/0002-again"), "x");
	ck_assert_str_eq(host_link(&h, "/etc/systemd/system/multi-user.target.wants/drydock-firstboot.service"),
			 "/etc/systemd/system/drydock-firstboot.service");
	ck_assert_int_eq(system("sh -n guest/usr/lib/drydock/firstboot.sh"), 0);
	h.os.init = "sysvinit";
	ok(firstboot_add(&h.tree, "x", "x", 1, NULL, &e));
	ck_assert_str_eq(host_link(&h, "/etc/rc3.d/S99drydock-firstboot"), "/etc/init.d/drydock-firstboot");
	h.os.init = "openrc";
	ok(firstboot_add(&h.tree, "x", "x", 1, NULL, &e));
	ck_assert_str_eq(host_link(&h, "/etc/runlevels/default/drydock-firstboot"), "/etc/init.d/drydock-firstboot");
	h.os.type = "freebsd";
	fails(firstboot_add(&h.tree, "x", "x", 1, NULL, &e), ERR_UNSUPPORTED);
}
END_TEST

START_TEST(a_first_start_of_windows_is_a_service_and_a_batch_file)
{
	CLEANUP(reg_edits_free) struct reg_edits edits = { NULL, 0 };
	bool path = false;

	guest(NULL, 0);
	h.os.type = "windows";
	ok(firstboot_add(&h.tree, "x", "echo hi\n", 8, &edits, &e));
	ck_assert_str_eq(host_get(&h, "/Program Files/drydock/firstboot/0001-x.bat"), "echo hi\r\n");
	ck_assert_uint_eq(edits.n, 7);
	for (size_t i = 0; i < edits.n; i++)
		path |= edits.items[i].kind == REG_EDIT_VALUE && strcmp(edits.items[i].name, "ImagePath") == 0 &&
			edits.items[i].type == REG_EXPAND_SZ;
	ck_assert(path);
}
END_TEST

TEST_MAIN("settings", the_host_name_is_where_each_distribution_has_it, what_is_no_host_name_is_refused,
	  the_time_zone_is_a_link_and_a_name, a_machine_id_is_given_or_taken_away, labels_are_given_now_or_at_the_next_start,
	  packages_are_named_to_each_manager, scripts_of_the_first_start_are_started_by_each_init,
	  a_first_start_of_windows_is_a_service_and_a_batch_file)
