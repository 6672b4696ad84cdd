/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * many_tool.c - machines that one process starts at the same moment: each has all of its disks, with the bytes that are its own,
 * and its tools.  The process is confined as commands that read guests are.
 *
 * usage: many_tool [--verbose] FOLDER BACKEND MACHINES
 *
 * FOLDER has the appliance's files.  Prints what each lacked as "error: SENTENCE", and at the end how many were as they should be.
 */
#include "alloc.h"
#include "client.h"
#include "confine.h"
#include "launch.h"
#include "limits.h"
#include "text.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define MACHINES_MAX 32
#define DISKS 3

struct many {
	struct broker *broker;
	struct appliance_how how;
	pthread_barrier_t together;
};
struct one {
	struct many *all;
	unsigned number;
	struct appliance_disk disks[DISKS];
	struct strbuf said;
	int rc;
	struct err err;
	pthread_t thread;
};

static int on_output(void *arg, int stream, const void *bytes, size_t len, struct err *e)
{
	struct one *o = arg;

	(void)stream, (void)e;
	strbuf_add(&o->said, bytes, len);
	return 0;
}

static void log_line(void *arg, const char *line)
{
	(void)arg;
	fprintf(stderr, "%s\n", line);
}

/* The disks of a machine: each begins with the machine's number and its own. */
static int make_disk(const struct one *o, unsigned disk, struct appliance_disk *out, struct err *e)
{
	char path[64], text[64];
	FILE *f;
	int n;

	snprintf(path, sizeof path, "disk.%u.%u", o->number, disk);
	f = fopen(path, "w");
	n = snprintf(text, sizeof text, "machine %u disk %u\n", o->number, disk);
	if (!f || fwrite(text, 1, (size_t)n, f) != (size_t)n || fseek(f, (1 << 20) - 1, SEEK_SET) < 0 || fputc(0, f) < 0)
		n = -1;
	if (f && fclose(f) != 0)
		n = -1;
	if (n < 0)
		return err_sys(e, errno, "%s", path);
	*out = (struct appliance_disk){ .writable = true };
	snprintf(out->serial, sizeof out->serial, "disk%u", disk);
	return block_open(path, &(const struct block_open){ .format = "raw", .flags = BLOCK_WRITE }, &out->block, e);
}

static int look(struct one *o, struct client *c, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf want = STRBUF_INIT;
	static const char script[] = "for d in /sys/block/*; do case $(cat $d/serial) in disk*) head -n1 /dev/${d##*/};; esac; "
				     "done 2>/dev/null | sort";
	const char *const argv[] = { "sh", "-c", script, NULL };
	int status, rc;

	for (unsigned i = 0; i < DISKS; i++)
		strbuf_printf(&want, "machine %u disk %u\n", o->number, i);
	rc = client_run(c, &(const struct client_run){ .argv = argv, .output = on_output, .arg = o }, &status, e);
	if (rc == 0 && (status || strcmp(o->said.s, want.s) != 0))
		rc = err_set(e, ERR_CORRUPT, "its disks are: %s", o->said.s);
	return rc;
}

static void *launch_one(void *arg)
{
	struct one *o = arg;
	struct appliance_disk *disks = o->disks;
	struct appliance *a = NULL;
	int rc = 0;

	pthread_barrier_wait(&o->all->together);
	if (rc == 0)
		rc = appliance_launch(o->all->broker, &o->all->how, disks, DISKS, &a, &o->err);
	if (rc == 0)
		rc = look(o, appliance_client(a), &o->err);
	/* All run until the last has been looked at. */
	pthread_barrier_wait(&o->all->together);
	if (rc == 0)
		rc = client_ping(appliance_client(a), &o->err);
	if (rc < 0 && a) {
		CLEANUP(strbuf_free) struct strbuf console = STRBUF_INIT;

		appliance_console(a, &console);
		printf("# machine %u: its last line is: %s\n", o->number, console.len ? console.s : "");
	}
	if (rc == 0)
		rc = appliance_close(take(a), &o->err);
	appliance_kill(a);
	o->rc = rc;
	return NULL;
}

int main(int argc, char **argv)
{
	CLEANUP(appliance_files_free) struct appliance_files files = { .uml.fd = -1 };
	static struct one ones[MACHINES_MAX];
	struct many all = { 0 };
	struct err e = ERR_INIT;
	unsigned good = 0;
	uint64_t n = 0;
	int rc, at = 1;

	if (argc > 1 && strcmp(argv[1], "--verbose") == 0) {
		all.how.verbose = true;
		all.how.log = log_line;
		at++;
	}
	if (argc - at != 3 || !text_parse_u64(argv[at + 2], &n) || !n || n > MACHINES_MAX)
		return 2;
	rc = appliance_files_open(argv[at], &files, &e);
	rc = rc ? rc : appliance_backend_parse(argv[at + 1], &all.how.backend, &e);
	rc = rc ? rc : broker_start(&(const struct broker_how){ .files = &files }, &all.broker, &e);
	if (rc) {
		printf("error: %s\n", e.msg);
		return 1;
	}
	pthread_barrier_init(&all.together, NULL, (unsigned)n);
	for (unsigned i = 0; i < n; i++) {
		ones[i] = (struct one){ .all = &all, .number = i, .said = STRBUF_INIT };
		for (unsigned d = 0; d < DISKS && rc == 0; d++)
			rc = make_disk(&ones[i], d, &ones[i].disks[d], &e);
	}
	if (rc == 0)
		rc = confine(&(const struct confine_how){ .want = CONFINE_BEST, .write_dir = -1, .serve = true, .memory = 4 * GiB },
			     NULL, &e);
	if (rc < 0) {
		printf("error: %s\n", e.msg);
		return 1;
	}
	for (unsigned i = 0; i < n; i++) {
		if (pthread_create(&ones[i].thread, NULL, launch_one, &ones[i]) != 0)
			abort();
	}
	for (unsigned i = 0; i < n; i++) {
		pthread_join(ones[i].thread, NULL);
		if (ones[i].rc < 0)
			printf("error: machine %u: %s\n", i, ones[i].err.msg);
		good += ones[i].rc == 0;
		for (unsigned d = 0; d < DISKS; d++)
			block_unref(ones[i].disks[d].block);
		strbuf_free(&ones[i].said);
	}
	broker_free(all.broker);
	printf("%u of %u\n", good, (unsigned)n);
	return good == n ? 0 : 1;
}
