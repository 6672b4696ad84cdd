/* SPDX-License-Identifier: GPL-2.0-or-later */
/* windows_media_test.c - which files of a medium with drivers are for which Windows, and what its registry is told. */
#include "testing.h"

#include "customize.h"
#include "host_tree.h"
#include "os_windows.h"

static struct err e = ERR_INIT;
static struct host_tree h, medium;
static struct os_windows facts = { .systemroot = (char *)"/WINDOWS" };
static struct strbuf said;

static void files(const char *const *paths)
{
	if (medium.tree.ops)
		host_tree_free(&medium);
	host_tree_new(&medium, "linux", NULL);
	strcpy(medium.root + strlen(medium.root) - 5, "media");
	ck_assert_int_eq(system("rm -rf media && mkdir media"), 0);
	for (; *paths; paths++)
		host_put(&medium, *paths, *paths);
}

static void windows(const char *osinfo, unsigned major, unsigned minor, const char *arch)
{
	if (h.tree.ops)
		host_tree_free(&h);
	ck_assert_int_eq(system("rm -rf guest"), 0);
	host_tree_new(&h, "windows", NULL);
	h.os.osinfo = (char *)osinfo;
	h.os.has_version = true;
	h.os.major = major;
	h.os.minor = minor;
	h.os.arch = arch;
	h.os.windows = &facts;
	host_put(&h, "/WINDOWS/system32/DRIVERS/x.sys", "");
}

static int note(void *arg, const char *path, const char *name, struct err *err)
{
	(void)arg;
	(void)err;
	strbuf_printf(&said, "%s=%s ", name, path);
	return 0;
}

static const char *drivers(void)
{
	struct windows_media *m;

	strbuf_reset(&said);
	ok(windows_media_open(medium.root, &m, &e));
	ok(windows_media_drivers(m, &h.os, note, NULL, &e));
	windows_media_close(m);
	return said.s;
}

START_TEST(each_windows_gets_the_newest_drivers_that_are_for_it)
{
	files((const char *const[]){ "/viostor/w7/x86/VIOSTOR.SYS", "/viostor/w10/amd64/viostor.sys",
				     "/viostor/2k12R2/amd64/viostor.sys",
				     "/viostor/2k19/amd64/viostor.sys", "/viostor/w10/ARM64/viostor.sys", "/viostor/viostor.sys",
				     "/w10/amd64", "/amd64.txt", NULL });
	windows("win7", 6, 1, "i386");
	ck_assert_str_eq(drivers(), "viostor.sys=/viostor/w7/x86/VIOSTOR.SYS ");
	windows("win7", 6, 1, "x86_64");
	ck_assert_str_eq(drivers(), "");
	windows("win10", 10, 0, "x86_64");
	ck_assert_str_eq(drivers(), "viostor.sys=/viostor/w10/amd64/viostor.sys ");
	windows("win11", 10, 0, "aarch64");
	ck_assert_str_eq(drivers(), "viostor.sys=/viostor/w10/ARM64/viostor.sys ");
	windows("win2k25", 10, 0, "x86_64");
	ck_assert_str_eq(drivers(), "viostor.sys=/viostor/2k19/amd64/viostor.sys ");
	windows("win2k12r2", 6, 3, "x86_64");
	ck_assert_str_eq(drivers(), "viostor.sys=/viostor/2k12R2/amd64/viostor.sys ");
	windows(NULL, 4, 0, "i386");
	{
		struct windows_media *m;

		ok(windows_media_open(medium.root, &m, &e));
		fails(windows_media_drivers(m, &h.os, note, NULL, &e), ERR_UNSUPPORTED);
		windows_media_close(m);
	}
}
END_TEST

START_TEST(folders_of_packages_are_read_too)
{
	files((const char *const[]){ "/drivers/amd64/Win2012R2/netkvm.sys", "/drivers/amd64/Win2008/netkvm.sys",
				     "/drivers/i386/Win2012R2/netkvm.sys", NULL });
	windows("win2k12r2", 6, 3, "x86_64");
	ck_assert_str_eq(drivers(), "netkvm.sys=/drivers/amd64/Win2012R2/netkvm.sys ");
	windows("win2k8", 6, 0, "x86_64");
	ck_assert_str_eq(drivers(), "netkvm.sys=/drivers/amd64/Win2008/netkvm.sys ");
}
END_TEST

