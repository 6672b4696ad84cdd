/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testing.h"

#include "alloc.h"
#include "block_driver.h"
#include "convert.h"
#include "json.h"
#include "limits.h"
#include "luks_ondisk.h"

#include <pthread.h>
#include <stddef.h>
#include <string.h>

static struct err e;
static struct secrets secrets;

/* ---- a header in memory, with a log of what was written ---- */

struct event {
	uint64_t off;
	size_t len; /* 0: a sync */
	uint8_t *bytes;
};
struct mem {
	uint8_t *p;
	size_t len;
	struct event log[64];
	unsigned nlog;
	unsigned fail_at; /* the nth write fails; 0: none */
	unsigned nwrites;
};

static int mem_read(void *arg, void *buf, size_t len, uint64_t off, struct err *err)
{
	struct mem *m = arg;

	if (off > m->len || len > m->len - off)
		return err_set(err, ERR_SYSTEM, "read past the end");
	memcpy(buf, m->p + off, len);
	return 0;
}

static int mem_write(void *arg, const void *buf, size_t len, uint64_t off, struct err *err)
{
	struct mem *m = arg;

	ck_assert(off <= m->len && len <= m->len - off);
	if (++m->nwrites == m->fail_at)
		return err_set(err, ERR_SYSTEM, "the disk is gone");
	ck_assert_uint_lt(m->nlog, ARRAY_LEN(m->log));
	m->log[m->nlog++] = (struct event){ off, len, memcpy(malloc(len), buf, len) };
	memcpy(m->p + off, buf, len);
	return 0;
}

static int mem_sync(void *arg, struct err *err)
{
	struct mem *m = arg;

	(void)err;
	ck_assert_uint_lt(m->nlog, ARRAY_LEN(m->log));
	m->log[m->nlog++] = (struct event){ 0, 0, NULL };
	return 0;
}

static struct luks_io mem_io(struct mem *m)
{
	return (struct luks_io){ .read = mem_read, .write = mem_write, .sync = mem_sync, .arg = m, .size = m->len };
}

static void mem_forget(struct mem *m)
{
	for (unsigned i = 0; i < m->nlog; i++)
		free(m->log[i].bytes);
	m->nlog = m->nwrites = 0;
}

static void mem_free(struct mem *m)
{
	mem_forget(m);
	free(m->p);
}

/* Few stripes and the fewest iterations: as quick as the format allows. */
static const struct luks_create quick = { .spec = { .alg = CRYPT_AES_256, .mode = CRYPT_XTS, .ivgen = CRYPT_PLAIN64 },
					  .hash = HASH_SHA256,
					  .iter_ms = 0,
					  .stripes = 3 };

static void make(struct mem *m, const char *pass, struct luks **out)
{
	struct luks_io io;

	*m = (struct mem){ .len = luks_header_bytes(&quick) };
	m->p = alloc_zero(m->len);
	io = mem_io(m);
	ok(luks_create(&io, &quick, pass, strlen(pass), out, &e));
	mem_forget(m);
}

static int open_mem(struct mem *m, struct luks **out)
{
	struct luks_io io = mem_io(m);

	err_clear(&e);
	return luks_open(&io, out, &e);
}

static bool opens(struct mem *m, const char *pass)
{
	struct luks *l;
	int rc;

	ok(open_mem(m, &l));
	err_clear(&e);
	rc = luks_unlock(l, pass, strlen(pass), &e);
	luks_free(l);
	ck_assert_msg(rc == 0 || rc == -(int)ERR_USAGE, "%s", e.msg);
	return rc == 0;
}

/* ---- the header ---- */

START_TEST(what_was_created_opens_with_its_passphrase_and_no_other)
{
	struct luks *l, *again;
	struct mem m;

	make(&m, "abc", &l);
	ok(open_mem(&m, &again));
	ck_assert_uint_eq(again->facts.payload_off, m.len);
	ck_assert_uint_eq(again->facts.key_bytes, 64);
	ck_assert_uint_eq(again->facts.slots[0].iterations, 1000);
	ck_assert(again->facts.slots[0].active && !again->facts.slots[1].active);
	ck_assert_ptr_null(again->crypt);
	fails(luks_unlock(again, "abd", 3, &e), ERR_USAGE);
	ck_assert_str_eq(e.msg, "invalid password, cannot unlock any keyslot");
	ck_assert_ptr_null(again->crypt);
	ok(luks_unlock(again, "abc", 3, &e));
	ck_assert_mem_eq(again->key.p, l->key.p, 64);
	ck_assert_ptr_nonnull(again->crypt);
	luks_free(again);
	luks_free(l);
	mem_free(&m);
}
END_TEST

