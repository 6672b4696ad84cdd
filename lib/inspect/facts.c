/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* facts.c - the parts of a guest's facts together, and what they share: reading within bounds, and warnings. */
#include "facts.h"

#include "alloc.h"
#include "limits.h"

#include <errno.h>
#include <sys/stat.h>

void facts_free(struct facts *f)
{
	for (size_t i = 0; i < f->nkernels; i++) {
		free(f->kernels[i].path);
		free(f->kernels[i].tag);
		free(f->kernels[i].version);
	}
	for (size_t i = 0; i < f->ninitrds; i++) {
		free(f->initrds[i].path);
		free(f->initrds[i].version);
	}
	for (size_t i = 0; i < f->nsigns; i++) {
		free(f->signs[i].path);
		free(f->signs[i].value);
	}
	for (size_t i = 0; i < f->nlogins; i++) {
		free(f->logins[i].name);
		free(f->logins[i].real_name);
		free(f->logins[i].home);
		free(f->logins[i].shell);
	}
	for (size_t i = 0; i < f->nservices; i++) {
		free(f->services[i].name);
		free(f->services[i].when);
	}
	for (size_t i = 0; i < f->nmounts; i++) {
		free(f->mounts[i].spec);
		free(f->mounts[i].dir);
		free(f->mounts[i].type);
		free(f->mounts[i].opts);
	}
	for (size_t i = 0; i < f->nwarnings; i++)
		free(f->warnings[i]);
	for (size_t i = 0; i < f->nothers; i++)
		vfs_free(f->others[i]);
	free(f->kernels);
	free(f->initrds);
	free(f->signs);
	free(f->logins);
	free(f->services);
	free(f->mounts);
	free(f->warnings);
	free(f->others);
	memset(f, 0, sizeof *f);
}

/* What stood in the way; memory is passed on. */
static int warning_take(struct facts *f, const struct err *why, struct err *e)
{
	if (why->code == ERR_NOMEM)
		return err_nomem(e);
	return sentence_add(&f->warnings, &f->nwarnings, e, "%s", why->msg);
}

int facts_text(struct facts *f, struct vfs *v, const char *path, size_t max, char **text, struct err *e)
{
	struct err why = ERR_INIT;
	size_t len;
	int rc;

	if (f->kib >= LIMIT_FACT_KIB)
		return sentence_add(&f->warnings, &f->nwarnings, e, "%s is not read: too much was read before", path);
	rc = vfs_read_file(v, path, max, text, &len, &why);
	/* So that a folder of large files has an end. */
	f->kib += rc == 0 ? len / 1024 : 0;
	if (rc == 0)
		return 1;
	return rc == -ERR_NOT_FOUND ? 0 : warning_take(f, &why, e);
}

struct dir_call {
	struct facts *f;
	int (*fn)(void *arg, const struct vfs_dirent *d, struct err *e);
	void *arg;
	bool stopped; /* by fn, or by the limit: what came back is an answer and not a failure to read */
	bool full;
};

static int on_entry(void *arg, const struct vfs_dirent *d, struct err *e)
{
	struct dir_call *c = arg;
	int rc;

	if (c->f->entries >= LIMIT_FACT_ENTRIES) {
		c->full = c->stopped = true;
		return 1;
	}
	c->f->entries++;
	rc = c->fn(c->arg, d, e);
	c->stopped = rc != 0;
	return rc;
}

int facts_dir(struct facts *f, struct vfs *v, const char *path,
	      int (*fn)(void *arg, const struct vfs_dirent *d, struct err *e), void *arg, struct err *e)
{
	struct dir_call c = { .f = f, .fn = fn, .arg = arg };
	struct err why = ERR_INIT;
	struct vfs_node dir;
	struct fs_stat st;
	int rc = vfs_lookup(v, path, true, &dir, &why);

	if (rc == 0)
		rc = fs_stat(dir.fs, dir.ino, &st, &why);
	if (rc == -ERR_NOT_FOUND || (rc == -ERR_SYSTEM && why.sys_errno == ENOTDIR) || (rc == 0 && !S_ISDIR(st.mode)))
		return 0;
	if (rc == 0)
		rc = vfs_readdir(v, dir, false, on_entry, &c, &why);
	if (c.full)
		return sentence_add(&f->warnings, &f->nwarnings, e, "%s: of its folders no more than %d entries are looked at",
				    path, LIMIT_FACT_ENTRIES);
	if (c.stopped) {
		if (e)
			*e = why;
		return rc;
	}
	return rc < 0 ? warning_take(f, &why, e) : 0;
}

int facts_sign(struct facts *f, enum sign_kind kind, const char *name, const char *path, const char *volume, const char *value,
	       struct err *e)
{
	struct sign *items = alloc_resize(f->signs, f->nsigns + 1, sizeof *items), *s;

	if (!items)
		return err_nomem(e);
	f->signs = items;
	s = &items[f->nsigns++];
	*s = (struct sign){ .kind = kind, .name = name, .path = alloc_strdup(path), .volume = volume };
	if (value)
		s->value = alloc_strdup(value);
	return s->path && (s->value || !value) ? 0 : err_nomem(e);
}

/* ---- mounts ---- */

/* What fstab says, also of what is not here or cannot be mounted. */
static int mounts_read(const struct facts_from *from, struct facts *f, struct err *e)
{
	CLEANUP(fstab_free) struct fstab tab = { 0 };
	CLEANUP(fstab_free) struct fstab crypttab = { 0 };
	CLEANUP(free_ptr) char *text = NULL, *crypt = NULL;
	struct err why = ERR_INIT;
	int rc = facts_text(f, from->g->vfs, "/etc/fstab", LIMIT_FSTAB_BYTES, &text, e);

	if (rc > 0 && text && fstab_parse(text, strlen(text), &tab, &why) < 0)
		return warning_take(f, &why, e);
	if (rc > 0)
		rc = facts_text(f, from->g->vfs, "/etc/crypttab", LIMIT_FSTAB_BYTES, &crypt, e);
	if (rc > 0 && crypt && fstab_parse(crypt, strlen(crypt), &crypttab, &why) < 0)
		rc = warning_take(f, &why, e);
	if (rc < 0 || !tab.n)
		return rc;
	f->mounts = alloc_array(tab.n, sizeof *f->mounts);
	if (!f->mounts)
		return err_nomem(e);
	for (; f->nmounts < tab.n; f->nmounts++) {
		struct fstab_line *l = &tab.items[f->nmounts];
		struct fact_mount *m = &f->mounts[f->nmounts];

		if (from->c) {
			rc = guest_find_spec(from->c, from->g->vfs, &crypttab, l->spec, &m->content, e);
			if (rc < 0)
				return rc;
		}
		m->spec = take(l->spec);
		m->dir = take(l->dir);
		m->type = take(l->type);
		m->opts = take(l->opts);
	}
	return 0;
}

int facts_inspect(const struct facts_from *from, struct facts *out, struct err *e)
{
	int rc;

	memset(out, 0, sizeof *out);
	rc = facts_boot(from, out, e);
	if (rc == 0)
		rc = facts_logins(from, out, e);
	if (rc == 0)
		rc = facts_services(from, out, e);
	if (rc == 0)
		rc = facts_signs(from, out, e);
	if (rc == 0)
		rc = mounts_read(from, out, e);
	if (rc < 0)
		facts_free(out);
	return rc;
}
