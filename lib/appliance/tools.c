/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools.h"

#include "alloc.h"
#include "elf_needs.h"
#include "limits.h"
#include "text.h"

static const struct {
	const char *package, *names;
	bool mounts;
} wanted[] = {
	{ "bash", "bash", false },
	{ "coreutils",
	  "[ arch b2sum base64 basename cat chgrp chmod chown chroot cksum comm cp cut date dd df dir dirname du echo env expand "
	  "expr factor false fold groups head id install join link ln ls md5sum mkdir mkfifo mknod mktemp mv nice nl nohup nproc "
	  "od paste printenv printf pwd readlink realpath rm rmdir seq sha1sum sha256sum sha512sum shred shuf sleep sort split "
	  "stat stdbuf stty sum sync tac tail tee test timeout touch tr true truncate tty uname uniq unlink wc who whoami yes",
	  false },
	{ "util-linux",
	  "blkdiscard blkid blockdev chattr dmesg fallocate findfs findmnt flock fsck fsfreeze fstrim hexdump losetup lsblk "
	  "mkfs.minix fsck.minix mkfs.cramfs fsck.cramfs mkfs.bfs mkswap more mount mountpoint nsenter partx setpriv setsid su "
	  "swaplabel swapoff swapon switch_root umount unshare wipefs",
	  false },
	{ "fdisk", "fdisk sfdisk cfdisk", false },
	{ "findutils", "find xargs", false },
	{ "grep", "grep egrep fgrep", false },
	{ "sed", "sed", false },
	{ "mawk", "mawk", false },
	{ "diffutils", "diff cmp", false },
	{ "less", "less", false },
	{ "tar", "tar", false },
	{ "gzip", "gzip gunzip zcat", false },
	{ "xz-utils", "xz", false },
	{ "zstd", "zstd", false },
	{ "bzip2", "bzip2", false },
	{ "cpio", "cpio", false },
	{ "procps", "ps kill free top pgrep pkill", false },
	{ "kmod", "kmod lsmod insmod rmmod modprobe modinfo", false },
	{ "acl", "getfacl setfacl", false },
	{ "attr", "getfattr setfattr", false },
	{ "e2fsprogs", "e2fsck mke2fs mkfs.ext2 mkfs.ext3 mkfs.ext4 fsck.ext2 fsck.ext3 fsck.ext4 resize2fs tune2fs e2label "
		       "e2image dumpe2fs debugfs lsattr badblocks filefrag", false },
	{ "xfsprogs", "mkfs.xfs xfs_repair fsck.xfs xfs_db xfs_growfs xfs_admin xfs_io xfs_info", false },
	{ "btrfs-progs", "btrfs mkfs.btrfs btrfstune", false },
	{ "lvm2", "lvm lvs vgs pvs lvcreate vgcreate pvcreate lvremove vgremove pvremove lvextend lvreduce lvresize lvchange "
		  "vgchange pvresize pvchange vgextend vgreduce vgrename lvrename pvmove pvscan vgscan lvscan lvconvert "
		  "vgcfgbackup vgcfgrestore pvdisplay vgdisplay lvdisplay vgimportclone", true },
	{ "dmsetup", "dmsetup blkdeactivate", true },
	{ "thin-provisioning-tools", "thin_check thin_repair thin_dump cache_check", true },
	{ "cryptsetup-bin", "cryptsetup veritysetup integritysetup", true },
	{ "mdadm", "mdadm", true },
	{ "ntfs-3g", "ntfs-3g ntfs-3g.probe ntfsfix mkntfs mkfs.ntfs ntfsresize ntfslabel ntfsinfo", true },
	{ "exfat-fuse", "mount.exfat-fuse", true },
	{ "dosfstools", "mkfs.vfat fsck.vfat mkfs.fat fsck.fat fatlabel", false },
	{ "exfatprogs", "mkfs.exfat fsck.exfat exfatlabel tune.exfat", false },
	{ "f2fs-tools", "mkfs.f2fs fsck.f2fs resize.f2fs", false },
	{ "jfsutils", "mkfs.jfs fsck.jfs jfs_tune", false },
	{ "reiserfsprogs", "mkfs.reiserfs fsck.reiserfs reiserfsck resize_reiserfs", false },
	{ "nilfs-tools", "mkfs.nilfs2 nilfs-tune", false },
	{ "udftools", "mkudffs udflabel", false },
	{ "hfsplus", "mkfs.hfsplus fsck.hfsplus", false },
	{ "hfsprogs", "mkfs.hfs fsck.hfs", false },
	{ "bcache-tools", "make-bcache bcache-super-show", false },
	{ "gdisk", "sgdisk gdisk", false },
	{ "parted", "parted partprobe", false },
	{ "augeas-tools", "augtool", false },
	{ "iproute2", "ip", false },
	{ "rsync", "rsync", false },
	{ "busybox", "busybox", false },
};

