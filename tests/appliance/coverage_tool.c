/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * coverage_tool.c - each filesystem and volume that the appliance is for: made, mounted, written, unmounted, checked by its own
 * tool, mounted again read-only, and read, all through the client; then the time that reading takes, on request.  Those that
 * nobody writes to are made by tools of this host.  Of the list hfsplus alone is left out: Debian has no tool that makes it.
 *
 * usage: coverage_tool [--raid6] [--speed | --shell=WORDS] FOLDER BACKEND [KIND...]
 *
 * FOLDER has the appliance's files.  The disks are sparse files in the working folder.  Prints TAP.
 */
#include "alloc.h"
#include "client.h"
#include "launch.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NDISKS 4
#define DISK_SIZE (512ull << 20)

struct kind {
	const char *name, *type, *options;
	/* A shell's words that make the device, given the disks' paths; NULL: the first disk is it. */
	const char *prepare, *device;
	/* Words for the shell of this host, which make it in the first disk's file, $1, of the folder "tree"; their program. */
	const char *make, *by;
	/* Words that check it where the client knows no checker: in the machine, or of this host after "host:"; "": it has none. */
	const char *checker;
	unsigned volumes; /* CLIENT_LVM ... that it takes to find the device again */
	const char *forget; /* a shell's words that leave no trace */
	bool raid6, luks, programs, no_mkfs, no_owner, no_times, no_xattrs, no_links, no_freeze, resizes, trims, places, readonly;
};

