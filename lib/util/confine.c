/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "confine.h"

#include "alloc.h"
#include "landlock.h"
#include "limits.h"
#include "strbuf.h"

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <seccomp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * AddressSanitizer reserves terabytes of address space, and at exit LeakSanitizer traces its own process with the help
 * of /proc: neither can live with the limit, the filter, or another root folder.  Such a build tells that it left the
 * filter out.
 */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

__attribute__((format(printf, 2, 3))) static void missing(struct confine_report *r, const char *fmt, ...)
{
	size_t len = strlen(r->missing);
	va_list ap;

	if (len && len + 2 < sizeof r->missing) {
		memcpy(r->missing + len, "; ", 3);
		len += 2;
	}
	va_start(ap, fmt);
	vsnprintf(r->missing + len, sizeof r->missing - len, fmt, ap);
	va_end(ap);
}

/* ---- Landlock ---- */

/* 0, or an errno. */
static int restrict_paths(const struct confine_how *how)
{
	CLEANUP(landlock_free) struct landlock l = LANDLOCK_INIT;
	int rc = landlock_new(&l, how->network ? LANDLOCK_NETWORK : 0);

	for (size_t i = 0; !rc && i < how->nread; i++)
		rc = landlock_allow(&l, how->read_paths[i], LANDLOCK_READ);
	if (!rc && SANITIZED)
		rc = landlock_allow(&l, "/proc", LANDLOCK_READ);
	if (!rc && how->write)
		rc = landlock_allow_fd(&l, how->write_dir, LANDLOCK_WRITE);
	for (size_t i = 0; !rc && i < how->nremove; i++)
		rc = landlock_allow_fd(&l, how->remove_dirs[i], LANDLOCK_REMOVE);
	return rc ? rc : landlock_restrict(&l);
}

/* ---- seccomp ---- */

/* Calls without a look at their arguments.  Names that an architecture does not have are skipped. */
static const int calls_always[] = {
	/* memory and threads */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(mlock), SCMP_SYS(munlock),
	SCMP_SYS(futex), SCMP_SYS(futex_waitv), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity), SCMP_SYS(membarrier), SCMP_SYS(exit), SCMP_SYS(exit_group),
	SCMP_SYS(gettid), SCMP_SYS(getpid), SCMP_SYS(restart_syscall), SCMP_SYS(memfd_create),
	/* signals to and in ourselves */
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigpending), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),
	/* what is already open */
	SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(pread64), SCMP_SYS(preadv), SCMP_SYS(preadv2),
	SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(lseek), SCMP_SYS(_llseek), SCMP_SYS(close), SCMP_SYS(fstat),
	SCMP_SYS(fstat64), SCMP_SYS(fadvise64), SCMP_SYS(readahead), SCMP_SYS(poll), SCMP_SYS(ppoll),
	/* time and odds */
	SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep),
	SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getrandom), SCMP_SYS(sysinfo), SCMP_SYS(uname),
	SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(getrusage),
};

/* With paths to read: the looks that come with opening. */
static const int calls_reading[] = {
	SCMP_SYS(newfstatat), SCMP_SYS(fstatat64), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(statx),
	SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2),
	SCMP_SYS(getcwd), SCMP_SYS(fstatfs), SCMP_SYS(statfs), SCMP_SYS(getdents64),
};

/* With a folder to write to.  Landlock says where; owners and modes go by descriptor wherever that is possible. */
static const int calls_writing[] = {
	SCMP_SYS(openat), SCMP_SYS(newfstatat), SCMP_SYS(fstatat64), SCMP_SYS(statx), SCMP_SYS(getdents64),
	SCMP_SYS(readlinkat), SCMP_SYS(pwrite64), SCMP_SYS(pwritev), SCMP_SYS(ftruncate), SCMP_SYS(fallocate),
	SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(mkdirat), SCMP_SYS(mknodat), SCMP_SYS(symlinkat),
	SCMP_SYS(linkat), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(unlinkat), SCMP_SYS(fchmod),
	SCMP_SYS(fchown), SCMP_SYS(fchownat), SCMP_SYS(utimensat), SCMP_SYS(fsetxattr), SCMP_SYS(lsetxattr),
	SCMP_SYS(umask), SCMP_SYS(dup),
};

