/* SPDX-License-Identifier: GPL-2.0-or-later */
/* journal_test.c - the systemd journal, as it is and as it should not be. */
#include "testing.h"

#include "alloc.h"
#include "journal_make.h"
#include "limits.h"
#include "logs.h"
#include "tree.h"

#include <inttypes.h>
#include <lz4.h>
#include <lzma.h>
#include <string.h>
#include <zstd.h>

/* A line an entry: "seconds message"; and what could not be read. */
struct told {
	struct strbuf text;
	char failed[1100];
	unsigned nfailed;
};

static int on_entry(void *arg, const struct log_entry *ent, struct err *err)
{
	struct told *t = arg;

	(void)err;
	strbuf_printf(&t->text, "%" PRId64 " %.40s\n", ent->usec / 1000000, ent->message);
	return 0;
}

static int on_failure(void *arg, const char *path, const struct err *why, struct err *err)
{
	struct told *t = arg;

	(void)err, (void)path;
	snprintf(t->failed, sizeof t->failed, "%s", why->msg);
	t->nfailed++;
	return 0;
}

static struct make m;

/* The files a, b ... of this folder are the guest's journal: what of it is told, and which failure. */
static void tells_of(const struct log_query *q, const char *wanted, const char *failure)
{
	struct told t = { .text = STRBUF_INIT };
	const struct log_walk w = { .entry = on_entry, .failed = on_failure, .arg = &t };
	struct vfs *v = tree("mkdir -p var/log/journal/id; for f in a b c; do [ ! -e ../$f ] || "
			     "mv ../$f var/log/journal/id/$f.journal; done");

	ok(log_walk(v, q, &w, &e));
	ck_assert_str_eq(t.text.s, wanted);
	ck_assert_str_eq(t.failed, failure);
	ck_assert_uint_le(t.nfailed, 1);
	strbuf_free(&t.text);
	vfs_free(v);
}

static const struct log_query everything = { .max_priority = -1 };

static void tells(const char *wanted, const char *failure)
{
	make_write(&m, "a");
	tells_of(&everything, wanted, failure);
}

static void make_three(unsigned flags)
{
	make_begin(&m, flags);
	make_message(&m, 1, "one");
	make_message(&m, 2, "two");
	make_message(&m, 3, "three");
}

START_TEST(entries_of_both_modes_are_read_through_all_lists)
{
	for (unsigned flags = 0; flags <= 16; flags += 16) {
		size_t list;

		make_three(flags);
		list = make_list(&m, MAKE_ARRAY_AT, 0);
		make_message(&m, 4, "four");
		make_list(&m, list + 16, 5);
		tells("1 one\n2 two\n3 three\n4 four\n", "");
	}
}
END_TEST

START_TEST(the_last_entries_are_found_without_the_others)
{
	const struct log_query q = { .max_priority = -1, .last = 2 };
	size_t list;

	make_three(0);
	list = make_list(&m, MAKE_ARRAY_AT, 0);
	make_message(&m, 4, "four");
	make_list(&m, list + 16, 5);
	make_write(&m, "a");
	tells_of(&q, "3 three\n4 four\n", "");
}
END_TEST

START_TEST(several_files_are_one_stream_without_doubles)
{
	make_three(0);
	make_list(&m, MAKE_ARRAY_AT, 1);
	make_write(&m, "a");
	make_write(&m, "b");
	make_begin(&m, 16);
	m.seqnum = 2; /* after "two": its number counts, not its clock */
	make_message(&m, 7, "new");
	m.bytes[m.entries[0] + 32] = 3;
	make_list(&m, MAKE_ARRAY_AT, 1);
	make_write(&m, "c");
	tells_of(&everything, "1 one\n2 two\n3 three\n7 new\n", "");
}
END_TEST

/* The same field by each algorithm. */
static size_t packed(unsigned alg, const char *text, size_t len, uint8_t *out, size_t cap)
{
	size_t n = 0;

	if (alg == 0) {
		ck_assert_int_eq(lzma_easy_buffer_encode(1, LZMA_CHECK_NONE, NULL, (const uint8_t *)text, len, out, &n, cap),
				 LZMA_OK);
		return n;
	}
	if (alg == 1) {
		for (size_t i = 0; i < 8; i++)
			out[i] = (uint8_t)((uint64_t)len >> 8 * i);
		return 8 + (size_t)LZ4_compress_default(text, (char *)out + 8, (int)len, (int)cap - 8);
	}
	n = ZSTD_compress(out, cap, text, len, 1);
	ck_assert(!ZSTD_isError(n));
	return n;
}

