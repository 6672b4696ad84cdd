/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testing.h"

#include "block_driver.h"
#include "luks2_image.h"
#include "luks_disk.h"

#include <pthread.h>

static struct err e;

static void write_file(const char *path, const void *bytes, size_t len)
{
	FILE *f = fopen(path, "w");

	ck_assert_uint_eq(fwrite(bytes, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

static struct block *open_raw(const char *path)
{
	const struct block_open how = { .format = "raw" };
	struct block *b;

	ok(block_open(path, &how, &b, &e));
	return b;
}

static int open_disk(const char *header, const char *data, struct luks_disk **out)
{
	CLEANUP(block_unrefp) struct block *h = open_raw(header);
	CLEANUP(block_unrefp) struct block *d = data ? open_raw(data) : NULL;

	err_clear(&e);
	return luks_disk_open(h, d, out, &e);
}

static uint8_t pattern(uint64_t at)
{
	return (uint8_t)(at * 7 + at / 512 + at / 65536);
}

/* Fills part of the data, encrypted as a segment's spec says. */
static void fill(struct img *m, const struct crypt_spec *spec, uint64_t off, size_t len, uint64_t tweak, uint64_t shown)
{
	struct crypt *c;

	for (size_t i = 0; i < len; i++)
		m->p[off + i] = pattern(shown + i);
	if (!spec)
		return;
	ok(crypt_new(spec, m->key, &c, &e));
	ok(crypt_sectors(c, true, m->p + off, m->p + off, len, tweak * 512, &e));
	crypt_free(c);
}

/* Reads all of it in pieces of odd sizes. */
static void expect_pattern(struct block *b, uint64_t size)
{
	static const size_t steps[] = { 1, 511, 512, 513, 4096, 5000, 12288, 65536 };
	uint8_t *buf = alloc_bytes(65536);

	ck_assert_uint_eq(block_size(b), size);
	for (size_t s = 0; s < ARRAY_LEN(steps); s++) {
		for (uint64_t at = 0; at < size; at += steps[s] * (s ? 1 : 97)) {
			size_t n = (size_t)MIN_OF((uint64_t)steps[s], size - at);

			ok(block_pread(b, buf, n, at, &e));
			for (size_t i = 0; i < n; i++)
				if (buf[i] != pattern(at + i))
					ck_abort_msg("step %zu: byte %zu is not what it should be", steps[s],
						     (size_t)at + i);
		}
	}
	free(buf);
}

static void expect_disk(const char *header, const char *data, uint64_t size)
{
	struct luks_disk *d;
	struct block *b;

	ok(open_disk(header, data, &d));
	fails(luks_disk_pread(d, &(char){ 0 }, 1, size - 1, &e), ERR_USAGE);
	fails(luks_disk_unlock(d, "ab", 2, &e), ERR_USAGE);
	ok(luks_disk_unlock(d, "abc", 3, &e));
	ck_assert_uint_eq(luks_disk_size(d), size);
	ok(luks_disk_block(d, &b, &e));
	ck_assert(!block_writable(b));
	expect_pattern(b, size);
	block_unref(b);
}

START_TEST(data_is_shown_with_sectors_of_each_size_and_each_cipher)
{
	static const struct {
		const char *name;
		struct crypt_spec spec;
	} ciphers[] = {
		{ "aes-xts-plain64", { .alg = CRYPT_AES_256, .mode = CRYPT_XTS, .ivgen = CRYPT_PLAIN64 } },
		{ "aes-xts-plain", { .alg = CRYPT_AES_256, .mode = CRYPT_XTS, .ivgen = CRYPT_PLAIN } },
		{ "aes-xts-essiv:sha256",
		  { .alg = CRYPT_AES_256, .mode = CRYPT_XTS, .ivgen = CRYPT_ESSIV, .has_ivgen_hash = true,
		    .ivgen_hash = HASH_SHA256 } },
	};

	for (size_t i = 0; i < ARRAY_LEN(ciphers); i++) {
		for (unsigned sector = 512; sector <= 4096; sector *= 2) {
			struct crypt_spec spec = ciphers[i].spec;
			char text[40], cipher[60];
			struct img m;

			spec.sector = sector;
			ck_assert(img_make(&m));
			snprintf(text, sizeof text, "\"sector_size\":%u", sector);
			snprintf(cipher, sizeof cipher, "\"iv_tweak\":\"5\",\"encryption\":\"%s\"", ciphers[i].name);
			ck_assert(img_replace(&m, "\"sector_size\":4096", text));
			ck_assert(img_replace(&m, "\"iv_tweak\":\"0\",\"encryption\":\"aes-xts-plain64\"", cipher));
			img_headers(&m);
			fill(&m, &spec, IMG_DATA, IMG_BYTES - IMG_DATA, 5, 0);
			write_file("d", m.p, m.len);
			expect_disk("d", NULL, IMG_BYTES - IMG_DATA);
			free(m.p);
		}
	}
}
END_TEST

START_TEST(several_segments_are_shown_one_behind_the_other)
{
	const struct crypt_spec spec = { .alg = CRYPT_AES_256, .mode = CRYPT_XTS, .ivgen = CRYPT_PLAIN64, .sector = 4096 };
	const struct crypt_spec small = { .alg = CRYPT_AES_256, .mode = CRYPT_XTS, .ivgen = CRYPT_PLAIN64 };
	struct luks_disk *d;
	struct img m;

	ck_assert(img_make(&m));
	ck_assert(img_replace(&m, "\"segments\":{\"0\":{\"type\":\"crypt\",\"offset\":\"49152\",\"size\":\"dynamic\"",
			      "\"segments\":{\"2\":{\"type\":\"linear\",\"offset\":\"57344\",\"size\":\"1024\"},"
			      "\"7\":{\"type\":\"crypt\",\"offset\":\"49152\",\"size\":\"1536\",\"iv_tweak\":\"9\","
			      "\"encryption\":\"aes-xts-plain64\",\"sector_size\":512},"
			      "\"9\":{\"type\":\"crypt\",\"flags\":[\"backup-previous\"]},"
			      "\"8\":{\"type\":\"crypt\",\"offset\":\"65536\",\"size\":\"dynamic\""));
	ck_assert(img_replace(&m, "\"segments\":[\"0\"]", "\"segments\":[\"7\",\"8\",\"9\"]"));
	img_headers(&m);
	fill(&m, NULL, 57344, 1024, 0, 0);
	fill(&m, &small, 49152, 1536, 9, 1024);
	fill(&m, &spec, 65536, IMG_BYTES - 65536, 0, 2560);
	write_file("d", m.p, m.len);
	expect_disk("d", NULL, 2560 + IMG_BYTES - 65536);

	/* One that goes on to the end is the last one; and each is within the data. */
	ck_assert(img_replace(&m, "\"size\":\"1536\"", "\"size\":\"dynamic\""));
	img_headers(&m);
	write_file("d", m.p, m.len);
	fails(open_disk("d", NULL, &d), ERR_CORRUPT);
	ck_assert_str_eq(e.msg, "segment 8: it begins behind one that goes on to the end");
	ck_assert(img_replace(&m, "\"49152\",\"size\":\"dynamic\"", "\"49152\",\"size\":\"1048576\""));
	img_headers(&m);
	write_file("d", m.p, m.len);
	fails(open_disk("d", NULL, &d), ERR_CORRUPT);
	ck_assert_ptr_nonnull(strstr(e.msg, "(1048576 bytes at 49152) goes past the end"));
	/* Under two keys, as in a reencryption. */
	ck_assert(img_replace(&m, "\"segments\":[\"7\",\"8\",\"9\"]", "\"segments\":[\"7\"]"));
	img_headers(&m);
	write_file("d", m.p, m.len);
	fails(open_disk("d", NULL, &d), ERR_UNSUPPORTED);
	ck_assert_str_eq(e.msg, "its data lies under several keys");
	free(m.p);
}
END_TEST

START_TEST(the_header_may_be_elsewhere)
{
	const struct crypt_spec spec = { .alg = CRYPT_AES_256, .mode = CRYPT_XTS, .ivgen = CRYPT_PLAIN64, .sector = 4096 };
	struct luks_disk *d;
	struct img m;

	ck_assert(img_make(&m));
	ck_assert(img_replace(&m, "\"offset\":\"49152\"", "\"offset\":\"0\""));
	img_headers(&m);
	fill(&m, &spec, IMG_DATA, IMG_BYTES - IMG_DATA, 0, 0);
	write_file("h", m.p, IMG_DATA);
	/* What is less than a sector at the end is not shown. */
	write_file("d", m.p + IMG_DATA, IMG_BYTES - IMG_DATA - 512);
	expect_disk("h", "d", IMG_BYTES - IMG_DATA - 4096);
	fails(open_disk("d", NULL, &d), ERR_NOT_FOUND);
	ck_assert_str_eq(e.msg, "no LUKS header");
	ck_assert(img_replace(&m, "\"offset\":\"0\"", "\"offset\":\"65537\""));
	img_headers(&m);
	write_file("h", m.p, IMG_DATA);
	fails(open_disk("h", "d", &d), ERR_CORRUPT);
	ck_assert_ptr_nonnull(strstr(e.msg, "begins at 65537, past the end"));
	free(m.p);
}
END_TEST

/* ---- version 1 ---- */

static int mem_write(void *arg, const void *buf, size_t len, uint64_t off, struct err *err)
{
	(void)err;
	memcpy(((struct img *)arg)->p + off, buf, len);
	return 0;
}

static int mem_sync(void *arg, struct err *err)
{
	(void)arg;
	(void)err;
	return 0;
}

static void make_v1(struct img *m, uint64_t *payload)
{
	const struct luks_create how = { .spec = { .alg = CRYPT_AES_256, .mode = CRYPT_XTS, .ivgen = CRYPT_PLAIN64 },
					 .hash = HASH_SHA256, .stripes = 3 };
	struct luks_io io;
	struct luks *l;

	*payload = luks_header_bytes(&how);
	*m = (struct img){ .len = *payload + 65536, .p = alloc_zero(*payload + 65536) };
	io = img_io(m);
	io.write = mem_write;
	io.sync = mem_sync;
	ok(luks_create(&io, &how, "abc", 3, &l, &e));
	memcpy(m->key, l->key.p, IMG_KEY);
	fill(m, &how.spec, *payload, 65536, 0, 0);
	luks_free(l);
}

START_TEST(version_1_is_shown_with_its_header_before_the_data_or_elsewhere)
{
	struct luks_disk *d;
	uint64_t payload;
	struct img m;
	be32 none = { { 0 } };

	make_v1(&m, &payload);
	write_file("d", m.p, m.len);
	expect_disk("d", NULL, 65536);
	ok(open_disk("d", NULL, &d));
	ck_assert_uint_eq(luks_disk_version(d), 1);
	ck_assert_uint_eq(strlen(luks_disk_uuid(d)), 36);
	ck_assert_ptr_null(luks_disk_notice(d));
	ck_assert_uint_eq(luks_disk_work(d), 1000 * 2 + 1000);
	luks_disk_free(d);
	/* A copy of the header is one for the whole of the data ... */
	write_file("h", m.p, payload);
	expect_disk("h", "d", 65536);
	/* ... and a detached one may say that they begin at once. */
	memcpy(m.p + offsetof(struct luks_ondisk, payload_off), &none, sizeof none);
	write_file("h", m.p, payload);
	write_file("d", m.p + payload, 65536);
	expect_disk("h", "d", 65536);
	fails(open_disk("h", NULL, &d), ERR_UNSUPPORTED);
	ck_assert_ptr_nonnull(strstr(e.msg, "detached"));
	free(m.p);
}
END_TEST

START_TEST(another_version_is_told_and_no_uuid_is_none)
{
	struct luks_disk *d;
	uint64_t payload;
	struct img m;

	make_v1(&m, &payload);
	memcpy(m.p + offsetof(struct luks_ondisk, uuid), "11111111-2222-3333-4444-55555555555/\0", 37);
	write_file("d", m.p, m.len);
	ok(open_disk("d", NULL, &d));
	ck_assert_str_eq(luks_disk_uuid(d), "");
	luks_disk_free(d);
	m.p[7] = 3;
	write_file("d", m.p, m.len);
	fails(open_disk("d", NULL, &d), ERR_UNSUPPORTED);
	ck_assert_str_eq(e.msg, "LUKS of version 3");
	m.len = 4;
	write_file("d", m.p, m.len);
	fails(open_disk("d", NULL, &d), ERR_NOT_FOUND);
	free(m.p);
}
END_TEST

static void *read_all(void *arg)
{
	struct block *b = arg;
	uint8_t buf[5000];

	for (unsigned n = 0; n < 50; n++)
		for (uint64_t at = n; at + sizeof buf <= block_size(b); at += sizeof buf)
			if (block_pread(b, buf, sizeof buf, at, NULL) < 0 || buf[0] != pattern(at) ||
			    buf[4999] != pattern(at + 4999))
				return arg;
	return NULL;
}

START_TEST(many_threads_read_at_once)
{
	struct luks_disk *d;
	uint64_t payload;
	pthread_t t[4];
	struct block *b;
	struct img m;

	make_v1(&m, &payload);
	write_file("d", m.p, m.len);
	ok(open_disk("d", NULL, &d));
	ok(luks_disk_unlock(d, "abc", 3, &e));
	ok(luks_disk_block(d, &b, &e));
	for (unsigned i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, read_all, b), 0);
	for (unsigned i = 0; i < 4; i++) {
		void *bad;

		pthread_join(t[i], &bad);
		ck_assert_ptr_null(bad);
	}
	block_unref(b);
	free(m.p);
}
END_TEST

TEST_MAIN("luks_disk", data_is_shown_with_sectors_of_each_size_and_each_cipher,
	  several_segments_are_shown_one_behind_the_other, the_header_may_be_elsewhere,
	  version_1_is_shown_with_its_header_before_the_data_or_elsewhere, another_version_is_told_and_no_uuid_is_none,
	  many_threads_read_at_once)
