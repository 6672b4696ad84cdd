/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shell_own.c - commands of the shell itself: about the session, its words, and the host. */
#include "shell.h"

#include "alloc.h"
#include "edit_file.h"
#include "guest_file.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <time.h>
#include <unistd.h>

/* ---- the session ---- */

static int launch(struct shell *s, struct call *c)
{
	(void)c;
	return shell_launch(s);
}

static int is_config(struct shell *s, struct call *c)
{
	(void)c;
	return shell_bool(s, !s->launched);
}

static int is_ready(struct shell *s, struct call *c)
{
	(void)c;
	return shell_bool(s, s->launched);
}

static int end_session(struct shell *s, struct call *c)
{
	(void)c;
	return shell_end(s, true);
}

static int quit(struct shell *s, struct call *c)
{
	(void)c;
	s->quit = true;
	return 0;
}

static int abandon(struct shell *s, struct call *c)
{
	(void)c;
	s->quit = true;
	return shell_end(s, false);
}

static int sync_disks(struct shell *s, struct call *c)
{
	struct dry_error e = { .code = DRY_OK };

	(void)c;
	return s->c && dry_change_sync(s->c, &e) < 0 ? shell_fail(s, NULL, &e) : 0;
}

static int checkpoint(struct shell *s, struct call *c)
{
	struct dry_error e = { .code = DRY_OK };

	(void)c;
	return dry_change_checkpoint(s->c, NULL, &e) < 0 ? shell_fail(s, NULL, &e) : 0;
}

static int ping(struct shell *s, struct call *c)
{
	(void)s;
	(void)c;
	return 0;
}

static int version(struct shell *s, struct call *c)
{
	unsigned major = 0, minor = 0, release = 0;

	(void)c;
	if (sscanf(dry_version(), "%u.%u.%u", &major, &minor, &release) < 1)
		return shell_error(s, "%s: no version of three numbers", dry_version());
	shell_printf(s, "major: %u\nminor: %u\nrelease: %u\nextra: drydock\n", major, minor, release);
	return 0;
}

static const struct shell_command session[] = {
	{ "launch", "run", NULL, "open the disks: files can be looked at from then on", launch, SHELL_FREE, NULL },
	{ "is-config", NULL, NULL, "can disks be added still?", is_config, SHELL_FREE, NULL },
	{ "is-ready", NULL, NULL, "are the disks open?", is_ready, SHELL_FREE, NULL },
	{ "sync", NULL, NULL, "write what is in memory", sync_disks, 0, NULL },
	{ "checkpoint", NULL, NULL, "keep what was changed so far, whatever comes", checkpoint, SHELL_WRITES, NULL },
	{ "shutdown", NULL, NULL, "end the session and keep what was changed", end_session, SHELL_FREE, NULL },
	{ "abandon", NULL, NULL, "leave, and drop what was changed", abandon, SHELL_FREE, NULL },
	{ "quit", "exit q", NULL, "leave, and keep what was changed", quit, SHELL_FREE, NULL },
	{ "ping-daemon", NULL, NULL, "is the session alive?", ping, 0, NULL },
	{ "version", NULL, NULL, "the version of this program", version, SHELL_FREE, NULL },
};
const struct shell_group shell_session_group = SHELL_GROUP("the session", session);

/* ---- words ---- */

static int echo(struct shell *s, struct call *c)
{
	for (size_t i = 0; i < c->n; i++)
		shell_printf(s, "%s%s", i ? " " : "", c->arg[i]);
	shell_printf(s, "\n");
	return 0;
}

static int help(struct shell *s, struct call *c)
{
	const struct shell_command *cmd;

	if (!c->n) {
		shell_list_commands(s);
		shell_printf(s, "\n\"help COMMAND\" tells of one.\n");
		return 0;
	}
	cmd = shell_find(c->arg[0]);
	if (cmd)
		shell_help(s, cmd);
	else if (shell_peer_has(c->arg[0]))
		return shell_error(s, "guestfish command %s is not here yet", c->arg[0]);
	else
		return shell_error(s, "%s: unknown command", c->arg[0]);
	return 0;
}

static int run_not(struct shell * s, struct call *c)
{
	return shell_run_words(s, c->arg, c->n, NULL) == 0 ? -1 : 0;
}

