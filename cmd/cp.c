/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cp.c - drydock cp: files and trees out of guests (what is done to the host is in cp_target.c), and into one (cp_in.c). */
#include "alloc.h"
#include "cp_in.h"
#include "cp_target.h"
#include "guest_file.h"
#include "guest_opts.h"
#include "json.h"
#include "out.h"
#include "progress.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct cp {
	struct change_opts change;
	bool recursive, no_preserve, no_owner, no_xattrs, all_xattrs, setuid;
	int devices;
	struct cp_target target;
	struct progress bar;
	uint64_t total;
	/* the operand at work */
	struct guest_ref *ref;
	const char *into; /* name for the start; NULL: the target's folder itself */
	uint64_t entries, bytes; /* that were copied of it, and of the content of files */
	bool stop;
	struct json j;
};

static const char *base_of(const char *path, char *buf, size_t size)
{
	size_t len = strlen(path), at;

	while (len && path[len - 1] == '/')
		len--;
	for (at = len; at && path[at - 1] != '/'; at--)
		;
	if (len - at >= size)
		return NULL;
	memcpy(buf, path + at, len - at);
	buf[len - at] = '\0';
	return buf;
}

static int visit(void *arg, const struct dry_entry *ent)
{
	struct cp *c = arg;
	struct dry_error e = { .code = DRY_OK };
	const char *name = ent->depth ? ent->name : c->into;
	int rc;

	if (!ent->leaving && ent->depth == 0 && S_ISDIR(ent->stat.mode) && !c->recursive) {
		cmd_warn("%s: %s is a directory; -R copies it", c->ref->label, ent->path);
		c->target.failures++;
		return DRY_WALK_STOP;
	}
	rc = ent->leaving ? cp_target_leave(&c->target, ent, &e) : cp_target_put(&c->target, name, ent, &e);
	if (rc >= 0) {
		c->entries += !ent->leaving;
		c->bytes += S_ISREG(ent->stat.mode) ? ent->stat.size : 0;
		return DRY_WALK_ON;
	}
	if (e.code == DRY_CANCELED) {
		c->stop = true;
		return DRY_WALK_STOP;
	}
	guest_fail(c->ref, &e);
	c->target.failures++;
	/* On a full disk each further file would fail the same way. */
	if (e.code == DRY_SYSTEM && (e.sys_errno == ENOSPC || e.sys_errno == EDQUOT || e.sys_errno == EROFS)) {
		c->stop = true;
		return DRY_WALK_STOP;
	}
	return S_ISDIR(ent->stat.mode) && !ent->leaving ? DRY_WALK_SKIP : DRY_WALK_ON;
}

static int visit_failed(void *arg, const char *path, const struct dry_error *why)
{
	struct cp *c = arg;

	(void)path;
	guest_fail(c->ref, why);
	c->target.failures++;
	return 0;
}

static int add_size(void *arg, const struct dry_entry *ent)
{
	struct cp *c = arg;

	if (S_ISREG(ent->stat.mode))
		c->total += ent->stat.size;
	return DRY_WALK_ON;
}

static int ignore(void *arg, const char *path, const struct dry_error *why)
{
	(void)arg;
	(void)path;
	(void)why;
	return 0;
}

/* What there is to copy is counted first where somebody looks on. */
static void count_all(struct cp *c, struct guest_set *s)
{
	const struct dry_walk walk = {
		.max_depth = c->recursive ? DRY_DEPTH_ALL : 0,
		.fn = add_size,
		.failed = ignore,
		.arg = c,
	};

	for (size_t i = 0; i < s->nitems; i++) {
		struct dry_guest *g = guest_ready(&c->change.guest, s, s->items[i].guest);
		struct dry_error e = { .code = DRY_OK };

		if (g)
			dry_guest_walk(g, s->items[i].path, &walk, &e);
	}
}

/* What became of an operand. */
static void tell(struct cp *c, const char *path, size_t failures)
{
	if (!c->change.json)
		return;
	json_object(&c->j, NULL);
	json_str(&c->j, "image", c->ref->label);
	json_str(&c->j, "path", path);
	json_u64(&c->j, "entries", c->entries);
	json_u64(&c->j, "bytes", c->bytes);
	json_u64(&c->j, "failures", failures);
	json_object_end(&c->j);
}

