/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A console over vhost-user: control messages, bytes both ways, and machines that do one thing wrong. */
#include "testing.h"

#include "machine.h"
#include "vhost_console.h"

#include "alloc.h"

#include <pthread.h>

static struct err e;
static struct machine m;
static struct vhost_console *c;
static int stream;

enum { IN, OUT, CONTROL_IN, CONTROL_OUT };

static void start(void)
{
	int pair[2], fd;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	stream = pair[0];
	machine_new(&m, &fd);
	ok(vhost_console_serve(fd, pair[1], "drydock", &c, &e));
	machine_start(&m, 4, 1 << 1);
}

static void stop(void)
{
	ok(vhost_console_stop(c, &e));
	machine_free(&m);
	close(stream);
}

static void stopped_with(const char *sentence)
{
	for (unsigned i = 0; i < 4000 && !vhost_console_ended(c); i++)
		usleep(5000);
	ck_assert(vhost_console_ended(c));
	e.msg[0] = 0;
	ck_assert_int_lt(vhost_console_stop(c, &e), 0);
	ck_assert_msg(strstr(e.msg, "console: ") == e.msg && strstr(e.msg, sentence), "%s", e.msg);
	machine_free(&m);
	close(stream);
}

/* Where descriptor i of a queue has its bytes: 4 KiB each. */
static uint32_t data_at(unsigned q, unsigned i)
{
	return DATA + 0x20000 * q + 0x1000 * i;
}

/* Gives the device buffers 0 to n - 1 to write to. */
static void give_buffers(unsigned q, unsigned n, uint32_t len)
{
	for (unsigned i = 0; i < n; i++) {
		put_desc(&m, desc_at(q), i, GUEST + data_at(q, i), len, Q_WRITE, 0);
		offer(&m, q, i);
	}
	offered(&m, q);
}

static void send_control(unsigned event, unsigned value)
{
	uint16_t msg[4] = { 0, 0, (uint16_t)event, (uint16_t)value };

	memcpy(m.at + data_at(CONTROL_OUT, 0), msg, 8);
	put_desc(&m, desc_at(CONTROL_OUT), 0, GUEST + data_at(CONTROL_OUT, 0), 8, 0, 0);
	offer(&m, CONTROL_OUT, 0);
	offered(&m, CONTROL_OUT);
}

static void control(unsigned event, unsigned value)
{
	uint32_t head, written;

	send_control(event, value);
	ck_assert(wait_used(&m, CONTROL_OUT, &head, &written));
}

/* The next control message is this event and value; its text. */
static const char *told(unsigned event, unsigned value)
{
	uint32_t head, written;
	uint16_t msg[4];

	ck_assert(wait_used(&m, CONTROL_IN, &head, &written));
	memcpy(msg, m.at + data_at(CONTROL_IN, head), 8);
	ck_assert_uint_eq(msg[2], event);
	ck_assert_uint_eq(msg[3], value);
	m.at[data_at(CONTROL_IN, head) + written] = 0;
	return (const char *)m.at + data_at(CONTROL_IN, head) + 8;
}

static void open_port(void)
{
	give_buffers(CONTROL_IN, 8, 128);
	control(0, 1);
	(void)told(1, 1);
	control(3, 1);
	ck_assert_str_eq(told(7, 1), "drydock");
	(void)told(6, 1);
	control(6, 1);
}

START_TEST(the_machine_is_told_of_its_port)
{
	start();
	open_port();
	stop();
}
END_TEST

START_TEST(bytes_go_in_when_the_port_is_open)
{
	uint32_t head, written;

	start();
	give_buffers(IN, 4, 4096);
	ck_assert_int_eq(send(stream, "hello", 5, 0), 5);
	usleep(50000);
	ck_assert_uint_eq(used_idx(&m, IN), 0); /* Linux would throw it away */
	open_port();
	ck_assert(wait_used(&m, IN, &head, &written));
	ck_assert_uint_eq(written, 5);
	ck_assert_mem_eq(m.at + data_at(IN, head), "hello", 5);
	/* The other side is gone: the machine learns it. */
	close(stream);
	(void)told(6, 0);
	stream = -1;
	stop();
}
END_TEST

