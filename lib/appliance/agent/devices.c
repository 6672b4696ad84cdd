/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* devices.c - disks, by the serial numbers that they were given. */
#include "agent.h"
#include "io.h"
#include "text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* The first line of /sys/class/block/DISK/NAME, "" when there is none. */
static void disk_text(const char *disk, const char *name, char *buf, size_t size)
{
	char path[AGENT_PATH];
	size_t got = 0;
	int fd;

	buf[0] = '\0';
	if (snprintf(path, sizeof path, "/sys/class/block/%s/%s", disk, name) >= (int)sizeof path)
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (io_read(fd, buf, size - 1, &got) != 0)
		got = 0;
	close(fd);
	buf[got] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
}

static bool find_serial(const char *serial, char path[AGENT_PATH])
{
	DIR *d = opendir("/sys/block");
	bool found = false;

	if (!d)
		return false;
	for (struct dirent *ent; !found && (ent = readdir(d));) {
		char has[64];

		if (ent->d_name[0] == '.')
			continue;
		disk_text(ent->d_name, "serial", has, sizeof has);
		if (strcmp(has, serial) == 0) {
			found = true;
			snprintf(path, AGENT_PATH, "/dev/%s", ent->d_name);
		}
	}
	closedir(d);
	return found;
}

int device_path(struct agent *a, const char *device, char path[AGENT_PATH])
{
	static const char prefix[] = "serial:";

	if (strncmp(device, prefix, strlen(prefix)) == 0) {
		/* A disk may be found a moment after its driver. */
		for (unsigned tries = 0; tries < 50 && !a->folders; tries++) {
			if (find_serial(device + strlen(prefix), path))
				return 0;
			nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
		}
		return agent_say(a, ENOENT, "there is no disk \"%s\"", device + strlen(prefix));
	}
	if (device[0] != '/' || strlen(device) >= AGENT_PATH)
		return agent_say(a, EINVAL, "\"%.100s\" is no device", device);
	snprintf(path, AGENT_PATH, "%s", device);
	return 0;
}

int ask_device(struct agent *a, struct question *q)
{
	char device[AGENT_PATH], path[AGENT_PATH];
	struct stat st;
	int rc;

	proto_get_str(&q->in, device, sizeof device);
	if (!proto_done(&q->in))
		return EPROTO;
	rc = device_path(a, device, path);
	if (rc)
		return rc;
	if (stat(path, &st) < 0)
		return agent_say(a, errno, "there is no device %s", path);
	proto_put_str(agent_begin(a), path);
	agent_answer(a, q);
	return 0;
}

/* How people and tools know it: volumes by the names of their mapping. */
static void put_path(struct proto_out *o, const char *name)
{
	char path[AGENT_PATH], mapped[200];

	disk_text(name, "dm/name", mapped, sizeof mapped);
	if (mapped[0])
		snprintf(path, sizeof path, "/dev/mapper/%s", mapped);
	else
		snprintf(path, sizeof path, "/dev/%s", name);
	proto_put_str(o, path);
}

static bool put_disk(struct proto_out *o, const char *name)
{
	char serial[64], size[32], ro[8];
	uint64_t sectors;

	disk_text(name, "size", size, sizeof size);
	disk_text(name, "serial", serial, sizeof serial);
	disk_text(name, "ro", ro, sizeof ro);
	if (!text_parse_u64(size, &sectors) || sectors == 0 || strcmp(serial, "tools") == 0)
		return false;
	put_path(o, name);
	proto_put_str(o, serial);
	proto_put_u64(o, sectors * 512);
	proto_put_u8(o, ro[0] == '1');
	return true;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strverscmp((*a)->d_name, (*b)->d_name);
}

int ask_disks(struct agent *a, struct question *q)
{
	struct dirent **names;
	struct proto_out *o;
	size_t count_at;
	uint16_t n = 0;
	int count;

	if (!proto_done(&q->in))
		return EPROTO;
	/* Disks, their partitions, and what is made of them. */
	count = scandir("/sys/class/block", &names, NULL, by_name);
	if (count < 0)
		return errno;
	o = agent_begin(a);
	count_at = o->len;
	proto_put_u16(o, 0);
	for (int i = 0; i < count; i++) {
		if (names[i]->d_name[0] != '.' && n < 2000)
			n += put_disk(o, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	o->bytes[count_at] = (uint8_t)n;
	o->bytes[count_at + 1] = (uint8_t)(n >> 8);
	agent_answer(a, q);
	return 0;
}
