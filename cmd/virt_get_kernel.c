/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virt_get_kernel.c - the program under the name virt-get-kernel.
 *
 * As the peer, it takes /boot/vmlinuz-* of the highest version, and vmlinux-* where there is none.  The peer takes the initrd of
 * the highest version beside that, whichever kernel it is for, one for a crash among them; here it is the one for the kernel, and
 * only where that has none the newest.
 */
#include "alloc.h"
#include "boot_files.h"
#include "out.h"
#include "virt.h"

#include <fnmatch.h>
#include <stdio.h>

enum { OPT_COLORS = VIRT_OWN, OPT_DEBUG_GC, OPT_MACHINE, OPT_PREFIX, OPT_UNVERSIONED, OPT_WRAP };

static const struct option options[] = {
	{ "add", 1, NULL, 'a' },
	{ "blocksize", 1, NULL, VIRT_BLOCKSIZE },
	{ "connect", 1, NULL, 'c' },
	{ "color", 0, NULL, OPT_COLORS },
	{ "colors", 0, NULL, OPT_COLORS },
	{ "colour", 0, NULL, OPT_COLORS },
	{ "colours", 0, NULL, OPT_COLORS },
	{ "domain", 1, NULL, 'd' },
	{ "debug-gc", 0, NULL, OPT_DEBUG_GC },
	{ "echo-keys", 0, NULL, VIRT_ECHO_KEYS },
	{ "format", 1, NULL, VIRT_FORMAT },
	{ "help", 0, NULL, VIRT_HELP },
	{ "key", 1, NULL, VIRT_KEY },
	{ "keys-from-stdin", 0, NULL, VIRT_KEYS_FROM_STDIN },
	{ "long-options", 0, NULL, VIRT_LONG_OPTIONS },
	{ "machine-readable", 2, NULL, OPT_MACHINE },
	{ "output", 1, NULL, 'o' },
	{ "prefix", 1, NULL, OPT_PREFIX },
	{ "quiet", 0, NULL, 'q' },
	{ "short-options", 0, NULL, VIRT_SHORT_OPTIONS },
	{ "unversioned-names", 0, NULL, OPT_UNVERSIONED },
	{ "version", 0, NULL, 'V' },
	{ "verbose", 0, NULL, 'v' },
	{ "wrap", 0, NULL, OPT_WRAP },
	{ NULL, 0, NULL, 0 },
};

/* The peer takes it, and does not list it. */
static const char *const beyond[] = { "keys-from-stdin", NULL };

static const char usage[] =
	"usage: virt-get-kernel [options] -a DISK\n\n"
	"Copies the newest kernel and its initrd out of a guest.\n\n"
	"  -a, --add DISK            the disk of the guest\n"
	"      --blocksize N         sector size of the disk, 512 or 4096\n"
	"      --color, --colors, --colour, --colours\n"
	"                            colour errors even where they do not go to a terminal\n"
	"      --format FMT          format of the disk; auto finds it\n"
	VIRT_KEYS_HELP
	"      --machine-readable    tell what this program can do\n"
	"  -o, --output DIR          where the files go; without it here\n"
	"      --prefix PREFIX       begin their names with PREFIX and a dash\n"
	"  -q, --quiet               do not tell what is copied\n"
	"      --unversioned-names   leave the versions off their names\n"
	"  -v, --verbose; -x         tell what is done\n"
	"  -V, --version             print the version\n"
	"      --wrap                taken; no line of this program is so long that it would be wrapped\n"
	"      --help                print this help\n";

struct get_kernel {
	struct virt virt;
	const char *output, *prefix, *format; /* NULL: not given */
	bool quiet, unversioned, colors;
	struct cp_target target;
};