static int note_edits(void *arg, const struct reg_edits *edits, struct err *err)
{
	(void)arg;
	(void)err;
	strbuf_reset(&said);
	for (size_t i = 0; i < edits->n; i++)
		strbuf_printf(&said, "%s|%s\n", edits->items[i].key, edits->items[i].name ? edits->items[i].name : "");
	return 0;
}

static void has(const char *edit)
{
	ck_assert_ptr_nonnull(strstr(said.s, edit));
}

static int inject(const char *operation)
{
	struct customize z = CUSTOMIZE_INIT;
	struct customize_job job = { .tree = &h.tree, .registry = note_edits };
	int rc = customize_add(&z, operation, medium.root, &e);

	if (rc == 0)
		rc = customize_run(&z, &job, &e);
	customize_free(&z);
	return rc;
}

START_TEST(the_driver_of_the_disk_is_known_to_the_registry_as_each_version_has_it)
{
	files((const char *const[]){ "/viostor/w7/amd64/viostor.sys", "/viostor/w8/amd64/viostor.sys",
				     "/viostor/w8/amd64/viostor.pdb", NULL });
	windows("win7", 6, 1, "x86_64");
	ok(inject("inject-virtio-win"));
	ck_assert_str_eq(host_get(&h, "/WINDOWS/system32/DRIVERS/viostor.sys"), "/viostor/w7/amd64/viostor.sys");
	has("CurrentControlSet\\Control\\CriticalDeviceDatabase\\PCI#VEN_1AF4&DEV_1001&REV_00|Service\n");
	has("CurrentControlSet\\Services\\viostor|Start\n");
	ck_assert_ptr_null(strstr(said.s, "DriverDatabase"));
	windows("win8", 6, 2, "x86_64");
	ok(inject("inject-virtio-win"));
	has("SYSTEM\\DriverDatabase\\DeviceIds\\PCI\\VEN_1AF4&DEV_1042&REV_01|drydock-viostor.inf\n");
	ck_assert_ptr_null(strstr(said.s, "CriticalDeviceDatabase"));
	ck_assert(!tree_has(&h.tree, "/WINDOWS/Drivers/VirtIO/viostor.pdb"));
}
END_TEST

START_TEST(of_two_drivers_of_one_device_the_real_one_stays)
{
	files((const char *const[]){ "/fwcfg/w10/amd64/fwcfg.inf", "/qemufwcfg/w10/amd64/qemufwcfg.inf",
				     "/qemufwcfg/w10/amd64/qemufwcfg.cat", NULL });
	windows("win10", 10, 0, "x86_64");
	ok(inject("inject-virtio-win"));
	ck_assert(tree_has(&h.tree, "/WINDOWS/Drivers/VirtIO/fwcfg.inf"));
	ck_assert(!tree_has(&h.tree, "/WINDOWS/Drivers/VirtIO/qemufwcfg.inf"));
	ck_assert(!tree_has(&h.tree, "/WINDOWS/Drivers/VirtIO/qemufwcfg.cat"));
}
END_TEST

START_TEST(what_the_medium_has_not_for_this_guest_is_an_error)
{
	files((const char *const[]){ "/viostor/w7/x86/viostor.sys", "/guest-agent/qemu-ga-i386.msi", NULL });
	windows("win10", 10, 0, "x86_64");
	fails(inject("inject-virtio-win"), ERR_NOT_FOUND);
	fails(inject("inject-qemu-ga"), ERR_NOT_FOUND);
	fails(inject("inject-blnsvr"), ERR_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(e.msg, "has no blnsvr.exe for this Windows on x86_64"));
	h.os.type = "linux";
	fails(inject("inject-virtio-win"), ERR_UNSUPPORTED);
	windows("win7", 6, 1, "i386");
	ok(inject("inject-qemu-ga"));
	ck_assert_ptr_nonnull(strstr(host_get(&h, "/Program Files/drydock/firstboot/0001-qemu-guest-agent.bat"),
				     "qemu-ga-i386.msi"));
}
END_TEST

TEST_MAIN("windows_media", each_windows_gets_the_newest_drivers_that_are_for_it, folders_of_packages_are_read_too,
	  the_driver_of_the_disk_is_known_to_the_registry_as_each_version_has_it, of_two_drivers_of_one_device_the_real_one_stays,
	  what_the_medium_has_not_for_this_guest_is_an_error)
