/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* serve.c - the section of drydock.h about serving disks: exports of images and volumes, and what another server has. */
#include "guest_api.h"
#include "image.h"

#include "checked.h"
#include "nbd_list.h"
#include "nbd_server.h"
#include "tls.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ---- TLS ---- */

struct dry_tls {
	struct tls_creds *creds;
};

void dry_tls_free(struct dry_tls *t)
{
	if (t)
		tls_creds_unref(t->creds);
	free(t);
}

static int tls_make(const struct dry_tls_how *how, struct tls_creds **out, struct err *e)
{
	struct tls_how inner = {
		.dir = how->dir,
		.client = how->client,
		.psk = how->psk,
		.username = how->username,
		.any_client = how->any_client,
		.allowed = how->allowed,
		.nallowed = how->nallowed,
	};
	CLEANUP(locked_free) struct locked copy = LOCKED_INIT;
	const struct locked *passphrase;
	int rc;

	if (how->passphrase) {
		rc = secrets_find_text(image_secrets(how->secrets), how->passphrase, &passphrase, e);
		if (rc < 0)
			return rc;
		if (!locked_alloc(&copy, passphrase->len + 1))
			return err_nomem(e);
		memcpy(copy.p, passphrase->p, passphrase->len);
		inner.passphrase = (const char *)copy.p;
	}
	return tls_creds_new(&inner, out, e);
}

int dry_tls_new(const struct dry_tls_how *how, struct dry_tls **out, struct dry_error *error)
{
	API_ERR(e, error);
	struct dry_tls *t = alloc_zero(sizeof *t);
	int rc = t ? tls_make(how, &t->creds, e) : err_nomem(e);

	if (rc < 0)
		dry_tls_free(t);
	else
		*out = t;
	return rc;
}

/* ---- exports ---- */

/* The node of the image's chain that has the bitmap. */
static int find_bitmap(struct block *b, const char *name, struct block **out, struct err *e)
{
	/* Ends: at the bottom of the chain. */
	for (; b; b = block_shows_through(b)) {
		struct block_bitmaps list = { NULL, 0 };
		bool inconsistent = false, found = false;

		if (block_bitmaps(b, &list, NULL) < 0)
			continue;
		for (size_t i = 0; i < list.n; i++) {
			if (strcmp(list.items[i].name, name) != 0)
				continue;
			found = true;
			inconsistent = list.items[i].inconsistent;
		}
		block_bitmaps_free(&list);
		if (inconsistent)
			return err_set(e, ERR_USAGE, "the bitmap \"%s\" is inconsistent: it can only be removed", name);
		if (found) {
			*out = b;
			return 0;
		}
	}
	return err_set(e, ERR_NOT_FOUND, "there is no bitmap \"%s\"", name);
}

/* All bitmaps of an export are those of one node. */
static int find_bitmaps(const struct dry_export *x, struct block *b, struct block **out, struct err *e)
{
	struct block *first = NULL;

	for (size_t i = 0; i < x->nbitmaps; i++) {
		struct block *of = NULL;
		int rc = find_bitmap(b, x->bitmaps[i], &of, e);

		if (rc < 0)
			return rc;
		if (first && of != first)
			return err_set(e, ERR_UNSUPPORTED, "the bitmaps \"%s\" and \"%s\" are in different images", x->bitmaps[0],
				       x->bitmaps[i]);
		first = of;
	}
	*out = first;
	return 0;
}

/* The disk or volume that an export shows a part of; lent. */
static int export_block(const struct dry_export *x, struct block **out, struct err *e)
{
	if (x->image) {
		*out = x->image->block;
		return 0;
	}
	if (guest_scan(x->guest, e) < 0)
		return -(int)e->code;
	if (x->volume >= x->guest->contents.n)
		return err_set(e, ERR_USAGE, "there is no volume number %zu", x->volume);
	*out = x->guest->contents.items[x->volume].vol->block;
	return *out ? 0 : err_set(e, ERR_UNSUPPORTED, "%s: what is in it cannot be read", x->guest->facts[x->volume].name);
}

