/* SPDX-License-Identifier: GPL-2.0-or-later */
/* redo_kill_test.c - a process that commits without end is killed at any moment: the disks hold one of the states, all the same. */
#include "redo_fixture.h"

#include "confine.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/mount.h>

enum { BLOCKS = 200 };

static char after(char c)
{
	return (char)(c == 'z' ? 'a' : c + 1);
}

/* Each commit writes its letter to blocks all over each disk, and tells it beforehand. */
static void commit_without_end(const char *const *names, size_t n, const char *format, volatile char *telling)
{
	struct block *b[2];
	struct redo *r;

	for (size_t i = 0; i < n; i++)
		b[i] = open_image(names[i], format, BLOCK_WRITE);
	ok(redo_begin(b, n, &r, &e));
	for (char c = *telling;; c = after(c)) {
		for (size_t i = 0; i < n; i++)
			for (uint64_t k = 0; k < BLOCKS; k++)
				fill(redo_disk(r, i), c, 4096, k * 5000);
		*telling = c;
		ok(redo_commit(r, NULL, NULL, NULL, &e));
	}
}

/* The letter that is in all places of the disk; 0: there are several. */
static char letter_of(const char *name, const char *format, unsigned flags)
{
	struct block *b = open_image(name, format, flags);
	char c;

	ok(block_pread(b, &c, 1, 0, &e));
	for (uint64_t k = 0; k < BLOCKS && c; k++)
		if (!holds(b, c, 4096, k * 5000))
			c = 0;
	if (flags & BLOCK_WRITE)
		ok(block_finish(b, &e));
	block_unref(b);
	return c;
}

static void killed_at_random(size_t n, const char *format)
{
	static const char *const names[] = { "a", "b" };
	const char *times = getenv("DRYDOCK_TEST_KILLS");
	volatile char *telling = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned kills = times ? (unsigned)atoi(times) : 25, old = 0;

	*telling = 'a';
	for (size_t i = 0; i < n; i++) {
		struct block *b;

		make_image(names[i], format, SIZE);
		b = open_image(names[i], format, BLOCK_WRITE);
		for (uint64_t k = 0; k < BLOCKS; k++)
			fill(b, 'a', 4096, k * 5000);
		ok(block_finish(b, &e));
		block_unref(b);
	}
	srand(7);
	for (unsigned i = 0; i < kills; i++) {
		char first = 0;
		int status;
		pid_t pid = fork();

		if (pid == 0) {
			commit_without_end(names, n, format, telling);
			_exit(0);
		}
		usleep((useconds_t)(rand() % 20000));
		kill(pid, SIGKILL);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		for (size_t k = 0; k < n; k++) {
			char shown = letter_of(names[k], format, 0), is = letter_of(names[k], format, BLOCK_WRITE);

			ck_assert_msg(is && shown == is, "kill %u: disk %zu shows %d and holds %d", i, k, shown, is);
			first = k ? first : is;
			ck_assert_msg(is == first, "kill %u: the disks hold %c and %c", i, first, is);
		}
		ck_assert_msg(first == *telling || after(first) == *telling, "kill %u: %c of %c", i, first, *telling);
		old += first != *telling;
		*telling = first;
		ck_assert_uint_eq(nfiles(), n);
	}
	ck_assert_uint_lt(old, kills);
}

START_TEST(killed_at_random_raw)
{
	killed_at_random(1, "raw");
}
END_TEST

START_TEST(killed_at_random_qcow2)
{
	killed_at_random(1, "qcow2");
}
END_TEST

START_TEST(killed_at_random_two_disks)
{
	killed_at_random(2, "qcow2");
}
END_TEST

/* ---- a process that has confined itself ---- */

