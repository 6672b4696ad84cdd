/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * liar_test.c - the client against agents that lie, say garbage, say too much, answer late or die: one sentence each, in time,
 * and the client is lost.
 */
#include "client.h"
#include "proto.h"
#include "testing.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

struct liar;
/* Says something to a question of this tag; the body is begun in l->o. */
typedef void (*lie)(struct liar *l, uint32_t tag);

struct liar {
	pthread_t thread;
	int fd;
	lie tell;
	struct proto_out o;
	uint8_t room[2 * 1024 * 1024];
};

static void say_bytes(struct liar *l, const void *bytes, size_t len)
{
	/* The client may have gone away already. */
	for (const char *at = bytes; len;) {
		ssize_t n = send(l->fd, at, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		at += n;
		len -= (size_t)n;
	}
}

static void say(struct liar *l, uint32_t tag, uint16_t type, uint16_t flags)
{
	struct proto_head h = { .len = (uint32_t)(l->o.len - PROTO_HEAD), .tag = tag, .type = type, .flags = flags };

	proto_head_put(l->room, &h);
	say_bytes(l, l->room, l->o.len);
}

static struct proto_out *begin(struct liar *l)
{
	proto_begin(&l->o, l->room, sizeof l->room);
	return &l->o;
}

static void say_hello(struct liar *l, uint64_t magic, uint32_t version)
{
	struct proto_out *o = begin(l);

	proto_put_u64(o, magic);
	proto_put_u32(o, version);
	proto_put_str(o, "6.1.0-\033[31mliar");
	proto_put_str(o, "x86_64");
	say(l, 0, PROTO_HELLO, PROTO_ANSWER);
}

static bool get_all(int fd, void *buf, size_t len)
{
	for (char *at = buf; len;) {
		ssize_t n = recv(fd, at, len, 0);

		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

/* Opens a window, and lies when it is asked anything else. */
static void *live(void *arg)
{
	struct liar *l = arg;
	uint8_t bytes[PROTO_HEAD], body[65536];
	struct proto_head h;

	say_hello(l, PROTO_MAGIC, PROTO_VERSION);
	while (get_all(l->fd, bytes, sizeof bytes)) {
		proto_head_get(bytes, &h);
		if (h.len > sizeof body || !get_all(l->fd, body, h.len))
			break;
		if (h.type == PROTO_CREDIT)
			continue;
		if (h.type == PROTO_WINDOW) {
			begin(l);
			say(l, h.tag, PROTO_WINDOW, PROTO_ANSWER);
			continue;
		}
		l->tell(l, h.tag);
	}
	return NULL;
}

/* Where an answer must come: a loaded machine may let a liar wait for its turn. */
#define LONG_MS 60000
#define SHORT_MS 300

static struct client *start(struct liar *l, lie tell, unsigned patience)
{
	struct err e = ERR_INIT;
	struct client *c;
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	l->fd = fds[1];
	l->tell = tell;
	ck_assert_int_eq(pthread_create(&l->thread, NULL, live, l), 0);
	ok(client_new(fds[0], LONG_MS, &c, &e));
	ck_assert_str_eq(client_kernel(c), "6.1.0-?[31mliar");
	client_set_patience(c, patience);
	return c;
}

static void finish(struct liar *l, struct client *c)
{
	struct err e = ERR_INIT, first = ERR_INIT;

	ck_assert(client_lost(c));
	/* From now on it says the same. */
	ck_assert_int_lt(client_ping(c, &first), 0);
	ck_assert_int_lt(client_sync(c, &e), 0);
	ck_assert_str_eq(first.msg, e.msg);
	client_free(c);
	close(l->fd);
	pthread_join(l->thread, NULL);
}

#define NONSENSE "the appliance's agent gave an answer that makes no sense"

/* ---- what is asked ---- */

static int ask_stat(struct client *c, struct err *e)
{
	struct fs_stat st;

	return client_stat(c, 1, &st, e);
}

static int ask_lookup(struct client *c, struct err *e)
{
	uint64_t node;

	return client_lookup(c, 1, "a", &node, e);
}

static int no_entry(void *arg, const struct fs_dirent *d, struct err *e)
{
	(void)arg, (void)e;
	/* What is told is good, even of a listing that turns bad later. */
	ck_assert(d->name[0] && !strchr(d->name, '/'));
	return 0;
}

static int ask_readdir(struct client *c, struct err *e)
{
	return client_readdir(c, 1, no_entry, NULL, e);
}

static int ask_pread(struct client *c, struct err *e)
{
	char buf[100];
	size_t got;

	return client_pread(c, 1, buf, sizeof buf, 0, &got, e);
}

static uint8_t window[CLIENT_WINDOW];

static int ask_fetch(struct client *c, struct err *e)
{
	static char buf[100000];
	size_t got;

	client_set_window(c, "serial:tools", 0, window);
	return client_pread(c, 1, buf, sizeof buf, 0, &got, e);
}

static int ask_store(struct client *c, struct err *e)
{
	static const char buf[100000];

	client_set_window(c, "serial:tools", 0, window);
	return client_pwrite(c, 1, buf, sizeof buf, 0, e);
}

static int ask_pwrite(struct client *c, struct err *e)
{
	return client_pwrite(c, 1, "x", 1, 0, e);
}

static int ask_readlink(struct client *c, struct err *e)
{
	struct strbuf b = STRBUF_INIT;
	int rc = client_readlink(c, 1, &b, e);

	strbuf_free(&b);
	return rc;
}

static int no_xattr(void *arg, const char *name, const void *value, size_t len, struct err *e)
{
	(void)arg, (void)name, (void)value, (void)len, (void)e;
	ck_abort_msg("an attribute was told");
	return 0;
}

static int ask_xattrs(struct client *c, struct err *e)
{
	return client_xattrs(c, 1, no_xattr, NULL, e);
}

static int ask_mount(struct client *c, struct err *e)
{
	uint32_t mount;

	return client_mount(c, &(struct client_mount){ .device = "serial:disk0" }, &mount, e);
}

static int ask_device(struct client *c, struct err *e)
{
	struct strbuf b = STRBUF_INIT;
	int rc = client_device(c, "serial:disk0", &b, e);

	strbuf_free(&b);
	return rc;
}

static int ask_extent(struct client *c, struct err *e)
{
	uint64_t len;
	bool hole;

	return client_extent(c, 1, 4096, &len, &hole, e);
}

static int ask_place(struct client *c, struct err *e)
{
	uint64_t len, where;

	return client_place(c, 1, 0, &len, &where, e);
}

static int ask_run(struct client *c, struct err *e)
{
	const char *const argv[] = { "true", NULL };
	int status;

	return client_run(c, &(struct client_run){ .argv = argv }, &status, e);
}

/* ---- lies ---- */

static void put_good_stat(struct proto_out *o, struct proto_stat st)
{
	st.node = st.node ? st.node : 1;
	st.mode = st.mode ? st.mode : S_IFREG | 0644;
	proto_put_stat(o, &st);
}

static void no_such_mode(struct liar *l, uint32_t tag)
{
	put_good_stat(begin(l), (struct proto_stat){ .mode = 0644 });
	say(l, tag, PROTO_STAT, PROTO_ANSWER);
}

static void other_node(struct liar *l, uint32_t tag)
{
	put_good_stat(begin(l), (struct proto_stat){ .node = 2 });
	say(l, tag, PROTO_STAT, PROTO_ANSWER);
}

static void huge_size(struct liar *l, uint32_t tag)
{
	put_good_stat(begin(l), (struct proto_stat){ .size = 1ULL << 63 });
	say(l, tag, PROTO_STAT, PROTO_ANSWER);
}

static void long_nanoseconds(struct liar *l, uint32_t tag)
{
	put_good_stat(begin(l), (struct proto_stat){ .mtime.nsec = 1000000000 });
	say(l, tag, PROTO_STAT, PROTO_ANSWER);
}

static void half_a_stat(struct liar *l, uint32_t tag)
{
	put_good_stat(begin(l), (struct proto_stat){ 0 });
	l->o.len -= 20;
	say(l, tag, PROTO_STAT, PROTO_ANSWER);
}

static void more_than_a_stat(struct liar *l, uint32_t tag)
{
	put_good_stat(begin(l), (struct proto_stat){ 0 });
	proto_put_u8(&l->o, 0);
	say(l, tag, PROTO_STAT, PROTO_ANSWER);
}

static void other_type(struct liar *l, uint32_t tag)
{
	put_good_stat(begin(l), (struct proto_stat){ 0 });
	say(l, tag, PROTO_LOOKUP, PROTO_ANSWER);
}

static void no_answer_flag(struct liar *l, uint32_t tag)
{
	put_good_stat(begin(l), (struct proto_stat){ 0 });
	say(l, tag, PROTO_STAT, 0);
}

static void failure_without_errno(struct liar *l, uint32_t tag)
{
	proto_put_u32(begin(l), 0);
	proto_put_str(&l->o, "fine");
	say(l, tag, PROTO_STAT, PROTO_ANSWER | PROTO_FAILED);
}

static void node_zero(struct liar *l, uint32_t tag)
{
	begin(l);
	proto_put_stat(&l->o, &(struct proto_stat){ .mode = S_IFREG });
	say(l, tag, PROTO_LOOKUP, PROTO_ANSWER);
}

static void entry(struct liar *l, uint32_t type, const char *name)
{
	proto_put_u64(&l->o, 1);
	proto_put_u32(&l->o, type);
	proto_put_str(&l->o, name);
}

static void page(struct liar *l, uint32_t tag, bool end, uint32_t type, const char *name)
{
	begin(l);
	proto_put_u64(&l->o, 1);
	proto_put_u8(&l->o, end);
	if (name) {
		entry(l, S_IFREG, "good");
		entry(l, type, name);
	}
	say(l, tag, PROTO_READDIR, PROTO_ANSWER);
}

static void slash_in_name(struct liar *l, uint32_t tag)
{
	page(l, tag, true, S_IFREG, "../../etc/passwd");
}

static void empty_name(struct liar *l, uint32_t tag)
{
	page(l, tag, true, S_IFREG, "");
}

static void strange_type(struct liar *l, uint32_t tag)
{
	page(l, tag, true, 5, "a");
}

static void empty_page(struct liar *l, uint32_t tag)
{
	page(l, tag, false, 0, NULL);
}

static void nul_in_name(struct liar *l, uint32_t tag)
{
	begin(l);
	proto_put_u64(&l->o, 1);
	proto_put_u8(&l->o, 1);
	proto_put_u64(&l->o, 1);
	proto_put_u32(&l->o, S_IFREG);
	proto_put_u16(&l->o, 3);
	proto_put_bytes(&l->o, "a\0b", 3);
	say(l, tag, PROTO_READDIR, PROTO_ANSWER);
}

static void more_than_was_asked(struct liar *l, uint32_t tag)
{
	proto_put_room(begin(l), 101);
	say(l, tag, PROTO_PREAD, PROTO_ANSWER);
}

static void a_piece_too_large(struct liar *l, uint32_t tag)
{
	proto_put_room(begin(l), 1000000);
	say(l, tag, PROTO_PREAD, PROTO_ANSWER);
}

static void huge_frame(struct liar *l, uint32_t tag)
{
	uint8_t bytes[PROTO_HEAD];

	proto_head_put(bytes, &(struct proto_head){ .len = 0xffffffff, .tag = tag, .type = PROTO_STAT, .flags = PROTO_ANSWER });
	say_bytes(l, bytes, sizeof bytes);
}

static void other_tag(struct liar *l, uint32_t tag)
{
	put_good_stat(begin(l), (struct proto_stat){ 0 });
	say(l, tag + 1, PROTO_STAT, PROTO_ANSWER);
}

static void garbage(struct liar *l, uint32_t tag)
{
	uint8_t *bytes = proto_put_room(begin(l), 100000);

	for (size_t i = 0; i < 100000; i++)
		bytes[i] = (uint8_t)((i + tag) * 2654435761u >> 11);
	say_bytes(l, bytes, 100000);
}

static void pings_without_end(struct liar *l, uint32_t tag)
{
	(void)tag;
	begin(l);
	for (unsigned i = 0; i < 1000; i++)
		say(l, 0x40000000u, PROTO_PING, PROTO_ANSWER);
}

static void nothing(struct liar *l, uint32_t tag)
{
	(void)l, (void)tag;
}

static void a_byte_now_and_then(struct liar *l, uint32_t tag)
{
	put_good_stat(begin(l), (struct proto_stat){ 0 });
	proto_head_put(l->room, &(struct proto_head){ .len = (uint32_t)(l->o.len - PROTO_HEAD), .tag = tag, .type = PROTO_STAT,
						      .flags = PROTO_ANSWER });
	for (size_t i = 0; i < 20; i++) {
		say_bytes(l, l->room + i, 1);
		nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	}
}

static void death(struct liar *l, uint32_t tag)
{
	(void)tag;
	shutdown(l->fd, SHUT_RDWR);
}

static void long_target(struct liar *l, uint32_t tag)
{
	proto_put_u16(begin(l), 60000);
	memset(proto_put_room(&l->o, 60000), 'a', 60000);
	say(l, tag, PROTO_READLINK, PROTO_ANSWER);
}

static void attributes_without_end(struct liar *l, uint32_t tag)
{
	for (unsigned i = 0; i < 40; i++) {
		memset(proto_put_room(begin(l), 1000000), 0, 1000000);
		say(l, tag, PROTO_XATTRS, PROTO_ANSWER | PROTO_MORE);
	}
}

static void attribute_without_name(struct liar *l, uint32_t tag)
{
	begin(l);
	proto_put_str(&l->o, "user.good");
	proto_put_u32(&l->o, 0);
	proto_put_str(&l->o, "");
	proto_put_u32(&l->o, 0);
	say(l, tag, PROTO_XATTRS, PROTO_ANSWER);
}

static void mount_out_of_range(struct liar *l, uint32_t tag)
{
	proto_put_u32(begin(l), 4000000000u);
	proto_put_u64(&l->o, 1);
	proto_put_str(&l->o, "ext4");
	say(l, tag, PROTO_MOUNT, PROTO_ANSWER);
}

static void mount_of_escapes(struct liar *l, uint32_t tag)
{
	proto_put_u32(begin(l), 1);
	proto_put_u64(&l->o, 1);
	proto_put_str(&l->o, "\033]0;x");
	say(l, tag, PROTO_MOUNT, PROTO_ANSWER);
}

static void path_of_nothing(struct liar *l, uint32_t tag)
{
	proto_put_str(begin(l), "-rf");
	say(l, tag, PROTO_DEVICE, PROTO_ANSWER);
}

static void run_past_all(struct liar *l, uint32_t tag)
{
	proto_put_u64(begin(l), INT64_MAX);
	proto_put_u8(&l->o, 0);
	say(l, tag, PROTO_EXTENT, PROTO_ANSWER);
}

static void no_length(struct liar *l, uint32_t tag)
{
	proto_put_u8(begin(l), 1);
	proto_put_u64(&l->o, 0);
	proto_put_u64(&l->o, 0);
	say(l, tag, PROTO_PLACE, PROTO_ANSWER);
}

static void more_in_the_slot(struct liar *l, uint32_t tag)
{
	proto_put_u32(begin(l), 100001);
	say(l, tag, PROTO_FETCH, PROTO_ANSWER);
}

static void bytes_for_a_slot(struct liar *l, uint32_t tag)
{
	proto_put_room(begin(l), 100000);
	say(l, tag, PROTO_FETCH, PROTO_ANSWER);
}

static void the_other_way(struct liar *l, uint32_t tag)
{
	proto_put_room(begin(l), 100000);
	say(l, tag, PROTO_PREAD, PROTO_ANSWER);
}

static void half_a_length(struct liar *l, uint32_t tag)
{
	proto_put_u16(begin(l), 1);
	say(l, tag, PROTO_FETCH, PROTO_ANSWER);
}

static void store_that_is_a_write(struct liar *l, uint32_t tag)
{
	begin(l);
	say(l, tag, PROTO_PWRITE, PROTO_ANSWER);
}

static void store_that_says_more(struct liar *l, uint32_t tag)
{
	proto_put_u8(begin(l), 1);
	say(l, tag, PROTO_STORE, PROTO_ANSWER);
}

static void write_that_says_more(struct liar *l, uint32_t tag)
{
	proto_put_u8(begin(l), 1);
	say(l, tag, PROTO_PWRITE, PROTO_ANSWER);
}

/* In one frame: what has come in several may have been given credit for in between. */
static void output_without_credit(struct liar *l, uint32_t tag)
{
	proto_put_u8(begin(l), 1);
	memset(proto_put_room(&l->o, 300000), 'x', 300000);
	say(l, tag, PROTO_DATA, PROTO_ANSWER);
}

static void third_stream(struct liar *l, uint32_t tag)
{
	proto_put_u8(begin(l), 3);
	proto_put_u8(&l->o, 'x');
	say(l, tag, PROTO_DATA, PROTO_ANSWER);
}

static void credit_without_end(struct liar *l, uint32_t tag)
{
	for (unsigned i = 0; i < 2; i++) {
		proto_put_u8(begin(l), 0);
		proto_put_u32(&l->o, 0xffffffff);
		say(l, tag, PROTO_CREDIT, 0);
	}
}

static void strange_status(struct liar *l, uint32_t tag)
{
	proto_put_u32(begin(l), 0x80000000u);
	proto_put_u8(&l->o, 0);
	say(l, tag, PROTO_RUN, PROTO_ANSWER);
}

static const struct {
	const char *name;
	lie tell;
	int (*ask)(struct client *c, struct err *e);
	const char *sentence;
} cases[] = {
	{ "no such mode", no_such_mode, ask_stat, NONSENSE },
	{ "another node", other_node, ask_stat, NONSENSE },
	{ "a huge size", huge_size, ask_stat, NONSENSE },
	{ "long nanoseconds", long_nanoseconds, ask_stat, NONSENSE },
	{ "half a stat", half_a_stat, ask_stat, NONSENSE },
	{ "more than a stat", more_than_a_stat, ask_stat, NONSENSE },
	{ "another type", other_type, ask_stat, NONSENSE },
	{ "no answer", no_answer_flag, ask_stat, NONSENSE },
	{ "a failure without errno", failure_without_errno, ask_stat, NONSENSE },
	{ "node 0", node_zero, ask_lookup, NONSENSE },
	{ "a slash in a name", slash_in_name, ask_readdir, NONSENSE },
	{ "an empty name", empty_name, ask_readdir, NONSENSE },
	{ "a NUL in a name", nul_in_name, ask_readdir, NONSENSE },
	{ "a strange type", strange_type, ask_readdir, NONSENSE },
	{ "an empty page", empty_page, ask_readdir, NONSENSE },
	{ "more than was asked", more_than_was_asked, ask_pread, NONSENSE },
	{ "a piece too large", a_piece_too_large, ask_pread, NONSENSE },
	{ "a huge frame", huge_frame, ask_stat, "the appliance's agent sent a frame of 4294967295 bytes" },
	{ "another tag", other_tag, ask_stat, "the appliance's agent answered what was not asked" },
	{ "garbage", garbage, ask_stat, NULL },
	{ "garbage of a file", garbage, ask_pread, NULL },
	{ "pings without end", pings_without_end, ask_stat, NULL },
	{ "nothing", nothing, ask_stat, "the appliance did not answer within 1 s" },
	{ "nothing of a file", nothing, ask_pread, "the appliance did not answer within 1 s" },
	{ "nothing of a program", nothing, ask_run, "the appliance did not answer within 1 s" },
	{ "nothing of a write", nothing, ask_pwrite, "the appliance did not answer within 2 s" },
	{ "a byte now and then", a_byte_now_and_then, ask_stat, "the appliance did not answer within 1 s" },
	{ "death", death, ask_stat, "the appliance ended unexpectedly" },
	{ "death at a read", death, ask_pread, "the appliance ended unexpectedly" },
	{ "death at a program", death, ask_run, "the appliance ended unexpectedly" },
	{ "a long target", long_target, ask_readlink, NONSENSE },
	{ "attributes without end", attributes_without_end, ask_xattrs, NONSENSE },
	{ "an attribute without a name", attribute_without_name, ask_xattrs, NONSENSE },
	{ "a mount out of range", mount_out_of_range, ask_mount, NONSENSE },
	{ "a mount of escapes", mount_of_escapes, ask_mount, NONSENSE },
	{ "a path of nothing", path_of_nothing, ask_device, NONSENSE },
	{ "a run past all", run_past_all, ask_extent, NONSENSE },
	{ "no length", no_length, ask_place, NONSENSE },
	{ "a write that says more", write_that_says_more, ask_pwrite, NONSENSE },
	{ "more in the slot than was asked", more_in_the_slot, ask_fetch, NONSENSE },
	{ "bytes for a slot", bytes_for_a_slot, ask_fetch, NONSENSE },
	{ "bytes in place of a slot", the_other_way, ask_fetch, NONSENSE },
	{ "half a length", half_a_length, ask_fetch, NONSENSE },
	{ "nothing of a slot", nothing, ask_fetch, "the appliance did not answer within 1 s" },
	{ "death at a slot", death, ask_fetch, "the appliance ended unexpectedly" },
	{ "a store that is a write", store_that_is_a_write, ask_store, NONSENSE },
	{ "a store that says more", store_that_says_more, ask_store, NONSENSE },
	{ "output without credit", output_without_credit, ask_run, "the appliance's agent sent more than it was let" },
	{ "a third stream", third_stream, ask_run, NONSENSE },
	{ "credit without end", credit_without_end, ask_run, NONSENSE },
	{ "a strange status", strange_status, ask_run, NONSENSE },
};

START_TEST(each_lie_is_one_sentence)
{
	struct liar *l = calloc(1, sizeof *l);

	ck_assert_ptr_nonnull(l);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct err e = ERR_INIT;
		const char *sentence = cases[i].sentence;
		bool late = !sentence || strstr(sentence, "did not answer");
		struct client *c = start(l, cases[i].tell, late ? SHORT_MS : LONG_MS);
		int rc = cases[i].ask(c, &e);

		ck_assert_msg(rc < 0, "%s: believed", cases[i].name);
		ck_assert_msg(client_lost(c), "%s: the client goes on after \"%s\"", cases[i].name, e.msg);
		if (sentence)
			ck_assert_msg(strcmp(e.msg, sentence) == 0, "%s: \"%s\"", cases[i].name, e.msg);
		ck_assert_msg(e.msg[0] && !strchr(e.msg, '\n'), "%s: \"%s\"", cases[i].name, e.msg);
		finish(l, c);
	}
	free(l);
}
END_TEST

static void words_of_its_own(struct liar *l, uint32_t tag)
{
	proto_put_u32(begin(l), EIO);
	proto_put_str(&l->o, "disk \033[2J\nis bad");
	say(l, tag, PROTO_STAT, PROTO_ANSWER | PROTO_FAILED);
}

START_TEST(words_of_the_agent_are_quoted)
{
	struct liar *l = calloc(1, sizeof *l);
	struct err e = ERR_INIT;
	struct client *c;

	ck_assert_ptr_nonnull(l);
	c = start(l, words_of_its_own, LONG_MS);
	fails(ask_stat(c, &e), ERR_SYSTEM);
	ck_assert_int_eq(e.sys_errno, EIO);
	ck_assert_str_eq(e.msg, "disk \\x1b[2J\\nis bad: Input/output error");
	/* It was a failure as any other. */
	ck_assert(!client_lost(c));
	shutdown(l->fd, SHUT_RDWR);
	finish(l, (client_ping(c, &e), c));
	free(l);
}
END_TEST

static void *say_strange_hello(void *arg)
{
	struct liar *l = arg;

	l->tell(l, 0);
	return NULL;
}

static void old_version(struct liar *l, uint32_t tag)
{
	say_hello(l, PROTO_MAGIC, PROTO_VERSION + 1 + tag);
}

static void other_magic(struct liar *l, uint32_t tag)
{
	say_hello(l, 0x1234 + tag, PROTO_VERSION);
}

static void console_noise(struct liar *l, uint32_t tag)
{
	(void)tag;
	say_bytes(l, "[    0.000000] Linux version 6.1", 32);
}

START_TEST(a_strange_hello)
{
	static const struct {
		lie tell;
		const char *sentence;
	} hellos[] = {
		{ old_version, "the appliance was built by another version of drydock: run \"drydock appliance build\"" },
		{ other_magic, "what answers in the appliance is no agent of ours" },
		{ console_noise, "what answers in the appliance is no agent of ours" },
		{ nothing, "the appliance did not answer within 1 s" },
		{ death, "the appliance ended unexpectedly" },
	};
	struct liar *l = calloc(1, sizeof *l);

	ck_assert_ptr_nonnull(l);
	for (size_t i = 0; i < sizeof hellos / sizeof *hellos; i++) {
		struct err e = ERR_INIT;
		struct client *c;
		int fds[2];

		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
		l->fd = fds[1];
		l->tell = hellos[i].tell;
		ck_assert_int_eq(pthread_create(&l->thread, NULL, say_strange_hello, l), 0);
		ck_assert_int_lt(client_new(fds[0], hellos[i].tell == nothing ? 200 : LONG_MS, &c, &e), 0);
		ck_assert_str_eq(e.msg, hellos[i].sentence);
		pthread_join(l->thread, NULL);
		close(l->fd);
	}
	free(l);
}
END_TEST

TEST_MAIN("appliance/liar", each_lie_is_one_sentence, words_of_the_agent_are_quoted, a_strange_hello)