#define AT(field)      offsetof(struct luks_ondisk, field)
#define SLOT(n, field) (AT(slots) + (n) * sizeof(struct luks_ondisk_slot) + offsetof(struct luks_ondisk_slot, field))

START_TEST(a_field_that_makes_no_sense_is_refused)
{
	static const struct {
		size_t at, len;
		const char *bytes;
		enum err_code code;
	} bad[] = {
		{ AT(magic), 1, "M", ERR_CORRUPT },
		{ AT(version), 2, "\0\2", ERR_UNSUPPORTED },
		{ AT(version), 2, "\0\0", ERR_CORRUPT },
		{ AT(cipher), 7, "serpent", ERR_UNSUPPORTED },
		{ AT(cipher), 32, "aes-aes-aes-aes-aes-aes-aes-aes-", ERR_CORRUPT },
		{ AT(mode), 3, "lrw", ERR_UNSUPPORTED },
		{ AT(mode), 32, "xts-plain64:sha256:sha256:sha256", ERR_CORRUPT },
		{ AT(mode), 4, "xts", ERR_UNSUPPORTED },
		{ AT(hash), 4, "zha2", ERR_UNSUPPORTED },
		{ AT(hash), 32, "sha256sha256sha256sha256sha256sh", ERR_CORRUPT },
		{ AT(payload_off), 4, "\xff\xff\xff\xff", ERR_CORRUPT },
		{ AT(payload_off), 4, "\0\0\0\0", ERR_UNSUPPORTED },
		{ AT(payload_off), 4, "\0\0\0\x12", ERR_CORRUPT },
		{ AT(key_bytes), 4, "\0\0\0\x41", ERR_CORRUPT },
		{ AT(key_bytes), 4, "\xff\xff\xff\xff", ERR_CORRUPT },
		{ AT(digest_iterations), 4, "\0\0\0\0", ERR_CORRUPT },
		{ AT(uuid), 40, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", ERR_CORRUPT },
		{ SLOT(0, active), 4, "\0\0\0\1", ERR_CORRUPT },
		{ SLOT(0, iterations), 4, "\0\0\0\0", ERR_CORRUPT },
		{ SLOT(3, off), 4, "\0\0\0\0", ERR_CORRUPT },
		{ SLOT(3, off), 4, "\0\0\0\1", ERR_CORRUPT },
		{ SLOT(3, off), 4, "\xff\xff\xff\xff", ERR_CORRUPT },
		{ SLOT(3, off), 4, "\0\0\0\x8", ERR_CORRUPT }, /* that of slot 0 */
		{ SLOT(3, stripes), 4, "\0\0\0\0", ERR_CORRUPT },
		{ SLOT(3, stripes), 4, "\0\1\0\0", ERR_CORRUPT },
		{ SLOT(3, stripes), 4, "\0\1\0\1", ERR_LIMIT },
		{ SLOT(7, stripes), 4, "\0\0\x01\0", ERR_CORRUPT },
	};
	struct luks *l, *again;
	struct mem m;
	uint8_t good[sizeof(struct luks_ondisk)];

	make(&m, "abc", &l);
	memcpy(good, m.p, sizeof good);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int rc;

		memcpy(m.p + bad[i].at, bad[i].bytes, bad[i].len);
		rc = open_mem(&m, &again);
		ck_assert_msg(rc == -(int)bad[i].code, "row %zu: %d (%s)", i, rc, e.msg);
		memcpy(m.p, good, sizeof good);
	}
	m.len = 591;
	fails(open_mem(&m, &again), ERR_CORRUPT);
	m.len = 592;
	fails(open_mem(&m, &again), ERR_CORRUPT);
	luks_free(l);
	mem_free(&m);
}
END_TEST

