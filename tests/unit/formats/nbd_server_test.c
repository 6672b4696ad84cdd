/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An NBD server, and clients: honest ones, those that send what they should not, and those that do not read. */
#include "testing.h"

#include "nbd_proto.h"
#include "nbd_server.h"

#include "alloc.h"
#include "block_driver.h"
#include "limits.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>

static struct err e;
static struct block *b, *other;
static struct nbd_server *s;

enum { SIZE = 4 << 20 };

/* 1 MiB of data, then a hole. */
static struct block *open_disk(const char *path, bool writable)
{
	struct block_open how = { .format = "raw", .flags = writable ? BLOCK_WRITE : 0 };
	struct block *out;
	uint8_t bytes[4096];
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	for (unsigned i = 0; i < (1 << 20) / sizeof bytes; i++) {
		memset(bytes, (int)(i + 1), sizeof bytes);
		ck_assert_uint_eq(fwrite(bytes, 1, sizeof bytes, f), sizeof bytes);
	}
	ck_assert_int_eq(fflush(f), 0);
	ck_assert_int_eq(ftruncate(fileno(f), SIZE), 0);
	ck_assert_int_eq(fclose(f), 0);
	ok(block_open(path, &how, &out, &e));
	return out;
}

static void serve_how(const struct nbd_server_how *how)
{
	struct nbd_export exports[2];

	b = open_disk("a", true);
	other = open_disk("b", true);
	exports[0] = (struct nbd_export){ "", "the first", b, true };
	exports[1] = (struct nbd_export){ "second", NULL, other, false };
	ok(nbd_server_new(exports, 2, how, &s, &e));
}

static void stop(void)
{
	ok(nbd_server_stop(s, &e));
	block_unref(b);
	block_unref(other);
}

/* ---- a client ---- */

static int connect_to(void)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	ok(nbd_server_client(s, pair[1], &e));
	return pair[0];
}

