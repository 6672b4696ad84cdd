/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pty_tool.c - runs a program in a terminal of its own and plays its user.
 *
 * usage: pty PLAY COMMAND [ARG...]
 *
 * The lines of the file PLAY:
 *	< TEXT		wait until the program has said TEXT since the last such line
 *	> TEXT		type TEXT; \r, \e, \\ and \xHH stand for what they do in C
 *	size ROWS COLS	the terminal's size
 *	wait SECONDS	how long each wait from here on may take; a minute if nothing is said
 *	stopped		wait until the program has stopped, then let it go on
 *	end		wait until the program has ended
 * What the program says is printed.  The exit status is the program's, or 99 with a sentence when the play went wrong.
 */
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { STEP_MS = 50 };

static int tty;
static pid_t pid;
static char said[1 << 20];
static size_t nsaid, seen;
static int status = -1; /* of the program, once it has ended */
static int hung_up;
static int wait_ms = 60000;

static void fail(const char *what, const char *line)
{
	fprintf(stderr, "pty: %s: %s\n", what, line);
	kill(pid, SIGKILL);
	exit(99);
}

/* Takes what has come. */
static void listen_on(int ms)
{
	struct pollfd p = { .fd = hung_up ? -1 : tty, .events = POLLIN };
	ssize_t n;

	if (poll(&p, 1, ms) <= 0)
		return;
	n = read(tty, said + nsaid, sizeof said - nsaid);
	if (n <= 0) {
		hung_up = 1;
		return;
	}
	fwrite(said + nsaid, 1, (size_t)n, stdout);
	fflush(stdout);
	nsaid += (size_t)n;
	if (nsaid == sizeof said)
		fail("it says too much", "");
}

static void look_for_end(int options)
{
	int st;

	if (status < 0 && waitpid(pid, &st, WNOHANG | options) == pid && !WIFSTOPPED(st))
		status = WIFEXITED(st) ? WEXITSTATUS(st) : 128 + WTERMSIG(st);
}

static void expect(const char *text)
{
	for (int ms = 0; ms < wait_ms; ms += STEP_MS) {
		char *at = memmem(said + seen, nsaid - seen, text, strlen(text));

		if (at) {
			seen = (size_t)(at - said) + strlen(text);
			return;
		}
		look_for_end(0);
		if (hung_up || (status >= 0 && ms > wait_ms / 10))
			break;
		listen_on(STEP_MS);
	}
	fail("it did not say", text);
}

static void type(const char *text)
{
	for (; *text; text++) {
		char c = *text;
		unsigned v;

		if (c == '\\') {
			c = *++text;
			if (c == 'x' && sscanf(text + 1, "%2x", &v) == 1) {
				c = (char)v;
				text += 2;
			} else {
				c = c == 'r' ? '\r' : c == 'e' ? 27 : c;
			}
		}
		if (write(tty, &c, 1) != 1)
			fail("cannot type", strerror(errno));
	}
}

static void await_stop(void)
{
	for (int ms = 0; ms < wait_ms; ms += STEP_MS) {
		int st;

		listen_on(STEP_MS);
		if (waitpid(pid, &st, WNOHANG | WUNTRACED) != pid)
			continue;
		if (!WIFSTOPPED(st))
			break;
		kill(pid, SIGCONT);
		return;
	}
	fail("it did not stop", "");
}

static void await_end(void)
{
	for (int ms = 0; ms < wait_ms && status < 0; ms += STEP_MS) {
		listen_on(STEP_MS);
		look_for_end(0);
	}
	if (status < 0)
		fail("it did not end", "");
	while (!hung_up)
		listen_on(STEP_MS);
}

int main(int argc, char **argv)
{
	struct winsize w = { .ws_row = 24, .ws_col = 80 };
	FILE *play;
	char line[4096];

	if (argc < 3 || !(play = fopen(argv[1], "r")))
		return fprintf(stderr, "usage: pty PLAY COMMAND [ARG...]\n"), 99;
	pid = forkpty(&tty, NULL, NULL, &w);
	if (pid < 0)
		return perror("pty: forkpty"), 99;
	if (pid == 0) {
		execvp(argv[2], argv + 2);
		perror(argv[2]);
		_exit(98);
	}
	while (fgets(line, sizeof line, play)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "< ", 2) == 0) {
			expect(line + 2);
		} else if (strncmp(line, "> ", 2) == 0) {
			type(line + 2);
		} else if (sscanf(line, "size %hu %hu", &w.ws_row, &w.ws_col) == 2) {
			ioctl(tty, TIOCSWINSZ, &w);
		} else if (sscanf(line, "wait %d", &wait_ms) == 1) {
			wait_ms *= 1000;
		} else if (strcmp(line, "stopped") == 0) {
			await_stop();
		} else if (strcmp(line, "end") == 0) {
			await_end();
		} else if (*line) {
			fail("no such word", line);
		}
	}
	await_end();
	return status;
}