static void copy_item(struct cp *c, struct guest_set *s, const struct guest_item *item, const char *name)
{
	size_t failures = c->target.failures;
	char base[256];
	struct dry_error e = { .code = DRY_OK };
	const struct dry_walk walk = {
		.leave = true,
		.max_depth = DRY_DEPTH_ALL,
		.fn = visit,
		.failed = visit_failed,
		.arg = c,
	};

	c->ref = &s->guests[item->guest];
	c->entries = c->bytes = 0;
	c->target.guest = guest_ready(&c->change.guest, s, item->guest);
	if (!c->target.guest) {
		c->target.failures++;
		tell(c, item->path, 1);
		return;
	}
	if (!name) {
		name = base_of(item->path, base, sizeof base);
		/* The guest's root, and "dir/..", have no name: what they hold goes into the folder itself. */
		if (name && (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0))
			name = NULL;
	}
	c->into = name;
	if (dry_guest_walk(c->target.guest, item->path, &walk, &e) < 0) {
		guest_fail(c->ref, &e);
		c->target.failures++;
	}
	cp_target_forget(&c->target); /* inodes of another guest are other files */
	tell(c, item->path, c->target.failures - failures);
}

static int copy_all(struct cp *c, struct guest_set *s, const char *name)
{
	CLEANUP(strbuf_free) struct strbuf text = STRBUF_INIT;
	int lost = EXIT_DONE;

	c->j = (struct json)JSON_INIT(&text, false);
	json_array(&c->j, NULL);
	progress_begin(&c->bar, (enum progress_mode)c->change.progress);
	if (c->bar.mode != PROGRESS_NONE)
		count_all(c, s);
	c->target.progress = progress_watch(&c->bar);
	c->target.total = c->total;
	for (size_t i = 0; i < s->nitems && !c->stop; i++)
		copy_item(c, s, &s->items[i], name);
	if (!c->stop && c->total)
		c->target.progress.run(c->target.progress.arg, c->total, c->total);
	progress_end(&c->bar);
	json_array_end(&c->j);
	strbuf_putc(&text, '\n');
	if (c->change.json)
		lost = out_flush(&text);
	if (c->target.devices_left)
		cmd_warn("%zu device node%s left out; --devices=make makes them (as root), --devices=skip says nothing",
			 c->target.devices_left, c->target.devices_left == 1 ? " was" : "s were");
	if (c->target.setuid_lost)
		cmd_warn("%zu file%s lost a set-user-id or set-group-id bit or capabilities; --setuid keeps them",
			 c->target.setuid_lost, c->target.setuid_lost == 1 ? "" : "s");
	if (c->target.canceled)
		return progress_stopped();
	return lost || c->target.failures || (c->target.devices_left && c->devices != CP_DEVICES_SKIP) ? EXIT_FAILED : EXIT_DONE;
}

/*
 * Opens the folder that is written to.  A target that is a folder: that one, and names come from the sources (*name
 * NULL).  Else the folder it lies in, and its own name.
 */
static int open_target(struct cp *c, const char *target, size_t nsources, const char **name, char *buf, size_t size)
{
	struct stat st;
	const char *base = base_of(target, buf, size);
	bool is_dir = stat(target, &st) == 0 && S_ISDIR(st.st_mode);
	CLEANUP(free_ptr) char *folder = NULL;
	size_t len = strlen(target);

	*name = NULL;
	if (!is_dir && nsources > 1) {
		cmd_warn("%s is not a folder: several files cannot be copied to it", target);
		return EXIT_USAGE;
	}
	if (!is_dir && (!base || !*base || strcmp(base, ".") == 0 || strcmp(base, "..") == 0)) {
		cmd_warn("%s: %s", target, strerror(errno ? errno : ENOENT));
		return EXIT_FAILED;
	}
	if (is_dir) {
		folder = alloc_strdup(target);
	} else {
		while (len && target[len - 1] == '/')
			len--;
		len -= strlen(base);
		folder = len ? alloc_strndup(target, len) : alloc_strdup(".");
		*name = base;
	}
	if (!folder) {
		cmd_warn("out of memory");
		return EXIT_FAILED;
	}
	c->target.base = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->target.base < 0) {
		cmd_warn("%s: %s", folder, strerror(errno));
		return EXIT_FAILED;
	}
	return 0;
}

