/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Archives of tar.h read again, and those of every tar that is here. */
#include "untar.h"

#include "alloc.h"
#include "io.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct bytes {
	const char *s;
	size_t len, at;
};

static int from_bytes(void *arg, void *buf, size_t len, size_t *got, struct err *e)
{
	struct bytes *b = arg;

	(void)e;
	*got = MIN_OF(MIN_OF(len, b->len - b->at), 700); /* in odd pieces */
	memcpy(buf, b->s + b->at, *got);
	b->at += *got;
	return 0;
}

/* A line for each member, with the sum of its content's bytes. */
static int tell(const char *archive, size_t len, struct strbuf *out, struct err *e)
{
	struct bytes b = { archive, len, 0 };
	struct untar *u = NULL;
	struct untar_member m;
	int rc = untar_new(from_bytes, &b, &u, e);

	while (rc == 0 && (rc = untar_next(u, &m, e)) == 1) {
		char buf[1000];
		size_t got;
		unsigned long sum = 0;

		strbuf_printf(out, "%c %s", m.type, m.path);
		if (m.type == TAR_SYMLINK || m.type == TAR_HARDLINK)
			strbuf_printf(out, " -> %s", m.link);
		if (m.type == TAR_FILE)
			strbuf_printf(out, " %" PRIu64, m.size);
		for (size_t i = 0; i < m.nruns; i++)
			strbuf_printf(out, " [%" PRIu64 "+%" PRIu64 "]", m.runs[i].off, m.runs[i].len);
		for (size_t i = 0; i < m.nxattrs; i++)
			strbuf_printf(out, " %s=%.*s", m.xattrs[i].name, (int)m.xattrs[i].len, (const char *)m.xattrs[i].value);
		while ((rc = untar_read(u, buf, sizeof buf, &got, e)) == 0 && got)
			for (size_t i = 0; i < got; i++)
				sum += (unsigned char)buf[i];
		strbuf_printf(out, " %lu\n", sum);
	}
	untar_free(u);
	return rc;
}

START_TEST(what_tar_h_writes_is_read_again)
{
	static const struct tar_run runs[] = { { 4096, 3 }, { 100000, 2 } };
	static const struct tar_xattr xattrs[] = { { "user.a", "b\nc", 3 } };
	char longer[300];
	const struct tar_member members[] = {
		{ .type = TAR_DIRECTORY, .path = "./", .mode = 0755 },
		{ .type = TAR_FILE, .path = "./f", .mode = 04644, .uid = 3000000, .gid = 7, .size = 3, .xattrs = xattrs,
		  .nxattrs = 1, .mtime = { -2, 500000000 }, .acl = "user::rw-,user:5:r--,group::r--,mask::r--,other::r--" },
		{ .type = TAR_FILE, .path = longer, .size = 200000, .runs = runs, .nruns = 2 },
		{ .type = TAR_HARDLINK, .path = "h", .link = longer },
		{ .type = TAR_SYMLINK, .path = "s", .link = "../f" },
		{ .type = TAR_CHAR, .path = "c", .major = 5, .minor = 300 },
	};
	struct strbuf archive = STRBUF_INIT, out = STRBUF_INIT, want = STRBUF_INIT;
	struct err e = ERR_INIT;
	struct untar_member m;
	struct untar *u;
	struct bytes b;

	memset(longer, 'x', 299);
	longer[299] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		tar_member(&archive, &members[i]);
		strbuf_add(&archive, "abcde", (size_t)tar_content_size(&members[i]));
		if (members[i].type == TAR_FILE)
			tar_pad(&archive, tar_content_size(&members[i]));
	}
	tar_end(&archive, archive.len);
	ck_assert_msg(tell(archive.s, archive.len, &out, &e) == 0, "%s", e.msg);
	strbuf_printf(&want,
		      "5 ./ 0\n0 ./f 3 user.a=b\nc 294\n0 %s 200000 [4096+3] [100000+2] 495\n1 h -> %s 0\n2 s -> ../f 0\n3 c 0\n",
		      longer, longer);
	ck_assert_str_eq(out.s, want.s);

	b = (struct bytes){ archive.s, archive.len, 0 };
	ck_assert_int_eq(untar_new(from_bytes, &b, &u, &e), 0);
	ck_assert_int_eq(untar_next(u, &m, &e), 1);
	ck_assert_int_eq(untar_next(u, &m, &e), 1);
	ck_assert(m.mode == 04644 && m.uid == 3000000 && m.gid == 7 && m.mtime.sec == -2 && m.mtime.nsec == 500000000);
	ck_assert_str_eq(m.acl, members[1].acl);
	untar_free(u);
	/* Cut off anywhere, it is an error or has fewer members, and nothing else. */
	for (size_t cut = 0; cut < archive.len; cut += 100) {
		strbuf_reset(&out);
		tell(archive.s, cut, &out, &e);
	}
	strbuf_free(&archive);
	strbuf_free(&out);
	strbuf_free(&want);
}
END_TEST