__attribute__((format(printf, 2, 3))) static int fail(const struct get_kernel *k, const char *fmt, ...)
{
	va_list ap;

	fputs(k->colors ? "\033[1;31mvirt-get-kernel: error: " : "virt-get-kernel: error: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs(k->colors ? "\033[0m\n" : "\n", stderr);
	return EXIT_FAILED;
}

static int option(struct get_kernel *k, int c)
{
	switch (c) {
	case OPT_COLORS:
		k->colors = true;
		return VIRT_GO_ON;
	case OPT_DEBUG_GC: /* of the peer's own memory */
	case OPT_WRAP:
		return VIRT_GO_ON;
	case OPT_MACHINE:
		if (optarg)
			return fail(k, "invalid format string for --machine-readable: %s", optarg);
		puts("virt-get-kernel");
		return EXIT_DONE;
	case OPT_PREFIX:
		k->prefix = optarg;
		return VIRT_GO_ON;
	case OPT_UNVERSIONED:
		k->unversioned = true;
		return VIRT_GO_ON;
	case VIRT_FORMAT: /* of the disk, wherever it stands */
		k->format = strcmp(optarg, "auto") == 0 ? NULL : optarg;
		return VIRT_GO_ON;
	case 'a':
		if (k->virt.nimages)
			return fail(k, "--add option can only be given once");
		return virt_add_image(&k->virt, optarg);
	case 'o':
		k->output = optarg;
		return VIRT_GO_ON;
	case 'q':
		k->quiet = true;
		return VIRT_GO_ON;
	default:
		return virt_option(&k->virt, c, NULL);
	}
}

/* ---- which files ---- */

static bool is_in_boot(const char *path, const char *volume, const char *pattern)
{
	return !volume && fnmatch(pattern, path, FNM_PATHNAME) == 0;
}

/* The kernel, the newest of the first kind that there is; what the peer would not find is better than nothing. */
static bool kernel_find(const struct dry_guest *g, size_t *place, struct dry_kernel *out)
{
	static const char *const patterns[] = { "/boot/vmlinuz-*", "/boot/vmlinux-*", NULL };

	for (size_t i = 0; i < ARRAY_LEN(patterns); i++)
		for (*place = 0; dry_guest_kernel(g, *place, out); ++*place)
			if (!patterns[i] || is_in_boot(out->path, out->volume, patterns[i]))
				return true;
	return false;
}

static bool initrd_find(const struct dry_guest *g, size_t kernel, struct dry_initrd *out)
{
	static const char *const patterns[] = { "/boot/initramfs-*", "/boot/initrd-*", "/boot/initrd.img-*" };

	for (size_t i = 0; dry_guest_initrd(g, i, out); i++)
		if (out->kernel == kernel && (!out->version || fnmatch("*-fallback", out->version, 0) != 0))
			return true;
	for (size_t p = 0; p < ARRAY_LEN(patterns); p++)
		for (size_t i = 0; dry_guest_initrd(g, i, out); i++)
			if (is_in_boot(out->path, out->volume, patterns[p]))
				return true;
	return false;
}

/* "vmlinuz-6.1.0" is written as PREFIX-vmlinuz-6.1.0, or PREFIX-vmlinuz. */
static char *name_for(const struct get_kernel *k, const char *path)
{
	const char *base = boot_base_name(path);
	size_t len = k->unversioned ? strcspn(base, "-") : strlen(base);

	return alloc_printf("%s%s%.*s", k->prefix ? k->prefix : "", k->prefix ? "-" : "", (int)len, base);
}

static int get(struct get_kernel *k, struct dry_node node, const char *path)
{
	const char *folder = k->output ? k->output : ".";
	CLEANUP(free_ptr) char *name = name_for(k, path);
	CLEANUP(strbuf_free) struct strbuf line = STRBUF_INIT;
	struct dry_error e = { .code = DRY_OK };

	if (!name)
		return fail(k, "out of memory");
	if (!k->quiet) {
		strbuf_puts(&line, "download: ");
		out_guest(&line, path);
		strbuf_printf(&line, " -> %s%s", folder, folder[strlen(folder) - 1] == '/' ? "" : "/");
		out_guest(&line, name);
		strbuf_putc(&line, '\n');
		if (out_flush(&line))
			return EXIT_FAILED;
	}
	if (boot_file_copy(&k->target, k->virt.guest, node, path, name, &e) < 0)
		return fail(k, "libguestfs error: %s", e.msg);
	return EXIT_DONE;
}

static int run(struct get_kernel *k)
{
	struct dry_error e = { .code = DRY_OK };
	struct dry_facts facts;
	struct dry_kernel kernel;
	struct dry_initrd initrd;
	struct dry_mount root;
	const char *folder = k->output && *k->output ? k->output : ".", *reason;
	size_t place;
	int rc;

	k->output = folder;
	k->virt.images[0].format = k->format;
	if (k->format && !dry_format_known(k->format))
		return fail(k, "unknown image format \"%s\"", k->format);
	if (!boot_target_open(&k->target, folder, &reason))
		return fail(k, "libguestfs error: %s: %s", folder, reason);
	k->virt.write_dir = k->target.base;
	k->virt.writes = true;
	rc = virt_open_asking(&k->virt);
	if (rc == VIRT_GO_ON)
		rc = virt_mount(&k->virt);
	if (rc != VIRT_GO_ON)
		return rc;
	if (dry_guest_facts(k->virt.guest, &facts, &e) < 0)
		return fail(k, "%s", e.msg);
	if (!kernel_find(k->virt.guest, &place, &kernel))
		return fail(k, "no kernel found in %s", dry_guest_mount_at(k->virt.guest, 0, &root) ? root.volume : "the guest");
	rc = get(k, kernel.node, kernel.path);
	if (rc == EXIT_DONE && initrd_find(k->virt.guest, place, &initrd))
		rc = get(k, initrd.node, initrd.path);
	return rc;
}

int virt_get_kernel(int argc, char **argv)
{
	struct get_kernel k = {
		.virt = { .name = "virt-get-kernel", .letters = "a:c:d:o:qVvx", .options = options, .beyond = beyond,
			  .usage = usage },
		.target = CP_TARGET_INIT,
	};
	int c, rc = VIRT_GO_ON, index;

	while (rc == VIRT_GO_ON && (c = getopt_long(argc, argv, k.virt.letters, options, &index)) != -1)
		rc = option(&k, c);
	if (rc == VIRT_GO_ON && optind < argc) {
		fprintf(stderr, "Extra parameter on the command line: \xe2\x80\x98%s\xe2\x80\x99.\n", argv[optind]);
		rc = virt_usage(&k.virt);
	}
	if (rc == VIRT_GO_ON && !k.virt.nimages)
		rc = fail(&k, "you must give either -a or -d options.  Read virt-get-kernel(1) man page for further information.");
	if (rc == VIRT_GO_ON)
		rc = run(&k);
	cp_target_free(&k.target);
	virt_free(&k.virt);
	return rc;
}
