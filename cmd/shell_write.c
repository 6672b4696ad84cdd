/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shell_write.c - commands of the shell that make, change and remove files. */
#include "shell.h"

#include "alloc.h"
#include "guest_file.h"
#include "guest_put.h"
#include "links.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

struct place {
	struct dry_node dir;
	char name[DRY_NAME_SIZE];
};

static int place_of(struct shell *s, const char *path, struct place *p)
{
	struct dry_error e = { .code = DRY_OK };

	return dry_change_parent(s->c, path, &p->dir, p->name, &e) < 0 ? shell_fail(s, path, &e) : 0;
}

/* An answer of the library about a path. */
static int answer(struct shell *s, const char *path, int rc, const struct dry_error *e)
{
	return rc < 0 ? shell_fail(s, path, e) : 0;
}

static struct dry_owner owner(const struct shell *s, uint32_t mode)
{
	return (struct dry_owner){ .mode = mode & ~s->umask };
}

static int node_of(struct shell *s, const char *path, bool follow, struct dry_node *n)
{
	struct dry_error e = { .code = DRY_OK };

	return answer(s, path, dry_guest_lookup(s->g, path, follow, n, &e), &e);
}

/* ---- make ---- */

static int make_folder(struct shell *s, const char *path, uint32_t mode)
{
	const struct dry_owner o = owner(s, mode);
	struct dry_error e = { .code = DRY_OK };
	struct place p;

	return place_of(s, path, &p) ? -1 : answer(s, path, dry_change_mkdir(s->c, p.dir, p.name, &o, NULL, &e), &e);
}

static int mkdir_(struct shell *s, struct call *c)
{
	return make_folder(s, c->arg[0], 0777);
}

static int mkdir_mode(struct shell *s, struct call *c)
{
	return make_folder(s, c->arg[0], (uint32_t)c->num[1] & 07777);
}

static int mkdir_p(struct shell *s, struct call *c)
{
	const struct dry_owner o = owner(s, 0777);
	struct dry_error e = { .code = DRY_OK };

	return answer(s, c->arg[0], dry_change_make_folders(s->c, c->arg[0], &o, &e), &e);
}

/* mktemp, mkdtemp: six X at the end of the name become letters that are free. */
static int make_temporary(struct shell *s, struct call *c)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	const bool folder = strcmp(s->cmd->name, "mkdtemp") == 0;
	const struct dry_owner o = { .mode = folder ? 0700 : 0600 };
	struct dry_error e = { .code = DRY_OK };
	const size_t len = strlen(c->arg[0]);
	char *x = c->arg[0] + len - MIN_OF(len, 6u);
	struct place p;

	if (len < 6 || strcmp(x, "XXXXXX") != 0)
		return shell_error(s, "%s: the name must end in XXXXXX", c->arg[0]);
	for (uint64_t n = 0; n < 100; n++) {
		uint64_t seed = (n + 1) * 0x9e3779b97f4a7c15u ^ (uint64_t)(uintptr_t)s ^ (uint64_t)time(NULL) << 20;
		int rc;

		for (int i = 0; i < 6; i++, seed = seed / 36 ^ seed << 7)
			x[i] = letters[seed % 36];
		if (place_of(s, c->arg[0], &p))
			return -1;
		rc = folder ? dry_change_mkdir(s->c, p.dir, p.name, &o, NULL, &e)
			    : dry_change_create(s->c, p.dir, p.name, &o, NULL, &e);
		if (rc >= 0) {
			shell_line(s, c->arg[0]);
			return 0;
		}
		if (e.sys_errno != EEXIST)
			break;
	}
	return shell_fail(s, c->arg[0], &e);
}

static int make_node(struct shell *s, uint32_t mode, uint32_t major, uint32_t minor, const char *path)
{
	const struct dry_owner o = { .mode = (mode & S_IFMT) | (mode & 07777 & ~s->umask) };
	struct dry_error e = { .code = DRY_OK };
	struct place p;

	return place_of(s, path, &p)
		       ? -1
		       : answer(s, path, dry_change_mknod(s->c, p.dir, p.name, &o, major, minor, NULL, &e), &e);
}

