/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testing.h"

#include "limits.h"
#include "luks2_image.h"

static struct err e;

static void make(struct img *m)
{
	ck_assert(img_make(m));
	img_headers(m);
}

static int open_img(struct img *m, struct luks2 **out)
{
	struct luks_io io = img_io(m);

	err_clear(&e);
	return luks2_open(&io, out, &e);
}

static void unlocks(struct img *m, const char *pass, bool yes)
{
	struct luks2 *l;

	ok(open_img(m, &l));
	if (yes) {
		ok(luks2_unlock(l, pass, strlen(pass), &e));
		ck_assert_mem_eq(l->key.p, m->key, IMG_KEY);
	} else {
		fails(luks2_unlock(l, pass, strlen(pass), &e), ERR_USAGE);
		ck_assert_ptr_null(l->key.p);
	}
	luks2_free(l);
}

START_TEST(either_slot_opens_with_its_passphrase_and_no_other)
{
	struct luks2 *l;
	struct img m;

	make(&m);
	unlocks(&m, "abc", true);
	unlocks(&m, "def", true);
	unlocks(&m, "", false);
	unlocks(&m, "abd", false);
	ok(open_img(&m, &l));
	ck_assert_str_eq(l->notice, "");
	ck_assert_str_eq(l->facts.uuid, "11111111-2222-3333-4444-555555555555");
	ck_assert_str_eq(l->facts.label, "first");
	ck_assert_uint_eq(l->facts.nsegments, 1);
	ck_assert_uint_eq(l->facts.segments[0].off, IMG_DATA);
	ck_assert_uint_eq(l->facts.segments[0].spec.sector, 4096);
	ck_assert_uint_eq(luks2_work(l), 2 * 2 + 2 + 32 * 4 + 2);
	luks2_free(l);
	free(m.p);
}
END_TEST

/* ---- the two headers ---- */

START_TEST(the_newer_header_is_used)
{
	static const struct {
		unsigned first, second;
		const char *label;
	} cases[] = { { 3, 3, "first" }, { 3, 2, "first" }, { 3, 4, "second" } };
	struct luks2 *l;
	struct img m;

	make(&m);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		img_header(&m, false, cases[i].first, "first");
		img_header(&m, true, cases[i].second, "second");
		ok(open_img(&m, &l));
		ck_assert_str_eq(l->facts.label, cases[i].label);
		luks2_free(l);
	}
	free(m.p);
}
END_TEST

#define BIN(field) offsetof(struct luks2_ondisk, field)

/* The good one is used, however new the other says that it is. */
START_TEST(a_damaged_header_gives_way_to_the_other_and_is_told)
{
	static const struct {
		size_t at;
		uint8_t byte;
		const char *why;
	} cases[] = {
		{ BIN(magic), 'M', "there is none" },
		{ BIN(version) + 1, 3, "it is of version 3" },
		{ BIN(size) + 6, 0x41, "its size of 16640 bytes is not one that the format has" },
		{ BIN(size) + 5, 0x80, "its size of 8404992 bytes is not one that the format has" },
		{ BIN(off) + 5, 1, "it was written for another place" },
		{ BIN(seqid), 9, "its checksum does not match" },
		{ BIN(checksum) + 31, 0xff, "its checksum does not match" },
		{ BIN(checksum_alg), 'z', "its checksum is of an unknown kind (zha256)" },
		{ sizeof(struct luks2_ondisk) + 100, '#', "its checksum does not match" },
		{ IMG_HEADER - 1, 1, "its checksum does not match" },
	};
	struct luks2 *l;
	struct img m;
	char want[200];

	make(&m);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (unsigned second = 0; second < 2; second++) {
			img_headers(&m);
			m.p[second * IMG_HEADER + cases[i].at] = cases[i].byte;
			ok(open_img(&m, &l));
			snprintf(want, sizeof want, "the %s LUKS header is not usable: %s", second ? "second" : "first",
				 cases[i].why);
			ck_assert_str_eq(l->notice, want);
			ck_assert_str_eq(l->facts.label, second ? "first" : "second");
			ok(luks2_unlock(l, "abc", 3, &e));
			luks2_free(l);
		}
		m.p[cases[i].at] = cases[i].byte;
		fails(open_img(&m, &l), strstr(cases[i].why, "version") || strstr(cases[i].why, "unknown") ? ERR_UNSUPPORTED
													 : ERR_CORRUPT);
		ck_assert_msg(strncmp(e.msg, "neither LUKS header is usable; the first: ", 42) == 0, "%s", e.msg);
	}
	free(m.p);
}
END_TEST

