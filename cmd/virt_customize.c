/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virt_customize.c - the program under the name virt-customize.
 *
 * Operations and their words are those of drydock customize.  As with the peer the guest's programs have a network unless
 * --no-network is given; that there is no log of them in the guest is the same as with --no-logfile.
 */
#include "virt_customize.h"

#include "alloc.h"
#include "limits.h"
#include "text.h"

#include <stdio.h>

enum { CUST_ATTACH = VIRT_OWN, CUST_ATTACH_FORMAT, CUST_COLOURS, CUST_NETWORK, CUST_NO_NETWORK, CUST_SMP, CUST_WRAP };

static const struct option own[] = {
	{ "add", 1, NULL, 'a' },
	{ "attach", 1, NULL, CUST_ATTACH },
	{ "attach-format", 1, NULL, CUST_ATTACH_FORMAT },
	{ "color", 0, NULL, CUST_COLOURS },
	{ "colors", 0, NULL, CUST_COLOURS },
	{ "colour", 0, NULL, CUST_COLOURS },
	{ "colours", 0, NULL, CUST_COLOURS },
	{ "connect", 1, NULL, 'c' },
	{ "domain", 1, NULL, 'd' },
	{ "dry-run", 0, NULL, 'n' },
	{ "dryrun", 0, NULL, 'n' },
	{ "echo-keys", 0, NULL, VIRT_ECHO_KEYS },
	{ "format", 1, NULL, VIRT_FORMAT },
	{ "help", 0, NULL, VIRT_HELP },
	{ "key", 1, NULL, VIRT_KEY },
	{ "keys-from-stdin", 0, NULL, VIRT_KEYS_FROM_STDIN },
	{ "long-options", 0, NULL, VIRT_LONG_OPTIONS },
	{ "memsize", 1, NULL, 'm' },
	{ "network", 0, NULL, CUST_NETWORK },
	{ "no-network", 0, NULL, CUST_NO_NETWORK },
	{ "quiet", 0, NULL, 'q' },
	{ "short-options", 0, NULL, VIRT_SHORT_OPTIONS },
	{ "smp", 1, NULL, CUST_SMP },
	{ "verbose", 0, NULL, 'v' },
	{ "version", 0, NULL, 'V' },
	{ "wrap", 0, NULL, CUST_WRAP },
	{ NULL, 0, NULL, 0 },
};

static const char usage[] =
	"Usage: virt-customize [--options] -d domname\n"
	"       virt-customize [--options] -a disk.img [-a disk.img ...]\n\n"
	"Options:\n"
	"  -a, --add FILE            a disk of the guest\n"
	VIRT_DOMAIN_HELP
	"      --format FMT          format of the images that follow\n"
	"  -m, --memsize MB          memory of the machine\n"
	"  -n, --dry-run             do all, and throw it away\n"
	"      --network, --no-network\n"
	"                            whether programs of the guest reach the network (they do)\n"
	"  -q, --quiet               print nothing but errors\n"
	"      --smp N               processors of the machine\n"
	VIRT_KEYS_HELP
	"  -v, --verbose             tell what is done\n"
	"  -V, --version             print the version\n"
	"      --help                print this help\n\n"
	"Operations, which \"drydock customize --help\" explains:\n"
	"  --append-line --chmod --chown --commands-from-file --copy --copy-in --delete --edit --firstboot --firstboot-command\n"
	"  --firstboot-install --hostname --inject-blnsvr --inject-qemu-ga --inject-virtio-win --install --link --mkdir\n"
	"  --move --no-logfile --password --password-crypto --root-password --run --run-command --scrub --selinux-relabel\n"
	"  --selinux-relabel-at-boot --selinux-relabel-excludes --ssh-inject --tar-in --timezone --touch --truncate\n"
	"  --truncate-recursive --uninstall --update --upload --write\n";

/* ---- what the two tools share ---- */

int virt_customize_fail(const struct virt_customize *z, const char *sentence)
{
	fprintf(stderr, "%s: error: %s\n", z->v.name, sentence);
	return EXIT_FAILED;
}

void virt_customize_say(void *arg, const char *line)
{
	const struct virt_customize *z = arg;
	struct timespec now;

	if (z->quiet && !strstr(line, "random password"))
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	printf("[%6.1f] %s\n",
	       (double)(now.tv_sec - z->began.tv_sec) + (double)(now.tv_nsec - z->began.tv_nsec) / 1e9, line);
	fflush(stdout);
}

void virt_customize_options(struct virt_customize *z, const struct option *mine)
{
	static const struct option more[] = {
		{ "sm-attach", 1, NULL, VIRT_CUSTOMIZE_SM },   { "sm-credentials", 1, NULL, VIRT_CUSTOMIZE_SM },
		{ "sm-register", 0, NULL, VIRT_CUSTOMIZE_SM }, { "sm-remove", 0, NULL, VIRT_CUSTOMIZE_SM },
		{ "sm-unregister", 0, NULL, VIRT_CUSTOMIZE_SM },
	};
	struct dry_customize_op op;

	for (; mine->name; mine++)
		z->options[z->noptions++] = *mine;
	for (int i = 0; dry_customize_op_at((size_t)i, &op); i++)
		if (!op.own)
			z->options[z->noptions++] = (struct option){ op.name, op.arg ? 1 : 0, NULL, VIRT_CUSTOMIZE_OP + i };
	for (size_t i = 0; i < ARRAY_LEN(more); i++)
		z->options[z->noptions++] = more[i];
	z->v.options = z->options;
	clock_gettime(CLOCK_MONOTONIC, &z->began);
}