/* Sockets that are open already, or come through one that is; files that are open, which an image or an overlay may be. */
static const int calls_serving[] = {
	SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), SCMP_SYS(recvfrom), SCMP_SYS(sendto), SCMP_SYS(accept4), SCMP_SYS(shutdown),
	SCMP_SYS(pwrite64), SCMP_SYS(pwritev), SCMP_SYS(pwritev2), SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(fallocate),
	SCMP_SYS(ftruncate), SCMP_SYS(eventfd2),
};

/* The descriptor of a mount is taken; all further talk with the kernel is reading and writing. */
static const int calls_mount[] = { SCMP_SYS(recvmsg) };
/* A change of what is open: written to a journal and to images, and made stable. */
static const int calls_changing[] = {
	SCMP_SYS(pwrite64), SCMP_SYS(pwritev), SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(fallocate), SCMP_SYS(ftruncate),
};
/* Talking to a server, and asking for its name. */
static const int calls_network[] = {
	SCMP_SYS(connect), SCMP_SYS(socketpair), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(getpeername),
	SCMP_SYS(getsockname), SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), SCMP_SYS(sendmmsg), SCMP_SYS(recvfrom), SCMP_SYS(sendto),
	SCMP_SYS(shutdown), SCMP_SYS(select), SCMP_SYS(pselect6),
};
static const int families[] = { AF_INET, AF_INET6, AF_UNIX };

/* What confine() itself calls. */
static const int calls_again[] = {
	SCMP_SYS(prctl), SCMP_SYS(seccomp), SCMP_SYS(prlimit64), SCMP_SYS(setrlimit), SCMP_SYS(getrlimit),
	SCMP_SYS(landlock_create_ruleset), SCMP_SYS(landlock_add_rule), SCMP_SYS(landlock_restrict_self),
	SCMP_SYS(openat), SCMP_SYS(fchdir), SCMP_SYS(chroot),
};

/* What no honest path of ours comes near: the process dies on the spot. */
static const int calls_deadly[] = {
	SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev), SCMP_SYS(pidfd_getfd), SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(bpf),
	SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(io_uring_setup), SCMP_SYS(keyctl),
	SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(init_module), SCMP_SYS(finit_module),
	SCMP_SYS(kexec_load), SCMP_SYS(reboot), SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(pivot_root),
};
static const int calls_deadly_alone[] = { SCMP_SYS(socket), SCMP_SYS(socketpair), SCMP_SYS(connect), SCMP_SYS(bind) };

static const unsigned long ioctls_always[] = { TCGETS, TIOCGWINSZ };
static const unsigned long ioctls_terminal[] = { TCSETS, TCSETSW, TCSETSF };
static const unsigned long ioctls_network[] = { FIONREAD, FIONBIO };
static const unsigned long ioctls_reading[] = { BLKGETSIZE64, BLKGETSIZE, BLKSSZGET, BLKPBSZGET, BLKIOMIN, BLKIOOPT,
						BLKROGET, BLKBSZGET };
static const int fcntls[] = { F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_OFD_GETLK, F_OFD_SETLK };

static void filter_release(scmp_filter_ctx *f)
{
	if (*f)
		seccomp_release(*f);
}

/* The functions that build the filter keep the first error in *rc, so that a table of rules reads as one. */
static void rule(int *rc, scmp_filter_ctx f, uint32_t action, int call, unsigned n, struct scmp_arg_cmp arg)
{
	int r;

	if (*rc)
		return;
	r = seccomp_rule_add_array(f, action, call, n, &arg);
	/* EDOM: this architecture has no such call.  EEXIST: two lists name it. */
	if (r && r != -EDOM && r != -EEXIST)
		*rc = -r;
}

/* Allowed with two arguments. */
static void rule2(int *rc, scmp_filter_ctx f, int call, struct scmp_arg_cmp a, struct scmp_arg_cmp b)
{
	int r;

	if (*rc)
		return;
	r = seccomp_rule_add(f, SCMP_ACT_ALLOW, call, 2, a, b);
	if (r && r != -EDOM && r != -EEXIST)
		*rc = -r;
}

static void allow_list(int *rc, scmp_filter_ctx f, uint32_t action, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++)
		rule(rc, f, action, calls[i], 0, (struct scmp_arg_cmp){ 0 });
}
#define ALLOW_LIST(rc, f, list) allow_list((rc), (f), SCMP_ACT_ALLOW, (list), ARRAY_LEN(list))

