/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vm_words.c - messages with descriptors, over a socket that keeps messages apart. */
#include "vm.h"

#include "alloc.h"
#include "strbuf.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
	char bytes[CMSG_SPACE(VM_FDS_MAX * sizeof(int))];
	struct cmsghdr align;
};

int vm_send(int sock, const void *msg, size_t len, const int *fds, size_t nfds)
{
	union control control;
	struct iovec iov = { .iov_base = (void *)(uintptr_t)msg, .iov_len = len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (nfds) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof control);
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(nfds * sizeof *fds);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfds * sizeof *fds);
		memcpy(CMSG_DATA(c), fds, nfds * sizeof *fds);
	}
	do
		n = sendmsg(sock, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? EPIPE : errno;
	return (size_t)n == len ? 0 : EPROTO;
}

int vm_receive(int sock, void *msg, size_t len, int *fds, size_t max, size_t *nfds)
{
	union control control;
	struct iovec iov = { .iov_base = msg, .iov_len = len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
	int all[VM_FDS_MAX];
	size_t n = 0;
	ssize_t got;
	int rc;

	*nfds = 0;
	do
		got = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == ECONNRESET ? EPIPE : errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
			size_t here = (c->cmsg_len - CMSG_LEN(0)) / sizeof *all;

			/* The kernel has put no more into `control` than fits. */
			memcpy(all + n, CMSG_DATA(c), here * sizeof *all);
			n += here;
		}
	rc = got == 0 ? EPIPE : (size_t)got != len || n > max || m.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ? EPROTO : 0;
	for (size_t i = 0; i < n; i++)
		if (rc)
			close(all[i]);
		else
			fds[i] = all[i];
	*nfds = rc ? 0 : n;
	return rc;
}

void vm_arg(struct vm_argv *a, const char *fmt, ...)
{
	CLEANUP(strbuf_free) struct strbuf text = STRBUF_INIT;
	va_list ap;
	char *s;

	if (!a->failed && a->n + 2 > a->cap) {
		size_t cap = a->cap ? a->cap * 2 : 64;
		char **items = alloc_resize(a->items, cap, sizeof *items);

		a->failed = !items;
		if (items) {
			a->items = items;
			a->cap = cap;
		}
	}
	va_start(ap, fmt);
	strbuf_vprintf(&text, fmt, ap);
	va_end(ap);
	s = a->failed ? NULL : strbuf_detach(&text);
	if (!s) {
		a->failed = true;
		return;
	}
	a->items[a->n++] = s;
	a->items[a->n] = NULL;
}
