/* SPDX-License-Identifier: GPL-2.0-or-later */
/* convert.c - drydock convert: a disk into another image. */
#include "image.h"
#include "out.h"
#include "progress.h"
#include "salvage.h"

#include "alloc.h"
#include "json.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum compress_how { COMPRESS_AUTO, COMPRESS_ZLIB, COMPRESS_ZSTD, COMPRESS_NONE };
enum free_space_how { FREE_SPACE_COPY, FREE_SPACE_DROP };
/* Stretches that are told about; a dead disk has many, and the sum of them is told in the end. */
enum { TOLD_STRETCHES = 100 };
static const char *const compress_words[] = { "auto", "zlib", "zstd", "none", NULL };
static const char *const free_space_words[] = { "copy", "drop", NULL };

struct convert_args {
	struct image_how how; /* of the sources */
	const char *format, *backing, *backing_format, *prealloc, *cache, *hash, *salvage_map;
	struct opt_list options;
	uint64_t sparse, rate, threads;
	int compress; /* enum compress_how */
	bool bitmaps, skip_broken, resume, verify, keep, target_is_zero, salvage, offload, json, quiet;
	int progress, free_space; /* free_space: enum free_space_how */
	uint64_t given_up; /* stretches that --salvage has told about */
	struct salvage_map map;
};

static void convert_args_free(struct convert_args *a)
{
	image_how_free(&a->how);
	opt_list_free(&a->options);
	salvage_map_free(&a->map);
}

/* The images to read, closed together. */
struct sources {
	struct dry_image **items;
	size_t n;
};

static void sources_free(struct sources *s)
{
	for (size_t i = 0; i < s->n; i++)
		dry_image_close(s->items[i]);
	free(s->items);
}

static int open_sources(const struct convert_args *a, char *const names[], size_t n, struct sources *out)
{
	int status = EXIT_DONE;

	out->items = alloc_array(n, sizeof *out->items);
	if (!out->items) {
		cmd_warn("out of memory");
		return EXIT_FAILED;
	}
	for (size_t i = 0; status == EXIT_DONE && i < n; i++) {
		status = image_open(names[i], &a->how, IMAGE_STREAM, &out->items[i]);
		out->n += status == EXIT_DONE;
	}
	return status;
}

static int target_opts(const struct convert_args *a, struct dry_opts *opts)
{
	const bool named = a->compress == COMPRESS_ZLIB || a->compress == COMPRESS_ZSTD;
	const char *const method = named && !a->keep ? compress_words[a->compress] : NULL;
	const char *const pairs[][2] = {
		{ "backing_file", a->backing },
		{ "backing_fmt", a->backing_format },
		{ "preallocation", a->prealloc },
		{ "compression_type", method },
	};
	struct dry_error e;

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		if (!pairs[i][1])
			continue;
		if (dry_opts_get(opts, pairs[i][0]))
			return cmd_usage("convert", "%s is given twice", pairs[i][0]);
		if (dry_opts_set(opts, pairs[i][0], pairs[i][1], &e) < 0)
			return cmd_fail(&e);
	}
	return EXIT_DONE;
}

/* What contradicts itself, before anything is opened. */
static int judge(const struct convert_args *a, size_t nsources, const struct dry_opts *opts)
{
	bool backing = dry_opts_get(opts, "backing_file"), compress = a->compress != COMPRESS_NONE;

	if (a->keep && (a->prealloc || backing))
		return cmd_usage("convert", "-n keeps the image that is there: it is given no options of a new one");
	if (a->target_is_zero && !a->keep)
		return cmd_usage("convert", "--target-is-zero is for an image that is there (-n)");
	if (backing && nsources > 1)
		return cmd_usage("convert", "a backing file goes with one source");
	if (compress && a->format && dry_format_known(a->format) && !dry_format_compresses(a->format))
		return cmd_usage("convert", "%s images have no compressed clusters", a->format);
	if (compress && a->keep && a->compress != COMPRESS_AUTO)
		return cmd_usage("convert", "-n keeps the image that is there, which has a way to compress: --compress alone");
	if (!compress && dry_opts_get(opts, "compression_level"))
		return cmd_usage("convert", "a compression level is for what is compressed (-c)");
	if (compress && dry_opts_get(opts, "preallocation") && strcmp(dry_opts_get(opts, "preallocation"), "off") != 0)
		return cmd_usage("convert", "compressed clusters are not preallocated");
	if (a->sparse % 512)
		return cmd_usage("convert", "--sparse: %" PRIu64 " is no multiple of 512", a->sparse);
	if (a->salvage_map && a->resume)
		return cmd_usage("convert", "--salvage-map is of one pass, and so not for --resume");
	if (a->free_space == FREE_SPACE_DROP && nsources > 1)
		return cmd_usage("convert", "--free-space=drop goes with one source");
	if (a->free_space == FREE_SPACE_DROP && backing)
		return cmd_usage("convert", "--free-space=drop does not go with a backing file, which would show there");
	if (a->free_space == FREE_SPACE_DROP && a->how.force_share)
		return cmd_usage("convert", "--free-space=drop is not for a disk that is being written to (-U)");
	if (a->threads > 64)
		return cmd_usage("convert", "--threads: at most 64");
	return EXIT_DONE;
}

