/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest_put.h"

#include "alloc.h"
#include "guest_file.h"
#include "limits.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

/* Several calls' worth: a write to the guest is as fast as its channel from some MiB on. */
#define CHUNK ((size_t)4 << 20)

/* A folder's attributes, since what is made in it changes them; and a symlink that leads out, since nothing may go through it. */
struct put_later {
	enum { LATER_FOLDER, LATER_SYMLINK, LATER_HARDLINK } kind;
	char *path, *link;
	uint32_t mode, uid, gid;
	struct dry_time mtime;
};

__attribute__((format(printf, 3, 4))) static int refuse(struct dry_error *e, enum dry_code code, const char *fmt, ...)
{
	va_list ap;

	*e = (struct dry_error){ .code = code };
	va_start(ap, fmt);
	vsnprintf(e->msg, sizeof e->msg, fmt, ap);
	va_end(ap);
	return -(int)code;
}

static int nomem(struct dry_error *e)
{
	return refuse(e, DRY_NOMEM, "out of memory");
}

/* An error of util's as one of the library's: their codes are the same. */
static int from_util(struct dry_error *e, const struct err *why)
{
	*e = (struct dry_error){ .code = (enum dry_code)why->code, .sys_errno = why->sys_errno };
	memcpy(e->msg, why->msg, sizeof e->msg);
	return -(int)e->code;
}

static bool is_errno(const struct dry_error *e, int errnum)
{
	return e->code == DRY_SYSTEM && e->sys_errno == errnum;
}

void guest_put_free(struct guest_put *p)
{
	for (size_t i = 0; i < p->nlater; i++) {
		free(p->later[i].path);
		free(p->later[i].link);
	}
	free(p->later);
	strbuf_free(&p->parent);
	strbuf_free(&p->label);
	strbuf_free(&p->path);
	free(p->buf);
}

/* ---- where ---- */

/* A member's path without what says nothing: "./a//b/" is "a/b".  false: it leads out. */
static bool clean_path(struct strbuf *out, const char *path)
{
	while (*path) {
		const size_t len = strcspn(path, "/");

		if (len == 2 && memcmp(path, "..", 2) == 0)
			return false;
		if (len && !(len == 1 && *path == '.')) {
			if (out->len)
				strbuf_putc(out, '/');
			strbuf_add(out, path, len);
		}
		path += len;
		while (*path == '/')
			path++;
	}
	return true;
}

static int put_label(void *arg, const char *name, const void *value, size_t len)
{
	struct strbuf *label = arg;

	if (strcmp(name, "security.selinux") != 0)
		return 0;
	strbuf_add(label, value, len);
	return 1;
}

/* Finds the folder that a member comes into, which is made where it is missing; it is often that of the member before. */
static int enter(struct guest_put *p, const char *folder, struct dry_error *e)
{
	static const struct dry_owner root = { 0755, 0, 0 };
	struct dry_stat st;
	int rc;

	if (p->parent.len && strcmp(p->parent.s, folder) == 0)
		return 0;
	strbuf_reset(&p->parent);
	rc = dry_guest_lookup(p->g, folder, true, &p->parent_node, e);
	if (rc == -DRY_NOT_FOUND) {
		rc = dry_change_make_folders(p->c, folder, &root, e);
		if (rc >= 0)
			rc = dry_guest_lookup(p->g, folder, true, &p->parent_node, e);
	}
	if (rc >= 0)
		rc = dry_node_stat(p->g, p->parent_node, &st, e);
	if (rc < 0)
		return rc;
	if (!S_ISDIR(st.mode)) {
		e->sys_errno = ENOTDIR;
		rc = refuse(e, DRY_SYSTEM, "%s: %s", folder, strerror(ENOTDIR));
		e->sys_errno = ENOTDIR;
		return rc;
	}
	strbuf_reset(&p->label);
	if (!p->no_labels)
		dry_node_xattrs(p->g, p->parent_node, put_label, &p->label, NULL); /* none, where there are none */
	strbuf_puts(&p->parent, folder);
	return p->parent.failed || p->label.failed ? nomem(e) : 0;
}

/* ---- what belongs to a file ---- */

