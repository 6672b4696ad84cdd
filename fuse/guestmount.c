/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guestmount.c - the program under the name guestmount. */
#include "mount_run.h"

#include "alloc.h"
#include "text.h"
#include "virt.h"

#include <fcntl.h>
#include <stdio.h>

enum { OPT_DIR_CACHE = VIRT_OWN, OPT_FD, OPT_FUSE_HELP, OPT_LIVE, OPT_NO_FORK, OPT_PID_FILE, OPT_SELINUX };

static const struct option options[] = {
	{ "add", 1, NULL, 'a' },
	{ "blocksize", 2, NULL, VIRT_BLOCKSIZE },
	{ "connect", 1, NULL, 'c' },
	{ "dir-cache-timeout", 1, NULL, OPT_DIR_CACHE },
	{ "domain", 1, NULL, 'd' },
	{ "echo-keys", 0, NULL, VIRT_ECHO_KEYS },
	{ "fd", 1, NULL, OPT_FD },
	{ "format", 2, NULL, VIRT_FORMAT },
	{ "fuse-help", 0, NULL, OPT_FUSE_HELP },
	{ "help", 0, NULL, VIRT_HELP },
	{ "inspector", 0, NULL, 'i' },
	{ "key", 1, NULL, VIRT_KEY },
	{ "keys-from-stdin", 0, NULL, VIRT_KEYS_FROM_STDIN },
	{ "live", 0, NULL, OPT_LIVE },
	{ "long-options", 0, NULL, VIRT_LONG_OPTIONS },
	{ "mount", 1, NULL, 'm' },
	{ "no-fork", 0, NULL, OPT_NO_FORK },
	{ "no-sync", 0, NULL, 'n' },
	{ "option", 1, NULL, 'o' },
	{ "pid-file", 1, NULL, OPT_PID_FILE },
	{ "ro", 0, NULL, 'r' },
	{ "rw", 0, NULL, 'w' },
	{ "selinux", 0, NULL, OPT_SELINUX },
	{ "short-options", 0, NULL, VIRT_SHORT_OPTIONS },
	{ "trace", 0, NULL, 'x' },
	{ "verbose", 0, NULL, 'v' },
	{ "version", 0, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static const char usage[] =
	"usage: guestmount [options] -a DISK [-a DISK...] -i [--ro] MOUNTPOINT\n\n"
	"Shows the files of a guest below a folder.\n\n"
	"  -a, --add DISK            a disk of the guest\n"
	"      --blocksize[=N]       sector size of the disk, 512 or 4096\n"
	VIRT_DOMAIN_HELP
	"      --dir-cache-timeout N how many seconds the kernel keeps attributes\n"
	"      --fd=FD               write a byte to this descriptor when the mount is there\n"
	"      --format[=FMT]        format of the disks behind it; without FMT it is found\n"
	"      --fuse-help           print the options that -o takes\n"
	"  -i, --inspector           mount the guest as it would mount itself\n"
	VIRT_KEYS_HELP
	"  -m, --mount DEV[:DIR[:OPTIONS[:TYPE]]]\n"
	"                            mount this\n"
	"      --no-fork             stay in the foreground\n"
	"  -o, --option OPTION       an option of the mount\n"
	"      --pid-file FILE       the process that is gone when the disks are released\n"
	"  -r, --ro                  read only\n"
	"  -w, --rw                  for writing; the default\n"
	"  -v, --verbose; -x         tell what is done\n"
	"  -V, --version             print the version\n"
	"      --help                print this help\n";

struct guestmount {
	struct virt virt;
	struct mount_run run;
	struct opt_list fuse;
	bool inspect, ro, rw;
	const char *timeout;
};

static int refuse(const char *what)
{
	fprintf(stderr, "guestmount: %s\n", what);
	return EXIT_FAILED;
}

static int fuse_help(const struct libfuse *f)
{
	puts("  -o uid=N, gid=N, umask=M  whose files these are shown to be\n"
	     "  -o attr_timeout=S, entry_timeout=S, negative_timeout=S\n"
	     "                            how long the kernel keeps what it was told; for ever\n"
	     "  -o kernel_cache, use_ino  is how it is anyway");
	fflush(stdout);
	f->fuse_lowlevel_help();
	return EXIT_DONE;
}

static int option(struct guestmount *g, int o)
{
	uint64_t n;

	switch (o) {
	case OPT_DIR_CACHE:
		if (!text_parse_u64(optarg, &n))
			return refuse("--dir-cache-timeout takes a number of seconds");
		g->timeout = optarg;
		return VIRT_GO_ON;
	case OPT_FD:
		if (!text_parse_u64(optarg, &n) || n > 1 << 20 || fcntl((int)n, F_GETFD) < 0)
			return refuse("--fd: no such descriptor is open");
		g->run.ready_fd = (int)n;
		return VIRT_GO_ON;
	case OPT_FUSE_HELP:
		return fuse_help(g->run.f);
	case OPT_LIVE:
		return refuse("--live: a guest that runs is not looked into from within");
	case OPT_NO_FORK:
		g->run.foreground = true;
		return VIRT_GO_ON;
	case OPT_PID_FILE:
		g->run.pid_file = optarg;
		return VIRT_GO_ON;
	case OPT_SELINUX: /* the peer ignores it, too */
		return VIRT_GO_ON;
	case 'i':
		g->inspect = true;
		return VIRT_GO_ON;
	case 'n':
		return refuse("-n: what is written is kept as a whole, or not at all");
	case 'o':
		return opt_list_add(&g->fuse, optarg) ? VIRT_GO_ON : EXIT_FAILED;
	case 'r':
		g->ro = true;
		return VIRT_GO_ON;
	case 'w':
		g->rw = true;
		return VIRT_GO_ON;
	default:
		return virt_option(&g->virt, o, NULL);
	}
}

/* What the options come to: VIRT_GO_ON, or the exit status. */
static int settle(struct guestmount *g, int argc, char **argv)
{
	struct virt *v = &g->virt;
	CLEANUP(free_ptr) char *timeout = NULL;
	int rc = virt_options_end(v);

	if (rc != VIRT_GO_ON)
		return rc;
	if (!v->nimages) {
		refuse("error: you must specify at least one -a or -d option.");
		return virt_usage(v);
	}
	if (!g->inspect && !v->mounts.n) {
		refuse("error: you must specify either -i or -m: what is to be mounted?");
		return virt_usage(v);
	}
	if (g->inspect && v->mounts.n)
		return refuse("-i and -m exclude each other");
	if (argc - optind != 1) {
		refuse("error: you must specify a mount point in the host filesystem");
		return virt_usage(v);
	}
	if (g->rw && g->ro)
		return refuse("--ro and --rw exclude each other");
	g->run.write = !g->ro;
	g->run.mountpoint = argv[optind];
	if (g->timeout) {
		timeout = alloc_printf("attr_timeout=%s,entry_timeout=%s", g->timeout, g->timeout);
		if (!timeout)
			return refuse("out of memory");
		const struct opt_list first = { (const char *[]){ timeout }, 1 };

		if (mount_opts_parse("guestmount", g->run.f, &first, &g->run.mount))
			return EXIT_FAILED;
	}
	return mount_opts_parse("guestmount", g->run.f, &g->fuse, &g->run.mount) ? EXIT_FAILED : VIRT_GO_ON;
}

static void guestmount_free(struct guestmount *g)
{
	opt_list_free(&g->fuse);
	mount_run_free(&g->run);
	virt_free(&g->virt);
}

int cmd_guestmount(int argc, char **argv)
{
	CLEANUP(guestmount_free) struct guestmount g = {
		.virt = { .name = "guestmount", .letters = "a:c:d:im:no:rvVwx", .options = options, .usage = usage },
	};
	int c, rc = VIRT_GO_ON;
	const char *why;

	g.run = (struct mount_run)MOUNT_RUN_INIT("guestmount", &g.virt.opts);
	g.run.trust_backing = g.run.guess_write = true;
	g.run.f = libfuse_load(&why);
	if (!g.run.f) {
		fprintf(stderr, "guestmount: mounting needs libfuse3: %s\n", why);
		return EXIT_FAILED;
	}
	while (rc == VIRT_GO_ON && (c = getopt_long(argc, argv, g.virt.letters, options, NULL)) != -1)
		rc = option(&g, c);
	if (rc == VIRT_GO_ON)
		rc = settle(&g, argc, argv);
	if (rc == VIRT_GO_ON)
		rc = virt_set_of_images(&g.virt, &g.run.set);
	if (rc != VIRT_GO_ON)
		return rc;
	g.virt.opts.verbose = g.virt.verbose;
	g.virt.opts.mounts = g.virt.mounts;
	g.virt.mounts = (struct opt_list){ NULL, 0 };
	/* Guests that run are looked into as well, as the peer does, but not written to. */
	g.virt.opts.image.force_share = !g.run.write;
	g.virt.opts.keys.peer = "guestmount";
	g.virt.opts.keys.ask |= g.virt.opts.keys.echo || g.inspect;
	return mount_run(&g.run) ? EXIT_FAILED : EXIT_DONE;
}
