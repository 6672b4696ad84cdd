/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client.h - our end of the talk with the agent in the appliance.
 *
 * The agent runs in a kernel that a stranger's filesystem may have taken over: each byte of it is judged before use, each
 * wait has a deadline, and an agent that is dead, lies, or says too much is one error sentence, after which the client is
 * lost (each further call fails with the same sentence) and the appliance is to be ended.
 *
 * A struct client belongs to one thread at a time.  Nodes are numbers that the agent gives, valid while the mount is; the
 * structs are those of fs.h.  What the agent's kernel refuses is ERR_SYSTEM with the guest's errno, but ERR_NOT_FOUND for
 * ENOENT; the client stays usable.
 */
#ifndef DRYDOCK_CLIENT_H
#define DRYDOCK_CLIENT_H

#include "fs.h"
#include "limits.h"

struct client;

/*
 * Takes the descriptor of a stream socket, also when it fails; waits at most so many milliseconds for the agent to say who
 * it is.
 */
int client_new(int fd, unsigned hello_ms, struct client **out, struct err *e);
void client_free(struct client *c); /* closes the socket; NULL is fine */
void client_freep(struct client **c);
/* For poll(): readable when the agent has said something, or is gone.  Not to be read. */
int client_fd(const struct client *c);
/*
 * Memory that the agent sees as a part of one of its devices (window.h): CLIENT_WINDOW bytes, to live as long as the client.
 * What is much of files goes through it then; without it, or where the agent cannot open it, through the socket.
 */
#define CLIENT_WINDOW (LIMIT_PROTO_SLOT * LIMIT_PROTO_SLOTS)
void client_set_window(struct client *c, const char *device, uint64_t off, uint8_t *bytes);
/* The kernel it runs, "6.1.0-56-cloud-amd64". */
const char *client_kernel(const struct client *c);
/* How long an ordinary answer may take, in milliseconds (30 s); mounting and syncing may take four times as long. */
void client_set_patience(struct client *c, unsigned ms);
/* Has the agent been lost? */
bool client_lost(const struct client *c);
/*
 * A machine that is about to be saved: its agent lets go of its disks, and waits to be woken.  Nothing else may be asked of it
 * then.
 */
int client_sleep(struct client *c, struct err *e);
/*
 * The frame that wakes it where it goes on: the time, so many disks (of those that it had, the first), and what its random
 * numbers are to begin with.  Its length; 0: no random numbers are to be had.
 */
#define CLIENT_WAKE_SIZE 128
size_t client_wake_frame(uint8_t frame[CLIENT_WAKE_SIZE], unsigned ndisks);
/* Asks for an answer, nothing else. */
int client_ping(struct client *c, struct err *e);

/* ---- devices and mounts ---- */

/*
 * A device is named "serial:disk1" (a disk by what it was given as serial number) or by its path in the appliance,
 * "/dev/vg/root".  The path of a device, appended.
 */
int client_device(struct client *c, const char *device, struct strbuf *path, struct err *e);

struct client_mount {
	const char *device;
	const char *type;    /* as mount(8) knows it; NULL: the agent looks */
	const char *options; /* of the filesystem, "subvol=@,degraded"; NULL: none */
	bool readonly;	     /* and no journal is replayed: not a byte is written */
};
/* Mounts; *mount is its number, from 1. */
int client_mount(struct client *c, const struct client_mount *how, uint32_t *mount, struct err *e);
int client_umount(struct client *c, uint32_t mount, struct err *e);
int client_sync(struct client *c, struct err *e);
/*
 * All that was written is on the disk, as an unmounted filesystem would have it, and nothing more is written until it is thawed:
 * what would change this mount is refused meanwhile (EBUSY), and a program that writes there waits.  *frozen is false where
 * the filesystem does not know how (vfat, ntfs, reiserfs): it was written out, and goes on as before; it may be NULL.  Unmounting,
 * powering off and the client's end thaw.
 */
