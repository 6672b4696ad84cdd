/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * block_open.c - from names and options to a tree of nodes.
 *
 * The options of a whole tree are one flat dict.  A node takes "driver"; a format's own file is described by its
 * "file.*" options and a backing file by "backing.*", each opened the same way one level down.  What nobody took is
 * unknown and refused.
 */
#include "block_driver.h"

#include "alloc.h"
#include "limits.h"
#include "policy.h"
#include "probe.h"
#include "redo_settle.h"
#include "text.h"
#include "uri.h"

#include <stdio.h>
#include <strings.h>

static int node_open(struct dict *opts, const struct block_env *env, unsigned flags, bool below, struct block **out,
		     struct err *e);

static const struct block_policy default_policy = { .allow_all = false };

/* "nbds://host": a further scheme of a driver; never without the slashes. */
static bool has_scheme(const struct block_driver *drv, const char *name)
{
	const size_t len = uri_scheme(name);

	for (size_t i = 0; len && drv->schemes && drv->schemes[i]; i++)
		if (strlen(drv->schemes[i]) == len && strncasecmp(name, drv->schemes[i], len) == 0)
			return true;
	return false;
}

/* "blkdebug:...", "null-co://", "https://": a protocol driver that takes a name of its own apart; NULL for none. */
static const struct block_driver *driver_of_name(const char *name)
{
	for (size_t i = 0; block_drivers[i]; i++) {
		const struct block_driver *drv = block_drivers[i];
		const size_t len = strlen(drv->name);
		if (drv->takes_names && ((strncasecmp(name, drv->name, len) == 0 && name[len] == ':') || has_scheme(drv, name)))
			return drv;
	}
	return NULL;
}

/* A name as people type it, turned into options: json:{...}, file:PATH, DRIVER:..., or a path. */
static int name_to_opts(const char *name, bool to_protocol, struct dict *opts, struct err *e)
{
	const struct block_driver *drv = driver_of_name(name);
	const char *rest = name;
	int rc;

	if (text_starts(name, "json:", &rest))
		return dict_from_json(opts, rest, e);
	if (drv) {
		rc = dict_set(opts, to_protocol ? "driver" : "file.driver", drv->name, e);
		return rc < 0 ? rc : dict_set(opts, to_protocol ? "filename" : "file.filename", name, e);
	}
	if (text_starts(name, "file://", &rest) && *rest == '/')
		name = rest;
	else if (text_starts(name, "file:", &rest))
		name = rest;
	else if (uri_scheme(name))
		return err_set(e, ERR_UNSUPPORTED, "%s: images are opened from files, http, https and nbd", name);
	return dict_set(opts, to_protocol ? "filename" : "file.filename", name, e);
}

static struct block *node_new(const struct block_driver *drv, unsigned flags, struct err *e)
{
	struct block *b;

	if (block_new_filter(drv, NULL, &b, e) < 0)
		return NULL;
	b->flags = flags;
	return b;
}

int block_open_child(struct dict *opts, const char *key, const struct block_env *env, unsigned flags, struct block **out,
		     struct err *e)
{
	CLEANUP(dict_free) struct dict sub = DICT_INIT;
	CLEANUP(free_ptr) char *node = dict_take(opts, key);
	CLEANUP(free_ptr) char *filename = NULL;
	struct block_env down = *env;
	int rc;

	if (node)
		return err_set(e, ERR_UNSUPPORTED, "option \"%s\": references to named nodes (\"%s\")", key, node);
	rc = dict_take_sub(opts, key, &sub, e);
	if (rc < 0)
		return rc;
	if (!sub.n)
		return err_set(e, ERR_USAGE, "no \"%s\" is given for the image", key);
	filename = dict_take(&sub, "filename");
	if (filename && !dict_get(&sub, "driver") && text_starts(filename, "json:", NULL))
		rc = dict_from_json(&sub, filename + strlen("json:"), e);
	else if (filename)
		rc = dict_set(&sub, "filename", filename, e);
	if (rc < 0)
		return rc;
	down.depth++;
	return node_open(&sub, &down, flags & ~BLOCK_OWN_FLAGS, true, out, e);
}

/* The node a format lies on. */
static int open_file_child(struct dict *opts, const struct block_env *env, unsigned flags, struct block **out, struct err *e)
{
	return block_open_child(opts, "file", env, flags, out, e);
}