START_TEST(a_confined_process_commits_and_removes)
{
	int status;
	pid_t pid;

	make_image("a", "qcow2", SIZE);
	make_image("b", "raw", SIZE);
	pid = fork();
	if (pid == 0) {
		struct block *b[] = { open_image("a", "qcow2", BLOCK_WRITE), open_image("b", "raw", BLOCK_WRITE) };
		struct confine_how how = { .want = CONFINE_BEST, .memory = 4 * GiB };
		struct redo *r;
		int fds[8];

		b[0]->flags &= ~(unsigned)BLOCK_UNSAFE;
		ok(redo_begin(b, 2, &r, &e));
		ok(redo_keep_undo(r, "u", &e));
		how.nremove = redo_folders(r, fds, 8);
		ck_assert_uint_eq(how.nremove, 4);
		how.remove_dirs = fds;
		ok(confine(&how, NULL, &e));
		for (int i = 0; i < 2; i++) {
			fill(redo_disk(r, 0), (char)('n' + i), 300000, 1000);
			fill(redo_disk(r, 1), (char)('n' + i), 300000, 1000);
			ok(redo_commit(r, NULL, NULL, NULL, &e));
		}
		redo_free(r);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	ck_assert(image_holds("a", "qcow2", 0, 'o', 300000, 1000));
	ck_assert(image_holds("b", "raw", 0, 'o', 300000, 1000));
	ck_assert_uint_eq(nfiles(), 3);
}
END_TEST

/* ---- many threads ---- */

struct worker {
	struct block *disk;
	unsigned number;
	atomic_bool *stop;
	unsigned long rounds;
};

/* Writes and reads back its own bytes, which are neighbours of others'. */
static void *write_and_read(void *arg)
{
	struct worker *w = arg;
	uint8_t buf[700], back[700];
	struct err err;

	while (!atomic_load(w->stop)) {
		uint64_t off = (w->rounds * 37 % 300) * 2800 + w->number * 700;

		memset(buf, (int)(w->rounds + w->number), sizeof buf);
		if (block_pwrite(w->disk, buf, sizeof buf, off, &err) < 0 ||
		    block_pread(w->disk, back, sizeof back, off, &err) < 0 ||
		    memcmp(buf, back, sizeof buf) != 0)
			return (void *)1;
		w->rounds++;
	}
	return NULL;
}

START_TEST(threads_go_on_while_it_is_committed)
{
	struct worker w[4];
	pthread_t t[4];
	atomic_bool stop = false;
	struct block *b;
	struct redo *r;

	make_image("a", "qcow2", SIZE);
	b = open_image("a", "qcow2", BLOCK_WRITE);
	ok(redo_begin(&b, 1, &r, &e));
	for (unsigned i = 0; i < 4; i++) {
		w[i] = (struct worker){ .disk = redo_disk(r, 0), .number = i, .stop = &stop };
		ck_assert_int_eq(pthread_create(&t[i], NULL, write_and_read, &w[i]), 0);
	}
	for (int i = 0; i < 40; i++)
		ok(redo_commit(r, NULL, NULL, NULL, &e));
	atomic_store(&stop, true);
	for (unsigned i = 0; i < 4; i++) {
		void *failed;

		ck_assert_int_eq(pthread_join(t[i], &failed), 0);
		ck_assert_ptr_null(failed);
	}
	redo_free(r);
	block_unref(b);
}
END_TEST

/* ---- a full disk ---- */

START_TEST(a_full_disk_is_found_out_before_the_change_counts)
{
	static char content[1000];
	struct redo_result result;
	bool decided;
	struct block *b;
	struct redo *r;
	int fd;

	ck_assert_int_eq(mkdir("small", 0777), 0);
	if (mount("none", "small", "tmpfs", 0, "size=4m") < 0) {
		fprintf(stderr, "skipped: a filesystem cannot be mounted here\n");
		return;
	}
	ck_assert_int_eq(chdir("small"), 0);
	make_image("a", "raw", 16 * SIZE);
	b = open_image("a", "raw", BLOCK_WRITE);
	fill(b, 'o', SIZE / 2, 0);
	ok(redo_begin(&b, 1, &r, &e));
	/* The journal has room for it, and the image would not. */
	fill(redo_disk(r, 0), 'n', 2 * SIZE, SIZE);
	fails(redo_commit(r, NULL, NULL, &decided, &e), ERR_SYSTEM);
	ck_assert_int_eq(e.sys_errno, ENOSPC);
	ck_assert(!decided);
	ck_assert(holds(b, 'o', SIZE / 2, 0));
	ck_assert(holds(b, 0, 2 * SIZE, SIZE));
	ck_assert(holds(redo_disk(r, 0), 'n', 2 * SIZE, SIZE));
	/* A smaller change fits, and the journal does not hold what it does not need. */
	ok(block_zero(redo_disk(r, 0), 2 * SIZE, SIZE, BLOCK_ZERO_UNMAP, &e));
	fill(redo_disk(r, 0), 'n', 4096, SIZE);
	ok(redo_commit(r, NULL, &result, NULL, &e));
	ck_assert_uint_eq(result.blocks, 1);
	/* Full while the guest writes: its own error. */
	fd = open("rest", O_WRONLY | O_CREAT, 0600);
	while (write(fd, content, sizeof content) > 0)
		;
	close(fd);
	ck_assert_int_lt(block_pwrite(redo_disk(r, 0), (char[4096]){ 'x' }, 4096, 8 * SIZE, &e), 0);
	redo_free(r);
	block_unref(b);
	ck_assert_int_eq(chdir(".."), 0);
	ck_assert_int_eq(umount("small"), 0);
}
END_TEST

TEST_MAIN("redo_kill", killed_at_random_raw, killed_at_random_qcow2, killed_at_random_two_disks,
	  a_confined_process_commits_and_removes, threads_go_on_while_it_is_committed,
	  a_full_disk_is_found_out_before_the_change_counts)
