/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* luks_amend.c - adding and erasing passphrases, in an order that never leaves a disk without one. */
#include "luks.h"

#include "alloc.h"
#include "text.h"

#include <inttypes.h>

enum { LUKS_ITER_TIME = 2000 };

struct wish {
	bool active;
	const struct locked *new_secret, *old_secret; /* NULL: not given */
	bool has_slot, has_iter;
	unsigned slot, iter_ms;
};

static int take_secret(struct dict *opts, const char *key, const struct secrets *secrets, const struct locked **out,
		       struct err *e)
{
	CLEANUP(free_ptr) char *id = dict_take(opts, key);

	return id ? secrets_find_text(secrets, id, out, e) : 0;
}

/* 1 when the number was given. */
static int take_number(struct dict *opts, const char *key, uint64_t *out, struct err *e)
{
	CLEANUP(free_ptr) char *text = dict_take(opts, key);

	if (!text)
		return 0;
	if (!text_parse_u64(text, out) || *out > UINT32_MAX)
		return err_set(e, ERR_USAGE, "parameter '%s' does not accept value '%s'", key, text);
	return 1;
}

static int take_wish(struct dict *opts, const struct secrets *secrets, struct wish *w, struct err *e)
{
	CLEANUP(free_ptr) char *state = dict_take(opts, "state");
	uint64_t slot = 0, ms = LUKS_ITER_TIME;
	int rc;

	*w = (struct wish){ .active = false };
	if (!state)
		return err_set(e, ERR_USAGE, "parameter 'state' is missing");
	w->active = strcmp(state, "active") == 0;
	if (!w->active && strcmp(state, "inactive") != 0)
		return err_set(e, ERR_USAGE, "parameter 'state' does not accept value '%s'", state);
	if ((rc = take_number(opts, "keyslot", &slot, e)) < 0)
		return rc;
	w->has_slot = rc;
	if (slot >= LUKS_SLOTS)
		return err_set(e, ERR_USAGE, "invalid keyslot %" PRIu64 " specified, must be between 0 and %d", slot,
			       LUKS_SLOTS - 1);
	w->slot = (unsigned)slot;
	if ((rc = take_number(opts, "iter-time", &ms, e)) < 0)
		return rc;
	w->has_iter = rc;
	w->iter_ms = (unsigned)ms;
	if ((rc = take_secret(opts, "new-secret", secrets, &w->new_secret, e)) < 0 ||
	    (rc = take_secret(opts, "old-secret", secrets, &w->old_secret, e)) < 0)
		return rc;
	if (dict_first_key(opts))
		return err_set(e, ERR_USAGE, "invalid parameter '%s'", dict_first_key(opts));
	return 0;
}

static unsigned count_active(const struct luks *l)
{
	unsigned n = 0;

	for (unsigned i = 0; i < LUKS_SLOTS; i++)
		n += l->facts.slots[i].active;
	return n;
}

/* ---- adding ---- */

/* The first slot that is not active, LUKS_SLOTS when all are. */
static unsigned free_slot(const struct luks *l)
{
	unsigned i = 0;

	while (i < LUKS_SLOTS && l->facts.slots[i].active)
		i++;
	return i;
}

static int store(struct luks *l, unsigned slot, const struct wish *w, struct err *e)
{
	return luks_slot_store(l, slot, w->new_secret->p, w->new_secret->len, w->iter_ms, e);
}

/*
 * Replaces the passphrase of an active slot.  If it is the only one, the new passphrase first goes to another slot too
 * (all others are free then), until it is in its place.
 */
static int overwrite(struct luks *l, const struct wish *w, struct err *e)
{
	bool only = count_active(l) == 1;
	unsigned spare = only ? free_slot(l) : 0;
	int rc;

	if (only && (rc = store(l, spare, w, e)) < 0)
		return rc;
	if ((rc = luks_slot_erase(l, w->slot, e)) < 0 || (rc = store(l, w->slot, w, e)) < 0)
		return rc;
	return only ? luks_slot_erase(l, spare, e) : 0;
}

