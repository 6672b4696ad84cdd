/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * luks_peer_test.c - qemu-img and cryptsetup as judges: what one side writes, the other reads.  Where they are not
 * installed there is nothing to compare with, and the tests end at once.
 */
#include "testing.h"

#include "alloc.h"
#include "block_driver.h"
#include "checked.h"
#include "json.h"
#include "limits.h"
#include "luks.h"
#include "ondisk.h"

#include <stdarg.h>
#include <string.h>

#define KEY  "--object secret,id=s,data=abc "
#define OURS "--image-opts driver=luks,key-secret=s,file.filename=%s "

static struct err e;
static struct secrets secrets;

/* qemu-img measures its processor time, and gives up where the clock stands still: then once more. */
static int peer(const char *fmt, ...)
{
	char cmd[900], again[1200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof cmd, fmt, ap);
	va_end(ap);
	snprintf(again, sizeof again,
		 "for i in $(seq 80); do "
		 "{ %s; } >log 2>&1 && exit 0; grep -q 'accurate CPU' log || exit 1; done; exit 1",
		 cmd);
	return system(again);
}

static bool have(const char *program)
{
	char cmd[200];

	snprintf(cmd, sizeof cmd, "command -v %s >/dev/null", program);
	return system(cmd) == 0;
}

static void show_log(void)
{
	if (system("cat log >&2") != 0)
		fprintf(stderr, "no log\n");
}

#define peer_ok(...)                                                                                                   \
	do {                                                                                                           \
		if (peer(__VA_ARGS__) != 0) {                                                                          \
			show_log();                                                                                    \
			ck_abort_msg(__VA_ARGS__);                                                                     \
		}                                                                                                      \
	} while (0)

static void add_secrets(void)
{
	ok(secrets_add_object(&secrets, "secret,id=s,data=abc", &e));
	ok(secrets_add_object(&secrets, "secret,id=n,data=new", &e));
}

static void open_luks(const char *path, const char *secret, unsigned flags, struct block **out)
{
	struct block_open how = { .format = "luks", .flags = flags, .secrets = &secrets };
	struct dict opts = DICT_INIT;

	ok(dict_set(&opts, "key-secret", secret, &e));
	how.opts = &opts;
	ok(block_open(path, &how, out, &e));
	dict_free(&opts);
}

static void create(const char *path, const char *more)
{
	struct block_create_how how = { .secrets = &secrets };
	struct dict opts = DICT_INIT;
	char text[300];

	snprintf(text, sizeof text, "key-secret=s,iter-time=0,size=1M%s%s", *more ? "," : "", more);
	ok(dict_parse(&opts, text, NULL, &e));
	ok(block_create_with(path, "luks", &opts, &how, &e));
	dict_free(&opts);
}

static bool is_filled(const uint8_t *p, size_t len, int byte)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != byte)
			return false;
	return true;
}

/* aes-192 in cbc or ctr mode is missing: qemu-img 7.2 fails an assertion on its key material. */
static const char *const ciphers[] = {
	"",
	"cipher-alg=aes-128",
	"cipher-alg=aes-192",
	"cipher-mode=cbc",
	"cipher-alg=aes-128,cipher-mode=cbc,ivgen-alg=plain,hash-alg=sha1",
	"cipher-mode=cbc,ivgen-alg=essiv",
	"cipher-mode=cbc,ivgen-alg=essiv,ivgen-hash-alg=md5,hash-alg=sha512",
	"cipher-mode=xts,ivgen-alg=essiv,hash-alg=ripemd160",
	"cipher-mode=ctr,hash-alg=sha224",
	"cipher-alg=aes-128,cipher-mode=ctr,hash-alg=md5",
	"cipher-mode=ecb,hash-alg=sha384",
	"cipher-mode=cbc,ivgen-alg=plain64,ivgen-hash-alg=sha1",
	"cipher-alg=cast5-128,cipher-mode=cbc",
	"cipher-alg=cast5-128,cipher-mode=ctr",
	"cipher-alg=cast5-128,cipher-mode=ecb",
};

START_TEST(qemu_reads_what_we_create_and_write)
{
	struct block *b;
	uint8_t *buf = alloc_bytes(1 << 20);

	if (!have("qemu-io"))
		return;
	add_secrets();
	for (size_t i = 0; i < ARRAY_LEN(ciphers); i++) {
		create("a", ciphers[i]);
		open_luks("a", "s", BLOCK_WRITE, &b);
		memset(buf, 'd', 1 << 20);
		ok(block_pwrite(b, buf, 1 << 20, 0, &e));
		memset(buf, 'e', 1000);
		ok(block_pwrite(b, buf, 1000, 300000, &e));
		ok(block_finish(b, &e));
		block_unref(b);
		peer_ok("qemu-io " KEY OURS
			"-c 'read -P 100 0 300000' -c 'read -P 101 300000 1000' -c 'read -P 100 301000 747576' "
			"&& ! grep -q failed log",
			"a");
		peer_ok("qemu-io " KEY OURS "-c 'write -P 7 65536 4096'", "a");
		open_luks("a", "s", 0, &b);
		ok(block_pread(b, buf, 4096, 65536, &e));
		ck_assert_msg(is_filled(buf, 4096, 7), "%s", ciphers[i]);
		block_unref(b);
	}
	free(buf);
}
END_TEST

