/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels.h"

#include "alloc.h"
#include "limits.h"
#include "modinfo.h"
#include "text.h"


/*
 * A module behind "!" is what the purpose is about: a kernel without it does not serve it.  The others are loaded if they are
 * there: what is asked for by a name that depends on what is mounted (character sets, algorithms), which neither modules.dep nor
 * modules.softdep can tell.
 */
#define CIPHERS "crc32c_generic ecb cbc ctr xts lrw essiv hmac aesni_intel sha1_generic sha256_ssse3 sha256_generic sha512_ssse3 " \
		"sha512_generic rmd160 wp512 serpent_generic twofish_generic authenc af_alg algif_hash algif_skcipher "
static const struct {
	const char *name, *modules;
} purposes[] = {
	/* The first is what is in the initramfs: the channel to the agent, and the disk with the tools. */
	{ "boot", "virtio_mmio virtio_pci virtio_console virtio_blk crc32c_generic !ext4" },
	{ "net", "virtio_mmio virtio_pci !virtio_net af_packet" },
	{ "loop", "!loop" },
	{ "fs-fuse", "!fuse" },
	{ "fs-overlay", "!overlay" },
	{ "fs-ext4", "crc32c_generic !ext4" },
	{ "fs-xfs", "crc32c_generic !xfs" },
	{ "fs-btrfs", "crc32c_generic xxhash_generic sha256_generic blake2b_generic !btrfs" },
	{ "fs-vfat", "nls_cp437 nls_iso8859_1 nls_ascii nls_utf8 !vfat" },
	{ "fs-exfat", "nls_utf8 !exfat" },
	{ "fs-ntfs3", "nls_utf8 !ntfs3" },
	{ "fs-iso9660", "nls_iso8859_1 nls_utf8 !isofs" },
	{ "fs-udf", "nls_iso8859_1 nls_utf8 !udf" },
	{ "fs-squashfs", "!squashfs" },
	{ "fs-erofs", "!erofs" },
	{ "fs-f2fs", "crc32_generic nls_utf8 !f2fs" },
	{ "fs-hfs", "nls_cp437 nls_iso8859_1 nls_utf8 !hfs" },
	{ "fs-hfsplus", "nls_utf8 !hfsplus" },
	{ "fs-jfs", "nls_utf8 !jfs" },
	{ "fs-reiserfs", "!reiserfs" },
	{ "fs-nilfs2", "!nilfs2" },
	{ "fs-minix", "!minix" },
	{ "fs-sysv", "!sysv" },
	{ "fs-ufs", "!ufs" },
	{ "fs-romfs", "!romfs" },
	{ "fs-cramfs", "!cramfs" },
	{ "fs-affs", "!affs" },
	{ "fs-bfs", "!bfs" },
	{ "fs-qnx4", "!qnx4" },
	{ "fs-qnx6", "!qnx6" },
	{ "fs-bcachefs", "!bcachefs" },
	/* What logical volumes are made of, but for RAID, whose modules take their time. */
	{ "lvm", "crc32c_generic !dm_mod dm_snapshot dm_mirror dm_thin_pool dm_cache dm_cache_smq dm_writecache dm_zero" },
	{ "lvm-raid", "crc32c_generic raid0 raid1 raid10 raid456 !dm_raid" },
	{ "luks", CIPHERS "!dm_crypt" },
	{ "integrity", "crc32c_generic hmac sha256_generic !dm_integrity" },
	{ "verity", "sha256_generic !dm_verity" },
	{ "md", "crc32c_generic linear raid0 !raid1 raid10 raid456" },
	{ "bcache", "!bcache" },
};

/* ---- purposes ---- */

static int order_purpose(struct kernel *k, const char *name, const char *words, struct err *e)
{
	CLEANUP(module_order_free) struct module_order order = { .list = NULL };
	bool serves = true;

	while (*words) {
		bool must = *words == '!';
		size_t len = strcspn(words, " ");
		CLEANUP(free_ptr) char *word = alloc_strndup(words + must, len - must);
		int found = word ? modules_order(&k->modules, word, &order, e) : err_nomem(e);

		if (found < 0)
			return err_in(e, found, "%s", k->folder);
		serves = serves && (found || !must);
		words += len + strspn(words + len, " ");
	}
	if (!serves)
		return k->npurposes ? 0 : err_set(e, ERR_UNSUPPORTED, "%s has no ext4, on which the tools are", k->folder);
	k->purposes[k->npurposes++] = (struct purpose_modules){ name, order };
	order.list = NULL;
	return 0;
}

static int add_to_all(struct kernel *k, const struct module_order *order, struct err *e)
{
	for (size_t i = 0; i < order->n; i++) {
		const struct module **more;
		size_t at = 0;

		while (at < k->all.n && k->all.list[at] != order->list[i])
			at++;
		if (at < k->all.n)
			continue;
		more = alloc_resize(k->all.list, k->all.n + 1, sizeof *more);
		if (!more)
			return err_nomem(e);
		k->all.list = more;
		k->all.list[k->all.n++] = order->list[i];
	}
	return 0;
}