static void on_unreadable(void *arg, uint64_t off, uint64_t len, const char *text)
{
	struct convert_args *a = arg;

	salvage_map_add(&a->map, off, len);
	if (a->given_up++ >= TOLD_STRETCHES)
		return;
	cmd_warn("%" PRIu64 " bytes at %" PRIu64 " cannot be read and are zeros in the copy: %s", len, off, text);
}

/* Where the copy goes to standard output nothing else does. */
static bool is_stream(const char *target)
{
	return strcmp(target, "-") == 0;
}

/* What became of the free space of each volume. */
static void report_free_space(const struct dry_free_space *f, struct json *j)
{
	size_t n;
	const struct dry_free_volume *v = dry_free_space_volumes(f, &n);

	json_array(j, "free_space");
	for (size_t i = 0; i < n; i++) {
		json_object(j, NULL);
		json_str(j, "volume", v[i].name);
		if (v[i].type)
			json_str(j, "type", v[i].type);
		json_u64(j, "size", v[i].size);
		json_u64(j, "free", v[i].free);
		if (v[i].why)
			json_str(j, "copied_whole", v[i].why);
		json_object_end(j);
	}
	json_array_end(j);
}

static void print_free_space(const struct dry_free_space *f, struct strbuf *out)
{
	char free_size[16], size[16];
	size_t n;
	const struct dry_free_volume *v = dry_free_space_volumes(f, &n);

	for (size_t i = 0; i < n; i++) {
		text_quote(out, v[i].name, strlen(v[i].name));
		if (v[i].type) {
			strbuf_puts(out, " (");
			text_quote(out, v[i].type, strlen(v[i].type));
			strbuf_putc(out, ')');
		}
		if (v[i].why) {
			strbuf_puts(out, ": copied whole: ");
			text_quote(out, v[i].why, strlen(v[i].why));
			strbuf_putc(out, '\n');
		} else {
			strbuf_printf(out, ": %s of %s are free, and left out\n", text_size(v[i].free, free_size, sizeof free_size),
				      text_size(v[i].size, size, sizeof size));
		}
	}
}

static int report(const struct convert_args *a, const char *target, const struct dry_convert_result *r,
		  const struct dry_free_space *free_space)
{
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	struct json j = JSON_INIT(&out, true);
	char human[16], of[16], shared[16], dropped[16];
	int status;

	if (a->json) {
		json_object(&j, NULL);
		json_str(&j, "image", target);
		if (a->format)
			json_str(&j, "format", a->format);
		json_u64(&j, "size", r->size);
		json_u64(&j, "copied", r->copied);
		json_u64(&j, "shared", r->shared);
		json_u64(&j, "unread", r->unread);
		if (a->resume)
			json_u64(&j, "resumed", r->resumed);
		if (a->hash)
			json_str(&j, a->hash, r->digest);
		if (a->verify)
			json_bool(&j, "verified", true);
		if (free_space) {
			json_u64(&j, "dropped", r->dropped);
			report_free_space(free_space, &j);
		}
		json_object_end(&j);
		strbuf_putc(&out, '\n');
	} else if (!a->quiet && !is_stream(target)) {
		if (free_space)
			print_free_space(free_space, &out);
		text_quote(&out, target, strlen(target));
		strbuf_printf(&out, ": %s of data", text_size(r->copied, human, sizeof human));
		if (r->shared)
			strbuf_printf(&out, " copied and %s shared", text_size(r->shared, shared, sizeof shared));
		if (r->dropped)
			strbuf_printf(&out, ", %s left out", text_size(r->dropped, dropped, sizeof dropped));
		strbuf_printf(&out, " on a disk of %s\n", text_size(r->size, of, sizeof of));
	}
	if (a->hash && !a->json)
		strbuf_printf(&out, "%s: %s\n", a->hash, r->digest);
	if (is_stream(target) && (a->json || a->hash) && out.len)
		fputs(out.s, stderr);
	status = is_stream(target) ? EXIT_DONE : out_flush(&out);
	if (r->unread)
		cmd_warn("%" PRIu64 " bytes, in %" PRIu64 " stretches, could not be read", r->unread, a->given_up);
	return r->unread ? EXIT_FAILED : status;
}

