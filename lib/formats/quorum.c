/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * quorum.c - the same disk on several children: a read is what enough of them agree on.
 *
 * Options: "children.0.*", "children.1.*" ... describe the children; "vote-threshold" is how many equal answers make a
 * read; "read-pattern" is "quorum" (the default: all are read and vote) or "fifo" (the first that can be read answers);
 * "rewrite-corrupted" writes the winning bytes over those that were outvoted; "blkverify" (of exactly two children)
 * makes any difference an error.  Writes go to all, and succeed when at least vote-threshold children took them.
 */
#include "block_driver.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"
#include "text.h"

#include <stdio.h>

enum { MAX_CHILDREN = 16 };

struct quorum_state {
	struct block *child[MAX_CHILDREN];
	unsigned n;
	uint64_t threshold;
	bool fifo, rewrite, verify;
};

/* Is there an option "KEY.something"? */
static bool has_child(const struct dict *opts, const char *key)
{
	const char *rest;

	for (size_t i = 0; i < opts->n; i++)
		if (text_starts(opts->items[i].key, key, &rest) && *rest == '.')
			return true;
	return false;
}

static int open_children(struct block *b, struct dict *opts, const struct block_env *env, struct err *e)
{
	struct quorum_state *s = b->state;
	struct block_env down = *env;
	char key[24];

	down.depth++;
	for (s->n = 0; s->n < MAX_CHILDREN; s->n++) {
		int rc;

		snprintf(key, sizeof key, "children.%u", s->n);
		if (!has_child(opts, key))
			break;
		rc = block_open_child(opts, key, &down, b->flags, &s->child[s->n], e);
		if (rc < 0)
			return err_in(e, rc, "child %u", s->n);
	}
	return 0;
}

static int quorum_open(struct block *b, struct dict *opts, const struct block_env *env, struct err *e)
{
	CLEANUP(free_ptr) char *pattern = dict_take(opts, "read-pattern");
	CLEANUP(free_ptr) char *threshold = dict_take(opts, "vote-threshold");
	struct quorum_state *s = b->state;
	int rc;

	if ((rc = dict_take_bool(opts, "rewrite-corrupted", &s->rewrite, e)) < 0 ||
	    (rc = dict_take_bool(opts, "blkverify", &s->verify, e)) < 0)
		return rc;
	if (pattern && strcmp(pattern, "quorum") != 0 && strcmp(pattern, "fifo") != 0)
		return err_set(e, ERR_USAGE, "option \"read-pattern\": \"%s\" is neither quorum nor fifo", pattern);
	s->fifo = pattern && strcmp(pattern, "fifo") == 0;
	if (!threshold || !text_parse_u64(threshold, &s->threshold) || s->threshold == 0)
		return err_set(e, ERR_USAGE, "a quorum needs a \"vote-threshold\" of at least 1");
	rc = open_children(b, opts, env, e);
	if (rc < 0)
		return rc;
	if (s->n < 1)
		return err_set(e, ERR_USAGE, "a quorum needs children (\"children.0.driver\" ...)");
	if (s->threshold > s->n)
		return err_set(e, ERR_USAGE, "a vote-threshold of %llu among %u children", (unsigned long long)s->threshold, s->n);
	if (s->verify && (s->n != 2 || s->threshold != 2))
		return err_set(e, ERR_USAGE, "blkverify is for two children with a vote-threshold of 2");
	if (s->rewrite && s->verify)
		return err_set(e, ERR_USAGE, "rewrite-corrupted and blkverify exclude each other");
	free(b->name);
	b->name = alloc_strdup(block_name(s->child[0])); /* people know it by the first */
	if (!b->name)
		return err_nomem(e);
	b->size = block_size(s->child[0]);
	for (unsigned i = 1; i < s->n; i++)
		if (block_size(s->child[i]) != b->size)
			return err_set(e, ERR_CORRUPT, "child %u has %llu bytes, child 0 has %llu", i,
				       (unsigned long long)block_size(s->child[i]), (unsigned long long)b->size);
	return 0;
}

static uint64_t quorum_allocated(const struct block *b)
{
	const struct quorum_state *s = b->state;
	uint64_t all = 0;

	for (unsigned i = 0; i < s->n; i++)
		if (!checked_add(all, block_allocated(s->child[i]), &all))
			return UINT64_MAX; /* of one of them it is not known */
	return all;
}

static void quorum_close(struct block *b)
{
	struct quorum_state *s = b->state;

	for (unsigned i = 0; i < MAX_CHILDREN; i++)
		block_unref(s->child[i]);
}

/* Which answer most children gave: its first giver in *winner, and how many gave it. */
static unsigned count_votes(uint8_t *const *answers, const bool *answered, unsigned n, size_t len, unsigned *winner)
{
	unsigned best = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned votes = 0;
		for (unsigned j = 0; answered[i] && j < n; j++)
			votes += answered[j] && memcmp(answers[i], answers[j], len) == 0;
		if (votes > best) {
			best = votes;
			*winner = i;
		}
	}
	return best;
}