/* The first of each row that is there gets that name. */
static const struct {
	const char *name, *from;
} choices[] = {
	{ "sh", "bash dash busybox" },
	{ "vi", "vim.tiny vim.basic nvi busybox" },
	{ "awk", "mawk gawk busybox" },
	{ "pager", "less more" },
};

static const char *const program_folders[] = { "/usr/sbin", "/usr/bin", "/sbin", "/bin" };

/* Where the loaders of distributions look by themselves; in the image /lib is /usr/lib. */
static const char *const library_folders[] = { "/usr/lib/x86_64-linux-gnu", "/lib/x86_64-linux-gnu", "/usr/lib64", "/lib64",
					       "/usr/lib", "/lib" };

static const char *const terminals[] = { "a/ansi", "d/dumb", "l/linux", "r/rxvt", "s/screen", "s/screen-256color", "t/tmux",
					 "t/tmux-256color", "v/vt100", "v/vt102", "v/vt220", "x/xterm", "x/xterm-256color",
					 "x/xterm-color" };

/*
 * Files of our own.  LVM in the appliance has no udev, keeps no records of what it did, and asks no daemon; its file of devices,
 * which belongs to a host, it does not look for.
 */
static const struct {
	const char *to, *text;
} texts[] = {
	{ "etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n" },
	{ "etc/group", "root:x:0:\ndisk:x:6:\nnogroup:x:65534:\n" },
	{ "etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n" },
	{ "etc/hosts", "127.0.0.1 localhost\n" },
	/* Of QEMU's network, where the machine has one. */
	{ "etc/resolv.conf", "nameserver 10.0.2.3\n" },
	{ "etc/lvm/lvm.conf", "config {\n\tchecks = 0\n}\n"
			      "devices {\n\tuse_devicesfile = 0\n\tobtain_device_list_from_udev = 0\n"
			      "\texternal_device_info_source = \"none\"\n}\n"
			      "backup {\n\tbackup = 0\n\tarchive = 0\n}\n"
			      "global {\n\tuse_lvmpolld = 0\n\tevent_activation = 0\n\tuse_lvmlockd = 0\n}\n"
			      "activation {\n\tudev_sync = 0\n\tudev_rules = 0\n\tverify_udev_operations = 0\n\tmonitoring = 0\n"
			      "\tuse_linear_target = 1\n}\n" },
	{ "etc/mdadm/mdadm.conf", "HOMEHOST <ignore>\n" },
	{ "etc/mke2fs.conf",
	  "[defaults]\n\tbase_features = sparse_super,large_file,filetype,resize_inode,dir_index,ext_attr\n"
	  "\tdefault_mntopts = acl,user_xattr\n\tenable_periodic_fsck = 0\n\tblocksize = 4096\n\tinode_size = 256\n"
	  "\tinode_ratio = 16384\n[fs_types]\n\text3 = {\n\t\tfeatures = has_journal\n\t}\n"
	  "\text4 = {\n\t\tfeatures = has_journal,extent,huge_file,flex_bg,metadata_csum,64bit,dir_nlink,extra_isize\n\t}\n"
	  "\tsmall = {\n\t\tinode_ratio = 4096\n\t}\n\tfloppy = {\n\t\tinode_ratio = 8192\n\t}\n"
	  "\tbig = {\n\t\tinode_ratio = 32768\n\t}\n\thuge = {\n\t\tinode_ratio = 65536\n\t}\n" },
};

static const struct {
	const char *to, *target;
} links[] = {
	{ "bin", "usr/bin" },	   { "sbin", "usr/sbin" },	 { "lib", "usr/lib" },
	{ "lib64", "usr/lib64" },  { "etc/mtab", "../proc/self/mounts" },
	{ "var/run", "../run" },   { "var/lock", "../run/lock" },
};

/* ---- the list ---- */