static bool xattr_wanted(struct guest_put *p, const char *name, uint32_t mode)
{
	if (strcmp(name, "security.selinux") == 0)
		return p->xattrs && !p->no_labels;
	if (text_starts(name, "system.posix_acl_", NULL))
		return !p->no_acls;
	if (strcmp(name, "security.capability") == 0) {
		p->setuid_lost += p->no_setuid && S_ISREG(mode);
		return !p->no_setuid && !p->no_xattrs;
	}
	return !p->no_xattrs && (p->xattrs || text_starts(name, "user.", NULL));
}

/* What a filesystem does not have is no failure: it is a place without it. */
static int set_xattr(struct guest_put *p, struct dry_node n, const char *name, const void *value, size_t len, struct dry_error *e)
{
	int rc = dry_change_setxattr(p->c, n, name, value, len, 0, e);

	return rc < 0 && is_errno(e, ENOTSUP) ? 0 : rc;
}

static int set_acl(struct guest_put *p, struct dry_node n, const char *name, const char *text, struct dry_error *e)
{
	CLEANUP(strbuf_free) struct strbuf acl = STRBUF_INIT;

	if (!text || p->no_acls || p->plain)
		return 0;
	if (!tar_acl_parse(&acl, text))
		return refuse(e, DRY_UNSUPPORTED, "an ACL that is not understood, or names owners without their numbers");
	return set_xattr(p, n, name, acl.s, acl.len, e);
}

static int set_xattrs(struct guest_put *p, const struct untar_member *m, uint32_t mode, struct dry_node n, bool is_new,
		      struct dry_error *e)
{
	bool labelled = false;
	int rc = 0;

	for (size_t i = 0; i < m->nxattrs && rc >= 0; i++) {
		const struct tar_xattr *x = &m->xattrs[i];

		if (!xattr_wanted(p, x->name, mode))
			continue;
		labelled |= strcmp(x->name, "security.selinux") == 0;
		rc = set_xattr(p, n, x->name, x->value, x->len, e);
	}
	if (rc >= 0)
		rc = set_acl(p, n, "system.posix_acl_access", m->acl, e);
	if (rc >= 0 && m->type == TAR_DIRECTORY)
		rc = set_acl(p, n, "system.posix_acl_default", m->default_acl, e);
	/* What the guest's own kernel would do: a new file has its folder's label. */
	if (rc >= 0 && is_new && !labelled && p->label.len)
		rc = set_xattr(p, n, "security.selinux", p->label.s, p->label.len, e);
	return rc;
}

static uint32_t mode_of(struct guest_put *p, const struct untar_member *m)
{
	const uint32_t bits = m->mode & 07777;

	if (p->plain)
		return m->type == TAR_DIRECTORY ? 0755 : m->mode & 0111 ? 0755 : 0644;
	if (p->no_setuid && bits & 06000 && m->type == TAR_FILE) {
		p->setuid_lost++;
		return bits & ~06000u;
	}
	return bits;
}

static struct dry_owner owner_of(struct guest_put *p, const struct untar_member *m)
{
	return (struct dry_owner){ mode_of(p, m), p->owners ? m->uid : p->uid, p->owners ? m->gid : p->gid };
}

static int set_time(struct guest_put *p, const struct untar_member *m, struct dry_node n, struct dry_error *e)
{
	const struct dry_time mtime = { m->mtime.sec, m->mtime.nsec };
	const struct dry_time atime = { m->atime.sec, m->atime.nsec };

	return p->plain ? 0 : dry_change_utimens(p->c, n, m->has_atime ? &atime : NULL, &mtime, e);
}

static int add_later(struct guest_put *p, const struct put_later *what, const char *link, struct dry_error *e)
{
	CLEANUP(free_ptr) char *path = alloc_strdup(p->path.s);
	CLEANUP(free_ptr) char *copy = alloc_strdup(link);

	if (p->nlater == LIMIT_TAR_LATER)
		return refuse(e, DRY_LIMIT, "more than %d folders, or links that lead out, in one archive", LIMIT_TAR_LATER);
	if (p->nlater == p->cap_later) {
		const size_t cap = p->cap_later ? 2 * p->cap_later : 64;
		struct put_later *later = alloc_resize(p->later, cap, sizeof *later);

		if (!later)
			return nomem(e);
		p->later = later;
		p->cap_later = cap;
	}
	if (!path || !copy)
		return nomem(e);
	p->later[p->nlater] = *what;
	p->later[p->nlater].path = take(path);
	p->later[p->nlater++].link = take(copy);
	return 0;
}

