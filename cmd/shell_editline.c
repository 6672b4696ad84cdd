/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shell_editline.c - lines from the terminal by libedit, which is loaded when it is needed: edited, completed, and
 * remembered.
 */
#include "shell.h"

#include "alloc.h"
#include "late.h"

#include <dlfcn.h>
#include <histedit.h>
#include <signal.h>
#include <sys/stat.h>

#define EDIT_FUNCTIONS(f)                                                                                              \
	f(el_init) f(el_end) f(el_set) f(el_get) f(el_gets) f(el_line) f(el_insertstr) f(history_init) f(history_end)  \
		f(history)
struct editline {
	EDIT_FUNCTIONS(LATE_MEMBER)
};

struct shell_editline {
	struct editline lib;
	struct shell *s;
	EditLine *el;
	History *h;
	char *file; /* in which lines are kept; NULL: nowhere */
	struct strbuf line;
};

enum { HISTORY_LINES = 1000, COMPLETIONS = 200 };

static bool load(struct editline *x, const char **why)
{
#define EDIT_SYMBOL(name) { #name, &x->name },
	const struct late_symbol symbols[] = { EDIT_FUNCTIONS(EDIT_SYMBOL) };
	const char *missing;

	if (late_load("libedit.so.2", RTLD_LOCAL, symbols, ARRAY_LEN(symbols), &missing))
		return true;
	*why = missing ? "libedit is not the one that is known" : "libedit is not installed";
	return false;
}

/* ---- completion ---- */

struct candidates {
	char **item;
	size_t n;
	const char *start; /* what they begin with */
	const char *folder;
};

static void offer(struct candidates *c, char *text)
{
	char **more = text && c->n < COMPLETIONS ? alloc_resize(c->item, c->n + 1, sizeof *more) : NULL;

	if (!more) {
		free(text);
		return;
	}
	c->item = more;
	c->item[c->n++] = text;
}

