/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shell_loop.c - where the shell's commands come from: the command line, a file, standard input, a terminal. */
#include "shell.h"

#include "alloc.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

/* A command of the command line; a "-" before it is a part of its first word. */
static int run_words(struct shell *s, struct strbuf *text)
{
	const bool may_fail = text->s[0] == '-' && text->s[1];
	CLEANUP(free_ptr) char **word = NULL;
	size_t n = 0, at = 0;
	int rc;

	for (size_t i = 0; i < text->len; i++)
		n += text->s[i] == '\0';
	word = alloc_array(n + 1, sizeof *word);
	if (!word)
		return shell_nomem(s);
	for (size_t i = 0; i < n; i++) {
		word[i] = text->s + at;
		at += strlen(word[i]) + 1;
	}
	word[0] += may_fail;
	rc = shell_run_words(s, word, n, NULL);
	return may_fail ? 0 : rc;
}

/* What the host side reads: lines of a file of that name, or words (NULL).  An error ends it. */
static int run_script(struct shell *s, const char *name)
{
	CLEANUP(strbuf_free) struct strbuf line = STRBUF_INIT;
	struct dry_error e = { .code = DRY_OK };
	int rc = 0, number = 0;

	while (rc == 0 && !s->quit) {
		if (host_line(s->host, &line, &number, &e) < 0) {
			s->where[0] = '\0';
			return shell_error(s, "%s: %s", name ? name : "script", e.msg);
		}
		if (!number)
			break;
		if (name)
			snprintf(s->where, sizeof s->where, "%.250s:%d: ", name, number);
		rc = name ? shell_run_line(s, line.len ? line.s : "") : run_words(s, &line);
	}
	s->where[0] = '\0';
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
	const bool named = file && strcmp(file, "-") != 0;
	struct host_script script = { .words = argv, .nwords = (size_t)argc, .allow_line = shell_allow_line,
				      .allow_words = shell_allow_words };
	struct dry_error e = { .code = DRY_OK };
	int rc;

	s->scripted = file || argc || !isatty(STDIN_FILENO);
	if (s->scripted && !argc)
		script.from = named ? fopen(file, "re") : stdin;
	if (s->scripted && !argc && !script.from)
		return shell_error(s, "%s: %s", file, strerror(errno));
	/* Lines of keys are between those of the script. */
	if (script.from == stdin && s->opts->keys.from_stdin)
		setvbuf(stdin, NULL, _IONBF, 0);
	rc = host_side_start_script(&s->host, s->scripted ? &script : NULL, &e);
	if (named && script.from)
		fclose(script.from);
	if (rc < 0)
		return shell_error(s, "%s", e.msg);
	if (!s->scripted)
		return shell_interactive(s);
	rc = shell_launch_wanted(s) ? shell_launch(s) : 0;
	return rc ? rc : run_script(s, argc ? NULL : named ? file : "*stdin*");
}

int shell_main(struct shell *s, const char *file, int argc, char **argv)
{
	int rc = run(s, file, argc, argv);

	/* What a command that failed has left would be a guest that nobody wanted. */
	if (shell_end(s, rc == 0 && !s->failed) < 0)
		rc = -1;
	return rc || s->failed ? EXIT_FAILED : EXIT_DONE;
}
