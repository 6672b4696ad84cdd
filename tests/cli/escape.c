/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * escape.c - what an attacker would do who has taken over a command while it reads a guest; tests/cli/confine.bats loads it into
 * each with LD_PRELOAD.
 *
 * At the first read of an image behind the second step of confinement it does what ESCAPE says and ends the process: with 10
 * when that was refused, 11 when it was done, or by the signal that the attempt brought.  A process that is confined to its
 * end is not even told whether it has a filter (prctl): that is how it is recognised.  ESCAPE_NOW does not wait for it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <termios.h>
#include <unistd.h>

enum { REFUSED = 10, DONE = 11 };

static long try_open(void)
{
	return open("/etc/passwd", O_RDONLY);
}

static long try_open_beside(void)
{
	return open("beside", O_RDONLY);
}

static long try_openat2(void)
{
	unsigned long long how[3] = { O_RDONLY, 0, 0 };

	return syscall(437, AT_FDCWD, "/etc/passwd", how, sizeof how);
}

static long try_create(void)
{
	return open("made", O_WRONLY | O_CREAT, 0600);
}

static long try_unlink(void)
{
	return unlink("beside");
}

static long try_chmod(void)
{
	return chmod("beside", 0777);
}

static long try_exec(void)
{
	char *const argv[] = { (char *)"true", NULL };

	return execve("/bin/true", argv, argv + 1);
}

static long try_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid;
}

static long try_clone3(void)
{
	unsigned long long args[8] = { [4] = SIGCHLD };
	long pid = syscall(435, args, sizeof args);

	if (pid == 0)
		_exit(0);
	return pid;
}

static long try_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static long try_unix_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

static long try_ptrace(void)
{
	return ptrace(PTRACE_SEIZE, getppid(), NULL, NULL);
}

static long try_memory_of_parent(void)
{
	char buf[16];
	struct iovec here = { buf, sizeof buf }, there = { (void *)&environ, sizeof buf };

	return syscall(SYS_process_vm_readv, getppid(), &here, 1L, &there, 1L, 0L);
}

static long try_signal(void)
{
	return kill(getppid(), 0);
}

static long try_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}

static long try_mount(void)
{
	return mount("none", "/nowhere", "tmpfs", 0, NULL);
}

static long try_bpf(void)
{
	union bpf_attr a;

	memset(&a, 0, sizeof a);
	return syscall(SYS_bpf, BPF_PROG_GET_NEXT_ID, &a, sizeof a);
}

static long try_io_uring(void)
{
	char params[120] = { 0 };

	return syscall(425, 4, params);
}

static long try_keyring(void)
{
	return syscall(SYS_keyctl, 0L, -3L, 0L);
}

static long try_terminal(void)
{
	struct termios t;

	/* Refused, or there is no terminal: which of the two is what counts. */
	memset(&t, 0, sizeof t);
	return tcsetattr(1, TCSANOW, &t) < 0 && errno == EPERM ? -1 : 0;
}

static long try_type_into_terminal(void)
{
	return ioctl(0, TIOCSTI, "x") < 0 && errno == EPERM ? -1 : 0;
}

static long try_limits(void)
{
	unsigned long long all[2] = { ~0ull, ~0ull };

	return syscall(SYS_prlimit64, 0, 9L /* RLIMIT_AS */, all, NULL);
}

static const struct attempt {
	const char *name;
	long (*fn)(void);
} attempts[] = {
	{ "open", try_open }, { "open-beside", try_open_beside }, { "openat2", try_openat2 }, { "create", try_create },
	{ "unlink", try_unlink }, { "chmod", try_chmod }, { "exec", try_exec }, { "fork", try_fork }, { "clone3", try_clone3 },
	{ "socket", try_socket }, { "unix-socket", try_unix_socket }, { "ptrace", try_ptrace },
	{ "memory-of-parent", try_memory_of_parent }, { "signal", try_signal }, { "code", try_code }, { "mount", try_mount },
	{ "bpf", try_bpf }, { "io_uring", try_io_uring }, { "keyring", try_keyring }, { "terminal", try_terminal },
	{ "type-into-terminal", try_type_into_terminal }, { "limits", try_limits },
};

static void escape(const char *name)
{
	for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++)
		if (strcmp(attempts[i].name, name) == 0)
			_exit(attempts[i].fn() < 0 ? REFUSED : DONE);
	fprintf(stderr, "escape: there is no attempt \"%s\"\n", name);
	_exit(1);
}

/* One name a line, so that the test tries all there are. */
__attribute__((constructor)) static void list(void)
{
	const char *name = getenv("ESCAPE");

	if (!name || strcmp(name, "list") != 0)
		return;
	for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++)
		puts(attempts[i].name);
	exit(0);
}

ssize_t pread64(int fd, void *buf, size_t len, off64_t off)
{
	static ssize_t (*real)(int, void *, size_t, off64_t);
	const char *name = getenv("ESCAPE");

	if (name && (getenv("ESCAPE_NOW") || (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0 && errno == EPERM)))
		escape(name);
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "pread64");
	return real(fd, buf, len, off);
}
