/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testing.h"

#include "luks2_image.h"
#include "limits.h"
#include "volume.h"

static struct err e;

/* What the tests give as keys: for a volume's name or UUID, or "*". */
static const struct given {
	const char *volume, *pass;
} *given;
static struct block *header;

static int find_key(void *arg, const struct volume *v, const char *uuid, unsigned nth, struct locked *key, struct err *err)
{
	ck_assert_ptr_null(arg);
	for (const struct given *g = given; g && g->volume; g++) {
		if (strcmp(g->volume, "*") != 0 && strcmp(g->volume, uuid) != 0 && !volume_is_called(v, g->volume))
			continue;
		if (nth-- == 0)
			return locked_copy(key, g->pass, strlen(g->pass)) ? 1 : err_nomem(err);
	}
	return 0;
}

static struct block *find_header(void *arg, const struct volume *v)
{
	(void)arg;
	return volume_is_called(v, "sda") ? header : NULL;
}

static bool is_named(void *arg, const struct volume *v)
{
	(void)arg;
	for (const struct given *g = given; g && g->volume; g++)
		if (volume_is_called(v, g->volume))
			return true;
	return false;
}

static const struct volume_how how = { .key = find_key, .header = find_header, .is_named = is_named };

static void write_file(const char *path, const void *bytes, size_t len)
{
	FILE *f = fopen(path, "w");

	ck_assert_uint_eq(fwrite(bytes, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

static struct block *open_raw(const char *path)
{
	const struct block_open raw = { .format = "raw" };
	struct block *b;

	ok(block_open(path, &raw, &b, &e));
	return b;
}

static void scan(const char *const *disks, const struct given *keys, struct volume_list *l)
{
	given = keys;
	*l = (struct volume_list){ .items = NULL };
	for (unsigned i = 0; disks[i]; i++) {
		struct block *b = open_raw(disks[i]);

		ok(volume_scan(b, i, l, &e));
		block_unref(b);
	}
	ok(volume_assemble(l, &how, &e));
}

static const char *const one[] = { "d", NULL };
#define UUID "11111111-2222-3333-4444-555555555555"

/* An image whose data begins with these bytes. */
static void make(struct img *m, const void *content, size_t len)
{
	const struct crypt_spec spec = { .alg = CRYPT_AES_256, .mode = CRYPT_XTS, .ivgen = CRYPT_PLAIN64, .sector = 4096 };
	struct crypt *c;

	ck_assert(img_make(m));
	img_headers(m);
	memcpy(m->p + IMG_DATA, content, len);
	ok(crypt_new(&spec, m->key, &c, &e));
	ok(crypt_sectors(c, true, m->p + IMG_DATA, m->p + IMG_DATA, IMG_BYTES - IMG_DATA, 0, &e));
	crypt_free(c);
}

START_TEST(a_key_opens_a_volume_that_has_its_names_and_uuid)
{
	static const struct given keys[] = { { "*", "wrong" }, { UUID, "def" }, { NULL, NULL } };
	struct volume_list l;
	struct img m;
	char text[6];

	make(&m, "words", 6);
	write_file("d", m.p, m.len);
	scan(one, keys, &l);
	ck_assert_uint_eq(l.n, 2);
	ck_assert(l.items[0].in_use && !l.items[0].locked);
	ck_assert_str_eq(l.items[1].name, "/dev/mapper/luks-" UUID);
	ck_assert(volume_is_called(&l.items[1], "/dev/mapper/cryptsda"));
	ck_assert_str_eq(l.items[1].uuid, UUID);
	ck_assert_str_eq(l.items[1].scheme, "luks");
	ck_assert_uint_eq(l.items[1].size, IMG_BYTES - IMG_DATA);
	ck_assert_uint_eq(l.items[1].parts[0], 0);
	ck_assert_ptr_null(l.warning);
	ok(block_pread(l.items[1].block, text, 6, 0, &e));
	ck_assert_str_eq(text, "words");
	volume_list_free(&l);
	free(m.p);
}
END_TEST

START_TEST(a_volume_without_its_key_stays_locked_and_is_told_once)
{
	static const struct given other[] = { { "sdb", "abc" }, { NULL, NULL } };
	static const struct given wrong[] = { { "sda", "ab" }, { "*", "abcd" }, { NULL, NULL } };
	struct volume_list l;
	struct block *b;
	struct img m;

	make(&m, "", 0);
	write_file("d", m.p, m.len);
	scan(one, other, &l);
	ck_assert_uint_eq(l.n, 1);
	ck_assert(l.items[0].locked && !l.items[0].wrong_key && !l.items[0].in_use);
	ck_assert_str_eq(l.warning, "/dev/sda is encrypted; --key gives its passphrase");
	volume_list_free(&l);
	scan(one, wrong, &l);
	ck_assert(l.items[0].locked && l.items[0].wrong_key);
	ck_assert_str_eq(l.warning, "/dev/sda is encrypted, and no key that was given opens it");
	volume_list_free(&l);
	b = open_raw("d");
	ok(volume_scan(b, 0, &l, &e));
	block_unref(b);
	ok(volume_assemble(&l, NULL, &e));
	ck_assert_str_eq(l.warning, "/dev/sda is encrypted; --key gives its passphrase");
	volume_list_free(&l);
	free(m.p);
}
END_TEST

START_TEST(a_header_in_another_file_opens_what_has_none)
{
	static const struct given keys[] = { { "sda", "abc" }, { NULL, NULL } };
	struct volume_list l;
	struct img m;

	make(&m, "words", 6);
	ck_assert(img_replace(&m, "\"offset\":\"49152\"", "\"offset\":\"0\""));
	img_headers(&m);
	write_file("h", m.p, IMG_DATA);
	write_file("d", m.p + IMG_DATA, IMG_BYTES - IMG_DATA);
	header = open_raw("h");
	scan(one, keys, &l);
	ck_assert_uint_eq(l.n, 2);
	ck_assert_uint_eq(l.items[1].size, IMG_BYTES - IMG_DATA);
	volume_list_free(&l);
	block_unref(header);
	header = open_raw("d");
	scan(one, keys, &l);
	ck_assert_uint_eq(l.n, 1);
	ck_assert_str_eq(l.warning, "/dev/sda is encrypted, and the file given as its header is none: no LUKS header");
	volume_list_free(&l);
	block_unrefp(&header);
	/* Without the header there is nothing that a key opens. */
	scan(one, keys, &l);
	ck_assert_ptr_nonnull(strstr(l.warning, "a key was given for /dev/sda, which is no LUKS volume"));
	volume_list_free(&l);
	free(m.p);
}
END_TEST

START_TEST(a_partition_table_inside_is_found)
{
	static const struct given keys[] = { { "*", "abc" }, { NULL, NULL } };
	uint8_t mbr[512] = { [446 + 4] = 0x83, [446 + 8] = 8, [446 + 12] = 64, [510] = 0x55, [511] = 0xaa };
	struct volume_list l;
	struct img m;

	make(&m, mbr, sizeof mbr);
	write_file("d", m.p, m.len);
	scan(one, keys, &l);
	ck_assert_uint_eq(l.n, 3);
	ck_assert_str_eq(l.items[2].name, "/dev/mapper/luks-" UUID "p1");
	ck_assert(l.items[1].in_use);
	volume_list_free(&l);
	free(m.p);
}
END_TEST

START_TEST(a_copy_of_a_disk_has_another_name)
{
	static const char *const two[] = { "d", "d", NULL };
	static const struct given keys[] = { { "*", "abc" }, { NULL, NULL } };
	struct volume_list l;
	struct img m;

	make(&m, "", 0);
	write_file("d", m.p, m.len);
	scan(two, keys, &l);
	ck_assert_uint_eq(l.n, 4);
	ck_assert_str_eq(l.items[2].name, "/dev/mapper/luks-" UUID);
	ck_assert_str_eq(l.items[3].name, "/dev/mapper/cryptsdb");
	volume_list_free(&l);
	free(m.p);
}
END_TEST

START_TEST(what_cannot_be_opened_is_told_and_leaves_the_rest)
{
	static const char *const two[] = { "d", "good", NULL };
	static const struct given keys[] = { { "*", "abc" }, { NULL, NULL } };
	struct volume_list l;
	struct img m;

	make(&m, "", 0);
	write_file("good", m.p, m.len);
	ck_assert(img_replace(&m, "\"json_size\"", "\"requirements\":{\"mandatory\":[\"online-reencrypt-v2\"]},\"json_size\""));
	img_headers(&m);
	write_file("d", m.p, m.len);
	scan(two, keys, &l);
	ck_assert_uint_eq(l.n, 3);
	ck_assert(l.items[0].locked && !l.items[0].wrong_key);
	ck_assert_str_eq(l.warning, "/dev/sda is encrypted, and cannot be opened: a reencryption is under way (cryptsetup "
				    "reencrypt --resume-only finishes it)");
	volume_list_free(&l);
	free(m.p);
}
END_TEST

START_TEST(a_damaged_header_is_told_and_the_other_used)
{
	static const struct given keys[] = { { "*", "abc" }, { NULL, NULL } };
	struct volume_list l;
	struct img m;

	make(&m, "", 0);
	m.p[200] ^= 1;
	write_file("d", m.p, m.len);
	scan(one, keys, &l);
	ck_assert_uint_eq(l.n, 2);
	ck_assert_str_eq(l.warning, "/dev/sda: the first LUKS header is not usable: its checksum does not match");
	volume_list_free(&l);
	free(m.p);
}
END_TEST

/* Its superblock is told by its magic; with a mirror's other half the array would take both. */
START_TEST(a_member_of_a_mirror_waits_for_its_array)
{
	static const struct given keys[] = { { "*", "abc" }, { NULL, NULL } };
	static const uint8_t magic[] = { 0xfc, 0x4e, 0x2b, 0xa9 };
	struct volume_list l;
	struct img m;

	make(&m, "", 0);
	m.p = realloc(m.p, 256 * 1024);
	memset(m.p + m.len, 0, 256 * 1024 - m.len);
	memcpy(m.p + 256 * 1024 - 8192, magic, 4);
	write_file("d", m.p, 256 * 1024);
	scan(one, keys, &l);
	ck_assert_uint_eq(l.n, 2); /* no array took it */
	volume_list_free(&l);
	free(m.p);
}
END_TEST

START_TEST(all_keys_on_all_volumes_have_a_limit)
{
	static const char *const four[] = { "d", "d", "d", "d", "d", "d", NULL };
	static const struct given keys[] = { { "*", "x" }, { "*", "y" }, { NULL, NULL } };
	struct volume_list l = { .key_work = LIMIT_LUKS_GUEST_WORK - 500 };
	struct img m;

	make(&m, "", 0);
	write_file("d", m.p, m.len);
	given = keys;
	for (unsigned i = 0; four[i]; i++) {
		struct block *b = open_raw(four[i]);

		ok(volume_scan(b, i, &l, &e));
		block_unref(b);
	}
	ok(volume_assemble(&l, &how, &e));
	ck_assert_ptr_nonnull(strstr(l.warning, "is encrypted, and could not be opened: all that was tried on the volumes of "
						"this guest is more than any passphrase is worth"));
	ck_assert_uint_le(l.key_work, LIMIT_LUKS_GUEST_WORK);
	volume_list_free(&l);
	free(m.p);
}
END_TEST

START_TEST(bitlocker_and_a_boot_loader_of_veracrypt_are_told)
{
	static const char *const three[] = { "b", "g", "v", NULL };
	static const uint8_t to_go[16] = { 0x3b, 0xd6, 0x67, 0x49, 0x29, 0x2e, 0xd8, 0x4a,
					   0x83, 0x99, 0xf6, 0xa3, 0x39, 0xe3, 0xd0, 0x01 };
	uint8_t sector[2048] = { 0 };
	struct volume_list l;

	memcpy(sector, "\xeb\x58\x90-FVE-FS-", 11);
	write_file("b", sector, sizeof sector);
	memcpy(sector, "\xeb\x58\x90MSWIN4.1", 11);
	memcpy(sector + 424, to_go, 16);
	write_file("g", sector, sizeof sector);
	memset(sector, 0, sizeof sector);
	memcpy(sector + 6, " VeraCrypt Boot Loader\r\n", 24);
	write_file("v", sector, sizeof sector);
	scan(three, NULL, &l);
	ck_assert_uint_eq(l.n, 3);
	ck_assert(l.items[0].locked && l.items[1].locked && !l.items[2].locked);
	ck_assert_str_eq(l.warning, "/dev/sdc: the system on it is encrypted with VeraCrypt, which is not opened here; "
				    "/dev/sda is encrypted with BitLocker, which is not opened here; "
				    "/dev/sdb is encrypted with BitLocker, which is not opened here");
	volume_list_free(&l);
}
END_TEST

TEST_MAIN("volumes/luks", a_key_opens_a_volume_that_has_its_names_and_uuid,
	  a_volume_without_its_key_stays_locked_and_is_told_once, a_header_in_another_file_opens_what_has_none,
	  a_partition_table_inside_is_found, a_copy_of_a_disk_has_another_name,
	  what_cannot_be_opened_is_told_and_leaves_the_rest, a_damaged_header_is_told_and_the_other_used,
	  a_member_of_a_mirror_waits_for_its_array, all_keys_on_all_volumes_have_a_limit,
	  bitlocker_and_a_boot_loader_of_veracrypt_are_told)