START_TEST(compressed_fields_are_read_by_each_algorithm)
{
	static char text[5000] = "MESSAGE=words that were compressed";
	uint8_t out[8000];

	memset(text + strlen(text), ' ', 4000);
	for (unsigned alg = 0; alg < 3; alg++) {
		size_t at;

		make_begin(&m, 15);
		at = make_bytes(&m, 1u << alg, out, packed(alg, text, strlen(text), out, sizeof out));
		make_entry(&m, 1, &at, 1);
		make_list(&m, MAKE_ARRAY_AT, 0);
		tells("1 words that were compressed              \n", "");
	}
}
END_TEST

START_TEST(a_field_that_would_become_huge_is_left_out)
{
	size_t len = 60 << 20, cap = 1 << 20, fields[2];
	char *text = calloc(1, len);
	uint8_t *out = malloc(cap);

	ck_assert(text && out);
	memcpy(text, "BIG=", 4);
	for (unsigned alg = 0; alg < 3; alg += 2) {
		make_begin(&m, 15);
		fields[0] = make_bytes(&m, 1u << alg, out, packed(alg, text, len, out, 200000));
		fields[1] = make_field(&m, "MESSAGE=small");
		make_entry(&m, 1, fields, 2);
		make_list(&m, MAKE_ARRAY_AT, 0);
		make_write(&m, "a");
		{
			struct told t = { .text = STRBUF_INIT };
			const struct log_walk w = { .entry = on_entry, .failed = on_failure, .arg = &t };
			struct vfs *v = tree("mkdir -p var/log/journal/id; mv ../a var/log/journal/id/a.journal");

			ok(log_walk(v, &everything, &w, &e));
			ck_assert_str_eq(t.text.s, "1 small\n");
			ck_assert_ptr_nonnull(strstr(t.failed, "at most 1048576"));
			strbuf_free(&t.text);
			vfs_free(v);
		}
	}
	free(text);
	free(out);
}
END_TEST

START_TEST(what_was_written_last_may_be_missing)
{
	make_three(0);
	make_list(&m, MAKE_ARRAY_AT, 4);
	m.bytes[16] = 1; /* online */
	/* The list already names an entry that never came to the disk. */
	make_le(&m, m.bytes[MAKE_ARRAY_AT] + 256u * m.bytes[MAKE_ARRAY_AT + 1] + 24 + 3 * 8, 65536, 8);
	m.len = 80000;
	tells("1 one\n2 two\n3 three\n", "an object of type 0 at byte 65536");
}
END_TEST

START_TEST(entries_behind_a_broken_list_are_found_one_by_one)
{
	size_t list;

	make_three(0);
	list = make_list(&m, MAKE_ARRAY_AT, 0);
	make_message(&m, 4, "four");
	make_list(&m, list + 16, 0);
	make_message(&m, 5, "five");
	/* The second list is said to be where nothing is; then the first one, too. */
	make_le(&m, list + 16, 0xfffffffffffffff8, 8);
	tells("1 one\n2 two\n3 three\n4 four\n5 five\n", "an object at byte 18446744073709551608");
	make_le(&m, MAKE_ARRAY_AT, 9, 8);
	tells("1 one\n2 two\n3 three\n4 four\n5 five\n", "an object at byte 9");
}
END_TEST

START_TEST(lists_in_a_circle_end)
{
	char words[80];
	size_t list;

	make_three(16);
	list = make_list(&m, MAKE_ARRAY_AT, 0);
	make_le(&m, list + 16, list, 8);
	snprintf(words, sizeof words, "a list of entries that goes back to byte %zu", list);
	tells("1 one\n2 two\n3 three\n", words);
	m.entries[0] = m.bytes[list + 24] + 256u * m.bytes[list + 25];
	/* The same entry again and again. */
	make_le(&m, list + 16, 0, 8);
	make_le(&m, list + 28, m.entries[0], 4);
	make_le(&m, list + 32, m.entries[0], 4);
	snprintf(words, sizeof words, "a list of entries that goes back to byte %zu", m.entries[0]);
	tells("1 one\n", words);
}
END_TEST

