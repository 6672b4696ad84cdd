/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host_side.h"

#include "alloc.h"
#include "host_frame.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct host_side {
	int fd;
	pid_t pid;
	size_t left; /* of a frame that host_read() is in */
	bool ended;  /* it has read the end of the answer */
	struct host_end end;
};

static int set(struct dry_error *e, enum dry_code code, int errnum, const char *msg)
{
	if (e) {
		*e = (struct dry_error){ .code = code, .sys_errno = errnum };
		snprintf(e->msg, sizeof e->msg, "%s", msg);
	}
	return -(int)code;
}

static int gone(struct dry_error *e)
{
	return set(e, DRY_SYSTEM, EPIPE, "the process that works on the host has ended");
}

int host_side_start(struct host_side **out, struct dry_error *e)
{
	return host_side_start_script(out, NULL, e);
}

int host_side_start_script(struct host_side **out, const struct host_script *script, struct dry_error *e)
{
	struct host_side *h = alloc_zero(sizeof *h);
	int fds[2];

	if (!h)
		return set(e, DRY_NOMEM, 0, "out of memory");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
		free(h);
		return set(e, DRY_SYSTEM, errno, strerror(errno));
	}
	fflush(NULL);
	h->pid = fork();
	if (h->pid == 0) {
		close(fds[0]);
		host_serve(fds[1], script);
	}
	close(fds[1]);
	h->fd = fds[0];
	if (h->pid < 0) {
		close(h->fd);
		free(h);
		return set(e, DRY_SYSTEM, errno, strerror(errno));
	}
	/* That it is gone is an answer, not an end. */
	signal(SIGPIPE, SIG_IGN);
	*out = h;
	return 0;
}

void host_side_stop(struct host_side *h)
{
	if (!h)
		return;
	/* It ends with its line.  Nobody waits: who is confined cannot, and nothing is lost of what was finished. */
	close(h->fd);
	free(h);
}

/* ---- questions and answers ---- */

static int ask(struct host_side *h, enum host_frame kind, const void *bytes, size_t len, struct dry_error *e)
{
	if (len > HOST_FRAME_MAX)
		return set(e, DRY_LIMIT, 0, "too many words for one command");
	h->left = 0;
	h->ended = false;
	return host_send(h->fd, kind, bytes, len) ? 0 : gone(e);
}

static int ask_text(struct host_side *h, enum host_frame kind, const char *text, struct dry_error *e)
{
	return ask(h, kind, text, strlen(text) + 1, e);
}

/* The end of an answer. */
static int take_end(struct host_side *h, size_t len, struct dry_error *e)
{
	if (len != sizeof h->end || !host_receive_bytes(h->fd, &h->end, len))
		return gone(e);
	h->end.msg[sizeof h->end.msg - 1] = '\0';
	return h->end.code ? set(e, (enum dry_code)h->end.code, h->end.sys_errno, h->end.msg) : 0;
}

int host_read(struct host_side *h, void *buf, size_t len, size_t *got, struct dry_error *e)
{
	enum host_frame kind;

	*got = 0;
	if (h->ended)
		return 0;
	while (!h->left) { /* ends: a frame is of bytes, or the end */
		if (!host_receive(h->fd, &kind, &h->left))
			return gone(e);
		if (kind == HOST_END) {
			const size_t n = h->left;

			h->left = 0;
			h->ended = true;
			return take_end(h, n, e);
		}
	}
	*got = MIN_OF(len, h->left);
	if (!host_receive_bytes(h->fd, buf, *got))
		return gone(e);
	h->left -= *got;
	return 0;
}

static int wait_end(struct host_side *h, struct dry_error *e)
{
	enum host_frame kind;
	size_t len;

	if (!host_receive(h->fd, &kind, &len) || kind != HOST_END)
		return gone(e);
	return take_end(h, len, e);
}

/* ---- what may be asked ---- */

int host_only(struct host_side *h, const struct host_allowed *a, struct dry_error *e)
{
	CLEANUP(strbuf_free) struct strbuf text = STRBUF_INIT;
	int rc;

	for (size_t i = 0; i < a->n; i++) {
		strbuf_putc(&text, (char)('A' + a->items[i].kind));
		strbuf_add(&text, a->items[i].text, strlen(a->items[i].text) + 1);
	}
	rc = text.failed ? set(e, DRY_NOMEM, 0, "out of memory") : ask(h, HOST_ONLY, text.s, text.len, e);
	return rc < 0 ? rc : wait_end(h, e);
}

int host_line(struct host_side *h, struct strbuf *out, int *number, struct dry_error *e)
{
	char buf[4096];
	size_t got = 1;
	int rc = ask(h, HOST_LINE, NULL, 0, e);

	strbuf_reset(out);
	while (rc >= 0 && got) {
		rc = host_read(h, buf, sizeof buf, &got, e);
		strbuf_add(out, buf, got);
	}
	*number = h->end.status;
	return rc >= 0 && out->failed ? set(e, DRY_NOMEM, 0, "out of memory") : rc;
}

