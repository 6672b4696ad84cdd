/* SPDX-License-Identifier: GPL-2.0-or-later */
/* customize.c - drydock customize: a guest set up by operations, in the order in which they are given. */
#include "customize.h"

#include "alloc.h"
#include "change_words.h"
#include "guest_put.h"
#include "io.h"
#include "limits.h"
#include "out.h"
#include "strbuf.h"
#include "text.h"

#include <stdio.h>

void customize_job_free(struct customize_job *z)
{
	dry_customize_free(z->ops);
	dry_hive_writer_stop(z->writer);
	opt_list_free(&z->paths);
	*z = (struct customize_job){ .ops = NULL };
}

int customize_take(struct customize_job *z, const struct opt_events *events, struct dry_error *e)
{
	const char *path;
	struct dry_error unused;

	z->ops = dry_customize_new();
	if (!z->ops) {
		snprintf(e->msg, sizeof e->msg, "out of memory");
		return -(int)(e->code = DRY_NOMEM);
	}
	for (size_t i = 0; i < events->n; i++) {
		int rc = dry_customize_add(z->ops, events->items[i].name, events->items[i].value, e);

		if (rc < 0)
			return rc;
	}
	for (size_t i = 0; (path = dry_customize_host_path(z->ops, i)); i++)
		if (!opt_list_add(&z->paths, path))
			return -(int)(e->code = DRY_NOMEM);
	/* Only a Windows needs it; where there is no libhivex, that says so. */
	if (dry_hive_writer_start(&z->writer, &unused) < 0)
		z->writer = NULL;
	return 0;
}

static int on_output(void *arg, int stream, const void *bytes, size_t len)
{
	const struct customize_job *z = arg;
	FILE *to = stream == 2 ? stderr : stdout;

	return !z->quiet && (fwrite(bytes, 1, len, to) != len || fflush(to) != 0);
}

static void on_say(void *arg, const char *line)
{
	const struct customize_job *z = arg;
	CLEANUP(strbuf_free) struct strbuf q = STRBUF_INIT;

	text_quote(&q, line, strlen(line));
	if (z->say)
		z->say(z->arg, q.s);
}

/* ---- archives ---- */

struct archive {
	int fd;
	uint64_t off;
};

static int archive_read(void *arg, void *buf, size_t len, size_t *got, struct err *e)
{
	struct archive *a = arg;
	int why = io_pread(a->fd, buf, len, a->off, got);

	a->off += why ? 0 : *got;
	return why ? err_sys(e, why, "the archive") : 0;
}

static void untar_freep(struct untar **u)
{
	untar_free(*u);
}

static int on_unpack(void *arg, struct dry_change *c, int fd, const char *folder, struct dry_error *e)
{
	CLEANUP(untar_freep) struct untar *u = NULL;
	CLEANUP(guest_put_free) struct guest_put p = {
		.c = c,
		.g = dry_change_guest(c),
		.base = folder,
		.owners = true,
		.xattrs = true,
		.parent = STRBUF_INIT,
		.label = STRBUF_INIT,
		.path = STRBUF_INIT,
	};
	struct archive a = { fd, 0 };
	struct err why = ERR_INIT;

	(void)arg;
	if (untar_new(archive_read, &a, &u, &why) < 0) {
		*e = (struct dry_error){ .code = (enum dry_code)why.code, .sys_errno = why.sys_errno };
		snprintf(e->msg, sizeof e->msg, "%s", why.msg);
		return -(int)e->code;
	}
	return guest_put_archive(&p, u, e);
}

struct dry_customize_how customize_how(struct customize_job *z)
{
	return (struct dry_customize_how){ .say = on_say, .output = on_output, .arg = z, .max_ms = z->seconds * 1000,
					   .max_output = z->max_output, .network = z->network, .writer = z->writer,
					   .unpack = on_unpack };
}

int customize_do(struct customize_job *z, struct dry_change *c, struct dry_error *e)
{
	const struct dry_customize_how how = customize_how(z);

	return dry_customize_run(c, z->ops, &how, e);
}

void customize_opts(struct opt opts[CUSTOMIZE_OPS + 1], struct opt_events *events)
{
	struct dry_customize_op op;
	size_t n = 0;

	for (; n < CUSTOMIZE_OPS && dry_customize_op_at(n, &op); n++)
		opts[n] = (struct opt)OPT_EVENT(op.name, op.arg, events, op.help);
	opts[n] = (struct opt)OPT_END;
}

/* ---- the command ---- */

struct customize {
	struct change_opts change;
	struct opt_events events;
	uint64_t seconds, max_output, memsize, smp;
	bool network, quiet;
};

static void print(void *arg, const char *line)
{
	const struct customize *c = arg;

	/* A password that was made up is told in any case. */
	if (!c->quiet || strstr(line, "random password"))
		printf("%s\n", line);
	fflush(stdout);
}

static int run(void *arg, int argc, char **argv)
{
	struct customize *c = arg;
	CLEANUP(customize_job_free) struct customize_job z = { .say = print, .arg = c, .quiet = c->quiet,
							       .network = c->network, .seconds = c->seconds,
							       .max_output = c->max_output };
	struct change_host host = { .write_dir = -1 };
	struct change_job job;
	struct dry_error e = { .code = DRY_OK };
	int status;

	if (argc > 1 || (argc && (c->change.guest.images.n || c->change.guest.domains.n)))
		return cmd_usage("customize", "one guest is customised at a time");
	if (!argc && !c->change.guest.images.n && !c->change.guest.domains.n)
		return cmd_usage("customize", "name an image");
	if (c->seconds > UINT32_MAX || c->memsize > UINT32_MAX || c->smp > 1024)
		return cmd_usage("customize", "such a limit makes no sense");
	if (customize_take(&z, &c->events, &e) < 0)
		return cmd_fail(&e);
	host.read_paths = z.paths.items;
	host.nread = z.paths.n;
	c->change.guest.machine = (struct dry_machines_how){
		.memory = c->memsize * MiB, .smp = (unsigned)c->smp, .network = c->network,
	};
	status = change_begin("customize", &c->change, argc, argv, &host, &job);
	if (!status && job.set.nitems && job.set.items[0].path)
		status = cmd_usage("customize", "the image is named alone: paths belong to the operations");
	if (!status && customize_do(&z, job.c, &e) < 0)
		status = change_fail(&job, &e);
	return change_end(&job, status);
}

int cmd_customize(int argc, char **argv)
{
	struct customize c = { .change = CHANGE_OPTS_INIT };
	const struct usage u = { "customize", "[options] IMAGE",
				 "Sets up a guest by operations, in the order in which they are given." };
	const struct opt own[] = {
		CHANGE_OPTS(&c.change, 'd'),
		OPT_FLAG(0, "network", &c.network, "let programs of the guest reach the host's network"),
		OPT_FLAG('q', "quiet", &c.quiet, "print neither what is done nor what programs say"),
		OPT_U64(0, "time-limit", "SECONDS", &c.seconds, "end a program after so long; 3600"),
		OPT_SIZE(0, "output-limit", "SIZE", &c.max_output, "and when it has said so much; 64M"),
		OPT_U64(0, "memsize", "MB", &c.memsize, "memory of the machine"),
		OPT_U64(0, "smp", "N", &c.smp, "processors of the machine"),
	};
	struct opt opts[ARRAY_LEN(own) + CUSTOMIZE_OPS + 1];
	int status;

	memcpy(opts, own, sizeof own);
	customize_opts(opts + ARRAY_LEN(own), &c.events);
	status = change_main(&u, opts, &c.change, argc, argv, run, &c);
	opt_events_free(&c.events);
	return status;
}