static void same_info(const char *path)
{
	struct strbuf text = STRBUF_INIT;
	struct json j = JSON_INIT(&text, true);
	struct block *b;
	FILE *f;

	open_luks(path, "s", BLOCK_FACTS, &b);
	json_object(&j, NULL);
	ck_assert(block_info_specific(b, &j));
	json_object_end(&j);
	block_unref(b);
	f = fopen("ours", "w");
	fprintf(f, "%s\n", text.s);
	fclose(f);
	strbuf_free(&text);
	/* The order of the members too: the data object of theirs is all between its lines, indented less. */
	peer_ok("qemu-img info --output=json %s >all && sed -n '/\"data\": {/,/^        }/p' all | "
		"sed -e '1s/.*/{/' -e 's/^ \\{8\\}//' >theirs && diff ours theirs",
		path);
}

/* Few: where the clock stands still, each creation takes seconds. */
static void read_theirs(const char *options)
{
	uint8_t *buf = alloc_bytes(1 << 20);
	struct block *b;

	if (!have("qemu-io"))
		return;
	add_secrets();
	peer_ok("qemu-img create " KEY "-f luks -o key-secret=s,iter-time=10,size=1M%s a", options);
	peer_ok("qemu-io " KEY OURS "-c 'write -P 5 0 1M' -c 'write -P 6 512k 64k'", "a");
	open_luks("a", "s", 0, &b);
	ck_assert_uint_eq(block_size(b), 1 << 20);
	ok(block_pread(b, buf, 1 << 20, 0, &e));
	ck_assert(is_filled(buf, 512 * 1024, 5) && is_filled(buf + 512 * 1024, 65536, 6));
	block_unref(b);
	same_info("a");
	free(buf);
}

START_TEST(we_read_what_qemu_creates_and_writes)
{
	read_theirs("");
}
END_TEST

START_TEST(we_read_what_qemu_encrypts_with_aes_192)
{
	read_theirs(",cipher-alg=aes-192,hash-alg=sha512");
}
END_TEST

START_TEST(we_read_what_qemu_encrypts_with_essiv)
{
	read_theirs(",cipher-alg=aes-128,cipher-mode=cbc,ivgen-alg=essiv,hash-alg=sha1");
}
END_TEST

START_TEST(we_read_what_qemu_encrypts_with_cast5)
{
	read_theirs(",cipher-alg=cast5-128,cipher-mode=ctr,hash-alg=ripemd160");
}
END_TEST

START_TEST(facts_of_our_images_are_those_that_qemu_tells)
{
	if (!have("qemu-img"))
		return;
	add_secrets();
	create("a", "");
	same_info("a");
	create("a", "cipher-mode=cbc,ivgen-alg=essiv");
	same_info("a");
}
END_TEST

START_TEST(each_side_amends_what_the_other_reads)
{
	struct dict opts = DICT_INIT;
	struct block *b;

	if (!have("qemu-img"))
		return;
	add_secrets();
	create("a", "");
	peer_ok("qemu-img amend " KEY "--object secret,id=n,data=new " OURS "-o state=active,new-secret=n,iter-time=10",
		"a");
	open_luks("a", "n", BLOCK_WRITE, &b);
	ok(dict_parse(&opts, "state=inactive,old-secret=s", NULL, &e));
	ok(block_amend(b, &opts, &secrets, false, &e));
	block_unref(b);
	dict_free(&opts);
	ck_assert_int_ne(peer("qemu-img convert " KEY OURS "-O raw x", "a"), 0);
	peer_ok("qemu-img convert --object secret,id=s,data=new " OURS "-O raw x", "a");
	peer_ok("qemu-img amend --object secret,id=s,data=new --object secret,id=n,data=abc " OURS
		"-o state=active,new-secret=n,keyslot=6,iter-time=10",
		"a");
	peer_ok("qemu-img amend --object secret,id=s,data=abc " OURS "-o state=inactive,keyslot=1", "a");
	open_luks("a", "s", 0, &b);
	block_unref(b);
}
END_TEST

