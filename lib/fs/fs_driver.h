/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fs_driver.h - for those who write a filesystem reader: one const table at the foot of its file, listed in registry.c.
 *
 * fs.c wraps each op: len is never 0 nor above LIMIT_REQUEST, names are 1 to name_max bytes, results are zeroed before.  The
 * driver itself clamps pread and extent to the size of the file.
 */
#ifndef DRYDOCK_FS_DRIVER_H
#define DRYDOCK_FS_DRIVER_H

#include "fs.h"

/* What probe returns besides 0 (not mine) and an error. */
enum {
	FS_PROBE_MINE = 1,
	FS_PROBE_CONTAINER = 2, /* it holds other volumes: a filesystem's magic that also shows is inside it */
	FS_PROBE_MANY = 3,	/* several claims at once */
	FS_PROBE_SHARED = 4,	/* mine, and others that say the same may be there too: the first of them counts */
};

struct fs_driver {
	const char *name;
	size_t state_size;
	unsigned name_max; /* bytes of the longest name, at most FS_NAME_MAX; 0: 255 */
	/* FS_PROBE_* and id filled when dev holds this filesystem, 0 when not, < 0 on a read error.  Reads little. */
	int (*probe)(struct block *dev, struct fs_id *id, struct err *e);
	/* NULL: known by name, not readable; `needs`: because this library was left out of the build. */
	const char *needs;
	int (*open)(struct fs *fs, struct err *e); /* judges the superblock, sets fs->root; may look at fs->others */
	void (*close)(struct fs *fs);		   /* also after a failed open */
	/* As fs_mount_root() and fs_subvolumes(); NULL: no subvolumes. */
	int (*mount_root)(struct fs *fs, const char *opts, uint64_t *root, struct err *e);
	int (*subvolumes)(struct fs *fs, int (*fn)(void *, uint64_t, const char *, struct err *), void *arg,
			  struct err *e);
	int (*statfs)(struct fs *fs, struct fs_usage *out, struct err *e);
	/* NULL: its free space cannot be told. */
	int (*free_extents)(struct fs *fs, int (*fn)(void *, uint64_t, uint64_t, struct err *), void *arg, struct err *e);
	int (*stat)(struct fs *fs, uint64_t ino, struct fs_stat *out, struct err *e);
	int (*lookup)(struct fs *fs, uint64_t dir, const char *name, uint64_t *ino, struct err *e);
	int (*readdir)(struct fs *fs, uint64_t dir, int (*fn)(void *, const struct fs_dirent *, struct err *), void *arg,
		       struct err *e);
	int (*pread)(struct fs *fs, uint64_t ino, void *buf, size_t len, uint64_t off, size_t *got, struct err *e);
	int (*extent)(struct fs *fs, uint64_t ino, uint64_t off, uint64_t *len, bool *hole, struct err *e);
	/* As fs_place(); NULL: it does not tell. */
	int (*place)(struct fs *fs, uint64_t ino, uint64_t off, uint64_t *len, uint64_t *where, struct err *e);
	int (*readlink)(struct fs *fs, uint64_t ino, struct strbuf *target, struct err *e);
	int (*xattrs)(struct fs *fs, uint64_t ino, int (*fn)(void *, const char *, const void *, size_t, struct err *),
		      void *arg, struct err *e);
};

struct fs {
	const struct fs_driver *drv;
	unsigned refs;
	struct block *dev; /* one reference */
	/* Where further parts may be; only until open returns: what is kept needs block_ref(). */
	struct block *const *others;
	size_t nothers;
	void *param; /* of fs_open_by(); lent until open returns */
	struct fs_id id;
	uint64_t root;
	char notice[200], warning[200]; /* "" when there is none */
	void *state;
};

/*
 * Opens dev by a driver that no probe chooses, since it reads what another program shows: `id` is what fs_probe() said, `param`
 * what the driver's open looks at as fs->param.  Errors are the driver's own words.
 */
int fs_open_by(const struct fs_driver *drv, struct block *dev, const struct fs_id *id, void *param, struct fs **out,
	       struct err *e);

extern const struct fs_driver *const fs_drivers[]; /* ends at NULL */
extern const struct fs_driver fs_known, fs_ext, fs_btrfs, fs_fat, fs_exfat, fs_ntfs, fs_iso, fs_squashfs, fs_xfs;

#endif