static void give(int fd, const void *p, size_t len)
{
	ck_assert_int_eq(send(fd, p, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void get(int fd, void *p, size_t len)
{
	if (len) /* nothing is waited for, too */
		ck_assert_int_eq(recv(fd, p, len, MSG_WAITALL), (ssize_t)len);
}

/* The server has hung up, having said nothing more. */
static void hung_up(int fd)
{
	char c;

	ck_assert_int_le(recv(fd, &c, 1, 0), 0);
	close(fd);
}

static void greet(int fd, uint32_t flags)
{
	struct nbd_greeting g;
	be32 f;

	get(fd, &g, sizeof g);
	ck_assert(be64_get(g.magic) == NBD_MAGIC && be64_get(g.option_magic) == NBD_OPTION_MAGIC);
	ck_assert_uint_eq(be16_get(g.flags), 3);
	be32_put(&f, flags);
	give(fd, &f, sizeof f);
}

static void option(int fd, uint32_t which, const void *p, uint32_t len)
{
	struct nbd_option_header h;

	be64_put(&h.magic, NBD_OPTION_MAGIC);
	be32_put(&h.option, which);
	be32_put(&h.len, len);
	give(fd, &h, sizeof h);
	if (len)
		give(fd, p, len);
}

/* The type of the next reply; its payload, at most 4096 bytes, is in buf. */
static uint32_t answer(int fd, uint32_t which, char *buf, uint32_t *len)
{
	struct nbd_option_reply_header h;
	char local[4096];

	get(fd, &h, sizeof h);
	ck_assert(be64_get(h.magic) == NBD_REPLY_MAGIC);
	ck_assert_uint_eq(be32_get(h.option), which);
	ck_assert_uint_le(be32_get(h.len), sizeof local);
	get(fd, buf ? buf : local, be32_get(h.len));
	if (len)
		*len = be32_get(h.len);
	return be32_get(h.type);
}

/* As LIST, INFO, SET_META_CONTEXT want it: a name, and what follows it. */
static uint32_t named(char *buf, const char *name, const void *rest, size_t len)
{
	be32 n;

	be32_put(&n, (uint32_t)strlen(name));
	memcpy(buf, &n, 4);
	memcpy(buf + 4, name, strlen(name));
	memcpy(buf + 4 + strlen(name), rest, len);
	return (uint32_t)(4 + strlen(name) + len);
}

static void choose_meta(int fd, const char *name)
{
	char buf[100];
	uint32_t n = named(buf, name, "\0\0\0\1\0\0\0\17base:allocation", 23);

	option(fd, NBD_OPT_SET_META_CONTEXT, buf, n);
	ck_assert_uint_eq(answer(fd, NBD_OPT_SET_META_CONTEXT, NULL, NULL), NBD_REP_META_CONTEXT);
	ck_assert_uint_eq(answer(fd, NBD_OPT_SET_META_CONTEXT, NULL, NULL), NBD_REP_ACK);
}

static void go(int fd, const char *name)
{
	char buf[100];

	option(fd, NBD_OPT_GO, buf, named(buf, name, "\0", 2));
	ck_assert_uint_eq(answer(fd, NBD_OPT_GO, NULL, NULL), NBD_REP_INFO);
	ck_assert_uint_eq(answer(fd, NBD_OPT_GO, NULL, NULL), NBD_REP_ACK);
}

/* style: 0 simple, else the option that chooses it. */
static int client(const char *name, uint32_t style)
{
	int fd = connect_to();

	greet(fd, 3);
	if (style) {
		option(fd, style, NULL, 0);
		ck_assert_uint_eq(answer(fd, style, NULL, NULL), NBD_REP_ACK);
		choose_meta(fd, name);
	}
	go(fd, name);
	return fd;
}

static void ask(int fd, unsigned type, unsigned flags, uint64_t off, uint32_t len)
{
	struct nbd_request_header h;

	be32_put(&h.magic, NBD_REQUEST_MAGIC);
	be16_put(&h.flags, (uint16_t)flags);
	be16_put(&h.type, (uint16_t)type);
	be64_put(&h.cookie, off ^ 4711);
	be64_put(&h.off, off);
	be32_put(&h.len, len);
	give(fd, &h, sizeof h);
}

static unsigned simple(int fd, uint64_t off)
{
	struct nbd_simple_reply r;

	get(fd, &r, sizeof r);
	ck_assert_uint_eq(be32_get(r.magic), NBD_SIMPLE_REPLY_MAGIC);
	ck_assert(be64_get(r.cookie) == (off ^ 4711));
	return be32_get(r.error);
}

/* The next chunk; what it holds is in buf. */
static unsigned chunk(int fd, uint64_t off, uint8_t *buf, uint32_t *len, bool *last)
{
	struct nbd_structured_reply r;

	get(fd, &r, sizeof r);
	ck_assert_uint_eq(be32_get(r.magic), NBD_STRUCTURED_REPLY_MAGIC);
	ck_assert(be64_get(r.cookie) == (off ^ 4711));
	*len = be32_get(r.len);
	get(fd, buf, *len);
	*last = be16_get(r.flags) & NBD_REPLY_DONE;
	return be16_get(r.type);
}

/* The error of a request whose answer is one error chunk. */
static unsigned refused(int fd, uint64_t off)
{
	uint8_t buf[1000];
	uint32_t len;
	bool last;
	be32 error;

	ck_assert_uint_eq(chunk(fd, off, buf, &len, &last), NBD_CHUNK_ERROR);
	ck_assert(last);
	memcpy(&error, buf, 4);
	return be32_get(error);
}

static uint8_t big[2 << 20];

/* A request of 4 KiB and, for a write, its data, behind what is in the buffer. */
static size_t add(uint8_t *buf, size_t at, unsigned type, uint64_t off)
{
	struct nbd_request_header h;

	be32_put(&h.magic, NBD_REQUEST_MAGIC);
	be16_put(&h.flags, 0);
	be16_put(&h.type, (uint16_t)type);
	be64_put(&h.cookie, off ^ 4711);
	be64_put(&h.off, off);
	be32_put(&h.len, 4096);
	memcpy(buf + at, &h, sizeof h);
	at += sizeof h;
	if (type == NBD_CMD_WRITE) {
		memset(buf + at, (int)(off >> 12) + 100, 4096);
		at += 4096;
	}
	return at;
}

/* ---- honest ---- */

START_TEST(exports_are_listed_and_told_about)
{
	char buf[4096], want[100];
	uint32_t len;
	int fd;

	serve_how(NULL);
	fd = connect_to();
	greet(fd, 1);
	option(fd, NBD_OPT_LIST, NULL, 0);
	ck_assert_uint_eq(answer(fd, NBD_OPT_LIST, buf, &len), NBD_REP_SERVER);
	ck_assert_mem_eq(buf, "\0\0\0\0the first", len);
	ck_assert_uint_eq(answer(fd, NBD_OPT_LIST, buf, &len), NBD_REP_SERVER);
	ck_assert_mem_eq(buf, "\0\0\0\6second", len);
	ck_assert_uint_eq(answer(fd, NBD_OPT_LIST, buf, &len), NBD_REP_ACK);
	option(fd, NBD_OPT_INFO, want, named(want, "second", "\0\2\0\1\0\3", 6));
	ck_assert_uint_eq(answer(fd, NBD_OPT_INFO, buf, &len), NBD_REP_INFO);
	ck_assert_mem_eq(buf, "\0\0\0\0\0\0\0\x40\0\0", 10);
	ck_assert(buf[11] & NBD_FLAG_READ_ONLY);
	ck_assert_uint_eq(answer(fd, NBD_OPT_INFO, buf, &len), NBD_REP_INFO);
	ck_assert_mem_eq(buf, "\0\1second", len);
	ck_assert_uint_eq(answer(fd, NBD_OPT_INFO, buf, &len), NBD_REP_INFO);
	ck_assert_mem_eq(buf, "\0\3\0\0\0\1\0\0\20\0\2\0\0\0", len);
	ck_assert_uint_eq(answer(fd, NBD_OPT_INFO, buf, &len), NBD_REP_ACK);
	option(fd, NBD_OPT_ABORT, NULL, 0);
	ck_assert_uint_eq(answer(fd, NBD_OPT_ABORT, buf, &len), NBD_REP_ACK);
	hung_up(fd);
	stop();
}
END_TEST

START_TEST(a_client_without_options_is_served)
{
	uint8_t facts[134];
	int fd;

	serve_how(NULL);
	fd = connect_to();
	greet(fd, 0);
	option(fd, NBD_OPT_EXPORT_NAME, "second", 6);
	get(fd, facts, sizeof facts);
	ck_assert_mem_eq(facts, "\0\0\0\0\0\x40\0\0", 8);
	ask(fd, NBD_CMD_READ, 0, 4096, 4096);
	ck_assert_uint_eq(simple(fd, 4096), 0);
	get(fd, big, 4096);
	ck_assert_uint_eq(big[4095], 2);
	ask(fd, NBD_CMD_WRITE, 0, 0, 10);
	give(fd, "0123456789", 10);
	ck_assert_uint_eq(simple(fd, 0), NBD_EPERM);
	/* More than a thread's buffer, in one reply. */
	ask(fd, NBD_CMD_READ, 0, 100, sizeof big);
	ck_assert_uint_eq(simple(fd, 100), 0);
	get(fd, big, sizeof big);
	ck_assert_uint_eq(big[(1 << 20) - 101], 0);
	ck_assert_uint_eq(big[8192], 3);
	ck_assert_uint_eq(big[sizeof big - 1], 0);
	ask(fd, NBD_CMD_DISC, 0, 0, 0);
	hung_up(fd);
	ck_assert(nbd_server_wait(s, 20000));
	stop();
}
END_TEST

START_TEST(a_write_of_any_length_is_there_when_it_is_acknowledged)
{
	uint8_t got[4096];
	int fd;

	serve_how(NULL);
	fd = client("", 0);
	for (size_t i = 0; i < sizeof big; i++)
		big[i] = (uint8_t)(i >> 12);
	ask(fd, NBD_CMD_WRITE, NBD_CMD_FLAG_FUA, 1000, sizeof big);
	give(fd, big, sizeof big);
	ck_assert_uint_eq(simple(fd, 1000), 0);
	ok(block_pread(b, got, sizeof got, 1000 + (300 << 12), &e));
	ck_assert_mem_eq(got, big + (300 << 12), sizeof got);
	ask(fd, NBD_CMD_FLUSH, 0, 0, 0);
	ck_assert_uint_eq(simple(fd, 0), 0);
	ask(fd, NBD_CMD_WRITE_ZEROES, NBD_CMD_FLAG_NO_HOLE, 8192, 4096);
	ck_assert_uint_eq(simple(fd, 8192), 0);
	ask(fd, NBD_CMD_TRIM, 0, 65536, 65536);
	ck_assert_uint_eq(simple(fd, 65536), 0);
	ask(fd, NBD_CMD_CACHE, 0, 0, SIZE);
	ck_assert_uint_eq(simple(fd, 0), 0);
	ok(block_pread(b, got, sizeof got, 8192, &e));
	ck_assert_uint_eq(got[0] | got[4095], 0);
	close(fd);
	stop();
}
END_TEST

/* Forty writes, one of them past the end, and as many reads, come in two pieces of which neither ends with a request. */
START_TEST(small_requests_that_come_together_are_all_answered)
{
	const uint32_t style = _i ? NBD_OPT_STRUCTURED_REPLY : 0;
	size_t len = 0, half;
	int fd;

	serve_how(NULL);
	fd = client("", style);
	for (unsigned i = 0; i < 40; i++)
		len = add(big, len, NBD_CMD_WRITE, i == 20 ? SIZE : i << 12);
	half = len - 5000;
	give(fd, big, half);
	/* Nobody waits for the end of a request with the answers to those before it. */
	for (unsigned i = 0; i < 38; i++) {
		const uint64_t off = i == 20 ? SIZE : i << 12;

		if (i == 20 && style)
			ck_assert_uint_eq(refused(fd, off), NBD_ENOSPC);
		else
			ck_assert_uint_eq(simple(fd, off), i == 20 ? NBD_ENOSPC : 0);
	}
	for (unsigned i = 0; i < 40; i++)
		len = add(big, len, NBD_CMD_READ, i << 12);
	give(fd, big + half, len - half);
	ck_assert_uint_eq(simple(fd, 38 << 12), 0);
	ck_assert_uint_eq(simple(fd, 39 << 12), 0);
	for (unsigned i = 0; i < 40; i++) {
		uint8_t got[4096 + 8];
		uint32_t n;
		bool last;

		if (style) {
			ck_assert_uint_eq(chunk(fd, i << 12, got, &n, &last), NBD_CHUNK_DATA);
			ck_assert_uint_eq(n, sizeof got);
		} else {
			ck_assert_uint_eq(simple(fd, i << 12), 0);
			get(fd, got + 8, 4096);
		}
		/* What was refused is as it was. */
		ck_assert_uint_eq(got[8], i == 20 ? 21 : i + 100);
		ck_assert_mem_eq(got + 8, got + 9, 4095);
	}
	close(fd);
	stop();
}
END_TEST

START_TEST(a_structured_read_has_holes)
{
	uint64_t data = 0, hole = 0;
	bool last = false;
	int fd;

	serve_how(NULL);
	fd = client("", NBD_OPT_STRUCTURED_REPLY);
	ask(fd, NBD_CMD_READ, 0, 0, SIZE);
	while (!last) {
		uint32_t len;
		be32 n;
		unsigned type = chunk(fd, 0, big, &len, &last);

		memcpy(&n, big + 8, 4);
		if (type == NBD_CHUNK_HOLE)
			hole += be32_get(n);
		else
			data += len - 8;
		ck_assert(type == NBD_CHUNK_HOLE || type == NBD_CHUNK_DATA);
	}
	ck_assert_uint_eq(data + hole, SIZE);
	ck_assert_uint_ge(hole, 1 << 20);
	/* In one piece, if it is asked for. */
	ask(fd, NBD_CMD_READ, NBD_CMD_FLAG_DF, (1 << 20) - 65536, 131072);
	{
		uint32_t len;

		ck_assert_uint_eq(chunk(fd, (1 << 20) - 65536, big, &len, &last), NBD_CHUNK_DATA);
		ck_assert(last);
		ck_assert_uint_eq(len, 131072 + 8);
	}
	close(fd);
	stop();
}
END_TEST

START_TEST(block_status_tells_data_and_holes)
{
	uint32_t len;
	bool last;
	int fd;

	serve_how(NULL);
	fd = client("", NBD_OPT_STRUCTURED_REPLY);
	ask(fd, NBD_CMD_BLOCK_STATUS, 0, 4096, SIZE - 4096);
	ck_assert_uint_eq(chunk(fd, 4096, big, &len, &last), NBD_CHUNK_STATUS);
	ck_assert(last);
	ck_assert_uint_eq(len, 4 + 16);
	ck_assert_mem_eq(big, "\0\0\0\0\0\xf\xf0\0\0\0\0\0\0\x30\0\0\0\0\0\3", 20);
	ask(fd, NBD_CMD_BLOCK_STATUS, NBD_CMD_FLAG_REQ_ONE, 0, SIZE);
	ck_assert_uint_eq(chunk(fd, 0, big, &len, &last), NBD_CHUNK_STATUS);
	ck_assert_uint_eq(len, 4 + 8);
	close(fd);
	/* Chosen for one export, it is not chosen for another. */
	fd = connect_to();
	greet(fd, 3);
	option(fd, NBD_OPT_STRUCTURED_REPLY, NULL, 0);
	ck_assert_uint_eq(answer(fd, NBD_OPT_STRUCTURED_REPLY, NULL, NULL), NBD_REP_ACK);
	choose_meta(fd, "");
	go(fd, "second");
	ask(fd, NBD_CMD_BLOCK_STATUS, 0, 0, 4096);
	ck_assert_uint_eq(refused(fd, 0), NBD_EINVAL);
	close(fd);
	stop();
}
END_TEST

START_TEST(extended_headers_have_64_bits)
{
	struct nbd_extended_request_header h;
	struct nbd_extended_reply r;
	uint8_t buf[100];
	int fd;

	serve_how(NULL);
	fd = connect_to();
	greet(fd, 3);
	option(fd, NBD_OPT_EXTENDED_HEADERS, NULL, 0);
	ck_assert_uint_eq(answer(fd, NBD_OPT_EXTENDED_HEADERS, NULL, NULL), NBD_REP_ACK);
	option(fd, NBD_OPT_STRUCTURED_REPLY, NULL, 0);
	ck_assert_uint_eq(answer(fd, NBD_OPT_STRUCTURED_REPLY, NULL, NULL), NBD_REP_ERR_EXT_HEADER_REQD);
	choose_meta(fd, "");
	go(fd, "");
	be32_put(&h.magic, NBD_EXTENDED_REQUEST_MAGIC);
	be16_put(&h.flags, 0);
	be16_put(&h.type, NBD_CMD_BLOCK_STATUS);
	be64_put(&h.cookie, 7);
	be64_put(&h.off, 0);
	be64_put(&h.len, SIZE);
	give(fd, &h, sizeof h);
	get(fd, &r, sizeof r);
	ck_assert_uint_eq(be32_get(r.magic), NBD_EXTENDED_REPLY_MAGIC);
	ck_assert_uint_eq(be16_get(r.type), NBD_CHUNK_STATUS_EXT);
	ck_assert_uint_eq(be64_get(r.len), 8 + 32);
	get(fd, buf, 40);
	ck_assert_mem_eq(buf, "\0\0\0\0\0\0\0\2\0\0\0\0\0\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x30\0\0\0\0\0\0\0\0\0\3", 40);
	/* A write has its payload, and an answer of 32 bytes. */
	be16_put(&h.flags, NBD_CMD_FLAG_PAYLOAD_LEN);
	be16_put(&h.type, NBD_CMD_WRITE);
	be64_put(&h.len, 3);
	give(fd, &h, sizeof h);
	give(fd, "abc", 3);
	get(fd, &r, sizeof r);
	ck_assert_uint_eq(be16_get(r.type), NBD_CHUNK_NONE);
	/* A payload where none belongs is skipped. */
	be16_put(&h.type, NBD_CMD_TRIM);
	give(fd, &h, sizeof h);
	give(fd, "abc", 3);
	get(fd, &r, sizeof r);
	ck_assert_uint_eq(be16_get(r.type), NBD_CHUNK_ERROR);
	get(fd, buf, be64_get(r.len));
	/* A length past 32 bits is judged as such. */
	be16_put(&h.flags, 0);
	be64_put(&h.len, 1ULL << 40);
	give(fd, &h, sizeof h);
	get(fd, &r, sizeof r);
	ck_assert_uint_eq(be16_get(r.type), NBD_CHUNK_ERROR);
	close(fd);
	stop();
}
END_TEST

/* ---- not honest ---- */

static const struct {
	const char *what;
	uint32_t type, flags;
	uint64_t off;
	uint32_t len, error;
} wrong[] = {
	{ "past the end", NBD_CMD_READ, 0, SIZE - 1, 2, NBD_EINVAL },
	{ "overflow", NBD_CMD_READ, 0, UINT64_MAX, 2, NBD_EINVAL },
	{ "too much", NBD_CMD_READ, 0, 0, LIMIT_NBD_PAYLOAD + 1, NBD_EINVAL },
	{ "too much for a piece", NBD_CMD_READ, NBD_CMD_FLAG_DF, 0, LIMIT_NBD_BUFFER + 1, NBD_EOVERFLOW },
	{ "flag of another", NBD_CMD_READ, NBD_CMD_FLAG_NO_HOLE, 0, 1, NBD_EINVAL },
	{ "unknown flag", NBD_CMD_READ, 1 << 9, 0, 1, NBD_EINVAL },
	{ "payload flag", NBD_CMD_READ, NBD_CMD_FLAG_PAYLOAD_LEN, 0, 1, NBD_EINVAL },
	{ "unknown command", 99, 0, 0, 1, NBD_EINVAL },
	{ "write past the end", NBD_CMD_WRITE, 0, SIZE - 1, 2, NBD_ENOSPC },
	{ "write with a flag", NBD_CMD_WRITE, NBD_CMD_FLAG_DF, 0, 2, NBD_EINVAL },
	{ "zero past the end", NBD_CMD_WRITE_ZEROES, 0, SIZE, UINT32_MAX, NBD_ENOSPC },
	{ "trim past the end", NBD_CMD_TRIM, 0, UINT64_MAX - 5, 100, NBD_EINVAL },
	{ "flush with a range", NBD_CMD_FLUSH, 0, 1, 0, NBD_EINVAL },
	{ "cache past the end", NBD_CMD_CACHE, 0, 1, SIZE, NBD_EINVAL },
	{ "status of nothing", NBD_CMD_BLOCK_STATUS, 0, 0, 0, NBD_EINVAL },
	{ "status past the end", NBD_CMD_BLOCK_STATUS, 0, SIZE, 1, NBD_EINVAL },
};

START_TEST(a_wrong_request_gets_its_error_and_the_next_one_is_served)
{
	int fd;

	serve_how(NULL);
	fd = client("", NBD_OPT_STRUCTURED_REPLY);
	ask(fd, wrong[_i].type, wrong[_i].flags, wrong[_i].off, wrong[_i].len);
	if (wrong[_i].type == NBD_CMD_WRITE)
		give(fd, big, wrong[_i].len);
	ck_assert_msg(refused(fd, wrong[_i].off) == wrong[_i].error, "%s", wrong[_i].what);
	ask(fd, NBD_CMD_FLUSH, 0, 0, 0);
	ck_assert_uint_eq(simple(fd, 0), 0);
	close(fd);
	stop();
}
END_TEST

START_TEST(what_is_read_only_is_not_written)
{
	int fd;

	serve_how(NULL);
	fd = client("second", 0);
	ask(fd, NBD_CMD_WRITE_ZEROES, 0, 0, 512);
	ck_assert_uint_eq(simple(fd, 0), NBD_EPERM);
	ask(fd, NBD_CMD_TRIM, 0, 0, 512);
	ck_assert_uint_eq(simple(fd, 0), NBD_EPERM);
	ask(fd, NBD_CMD_WRITE, 0, 0, sizeof big);
	give(fd, big, sizeof big);
	ck_assert_uint_eq(simple(fd, 0), NBD_EPERM);
	ask(fd, NBD_CMD_READ, 0, 0, 512);
	ck_assert_uint_eq(simple(fd, 0), 0);
	get(fd, big, 512);
	ck_assert_uint_eq(big[0], 1);
	close(fd);
	stop();
}
END_TEST

START_TEST(what_cannot_be_understood_ends_the_client_alone)
{
	int good, fd;

	serve_how(NULL);
	good = client("", 0);
	fd = client("", 0);
	give(fd, "0123456789012345678901234567", 28); /* no request */
	hung_up(fd);
	fd = client("", 0);
	ask(fd, NBD_CMD_WRITE, 0, 0, LIMIT_NBD_PAYLOAD + 1);
	hung_up(fd);
	fd = connect_to();
	greet(fd, 1 << 7); /* a flag of the future */
	hung_up(fd);
	fd = connect_to();
	greet(fd, 1);
	give(fd, "GET / HTTP/1.0\r\n\r\n", 18);
	hung_up(fd);
	fd = connect_to();
	greet(fd, 1);
	option(fd, NBD_OPT_EXPORT_NAME, "third", 5);
	hung_up(fd);
	fd = connect_to();
	greet(fd, 0); /* cannot be told that there is no such option */
	option(fd, NBD_OPT_LIST, NULL, 0);
	hung_up(fd);
	ask(good, NBD_CMD_FLUSH, 0, 0, 0);
	ck_assert_uint_eq(simple(good, 0), 0);
	ck_assert_uint_eq(nbd_server_clients(s), 1);
	close(good);
	stop();
}
END_TEST

START_TEST(a_wrong_option_gets_its_error_and_the_next_one_is_heard)
{
	static const struct {
		uint32_t option;
		const char *bytes;
		uint32_t len, answer;
	} cases[] = {
		{ 4711, "xyz", 3, NBD_REP_ERR_UNSUP },
		{ NBD_OPT_STARTTLS, "", 0, NBD_REP_ERR_POLICY },
		{ NBD_OPT_LIST, "x", 1, NBD_REP_ERR_INVALID },
		{ NBD_OPT_STRUCTURED_REPLY, "x", 1, NBD_REP_ERR_INVALID },
		{ NBD_OPT_GO, "", 0, NBD_REP_ERR_INVALID },
		{ NBD_OPT_GO, "\0\0\0", 3, NBD_REP_ERR_INVALID },
		{ NBD_OPT_GO, "\0\0\0\5abc\0\0", 9, NBD_REP_ERR_INVALID },
		{ NBD_OPT_GO, "\377\377\377\377abc\0\0", 9, NBD_REP_ERR_INVALID },
		{ NBD_OPT_GO, "\0\0\0\0\0\1", 6, NBD_REP_ERR_INVALID },
		{ NBD_OPT_GO, "\0\0\0\0\0\0\0", 7, NBD_REP_ERR_INVALID },
		{ NBD_OPT_GO, "\0\0\0\3a\0b\0\0", 9, NBD_REP_ERR_INVALID },
		{ NBD_OPT_GO, "\0\0\0\5third\0\0", 11, NBD_REP_ERR_UNKNOWN },
		{ NBD_OPT_INFO, "\0\0\0\5third\0\0", 11, NBD_REP_ERR_UNKNOWN },
		{ NBD_OPT_SET_META_CONTEXT, "\0\0\0\0\0\0\0\0", 8, NBD_REP_ERR_INVALID }, /* before structured replies */
	};
	int fd;

	serve_how(NULL);
	fd = connect_to();
	greet(fd, 3);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		option(fd, cases[i].option, cases[i].bytes, cases[i].len);
		ck_assert_msg(answer(fd, cases[i].option, NULL, NULL) == cases[i].answer, "case %u", i);
	}
	option(fd, NBD_OPT_GO, big, LIMIT_NBD_OPTION + 1);
	ck_assert_uint_eq(answer(fd, NBD_OPT_GO, NULL, NULL), NBD_REP_ERR_TOO_BIG);
	option(fd, NBD_OPT_STRUCTURED_REPLY, NULL, 0);
	ck_assert_uint_eq(answer(fd, NBD_OPT_STRUCTURED_REPLY, NULL, NULL), NBD_REP_ACK);
	option(fd, NBD_OPT_STRUCTURED_REPLY, NULL, 0);
	ck_assert_uint_eq(answer(fd, NBD_OPT_STRUCTURED_REPLY, NULL, NULL), NBD_REP_ERR_INVALID);
	option(fd, NBD_OPT_SET_META_CONTEXT, "\0\0\0\0\377\377\377\377", 8);
	ck_assert_uint_eq(answer(fd, NBD_OPT_SET_META_CONTEXT, NULL, NULL), NBD_REP_ERR_INVALID);
	option(fd, NBD_OPT_SET_META_CONTEXT, "\0\0\0\0\0\0\0\1\0\0\0\7unknown", 19);
	ck_assert_uint_eq(answer(fd, NBD_OPT_SET_META_CONTEXT, NULL, NULL), NBD_REP_ACK);
	go(fd, "second");
	ask(fd, NBD_CMD_BLOCK_STATUS, 0, 0, 512);
	ck_assert_uint_eq(refused(fd, 0), NBD_EINVAL);
	close(fd);
	stop();
}
END_TEST

START_TEST(a_client_that_does_not_read_holds_up_nobody_else)
{
	int mute, good, idle;

	serve_how(NULL);
	mute = client("", 0);
	for (unsigned i = 0; i < 200; i++)
		ask(mute, NBD_CMD_READ, 0, 0, 1 << 20);
	idle = connect_to(); /* and one that says nothing */
	for (unsigned i = 0; i < 20; i++) {
		good = client("", 0);
		ask(good, NBD_CMD_READ, 0, 4096, 512);
		ck_assert_uint_eq(simple(good, 4096), 0);
		get(good, big, 512);
		ck_assert_uint_eq(big[0], 2);
		close(good);
	}
	/* Nor the end of the server. */
	stop();
	close(mute);
	close(idle);
}
END_TEST

START_TEST(clients_that_vanish_in_the_middle_leave_nothing)
{
	serve_how(NULL);
	for (unsigned i = 0; i < 40; i++) {
		int fd = client("", i % 2 ? NBD_OPT_STRUCTURED_REPLY : 0);

		if (i % 4 < 2) {
			ask(fd, NBD_CMD_WRITE, 0, 0, 1 << 20);
			give(fd, big, 1000 * i);
		} else {
			for (unsigned n = 0; n < 10; n++)
				ask(fd, NBD_CMD_READ, 0, 0, 1 << 20);
		}
		close(fd);
	}
	ck_assert(nbd_server_wait(s, 20000));
	ck_assert_uint_eq(nbd_server_clients(s), 0);
	stop();
}
END_TEST

START_TEST(who_takes_too_long_to_choose_is_dropped)
{
	const struct nbd_server_how how = { .handshake_seconds = 1 };
	int fd, good;

	serve_how(&how);
	good = client("", 0);
	fd = connect_to();
	greet(fd, 3);
	hung_up(fd);
	/* Who has chosen has time. */
	ask(good, NBD_CMD_FLUSH, 0, 0, 0);
	ck_assert_uint_eq(simple(good, 0), 0);
	close(good);
	stop();
}
END_TEST

START_TEST(more_clients_than_allowed_are_refused)
{
	const struct nbd_server_how how = { .clients = 2 };
	int pair[2], fds[2];

	serve_how(&how);
	fds[0] = connect_to();
	fds[1] = connect_to();
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	fails(nbd_server_client(s, pair[1], &e), ERR_LIMIT);
	hung_up(pair[0]);
	close(fds[0]);
	close(fds[1]);
	ck_assert(nbd_server_wait(s, 20000));
	close(connect_to());
	stop();
}
END_TEST

START_TEST(sixty_four_clients_write_and_read_at_once)
{
	int fds[64];

	serve_how(NULL);
	for (unsigned i = 0; i < 64; i++)
		fds[i] = client("", i % 2 ? NBD_OPT_STRUCTURED_REPLY : 0);
	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = 0; i < 64; i++) {
			memset(big, (int)(i + round), 4096);
			ask(fds[i], NBD_CMD_WRITE, 0, 65536 * i, 4096);
			give(fds[i], big, 4096);
		}
		for (unsigned i = 0; i < 64; i++)
			ck_assert_uint_eq(simple(fds[i], 65536 * i), 0);
		for (unsigned i = 0; i < 64; i++)
			ask(fds[i], NBD_CMD_READ, 0, 65536 * ((i + 1) % 64), 4096);
		for (unsigned i = 0; i < 64; i++) {
			uint64_t off = 65536 * ((i + 1) % 64);
			uint32_t len;
			bool last;

			if (i % 2) {
				ck_assert_uint_eq(chunk(fds[i], off, big, &len, &last), NBD_CHUNK_DATA);
				memmove(big, big + 8, 4096);
			} else {
				ck_assert_uint_eq(simple(fds[i], off), 0);
				get(fds[i], big, 4096);
			}
			ck_assert_uint_eq(big[4095], (i + 1) % 64 + round);
		}
	}
	for (unsigned i = 0; i < 64; i++)
		close(fds[i]);
	stop();
}
END_TEST

