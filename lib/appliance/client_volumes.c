/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* client_volumes.c - what the appliance's kernel finds in its disks: volumes, arrays, encrypted ones, and filesystems. */
#include "alloc.h"
#include "client_internal.h"
#include "client_tools.h"
#include "text.h"

#include <stdio.h>

/* ---- activating ---- */

/* "vg1","vg2": the groups that there are, for a list of those that must not be written to. */
static int group_names(struct client *c, struct strbuf *list, struct err *e)
{
	static const char *const argv[] = { "lvm", "vgs", "--noheadings", "-o", "vg_name", NULL };
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT, err = STRBUF_INIT;
	int status = 0;
	int rc = tool_run(c, &(struct tool){ .argv = argv, .out = &out, .err = &err }, &status, e);
	char *save = NULL;

	if (rc < 0)
		return rc;
	if (status)
		return tool_failed("lvm", status, &err, e);
	for (char *w = strtok_r(out.s, " \n", &save); w; w = strtok_r(NULL, " \n", &save))
		/* What LVM takes for a name; the words become a part of its configuration. */
		if (w[strspn(w, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+_.-")] == '\0')
			strbuf_printf(list, "%s\"%s\"", list->len ? "," : "", w);
	return list->failed ? err_nomem(e) : 0;
}

static int activate_lvm(struct client *c, bool readonly, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf names = STRBUF_INIT, config = STRBUF_INIT;
	const char *argv[] = { "lvm", "vgchange", "-ay", "--noudevsync", NULL, NULL, NULL };
	int rc = tool_modules(c, "lvm", e);

	if (rc == 0 && readonly)
		rc = group_names(c, &names, e);
	if (rc < 0)
		return rc;
	if (names.len) {
		strbuf_printf(&config, "activation { read_only_volume_list = [ %s ] }", names.s);
		if (config.failed)
			return err_nomem(e);
		argv[4] = "--config";
		argv[5] = config.s;
	}
	rc = tool_must(c, "lvm", argv, NULL, e);
	/* Some, thin pools among them, are activated to be written to or not at all; what the disks are is not changed by that. */
	if (rc < 0 && argv[4] && !client_lost(c)) {
		err_clear(e);
		argv[4] = NULL;
		rc = tool_must(c, "lvm", argv, NULL, e);
	}
	return rc;
}

static int activate_md(struct client *c, bool readonly, struct err *e)
{
	const char *const argv[] = { "mdadm", "--assemble", "--scan", "--run", readonly ? "--readonly" : NULL, NULL };
	CLEANUP(strbuf_free) struct strbuf said = STRBUF_INIT;
	int status = 0;
	int rc = tool_modules(c, "md", e);

	if (rc == 0)
		rc = tool_run(c, &(struct tool){ .argv = argv, .out = &said, .err = &said }, &status, e);
	/* That there are no arrays is 1 or 2. */
	if (rc == 0 && status && !strstr(said.s, "No arrays found"))
		rc = tool_failed("mdadm", status, &said, e);
	return rc;
}

int client_activate(struct client *c, unsigned kinds, bool readonly, struct err *e)
{
	static const char *const btrfs[] = { "btrfs", "device", "scan", NULL };
	static const char *const bcache[] = { "sh", "-c",
		"for d in $(blkid -t TYPE=bcache -o device); do echo $d >/sys/fs/bcache/register || exit 1; done", NULL };
	int rc = 0;

	client_changed(c);
	if (kinds & CLIENT_MD)
		rc = activate_md(c, readonly, e);
	if (rc == 0 && kinds & CLIENT_BCACHE) {
		rc = tool_modules(c, "bcache", e);
		rc = rc < 0 ? rc : tool_must(c, "bcache", bcache, NULL, e);
	}
	if (rc == 0 && kinds & CLIENT_LVM)
		rc = activate_lvm(c, readonly, e);
	if (rc == 0 && kinds & CLIENT_BTRFS) {
		rc = tool_modules(c, "fs-btrfs", e);
		rc = rc < 0 ? rc : tool_must(c, "btrfs", btrfs, NULL, e);
	}
	return rc;
}

int client_deactivate(struct client *c, unsigned kinds, struct err *e)
{
	static const char *const lvm[] = { "lvm", "vgchange", "-an", "--noudevsync", NULL };
	static const char *const md[] = { "mdadm", "--stop", "--scan", NULL };
	static const char *const bcache[] = { "sh", "-c",
		"for d in /sys/block/bcache*/bcache/stop /sys/fs/bcache/*/stop; do [ ! -e $d ] || echo 1 >$d || exit 1; done",
		NULL };
	int rc = 0;

	client_changed(c);
	if (kinds & CLIENT_LVM)
		rc = tool_must(c, "lvm", lvm, NULL, e);
	if (rc == 0 && kinds & CLIENT_BCACHE)
		rc = tool_must(c, "bcache", bcache, NULL, e);
	if (rc == 0 && kinds & CLIENT_MD)
		rc = tool_must(c, "mdadm", md, NULL, e);
	return rc;
}

/* ---- other UUIDs ---- */

/* What LVM calls a selection: those of the groups, or of them that get another UUID themselves; "": none. */
static int select_groups(const struct client_group *groups, size_t n, bool themselves, bool free_members, struct strbuf *out,
			 struct err *e)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";

	for (size_t i = 0; i < n; i++) {
		if (groups[i].uuid[strspn(groups[i].uuid, letters)])
			return err_set(e, ERR_USAGE, "that is no UUID of LVM2: \"%s\"", groups[i].uuid);
		if (groups[i].itself || !themselves)
			strbuf_printf(out, "%svg_uuid=\"%s\"", out->len ? " || " : "", groups[i].uuid);
	}
	if (free_members)
		strbuf_printf(out, "%svg_name=\"\"", out->len ? " || " : "");
	return out->failed ? err_nomem(e) : 0;
}

static int lvm_selected(struct client *c, const char *command, const char *option, const struct strbuf *which, struct err *e)
{
	const char *const argv[] = { "lvm", command, option, "-S", which->s, NULL };

	return which->len ? tool_must(c, "lvm", argv, NULL, e) : 0;
}

int client_lvm_new_uuids(struct client *c, const struct client_group *groups, size_t n, bool free_members, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf all = STRBUF_INIT, members = STRBUF_INIT, themselves = STRBUF_INIT;
	int rc = select_groups(groups, n, false, false, &all, e);

	if (rc == 0)
		rc = select_groups(groups, n, false, free_members, &members, e);
	if (rc == 0)
		rc = select_groups(groups, n, true, false, &themselves, e);
	client_changed(c);
	if (rc == 0)
		rc = tool_modules(c, "lvm", e);
	if (rc == 0)
		rc = lvm_selected(c, "vgchange", "-an", &all, e);
	if (rc == 0)
		rc = lvm_selected(c, "pvchange", "--uuid", &members, e);
	return rc < 0 ? rc : lvm_selected(c, "vgchange", "--uuid", &themselves, e);
}

/* ---- encrypted ones ---- */

/* A name below /dev/mapper, as the kernel and people take it. */
static bool good_mapper_name(const char *name)
{
	return name[0] && name[0] != '-' && strlen(name) < 128 &&
	       name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+_.-")] == '\0';
}

int client_luks_open(struct client *c, const char *device, const void *key, size_t keylen, const char *name,
		     bool readonly, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf path = STRBUF_INIT, said = STRBUF_INIT;
	const char *argv[] = { "cryptsetup", "open", "--type", "luks", "--key-file=-", NULL, name,
			       readonly ? "--readonly" : NULL, NULL };
	int status = 0, rc;

	if (!good_mapper_name(name))
		return err_set(e, ERR_USAGE, "a volume cannot be called so: \"%s\"", name);
	if (keylen > LIMIT_SECRET)
		return err_set(e, ERR_LIMIT, "a key of more than %llu bytes", LIMIT_SECRET);
	rc = client_device(c, device, &path, e);
	if (rc == 0)
		rc = tool_modules(c, "luks", e);
	if (rc < 0)
		return rc;
	argv[5] = path.s;
	rc = tool_run(c, &(struct tool){ .argv = argv, .input = key, .input_len = keylen, .out = &said, .err = &said }, &status, e);
	/* The key was in there. */
	explicit_bzero(c->out, PROTO_HEAD + LIMIT_PROTO_BODY);
	if (rc < 0)
		return rc;
	if (status == 2)
		return err_set(e, ERR_POLICY, "the key does not open %s", path.s);
	return status ? tool_failed("cryptsetup", status, &said, e) : 0;
}

int client_luks_close(struct client *c, const char *name, struct err *e)
{
	const char *const argv[] = { "cryptsetup", "close", name, NULL };

	if (!good_mapper_name(name))
		return err_set(e, ERR_USAGE, "a volume cannot be called so: \"%s\"", name);
	return tool_must(c, "cryptsetup", argv, NULL, e);
}

/* ---- telling ---- */

struct found {
	char path[LIMIT_PATH], serial[64];
	uint64_t size;
	bool readonly;
	char type[64], label[256], uuid[64];
};

static int get_disks(struct client *c, struct found **out, size_t *n, struct err *e)
{
	struct proto_in in;
	struct found *all;
	int rc;

	client_begin(c);
	rc = client_ask(c, PROTO_DISKS, &in, e);
	if (rc < 0)
		return rc;
	*n = proto_get_u16(&in);
	if (in.bad || *n > LIMIT_PROTO_WORDS / 2)
		return client_bad_answer(c, e);
	all = *out = alloc_array(*n + 1, sizeof *all);
	if (!all)
		return err_nomem(e);
	for (size_t i = 0; i < *n; i++) {
		proto_get_str(&in, all[i].path, sizeof all[i].path);
		proto_get_str(&in, all[i].serial, sizeof all[i].serial);
		all[i].size = proto_get_u64(&in);
		all[i].readonly = proto_get_u8(&in);
		if (in.bad || all[i].path[0] != '/' || all[i].size > INT64_MAX)
			return client_bad_answer(c, e);
	}
	return proto_done(&in) ? 0 : client_bad_answer(c, e);
}

/* The value of a line NAME=VALUE, in which odd letters have a '\' in front. */
static void put_value(char *buf, size_t size, const char *value)
{
	size_t n = 0;

	for (; *value && n + 1 < size; value++) {
		if (*value == '\\' && value[1])
			value++;
		buf[n++] = *value;
	}
	buf[n] = '\0';
}

/* Lines as of "blkid -o export": those of one device after its DEVNAME. */
static void take_lines(struct found *all, size_t n, char *text)
{
	struct found *f = NULL;
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		const char *value;

		if (text_starts(line, "DEVNAME=", &value)) {
			f = NULL;
			for (size_t i = 0; i < n && !f; i++)
				if (strcmp(all[i].path, value) == 0)
					f = &all[i];
		} else if (f && text_starts(line, "TYPE=", &value)) {
			put_value(f->type, sizeof f->type, value);
		} else if (f && text_starts(line, "LABEL=", &value)) {
			put_value(f->label, sizeof f->label, value);
		} else if (f && text_starts(line, "UUID=", &value)) {
			put_value(f->uuid, sizeof f->uuid, value);
		}
	}
}

static int look_into(struct client *c, struct found *all, size_t n, struct err *e)
{
	CLEANUP(free_ptr) const char **argv = alloc_array(n + 5, sizeof *argv);
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT, err = STRBUF_INIT;
	int status = 0, rc;

	if (!argv)
		return err_nomem(e);
	argv[0] = "blkid";
	argv[1] = "-p";
	argv[2] = "-o";
	argv[3] = "export";
	for (size_t i = 0; i < n; i++)
		argv[4 + i] = all[i].path;
	rc = tool_run(c, &(struct tool){ .argv = argv, .out = &out, .err = &err }, &status, e);
	if (rc < 0)
		return rc;
	/* 2: nothing found in one of them, or ambivalent ones. */
	if (status != 0 && status != 2 && status != 8)
		return tool_failed("blkid", status, &err, e);
	take_lines(all, n, out.s);
	return 0;
}

int client_volumes(struct client *c, int (*fn)(void *arg, const struct client_volume *v, struct err *e), void *arg,
		   struct err *e)
{
	CLEANUP(free_ptr) struct found *all = NULL;
	size_t n = 0;
	int rc = get_disks(c, &all, &n, e);

	if (rc == 0 && n)
		rc = look_into(c, all, n, e);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = fn(arg,
			&(struct client_volume){ .device = all[i].path, .serial = all[i].serial, .size = all[i].size,
						 .readonly = all[i].readonly, .type = all[i].type, .label = all[i].label,
						 .uuid = all[i].uuid },
			e);
	return rc;
}
