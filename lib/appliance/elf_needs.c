/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * elf_needs.c - the dynamic section of an ELF file, by the System V ABI and its supplement for x86-64.
 *
 * The file's header leads to a table of segments.  One of them (PT_DYNAMIC) is an array of tags and values, up to DT_NULL:
 * the address and size of a table of strings, and offsets in it.  Addresses become places in the file by the segments that
 * are loaded (PT_LOAD).
 */
#include "elf_needs.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"
#include "ondisk.h"

struct elf_header {
	uint8_t ident[16];
	le16 type, machine;
	le32 version;
	le64 entry, phoff, shoff;
	le32 flags;
	le16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_segment {
	le32 type, flags;
	le64 offset, vaddr, paddr, filesz, memsz, align;
};

struct elf_dyn {
	le64 tag, value;
};

enum { PT_LOAD = 1, PT_DYNAMIC = 2, PT_INTERP = 3 };
enum { DT_NULL = 0, DT_NEEDED = 1, DT_STRTAB = 5, DT_STRSZ = 10, DT_RPATH = 15, DT_RUNPATH = 29 };

struct elf {
	const uint8_t *bytes;
	size_t len;
	const struct elf_segment *segments; /* byte arrays: of any alignment */
	size_t nsegments;
	const char *strings;
	uint64_t strings_len;
};

static const struct elf_segment *segment_of(const struct elf *f, uint32_t type)
{
	for (size_t i = 0; i < f->nsegments; i++)
		if (le32_get(f->segments[i].type) == type)
			return &f->segments[i];
	return NULL;
}

/* The bytes of the file from that address on, at least len of them; NULL when no segment has them. */
static const uint8_t *at_address(const struct elf *f, uint64_t addr, uint64_t len)
{
	for (size_t i = 0; i < f->nsegments; i++) {
		const struct elf_segment *s = &f->segments[i];
		uint64_t from = le64_get(s->vaddr), off = le64_get(s->offset), size = le64_get(s->filesz);

		if (le32_get(s->type) != PT_LOAD || addr < from || !range_in(addr - from, len, size) ||
		    !range_in(off, size, f->len))
			continue;
		return f->bytes + off + (addr - from);
	}
	return NULL;
}

/* A string of the table; NULL when it does not end in it. */
static const char *string_at(const struct elf *f, uint64_t off)
{
	if (off >= f->strings_len || !memchr(f->strings + off, '\0', f->strings_len - off))
		return NULL;
	return f->strings + off;
}

static int read_segments(struct elf *f, const struct elf_header *h, struct err *e)
{
	uint64_t phoff = le64_get(h->phoff);

	f->nsegments = le16_get(h->phnum);
	if (f->nsegments > LIMIT_ELF_HEADERS)
		return err_set(e, ERR_LIMIT, "an ELF file of %zu segments", f->nsegments);
	if (f->nsegments && le16_get(h->phentsize) != sizeof(struct elf_segment))
		return err_set(e, ERR_CORRUPT, "an ELF file with segments of %u bytes", le16_get(h->phentsize));
	if (!range_in(phoff, f->nsegments * sizeof(struct elf_segment), f->len))
		return err_set(e, ERR_CORRUPT, "an ELF file whose table of segments lies past its end");
	f->segments = (const struct elf_segment *)(f->bytes + phoff);
	return 0;
}

static int read_interp(const struct elf *f, struct elf_needs *out, struct err *e)
{
	const struct elf_segment *s = segment_of(f, PT_INTERP);
	uint64_t off, size;

	if (!s)
		return 0;
	off = le64_get(s->offset);
	size = le64_get(s->filesz);
	if (!range_in(off, size, f->len) || size == 0 || size > LIMIT_PATH || f->bytes[off + size - 1] != '\0')
		return err_set(e, ERR_CORRUPT, "an ELF file whose loader's name lies past its end");
	out->interp = (const char *)f->bytes + off;
	return 0;
}

/* The value of a tag's first entry; false when there is none. */
static bool value_of(const struct elf_dyn *dyn, size_t n, uint64_t tag, uint64_t *value)
{
	for (size_t i = 0; i < n; i++) {
		if (le64_get(dyn[i].tag) == tag) {
			*value = le64_get(dyn[i].value);
			return true;
		}
	}
	return false;
}

static int read_names(struct elf *f, const struct elf_dyn *dyn, size_t n, struct elf_needs *out, struct err *e)
{
	uint64_t off;

	for (size_t i = 0; i < n; i++) {
		const char *name;

		if (le64_get(dyn[i].tag) != DT_NEEDED)
			continue;
		name = string_at(f, le64_get(dyn[i].value));
		if (!name)
			return err_set(e, ERR_CORRUPT, "an ELF file that needs a library whose name lies past its strings");
		if (out->nneeded == LIMIT_ELF_NEEDED)
			return err_set(e, ERR_LIMIT, "an ELF file that needs more than %d libraries", LIMIT_ELF_NEEDED);
		out->needed[out->nneeded++] = name;
	}
	if (value_of(dyn, n, DT_RUNPATH, &off) || value_of(dyn, n, DT_RPATH, &off)) {
		out->runpath = string_at(f, off);
		if (!out->runpath)
			return err_set(e, ERR_CORRUPT, "an ELF file whose path of libraries lies past its strings");
	}
	return 0;
}

static int read_dynamic(struct elf *f, struct elf_needs *out, struct err *e)
{
	const struct elf_segment *s = segment_of(f, PT_DYNAMIC);
	const struct elf_dyn *dyn;
	uint64_t off, size, addr, n = 0;

	if (!s)
		return 0; /* static */
	off = le64_get(s->offset);
	size = le64_get(s->filesz);
	if (!range_in(off, size, f->len))
		return err_set(e, ERR_CORRUPT, "an ELF file whose dynamic section lies past its end");
	dyn = (const struct elf_dyn *)(f->bytes + off);
	while (n < size / sizeof *dyn && le64_get(dyn[n].tag) != DT_NULL)
		n++;
	if (!value_of(dyn, n, DT_STRTAB, &addr) || !value_of(dyn, n, DT_STRSZ, &f->strings_len))
		return 0;
	f->strings = (const char *)at_address(f, addr, f->strings_len);
	if (!f->strings)
		return err_set(e, ERR_CORRUPT, "an ELF file whose strings are in no segment");
	return read_names(f, dyn, n, out, e);
}

int elf_needs_read(const void *bytes, size_t len, struct elf_needs *out, struct err *e)
{
	const struct elf_header *h = bytes;
	struct elf f = { .bytes = bytes, .len = len };
	int rc;

	*out = (struct elf_needs){ .needed = NULL };
	/* ELF, 64 bits, little endian, version 1. */
	if (len < sizeof *h || memcmp(h->ident, "\177ELF\2\1\1", 7) != 0)
		return 0;
	out->machine = le16_get(h->machine);
	out->needed = alloc_array(LIMIT_ELF_NEEDED, sizeof *out->needed);
	rc = out->needed ? read_segments(&f, h, e) : err_nomem(e);
	if (rc == 0)
		rc = read_interp(&f, out, e);
	if (rc == 0)
		rc = read_dynamic(&f, out, e);
	if (rc == 0)
		return 1;
	elf_needs_free(out);
	return rc;
}

void elf_needs_free(struct elf_needs *n)
{
	free(n->needed);
	*n = (struct elf_needs){ .needed = NULL };
}
