/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guestfish.c - the program under the name guestfish. */
#include "alloc.h"
#include "shell.h"
#include "virt.h"

#include <unistd.h>

enum {
	FISH_CMD_HELP = VIRT_OWN,
	FISH_CSH,
	FISH_LISTEN,
	FISH_REMOTE,
	FISH_NO_DEST,
	FISH_PIPE_ERROR,
	FISH_BARS,
	FISH_NO_BARS,
	FISH_SELINUX,
	FISH_NETWORK,
	FISH_NO_NETWORK
};

static const struct option options[] = {
	{ "add", 1, NULL, 'a' },
	{ "blocksize", 2, NULL, VIRT_BLOCKSIZE },
	{ "cmd-help", 2, NULL, 'h' },
	{ "connect", 1, NULL, 'c' },
	{ "csh", 0, NULL, FISH_CSH },
	{ "domain", 1, NULL, 'd' },
	{ "echo-keys", 0, NULL, VIRT_ECHO_KEYS },
	{ "file", 1, NULL, 'f' },
	{ "format", 2, NULL, VIRT_FORMAT },
	{ "help", 0, NULL, VIRT_HELP },
	{ "inspector", 0, NULL, 'i' },
	{ "key", 1, NULL, VIRT_KEY },
	{ "keys-from-stdin", 0, NULL, VIRT_KEYS_FROM_STDIN },
	{ "listen", 0, NULL, FISH_LISTEN },
	{ "long-options", 0, NULL, VIRT_LONG_OPTIONS },
	{ "mount", 1, NULL, 'm' },
	{ "network", 0, NULL, FISH_NETWORK },
	{ "new", 1, NULL, 'N' },
	{ "no-dest-paths", 0, NULL, 'D' },
	{ "no-network", 0, NULL, FISH_NO_NETWORK },
	{ "no-progress-bars", 0, NULL, FISH_NO_BARS },
	{ "no-sync", 0, NULL, 'n' },
	{ "pipe-error", 0, NULL, FISH_PIPE_ERROR },
	{ "progress-bars", 0, NULL, FISH_BARS },
	{ "remote", 2, NULL, FISH_REMOTE },
	{ "ro", 0, NULL, 'r' },
	{ "rw", 0, NULL, 'w' },
	{ "selinux", 0, NULL, FISH_SELINUX },
	{ "short-options", 0, NULL, VIRT_SHORT_OPTIONS },
	{ "verbose", 0, NULL, 'v' },
	{ "version", 0, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static const char usage[] =
	"usage: guestfish [options] [-a DISK...] [COMMAND [WORD...] [: COMMAND...]]\n\n"
	"Runs commands over one opened guest.\n\n"
	"  -a, --add DISK            a disk of the guest\n"
	"      --blocksize[=N]       sector size of the disk, 512 or 4096\n" VIRT_DOMAIN_HELP
	"  -D, --no-dest-paths       accepted: paths are completed only when Tab is pressed\n"
	"  -f, --file FILE           run the commands in the file\n"
	"      --format[=FMT]        format of the disks behind it; without FMT it is found\n"
	"  -h, --cmd-help[=COMMAND]  list the commands, or tell of one\n"
	"  -i, --inspector           mount the guest as it would mount itself\n" VIRT_KEYS_HELP
	"  -m, --mount DEV[:DIR[:OPTIONS[:TYPE]]]\n"
	"                            mount this\n"
	"  -n, --no-sync             with --ro: nothing is written\n"
	"  -N, --new [FILE=]TYPE     make a disk and add it; -N help lists the types\n"
	"      --network             let the guest's programs reach the network\n"
	"      --pipe-error          a program behind a | that fails is an error\n"
	"  -r, --ro                  only read\n"
	"  -w, --rw                  what is changed is kept when the session ends well; the default\n"
	"  -v, --verbose             tell what is done\n"
	"  -V, --version             print the version\n"
	"  -x                        print each command before it is run\n"
	"      --help                print this help\n";

struct fish {
	struct virt virt;
	struct shell shell;
	const char *file, *help;
	bool wants_help, no_sync;
	struct opt_list prepared;
};

static int refuse(const char *option, const char *why)
{
	fprintf(stderr, "guestfish: %s: %s\n", option, why);
	return EXIT_FAILED;
}

static int option(struct fish *f, int o, const char *long_name)
{
	switch (o) {
	case 'n':
		f->no_sync = true;
		return VIRT_GO_ON;
	case 'D':
	case FISH_BARS:
	case FISH_NO_BARS:
	case FISH_SELINUX:
	case FISH_NO_NETWORK:
		return VIRT_GO_ON;
	case FISH_NETWORK:
		f->virt.opts.machine.network = true;
		return VIRT_GO_ON;
	case FISH_CSH:
	case FISH_LISTEN:
	case FISH_REMOTE:
		return refuse(o == FISH_CSH	 ? "--csh"
			      : o == FISH_LISTEN ? "--listen"
						 : "--remote",
			      "a session that other programs send commands to is not here yet");
	case FISH_PIPE_ERROR:
		f->shell.pipe_error = true;
		return VIRT_GO_ON;
	case 'f':
		if (f->file)
			return refuse("-f", "it is given more than once");
		f->file = optarg;
		return VIRT_GO_ON;
	case 'h':
		f->wants_help = true;
		f->help = optarg;
		return VIRT_GO_ON;
	case 'i':
		f->shell.inspect = true;
		return VIRT_GO_ON;
	case 'N':
		return opt_list_add(&f->prepared, optarg) ? VIRT_GO_ON : EXIT_FAILED;
	case 'r':
		f->shell.readonly = true;
		return VIRT_GO_ON;
	case 'w':
		f->shell.readonly = false;
		return VIRT_GO_ON;
	case 'x':
		f->shell.trace = true;
		return VIRT_GO_ON;
	default:
		return virt_option(&f->virt, o, long_name);
	}
}

static int help(struct fish *f, int argc, char **argv)
{
	const char *name = f->help ? f->help : argc ? argv[0] : NULL;
	const struct shell_command *cmd = name ? shell_find(name) : NULL;

	if (name && !cmd)
		return refuse(name,
			      shell_peer_has(name) ? "this command of guestfish is not here yet" : "command not known");
	if (cmd)
		shell_help(&f->shell, cmd);
	else
		shell_list_commands(&f->shell);
	fputs(f->shell.out.s, stdout);
	return EXIT_DONE;
}

static int run(struct fish *f, int argc, char **argv)
{
	struct virt *v = &f->virt;
	int rc;

	if (f->wants_help)
		return help(f, argc, argv);
	if (f->prepared.n == 1 && strcmp(f->prepared.items[0], "help") == 0)
		return shell_prepare_help(), EXIT_DONE;
	rc = virt_options_end(v);
	if (rc != VIRT_GO_ON)
		return rc;
	if (f->shell.inspect && (v->mounts.n || f->prepared.n))
		return refuse("-i", "it and -m or -N exclude each other");
	if (f->no_sync && !f->shell.readonly)
		return refuse("-n",
			      "what is changed is kept as a whole when the session ends well; --ro changes nothing");
	if (f->prepared.n && f->shell.readonly)
		return refuse("-N", "it makes a disk, and --ro writes nothing");
	for (size_t i = 0; i < v->nimages; i++)
		if (shell_add_image(&f->shell, v->images[i].name, v->images[i].format))
			return EXIT_FAILED;
	for (size_t i = 0; i < f->prepared.n; i++)
		if (shell_prepare(&f->shell, f->prepared.items[i]))
			return EXIT_FAILED;
	if (f->file && argc)
		return refuse("-f", "commands come from a file or from the command line, not both");
	v->opts.mounts = v->mounts;
	v->mounts = (struct opt_list){ NULL, 0 };
	v->opts.verbose = v->verbose;
	return shell_main(&f->shell, f->file, argc, argv);
}

int cmd_guestfish(int argc, char **argv)
{
	struct fish f = {
		.virt = { .name = "guestfish", .letters = "a:c:d:Df:him:nN:rvVwx", .options = options, .usage = usage },
		.shell = { .name = "guestfish", .peer = true, .umask = 022, .out = STRBUF_INIT },
	};
	const char *ps1 = getenv("GUESTFISH_PS1");
	int o, index, rc = VIRT_GO_ON;

	f.shell.opts = &f.virt.opts;
	f.shell.prompt = alloc_strdup(ps1 ? ps1 : "><fs> ");
	while (rc == VIRT_GO_ON && (o = getopt_long(argc, argv, f.virt.letters, options, &index)) != -1)
		rc = option(&f, o, o >= VIRT_HELP ? options[index].name : NULL);
	if (rc == VIRT_GO_ON)
		rc = cmd_done(run(&f, argc - optind, argv + optind));
	shell_free(&f.shell);
	opt_list_free(&f.prepared);
	virt_free(&f.virt);
	return rc;
}