/* A disk that cannot be read behind its first 4 KiB. */
static int failing_pread(struct block *unused, void *buf, size_t len, uint64_t off, struct err *err)
{
	(void)unused;
	if (off + len > 4096)
		return err_sys(err, EIO, "a.img: reading at %u", (unsigned)off);
	memset(buf, 0, len);
	return 0;
}
static const struct block_driver failing = { .name = "failing", .state_size = 1, .is_protocol = true, .pread = failing_pread };

START_TEST(an_error_of_the_image_is_a_number_there_and_words_here)
{
	struct nbd_export export = { .name = "disk1" };
	int fd;

	ok(block_new_filter(&failing, NULL, &b, &e));
	b->size = SIZE;
	export.block = b;
	ok(nbd_server_new(&export, 1, NULL, &s, &e));
	fd = client("disk1", NBD_OPT_STRUCTURED_REPLY);
	ask(fd, NBD_CMD_READ, 0, 4096, 512);
	ck_assert_uint_eq(refused(fd, 4096), NBD_EIO);
	close(fd);
	fd = client("disk1", 0);
	ask(fd, NBD_CMD_READ, 0, 0, 8192);
	ck_assert_uint_eq(simple(fd, 0), NBD_EIO);
	close(fd);
	ck_assert_int_lt(nbd_server_stop(s, &e), 0);
	ck_assert_msg(strstr(e.msg, "disk1: a.img: reading at 4096") == e.msg, "%s", e.msg);
	block_unref(b);
}
END_TEST