static int order_all(struct kernel *k, struct err *e)
{
	int rc = 0;

	k->purposes = alloc_array(ARRAY_LEN(purposes), sizeof *k->purposes);
	if (!k->purposes)
		return err_nomem(e);
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(purposes); i++)
		rc = order_purpose(k, purposes[i].name, purposes[i].modules, e);
	for (size_t i = 0; rc == 0 && i < k->npurposes; i++) {
		rc = add_to_all(k, &k->purposes[i].order, e);
		k->nboot = i ? k->nboot : k->all.n;
	}
	return rc;
}

bool kernel_can(const struct kernel *k, const char *purpose)
{
	for (size_t i = 0; i < k->npurposes; i++)
		if (strcmp(k->purposes[i].name, purpose) == 0)
			return true;
	return false;
}

/* ---- the files of depmod ---- */

/* *out NULL when there is none. */
static int read_text(const struct sources *s, const char *folder, const char *name, char **out, struct err *e)
{
	CLEANUP(free_ptr) char *path = alloc_printf("%s/%s", folder, name);
	CLEANUP(source_file_close) struct source_file f = SOURCE_FILE_NONE;
	size_t len;
	void *text;
	int rc;

	*out = NULL;
	if (!path)
		return err_nomem(e);
	rc = sources_open(s, path, &f, e);
	if (rc <= 0)
		return rc;
	rc = source_file_read(&f, path, LIMIT_MODULES_TEXT, false, &text, &len, e);
	if (rc == 0)
		*out = text;
	return rc;
}

/* ---- without depmod ---- */

/* Modules are some six folders deep. */
enum { MODULE_FOLDERS = 16 };

static int scan_module(const struct sources *s, const struct kernel *k, const char *file, struct modinfo_text *t, struct err *e)
{
	CLEANUP(free_ptr) char *path = alloc_printf("%s/%s", k->folder, file);
	CLEANUP(source_file_close) struct source_file f = SOURCE_FILE_NONE;
	CLEANUP(free_ptr) void *bytes = NULL;
	size_t len;
	int rc = path ? sources_open(s, path, &f, e) : err_nomem(e);

	if (rc <= 0)
		return rc;
	rc = source_file_read(&f, path, LIMIT_KERNEL_MODULE, true, &bytes, &len, e);
	return rc < 0 ? rc : modinfo_add(t, file, bytes, len, e);
}

static int scan_folder(const struct sources *s, const struct kernel *k, const char *folder, unsigned depth, struct modinfo_text *t,
		       struct err *e)
{
	CLEANUP(free_ptr) char *path = alloc_printf("%s/%s", k->folder, folder);
	CLEANUP(source_names_free) struct source_names names = { .names = NULL };
	int rc = path ? sources_list(s, path, &names, e) : err_nomem(e);

	if (depth == MODULE_FOLDERS)
		return err_set(e, ERR_LIMIT, "%s: folders in each other, more than %d deep", k->folder, MODULE_FOLDERS);
	for (size_t i = 0; rc == 0 && i < names.n; i++) {
		CLEANUP(free_ptr) char *file = alloc_printf("%s/%s", folder, names.names[i]);

		if (!file)
			rc = err_nomem(e);
		else if (strstr(names.names[i], ".ko"))
			rc = scan_module(s, k, file, t, e);
		else if (!strchr(names.names[i], '.'))
			rc = scan_folder(s, k, file, depth + 1, t, e);
	}
	return rc;
}

/* 1, or 0 where the folder is none of modules.  A kernel that was installed has depmod's files; one that was unpacked has none. */
static int read_modules(const struct sources *s, struct kernel *k, struct err *e)
{
	CLEANUP(modinfo_text_free) struct modinfo_text scanned = MODINFO_TEXT_INIT;
	CLEANUP(free_ptr) char *dep = NULL;
	CLEANUP(free_ptr) char *softdep = NULL;
	CLEANUP(free_ptr) char *alias = NULL;
	CLEANUP(free_ptr) char *builtin = NULL;
	int rc = read_text(s, k->folder, "modules.dep", &dep, e);

	if (rc == 0)
		rc = read_text(s, k->folder, "modules.softdep", &softdep, e);
	if (rc == 0)
		rc = read_text(s, k->folder, "modules.alias", &alias, e);
	if (rc == 0)
		rc = read_text(s, k->folder, "modules.builtin", &builtin, e);
	if (rc == 0 && !dep)
		rc = scan_folder(s, k, "kernel", 0, &scanned, e);
	if (rc < 0 || (!dep && !scanned.dep.len))
		return rc;
	if (dep)
		rc = modules_parse(&k->modules, dep, softdep, alias, builtin, e);
	else
		rc = modules_parse(&k->modules, scanned.dep.s, scanned.softdep.s, scanned.alias.s, builtin, e);
	if (rc < 0)
		return err_in(e, rc, "%s", k->folder);
	rc = order_all(k, e);
	return rc < 0 ? rc : 1;
}

