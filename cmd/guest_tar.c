/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest_tar.h"

#include "alloc.h"
#include "guest_entry.h"
#include "guest_file.h"
#include "io.h"
#include "limits.h"
#include "tar.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Fewer zeros than this are not worth a map. */
#define HOLES_MIN 4096

/* Runs of data of one file, and what of it is holes. */
struct runs {
	struct tar_run *items;
	size_t n;
	uint64_t holes;
};

static void runs_free(struct runs *r)
{
	free(r->items);
}

static void tell(struct guest_tar *t, const struct dry_entry *ent, const struct dry_error *e)
{
	guest_fail_file(t->ref, ent->path, e);
	t->failed = true;
}

static int stop(struct guest_tar *t, const char *why)
{
	if (!t->stopped)
		cmd_warn("%s: %s", t->fd_name, why);
	t->stopped = true;
	return EXIT_FAILED;
}

/* ---- the file ---- */

static int open_failed(const struct guest_tar *t)
{
	cmd_warn("%s: %s", t->fd_name, strerror(errno));
	return EXIT_FAILED;
}

int guest_tar_open(struct guest_tar *t, const char *file)
{
	const char *slash = strrchr(file, '/');
	CLEANUP(free_ptr) char *folder = NULL;
	struct stat st;

	t->stopped = true; /* until something is written */
	if (strcmp(file, "-") == 0) {
		t->fd = STDOUT_FILENO;
		t->fd_name = "standard output";
		return 0;
	}
	t->fd_name = file;
	if (stat(file, &st) == 0 && !S_ISREG(st.st_mode)) {
		t->fd = open(file, O_WRONLY | O_CLOEXEC);
		return t->fd < 0 ? open_failed(t) : 0;
	}
	folder = !slash ? alloc_strdup(".") : alloc_strndup(file, (size_t)(slash - file) + 1);
	t->name = slash ? slash + 1 : file;
	if (!folder) {
		cmd_warn("out of memory");
		return EXIT_FAILED;
	}
	t->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->folder < 0)
		return open_failed(t);
	snprintf(t->temporary, sizeof t->temporary, ".%.200s.drydock-%ld", t->name, (long)getpid());
	t->fd = openat(t->folder, t->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	return t->fd < 0 ? open_failed(t) : 0;
}

int guest_tar_close(struct guest_tar *t)
{
	int status = EXIT_DONE;

	if (t->fd >= 0 && t->folder >= 0) {
		if (!t->stopped && (fsync(t->fd) < 0 || renameat(t->folder, t->temporary, t->folder, t->name) < 0)) {
			open_failed(t);
			t->stopped = true;
		}
		if (t->stopped) {
			unlinkat(t->folder, t->temporary, 0);
			status = EXIT_FAILED;
		}
	}
	if (t->fd != STDOUT_FILENO)
		close_fd(&t->fd);
	close_fd(&t->folder);
	return status;
}

/* ---- writing ---- */

static int flush(struct guest_tar *t)
{
	int err;

	if (t->out.failed)
		return stop(t, "out of memory");
	err = t->send ? t->send(t->send_arg, t->out.s, t->out.len) : io_write(t->fd, t->out.s, t->out.len);
	t->written += t->out.len;
	strbuf_reset(&t->out);
	return err ? stop(t, strerror(err)) : 0;
}

static int flush_full(struct guest_tar *t)
{
	return t->out.len >= GUEST_FILE_CHUNK || t->out.failed ? flush(t) : 0;
}

/* Zeros for what could not be read: the header has promised so many bytes. */
static int fill(struct guest_tar *t, uint64_t len)
{
	memset(t->buf, 0, (size_t)MIN_OF(len, (uint64_t)GUEST_FILE_CHUNK));
	for (; len && !t->stopped; len -= MIN_OF(len, (uint64_t)GUEST_FILE_CHUNK)) {
		strbuf_add(&t->out, t->buf, (size_t)MIN_OF(len, (uint64_t)GUEST_FILE_CHUNK));
		flush_full(t);
	}
	return t->stopped;
}

