/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tty.c - a passphrase from the terminal, by a process that may be confined already: it polls, and needs nothing that
 * confine() takes away but the right to set the terminal.
 */
#include "tty.h"

#include "alloc.h"
#include "io.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

/* Signals that wait until the terminal is itself again are looked for this often. */
enum { TTY_POLL_MS = 100 };
static const int waiting[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };

int tty_open(void)
{
	return open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
}

bool tty_read_line(int fd, char *buf, size_t size, size_t *len)
{
	bool any = false;

	/* It ends: at a newline, or at the end of input. */
	for (*len = 0;;) {
		size_t got;
		char c;

		if (io_read(fd, &c, 1, &got) != 0 || got == 0)
			return any;
		any = true;
		if (c == '\n')
			return true;
		if (*len < size)
			buf[(*len)++] = c;
	}
}

static void prompt_write(int tty, const char *text)
{
	(void)io_write(tty, text, strlen(text));
}

/* Waits for a line; false: a signal is waiting instead. */
static bool wait_for_line(int tty)
{
	struct pollfd p = { .fd = tty, .events = POLLIN };
	sigset_t pending;

	/* It ends when the user does something. */
	for (;;) {
		if (poll(&p, 1, TTY_POLL_MS) != 0)
			return true;
		if (sigpending(&pending) == 0)
			for (size_t i = 0; i < ARRAY_LEN(waiting); i++)
				if (sigismember(&pending, waiting[i]) == 1)
					return false;
	}
}

bool tty_ask(int tty, const char *prompt, bool echo, char *buf, size_t size, size_t *len)
{
	struct termios before, quiet;
	sigset_t block, old;
	bool set = !echo && tcgetattr(tty, &before) == 0, there, good = false;

	sigemptyset(&block);
	for (size_t i = 0; i < ARRAY_LEN(waiting); i++)
		sigaddset(&block, waiting[i]);
	/* Once more behind a signal that did not end the process: it was stopped, and goes on. */
	do {
		sigprocmask(SIG_BLOCK, &block, &old);
		if (set) {
			quiet = before;
			quiet.c_lflag &= ~(tcflag_t)ECHO;
			tcsetattr(tty, TCSAFLUSH, &quiet);
		}
		prompt_write(tty, prompt);
		there = wait_for_line(tty);
		if (there)
			good = tty_read_line(tty, buf, size, len);
		if (set) {
			tcsetattr(tty, TCSANOW, &before);
			prompt_write(tty, "\n");
		}
		sigprocmask(SIG_SETMASK, &old, NULL);
	} while (!there);
	return good;
}