/* What a format's file must allow, beyond what was asked of the image itself.  drv NULL: not known yet. */
static unsigned file_flags(const struct block_driver *drv, unsigned flags)
{
	/* A format's metadata moves its file's end, and nobody else may write beneath it. */
	if (drv && drv != &block_raw) {
		flags &= ~(unsigned)BLOCK_SHARE_WRITE;
		if (flags & BLOCK_WRITE)
			flags |= BLOCK_RESIZE;
	}
	return flags;
}

static int refuse_leftovers(const struct block *b, const struct dict *opts, struct err *e)
{
	const char *key = dict_first_key(opts);

	if (!key)
		return 0;
	return err_set(e, ERR_USAGE, "%s: a %s node has no option \"%s\"", b->name, b->drv->name, key);
}

/*
 * Opens the file of an image whose format nobody named, finds out what lies in it, or takes raw by default.  Then the
 * file is opened again if the format wants more of it (locks, growth) than an unknown one did.
 */
static int open_guessing(struct dict *opts, const struct block_env *env, unsigned flags, struct block **file,
			 const struct block_driver **drv, bool *guessed, struct err *e)
{
	CLEANUP(dict_free) struct dict again = DICT_INIT;
	int rc;

	if ((rc = dict_merge(&again, opts, e)) < 0 || (rc = open_file_child(opts, env, flags, file, e)) < 0 ||
	    (rc = probe_format(*file, drv, e)) < 0)
		return rc;
	if ((flags & BLOCK_NO_LUKS) && *drv == &block_luks)
		*drv = NULL;
	*guessed = !*drv;
	if (*guessed)
		*drv = &block_raw;
	if (*guessed && (flags & BLOCK_WRITE) && !(flags & BLOCK_GUESS_WRITE))
		return err_set(e, ERR_USAGE, "%s: no format is recognised, and an unnamed one is not written to; give its "
			       "format (raw, if that is what it is)", (*file)->name);
	if (file_flags(*drv, flags) == flags)
		return 0;
	block_unrefp(file);
	return open_file_child(&again, env, file_flags(*drv, flags), file, e);
}

/* A format right over a file of the host: there may be a journal of it. */
static bool may_have_journal(const struct block_driver *drv, const struct block *file)
{
	if (drv->is_protocol || drv->is_filter)
		return false;
	for (; file; file = file->file)
		if (!file->drv->is_protocol)
			return false;
	return true;
}

/*
 * Opens one node and all beneath it.  Recursion ends: env->depth grows with every level of files and backing files
 * and is capped.
 */
static int node_open(struct dict *opts, const struct block_env *env, unsigned flags, bool below, struct block **out,
		     struct err *e)
{
	CLEANUP(free_ptr) char *driver = dict_take(opts, "driver");
	CLEANUP(block_unrefp) struct block *file = NULL;
	CLEANUP(block_unrefp) struct block *b = NULL;
	CLEANUP(redo_found_freep) struct redo_found *journal = NULL;
	const struct block_driver *drv = NULL;
	bool guessed = false;
	int rc;

	if (env->depth > LIMIT_BACKING_DEPTH)
		return err_set(e, ERR_LIMIT, "chain of more than %d files", LIMIT_BACKING_DEPTH);
	if (driver && !(drv = block_driver_find(driver)))
		return err_set(e, ERR_USAGE, "unknown format \"%s\"", driver);
	if (!drv && below)
		drv = &block_host;
	rc = block_take_node_options(opts, &flags, e);
	if (rc < 0)
		return rc;
	if (!drv)
		rc = open_guessing(opts, env, flags, &file, &drv, &guessed, e);
	else if (!drv->is_protocol)
		rc = open_file_child(opts, env, file_flags(drv, flags), &file, e);
	else
		rc = 0;
	if (rc == 0 && file && may_have_journal(drv, file))
		rc = redo_look(file, flags, &journal, e);
	if (rc < 0)
		return rc;
	b = node_new(drv, flags, e);
	if (!b)
		return -(int)ERR_NOMEM;
	b->guessed = guessed;
	if (file) {
		free(b->name);
		b->name = alloc_strdup(file->name);
		b->file = take(file);
		if (!b->name)
			return err_nomem(e);
	}
	rc = drv->open(b, opts, env, e);
	if (rc < 0)
		return drv->is_protocol ? rc : err_in(e, rc, "%s", b->name);
	rc = refuse_leftovers(b, opts, e);
	if (rc == 0 && journal && (rc = redo_settle(b, journal, e)) < 0)
		err_in(e, rc, "%s", b->name);
	if (rc == 0)
		*out = take(b);
	return rc;
}

