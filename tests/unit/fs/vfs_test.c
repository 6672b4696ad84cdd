/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fixture.h"

#include <errno.h>

static const char make_tree[] =
	"mkdir -p t/usr/bin t/etc t/mnt/inner t/home/u; echo root > t/etc/name; echo bash > t/usr/bin/bash\n"
	"ln -s usr/bin t/bin; ln -s /etc/name t/abs; ln -s ../../../../etc/name t/home/u/up; ln -s loop2 t/loop1\n"
	"ln -s loop1 t/loop2; ln -s nowhere t/dangling; ln -s /usr/ t/slash; ln -s etc/name/ t/filedir\n"
	"for i in $(seq 45); do ln -s chain$((i + 1)) t/chain$i; done; ln -s etc/name t/chain46\n"
	"ln -s chain8 t/start38; echo x > \"t/new$(printf '\\nline')\"\n";

static struct vfs *tree(void)
{
	run(make_tree);
	make_fs("8M", "-t ext4 -b 1024");
	return open_tree();
}

static void reads(struct vfs *v, const char *path, const char *want)
{
	char *text;
	size_t len;

	ok(vfs_read_file(v, path, 1000, &text, &len, &e));
	ck_assert_str_eq(text, want);
	free(text);
}

static void is_errno(struct vfs *v, const char *path, bool follow, int want)
{
	struct fs_stat st;
	int rc = vfs_stat(v, path, follow, &st, &e);

	ck_assert_msg(rc < 0 && err_errno(&e) == want, "%s: %d (%s)", path, rc, rc < 0 ? e.msg : "found");
}

START_TEST(paths_resolve_as_the_kernel_resolves_them)
{
	struct vfs *v = tree();
	struct fs_stat st;

	reads(v, "/etc/name", "root\n");
	reads(v, "etc/name", "root\n");
	reads(v, "//etc/./../etc//name", "root\n");
	reads(v, "/bin/bash", "bash\n");
	reads(v, "/abs", "root\n");
	reads(v, "/bin/../../etc/name", "root\n");
	reads(v, "/slash/bin/bash", "bash\n");
	ok(vfs_stat(v, "/bin", false, &st, &e));
	ck_assert(S_ISLNK(st.mode));
	ok(vfs_stat(v, "/bin/", false, &st, &e));
	ck_assert(S_ISDIR(st.mode));
	ok(vfs_stat(v, "/", true, &st, &e));
	ok(vfs_stat(v, "/dangling", false, &st, &e));
	is_errno(v, "/dangling", true, ENOENT);
	is_errno(v, "", true, ENOENT);
	is_errno(v, "/etc/name/", true, ENOTDIR);
	is_errno(v, "/etc/name/x", true, ENOTDIR);
	is_errno(v, "/etc/name/..", true, ENOTDIR);
	is_errno(v, "/etc/name/.", true, ENOTDIR);
	is_errno(v, "/filedir", true, ENOTDIR);
	is_errno(v, "/nothing/..", true, ENOENT);
	is_errno(v, "/loop1", true, ELOOP);
	is_errno(v, "/loop1/x", false, ELOOP);
	vfs_free(v);
}
END_TEST

START_TEST(one_name_in_a_directory_is_found_without_following_it)
{
	struct vfs *v = tree();
	struct vfs_node root, at, same;
	struct fs_stat st;

	ok(vfs_lookup(v, "/", true, &root, &e));
	ok(vfs_child(v, root, "abs", &at, &e));
	ok(fs_stat(at.fs, at.ino, &st, &e));
	ck_assert(S_ISLNK(st.mode));
	ok(vfs_child(v, root, "etc", &at, &e));
	ok(vfs_lookup(v, "/etc", true, &same, &e));
	ck_assert(at.fs == same.fs && at.ino == same.ino);
	ck_assert_int_eq(vfs_child(v, root, "nothing", &at, &e), -ERR_NOT_FOUND);
	ck_assert_int_eq(vfs_child(v, root, "etc/name", &at, &e), -ERR_NOT_FOUND);
	vfs_free(v);
}
END_TEST

START_TEST(nothing_leads_out_of_the_guest)
{
	struct vfs *v = tree();

	reads(v, "/../../../../etc/name", "root\n");
	reads(v, "/home/u/up", "root\n");
	vfs_free(v);
}
END_TEST

START_TEST(forty_symlinks_are_followed_and_no_more)
{
	struct vfs *v = tree();

	reads(v, "/chain7", "root\n");		/* 40 of them */
	is_errno(v, "/chain6", true, ELOOP);	/* 41 */
	is_errno(v, "/chain1", true, ELOOP);
	vfs_free(v);
}
END_TEST

START_TEST(long_paths_and_names_are_refused)
{
	struct vfs *v = tree();
	char path[5000];

	memset(path, 'x', sizeof path);
	path[0] = '/';
	path[257] = '\0';
	is_errno(v, path, true, ENAMETOOLONG);
	path[256] = '\0';
	is_errno(v, path, true, ENOENT);
	memset(path, '/', sizeof path);
	path[4095] = '\0';
	ok(vfs_lookup(v, path, true, &(struct vfs_node){ 0 }, &e));
	path[4095] = '/';
	path[4096] = '\0';
	is_errno(v, path, true, ENAMETOOLONG);
	vfs_free(v);
}
END_TEST

START_TEST(a_guests_name_cannot_reach_the_terminal)
{
	struct vfs *v = tree();

	is_errno(v, "/evil\n\033[2J", true, ENOENT);
	ck_assert_str_eq(e.msg, "/evil\\n\\x1b[2J: No such file or directory");
	vfs_free(v);
}
END_TEST

/* Another filesystem whose root holds "second" and a directory "deep". */
static struct fs *second_fs(void)
{
	struct fs *fs = NULL;