/* ---- what else block status can tell ---- */

/* A qcow2 image with a bitmap that has marked 64 KiB at 128 KiB, over a backing file with data in its first 64 KiB. */
static struct block *open_chain(void)
{
	static const struct block_policy any = { .allow_all = true };
	struct block_open how = { .format = "qcow2", .flags = BLOCK_WRITE, .policy = &any };
	struct dict opts = { NULL, 0, 0 };
	struct block *base, *top;

	ok(dict_set(&opts, "size", "1M", &e));
	ok(block_create("base", "qcow2", &opts, &any, &e));
	ok(block_open("base", &how, &base, &e));
	ok(block_pwrite(base, big, 65536, 0, &e));
	ok(block_finish(base, &e));
	block_unref(base);
	ok(dict_set(&opts, "backing_file", "base", &e));
	ok(dict_set(&opts, "backing_fmt", "qcow2", &e));
	ok(block_create("top", "qcow2", &opts, &any, &e));
	dict_free(&opts);
	ok(block_open("top", &how, &top, &e));
	ok(block_bitmap_add(top, "day", 65536, false, &e));
	ok(block_pwrite(top, big, 4096, 128 << 10, &e));
	return top;
}

static void serve_contexts(uint64_t off)
{
	static const char *const bitmaps[] = { "day" };
	struct nbd_export x = { .name = "", .bitmaps = bitmaps, .nbitmaps = 1, .off = off };

	b = open_chain();
	ok(block_window(b, off, block_size(b) - off, &other, &e));
	x.block = other;
	x.depth_of = x.bitmaps_of = b;
	ok(nbd_server_new(&x, 1, NULL, &s, &e));
}

