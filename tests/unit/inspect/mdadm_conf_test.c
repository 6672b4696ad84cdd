/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testing.h"

#include "alloc.h"
#include "guest.h"

#include <string.h>

/* Two arrays under the names of a rescue system, and a partition. */
static char sda1[] = "/dev/sda1", md127[] = "/dev/md127", md126[] = "/dev/md126", root[] = "/dev/md/root",
	    web[] = "/dev/md/web:root", folder0[] = "/dev/md/0", md0[] = "/dev/md0",
	    first[] = "3aaa0122:29827cfa:5331ad66:ca767371",
	    second[] = "00000000:00000000:00000000:00000001";
static char *root_aliases[] = { root, web }, *data_aliases[] = { folder0, md0 };
static struct volume vols[] = {
	{ .name = sda1, .scheme = "mbr" },
	{ .name = md127, .scheme = "md", .uuid = first, .aliases = root_aliases, .naliases = 2 },
	{ .name = md126, .scheme = "md", .uuid = second, .aliases = data_aliases, .naliases = 2 },
};
static struct content items[] = { { .vol = &vols[0] }, { .vol = &vols[1] }, { .vol = &vols[2] } };
static const struct contents contents = { items, 3 };

static const char *find(const char *text, const char *spec)
{
	const struct content *c = mdadm_conf_parse(text, &contents, spec);

	return c ? c->vol->name : "none";
}

START_TEST(arrays_are_found_by_uuid_whatever_they_are_called)
{
	static const char text[] = "# mdadm.conf\nHOMEHOST <system>\nMAILADDR root\n\n"
				   "ARRAY /dev/md/0  metadata=1.2 UUID=3AAA0122:29827cfa:5331ad66:ca767371 name=web:0\n"
				   "ARRAY /dev/md5 level=raid1\n   num-devices=2 # two\n"
				   "\tUUID=00000000.00000000.00000000.00000001\n";

	ck_assert_str_eq(find(text, "/dev/md0"), "/dev/md127");
	ck_assert_str_eq(find(text, "/dev/md/0"), "/dev/md127");
	ck_assert_str_eq(find(text, "/dev/md5"), "/dev/md126");
	ck_assert_str_eq(find(text, "/dev/md1"), "none");
}
END_TEST

START_TEST(arrays_are_found_by_name_where_there_is_no_uuid)
{
	ck_assert_str_eq(find("array home name=web:root", "/dev/md/home"), "/dev/md127");
	ck_assert_str_eq(find("ARRAY /dev/md3 name=\"root\"\n", "/dev/md3"), "/dev/md127");
	ck_assert_str_eq(find("ARRAY /dev/md3 name=root UUID=3:4\n", "/dev/md3"), "none");
}
END_TEST

START_TEST(what_is_no_array_line_names_nothing)
{
	static const char *const texts[] = { "", "\n\n", "#", "ARRAY", "ARRAY /dev/md0", "ARRAY /dev/md0 UUID=",
					     " ARRAY", "ARRAY\n/dev/md0",
					     "DEVICE /dev/md0 UUID=3aaa0122:29827cfa:5331ad66:ca767371",
					     "#ARRAY /dev/md0 UUID=3aaa0122:29827cfa:5331ad66:ca767371" };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		ck_assert_str_eq(find(texts[i], "/dev/md0"), "none");
}
END_TEST

TEST_MAIN("mdadm_conf", arrays_are_found_by_uuid_whatever_they_are_called,
	  arrays_are_found_by_name_where_there_is_no_uuid, what_is_no_array_line_names_nothing)