/* ---- the kinds of members ---- */

/* What is under this name now, not followed; its node too.  0, or < 0. */
static int look(struct guest_put *p, struct dry_node *n, struct dry_stat *st, bool follow, struct dry_error *e)
{
	int rc = dry_guest_lookup(p->g, p->path.s, follow, n, e);

	return rc < 0 ? rc : dry_node_stat(p->g, *n, st, e);
}

/* The name becomes free, unless it is a folder's. */
static int make_room(struct guest_put *p, const char *name, struct dry_error *e)
{
	return dry_change_unlink(p->c, p->parent_node, name, e);
}

static int put_directory(struct guest_put *p, const struct untar_member *m, const char *name, struct dry_error *e)
{
	struct dry_owner owner = owner_of(p, m);
	const struct put_later later = { .kind = LATER_FOLDER, .mode = owner.mode, .uid = owner.uid, .gid = owner.gid,
					 .mtime = { m->mtime.sec, m->mtime.nsec } };
	struct dry_node n;
	struct dry_stat st;
	bool is_new = true;
	int rc;

	if (!name) { /* the folder in which all is unpacked */
		rc = dry_guest_lookup(p->g, p->base, true, &n, e);
		is_new = false;
	} else {
		rc = dry_change_mkdir(p->c, p->parent_node, name, &owner, &n, e);
		if (rc < 0 && is_errno(e, EEXIST)) {
			is_new = false;
			rc = look(p, &n, &st, true, e);
			if (rc >= 0 && !S_ISDIR(st.mode))
				rc = refuse(e, DRY_USAGE, "it is no folder in the guest");
		}
	}
	if (rc < 0 || (!is_new && p->no_folders))
		return rc;
	rc = set_xattrs(p, m, S_IFDIR, n, is_new, e);
	return rc < 0 || p->plain ? rc : add_later(p, &later, "", e);
}

static int write_content(struct guest_put *p, struct untar *u, const struct untar_member *m, struct dry_node n,
			 struct dry_error *e)
{
	const struct tar_run all = { 0, m->size };
	struct err why = ERR_INIT;
	int rc = 0;

	for (size_t i = 0; i < (m->runs ? m->nruns : 1) && rc >= 0; i++) {
		const struct tar_run r = m->runs ? m->runs[i] : all;

		for (uint64_t done = 0; done < r.len && rc >= 0;) { /* ends: each round reads something, or it is an error */
			size_t got;

			if (untar_read(u, p->buf, (size_t)MIN_OF(CHUNK, r.len - done), &got, &why) < 0)
				return from_util(e, &why);
			if (!got)
				return refuse(e, DRY_CORRUPT, "its content is cut off");
			rc = dry_change_write(p->c, n, p->buf, got, r.off + done, e);
			done += got;
			p->bytes += got;
			if (rc >= 0 && p->watch && p->watch(p->arg, p->bytes))
				return refuse(e, DRY_CANCELED, "stopped");
		}
	}
	/* A hole at its end. */
	if (rc >= 0 && m->runs && (!m->nruns || m->runs[m->nruns - 1].off + m->runs[m->nruns - 1].len < m->size))
		rc = dry_change_truncate(p->c, n, m->size, e);
	return rc;
}

static int put_file(struct guest_put *p, struct untar *u, const struct untar_member *m, const char *name, struct dry_error *e)
{
	const struct dry_owner owner = owner_of(p, m);
	struct dry_node n;
	struct dry_stat st;
	bool kept = false;
	int rc = dry_change_create(p->c, p->parent_node, name, &owner, &n, e);

	if (rc < 0 && is_errno(e, EEXIST)) {
		rc = p->in_place ? look(p, &n, &st, true, e) : 0;
		kept = p->in_place && rc >= 0 && S_ISREG(st.mode);
		if (kept) {
			rc = dry_change_truncate(p->c, n, 0, e);
		} else if (p->in_place && rc >= 0) {
			rc = refuse(e, DRY_USAGE, "there is a %s in the guest", guest_type_word(st.mode));
		} else {
			rc = make_room(p, name, e);
			if (rc >= 0)
				rc = dry_change_create(p->c, p->parent_node, name, &owner, &n, e);
		}
	}
	if (rc >= 0)
		rc = write_content(p, u, m, n, e);
	if (rc < 0 || kept)
		return rc;
	rc = set_xattrs(p, m, S_IFREG, n, true, e);
	return rc < 0 ? rc : set_time(p, m, n, e);
}