START_TEST(iterations_beyond_reason_are_not_computed)
{
	struct luks *l, *again;
	struct mem m;

	make(&m, "abc", &l);
	memcpy(m.p + SLOT(0, iterations), "\xff\xff\xff\xff", 4);
	ok(open_mem(&m, &again));
	fails(luks_unlock(again, "abc", 3, &e), ERR_LIMIT);
	ck_assert_str_eq(e.msg, "key slot 0 asks for 4294967295 iterations");
	luks_free(again);
	luks_free(l);
	mem_free(&m);
}
END_TEST

START_TEST(an_embedded_header_ends_with_its_area_and_its_payload_is_elsewhere)
{
	struct luks *l, *again;
	struct luks_io io;
	struct mem m;

	make(&m, "abc", &l);
	memcpy(m.p + AT(payload_off), "\xff\xff\xff\xff", 4);
	io = mem_io(&m);
	io.embedded = true;
	ok(luks_open(&io, &again, &e));
	ok(luks_unlock(again, "abc", 3, &e));
	luks_free(again);
	io.size = 8 * 4096;
	fails(luks_open(&io, &again, &e), ERR_CORRUPT);
	luks_free(l);
	mem_free(&m);
}
END_TEST

/* ---- amend ---- */

static int amend(struct luks *l, const char *text, bool force)
{
	struct dict opts = DICT_INIT;
	int rc;

	err_clear(&e);
	ok(dict_parse(&opts, text, NULL, &e));
	rc = luks_amend(l, &opts, &secrets, force, &e);
	dict_free(&opts);
	return rc;
}

static void add_secrets(void)
{
	ok(secrets_add_object(&secrets, "secret,id=s,data=abc", &e));
	ok(secrets_add_object(&secrets, "secret,id=n,data=new", &e));
}

START_TEST(passphrases_come_and_go)
{
	struct luks *l;
	struct mem m;

	add_secrets();
	make(&m, "abc", &l);
	ok(amend(l, "state=active,new-secret=n,iter-time=0", false));
	ck_assert(opens(&m, "abc") && opens(&m, "new"));
	ok(amend(l, "state=active,new-secret=n,iter-time=0,keyslot=6", false));
	ck_assert(l->facts.slots[6].active && !l->facts.slots[5].active);
	ok(amend(l, "state=inactive,keyslot=0", false));
	ck_assert(!opens(&m, "abc") && opens(&m, "new"));
	ck_assert_uint_eq(l->facts.slots[0].iterations, 0);
	ok(amend(l, "state=active,new-secret=s,iter-time=0", false));
	ok(amend(l, "state=inactive,old-secret=n", false));
	ck_assert(opens(&m, "abc") && !opens(&m, "new"));
	ok(amend(l, "state=active,new-secret=n,iter-time=0,keyslot=0", true));
	ck_assert(!opens(&m, "abc") && opens(&m, "new"));
	ck_assert(l->facts.slots[0].active && !l->facts.slots[1].active);
	luks_free(l);
	mem_free(&m);
}
END_TEST