static const struct kind kinds[] = {
	{ "ext2", .type = "ext2", .places = true },
	{ "ext4", .type = "ext4", .programs = true, .places = true, .resizes = true, .trims = true },
	{ "xfs", .type = "xfs", .places = true, .resizes = true, .trims = true },
	{ "btrfs", .type = "btrfs", .resizes = true, .trims = true },
	{ "vfat", .type = "vfat", .no_freeze = true, .no_owner = true, .no_times = true, .no_xattrs = true, .no_links = true },
	{ "exfat", .type = "exfat", .no_freeze = true, .no_owner = true, .no_times = true, .no_xattrs = true, .no_links = true },
	{ "ntfs", .type = "ntfs", .resizes = true,
	  .no_freeze = true, .no_owner = true, .no_times = true, .no_xattrs = true, .no_links = true },
	{ "f2fs", .type = "f2fs", .no_mkfs = true, .prepare = "mkfs.f2fs -q -f $1", .checker = "fsck.f2fs --dry-run -f $1" },
	{ "jfs", .type = "jfs", .no_mkfs = true, .prepare = "mkfs.jfs -q $1", .checker = "fsck.jfs -f -n $1" },
	{ "reiserfs", .type = "reiserfs", .no_mkfs = true, .no_freeze = true, .no_xattrs = true,
	  .prepare = "mkfs.reiserfs -q -f -f $1", .checker = "fsck.reiserfs --check -y -q $1" },
	{ "nilfs2", .type = "nilfs2", .no_mkfs = true, .no_xattrs = true, .prepare = "mkfs.nilfs2 -q -f $1", .checker = "" },
	{ "minix", .type = "minix", .no_mkfs = true, .no_xattrs = true, .no_freeze = true, .prepare = "mkfs.minix -3 $1 >/dev/null",
	  .checker = "fsck.minix -f $1" },
	{ "udf", .type = "udf", .no_mkfs = true, .no_xattrs = true, .no_freeze = true,
	  .prepare = "mkudffs -b 512 --media-type=hd $1 >/dev/null", .checker = "" },
	{ "hfs", .type = "hfs", .no_mkfs = true, .by = "hformat", .options = "codepage=cp437,iocharset=utf8", .checker = "",
	  /* Who makes it, wants a lock. */
	  .make = "truncate -s 64M locked && HOME=. hformat -l label locked >/dev/null && cp locked $1 && rm locked",
	  .no_freeze = true, .no_owner = true, .no_times = true, .no_xattrs = true, .no_links = true },
	{ "iso9660", .type = "iso9660", .readonly = true, .by = "genisoimage", .no_links = true,
	  .make = "genisoimage -quiet -input-charset utf-8 -R -o $1 tree", .checker = "host:isovfy $1" },
	{ "squashfs", .type = "squashfs", .readonly = true, .by = "mksquashfs",
	  .make = "mksquashfs tree $1 -noappend -quiet -no-progress",
	  .checker = "host:unsquashfs -quiet -no-progress -f -d unpacked $1" },
	{ "erofs", .type = "erofs", .readonly = true, .by = "mkfs.erofs", .make = "mkfs.erofs $1 tree >/dev/null",
	  .checker = "host:fsck.erofs $1" },
	{ "ufs", .type = "ufs", .options = "ufstype=44bsd", .readonly = true, .by = "makefs",
	  .make = "makefs -t ffs -o version=1 $1 tree >/dev/null", .checker = "" },
	{ "lvm", .type = "ext4", .volumes = CLIENT_LVM, .device = "/dev/vg/lv",
	  .prepare = "lvm vgcreate -qq -y vg $1 $2 && lvm lvcreate -qq -y --noudevsync -Wn -Zn -i2 -n lv -L 200M vg",
	  .forget = "lvm vgremove -qq -ff -y --noudevsync vg; lvm pvremove -qq -ff -y $1 $2" },
	{ "lvm-thin", .type = "ext4", .volumes = CLIENT_LVM, .device = "/dev/vg/thin",
	  .prepare = "lvm vgcreate -qq -y vg $1 && lvm lvcreate -qq -y --noudevsync -Wn -Zn -T -L 200M -V 1G -n thin vg/pool",
	  .forget = "lvm vgremove -qq -ff -y --noudevsync vg; lvm pvremove -qq -ff -y $1" },
	{ "md1", .type = "ext4", .volumes = CLIENT_MD, .device = "/dev/md127",
	  .prepare = "mdadm -q --create /dev/md127 --run -l1 -n2 --assume-clean $1 $2",
	  .forget = "mdadm -q --zero-superblock $1 $2" },
	{ "md5", .type = "xfs", .volumes = CLIENT_MD, .device = "/dev/md127",
	  .prepare = "mdadm -q --create /dev/md127 --run -l5 -n3 --assume-clean $1 $2 $3",
	  .forget = "mdadm -q --zero-superblock $1 $2 $3" },
	{ "luks2", .type = "ext4", .luks = true, .device = "/dev/mapper/opened",
	  .prepare = "echo -n key | cryptsetup -q luksFormat --type luks2 --pbkdf argon2id --pbkdf-memory 64 --pbkdf-parallel 1 "
		     "--pbkdf-force-iterations 4 --key-file=- $1", .forget = "cryptsetup -q erase $1" },
	{ "bcache", .type = "ext4", .volumes = CLIENT_BCACHE, .device = "/dev/bcache0",
	  .prepare = "make-bcache --wipe-bcache -B $1 -C $2 >/dev/null && "
		     "for d in $1 $2; do echo $d >/sys/fs/bcache/register; done; sleep 1; test -b /dev/bcache0" },
	{ "md6", .type = "ext4", .volumes = CLIENT_MD, .device = "/dev/md127", .raid6 = true,
	  .prepare = "mdadm -q --create /dev/md127 --run -l6 -n4 --assume-clean $1 $2 $3 $4",
	  .forget = "mdadm -q --zero-superblock $1 $2 $3 $4" },
	{ "btrfs-raid5", .type = "btrfs", .volumes = CLIENT_BTRFS, .no_mkfs = true,
	  .prepare = "mkfs.btrfs -q -f -d raid5 -m raid5 $1 $2 $3 && btrfs device scan >/dev/null" },
	{ "btrfs-raid6", .type = "btrfs", .volumes = CLIENT_BTRFS, .raid6 = true, .no_mkfs = true,
	  .prepare = "mkfs.btrfs -q -f -d raid6 -m raid1c3 $1 $2 $3 $4 && btrfs device scan >/dev/null" },
};

struct run {
	struct client *c;
	const struct kind *k;
	struct strbuf paths[NDISKS];
	struct strbuf said;
	struct block *disk; /* the first */
	bool told;
};

static int on_output(void *arg, int stream, const void *bytes, size_t len, struct err *e)
{
	struct run *r = arg;

	(void)stream, (void)e;
	strbuf_add(&r->said, bytes, len);
	return 0;
}