static int mkfifo_(struct shell *s, struct call *c)
{
	return make_node(s, S_IFIFO | ((uint32_t)c->num[0] & 07777), 0, 0, c->arg[1]);
}

static int mknod_(struct shell *s, struct call *c)
{
	const char *name = s->cmd->name;
	const uint32_t type = strcmp(name, "mknod-b") == 0 ? S_IFBLK : strcmp(name, "mknod-c") == 0 ? S_IFCHR : 0;

	return make_node(s, (uint32_t)c->num[0] | type, (uint32_t)c->num[1], (uint32_t)c->num[2], c->arg[3]);
}

/* "ln-sf": by the letters behind "ln-". */
static int link_(struct shell *s, struct call *c)
{
	const char *letters = s->cmd->name + 2;
	const bool symbolic = strchr(letters, 's'), force = strchr(letters, 'f');
	const struct dry_owner o = { .mode = 0777 };
	struct dry_error e = { .code = DRY_OK };
	struct dry_node n;
	struct place p;
	int rc;

	if (!symbolic && node_of(s, c->arg[0], false, &n))
		return -1;
	if (place_of(s, c->arg[1], &p))
		return -1;
	if (force && dry_change_unlink(s->c, p.dir, p.name, &e) < 0 && e.code != DRY_NOT_FOUND && e.sys_errno != ENOENT)
		return shell_fail(s, c->arg[1], &e);
	rc = symbolic ? dry_change_symlink(s->c, p.dir, p.name, c->arg[0], &o, NULL, &e)
		      : dry_change_link(s->c, n, p.dir, p.name, &e);
	return answer(s, c->arg[1], rc, &e);
}

static int touch(struct shell *s, struct call *c)
{
	const struct dry_owner o = owner(s, 0666);
	struct dry_error e = { .code = DRY_OK };
	struct timespec ts;
	struct dry_node n;
	struct dry_stat st;
	struct place p;

	if (dry_guest_lookup(s->g, c->arg[0], true, &n, &e) < 0) {
		if (place_of(s, c->arg[0], &p))
			return -1;
		return answer(s, c->arg[0], dry_change_create(s->c, p.dir, p.name, &o, NULL, &e), &e);
	}
	if (dry_node_stat(s->g, n, &st, &e) < 0)
		return shell_fail(s, c->arg[0], &e);
	if (s->peer && !S_ISREG(st.mode))
		return shell_error(s, "%s: touch can only be used on a regular file", c->arg[0]);
	clock_gettime(CLOCK_REALTIME, &ts);
	{
		const struct dry_time now = { ts.tv_sec, (uint32_t)ts.tv_nsec };

		return answer(s, c->arg[0], dry_change_utimens(s->c, n, &now, &now, &e), &e);
	}
}

/* ---- content ---- */

static int write_(struct shell *s, struct call *c)
{
	const struct dry_owner o = owner(s, 0666);
	struct dry_error e = { .code = DRY_OK };
	struct dry_node n;
	const bool there = dry_guest_lookup(s->g, c->arg[0], true, &n, NULL) >= 0;

	return answer(s, c->arg[0],
		      dry_change_write_file(s->c, c->arg[0], c->arg[1], strlen(c->arg[1]), there ? NULL : &o, &e), &e);
}

static int write_append(struct shell *s, struct call *c)
{
	struct dry_error e = { .code = DRY_OK };
	struct dry_node n;
	struct dry_stat st;

	if (dry_guest_lookup(s->g, c->arg[0], true, &n, &e) == -DRY_NOT_FOUND)
		return write_(s, c);
	if (guest_file_stat(s->g, c->arg[0], &n, &st, &e) < 0)
		return shell_fail(s, c->arg[0], &e);
	return answer(s, c->arg[0], dry_change_write(s->c, n, c->arg[1], strlen(c->arg[1]), st.size, &e), &e);
}

/* A file, made where it is missing, without content. */
static int emptied(struct shell *s, const char *path, struct dry_node *n)
{
	const struct dry_owner o = owner(s, 0666);
	struct dry_error e = { .code = DRY_OK };
	struct dry_node old;
	const bool there = dry_guest_lookup(s->g, path, true, &old, NULL) >= 0;

	if (dry_change_write_file(s->c, path, "", 0, there ? NULL : &o, &e) < 0)
		return shell_fail(s, path, &e);
	return node_of(s, path, true, n);
}