/* A link to "../x" or "/x" from another than the guest itself. */
static bool leads_out(const char *target)
{
	for (const char *at = target; at; at = strchr(at, '/')) {
		at += *at == '/';
		if (strncmp(at, "..", 2) == 0 && (!at[2] || at[2] == '/'))
			return true;
	}
	return *target == '/';
}

static int put_symlink(struct guest_put *p, const struct untar_member *m, const char *name, struct dry_error *e)
{
	struct dry_owner owner = owner_of(p, m);
	struct dry_node n;
	int rc;

	owner.mode = 0777;
	rc = dry_change_symlink(p->c, p->parent_node, name, m->link, &owner, &n, e);
	if (rc < 0 && is_errno(e, EEXIST)) {
		rc = make_room(p, name, e);
		if (rc >= 0)
			rc = dry_change_symlink(p->c, p->parent_node, name, m->link, &owner, &n, e);
	}
	if (rc >= 0 && !p->no_labels && p->label.len)
		rc = set_xattr(p, n, "security.selinux", p->label.s, p->label.len, e);
	return rc < 0 ? rc : set_time(p, m, n, e);
}

static int link_to(struct guest_put *p, const char *link, const char *name, struct dry_error *e)
{
	CLEANUP(strbuf_free) struct strbuf target = STRBUF_INIT, path = STRBUF_INIT;
	struct dry_node n;
	int rc;

	if (!clean_path(&target, link))
		return refuse(e, DRY_POLICY, "it is a link to \"%.200s\", which leads out of the archive", link);
	strbuf_printf(&path, "%s/%s", strcmp(p->base, "/") == 0 ? "" : p->base, target.s);
	if (path.failed || target.failed)
		return nomem(e);
	rc = dry_guest_lookup(p->g, path.s, false, &n, e);
	if (rc >= 0)
		rc = dry_change_link(p->c, n, p->parent_node, name, e);
	if (rc < 0 && is_errno(e, EEXIST)) {
		rc = make_room(p, name, e);
		if (rc >= 0)
			rc = dry_change_link(p->c, n, p->parent_node, name, e);
	}
	return rc;
}

static int put_node(struct guest_put *p, const struct untar_member *m, const char *name, struct dry_error *e)
{
	struct dry_owner owner = owner_of(p, m);
	struct dry_node n;
	int rc;

	owner.mode = mode_of(p, m) | (m->type == TAR_FIFO ? S_IFIFO : m->type == TAR_CHAR ? S_IFCHR : S_IFBLK);
	rc = dry_change_mknod(p->c, p->parent_node, name, &owner, m->major, m->minor, &n, e);
	if (rc < 0 && is_errno(e, EEXIST)) {
		rc = make_room(p, name, e);
		if (rc >= 0)
			rc = dry_change_mknod(p->c, p->parent_node, name, &owner, m->major, m->minor, &n, e);
	}
	if (rc >= 0)
		rc = set_xattrs(p, m, owner.mode, n, true, e);
	return rc < 0 ? rc : set_time(p, m, n, e);
}

