/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shell_augeas.c - commands of the shell about configuration files as trees, by augtool in the appliance.
 *
 * augtool runs anew for each command: what the session has changed in the tree is kept as lines for it and comes before each
 * question, until it is saved.  As its tree goes with it, a question may change that tree too.
 *
 * Most of its time it needs for learning all forms of files.  So it is given only those files that the lines are about where
 * they are known, which is when each path begins with one that aug-init has found, and leads nowhere else.
 */
#include "shell.h"

#include "alloc.h"
#include "limits.h"
#include "locked.h"
#include "text.h"

#include <errno.h>
#include <sys/stat.h>

enum { AUG_BACKUP = 1, AUG_NEWFILE = 2, AUG_TYPE_CHECK = 4, AUG_NO_STDINC = 8, AUG_NOOP = 16, AUG_NO_LOAD = 32 };

struct shell_augeas {
	char *root;	     /* as augtool is told it */
	char token[2 * 16 + 1]; /* nothing in the guest knows it */
	unsigned flags;
	struct strbuf past; /* lines that have changed the tree */
	struct strbuf files; /* "FILE LENS\n" of those that aug-init has read; the first begins with '\n' */
	/* What the past needs, and with it the command at work: all files, or those of these lines. */
	bool past_all, all;
	struct strbuf past_needs, needs;
};

void shell_augeas_free(struct shell *s)
{
	if (!s->augeas)
		return;
	free(s->augeas->root);
	strbuf_free(&s->augeas->past);
	strbuf_free(&s->augeas->files);
	strbuf_free(&s->augeas->past_needs);
	strbuf_free(&s->augeas->needs);
	free(s->augeas);
	s->augeas = NULL;
}

/* ---- words for augtool ---- */

/* A text: in quotes, in which brackets are counted all the same; what closes one that is not open cannot be said. */
static int add_value(struct shell *s, struct strbuf *out, const char *value)
{
	int open = 0;

	strbuf_puts(out, " \"");
	for (const char *p = value; *p; p++) {
		open += (*p == '[') - (*p == ']');
		if (open < 0)
			return shell_error(s, "'%s': augtool takes no text with a ] before its [", value);
		if (*p == '\n') {
			strbuf_puts(out, "\\n");
			continue;
		}
		if (*p == '"' || *p == '\\')
			strbuf_putc(out, '\\');
		strbuf_putc(out, *p);
	}
	strbuf_putc(out, '"');
	return 0;
}

/*
 * A path expression: quotes and blanks mean something to augtool outside of brackets alone, a backslash everywhere but before
 * a bracket, and a bracket behind one is not counted.
 */
static int add_path(struct shell *s, struct strbuf *out, const char *path)
{
	int open = 0;

	if (!*path || strchr(path, '\n'))
		return shell_error(s, "'%s': that is no path of a node", path);
	strbuf_putc(out, ' ');
	for (const char *p = path; *p; p++) {
		if (*p == '\\' && (p[1] == '[' || p[1] == ']')) {
			strbuf_putc(out, *p++);
			strbuf_putc(out, *p);
			continue;
		}
		if (*p == '\\' && p[1] == '\\') {
			strbuf_puts(out, "\\\\\\\\");
			p++;
			continue;
		}
		open += (*p == '[') - (*p == ']');
		if (open < 0)
			break;
		if (*p == '\\' || (open == 0 && strchr("'\" \t", *p)))
			strbuf_putc(out, '\\');
		strbuf_putc(out, *p);
	}
	return open ? shell_error(s, "%s: its brackets do not pair", path) : 0;
}

/* Does the rest of a path stay below the node where it begins? */
static bool stays(const char *rest)
{
	for (const char *p = rest; (p = strchr(p, '/')); p++)
		if (p > rest && strchr(" \t[(=|<>!,+*-", p[-1]))
			return false;
	return !strchr(rest, '$') && !strstr(rest, "..") && !strstr(rest, "::");
}

/* The line of the file that a path begins with, where it goes on below that; NULL: not known. */
static char *file_of(const struct shell_augeas *a, const char *path)
{
	const char *file;

	if (!text_starts(path, "/files", &file) || *file != '/')
		return NULL;
	for (const char *p = file; *p == '/';) {
		CLEANUP(free_ptr) char *key = NULL;
		const char *found;

		p += 1 + strcspn(p + 1, "/[");
		key = alloc_printf("\n%.*s ", (int)(p - file), file);
		found = key ? strstr(a->files.s, key) : NULL;
		if (found && stays(p))
			return alloc_printf("%.*s\n", (int)strcspn(found + 1, "\n"), found + 1);
	}
	return NULL;
}

