/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* os_arch.c - the processor that a guest is for, from the header of one of its programs: ELF, or PE of Windows. */
#include "os.h"

#include "alloc.h"
#include "ondisk.h"

#include <sys/stat.h>

static const struct {
	uint16_t machine;
	uint8_t class; /* 1: 32 bits, 2: 64 bits, 0: either */
	const char *arch, *little; /* little: where it has another name in that order */
} elf[] = {
	{ 3, 0, "i386", NULL },	     { 62, 0, "x86_64", NULL },	      { 183, 0, "aarch64", NULL }, { 40, 0, "arm", NULL },
	{ 20, 0, "ppc", NULL },	     { 21, 0, "ppc64", "ppc64le" },   { 22, 1, "s390", NULL },	   { 22, 2, "s390x", NULL },
	{ 243, 1, "riscv32", NULL }, { 243, 2, "riscv64", NULL },     { 50, 0, "ia64", NULL },	   { 2, 0, "sparc", NULL },
	{ 43, 0, "sparc64", NULL },  { 258, 2, "loongarch64", NULL }, { 258, 1, "loongarch32", NULL },
	{ 8, 1, "mips", "mipsel" },  { 8, 2, "mips64", "mips64el" },
};

static const struct {
	uint16_t machine;
	const char *arch;
} pe[] = {
	{ 0x014c, "i386" },   { 0x8664, "x86_64" },  { 0xaa64, "aarch64" }, { 0x01c4, "arm" },	       { 0x01c2, "arm" },
	{ 0x0200, "ia64" }, { 0x5032, "riscv32" }, { 0x5064, "riscv64" }, { 0x6264, "loongarch64" },
};

static const char *elf_arch(const uint8_t *h, size_t len)
{
	uint16_t machine;

	if (len < 20 || memcmp(h, "\177ELF", 4) != 0)
		return NULL;
	machine = h[5] == 2 ? (uint16_t)(h[18] << 8 | h[19]) : (uint16_t)(h[19] << 8 | h[18]);
	for (size_t i = 0; i < ARRAY_LEN(elf); i++)
		if (elf[i].machine == machine && (elf[i].class == 0 || elf[i].class == h[4]))
			return elf[i].little && h[5] == 1 ? elf[i].little : elf[i].arch;
	return NULL;
}

static const char *pe_arch(const uint8_t *h, size_t len)
{
	le32 off;
	le16 machine;

	if (len < 64 || memcmp(h, "MZ", 2) != 0)
		return NULL;
	memcpy(&off, h + 60, sizeof off);
	if (le32_get(off) > len - 6 || memcmp(h + le32_get(off), "PE\0\0", 4) != 0)
		return NULL;
	memcpy(&machine, h + le32_get(off) + 4, sizeof machine);
	for (size_t i = 0; i < ARRAY_LEN(pe); i++)
		if (pe[i].machine == le16_get(machine))
			return pe[i].arch;
	return NULL;
}

const char *os_program_arch(const void *head, size_t len)
{
	const char *arch = elf_arch(head, len);

	return arch ? arch : pe_arch(head, len);
}

int os_arch(struct vfs *v, struct os *o, struct err *e)
{
	static const char *const programs[] = { "/bin/bash", "/bin/ls", "/bin/echo", "/bin/rm", "/bin/sh", "/bin/busybox",
						"/usr/bin/bash", "/usr/bin/env", "/sbin/init", "/usr/lib/systemd/systemd",
						"/Windows/System32/cmd.exe", "/WINNT/system32/cmd.exe" };

	(void)e;
	for (size_t i = 0; i < ARRAY_LEN(programs) && !o->arch; i++) {
		uint8_t head[1024];
		struct vfs_node n;
		struct fs_stat st;
		size_t got;

		if (vfs_lookup(v, programs[i], true, &n, NULL) < 0 || fs_stat(n.fs, n.ino, &st, NULL) < 0 ||
		    !S_ISREG(st.mode) || fs_pread(n.fs, n.ino, head, sizeof head, 0, &got, NULL) < 0)
			continue;
		o->arch = os_program_arch(head, got);
	}
	return 0;
}
