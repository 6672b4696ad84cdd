/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tar.h"

#include "testing.h"

#include <string.h>

#define TEXT_IS(b, at, text) ck_assert_mem_eq((b).s + (at), text, strlen(text))

static const char long_name[] =
	"./a-name-that-is-longer/than-the-hundred-bytes/that-the-old-header-has/for-it/and-has-no-place-to-be-cut-in-two-parts";

/* "LEN KEY=VALUE\n" somewhere in the archive. */
static bool has_record(const struct strbuf *b, const char *record)
{
	return memmem(b->s, b->len, record, strlen(record)) != NULL;
}

START_TEST(a_plain_file_takes_one_header)
{
	struct strbuf b = STRBUF_INIT;
	const struct tar_member m = { .type = TAR_FILE, .path = "./f", .mode = 04755, .uid = 1000, .gid = 7, .size = 513,
				      .mtime = { 8, 0 } };

	tar_member(&b, &m);
	ck_assert_uint_eq(b.len, TAR_BLOCK);
	TEXT_IS(b, 0, "./f");
	TEXT_IS(b, 100, "0004755\0" "0001750");
	TEXT_IS(b, 124, "00000001001");
	TEXT_IS(b, 136, "00000000010");
	TEXT_IS(b, 257, "ustar");
	ck_assert_uint_eq(tar_content_size(&m), 513);
	strbuf_free(&b);
}
END_TEST

START_TEST(what_the_header_has_no_room_for_goes_into_records)
{
	struct strbuf b = STRBUF_INIT;
	const struct tar_xattr x[] = { { "user.a=b%", "\0v\n", 3 } };
	const struct tar_time t = { -3, 250000000 };

	tar_member(&b, &(struct tar_member){ .type = TAR_FILE, .path = long_name, .uid = 3000000, .gid = 4294967295u,
					     .size = 1ULL << 33, .mtime = { 5, 1 }, .atime = &t, .xattrs = x, .nxattrs = 1,
					     .acl = "user::r--" });
	ck_assert_int_eq(b.s[156], 'x');
	ck_assert(has_record(&b, "15 uid=3000000\n"));
	ck_assert(has_record(&b, "18 gid=4294967295\n"));
	ck_assert(has_record(&b, "19 size=8589934592\n"));
	ck_assert(has_record(&b, "21 mtime=5.000000001\n"));
	ck_assert(has_record(&b, "22 atime=-2.750000000\n"));
	ck_assert(has_record(&b, "SCHILY.acl.access=user::r--\n"));
	ck_assert(memmem(b.s, b.len, "SCHILY.xattr.user.a%3Db%25=\0v\n\n", 31));
	ck_assert(memmem(b.s, b.len, long_name, strlen(long_name)));
	ck_assert_uint_eq(b.len % TAR_BLOCK, 0);
	strbuf_free(&b);
}
END_TEST

/* Where a record's own length is what makes its length longer. */
START_TEST(a_records_length_counts_its_own_digits)
{
	for (size_t n = 1; n < 1200; n++) {
		struct strbuf b = STRBUF_INIT;
		char link[1200] = "", *end;
		unsigned long len;

		memset(link, 'x', n);
		tar_member(&b, &(struct tar_member){ .type = TAR_SYMLINK, .path = "l", .link = link });
		if (n > 100) {
			len = strtoul(b.s + TAR_BLOCK, &end, 10);
			ck_assert_int_eq(*end, ' ');
			ck_assert_int_eq(b.s[TAR_BLOCK + len - 1], '\n');
			ck_assert(len % TAR_BLOCK == 0 || !b.s[TAR_BLOCK + len]);
		} else {
			ck_assert_uint_eq(b.len, TAR_BLOCK);
		}
		strbuf_free(&b);
	}
}
END_TEST