int client_freeze(struct client *c, uint32_t mount, bool *frozen, struct err *e);
int client_thaw(struct client *c, uint32_t mount, struct err *e); /* one that is not frozen is fine */
/* "xfs" ... as it was mounted; lent while mounted. */
const char *client_mount_type(struct client *c, uint32_t mount);

/* ---- files: reading; what is not said here is as in fs.h ---- */

int client_root(struct client *c, uint32_t mount, uint64_t *node, struct err *e);
int client_statfs(struct client *c, uint32_t mount, struct fs_usage *out, struct err *e);
int client_stat(struct client *c, uint64_t node, struct fs_stat *out, struct err *e);
int client_lookup(struct client *c, uint64_t dir, const char *name, uint64_t *node, struct err *e);
/*
 * d->ino is the node, or 0 where the agent would have to look for each: client_lookup() then tells it.  fn may call
 * everything here.
 */
int client_readdir(struct client *c, uint64_t dir, int (*fn)(void *arg, const struct fs_dirent *d, struct err *e),
		   void *arg, struct err *e);
int client_pread(struct client *c, uint64_t node, void *buf, size_t len, uint64_t off, size_t *got, struct err *e);
int client_readlink(struct client *c, uint64_t node, struct strbuf *target, struct err *e);
int client_xattrs(struct client *c, uint64_t node,
		  int (*fn)(void *arg, const char *name, const void *value, size_t len, struct err *e), void *arg,
		  struct err *e);
int client_extent(struct client *c, uint64_t node, uint64_t off, uint64_t *len, bool *hole, struct err *e);
/*
 * As fs_place(): 1 when *len bytes of the file lie at *where of the device as they are.  Only on read-only mounts of
 * filesystems whose maps name places of the device.  The caller judges *where by the size of its disk.
 */
int client_place(struct client *c, uint64_t node, uint64_t off, uint64_t *len, uint64_t *where, struct err *e);

/* ---- files: writing; mode has the permissions, uid and gid the owner ---- */

int client_create(struct client *c, uint64_t dir, const char *name, uint32_t mode, uint32_t uid, uint32_t gid,
		  uint64_t *node, struct err *e);
int client_mkdir(struct client *c, uint64_t dir, const char *name, uint32_t mode, uint32_t uid, uint32_t gid,
		 uint64_t *node, struct err *e);
/* mode with the type: a device, a pipe, a socket. */
int client_mknod(struct client *c, uint64_t dir, const char *name, uint32_t mode, uint32_t uid, uint32_t gid,
		 uint32_t major, uint32_t minor, uint64_t *node, struct err *e);
int client_symlink(struct client *c, uint64_t dir, const char *name, const char *target, uint32_t uid, uint32_t gid,
		   uint64_t *node, struct err *e);
int client_link(struct client *c, uint64_t node, uint64_t dir, const char *name, struct err *e);
int client_unlink(struct client *c, uint64_t dir, const char *name, struct err *e);
int client_rmdir(struct client *c, uint64_t dir, const char *name, struct err *e);
enum {
	CLIENT_RENAME_NOREPLACE = 1u << 0, /* a new name that is taken is EEXIST */
	CLIENT_RENAME_EXCHANGE = 1u << 1,  /* both names are there, and change places */
};
/* Without flags, what had the new name before is replaced.  EINVAL where the filesystem does not know the flag. */
int client_rename(struct client *c, uint64_t dir, const char *name, uint64_t newdir, const char *newname, unsigned flags,
		  struct err *e);
int client_chmod(struct client *c, uint64_t node, uint32_t mode, struct err *e);
int client_chown(struct client *c, uint64_t node, uint32_t uid, uint32_t gid, struct err *e);
/* NULL: left as it is. */
int client_utimens(struct client *c, uint64_t node, const struct fs_time *atime, const struct fs_time *mtime,
		   struct err *e);
