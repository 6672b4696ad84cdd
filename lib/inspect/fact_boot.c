/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fact_boot.c - kernels and their initrds: by rules of folder and name, and by what the files say of themselves.
 *
 * The same file often has several names, links among them ("vmlinuz"): it is told once, by the name that has its version.
 */
#include "facts.h"

#include "alloc.h"
#include "kernel_file.h"
#include "limits.h"
#include "text.h"

#include <fnmatch.h>
#include <sys/stat.h>

/* Names of files, from the narrower to the wider; what "*" stands for is the tag. */
static const struct {
	const char *prefix, *suffix;
	bool tagged; /* something must be between them: else nothing may be */
	bool initrd;
} names[] = {
	{ "initramfs-", ".img", true, true },
	{ "initramfs-", "", true, true },
	{ "initrd.img-", "", true, true },
	{ "initrd-", ".img", true, true },
	{ "initrd-", "", true, true },
	{ "initrd.img", "", false, true },
	{ "initramfs.img", "", false, true },
	{ "initrd", "", false, true },
	{ "initrd.gz", "", false, true },
	{ "initramfs", "", true, true }, /* Raspberry Pi: initramfs8 */
	{ "vmlinuz-", "", true, false },
	{ "vmlinux-", "", true, false },
	{ "vmlinuz", "", false, false },
	{ "vmlinux", "", false, false },
	{ "kernel-", "", true, false },
	{ "kernel", ".img", true, false }, /* Raspberry Pi: kernel8.img */
	{ "kernel.img", "", false, false },
	{ "bzImage-", "", true, false },
	{ "bzImage", "", false, false },
	{ "Image-", "", true, false },
	{ "Image", "", false, false },
	{ "image-", "", true, false },
	{ "zImage-", "", true, false },
	{ "zImage", "", false, false },
	{ "uImage-", "", true, false },
	{ "uImage", "", false, false },
	{ "gnumach", ".gz", true, false },
	{ "linux", "", false, false },
};

/* Folders of a place in which they lie. */
static const char *const folders[] = { "/boot", "/", "/boot/kernels", "/kernels",
				       /* of media */
				       "/casper", "/live", "/install.amd", "/install", "/isolinux", "/images/pxeboot",
				       "/boot/x86_64/loader", "/arch/boot/x86_64" };

/* Files that are kernels by their whole path; each in roots of one type. */
static const struct {
	const char *type, *path;
	bool initrd;
} files[] = {
	{ "linux", "/nix/var/nix/profiles/system/kernel", false },
	{ "linux", "/nix/var/nix/profiles/system/initrd", true },
	{ "freebsd", "/boot/kernel/kernel", false },
	{ "freebsd", "/boot/kernel.old/kernel", false },
	{ "netbsd", "/netbsd", false },
	{ "openbsd", "/bsd", false },
	{ "openbsd", "/bsd.mp", false },
	{ "openbsd", "/bsd.sp", false },
	{ "openbsd", "/bsd.rd", false },
	{ "dragonfly", "/boot/kernel/kernel", false },
	{ "hurd", "/boot/gnumach.gz", false },
	{ "minix", "/boot/minix_latest/kernel", false },
	{ "dos", "/KERNEL.SYS", false },
	{ "dos", "/IO.SYS", false },
};

/* An image that is started after a crash is for no boot. */
static bool is_kdump(const char *name)
{
	return fnmatch("*kdump*", name, 0) == 0;
}

/* Does a row of names fit?  Its index and the tag, which ends at *len; -1: none. */
static int name_fits(const char *name, const char **tag, size_t *len)
{
	size_t all = strlen(name);

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		size_t before, behind;

		if (*name != *names[i].prefix)
			continue;
		before = strlen(names[i].prefix);
		behind = strlen(names[i].suffix);
		if (!text_starts(name, names[i].prefix, tag) || all < before + behind ||
		    strcmp(name + all - behind, names[i].suffix) != 0)
			continue;
		*len = all - before - behind;
		if (names[i].tagged == (*len > 0))
			return (int)i;
	}
	return -1;
}

struct boot_call {
	const struct boot_place *p;
	struct facts *f;
	const char *folder; /* in the place's tree */
	bool links;	    /* this turn is that of links */
};

static bool same_node(struct vfs_node a, struct vfs_node b)
{
	return a.fs == b.fs && a.ino == b.ino;
}

/* What is there already by another name: 1 where that gets the new name, 0 where it keeps its own; -1: it is not there. */
static int known_kernel(struct facts *f, struct vfs_node n, const char *tag, struct kernel **out)
{
	for (size_t i = 0; i < f->nkernels; i++) {
		*out = &f->kernels[i];
		if (same_node(f->kernels[i].node, n))
			return tag && !f->kernels[i].tag;
	}
	return -1;
}