START_TEST(names_that_are_no_text_stay_bytes)
{
	struct strbuf b = STRBUF_INIT, c = STRBUF_INIT;
	char name[130] = "\xff";

	tar_member(&b, &(struct tar_member){ .type = TAR_FIFO, .path = "\xff\xfe" });
	ck_assert_uint_eq(b.len, TAR_BLOCK);
	TEXT_IS(b, 0, "\xff\xfe");
	memset(name + 1, 'n', 120);
	tar_member(&c, &(struct tar_member){ .type = TAR_FIFO, .path = name });
	ck_assert(has_record(&c, "21 hdrcharset=BINARY\n"));
	strbuf_free(&b);
	strbuf_free(&c);
}
END_TEST

START_TEST(a_file_with_holes_has_a_map_and_its_data_only)
{
	struct strbuf b = STRBUF_INIT;
	const struct tar_run runs[] = { { 4096, 512 }, { 1 << 20, 100 } };
	const struct tar_member m = { .type = TAR_FILE, .path = "d/s", .size = 2 << 20, .runs = runs, .nruns = 2 };

	tar_member(&b, &m);
	ck_assert_uint_eq(tar_content_size(&m), 612);
	ck_assert(has_record(&b, "22 GNU.sparse.major=1\n"));
	ck_assert(has_record(&b, "23 GNU.sparse.name=d/s\n"));
	ck_assert(has_record(&b, "31 GNU.sparse.realsize=2097152\n"));
	/* The map is the last block: two runs, and the hole at the end. */
	TEXT_IS(b, b.len - TAR_BLOCK, "3\n4096\n512\n1048576\n100\n2097152\n0\n");
	TEXT_IS(b, b.len - 2 * TAR_BLOCK, "d/GNUSparseFile.0/s");
	TEXT_IS(b, b.len - 2 * TAR_BLOCK + 124, "00000002144");
	strbuf_free(&b);
}
END_TEST

START_TEST(an_archive_ends_in_zeros_up_to_a_record)
{
	static const uint64_t sizes[] = { 0, 512, 9216, 9728, 10240, 1 << 20 };

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct strbuf b = STRBUF_INIT;

		tar_end(&b, sizes[i]);
		ck_assert_uint_ge(b.len, 2 * TAR_BLOCK);
		ck_assert_uint_eq((sizes[i] + b.len) % 10240, 0);
		ck_assert_uint_lt(b.len, 10240 + 2 * TAR_BLOCK);
		strbuf_free(&b);
	}
}
END_TEST

START_TEST(acls_are_told_in_words_or_not_at_all)
{
	static const unsigned char acl[] = { 2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 232, 3, 0, 0,
					     4, 0, 0, 0, 255, 255, 255, 255, 16, 0, 4, 0, 255, 255, 255, 255,
					     32, 0, 1, 0, 255, 255, 255, 255 };
	unsigned char bad[sizeof acl];
	struct strbuf b = STRBUF_INIT;

	ck_assert(tar_acl_text(&b, acl, sizeof acl));
	ck_assert_str_eq(b.s, "user::rw-,user:1000:r--,group::---,mask::r--,other::--x");
	ck_assert(!tar_acl_text(&b, acl, sizeof acl - 1));
	ck_assert(!tar_acl_text(&b, acl, 4));
	memcpy(bad, acl, sizeof acl);
	bad[0] = 3;
	ck_assert(!tar_acl_text(&b, bad, sizeof bad));
	bad[0] = 2;
	bad[4] = 3;
	ck_assert(!tar_acl_text(&b, bad, sizeof bad));
	strbuf_free(&b);
}
END_TEST

TEST_MAIN("tar", a_plain_file_takes_one_header, what_the_header_has_no_room_for_goes_into_records,
	  a_records_length_counts_its_own_digits, names_that_are_no_text_stay_bytes,
	  a_file_with_holes_has_a_map_and_its_data_only, an_archive_ends_in_zeros_up_to_a_record,
	  acls_are_told_in_words_or_not_at_all)
