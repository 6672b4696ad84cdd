/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "modinfo.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"
#include "ondisk.h"
#include "text.h"

struct elf_header {
	uint8_t ident[16];
	le16 type, machine;
	le32 version;
	le64 entry, phoff, shoff;
	le32 flags;
	le16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_section {
	le32 name, type;
	le64 flags, addr, offset, size;
	le32 link, info;
	le64 align, entsize;
};

void modinfo_text_free(struct modinfo_text *t)
{
	strbuf_free(&t->dep);
	strbuf_free(&t->softdep);
	strbuf_free(&t->alias);
}

static int no_module(const char *path, struct err *e)
{
	return err_set(e, ERR_CORRUPT, "%s is no kernel module, or damaged", path);
}

/* The bytes of a section; NULL when they lie past the end. */
static const char *section_bytes(const uint8_t *bytes, size_t len, const struct elf_section *s, uint64_t *size)
{
	*size = le64_get(s->size);
	return range_in(le64_get(s->offset), *size, len) ? (const char *)bytes + le64_get(s->offset) : NULL;
}

/* 1, or 0 where there is none. */
static int find_section(const uint8_t *bytes, size_t len, const char *want, const char **out, uint64_t *size)
{
	const struct elf_header *h = (const struct elf_header *)bytes;
	const struct elf_section *list;
	uint64_t n, names_size, off;
	const char *names;

	if (len < sizeof *h || memcmp(h->ident, "\177ELF\2\1\1", 7) != 0)
		return 0;
	n = le16_get(h->shnum);
	off = le64_get(h->shoff);
	if (le16_get(h->shentsize) != sizeof *list || le16_get(h->shstrndx) >= n || !range_in(off, n * sizeof *list, len))
		return 0;
	list = (const struct elf_section *)(bytes + off);
	names = section_bytes(bytes, len, &list[le16_get(h->shstrndx)], &names_size);
	for (uint64_t i = 0; names && i < n; i++) {
		uint64_t name = le32_get(list[i].name);

		if (range_in(name, strlen(want) + 1, names_size) && memcmp(names + name, want, strlen(want) + 1) == 0)
			return (*out = section_bytes(bytes, len, &list[i], size)) != NULL;
	}
	return 0;
}

/* A value that is one line: nothing of a module may begin another. */
static bool is_line(const char *value)
{
	return !strchr(value, '\n');
}

/* "libcrc32c,xor": each as a file, as depmod writes it. */
static void add_needs(struct strbuf *dep, const char *names)
{
	while (*names) {
		size_t len = strcspn(names, ",");

		strbuf_putc(dep, ' ');
		strbuf_add(dep, names, len);
		strbuf_puts(dep, ".ko");
		names += len + (names[len] == ',');
	}
}

int modinfo_add(struct modinfo_text *t, const char *path, const void *bytes, size_t len, struct err *e)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	const int name_len = (int)strcspn(base, ".");
	const char *info, *value;
	uint64_t size;

	if (!find_section(bytes, len, ".modinfo", &info, &size) || (size && info[size - 1] != '\0'))
		return no_module(path, e);
	if (strchr(path, '\n') || strchr(path, ':'))
		return no_module(path, e);
	strbuf_printf(&t->dep, "%s:", path);
	/* Ends: each text moves on by its NUL at least, and the last byte is one. */
	for (const char *at = info; at < info + size; at += strlen(at) + 1) {
		if (!is_line(at))
			continue;
		if (text_starts(at, "depends=", &value))
			add_needs(&t->dep, value);
		else if (text_starts(at, "softdep=", &value))
			strbuf_printf(&t->softdep, "softdep %.*s %s\n", name_len, base, value);
		else if (text_starts(at, "alias=", &value))
			strbuf_printf(&t->alias, "alias %s %.*s\n", value, name_len, base);
	}
	strbuf_putc(&t->dep, '\n');
	return t->dep.failed || t->softdep.failed || t->alias.failed ? err_nomem(e) : 0;
}