/* The names that LIST answers to a query; n of them, each behind a blank. */
static void listed_as(int fd, const char *query, const char *want)
{
	char buf[4096], said[1000] = "", rest[200];
	uint32_t len, type, n = 4;
	be32 count, qlen;

	be32_put(&count, query ? 1 : 0);
	memcpy(rest, &count, 4);
	if (query) {
		be32_put(&qlen, (uint32_t)strlen(query));
		memcpy(rest + 4, &qlen, 4);
		memcpy(rest + 8, query, strlen(query));
		n = 8 + (uint32_t)strlen(query);
	}
	option(fd, NBD_OPT_LIST_META_CONTEXT, buf, named(buf, "", rest, n));
	while ((type = answer(fd, NBD_OPT_LIST_META_CONTEXT, buf, &len)) == NBD_REP_META_CONTEXT) {
		strcat(said, " ");
		strncat(said, buf + 4, len - 4);
	}
	ck_assert_uint_eq(type, NBD_REP_ACK);
	ck_assert_str_eq(said, want);
}

START_TEST(contexts_are_listed_by_their_beginnings)
{
	int fd;

	serve_contexts(0);
	fd = connect_to();
	greet(fd, 3);
	option(fd, NBD_OPT_STRUCTURED_REPLY, NULL, 0);
	ck_assert_uint_eq(answer(fd, NBD_OPT_STRUCTURED_REPLY, NULL, NULL), NBD_REP_ACK);
	listed_as(fd, NULL, " base:allocation qemu:allocation-depth qemu:dirty-bitmap:day");
	listed_as(fd, "base:", " base:allocation");
	listed_as(fd, "qemu:", " qemu:allocation-depth qemu:dirty-bitmap:day");
	listed_as(fd, "qemu:dirty-bitmap:", " qemu:dirty-bitmap:day");
	listed_as(fd, "qemu:dirty-bitmap:day", " qemu:dirty-bitmap:day");
	listed_as(fd, "qemu", "");
	listed_as(fd, "qemu:dirty-bitmap:days", "");
	close(fd);
	stop();
}
END_TEST

