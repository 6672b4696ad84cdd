/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mount.h - a guest's files, or its disks, below a folder of the host: what the parts of the mount share.
 *
 * A mount is two processes.  The *keeper* makes the mount and takes it away; it looks at nothing of the guest.  The *server*
 * opens the images, confines itself, and answers the kernel.  The mount is made only when the server could read the guest; its
 * descriptor goes to the server over a socket.  Whatever ends the server, the keeper takes the mount away, and it ends last: when
 * its process is gone, the images are released.
 */
#ifndef DRYDOCK_MOUNT_H
#define DRYDOCK_MOUNT_H

#include "guest_opts.h"
#include "libfuse.h"

/* A range of numbers of users, or groups, that is shown as another. */
struct id_range {
	uint32_t guest, host, n;
};
#define ID_RANGES_MAX 64
struct id_map {
	struct id_range ranges[ID_RANGES_MAX];
	size_t n;
};

/* What the mount's own options of -o say. */
struct mount_opts {
	bool has_uid, has_gid, has_umask;
	uint32_t uid, gid, umask;
	struct id_map uids, gids;
	double attr_timeout, entry_timeout, negative_timeout; /* seconds; < 0: not given */
	bool permissions; /* the kernel checks them, with ACLs */
	struct fuse_args args; /* what is left, for libfuse */
};

/* mount_opts.c */

/* Takes the texts of -o apart: 0, or EXIT_USAGE with a sentence printed, that begins with name. */
int mount_opts_parse(const char *name, const struct libfuse *f, const struct opt_list *texts, struct mount_opts *out);
/* Adds "GUEST:HOST[:COUNT]" to a map: the same. */
int mount_opts_map(const char *name, const struct opt_list *texts, struct id_map *out);
/* How what a guest says of a file is shown. */
void mount_opts_show(const struct mount_opts *o, struct stat *st);
/* The way back: who the guest's user and group are that are shown so. */
void mount_opts_hide(const struct mount_opts *o, uint32_t uid, uint32_t gid, uint32_t *guest_uid, uint32_t *guest_gid);

/* keeper.c */

struct keeper_how {
	const struct libfuse *f;
	const char *name;	/* that sentences begin with: "drydock" */
	const char *mountpoint; /* as the user wrote it */
	struct fuse_args *args; /* of the mount */
	bool foreground;
	int ready_fd;	      /* a byte is written to it when the mount is there; -1: none */
	const char *pid_file; /* NULL: none */
	/* In the server: ends with the mount.  Its exit status is that of the whole. */
	int (*serve)(void *arg, int control);
	void *arg;
};
/* Returns the exit status: at once when the mount is there, unless it is in the foreground. */
int keeper_run(const struct keeper_how *how);

/* server.c: the server's half of the talk. */

struct server_early;

struct server_how {
	const struct libfuse *f;
	const char *name;
	int control;
	const struct fuse_args *args;
	const struct fuse_lowlevel_ops *ops;
	void *userdata;
	unsigned threads;
	const struct server_early *early;
	bool quiet; /* standard streams are left when the mount is there */
};
/* What has to be had before confinement. */
#define INHERITED_MAX 64u
struct server_early {
	int null;	 /* a descriptor of /dev/null; -1: there is none */
	int inherited[INHERITED_MAX]; /* what the caller had open: not held when the mount is there */
	unsigned ninherited;
	char keeper[64]; /* process_name() of the keeper */
};
void server_prepare(struct server_early *out, int control);
/* The descriptors from 3 on that are open now, but for `but`: how many. */
unsigned open_descriptors(int *out, unsigned max, int but);
/*
 * "PID START": a process by its number and when it began, which no other will have; "" when it is gone or cannot be looked at.
 * This is the value of the attribute SERVER_KEEPER, which the root folder of each mount has and no list shows.
 */
void process_name(long pid, char *out, size_t size);
#define SERVER_KEEPER "user.drydock.keeper"
/*
 * To set this attribute of the root folder of a mount that is written to puts what was written so far into the image; where that
 * fails, its value is a sentence that tells why.
 */
#define SERVER_COMMIT "user.drydock.commit"
/* Answers getxattr. */
void server_xattr(const struct libfuse *f, fuse_req_t req, const void *value, size_t len, size_t size);
/* Was the server told to end, rather than the mount taken away?  To be asked when it has ended. */
bool server_is_stopped(int control);
/* Asks for the mount and answers the kernel until it is gone: the exit status. */
int server_run(const struct server_how *how);

/* buffers.c: pieces of memory of one size that are used again and again, by many threads. */

struct buffers;
#define BUFFER_SIZE (1u << 20)
struct buffers *buffers_new(void); /* NULL when memory is out */
void buffers_free(struct buffers *b);
void *buffers_take(struct buffers *b); /* of BUFFER_SIZE; NULL when memory is out */
void buffers_give(struct buffers *b, void *buf);

/* pieces.c: a read as pieces of host files, zeros, and memory. */

/* A run of a file's bytes. */
struct run {
	uint64_t off, len;
	enum { RUN_FILE, RUN_ZERO, RUN_OTHER } kind;
	int fd; /* RUN_FILE, with: */
	uint64_t host_off;
};
/* Some neighbouring runs of a file, which do not change. */
#define WINDOW_RUNS 64
struct window {
	unsigned refs; /* atomic */
	uint64_t off, end;
	size_t n;
	struct run runs[WINDOW_RUNS];
};
void window_unref(struct window *w); /* NULL is fine */
/* Adds a run behind the others, to the last one where it goes on; false: there is no room. */
bool window_add(struct window *w, const struct run *r);
/* Does it tell of all that range, so that nothing else is needed to read it? */
bool window_has(const struct window *w, uint64_t off, size_t len);
/* Answers a read of a range that window_has(). */
void window_reply(const struct window *w, const struct libfuse *f, struct buffers *b, fuse_req_t req, uint64_t off, size_t len);

/* An errno for an error. */
int mount_errno(const struct dry_error *e);

/* tree.c: the files of a guest.  Serves until the mount is gone: the exit status. */

struct tree_how {
	const struct guest_opts *opts;
	struct guest_ref *ref;
	const struct mount_opts *mount;
	struct server_how server; /* ops, userdata and threads are the tree's */
	struct dry_change *change; /* what is written goes here; NULL: nothing is.  It is not ended */
	bool discard;		   /* and is never kept */
	uint64_t commit_every;	   /* seconds after which what was written is kept; 0: at the end only */
	bool live;		   /* others change the guest: nothing is kept */
};
int tree_serve(const struct tree_how *how);

/* blocks.c: the disks of a guest, and what lies on them, as files. */

struct blocks_how {
	struct guest_set *set; /* the first is the guest; the others are its snapshots, by the label's name */
	const struct mount_opts *mount;
	bool write;
	struct server_how server;
};
int blocks_serve(const struct blocks_how *how);

/* unmount.c */

enum commit_answer { COMMIT_DONE, COMMIT_FAILED, COMMIT_NOTHING };
/*
 * Puts what was written below a mount into its images; nothing: it is none of ours, or nothing that is written there is kept.
 * What went wrong is told unless quiet.
 */
enum commit_answer mount_commit(const char *name, const char *mountpoint, bool quiet);
enum unmount_answer { UNMOUNT_DONE, UNMOUNT_FAILED, UNMOUNT_BUSY, UNMOUNT_NOT_MOUNTED };
/*
 * Takes a mount away; tries so many times more, a second apart, while it is busy.  What went wrong is told unless quiet.
 */
enum unmount_answer unmount(const char *name, const char *mountpoint, unsigned retries, bool quiet);

#endif