static void tell_notices(const struct block *b, const struct block_open *how)
{
	const char *sentence;

	for (size_t i = 0; (sentence = block_notice(b, i)); i++)
		how->notice(how->notice_arg, sentence);
}

int block_open(const char *name, const struct block_open *how, struct block **out, struct err *e)
{
	CLEANUP(dict_free) struct dict opts = DICT_INIT;
	struct block_env env = { .flags = how->flags,
				 .policy = how->policy ? how->policy : &default_policy,
				 .secrets = how->secrets,
				 .write_backing = how->write_backing };
	const struct block_driver *drv = how->format ? block_driver_find(how->format) : NULL;
	int rc = 0;

	*out = NULL;
	if (how->format && !drv)
		return err_set(e, ERR_USAGE, "unknown format \"%s\"", how->format);
	if (how->format)
		rc = dict_set(&opts, "driver", how->format, e);
	if (rc == 0 && name)
		rc = name_to_opts(name, drv && drv->is_protocol, &opts, e);
	if (rc == 0 && how->opts)
		rc = dict_merge(&opts, how->opts, e);
	if (rc == 0 && how->format && strcmp(dict_get(&opts, "driver"), how->format) != 0)
		rc = err_set(e, ERR_USAGE, "the format is given twice, as \"%s\" and as \"%s\"", how->format,
			     dict_get(&opts, "driver"));
	if (rc == 0)
		rc = node_open(&opts, &env, how->flags, false, out, e);
	if (rc == 0 && how->notice)
		tell_notices(*out, how);
	return rc;
}

/* ---- files that an image names ---- */

/* "nbd:host:1", "http://...": on a network, or of a protocol that there is none of. */
static bool names_address(const char *name)
{
	const struct block_driver *drv = driver_of_name(name);

	return drv ? drv->is_remote : uri_scheme(name) > 0;
}

bool block_name_is_remote(const char *name)
{
	CLEANUP(dict_free) struct dict opts = DICT_INIT;
	const char *rest;

	if (!text_starts(name, "json:", &rest)) {
		const struct block_driver *drv = driver_of_name(name);

		return drv && drv->is_remote;
	}
	if (dict_from_json(&opts, rest, NULL) < 0)
		return false;
	for (size_t i = 0; i < opts.n; i++) {
		const char *dot = strrchr(opts.items[i].key, '.');
		const struct block_driver *drv = block_driver_find(opts.items[i].value);

		if (drv && drv->is_remote && strcmp(dot ? dot + 1 : opts.items[i].key, "driver") == 0)
			return true;
	}
	return false;
}

char *block_resolve_name(const char *image_path, const char *name, struct err *e)
{
	const char *slash = image_path ? strrchr(image_path, '/') : NULL;
	const char *path = name;
	char *out;

	if (text_starts(name, "json:", NULL) || uri_scheme(name) || names_address(name)) {
		out = alloc_strdup(name);
	} else if (image_path && uri_scheme(image_path) && *name != '/' && !text_starts(name, "file:", NULL)) {
		out = uri_sibling(image_path, name);
	} else {
		text_starts(name, "file:", &path);
		out = *path == '/' || !slash ? alloc_strdup(path)
					     : alloc_printf("%.*s/%s", (int)(slash - image_path), image_path, path);
	}
	if (!out)
		err_nomem(e);
	return out;
}

/* Where a node's own bytes are on the host; NULL when they are not in a named file. */
static const char *host_path(const struct block *b)
{
	while (b->file)
		b = b->file;
	return b->drv->is_protocol ? b->name : NULL;
}

char *block_sibling_path(const struct block *b, const char *name, struct err *e)
{
	return block_resolve_name(host_path(b), name, e);
}

char *block_backing_path(const struct block *b, struct err *e)
{
	if (!b->backing_name)
		return NULL;
	return block_resolve_name(host_path(b), b->backing_name, e);
}

/*
 * Every host file in the options of a tree must pass the policy; the admitted real path takes its place.  A source on a
 * network is told by so many words that none of them is judged: all or nothing.
 */
