/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shell_device.c - commands of the shell about the bytes of devices. */
#include "shell.h"

#include "alloc.h"
#include "digest.h"
#include "guest_file.h"

#include <inttypes.h>

/* A disk or volume as its bytes are now; NULL with a sentence. */
static struct dry_image *open_device(struct shell *s, const char *name)
{
	struct dry_error e = { .code = DRY_OK };
	struct dry_image *img = NULL;
	const struct dry_volume *v, *all;
	struct dry_disk d;
	size_t index, n;
	int rc;

	/* The machine may hold what is not on the disk yet. */
	if (s->c && dry_change_sync(s->c, &e) < 0) {
		shell_fail(s, name, &e);
		return NULL;
	}
	if (shell_is_disk(s, name, &d, &index)) {
		rc = dry_guest_disk_image(s->g, index, &img, &e);
	} else {
		v = shell_volume(s, name);
		if (!v || dry_guest_volumes(s->g, &all, &n, &e) < 0)
			return NULL;
		rc = dry_guest_volume_image(s->g, (size_t)(v - all), &img, &e);
	}
	if (rc < 0)
		shell_fail(s, name, &e);
	return img;
}

/* Calls fn for the bytes of a device, until it says that this was enough. */
static int each(struct shell *s, const char *name, int (*fn)(void *arg, const void *bytes, size_t len), void *arg)
{
	struct dry_image *img = open_device(s, name);
	struct dry_error e = { .code = DRY_OK };
	const uint64_t size = img ? dry_image_size(img) : 0;
	int rc = img ? 0 : -1;

	for (uint64_t off = 0; rc == 0 && off < size && !shell_stopped();) {
		const size_t len = (size_t)MIN_OF(size - off, GUEST_FILE_CHUNK);

		if (dry_image_read(img, s->buf, len, off, &e) < 0)
			rc = shell_fail(s, name, &e);
		else if (fn(arg, s->buf, len))
			break;
		off += len;
	}
	dry_image_close(img);
	return rc;
}

static int pread_device(struct shell *s, struct call *c)
{
	struct dry_image *img;
	struct dry_error e = { .code = DRY_OK };
	uint64_t size, off = (uint64_t)c->num[2], left = (uint64_t)c->num[1];
	int rc = 0;

	if (c->num[1] < 0 || c->num[2] < 0)
		return shell_error(s, "count and offset are not negative");
	img = open_device(s, c->arg[0]);
	if (!img)
		return -1;
	size = dry_image_size(img);
	left = MIN_OF(left, size - MIN_OF(size, off));
	while (left && rc == 0 && !s->lost) {
		const size_t len = (size_t)MIN_OF(left, GUEST_FILE_CHUNK);

		if (dry_image_read(img, s->buf, len, off, &e) < 0)
			rc = shell_fail(s, c->arg[0], &e);
		else
			shell_bytes(s, s->buf, len);
		off += len;
		left -= len;
	}
	dry_image_close(img);
	if (s->peer && rc == 0)
		shell_printf(s, "\n");
	return rc;
}

static int pwrite_device(struct shell *s, struct call *c)
{
	CLEANUP(free_ptr) char *device = shell_device(s, c->arg[0]), *of = NULL, *seek = NULL;
	CLEANUP(strbuf_free) struct strbuf said = STRBUF_INIT;
	const char *argv[] = { "dd", NULL, NULL, "oflag=seek_bytes", "conv=notrunc,fsync", "status=none", NULL };

	if (!device)
		return -1;
	if (c->num[2] < 0)
		return shell_error(s, "the offset is not negative");
	of = alloc_printf("of=%s", device);
	seek = alloc_printf("seek=%" PRId64, c->num[2]);
	if (!of || !seek)
		return shell_nomem(s);
	argv[1] = of;
	argv[2] = seek;
	if (shell_tool(s, argv, c->arg[1], &said))
		return -1;
	shell_printf(s, "%zu\n", strlen(c->arg[1]));
	return shell_rescan(s);
}

static int all_zero(void *arg, const void *bytes, size_t len)
{
	bool *zero = arg;
	const unsigned char *p = bytes;

	for (size_t i = 0; i < len && *zero; i++)
		*zero = !p[i];
	return !*zero;
}

static int is_zero_device(struct shell *s, struct call *c)
{
	bool zero = true;

	return each(s, c->arg[0], all_zero, &zero) ? -1 : shell_bool(s, zero);
}

static int copy_device(struct shell *s, struct call *c)
{
	static const char *const names[] = { "srcoffset", "destoffset", "size" };
	CLEANUP(free_ptr) char *from = shell_device(s, c->arg[0]), *to = from ? shell_device(s, c->arg[1]) : NULL;
	CLEANUP(strbuf_free) struct strbuf said = STRBUF_INIT;
	const char *argv[12] = { "dd",
				 "bs=64K",
				 "iflag=fullblock,skip_bytes,count_bytes",
				 "oflag=seek_bytes",
				 "conv=notrunc,fsync",
				 "status=none" };
	char words[3][40], in[100], out[100];
	size_t n = 6;
	int64_t value;

	if (!to)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *word = shell_opt(s, c, names[i]);

		if (!word)
			continue;
		if (!shell_number(word, &value) || value < 0)
			return shell_error(s, "%s:%s: it is no number", names[i], word);
		snprintf(words[i], sizeof words[i], "%s=%" PRId64, i == 0 ? "skip" : i == 1 ? "seek" : "count", value);
		argv[n++] = words[i];
	}
	snprintf(in, sizeof in, "if=%s", from);
	snprintf(out, sizeof out, "of=%s", to);
	argv[n++] = in;
	argv[n++] = out;
	argv[n] = NULL;
	return shell_tool(s, argv, NULL, &said) ? -1 : shell_rescan(s);
}

static int device_name(struct shell *s, struct call *c)
{
	struct dry_disk d;

	if (c->num[0] < 0 || !dry_guest_disk(s->g, (size_t)c->num[0], &d))
		return shell_error(s, "%s: there is no such disk", c->arg[0]);
	shell_line(s, d.device);
	return 0;
}

static int max_disks(struct shell *s, struct call *c)
{
	(void)c;
	shell_line(s, "255"); /* what the peer has; a machine of ours takes no more */
	return 0;
}

static const struct shell_command commands[] = {
	{ "pread-device", NULL, "=device #count #offset", "print a part of a device", pread_device, 0, NULL },
	{ "pwrite-device", NULL, "=device content #offset", "write this to a device at an offset", pwrite_device,
	  SHELL_WRITES, NULL },
	{ "is-zero-device", NULL, "=device", "does a device hold zeros only?", is_zero_device, 0, NULL },
	{ "copy-device-to-device", NULL, "=src =dest [srcoffset] [destoffset] [size]",
	  "copy what one device holds to another", copy_device, SHELL_WRITES, NULL },
	{ "device-name", NULL, "#index", "the disk of this number, from 0", device_name, 0, NULL },
	{ "max-disks", NULL, NULL, "how many disks a session can have", max_disks, SHELL_FREE, NULL },
};
const struct shell_group shell_device_group = SHELL_GROUP("what devices hold", commands);
