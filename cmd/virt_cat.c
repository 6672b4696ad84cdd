/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virt_cat.c - the program under the name virt-cat. */
#include "alloc.h"
#include "guest_file.h"
#include "virt.h"

#include <errno.h>
#include <stdio.h>

static const struct option options[] = {
	{ "add", 1, NULL, 'a' },
	{ "blocksize", 2, NULL, VIRT_BLOCKSIZE },
	{ "connect", 1, NULL, 'c' },
	{ "domain", 1, NULL, 'd' },
	{ "echo-keys", 0, NULL, VIRT_ECHO_KEYS },
	{ "format", 2, NULL, VIRT_FORMAT },
	{ "help", 0, NULL, VIRT_HELP },
	{ "key", 1, NULL, VIRT_KEY },
	{ "keys-from-stdin", 0, NULL, VIRT_KEYS_FROM_STDIN },
	{ "long-options", 0, NULL, VIRT_LONG_OPTIONS },
	{ "mount", 1, NULL, 'm' },
	{ "short-options", 0, NULL, VIRT_SHORT_OPTIONS },
	{ "verbose", 0, NULL, 'v' },
	{ "version", 0, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static const char usage[] =
	"usage: virt-cat [options] -a DISK [-a DISK...] FILE...\n\n"
	"Prints files of a guest.\n\n"
	"  -a, --add DISK            a disk of the guest\n"
	"      --blocksize[=N]       sector size of the disk, 512 or 4096\n"
	VIRT_DOMAIN_HELP
	"      --format[=FMT]        format of the disks behind it; without FMT it is found\n"
	VIRT_KEYS_HELP
	"  -m, --mount DEV[:DIR[:OPTIONS[:TYPE]]]\n"
	"                            mount this instead of what is found\n"
	"  -v, --verbose; -x         tell what is done\n"
	"  -V, --version             print the version\n"
	"      --help                print this help\n";

static int print_file(struct virt *v, const char *path, void *buf)
{
	struct dry_error e = { .code = DRY_OK };
	int rc;

	if (!virt_path_is_absolute("download", path))
		return EXIT_FAILED;
	rc = guest_file_print(v->guest, path, buf, &e);
	if (rc == 0)
		return EXIT_DONE;
	if (rc == GUEST_FILE_STDOUT)
		return EXIT_FAILED;
	if (e.code == DRY_SYSTEM && e.sys_errno == EISDIR) {
		fprintf(stderr, "libguestfs: error: download: %s: is a directory\n", path);
		return EXIT_FAILED;
	}
	return virt_call_failed("download", path, &e);
}

static int print_path(struct virt *v, const char *given, void *buf)
{
	bool elsewhere;
	CLEANUP(free_ptr) char *path = virt_windows_path(v, given, &elsewhere);
	int status = path ? print_file(v, path, buf) : EXIT_FAILED;

	return elsewhere ? status | virt_mount_again(v) : status;
}

int virt_cat(int argc, char **argv)
{
	CLEANUP(virt_free) struct virt v = { .name = "virt-cat", .letters = "a:c:d:m:vVx", .options = options,
					     .usage = usage };
	CLEANUP(free_ptr) void *buf = alloc_bytes(GUEST_FILE_CHUNK);
	int c, rc = VIRT_GO_ON, index, status = EXIT_DONE;

	while (rc == VIRT_GO_ON && (c = getopt_long(argc, argv, v.letters, options, &index)) != -1)
		rc = virt_option(&v, c, NULL);
	if (rc == VIRT_GO_ON)
		rc = virt_options_end(&v);
	/* virt-cat DISK FILE..., as it once was */
	if (rc == VIRT_GO_ON && !v.nimages && optind + 1 < argc)
		rc = virt_add_operand(&v, argv[optind++]);
	if (rc == VIRT_GO_ON && (!v.nimages || optind >= argc))
		rc = virt_usage(&v);
	if (rc == VIRT_GO_ON && !buf)
		rc = EXIT_FAILED;
	if (rc == VIRT_GO_ON)
		rc = virt_open_asking(&v);
	if (rc == VIRT_GO_ON)
		rc = virt_mount(&v);
	if (rc != VIRT_GO_ON)
		return rc;
	for (; optind < argc; optind++)
		status |= print_path(&v, argv[optind], buf);
	return status;
}