/* The pattern again and again, so long. */
static int fill_with(struct shell *s, const char *path, const char *pattern, size_t plen, uint64_t len)
{
	struct dry_error e = { .code = DRY_OK };
	struct dry_node n;
	size_t room = GUEST_FILE_CHUNK - GUEST_FILE_CHUNK % plen;
	unsigned char *bytes = s->buf;

	if (emptied(s, path, &n))
		return -1;
	for (size_t i = 0; i < room; i++)
		bytes[i] = (unsigned char)pattern[i % plen];
	for (uint64_t off = 0; off < len; off += room) {
		const size_t part = (size_t)MIN_OF(len - off, room);

		if (dry_change_write(s->c, n, bytes, part, off, &e) < 0)
			return shell_fail(s, path, &e);
	}
	return 0;
}

static int fill(struct shell *s, struct call *c)
{
	const char byte = (char)c->num[0];

	if (c->num[0] < 0 || c->num[0] > 255 || c->num[1] < 0)
		return shell_error(s, "a byte (0 to 255) and a length are expected");
	return fill_with(s, c->arg[2], &byte, 1, (uint64_t)c->num[1]);
}

static int fill_pattern(struct shell *s, struct call *c)
{
	const size_t len = strlen(c->arg[0]);

	if (!len || len > GUEST_FILE_CHUNK || c->num[1] < 0)
		return shell_error(s, "a pattern and a length are expected");
	return fill_with(s, c->arg[2], c->arg[0], len, (uint64_t)c->num[1]);
}

static int truncate_to(struct shell *s, const char *path, int64_t size)
{
	struct dry_error e = { .code = DRY_OK };
	struct dry_node n;

	if (size < 0)
		return shell_error(s, "%s: a size is not negative", path);
	return node_of(s, path, true, &n) ? -1 : answer(s, path, dry_change_truncate(s->c, n, (uint64_t)size, &e), &e);
}

static int truncate_(struct shell *s, struct call *c)
{
	return truncate_to(s, c->arg[0], 0);
}

static int truncate_size(struct shell *s, struct call *c)
{
	return truncate_to(s, c->arg[0], c->num[1]);
}

static int fallocate_(struct shell *s, struct call *c)
{
	struct dry_error e = { .code = DRY_OK };
	struct dry_node n;

	if (c->num[1] < 0)
		return shell_error(s, "a length is not negative");
	if (emptied(s, c->arg[0], &n))
		return -1;
	return c->num[1] ? answer(s, c->arg[0], dry_change_allocate(s->c, n, 0, (uint64_t)c->num[1], false, &e), &e)
			 : 0;
}

static int pwrite_(struct shell *s, struct call *c)
{
	struct dry_error e = { .code = DRY_OK };
	const size_t len = strlen(c->arg[1]);
	struct dry_node n;

	if (c->num[2] < 0)
		return shell_error(s, "an offset is not negative");
	if (node_of(s, c->arg[0], true, &n))
		return -1;
	if (dry_change_write(s->c, n, c->arg[1], len, (uint64_t)c->num[2], &e) < 0)
		return shell_fail(s, c->arg[0], &e);
	shell_printf(s, "%zu\n", len);
	return 0;
}

/* ---- facts ---- */

static int chmod_(struct shell *s, struct call *c)
{
	struct dry_error e = { .code = DRY_OK };
	struct dry_node n;

	if (c->num[0] < 0 || c->num[0] > 07777)
		return shell_error(s, "%s: mode is negative or too large", c->arg[0]);
	return node_of(s, c->arg[1], true, &n)
		       ? -1
		       : answer(s, c->arg[1], dry_change_chmod(s->c, n, (uint32_t)c->num[0], &e), &e);
}

static int chown_(struct shell *s, struct call *c)
{
	struct dry_error e = { .code = DRY_OK };
	struct dry_node n;

	if (c->num[0] < 0 || c->num[0] >= UINT32_MAX || c->num[1] < 0 || c->num[1] >= UINT32_MAX)
		return shell_error(s, "owner and group are numbers");
	return node_of(s, c->arg[2], *s->cmd->name != 'l', &n)
		       ? -1
		       : answer(s, c->arg[2], dry_change_chown(s->c, n, (uint32_t)c->num[0], (uint32_t)c->num[1], &e),
				&e);
}

