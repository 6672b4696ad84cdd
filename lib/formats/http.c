/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * http.c - a file of a web server as the bottom of a tree of nodes: "http://host/image.qcow2", and https.
 *
 * Read only.  The server must give parts of files (ranges) and say how long the file is.  Parts come through a helper
 * process (remote.h) over several connections; small ones are kept, and some more is read ahead (readahead.h).
 *
 * Options, as QEMU's curl driver names them: url, readahead, sslverify, timeout (seconds), username, password-secret,
 * proxy-username, proxy-password-secret, cookie, cookie-secret.
 */
#include "block_driver.h"

#include "alloc.h"
#include "limits.h"
#include "locked.h"
#include "readahead.h"
#include "remote.h"
#include "secret.h"
#include "text.h"
#include "uri.h"

#include <stdio.h>

enum { TIMEOUT = 5, TIMEOUT_MAX = 600, SECTOR = 512 };

struct http_state {
	struct remote *remote;
	struct readahead *ahead;
};

/* ---- options ---- */

/* The value of an option goes to the helper under another name, or none. */
static int pass_text(struct dict *opts, const char *key, const char *as, struct dict *out, struct err *e)
{
	CLEANUP(free_ptr) char *value = dict_take(opts, key);

	return value ? dict_set(out, as, value, e) : 0;
}

/* "KEY-secret" names what KEY is. */
static int pass_secret(struct dict *opts, const char *key, const char *as, const struct block_env *env, struct dict *out,
		       struct err *e)
{
	CLEANUP(free_ptr) char *id = dict_take(opts, key);
	const struct locked *secret;
	char *text;
	int rc = id ? secrets_find_text(env->secrets, id, &secret, e) : 0;

	if (rc < 0 || !id)
		return rc;
	text = alloc_strndup((const char *)secret->p, secret->len);
	rc = text ? dict_set(out, as, text, e) : err_nomem(e);
	wipe_str(text);
	return rc;
}

static int pass_number(uint64_t n, const char *as, struct dict *out, struct err *e)
{
	char text[24];

	snprintf(text, sizeof text, "%llu", (unsigned long long)n);
	return dict_set(out, as, text, e);
}

/* The address without user and password, which are told apart from it. */
static int pass_url(struct block *b, struct dict *opts, struct dict *out, struct err *e)
{
	CLEANUP(free_ptr) char *filename = dict_take(opts, "filename"), *url = dict_take(opts, "url");
	CLEANUP(uri_free) struct uri u = URI_INIT;
	const char *given = url ? url : filename;
	int rc;

	if (!given)
		return err_set(e, ERR_USAGE, "a file of a web server needs a \"url\"");
	if (url && filename)
		return err_set(e, ERR_USAGE, "the address is given twice, as \"url\" and as \"filename\"");
	rc = uri_parse(given, &u, e);
	if (rc < 0)
		return err_in(e, rc, "\"%s\"", given);
	if (strcmp(u.scheme, b->drv->name) != 0)
		return err_set(e, ERR_USAGE, "%s: not an address of %s", u.plain, b->drv->name);
	if (!u.host)
		return err_set(e, ERR_USAGE, "%s: there is no host", u.plain);
	rc = dict_set(out, "url", u.plain, e);
	if (rc == 0 && u.user && *u.user)
		rc = dict_set(out, "username", u.user, e);
	if (rc == 0 && u.password)
		rc = dict_set(out, "password", u.password, e);
	if (rc < 0)
		return rc;
	free(b->name);
	b->name = take(u.plain);
	return 0;
}

static int take_numbers(struct dict *opts, uint64_t *readahead, uint64_t *timeout, bool *verify, struct err *e)
{
	CLEANUP(free_ptr) char *seconds = dict_take(opts, "timeout");
	int rc = dict_take_size(opts, "readahead", readahead, e);

	if (rc == 0)
		rc = dict_take_bool(opts, "sslverify", verify, e);
	if (rc < 0)
		return rc;
	if (*readahead % SECTOR)
		return err_set(e, ERR_USAGE, "option \"readahead\": not a multiple of %d bytes", SECTOR);
	if (seconds && (!text_parse_u64(seconds, timeout) || !*timeout || *timeout > TIMEOUT_MAX))
		return err_set(e, ERR_USAGE, "option \"timeout\": a number of seconds from 1 to %d", TIMEOUT_MAX);
	/* More than that is not read ahead whatever is asked for. */
	*readahead = MIN_OF(*readahead, LIMIT_READAHEAD);
	return 0;
}

