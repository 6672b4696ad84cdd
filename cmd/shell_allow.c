/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shell_allow.c - which work on the host a line of a script asks for, as the process on the host sees it, which reads the script.
 */
#include "shell.h"

#include "alloc.h"
#include "guest_in.h"

/* Commands whose word is a file or folder of the host. */
static const struct {
	const char *command;
	enum host_frame kind;
	size_t word;
} files[] = {
	{ "upload", HOST_OPEN, 0 },   { "tar-in", HOST_OPEN, 0 },  { "tgz-in", HOST_OPEN, 0 },	 { "txz-in", HOST_OPEN, 0 },
	{ "download", HOST_CREATE, 1 }, { "tar-out", HOST_CREATE, 1 }, { "tar-out", HOST_PACK, 1 }, { "tgz-out", HOST_PACK, 1 },
	{ "txz-out", HOST_PACK, 1 },  { "lcd", HOST_CHDIR, 0 },
};

static void allow_word(struct host_allowed *a, enum host_frame kind, const char *word, bool glob)
{
	if (glob && *word == '/' && strpbrk(word, "*?["))
		host_allow_pattern(a, kind, word, NULL);
	else
		host_allow(a, kind, word);
}

static void allow_variable(struct host_allowed *a, const char *name, const char *value)
{
	CLEANUP(strbuf_free) struct strbuf text = STRBUF_INIT;

	strbuf_add(&text, name, strlen(name) + 1);
	if (value)
		strbuf_add(&text, value, strlen(value) + 1);
	if (!text.failed)
		host_allow_bytes(a, HOST_SETENV, text.s, text.len);
}

static void allow_editor(struct host_allowed *a, const char *editor)
{
	host_allow(a, HOST_EDIT, "");
	if (!editor)
		return;
	allow_variable(a, "EDITOR", editor);
	allow_variable(a, "EDITOR", getenv("EDITOR"));
}

/* What is copied out gets the last component of its path. */
static void allow_unpacking(struct host_allowed *a, const char *path, const char *folder)
{
	const bool windows = strncmp(path, "win:", 4) == 0;
	CLEANUP(free_ptr) char *copy = alloc_strdup(windows ? path + 4 : path);
	char name[256];

	for (char *p = copy; windows && p && *p; p++)
		if (*p == '\\')
			*p = '/';
	if (copy && guest_in_name(copy, name, sizeof name))
		host_allow_pattern(a, HOST_UNPACK, folder, name);
}

static void allow_words(struct host_allowed *a, char *const *word, size_t n, bool glob)
{
	const struct shell_command *cmd = n ? shell_find(word[0]) : NULL;
	const char *name = cmd ? cmd->name : "", *pager = getenv("PAGER");

	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (strcmp(files[i].command, name) == 0 && files[i].word + 1 < n)
			allow_word(a, files[i].kind, word[files[i].word + 1], glob);
	for (size_t i = 1; i + 1 < n && strcmp(name, "copy-in") == 0; i++)
		allow_word(a, HOST_TREE, word[i], glob);
	for (size_t i = 1; i + 1 < n && strcmp(name, "copy-out") == 0; i++)
		allow_unpacking(a, word[i], word[n - 1]);
	if (strcmp(name, "edit") == 0)
		allow_editor(a, NULL);
	else if (strcmp(name, "vi") == 0 || strcmp(name, "emacs") == 0)
		allow_editor(a, name);
	else if (strcmp(name, "setenv") == 0 && n == 3)
		allow_variable(a, word[1], word[2]);
	else if (strcmp(name, "unsetenv") == 0 && n == 2)
		allow_variable(a, word[1], NULL);
	else if (strcmp(name, "set-tmpdir") == 0 && n == 2)
		allow_variable(a, "TMPDIR", word[1]);
	else if (strcmp(name, "man") == 0)
		host_allow(a, HOST_RUN, "man drydock-shell");
	else if (strcmp(name, "less") == 0)
		host_allow(a, HOST_PIPE, "less");
	else if (strcmp(name, "more") == 0)
		host_allow(a, HOST_PIPE, pager && *pager ? pager : "more");
}

void shell_allow_words(struct host_allowed *a, char *const *word, size_t n)
{
	bool glob = false;

	/* Commands that run commands; ends, as each takes a word. */
	for (; n; word++, n--) {
		const struct shell_command *cmd = shell_find(word[0]);

		if (!cmd || (strcmp(cmd->name, "glob") != 0 && strcmp(cmd->name, "not") != 0 && strcmp(cmd->name, "time") != 0))
			break;
		glob |= strcmp(cmd->name, "glob") == 0;
	}
	allow_words(a, word, n, glob);
}

void shell_allow_line(struct host_allowed *a, const char *line)
{
	CLEANUP(words_free) struct words w = { .word = NULL };
	const char *why;

	line = shell_line_begin(line, &(bool){ false });
	if (*line == '!')
		host_allow(a, HOST_RUN, line + 1);
	else if (*line == '<' && line[1] == '!')
		host_allow(a, HOST_OUTPUT, line + 2);
	else if (*line && words_split(line, getenv("HOME"), &w, &why)) {
		shell_allow_words(a, w.word, w.n);
		if (w.pipe)
			host_allow(a, HOST_PIPE, w.pipe);
	}
}