/* What a path needs. */
static void note_path(struct shell_augeas *a, const char *path)
{
	CLEANUP(free_ptr) char *line = file_of(a, path);
	const char *p = a->needs.s;

	if (!line) {
		a->all = true;
		return;
	}
	while (*p && !text_starts(p, line, NULL))
		p = strchr(p, '\n') + 1;
	if (!*p)
		strbuf_puts(&a->needs, line);
}

/* "NAME WORD...": the form tells of each word what it is, 'p' a path, 's' one that begins elsewhere, 'v' a text. */
static int add_line(struct shell *s, struct strbuf *out, const char *name, const char *form, const char *const *word)
{
	int rc = 0;

	strbuf_puts(out, name);
	for (size_t i = 0; form[i] && rc == 0; i++)
		rc = form[i] == 'v' ? add_value(s, out, word[i]) : add_path(s, out, word[i]);
	for (size_t i = 0; form[i]; i++) {
		if (form[i] == 'p')
			note_path(s->augeas, word[i]);
		else if (form[i] == 's')
			s->augeas->all |= *word[i] == '/' || !stays(word[i]);
	}
	strbuf_putc(out, '\n');
	return rc;
}
#define LINE(s, out, name, form, ...) add_line(s, out, name, form, (const char *const[]){ __VA_ARGS__, NULL })

/* ---- running it ---- */

static int begun(struct shell *s)
{
	struct shell_augeas *a = s->augeas;

	if (a) {
		a->all = a->past_all;
		strbuf_reset(&a->needs);
		strbuf_puts(&a->needs, a->past_needs.s);
		return 0;
	}
	if (!s->peer)
		return shell_error(s, "\"aug-init\" comes before this");
	return shell_error(s, "do_aug_%s: you must call 'aug-init' first to initialize Augeas", s->cmd->name + strlen("aug-"));
}

/* What is printed between two of these is the answer: there is no such node. */
static void mark(struct shell *s, struct strbuf *out)
{
	strbuf_printf(out, "get /augeas/%s\n", s->augeas->token);
}

/* Puts what lies between the marks into *answer (NULL: nothing is asked). */
static int between(struct shell *s, const struct strbuf *said, struct strbuf *answer)
{
	CLEANUP(free_ptr) char *line = alloc_printf("/augeas/%s (o)\n", s->augeas->token);
	const char *first, *second;

	if (!line)
		return shell_nomem(s);
	if (!answer)
		return 0;
	first = strstr(said->s, line);
	first = first ? first + strlen(line) : NULL;
	second = first ? strstr(first, line) : NULL;
	if (!second)
		return shell_error(s, "augtool's answer was not understood");
	strbuf_add(answer, first, (size_t)(second - first));
	return answer->failed ? shell_nomem(s) : 0;
}

/* Tells of what is wrong the first line that says what. */
static int augtool_error(struct shell *s, const char *said)
{
	for (const char *p = said; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		const char *what;

		if (text_starts(p, "error: Failed to execute command\n", NULL))
			continue;
		if (!text_starts(p, "error: ", &what))
			what = p;
		return shell_error(s, "%.*s", (int)strcspn(what, "\n"), what);
	}
	return shell_error(s, "augtool failed and did not say why");
}

/* "errors" prints a text for each: "Error in FILE at node NODE (CODE)" is its first line. */
static int save_error(struct shell *s, const char *said)
{
	for (const char *p = said; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		const int len = (int)strcspn(p, "\n");
		CLEANUP(free_ptr) char *line = NULL;
		const char *file;
		char *code, *node;

		if (!text_starts(p, "Error in ", NULL))
			continue;
		line = alloc_printf("%.*s", len, p);
		if (!line)
			return shell_nomem(s);
		code = strrchr(line, '(');
		/* What could not be read has not been changed either. */
		if (!text_starts(line, "Error in ", &file) || !code || strcmp(code, "(parse_failed)") == 0)
			continue;
		node = strstr(line, " at node ");
		code[strcspn(code, ")")] = '\0';
		*(node ? node : code - 1) = '\0';
		return shell_error(s, "%s: %s", file, code + 1);
	}
	return shell_error(s, "not all could be saved");
}

enum play { PLAY, PLAY_SAVE, PLAY_ANY };

