/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "commit.h"

#include "alloc.h"
#include "limits.h"

#include <sys/stat.h>

/* Runs of zeros this long are kept as zeros in the base, not as data. */
enum { COMMIT_SPARSE = 4096 };

static bool same_file(const char *a, const char *b)
{
	struct stat sa, sb;

	return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

/* Is the backing file of `above` the one that the user means: by the words of the image, or by a path? */
static bool is_meant(const struct block *above, const char *base)
{
	CLEANUP(free_ptr) char *path = block_backing_path(above, NULL);

	if (block_backing_name(above) && strcmp(block_backing_name(above), base) == 0)
		return true;
	return path && (strcmp(path, base) == 0 || same_file(path, base));
}

/* How many steps down the chain the base is; ends because the chain is finite. */
static int find_base(struct block *top, const char *base, unsigned *depth, struct err *e)
{
	*depth = 1;
	if (!block_backing(top))
		return err_set(e, ERR_NOT_FOUND, "%s: has no backing file", block_name(top));
	for (struct block *b = top; base && block_backing(b); b = block_backing(b), ++*depth)
		if (is_meant(b, base))
			return 0;
	return base ? err_set(e, ERR_NOT_FOUND, "%s: \"%s\" is not in its backing chain", block_name(top), base) : 0;
}

static struct block *node_at(struct block *top, unsigned depth)
{
	while (top && depth--)
		top = block_backing(top);
	return top;
}

/* Opens the chain for reading, to find the base, and then once more, with the base open for writing. */
static int open_chain(const struct commit *how, struct commit_result *result, struct block **top, struct block **base,
		      bool *direct, struct err *e)
{
	struct block_open open = *how->open;
	CLEANUP(block_unrefp) struct block *look = NULL;
	CLEANUP(free_ptr) char *name = NULL;
	unsigned depth;
	int rc;

	open.flags &= ~(unsigned)(BLOCK_WRITE | BLOCK_RESIZE | BLOCK_GUESS_WRITE);
	open.notice = NULL; /* what is only shown here is completed below */
	rc = block_open(how->name, &open, &look, e);
	if (rc < 0)
		return rc;
	result->stage = COMMIT_FIND;
	rc = find_base(look, how->base, &depth, e);
	if (rc < 0)
		return rc;
	*direct = depth == 1;
	name = alloc_strdup(block_name(node_at(look, depth)));
	if (!name)
		return err_nomem(e);
	block_unref(take(look));

	result->stage = COMMIT_OPEN;
	open.flags = how->open->flags;
	if (!how->keep && *direct)
		open.flags |= BLOCK_WRITE;
	open.write_backing = depth;
	rc = block_open(how->name, &open, top, e);
	if (rc < 0)
		return rc;
	*base = node_at(*top, depth);
	if (!*base || strcmp(block_name(*base), name) != 0)
		return err_set(e, ERR_CORRUPT, "%s: its backing chain was changed meanwhile", block_name(*top));
	return 0;
}

static int copy_down(const struct commit *how, struct block *top, struct block *base, struct commit_result *result,
		     struct err *e)
{
	const struct copy_job job = {
		.sources = &top,
		.nsources = 1,
		.target = base,
		/* What the base decides, and what lies beneath it, is where it belongs. */
		.over_backing = true,
		.base = base,
		.sparse = block_zero_init(base) ? COMMIT_SPARSE : 0,
		.in_order = strcmp(block_format(base), "raw") != 0,
		.threads = how->threads,
		.rate = how->rate,
		.progress = how->progress,
		.progress_arg = how->progress_arg,
	};
	int rc = 0;

	result->stage = COMMIT_GROW;
	if (block_size(base) < block_size(top))
		rc = block_truncate(base, block_size(top), PREALLOC_OFF, e);
	if (rc < 0)
		return rc;
	result->stage = COMMIT_COPY;
	rc = copy_run(&job, &result->copy, e);
	return rc < 0 ? rc : block_finish(base, e);
}

int commit_run(const struct commit *how, struct commit_result *result, struct err *e)
{
	CLEANUP(block_unrefp) struct block *top = NULL;
	struct block *base = NULL;
	bool direct = false;
	int rc;

	*result = (struct commit_result){ .stage = COMMIT_OPEN };
	rc = open_chain(how, result, &top, &base, &direct, e);
	if (rc == 0)
		rc = copy_down(how, top, base, result, e);
	/* An image between would show the old base through again, where others hold data above it. */
	if (rc == 0 && !how->keep && direct) {
		result->stage = COMMIT_EMPTY;
		rc = block_make_empty(top, e);
		if (rc == 0)
			rc = block_finish(top, e);
		result->emptied = rc == 0;
	}
	if (rc == 0)
		result->stage = COMMIT_DONE;
	return rc;
}
