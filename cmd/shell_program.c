/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shell_program.c - commands of the shell that run programs: the guest's, and the appliance's for others. */
#include "shell.h"

#include "alloc.h"
#include "text.h"

#include <sys/wait.h>

/* What a program says. */
struct said {
	struct shell *s;
	struct strbuf *out; /* NULL: straight to the command's output */
	struct strbuf err;
	const char *input;
	size_t left;
};

enum { SAID_MAX = 1 << 20 };

static int on_output(void *arg, int stream, const void *bytes, size_t len)
{
	struct said *w = arg;

	if (stream == 2) {
		if (w->err.len < SAID_MAX)
			strbuf_add(&w->err, bytes, MIN_OF(len, SAID_MAX - w->err.len));
		return 0;
	}
	if (w->out)
		strbuf_add(w->out, bytes, len);
	else
		shell_bytes(w->s, bytes, len);
	return !w->out && w->s->lost;
}

static int on_input(void *arg, void *buf, size_t len, size_t *got)
{
	struct said *w = arg;

	*got = MIN_OF(len, w->left);
	memcpy(buf, w->input, *got);
	w->input += *got;
	w->left -= *got;
	return 0;
}

static bool stopped(void *arg)
{
	(void)arg;
	return shell_stopped();
}

enum place { IN_GUEST, IN_APPLIANCE, ON_GUEST };

/* Its exit status, in *err what it says of errors; -1 with a sentence. */
static int run_to_end(struct shell *s, const char *const *argv, enum place place, const char *input, struct strbuf *out,
		      struct strbuf *err)
{
	struct said w = { .s = s, .out = out, .err = STRBUF_INIT, .input = input, .left = input ? strlen(input) : 0 };
	const struct dry_run_how how = {
		.argv = argv,
		.in_appliance = place != IN_GUEST,
		.sees_guest = place == ON_GUEST,
		.network = s->opts->machine.network && place == IN_GUEST,
		.input = input ? on_input : NULL,
		.output = on_output,
		.max_ms = 3600u * 1000,
		.stop = stopped,
		.arg = &w,
	};
	struct dry_error e = { .code = DRY_OK };
	const char *missing;
	int status = 0, rc;

	rc = dry_change_run(s->c, &how, &status, &e);
	if (rc < 0)
		rc = shell_error(s, "%s", e.msg);
	else if (WIFSIGNALED(status))
		rc = shell_error(s, "%s was killed by signal %d", argv[0], WTERMSIG(status));
	else if (WEXITSTATUS(status) && text_starts(w.err.s, "cannot run ", &missing))
		rc = shell_error(s, "%.*s", (int)strcspn(missing, "\n"), missing);
	else
		rc = WEXITSTATUS(status);
	*err = w.err;
	return rc;
}

static int run(struct shell *s, const char *const *argv, enum place place, const char *input, struct strbuf *out)
{
	CLEANUP(strbuf_free) struct strbuf err = STRBUF_INIT;
	int status = run_to_end(s, argv, place, input, out, &err);
	char *usage;

	if (status <= 0)
		return status;
	while (err.len && err.s[err.len - 1] == '\n')
		err.s[--err.len] = '\0';
	/* Behind what is wrong, some tell all that could be right. */
	if (err.len && (usage = strcasestr(err.s, "\nusage:")))
		*usage = '\0';
	if (err.len)
		return shell_error(s, "%s", err.s);
	return shell_error(s, "%s ended with status %d", argv[0], status);
}

int shell_tool(struct shell *s, const char *const *argv, const char *input, struct strbuf *out)
{
	return run(s, argv, IN_APPLIANCE, input, out);
}

int shell_tool_on_guest(struct shell *s, const char *const *argv, const char *input, struct strbuf *out, struct strbuf *err)
{
	return run_to_end(s, argv, ON_GUEST, input, out, err);
}

int shell_guest_program(struct shell *s, const char *const *argv)
{
	return run(s, argv, IN_GUEST, NULL, NULL);
}

static int command(struct shell *s, struct call *c)
{
	CLEANUP(words_free) struct words w = { .word = NULL };
	const char *why;
	int rc;

	if (!words_list(c->arg[0], getenv("HOME"), &w, &why))
		return shell_error(s, "%s", why);
	if (!w.n)
		return shell_error(s, "a program is expected");
	rc = shell_guest_program(s, (const char *const *)w.word);
	if (rc == 0 && s->peer && strcmp(s->cmd->name, "command") == 0)
		shell_printf(s, "\n");
	return rc;
}

static int sh(struct shell *s, struct call *c)
{
	const char *const argv[] = { "/bin/sh", "-c", c->arg[0], NULL };
	int rc = shell_guest_program(s, argv);

	if (rc == 0 && s->peer && strcmp(s->cmd->name, "sh") == 0)
		shell_printf(s, "\n");
	return rc;
}

static const struct shell_command commands[] = {
	{ "command", NULL, "*arguments", "run a program of the guest", command, SHELL_MACHINE, NULL },
	{ "command-lines", NULL, "*arguments", "run a program of the guest, and print the lines that it prints",
	  command, SHELL_MACHINE, NULL },
	{ "sh", NULL, "command", "run a command in the guest's shell", sh, SHELL_MACHINE, NULL },
	{ "sh-lines", NULL, "command", "run a command in the guest's shell, and print the lines that it prints", sh,
	  SHELL_MACHINE, NULL },
};
const struct shell_group shell_program_group = SHELL_GROUP("programs of the guest", commands);