START_TEST(bytes_go_out)
{
	uint32_t head, written;
	char buf[100];

	start();
	open_port();
	memcpy(m.at + data_at(OUT, 0), "good", 4);
	memcpy(m.at + data_at(OUT, 1), "bye", 3);
	put_desc(&m, desc_at(OUT), 0, GUEST + data_at(OUT, 0), 4, Q_NEXT, 1);
	put_desc(&m, desc_at(OUT), 1, GUEST + data_at(OUT, 1), 3, 0, 0);
	offer(&m, OUT, 0);
	offered(&m, OUT);
	ck_assert(wait_used(&m, OUT, &head, &written));
	ck_assert_int_eq(recv(stream, buf, 7, MSG_WAITALL), 7);
	ck_assert_mem_eq(buf, "goodbye", 7);
	stop();
}
END_TEST

enum { AMOUNT = 8 << 20 };

static void *give_much(void *unused)
{
	uint8_t bytes[5000];

	for (size_t done = 0; done < AMOUNT;) {
		size_t n = MIN_OF(sizeof bytes, AMOUNT - done);

		for (size_t i = 0; i < n; i++)
			bytes[i] = (uint8_t)((done + i) * 2654435761u >> 24);
		if (send(stream, bytes, n, 0) != (ssize_t)n) /* assertions are the first thread's */
			return NULL;
		done += n;
	}
	return unused;
}

START_TEST(much_goes_in_and_nothing_is_lost)
{
	pthread_t t;
	size_t done = 0;

	start();
	give_buffers(IN, 8, 4096);
	open_port();
	ck_assert_int_eq(pthread_create(&t, NULL, give_much, NULL), 0);
	while (done < AMOUNT) {
		uint32_t head, written;

		ck_assert(wait_used(&m, IN, &head, &written));
		for (size_t i = 0; i < written; i++)
			ck_assert_uint_eq(m.at[data_at(IN, head) + i], (uint8_t)((done + i) * 2654435761u >> 24));
		done += written;
		offer(&m, IN, head);
		offered(&m, IN);
	}
	ck_assert_uint_eq(done, AMOUNT);
	pthread_join(t, NULL);
	stop();
}
END_TEST

START_TEST(who_does_not_read_stops_the_machine_and_loses_nothing)
{
	size_t sent = 0, got = 0;
	uint32_t head, written;
	uint8_t buf[4096];

	start();
	open_port();
	for (unsigned i = 0; i < RING; i++) {
		memset(m.at + data_at(OUT, i), (int)i, 4096);
		put_desc(&m, desc_at(OUT), i, GUEST + data_at(OUT, i), 4096, 0, 0);
		offer(&m, OUT, i);
	}
	offered(&m, OUT);
	/* Until it comes to rest: all that the socket holds has gone. */
	for (unsigned quiet = 0; quiet < 20;) {
		if (used_idx(&m, OUT) == m.seen[OUT]) {
			usleep(5000);
			quiet++;
			continue;
		}
		ck_assert(wait_used(&m, OUT, &head, &written));
		offer(&m, OUT, head);
		offered(&m, OUT);
		sent += 4096;
		quiet = 0;
		ck_assert_uint_lt(sent, 64 << 20);
	}
	/* Everything that was offered comes, in order. */
	for (; got < sent + 4096 * RING; got += sizeof buf) {
		ck_assert_int_eq(recv(stream, buf, sizeof buf, MSG_WAITALL), sizeof buf);
		ck_assert_uint_eq(buf[0], got / 4096 % RING);
		ck_assert_uint_eq(buf[4095], got / 4096 % RING);
	}
	stop();
}
END_TEST