/* A time as utimens takes it: -1 in nsecs is now, -2 leaves it. */
static const struct dry_time *time_of(int64_t sec, int64_t nsec, struct dry_time *t)
{
	struct timespec now;

	*t = (struct dry_time){ sec, (uint32_t)nsec };
	if (nsec == -2)
		return NULL;
	if (nsec == -1) {
		clock_gettime(CLOCK_REALTIME, &now);
		*t = (struct dry_time){ now.tv_sec, (uint32_t)now.tv_nsec };
	}
	return t;
}

static int utimens(struct shell *s, struct call *c)
{
	struct dry_error e = { .code = DRY_OK };
	struct dry_time a, m;
	struct dry_node n;

	for (int i = 2; i <= 4; i += 2)
		if (c->num[i] < -2 || c->num[i] > 999999999)
			return shell_error(s, "%s: nanoseconds are from 0 to 999999999", c->arg[i]);
	return node_of(s, c->arg[0], true, &n) ? -1
					       : answer(s, c->arg[0],
							dry_change_utimens(s->c, n, time_of(c->num[1], c->num[2], &a),
									   time_of(c->num[3], c->num[4], &m), &e),
							&e);
}

static int setxattr_(struct shell *s, struct call *c)
{
	struct dry_error e = { .code = DRY_OK };
	struct dry_node n;

	if (c->num[2] < 0 || c->num[2] > (int64_t)strlen(c->arg[1]))
		return shell_error(s, "%s: the value has %zu bytes", c->arg[2], strlen(c->arg[1]));
	return node_of(s, c->arg[3], *s->cmd->name != 'l', &n)
		       ? -1
		       : answer(s, c->arg[3],
				dry_change_setxattr(s->c, n, c->arg[0], c->arg[1], (size_t)c->num[2], 0, &e), &e);
}

static int removexattr_(struct shell *s, struct call *c)
{
	struct dry_error e = { .code = DRY_OK };
	struct dry_node n;

	return node_of(s, c->arg[1], *s->cmd->name != 'l', &n)
		       ? -1
		       : answer(s, c->arg[1], dry_change_removexattr(s->c, n, c->arg[0], &e), &e);
}

static int set_umask(struct shell *s, struct call *c)
{
	if (c->num[0] < 0 || c->num[0] > 0777)
		return shell_error(s, "%s: no mask", c->arg[0]);
	shell_printf(s, "%#o\n", s->umask);
	s->umask = (uint32_t)c->num[0];
	return 0;
}

static int get_umask(struct shell *s, struct call *c)
{
	(void)c;
	shell_printf(s, "%#o\n", s->umask);
	return 0;
}

/* ---- remove, rename, copy ---- */

static int rm(struct shell *s, struct call *c)
{
	const bool force = strcmp(s->cmd->name, "rm-f") == 0;
	struct dry_error e = { .code = DRY_OK };
	struct dry_node n;
	struct place p;

	if (force && dry_guest_lookup(s->g, c->arg[0], false, &n, &e) == -DRY_NOT_FOUND)
		return 0;
	return place_of(s, c->arg[0], &p) ? -1 : answer(s, c->arg[0], dry_change_unlink(s->c, p.dir, p.name, &e), &e);
}

static int rmdir_(struct shell *s, struct call *c)
{
	struct dry_error e = { .code = DRY_OK };
	struct place p;

	return place_of(s, c->arg[0], &p) ? -1 : answer(s, c->arg[0], dry_change_rmdir(s->c, p.dir, p.name, &e), &e);
}

static int rm_rf(struct shell *s, struct call *c)
{
	struct dry_error e = { .code = DRY_OK };
	int rc = dry_change_remove_tree(s->c, c->arg[0], &e);

	return rc == -DRY_NOT_FOUND ? 0 : answer(s, c->arg[0], rc, &e);
}

