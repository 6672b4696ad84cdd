/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virt_rescue.c - the program under the name virt-rescue. */
#include "alloc.h"
#include "limits.h"
#include "rescue.h"
#include "text.h"
#include "virt.h"

#include <stdio.h>

enum { OPT_APPEND = VIRT_OWN, OPT_MEMSIZE, OPT_NETWORK, OPT_SCRATCH, OPT_SELINUX, OPT_SMP, OPT_SUGGEST, OPT_APPLIANCE };

static const struct option options[] = {
	{ "add", 1, NULL, 'a' },
	{ "append", 1, NULL, OPT_APPEND },
	{ "blocksize", 2, NULL, VIRT_BLOCKSIZE },
	{ "connect", 1, NULL, 'c' },
	{ "domain", 1, NULL, 'd' },
	{ "format", 2, NULL, VIRT_FORMAT },
	{ "help", 0, NULL, VIRT_HELP },
	{ "inspector", 0, NULL, 'i' },
	{ "long-options", 0, NULL, VIRT_LONG_OPTIONS },
	{ "mount", 1, NULL, 'm' },
	{ "memsize", 1, NULL, OPT_MEMSIZE },
	{ "network", 0, NULL, OPT_NETWORK },
	{ "ro", 0, NULL, 'r' },
	{ "rw", 0, NULL, 'w' },
	{ "scratch", 2, NULL, OPT_SCRATCH },
	{ "selinux", 0, NULL, OPT_SELINUX },
	{ "short-options", 0, NULL, VIRT_SHORT_OPTIONS },
	{ "smp", 1, NULL, OPT_SMP },
	{ "suggest", 0, NULL, OPT_SUGGEST },
	{ "verbose", 0, NULL, 'v' },
	{ "version", 0, NULL, 'V' },
	/* Not the peer's. */
	{ "echo-keys", 0, NULL, VIRT_ECHO_KEYS },
	{ "key", 1, NULL, VIRT_KEY },
	{ "keys-from-stdin", 0, NULL, VIRT_KEYS_FROM_STDIN },
	{ NULL, 0, NULL, 0 },
};
static const char *const beyond[] = { "echo-keys", "key", "keys-from-stdin", NULL };

static const char usage[] =
	"usage: virt-rescue [options] -a DISK [-a DISK...] [-i]\n\n"
	"Starts a shell in a small machine that has the guest's disks.\n\n"
	"  -a, --add DISK            a disk of the guest\n"
	"      --append WORDS        further words for the machine's kernel\n"
	"      --blocksize[=N]       sector size of the disk, 512 or 4096\n"
	VIRT_DOMAIN_HELP
	"  -e none|KEY               the escape key: \"^x\" or a character; ^]\n"
	"      --format[=FMT]        format of the disks behind it; without FMT it is found\n"
	"  -i, --inspector           mount the guest as it would mount itself, below /sysroot\n"
	VIRT_KEYS_HELP
	"      --memsize MB          memory of the machine\n"
	"  -m, --mount DEV[:DIR[:OPTIONS[:TYPE]]]\n"
	"                            mount this below /sysroot\n"
	"      --network             let the machine reach the network\n"
	"  -r, --ro                  throw away what is written; the default\n"
	"      --scratch[=N]         a disk more (or N) of 10 GiB, to be thrown away\n"
	"      --smp N               processors of the machine\n"
	"      --suggest             print the commands that mount the guest, and no more\n"
	"  -w, --rw                  write to the images\n"
	"  -v, --verbose; -x         tell what is done\n"
	"  -V, --version             print the version\n"
	"      --help                print this help\n";

struct virt_rescue {
	struct virt virt;
	struct rescue rescue;
	bool rw;
	uint64_t memsize, smp;
};

static bool number(const struct virt *v, const char *what, const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
	if (text_parse_u64(text, out) && *out >= least && *out <= most)
		return true;
	fprintf(stderr, "%s: --%s: \"%s\" is no number from %llu to %llu\n", v->name, what, text, (unsigned long long)least,
		(unsigned long long)most);
	return false;
}

static int add_scratch(struct virt *v, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		struct virt_image *images = alloc_resize(v->images, v->nimages + 1, sizeof *images);

		if (!images) {
			fprintf(stderr, "%s: out of memory\n", v->name);
			return EXIT_FAILED;
		}
		v->images = images;
		v->images[v->nimages++] = (struct virt_image){ .name = rescue_scratch };
	}
	return VIRT_GO_ON;
}

