/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * container_tool.c - runs a program where a container's filter forbids what Docker's does by default; and more, on request.
 *
 * usage: container [--no-ptrace] [--no-namespaces] [--no-landlock] COMMAND [ARG...]
 *
 * Without options it is as in a container whose user has no capabilities: no namespaces, mounts, keys, profiles of the kernel,
 * file handles, io_uring, userfaultfd, and no odd personalities.  With options only those things are forbidden; --no-ptrace is
 * what kernel.yama.ptrace_scope=2 is to one without capabilities.  What is forbidden fails with EPERM; clone3(), whose flags no
 * filter can see, with ENOSYS, after which clone() is tried.
 */
#include <errno.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <unistd.h>

static scmp_filter_ctx filter;

static bool forbid(int call)
{
	return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 0) == 0;
}

static bool forbid_namespaces(void)
{
	static const unsigned long flags[] = { CLONE_NEWNS,  CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
					       CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET };
	bool fine = forbid(SCMP_SYS(unshare)) && forbid(SCMP_SYS(setns)) &&
		    seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0;

	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
		fine = fine && seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
						SCMP_A0(SCMP_CMP_MASKED_EQ, flags[i], flags[i])) == 0;
	return fine;
}

static bool forbid_landlock(void)
{
	return forbid(SCMP_SYS(landlock_create_ruleset)) && forbid(SCMP_SYS(landlock_add_rule)) &&
	       forbid(SCMP_SYS(landlock_restrict_self));
}

static bool forbid_ptrace(void)
{
	return forbid(SCMP_SYS(ptrace));
}

static bool as_container(void)
{
	static const int calls[] = {
		SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(move_mount),
		SCMP_SYS(open_tree), SCMP_SYS(fsopen), SCMP_SYS(fsconfig), SCMP_SYS(fsmount), SCMP_SYS(fspick),
		SCMP_SYS(mount_setattr),
		SCMP_SYS(userfaultfd), SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(add_key), SCMP_SYS(keyctl),
		SCMP_SYS(request_key), SCMP_SYS(kcmp), SCMP_SYS(open_by_handle_at), SCMP_SYS(quotactl), SCMP_SYS(swapon),
		SCMP_SYS(swapoff), SCMP_SYS(reboot), SCMP_SYS(kexec_load), SCMP_SYS(init_module), SCMP_SYS(finit_module),
		SCMP_SYS(delete_module), SCMP_SYS(acct), SCMP_SYS(iopl), SCMP_SYS(ioperm), SCMP_SYS(settimeofday),
		SCMP_SYS(clock_settime), SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register),
		SCMP_SYS(sethostname), SCMP_SYS(setdomainname), SCMP_SYS(process_madvise), SCMP_SYS(move_pages),
		SCMP_SYS(mbind), SCMP_SYS(set_mempolicy), SCMP_SYS(get_mempolicy), SCMP_SYS(vhangup), SCMP_SYS(syslog),
	};
	bool fine = forbid_namespaces();

	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
		fine = fine && forbid(calls[i]);
	/* It may be asked for, which has all bits. */
	return fine && seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(personality), 1,
					SCMP_A0(SCMP_CMP_MASKED_EQ, 0x80000000 | ADDR_NO_RANDOMIZE, ADDR_NO_RANDOMIZE)) == 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *option;
		bool (*forbid)(void);
	} things[] = {
		{ "--no-ptrace", forbid_ptrace },
		{ "--no-namespaces", forbid_namespaces },
		{ "--no-landlock", forbid_landlock },
	};
	bool fine = true;
	int at = 1;

	filter = seccomp_init(SCMP_ACT_ALLOW);
	for (; at < argc && argv[at][0] == '-'; at++) {
		bool known = false;

		for (size_t i = 0; i < sizeof things / sizeof *things; i++)
			if (strcmp(argv[at], things[i].option) == 0) {
				known = true;
				fine = fine && things[i].forbid();
			}
		fine = fine && known;
	}
	if (at == 1)
		fine = fine && as_container();
	if (!filter || !fine || at == argc || seccomp_load(filter) != 0) {
		fprintf(stderr, "usage: container [--no-ptrace] [--no-namespaces] [--no-landlock] COMMAND [ARG...]\n");
		return 2;
	}
	execvp(argv[at], argv + at);
	perror(argv[at]);
	return 2;
}
