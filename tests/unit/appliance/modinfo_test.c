/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "modinfo.h"

#include "alloc.h"
#include "testing.h"

#include <elf.h>
#include <string.h>

struct image {
	Elf64_Ehdr head;
	Elf64_Shdr sections[3];
	char names[32];
	char info[96];
};

static struct image good(void)
{
	return (struct image){
		.head = { .e_ident = "\177ELF\2\1\1", .e_type = ET_REL, .e_shoff = offsetof(struct image, sections),
			  .e_shentsize = sizeof(Elf64_Shdr), .e_shnum = 3, .e_shstrndx = 1 },
		.sections = { { .sh_name = 0 },
			      { .sh_name = 1, .sh_offset = offsetof(struct image, names), .sh_size = 32 },
			      { .sh_name = 11, .sh_offset = offsetof(struct image, info), .sh_size = 96 } },
		.names = "\0.shstrtab\0.modinfo",
		.info = "license=GPL\0depends=libcrc32c,xor\0softdep=pre: crc32c\0alias=fs-xfs\0alias=a\nsoftdep b",
	};
}

START_TEST(its_lines_are_those_of_depmod)
{
	CLEANUP(modinfo_text_free) struct modinfo_text t = MODINFO_TEXT_INIT;
	struct image i = good();
	struct err e = ERR_INIT;

	ok(modinfo_add(&t, "kernel/fs/xfs/xfs.ko.xz", &i, sizeof i, &e));
	ck_assert_str_eq(t.dep.s, "kernel/fs/xfs/xfs.ko.xz: libcrc32c.ko xor.ko\n");
	ck_assert_str_eq(t.softdep.s, "softdep xfs pre: crc32c\n");
	/* What would be two lines is none. */
	ck_assert_str_eq(t.alias.s, "alias fs-xfs xfs\n");
}
END_TEST

START_TEST(a_file_that_lies_is_refused)
{
	struct err e = ERR_INIT;

	for (int lie = 0; lie < 8; lie++) {
		CLEANUP(modinfo_text_free) struct modinfo_text t = MODINFO_TEXT_INIT;
		struct image i = good();

		switch (lie) {
		case 0: i.head.e_shoff = ~0ULL; break;
		case 1: i.head.e_shnum = 60000; break;
		case 2: i.head.e_shstrndx = 3; break;
		case 3: i.sections[1].sh_size = ~0ULL; break;
		case 4: i.sections[2].sh_offset = ~0ULL - 3; break;
		case 5: i.sections[2].sh_size = 4; break; /* not up to a NUL */
		case 6: i.sections[2].sh_name = ~0U; break;
		case 7: i.head.e_ident[EI_CLASS] = ELFCLASS32; break;
		}
		fails(modinfo_add(&t, "kernel/x.ko", &i, sizeof i, &e), ERR_CORRUPT);
	}
}
END_TEST

TEST_MAIN("modinfo", its_lines_are_those_of_depmod, a_file_that_lies_is_refused)
