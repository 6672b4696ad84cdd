/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qemu_img_bench.c - qemu-img bench. */
#include "qemu_img.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { OPT_OBJECT = 256, OPT_IMAGE_OPTS, OPT_FLUSH, OPT_NO_DRAIN, OPT_PATTERN };

struct request {
	struct qi_name n;
	struct dry_bench bench;
	unsigned depth; /* as given: it may be more than there are threads */
	bool quiet, native;
	enum dry_cache cache;
};

/* A number from 0 to max: says what is wrong and returns false. */
static bool number(const char *what, const char *text, uint64_t max, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 0);
	if (!errno && end != text && !*end && *out <= max && !strchr(text, '-'))
		return true;
	qi_error("Invalid %s specified", what);
	return false;
}

static int bench(struct request *r)
{
	CLEANUP(qi_image_closep) struct dry_image *img = NULL;
	struct dry_bench *b = &r->bench;
	struct dry_bench_result result;
	struct dry_error e = { 0 };

	if (r->native && r->cache != DRY_CACHE_NONE && r->cache != DRY_CACHE_DIRECTSYNC) {
		qi_error("Could not open '%s': aio=native was specified, but it requires cache.direct=on, which was not specified.",
			 r->n.name);
		return EXIT_FAILED;
	}
	if (!qi_open(&r->n, b->write ? DRY_OPEN_WRITE : 0, r->cache, NULL, &img))
		return EXIT_FAILED;
	b->image = img;
	b->depth = r->depth;
	if (!b->step)
		b->step = b->len;
	printf("Sending %" PRIu64 " %s requests, %" PRIu64 " bytes each, %u in parallel (starting at offset %" PRIu64
	       ", step size %" PRIu64 ")\n",
	       b->count, b->write ? "write" : "read", b->len, r->depth, b->off, b->step);
	if (b->flush_interval)
		printf("Sending flush every %" PRIu64 " requests\n", b->flush_interval);
	if (dry_bench(b, &result, &e) < 0 || (b->write && dry_image_finish(img, &e) < 0)) {
		qi_error("Failed request: %s", qi_reason(&e));
		return EXIT_FAILED;
	}
	printf("Run completed in %3.3f seconds.\n", result.seconds);
	return EXIT_DONE;
}

static bool cache_option(const char *text, enum dry_cache *out)
{
	if (dry_cache_parse(strcmp(text, "off") == 0 ? "none" : text, out))
		return true;
	qi_error("Invalid cache mode");
	return false;
}

/* How requests are sent is our own business; what the peer knows is taken. */
static bool aio_option(struct request *r, const char *text)
{
	if (strcmp(text, "native") == 0) {
		r->native = true;
		return true;
	}
	r->native = false;
	if (strcmp(text, "threads") == 0 || strcmp(text, "io_uring") == 0)
		return true;
	qi_error("Invalid aio option: %s", text);
	return false;
}

/* false: a value is wrong, and was said. */
static bool take_option(struct request *r, int c)
{
	uint64_t n;

	switch (c) {
	case 'c':
		return number("request count", optarg, INT32_MAX, &r->bench.count);
	case 'd':
		if (!number("queue depth", optarg, INT32_MAX, &n))
			return false;
		r->depth = (unsigned)n;
		return true;
	case 'f':
		r->n.format = optarg;
		return true;
	case 'n':
		r->native = true;
		return true;
	case 'i':
		return aio_option(r, optarg);
	case 'o':
		return qi_size_option("offset", optarg, &r->bench.off);
	case 'q':
		r->quiet = true;
		return true;
	case 's':
		return qi_size_range("buffer size", optarg, 0, INT32_MAX, &r->bench.len);
	case 'S':
		return qi_size_range("step_size", optarg, 0, INT32_MAX, &r->bench.step);
	case 't':
		return cache_option(optarg, &r->cache);
	case 'w':
		r->bench.write = true;
		return true;
	case 'U':
		r->n.force_share = true;
		return true;
	case OPT_PATTERN:
		if (!number("pattern byte", optarg, 0xff, &n))
			return false;
		r->bench.pattern = (uint8_t)n;
		return true;
	case OPT_FLUSH:
		return number("flush interval", optarg, INT32_MAX, &r->bench.flush_interval);
	case OPT_NO_DRAIN:
		r->bench.no_drain = true;
		return true;
	case OPT_OBJECT:
		return qi_object_option(optarg, &r->n.secrets);
	default:
		r->n.image_opts = true;
		return true;
	}
}

static void request_free(struct request *r)
{
	qi_name_free(&r->n);
}

int qemu_img_bench(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "object", required_argument, NULL, OPT_OBJECT },
		{ "image-opts", no_argument, NULL, OPT_IMAGE_OPTS },
		{ "flush-interval", required_argument, NULL, OPT_FLUSH },
		{ "no-drain", no_argument, NULL, OPT_NO_DRAIN },
		{ "pattern", required_argument, NULL, OPT_PATTERN },
		{ "force-share", no_argument, NULL, 'U' },
		{ NULL, 0, NULL, 0 },
	};
	CLEANUP(request_free) struct request r = { .bench = { .count = 75000, .len = 4096 }, .depth = 64 };
	int c;

	while ((c = getopt_long(argc, argv, ":hc:d:f:ni:o:qs:S:t:wU", longs, NULL)) != -1) {
		if (c == 'h')
			return qi_help();
		if (c == ':' || c == '?')
			return qi_bad_option(c, argv);
		if (!take_option(&r, c))
			return EXIT_FAILED;
	}
	if (optind != argc - 1)
		return qi_usage("Expecting one image file name");
	r.n.name = argv[optind];
	if (!r.bench.write && r.bench.flush_interval) {
		qi_error("--flush-interval is only available in write tests");
		return EXIT_FAILED;
	}
	if (r.bench.flush_interval && r.bench.flush_interval < r.depth) {
		qi_error("Flush interval can't be smaller than depth");
		return EXIT_FAILED;
	}
	return bench(&r);
}
