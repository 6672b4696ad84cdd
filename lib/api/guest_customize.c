/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest_customize.c - the sections of drydock.h on the registry that is changed, and on customizing. */
#include "guest_api.h"

#include "change_tree.h"
#include "customize.h"
#include "new_uuids.h"
#include "registry_api.h"
#include "registry_change.h"
#include "sysprep.h"
#include "text.h"

/* ---- the registry ---- */

int dry_hive_writer_start(struct dry_hive_writer **out, struct dry_error *error)
{
	API_ERR(e, error);
	struct hive_writer *w;
	int rc = hive_writer_start(&w, e);

	if (rc == 0)
		*out = (struct dry_hive_writer *)w;
	return rc;
}

void dry_hive_writer_stop(struct dry_hive_writer *w)
{
	hive_writer_stop((struct hive_writer *)w);
}

struct dry_registry_edits {
	struct reg_edits edits;
};

struct dry_registry_edits *dry_registry_edits_new(void)
{
	return alloc_zero(sizeof(struct dry_registry_edits));
}

void dry_registry_edits_free(struct dry_registry_edits *x)
{
	if (x)
		reg_edits_free(&x->edits);
	free(x);
}

int dry_registry_edits_text(struct dry_registry_edits *x, const void *bytes, size_t len, bool ascii, const char *prefix,
			    struct dry_error *error)
{
	API_ERR(e, error);
	const struct reg_text_how how = { .ascii = ascii, .prefix = prefix };

	return reg_text_parse(bytes, len, &how, &x->edits, e);
}

int dry_registry_edits_set(struct dry_registry_edits *x, const char *key, const char *name, const char *type, const char *text,
			   struct dry_error *error)
{
	API_ERR(e, error);
	struct reg_edit edit = { .kind = type ? REG_EDIT_VALUE : REG_EDIT_KEY, .key = (char *)key, .name = (char *)name };
	int rc = type ? reg_value_parse(type, text, &edit, e) : 0;

	if (rc == 0)
		rc = reg_edits_add(&x->edits, &edit, e);
	free(edit.data);
	return rc;
}

int dry_registry_edits_delete(struct dry_registry_edits *x, const char *key, const char *name, struct dry_error *error)
{
	API_ERR(e, error);
	const struct reg_edit edit = { .kind = name ? REG_EDIT_VALUE_DELETE : REG_EDIT_KEY_DELETE, .key = (char *)key,
				       .name = (char *)name };

	return reg_edits_add(&x->edits, &edit, e);
}

/* hive NULL: the registry of the Windows in the tree. */
static int edits_make(struct tree *t, struct vfs *v, struct hive_writer *w, const char *hive, const struct reg_edits *edits,
		      size_t *nhives, struct err *e)
{
	CLEANUP(registry_freep) struct registry *r = NULL;
	const char *root = hive ? NULL : registry_systemroot(v);
	int rc;

	if (!hive && !root)
		return err_set(e, ERR_NOT_FOUND, "there is no Windows, and no registry");
	rc = hive ? registry_of_file(v, hive, &r, e) : registry_new(v, root, &r, e);
	if (hive && rc == 0)
		return err_set(e, ERR_NOT_FOUND, "%s: there is no such file", hive);
	return rc < 0 ? rc : registry_change(t, r, w, edits, nhives, e);
}

int dry_registry_change(struct dry_change *c, struct dry_hive_writer *w, const char *hive, const struct dry_registry_edits *x,
			size_t *nhives, struct dry_error *error)
{
	API_ERR(e, error);
	struct dry_guest *g = dry_change_guest(c);
	struct change_tree t;
	struct change *inner;
	size_t unused;
	int rc = change_inner(c, &inner, e);

	if (rc < 0)
		return rc;
	change_tree_init(&t, inner, &g->os);
	return edits_make(&t.tree, g->tree.vfs, (struct hive_writer *)w, hive, &x->edits, nhives ? nhives : &unused, e);
}

int dry_hive_change(struct dry_registry *r, struct dry_hive_writer *w, const struct dry_registry_edits *x, void **out, size_t *len,
		    struct dry_error *error)
{
	API_ERR(e, error);
	uint8_t *bytes;
	int rc = registry_change_alone(r->registry, (struct hive_writer *)w, &x->edits, &bytes, len, e);

	*out = bytes;
	return rc;
}

/* ---- customizing ---- */

struct dry_customize {
	struct customize z;
};

struct dry_customize *dry_customize_new(void)
{
	struct dry_customize *z = alloc_zero(sizeof *z);

	if (z)
		z->z = (struct customize)CUSTOMIZE_INIT;
	return z;
}

void dry_customize_free(struct dry_customize *z)
{
	if (z)
		customize_free(&z->z);
	free(z);
}

bool dry_customize_op_at(size_t i, struct dry_customize_op *out)
{
	const struct customize_op *op = customize_op_at(i);

	if (op)
		*out = (struct dry_customize_op){ op->name, op->arg, op->help, op->own };
	return op != NULL;
}

int dry_customize_add(struct dry_customize *z, const char *name, const char *arg, struct dry_error *error)
{
	API_ERR(e, error);

	return customize_add(&z->z, name, arg, e);
}

const char *dry_customize_host_path(const struct dry_customize *z, size_t i)
{
	return customize_host_path(&z->z, i);
}

struct call {
	const struct dry_customize_how *how;
	struct dry_change *c;
	struct dry_guest *g;
	struct tree *t;
};

static void call_say(void *arg, const char *line)
{
	const struct call *c = arg;

	if (c->how->say)
		c->how->say(c->how->arg, line);
}

