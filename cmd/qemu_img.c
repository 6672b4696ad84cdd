/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qemu_img.c - called as qemu-img: global options, help, and which subcommand. */
#include "qemu_img.h"

#include <stdio.h>
#include <string.h>

/* The version whose options and texts these are; scripts look for the first words of the line. */
#define PEER_VERSION "7.2.0"

static const struct {
	const char *name, *synopsis;
	int (*run)(int argc, char **argv);
} subcommands[] = {
	{ "amend",
	  "[--object objectdef] [--image-opts] [-p] [-q] [-f fmt] [-t cache] [--force] -o options filename",
	  qemu_img_amend },
	{ "bench",
	  "[-c count] [-d depth] [-f fmt] [--flush-interval=flush_interval] [-i aio] [-n] [--no-drain] [-o offset] "
	  "[--pattern=pattern] [-q] [-s buffer_size] [-S step_size] [-t cache] [-w] [-U] filename",
	  qemu_img_bench },
	{ "bitmap",
	  "(--merge SOURCE | --add | --remove | --clear | --enable | --disable)... [-b source_file [-F source_fmt]] "
	  "[-g granularity] [--object objectdef] [--image-opts | -f fmt] filename bitmap",
	  qemu_img_bitmap },
	{ "check",
	  "[--object objectdef] [--image-opts] [-q] [-f fmt] [--output=ofmt] [-r [leaks | all]] [-T src_cache] [-U] filename",
	  qemu_img_check },
	{ "commit",
	  "[--object objectdef] [--image-opts] [-q] [-f fmt] [-t cache] [-b base] [-r rate_limit] [-d] [-p] filename",
	  qemu_img_commit },
	{ "compare",
	  "[--object objectdef] [--image-opts] [-f fmt] [-F fmt] [-T src_cache] [-p] [-q] [-s] [-U] filename1 filename2",
	  qemu_img_compare },
	{ "convert",
	  "[--object objectdef] [--image-opts] [--target-image-opts] [--target-is-zero] [--bitmaps] [-U] [-C] [-c] [-p] [-q] [-n] "
	  "[-f fmt] [-t cache] [-T src_cache] [-O output_fmt] [-B backing_file [-F backing_fmt]] [-o options] "
	  "[-l snapshot_param] [-S sparse_size] [-r rate_limit] [-m num_coroutines] [-W] [--salvage] [--skip-broken-bitmaps] "
	  "filename [filename2 [...]] output_filename",
	  qemu_img_convert },
	{ "create",
	  "[--object objectdef] [-q] [-f fmt] [-b backing_file [-F backing_fmt]] [-u] [-o options] filename [size]",
	  qemu_img_create },
	{ "dd",
	  "[--image-opts] [-U] [-f fmt] [-O output_fmt] [bs=block_size] [count=blocks] [skip=blocks] if=input of=output",
	  qemu_img_dd },
	{ "info",
	  "[--object objectdef] [--image-opts] [-f fmt] [--output=ofmt] [--backing-chain] [-U] filename",
	  qemu_img_info },
	{ "map",
	  "[--object objectdef] [--image-opts] [-f fmt] [--start-offset=offset] [--max-length=len] [--output=ofmt] [-U] "
	  "filename",
	  qemu_img_map },
	{ "measure",
	  "[--output=ofmt] [-O output_fmt] [-o options] [--size N | [--object objectdef] [--image-opts] [-f fmt] "
	  "[-l snapshot_param] filename]",
	  qemu_img_measure },
	{ "rebase",
	  "[--object objectdef] [--image-opts] [-U] [-q] [-f fmt] [-t cache] [-T src_cache] [-p] [-u] -b backing_file "
	  "[-F backing_fmt] filename",
	  qemu_img_rebase },
	{ "resize",
	  "[--object objectdef] [--image-opts] [-f fmt] [--preallocation=prealloc] [-q] [--shrink] filename [+ | -]size",
	  qemu_img_resize },
	{ "snapshot",
	  "[--object objectdef] [--image-opts] [-U] [-q] [-l | -a snapshot | -c snapshot | -d snapshot] filename",
	  qemu_img_snapshot },
};

static void print_version(void)
{
	printf("qemu-img version " PEER_VERSION " (drydock %s)\n", dry_version());
}

int qi_help(void)
{
	print_version();
	printf("usage: qemu-img [standard options] command [command options]\n"
	       "drydock's disk image utility, with the options of QEMU's\n\n"
	       "    '-h', '--help'       display this help and exit\n"
	       "    '-V', '--version'    output version information and exit\n\n"
	       "Command syntax:\n");
	for (size_t i = 0; i < ARRAY_LEN(subcommands); i++)
		printf("  %s %s\n", subcommands[i].name, subcommands[i].synopsis);
	printf("\nSizes are in bytes, or have a suffix k, M, G, T, P or E (powers of 1024).\n"
	       "Cache modes are none, writeback, writethrough, directsync and unsafe.\n"
	       "\"-o help\" lists the options of a format.\n\n"
	       "Supported formats:");
	for (size_t i = 0; dry_format_at(i, false); i++)
		printf(" %s", dry_format_at(i, false));
	printf("\n");
	return EXIT_DONE;
}

int cmd_qemu_img(int argc, char **argv)
{
	static const struct option global[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ "trace", required_argument, NULL, 'T' },
		{ NULL, 0, NULL, 0 },
	};
	const char *verb;
	int c;

	opterr = 0;
	if (argc < 2)
		return qi_usage("Not enough arguments");
	while ((c = getopt_long(argc, argv, "+:hVT:", global, NULL)) != -1) {
		switch (c) {
		case 'h':
			return qi_help();
		case 'V':
			print_version();
			return EXIT_DONE;
		case 'T':
			qi_error("there is no tracing in drydock");
			return EXIT_FAILED;
		default:
			return qi_bad_option(c, argv);
		}
	}
	if (optind >= argc)
		return qi_usage("Not enough arguments");
	verb = argv[optind];
	argc -= optind;
	argv += optind;
	optind = 0; /* getopt begins anew */
	for (size_t i = 0; i < ARRAY_LEN(subcommands); i++) {
		if (strcmp(subcommands[i].name, verb) == 0)
			return subcommands[i].run(argc, argv);
	}
	return qi_usage("Command not found: %s", verb);
}
