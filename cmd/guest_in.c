/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest_in.h"

#include "alloc.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

struct source {
	struct host_side *h;
	struct dry_error e; /* of the host side: its words are better than "cut off" */
};

static int next_bytes(void *arg, void *buf, size_t len, size_t *got, struct err *e)
{
	struct source *s = arg;

	if (host_read(s->h, buf, len, got, &s->e) >= 0)
		return 0;
	return err_set(e, (enum err_code)s->e.code, "%s", s->e.msg);
}

static void untar_freep(struct untar **u)
{
	untar_free(*u);
}

int guest_in_archive(struct guest_put *p, struct host_side *h, struct dry_error *e)
{
	CLEANUP(untar_freep) struct untar *u = NULL;
	struct source s = { .h = h };
	struct err why = ERR_INIT;
	char rest[4096];
	size_t got;
	int rc;

	if (untar_new(next_bytes, &s, &u, &why) < 0) {
		*e = (struct dry_error){ .code = (enum dry_code)why.code, .sys_errno = why.sys_errno };
		snprintf(e->msg, sizeof e->msg, "%s", why.msg);
		return -(int)e->code;
	}
	rc = guest_put_archive(p, u, e);
	/* What stands behind the archive's end means nothing, but that the host side has something to say. */
	while (rc >= 0 && !s.e.code && host_read(h, rest, sizeof rest, &got, &s.e) >= 0 && got)
		;
	if (s.e.code) {
		*e = s.e;
		return -(int)e->code;
	}
	return rc;
}

bool guest_in_name(const char *path, char *buf, size_t size)
{
	size_t len = strlen(path), at;

	while (len && path[len - 1] == '/')
		len--;
	for (at = len; at && path[at - 1] != '/'; at--)
		;
	if (len - at >= size)
		return false;
	memcpy(buf, path + at, len - at);
	buf[len - at] = '\0';
	if (strcmp(buf, ".") == 0 || strcmp(buf, "..") == 0)
		*buf = '\0';
	return true;
}

static int out_of_memory(struct dry_error *e)
{
	*e = (struct dry_error){ .code = DRY_NOMEM };
	snprintf(e->msg, sizeof e->msg, "out of memory");
	return -DRY_NOMEM;
}

int guest_in_only(struct host_side *h, char *const *paths, size_t n, struct dry_error *e)
{
	struct host_allowed a = { .items = NULL };
	int rc;

	for (size_t i = 0; i < n; i++) {
		host_allow(&a, HOST_OPEN, paths[i]);
		host_allow(&a, HOST_TREE, paths[i]);
	}
	rc = host_only(h, &a, e);
	host_allow_forget(&a, 0);
	free(a.items);
	return rc;
}

int guest_in_trees(struct guest_put *p, struct host_side *h, const char *const *paths, size_t n, unsigned flags,
		   struct dry_error *e)
{
	CLEANUP(free_ptr) char *names = alloc_array(n, 256);
	CLEANUP(free_ptr) const char **list = alloc_array(n, sizeof *list);
	int rc;

	if (!names || !list)
		return out_of_memory(e);
	for (size_t i = 0; i < n; i++) {
		list[i] = names + 256 * i;
		if (!guest_in_name(paths[i], names + 256 * i, 256)) {
			*e = (struct dry_error){ .code = DRY_SYSTEM, .sys_errno = ENAMETOOLONG };
			snprintf(e->msg, sizeof e->msg, "%.300s: %s", paths[i], strerror(ENAMETOOLONG));
			return -DRY_SYSTEM;
		}
	}
	rc = host_tree(h, paths, list, n, flags, e);
	return rc < 0 ? rc : guest_in_archive(p, h, e);
}

static int next_of_file(void *arg, void *buf, size_t len, size_t *got, struct dry_error *e)
{
	size_t n = 0, part = 1;
	int rc = 0;

	/* Whole chunks: each is one write to the guest. */
	while (n < len && part && rc >= 0) {
		rc = host_read(arg, (char *)buf + n, len - n, &part, e);
		n += part;
	}
	*got = n;
	return rc;
}

int guest_in_file(struct dry_change *c, struct host_side *h, const char *path, const struct dry_owner *owner, uint64_t *bytes,
		  struct dry_error *e)
{
	return guest_put_stream(c, path, owner, next_of_file, h, bytes, e);
}

int guest_in_folder(struct dry_guest *g, const char *path, struct dry_error *e)
{
	struct dry_node n;
	struct dry_stat st;
	int rc = dry_guest_lookup(g, path, true, &n, e);

	if (rc == -DRY_NOT_FOUND)
		return 0;
	if (rc >= 0)
		rc = dry_node_stat(g, n, &st, e);
	return rc < 0 ? rc : S_ISDIR(st.mode);
}
