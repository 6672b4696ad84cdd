/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shell_list.c - commands of the shell that list files and tell what they are. */
#include "shell.h"

#include "alloc.h"
#include "guest_case.h"
#include "guest_file.h"
#include "out.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <time.h>

/* ---- folders ---- */

struct listing {
	struct shell *s;
	size_t strip; /* bytes of paths that are not shown */
	char *parent; /* of the folder that is listed */
	uint64_t blocks;
	struct strbuf text;
};

static int ls_entry(void *arg, const struct dry_entry *ent)
{
	struct listing *l = arg;

	if (ent->depth)
		shell_line(l->s, ent->name);
	return l->s->lost ? DRY_WALK_STOP : DRY_WALK_ON;
}

/* What is listed must be a folder. */
static int folder(struct shell *s, const char *path)
{
	struct dry_node n;
	struct dry_stat st;

	if (shell_stat(s, path, true, &n, &st))
		return -1;
	return S_ISDIR(st.mode) ? 0 : shell_error(s, "%s: %s", path, strerror(ENOTDIR));
}

static int ls(struct shell *s, struct call *c)
{
	struct listing l = { .s = s };
	const struct dry_walk walk = { .max_depth = 1, .fn = ls_entry, .arg = &l };
	struct dry_error e = { .code = DRY_OK };

	if (folder(s, c->arg[0]))
		return -1;
	return dry_guest_walk(s->g, c->arg[0], &walk, &e) < 0 ? shell_fail(s, c->arg[0], &e) : 0;
}

/* A line as "ls -l" prints it, with numbers for owners. */
static void long_line(struct listing *l, const char *name, struct dry_node node, const struct dry_stat *st)
{
	char mode[11], when[40];
	const time_t mtime = (time_t)st->mtime.sec, now = time(NULL);
	struct tm tm;
	char *target = NULL;

	l->blocks += st->blocks512;
	if (!localtime_r(&mtime, &tm) ||
	    !strftime(when, sizeof when, mtime > now || now - mtime > 15778476 ? "%b %e  %Y" : "%b %e %H:%M", &tm))
		snprintf(when, sizeof when, "?");
	strbuf_printf(&l->text, "%s %" PRIu32 " %" PRIu32 " %" PRIu32 " ", guest_mode_text(st->mode, mode), st->nlink,
		      st->uid, st->gid);
	if (S_ISCHR(st->mode) || S_ISBLK(st->mode))
		strbuf_printf(&l->text, "%" PRIu32 ", %" PRIu32, st->rdev_major, st->rdev_minor);
	else
		strbuf_printf(&l->text, "%4" PRIu64, st->size);
	strbuf_printf(&l->text, " %s %s", when, name);
	if (S_ISLNK(st->mode) && dry_node_readlink(l->s->g, node, &target, NULL) >= 0)
		strbuf_printf(&l->text, " -> %s", target);
	free(target);
	strbuf_putc(&l->text, '\n');
}

static int ll_entry(void *arg, const struct dry_entry *ent)
{
	struct listing *l = arg;

	struct dry_node up;
	struct dry_stat st;

	long_line(l, ent->depth ? ent->name : ".", ent->node, &ent->stat);
	if (!ent->depth && l->parent && dry_guest_lookup(l->s->g, l->parent, true, &up, NULL) >= 0 &&
	    dry_node_stat(l->s->g, up, &st, NULL) >= 0)
		long_line(l, "..", up, &st);
	return DRY_WALK_ON;
}

static int ll(struct shell *s, struct call *c)
{
	struct listing l = { .s = s, .text = STRBUF_INIT };
	const struct dry_walk walk = { .max_depth = 1, .fn = ll_entry, .arg = &l };
	struct dry_error e = { .code = DRY_OK };
	struct dry_node n;
	struct dry_stat st;
	int rc;

	if (shell_stat(s, c->arg[0], true, &n, &st))
		return -1;
	if (S_ISDIR(st.mode)) {
		l.parent = alloc_printf("%s/..", c->arg[0]);
		rc = dry_guest_walk(s->g, c->arg[0], &walk, &e);
		shell_printf(s, "total %" PRIu64 "\n", l.blocks / 2);
	} else {
		long_line(&l, c->arg[0], n, &st);
		rc = 0;
	}
	shell_bytes(s, l.text.s, l.text.len);
	strbuf_free(&l.text);
	free(l.parent);
	if (s->peer)
		shell_printf(s, "\n");
	return rc < 0 ? shell_fail(s, c->arg[0], &e) : 0;
}