static int admit_files(struct dict *opts, const char *image_path, const struct block_policy *p, struct err *e)
{
	for (size_t i = 0; i < opts->n; i++) {
		struct dict_item *it = &opts->items[i];
		const char *dot = strrchr(it->key, '.'), *what = dot ? dot + 1 : it->key;
		const struct block_driver *drv = strcmp(what, "driver") == 0 ? block_driver_find(it->value) : NULL;
		CLEANUP(free_ptr) char *path = NULL;
		char *admitted;
		int rc;

		if (drv && drv->is_remote && !p->allow_all)
			return err_set(e, ERR_POLICY, "the image names a source on a network by options, and no image reaches the "
				       "network by itself");
		if (strcmp(what, "filename") != 0)
			continue;
		if (text_starts(it->value, "json:", NULL) && !p->allow_all)
			return err_set(e, ERR_POLICY, "a json: name within a json: name");
		if (text_starts(it->value, "json:", NULL) || (names_address(it->value) && p->allow_all))
			continue;
		path = block_resolve_name(image_path, it->value, e);
		if (!path)
			return -(int)ERR_NOMEM;
		rc = policy_admit(p, image_path, path, &admitted, e);
		if (rc < 0)
			return rc;
		free(it->value);
		it->value = admitted;
	}
	return 0;
}

/* A name that an image gives, as options that have passed the policy. */
static int name_to_admitted(const char *name, const char *image, bool to_protocol, const struct block_policy *p,
			    struct dict *opts, struct err *e)
{
	CLEANUP(free_ptr) char *address = NULL;
	int rc;

	/* Beside an image on a network is on the network, too. */
	if (names_address(name) || (image && uri_scheme(image))) {
		address = block_resolve_name(image, name, e);
		if (!address)
			return -(int)ERR_NOMEM;
	}
	if (!address || !names_address(address)) {
		rc = name_to_opts(address ? address : name, to_protocol, opts, e);
		return rc < 0 ? rc : admit_files(opts, image, p, e);
	}
	rc = policy_admit_address(p, image, address, e);
	return rc < 0 ? rc : name_to_opts(address, to_protocol, opts, e);
}

int block_open_named(struct block *b, const char *name, const char *format, unsigned flags, struct dict *opts,
		     const struct block_env *env, struct block **out, struct err *e)
{
	CLEANUP(dict_free) struct dict all = DICT_INIT;
	struct block_env down = { .flags = flags, .policy = env->policy, .secrets = env->secrets, .above = env,
				  .node = NULL, .depth = env->depth + 1, .write_backing = env->write_backing };
	struct block_env here = *env;
	bool to_protocol = !format;
	int rc = 0;

	/* The node that names the file joins the list of those that its name must not lead back to. */
	here.node = b;
	down.above = &here;
	if (name)
		rc = name_to_admitted(name, host_path(b), to_protocol, env->policy, &all, e);
	if (rc == 0 && opts)
		rc = dict_merge(&all, opts, e); /* the user's own words need no admission */
	if (rc == 0 && opts)
		dict_free(opts);
	if (rc == 0 && format && *format && !dict_get(&all, "driver"))
		rc = dict_set(&all, "driver", format, e);
	return rc < 0 ? rc : node_open(&all, &down, flags & ~(BLOCK_OWN_FLAGS & ~BLOCK_FACTS), to_protocol, out, e);
}

int block_open_backing(struct block *b, struct dict *opts, const struct block_env *env, struct err *e)
{
	/* A backing file is only ever read, and never resized, but for the one that a commit writes into. */
	unsigned flags = b->flags & ~(unsigned)(BLOCK_WRITE | BLOCK_RESIZE | BLOCK_CHECK | BLOCK_GUESS_WRITE);
	struct block_env below = *env;
	CLEANUP(dict_free) struct dict sub = DICT_INIT;
	CLEANUP(free_ptr) char *node = dict_take(opts, "backing");
	const char *format = b->backing_format;
	int rc = dict_take_sub(opts, "backing", &sub, e);

	/* "backing": null - without its backing file. */
	if (rc == 0 && node && !*node && !sub.n)
		return 0;
	if (rc == 0 && node)
		return err_set(e, ERR_UNSUPPORTED, "option \"backing\": references to named nodes (\"%s\")", node);
	if (rc < 0 || (b->flags & BLOCK_NO_BACKING) || (!b->backing_name && !sub.n))
		return rc;
	if (env->write_backing)
		flags |= env->flags & BLOCK_GUESS_WRITE;
	if (env->write_backing == 1)
		flags |= BLOCK_WRITE | BLOCK_RESIZE;
	below.write_backing = env->write_backing ? env->write_backing - 1 : 0;
	rc = block_open_named(b, b->backing_name, format ? format : "", flags, &sub, &below, &b->backing, e);
	return rc < 0 ? err_in(e, rc, "backing file") : 0;
}
