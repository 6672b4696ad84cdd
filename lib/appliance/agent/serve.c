/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * serve.c - takes frames, one after the other, and looks after the programs that run meanwhile.
 *
 * While nothing runs, it waits in read(): a system call costs much in user-mode Linux.
 */
#include "agent.h"
#include "alloc.h"
#include "limits.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* How long a machine that is about to power off waits for its client's last word. */
#define HEARD_MS 5000

#define REQUEST_SIZE (PROTO_HEAD + LIMIT_PROTO_BODY)

int agent_new(struct agent **out, int in, int out_fd)
{
	struct agent *a = alloc_zero(sizeof *a);

	if (!a)
		return ENOMEM;
	a->in = in;
	a->out = out_fd;
	a->kmsg = a->window.fd = -1;
	a->request = alloc_bytes(REQUEST_SIZE);
	a->answer = alloc_bytes(PROTO_HEAD + LIMIT_PROTO_BODY);
	if (!a->request || !a->answer) {
		agent_free(a);
		return ENOMEM;
	}
	*out = a;
	return 0;
}

void agent_free(struct agent *a)
{
	if (!a)
		return;
	runs_kill(a);
	umount_all(a);
	free(a->nodes.entries);
	free(a->nodes.names);
	free(a->nodes.also);
	free(a->nodes.hash);
	window_close(a);
	free(a->modules);
	if (a->kmsg >= 0)
		close(a->kmsg);
	free(a->request);
	free(a->answer);
	free(a);
}

static int ask_ping(struct agent *a, struct question *q)
{
	if (!proto_done(&q->in))
		return EPROTO;
	agent_begin(a);
	agent_answer(a, q);
	return 0;
}

static int ask_poweroff(struct agent *a, struct question *q)
{
	if (!proto_done(&q->in))
		return EPROTO;
	runs_kill(a);
	umount_all(a);
	if (!a->folders)
		sync();
	agent_begin(a);
	agent_answer(a, q);
	a->ending = true;
	/*
	 * The kernel takes back what lies in the port when it powers off: the answer has been read when the client says another
	 * word, or hangs up.
	 */
	if (a->init)
		(void)poll(&(struct pollfd){ .fd = a->in, .events = POLLIN }, 1, HEARD_MS);
	return 0;
}

static int ask_modules(struct agent *a, struct question *q)
{
	char purpose[64];
	int rc;

	proto_get_str(&q->in, purpose, sizeof purpose);
	if (!proto_done(&q->in))
		return EPROTO;
	rc = modules_load(a, purpose);
	if (rc)
		return rc;
	agent_begin(a);
	agent_answer(a, q);
	return 0;
}

static int (*const questions[PROTO_NTYPES])(struct agent *, struct question *) = {
	[PROTO_PING] = ask_ping,
	[PROTO_POWEROFF] = ask_poweroff,
	[PROTO_DEVICE] = ask_device,
	[PROTO_DISKS] = ask_disks,
	[PROTO_MODULES] = ask_modules,
	[PROTO_MOUNT] = ask_mount,
	[PROTO_UMOUNT] = ask_umount,
	[PROTO_SYNC] = ask_sync,
	[PROTO_STATFS] = ask_statfs,
	[PROTO_FSTRIM] = ask_fstrim,
	[PROTO_FREEZE] = ask_freeze,
	[PROTO_THAW] = ask_thaw,
	[PROTO_STAT] = ask_stat,
	[PROTO_STATS] = ask_stats,
	[PROTO_LOOKUP] = ask_lookup,
	[PROTO_READDIR] = ask_readdir,
	[PROTO_PREAD] = ask_pread,
	[PROTO_READLINK] = ask_readlink,
	[PROTO_XATTRS] = ask_xattrs,
	[PROTO_EXTENT] = ask_extent,
	[PROTO_PLACE] = ask_place,
	[PROTO_CREATE] = ask_make,
	[PROTO_MKDIR] = ask_make,
	[PROTO_MKNOD] = ask_make,
	[PROTO_SYMLINK] = ask_symlink,
	[PROTO_LINK] = ask_link,
	[PROTO_UNLINK] = ask_unlink,
	[PROTO_RMDIR] = ask_unlink,
	[PROTO_RENAME] = ask_rename,
	[PROTO_CHMOD] = ask_chmod,
	[PROTO_CHOWN] = ask_chown,
	[PROTO_UTIMENS] = ask_utimens,
	[PROTO_TRUNCATE] = ask_truncate,
	[PROTO_PWRITE] = ask_pwrite,
	[PROTO_FALLOCATE] = ask_fallocate,
	[PROTO_SETXATTR] = ask_xattr,
	[PROTO_REMOVEXATTR] = ask_xattr,
	[PROTO_FSYNC] = ask_fsync,
	[PROTO_WINDOW] = ask_window,
	[PROTO_FETCH] = ask_fetch,
	[PROTO_STORE] = ask_store,
	[PROTO_RUN] = ask_run,
	[PROTO_SLEEP] = ask_sleep,
	[PROTO_WAKE] = ask_wake,
};

