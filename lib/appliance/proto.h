/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * proto.h - what client and agent say to each other, over one stream of bytes.
 *
 * A frame is a head of 12 bytes, little-endian, and its body:
 *
 *	u32 length of the body, at most LIMIT_PROTO_BODY	u32 tag		u16 type	u16 flags
 *
 * The agent speaks first, PROTO_HELLO with tag 0.  From then on the client asks, with tags of its choice, as many
 * questions at a time as it likes, and each gets its answer: a frame with the same tag and type and PROTO_ANSWER, or
 * several, all but the last with PROTO_MORE.  PROTO_FAILED: the body is u32 errno, string.  Questions about files are
 * answered in their order; a program that runs is answered when it has ended, and meanwhile frames of its tag go both ways:
 *
 *	PROTO_DATA	u8 stream, bytes: 0 to the program (none: the end), 1 and 2 from it
 *	PROTO_CREDIT	u8 stream, u32 bytes that the other end may send more.  At first there is none
 *	PROTO_RESIZE	u16 rows, u16 columns, of its terminal
 *	PROTO_SIGNAL	u32 the number of a signal, to the program
 *	PROTO_CANCEL	it is killed; its answer then comes as ever
 *	PROTO_PROGRESS	u32 step, u64 done, u64 of so much: from one that tells (PROTO_RUN_PROGRESS), ten times a second at most
 *
 * In a body, numbers are little-endian, a string is u16 length and bytes without NUL, and a file's facts ("stat") are the
 * node and the fields in the order of proto_put_stat().
 */
#ifndef DRYDOCK_PROTO_H
#define DRYDOCK_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROTO_MAGIC 0x6b636f6479726421ULL
#define PROTO_VERSION 5
#define PROTO_HEAD 12
#define PROTO_BLOCK 4096u

enum proto_type {
	PROTO_HELLO = 1, /* u64 PROTO_MAGIC, u32 PROTO_VERSION, str kernel, str machine */
	PROTO_PING,	 /* -> - */
	PROTO_POWEROFF,	 /* -> -, and when that has come the same again, which is not answered */
	PROTO_DEVICE,	 /* str device -> str path */
	PROTO_DISKS,	 /* -> u16 n, n times {str path, str serial, u64 size, u8 readonly} */
	PROTO_MODULES,	 /* str purpose: loads what it takes -> - */
	PROTO_MOUNT,	 /* str device, str type, str options, u8 readonly -> u32 mount, u64 root, str type */
	PROTO_UMOUNT,	 /* u32 mount -> - */
	PROTO_SYNC,	 /* -> - */
	PROTO_STATFS,	 /* u32 mount -> u64 block size, blocks, free, available, inodes, free */
	PROTO_FSTRIM,	 /* u32 mount -> u64 bytes */
	PROTO_FREEZE,	 /* u32 mount -> u8: frozen, else only written out */
	PROTO_THAW,	 /* u32 mount -> - */
	PROTO_STAT,	 /* u64 node -> stat */
	PROTO_STATS,	 /* u64 folder, u16 n, n times str -> n times {u32 errno, if 0: stat} */
	PROTO_LOOKUP,	 /* u64 folder, str name -> stat */
	PROTO_READDIR,	 /* u64 folder, u64 cookie (0: from the start) -> u64 cookie, u8 end, rest: {u64 node, u32 type, str} */
	PROTO_PREAD,	 /* u64 node, u64 offset, u32 length -> bytes */
	PROTO_READLINK,	 /* u64 node -> str */
	PROTO_XATTRS,	 /* u64 node -> {str name, u32 length, bytes}, in frames as many as it takes */
	PROTO_EXTENT,	 /* u64 node, u64 offset -> u64 length, u8 hole */
	PROTO_PLACE,	 /* u64 node, u64 offset -> u8 known, u64 length, u64 where */
	PROTO_CREATE,	 /* u64 folder, str name, u32 mode, u32 uid, u32 gid -> stat */
	PROTO_MKDIR,	 /* as PROTO_CREATE */
	PROTO_MKNOD,	 /* as PROTO_CREATE, u32 major, u32 minor */
	PROTO_SYMLINK,	 /* u64 folder, str name, str target, u32 uid, u32 gid -> stat */
	PROTO_LINK,	 /* u64 node, u64 folder, str name -> - */
	PROTO_UNLINK,	 /* u64 folder, str name -> - */
	PROTO_RMDIR,	 /* u64 folder, str name -> - */
	PROTO_RENAME,	 /* u64 folder, str name, u64 folder, str name, u8 PROTO_RENAME_* -> - */
	PROTO_CHMOD,	 /* u64 node, u32 mode -> - */
	PROTO_CHOWN,	 /* u64 node, u32 uid, u32 gid -> - */
	PROTO_UTIMENS,	 /* u64 node, twice {u8 set, u64 seconds, u32 nanoseconds} -> - */
	PROTO_TRUNCATE,	 /* u64 node, u64 size -> - */
	PROTO_PWRITE,	 /* u64 node, u64 offset, rest: bytes -> - */
	PROTO_FALLOCATE, /* u64 node, u64 offset, u64 length, u8 PROTO_ALLOCATE_* -> - */
	PROTO_SETXATTR,	 /* u64 node, str name, u8 PROTO_XATTR_*, rest: value -> - */
	PROTO_REMOVEXATTR, /* u64 node, str name -> - */
	PROTO_FSYNC,	 /* u64 node -> - */
	/*
	 * u8 PROTO_RUN_*, u16 rows, u16 columns, u64 milliseconds, u64 bytes of output, u16 n, n times str: argv, u16 n, n
	 * times str: environment, u16 n, n times {u32 mount, str path} -> u32 status as of waitpid(), u8 PROTO_CUT_*
	 */
	PROTO_RUN,
	PROTO_DATA,
	PROTO_CREDIT,
	PROTO_RESIZE,
	PROTO_SIGNAL,
	PROTO_CANCEL,
	PROTO_PROGRESS,
	PROTO_SLEEP, /* -> -: nothing is mounted or runs, and disks are let go: the machine is about to be saved */
	PROTO_WAKE,  /* u64 seconds, u32 nanoseconds, u16 disks, u16 length, so many bytes: what one that was asleep hears first; it
		      * says PROTO_HELLO, in another machine than it fell asleep in */
	/* What is much goes through slots of a device, by whole blocks of PROTO_BLOCK bytes (window.h). */
	PROTO_WINDOW, /* str device, u64 where they begin, u32 bytes of each, u16 n -> - */
	PROTO_FETCH,  /* u64 node, u64 offset, u32 length, u16 slot -> u32 bytes that were read into it */
	PROTO_STORE,  /* u64 node, u64 offset, u32 length, u16 slot: so much of it is written -> - */
	PROTO_NTYPES,
};

