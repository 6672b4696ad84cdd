/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * agent.h - the program that runs in the appliance, as its first process, and does there what the client asks.
 *
 * It is static and small: it comes up with the kernel.  On a host, for tests, it serves folders (agent_serve() with
 * `folders`).  Functions return 0 or an errno, and leave a sentence with agent_say() where the errno alone says too little.
 */
#ifndef DRYDOCK_AGENT_H
#define DRYDOCK_AGENT_H

#include "proto.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define AGENT_MOUNTS 250
/* The longest path of a device or mount of ours. */
#define AGENT_PATH 320
#define AGENT_NAME 1021
/* Open files, kept to be used again. */
#define AGENT_FDS 128

enum agent_open {
	OPEN_PATH, /* O_PATH: whatever it is */
	OPEN_READ, /* regular files and folders */
	OPEN_WRITE, /* regular files */
};

struct agent_fd {
	uint64_t node; /* 0: free */
	enum agent_open how;
	int fd;
	uint64_t used; /* when: the smallest is closed first */
	uint64_t at;   /* of a folder: where the next entry is read */
};

/* Files that are known by the folder they are in and their name there. */
struct agent_entry {
	uint64_t ino;
	uint32_t dev;
	uint32_t parent; /* its index */
	uint32_t name;	 /* where in `names`: u16 length, bytes, NUL */
	uint32_t next;	 /* of the same hash, 0: none */
	uint32_t mount;
	uint32_t also;	 /* by which other name it was met, 0: none */
};
/* Another name of a file with hard links, or one that it had. */
struct agent_also {
	uint32_t parent, name; /* as an entry's */
	uint32_t next;	       /* older, 0: none */
};
struct agent_nodes {
	struct agent_fd fds[AGENT_FDS];
	uint64_t tick;
	struct agent_entry *entries; /* [0] is none */
	uint32_t nentries, entries_cap;
	struct agent_also *also; /* [0] is none */
	uint32_t nalso, also_cap;
	uint32_t free_also; /* those that are none any more, 0: no such */
	uint8_t *names;
	size_t names_len, names_cap;
	uint32_t *hash; /* of entries; its size is a power of two */
	uint32_t hash_size;
};

/* How a file is found again by its node. */
enum agent_by {
	BY_NAME, /* the node is an entry's index */
	BY_EXT,	 /* the node is the inode's number, which makes a handle */
	BY_BTRFS, /* the same with the subvolume's place in `subvols` */
};
struct agent_subvol {
	uint32_t dev;
	uint64_t id;
};
struct agent_mount {
	bool used, readonly, plain; /* plain: places of extents are those of the device */
	bool frozen;		    /* who writes there waits until it is thawed */
	bool folder;		    /* of the host: not ours to unmount */
	char path[AGENT_PATH], type[32];
	int fd; /* of its root, a folder */
	enum agent_by by;
	uint64_t root; /* the node */
	struct agent_subvol *subvols;
	uint32_t nsubvols;
};

/* Slots of a device, through which bulk data goes. */
struct agent_window {
	int fd; /* -1: none yet */
	uint64_t off;
	uint32_t slot_size;
	uint16_t nslots;
	uint8_t *buf; /* a slot */
};

struct agent_run;

struct agent {
	int in, out;
	bool init;     /* the first process of a machine that is ours */
	bool folders;  /* "folder:/PATH" is a device */
	bool readonly; /* nothing is changed or run, and nothing more is mounted */
	bool ending;
	bool asleep; /* the machine may have been saved: it is to be woken */
	bool tools; /* the image of tools is mounted */
	uint8_t *request, *answer;
	size_t have; /* bytes in `request` */
	struct proto_out o; /* the answer that is being written */
	char said[600];
	struct agent_mount mounts[AGENT_MOUNTS + 1]; /* [0] is none */
	struct agent_nodes nodes;
	struct agent_run *runs[8];
	unsigned nruns;
	struct agent_window window;
	char *modules; /* the text of /modules.list */
	int kmsg;      /* the kernel's log, -1: none */
};

/* The question that is answered. */
struct question {
	uint32_t tag;
	uint16_t type;
	struct proto_in in;
};

/* main.c */
int agent_new(struct agent **out, int in, int out_fd);
void agent_free(struct agent *a);
/* Until the client is gone or asks for the end. */
int agent_serve(struct agent *a);
/* Takes one frame; < 0: the client cannot be understood. */
int agent_take(struct agent *a, const struct proto_head *h, const uint8_t *body);

/* channel.c */
/* What went wrong, in words; `errnum` is returned. */
__attribute__((format(printf, 3, 4))) int agent_say(struct agent *a, int errnum, const char *fmt, ...);
int agent_hello(struct agent *a);
/* Reads what is sure to come: at least a byte, at most len. */
ssize_t agent_read(struct agent *a, uint8_t *to, size_t len);
/* An answer is begun in a->o ... */
struct proto_out *agent_begin(struct agent *a);
/* ... and sent. */
void agent_send(struct agent *a, uint32_t tag, uint16_t type, uint16_t flags);
void agent_answer(struct agent *a, const struct question *q);
void agent_more(struct agent *a, const struct question *q);
void agent_fail(struct agent *a, const struct question *q, int errnum);

/* init.c */
/* Makes a running system of an empty one; *channel is the port to the client. */
int agent_init(struct agent *a, int *channel);
__attribute__((noreturn)) void agent_poweroff(void);
void make_folder(const char *path);

/* sleep.c */
int ask_sleep(struct agent *a, struct question *q);
int ask_wake(struct agent *a, struct question *q);

/* network.c */
/* Makes use of the network that the machine was given. */
int network_begin(struct agent *a);

