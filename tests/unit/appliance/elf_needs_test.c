/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "elf_needs.h"

#include "testing.h"

#include <elf.h>
#include <stdbool.h>
#include <string.h>

/* A small file: header, three segments, a dynamic section, strings.  Tests change one thing of it. */
struct image {
	Elf64_Ehdr head;
	Elf64_Phdr load, dynamic, interp;
	Elf64_Dyn dyn[8];
	char strings[64];
	char loader[32];
};

static struct image good(void)
{
	struct image i = {
		.head = { .e_ident = "\177ELF\2\1\1", .e_type = ET_DYN, .e_machine = EM_X86_64, .e_version = 1,
			  .e_phoff = offsetof(struct image, load), .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 3 },
		.load = { .p_type = PT_LOAD, .p_offset = 0, .p_vaddr = 0x10000, .p_filesz = sizeof i },
		.dynamic = { .p_type = PT_DYNAMIC, .p_offset = offsetof(struct image, dyn), .p_filesz = sizeof i.dyn },
		.interp = { .p_type = PT_INTERP, .p_offset = offsetof(struct image, loader), .p_filesz = sizeof "/lib64/ld.so" },
		.dyn = { { DT_NEEDED, { 1 } },
			 { DT_NEEDED, { 11 } },
			 { DT_STRTAB, { 0x10000 + offsetof(struct image, strings) } },
			 { DT_STRSZ, { sizeof i.strings } },
			 { DT_RUNPATH, { 21 } },
			 { DT_NULL, { 0 } },
			 /* Behind the end: not looked at. */
			 { DT_NEEDED, { 0xffffffff } } },
		.strings = "\0libc.so.6\0libm.so.6\0$ORIGIN/lib",
		.loader = "/lib64/ld.so",
	};

	return i;
}

#define READ(image) elf_needs_read(&(image), sizeof(image), &n, &e)

START_TEST(the_libraries_the_path_and_the_loader_are_read)
{
	struct image i = good();
	struct elf_needs n;
	struct err e = ERR_INIT;

	ck_assert_int_eq(READ(i), 1);
	ck_assert_uint_eq(n.nneeded, 2);
	ck_assert_str_eq(n.needed[0], "libc.so.6");
	ck_assert_str_eq(n.needed[1], "libm.so.6");
	ck_assert_str_eq(n.runpath, "$ORIGIN/lib");
	ck_assert_str_eq(n.interp, "/lib64/ld.so");
	ck_assert_uint_eq(n.machine, EM_X86_64);
	elf_needs_free(&n);
}
END_TEST

START_TEST(this_program_needs_libc)
{
	struct elf_needs n;
	struct err e = ERR_INIT;
	FILE *f = fopen("/proc/self/exe", "r");
	static char bytes[8 << 20];
	size_t len = fread(bytes, 1, sizeof bytes, f);
	bool libc = false;

	fclose(f);
	ck_assert_int_eq(elf_needs_read(bytes, len, &n, &e), 1);
	for (size_t i = 0; i < n.nneeded; i++)
		libc |= strncmp(n.needed[i], "libc.", 5) == 0;
	ck_assert(libc);
	elf_needs_free(&n);
}
END_TEST

START_TEST(what_is_no_such_file_needs_nothing)
{
	struct image i = good();
	struct elf_needs n;
	struct err e = ERR_INIT;

	ck_assert_int_eq(elf_needs_read("#!/bin/sh\n", 10, &n, &e), 0);
	ck_assert_int_eq(elf_needs_read(&i, 20, &n, &e), 0);
	i.head.e_ident[EI_CLASS] = ELFCLASS32;
	ck_assert_int_eq(READ(i), 0);
}
END_TEST

START_TEST(a_static_program_needs_nothing)
{
	struct image i = good();
	struct elf_needs n;
	struct err e = ERR_INIT;

	i.head.e_phnum = 1;
	ck_assert_int_eq(READ(i), 1);
	ck_assert_uint_eq(n.nneeded, 0);
	elf_needs_free(&n);
}
END_TEST

/* One lie a row: the bytes at that place, and what is said of it. */
START_TEST(a_file_that_lies_is_refused)
{
#define LIE(field, v) { offsetof(struct image, field), sizeof ((struct image *)0)->field, v }
	static const struct {
		size_t off, size;
		uint64_t value;
	} lies[] = {
		LIE(head.e_phoff, sizeof(struct image)),
		LIE(head.e_phoff, ~0ULL),
		LIE(head.e_phnum, 2000),
		LIE(head.e_phentsize, 1),
		LIE(dynamic.p_offset, ~0ULL - 8),
		LIE(dynamic.p_filesz, ~0ULL),
		LIE(interp.p_offset, ~0ULL),
		LIE(interp.p_filesz, 3), /* not up to its NUL */
		LIE(interp.p_filesz, 0),
		LIE(load.p_offset, ~0ULL - 4),
		LIE(load.p_filesz, 16),
		LIE(dyn[0].d_un.d_val, 64),
		LIE(dyn[0].d_un.d_val, ~0ULL),
		LIE(dyn[2].d_un.d_ptr, 1),
		LIE(dyn[3].d_un.d_val, ~0ULL),
		LIE(dyn[4].d_un.d_val, 1000),
	};

	for (size_t l = 0; l < sizeof lies / sizeof *lies; l++) {
		struct image i = good();
		struct elf_needs n;
		struct err e = ERR_INIT;

		memcpy((char *)&i + lies[l].off, &lies[l].value, lies[l].size);
		ck_assert_msg(READ(i) < 0, "lie %zu was believed", l);
		ck_assert_ptr_null(n.needed);
	}
}
END_TEST

START_TEST(a_string_that_does_not_end_is_refused)
{
	struct image i = good();
	struct elf_needs n;
	struct err e = ERR_INIT;

	memset(i.strings, 'x', sizeof i.strings);
	fails(READ(i), ERR_CORRUPT);
}
END_TEST

START_TEST(more_libraries_than_anybody_needs_are_refused)
{
	static struct {
		struct image i;
		Elf64_Dyn many[400];
	} f;
	struct elf_needs n;
	struct err e = ERR_INIT;

	f.i = good();
	for (size_t k = 0; k < 400; k++)
		f.many[k] = (Elf64_Dyn){ DT_NEEDED, { 1 } };
	f.many[390] = f.i.dyn[2];
	f.many[391] = f.i.dyn[3];
	f.i.dynamic.p_offset = sizeof f.i;
	f.i.dynamic.p_filesz = sizeof f.many;
	fails(READ(f), ERR_LIMIT);
}
END_TEST

TEST_MAIN("elf_needs", the_libraries_the_path_and_the_loader_are_read, this_program_needs_libc, what_is_no_such_file_needs_nothing,
	  a_static_program_needs_nothing, a_file_that_lies_is_refused, a_string_that_does_not_end_is_refused,
	  more_libraries_than_anybody_needs_are_refused)