int client_truncate(struct client *c, uint64_t node, uint64_t size, struct err *e);
int client_pwrite(struct client *c, uint64_t node, const void *buf, size_t len, uint64_t off, struct err *e);
enum {
	CLIENT_ALLOCATE_PUNCH = 1u << 0,     /* the bytes become a hole; the size stays */
	CLIENT_ALLOCATE_KEEP_SIZE = 1u << 1, /* room behind the end is not part of the file */
	CLIENT_ALLOCATE_ZERO = 1u << 2,	     /* the bytes become zeros that have room */
};
/* Room for the bytes, and the file is as long, unless how says otherwise. */
int client_fallocate(struct client *c, uint64_t node, uint64_t off, uint64_t len, unsigned how, struct err *e);
enum {
	CLIENT_XATTR_CREATE = 1u << 0,	/* one that is there is EEXIST */
	CLIENT_XATTR_REPLACE = 1u << 1, /* one that is not there is ENODATA */
};
int client_setxattr(struct client *c, uint64_t node, const char *name, const void *value, size_t len, unsigned flags,
		    struct err *e);
int client_removexattr(struct client *c, uint64_t node, const char *name, struct err *e);
int client_fsync(struct client *c, uint64_t node, struct err *e);

/* ---- programs ---- */

/* A mount that the program sees at a path; the one at "/" is its root. */
struct client_bind {
	uint32_t mount;
	const char *path;
};
struct client_run {
	const char *const *argv; /* ends at NULL; argv[0] is looked for in the usual folders unless it has a '/' */
	const char *const *env;	 /* "NAME=VALUE", ends at NULL; NULL: PATH, HOME, LANG, TERM */
	/* What it sees; none: the appliance's own tools.  /dev, /proc and /sys are added, and go with the program. */
	const struct client_bind *binds;
	size_t nbinds;
	bool tools;    /* with binds: it is one of the appliance's own tools, which sees them below /sysroot */
	bool terminal; /* its standard streams are one terminal: what it says is all stream 1 */
	/*
	 * With binds: while it runs, the machine's own /etc/resolv.conf lies over that of its root, also where that is a symlink
	 * or not there.
	 */
	bool network;
	uint16_t rows, cols;
	uint64_t max_ms;     /* it is killed after so long; 0: CLIENT_RUN_MS, UINT64_MAX: never */
	uint64_t max_output; /* and when it has said so many bytes; 0: CLIENT_RUN_OUTPUT, UINT64_MAX: any */
	/* What it says: stream is 1 or 2.  NULL: forgotten. */
	int (*output)(void *arg, int stream, const void *bytes, size_t len, struct err *e);
	/*
	 * Not NULL: the program has a descriptor 3 for lines of three numbers, and these are told: of step 1, 2 ... so much is
	 * done.  Ten times a second at most.
	 */
	void (*progress)(void *arg, unsigned step, uint64_t done, uint64_t of);
	/* Only client_run(): its standard input, *got 0 at the end; NULL: empty. */
	int (*input)(void *arg, void *buf, size_t len, size_t *got, struct err *e);
	/* Only client_run(): asked ten times a second whether to stop: ERR_CANCELED.  NULL: no. */
	bool (*stop)(void *arg);
	void *arg;
};
#define CLIENT_RUN_MS (10u * 60 * 1000)
#define CLIENT_RUN_OUTPUT (64u * 1024 * 1024)

/*
 * Runs a program to its end; *status as waitpid() tells.  One that did not end in time or said too much was killed with all
 * that it began: ERR_LIMIT.
 */
int client_run(struct client *c, const struct client_run *how, int *status, struct err *e);

/* The same in steps, for a loop with poll(); how and what it points to must live as long. */
struct client_session;
int client_session_start(struct client *c, const struct client_run *how, struct client_session **out, struct err *e);
/* Takes what has come, without waiting; 1: it has ended, *status is valid. */
int client_session_pump(struct client_session *s, int *status, struct err *e);
/* Gives it input; *taken may be less than len, and 0, until client_session_pump() has taken more. */
int client_session_input(struct client_session *s, const void *buf, size_t len, size_t *taken, struct err *e);
int client_session_input_end(struct client_session *s, struct err *e);
int client_session_resize(struct client_session *s, uint16_t rows, uint16_t cols, struct err *e);
int client_session_signal(struct client_session *s, int signum, struct err *e);
/* Ends it if it runs, and waits until it has; NULL is fine. */
void client_session_end(struct client_session *s);

