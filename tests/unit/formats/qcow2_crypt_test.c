/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qcow2_crypt_test.c - encrypted qcow2 images: what is written reads back, here and with the peer. */
#include "alloc.h"
#include "block_driver.h"
#include "json.h"
#include "secret.h"
#include "testing.h"

#include <stdarg.h>
#include <string.h>

static struct err e;
static struct secrets secrets;

/* qemu-img measures its processor time, and gives up where the clock stands still: then once more. */
static bool peer(const char *fmt, ...)
{
	char cmd[1000], again[1300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof cmd, fmt, ap);
	va_end(ap);
	snprintf(again, sizeof again,
		 "for i in $(seq 80); do "
		 "{ %s; } >log 2>&1 && exit 0; grep -q 'accurate CPU' log || exit 1; done; exit 1",
		 cmd);
	return system("qemu-img --version >/dev/null 2>&1") != 0 || system(again) == 0;
}

#define IO "qemu-io --object secret,id=s,data=abc "
#define IMAGE "--image-opts driver=qcow2,encrypt.key-secret=s,file.filename="

static void keys(void)
{
	ok(secrets_add_object(&secrets, "secret,id=s,data=abc", &e));
	ok(secrets_add_object(&secrets, "secret,id=t,data=other", &e));
}

static int try_open(const char *path, const char *secret, unsigned flags, struct block **b)
{
	CLEANUP(dict_free) struct dict opts = DICT_INIT;
	struct block_open how = { .format = "qcow2", .flags = flags, .secrets = &secrets, .opts = &opts };

	if (secret)
		ok(dict_set(&opts, "encrypt.key-secret", secret, &e));
	return block_open(path, &how, b, &e);
}

static struct block *reopen(const char *path)
{
	struct block *b;

	ok(try_open(path, "s", BLOCK_WRITE | BLOCK_RESIZE, &b));
	return b;
}

static int try_make(const char *path, const char *format, const char *key, const char *value)
{
	struct block_create_how how = { .secrets = &secrets };
	CLEANUP(dict_free) struct dict opts = DICT_INIT;

	ok(dict_set(&opts, "size", "4M", &e));
	ok(dict_set(&opts, "encrypt.format", format, &e));
	ok(dict_set(&opts, "encrypt.key-secret", "s", &e));
	if (strcmp(format, "luks") == 0)
		ok(dict_set(&opts, "encrypt.iter-time", "10", &e));
	if (key)
		ok(dict_set(&opts, key, value, &e));
	return block_create_with(path, "qcow2", &opts, &how, &e);
}

static void close_it(struct block **b)
{
	ok(block_finish(*b, &e));
	block_unrefp(b);
}

static void put(struct block *b, int byte, uint64_t off, size_t len)
{
	CLEANUP(free_ptr) uint8_t *buf = malloc(len);

	memset(buf, byte, len);
	ok(block_pwrite(b, buf, len, off, &e));
}

static void expect(struct block *b, int byte, uint64_t off, size_t len)
{
	CLEANUP(free_ptr) uint8_t *buf = malloc(len);

	ok(block_pread(b, buf, len, off, &e));
	for (size_t i = 0; i < len; i++)
		ck_assert_msg(buf[i] == byte, "%zu: %d, not %d", (size_t)off + i, buf[i], byte);
}