/* What the session has changed, then these lines.  What is asked may make no sense (PLAY_ANY): then no answer is one. */
static int play_as(struct shell *s, enum play kind, const struct strbuf *lines, struct strbuf *answer)
{
	const struct shell_augeas *a = s->augeas;
	const unsigned flags = a->flags;
	const char *argv[12] = { "augtool", "-r", a->root };
	CLEANUP(strbuf_free) struct strbuf input = STRBUF_INIT, said = STRBUF_INIT, wrong = STRBUF_INIT;
	size_t n = 3;
	int status;

	if (flags & AUG_NEWFILE)
		argv[n++] = "-n";
	else if (flags & AUG_BACKUP)
		argv[n++] = "-b";
	if (flags & AUG_TYPE_CHECK)
		argv[n++] = "-c";
	if (flags & AUG_NO_STDINC)
		argv[n++] = "-S";
	if (flags & AUG_NO_LOAD)
		argv[n++] = "-L";
	if (!a->all)
		argv[n++] = "-A";
	argv[n] = NULL;
	for (const char *p = a->all ? "" : a->needs.s; *p; p = strchr(p, '\n') + 1) {
		const int file = (int)strcspn(p, " "), lens = (int)strcspn(p + file + 1, "\n");

		strbuf_printf(&input, "transform %.*s incl %.*s\n", lens, p + file + 1, file, p);
	}
	strbuf_puts(&input, a->all || !a->needs.len ? "" : "load\n");
	strbuf_puts(&input, flags & AUG_NOOP ? "set /augeas/save noop\n" : "");
	strbuf_puts(&input, a->past.s);
	strbuf_puts(&input, lines->s);
	if (input.failed || lines->failed || a->needs.failed)
		return shell_nomem(s);
	status = shell_tool_on_guest(s, argv, input.s, &said, &wrong);
	if (status < 0)
		return -1;
	if (said.failed || wrong.failed)
		return shell_nomem(s);
	if (status && kind != PLAY_ANY)
		return kind == PLAY_SAVE ? save_error(s, said.s) : augtool_error(s, wrong.s);
	return between(s, &said, answer);
}

static int play(struct shell *s, const struct strbuf *lines, struct strbuf *answer)
{
	return play_as(s, PLAY, lines, answer);
}

/* One that changes the tree and has done so. */
static int keep(struct shell *s, const struct strbuf *line)
{
	struct shell_augeas *a = s->augeas;

	if (a->past.len + line->len > LIMIT_CONFIG_BYTES)
		return shell_error(s, "more was changed than is kept: \"aug-save\" comes before this");
	strbuf_add(&a->past, line->s, line->len);
	a->past_all = a->all;
	strbuf_reset(&a->past_needs);
	strbuf_puts(&a->past_needs, a->needs.s);
	return a->past.failed || a->past_needs.failed ? shell_nomem(s) : 0;
}

static int change(struct shell *s, const char *name, const char *form, const char *const *word)
{
	CLEANUP(strbuf_free) struct strbuf line = STRBUF_INIT;

	if (begun(s) || add_line(s, &line, name, form, word))
		return -1;
	s->augeas->all |= !strchr(form, 'p'); /* what all of it depends on */
	return play(s, &line, NULL) ? -1 : keep(s, &line);
}
#define CHANGE(s, name, form, ...) change(s, name, form, (const char *const[]){ __VA_ARGS__, NULL })

/*
 * The lines that print the paths of the nodes in $d<token>, one a line: without their values, which may have lines of their
 * own, as these nodes have none any more.
 */
static void ask_paths(struct shell *s, struct strbuf *out)
{
	const char *token = s->augeas->token;

	strbuf_printf(out, "clearm $d%s .\n", token);
	mark(s, out);
	strbuf_printf(out, "match $d%s\n", token);
	mark(s, out);
}

static int define(struct shell *s, struct strbuf *out, const char *expr)
{
	CLEANUP(free_ptr) char *name = alloc_printf("defvar d%s", s->augeas->token);

	return name ? LINE(s, out, name, "p", expr) : shell_nomem(s);
}

