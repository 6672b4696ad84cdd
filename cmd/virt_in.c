/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virt_in.c - the program under the names virt-tar-in and virt-copy-in: an archive, or files and folders of the host, into a
 * folder of a guest.  As those of virt_out.c, the peers are guestfish with one command and its operands.
 */
#include "alloc.h"
#include "guest_in.h"
#include "text.h"
#include "virt_change.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

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

#define COMMON_HELP                                                                                                    \
	"  -a, --add DISK            a disk of the guest\n"                                                            \
	"      --blocksize[=N]       sector size of the disk, 512 or 4096\n" VIRT_DOMAIN_HELP                           \
	"      --format[=FMT]        format of the disks behind it; without FMT it is found\n" VIRT_KEYS_HELP           \
	"  -m, --mount DEV[:DIR[:OPTIONS[:TYPE]]]\n"                                                                   \
	"                            mount this instead of what is found\n"                                            \
	"  -v, --verbose; -x         tell what is done\n"                                                              \
	"  -V, --version             print the version\n"                                                              \
	"      --help                print this help\n"

static int options_of(struct virt *v, int argc, char **argv)
{
	int c, rc = VIRT_GO_ON;

	while (rc == VIRT_GO_ON && (c = getopt_long(argc, argv, v->letters, options, NULL)) != -1)
		rc = virt_option(v, c, NULL);
	if (rc == VIRT_GO_ON)
		rc = virt_options_end(v);
	if (rc == VIRT_GO_ON && (!v->nimages || argc - optind < 2))
		rc = virt_usage(v);
	return rc;
}

static int failed(const char *call, const char *path, const struct dry_error *e)
{
	fputs("*stdin*:0: ", stderr);
	return virt_call_failed(call, path, e);
}

/* Begins, with the process that reads the host's files. */
static int begin(struct virt *v, struct host_side **h, struct guest_put *p, char *const *paths, size_t n)
{
	struct dry_error e = { .code = DRY_OK };
	int rc;

	if (host_side_start(h, &e) < 0 || guest_in_only(*h, paths, n, &e) < 0) {
		fprintf(stderr, "%s: %s\n", v->name, e.msg);
		return EXIT_FAILED;
	}
	rc = virt_change_begin(v, NULL, &p->c);
	p->g = v->guest;
	return rc;
}

#define PUT_INIT                                                                                                       \
	{                                                                                                              \
		.owners = true, .no_xattrs = true, .no_acls = true, .no_labels = true, .parent = STRBUF_INIT,          \
		.label = STRBUF_INIT, .path = STRBUF_INIT                                                              \
	}

/* ---- virt-tar-in ---- */

static const char tar_usage[] =
	"usage: virt-tar-in [options] -a DISK [-a DISK...] TARFILE DIR [compress:gzip|xz|zstd]\n"
	"           [xattrs:true] [selinux:true] [acls:true]\n\n"
	"Unpacks a tar archive in a folder of a guest; - is standard input.\n\n" COMMON_HELP;

/* "true" and its kin, as guestfish takes them. */
static bool is_true(const char *word)
{
	static const char *const words[] = { "1", "t", "T", "true", "y", "yes", "on" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(word, words[i]) == 0)
			return true;
	return false;
}

/* What stands behind the folder; VIRT_GO_ON or the exit status. */
static int tar_argument(struct guest_put *p, const char *arg)
{
	const char *value;

	if (text_starts(arg, "xattrs:", &value)) {
		p->no_xattrs = !is_true(value);
		p->xattrs = is_true(value);
	} else if (text_starts(arg, "selinux:", &value)) {
		p->no_labels = !is_true(value);
		p->xattrs |= is_true(value);
	} else if (text_starts(arg, "acls:", &value)) {
		p->no_acls = !is_true(value);
	} else if (text_starts(arg, "compress:", &value)) {
		/* How it is compressed is seen by its first bytes. */
		if (strcmp(value, "gzip") == 0 || strcmp(value, "xz") == 0 || strcmp(value, "zstd") == 0)
			return VIRT_GO_ON;
		fprintf(stderr, "virt-tar-in: compress:%s is not read here; unpack it and give what comes out as \"-\"\n", value);
		return EXIT_FAILED;
	} else {
		fprintf(stderr, "virt-tar-in: \"%s\" is not known here\n", arg);
		return EXIT_FAILED;
	}
	return VIRT_GO_ON;
}

