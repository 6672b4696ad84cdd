/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fact_loader.c - with what a guest boots: firmware by partitions and boot sectors, boot loaders by their files, in the
 * guest's tree and on EFI system partitions, mounted or not.
 */
#include "facts.h"

#include "alloc.h"
#include "text.h"

#include <fnmatch.h>
#include <stdio.h>
#include <strings.h>
#include <sys/stat.h>

/* ---- files of boot loaders ---- */

/* From the top of a place; of several rows of one loader in a place the first that is there counts. */
static const struct {
	const char *path, *name;
} loader_files[] = {
	{ "/boot/grub/grub.cfg", "grub2" },
	{ "/boot/grub2/grub.cfg", "grub2" },
	{ "/grub/grub.cfg", "grub2" },
	{ "/grub2/grub.cfg", "grub2" },
	{ "/boot/grub/menu.lst", "grub" },
	{ "/boot/grub/grub.conf", "grub" },
	{ "/boot/loader/loader.conf", "systemd-boot" },
	{ "/loader/loader.conf", "systemd-boot" },
	{ "/EFI/systemd/systemd-bootx64.efi", "systemd-boot" },
	{ "/EFI/systemd/systemd-bootaa64.efi", "systemd-boot" },
	{ "/boot/extlinux/extlinux.conf", "extlinux" },
	{ "/boot/extlinux.conf", "extlinux" },
	{ "/boot/syslinux/extlinux.conf", "extlinux" },
	{ "/extlinux/extlinux.conf", "extlinux" },
	{ "/extlinux.conf", "extlinux" },
	{ "/boot/syslinux/syslinux.cfg", "syslinux" },
	{ "/syslinux/syslinux.cfg", "syslinux" },
	{ "/syslinux.cfg", "syslinux" },
	{ "/isolinux/isolinux.cfg", "isolinux" },
	{ "/boot/isolinux/isolinux.cfg", "isolinux" },
	{ "/isolinux.cfg", "isolinux" },
	{ "/etc/lilo.conf", "lilo" },
	{ "/etc/elilo.conf", "elilo" },
	{ "/etc/zipl.conf", "zipl" },
	{ "/etc/yaboot.conf", "yaboot" },
	{ "/boot/boot.scr", "u-boot" },
	{ "/boot/uEnv.txt", "u-boot" },
	{ "/boot/u-boot.bin", "u-boot" },
	{ "/boot/firmware/u-boot.bin", "u-boot" },
	{ "/etc/default/u-boot", "u-boot" },
	{ "/boot.scr", "u-boot" },
	{ "/uEnv.txt", "u-boot" },
	{ "/u-boot.bin", "u-boot" },
	{ "/boot/bootcode.bin", "raspberrypi" },
	{ "/boot/start4.elf", "raspberrypi" },
	{ "/boot/firmware/bootcode.bin", "raspberrypi" },
	{ "/boot/firmware/start4.elf", "raspberrypi" },
	{ "/bootcode.bin", "raspberrypi" },
	{ "/start4.elf", "raspberrypi" },
	{ "/boot/limine.cfg", "limine" },
	{ "/boot/limine.conf", "limine" },
	{ "/limine.conf", "limine" },
	{ "/EFI/refind/refind.conf", "refind" },
	{ "/boot/loader", "freebsd-loader" },
	{ "/boot/loader.efi", "freebsd-loader" },
	{ "/EFI/freebsd/loader.efi", "freebsd-loader" },
	{ "/bootmgr", "bootmgr" },
	{ "/EFI/Microsoft/Boot/bootmgfw.efi", "bootmgr" },
	{ "/ntldr", "ntldr" },
};

/* Files in folders of EFI/, one folder for each who installs something there. */
static const struct {
	const char *pattern, *name;
} efi_files[] = {
	{ "shim*.efi", "shim" },	     { "grub*.efi", "grub2" }, { "systemd-boot*.efi", "systemd-boot" },
	{ "refind_*.efi", "refind" },	     { "elilo*.efi", "elilo" }, { "limine*.efi", "limine" },
	{ "boot*.efi", "efi-fallback" },
};