START_TEST(strings_without_an_end_are_refused)
{
	static const struct {
		size_t at, len;
	} fields[] = { { BIN(label), 48 }, { BIN(checksum_alg), 32 }, { BIN(uuid), 40 } };
	struct luks2 *l;
	struct img m;

	make(&m);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		img_headers(&m);
		memset(m.p + fields[i].at, 'a', fields[i].len);
		memset(m.p + IMG_HEADER, 0, 6);
		fails(open_img(&m, &l), ERR_CORRUPT);
		ck_assert_ptr_nonnull(strstr(e.msg, "does not end"));
	}
	free(m.p);
}
END_TEST

START_TEST(an_image_that_is_cut_anywhere_is_refused_or_opens)
{
	struct luks2 *l;
	struct img m;

	make(&m);
	for (m.len = 0; m.len <= IMG_BYTES; m.len += 512) {
		int rc = open_img(&m, &l);

		ck_assert_int_eq(rc == 0, m.len >= IMG_SLOT1 + 4096);
		if (rc == 0)
			luks2_free(l);
	}
	free(m.p);
}
END_TEST

START_TEST(a_wiped_first_header_is_noticed_and_a_volume_given_to_something_else_is_not)
{
	struct luks_io io;
	struct luks2 *l;
	struct img m;

	make(&m);
	io = img_io(&m);
	memset(m.p, 0, 512);
	ck_assert_int_eq(luks2_is_headless(&io, &e), 1);
	memset(m.p, 0, IMG_HEADER);
	ck_assert_int_eq(luks2_is_headless(&io, &e), 1);
	unlocks(&m, "def", true);
	ok(open_img(&m, &l));
	ck_assert_str_eq(l->notice, "the first LUKS header is not usable: there is none");
	luks2_free(l);
	/* A superblock, and a group descriptor. */
	m.p[1080] = 0x53;
	ck_assert_int_eq(luks2_is_headless(&io, &e), 0);
	m.p[1080] = 0;
	m.p[4096] = 1;
	ck_assert_int_eq(luks2_is_headless(&io, &e), 0);
	m.p[4096] = 0;
	m.p[IMG_HEADER + 8] = 1;
	ck_assert_int_eq(luks2_is_headless(&io, &e), 0);
	free(m.p);
}
END_TEST

/* ---- JSON ---- */