START_TEST(sizes_that_wrap_are_damage)
{
	size_t entry;

	make_three(0);
	entry = m.entries[1];
	make_list(&m, MAKE_ARRAY_AT, 0);
	make_le(&m, entry + 8, UINT64_MAX, 8);
	tells("1 one\n3 three\n", "an object of 18446744073709551615 bytes at byte 448");
	make_le(&m, entry + 8, 63, 8);
	tells("1 one\n3 three\n", "an object of 63 bytes at byte 448");
	make_le(&m, entry + 8, 80, 8);
	make_le(&m, entry + 64, 0x8000000000000000, 8);
	tells("1 one\n3 three\n", "an object at byte 9223372036854775808");
	/* An entry whose field is itself. */
	make_le(&m, entry + 64, entry, 8);
	tells("1 one\n3 three\n", "an object of type 3 at byte 448");
}
END_TEST

START_TEST(an_entry_has_a_time_and_a_number_of_fields)
{
	size_t entry;

	make_three(0);
	entry = m.entries[1];
	make_list(&m, MAKE_ARRAY_AT, 0);
	make_le(&m, entry + 24, UINT64_MAX, 8);
	tells("1 one\n3 three\n", "an entry without a time at byte 448");
	make_le(&m, entry + 24, 1, 8);
	make_le(&m, entry + 8, 64, 8);
	tells("1 one\n3 three\n", "an entry of 0 fields at byte 448");
}
END_TEST

START_TEST(headers_are_judged)
{
	make_three(32);
	make_list(&m, MAKE_ARRAY_AT, 0);
	tells("", "a journal with features that are not known (0x20)");
	make_three(0);
	make_le(&m, 88, 1u << 30, 8);
	tells("", "a header of 1073741824 bytes");
	m.len = 100;
	tells("", "it is too short for a journal");
	make_three(0);
	m.bytes[0] = 'x';
	tells("", "it is no journal");
}
END_TEST

START_TEST(fields_that_are_none_are_left_out)
{
	size_t fields[4];

	make_begin(&m, 0);
	fields[0] = make_field(&m, "no name");
	fields[1] = make_field(&m, "lower=x");
	fields[2] = make_field(&m, "MESSAGE=yes");
	fields[3] = make_bytes(&m, 3, "X=Y", 3);
	make_entry(&m, 1, fields, 4);
	make_list(&m, MAKE_ARRAY_AT, 0);
	tells("1 yes\n", "a field without a name at byte 208");
}
END_TEST

START_TEST(what_entries_give_in_all_is_bounded)
{
	static char text[100000];
	size_t fields[30];

	make_begin(&m, 0);
	memset(text, 'x', sizeof text);
	memcpy(text, "MESSAGE=", 8);
	fields[0] = make_bytes(&m, 0, text, sizeof text);
	for (size_t i = 1; i < 30; i++)
		fields[i] = fields[0];
	for (size_t i = 0; i < 60; i++)
		make_entry(&m, i + 1, fields, 30);
	make_list(&m, MAKE_ARRAY_AT, 0);
	make_write(&m, "a");
	{
		struct told t = { .text = STRBUF_INIT };
		const struct log_walk w = { .entry = on_entry, .failed = on_failure, .arg = &t };
		struct vfs *v = tree("mkdir -p var/log/journal/id; mv ../a var/log/journal/id/a.journal");

		ok(log_walk(v, &everything, &w, &e));
		ck_assert_str_eq(t.failed, "its entries are more than 100 times as large as the file");
		ck_assert_uint_eq(t.nfailed, 1);
		strbuf_free(&t.text);
		vfs_free(v);
	}
}
END_TEST

TEST_MAIN("journal", entries_of_both_modes_are_read_through_all_lists, the_last_entries_are_found_without_the_others,
	  several_files_are_one_stream_without_doubles, compressed_fields_are_read_by_each_algorithm,
	  a_field_that_would_become_huge_is_left_out, what_was_written_last_may_be_missing,
	  entries_behind_a_broken_list_are_found_one_by_one, lists_in_a_circle_end, sizes_that_wrap_are_damage,
	  an_entry_has_a_time_and_a_number_of_fields, headers_are_judged, fields_that_are_none_are_left_out,
	  what_entries_give_in_all_is_bounded)
