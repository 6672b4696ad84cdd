/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest_shell.c - the shell's section of drydock.h: a machine with the whole disks of a guest, and a shell in it.
 *
 * Which volume is what our own readers find out, before the machine starts.  In the machine, Linux finds partitions by itself,
 * arrays and logical volumes are activated, and encrypted volumes opened by the keys that were given.  What is mounted is mounted
 * by programs that run beside the shell, below /sysroot.
 */
#include "guest_api.h"

#include "client.h"
#include "limits.h"
#include "locked.h"
#include "strbuf.h"
#include "text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/wait.h>

/* What is to be mounted where. */
struct plan {
	const struct content *it;
	char *path, *options; /* options NULL: none */
	const char *type;     /* lent */
};

struct dry_shell {
	struct dry_guest *g;
	struct appliance *app;
	struct client *client; /* of app */
	struct client_session *session;
	struct client_run run; /* of the session: lives as long */
	int (*output)(void *arg, int stream, const void *bytes, size_t len);
	void *arg;
	struct plan *plans;
	size_t nplans;
	char **commands;
	size_t ncommands;
};

static void shell_free(struct dry_shell *s)
{
	client_session_end(s->session);
	appliance_kill(s->app);
	for (size_t i = 0; i < s->nplans; i++) {
		free(s->plans[i].path);
		free(s->plans[i].options);
	}
	for (size_t i = 0; i < s->ncommands; i++)
		free(s->commands[i]);
	free(s->plans);
	free(s->commands);
	free(s);
}

static void shell_freep(struct dry_shell **s)
{
	if (*s)
		shell_free(*s);
	*s = NULL;
}

/* ---- what is to be mounted ---- */

static int plan_add(struct dry_shell *s, const struct content *it, const char *path, const char *options, const char *type,
		    struct err *e)
{
	struct plan *plans = alloc_resize(s->plans, s->nplans + 1, sizeof *plans), *p;

	if (!plans)
		return err_nomem(e);
	s->plans = plans;
	p = &plans[s->nplans++];
	*p = (struct plan){ .it = it, .path = alloc_strdup(path), .options = options ? alloc_strdup(options) : NULL, .type = type };
	return !p->path || (options && !p->options) ? err_nomem(e) : 0;
}

/* As our own readers would mount the guest; nothing stays mounted. */
static int plan_inspected(struct dry_shell *s, struct err *e)
{
	CLEANUP(guest_free) struct guest tree = { 0 };
	int rc = guest_open(&s->g->contents, false, &tree, e);

	for (size_t i = 0; rc == 0 && i < tree.nmounted; i++) {
		const struct vfs_mount_info m = vfs_mount_info(tree.vfs, i);
		char options[40] = "";
		struct fs_stat st;

		rc = fs_stat(m.fs, m.root, &st, e);
		if (rc == 0 && st.subvol)
			snprintf(options, sizeof options, "subvolid=%" PRIu64, st.subvol);
		if (rc == 0)
			rc = plan_add(s, tree.mounted[i], m.path, *options ? options : NULL, NULL, e);
	}
	return rc;
}

static int plan_given(struct dry_shell *s, const struct dry_shell_mount *m, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf options = STRBUF_INIT;
	const char *subvol;
	const struct content *it = contents_find_subvol(&s->g->contents, m->volume, &subvol);

	if (!it)
		return err_set(e, ERR_NOT_FOUND, "no volume \"%s\"", m->volume);
	strbuf_puts(&options, m->options ? m->options : "");
	if (subvol)
		strbuf_printf(&options, "%ssubvol=%s", options.len ? "," : "", subvol);
	if (options.failed)
		return err_nomem(e);
	return plan_add(s, it, m->path, options.len ? options.s : NULL, m->type, e);
}

static int plan_all(struct dry_shell *s, const struct dry_shell_how *how, struct err *e)
{
	int rc = guest_scan(s->g, e);

	if (rc == 0 && how->inspect)
		rc = plan_inspected(s, e);
	for (size_t i = 0; i < how->nmounts && rc == 0; i++)
		rc = plan_given(s, &how->mounts[i], e);
	return rc;
}

