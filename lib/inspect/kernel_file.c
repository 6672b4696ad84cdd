/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kernel_file.c - kernels by their headers: the boot protocol of x86 ("The Linux/x86 Boot Protocol"), images of arm, arm64 and
 * RISC-V, U-Boot's old header, unified kernel images (PE with a section .linux), ELF; and initrds by magic numbers.
 */
#include "kernel_file.h"

#include "alloc.h"
#include "limits.h"
#include "ondisk.h"
#include "os.h"

#include <ctype.h>

static uint16_t get16(const uint8_t *p)
{
	le16 v;

	memcpy(&v, p, sizeof v);
	return le16_get(v);
}

static uint32_t get32(const uint8_t *p)
{
	le32 v;

	memcpy(&v, p, sizeof v);
	return le32_get(v);
}

/* The first word of a text in an image, when it looks like a version. */
static void version_take(struct kernel_facts *out, const uint8_t *p, size_t len)
{
	size_t n = 0;

	while (n < len && n + 1 < sizeof out->version && isgraph(p[n]))
		n++;
	if (n == 0 || !isdigit(p[0]))
		return;
	memcpy(out->version, p, n);
	out->version[n] = '\0';
}

/* ---- kinds of kernels: each looks at the head of a file, and says whether that is one ---- */

static bool is_x86(const uint8_t *p, size_t len, struct kernel_facts *out)
{
	uint16_t protocol;
	size_t version;

	if (len < 0x240 || get16(p + 0x1fe) != 0xaa55 || memcmp(p + 0x202, "HdrS", 4) != 0)
		return false;
	protocol = get16(p + 0x206);
	version = get16(p + 0x20e) ? get16(p + 0x20e) + 0x200u : 0;
	out->format = p[0x211] & 1 ? "bzImage" : "zImage";
	out->arch = protocol >= 0x20c && p[0x236] & 1 ? "x86_64" : "i386";
	if (protocol >= 0x200 && version && version < len)
		version_take(out, p + version, len - version);
	return true;
}

/*
 * A unified kernel image ("UAPI.5"): PE with sections .linux, .initrd, .uname ...  Where the section of that name lies in the
 * file: its offset, and *size; 0 when there is none in what was read of the file.
 */
static uint32_t pe_section(const uint8_t *p, size_t len, const char name[8], uint32_t *size)
{
	size_t pe, sections, count;

	if (len < 0x40 || memcmp(p, "MZ", 2) != 0)
		return 0;
	pe = get32(p + 0x3c);
	if (pe > len || len - pe < 24 || memcmp(p + pe, "PE\0\0", 4) != 0)
		return 0;
	count = get16(p + pe + 6);
	sections = pe + 24 + get16(p + pe + 20);
	for (size_t i = 0; i < count && sections + (i + 1) * 40 <= len; i++) {
		const uint8_t *s = p + sections + i * 40;

		if (memcmp(s, name, 8) != 0)
			continue;
		*size = get32(s + 8);
		return get32(s + 20);
	}
	return 0;
}

static bool is_uki(const uint8_t *p, size_t len, struct kernel_facts *out)
{
	uint32_t size;

	if (!pe_section(p, len, ".linux\0", &size))
		return false;
	out->format = "uki";
	out->arch = os_program_arch(p, len);
	return true;
}

/* Its version lies far behind its head. */
static int uki_version(const struct vfs_node *n, const uint8_t *p, size_t len, struct kernel_facts *out, struct err *e)
{
	uint8_t text[sizeof out->version];
	uint32_t size, off = pe_section(p, len, ".uname\0", &size);
	size_t got;
	int rc = off ? fs_pread(n->fs, n->ino, text, MIN_OF((size_t)size, sizeof text), off, &got, e) : 0;

	if (off && rc == 0)
		version_take(out, text, got);
	return rc;
}

static bool is_zboot(const uint8_t *p, size_t len, struct kernel_facts *out)
{
	if (len < 0x40 || memcmp(p, "MZ", 2) != 0 || memcmp(p + 4, "zimg", 4) != 0)
		return false;
	out->format = "zboot";
	out->arch = os_program_arch(p, len);
	return true;
}

static bool is_uimage(const uint8_t *p, size_t len, struct kernel_facts *out)
{
	static const struct {
		uint8_t number;
		const char *arch;
	} archs[] = { { 2, "arm" }, { 3, "i386" }, { 5, "mips" }, { 7, "ppc" }, { 22, "aarch64" }, { 24, "x86_64" },
		      { 26, "riscv64" } };

	if (len < 64 || memcmp(p, "\x27\x05\x19\x56", 4) != 0)
		return false;
	out->format = "uImage";
	for (size_t i = 0; i < ARRAY_LEN(archs); i++)
		if (archs[i].number == p[29])
			out->arch = archs[i].arch;
	/* Its name is mostly "Linux-5.10.4". */
	if (memcmp(p + 32, "Linux-", 6) == 0)
		version_take(out, p + 38, 26);
	return true;
}

static bool is_elf(const uint8_t *p, size_t len, struct kernel_facts *out)
{
	if (len < 20 || memcmp(p, "\177ELF", 4) != 0)
		return false;
	out->format = "elf";
	out->arch = os_program_arch(p, len);
	return true;
}