static bool begins(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

static void offer_commands(struct candidates *c)
{
	for (size_t g = 0; shell_groups[g]; g++)
		for (size_t i = 0; i < shell_groups[g]->n; i++)
			if (begins(shell_groups[g]->commands[i].name, c->start))
				offer(c, alloc_printf("%s ", shell_groups[g]->commands[i].name));
}

static void offer_devices(struct shell *s, struct candidates *c)
{
	const struct dry_volume *v;
	struct dry_disk d;
	size_t n;

	for (size_t i = 0; dry_guest_disk(s->g, i, &d); i++)
		if (begins(d.device, c->start))
			offer(c, alloc_printf("%s ", d.device));
	if (dry_guest_volumes(s->g, &v, &n, NULL) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		if (begins(v[i].name, c->start) && strcmp(v[i].scheme, "disk") != 0)
			offer(c, alloc_printf("%s ", v[i].name));
}

static int offer_name(void *arg, const char *name, struct dry_node node, uint32_t type)
{
	struct candidates *c = arg;
	const char *last = strrchr(c->start, '/') + 1;

	(void)node;
	/* Names that a terminal would take for something else are not typed for anybody. */
	for (const char *p = name; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 127 || *p == '"' || *p == '\'' || *p == '\\')
			return 0;
	if (begins(name, last))
		offer(c, alloc_printf("%s%s%s", c->folder, name, S_ISDIR(type) ? "/" : " "));
	return c->n >= COMPLETIONS;
}

static void offer_paths(struct shell *s, struct candidates *c)
{
	CLEANUP(free_ptr) char *folder = alloc_strndup(c->start, (size_t)(strrchr(c->start, '/') + 1 - c->start));
	struct dry_node n;

	c->folder = folder;
	if (folder && dry_guest_lookup(s->g, folder, true, &n, NULL) >= 0)
		dry_node_list(s->g, n, offer_name, c, NULL);
	c->folder = NULL;
}

static struct shell_editline *the_line; /* libedit gives its callbacks nothing of ours */

/* Types what all candidates have in common; with more than one that adds nothing, lists them. */
static unsigned char complete(EditLine *el, int key)
{
	struct shell_editline *l = the_line;
	const LineInfo *info = l->lib.el_line(el);
	const char *at = info->cursor;
	CLEANUP(free_ptr) char *word = NULL;
	struct candidates c = { .item = NULL };
	unsigned char answer = CC_ERROR;
	size_t len, common;
	bool first = true;

	(void)key;
	while (at > info->buffer && at[-1] != ' ' && at[-1] != '\t')
		at--;
	for (const char *p = info->buffer; p < at; p++)
		first &= *p == ' ' || *p == '-';
	word = alloc_strndup(at, (size_t)(info->cursor - at));
	if (!word)
		return CC_ERROR;
	c.start = word;
	if (first)
		offer_commands(&c);
	else if (*word == '/' && l->s->g && l->s->launched) {
		if (begins(word, "/dev/"))
			offer_devices(l->s, &c);
		offer_paths(l->s, &c);
	}
	if (c.n) {
		len = strlen(word);
		common = strlen(c.item[0]);
		for (size_t i = 1; i < c.n; i++) {
			size_t k = 0;

			while (k < common && c.item[i][k] == c.item[0][k])
				k++;
			common = k;
		}
		if (common > len) {
			c.item[0][common] = '\0';
			if (l->lib.el_insertstr(el, c.item[0] + len) == 0)
				answer = CC_REFRESH;
		} else {
			putchar('\n');
			for (size_t i = 0; i < c.n; i++)
				printf("%s\n", c.item[i]);
			fflush(stdout);
			answer = CC_REDISPLAY;
		}
	}
	for (size_t i = 0; i < c.n; i++)
		free(c.item[i]);
	free(c.item);
	return answer;
}

static char *prompt(EditLine *el)
{
	static char plain[] = "> ";

	(void)el;
	return the_line->s->prompt ? the_line->s->prompt : plain;
}

/* ---- what was typed before ---- */

static void read_history(struct shell_editline *l)
{
	CLEANUP(strbuf_free) struct strbuf text = STRBUF_INIT;
	struct dry_error e;
	char buf[4096], *rest, *line;
	size_t got = 1;
	HistEvent ev;
	int rc = host_open(l->s->host, l->file, &e);

	while (rc >= 0 && got && text.len < (4u << 20)) {
		rc = host_read(l->s->host, buf, sizeof buf, &got, &e);
		strbuf_add(&text, buf, got);
	}
	rest = text.s;
	while (text.len && (line = strsep(&rest, "\n")))
		if (*line)
			l->lib.history(l->h, &ev, H_ENTER, line);
}

static void write_history(struct shell_editline *l)
{
	struct dry_error e;
	HistEvent ev;
	int more;

	if (!l->file || host_create(l->s->host, l->file, &e) < 0)
		return;
	for (more = l->lib.history(l->h, &ev, H_LAST); more != -1; more = l->lib.history(l->h, &ev, H_PREV)) {
		host_write(l->s->host, ev.str, strlen(ev.str), &e);
		host_write(l->s->host, "\n", 1, &e);
	}
	host_finish(l->s->host, NULL, &e);
}

/* ---- lines ---- */

struct shell_editline *shell_editline_new(struct shell *s, const char **why)
{
	struct shell_editline *l = alloc_zero(sizeof *l);
	const char *home = getenv("HOME");
	HistEvent ev;

	if (!l || !load(&l->lib, why)) {
		free(l);
		return NULL;
	}
	l->s = s;
	l->line = (struct strbuf)STRBUF_INIT;
	the_line = l;
	l->el = l->lib.el_init("drydock-shell", stdin, stdout, stderr);
	l->h = l->lib.history_init();
	if (!l->el || !l->h) {
		*why = "libedit cannot use this terminal";
		shell_editline_free(l);
		return NULL;
	}
	l->lib.history(l->h, &ev, H_SETSIZE, HISTORY_LINES);
	l->lib.history(l->h, &ev, H_SETUNIQUE, 1);
	l->lib.el_set(l->el, EL_PROMPT, prompt);
	l->lib.el_set(l->el, EL_EDITOR, "emacs");
	l->lib.el_set(l->el, EL_HIST, l->lib.history, l->h);
	l->lib.el_set(l->el, EL_ADDFN, "complete", "Complete a word", complete);
	l->lib.el_set(l->el, EL_BIND, "^I", "complete", NULL);
	if (home && *home && s->host)
		l->file = alloc_printf("%s/%s", home, s->peer ? ".guestfish" : ".drydock_history");
	if (l->file)
		read_history(l);
	return l;
}

void shell_editline_free(struct shell_editline *l)
{
	if (!l)
		return;
	if (l->h && l->file)
		write_history(l);
	if (l->h)
		l->lib.history_end(l->h);
	if (l->el)
		l->lib.el_end(l->el);
	free(l->file);
	strbuf_free(&l->line);
	the_line = NULL;
	free(l);
}

const char *shell_editline_get(struct shell_editline *l)
{
	int len = 0;
	const char *line;
	HistEvent ev;

	fflush(stdout);
	l->lib.el_set(l->el, EL_PREP_TERM, 1); /* before the prompt, which says that keys are waited for */
	line = l->lib.el_gets(l->el, &len);
	/* Ctrl-C ends the reading: what was typed is dropped. */
	if (!line && shell_stopped()) {
		puts("^C");
		return "";
	}
	if (!line || len <= 0)
		return NULL;
	strbuf_reset(&l->line);
	strbuf_add(&l->line, line, (size_t)len);
	while (l->line.len && (l->line.s[l->line.len - 1] == '\n' || l->line.s[l->line.len - 1] == '\r'))
		l->line.s[--l->line.len] = '\0';
	if (l->line.len)
		l->lib.history(l->h, &ev, H_ENTER, l->line.s);
	return l->line.s;
}