	run("rm -rf t; mkdir -p t/deep; echo two > t/second; ln -s ../etc/name t/out");
	make_fs("8M", "-t ext4 -b 1024");
	ok(open_fs(&fs));
	return fs;
}

START_TEST(mounts_cover_directories_and_dotdot_leaves_them)
{
	CLEANUP(strbuf_free) struct strbuf real = STRBUF_INIT;
	struct vfs *v = tree();
	struct fs *fs = second_fs();
	struct vfs_node n;

	fails(vfs_mount(v, fs, "/etc/name", &e), ERR_SYSTEM);
	fails(vfs_mount(v, fs, "/nothing", &e), ERR_NOT_FOUND);
	ok(vfs_mount(v, fs, "/home/../mnt", &e));
	ck_assert_str_eq(vfs_mount_info(v, 1).path, "/mnt");
	reads(v, "/mnt/second", "two\n");
	reads(v, "/mnt/out", "root\n");
	reads(v, "/mnt/deep/../../etc/name", "root\n");
	is_errno(v, "/mnt/inner", true, ENOENT);
	/* Over the mounted root, and once more over the same place. */
	ok(vfs_mount(v, second_fs(), "/mnt/deep", &e));
	ok(vfs_mount(v, second_fs(), "/mnt/deep", &e));
	reads(v, "/mnt/deep/second", "two\n");
	ok(vfs_realpath(v, "/bin/../../mnt/deep/./second", true, &n, &real, &e));
	ck_assert_str_eq(real.s, "/mnt/deep/second");
	ck_assert_ptr_eq(n.fs, vfs_mount_info(v, 3).fs);
	vfs_free(v);
}
END_TEST

struct trace {
	struct strbuf text;
	const char *skip, *stop;
};

static int on_entry(void *arg, enum vfs_when when, const struct vfs_entry *ent, struct err *err)
{
	struct trace *t = arg;

	(void)err;
	strbuf_printf(&t->text, "%s%s%s ", when == VFS_LEAVE ? "<" : "", ent->path, S_ISDIR(ent->st.mode) ? "/" : "");
	ck_assert_uint_eq(ent->depth == 0, ent->rel[0] == '\0');
	if (t->stop && strcmp(ent->name, t->stop) == 0)
		return VFS_STOP;
	return t->skip && strcmp(ent->name, t->skip) == 0 ? VFS_SKIP : VFS_GO_ON;
}

START_TEST(a_walk_is_sorted_deep_and_can_be_steered)
{
	struct trace t = { .text = STRBUF_INIT };
	struct vfs_walk w = { .sorted = true, .fn = on_entry, .arg = &t };
	struct vfs *v;

	run("mkdir -p t/b/x t/a t/B; : > t/b/x/f; : > t/b/a; ln -s b t/link");
	make_fs("8M", "-t ext4 -b 1024");
	run("debugfs -w -R 'rmdir lost+found' d");
	v = open_tree();
	ok(vfs_walk(v, "/", &w, &e));
	ck_assert_str_eq(t.text.s, "// /B/ /a/ /b/ /b/a /b/x/ /b/x/f /link ");
	strbuf_reset(&t.text);
	w.want_leave = true;
	ok(vfs_walk(v, "b", &w, &e));
	ck_assert_str_eq(t.text.s, "/b/ /b/a /b/x/ /b/x/f </b/x/ </b/ ");
	strbuf_reset(&t.text);
	t.skip = "x";
	ok(vfs_walk(v, "/link/", &w, &e));
	ck_assert_str_eq(t.text.s, "/link// /link/a /link/x/ </link// ");
	strbuf_reset(&t.text);
	t.stop = "a";
	ck_assert_int_eq(vfs_walk(v, "/", &w, &e), VFS_STOP);
	ck_assert_str_eq(t.text.s, "// /B/ </B/ /a/ ");
	strbuf_free(&t.text);
	vfs_free(v);
}
END_TEST

START_TEST(a_walk_crosses_mounts_or_stays)
{
	struct trace t = { .text = STRBUF_INIT };
	struct vfs_walk w = { .sorted = true, .fn = on_entry, .arg = &t };
	struct vfs *v;

	run("mkdir -p t/mnt/hidden");
	make_fs("8M", "-t ext4 -b 1024");
	run("debugfs -w -R 'rmdir lost+found' d; cp d first");
	v = open_tree();
	ok(vfs_mount(v, second_fs(), "/mnt", &e));
	ok(vfs_walk(v, "/", &w, &e));
	ck_assert_str_eq(t.text.s, "// /mnt/ /mnt/deep/ /mnt/lost+found/ /mnt/out /mnt/second ");
	strbuf_reset(&t.text);
	w.one_fs = true;
	ok(vfs_walk(v, "/", &w, &e));
	ck_assert_str_eq(t.text.s, "// /mnt/ ");
	strbuf_reset(&t.text);
	ok(vfs_walk(v, "/mnt", &w, &e));
	ck_assert_str_eq(t.text.s, "/mnt/ /mnt/deep/ /mnt/lost+found/ /mnt/out /mnt/second ");
	strbuf_free(&t.text);
	vfs_free(v);
}
END_TEST

TEST_MAIN("vfs", paths_resolve_as_the_kernel_resolves_them, one_name_in_a_directory_is_found_without_following_it,
	  nothing_leads_out_of_the_guest, forty_symlinks_are_followed_and_no_more,
	  long_paths_and_names_are_refused,
	  a_guests_name_cannot_reach_the_terminal, mounts_cover_directories_and_dotdot_leaves_them,
	  a_walk_is_sorted_deep_and_can_be_steered, a_walk_crosses_mounts_or_stays)
