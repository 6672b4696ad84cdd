/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * launch_tool.c - launches an appliance and does as it is told, for tests that look at the host meanwhile.
 *
 * usage: launch_tool [options] FOLDER BACKEND
 *   --append WORDS --memory MIB --deadline SECONDS   as in struct appliance_how
 *   --disk FILE        disk0, and so on: the same may be several
 *   --network          asked for; --allow-network: and settled with the broker
 *   --raw              no agent: bytes on the channel
 *   --plain, --q35     of struct vm_request, with --raw
 *   --confine          the process is confined before it launches
 *   --verbose          all that the kernel says
 *
 * Prints "ready BACKEND MS", then obeys a line of standard input at a time, and prints the answer to each:
 *   ping           is the agent there (--raw: are five bytes sent back)
 *   silent         --raw: the same, without much patience
 *   send TEXT      --raw: bytes, without waiting for any
 *   ended          has the machine ended: prints yes or no, after half a minute at most
 *   close, kill    ends it
 * The log goes to standard error, errors to standard output as "error: SENTENCE".
 */
#include "alloc.h"
#include "broker_ask.h"
#include "client.h"
#include "confine.h"
#include "launch.h"
#include "machine.h"
#include "text.h"

#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

struct tool {
	struct appliance_how how;
	bool raw, allow_network, confine;
	struct vm_request req;
	struct appliance_disk disks[APPLIANCE_DISKS_MAX];
	size_t ndisks;
	struct broker *broker;
	struct appliance *appliance;
	struct machine *machine;
	int channel;
};

static void say(void *arg, const char *line)
{
	(void)arg;
	fprintf(stderr, "%s\n", line);
}

static int fail(const struct err *e)
{
	printf("error: %s\n", e->msg);
	fflush(stdout);
	return 1;
}

/* An answer that must come, and one that must not. */
enum { ANSWER_MS = 30000, SILENCE_MS = 1000 };

static size_t hear(int fd, char *buf, size_t size, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n = poll(&p, 1, ms) > 0 ? read(fd, buf, size) : 0;

	return n > 0 ? (size_t)n : 0;
}

static int start_raw(struct tool *t, struct err *e)
{
	uint64_t end = machine_now_ms() + (t->how.deadline ? t->how.deadline : 20) * 1000;
	char word[16];
	int rc;

	t->req.ask = VM_START;
	t->req.backend = t->how.backend;
	t->req.memory = t->how.memory ? t->how.memory : 128;
	t->req.smp = 1;
	t->req.network = t->how.network;
	snprintf(t->req.append, sizeof t->req.append, "%s", t->how.append ? t->how.append : "");
	rc = machine_start(t->broker, &t->req, NULL, say, NULL, end, &t->machine, e);
	if (!rc)
		rc = machine_wait(t->machine, end, e);
	if (rc)
		return rc;
	t->channel = machine_channel(t->machine);
	if (hear(t->channel, word, sizeof word, ANSWER_MS) != 6 || memcmp(word, "READY\n", 6) != 0)
		return err_set(e, ERR_CORRUPT, "it is not the kernel of the tests");
	return 0;
}

static void ping(struct tool *t, int ms)
{
	struct err e = ERR_INIT;
	char buf[16];

	if (!t->raw) {
		if (client_ping(t->appliance ? appliance_client(t->appliance) : NULL, &e) < 0)
			fail(&e);
		else
			puts("pong");
	} else if (write(t->channel, "hello", 5) == 5 && hear(t->channel, buf, sizeof buf, ms) == 5 && !memcmp(buf, "hello", 5)) {
		puts("pong");
	} else {
		puts("no answer");
	}
}

static bool ended(struct tool *t)
{
	for (int i = 0; i < 1500; i++) {
		if (t->raw ? machine_ended(t->machine) : appliance_ended(t->appliance))
			return true;
		usleep(20000);
	}
	return false;
}

static void end(struct tool *t, bool gently)
{
	struct err e = ERR_INIT;

	if (t->raw)
		machine_end(take(t->machine));
	else if (!gently)
		appliance_kill(take(t->appliance));
	else if (appliance_close(take(t->appliance), &e) < 0) {
		fail(&e);
		return;
	}
	puts("gone");
}

