/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine.h"

#include "alloc.h"
#include "nbd_server.h"
#include "text.h"
#include "vhost_blk.h"
#include "vhost_console.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A line of the console; longer ones are cut. */
#define LINE_MAX_BYTES 200
/* How long the kernel may take to kill what a guardian leaves: it is never waited for without end. */
#define KILL_MS 5000
/* From the end of the channel to that of the machine. */
#define HANGUP_MS 1000

struct machine_served {
	struct vhost_blk *vhost;
	struct nbd_server *nbd;
};

struct machine {
	struct broker_vm vm;
	int console, channel, monitor, memory;
	struct vhost_console *port;
	struct machine_served disks[VM_DISKS_MAX];
	size_t ndisks;
	uint64_t began_ms;

	/* the thread that reads the console */
	pthread_t reader;
	bool reading;
	atomic_bool stop;
	void (*log)(void *arg, const char *line);
	void *log_arg;
	pthread_mutex_t lock; /* of what follows */
	char line[LINE_MAX_BYTES], last[LINE_MAX_BYTES];
	size_t line_len, last_len;
	bool panicked;
};

uint64_t machine_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
}

/* false: the time has come. */
static bool wait_for_some(struct pollfd *fds, nfds_t n, uint64_t end_ms)
{
	for (;;) {
		uint64_t now = machine_now_ms();
		int rc = poll(fds, n, now >= end_ms ? 0 : (int)MIN_OF(end_ms - now, (uint64_t)INT32_MAX));

		if (rc > 0)
			return true;
		if (rc == 0 && machine_now_ms() >= end_ms)
			return false;
		if (rc < 0 && errno != EINTR)
			return false;
	}
}

bool machine_wait_for(int fd, uint64_t end_ms)
{
	return wait_for_some(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, end_ms);
}

/* ---- the console ---- */

static void line_done(struct machine *m)
{
	CLEANUP(strbuf_free) struct strbuf quoted = STRBUF_INIT;

	pthread_mutex_lock(&m->lock);
	if (m->line_len) {
		/* What follows a panic is where it was, not why. */
		if (!m->panicked) {
			memcpy(m->last, m->line, m->line_len);
			m->last_len = m->line_len;
			m->panicked = memmem(m->line, m->line_len, "Kernel panic", 12);
		}
		text_quote(&quoted, m->line, m->line_len);
	}
	m->line_len = 0;
	pthread_mutex_unlock(&m->lock);
	if (m->log && quoted.len)
		m->log(m->log_arg, quoted.s);
}

static void *read_console(void *arg)
{
	struct machine *m = arg;
	struct pollfd p = { .fd = m->console, .events = POLLIN };
	char buf[4096];

	/* Its writers are the machine's processes; should one outlive all that is done to end it, it is not waited for. */
	while (!atomic_load(&m->stop)) {
		ssize_t n;

		if (poll(&p, 1, 100) <= 0)
			continue;
		n = read(m->console, buf, sizeof buf);
		if (n <= 0)
			break;
		for (ssize_t i = 0; i < n; i++) {
			if (buf[i] == '\n')
				line_done(m);
			else if (buf[i] != '\r' && m->line_len < sizeof m->line)
				m->line[m->line_len++] = buf[i];
		}
	}
	line_done(m);
	return NULL;
}

static int start_reader(struct machine *m, struct err *e)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&m->reader, NULL, read_console, m);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	m->reading = rc == 0;
	return rc ? err_sys(e, rc, "a thread") : 0;
}

void machine_console(const struct machine *m, struct strbuf *out)
{
	struct machine *lockable = (struct machine *)(uintptr_t)m;

	pthread_mutex_lock(&lockable->lock);
	text_quote(out, m->last, m->last_len);
	pthread_mutex_unlock(&lockable->lock);
}

/* ---- the start ---- */

static int failed(const struct vm_word *w, struct err *e)
{
	enum err_code code = w->what == VM_UNSAVED ? ERR_NOT_FOUND : ERR_UNSUPPORTED;

	return err_set(e, code, "%.*s", (int)strnlen(w->text, sizeof w->text), w->text);
}

