/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run_test.c - programs through the real agent: streams, limits, terminals, and that nothing is left of them. */
#include "agent_child.h"

#include <poll.h>
#include <sys/stat.h>

struct said {
	char text[2][4096];
	size_t len[2], total;
	size_t input; /* bytes that are still to be given */
};

static int on_output(void *arg, int stream, const void *bytes, size_t len, struct err *e)
{
	struct said *s = arg;
	size_t n = sizeof s->text[0] - 1 - s->len[stream - 1];

	(void)e;
	n = n < len ? n : len;
	memcpy(s->text[stream - 1] + s->len[stream - 1], bytes, n);
	s->len[stream - 1] += n;
	s->total += len;
	return 0;
}

static int on_input(void *arg, void *buf, size_t len, size_t *got, struct err *e)
{
	struct said *s = arg;

	(void)e;
	*got = len < s->input ? len : s->input;
	memset(buf, 'i', *got);
	s->input -= *got;
	return 0;
}

static int sh(struct agent_child *a, const char *script, struct said *s, struct client_run how, int *status, struct err *e)
{
	const char *const argv[] = { "sh", "-c", script, NULL };

	how.argv = argv;
	how.output = on_output;
	how.input = on_input;
	how.arg = s;
	return client_run(a->c, &how, status, e);
}

START_TEST(both_streams_and_the_status)
{
	struct err e = ERR_INIT;
	struct agent_child a;
	struct said s = { 0 };
	int status;

	agent_open(&a);
	ok(sh(&a, "echo out; echo err >&2; exit 7", &s, (struct client_run){ 0 }, &status, &e));
	ck_assert_int_eq(WEXITSTATUS(status), 7);
	ck_assert_str_eq(s.text[0], "out\n");
	ck_assert_str_eq(s.text[1], "err\n");
	ok(sh(&a, "kill -TERM $$", &s, (struct client_run){ 0 }, &status, &e));
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	agent_close(&a);
}
END_TEST

START_TEST(one_that_is_not_there)
{
	const char *const argv[] = { "no-such-program", NULL };
	struct err e = ERR_INIT;
	struct agent_child a;
	struct said s = { 0 };
	int status;

	agent_open(&a);
	ok(client_run(a.c, &(struct client_run){ .argv = argv, .output = on_output, .arg = &s }, &status, &e));
	ck_assert_int_eq(WEXITSTATUS(status), 127);
	ck_assert_str_eq(s.text[1], "cannot run no-such-program: No such file or directory\n");
	agent_close(&a);
}
END_TEST

START_TEST(much_goes_in_and_out)
{
	struct err e = ERR_INIT;
	struct agent_child a;
	struct said s = { .input = 3000000 };
	int status;

	agent_open(&a);
	ok(sh(&a, "cat", &s, (struct client_run){ 0 }, &status, &e));
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(s.total, 3000000);
	/* One that does not read what it is given. */
	s = (struct said){ .input = 3000000 };
	ok(sh(&a, "exit 3", &s, (struct client_run){ 0 }, &status, &e));
	ck_assert_int_eq(WEXITSTATUS(status), 3);
	agent_close(&a);
}
END_TEST

