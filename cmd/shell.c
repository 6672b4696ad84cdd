/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shell.c - drydock shell: commands over one opened guest. */
#include "shell.h"

#include "alloc.h"
#include "limits.h"

struct options {
	struct guest_opts guest;
	const char *file;
	struct opt_list prepared;
	bool inspect, bare, ro, rw, trace, pipe_error, list, network;
	uint64_t memsize, smp;
};

/* The disks that the options name, in the session. */
static int add_disks(struct options *c, struct shell *s)
{
	CLEANUP(guest_set_free) struct guest_set set = { .guests = NULL };
	int status;

	if (!c->guest.images.n && !c->guest.domains.n)
		return 0;
	status = guest_set_images("shell", &c->guest, 0, NULL, &set);
	if (status)
		return status;
	if (set.nguests != 1)
		return cmd_usage("shell", "a session has one guest, not %zu", set.nguests);
	for (size_t i = 0; i < set.guests[0].nimages; i++)
		if (shell_add_image(s, set.guests[0].images[i],
				    set.guests[0].formats ? set.guests[0].formats[i] : NULL))
			return EXIT_FAILED;
	return 0;
}

static int run(struct options *c, int argc, char **argv)
{
	CLEANUP(shell_free)
	struct shell s = {
		.name = "drydock",
		.opts = &c->guest,
		.inspect = c->inspect,
		.readonly = !c->rw,
		.trace = c->trace,
		.pipe_error = c->pipe_error,
		.out = STRBUF_INIT,
		.umask = 022,
	};
	int status;

	if (c->ro && c->rw)
		return cmd_usage("shell", "--ro and --rw exclude each other");
	if (c->inspect && c->guest.mounts.n)
		return cmd_usage("shell", "-i and -m exclude each other");
	if (c->prepared.n == 1 && strcmp(c->prepared.items[0], "help") == 0)
		return shell_prepare_help(), EXIT_DONE;
	if (c->bare && c->inspect)
		return cmd_usage("shell", "-i and --bare exclude each other");
	if (c->prepared.n && (!c->rw || c->inspect))
		return cmd_usage("shell", "-N makes a disk: it takes --rw, and not -i");
	if (c->file && argc)
		return cmd_usage("shell", "commands come from --file or from the command line, not both");
	if (c->list) {
		shell_list_commands(&s);
		fputs(s.out.s, stdout);
		return EXIT_DONE;
	}
	c->guest.machine =
		(struct dry_machines_how){ .memory = c->memsize * MiB, .smp = (unsigned)c->smp, .network = c->network };
	status = add_disks(c, &s);
	s.inspect |= s.nimages && !c->guest.mounts.n && !c->prepared.n && !c->bare;
	for (size_t i = 0; i < c->prepared.n && !status; i++)
		status = shell_prepare(&s, c->prepared.items[i]) ? EXIT_FAILED : 0;
	return status ? status : shell_main(&s, c->file, argc, argv);
}

int cmd_shell(int argc, char **argv)
{
	struct options c = { .guest = { .engine = DRY_ENGINE_AUTO } };
	const struct usage u = { "shell", "[options] -a IMAGE [COMMAND [WORD...] [: COMMAND...]]",
				 "Runs commands over one opened guest, from a prompt, a script or the command line." };
	const struct opt opts[] = {
		GUEST_OPTS(&c.guest),
		GUEST_OPT_DOMAIN(&c.guest, 'd'),
		GUEST_OPT_MOUNT(&c.guest),
		OPT_FLAG('i', "inspector", &c.inspect, "mount what the guest itself would; the default without -m"),
		OPT_FLAG(0, "bare", &c.bare, "mount nothing: \"run\" opens the disks, \"mount\" follows"),
		OPT_STRING(0, "file", "SCRIPT", &c.file, "run the commands in this file; -: standard input"),
		OPT_FLAG('r', "ro", &c.ro, "only read; the default"),
		OPT_FLAG('w', "rw", &c.rw, "what is changed is kept when the session ends well"),
		OPT_LIST('N', "new", "[FILE=]TYPE[:WORD...]", &c.prepared,
			 "make a disk and add it; \"help\" lists the types"),
		OPT_FLAG('x', "trace", &c.trace, "print each command before it is run"),
		OPT_FLAG(0, "pipe-error", &c.pipe_error, "a program behind a \"|\" that fails is an error"),
		OPT_FLAG(0, "list", &c.list, "list the commands"),
		OPT_FLAG(0, "network", &c.network, "let the guest's programs reach the network"),
		OPT_U64(0, "memsize", "MB", &c.memsize, "memory of the machine"),
		OPT_U64(0, "smp", "N", &c.smp, "processors of the machine"),
		OPT_END,
	};
	int status = EXIT_USAGE;

	switch (opts_parse(&u, opts, &argc, &argv)) {
	case OPTS_DONE:
		status = EXIT_DONE;
		break;
	case OPTS_OK:
		status = cmd_done(run(&c, argc, argv));
		break;
	case OPTS_BAD:
		break;
	}
	guest_opts_free(&c.guest);
	opt_list_free(&c.prepared);
	return status;
}
