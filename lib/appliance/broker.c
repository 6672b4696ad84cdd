/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "broker.h"

#include "alloc.h"
#include "broker_ask.h"
#include "kvm_probe.h"
#include "room.h"
#include "saver.h"
#include "text.h"
#include "vm.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef __NR_pidfd_open
#define __NR_pidfd_open 434
#endif
#ifndef __NR_close_range
#define __NR_close_range 436
#endif

struct broker {
	struct broker_how how;
	struct block *tools;
	pthread_mutex_t lock;
	bool lost; /* it did not answer once: what it says now may be the answer to something else */
	int sock;
	pid_t pid;
};

/* ---- the broker's own process ---- */

/* Reads of a text that it ends and that nothing in it could be taken for something else. */
static bool is_text(const char *s, size_t size, const char *marks)
{
	const char *end = memchr(s, '\0', size);

	for (; end && s < end; s++)
		if (!isalnum((unsigned char)*s) && !strchr(marks, *s))
			return false;
	return end;
}

static bool may_be_saved(const struct vm_request *r)
{
	return r->backend == APPLIANCE_TCG && r->board == VM_MICROVM && r->memory == APPLIANCE_MEMORY && r->smp == 1 &&
	       !r->network && !r->verbose && !r->bare && !r->append[0] &&
	       r->ndisks <= (r->saved == VM_GOES_ON ? SAVED_SLOTS : 0);
}

/* Who asks may have been taken over by a guest. */
static int judge(const struct vm_request *r, const struct broker_how *how, struct err *e)
{
	bool known = r->backend == APPLIANCE_KVM || r->backend == APPLIANCE_UML || r->backend == APPLIANCE_TCG;

	if (r->ask != VM_START || !known || r->board > VM_Q35 || r->ndisks > VM_DISKS_MAX ||
	    r->memory < APPLIANCE_MEMORY_MIN || r->memory > APPLIANCE_MEMORY_MAX || !r->smp ||
	    r->smp > APPLIANCE_SMP_MAX)
		return err_set(e, ERR_USAGE, "no such machine");
	if (!is_text(r->append, sizeof r->append, " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"))
		return err_set(e, ERR_USAGE, "words for the kernel are of printable characters, and have less than %d",
			       VM_APPEND_MAX);
	/* By its monitor QEMU could be told to open files. */
	if (r->saved > VM_GOES_ON || (r->saved == VM_BOOTS_TO_SAVE && !how->saves) ||
	    (r->saved != VM_BOOTS && !may_be_saved(r)))
		return err_set(e, ERR_USAGE, "no such machine is saved");
	for (uint32_t i = 0; i < r->ndisks; i++)
		if (!r->serials[i][0] || !is_text(r->serials[i], sizeof r->serials[i], "-_."))
			return err_set(e, ERR_USAGE, "a disk's serial number is of letters, digits, '-', '_' and '.'");
	if (r->network && !how->network)
		return err_set(e, ERR_POLICY, "no network was asked for when the program began");
	return 0;
}

static int start_guardian(const struct vm_request *req, struct vm_host *host, int sock, struct err *e)
{
	struct vm_word ok = { .what = VM_OK };
	CLEANUP(close_fd) int ours = -1, its = -1, guardian = -1;
	int pair[2], rc;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, errno, "a socket");
	ours = pair[0];
	its = pair[1];
	host->spaces = true;
	pid = room_fork(ROOM_SPACES | (req->network ? 0 : ROOM_NO_NETWORK), &guardian);
	if (pid < 0 && req->backend != APPLIANCE_UML) {
		host->spaces = false;
		pid = room_fork(0, &guardian);
	} else if (pid < 0) {
		return err_set(e, ERR_POLICY, "it is not started unconfined, and this host does not allow namespaces of "
			       "one's own (%s)", strerror(errno));
	}
	if (pid < 0)
		return err_sys(e, errno, "a process");
	if (pid == 0) {
		signal(SIGCHLD, SIG_DFL);
		close(ours);
		close(sock);
		guardian_run(req, host, its);
	}
	rc = vm_send(sock, &ok, sizeof ok, (int[]){ ours, guardian }, 2);
	return rc ? err_sys(e, rc, "the command") : 0;
}

