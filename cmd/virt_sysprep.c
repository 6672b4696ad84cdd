/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virt_sysprep.c - the program under the name virt-sysprep.
 *
 * The operations that only drydock has are neither listed nor done.  As with the peer the guest's programs have no network unless
 * --network is given.
 */
#include "virt_customize.h"

#include "alloc.h"
#include "text.h"

#include <stdio.h>

enum { SYS_COLOURS = VIRT_OWN, SYS_ENABLE, SYS_OPERATIONS, SYS_LIST, SYS_KEEP, SYS_REMOVE, SYS_MOUNT, SYS_NETWORK, SYS_NO_NETWORK,
       SYS_SCRIPT, SYS_WRAP };

static const struct option own[] = {
	{ "add", 1, NULL, 'a' },
	{ "color", 0, NULL, SYS_COLOURS },
	{ "colors", 0, NULL, SYS_COLOURS },
	{ "colour", 0, NULL, SYS_COLOURS },
	{ "colours", 0, NULL, SYS_COLOURS },
	{ "connect", 1, NULL, 'c' },
	{ "domain", 1, NULL, 'd' },
	{ "dry-run", 0, NULL, 'n' },
	{ "dryrun", 0, NULL, 'n' },
	{ "echo-keys", 0, NULL, VIRT_ECHO_KEYS },
	{ "enable", 1, NULL, SYS_ENABLE },
	{ "format", 1, NULL, VIRT_FORMAT },
	{ "help", 0, NULL, VIRT_HELP },
	{ "keep-user-accounts", 1, NULL, SYS_KEEP },
	{ "key", 1, NULL, VIRT_KEY },
	{ "keys-from-stdin", 0, NULL, VIRT_KEYS_FROM_STDIN },
	{ "list-operations", 0, NULL, SYS_LIST },
	{ "long-options", 0, NULL, VIRT_LONG_OPTIONS },
	{ "mount-options", 1, NULL, SYS_MOUNT },
	{ "network", 0, NULL, SYS_NETWORK },
	{ "no-network", 0, NULL, SYS_NO_NETWORK },
	{ "operation", 1, NULL, SYS_OPERATIONS },
	{ "operations", 1, NULL, SYS_OPERATIONS },
	{ "quiet", 0, NULL, 'q' },
	{ "remove-user-accounts", 1, NULL, SYS_REMOVE },
	{ "script", 1, NULL, SYS_SCRIPT },
	{ "scriptdir", 1, NULL, SYS_SCRIPT },
	{ "short-options", 0, NULL, VIRT_SHORT_OPTIONS },
	{ "verbose", 0, NULL, 'v' },
	{ "version", 0, NULL, 'V' },
	{ "wrap", 0, NULL, SYS_WRAP },
	{ NULL, 0, NULL, 0 },
};

static const char usage[] =
	"Usage: virt-sysprep [--options] -d domname\n"
	"       virt-sysprep [--options] -a disk.img [-a disk.img ...]\n\n"
	"Options:\n"
	"  -a, --add FILE            a disk of the guest\n"
	VIRT_DOMAIN_HELP
	"      --enable OPERATIONS   do these operations alone\n"
	"      --operations OPERATIONS\n"
	"                            do these; defaults, all; -NAME takes one away\n"
	"      --list-operations     list them, * those that are done by default\n"
	"      --keep-user-accounts USERS, --remove-user-accounts USERS\n"
	"                            user-account: these stay; these alone go\n"
	"      --format FMT          format of the images that follow\n"
	"  -n, --dry-run             do all, and throw it away\n"
	"      --network, --no-network\n"
	"                            whether programs of the guest reach the network (they do not)\n"
	"  -q, --quiet               print nothing but errors\n"
	VIRT_KEYS_HELP
	"  -v, --verbose             tell what is done\n"
	"  -V, --version             print the version\n"
	"      --help                print this help\n\n"
	"The operations of virt-customize are done, too.\n";

static int list(void)
{
	struct dry_sysprep_op op;

	for (size_t i = 0; dry_sysprep_op_at(i, &op); i++)
		if (!op.own)
			printf("%s %s %s\n", op.name, op.by_default ? "*" : " ", op.help);
	return EXIT_DONE;
}

static int option(struct virt_customize *z, struct dry_sysprep_how *how, int c, const char *long_name)
{
	switch (c) {
	case SYS_ENABLE:
		how->enable = optarg;
		return VIRT_GO_ON;
	case SYS_OPERATIONS:
		how->operations = optarg;
		return VIRT_GO_ON;
	case SYS_LIST:
		return list();
	case SYS_KEEP:
		how->keep_accounts = optarg;
		return VIRT_GO_ON;
	case SYS_REMOVE:
		how->remove_accounts = optarg;
		return VIRT_GO_ON;
	case SYS_MOUNT:
		return virt_customize_fail(z, "--mount-options: what is mounted and how is found by itself");
	case SYS_SCRIPT:
		return virt_customize_fail(z, "--script: the guest is not mounted on the host; --run runs a script in it");
	case SYS_NETWORK:
	case SYS_NO_NETWORK:
		z->network = c == SYS_NETWORK;
		return VIRT_GO_ON;
	case SYS_COLOURS:
	case SYS_WRAP: /* how lines look on a terminal: they are as they are in a file */
		return VIRT_GO_ON;
	default:
		return virt_customize_option(z, c, long_name);
	}
}

static int run(struct virt_customize *z, struct dry_sysprep_how *how)
{
	struct dry_error e = { .code = DRY_OK };
	int rc;

	if (dry_sysprep_judge(how, &e) < 0)
		return virt_customize_fail(z, e.msg);
	rc = virt_customize_begin(z);
	if (rc != VIRT_GO_ON)
		return rc;
	how->customize = z->job.ops;
	how->how = customize_how(&z->job);
	return dry_sysprep_run(z->change, how, &e) < 0 ? virt_customize_fail(z, e.msg) : EXIT_DONE;
}

int virt_sysprep(int argc, char **argv)
{
	struct virt_customize z = { .v = { .name = "virt-sysprep", .letters = "a:c:d:nqvVx", .usage = usage } };
	struct dry_sysprep_how how = { .peer = true };
	int c, index = 0, rc = VIRT_GO_ON;

	virt_customize_options(&z, own);
	while (rc == VIRT_GO_ON && (c = getopt_long(argc, argv, z.v.letters, z.options, &index)) != -1)
		rc = option(&z, &how, c, z.options[index].name);
	if (rc == VIRT_GO_ON && optind < argc)
		rc = virt_usage(&z.v);
	if (rc == VIRT_GO_ON)
		rc = run(&z, &how);
	return virt_customize_end(&z, rc);
}