/* *whole becomes false, and the rest zeros, when it cannot be read. */
static int put_run(struct guest_tar *t, const struct dry_entry *ent, struct tar_run run, bool *whole)
{
	struct dry_error e = { .code = DRY_OK };

	while (run.len && *whole) {
		size_t want = (size_t)MIN_OF(run.len, (uint64_t)GUEST_FILE_CHUNK), got = 0;
		int rc = dry_node_read(t->guest, ent->node, t->buf, want, run.off, &got, &e);

		if (rc >= 0 && got < want)
			e = (struct dry_error){ .code = DRY_CORRUPT, .msg = "the file ends before its size" };
		if (e.code != DRY_OK) {
			tell(t, ent, &e);
			*whole = false;
			break;
		}
		strbuf_add(&t->out, t->buf, got);
		if (flush_full(t))
			return EXIT_FAILED;
		run.off += got;
		run.len -= got;
	}
	return fill(t, run.len);
}

/* ---- what a member says ---- */

static int runs_add(struct runs *r, uint64_t off, uint64_t len, struct dry_error *e)
{
	struct tar_run *last = r->n ? &r->items[r->n - 1] : NULL;

	/* Beyond the limit a hole is written out. */
	if (last && (last->off + last->len == off || r->n >= LIMIT_TAR_RUNS)) {
		r->holes -= off - (last->off + last->len);
		last->len = off + len - last->off;
		return 0;
	}
	if ((r->n & (r->n - 1)) == 0) { /* full: powers of two */
		struct tar_run *items = alloc_resize(r->items, r->n ? 2 * r->n : 1, sizeof *items);

		if (!items) {
			*e = (struct dry_error){ .code = DRY_NOMEM, .msg = "out of memory" };
			return -DRY_NOMEM;
		}
		r->items = items;
	}
	r->items[r->n++] = (struct tar_run){ off, len };
	return 0;
}

static int runs_of(struct guest_tar *t, const struct dry_entry *ent, struct runs *r, struct dry_error *e)
{
	uint64_t size = ent->stat.size;

	for (uint64_t off = 0; off < size;) {
		uint64_t len;
		bool hole;
		int rc = dry_node_extent(t->guest, ent->node, off, &len, &hole, e);

		if (rc < 0)
			return rc;
		/* Each run has a length, so off grows and this ends. */
		if (!len) {
			*e = (struct dry_error){ .code = DRY_CORRUPT, .msg = "an extent without a length" };
			return -DRY_CORRUPT;
		}
		len = MIN_OF(len, size - off);
		if (hole)
			r->holes += len;
		else
			rc = runs_add(r, off, len, e);
		if (rc < 0)
			return rc;
		off += len;
	}
	return 0;
}

/* Extended attributes as tar has them: ACLs are told in words. */
struct attributes {
	struct entry_xattrs all;
	struct tar_xattr *kept; /* lent parts of all */
	size_t nkept;
	struct strbuf acl, default_acl;
};
#define ATTRIBUTES_INIT { .all = { .items = NULL }, .acl = STRBUF_INIT, .default_acl = STRBUF_INIT }

static void attributes_free(struct attributes *a)
{
	entry_xattrs_free(&a->all);
	free(a->kept);
	strbuf_free(&a->acl);
	strbuf_free(&a->default_acl);
}

