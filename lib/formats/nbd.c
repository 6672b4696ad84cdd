/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nbd.c - an export of an NBD server as the bottom of a tree of nodes.
 *
 *	nbd://HOST[:PORT][/EXPORT]		nbds:// is the same over TLS
 *	nbd+unix:///[EXPORT]?socket=PATH	nbds+unix://; nbd://?socket=PATH is the same
 *	nbd:HOST:PORT[:exportname=EXPORT]	as QEMU wrote it first
 *	nbd:unix:PATH[:exportname=EXPORT]
 *
 * Options, as QEMU names them: server.type (inet, unix), server.host, server.port, server.path, or host, port, path;
 * export, tls-hostname, open-timeout.  And, as libnbd's addresses have them, also in an address: tls-certificates (a
 * folder), tls-psk-file, tls-username, tls-verify-peer.
 *
 * The export's size is what it is: it neither grows nor gets shorter.  Requests go to a helper process (remote.h).
 */
#include "block_driver.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"
#include "remote.h"
#include "text.h"
#include "uri.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#define NBD_PORT "10809"
enum { OPEN_SECONDS = 30, OPEN_SECONDS_MAX = 3600 };

struct nbd_state {
	struct remote *remote;
	bool has_locks;
	/* A write of a part of the server's block reads the rest before: nobody writes meanwhile. */
	pthread_rwlock_t blocks;
	/* What the server told last of where data is, of an export that is only read. */
	pthread_mutex_t map_lock;
	struct net_extent map[NET_EXTENTS];
	size_t nmap;
	uint64_t map_off;
};

/* ---- where it is ---- */

static const char *const tls_keys[] = { "tls-certificates", "tls-psk-file", "tls-username", "tls-verify-peer" };

static int set_once(struct dict *d, const char *key, const char *value, struct err *e)
{
	return dict_get(d, key) ? err_set(e, ERR_USAGE, "\"%s\" is given twice", key) : dict_set(d, key, value, e);
}

static int from_uri(const char *text, struct dict *out, struct err *e)
{
	CLEANUP(uri_free) struct uri u = URI_INIT;
	CLEANUP(free_ptr) char *path = NULL;
	const char *transport;
	char port[12];
	int rc = uri_parse(text, &u, e);

	if (rc < 0)
		return rc;
	transport = strchr(u.scheme, '+');
	if (text_starts(u.scheme, "nbds", NULL))
		rc = dict_set(out, "tls", "1", e);
	path = dict_take(&u.query, "socket");
	if (rc == 0 && path)
		rc = dict_set(out, "path", path, e);
	else if (rc == 0 && u.host)
		rc = dict_set(out, "host", u.host, e);
	if (rc < 0)
		return rc;
	if (transport && strcmp(transport, "+unix") == 0 && !path)
		return err_set(e, ERR_USAGE, "the path of the socket is missing (?socket=PATH)");
	if (path && u.host)
		return err_set(e, ERR_USAGE, "a host and a socket are given, and one of them is meant");
	if (u.port) {
		snprintf(port, sizeof port, "%u", u.port);
		rc = dict_set(out, "port", port, e);
	}
	if (rc == 0)
		rc = dict_set(out, "export", u.path + (*u.path == '/'), e);
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(tls_keys); i++) {
		CLEANUP(free_ptr) char *value = dict_take(&u.query, tls_keys[i]);

		if (value)
			rc = dict_set(out, tls_keys[i], value, e);
	}
	if (rc == 0 && u.query.n)
		rc = err_set(e, ERR_USAGE, "\"%s\" means nothing in such an address", dict_first_key(&u.query));
	return rc;
}

/* "nbd:unix:PATH:exportname=NAME": a path may hold colons, an export's name anything. */
static int from_old_name(const char *rest, struct dict *out, struct err *e)
{
	static const char mark[] = ":exportname=";
	const char *export = strstr(rest, mark), *path, *colon;
	CLEANUP(free_ptr) char *where = alloc_strndup(rest, export ? (size_t)(export - rest) : strlen(rest));
	int rc;

	if (!where)
		return err_nomem(e);
	rc = dict_set(out, "export", export ? export + strlen(mark) : "", e);
	if (rc < 0)
		return rc;
	if (text_starts(where, "unix:", &path))
		return *path ? dict_set(out, "path", path, e) : err_set(e, ERR_USAGE, "the path of the socket is missing");
	colon = strrchr(where, ':');
	if (!colon || colon == where || !colon[1])
		return err_set(e, ERR_USAGE, "a server is HOST:PORT or unix:PATH");
	rc = dict_set(out, "port", colon + 1, e);
	where[colon - where] = '\0';
	if (rc == 0 && *where == '[' && where[strlen(where) - 1] == ']') {
		where[strlen(where) - 1] = '\0';
		return dict_set(out, "host", where + 1, e);
	}
	return rc < 0 ? rc : dict_set(out, "host", where, e);
}