/* ---- volumes and filesystems ---- */

enum {
	CLIENT_LVM = 1u << 0,
	CLIENT_MD = 1u << 1,
	CLIENT_BTRFS = 1u << 2, /* members of filesystems of several devices are told to the kernel */
	CLIENT_BCACHE = 1u << 3,
};
/* Activates what the disks hold; `readonly` where the kernel knows how. */
int client_activate(struct client *c, unsigned kinds, bool readonly, struct err *e);
/* And takes it back, so that the disks are no longer in use. */
int client_deactivate(struct client *c, unsigned kinds, struct err *e);
struct client_group {
	char *uuid;    /* of a volume group of LVM2 */
	bool itself;   /* it gets another one, and not its members alone */
	size_t number; /* whatever who calls wants to remember */
};
/*
 * Gives the physical volumes of these groups, and those of none if that is wanted, other UUIDs, and groups themselves.  Their
 * volumes, of which none may be in use, are deactivated, and stay so.
 */
int client_lvm_new_uuids(struct client *c, const struct client_group *groups, size_t n, bool free_members, struct err *e);

struct client_volume {
	const char *device; /* "/dev/vda1", "/dev/vg/root" */
	const char *serial; /* of a disk, "" */
	uint64_t size;
	bool readonly;
	const char *type, *label, *uuid; /* what it holds, as blkid tells; "" */
};
/* Calls fn for each block device but the tools, until it returns non-zero. */
int client_volumes(struct client *c, int (*fn)(void *arg, const struct client_volume *v, struct err *e), void *arg,
		   struct err *e);

/* The device is then /dev/mapper/NAME. */
int client_luks_open(struct client *c, const char *device, const void *key, size_t keylen, const char *name,
		     bool readonly, struct err *e);
int client_luks_close(struct client *c, const char *name, struct err *e);

/*
 * How far client_fsck() and client_resize() are with an ext filesystem, whose check has five steps; other tools do not tell.  NULL:
 * nobody wants to know.
 */
void client_set_progress(struct client *c, void (*fn)(void *arg, unsigned step, uint64_t done, uint64_t of), void *arg);

/* What the tools said is appended to `said` where it is not NULL. */
int client_mkfs(struct client *c, const char *device, const char *type, const char *label, struct strbuf *said,
		struct err *e);
enum client_fsck {
	CLIENT_FSCK_CLEAN,
	CLIENT_FSCK_MENDED,
	CLIENT_FSCK_BAD, /* and not mended */
};
/* Of a filesystem that is not mounted; nothing is written unless `mend`. */
int client_fsck(struct client *c, const char *device, const char *type, bool mend, enum client_fsck *found,
		struct strbuf *said, struct err *e);
/*
 * The same of one that was just unmounted: not all of it is looked at, unless it is `small`.  ERR_UNSUPPORTED: its tools look at
 * all or nothing, or are not there.
 */
int client_fsck_quick(struct client *c, const char *device, const char *type, bool small, enum client_fsck *found,
		      struct strbuf *said, struct err *e);
/*
 * Gives an ext, XFS or btrfs filesystem, which is not mounted, another UUID; ERR_UNSUPPORTED for others.  ext is checked before,
 * and mended where that is safe, as its tool asks for it.
 */
int client_set_uuid(struct client *c, const char *device, const char *type, const char *uuid, struct err *e);
/*
 * Makes the filesystem as large as its device, or `size` bytes where that is not 0 and the filesystem knows how.  btrfs and
 * xfs are mounted for it; it must not be mounted already.
 */
int client_resize(struct client *c, const char *device, const char *type, uint64_t size, struct strbuf *said,
		  struct err *e);
/* Tells the disks what is free; *trimmed bytes. */
int client_fstrim(struct client *c, uint32_t mount, uint64_t *trimmed, struct err *e);

/* Unmounts and syncs all, and ends the machine: its answer comes before that. */
int client_poweroff(struct client *c, struct err *e);

#endif
