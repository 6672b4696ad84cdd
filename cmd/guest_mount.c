/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_mount.c - what -m takes: "/dev/sda2", "LABEL=x:/srv", "/dev/sda2:/home:subvol=@home:btrfs". */
#include "guest_opts.h"

#include "alloc.h"
#include "text.h"

#include <stdarg.h>
#include <stdio.h>

/* The colon behind a device: labels may have some, and what follows begins with "/" or is left out. */
static char *device_end(char *text)
{
	const char *rest = text;

	text_starts(text, "btrfsvol:", &rest);
	for (char *p = text + (rest - text); (p = strchr(p, ':')); p++)
		if (p[1] == '/' || p[1] == ':' || !p[1])
			return p;
	return NULL;
}

void guest_mount_split(char *text, struct mount_spec *out)
{
	char *fields[3] = { NULL, NULL, NULL };
	static char root[] = "/";

	*out = (struct mount_spec){ .device = text, .dir = root };
	fields[0] = device_end(text);
	for (size_t i = 0; i < ARRAY_LEN(fields) && fields[i]; i++) {
		*fields[i]++ = '\0';
		if (i + 1 < ARRAY_LEN(fields))
			fields[i + 1] = strchr(fields[i], ':');
	}
	if (fields[0] && *fields[0])
		out->dir = fields[0];
	out->opts = fields[1];
	out->type = fields[2];
}

int guest_mounts_split(const struct opt_list *texts, struct dry_shell_mount *mounts, char **copies)
{
	for (size_t i = 0; i < texts->n; i++) {
		struct mount_spec m;

		copies[i] = alloc_strdup(texts->items[i]);
		if (!copies[i])
			return EXIT_FAILED;
		guest_mount_split(copies[i], &m);
		mounts[i] = (struct dry_shell_mount){ m.device, m.dir, m.opts && *m.opts ? m.opts : NULL,
						      m.type && *m.type ? m.type : NULL };
	}
	return 0;
}

/* Options of mount(8) that say how a filesystem is written or what its files may do; and those that choose what is shown. */
size_t guest_mount_unknown(const char *opts, const char **name)
{
	static const char *const known[] = { "ro",	 "rw",	     "defaults", "noatime", "nodiratime", "relatime",
					     "acl",	 "noacl",    "discard",	 "sync",    "async",	  "exec",
					     "noexec",	 "suid",     "nosuid",	 "dev",	    "nodev",	  "noload",
					     "norecovery", "degraded", "ssd",	 "nossd",   "compress",	  "space_cache",
					     "autodefrag" };
	static const char *const with_value[] = { "subvol=", "subvolid=", "compress=", "compress-force=", "space_cache=",
						  "discard=", "commit=" };

	while (*opts) {
		size_t len = strcspn(opts, ",");
		bool found = len == 0;

		for (size_t i = 0; i < ARRAY_LEN(known) && !found; i++)
			found = strncmp(known[i], opts, len) == 0 && !known[i][len];
		for (size_t i = 0; i < ARRAY_LEN(with_value) && !found; i++)
			found = text_starts(opts, with_value[i], NULL);
		if (!found) {
			*name = opts;
			return len;
		}
		opts += len + (opts[len] == ',');
	}
	return 0;
}

const char *guest_mount_type(struct dry_guest *g, const char *device)
{
	const struct dry_volume *vols;
	const char *rest = device;
	size_t n;

	text_starts(device, "btrfsvol:", &rest);
	if (dry_guest_volumes(g, &vols, &n, NULL) < 0)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		const char *behind;

		if (text_starts(rest, vols[i].name, &behind) && (!*behind || (rest != device && *behind == '/')))
			return vols[i].fs_type;
	}
	return NULL;
}

__attribute__((format(printf, 3, 4))) static int mount_refuse(struct dry_error *e, enum dry_code code, const char *fmt, ...)
{
	va_list ap;

	*e = (struct dry_error){ .code = code };
	va_start(ap, fmt);
	vsnprintf(e->msg, sizeof e->msg, fmt, ap);
	va_end(ap);
	return -(int)code;
}

int guest_mount_check(const char *text)
{
	CLEANUP(free_ptr) char *copy = alloc_strdup(text);
	struct mount_spec m;
	const char *unknown;
	size_t len;

	if (!copy) {
		cmd_warn("out of memory");
		return EXIT_FAILED;
	}
	guest_mount_split(copy, &m);
	len = m.opts ? guest_mount_unknown(m.opts, &unknown) : 0;
	if (len == 0)
		return 0;
	cmd_warn("-m %s: unknown mount option \"%.*s\"", text, (int)len, unknown);
	return EXIT_USAGE;
}

int guest_mount_given(struct dry_guest *g, const char *text, struct dry_error *e)
{
	CLEANUP(free_ptr) char *copy = alloc_strdup(text);
	struct mount_spec m;
	const char *type;

	if (!copy)
		return mount_refuse(e, DRY_NOMEM, "out of memory");
	guest_mount_split(copy, &m);
	type = m.type && *m.type ? guest_mount_type(g, m.device) : NULL;
	if (type && strcmp(type, m.type) != 0)
		return mount_refuse(e, DRY_USAGE, "-m %s: there is %s, not %s", text, type, m.type);
	return dry_guest_mount(g, m.device, m.opts, m.dir, e);
}
