/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest_shell.c - the shell's section of drydock.h: a machine with the whole disks of a guest, and a shell in it.
 *
 * What is mounted is mounted by programs that run beside the shell, below /sysroot.
 */
#include "guest_api.h"

#include "client.h"
#include "strbuf.h"

#include <stdio.h>
#include <sys/wait.h>

struct dry_shell {
	struct dry_guest *g;
	struct guest_machine machine;
	struct client *client; /* of machine */
	struct client_session *session;
	struct client_run run; /* of the session: lives as long */
	int (*output)(void *arg, int stream, const void *bytes, size_t len);
	void *arg;
	struct guest_plan plan;
	char **commands;
	size_t ncommands;
};

static void shell_free(struct dry_shell *s)
{
	client_session_end(s->session);
	guest_machine_kill(&s->machine);
	guest_plan_free(&s->plan);
	for (size_t i = 0; i < s->ncommands; i++)
		free(s->commands[i]);
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

static int plan_all(struct dry_shell *s, const struct dry_shell_how *how, struct err *e)
{
	const struct contents *c = &s->g->contents;
	int rc = guest_scan(s->g, e);

	if (rc == 0 && how->inspect)
		rc = guest_plan_inspected(c, false, &s->plan, e);
	for (size_t i = 0; i < how->nmounts && rc == 0; i++)
		rc = guest_plan_given(c, how->mounts[i].volume, how->mounts[i].path, how->mounts[i].options, how->mounts[i].type,
				      &s->plan, e);
	return rc;
}

/* ---- the machine ---- */

static int machine_start(struct dry_shell *s, struct err *e)
{
	struct guest_machine_how how = guest_machine_of(s->g);
	int rc;

	how.any_volumes = true;
	rc = guest_machine_start(&how, &s->machine, e);
	s->client = s->machine.client;
	return rc < 0 ? rc : guest_machine_activate(&s->machine, CLIENT_MD | CLIENT_LVM | CLIENT_BTRFS, e);
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

static int plan_mount(struct dry_shell *s, const struct guest_planned *p, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf device = STRBUF_INIT;
	CLEANUP(strbuf_free) struct strbuf path = STRBUF_INIT;
	const char *argv[10] = { "mount" };
	size_t n = 1;
	int rc = guest_machine_device(&s->machine, p->it, &device, e);

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
	return rc == 0 ? guest_machine_tool(&s->machine, argv, e) : rc;
}

/* ---- the shell ---- */

static int said(void *arg, int stream, const void *bytes, size_t len, struct err *e)
{
	const struct dry_shell *s = arg;

	return s->output(s->arg, stream, bytes, len) ? err_set(e, ERR_CANCELED, "stopped") : 0;
}

/* The kernel asks the agent for modules that mount wants (agent/main.c). */
#define BEGIN "cd / && echo /init >/proc/sys/kernel/modprobe; "

static int session_start(struct dry_shell *s, const struct dry_shell_how *how, struct err *e)
{
	/* A shell that runs a command forgets its prompt. */
	static const char *const prompting[] = { "/bin/sh", "-c",
						 BEGIN "export PS1='><rescue> ' && "
						 "if command -v bash >/dev/null; then exec bash --norc; fi; exec sh -i",
						 NULL };
	static const char *const reading[] = { "/bin/sh", "-c",
					       BEGIN "if command -v bash >/dev/null; then exec bash --norc; fi; exec sh",
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
	for (size_t i = 0; i < s->plan.n && rc == 0; i++)
		rc = plan_mount(s, &s->plan.items[i], e);
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

	return guest_machine_tool(&s->machine, argv, e);
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
