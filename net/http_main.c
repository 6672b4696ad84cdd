/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * http_main.c - drydock-http: parts of one file of a web server, by libcurl.
 *
 * Each slot has a connection of its own, kept open.  Parts are asked for as ranges (RFC 9110, section 14), and an answer is
 * believed only as far as it says of itself what it is: status 206, the range that was asked for (it may end sooner), the
 * length of the whole, and the same ETag and Last-Modified as at the beginning.  So a file that is replaced while it is
 * read is an error, never a mixture.
 *
 * What ends a transfer early - a connection that breaks, a server that is busy (408, 429, 500, 502, 503, 504) - is tried
 * again from the byte where it stopped, after a pause that doubles.  Time is bounded twice: a connection over which less
 * than MIN_SPEED comes for `timeout` seconds is given up, and so is a question after PATIENCE times that.
 */
#include "helper.h"

#include "alloc.h"
#include "http_head.h"
#include "uri.h"

#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

enum {
	MIN_SPEED = 1024,	/* bytes in a second */
	REDIRECTS = 10,
	TRIES = 6,		/* without a byte between them */
	PAUSE_MS = 50,		/* before the second try */
	HEADERS_MAX = 64 * 1024, /* of one question, redirections with it */
};

struct transfer {
	CURL *curl;
	char reason[CURL_ERROR_SIZE];
	/* the question */
	uint8_t *to;
	uint64_t off;
	size_t want, got;
	/* the answer */
	struct http_head said; /* `begin` moves on with the bytes that were taken */
	bool too_much, not_a_part;
	size_t headers;
};

static struct {
	const char *url;
	bool insecure;
	long timeout; /* seconds */
	bool opened;
	struct http_head first; /* how the file was then */
	struct transfer slots[NET_SLOTS];
	const struct dict *opts;
} web;

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- what the server says ---- */

static size_t on_header(char *bytes, size_t one, size_t len, void *arg)
{
	struct transfer *t = arg;

	(void)one;
	t->headers += len;
	if (t->headers > HEADERS_MAX)
		return 0;
	http_head_line(&t->said, bytes, len);
	return len;
}

static bool is_the_part(const struct transfer *t)
{
	return t->said.status == 206 && t->said.has_range && !t->said.encoded && t->said.begin == t->off + t->got &&
	       t->said.end < t->off + t->want;
}

static bool is_the_file(const struct transfer *t)
{
	return !web.opened || (t->said.size == web.first.size && strcmp(t->said.etag, web.first.etag) == 0 &&
			       strcmp(t->said.modified, web.first.modified) == 0);
}

static size_t on_data(char *bytes, size_t one, size_t len, void *arg)
{
	struct transfer *t = arg;

	(void)one;
	/* The first bytes of an answer come behind all of its headers. */
	if (!is_the_part(t) || !is_the_file(t)) {
		t->not_a_part = true;
		return 0;
	}
	if (len > t->said.end + 1 - t->said.begin) {
		t->too_much = true;
		return 0;
	}
	memcpy(t->to + t->got, bytes, len);
	t->got += len;
	t->said.begin += len;
	return len;
}

/* ---- one connection ---- */

