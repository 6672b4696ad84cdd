/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A disk over vhost-user, and machines that are not what they should be: each does one thing wrong. */
#include "testing.h"

#include "confine.h"
#include "machine.h"
#include "vhost_blk.h"

#include "alloc.h"
#include "block_driver.h"
#include "limits.h"

#include <fcntl.h>
#include <sys/wait.h>

static struct err e;
static struct machine m;
static struct block *b;
static struct vhost_blk *d;

enum { SIZE = 1 << 20 };

static void open_disk(bool writable)
{
	struct block_open how = { .format = "raw", .flags = writable ? BLOCK_WRITE : 0 };
	uint8_t bytes[4096];
	FILE *f = fopen("disk", "w");

	ck_assert_ptr_nonnull(f);
	for (unsigned i = 0; i < SIZE / sizeof bytes; i++) {
		memset(bytes, (int)(i + 1), sizeof bytes);
		ck_assert_uint_eq(fwrite(bytes, 1, sizeof bytes, f), sizeof bytes);
	}
	ck_assert_int_eq(fclose(f), 0);
	ok(block_open("disk", &how, &b, &e));
}

static void serve(bool writable)
{
	struct vhost_blk_how how = { .block = b, .writable = writable, .serial = "disk1" };
	int fd;

	machine_new(&m, &fd);
	ok(vhost_blk_serve(fd, &how, &d, &e));
}

static void start(bool writable, uint64_t features)
{
	open_disk(writable);
	serve(writable);
	machine_start(&m, 1, features);
}

static void stop(void)
{
	ok(vhost_blk_stop(d, &e));
	block_unref(b);
	machine_free(&m);
}

/* The machine did wrong: the disk has hung up, and says so. */
static void stopped_with(const char *sentence)
{
	for (unsigned i = 0; i < 4000 && !vhost_blk_ended(d); i++)
		usleep(5000);
	ck_assert(vhost_blk_ended(d));
	e.msg[0] = 0;
	ck_assert_int_lt(vhost_blk_stop(d, &e), 0);
	ck_assert_msg(strstr(e.msg, "disk1: ") == e.msg, "%s", e.msg);
	ck_assert_msg(strstr(e.msg, sentence) != NULL, "\"%s\" is not in: %s", sentence, e.msg);
	block_unref(b);
	machine_free(&m);
}

/* A request at descriptors first.. : header, data (unless len is 0), status. */
static void put_request(unsigned first, uint32_t type, uint64_t sector, uint32_t data, uint32_t len, bool in)
{
	uint32_t head = DATA + 64 * first, status = DATA + 64 * first + 32;
	uint32_t h[2] = { type, 0 };

	memcpy(m.at + head, h, sizeof h);
	memcpy(m.at + head + 8, &sector, sizeof sector);
	m.at[status] = 0xff;
	put_desc(&m, desc_at(0), first, GUEST + head, 16, Q_NEXT, len ? first + 1 : first + 2);
	put_desc(&m, desc_at(0), first + 1, GUEST + data, len, Q_NEXT | (in ? Q_WRITE : 0), first + 2);
	put_desc(&m, desc_at(0), first + 2, GUEST + status, 1, Q_WRITE, 0);
}

/* The status of one request that goes through the machine's queue. */
static unsigned request(uint32_t type, uint64_t sector, uint32_t data, uint32_t len, bool in)
{
	uint32_t head, written;

	put_request(0, type, sector, data, len, in);
	offer(&m, 0, 0);
	offered(&m, 0);
	ck_assert(wait_used(&m, 0, &head, &written));
	ck_assert_uint_eq(head, 0);
	return m.at[DATA + 32];
}

