/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* customize_guest.c - operations on a guest as a system: accounts, settings, packages, programs. */
#include "customize.h"

#include "alloc.h"
#include "firstboot.h"
#include "limits.h"
#include "packages.h"
#include "secret.h"
#include "settings.h"
#include "text.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

/* ---- arguments ---- */

static int bytes_take(struct customize_item *item, const char *path, struct err *e)
{
	CLEANUP(locked_free) struct locked all = LOCKED_INIT;
	int rc = secret_read_file(path, &all, e);

	if (rc < 0)
		return rc;
	item->bytes = alloc_bytes(all.len + 1);
	if (!item->bytes)
		return err_nomem(e);
	if (all.len)
		memcpy(item->bytes, all.p, all.len);
	item->bytes[all.len] = '\0';
	item->len = all.len;
	return 0;
}

int take_script(struct customize_item *item, struct err *e)
{
	return bytes_take(item, item->a, e);
}

int take_word(struct customize_item *item, struct err *e)
{
	return *item->a ? 0 : err_set(e, ERR_USAGE, "it takes %s", item->op->arg);
}

int take_command(struct customize_item *item, struct err *e)
{
	return *item->a ? 0 : err_set(e, ERR_USAGE, "the command is empty");
}

/* Names are judged for any manager. */
int take_packages(struct customize_item *item, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf unused = STRBUF_INIT;
	const struct os os = { .package_manager = "apk" };

	return packages_script(&os, PACKAGES_INSTALL, item->a, &unused, e);
}

int take_password(struct customize_item *item, struct err *e)
{
	if (!*item->a)
		return err_set(e, ERR_USAGE, "no user is named");
	return password_parse(item->b, &item->password, e);
}

int take_root_password(struct customize_item *item, struct err *e)
{
	int rc = password_parse(item->a, &item->password, e);

	item->a = "root";
	return rc;
}

int take_user(struct customize_item *item, struct err *e)
{
	return account_name_ok(item->a) ? 0 : err_set(e, ERR_USAGE, "\"%s\" is no name for a user", item->a);
}

/* The public keys of who calls, one a line. */
static int own_keys(struct customize_item *item, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf keys = STRBUF_INIT;
	const char *home = getenv("HOME");
	CLEANUP(free_ptr) char *pattern = alloc_printf("%s/.ssh/id*.pub", home ? home : "");
	glob_t found = { 0 };
	int rc = 0;

	if (!pattern)
		return err_nomem(e);
	if (glob(pattern, 0, NULL, &found) != 0 || !found.gl_pathc)
		rc = err_set(e, ERR_NOT_FOUND, "there is no key %s", pattern);
	for (size_t i = 0; rc == 0 && i < found.gl_pathc; i++) {
		rc = bytes_take(item, found.gl_pathv[i], e);
		if (rc == 0)
			strbuf_printf(&keys, "%s\n", (const char *)item->bytes);
		free(take(item->bytes));
	}
	globfree(&found);
	if (rc < 0)
		return rc;
	item->len = keys.len;
	item->bytes = (uint8_t *)strbuf_detach(&keys);
	return item->bytes ? 0 : err_nomem(e);
}

int take_ssh_inject(struct customize_item *item, struct err *e)
{
	const char *rest;
	int rc;

	if (!*item->a)
		return err_set(e, ERR_USAGE, "no user is named");
	if (!item->b) {
		rc = own_keys(item, e);
	} else if (text_starts(item->b, "file:", &rest)) {
		rc = bytes_take(item, rest, e);
	} else if (text_starts(item->b, "string:", &rest)) {
		item->bytes = (uint8_t *)alloc_strdup(rest);
		item->len = strlen(rest);
		rc = item->bytes ? 0 : err_nomem(e);
	} else {
		return err_set(e, ERR_USAGE, "a key is selected by file: or string:");
	}
	if (rc == 0 && (memchr(item->bytes, 0, item->len) || item->len > LIMIT_CONFIG_BYTES))
		return err_set(e, ERR_USAGE, "this is no public key");
	if (rc == 0 && strstr((const char *)item->bytes, "PRIVATE KEY"))
		return err_set(e, ERR_USAGE, "this is a private key: the public one is wanted");
	return rc;
}

/* ---- accounts and settings ---- */

/* Passwords are set when all else is done. */
int run_password(struct customize_job *job, const struct customize_item *item, struct err *e)
{
	(void)job, (void)item, (void)e;
	return 0;
}

int run_user(struct customize_job *job, const struct customize_item *item, struct err *e)
{
	return account_add(job->tree, item->a, item->b, e);
}

int run_ssh_inject(struct customize_job *job, const struct customize_item *item, struct err *e)
{
	int rc = 0, n = 0;

	for (const char *p = (const char *)item->bytes; *p && rc == 0;) {
		size_t len = strcspn(p, "\r\n");
		CLEANUP(free_ptr) char *line = alloc_strndup(p, len);

		if (!line)
			return err_nomem(e);
		if (len && *line != '#') {
			rc = account_add_key(job->tree, item->a, line, e);
			n++;
		}
		p += len + strspn(p + len, "\r\n");
	}
	return rc == 0 && !n ? err_set(e, ERR_USAGE, "there is no key") : rc;
}

int run_hostname(struct customize_job *job, const struct customize_item *item, struct err *e)
{
	return settings_hostname(job->tree, item->a, e);
}

int run_timezone(struct customize_job *job, const struct customize_item *item, struct err *e)
{
	return settings_timezone(job->tree, item->a, e);
}

