/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* host.c - what the host can do, by the public names. */
#include "api.h"
#include "host_check.h"

struct dry_host {
	struct host_check check;
};

int dry_host_new(struct dry_host **out, struct dry_error *error)
{
	API_ERR(e, error);
	struct dry_host *h = alloc_zero(sizeof *h);

	if (!h)
		return err_nomem(e);
	host_check(&h->check);
	*out = h;
	return 0;
}

void dry_host_free(struct dry_host *h)
{
	free(h);
}

bool dry_host_fact_at(const struct dry_host *h, size_t i, struct dry_host_fact *out)
{
	static const char *const states[] = { "good", "poor", "missing" };
	const struct host_fact *f = &h->check.facts[i];

	if (i >= h->check.n)
		return false;
	*out = (struct dry_host_fact){ f->name, states[f->state], f->text, f->install[0] ? f->install : NULL };
	return true;
}

bool dry_host_appliance(const struct dry_host *h)
{
	return h->check.appliance;
}