static int find_entry(void *arg, const struct dry_entry *ent)
{
	struct listing *l = arg;

	if (ent->depth)
		shell_line(l->s, ent->path + MIN_OF(l->strip, strlen(ent->path)));
	return l->s->lost ? DRY_WALK_STOP : DRY_WALK_ON;
}

static int find(struct shell *s, struct call *c)
{
	struct listing l = { .s = s, .strip = strlen(c->arg[0]) };
	const struct dry_walk walk = { .max_depth = DRY_DEPTH_ALL, .fn = find_entry, .arg = &l };
	struct dry_error e = { .code = DRY_OK };

	if (folder(s, c->arg[0]))
		return -1;
	return dry_guest_walk(s->g, c->arg[0], &walk, &e) < 0 ? shell_fail(s, c->arg[0], &e) : 0;
}

static int du_entry(void *arg, const struct dry_entry *ent)
{
	struct listing *l = arg;

	/* A file of several names counts for each: what is removed with all of them is no more. */
	l->blocks += ent->stat.blocks512;
	return shell_stopped() ? DRY_WALK_STOP : DRY_WALK_ON;
}

static int du(struct shell *s, struct call *c)
{
	struct listing l = { .s = s };
	const struct dry_walk walk = { .max_depth = DRY_DEPTH_ALL, .fn = du_entry, .arg = &l };
	struct dry_error e = { .code = DRY_OK };

	if (dry_guest_walk(s->g, c->arg[0], &walk, &e) < 0)
		return shell_fail(s, c->arg[0], &e);
	shell_printf(s, "%" PRIu64 "\n", l.blocks / 2);
	return 0;
}

/* ---- what is there ---- */

static int is_type(struct shell *s, struct call *c)
{
	static const struct {
		const char *name;
		uint32_t type;
	} types[] = { { "is-file", S_IFREG },	 { "is-dir", S_IFDIR },	     { "is-symlink", S_IFLNK },
		      { "is-chardev", S_IFCHR }, { "is-blockdev", S_IFBLK }, { "is-fifo", S_IFIFO },
		      { "is-socket", S_IFSOCK } };
	struct dry_error e = { .code = DRY_OK };
	struct dry_node n;
	struct dry_stat st;
	uint32_t type = 0;
	bool follow = false;

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (strcmp(types[i].name, s->cmd->name) == 0)
			type = types[i].type;
	if (strchr(s->cmd->args, '[') && shell_opt_truth(s, c, "followsymlinks", &follow))
		return -1;
	if (dry_guest_lookup(s->g, c->arg[0], follow, &n, &e) < 0) {
		if (e.code == DRY_NOT_FOUND || e.sys_errno == ENOENT || e.sys_errno == ENOTDIR)
			return shell_bool(s, false);
		return shell_fail(s, c->arg[0], &e);
	}
	if (dry_node_stat(s->g, n, &st, &e) < 0)
		return shell_fail(s, c->arg[0], &e);
	return shell_bool(s, !type || (st.mode & S_IFMT) == type);
}

static int readlink_(struct shell *s, struct call *c)
{
	struct dry_error e = { .code = DRY_OK };
	struct dry_node n;
	char *target;

	if (dry_guest_lookup(s->g, c->arg[0], false, &n, &e) < 0 || dry_node_readlink(s->g, n, &target, &e) < 0)
		return shell_fail(s, c->arg[0], &e);
	shell_line(s, target);
	free(target);
	return 0;
}

static int case_sensitive_path(struct shell *s, struct call *c)
{
	struct dry_error e = { .code = DRY_OK };
	char *path;

	if (guest_case_path(s->g, c->arg[0], &path, &e) < 0)
		return shell_fail(s, c->arg[0], &e);
	shell_line(s, path);
	free(path);
	return 0;
}

/* As Linux has it. */
enum { LINKS_MAX = 40 };