static int put_archive(struct host_side *h, struct guest_put *p, const char *archive)
{
	struct dry_error e = { .code = DRY_OK };
	int rc;

	if (!virt_path_is_absolute("tar_in", p->base))
		return EXIT_FAILED;
	rc = guest_in_folder(p->g, p->base, &e);
	if (rc == 0) {
		fprintf(stderr, "*stdin*:0: libguestfs: error: tar_in: %s: No such file or directory\n", p->base);
		return EXIT_FAILED;
	}
	if (rc > 0)
		rc = host_open(h, archive, &e);
	if (rc >= 0)
		rc = guest_in_archive(p, h, &e);
	return rc < 0 ? failed("tar_in", p->base, &e) : EXIT_DONE;
}

int virt_tar_in(int argc, char **argv)
{
	CLEANUP(virt_free) struct virt v = { .name = "virt-tar-in", .letters = "a:c:d:m:vVx", .options = options,
					     .usage = tar_usage };
	struct guest_put p = PUT_INIT;
	struct host_side *h = NULL;
	int rc = options_of(&v, argc, argv);

	for (int i = optind + 2; i < argc && rc == VIRT_GO_ON; i++)
		rc = tar_argument(&p, argv[i]);
	if (rc == VIRT_GO_ON && strcmp(argv[optind], "-") != 0 && access(argv[optind], R_OK) < 0) {
		fprintf(stderr, "*stdin*:0: libguestfs: error: %s: %s\n", argv[optind], strerror(errno));
		rc = EXIT_FAILED;
	}
	if (rc == VIRT_GO_ON)
		rc = begin(&v, &h, &p, argv + optind, 1);
	if (rc == VIRT_GO_ON) {
		p.base = argv[optind + 1];
		rc = put_archive(h, &p, argv[optind]);
	}
	rc = virt_change_end(&v, p.c, rc);
	guest_put_free(&p);
	host_side_stop(h);
	return rc;
}

/* ---- virt-copy-in ---- */

static const char copy_usage[] =
	"usage: virt-copy-in [options] -a DISK [-a DISK...] FILE|DIR [FILE|DIR...] FOLDER\n\n"
	"Copies files and folders of the host to a folder of a guest.\n\n" COMMON_HELP;

static int copy(struct host_side *h, struct guest_put *p, int n, char **sources)
{
	struct dry_error e = { .code = DRY_OK };
	int rc;

	if (!virt_path_is_absolute("copy_in", p->base))
		return EXIT_FAILED;
	rc = guest_in_folder(p->g, p->base, &e);
	if (rc == 0) {
		fprintf(stderr, "*stdin*:0: libguestfs: error: target \xe2\x80\x98%s\xe2\x80\x99 is not a directory\n", p->base);
		return EXIT_FAILED;
	}
	if (rc > 0)
		rc = guest_in_trees(p, h, (const char *const *)sources, (size_t)n, 0, &e);
	return rc < 0 ? failed("copy_in", p->base, &e) : EXIT_DONE;
}

int virt_copy_in(int argc, char **argv)
{
	CLEANUP(virt_free) struct virt v = { .name = "virt-copy-in", .letters = "a:c:d:m:vVx", .options = options,
					     .usage = copy_usage };
	struct guest_put p = PUT_INIT;
	struct host_side *h = NULL;
	int rc = options_of(&v, argc, argv);

	for (int i = optind; i < argc - 1 && rc == VIRT_GO_ON; i++) {
		struct stat st;

		if (lstat(argv[i], &st) < 0) {
			fprintf(stderr,
				"*stdin*:0: libguestfs: error: source \xe2\x80\x98%s\xe2\x80\x99 does not exist (or cannot be "
				"read)\n",
				argv[i]);
			rc = EXIT_FAILED;
		}
	}
	if (rc == VIRT_GO_ON)
		rc = begin(&v, &h, &p, argv + optind, (size_t)(argc - 1 - optind));
	if (rc == VIRT_GO_ON) {
		p.base = argv[argc - 1];
		rc = copy(h, &p, argc - 1 - optind, argv + optind);
	}
	rc = virt_change_end(&v, p.c, rc);
	guest_put_free(&p);
	host_side_stop(h);
	return rc;
}