static int into_guest(struct cp *c, int nsources, char **sources, char *target)
{
	const struct cp_in in = { .change = &c->change, .recursive = c->recursive, .no_preserve = c->no_preserve,
				  .no_owner = c->no_owner, .no_xattrs = c->no_xattrs, .all_xattrs = c->all_xattrs,
				  .setuid = c->setuid };

	if (c->devices != CP_DEVICES_FAIL)
		return cmd_usage("cp", "--devices is for copying out of guests: in a guest, device nodes are made");
	for (int i = 0; i < nsources; i++)
		if (!c->change.guest.images.n && !c->change.guest.domains.n && guest_split(sources[i]) &&
		    access(sources[i], F_OK) < 0)
			return cmd_usage("cp", "\"%s\" and \"%s\" are both in guests: copy out first", sources[i], target);
	return cp_in(&in, (size_t)nsources, sources, target);
}

static int run(struct cp *c, int argc, char **argv)
{
	CLEANUP(guest_set_free) struct guest_set set = { .guests = NULL };
	struct guest_confine confine = { .write_dir = -1 };
	bool fatal, root = geteuid() == 0;
	char buf[256], *target;
	const char *name;
	int status;

	if (argc < 2)
		return cmd_usage("cp", "name what to copy and where to: IMAGE:/path TARGET, or FILE IMAGE:/path");
	cp_in_target(&c->change, argv[argc - 1], &target);
	if (target)
		return into_guest(c, argc - 1, argv, target);
	if (c->change.dry_run || c->change.undo)
		return cmd_usage("cp", "--dry-run and --undo-file are for copying into a guest");
	if (c->change.inspect && c->change.guest.mounts.n)
		return cmd_usage("cp", "-i and -m exclude each other");
	if (c->devices == CP_DEVICES_MAKE && !root)
		return cmd_usage("cp", "--devices=make: only root can make device nodes");
	status = guest_set_paths("cp", &c->change.guest, argc - 1, argv, &set);
	for (size_t i = 0; i < set.nitems && !status; i++)
		if (!set.items[i].path)
			status = cmd_usage("cp", "name a file in the guest, as in %s:/etc", set.guests[set.items[i].guest].label);
	if (!status)
		status = open_target(c, argv[argc - 1], set.nitems, &name, buf, sizeof buf);
	if (status)
		return status;
	c->target.keep = !c->no_preserve;
	c->target.owners = root && !c->no_preserve && !c->no_owner;
	c->target.user_xattrs = !c->no_preserve && !c->no_xattrs;
	c->target.system_xattrs = c->target.user_xattrs && (root || c->all_xattrs);
	c->target.ntfs_xattrs = c->target.user_xattrs && c->all_xattrs;
	c->target.setuid = c->setuid;
	c->target.devices = (enum cp_devices)c->devices;
	cp_target_begin(&c->target);
	confine.write_dir = c->target.base;
	status = guest_set_open(&c->change.guest, &confine, &set, &fatal);
	return fatal ? status : status | copy_all(c, &set, name);
}

int cmd_cp(int argc, char **argv)
{
	struct cp c = { .change = CHANGE_OPTS_INIT, .target = CP_TARGET_INIT };
	const struct usage u = { "cp", "[options] IMAGE:/PATH... TARGET | FILE... IMAGE:/PATH",
				 "Copies files and trees out of guests, and into one." };
	const struct opt opts[] = {
		CHANGE_OPTS(&c.change, 'd'),
		OPT_FLAG('R', "recursive", &c.recursive, "copy directories with all that is in them"),
		OPT_FLAG(0, "no-preserve", &c.no_preserve, "keep no modes, times, owners, extended attributes"),
		OPT_FLAG(0, "no-owner", &c.no_owner, "as root: files belong to root"),
		OPT_FLAG(0, "no-xattrs", &c.no_xattrs, "keep no extended attributes"),
		OPT_FLAG(0, "xattrs", &c.all_xattrs, "keep all of them, not only user.*, also when not root"),
		OPT_FLAG(0, "setuid", &c.setuid, "keep set-user-id and set-group-id bits and capabilities of files"),
		OPT_CHOICE(0, "devices", "fail|skip|make", &c.devices, cp_devices_words, "what to do about device nodes"),
		OPT_END,
	};
	int status = EXIT_USAGE;

	switch (opts_parse(&u, opts, &argc, &argv)) {
	case OPTS_DONE:
		status = EXIT_DONE;
		break;
	case OPTS_OK:
		status = run(&c, argc, argv);
		break;
	case OPTS_BAD:
		break;
	}
	cp_target_free(&c.target);
	change_opts_free(&c.change);
	return status;
}
