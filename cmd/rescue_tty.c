/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rescue_tty.c - the user's terminal on one side, the shell on the other.
 *
 * The terminal is raw while the shell has it: each key goes to the shell, whose own terminal makes signals of ^C and ^Z.  The
 * escape key and the one behind it are for ourselves.  Where standard input is no terminal, the shell reads commands from it.
 */
#include "rescue.h"

#include "alloc.h"
#include "io.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

struct talk {
	const struct rescue *r;
	const char *info;
	struct dry_shell *shell;
	bool is_tty;		/* standard input */
	struct termios before;	/* with is_tty */
	char keys[4096];	/* that the shell has not yet taken */
	size_t nkeys;
	bool escaped;		/* the escape key was the last */
	bool input_ended, end_told, quit;
};

static volatile sig_atomic_t resized, ended;

static void on_signal(int sig)
{
	if (sig == SIGWINCH)
		resized = 1;
	else
		ended = sig;
}

static void terminal_raw(const struct talk *t)
{
	struct termios raw = t->before;

	cfmakeraw(&raw);
	if (t->is_tty)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
}

static void terminal_back(const struct talk *t)
{
	if (t->is_tty)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &t->before);
}

static void window_size(uint16_t *rows, uint16_t *cols)
{
	struct winsize w;

	*rows = 24;
	*cols = 80;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_row && w.ws_col) {
		*rows = w.ws_row;
		*cols = w.ws_col;
	}
}

static int shell_said(void *arg, int stream, const void *bytes, size_t len)
{
	(void)arg;
	return io_write(stream == 2 ? STDERR_FILENO : STDOUT_FILENO, bytes, len) != 0;
}

/* Lines for the user, on a terminal that is raw. */
static void say(const struct talk *t, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n' && t->is_tty)
			(void)io_write(STDOUT_FILENO, "\r", 1);
		(void)io_write(STDOUT_FILENO, text, 1);
	}
}

static void say_outcome(const struct talk *t, int rc, const struct dry_error *e, const char *done)
{
	say(t, "\n");
	say(t, rc < 0 ? e->msg : done);
	say(t, "\n");
}

static void escape_help(const struct talk *t)
{
	say(t, "\nbehind the escape key:\n"
	       " ? h  this help\n"
	       " i    what was found in the guest (with -i)\n"
	       " q x  end the shell and the machine at once\n"
	       " s    write all that is not yet written to the disks\n"
	       " u    unmount what is mounted below /sysroot\n"
	       " z    suspend this program, and not the one in the shell\n"
	       " the escape key again: that key itself\n");
}

static void suspend(const struct talk *t)
{
	terminal_back(t);
	raise(SIGTSTP);
	/* Here again when the user's own shell says so. */
	terminal_raw(t);
	resized = 1;
}

/* The key behind the escape key: is it one for the shell? */
static bool escape_key(struct talk *t, int key)
{
	struct dry_error e = { .code = DRY_OK };

	if (key == t->r->escape)
		return true;
	switch (key) {
	case '?':
	case 'h':
		escape_help(t);
		break;
	case 'i':
		say(t, "\n");
		say(t, t->info ? t->info : "the guest was not looked into: that takes -i\n");
		break;
	case 'q':
	case 'x':
		t->quit = true;
		break;
	case 's':
		say_outcome(t, dry_shell_sync(t->shell, &e), &e, "all is written");
		break;
	case 'u':
		say_outcome(t, dry_shell_unmount(t->shell, &e), &e, "nothing is mounted below /sysroot");
		break;
	case 'z':
		suspend(t);
		break;
	default:
		say(t, "\nunknown key: \"h\" behind the escape key lists them\n");
		break;
	}
	return false;
}

