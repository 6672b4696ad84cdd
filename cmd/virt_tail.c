/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virt_tail.c - the program under the name virt-tail. */
#include "alloc.h"
#include "guest_file.h"
#include "tail_files.h"
#include "virt.h"

#include <stdio.h>
#include <sys/mman.h>

static const struct option options[] = {
	{ "add", 1, NULL, 'a' },
	{ "blocksize", 2, NULL, VIRT_BLOCKSIZE },
	{ "connect", 1, NULL, 'c' },
	{ "domain", 1, NULL, 'd' },
	{ "echo-keys", 0, NULL, VIRT_ECHO_KEYS },
	{ "follow", 0, NULL, 'f' },
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
	"usage: virt-tail [options] -a DISK [-a DISK...] FILE...\n\n"
	"Prints files of a guest, and what comes to them, until it is interrupted.\n\n"
	"  -a, --add DISK            a disk of the guest\n"
	"      --blocksize[=N]       sector size of the disk, 512 or 4096\n"
	"  -f, --follow              what it does anyway\n"
	"      --format[=FMT]        format of the disks behind it; without FMT it is found\n"
	VIRT_KEYS_HELP
	"  -m, --mount DEV[:DIR[:OPTIONS[:TYPE]]]\n"
	"                            mount this instead of what is found\n"
	"  -v, --verbose; -x         tell what is done\n"
	"  -V, --version             print the version\n"
	"      --help                print this help\n";

/* What the looks have in common. */
struct progress {
	size_t shown; /* whose name was printed last, from 1 on; 0: none */
	struct tail_file files[];
};
struct follow {
	struct virt v;
	char **paths;
	size_t npaths, item;
	struct progress *progress;
	void *buf;
};

static void header(void *arg)
{
	struct follow *f = arg;

	if (f->progress->shown == f->item + 1)
		return;
	printf("\n\n--- %s ---\n\n", f->paths[f->item]);
	f->progress->shown = f->item + 1;
}

static void restarted(void *arg)
{
	(void)arg;
}

static int look(void *arg)
{
	struct follow *f = arg;
	const struct tail_how how = { .lines = UINT64_MAX, .any_inode = true, .header = header, .restarted = restarted, .arg = f,
				      .buf = f->buf };
	int rc = virt_open(&f->v);
	bool any = false;

	if (rc == VIRT_GO_ON)
		rc = virt_mount(&f->v);
	if (rc != VIRT_GO_ON)
		return rc;
	for (f->item = 0; f->item < f->npaths; f->item++) {
		struct tail_file *file = &f->progress->files[f->item];
		struct dry_error e = { .code = DRY_OK };

		if (f->paths[f->item][0] != '/') {
			fprintf(stderr, "virt-tail: %s: statns: statns_stub: path must start with a / character\n",
				f->paths[f->item]);
			return EXIT_FAILED;
		}
		rc = tail_file_look(f->v.guest, f->paths[f->item], file, &how, &e);
		if (rc == GUEST_FILE_STDOUT)
			return EXIT_FAILED;
		/* What is not there may come; what is not a file is none. */
		any |= rc == 0;
		file->seen &= rc == 0;
	}
	if (any)
		return TAIL_GO_ON;
	fprintf(stderr, "virt-tail: all files deleted, exiting\n");
	return EXIT_DONE;
}

static int run(struct follow *f)
{
	size_t size = sizeof *f->progress + f->npaths * sizeof *f->progress->files;
	struct dry_error e = { .code = DRY_OK };
	int status;

	f->progress = tail_shared(size);
	if (!f->progress)
		return EXIT_FAILED;
	/* Nobody is asked again and again: keys are given by --key. */
	f->v.opts.keys.peer = f->v.name;
	if (guest_keys_load(&f->v.opts.keys, &e) < 0) {
		fprintf(stderr, "virt-tail: %s\n", e.msg);
		status = EXIT_FAILED;
	} else {
		status = tail_follow(look, f, 1);
	}
	munmap(f->progress, size);
	return status;
}

int virt_tail(int argc, char **argv)
{
	struct follow f = { .v = { .name = "virt-tail", .letters = "a:c:d:fm:vVx", .options = options, .usage = usage } };
	int c, rc = VIRT_GO_ON, index;

	while (rc == VIRT_GO_ON && (c = getopt_long(argc, argv, f.v.letters, options, &index)) != -1)
		if (c != 'f')
			rc = virt_option(&f.v, c, NULL);
	f.paths = argv + optind;
	f.npaths = optind < argc ? (size_t)(argc - optind) : 0;
	if (rc == VIRT_GO_ON && f.npaths == 0) {
		fprintf(stderr, "virt-tail: error: missing filenames on command line.\n"
				"Please specify at least one file to follow.\n");
		rc = virt_usage(&f.v);
	}
	if (rc == VIRT_GO_ON)
		rc = virt_options_end(&f.v);
	if (rc == VIRT_GO_ON && !f.v.nimages) {
		fprintf(stderr, "virt-tail: error: you must specify at least one -a or -d option.\n");
		rc = virt_usage(&f.v);
	}
	if (rc == VIRT_GO_ON && f.v.opts.keys.from_stdin) {
		fprintf(stderr, "virt-tail: the guest is opened again and again: give its keys with --key\n");
		rc = EXIT_FAILED;
	}
	f.buf = alloc_bytes(GUEST_FILE_CHUNK);
	if (rc == VIRT_GO_ON)
		rc = f.buf ? run(&f) : EXIT_FAILED;
	free(f.buf);
	virt_free(&f.v);
	return rc;
}