/* A process that boots a machine with no disk of anybody's, and saves it. */
static int start_saver(const struct vm_request *req, const struct vm_host *host, int sock, struct err *e)
{
	struct vm_word word = { .what = VM_OK };
	CLEANUP(close_fd) int ours = -1, its = -1, saver = -1;
	struct err why = ERR_INIT;
	pid_t broker = getpid(), pid;
	int pair[2], rc;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, errno, "a socket");
	ours = pair[0];
	its = pair[1];
	pid = room_fork(0, &saver);
	if (pid < 0)
		return err_sys(e, errno, "a process");
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		(void)prctl(PR_SET_NAME, "drydock-saver", 0, 0, 0);
		signal(SIGCHLD, SIG_DFL);
		close(ours);
		close(sock);
		if (getppid() != broker)
			_exit(1);
		if (saver_save(host->files, req->programs, &why) < 0) {
			word.what = VM_FAILED;
			snprintf(word.text, sizeof word.text, "%.*s", VM_TEXT_MAX - 1, why.msg);
		}
		(void)vm_send(its, &word, sizeof word, NULL, 0);
		_exit(0);
	}
	rc = vm_send(sock, &word, sizeof word, (int[]){ ours, saver }, 2);
	return rc ? err_sys(e, rc, "the command") : 0;
}

static int give_up_saved(const struct vm_request *req, const struct vm_host *host, struct err *e)
{
	CLEANUP(free_ptr) char *path = host->files ? saved_path(host->files, req->programs) : NULL;

	return path ? saved_give_up(path, e) : 0;
}

static int probe_once(struct kvm_probe *known, bool *asked, struct err *e)
{
	if (!*asked)
		(void)kvm_probe(known, NULL);
	*asked = true;
	return known->fast ? 0 : err_set(e, ERR_UNSUPPORTED, "%s", known->words);
}

/* Standard streams that nobody waits on, and nothing else of what the command had open. */
static void leave_files(int sock)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd < 3; fd++)
		if (null >= 0)
			(void)dup2(null, fd);
	/* The socket becomes 3; what is above goes. */
	if (sock != 3)
		(void)dup2(sock, 3);
	if (syscall(__NR_close_range, 4u, ~0u, 0u) < 0)
		for (int fd = 4; fd < 4096; fd++)
			close(fd);
	(void)fcntl(3, F_SETFD, FD_CLOEXEC);
}

__attribute__((noreturn)) static void broker_run(const struct broker_how *how, int inherited, pid_t command)
{
	const int sock = 3;
	struct vm_host host = { .files = how->files, .uid = geteuid(), .gid = getegid() };
	struct kvm_probe kvm = { 0 };
	struct pollfd fds[2] = { { .fd = sock, .events = POLLIN }, { .fd = -1, .events = POLLIN } };
	sigset_t none;
	bool asked = false;

	(void)prctl(PR_SET_NAME, "drydock-broker", 0, 0, 0);
	(void)setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* Guardians that have ended are nobody's to wait for. */
	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	/* A limit on the size of files is an error like any other. */
	signal(SIGXFSZ, SIG_IGN);
	leave_files(inherited);
	host.began = tsc_now();
	/* The command may have children of its own, which keep the socket open: its process is watched, too. */
	fds[1].fd = (int)syscall(__NR_pidfd_open, command, 0u);
	if (fds[1].fd >= 0)
		(void)fcntl(fds[1].fd, F_SETFD, FD_CLOEXEC);
	for (;;) {
		struct vm_request req;
		struct vm_word word = { .what = VM_FAILED };
		struct err e = ERR_INIT;
		size_t nfds;
		int rc;

		if (poll(fds, ARRAY_LEN(fds), -1) < 0) {
			if (errno == EINTR)
				continue;
			_exit(1);
		}
		if (fds[1].revents || getppid() != command)
			_exit(0);
		if (!fds[0].revents)
			continue;
		rc = vm_receive(sock, &req, sizeof req, NULL, 0, &nfds);
		if (rc == EPIPE)
			_exit(0);
		if (rc) {
			rc = err_sys(&e, rc, "what was asked");
		} else if (req.ask == VM_PROBE) {
			word.what = VM_OK;
			rc = probe_once(&kvm, &asked, &e);
			if (!rc)
				rc = vm_send(sock, &word, sizeof word, NULL, 0) ? err_set(&e, ERR_SYSTEM, "gone") : 0;
		} else if (req.ask == VM_SAVE) {
			rc = host.files ? start_saver(&req, &host, sock, &e)
					: err_set(&e, ERR_NOT_FOUND, "there is no appliance");
		} else if (req.ask == VM_DROP) {
			word.what = VM_OK;
			rc = give_up_saved(&req, &host, &e);
			if (!rc)
				rc = vm_send(sock, &word, sizeof word, NULL, 0) ? err_set(&e, ERR_SYSTEM, "gone") : 0;
		} else {
			rc = judge(&req, how, &e);
			if (!rc)
				rc = start_guardian(&req, &host, sock, &e);
		}
		if (rc) {
			word.what = VM_FAILED;
			word.status = (int32_t)e.code;
			snprintf(word.text, sizeof word.text, "%.*s", VM_TEXT_MAX - 1, e.msg);
			if (vm_send(sock, &word, sizeof word, NULL, 0) != 0)
				_exit(0);
		}
	}
}