static int kernel_add(const struct boot_call *c, const char *path, const char *tag, size_t len, struct vfs_node n,
		      uint64_t size, struct err *e)
{
	CLEANUP(free_ptr) char *copy = alloc_strdup(path), *tag_copy = tag ? alloc_strndup(tag, len) : NULL;
	struct facts *f = c->f;
	struct kernel_facts facts;
	struct kernel *k;
	struct err why = ERR_INIT;
	int rc;

	if (!copy || (tag && !tag_copy))
		return err_nomem(e);
	rc = known_kernel(f, n, tag, &k);
	if (rc == 0)
		return 0;
	if (rc > 0) {
		free(k->path);
		k->path = take(copy);
		k->tag = take(tag_copy);
		return 0;
	}
	if (f->nkernels == LIMIT_KERNELS)
		return sentence_add(&f->warnings, &f->nwarnings, e, "of its kernels no more than %d are told", LIMIT_KERNELS);
	k = alloc_resize(f->kernels, f->nkernels + 1, sizeof *k);
	if (!k)
		return err_nomem(e);
	f->kernels = k;
	k += f->nkernels;
	rc = kernel_file_look(&n, &facts, &why);
	if (rc == -ERR_NOMEM)
		return err_nomem(e);
	if (rc < 0 && (rc = sentence_add(&f->warnings, &f->nwarnings, e, "%s: %s", path, why.msg)) < 0)
		return rc;
	*k = (struct kernel){ .path = take(copy), .volume = c->p->volume, .node = n, .size = size, .tag = take(tag_copy),
			      .arch = facts.arch, .format = facts.format };
	f->nkernels++;
	if (facts.version[0]) {
		k->version = alloc_strdup(facts.version);
		return k->version ? 0 : err_nomem(e);
	}
	return 0;
}

static int initrd_add(const struct boot_call *c, const char *path, const char *tag, size_t len, struct vfs_node n,
		      uint64_t size, struct err *e)
{
	CLEANUP(free_ptr) char *copy = alloc_strdup(path), *version = len ? alloc_strndup(tag, len) : NULL;
	struct facts *f = c->f;
	struct initrd *r;
	const char *compression;
	struct err why = ERR_INIT;
	int rc;

	if (!copy || (len && !version))
		return err_nomem(e);
	for (size_t i = 0; i < f->ninitrds; i++) {
		r = &f->initrds[i];
		if (!same_node(r->node, n))
			continue;
		if (version && !r->version) {
			free(r->path);
			r->path = take(copy);
			r->version = take(version);
		}
		return 0;
	}
	if (f->ninitrds == LIMIT_KERNELS)
		return sentence_add(&f->warnings, &f->nwarnings, e, "of its initrds no more than %d are told", LIMIT_KERNELS);
	r = alloc_resize(f->initrds, f->ninitrds + 1, sizeof *r);
	if (!r)
		return err_nomem(e);
	f->initrds = r;
	rc = initrd_file_look(&n, &compression, &why);
	if (rc == -ERR_NOMEM)
		return err_nomem(e);
	if (rc < 0 && (rc = sentence_add(&f->warnings, &f->nwarnings, e, "%s: %s", path, why.msg)) < 0)
		return rc;
	r[f->ninitrds++] = (struct initrd){ .path = take(copy), .volume = c->p->volume, .node = n, .size = size,
					    .version = take(version), .compression = compression, .kernel = NO_KERNEL };
	return 0;
}

/* A regular file, links followed: 1, or 0 when there is none. */
static int find_file(struct vfs *v, const char *path, struct vfs_node *n, uint64_t *size, struct err *e)
{
	struct err why = ERR_INIT;
	struct fs_stat st;
	int rc = vfs_lookup(v, path, true, n, &why);

	if (rc == 0)
		rc = fs_stat(n->fs, n->ino, &st, &why);
	if (rc == -ERR_NOMEM)
		return err_nomem(e);
	if (rc < 0 || !S_ISREG(st.mode))
		return 0;
	*size = st.size;
	return 1;
}