int agent_take(struct agent *a, const struct proto_head *h, const uint8_t *body)
{
	struct question q = { .tag = h->tag, .type = h->type, .in = { .at = body, .left = h->len } };
	int rc;

	if (h->flags)
		return -1;
	if (h->type >= PROTO_DATA && h->type <= PROTO_CANCEL) {
		run_take(a, &q);
		return 0;
	}
	a->said[0] = '\0';
	if (h->type < PROTO_NTYPES && questions[h->type])
		rc = questions[h->type](a, &q);
	else
		rc = agent_say(a, ENOSYS, "no such question: %u", h->type);
	if (rc == EPROTO && !a->said[0])
		agent_say(a, rc, "a question of kind %u that makes no sense", h->type);
	if (rc)
		agent_fail(a, &q, rc);
	return 0;
}

/* Takes what is whole of what has come; < 0: no frame. */
static int take_all(struct agent *a)
{
	size_t at = 0;

	/* Ends: each frame takes at least its head. */
	while (!a->ending && a->have - at >= PROTO_HEAD) {
		struct proto_head h;

		proto_head_get(a->request + at, &h);
		if (h.len > LIMIT_PROTO_BODY)
			return -1;
		if (a->have - at < PROTO_HEAD + h.len)
			break;
		if (agent_take(a, &h, a->request + at + PROTO_HEAD) < 0)
			return -1;
		if (h.type == PROTO_DATA) /* it may have been a key */
			explicit_bzero(a->request + at, PROTO_HEAD + h.len);
		at += PROTO_HEAD + h.len;
	}
	memmove(a->request, a->request + at, a->have - at);
	a->have -= at;
	return 0;
}

/* Reads what is there: 1, or 0 when there is nothing any more, or -1 when the client is gone. */
static int fill(struct agent *a)
{
	struct proto_head h = { 0 };
	ssize_t n;

	/* What is known to come can be waited for piece by piece; what is not, takes one read. */
	if (a->have >= PROTO_HEAD)
		proto_head_get(a->request, &h);
	if (h.len && PROTO_HEAD + (size_t)h.len > a->have)
		n = agent_read(a, a->request + a->have, PROTO_HEAD + h.len - a->have);
	else
		n = read(a->in, a->request + a->have, REQUEST_SIZE - a->have);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0)
		return -1;
	a->have += (size_t)n;
	return 1;
}

int agent_serve(struct agent *a)
{
	struct pollfd fds[1 + 5 * ARRAY_LEN(a->runs)];
	int rc = agent_hello(a);

	if (rc)
		return rc;
	while (!a->ending) {
		if (a->nruns) {
			int wait = -1;
			unsigned n = 1 + runs_poll(a, fds + 1, &wait);

			fds[0] = (struct pollfd){ .fd = a->in, .events = POLLIN };
			if (poll(fds, n, wait) < 0 && errno != EINTR)
				return errno;
			runs_pump(a);
			if (!(fds[0].revents & (POLLIN | POLLHUP | POLLERR)))
				continue;
		}
		if (fill(a) < 0)
			return 0;
		if (take_all(a) < 0)
			return EPROTO;
	}
	return 0;
}