int run_machine_id(struct customize_job *job, const struct customize_item *item, struct err *e)
{
	return settings_machine_id(job->tree, item->a, e);
}

/* ---- programs ---- */

struct output {
	struct customize_job *job;
	struct strbuf last; /* the line that it said last, for the error */
	bool fresh;	    /* what follows begins another line */
};

static void last_line(struct output *o, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\n' || bytes[i] == '\r') {
			o->fresh = true;
			continue;
		}
		if (o->fresh)
			strbuf_reset(&o->last);
		o->fresh = false;
		if (o->last.len < 200)
			strbuf_putc(&o->last, bytes[i]);
	}
}

static int said(void *arg, int stream, const void *bytes, size_t len, struct err *e)
{
	struct output *o = arg;

	last_line(o, bytes, len);
	return o->job->output ? o->job->output(o->job->arg, stream, bytes, len, e) : 0;
}

static int status_judge(int status, const struct output *o, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf q = STRBUF_INIT;

	if (status == 0)
		return 0;
	if (o->last.len) {
		strbuf_puts(&q, ": ");
		text_quote(&q, o->last.s, o->last.len);
	}
	if (WIFSIGNALED(status))
		return err_set(e, ERR_SYSTEM, "it was ended by signal %d%s", WTERMSIG(status), q.s);
	return err_set(e, ERR_SYSTEM, "it ended with status %d%s", WEXITSTATUS(status), q.s);
}

int customize_program(struct customize_job *job, const char *const *argv, struct err *e)
{
	struct output o = { .job = job, .last = STRBUF_INIT };
	const struct tree_run run = { .argv = argv, .output = said, .arg = &o };
	int status = 0, rc;

	if (!job->tree->os->type || strcmp(job->tree->os->type, "windows") == 0)
		return err_set(e, ERR_UNSUPPORTED, "programs of this guest cannot be run here");
	rc = job->tree->ops->run(job->tree, &run, &status, e);
	if (rc == 0)
		rc = status_judge(status, &o, e);
	strbuf_free(&o.last);
	return rc;
}

int run_command(struct customize_job *job, const struct customize_item *item, struct err *e)
{
	const char *const argv[] = { "/bin/sh", "-c", item->a, NULL };

	return customize_program(job, argv, e);
}

/* Where a script lies while it runs. */
#define SCRIPT "/.drydock-run"

int run_script(struct customize_job *job, const struct customize_item *item, struct err *e)
{
	/* One without "#!" is run by a shell, as a shell would do. */
	bool named = item->len >= 2 && (memcmp(item->bytes, "#!", 2) == 0 || memcmp(item->bytes, "\177E", 2) == 0);
	const char *const argv[] = { "/bin/sh", "-c", named ? SCRIPT : "/bin/sh " SCRIPT, NULL };
	const struct tree_owner owner = { .mode = 0700 };
	struct err why = ERR_INIT;
	int rc = tree_drop(job->tree, SCRIPT, e), dropped;

	if (rc == 0)
		rc = job->tree->ops->write(job->tree, SCRIPT, item->bytes, item->len, &owner, e);
	if (rc == 0)
		rc = customize_program(job, argv, e);
	dropped = tree_drop(job->tree, SCRIPT, &why);
	return rc < 0 || dropped == 0 ? rc : err_set(e, why.code, "%s", why.msg);
}

static int packages_run(struct customize_job *job, enum package_job what, const char *names, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf script = STRBUF_INIT;
	int rc = packages_script(job->tree->os, what, names, &script, e);
	const char *const argv[] = { "/bin/sh", "-c", script.s, NULL };

	return rc < 0 ? rc : customize_program(job, argv, e);
}

int run_install(struct customize_job *job, const struct customize_item *item, struct err *e)
{
	return packages_run(job, PACKAGES_INSTALL, item->a, e);
}

int run_uninstall(struct customize_job *job, const struct customize_item *item, struct err *e)
{
	return packages_run(job, PACKAGES_UNINSTALL, item->a, e);
}

int run_update(struct customize_job *job, const struct customize_item *item, struct err *e)
{
	(void)item;
	return packages_run(job, PACKAGES_UPDATE, NULL, e);
}

/* ---- the next start ---- */

static int firstboot_script(struct customize_job *job, const char *name, const char *text, size_t len, struct err *e)
{
	return firstboot_add(job->tree, name, text, len, &job->edits, e);
}

int run_firstboot(struct customize_job *job, const struct customize_item *item, struct err *e)
{
	const char *name = strrchr(item->a, '/');

	return firstboot_script(job, name ? name + 1 : item->a, (const char *)item->bytes, item->len, e);
}

/* A line of a batch file, or a script of the shell. */
static int firstboot_line(struct customize_job *job, const char *name, const char *line, struct err *e)
{
	bool windows = job->tree->os->type && strcmp(job->tree->os->type, "windows") == 0;
	CLEANUP(free_ptr) char *script = alloc_printf("%s%s\n", windows ? "" : "#!/bin/sh\n", line);

	return script ? firstboot_script(job, name, script, strlen(script), e) : err_nomem(e);
}

int run_firstboot_command(struct customize_job *job, const struct customize_item *item, struct err *e)
{
	return firstboot_line(job, item->a, item->a, e);
}

int run_firstboot_install(struct customize_job *job, const struct customize_item *item, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf script = STRBUF_INIT;
	int rc = packages_script(job->tree->os, PACKAGES_INSTALL, item->a, &script, e);

	return rc < 0 ? rc : firstboot_line(job, "install packages", script.s, e);
}