/* Words of a shell, with the disks as $1 to $4. */
static int shell(struct run *r, const char *words, struct err *e)
{
	const char *argv[8 + NDISKS] = { "sh", "-c", words, "sh" };
	int status, rc;

	for (size_t i = 0; i < NDISKS; i++)
		argv[4 + i] = r->paths[i].s;
	strbuf_reset(&r->said);
	rc = client_run(r->c, &(struct client_run){ .argv = argv, .output = on_output, .arg = r, .max_ms = 60000 }, &status, e);
	if (rc == 0 && status)
		rc = err_set(e, ERR_SYSTEM, "\"%s\" ended with %#x: %.500s", words, status, r->said.s);
	return rc;
}

static int expect(bool is, const char *what, struct err *e)
{
	return is ? 0 : err_set(e, ERR_CORRUPT, "%s", what);
}

/* The device, found again as a guest's is. */
static int find(struct run *r, bool readonly, struct err *e)
{
	const struct kind *k = r->k;

	if (k->volumes)
		return client_activate(r->c, k->volumes, readonly, e);
	if (k->luks)
		return client_luks_open(r->c, "serial:disk0", "key", 3, "opened", readonly, e);
	return 0;
}

static int lose(struct run *r, struct err *e)
{
	if (r->k->volumes & ~(unsigned)CLIENT_BTRFS)
		return client_deactivate(r->c, r->k->volumes, e);
	if (r->k->luks)
		return client_luks_close(r->c, "opened", e);
	return 0;
}

static const char *device(const struct run *r)
{
	return r->k->device ? r->k->device : "serial:disk0";
}

#define BIG (3u << 20)
static void pattern(uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(i * 2654435761u >> 15);
}

/* What is frozen is written out whole, refuses changes, can be read, and goes on when it is thawed. */
static int freeze(struct run *r, uint32_t mount, uint64_t root, uint64_t file, struct err *e)
{
	struct err refused = ERR_INIT;
	uint64_t node, trimmed;
	bool frozen = false;
	char byte;
	size_t got;
	/* Those of Windows have no such thing. */
	int rc = client_freeze(r->c, mount, &frozen, e);

	rc = rc ? rc : expect(frozen != r->k->no_freeze, "frozen or not, as it should not be", e);
	if (rc || !frozen)
		return rc ? rc : client_thaw(r->c, mount, e);
	rc = expect(client_create(r->c, root, "frozen", 0600, 0, 0, &node, &refused) < 0 && refused.sys_errno == EBUSY &&
		    client_fstrim(r->c, mount, &trimmed, &refused) < 0 && refused.sys_errno == EBUSY,
		    "it was changed while it was frozen", e);
	err_clear(&refused);
	rc = rc ? rc : client_pread(r->c, file, &byte, 1, 0, &got, e);
	rc = rc ? rc : client_sync(r->c, e);
	rc = rc ? rc : client_thaw(r->c, mount, e);
	rc = rc ? rc : client_create(r->c, root, "thawed", 0600, 0, 0, &node, e);
	return rc ? rc : client_unlink(r->c, root, "thawed", e);
}

static int write_tree(struct run *r, uint32_t mount, const uint8_t *bytes, struct err *e)
{
	const struct kind *k = r->k;
	const struct fs_time then = { .sec = 1000000000, .nsec = 123456700 };
	uint64_t root, dir, node = 0, other;
	int rc = client_root(r->c, mount, &root, e);

	rc = rc ? rc : client_mkdir(r->c, root, "folder", 0750, 0, 0, &dir, e);
	rc = rc ? rc : client_create(r->c, dir, "f\xc3\xbcnf", 0640, k->no_owner ? 0 : 1234, k->no_owner ? 0 : 99, &node, e);
	rc = rc ? rc : client_pwrite(r->c, node, bytes, BIG, 0, e);
	if (!k->no_links) {
		rc = rc ? rc : client_link(r->c, node, root, "hard", e);
		rc = rc ? rc : client_symlink(r->c, root, "soft", "folder/f\xc3\xbcnf", 0, 0, &other, e);
		rc = rc ? rc : client_truncate(r->c, node, BIG * 2, e);
	}
	if (!k->no_xattrs)
		rc = rc ? rc : client_setxattr(r->c, node, "security.selinux", "label", 6, 0, e);
	if (!k->no_times)
		rc = rc ? rc : client_utimens(r->c, node, NULL, &then, e);
	rc = rc ? rc : client_fsync(r->c, node, e);
	rc = rc ? rc : client_sync(r->c, e);
	rc = rc ? rc : freeze(r, mount, root, node, e);
	/* Not all disks know what to do with it. */
	if (k->trims)
		rc = rc ? rc : client_fstrim(r->c, mount, &other, e);
	return rc;
}

