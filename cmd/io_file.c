/* SPDX-License-Identifier: GPL-2.0-or-later */
/* io_file.c - open, close, reopen, and questions about the open image. */
#include "io_session.h"
#include "qemu_img.h"

#include "alloc.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

static void opts_freep(struct dry_opts **o)
{
	dry_opts_free(*o);
}

/* ---- modes ---- */

bool io_cache_mode(struct io_session *s, const char *name, enum dry_cache *out)
{
	if (dry_cache_parse(name, out))
		return true;
	io_error(s, "Invalid cache option: %s", name);
	return false;
}

bool io_discard_mode(struct io_session *s, const char *name, bool *ignore)
{
	*ignore = strcmp(name, "ignore") == 0 || strcmp(name, "off") == 0;
	if (*ignore || strcmp(name, "unmap") == 0 || strcmp(name, "on") == 0)
		return true;
	io_error(s, "Invalid discard option: %s", name);
	return false;
}

bool io_aio_mode(struct io_session *s, const char *name, bool *native)
{
	*native = strcmp(name, "native") == 0;
	if (*native || strcmp(name, "threads") == 0 || strcmp(name, "io_uring") == 0)
		return true;
	io_error(s, "Invalid aio option: %s", name);
	return false;
}

/* ---- open and close ---- */

/* "can't open device NAME: ", or without a name what options describe; the peer's sentence behind it. */
__attribute__((format(printf, 3, 4))) static enum io_answer cannot_open(const struct io_session *s, const char *name,
									 const char *fmt, ...)
{
	CLEANUP(strbuf_free) struct strbuf why = STRBUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	strbuf_vprintf(&why, fmt, ap);
	va_end(ap);
	return io_error(s, "can't open%s%s: %s", name ? " device " : "", name ? name : "", why.s);
}

static enum io_answer open_failed(const struct io_session *s, const char *name, const struct dry_open *how,
				  const struct dry_error *e)
{
	CLEANUP(strbuf_free) struct strbuf why = STRBUF_INIT;

	qi_open_reason(&why, name, how, e);
	return cannot_open(s, name, "%s", why.s);
}

static void warn_guess(const char *name)
{
	fprintf(stderr, "WARNING: Image format was not specified for '%s' and probing guessed raw.\n"
		"         Automatically detecting the format is dangerous for raw images, write operations on block 0 will be "
		"restricted.\n"
		"         Specify the 'raw' format explicitly to remove the restrictions.\n", name);
}

enum io_answer io_open(struct io_session *s, const char *name, struct dry_opts *opts)
{
	CLEANUP(opts_freep) struct dry_opts *o = opts ? opts : dry_opts_new();
	CLEANUP(free_ptr) char *copy = name ? alloc_strdup(name) : NULL;
	struct dry_open how = { .format = s->how.format, .opts = o, .cache = s->how.cache, .secrets = s->secrets,
				.policy = { .trust = DRY_TRUST_ANY }, .notice = cmd_notice };
	const char *driver = o ? dry_opts_get(o, "driver") : NULL;
	struct dry_info info;
	struct dry_error e;

