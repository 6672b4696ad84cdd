/* SPDX-License-Identifier: GPL-2.0-or-later */
/* windows_test.c - every Windows by what its registry says; older and other ones by their files; drive letters. */
#include "testing.h"

#include "alloc.h"
#include "hive_image.h"
#include "os_windows.h"
#include "registry.h"
#include "tree.h"

#include <string.h>

static struct hive_image img;

/* A value of text, as Windows keeps it. */
static uint32_t text_value(const char *name, const char *text)
{
	uint8_t units[200] = { 0 };
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		units[2 * i] = (uint8_t)text[i];
	return image_value(&img, name, 1, units, (uint32_t)(2 * len + 2));
}

static uint32_t number_value(const char *name, uint32_t n)
{
	uint8_t b[4];

	image_put(b, n, 4);
	return image_value(&img, name, 4, b, 4);
}

/* The only key below another. */
static uint32_t only_key(uint32_t parent, const char *name)
{
	uint32_t key = image_key(&img, name);

	image_subkeys(&img, parent, image_list(&img, "lh", &key, 1), 1);
	return key;
}

static void write_hive(const char *name, uint32_t root)
{
	FILE *f = fopen(name, "wb");

	image_end(&img, root);
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(img.b, sizeof img.b, 1, f), 1);
	ck_assert_int_eq(fclose(f), 0);
}

struct windows {
	const char *product, *version, *build, *type; /* NULL: there is no such value */
	unsigned major;				      /* 0: the same */
	const char *osinfo, *shown, *number, *variant;
};

static const struct windows windows[] = {
	{ "Microsoft Windows NT", "4.0", "1381", NULL, 0, "winnt4.0", "Microsoft Windows NT", "4.0", NULL },
	{ "Microsoft Windows 2000", "5.0", "2195", NULL, 0, "win2k", "Microsoft Windows 2000", "5.0", NULL },
	{ "Microsoft Windows XP", "5.1", "2600", NULL, 0, "winxp", "Microsoft Windows XP", "5.1", NULL },
	{ "Microsoft Windows XP", "5.2", "3790", NULL, 0, "winxp", "Microsoft Windows XP", "5.2", NULL },
	{ "Microsoft Windows Server 2003", "5.2", "3790", NULL, 0, "win2k3", "Microsoft Windows Server 2003", "5.2", NULL },
	{ "Microsoft Windows Server 2003 R2", "5.2", "3790", NULL, 0, "win2k3r2", "Microsoft Windows Server 2003 R2", "5.2",
	  NULL },
	{ "Windows Vista (TM) Business", "6.0", "6002", "Client", 0, "winvista", "Windows Vista (TM) Business", "6.0", "Client" },
	{ "Windows Server (R) 2008 Standard", "6.0", "6002", "Server", 0, "win2k8", "Windows Server (R) 2008 Standard", "6.0",
	  "Server" },
	{ "Windows 7 Professional", "6.1", "7601", "Client", 0, "win7", "Windows 7 Professional", "6.1", "Client" },
	{ "Windows Server 2008 R2 Standard", "6.1", "7601", "Server Core", 0, "win2k8r2", "Windows Server 2008 R2 Standard", "6.1",
	  "Server Core" },
	{ "Windows 8 Pro", "6.2", "9200", "Client", 0, "win8", "Windows 8 Pro", "6.2", "Client" },
	{ "Windows Server 2012 Standard", "6.2", "9200", "Server", 0, "win2k12", "Windows Server 2012 Standard", "6.2", "Server" },
	{ "Windows 8.1 Pro", "6.3", "9600", "Client", 0, "win8.1", "Windows 8.1 Pro", "6.3", "Client" },
	{ "Windows Server 2012 R2 Standard", "6.3", "9600", "Server", 0, "win2k12r2", "Windows Server 2012 R2 Standard", "6.3",
	  "Server" },
	{ "Windows 10 Pro", "6.3", "19045", "Client", 10, "win10", "Windows 10 Pro", "10.0", "Client" },
	{ "Windows 10 Pro", "6.3", "22631", "Client", 10, "win11", "Windows 11 Pro", "10.0", "Client" },
	{ "Windows 10 Enterprise", "6.3", "26100", "Client", 10, "win11", "Windows 11 Enterprise", "10.0", "Client" },
	{ "Windows Server 2016 Standard", "6.3", "14393", "Server", 10, "win2k16", "Windows Server 2016 Standard", "10.0",
	  "Server" },
	{ "Windows Server 2019 Datacenter", "6.3", "17763", "Server", 10, "win2k19", "Windows Server 2019 Datacenter", "10.0",
	  "Server" },
	{ "Windows Server 2022 Standard", "6.3", "20348", "Server Core", 10, "win2k22", "Windows Server 2022 Standard", "10.0",
	  "Server Core" },
	{ "Windows Server 2025 Standard", "6.3", "26100", "Server", 10, "win2k25", "Windows Server 2025 Standard", "10.0",
	  "Server" },
};

