/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pair.c - two commands, run turn by turn on the same machine in the same minute, and the ratio of their medians.
 *
 * usage: pair [-n ROUNDS] [-t TARGET] [-s SECONDS] [-m MIB] [-p COMMAND] NAME COMMAND-A COMMAND-B
 *
 * The commands are given to sh -c, with their output thrown away.  A is ours, B the peer's; which goes first changes
 * each round, and one round before the others is not counted.  -p runs before each of the two and is not measured.
 * Prints one line: the medians of wall time, processor time and the largest resident size, and the ratio A / B of wall
 * time.  -t (the ratio), -s and -m (A's wall time and size) are what we want to keep to, and are shown; nothing is judged by
 * them.  The exit status is 1 only when a command fails.
 *
 * "-h" alone prints the head of the table.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_ROUNDS = 99 };

struct sample {
	double wall, cpu; /* seconds */
	double rss;	  /* MiB */
};

static double seconds_of(struct timeval tv)
{
	return (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Runs and measures; 0, or -1 when the command did not end with 0. */
static int run(const char *command, struct sample *out)
{
	struct rusage ru;
	double start = now();
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return -1;
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, 0);
		dup2(null, 1);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	while (wait4(pid, &status, 0, &ru) < 0)
		if (errno != EINTR)
			return -1;
	out->wall = now() - start;
	out->cpu = seconds_of(ru.ru_utime) + seconds_of(ru.ru_stime);
	out->rss = (double)ru.ru_maxrss / 1024;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The median of one member, at this offset in struct sample, over all rounds. */
static double median(const struct sample *s, int n, size_t member)
{
	double v[MAX_ROUNDS];

	for (int i = 0; i < n; i++)
		memcpy(&v[i], (const char *)&s[i] + member, sizeof v[i]);
	qsort(v, (size_t)n, sizeof v[0], by_value);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

int main(int argc, char **argv)
{
	const char *command[2], *prepare = NULL;
	struct sample samples[2][MAX_ROUNDS], ignored;
	double target = 0, seconds = 0, mib = 0, wall[2], ratio;
	int rounds = 7, c;

	while ((c = getopt(argc, argv, "+hn:t:s:m:p:")) != -1) {
		switch (c) {
		case 'h':
			printf("%-34s %11s %11s %8s %8s %7s %7s %6s\n", "", "ours, ms", "peer, ms", "cpu, ms", "cpu, ms", "MiB",
			       "MiB", "ratio");
			return 0;
		case 'n':
			rounds = atoi(optarg);
			break;
		case 't':
			target = atof(optarg);
			break;
		case 's':
			seconds = atof(optarg);
			break;
		case 'm':
			mib = atof(optarg);
			break;
		case 'p':
			prepare = optarg;
			break;
		default:
			return 2;
		}
	}
	if (argc - optind != 3 || rounds < 1 || rounds > MAX_ROUNDS) {
		fprintf(stderr, "usage: pair [-n ROUNDS] [-t TARGET] [-s SECONDS] [-m MIB] [-p COMMAND] NAME "
				"COMMAND-A COMMAND-B\n");
		return 2;
	}
	command[0] = argv[optind + 1];
	command[1] = argv[optind + 2];
	/* What a command leaves behind, as a mount does, is ours still. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (int i = -1; i < rounds; i++) {
		for (int turn = 0; turn < 2; turn++) {
			int which = (i + turn) & 1;

			if ((prepare && run(prepare, &ignored) < 0) ||
			    run(command[which], i < 0 ? &ignored : &samples[which][i]) < 0) {
				printf("%-34s failed: %s\n", argv[optind], command[which]);
				return 1;
			}
		}
	}
	for (int i = 0; i < 2; i++)
		wall[i] = median(samples[i], rounds, offsetof(struct sample, wall));
	ratio = wall[0] / wall[1];
	printf("%-34s %11.2f %11.2f %8.1f %8.1f %7.1f %7.1f %6.*f", argv[optind], wall[0] * 1e3, wall[1] * 1e3,
	       median(samples[0], rounds, offsetof(struct sample, cpu)) * 1e3,
	       median(samples[1], rounds, offsetof(struct sample, cpu)) * 1e3,
	       median(samples[0], rounds, offsetof(struct sample, rss)),
	       median(samples[1], rounds, offsetof(struct sample, rss)), ratio < 0.1 ? 4 : 2, ratio);
	if (target > 0)
		printf("  target <= %.3g%s", target, ratio <= target ? "" : " MISSED");
	if (seconds > 0)
		printf("  time <= %.0f ms%s", seconds * 1e3, wall[0] <= seconds ? "" : " MISSED");
	if (mib > 0)
		printf("  memory <= %.0f MiB%s", mib,
		       median(samples[0], rounds, offsetof(struct sample, rss)) <= mib ? "" : " MISSED");
	putchar('\n');
	return 0;
}
