/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "serve_device.h"

#include "alloc.h"
#include "io.h"
#include "ondisk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/major.h>
#include <linux/nbd.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

enum {
	SECTOR = 512,
	TICK_MS = 5, /* between two looks whether the kernel has begun */
	TICKS = 6000,
};

struct attach {
	const struct serve_live *l;
	char *path; /* of the device, links resolved */
	int device, server, line;
};

static bool is_device(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISBLK(st.st_mode) && major(st.st_rdev) == NBD_MAJOR;
}

/* ---- with the server ---- */

struct greeting {
	char magic[8], option_magic[8];
	be16 flags;
} __attribute__((packed));
struct choice {
	be32 flags;
	char option_magic[8];
	be32 option, len;
} __attribute__((packed));
struct chosen {
	be64 size;
	be16 flags;
} __attribute__((packed));

static bool get(int fd, void *buf, size_t len)
{
	size_t n = 0;

	return io_read(fd, buf, len, &n) == 0 && n == len;
}

/* The short form of the handshake: a name, and how it is. */
static bool choose(int fd, const char *name, uint64_t *size, unsigned *flags)
{
	struct greeting g;
	struct choice c;
	struct chosen x;

	if (!get(fd, &g, sizeof g) || memcmp(g.magic, "NBDMAGIC", 8) != 0 || memcmp(g.option_magic, "IHAVEOPT", 8) != 0)
		return false;
	be32_put(&c.flags, 3); /* fixed newstyle, no zeroes */
	memcpy(c.option_magic, "IHAVEOPT", 8);
	be32_put(&c.option, 1); /* EXPORT_NAME */
	be32_put(&c.len, (uint32_t)strlen(name));
	if (io_write(fd, &c, sizeof c) || io_write(fd, name, strlen(name)) || !get(fd, &x, sizeof x))
		return false;
	*size = be64_get(x.size);
	*flags = be16_get(x.flags);
	return true;
}

/* ---- with the kernel ---- */

static bool has_begun(const char *path)
{
	const char *name = strrchr(path, '/') + 1;
	CLEANUP(free_ptr) char *disk = alloc_printf("/sys/block/%s", name), *pid = alloc_printf("/sys/block/%s/pid", name);

	/* Where there is no /sys it cannot be seen. */
	return !disk || !pid || access(disk, F_OK) < 0 || access(pid, F_OK) == 0;
}

/* Beside the thread that waits in the kernel: tells the server when the device is there. */
static void *tell_when_begun(void *arg)
{
	const struct attach *a = arg;
	const struct timespec tick = { 0, TICK_MS * 1000000L };
	int fd;

	/* Ends: ticks are counted. */
	for (int i = 0; i < TICKS && !has_begun(a->path); i++)
		nanosleep(&tick, NULL);
	/* The kernel reads the partition table for whoever opens the device first. */
	fd = open(a->path, O_RDONLY | O_CLOEXEC);
	close_fd(&fd);
	if (io_write(a->line, "", 1) == 0 && !a->l->verbose)
		/* Whoever reads the server's output is not to wait for us. */
		for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
			close(fd);
	return NULL;
}

static int set_up(const struct attach *a, uint64_t size, unsigned flags)
{
	if (ioctl(a->device, NBD_SET_SOCK, (unsigned long)a->server) < 0) {
		if (a->l->peer)
			serve_say(a->l, "Failed to set NBD socket");
		else
			serve_say(a->l, "%s: %s", a->l->device, errno == EBUSY ? "in use" : strerror(errno));
		return -1;
	}
	if (ioctl(a->device, NBD_SET_BLKSIZE, (unsigned long)SECTOR) == 0 &&
	    ioctl(a->device, NBD_SET_SIZE_BLOCKS, (unsigned long)(size / SECTOR)) == 0 &&
	    ioctl(a->device, NBD_SET_FLAGS, (unsigned long)flags) == 0)
		return 0;
	serve_say(a->l, "%s: %s", a->l->device, strerror(errno));
	(void)ioctl(a->device, NBD_CLEAR_SOCK);
	return -1;
}

static void attach_main(struct attach *a)
{
	pthread_t watcher;
	uint64_t size;
	unsigned flags;

	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	for (int fd = STDERR_FILENO + 1; fd < 1024; fd++)
		if (fd != a->device && fd != a->server && fd != a->line)
			close(fd);
	/* A server that gives up before has said why. */
	if (!choose(a->server, a->l->device_export ? a->l->device_export : "", &size, &flags) || set_up(a, size, flags) < 0)
		_exit(EXIT_FAILED);
	if (pthread_create(&watcher, NULL, tell_when_begun, a) == 0)
		pthread_detach(watcher);
	/* Until the server hangs up, or somebody disconnects the device. */
	if (ioctl(a->device, NBD_DO_IT) < 0 && errno != EPIPE)
		serve_say(a->l, "%s: %s", a->l->device, strerror(errno));
	(void)ioctl(a->device, NBD_CLEAR_QUE);
	(void)ioctl(a->device, NBD_CLEAR_SOCK);
	_exit(EXIT_DONE);
}

/* ---- for the server ---- */

static bool fail(const struct serve_live *l, const char *what)
{
	serve_say(l, "%s: %s", what, strerror(errno));
	return false;
}

static bool open_device(const struct serve_live *l, int *out)
{
	*out = open(l->device, O_RDWR | O_CLOEXEC);
	if (*out < 0 && l->peer)
		serve_say(l, "Failed to open %s: %s", l->device, strerror(errno));
	else if (*out < 0)
		serve_say(l, "%s: %s%s", l->device, strerror(errno),
			  errno == ENOENT ? " (is the kernel's module nbd loaded?)" : "");
	else if (is_device(*out))
		return true;
	else
		serve_say(l, "%s: not a device of the kernel's NBD client", l->device);
	close_fd(out);
	return false;
}

bool serve_device_start(struct serve_live *l)
{
	CLEANUP(close_fd) int device = -1;
	CLEANUP(free_ptr) char *path = realpath(l->device, NULL);
	struct attach a = { .l = l };
	int pair[2], line[2];
	pid_t pid;

	if (!open_device(l, &device))
		return false;
	if (!path || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return fail(l, l->device);
	if (pipe2(line, O_CLOEXEC) < 0) {
		fail(l, l->device);
		close(pair[0]);
		close(pair[1]);
		return false;
	}
	a.path = path;
	a.device = device;
	a.server = pair[1];
	a.line = line[1];
	pid = fork();
	if (pid == 0)
		attach_main(&a);
	close(pair[1]);
	close(line[1]);
	l->connected = pair[0];
	l->line = line[0];
	return pid > 0 || fail(l, l->device);
}

int serve_device_disconnect(const struct serve_live *l, const char *device)
{
	CLEANUP(close_fd) int fd = open(device, O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		serve_say(l, "Cannot open %s: %s", device, strerror(errno));
		return EXIT_FAILED;
	}
	if (!is_device(fd)) {
		serve_say(l, "%s: not a device of the kernel's NBD client", device);
		return EXIT_FAILED;
	}
	/* One that is connected to nothing is as it is wanted. */
	(void)ioctl(fd, NBD_CLEAR_QUE);
	(void)ioctl(fd, NBD_DISCONNECT);
	(void)ioctl(fd, NBD_CLEAR_SOCK);
	printf("%s disconnected\n", device);
	return EXIT_DONE;
}
