/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fault.c - a filter that fails on request and tells what was written: for tests only. */
#include "block_driver.h"

#include <errno.h>

struct fault_state {
	struct fault_plan *plan;
};

static struct fault_plan *plan_of(struct block *b)
{
	return ((struct fault_state *)b->state)->plan;
}

static int injected(const struct fault_plan *p, struct err *e)
{
	return err_sys(e, p->sys_errno ? p->sys_errno : EIO, "injected fault");
}

static bool fails(const struct fault_plan *p, unsigned long n, unsigned long at)
{
	return at && (n == at || (p->fail_all_after && n > at));
}

static int fault_pread(struct block *b, void *buf, size_t len, uint64_t off, struct err *e)
{
	struct fault_plan *p = plan_of(b);

	if (fails(p, atomic_fetch_add(&p->nreads, 1) + 1, p->fail_read_at))
		return injected(p, e);
	return block_pread(b->file, buf, len, off, e);
}

/* Counts a write-like call and lets it through or not. */
static int admit(struct block *b, enum fault_kind kind, const void *buf, uint64_t len, uint64_t off, struct err *e)
{
	struct fault_plan *p = plan_of(b);

	if (fails(p, atomic_fetch_add(&p->nwrites, 1) + 1, p->fail_write_at))
		return injected(p, e);
	if (p->record)
		p->record(p->arg, kind, buf, len, off);
	return 0;
}

static void keep_size(struct block *b)
{
	__atomic_store_n(&b->size, block_size(b->file), __ATOMIC_RELAXED);
}

static int fault_pwrite(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e)
{
	int rc = admit(b, FAULT_WRITE, buf, len, off, e);

	if (rc == 0)
		rc = block_pwrite(b->file, buf, len, off, e);
	keep_size(b);
	return rc;
}

static int fault_zero(struct block *b, uint64_t len, uint64_t off, unsigned how, struct err *e)
{
	int rc = admit(b, FAULT_ZERO, NULL, len, off, e);

	if (rc == 0)
		rc = block_zero(b->file, len, off, how, e);
	keep_size(b);
	return rc;
}

static int fault_discard(struct block *b, uint64_t len, uint64_t off, struct err *e)
{
	int rc = admit(b, FAULT_DISCARD, NULL, len, off, e);

	return rc < 0 ? rc : block_discard(b->file, len, off, e);
}

static int fault_truncate(struct block *b, uint64_t size, enum block_prealloc prealloc, struct err *e)
{
	int rc = admit(b, FAULT_TRUNCATE, NULL, size, 0, e);

	if (rc == 0)
		rc = block_truncate(b->file, size, prealloc, e);
	keep_size(b);
	return rc;
}

static int fault_flush(struct block *b, struct err *e)
{
	return admit(b, FAULT_FLUSH, NULL, 0, 0, e);
}

static int fault_extent(struct block *b, uint64_t len, uint64_t off, struct extent *out, struct err *e)
{
	return block_extent(b->file, len, off, out, e);
}

static const struct block_driver fault_filter = {
	.name = "fault",
	.state_size = sizeof(struct fault_state),
	.is_protocol = true, /* it stands where a host file does: writes past the end make it longer */
	.pread = fault_pread,
	.pwrite = fault_pwrite,
	.zero = fault_zero,
	.discard = fault_discard,
	.extent = fault_extent,
	.truncate = fault_truncate,
	.flush = fault_flush,
};

int block_fault(struct block *over, struct fault_plan *plan, struct block **out, struct err *e)
{
	int rc = block_new_filter(&fault_filter, over, out, e);

	if (rc == 0)
		((struct fault_state *)(*out)->state)->plan = plan;
	return rc;
}