static bool has_loader(const struct facts *f, const char *name, const char *volume)
{
	for (size_t i = 0; i < f->nsigns; i++)
		if (f->signs[i].kind == SIGN_BOOT_LOADER && f->signs[i].volume == volume && strcmp(f->signs[i].name, name) == 0)
			return true;
	return false;
}

struct efi_call {
	const struct boot_place *p;
	struct facts *f;
	const char *folder;
};

static int on_efi_file(void *arg, const struct vfs_dirent *d, struct err *e)
{
	const struct efi_call *c = arg;

	for (size_t i = 0; i < ARRAY_LEN(efi_files); i++) {
		CLEANUP(free_ptr) char *path = NULL;

		if (fnmatch(efi_files[i].pattern, d->name, FNM_CASEFOLD) != 0 ||
		    has_loader(c->f, efi_files[i].name, c->p->volume))
			continue;
		/* The copy that firmware starts by itself is one of the others, in the folder BOOT. */
		if (strcmp(efi_files[i].name, "efi-fallback") == 0 && strcasecmp(strrchr(c->folder, '/') + 1, "BOOT") != 0)
			continue;
		path = alloc_printf("%s/%s", c->folder, d->name);
		if (!path)
			return err_nomem(e);
		return facts_sign(c->f, SIGN_BOOT_LOADER, efi_files[i].name, path, c->p->volume, NULL, e);
	}
	return 0;
}

static int on_efi_folder(void *arg, const struct vfs_dirent *d, struct err *e)
{
	const struct efi_call *above = arg;
	CLEANUP(free_ptr) char *path = alloc_printf("%s/%s", above->folder, d->name);
	struct efi_call c = { above->p, above->f, path };

	if (!path)
		return err_nomem(e);
	return facts_dir(above->f, above->p->v, path, on_efi_file, &c, e);
}

static int place_look(const struct facts_from *from, const struct boot_place *p, struct facts *f, struct err *e)
{
	CLEANUP(free_ptr) char *efi = alloc_printf("%s/EFI", p->prefix);
	struct efi_call c = { p, f, efi };
	int rc = efi ? 0 : err_nomem(e);

	for (size_t i = 0; i < ARRAY_LEN(loader_files) && rc == 0; i++) {
		CLEANUP(free_ptr) char *path = NULL;

		if (has_loader(f, loader_files[i].name, p->volume))
			continue;
		path = alloc_printf("%s%s", p->prefix, loader_files[i].path);
		if (!path)
			return err_nomem(e);
		rc = os_has(p->v, path, S_IFREG, e);
		if (rc > 0)
			rc = facts_sign(f, SIGN_BOOT_LOADER, loader_files[i].name, path, p->volume, NULL, e);
	}
	if (rc == 0)
		rc = facts_dir(f, p->v, efi, on_efi_folder, &c, e);
	return rc < 0 ? rc : facts_kernels(from, p, f, e);
}

/* ---- firmware ---- */

/* Types of GPT, in text order. */
static const uint8_t esp_type[16] = { 0xc1, 0x2a, 0x73, 0x28, 0xf8, 0x1f, 0x11, 0xd2,
				      0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b };
static const uint8_t bios_boot_type[16] = { 0x21, 0x68, 0x61, 0x48, 0x64, 0x49, 0x6e, 0x6f,
					    0x74, 0x4e, 0x65, 0x65, 0x64, 0x45, 0x46, 0x49 };
#define MBR_ESP 0xef

static bool is_type(const struct volume *v, const uint8_t type[16])
{
	return strcmp(v->scheme, "gpt") == 0 && memcmp(v->type_uuid, type, 16) == 0;
}

static bool is_esp(const struct volume *v)
{
	return is_type(v, esp_type) || (strcmp(v->scheme, "mbr") == 0 && v->mbr_type == MBR_ESP);
}

/* What is told in the code of a boot sector, where no file tells it: both GRUBs have the same word there. */
static const struct {
	const char *text, *name;
} boot_codes[] = {
	{ "LILO", "lilo" },
	{ "Missing operating system.\r\n", "syslinux" },
};