/* Cuts an answer to ask_paths() into paths; returns how many, or -1 with a sentence. */
static ssize_t cut_paths(struct shell *s, struct strbuf *answer, char ***list)
{
	static const char behind[] = " = (none)";
	size_t n = 0;
	char *next, **paths;

	*list = NULL;
	if (strcmp(answer->s, "  (no matches)\n") == 0)
		return 0;
	for (const char *p = answer->s; (p = strchr(p, '\n')); p++)
		n++;
	paths = alloc_array(n + 1, sizeof *paths);
	if (!paths)
		return shell_nomem(s);
	next = answer->s;
	for (size_t i = 0; i < n; i++) {
		char *end = strchr(next, '\n');
		const size_t len = (size_t)(end - next), tail = sizeof behind - 1;

		if (len < tail || memcmp(end - tail, behind, tail) != 0) {
			free(paths);
			return shell_error(s, "augtool's answer was not understood");
		}
		end[-(ssize_t)tail] = '\0';
		paths[i] = next;
		next = end + 1;
	}
	*list = paths;
	return (ssize_t)n;
}

/* How many nodes an expression has after these lines, 0 for one that has none but a number or a text; -1 with a sentence. */
static ssize_t count(struct shell *s, struct strbuf *lines, const char *expr)
{
	CLEANUP(strbuf_free) struct strbuf answer = STRBUF_INIT;
	CLEANUP(free_ptr) char **list = NULL;

	if (define(s, lines, expr))
		return -1;
	ask_paths(s, lines);
	return play_as(s, PLAY_ANY, lines, &answer) ? -1 : cut_paths(s, &answer, &list);
}

/* ---- commands ---- */

/* Reads all files, and keeps which there are: of names that mean no more than they say. */
static int first_look(struct shell *s)
{
	static const char before[] = "/augeas/files/";
	static const char usual[] = "/._-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	CLEANUP(strbuf_free) struct strbuf lines = STRBUF_INIT, answer = STRBUF_INIT;
	struct shell_augeas *a = s->augeas;

	a->all = a->past_all = true;
	mark(s, &lines);
	strbuf_puts(&lines, "match /augeas/files//lens\n");
	mark(s, &lines);
	if (play(s, &lines, &answer))
		return -1;
	strbuf_putc(&a->files, '\n');
	for (const char *p = answer.s, *file, *lens; *p; p = strchr(p, '\n') + 1) {
		size_t len;

		if (!text_starts(p, before, &file))
			continue;
		len = strspn(--file, usual);
		if (len < 6 || memcmp(file + len - 5, "/lens", 5) != 0 || !text_starts(file + len, " = @", &lens))
			continue;
		strbuf_printf(&a->files, "%.*s %.*s.lns\n", (int)len - 5, file, (int)strcspn(lens, "\n"), lens);
	}
	a->past_all = a->flags & (AUG_NO_STDINC | AUG_NO_LOAD);
	return a->files.failed ? shell_nomem(s) : 0;
}

static int aug_init(struct shell *s, struct call *c)
{
	const char *path = c->arg[0];
	const size_t len = strlen(path);
	unsigned char bytes[16];
	struct dry_node node;
	struct dry_stat st;

	shell_augeas_free(s);
	if (c->num[1] < 0 || c->num[1] > 63)
		return shell_error(s, "%s: these are no flags", c->arg[1]);
	/* In the appliance nothing keeps ".." below the guest's root. */
	if (strstr(path, "/../") || (len > 2 && strcmp(path + len - 3, "/..") == 0))
		return shell_error(s, "%s: the root has no \"..\" in it", path);
	if (shell_stat(s, path, true, &node, &st))
		return -1;
	if (!S_ISDIR(st.mode))
		return shell_error(s, "%s: %s", path, strerror(ENOTDIR));
	s->augeas = alloc_zero(sizeof *s->augeas);
	if (!s->augeas)
		return shell_nomem(s);
	*s->augeas = (struct shell_augeas){ .root = alloc_printf("/sysroot%s", path),
					    .flags = (unsigned)c->num[1],
					    .past = STRBUF_INIT,
					    .files = STRBUF_INIT,
					    .past_needs = STRBUF_INIT,
					    .needs = STRBUF_INIT };
	if (!random_bytes(bytes, sizeof bytes)) {
		shell_augeas_free(s);
		return shell_error(s, "no random numbers: %s", strerror(errno));
	}
	for (size_t i = 0; i < sizeof bytes; i++)
		snprintf(s->augeas->token + 2 * i, 3, "%02x", bytes[i]);
	if (!s->augeas->root || first_look(s)) {
		shell_augeas_free(s);
		return -1;
	}
	return 0;
}

static int aug_close(struct shell *s, struct call *c)
{
	(void)c;
	if (begun(s))
		return -1;
	shell_augeas_free(s);
	return 0;
}