	if (!o || (name && !copy))
		return io_error(s, "out of memory");
	if (s->img)
		return io_error(s, "file open already, try 'help close'");
	if (s->how.options_given && name) {
		if (dry_opts_parse(o, name, "file", &e) < 0)
			return io_error(s, "%s", e.msg);
		driver = dry_opts_get(o, "driver");
		name = NULL;
	}
	if (s->how.force_share && !s->how.read_only && !s->how.temporary)
		return cannot_open(s, name, "force-share=on can only be used with read-only images");
	if (s->how.copy_on_read && s->how.read_only)
		return cannot_open(s, name, "Can't use copy-on-read on read-only device");
	if (s->how.native_aio && s->how.cache != DRY_CACHE_NONE && s->how.cache != DRY_CACHE_DIRECTSYNC)
		return cannot_open(s, name, "aio=native was specified, but it requires cache.direct=on, which was not specified.");
	if (s->how.format && !dry_format_known(s->how.format))
		return cannot_open(s, name, "Unknown driver '%s'", s->how.format);
	if (driver && !dry_format_known(driver))
		return cannot_open(s, name, "Unknown driver '%s'", driver);
	how.flags = (s->how.read_only ? 0 : DRY_OPEN_WRITE | DRY_OPEN_RESIZE | DRY_OPEN_GUESS_WRITE) |
		    (s->how.temporary ? DRY_OPEN_TEMPORARY : 0) | (s->how.copy_on_read ? DRY_OPEN_COPY_ON_READ : 0) |
		    (s->how.force_share ? DRY_OPEN_FORCE_SHARE : 0);
	if (dry_image_open(name, &how, &s->img, &e) < 0)
		return open_failed(s, name, &how, &e);
	if (!how.format && !driver && !s->how.read_only && dry_image_info(s->img, &info, NULL) == 0 && info.guessed)
		warn_guess(info.name);
	free(s->name);
	s->name = take(copy);
	dry_opts_free(s->opts);
	s->opts = take(o);
	return IO_OK;
}

enum io_answer io_close(struct io_session *s)
{
	struct dry_error e;
	enum io_answer a = IO_OK;

	if (!s->img)
		return IO_OK;
	io_drain(s);
	if (!s->how.read_only && dry_image_finish(s->img, &e) < 0)
		a = io_error(s, "%s", e.msg);
	dry_image_close(s->img);
	s->img = NULL;
	return a;
}

static enum io_answer run_close(struct io_session *s, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return io_close(s);
}

static enum io_answer run_open(struct io_session *s, int argc, char **argv)
{
	CLEANUP(opts_freep) struct dry_opts *o = dry_opts_new();
	struct io_how how = { .cache = DRY_CACHE_WRITETHROUGH, .format = s->how.format };
	struct dry_error e;
	bool ok = true;
	int c;

	if (!o)
		return io_error(s, "out of memory");
	optind = 0;
	while ((c = getopt(argc, argv, "snCro:ki:t:d:U")) != -1 && ok) {
		switch (c) {
		case 's':
			how.temporary = true;
			break;
		case 'n':
			how.cache = DRY_CACHE_NONE;
			break;
		case 'C':
			how.copy_on_read = true;
			break;
		case 'r':
			how.read_only = true;
			break;
		case 'k':
			how.native_aio = true;
			break;
		case 'i':
			ok = io_aio_mode(s, optarg, &how.native_aio);
			break;
		case 't':
			ok = io_cache_mode(s, optarg, &how.cache);
			break;
		case 'd':
			ok = io_discard_mode(s, optarg, &how.ignore_discard);
			break;
		case 'U':
			how.force_share = true;
			break;
		case 'o':
			if (dry_opts_parse(o, optarg, NULL, &e) < 0)
				return io_error(s, "%s", e.msg);
			break;
		default:
			return io_usage(&io_file_commands[0]);
		}
	}
	if (!ok)
		return IO_FAILED;
	if (s->img)
		return io_error(s, "file open already, try 'help close'");
	if (optind < argc - 1)
		return io_usage(&io_file_commands[0]);
	s->how = how;
	return io_open(s, optind < argc ? argv[optind] : NULL, take(o));
}

/* With other settings; when that fails, with those it had. */
static enum io_answer open_anew(struct io_session *s, const struct io_how *how, const char *name, struct dry_opts *opts)
{
	CLEANUP(opts_freep) struct dry_opts *old = take(s->opts);
	struct io_how before = s->how;
	enum io_answer a = io_close(s);

	if (a != IO_OK) {
		dry_opts_free(opts);
		return a;
	}
	s->how = *how;
	a = io_open(s, how->options_given ? NULL : name, opts);
	if (a == IO_OK)
		return a;
	s->how = before;
	io_open(s, before.options_given ? NULL : name, take(old));
	return a;
}

