/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * blkdebug.c - errors on order, to try how a format driver bears them: lies between a format and its file.
 *
 * A format driver reports the steps of its work as events ("l2_update", "cluster_alloc" ...).  Rules wait for an event
 * and, optionally, for a state (a small number that begins at 1):
 *
 *	set-state.N.event=E [.state=S] .new_state=T	when E happens in state S, go to state T
 *	inject-error.N.event=E [.state=S] [.errno=5] [.sector=X] [.iotype=read|write|write-zeroes|discard|flush]
 *			[.once=on] [.immediately=on]
 *							when E happens in state S, requests from now on fail: those that
 *							touch the sector, or all; once: the first only
 *
 * Rules may also be in a file (option "config", or the name "blkdebug:CONFIG:FILE"), in sections [set-state] and
 * [inject-error] with lines key = "value".  "align", "max-transfer" and "max-write-zero" change the sizes of the
 * requests that reach the file.  Breakpoints (block_debug()) hold the thread that reports an event until it is resumed.
 */
#include "block_driver.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>

/* The events that exist, by the names that the peers' users know; a rule for another one is a typing error. */
static const char *const events[] = {
	"l1_update", "l1_grow_alloc_table", "l1_grow_write_table", "l1_grow_activate_table", "l2_load", "l2_update",
	"l2_update_compressed", "l2_alloc_cow_read", "l2_alloc_write", "read_aio", "read_backing_aio", "read_compressed",
	"write_aio", "write_compressed", "vmstate_load", "vmstate_save", "cow_read", "cow_write", "reftable_load",
	"reftable_grow", "reftable_update", "refblock_load", "refblock_update", "refblock_update_part", "refblock_alloc",
	"refblock_alloc_hookup", "refblock_alloc_write", "refblock_alloc_write_blocks", "refblock_alloc_write_table",
	"refblock_alloc_switch_table", "cluster_alloc", "cluster_alloc_bytes", "cluster_free", "flush_to_os",
	"flush_to_disk", "pwritev_rmw_head", "pwritev_rmw_after_head", "pwritev_rmw_tail", "pwritev_rmw_after_tail",
	"pwritev", "pwritev_zero", "pwritev_done", "empty_image_prepare", "l1_shrink_write_table",
	"l1_shrink_free_l2_clusters", "cor_write", "cluster_alloc_space", "none",
};

enum io { IO_READ, IO_WRITE, IO_ZERO, IO_DISCARD, IO_FLUSH, NIO };
static const char *const io_names[NIO] = { "read", "write", "write-zeroes", "discard", "flush" };

enum { MAX_RULES = 64, MAX_CONFIG = 64 * 1024, MAX_ALIGN = 1 << 20 };

struct rule {
	bool is_state;
	const char *event; /* of events[] */
	uint64_t state;	   /* 0: any */
	uint64_t new_state;
	int error;
	unsigned io; /* bits of enum io */
	uint64_t sector; /* UINT64_MAX: any */
	bool once;
	bool active, spent;
};

struct waiter {
	char *event, *tag;
	bool suspended; /* a thread waits here now */
	bool released;
	struct waiter *next;
};

struct blkdebug_state {
	bool has_lock;
	pthread_mutex_t lock;
	pthread_cond_t resumed;
	pthread_mutex_t rmw; /* widened writes, one at a time */
	uint64_t state;
	struct rule rules[MAX_RULES];
	unsigned nrules;
	uint64_t align, max_transfer, max_zero;
	struct waiter *waiters;
};

/* ---- rules ---- */

/* The event of this name: "l1_grow.write_table" of older scripts is "l1_grow_write_table". */
static const char *event_find(const char *name)
{
	char plain[64];

	snprintf(plain, sizeof plain, "%s", name);
	for (char *p = plain; *p; p++)
		if (*p == '.')
			*p = '_';
	for (size_t i = 0; i < ARRAY_LEN(events); i++)
		if (strcmp(events[i], plain) == 0)
			return events[i];
	return NULL;
}

static int take_number(struct dict *d, const char *key, uint64_t *out, struct err *e)
{
	CLEANUP(free_ptr) char *v = dict_take(d, key);

	if (v && !text_parse_u64(v, out))
		return err_set(e, ERR_USAGE, "option \"%s\": \"%s\" is not a number", key, v);
	return 0;
}

