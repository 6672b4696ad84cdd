// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * convert_verify.c - what was written is read back, from the disk where the host lets us, and compared.
 *
 * A source that can be read again is compared with the target; else (a stream, several sources, bad places, free space that
 * is left out) the digest of what was copied is compared with that of the target.
 */
#include "convert_internal.h"

#include "alloc.h"
#include "compare.h"
#include "limits.h"

#include <fcntl.h>
#include <inttypes.h>

bool convert_verifies_by_hash(const struct convert *how)
{
	return how->copy.nsources != 1 || how->copy.salvage || how->copy.nunused || block_size(how->copy.sources[0]) == 0;
}

/* What is not in memory must come from the disk.  A hint: pages that are not stable stay. */
static void forget_pages(struct block *b)
{
	for (; b; b = block_file(b))
		if (block_host_fd(b) >= 0)
			posix_fadvise(block_host_fd(b), 0, 0, POSIX_FADV_DONTNEED);
}

static int compare(const struct convert *how, struct block *target, struct err *e)
{
	struct block *source = how->copy.sources[0];
	CLEANUP(block_unrefp) struct block *window = NULL;
	struct compare_job job = { .threads = how->copy.threads, .progress = how->copy.progress,
				   .progress_arg = how->copy.progress_arg };
	struct compare_result r;
	int rc = block_window(target, 0, block_size(source), &window, e);

	if (rc < 0)
		return rc;
	job.sides[0] = source;
	job.sides[1] = window;
	rc = compare_run(&job, &r, e);
	if (rc < 0)
		return err_in(e, rc, "verifying");
	if (r.difference == COMPARE_SAME)
		return 0;
	return err_set(e, ERR_CORRUPT, "%s: what was written reads back differently at byte %" PRIu64, how->target, r.off);
}

static int digest(const struct convert *how, struct block *target, const struct copy_result *copied, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *buf = alloc_aligned(4096, COPY_PIECE);
	uint8_t found[HASH_MAX];
	struct hash_work work;

	if (!buf)
		return err_nomem(e);
	hash_start(&work, how->copy.hash);
	for (uint64_t off = 0; off < copied->total;) {
		size_t n = (size_t)MIN_OF((uint64_t)COPY_PIECE, copied->total - off);
		int rc = block_pread(target, buf, n, off, e);

		if (rc < 0)
			return err_in(e, rc, "verifying");
		hash_add(&work, buf, n);
		off += n;
		if (how->copy.progress && how->copy.progress(how->copy.progress_arg, off, copied->total))
			return err_set(e, ERR_CANCELED, "stopped");
	}
	hash_end(&work, found);
	if (memcmp(found, copied->digest, hash_size(how->copy.hash)) == 0)
		return 0;
	return err_set(e, ERR_CORRUPT, "%s: what was written reads back differently", how->target);
}

int convert_verify(const struct convert *how, struct block *target, const struct copy_result *copied, struct err *e)
{
	forget_pages(target);
	if (!copied->total)
		return 0;
	return convert_verifies_by_hash(how) ? digest(how, target, copied, e) : compare(how, target, e);
}
