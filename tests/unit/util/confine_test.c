/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each test confines a child of its own and lets it try to get out. */
#include "confine.h"

#include "alloc.h"
#include "limits.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

/* How the child ended: 0 it could not do it, or the process was killed for trying; 1 it got out; 77 not tried. */
enum { HELD = 0, ESCAPED = 1, SKIPPED = 77 };

static char dir[] = "/var/tmp/confine-test-XXXXXX";

static int in_child(int (*attempt)(void *), void *arg, const struct confine_how *how, unsigned needs)
{
	struct confine_report r;
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		if (confine(how, &r, NULL) < 0)
			_exit(ESCAPED);
		if (needs & ~r.done)
			_exit(SKIPPED);
		_exit(attempt(arg));
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status)) {
		ck_assert_int_eq(WTERMSIG(status), SIGSYS);
		return HELD;
	}
	return WEXITSTATUS(status);
}

/* Confined as a command that only reads is, after its images are open. */
static void held(int (*attempt)(void *), void *arg, unsigned needs)
{
	const struct confine_how how = { .memory = 4 * GiB };
	int how_it_ended = in_child(attempt, arg, &how, needs);

	if (how_it_ended == SKIPPED)
		fprintf(stderr, "skipped: this host or build lacks what the test is about\n");
	else
		ck_assert_int_eq(how_it_ended, HELD);
}

static int try_open(void *path)
{
	return open(path, O_RDONLY) >= 0 ? ESCAPED : HELD;
}

static int try_create(void *path)
{
	return open(path, O_WRONLY | O_CREAT, 0600) >= 0 ? ESCAPED : HELD;
}

START_TEST(a_confined_process_cannot_open_a_file)
{
	held(try_open, (char *)"/etc/passwd", CONFINE_LANDLOCK);
	held(try_open, (char *)"/etc/passwd", CONFINE_SECCOMP);
}
END_TEST

