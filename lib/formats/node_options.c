// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * node_options.c - what can be asked of any node, whatever its driver: to be read-only, how it is cached, what becomes
 * of discards and of zeros that are written.
 *
 * The names are those of QEMU's block options.  A node hands its caching and sharing down to those beneath it.
 */
#include "block_driver.h"

#include "alloc.h"
#include "text.h"

#include <stdio.h>

enum { NAME_MAX_LEN = 31 };

int block_take_word(struct dict *opts, const char *key, const char *const words[], unsigned *out, struct err *e)
{
	CLEANUP(free_ptr) char *value = dict_take(opts, key);

	if (!value)
		return 0;
	for (unsigned i = 0; words[i]; i++) {
		if (strcmp(words[i], value) == 0) {
			*out = i;
			return 0;
		}
	}
	return err_set(e, ERR_USAGE, "option \"%s\": invalid value \"%s\"", key, value);
}

/* One flag of many, which may be switched on or off. */
static int take_flag(struct dict *opts, const char *key, unsigned flag, unsigned *flags, struct err *e)
{
	bool on = *flags & flag;
	int rc = dict_take_bool(opts, key, &on, e);

	*flags = on ? *flags | flag : *flags & ~flag;
	return rc;
}

/* A name is judged, and then no more than that: no option refers to a node by its name here. */
static int take_name(struct dict *opts, struct err *e)
{
	CLEANUP(free_ptr) char *name = dict_take(opts, "node-name");

	if (!name)
		return 0;
	if (!text_is_identifier(name))
		return err_set(e, ERR_USAGE, "option \"node-name\": \"%s\" is no name for a node", name);
	if (strlen(name) > NAME_MAX_LEN)
		return err_set(e, ERR_USAGE, "option \"node-name\": longer than %d letters", NAME_MAX_LEN);
	return 0;
}

static int take_discard(struct dict *opts, unsigned *flags, struct err *e)
{
	static const char *const discards[] = { "ignore", "off", "unmap", "on", NULL };
	static const char *const detects[] = { "off", "on", "unmap", NULL };
	unsigned discard = 2, detect = 0;
	int rc = block_take_word(opts, "discard", discards, &discard, e);

	if (rc == 0)
		rc = block_take_word(opts, "detect-zeroes", detects, &detect, e);
	if (rc < 0)
		return rc;
	if (discard < 2)
		*flags |= BLOCK_NO_DISCARD;
	if (detect)
		*flags |= detect == 2 ? BLOCK_DETECT_ZEROES | BLOCK_DETECT_UNMAP : BLOCK_DETECT_ZEROES;
	if (detect == 2 && discard < 2)
		return err_set(e, ERR_USAGE, "option \"detect-zeroes\": to unmap them needs \"discard\" = \"unmap\"");
	return 0;
}

int block_take_node_options(struct dict *opts, unsigned *flags, struct err *e)
{
	bool read_only = false, automatic = false;
	int rc;

	if ((rc = take_name(opts, e)) < 0 || (rc = dict_take_bool(opts, "read-only", &read_only, e)) < 0 ||
	    /* Would open for reading what cannot be written to: who asks to write is then refused here or there. */
	    (rc = dict_take_bool(opts, "auto-read-only", &automatic, e)) < 0 ||
	    (rc = take_flag(opts, "cache.direct", BLOCK_DIRECT, flags, e)) < 0 ||
	    (rc = take_flag(opts, "cache.no-flush", BLOCK_UNSAFE, flags, e)) < 0 ||
	    (rc = take_flag(opts, "force-share", BLOCK_FORCE_SHARE, flags, e)) < 0 ||
	    (rc = take_discard(opts, flags, e)) < 0)
		return rc;
	if ((*flags & BLOCK_WRITE) && read_only)
		return err_set(e, ERR_USAGE, "option \"read-only\": a node that is to be written to");
	if ((*flags & BLOCK_WRITE) && (*flags & BLOCK_FORCE_SHARE))
		return err_set(e, ERR_USAGE, "option \"force-share\": only for what is read");
	return 0;
}
