/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shell_session.c - a session of the shell: its disks, its launch, and its end. */
#include "shell.h"

#include "alloc.h"
#include "guest_case.h"
#include "guest_file.h"
#include "regex.h"

#include <errno.h>
#include <unistd.h>

int shell_add_image(struct shell *s, const char *name, const char *format)
{
	struct shell_image *images = alloc_resize(s->images, s->nimages + 1, sizeof *images);
	struct shell_image *img;

	if (!images)
		return shell_nomem(s);
	s->images = images;
	img = &images[s->nimages];
	*img = (struct shell_image){ alloc_strdup(name), format ? alloc_strdup(format) : NULL };
	s->nimages++;
	return img->name && (img->format || !format) ? 0 : shell_nomem(s);
}

static void removal(struct strbuf *command, const char *file)
{
	strbuf_puts(command, "rm -f ");
	shell_quote(command, file);
}

/* Their files: the confined process may remove none, the host side may. */
static void remove_scratch(struct shell *s)
{
	struct dry_error e;
	int status;

	for (size_t i = 0; i < s->nscratch; i++) {
		CLEANUP(strbuf_free) struct strbuf command = STRBUF_INIT;

		removal(&command, s->scratch[i]);
		if (s->host && !command.failed)
			host_run(s->host, command.s, &status, &e);
		free(s->scratch[i]);
	}
	free(s->scratch);
}

void shell_free(struct shell *s)
{
	shell_end(s, false);
	shell_local_end(s);
	for (size_t i = 0; i < s->nimages; i++) {
		free(s->images[i].name);
		free(s->images[i].format);
	}
	free(s->images);
	free(s->prepared);
	for (size_t i = 0; i < s->nmappings; i++) {
		free(s->mappings[i].name);
		free(s->mappings[i].volume);
		free(s->mappings[i].shown);
		free(s->mappings[i].box);
	}
	free(s->mappings);
	for (size_t i = 0; i < s->nmounted; i++) {
		free(s->mounted[i].path);
		free(s->mounted[i].options);
	}
	free(s->mounted);
	remove_scratch(s);
	free(s->buf);
	free(s->prompt);
	regex_free(s->regex);
	strbuf_free(&s->out);
	host_side_stop(s->host);
	*s = (struct shell){ .name = s->name, .out = STRBUF_INIT };
}

/* ---- the launch ---- */

static int make_guest(struct shell *s)
{
	CLEANUP(free_ptr) const char **names = alloc_array(s->nimages, sizeof *names);
	CLEANUP(free_ptr) const char **formats = alloc_array(s->nimages, sizeof *formats);

	if (!names || !formats)
		return shell_nomem(s);
	for (size_t i = 0; i < s->nimages; i++) {
		names[i] = s->images[i].name;
		formats[i] = s->images[i].format ? s->images[i].format : s->opts->image.format;
	}
	return guest_set_add(&s->set, names, formats, s->nimages) ? -1 : 0;
}

/* A session that changes the guest. */
static int begin_change(struct shell *s)
{
	const struct opt_list *texts = &s->opts->mounts;
	const size_t nmounts = s->nprepared ? 0 : texts->n; /* what is prepared is not there yet */
	CLEANUP(free_ptr) struct dry_shell_mount *mounts = alloc_array(texts->n + 1, sizeof *mounts);
	CLEANUP(free_ptr) char **copies = alloc_array(texts->n + 1, sizeof *copies);
	struct dry_error e = { .code = DRY_OK };
	const struct dry_change_how how = {
		.mounts = mounts,
		.nmounts = nmounts,
		.inspect = s->inspect,
		.any = true,
		.all_volumes = true,
	};
	int rc = 0;

	if (!mounts || !copies || guest_mounts_split(texts, mounts, copies))
		rc = shell_nomem(s);
	else if (dry_guest_change(s->g, &how, &s->c, &e) < 0)
		rc = shell_error(s, "%s", e.msg);
	if (rc == 0 && s->nprepared)
		rc = shell_prepare_content(s);
	for (size_t i = nmounts; i < texts->n && rc == 0; i++)
		rc = shell_mount(s, mounts[i].volume, mounts[i].path, mounts[i].options, mounts[i].type);
	for (size_t i = 0; copies && i < texts->n; i++)
		free(copies[i]);
	return rc;
}

static int begin_reading(struct shell *s)
{
	struct dry_error e = { .code = DRY_OK };

	if (s->inspect && dry_guest_mount_auto(s->g, true, &e) < 0)
		return shell_error(s, "%s", e.msg);
	for (size_t i = 0; i < s->opts->mounts.n; i++)
		if (guest_mount_given(s->g, s->opts->mounts.items[i], &e) < 0)
			return shell_error(s, "%s", e.msg);
	return 0;
}

bool shell_launch_wanted(const struct shell *s)
{
	return s->inspect || s->opts->mounts.n || s->nprepared;
}

/* The library of grep is a file, which cannot be opened any more once the process is confined: an expression keeps it.
 */
static void load_regex(struct shell *s)
{
	struct err unwanted = ERR_INIT;

	if (!s->regex && regex_new("x", 1, 0, &s->regex, &unwanted) < 0)
		s->regex = NULL; /* grep will say so */
}

