/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * change_tool.c - changes a guest by drydock.h as it is told, for what no command does alone.
 *
 * usage: change_tool IMAGE [VOLUME PATH]...	(without volumes, what the guest itself would mount)
 *
 * Obeys a line of standard input at a time; words have blanks between, and the last one is the rest of the line:
 *   write PATH TEXT	cat PATH	hostname	folders PATH	rm PATH		device VOLUME
 *   rename FLAGS FROM TO	xattr FLAGS PATH TEXT (of user.test)	punch OFF LEN PATH	size PATH
 *   sh COMMAND (of the appliance)	chroot COMMAND (in the guest, by its /bin/sh)	limit COMMAND (likewise, 200 ms)
 *   mount VOLUME PATH	unmount PATH (none: all)	rescan	volumes	checkpoint	commit	abandon	die (at once)
 * Prints what was asked for, "ok", or "error: SENTENCE".
 */
#include "drydock.h"

#include "alloc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct tool {
	struct dry_machines *machines;
	struct dry_guest *g;
	struct dry_change *c;
};

static int answer(int rc, const struct dry_error *e)
{
	if (rc < 0)
		printf("error: %s\n", e->msg);
	else
		printf("ok\n");
	return rc;
}

static int node_of(struct tool *t, const char *path, struct dry_node *n, struct dry_error *e)
{
	return dry_guest_lookup(t->g, path, true, n, e);
}

static int print(void *arg, int stream, const void *bytes, size_t len)
{
	(void)arg;
	fwrite(bytes, 1, len, stream == 1 ? stdout : stderr);
	return 0;
}

static int run(struct tool *t, const char *command, bool in_appliance, uint64_t ms, struct dry_error *e)
{
	const char *const argv[] = { "/bin/sh", "-c", command, NULL };
	const struct dry_run_how how = { .argv = argv, .in_appliance = in_appliance, .output = print, .max_ms = ms };
	int status = 0;
	int rc = dry_change_run(t->c, &how, &status, e);

	if (rc == 0 && WEXITSTATUS(status))
		printf("status %d\n", WEXITSTATUS(status));
	return rc;
}

static int cat(struct tool *t, const char *path, struct dry_error *e)
{
	char buf[4096];
	struct dry_node n;
	size_t got = 0;
	int rc = node_of(t, path, &n, e);

	if (rc == 0)
		rc = dry_node_read(t->g, n, buf, sizeof buf, 0, &got, e);
	if (rc == 0)
		printf("%.*s\n", (int)got, buf);
	return rc;
}

static int size(struct tool *t, const char *path, struct dry_error *e)
{
	struct dry_node n;
	struct dry_stat st;
	int rc = node_of(t, path, &n, e);

	if (rc == 0)
		rc = dry_node_stat(t->g, n, &st, e);
	if (rc == 0)
		printf("%" PRIu64 " bytes in %" PRIu64 " blocks\n", st.size, st.blocks512);
	return rc;
}

static int hostname(struct tool *t, struct dry_error *e)
{
	struct dry_os os;
	int rc = dry_guest_os(t->g, &os, e);

	if (rc == 0)
		printf("%s\n", os.hostname ? os.hostname : "-");
	return rc;
}

static int change_name(struct tool *t, unsigned flags, const char *from, const char *to, struct dry_error *e)
{
	char a[DRY_NAME_SIZE], b[DRY_NAME_SIZE];
	struct dry_node x, y;
	int rc = dry_change_parent(t->c, from, &x, a, e);

	if (rc == 0)
		rc = dry_change_parent(t->c, to, &y, b, e);
	return rc == 0 ? dry_change_rename(t->c, x, a, y, b, flags, e) : rc;
}

static int device(struct tool *t, const char *volume, struct dry_error *e)
{
	char *name = NULL;
	int rc = dry_change_device(t->c, volume, &name, e);

	if (rc == 0)
		printf("%s\n", name);
	free(name);
	return rc;
}

static int volumes(struct tool *t, struct dry_error *e)
{
	const struct dry_volume *v;
	size_t n;
	int rc = dry_guest_volumes(t->g, &v, &n, e);

	for (size_t i = 0; rc == 0 && i < n; i++)
		printf("%s %s\n", v[i].name, v[i].fs_type ? v[i].fs_type : "-");
	return rc;
}

static int xattr(struct tool *t, unsigned flags, const char *path, const char *text, struct dry_error *e)
{
	struct dry_node n;
	int rc = node_of(t, path, &n, e);

	return rc == 0 ? dry_change_setxattr(t->c, n, "user.test", text, strlen(text), flags, e) : rc;
}

static int punch(struct tool *t, uint64_t off, uint64_t len, const char *path, struct dry_error *e)
{
	struct dry_node n;
	int rc = node_of(t, path, &n, e);

	return rc == 0 ? dry_change_allocate(t->c, n, off, len, DRY_ALLOCATE_PUNCH, e) : rc;
}