/* Where "to" is a folder, the place is in it, under from's name: free() it. */
static char *target_of(struct shell *s, const char *from, const char *to)
{
	struct dry_node n;
	struct dry_stat st;
	char *path;
	size_t len = strlen(from), at;

	while (len > 1 && from[len - 1] == '/')
		len--;
	for (at = len; at && from[at - 1] != '/'; at--)
		;
	if (dry_guest_lookup(s->g, to, true, &n, NULL) >= 0 && dry_node_stat(s->g, n, &st, NULL) >= 0 &&
	    S_ISDIR(st.mode))
		path = alloc_printf("%s/%.*s", strcmp(to, "/") == 0 ? "" : to, (int)(len - at), from + at);
	else
		path = alloc_strdup(to);
	if (!path)
		shell_nomem(s);
	return path;
}

/* One file's content to a new file, or into one that is there. */
static int copy_content(struct shell *s, const char *from, const char *to)
{
	struct dry_error e = { .code = DRY_OK };
	struct dry_owner o;
	struct dry_node n, m;
	struct dry_stat st, old;
	size_t got = GUEST_FILE_CHUNK;
	int rc;

	if (guest_file_stat(s->g, from, &n, &st, &e) < 0)
		return shell_fail(s, from, &e);
	if (dry_guest_lookup(s->g, to, true, &m, NULL) >= 0 && dry_node_stat(s->g, m, &old, NULL) >= 0 &&
	    old.dev == st.dev && old.ino == st.ino)
		return shell_error(s, "%s and %s are the same file", from, to);
	o = owner(s, st.mode & 0777);
	rc = dry_change_write_file(s->c, to, "", 0, dry_guest_lookup(s->g, to, true, &m, NULL) >= 0 ? NULL : &o, &e);
	if (rc >= 0)
		rc = dry_guest_lookup(s->g, to, true, &m, &e);
	for (uint64_t off = 0; rc >= 0 && got == GUEST_FILE_CHUNK;
	     off += got) { /* ends: at the end of the file got is less */
		rc = dry_node_read(s->g, n, s->buf, GUEST_FILE_CHUNK, off, &got, &e);
		if (rc >= 0 && got)
			rc = dry_change_write(s->c, m, s->buf, got, off, &e);
	}
	return answer(s, to, rc, &e);
}

static int cp(struct shell *s, struct call *c)
{
	CLEANUP(free_ptr) char *to = target_of(s, c->arg[0], c->arg[1]);

	return to ? copy_content(s, c->arg[0], to) : -1;
}

struct copying {
	struct shell *s;
	const char *to;
	bool keep;	    /* owners, times, attributes, several names */
	struct links links; /* where files of several names were copied to */
	int rc;
};

/* What a copy has of its original besides content. */
static int copy_facts(struct copying *k, const struct dry_entry *ent, const char *path)
{
	struct shell *s = k->s;
	struct dry_error e = { .code = DRY_OK };
	struct dry_node n;
	int rc = dry_guest_lookup(s->g, path, false, &n, &e);

	if (rc >= 0)
		rc = dry_change_chown(s->c, n, ent->stat.uid, ent->stat.gid, &e);
	if (rc >= 0 && !S_ISLNK(ent->stat.mode))
		rc = dry_change_chmod(s->c, n, ent->stat.mode & 07777, &e);
	if (rc >= 0)
		rc = dry_change_utimens(s->c, n, &ent->stat.atime, &ent->stat.mtime, &e);
	return answer(s, path, rc, &e);
}

/* A file with all that it has; one that was copied under another name gets a further name. */
static int copy_kept(struct copying *k, const struct dry_entry *ent, const char *path)
{
	struct shell *s = k->s;
	struct dry_error e = { .code = DRY_OK };
	const char *first = links_find(&k->links, &ent->stat);
	struct dry_node n;
	struct place p;

	if (!first) {
		if (guest_put_copy(s->c, ent->path, path, &e) < 0)
			return shell_fail(s, path, &e);
		return links_add(&k->links, &ent->stat, path) ? 0 : shell_nomem(s);
	}
	if (node_of(s, first, false, &n) || place_of(s, path, &p))
		return -1;
	return answer(s, path, dry_change_link(s->c, n, p.dir, p.name, &e), &e);
}