static int number(const struct virt_customize *z, const char *text, uint64_t most, uint64_t *out)
{
	return text_parse_u64(text, out) && *out <= most ? VIRT_GO_ON : virt_customize_fail(z, "a number of an option is wrong");
}

int virt_customize_option(struct virt_customize *z, int c, const char *long_name)
{
	struct dry_customize_op op;

	if (c >= VIRT_CUSTOMIZE_OP && c < VIRT_CUSTOMIZE_SM && dry_customize_op_at((size_t)(c - VIRT_CUSTOMIZE_OP), &op))
		return opt_event_add(&z->events, op.name, op.arg ? optarg : NULL) ? VIRT_GO_ON : EXIT_FAILED;
	switch (c) {
	case VIRT_CUSTOMIZE_SM:
		return virt_customize_fail(z, "subscription-manager is not driven by drydock: use --run-command");
	case 'n':
		z->dry_run = true;
		return VIRT_GO_ON;
	case 'q':
		z->quiet = true;
		return VIRT_GO_ON;
	case VIRT_FORMAT:
		z->v.format = strcmp(optarg, "auto") == 0 ? NULL : optarg;
		z->v.format_unused = true;
		return VIRT_GO_ON;
	default:
		return virt_option(&z->v, c, long_name);
	}
}

int virt_customize_begin(struct virt_customize *z)
{
	struct change_host host = { .write_dir = -1, .keep_images = z->dry_run };
	struct dry_error e = { .code = DRY_OK };
	int rc = virt_options_end(&z->v);

	if (rc != VIRT_GO_ON)
		return rc;
	if (!z->v.nimages)
		return virt_customize_fail(z, "you must give either -a or -d options");
	z->job.say = virt_customize_say;
	z->job.arg = z;
	z->job.quiet = z->quiet;
	z->job.network = z->network;
	if (customize_take(&z->job, &z->events, &e) < 0)
		return virt_customize_fail(z, e.msg);
	host.read_paths = z->job.paths.items;
	host.nread = z->job.paths.n;
	z->v.opts.machine = (struct dry_machines_how){ .memory = z->memsize * MiB,
						       .smp = (unsigned)z->smp,
						       .network = z->network && dry_customize_runs(z->job.ops) };
	virt_customize_say(z, "Examining the guest ...");
	return virt_change_begin(&z->v, &host, &z->change);
}

int virt_customize_end(struct virt_customize *z, int status)
{
	if (z->dry_run) {
		dry_change_abandon(z->change);
		z->change = NULL;
	}
	status = virt_change_end(&z->v, z->change, status);
	customize_job_free(&z->job);
	opt_events_free(&z->events);
	virt_free(&z->v);
	return status;
}

/* ---- virt-customize ---- */

static int option(struct virt_customize *z, int c, const char *long_name)
{
	switch (c) {
	case CUST_ATTACH:
	case CUST_ATTACH_FORMAT:
		return virt_customize_fail(z, "--attach: disks for the scripts' use are not attached; --upload or "
					      "--copy-in brings what they need");
	case CUST_NETWORK:
		z->network = true;
		return VIRT_GO_ON;
	case CUST_NO_NETWORK:
		z->network = false;
		return VIRT_GO_ON;
	case 'm':
		return number(z, optarg, UINT32_MAX, &z->memsize);
	case CUST_SMP:
		return number(z, optarg, 1024, &z->smp);
	case CUST_COLOURS:
	case CUST_WRAP: /* how lines look on a terminal: they are as they are in a file */
		return VIRT_GO_ON;
	default:
		return virt_customize_option(z, c, long_name);
	}
}

int virt_customize(int argc, char **argv)
{
	struct virt_customize z = { .v = { .name = "virt-customize", .letters = "a:c:d:m:nqvVx", .usage = usage },
				    .network = true };
	struct dry_error e = { .code = DRY_OK };
	int c, index = 0, rc = VIRT_GO_ON;

	virt_customize_options(&z, own);
	while (rc == VIRT_GO_ON && (c = getopt_long(argc, argv, z.v.letters, z.options, &index)) != -1)
		rc = option(&z, c, z.options[index].name);
	if (rc == VIRT_GO_ON && optind < argc)
		rc = virt_usage(&z.v);
	if (rc == VIRT_GO_ON)
		rc = virt_customize_begin(&z);
	if (rc == VIRT_GO_ON)
		rc = customize_do(&z.job, z.change, &e) < 0 ? virt_customize_fail(&z, e.msg) : EXIT_DONE;
	if (z.change && rc == EXIT_DONE)
		virt_customize_say(&z, "Finishing off");
	return virt_customize_end(&z, rc);
}
