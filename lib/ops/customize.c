/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* customize.c - the table of operations, how they are taken, and the order in which they are done. */
#include "customize.h"

#include "alloc.h"
#include "limits.h"
#include "locked.h"
#include "secret.h"
#include "settings.h"
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- the table ---- */

static const struct customize_op ops[] = {
	{ "append-line", "FILE:LINE", "append a line to a file", "Appending line to %a", take_path, run_append_line,
	  .split = true },
	{ "chmod", "MODE:FILE", "change the permissions of a file", "Changing permissions of %b to %a", take_chmod,
	  run_chmod, .split = true },
	{ "chown", "UID:GID:FILE", "change the owner of a file", "Changing owner of %b to %a", take_chown, run_chown,
	  .split = true },
	{ "commands-from-file", "FILE", "take operations from a file, one a line", NULL, NULL, NULL },
	{ "copy", "FROM:TO", "copy a file or tree within the guest", "Copying (in image): %a to %b", take_two_paths,
	  run_copy, .split = true },
	{ "copy-in", "LOCAL:DIR", "copy a file or tree of the host into a folder", "Copying: %a to %b", take_copy_in,
	  run_copy_in, .split = true },
	{ "delete", "PATH", "remove what a path or pattern names, trees too", "Deleting: %a", take_path, run_delete },
	{ "edit", "FILE:EXPR", "change a file's lines by an expression as perl -p has it", "Editing: %a", take_edit,
	  run_edit, .split = true },
	{ "firstboot", "SCRIPT", "run a script at the next start, once", "Installing firstboot script: %a", take_script,
	  run_firstboot },
	{ "firstboot-command", "COMMAND", "run a command at the next start, once", "Installing firstboot command: %a",
	  take_command, run_firstboot_command },
	{ "firstboot-install", "PKG,...", "install packages at the next start", "Installing firstboot packages: %p",
	  take_packages, run_firstboot_install },
	{ "hostname", "NAME", "set the host name", "Setting the hostname: %a", take_word, run_hostname },
	{ "inject-blnsvr", "MEDIUM", "install the balloon service of virtio-win in a Windows", "Injecting the balloon service",
	  take_media, run_inject_blnsvr },
	{ "inject-qemu-ga", "MEDIUM", "install QEMU's guest agent in a Windows, from an ISO image or a folder",
	  "Injecting QEMU's guest agent", take_media, run_inject_qemu_ga },
	{ "inject-virtio-win", "MEDIUM", "put virtio-win's drivers into a Windows, from an ISO image or a folder",
	  "Injecting virtio-win drivers", take_media, run_inject_virtio_win },
	{ "install", "PKG,...", "install packages by the guest's own package manager", "Installing packages: %p",
	  take_packages, run_install, .machine = true },
	{ "link", "TARGET:LINK[:LINK...]", "make symbolic links", NULL, take_link, run_link,
	  .split = true },
	{ "machine-id", "random|empty|ID", "set the machine id, or have another one made at the next start",
	  "Setting the machine ID: %a", take_word, run_machine_id, .own = true },
	{ "mkdir", "DIR", "make a folder, and those above it", "Making directory: %a", take_path, run_mkdir },
	{ "move", "FROM:TO", "rename a file or folder", "Moving: %a -> %b", take_two_paths, run_move, .split = true },
	{ "no-logfile", NULL, "leave no log in the guest, which is not done anyhow", NULL, NULL, NULL },
	{ "no-selinux-relabel", NULL, "do not give files their SELinux labels", NULL, NULL, NULL },
	{ "password", "USER:SELECTOR", "set a user's password", NULL, take_password, run_password, .split = true },
	{ "password-crypto", "md5|sha256|sha512|yescrypt", "how passwords are hashed; as the guest does it", NULL, NULL,
	  NULL },
	{ "root-password", "SELECTOR", "set the password of root", NULL, take_root_password, run_password },
	{ "run", "SCRIPT", "run a script of the host in the guest", "Running: %a", take_script, run_script,
	  .machine = true },
	{ "run-command", "COMMAND", "run a command line by the guest's shell", "Running: %a", take_command, run_command,
	  .machine = true },
	{ "scrub", "FILE", "overwrite a file and remove it", "Scrubbing: %a", take_path, run_scrub },
	{ "selinux-relabel", NULL, "give files their SELinux labels", NULL, NULL, NULL },
	{ "selinux-relabel-at-boot", NULL, "have the guest give them when it starts next", NULL, NULL, NULL },
	{ "selinux-relabel-excludes", "PATH", "give them to all but what lies there", NULL, NULL, NULL },
	{ "ssh-inject", "USER[:SELECTOR]", "let a key in: file:FILE or string:KEY; without, those in ~/.ssh",
	  "SSH key inject: %a", take_ssh_inject, run_ssh_inject, .split = true },
	{ "tar-in", "TARFILE:DIR", "unpack an archive of the host in a folder", "Unpacking: %a in %b", take_upload,
	  run_tar_in, .split = true },
	{ "timezone", "ZONE", "set the time zone (Europe/London)", "Setting the timezone: %a", take_word,
	  run_timezone },
	{ "touch", "FILE", "set a file's times, and make it where it is missing", "Running touch: %a", take_path,
	  run_touch },
	{ "truncate", "FILE", "empty a file", "Truncating: %a", take_path, run_truncate },
	{ "truncate-recursive", "PATH", "empty all files of a tree", "Recursively truncating: %a", take_path,
	  run_truncate_recursive },
	{ "uninstall", "PKG,...", "remove packages", "Uninstalling packages: %p", take_packages, run_uninstall,
	  .machine = true },
	{ "update", NULL, "update all packages", "Updating packages", NULL, run_update, .machine = true },
	{ "upload", "FILE:DEST", "copy a file of the host to a file or into a folder", "Uploading: %a to %b",
	  take_upload, run_upload, .split = true },
	{ "user", "NAME[:GROUP,...]", "add an ordinary user, in these further groups", "Adding user: %a", take_user,
	  run_user, .split = true, .own = true },
	{ "write", "FILE:CONTENT", "write a text to a file", "Writing: %a", take_path, run_write, .split = true },
};

