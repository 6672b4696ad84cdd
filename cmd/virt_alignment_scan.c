/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virt_alignment_scan.c - the program under the name virt-alignment-scan: do partitions begin where a disk's blocks do?
 *
 * A partition that begins within a block of the host's storage makes each write of the guest's two.  The exit status tells the
 * worst: 0 all begin at multiples of 64 KiB, 2 some do not, 3 some not even at multiples of 4 KiB.
 */
#include "alloc.h"
#include "guest_run.h"
#include "text.h"
#include "virt.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

enum { OPT_UUID = VIRT_OWN };
enum { EXIT_BELOW_64K = 2, EXIT_BELOW_4K = 3 };

static const struct option options[] = {
	{ "add", 1, NULL, 'a' },
	{ "blocksize", 2, NULL, VIRT_BLOCKSIZE },
	{ "connect", 1, NULL, 'c' },
	{ "domain", 1, NULL, 'd' },
	{ "format", 2, NULL, VIRT_FORMAT },
	{ "help", 0, NULL, VIRT_HELP },
	{ "long-options", 0, NULL, VIRT_LONG_OPTIONS },
	{ "quiet", 0, NULL, 'q' },
	{ "short-options", 0, NULL, VIRT_SHORT_OPTIONS },
	{ "uuid", 0, NULL, OPT_UUID },
	{ "verbose", 0, NULL, 'v' },
	{ "version", 0, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static const char usage[] =
	"usage: virt-alignment-scan [options]\n"
	"       virt-alignment-scan [options] -d DOMAIN\n"
	"       virt-alignment-scan [options] -a DISK [-a DISK...]\n\n"
	"Tells whether the partitions of a guest are aligned; of all guests that libvirt knows, if none is named.\n\n"
	"  -a, --add DISK            a disk of the guest\n"
	"      --blocksize[=N]       sector size of the disk, 512 or 4096\n"
	VIRT_DOMAIN_HELP
	"      --format[=FMT]        format of the disks behind it; without FMT it is found\n"
	"  -P N                      at most N guests at once\n"
	"  -q, --quiet               print nothing: the exit status tells\n"
	"      --uuid                UUIDs rather than names of libvirt guests\n"
	"  -v, --verbose; -x         tell what is done\n"
	"  -V, --version             print the version\n"
	"      --help                print this help\n";

struct scan {
	struct virt virt;
	bool quiet, uuid;
	uint64_t threads; /* 0: not told */
	struct guest_set set;
	atomic_int worst; /* EXIT_DONE, EXIT_BELOW_64K, EXIT_BELOW_4K */
};

/* By disks, and on a disk by where they begin. */
static int by_place(const void *a, const void *b, void *volumes)
{
	const struct dry_volume *v = volumes;
	const struct dry_volume *x = &v[*(const size_t *)a], *y = &v[*(const size_t *)b];

	if (x->disk != y->disk)
		return x->disk < y->disk ? -1 : 1;
	return x->off < y->off ? -1 : x->off > y->off;
}

/* A filesystem on a disk without a table is the one partition that parted sees there. */
static bool is_whole_disk(const struct dry_volume *v)
{
	return strcmp(v->scheme, "disk") == 0 && v->fs_readable;
}

static void judge(struct scan *s, struct strbuf *out, const char *guest, const struct dry_volume *v)
{
	uint64_t align = v->off ? v->off & -v->off : 0; /* 0: at multiples of anything */
	int found = !align || align >= 64 << 10 ? EXIT_DONE : align >= 4 << 10 ? EXIT_BELOW_64K : EXIT_BELOW_4K;
	int worst = atomic_load(&s->worst);

	while (found > worst && !atomic_compare_exchange_weak(&s->worst, &worst, found))
		;
	if (s->quiet)
		return;
	strbuf_printf(out, "%s%s%s%s %12" PRIu64 " ", guest ? guest : "", guest ? ":" : "", v->name,
		      is_whole_disk(v) ? "1" : "", v->off);
	if (align >= 1 << 10)
		strbuf_printf(out, "%12" PRIu64 "K   ", align >> 10);
	else if (align)
		strbuf_printf(out, "%12" PRIu64 "    ", align);
	else
		strbuf_puts(out, "- ");
	strbuf_puts(out, found == EXIT_DONE ? "ok\n"
			 : found == EXIT_BELOW_64K ? "bad (alignment < 64K)\n"
						   : "bad (alignment < 4K)\n");
}

static int scan_guest(void *arg, struct guest_ref *g, const struct guest_item *items, size_t nitems)
{
	struct scan *s = arg;
	/* Only where there may be several is each named. */
	const struct domain *d = s->virt.nimages ? NULL : &s->virt.domains[g - s->set.guests];
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	struct dry_error e = { .code = DRY_OK };
	const struct dry_volume *v;
	CLEANUP(free_ptr) size_t *order = NULL;
	size_t n, parts = 0;

	(void)items;
	(void)nitems;
	if (dry_guest_volumes(g->guest, &v, &n, &e) < 0)
		return guest_fail(g, &e);
	order = alloc_array(n + 1, sizeof *order);
	if (!order)
		return EXIT_FAILED;
	for (size_t i = 0; i < n; i++)
		if (v[i].number || is_whole_disk(&v[i]))
			order[parts++] = i;
	qsort_r(order, parts, sizeof *order, by_place, (void *)v);
	for (size_t i = 0; i < parts; i++)
		judge(s, &out, !d ? NULL : s->uuid && d->uuid ? d->uuid : d->name, &v[order[i]]);
	return guest_out(g, &out);
}

static int scan(struct scan *s)
{
	struct guest_run run = { .opts = &s->virt.opts, .set = &s->set, .work = scan_guest, .arg = s,
				 .threads = (unsigned)MIN_OF(s->threads, 1024u) };
	bool fatal;
	int rc = s->virt.nimages ? virt_set_of_images(&s->virt, &s->set) : virt_set_of_all_domains(&s->virt, &s->set);
	int status = EXIT_DONE;

	if (rc != VIRT_GO_ON)
		return rc;
	if (virt_open_set(&s->virt, &s->set, &fatal) != VIRT_GO_ON)
		status = EXIT_FAILED;
	if (!fatal)
		status |= guest_run(&run);
	return status ? EXIT_FAILED : atomic_load(&s->worst);
}

static int own_option(struct scan *s, int c)
{
	switch (c) {
	case 'q':
		s->quiet = true;
		break;
	case OPT_UUID:
		s->uuid = true;
		break;
	case 'P':
		if (!text_parse_u64(optarg, &s->threads)) {
			fprintf(stderr, "virt-alignment-scan: -P: \"%s\" is not a number\n", optarg);
			return EXIT_FAILED;
		}
		break;
	default:
		return virt_option(&s->virt, c, NULL);
	}
	return VIRT_GO_ON;
}

int virt_alignment_scan(int argc, char **argv)
{
	struct scan s = { .virt = { .name = "virt-alignment-scan", .letters = "a:c:d:P:qvVx", .options = options,
				    .usage = usage } };
	int c, rc = VIRT_GO_ON;

	while (rc == VIRT_GO_ON && (c = getopt_long(argc, argv, s.virt.letters, options, NULL)) != -1)
		rc = own_option(&s, c);
	if (rc == VIRT_GO_ON)
		rc = virt_options_end(&s.virt);
	if (rc == VIRT_GO_ON && optind < argc)
		rc = virt_usage(&s.virt);
	if (rc == VIRT_GO_ON)
		rc = scan(&s);
	guest_set_free(&s.set);
	virt_free(&s.virt);
	return rc;
}