/* modules.c */
void modules_read(struct agent *a);
/* Loads what a purpose takes ("fs-xfs"); unknown ones take nothing. */
int modules_load(struct agent *a, const char *purpose);

/* devices.c */
/* The path of a device: "serial:NAME" is looked for, a path is taken as it is. */
int device_path(struct agent *a, const char *device, char path[AGENT_PATH]);
int ask_device(struct agent *a, struct question *q);
int ask_disks(struct agent *a, struct question *q);

/* mount.c */
struct agent_mount *mount_find(struct agent *a, uint64_t number);
int mount_tools(struct agent *a);
void umount_all(struct agent *a);
int ask_mount(struct agent *a, struct question *q);
int ask_umount(struct agent *a, struct question *q);
int ask_sync(struct agent *a, struct question *q);
int ask_statfs(struct agent *a, struct question *q);
int ask_fstrim(struct agent *a, struct question *q);
int ask_freeze(struct agent *a, struct question *q);
int ask_thaw(struct agent *a, struct question *q);

/* nodes.c */
#define NODE_MOUNT(node) ((uint32_t)((node) >> 56))
int node_mount(struct agent *a, uint64_t node, struct agent_mount **m);
/* How files of a mount are found again, and its root. */
int nodes_begin(struct agent *a, uint32_t number);
/* Forgets all of a mount. */
void nodes_end(struct agent *a, uint32_t number);
/* A descriptor, lent: the next call may close it. */
int node_open(struct agent *a, uint64_t node, enum agent_open how, int *fd);
struct agent_fd *node_open_slot(struct agent *a, uint64_t node, enum agent_open how, int *errnum);
/* Facts of a name in a folder (NULL: of the folder or file itself), which becomes known. */
int node_stat_at(struct agent *a, uint64_t dir, const char *name, struct proto_stat *st);
int node_stat(struct agent *a, uint64_t node, struct proto_stat *st);
/* The node of an entry of a folder when it is known at no cost, else 0. */
uint64_t node_of_entry(struct agent *a, uint64_t dir, const char *name, uint64_t ino, unsigned char type);
/* "/proc/self/fd/N" of a node. */
int node_proc_path(struct agent *a, uint64_t node, char path[64]);
/* A name is gone, or is elsewhere: what was open by it is closed. */
void nodes_moved(struct agent *a);
/* Something may be run: what was open for writing is closed, as the kernel runs no such file. */
void nodes_written(struct agent *a);

/* files.c */
int ask_stat(struct agent *a, struct question *q);
int ask_stats(struct agent *a, struct question *q);
int ask_lookup(struct agent *a, struct question *q);
int ask_readdir(struct agent *a, struct question *q);
int ask_pread(struct agent *a, struct question *q);
int ask_readlink(struct agent *a, struct question *q);
int ask_xattrs(struct agent *a, struct question *q);
int ask_extent(struct agent *a, struct question *q);
int ask_place(struct agent *a, struct question *q);
/* A name of one component, or EINVAL. */
int get_name(struct proto_in *in, char name[AGENT_NAME]);

/* change.c */
int ask_make(struct agent *a, struct question *q);
int ask_symlink(struct agent *a, struct question *q);
int ask_link(struct agent *a, struct question *q);
int ask_unlink(struct agent *a, struct question *q);
int ask_rename(struct agent *a, struct question *q);
int ask_chmod(struct agent *a, struct question *q);
int ask_chown(struct agent *a, struct question *q);
int ask_utimens(struct agent *a, struct question *q);
int ask_truncate(struct agent *a, struct question *q);
int ask_pwrite(struct agent *a, struct question *q);
int ask_fallocate(struct agent *a, struct question *q);
int ask_xattr(struct agent *a, struct question *q);
int ask_fsync(struct agent *a, struct question *q);

/* A regular file that is to be written, by its node. */
int change_file(struct agent *a, struct proto_in *in, int *fd);

/* window.c */
int ask_window(struct agent *a, struct question *q);
int ask_fetch(struct agent *a, struct question *q);
int ask_store(struct agent *a, struct question *q);
void window_close(struct agent *a);

/* run.c */
int ask_run(struct agent *a, struct question *q);
/* Frames to a program that runs. */
void run_take(struct agent *a, struct question *q);
/* What programs wait for: fills at most 5 entries for each, returns how many; *wait_ms is made shorter where it must. */
unsigned runs_poll(struct agent *a, struct pollfd *fds, int *wait_ms);
void runs_pump(struct agent *a);
void runs_kill(struct agent *a);

/* keeper.c */
struct agent_bind {
	char from[AGENT_PATH], *path; /* path: where it is seen, "/" for the root */
};
struct agent_program {
	char **argv, **env;
	struct agent_bind *binds;
	size_t nbinds;
	bool host;	      /* with `shared`: it sees what the agent does */
	bool shared;	      /* no namespaces: it sees the tools, and what it mounts stays */
	int stdio[3];	      /* all the same: a terminal */
	bool terminal;
	bool tools;	      /* not shared: it sees the tools, and its root's tree below /sysroot */
	bool network;	      /* its names are looked up as the machine's are */
	int progress;	      /* its descriptor 3; -1: none */
	int control;	      /* takes bytes, numbers of signals; gives the status, u32 */
};
/*
 * Begins a process that runs the program and waits for it; but for shared ones it is the first of a namespace, and when it
 * ends, all in there does.  It ends what it runs when `control` is closed.
 */
int keeper_start(struct agent *a, const struct agent_program *p, pid_t *pid);
/* Runs a tool to its end, in so many seconds; its output, cut at size - 1 bytes. */
int agent_tool(struct agent *a, const char *const *argv, unsigned seconds, char *buf, size_t size, int *status);

#endif