const struct customize_op *customize_op_at(size_t i)
{
	return i < ARRAY_LEN(ops) ? &ops[i] : NULL;
}

static const struct customize_op *op_named(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(ops); i++)
		if (strcmp(ops[i].name, name) == 0)
			return &ops[i];
	return NULL;
}

/* ---- taking ---- */

static void item_clear(struct customize_item *item)
{
	password_free(&item->password);
	line_edit_free(item->edit);
	wipe_str(item->text);
	close_fd(&item->fd);
	windows_media_close(item->media);
	free(item->bytes);
}

void customize_free(struct customize *z)
{
	for (size_t i = 0; i < z->n; i++)
		item_clear(&z->items[i]);
	free(z->items);
	while (z->nunlabelled)
		free(z->unlabelled[--z->nunlabelled]);
	free(z->unlabelled);
	*z = (struct customize)CUSTOMIZE_INIT;
}

/* The two parts of an argument; those of "[:...]" may lack the second. */
static int split(struct customize_item *item, struct err *e)
{
	const char *form = strchr(item->op->arg, ':');
	char *colon = strchr(item->text, ':');

	item->a = item->text;
	if (!item->op->split)
		return 0;
	if (colon) {
		*colon = '\0';
		item->b = colon + 1;
	} else if (form > item->op->arg && form[-1] != '[') {
		return err_set(e, ERR_USAGE, "it takes %s", item->op->arg);
	}
	return 0;
}

static int take_item(struct customize *z, const struct customize_op *op, const char *arg, struct err *e)
{
	struct customize_item *items = alloc_resize(z->items, z->n + 1, sizeof *items), *item;
	int rc = 0;

	if (!items)
		return err_nomem(e);
	z->items = items;
	item = &items[z->n++];
	memset(item, 0, sizeof *item);
	item->op = op;
	item->fd = -1;
	item->text = alloc_strdup(arg ? arg : "");
	if (!item->text)
		return err_nomem(e);
	if (op->arg)
		rc = split(item, e);
	return rc == 0 && op->judge ? op->judge(item, e) : rc;
}