/* What is put for what, what comes of it, and in which words. */
static const struct spoil {
	const char *old, *text;
	enum err_code code;
	const char *why;
} spoils[] = {
	/* the text */
	{ "{\"keyslots\"", "[\"keyslots\"", ERR_CORRUPT, "is not valid at byte" },
	{ "\"tokens\":{}", "\"tokens\":{},\"tokens\":{}", ERR_CORRUPT, "is not valid" },
	{ "\"tokens\":{}", "\"tokens\":\"\\ud800\"", ERR_CORRUPT, "is not valid" },
	{ "\"keyslots\":{\"0\"", "\"keyslots\":3,\"x\":{\"0\"", ERR_CORRUPT, "\"keyslots\" is of another kind" },
	{ "\"segments\":{", "\"segment\":{", ERR_CORRUPT, "\"segments\" is missing" },
	{ "\"digests\"", "\"digest\"", ERR_CORRUPT, "\"digests\" is missing" },
	{ "\"config\"", "\"conf\"", ERR_CORRUPT, "\"config\" is missing" },
	{ "\"keyslots_size\":\"16384\"", "\"keyslots_size\":16384", ERR_CORRUPT, "\"keyslots_size\" is of another kind" },
	{ "\"16384\"", "\"0x4000\"", ERR_CORRUPT, "\"keyslots_size\" is no number of 64 bits" },
	{ "\"16384\"", "\"99999999999999999999\"", ERR_CORRUPT, "\"keyslots_size\" is no number of 64 bits" },
	{ "\"16384\"", "\"\"", ERR_CORRUPT, "\"keyslots_size\" is no number of 64 bits" },
	/* requirements */
	{ "\"json_size\"", "\"requirements\":{\"mandatory\":[\"online-reencrypt-v2\"]},\"json_size\"", ERR_UNSUPPORTED,
	  "a reencryption is under way" },
	{ "\"json_size\"", "\"requirements\":{\"mandatory\":[\"new-thing\"]},\"json_size\"", ERR_UNSUPPORTED,
	  "what opens it must know \"new-thing\"" },
	{ "\"json_size\"", "\"requirements\":{\"mandatory\":[7]},\"json_size\"", ERR_UNSUPPORTED, "must know \"?\"" },
	/* key slots */
	{ "{\"0\":{\"type\":\"luks2\"", "{\"32\":{\"type\":\"luks2\"", ERR_CORRUPT, "something else than 0 to 31" },
	{ "{\"0\":{\"type\":\"luks2\"", "{\"-1\":{\"type\":\"luks2\"", ERR_CORRUPT, "something else than 0 to 31" },
	{ "{\"0\":{\"type\":\"luks2\"", "{\"4\":{\"type\":\"reencrypt\"", ERR_UNSUPPORTED, "a reencryption is under way" },
	{ "\"key_size\":64", "\"key_size\":0", ERR_CORRUPT, "key slot 0: a key of 0 bytes" },
	{ "\"key_size\":64", "\"key_size\":513", ERR_CORRUPT, "key slot 0: a key of 513 bytes" },
	{ "\"key_size\":64", "\"key_size\":-1", ERR_CORRUPT, "key slot 0: \"key_size\" is -1" },
	{ "\"key_size\":64", "\"key_size\":4294967296", ERR_CORRUPT, "\"key_size\" is 4294967296" },
	{ "\"key_size\":64", "\"key_size\":64.0", ERR_CORRUPT, "\"key_size\" is of another kind" },
	{ "\"priority\":1", "\"priority\":3", ERR_CORRUPT, "key slot 1: a priority of 3" },
	{ "\"priority\":1", "\"priority\":\"1\"", ERR_CORRUPT, "key slot 1: \"priority\" is of another kind" },
	{ "\"stripes\":3", "\"stripes\":0", ERR_CORRUPT, "key slot 0: no stripes" },
	{ "\"stripes\":3", "\"stripes\":65", ERR_CORRUPT, "its key material of 4608 bytes lies in 4096" },
	{ "\"offset\":\"32768\"", "\"offset\":\"32767\"", ERR_CORRUPT, "lies outside of 32768 to 49152" },
	{ "\"offset\":\"32768\"", "\"offset\":\"49152\"", ERR_CORRUPT, "lies outside of 32768 to 49152" },
	{ "\"offset\":\"32768\"", "\"offset\":\"18446744073709551615\"", ERR_CORRUPT, "lies outside" },
	{ "\"size\":\"4096\"", "\"size\":\"18446744073709551615\"", ERR_CORRUPT, "lies outside" },
	{ "\"size\":\"4096\"", "\"size\":\"511\"", ERR_CORRUPT, "its key material of 512 bytes lies in 511" },
	{ "\"offset\":\"32768\"", "\"offset\":\"36864\"", ERR_CORRUPT, "the key material of slots 0 and 1 overlaps" },
	{ "\"iterations\":2", "\"iterations\":0", ERR_CORRUPT, "key slot 0: no iterations" },
	{ "\"time\":1", "\"time\":0", ERR_CORRUPT, "key slot 1: no iterations" },
	{ "\"memory\":32", "\"memory\":7", ERR_CORRUPT, "7 KiB of memory" },
	{ "\"cpus\":1", "\"cpus\":0", ERR_CORRUPT, "with 0 threads" },
	{ "\"salt\":\"AQ", "\"salt\":\"*Q", ERR_CORRUPT, "key slot 0: \"salt\" is not valid base64" },
	/* segments */
	{ "\"segments\":{\"0\":{\"type\":\"crypt\"", "\"segments\":{\"99\":{\"type\":\"crypt\"", ERR_CORRUPT, "0 to 31" },
	{ "\"type\":\"crypt\"", "\"type\":\"linear\"", ERR_UNSUPPORTED, "nothing of its data is encrypted" },
	{ "\"type\":\"crypt\"", "\"type\":\"hw-opal\"", ERR_UNSUPPORTED, "segment 0: the disk itself encrypts it (OPAL)" },
	{ "\"type\":\"crypt\"", "\"type\":\"hw-opal-crypt\"", ERR_UNSUPPORTED, "the disk itself encrypts it (OPAL)" },
	{ "\"type\":\"crypt\"", "\"type\":\"quantum\"", ERR_UNSUPPORTED, "data kept as \"quantum\"" },
	{ "\"type\":\"crypt\"", "\"flags\":[\"in-reencryption\"],\"type\":\"crypt\"", ERR_UNSUPPORTED, "is under way" },
	{ "\"type\":\"crypt\"", "\"flags\":[\"odd\"],\"type\":\"crypt\"", ERR_UNSUPPORTED, "with the flag \"odd\"" },
	{ "\"type\":\"crypt\"", "\"flags\":[\"backup-final\"],\"type\":\"crypt\"", ERR_UNSUPPORTED, "nothing of its data" },
	{ "\"iv_tweak\"", "\"integrity\":{\"type\":\"hmac(sha256)\"},\"iv_tweak\"", ERR_UNSUPPORTED,
	  "authenticated encryption (dm-integrity) \"hmac(sha256)\"" },
	{ "\"iv_tweak\":\"0\"", "\"iv_tweak\":\"18014398509481984\"", ERR_LIMIT, "sectors are numbered from" },
	{ "\"iv_tweak\":\"0\"", "\"iv_tweak\":0", ERR_CORRUPT, "\"iv_tweak\" is of another kind" },
	{ "\"sector_size\":4096", "\"sector_size\":0", ERR_CORRUPT, "sectors of no bytes" },
	{ "\"sector_size\":4096", "\"sector_size\":768", ERR_CORRUPT, "encrypted sectors of 768 bytes" },
	{ "\"sector_size\":4096", "\"sector_size\":8192", ERR_CORRUPT, "encrypted sectors of 8192 bytes" },
	{ "\"dynamic\"", "\"1000\"", ERR_CORRUPT, "1000 bytes are no whole sectors" },
	{ "\"dynamic\"", "\"all\"", ERR_CORRUPT, "\"size\" is no number of 64 bits" },
	{ "\"dynamic\",\"iv_tweak\":\"0\",\"encryption\":\"aes-xts-plain64\"",
	  "\"dynamic\",\"iv_tweak\":\"0\",\"encryption\":\"serpent-xts-plain64\"", ERR_UNSUPPORTED,
	  "encryption with serpent-xts-plain64" },
	{ "\"dynamic\",\"iv_tweak\":\"0\",\"encryption\":\"aes-xts-plain64\"",
	  "\"dynamic\",\"iv_tweak\":\"0\",\"encryption\":\"aes-lrw-benbi\"", ERR_UNSUPPORTED, "the mode is not known" },
	{ "\"dynamic\",\"iv_tweak\":\"0\",\"encryption\":\"aes-xts-plain64\"",
	  "\"dynamic\",\"iv_tweak\":\"0\",\"encryption\":\"null\"", ERR_UNSUPPORTED, "encryption with \"null\"" },
	{ "\"dynamic\",\"iv_tweak\":\"0\",\"encryption\":\"aes-xts-plain64\"",
	  "\"dynamic\",\"iv_tweak\":\"0\",\"encryption\":\"aes-0123456789012345678901234567890123456789\"",
	  ERR_UNSUPPORTED, "encryption with" },
	/* digests */
	{ "\"digests\":{\"0\"", "\"digests\":{\"x\"", ERR_CORRUPT, "0 to 31" },
	{ "\"segments\":[\"0\"]", "\"segments\":[\"1\"]", ERR_CORRUPT, "there is no digest" },
	{ "\"segments\":[\"0\"]", "\"segments\":[0]", ERR_CORRUPT, "0 to 31" },
	{ "\"keyslots\":[\"0\",\"1\"]", "\"keyslots\":[]", ERR_UNSUPPORTED, "it has no key slot left" },
	{ "\"keyslots\":[\"0\",\"1\"]", "\"keyslots\":[\"7\"]", ERR_UNSUPPORTED, "it has no key slot left" },
	{ "\"digests\":{\"0\":{\"type\":\"pbkdf2\"", "\"digests\":{\"0\":{\"type\":\"md9\"", ERR_UNSUPPORTED,
	  "recognised by \"md9\"" },
	{ "\"segments\":[\"0\"],\"hash\":\"sha256\",\"iterations\":2", "\"segments\":[\"0\"],\"hash\":\"sha256\",\"iterations\":0",
	  ERR_CORRUPT, "digest 0: no iterations" },
	{ "\"segments\":[\"0\"],\"hash\":\"sha256\"", "\"segments\":[\"0\"],\"hash\":\"zha\"", ERR_UNSUPPORTED,
	  "digest 0: the hash \"zha\"" },
};

