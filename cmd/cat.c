/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cat.c - drydock cat: files of guests, to standard output. */
#include "alloc.h"
#include "guest_file.h"
#include "guest_run.h"

struct cat {
	struct guest_opts guest;
	struct guest_set *set;
};

/* One guest's bytes on their way out. */
struct stream {
	struct guest_ref *ref;
	struct strbuf text;
};

/* What stops a file that cannot be printed any more. */
enum { LOST = 1 };

static int put(void *arg, const void *bytes, size_t len)
{
	struct stream *s = arg;

	strbuf_add(&s->text, bytes, len);
	return guest_out(s->ref, &s->text) ? LOST : 0;
}

/* EXIT_DONE, EXIT_FAILED, or < 0: nothing more can be printed. */
static int print_file(struct cat *c, struct stream *s, const struct guest_item *item, void *buf)
{
	struct dry_guest *g = guest_ready(&c->guest, c->set, item->guest);
	struct dry_error e = { .code = DRY_OK };
	int rc;

	if (!g)
		return EXIT_FAILED;
	rc = guest_file_bytes(g, item->path, buf, put, s, &e);
	if (rc == LOST)
		return -1;
	return rc < 0 ? guest_fail(s->ref, &e) : EXIT_DONE;
}

static int print_guest(void *arg, struct guest_ref *ref, const struct guest_item *items, size_t n)
{
	CLEANUP(free_ptr) void *buf = alloc_bytes(GUEST_FILE_CHUNK);
	struct stream s = { .ref = ref, .text = STRBUF_INIT };
	int status = EXIT_DONE, rc = 0;

	if (!buf) {
		cmd_warn("out of memory");
		return EXIT_FAILED;
	}
	for (size_t i = 0; i < n && rc >= 0; i++) {
		rc = print_file(arg, &s, &items[i], buf);
		status |= rc != EXIT_DONE;
	}
	strbuf_free(&s.text);
	return status;
}

static int print_all(struct cat *c, struct guest_set *s)
{
	struct guest_run run = { .opts = &c->guest, .set = s, .work = print_guest, .arg = c };

	c->set = s;
	return guest_run(&run);
}

int cmd_cat(int argc, char **argv)
{
	struct cat c = { .set = NULL };
	struct guest_opts *o = &c.guest;
	CLEANUP(guest_set_free) struct guest_set set = { .guests = NULL };
	const struct usage u = { "cat", "[options] IMAGE:/PATH...", "Prints files of guests." };
	const struct opt opts[] = { GUEST_OPTS(o), GUEST_OPT_DOMAIN(o, 'd'), GUEST_OPT_MOUNT(o), OPT_END };
	const struct guest_confine confine = { .write_dir = -1 };
	bool fatal;
	int status = EXIT_USAGE;

	switch (opts_parse(&u, opts, &argc, &argv)) {
	case OPTS_DONE:
		status = EXIT_DONE;
		break;
	case OPTS_OK:
		status = guest_set_paths("cat", o, argc, argv, &set);
		for (size_t i = 0; i < set.nitems && !status; i++)
			if (!set.items[i].path)
				status = cmd_usage("cat", "name a file in the guest, as in %s:/etc/fstab",
						   set.guests[set.items[i].guest].label);
		if (!status) {
			status = guest_set_open(o, &confine, &set, &fatal);
			if (!fatal)
				status |= print_all(&c, &set);
		}
		break;
	case OPTS_BAD:
		break;
	}
	guest_opts_free(o);
	return status;
}