static int commands_take(struct customize *z, const char *path, struct err *e);

static int unlabelled_add(struct customize *z, const char *path, struct err *e)
{
	char **all;

	if (*path != '/')
		return err_set(e, ERR_USAGE, "\"%s\": paths of the guest begin with \"/\"", path);
	if (z->nunlabelled == LIMIT_UNLABELLED)
		return err_set(e, ERR_LIMIT, "more than %d paths", LIMIT_UNLABELLED);
	all = alloc_resize(z->unlabelled, z->nunlabelled + 1, sizeof *all);
	if (!all)
		return err_nomem(e);
	z->unlabelled = all;
	all[z->nunlabelled] = alloc_strdup(path);
	return all[z->nunlabelled++] ? 0 : err_nomem(e);
}

static int op_take(struct customize *z, const struct customize_op *op, const char *arg, struct err *e)
{
	if (op->run)
		return take_item(z, op, arg, e);
	if (strcmp(op->name, "commands-from-file") == 0)
		return commands_take(z, arg, e);
	if (strcmp(op->name, "password-crypto") == 0)
		return password_hash_parse(arg, &z->hash) ? 0 : err_set(e, ERR_USAGE, "\"%s\" is no kind of hash", arg);
	if (strcmp(op->name, "no-selinux-relabel") == 0)
		z->no_relabel = true;
	else if (strncmp(op->name, "selinux-relabel", 15) == 0)
		z->relabel = true;
	z->relabel_at_boot |= strcmp(op->name, "selinux-relabel-at-boot") == 0;
	return strcmp(op->name, "selinux-relabel-excludes") == 0 ? unlabelled_add(z, arg, e) : 0;
}

int customize_add(struct customize *z, const char *name, const char *arg, struct err *e)
{
	const struct customize_op *op = op_named(name);
	int rc;

	if (!op)
		return err_set(e, ERR_USAGE, "there is no operation \"%s\"", name);
	if (!op->arg != !arg)
		rc = op->arg ? err_set(e, ERR_USAGE, "it takes %s", op->arg) : err_set(e, ERR_USAGE, "it takes nothing");
	else
		rc = op_take(z, op, arg, e);
	return rc < 0 ? err_in(e, rc, "%s", op->name) : 0;
}

/* ---- files of operations ---- */

/* One line: "name argument"; the name of "append-line /a:b". */
static int command_take(struct customize *z, char *line, struct err *e)
{
	char *arg = line + strcspn(line, " \t");

	if (strncmp(line, "commands-from-file", (size_t)(arg - line)) == 0 && arg - line == 18)
		return err_set(e, ERR_USAGE, "files of operations do not name others");
	if (*arg) {
		*arg++ = '\0';
		arg += strspn(arg, " \t");
	}
	return customize_add(z, line, *arg ? arg : NULL, e);
}

/* A backslash before the end of a line makes that end, and the line behind it as it is, a part of the argument. */
static int commands_take(struct customize *z, const char *path, struct err *e)
{
	CLEANUP(locked_free) struct locked all = LOCKED_INIT;
	CLEANUP(strbuf_free) struct strbuf line = STRBUF_INIT;
	unsigned number = 0;
	int rc = secret_read_file(path, &all, e);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < all.len && rc == 0;) {
		const char *p = (const char *)all.p + i;
		const char *newline = memchr(p, '\n', all.len - i);
		size_t len = newline ? (size_t)(newline - p) : all.len - i;
		bool more = len && p[len - 1] == '\\';

		i += len + (newline != NULL);
		number++;
		while (!line.len && len && (*p == ' ' || *p == '\t')) {
			p++;
			len--;
		}
		strbuf_add(&line, p, more ? len - 1 : len);
		if (more && i < all.len) {
			strbuf_putc(&line, '\n');
			continue;
		}
		if (line.failed)
			return err_nomem(e);
		if (line.len && line.s[0] != '#')
			rc = command_take(z, line.s, e);
		strbuf_reset(&line);
	}
	return rc < 0 ? err_in(e, rc, "%s: line %u", path, number) : 0;
}

