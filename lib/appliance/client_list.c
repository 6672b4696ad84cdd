/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client_list.c - listings of folders, and the facts of what is in them.
 *
 * Who lists a folder asks for the facts of its files next.  So the last listings are remembered, and the first question
 * about a file of one is asked for STATS_AT_ONCE of its neighbours too.  What is remembered is bounded, and forgotten when
 * something is changed.
 */
#include "client_internal.h"
#include "alloc.h"

/* Facts that are asked for together. */
#define STATS_AT_ONCE 256u
/* Of a listing that is remembered: more is not kept. */
#define LISTING_ENTRIES (128u * 1024)
#define LISTING_NAMES (4 * MiB)
/* Facts of one listing: 5 MiB. */
#define LISTING_STATS 32768u

static void listing_reset(struct client_listing *l)
{
	free(l->entries);
	strbuf_free(&l->names);
	free(l->stats);
	free(l->by_name);
	free(l->by_node);
	*l = (struct client_listing){ .names = STRBUF_INIT };
}

void listings_forget(struct client *c)
{
	for (size_t i = 0; i < CLIENT_LISTINGS; i++)
		listing_reset(&c->listings[i]);
	memset(c->stats, 0, sizeof c->stats);
}

/* ---- remembering ---- */

/* The place for a new listing: the one not used for longest; those of large folders are not kept beside it. */
static struct client_listing *listing_begin(struct client *c, uint64_t dir)
{
	struct client_listing *l = &c->listings[0];

	for (size_t i = 0; i < CLIENT_LISTINGS; i++) {
		struct client_listing *k = &c->listings[i];

		if (k->dir == dir) {
			l = k;
			break;
		}
		if (k->used < l->used)
			l = k;
	}
	listing_reset(l);
	return l;
}

/* Adds an entry; one that is too much, or for which there is no memory, is not remembered. */
static void listing_add(struct client_listing *l, uint64_t node, uint32_t type, const char *name)
{
	if (l->n == LISTING_ENTRIES || l->names.len + strlen(name) > LISTING_NAMES || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0)
		return;
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 64;
		struct client_entry *more = alloc_resize(l->entries, cap, sizeof *more);

		if (!more)
			return;
		l->entries = more;
		l->cap = cap;
	}
	l->entries[l->n] = (struct client_entry){ .node = node, .name = (uint32_t)l->names.len, .type = type, .errnum = -1 };
	strbuf_add(&l->names, name, strlen(name) + 1);
	if (l->names.failed)
		l->names.failed = false;
	else
		l->n++;
}

static const char *entry_name(const struct client_listing *l, const struct client_entry *ent)
{
	return l->names.s + ent->name;
}

static size_t hash_name(const char *name, size_t size)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 0x100000001b3ULL;
	return (size_t)(h ^ h >> 32) & (size - 1);
}

static size_t hash_node(uint64_t node, size_t size)
{
	return (size_t)(node * 0x9e3779b97f4a7c15ULL >> 32) & (size - 1);
}

/*
 * Ends, as all walks along these tables: they are twice as large as what is in them.  Names that an agent chose to fall
 * together make them slow, as slow as comparing each with each of LISTING_ENTRIES; so after PROBES steps one is left out.
 */
#define PROBES 64

static void hash_put(uint32_t *table, size_t size, size_t at, uint32_t index)
{
	for (unsigned i = 0; i < PROBES; i++, at = (at + 1) & (size - 1))
		if (!table[at]) {
			table[at] = index + 1;
			return;
		}
}

static bool listing_index(struct client_listing *l)
{
	size_t size = 64;

	if (l->by_name)
		return true;
	while (size < l->n * 2)
		size *= 2;
	l->by_name = alloc_array(size, sizeof *l->by_name);
	l->by_node = alloc_array(size, sizeof *l->by_node);
	if (!l->by_name || !l->by_node) {
		listing_reset(l);
		return false;
	}
	l->hash_size = size;
	for (size_t i = 0; i < l->n; i++) {
		hash_put(l->by_name, size, hash_name(entry_name(l, &l->entries[i]), size), (uint32_t)i);
		if (l->entries[i].node)
			hash_put(l->by_node, size, hash_node(l->entries[i].node, size), (uint32_t)i);
	}
	return true;
}

