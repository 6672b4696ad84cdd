/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbd_main.c - drydock-nbd: an export of an NBD server, by libnbd.
 *
 * One connection for each slot where the server says that its connections see each other's writes (multi-conn), else one
 * alone.  The further ones are made when they are first asked; they must be given the same export, of the same size.
 * Time is not bounded here but by the library, which waits for an answer so long and no longer.
 */
#include "helper.h"

#include "alloc.h"
#include "text.h"

#include <errno.h>
#include <libnbd.h>
#include <stdio.h>

static struct {
	const struct dict *opts;
	struct nbd_handle *slots[NET_SLOTS];
	uint64_t size;
	uint32_t features;
} nbd;

/* libnbd's sentences begin with its function's name. */
static int failed(struct err *e)
{
	const char *why = nbd_get_error(), *colon = why ? strstr(why, ": ") : NULL;
	int err = nbd_get_errno();

	if (colon && text_starts(why, "nbd_", NULL))
		why = colon + 2;
	err_set(e, ERR_SYSTEM, "%s", why ? why : "the server said no");
	if (e)
		e->sys_errno = err ? err : EIO;
	return -(int)ERR_SYSTEM;
}

/* ---- connecting ---- */

static int set_tls(struct nbd_handle *h, struct err *e)
{
	const char *certificates = helper_text(nbd.opts, "tls-certificates"), *psk = helper_text(nbd.opts, "tls-psk-file"),
		   *user = helper_text(nbd.opts, "tls-username");

	if (!helper_number(nbd.opts, "tls", 0))
		return nbd_set_tls(h, LIBNBD_TLS_DISABLE) < 0 ? failed(e) : 0;
	if (!nbd_supports_tls(h))
		return err_set(e, ERR_UNSUPPORTED, "this libnbd was built without TLS");
	if (nbd_set_tls(h, LIBNBD_TLS_REQUIRE) < 0 || (certificates && nbd_set_tls_certificates(h, certificates) < 0) ||
	    (psk && nbd_set_tls_psk_file(h, psk) < 0) || (user && nbd_set_tls_username(h, user) < 0) ||
	    nbd_set_tls_verify_peer(h, helper_number(nbd.opts, "tls-verify-peer", 1)) < 0)
		return failed(e);
	return 0;
}

static int connect_one(struct nbd_handle **out, struct err *e)
{
	const char *export = dict_get(nbd.opts, "export"), *path = helper_text(nbd.opts, "path");
	struct nbd_handle *h = *out = nbd_create();
	int rc;

	if (!h)
		return failed(e);
	rc = set_tls(h, e);
	if (rc < 0)
		return rc;
	if (nbd_set_export_name(h, export ? export : "") < 0 ||
	    nbd_add_meta_context(h, LIBNBD_CONTEXT_BASE_ALLOCATION) < 0)
		return failed(e);
	rc = path ? nbd_connect_unix(h, path)
		  : nbd_connect_tcp(h, helper_text(nbd.opts, "host"), helper_text(nbd.opts, "port"));
	return rc < 0 ? failed(e) : 0;
}

static int facts_of(struct nbd_handle *h, struct net_hello *hello, struct err *e)
{
	const int64_t size = nbd_get_size(h), min = nbd_get_block_size(h, LIBNBD_SIZE_MINIMUM),
		      max = nbd_get_block_size(h, LIBNBD_SIZE_MAXIMUM);

	if (size < 0)
		return failed(e);
	hello->size = (uint64_t)size;
	hello->block_min = min > 0 ? (uint32_t)min : 1;
	/* The protocol promises 32 MiB where a server says nothing. */
	hello->block_max = max > 0 && (uint64_t)max < NET_DATA ? (uint32_t)max : NET_DATA;
	hello->features = (nbd_is_read_only(h) == 0 ? NET_CAN_WRITE : 0) | (nbd_can_flush(h) == 1 ? NET_CAN_FLUSH : 0) |
			  (nbd_can_trim(h) == 1 ? NET_CAN_TRIM : 0) | (nbd_can_zero(h) == 1 ? NET_CAN_ZERO : 0) |
			  (nbd_can_fast_zero(h) == 1 ? NET_CAN_FAST_ZERO : 0) |
			  (nbd_can_meta_context(h, LIBNBD_CONTEXT_BASE_ALLOCATION) == 1 ? NET_CAN_MAP : 0);
	hello->slots = nbd_can_multi_conn(h) == 1 ? NET_SLOTS : 1;
	return 0;
}