/* The runs of one context's chunk, as "STATE:KIB ...". */
static void status_is(int fd, unsigned context, bool last, const char *want)
{
	uint8_t buf[1000];
	char said[200] = "";
	uint32_t len;
	bool is_last;
	be32 words[3];

	ck_assert_uint_eq(chunk(fd, 0, buf, &len, &is_last), NBD_CHUNK_STATUS);
	ck_assert(is_last == last);
	memcpy(words, buf, 4);
	ck_assert_uint_eq(be32_get(words[0]), context);
	for (uint32_t at = 4; at < len; at += 8) {
		memcpy(words, buf + at, 8);
		snprintf(said + strlen(said), sizeof said - strlen(said), " %u:%u", be32_get(words[1]), be32_get(words[0]) >> 10);
	}
	ck_assert_str_eq(said, want);
}

/* From its beginning, and as a part of the disk that begins at 96 KiB. */
START_TEST(block_status_tells_depth_and_bitmaps)
{
	static const struct {
		uint64_t off;
		uint32_t len;
		const char *allocation, *depth, *bitmap;
	} rows[] = {
		{ 0, 1 << 20, " 0:64 3:64 0:64 3:832", " 2:64 0:64 1:64 0:832", " 0:128 1:64 0:832" },
		{ 96 << 10, 256 << 10, " 3:32 0:64 3:160", " 0:32 1:64 0:160", " 0:32 1:64 0:160" },
		{ 160 << 10, 16 << 10, " 0:16", " 1:16", " 1:16" },
	};
	static const char three[] = "\0\0\0\3\0\0\0\17base:allocation\0\0\0\25qemu:allocation-depth\0\0\0\25qemu:dirty-bitmap:day";
	char buf[200];
	int fd;

	serve_contexts(rows[_i].off);
	fd = connect_to();
	greet(fd, 3);
	option(fd, NBD_OPT_STRUCTURED_REPLY, NULL, 0);
	ck_assert_uint_eq(answer(fd, NBD_OPT_STRUCTURED_REPLY, NULL, NULL), NBD_REP_ACK);
	option(fd, NBD_OPT_SET_META_CONTEXT, buf, named(buf, "", three, sizeof three - 1));
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(answer(fd, NBD_OPT_SET_META_CONTEXT, NULL, NULL), NBD_REP_META_CONTEXT);
	ck_assert_uint_eq(answer(fd, NBD_OPT_SET_META_CONTEXT, NULL, NULL), NBD_REP_ACK);
	go(fd, "");
	ask(fd, NBD_CMD_BLOCK_STATUS, 0, 0, rows[_i].len);
	status_is(fd, 0, false, rows[_i].allocation);
	status_is(fd, 1, false, rows[_i].depth);
	status_is(fd, 2, true, rows[_i].bitmap);
	close(fd);
	stop();
}
END_TEST