/* Not even a dead one that nobody has asked about yet counts. */
static bool runs_now(pid_t pid)
{
	char path[64], state = 'Z';
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	f = fopen(path, "r");
	if (f && fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
		state = 'Z';
	if (f)
		fclose(f);
	return state != 'Z' && state != 'X';
}

/* One that was killed a moment ago needs another to end. */
static bool runs(pid_t pid)
{
	for (unsigned tries = 0; tries < 2000 && runs_now(pid); tries++)
		usleep(10000);
	return runs_now(pid);
}

struct heard {
	struct said said;
	unsigned n, step;
	uint64_t done, of;
};

static void on_progress(void *arg, unsigned step, uint64_t done, uint64_t of)
{
	struct heard *h = arg;

	h->n++;
	h->step = step;
	h->done = done;
	h->of = of;
}

START_TEST(one_that_tells_how_far_it_is)
{
	struct err e = ERR_INIT;
	struct agent_child a;
	struct heard h = { .n = 0 };
	int status;

	agent_open(&a);
	/* What makes no sense is not told, and of many at once the first. */
	ok(sh(&a, "echo nonsense >&3; echo 1 9 5 >&3; echo 2 30 40 sda >&3; echo 3 1 1 >&3; echo out; exec 3>&-", &h.said,
	      (struct client_run){ .progress = on_progress }, &status, &e));
	ck_assert_int_eq(status, 0);
	ck_assert_str_eq(h.said.text[0], "out\n");
	ck_assert_uint_eq(h.n, 1);
	ck_assert(h.step == 2 && h.done == 30 && h.of == 40);
	/* Without, there is no such descriptor. */
	ok(sh(&a, "echo 1 1 1 >&3", &h.said, (struct client_run){ 0 }, &status, &e));
	ck_assert_int_ne(status, 0);
	agent_close(&a);
}
END_TEST

START_TEST(one_that_never_ends_is_killed)
{
	struct err e = ERR_INIT;
	struct agent_child a;
	struct said s = { 0 };
	int status;

	agent_open(&a);
	/* On a machine under load it may not have come to its first word. */
	for (unsigned ms = 300; ms < 60000 && !s.text[0][0]; ms *= 2)
		fails(sh(&a, "sleep 1000 & echo $!; wait", &s, (struct client_run){ .max_ms = ms }, &status, &e), ERR_LIMIT);
	ck_assert(strstr(e.msg, "the command did not end within ") == e.msg && strstr(e.msg, " s, and was killed"));
	ck_assert_int_gt(atoi(s.text[0]), 1);
	ck_assert_msg(!runs(atoi(s.text[0])), "%s still runs", s.text[0]);
	ok(client_ping(a.c, &e));
	agent_close(&a);
}
END_TEST

START_TEST(one_that_prints_without_end_is_killed)
{
	struct err e = ERR_INIT;
	struct agent_child a;
	struct said s = { 0 };
	int status;

	agent_open(&a);
	fails(sh(&a, "yes", &s, (struct client_run){ .max_output = 1000000 }, &status, &e), ERR_LIMIT);
	ck_assert_str_eq(e.msg, "the command said more than 1000000 bytes, and was killed");
	ck_assert_uint_le(s.total, 1000000);
	ok(client_ping(a.c, &e));
	agent_close(&a);
}
END_TEST

static bool at_once(void *arg)
{
	return arg != NULL;
}

START_TEST(one_that_is_stopped)
{
	struct err e = ERR_INIT;
	struct agent_child a;
	struct said s = { 0 };
	int status;

	agent_open(&a);
	fails(sh(&a, "sleep 1000", &s, (struct client_run){ .stop = at_once }, &status, &e), ERR_CANCELED);
	ok(client_ping(a.c, &e));
	agent_close(&a);
}
END_TEST

/* Until it has said this. */
static void wait_for(struct client_session *s, struct agent_child *a, struct said *said, const char *what)
{
	struct err e = ERR_INIT;
	int status;

	while (!strstr(said->text[0], what)) {
		ck_assert_int_ge(poll(&(struct pollfd){ .fd = client_fd(a->c), .events = POLLIN }, 1, 10000), 1);
		ok(client_session_pump(s, &status, &e));
	}
}

static void type(struct client_session *s, const char *text)
{
	struct err e = ERR_INIT;
	size_t taken;

	ok(client_session_input(s, text, strlen(text), &taken, &e));
	ck_assert_uint_eq(taken, strlen(text));
}

START_TEST(a_shell_on_a_terminal)
{
	const char *const argv[] = { "sh", "-i", NULL }, *const env[] = { "PS1=>", "PATH=/usr/bin:/bin", NULL };
	struct said said = { 0 };
	const struct client_run how = { .argv = argv, .env = env, .terminal = true, .rows = 33, .cols = 77, .output = on_output,
					.arg = &said, .max_ms = UINT64_MAX };
	struct err e = ERR_INIT;
	struct agent_child a;
	struct client_session *s;
	struct fs_stat st;
	uint64_t root;
	int status = 0, rc = 0;

	agent_open(&a);
	agent_folder(&a, "/", NULL, true, &root);
	ok(client_session_start(a.c, &how, &s, &e));
	wait_for(s, &a, &said, ">");
	type(s, "stty size\n");
	wait_for(s, &a, &said, "33 77");
	ok(client_session_resize(s, 44, 88, &e));
	type(s, "stty size\n");
	wait_for(s, &a, &said, "44 88");
	/* Files meanwhile, and ^C to what is in front; with it a shell forgets what else was typed. */
	ok(client_stat(a.c, root, &st, &e));
	type(s, "sleep 1000; echo woke$((40+2))\n");
	type(s, "\003");
	for (unsigned i = 0; i < 100 && !strstr(said.text[0], "still42"); i++) {
		type(s, "echo still$((40+2))\n");
		poll(&(struct pollfd){ .fd = client_fd(a.c), .events = POLLIN }, 1, 1000);
		ok(client_session_pump(s, &status, &e));
	}
	wait_for(s, &a, &said, "still42");
	type(s, "exit 5\n");
	while ((rc = client_session_pump(s, &status, &e)) == 0)
		poll(&(struct pollfd){ .fd = client_fd(a.c), .events = POLLIN }, 1, 10000);
	ok(rc);
	ck_assert_int_eq(WEXITSTATUS(status), 5);
	client_session_end(s);
	ok(client_ping(a.c, &e));
	agent_close(&a);
}
END_TEST

START_TEST(in_a_root_of_its_own)
{
	struct err e = ERR_INIT;
	struct agent_child a;
	struct said s = { 0 };
	struct client_bind bind = { .path = "/" };
	uint64_t root;
	int status;

	skip_unless(geteuid() == 0, "needs root");
	agent_open(&a);
	bind.mount = agent_folder(&a, "/", NULL, false, &root);
	ok(sh(&a, "echo $$; sleep 1000 >/dev/null 2>&1 & ls /proc | grep -c '^[0-9]'", &s,
	      (struct client_run){ .binds = &bind, .nbinds = 1 }, &status, &e));
	/* Only what was begun there is to be seen. */
	ck_assert_int_eq(atoi(s.text[0]), 2);
	ck_assert_int_lt(atoi(strchr(s.text[0], '\n') + 1), 8);
	agent_close(&a);
}
END_TEST

TEST_MAIN("appliance/run", both_streams_and_the_status, one_that_is_not_there, much_goes_in_and_out,
	  one_that_tells_how_far_it_is, one_that_never_ends_is_killed, one_that_prints_without_end_is_killed, one_that_is_stopped,
	  a_shell_on_a_terminal, in_a_root_of_its_own)
