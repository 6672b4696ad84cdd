/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "untar_pax.h"

#include "alloc.h"
#include "limits.h"
#include "text.h"

static void clear(struct pax *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->items[i].key);
		free(p->items[i].value);
	}
	free(p->xattrs);
	p->xattrs = NULL;
	p->n = 0;
	p->bytes = 0;
}

void pax_free(struct pax *p)
{
	clear(p);
	free(p->items);
	*p = (struct pax){ .items = NULL };
}

static int add(struct pax *p, const char *key, size_t nkey, const char *value, size_t len, struct err *e)
{
	CLEANUP(free_ptr) char *k = alloc_strndup(key, nkey);
	CLEANUP(free_ptr) char *v = alloc_bytes(len + 1);

	if (!k || !v)
		return err_nomem(e);
	memcpy(v, value, len);
	v[len] = '\0';
	if (p->n == p->cap) {
		const size_t cap = p->cap ? 2 * p->cap : 8;
		struct pax_record *items = alloc_resize(p->items, cap, sizeof *items);

		if (!items)
			return err_nomem(e);
		p->items = items;
		p->cap = cap;
	}
	p->bytes += nkey + len;
	p->items[p->n++] = (struct pax_record){ take(k), take(v), len };
	return 0;
}

void pax_reset(struct pax *p, const struct pax *global)
{
	clear(p);
	/* Names and sizes of all members at once make no sense; what is left is owners and times. */
	for (size_t i = 0; i < global->n; i++) {
		const char *key = global->items[i].key;

		if (strcmp(key, "uid") == 0 || strcmp(key, "gid") == 0 || strcmp(key, "mtime") == 0)
			add(p, key, strlen(key), global->items[i].value, global->items[i].len, NULL);
	}
}

int pax_read(struct pax *p, const char *text, size_t len, struct err *e)
{
	const char *end = text + len;

	/* Each round takes at least three bytes. */
	while (text < end) {
		const char *digits = text, *equals, *value;
		size_t total = 0;
		int rc;

		for (; text < end && *text >= '0' && *text <= '9' && text - digits < 9; text++)
			total = total * 10 + (size_t)(*text - '0');
		if (text == digits && *text == '\0')
			return 0; /* filled up with zeros */
		if (text == digits || text == end || *text != ' ' || total > (size_t)(end - digits) ||
		    total < (size_t)(text - digits) + 3 || digits[total - 1] != '\n')
			return err_set(e, ERR_CORRUPT, "the archive has a bad pax record");
		text++;
		equals = memchr(text, '=', total - (size_t)(text - digits));
		if (!equals || equals == text || memchr(text, '\0', (size_t)(equals - text)))
			return err_set(e, ERR_CORRUPT, "the archive has a bad pax record");
		value = equals + 1;
		if (p->bytes + total > LIMIT_TAR_HEADER)
			return err_set(e, ERR_LIMIT, "pax records of more than %llu bytes in the archive", LIMIT_TAR_HEADER);
		rc = add(p, text, (size_t)(equals - text), value, total - 1 - (size_t)(value - digits), e);
		if (rc < 0)
			return rc;
		text = digits + total;
	}
	return 0;
}

static const struct pax_record *find(const struct pax *p, const char *key)
{
	for (size_t i = p->n; i-- > 0;)
		if (strcmp(p->items[i].key, key) == 0)
			return &p->items[i];
	return NULL;
}

const char *pax_get(const struct pax *p, const char *key)
{
	const struct pax_record *r = find(p, key);

	return r && r->len && strlen(r->value) == r->len ? r->value : NULL;
}

int pax_xattrs(struct pax *p, const struct tar_xattr **out, size_t *n, struct err *e)
{
	*n = 0;
	if (!p->n)
		return 0;
	free(p->xattrs);
	p->xattrs = alloc_array(p->n, sizeof *p->xattrs);
	if (!p->xattrs)
		return err_nomem(e);
	for (size_t i = 0; i < p->n; i++) {
		const struct pax_record *r = &p->items[i];
		const char *name;

		if (text_starts(r->key, "SCHILY.xattr.", &name) && *name)
			p->xattrs[(*n)++] = (struct tar_xattr){ name, r->value, r->len };
		else if (strcmp(r->key, "RHT.security.selinux") == 0)
			p->xattrs[(*n)++] = (struct tar_xattr){ "security.selinux", r->value, r->len };
	}
	*out = p->xattrs;
	return 0;
}

bool pax_time(const char *text, struct tar_time *out)
{
	const bool negative = *text == '-';
	uint64_t sec = 0;
	uint32_t nsec = 0, digit = 100000000;

	text += negative;
	if (*text < '0' || *text > '9')
		return false;
	for (; *text >= '0' && *text <= '9'; text++) {
		if (sec > INT64_MAX / 20)
			return false;
		sec = sec * 10 + (uint64_t)(*text - '0');
	}
	if (*text == '.')
		for (text++; *text >= '0' && *text <= '9'; text++, digit /= 10)
			nsec += digit * (uint32_t)(*text - '0');
	if (*text)
		return false;
	/* Nanoseconds count forwards, a decimal fraction away from zero. */
	out->sec = negative ? -(int64_t)sec - (nsec != 0) : (int64_t)sec;
	out->nsec = negative && nsec ? 1000000000 - nsec : nsec;
	return true;
}
