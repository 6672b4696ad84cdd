/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client_window.c - the window for bulk data, of which the agent is told when it is first needed.
 *
 * What lies in a slot may change at any time, whatever the agent has said: it is copied once, and nothing is concluded from it.
 */
#include "client_internal.h"

#include <stdio.h>

void client_set_window(struct client *c, const char *device, uint64_t off, uint8_t *bytes)
{
	c->window = (struct client_window){ .bytes = bytes, .off = off };
	snprintf(c->window.device, sizeof c->window.device, "%s", device);
}

uint8_t *window_slot(struct client *c, size_t number)
{
	return c->window.bytes + number * LIMIT_PROTO_SLOT;
}

int window_ready(struct client *c, struct err *e)
{
	struct err why = ERR_INIT;
	struct proto_out *o;

	if (!c->window.bytes || c->window.told)
		return c->window.bytes != NULL;
	o = client_begin(c);
	proto_put_str(o, c->window.device);
	proto_put_u64(o, c->window.off);
	proto_put_u32(o, LIMIT_PROTO_SLOT);
	proto_put_u16(o, LIMIT_PROTO_SLOTS);
	c->window.told = client_tell(c, PROTO_WINDOW, &why) == 0;
	if (c->lost)
		return client_lose(c, e, "lost");
	/* An agent that cannot open it is as useful as one without. */
	if (!c->window.told)
		c->window.bytes = NULL;
	return c->window.told;
}
