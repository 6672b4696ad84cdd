/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shell_call.c - one command of the shell: its words judged, run, and its output sent where it goes. */
#include "shell.h"

#include "alloc.h"
#include "io.h"
#include "out.h"
#include "text.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- sentences ---- */

static void call_name(const struct shell *s, struct strbuf *out)
{
	const char *name = s->peer && s->cmd->call ? s->cmd->call : s->cmd->name;

	for (; *name; name++)
		strbuf_putc(out, s->peer && *name == '-' ? '_' : *name);
}

int shell_error(struct shell *s, const char *fmt, ...)
{
	CLEANUP(strbuf_free) struct strbuf line = STRBUF_INIT;
	va_list ap;

	/* Whatever a command was stopped in, the sentence is that it was. */
	if (shell_stopped())
		return -1;
	if (!s->peer)
		strbuf_printf(&line, "%s: ", s->name);
	strbuf_puts(&line, s->where);
	if (s->peer)
		strbuf_puts(&line, "libguestfs: error: ");
	if (s->cmd) {
		call_name(s, &line);
		strbuf_puts(&line, ": ");
	}
	va_start(ap, fmt);
	strbuf_vprintf(&line, fmt, ap);
	va_end(ap);
	fflush(stdout);
	fprintf(stderr, "%s\n", line.s);
	return -1;
}

int shell_fail(struct shell *s, const char *path, const struct dry_error *e)
{
	CLEANUP(strbuf_free) struct strbuf quoted = STRBUF_INIT;
	const int errnum = e->code == DRY_NOT_FOUND ? ENOENT : e->code == DRY_SYSTEM ? e->sys_errno : 0;

	if (!path)
		return shell_error(s, "%s", e->msg);
	text_quote(&quoted, path, strlen(path));
	/* The library's sentence may name the path once more, or in other words. */
	return shell_error(s, "%s: %s", quoted.s, errnum ? strerror(errnum) : e->msg);
}

int shell_nomem(struct shell *s)
{
	return shell_error(s, "out of memory");
}

/* ---- output ---- */

/* Lines as they are to be read at a terminal. */
static void show_lines(struct strbuf *shown, const char *text, size_t len)
{
	while (len) {
		const char *end = memchr(text, '\n', len);
		const size_t n = end ? (size_t)(end - text) : len;

		out_text(shown, text, n);
		if (end)
			strbuf_putc(shown, '\n');
		text += n + (end != NULL);
		len -= n + (end != NULL);
	}
}

static void flush_out(struct shell *s)
{
	CLEANUP(strbuf_free) struct strbuf shown = STRBUF_INIT;
	struct dry_error e = { .code = DRY_OK };
	int err = 0;

	if (s->out.failed && !s->lost) {
		s->lost = true;
		shell_nomem(s);
	}
	if (s->lost || !s->out.len) {
		strbuf_reset(&s->out);
		return;
	}
	if (s->piping) {
		/* A program need not read all: then it is no error. */
		s->lost = host_write(s->host, s->out.s, s->out.len, &e) < 0;
	} else {
		if (out_terminal())
			show_lines(&shown, s->out.s, s->out.len);
		fflush(stdout);
		err = shown.len ? io_write(STDOUT_FILENO, shown.s, shown.len)
				: io_write(STDOUT_FILENO, s->out.s, s->out.len);
		if (err)
			shell_error(s, "standard output: %s", strerror(err));
		s->failed |= err != 0;
		s->lost = err != 0;
	}
	strbuf_reset(&s->out);
}

static void more_out(struct shell *s)
{
	s->lost |= shell_stopped();
	if (s->out.len >= 65536 && !s->collecting)
		flush_out(s);
}

void shell_printf(struct shell *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strbuf_vprintf(&s->out, fmt, ap);
	va_end(ap);
	more_out(s);
}

void shell_bytes(struct shell *s, const void *bytes, size_t len)
{
	strbuf_add(&s->out, bytes, len);
	more_out(s);
}

void shell_line(struct shell *s, const char *text)
{
	strbuf_puts(&s->out, text);
	strbuf_putc(&s->out, '\n');
	more_out(s);
}

int shell_take_bytes(void *arg, const void *bytes, size_t len)
{
	struct shell *s = arg;

	shell_bytes(s, bytes, len);
	return s->lost;
}

int shell_bool(struct shell *s, bool truth)
{
	shell_line(s, truth ? "true" : "false");
	return 0;
}

/* ---- words ---- */