/* ---- from the host ---- */

int host_open(struct host_side *h, const char *path, struct dry_error *e)
{
	return ask_text(h, HOST_OPEN, path, e);
}

int host_output(struct host_side *h, const char *command, struct dry_error *e)
{
	return ask_text(h, HOST_OUTPUT, command, e);
}

int host_tree(struct host_side *h, const char *const *paths, const char *const *names, size_t n, unsigned flags,
	      struct dry_error *e)
{
	CLEANUP(strbuf_free) struct strbuf text = STRBUF_INIT;

	strbuf_printf(&text, "%u", flags);
	strbuf_putc(&text, '\0');
	for (size_t i = 0; i < n; i++) {
		strbuf_add(&text, paths[i], strlen(paths[i]) + 1);
		strbuf_add(&text, names[i], strlen(names[i]) + 1);
	}
	return text.failed ? set(e, DRY_NOMEM, 0, "out of memory") : ask(h, HOST_TREE, text.s, text.len, e);
}

/* ---- to the host ---- */

int host_create(struct host_side *h, const char *path, struct dry_error *e)
{
	return ask_text(h, HOST_CREATE, path, e);
}

int host_pipe(struct host_side *h, const char *command, struct dry_error *e)
{
	return ask_text(h, HOST_PIPE, command, e);
}

static int ask_three(struct host_side *h, enum host_frame kind, const char *a, const char *b, const char *c, struct dry_error *e)
{
	CLEANUP(strbuf_free) struct strbuf text = STRBUF_INIT;

	strbuf_add(&text, a, strlen(a) + 1);
	strbuf_add(&text, b, strlen(b) + 1);
	strbuf_add(&text, c, strlen(c) + 1);
	return text.failed ? set(e, DRY_NOMEM, 0, "out of memory") : ask(h, kind, text.s, text.len, e);
}

int host_pack(struct host_side *h, const char *program, const char *path, const char *behind, struct dry_error *e)
{
	return ask_three(h, HOST_PACK, program, path, behind ? behind : "", e);
}

int host_unpack(struct host_side *h, const char *folder, const char *name, bool is_folder, struct dry_error *e)
{
	return ask_three(h, HOST_UNPACK, folder, name, is_folder ? "d" : "", e);
}

int host_write(struct host_side *h, const void *buf, size_t len, struct dry_error *e)
{
	const char *p = buf;

	while (len) {
		const size_t n = MIN_OF(len, HOST_FRAME_MAX);

		if (!host_send(h->fd, HOST_DATA, p, n))
			return gone(e);
		p += n;
		len -= n;
	}
	return 0;
}

int host_finish(struct host_side *h, int *status, struct dry_error *e)
{
	int rc;

	if (!host_send(h->fd, HOST_END, NULL, 0))
		return gone(e);
	rc = wait_end(h, e);
	if (status)
		*status = h->end.status;
	return rc;
}

int host_edit(struct host_side *h, const char *name, const void *text, size_t len, struct strbuf *out, bool *changed,
	      struct dry_error *e)
{
	char buf[16384];
	size_t got;
	int rc = ask_text(h, HOST_EDIT, name, e);

	if (rc == 0)
		rc = host_write(h, text, len, e);
	if (rc == 0 && !host_send(h->fd, HOST_END, NULL, 0))
		rc = gone(e);
	while (rc == 0 && (rc = host_read(h, buf, sizeof buf, &got, e)) == 0 && got)
		strbuf_add(out, buf, got);
	if (rc == 0 && out->failed)
		rc = set(e, DRY_NOMEM, 0, "out of memory");
	*changed = h->end.status != 0;
	return rc;
}

int host_run(struct host_side *h, const char *command, int *status, struct dry_error *e)
{
	int rc = ask_text(h, HOST_RUN, command, e);

	if (rc == 0)
		rc = wait_end(h, e);
	*status = h->end.status;
	return rc;
}

int host_chdir(struct host_side *h, const char *path, struct dry_error *e)
{
	int rc = ask_text(h, HOST_CHDIR, path, e);

	return rc < 0 ? rc : wait_end(h, e);
}

int host_setenv(struct host_side *h, const char *name, const char *value, struct dry_error *e)
{
	CLEANUP(strbuf_free) struct strbuf text = STRBUF_INIT;
	int rc;

	strbuf_add(&text, name, strlen(name) + 1);
	if (value)
		strbuf_add(&text, value, strlen(value) + 1);
	rc = text.failed ? set(e, DRY_NOMEM, 0, "out of memory") : ask(h, HOST_SETENV, text.s, text.len, e);
	return rc < 0 ? rc : wait_end(h, e);
}