START_TEST(json_that_makes_no_sense_is_refused_in_words)
{
	for (size_t i = 0; i < ARRAY_LEN(spoils); i++) {
		const struct spoil *s = &spoils[i];
		struct luks2 *l;
		struct img m;
		int rc;

		ck_assert(img_make(&m));
		ck_assert_msg(img_replace(&m, s->old, s->text), "no %s", s->old);
		img_headers(&m);
		rc = open_img(&m, &l);
		ck_assert_msg(rc == -(int)s->code && strstr(e.msg, s->why), "%s: %d (%s)", s->text, rc, e.msg);
		free(m.p);
	}
}
END_TEST

/* A slot that we do not know is no obstacle where another opens. */
START_TEST(a_slot_that_cannot_be_tried_leaves_the_others)
{
	static const struct {
		const char *old, *text;
		enum err_code code;
		const char *why;
	} cases[] = {
		{ "{\"0\":{\"type\":\"luks2\"", "{\"0\":{\"type\":\"fido\"", ERR_UNSUPPORTED, "a key slot of the kind \"fido\"" },
		{ "\"type\":\"luks1\"", "\"type\":\"none\"", ERR_UNSUPPORTED, "a key split by \"none\"" },
		{ "\"type\":\"raw\"", "\"type\":\"journal\"", ERR_UNSUPPORTED, "key material kept as \"journal\"" },
		{ "\"hash\":\"sha256\"", "\"hash\":\"sha3-256\"", ERR_UNSUPPORTED, "the hash \"sha3-256\"" },
		{ "aes-xts-plain64", "twofish-xts-plain64", ERR_UNSUPPORTED, "encryption with twofish-xts-plain64" },
		{ "\"type\":\"pbkdf2\"", "\"type\":\"scrypt\"", ERR_UNSUPPORTED, "a key from a passphrase by \"scrypt\"" },
		{ "\"stripes\":3", "\"stripes\":65537", ERR_UNSUPPORTED, "65537 stripes" },
		{ "\"iterations\":2", "\"iterations\":4294967295", ERR_LIMIT, "more work than any passphrase is worth" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct luks2 *l;
		struct img m;
		char want[200];

		ck_assert(img_make(&m));
		ck_assert(img_replace(&m, cases[i].old, cases[i].text));
		img_headers(&m);
		ok(open_img(&m, &l));
		ok(luks2_unlock(l, "def", 3, &e));
		ck_assert_mem_eq(l->key.p, m.key, IMG_KEY);
		err_clear(&e);
		fails(luks2_unlock(l, "abc", 3, &e), cases[i].code);
		snprintf(want, sizeof want, "key slot 0: %s", cases[i].why);
		ck_assert_msg(strncmp(e.msg, want, strlen(want)) == 0, "%s", e.msg);
		luks2_free(l);
		free(m.p);
	}
}
END_TEST

START_TEST(argon2_with_more_memory_than_the_limit_is_refused_before_it_is_taken)
{
	struct luks2 *l;
	struct img m;

	ck_assert(img_make(&m));
	ck_assert(img_replace(&m, "\"memory\":32", "\"memory\":4194304"));
	img_headers(&m);
	ok(open_img(&m, &l));
	fails(luks2_unlock(l, "def", 3, &e), ERR_UNSUPPORTED);
	ck_assert_str_eq(e.msg, "key slot 1: Argon2 with 4096 MiB of memory");
	luks2_free(l);
	free(m.p);
}
END_TEST

START_TEST(slots_are_tried_by_priority_and_those_of_priority_0_not_at_all)
{
	struct luks2 *l;
	struct img m;

	ck_assert(img_make(&m));
	ck_assert(img_replace(&m, "\"priority\":1", "\"priority\":0"));
	img_headers(&m);
	unlocks(&m, "abc", true);
	unlocks(&m, "def", false);
	free(m.p);
	/* Slot 0 would be too much behind slot 1, which comes first. */
	ck_assert(img_make(&m));
	ck_assert(img_replace(&m, "\"priority\":1", "\"priority\":2"));
	ck_assert(img_replace(&m, "\"iterations\":2", "\"iterations\":536870910"));
	img_headers(&m);
	ok(open_img(&m, &l));
	fails(luks2_unlock(l, "abc", 3, &e), ERR_LIMIT);
	luks2_free(l);
	free(m.p);
}
END_TEST

START_TEST(json_without_measure_is_refused_before_it_is_parsed)
{
	struct luks2 *l;
	struct img m;
	char *p;

	ck_assert(img_make(&m));
	memset(m.json, '[', 5000);
	m.json[5000] = '\0';
	img_headers(&m);
	fails(open_img(&m, &l), ERR_LIMIT);
	ck_assert_str_eq(e.msg, "the JSON of the LUKS header is more than 32 deep");
	free(m.p);

	/* As many values as fit 12 KiB are fewer than the limit. */
	ck_assert(img_make(&m));
	ck_assert(img_replace(&m, "\"tokens\":{}", "\"tokens\":[\"[{,,:\\\\\",\"\\\"]\"]"));
	p = m.json + strlen(m.json);
	img_headers(&m);
	ck_assert(*p == '\0');
	unlocks(&m, "abc", true);
	/* No NUL behind the text. */
	memset(m.p + 4096, ' ', IMG_HEADER - 4096);
	memset(m.p + IMG_HEADER, 0, IMG_HEADER);
	{
		struct luks2_ondisk h;
		struct hash_work w;

		memcpy(&h, m.p, sizeof h);
		memset(h.checksum, 0, sizeof h.checksum);
		memcpy(m.p, &h, sizeof h);
		hash_start(&w, HASH_SHA256);
		hash_add(&w, m.p, IMG_HEADER);
		hash_end(&w, h.checksum);
		memcpy(m.p, &h, sizeof h);
	}
	fails(open_img(&m, &l), ERR_CORRUPT);
	ck_assert_str_eq(e.msg, "the JSON of the LUKS header does not end");
	free(m.p);
}
END_TEST

/* luks2_judge() by itself: a text of more values than the limit needs a header larger than that of the fixture. */
START_TEST(more_values_than_the_limit_are_refused)
{
	struct luks2_facts f = { .header_bytes = IMG_HEADER };
	size_t len = LIMIT_LUKS2_JSON_VALUES + 2;
	char *text = alloc_bytes(len);

	memset(text, ',', len);
	fails(luks2_judge(text, len, IMG_BYTES, &f, &e), ERR_LIMIT);
	ck_assert_str_eq(e.msg, "the JSON of the LUKS header has more than 16384 values");
	free(text);
}
END_TEST

START_TEST(each_allocation_may_fail)
{
	struct luks2 *l;
	struct img m;

	make(&m);
	for (unsigned long n = 1;; n++) {
		int rc;

		alloc_fault_at(n);
		rc = open_img(&m, &l);
		if (rc == 0) {
			rc = luks2_unlock(l, "def", 3, &e);
			luks2_free(l);
		}
		if (!alloc_fault_hit()) {
			ck_assert_int_eq(rc, 0);
			break;
		}
		/* Argon2's memory is a limit of this process; a slot that has no memory leaves the other. */
		ck_assert_msg(rc == 0 || rc == -ERR_NOMEM || rc == -ERR_LIMIT, "allocation %lu: %d (%s)", n, rc, e.msg);
	}
	alloc_fault_at(0);
	free(m.p);
}
END_TEST

TEST_MAIN("luks2", either_slot_opens_with_its_passphrase_and_no_other, the_newer_header_is_used,
	  a_damaged_header_gives_way_to_the_other_and_is_told, strings_without_an_end_are_refused,
	  an_image_that_is_cut_anywhere_is_refused_or_opens,
	  a_wiped_first_header_is_noticed_and_a_volume_given_to_something_else_is_not,
	  json_that_makes_no_sense_is_refused_in_words, a_slot_that_cannot_be_tried_leaves_the_others,
	  argon2_with_more_memory_than_the_limit_is_refused_before_it_is_taken,
	  slots_are_tried_by_priority_and_those_of_priority_0_not_at_all,
	  json_without_measure_is_refused_before_it_is_parsed, more_values_than_the_limit_are_refused,
	  each_allocation_may_fail)