static const char *shown(const char *s)
{
	return s ? s : "(none)";
}

#define FOLDERS "mkdir -p Windows/System32/config; touch Windows/System32/cmd.exe; "

START_TEST(a_windows_is_told_by_its_registry)
{
	const struct windows *w = &windows[_i];
	uint32_t root, key, values[5];
	size_t n = 0;
	char version[40];
	struct vfs *v;
	struct os os;

	image_begin(&img);
	root = image_key(&img, "ROOT");
	key = only_key(only_key(only_key(root, "Microsoft"), "Windows NT"), "CurrentVersion");
	values[n++] = text_value("ProductName", w->product);
	values[n++] = text_value("CurrentVersion", w->version);
	values[n++] = text_value("CurrentBuild", w->build);
	if (w->type)
		values[n++] = text_value("InstallationType", w->type);
	if (w->major)
		values[n++] = number_value("CurrentMajorVersionNumber", w->major);
	image_values(&img, key, values, n);
	write_hive("SOFTWARE", root);
	v = tree(FOLDERS "cp ../SOFTWARE Windows/System32/config");
	ok(os_inspect(v, &os, &e));
	snprintf(version, sizeof version, "%u.%u", os.major, os.minor);
	ck_assert_str_eq(os.type, "windows");
	ck_assert_str_eq(os.distro, "windows");
	ck_assert_str_eq(shown(os.osinfo), w->osinfo);
	ck_assert_str_eq(shown(os.product_name), w->shown);
	ck_assert_str_eq(shown(os.product_variant), shown(w->variant));
	ck_assert_str_eq(shown(os.build_id), w->build);
	ck_assert_str_eq(version, w->number);
	ck_assert_str_eq(os.windows->software_hive, "/Windows/System32/config/SOFTWARE");
	ck_assert_uint_eq(os.nwarnings, 0);
	os_free(&os);
	vfs_free(v);
}
END_TEST

START_TEST(a_windows_without_hives_is_one_all_the_same)
{
	struct vfs *v = tree(FOLDERS);
	struct os os;

	ok(os_inspect(v, &os, &e));
	ck_assert_str_eq(os.type, "windows");
	ck_assert_ptr_null(os.product_name);
	ck_assert_ptr_null(os.osinfo);
	ck_assert_uint_eq(os.nwarnings, 0);
	os_free(&os);
	vfs_free(v);
}
END_TEST

START_TEST(hives_that_are_nonsense_are_a_warning_each)
{
	struct vfs *v = tree(FOLDERS "echo nonsense >Windows/System32/config/SOFTWARE\n"
			     "truncate -s 1M Windows/System32/config/SYSTEM; ln -s SAM Windows/System32/config/SAM");
	struct os os;

	ok(os_inspect(v, &os, &e));
	ck_assert_uint_eq(os.nwarnings, 2);
	ck_assert_str_eq(os.warnings[0], "/Windows/System32/config/SOFTWARE: 9 bytes are too few for a registry hive");
	ck_assert_str_eq(os.warnings[1], "/Windows/System32/config/SYSTEM: it is not a registry hive");
	os_free(&os);
	vfs_free(v);
}
END_TEST

/* Whichever allocation fails, that is the answer, or nothing depended on it. */
START_TEST(memory_that_runs_out_is_an_error)
{
	uint32_t root, key, value;
	unsigned long n = 1;
	struct vfs *v;
	struct os os;

	image_begin(&img);
	root = image_key(&img, "ROOT");
	key = only_key(root, "Select");
	value = number_value("Current", 1);
	image_values(&img, key, &value, 1);
	key = only_key(key, "Sub");
	write_hive("SYSTEM", root);
	v = tree(FOLDERS "cp ../SYSTEM Windows/System32/config; cp ../SYSTEM Windows/System32/config/SOFTWARE");
	for (;; n += n < 300 ? 1 : 11) {
		int rc;

		alloc_fault_at(n);
		rc = os_inspect(v, &os, &e);
		if (!alloc_fault_hit()) {
			alloc_fault_at(0);
			ok(rc);
			ck_assert_str_eq(os.windows->control_set, "ControlSet001");
			os_free(&os);
			break;
		}
		alloc_fault_at(0);
		ck_assert(rc == 0 || rc == -ERR_NOMEM);
		if (rc == 0)
			os_free(&os);
	}
	ck_assert_uint_gt(n, 50);
	vfs_free(v);
}
END_TEST