START_TEST(amending_refuses_in_words_and_changes_nothing)
{
	static const struct {
		const char *opts, *msg;
	} bad[] = {
		{ "state=active", "'new-secret' is required to activate a keyslot" },
		{ "state=active,new-secret=n,old-secret=s", "'old-secret' must not be given when activating keyslots" },
		{ "state=active,new-secret=n,keyslot=9", "invalid keyslot 9 specified, must be between 0 and 7" },
		{ "state=active,new-secret=n,keyslot=0",
		  "refusing to overwrite active keyslot 0 - please erase it first" },
		{ "state=zz", "parameter 'state' does not accept value 'zz'" },
		{ "new-secret=n", "parameter 'state' is missing" },
		{ "state=inactive",
		  "to erase keyslot(s), either explicit keyslot index or the password currently contained in them "
		  "must be given" },
		{ "state=inactive,new-secret=n", "'new-secret' must not be given when erasing keyslots" },
		{ "state=inactive,keyslot=0,iter-time=5", "'iter-time' must not be given when erasing keyslots" },
		{ "state=inactive,keyslot=0",
		  "attempt to erase the only active keyslot 0 which will erase all the data in the image "
		  "irreversibly - refusing operation" },
		{ "state=inactive,keyslot=3", "given keyslot 3 is already erased (inactive)" },
		{ "state=inactive,old-secret=s",
		  "all the active keyslots match the (old) password that was given and erasing them "
		  "will erase all the data in the image irreversibly - refusing operation" },
		{ "state=inactive,old-secret=n", "no keyslots match given (old) password for erase operation" },
		{ "state=inactive,keyslot=0,old-secret=n",
		  "given keyslot 0 doesn't contain the given old password for erase operation" },
		{ "state=inactive,keyslot=-1", "parameter 'keyslot' does not accept value '-1'" },
		{ "state=active,new-secret=n,iter-time=4000000000", NULL },
		{ "state=active,new-secret=q", "no secret with id 'q'" },
		{ "state=active,new-secret=n,zz=1", "invalid parameter 'zz'" },
	};
	struct luks *l;
	uint8_t *before;
	struct mem m;

	add_secrets();
	make(&m, "abc", &l);
	before = memcpy(malloc(m.len), m.p, m.len);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		ck_assert_int_lt(amend(l, bad[i].opts, false), 0);
		if (bad[i].msg)
			ck_assert_str_eq(e.msg, bad[i].msg);
		ck_assert_mem_eq(before, m.p, m.len);
	}
	mem_forget(&m);
	for (unsigned i = 1; i < LUKS_SLOTS; i++) {
		ok(amend(l, "state=active,new-secret=n,iter-time=0", false));
		mem_forget(&m);
	}
	ck_assert_int_lt(amend(l, "state=active,new-secret=n", false), 0);
	ck_assert_str_eq(e.msg, "can't add a keyslot - all keyslots are in use");
	ok(amend(l, "state=inactive,old-secret=n", false));
	ok(amend(l, "state=inactive,old-secret=s", true));
	ck_assert(!opens(&m, "abc"));
	free(before);
	luks_free(l);
	mem_free(&m);
}
END_TEST

/*
 * What a power cut after event n may leave: everything up to the last sync, and of the writes behind it those whose
 * bits are set, or (torn) the first sector of each only.
 */
static void cut(struct mem *out, const uint8_t *was, const struct mem *m, unsigned n, unsigned which, bool torn)
{
	unsigned synced = 0;

	for (unsigned i = 0; i < n; i++)
		if (!m->log[i].len)
			synced = i + 1;
	memcpy(out->p, was, m->len);
	for (unsigned i = 0; i < n; i++) {
		const struct event *x = &m->log[i];
		size_t len = x->len;

		ck_assert_uint_lt(n - synced, 3 + 1);
		if (i >= synced && !(which >> (i - synced) & 1))
			continue;
		if (i >= synced && torn)
			len = MIN_OF(len, 512 - x->off % 512);
		if (len)
			memcpy(out->p + x->off, x->bytes, len);
	}
}

START_TEST(a_power_cut_leaves_every_passphrase_that_was_to_stay)
{
	static const struct {
		const char *before, *amend, *stays, *either;
		bool force;
	} runs[] = {
		{ NULL, "state=active,new-secret=n,iter-time=0", "abc", NULL, false },
		{ NULL, "state=active,new-secret=n,iter-time=0,keyslot=6", "abc", NULL, false },
		{ "state=active,new-secret=n,iter-time=0", "state=inactive,keyslot=0", "new", NULL, false },
		{ "state=active,new-secret=n,iter-time=0,keyslot=6", "state=inactive,old-secret=n", "abc", NULL,
		  false },
		{ NULL, "state=active,new-secret=n,iter-time=0,keyslot=0", "abc", "new", true },
	};

	add_secrets();
	for (size_t r = 0; r < ARRAY_LEN(runs); r++) {
		struct mem m, left;
		struct luks *l;
		uint8_t *was;

		make(&m, "abc", &l);
		if (runs[r].before)
			ok(amend(l, runs[r].before, false));
		mem_forget(&m);
		was = memcpy(malloc(m.len), m.p, m.len);
		left = (struct mem){ .p = malloc(m.len), .len = m.len };
		ok(amend(l, runs[r].amend, runs[r].force));
		ck_assert_uint_ge(m.nlog, 4);
		for (unsigned n = 0; n <= m.nlog; n++)
			for (unsigned which = 0; which < 16; which++) {
				cut(&left, was, &m, n, which & 7, which & 8);
				ck_assert_msg(opens(&left, runs[r].stays) ||
						      (runs[r].either && opens(&left, runs[r].either)),
					      "run %zu, event %u, subset %u", r, n, which);
			}
		free(was);
		free(left.p);
		luks_free(l);
		mem_free(&m);
	}
}
END_TEST

