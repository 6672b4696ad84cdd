/* SPDX-License-Identifier: GPL-2.0-or-later */
/* io_data.c - requests that are done when the command returns. */
#include "io_session.h"

#include "alloc.h"
#include "checked.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

enum { READ, WRITE, READV, WRITEV, DISCARD, FLUSH, TRUNCATE };

#define DEFAULT_PATTERN 0xcd

/* ---- the work ---- */

int io_transfer_read(struct io_session *s, struct io_transfer *t, struct dry_error *e)
{
	if (t->vmstate)
		return dry_image_vmstate_read(s->img, t->buf, (size_t)t->len, t->off, e);
	return dry_image_read(s->img, t->buf, (size_t)t->len, t->off, e);
}

int io_transfer_write(struct io_session *s, struct io_transfer *t, struct dry_error *e)
{
	unsigned how = (t->unmap && !s->how.ignore_discard ? DRY_ZERO_UNMAP : 0) | (t->no_fallback ? DRY_ZERO_FAST : 0);
	int rc;

	if (t->zero)
		rc = dry_image_zero(s->img, t->len, t->off, how, e);
	else if (t->vmstate)
		rc = dry_image_vmstate_write(s->img, t->buf, (size_t)t->len, t->off, e);
	else if (t->compressed)
		rc = dry_image_write_compressed(s->img, t->buf, (size_t)t->len, t->off, e);
	else
		rc = dry_image_write(s->img, t->buf, (size_t)t->len, t->off, e);
	return rc == 0 && t->fua ? dry_image_flush(s->img, e) : rc;
}

bool io_transfer_verify(const struct io_transfer *t)
{
	if (t->pattern < 0)
		return true;
	for (uint64_t i = 0; i < t->pattern_len; i++) {
		if (t->buf[t->pattern_off + i] != t->pattern) {
			printf("Pattern verification failed at offset %" PRIu64 ", %" PRIu64 " bytes\n", t->off + t->pattern_off,
			       t->pattern_len);
			return false;
		}
	}
	return true;
}

bool io_transfer_ranges(struct io_transfer *t, int argc, char **argv)
{
	if (!io_offset(argv[0], &t->off))
		return false;
	for (int i = 1; i < argc; i++) {
		uint64_t len;

		if (!io_number(argv[i], &len))
			return false;
		if (len > (uint64_t)IO_MAX_REQUEST) {
			printf("Argument '%s' exceeds maximum size %lld\n", argv[i], IO_MAX_REQUEST);
			return false;
		}
		if (len > (uint64_t)IO_MAX_REQUEST - t->len) {
			printf("The total number of bytes exceed the maximum size %lld\n", IO_MAX_REQUEST);
			return false;
		}
		t->len += len;
		t->vectors++;
	}
	return true;
}

bool io_transfer_options(struct io_transfer *t, const struct io_command *self, const char *letters, int argc, char **argv)
{
	bool ok = true;
	int c;

	optind = 0;
	while (ok && (c = getopt(argc, argv, letters)) != -1) {
		switch (c) {
		case 'b':
			t->vmstate = true;
			break;
		case 'c':
			t->compressed = true;
			break;
		case 'C':
			t->machine = true;
			break;
		case 'f':
			t->fua = true;
			break;
		case 'i':
			t->invalid = true;
			break;
		case 'l':
			t->part_len = true;
			ok = io_length(optarg, &t->pattern_len);
			break;
		case 'n':
			t->no_fallback = true;
			break;
		case 'p': /* taken for the sake of old scripts, as the help says */
			break;
		case 'P':
			ok = io_pattern(optarg, &t->pattern);
			break;
		case 'q':
			t->quiet = true;
			break;
		case 's':
			if (t->write) {
				t->source = optarg;
				break;
			}
			t->part_off = true;
			ok = io_offset(optarg, &t->pattern_off);
			break;
		case 'u':
			t->unmap = true;
			break;
		case 'v':
			t->dump = true;
			break;
		case 'z':
			t->zero = true;
			break;
		default:
			io_usage(self);
			ok = false;
		}
	}
	return ok;
}

/* Areas that only whole sectors are read from and written to. */
static bool is_sector_aligned(const struct io_transfer *t)
{
	bool first = t->off % 512;

	if (!first && t->len % 512 == 0)
		return true;
	printf("%" PRIu64 " is not a sector-aligned value for '%s'\n", first ? t->off : t->len, first ? "offset" : "count");
	return false;
}

/* A buffer as -m wants it: not at an aligned address. */
static uint8_t *new_buffer(const struct io_session *s, uint64_t len, int fill, uint8_t **owner)
{
	*owner = alloc_aligned(4096, (size_t)len + 4096);
	if (!*owner)
		return NULL;
	memset(*owner, fill, (size_t)len + 4096);
	return *owner + (s->misalign ? 16 : 0);
}