bool shell_truth(const char *word, bool *out)
{
	static const char *const yes[] = { "1", "true", "t", "yes", "y", "on" };
	static const char *const no[] = { "0", "false", "f", "no", "n", "off" };

	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		if (strcasecmp(word, yes[i]) == 0 || strcasecmp(word, no[i]) == 0) {
			*out = strcasecmp(word, yes[i]) == 0;
			return true;
		}
	}
	return false;
}

bool shell_number(const char *word, int64_t *out)
{
	const bool minus = *word == '-';
	const char *digits = word + minus;
	uint64_t n;

	if (digits[0] == '0' && digits[1] && isdigit((unsigned char)digits[1])) {
		n = 0;
		for (; *digits; digits++) {
			if (*digits < '0' || *digits > '7' || n >> 60)
				return false;
			n = n * 8 + (uint64_t)(*digits - '0');
		}
	} else if (!isdigit((unsigned char)*digits) || (!text_parse_u64(digits, &n) && !text_parse_size(digits, &n))) {
		return false;
	}
	if (n > INT64_MAX)
		return false;
	*out = minus ? -(int64_t)n : (int64_t)n;
	return true;
}

/* A word of a form, its sign taken off. */
struct form {
	char sign; /* one of "/=#?~*", 0: a text */
	bool optional, rest;
	char name[32];
};

/* The next word of a form; false: there is none. */
static bool next_form(const char **at, struct form *f)
{
	const char *s = *at + strspn(*at, " ");
	size_t len = strcspn(s, " ");

	*at = s + len;
	*f = (struct form){ .sign = 0 };
	if (!len)
		return false;
	f->optional = *s == '[';
	s += f->optional;
	len -= 2u * f->optional;
	if (strchr("/=#?~*", *s)) {
		f->sign = *s++;
		len--;
	}
	f->rest = len > 3 && memcmp(s + len - 3, "...", 3) == 0;
	len -= 3u * f->rest;
	snprintf(f->name, sizeof f->name, "%.*s", (int)len, s);
	return true;
}

void shell_form(const struct shell_command *cmd, struct strbuf *out)
{
	const char *at = cmd->args ? cmd->args : "";
	struct form f;

	strbuf_puts(out, cmd->name);
	while (next_form(&at, &f))
		strbuf_printf(out, f.optional ? " [%s:..]" : f.rest ? " %s ..." : " %s", f.name);
}

const char *shell_opt(const struct shell *s, const struct call *c, const char *name)
{
	const char *at = s->cmd->args ? s->cmd->args : "";
	struct form f;
	size_t i = 0;

	while (next_form(&at, &f)) {
		if (!f.optional)
			continue;
		if (strcmp(f.name, name) == 0)
			return c->opt[i];
		i++;
	}
	return NULL;
}

int shell_opt_truth(struct shell *s, const struct call *c, const char *name, bool *out)
{
	const char *word = shell_opt(s, c, name);

	if (!word || shell_truth(word, out))
		return 0;
	return shell_error(s, "%s:%s: that is no truth: true or false", name, word);
}

static int wrong_count(struct shell *s)
{
	CLEANUP(strbuf_free) struct strbuf form = STRBUF_INIT;

	shell_form(s->cmd, &form);
	fflush(stdout);
	fprintf(stderr, "error: incorrect number of arguments\nusage: %s\ntype 'help %s' for more help on %s\n", form.s,
		s->cmd->name, s->cmd->name);
	return -1;
}

/* Judges one positional word. */
static int judge(struct shell *s, struct call *c, size_t i, const struct form *f, char **kept)
{
	bool truth;

	switch (f->sign) {
	case '#':
		if (shell_number(c->arg[i], &c->num[i]))
			return 0;
		fflush(stdout);
		fprintf(stderr, "%s: %s: invalid integer parameter (%s is no number)\n", s->cmd->name, f->name,
			c->arg[i]);
		return -1;
	case '?':
		if (!shell_truth(c->arg[i], &truth))
			return shell_error(s, "%s: '%s' is no truth: true or false", f->name, c->arg[i]);
		c->num[i] = truth;
		return 0;
	case '/':
		if (strncmp(c->arg[i], "win:", 4) == 0 && s->g) {
			*kept = shell_path(s, c->arg[i]);
			if (!*kept)
				return -1;
			c->arg[i] = *kept;
		}
		if (*c->arg[i] == '/')
			return 0;
		if (s->peer) {
			CLEANUP(strbuf_free) struct strbuf call = STRBUF_INIT;

			call_name(s, &call);
			return shell_error(s, "%s_stub: path must start with a / character", call.s);
		}
		return shell_error(s, "%s: a path of the guest begins with /", c->arg[i]);
	default:
		return 0;
	}
}