/* Those that a few bytes tell; from the narrower to the wider. */
static const struct {
	size_t off, len;
	const char *magic, *format, *arch;
} magics[] = {
	{ 0x38, 4, "ARM\x64", "Image", "aarch64" },
	{ 0x38, 4, "RSC\x05", "Image", "riscv64" },
	{ 0x24, 4, "\x18\x28\x6f\x01", "zImage", "arm" },
	{ 0, 4, "\xd0\x0d\xfe\xed", "fit", NULL },
	{ 0, 2, "\x1f\x8b", "gzip", NULL },
};

static bool is_magic(const uint8_t *p, size_t len, struct kernel_facts *out)
{
	for (size_t i = 0; i < ARRAY_LEN(magics); i++) {
		if (magics[i].off + magics[i].len > len || memcmp(p + magics[i].off, magics[i].magic, magics[i].len) != 0)
			continue;
		out->format = magics[i].format;
		out->arch = magics[i].arch;
		return true;
	}
	return false;
}

int kernel_file_look(const struct vfs_node *n, struct kernel_facts *out, struct err *e)
{
	static bool (*const kinds[])(const uint8_t *p, size_t len, struct kernel_facts *out) = {
		is_uki, is_x86, is_zboot, is_magic, is_uimage, is_elf
	};
	CLEANUP(free_ptr) uint8_t *head = alloc_bytes(LIMIT_KERNEL_HEAD);
	size_t got = 0;
	int rc;

	memset(out, 0, sizeof *out);
	if (!head)
		return err_nomem(e);
	rc = fs_pread(n->fs, n->ino, head, LIMIT_KERNEL_HEAD, 0, &got, e);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (kinds[i](head, got, out))
			return kinds[i] == is_uki ? uki_version(n, head, got, out, e) : 0;
	/* The kernel of s390 has its mark behind the 64 KiB that its old loaders need. */
	rc = fs_pread(n->fs, n->ino, head, 6, 0x10008, &got, e);
	if (rc == 0 && got == 6 && memcmp(head, "S390EP", 6) == 0) {
		out->format = "Image";
		out->arch = "s390x";
	}
	return rc;
}

/* ---- initrds ---- */

static const struct {
	size_t len;
	const char *magic, *name;
} packers[] = {
	{ 2, "\x1f\x8b", "gzip" },
	{ 3, "BZh", "bzip2" },
	{ 6, "\xfd" "7zXZ\0", "xz" },
	{ 3, "\x5d\0\0", "lzma" },
	{ 4, "\x02\x21\x4c\x18", "lz4" },
	{ 4, "\x04\x22\x4d\x18", "lz4" },
	{ 4, "\x28\xb5\x2f\xfd", "zstd" },
	{ 4, "\x89LZO", "lzo" },
};

/* Eight digits of a cpio header; false when they are none. */
static bool hex8(const uint8_t *p, uint32_t *out)
{
	*out = 0;
	for (int i = 0; i < 8; i++) {
		if (!isxdigit(p[i]))
			return false;
		*out = *out << 4 | (uint32_t)(isdigit(p[i]) ? p[i] - '0' : (p[i] | 0x20) - 'a' + 10);
	}
	return true;
}

#define CPIO_HEAD 110
/* The archive at off (cpio(5), "New ASCII"): where it ends, or off where it is too long to be microcode. */
static int cpio_end(const struct vfs_node *n, uint64_t off, uint64_t *end, struct err *e)
{
	uint64_t at = off;

	*end = off;
	for (int i = 0; i < LIMIT_INITRD_EARLY; i++) {
		uint8_t head[CPIO_HEAD + 10];
		uint32_t size, name;
		size_t got;
		int rc = fs_pread(n->fs, n->ino, head, sizeof head, at, &got, e);

		if (rc < 0)
			return rc;
		if (got < sizeof head || memcmp(head, "07070", 5) != 0 || !hex8(head + 54, &size) || !hex8(head + 94, &name))
			return 0;
		at += ((uint64_t)CPIO_HEAD + name + 3) / 4 * 4;
		at += ((uint64_t)size + 3) / 4 * 4;
		if (name == 11 && memcmp(head + CPIO_HEAD, "TRAILER!!!", 10) == 0) {
			*end = at;
			return 0;
		}
	}
	return 0;
}

int initrd_file_look(const struct vfs_node *n, const char **out, struct err *e)
{
	uint64_t off = 0;

	*out = NULL;
	/* Each turn goes on to what is not zero, or behind an archive, of which there are two or three. */
	for (int i = 0; i < LIMIT_INITRD_EARLY; i++) {
		uint8_t head[512];
		uint64_t end;
		size_t got, at = 0;
		int rc = fs_pread(n->fs, n->ino, head, sizeof head, off, &got, e);

		if (rc < 0)
			return rc;
		/* Between archives there are zeros, up to the end of a block of 512 bytes. */
		while (at < got && !head[at])
			at++;
		off += at;
		if (at && got == sizeof head)
			continue;
		if (got - at < 6)
			return 0;
		if (memcmp(head + at, "07070", 5) != 0) {
			for (size_t k = 0; k < ARRAY_LEN(packers); k++)
				if (memcmp(head + at, packers[k].magic, packers[k].len) == 0)
					*out = packers[k].name;
			return 0;
		}
		*out = "none";
		rc = cpio_end(n, off, &end, e);
		if (rc < 0 || end == off)
			return rc;
		off = end;
	}
	return 0;
}
