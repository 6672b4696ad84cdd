/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "deb.h"

#include "strbuf.h"
#include "tar.h"
#include "testing.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* A package with one data.tar, which is not compressed. */
static void write_deb(const char *path, const struct strbuf *tar)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fputs("!<arch>\n", f);
	fprintf(f, "%-16s%-12d%-6d%-6d%-8s%-10d`\n2.0\n", "debian-binary", 0, 0, 0, "100644", 4);
	fprintf(f, "%-16s%-12d%-6d%-6d%-8s%-10zu`\n", "data.tar", 0, 0, 0, "100644", tar->len);
	fwrite(tar->s, 1, tar->len, f);
	fclose(f);
}

static void add(struct strbuf *tar, enum tar_type type, const char *path, const char *content)
{
	const bool file = type == TAR_FILE;
	const struct tar_member m = { .type = type, .path = path, .link = file ? NULL : content, .mode = 0755, .mtime = { 77, 0 },
				      .size = file ? strlen(content) : 0 };

	tar_member(tar, &m);
	if (file) {
		strbuf_puts(tar, content);
		tar_pad(tar, m.size);
	}
}

static int unpack_into(const char *folder, const struct strbuf *tar, struct err *e)
{
	int fd, rc;

	mkdir(folder, 0755);
	write_deb("x.deb", tar);
	fd = open(folder, O_RDONLY | O_DIRECTORY);
	ck_assert_int_ge(fd, 0);
	rc = deb_unpack("x.deb", fd, e);
	close(fd);
	return rc;
}

static void has(const char *path, const char *content)
{
	char text[100] = "";
	FILE *f = fopen(path, "r");

	ck_assert_msg(f != NULL, "%s", path);
	ck_assert(fgets(text, sizeof text, f) || !*content);
	fclose(f);
	ck_assert_str_eq(text, content);
}

START_TEST(files_folders_and_links_are_put_where_they_say)
{
	struct strbuf tar = STRBUF_INIT;
	struct err e = ERR_INIT;
	struct stat st;
	char long_name[200] = "./usr/";

	memset(long_name + 6, 'n', 150);
	add(&tar, TAR_DIRECTORY, "./", "");
	add(&tar, TAR_DIRECTORY, "./usr/", "");
	add(&tar, TAR_FILE, "./usr/a", "hello");
	add(&tar, TAR_FILE, long_name, "long");
	add(&tar, TAR_SYMLINK, "./usr/l", "a");
	add(&tar, TAR_HARDLINK, "./usr/h", "./usr/a");
	tar_end(&tar, tar.len);
	ok(unpack_into("out", &tar, &e));
	has("out/usr/a", "hello");
	has("out/usr/l", "hello");
	has("out/usr/h", "hello");
	ck_assert_int_eq(stat("out/usr/a", &st), 0);
	ck_assert_int_eq(st.st_mtime, 77);
	ck_assert_uint_eq(st.st_nlink, 2);
	ck_assert_int_eq(access("out/usr/a", X_OK), 0);
	ck_assert_int_eq(chdir("out"), 0);
	has(long_name, "long");
	strbuf_free(&tar);
}
END_TEST

START_TEST(nothing_is_written_outside)
{
	static const char *const paths[] = { "../evil", "usr/../../evil", "..", "usr/.." };
	struct err e = ERR_INIT;

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		struct strbuf tar = STRBUF_INIT;

		add(&tar, TAR_FILE, paths[i], "x");
		fails(unpack_into("out", &tar, &e), ERR_CORRUPT);
		strbuf_free(&tar);
	}
	ck_assert_int_ne(access("evil", F_OK), 0);
}
END_TEST

START_TEST(a_link_out_of_the_folder_leads_into_it)
{
	struct strbuf tar = STRBUF_INIT;
	struct err e = ERR_INIT;
	char cwd[200], target[300];

	ck_assert_ptr_nonnull(getcwd(cwd, sizeof cwd));
	snprintf(target, sizeof target, "%s/outside", cwd);
	mkdir("outside", 0755);
	add(&tar, TAR_SYMLINK, "./up", "..");
	add(&tar, TAR_FILE, "./up/outside/evil", "x");
	ck_assert_int_lt(unpack_into("out", &tar, &e), 0);
	ck_assert_int_ne(access("outside/evil", F_OK), 0);
	strbuf_free(&tar);

	tar = (struct strbuf)STRBUF_INIT;
	add(&tar, TAR_SYMLINK, "./abs", target);
	add(&tar, TAR_FILE, "./abs/evil", "x");
	ck_assert_int_lt(unpack_into("out2", &tar, &e), 0);
	ck_assert_int_ne(access("outside/evil", F_OK), 0);
	strbuf_free(&tar);

	/* A file in the place of a link replaces the link, and not what that leads to. */
	tar = (struct strbuf)STRBUF_INIT;
	snprintf(target, sizeof target, "%s/outside/evil", cwd);
	add(&tar, TAR_SYMLINK, "./f", target);
	add(&tar, TAR_FILE, "./f", "x");
	ok(unpack_into("out3", &tar, &e));
	ck_assert_int_ne(access("outside/evil", F_OK), 0);
	has("out3/f", "x");
	strbuf_free(&tar);
}
END_TEST

START_TEST(what_is_damaged_is_told)
{
	struct strbuf tar = STRBUF_INIT;
	struct err e = ERR_INIT;
	FILE *f;
	int fd;

	add(&tar, TAR_FILE, "./a", "hello");
	tar.s[0] ^= 1; /* the checksum is wrong now */
	fails(unpack_into("out", &tar, &e), ERR_CORRUPT);
	tar.s[0] ^= 1;
	tar.len -= 300; /* ends in the file */
	fails(unpack_into("out", &tar, &e), ERR_CORRUPT);
	strbuf_free(&tar);
	f = fopen("no.deb", "w");
	fputs("!<arch>\nnothing", f);
	fclose(f);
	fd = open(".", O_RDONLY | O_DIRECTORY);
	fails(deb_unpack("no.deb", fd, &e), ERR_CORRUPT);
	ck_assert_str_eq(e.msg, "no.deb: not a Debian package, or damaged");
	fails(deb_unpack("not-there", fd, &e), ERR_SYSTEM);
	close(fd);
}
END_TEST

TEST_MAIN("deb", files_folders_and_links_are_put_where_they_say, nothing_is_written_outside, a_link_out_of_the_folder_leads_into_it,
	  what_is_damaged_is_told)