/* Mends outvoted children; a failure to do so is theirs, and the read stands. */
static void rewrite_losers(struct quorum_state *s, uint8_t *const *answers, const bool *answered, unsigned winner,
			   size_t len, uint64_t off)
{
	for (unsigned i = 0; i < s->n; i++)
		if (!answered[i] || memcmp(answers[i], answers[winner], len) != 0)
			block_pwrite(s->child[i], answers[winner], len, off, NULL);
}

static int read_by_vote(struct block *b, void *buf, size_t len, uint64_t off, struct err *e)
{
	struct quorum_state *s = b->state;
	CLEANUP(free_ptr) uint8_t *space = alloc_array(s->n, len);
	uint8_t *answers[MAX_CHILDREN];
	bool answered[MAX_CHILDREN];
	unsigned winner = 0, votes;

	if (!space)
		return err_nomem(e);
	for (unsigned i = 0; i < s->n; i++) {
		answers[i] = space + (size_t)i * len;
		answered[i] = block_pread(s->child[i], answers[i], len, off, e) == 0;
	}
	votes = count_votes(answers, answered, s->n, len, &winner);
	if (votes < s->threshold)
		return err_set(e, ERR_CORRUPT, "%s: %zu bytes at %llu: only %u of %u children agree, %llu must", b->name, len,
			       (unsigned long long)off, votes, s->n, (unsigned long long)s->threshold);
	err_clear(e);
	memcpy(buf, answers[winner], len);
	if (s->rewrite && block_writable(b) && votes < s->n)
		rewrite_losers(s, answers, answered, winner, len, off);
	return 0;
}

static int quorum_pread(struct block *b, void *buf, size_t len, uint64_t off, struct err *e)
{
	enum { PIECE = 1 << 20 }; /* bounds the memory of a vote */
	struct quorum_state *s = b->state;
	uint8_t *p = buf;
	int rc = 0;

	if (s->fifo) {
		for (unsigned i = 0; i < s->n; i++) {
			rc = block_pread(s->child[i], buf, len, off, e);
			if (rc == 0)
				break;
		}
		if (rc == 0)
			err_clear(e);
		return rc;
	}
	while (len && rc == 0) {
		size_t n = MIN_OF(len, (size_t)PIECE);
		rc = read_by_vote(b, p, n, off, e);
		p += n;
		off += n;
		len -= n;
	}
	return rc;
}

/* A change is made on all; the answer is good when enough of them took it. */
struct change {
	const void *buf;
	uint64_t len, off;
	unsigned how;
};

static int change_all(struct block *b, const struct change *c, int (*one)(struct block *, const struct change *, struct err *),
		      struct err *e)
{
	struct quorum_state *s = b->state;
	unsigned done = 0;
	int rc = 0;

	for (unsigned i = 0; i < s->n; i++) {
		int r = one(s->child[i], c, e);
		if (r == 0)
			done++;
		else
			rc = r;
	}
	if (done < s->threshold)
		return rc;
	err_clear(e);
	return 0;
}

static int write_one(struct block *child, const struct change *c, struct err *e)
{
	return block_pwrite(child, c->buf, (size_t)c->len, c->off, e);
}

static int zero_one(struct block *child, const struct change *c, struct err *e)
{
	return block_zero(child, c->len, c->off, c->how, e);
}

static int discard_one(struct block *child, const struct change *c, struct err *e)
{
	return block_discard(child, c->len, c->off, e);
}

static int flush_one(struct block *child, const struct change *c, struct err *e)
{
	(void)c;
	return block_flush(child, e);
}

static int finish_one(struct block *child, const struct change *c, struct err *e)
{
	(void)c;
	return block_finish(child, e);
}

static int quorum_pwrite(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e)
{
	return change_all(b, &(struct change){ .buf = buf, .len = len, .off = off }, write_one, e);
}

static int quorum_zero(struct block *b, uint64_t len, uint64_t off, unsigned how, struct err *e)
{
	return change_all(b, &(struct change){ .len = len, .off = off, .how = how & ~(unsigned)BLOCK_ZERO_FAST }, zero_one, e);
}

static int quorum_discard(struct block *b, uint64_t len, uint64_t off, struct err *e)
{
	return change_all(b, &(struct change){ .len = len, .off = off }, discard_one, e);
}

static int quorum_flush(struct block *b, struct err *e)
{
	return change_all(b, &(struct change){ .len = 0 }, flush_one, e);
}

static int quorum_finish(struct block *b, struct err *e)
{
	return change_all(b, &(struct change){ .len = 0 }, finish_one, e);
}

const struct block_driver block_quorum = {
	.name = "quorum",
	.state_size = sizeof(struct quorum_state),
	.is_protocol = true, /* has no file of its own: its children are in its state */
	.open = quorum_open,
	.close = quorum_close,
	.allocated = quorum_allocated,
	.finish = quorum_finish,
	.pread = quorum_pread,
	.pwrite = quorum_pwrite,
	.zero = quorum_zero,
	.discard = quorum_discard,
	.flush = quorum_flush,
};
