/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * init.c - the first process makes a running system of an empty one.
 *
 * The kernel's command line has chan=NAME, the port to the client ("vport0p1").  All that fails here ends in a machine that
 * powers off, which the client sees as an appliance that went away.
 */
#include "agent.h"
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

void make_folder(const char *path)
{
	/* That it is there already is fine; that it cannot be made is seen when it is used. */
	if (mkdir(path, 0755) < 0)
		return;
}

static void put_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	/* Whether the kernel takes it or not: these make it faster. */
	if (io_write(fd, text, strlen(text)) == 0)
		errno = 0;
	close(fd);
}

/* The value of NAME= on the kernel's command line. */
static bool cmdline_value(const char *name, char *value, size_t size)
{
	char text[4096], *save = NULL;
	size_t len, namelen = strlen(name);
	int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
	int rc = fd < 0 ? errno : io_read(fd, text, sizeof text - 1, &len);

	if (fd >= 0)
		close(fd);
	if (rc)
		return false;
	text[len] = '\0';
	for (char *w = strtok_r(text, " \n", &save); w; w = strtok_r(NULL, " \n", &save))
		if (strncmp(w, name, namelen) == 0 && w[namelen] == '=') {
			snprintf(value, size, "%s", w + namelen + 1);
			return true;
		}
	return false;
}

/* The port may be found a moment after its driver: half a minute of trying, then there is none. */
static int open_channel(const char *name)
{
	char path[300];
	struct termios t;
	int fd = -1;

	snprintf(path, sizeof path, "%s%s", name[0] == '/' ? "" : "/dev/", name);
	for (unsigned tries = 0; fd < 0 && tries < 15000; tries++) {
		fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
		if (fd < 0)
			nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
	}
	if (fd >= 0 && tcgetattr(fd, &t) == 0) {
		cfmakeraw(&t);
		tcsetattr(fd, TCSANOW, &t);
	}
	return fd;
}

int agent_init(struct agent *a, int *channel)
{
	static const char *const folders[] = { "/proc", "/sys", "/dev", "/run", "/tmp", "/m", "/tools", "/etc" };
	char name[256];

	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		make_folder(folders[i]);
	if (mount("proc", "/proc", "proc", 0, NULL) < 0 || mount("sysfs", "/sys", "sysfs", 0, NULL) < 0)
		return errno;
	/* A kernel may mount it by itself. */
	if (mount("devtmpfs", "/dev", "devtmpfs", 0, NULL) < 0 && errno != EBUSY)
		return errno;
	/* Else the kernel begins a process for each device. */
	put_text("/sys/kernel/uevent_helper", "\n");
	mount("tmpfs", "/run", "tmpfs", 0, NULL);
	mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
	make_folder("/dev/pts");
	mount("devpts", "/dev/pts", "devpts", 0, "mode=620,ptmxmode=666");
	make_folder("/dev/shm");
	if (symlink("/proc/self/fd", "/dev/fd") < 0)
		errno = 0;
	/* Nobody looks at the console: what is written there costs time. */
	put_text("/proc/sys/kernel/printk", "1");
	modules_read(a);
	modules_load(a, "boot");
	a->kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	/* Without one, what wants it will say so. */
	if (cmdline_value("net", name, sizeof name) && network_begin(a) != 0)
		put_text("/dev/console", "drydock: the network cannot be used\n");
	if (!cmdline_value("chan", name, sizeof name))
		return ENOENT;
	*channel = open_channel(name);
	return *channel < 0 ? ENODEV : 0;
}

void agent_poweroff(void)
{
	sync();
	reboot(RB_POWER_OFF);
	reboot(RB_HALT_SYSTEM);
	for (;;)
		pause();
}
