/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vmm_uml.c - user-mode Linux: the kernel as a process of the host, there in a tenth of a second.
 *
 * A hole in one of its filesystem drivers is native code in that process.  So it runs in a room of its own (room.h) with the
 * C library, its initramfs and the processor's description in it, without network, and with a list of system calls.
 *
 * Its disks and its console are virtio devices over sockets that it connects to; its memory is an unlinked file in the room,
 * which it hands to those who serve the devices.
 */
#include "vm.h"

#include "alloc.h"
#include "landlock.h"
#include "limits.h"
#include "room.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int uml_room(const struct vm_request *req, const struct vm_host *host, struct room *room, struct err *e)
{
	/* Where the C library and the loader are, on every distribution: links among them are made again as links. */
	static const char *const libraries[] = { "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/nix/store", "/gnu/store" };

	(void)e;
	room_add(room, host->kernel, "/linux", LANDLOCK_READ | LANDLOCK_EXECUTE);
	room_add(room, host->initrd, "/initrd", LANDLOCK_READ);
	for (size_t i = 0; i < ARRAY_LEN(libraries); i++)
		room_add(room, libraries[i], NULL, LANDLOCK_READ | LANDLOCK_EXECUTE);
	room_add(room, "/etc/ld.so.cache", "/etc/ld.so.cache", LANDLOCK_READ);
	room_add(room, "/proc/cpuinfo", "/proc/cpuinfo", LANDLOCK_READ);
	room_add(room, "/dev/null", "/dev/null", LANDLOCK_DEVICE);
	room_add(room, "/dev/random", "/dev/random", LANDLOCK_READ);
	room_add(room, "/dev/urandom", "/dev/urandom", LANDLOCK_READ);
	/* All of its memory must have room, or it is killed where it touches the first byte that has none. */
	room->size = req->memory * MiB + 64 * MiB;
	return 0;
}

static int listen_at(const char *name, int *fd, struct err *e)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return err_sys(e, errno, "a socket");
	snprintf(at.sun_path, sizeof at.sun_path, ROOM_SOCKETS "/%s", name);
	if (bind(*fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(*fd, 1) < 0)
		return err_sys(e, errno, "a socket in the room");
	return 0;
}

static int uml_wire(const struct vm_request *req, const struct vm_host *host, struct vm_wires *w, struct err *e)
{
	int rc;

	(void)host;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, w->channel) < 0)
		return err_sys(e, errno, "a socket");
	rc = listen_at("console", &w->listening, e);
	for (uint32_t i = 0; !rc && i < req->ndisks; i++) {
		char name[16];

		snprintf(name, sizeof name, "%u", i);
		rc = listen_at(name, &w->disks[i], e);
	}
	return rc;
}

static void uml_argv(const struct vm_request *req, const struct vm_host *host, const struct vm_wires *w,
		     struct vm_argv *a)
{
	(void)host;
	(void)w;
	vm_arg(a, "/linux");
	vm_arg(a, "mem=%uM", req->memory);
	vm_arg(a, "initrd=/initrd");
	vm_arg(a, "con=null");
	vm_arg(a, "con0=null,fd:2");
	if (!req->verbose)
		vm_arg(a, "quiet");
	/* What takes most of the time of a start, and is known: how fast a loop is, which checksum of RAID is the quickest. */
	vm_arg(a, "lpj=15000000");
	vm_arg(a, "initcall_blacklist=%scalibrate_xor_blocks", req->raid6 ? "" : "raid6_select_algo,");
	/* It would start a program of the initramfs for each of its 256 terminals, to tell that they are there. */
	vm_arg(a, "pty.legacy_count=0");
	vm_arg(a, "uml_dir=" ROOM_TMP "/");
	vm_arg(a, "virtio_uml.device=" ROOM_SOCKETS "/console:3");
	for (uint32_t i = 0; i < req->ndisks; i++)
		vm_arg(a, "virtio_uml.device=" ROOM_SOCKETS "/%u:2", i);
	vm_arg(a, "chan=vport0p0");
	if (req->append[0])
		vm_arg(a, "%s", req->append);
}

/*
 * What it needs to be a kernel: memory, signals and timers, processes of its own that it traces, sockets of the unix family.
 * What is not listed fails with EPERM.  Files cannot be cut short: that of its memory is shared with us.
 */