/* How long the copy is, as far as is known before it is made. */
static uint64_t total_of(const struct sources *s)
{
	uint64_t total = 0;

	for (size_t i = 0; i < s->n; i++)
		total += dry_image_size(s->items[i]);
	return total;
}

static void free_spacep(struct dry_free_space **f)
{
	dry_free_space_free(*f);
}

/* A resumed conversion must be told from one that copies all. */
static int find_free_space(const struct convert_args *a, struct dry_image *source, struct dry_free_space **out, char **note)
{
	struct dry_error e;

	if (dry_free_space_find(source, out, &e) < 0)
		return cmd_fail(&e);
	*note = alloc_printf("free space left out, %s", a->how.snapshot ? a->how.snapshot : "");
	if (*note)
		return EXIT_DONE;
	cmd_warn("out of memory");
	return EXIT_FAILED;
}

static int convert(struct convert_args *a, char *const names[], size_t nsources, const char *target, struct dry_opts *opts)
{
	CLEANUP(sources_free) struct sources sources = { NULL, 0 };
	CLEANUP(image_secretsp) struct dry_secrets *secrets = NULL;
	CLEANUP(free_spacep) struct dry_free_space *free_space = NULL;
	CLEANUP(free_ptr) char *note = NULL;
	struct dry_convert how = {
		.target = target,
		.format = a->format,
		.opts = opts,
		.policy = image_policy_of(&a->how),
		.notice = cmd_notice,
		.flags = (a->compress != COMPRESS_NONE ? DRY_CONVERT_COMPRESS : 0) | (a->keep ? DRY_CONVERT_KEEP : 0) |
			 (a->target_is_zero ? DRY_CONVERT_TARGET_IS_ZERO : 0) |
			 (a->salvage || a->salvage_map ? DRY_CONVERT_SALVAGE : 0) |
			 (a->offload ? DRY_CONVERT_OFFLOAD : 0) | (is_stream(target) ? DRY_CONVERT_STREAM : 0) |
			 (a->verify ? DRY_CONVERT_VERIFY : 0) | (a->bitmaps ? DRY_CONVERT_BITMAPS : 0) |
			 (a->skip_broken ? DRY_CONVERT_SKIP_BROKEN : 0) | (a->resume ? DRY_CONVERT_RESUME : 0),
		.hash = a->hash,
		.out_fd = STDOUT_FILENO,
		.sparse = a->sparse,
		.threads = (unsigned)a->threads,
		.rate = a->rate,
		.unreadable = on_unreadable,
		.unreadable_arg = a,
	};
	struct dry_convert_result result;
	struct progress p;
	struct dry_error e;
	int rc, status;

	if (a->cache && !dry_cache_parse(a->cache, &how.cache))
		return cmd_usage("convert", "\"%s\" is no cache mode (writeback, none, writethrough, directsync, unsafe)",
				 a->cache);
	rc = image_secrets_of(&a->how, &secrets);
	if (rc == EXIT_DONE)
		rc = open_sources(a, names, nsources, &sources);
	if (rc == EXIT_DONE && a->free_space == FREE_SPACE_DROP)
		rc = find_free_space(a, sources.items[0], &free_space, &note);
	if (rc == EXIT_DONE && a->salvage_map)
		rc = salvage_map_begin(&a->map, a->salvage_map);
	if (rc != EXIT_DONE)
		return rc;
	how.secrets = secrets;
	how.sources = sources.items;
	how.nsources = sources.n;
	how.free_space = free_space;
	how.resume_note = note ? note : a->how.snapshot;
	progress_begin(&p, (enum progress_mode)a->progress);
	how.progress = progress_watch(&p);
	rc = dry_convert(&how, &result, &e);
	progress_end(&p);
	status = salvage_map_write(&a->map, rc == 0 ? result.size : total_of(&sources), rc == 0);
	if (rc == -(int)DRY_CANCELED)
		return progress_stopped();
	if (rc < 0)
		return cmd_fail(&e);
	rc = report(a, target, &result, free_space);
	return rc == EXIT_DONE ? status : rc;
}