/* What the guardian made, once it has: the descriptors are the machine's. */
static int receive_wires(struct machine *m, uint64_t end_ms, int *fds, size_t *n, struct err *e)
{
	struct pollfd p = { .fd = m->vm.life, .events = POLLIN };
	struct vm_word w;
	int rc;

	if (!wait_for_some(&p, 1, end_ms))
		return err_set(e, ERR_SYSTEM, "the process that watches over it did not answer in time");
	rc = vm_receive(m->vm.life, &w, sizeof w, fds, VM_FDS_MAX, n);
	if (rc)
		return err_sys(e, rc, "the process that watches over it");
	return w.what == VM_SERVE ? 0 : failed(&w, e);
}

static int serve_disk(struct machine *m, bool uml, int fd, const struct machine_disk *d, struct err *e)
{
	struct machine_served *s = &m->disks[m->ndisks++];
	int rc;

	if (uml) {
		const struct vhost_blk_how how = { .block = d->block, .writable = d->writable, .steady = d->steady,
						   .serial = d->serial };

		rc = vhost_blk_serve(fd, &how, &s->vhost, e);
	} else {
		const struct nbd_export export = { .name = d->serial, .block = d->block, .writable = d->writable };

		rc = nbd_server_new(&export, 1, NULL, &s->nbd, e);
		if (rc)
			close(fd);
		else
			rc = nbd_server_client(s->nbd, fd, e);
	}
	return err_in(e, rc, "disk %s", d->serial);
}

static int serve(struct machine *m, const struct vm_request *req, const struct machine_disk *disks, int *fds, size_t n,
		 struct err *e)
{
	bool uml = req->backend == APPLIANCE_UML, saved = req->saved == VM_BOOTS_TO_SAVE;
	size_t at = 0;
	int rc = 0;

	if (n != req->ndisks + (uml || saved ? 4u : 2u))
		rc = err_set(e, ERR_SYSTEM, "the process that watches over it sent something else");
	if (!rc) {
		m->console = fds[at++];
		m->channel = fds[at++];
		rc = start_reader(m, e);
	}
	if (!rc && uml) {
		rc = vhost_console_serve(fds[at + 1], fds[at], "agent", &m->port, e);
		at += 2;
	}
	if (!rc && saved) {
		m->monitor = fds[at++];
		m->memory = fds[at++];
	}
	for (uint32_t i = 0; !rc && i < req->ndisks; i++)
		rc = serve_disk(m, uml, fds[at++], &disks[i], e);
	for (; at < n; at++)
		close(fds[at]);
	return rc;
}

int machine_start(struct broker *b, const struct vm_request *req, const struct machine_disk *disks,
		  void (*log)(void *arg, const char *line), void *log_arg, uint64_t end_ms, struct machine **out,
		  struct err *e)
{
	struct machine *m = alloc_zero(sizeof *m);
	int fds[VM_FDS_MAX], rc;
	size_t n = 0;

	if (!m)
		return err_nomem(e);
	m->vm = (struct broker_vm){ -1, -1 };
	m->console = m->channel = m->monitor = m->memory = -1;
	m->began_ms = machine_now_ms();
	m->log = log;
	m->log_arg = log_arg;
	pthread_mutex_init(&m->lock, NULL);
	*out = m;
	rc = broker_ask(b, req, &m->vm, e);
	if (!rc)
		rc = receive_wires(m, end_ms, fds, &n, e);
	return rc ? rc : serve(m, req, disks, fds, n, e);
}