START_TEST(reads_writes_and_tells_its_name)
{
	uint8_t want[8192], got[8192];

	start(true, 0);
	ck_assert_uint_eq(request(0, 8, DATA + 0x1000, 4096, true), 0);
	memset(want, 2, 4096);
	ck_assert_mem_eq(m.at + DATA + 0x1000, want, 4096);
	/* Large enough to go straight from the file. */
	ck_assert_uint_eq(request(0, 0, DATA + 0x1000, 65536, true), 0);
	ck_assert_mem_eq(m.at + DATA + 0x2000, want, 4096);
	memset(m.at + DATA + 0x1000, 0x77, 8192);
	ck_assert_uint_eq(request(1, 3, DATA + 0x1000, 8192, false), 0);
	ck_assert_uint_eq(request(4, 0, 0, 0, false), 0);
	ok(block_pread(b, got, sizeof got, 3 * 512, &e));
	memset(want, 0x77, sizeof want);
	ck_assert_mem_eq(got, want, sizeof got);
	ck_assert_uint_eq(request(8, 0, DATA + 0x1000, 20, true), 0);
	ck_assert_mem_eq(m.at + DATA + 0x1000, "disk1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
	stop();
}
END_TEST

START_TEST(zeroes_and_discards)
{
	struct {
		uint64_t sector;
		uint32_t n, flags;
	} range = { 16, 8, 1 };
	uint8_t got[4096], zeros[4096] = { 0 };

	start(true, 0);
	memcpy(m.at + DATA + 0x1000, &range, sizeof range);
	ck_assert_uint_eq(request(13, 0, DATA + 0x1000, 16, false), 0);
	ok(block_pread(b, got, sizeof got, 8192, &e));
	ck_assert_mem_eq(got, zeros, sizeof got);
	range.flags = 0;
	memcpy(m.at + DATA + 0x1000, &range, sizeof range);
	ck_assert_uint_eq(request(11, 0, DATA + 0x1000, 16, false), 0);
	range.flags = 2;
	memcpy(m.at + DATA + 0x1000, &range, sizeof range);
	ck_assert_uint_eq(request(13, 0, DATA + 0x1000, 16, false), 2);
	range.flags = 0;
	range.sector = UINT64_MAX / 2;
	memcpy(m.at + DATA + 0x1000, &range, sizeof range);
	ck_assert_uint_eq(request(13, 0, DATA + 0x1000, 16, false), 1);
	ck_assert_uint_eq(request(13, 0, DATA + 0x1000, 15, false), 1);
	stop();
}
END_TEST

START_TEST(a_request_that_is_wrong_gets_its_status)
{
	start(true, 0);
	ck_assert_uint_eq(request(0, SIZE / 512, DATA + 0x1000, 512, true), 1);
	ck_assert_uint_eq(request(0, SIZE / 512 - 1, DATA + 0x1000, 1024, true), 1);
	ck_assert_uint_eq(request(0, UINT64_MAX, DATA + 0x1000, 512, true), 1);
	ck_assert_uint_eq(request(1, UINT64_MAX / 512 + 1, DATA + 0x1000, 512, false), 1);
	ck_assert_uint_eq(request(0, 0, DATA + 0x1000, 511, true), 1);
	ck_assert_uint_eq(request(77, 0, DATA + 0x1000, 512, true), 2);
	stop();
}
END_TEST

START_TEST(a_disk_that_is_read_only_is_not_written)
{
	uint8_t got[512], want[512];
	struct {
		uint64_t sector;
		uint32_t n, flags;
	} range = { 0, 1, 0 };
	uint64_t features;

	open_disk(true); /* the block is writable; the disk is not */
	serve(false);
	machine_start(&m, 1, 0);
	ask(&m, 1, NULL, 0, &features, sizeof features);
	ck_assert(features & 1 << 5);
	ck_assert_uint_eq(request(1, 0, DATA + 0x1000, 512, false), 1);
	memcpy(m.at + DATA + 0x1000, &range, sizeof range);
	ck_assert_uint_eq(request(11, 0, DATA + 0x1000, 16, false), 1);
	ck_assert_uint_eq(request(13, 0, DATA + 0x1000, 16, false), 1);
	ck_assert_uint_eq(request(4, 0, 0, 0, false), 0);
	ok(block_pread(b, got, sizeof got, 0, &e));
	memset(want, 1, sizeof want);
	ck_assert_mem_eq(got, want, sizeof got);
	stop();
}
END_TEST

START_TEST(many_requests_at_once_all_come_back)
{
	uint32_t head, written;

	for (unsigned event_idx = 0; event_idx < 2; event_idx++) {
		start(false, event_idx ? 1 << 29 : 0);
		for (unsigned round = 0; round < 300; round++) {
			unsigned back = 0;

			for (unsigned i = 0; i < 5; i++) {
				put_request(3 * i, 0, 8 * i, DATA + 0x1000 * (i + 1), 4096, true);
				offer(&m, 0, 3 * i);
			}
			offered(&m, 0);
			for (unsigned i = 0; i < 5; i++) {
				ck_assert(wait_used(&m, 0, &head, &written));
				ck_assert_uint_eq(written, 4097);
				back |= 1u << head / 3;
			}
			ck_assert_uint_eq(back, 31);
			for (unsigned i = 0; i < 5; i++)
				ck_assert_uint_eq(m.at[DATA + 0x1000 * (i + 1) + round % 4096], i + 1);
		}
		stop();
	}
}
END_TEST

START_TEST(an_indirect_table_is_a_request)
{
	uint32_t head, written, table = DATA + 0x8000;

	start(false, 1 << 28);
	put_request(0, 0, 8, DATA + 0x1000, 4096, true);
	memcpy(m.at + table, m.at + desc_at(0), 48);
	put_desc(&m, desc_at(0), 5, GUEST + table, 48, Q_INDIRECT, 0);
	offer(&m, 0, 5);
	offered(&m, 0);
	ck_assert(wait_used(&m, 0, &head, &written));
	ck_assert_uint_eq(head, 5);
	ck_assert_uint_eq(m.at[DATA + 0x1000], 2);
	stop();
}
END_TEST

/* ---- descriptors ---- */

struct wrong_desc {
	const char *sentence;
	unsigned head;
	struct {
		uint64_t addr;
		uint32_t len;
		unsigned flags, next;
	} d[3];
};

#define HEAD_OK { GUEST + DATA, 16, Q_NEXT, 1 }

static const struct wrong_desc wrong_descs[] = {
	{ "without an end", 0, { HEAD_OK, { GUEST + DATA, 16, Q_NEXT, 0 } } },
	{ "without an end", 0, { { GUEST + DATA, 16, Q_NEXT, 0 } } },
	{ "outside the machine's memory", 0, { HEAD_OK, { GUEST + MEMORY - 8, 16, Q_WRITE, 0 } } },
	{ "outside the machine's memory", 0, { HEAD_OK, { GUEST - 1, 16, Q_WRITE, 0 } } },
	{ "outside the machine's memory", 0, { HEAD_OK, { UINT64_MAX - 7, 16, Q_WRITE, 0 } } },
	{ "outside the machine's memory", 0, { HEAD_OK, { GUEST, UINT32_MAX, Q_WRITE, 0 } } },
	{ "descriptor 16 of 16", 16, { HEAD_OK } },
	{ "descriptor 65535 of 16", 65535, { HEAD_OK } },
	{ "leads to descriptor 16 of 16", 0, { { GUEST + DATA, 16, Q_NEXT, 16 } } },
	{ "out of order", 0, { { GUEST + DATA, 16, Q_WRITE | Q_NEXT, 1 }, { GUEST + DATA, 16, 0, 0 } } },
	{ "flags 0x8", 0, { { GUEST + DATA, 16, 8, 0 } } },
	{ "a table of descriptors inside a chain", 0, { HEAD_OK, { GUEST + DATA, 16, Q_INDIRECT, 0 } } },
	{ "a table of descriptors with flags", 0, { { GUEST + DATA, 16, Q_INDIRECT | Q_NEXT, 1 } } },
	{ "a table of descriptors of 17 bytes", 0, { { GUEST + DATA, 17, Q_INDIRECT, 0 } } },
	{ "a table of descriptors of 0 bytes", 0, { { GUEST + DATA, 0, Q_INDIRECT, 0 } } },
	{ "a table of descriptors of 1048576 bytes", 0, { { GUEST + DATA, 1 << 20, Q_INDIRECT, 0 } } },
	{ "outside the machine's memory", 0, { { GUEST + MEMORY, 32, Q_INDIRECT, 0 } } },
	{ "without a header", 0, { { GUEST + DATA, 16, 0, 0 } } },
	{ "without a header", 0, { { GUEST + DATA, 15, Q_NEXT, 1 }, { GUEST + DATA, 16, Q_WRITE, 0 } } },
	{ "without a header", 0, { { GUEST + DATA, 16, Q_WRITE, 0 } } },
};

START_TEST(a_wrong_descriptor_ends_the_disk)
{
	const struct wrong_desc *w = &wrong_descs[_i];

	start(false, 1 << 28);
	for (unsigned i = 0; i < 3; i++)
		put_desc(&m, desc_at(0), i, w->d[i].addr, w->d[i].len, w->d[i].flags, w->d[i].next);
	offer(&m, 0, w->head);
	offered(&m, 0);
	stopped_with(w->sentence);
}
END_TEST

START_TEST(an_index_that_runs_ahead_ends_the_disk)
{
	start(false, 0);
	set_avail(&m, 0, RING + 1);
	stopped_with("17 requests in a queue for 16");
}
END_TEST

START_TEST(an_index_that_goes_back_a_little_is_the_end_of_the_queue)
{
	start(false, 0);
	ck_assert_uint_eq(request(0, 0, DATA + 0x1000, 512, true), 0);
	set_avail(&m, 0, 0);
	settle(&m);
	stop();
}
END_TEST

START_TEST(memory_that_is_cut_off_is_an_error_and_no_signal)
{
	/* What is cut off: the queue's tables; the data; the status, which lies before the data. */
	static const uint32_t lengths[] = { 0, 0x1000, 0x2000, DATA, DATA + 0x1000 };

	for (unsigned i = 0; i < ARRAY_LEN(lengths); i++) {
		for (unsigned len = 4096; len <= 65536; len *= 16) {
			start(false, 0);
			put_request(0, 0, 0, DATA + 0x1000, len, true);
			offer(&m, 0, 0);
			le16_put((le16 *)(void *)(m.at + avail_at(0) + 2), 1);
			ck_assert_int_eq(ftruncate(m.memory, lengths[i]), 0);
			kick(&m, 0);
			/* A pipe or file can be extended by writing: data comes into being, the machine sees nothing of it. */
			for (unsigned t = 0; t < (lengths[i] < DATA ? 20000 : 40) && !vhost_blk_ended(d); t++)
				usleep(1000);
			if (vhost_blk_ended(d)) {
				stopped_with("memory was cut off");
			} else {
				ck_assert_uint_ge(lengths[i], DATA);
				stop();
			}
		}
	}
}
END_TEST

/* ---- messages ---- */

static void no_memory(void)
{
	say_memory_of(&m, GUEST, MEMORY + 4096, USER, 0, m.memory);
}
static void memory_overflows(void)
{
	say_memory_of(&m, UINT64_MAX - 4095, 8192, USER, 0, m.memory);
}
static void memory_far_in_file(void)
{
	say_memory_of(&m, GUEST, 4096, USER, INT64_MAX - 100, m.memory);
}
static void memory_empty(void)
{
	say_memory_of(&m, GUEST, 0, USER, 0, m.memory);
}
static void memory_is_a_socket(void)
{
	say_memory_of(&m, GUEST, 4096, USER, 0, m.sock);
}
static void memory_is_read_only(void)
{
	char path[64];
	int fd;

	snprintf(path, sizeof path, "/proc/self/fd/%d", m.memory);
	fd = open(path, O_RDONLY);
	say_memory_of(&m, GUEST, 4096, USER, 0, fd);
	close(fd);
}
static void memory_without_file(void)
{
	uint32_t v[10] = { 1 };

	say(&m, 5, v, sizeof v);
}
static void memory_many(void)
{
	uint32_t v[2] = { 100000, 0 };

	say(&m, 5, v, sizeof v);
}
static void memory_overlaps(void)
{
	struct {
		uint32_t n, padding;
		uint64_t r[2][4];
	} v = { 2, 0, { { GUEST, 8192, USER, 0 }, { GUEST + 4096, 8192, USER + 65536, 0 } } };
	int fds[2] = { m.memory, m.memory };

	say_with(&m, 5, &v, sizeof v, fds, 2);
}
static void files_too_many(void)
{
	int fds[8];

	for (unsigned i = 0; i < 8; i++)
		fds[i] = m.memory;
	say_with(&m, 3, NULL, 0, fds, 8);
}
static void unknown(void)
{
	say(&m, 4711, NULL, 0);
}
static void too_long(void)
{
	uint32_t v[3] = { 2, 1, 1 << 20 };

	(void)!send(m.sock, v, sizeof v, MSG_NOSIGNAL);
}
static void wrong_version(void)
{
	uint32_t v[3] = { 3, 2, 0 };

	(void)!send(m.sock, v, sizeof v, MSG_NOSIGNAL);
}
static void cut_short(void)
{
	(void)!send(m.sock, "\2\0\0\0\1", 5, MSG_NOSIGNAL);
	shutdown(m.sock, SHUT_WR);
}
static void wrong_size(void)
{
	say(&m, 2, "1234", 4);
}
static void features_not_offered(void)
{
	say_u64(&m, 2, 1ULL << 32 | 1ULL << 34);
}
static void features_old(void)
{
	say_u64(&m, 2, BLK_F);
}
static void protocol_not_offered(void)
{
	say_u64(&m, 16, 1 << 14);
}
static void queue_5(void)
{
	say_state(&m, 8, 5, 16);
}
static void queue_odd(void)
{
	say_state(&m, 8, 0, 15);
}
static void queue_huge(void)
{
	say_state(&m, 8, 0, 32768);
}
static void queue_none(void)
{
	say_state(&m, 8, 0, 0);
}
static void base_far(void)
{
	say_state(&m, 10, 0, 65536);
}
static void say_addr(uint64_t desc, uint64_t avail, uint64_t used, uint32_t flags)
{
	struct {
		uint32_t index, flags;
		uint64_t desc, used, avail, log;
	} v = { 0, flags, desc, used, avail, 0 };

	say(&m, 9, &v, sizeof v);
}
static void addr_outside(void)
{
	say_addr(USER - 16, USER + 4096, USER + 8192, 0);
}
static void addr_past_end(void)
{
	say_addr(USER, USER + 4096, USER + MEMORY - 16, 0);
}
static void addr_odd(void)
{
	say_addr(USER, USER + 4096, USER + 8194, 0);
}
static void addr_logged(void)
{
	say_addr(USER, USER + 4096, USER + 8192, 1);
}
static void kick_is_a_file(void)
{
	uint64_t q = 0;

	say_with(&m, 12, &q, sizeof q, &m.memory, 1);
}
static void kick_is_none(void)
{
	say_u64(&m, 12, 0x100);
}
static void kick_without_file(void)
{
	say_u64(&m, 12, 0);
}
static void kick_ends(void)
{
	uint64_t q = 0;
	int p[2];

	ck_assert_int_eq(pipe(p), 0);
	say_with(&m, 12, &q, sizeof q, &p[0], 1);
	close(p[0]);
	close(p[1]);
}
static void config_huge(void)
{
	uint32_t v[3] = { 0, 0xfffffff0, 0 };

	say(&m, 24, v, sizeof v);
}
static void enabled_twice(void)
{
	say_state(&m, 18, 0, 2);
}

static const struct {
	const char *sentence;
	void (*fn)(void);
} wrong_messages[] = {
	{ "past the end of its file", no_memory },
	{ "a piece of memory of", memory_overflows },
	{ "a piece of memory of", memory_far_in_file },
	{ "a piece of memory of", memory_empty },
	{ "memory that is no file", memory_is_a_socket },
	{ "cannot be mapped", memory_is_read_only },
	{ "message 5", memory_without_file },
	{ "message 5", memory_many },
	{ "overlap", memory_overlaps },
	{ "message 3 of vhost-user with 0 bytes and 8 files", files_too_many },
	{ "message 4711", unknown },
	{ "1048576 bytes", too_long },
	{ "with flags 0x2", wrong_version },
	{ "within a message", cut_short },
	{ "message 2 of vhost-user with 4 bytes", wrong_size },
	{ "were not offered", features_not_offered },
	{ "before version 1", features_old },
	{ "were not offered", protocol_not_offered },
	{ "queue 5 of 1", queue_5 },
	{ "a queue for 15 requests", queue_odd },
	{ "a queue for 32768 requests", queue_huge },
	{ "a queue for 0 requests", queue_none },
	{ "begins at 65536", base_far },
	{ "outside the machine's memory", addr_outside },
	{ "outside the machine's memory", addr_past_end },
	{ "not aligned", addr_odd },
	{ "a log of what is written", addr_logged },
	{ "neither an eventfd nor a pipe", kick_is_a_file },
	{ "a queue that is polled", kick_is_none },
	{ "message 12", kick_without_file },
	{ "took its signal away", kick_ends },
	{ "message 24", config_huge },
	{ "message 18", enabled_twice },
};

START_TEST(a_wrong_message_ends_the_disk)
{
	start(false, 0);
	wrong_messages[_i].fn();
	stopped_with(wrong_messages[_i].sentence);
}
END_TEST

START_TEST(a_machine_that_leaves_is_no_error)
{
	start(true, 0);
	close(m.sock);
	m.sock = -1;
	for (unsigned i = 0; i < 4000 && !vhost_blk_ended(d); i++)
		usleep(5000);
	ck_assert(vhost_blk_ended(d));
	stop();
}
END_TEST

START_TEST(who_is_not_spoken_to_can_be_stopped)
{
	open_disk(true);
	serve(true);
	stop();
}
END_TEST

START_TEST(an_interrupt_that_nobody_takes_stops_nothing)
{
	int p[2];
	uint64_t q = 0, word = 0;

	/* A pipe that is full: were it written to without a care, the thread would wait for ever. */
	start(false, 0);
	ck_assert_int_eq(pipe(p), 0);
	ck_assert_int_eq(fcntl(p[1], F_SETFL, O_NONBLOCK), 0);
	while (write(p[1], &word, sizeof word) > 0)
		;
	ck_assert_int_eq(fcntl(p[1], F_SETFL, 0), 0);
	say_with(&m, 13, &q, sizeof q, &p[1], 1);
	settle(&m);
	for (unsigned i = 0; i < 10; i++)
		ck_assert_uint_eq(request(0, 0, DATA + 0x1000, 512, true), 0);
	close(p[0]);
	close(p[1]);
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

START_TEST(an_error_of_the_image_is_kept_in_words)
{
	ok(block_new_filter(&failing, NULL, &b, &e));
	b->size = SIZE;
	serve(false);
	machine_start(&m, 1, 0);
	ck_assert_uint_eq(request(0, 0, DATA + 0x1000, 512, true), 0);
	ck_assert_int_eq(vhost_blk_error(d, &e), 0);
	ck_assert_uint_eq(request(0, 8, DATA + 0x1000, 512, true), 1);
	ck_assert_int_lt(vhost_blk_error(d, &e), 0);
	ck_assert_uint_eq(request(0, 0, DATA + 0x1000, 512, true), 0);
	ck_assert_int_lt(vhost_blk_stop(d, &e), 0);
	ck_assert_msg(strstr(e.msg, "disk1: ") == e.msg && strstr(e.msg, "Input/output error"), "%s", e.msg);
	block_unref(b);
	machine_free(&m);
}
END_TEST

START_TEST(a_confined_process_serves_and_does_nothing_else)
{
	int status, fd;
	pid_t pid;

	open_disk(true);
	machine_new(&m, &fd);
	pid = fork();
	if (pid == 0) {
		const struct confine_how how = { .serve = true, .memory = 4 * GiB };
		struct vhost_blk_how blk = { .block = b, .writable = true, .serial = "disk1" };
		struct confine_report r;

		close(m.sock);
		if (confine(&how, &r, NULL) < 0 || vhost_blk_serve(fd, &blk, &d, NULL) < 0)
			_exit(1);
		while (!vhost_blk_ended(d))
			usleep(1000);
		if (vhost_blk_stop(d, NULL) < 0)
			_exit(2);
		if (!(r.done & CONFINE_SECCOMP))
			_exit(77);
		if (_i)
			execl("/bin/true", "true", (char *)NULL);
		else
			(void)socket(AF_UNIX, SOCK_STREAM, 0);
		_exit(3);
	}
	close(fd);
	machine_start(&m, 1, 0);
	ck_assert_uint_eq(request(0, 8, DATA + 0x1000, 65536, true), 0);
	ck_assert_uint_eq(m.at[DATA + 0x1000], 2);
	ck_assert_uint_eq(request(1, 0, DATA + 0x1000, 65536, false), 0);
	ck_assert_uint_eq(request(4, 0, 0, 0, false), 0);
	close(m.sock);
	m.sock = -1;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		fprintf(stderr, "skipped: this host or build has no seccomp\n");
	else
		ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "status %#x", status);
	block_unref(b);
	machine_free(&m);
}
END_TEST

START_TEST(wrong_uses_are_told)
{
	struct vhost_blk_how how = { .serial = "a name that is longer than that", .writable = true };

	open_disk(false);
	how.block = b;
	fails(vhost_blk_serve(dup(0), &how, &d, &e), ERR_USAGE);
	how.serial = "x";
	fails(vhost_blk_serve(dup(0), &how, &d, &e), ERR_USAGE);
	how.writable = false;
	how.sector_size = 1000;
	fails(vhost_blk_serve(dup(0), &how, &d, &e), ERR_USAGE);
	ok(vhost_blk_stop(NULL, &e));
	block_unref(b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vhost_blk");
	TCase *t = tcase_create("vhost_blk");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, enter_scratch, leave_scratch);
	tcase_set_timeout(t, 200);
	tcase_add_test(t, reads_writes_and_tells_its_name);
	tcase_add_test(t, zeroes_and_discards);
	tcase_add_test(t, a_request_that_is_wrong_gets_its_status);
	tcase_add_test(t, a_disk_that_is_read_only_is_not_written);
	tcase_add_test(t, many_requests_at_once_all_come_back);
	tcase_add_test(t, an_indirect_table_is_a_request);
	tcase_add_loop_test(t, a_wrong_descriptor_ends_the_disk, 0, ARRAY_LEN(wrong_descs));
	tcase_add_test(t, an_index_that_runs_ahead_ends_the_disk);
	tcase_add_test(t, an_index_that_goes_back_a_little_is_the_end_of_the_queue);
	tcase_add_test(t, memory_that_is_cut_off_is_an_error_and_no_signal);
	tcase_add_loop_test(t, a_wrong_message_ends_the_disk, 0, ARRAY_LEN(wrong_messages));
	tcase_add_test(t, a_machine_that_leaves_is_no_error);
	tcase_add_test(t, who_is_not_spoken_to_can_be_stopped);
	tcase_add_test(t, an_interrupt_that_nobody_takes_stops_nothing);
	tcase_add_test(t, an_error_of_the_image_is_kept_in_words);
	tcase_add_loop_test(t, a_confined_process_serves_and_does_nothing_else, 0, 2);
	tcase_add_test(t, wrong_uses_are_told);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
