/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virt_df.c - the program under the name virt-df. */
#include "alloc.h"
#include "guest_run.h"
#include "out.h"
#include "text.h"
#include "virt.h"

#include <inttypes.h>
#include <stdio.h>

enum { OPT_CSV = VIRT_OWN, OPT_ONE_PER_GUEST, OPT_UUID };

static const struct option options[] = {
	{ "add", 1, NULL, 'a' },
	{ "blocksize", 2, NULL, VIRT_BLOCKSIZE },
	{ "connect", 1, NULL, 'c' },
	{ "csv", 0, NULL, OPT_CSV },
	{ "domain", 1, NULL, 'd' },
	{ "echo-keys", 0, NULL, VIRT_ECHO_KEYS },
	{ "format", 2, NULL, VIRT_FORMAT },
	{ "help", 0, NULL, VIRT_HELP },
	{ "human-readable", 0, NULL, 'h' },
	{ "inodes", 0, NULL, 'i' },
	{ "key", 1, NULL, VIRT_KEY },
	{ "keys-from-stdin", 0, NULL, VIRT_KEYS_FROM_STDIN },
	{ "long-options", 0, NULL, VIRT_LONG_OPTIONS },
	{ "one-per-guest", 0, NULL, OPT_ONE_PER_GUEST },
	{ "short-options", 0, NULL, VIRT_SHORT_OPTIONS },
	{ "uuid", 0, NULL, OPT_UUID },
	{ "verbose", 0, NULL, 'v' },
	{ "version", 0, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static const char *const beyond[] = { "echo-keys", "key", "keys-from-stdin", NULL };

static const char usage[] =
	"usage: virt-df [options]\n"
	"       virt-df [options] -d DOMAIN\n"
	"       virt-df [options] -a DISK [-a DISK...]\n\n"
	"Shows how full the filesystems of a guest are; of all guests that libvirt knows, if none is named.\n\n"
	"  -a, --add DISK            a disk of the guest\n"
	"      --blocksize[=N]       sector size of the disk, 512 or 4096\n"
	VIRT_DOMAIN_HELP
	"      --csv                 comma separated values\n"
	"      --format[=FMT]        format of the disks behind it; without FMT it is found\n"
	"  -h, --human-readable      sizes with K, M, G\n"
	"  -i, --inodes              inodes, not blocks\n"
	VIRT_KEYS_HELP
	"      --one-per-guest       never look at two guests at once: as it always is here\n"
	"  -P N                      at most N guests at once\n"
	"      --uuid                UUIDs rather than names of libvirt guests\n"
	"  -v, --verbose; -x         tell what is done\n"
	"  -V, --version             print the version\n"
	"      --help                print this help\n";

struct df {
	struct virt virt;
	bool csv, human, inodes, uuid;
	uint64_t threads; /* 0: not told */
	struct guest_set set;
	char *name; /* of the one guest that was named; NULL: they are v->domains */
};

static void print_title(const struct df *d)
{
	const char *cols[5] = { "1K-blocks", "Used", "Available", "Use%" };

	if (d->inodes) {
		cols[0] = "Inodes";
		cols[1] = "IUsed";
		cols[2] = "IFree";
		cols[3] = "IUse%";
	} else if (d->human) {
		cols[0] = "Size";
	}
	if (d->csv)
		printf("VirtualMachine,Filesystem,%s,%s,%s,%s\n", cols[0], cols[1], cols[2], cols[3]);
	else
		printf("%-35s %10s %10s %10s %5s\n", "Filesystem", cols[0], cols[1], cols[2], cols[3]);
}

static void amount(const struct df *d, uint64_t n, uint64_t unit, char *buf, size_t size)
{
	if (d->human && !d->inodes)
		virt_human(n * unit, buf, size);
	else if (d->inodes)
		snprintf(buf, size, "%" PRIu64, n);
	else
		snprintf(buf, size, "%" PRIu64, (uint64_t)((unsigned __int128)n * unit / 1024));
}

static void put_row(const struct df *d, struct strbuf *out, const char *guest, const char *device, const struct dry_usage *u)
{
	uint64_t total = d->inodes ? u->inodes : u->blocks;
	uint64_t used = total - (d->inodes ? u->inodes_free : u->blocks_free);
	uint64_t left = d->inodes ? u->inodes_free : u->blocks_avail;
	uint64_t unit = d->inodes ? 1 : u->block_size;
	double percent = total ? 100.0 * (double)used / (double)total : 0;
	size_t len = strlen(guest) + 1 + strlen(device);
	char cells[3][24];

	amount(d, total, unit, cells[0], sizeof cells[0]);
	amount(d, used, unit, cells[1], sizeof cells[1]);
	amount(d, left, unit, cells[2], sizeof cells[2]);
	if (d->csv) {
		out_csv(out, guest);
		strbuf_putc(out, ',');
		out_csv(out, device);
		strbuf_printf(out, ",%s,%s,%s,%.1f\n", cells[0], cells[1], cells[2], percent);
		return;
	}
	strbuf_printf(out, "%s:%s", guest, device);
	/* A name that leaves no room gets a line of its own. */
	if (len <= 35)
		strbuf_printf(out, "%*s", (int)(35 - len), "");
	else
		strbuf_printf(out, "\n%35s", "");
	strbuf_printf(out, " %10s %10s %10s %4.0f%%\n", cells[0], cells[1], cells[2],
		      percent > (double)(uint64_t)percent ? (double)((uint64_t)percent + 1) : percent);
}

struct df_subvolumes {
	const struct df *d;
	struct strbuf *out;
	const char *guest;
	const struct dry_usage *usage;
};

/* Each is a filesystem to the peer. */
static void put_subvolume(void *arg, const char *name)
{
	const struct df_subvolumes *s = arg;

	put_row(s->d, s->out, s->guest, name, s->usage);
}

static void told(const struct guest_ref *g, const char *sentence)
{
	CLEANUP(strbuf_free) struct strbuf line = STRBUF_INIT;

	strbuf_printf(&line, "%s\n", sentence);
	guest_err(g, &line);
}

static int show_guest(void *arg, struct guest_ref *g, const struct guest_item *items, size_t nitems)
{
	struct df *d = arg;
	const struct domain *domain = d->name ? NULL : &d->virt.domains[g - d->set.guests];
	const char *name = d->name ? d->name : d->uuid && domain->uuid ? domain->uuid : domain->name, *warning;
	struct dry_error e = { .code = DRY_OK };
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	const struct dry_volume *vols;
	size_t n = 0, nvols;
	CLEANUP(free_ptr) size_t *order = virt_filesystem_order(g->guest, &n, &e);

	(void)items;
	(void)nitems;
	if (!order || dry_guest_volumes(g->guest, &vols, &nvols, &e) < 0) {
		CLEANUP(free_ptr) char *text = alloc_printf("libguestfs: error: list_filesystems: %s", e.msg);

		told(g, text ? text : "virt-df: out of memory");
		return EXIT_FAILED;
	}
	for (size_t i = 0; i < n; i++) {
		struct dry_usage u;

		/* What the peer cannot mount it passes over. */
		if (vols[order[i]].fs_readable && dry_guest_usage(g->guest, order[i], &u, &e) == 0) {
			struct df_subvolumes sub = { d, &out, name, &u };

			put_row(d, &out, name, vols[order[i]].name, &u);
			virt_subvolumes(g->guest, order[i], put_subvolume, &sub);
		}
	}
	for (size_t i = 0; (warning = dry_guest_warning(g->guest, i)); i++) {
		CLEANUP(free_ptr) char *text = alloc_printf("virt-df: %s", warning);

		told(g, text ? text : warning);
	}
	return guest_out(g, &out);
}

/* The guest that was named, or all of libvirt's. */
static int show(struct df *d)
{
	struct guest_run run = { .opts = &d->virt.opts, .set = &d->set, .work = show_guest, .arg = d,
				 .threads = (unsigned)MIN_OF(d->threads, 1024u) };
	bool fatal = true;
	int rc, status = EXIT_DONE;

	if (d->virt.nimages) {
		d->name = virt_guest_name(&d->virt, d->uuid);
		rc = d->name ? virt_set_of_images(&d->virt, &d->set) : EXIT_FAILED;
	} else {
		rc = virt_set_of_all_domains(&d->virt, &d->set);
	}
	if (rc != VIRT_GO_ON)
		return rc;
	print_title(d);
	if (virt_open_set(&d->virt, &d->set, &fatal) != VIRT_GO_ON)
		status = EXIT_FAILED;
	return fatal ? status : status | guest_run(&run);
}

static int own_option(struct df *d, int c)
{
	switch (c) {
	case OPT_CSV:
		d->csv = true;
		break;
	case 'h':
		d->human = true;
		break;
	case 'i':
		d->inodes = true;
		break;
	case OPT_ONE_PER_GUEST: /* nothing of a guest is shared with the next */
		break;
	case OPT_UUID: /* an image has a name and no UUID: the name stays, as with the peer */
		d->uuid = true;
		break;
	case 'P':
		if (!text_parse_u64(optarg, &d->threads)) {
			fprintf(stderr, "virt-df: -P: \"%s\" is not a number\n", optarg);
			return EXIT_FAILED;
		}
		break;
	default:
		return virt_option(&d->virt, c, NULL);
	}
	return VIRT_GO_ON;
}

int virt_df(int argc, char **argv)
{
	struct df d = { .virt = { .name = "virt-df", .letters = "a:c:d:hiP:vVx", .options = options, .beyond = beyond,
				 .usage = usage } };
	int c, rc = VIRT_GO_ON;

	while (rc == VIRT_GO_ON && (c = getopt_long(argc, argv, d.virt.letters, options, NULL)) != -1)
		rc = own_option(&d, c);
	if (rc == VIRT_GO_ON)
		rc = virt_options_end(&d.virt);
	/* virt-df DISK... or DOMAIN, as it once was: the disks of one guest */
	if (rc == VIRT_GO_ON && !d.virt.nimages)
		for (; optind < argc && rc == VIRT_GO_ON; optind++)
			rc = virt_add_operand(&d.virt, argv[optind]);
	if (rc == VIRT_GO_ON && optind < argc)
		rc = virt_usage(&d.virt);
	if (rc == VIRT_GO_ON && d.csv && d.human) {
		fprintf(stderr, "virt-df: you cannot use -h and --csv options together.\n");
		rc = EXIT_FAILED;
	}
	if (rc == VIRT_GO_ON)
		rc = show(&d);
	free(d.name);
	guest_set_free(&d.set);
	virt_free(&d.virt);
	return rc;
}