static int add(struct luks *l, const struct wish *w, bool force, struct err *e)
{
	unsigned slot = w->has_slot ? w->slot : free_slot(l);

	if (!w->new_secret)
		return err_set(e, ERR_USAGE, "'new-secret' is required to activate a keyslot");
	if (w->old_secret)
		return err_set(e, ERR_USAGE, "'old-secret' must not be given when activating keyslots");
	if (slot == LUKS_SLOTS)
		return err_set(e, ERR_USAGE, "can't add a keyslot - all keyslots are in use");
	if (!l->key.p)
		return err_set(e, ERR_USAGE,
			       "parameter 'key-secret' is required: a passphrase that opens the disk now");
	if (!l->facts.slots[slot].active)
		return store(l, slot, w, e);
	if (!force)
		return err_set(e, ERR_USAGE, "refusing to overwrite active keyslot %u - please erase it first", slot);
	return overwrite(l, w, e);
}

/* ---- erasing ---- */

static int erase_slot(struct luks *l, const struct wish *w, const bool *match, bool force, struct err *e)
{
	bool active = l->facts.slots[w->slot].active;

	if (match && !match[w->slot])
		return err_set(e, ERR_USAGE,
			       "given keyslot %u doesn't contain the given old password for erase operation", w->slot);
	if (!active && !force)
		return err_set(e, ERR_USAGE, "given keyslot %u is already erased (inactive)", w->slot);
	if (active && count_active(l) == 1 && !force)
		return err_set(e, ERR_USAGE,
			       "attempt to erase the only active keyslot %u which will erase all the data in the "
			       "image irreversibly - refusing operation",
			       w->slot);
	return luks_slot_erase(l, w->slot, e);
}

static int erase_matching(struct luks *l, const bool *match, bool force, struct err *e)
{
	unsigned n = 0;
	int rc;

	for (unsigned i = 0; i < LUKS_SLOTS; i++)
		n += match[i];
	if (n == 0)
		return err_set(e, ERR_USAGE, "no keyslots match given (old) password for erase operation");
	if (n == count_active(l) && !force)
		return err_set(e, ERR_USAGE,
			       "all the active keyslots match the (old) password that was given and erasing them "
			       "will erase all the data in the image irreversibly - refusing operation");
	for (unsigned i = 0; i < LUKS_SLOTS; i++)
		if (match[i] && (rc = luks_slot_erase(l, i, e)) < 0)
			return rc;
	return 0;
}

static int erase(struct luks *l, const struct wish *w, bool force, struct err *e)
{
	bool match[LUKS_SLOTS];
	int rc;

	if (w->new_secret)
		return err_set(e, ERR_USAGE, "'new-secret' must not be given when erasing keyslots");
	if (w->has_iter)
		return err_set(e, ERR_USAGE, "'iter-time' must not be given when erasing keyslots");
	if (w->old_secret && (rc = luks_match(l, w->old_secret->p, w->old_secret->len, match, e)) < 0)
		return rc;
	if (w->has_slot)
		return erase_slot(l, w, w->old_secret ? match : NULL, force, e);
	if (w->old_secret)
		return erase_matching(l, match, force, e);
	return err_set(e, ERR_USAGE,
		       "to erase keyslot(s), either explicit keyslot index or the password currently contained "
		       "in them must be given");
}

int luks_amend(struct luks *l, struct dict *opts, const struct secrets *secrets, bool force, struct err *e)
{
	struct wish w;
	int rc = take_wish(opts, secrets, &w, e);

	if (rc < 0)
		return rc;
	if (!l->io.write)
		return err_set(e, ERR_USAGE, "opened read-only");
	return w.active ? add(l, &w, force, e) : erase(l, &w, force, e);
}