START_TEST(a_write_that_fails_leaves_what_opened_before)
{
	add_secrets();
	for (unsigned n = 1;; n++) {
		struct luks *l;
		struct mem m;
		int rc;

		make(&m, "abc", &l);
		m.fail_at = n;
		rc = amend(l, "state=active,new-secret=n,iter-time=0", false);
		m.fail_at = 0;
		ck_assert(opens(&m, "abc"));
		ck_assert_int_eq(opens(&m, "new"), rc == 0);
		luks_free(l);
		mem_free(&m);
		if (rc == 0)
			break;
		ck_assert_int_eq(rc, -(int)ERR_SYSTEM);
	}
}
END_TEST

/* ---- the driver ---- */

static const char create_quick[] = "key-secret=s,iter-time=0,size=1M";

static int create(const char *path, const char *text)
{
	struct block_create_how how = { .secrets = &secrets };
	struct dict opts = DICT_INIT;
	int rc;

	err_clear(&e);
	rc = dict_parse(&opts, text, NULL, &e);
	if (rc == 0)
		rc = block_create_with(path, "luks", &opts, &how, &e);
	dict_free(&opts);
	return rc;
}

static int open_luks(const char *path, const char *secret, unsigned flags, struct block **out)
{
	struct block_open how = { .format = "luks", .flags = flags, .secrets = &secrets };
	struct dict opts = DICT_INIT;
	int rc = 0;

	err_clear(&e);
	if (secret)
		rc = dict_set(&opts, "key-secret", secret, &e);
	how.opts = &opts;
	if (rc == 0)
		rc = block_open(path, &how, out, &e);
	dict_free(&opts);
	return rc;
}

START_TEST(an_image_opens_with_its_secret_or_for_facts_only)
{
	struct block_open guess = { .flags = BLOCK_FACTS };
	struct block_info info;
	struct block *b;
	char c;

	add_secrets();
	ok(create("a", create_quick));
	fails(open_luks("a", NULL, 0, &b), ERR_USAGE);
	ck_assert_str_eq(e.msg, "a: parameter 'key-secret' is required for cipher");
	fails(open_luks("a", "q", 0, &b), ERR_NOT_FOUND);
	fails(open_luks("a", "n", 0, &b), ERR_USAGE);
	ok(open_luks("a", "s", 0, &b));
	ck_assert_uint_eq(block_size(b), 1 << 20);
	ck_assert(!block_zero_init(b));
	ok(block_pread(b, &c, 1, (1 << 20) - 1, &e));
	block_unref(b);
	ok(block_open("a", &guess, &b, &e));
	ck_assert_str_eq(block_format(b), "luks");
	ok(block_info(b, &info, &e));
	ck_assert(info.encrypted);
	fails(block_pread(b, &c, 1, 0, &e), ERR_USAGE);
	block_unref(b);
	fails(create("b", "size=1M"), ERR_USAGE);
	fails(create("b", "key-secret=q,size=1M"), ERR_NOT_FOUND);
	fails(create("b", "key-secret=s"), ERR_USAGE);
	fails(create("b", "key-secret=s,size=1M,cipher-alg=serpent-256"), ERR_UNSUPPORTED);
	fails(create("b", "key-secret=s,size=1M,hash-alg=zz"), ERR_USAGE);
	fails(create("b", "key-secret=s,size=7E"), ERR_SYSTEM);
	ck_assert_int_ne(access("b", F_OK), 0);
}
END_TEST