/* Takes the strings of f also when it fails. */
static int add_file(struct tools *t, const struct tool_file *f, bool complete, struct err *e)
{
	struct tool_file *more = t->files;

	if (t->n == LIMIT_TOOL_FILES)
		complete = false;
	else if (complete && (t->n & (t->n - 1)) == 0)
		more = alloc_resize(t->files, t->n ? 2 * t->n : 1, sizeof *more);
	if (complete && more) {
		t->files = more;
		t->files[t->n++] = *f;
		return 0;
	}
	free(f->to);
	free(f->from);
	free(f->link);
	return t->n == LIMIT_TOOL_FILES ? err_set(e, ERR_LIMIT, "more than %d files of tools", LIMIT_TOOL_FILES) : err_nomem(e);
}

static struct tool_file *file_at(const struct tools *t, const char *to)
{
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->files[i].to, to) == 0)
			return &t->files[i];
	return NULL;
}

static int add_link(struct tools *t, const char *to, const char *target, struct err *e)
{
	const struct tool_file f = { .to = alloc_strdup(to), .link = alloc_strdup(target) };

	return add_file(t, &f, f.to && f.link, e);
}

/* 1 when it is there now (or was before), 0 when no source has it.  A file that is already there by another name is a link. */
static int add_copy(struct tools *t, const struct sources *s, const char *from, const char *to, struct err *e)
{
	CLEANUP(source_file_close) struct source_file src = SOURCE_FILE_NONE;
	struct tool_file f = { .to = NULL };
	int rc;

	if (file_at(t, to))
		return 1;
	rc = sources_open(s, from, &src, e);
	if (rc <= 0)
		return rc;
	for (size_t i = 0; i < t->n; i++) {
		const struct tool_file *old = &t->files[i];

		if (old->from && old->st.st_dev == src.st.st_dev && old->st.st_ino == src.st.st_ino) {
			CLEANUP(free_ptr) char *target = alloc_printf("/%s", old->to);

			rc = target ? add_link(t, to, target, e) : err_nomem(e);
			return rc < 0 ? rc : 1;
		}
	}
	if ((uint64_t)src.st.st_size > LIMIT_TOOL_FILE)
		return err_set(e, ERR_LIMIT, "%s has %llu bytes", from, (unsigned long long)src.st.st_size);
	f = (struct tool_file){ .to = alloc_strdup(to), .from = alloc_strdup(from), .tree = src.tree, .st = src.st };
	rc = add_file(t, &f, f.to && f.from, e);
	return rc < 0 ? rc : 1;
}

bool tools_have(const struct tools *t, const char *name)
{
	for (size_t i = 0; i < t->n; i++) {
		const char *rest;

		if ((text_starts(t->files[i].to, "usr/bin/", &rest) || text_starts(t->files[i].to, "usr/sbin/", &rest)) &&
		    strcmp(rest, name) == 0)
			return true;
	}
	return false;
}

/* ---- programs ---- */

/* What is no ELF file must be a script for a shell, as there is nothing else to run it. */
static int runs(const struct source_file *f, const char *path, struct err *e)
{
	CLEANUP(free_ptr) char *bytes = NULL;
	void *read;
	size_t len;
	int rc;

	if (!(f->st.st_mode & 0111))
		return 0;
	rc = source_file_read(f, path, LIMIT_TOOL_FILE, false, &read, &len, e);
	if (rc < 0)
		return rc;
	bytes = read;
	if (len > 4 && memcmp(bytes, "\177ELF", 4) == 0)
		return 1;
	bytes[MIN_OF(len, strcspn(bytes, "\n"))] = '\0';
	return text_starts(bytes, "#!", NULL) && (strstr(bytes, "/sh") || strstr(bytes, "/bash"));
}

static int add_program_as(struct tools *t, const struct sources *s, const char *name, const char *as, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(program_folders); i++) {
		CLEANUP(free_ptr) char *from = alloc_printf("%s/%s", program_folders[i], name);
		CLEANUP(free_ptr) char *to = alloc_printf("usr/%s/%s", i % 2 ? "bin" : "sbin", as);
		CLEANUP(source_file_close) struct source_file f = SOURCE_FILE_NONE;
		int rc = from && to ? sources_open(s, from, &f, e) : err_nomem(e);

		if (rc > 0)
			rc = runs(&f, from, e);
		if (rc > 0)
			rc = add_copy(t, s, from, to, e);
		if (rc)
			return rc;
	}
	return 0;
}

