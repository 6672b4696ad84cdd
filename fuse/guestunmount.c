/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guestunmount.c - the program under the name guestunmount. */
#include "mount.h"

#include "text.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

/* The exit status that the peer has. */
enum { DONE = 0, PROGRAM_ERROR = 1, NOT_UNMOUNTED = 2, NOT_MOUNTED = 3 };

enum { OPT_FD = 256, OPT_RETRY, OPT_NO_RETRY, OPT_HELP, OPT_LONG, OPT_SHORT };
static const struct option options[] = {
	{ "fd", 1, NULL, OPT_FD },
	{ "help", 0, NULL, OPT_HELP },
	{ "long-options", 0, NULL, OPT_LONG },
	{ "no-retry", 0, NULL, OPT_NO_RETRY },
	{ "quiet", 0, NULL, 'q' },
	{ "retry", 1, NULL, OPT_RETRY },
	{ "short-options", 0, NULL, OPT_SHORT },
	{ "version", 0, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static const char usage[] =
	"usage: guestunmount [--fd=FD] mountpoint\n\n"
	"Takes a mount away that guestmount has made.\n\n"
	"      --fd=FD               wait until the other end of this pipe is closed\n"
	"      --no-retry            do not try again while it is busy\n"
	"  -q, --quiet               say nothing when it cannot be taken away\n"
	"      --retry=N             try so many times more while it is busy; 5\n"
	"  -V, --version             print the version\n"
	"      --help                print this help\n";

/* Until all who could write to it are gone. */
static void wait_for_close(int fd)
{
	struct pollfd p = { .fd = fd };

	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
}

static bool number(const char *option, const char *text, uint64_t *out)
{
	if (text_parse_u64(text, out) && *out <= 1000000)
		return true;
	fprintf(stderr, "guestunmount: %s: \"%s\" is no number\n", option, text);
	return false;
}

int cmd_guestunmount(int argc, char **argv)
{
	uint64_t retries = 5, fd = UINT64_MAX;
	bool quiet = false;
	int c;

	while ((c = getopt_long(argc, argv, "qV", options, NULL)) != -1) {
		switch (c) {
		case OPT_FD:
			if (!number("--fd", optarg, &fd))
				return PROGRAM_ERROR;
			break;
		case OPT_RETRY:
			if (!number("--retry", optarg, &retries))
				return PROGRAM_ERROR;
			break;
		case OPT_NO_RETRY:
			retries = 0;
			break;
		case 'q':
			quiet = true;
			break;
		case 'V':
			printf("guestunmount 1.48.2 (drydock %s)\n", dry_version());
			return DONE;
		case OPT_HELP:
			fputs(usage, stdout);
			return DONE;
		case OPT_LONG:
			for (const struct option *o = options; o->name; o++)
				if (o->val != OPT_LONG && o->val != OPT_SHORT)
					printf("--%s\n", o->name);
			return DONE;
		case OPT_SHORT:
			puts("-q\n-V");
			return DONE;
		default:
			fprintf(stderr, "Try \xe2\x80\x98guestunmount --help\xe2\x80\x99 for more information.\n");
			return PROGRAM_ERROR;
		}
	}
	if (argc - optind != 1) {
		fprintf(stderr, "guestunmount: you must specify a mountpoint in the host filesystem\n");
		return PROGRAM_ERROR;
	}
	if (fd != UINT64_MAX)
		wait_for_close((int)fd);
	switch (unmount("guestunmount", argv[optind], (unsigned)retries, quiet)) {
	case UNMOUNT_DONE:
		return DONE;
	case UNMOUNT_NOT_MOUNTED:
		return NOT_MOUNTED;
	case UNMOUNT_BUSY:
		return NOT_UNMOUNTED;
	case UNMOUNT_FAILED:
		break;
	}
	return PROGRAM_ERROR;
}
