/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fixture.h"
#include "vfs_cursor.h"

static const struct vfs_entry *next(struct vfs_cursor *c)
{
	const struct vfs_entry *ent;

	ok(vfs_cursor_next(c, &ent, &e));
	return ent;
}

/* What a cursor gives, a directory's path with "/" behind; not into directories called `skip`. */
static char *listing(struct vfs *v, const char *start, const char *skip)
{
	struct strbuf text = STRBUF_INIT;
	const struct vfs_entry *ent;
	struct vfs_cursor *c;

	ok(vfs_cursor_open(v, start, NULL, NULL, &c, &e));
	while ((ent = next(c))) {
		strbuf_printf(&text, "%s%s ", ent->path, S_ISDIR(ent->st.mode) ? "/" : "");
		ck_assert_uint_eq(ent->depth == 0, ent->rel[0] == '\0');
		if (skip && strcmp(ent->name, skip) == 0)
			vfs_cursor_skip(c);
	}
	ck_assert_ptr_null(next(c)); /* the end stays the end */
	vfs_cursor_close(c);
	return strbuf_detach(&text);
}

static void lists(struct vfs *v, const char *start, const char *skip, const char *want)
{
	CLEANUP(free_ptr) char *got = listing(v, start, skip);

	ck_assert_str_eq(got, want);
}

static struct vfs *small_tree(void)
{
	run("mkdir -p t/b/x t/a t/B; : > t/b/x/f; : > t/b/a; ln -s b t/link; : > t/a/z; : > t/a-b");
	make_fs("8M", "-t ext4 -b 1024");
	run("debugfs -w -R 'rmdir lost+found' d");
	return open_tree();
}

START_TEST(a_cursor_goes_where_a_walk_goes)
{
	struct vfs *v = small_tree();

	lists(v, "/", NULL, "// /B/ /a/ /a/z /a-b /b/ /b/a /b/x/ /b/x/f /link ");
	lists(v, "b", NULL, "/b/ /b/a /b/x/ /b/x/f ");
	lists(v, "/link", "x", "/link/ /link/a /link/x/ ");
	lists(v, "/", "b", "// /B/ /a/ /a/z /a-b /b/ /link ");
	lists(v, "/b/a", NULL, "/b/a ");
	vfs_free(v);
}
END_TEST

START_TEST(its_order_is_the_one_of_paths)
{
	CLEANUP(free_ptr) char *before = NULL;
	struct vfs *v = small_tree();
	const struct vfs_entry *ent;
	struct vfs_cursor *c;

	ok(vfs_cursor_open(v, "/", NULL, NULL, &c, &e));
	while ((ent = next(c))) {
		if (before) {
			ck_assert_int_lt(path_order(before, ent->rel), 0);
			ck_assert_int_gt(path_order(ent->rel, before), 0);
		}
		ck_assert_int_eq(path_order(ent->rel, ent->rel), 0);
		free(before);
		before = alloc_strdup(ent->rel);
	}
	vfs_cursor_close(c);
	ck_assert_int_lt(path_order("a/z", "a-b"), 0);
	ck_assert_int_lt(path_order("a", "a\001"), 0);
	ck_assert_int_lt(path_order("a/b", "a\001"), 0);
	ck_assert_int_lt(path_order("a", "\303\244"), 0);
	vfs_free(v);
}
END_TEST

static int collect(void *arg, const char *path, const struct err *why, struct err *err)
{
	(void)err;
	strbuf_printf(arg, "%s: %s\n", path, why->msg);
	return 0;
}

START_TEST(a_directory_that_holds_itself_is_told_and_not_entered)
{
	struct strbuf told = STRBUF_INIT;
	const struct vfs_entry *ent;
	struct vfs_cursor *c;
	struct vfs *v;
	size_t n = 0;

	run("mkdir -p t/a/b; : > t/z");
	make_fs("8M", "-t ext4 -b 1024");
	run("debugfs -w -R 'rmdir lost+found' d; debugfs -w -R 'ln /a /a/b/again' d");
	v = open_tree();
	ok(vfs_cursor_open(v, "/", collect, &told, &c, &e));
	while ((ent = next(c)))
		n++;
	ck_assert_uint_eq(n, 5); /* the root, a, b, again, z */
	ck_assert_str_eq(told.s, "/a/b/again: the directory contains itself\n");
	vfs_cursor_close(c);
	ok(vfs_cursor_open(v, "/", NULL, NULL, &c, &e));
	n = 0;
	while (vfs_cursor_next(c, &ent, &e) == 0)
		ck_assert_uint_lt(n++, 5);
	ck_assert_str_eq(e.msg, "/a/b/again: the directory contains itself");
	ck_assert_ptr_null(next(c));
	vfs_cursor_close(c);
	strbuf_free(&told);
	vfs_free(v);
}
END_TEST

START_TEST(a_start_that_is_not_there_is_an_error)
{
	struct vfs *v = small_tree();
	struct vfs_cursor *c = NULL;

	fails(vfs_cursor_open(v, "/nothing", NULL, NULL, &c, &e), ERR_NOT_FOUND);
	ck_assert_ptr_null(c);
	vfs_cursor_close(c);
	vfs_free(v);
}
END_TEST

TEST_MAIN("vfs_cursor", a_cursor_goes_where_a_walk_goes, its_order_is_the_one_of_paths,
	  a_directory_that_holds_itself_is_told_and_not_entered, a_start_that_is_not_there_is_an_error)