static int from_name(const char *name, struct dict *out, struct err *e)
{
	const char *rest;
	int rc;

	if (!uri_scheme(name) && text_starts(name, "nbd:", &rest))
		rc = from_old_name(rest, out, e);
	else
		rc = from_uri(name, out, e);
	return rc < 0 ? err_in(e, rc, "\"%s\"", name) : 0;
}

/* ---- options ---- */

static int move(struct dict *from, const char *key, struct dict *to, const char *as, struct err *e)
{
	CLEANUP(free_ptr) char *value = dict_take(from, key);

	return value ? set_once(to, as, value, e) : 0;
}

static int take_server(struct dict *opts, struct dict *out, struct err *e)
{
	static const char *const types[] = { "", "inet", "unix", NULL };
	static const char *const keys[] = { "host", "port", "path" };
	unsigned type = 0;
	int rc = block_take_word(opts, "server.type", types, &type, e);

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(keys); i++) {
		char key[24];

		snprintf(key, sizeof key, "server.%s", keys[i]);
		rc = move(opts, key, out, keys[i], e);
		if (rc == 0)
			rc = move(opts, keys[i], out, keys[i], e);
	}
	if (rc < 0)
		return rc;
	if ((type == 1 && dict_get(out, "path")) || (type == 2 && dict_get(out, "host")))
		return err_set(e, ERR_USAGE, "the server's type is \"%s\", and its address is of the other one", types[type]);
	if (!dict_get(out, "path") == !dict_get(out, "host"))
		return err_set(e, ERR_USAGE, "an NBD server has either a \"host\" or the \"path\" of a socket");
	if (dict_get(out, "host") && !dict_get(out, "port"))
		rc = dict_set(out, "port", NBD_PORT, e);
	return rc;
}

static int take_tls(struct dict *opts, struct dict *out, struct err *e)
{
	CLEANUP(free_ptr) char *hostname = dict_take(opts, "tls-hostname");
	bool verify = true;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(tls_keys); i++)
		rc = move(opts, tls_keys[i], out, tls_keys[i], e);
	if (rc == 0)
		rc = dict_take_bool(out, "tls-verify-peer", &verify, e);
	if (rc == 0)
		rc = dict_set(out, "tls-verify-peer", verify ? "1" : "0", e);
	if (rc < 0)
		return rc;
	/* Whoever names certificates or a key means TLS. */
	if (dict_get(out, "tls-certificates") || dict_get(out, "tls-psk-file"))
		rc = dict_set(out, "tls", "1", e);
	if (hostname && (!dict_get(out, "host") || strcmp(hostname, dict_get(out, "host")) != 0))
		return err_set(e, ERR_UNSUPPORTED, "option \"tls-hostname\": the name in a certificate is that of the host which "
			       "is connected to");
	return rc;
}

static int take_seconds(struct dict *opts, unsigned *seconds, struct err *e)
{
	CLEANUP(free_ptr) char *text = dict_take(opts, "open-timeout");
	uint64_t n;

	if (!text)
		return 0;
	if (!text_parse_u64(text, &n) || n > OPEN_SECONDS_MAX)
		return err_set(e, ERR_USAGE, "option \"open-timeout\": a number of seconds up to %d", OPEN_SECONDS_MAX);
	*seconds = n ? (unsigned)n : OPEN_SECONDS;
	return 0;
}

/* As an address: what a person recognises, and can type again. */
static char *name_of(const struct dict *words)
{
	const char *export = dict_get(words, "export"), *path = dict_get(words, "path"), *host = dict_get(words, "host"),
		   *port = dict_get(words, "port");
	const char *scheme = dict_get(words, "tls") ? "nbds" : "nbd";
	const char *slash = export && *export ? "/" : "";

	if (!export)
		export = "";
	if (path)
		return alloc_printf("%s+unix://%s%s?socket=%s", scheme, slash, export, path);
	return strchr(host, ':') ? alloc_printf("%s://[%s]:%s%s%s", scheme, host, port, slash, export)
				 : alloc_printf("%s://%s:%s%s%s", scheme, host, port, slash, export);
}