struct xattr {
	bool seen;
};

static int on_xattr(void *arg, const char *name, const void *value, size_t len, struct err *e)
{
	struct xattr *x = arg;

	(void)e;
	x->seen = x->seen || (strcmp(name, "security.selinux") == 0 && len == 6 && memcmp(value, "label", 6) == 0);
	return 0;
}

static int on_entry(void *arg, const struct fs_dirent *d, struct err *e)
{
	(void)e;
	*(bool *)arg |= strcmp(d->name, "f\xc3\xbcnf") == 0;
	return 0;
}

/* Do the bytes lie on our disk where they are said to? */
static int read_places(struct run *r, uint64_t node, const uint8_t *bytes, uint8_t *got, struct err *e)
{
	for (uint64_t off = 0, len, where; off < BIG; off += len) {
		int rc = client_place(r->c, node, off, &len, &where, e);

		if (rc < 0)
			return rc;
		if (rc == 0)
			return err_set(e, ERR_CORRUPT, "where the byte %" PRIu64 " lies is not told", off);
		len = MIN_OF(len, BIG - off);
		rc = block_pread(r->disk, got, len, where, e);
		if (rc < 0)
			return rc;
		rc = expect(memcmp(got, bytes + off, len) == 0, "other bytes on the disk", e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int read_tree(struct run *r, uint32_t mount, const uint8_t *bytes, struct err *e)
{
	const struct kind *k = r->k;
	CLEANUP(free_ptr) uint8_t *got = alloc_bytes(BIG);
	uint64_t root, dir, node = 0, other = 0;
	struct fs_stat st;
	struct xattr x = { 0 };
	bool listed = false;
	size_t n;
	int rc = client_root(r->c, mount, &root, e);

	rc = rc ? rc : client_lookup(r->c, root, "folder", &dir, e);
	rc = rc ? rc : client_readdir(r->c, dir, on_entry, &listed, e);
	rc = rc ? rc : expect(listed, "the name is not listed", e);
	rc = rc ? rc : client_lookup(r->c, dir, "f\xc3\xbcnf", &node, e);
	rc = rc ? rc : client_stat(r->c, node, &st, e);
	rc = rc ? rc : expect(st.size == (k->no_links ? BIG : 2 * BIG), "another size", e);
	if (!k->no_owner && !(k->readonly && geteuid() != 0))
		rc = rc ? rc : expect(st.uid == 1234 && st.gid == 99 && st.mode == (S_IFREG | 0640), "another owner or mode", e);
	if (!k->no_times)
		rc = rc ? rc : expect(st.mtime.sec == 1000000000, "another time", e);
	rc = rc ? rc : client_pread(r->c, node, got, BIG, 0, &n, e);
	rc = rc ? rc : expect(n == BIG && memcmp(got, bytes, BIG) == 0, "other bytes", e);
	if (k->places)
		rc = rc ? rc : read_places(r, node, bytes, got, e);
	if (!k->no_links) {
		rc = rc ? rc : client_lookup(r->c, root, "hard", &other, e);
		rc = rc ? rc : expect(st.nlink == 2 && other == node, "no hard link", e);
	}
	if (!k->no_xattrs && !k->readonly) {
		rc = rc ? rc : client_xattrs(r->c, node, on_xattr, &x, e);
		rc = rc ? rc : expect(x.seen, "no attribute", e);
	}
	return rc;
}

static int mounted(struct run *r, bool readonly, int (*fn)(struct run *, uint32_t, const uint8_t *, struct err *),
		   const uint8_t *bytes, struct err *e)
{
	uint32_t mount;
	/* The second time the agent finds out what it is. */
	const struct client_mount how = { .device = device(r), .type = readonly ? NULL : r->k->type, .options = r->k->options,
					  .readonly = readonly };
	int rc = client_mount(r->c, &how, &mount, e);

	if (rc)
		return err_in(e, rc, readonly ? "mounting to read" : "mounting to write");
	rc = fn(r, mount, bytes, e);
	if (rc)
		return err_in(e, rc, readonly ? "reading" : "writing");
	return client_umount(r->c, mount, e);
}

static void on_progress(void *arg, unsigned step, uint64_t done, uint64_t of)
{
	if (step >= 1 && step <= 5 && done <= of)
		*(bool *)arg = true;
}

/* Words of this host's shell, with the first disk's file as $1. */
static int host(const char *words, struct err *e)
{
	CLEANUP(free_ptr) char *all = alloc_printf("PATH=$PATH:/usr/sbin:/sbin; set -- disk0.img; { %s; } >said 2>&1", words);
	int status = all ? system(all) : -1;

	return status == 0 ? 0 : err_set(e, ERR_SYSTEM, "\"%s\" ended with %#x", words, status);
}

static int own_check(struct run *r, struct err *e)
{
	const char *words = r->k->checker;
	int rc = text_starts(words, "host:", &words) ? host(words, e) : *words ? shell(r, words, e) : 0;

	return rc < 0 ? err_in(e, rc, "checking") : 0;
}

static int check(struct run *r, struct err *e)
{
	bool heard = false, tells = strncmp(r->k->type, "ext", 3) == 0;
	enum client_fsck found;
	struct strbuf said = STRBUF_INIT;
	int rc;

	if (r->k->checker)
		return own_check(r, e);
	client_set_progress(r->c, on_progress, &heard);
	rc = client_fsck(r->c, device(r), r->k->type, false, &found, &said, e);
	client_set_progress(r->c, NULL, NULL);
	rc = rc ? rc : expect(heard == tells, "progress was told, or not, as it should not be", e);

	if (rc == 0 && found != CLIENT_FSCK_CLEAN)
		rc = err_set(e, ERR_CORRUPT, "not clean: %.600s", said.s);
	strbuf_free(&said);
	return rc < 0 ? err_in(e, rc, "checking") : 0;
}

/* Smaller, where it knows how, and as large as its disk again. */
static int resize(struct run *r, struct err *e)
{
	const bool smaller = strcmp(r->k->type, "xfs") != 0;
	int rc = smaller ? client_resize(r->c, device(r), r->k->type, DISK_SIZE / 2, NULL, e) : 0;

	rc = rc ? rc : client_resize(r->c, device(r), r->k->type, 0, NULL, e);
	return rc < 0 ? err_in(e, rc, "resizing") : 0;
}

static int on_volume(void *arg, const struct client_volume *v, struct err *e)
{
	struct run *r = arg;

	(void)e;
	if (strcmp(v->serial, "disk0") == 0 && strcmp(v->type, r->k->type) == 0 && strcmp(v->label, "label") == 0 &&
	    v->size == DISK_SIZE && v->uuid[0])
		r->told = true;
	return 0;
}

/* Is it in the list of what there is? */
static int told(struct run *r, struct err *e)
{
	int rc;

	r->told = false;
	rc = client_volumes(r->c, on_volume, r, e);
	return rc ? rc : expect(r->told, "its disk is not told", e);
}

/* What a program in a root of its own reads of a file that is missing there, or leads nowhere: with the network, and without. */
static int names(struct run *r, uint32_t mount, bool network, const char *want, struct err *e)
{
	static const char *const argv[] = { "/busybox", "cat", "/etc/resolv.conf", NULL };
	const struct client_bind root = { mount, "/" };
	int status, rc;

	strbuf_reset(&r->said);
	rc = client_run(r->c, &(const struct client_run){ .argv = argv, .binds = &root, .nbinds = 1, .network = network,
							   .output = on_output, .arg = r, .max_ms = 60000 }, &status, e);
	if (rc == 0 && !strstr(r->said.s, want))
		rc = err_set(e, ERR_CORRUPT, "a program reads \"%s\"", r->said.s);
	return rc;
}

static int programs(struct run *r, uint32_t mount, const uint8_t *bytes, struct err *e)
{
	static const char target[] = "../run/nowhere";
	uint64_t root, etc, node;
	int rc = client_root(r->c, mount, &root, e);

	(void)bytes;
	rc = rc ? rc : client_mkdir(r->c, root, "etc", 0755, 0, 0, &etc, e);
	for (int symlink = 0; symlink < 2 && rc == 0; symlink++) {
		if (symlink)
			rc = client_symlink(r->c, etc, "resolv.conf", target, 0, 0, &node, e);
		rc = rc ? rc : names(r, mount, true, "nameserver 10.0.2.3\n", e);
		rc = rc ? rc : names(r, mount, false, "No such file", e);
	}
	return rc;
}

/* What write_tree() writes, in the folder "tree" of this host. */
static int host_tree(const struct kind *k, const uint8_t *bytes, struct err *e)
{
	const struct timespec times[2] = { { .tv_sec = 1000000000 }, { .tv_sec = 1000000000 } };
	static const char file[] = "tree/folder/f\xc3\xbcnf";
	int rc = host("rm -rf tree; mkdir -p tree/folder", e), fd;

	if (rc < 0)
		return rc;
	fd = open(file, O_WRONLY | O_CREAT | O_EXCL, 0640);
	if (fd < 0 || write(fd, bytes, BIG) != (ssize_t)BIG || (!k->no_links && ftruncate(fd, 2 * BIG) < 0) ||
	    (geteuid() == 0 && fchown(fd, 1234, 99) < 0) || fchmod(fd, 0640) < 0 || futimens(fd, times) < 0 || close(fd) < 0)
		return err_sys(e, errno, "%s", file);
	if (!k->no_links && (link(file, "tree/hard") < 0 || symlink("folder/f\xc3\xbcnf", "tree/soft") < 0))
		return err_sys(e, errno, "tree");
	return 0;
}

/* What was in the disk goes: tools that find something there ask. */
static int host_make(struct run *r, const uint8_t *bytes, struct err *e)
{
	const struct kind *k = r->k;
	CLEANUP(free_ptr) char *whole = alloc_printf("truncate -s %llu $1", DISK_SIZE);
	CLEANUP(free_ptr) char *there = alloc_printf("command -v %s", k->by);
	int rc = whole && there ? 0 : err_nomem(e);

	if (rc == 0 && host(there, e) < 0)
		return err_set(e, ERR_NOT_FOUND, "there is no %s here", k->by);
	rc = rc ? rc : host_tree(k, bytes, e);
	rc = rc ? rc : host("truncate -s 0 $1", e);
	rc = rc ? rc : host(whole, e);
	rc = rc ? rc : host(k->make, e);
	/* The filesystem's own size is another. */
	return rc ? rc : host(whole, e);
}

static int cover_readonly(struct run *r, const uint8_t *bytes, struct err *e)
{
	int rc = host_make(r, bytes, e);

	rc = rc ? rc : check(r, e);
	return rc ? rc : mounted(r, true, read_tree, bytes, e);
}

static int cover(struct run *r, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *bytes = alloc_bytes(BIG);
	const struct kind *k = r->k;
	int rc = 0;

	pattern(bytes, BIG);
	if (k->readonly)
		return cover_readonly(r, bytes, e);
	if (k->make)
		rc = host_make(r, bytes, e);
	/* For the modules that making them takes, too. */
	if (k->volumes)
		rc = rc ? rc : client_activate(r->c, k->volumes, false, e);
	if (k->prepare)
		rc = rc ? rc : shell(r, "wipefs -qa $1 $2 $3 $4", e);
	if (k->prepare)
		rc = rc ? rc : shell(r, k->prepare, e);
	if (k->luks)
		rc = rc ? rc : find(r, false, e);
	if (!k->no_mkfs && !k->make)
		rc = rc ? rc : client_mkfs(r->c, device(r), k->type, "label", NULL, e);
	if (k->programs)
		rc = rc ? rc : shell(r, "mount $1 /mnt && cp /usr/bin/busybox /mnt && umount /mnt", e);
	if (k->programs)
		rc = rc ? rc : mounted(r, false, programs, bytes, e);
	rc = rc ? rc : mounted(r, false, write_tree, bytes, e);
	rc = rc ? rc : lose(r, e);
	rc = rc ? rc : find(r, true, e);
	rc = rc ? rc : check(r, e);
	if (k->resizes)
		rc = rc ? rc : resize(r, e);
	if (k->resizes)
		rc = rc ? rc : told(r, e);
	rc = rc ? rc : mounted(r, true, read_tree, bytes, e);
	rc = rc ? rc : lose(r, e);
	if (k->forget)
		rc = rc ? rc : shell(r, k->forget, e);
	return rc;
}

/* ---- speed ---- */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int count(void *arg, const struct fs_dirent *d, struct err *e)
{
	(void)d, (void)e;
	++*(unsigned *)arg;
	return 0;
}

struct walk {
	struct client *c;
	uint64_t dir;
};
static int stat_each(void *arg, const struct fs_dirent *d, struct err *e)
{
	const struct walk *w = arg;
	struct fs_stat st;
	uint64_t node;
	int rc = client_lookup(w->c, w->dir, d->name, &node, e);

	return rc ? rc : client_stat(w->c, node, &st, e);
}

static int speed(struct run *r, const char *type, struct err *e)
{
	const size_t piece = 4 << 20, size = 256 << 20;
	CLEANUP(free_ptr) uint8_t *bytes = alloc_bytes(piece);
	uint32_t mount;
	uint64_t root, node, dir;
	double start;
	size_t got;
	unsigned n = 0;
	int rc = client_mkfs(r->c, "serial:disk0", type, NULL, NULL, e);

	pattern(bytes, piece);
	rc = rc ? rc : client_mount(r->c, &(struct client_mount){ .device = "serial:disk0", .type = type }, &mount, e);
	rc = rc ? rc : client_root(r->c, mount, &root, e);
	rc = rc ? rc : client_create(r->c, root, "big", 0600, 0, 0, &node, e);
	start = now();
	for (size_t at = 0; at < size && rc == 0; at += piece)
		rc = client_pwrite(r->c, node, bytes, piece, at, e);
	rc = rc ? rc : client_fsync(r->c, node, e);
	printf("# %s: written and synced: %.0f MB/s\n", type, (double)size / 1e6 / (now() - start));
	rc = rc ? rc : client_mkdir(r->c, root, "many", 0755, 0, 0, &dir, e);
	start = now();
	for (unsigned i = 0; i < 1000 && rc == 0; i++) {
		char name[32];

		snprintf(name, sizeof name, "file%u", i);
		rc = client_create(r->c, dir, name, 0600, 0, 0, &node, e);
	}
	printf("# %s: files made: %.0f/s\n", type, 1000 / (now() - start));
	rc = rc ? rc : client_umount(r->c, mount, e);
	for (int times = 0; times < 2 && rc == 0; times++) {
		const struct client_mount how = { .device = "serial:disk0", .type = type, .readonly = true };

		rc = client_mount(r->c, &how, &mount, e);
		rc = rc ? rc : client_root(r->c, mount, &root, e);
		rc = rc ? rc : client_lookup(r->c, root, "big", &node, e);
		for (int again = 0; again < 2 && rc == 0; again++) {
			start = now();
			for (size_t at = 0; at < size && rc == 0; at += got)
				rc = client_pread(r->c, node, bytes, 128 << 10, at, &got, e);
			printf("# %s: read %s: %.0f MB/s\n", type, again ? "again" : "first", (double)size / 1e6 / (now() - start));
		}
		start = now();
		rc = rc ? rc : client_lookup(r->c, root, "many", &dir, e);
		rc = rc ? rc : client_readdir(r->c, dir, count, &n, e);
		printf("# %s: listed: %.0f names/s\n", type, 1000 / (now() - start));
		start = now();
		rc = rc ? rc : client_readdir(r->c, dir, stat_each, &(struct walk){ r->c, dir }, e);
		printf("# %s: facts one by one: %.0f/s\n", type, 1000 / (now() - start));
		start = now();
		rc = rc ? rc : client_readdir(r->c, dir, stat_each, &(struct walk){ r->c, dir }, e);
		printf("# %s: facts together: %.0f/s\n", type, 1000 / (now() - start));
		rc = rc ? rc : client_umount(r->c, mount, e);
	}
	start = now();
	for (int i = 0; i < 500 && rc == 0; i++)
		rc = client_ping(r->c, e);
	printf("# a question and its answer: %.0f us\n", (now() - start) / 500 * 1e6);
	return rc;
}

/* ---- all ---- */

static void log_line(void *arg, const char *line)
{
	(void)arg;
	printf("# %s\n", line);
}

static bool wanted(const struct kind *k, char **names, int n, bool raid6)
{
	for (int i = 0; i < n; i++)
		if (strcmp(names[i], k->name) == 0)
			return true;
	return n == 0 && k->raid6 == raid6;
}

static int open_disks(struct appliance_disk disks[NDISKS], struct err *e)
{
	for (int i = 0; i < NDISKS; i++) {
		const struct block_open raw = { .format = "raw", .flags = BLOCK_WRITE };
		char path[32];
		int fd, rc;

		snprintf(path, sizeof path, "disk%d.img", i);
		fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
		if (fd < 0 || ftruncate(fd, (off_t)DISK_SIZE) < 0)
			return err_sys(e, errno, "%s", path);
		close(fd);
		rc = block_open(path, &raw, &disks[i].block, e);
		if (rc < 0)
			return rc;
		disks[i].writable = true;
		snprintf(disks[i].serial, sizeof disks[i].serial, "disk%d", i);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct appliance_disk disks[NDISKS] = { 0 };
	struct appliance_how how = { .log = log_line };
	struct appliance_files files = { 0 };
	struct appliance *a = NULL;
	struct broker *b = NULL;
	struct run r = { .said = STRBUF_INIT };
	struct err e = ERR_INIT;
	const char *words = NULL;
	bool measure = false;
	unsigned tests = 0, bad = 0;
	int rc, at = 1;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (; at < argc && argv[at][0] == '-'; at++) {
		how.raid6 = how.raid6 || strcmp(argv[at], "--raid6") == 0;
		measure = measure || strcmp(argv[at], "--speed") == 0;
		words = text_starts(argv[at], "--shell=", &words) ? words : NULL;
		how.verbose = how.verbose || strcmp(argv[at], "--verbose") == 0;
	}
	if (argc - at < 2)
		return 2;
	rc = appliance_backend_parse(argv[at + 1], &how.backend, &e);
	rc = rc ? rc : appliance_files_open(argv[at], &files, &e);
	rc = rc ? rc : broker_start(&(struct broker_how){ .files = &files }, &b, &e);
	rc = rc ? rc : open_disks(disks, &e);
	rc = rc ? rc : appliance_launch(b, &how, disks, NDISKS, &a, &e);
	r.disk = disks[0].block;
	if (rc == 0)
		r.c = appliance_client(a);
	for (size_t i = 0; i < NDISKS && rc == 0; i++) {
		char serial[32];

		r.paths[i] = (struct strbuf)STRBUF_INIT;
		snprintf(serial, sizeof serial, "serial:disk%zu", i);
		rc = client_device(r.c, serial, &r.paths[i], &e);
	}
	if (rc < 0)
		printf("not ok 1 - the appliance comes up: %s\n", e.msg);
	for (size_t i = 0; i < ARRAY_LEN(kinds) && rc == 0 && !measure && !words; i++) {
		double start = now();
		const char *missing;

		if (!wanted(&kinds[i], argv + at + 2, argc - at - 2, how.raid6))
			continue;
		r.k = &kinds[i];
		err_clear(&e);
		tests++;
		if (cover(&r, &e) < 0 &&
		    (strstr(e.msg, "this kernel has no driver") || text_starts(e.msg, "there is no ", &missing))) {
			printf("ok %u - %s # SKIP %s\n", tests, kinds[i].name, e.msg);
		} else if (e.code != ERR_NONE) {
			printf("not ok %u - %s: %s\n", tests, kinds[i].name, e.msg);
			bad++;
			if (client_lost(r.c))
				break;
		} else {
			printf("ok %u - %s: made, written, checked and read # %.2f s\n", tests, kinds[i].name, now() - start);
		}
	}
	if (words && rc == 0) {
		rc = shell(&r, words, &e);
		printf("%s%s\n", r.said.s, rc < 0 ? e.msg : "");
	}
	if (measure && rc == 0)
		rc = speed(&r, argc - at > 2 ? argv[at + 2] : "ext4", &e);
	if (measure && rc < 0)
		printf("# %s\n", e.msg);
	for (size_t i = 0; i < NDISKS; i++) {
		if (r.paths[i].s)
			strbuf_free(&r.paths[i]);
		block_unref(disks[i].block);
	}
	strbuf_free(&r.said);
	err_clear(&e);
	if (appliance_close(a, &e) < 0) {
		printf("# closing: %s\n", e.msg);
		bad++;
	}
	broker_free(b);
	appliance_files_free(&files);
	printf("1..%u\n", tests);
	return rc < 0 || bad ? 1 : 0;
}
