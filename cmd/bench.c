/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench.c - drydock bench: sequential requests, and the time they take. */
#include "image.h"
#include "out.h"
#include "progress.h"

#include "alloc.h"
#include "json.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>

enum { MAX_DEPTH = 64 };

struct bench_args {
	struct image_how how;
	uint64_t count, depth, len, step, off, flush, pattern;
	bool write, no_drain, json;
	int progress;
};

static void bench_args_free(struct bench_args *a)
{
	image_how_free(&a->how);
}

static int report(const struct bench_args *a, const struct dry_bench_result *r)
{
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	struct json j = JSON_INIT(&out, true);
	double rate = r->seconds > 0 ? (double)r->done / r->seconds : 0;
	char text[24];

	if (a->json) {
		json_object(&j, NULL);
		json_str(&j, "kind", a->write ? "write" : "read");
		json_u64(&j, "requests", r->done);
		json_u64(&j, "length", a->len);
		json_u64(&j, "depth", a->depth);
		json_u64(&j, "flushes", r->flushes);
		json_u64(&j, "nanoseconds", (uint64_t)(r->seconds * 1e9));
		json_object_end(&j);
		strbuf_putc(&out, '\n');
	} else {
		strbuf_printf(&out,
			      "%" PRIu64 " %ss of %" PRIu64 " bytes, %" PRIu64 " at a time: %.3f seconds, %.0f a second, "
			      "%s/s\n",
			      r->done, a->write ? "write" : "read", a->len, a->depth, r->seconds, rate,
			      text_size((uint64_t)(rate * (double)a->len), text, sizeof text));
	}
	return out_flush(&out);
}

static int bench(const struct bench_args *a, const char *name)
{
	CLEANUP(image_closep) struct dry_image *img = NULL;
	struct dry_bench how = { .write = a->write, .count = a->count, .depth = (unsigned)a->depth, .len = a->len,
				 .off = a->off, .step = a->step ? a->step : a->len, .pattern = (uint8_t)a->pattern,
				 .flush_interval = a->flush, .no_drain = a->no_drain };
	struct dry_bench_result result;
	struct dry_error e;
	struct progress p;
	int rc = image_open(name, &a->how, a->write ? DRY_OPEN_WRITE : 0, &img);

	if (rc != EXIT_DONE)
		return rc;
	how.image = img;
	progress_begin(&p, (enum progress_mode)a->progress);
	how.progress = progress_watch(&p);
	rc = dry_bench(&how, &result, &e);
	if (a->write && rc == 0)
		rc = dry_image_finish(img, &e);
	progress_end(&p);
	if (rc == -(int)DRY_CANCELED)
		return progress_stopped();
	return rc < 0 ? cmd_fail(&e) : report(a, &result);
}

int cmd_bench(int argc, char **argv)
{
	CLEANUP(bench_args_free) struct bench_args a = { .count = 75000, .depth = MAX_DEPTH, .len = 4096,
							 .progress = PROGRESS_AUTO };
	const struct usage u = { "bench", "[options] IMAGE", "Measures how fast an image is read or written." };
	const struct opt opts[] = {
		IMAGE_OPT_FORMAT(&a.how),
		OPT_U64('c', "count", "N", &a.count, "requests (75000)"),
		OPT_U64('d', "depth", "N", &a.depth, "requests at a time (64, the most)"),
		OPT_SIZE('s', "size", "SIZE", &a.len, "bytes of a request (4k)"),
		OPT_SIZE('S', "step", "SIZE", &a.step, "from one request to the next (their size)"),
		OPT_SIZE('o', "offset", "SIZE", &a.off, "of the first request (0)"),
		OPT_FLAG('w', "write", &a.write, "write, rather than read: the content is lost"),
		OPT_U64(0, "pattern", "BYTE", &a.pattern, "what is written (0)"),
		OPT_U64(0, "flush-interval", "N", &a.flush, "a flush after so many writes (none)"),
		OPT_FLAG(0, "no-drain", &a.no_drain, "flushes do not wait for the writes before them"),
		OPT_STRING('t', "cache", "MODE", &a.how.cache, "cache mode"),
		IMAGE_OPT_SHARE(&a.how),
		IMAGE_OPT_SECRETS(&a.how),
		IMAGE_OPT_ALLOW(&a.how),
		PROGRESS_OPT(&a.progress),
		OPT_FLAG(0, "json", &a.json, "print JSON"),
		OPT_END,
	};

	switch (opts_parse(&u, opts, &argc, &argv)) {
	case OPTS_DONE:
		return EXIT_DONE;
	case OPTS_BAD:
		return EXIT_USAGE;
	case OPTS_OK:
		break;
	}
	if (argc != 1)
		return cmd_usage("bench", "needs one image");
	if (a.depth < 1 || a.depth > MAX_DEPTH)
		return cmd_usage("bench", "--depth: from 1 to %d", MAX_DEPTH);
	if (a.pattern > 0xff)
		return cmd_usage("bench", "--pattern: a byte is at most 255");
	if (!a.write && (a.flush || a.no_drain || a.pattern))
		return cmd_usage("bench", "--flush-interval, --no-drain and --pattern are for writing (-w)");
	return bench(&a, argv[0]);
}