static enum io_answer run_reopen(struct io_session *s, int argc, char **argv)
{
	const struct io_command *self = &io_file_commands[2];
	CLEANUP(opts_freep) struct dry_opts *o = dry_opts_new();
	CLEANUP(free_ptr) char *name = s->name ? alloc_strdup(s->name) : NULL;
	struct io_how how = s->how;
	struct dry_error e;
	bool mode_given = false;
	const char *key, *value;
	int c;

	if (!o || (s->name && !name))
		return io_error(s, "out of memory");
	for (size_t i = 0; s->opts && dry_opts_at(s->opts, i, &key, &value); i++)
		if (dry_opts_set(o, key, value, &e) < 0)
			return io_error(s, "%s", e.msg);
	optind = 0;
	while ((c = getopt(argc, argv, "c:o:rw")) != -1) {
		switch (c) {
		case 'c':
			if (!io_cache_mode(s, optarg, &how.cache))
				return IO_FAILED;
			break;
		case 'r':
		case 'w':
			if (mode_given)
				return io_error(s, "Only one -r/-w option may be given");
			mode_given = true;
			how.read_only = c == 'r';
			break;
		case 'o': {
			CLEANUP(opts_freep) struct dry_opts *given = dry_opts_new();

			if (!given || dry_opts_parse(given, optarg, NULL, &e) < 0)
				return io_error(s, "%s", given ? e.msg : "out of memory");
			for (size_t i = 0; dry_opts_at(given, i, &key, &value); i++) {
				const char *old = dry_opts_get(o, key);
				if (strcmp(key, "read-only") == 0 && mode_given)
					return io_error(s, "Cannot set both -r/-w and 'read-only'");
				if (strcmp(key, "driver") == 0 && (!old || strcmp(old, value) != 0))
					return io_error(s, "Cannot change the option 'driver'");
				if (dry_opts_set(o, key, value, &e) < 0)
					return io_error(s, "%s", e.msg);
			}
			break;
		}
		default:
			return io_usage(self);
		}
	}
	if (optind != argc)
		return io_usage(self);
	return open_anew(s, &how, name, take(o));
}

/* ---- questions ---- */

static enum io_answer run_length(struct io_session *s, int argc, char **argv)
{
	char buf[64];

	(void)argc;
	(void)argv;
	puts(io_amount((double)dry_image_size(s->img), buf, sizeof buf));
	return IO_OK;
}

static enum io_answer run_info(struct io_session *s, int argc, char **argv)
{
	struct dry_info info;
	struct dry_error e;
	const char *text;
	char buf[64];

	(void)argc;
	(void)argv;
	if (dry_image_info(s->img, &info, &e) < 0)
		return io_error(s, "%s", e.msg);
	printf("format name: %s\n", info.format);
	printf("cluster size: %s\n", io_amount((double)info.cluster_size, buf, sizeof buf));
	printf("vm state offset: %s\n", io_amount((double)info.vm_state_off, buf, sizeof buf));
	text = dry_image_specific(s->img);
	if (text) {
		puts("Format specific information:");
		io_print_specific(text);
	}
	return IO_OK;
}

/* How far from off this image alone has (or has not) the range allocated; at most len. */
static bool allocated_run(struct io_session *s, uint64_t off, uint64_t len, uint64_t *run, bool *is)
{
	struct dry_extent x;
	struct dry_error e;

	for (*run = 0; *run < len; *run += x.len) {
		bool here;

		if (dry_image_extent_own(s->img, len - *run, off + *run, &x, &e) < 0) {
			io_error(s, "%s", e.msg);
			return false;
		}
		here = x.flags & DRY_EXTENT_ALLOC;
		if (*run == 0)
			*is = here;
		else if (here != *is)
			break;
	}
	return true;
}

