/* SPDX-License-Identifier: GPL-2.0-or-later */
/* io_debug.c - breakpoints of a blkdebug node, and what test scripts do to the exerciser itself. */
#include "io_session.h"

#include "text.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The peer's words for the class of a failure. */
static const char *words(const struct dry_error *e)
{
	return strerror(e->code == DRY_UNSUPPORTED ? ENOTSUP : e->code == DRY_NOT_FOUND ? ENOENT : EINVAL);
}

static enum io_answer run_break(struct io_session *s, int argc, char **argv)
{
	struct dry_error e;

	(void)argc;
	if (dry_image_break(s->img, argv[1], argv[2], &e) == 0)
		return IO_OK;
	/* An event that does not exist is not found, for the peer. */
	printf("Could not set breakpoint: %s\n", e.code == DRY_USAGE ? strerror(ENOENT) : words(&e));
	return IO_FAILED;
}

static enum io_answer run_remove_break(struct io_session *s, int argc, char **argv)
{
	struct dry_error e;

	(void)argc;
	if (dry_image_remove_break(s->img, argv[1], &e) == 0)
		return IO_OK;
	printf("Could not remove breakpoint %s: %s\n", argv[1], words(&e));
	return IO_FAILED;
}

static enum io_answer run_resume(struct io_session *s, int argc, char **argv)
{
	struct dry_error e;

	(void)argc;
	if (dry_image_resume(s->img, argv[1], &e) == 0) {
		printf("blkdebug: Resuming request '%s'\n", argv[1]);
		return IO_OK;
	}
	printf("Could not resume request: %s\n", words(&e));
	return IO_FAILED;
}

static enum io_answer run_wait_break(struct io_session *s, int argc, char **argv)
{
	struct timespec step = { 0, 500000 };
	struct dry_error e;
	int rc;

	(void)argc;
	while ((rc = dry_image_is_suspended(s->img, argv[1], &e)) == 0)
		nanosleep(&step, NULL);
	if (rc < 0)
		return io_error(s, "%s", e.msg);
	printf("blkdebug: Suspended request '%s'\n", argv[1]);
	return IO_OK;
}

static enum io_answer run_sleep(struct io_session *s, int argc, char **argv)
{
	struct timespec t;
	uint64_t ms;

	(void)s;
	(void)argc;
	if (!text_parse_u64(argv[1], &ms) || ms > INT64_MAX / 1000) {
		printf("%s is not a valid number\n", argv[1]);
		return IO_FAILED;
	}
	fflush(stdout);
	t = (struct timespec){ (time_t)(ms / 1000), (long)(ms % 1000) * 1000000 };
	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
	return IO_OK;
}

static enum io_answer run_sigraise(struct io_session *s, int argc, char **argv)
{
	uint64_t sig;

	(void)s;
	(void)argc;
	if (!io_number(argv[1], &sig))
		return IO_FAILED;
	if (sig > NSIG) {
		printf("signal argument '%s' is too large to be a valid signal number\n", argv[1]);
		return IO_FAILED;
	}
	/* What was printed must not be lost to the signal. */
	fflush(stdout);
	raise((int)sig);
	return IO_OK;
}

static enum io_answer run_abort(struct io_session *s, int argc, char **argv)
{
	(void)s;
	(void)argc;
	(void)argv;
	fflush(stdout);
	abort();
}

const struct io_command io_debug_commands[] = {
	{ "break", NULL, run_break, 2, 2, false, false, "event tag",
	  "sets a breakpoint on event and tags the stopped request as tag", NULL },
	{ "remove_break", NULL, run_remove_break, 1, 1, false, false, "tag", "remove a breakpoint by tag", NULL },
	{ "resume", NULL, run_resume, 1, 1, false, false, "tag", "resumes the request tagged as tag", NULL },
	{ "wait_break", NULL, run_wait_break, 1, 1, false, false, "tag", "waits for the suspension of a request", NULL },
	{ "sleep", NULL, run_sleep, 1, 1, true, false, NULL, "waits for the given value in milliseconds", NULL },
	{ "sigraise", NULL, run_sigraise, 1, 1, true, false, "signal", "raises a signal",
	  "\n"
	  " raises the given signal\n"
	  "\n"
	  " Example:\n"
	  " 'sigraise 15' - raises SIGTERM\n"
	  "\n"
	  " Invokes raise(signal), where \"signal\" is the mandatory integer argument\n"
	  " given to sigraise.\n" },
	{ "abort", NULL, run_abort, 0, 0, true, false, NULL, "simulate a program crash using abort(3)", NULL },
	{ NULL, NULL, NULL, 0, 0, false, false, NULL, NULL, NULL },
};