static int attributes_of(struct guest_tar *t, const struct dry_entry *ent, struct attributes *a, struct dry_error *e)
{
	int rc = t->no_xattrs && t->no_acls && t->no_selinux ? 0 : entry_xattrs(t->guest, ent->node, &a->all, e);

	if (rc < 0 || !a->all.n)
		return rc;
	a->kept = alloc_array(a->all.n, sizeof *a->kept);
	if (!a->kept) {
		*e = (struct dry_error){ .code = DRY_NOMEM, .msg = "out of memory" };
		return -DRY_NOMEM;
	}
	for (size_t i = 0; i < a->all.n; i++) {
		const struct entry_xattr *x = &a->all.items[i];

		if (text_starts(x->name, "system.posix_acl_", NULL)) {
			bool access = strcmp(x->name, "system.posix_acl_access") == 0;

			if (t->no_acls || tar_acl_text(access ? &a->acl : &a->default_acl, x->value, x->len))
				continue;
		} else if (strcmp(x->name, "security.selinux") == 0 ? t->no_selinux : t->no_xattrs) {
			continue;
		}
		if (!t->ntfs_xattrs && text_starts(x->name, "system.ntfs_", NULL))
			continue;
		a->kept[a->nkept++] = (struct tar_xattr){ x->name, x->value, x->len };
	}
	return 0;
}

static bool type_of(uint32_t mode, enum tar_type *out)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		*out = TAR_FILE;
		return true;
	case S_IFDIR:
		*out = TAR_DIRECTORY;
		return true;
	case S_IFLNK:
		*out = TAR_SYMLINK;
		return true;
	case S_IFCHR:
		*out = TAR_CHAR;
		return true;
	case S_IFBLK:
		*out = TAR_BLOCK_DEVICE;
		return true;
	case S_IFIFO:
		*out = TAR_FIFO;
		return true;
	default:
		return false;
	}
}

