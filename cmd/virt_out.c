/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virt_out.c - the program under the names virt-tar-out and virt-copy-out: a folder of a guest as a tar archive, and files and
 * folders of a guest copied to a folder of the host.
 *
 * The peers are guestfish with one command and its operands; so are the options, and the words in which they fail.
 */
#include "alloc.h"
#include "cp_target.h"
#include "guest_tar.h"
#include "text.h"
#include "virt.h"

#include <errno.h>
#include <fcntl.h>
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

/* Options, and the guest's disks; the operands begin at optind.  VIRT_GO_ON or the exit status. */
static int begin(struct virt *v, int argc, char **argv, int operands)
{
	int c, rc = VIRT_GO_ON;

	while (rc == VIRT_GO_ON && (c = getopt_long(argc, argv, v->letters, options, NULL)) != -1)
		rc = virt_option(v, c, NULL);
	if (rc == VIRT_GO_ON)
		rc = virt_options_end(v);
	if (rc == VIRT_GO_ON && (!v->nimages || argc - optind < operands))
		rc = virt_usage(v);
	return rc;
}

/* "libguestfs: error: CALL: PATH: why", as guestfish says it when it has a command in its arguments. */
static int call_failed(const char *call, const char *path, const struct dry_error *e)
{
	fputs("*stdin*:0: ", stderr);
	return virt_call_failed(call, path, e);
}

/* ---- virt-tar-out ---- */

static const char tar_usage[] =
	"usage: virt-tar-out [options] -a DISK [-a DISK...] DIR TARFILE [excludes:PATTERN]\n"
	"           [numericowner:true] [xattrs:true] [selinux:true] [acls:true]\n\n"
	"Writes a folder of a guest as a tar archive; - is standard output.\n\n" COMMON_HELP;

/* "true" and its kin, as guestfish takes them. */
static bool is_true(const char *word)
{
	static const char *const words[] = { "1", "t", "T", "true", "y", "yes", "on" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(word, words[i]) == 0)
			return true;
	return false;
}

/* What stands behind the archive's name; VIRT_GO_ON or the exit status. */
static int tar_argument(struct guest_tar *t, struct opt_list *excludes, const char *arg)
{
	const char *value;

	if (text_starts(arg, "excludes:", &value))
		return opt_list_add(excludes, value) ? VIRT_GO_ON : EXIT_FAILED;
	if (text_starts(arg, "xattrs:", &value))
		t->no_xattrs = !is_true(value);
	else if (text_starts(arg, "selinux:", &value))
		t->no_selinux = !is_true(value);
	else if (text_starts(arg, "acls:", &value))
		t->no_acls = !is_true(value);
	else if (text_starts(arg, "numericowner:", &value)) /* they always are */
		return VIRT_GO_ON;
	else {
		fprintf(stderr, "virt-tar-out: \"%s\" is not known here%s\n", arg,
			text_starts(arg, "compress:", NULL) ? "; compress the archive behind it" : "");
		return EXIT_FAILED;
	}
	return VIRT_GO_ON;
}

static int tar_out(struct virt *v, struct guest_tar *t, struct guest_ref *ref, const char *dir)
{
	struct dry_error e = { .code = DRY_OK };
	struct dry_node n;
	struct dry_stat st;
	int rc = virt_open_asking(v);

	if (rc == VIRT_GO_ON)
		rc = virt_mount(v);
	if (rc != VIRT_GO_ON)
		return rc;
	if (!virt_path_is_absolute("tar_out", dir))
		return EXIT_FAILED;
	if (dry_guest_lookup(v->guest, dir, true, &n, &e) < 0 || dry_node_stat(v->guest, n, &st, &e) < 0)
		return call_failed("tar_out: stat", dir, &e);
	if (!S_ISDIR(st.mode)) {
		fprintf(stderr, "*stdin*:0: libguestfs: error: tar_out: %s: not a directory\n", dir);
		return EXIT_FAILED;
	}
	*ref = (struct guest_ref){ .label = v->images[0].name, .guest = v->guest };
	t->guest = v->guest;
	t->ref = ref;
	return guest_tar(t, dir);
}

int virt_tar_out(int argc, char **argv)
{
	struct virt v = { .name = "virt-tar-out", .letters = "a:c:d:m:vVx", .options = options, .usage = tar_usage };
	struct guest_tar t = GUEST_TAR_INIT;
	struct guest_ref ref;
	struct opt_list excludes = { NULL, 0 };
	int rc = begin(&v, argc, argv, 2);

	t.no_xattrs = t.no_selinux = t.no_acls = true;
	t.exclude = &excludes;
	for (int i = optind + 2; i < argc && rc == VIRT_GO_ON; i++)
		rc = tar_argument(&t, &excludes, argv[i]);
	if (rc == VIRT_GO_ON && guest_tar_open(&t, argv[optind + 1]))
		rc = EXIT_FAILED;
	if (rc == VIRT_GO_ON) {
		v.writes = t.folder >= 0;
		v.write_dir = t.folder;
		rc = tar_out(&v, &t, &ref, argv[optind]);
	}
	rc |= guest_tar_close(&t);
	opt_list_free(&excludes);
	virt_free(&v);
	return rc;
}