#define CODE_SIZE 440
/* Has the first sector of a disk code to start?  The firmware asks for the signature. */
static bool has_code(const uint8_t sector[512])
{
	if (sector[510] != 0x55 || sector[511] != 0xaa)
		return false;
	for (size_t i = 0; i < CODE_SIZE; i++)
		if (sector[i])
			return true;
	return false;
}

static int disk_look(struct block *disk, size_t nth, struct facts *f, struct err *e)
{
	uint8_t sector[512];
	struct err why = ERR_INIT;

	if (block_pread(disk, sector, sizeof sector, 0, &why) < 0)
		return why.code == ERR_NOMEM ? err_nomem(e) : 0;
	if (!has_code(sector))
		return 0;
	f->bios = true;
	for (size_t i = 0; i < ARRAY_LEN(boot_codes); i++) {
		char name[40];

		if (has_loader(f, boot_codes[i].name, NULL) ||
		    !memmem(sector, CODE_SIZE, boot_codes[i].text, strlen(boot_codes[i].text)))
			continue;
		snprintf(name, sizeof name, "disk %zu", nth);
		return facts_sign(f, SIGN_BOOT_LOADER, boot_codes[i].name, name, NULL, "boot sector", e);
	}
	return 0;
}

/* A volume that the guest has not mounted, in a tree of its own; what cannot be read is left. */
static int other_look(const struct facts_from *from, const struct content *it, struct facts *f, struct err *e)
{
	CLEANUP(fs_closep) struct fs *fs = NULL;
	struct boot_place p = { .prefix = "", .volume = it->vol->name };
	struct err why = ERR_INIT;
	struct vfs **others;
	int rc = content_open(from->c, it, &fs, &why);

	if (rc < 0)
		return rc == -ERR_NOMEM ? err_nomem(e) : sentence_add(&f->warnings, &f->nwarnings, e, "%s", why.msg);
	others = alloc_resize(f->others, f->nothers + 1, sizeof *others);
	if (!others)
		return err_nomem(e);
	f->others = others;
	rc = vfs_new(&p.v, e);
	if (rc < 0)
		return rc;
	others[f->nothers++] = p.v;
	rc = vfs_mount(p.v, fs, "/", e);
	if (rc < 0)
		return rc;
	fs = NULL;
	return place_look(from, &p, f, e);
}

static bool is_mounted(const struct guest *g, const struct content *it)
{
	for (size_t i = 0; i < g->nmounted; i++)
		if (g->mounted[i] == it)
			return true;
	return false;
}

static int volumes_look(const struct facts_from *from, struct facts *f, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; from->c && i < from->c->n && rc == 0; i++) {
		const struct content *it = &from->c->items[i];

		f->bios |= is_type(it->vol, bios_boot_type);
		if (!is_esp(it->vol))
			continue;
		f->uefi = true;
		if (it->id.readable && !is_mounted(from->g, it) && f->nothers < 8)
			rc = other_look(from, it, f, e);
	}
	for (size_t i = 0; i < from->ndisks && rc == 0; i++)
		rc = disk_look(from->disks[i], i, f, e);
	return rc;
}

/* Mounts in which firmware or a boot loader looks: those of the guest's own filesystem tables. */
static bool is_boot_mount(const char *path)
{
	static const char *const paths[] = { "/boot", "/boot/efi", "/boot/firmware", "/efi", "/esp" };

	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		if (strcmp(path, paths[i]) == 0)
			return true;
	return false;
}

int facts_boot(const struct facts_from *from, struct facts *f, struct err *e)
{
	struct boot_place p = { .v = from->g->vfs, .prefix = "" };
	int rc = place_look(from, &p, f, e);

	for (size_t i = 1; i < vfs_nmounts(from->g->vfs) && rc == 0; i++) {
		p.prefix = vfs_mount_info(from->g->vfs, i).path;
		if (is_boot_mount(p.prefix))
			rc = place_look(from, &p, f, e);
	}
	/* /boot/efi and the like where the whole system is one filesystem. */
	for (size_t i = 0; i < 2 && rc == 0; i++) {
		p.prefix = i ? "/efi" : "/boot/efi";
		rc = place_look(from, &p, f, e);
	}
	if (rc == 0)
		rc = volumes_look(from, f, e);
	return rc < 0 ? rc : facts_kernels_end(f, from->g->vfs, e);
}