/* ---- finding ---- */

/* 1 when that kernel may be read and has modules; takes path and folder. */
static int try_kernel(const struct sources *s, struct kernel *k, char *path, const char *release, char *folder, struct err *e)
{
	CLEANUP(source_file_close) struct source_file f = SOURCE_FILE_NONE;
	int rc;

	k->path = path;
	k->folder = folder;
	k->release = alloc_strdup(release);
	if (!path || !folder || !k->release)
		return err_nomem(e);
	rc = sources_open(s, path, &f, e);
	if (rc <= 0)
		return rc;
	return read_modules(s, k, e);
}

static bool is_cloud(const char *name)
{
	return strstr(name, "cloud") || strstr(name, "kvm") || strstr(name, "virt");
}

/* Better ones first. */
static int by_merit(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;

	if (is_cloud(x) != is_cloud(y))
		return is_cloud(x) ? -1 : 1;
	return strverscmp(y, x);
}

/* Kernels of a PC lie in /boot, or beside their modules. */
static int find_pc(const struct sources *s, struct kernel *k, struct err *e)
{
	static const char *const folders[] = { "/lib/modules", "/usr/lib/modules" };

	for (size_t f = 0; f < ARRAY_LEN(folders); f++) {
		CLEANUP(source_names_free) struct source_names releases = { .names = NULL };
		int rc = sources_list(s, folders[f], &releases, e);

		if (releases.n)
			qsort(releases.names, releases.n, sizeof *releases.names, by_merit);
		for (size_t i = 0; rc == 0 && i < 2 * releases.n; i++) {
			const char *release = releases.names[i / 2];

			kernel_free(k);
			k->kind = KERNEL_PC;
			rc = try_kernel(s, k,
					i % 2 ? alloc_printf("%s/%s/vmlinuz", folders[f], release)
					      : alloc_printf("/boot/vmlinuz-%s", release),
					release, alloc_printf("%s/%s", folders[f], release), e);
		}
		if (rc)
			return rc;
	}
	return 0;
}

/* The program tells nobody its release: the newest folder of modules is the one that was installed with it. */
static int find_uml(const struct sources *s, const char *path, struct kernel *k, struct err *e)
{
	static const char *const folders[] = { "/usr/lib/uml/modules", "/lib/modules" };

	for (size_t f = 0; f < ARRAY_LEN(folders); f++) {
		CLEANUP(source_names_free) struct source_names releases = { .names = NULL };
		int rc = sources_list(s, folders[f], &releases, e);

		if (releases.n)
			qsort(releases.names, releases.n, sizeof *releases.names, by_merit);
		for (size_t i = 0; rc == 0 && i < releases.n; i++) {
			if (f && !strstr(releases.names[i], "um"))
				continue;
			kernel_free(k);
			k->kind = KERNEL_UML;
			rc = try_kernel(s, k, alloc_strdup(path ? path : "/usr/bin/linux.uml"), releases.names[i],
					alloc_printf("%s/%s", folders[f], releases.names[i]), e);
		}
		if (rc)
			return rc;
	}
	return 0;
}

/* /boot/vmlinuz-RELEASE, given by the user. */
static int find_given(const struct sources *s, const char *path, struct kernel *k, struct err *e)
{
	const char *slash = strrchr(path, '/'), *release;
	int rc;

	if (!text_starts(slash ? slash + 1 : path, "vmlinuz-", &release))
		return err_set(e, ERR_USAGE, "%s: the file of a kernel is called vmlinuz-RELEASE", path);
	k->kind = KERNEL_PC;
	rc = try_kernel(s, k, alloc_strdup(path), release, alloc_printf("/lib/modules/%s", release), e);
	if (rc == 0)
		return err_set(e, ERR_NOT_FOUND, "%s cannot be read, or /lib/modules/%s is not there", path, release);
	return rc;
}

int kernel_find(const struct sources *s, enum kernel_kind kind, const char *path, struct kernel *out, struct err *e)
{
	int rc;

	*out = (struct kernel){ .kind = kind };
	if (kind == KERNEL_UML)
		rc = find_uml(s, path, out, e);
	else
		rc = path ? find_given(s, path, out, e) : find_pc(s, out, e);
	if (rc <= 0)
		kernel_free(out);
	return rc;
}

void kernel_free(struct kernel *k)
{
	free(k->path);
	free(k->release);
	free(k->folder);
	for (size_t i = 0; i < k->npurposes; i++)
		module_order_free(&k->purposes[i].order);
	free(k->purposes);
	module_order_free(&k->all);
	modules_free(&k->modules);
	*k = (struct kernel){ .kind = k->kind };
}
