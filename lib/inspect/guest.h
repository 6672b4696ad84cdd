/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest.h - from volumes to a guest's tree: which volume is a root, and what its /etc/fstab mounts where.
 *
 * Volumes and filesystems do not know each other; here they meet.
 */
#ifndef DRYDOCK_GUEST_H
#define DRYDOCK_GUEST_H

#include "engine.h"
#include "fs.h"
#include "vfs.h"
#include "volume.h"

/* What lies in each volume, in the order of the list. */
struct content {
	const struct volume *vol; /* lent from the volume list, which must outlive this */
	struct fs_id id;	  /* type NULL: nothing known, or an extended partition; readable: by the engine that is to */
	bool again;		  /* a further device of the filesystem that an earlier item has: opening that is enough */
	bool by_appliance;	  /* readable, but not by our own readers, or they are not to */
};
struct contents {
	struct content *items;
	size_t n;
	struct engine *engine; /* lent; NULL: our own readers alone */
};
/*
 * A volume that cannot be read for its content is listed with type NULL.  `engine` (NULL: our own readers alone) says who reads
 * what, and must outlive the contents and every filesystem that is opened through them.
 */
int contents_scan(const struct volume_list *vols, struct engine *engine, struct contents *out, struct err *e);
/*
 * Opens the filesystem in an item, which may need the other volumes, too.  Where the engine is chosen by itself and our own
 * reader cannot read it, or can show it only as of an earlier time, the appliance is tried.
 */
int content_open(const struct contents *c, const struct content *it, struct fs **out, struct err *e);
/* What the encrypted volume of an item holds; NULL: it is not one, or was not opened. */
const struct content *content_inside(const struct contents *c, const struct content *it);
void contents_free(struct contents *c); /* for CLEANUP */

/* Filesystems, and subvolumes of them, that look like the root of an operating system, in order. */
struct root {
	size_t content; /* item of c */
	char *opts;	/* mount options that show it ("subvolid=257"); NULL: none are needed */
	char *subvol;	/* with opts: its path from the top ("@") */
};
void root_clear(struct root *r);
struct roots {
	struct root *items;
	size_t n;
};
/*
 * Unless `all`, filesystems that only the appliance reads are looked at when nothing else is a root: a machine is not started for
 * a further system that nobody asked for.
 */
int roots_find(const struct contents *c, bool all, struct roots *out, struct err *e);
/* Of the roots from item `from` on, subvolumes of fs, drops those that are copies of another (snapshots.c). */
int roots_drop_copies(const struct contents *c, struct fs *fs, struct roots *r, size_t from, struct err *e);
void roots_free(struct roots *r); /* for CLEANUP */

/* One line of an fstab, unescaped; of a crypttab, whose lines are split alike: the mapping's name, what it is made of, ... */
struct fstab_line {
	char *spec, *dir, *type, *opts;
};
struct fstab {
	struct fstab_line *items;
	size_t n;
};
int fstab_parse(const char *text, size_t len, struct fstab *out, struct err *e);
void fstab_free(struct fstab *f); /* for CLEANUP */
/* The volume an fstab's first field (or -m DEVICE) names: "UUID=", "LABEL=", "/dev/sda1", "/dev/vda1" ...; NULL: none. */
const struct content *contents_find(const struct contents *c, const char *spec);
/*
 * Is that a guest's kernel's name of a partition or disk, whatever the driver: "/dev/vda2", "nvme0n1p2", FreeBSD's "ada0p2",
 * "ada0s1a", OpenBSD's "sd0a" or "0123456789abcdef.a"?
 */
bool device_is_volume(const char *name, const struct volume *v);

/*
 * The same, and "btrfsvol:/dev/sda2/@home", as libguestfs names a subvolume: *subvol is then its path, lent from spec, else
 * NULL.
 */
const struct content *contents_find_subvol(const struct contents *c, const char *spec, const char **subvol);

/*
 * The array that the guest's own mdadm.conf names so ("/dev/md0", "/dev/md/root"), whatever it is called here; *out NULL when
 * that names none.  mdadm_conf_parse() does it with the text of such a file.
 */
int mdadm_conf_find(struct vfs *v, const struct contents *c, const char *spec, const struct content **out, struct err *e);
const struct content *mdadm_conf_parse(const char *text, const struct contents *c, const char *spec);

/*
 * The volume that a guest's fstab means by a first field, as its own mdadm.conf and crypttab name things, too; *out NULL:
 * none that is here.
 */
int guest_find_spec(const struct contents *c, struct vfs *v, const struct fstab *crypttab, const char *spec,
		    const struct content **out, struct err *e);

/* A tree that was put together, and what could not be. */
struct guest {
	struct vfs *vfs;
	const struct content **mounted; /* by the index of vfs_mount_info(); lent from the contents */
	size_t nmounted;
	/* Sentences: a line of fstab that could not be mounted, a journal that was replayed ...; free with the guest. */
	char **notes;
	size_t nnotes;
	/* Those that a user must read: where what is shown is older than what the guest itself would see. */
	char **warnings;
	size_t nwarnings;
};
/* Adds a sentence to a list of them, unless it is there. */
__attribute__((format(printf, 4, 5))) int sentence_add(char ***list, size_t *n, struct err *e, const char *fmt, ...);
void guest_free(struct guest *g); /* for CLEANUP */
/* guest_usr.c: mounts a volume on /usr where the tree has nothing there, and one looks like it. */
int guest_mount_usr(const struct contents *c, struct guest *g, struct err *e);
/* Mounts a root on "/" and what its /etc/fstab names and we can read where it says. */
int guest_mount_root(const struct contents *c, const struct root *root, struct guest *out, struct err *e);
/*
 * The same with the root found by itself: exactly one, else ERR_NOT_FOUND or (several) ERR_USAGE in words that list
 * them.  A disk whose only readable filesystem is not a root is mounted as it is when `any` is true.
 */
int guest_open(const struct contents *c, bool any, struct guest *out, struct err *e);
/*
 * Mounts one by name ("/dev/sda2", "LABEL=x", "btrfsvol:/dev/sda2/@home") for -m, with mount options (NULL: none); the
 * first must be on "/".  Start with an empty guest.
 */
int guest_mount(const struct contents *c, const char *spec, const char *opts, const char *mountpoint, struct guest *g,
		struct err *e);

#endif