static int add_group(struct tools *t, const struct sources *s, size_t i, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf missing = STRBUF_INIT;
	struct tool_group *g = &t->groups[t->ngroups];

	*g = (struct tool_group){ .name = wanted[i].package, .mounts = wanted[i].mounts };
	for (const char *words = wanted[i].names; *words;) {
		size_t len = strcspn(words, " ");
		CLEANUP(free_ptr) char *name = alloc_strndup(words, len);
		int rc = name ? add_program_as(t, s, name, name, e) : err_nomem(e);

		if (rc < 0)
			return rc;
		g->nfound += rc > 0;
		if (rc == 0)
			strbuf_printf(&missing, "%s%s", missing.len ? " " : "", name);
		words += len + strspn(words + len, " ");
	}
	g->missing = strbuf_detach(&missing);
	if (!g->missing)
		return err_nomem(e);
	t->ngroups++;
	return 0;
}

static int add_choice(struct tools *t, const struct sources *s, const char *as, const char *names, struct err *e)
{
	int rc = 0;

	while (rc == 0 && *names) {
		size_t len = strcspn(names, " ");
		CLEANUP(free_ptr) char *name = alloc_strndup(names, len);

		rc = name ? add_program_as(t, s, name, as, e) : err_nomem(e);
		names += len + strspn(names + len, " ");
	}
	return rc < 0 ? rc : 0;
}

/* ---- libraries ---- */

/* 1 when the library is there now. */
static int add_library_from(struct tools *t, const struct sources *s, const char *folder, const char *to_folder, const char *name,
			    struct err *e)
{
	CLEANUP(free_ptr) char *from = alloc_printf("%s/%s", folder, name);
	const char *rest = to_folder + 1;
	CLEANUP(free_ptr) char *to = NULL;

	to = alloc_printf("%s%s/%s", text_starts(to_folder, "/lib", NULL) ? "usr/" : "", rest, name);
	return from && to ? add_copy(t, s, from, to, e) : err_nomem(e);
}

/* A path with $ORIGIN: the folder of the file that names it.  "" for one that leads nowhere. */
static char *expand_origin(const char *path, size_t len, const char *origin)
{
	const char *slash = strrchr(origin, '/');
	const char *rest;
	CLEANUP(free_ptr) char *copy = alloc_strndup(path, len);

	if (!copy)
		return NULL;
	if (text_starts(copy, "$ORIGIN", &rest) || text_starts(copy, "${ORIGIN}", &rest))
		return alloc_printf("%.*s%s", (int)(slash - origin), origin, rest);
	return *copy == '/' ? take(copy) : alloc_strdup("");
}

/* Folders of a RUNPATH keep their places in the image, as the file will look there again. */
static int add_by_runpath(struct tools *t, const struct sources *s, const char *runpath, const char *origin, const char *name,
			  struct err *e)
{
	int rc = 0;

	while (rc == 0 && runpath && *runpath) {
		size_t len = strcspn(runpath, ":");
		CLEANUP(free_ptr) char *folder = expand_origin(runpath, len, origin);

		if (!folder)
			return err_nomem(e);
		if (*folder)
			rc = add_library_from(t, s, folder, folder, name, e);
		runpath += len + (runpath[len] == ':');
	}
	return rc;
}

/* Lines of /etc/ld.so.conf.d: what is only found there goes to /usr/lib, as the image has no list of folders. */
static int add_by_conf(struct tools *t, const struct sources *s, const char *name, struct err *e)
{
	CLEANUP(source_names_free) struct source_names confs = { .names = NULL };
	int rc = sources_list(s, "/etc/ld.so.conf.d", &confs, e);

	for (size_t i = 0; rc == 0 && i < confs.n; i++) {
		CLEANUP(free_ptr) char *path = alloc_printf("/etc/ld.so.conf.d/%s", confs.names[i]);
		CLEANUP(source_file_close) struct source_file f = SOURCE_FILE_NONE;
		CLEANUP(free_ptr) void *text = NULL;
		size_t len;

		rc = path ? sources_open(s, path, &f, e) : err_nomem(e);
		if (rc > 0)
			rc = source_file_read(&f, path, LIMIT_CONFIG_BYTES, false, &text, &len, e);
		for (const char *line = text; rc == 0 && line && *line;) {
			size_t n = strcspn(line, "\n");
			CLEANUP(free_ptr) char *folder = alloc_strndup(line, n);

			if (!folder)
				return err_nomem(e);
			if (*folder == '/')
				rc = add_library_from(t, s, folder, "/usr/lib", name, e);
			line += n + (line[n] == '\n');
		}
	}
	return rc;
}