enum {
	PROTO_ANSWER = 1u << 0,
	PROTO_MORE = 1u << 1,
	PROTO_FAILED = 1u << 2,
};

enum {
	PROTO_RUN_TERMINAL = 1u << 0,
	PROTO_RUN_NETWORK = 1u << 1, /* the machine's own resolv.conf lies over that of the root */
	PROTO_RUN_TOOLS = 1u << 3, /* it is a tool, which sees what the root would be below /sysroot */
	PROTO_RUN_PROGRESS = 1u << 2, /* descriptor 3 takes lines "step done of", as e2fsck -C 3 writes them */
};

/* Why a program was killed. */
enum {
	PROTO_CUT_NOT,
	PROTO_CUT_TIME,
	PROTO_CUT_OUTPUT,
	PROTO_CUT_CANCEL,
};

/* What a name or an attribute that is there already, or not, means. */
enum {
	PROTO_RENAME_NOREPLACE = 1u << 0,
	PROTO_RENAME_EXCHANGE = 1u << 1,
};
enum {
	PROTO_ALLOCATE_PUNCH = 1u << 0,
	PROTO_ALLOCATE_KEEP_SIZE = 1u << 1,
	PROTO_ALLOCATE_ZERO = 1u << 2,
};
enum {
	PROTO_XATTR_CREATE = 1u << 0,
	PROTO_XATTR_REPLACE = 1u << 1,
};

struct proto_head {
	uint32_t len, tag;
	uint16_t type, flags;
};
void proto_head_put(uint8_t bytes[PROTO_HEAD], const struct proto_head *h);
void proto_head_get(const uint8_t bytes[PROTO_HEAD], struct proto_head *h);

/*
 * A frame that is being written: memory of the caller's, with room for PROTO_HEAD in front.  What has no room sets
 * `failed`, and nothing more is added.
 */
struct proto_out {
	uint8_t *bytes;
	size_t len, cap;
	bool failed;
};
void proto_begin(struct proto_out *o, void *bytes, size_t cap);
/* Writes the head; how many bytes the frame has, 0 when it had no room. */
size_t proto_end(struct proto_out *o, uint32_t tag, uint16_t type, uint16_t flags);
void proto_put_u8(struct proto_out *o, uint8_t v);
void proto_put_u16(struct proto_out *o, uint16_t v);
void proto_put_u32(struct proto_out *o, uint32_t v);
void proto_put_u64(struct proto_out *o, uint64_t v);
void proto_put_bytes(struct proto_out *o, const void *bytes, size_t len);
void proto_put_str(struct proto_out *o, const char *s); /* longer than 65535 bytes, or with no room: failed */
/* Room for so many bytes that the caller fills, or NULL. */
uint8_t *proto_put_room(struct proto_out *o, size_t len);

/* A body that is being read.  What is not there is 0, "" or NULL, and sets `bad`. */
struct proto_in {
	const uint8_t *at;
	size_t left;
	bool bad;
};
uint8_t proto_get_u8(struct proto_in *in);
uint16_t proto_get_u16(struct proto_in *in);
uint32_t proto_get_u32(struct proto_in *in);
uint64_t proto_get_u64(struct proto_in *in);
const uint8_t *proto_get_bytes(struct proto_in *in, size_t len);
/* Copies a string: longer than size - 1 bytes, or with a NUL in it, is bad.  Its length. */
size_t proto_get_str(struct proto_in *in, char *buf, size_t size);
/* Is this all, and was it all there? */
bool proto_done(const struct proto_in *in);

/* A file's facts, as fs_stat of fs.h, which the agent does not see. */
struct proto_time {
	int64_t sec;
	uint32_t nsec;
};
struct proto_stat {
	uint64_t node, ino, size, blocks512, subvol;
	uint32_t mode, nlink, uid, gid, rdev_major, rdev_minor;
	struct proto_time atime, mtime, ctime, crtime;
	bool has_crtime;
};
#define PROTO_STAT_SIZE (5 * 8 + 6 * 4 + 4 * 12 + 1)
void proto_put_stat(struct proto_out *o, const struct proto_stat *st);
void proto_get_stat(struct proto_in *in, struct proto_stat *st);

#endif