/* The path without links: each component is looked at, and what a link says is put before the rest. */
static int realpath_(struct shell *s, struct call *c)
{
	CLEANUP(strbuf_free) struct strbuf done = STRBUF_INIT;
	char *rest = alloc_strdup(c->arg[0]);
	struct dry_error e = { .code = DRY_OK };
	unsigned links = 0;
	int rc = rest ? 0 : shell_nomem(s);

	while (rc == 0 && *rest) { /* ends: each turn takes a component, and links are counted */
		char *at = rest + strspn(rest, "/");
		const size_t len = strcspn(at, "/"), before = done.len;
		struct dry_node n;
		struct dry_stat st;
		char *target = NULL, *next = NULL;

		if (!len || (len == 1 && *at == '.')) {
			next = alloc_strdup(at + len);
		} else if (len == 2 && at[0] == '.' && at[1] == '.') {
			while (done.len && done.s[done.len - 1] != '/')
				done.len--;
			done.len -= done.len > 0;
			if (done.cap)
				done.s[done.len] = '\0';
			next = alloc_strdup(at + len);
		} else {
			strbuf_putc(&done, '/');
			strbuf_add(&done, at, len);
			if (done.failed) {
				rc = shell_nomem(s);
			} else if (dry_guest_lookup(s->g, done.s, false, &n, &e) < 0 ||
				   dry_node_stat(s->g, n, &st, &e) < 0 ||
				   (S_ISLNK(st.mode) && dry_node_readlink(s->g, n, &target, &e) < 0)) {
				rc = shell_fail(s, c->arg[0], &e);
			} else if (target && ++links > LINKS_MAX) {
				rc = shell_error(s, "%s: %s", c->arg[0], strerror(ELOOP));
			} else if (target) {
				done.s[done.len = *target == '/' ? 0 : before] = '\0';
				next = alloc_printf("%s%s", target, at + len);
			} else {
				next = alloc_strdup(at + len);
			}
		}
		free(target);
		if (rc == 0 && !next)
			rc = shell_nomem(s);
		if (next) {
			free(rest);
			rest = next;
		}
	}
	free(rest);
	if (rc == 0)
		shell_line(s, done.len ? done.s : "/");
	return rc;
}

/* ---- facts ---- */

static uint64_t device_number(uint32_t major, uint32_t minor)
{
	return (uint64_t)(minor & 0xff) | (uint64_t)(major & 0xfff) << 8 | (uint64_t)(minor & ~0xffu) << 12 |
	       (uint64_t)(major & ~0xfffu) << 32;
}

static int stat_(struct shell *s, struct call *c)
{
	const char *name = s->cmd->name;
	const bool follow = *name != 'l', ns = name[strlen(name) - 1] == 's';
	struct dry_node n;
	struct dry_stat st;

	if (shell_stat(s, c->arg[0], follow, &n, &st))
		return -1;
	if (!ns) {
		shell_printf(s,
			     "dev: %" PRIu64 "\nino: %" PRIu64 "\nmode: %" PRIu32 "\nnlink: %" PRIu32 "\nuid: %" PRIu32
			     "\ngid: %" PRIu32 "\nrdev: %" PRIu64 "\nsize: %" PRIu64 "\nblksize: %d\nblocks: %" PRIu64
			     "\natime: %" PRId64 "\nmtime: %" PRId64 "\nctime: %" PRId64 "\n",
			     st.dev, st.ino, st.mode, st.nlink, st.uid, st.gid,
			     device_number(st.rdev_major, st.rdev_minor), st.size, 4096, st.blocks512, st.atime.sec,
			     st.mtime.sec, st.ctime.sec);
		return 0;
	}
	shell_printf(s,
		     "st_dev: %" PRIu64 "\nst_ino: %" PRIu64 "\nst_mode: %" PRIu32 "\nst_nlink: %" PRIu32
		     "\nst_uid: %" PRIu32 "\nst_gid: %" PRIu32 "\nst_rdev: %" PRIu64 "\nst_size: %" PRIu64
		     "\nst_blksize: %d\nst_blocks: %" PRIu64 "\n",
		     st.dev, st.ino, st.mode, st.nlink, st.uid, st.gid, device_number(st.rdev_major, st.rdev_minor),
		     st.size, 4096, st.blocks512);
	shell_printf(s,
		     "st_atime_sec: %" PRId64 "\nst_atime_nsec: %" PRIu32 "\nst_mtime_sec: %" PRId64
		     "\nst_mtime_nsec: %" PRIu32 "\nst_ctime_sec: %" PRId64 "\nst_ctime_nsec: %" PRIu32 "\n",
		     st.atime.sec, st.atime.nsec, st.mtime.sec, st.mtime.nsec, st.ctime.sec, st.ctime.nsec);
	for (int i = 1; i <= 6; i++)
		shell_printf(s, "st_spare%d: 0\n", i);
	return 0;
}