START_TEST(any_offset_reads_and_writes_as_a_plain_disk_does)
{
	uint8_t *model = alloc_zero(1 << 20), *got = alloc_zero(1 << 20);
	struct block *b;

	add_secrets();
	ok(create("a", create_quick));
	ok(open_luks("a", "s", BLOCK_WRITE | BLOCK_RESIZE, &b));
	ok(block_zero(b, 1 << 20, 0, 0, &e));
	srandom(1);
	for (unsigned i = 0; i < 300; i++) {
		size_t len = (size_t)random() % (i % 3 ? 2000 : 200000) + 1, off = (size_t)random() % ((1 << 20) - len);

		for (size_t k = 0; k < len; k++)
			got[k] = (uint8_t)random();
		memcpy(model + off, got, len);
		ok(block_pwrite(b, got, len, off, &e));
		len = (size_t)random() % 5000 + 1;
		off = (size_t)random() % ((1 << 20) - len);
		ok(block_pread(b, got, len, off, &e));
		ck_assert_mem_eq(got, model + off, len);
	}
	ok(block_truncate(b, (1 << 20) + 700, PREALLOC_OFF, &e));
	ck_assert_uint_eq(block_size(b), (1 << 20) + 1024);
	ok(block_finish(b, &e));
	block_unref(b);
	ok(open_luks("a", "s", 0, &b));
	ck_assert_uint_eq(block_size(b), (1 << 20) + 1024);
	ok(block_pread(b, got, 1 << 20, 0, &e));
	ck_assert_mem_eq(got, model, 1 << 20);
	block_unref(b);
	free(model);
	free(got);
}
END_TEST

static void *write_mine(void *arg)
{
	void **args = arg;
	size_t me = (size_t)args[1];

	/* Each thread owns every fourth run of 100 bytes: their sectors are shared. */
	for (unsigned i = 0; i < 400; i++) {
		uint8_t bytes[100];
		memset(bytes, (int)me + 1, sizeof bytes);
		if (block_pwrite(args[0], bytes, sizeof bytes, (i * 4 + me) * 100, NULL) != 0)
			return arg;
	}
	return NULL;
}

START_TEST(threads_that_share_sectors_lose_no_byte)
{
	uint8_t got[400 * 400];
	void *args[4][2];
	pthread_t t[4];
	struct block *b;

	add_secrets();
	ok(create("a", create_quick));
	ok(open_luks("a", "s", BLOCK_WRITE, &b));
	for (size_t i = 0; i < 4; i++) {
		args[i][0] = b;
		args[i][1] = (void *)i;
		ck_assert_int_eq(pthread_create(&t[i], NULL, write_mine, args[i]), 0);
	}
	for (size_t i = 0; i < 4; i++) {
		void *bad;
		pthread_join(t[i], &bad);
		ck_assert_ptr_null(bad);
	}
	ok(block_pread(b, got, sizeof got, 0, &e));
	for (size_t i = 0; i < sizeof got; i++)
		ck_assert_uint_eq(got[i], i / 100 % 4 + 1);
	block_unref(b);
}
END_TEST

START_TEST(memory_that_runs_out_is_an_error)
{
	struct block *b;

	add_secrets();
	ok(create("a", create_quick));
	for (unsigned long n = 1;; n++) {
		uint8_t buf[600] = { 0 };
		int rc;

		alloc_fault_at(n);
		rc = create("b", create_quick);
		if (rc == 0)
			rc = open_luks("a", "s", BLOCK_WRITE, &b);
		if (rc == 0) {
			rc = block_pwrite(b, buf, sizeof buf, 100, &e);
			block_unref(b);
		}
		if (!alloc_fault_hit())
			break;
		ck_assert_msg(rc == -(int)ERR_NOMEM, "allocation %lu: %d (%s)", n, rc, e.msg);
	}
	alloc_fault_at(0);
}
END_TEST

START_TEST(measure_tells_the_size_that_create_makes)
{
	struct measure_report r;
	struct dict opts = DICT_INIT;
	struct block *b;

	add_secrets();
	ok(dict_parse(&opts, "key-secret=s,size=1M,cipher-alg=cast5-128,cipher-mode=cbc", NULL, &e));
	ok(block_measure("luks", &opts, NULL, &r, &e));
	ck_assert_uint_eq(r.required, 1576960);
	ck_assert_uint_eq(r.fully_allocated, 1576960);
	ok(create("a", "key-secret=s,iter-time=0,size=1M,cipher-alg=cast5-128,cipher-mode=cbc"));
	ok(open_luks("a", "s", 0, &b));
	ck_assert_uint_eq(block_size(block_file(b)), r.required);
	block_unref(b);
	dict_free(&opts);
	ok(dict_parse(&opts, "size=1M", NULL, &e));
	fails(block_measure("luks", &opts, NULL, &r, &e), ERR_USAGE);
	dict_free(&opts);
}
END_TEST

