/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_fuzz.c - what a client could ask: the bytes are frames.  The agent serves a folder with a few files, in which nothing
 * is changed; each whole frame must get an answer.
 */
#include "agent.h"
#include "limits.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static char folder[64];

static void remove_folder(void)
{
	char cmd[100];

	snprintf(cmd, sizeof cmd, "rm -rf '%s'", folder);
	if (system(cmd) != 0)
		abort();
}

static void make_tree(void)
{
	char path[100];
	FILE *f;

	snprintf(folder, sizeof folder, "/var/tmp/drydock-fuzz-XXXXXX");
	if (!mkdtemp(folder))
		abort();
	atexit(remove_folder);
	snprintf(path, sizeof path, "%s/d", folder);
	if (mkdir(path, 0755) < 0)
		abort();
	snprintf(path, sizeof path, "%s/d/f", folder);
	f = fopen(path, "w");
	if (!f || fwrite(path, 1, sizeof path, f) != sizeof path || fclose(f) != 0)
		abort();
	snprintf(path, sizeof path, "%s/l", folder);
	if (symlink("d/f", path) < 0)
		abort();
	snprintf(path, sizeof path, "%s/p", folder);
	if (mkfifo(path, 0600) < 0)
		abort();
}

/* A window of two slots, in a file beside those. */
static void open_window(struct agent *a)
{
	uint8_t bytes[300];
	struct proto_out o;
	struct proto_head h = { .tag = 1, .type = PROTO_WINDOW };
	char path[100];
	int fd;

	snprintf(path, sizeof path, "%s/w", folder);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)3 * PROTO_BLOCK) < 0 || close(fd) < 0)
		abort();
	proto_begin(&o, bytes, sizeof bytes);
	proto_put_str(&o, path);
	proto_put_u64(&o, PROTO_BLOCK);
	proto_put_u32(&o, PROTO_BLOCK);
	proto_put_u16(&o, 2);
	h.len = (uint32_t)(o.len - PROTO_HEAD);
	if (agent_take(a, &h, bytes + PROTO_HEAD) < 0 || a->window.fd < 0)
		abort();
}

static void mount_tree(struct agent *a)
{
	uint8_t bytes[300];
	struct proto_out o;
	struct proto_head h = { .tag = 1, .type = PROTO_MOUNT };
	char device[100];

	proto_begin(&o, bytes, sizeof bytes);
	snprintf(device, sizeof device, "folder:%s", folder);
	proto_put_str(&o, device);
	proto_put_str(&o, "");
	proto_put_str(&o, "");
	proto_put_u8(&o, 0);
	h.len = (uint32_t)(o.len - PROTO_HEAD);
	if (agent_take(a, &h, bytes + PROTO_HEAD) < 0 || !a->mounts[1].used)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct agent *a;

	if (!a) {
		int null = open("/dev/null", O_WRONLY);

		make_tree();
		if (null < 0 || agent_new(&a, -1, null) != 0)
			abort();
		a->folders = true;
		open_window(a);
	}
	/* Its memory is kept, and all else is new. */
	a->ending = a->readonly = false;
	mount_tree(a);
	a->readonly = true;
	while (len >= PROTO_HEAD && !a->ending) {
		struct proto_head h;

		proto_head_get(data, &h);
		data += PROTO_HEAD;
		len -= PROTO_HEAD;
		if (h.len > len)
			break;
		a->answer[0] = 0xff;
		a->answer[4] = (uint8_t)~h.tag;
		if (agent_take(a, &h, data) < 0)
			break;
		/* But for a program's frames, something was said with its tag. */
		if ((h.type < PROTO_DATA || h.type > PROTO_CANCEL) && a->answer[4] != (uint8_t)h.tag)
			abort();
		data += h.len;
		len -= h.len;
	}
	runs_kill(a);
	umount_all(a);
	return 0;
}
