/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sleep.c - a machine that is saved, and goes on later as another one, or as many.
 *
 * Disks are let go before, since those that it wakes with are others; what must not be the same in all of them, the time and the
 * random numbers, comes with the word that wakes it.
 */
#include "agent.h"
#include "io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define DEVICES "/sys/bus/virtio/devices"
#define DRIVER "/sys/bus/virtio/drivers/virtio_blk"
#define SEED 64

static int put_name(const char *path, const char *name)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int rc = fd < 0 ? errno : io_write(fd, name, strlen(name));

	if (fd >= 0)
		close(fd);
	return rc;
}

/* Devices of virtio, in the order of their numbers; those of the disks' driver when it has them. */
static int by_number(const struct dirent **a, const struct dirent **b)
{
	return strverscmp((*a)->d_name, (*b)->d_name);
}

static int is_device(const struct dirent *ent)
{
	return strncmp(ent->d_name, "virtio", 6) == 0;
}

static bool is_disk(const char *name)
{
	char path[AGENT_PATH], text[16] = "";
	size_t got = 0;
	int fd;

	snprintf(path, sizeof path, DEVICES "/%.64s/device", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (io_read(fd, text, sizeof text - 1, &got) != 0)
		got = 0;
	close(fd);
	text[got] = '\0';
	return strcmp(text, "0x0002\n") == 0;
}

/* Lets go of all disks, or takes the first n of them. */
static int drive(struct agent *a, bool take, unsigned n)
{
	struct dirent **names;
	int count = scandir(DEVICES, &names, is_device, by_number), rc = 0;
	unsigned done = 0;

	if (count < 0)
		return agent_say(a, errno, "the disks of the machine cannot be found");
	for (int i = 0; i < count; i++) {
		if (rc == 0 && done < n && is_disk(names[i]->d_name)) {
			rc = put_name(take ? DRIVER "/bind" : DRIVER "/unbind", names[i]->d_name);
			if (rc)
				rc = agent_say(a, rc, "%s of the machine cannot be %s", names[i]->d_name,
					       take ? "taken" : "let go");
			done++;
		}
		free(names[i]);
	}
	free(names);
	if (rc == 0 && take && done < n)
		rc = agent_say(a, ENODEV, "%u disks of %u are there", done, n);
	return rc;
}

int ask_sleep(struct agent *a, struct question *q)
{
	int rc;

	if (!proto_done(&q->in))
		return EPROTO;
	if (!a->init || a->nruns || a->tools)
		return agent_say(a, EBUSY, "this machine is not new");
	rc = drive(a, false, UINT32_MAX);
	if (rc)
		return rc;
	a->asleep = true;
	agent_begin(a);
	agent_answer(a, q);
	return 0;
}

/* Random numbers from here on are those of this seed. */
static int seed_random(struct agent *a, const uint8_t *seed)
{
	union {
		struct rand_pool_info info;
		uint8_t bytes[sizeof(struct rand_pool_info) + SEED];
	} pool;
	int fd = open("/dev/urandom", O_RDWR | O_CLOEXEC), rc = fd < 0 ? errno : 0;

	memset(&pool, 0, sizeof pool);
	pool.info.entropy_count = SEED * 8;
	pool.info.buf_size = SEED;
	memcpy(pool.info.buf, seed, SEED);
	if (rc == 0 && (ioctl(fd, RNDADDENTROPY, &pool) < 0 || ioctl(fd, RNDRESEEDCRNG) < 0))
		rc = errno;
	explicit_bzero(&pool, sizeof pool);
	if (fd >= 0)
		close(fd);
	return rc ? agent_say(a, rc, "the kernel does not take random numbers") : 0;
}

int ask_wake(struct agent *a, struct question *q)
{
	struct timespec now = { .tv_sec = (time_t)proto_get_u64(&q->in), .tv_nsec = proto_get_u32(&q->in) };
	uint16_t ndisks = proto_get_u16(&q->in);
	const uint8_t *seed = proto_get_u16(&q->in) == SEED ? proto_get_bytes(&q->in, SEED) : NULL;
	int rc;

	if (!seed || !proto_done(&q->in))
		return EPROTO;
	if (!a->asleep)
		return agent_say(a, EBUSY, "this machine is awake");
	a->asleep = false;
	rc = seed_random(a, seed);
	if (rc == 0 && clock_settime(CLOCK_REALTIME, &now) < 0)
		rc = agent_say(a, errno, "the clock cannot be set");
	if (rc == 0)
		rc = drive(a, true, ndisks);
	return rc ? rc : agent_hello(a);
}
