/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shell_loop.c - where the shell's commands come from: the command line, a file, standard input, a terminal. */
#include "shell.h"

#include "alloc.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

/* Runs the words up to each ":"; an error ends it, unless its command began with "-". */
int shell_run_args(struct shell *s, int argc, char **argv)
{
	int at = 0, rc = 0;

	while (at < argc && rc == 0 && !s->quit) {
		int end = at;

		while (end < argc && strcmp(argv[end], ":") != 0)
			end++;
		if (end > at) {
			/* A "-" before the command is a part of its first word. */
			const bool may_fail = argv[at][0] == '-' && argv[at][1];

			argv[at] += may_fail;
			rc = shell_run_words(s, argv + at, (size_t)(end - at), NULL);
			rc = may_fail ? 0 : rc;
		}
		at = end + 1;
	}
	return rc;
}

int shell_run_file(struct shell *s, FILE *from, const char *name)
{
	CLEANUP(free_ptr) char *line = NULL;
	size_t size = 0;
	unsigned long number = 0;
	ssize_t len;
	int rc = 0;

	while (rc == 0 && !s->quit && (len = getline(&line, &size, from)) >= 0) {
		if (len && line[len - 1] == '\n')
			line[len - 1] = '\0';
		snprintf(s->where, sizeof s->where, "%.250s:%lu: ", name, ++number);
		rc = shell_run_line(s, line);
	}
	s->where[0] = '\0';
	if (rc == 0 && ferror(from))
		return shell_error(s, "%s: %s", name, strerror(errno));
	return rc;
}

/* ---- Ctrl-C ---- */

/* The one thing a signal handler can reach. */
static volatile sig_atomic_t interrupted;

static void on_interrupt(int sig)
{
	(void)sig;
	interrupted = 1;
}

bool shell_stopped(void)
{
	return interrupted;
}

/* A line from the prompt: what it does ends at Ctrl-C, and the session goes on. */
static void run_typed(struct shell *s, const char *line)
{
	int rc;

	interrupted = 0;
	rc = shell_run_line(s, line);
	if (interrupted && (rc || s->lost)) {
		interrupted = 0;
		fflush(stdout);
		fprintf(stderr, "%s: interrupted\n", s->name);
	}
	interrupted = 0;
}

/* ---- the prompt ---- */

static void welcome(const struct shell *s)
{
	printf("\nCommands to look into a guest%s, one a line.\n\n"
	       "\"help\" lists them, \"help COMMAND\" tells of one; Tab completes commands and paths of the guest.\n"
	       "\"quit\" leaves%s.\n\n",
	       s->readonly ? "" : " and to change it",
	       s->readonly ? "" : " and keeps what was changed, \"abandon\" leaves and drops it");
	fflush(stdout);
}

/* The next line where there is no libedit, lent by *line; NULL: there is no more. */
static const char *plain_line(const struct shell *s, char **line, size_t *size)
{
	ssize_t len;

	do { /* again after Ctrl-C, which drops what was typed */
		interrupted = 0;
		printf("%s", s->prompt ? s->prompt : "> ");
		fflush(stdout);
		len = getline(line, size, stdin);
		if (len < 0 && interrupted) {
			clearerr(stdin);
			putchar('\n');
		}
	} while (len < 0 && interrupted);
	if (len < 0)
		return NULL;
	if (len && (*line)[len - 1] == '\n')
		(*line)[len - 1] = '\0';
	return *line;
}

int shell_interactive(struct shell *s)
{
	const struct sigaction on = { .sa_handler = on_interrupt };
	const char *why = NULL, *line;
	struct shell_editline *l = shell_editline_new(s, &why);
	CLEANUP(free_ptr) char *plain = NULL;
	size_t size = 0;

	if (shell_launch_wanted(s) && shell_launch(s)) {
		shell_editline_free(l);
		return -1;
	}
	welcome(s);
	if (!l && why)
		fprintf(stderr, "%s: %s: lines are read without editing\n", s->name, why);
	sigaction(SIGINT, &on, NULL);
	while (!s->quit && (line = l ? shell_editline_get(l) : plain_line(s, &plain, &size)))
		run_typed(s, line);
	if (!s->quit)
		putchar('\n');
	shell_editline_free(l);
	return 0;
}

/* The commands, wherever they come from. */
static int run(struct shell *s, const char *file, int argc, char **argv)
{
	FILE *from;
	int rc;

	if (file && strcmp(file, "-") != 0) {
		from = fopen(file, "re");
		if (!from)
			return shell_error(s, "%s: %s", file, strerror(errno));
		rc = shell_launch_wanted(s) ? shell_launch(s) : 0;
		if (rc == 0)
			rc = shell_run_file(s, from, file);
		fclose(from);
		return rc;
	}
	if (!file && !argc && isatty(STDIN_FILENO))
		return shell_interactive(s);
	rc = shell_launch_wanted(s) ? shell_launch(s) : 0;
	if (rc)
		return rc;
	if (argc)
		return shell_run_args(s, argc, argv);
	return shell_run_file(s, stdin, "*stdin*");
}

int shell_main(struct shell *s, const char *file, int argc, char **argv)
{
	struct dry_error e = { .code = DRY_OK };
	int rc;

	if (host_side_start(&s->host, &e) < 0)
		return shell_error(s, "%s", e.msg), EXIT_FAILED;
	rc = run(s, file, argc, argv);
	/* What a command that failed has left would be a guest that nobody wanted. */
	if (shell_end(s, rc == 0 && !s->failed) < 0)
		rc = -1;
	return rc || s->failed ? EXIT_FAILED : EXIT_DONE;
}
