/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guardian.c - the process that has one virtual machine for a child.
 *
 * Where the host has namespaces it is the first process of its own: when it ends, however it ends, the kernel kills all
 * that is in there, and their mounts and network go with them.  Elsewhere (QEMU alone may run there, and starts no
 * processes) the machine asks the kernel to be killed when its guardian is.  The guardian in turn is killed with the broker,
 * and ends by itself when the command hangs up.
 *
 * It reads nothing of what the machine says.
 */
#include "vm.h"

#include "alloc.h"
#include "room.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct guardian {
	const struct vm_request *req;
	struct vm_host *host;
	const struct vmm *vmm;
	int life;
	pid_t self;
	struct room room;
	bool entered;
	struct vm_wires wires;
	struct vm_argv argv;
	struct saved saved;
};

static void say_failed(int life, enum vm_what what, const struct err *e)
{
	struct vm_word w = { .what = what };

	snprintf(w.text, sizeof w.text, "%.*s", VM_TEXT_MAX - 1, e->msg);
	(void)vm_send(life, &w, sizeof w, NULL, 0);
}

static int enter(struct guardian *g, struct err *e)
{
	struct err why = ERR_INIT;
	int rc = 0;

	if (g->room.failed)
		return err_nomem(e);
	if (g->host->spaces) {
		rc = room_enter(&g->room, g->host->uid, g->host->gid, &why);
		g->entered = rc == 0;
		g->host->room = g->entered;
	}
	if (g->entered || !g->vmm->needs_room)
		return 0;
	return err_set(e, ERR_POLICY, "it is not started unconfined, and this host does not allow namespaces of one's own "
		       "(%s)", why.msg[0] ? why.msg : "none");
}

static int send_wires(const struct guardian *g, struct err *e)
{
	const struct vm_wires *w = &g->wires;
	struct vm_word word = { .what = VM_SERVE };
	int fds[VM_FDS_MAX], rc;
	size_t n = 0;

	fds[n++] = w->console[0];
	fds[n++] = w->channel[0];
	/* User-mode Linux connects to a console of ours, which has the other end of the channel. */
	if (w->listening >= 0) {
		fds[n++] = w->channel[1];
		fds[n++] = w->listening;
	}
	if (g->req->saved == VM_BOOTS_TO_SAVE) {
		fds[n++] = w->monitor[0];
		fds[n++] = w->memory;
	}
	for (uint32_t i = 0; i < g->req->ndisks; i++)
		fds[n++] = w->disks[i];
	rc = vm_send(g->life, &word, sizeof word, fds, n);
	return rc ? err_sys(e, rc, "the command") : 0;
}

/* ---- the machine ---- */

static void keep_open(int fd)
{
	if (fd >= 0)
		(void)fcntl(fd, F_SETFD, 0);
}

/* In the process that becomes the machine: what fails goes to its console. */
__attribute__((noreturn)) static void become_machine(const struct guardian *g)
{
	const struct rlimit none = { 0, 0 };
	const char *what = "the environment";
	sigset_t no_signals;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	char line[200];
	int rc = 0;

	sigemptyset(&no_signals);
	sigprocmask(SIG_SETMASK, &no_signals, NULL);
	if (null < 0 || dup2(null, 0) < 0 || dup2(g->wires.console[1], 1) < 0 || dup2(g->wires.console[1], 2) < 0)
		rc = errno;
	if (!rc && (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		    setrlimit(RLIMIT_CORE, &none) < 0))
		rc = errno;
	/* Had the guardian ended before that was asked for, nothing would. */
	if (!rc && getppid() != g->self)
		_exit(1);
	for (uint32_t i = 0; i < g->req->ndisks; i++)
		keep_open(g->wires.disks_vm[i]);
	if (g->wires.listening < 0)
		keep_open(g->wires.channel[1]);
	keep_open(g->wires.monitor[1]);
	keep_open(g->wires.state);
	if (!g->entered)
		keep_open(g->wires.memory);
	if (!rc) {
		what = "Landlock";
		rc = room_lock(&g->room, g->entered);
		if (!g->vmm->needs_room) /* it has a sandbox of its own */
			rc = 0;
	}
	if (!rc && g->vmm->seal) {
		what = "seccomp";
		rc = g->vmm->seal(&what);
	}
	if (!rc) {
		what = g->argv.items[0];
		execve(g->argv.items[0], g->argv.items, (char *const *)(uintptr_t)g->vmm->env);
		rc = errno;
	}
	snprintf(line, sizeof line, "drydock: %s: %s\n", what, strerror(rc));
	(void)!write(g->wires.console[1], line, strlen(line));
	_exit(127);
}

static void close_its_ends(struct vm_wires *w, uint32_t ndisks)
{
	close_fd(&w->console[0]);
	close_fd(&w->console[1]);
	close_fd(&w->channel[0]);
	close_fd(&w->channel[1]);
	close_fd(&w->listening);
	close_fd(&w->monitor[1]);
	for (uint32_t i = 0; i < ndisks; i++) {
		close_fd(&w->disks[i]);
		close_fd(&w->disks_vm[i]);
	}
}

