/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cat.c - drydock cat: files of guests, to standard output. */
#include "alloc.h"
#include "guest_file.h"
#include "guest_opts.h"

static int print_file(struct guest_opts *o, struct guest_set *s, const struct guest_item *item, void *buf)
{
	struct guest_ref *ref = &s->guests[item->guest];
	struct dry_guest *g = guest_ready(o, s, item->guest);
	struct dry_error e = { .code = DRY_OK };
	int rc;

	if (!g)
		return EXIT_FAILED;
	rc = guest_file_print(g, item->path, buf, &e);
	if (rc == GUEST_FILE_STDOUT)
		return GUEST_FILE_STDOUT;
	return rc < 0 ? guest_fail(ref, &e) : EXIT_DONE;
}

static int print_all(struct guest_opts *o, struct guest_set *s)
{
	CLEANUP(free_ptr) void *buf = alloc_bytes(GUEST_FILE_CHUNK);
	int status = EXIT_DONE;

	if (!buf) {
		cmd_warn("out of memory");
		return EXIT_FAILED;
	}
	for (size_t i = 0; i < s->nitems; i++) {
		int rc = print_file(o, s, &s->items[i], buf);

		if (rc == GUEST_FILE_STDOUT) /* told already; nothing more can be printed */
			return EXIT_FAILED;
		if (rc)
			status = EXIT_FAILED;
	}
	return status;
}

int cmd_cat(int argc, char **argv)
{
	struct guest_opts o = { .verbose = false };
	CLEANUP(guest_set_free) struct guest_set set = { .guests = NULL };
	const struct usage u = { "cat", "[options] IMAGE:/PATH...", "Prints files of guests." };
	const struct opt opts[] = { GUEST_OPTS(&o), GUEST_OPT_DOMAIN(&o, 'd'), GUEST_OPT_MOUNT(&o), OPT_END };
	const struct guest_confine confine = { .write_dir = -1 };
	bool fatal;
	int status = EXIT_USAGE;

	switch (opts_parse(&u, opts, &argc, &argv)) {
	case OPTS_DONE:
		status = EXIT_DONE;
		break;
	case OPTS_OK:
		status = guest_set_paths("cat", &o, argc, argv, &set);
		for (size_t i = 0; i < set.nitems && !status; i++)
			if (!set.items[i].path)
				status = cmd_usage("cat", "name a file in the guest, as in %s:/etc/fstab",
						   set.guests[set.items[i].guest].label);
		if (!status) {
			status = guest_set_open(&o, &confine, &set, &fatal);
			if (!fatal)
				status |= print_all(&o, &set);
		}
		break;
	case OPTS_BAD:
		break;
	}
	guest_opts_free(&o);
	return status;
}