/* ---- the command's side ---- */

static int open_tools(struct broker *b, struct err *e)
{
	const struct block_open raw = { .format = "raw", .flags = BLOCK_NO_LOCK };
	const char *path = b->how.files ? b->how.files->tools.path : NULL;

	return path ? block_open(path, &raw, &b->tools, e) : 0;
}

int broker_start(const struct broker_how *how, struct broker **out, struct err *e)
{
	struct broker *b = alloc_zero(sizeof *b);
	pid_t command = getpid();
	int pair[2], rc;

	if (!b)
		return err_nomem(e);
	b->how = *how;
	b->sock = -1;
	rc = open_tools(b, e);
	if (!rc && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		rc = err_sys(e, errno, "a socket for the broker");
	if (rc) {
		block_unrefp(&b->tools);
		free(b);
		return rc;
	}
	b->pid = fork();
	if (b->pid == 0)
		broker_run(how, pair[1], command);
	rc = b->pid < 0 ? err_sys(e, errno, "a process for the broker") : 0;
	close(pair[1]);
	b->sock = pair[0];
	if (rc) {
		close(b->sock);
		block_unrefp(&b->tools);
		free(b);
		return rc;
	}
	pthread_mutex_init(&b->lock, NULL);
	*out = b;
	return 0;
}

void broker_free(struct broker *b)
{
	if (!b)
		return;
	/* It ends when its socket does, and its guardians with it. */
	close(b->sock);
	while (waitpid(b->pid, NULL, 0) < 0 && errno == EINTR)
		;
	pthread_mutex_destroy(&b->lock);
	block_unrefp(&b->tools);
	free(b);
}

const struct broker_how *broker_settled(const struct broker *b)
{
	return &b->how;
}

struct block *broker_tools(const struct broker *b)
{
	return b->tools;
}

/* It forks, and may have a probe of half a second before it: more is for a host that hardly moves. */
#define ANSWER_MS 20000

static bool answers(int sock)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	int rc;

	do
		rc = poll(&p, 1, ANSWER_MS);
	while (rc < 0 && errno == EINTR);
	return rc > 0;
}

int broker_ask(struct broker *b, const struct vm_request *req, struct broker_vm *vm, struct err *e)
{
	struct vm_word word;
	int fds[2], rc;
	size_t n = 0;

	pthread_mutex_lock(&b->lock);
	rc = b->lost ? ETIMEDOUT : vm_send(b->sock, req, sizeof *req, NULL, 0);
	if (!rc && !answers(b->sock)) {
		b->lost = true;
		rc = ETIMEDOUT;
	}
	if (!rc)
		rc = vm_receive(b->sock, &word, sizeof word, fds, ARRAY_LEN(fds), &n);
	pthread_mutex_unlock(&b->lock);
	if (rc == EPIPE)
		return err_set(e, ERR_SYSTEM, "the process that starts virtual machines is gone");
	if (rc)
		return err_sys(e, rc, "the process that starts virtual machines");
	word.text[sizeof word.text - 1] = '\0';
	if (word.what != VM_OK)
		return err_set(e, word.status > 0 && word.status <= ERR_CANCELED ? (enum err_code)word.status : ERR_SYSTEM,
			       "%s", word.text);
	if (req->ask != VM_START && req->ask != VM_SAVE)
		return 0;
	if (n != 2)
		return err_set(e, ERR_SYSTEM, "the process that starts virtual machines answered something else");
	vm->life = fds[0];
	vm->guardian = fds[1];
	return 0;
}
