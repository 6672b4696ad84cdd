/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virt_edit.c - the program under the name virt-edit. */
#include "alloc.h"
#include "edit_file.h"
#include "guest_case.h"
#include "virt_change.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

static const struct option options[] = {
	{ "add", 1, NULL, 'a' },
	{ "backup", 1, NULL, 'b' },
	{ "blocksize", 2, NULL, VIRT_BLOCKSIZE },
	{ "connect", 1, NULL, 'c' },
	{ "domain", 1, NULL, 'd' },
	{ "echo-keys", 0, NULL, VIRT_ECHO_KEYS },
	{ "edit", 1, NULL, 'e' },
	{ "expr", 1, NULL, 'e' },
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
	"usage: virt-edit [options] -a DISK [-a DISK...] FILE...\n\n"
	"Edits files of a guest.\n\n"
	"  -a, --add DISK            a disk of the guest\n"
	"  -b, --backup END          keep the old file under its name with this behind\n"
	"      --blocksize[=N]       sector size of the disk, 512 or 4096\n"
	VIRT_DOMAIN_HELP
	"  -e, --edit, --expr EXPR   run this for each line, as perl -p would, and no editor\n"
	"      --format[=FMT]        format of the disks behind it; without FMT it is found\n"
	VIRT_KEYS_HELP
	"  -m, --mount DEV[:DIR[:OPTIONS[:TYPE]]]\n"
	"                            mount this instead of what is found\n"
	"  -v, --verbose; -x         tell what is done\n"
	"  -V, --version             print the version\n"
	"      --help                print this help\n";

/* "C:\x" of a Windows as the path of it in the tree: free() it; NULL with a sentence printed. */
static char *windows_path(const struct virt *v, const struct dry_windows *w, const char *path)
{
	const bool letter = isalpha((unsigned char)path[0]) && path[1] == ':';
	CLEANUP(free_ptr) char *slashes = NULL;
	const char *volume = NULL;
	struct dry_error e = { .code = DRY_OK };
	struct dry_mount root;
	char *found;

	for (size_t i = 0; letter && i < w->ndrives; i++)
		if (w->drives[i].letter == toupper((unsigned char)path[0]))
			volume = w->drives[i].volume;
	if (letter && !volume) {
		fprintf(stderr, "%s: drive '%c:' not found.\n", v->name, tolower((unsigned char)path[0]));
		return NULL;
	}
	if (letter && dry_guest_mount_at(v->guest, 0, &root) && strcmp(root.volume, volume) != 0) {
		fprintf(stderr, "%s: %c: is another volume than the system's: name the file in it with -m %s\n", v->name, path[0],
			volume);
		return NULL;
	}
	slashes = alloc_printf("%s%s", letter && path[2] != '/' && path[2] != '\\' ? "/" : "", letter ? path + 2 : path);
	for (char *p = slashes; p && *p; p++)
		if (*p == '\\')
			*p = '/';
	if (!slashes) {
		fprintf(stderr, "%s: out of memory\n", v->name);
		return NULL;
	}
	if (guest_case_path(v->guest, slashes, &found, &e) < 0) {
		virt_call_failed("case_sensitive_path", slashes, &e);
		return NULL;
	}
	return found;
}

static int edit_one(struct virt *v, struct dry_change *c, const struct edit_how *how, const char *given, bool *any)
{
	struct dry_windows w;
	const bool windows = !v->mounts.n && dry_guest_windows(v->guest, &w, NULL) == 0;
	CLEANUP(free_ptr) char *path = windows ? windows_path(v, &w, given) : alloc_strdup(given);
	struct dry_error e = { .code = DRY_OK };
	bool changed;

	if (!path || !virt_path_is_absolute("download", path))
		return EXIT_FAILED;
	if (edit_file(c, path, how, &changed, &e) < 0) {
		if (e.code != DRY_SYSTEM || e.sys_errno == EISDIR || e.sys_errno)
			return virt_call_failed("download", path, &e);
		fprintf(stderr, "%s: %s\n", v->name, e.msg);
		return EXIT_FAILED;
	}
	if (!changed && !how->nexprs)
		printf("File not changed.\n");
	*any |= changed;
	return EXIT_DONE;
}

static int edit_all(struct virt *v, const struct edit_how *how, int nfiles, char **files)
{
	struct dry_change *c;
	bool any = false;
	int rc = virt_change_begin(v, NULL, &c), status = rc == VIRT_GO_ON ? EXIT_DONE : rc;

	for (int i = 0; i < nfiles && status == EXIT_DONE; i++)
		status = edit_one(v, c, how, files[i], &any);
	if (!any && status == EXIT_DONE) { /* the image stays as it is */
		dry_change_abandon(c);
		return EXIT_DONE;
	}
	return virt_change_end(v, c, status);
}

int virt_edit(int argc, char **argv)
{
	CLEANUP(virt_free) struct virt v = { .name = "virt-edit", .letters = "a:b:c:d:e:m:vVx", .options = options,
					     .usage = usage };
	struct edit_how how = { .nexprs = 0 };
	struct opt_list exprs = { NULL, 0 };
	struct dry_error e = { .code = DRY_OK };
	int c, rc = VIRT_GO_ON;

	while (rc == VIRT_GO_ON && (c = getopt_long(argc, argv, v.letters, options, NULL)) != -1) {
		if (c == 'b' && how.backup) {
			fprintf(stderr, "virt-edit: -b option given multiple times\n");
			rc = EXIT_FAILED;
		} else if (c == 'b') {
			how.backup = optarg;
		} else if (c == 'e' && exprs.n) {
			fprintf(stderr, "virt-edit: -e option given multiple times\n");
			rc = EXIT_FAILED;
		} else if (c == 'e') {
			rc = opt_list_add(&exprs, optarg) ? VIRT_GO_ON : EXIT_FAILED;
		} else {
			rc = virt_option(&v, c, NULL);
		}
	}
	if (rc == VIRT_GO_ON)
		rc = virt_options_end(&v);
	/* virt-edit DISK FILE..., as it once was: all but the last are disks */
	for (bool old = !v.nimages; rc == VIRT_GO_ON && old && optind + 1 < argc; optind++)
		rc = virt_add_operand(&v, argv[optind]);
	if (rc == VIRT_GO_ON && (!v.nimages || optind >= argc))
		rc = virt_usage(&v);
	if (rc == VIRT_GO_ON && how.backup && strchr(how.backup, '/')) {
		fprintf(stderr, "virt-edit: -b %s: the end of a name is expected\n", how.backup);
		rc = EXIT_FAILED;
	}
	if (rc == VIRT_GO_ON && (edit_how_expressions(&how, &exprs, &e) < 0 || (!exprs.n && edit_host_start(&how.h, &e) < 0))) {
		fprintf(stderr, "virt-edit: %s\n", e.msg);
		rc = EXIT_FAILED;
	}
	if (rc == VIRT_GO_ON)
		rc = edit_all(&v, &how, argc - optind, argv + optind);
	edit_how_free(&how);
	host_side_stop(how.h);
	opt_list_free(&exprs);
	return rc;
}