struct xattrs {
	struct shell *s;
	const char *name; /* the one that is wanted; NULL: all */
	unsigned n;
	bool found;
};

static int show_xattr(void *arg, const char *name, const void *value, size_t len)
{
	struct xattrs *x = arg;
	CLEANUP(strbuf_free) struct strbuf quoted = STRBUF_INIT;

	if (x->name && strcmp(x->name, name) == 0) {
		shell_bytes(x->s, value, len);
		shell_printf(x->s, "\n");
		x->found = true;
		return 1;
	}
	if (x->name)
		return 0;
	text_quote(&quoted, value, len);
	shell_printf(x->s, "[%u] = {\n  attrname: %s\n  attrval: %s\n}\n", x->n++, name, quoted.s);
	return 0;
}

static int getxattrs(struct shell *s, struct call *c)
{
	const bool one = strstr(s->cmd->name, "xattrs") == NULL;
	struct xattrs x = { .s = s, .name = one ? c->arg[1] : NULL };
	struct dry_error e = { .code = DRY_OK };
	struct dry_node n;

	if (dry_guest_lookup(s->g, c->arg[0], *s->cmd->name != 'l', &n, &e) < 0 ||
	    dry_node_xattrs(s->g, n, show_xattr, &x, &e) < 0)
		return shell_fail(s, c->arg[0], &e);
	return one && !x.found ? shell_error(s, "%s: %s: %s", c->arg[0], c->arg[1], strerror(ENODATA)) : 0;
}

#define IS(n, h)                                                                                                       \
	{                                                                                                              \
		n, NULL, "/path", h, is_type, 0, NULL                                                                  \
	}
#define IS_LINKED(n, h)                                                                                                \
	{                                                                                                              \
		n, NULL, "/path [?followsymlinks]", h, is_type, 0, NULL                                                \
	}
#define STAT(n, h)                                                                                                     \
	{                                                                                                              \
		n, NULL, "/path", h, stat_, 0, NULL                                                                    \
	}
static const struct shell_command commands[] = {
	{ "ls", NULL, "/directory", "list the files in a directory", ls, 0, "ls0" },
	{ "ll", NULL, "/directory", "list the files in a directory (long format)", ll, 0, NULL },
	{ "find", NULL, "/directory", "list all files below a directory", find, 0, NULL },
	{ "du", NULL, "/path", "how many KiB the files at and below a path take", du, 0, NULL },
	IS("exists", "is there such a path?"),
	IS_LINKED("is-file", "is it a regular file?"),
	IS_LINKED("is-dir", "is it a directory?"),
	IS("is-symlink", "is it a symbolic link?"),
	IS_LINKED("is-chardev", "is it a character device?"),
	IS_LINKED("is-blockdev", "is it a block device?"),
	IS_LINKED("is-fifo", "is it a pipe?"),
	IS_LINKED("is-socket", "is it a socket?"),
	STAT("stat", "what is known of a file"),
	STAT("lstat", "what is known of a file, or of a link itself"),
	STAT("statns", "what is known of a file, times to the nanosecond"),
	STAT("lstatns", "what is known of a file or a link, times to the nanosecond"),
	{ "readlink", NULL, "/path", "where a symbolic link leads", readlink_, 0, NULL },
	{ "realpath", NULL, "/path", "the path without symbolic links", realpath_, 0, NULL },
	{ "case-sensitive-path", NULL, "/path", "the path in the case that the guest has", case_sensitive_path, 0,
	  NULL },
	{ "getxattrs", NULL, "/path", "extended attributes of a file", getxattrs, 0, NULL },
	{ "lgetxattrs", NULL, "/path", "extended attributes of a file or a link", getxattrs, 0, NULL },
	{ "getxattr", NULL, "/path name", "one extended attribute of a file", getxattrs, 0, NULL },
	{ "lgetxattr", NULL, "/path name", "one extended attribute of a file or a link", getxattrs, 0, NULL },
};
const struct shell_group shell_list_group = SHELL_GROUP("which files there are", commands);
