/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mount_opts.c - what -o says: whose the files are shown to be, what the kernel keeps for how long; the rest is libfuse's. */
#include "mount.h"

#include "alloc.h"
#include "strbuf.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>

static int refuse(const char *name, const char *option, const char *what)
{
	fprintf(stderr, "%s: -o %s: %s\n", name, option, what);
	return EXIT_USAGE;
}

static bool number(const char *text, uint32_t *out)
{
	uint64_t v;

	if (!text_parse_u64(text, &v) || v > UINT32_MAX)
		return false;
	*out = (uint32_t)v;
	return true;
}

static bool octal(const char *text, uint32_t *out)
{
	*out = 0;
	for (const char *p = text; *p; p++) {
		if (*p < '0' || *p > '7' || *out > 077)
			return false;
		*out = *out * 8 + (uint32_t)(*p - '0');
	}
	return *text;
}

static bool seconds(const char *text, double *out)
{
	char *end;

	*out = strtod(text, &end);
	return end != text && !*end && *out >= 0 && *out < 1e10;
}

/* One of -o that we take ourselves: 1; 0: it is libfuse's; else EXIT_USAGE with a sentence printed, negated. */
static int own_option(const char *name, const char *o, struct mount_opts *out)
{
	/* What these ask for is how it is anyway. */
	static const char *const always[] = { "kernel_cache", "use_ino", "readdir_ino", "ro" };
	const struct {
		const char *key;
		double *to;
	} times[] = { { "attr_timeout=", &out->attr_timeout },
		      { "ac_attr_timeout=", &out->attr_timeout },
		      { "entry_timeout=", &out->entry_timeout },
		      { "negative_timeout=", &out->negative_timeout } };
	const char *value;

	for (size_t i = 0; i < ARRAY_LEN(always); i++)
		if (strcmp(o, always[i]) == 0)
			return 1;
	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		if (text_starts(o, times[i].key, &value))
			return seconds(value, times[i].to) ? 1 : -refuse(name, o, "that is no number of seconds");
	if (text_starts(o, "uid=", &value)) {
		out->has_uid = true;
		return number(value, &out->uid) ? 1 : -refuse(name, o, "that is no number of a user");
	}
	if (text_starts(o, "gid=", &value)) {
		out->has_gid = true;
		return number(value, &out->gid) ? 1 : -refuse(name, o, "that is no number of a group");
	}
	if (text_starts(o, "umask=", &value)) {
		out->has_umask = true;
		return octal(value, &out->umask) ? 1 : -refuse(name, o, "that is no octal mask");
	}
	if (strcmp(o, "default_permissions") == 0)
		out->permissions = true;
	return 0;
}

static int one_text(const char *name, const char *text, struct mount_opts *out, struct strbuf *rest)
{
	CLEANUP(free_ptr) char *copy = alloc_strdup(text);
	char *next = copy;

	if (!copy)
		return refuse(name, text, "out of memory");
	for (char *o; (o = strsep(&next, ","));) {
		int rc = *o ? own_option(name, o, out) : 1;

		if (rc < 0)
			return -rc;
		if (rc == 0)
			strbuf_printf(rest, "%s%s", rest->len ? "," : "", o);
	}
	return 0;
}

int mount_opts_parse(const char *name, const struct libfuse *f, const struct opt_list *texts, struct mount_opts *out)
{
	CLEANUP(strbuf_free) struct strbuf rest = STRBUF_INIT;

	for (size_t i = 0; i < texts->n; i++) {
		int status = one_text(name, texts->items[i], out, &rest);

		if (status)
			return status;
	}
	if (rest.failed || (!out->args.argc && f->fuse_opt_add_arg(&out->args, "drydock") != 0) ||
	    (rest.len && (f->fuse_opt_add_arg(&out->args, "-o") != 0 || f->fuse_opt_add_arg(&out->args, rest.s) != 0)))
		return refuse(name, "", "out of memory");
	return 0;
}

/* ---- users and groups ---- */

int mount_opts_map(const char *name, const struct opt_list *texts, struct id_map *out)
{
	for (size_t i = 0; i < texts->n; i++) {
		CLEANUP(free_ptr) char *copy = alloc_strdup(texts->items[i]);
		char *rest = copy;
		const char *guest = strsep(&rest, ":"), *host = strsep(&rest, ":");
		struct id_range r = { .n = 1 };

		if (out->n == ID_RANGES_MAX) {
			fprintf(stderr, "%s: at most %d ranges of users or groups can be mapped\n", name, ID_RANGES_MAX);
			return EXIT_USAGE;
		}
		if (!guest || !host || !number(guest, &r.guest) || !number(host, &r.host) ||
		    (rest && !number(rest, &r.n)) || !r.n || r.n > UINT32_MAX - r.guest || r.n > UINT32_MAX - r.host) {
			fprintf(stderr, "%s: \"%s\" is not GUEST:HOST[:COUNT]\n", name, texts->items[i]);
			return EXIT_USAGE;
		}
		out->ranges[out->n++] = r;
	}
	return 0;
}

static uint32_t id_show(const struct id_map *m, uint32_t id)
{
	for (size_t i = 0; i < m->n; i++)
		if (id - m->ranges[i].guest < m->ranges[i].n)
			return m->ranges[i].host + (id - m->ranges[i].guest);
	return id;
}

void mount_opts_show(const struct mount_opts *o, struct stat *st)
{
	st->st_uid = o->has_uid ? o->uid : id_show(&o->uids, st->st_uid);
	st->st_gid = o->has_gid ? o->gid : id_show(&o->gids, st->st_gid);
	if (o->has_umask)
		st->st_mode = (st->st_mode & ~(mode_t)0777) | (~o->umask & 0777);
}

static uint32_t id_hide(const struct id_map *m, uint32_t id)
{
	for (size_t i = 0; i < m->n; i++)
		if (id - m->ranges[i].host < m->ranges[i].n)
			return m->ranges[i].guest + (id - m->ranges[i].host);
	return id;
}

void mount_opts_hide(const struct mount_opts *o, uint32_t uid, uint32_t gid, uint32_t *guest_uid, uint32_t *guest_gid)
{
	/* Who is shown for all of them stands for root. */
	*guest_uid = o->has_uid && uid == o->uid ? 0 : id_hide(&o->uids, uid);
	*guest_gid = o->has_gid && gid == o->gid ? 0 : id_hide(&o->gids, gid);
}
