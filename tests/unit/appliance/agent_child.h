/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent_child.h - the real agent as a child process on this host, and a client that talks to it. */
#ifndef DRYDOCK_AGENT_CHILD_H
#define DRYDOCK_AGENT_CHILD_H

#include "client.h"
#include "testing.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define CHILD_PATH 4096

/* Beside the folder of the test programs: BUILD/unit/appliance/NAME. */
static inline void agent_program(char path[CHILD_PATH])
{
	ssize_t n = readlink("/proc/self/exe", path, CHILD_PATH - 1);

	ck_assert_int_gt(n, 0);
	path[n] = '\0';
	for (int i = 0; i < 3; i++)
		*strrchr(path, '/') = '\0';
	ck_assert_int_lt(strlen(path) + 32, CHILD_PATH);
	strcat(path, "/agent/drydock-agent");
}

/* The descriptor to talk to it by. */
static inline int agent_start(pid_t *pid)
{
	char path[CHILD_PATH], number[16];
	int fds[2];

	agent_program(path);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	*pid = fork();
	ck_assert_int_ge(*pid, 0);
	if (*pid == 0) {
		close(fds[0]);
		snprintf(number, sizeof number, "%d", fds[1]);
		execl(path, path, "--fd", number, (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	return fds[0];
}

struct agent_child {
	pid_t pid;
	struct client *c;
};

static inline void agent_open(struct agent_child *a)
{
	struct err e = ERR_INIT;

	ok(client_new(agent_start(&a->pid), 10000, &a->c, &e));
}

/* It ends when the client is gone. */
static inline void agent_close(struct agent_child *a)
{
	int status;

	client_free(a->c);
	ck_assert_int_eq(waitpid(a->pid, &status, 0), a->pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the agent ended with %#x", status);
}

/* Mounts a folder of this host. */
static inline uint32_t agent_folder(struct agent_child *a, const char *path, const char *type, bool readonly, uint64_t *root)
{
	struct err e = ERR_INIT;
	char device[CHILD_PATH + 8];
	uint32_t mount;

	snprintf(device, sizeof device, "folder:%s", path);
	ok(client_mount(a->c, &(struct client_mount){ .device = device, .type = type, .readonly = readonly }, &mount, &e));
	ok(client_root(a->c, mount, root, &e));
	return mount;
}

#endif
