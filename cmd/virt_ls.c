/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virt_ls.c - the program under the name virt-ls: options and its four modes; long lines of -lR are virt_ls_line.c. */
#include "alloc.h"
#include "out.h"
#include "virt_ls.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

enum { OPT_CHECKSUM = VIRT_OWN, OPT_CSV, OPT_EXTRA, OPT_TIMES, OPT_TIME_DAYS, OPT_TIME_RELATIVE, OPT_TIME_T, OPT_UIDS };

static const struct option options[] = {
	{ "add", 1, NULL, 'a' },
	{ "blocksize", 2, NULL, VIRT_BLOCKSIZE },
	{ "checksum", 2, NULL, OPT_CHECKSUM },
	{ "checksums", 2, NULL, OPT_CHECKSUM },
	{ "csv", 0, NULL, OPT_CSV },
	{ "connect", 1, NULL, 'c' },
	{ "domain", 1, NULL, 'd' },
	{ "echo-keys", 0, NULL, VIRT_ECHO_KEYS },
	{ "extra-stat", 0, NULL, OPT_EXTRA },
	{ "extra-stats", 0, NULL, OPT_EXTRA },
	{ "format", 2, NULL, VIRT_FORMAT },
	{ "help", 0, NULL, VIRT_HELP },
	{ "human-readable", 0, NULL, 'h' },
	{ "key", 1, NULL, VIRT_KEY },
	{ "keys-from-stdin", 0, NULL, VIRT_KEYS_FROM_STDIN },
	{ "long", 0, NULL, 'l' },
	{ "long-options", 0, NULL, VIRT_LONG_OPTIONS },
	{ "mount", 1, NULL, 'm' },
	{ "recursive", 0, NULL, 'R' },
	{ "short-options", 0, NULL, VIRT_SHORT_OPTIONS },
	{ "time", 0, NULL, OPT_TIMES },
	{ "times", 0, NULL, OPT_TIMES },
	{ "time-days", 0, NULL, OPT_TIME_DAYS },
	{ "time-relative", 0, NULL, OPT_TIME_RELATIVE },
	{ "time-t", 0, NULL, OPT_TIME_T },
	{ "uid", 0, NULL, OPT_UIDS },
	{ "uids", 0, NULL, OPT_UIDS },
	{ "verbose", 0, NULL, 'v' },
	{ "version", 0, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static const char usage[] =
	"usage: virt-ls [options] -a DISK [-a DISK...] DIR...\n\n"
	"Lists files of a guest.\n\n"
	"  -a, --add DISK            a disk of the guest\n"
	"      --blocksize[=N]       sector size of the disk, 512 or 4096\n"
	VIRT_DOMAIN_HELP
	"      --checksum[=ALG]      with -lR: crc, md5 (the default), sha1, sha224, sha256, sha384, sha512\n"
	"      --csv                 with -lR: comma separated values\n"
	"      --extra-stats         with -lR: device, inode, links, device type, blocks\n"
	"      --format[=FMT]        format of the disks behind it; without FMT it is found\n"
	"  -h, --human-readable      with -lR: sizes with K, M, G\n"
	VIRT_KEYS_HELP
	"  -l, --long                a long listing\n"
	"  -m, --mount DEV[:DIR[:OPTIONS[:TYPE]]]\n"
	"                            mount this instead of what is found\n"
	"  -R, --recursive           the whole tree\n"
	"      --times               with -lR: when accessed, modified, changed\n"
	"      --time-days           times as days ago\n"
	"      --time-relative       times as seconds ago\n"
	"      --time-t              times as seconds since 1970\n"
	"      --uids                with -lR: owner and group\n"
	"  -v, --verbose; -x         tell what is done\n"
	"  -V, --version             print the version\n"
	"      --help                print this help\n";

/* ---- one directory ---- */

struct names {
	struct virt_ls *l;
	const char *prefix; /* of each name */
	char **items;
	size_t n;
	bool nomem;
};

static void names_free(struct names *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->items[i]);
	free(s->items);
	*s = (struct names){ .l = s->l };
}

static bool names_add(struct names *s, char *name)
{
	char **items = name ? alloc_resize(s->items, s->n + 1, sizeof *items) : NULL;

	if (!items) {
		free(name);
		s->nomem = true;
		return false;
	}
	s->items = items;
	s->items[s->n++] = name;
	return true;
}

/* A directory, its symlinks followed unless no_follow; *is_dir false leaves e with ENOTDIR. */
static int look_up_dir(struct virt_ls *l, const char *path, bool follow, struct dry_node *n, struct dry_stat *st,
		       struct dry_error *e)
{
	int rc = dry_guest_lookup(l->virt.guest, path, follow, n, e);

	if (rc >= 0)
		rc = dry_node_stat(l->virt.guest, *n, st, e);
	return rc;
}

static int print_name(void *arg, const struct dry_entry *ent)
{
	(void)arg;
	if (ent->depth)
		puts(ent->name);
	return DRY_WALK_ON;
}

/* Without -l and -R: the names. */
static int list_names(struct virt_ls *l, const char *path)
{
	const struct dry_walk w = { .max_depth = 1, .fn = print_name, .arg = l };
	struct dry_error e = { .code = DRY_OK };
	struct dry_node n;
	struct dry_stat st;

	if (!virt_path_is_absolute("ls0", path))
		return EXIT_FAILED;
	if (look_up_dir(l, path, true, &n, &st, &e) < 0)
		return virt_call_failed("ls0: opendir", path, &e);
	if (!S_ISDIR(st.mode)) {
		e = (struct dry_error){ .code = DRY_SYSTEM, .sys_errno = ENOTDIR };
		return virt_call_failed("ls0: opendir", path, &e);
	}
	if (dry_guest_walk(l->virt.guest, path, &w, &e) < 0)
		return virt_call_failed("ls0", path, &e);
	return EXIT_DONE;
}

static int collect_rel(void *arg, const struct dry_entry *ent)
{
	struct names *s = arg;

	return !ent->depth || names_add(s, alloc_printf("%s%s", s->prefix, ent->rel)) ? DRY_WALK_ON : DRY_WALK_STOP;
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* -R: all paths below the directory, sorted as whole paths; a symlink is not gone through. */
static int list_tree(struct virt_ls *l, const char *path)
{
	/* The peer cuts off the directory as it was given: of "/" nothing is left. */
	CLEANUP(names_free) struct names s = { .l = l, .prefix = strcmp(path, "/") == 0 ? "" : "/" };
	const struct dry_walk w = { .max_depth = DRY_DEPTH_ALL, .fn = collect_rel, .arg = &s };
	struct dry_error e = { .code = DRY_OK };
	struct dry_node n;
	struct dry_stat st;

	if (!virt_path_is_absolute("find0", path))
		return EXIT_FAILED;
	if (look_up_dir(l, path, true, &n, &st, &e) < 0)
		return virt_call_failed("find0", path, &e);
	if (!S_ISDIR(st.mode)) {
		fprintf(stderr, "libguestfs: error: find0: %s: not a directory\n", path);
		return EXIT_FAILED;
	}
	if (look_up_dir(l, path, false, &n, &st, &e) < 0)
		return virt_call_failed("find0", path, &e);
	if (S_ISLNK(st.mode))
		return EXIT_DONE;
	if (dry_guest_walk(l->virt.guest, path, &w, &e) < 0)
		return virt_call_failed("find0", path, &e);
	if (s.nomem) {
		fprintf(stderr, "virt-ls: out of memory\n");
		return EXIT_FAILED;
	}
	if (s.n)
		qsort(s.items, s.n, sizeof *s.items, by_bytes);
	for (size_t i = 0; i < s.n; i++)
		puts(s.items[i]);
	return EXIT_DONE;
}

/* -lR: a record a file. */
static int print_record(void *arg, const struct dry_entry *ent)
{
	struct virt_ls *l = arg;
	struct dry_entry start;

	if (!ent->depth) {
		if (l->start_printed)
			return DRY_WALK_ON;
		start = *ent;
		start.path = l->start;
		return virt_ls_record(l, &start) ? DRY_WALK_STOP : DRY_WALK_ON;
	}
	return virt_ls_record(l, ent) ? DRY_WALK_STOP : DRY_WALK_ON;
}

static int list_records(struct virt_ls *l, const char *path)
{
	const struct dry_walk w = { .max_depth = DRY_DEPTH_ALL, .fn = print_record, .arg = l };
	struct dry_entry start = { .depth = 0 };
	struct dry_error e = { .code = DRY_OK };
	size_t len = strlen(path);
	CLEANUP(free_ptr) char *trimmed = NULL;
	int rc;

	if (!virt_path_is_absolute("lstatns", path))
		return EXIT_FAILED;
	while (len > 1 && path[len - 1] == '/')
		len--;
	trimmed = alloc_strndup(path, len);
	if (!trimmed)
		return EXIT_FAILED;
	if (look_up_dir(l, trimmed, false, &start.node, &start.stat, &e) < 0)
		return virt_call_failed("lstatns", trimmed, &e);
	/* The start is shown as what it is, a symlink as one, and then gone into. */
	start.path = l->start = trimmed;
	start.rel = start.name = "";
	if (virt_ls_record(l, &start))
		return EXIT_FAILED;
	l->start_printed = true;
	if (S_ISLNK(start.stat.mode) && look_up_dir(l, trimmed, true, &start.node, &start.stat, &e) < 0)
		return virt_call_failed("ls0: opendir", trimmed, &e);
	if (!S_ISDIR(start.stat.mode)) {
		e = (struct dry_error){ .code = DRY_SYSTEM, .sys_errno = ENOTDIR };
		return virt_call_failed("ls0: opendir", trimmed, &e);
	}
	rc = dry_guest_walk(l->virt.guest, trimmed, &w, &e);
	if (rc < 0)
		return virt_call_failed("ls0", trimmed, &e);
	return rc == DRY_WALK_STOP ? EXIT_FAILED : EXIT_DONE;
}

/* ---- options ---- */

static int own_option(struct virt_ls *l, int c)
{
	switch (c) {
	case OPT_CHECKSUM:
		l->checksum = optarg && *optarg ? optarg : "md5";
		break;
	case OPT_CSV:
		l->csv = true;
		break;
	case OPT_EXTRA:
		l->extra = true;
		break;
	case OPT_TIMES:
		l->times = true;
		break;
	case OPT_TIME_DAYS:
		l->times = true;
		l->time_style = VIRT_LS_DAYS;
		break;
	case OPT_TIME_RELATIVE:
		l->times = true;
		l->time_style = VIRT_LS_RELATIVE;
		break;
	case OPT_TIME_T:
		l->times = true;
		l->time_style = VIRT_LS_TIME_T;
		break;
	case OPT_UIDS:
		l->uids = true;
		break;
	case 'h':
		l->human = true;
		break;
	case 'l':
		l->is_long = true;
		break;
	case 'R':
		l->recursive = true;
		break;
	default:
		return virt_option(&l->virt, c, NULL);
	}
	return VIRT_GO_ON;
}

static int run(struct virt_ls *l, int argc, char **argv)
{
	int c, rc = VIRT_GO_ON, status = EXIT_DONE;

	while (rc == VIRT_GO_ON && (c = getopt_long(argc, argv, l->virt.letters, options, NULL)) != -1)
		rc = own_option(l, c);
	if (rc == VIRT_GO_ON)
		rc = virt_options_end(&l->virt);
	/* virt-ls DISK DIR..., as it once was */
	if (rc == VIRT_GO_ON && !l->virt.nimages && optind + 1 < argc)
		rc = virt_add_operand(&l->virt, argv[optind++]);
	if (rc == VIRT_GO_ON && (!l->virt.nimages || optind >= argc))
		rc = virt_usage(&l->virt);
	if (rc == VIRT_GO_ON && !(l->is_long && l->recursive) &&
	    (l->csv || l->human || l->uids || l->times || l->extra || l->checksum)) {
		fprintf(stderr, "virt-ls: used a flag which can only be combined with -lR mode\n"
				"For more information, read the virt-ls(1) man page.\n");
		rc = EXIT_FAILED;
	}
	if (rc == VIRT_GO_ON && l->csv && l->human) {
		fprintf(stderr, "virt-ls: you cannot use -h and --csv options together.\n");
		rc = EXIT_FAILED;
	}
	if (rc == VIRT_GO_ON)
		rc = virt_ls_prepare(l);
	if (rc == VIRT_GO_ON)
		rc = virt_open_asking(&l->virt);
	if (rc == VIRT_GO_ON)
		rc = virt_mount(&l->virt);
	if (rc != VIRT_GO_ON)
		return rc;
	l->guest = l->virt.guest;
	for (; optind < argc; optind++) {
		const char *dir = argv[optind];

		l->start_printed = false;
		status |= l->recursive ? l->is_long ? list_records(l, dir) : list_tree(l, dir)
			  : l->is_long ? virt_ls_long(l, dir)
				       : list_names(l, dir);
	}
	return status;
}

int virt_ls(int argc, char **argv)
{
	struct virt_ls l = { .virt = { .name = "virt-ls", .letters = "a:c:d:hlm:RvVx", .options = options, .usage = usage } };
	int status = run(&l, argc, argv);

	free(l.buf);
	virt_free(&l.virt);
	return status;
}
