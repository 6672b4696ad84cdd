/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qcow2_usage.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"

#include <inttypes.h>

int usage_init(struct usage *u, uint64_t nclusters, struct err *e)
{
	*u = (struct usage){ .budget = LIMIT_QCOW2_CHECK_MEMORY };
	return usage_grow(u, nclusters, e);
}

void usage_free(struct usage *u)
{
	for (uint64_t i = 0; i < u->nchunks; i++) {
		free(u->chunks[i].marks);
		free(u->chunks[i].counts);
	}
	free(u->chunks);
	*u = (struct usage){ .chunks = NULL };
}

int usage_grow(struct usage *u, uint64_t nclusters, struct err *e)
{
	uint64_t nchunks = div_round_up(nclusters, USAGE_CHUNK);
	struct usage_chunk *chunks;

	if (nclusters <= u->nclusters)
		return 0;
	if (nclusters > LIMIT_QCOW2_CHECK_CLUSTERS)
		return err_set(e, ERR_LIMIT, "the file has %" PRIu64 " clusters, more than can be checked", nclusters);
	if (nchunks > u->nchunks) {
		chunks = alloc_array(nchunks, sizeof *chunks);
		if (!chunks)
			return err_nomem(e);
		if (u->nchunks)
			memcpy(chunks, u->chunks, u->nchunks * sizeof *chunks);
		free(u->chunks);
		u->chunks = chunks;
		u->nchunks = nchunks;
	}
	u->nclusters = nclusters;
	return 0;
}

void usage_allow(struct usage *u, uint64_t bytes)
{
	/* Of an L2 table every 8 bytes can use a cluster of their own, at 9 bytes of memory if all counts are wide. */
	u->budget += 4 * bytes;
}

static int charge(struct usage *u, uint64_t bytes, struct err *e)
{
	if (bytes > u->budget - MIN_OF(u->bytes, u->budget))
		return err_set(e, ERR_LIMIT, "the tables scatter their clusters too widely to be checked");
	u->bytes += bytes;
	return 0;
}

static int chunk_make(struct usage *u, struct usage_chunk *k, struct err *e)
{
	int rc = charge(u, 2 * USAGE_CHUNK, e);

	if (rc < 0)
		return rc;
	k->marks = alloc_zero(USAGE_CHUNK);
	k->counts = alloc_zero(USAGE_CHUNK);
	k->width_log2 = 0;
	if (k->marks && k->counts)
		return 0;
	free(take(k->marks));
	free(take(k->counts));
	return err_nomem(e);
}

static void count_put(void *counts, unsigned width_log2, unsigned i, uint64_t v)
{
	switch (width_log2) {
	case 0:
		((uint8_t *)counts)[i] = (uint8_t)v;
		return;
	case 1:
		((uint16_t *)counts)[i] = (uint16_t)v;
		return;
	case 2:
		((uint32_t *)counts)[i] = (uint32_t)v;
		return;
	default:
		((uint64_t *)counts)[i] = v;
	}
}

static unsigned width_for(uint64_t v)
{
	return v <= UINT8_MAX ? 0 : v <= UINT16_MAX ? 1 : v <= UINT32_MAX ? 2 : 3;
}

static int chunk_widen(struct usage *u, struct usage_chunk *k, unsigned width_log2, struct err *e)
{
	void *counts;
	int rc;

	rc = charge(u, ((uint64_t)USAGE_CHUNK << width_log2) - ((uint64_t)USAGE_CHUNK << k->width_log2), e);
	if (rc < 0)
		return rc;
	counts = alloc_array(USAGE_CHUNK, (size_t)1 << width_log2);
	if (!counts)
		return err_nomem(e);
	for (unsigned i = 0; i < USAGE_CHUNK; i++)
		count_put(counts, width_log2, i, usage_chunk_count(k, i));
	free(k->counts);
	k->counts = counts;
	k->width_log2 = (uint8_t)width_log2;
	return 0;
}

int usage_add(struct usage *u, uint64_t cluster, uint64_t n, enum usage_kind kind, unsigned flags,
	      enum usage_kind *was, struct err *e)
{
	struct usage_chunk *k = &u->chunks[cluster >> USAGE_CHUNK_BITS];
	unsigned i = cluster & (USAGE_CHUNK - 1);
	uint64_t v;
	int rc;

	if (!k->marks) {
		rc = chunk_make(u, k, e);
		if (rc < 0)
			return rc;
	}
	if (!checked_add(usage_chunk_count(k, i), n, &v))
		v = UINT64_MAX;
	if (width_for(v) > k->width_log2) {
		rc = chunk_widen(u, k, width_for(v), e);
		if (rc < 0)
			return rc;
	}
	count_put(k->counts, k->width_log2, i, v);
	if (was)
		*was = k->marks[i] & USE_KIND_MASK;
	if (!(k->marks[i] & USE_KIND_MASK))
		k->marks[i] |= (uint8_t)kind;
	k->marks[i] |= (uint8_t)flags;
	return 0;
}

void usage_drop(struct usage *u, uint64_t cluster)
{
	struct usage_chunk *k = &u->chunks[cluster >> USAGE_CHUNK_BITS];
	unsigned i = cluster & (USAGE_CHUNK - 1);
	uint64_t v = usage_chunk_count(k, i) - 1;

	count_put(k->counts, k->width_log2, i, v);
	if (!v)
		k->marks[i] &= (uint8_t)~USE_KIND_MASK;
}

uint64_t usage_count(const struct usage *u, uint64_t cluster)
{
	const struct usage_chunk *k;

	if (cluster >= u->nclusters)
		return 0;
	k = &u->chunks[cluster >> USAGE_CHUNK_BITS];
	return k->marks ? usage_chunk_count(k, cluster & (USAGE_CHUNK - 1)) : 0;
}

enum usage_kind usage_kind(const struct usage *u, uint64_t cluster)
{
	const struct usage_chunk *k;

	if (cluster >= u->nclusters)
		return USE_NONE;
	k = &u->chunks[cluster >> USAGE_CHUNK_BITS];
	return k->marks ? k->marks[cluster & (USAGE_CHUNK - 1)] & USE_KIND_MASK : USE_NONE;
}

const char *usage_kind_name(enum usage_kind kind)
{
	static const char *const names[] = {
		[USE_NONE] = "nothing",
		[USE_HEADER] = "the header",
		[USE_CRYPTO] = "the encryption header",
		[USE_L1] = "the L1 table",
		[USE_SNAPSHOTS] = "the snapshot table",
		[USE_SNAPSHOT_L1] = "a snapshot's L1 table",
		[USE_L2] = "an L2 table",
		[USE_DATA] = "guest data",
		[USE_BITMAPS] = "a bitmap",
		[USE_REFTABLE] = "the refcount table",
		[USE_REFBLOCK] = "a refcount block",
	};

	return names[kind];
}