START_TEST(what_was_written_before_the_machine_left_arrives)
{
	char buf[5];

	start();
	open_port();
	memcpy(m.at + data_at(OUT, 0), "last", 4);
	put_desc(&m, desc_at(OUT), 0, GUEST + data_at(OUT, 0), 4, 0, 0);
	offer(&m, OUT, 0);
	offered(&m, OUT);
	close(m.sock);
	m.sock = -1;
	ck_assert_int_eq(recv(stream, buf, 4, MSG_WAITALL), 4);
	ck_assert_mem_eq(buf, "last", 4);
	ck_assert_int_eq(recv(stream, buf, 1, 0), 0);
	stop();
}
END_TEST

START_TEST(what_was_written_before_its_queue_is_stopped_arrives)
{
	const uint32_t which[2] = { OUT, 0 };
	uint32_t state[2];
	uint16_t avail;
	char buf[5];

	start();
	open_port();
	memcpy(m.at + data_at(OUT, 0), "last", 4);
	put_desc(&m, desc_at(OUT), 0, GUEST + data_at(OUT, 0), 4, 0, 0);
	offer(&m, OUT, 0);
	/* Its kick is not seen before the message. */
	avail = m.avail[OUT];
	memcpy(m.at + avail_at(OUT) + 2, &avail, sizeof avail);
	ask(&m, 11, which, sizeof which, state, sizeof state);
	ck_assert_uint_eq(state[1], 1);
	ck_assert_int_eq(recv(stream, buf, 4, MSG_WAITALL), 4);
	ck_assert_mem_eq(buf, "last", 4);
	stop();
}
END_TEST

START_TEST(a_control_message_that_is_too_short_ends_the_console)
{
	start();
	put_desc(&m, desc_at(CONTROL_OUT), 0, GUEST + DATA, 7, 0, 0);
	offer(&m, CONTROL_OUT, 0);
	offered(&m, CONTROL_OUT);
	stopped_with("a control message that is too short");
}
END_TEST

START_TEST(a_buffer_for_control_that_is_too_short_ends_the_console)
{
	start();
	give_buffers(CONTROL_IN, 1, 4);
	send_control(0, 1);
	stopped_with("too short");
}
END_TEST

START_TEST(control_messages_of_nonsense_are_nothing)
{
	start();
	for (unsigned i = 0; i < 40; i++)
		control(i * 1999, i);
	open_port();
	stop();
}
END_TEST

START_TEST(a_buffer_outside_memory_ends_the_console)
{
	start();
	open_port();
	put_desc(&m, desc_at(IN), 0, GUEST + MEMORY, 4096, Q_WRITE, 0);
	offer(&m, IN, 0);
	offered(&m, IN);
	stopped_with("outside the machine's memory");
}
END_TEST

START_TEST(memory_that_is_cut_off_is_an_error_and_no_signal)
{
	start();
	open_port();
	give_buffers(IN, 4, 4096);
	settle(&m);
	usleep(20000);
	ck_assert_int_eq(ftruncate(m.memory, DATA), 0);
	ck_assert_int_eq(send(stream, "hello", 5, 0), 5);
	stopped_with("memory was cut off");
}
END_TEST

START_TEST(a_buffer_without_room_stops_only_itself)
{
	start();
	open_port();
	give_buffers(IN, 1, 0);
	ck_assert_int_eq(send(stream, "hello", 5, 0), 5);
	usleep(20000);
	settle(&m);
	stop();
}
END_TEST

TEST_MAIN("vhost_console", the_machine_is_told_of_its_port, bytes_go_in_when_the_port_is_open, bytes_go_out,
	  much_goes_in_and_nothing_is_lost, who_does_not_read_stops_the_machine_and_loses_nothing,
	  what_was_written_before_the_machine_left_arrives,
	  what_was_written_before_its_queue_is_stopped_arrives, a_control_message_that_is_too_short_ends_the_console,
	  a_buffer_for_control_that_is_too_short_ends_the_console, control_messages_of_nonsense_are_nothing,
	  a_buffer_outside_memory_ends_the_console, memory_that_is_cut_off_is_an_error_and_no_signal,
	  a_buffer_without_room_stops_only_itself)