static struct client_entry *find_name(struct client_listing *l, const char *name)
{
	size_t at = hash_name(name, l->hash_size);

	for (unsigned i = 0; i < PROBES && l->by_name[at]; i++, at = (at + 1) & (l->hash_size - 1))
		if (strcmp(entry_name(l, &l->entries[l->by_name[at] - 1]), name) == 0)
			return &l->entries[l->by_name[at] - 1];
	return NULL;
}

static struct client_entry *find_node(struct client_listing *l, uint64_t node)
{
	size_t at = hash_node(node, l->hash_size);

	for (unsigned i = 0; i < PROBES && l->by_node[at]; i++, at = (at + 1) & (l->hash_size - 1))
		if (l->entries[l->by_node[at] - 1].node == node)
			return &l->entries[l->by_node[at] - 1];
	return NULL;
}

/* ---- facts of single files ---- */

/* Who looks a name up asks for its facts next, and a walk along a path for those of the same folders again. */
void stat_remember(struct client *c, const struct proto_stat *st)
{
	c->stats[c->next_stat++ % CLIENT_STATS] = *st;
}

static const struct proto_stat *stat_known(const struct client *c, uint64_t node)
{
	for (size_t i = 0; i < CLIENT_STATS; i++)
		if (c->stats[i].node == node)
			return &c->stats[i];
	return NULL;
}

/* ---- facts of many ---- */

static bool room_for_stats(struct client_listing *l, size_t more)
{
	size_t cap = l->stats_cap ? l->stats_cap : STATS_AT_ONCE;
	struct proto_stat *stats;

	if (l->nstats + more > LISTING_STATS)
		return false;
	while (cap < l->nstats + more)
		cap *= 2;
	if (cap == l->stats_cap)
		return true;
	stats = alloc_resize(l->stats, cap, sizeof *stats);
	if (!stats)
		return false;
	l->stats = stats;
	l->stats_cap = cap;
	return true;
}

/* Asks for the facts of the entries from `first` on that are not known. */
static int ask_stats(struct client *c, struct client_listing *l, size_t first, struct err *e)
{
	size_t end = MIN_OF(first + STATS_AT_ONCE, l->n), n = 0;
	struct proto_out *o = client_begin(c);
	struct proto_in in;
	int rc;

	for (size_t i = first; i < end; i++)
		n += l->entries[i].errnum < 0;
	if (!room_for_stats(l, n))
		return 0;
	proto_put_u64(o, l->dir);
	proto_put_u16(o, (uint16_t)n);
	for (size_t i = first; i < end; i++)
		if (l->entries[i].errnum < 0)
			proto_put_str(o, entry_name(l, &l->entries[i]));
	rc = client_ask(c, PROTO_STATS, &in, e);
	if (rc < 0)
		return rc;
	for (size_t i = first; i < end; i++) {
		struct client_entry *ent = &l->entries[i];
		struct proto_stat *st = &l->stats[l->nstats];
		uint32_t errnum;

		if (ent->errnum >= 0)
			continue;
		errnum = proto_get_u32(&in);
		if (in.bad || errnum > 4095)
			return client_bad_answer(c, e);
		if (errnum == 0) {
			rc = client_get_stat(c, &in, st, e);
			if (rc < 0)
				return rc;
			if (ent->node && ent->node != st->node)
				return client_bad_answer(c, e);
			if (!ent->node) {
				ent->node = st->node;
				hash_put(l->by_node, l->hash_size, hash_node(st->node, l->hash_size), (uint32_t)i);
			}
			ent->stat = (uint32_t)l->nstats++;
		}
		ent->errnum = (int)errnum;
	}
	return proto_done(&in) ? 0 : client_bad_answer(c, e);
}

/* The facts of an entry: 1, or 0 when they must be asked for alone. */
static int entry_stat(struct client *c, struct client_listing *l, struct client_entry *ent, struct proto_stat *st,
		      struct err *e)
{
	if (ent->errnum < 0) {
		int rc = ask_stats(c, l, (size_t)(ent - l->entries), e);

		/* What is wrong with the folder is better said of the file. */
		if (rc < 0 && c->lost)
			return rc;
		if (rc < 0)
			err_clear(e);
	}
	if (ent->errnum != 0)
		return 0;
	*st = l->stats[ent->stat];
	l->used = ++c->tick;
	return 1;
}