static int take_options(struct block *b, struct dict *opts, const struct block_env *env, struct dict *out,
			uint64_t *readahead, uint64_t *timeout, struct err *e)
{
	bool verify = true;
	int rc;

	if (dict_get(opts, "cookie") && dict_get(opts, "cookie-secret"))
		return err_set(e, ERR_USAGE, "\"cookie\" and \"cookie-secret\" are given, and one of them is meant");
	if ((rc = pass_url(b, opts, out, e)) < 0 || (rc = take_numbers(opts, readahead, timeout, &verify, e)) < 0 ||
	    (rc = pass_text(opts, "username", "username", out, e)) < 0 ||
	    (rc = pass_text(opts, "proxy-username", "proxy-username", out, e)) < 0 ||
	    (rc = pass_text(opts, "cookie", "cookie", out, e)) < 0 ||
	    (rc = pass_secret(opts, "password-secret", "password", env, out, e)) < 0 ||
	    (rc = pass_secret(opts, "proxy-password-secret", "proxy-password", env, out, e)) < 0 ||
	    (rc = pass_secret(opts, "cookie-secret", "cookie", env, out, e)) < 0 ||
	    (rc = pass_number(!verify, "insecure", out, e)) < 0)
		return rc;
	return pass_number(*timeout, "timeout", out, e);
}

/* ---- the driver ---- */

static void http_expect(void *remote, uint64_t off, uint64_t len)
{
	remote_expect(remote, off, len);
}

static int http_fetch(void *remote, void *buf, size_t len, uint64_t off, struct err *e)
{
	return remote_read(remote, buf, len, off, e);
}

static int http_open(struct block *b, struct dict *opts, const struct block_env *env, struct err *e)
{
	CLEANUP(dict_free) struct dict words = DICT_INIT;
	struct http_state *s = b->state;
	struct readahead_how ahead = { .fetch = http_fetch, .expect = http_expect };
	struct remote_how how = { .helper = "drydock-http", .opts = &words };
	uint64_t readahead = 0, timeout = TIMEOUT;
	int rc = take_options(b, opts, env, &words, &readahead, &timeout, e);

	if (rc < 0)
		return rc;
	if (b->flags & BLOCK_WRITE)
		return err_set(e, ERR_UNSUPPORTED, "%s: files of web servers are only read", b->name);
	if ((rc = remote_judge_chain(b, env, e)) < 0)
		return rc;
	how.name = b->name;
	/* The helper gives up by itself before that. */
	how.patience_seconds = how.open_seconds = (unsigned)timeout * (NET_HTTP_PATIENCE + 2);
	rc = remote_start(&how, &s->remote, e);
	if (rc < 0)
		return rc;
	b->size = remote_hello(s->remote)->size;
	ahead.arg = s->remote;
	ahead.size = b->size;
	ahead.ahead = (size_t)readahead;
	rc = readahead_new(&ahead, &s->ahead, e);
	if (rc == 0)
		readahead_know(s->ahead, remote_first(s->remote), remote_hello(s->remote)->first_len, 0);
	return rc;
}

static void http_close(struct block *b)
{
	struct http_state *s = b->state;

	readahead_free(s->ahead);
	remote_free(s->remote);
}

static int http_pread(struct block *b, void *buf, size_t len, uint64_t off, struct err *e)
{
	struct http_state *s = b->state;

	return readahead_read(s->ahead, buf, len, off, e);
}

/* All of it is data, as far as one can ask. */
static int http_extent(struct block *b, uint64_t len, uint64_t off, struct extent *out, struct err *e)
{
	(void)len;
	(void)e;
	out->flags = EXTENT_DATA | EXTENT_ALLOC | EXTENT_PLAIN;
	out->host = b;
	out->host_off = off;
	return 0;
}

#define HTTP_OPS                                                                                                       \
	.state_size = sizeof(struct http_state), .is_protocol = true, .takes_names = true, .is_remote = true,          \
	.open = http_open, .close = http_close, .pread = http_pread, .extent = http_extent

const struct block_driver block_http = { .name = "http", HTTP_OPS };
const struct block_driver block_https = { .name = "https", HTTP_OPS };
