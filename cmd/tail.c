/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tail.c - drydock tail: the ends of files in guests, and with -f what comes to them. */
#include "alloc.h"
#include "guest_file.h"
#include "json.h"
#include "out.h"
#include "tail_files.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* What the looks have in common. */
struct progress {
	size_t shown; /* whose header was printed last, from 1 on; 0: none */
	bool begun;
	struct tail_file files[];
};

struct tail {
	struct guest_opts guest;
	struct guest_set set;
	uint64_t lines, seconds;
	bool follow, quiet, json;
	size_t item; /* the present one */
	struct progress *progress;
	void *buf;
};

static const char *label_of(const struct tail *t)
{
	return t->set.guests[t->set.items[t->item].guest].label;
}

/* As tail(1) has it, where there is more than one file. */
static void header(void *arg)
{
	struct tail *t = arg;
	CLEANUP(strbuf_free) struct strbuf name = STRBUF_INIT;

	if (t->set.nitems == 1 || t->quiet || t->json || t->progress->shown == t->item + 1)
		return;
	out_guest(&name, t->set.items[t->item].path);
	printf("%s==> %s:%s <==\n", t->progress->shown ? "\n" : "", label_of(t), name.s);
	t->progress->shown = t->item + 1;
}

/* A line, or what there is of it, as an object of its own: who follows a file sees no end. */
static int print_lines(void *arg, const char *p, size_t len)
{
	const struct tail *t = arg;
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	const char *end = p + len, *next;

	for (; p < end; p = next) {
		struct json j = JSON_INIT(&out, false);
		const char *newline = memchr(p, '\n', (size_t)(end - p));

		next = newline ? newline + 1 : end;
		json_object(&j, NULL);
		json_str(&j, "image", label_of(t));
		json_str(&j, "path", t->set.items[t->item].path);
		json_strn(&j, "text", p, (size_t)((newline ? newline : end) - p));
		json_bool(&j, "ended", newline != NULL);
		json_object_end(&j);
		strbuf_putc(&out, '\n');
	}
	return out_flush(&out) == EXIT_DONE && fflush(stdout) == 0 ? 0 : GUEST_FILE_STDOUT;
}

static void restarted(void *arg)
{
	const struct tail *t = arg;

	cmd_warn("%s: %s was replaced or cut, and is read from its beginning", label_of(t), t->set.items[t->item].path);
}

static int show_item(struct tail *t, const struct tail_how *how)
{
	const struct guest_item *item = &t->set.items[t->item];
	struct guest_ref *ref = &t->set.guests[item->guest];
	struct tail_file *f = &t->progress->files[t->item];
	struct dry_guest *g = guest_ready(&t->guest, &t->set, item->guest);
	struct dry_error e = { .code = DRY_OK };
	int rc;

	if (!g)
		return EXIT_FAILED;
	rc = tail_file_look(g, item->path, f, how, &e);
	if (rc == GUEST_FILE_STDOUT)
		return GUEST_FILE_STDOUT;
	if (rc < 0 && t->follow && t->progress->begun && f->seen && e.code == DRY_NOT_FOUND) {
		f->gone = true;
		f->off = 0;
		cmd_warn("%s: %s is gone", ref->label, item->path);
		return EXIT_DONE;
	}
	return rc < 0 ? guest_fail(ref, &e) : EXIT_DONE;
}

/* One look at all files. */
static int look(void *arg)
{
	struct tail *t = arg;
	const struct guest_confine confine = { .write_dir = -1 };
	const struct tail_how how = { .lines = t->lines, .quote = out_terminal(), .header = header, .restarted = restarted,
				      .print = t->json ? print_lines : NULL, .arg = t, .buf = t->buf };
	bool fatal, any = t->progress->begun;
	int status = guest_set_open(&t->guest, &confine, &t->set, &fatal);

	if (fatal)
		return status;
	for (t->item = 0; t->item < t->set.nitems; t->item++) {
		int rc = show_item(t, &how);

		if (rc == GUEST_FILE_STDOUT)
			return EXIT_FAILED;
		status |= rc;
		any |= rc == EXIT_DONE;
	}
	/* Nothing to follow from the beginning is a mistake; later it may come back. */
	t->progress->begun = true;
	return t->follow && any ? TAIL_GO_ON : status;
}

static int tail_run(struct tail *t)
{
	size_t size = sizeof *t->progress + t->set.nitems * sizeof *t->progress->files;
	struct dry_error e = { .code = DRY_OK };
	int status;

	t->buf = alloc_bytes(GUEST_FILE_CHUNK);
	if (!t->buf) {
		cmd_warn("out of memory");
		return EXIT_FAILED;
	}
	t->progress = tail_shared(size);
	if (!t->progress)
		return EXIT_FAILED;
	if (t->follow) {
		/* Nobody is asked again and again. */
		t->guest.keys.peer = "drydock tail";
		status = guest_keys_load(&t->guest.keys, &e) < 0 ? cmd_fail(&e) : tail_follow(look, t, t->seconds);
	} else {
		status = look(t);
	}
	munmap(t->progress, size);
	return status;
}

int cmd_tail(int argc, char **argv)
{
	struct tail t = { .lines = 10, .seconds = 1 };
	const struct usage u = { "tail", "[options] IMAGE:/PATH...", "Prints the last lines of files of guests." };
	const struct opt opts[] = {
		OPT_LIST('a', "add", "IMAGE", &t.guest.images, "a disk of the guest; repeat it for more disks"),
		OPT_STRING(0, "format", "FMT", &t.guest.image.format, "format of the images"),
		IMAGE_OPT_ALLOW(&t.guest.image),
		IMAGE_OPT_SHARE(&t.guest.image),
		GUEST_KEYS_OPTS(&t.guest.keys),
		OPT_CHOICE(0, "confine", "best|required|off", &t.guest.confine, confine_words, "give up rights before reading"),
		GUEST_OPTS_ENGINE(&t.guest),
		OPT_FLAG('v', "verbose", &t.guest.verbose, "tell what was mounted, confined, recovered"),
		GUEST_OPT_MOUNT(&t.guest),
		OPT_U64('n', "lines", "N", &t.lines, "the last N lines (10)"),
		OPT_FLAG('f', "follow", &t.follow, "then print what comes, until it is interrupted"),
		OPT_U64('s', "sleep-interval", "SECONDS", &t.seconds, "with -f, look again after so long (1)"),
		OPT_FLAG('q', "quiet", &t.quiet, "no names in front of what is of another file"),
		OPT_FLAG(0, "json", &t.json, "print each line as a JSON object"),
		OPT_END,
	};
	int status = EXIT_USAGE;

	switch (opts_parse(&u, opts, &argc, &argv)) {
	case OPTS_DONE:
		status = EXIT_DONE;
		break;
	case OPTS_OK:
		status = guest_set_paths("tail", &t.guest, argc, argv, &t.set);
		for (size_t i = 0; i < t.set.nitems && !status; i++)
			if (!t.set.items[i].path)
				status = cmd_usage("tail", "name a file in the guest, as in %s:/var/log/syslog",
						   t.set.guests[t.set.items[i].guest].label);
		if (!status && t.follow && t.guest.keys.from_stdin)
			status = cmd_usage("tail", "with -f the guest is opened again and again, and needs keys by --key");
		if (!status && (t.seconds < 1 || t.seconds > 86400))
			status = cmd_usage("tail", "-s is from 1 second to a day");
		if (!status)
			status = tail_run(&t);
		break;
	case OPTS_BAD:
		break;
	}
	free(t.buf);
	guest_set_free(&t.set);
	guest_opts_free(&t.guest);
	return status;
}