/* ---- the machine ---- */

static int machine_start(struct dry_shell *s, struct err *e)
{
	struct dry_guest *g = s->g;
	CLEANUP(free_ptr) struct appliance_disk *disks = alloc_array(g->ndisks, sizeof *disks);
	int rc;

	if (!disks)
		return err_nomem(e);
	for (size_t i = 0; i < g->ndisks; i++) {
		disks[i] = (struct appliance_disk){ .block = g->disks[i], .writable = block_writable(g->disks[i]) };
		snprintf(disks[i].serial, sizeof disks[i].serial, "disk%u", (unsigned)i);
	}
	rc = machines_launch(g->machines, disks, g->ndisks, &s->app, e);
	if (rc == 0)
		s->client = appliance_client(s->app);
	return rc;
}

static int gather(void *arg, int stream, const void *bytes, size_t len, struct err *e)
{
	struct strbuf *said = arg;

	(void)stream;
	(void)e;
	strbuf_add(said, bytes, len);
	return 0;
}

/* Runs one of the appliance's programs; what it said is the error. */
static int tool_run(struct dry_shell *s, const char *const *argv, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf said = STRBUF_INIT;
	const struct client_run run = { .argv = argv, .output = gather, .arg = &said, .max_output = 64 * KiB };
	int status, rc = client_run(s->client, &run, &status, e);
	size_t len;

	if (rc < 0)
		return rc;
	if (said.failed)
		return err_nomem(e);
	if (status == 0)
		return 0;
	len = said.len;
	while (len && isspace((unsigned char)said.s[len - 1]))
		len--;
	return err_set(e, ERR_SYSTEM, "%s: %.*s", argv[0], (int)len, len ? said.s : "");
}

static bool is_writable(const struct dry_shell *s, const struct volume *v)
{
	return block_writable(s->g->disks[v->disk]);
}

struct look {
	const struct fs_id *id;
	struct strbuf *path;
};

static int looks_same(void *arg, const struct client_volume *v, struct err *e)
{
	struct look *l = arg;

	(void)e;
	if (!*v->uuid || strcmp(v->uuid, l->id->uuid) != 0 || strcmp(v->type, l->id->type) != 0)
		return 0;
	strbuf_puts(l->path, v->device);
	return 1;
}

/* The name of a volume in the machine, appended. */
static int device_find(struct dry_shell *s, const struct content *it, struct strbuf *path, struct err *e)
{
	const struct volume *v = it->vol;
	struct look look = { &it->id, path };
	char serial[32];
	int rc = 0;

	if (strcmp(v->scheme, "luks") == 0 && v->uuid) {
		strbuf_printf(path, "/dev/mapper/luks-%s", v->uuid);
	} else if (strcmp(v->scheme, "lvm") == 0) {
		strbuf_puts(path, v->name);
	} else if (v->depth == 0) {
		snprintf(serial, sizeof serial, "serial:disk%u", v->disk);
		rc = client_device(s->client, serial, path, e);
		if (rc == 0 && v->number && path->len)
			strbuf_printf(path, isdigit((unsigned char)path->s[path->len - 1]) ? "p%u" : "%u", v->number);
	} else {
		rc = client_volumes(s->client, looks_same, &look, e);
		if (rc == 0)
			rc = err_set(e, ERR_NOT_FOUND, "%s is not found in the appliance", v->name);
	}
	return rc < 0 ? rc : path->failed ? err_nomem(e) : 0;
}

