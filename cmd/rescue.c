/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rescue.c - the command "rescue": a shell in a small machine that has the guest's disks. */
#include "rescue.h"

#include "alloc.h"
#include "limits.h"
#include "strbuf.h"
#include "text.h"

#include <stdio.h>

/* As large as anybody tries things with. */
const char rescue_scratch[] = "json:{\"driver\": \"null-co\", \"size\": 10737418240, \"read-zeroes\": true}";

bool rescue_escape_parse(const char *text, int *out)
{
	if (strcmp(text, "none") == 0) {
		*out = -1;
		return true;
	}
	if (text[0] == '^' && text[1] && !text[2] &&
	    ((text[1] >= '@' && text[1] <= '_') || (text[1] >= 'a' && text[1] <= 'z'))) {
		*out = text[1] & 0x1f;
		return true;
	}
	*out = (unsigned char)text[0];
	return text[0] && !text[1];
}

/* ---- what is to be mounted, and what is there ---- */

static void line(struct strbuf *b, const char *title, const char *value)
{
	if (!value || !*value)
		return;
	strbuf_printf(b, "%s: ", title);
	text_quote(b, value, strlen(value));
	strbuf_putc(b, '\n');
}

/* What the user is told of the guest: read by ourselves, before the machine has its disks.  0, or < 0 with *e filled. */
static int describe(struct dry_guest *g, struct strbuf *info, struct dry_error *e)
{
	struct dry_os os;
	struct dry_mount m;
	int rc = dry_guest_mount_auto(g, false, e);

	if (rc < 0)
		return rc;
	if (dry_guest_os(g, &os, NULL) >= 0) {
		line(info, "system", os.product_name ? os.product_name : os.distro_id);
		line(info, "version", os.version_id);
		line(info, "host name", os.hostname);
	}
	for (size_t i = 0; dry_guest_mount_at(g, i, &m); i++) {
		strbuf_printf(info, "%s (%s) is on /sysroot", m.volume, m.fs_type);
		if (strcmp(m.path, "/") != 0)
			text_quote(info, m.path, strlen(m.path));
		strbuf_putc(info, '\n');
	}
	return 0;
}

/* As commands by hand; the names are those in the machine. */
static int suggest(struct dry_guest *g, struct dry_error *e)
{
	const struct dry_root *roots;
	size_t n;
	int rc = dry_guest_roots(g, &roots, &n, e);

	for (size_t i = 0; i < n && rc >= 0; i++) {
		struct dry_mount m;
		struct dry_os os;

		rc = dry_guest_mount_root(g, i, e);
		if (rc < 0)
			break;
		printf("# %s", roots[i].volume);
		if (dry_guest_os(g, &os, NULL) >= 0 && os.product_name) {
			CLEANUP(strbuf_free) struct strbuf quoted = STRBUF_INIT;

			text_quote(&quoted, os.product_name, strlen(os.product_name));
			printf(" has %s", quoted.s);
		}
		putchar('\n');
		for (size_t k = 0; dry_guest_mount_at(g, k, &m); k++) {
			printf("mount");
			if (m.subvolume)
				printf(" -o subvolid=%llu", (unsigned long long)m.subvolume);
			printf(" %s /sysroot%s\n", m.volume, strcmp(m.path, "/") == 0 ? "" : m.path);
		}
		printf("mount --rbind /dev /sysroot/dev\nmount --rbind /proc /sysroot/proc\nmount --rbind /sys /sysroot/sys\n\n");
		dry_guest_unmount(g);
	}
	if (rc >= 0 && n == 0)
		printf("# no operating system was found\n");
	return rc;
}

int rescue_run(const struct rescue *r, struct guest_ref *g)
{
	const struct opt_list *texts = &r->opts->mounts;
	CLEANUP(free_ptr) struct dry_shell_mount *mounts = alloc_array(texts->n + 1, sizeof *mounts);
	CLEANUP(free_ptr) char **copies = alloc_array(texts->n + 1, sizeof *copies);
	CLEANUP(strbuf_free) struct strbuf info = STRBUF_INIT;
	struct dry_error e = { .code = DRY_OK };
	struct dry_shell_how how = { .mounts = mounts, .nmounts = texts->n, .inspect = r->inspect };
	int rc = 0;

	if (!mounts || !copies || guest_mounts_split(texts, mounts, copies)) {
		fprintf(stderr, "%s: out of memory\n", r->name);
		rc = -1;
	} else {
		rc = r->suggest ? suggest(g->guest, &e) : r->inspect ? describe(g->guest, &info, &e) : 0;
		guest_notes(r->opts, g);
		dry_guest_unmount(g->guest);
		if (rc >= 0 && !r->suggest)
			rc = rescue_talk(g->guest, &how, r, r->inspect ? info.s : NULL, &e);
		if (rc < 0)
			fprintf(stderr, "%s: %s\n", r->name, e.msg);
	}
	for (size_t i = 0; copies && i < texts->n; i++)
		free(copies[i]);
	return rc < 0 ? EXIT_FAILED : EXIT_DONE;
}