/* Fills the buffer with a file's bytes, again and again if it is short; false with the sentence printed. */
static bool io_fill_from_file(const struct io_session *s, uint8_t *buf, size_t len, const char *path)
{
	FILE *f = fopen(path, "re");
	size_t got;

	if (!f) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return false;
	}
	got = fread(buf, 1, len, f);
	if (ferror(f)) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		fclose(f);
		return false;
	}
	fclose(f);
	if (len && !got) {
		io_error(s, "%s: file is empty", path);
		return false;
	}
	for (size_t i = got; i < len; i++)
		buf[i] = buf[i - got];
	return true;
}

static enum io_answer finish(const struct io_transfer *t, const char *op, struct timespec began)
{
	if (!t->quiet)
		io_report(op, began, t->off, t->len, t->len, 1, t->machine);
	return IO_OK;
}

/* ---- read ---- */

static enum io_answer do_read(struct io_session *s, struct io_transfer *t)
{
	CLEANUP(free_ptr) uint8_t *owner = NULL;
	struct timespec began;
	struct dry_error e;
	bool same;

	t->buf = new_buffer(s, t->len, 0xab, &owner);
	if (!t->buf)
		return io_error(s, "out of memory");
	began = io_now();
	if (io_transfer_read(s, t, &e) < 0) {
		io_print_failure(t->gathered ? "readv" : "read", &e);
		return IO_FAILED;
	}
	same = io_transfer_verify(t);
	if (!t->quiet && t->dump)
		io_dump(t->buf, (size_t)t->len, t->off);
	finish(t, "read", began);
	return same ? IO_OK : IO_FAILED;
}

static enum io_answer run_read(struct io_session *s, int argc, char **argv)
{
	const struct io_command *self = &io_data_commands[READ];
	struct io_transfer t = { .pattern = -1, .vectors = 1 };

	if (!io_transfer_options(&t, self, "bCl:pP:qs:v", argc, argv))
		return IO_FAILED;
	if (optind != argc - 2)
		return io_usage(self);
	if (!io_offset(argv[optind], &t.off) || !io_length(argv[optind + 1], &t.len))
		return IO_FAILED;
	if (t.pattern < 0 && (t.part_len || t.part_off))
		return io_usage(self);
	if (!t.part_len)
		t.pattern_len = t.len >= t.pattern_off ? t.len - t.pattern_off : 0;
	if (t.pattern_off > t.len || t.pattern_len > t.len - t.pattern_off) {
		puts("pattern verification range exceeds end of read data");
		return IO_FAILED;
	}
	return t.vmstate && !is_sector_aligned(&t) ? IO_FAILED : do_read(s, &t);
}

static enum io_answer run_readv(struct io_session *s, int argc, char **argv)
{
	const struct io_command *self = &io_data_commands[READV];
	struct io_transfer t = { .pattern = -1, .gathered = true };

	if (!io_transfer_options(&t, self, "CP:qv", argc, argv))
		return IO_FAILED;
	if (optind > argc - 2)
		return io_usage(self);
	if (!io_transfer_ranges(&t, argc - optind, argv + optind))
		return IO_FAILED;
	t.pattern_len = t.len;
	return do_read(s, &t);
}

/* ---- write ---- */

static enum io_answer do_write(struct io_session *s, struct io_transfer *t)
{
	CLEANUP(free_ptr) uint8_t *owner = NULL;
	struct timespec began;
	struct dry_error e;

	if (!t->zero) {
		t->buf = new_buffer(s, t->len, t->pattern < 0 ? DEFAULT_PATTERN : t->pattern, &owner);
		if (!t->buf)
			return io_error(s, "out of memory");
		if (t->source && !io_fill_from_file(s, t->buf, (size_t)t->len, t->source))
			return IO_FAILED;
	}
	began = io_now();
	if (io_transfer_write(s, t, &e) < 0) {
		/* The peer's word for a compressed write of odd size. */
		if (t->compressed && e.code == DRY_USAGE)
			e = (struct dry_error){ .code = DRY_SYSTEM, .sys_errno = EINVAL };
		io_print_failure(t->gathered ? "writev" : "write", &e);
		return IO_FAILED;
	}
	return finish(t, "wrote", began);
}

