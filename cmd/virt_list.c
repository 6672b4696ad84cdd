/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virt_list.c - the program under the names virt-list-filesystems and virt-list-partitions, which virt-filesystems took the
 * place of: scripts may still call them.
 */
#include "alloc.h"
#include "virt.h"

#include <inttypes.h>
#include <stdio.h>

static const struct option options[] = {
	{ "all", 0, NULL, 'a' },
	{ "connect", 1, NULL, 'c' },
	{ "format", 1, NULL, VIRT_FORMAT },
	{ "help", 0, NULL, VIRT_HELP },
	{ "human-readable", 0, NULL, 'h' },
	{ "long", 0, NULL, 'l' },
	{ "total", 0, NULL, 't' },
	{ "version", 0, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

#define COMMON_HELP                                                                                                    \
	"  -c, --connect URI         the libvirt that knows the domain\n"                                              \
	"      --format FMT          format of the disks\n"                                                            \
	"  -V, --version             print the version\n"                                                              \
	"      --help                print this help\n"

struct list {
	struct virt virt;
	bool partitions; /* else filesystems */
	bool all, human, is_long, total;
};

/* What is in it, as these tools call it. */
static const char *content_of(const struct dry_volume *v)
{
	if (v->fs_type && strcmp(v->fs_type, "LVM2_member") == 0)
		return "pv";
	return v->fs_type ? v->fs_type : "unknown";
}

static void print_size(const struct list *l, uint64_t size)
{
	char buf[16];

	if (l->human)
		printf(" %s", virt_human(size, buf, sizeof buf));
	else
		printf(" %" PRIu64, size);
}

static void print_subvolume(void *arg, const char *name)
{
	printf("%s%s\n", name, ((const struct list *)arg)->is_long ? " btrfs" : "");
}

static int list_filesystems(struct list *l, struct dry_error *e)
{
	struct dry_guest *g = l->virt.guest;
	const struct dry_volume *v;
	size_t n, nvols;
	CLEANUP(free_ptr) size_t *order = virt_filesystem_order(g, &n, e);

	if (!order || dry_guest_volumes(g, &v, &nvols, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const char *type = content_of(&v[order[i]]);

		if (!l->all && (strcmp(type, "unknown") == 0 || strcmp(type, "swap") == 0))
			continue;
		printf("%s%s%s\n", v[order[i]].name, l->is_long ? " " : "", l->is_long ? type : "");
		virt_subvolumes(g, order[i], print_subvolume, l);
	}
	return 0;
}

static int list_partitions(struct list *l, struct dry_error *e)
{
	struct dry_guest *g = l->virt.guest;
	const struct dry_volume *v;
	struct dry_disk d;
	size_t n;

	if (dry_guest_volumes(g, &v, &n, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (!v[i].number)
			continue;
		fputs(v[i].name, stdout);
		if (l->is_long) {
			printf(" %s", content_of(&v[i]));
			/* As Linux shows an extended partition. */
			print_size(l, v[i].extended ? 1024 : v[i].size);
		}
		putchar('\n');
	}
	for (size_t i = 0; l->total && dry_guest_disk(g, i, &d); i++) {
		printf("%s device", d.device);
		print_size(l, d.size);
		putchar('\n');
	}
	return 0;
}

/* An option of the one tool is none of the other. */
static int own_option(struct list *l, int c)
{
	if ((c == 'a' && l->partitions) || ((c == 'h' || c == 't') && !l->partitions)) {
		fprintf(stderr, "%s: unknown option -%c\n", l->virt.name, c);
		return virt_usage(&l->virt);
	}
	switch (c) {
	case 'a':
		l->all = true;
		break;
	case 'h':
		l->human = true;
		break;
	case 'l':
		l->is_long = true;
		break;
	case 't':
		l->total = true;
		break;
	case VIRT_FORMAT: /* of all disks, wherever it stands */
		l->virt.format = optarg;
		break;
	default:
		return virt_option(&l->virt, c, NULL);
	}
	return VIRT_GO_ON;
}

static int run(struct list *l, int argc, char **argv)
{
	struct dry_error e = { .code = DRY_OK };
	int c, rc = VIRT_GO_ON;

	while (rc == VIRT_GO_ON && (c = getopt_long(argc, argv, l->virt.letters, options, NULL)) != -1)
		rc = own_option(l, c);
	if (rc == VIRT_GO_ON && optind == argc)
		rc = virt_usage(&l->virt);
	for (; optind < argc && rc == VIRT_GO_ON; optind++)
		rc = virt_add_operand(&l->virt, argv[optind]);
	if (rc == VIRT_GO_ON)
		rc = virt_open(&l->virt);
	if (rc != VIRT_GO_ON)
		return rc;
	if ((l->partitions ? list_partitions(l, &e) : list_filesystems(l, &e)) < 0) {
		fprintf(stderr, "libguestfs: error: %s: %s\n", l->partitions ? "list_partitions" : "list_filesystems", e.msg);
		return EXIT_FAILED;
	}
	virt_warnings(&l->virt);
	return EXIT_DONE;
}

int virt_list_filesystems(int argc, char **argv)
{
	struct list l = { .virt = { .name = "virt-list-filesystems", .letters = "ac:hltV", .options = options,
				    .usage = "usage: virt-list-filesystems [options] DISK [DISK...]|DOMAIN\n\n"
					     "Lists the filesystems of a guest.\n\n"
					     "  -a, --all                 swap and unknown content too\n"
					     "  -l, --long                with their types\n" COMMON_HELP } };
	int status = run(&l, argc, argv);

	virt_free(&l.virt);
	return status;
}

int virt_list_partitions(int argc, char **argv)
{
	struct list l = { .partitions = true,
			  .virt = { .name = "virt-list-partitions", .letters = "ac:hltV", .options = options,
				    .usage = "usage: virt-list-partitions [options] DISK [DISK...]|DOMAIN\n\n"
					     "Lists the partitions of a guest.\n\n"
					     "  -h, --human-readable      sizes with K, M, G\n"
					     "  -l, --long                with what is in them, and their sizes\n"
					     "  -t, --total               the disks and their sizes too\n" COMMON_HELP } };
	int status = run(&l, argc, argv);

	virt_free(&l.virt);
	return status;
}