/* From here on the host side does nothing but what the script says, and what the session's end and "mount-local" need. */
static int seal_host(struct shell *s)
{
	struct host_allowed a = { .items = NULL };
	struct dry_error e = { .code = DRY_OK };
	int rc;

	host_allow(&a, HOST_OUTPUT, "pwd");
	for (size_t i = 0; i < s->nscratch; i++) {
		CLEANUP(strbuf_free) struct strbuf command = STRBUF_INIT;

		removal(&command, s->scratch[i]);
		if (!command.failed)
			host_allow(&a, HOST_RUN, command.s);
	}
	rc = host_only(s->host, &a, &e);
	host_allow_forget(&a, 0);
	free(a.items);
	return rc < 0 ? shell_error(s, "%s", e.msg) : 0;
}

int shell_launch(struct shell *s)
{
	const unsigned writes = DRY_OPEN_WRITE | DRY_OPEN_CHANGE | (s->peer ? DRY_OPEN_GUESS_WRITE : 0);
	struct guest_confine confine = {
		.write_dir = -1,
		.trust_backing = s->peer,
		.image_flags = s->readonly ? 0 : writes,
		.throwaway = s->readonly,
		.shell = isatty(STDIN_FILENO),
		.mount = true,
	};
	bool fatal;
	int rc;

	if (s->launched)
		return 0;
	if (s->ended)
		return shell_error(s, "the session was shut down");
	if (!s->nimages)
		return shell_error(s, "no disk was added");
	s->buf = s->buf ? s->buf : alloc_bytes(GUEST_FILE_CHUNK);
	if (!s->buf)
		return shell_nomem(s);
	load_regex(s);
	shell_local_start(s);
	rc = make_guest(s);
	if (rc)
		return rc;
	s->opts->needs_machine = !s->readonly;
	/* A guest that runs is looked at as well, but not written to. */
	s->opts->image.force_share |= s->peer && s->readonly;
	s->opts->keys.peer = s->peer ? s->name : NULL;
	/* Who inspects is asked for what is locked; for others a key is read by the command that needs it. */
	s->keys_from_stdin = s->opts->keys.from_stdin;
	s->opts->keys.ask |= s->inspect;
	s->opts->keys.from_stdin &= s->inspect;
	s->opts->keys.later = !s->keys_from_stdin;
	if (s->scripted && seal_host(s))
		return -1;
	if (guest_set_open(s->opts, &confine, &s->set, &fatal) || fatal) {
		s->ended = true;
		return -1;
	}
	s->g = s->set.guests[0].guest;
	s->launched = true;
	rc = s->readonly ? begin_reading(s) : begin_change(s);
	s->opts->keys.silent = true;
	guest_notes(s->opts, &s->set.guests[0]);
	return rc;
}

int shell_end(struct shell *s, bool keep)
{
	struct dry_error e = { .code = DRY_OK };
	int rc = 0;

	if (s->c && keep && !s->readonly && dry_change_commit(take(s->c), NULL, &e) < 0)
		rc = shell_error(s, "%s", e.msg);
	dry_change_abandon(take(s->c));
	shell_augeas_free(s);
	if (s->readonly && s->g && dry_guest_written(s->g))
		shell_error(s, "%s: " GUEST_WRITTEN, dry_guest_written(s->g));
	if (s->launched)
		s->ended = true;
	s->launched = false;
	s->g = NULL;
	guest_set_free(&s->set);
	return rc;
}

/* ---- what commands ask of it ---- */

/* A Windows path in the tree: on the drive that it names, where that is mounted. */
static char *windows_path(struct shell *s, const char *path)
{
	const bool letter = path[0] && path[1] == ':';
	CLEANUP(free_ptr) char *slashes = NULL;
	struct dry_windows w;
	struct dry_error e = { .code = DRY_OK };
	struct dry_mount m;
	const char *volume = NULL, *under = letter ? NULL : "";
	char *found;

	if (dry_guest_windows(s->g, &w, &e) < 0)
		return shell_error(s, "win:%s: %s", path, e.msg), NULL;
	for (size_t i = 0; letter && i < w.ndrives; i++)
		if ((w.drives[i].letter | 0x20) == (path[0] | 0x20))
			volume = w.drives[i].volume;
	for (size_t i = 0; volume && dry_guest_mount_at(s->g, i, &m) && !under; i++)
		if (strcmp(m.volume, volume) == 0)
			under = strcmp(m.path, "/") == 0 ? "" : m.path;
	if (!under)
		return shell_error(s, "win:%s: drive %c: is %s", path, path[0],
				   volume ? "not mounted" : "not one of this guest"),
		       NULL;
	path += letter ? 2 : 0;
	slashes = alloc_printf("%s%s%s", under, *path == '/' || *path == '\\' ? "" : "/", path);
	for (char *p = slashes; p && *p; p++)
		if (*p == '\\')
			*p = '/';
	if (!slashes)
		return shell_nomem(s), NULL;
	if (guest_case_path(s->g, slashes, &found, &e) < 0)
		return shell_fail(s, slashes, &e), NULL;
	return found;
}

char *shell_path(struct shell *s, const char *path)
{
	char *copy;

	if (strncmp(path, "win:", 4) == 0)
		return windows_path(s, path + 4);
	copy = alloc_strdup(path);
	if (!copy)
		shell_nomem(s);
	return copy;
}

int shell_stat(struct shell *s, const char *path, bool follow, struct dry_node *node, struct dry_stat *st)
{
	struct dry_error e = { .code = DRY_OK };

	if (dry_guest_lookup(s->g, path, follow, node, &e) < 0 || dry_node_stat(s->g, *node, st, &e) < 0)
		return shell_fail(s, path, &e);
	return 0;
}