/* The files of the backend.  Their names may be relative, and in the room they are what they are from the root folder on. */
static int find_files(const struct vm_request *req, struct vm_host *host, struct err *e)
{
	const struct appliance_files *f = host->files;
	bool uml = req->backend == APPLIANCE_UML;
	const struct appliance_file *kernel = !f ? NULL : uml ? &f->uml : &f->vmlinux;
	const struct appliance_file *initrd = !f ? NULL : uml ? &f->uml_initrd : &f->vmlinux_initrd;

	if (!kernel || !kernel->path || !initrd->path)
		return err_set(e, ERR_NOT_FOUND, "the appliance was built without a kernel for it");
	host->kernel = realpath(kernel->path, NULL);
	if (!host->kernel)
		return err_sys(e, errno, "%s", kernel->path);
	host->initrd = realpath(initrd->path, NULL);
	return host->initrd ? 0 : err_sys(e, errno, "%s", initrd->path);
}

/* What the machine goes on from, while its file can still be seen. */
static int open_saved(struct guardian *g, struct err *e)
{
	CLEANUP(free_ptr) char *path = saved_path(g->host->files, g->req->programs);
	struct saved_of of;
	int rc = path ? vmm_qemu_saved(g->req, g->host, &of, e) : err_set(e, ERR_NOT_FOUND, "no machine is saved");

	if (rc == 0)
		rc = saved_open(path, &of, &g->saved, e);
	g->wires.state = g->saved.fd;
	return rc;
}

/* The memory is filled while QEMU starts, which is then told to go on. */
static int go_on(struct guardian *g, struct err *e)
{
	int rc = saved_load(&g->saved, g->wires.memory, e);

	if (rc)
		return rc;
	/* The place in the file is the machine's, too. */
	if (lseek(g->saved.fd, (off_t)g->saved.state_off, SEEK_SET) < 0)
		return err_sys(e, errno, "the saved machine");
	rc = vmm_qemu_go_on(&g->wires);
	close_fd(&g->wires.memory);
	return rc ? err_sys(e, rc, "the monitor of the machine") : 0;
}

static int start(struct guardian *g, pid_t *pid, struct err *e)
{
	/* All that the machine and its program print goes to the command, which judges it. */
	int rc = pipe2(g->wires.console, O_CLOEXEC) < 0 ? err_sys(e, errno, "a pipe") : 0;

	if (!rc)
		rc = find_files(g->req, g->host, e);
	if (!rc && g->req->saved == VM_GOES_ON)
		rc = open_saved(g, e);
	if (!rc)
		rc = g->vmm->room(g->req, g->host, &g->room, e);
	if (!rc)
		rc = enter(g, e);
	/* Another process of the same user, and the machine is one, cannot look into this one. */
	if (!rc && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		rc = err_sys(e, errno, "the guardian");
	if (!rc)
		rc = g->vmm->wire(g->req, g->host, &g->wires, e);
	if (rc)
		return rc;
	g->vmm->argv(g->req, g->host, &g->wires, &g->argv);
	if (g->argv.failed)
		return err_nomem(e);
	rc = send_wires(g, e);
	if (rc)
		return rc;
	*pid = fork();
	if (*pid < 0)
		return err_sys(e, errno, "a process for it");
	if (*pid == 0)
		become_machine(g);
	close_its_ends(&g->wires, g->req->ndisks);
	return g->req->saved == VM_GOES_ON ? go_on(g, e) : 0;
}

/* Collects who has ended; true when the machine has. */
static bool reap(pid_t pid, int *status)
{
	bool ended = false;
	pid_t who;
	int how;

	while ((who = waitpid(-1, &how, WNOHANG)) > 0)
		if (who == pid) {
			*status = how;
			ended = true;
		}
	return ended;
}

static void watch(int life, int signals, pid_t pid)
{
	struct pollfd fds[] = { { .fd = life, .events = POLLIN }, { .fd = signals, .events = POLLIN } };
	struct vm_word w = { .what = VM_ENDED };
	int status = 0;

	for (;;) {
		struct signalfd_siginfo si;

		if (poll(fds, ARRAY_LEN(fds), -1) < 0 && errno != EINTR)
			break;
		/* Whatever the command says, and that it is gone, means the end. */
		if (fds[0].revents)
			break;
		if (fds[1].revents && read(signals, &si, sizeof si) < 0 && errno != EINTR)
			break;
		if (reap(pid, &status)) {
			w.status = status;
			(void)vm_send(life, &w, sizeof w, NULL, 0);
			return;
		}
	}
	kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
}

void guardian_run(const struct vm_request *req, struct vm_host *host, int life)
{
	struct guardian g = { .req = req, .host = host, .life = life, .self = getpid(), .saved.fd = -1 };
	struct err e = ERR_INIT;
	sigset_t child;
	pid_t pid = -1;
	int signals, rc;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	(void)prctl(PR_SET_NAME, "drydock-guard", 0, 0, 0);
	(void)setsid();
	g.vmm = req->backend == APPLIANCE_UML ? &vmm_uml : &vmm_qemu;
	memset(&g.wires, 0xff, sizeof g.wires); /* every descriptor -1 */
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	rc = signals < 0 ? err_sys(&e, errno, "its signals") : start(&g, &pid, &e);
	if (rc) {
		bool unsaved = req->saved == VM_GOES_ON && (e.code == ERR_NOT_FOUND || e.code == ERR_CORRUPT);

		say_failed(life, unsaved ? VM_UNSAVED : VM_FAILED, &e);
		if (pid > 0)
			kill(pid, SIGKILL);
		_exit(1);
	}
	watch(life, signals, pid);
	_exit(0);
}