/* The optional words at the end: how many of n are left. */
static int take_options(struct shell *s, struct call *c, size_t least)
{
	while (c->n > least) {
		const char *word = c->arg[c->n - 1], *colon = strchr(word, ':');
		const char *at = s->cmd->args;
		struct form f;
		size_t i = 0, found = SHELL_OPTS;

		while (colon && next_form(&at, &f)) {
			if (!f.optional)
				continue;
			if (strlen(f.name) == (size_t)(colon - word) && strncmp(f.name, word, strlen(f.name)) == 0)
				found = i;
			i++;
		}
		if (found == SHELL_OPTS)
			return shell_error(s, "unknown optional argument \"%s\"", word);
		c->opt[found] = colon + 1;
		c->n--;
	}
	return 0;
}

static int take_words(struct shell *s, struct call *c, char **kept)
{
	const char *at = s->cmd->args ? s->cmd->args : "";
	struct form f, forms[SHELL_ARGS];
	size_t least = 0, nforms = 0;
	bool rest = false, options = false;
	int rc = 0;

	while (next_form(&at, &f)) {
		options |= f.optional;
		rest |= f.rest;
		if (!f.optional && nforms < SHELL_ARGS) {
			forms[nforms++] = f;
			least += !f.rest;
		}
	}
	if (c->n < least || (c->n > least && !rest && !options))
		return wrong_count(s);
	if (options && !rest)
		rc = take_options(s, c, least);
	for (size_t i = 0; i < c->n && i < nforms && i < SHELL_ARGS && rc == 0 && !forms[i].rest; i++)
		rc = judge(s, c, i, &forms[i], &kept[i]);
	return rc;
}

/* ---- words for the host ---- */

void shell_quote(struct strbuf *out, const char *word)
{
	strbuf_putc(out, '\'');
	for (; *word; word++) {
		if (*word == '\'')
			strbuf_puts(out, "'\\''");
		else
			strbuf_putc(out, *word);
	}
	strbuf_putc(out, '\'');
}

/* ---- running ---- */

static int allowed(struct shell *s)
{
	const unsigned needs = s->cmd->needs;

	if (needs & SHELL_EARLY && (s->launched || s->ended))
		return shell_error(s, "disks are added before \"run\": the session gave up the right to open more");
	if (needs & SHELL_FREE)
		return 0;
	if (s->ended)
		return shell_error(s, "the session was shut down");
	if (!s->launched)
		return shell_error(s,
				   s->peer ? "you must call 'run' before this command" : "\"run\" comes before this");
	if (s->c && dry_change_lost(s->c))
		return shell_error(s, "the machine has gone: nothing of this session can be kept");
	if (needs & SHELL_WRITES && s->readonly && !s->peer)
		return shell_error(s, "the session is read only: nothing is written in it without --rw");
	return needs & (SHELL_WRITES | SHELL_MACHINE) && !s->c ? shell_machine(s) : 0;
}

static int end_pipe(struct shell *s)
{
	struct dry_error e = { .code = DRY_OK };
	int status = 0, rc;

	if (!s->piping)
		return 0;
	s->piping = false;
	rc = host_finish(s->host, &status, &e);
	if (rc < 0 && e.sys_errno != EPIPE)
		return shell_error(s, "%s: %s", s->pipe, e.msg);
	if (s->pipe_error && (!WIFEXITED(status) || WEXITSTATUS(status)))
		return shell_error(s, "the program behind the pipe failed");
	return 0;
}

/* What its own commands say goes where its output goes, so it is begun once, outermost. */
static int begin_pipe(struct shell *s, const char *pipe)
{
	struct dry_error e = { .code = DRY_OK };

	if (!s->host)
		return shell_error(s, "nothing can be run on the host here");
	fflush(stdout);
	if (host_pipe(s->host, pipe, &e) < 0)
		return shell_error(s, "%s: %s", pipe, e.msg);
	s->pipe = pipe;
	s->piping = true;
	return 0;
}

static void trace(const struct shell *s, char **word, size_t n)
{
	if (!s->trace)
		return;
	fflush(stdout);
	fprintf(stderr, "%s: trace:", s->name);
	for (size_t i = 0; i < n; i++)
		fprintf(stderr, " %s", word[i]);
	fputc('\n', stderr);
}

static int unknown(struct shell *s, const char *name)
{
	fflush(stdout);
	if (shell_peer_has(name))
		fprintf(stderr, "guestfish command %s is not here yet\n", name);
	else
		fprintf(stderr, "%s: unknown command\n", name);
	(void)s;
	return -1;
}