static int take_iotype(struct dict *d, unsigned *out, struct err *e)
{
	CLEANUP(free_ptr) char *v = dict_take(d, "iotype");

	*out = 1u << IO_READ | 1u << IO_WRITE | 1u << IO_ZERO | 1u << IO_DISCARD | 1u << IO_FLUSH;
	for (unsigned i = 0; v && i < NIO; i++) {
		if (strcmp(v, io_names[i]) == 0) {
			*out = 1u << i;
			return 0;
		}
	}
	return v ? err_set(e, ERR_USAGE, "option \"iotype\": \"%s\" is no kind of request", v) : 0;
}

/* One rule from its own options, all of which it must know. */
static int rule_add(struct blkdebug_state *s, bool is_state, struct dict *d, struct err *e)
{
	CLEANUP(free_ptr) char *event = dict_take(d, "event");
	struct rule r = { .is_state = is_state, .sector = UINT64_MAX };
	uint64_t error = EIO;
	bool immediately = false;
	int rc;

	if (!event || !(r.event = event_find(event)))
		return err_set(e, ERR_USAGE, "no event is called \"%s\"", event ? event : "");
	if ((rc = take_number(d, "state", &r.state, e)) < 0)
		return rc;
	if (is_state) {
		if ((rc = take_number(d, "new_state", &r.new_state, e)) < 0)
			return rc;
		if (!r.new_state)
			return err_set(e, ERR_USAGE, "set-state needs a \"new_state\"");
	} else if ((rc = take_number(d, "errno", &error, e)) < 0 || (rc = take_number(d, "sector", &r.sector, e)) < 0 ||
		   (rc = take_iotype(d, &r.io, e)) < 0 || (rc = dict_take_bool(d, "once", &r.once, e)) < 0 ||
		   (rc = dict_take_bool(d, "immediately", &immediately, e)) < 0) {
		/* immediately: every failure is immediate here */
		return rc;
	}
	if (error == 0 || error > 4095)
		return err_set(e, ERR_USAGE, "option \"errno\": no error has the number %" PRIu64, error);
	r.error = (int)error;
	if (d->n)
		return err_set(e, ERR_USAGE, "a blkdebug rule has no option \"%s\"", dict_first_key(d));
	if (s->nrules == MAX_RULES)
		return err_set(e, ERR_LIMIT, "more than %d blkdebug rules", MAX_RULES);
	s->rules[s->nrules++] = r;
	return 0;
}

static int rules_from_options(struct blkdebug_state *s, struct dict *opts, struct err *e)
{
	for (int is_state = 0; is_state < 2; is_state++) {
		const char *kind = is_state ? "set-state" : "inject-error";
		for (unsigned i = 0; i < MAX_RULES; i++) {
			CLEANUP(dict_free) struct dict one = DICT_INIT;
			char key[32];
			int rc;

			snprintf(key, sizeof key, "%s.%u", kind, i);
			rc = dict_take_sub(opts, key, &one, e);
			if (rc == 0 && one.n)
				rc = rule_add(s, is_state, &one, e);
			if (rc < 0)
				return err_in(e, rc, "%s", key);
		}
	}
	return 0;
}

/* [inject-error] and [set-state] sections of key = "value" lines; # begins a comment. */
static int rules_from_file(struct blkdebug_state *s, const char *path, struct err *e)
{
	CLEANUP(dict_free) struct dict one = DICT_INIT;
	CLEANUP(free_ptr) char *text = alloc_zero(MAX_CONFIG + 1);
	FILE *f = fopen(path, "re");
	int section = -1, rc = 0;
	char *line, *rest = NULL;

	if (!f)
		return err_sys(e, errno, "%s", path);
	if (!text) {
		fclose(f);
		return err_nomem(e);
	}
	if (fread(text, 1, MAX_CONFIG + 1, f) > MAX_CONFIG)
		rc = err_set(e, ERR_LIMIT, "%s: more than %d bytes", path, MAX_CONFIG);
	fclose(f);
	for (line = strtok_r(text, "\n", &rest); line && rc == 0; line = strtok_r(NULL, "\n", &rest)) {
		char key[32], value[64];

		line += strspn(line, " \t");
		if (!*line || *line == '#')
			continue;
		if (*line == '[') {
			if (section >= 0)
				rc = rule_add(s, section, &one, e);
			dict_free(&one);
			section = text_starts(line, "[set-state]", NULL) ? 1 : text_starts(line, "[inject-error]", NULL) ? 0 : -2;
			if (section == -2 && rc == 0)
				rc = err_set(e, ERR_USAGE, "%s: unknown section %s", path, line);
		} else if (section >= 0 && sscanf(line, "%31[a-z_] = \"%63[^\"]\"", key, value) == 2) {
			rc = dict_set(&one, key, value, e);
		} else {
			rc = err_set(e, ERR_USAGE, "%s: \"%s\" is not key = \"value\"", path, line);
		}
	}
	if (rc == 0 && section >= 0)
		rc = rule_add(s, section, &one, e);
	return rc;
}