START_TEST(an_acl_becomes_what_it_was)
{
	static const char text[] = "user::rw-,user:1000:r-x,group::r--,group:7:-w-,mask::rwx,other::---";
	struct strbuf kernel = STRBUF_INIT, again = STRBUF_INIT;

	ck_assert(tar_acl_parse(&kernel, text));
	ck_assert(tar_acl_text(&again, kernel.s, kernel.len));
	ck_assert_str_eq(again.s, text);
	strbuf_reset(&kernel);
	ck_assert(tar_acl_parse(&kernel, "u::rwx\nuser:ann:r--:1000\ngroup::r-x # effective\nmask::r-x\no::r--\n"));
	strbuf_reset(&again);
	ck_assert(tar_acl_text(&again, kernel.s, kernel.len));
	ck_assert_str_eq(again.s, "user::rwx,user:1000:r--,group::r-x,mask::r-x,other::r--");
	ck_assert(!tar_acl_parse(&kernel, "user:ann:r--"));
	ck_assert(!tar_acl_parse(&kernel, ""));
	ck_assert(!tar_acl_parse(&kernel, "x::r--"));
	strbuf_free(&kernel);
	strbuf_free(&again);
}
END_TEST

START_TEST(what_is_none_is_told)
{
	char junk[2000];
	struct strbuf out = STRBUF_INIT;
	struct err e = ERR_INIT;

	memset(junk, 'x', sizeof junk);
	ck_assert_int_eq(tell(junk, sizeof junk, &out, &e), -ERR_CORRUPT);
	ck_assert_str_eq(e.msg, "this is no tar archive");
	ck_assert_int_eq(tell(junk, 10, &out, &e), -ERR_CORRUPT);
	ck_assert_str_eq(e.msg, "this is no tar archive");
	ck_assert_int_eq(tell("BZh91", 5, &out, &e), -ERR_UNSUPPORTED);
	ck_assert_int_eq(tell("", 0, &out, &e), 0);
	strbuf_free(&out);
}
END_TEST

/* All of a program's output; false: it is not here, or failed. */
static bool output_of(const char *command, struct strbuf *out)
{
	FILE *f = popen(command, "r");
	char buf[4096];
	size_t n;

	strbuf_reset(out);
	while (f && (n = fread(buf, 1, sizeof buf, f)) > 0)
		strbuf_add(out, buf, n);
	return f && pclose(f) == 0;
}

START_TEST(archives_of_every_tar_are_read)
{
	static const char *const ways[] = {
		"tar --format=posix", "tar --format=gnu", "tar --format=oldgnu", "tar --format=ustar", "tar --format=posix -S",
		"tar --format=gnu -S", "tar --format=posix -S --sparse-version=0.1", "bsdtar --format pax",
		"bsdtar --format gnutar",
		"tar -z", "tar -J", "tar --zstd",
	};
	char folder[] = "/tmp/untar_test.XXXXXX";
	struct strbuf text = STRBUF_INIT, archive = STRBUF_INIT, out = STRBUF_INIT;
	size_t tried = 0;

	ck_assert(mkdtemp(folder) != NULL);
	strbuf_printf(&text,
		      "cd %s && mkdir -p t/d && cd t && printf hello >f && ln f g && ln -s f s && mkfifo p && "
		      "printf x >d/%0110d && truncate -s 300000 h && "
		      "printf mid | dd of=h bs=1 seek=131072 conv=notrunc status=none",
		      folder, 1);
	ck_assert(output_of(text.s, &out));
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		CLEANUP(strbuf_free) struct strbuf got = STRBUF_INIT, want = STRBUF_INIT;
		struct err e = ERR_INIT;
		size_t with_runs;

		strbuf_reset(&text);
		strbuf_printf(&text, "cd %s/t && %s -cf - f g s p d h 2>/dev/null", folder, ways[i]);
		if (!output_of(text.s, &archive))
			continue;
		tried++;
		ck_assert_msg(tell(archive.s, archive.len, &got, &e) == 0, "%s: %s", ways[i], e.msg);
		strbuf_printf(&want, "0 f 5 532\n1 g -> f 0\n2 s -> f 0\n6 p 0\n5 d/ 0\n0 d/%0110d 1 120\n0 h 300000", 1);
		ck_assert_msg(strncmp(got.s, want.s, want.len) == 0, "%s: %s", ways[i], got.s);
		/* The content's sum is the same, whatever of it is told as holes. */
		with_runs = strlen(got.s);
		ck_assert_msg(with_runs > 5 && strcmp(got.s + with_runs - 5, " 314\n") == 0, "%s: %s", ways[i],
			      got.s);
		if (strstr(ways[i], "-S"))
			ck_assert_msg(strstr(got.s, "0 h 300000 [131072+") != NULL, "%s: %s", ways[i], got.s);
	}
	ck_assert(tried > 0);
	strbuf_reset(&text);
	strbuf_printf(&text, "rm -r %s", folder);
	ck_assert(output_of(text.s, &out));
	strbuf_free(&text);
	strbuf_free(&archive);
	strbuf_free(&out);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("untar");
	TCase *t = tcase_create("untar");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_test(t, what_tar_h_writes_is_read_again);
	tcase_add_test(t, an_acl_becomes_what_it_was);
	tcase_add_test(t, what_is_none_is_told);
	tcase_add_test(t, archives_of_every_tar_are_read);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