static int take_options(struct block *b, struct dict *opts, struct dict *out, unsigned *seconds, struct err *e)
{
	CLEANUP(free_ptr) char *filename = dict_take(opts, "filename");
	int rc = filename ? from_name(filename, out, e) : 0;

	if (rc == 0 && dict_get(opts, "export")) {
		CLEANUP(free_ptr) char *export = dict_take(opts, "export");

		rc = dict_set(out, "export", export, e);
	}
	if (rc < 0 || (rc = take_server(opts, out, e)) < 0 || (rc = take_tls(opts, out, e)) < 0 ||
	    (rc = take_seconds(opts, seconds, e)) < 0)
		return rc;
	free(b->name);
	b->name = name_of(out);
	return b->name ? 0 : err_nomem(e);
}

/* ---- the driver ---- */

static int nbd_open(struct block *b, struct dict *opts, const struct block_env *env, struct err *e)
{
	CLEANUP(dict_free) struct dict words = DICT_INIT;
	struct nbd_state *s = b->state;
	struct remote_how how = { .helper = "drydock-nbd", .opts = &words, .open_seconds = OPEN_SECONDS,
				  .patience_seconds = LIMIT_NBD_SECONDS };
	int rc = take_options(b, opts, &words, &how.open_seconds, e);

	if (rc < 0 || (rc = remote_judge_chain(b, env, e)) < 0)
		return rc;
	if (pthread_rwlock_init(&s->blocks, NULL) != 0)
		return err_nomem(e);
	if (pthread_mutex_init(&s->map_lock, NULL) != 0) {
		pthread_rwlock_destroy(&s->blocks);
		return err_nomem(e);
	}
	s->has_locks = true;
	how.name = b->name;
	rc = remote_start(&how, &s->remote, e);
	if (rc < 0)
		return rc;
	b->size = remote_hello(s->remote)->size;
	if ((b->flags & BLOCK_WRITE) && !(remote_hello(s->remote)->features & NET_CAN_WRITE))
		return err_set(e, ERR_USAGE, "%s: the server gives this export for reading only", b->name);
	return 0;
}

static void nbd_close(struct block *b)
{
	struct nbd_state *s = b->state;

	remote_free(s->remote);
	if (!s->has_locks)
		return;
	pthread_mutex_destroy(&s->map_lock);
	pthread_rwlock_destroy(&s->blocks);
}

static bool can(const struct block *b, uint32_t what)
{
	const struct nbd_state *s = b->state;

	return remote_hello(s->remote)->features & what;
}

static int nbd_pread(struct block *b, void *buf, size_t len, uint64_t off, struct err *e)
{
	struct nbd_state *s = b->state;

	return remote_read(s->remote, buf, len, off, e);
}

static int judge_end(const struct block *b, uint64_t len, uint64_t off, struct err *e)
{
	if (range_in(off, len, block_size(b)))
		return 0;
	return err_sys(e, ENOSPC, "%s: %llu bytes at %llu go past the end of the export (%llu bytes)", b->name,
		       (unsigned long long)len, (unsigned long long)off, (unsigned long long)block_size(b));
}

/* Does the range begin and end at the server's blocks, or at the end of the export? */
static bool in_blocks(const struct block *b, uint64_t len, uint64_t off)
{
	const struct nbd_state *s = b->state;
	const uint64_t min = remote_hello(s->remote)->block_min;

	return off % min == 0 && ((off + len) % min == 0 || off + len == block_size(b));
}

/* A write of less than blocks: what is around it is read, and written again. */
static int write_around(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e)
{
	struct nbd_state *s = b->state;
	const uint64_t min = remote_hello(s->remote)->block_min, from = round_down(off, min),
		       span = MIN_OF(round_up(off + len, min), block_size(b)) - from;
	CLEANUP(free_ptr) uint8_t *whole = alloc_bytes((size_t)span);
	int rc;

	if (!whole)
		return err_nomem(e);
	pthread_rwlock_wrlock(&s->blocks);
	rc = remote_read(s->remote, whole, (size_t)span, from, e);
	if (rc == 0) {
		memcpy(whole + (off - from), buf, len);
		rc = remote_write(s->remote, whole, (size_t)span, from, e);
	}
	pthread_rwlock_unlock(&s->blocks);
	return rc;
}

static int nbd_pwrite(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e)
{
	struct nbd_state *s = b->state;
	int rc = judge_end(b, len, off, e);

	if (rc < 0)
		return rc;
	if (!in_blocks(b, len, off))
		return write_around(b, buf, len, off, e);
	pthread_rwlock_rdlock(&s->blocks);
	rc = remote_write(s->remote, buf, len, off, e);
	pthread_rwlock_unlock(&s->blocks);
	return rc;
}

