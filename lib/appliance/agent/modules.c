/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * modules.c - the kernel's modules, loaded when something needs them.
 *
 * /modules.list of the initramfs has a line for each purpose: its name, and the files in the order in which they are
 * loaded, with all that they need before them; those below /tools/ are on the image of tools.  A purpose without a line
 * takes nothing: it is built in, or not to be had.
 */
#include "agent.h"
#include "alloc.h"
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

void modules_read(struct agent *a)
{
	int fd = open("/modules.list", O_RDONLY | O_CLOEXEC);
	struct stat st;
	size_t got;

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && st.st_size < 1 << 20)
		a->modules = alloc_zero((size_t)st.st_size + 1);
	if (a->modules && io_read(fd, a->modules, (size_t)st.st_size, &got) == 0)
		a->modules[got] = '\0';
	close(fd);
}

static int load_file(struct agent *a, const char *path)
{
	int fd, rc = strncmp(path, "/tools/", 7) == 0 ? mount_tools(a) : 0;

	if (rc)
		return rc;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	rc = fd < 0 ? errno : 0;
	if (fd >= 0) {
		/* What this processor cannot use refuses to be loaded (ENODEV): its software twin does the work. */
		if (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST && errno != ENODEV)
			rc = errno;
		close(fd);
	}
	return rc ? agent_say(a, rc, "the module %s cannot be loaded", path) : 0;
}

int modules_load(struct agent *a, const char *purpose)
{
	size_t len = strlen(purpose);
	char *line = a->modules, *end;
	int rc = 0;

	for (; line && *line; line = end) {
		end = line + strcspn(line, "\n");
		end += *end != '\0';
		if (strncmp(line, purpose, len) != 0 || line[len] != ' ')
			continue;
		/* The name of what is loaded becomes blanks: nothing is loaded twice, whatever the purpose. */
		for (char *at = line + len; at < end;) {
			char path[AGENT_PATH];
			size_t n;

			at += strspn(at, " ");
			n = strcspn(at, " \n");
			if (n == 0)
				break;
			snprintf(path, sizeof path, "%.*s", (int)n, at);
			rc = load_file(a, path);
			/* What others need less than this one: go on, and let the use of it fail. */
			if (rc == 0)
				memset(at, ' ', n);
			at += n;
		}
	}
	return rc;
}
