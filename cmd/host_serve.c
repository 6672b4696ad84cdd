/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host_serve.c - the process behind host_side.h: one question after the other, until the line is closed. */
#include "alloc.h"
#include "cmd.h"
#include "host_side.h"
#include "host_tar.h"
#include "io.h"
#include "strbuf.h"
#include "text.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Ctrl-C: what is sent from the host ends there.  The one thing a signal handler can reach. */
static volatile sig_atomic_t interrupted;

static void on_interrupt(int sig)
{
	(void)sig;
	interrupted = 1;
}

struct server {
	int fd;
	struct host_end end; /* of the answer at work */
	void *buf;	     /* HOST_FRAME_MAX */
	bool sealed;	     /* only what is allowed is done */
	struct host_allowed allowed;
	size_t always; /* so many of them whatever the line is */
	const struct host_script *script; /* NULL: there is none */
	int line;	     /* its number */
	size_t word;	     /* of the script's: the next */
	struct strbuf said;  /* what a program has printed: commands, with a script */
};
enum { SAID_MAX = 16 << 20 };

__attribute__((format(printf, 4, 5))) static void fail(struct server *s, enum dry_code code, int errnum, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	s->end.code = (int)code;
	s->end.sys_errno = errnum;
	va_start(ap, fmt);
	vsnprintf(s->end.msg, sizeof s->end.msg, fmt, ap);
	va_end(ap);
	n = strlen(s->end.msg);
	if (errnum)
		snprintf(s->end.msg + n, sizeof s->end.msg - n, ": %s", strerror(errnum));
}

static bool answer_end(struct server *s)
{
	return host_send(s->fd, HOST_END, &s->end, sizeof s->end);
}

