/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "probe.h"

#include "alloc.h"
#include "checked.h"

/* 1 when the magic is there, 0 when not or when the file is too short to hold it. */
static int magic_matches(struct block *file, const struct magic *m, struct err *e)
{
	uint64_t size = block_size(file), off;
	uint8_t got[32];
	int rc;

	if (m->len > sizeof got)
		return 0;
	if (m->offset >= 0)
		off = (uint64_t)m->offset;
	else if ((uint64_t)-m->offset <= size)
		off = size - (uint64_t)-m->offset;
	else
		return 0;
	if (!range_in(off, m->len, size))
		return 0;
	rc = block_pread(file, got, m->len, off, e);
	if (rc < 0)
		return rc;
	return memcmp(got, m->bytes, m->len) == 0;
}

static int driver_claims(struct block *file, const struct block_driver *drv, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(drv->magic) && drv->magic[i].len; i++) {
		int rc = magic_matches(file, &drv->magic[i], e);
		if (rc < 0)
			return rc;
		if (rc)
			return drv->probe ? drv->probe(file, e) : 1;
	}
	return 0;
}

int probe_format(struct block *file, const struct block_driver **out, struct err *e)
{
	*out = NULL;
	for (size_t i = 0; block_drivers[i]; i++) {
		int rc = driver_claims(file, block_drivers[i], e);
		if (rc < 0)
			return err_in(e, rc, "finding the format");
		if (!rc)
			continue;
		if (*out)
			return err_set(e, ERR_CORRUPT, "ambiguous: it could be %s or %s; give its format", (*out)->name,
				       block_drivers[i]->name);
		*out = block_drivers[i];
	}
	return 0;
}

const struct block_driver *probe_bytes(const void *head, size_t len)
{
	for (size_t i = 0; block_drivers[i]; i++) {
		const struct magic *m = block_drivers[i]->magic;
		for (size_t k = 0; k < ARRAY_LEN(block_drivers[i]->magic) && m[k].len; k++)
			if (m[k].offset >= 0 && range_in((uint64_t)m[k].offset, m[k].len, len) &&
			    memcmp((const char *)head + m[k].offset, m[k].bytes, m[k].len) == 0)
				return block_drivers[i];
	}
	return NULL;
}