static void allow_arguments(int *rc, scmp_filter_ctx f, const struct confine_how *how)
{
	/* No code is made at run time, and none is loaded. */
	rule(rc, f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2_64(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	rule(rc, f, SCMP_ACT_ALLOW, SCMP_SYS(mmap2), 1, SCMP_A2_64(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	rule(rc, f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2_64(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	/* Threads, not processes.  clone3 hides its flags in memory: without it the C library falls back to clone. */
#if defined(__s390__)
	rule(rc, f, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, SCMP_A1_64(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
#else
	rule(rc, f, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, SCMP_A0_64(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
#endif
	rule(rc, f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0, (struct scmp_arg_cmp){ 0 });
	/* abort() and raise() */
	rule(rc, f, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, SCMP_A0_32(SCMP_CMP_EQ, (uint32_t)getpid()));
	for (size_t i = 0; i < ARRAY_LEN(ioctls_always); i++)
		rule(rc, f, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1_32(SCMP_CMP_EQ, (uint32_t)ioctls_always[i]));
	for (size_t i = 0; i < ARRAY_LEN(fcntls); i++) {
		rule(rc, f, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, SCMP_A1_32(SCMP_CMP_EQ, (uint32_t)fcntls[i]));
		rule(rc, f, SCMP_ACT_ALLOW, SCMP_SYS(fcntl64), 1, SCMP_A1_32(SCMP_CMP_EQ, (uint32_t)fcntls[i]));
	}
	/* What write() does to a socket that is connected, without its signal. */
	rule(rc, f, SCMP_ACT_ALLOW, SCMP_SYS(sendto), 1, SCMP_A4_64(SCMP_CMP_EQ, 0));
	/* Limits may be read (a new thread asks for the size of its stack). */
	if (!how->again)
		rule(rc, f, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, SCMP_A2_64(SCMP_CMP_EQ, 0));
	if (how->nread && !how->write && !how->again) {
		rule(rc, f, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
		     SCMP_A2_32(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY));
		rule(rc, f, SCMP_ACT_ALLOW, SCMP_SYS(open), 1,
		     SCMP_A1_32(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY));
	}
	/* Landlock says beneath which folders; here, that it is a file, and named from one of them. */
	for (size_t i = 0; i < how->nremove && !how->write; i++)
		rule2(rc, f, SCMP_SYS(unlinkat), SCMP_A0_32(SCMP_CMP_EQ, (uint32_t)how->remove_dirs[i]),
		      SCMP_A2_32(SCMP_CMP_EQ, 0));
	if (how->nremove)
		rule(rc, f, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1_32(SCMP_CMP_EQ, (uint32_t)FICLONERANGE));
	if (how->terminal)
		for (size_t i = 0; i < ARRAY_LEN(ioctls_terminal); i++)
			rule(rc, f, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
			     SCMP_A1_32(SCMP_CMP_EQ, (uint32_t)ioctls_terminal[i]));
	for (size_t i = 0; how->network && i < ARRAY_LEN(families); i++)
		rule(rc, f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0_32(SCMP_CMP_EQ, (uint32_t)families[i]));
	for (size_t i = 0; how->network && i < ARRAY_LEN(ioctls_network); i++)
		rule(rc, f, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1_32(SCMP_CMP_EQ, (uint32_t)ioctls_network[i]));
	if (how->nread)
		for (size_t i = 0; i < ARRAY_LEN(ioctls_reading); i++)
			rule(rc, f, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
			     SCMP_A1_32(SCMP_CMP_EQ, (uint32_t)ioctls_reading[i]));
}

/* 0, or an errno. */
static int seccomp_restrict(const struct confine_how *how)
{
	CLEANUP(filter_release) scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int rc = 0;

	if (!f)
		return ENOMEM;
	rc = -seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (!rc)
		rc = -seccomp_attr_set(f, SCMP_FLTATR_CTL_NNP, 0); /* done already */
	if (!rc)
		rc = -seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1);
	ALLOW_LIST(&rc, f, calls_always);
	if (how->nread)
		ALLOW_LIST(&rc, f, calls_reading);
	if (how->write)
		ALLOW_LIST(&rc, f, calls_writing);
	if (how->serve)
		ALLOW_LIST(&rc, f, calls_serving);
	if (how->mount)
		ALLOW_LIST(&rc, f, calls_mount);
	if (how->nremove)
		ALLOW_LIST(&rc, f, calls_changing);
	if (how->network)
		ALLOW_LIST(&rc, f, calls_network);
	if (how->again)
		ALLOW_LIST(&rc, f, calls_again);
	allow_arguments(&rc, f, how);
	allow_list(&rc, f, SCMP_ACT_KILL_PROCESS, calls_deadly, ARRAY_LEN(calls_deadly));
	if (!how->network)
		allow_list(&rc, f, SCMP_ACT_KILL_PROCESS, calls_deadly_alone, ARRAY_LEN(calls_deadly_alone));
	return rc ? rc : -seccomp_load(f);
}

/* ---- the rest ---- */

/* Never raises a limit that is already lower. */
static int limit_set(int resource, uint64_t most)
{
	struct rlimit l;

	if (getrlimit(resource, &l) < 0)
		return errno;
	if (l.rlim_cur == RLIM_INFINITY || l.rlim_cur > most)
		l.rlim_cur = most;
	if (l.rlim_max == RLIM_INFINITY || l.rlim_max > most)
		l.rlim_max = most;
	/* The hard limit of processor time comes a little later: SIGKILL, should SIGXCPU have been caught. */
	if (resource == RLIMIT_CPU && l.rlim_max == most)
		l.rlim_max += 5;
	return setrlimit(resource, &l) < 0 ? errno : 0;
}

static int confine_limits(const struct confine_how *how)
{
	int rc = limit_set(RLIMIT_CORE, 0);

	/* The memory of virtual machines is mapped once for each of their devices, and is not ours: what is private counts. */
	if (!rc && how->memory && !SANITIZED)
		rc = limit_set(how->serve ? RLIMIT_DATA : RLIMIT_AS, how->memory);
	if (!rc && how->seconds)
		rc = limit_set(RLIMIT_CPU, how->seconds);
	return rc;
}

/*
 * The C library loads libgcc_s when a thread first ends by pthread_exit(), as those of libargon2 do, and aborts when it
 * cannot.  A look at the stack needs the same library.
 */
static void load_unwinder(void)
{
	void *frame;

	(void)backtrace(&frame, 1);
}

static void confine_landlock(const struct confine_how *how, struct confine_report *r)
{
	int rc;

	r->landlock_abi = landlock_abi();
	if (!r->landlock_abi) {
		missing(r, "no Landlock (%s)",
			errno == ENOSYS ? "not in this kernel" : errno == EOPNOTSUPP ? "turned off" : strerror(errno));
	} else if (how->write && r->landlock_abi < 2) {
		/* ABI 1 forbids every link and rename between folders, which hard links need. */
		missing(r, "no Landlock (this kernel's cannot be used while writing)");
	} else if ((rc = restrict_paths(how)) != 0) {
		missing(r, "no Landlock (%s)", strerror(rc));
	} else {
		r->done |= CONFINE_LANDLOCK;
	}
}

int confine(const struct confine_how *how, struct confine_report *report, struct err *e)
{
	struct confine_report local, *r = report ? report : &local;
	int rc;

	memset(r, 0, sizeof *r);
	if (how->want == CONFINE_OFF) {
		missing(r, "confinement is turned off");
		return 0;
	}
	load_unwinder();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		missing(r, "no_new_privs (%s)", strerror(errno));
	else
		r->done |= CONFINE_PRIVS;
	/* Landlock before the root changes: its paths are the caller's. */
	confine_landlock(how, r);
	if (how->write && !how->again && geteuid() == 0 && !SANITIZED) {
		if (fchdir(how->write_dir) == 0 && chroot(".") == 0)
			r->done |= CONFINE_CHROOT;
		else
			missing(r, "no change of the root folder (%s)", strerror(errno));
	}
	/* After chroot: a process that is not dumpable cannot be looked at by others of its user. */
	if (!SANITIZED)
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	rc = confine_limits(how);
	if (rc)
		missing(r, "no limits (%s)", strerror(rc));
	else
		r->done |= CONFINE_LIMITS;
	if (SANITIZED) {
		missing(r, "no seccomp (built with AddressSanitizer)");
	} else {
		rc = seccomp_restrict(how);
		if (rc)
			missing(r, "no seccomp (%s)", rc == ECANCELED || rc == EINVAL ? "not in this kernel" : strerror(rc));
		else
			r->done |= CONFINE_SECCOMP;
	}
	if (how->want == CONFINE_REQUIRED && (~r->done & (CONFINE_PRIVS | CONFINE_LANDLOCK | CONFINE_SECCOMP)))
		return err_set(e, ERR_POLICY, "this host cannot confine the program as asked: %s", r->missing);
	return 0;
}