START_TEST(cryptsetup_and_we_open_each_others)
{
	static const char *const theirs[] = {
		"-c aes-xts-plain64 -s 512 -h sha256",
		"-c aes-cbc-essiv:sha256 -s 128 -h sha1",
		"-c aes-cbc-plain64 -s 192 -h sha512",
		"-c aes-cbc-plain -s 256 -h ripemd160",
	};
	struct block *b;

	if (!have("cryptsetup"))
		return;
	add_secrets();
	/* What it can do by itself, without the kernel's dm-crypt: no AES-192 in XTS, no ECB. */
	for (size_t i = 0; i < 6; i++) {
		if (i == 2)
			continue;
		create("a", ciphers[i]);
		peer_ok("cryptsetup luksDump a");
		peer_ok("printf abc | cryptsetup luksOpen --test-passphrase --key-file - a");
		ck_assert_int_ne(peer("printf abd | cryptsetup luksOpen --test-passphrase --key-file - a"), 0);
	}
	create("a", "cipher-alg=aes-192,cipher-mode=cbc");
	peer_ok("printf abc | cryptsetup luksOpen --test-passphrase --key-file - a");
	for (size_t i = 0; i < ARRAY_LEN(theirs); i++) {
		peer_ok("rm -f b; truncate -s 8M b; printf abc | cryptsetup luksFormat -q --type luks1 "
			"--pbkdf-force-iterations 1000 "
			"%s --key-file - b",
			theirs[i]);
		open_luks("b", "s", 0, &b);
		ck_assert_uint_eq(block_size(b) % 512, 0);
		block_unref(b);
		peer_ok("printf abc >old; printf new >new; cryptsetup luksAddKey -q --key-file old "
			"--pbkdf-force-iterations 1000 b new");
		open_luks("b", "n", 0, &b);
		block_unref(b);
	}
}
END_TEST

/* ---- encryption within qcow2 ---- */

struct area {
	struct block *file;
	uint64_t off;
};

static int area_read(void *arg, void *buf, size_t len, uint64_t off, struct err *err)
{
	struct area *a = arg;

	return block_pread(a->file, buf, len, a->off + off, err);
}

static struct block *open_raw(const char *path)
{
	struct block_open how = { .format = "raw" };
	struct block *b;

	ok(block_open(path, &how, &b, &e));
	return b;
}

START_TEST(the_header_within_a_qcow2_image_opens_its_clusters_by_their_place_on_the_host)
{
	struct {
		be32 type, len;
		be64 off, size;
	} ext;
	struct area a = { .off = 0 };
	struct luks_io io = { .read = area_read, .arg = &a, .embedded = true };
	uint64_t at = 0, host;
	uint8_t data[65536];
	struct luks *l;
	be32 len;

	if (!have("qemu-io"))
		return;
	peer_ok("qemu-img create " KEY
		"-f qcow2 -o encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10 q 1M");
	peer_ok("qemu-io " KEY "--image-opts driver=qcow2,encrypt.format=luks,encrypt.key-secret=s,file.filename=q "
		"-c 'write -P 65 128k 64k'");
	a.file = open_raw("q");
	ok(block_pread(a.file, &len, 4, 100, &e));
	for (at = be32_get(len);; at += 8 + round_up(be32_get(ext.len), 8)) {
		ok(block_pread(a.file, &ext, sizeof ext, at, &e));
		ck_assert_uint_ne(be32_get(ext.type), 0);
		if (be32_get(ext.type) == 0x0537be77)
			break;
	}
	a.off = be64_get(ext.off);
	io.size = be64_get(ext.size);
	ok(luks_open(&io, &l, &e));
	ok(luks_unlock(l, "abc", 3, &e));
	host = block_size(a.file) - sizeof data;
	ok(block_pread(a.file, data, sizeof data, host, &e));
	ok(crypt_sectors(l->crypt, false, data, data, sizeof data, host, &e));
	ck_assert(is_filled(data, sizeof data, 65));
	luks_free(l);
	block_unref(a.file);
}
END_TEST

START_TEST(the_old_encryption_of_qcow2_goes_by_the_place_in_the_guest)
{
	static const char *const passwords[] = { "abc", "sixteen letters.", "more than sixteen letters" };
	uint8_t data[65536];

	if (!have("qemu-io"))
		return;
	for (size_t i = 0; i < ARRAY_LEN(passwords); i++) {
		struct crypt *c;
		struct block *b;

		peer_ok("rm -f q; qemu-img create --object 'secret,id=s,data=%s' -f qcow2 -o "
			"encrypt.format=aes,encrypt.key-secret=s q 1M",
			passwords[i]);
		peer_ok("qemu-io --object 'secret,id=s,data=%s' --image-opts "
			"driver=qcow2,encrypt.format=aes,encrypt.key-secret=s,file.filename=q -c 'write -P 65 128k "
			"64k'",
			passwords[i]);
		b = open_raw("q");
		ok(block_pread(b, data, sizeof data, block_size(b) - sizeof data, &e));
		ok(crypt_new_legacy(passwords[i], strlen(passwords[i]), &c, &e));
		ok(crypt_sectors(c, false, data, data, sizeof data, 128 * 1024, &e));
		ck_assert(is_filled(data, sizeof data, 65));
		crypt_free(c);
		block_unref(b);
	}
}
END_TEST

TEST_MAIN("luks_peer", qemu_reads_what_we_create_and_write, we_read_what_qemu_creates_and_writes,
	  we_read_what_qemu_encrypts_with_aes_192, we_read_what_qemu_encrypts_with_essiv,
	  we_read_what_qemu_encrypts_with_cast5, facts_of_our_images_are_those_that_qemu_tells,
	  each_side_amends_what_the_other_reads, cryptsetup_and_we_open_each_others,
	  the_header_within_a_qcow2_image_opens_its_clusters_by_their_place_on_the_host,
	  the_old_encryption_of_qcow2_goes_by_the_place_in_the_guest)
