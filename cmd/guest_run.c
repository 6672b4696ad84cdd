/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest_run.h"
#include "out.h"

#include "alloc.h"
#include "pool.h"
#include "turn.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

/* What a guest may have to say before its turn without waiting. */
#define LANE_BYTES (1u << 20)
/* Each thread's stack and arena take 72 MiB of the address space that a confined process has. */
#define THREADS_MAX 16u

struct queue {
	struct guest_run *run;
	struct unit *units;
	size_t nunits;
	atomic_size_t next;
	struct turn turn;
	atomic_bool stop; /* standard output takes no more */
	bool broken_pipe; /* changed by who has the turn */
	atomic_int status;
};

/* What one work prints: kept, or since its turn has come (`mine`) printed. */
struct guest_lane {
	struct queue *queue;
	size_t at;
	bool mine, started;
	struct strbuf out, err;
};

struct unit {
	struct guest_ref *guest;
	const struct guest_item *items;
	size_t nitems;
};

/* ---- lanes ---- */

static void print_out(struct guest_lane *l, struct strbuf *text)
{
	struct queue *q = l->queue;

	if (!text->len || atomic_load(&q->stop))
		return;
	if (!l->started && q->run->printed && q->run->between)
		fputs(q->run->between, stdout);
	l->started = true;
	fwrite(text->s, 1, text->len, stdout);
	if (ferror(stdout)) {
		q->broken_pipe = errno == EPIPE;
		atomic_store(&q->stop, true);
		turn_wake(&q->turn);
	}
	q->run->printed = true;
}

static void print_err(struct strbuf *text)
{
	size_t unused;

	if (!text->len)
		return;
	fflush(stdout); /* both may be one file */
	unused = fwrite(text->s, 1, text->len, stderr);
	(void)unused;
}

/* Has its turn come?  Then what was kept goes out.  May wait for it. */
static bool lane_open(struct guest_lane *l, bool wait)
{
	struct queue *q = l->queue;

	if (l->mine)
		return true;
	if (!wait) {
		pthread_mutex_lock(&q->turn.lock);
		l->mine = q->turn.at == l->at;
		pthread_mutex_unlock(&q->turn.lock);
	} else {
		l->mine = turn_await(&q->turn, l->at, &q->stop);
	}
	if (!l->mine)
		return false;
	print_err(&l->err);
	strbuf_free(&l->err);
	print_out(l, &l->out);
	strbuf_free(&l->out);
	return true;
}

int guest_out(const struct guest_ref *g, struct strbuf *text)
{
	struct guest_lane *l = g->lane;

	if (text->failed) {
		cmd_warn("out of memory");
		return EXIT_FAILED;
	}
	if (!l) {
		fwrite(text->s, 1, text->len, stdout); /* cmd_done() looks at the stream's error */
		strbuf_reset(text);
		return EXIT_DONE;
	}
	if (lane_open(l, l->out.len + text->len > LANE_BYTES)) {
		print_out(l, text);
	} else {
		strbuf_add(&l->out, text->s, text->len);
		if (l->out.failed) {
			cmd_warn("out of memory");
			return EXIT_FAILED;
		}
	}
	strbuf_reset(text);
	return atomic_load(&l->queue->stop) ? EXIT_FAILED : EXIT_DONE;
}

void guest_err(const struct guest_ref *g, struct strbuf *text)
{
	struct guest_lane *l = g->lane;

	if (!l || lane_open(l, false))
		print_err(text);
	else
		strbuf_add(&l->err, text->s, text->len);
	strbuf_reset(text);
}

struct json guest_json(const struct json *outer, struct strbuf *text)
{
	struct json j = *outer;

	j.out = text;
	j.has_items[j.depth] = false;
	return j;
}

/* ---- the queue ---- */

static void work_on(struct queue *q, size_t at)
{
	struct unit *u = &q->units[at];
	struct guest_lane lane = { .queue = q, .at = at, .out = STRBUF_INIT, .err = STRBUF_INIT };

	if (u->guest->guest && !atomic_load(&q->stop)) {
		u->guest->lane = &lane;
		if (q->run->work(q->run->arg, u->guest, u->items, u->nitems))
			atomic_store(&q->status, EXIT_FAILED);
		u->guest->lane = NULL;
	}
	lane_open(&lane, true);
	strbuf_free(&lane.out);
	strbuf_free(&lane.err);
	turn_pass(&q->turn, at + 1);
}

/* Units are taken in their order: who has the first that has not ended waits for nobody. */
static void work(void *arg)
{
	struct queue *q = arg;
	size_t at;

	while ((at = atomic_fetch_add(&q->next, 1)) < q->nunits) {
		work_on(q, at);
		/* Hundreds of guests in one call: no more are kept open than are needed. */
		if (q->nunits == q->run->set->nguests)
			guest_close(q->units[at].guest);
	}
}

/* The guests, or runs of operands about one guest; NULL when memory is out. */
static struct unit *units_of(struct guest_set *s, size_t *n)
{
	struct unit *units = alloc_array(MAX_OF(s->nguests, s->nitems) + 1, sizeof *units);

	*n = 0;
	if (!units)
		return NULL;
	for (size_t i = 0; i < s->nguests && !s->nitems; i++)
		units[(*n)++] = (struct unit){ .guest = &s->guests[i] };
	for (size_t i = 0; i < s->nitems; i++) {
		if (i && s->items[i].guest == s->items[i - 1].guest)
			units[*n - 1].nitems++;
		else
			units[(*n)++] = (struct unit){ &s->guests[s->items[i].guest], &s->items[i], 1 };
	}
	return units;
}

int guest_run(struct guest_run *r)
{
	struct queue q = { .run = r };
	CLEANUP(free_ptr) struct unit *units = units_of(r->set, &q.nunits);
	const struct guest_keys *keys = &r->opts->keys;
	unsigned n = MIN_OF(r->threads ? r->threads : pool_threads(), THREADS_MAX);
	struct err e = ERR_INIT;

	if (!units) {
		cmd_warn("out of memory");
		return EXIT_FAILED;
	}
	q.units = units;
	r->printed = false;
	turn_init(&q.turn, 0);
	/* One guest's operands in two places, or lines that come in an order. */
	if (q.nunits != r->set->nguests || keys->from_stdin)
		n = 1;
	n = (unsigned)MIN_OF(n, q.nunits);
	if (n <= 1 || pool_run(n, work, NULL, &q, &e) < 0)
		work(&q);
	/* Signals are not for the threads: who ends by a broken pipe elsewhere does so here. */
	if (q.broken_pipe)
		raise(SIGPIPE);
	return atomic_load(&q.status) ? EXIT_FAILED : EXIT_DONE;
}

int guest_run_list(struct guest_run *r, bool json, struct json *outer)
{
	CLEANUP(strbuf_free) struct strbuf text = STRBUF_INIT;
	int status = EXIT_DONE;

	*outer = (struct json)JSON_INIT(&text, false);
	if (json) {
		r->between = GUEST_JSON_BETWEEN(false);
		json_array(outer, NULL);
		status |= out_flush(&text);
	}
	status |= guest_run(r);
	if (json) {
		json_array_end(outer);
		strbuf_putc(&text, '\n');
		status |= out_flush(&text);
	}
	return status ? EXIT_FAILED : EXIT_DONE;
}