static int put_member(struct guest_put *p, struct untar *u, const struct untar_member *m, struct dry_error *e)
{
	const struct put_later later = { .kind = m->type == TAR_SYMLINK ? LATER_SYMLINK : LATER_HARDLINK, .mode = m->mode,
					 .uid = p->owners ? m->uid : p->uid, .gid = p->owners ? m->gid : p->gid,
					 .mtime = { m->mtime.sec, m->mtime.nsec } };
	CLEANUP(strbuf_free) struct strbuf rel = STRBUF_INIT, folder = STRBUF_INIT;
	const char *slash, *name;
	int rc;

	if (!clean_path(&rel, m->path))
		return refuse(e, DRY_POLICY, "it leads out of the archive by \"..\"");
	strbuf_reset(&p->path);
	strbuf_printf(&p->path, "%s%s%s", strcmp(p->base, "/") == 0 ? "" : p->base, rel.len ? "/" : "", rel.s);
	if (rel.failed || p->path.failed)
		return nomem(e);
	if (!rel.len)
		return m->type == TAR_DIRECTORY ? put_directory(p, m, NULL, e) : refuse(e, DRY_CORRUPT, "it has no name");
	slash = strrchr(p->path.s, '/');
	name = slash + 1;
	strbuf_add(&folder, p->path.s, (size_t)(slash - p->path.s));
	if (!folder.len)
		strbuf_putc(&folder, '/');
	rc = folder.failed ? nomem(e) : enter(p, folder.s, e);
	if (rc < 0)
		return rc;
	switch (m->type) {
	case TAR_DIRECTORY:
		return put_directory(p, m, name, e);
	case TAR_SYMLINK:
		return leads_out(m->link) ? add_later(p, &later, m->link, e) : put_symlink(p, m, name, e);
	case TAR_HARDLINK:
		rc = link_to(p, m->link, name, e);
		/* Of a link that is not there yet. */
		return rc == -DRY_NOT_FOUND && p->nlater ? add_later(p, &later, m->link, e) : rc;
	case TAR_CHAR:
	case TAR_BLOCK_DEVICE:
	case TAR_FIFO:
		return put_node(p, m, name, e);
	case TAR_FILE:
		break;
	}
	return put_file(p, u, m, name, e);
}

/* ---- the end ---- */

static int finish_one(struct guest_put *p, const struct put_later *l, struct dry_error *e)
{
	struct untar_member m = { .type = TAR_SYMLINK, .link = l->link, .mode = l->mode, .uid = l->uid, .gid = l->gid,
				  .mtime = { l->mtime.sec, l->mtime.nsec } };
	CLEANUP(free_ptr) char *folder = alloc_strndup(l->path, (size_t)(strrchr(l->path, '/') - l->path));
	struct dry_node n;
	int rc;

	if (!folder)
		return nomem(e);
	if (l->kind != LATER_FOLDER) {
		rc = enter(p, *folder ? folder : "/", e);
		if (rc < 0)
			return rc;
		return l->kind == LATER_SYMLINK ? put_symlink(p, &m, strrchr(l->path, '/') + 1, e)
						: link_to(p, l->link, strrchr(l->path, '/') + 1, e);
	}
	rc = dry_guest_lookup(p->g, *l->path ? l->path : "/", true, &n, e);
	if (rc >= 0)
		rc = dry_change_chown(p->c, n, l->uid, l->gid, e);
	if (rc >= 0)
		rc = dry_change_chmod(p->c, n, l->mode, e);
	return rc < 0 ? rc : dry_change_utimens(p->c, n, NULL, &l->mtime, e);
}

