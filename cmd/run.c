/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run.c - drydock run: a command in a guest's root, whose changes are kept when it succeeds. */
#include "change_words.h"

#include "alloc.h"
#include "limits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

struct run {
	struct change_opts change;
	struct opt_list env;
	const char *input;
	uint64_t seconds, max_output, memsize, smp;
	bool network, keep;
	int in; /* what it reads; -1: nothing */
};

#define DEFAULT_SECONDS 3600

static int on_output(void *arg, int stream, const void *bytes, size_t len)
{
	FILE *to = stream == 2 ? stderr : stdout;

	(void)arg;
	return fwrite(bytes, 1, len, to) != len || fflush(to) != 0;
}

static int on_input(void *arg, void *buf, size_t len, size_t *got)
{
	const struct run *c = arg;
	ssize_t n;

	do
		n = read(c->in, buf, len);
	while (n < 0 && errno == EINTR);
	*got = n < 0 ? 0 : (size_t)n;
	return n < 0;
}

/* As a shell tells it. */
static int status_of(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* The environment that every program gets, and what was given behind it, so that it counts. */
static int work(struct change_job *job, struct run *c, char **argv)
{
	static const char *const usual[] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
					     "LANG=C.UTF-8", "TERM=dumb" };
	CLEANUP(opt_list_free) struct opt_list env = { NULL, 0 };
	struct dry_run_how how = {
		.argv = (const char *const *)argv,
		.output = on_output,
		.input = c->in >= 0 ? on_input : NULL,
		.max_ms = (c->seconds ? c->seconds : DEFAULT_SECONDS) * 1000,
		.max_output = c->max_output,
		.network = c->network,
		.arg = c,
	};
	struct dry_error e = { .code = DRY_OK };
	int status = 0;
	bool ok = true;

	for (size_t i = 0; i < ARRAY_LEN(usual); i++)
		ok = ok && opt_list_add(&env, usual[i]);
	for (size_t i = 0; i < c->env.n; i++)
		ok = ok && opt_list_add(&env, c->env.items[i]);
	if (!ok || !opt_list_add(&env, NULL))
		return EXIT_FAILED;
	how.env = env.items;
	fflush(stdout);
	if (dry_change_run(job->c, &how, &status, &e) < 0)
		return change_fail(job, &e);
	return status_of(status);
}

static int run(void *arg, int argc, char **argv)
{
	struct run *c = arg;
	bool with_image = !c->change.guest.images.n && !c->change.guest.domains.n;
	struct change_job job;
	int status, ended;

	if (argc < 1 + with_image)
		return cmd_usage("run", "name %sa command", with_image ? "an image and " : "");
	if (c->seconds > UINT32_MAX || c->memsize > UINT32_MAX || c->smp > 1024)
		return cmd_usage("run", "such a limit makes no sense");
	for (size_t i = 0; i < c->env.n; i++)
		if (!strchr(c->env.items[i], '='))
			return cmd_usage("run", "--env %s: it takes NAME=VALUE", c->env.items[i]);
	if (c->input)
		c->in = strcmp(c->input, "-") == 0 ? STDIN_FILENO : open(c->input, O_RDONLY | O_CLOEXEC);
	if (c->input && c->in < 0)
		return cmd_warn("%s: %s", c->input, strerror(errno)), EXIT_FAILED;
	c->change.guest.machine =
		(struct dry_machines_how){ .memory = c->memsize * MiB, .smp = (unsigned)c->smp, .network = c->network };
	status = change_begin("run", &c->change, with_image, argv, NULL, &job);
	if (!status && with_image && job.set.items[0].path)
		status = cmd_usage("run", "the image is named alone: a command runs in all of the guest");
	if (status)
		return change_end(&job, status);
	ended = work(&job, c, argv + with_image);
	if (!ended || !c->keep || !job.c || dry_change_lost(job.c))
		return change_end(&job, ended);
	status = change_end(&job, 0);
	return status ? status : ended;
}

int cmd_run(int argc, char **argv)
{
	struct run c = { .change = CHANGE_OPTS_INIT, .in = -1 };
	const struct usage u = { "run", "[options] IMAGE -- COMMAND [ARGUMENT...]",
				 "Runs a command in a guest's root, and keeps what it changes if it succeeds." };
	const struct opt opts[] = {
		CHANGE_OPTS(&c.change, 'd'),
		OPT_FLAG(0, "network", &c.network, "let it reach the host's network"),
		OPT_LIST(0, "env", "NAME=VALUE", &c.env, "a variable of its environment; repeat it for more"),
		OPT_STRING(0, "input", "FILE", &c.input, "what it reads; -: standard input"),
		OPT_U64(0, "time-limit", "SECONDS", &c.seconds, "end it after so long; 3600"),
		OPT_SIZE(0, "output-limit", "SIZE", &c.max_output, "and when it has said so much; 64M"),
		OPT_FLAG(0, "keep", &c.keep, "keep what it changed also when it fails"),
		OPT_U64(0, "memsize", "MB", &c.memsize, "memory of the machine"),
		OPT_U64(0, "smp", "N", &c.smp, "processors of the machine"),
		OPT_END,
	};
	int status = change_main(&u, opts, &c.change, argc, argv, run, &c);

	opt_list_free(&c.env);
	if (c.in > STDIN_FILENO)
		close(c.in);
	return status;
}