/* ---- open and close ---- */

/* "blkdebug:CONFIG:FILE", as a name, in place of the options "config" and "image.filename". */
static int take_name(struct dict *opts, struct err *e)
{
	CLEANUP(free_ptr) char *name = dict_take(opts, "filename");
	const char *rest;
	char *colon;
	int rc = 0;

	if (!name)
		return 0;
	if (!text_starts(name, "blkdebug:", &rest) || !(colon = strchr(rest, ':')))
		return err_set(e, ERR_USAGE, "\"%s\" is not blkdebug:CONFIG:FILE", name);
	*colon = '\0';
	if (*rest)
		rc = dict_set(opts, "config", rest, e);
	return rc < 0 ? rc : dict_set(opts, "image.filename", colon + 1, e);
}

static int blkdebug_open(struct block *b, struct dict *opts, const struct block_env *env, struct err *e)
{
	struct blkdebug_state *s = b->state;
	CLEANUP(free_ptr) char *config = NULL;
	int rc;

	s->has_lock = true;
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_init(&s->rmw, NULL);
	pthread_cond_init(&s->resumed, NULL);
	s->state = 1;
	s->align = 1;
	if ((rc = take_name(opts, e)) < 0)
		return rc;
	config = dict_take(opts, "config");
	if ((config && (rc = rules_from_file(s, config, e)) < 0) || (rc = rules_from_options(s, opts, e)) < 0 ||
	    (rc = dict_take_size(opts, "align", &s->align, e)) < 0 ||
	    (rc = dict_take_size(opts, "max-transfer", &s->max_transfer, e)) < 0 ||
	    (rc = dict_take_size(opts, "max-write-zero", &s->max_zero, e)) < 0)
		return rc;
	if (!is_pow2(s->align) || s->align > MAX_ALIGN)
		return err_set(e, ERR_USAGE, "option \"align\": not a power of two of at most 1 MiB");
	if (s->max_transfer % s->align || s->max_zero % s->align)
		return err_set(e, ERR_USAGE, "max-transfer and max-write-zero are multiples of \"align\"");
	rc = block_open_child(opts, "image", env, b->flags, &b->file, e);
	if (rc < 0)
		return rc;
	free(b->name);
	b->name = alloc_strdup(b->file->name);
	b->size = block_size(b->file);
	return b->name ? 0 : err_nomem(e);
}

static void blkdebug_close(struct block *b)
{
	struct blkdebug_state *s = b->state;

	while (s->waiters) {
		struct waiter *w = s->waiters;
		s->waiters = w->next;
		free(w->event);
		free(w->tag);
		free(w);
	}
	if (!s->has_lock)
		return;
	pthread_mutex_destroy(&s->lock);
	pthread_mutex_destroy(&s->rmw);
	pthread_cond_destroy(&s->resumed);
}

/* ---- events ---- */

/* Holds this thread while a breakpoint for the event exists that nobody has resumed.  The lock is held. */
static void wait_at_breakpoint(struct blkdebug_state *s, const char *event)
{
	struct waiter *w = s->waiters;

	while (w && (w->suspended || strcmp(w->event, event) != 0))
		w = w->next;
	if (!w)
		return;
	w->suspended = true;
	while (!w->released)
		pthread_cond_wait(&s->resumed, &s->lock);
	/* A breakpoint is used up by the request that hit it. */
	for (struct waiter **p = &s->waiters; *p; p = &(*p)->next) {
		if (*p == w) {
			*p = w->next;
			break;
		}
	}
	free(w->event);
	free(w->tag);
	free(w);
}