/* ---- what is wanted of the host ---- */

bool customize_runs(const struct customize *z)
{
	for (size_t i = 0; i < z->n; i++)
		if (z->items[i].op->machine)
			return true;
	return false;
}

const char *customize_host_path(const struct customize *z, size_t i)
{
	for (size_t k = 0; k < z->n; k++)
		if ((z->items[k].op->judge == take_copy_in || z->items[k].op->judge == take_media) && i-- == 0)
			return z->items[k].a;
	return NULL;
}

/* ---- doing ---- */

void customize_say(struct customize_job *job, const char *fmt, ...)
{
	CLEANUP(strbuf_free) struct strbuf line = STRBUF_INIT;
	va_list ap;

	if (!job->say)
		return;
	va_start(ap, fmt);
	strbuf_vprintf(&line, fmt, ap);
	va_end(ap);
	job->say(job->arg, line.s);
}

/* %a and %b: the parts of the argument; %p: a list of packages, with blanks between. */
static void say_item(struct customize_job *job, const struct customize_item *item)
{
	CLEANUP(strbuf_free) struct strbuf line = STRBUF_INIT;

	for (const char *p = item->op->say; p && *p; p++) {
		const char *part = p[0] == '%' && p[1] == 'a' ? item->a : p[0] == '%' && p[1] == 'b' ? item->b : NULL;

		if (p[0] == '%' && p[1] == 'p') {
			for (const char *a = item->a; *a; a++)
				strbuf_putc(&line, *a == ',' ? ' ' : *a);
			p++;
		} else if (part) {
			strbuf_puts(&line, part);
			p++;
		} else {
			strbuf_putc(&line, *p);
		}
	}
	if (item->op->say)
		customize_say(job, "%s", line.s);
}

static bool is_password(const struct customize_item *item)
{
	return item->op->run == run_password;
}

static int passwords_set(const struct customize *z, struct customize_job *job, struct err *e)
{
	enum password_hash hash = z->hash;
	bool any = false;
	int rc = 0;

	for (size_t i = 0; i < z->n && rc == 0; i++) {
		const struct customize_item *item = &z->items[i];
		CLEANUP(free_ptr) char *field = NULL;

		if (!is_password(item))
			continue;
		if (!any) {
			customize_say(job, "Setting passwords");
			any = true;
			if (hash == PASSWORD_HASH_GUEST)
				rc = password_hash_of(job->tree, &hash, e);
		}
		if (rc == 0)
			rc = password_field(&item->password, hash, &field, e);
		if (rc == 0)
			rc = account_set_password(job->tree, item->a, field, e);
		if (rc == 0 && item->password.kind == PASSWORD_RANDOM)
			customize_say(job, "Setting random password of %s to %s", item->a, (const char *)item->password.text.p);
		if (rc < 0)
			rc = err_in(e, rc, "%s", item->op->name);
	}
	return rc;
}

int customize_run(const struct customize *z, struct customize_job *job, struct err *e)
{
	bool at_boot = z->relabel_at_boot;
	int rc;

	customize_say(job, "Setting a random seed");
	rc = settings_random_seed(job->tree, e);
	for (size_t i = 0; i < z->n && rc == 0; i++) {
		const struct customize_item *item = &z->items[i];

		if (is_password(item))
			continue;
		say_item(job, item);
		rc = item->op->run(job, item, e);
		if (rc < 0)
			rc = err_in(e, rc, "%s", item->op->name);
	}
	if (rc == 0)
		rc = passwords_set(z, job, e);
	if (rc == 0 && job->edits.n)
		rc = job->registry ? job->registry(job->arg, &job->edits, e)
				   : err_set(e, ERR_UNSUPPORTED, "the registry cannot be changed here");
	if (rc == 0 && z->relabel && !z->no_relabel) {
		customize_say(job, "SELinux relabelling");
		rc = settings_relabel(job->tree, (const char *const *)z->unlabelled, z->nunlabelled, &at_boot, e);
		if (rc == 0 && at_boot)
			customize_say(job, "SELinux labels will be given when the guest starts");
	}
	reg_edits_free(&job->edits);
	return rc;
}