static const char *last_component(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static char *member_name(const struct dry_entry *ent)
{
	const char *end = S_ISDIR(ent->stat.mode) ? "/" : "";

	if (ent->depth)
		return alloc_printf("./%s%s", ent->rel, end);
	return S_ISDIR(ent->stat.mode) ? alloc_strdup("./") : alloc_strdup(last_component(ent->path));
}

/* ---- one member ---- */

static int put_content(struct guest_tar *t, const struct dry_entry *ent, const struct tar_member *m)
{
	const struct tar_run all = { 0, m->size };
	bool whole = true;

	for (size_t i = 0; i < (m->runs ? m->nruns : 1); i++)
		if (put_run(t, ent, m->runs ? m->runs[i] : all, &whole))
			return EXIT_FAILED;
	tar_pad(&t->out, tar_content_size(m));
	return 0;
}

/* What m still lacks: a hard link's, symlink's or file's own.  0, or < 0 with *e filled. */
static int describe(struct guest_tar *t, const struct dry_entry *ent, struct tar_member *m, struct runs *runs, char **target,
		    struct dry_error *e)
{
	/* GNU tar makes hard links of symlinks too. */
	const char *first = S_ISDIR(ent->stat.mode) ? NULL : links_find(&t->links, &ent->stat);
	int rc = 0;

	if (first) {
		m->type = TAR_HARDLINK;
		m->link = first;
	} else if (m->type == TAR_SYMLINK) {
		rc = dry_node_readlink(t->guest, ent->node, target, e);
		m->link = *target;
	} else if (m->type == TAR_FILE) {
		rc = runs_of(t, ent, runs, e);
		m->size = ent->stat.size;
		if (runs->holes >= HOLES_MIN) {
			static const struct tar_run none;

			m->runs = runs->n ? runs->items : &none;
			m->nruns = runs->n;
		}
	} else if (m->type == TAR_CHAR || m->type == TAR_BLOCK_DEVICE) {
		m->major = ent->stat.rdev_major;
		m->minor = ent->stat.rdev_minor;
	}
	return rc;
}

static int put(struct guest_tar *t, const struct dry_entry *ent)
{
	CLEANUP(attributes_free) struct attributes attributes = ATTRIBUTES_INIT;
	CLEANUP(runs_free) struct runs runs = { .items = NULL };
	CLEANUP(free_ptr) char *name = member_name(ent);
	CLEANUP(free_ptr) char *target = NULL;
	const struct dry_stat *st = &ent->stat;
	const struct tar_time atime = { st->atime.sec, st->atime.nsec }, ctime = { st->ctime.sec, st->ctime.nsec };
	struct tar_member m = {
		.path = name,
		.mode = st->mode & 07777,
		.uid = st->uid,
		.gid = st->gid,
		.mtime = { st->mtime.sec, st->mtime.nsec },
		.atime = t->times ? &atime : NULL,
		.ctime = t->times ? &ctime : NULL,
	};
	struct dry_error e = { .code = DRY_OK };

	if (t->no_devices && (S_ISCHR(st->mode) || S_ISBLK(st->mode)))
		return 0;
	if (!type_of(st->mode, &m.type)) {
		e = (struct dry_error){ .msg = "left out: an archive holds no socket" };
		if (!S_ISSOCK(st->mode))
			e = (struct dry_error){ .msg = "left out: it is of no known type" };
		guest_fail_file(t->ref, ent->path, &e);
		t->failed |= !S_ISSOCK(st->mode);
		return 0;
	}
	if (!name)
		return stop(t, "out of memory");
	if (describe(t, ent, &m, &runs, &target, &e) < 0) {
		tell(t, ent, &e);
		return 0;
	}
	if (m.type != TAR_HARDLINK) {
		/* A file without its attributes is better than none. */
		if (attributes_of(t, ent, &attributes, &e) < 0)
			tell(t, ent, &e);
		m.xattrs = attributes.kept;
		m.nxattrs = attributes.nkept;
		m.acl = attributes.acl.len ? attributes.acl.s : NULL;
		m.default_acl = attributes.default_acl.len ? attributes.default_acl.s : NULL;
		if (!S_ISDIR(st->mode) && !links_add(&t->links, st, name))
			return stop(t, "out of memory");
	}
	tar_member(&t->out, &m);
	return m.type == TAR_FILE ? put_content(t, ent, &m) : flush_full(t);
}

/* ---- the tree ---- */

bool guest_tar_excluded(const struct opt_list *patterns, const struct dry_entry *ent)
{
	for (size_t i = 0; patterns && i < patterns->n; i++) {
		const char *p = patterns->items[i];

		if (fnmatch(p, p[0] == '/' ? ent->path : last_component(ent->path), 0) == 0)
			return true;
	}
	return false;
}

static int visit(void *arg, const struct dry_entry *ent)
{
	struct guest_tar *t = arg;

	if (ent->depth && guest_tar_excluded(t->exclude, ent))
		return DRY_WALK_SKIP;
	return put(t, ent) ? DRY_WALK_STOP : DRY_WALK_ON;
}

static int visit_failed(void *arg, const char *path, const struct dry_error *why)
{
	struct guest_tar *t = arg;

	(void)path; /* the sentence names it */
	guest_fail(t->ref, why);
	t->failed = true;
	return 0;
}

int guest_tar(struct guest_tar *t, const char *path)
{
	const struct dry_walk walk = {
		.one_fs = t->one_fs,
		.max_depth = DRY_DEPTH_ALL,
		.fn = visit,
		.failed = visit_failed,
		.arg = t,
	};
	struct dry_error e = { .code = DRY_OK };

	t->stopped = false;
	t->out = (struct strbuf)STRBUF_INIT;
	t->buf = alloc_bytes(GUEST_FILE_CHUNK);
	if (!t->buf)
		stop(t, "out of memory");
	else if (dry_guest_walk(t->guest, path, &walk, &e) < 0)
		visit_failed(t, path, &e);
	if (!t->stopped && !t->written && !t->out.len) {
		t->stopped = true; /* nothing was found, which was told */
	} else if (!t->stopped) {
		tar_end(&t->out, t->written + t->out.len);
		flush(t);
	}
	free(t->buf);
	strbuf_free(&t->out);
	links_free(&t->links);
	return t->stopped || t->failed ? EXIT_FAILED : EXIT_DONE;
}