/* All that can be read of a file, as data. */
static bool answer_file(struct server *s, int fd, const char *name)
{
	for (;;) {
		ssize_t n = interrupted ? -1 : read(fd, s->buf, HOST_FRAME_MAX);

		if (interrupted) {
			fail(s, DRY_CANCELED, 0, "%s: interrupted", name);
			return true;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			fail(s, DRY_SYSTEM, errno, "%s", name);
		if (n <= 0)
			return true;
		if (s->script && s->said.len < SAID_MAX)
			strbuf_add(&s->said, s->buf, (size_t)n);
		if (!host_send(s->fd, HOST_DATA, s->buf, (size_t)n))
			return false;
	}
}

static bool serve_open(struct server *s, const char *path)
{
	CLEANUP(close_fd) int fd = strcmp(path, "-") == 0 ? fcntl(0, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		fail(s, DRY_SYSTEM, errno, "%s", path);
	else if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		fail(s, DRY_SYSTEM, EISDIR, "%s", path);
	else if (!answer_file(s, fd, path))
		return false;
	return answer_end(s);
}

/* ---- programs ---- */

/* The shell with a text of the user's, which may have arguments "$1" and "$2"; in and out are its ends, -1: ours. */
static pid_t start(struct server *s, const char *text, const char *const argument[2], int in, int out)
{
	char *const argv[] = { (char *)"sh", (char *)"-c", (char *)text, (char *)"sh", argument ? (char *)argument[0] : NULL,
			       argument ? (char *)argument[1] : NULL, NULL };
	pid_t pid = fork();

	if (pid == 0) {
		if (in >= 0)
			dup2(in, 0);
		if (out >= 0)
			dup2(out, 1);
		signal(SIGINT, SIG_DFL);
		signal(SIGQUIT, SIG_DFL);
		signal(SIGPIPE, SIG_DFL);
		execv("/bin/sh", argv);
		_exit(127);
	}
	if (pid < 0)
		fail(s, DRY_SYSTEM, errno, "/bin/sh");
	return pid;
}

static void wait_for(struct server *s, pid_t pid)
{
	while (pid > 0 && waitpid(pid, &s->end.status, 0) < 0 && errno == EINTR)
		;
}

static bool serve_run(struct server *s, const char *command)
{
	wait_for(s, start(s, command, NULL, -1, -1));
	return answer_end(s);
}

/* What a program of the user's has printed are lines of the script. */
static void allow_lines(struct server *s)
{
	char *rest = s->said.s, *line;

	while (s->script && s->said.len && !s->said.failed && (line = strsep(&rest, "\n")))
		s->script->allow_line(&s->allowed, line);
	strbuf_reset(&s->said);
}

static bool serve_output(struct server *s, const char *command)
{
	int ends[2];
	pid_t pid;
	bool there = true;

	if (pipe2(ends, O_CLOEXEC) < 0) {
		fail(s, DRY_SYSTEM, errno, "pipe");
		return answer_end(s);
	}
	pid = start(s, command, NULL, -1, ends[1]);
	close(ends[1]);
	strbuf_reset(&s->said);
	if (pid > 0)
		there = answer_file(s, ends[0], command);
	close(ends[0]);
	wait_for(s, pid);
	allow_lines(s);
	return there && answer_end(s);
}

/* Data up to its end into a file, -1: nowhere; what cannot be written is told, if `required`, and passed over. */
static bool take_data(struct server *s, int fd, const char *name, bool required)
{
	enum host_frame kind;
	size_t len;

	for (;;) { /* ends with the other side */
		if (!host_receive(s->fd, &kind, &len) || !host_receive_bytes(s->fd, s->buf, len))
			return false;
		if (kind != HOST_DATA)
			return kind == HOST_END;
		if (fd >= 0 && !s->end.code) {
			int errnum = io_write(fd, s->buf, len);

			if (errnum && required)
				fail(s, DRY_SYSTEM, errnum, "%s", name);
			if (errnum)
				fd = -1;
		}
	}
}

/* Data go to a command, which has arguments or none. */
static bool pipe_to(struct server *s, const char *command, const char *const argument[2])
{
	int ends[2];
	pid_t pid = -1;
	bool there;

	if (pipe2(ends, O_CLOEXEC) < 0) {
		fail(s, DRY_SYSTEM, errno, "pipe");
		ends[0] = ends[1] = -1;
	} else {
		pid = start(s, command, argument, ends[0], -1);
		close(ends[0]);
	}
	there = take_data(s, ends[1], command, false);
	close_fd(&ends[1]);
	wait_for(s, pid);
	return there && answer_end(s);
}

static bool serve_pipe(struct server *s, const char *command)
{
	return pipe_to(s, command, NULL);
}

/* The k-th of words that end at a NUL each; past the last: "". */
static const char *word_at(const char *words, size_t len, size_t k)
{
	const char *end = words + len;

	for (; k && words < end; k--)
		words += strlen(words) + 1;
	return words < end ? words : "";
}

static bool serve_pack(struct server *s, const char *words, size_t len)
{
	static const char *const programs[] = { "gzip", "xz", "zstd", "bzip2" };
	const char *file[2] = { word_at(words, len, 1), NULL }, *behind = word_at(words, len, 2), *program = NULL;
	CLEANUP(strbuf_free) struct strbuf command = STRBUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(programs); i++)
		if (strcmp(programs[i], words) == 0)
			program = programs[i];
	if (!program) {
		fail(s, DRY_USAGE, 0, "no such program compresses");
		return take_data(s, -1, "", false) && answer_end(s);
	}
	strbuf_printf(&command, "%s -c", program);
	if (strcmp(file[0], "-") != 0)
		strbuf_puts(&command, " >\"$1\"");
	else if (*behind)
		strbuf_printf(&command, " | %s", behind);
	if (command.failed)
		return false;
	return pipe_to(s, command.s, file);
}

/*
 * Owners and set-user-id bits of a stranger's files, and devices, are not made on the host.  What is not the file or folder of that
 * name is passed over, so that nothing else in the folder is touched.
 */
static bool serve_unpack(struct server *s, const char *words, size_t len)
{
#define UNPACK "exec tar --no-same-owner --no-same-permissions -x -f - -C "
	const char *const arguments[2] = { words, word_at(words, len, 1) };
	const bool folder = *word_at(words, len, 2) == 'd';

	return pipe_to(s,
		       folder ? "test -d \"$1\" && mkdir -p \"$1/$2\" && " UNPACK "\"$1/$2\""
			      : "test -d \"$1\" && " UNPACK "\"$1\" -- \"$2\"",
		       arguments);
}

static bool serve_create(struct server *s, const char *path)
{
	const bool out = strcmp(path, "-") == 0;
	int fd = out ? fcntl(1, F_DUPFD_CLOEXEC, 3) : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	bool there;

	if (fd < 0)
		fail(s, DRY_SYSTEM, errno, "%s", path);
	there = take_data(s, fd, path, true);
	if (fd >= 0 && close(fd) < 0 && !s->end.code)
		fail(s, DRY_SYSTEM, errno, "%s", path);
	return there && answer_end(s);
}

/* ---- the editor ---- */

/* A name of a file that says what the guest's file is, and nothing else. */
static void plain_name(const char *path, char *out, size_t size)
{
	const char *slash = strrchr(path, '/'), *from = slash ? slash + 1 : path;
	size_t n = 0;

	for (; *from && n + 1 < size; from++, n++)
		out[n] = isalnum((unsigned char)*from) || (n && strchr("._-", *from)) ? *from : '_';
	if (!n)
		out[n++] = '_';
	out[n] = '\0';
}

/* The same bytes in both? */
static bool same(int a, int b)
{
	char x[8192], y[8192];

	for (uint64_t off = 0;; off += sizeof x) {
		size_t n, m;

		if (io_pread(a, x, sizeof x, off, &n) || io_pread(b, y, sizeof y, off, &m) || n != m || memcmp(x, y, n) != 0)
			return false;
		if (n < sizeof x)
			return true;
	}
}

/* The file before the editor has it stays open: what comes back is compared with that. */
static bool edit_file(struct server *s, const char *path, const char *copy)
{
	CLEANUP(strbuf_free) struct strbuf command = STRBUF_INIT;
	const char *editor = getenv("EDITOR");
	CLEANUP(close_fd) int before = -1, after = -1;

	strbuf_printf(&command, "%s \"$1\"", editor && *editor ? editor : "vi");
	if (command.failed) {
		fail(s, DRY_NOMEM, 0, "out of memory");
		return true;
	}
	wait_for(s, start(s, command.s, (const char *const[]){ path, NULL }, -1, -1));
	interrupted = 0; /* the key was the editor's */
	if (s->end.code)
		return true;
	if (s->end.status) {
		fail(s, DRY_SYSTEM, 0, "the editor \"%s\" has failed", editor && *editor ? editor : "vi");
		return true;
	}
	before = open(copy, O_RDONLY | O_CLOEXEC);
	after = open(path, O_RDONLY | O_CLOEXEC);
	if (before < 0 || after < 0) {
		fail(s, DRY_SYSTEM, errno, "%s", after < 0 ? path : copy);
		return true;
	}
	s->end.status = !same(before, after);
	return !s->end.status || answer_file(s, after, path);
}

static bool serve_edit(struct server *s, const char *name)
{
	const char *tmp = getenv("TMPDIR");
	CLEANUP(free_ptr) char *folder = alloc_printf("%s/drydock-edit-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	CLEANUP(free_ptr) char *path = NULL, *copy = NULL;
	char plain[200];
	bool there, made = folder && mkdtemp(folder);
	int fd = -1, kept = -1;

	if (!made)
		fail(s, DRY_SYSTEM, errno, "%s", folder ? folder : "edit");
	plain_name(name, plain, sizeof plain);
	path = made ? alloc_printf("%s/%s", folder, plain) : NULL;
	copy = made ? alloc_printf("%s/..before", folder) : NULL;
	if (path && copy) {
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		kept = open(copy, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	}
	if ((fd < 0 || kept < 0) && !s->end.code)
		fail(s, DRY_SYSTEM, errno, "%s", path ? path : "edit");
	there = take_data(s, kept, copy ? copy : "edit", true);
	for (uint64_t off = 0; there && !s->end.code;) {
		size_t got;
		int errnum = io_pread(kept, s->buf, HOST_FRAME_MAX, off, &got);

		if (!errnum)
			errnum = io_write(fd, s->buf, got);
		if (errnum)
			fail(s, DRY_SYSTEM, errnum, "%s", path);
		if (!got)
			break;
		off += got;
	}
	close_fd(&fd);
	close_fd(&kept);
	if (there && !s->end.code)
		there = edit_file(s, path, copy);
	/* What an editor leaves beside its file is its own; the folder stays then. */
	if (path)
		unlink(path);
	if (copy)
		unlink(copy);
	if (made && rmdir(folder) < 0 && errno == ENOTEMPTY)
		cmd_warn("the editor has left something in %s", folder);
	return there && answer_end(s);
}

/* ---- trees ---- */

static bool send_bytes(void *arg, const void *bytes, size_t len)
{
	struct server *s = arg;
	const char *p = bytes;

	while (len) {
		const size_t n = MIN_OF(len, HOST_FRAME_MAX);

		if (interrupted && !s->end.code)
			fail(s, DRY_CANCELED, 0, "interrupted");
		if (s->end.code)
			return true;
		if (!host_send(s->fd, HOST_DATA, p, n))
			return false;
		p += n;
		len -= n;
	}
	return true;
}

static bool serve_tree(struct server *s, char *words, size_t len)
{
	uint64_t flags = 0;
	char *end = words + len, *p = words + strlen(words) + 1;
	struct host_tar t = { .send = send_bytes, .arg = s };

	text_parse_u64(words, &flags);
	t.flags = (unsigned)flags;
	host_tar_begin(&t);
	while (p < end && !t.failed) { /* each round takes two words */
		const char *path = p, *name;

		p += strlen(p) + 1;
		name = p < end ? p : "";
		p += strlen(name) + 1;
		host_tar_add(&t, path, name);
	}
	host_tar_end(&t);
	if (t.failed) {
		s->end.code = DRY_SYSTEM;
		s->end.sys_errno = t.sys_errno;
		snprintf(s->end.msg, sizeof s->end.msg, "%s", t.why);
	}
	return !t.gone && answer_end(s);
}

/* ---- the loop ---- */

static bool serve_chdir(struct server *s, const char *path)
{
	if (chdir(path) < 0)
		fail(s, DRY_SYSTEM, errno, "%s", path);
	return answer_end(s);
}

static bool serve_setenv(struct server *s, const char *name, size_t len)
{
	const size_t n = strlen(name) + 1;

	if ((n < len ? setenv(name, name + n, 1) : unsetenv(name)) < 0)
		fail(s, DRY_SYSTEM, errno, "%s", name);
	return answer_end(s);
}

/* ---- what may be asked ---- */

static bool serve_only(struct server *s, const char *words, size_t len)
{
	/* Each word is a letter and a text. */
	for (const char *p = words, *end = words + len; p < end; p += strlen(p) + 1)
		if (*p)
			host_allow(&s->allowed, (enum host_frame)(*p - 'A'), p + 1);
	s->always = s->allowed.n;
	s->sealed = true;
	return answer_end(s);
}

static bool send_bytes(void *arg, const void *bytes, size_t len);

/* The words of the next command, or none. */
static bool answer_words(struct server *s)
{
	const struct host_script *script = s->script;
	size_t at = s->word, end;

	while (at < script->nwords && strcmp(script->words[at], ":") == 0)
		at++;
	for (end = at; end < script->nwords && strcmp(script->words[end], ":") != 0;)
		end++;
	s->word = end;
	s->line += end > at;
	s->end.status = end > at ? s->line : 0;
	for (size_t i = at; i < end; i++) {
		char *word = script->words[i];

		if (!send_bytes(s, word, strlen(word) + 1))
			return false;
		/* A "-" before the command is a part of its first word. */
		if (i == at && *word == '-' && word[1])
			script->words[i]++;
	}
	script->allow_words(&s->allowed, script->words + at, end - at);
	return answer_end(s);
}

static bool serve_line(struct server *s)
{
	CLEANUP(free_ptr) char *line = NULL;
	size_t size = 0;
	ssize_t len;

	host_allow_forget(&s->allowed, s->always);
	if (!s->script) {
		fail(s, DRY_USAGE, 0, "there is no script");
		return answer_end(s);
	}
	if (!s->script->from)
		return answer_words(s);
	errno = 0;
	len = getline(&line, &size, s->script->from);
	if (len < 0 && ferror(s->script->from))
		fail(s, DRY_SYSTEM, errno, "reading");
	s->line += len >= 0;
	s->end.status = len >= 0 ? s->line : 0;
	if (len > 0 && line[len - 1] == '\n')
		line[--len] = '\0';
	if (len >= 0)
		s->script->allow_line(&s->allowed, line);
	return (len <= 0 || send_bytes(s, line, (size_t)len)) && answer_end(s);
}

/* Is it followed by data? */
static bool has_data(enum host_frame kind)
{
	return kind == HOST_CREATE || kind == HOST_PIPE || kind == HOST_EDIT || kind == HOST_PACK || kind == HOST_UNPACK;
}

static bool refuse(struct server *s, enum host_frame kind)
{
	fail(s, DRY_POLICY, 0, "the user's words do not ask for this");
	return (!has_data(kind) || take_data(s, -1, "", false)) && answer_end(s);
}

static bool serve_one(struct server *s, enum host_frame kind, char *words, size_t len)
{
	s->end = (struct host_end){ .code = DRY_OK };
	interrupted = 0;
	if (s->sealed && kind < HOST_DATA && !host_allows(&s->allowed, kind, words, len))
		return refuse(s, kind);
	switch (kind) {
	case HOST_OPEN:
		return serve_open(s, words);
	case HOST_TREE:
		return serve_tree(s, words, len);
	case HOST_OUTPUT:
		return serve_output(s, words);
	case HOST_CREATE:
		return serve_create(s, words);
	case HOST_PIPE:
		return serve_pipe(s, words);
	case HOST_EDIT:
		return serve_edit(s, words);
	case HOST_RUN:
		return serve_run(s, words);
	case HOST_CHDIR:
		return serve_chdir(s, words);
	case HOST_SETENV:
		return serve_setenv(s, words, len);
	case HOST_PACK:
		return serve_pack(s, words, len);
	case HOST_UNPACK:
		return serve_unpack(s, words, len);
	case HOST_LINE:
		return serve_line(s);
	case HOST_ONLY:
		return serve_only(s, words, len);
	case HOST_DATA:
	case HOST_END:
		break;
	}
	return false;
}

_Noreturn void host_serve(int fd, const struct host_script *script)
{
	struct server s = { .fd = fd, .buf = alloc_bytes(HOST_FRAME_MAX), .script = script, .said = STRBUF_INIT };
	const struct sigaction on = { .sa_handler = on_interrupt };
	enum host_frame kind;
	size_t len;

	/* The terminal's keys are for the program at work there; what is asked meanwhile is answered all the same. */
	sigaction(SIGINT, &on, NULL);
	signal(SIGQUIT, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	while (s.buf && host_receive(fd, &kind, &len)) {
		CLEANUP(free_ptr) char *words = alloc_zero(len + 2);

		if (!words || !host_receive_bytes(fd, words, len) || !serve_one(&s, kind, words, len))
			break;
	}
	_exit(0);
}