static void obey(struct tool *t, char *line)
{
	line[strcspn(line, "\n")] = '\0';
	if (strcmp(line, "ping") == 0)
		ping(t, ANSWER_MS);
	else if (strcmp(line, "silent") == 0)
		ping(t, SILENCE_MS);
	else if (strncmp(line, "send ", 5) == 0)
		puts(write(t->channel, line + 5, strlen(line + 5)) > 0 ? "sent" : "not sent");
	else if (strcmp(line, "ended") == 0)
		puts(ended(t) ? "yes" : "no");
	else if (strcmp(line, "close") == 0 || strcmp(line, "kill") == 0)
		end(t, line[0] == 'c');
	fflush(stdout);
}

static void parse(struct tool *t, int argc, char **argv, const char *disks[APPLIANCE_DISKS_MAX])
{
	static const struct option options[] = {
		{ "append", 1, NULL, 'a' }, { "memory", 1, NULL, 'm' },	       { "deadline", 1, NULL, 't' },
		{ "disk", 1, NULL, 'd' },   { "network", 0, NULL, 'n' },       { "allow-network", 0, NULL, 'N' },
		{ "raw", 0, NULL, 'r' },    { "plain", 0, NULL, 'p' },	       { "q35", 0, NULL, 'q' },
		{ "confine", 0, NULL, 'c' }, { "verbose", 0, NULL, 'v' }, { 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (c) {
		case 'a': t->how.append = optarg; break;
		case 'm': t->how.memory = (unsigned)atoi(optarg); break;
		case 't': t->how.deadline = (unsigned)atoi(optarg); break;
		case 'd':
			if (t->ndisks == APPLIANCE_DISKS_MAX)
				exit(2);
			disks[t->ndisks++] = optarg;
			break;
		case 'n': t->how.network = true; break;
		case 'N': t->allow_network = true; break;
		case 'r': t->raw = true; break;
		case 'p': t->req.plain = 1; break;
		case 'q': t->req.board = VM_Q35; break;
		case 'c': t->confine = true; break;
		case 'v': t->how.verbose = true; break;
		default: exit(2);
		}
}

int main(int argc, char **argv)
{
	struct tool t = { .channel = -1, .how.log = say };
	CLEANUP(appliance_files_free) struct appliance_files files = { .uml.fd = -1 };
	const struct block_open raw = { .format = "raw" };
	const char *disks[APPLIANCE_DISKS_MAX];
	struct err e = ERR_INIT;
	char line[200];
	uint64_t began;
	int rc;

	parse(&t, argc, argv, disks);
	if (argc - optind != 2 || appliance_files_open(argv[optind], &files, &e) < 0 ||
	    appliance_backend_parse(argv[optind + 1], &t.how.backend, &e) < 0)
		return fail(&e);
	for (size_t i = 0; i < t.ndisks; i++) {
		if (block_open(disks[i], &raw, &t.disks[i].block, &e) < 0)
			return fail(&e);
		snprintf(t.disks[i].serial, sizeof t.disks[i].serial, "disk%u", (unsigned)i);
	}
	began = machine_now_ms();
	rc = broker_start(&(const struct broker_how){ .files = &files, .network = t.allow_network }, &t.broker, &e);
	if (!rc && t.confine)
		rc = confine(&(const struct confine_how){ .want = CONFINE_BEST, .serve = true }, NULL, &e);
	if (!rc)
		rc = t.raw ? start_raw(&t, &e) : appliance_launch(t.broker, &t.how, t.disks, t.ndisks, &t.appliance, &e);
	if (rc) {
		fail(&e);
	} else {
		printf("ready %s %u\n", t.raw ? argv[optind + 1] : appliance_backend_name(t.appliance),
		       (unsigned)(machine_now_ms() - began));
		fflush(stdout);
		while (fgets(line, sizeof line, stdin))
			obey(&t, line);
	}
	appliance_kill(t.appliance);
	machine_end(t.machine);
	if (t.channel >= 0)
		close(t.channel);
	broker_free(t.broker);
	for (size_t i = 0; i < t.ndisks; i++)
		block_unref(t.disks[i].block);
	return rc ? 1 : 0;
}