static int nbd_zero(struct block *b, uint64_t len, uint64_t off, unsigned how, struct err *e)
{
	struct nbd_state *s = b->state;
	const unsigned flags = (how & BLOCK_ZERO_UNMAP ? 0 : NET_NO_HOLE) | (how & BLOCK_ZERO_FAST ? NET_FAST : 0);
	int rc = judge_end(b, len, off, e);

	if (rc < 0)
		return rc;
	if (!can(b, NET_CAN_ZERO) || ((how & BLOCK_ZERO_FAST) && !can(b, NET_CAN_FAST_ZERO)) || !in_blocks(b, len, off))
		return err_set(e, ERR_UNSUPPORTED, "%s: the server cannot zero that", b->name);
	pthread_rwlock_rdlock(&s->blocks);
	rc = remote_do(s->remote, NET_ZERO, flags, len, off, e);
	pthread_rwlock_unlock(&s->blocks);
	return rc;
}

static int nbd_discard(struct block *b, uint64_t len, uint64_t off, struct err *e)
{
	struct nbd_state *s = b->state;
	const uint64_t min = remote_hello(s->remote)->block_min;
	uint64_t end = MIN_OF(off + len, block_size(b)), from = round_up(off, min);

	/* A hint: whole blocks of it are passed on. */
	if (end != block_size(b))
		end = round_down(end, min);
	if (!can(b, NET_CAN_TRIM) || from >= end)
		return 0;
	return remote_do(s->remote, NET_TRIM, 0, end - from, from, e);
}

static int nbd_flush(struct block *b, struct err *e)
{
	struct nbd_state *s = b->state;

	if ((b->flags & BLOCK_UNSAFE) || !(b->flags & BLOCK_WRITE) || !can(b, NET_CAN_FLUSH))
		return 0;
	return remote_do(s->remote, NET_FLUSH, 0, 0, 0, e);
}

/* The run that off is in, of what was told last; false: it is in none. */
static bool look_up(const struct nbd_state *s, uint64_t off, uint64_t *len, uint64_t *flags)
{
	uint64_t at = s->map_off;

	if (off < at)
		return false;
	for (size_t i = 0; i < s->nmap; i++) {
		if (off - at < s->map[i].len) {
			*len = s->map[i].len - (off - at);
			*flags = s->map[i].flags;
			return true;
		}
		at += s->map[i].len;
	}
	return false;
}

static int nbd_extent(struct block *b, uint64_t len, uint64_t off, struct extent *out, struct err *e)
{
	struct nbd_state *s = b->state;
	const uint64_t min = remote_hello(s->remote)->block_min;
	uint64_t run = 0, flags = 0;
	int rc = 0;

	out->flags = EXTENT_DATA | EXTENT_ALLOC | EXTENT_PLAIN;
	out->host = b;
	out->host_off = off;
	if (!can(b, NET_CAN_MAP))
		return 0;
	pthread_mutex_lock(&s->map_lock);
	if ((b->flags & BLOCK_WRITE) || !look_up(s, off, &run, &flags)) {
		s->map_off = round_down(off, min);
		s->nmap = 0;
		/* As far as it goes: who asks for one run will ask for the next. */
		rc = remote_map(s->remote, block_size(b) - s->map_off, s->map_off, s->map, &s->nmap, e);
		if (rc == 0 && !look_up(s, off, &run, &flags))
			rc = err_set(e, ERR_CORRUPT, "%s: the server does not tell where data is", b->name);
	}
	pthread_mutex_unlock(&s->map_lock);
	if (rc < 0)
		return rc;
	out->len = MIN_OF(len, run);
	if (flags & NET_ZEROES)
		out->flags |= EXTENT_ZERO;
	if (flags & NET_HOLE && flags & NET_ZEROES)
		out->flags &= ~(unsigned)EXTENT_DATA;
	return 0;
}

/* An image that is shorter than the export lies in it all the same. */
static int nbd_truncate(struct block *b, uint64_t size, enum block_prealloc p, struct err *e)
{
	(void)p;
	if (size > block_size(b))
		return err_set(e, ERR_USAGE, "%s: the export has only %llu bytes", b->name,
			       (unsigned long long)block_size(b));
	return 0;
}

static const char *const nbd_schemes[] = { "nbds", "nbd+tcp", "nbds+tcp", "nbd+unix", "nbds+unix", NULL };

const struct block_driver block_nbd = {
	.name = "nbd",
	.state_size = sizeof(struct nbd_state),
	.is_protocol = true,
	.takes_names = true,
	.is_remote = true,
	.noise_init = true,
	.schemes = nbd_schemes,
	.open = nbd_open,
	.close = nbd_close,
	.pread = nbd_pread,
	.pwrite = nbd_pwrite,
	.zero = nbd_zero,
	.discard = nbd_discard,
	.flush = nbd_flush,
	.extent = nbd_extent,
	.truncate = nbd_truncate,
};
