/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest_pages.c - a table of pages in which a page has one place; what comes later takes it. */
#include "guest_pages.h"

#include "alloc.h"
#include "checked.h"

#define PAGE_SIZE (16u * 1024)
#define PAGES 256u

struct page {
	bool used;
	unsigned id;
	uint64_t number;
	size_t len; /* less than a page at the end of the file */
	uint8_t *bytes;
};

struct guest_pages {
	struct page pages[PAGES];
};

int guest_pages_new(struct guest_pages **out, struct err *e)
{
	*out = alloc_zero(sizeof **out);
	return *out ? 0 : err_nomem(e);
}

void guest_pages_free(struct guest_pages *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < PAGES; i++)
		free(p->pages[i].bytes);
	free(p);
}

static int page_get(struct guest_pages *p, const struct guest_file *f, unsigned id, uint64_t number, struct page **out,
		    struct err *e)
{
	struct page *page = &p->pages[(number + id * 7u) % PAGES];
	size_t len = (size_t)MIN_OF((uint64_t)PAGE_SIZE, f->size - number * PAGE_SIZE);
	int rc;

	*out = page;
	if (page->used && page->id == id && page->number == number)
		return 0;
	page->used = false;
	if (!page->bytes)
		page->bytes = alloc_bytes(PAGE_SIZE);
	if (!page->bytes)
		return err_nomem(e);
	rc = guest_file_read(f, page->bytes, len, number * PAGE_SIZE, e);
	if (rc < 0)
		return rc;
	*page = (struct page){ .used = true, .id = id, .number = number, .len = len, .bytes = page->bytes };
	return 0;
}

int guest_pages_read(struct guest_pages *p, const struct guest_file *f, unsigned id, void *buf, size_t len, uint64_t off,
		     struct err *e)
{
	uint8_t *to = buf;

	if (!range_in(off, len, f->size))
		return err_set(e, ERR_CORRUPT, "it ends inside a record");
	/* Much at once would only push out what is wanted again. */
	if (len > PAGE_SIZE)
		return guest_file_read(f, buf, len, off, e);
	while (len) {
		size_t at = (size_t)(off % PAGE_SIZE), n;
		struct page *page;
		int rc = page_get(p, f, id, off / PAGE_SIZE, &page, e);

		if (rc < 0)
			return rc;
		n = MIN_OF(len, page->len - at);
		memcpy(to, page->bytes + at, n);
		to += n;
		off += n;
		len -= n;
	}
	return 0;
}