START_TEST(amend_reaches_the_driver_and_takes_only_what_it_knows)
{
	struct dict opts = DICT_INIT;
	struct block *b;

	add_secrets();
	ok(create("a", create_quick));
	ok(open_luks("a", "s", BLOCK_WRITE, &b));
	ok(dict_parse(&opts, "state=active,new-secret=n,iter-time=0", NULL, &e));
	ok(block_amend(b, &opts, &secrets, false, &e));
	block_unref(b);
	ok(open_luks("a", "n", 0, &b));
	fails(block_amend(b, &opts, &secrets, false, &e), ERR_USAGE);
	block_unref(b);
	ck_assert_ptr_nonnull(block_amend_opts("luks"));
	ck_assert_ptr_null(block_amend_opts("raw"));
	dict_free(&opts);
}
END_TEST

/* What was never written to a luks image is noise, so a conversion may leave out no zeros. */
START_TEST(conversions_into_and_out_of_an_encrypted_image_keep_every_byte)
{
	struct convert_result result;
	struct dict opts = DICT_INIT, key = DICT_INIT;
	struct block_open how = { .format = "luks", .opts = &key, .secrets = &secrets };
	uint8_t want[8192] = { 0 }, got[8192];
	struct block *raw, *luks;
	FILE *f = fopen("raw", "w");

	add_secrets();
	memset(want + 4096, 'x', 100);
	fwrite(want, 1, sizeof want, f);
	ck_assert_int_eq(ftruncate(fileno(f), 1 << 20), 0);
	fclose(f);
	ok(dict_parse(&opts, "key-secret=s,iter-time=0", NULL, &e));
	ok(dict_parse(&key, "key-secret=s", NULL, &e));
	ok(block_open("raw", &(struct block_open){ .format = "raw" }, &raw, &e));
	{
		struct convert c = { .target = "a", .format = "luks", .opts = &opts, .secrets = &secrets,
				     .copy = { .sources = &raw, .nsources = 1, .threads = 2, .sparse = 4096 } };
		ok(convert_run(&c, &result, &e));
	}
	ok(block_open("a", &how, &luks, &e));
	ck_assert_uint_eq(block_size(luks), 1 << 20);
	ok(block_pread(luks, got, sizeof got, 0, &e));
	ck_assert_mem_eq(got, want, sizeof got);
	memset(want, 0, sizeof want);
	for (unsigned at = sizeof got; at < 1 << 20; at += sizeof got) {
		ok(block_pread(luks, got, sizeof got, at, &e));
		ck_assert_mem_eq(got, want, sizeof got);
	}
	{
		struct convert c = { .target = "back", .format = "raw",
				     .copy = { .sources = &luks, .nsources = 1, .threads = 2, .sparse = 4096 } };
		ok(convert_run(&c, &result, &e));
	}
	ck_assert_int_eq(system("cmp raw back"), 0);
	block_unref(raw);
	block_unref(luks);
	dict_free(&opts);
	dict_free(&key);
}
END_TEST

TEST_MAIN("luks", what_was_created_opens_with_its_passphrase_and_no_other, a_field_that_makes_no_sense_is_refused,
	  iterations_beyond_reason_are_not_computed, an_embedded_header_ends_with_its_area_and_its_payload_is_elsewhere,
	  passphrases_come_and_go, amending_refuses_in_words_and_changes_nothing,
	  a_power_cut_leaves_every_passphrase_that_was_to_stay, a_write_that_fails_leaves_what_opened_before,
	  an_image_opens_with_its_secret_or_for_facts_only, any_offset_reads_and_writes_as_a_plain_disk_does,
	  threads_that_share_sectors_lose_no_byte, memory_that_runs_out_is_an_error,
	  measure_tells_the_size_that_create_makes, amend_reaches_the_driver_and_takes_only_what_it_knows,
	  conversions_into_and_out_of_an_encrypted_image_keep_every_byte)