int shell_run_words(struct shell *s, char **word, size_t n, const char *pipe)
{
	const struct shell_command *before = s->cmd, *cmd = n ? shell_find(word[0]) : NULL;
	struct call c = { .arg = word + 1, .n = n ? n - 1 : 0 };
	char *kept[SHELL_ARGS] = { NULL };
	bool here = false;
	int rc;

	if (!n)
		return 0;
	if (!cmd)
		return unknown(s, word[0]);
	if (s->depth && shell_stopped())
		return -1;
	if (s->depth >= 8)
		return shell_error(s, "too many commands within commands");
	trace(s, word, n);
	s->cmd = cmd;
	s->depth++;
	rc = take_words(s, &c, kept);
	if (rc == 0)
		rc = allowed(s);
	if (rc == 0) {
		const bool before_collecting = s->collecting;

		if (s->depth == 1)
			s->lost = false;
		/* The host side does one thing at a time: the program behind the pipe starts when the command has
		 * ended. */
		s->collecting |= pipe && cmd->needs & SHELL_HOST;
		s->pipe_after = s->collecting && !before_collecting ? pipe : s->pipe_after;
		if (pipe && !s->collecting) {
			rc = begin_pipe(s, pipe);
			here = rc == 0;
		}
		s->touched |= cmd->needs & SHELL_WRITES;
		if (rc == 0)
			rc = cmd->run(s, &c);
		s->cmd = cmd;
		if (pipe && s->pipe_after == pipe && s->collecting && !before_collecting && !s->piping) {
			here = begin_pipe(s, pipe) == 0;
			rc = here ? rc : -1;
		}
		s->collecting = before_collecting;
		s->pipe_after = before_collecting ? s->pipe_after : NULL;
		if (s->depth == 1 || here)
			flush_out(s);
		if (here && end_pipe(s) < 0)
			rc = -1;
	}
	for (size_t i = 0; i < SHELL_ARGS; i++)
		free(kept[i]);
	s->depth--;
	s->cmd = before;
	return rc;
}

/* "!COMMAND" */
static int run_host(struct shell *s, const char *command)
{
	struct dry_error e = { .code = DRY_OK };
	int status = 0;

	fflush(stdout);
	if (!s->host)
		return shell_error(s, "nothing can be run on the host here");
	if (host_run(s->host, command, &status, &e) < 0)
		return shell_error(s, "%s: %s", command, e.msg);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

/* "<!COMMAND": what it prints are commands. */
static int run_output(struct shell *s, const char *command)
{
	CLEANUP(strbuf_free) struct strbuf text = STRBUF_INIT;
	struct dry_error e = { .code = DRY_OK };
	char part[4096], *whole, *rest, *line;
	size_t got = 1;
	int rc;

	if (!s->host)
		return shell_error(s, "nothing can be run on the host here");
	if (s->nested >= 8)
		return shell_error(s, "too many commands within commands");
	fflush(stdout);
	rc = host_output(s->host, command, &e);
	while (rc >= 0 && got) {
		rc = host_read(s->host, part, sizeof part, &got, &e);
		strbuf_add(&text, part, got);
	}
	if (rc < 0)
		return shell_error(s, "%s: %s", command, e.msg);
	whole = strbuf_detach(&text);
	if (!whole)
		return shell_nomem(s);
	rest = whole;

	s->nested++;
	while (rc == 0 && !s->quit && (line = strsep(&rest, "\n")))
		rc = shell_run_line(s, line);
	s->nested--;
	free(whole);
	return rc;
}

const char *shell_line_begin(const char *line, bool *may_fail)
{
	line += strspn(line, " \t\r\n\f\v");
	if (*line == '#')
		return line + strlen(line);
	*may_fail = *line == '-' && line[1];
	return *may_fail ? line + 1 + strspn(line + 1, " \t") : line;
}

int shell_run_line(struct shell *s, const char *line)
{
	CLEANUP(words_free) struct words w = { .word = NULL };
	bool may_fail = false;
	const char *why;
	int rc;

	line = shell_line_begin(line, &may_fail);
	if (!*line)
		return 0;
	if (*line == '!') {
		rc = run_host(s, line + 1);
	} else if (*line == '<' && line[1] == '!') {
		rc = run_output(s, line + 2);
	} else if (!words_split(line, getenv("HOME"), &w, &why)) {
		fflush(stdout);
		fprintf(stderr, "%s: %s%s\n", s->name, s->peer ? "" : s->where, why);
		rc = -1;
	} else {
		rc = shell_run_words(s, w.word, w.n, w.pipe);
	}
	return may_fail ? 0 : rc;
}