static int copy_one(struct copying *k, const struct dry_entry *ent, const char *path)
{
	struct shell *s = k->s;
	struct dry_error e = { .code = DRY_OK };
	struct dry_owner o = owner(s, ent->stat.mode & 07777);
	char *target = NULL;
	struct place p;
	int rc;

	if (S_ISREG(ent->stat.mode)) {
		if (!k->keep)
			return copy_content(s, ent->path, path);
		return copy_kept(k, ent, path);
	}
	if (place_of(s, path, &p))
		return -1;
	if (S_ISDIR(ent->stat.mode)) {
		rc = dry_change_mkdir(s->c, p.dir, p.name, &o, NULL, &e);
		if (rc < 0 && e.sys_errno == EEXIST)
			rc = 0;
	} else if (S_ISLNK(ent->stat.mode)) {
		rc = dry_node_readlink(s->g, ent->node, &target, &e);
		if (rc >= 0)
			rc = dry_change_symlink(s->c, p.dir, p.name, target, &o, NULL, &e);
		free(target);
	} else {
		o.mode |= ent->stat.mode & S_IFMT;
		rc = dry_change_mknod(s->c, p.dir, p.name, &o, ent->stat.rdev_major, ent->stat.rdev_minor, NULL, &e);
	}
	return answer(s, path, rc, &e);
}

static int copy_entry(void *arg, const struct dry_entry *ent)
{
	struct copying *k = arg;
	CLEANUP(free_ptr) char *path = alloc_printf("%s%s%s", k->to, *ent->rel ? "/" : "", ent->rel);

	if (!path)
		k->rc = shell_nomem(k->s);
	else if (!ent->leaving)
		k->rc = copy_one(k, ent, path);
	if (k->rc == 0 && k->keep && path && ent->leaving == (S_ISDIR(ent->stat.mode) != 0) && !S_ISREG(ent->stat.mode))
		k->rc = copy_facts(k, ent, path);
	if (k->rc == 0 && shell_stopped())
		k->rc = -1;
	return k->rc ? DRY_WALK_STOP : DRY_WALK_ON;
}

/* cp-a and cp-r: a whole tree. */
static int copy_tree(struct shell *s, struct call *c)
{
	CLEANUP(free_ptr) char *to = target_of(s, c->arg[0], c->arg[1]);
	struct copying k = { .s = s, .to = to, .keep = strcmp(s->cmd->name, "cp-a") == 0 };
	const struct dry_walk walk = { .leave = true, .max_depth = DRY_DEPTH_ALL, .fn = copy_entry, .arg = &k };
	struct dry_error e = { .code = DRY_OK };
	const size_t len = strlen(c->arg[0]);

	if (!to)
		return -1;
	if (strncmp(to, c->arg[0], len) == 0 && (to[len] == '/' || c->arg[0][len - 1] == '/'))
		return shell_error(s, "%s: it cannot be copied into itself", c->arg[0]);
	if (dry_guest_walk(s->g, c->arg[0], &walk, &e) < 0)
		k.rc = shell_fail(s, c->arg[0], &e);
	links_free(&k.links);
	return k.rc;
}

static int rename_(struct shell *s, struct call *c)
{
	const bool into = strcmp(s->cmd->name, "mv") == 0;
	CLEANUP(free_ptr) char *to = into ? target_of(s, c->arg[0], c->arg[1]) : alloc_strdup(c->arg[1]);
	struct dry_error e = { .code = DRY_OK };
	struct place a, b;

	if (!to || place_of(s, c->arg[0], &a) || place_of(s, to, &b))
		return -1;
	if (dry_change_rename(s->c, a.dir, a.name, b.dir, b.name, 0, &e) >= 0)
		return 0;
	if (e.sys_errno == EXDEV)
		return shell_error(s, "%s: %s is on another filesystem: copy it, and remove it", c->arg[0], to);
	return shell_fail(s, c->arg[0], &e);
}