/* to->block is a reference. */
static int make_export(const struct dry_export *x, struct nbd_export *to, struct err *e)
{
	struct block *whole;
	uint64_t size, end;
	int rc = export_block(x, &whole, e);

	if (rc < 0)
		return rc;
	*to = (struct nbd_export){ .name = x->name, .description = x->description, .writable = x->writable, .bitmaps = x->bitmaps,
				   .nbitmaps = x->nbitmaps, .depth_of = x->depth ? whole : NULL, .off = x->off };
	rc = find_bitmaps(x, whole, &to->bitmaps_of, e);
	if (rc < 0)
		return rc;
	if (x->off > block_size(whole))
		return err_set(e, ERR_USAGE, "%s: the offset lies past the end of the disk", block_name(whole));
	size = x->size ? x->size : block_size(whole) - x->off;
	if (!checked_add(x->off, size, &end) || end > block_size(whole))
		return err_set(e, ERR_USAGE, "%s: the part goes past the end of the disk", block_name(whole));
	if (x->off || size != block_size(whole))
		return block_window(whole, x->off, size, &to->block, e);
	to->block = block_ref(whole);
	return 0;
}

/* ---- the server ---- */

struct dry_server {
	struct nbd_server *nbd;
	int event;
	atomic_uint_fast64_t served;
	void (*note)(void *arg, const char *sentence);
	void *arg;
};

static void somebody_left(void *arg, bool served)
{
	struct dry_server *s = arg;

	if (served)
		atomic_fetch_add(&s->served, 1);
	(void)!eventfd_write(s->event, 1);
}

static void note(void *arg, const char *sentence)
{
	struct dry_server *s = arg;

	if (s->note)
		s->note(s->arg, sentence);
}

static int server_make(struct dry_server *s, const struct dry_server_how *how, struct err *e)
{
	struct nbd_export *exports = alloc_array(how->nexports + 1, sizeof *exports);
	const struct nbd_server_how inner = {
		.clients = how->clients,
		.handshake_seconds = how->handshake_seconds,
		.left = somebody_left,
		.note = note,
		.arg = s,
		.tls = how->tls ? how->tls->creds : NULL,
	};
	int rc = exports ? 0 : err_nomem(e);

	for (size_t i = 0; rc == 0 && i < how->nexports; i++)
		rc = make_export(&how->exports[i], &exports[i], e);
	if (rc == 0)
		rc = nbd_server_new(exports, how->nexports, &inner, &s->nbd, e);
	for (size_t i = 0; exports && i < how->nexports; i++)
		block_unref(exports[i].block);
	free(exports);
	return rc;
}

int dry_server_new(const struct dry_server_how *how, struct dry_server **out, struct dry_error *error)
{
	API_ERR(e, error);
	struct dry_server *s = alloc_zero(sizeof *s);
	int rc = 0;

	if (!s)
		return err_nomem(e);
	s->note = how->note;
	s->arg = how->arg;
	s->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->event < 0)
		rc = err_sys(e, errno, "no event can be made");
	if (rc == 0)
		rc = server_make(s, how, e);
	if (rc < 0) {
		close_fd(&s->event);
		free(s);
		return rc;
	}
	*out = s;
	return 0;
}

int dry_server_client(struct dry_server *s, int fd, struct dry_error *error)
{
	API_ERR(e, error);

	return nbd_server_client(s->nbd, fd, e);
}

int dry_server_fd(const struct dry_server *s)
{
	return s->event;
}

unsigned dry_server_clients(struct dry_server *s, uint64_t *served)
{
	eventfd_t times;
	unsigned n;

	/* In that order: who leaves from here on makes it readable again. */
	(void)!eventfd_read(s->event, &times);
	n = nbd_server_clients(s->nbd);
	if (served)
		*served = atomic_load(&s->served);
	return n;
}

int dry_server_stop(struct dry_server *s, struct dry_error *error)
{
	API_ERR(e, error);
	int rc;

	if (!s)
		return 0;
	rc = nbd_server_stop(s->nbd, e);
	close_fd(&s->event);
	free(s);
	return rc;
}

/* ---- what another server has ---- */

int dry_server_list(int fd, const struct dry_tls *tls, const char *hostname,
		    int (*told)(void *arg, const struct dry_remote_export *x, size_t nth, size_t total), void *arg,
		    struct dry_error *error)
{
	API_ERR(e, error);
	CLEANUP(nbd_listing_free) struct nbd_listing list = { NULL, 0 };
	int rc = nbd_list(fd, tls ? tls->creds : NULL, hostname, &list, e);

	for (size_t i = 0; rc == 0 && i < list.n; i++) {
		const struct nbd_listed *x = &list.items[i];
		const struct dry_remote_export out = {
			.name = x->name,
			.description = x->description,
			.known = x->known,
			.flags = x->flags,
			.size = x->size,
			.min_block = x->min_block,
			.opt_block = x->opt_block,
			.max_block = x->max_block,
			.contexts = (const char *const *)x->contexts,
			.ncontexts = x->ncontexts,
		};

		if (told(arg, &out, i, list.n))
			rc = err_set(e, ERR_CANCELED, "canceled");
	}
	return rc;
}