/* What became of it, in words; its last line says why, when it says anything. */
static int ended(struct machine *m, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf last = STRBUF_INIT;
	struct vm_word w;
	char how[80] = "its guardian was killed";
	size_t nfds;

	if (vm_receive(m->vm.life, &w, sizeof w, NULL, 0, &nfds) == 0) {
		if (w.what != VM_ENDED)
			return failed(&w, e);
		if (WIFSIGNALED(w.status))
			snprintf(how, sizeof how, "it was killed by signal %d", WTERMSIG(w.status));
		else
			snprintf(how, sizeof how, "it ended with status %d", WEXITSTATUS(w.status));
	}
	/* All that it said is in the pipe now, which ends: the thread has it in a moment. */
	if (m->reading && machine_gone(m, KILL_MS)) {
		pthread_join(m->reader, NULL);
		m->reading = false;
	}
	machine_console(m, &last);
	return err_set(e, ERR_UNSUPPORTED, "%s%s%s", how, last.len ? ": " : "", last.s);
}

/* Who hangs up before it has said a word is ending, and says why in a moment; else it was hung up by us. */
static int hung_up(struct machine *m, struct err *e)
{
	struct pollfd life = { .fd = m->vm.life, .events = POLLIN };

	if (m->port && vhost_console_error(m->port, e) != 0)
		return -(int)e->code;
	if (wait_for_some(&life, 1, machine_now_ms() + HANGUP_MS))
		return ended(m, e);
	return err_set(e, ERR_UNSUPPORTED, "its agent hung up");
}

int machine_wait(struct machine *m, uint64_t end_ms, struct err *e)
{
	struct pollfd fds[] = { { .fd = m->channel, .events = POLLIN }, { .fd = m->vm.life, .events = POLLIN } };

	/* The time that it was given, of which its start is a part. */
	if (!wait_for_some(fds, ARRAY_LEN(fds), end_ms))
		return err_set(e, ERR_UNSUPPORTED, "its agent did not answer in %u s",
			       (unsigned)((end_ms - MIN_OF(m->began_ms, end_ms) + 500) / 1000));
	if (fds[1].revents)
		return ended(m, e);
	return fds[0].revents & POLLHUP ? hung_up(m, e) : 0;
}

int machine_say(struct machine *m, const void *bytes, size_t len, struct err *e)
{
	ssize_t n;

	do
		n = send(m->channel, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)len ? 0 : err_sys(e, n < 0 ? errno : EIO, "the channel to its agent");
}

int machine_monitor(const struct machine *m, int *memory)
{
	*memory = m->memory;
	return m->monitor;
}

int machine_channel(struct machine *m)
{
	int fd = m->channel;

	m->channel = -1;
	return fd;
}

/* ---- the end ---- */

bool machine_ended(const struct machine *m)
{
	struct pollfd p = { .fd = m->vm.life, .events = POLLIN };

	return m->vm.life < 0 || poll(&p, 1, 0) > 0;
}

bool machine_gone(const struct machine *m, unsigned ms)
{
	struct pollfd p = { .fd = m->vm.guardian, .events = POLLIN };

	return m->vm.guardian < 0 || wait_for_some(&p, 1, machine_now_ms() + ms);
}

int machine_disk_error(const struct machine *m, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < m->ndisks; i++)
		rc = m->disks[i].vhost ? vhost_blk_error(m->disks[i].vhost, e) :
		     m->disks[i].nbd   ? nbd_server_error(m->disks[i].nbd, e) :
					 0;
	return rc;
}

void machine_end(struct machine *m)
{
	if (!m)
		return;
	/* Whatever the guardian reads means the end; a descriptor alone might be held by a child of ours, too. */
	if (m->vm.life >= 0)
		(void)vm_send(m->vm.life, "", 1, NULL, 0);
	close_fd(&m->vm.life);
	(void)machine_gone(m, KILL_MS);
	close_fd(&m->channel);
	close_fd(&m->monitor);
	close_fd(&m->memory);
	(void)vhost_console_stop(m->port, NULL);
	for (size_t i = 0; i < m->ndisks; i++) {
		(void)vhost_blk_stop(m->disks[i].vhost, NULL);
		(void)nbd_server_stop(m->disks[i].nbd, NULL);
	}
	atomic_store(&m->stop, true);
	if (m->reading)
		pthread_join(m->reader, NULL);
	close_fd(&m->console);
	close_fd(&m->vm.guardian);
	pthread_mutex_destroy(&m->lock);
	free(m);
}