/* Options of write that do not go together. */
static bool write_options_agree(const struct io_transfer *t)
{
	const char *sentence = NULL;

	if (t->vmstate && t->zero)
		sentence = "-b and -z cannot be specified at the same time";
	else if (t->fua && (t->vmstate || t->compressed))
		sentence = "-f and -b or -c cannot be specified at the same time";
	else if (t->no_fallback && !t->zero)
		sentence = "-n requires -z to be specified";
	else if (t->unmap && !t->zero)
		sentence = "-u requires -z to be specified";
	else if (t->zero + (t->pattern >= 0) + (t->source != NULL) > 1)
		sentence = "Only one of -z, -P, and -s can be specified at the same time";
	if (sentence)
		puts(sentence);
	return !sentence;
}

static enum io_answer run_write(struct io_session *s, int argc, char **argv)
{
	const struct io_command *self = &io_data_commands[WRITE];
	struct io_transfer t = { .pattern = -1, .vectors = 1, .write = true };

	if (!io_transfer_options(&t, self, "bcCfnpP:qs:uz", argc, argv))
		return IO_FAILED;
	if (optind != argc - 2)
		return io_usage(self);
	if (!write_options_agree(&t))
		return IO_FAILED;
	if (!io_offset(argv[optind], &t.off) || !io_number(argv[optind + 1], &t.len))
		return IO_FAILED;
	if (!t.no_fallback && t.len > (uint64_t)IO_MAX_REQUEST) {
		printf("length cannot exceed %lld without -n, given %s\n", IO_MAX_REQUEST, argv[optind + 1]);
		return IO_FAILED;
	}
	return (t.vmstate || t.compressed) && !is_sector_aligned(&t) ? IO_FAILED : do_write(s, &t);
}

static enum io_answer run_writev(struct io_session *s, int argc, char **argv)
{
	const struct io_command *self = &io_data_commands[WRITEV];
	struct io_transfer t = { .pattern = -1, .write = true, .gathered = true };

	if (!io_transfer_options(&t, self, "CfqP:", argc, argv))
		return IO_FAILED;
	if (optind > argc - 2)
		return io_usage(self);
	return io_transfer_ranges(&t, argc - optind, argv + optind) ? do_write(s, &t) : IO_FAILED;
}

/* ---- the rest ---- */

static enum io_answer run_discard(struct io_session *s, int argc, char **argv)
{
	bool machine = false, quiet = false, ignored;
	struct timespec began;
	struct dry_error e;
	uint64_t off, len;
	int c;

	optind = 0;
	while ((c = getopt(argc, argv, "Cq")) != -1) {
		if (c == 'C')
			machine = true;
		else if (c == 'q')
			quiet = true;
		else
			return io_usage(&io_data_commands[DISCARD]);
	}
	if (optind != argc - 2)
		return io_usage(&io_data_commands[DISCARD]);
	if (!io_offset(argv[optind], &off) || !io_length(argv[optind + 1], &len))
		return IO_FAILED;
	began = io_now();
	/* An ignored discard is still judged: a range past the end reaches the image, and is an error there. */
	ignored = s->how.ignore_discard && range_in(off, len, dry_image_size(s->img));
	if (!ignored && dry_image_discard(s->img, len, off, &e) < 0) {
		io_print_failure("discard", &e);
		return IO_FAILED;
	}
	if (!quiet)
		io_report("discard", began, off, len, len, 1, machine);
	return IO_OK;
}

static enum io_answer run_flush(struct io_session *s, int argc, char **argv)
{
	struct dry_error e;

	(void)argc;
	(void)argv;
	return dry_image_flush(s->img, &e) < 0 ? io_error(s, "%s", e.msg) : IO_OK;
}

static enum io_answer run_truncate(struct io_session *s, int argc, char **argv)
{
	enum dry_prealloc mode = DRY_PREALLOC_OFF;
	struct dry_error e;
	uint64_t size;
	int c;

	optind = 0;
	while ((c = getopt(argc, argv, "m:")) != -1) {
		if (c != 'm')
			return io_usage(&io_data_commands[TRUNCATE]);
		if (!dry_prealloc_parse(optarg, &mode))
			return io_error(s, "Invalid preallocation mode '%s'", optarg);
	}
	if (optind != argc - 1)
		return io_usage(&io_data_commands[TRUNCATE]);
	if (!io_offset(argv[optind], &size))
		return IO_FAILED;
	if (dry_image_resize(s->img, size, mode, &e) == 0)
		return IO_OK;
	return io_error(s, "%s", e.code == DRY_USAGE && size % 512 ? "The new size must be a multiple of 512" : e.msg);
}