static void blkdebug_event(struct block *b, const char *name)
{
	struct blkdebug_state *s = b->state;
	uint64_t next;
	bool first = true;

	pthread_mutex_lock(&s->lock);
	next = s->state;
	for (unsigned i = 0; i < s->nrules; i++) {
		struct rule *r = &s->rules[i];

		if (strcmp(r->event, name) != 0 || (r->state && r->state != s->state))
			continue;
		if (r->is_state) {
			next = r->new_state;
			continue;
		}
		/* The injections of this event take the place of those of an earlier one. */
		for (unsigned k = 0; first && k < s->nrules; k++)
			s->rules[k].active = false;
		first = false;
		r->active = !r->spent;
	}
	s->state = next;
	wait_at_breakpoint(s, name);
	pthread_mutex_unlock(&s->lock);
}

static int blkdebug_debug(struct block *b, enum block_debug what, const char *event, const char *tag, struct err *e)
{
	struct blkdebug_state *s = b->state;
	struct waiter *w;
	int rc = 0;

	if (what == BLOCK_DEBUG_BREAK && !(event = event_find(event)))
		return err_set(e, ERR_USAGE, "no such event");
	pthread_mutex_lock(&s->lock);
	if (what == BLOCK_DEBUG_BREAK) {
		w = alloc_zero(sizeof *w);
		if (w) {
			w->event = alloc_strdup(event);
			w->tag = alloc_strdup(tag);
		}
		if (!w || !w->event || !w->tag) {
			if (w) {
				free(w->event);
				free(w->tag);
			}
			free(w);
			rc = err_nomem(e);
		} else {
			w->next = s->waiters;
			s->waiters = w;
		}
		pthread_mutex_unlock(&s->lock);
		return rc;
	}
	rc = what == BLOCK_DEBUG_IS_SUSPENDED ? 0 : -(int)ERR_NOT_FOUND;
	for (struct waiter **p = &s->waiters; (w = *p);) {
		if (strcmp(w->tag, tag) != 0) {
			p = &w->next;
			continue;
		}
		if (what == BLOCK_DEBUG_IS_SUSPENDED) {
			rc = rc || w->suspended;
		} else if (w->suspended) {
			w->released = true; /* its thread frees it */
			rc = 0;
		} else if (what == BLOCK_DEBUG_REMOVE_BREAK) {
			*p = w->next;
			free(w->event);
			free(w->tag);
			free(w);
			rc = 0;
			continue;
		}
		p = &w->next;
	}
	pthread_cond_broadcast(&s->resumed);
	pthread_mutex_unlock(&s->lock);
	if (rc == -(int)ERR_NOT_FOUND)
		err_set(e, ERR_NOT_FOUND, "nothing waits under \"%s\"", tag);
	return rc;
}

/* ---- requests ---- */

/* Fails when an active rule says so. */
static int admit(struct block *b, enum io io, uint64_t len, uint64_t off, struct err *e)
{
	struct blkdebug_state *s = b->state;
	int error = 0;

	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < s->nrules && !error; i++) {
		struct rule *r = &s->rules[i];
		bool hit = r->sector == UINT64_MAX ||
			   (io != IO_FLUSH && r->sector < UINT64_MAX / 512 && ranges_overlap(r->sector * 512, 512, off, len));

		if (!r->active || !(r->io & 1u << io) || !hit)
			continue;
		error = r->error;
		if (r->once) {
			r->active = false;
			r->spent = true;
		}
	}
	pthread_mutex_unlock(&s->lock);
	return error ? err_sys(e, error, "%s: injected by blkdebug: %s of %" PRIu64 " bytes at %" PRIu64, b->name,
			       io_names[io], len, off)
		     : 0;
}

static void keep_size(struct block *b)
{
	__atomic_store_n(&b->size, block_size(b->file), __ATOMIC_RELAXED);
}

/* The next piece of a request under a limit on its size; 0: none. */
static size_t piece(uint64_t len, uint64_t most)
{
	return (size_t)(most ? MIN_OF(len, most) : len);
}

static int read_through(struct block *b, uint8_t *p, size_t len, uint64_t off, struct err *e)
{
	struct blkdebug_state *s = b->state;
	int rc = 0;

	while (len && rc == 0) {
		size_t n = piece(len, s->max_transfer);
		rc = admit(b, IO_READ, n, off, e);
		if (rc == 0)
			rc = block_pread(b->file, p, n, off, e);
		p += n;
		off += n;
		len -= n;
	}
	return rc;
}