/* Opens what was opened here, by the same keys: each that fits nothing is passed over. */
static int luks_open(struct dry_shell *s, const struct content *inside, struct err *e)
{
	const struct content *box = &s->g->contents.items[inside->vol->parts[0]];
	CLEANUP(strbuf_free) struct strbuf device = STRBUF_INIT;
	const struct volume_how keys = guest_keys(s->g);
	char name[60];
	int rc = device_find(s, box, &device, e);

	snprintf(name, sizeof name, "luks-%.50s", inside->vol->uuid);
	/* It ends: a volume has so many keys, and who types them is asked so often. */
	for (unsigned nth = 0; rc == 0; nth++) {
		CLEANUP(locked_free) struct locked key = LOCKED_INIT;
		struct err why = ERR_INIT;

		rc = keys.key(keys.arg, box->vol, inside->vol->uuid, nth, &key, e);
		if (rc <= 0)
			return rc < 0 ? rc : err_set(e, ERR_NOT_FOUND, "no key opens %s in the appliance", box->vol->name);
		rc = 0;
		if (client_luks_open(s->client, device.s, key.p, key.len, name, !is_writable(s, box->vol), &why) == 0)
			return 0;
		if (client_lost(s->client))
			return err_set(e, why.code, "%s", why.msg);
	}
	return rc;
}

static int volumes_activate(struct dry_shell *s, struct err *e)
{
	const struct contents *c = &s->g->contents;
	unsigned kinds = CLIENT_MD | CLIENT_LVM | CLIENT_BTRFS;
	int rc = client_activate(s->client, kinds, false, e);
	bool more = false;

	for (size_t i = 0; s->g->scanned && i < c->n && rc == 0; i++) {
		const struct volume *v = c->items[i].vol;

		if (strcmp(v->scheme, "luks") != 0 || v->nparts != 1 || !v->uuid)
			continue;
		rc = luks_open(s, &c->items[i], e);
		more = true;
	}
	return rc == 0 && more ? client_activate(s->client, kinds, false, e) : rc;
}

/* "mount -t ext4 -o ro /dev/vda1 /sysroot", as a user would type it; kept. */
static int command_keep(struct dry_shell *s, const char *const *argv, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf b = STRBUF_INIT;

	for (size_t i = 0; argv[i]; i++) {
		strbuf_puts(&b, i ? " " : "");
		strbuf_puts(&b, argv[i]);
	}
	return b.failed ? err_nomem(e) : sentence_add(&s->commands, &s->ncommands, e, "%s", b.s);
}

static int plan_mount(struct dry_shell *s, const struct plan *p, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf device = STRBUF_INIT;
	CLEANUP(strbuf_free) struct strbuf path = STRBUF_INIT;
	const char *argv[10] = { "mount" };
	size_t n = 1;
	int rc = device_find(s, p->it, &device, e);

	strbuf_printf(&path, "/sysroot%s", strcmp(p->path, "/") == 0 ? "" : p->path);
	if (p->type || p->it->id.type) {
		argv[n++] = "-t";
		argv[n++] = p->type ? p->type : p->it->id.type;
	}
	if (p->options) {
		argv[n++] = "-o";
		argv[n++] = p->options;
	}
	argv[n++] = "--";
	argv[n++] = device.s;
	argv[n++] = path.s;
	if (rc == 0 && path.failed)
		rc = err_nomem(e);
	if (rc == 0)
		rc = command_keep(s, argv, e);
	return rc == 0 ? tool_run(s, argv, e) : rc;
}

/* ---- the shell ---- */

static int said(void *arg, int stream, const void *bytes, size_t len, struct err *e)
{
	const struct dry_shell *s = arg;

	return s->output(s->arg, stream, bytes, len) ? err_set(e, ERR_CANCELED, "stopped") : 0;
}