/* The next word, cut out of the line; the rest of it when it is the last one. */
static char *word(char **line, bool last)
{
	char *w = *line;

	if (last || !*w)
		return w;
	*line += strcspn(w, " ");
	if (**line)
		*(*line)++ = '\0';
	return w;
}

static int obey(struct tool *t, char *line, struct dry_error *e)
{
	const char *verb = word(&line, false), *a, *b;
	struct dry_change_result result;

	if (strcmp(verb, "write") == 0) {
		a = word(&line, false);
		b = word(&line, true);
		return dry_change_write_file(t->c, a, b, strlen(b), NULL, e);
	}
	if (strcmp(verb, "cat") == 0)
		return cat(t, line, e);
	if (strcmp(verb, "size") == 0)
		return size(t, line, e);
	if (strcmp(verb, "hostname") == 0)
		return hostname(t, e);
	if (strcmp(verb, "folders") == 0)
		return dry_change_make_folders(t->c, line, NULL, e);
	if (strcmp(verb, "rm") == 0)
		return dry_change_remove_tree(t->c, line, e);
	if (strcmp(verb, "device") == 0)
		return device(t, line, e);
	if (strcmp(verb, "rename") == 0) {
		const unsigned flags = (unsigned)atoi(word(&line, false));

		a = word(&line, false);
		return change_name(t, flags, a, line, e);
	}
	if (strcmp(verb, "xattr") == 0) {
		const unsigned flags = (unsigned)atoi(word(&line, false));

		a = word(&line, false);
		return xattr(t, flags, a, line, e);
	}
	if (strcmp(verb, "punch") == 0) {
		const uint64_t off = strtoull(word(&line, false), NULL, 10), len = strtoull(word(&line, false), NULL, 10);

		return punch(t, off, len, line, e);
	}
	if (strcmp(verb, "sh") == 0)
		return run(t, line, true, 0, e);
	if (strcmp(verb, "chroot") == 0)
		return run(t, line, false, 0, e);
	if (strcmp(verb, "limit") == 0)
		return run(t, line, false, 200, e);
	if (strcmp(verb, "mount") == 0) {
		a = word(&line, false);
		return dry_change_mount(t->c, &(const struct dry_shell_mount){ .volume = a, .path = line }, e);
	}
	if (strcmp(verb, "unmount") == 0)
		return dry_change_unmount(t->c, *line ? line : NULL, e);
	if (strcmp(verb, "rescan") == 0)
		return dry_change_rescan(t->c, e);
	if (strcmp(verb, "volumes") == 0)
		return volumes(t, e);
	if (strcmp(verb, "checkpoint") == 0)
		return dry_change_checkpoint(t->c, &result, e);
	if (strcmp(verb, "commit") == 0)
		return dry_change_commit(take(t->c), &result, e);
	if (strcmp(verb, "die") == 0)
		_exit(137); /* as one that is killed, which a confined process cannot do to itself */
	dry_change_abandon(take(t->c));
	return 0;
}

static int begin(struct tool *t, int argc, char **argv, struct dry_error *e)
{
	struct dry_shell_mount mounts[8];
	const struct dry_guest_image image = { .name = argv[1] };
	const struct dry_machines_how machines = { .backend = DRY_BACKEND_UML };
	struct dry_guest_open open = { .images = &image, .nimages = 1, .flags = DRY_OPEN_WRITE | DRY_OPEN_CHANGE };
	struct dry_change_how how = { .mounts = mounts, .inspect = argc == 2 };
	int rc = dry_machines_start(&machines, &t->machines, e);

	for (int i = 2; i + 1 < argc && how.nmounts < 8; i += 2)
		mounts[how.nmounts++] = (struct dry_shell_mount){ .volume = argv[i], .path = argv[i + 1] };
	open.machines = t->machines;
	if (rc == 0)
		rc = dry_guest_open(&open, &t->g, e);
	if (rc == 0)
		rc = dry_confine(&(const struct dry_confine){ .appliance = true, .change = t->g }, NULL, e);
	return rc == 0 ? dry_guest_change(t->g, &how, &t->c, e) : rc;
}

int main(int argc, char **argv)
{
	struct tool t = { .g = NULL };
	struct dry_error e = { .code = DRY_OK };
	char line[4096];
	int rc = argc < 2 ? -1 : begin(&t, argc, argv, &e);

	setvbuf(stdout, NULL, _IOLBF, 0);
	answer(rc, &e);
	while (rc == 0 && t.c && fgets(line, sizeof line, stdin)) {
		line[strcspn(line, "\n")] = '\0';
		answer(obey(&t, line, &e), &e);
	}
	dry_change_abandon(t.c);
	dry_guest_close(t.g);
	dry_machines_stop(t.machines);
	return rc < 0;
}