static bool have_library(const struct tools *t, const char *name)
{
	for (size_t i = 0; i < t->n; i++) {
		const char *slash = strrchr(t->files[i].to, '/');

		if (slash && strcmp(slash + 1, name) == 0 && text_starts(t->files[i].to, "usr/lib", NULL))
			return true;
	}
	return false;
}

/* 1, or 0 where it is not to be had. */
static int add_library(struct tools *t, const struct sources *s, const char *runpath, const char *origin, const char *name,
		       struct err *e)
{
	int rc;

	if (have_library(t, name))
		return 1;
	if (strchr(name, '/'))
		return 0;
	rc = add_by_runpath(t, s, runpath, origin, name, e);
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(library_folders); i++)
		rc = add_library_from(t, s, library_folders[i], library_folders[i], name, e);
	return rc ? rc : add_by_conf(t, s, name, e);
}

/* The loader by its own name, which is fixed: /lib64/ld-linux-x86-64.so.2. */
static int add_loader(struct tools *t, const struct sources *s, const char *path, struct err *e)
{
	CLEANUP(free_ptr) char *to = NULL;

	if (*path != '/')
		return 0;
	to = alloc_printf("%s%s", text_starts(path, "/lib", NULL) ? "usr/" : "", path + 1);
	return to ? add_copy(t, s, path, to, e) : err_nomem(e);
}

/* Adds what file i names; what that names is added when its turn comes. */
static int add_needs(struct tools *t, const struct sources *s, size_t i, struct err *e)
{
	CLEANUP(free_ptr) char *from = alloc_strdup(t->files[i].from); /* the list moves when it grows */
	CLEANUP(source_file_close) struct source_file f = SOURCE_FILE_NONE;
	CLEANUP(elf_needs_free) struct elf_needs needs = { .needed = NULL };
	CLEANUP(free_ptr) void *bytes = NULL;
	size_t len;
	int rc;

	if (!from)
		return err_nomem(e);
	rc = sources_open(s, from, &f, e);
	if (rc <= 0)
		return rc < 0 ? rc : err_set(e, ERR_NOT_FOUND, "%s went away", from);
	rc = source_file_read(&f, from, LIMIT_TOOL_FILE, false, &bytes, &len, e);
	if (rc == 0)
		rc = elf_needs_read(bytes, len, &needs, e);
	if (rc > 0 && needs.interp)
		rc = add_loader(t, s, needs.interp, e);
	for (size_t n = 0; rc >= 0 && n < needs.nneeded; n++) {
		rc = add_library(t, s, needs.runpath, from, needs.needed[n], e);
		if (rc == 0)
			rc = err_set(e, ERR_NOT_FOUND, "%s is needed and is not to be had", needs.needed[n]);
	}
	return rc < 0 ? err_in(e, rc, "%s", from) : 0;
}

/* Ends: each file of the host is in the list once, and the list is limited. */
static int add_all_needs(struct tools *t, const struct sources *s, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < t->n; i++)
		if (t->files[i].from)
			rc = add_needs(t, s, i, e);
	return rc;
}

/* ---- the rest ---- */

static int add_terminals(struct tools *t, const struct sources *s, struct err *e)
{
	static const char *const folders[] = { "/usr/share/terminfo", "/lib/terminfo", "/usr/lib/terminfo", "/etc/terminfo" };
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < ARRAY_LEN(terminals); i++) {
		rc = 0;
		for (size_t f = 0; rc == 0 && f < ARRAY_LEN(folders); f++) {
			CLEANUP(free_ptr) char *from = alloc_printf("%s/%s", folders[f], terminals[i]);
			CLEANUP(free_ptr) char *to = alloc_printf("usr/share/terminfo/%s", terminals[i]);

			rc = from && to ? add_copy(t, s, from, to, e) : err_nomem(e);
		}
	}
	return rc < 0 ? rc : 0;
}

/* So that a shell and an editor know UTF-8. */
static int add_locale(struct tools *t, const struct sources *s, struct err *e)
{
	static const char *const names[] = {
		"LC_ADDRESS",  "LC_COLLATE", "LC_CTYPE",   "LC_IDENTIFICATION", "LC_MEASUREMENT", "LC_MESSAGES/SYS_LC_MESSAGES",
		"LC_MONETARY", "LC_NAME",    "LC_NUMERIC", "LC_PAPER",	       "LC_TELEPHONE",	  "LC_TIME",
	};
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < ARRAY_LEN(names); i++) {
		CLEANUP(free_ptr) char *from = alloc_printf("/usr/lib/locale/C.utf8/%s", names[i]);

		rc = from ? add_copy(t, s, from, from + 1, e) : err_nomem(e);
	}
	return rc < 0 ? rc : 0;
}