static int take_time(struct shell *s, struct call *c)
{
	struct timespec a, b;
	int rc;

	clock_gettime(CLOCK_MONOTONIC, &a);
	rc = shell_run_words(s, c->arg, c->n, NULL);
	clock_gettime(CLOCK_MONOTONIC, &b);
	if (rc == 0)
		shell_printf(s, "elapsed time: %.2f seconds\n",
			     (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9);
	return rc;
}

/* ---- globs ---- */

struct names {
	char **item;
	size_t n, cap;
	const char *pattern, *folder;
	bool nomem;
};

static bool push(struct names *l, char *text)
{
	if (text && l->n == l->cap) {
		char **more = alloc_resize(l->item, l->cap ? 2 * l->cap : 16, sizeof *more);

		if (more) {
			l->item = more;
			l->cap = l->cap ? 2 * l->cap : 16;
		}
	}
	if (!text || l->n == l->cap) {
		free(text);
		l->nomem = true;
		return false;
	}
	l->item[l->n++] = text;
	return true;
}

static void drop(struct names *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->item[i]);
	free(l->item);
	*l = (struct names){ .item = NULL };
}

static int match(void *arg, const char *name, struct dry_node node, uint32_t type)
{
	struct names *l = arg;

	(void)node;
	(void)type;
	if (fnmatch(l->pattern, name, FNM_PERIOD) != 0)
		return 0;
	return !push(l, alloc_printf("%s/%s", l->folder, name));
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int shell_glob(struct shell *s, const char *pattern, char ***list, size_t *n)
{
	struct names have = { .item = NULL };
	CLEANUP(free_ptr) char *copy = alloc_strdup(pattern);
	char *rest = copy, *part;
	bool nomem = !copy || !push(&have, alloc_strdup(""));

	/* One component after the other: each goes on from the paths that match so far. */
	while (rest && !nomem && (part = strsep(&rest, "/"))) {
		struct names next = { .pattern = part };

		if (!*part)
			continue;
		for (size_t i = 0; i < have.n && !nomem; i++) {
			struct dry_node node;

			next.folder = have.item[i];
			if (!strpbrk(part, "*?[")) {
				CLEANUP(free_ptr) char *path = alloc_printf("%s/%s", have.item[i], part);

				if (path && dry_guest_lookup(s->g, path, false, &node, NULL) >= 0)
					push(&next, take(path));
			} else if (dry_guest_lookup(s->g, *have.item[i] ? have.item[i] : "/", true, &node, NULL) >= 0) {
				dry_node_list(s->g, node, match, &next, NULL);
			}
			nomem = next.nomem;
		}
		drop(&have);
		have = next;
	}
	if (!nomem && !have.n)
		nomem = !push(&have, alloc_strdup(pattern));
	if (nomem) {
		drop(&have);
		return shell_nomem(s);
	}
	qsort(have.item, have.n, sizeof *have.item, by_name);
	*list = have.item;
	*n = have.n;
	return 0;
}

enum { GLOB_WORDS = 64, GLOB_RUNS = 100000 };

/* The command with each combination of what its words match, the last word turning fastest. */
static int glob(struct shell *s, struct call *c)
{
	struct names lists[GLOB_WORDS] = { { .item = NULL } };
	size_t at[GLOB_WORDS] = { 0 }, k, runs = 0;
	char *words[GLOB_WORDS + 2];
	int rc = 0;

	if (!c->n || c->n > GLOB_WORDS)
		return shell_error(s, "from one to %d words", GLOB_WORDS);
	for (size_t i = 0; i < c->n && rc == 0; i++) {
		if (i && *c->arg[i] == '/' && strpbrk(c->arg[i], "*?["))
			rc = shell_glob(s, c->arg[i], &lists[i].item, &lists[i].n);
		else
			rc = push(&lists[i], alloc_strdup(c->arg[i])) ? 0 : shell_nomem(s);
	}
	while (rc == 0) {
		for (size_t i = 0; i < c->n; i++)
			words[i] = lists[i].item[at[i]];
		words[c->n] = NULL;
		rc = ++runs > GLOB_RUNS ? shell_error(s, "the words match too many paths")
					: shell_run_words(s, words, c->n, NULL);
		for (k = c->n; k && ++at[k - 1] == lists[k - 1].n; k--)
			at[k - 1] = 0;
		if (!k)
			break;
	}
	for (size_t i = 0; i < c->n; i++)
		drop(&lists[i]);
	return rc;
}

static int glob_expand(struct shell *s, struct call *c)
{
	char **list;
	size_t n;
	struct dry_node node;

	if (shell_glob(s, c->arg[0], &list, &n))
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (n > 1 || dry_guest_lookup(s->g, list[i], false, &node, NULL) >= 0)
			shell_line(s, list[i]);
		free(list[i]);
	}
	free(list);
	return 0;
}

/* ---- the host ---- */

static int lcd(struct shell *s, struct call *c)
{
	struct dry_error e = { .code = DRY_OK };

	if (host_chdir(s->host, c->arg[0], &e) < 0)
		return shell_fail(s, c->arg[0], &e);
	/* Disks that are added later are named from there, too. */
	if (!s->launched && chdir(c->arg[0]) < 0)
		return shell_error(s, "%s: %s", c->arg[0], strerror(errno));
	return 0;
}