const struct io_command io_data_commands[] = {
	[READ] = { "read", "r", run_read, 2, -1, false, false, "[-abCqv] [-P pattern [-s off] [-l len]] off len",
		   "reads a number of bytes at a specified offset",
		   "\n"
		   " reads a range of bytes from the given offset\n"
		   "\n"
		   " Example:\n"
		   " 'read -v 512 1k' - dumps 1 kilobyte read from 512 bytes into the file\n"
		   "\n"
		   " Reads a segment of the currently open file, optionally dumping it to the\n"
		   " standard output stream (with -v option) for subsequent inspection.\n"
		   " -b, -- read from the VM state rather than the virtual disk\n"
		   " -C, -- report statistics in a machine parsable format\n"
		   " -l, -- length for pattern verification (only with -P)\n"
		   " -p, -- ignored for backwards compatibility\n"
		   " -P, -- use a pattern to verify read data\n"
		   " -q, -- quiet mode, do not show I/O statistics\n"
		   " -s, -- start offset for pattern verification (only with -P)\n"
		   " -v, -- dump buffer to standard output\n" },
	[WRITE] = { "write", "w", run_write, 2, -1, false, true, "[-bcCfnquz] [-P pattern | -s source_file] off len",
		    "writes a number of bytes at a specified offset",
		    "\n"
		    " writes a range of bytes from the given offset\n"
		    "\n"
		    " Example:\n"
		    " 'write 512 1k' - writes 1 kilobyte at 512 bytes into the open file\n"
		    "\n"
		    " Writes into a segment of the currently open file, using a buffer\n"
		    " filled with a set pattern (0xcdcdcdcd).\n"
		    " -b, -- write to the VM state rather than the virtual disk\n"
		    " -c, -- write compressed data with blk_write_compressed\n"
		    " -f, -- use Force Unit Access semantics\n"
		    " -n, -- with -z, don't allow slow fallback\n"
		    " -p, -- ignored for backwards compatibility\n"
		    " -P, -- use different pattern to fill file\n"
		    " -s, -- use a pattern file to fill the write buffer\n"
		    " -C, -- report statistics in a machine parsable format\n"
		    " -q, -- quiet mode, do not show I/O statistics\n"
		    " -u, -- with -z, allow unmapping\n"
		    " -z, -- write zeroes using blk_co_pwrite_zeroes\n" },
	[READV] = { "readv", NULL, run_readv, 2, -1, false, false, "[-Cqv] [-P pattern] off len [len..]",
		    "reads a number of bytes at a specified offset",
		    "\n"
		    " reads a range of bytes from the given offset into multiple buffers\n"
		    "\n"
		    " Example:\n"
		    " 'readv -v 512 1k 1k ' - dumps 2 kilobytes read from 512 bytes into the file\n"
		    "\n"
		    " Reads a segment of the currently open file, optionally dumping it to the\n"
		    " standard output stream (with -v option) for subsequent inspection.\n"
		    " Uses multiple iovec buffers if more than one byte range is specified.\n"
		    " -C, -- report statistics in a machine parsable format\n"
		    " -P, -- use a pattern to verify read data\n"
		    " -v, -- dump buffer to standard output\n"
		    " -q, -- quiet mode, do not show I/O statistics\n" },
	[WRITEV] = { "writev", NULL, run_writev, 2, -1, false, true, "[-Cfq] [-P pattern] off len [len..]",
		     "writes a number of bytes at a specified offset",
		     "\n"
		     " writes a range of bytes from the given offset source from multiple buffers\n"
		     "\n"
		     " Example:\n"
		     " 'writev 512 1k 1k' - writes 2 kilobytes at 512 bytes into the open file\n"
		     "\n"
		     " Writes into a segment of the currently open file, using a buffer\n"
		     " filled with a set pattern (0xcdcdcdcd).\n"
		     " -P, -- use different pattern to fill file\n"
		     " -C, -- report statistics in a machine parsable format\n"
		     " -f, -- use Force Unit Access semantics\n"
		     " -q, -- quiet mode, do not show I/O statistics\n" },
	[DISCARD] = { "discard", "d", run_discard, 2, -1, false, true, "[-Cq] off len",
		      "discards a number of bytes at a specified offset",
		      "\n"
		      " discards a range of bytes from the given offset\n"
		      "\n"
		      " Example:\n"
		      " 'discard 512 1k' - discards 1 kilobyte from 512 bytes into the file\n"
		      "\n"
		      " Discards a segment of the currently open file.\n"
		      " -C, -- report statistics in a machine parsable format\n"
		      " -q, -- quiet mode, do not show I/O statistics\n" },
	[FLUSH] = { "flush", "f", run_flush, 0, 0, false, false, NULL, "flush all in-core file state to disk", NULL },
	[TRUNCATE] = { "truncate", "t", run_truncate, 1, 3, false, true, "[-m prealloc_mode] off",
		       "truncates the current file at the given offset", NULL },
	{ NULL, NULL, NULL, 0, 0, false, false, NULL, NULL, NULL },
};