static const int calls[] = {
	SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(pread64), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(pwrite64),
	SCMP_SYS(close), SCMP_SYS(lseek), SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(stat), SCMP_SYS(fstat),
	SCMP_SYS(lstat), SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(statfs), SCMP_SYS(fstatfs), SCMP_SYS(access),
	SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getdents64),
	SCMP_SYS(getcwd), SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rmdir),
	SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(fcntl), SCMP_SYS(ioctl), SCMP_SYS(dup), SCMP_SYS(dup2),
	SCMP_SYS(dup3), SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(select),
	SCMP_SYS(pselect6), SCMP_SYS(epoll_create), SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(eventfd2), SCMP_SYS(umask), SCMP_SYS(fadvise64),
	/* memory */
	SCMP_SYS(brk), SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mprotect), SCMP_SYS(mremap), SCMP_SYS(madvise),
	/* sockets; socket() itself below */
	SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(listen), SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(sendmsg),
	SCMP_SYS(recvmsg), SCMP_SYS(sendto), SCMP_SYS(recvfrom), SCMP_SYS(shutdown), SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
	/* processes */
	SCMP_SYS(clone), SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(execve), SCMP_SYS(wait4), SCMP_SYS(exit),
	SCMP_SYS(exit_group), SCMP_SYS(kill), SCMP_SYS(tkill), SCMP_SYS(tgkill), SCMP_SYS(ptrace), SCMP_SYS(getpid),
	SCMP_SYS(getppid), SCMP_SYS(gettid), SCMP_SYS(setsid), SCMP_SYS(setpgid), SCMP_SYS(getpgrp),
	SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(prctl),
	SCMP_SYS(arch_prctl), SCMP_SYS(modify_ldt), SCMP_SYS(set_thread_area), SCMP_SYS(get_thread_area),
	SCMP_SYS(set_tid_address), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(futex),
	SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(prlimit64), SCMP_SYS(getrlimit),
	SCMP_SYS(setrlimit), SCMP_SYS(getrusage), SCMP_SYS(times), SCMP_SYS(uname), SCMP_SYS(sysinfo),
	SCMP_SYS(getrandom), SCMP_SYS(personality),
	/* signals and time */
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigsuspend),
	SCMP_SYS(rt_sigpending), SCMP_SYS(rt_sigtimedwait), SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall),
	SCMP_SYS(pause), SCMP_SYS(alarm), SCMP_SYS(setitimer), SCMP_SYS(getitimer), SCMP_SYS(timer_create),
	SCMP_SYS(timer_settime), SCMP_SYS(timer_gettime), SCMP_SYS(timer_delete), SCMP_SYS(timer_getoverrun),
	SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep),
	SCMP_SYS(gettimeofday), SCMP_SYS(time),
};

static void filter_release(scmp_filter_ctx *f)
{
	if (*f)
		seccomp_release(*f);
}

static int uml_seal(const char **what)
{
	CLEANUP(filter_release) scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	const struct scmp_arg_cmp unix_only = SCMP_A0_32(SCMP_CMP_EQ, AF_UNIX);
	int rc = trace_try();

	/* What it runs its processes by.  It would say that a signal was not the one that it expected. */
	if (rc) {
		*what = "ptrace";
		return rc;
	}
	if (!f)
		return ENOMEM;
	rc = -seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (!rc)
		rc = -seccomp_attr_set(f, SCMP_FLTATR_CTL_NNP, 0); /* done already */
	for (size_t i = 0; !rc && i < ARRAY_LEN(calls); i++) {
		rc = -seccomp_rule_add_array(f, SCMP_ACT_ALLOW, calls[i], 0, NULL);
		if (rc == EDOM) /* this architecture has no such call */
			rc = 0;
	}
	if (!rc)
		rc = -seccomp_rule_add_array(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, &unix_only);
	if (!rc)
		rc = -seccomp_rule_add_array(f, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1, &unix_only);
	/* It hides its flags in memory; without it the C library uses clone(). */
	if (!rc)
		rc = -seccomp_rule_add_array(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0, NULL);
#ifdef SCMP_FLTATR_CTL_OPTIMIZE
	/* A tree: each of its guest's page faults is several calls. */
	(void)seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
#endif
	/* Its memory must lie where it was linked to: it would run itself again with this set. */
	if (!rc && personality(ADDR_NO_RANDOMIZE) < 0)
		rc = errno;
	return rc ? rc : -seccomp_load(f);
}

static const char *const uml_env[] = { "TMPDIR=" ROOM_TMP, "HOME=" ROOM_TMP, "PATH=/", NULL };

const struct vmm vmm_uml = {
	.name = "user-mode Linux",
	.needs_room = true,
	.room = uml_room,
	.wire = uml_wire,
	.argv = uml_argv,
	.seal = uml_seal,
	.env = uml_env,
};