static int client_prepare(const struct dict *opts, const char **paths, size_t *n, struct err *e)
{
	static const char *const keys[] = { "tls-certificates", "tls-psk-file", "path" };

	(void)e;
	nbd.opts = opts;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (helper_text(opts, keys[i]))
			paths[(*n)++] = helper_text(opts, keys[i]);
	if (helper_text(opts, "host"))
		helper_warm_names(helper_text(opts, "host"));
	return 0;
}

static int client_open(const struct dict *opts, struct net_hello *hello, void *data, struct err *e)
{
	int rc = connect_one(&nbd.slots[0], e);

	(void)opts;
	(void)data;
	if (rc == 0)
		rc = facts_of(nbd.slots[0], hello, e);
	nbd.size = hello->size;
	nbd.features = hello->features;
	return rc;
}

/* A further connection, to the same thing? */
static int connect_slot(unsigned slot, struct err *e)
{
	struct net_hello again = { 0 };
	int rc = connect_one(&nbd.slots[slot], e);

	if (rc == 0)
		rc = facts_of(nbd.slots[slot], &again, e);
	if (rc == 0 && (again.size != nbd.size || again.features != nbd.features))
		rc = err_set(e, ERR_CORRUPT, "the export has changed since it was opened");
	if (rc < 0) {
		nbd_close(nbd.slots[slot]);
		nbd.slots[slot] = NULL;
	}
	return rc;
}

/* ---- questions ---- */

/* Runs of the context, as libnbd tells them: pairs of a length and flags. */
static int on_extents(void *user, const char *context, uint64_t off, uint32_t *entries, size_t n, int *error)
{
	struct net_slot *answer = user;

	(void)off;
	if (*error || strcmp(context, LIBNBD_CONTEXT_BASE_ALLOCATION) != 0)
		return 0;
	for (size_t i = 0; i + 1 < n && answer->nextents < NET_EXTENTS; i += 2) {
		const uint32_t flags = entries[i + 1];

		answer->extents[answer->nextents++] = (struct net_extent){
			.len = entries[i],
			.flags = (flags & LIBNBD_STATE_HOLE ? NET_HOLE : 0u) | (flags & LIBNBD_STATE_ZERO ? NET_ZEROES : 0u),
		};
	}
	return 0;
}

static int client_ask(unsigned slot, const struct net_slot *q, struct net_slot *answer, void *data, struct err *e)
{
	const uint32_t zero_flags = (q->flags & NET_NO_HOLE ? LIBNBD_CMD_FLAG_NO_HOLE : 0) |
				    (q->flags & NET_FAST ? LIBNBD_CMD_FLAG_FAST_ZERO : 0);
	struct nbd_handle *h;
	int rc = nbd.slots[slot] ? 0 : connect_slot(slot, e);

	if (rc < 0)
		return rc;
	h = nbd.slots[slot];
	switch (q->op) {
	case NET_READ:
		rc = nbd_pread(h, data, (size_t)q->len, q->off, 0);
		break;
	case NET_WRITE:
		rc = nbd_pwrite(h, data, (size_t)q->len, q->off, 0);
		break;
	case NET_ZERO:
		rc = nbd_zero(h, q->len, q->off, zero_flags);
		break;
	case NET_TRIM:
		rc = nbd_trim(h, q->len, q->off, 0);
		break;
	case NET_FLUSH:
		rc = nbd_flush(h, 0);
		break;
	case NET_MAP:
		answer->nextents = 0;
		rc = nbd_block_status(h, q->len, q->off,
				      (nbd_extent_callback){ .callback = on_extents, .user_data = answer }, 0);
		break;
	default:
		return err_set(e, ERR_USAGE, "no such question");
	}
	if (rc == 0)
		return 0;
	rc = failed(e);
	if (q->op == NET_ZERO && (q->flags & NET_FAST) && e->sys_errno == EOPNOTSUPP)
		return err_set(e, ERR_UNSUPPORTED, "the server cannot do it fast");
	return rc;
}

/* Servers tell a client that says goodbye from one that was lost. */
static void client_close(void)
{
	for (unsigned i = 0; i < NET_SLOTS; i++)
		if (nbd.slots[i])
			(void)nbd_shutdown(nbd.slots[i], 0);
}

int main(void)
{
	static const struct helper helper = { client_prepare, client_open, client_ask, client_close };

	return helper_main(&helper);
}