static int prepare(struct convert_args *a, int argc, char **argv)
{
	CLEANUP(image_optsp) struct dry_opts *opts = NULL;
	const char *target = argc ? argv[argc - 1] : NULL;
	bool help;
	int status = image_create_opts("convert", &a->options, &opts, &help);

	if (status != EXIT_DONE)
		return status;
	if (help)
		return a->format ? image_print_create_opts("convert", a->format)
				 : cmd_usage("convert", "-o help needs the format (-O)");
	if (argc < 2)
		return cmd_usage("convert", "needs at least one source, and a target");
	if (!a->format && !a->keep)
		a->format = image_format_of_name(target);
	if (is_stream(target) && isatty(STDOUT_FILENO))
		return cmd_usage("convert", "a disk is not written to a terminal");
	if (!a->format && !a->keep)
		return cmd_usage("convert", "the format of the copy is not given (-O), and the name \"%s\" does not tell", target);
	status = target_opts(a, opts);
	if (status == EXIT_DONE)
		status = judge(a, (size_t)argc - 1, opts);
	return status != EXIT_DONE ? status : convert(a, argv, (size_t)argc - 1, target, opts);
}

int cmd_convert(int argc, char **argv)
{
	CLEANUP(convert_args_free) struct convert_args a = { .sparse = DRY_SPARSE_DEFAULT, .progress = PROGRESS_AUTO,
							       .compress = COMPRESS_NONE };
	const struct usage u = { "convert", "[options] SOURCE... TARGET", "Copies a disk into another image." };
	const struct opt opts[] = {
		OPT_STRING('f', "format", "FMT", &a.how.format, "format of the sources (guessed if not given)"),
		OPT_STRING('O', "output-format", "FMT", &a.format, "format of the copy (its suffix tells, if not given)"),
		OPT_LIST('o', "option", "K=V,...", &a.options, "options of that format; -o help lists them"),
		OPT_WHEN('c', "compress", "HOW", &a.compress, compress_words,
			 "write compressed clusters: auto (if none is named), zlib, zstd, none"),
		OPT_SIZE('S', "sparse", "SIZE", &a.sparse, "runs of zeros this long are left out (4k; 0: store everything)"),
		OPT_STRING('B', "backing", "FILE", &a.backing, "leave out what this image holds, and name it in the copy"),
		OPT_STRING('F', "backing-format", "FMT", &a.backing_format, "format of the backing file"),
		IMAGE_OPT_SNAPSHOT(&a.how),
		OPT_FLAG('n', "no-create", &a.keep, "write into the image or device that is there"),
		OPT_FLAG(0, "target-is-zero", &a.target_is_zero, "what is there is known to be all zeros"),
		OPT_STRING(0, "preallocation", "MODE", &a.prealloc, "off, metadata, falloc or full"),
		OPT_FLAG('C', "offload", &a.offload, "let the host copy what it can, without a look at the data"),
		OPT_FLAG(0, "salvage", &a.salvage, "go on over what cannot be read: it becomes zeros"),
		OPT_STRING(0, "salvage-map", "FILE", &a.salvage_map, "--salvage, with a map of what is bad, as ddrescue reads it"),
		OPT_CHOICE(0, "free-space", "HOW", &a.free_space, free_space_words,
			   "drop: leave out what the guest's filesystems call free (copy)"),
		OPT_FLAG(0, "resume", &a.resume, "keep a journal, and go on where an interrupted conversion was"),
		OPT_FLAG(0, "verify", &a.verify, "read the copy back and compare"),
		OPT_STRING(0, "hash", "ALG", &a.hash, "print the digest of the disk's content: sha256, sha512, sha1 ..."),
		OPT_FLAG(0, "bitmaps", &a.bitmaps, "copy the source's dirty bitmaps, too"),
		OPT_FLAG(0, "skip-broken-bitmaps", &a.skip_broken, "with --bitmaps: leave out those that are inconsistent"),
		OPT_U64('m', "threads", "N", &a.threads, "threads that copy (as many as cores)"),
		OPT_SIZE('r', "rate", "RATE", &a.rate, "copy at most so many bytes a second"),
		OPT_STRING('t', "cache", "MODE", &a.cache, "cache mode of the copy"),
		OPT_STRING('T', "source-cache", "MODE", &a.how.cache, "cache mode of the sources"),
		IMAGE_OPT_SHARE(&a.how),
		IMAGE_OPT_SECRETS(&a.how),
		IMAGE_OPT_ALLOW(&a.how),
		PROGRESS_OPT(&a.progress),
		OPT_FLAG(0, "json", &a.json, "tell what was done as JSON"),
		OPT_FLAG('q', "quiet", &a.quiet, "print errors only"),
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
	return prepare(&a, argc, argv);
}