/* get and label: "PATH = TEXT", "PATH (none)" of a node without a value, "PATH (o)" of none. */
static int aug_get(struct shell *s, struct call *c)
{
	CLEANUP(strbuf_free) struct strbuf lines = STRBUF_INIT, answer = STRBUF_INIT;
	const bool label = strcmp(s->cmd->name, "aug-label") == 0;
	const char *rest;

	if (begun(s))
		return -1;
	mark(s, &lines);
	if (LINE(s, &lines, label ? "label" : "get", "p", c->arg[0]))
		return -1;
	mark(s, &lines);
	if (play(s, &lines, &answer))
		return -1;
	if (!text_starts(answer.s, c->arg[0], &rest))
		return shell_error(s, "augtool's answer was not understood");
	if (strcmp(rest, " (o)\n") == 0)
		return shell_error(s, s->peer && label ? "no matching nodes found" : "no matching node");
	if (!text_starts(rest, " = ", &rest))
		return shell_error(s, s->peer ? "Augeas returned NULL match" : "the node has no value");
	shell_printf(s, "%s", rest);
	return 0;
}

static int aug_set(struct shell *s, struct call *c)
{
	return CHANGE(s, "set", "pv", c->arg[0], c->arg[1]);
}

static int aug_clear(struct shell *s, struct call *c)
{
	return CHANGE(s, "clear", "p", c->arg[0]);
}

static int aug_mv(struct shell *s, struct call *c)
{
	return CHANGE(s, "mv", "pp", c->arg[0], c->arg[1]);
}

static int aug_insert(struct shell *s, struct call *c)
{
	if (strchr(c->arg[1], '/'))
		return shell_error(s, "%s: a label has no / in it", c->arg[1]);
	return CHANGE(s, "ins", "vvp", c->arg[1], c->num[2] ? "before" : "after", c->arg[0]);
}

static int aug_load(struct shell *s, struct call *c)
{
	(void)c;
	return CHANGE(s, "load", "", NULL);
}

static int aug_transform(struct shell *s, struct call *c)
{
	bool remove = false;

	if (shell_opt_truth(s, c, "remove", &remove))
		return -1;
	return CHANGE(s, "transform", "vvv", c->arg[0], remove ? "excl" : "incl", c->arg[1]);
}

static int aug_rm(struct shell *s, struct call *c)
{
	CLEANUP(strbuf_free) struct strbuf line = STRBUF_INIT, lines = STRBUF_INIT, answer = STRBUF_INIT;
	const char *number;

	if (begun(s) || LINE(s, &line, "rm", "p", c->arg[0]))
		return -1;
	mark(s, &lines);
	strbuf_puts(&lines, line.s);
	mark(s, &lines);
	if (play(s, &lines, &answer) || keep(s, &line))
		return -1;
	number = strrchr(answer.s, ' '); /* rm : PATH NUMBER */
	shell_printf(s, "%s", number ? number + 1 : "0\n");
	return 0;
}