static void count_left(void *arg, bool served)
{
	atomic_int *counts = arg;

	atomic_fetch_add(&counts[served], 1);
}

START_TEST(it_is_told_who_left_and_whether_it_was_served)
{
	static atomic_int counts[2];
	const struct nbd_server_how how = { .left = count_left, .arg = counts };
	int fd;

	serve_how(&how);
	fd = client("", 0);
	close(fd);
	fd = connect_to();
	greet(fd, 3);
	close(fd);
	stop();
	ck_assert_int_eq(counts[0], 1);
	ck_assert_int_eq(counts[1], 1);
}
END_TEST

/* Else a client that opens several connections would wait for itself. */
START_TEST(a_server_for_one_does_not_invite_several)
{
	const struct nbd_server_how one = { .clients = 1 }, two = { .clients = 2 };
	const struct nbd_server_how *hows[] = { &one, &two };

	for (size_t i = 0; i < 2; i++) {
		char buf[100];
		uint32_t len;
		be16 flags;
		int fd;

		serve_how(hows[i]);
		fd = connect_to();
		greet(fd, 3);
		option(fd, NBD_OPT_INFO, buf, named(buf, "", "\0", 2));
		ck_assert_uint_eq(answer(fd, NBD_OPT_INFO, buf, &len), NBD_REP_INFO);
		memcpy(&flags, buf + 10, 2);
		ck_assert_uint_eq(!!(be16_get(flags) & NBD_FLAG_CAN_MULTI_CONN), i);
		close(fd);
		stop();
	}
}
END_TEST