int listing_stat(struct client *c, uint64_t node, struct proto_stat *st, struct err *e)
{
	const struct proto_stat *known = node ? stat_known(c, node) : NULL;

	if (known) {
		*st = *known;
		return 1;
	}
	for (size_t i = 0; i < CLIENT_LISTINGS; i++) {
		struct client_listing *l = &c->listings[i];
		struct client_entry *ent;

		if (!l->dir || !listing_index(l))
			continue;
		ent = find_node(l, node);
		if (ent)
			return entry_stat(c, l, ent, st, e);
	}
	return 0;
}

int listing_lookup(struct client *c, uint64_t dir, const char *name, struct proto_stat *st, struct err *e)
{
	for (size_t i = 0; i < CLIENT_LISTINGS; i++) {
		struct client_listing *l = &c->listings[i];
		struct client_entry *ent;

		if (l->dir != dir || !listing_index(l))
			continue;
		ent = find_name(l, name);
		if (!ent)
			return 0;
		return entry_stat(c, l, ent, st, e);
	}
	return 0;
}

/* ---- listings ---- */

struct page {
	uint8_t *bytes; /* of the entries, judged */
	size_t len;
	uint64_t next;
	bool end;
};

static bool good_type(uint32_t type)
{
	switch (type) {
	case 0:
	case S_IFREG:
	case S_IFDIR:
	case S_IFLNK:
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		return true;
	default:
		return false;
	}
}

static int get_page(struct client *c, uint64_t dir, uint64_t cookie, struct page *p, struct err *e)
{
	struct proto_out *o = client_begin(c);
	struct proto_in in, judge;
	char name[FS_NAME_MAX + 1];
	int rc;

	proto_put_u64(o, dir);
	proto_put_u64(o, cookie);
	rc = client_ask(c, PROTO_READDIR, &in, e);
	if (rc < 0)
		return rc;
	p->next = proto_get_u64(&in);
	p->end = proto_get_u8(&in);
	/* A page that is not the last has entries: so a listing that never ends has them without end, and they are counted. */
	if (in.bad || (!p->end && in.left == 0))
		return client_bad_answer(c, e);
	judge = in;
	while (judge.left && !judge.bad) {
		uint32_t type;

		proto_get_u64(&judge);
		type = proto_get_u32(&judge);
		proto_get_str(&judge, name, sizeof name);
		if (!client_good_name(name) || !good_type(type))
			return client_bad_answer(c, e);
	}
	if (judge.bad)
		return client_bad_answer(c, e);
	p->len = in.left;
	free(p->bytes);
	p->bytes = alloc_bytes(in.left ? in.left : 1);
	if (!p->bytes)
		return err_nomem(e);
	memcpy(p->bytes, in.at, in.left);
	return 0;
}

int client_readdir(struct client *c, uint64_t dir, int (*fn)(void *arg, const struct fs_dirent *d, struct err *e),
		   void *arg, struct err *e)
{
	/* fn may list other folders, so that the listing is put together here and kept at the end. */
	struct client_listing l = { .names = STRBUF_INIT };
	CLEANUP(free_ptr) struct fs_dirent *d = alloc_zero(sizeof *d);
	struct page p = { .bytes = NULL };
	uint64_t total = 0;
	int rc = d ? 0 : err_nomem(e);

	/* Ends: all pages together are bounded. */
	while (rc == 0 && !p.end) {
		struct proto_in in;

		rc = get_page(c, dir, p.next, &p, e);
		if (rc < 0)
			break;
		total += p.len;
		if (total > LIMIT_DIR_BYTES) {
			rc = err_set(e, ERR_LIMIT, "a folder of more than %llu MiB of names", LIMIT_DIR_BYTES / MiB);
			break;
		}
		in = (struct proto_in){ .at = p.bytes, .left = p.len };
		while (in.left && rc == 0) {
			d->ino = proto_get_u64(&in);
			d->type = proto_get_u32(&in);
			proto_get_str(&in, d->name, sizeof d->name);
			listing_add(&l, d->ino, d->type, d->name);
			rc = fn(arg, d, e);
		}
	}
	free(p.bytes);
	if (rc == 0) {
		struct client_listing *keep = listing_begin(c, dir);

		*keep = l;
		keep->dir = dir;
		keep->used = ++c->tick;
	} else {
		listing_reset(&l);
	}
	return rc;
}