static int call_output(void *arg, int stream, const void *bytes, size_t len, struct err *e)
{
	const struct call *c = arg;

	if (c->how->output && c->how->output(c->how->arg, stream, bytes, len))
		return err_set(e, ERR_CANCELED, "stopped");
	return 0;
}

static int call_unpack(void *arg, int fd, const char *folder, struct err *e)
{
	const struct call *c = arg;
	struct dry_error why = { .code = DRY_OK };

	if (!c->how->unpack)
		return err_set(e, ERR_UNSUPPORTED, "archives cannot be unpacked here");
	return c->how->unpack(c->how->arg, c->c, fd, folder, &why) < 0 ? err_set(e, (enum err_code)why.code, "%s", why.msg) : 0;
}

static int call_registry(void *arg, const struct reg_edits *edits, struct err *e)
{
	const struct call *c = arg;
	size_t nhives;

	if (!c->how->writer)
		return err_set(e, ERR_UNSUPPORTED, "the registry of Windows cannot be changed without libhivex");
	return edits_make(c->t, c->g->tree.vfs, (struct hive_writer *)c->how->writer, NULL, edits, &nhives, e);
}

static int call_fs_uuids(void *arg, struct err *e)
{
	const struct call *c = arg;
	struct change *inner;
	int rc = change_inner(c->c, &inner, e);

	return rc < 0 ? rc : new_fs_uuids_settle(inner, c->t, call_say, arg, e);
}

static int call_lvm_uuids(void *arg, struct err *e)
{
	const struct call *c = arg;
	struct change *inner;
	int rc = change_inner(c->c, &inner, e);

	return rc < 0 ? rc : new_uuids_settle(inner, c->t, &c->g->vols, call_say, arg, e);
}

#define HOUR_MS (60ull * 60 * 1000)

/* The tree of a change, with what is known of its system. */
static int tree_ready(struct dry_change *c, struct change_tree *t, const struct dry_customize_how *how, struct err *e)
{
	struct dry_guest *g = dry_change_guest(c);
	struct change *inner;
	int rc = guest_inspected(g, e);

	if (rc >= 0)
		rc = change_inner(c, &inner, e);
	if (rc < 0)
		return rc;
	change_tree_init(t, inner, &g->os);
	t->max_ms = how->max_ms ? how->max_ms : HOUR_MS;
	t->max_output = how->max_output;
	t->network = how->network;
	t->stop = how->stop;
	t->arg = how->arg;
	return 0;
}

int dry_customize_run(struct dry_change *c, const struct dry_customize *z, const struct dry_customize_how *how,
		      struct dry_error *error)
{
	API_ERR(e, error);
	struct change_tree t;
	struct call call = { how, c, dry_change_guest(c), &t.tree };
	struct customize_job job = { .tree = &t.tree, .say = call_say, .output = call_output, .unpack = call_unpack,
				     .registry = call_registry, .arg = &call };
	int rc = tree_ready(c, &t, how, e);

	return rc < 0 ? rc : customize_run(&z->z, &job, e);
}

bool dry_customize_runs(const struct dry_customize *z)
{
	return customize_runs(&z->z);
}

/* ---- making ready to be cloned ---- */

bool dry_sysprep_op_at(size_t i, struct dry_sysprep_op *out)
{
	const struct sysprep_op *op = sysprep_op_at(i);

	if (op)
		*out = (struct dry_sysprep_op){ op->name, op->help, op->by_default, op->own };
	return op != NULL;
}

static int choose(const struct dry_sysprep_how *how, struct sysprep_choice *out, struct err *e)
{
	if (how->enable)
		return sysprep_enable(how->enable, out, e);
	if (how->operations)
		return sysprep_operations(how->operations, how->peer, out, e);
	sysprep_defaults(how->peer, out);
	return 0;
}

int dry_sysprep_judge(const struct dry_sysprep_how *how, struct dry_error *error)
{
	API_ERR(e, error);
	struct sysprep_choice unused;

	return choose(how, &unused, e);
}

int dry_sysprep_run(struct dry_change *c, const struct dry_sysprep_how *how, struct dry_error *error)
{
	API_ERR(e, error);
	struct change_tree t;
	struct call call = { &how->how, c, dry_change_guest(c), &t.tree };
	struct sysprep_job job = {
		.customize = { .tree = &t.tree, .say = call_say, .output = call_output, .unpack = call_unpack,
			       .registry = call_registry, .arg = &call },
		.ops = how->customize ? &how->customize->z : NULL,
		.keep = how->keep_accounts,
		.remove = how->remove_accounts,
		.fs_uuids = call_fs_uuids,
		.lvm_uuids = call_lvm_uuids,
	};
	int rc = choose(how, &job.choice, e);

	if (rc == 0)
		rc = tree_ready(c, &t, &how->how, e);
	return rc < 0 ? rc : sysprep_run(&job, e);
}

struct secrets_call {
	int (*fn)(void *arg, const char *path, const char *what);
	void *arg;
};

static int secret_met(void *arg, const char *path, const char *what, struct err *e)
{
	const struct secrets_call *s = arg;

	return s->fn(s->arg, path, what) ? err_set(e, ERR_CANCELED, "stopped") : 0;
}

int dry_guest_secrets(struct dry_guest *g, int (*fn)(void *arg, const char *path, const char *what), void *arg,
		      struct dry_error *error)
{
	API_ERR(e, error);
	struct secrets_call call = { fn, arg };
	struct change_tree t;
	int rc = guest_mounted(g, e);

	if (rc < 0)
		return rc;
	change_tree_init_reading(&t, &g->tree, &g->os);
	return secrets_find_in(&t.tree, secret_met, &call, e);
}