static int on_name(void *arg, const struct vfs_dirent *d, struct err *e)
{
	const struct boot_call *c = arg;
	CLEANUP(free_ptr) char *path = NULL;
	const char *tag;
	struct vfs_node n;
	struct fs_stat st;
	uint64_t size;
	size_t len;
	int row = name_fits(d->name, &tag, &len), rc;

	if (row < 0 || is_kdump(d->name))
		return 0;
	if (fs_stat(d->node.fs, d->node.ino, &st, NULL) < 0 || S_ISLNK(st.mode) != c->links)
		return 0;
	path = alloc_printf("%s/%s", strcmp(c->folder, "/") == 0 ? "" : c->folder, d->name);
	if (!path)
		return err_nomem(e);
	rc = find_file(c->p->v, path, &n, &size, e);
	if (rc <= 0)
		return rc;
	return names[row].initrd ? initrd_add(c, path, tag, len, n, size, e)
				 : kernel_add(c, path, len ? tag : NULL, len, n, size, e);
}

/* ---- unified images, and what systemd's kernel-install puts beside a boot loader ---- */

/* "EFI/Linux/NAME.efi" */
static int on_unified(void *arg, const struct vfs_dirent *d, struct err *e)
{
	const struct boot_call *c = arg;
	CLEANUP(free_ptr) char *path = NULL;
	struct vfs_node n;
	uint64_t size;
	int rc;

	if (fnmatch("*.efi", d->name, FNM_CASEFOLD) != 0)
		return 0;
	path = alloc_printf("%s/%s", c->folder, d->name);
	if (!path)
		return err_nomem(e);
	rc = find_file(c->p->v, path, &n, &size, e);
	return rc <= 0 ? rc : kernel_add(c, path, NULL, 0, n, size, e);
}

/* The nth value of "key value" in an entry, up to the end of its line; NULL: there is none, or it is too long. */
static char *entry_value(const char *text, const char *key, size_t nth)
{
	const char *rest;

	for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		size_t len;

		if (!text_starts(p, key, &rest) || (*rest != ' ' && *rest != '\t') || nth-- > 0)
			continue;
		rest += strspn(rest, " \t");
		len = strcspn(rest, " \t\r\n");
		return len && len < LIMIT_PATH ? alloc_strndup(rest, len) : NULL;
	}
	return NULL;
}

/* A file that an entry names, from the top of its filesystem. */
static int entry_file(const struct boot_call *c, const char *name, const char *version, bool initrd, struct err *e)
{
	CLEANUP(free_ptr) char *path = alloc_printf("%s%s%s", c->p->prefix, *name == '/' ? "" : "/", name);
	size_t len = version ? strlen(version) : 0;
	struct vfs_node n;
	uint64_t size;
	int rc;

	if (!path)
		return err_nomem(e);
	rc = find_file(c->p->v, path, &n, &size, e);
	if (rc <= 0)
		return rc;
	return initrd ? initrd_add(c, path, version, len, n, size, e) : kernel_add(c, path, version, len, n, size, e);
}

/* "loader/entries/NAME.conf": lines of linux, initrd, version ("The Boot Loader Specification"). */
static int on_entry(void *arg, const struct vfs_dirent *d, struct err *e)
{
	const struct boot_call *c = arg;
	CLEANUP(free_ptr) char *path = NULL, *text = NULL, *kernel = NULL, *version = NULL;
	int rc;

	if (fnmatch("*.conf", d->name, FNM_CASEFOLD) != 0)
		return 0;
	path = alloc_printf("%s/%s", c->folder, d->name);
	if (!path)
		return err_nomem(e);
	rc = facts_text(c->f, c->p->v, path, LIMIT_CONFIG_BYTES, &text, e);
	if (rc <= 0 || !text)
		return rc;
	kernel = entry_value(text, "linux", 0);
	version = entry_value(text, "version", 0);
	rc = kernel ? entry_file(c, kernel, version, false, e) : 0;
	for (size_t i = 0; rc == 0 && kernel && i < 8; i++) {
		CLEANUP(free_ptr) char *initrd = entry_value(text, "initrd", i);

		if (!initrd)
			break;
		rc = entry_file(c, initrd, version, true, e);
	}
	return rc;
}

static int folder_look(struct boot_call *c, const char *below, int (*fn)(void *, const struct vfs_dirent *, struct err *),
		       struct err *e)
{
	CLEANUP(free_ptr) char *path = alloc_printf("%s%s", c->p->prefix, below);

	if (!path)
		return err_nomem(e);
	c->folder = path;
	return facts_dir(c->f, c->p->v, path, fn, c, e);
}

/* ---- /usr/lib/modules/VERSION/vmlinuz ---- */