/* ---- virt-copy-out ---- */

static const char copy_usage[] =
	"usage: virt-copy-out [options] -a DISK [-a DISK...] FILE|DIR [FILE|DIR...] FOLDER\n\n"
	"Copies files and folders of a guest to a folder of the host.\n\n" COMMON_HELP;

struct copy {
	struct cp_target target;
	const char *name; /* of the operand at work */
};

static int copy_visit(void *arg, const struct dry_entry *ent)
{
	struct copy *c = arg;
	struct dry_error e = { .code = DRY_OK };
	int rc = ent->leaving ? cp_target_leave(&c->target, ent, &e)
			      : cp_target_put(&c->target, ent->depth ? ent->name : c->name, ent, &e);

	if (rc >= 0)
		return DRY_WALK_ON;
	fprintf(stderr, "virt-copy-out: %s\n", e.msg);
	c->target.failures++;
	return S_ISDIR(ent->stat.mode) && !ent->leaving ? DRY_WALK_SKIP : DRY_WALK_ON;
}

static int copy_failed(void *arg, const char *path, const struct dry_error *why)
{
	struct copy *c = arg;

	(void)path; /* the sentence names it */
	fprintf(stderr, "virt-copy-out: %s\n", why->msg);
	c->target.failures++;
	return 0;
}

/* The last component; NULL: the root, what is in which goes into the folder itself. */
static char *last_component(const char *path)
{
	size_t len = strlen(path), at;

	while (len && path[len - 1] == '/')
		len--;
	for (at = len; at && path[at - 1] != '/'; at--)
		;
	return len ? alloc_strndup(path + at, len - at) : NULL;
}

static int copy_one(struct copy *c, struct dry_guest *g, const char *path)
{
	CLEANUP(free_ptr) char *name = last_component(path);
	const struct dry_walk walk = { .leave = true, .max_depth = DRY_DEPTH_ALL, .fn = copy_visit, .failed = copy_failed,
				       .arg = c };
	struct dry_error e = { .code = DRY_OK };
	struct dry_node n;

	if (!virt_path_is_absolute("copy_out", path))
		return EXIT_FAILED;
	if (name && (strcmp(name, "..") == 0 || strcmp(name, ".") == 0)) {
		fprintf(stderr, "virt-copy-out: %s: name what is to be copied without . and .. at its end\n", path);
		return EXIT_FAILED;
	}
	if (dry_guest_lookup(g, path, true, &n, &e) < 0) {
		if (e.code != DRY_NOT_FOUND)
			return call_failed("copy_out", path, &e);
		fprintf(stderr, "*stdin*:0: libguestfs: error: \xe2\x80\x98%s\xe2\x80\x99 is not a file or directory\n", path);
		return EXIT_FAILED;
	}
	c->name = name;
	c->target.guest = g;
	if (dry_guest_walk(g, path, &walk, &e) < 0)
		copy_failed(c, path, &e);
	return c->target.failures ? EXIT_FAILED : EXIT_DONE;
}

int virt_copy_out(int argc, char **argv)
{
	struct virt v = { .name = "virt-copy-out", .letters = "a:c:d:m:vVx", .options = options, .usage = copy_usage };
	struct copy c = { .target = CP_TARGET_INIT };
	int rc = begin(&v, argc, argv, 2);
	bool root = geteuid() == 0;
	const char *folder = rc == VIRT_GO_ON ? argv[argc - 1] : NULL;

	if (folder) {
		c.target.base = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (c.target.base < 0) {
			fprintf(stderr, "*stdin*:0: libguestfs: error: target \xe2\x80\x98%s\xe2\x80\x99 is not a directory\n",
				folder);
			rc = EXIT_FAILED;
		}
	}
	/* As tar does, which the peer unpacks with. */
	c.target.keep = c.target.setuid = true;
	c.target.owners = root;
	c.target.devices = root ? CP_DEVICES_MAKE : CP_DEVICES_FAIL;
	cp_target_begin(&c.target);
	v.writes = true;
	v.write_dir = c.target.base;
	if (rc == VIRT_GO_ON)
		rc = virt_open_asking(&v);
	if (rc == VIRT_GO_ON)
		rc = virt_mount(&v);
	for (int i = optind; i < argc - 1 && (rc == VIRT_GO_ON || rc == EXIT_DONE); i++)
		rc = copy_one(&c, v.guest, argv[i]);
	if (c.target.devices_left) {
		fprintf(stderr, "virt-copy-out: only root can make device nodes: %zu left out\n", c.target.devices_left);
		rc = EXIT_FAILED;
	}
	cp_target_free(&c.target);
	virt_free(&v);
	return rc;
}