static int session_start(struct dry_shell *s, const struct dry_shell_how *how, struct err *e)
{
	/* A shell that runs a command forgets its prompt. */
	static const char *const prompting[] = { "/bin/sh", "-c",
						 "cd / && export PS1='><rescue> ' && "
						 "if command -v bash >/dev/null; then exec bash --norc; fi; exec sh -i",
						 NULL };
	static const char *const reading[] = { "/bin/sh", "-c",
					       "cd / && if command -v bash >/dev/null; then exec bash --norc; fi; exec sh",
					       NULL };
	static const char *const env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TERM=linux", "LANG=C.UTF-8", NULL };

	s->output = how->output;
	s->arg = how->arg;
	s->run = (struct client_run){
		.argv = how->terminal ? prompting : reading,
		.env = env,
		.terminal = how->terminal,
		.rows = how->rows,
		.cols = how->cols,
		.max_ms = UINT64_MAX,
		.max_output = UINT64_MAX,
		.output = said,
		.arg = s,
	};
	return client_session_start(s->client, &s->run, &s->session, e);
}

int dry_shell_open(struct dry_guest *g, const struct dry_shell_how *how, struct dry_shell **out, struct dry_error *error)
{
	API_ERR(e, error);
	CLEANUP(shell_freep) struct dry_shell *s = alloc_zero(sizeof *s);
	int rc = 0;

	if (!s)
		return err_nomem(e);
	if (!g->machines)
		return err_set(e, ERR_USAGE, "a shell needs an appliance");
	s->g = g;
	if (how->inspect || how->nmounts || g->keys)
		rc = plan_all(s, how, e);
	if (rc == 0)
		rc = machine_start(s, e);
	if (rc == 0)
		rc = volumes_activate(s, e);
	for (size_t i = 0; i < s->nplans && rc == 0; i++)
		rc = plan_mount(s, &s->plans[i], e);
	if (rc == 0)
		rc = session_start(s, how, e);
	if (rc == 0)
		*out = take(s);
	return rc;
}

int dry_shell_fd(const struct dry_shell *s)
{
	return client_fd(s->client);
}

int dry_shell_pump(struct dry_shell *s, int *status, struct dry_error *error)
{
	API_ERR(e, error);

	return client_session_pump(s->session, status, e);
}

int dry_shell_input(struct dry_shell *s, const void *bytes, size_t len, size_t *taken, struct dry_error *error)
{
	API_ERR(e, error);

	return client_session_input(s->session, bytes, len, taken, e);
}

int dry_shell_input_end(struct dry_shell *s, struct dry_error *error)
{
	API_ERR(e, error);

	return client_session_input_end(s->session, e);
}

int dry_shell_resize(struct dry_shell *s, uint16_t rows, uint16_t cols, struct dry_error *error)
{
	API_ERR(e, error);

	return client_session_resize(s->session, rows, cols, e);
}

int dry_shell_sync(struct dry_shell *s, struct dry_error *error)
{
	API_ERR(e, error);

	return client_sync(s->client, e);
}

int dry_shell_unmount(struct dry_shell *s, struct dry_error *error)
{
	API_ERR(e, error);
	static const char *const argv[] = { "/bin/sh", "-c",
					    "while read -r _ dir _; do "
					    "case $dir in /sysroot|/sysroot/*) echo \"$dir\";; esac; "
					    "done </proc/mounts | sort -r | "
					    "while read -r dir; do umount -- \"$(printf '%b' \"$dir\")\" || exit 1; done",
					    NULL };

	return tool_run(s, argv, e);
}

const char *dry_shell_command(const struct dry_shell *s, size_t i)
{
	return i < s->ncommands ? s->commands[i] : NULL;
}

int dry_shell_close(struct dry_shell *s, bool at_once, struct dry_error *error)
{
	API_ERR(e, error);
	struct dry_guest *g = s ? s->g : NULL;
	int rc = 0;

	if (!s)
		return 0;
	if (s->session)
		client_session_end(take(s->session));
	if (!at_once && s->client && !client_lost(s->client))
		rc = client_poweroff(s->client, e);
	shell_free(s);
	for (size_t i = 0; i < g->ndisks; i++) {
		int flushed = block_writable(g->disks[i]) ? block_finish(g->disks[i], rc == 0 ? e : NULL) : 0;

		if (rc == 0 && flushed < 0)
			rc = err_in(e, flushed, "%s", block_name(g->disks[i]));
	}
	return rc;
}
