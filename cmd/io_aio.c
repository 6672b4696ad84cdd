/* SPDX-License-Identifier: GPL-2.0-or-later */
/* io_aio.c - requests that run beside the session, a thread each, and report when they end. */
#include "io_session.h"

#include "alloc.h"

#include <getopt.h>
#include <stdio.h>

enum { AIO_READ, AIO_WRITE, AIO_FLUSH };

struct io_request {
	struct io_session *s;
	struct io_transfer t;
	struct timespec began;
	bool write;
	uint8_t *buf; /* owned */
};

static void request_free(struct io_request *r)
{
	free(r->buf);
	free(r);
}

/* What the request came to.  Its result does not count for the exit status: the command succeeded by starting it. */
static void report(struct io_request *r, int rc, const struct dry_error *e)
{
	const struct io_transfer *t = &r->t;

	if (rc < 0) {
		io_print_failure(r->write ? "aio_write" : "readv", e);
		return;
	}
	if (!r->write)
		io_transfer_verify(t);
	if (t->quiet)
		return;
	if (t->dump)
		io_dump(t->buf, (size_t)t->len, t->off);
	io_report(r->write ? "wrote" : "read", r->began, t->off, t->len, t->len, 1, t->machine);
}

static void *run_request(void *arg)
{
	struct io_request *r = arg;
	struct io_session *s = r->s;
	struct dry_error e;
	int rc = r->write ? io_transfer_write(s, &r->t, &e) : io_transfer_read(s, &r->t, &e);

	pthread_mutex_lock(&s->lock);
	report(r, rc, &e);
	fflush(stdout);
	request_free(r);
	if (--s->in_flight == 0)
		pthread_cond_broadcast(&s->idle);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

void io_drain(struct io_session *s)
{
	pthread_mutex_lock(&s->lock);
	while (s->in_flight)
		pthread_cond_wait(&s->idle, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

/* Hands r over to a thread of its own. */
static enum io_answer submit(struct io_request *r)
{
	struct io_session *s = r->s;
	pthread_attr_t detached;
	pthread_t thread;
	int rc;

	pthread_mutex_lock(&s->lock);
	s->in_flight++;
	pthread_mutex_unlock(&s->lock);
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	rc = pthread_create(&thread, &detached, run_request, r);
	pthread_attr_destroy(&detached);
	if (rc == 0)
		return IO_OK;
	pthread_mutex_lock(&s->lock);
	s->in_flight--;
	pthread_mutex_unlock(&s->lock);
	request_free(r);
	return io_error(s, "a thread for the request: %s", strerror(rc));
}

static enum io_answer invalid(const char *what)
{
	printf("injecting invalid %s request\n", what);
	return IO_OK;
}

static enum io_answer run_aio(struct io_session *s, const struct io_command *self, const char *letters, bool write, int argc,
			      char **argv)
{
	struct io_transfer t = { .pattern = -1, .write = write };
	struct io_request *r;

	if (!io_transfer_options(&t, self, letters, argc, argv))
		return IO_FAILED;
	if (t.invalid)
		return invalid(write ? "write" : "read");
	if (optind > argc - 2)
		return io_usage(self);
	if (t.zero && optind != argc - 2) {
		puts("-z supports only a single length parameter");
		return IO_FAILED;
	}
	if (t.unmap && !t.zero) {
		puts("-u requires -z to be specified");
		return IO_FAILED;
	}
	if (!io_transfer_ranges(&t, argc - optind, argv + optind))
		return IO_FAILED;
	t.pattern_len = t.len;
	r = alloc_zero(sizeof *r);
	if (r && !t.zero)
		r->buf = alloc_aligned(4096, (size_t)t.len + 4096);
	if (!r || (!t.zero && !r->buf)) {
		free(r);
		return io_error(s, "out of memory");
	}
	if (r->buf) {
		memset(r->buf, write ? (t.pattern < 0 ? 0xcd : t.pattern) : 0xab, (size_t)t.len + 4096);
		t.buf = r->buf + (s->misalign ? 16 : 0);
	}
	r->s = s;
	r->t = t;
	r->write = write;
	r->began = io_now();
	return submit(r);
}

static enum io_answer run_aio_read(struct io_session *s, int argc, char **argv)
{
	return run_aio(s, &io_aio_commands[AIO_READ], "CP:iqv", false, argc, argv);
}

static enum io_answer run_aio_write(struct io_session *s, int argc, char **argv)
{
	return run_aio(s, &io_aio_commands[AIO_WRITE], "CfiP:quz", true, argc, argv);
}

static enum io_answer run_aio_flush(struct io_session *s, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	io_drain(s);
	return IO_OK;
}

const struct io_command io_aio_commands[] = {
	[AIO_READ] = { "aio_read", NULL, run_aio_read, 2, -1, false, false, "[-Ciqv] [-P pattern] off len [len..]",
		       "asynchronously reads a number of bytes",
		       "\n"
		       " asynchronously reads a range of bytes from the given offset\n"
		       "\n"
		       " Example:\n"
		       " 'aio_read -v 512 1k 1k ' - dumps 2 kilobytes read from 512 bytes into the file\n"
		       "\n"
		       " Reads a segment of the currently open file, optionally dumping it to the\n"
		       " standard output stream (with -v option) for subsequent inspection.\n"
		       " The read is performed asynchronously and the aio_flush command must be\n"
		       " used to ensure all outstanding aio requests have been completed.\n"
		       " Note that due to its asynchronous nature, this command will be\n"
		       " considered successful once the request is submitted, independently\n"
		       " of potential I/O errors or pattern mismatches.\n"
		       " -C, -- report statistics in a machine parsable format\n"
		       " -P, -- use a pattern to verify read data\n"
		       " -i, -- treat request as invalid, for exercising stats\n"
		       " -v, -- dump buffer to standard output\n"
		       " -q, -- quiet mode, do not show I/O statistics\n" },
	[AIO_WRITE] = { "aio_write", NULL, run_aio_write, 2, -1, false, true, "[-Cfiquz] [-P pattern] off len [len..]",
			"asynchronously writes a number of bytes",
			"\n"
			" asynchronously writes a range of bytes from the given offset source\n"
			" from multiple buffers\n"
			"\n"
			" Example:\n"
			" 'aio_write 512 1k 1k' - writes 2 kilobytes at 512 bytes into the open file\n"
			"\n"
			" Writes into a segment of the currently open file, using a buffer\n"
			" filled with a set pattern (0xcdcdcdcd).\n"
			" The write is performed asynchronously and the aio_flush command must be\n"
			" used to ensure all outstanding aio requests have been completed.\n"
			" Note that due to its asynchronous nature, this command will be\n"
			" considered successful once the request is submitted, independently\n"
			" of potential I/O errors or pattern mismatches.\n"
			" -P, -- use different pattern to fill file\n"
			" -C, -- report statistics in a machine parsable format\n"
			" -f, -- use Force Unit Access semantics\n"
			" -i, -- treat request as invalid, for exercising stats\n"
			" -q, -- quiet mode, do not show I/O statistics\n"
			" -u, -- with -z, allow unmapping\n"
			" -z, -- write zeroes using blk_aio_pwrite_zeroes\n" },
	[AIO_FLUSH] = { "aio_flush", NULL, run_aio_flush, 0, 0, false, false, NULL,
			"completes all outstanding aio requests", NULL },
	{ NULL, NULL, NULL, 0, 0, false, false, NULL, NULL, NULL },
};