static int option(struct virt_rescue *r, int o, const char *long_name)
{
	struct virt *v = &r->virt;
	uint64_t n = 1;

	switch (o) {
	case OPT_APPEND:
		v->opts.machine.append = optarg;
		return VIRT_GO_ON;
	case OPT_MEMSIZE:
		return number(v, "memsize", optarg, 1, 1 << 20, &r->memsize) ? VIRT_GO_ON : EXIT_FAILED;
	case OPT_SMP:
		return number(v, "smp", optarg, 1, 255, &r->smp) ? VIRT_GO_ON : EXIT_FAILED;
	case OPT_SCRATCH:
		return optarg && !number(v, "scratch", optarg, 1, 64, &n) ? EXIT_FAILED : add_scratch(v, n);
	case OPT_NETWORK:
		v->opts.machine.network = true;
		return VIRT_GO_ON;
	case OPT_SELINUX: /* the peer ignores it, too */
		return VIRT_GO_ON;
	case OPT_SUGGEST:
		r->rescue.suggest = true;
		return VIRT_GO_ON;
	case 'e':
		if (rescue_escape_parse(optarg, &r->rescue.escape))
			return VIRT_GO_ON;
		fprintf(stderr, "%s: -e: \"%s\" is neither \"none\", \"^x\" nor a character\n", v->name, optarg);
		return EXIT_FAILED;
	case 'i':
		r->rescue.inspect = true;
		return VIRT_GO_ON;
	case 'r':
		r->rw = false;
		return VIRT_GO_ON;
	case 'w':
		r->rw = true;
		return VIRT_GO_ON;
	default:
		return virt_option(v, o, long_name);
	}
}

static int run(struct virt_rescue *r, int argc, char **argv)
{
	struct virt *v = &r->virt;
	CLEANUP(guest_set_free) struct guest_set set = { .guests = NULL };
	const bool writes = r->rw && !r->rescue.suggest;
	const struct guest_confine confine = {
		.write_dir = -1,
		.trust_backing = true,
		.image_flags = writes ? DRY_OPEN_WRITE | DRY_OPEN_GUESS_WRITE : DRY_OPEN_TEMPORARY,
		.scratch = rescue_scratch,
		.shell = !r->rescue.suggest,
	};
	bool fatal;
	int rc = VIRT_GO_ON;

	for (int i = optind; i < argc && rc == VIRT_GO_ON; i++)
		rc = virt_add_operand(v, argv[i]);
	if (rc == VIRT_GO_ON)
		rc = virt_options_end(v);
	if (rc != VIRT_GO_ON)
		return rc;
	if (!v->nimages) {
		fprintf(stderr, "%s: error: you must specify at least one -a or -d option.\n", v->name);
		return virt_usage(v);
	}
	if (r->rescue.inspect && v->mounts.n) {
		fprintf(stderr, "%s: -i and -m exclude each other\n", v->name);
		return EXIT_FAILED;
	}
	/* A guest that runs is looked at as well, but not written to. */
	v->opts.image.force_share = !writes;
	v->opts.verbose = v->verbose;
	v->opts.keys.peer = v->name;
	v->opts.keys.ask |= v->opts.keys.echo;
	v->opts.needs_machine = !r->rescue.suggest;
	v->opts.machine.memory = r->memsize * MiB;
	v->opts.machine.smp = (unsigned)r->smp;
	rc = virt_set_of_images(v, &set);
	if (rc != VIRT_GO_ON)
		return rc;
	v->opts.mounts = v->mounts;
	v->mounts = (struct opt_list){ NULL, 0 };
	if (guest_set_open(&v->opts, &confine, &set, &fatal) || fatal)
		return EXIT_FAILED;
	r->rescue.name = v->name;
	r->rescue.opts = &v->opts;
	return rescue_run(&r->rescue, &set.guests[0]);
}

int virt_rescue(int argc, char **argv)
{
	struct virt_rescue r = {
		.virt = { .name = "virt-rescue", .letters = "a:c:d:e:im:rvVwx", .options = options, .beyond = beyond,
			  .usage = usage },
		.rescue = { .escape = RESCUE_ESCAPE },
	};
	int o, index, rc = VIRT_GO_ON;

	while (rc == VIRT_GO_ON && (o = getopt_long(argc, argv, r.virt.letters, options, &index)) != -1)
		rc = option(&r, o, o >= VIRT_HELP ? options[index].name : NULL);
	if (rc == VIRT_GO_ON)
		rc = cmd_done(run(&r, argc, argv));
	virt_free(&r.virt);
	return rc;
}
