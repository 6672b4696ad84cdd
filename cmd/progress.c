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

/* " 512 MiB/s, 1:05 left", once there is something to judge by. */
static void print_pace(const struct progress *p, uint64_t done, uint64_t total, uint64_t now)
{
	uint64_t msec = now - p->began_msec;
	char size[16];

	if (msec < PACE_AFTER_MSEC)
		return;
	fprintf(stderr, " %s/s", text_size((uint64_t)((double)done * 1000 / (double)msec), size, sizeof size));
	if (total && done) {
		uint64_t left = (uint64_t)((double)(total - done) / (double)done * (double)msec / 1000);

		fprintf(stderr, ", %" PRIu64 ":%02" PRIu64 " left", left / 60, left % 60);
	}
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

	if (p->mode == PROGRESS_NONE || (!last && p->shown && now - p->shown_msec < every))
		return;
	if (p->mode == PROGRESS_AUTO && !p->drawn && (last || now - p->began_msec < AUTO_AFTER_MSEC))
		return;
	if (p->mode == PROGRESS_JSON)
		fprintf(stderr, "{\"done\": %" PRIu64 ", \"total\": %" PRIu64 "}\n", done, total);
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
