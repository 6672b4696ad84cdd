/* SPDX-License-Identifier: GPL-2.0-or-later */
/* client_test.c - the client and the real agent, over folders of this host. */
#include "agent_child.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

static void put_file(const char *path, const void *bytes, size_t len)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(bytes, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

static char here[CHILD_PATH];

static void begin(struct agent_child *a, uint64_t *root)
{
	ck_assert_ptr_nonnull(getcwd(here, sizeof here));
	agent_open(a);
	agent_folder(a, here, NULL, false, root);
}

START_TEST(tells_its_kernel_and_answers)
{
	struct err e = ERR_INIT;
	struct agent_child a;

	agent_open(&a);
	ck_assert(strchr(client_kernel(a.c), '.'));
	ok(client_ping(a.c, &e));
	ck_assert(!client_lost(a.c));
	agent_close(&a);
}
END_TEST

START_TEST(tells_a_file_s_facts)
{
	struct err e = ERR_INIT;
	struct agent_child a;
	struct fs_stat st;
	struct stat host;
	uint64_t root, node, again;

	put_file("a", "hello", 5);
	ck_assert_int_eq(link("a", "b"), 0);
	ck_assert_int_eq(chmod("a", 04751), 0);
	begin(&a, &root);
	ok(client_lookup(a.c, root, "a", &node, &e));
	ok(client_stat(a.c, node, &st, &e));
	ck_assert_int_eq(stat("a", &host), 0);
	ck_assert_uint_eq(st.ino, host.st_ino);
	ck_assert_uint_eq(st.size, 5);
	ck_assert_uint_eq(st.mode, host.st_mode);
	ck_assert_uint_eq(st.nlink, 2);
	ck_assert_uint_eq(st.blocks512, host.st_blocks);
	ck_assert_int_eq(st.mtime.sec, host.st_mtim.tv_sec);
	ck_assert_uint_eq(st.mtime.nsec, host.st_mtim.tv_nsec);
	ok(client_lookup(a.c, root, "b", &again, &e));
	ck_assert_msg(again == node, "a hard link is the same node");
	fails(client_lookup(a.c, root, "c", &node, &e), ERR_NOT_FOUND);
	fails(client_lookup(a.c, root, "a/b", &node, &e), ERR_NOT_FOUND);
	agent_close(&a);
}
END_TEST

struct seen {
	unsigned n, folders, dots;
	uint64_t nodes;
	struct client *c;
	uint64_t dir;
};

static int on_entry(void *arg, const struct fs_dirent *d, struct err *out)
{
	struct seen *s = arg;
	struct err e = ERR_INIT;
	struct fs_stat st;
	uint64_t node;

	(void)out;
	if (strcmp(d->name, ".") == 0 || strcmp(d->name, "..") == 0) {
		s->dots++;
		return 0;
	}
	s->n++;
	s->folders += d->type == S_IFDIR;
	ok(client_lookup(s->c, s->dir, d->name, &node, &e));
	if (d->ino)
		ck_assert_uint_eq(d->ino, node);
	ok(client_stat(s->c, node, &st, &e));
	ck_assert_uint_eq(st.size, (uint64_t)atoi(d->name + 1) % 100);
	return 0;
}

START_TEST(lists_a_folder_of_many_pages)
{
	struct err e = ERR_INIT;
	struct agent_child a;
	struct seen s = { 0 };
	uint64_t root;
	char name[300];

	ck_assert_int_eq(mkdir("many", 0755), 0);
	for (unsigned i = 0; i < 2500; i++) {
		snprintf(name, sizeof name, "many/f%u_%0200u", i, 0);
		put_file(name, name, (size_t)(atoi(name + 6) % 100));
	}
	begin(&a, &root);
	ok(client_lookup(a.c, root, "many", &s.dir, &e));
	s.c = a.c;
	/* The second time, names are asked for together. */
	for (unsigned times = 1; times <= 2; times++) {
		ok(client_readdir(a.c, s.dir, on_entry, &s, &e));
		ck_assert_uint_eq(s.n, 2500 * times);
		ck_assert_uint_eq(s.dots, 2 * times);
	}
	ck_assert_uint_eq(s.folders, 0);
	agent_close(&a);
}
END_TEST

static void pattern(uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(i * 2654435761u >> 13);
}

START_TEST(reads_one_after_the_other_and_at_random)
{
	struct err e = ERR_INIT;
	struct agent_child a;
	const size_t len = 9 * 1024 * 1024 + 123;
	uint8_t *want = malloc(len), *got = malloc(len + 100);
	uint64_t root, node;
	size_t n, at = 0;

	ck_assert(want && got);
	pattern(want, len);
	put_file("big", want, len);
	begin(&a, &root);
	ok(client_lookup(a.c, root, "big", &node, &e));
	ok(client_pread(a.c, node, got, len + 100, 0, &n, &e));
	ck_assert_uint_eq(n, len);
	ck_assert_mem_eq(got, want, len);
	memset(got, 0, len);
	do {
		ok(client_pread(a.c, node, got + at, 70000, at, &n, &e));
		at += n;
	} while (n == 70000);
	ck_assert_uint_eq(at, len);
	ck_assert_mem_eq(got, want, len);
	for (unsigned i = 0; i < 200; i++) {
		size_t off = i * 7919u * 131u % len, size = i * 977u % 90000;

		ok(client_pread(a.c, node, got, size, off, &n, &e));
		ck_assert_uint_eq(n, off + size > len ? len - off : size);
		ck_assert_mem_eq(got, want + off, n);
	}
	ok(client_pread(a.c, node, got, 10, len, &n, &e));
	ck_assert_uint_eq(n, 0);
	fails(client_pread(a.c, root, got, 10, 0, &n, &e), ERR_SYSTEM);
	ck_assert_int_eq(e.sys_errno, EISDIR);
	ok(client_ping(a.c, &e));
	free(want);
	free(got);
	agent_close(&a);
}
END_TEST

/* Sleeping is for a machine of its own that has done nothing yet, and waking for one that slept. */
START_TEST(does_not_sleep_where_it_is_a_guest)
{
	uint8_t frame[CLIENT_WAKE_SIZE];
	struct err e = ERR_INIT;
	struct agent_child a;
	size_t len = client_wake_frame(frame, 3);
	struct client *c;
	pid_t pid;
	int fd;

	agent_open(&a);
	ck_assert_int_lt(client_sleep(a.c, &e), 0);
	ck_assert_ptr_nonnull(strstr(e.msg, "this machine is not new"));
	ok(client_ping(a.c, &e));
	agent_close(&a);
	ck_assert_uint_gt(len, 64);
	fd = agent_start(&pid);
	ck_assert_int_eq(send(fd, frame, len, 0), (ssize_t)len);
	ok(client_new(fd, 10000, &c, &e));
	/* The answer to what this client did not ask. */
	ck_assert_int_lt(client_ping(c, &e), 0);
	client_free(c);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
END_TEST

TEST_MAIN("appliance/client", does_not_sleep_where_it_is_a_guest, tells_its_kernel_and_answers, tells_a_file_s_facts,
	  lists_a_folder_of_many_pages, reads_one_after_the_other_and_at_random)
