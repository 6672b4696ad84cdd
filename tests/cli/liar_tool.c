/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * liar_tool.c - a session of the shell that a guest has taken over: it reads the script's lines from the process on the host, as
 * any, and asks that process for everything that could be asked, at each line.  What was done is told: "NUMBER: WHAT".
 *
 * liar_tool SCRIPT: each try writes below "./", where the test looks for it.
 */
#include "alloc.h"
#include "shell.h"

static void told(int line, const char *what, int rc)
{
	if (rc >= 0)
		printf("%d: %s\n", line, what);
}

/* The end of what was begun. */
static int finish(struct host_side *h, int rc)
{
	struct dry_error e;

	if (rc >= 0)
		rc = host_write(h, "x\n", 2, &e);
	return rc >= 0 ? host_finish(h, NULL, &e) : rc;
}

static int drain(struct host_side *h, int rc)
{
	struct dry_error e;
	char buf[4096];
	size_t got = 1;

	while (rc >= 0 && got)
		rc = host_read(h, buf, sizeof buf, &got, &e);
	return rc;
}

static void ask_for_all(struct host_side *h, int line)
{
	struct host_grant any = { .kind = HOST_RUN, .text = (char[]){ "touch run" } };
	const char *const tree[] = { "secret" }, *const name[] = { "x" };
	CLEANUP(strbuf_free) struct strbuf text = STRBUF_INIT;
	struct dry_error e;
	bool changed;
	int status;

	told(line, "only", host_only(h, &(struct host_allowed){ &any, 1 }, &e));
	told(line, "run", host_run(h, "touch run", &status, &e));
	told(line, "output", drain(h, host_output(h, "touch output", &e)));
	told(line, "pipe", finish(h, host_pipe(h, "cat >pipe", &e)));
	told(line, "open", drain(h, host_open(h, "secret", &e)));
	told(line, "create", finish(h, host_create(h, "create", &e)));
	told(line, "tree", drain(h, host_tree(h, tree, name, 1, 0, &e)));
	told(line, "chdir", host_chdir(h, "/", &e));
	told(line, "setenv", host_setenv(h, "EDITOR", "touch editor", &e));
	told(line, "edit", host_edit(h, "x", "x", 1, &text, &changed, &e));
	told(line, "pack", finish(h, host_pack(h, "gzip", "pack", NULL, &e)));
	told(line, "pack to a program", finish(h, host_pack(h, "gzip", "-", "cat >behind", &e)));
	told(line, "pack by a program", finish(h, host_pack(h, "touch by;", "asked", NULL, &e)));
	told(line, "unpack", finish(h, host_unpack(h, ".", ".profile", false, &e)));
	told(line, "unpack elsewhere", finish(h, host_unpack(h, ".", "..", true, &e)));
	/* What some lines ask for. */
	told(line, "the line's program", finish(h, host_pipe(h, " cat >asked", &e)));
	told(line, "the line's file", finish(h, host_create(h, "asked", &e)));
	told(line, "a file of its pattern", drain(h, host_open(h, "/etc/hostname", &e)));
	told(line, "a file like its pattern", drain(h, host_open(h, "/etc/../etc/hostname", &e)));
}

int main(int argc, char **argv)
{
	struct host_script script = { .from = fopen(argv[argc - 1], "re"), .allow_line = shell_allow_line,
				      .allow_words = shell_allow_words };
	CLEANUP(strbuf_free) struct strbuf line = STRBUF_INIT;
	struct host_allowed none = { .items = NULL };
	struct host_side *h;
	struct dry_error e;
	int number = 0;

	if (!script.from || host_side_start_script(&h, &script, &e) < 0 || host_only(h, &none, &e) < 0)
		return 1;
	ask_for_all(h, 0);
	while (host_line(h, &line, &number, &e) >= 0 && number)
		ask_for_all(h, number);
	host_side_stop(h);
	return 0;
}