static int aug_setm(struct shell *s, struct call *c)
{
	const char *sub = *c->arg[1] ? c->arg[1] : ".";
	CLEANUP(strbuf_free) struct strbuf nothing = STRBUF_INIT;
	ssize_t n;

	/* As many are changed as there are nodes to begin at. */
	n = begun(s) ? -1 : count(s, &nothing, c->arg[0]);
	if (n < 0 || CHANGE(s, "setm", "psv", c->arg[0], sub, c->arg[2]))
		return -1;
	shell_printf(s, "%zd\n", n);
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int aug_match(struct shell *s, struct call *c)
{
	const bool ls = strcmp(s->cmd->name, "aug-ls") == 0;
	const size_t len = strlen(c->arg[0]);
	CLEANUP(strbuf_free) struct strbuf lines = STRBUF_INIT, answer = STRBUF_INIT;
	CLEANUP(free_ptr) char *below = NULL, **list = NULL;
	ssize_t n;

	if (begun(s))
		return -1;
	if (ls && len > 1 && c->arg[0][len - 1] == '/')
		return shell_error(s, "don't use aug-ls with a path that ends with /");
	below = alloc_printf("%s%s", c->arg[0], !ls ? "" : len > 1 ? "/*" : "*");
	if (!below)
		return shell_nomem(s);
	if (define(s, &lines, below))
		return -1;
	ask_paths(s, &lines);
	if (play(s, &lines, &answer))
		return -1;
	n = cut_paths(s, &answer, &list);
	if (ls && n > 1)
		qsort(list, (size_t)n, sizeof *list, by_text);
	for (ssize_t i = 0; i < n; i++)
		shell_line(s, list[i]);
	return n < 0 ? -1 : 0;
}

static int aug_defvar(struct shell *s, struct call *c)
{
	CLEANUP(free_ptr) char *name = alloc_printf("$%s", c->arg[0]);
	CLEANUP(strbuf_free) struct strbuf nothing = STRBUF_INIT;
	ssize_t n;

	if (!name)
		return shell_nomem(s);
	if (!*c->arg[1])
		return shell_error(s, "%s: a variable is not undone here", c->arg[0]);
	if (CHANGE(s, "defvar", "vp", c->arg[0], c->arg[1]))
		return -1;
	n = count(s, &nothing, name);
	if (n < 0)
		return -1;
	shell_printf(s, "%zd\n", n);
	return 0;
}

static int aug_defnode(struct shell *s, struct call *c)
{
	CLEANUP(strbuf_free) struct strbuf nothing = STRBUF_INIT;
	const ssize_t n = begun(s) ? -1 : count(s, &nothing, c->arg[1]);

	if (n < 0 || CHANGE(s, "defnode", "vpv", c->arg[0], c->arg[1], c->arg[2]))
		return -1;
	shell_printf(s, "i: %zd\nb: %d\n", n ? n : 1, n == 0);
	return 0;
}

/* What a save does not make void: how augeas does its work, and what only looks at the tree. */
static void forget(struct shell_augeas *a)
{
	CLEANUP(strbuf_free) struct strbuf old = a->past;

	a->past = (struct strbuf)STRBUF_INIT;
	for (const char *p = old.s, *end; *p; p = end + 1) {
		const char *word = p + strcspn(p, " \n");

		end = strchr(p, '\n');
		if (text_starts(p, "defvar ", NULL) || text_starts(p, "transform ", NULL) || text_starts(p, "load\n", NULL) ||
		    text_starts(word, " /augeas", NULL))
			strbuf_add(&a->past, p, (size_t)(end + 1 - p));
	}
}

static int aug_save(struct shell *s, struct call *c)
{
	CLEANUP(strbuf_free) struct strbuf lines = STRBUF_INIT;

	(void)c;
	strbuf_puts(&lines, "save\nerrors\n");
	if (begun(s) || play_as(s, PLAY_SAVE, &lines, NULL))
		return -1;
	forget(s->augeas);
	return s->augeas->past.failed ? shell_nomem(s) : 0;
}

#define M SHELL_MACHINE
static const struct shell_command commands[] = {
	{ "aug-init", NULL, "/root #flags", "read configuration files below this directory as a tree; flags: 0", aug_init, M,
	  NULL },
	{ "aug-close", NULL, NULL, "forget that tree", aug_close, M, NULL },
	{ "aug-get", NULL, "augpath", "the value of a node", aug_get, M, NULL },
	{ "aug-label", NULL, "augpath", "the label of a node", aug_get, M, NULL },
	{ "aug-match", NULL, "augpath", "the nodes that a path expression means", aug_match, M, NULL },
	{ "aug-ls", NULL, "augpath", "the nodes right below one", aug_match, M, NULL },
	{ "aug-set", NULL, "augpath val", "give a node this value", aug_set, M, NULL },
	{ "aug-setm", NULL, "base sub val", "give many nodes this value: sub, from each base", aug_setm, M, NULL },
	{ "aug-clear", NULL, "augpath", "take a node's value away", aug_clear, M, NULL },
	{ "aug-insert", NULL, "augpath label ?before", "make a node before or behind another", aug_insert, M, NULL },
	{ "aug-mv", NULL, "src dest", "move a node", aug_mv, M, NULL },
	{ "aug-rm", NULL, "augpath", "remove nodes and what is below them", aug_rm, M, NULL },
	{ "aug-defvar", NULL, "name expr", "call what an expression means $name", aug_defvar, M, NULL },
	{ "aug-defnode", NULL, "name expr val", "the same, and make a node where it means none", aug_defnode, M, NULL },
	{ "aug-transform", NULL, "lens file [?remove]", "read files of this name by this lens", aug_transform, M, NULL },
	{ "aug-load", NULL, NULL, "read all files anew", aug_load, M, NULL },
	{ "aug-save", NULL, NULL, "write what was changed in the tree to the files", aug_save, SHELL_WRITES, NULL },
};
const struct shell_group shell_augeas_group = SHELL_GROUP("configuration files", commands);
