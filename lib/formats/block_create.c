/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* block_create.c - new images, what they will need, and which formats there are. */
#include "block_driver.h"

#include "alloc.h"

#include <errno.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

const char *block_format_at(size_t n, bool writable_only)
{
	for (size_t i = 0; block_drivers[i]; i++) {
		const struct block_driver *drv = block_drivers[i];
		if (!drv->is_protocol && (drv->create || drv->create_how || !writable_only) && n-- == 0)
			return drv->name;
	}
	return NULL;
}

bool block_format_known(const char *format)
{
	return block_driver_find(format) != NULL;
}

bool block_format_compresses(const char *format)
{
	const struct block_driver *drv = block_driver_find(format);

	return drv && drv->pwrite_compressed;
}

const struct create_opt *block_create_opts(const char *format)
{
	const struct block_driver *drv = block_driver_find(format);

	return drv ? drv->create_opts : NULL;
}

const struct create_opt *block_amend_opts(const char *format)
{
	const struct block_driver *drv = block_driver_find(format);

	return drv ? drv->amend_opts : NULL;
}

static int find_creator(const char *format, const struct block_driver **out, struct err *e)
{
	*out = block_driver_find(format);
	if (!*out)
		return err_set(e, ERR_USAGE, "unknown format \"%s\"", format);
	if (!(*out)->create && !(*out)->create_how)
		return err_set(e, ERR_UNSUPPORTED, "%s images cannot be created", format);
	return 0;
}

static int refuse_unknown(const struct block_driver *drv, const struct dict *opts, struct err *e)
{
	for (size_t i = 0; i < opts->n; i++) {
		const struct create_opt *o = drv->create_opts;
		while (o->name && strcmp(o->name, opts->items[i].key) != 0)
			o++;
		if (!o->name)
			return err_set(e, ERR_USAGE, "%s has no option \"%s\"", drv->name, opts->items[i].key);
	}
	return 0;
}

/*
 * Wishes about the host file, made before it has any content.  A filesystem that knows nothing of them is no error:
 * they change speed, never bytes.
 */
static int host_hints(struct block *file, struct dict *opts, struct err *e)
{
	uint64_t hint = 1 << 20;
	struct fsxattr fsx;
	bool nocow = false;
	int attr, rc;

	if ((rc = dict_take_bool(opts, "nocow", &nocow, e)) < 0 ||
	    (rc = dict_take_size(opts, "extent_size_hint", &hint, e)) < 0)
		return rc;
	if (hint > UINT32_MAX)
		return err_set(e, ERR_USAGE, "option \"extent_size_hint\": more than 32 bits");
	if (nocow && ioctl(block_host_fd(file), FS_IOC_GETFLAGS, &attr) == 0) {
		attr |= FS_NOCOW_FL;
		ioctl(block_host_fd(file), FS_IOC_SETFLAGS, &attr);
	}
	if (hint && ioctl(block_host_fd(file), FS_IOC_FSGETXATTR, &fsx) == 0) {
		fsx.fsx_xflags |= FS_XFLAG_EXTSIZE;
		fsx.fsx_extsize = (uint32_t)hint;
		ioctl(block_host_fd(file), FS_IOC_FSSETXATTR, &fsx);
	}
	return 0;
}

int block_create(const char *path, const char *format, const struct dict *opts, const struct block_policy *policy,
		 struct err *e)
{
	return block_create_with(path, format, opts, &(struct block_create_how){ .policy = policy }, e);
}

int block_create_with(const char *path, const char *format, const struct dict *opts,
		      const struct block_create_how *how, struct err *e)
{
	static const struct block_policy beside = { .allow_all = false };
	struct block_create_how h = { .policy = how->policy ? how->policy : &beside, .secrets = how->secrets };
	CLEANUP(block_unrefp) struct block *file = NULL;
	CLEANUP(dict_free) struct dict o = DICT_INIT;
	const struct block_driver *drv;
	bool made = false;
	int rc;

	if ((rc = find_creator(format, &drv, e)) < 0 || (rc = refuse_unknown(drv, opts, e)) < 0 ||
	    (rc = dict_merge(&o, opts, e)) < 0)
		return rc;
	rc = block_open_host(path, BLOCK_WRITE | BLOCK_RESIZE, &made, &file, e);
	if (rc == 0)
		rc = block_truncate(file, 0, PREALLOC_OFF, e);
	if (rc == 0)
		rc = host_hints(file, &o, e);
	if (rc == 0)
		rc = drv->create_how ? drv->create_how(file, path, &o, &h, e) : drv->create(file, path, &o, h.policy, e);
	if (rc == 0 && o.n)
		rc = err_set(e, ERR_USAGE, "%s: %s took no notice of option \"%s\"", path, format, dict_first_key(&o));
	if (rc == 0)
		rc = block_flush(file, e);
	if (rc < 0 && made)
		unlink(path);
	return rc;
}

int block_measure(const char *format, const struct dict *opts, struct block *src, struct measure_report *out,
		  struct err *e)
{
	CLEANUP(dict_free) struct dict o = DICT_INIT;
	const struct block_driver *drv;
	int rc;

	memset(out, 0, sizeof *out);
	if ((rc = find_creator(format, &drv, e)) < 0 || (rc = dict_merge(&o, opts, e)) < 0)
		return rc;
	if (!drv->measure)
		return err_set(e, ERR_UNSUPPORTED, "%s images cannot be measured", format);
	if ((rc = refuse_unknown(drv, &o, e)) < 0)
		return rc;
	return drv->measure(&o, src, out, e);
}