#define SET(option, value)                                                                                             \
	do {                                                                                                           \
		if (curl_easy_setopt(t->curl, option, value) != CURLE_OK)                                              \
			return err_set(e, ERR_UNSUPPORTED, "libcurl does not know " #option);                          \
	} while (0)

static int set_credentials(struct transfer *t, struct err *e)
{
	static const struct {
		const char *key;
		CURLoption option;
	} texts[] = {
		{ "username", CURLOPT_USERNAME },
		{ "password", CURLOPT_PASSWORD },
		{ "proxy-username", CURLOPT_PROXYUSERNAME },
		{ "proxy-password", CURLOPT_PROXYPASSWORD },
		{ "cookie", CURLOPT_COOKIE },
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (helper_text(web.opts, texts[i].key))
			SET(texts[i].option, helper_text(web.opts, texts[i].key));
	return 0;
}

/* As curl itself does it. */
static const char *ca_file(void)
{
	const char *file = getenv("CURL_CA_BUNDLE");

	return file && *file ? file : getenv("SSL_CERT_FILE");
}

static int transfer_begin(struct transfer *t, struct err *e)
{
	const bool safe = strncasecmp(web.url, "https:", 6) == 0;

	t->curl = curl_easy_init();
	if (!t->curl)
		return err_nomem(e);
	SET(CURLOPT_URL, web.url);
	SET(CURLOPT_ERRORBUFFER, t->reason);
	SET(CURLOPT_NOSIGNAL, 1L);
	/* One question on a connection at a time: what HTTP/2 has beyond that would be there for attackers only. */
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	/* Who was asked over TLS cannot send us where anybody may listen. */
	SET(CURLOPT_REDIR_PROTOCOLS_STR, safe ? "https" : "http,https");
	SET(CURLOPT_FOLLOWLOCATION, 1L);
	SET(CURLOPT_MAXREDIRS, (long)REDIRECTS);
	SET(CURLOPT_USERAGENT, "drydock/" DRYDOCK_VERSION);
	SET(CURLOPT_CONNECTTIMEOUT, web.timeout);
	SET(CURLOPT_LOW_SPEED_LIMIT, (long)MIN_SPEED);
	SET(CURLOPT_LOW_SPEED_TIME, web.timeout);
	SET(CURLOPT_BUFFERSIZE, (long)(256 * KiB));
	SET(CURLOPT_SSL_VERIFYPEER, web.insecure ? 0L : 1L);
	SET(CURLOPT_SSL_VERIFYHOST, web.insecure ? 0L : 2L);
	if (ca_file() && *ca_file())
		SET(CURLOPT_CAINFO, ca_file());
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, t);
	SET(CURLOPT_WRITEFUNCTION, on_data);
	SET(CURLOPT_WRITEDATA, t);
	return set_credentials(t, e);
}

/* Asks for what is left, for at most so long. */
static int ask_rest(struct transfer *t, uint64_t ms, CURLcode *how, struct err *e)
{
	char range[64];

	snprintf(range, sizeof range, "%" PRIu64 "-%" PRIu64, t->off + t->got, t->off + t->want - 1);
	t->said = (struct http_head){ .status = 0 };
	t->too_much = t->not_a_part = false;
	t->headers = 0;
	t->reason[0] = '\0';
	SET(CURLOPT_RANGE, range);
	SET(CURLOPT_TIMEOUT_MS, (long)ms);
	*how = curl_easy_perform(t->curl);
	return 0;
}

/* ---- failures ---- */

static bool is_busy(int status)
{
	return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

/* May the same question have another answer a moment later?  A host that was not reached once is not tried again. */
static bool is_passing(const struct transfer *t, CURLcode how)
{
	switch (how) {
	case CURLE_OK:
		return is_busy(t->said.status) || (t->said.status == 206 && t->said.has_range);
	case CURLE_PARTIAL_FILE:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_GOT_NOTHING:
		return true;
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_COULDNT_CONNECT:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_SSL_CONNECT_ERROR:
		return web.opened;
	case CURLE_WRITE_ERROR: /* by on_data() */
		return t->not_a_part && is_busy(t->said.status);
	default:
		return false;
	}
}

static int status_failure(int status, struct err *e)
{
	switch (status) {
	case 401:
		return err_sys(e, EACCES, "the server wants another user or password (status 401)");
	case 403:
		return err_sys(e, EACCES, "the server does not give it out (status 403)");
	case 404:
	case 410:
		return err_sys(e, ENOENT, "the server has no such file (status %d)", status);
	case 407:
		return err_sys(e, EACCES, "the proxy wants another user or password (status 407)");
	default:
		return err_set(e, ERR_SYSTEM, "the server answered with status %d", status);
	}
}

static int failure(const struct transfer *t, CURLcode how, struct err *e)
{
	if (how != CURLE_OK && how != CURLE_WRITE_ERROR) {
		if (t->headers > HEADERS_MAX)
			return err_set(e, ERR_LIMIT, "the server's headers are longer than %d bytes", HEADERS_MAX);
		return err_set(e, ERR_SYSTEM, "%s", *t->reason ? t->reason : curl_easy_strerror(how));
	}
	if (t->headers > HEADERS_MAX)
		return err_set(e, ERR_LIMIT, "the server's headers are longer than %d bytes", HEADERS_MAX);
	if (t->too_much)
		return err_set(e, ERR_CORRUPT, "the server sent more than it was asked for");
	if (web.opened && t->said.has_range && !is_the_file(t))
		return err_set(e, ERR_CORRUPT, "the file on the server has changed since it was opened");
	if (web.opened && t->said.status == 200)
		return err_set(e, ERR_CORRUPT, "the server does not give parts of the file any more");
	if (t->said.status == 200)
		return err_set(e, ERR_UNSUPPORTED, "the server gives files as a whole only, no parts of them (ranges)");
	if (t->said.status == 206 && t->said.encoded)
		return err_set(e, ERR_UNSUPPORTED, "the server sends the file in another coding");
	if (t->said.status == 206)
		return err_set(e, ERR_CORRUPT, "the server sent another part than the one it was asked for");
	return status_failure(t->said.status, e);
}

/* ---- questions ---- */

static void pause_before(unsigned attempt)
{
	const uint64_t ms = (uint64_t)PAUSE_MS << attempt;
	const struct timespec t = { (time_t)(ms / 1000), (long)(ms % 1000) * 1000000 };

	nanosleep(&t, NULL);
}

/* A file that has grown shorter answers with 416, and no bytes of it come. */
static bool is_whole(const struct transfer *t, CURLcode how)
{
	return how == CURLE_OK && t->said.status == 206 && t->said.has_range && t->got == t->want;
}

static int fetch(struct transfer *t, struct err *e)
{
	const uint64_t end = now_ms() + (uint64_t)web.timeout * NET_HTTP_PATIENCE * 1000;

	/* Ends: each turn brings bytes, or is counted; and at the end of our patience. */
	for (unsigned tries = 0;;) {
		const size_t before = t->got;
		const uint64_t now = now_ms();
		CURLcode how = CURLE_OK;
		int rc;

		if (now >= end)
			return err_set(e, ERR_SYSTEM, "the server took longer than %ld seconds for %zu bytes",
				       web.timeout * NET_HTTP_PATIENCE, t->want);
		rc = ask_rest(t, end - now, &how, e);
		if (rc < 0)
			return rc;
		/* The first question may ask for more than there is. */
		if (!web.opened && how == CURLE_OK && t->said.status == 206 && t->said.has_range &&
		    t->off + t->got == t->said.size)
			return 0;
		if (is_whole(t, how))
			return 0;
		if (!is_passing(t, how))
			return failure(t, how, e);
		tries = t->got > before ? 0 : tries + 1;
		if (tries >= TRIES)
			return failure(t, how, e);
		if (how != CURLE_OK || t->got == before)
			pause_before(tries);
	}
}

static int http_prepare(const struct dict *opts, const char **paths, size_t *n, struct err *e)
{
	CLEANUP(uri_free) struct uri u = URI_INIT;
	int rc;

	web.opts = opts;
	web.url = helper_text(opts, "url");
	web.insecure = helper_number(opts, "insecure", 0);
	web.timeout = (long)helper_number(opts, "timeout", 5);
	if (!web.url)
		return err_set(e, ERR_USAGE, "there is no address");
	rc = uri_parse(web.url, &u, e);
	if (rc < 0)
		return rc;
	if (curl_global_init(CURL_GLOBAL_ALL) != CURLE_OK)
		return err_nomem(e);
	if (ca_file() && *ca_file())
		paths[(*n)++] = ca_file();
	if (u.host)
		helper_warm_names(u.host);
	return 0;
}

static int http_open(const struct dict *opts, struct net_hello *hello, void *data, struct err *e)
{
	struct transfer *t = &web.slots[0];
	int rc = transfer_begin(t, e);

	t->to = data;
	t->want = (size_t)helper_number(opts, "first", 64 * KiB);
	if (rc == 0)
		rc = fetch(t, e);
	/* An empty file has no first byte. */
	if (rc < 0 && t->said.status == 416 && t->said.has_range && t->said.size == 0)
		rc = 0;
	if (rc < 0)
		return rc;
	web.first = t->said;
	web.opened = true;
	hello->size = web.first.size;
	hello->slots = NET_SLOTS;
	hello->first_len = (uint32_t)t->got;
	return 0;
}

static int http_ask(unsigned slot, const struct net_slot *q, struct net_slot *answer, void *data, struct err *e)
{
	struct transfer *t = &web.slots[slot];
	int rc = t->curl ? 0 : transfer_begin(t, e);

	(void)answer;
	if (q->op != NET_READ)
		return err_set(e, ERR_UNSUPPORTED, "files of web servers are only read");
	t->to = data;
	t->off = q->off;
	t->want = (size_t)q->len;
	t->got = 0;
	return rc < 0 ? rc : fetch(t, e);
}

int main(void)
{
	static const struct helper http = { http_prepare, http_open, http_ask, NULL };

	return helper_main(&http);
}