START_TEST(a_confined_process_cannot_make_a_file)
{
	char path[100];

	snprintf(path, sizeof path, "%s/made", dir);
	held(try_create, path, CONFINE_LANDLOCK);
	ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

static int try_exec(void *unused)
{
	char *const argv[] = { (char *)"/bin/true", NULL };

	(void)unused;
	execv(argv[0], argv); /* /bin/true exits with 0: that would look like HELD */
	return HELD;
}

static int try_exec_false(void *unused)
{
	char *const argv[] = { (char *)"/bin/false", NULL };

	(void)unused;
	execv(argv[0], argv); /* exits with 1: ESCAPED */
	return HELD;
}

START_TEST(a_confined_process_cannot_exec)
{
	const struct confine_how how = { .memory = 4 * GiB };
	int status;
	pid_t pid = fork();

	held(try_exec_false, NULL, CONFINE_SECCOMP);
	/* And it does not live to try something else. */
	if (pid == 0) {
		struct confine_report r;

		if (confine(&how, &r, NULL) < 0)
			_exit(ESCAPED);
		if (!(r.done & CONFINE_SECCOMP))
			_exit(SKIPPED);
		_exit(try_exec(NULL));
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	if (!(WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)) {
		ck_assert(WIFSIGNALED(status));
		ck_assert_int_eq(WTERMSIG(status), SIGSYS);
	}
}
END_TEST

static int try_socket(void *unused)
{
	(void)unused;
	if (socket(AF_INET, SOCK_STREAM, 0) >= 0 || socket(AF_UNIX, SOCK_STREAM, 0) >= 0 ||
	    socket(AF_NETLINK, SOCK_RAW, 0) >= 0)
		return ESCAPED;
	return HELD;
}

START_TEST(a_confined_process_has_no_sockets)
{
	held(try_socket, NULL, CONFINE_SECCOMP);
}
END_TEST

static int try_fork(void *unused)
{
	pid_t pid = fork();

	(void)unused;
	if (pid == 0)
		_exit(0);
	return pid > 0 ? ESCAPED : HELD;
}

/* What a process that talks to a server may do, and what it may not. */
static int try_to_talk(void *unused)
{
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)unused;
	return sock >= 0 && close(sock) == 0 ? HELD : ESCAPED;
}

static int try_packets(void *unused)
{
	(void)unused;
	return socket(AF_PACKET, SOCK_RAW, 0) >= 0 ? ESCAPED : HELD;
}

START_TEST(who_talks_to_a_server_has_sockets_and_no_more)
{
	static int (*const attempts[])(void *) = { try_to_talk, try_packets, try_exec, try_fork };
	const struct confine_how how = { .network = true, .memory = 4 * GiB };

	for (size_t i = 0; i < ARRAY_LEN(attempts); i++)
		ck_assert_int_ne(in_child(attempts[i], NULL, &how, CONFINE_SECCOMP), ESCAPED);
	ck_assert_int_ne(in_child(try_open, (char *)"/etc/passwd", &how, CONFINE_LANDLOCK), ESCAPED);
}
END_TEST

static int try_receive(void *arg)
{
	const int *pair = arg;
	char byte, space[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space };

	return write(pair[0], "x", 1) == 1 && recvmsg(pair[1], &m, MSG_CMSG_CLOEXEC) == 1 ? ESCAPED : HELD;
}

START_TEST(a_message_is_received_only_by_who_serves_a_mount)
{
	const struct confine_how how = { .memory = 4 * GiB, .mount = true };
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	held(try_receive, pair, CONFINE_SECCOMP);
	/* "Got out" is what it is to do, and no further. */
	ck_assert_int_eq(in_child(try_receive, pair, &how, 0), ESCAPED);
	ck_assert_int_ne(in_child(try_socket, NULL, &how, CONFINE_SECCOMP), ESCAPED);
	close(pair[0]);
	close(pair[1]);
}
END_TEST

static int try_ptrace(void *unused)
{
	(void)unused;
	return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == 0 ? ESCAPED : HELD;
}

START_TEST(a_confined_process_cannot_trace_its_parent)
{
	held(try_ptrace, NULL, CONFINE_SECCOMP);
}
END_TEST

static int try_kill(void *pid)
{
	return kill(*(pid_t *)pid, SIGTERM) == 0 || kill(*(pid_t *)pid, 0) == 0 ? ESCAPED : HELD;
}

START_TEST(a_confined_process_cannot_signal_another)
{
	pid_t victim = fork();
	int status;

	if (victim == 0) {
		pause();
		_exit(0);
	}
	held(try_kill, &victim, CONFINE_SECCOMP);
	ck_assert_int_eq(waitpid(victim, &status, WNOHANG), 0);
	kill(victim, SIGKILL);
	waitpid(victim, &status, 0);
}
END_TEST

START_TEST(a_confined_process_cannot_fork)
{
	held(try_fork, NULL, CONFINE_SECCOMP);
}
END_TEST

static void *add_one(void *n)
{
	++*(int *)n;
	return NULL;
}

static int try_thread(void *unused)
{
	pthread_t t;
	int n = 0;

	(void)unused;
	if (pthread_create(&t, NULL, add_one, &n) != 0 || pthread_join(t, NULL) != 0)
		return ESCAPED;
	return n == 1 ? HELD : ESCAPED;
}

START_TEST(a_confined_process_still_has_threads)
{
	held(try_thread, NULL, CONFINE_SECCOMP);
}
END_TEST

static int try_read_on(void *fd)
{
	char c;

	return pread(*(int *)fd, &c, 1, 0) == 1 ? HELD : ESCAPED;
}

static void *leave(void *unused)
{
	pthread_exit(unused);
}

static int try_thread_exit(void *unused)
{
	pthread_t t;

	(void)unused;
	return pthread_create(&t, NULL, leave, NULL) == 0 && pthread_join(t, NULL) == 0 ? HELD : ESCAPED;
}

/* As libraries end theirs; glibc loads a library for it, and aborts when it cannot. */
START_TEST(a_thread_of_a_confined_process_may_call_pthread_exit)
{
	held(try_thread_exit, NULL, CONFINE_SECCOMP | CONFINE_LANDLOCK);
}
END_TEST

static int try_terminal(void *unused)
{
	struct termios t = { 0 };

	(void)unused;
	/* Where it is not refused, there is just no terminal. */
	return tcsetattr(STDIN_FILENO, TCSANOW, &t) < 0 && errno == EPERM ? HELD : ESCAPED;
}

START_TEST(a_terminal_is_set_only_where_that_was_asked_for)
{
	const struct confine_how how = { .terminal = true };

	ck_assert_int_eq(dup2(open("/dev/null", O_RDONLY), STDIN_FILENO), STDIN_FILENO);
	held(try_terminal, NULL, CONFINE_SECCOMP);
	ck_assert_int_ne(in_child(try_terminal, NULL, &how, CONFINE_SECCOMP), HELD);
}
END_TEST

START_TEST(a_confined_process_reads_what_was_open_before)
{
	int fd = open("/etc/passwd", O_RDONLY);

	ck_assert_int_ge(fd, 0);
	held(try_read_on, &fd, CONFINE_LANDLOCK);
	close(fd);
}
END_TEST

static int try_allocate(void *unused)
{
	/* volatile: the compiler must not see that nobody uses it */
	void *volatile p = malloc((size_t)(8 * GiB));

	(void)unused;
	return p ? ESCAPED : HELD;
}

START_TEST(a_confined_process_cannot_take_all_memory)
{
	const struct confine_how how = { .memory = 4 * GiB };
	struct confine_report r;
	int status;
	pid_t pid = fork();

	/* Not through held(): AddressSanitizer's builds have no such limit and say so. */
	if (pid == 0) {
		if (confine(&how, &r, NULL) < 0)
			_exit(ESCAPED);
		_exit(r.done & CONFINE_SECCOMP ? try_allocate(NULL) : SKIPPED);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && (WEXITSTATUS(status) == HELD || WEXITSTATUS(status) == SKIPPED));
}
END_TEST

/* ---- with a folder to write to ---- */

static void attempts_at_parent(int fd)
{
	int victim;

	close(openat(fd, "../outside", O_WRONLY | O_CREAT, 0600));
	close(openat(fd, "up/outside2", O_WRONLY | O_CREAT, 0600));
	victim = openat(fd, "up/victim", O_WRONLY);
	if (victim >= 0 && write(victim, "changed", 7) < 0)
		close(victim);
	if (mkdirat(fd, "../outside3", 0700) == 0 || symlinkat("x", fd, "../outside4") == 0 ||
	    linkat(fd, "sub/moved", fd, "../outside5", 0) == 0)
		close(victim);
	if (renameat(fd, "../victim", fd, "stolen") == 0 || unlinkat(fd, "../victim", 0) == 0)
		close(victim);
}

static int try_outside_of_target(void *target_fd)
{
	int fd = *(int *)target_fd, made;

	/* Inside is fine: file, folder, link, rename over a folder's edge. */
	if (mkdirat(fd, "sub", 0700) < 0)
		return ESCAPED;
	made = openat(fd, "file", O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (made < 0 || write(made, "x", 1) != 1 || linkat(fd, "file", fd, "sub/hard", 0) < 0 ||
	    renameat(fd, "file", fd, "sub/moved") < 0)
		return ESCAPED;
	/*
	 * Out of it is not, whichever way.  As root the folder is the root folder, and ".." is the folder itself: so the
	 * test is not what these calls answer but what is there afterwards.
	 */
	if (symlinkat("..", fd, "up") < 0)
		return ESCAPED;
	attempts_at_parent(fd);
	return HELD;
}

static int nentries(const char *path)
{
	DIR *d = opendir(path);
	int n = -2; /* "." and ".." */

	ck_assert_ptr_nonnull(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

START_TEST(a_process_that_writes_stays_beneath_its_folder)
{
	char path[200];
	int fd, victim, how_it_ended;
	struct stat st;
	struct confine_how how = { .write = true, .memory = 4 * GiB };

	snprintf(path, sizeof path, "%s/victim", dir);
	victim = open(path, O_WRONLY | O_CREAT, 0600);
	ck_assert_int_ge(victim, 0);
	close(victim);
	snprintf(path, sizeof path, "%s/target", dir);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	fd = open(path, O_RDONLY | O_DIRECTORY);
	ck_assert_int_ge(fd, 0);
	how.write_dir = fd;
	how_it_ended = in_child(try_outside_of_target, &fd, &how, CONFINE_LANDLOCK);
	if (how_it_ended != SKIPPED)
		ck_assert_int_eq(how_it_ended, HELD);
	close(fd);
	if (how_it_ended == SKIPPED)
		return;
	ck_assert_int_eq(nentries(dir), 2);
	snprintf(path, sizeof path, "%s/victim", dir);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_size, 0);
}
END_TEST

/* ---- with folders in which files may be removed ---- */

static int try_removing(void *fds)
{
	const int *f = fds; /* the folder, one that is open too, a file that is open for writing */

	if (unlinkat(f[0], "journal", 0) < 0 || fsync(f[0]) < 0 || pwrite(f[2], "x", 1, 0) != 1 || ftruncate(f[2], 0) < 0)
		return ESCAPED; /* not that it got out, but that it cannot work */
	if (unlinkat(f[0], "../victim", 0) == 0 || unlinkat(f[1], "victim", 0) == 0 || unlinkat(f[0], "sub", AT_REMOVEDIR) == 0 ||
	    openat(f[0], "new", O_WRONLY | O_CREAT, 0600) >= 0 || openat(f[0], "kept", O_RDONLY) >= 0 ||
	    renameat(f[0], "kept", f[0], "moved") == 0 || linkat(f[0], "kept", f[0], "linked", 0) == 0)
		return ESCAPED;
	return HELD;
}

START_TEST(files_are_removed_only_in_the_folders_that_were_given)
{
	static const char *const names[] = { "victim", "target/journal", "target/kept" };
	struct confine_how how = { .nremove = 1, .memory = 4 * GiB };
	int fds[3], how_it_ended;
	char path[200];

	snprintf(path, sizeof path, "%s/target", dir);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	fds[0] = open(path, O_RDONLY | O_DIRECTORY);
	fds[1] = open(dir, O_RDONLY | O_DIRECTORY);
	ck_assert_int_eq(mkdirat(fds[0], "sub", 0700), 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		close(openat(fds[1], names[i], O_WRONLY | O_CREAT, 0600));
	fds[2] = openat(fds[0], "kept", O_RDWR);
	how.remove_dirs = fds;
	how_it_ended = in_child(try_removing, fds, &how, CONFINE_LANDLOCK);
	if (how_it_ended != SKIPPED)
		ck_assert_int_eq(how_it_ended, HELD);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}
END_TEST

/* ---- in two steps ---- */

static int try_tightening(void *path)
{
	const struct confine_how none = { .memory = 4 * GiB };
	int fd = open(path, O_RDONLY), first = fd >= 0, other = open("/etc/passwd", O_RDONLY);
	struct confine_report r;

	if (!first || other >= 0 || confine(&none, &r, NULL) < 0)
		return ESCAPED;
	return open(path, O_RDONLY) >= 0 ? ESCAPED : HELD;
}

START_TEST(a_second_call_takes_away_what_the_first_had_left)
{
	char path[200];
	const char *paths[] = { dir, "/nonexistent/is/fine" };
	const struct confine_how how = { .read_paths = paths, .nread = 2, .again = true };
	int fd, how_it_ended;

	snprintf(path, sizeof path, "%s/readable", dir);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
	how_it_ended = in_child(try_tightening, path, &how, CONFINE_LANDLOCK);
	if (how_it_ended != SKIPPED)
		ck_assert_int_eq(how_it_ended, HELD);
}
END_TEST

START_TEST(confinement_turned_off_does_nothing_and_says_so)
{
	const struct confine_how how = { .want = CONFINE_OFF };
	struct confine_report r;

	ck_assert_int_eq(confine(&how, &r, NULL), 0);
	ck_assert_uint_eq(r.done, 0);
	ck_assert_str_eq(r.missing, "confinement is turned off");
	ck_assert_int_eq(system("true"), 0);
}
END_TEST

static void make_dir(void)
{
	if (!mkdtemp(dir))
		abort();
}

static void remove_dir(void)
{
	char cmd[100];

	snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
	if (system(cmd) != 0)
		fprintf(stderr, "%s is left over\n", dir);
}

int main(void)
{
	Suite *s = suite_create("confine");
	TCase *t = tcase_create("escape");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, make_dir, remove_dir);
	tcase_add_test(t, a_confined_process_cannot_open_a_file);
	tcase_add_test(t, a_confined_process_cannot_make_a_file);
	tcase_add_test(t, a_confined_process_cannot_exec);
	tcase_add_test(t, a_confined_process_has_no_sockets);
	tcase_add_test(t, who_talks_to_a_server_has_sockets_and_no_more);
	tcase_add_test(t, a_message_is_received_only_by_who_serves_a_mount);
	tcase_add_test(t, a_confined_process_cannot_trace_its_parent);
	tcase_add_test(t, a_confined_process_cannot_signal_another);
	tcase_add_test(t, a_confined_process_cannot_fork);
	tcase_add_test(t, a_confined_process_still_has_threads);
	tcase_add_test(t, a_thread_of_a_confined_process_may_call_pthread_exit);
	tcase_add_test(t, a_terminal_is_set_only_where_that_was_asked_for);
	tcase_add_test(t, a_confined_process_reads_what_was_open_before);
	tcase_add_test(t, a_confined_process_cannot_take_all_memory);
	tcase_add_test(t, a_process_that_writes_stays_beneath_its_folder);
	tcase_add_test(t, files_are_removed_only_in_the_folders_that_were_given);
	tcase_add_test(t, a_second_call_takes_away_what_the_first_had_left);
	tcase_add_test(t, confinement_turned_off_does_nothing_and_says_so);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