/* Links first: they change the times of their folders; and folders from the last to the first, which is outwards. */
static int finish(struct guest_put *p, struct dry_error *e)
{
	const size_t n = p->nlater;

	for (int folders = 0; folders < 2; folders++) {
		for (size_t i = 0; i < n; i++) {
			const struct put_later *l = &p->later[folders ? n - 1 - i : i];
			int rc = (l->kind == LATER_FOLDER) == (folders == 1) ? finish_one(p, l, e) : 0;

			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

int guest_put_archive(struct guest_put *p, struct untar *u, struct dry_error *e)
{
	struct untar_member m;
	struct err why = ERR_INIT;
	int rc;

	if (!p->buf)
		p->buf = alloc_bytes(CHUNK);
	if (!p->buf)
		return nomem(e);
	while ((rc = untar_next(u, &m, &why)) > 0) { /* ends with the archive */
		rc = put_member(p, u, &m, e);
		if (rc < 0) {
			CLEANUP(strbuf_free) struct strbuf name = STRBUF_INIT;
			CLEANUP(free_ptr) char *msg = alloc_strdup(e->msg);

			text_quote(&name, m.path, strlen(m.path));
			snprintf(e->msg, sizeof e->msg, "%.400s: %s", name.s, msg ? msg : "");
			return rc;
		}
		p->entries++;
	}
	return rc < 0 ? from_util(e, &why) : finish(p, e);
}

/* ---- single files ---- */

int guest_put_stream(struct dry_change *c, const char *path, const struct dry_owner *owner,
		     int (*next)(void *arg, void *buf, size_t len, size_t *got, struct dry_error *e), void *arg,
		     uint64_t *bytes, struct dry_error *e)
{
	CLEANUP(free_ptr) void *buf = alloc_bytes(CHUNK);
	struct dry_guest *g = dry_change_guest(c);
	struct dry_node n = { NULL, 0 };
	struct dry_stat st;
	uint64_t off = 0;
	size_t got;
	int rc;

	if (!buf)
		return nomem(e);
	/* An empty file first: that finds or makes it, and refuses what is none. */
	rc = dry_change_write_file(c, path, "", 0, owner, e);
	if (rc >= 0)
		rc = dry_guest_lookup(g, path, true, &n, e);
	if (rc >= 0)
		rc = dry_node_stat(g, n, &st, e);
	/* Ends with what next() gives. */
	while (rc >= 0 && (rc = next(arg, buf, CHUNK, &got, e)) >= 0 && got) {
		rc = dry_change_write(c, n, buf, got, off, e);
		off += got;
	}
	if (bytes)
		*bytes = off;
	return rc;
}

struct xattr_copy {
	struct dry_change *c;
	struct dry_node to;
	struct dry_error *e;
	int rc;
};

static int copy_xattr(void *arg, const char *name, const void *value, size_t len)
{
	struct xattr_copy *x = arg;

	x->rc = dry_change_setxattr(x->c, x->to, name, value, len, 0, x->e);
	/* What a filesystem does not have is no failure: it is a place without it. */
	if (x->rc < 0 && is_errno(x->e, ENOTSUP))
		x->rc = 0;
	return x->rc < 0;
}

int guest_put_xattrs(struct dry_change *c, struct dry_node from, struct dry_node to, struct dry_error *e)
{
	struct xattr_copy x = { .c = c, .to = to, .e = e };
	int rc = dry_node_xattrs(dry_change_guest(c), from, copy_xattr, &x, e);

	return x.rc < 0 ? x.rc : rc < 0 ? rc : 0;
}

static int copy_run(struct dry_change *c, struct dry_node from, struct dry_node to, void *buf, uint64_t off, uint64_t end,
		    struct dry_error *e)
{
	int rc = 0;

	while (rc >= 0 && off < end) { /* ends: each round copies something, or it is the end */
		size_t got;

		rc = dry_node_read(dry_change_guest(c), from, buf, (size_t)MIN_OF(CHUNK, end - off), off, &got, e);
		if (rc < 0 || !got)
			break;
		rc = dry_change_write(c, to, buf, got, off, e);
		off += got;
	}
	return rc;
}

int guest_put_content(struct dry_change *c, struct dry_node from, struct dry_node to, uint64_t size, struct dry_error *e)
{
	CLEANUP(free_ptr) void *buf = alloc_bytes(CHUNK);
	uint64_t len;
	bool hole = false;
	int rc = 0;

	if (!buf)
		return nomem(e);
	for (uint64_t off = 0; rc >= 0 && off < size; off += len) { /* ends: no run is empty */
		rc = dry_node_extent(dry_change_guest(c), from, off, &len, &hole, e);
		if (rc >= 0 && !hole)
			rc = copy_run(c, from, to, buf, off, off + len, e);
	}
	return rc >= 0 && hole ? dry_change_truncate(c, to, size, e) : rc;
}

int guest_put_copy(struct dry_change *c, const char *from, const char *to, struct dry_error *e)
{
	struct dry_guest *g = dry_change_guest(c);
	struct dry_node source = { NULL, 0 }, dir = { NULL, 0 }, made = { NULL, 0 };
	struct dry_stat st = { .size = 0 };
	char name[DRY_NAME_SIZE];
	int rc = dry_guest_lookup(g, from, true, &source, e);

	if (rc >= 0)
		rc = dry_node_stat(g, source, &st, e);
	if (rc >= 0)
		rc = dry_change_parent(c, to, &dir, name, e);
	if (rc >= 0) {
		const struct dry_owner owner = { st.mode & 07777, st.uid, st.gid };

		rc = dry_change_create(c, dir, name, &owner, &made, e);
		if (rc < 0 && is_errno(e, EEXIST)) {
			rc = dry_change_unlink(c, dir, name, e);
			if (rc >= 0)
				rc = dry_change_create(c, dir, name, &owner, &made, e);
		}
	}
	if (rc >= 0)
		rc = guest_put_content(c, source, made, st.size, e);
	if (rc >= 0)
		rc = guest_put_xattrs(c, source, made, e);
	return rc < 0 ? rc : dry_change_utimens(c, made, &st.atime, &st.mtime, e);
}
