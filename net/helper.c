/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "helper.h"

#include "alloc.h"
#include "checked.h"
#include "confine.h"
#include "io.h"
#include "text.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef __NR_close_range
#define __NR_close_range 436
#endif

/* Stacks and arenas of threads count: each thread's are 72 MiB of address space. */
#define HELPER_MEMORY (2 * GiB)

struct worker {
	const struct helper *h;
	unsigned slot;
	struct net_slot *at;
	uint64_t size;
};

const char *helper_text(const struct dict *opts, const char *key)
{
	const char *v = dict_get(opts, key);

	return v && *v ? v : NULL;
}

uint64_t helper_number(const struct dict *opts, const char *key, uint64_t otherwise)
{
	const char *v = dict_get(opts, key);
	uint64_t n;

	return v && text_parse_u64(v, &n) ? n : otherwise;
}

void helper_warm_names(const char *host)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;

	if (getaddrinfo(host, NULL, &hints, &found) == 0)
		freeaddrinfo(found);
}

static void tell_failure(struct net_failure *to, int rc, const struct err *e)
{
	memset(to, 0, sizeof *to);
	if (rc >= 0)
		return;
	to->code = (uint32_t)e->code;
	to->sys_errno = e->sys_errno;
	snprintf(to->msg, sizeof to->msg, "%.*s", (int)sizeof to->msg - 1, e->msg);
}

/* ---- the beginning ---- */

static int read_config(char *data, struct dict *opts, struct err *e)
{
	char *const text = data + sizeof(uint32_t);
	uint32_t len;
	int rc;

	memcpy(&len, data, sizeof len);
	if (len > NET_CONFIG_MAX)
		return err_set(e, ERR_USAGE, "no word of what to connect to");
	rc = net_read_config(text, len, opts, e);
	if (rc < 0)
		return rc;
	explicit_bzero(text, len);
	return 0;
}

/*
 * What is read to find a host by its name, and to trust its certificate.  Nothing of the user's, and nothing that is
 * secret, but what the options name.
 */
static int confine_helper(const char *const *given, size_t n, struct err *e)
{
	static const char *const always[] = {
		"/etc/resolv.conf", "/etc/hosts", "/etc/host.conf", "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/services",
		"/run/systemd/resolve", "/run/resolvconf", "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/pki/tls",
		"/etc/pki/ca-trust", "/etc/gnutls", "/etc/crypto-policies", "/usr/lib/ssl", "/usr/share/ca-certificates",
		"/usr/local/share/ca-certificates", "/usr/share/crypto-policies",
	};
	const char *paths[ARRAY_LEN(always) + HELPER_PATHS];
	struct confine_how how = { .want = CONFINE_BEST, .read_paths = paths, .network = true, .memory = HELPER_MEMORY };

	for (size_t i = 0; i < ARRAY_LEN(always); i++)
		paths[how.nread++] = always[i];
	for (size_t i = 0; i < n; i++)
		paths[how.nread++] = given[i];
	return confine(&how, NULL, e);
}

/* ---- questions ---- */

/* The next question: an eventfd is read whole or not at all. */
static bool await_question(int wake)
{
	uint64_t count;
	ssize_t n;

	do
		n = read(wake, &count, sizeof count);
	while (n < 0 && errno == EINTR);
	return n == sizeof count;
}

static void *serve_slot(void *arg)
{
	const struct worker *w = arg;
	const int wake = NET_FD_SLOTS + 2 * (int)w->slot, done = wake + 1;
	void *data = (char *)w->at + NET_SLOT_HEAD;

	/* Ends when the process does: helper_main() waits for the library's end. */
	while (await_question(wake)) {
		const struct net_slot q = { .op = w->at->op, .flags = w->at->flags, .off = w->at->off, .len = w->at->len };
		struct err e = ERR_INIT;
		int rc = net_judge_question(&q, w->size, &e);

		if (rc == 0)
			rc = w->h->ask(w->slot, &q, w->at, data, &e);
		tell_failure(&w->at->failure, rc, &e);
		if (io_write(done, "", 1))
			break;
	}
	return NULL;
}

static void *say_goodbye(void *arg)
{
	const struct helper *h = arg;

	h->close();
	_exit(EXIT_SUCCESS);
}

static int serve(const struct helper *h, const struct net_hello *hello, char *memory)
{
	static struct worker workers[NET_SLOTS];
	pthread_t thread;
	char byte;
	size_t got;

	for (unsigned i = 0; i < hello->slots; i++) {
		workers[i] = (struct worker){ h, i, (struct net_slot *)(void *)(memory + i * NET_SLOT_SPAN), hello->size };
		if (pthread_create(&thread, NULL, serve_slot, &workers[i]) != 0)
			return EXIT_FAILURE;
		pthread_detach(thread);
	}
	(void)io_read(NET_FD_LIFE, &byte, 1, &got);
	if (h->close && pthread_create(&thread, NULL, say_goodbye, (void *)(uintptr_t)h) == 0)
		sleep(1);
	_exit(EXIT_SUCCESS);
}

int helper_main(const struct helper *h)
{
	const int last = NET_FD_SLOTS + 2 * NET_SLOTS;
	CLEANUP(dict_free) struct dict opts = DICT_INIT;
	struct net_hello hello = { .version = NET_VERSION, .block_min = 1, .block_max = NET_DATA };
	const char *paths[HELPER_PATHS];
	struct err e = ERR_INIT;
	size_t npaths = 0;
	char *memory;
	int rc;

	/* What whoever started us had open besides is not ours. */
	if (syscall(__NR_close_range, (unsigned)last, ~0u, 0u) < 0)
		for (int fd = last; fd < 4096; fd++)
			close(fd);
	signal(SIGPIPE, SIG_IGN);
	memory = mmap(NULL, NET_MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, NET_FD_MEMORY, 0);
	if (memory == MAP_FAILED) {
		fprintf(stderr, "this program is started by drydock, which tells it what to connect to\n");
		return EXIT_FAILURE;
	}
	rc = read_config(memory + NET_SLOT_HEAD, &opts, &e);
	if (rc == 0)
		rc = h->prepare(&opts, paths, &npaths, &e);
	if (rc == 0)
		rc = confine_helper(paths, npaths, &e);
	if (rc == 0)
		rc = h->open(&opts, &hello, memory + NET_SLOT_HEAD, &e);
	tell_failure(&hello.failure, rc, &e);
	if (io_write(NET_FD_HELLO, &hello, sizeof hello) || rc < 0)
		return EXIT_FAILURE;
	return serve(h, &hello, memory);
}
