/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - which command, and under which name were we called. */
#include "cmd.h"

#include "alloc.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

/* One row a command, in the order of --help. */
static const struct command commands[] = {
	{ "create", "make an empty image", cmd_create },
	{ "info", "tell what an image is", cmd_info },
	{ "convert", "copy a disk into another image", cmd_convert },
	{ "check", "check an image's metadata, and repair it", cmd_check },
	{ "map", "tell which bytes of a disk lie where", cmd_map },
	{ "compare", "tell whether two images hold the same disk", cmd_compare },
	{ "measure", "tell the room that a new image will need", cmd_measure },
	{ "resize", "make an image's disk larger or smaller", cmd_resize },
	{ "snapshot", "list, make, apply and remove snapshots in an image", cmd_snapshot },
	{ "commit", "merge an image into the one beneath it", cmd_commit },
	{ "rebase", "put another image beneath an image", cmd_rebase },
	{ "amend", "change options of an image's format", cmd_amend },
	{ "bitmap", "list and change the dirty bitmaps in an image", cmd_bitmap },
	{ "dd", "copy a part of a disk", cmd_dd },
	{ "bench", "measure how fast an image is read or written", cmd_bench },
	{ "io", "read and write an image by hand or by script", cmd_io },
	{ "serve", "serve disks to clients of NBD", cmd_serve },
	{ "volumes", "list partitions and filesystems", cmd_volumes },
	{ "inspect", "tell which operating systems are there", cmd_inspect },
	{ "boot", "list kernels and initrds, or copy them out", cmd_boot },
	{ "df", "show how full the filesystems are", cmd_df },
	{ "ls", "list files", cmd_ls },
	{ "cat", "print files", cmd_cat },
	{ "find", "look for files", cmd_find },
	{ "hash", "print checksums of all files", cmd_hash },
	{ "diff", "tell how the files and packages of two guests differ", cmd_diff },
	{ "cp", "copy files out of guests, or into one", cmd_cp },
	{ "tar", "write a tree of a guest as a tar archive, or unpack one there", cmd_tar },
	{ "edit", "edit files of a guest", cmd_edit },
	{ "mount", "show the files of a guest, or its disks, below a folder", cmd_mount },
	{ "commit-mount", "keep what was written below a mount so far", cmd_commit_mount },
	{ "unmount", "take such a mount away", cmd_unmount },
	{ "registry", "read and change the Windows registry", cmd_registry },
	{ "run", "run a command in a guest", cmd_run },
	{ "customize", "set up a guest: accounts, packages, files and more", cmd_customize },
	{ "sysprep", "make a guest ready to be cloned", cmd_sysprep },
	{ "log", "show the logs of guests, merged by time", cmd_log },
	{ "tail", "print the last lines of files, and follow them", cmd_tail },
	{ "write", "write standard input into a file of a guest", cmd_write },
	{ "mkdir", "make directories in a guest", cmd_mkdir },
	{ "rm", "remove files of a guest", cmd_rm },
	{ "mv", "rename or move files of a guest", cmd_mv },
	{ "ln", "make a link in a guest", cmd_ln },
	{ "chmod", "change permissions of files of a guest", cmd_chmod },
	{ "chown", "change owners of files of a guest", cmd_chown },
	{ "touch", "make empty files in a guest, or change times of files", cmd_touch },
	{ "truncate", "make files of a guest longer or shorter", cmd_truncate },
	{ "doctor", "tell what this host can do, and what to install", cmd_doctor },
	{ "appliance", "build the small virtual machine for what needs a kernel", cmd_appliance },
	{ "rescue", "start a shell in a machine with the guest's disks", cmd_rescue },
	{ "shell", "run many commands over one opened guest", cmd_shell },
	{ "undo", "take back a change of a guest", cmd_undo },
	{ "version", "print the version", cmd_version },
};