static int on_modules(void *arg, const struct vfs_dirent *d, struct err *e)
{
	const struct boot_call *c = arg;
	CLEANUP(free_ptr) char *path = alloc_printf("%s/%s/vmlinuz", c->folder, d->name);
	struct vfs_node n;
	uint64_t size;
	int rc;

	if (!path)
		return err_nomem(e);
	/* A copy of what lies in /boot by the same version is not told again. */
	for (size_t i = 0; i < c->f->nkernels; i++) {
		const struct kernel *k = &c->f->kernels[i];

		if ((k->tag && strcmp(k->tag, d->name) == 0) || (k->version && strcmp(k->version, d->name) == 0))
			return 0;
	}
	rc = find_file(c->p->v, path, &n, &size, e);
	return rc <= 0 ? rc : kernel_add(c, path, d->name, strlen(d->name), n, size, e);
}

int facts_kernels(const struct facts_from *from, const struct boot_place *p, struct facts *f, struct err *e)
{
	struct boot_call c = { .p = p, .f = f };
	bool own = !p->volume && !*p->prefix; /* the guest's root */
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(files) && rc == 0 && own; i++) {
		struct vfs_node n;
		uint64_t size;

		if (!from->os->type || strcmp(from->os->type, files[i].type) != 0)
			continue;
		rc = find_file(p->v, files[i].path, &n, &size, e);
		if (rc > 0)
			rc = files[i].initrd ? initrd_add(&c, files[i].path, NULL, 0, n, size, e)
					     : kernel_add(&c, files[i].path, NULL, 0, n, size, e);
	}
	for (int links = 0; links < 2; links++) {
		c.links = links;
		for (size_t i = 0; i < ARRAY_LEN(folders) && rc == 0; i++)
			rc = folder_look(&c, folders[i], on_name, e);
	}
	if (rc == 0)
		rc = folder_look(&c, "/EFI/Linux", on_unified, e);
	if (rc == 0)
		rc = folder_look(&c, "/loader/entries", on_entry, e);
	if (rc == 0)
		rc = folder_look(&c, "/boot/loader/entries", on_entry, e);
	if (rc == 0 && own)
		rc = folder_look(&c, "/usr/lib/modules", on_modules, e);
	return rc;
}

/* ---- which belongs to which ---- */

static const char *version_of(const struct kernel *k)
{
	return k->version ? k->version : k->tag ? k->tag : "";
}

/* Newest first; what has no version comes last. */
static int newer_first(const void *a, const void *b)
{
	const struct kernel *x = a, *y = b;
	int order = strverscmp(version_of(y), version_of(x));

	return order ? order : strcmp(x->path, y->path);
}

static int initrd_order(const void *a, const void *b)
{
	const struct initrd *x = a, *y = b;
	int order = strverscmp(y->version ? y->version : "", x->version ? x->version : "");

	return order ? order : strcmp(x->path, y->path);
}

static size_t folder_len(const char *path)
{
	return (size_t)(strrchr(path, '/') - path);
}

static bool goes_with(const struct kernel *k, const struct initrd *r)
{
	const char *rest;

	if (k->volume != r->volume)
		return false;
	/* Neither has a version in its name: they lie side by side. */
	if (!r->version)
		return !k->tag && folder_len(k->path) == folder_len(r->path) && strncmp(k->path, r->path, folder_len(k->path)) == 0;
	/* "linux-fallback" of Arch is for "linux". */
	return (k->tag && text_starts(r->version, k->tag, &rest) && (!*rest || strcmp(rest, "-fallback") == 0)) ||
	       (k->version && strcmp(r->version, k->version) == 0);
}

int facts_kernels_end(struct facts *f, struct vfs *v, struct err *e)
{
	if (f->nkernels)
		qsort(f->kernels, f->nkernels, sizeof *f->kernels, newer_first);
	if (f->ninitrds)
		qsort(f->initrds, f->ninitrds, sizeof *f->initrds, initrd_order);
	for (size_t i = 0; i < f->ninitrds; i++)
		for (size_t k = 0; k < f->nkernels && f->initrds[i].kernel == NO_KERNEL; k++)
			if (goes_with(&f->kernels[k], &f->initrds[i]))
				f->initrds[i].kernel = k;
	for (size_t i = 0; i < f->nkernels; i++) {
		struct kernel *k = &f->kernels[i];
		CLEANUP(free_ptr) char *folder = NULL;

		if (!k->version && k->tag) {
			k->version = alloc_strdup(k->tag);
			if (!k->version)
				return err_nomem(e);
		}
		/* A version with a slash would look elsewhere. */
		if (!k->version || strchr(k->version, '/'))
			continue;
		folder = alloc_printf("/lib/modules/%s", k->version);
		if (!folder)
			return err_nomem(e);
		k->modules = vfs_is_dir(v, folder);
	}
	return 0;
}
