/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * redo_tool.c - changes disks in a transaction, as commands do that change guests, without a guest.
 *
 *	redo_tool [-u UNDO] [-k N] [-s SECRET] FORMAT:IMAGE... -- OFF:LEN:BYTE...
 *
 * The same bytes are written to each disk.  -k N: it is killed at the Nth write to the images, once the change counts.  -s: as
 * --object, and its id is k: the images are encrypted.
 */
#include "block_driver.h"
#include "redo.h"
#include "secret.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 16 };

static struct fault_plan plan;
static unsigned long die_at;
static struct secrets secrets = SECRETS_INIT;

static void at_write(void *arg, enum fault_kind kind, const void *buf, uint64_t len, uint64_t off)
{
	(void)arg, (void)kind, (void)buf, (void)len, (void)off;
	if (atomic_load(&plan.nwrites) >= die_at)
		raise(SIGKILL);
}

static int fail(const struct err *e)
{
	fprintf(stderr, "redo_tool: %s\n", e->msg);
	return 1;
}

static int open_disk(char *arg, struct block **out, struct err *e)
{
	char *colon = strchr(arg, ':');
	struct dict opts = DICT_INIT;
	struct block_open how = { .format = arg, .flags = BLOCK_WRITE, .opts = &opts, .secrets = &secrets };
	struct block *over;
	int rc = 0;

	if (!colon)
		return err_set(e, ERR_USAGE, "%s: not FORMAT:IMAGE", arg);
	*colon = '\0';
	if (secrets.items)
		rc = dict_set(&opts, strcmp(arg, "luks") == 0 ? "key-secret" : "encrypt.key-secret", "k", e);
	if (rc == 0)
		rc = block_open(colon + 1, &how, out, e);
	dict_free(&opts);
	if (rc < 0 || !die_at)
		return rc;
	rc = block_fault((*out)->file, &plan, &over, e);
	if (rc < 0)
		return rc;
	over->flags = (*out)->file->flags;
	block_unref((*out)->file);
	(*out)->file = over;
	return 0;
}

static int write_bytes(struct block *disk, const char *arg, struct err *e)
{
	unsigned long long off, len;
	char c, *buf;
	int rc;

	if (sscanf(arg, "%llu:%llu:%c", &off, &len, &c) != 3)
		return err_set(e, ERR_USAGE, "%s: not OFF:LEN:BYTE", arg);
	buf = malloc(len);
	if (!buf)
		return err_nomem(e);
	memset(buf, c, len);
	rc = block_pwrite(disk, buf, len, off, e);
	free(buf);
	return rc;
}

int main(int argc, char **argv)
{
	struct block *disks[MOST];
	struct redo_result result;
	struct redo *r;
	const char *undo = NULL;
	struct err e = ERR_INIT;
	size_t n = 0;
	int opt, rc = 0;

	while ((opt = getopt(argc, argv, "+u:k:s:")) != -1) {
		if (opt == 'u')
			undo = optarg;
		else if (opt == 'k')
			die_at = strtoul(optarg, NULL, 10);
		else if (opt != 's')
			return 2;
		else if (secrets_add_object(&secrets, optarg, &e) < 0)
			return fail(&e);
	}
	plan.record = at_write;
	for (; optind < argc && strcmp(argv[optind], "--") != 0 && n < MOST; optind++, n++)
		if (open_disk(argv[optind], &disks[n], &e) < 0)
			return fail(&e);
	if (redo_begin(disks, n, &r, &e) < 0 || (undo && redo_keep_undo(r, undo, &e) < 0))
		return fail(&e);
	for (optind++; optind < argc; optind++)
		for (size_t i = 0; i < n && rc == 0; i++)
			rc = write_bytes(redo_disk(r, i), argv[optind], &e);
	if (rc == 0)
		rc = redo_commit(r, NULL, &result, NULL, &e);
	redo_free(r);
	while (n)
		block_unref(disks[--n]);
	secrets_free(&secrets);
	if (rc < 0)
		return fail(&e);
	printf("%llu\n", (unsigned long long)result.blocks);
	return 0;
}