/* ---- the command ---- */

struct options {
	struct guest_opts guest;
	bool inspect, suggest, ro, rw, network;
	uint64_t scratch, memsize, smp;
	int scratch_given;
	const char *append, *escape;
};

static int run(struct options *c, int argc, char **argv)
{
	CLEANUP(guest_set_free) struct guest_set set = { .guests = NULL };
	struct guest_confine confine = { .write_dir = -1, .scratch = rescue_scratch };
	struct rescue r = { .name = "drydock", .opts = &c->guest, .inspect = c->inspect, .suggest = c->suggest,
			    .escape = RESCUE_ESCAPE };
	bool fatal;
	int status;

	if (c->escape && !rescue_escape_parse(c->escape, &r.escape))
		return cmd_usage("rescue", "-e %s: the escape key is \"none\", \"^x\", or one character", c->escape);
	if (c->ro && c->rw)
		return cmd_usage("rescue", "--ro and --rw exclude each other");
	if (c->inspect && c->guest.mounts.n)
		return cmd_usage("rescue", "-i and -m exclude each other");
	/* All operands are disks of one guest. */
	for (int i = 0; i < argc; i++)
		if (!opt_list_add(&c->guest.images, argv[i]))
			return EXIT_FAILED;
	if (c->scratch > 64)
		return cmd_usage("rescue", "--scratch: at most 64 disks");
	for (uint64_t i = 0; i < c->scratch; i++)
		if (!opt_list_add(&c->guest.images, rescue_scratch))
			return EXIT_FAILED;
	c->guest.machine = (struct dry_machines_how){
		.memory = c->memsize * MiB,
		.smp = (unsigned)MIN_OF(c->smp, 1000u),
		.network = c->network,
		.append = c->append,
	};
	c->guest.needs_machine = !c->suggest;
	confine.image_flags = c->rw && !c->suggest ? DRY_OPEN_WRITE : DRY_OPEN_TEMPORARY;
	confine.shell = !c->suggest;
	status = guest_set_images("rescue", &c->guest, 0, argv, &set);
	if (status)
		return status;
	if (set.nguests != 1)
		return cmd_usage("rescue", "one guest is given, not %zu", set.nguests);
	status = guest_set_open(&c->guest, &confine, &set, &fatal);
	return fatal || status ? status : rescue_run(&r, &set.guests[0]);
}

int cmd_rescue(int argc, char **argv)
{
	struct options c = { .guest = { .engine = DRY_ENGINE_AUTO } };
	const struct usage u = { "rescue", "[options] IMAGE...", "Starts a shell in a small machine that has the guest's disks." };
	const struct opt opts[] = {
		GUEST_OPTS(&c.guest),
		GUEST_OPT_DOMAIN(&c.guest, 'd'),
		OPT_LIST('m', "mount", "DEV[:DIR[:OPTS[:TYPE]]]", &c.guest.mounts, "mount this below /sysroot"),
		OPT_FLAG('i', "inspector", &c.inspect, "mount the guest as it would mount itself, below /sysroot"),
		OPT_FLAG('r', "ro", &c.ro, "throw away what is written; the default"),
		OPT_FLAG('w', "rw", &c.rw, "write to the images"),
		OPT_U64(0, "scratch", "N", &c.scratch, "N more disks of 10 GiB, to be thrown away"),
		OPT_U64(0, "memsize", "MB", &c.memsize, "memory of the machine"),
		OPT_U64(0, "smp", "N", &c.smp, "processors of the machine"),
		OPT_FLAG(0, "network", &c.network, "let the machine reach the network"),
		OPT_STRING(0, "append", "WORDS", &c.append, "further words for the machine's kernel"),
		OPT_STRING('e', "escape", "KEY", &c.escape, "the escape key: \"^x\", a character, or none; ^]"),
		OPT_FLAG(0, "suggest", &c.suggest, "print the commands that mount the guest, and no more"),
		OPT_END,
	};
	int status = EXIT_USAGE;

	switch (opts_parse(&u, opts, &argc, &argv)) {
	case OPTS_DONE:
		status = EXIT_DONE;
		break;
	case OPTS_OK:
		status = cmd_done(run(&c, argc, argv));
		break;
	case OPTS_BAD:
		break;
	}
	guest_opts_free(&c.guest);
	return status;
}