/* One row a peer's name. */
static const struct compat compats[] = {
	{ "qemu-img", cmd_qemu_img },
	{ "qemu-io", cmd_qemu_io },
	{ "guestfish", cmd_guestfish },
	{ "guestmount", cmd_guestmount },
	{ "guestunmount", cmd_guestunmount },
	{ "qemu-nbd", cmd_qemu_nbd },
	{ "virt-alignment-scan", virt_alignment_scan },
	{ "virt-cat", virt_cat },
	{ "virt-copy-in", virt_copy_in },
	{ "virt-copy-out", virt_copy_out },
	{ "virt-customize", virt_customize },
	{ "virt-df", virt_df },
	{ "virt-diff", virt_diff },
	{ "virt-edit", virt_edit },
	{ "virt-filesystems", virt_filesystems },
	{ "virt-get-kernel", virt_get_kernel },
	{ "virt-index-validate", virt_index_validate },
	{ "virt-inspector", virt_inspector },
	{ "virt-list-filesystems", virt_list_filesystems },
	{ "virt-list-partitions", virt_list_partitions },
	{ "virt-log", virt_log },
	{ "virt-ls", virt_ls },
	{ "virt-rescue", virt_rescue },
	{ "virt-sysprep", virt_sysprep },
	{ "virt-tail", virt_tail },
	{ "virt-tar-in", virt_tar_in },
	{ "virt-tar-out", virt_tar_out },
	{ "virt-win-reg", virt_win_reg },
	{ NULL, NULL },
};

static void print_usage(FILE *to)
{
	fprintf(to, "usage: drydock COMMAND [options] IMAGE...\n\ncommands:\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		fprintf(to, "  %-12s %s\n", commands[i].name, commands[i].summary);
	fprintf(to, "\n\"drydock COMMAND --help\" tells a command's options; drydock(1) is the manual.\n");
}

int cmd_fail(const struct dry_error *e)
{
	fprintf(stderr, "drydock: %s\n", e->msg);
	return e->code == DRY_USAGE ? EXIT_USAGE : EXIT_FAILED;
}

void cmd_warn(const char *fmt, ...)
{
	va_list ap;

	fputs("drydock: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

void cmd_notice(void *arg, const char *sentence)
{
	(void)arg;
	cmd_warn("%s", sentence);
}

int cmd_usage(const char *verb, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "drydock %s: ", verb);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "; see \"drydock %s --help\"\n", verb);
	return EXIT_USAGE;
}

int cmd_done(int status)
{
	if (fflush(stdout) != 0 || ferror(stdout)) {
		cmd_warn("standard output: %s", strerror(errno ? errno : EIO));
		return status ? status : EXIT_FAILED;
	}
	return status;
}

int cmd_version(int argc, char **argv)
{
	const struct usage u = { "version", "", "Prints the version." };
	const struct opt opts[] = { OPT_END };

	switch (opts_parse(&u, opts, &argc, &argv)) {
	case OPTS_DONE:
		return EXIT_DONE;
	case OPTS_BAD:
		return EXIT_USAGE;
	case OPTS_OK:
		break;
	}
	if (argc)
		return cmd_usage("version", "takes no operand");
	printf("drydock %s\n", dry_version());
	return EXIT_DONE;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Long tables go out in large pieces; a terminal still gets every line at once. */
static void buffer_output(void)
{
	static char buffer[64 * 1024];

	if (!isatty(STDOUT_FILENO))
		setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
}

int main(int argc, char **argv)
{
	const char *self = argc ? base_name(argv[0]) : "drydock";
	const char *verb;

	buffer_output();
	for (size_t i = 0; compats[i].name; i++)
		if (strcmp(self, compats[i].name) == 0)
			return cmd_done(compats[i].run(argc, argv));
	if (argc < 2) {
		print_usage(stderr);
		return EXIT_USAGE;
	}
	verb = argv[1];
	if (strcmp(verb, "--version") == 0 || strcmp(verb, "-V") == 0)
		verb = "version";
	if (strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0 || strcmp(verb, "help") == 0) {
		print_usage(stdout);
		return cmd_done(EXIT_DONE);
	}
	if (strcmp(verb, "--list-commands") == 0) { /* for completion and tests */
		for (size_t i = 0; i < ARRAY_LEN(commands); i++)
			puts(commands[i].name);
		return cmd_done(EXIT_DONE);
	}
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(verb, commands[i].name) == 0)
			return cmd_done(commands[i].run(argc - 1, argv + 1));
	fprintf(stderr, "drydock: unknown command \"%s\"; \"drydock --help\" lists them\n", verb);
	return EXIT_USAGE;
}
