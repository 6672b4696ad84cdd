/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "landlock.h"

#include "alloc.h"
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct landlock_ruleset {
	uint64_t fs, net, scoped;
};
struct landlock_beneath {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

enum {
	LL_EXECUTE = 1 << 0,
	LL_WRITE_FILE = 1 << 1,
	LL_READ_FILE = 1 << 2,
	LL_READ_DIR = 1 << 3,
	LL_REMOVE_FILE = 1 << 5,
	LL_FS_ABI1 = (1 << 13) - 1,
	LL_REFER = 1 << 13,	/* ABI 2 */
	LL_TRUNCATE = 1 << 14,	/* ABI 3 */
	LL_IOCTL_DEV = 1 << 15, /* ABI 5 */
	LL_NET_TCP = 3,		/* ABI 4: bind, connect */
	LL_SCOPED = 3,		/* ABI 6: abstract sockets, signals */
};

#ifndef __NR_landlock_create_ruleset
#define __NR_landlock_create_ruleset 444
#define __NR_landlock_add_rule 445
#define __NR_landlock_restrict_self 446
#endif

int landlock_abi(void)
{
	long abi = syscall(__NR_landlock_create_ruleset, NULL, (size_t)0, 1u);

	return abi > 0 ? (int)abi : 0;
}

int landlock_new(struct landlock *l, unsigned flags)
{
	struct landlock_ruleset set = { .fs = LL_FS_ABI1 };
	size_t size;

	l->abi = landlock_abi();
	if (!l->abi)
		return errno;
	size = l->abi >= 6 ? sizeof set : l->abi >= 4 ? offsetof(struct landlock_ruleset, scoped) : sizeof set.fs;
	if (l->abi >= 2)
		set.fs |= LL_REFER;
	if (l->abi >= 3)
		set.fs |= LL_TRUNCATE;
	if (l->abi >= 4 && !(flags & LANDLOCK_NETWORK))
		set.net = LL_NET_TCP;
	if (l->abi >= 5)
		set.fs |= LL_IOCTL_DEV;
	if (l->abi >= 6)
		set.scoped = LL_SCOPED;
	l->fs = set.fs;
	l->fd = (int)syscall(__NR_landlock_create_ruleset, &set, size, 0u);
	return l->fd < 0 ? errno : 0;
}

int landlock_allow_fd(struct landlock *l, int fd, unsigned what)
{
	struct landlock_beneath rule = { .fd = fd };
	struct stat st;

	if (io_fstat(fd, &st) < 0)
		return errno;
	if (what & LANDLOCK_READ)
		rule.allowed |= LL_READ_FILE | LL_READ_DIR;
	if (what & LANDLOCK_EXECUTE)
		rule.allowed |= LL_EXECUTE;
	if (what & LANDLOCK_WRITE)
		rule.allowed |= l->fs & ~(uint64_t)(LL_EXECUTE | LL_IOCTL_DEV);
	if (what & LANDLOCK_DEVICE)
		rule.allowed |= LL_READ_FILE | LL_WRITE_FILE | (l->fs & LL_IOCTL_DEV);
	if (what & LANDLOCK_REMOVE)
		rule.allowed |= LL_REMOVE_FILE;
	/* The kernel refuses a folder's rights on a file. */
	if (!S_ISDIR(st.st_mode))
		rule.allowed &= LL_EXECUTE | LL_WRITE_FILE | LL_READ_FILE | LL_TRUNCATE | LL_IOCTL_DEV;
	return syscall(__NR_landlock_add_rule, l->fd, 1, &rule, 0u) == 0 ? 0 : errno;
}

int landlock_allow(struct landlock *l, const char *path, unsigned what)
{
	CLEANUP(close_fd) int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0) /* what is not there cannot be opened later either, and the opener says it better */
		return 0;
	return landlock_allow_fd(l, fd, what);
}

int landlock_restrict(struct landlock *l)
{
	return syscall(__NR_landlock_restrict_self, l->fd, 0u) == 0 ? 0 : errno;
}

void landlock_free(struct landlock *l)
{
	close_fd(&l->fd);
	l->fd = -1;
}
