// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * convert_stream.c - a conversion into a pipe.
 *
 * A raw disk goes as it is.  A plain qcow2 image goes as its view (qcow2_view.h) tells it.  Whatever cannot be told
 * before it is written (compressed clusters, further options, a source that is a stream itself) is made in a temporary
 * file first.
 */
#include "convert_internal.h"

#include "alloc.h"
#include "checked.h"
#include "io.h"
#include "limits.h"
#include "qcow2_view.h"
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* The copy of a whole node, or of the sources, into the descriptor. */
static int send(const struct convert *how, struct block *const *sources, size_t n, uint64_t size,
		struct convert_result *result, struct err *e)
{
	uint64_t end = 0;
	CLEANUP(block_unrefp) struct block *pipe = NULL;
	struct copy_job job = how->copy;
	int rc = block_pipe_open(how->out_fd, size, &pipe, e);

	if (rc < 0)
		return rc;
	job.sources = sources;
	job.nsources = n;
	job.target = pipe;
	job.sparse = 0;
	job.compress = false;
	job.in_order = false; /* the pipe sees to that */
	rc = copy_run(&job, &result->copy, e);
	convert_stage_of_copy(result, rc);
	for (size_t i = 0; i < n; i++)
		end += block_size(sources[i]);
	/* a disk that was asked to be longer */
	return rc == 0 && end && end < size ? block_zero(pipe, size - end, end, 0, e) : rc;
}

static int send_raw(const struct convert *how, const struct dict *opts, struct convert_result *result, struct err *e)
{
	CLEANUP(dict_free) struct dict left = DICT_INIT;
	bool endless = block_is_stream(how->copy.sources[0]);
	uint64_t size = 0;
	int rc = dict_merge(&left, opts, e);

	if (rc == 0)
		rc = dict_take_size(&left, "size", &size, e);
	if (rc < 0)
		return rc;
	if (left.n)
		return err_set(e, ERR_USAGE, "option \"%s\" makes no sense for a raw disk that goes into a pipe",
			       left.items[0].key);
	return send(how, how->copy.sources, how->copy.nsources, endless ? LIMIT_IMAGE_SIZE : size, result, e);
}

/* Can all be told before it is written? */
static bool is_plain_qcow2(const struct convert *how, const struct dict *opts)
{
	static const char *const known[] = { "size", "cluster_size" };

	if (strcmp(how->format, "qcow2") != 0 || how->copy.compress || how->copy.hashes || block_is_stream(how->copy.sources[0]))
		return false;
	for (size_t i = 0; i < opts->n; i++) {
		bool found = false;

		for (size_t k = 0; k < ARRAY_LEN(known); k++)
			found = found || strcmp(opts->items[i].key, known[k]) == 0;
		if (!found)
			return false;
	}
	return true;
}

static int send_qcow2(const struct convert *how, const struct dict *opts, struct convert_result *result, struct err *e)
{
	CLEANUP(dict_free) struct dict left = DICT_INIT;
	CLEANUP(block_unrefp) struct block *view = NULL;
	struct qcow2_view_how q = { .sources = how->copy.sources, .nsources = how->copy.nsources, .cluster_size = 64 * KiB };
	int rc = dict_merge(&left, opts, e);

	if (rc < 0 || (rc = dict_take_size(&left, "size", &q.size, e)) < 0 ||
	    (rc = dict_take_size(&left, "cluster_size", &q.cluster_size, e)) < 0)
		return rc;
	result->stage = CONVERT_MAP;
	rc = qcow2_view(&q, &view, e);
	if (rc == 0)
		rc = send(how, &view, 1, block_size(view), result, e);
	if (rc == 0)
		rc = convert_total_size(&how->copy, &result->copy.total, e);
	return rc;
}

/* ---- by way of a file ---- */

static int send_file(int from, int to, struct err *e)
{
	enum { STEP = 1 << 20 };
	CLEANUP(free_ptr) uint8_t *buf = alloc_bytes(STEP);
	size_t got;

	if (!buf)
		return err_nomem(e);
	do {
		int rc = io_read(from, buf, STEP, &got);

		if (rc)
			return err_sys(e, rc, "reading the temporary file");
		rc = io_write(to, buf, got);
		if (rc)
			return err_sys(e, rc, "standard output");
	} while (got == STEP);
	return 0;
}

struct scratch {
	char *folder, *path;
};

static void scratch_remove(struct scratch *s)
{
	if (s->path)
		unlink(s->path);
	if (s->folder)
		rmdir(s->folder);
	free(s->path);
	free(s->folder);
}

static int send_spooled(const struct convert *how, struct convert_result *result, struct err *e)
{
	CLEANUP(scratch_remove) struct scratch at = { NULL, NULL };
	CLEANUP(free_ptr) char *folder = alloc_printf("%s/drydock-XXXXXX", stream_folder());
	CLEANUP(close_fd) int fd = -1;
	struct convert inner = *how;
	int rc;

	if (!folder)
		return err_nomem(e);
	if (!mkdtemp(folder))
		return err_sys(e, errno, "temporary folder in %s", stream_folder());
	at.folder = take(folder);
	at.path = alloc_printf("%s/image", at.folder);
	if (!at.path)
		return err_nomem(e);
	inner.to_stream = false;
	inner.target = at.path;
	inner.open_flags |= BLOCK_UNSAFE;
	rc = convert_run(&inner, result, e);
	if (rc < 0)
		return rc;
	result->stage = CONVERT_WRITE;
	fd = open(at.path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_sys(e, errno, "%s", at.path) : send_file(fd, how->out_fd, e);
}

int convert_to_stream(const struct convert *how, struct convert_result *result, struct err *e)
{
	CLEANUP(dict_free) struct dict opts = DICT_INIT;
	CLEANUP(dict_free) struct dict open = DICT_INIT;
	int rc;

	if (how->resume)
		return err_set(e, ERR_USAGE, "the conversion cannot be resumed: what went into a pipe is gone");
	if (how->verify)
		return err_set(e, ERR_USAGE, "what goes into a pipe cannot be read back to verify it");
	if (how->keep)
		return err_set(e, ERR_USAGE, "there is no image in a pipe into which to write");
	if (how->opts && (dict_get(how->opts, "backing_file") || dict_get(how->opts, "data_file")))
		return err_set(e, ERR_USAGE, "an image that goes into a pipe lies in no folder, so it cannot name other files");
	rc = convert_plan_target(how, &opts, &open, e);
	if (rc < 0)
		return rc;
	if (strcmp(how->format, "raw") == 0)
		rc = send_raw(how, &opts, result, e);
	else if (is_plain_qcow2(how, &opts))
		rc = send_qcow2(how, &opts, result, e);
	else
		rc = send_spooled(how, result, e);
	if (rc == 0)
		result->stage = CONVERT_DONE;
	return rc;
}