/* What augtool knows of the forms of files.  Each folder is listed once, and has no others in it that are wanted. */
static int add_lenses(struct tools *t, const struct sources *s, struct err *e)
{
	static const char *const folders[] = { "/usr/share/augeas/lenses", "/usr/share/augeas/lenses/dist" };
	int rc = 0;

	for (size_t f = 0; rc >= 0 && f < ARRAY_LEN(folders) && tools_have(t, "augtool"); f++) {
		CLEANUP(source_names_free) struct source_names names = { .names = NULL };

		rc = sources_list(s, folders[f], &names, e);
		for (size_t i = 0; rc >= 0 && i < names.n; i++) {
			CLEANUP(free_ptr) char *from = alloc_printf("%s/%s", folders[f], names.names[i]);
			const char *dot = strrchr(names.names[i], '.');

			if (!from)
				return err_nomem(e);
			if (dot && strcmp(dot, ".aug") == 0)
				rc = add_copy(t, s, from, from + 1, e);
		}
	}
	return rc < 0 ? rc : 0;
}

/* What programs load by themselves when they run: glibc's unwinder (for threads that are ended), OpenSSL's old hashes. */
static int add_loaded(struct tools *t, const struct sources *s, struct err *e)
{
	int rc = add_library(t, s, NULL, "/", "libgcc_s.so.1", e);

	for (size_t i = 0; rc >= 0 && i < ARRAY_LEN(library_folders); i++) {
		CLEANUP(free_ptr) char *folder = alloc_printf("%s/ossl-modules", library_folders[i]);

		rc = folder ? add_library_from(t, s, folder, folder, "legacy.so", e) : err_nomem(e);
		if (rc > 0)
			break;
	}
	return rc < 0 ? rc : 0;
}

static int add_ours(struct tools *t, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(links); i++)
		if (!file_at(t, links[i].to))
			rc = add_link(t, links[i].to, links[i].target, e);
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(texts); i++) {
		const struct tool_file f = { .to = alloc_strdup(texts[i].to), .text = texts[i].text };

		rc = add_file(t, &f, f.to != NULL, e);
	}
	return rc;
}

static int by_place(const void *a, const void *b)
{
	return strcmp(((const struct tool_file *)a)->to, ((const struct tool_file *)b)->to);
}

static int collect(const struct sources *s, struct tools *t, struct err *e)
{
	int rc = 0;

	t->groups = alloc_array(ARRAY_LEN(wanted), sizeof *t->groups);
	if (!t->groups)
		return err_nomem(e);
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(wanted); i++)
		rc = add_group(t, s, i, e);
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(choices); i++)
		if (!tools_have(t, choices[i].name))
			rc = add_choice(t, s, choices[i].name, choices[i].from, e);
	if (rc == 0)
		rc = add_loaded(t, s, e);
	if (rc == 0)
		rc = add_all_needs(t, s, e);
	if (rc == 0)
		rc = add_terminals(t, s, e);
	if (rc == 0)
		rc = add_locale(t, s, e);
	if (rc == 0)
		rc = add_lenses(t, s, e);
	return rc < 0 ? rc : add_ours(t, e);
}

int tools_collect(const struct sources *s, struct tools *out, struct err *e)
{
	int rc;

	*out = (struct tools){ .files = NULL };
	rc = collect(s, out, e);
	if (rc < 0)
		tools_free(out);
	return rc;
}

int tools_add(struct tools *t, const struct sources *s, const char *from, const char *to, struct err *e)
{
	return add_copy(t, s, from, to, e);
}

void tools_sort(struct tools *t)
{
	if (t->n)
		qsort(t->files, t->n, sizeof *t->files, by_place);
}

void tools_free(struct tools *t)
{
	for (size_t i = 0; i < t->n; i++) {
		free(t->files[i].to);
		free(t->files[i].from);
		free(t->files[i].link);
	}
	free(t->files);
	for (size_t i = 0; i < t->ngroups; i++)
		free(t->groups[i].missing);
	free(t->groups);
	*t = (struct tools){ .files = NULL };
}
