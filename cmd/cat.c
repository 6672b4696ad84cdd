/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cat.c - drydock cat: files of guests, to standard output. */
#include "alloc.h"
#include "base64.h"
#include "guest_file.h"
#include "guest_run.h"
#include "limits.h"
#include "text.h"

#include <stdio.h>

/* What JSON takes of one file: it is in memory before it is known whether it is text. */
#define JSON_FILE (16 * MiB)

struct cat {
	struct guest_opts guest;
	struct guest_set *set;
	bool json;
	struct json j; /* around what guests print */
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

static int keep(void *arg, const void *bytes, size_t len)
{
	struct strbuf *content = arg;

	if (content->len + len > JSON_FILE)
		return LOST;
	strbuf_add(content, bytes, len);
	return content->failed ? LOST : 0;
}

/* The whole of a file as an object: text where it is, else base64. */
static int print_object(struct stream *s, struct dry_guest *g, const char *path, void *buf, struct json *j)
{
	CLEANUP(strbuf_free) struct strbuf content = STRBUF_INIT, digits = STRBUF_INIT;
	struct dry_error e = { .code = DRY_OK };
	int rc = guest_file_bytes(g, path, buf, keep, &content, &e);

	if (rc == LOST) {
		snprintf(e.msg, sizeof e.msg, "it has more than the %llu MiB that --json takes", JSON_FILE / MiB);
		return guest_fail_file(s->ref, path, &e);
	}
	if (rc < 0)
		return guest_fail(s->ref, &e);
	json_object(j, NULL);
	json_str(j, "image", s->ref->label);
	json_str(j, "path", path);
	json_u64(j, "size", content.len);
	if (text_utf8_valid(content.s, content.len) == content.len) {
		json_strn(j, "text", content.s, content.len);
	} else {
		base64_encode(&digits, content.s, content.len, 0, "");
		json_strn(j, "base64", digits.s, digits.len);
		j->out->failed |= digits.failed;
	}
	json_object_end(j);
	return guest_out(s->ref, &s->text) ? -1 : EXIT_DONE;
}

/* EXIT_DONE, EXIT_FAILED, or < 0: nothing more can be printed. */
static int print_file(struct cat *c, struct stream *s, const struct guest_item *item, void *buf, struct json *j)
{
	struct dry_guest *g = guest_ready(&c->guest, c->set, item->guest);
	struct dry_error e = { .code = DRY_OK };
	int rc;

	if (!g)
		return EXIT_FAILED;
	if (c->json)
		return print_object(s, g, item->path, buf, j);
	rc = guest_file_bytes(g, item->path, buf, put, s, &e);
	if (rc == LOST)
		return -1;
	return rc < 0 ? guest_fail(s->ref, &e) : EXIT_DONE;
}

static int print_guest(void *arg, struct guest_ref *ref, const struct guest_item *items, size_t n)
{
	CLEANUP(free_ptr) void *buf = alloc_bytes(GUEST_FILE_CHUNK);
	struct cat *c = arg;
	struct stream s = { .ref = ref, .text = STRBUF_INIT };
	struct json j = guest_json(&c->j, &s.text);
	int status = EXIT_DONE, rc = 0;

	if (!buf) {
		cmd_warn("out of memory");
		return EXIT_FAILED;
	}
	for (size_t i = 0; i < n && rc >= 0; i++) {
		rc = print_file(c, &s, &items[i], buf, &j);
		status |= rc != EXIT_DONE;
	}
	strbuf_free(&s.text);
	return status;
}

static int print_all(struct cat *c, struct guest_set *s)
{
	struct guest_run run = { .opts = &c->guest, .set = s, .work = print_guest, .arg = c };

	c->set = s;
	return guest_run_list(&run, c->json, &c->j);
}

int cmd_cat(int argc, char **argv)
{
	struct cat c = { .set = NULL };
	struct guest_opts *o = &c.guest;
	CLEANUP(guest_set_free) struct guest_set set = { .guests = NULL };
	const struct usage u = { "cat", "[options] IMAGE:/PATH...", "Prints files of guests." };
	const struct opt opts[] = { GUEST_OPTS(o), GUEST_OPT_DOMAIN(o, 'd'), GUEST_OPT_MOUNT(o),
				    OPT_FLAG(0, "json", &c.json, "print JSON"), OPT_END };
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
