/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c - as the first process of the appliance: /init.  For tests on a host:
 *
 *	drydock-agent --fd N	serves folders ("folder:/PATH" as a device) to who is at the other end of descriptor N
 *
 * A shell in the appliance has the kernel call it for modules that are missing: /init -q -- NAME.
 */
#include "agent.h"
#include "text.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int serve_host(const char *fd_text)
{
	struct agent *a;
	uint64_t fd;
	int rc;

	if (!text_parse_u64(fd_text, &fd) || fd > 1 << 20)
		return 2;
	rc = agent_new(&a, (int)fd, (int)fd);
	if (rc)
		return 1;
	a->folders = true;
	rc = agent_serve(a);
	agent_free(a);
	return rc ? 1 : 0;
}

/* The kernel calls with its own root folder, where no modprobe is. */
static int load_by_tools(const char *name)
{
	if (chroot("/tools") == 0 && chdir("/") == 0)
		execl("/usr/sbin/modprobe", "modprobe", "-q", "--", name, (char *)NULL);
	return 1;
}

int main(int argc, char **argv)
{
	struct agent *a;
	int fd;

	signal(SIGPIPE, SIG_IGN);
	if (argc == 4 && strcmp(argv[1], "-q") == 0 && strcmp(argv[2], "--") == 0 && getpid() != 1)
		return load_by_tools(argv[3]);
	if (argc == 3 && strcmp(argv[1], "--fd") == 0)
		return serve_host(argv[2]);
	if (getpid() != 1) {
		fprintf(stderr, "usage: drydock-agent --fd N\n");
		return 2;
	}
	if (agent_new(&a, -1, -1) == 0) {
		a->init = true;
		if (agent_init(a, &fd) == 0) {
			a->in = a->out = fd;
			agent_serve(a);
			runs_kill(a);
			umount_all(a);
		}
	}
	agent_poweroff();
}
