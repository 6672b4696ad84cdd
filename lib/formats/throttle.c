/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * throttle.c - a limit on bytes and requests a second, over any node.
 *
 * Options "bps-total", "bps-read", "bps-write", "iops-total", "iops-read", "iops-write"; 0 or absent is no limit.
 * Each is a bucket that leaks at its rate: a request pays its bytes (or one request), and when the bucket is more than
 * a tenth of a second in debt the request first waits until it is not.
 */
#include "block_driver.h"

#include "alloc.h"
#include "limits.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

enum bucket_kind { BPS_TOTAL, BPS_READ, BPS_WRITE, IOPS_TOTAL, IOPS_READ, IOPS_WRITE, NBUCKETS };
static const char *const bucket_names[NBUCKETS] = { "bps-total",  "bps-read",  "bps-write",
						    "iops-total", "iops-read", "iops-write" };
#define SLACK_NS 100000000ULL

struct throttle_state {
	bool has_lock;
	pthread_mutex_t lock;
	uint64_t rate[NBUCKETS];
	uint64_t paid_until[NBUCKETS]; /* nanoseconds: when the bucket will be empty */
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int throttle_open(struct block *b, struct dict *opts, const struct block_env *env, struct err *e)
{
	struct throttle_state *s = b->state;

	(void)env;
	if (dict_get(opts, "throttle-group"))
		return err_set(e, ERR_UNSUPPORTED, "throttle groups; give bps-total and the like on the node");
	for (int i = 0; i < NBUCKETS; i++) {
		int rc = dict_take_size(opts, bucket_names[i], &s->rate[i], e);
		if (rc < 0)
			return rc;
		if (s->rate[i] > 1 * EiB)
			return err_set(e, ERR_USAGE, "option \"%s\" is too large", bucket_names[i]);
	}
	s->has_lock = pthread_mutex_init(&s->lock, NULL) == 0;
	if (!s->has_lock)
		return err_nomem(e);
	b->size = block_size(b->file);
	return 0;
}

static void throttle_close(struct block *b)
{
	struct throttle_state *s = b->state;

	if (s->has_lock)
		pthread_mutex_destroy(&s->lock);
}

/* Pays into one bucket; returns until when to wait.  The lock is held. */
static uint64_t pay(struct throttle_state *s, int i, uint64_t units, uint64_t now)
{
	double cost;

	if (!s->rate[i])
		return now;
	if (s->paid_until[i] < now)
		s->paid_until[i] = now;
	cost = (double)units * 1e9 / (double)s->rate[i];
	s->paid_until[i] += cost < 9e18 ? (uint64_t)cost : (uint64_t)9e18;
	return s->paid_until[i] > SLACK_NS ? s->paid_until[i] - SLACK_NS : now;
}

static void throttle(struct block *b, bool write, uint64_t len)
{
	struct throttle_state *s = b->state;
	uint64_t now = now_ns(), until = now;
	struct timespec t;

	pthread_mutex_lock(&s->lock);
	until = MAX_OF(until, pay(s, BPS_TOTAL, len, now));
	until = MAX_OF(until, pay(s, write ? BPS_WRITE : BPS_READ, len, now));
	until = MAX_OF(until, pay(s, IOPS_TOTAL, 1, now));
	until = MAX_OF(until, pay(s, write ? IOPS_WRITE : IOPS_READ, 1, now));
	pthread_mutex_unlock(&s->lock);
	if (until <= now)
		return;
	t = (struct timespec){ (time_t)(until / 1000000000), (long)(until % 1000000000) };
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

static int throttle_pread(struct block *b, void *buf, size_t len, uint64_t off, struct err *e)
{
	throttle(b, false, len);
	return block_pread(b->file, buf, len, off, e);
}

static int throttle_pwrite(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e)
{
	throttle(b, true, len);
	return block_pwrite(b->file, buf, len, off, e);
}

static int throttle_pwrite_compressed(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e)
{
	throttle(b, true, len);
	return block_pwrite_compressed(b->file, buf, len, off, e);
}

static int throttle_zero(struct block *b, uint64_t len, uint64_t off, unsigned how, struct err *e)
{
	throttle(b, true, len);
	return block_zero(b->file, len, off, how, e);
}

static int throttle_discard(struct block *b, uint64_t len, uint64_t off, struct err *e)
{
	throttle(b, true, len);
	return block_discard(b->file, len, off, e);
}

static int throttle_truncate(struct block *b, uint64_t size, enum block_prealloc p, struct err *e)
{
	int rc = block_truncate(b->file, size, p, e);

	if (rc == 0)
		b->size = block_size(b->file);
	return rc;
}

const struct block_driver block_throttle = {
	.name = "throttle",
	.state_size = sizeof(struct throttle_state),
	.is_filter = true,
	.open = throttle_open,
	.close = throttle_close,
	.pread = throttle_pread,
	.pwrite = throttle_pwrite,
	.pwrite_compressed = throttle_pwrite_compressed,
	.zero = throttle_zero,
	.discard = throttle_discard,
	.truncate = throttle_truncate,
};