static enum io_answer run_alloc(struct io_session *s, int argc, char **argv)
{
	uint64_t off, count = 512, sum = 0, size = dry_image_size(s->img), left;
	char buf[64];

	if (!io_offset(argv[1], &off) || (argc == 3 && !io_length(argv[2], &count)))
		return IO_FAILED;
	count = off < size ? MIN_OF(count, size - off) : 0;
	left = count;
	for (uint64_t at = off; left;) {
		uint64_t run;
		bool is;

		if (!allocated_run(s, at, left, &run, &is))
			return IO_FAILED;
		sum += is ? run : 0;
		at += run;
		left -= run;
	}
	printf("%" PRIu64 "/%" PRIu64 " bytes allocated at offset %s\n", sum, count, io_amount((double)off, buf, sizeof buf));
	return IO_OK;
}

static enum io_answer run_map(struct io_session *s, int argc, char **argv)
{
	uint64_t size = dry_image_size(s->img), off = 0;

	(void)argc;
	(void)argv;
	if (size == 0)
		return IO_OK;
	while (off < size) {
		char a[64], b[64];
		uint64_t run;
		bool is;

		if (!allocated_run(s, off, size - off, &run, &is))
			return IO_FAILED;
		printf("%s (0x%" PRIx64 ") bytes %s allocated at offset %s (0x%" PRIx64 ")\n",
		       io_amount((double)run, a, sizeof a), run, is ? "   " : "not", io_amount((double)off, b, sizeof b), off);
		off += run;
	}
	return IO_OK;
}

const struct io_command io_file_commands[] = {
	{ "open", "o", run_open, 1, -1, true, false, "[-rsCnkU] [-t cache] [-d discard] [-o options] [path]",
	  "open the file specified by path",
	  "\n"
	  " opens a new file in the requested mode\n"
	  "\n"
	  " Example:\n"
	  " 'open -n -o driver=raw /tmp/data' - opens raw data file read-write, uncached\n"
	  "\n"
	  " Opens a file for subsequent use by all of the other qemu-io commands.\n"
	  " -r, -- open file read-only\n"
	  " -s, -- use snapshot file\n"
	  " -C, -- use copy-on-read\n"
	  " -n, -- disable host cache, short for -t none\n"
	  " -U, -- force shared permissions\n"
	  " -k, -- use kernel AIO implementation (Linux only, prefer use of -i)\n"
	  " -i, -- use AIO mode (threads, native or io_uring)\n"
	  " -t, -- use the given cache mode for the image\n"
	  " -d, -- use the given discard mode for the image\n"
	  " -o, -- options to be given to the block driver" },
	{ "close", "c", run_close, 0, 0, false, false, NULL, "close the current open file", NULL },
	{ "reopen", NULL, run_reopen, 0, -1, false, false, "[(-r|-w)] [-c cache] [-o options]",
	  "reopens an image with new options",
	  "\n"
	  " Changes the open options of an already opened image\n"
	  "\n"
	  " Example:\n"
	  " 'reopen -o lazy-refcounts=on' - activates lazy refcount writeback on a qcow2 image\n"
	  "\n"
	  " -r, -- Reopen the image read-only\n"
	  " -w, -- Reopen the image read-write\n"
	  " -c, -- Change the cache mode to the given value\n"
	  " -o, -- Changes block driver options (cf. 'open' command)\n" },
	{ "length", "l", run_length, 0, 0, false, false, NULL, "gets the length of the current file", NULL },
	{ "info", "i", run_info, 0, 0, false, false, NULL, "prints information about the current file", NULL },
	{ "alloc", "a", run_alloc, 1, 2, false, false, "offset [count]", "checks if offset is allocated in the file", NULL },
	{ "map", NULL, run_map, 0, 0, false, false, "", "prints the allocated areas of a file", NULL },
	{ NULL, NULL, NULL, 0, 0, false, false, NULL, NULL, NULL },
};