START_TEST(wrong_uses_are_told)
{
	struct nbd_export exports[2] = { { .name = "a" }, { .name = "a" } };

	b = open_disk("a", false);
	exports[0].block = exports[1].block = b;
	fails(nbd_server_new(exports, 2, NULL, &s, &e), ERR_USAGE);
	exports[0].writable = true;
	fails(nbd_server_new(exports, 1, NULL, &s, &e), ERR_USAGE);
	ok(nbd_server_stop(NULL, &e));
	block_unref(b);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("nbd_server");
	TCase *t = tcase_create("nbd_server");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, enter_scratch, leave_scratch);
	tcase_set_timeout(t, 200);
	tcase_add_test(t, exports_are_listed_and_told_about);
	tcase_add_test(t, a_client_without_options_is_served);
	tcase_add_test(t, a_write_of_any_length_is_there_when_it_is_acknowledged);
	tcase_add_loop_test(t, small_requests_that_come_together_are_all_answered, 0, 2);
	tcase_add_test(t, a_structured_read_has_holes);
	tcase_add_test(t, block_status_tells_data_and_holes);
	tcase_add_test(t, extended_headers_have_64_bits);
	tcase_add_loop_test(t, a_wrong_request_gets_its_error_and_the_next_one_is_served, 0, ARRAY_LEN(wrong));
	tcase_add_test(t, what_is_read_only_is_not_written);
	tcase_add_test(t, what_cannot_be_understood_ends_the_client_alone);
	tcase_add_test(t, a_wrong_option_gets_its_error_and_the_next_one_is_heard);
	tcase_add_test(t, a_client_that_does_not_read_holds_up_nobody_else);
	tcase_add_test(t, clients_that_vanish_in_the_middle_leave_nothing);
	tcase_add_test(t, who_takes_too_long_to_choose_is_dropped);
	tcase_add_test(t, more_clients_than_allowed_are_refused);
	tcase_add_test(t, sixty_four_clients_write_and_read_at_once);
	tcase_add_test(t, an_error_of_the_image_is_a_number_there_and_words_here);
	tcase_add_test(t, contexts_are_listed_by_their_beginnings);
	tcase_add_loop_test(t, block_status_tells_depth_and_bitmaps, 0, 3);
	tcase_add_test(t, it_is_told_who_left_and_whether_it_was_served);
	tcase_add_test(t, a_server_for_one_does_not_invite_several);
	tcase_add_test(t, wrong_uses_are_told);
	suite_add_tcase(suite, t);
	r = srunner_create(suite);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