#define W SHELL_WRITES
static const struct shell_command commands[] = {
	{ "mkdir", NULL, "/path", "make a directory", mkdir_, W, NULL },
	{ "mkdir-p", NULL, "/path", "make a directory and those above it", mkdir_p, W, NULL },
	{ "mkdir-mode", NULL, "/path #mode", "make a directory of these permissions", mkdir_mode, W, NULL },
	{ "mkdtemp", NULL, "/tmpl", "make a directory under a name that is free", make_temporary, W, NULL },
	{ "mktemp", NULL, "/tmpl", "make a file under a name that is free", make_temporary, W, NULL },
	{ "mkfifo", NULL, "#mode /path", "make a pipe", mkfifo_, W, NULL },
	{ "mknod", NULL, "#mode #devmajor #devminor /path", "make a device", mknod_, W, NULL },
	{ "mknod-b", NULL, "#mode #devmajor #devminor /path", "make a block device", mknod_, W, NULL },
	{ "mknod-c", NULL, "#mode #devmajor #devminor /path", "make a character device", mknod_, W, NULL },
	{ "ln", NULL, "/target /linkname", "make another name of a file", link_, W, NULL },
	{ "ln-f", NULL, "/target /linkname", "make another name of a file, in place of one that is there", link_, W,
	  NULL },
	{ "ln-s", NULL, "target /linkname", "make a symbolic link", link_, W, NULL },
	{ "ln-sf", NULL, "target /linkname", "make a symbolic link, in place of one that is there", link_, W, NULL },
	{ "touch", NULL, "/path", "make an empty file, or change the times of one", touch, W, NULL },
	{ "write", NULL, "/path content", "give a file this content", write_, W, "internal-write" },
	{ "write-append", NULL, "/path content", "append this to a file", write_append, W, "internal-write-append" },
	{ "pwrite", NULL, "/path content #offset", "write this into a file at an offset", pwrite_, W, NULL },
	{ "fill", NULL, "#c #len /path", "fill a file with a byte", fill, W, NULL },
	{ "fill-pattern", NULL, "pattern #len /path", "fill a file with a text, again and again", fill_pattern, W,
	  NULL },
	{ "truncate", NULL, "/path", "empty a file", truncate_, W, NULL },
	{ "truncate-size", NULL, "/path #size", "make a file longer or shorter", truncate_size, W, NULL },
	{ "fallocate64", "fallocate", "/path #len", "make a file whose room is taken", fallocate_, W, NULL },
	{ "chmod", NULL, "#mode /path", "change the permissions of a file", chmod_, W, NULL },
	{ "chown", NULL, "#owner #group /path", "change the owner of a file", chown_, W, NULL },
	{ "lchown", NULL, "#owner #group /path", "change the owner of a file or a link", chown_, W, NULL },
	{ "utimens", NULL, "/path #atsecs #atnsecs #mtsecs #mtnsecs", "set the times of a file", utimens, W, NULL },
	{ "setxattr", NULL, "xattr val #vallen /path", "set an extended attribute of a file", setxattr_, W, NULL },
	{ "lsetxattr", NULL, "xattr val #vallen /path", "set an extended attribute of a file or a link", setxattr_, W,
	  NULL },
	{ "removexattr", NULL, "xattr /path", "remove an extended attribute of a file", removexattr_, W, NULL },
	{ "lremovexattr", NULL, "xattr /path", "remove an extended attribute of a file or a link", removexattr_, W,
	  NULL },
	{ "umask", NULL, "#mask", "permissions that what is made here does not get", set_umask, 0, NULL },
	{ "get-umask", NULL, NULL, "the present mask", get_umask, 0, NULL },
	{ "rm", NULL, "/path", "remove a file", rm, W, NULL },
	{ "rm-f", NULL, "/path", "remove a file if it is there", rm, W, NULL },
	{ "rmdir", NULL, "/path", "remove an empty directory", rmdir_, W, NULL },
	{ "rm-rf", NULL, "/path", "remove a file or directory and all in it", rm_rf, W, NULL },
	{ "mv", NULL, "/src /dest", "rename a file, or move it into a directory", rename_, W, NULL },
	{ "rename", NULL, "/oldpath /newpath", "rename a file", rename_, W, NULL },
	{ "cp", NULL, "/src /dest", "copy a file", cp, W, NULL },
	{ "cp-a", NULL, "/src /dest", "copy a file or directory with owners and times", copy_tree, W, NULL },
	{ "cp-r", NULL, "/src /dest", "copy a file or directory", copy_tree, W, NULL },
};
const struct shell_group shell_write_group = SHELL_GROUP("changing files", commands);