static int write_through(struct block *b, const uint8_t *p, size_t len, uint64_t off, struct err *e)
{
	struct blkdebug_state *s = b->state;
	int rc = 0;

	while (len && rc == 0) {
		size_t n = piece(len, s->max_transfer);
		rc = admit(b, IO_WRITE, n, off, e);
		if (rc == 0)
			rc = block_pwrite(b->file, p, n, off, e);
		p += n;
		off += n;
		len -= n;
	}
	return rc;
}

/* Reads the aligned range around a request into new memory; past the end of the file are zeros. */
static int read_widened(struct block *b, uint64_t start, size_t span, uint8_t **out, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *buf = alloc_zero(span);
	uint64_t end = block_size(b->file);
	int rc = 0;

	if (!buf)
		return err_nomem(e);
	if (start < end)
		rc = read_through(b, buf, (size_t)MIN_OF((uint64_t)span, end - start), start, e);
	if (rc == 0)
		*out = take(buf);
	return rc;
}

static int blkdebug_pread(struct block *b, void *buf, size_t len, uint64_t off, struct err *e)
{
	struct blkdebug_state *s = b->state;
	uint64_t start = round_down(off, s->align);
	size_t span = (size_t)(round_up(off + len, s->align) - start);
	CLEANUP(free_ptr) uint8_t *wide = NULL;
	int rc;

	if (span == len)
		return read_through(b, buf, len, off, e);
	rc = read_widened(b, start, span, &wide, e);
	if (rc == 0)
		memcpy(buf, wide + (off - start), len);
	return rc;
}

static int blkdebug_pwrite(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e)
{
	struct blkdebug_state *s = b->state;
	uint64_t start = round_down(off, s->align);
	size_t span = (size_t)(round_up(off + len, s->align) - start);
	CLEANUP(free_ptr) uint8_t *wide = NULL;
	int rc;

	if (span == len) {
		rc = write_through(b, buf, len, off, e);
	} else {
		pthread_mutex_lock(&s->rmw);
		rc = read_widened(b, start, span, &wide, e);
		if (rc == 0) {
			memcpy(wide + (off - start), buf, len);
			rc = write_through(b, wide, span, start, e);
		}
		pthread_mutex_unlock(&s->rmw);
	}
	keep_size(b);
	return rc;
}

static int blkdebug_zero(struct block *b, uint64_t len, uint64_t off, unsigned how, struct err *e)
{
	struct blkdebug_state *s = b->state;
	int rc = 0;

	if ((off | len) % s->align)
		return err_set(e, ERR_UNSUPPORTED, "%s: zeroing an unaligned range", b->name);
	while (len && rc == 0) {
		uint64_t n = s->max_zero ? MIN_OF(len, s->max_zero) : len;
		rc = admit(b, IO_ZERO, n, off, e);
		if (rc == 0)
			rc = block_zero(b->file, n, off, how, e);
		off += n;
		len -= n;
	}
	keep_size(b);
	return rc;
}

static int blkdebug_discard(struct block *b, uint64_t len, uint64_t off, struct err *e)
{
	int rc = admit(b, IO_DISCARD, len, off, e);

	return rc < 0 ? rc : block_discard(b->file, len, off, e);
}

static int blkdebug_flush(struct block *b, struct err *e)
{
	return admit(b, IO_FLUSH, 0, 0, e);
}

static int blkdebug_extent(struct block *b, uint64_t len, uint64_t off, struct extent *out, struct err *e)
{
	return block_extent(b->file, len, off, out, e);
}

static int blkdebug_truncate(struct block *b, uint64_t size, enum block_prealloc p, struct err *e)
{
	int rc = block_truncate(b->file, size, p, e);

	keep_size(b);
	return rc;
}

const struct block_driver block_blkdebug = {
	.name = "blkdebug",
	.state_size = sizeof(struct blkdebug_state),
	.is_protocol = true, /* it stands where a host file does */
	.takes_names = true,
	.open = blkdebug_open,
	.close = blkdebug_close,
	.pread = blkdebug_pread,
	.pwrite = blkdebug_pwrite,
	.zero = blkdebug_zero,
	.discard = blkdebug_discard,
	.flush = blkdebug_flush,
	.extent = blkdebug_extent,
	.truncate = blkdebug_truncate,
	.event = blkdebug_event,
	.debug = blkdebug_debug,
};
