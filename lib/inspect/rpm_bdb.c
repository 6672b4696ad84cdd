/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rpm_bdb.c - Packages of older systems: a hash of Berkeley DB, whose pages are read one after the other, since every
 * package is wanted.
 *
 * Page 0 tells the size of pages.  A hash page has a head of 26 bytes and places of items, which fill it from its end; they
 * come in pairs of key and value.  A large value lies in a chain of overflow pages.  Integers are in the order of the machine
 * that wrote them, which the magic number shows.
 */
#include "rpm.h"

#include "alloc.h"
#include "checked.h"
#include "guest_file.h"
#include "limits.h"
#include "ondisk.h"

#include <inttypes.h>

#define HASH_MAGIC 0x00061561u
#define PAGE_HEAD 26
enum { PAGE_HASH_UNSORTED = 2, PAGE_OVERFLOW = 7, PAGE_HASH_META = 8, PAGE_HASH = 13 };
enum { ITEM_HERE = 1, ITEM_ELSEWHERE = 3 };
/* Of an item that lies elsewhere: type, three bytes, page, length. */
#define ITEM_ELSEWHERE_SIZE 12

struct bdb {
	struct guest_file f;
	bool big_endian;
	uint32_t page_size, npages;
	uint8_t *page, *overflow; /* a page each */
	uint64_t nread;		  /* overflow pages so far: an honest file needs each once */
};

static void bdb_free(struct bdb *b)
{
	free(b->page);
	free(b->overflow);
}

static uint32_t get32(const struct bdb *b, const uint8_t *p)
{
	be32 be;
	le32 le;

	memcpy(&be, p, sizeof be);
	memcpy(&le, p, sizeof le);
	return b->big_endian ? be32_get(be) : le32_get(le);
}

static unsigned get16(const struct bdb *b, const uint8_t *p)
{
	return b->big_endian ? (unsigned)p[0] << 8 | p[1] : (unsigned)p[1] << 8 | p[0];
}

static int bdb_open(struct bdb *b, struct err *e)
{
	uint8_t meta[72];
	int rc = guest_file_read(&b->f, meta, sizeof meta, 0, e);

	if (rc < 0)
		return rc;
	if (get32(b, meta + 12) != HASH_MAGIC) {
		b->big_endian = true;
		if (get32(b, meta + 12) != HASH_MAGIC)
			return err_set(e, ERR_CORRUPT, "it is no hash of Berkeley DB");
	}
	b->page_size = get32(b, meta + 20);
	b->npages = get32(b, meta + 32);
	if (!is_pow2(b->page_size) || b->page_size < 512 || b->page_size > 65536 || meta[25] != PAGE_HASH_META)
		return err_set(e, ERR_CORRUPT, "pages of %" PRIu32 " bytes, the first of type %u", b->page_size, meta[25]);
	if (meta[24] != 0)
		return err_set(e, ERR_UNSUPPORTED, "the database is encrypted");
	/* The last page's number; where the file is shorter, what there is counts. */
	b->npages = (uint32_t)MIN_OF((uint64_t)b->npages + 1, b->f.size / b->page_size);
	b->page = alloc_bytes(b->page_size);
	b->overflow = alloc_bytes(b->page_size);
	return b->page && b->overflow ? 0 : err_nomem(e);
}

static int page_read(const struct bdb *b, uint32_t n, uint8_t *page, struct err *e)
{
	return guest_file_read(&b->f, page, b->page_size, (uint64_t)n * b->page_size, e);
}

/* The value that begins in overflow page n.  It ends: each page must bring bytes, of a length that is limited. */
static int overflow_give(struct bdb *b, uint32_t n, uint32_t len, rpm_header_fn fn, void *arg, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *bytes = NULL;
	uint32_t have = 0;

	if (len > LIMIT_RPM_HEADER)
		return err_set(e, ERR_LIMIT, "a header of %" PRIu32 " bytes", len);
	if (len > b->f.size)
		return err_set(e, ERR_CORRUPT, "a header of %" PRIu32 " bytes in a smaller file", len);
	bytes = alloc_bytes(len + 1);
	if (!bytes)
		return err_nomem(e);
	while (have < len) {
		uint32_t here;
		int rc;

		if (n == 0 || n >= b->npages || b->nread++ >= b->npages)
			return err_set(e, ERR_CORRUPT, "a header whose chain of pages is broken at page %" PRIu32, n);
		rc = page_read(b, n, b->overflow, e);
		if (rc < 0)
			return rc;
		here = get16(b, b->overflow + 22);
		if (b->overflow[25] != PAGE_OVERFLOW || here == 0 || here > b->page_size - PAGE_HEAD || here > len - have)
			return err_set(e, ERR_CORRUPT, "page %" PRIu32 " does not go on with a header", n);
		memcpy(bytes + have, b->overflow + PAGE_HEAD, here);
		have += here;
		n = get32(b, b->overflow + 16);
	}
	return fn(arg, bytes, len, e);
}

/* The values of a hash page. */
static int hash_page_give(struct bdb *b, rpm_header_fn fn, void *arg, struct err *e)
{
	unsigned n = get16(b, b->page + 20);

	if (n > (b->page_size - PAGE_HEAD) / 2)
		return err_set(e, ERR_CORRUPT, "a page of %u items", n);
	for (unsigned i = 1; i < n; i += 2) {
		unsigned key = get16(b, b->page + PAGE_HEAD + (size_t)(i - 1) * 2);
		unsigned at = get16(b, b->page + PAGE_HEAD + (size_t)i * 2);
		const uint8_t *item = b->page + at;
		int rc = 0;

		/* A value ends where its key begins. */
		if (at >= key || key >= b->page_size || at < PAGE_HEAD)
			return err_set(e, ERR_CORRUPT, "an item at byte %u of a page, before one at %u", at, key);
		if (*item == ITEM_ELSEWHERE && key - at >= ITEM_ELSEWHERE_SIZE)
			rc = overflow_give(b, get32(b, item + 4), get32(b, item + 8), fn, arg, e);
		else if (*item == ITEM_HERE && key - at > 1 + 8) /* smaller is the count of packages */
			rc = fn(arg, item + 1, key - at - 1, e);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int rpm_bdb_walk(struct vfs *v, const char *path, rpm_header_fn fn, void *arg, struct err *e)
{
	CLEANUP(bdb_free) struct bdb b = { .page = NULL };
	int rc = guest_file_find(v, path, &b.f, e);

	if (rc <= 0)
		return rc;
	rc = bdb_open(&b, e);
	for (uint32_t n = 1; rc == 0 && n < b.npages; n++) {
		rc = page_read(&b, n, b.page, e);
		if (rc == 0 && (b.page[25] == PAGE_HASH || b.page[25] == PAGE_HASH_UNSORTED))
			rc = hash_page_give(&b, fn, arg, e);
	}
	return rc;
}