static int set_env(struct shell *s, struct call *c)
{
	struct dry_error e = { .code = DRY_OK };

	return host_setenv(s->host, c->arg[0], c->arg[1], &e) < 0 || setenv(c->arg[0], c->arg[1], 1) < 0
		       ? shell_error(s, "%s: it is no name of a variable", c->arg[0])
		       : 0;
}

static int unset_env(struct shell *s, struct call *c)
{
	struct dry_error e = { .code = DRY_OK };

	return host_setenv(s->host, c->arg[0], NULL, &e) < 0 || unsetenv(c->arg[0]) < 0
		       ? shell_error(s, "%s: it is no name of a variable", c->arg[0])
		       : 0;
}

static int manual(struct shell *s, struct call *c)
{
	struct dry_error e = { .code = DRY_OK };
	int status;

	(void)c;
	return host_run(s->host, "man drydock-shell", &status, &e) < 0 ? shell_fail(s, NULL, &e) : 0;
}

static int more(struct shell *s, struct call *c)
{
	const char *pager = getenv("PAGER");
	struct dry_error e = { .code = DRY_OK };
	int status, rc;

	if (strcmp(s->cmd->name, "less") == 0)
		pager = "less";
	if (host_pipe(s->host, pager && *pager ? pager : "more", &e) < 0)
		return shell_fail(s, NULL, &e);
	s->piping = true;
	s->collecting = false;
	rc = guest_file_bytes(s->g, c->arg[0], s->buf, shell_take_bytes, s, &e);
	/* What is still to be written is the pager's. */
	if (s->out.len && !s->lost)
		s->lost = host_write(s->host, s->out.s, s->out.len, NULL) < 0;
	strbuf_reset(&s->out);
	s->piping = false;
	host_finish(s->host, &status, NULL);
	return rc < 0 ? shell_fail(s, c->arg[0], &e) : 0;
}

static int edit_with(struct shell *s, struct call *c, const char *editor)
{
	const struct edit_how how = { .h = s->host };
	const char *before = getenv("EDITOR");
	struct dry_error e = { .code = DRY_OK };
	bool changed;
	int rc;

	if (editor)
		host_setenv(s->host, "EDITOR", editor, &e);
	rc = edit_file(s->c, c->arg[0], &how, &changed, &e);
	if (editor)
		host_setenv(s->host, "EDITOR", before, NULL);
	return rc < 0 ? shell_fail(s, c->arg[0], &e) : 0;
}

static int edit(struct shell *s, struct call *c)
{
	return edit_with(s, c, NULL);
}

static int vi(struct shell *s, struct call *c)
{
	return edit_with(s, c, "vi");
}

static int emacs(struct shell *s, struct call *c)
{
	return edit_with(s, c, "emacs");
}

static const struct shell_command own[] = {
	{ "help", NULL, "words...", "list the commands, or tell of one", help, SHELL_FREE, NULL },
	{ "man", "manual", NULL, "show the manual", manual, SHELL_FREE | SHELL_HOST, NULL },
	{ "echo", NULL, "words...", "print the words", echo, SHELL_FREE, NULL },
	{ "glob", NULL, "words...", "run a command with each path that its words match", glob, 0, NULL },
	{ "glob-expand", NULL, "/pattern", "the paths that match", glob_expand, 0, NULL },
	{ "not", NULL, "words...", "run a command that must fail", run_not, SHELL_FREE, NULL },
	{ "time", NULL, "words...", "run a command and tell how long it took", take_time, SHELL_FREE, NULL },
	{ "lcd", NULL, "~folder", "work in this folder of the host", lcd, SHELL_FREE | SHELL_HOST, NULL },
	{ "setenv", NULL, "name value", "a variable for programs of the host", set_env, SHELL_FREE | SHELL_HOST, NULL },
	{ "unsetenv", NULL, "name", "remove such a variable", unset_env, SHELL_FREE | SHELL_HOST, NULL },
	{ "more", NULL, "/path", "look at a file with a pager", more, SHELL_HOST, NULL },
	{ "less", NULL, "/path", "look at a file with less", more, SHELL_HOST, NULL },
	{ "edit", NULL, "/path", "edit a file with the host's editor ($EDITOR)", edit, SHELL_WRITES | SHELL_HOST,
	  "download" },
	{ "vi", NULL, "/path", "edit a file with vi", vi, SHELL_WRITES | SHELL_HOST, "download" },
	{ "emacs", NULL, "/path", "edit a file with emacs", emacs, SHELL_WRITES | SHELL_HOST, "download" },
};
const struct shell_group shell_own_group = SHELL_GROUP("words, and the host", own);
