/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tail_files.h"

#include "alloc.h"
#include "guest_file.h"
#include "io.h"
#include "limits.h"
#include "out.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* How far from its end a file is searched for the beginning of a line. */
#define TAIL_BYTES (256 * MiB)
/* Of what a look says on stderr. */
#define STDERR_BYTES (64 * KiB)

/* ---- a file ---- */

/* Where the last n lines begin.  A newline at the very end ends the last one. */
static int lines_begin(struct dry_guest *g, struct dry_node node, uint64_t size, uint64_t n, char *buf, uint64_t *out,
		       struct dry_error *e)
{
	uint64_t at = size;

	/* Ends: at only shrinks. */
	while (at > 0 && size - at < TAIL_BYTES) {
		size_t len = (size_t)MIN_OF((uint64_t)GUEST_FILE_CHUNK, at), got;
		int rc = dry_node_read(g, node, buf, len, at - len, &got, e);

		if (rc < 0)
			return rc;
		for (size_t i = got; i-- > 0;) {
			if (buf[i] == '\n' && at - len + i + 1 != size && n-- == 1) {
				*out = at - len + i + 1;
				return 0;
			}
		}
		at -= len;
	}
	if (at > 0)
		cmd_warn("the lines at the end of a file are longer than %llu MiB; it is shown from there on", TAIL_BYTES / MiB);
	*out = at;
	return 0;
}

/* For a terminal, line by line. */
static void quote_text(struct strbuf *out, const char *p, size_t len)
{
	const char *end = p + len, *line;

	for (; (line = memchr(p, '\n', (size_t)(end - p))); p = line + 1) {
		out_text(out, p, (size_t)(line - p));
		strbuf_putc(out, '\n');
	}
	out_text(out, p, (size_t)(end - p));
}

static int print_bytes(const struct tail_how *how, const char *bytes, size_t len)
{
	CLEANUP(strbuf_free) struct strbuf quoted = STRBUF_INIT;
	int err;

	if (how->print)
		return how->print(how->arg, bytes, len);
	if (how->quote) {
		quote_text(&quoted, bytes, len);
		if (quoted.failed) {
			cmd_warn("out of memory");
			return GUEST_FILE_STDOUT;
		}
		bytes = quoted.s;
		len = quoted.len;
	}
	fflush(stdout);
	err = io_write(STDOUT_FILENO, bytes, len);
	if (!err)
		return 0;
	cmd_warn("standard output: %s", strerror(err));
	return GUEST_FILE_STDOUT;
}

static int print_from(struct dry_guest *g, struct dry_node node, uint64_t size, struct tail_file *f, const struct tail_how *how,
		      struct dry_error *e)
{
	if (f->off < size)
		how->header(how->arg);
	/* Ends: off grows, and what comes after size was asked for is for the next look. */
	while (f->off < size) {
		size_t len = (size_t)MIN_OF((uint64_t)GUEST_FILE_CHUNK, size - f->off), got;
		int rc = dry_node_read(g, node, how->buf, len, f->off, &got, e);

		if (rc < 0)
			return rc;
		if (got == 0)
			break;
		rc = print_bytes(how, how->buf, got);
		if (rc)
			return rc;
		f->off += got;
	}
	return 0;
}

int tail_file_look(struct dry_guest *g, const char *path, struct tail_file *f, const struct tail_how *how,
		   struct dry_error *e)
{
	struct dry_node node;
	struct dry_stat st;
	int rc = guest_file_stat(g, path, &node, &st, e);

	if (rc < 0)
		return rc;
	if (!f->seen) {
		f->off = 0;
		if (how->lines == 0)
			f->off = st.size;
		else if (how->lines != UINT64_MAX)
			rc = lines_begin(g, node, st.size, how->lines, how->buf, &f->off, e);
		if (rc < 0)
			return rc;
	} else if (st.size < f->off || (!how->any_inode && (f->dev != st.dev || f->ino != st.ino))) {
		how->restarted(how->arg);
		f->off = 0;
	}
	f->dev = st.dev;
	f->ino = st.ino;
	f->seen = true;
	f->gone = false;
	return print_from(g, node, st.size, f, how, e);
}

/* ---- looks ---- */

void *tail_shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		cmd_warn("out of memory");
		return NULL;
	}
	return p;
}

/* What a look says, all of it taken and the beginning kept. */
static void drain(int fd, struct strbuf *said)
{
	char buf[4096];
	size_t got = 0;

	while (io_read(fd, buf, sizeof buf, &got) == 0 && got) {
		if (said->len < STDERR_BYTES)
			strbuf_add(said, buf, got);
		if (got < sizeof buf)
			break;
	}
}

/* One look in a process of its own: its exit status, or -1 with a sentence printed. */
static int look_once(int (*look)(void *arg), void *arg, struct strbuf *said)
{
	int fds[2], status;
	pid_t pid;

	fflush(stdout);
	if (pipe(fds) < 0) {
		cmd_warn("pipe: %s", strerror(errno));
		return -1;
	}
	pid = fork();
	if (pid < 0) {
		cmd_warn("fork: %s", strerror(errno));
		close(fds[0]);
		close(fds[1]);
		return -1;
	}
	if (pid == 0) {
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		close(fds[1]);
		status = look(arg);
		fflush(stderr);
		_exit(cmd_done(status));
	}
	close(fds[1]);
	drain(fds[0], said);
	close(fds[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	/* Who has read our output has gone: that is no news. */
	if (WTERMSIG(status) != SIGPIPE)
		cmd_warn("a look into the guest was ended by signal %d", WTERMSIG(status));
	return -1;
}

int tail_follow(int (*look)(void *arg), void *arg, uint64_t seconds)
{
	CLEANUP(strbuf_free) struct strbuf before = STRBUF_INIT;

	/* Ends when the look says so, or by a signal: to follow is what was asked for. */
	for (;;) {
		CLEANUP(strbuf_free) struct strbuf said = STRBUF_INIT;
		int status = look_once(look, arg, &said);

		if (said.len && strcmp(said.s, before.s) != 0) {
			fwrite(said.s, 1, said.len, stderr);
			fflush(stderr);
		}
		strbuf_reset(&before);
		strbuf_add(&before, said.s, said.len);
		if (status != TAIL_GO_ON)
			return status < 0 ? EXIT_FAILED : status;
		sleep((unsigned)seconds);
	}
}