static void round_trip(const char *format, const char *key, const char *value)
{
	CLEANUP(block_unrefp) struct block *b = NULL;
	char plain[64];

	memset(plain, 1, sizeof plain);
	unlink("a.qcow2");
	ok(try_make("a.qcow2", format, key, value));
	ck_assert(peer("qemu-img check -q --object secret,id=s,data=abc " IMAGE "a.qcow2"));
	b = reopen("a.qcow2");
	expect(b, 0, 0, 4 << 20);
	put(b, 1, 0, 1 << 20);
	put(b, 2, 1000, 1000); /* parts of sectors */
	put(b, 3, (2 << 20) + 7, 100000);
	expect(b, 1, 0, 1000);
	expect(b, 2, 1000, 1000);
	expect(b, 1, 2000, 100000);
	expect(b, 0, 2 << 20, 7);
	expect(b, 3, (2 << 20) + 7, 100000);
	expect(b, 0, (2 << 20) + 100007, 1000);
	ok(block_snapshot_create(b, &(struct block_snapshot){ .name = (char *)"s" }, &e));
	put(b, 4, 513, 1);
	ok(block_vmstate_pwrite(b, "state", 6, 3, &e));
	close_it(&b);
	ck_assert(peer(IO "-c 'read -P 4 513 1' -c 'read -P 3 2097159 100000' -c 'read -P 1 1M -1' -r " IMAGE
			  "a.qcow2 | grep -q 'verification failed' && exit 1; exit 0"));
	ck_assert(peer(IO "-c 'read -P 1 2000 100000' " IMAGE "a.qcow2 | grep -q 'read 100000'"));
	ck_assert(peer(IO "-c 'write -P 9 3M 64k' " IMAGE "a.qcow2"));
	b = reopen("a.qcow2");
	if (!peer("exit 1"))
		expect(b, 9, 3 << 20, 65536);
	expect(b, 4, 513, 1);
	ok(block_snapshot_apply(b, "s", &e));
	expect(b, 1, 513, 1);
	/* What lies in the file is not what was written. */
	for (uint64_t off = 0; off + sizeof plain < block_size(block_file(b)); off += 4096) {
		char bytes[64];

		ok(block_pread(block_file(b), bytes, sizeof bytes, off, &e));
		ck_assert(memcmp(bytes, plain, sizeof plain) != 0);
	}
	fails(block_pwrite_compressed(b, plain, sizeof plain, 0, &e) == 0 ? 0 : -(int)ERR_UNSUPPORTED, ERR_UNSUPPORTED);
	close_it(&b);
	ck_assert(peer("qemu-img check -q --object secret,id=s,data=abc " IMAGE "a.qcow2"));
}

START_TEST(luks_in_qcow2_is_read_and_written_as_the_peer_does)
{
	keys();
	round_trip("luks", NULL, NULL);
	round_trip("luks", "cluster_size", "512");
	round_trip("luks", "extended_l2", "on");
	round_trip("luks", "preallocation", "metadata");
	round_trip("luks", "encrypt.cipher-mode", "cbc");
	round_trip("luks", "compat", "0.10");
}
END_TEST

START_TEST(the_old_encryption_is_too)
{
	keys();
	round_trip("aes", NULL, NULL);
	round_trip("aes", "cluster_size", "4096");
}
END_TEST

START_TEST(what_the_peer_encrypted_opens_here)
{
	CLEANUP(block_unrefp) struct block *b = NULL;

	keys();
	if (peer("exit 1"))
		return;
	ck_assert(peer("qemu-img create -q -f qcow2 --object secret,id=s,data=abc "
		       "-o encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10 p.qcow2 4M"));
	ck_assert(peer(IO "-c 'write -P 7 100000 300000' " IMAGE "p.qcow2"));
	b = reopen("p.qcow2");
	expect(b, 7, 100000, 300000);
	expect(b, 0, 0, 100000);
}
END_TEST

START_TEST(without_its_key_an_image_opens_for_facts_only)
{
	CLEANUP(block_unrefp) struct block *b = NULL;
	struct block_info info;
	char byte;

	keys();
	ok(try_make("a.qcow2", "luks", NULL, NULL));
	fails(try_open("a.qcow2", NULL, 0, &b), ERR_USAGE);
	fails(try_open("a.qcow2", "t", 0, &b), ERR_USAGE);
	fails(try_open("a.qcow2", "none", 0, &b), ERR_NOT_FOUND);
	ok(try_open("a.qcow2", NULL, BLOCK_FACTS, &b));
	ok(block_info(b, &info, &e));
	ck_assert(info.encrypted);
	block_unrefp(&b);
	ok(try_open("a.qcow2", NULL, BLOCK_CHECK | BLOCK_WRITE, &b));
	ok(block_check(b, 0, &(struct check_report){ .finding = NULL }, &e));
	fails(block_pwrite(b, "x", 1, 0, &e), ERR_USAGE);
	ok(block_pread(b, &byte, 1, 0, &e)); /* nothing is stored there */
}
END_TEST

START_TEST(options_that_make_no_sense_are_refused)
{
	keys();
	fails(try_make("a.qcow2", "rot13", NULL, NULL), ERR_USAGE);
	fails(try_make("a.qcow2", "aes", "encrypt.cipher-alg", "aes-256"), ERR_USAGE);
	fails(try_make("a.qcow2", "luks", "encrypt.nonsense", "1"), ERR_USAGE);
	fails(try_make("a.qcow2", "luks", "encryption", "on"), ERR_USAGE);
}
END_TEST

TEST_MAIN("qcow2 encryption", luks_in_qcow2_is_read_and_written_as_the_peer_does, the_old_encryption_is_too,
	  what_the_peer_encrypted_opens_here, without_its_key_an_image_opens_for_facts_only,
	  options_that_make_no_sense_are_refused)
