/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "progress.h"

#include "alloc.h"
#include "cmd.h"
#include "text.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { BAR_WIDTH = 40, BAR_EVERY_MSEC = 100, JSON_EVERY_MSEC = 500, AUTO_AFTER_MSEC = 1000, PACE_AFTER_MSEC = 500 };

const char *const progress_words[] = { "bar", "json", "none", "auto", NULL };

/* The one thing a signal handler can reach. */
static volatile sig_atomic_t signal_seen;

static const int stop_signals[] = { SIGINT, SIGTERM, SIGHUP };

static void on_signal(int sig)
{
	signal_seen = sig;
}

static uint64_t now_msec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void set_signals(void (*handler)(int), void (*xfsz)(int))
{
	struct sigaction was, now = { .sa_handler = handler, .sa_flags = SA_RESTART };

	for (size_t i = 0; i < ARRAY_LEN(stop_signals); i++) {
		/* nohup(1) and background jobs of a shell are not to be stopped by what they ignore */
		if (sigaction(stop_signals[i], NULL, &was) == 0 && was.sa_handler != SIG_IGN)
			sigaction(stop_signals[i], &now, NULL);
	}
	signal(SIGXFSZ, xfsz);
}

void progress_begin(struct progress *p, enum progress_mode mode)
{
	*p = (struct progress){ .mode = mode, .began_msec = now_msec() };
	if (mode == PROGRESS_AUTO && !isatty(STDERR_FILENO))
		p->mode = PROGRESS_NONE;
	set_signals(on_signal, SIG_IGN);
}

/* How fast it goes, and how many seconds are left (UINT64_MAX: not known); false: there is nothing yet to judge by. */
static bool find_pace(const struct progress *p, uint64_t done, uint64_t total, uint64_t now, uint64_t *speed, uint64_t *left)
{
	uint64_t msec = now - p->from_msec, some = done - p->from;

	if (msec < PACE_AFTER_MSEC)
		return false;
	*speed = (uint64_t)((double)some * 1000 / (double)msec);
	*left = total && some ? (uint64_t)((double)(total - done) / (double)some * (double)msec / 1000) : UINT64_MAX;
	return true;
}

/* " 512 MiB/s, 1:05 left" */
static void print_pace(const struct progress *p, uint64_t done, uint64_t total, uint64_t now)
{
	uint64_t speed, left;
	char size[16];

	if (!find_pace(p, done, total, now, &speed, &left))
		return;
	fprintf(stderr, " %s/s", text_size(speed, size, sizeof size));
	if (left != UINT64_MAX)
		fprintf(stderr, ", %" PRIu64 ":%02" PRIu64 " left", left / 60, left % 60);
}

static void print_json(const struct progress *p, uint64_t done, uint64_t total, uint64_t now)
{
	uint64_t speed, left;

	fprintf(stderr, "{\"done\": %" PRIu64 ", \"total\": %" PRIu64, done, total);
	if (find_pace(p, done, total, now, &speed, &left)) {
		fprintf(stderr, ", \"speed\": %" PRIu64, speed);
		if (left != UINT64_MAX)
			fprintf(stderr, ", \"remaining\": %" PRIu64, left);
	}
	fputs("}\n", stderr);
}

static void draw_bar(struct progress *p, uint64_t done, uint64_t total, uint64_t now)
{
	int permille = total ? (int)((double)done / (double)total * 1000) : 0;
	int filled = permille * BAR_WIDTH / 1000;
	char bar[BAR_WIDTH + 1], size[16];

	memset(bar, '=', (size_t)filled);
	memset(bar + filled, ' ', (size_t)(BAR_WIDTH - filled));
	bar[BAR_WIDTH] = '\0';
	if (total)
		fprintf(stderr, "\r[%s] %3d.%d %%", bar, permille / 10, permille % 10);
	else
		fprintf(stderr, "\r%s", text_size(done, size, sizeof size));
	print_pace(p, done, total, now);
	fputs("\033[K", stderr); /* what is left of a longer line */
	fflush(stderr);
	p->drawn = true;
}

static void show(struct progress *p, uint64_t done, uint64_t total)
{
	uint64_t now = now_msec();
	uint64_t every = p->mode == PROGRESS_JSON ? JSON_EVERY_MSEC : BAR_EVERY_MSEC;
	bool last = done == total;

	/* Work that goes on where it was, or a second pass: what lies before is not of this pace. */
	if (!p->seen || done < p->last) {
		p->from = done;
		p->from_msec = now;
		p->seen = true;
	}
	p->last = done;
	if (p->mode == PROGRESS_NONE || (!last && p->shown && now - p->shown_msec < every))
		return;
	if (p->mode == PROGRESS_AUTO && !p->drawn && (last || now - p->began_msec < AUTO_AFTER_MSEC))
		return;
	if (p->mode == PROGRESS_JSON)
		print_json(p, done, total, now);
	else
		draw_bar(p, done, total, now);
	p->shown = true;
	p->shown_msec = now;
}

static int watch(void *arg, uint64_t done, uint64_t total)
{
	show(arg, done, total);
	return signal_seen != 0;
}

struct dry_progress progress_watch(struct progress *p)
{
	return (struct dry_progress){ .run = watch, .arg = p };
}

void progress_end(struct progress *p)
{
	if (p->drawn)
		fputc('\n', stderr);
	p->drawn = false;
	if (!signal_seen)
		set_signals(SIG_DFL, SIG_DFL);
}

int progress_stopped(void)
{
	int sig = signal_seen;

	if (!sig)
		return EXIT_FAILED;
	cmd_warn("stopped");
	fflush(stdout);
	signal(sig, SIG_DFL);
	raise(sig);
	return 128 + sig;
}