static void keys_take(struct talk *t)
{
	char got[sizeof t->keys];
	ssize_t n = read(STDIN_FILENO, got, sizeof got - t->nkeys);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		/* A terminal that is gone is the end of the user. */
		t->input_ended = true;
		t->quit = t->is_tty;
		return;
	}
	for (ssize_t i = 0; i < n && !t->quit; i++) {
		bool escape = t->is_tty && t->r->escape >= 0 && (unsigned char)got[i] == t->r->escape;

		if (t->escaped) {
			t->escaped = false;
			if (!escape_key(t, (unsigned char)got[i]))
				continue;
		} else if (escape) {
			t->escaped = true;
			continue;
		}
		t->keys[t->nkeys++] = got[i];
	}
}

static int keys_give(struct talk *t, struct dry_error *e)
{
	size_t taken = 0;
	int rc = t->nkeys ? dry_shell_input(t->shell, t->keys, t->nkeys, &taken, e) : 0;

	if (rc < 0)
		return rc;
	memmove(t->keys, t->keys + taken, t->nkeys - taken);
	t->nkeys -= taken;
	if (!t->input_ended || t->nkeys || t->is_tty || t->end_told)
		return 0;
	t->end_told = true;
	return dry_shell_input_end(t->shell, e);
}

/* Until the shell ends (1), the user (0), or something fails. */
static int talk_on(struct talk *t, const sigset_t *waiting, struct dry_error *e)
{
	while (!t->quit && !ended) {
		bool full = t->nkeys == sizeof t->keys;
		struct pollfd fds[] = { { .fd = dry_shell_fd(t->shell), .events = POLLIN },
					{ .fd = t->input_ended || full ? -1 : STDIN_FILENO, .events = POLLIN } };
		int status, rc;

		if (ppoll(fds, ARRAY_LEN(fds), NULL, waiting) > 0 && fds[1].revents)
			keys_take(t);
		if (resized && t->is_tty) {
			uint16_t rows, cols;

			resized = 0;
			window_size(&rows, &cols);
			rc = dry_shell_resize(t->shell, rows, cols, e);
			if (rc < 0)
				return rc;
		}
		rc = dry_shell_pump(t->shell, &status, e);
		if (rc != 0)
			return rc;
		rc = keys_give(t, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int rescue_talk(struct dry_guest *g, const struct dry_shell_how *mounts, const struct rescue *r, const char *info,
		struct dry_error *e)
{
	struct talk t = { .r = r, .info = info, .is_tty = tcgetattr(STDIN_FILENO, &t.before) == 0 };
	const struct sigaction act = { .sa_handler = on_signal };
	static const int signals[] = { SIGWINCH, SIGTERM, SIGHUP };
	struct dry_error why = { .code = DRY_OK };
	struct dry_shell_how how = *mounts;
	sigset_t block, waiting;
	int rc, closed;

	how.output = shell_said;
	how.arg = &t;
	how.terminal = t.is_tty;
	window_size(&how.rows, &how.cols);
	rc = dry_shell_open(g, &how, &t.shell, e);
	if (rc < 0)
		return rc;
	/* Nobody is interrupted but while he waits. */
	sigemptyset(&block);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		sigaddset(&block, signals[i]);
		sigaction(signals[i], &act, NULL);
	}
	sigprocmask(SIG_BLOCK, &block, &waiting);
	if (t.is_tty) {
		say(&t, "\nA shell in a small machine: its own files are in /, the guest's disks are /dev/vda and on.\n");
		say(&t, how.inspect || how.nmounts ? "What was mounted of the guest is in /sysroot.\n" :
						      "Mount what you want to look at below /sysroot; -i does it by itself.\n");
		say(&t, r->opts->writes ? "What you write goes to the images.\n" : "What you write is thrown away at the end.\n");
		say(&t, r->escape >= 0 ? "The escape key and then \"h\" tells more.\n\n" : "\n");
	}
	terminal_raw(&t);
	rc = talk_on(&t, &waiting, e);
	terminal_back(&t);
	sigprocmask(SIG_SETMASK, &waiting, NULL);
	closed = dry_shell_close(t.shell, t.quit && !r->opts->writes, &why);
	if (rc >= 0 && closed < 0)
		*e = why;
	return rc < 0 ? rc : closed;
}