START_TEST(windows_9x_is_told_by_its_msdos_sys)
{
	static const struct {
		const char *version, *product, *osinfo, *build;
	} rows[] = {
		{ "4.00.0950", "Microsoft Windows 95", "win95", "950" },
		{ "4.10.1998", "Microsoft Windows 98", "win98", "1998" },
		{ "4.10.2222", "Microsoft Windows 98 Second Edition", "win98", "2222" },
		{ "4.90.3000", "Microsoft Windows ME", "winme", "3000" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char script[400];
		struct vfs *v;
		struct os os;

		snprintf(script, sizeof script,
			 "mkdir -p WINDOWS/SYSTEM; touch WINDOWS/SYSTEM.DAT WINDOWS/WIN.COM\n"
			 "printf '[Paths]\\r\\nWinDir=C:\\\\WINDOWS\\r\\n[Options]\\r\\nWinVer=%s\\r\\n' >MSDOS.SYS",
			 rows[i].version);
		v = tree(script);
		ok(os_inspect(v, &os, &e));
		ck_assert_str_eq(shown(os.type), "windows");
		ck_assert_str_eq(shown(os.product_name), rows[i].product);
		ck_assert_str_eq(shown(os.osinfo), rows[i].osinfo);
		ck_assert_str_eq(shown(os.build_id), rows[i].build);
		ck_assert_ptr_null(os.windows);
		os_free(&os);
		vfs_free(v);
	}
}
END_TEST

START_TEST(reactos_is_told_apart)
{
	struct vfs *v = tree("mkdir -p ReactOS/system32/config; touch ReactOS/system32/cmd.exe");
	struct os os;

	ok(os_inspect(v, &os, &e));
	ck_assert_str_eq(os.type, "windows");
	ck_assert_str_eq(os.distro, "reactos");
	ck_assert_str_eq(os.windows->systemroot, "/ReactOS");
	os_free(&os);
	vfs_free(v);
}
END_TEST

START_TEST(a_letter_is_a_partition_by_signature_or_guid)
{
	static char mbr[] = "mbr", gpt[] = "gpt";
	struct volume vols[3] = {
		{ .scheme = mbr, .mbr_id = 0x12345678, .off = 1048576 },
		{ .scheme = mbr, .mbr_id = 0x12345678, .off = 2097152 },
		{ .scheme = gpt, .part_uuid = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 } },
	};
	struct content items[3] = { { .vol = &vols[0] }, { .vol = &vols[1] }, { .vol = &vols[2] } };
	const struct contents c = { items, 3 };
	struct os_drive d = { .letter = 'C', .mbr_id = 0x12345678, .off = 2097152 };

	ck_assert_ptr_eq(os_drive_volume(&d, &c), &items[1]);
	d.off = 512;
	ck_assert_ptr_null(os_drive_volume(&d, &c));
	d = (struct os_drive){ .letter = 'D', .gpt = true, .guid = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 } };
	ck_assert_ptr_eq(os_drive_volume(&d, &c), &items[2]);
	d.guid[15]++;
	ck_assert_ptr_null(os_drive_volume(&d, &c));
}
END_TEST

START_TEST(paths_of_windows_are_found_in_the_tree)
{
	static const char *const rows[][2] = {
		{ "%SystemRoot%\\system32\\config\\systemprofile", "/Windows/system32/config/systemprofile" },
		{ "C:\\Users\\Ann", "/Users/Ann" },
		{ "%systemdrive%\\Documents and Settings\\Ann", "/Documents and Settings/Ann" },
		{ "\\x", "/x" },
		{ "x", "/x" },
	};
	struct vfs *v = tree(FOLDERS);
	struct registry *r = NULL;

	ok(registry_new(v, "/Windows", &r, &e));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *file = registry_file(r, rows[i][0]);

		ck_assert_str_eq(file, rows[i][1]);
		free(file);
	}
	registry_free(r);
	vfs_free(v);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("windows");
	TCase *t = tcase_create("windows");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, enter_scratch, leave_scratch);
	tcase_add_loop_test(t, a_windows_is_told_by_its_registry, 0, ARRAY_LEN(windows));
	tcase_add_test(t, a_windows_without_hives_is_one_all_the_same);
	tcase_add_test(t, hives_that_are_nonsense_are_a_warning_each);
	tcase_add_test(t, memory_that_runs_out_is_an_error);
	tcase_add_test(t, windows_9x_is_told_by_its_msdos_sys);
	tcase_add_test(t, reactos_is_told_apart);
	tcase_add_test(t, a_letter_is_a_partition_by_signature_or_guid);
	tcase_add_test(t, paths_of_windows_are_found_in_the_tree);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
