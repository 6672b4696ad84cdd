/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * block_driver.h - for those who write a driver or a filter.
 *
 * A driver is one const table at the foot of its file, listed in registry.c.  Callers reach it only through block.c,
 * which checks ranges against b->size, refuses writes on a read-only block, cuts nothing and fills in defaults for
 * what the table leaves NULL.  len is never 0 in an op.  pread, pwrite, zero, discard, extent and flush are called
 * from many threads at once; open, finish, truncate, check and close from one, with no I/O beside them.
 */
#ifndef DRYDOCK_BLOCK_DRIVER_H
#define DRYDOCK_BLOCK_DRIVER_H

#include "block.h"

#include <stdatomic.h>

struct magic {
	int64_t offset; /* negative: from the end */
	const char *bytes;
	size_t len; /* 0 ends the list */
};

/* How a tree of nodes is being opened: handed down from block_open() so that children follow the same rules. */
struct block_env {
	unsigned flags;			   /* BLOCK_* the user asked for */
	const struct block_policy *policy; /* never NULL here */
	const struct secrets *secrets;	   /* NULL: none; lent until the open returns */
	const struct block_env *above;	   /* the image whose backing (or data) file this is; NULL at the top */
	const struct block *node;	   /* that image's node, for the search of loops; NULL at the top */
	unsigned depth;			   /* of nesting and chain */
	unsigned write_backing;		   /* as in struct block_open, counted from here */
};

struct block {
	const struct block_driver *drv;
	struct block *file;	/* what the bytes lie in: one reference, NULL for a host file */
	struct block *backing;	/* one reference; NULL: none, or not opened */
	char *name;		/* never NULL after open */
	char *backing_name, *backing_format; /* as the image has them; NULL: none */
	uint64_t size;		/* what a guest sees; the driver's open sets it */
	unsigned flags;		/* BLOCK_* of this node */
	bool guessed;		/* raw by default */
	char *notice;		/* what opening it has done of which the user is to be told; NULL: nothing */
	struct redo_view *view;	/* a change that is shown over it, only ever of a block that is read; NULL: none */
	atomic_uint refs;
	void *state;		/* drv->state_size zeroed bytes */
};

/* Bitmaps in the image: as the functions of block.h of the same names. */
struct block_bitmap_ops {
	int (*list)(struct block *b, struct block_bitmaps *out, struct err *e);
	int (*add)(struct block *b, const char *name, uint64_t granularity, bool disabled, struct err *e);
	int (*remove)(struct block *b, const char *name, struct err *e);
	int (*clear)(struct block *b, const char *name, struct err *e);
	int (*enable)(struct block *b, const char *name, bool enable, struct err *e);
	int (*mark)(struct block *b, const char *name, uint64_t len, uint64_t off, struct err *e);
	int (*next)(struct block *b, const char *name, uint64_t off, uint64_t *run_off, uint64_t *len, struct err *e);
};

struct block_driver {
	const char *name;	/* "qcow2", as the user types it */
	size_t state_size;
	bool is_protocol;	/* opens a host file, or a source on a network, by itself: no b->file, no probing beneath */
	bool is_remote;		/* protocol: reaches the network, so an image names it only where the policy says so */
	const char *const *schemes; /* protocol that takes_names: further ones that it has ("nbds"); ends at NULL; NULL: none */
	bool takes_names;	/* protocol: "NAME:..." as a file name is for it, as its option "filename" */
	bool is_filter;		/* decides nothing: what lies where, and what comes from a backing file, the node beneath says */
	bool noise_init;	/* what was never written does not read as zeros: block_zero_init() */
	bool supports_backing;	/* what is not allocated comes from the backing file */
	struct magic magic[3];	/* ends at len 0; none: only by name, or by default (raw) */
	/* A second look when a magic has matched: 1 mine, 0 not, < 0 error.  NULL: the magic is enough. */
	int (*probe)(struct block *file, struct err *e);

	/*
	 * Judges the header and fills b->size and b->state; b->file is open.  Takes its own options out of opts.
	 * Opens its backing file with block_open_backing(), other files with block_open_named().
	 */
	int (*open)(struct block *b, struct dict *opts, const struct block_env *env, struct err *e);
	/* Frees the state; also runs after a failed open, on state that is partly zero.  Never fails, never writes. */
	void (*close)(struct block *b);
	/* Writes cached metadata and marks the image clean; then the core flushes.  NULL: nothing to do. */
	int (*finish)(struct block *b, struct err *e);

	int (*pread)(struct block *b, void *buf, size_t len, uint64_t off, struct err *e);
	int (*pwrite)(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e);
	/* NULL, or ERR_UNSUPPORTED returned: the core writes zeros out, unless BLOCK_ZERO_FAST. */
	int (*zero)(struct block *b, uint64_t len, uint64_t off, unsigned how, struct err *e);
	int (*discard)(struct block *b, uint64_t len, uint64_t off, struct err *e); /* NULL: ignored */
	int (*pwrite_compressed)(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e);
	/* Both or neither: block_pack(), block_pwrite_packed(). */
	int (*pack)(struct block *b, const void *buf, size_t len, uint64_t off, void *out, size_t *size, struct err *e);
	int (*pwrite_packed)(struct block *b, const void *packed, size_t size, size_t len, uint64_t off, struct err *e);
	/* As block_pwrite_from(), which has seen to it that src has a descriptor.  NULL: ERR_UNSUPPORTED. */
	int (*pwrite_from)(struct block *b, struct block *src, uint64_t len, uint64_t src_off, uint64_t off,
			   enum block_from how, struct err *e);
	/* out->off and ->len are preset to the request; shorten len.  NULL: all of it EXTENT_DATA | EXTENT_ALLOC. */
	int (*extent)(struct block *b, uint64_t len, uint64_t off, struct extent *out, struct err *e);
	/* Before b->file is flushed.  NULL: just the file. */
	int (*flush)(struct block *b, struct err *e);
	int (*truncate)(struct block *b, uint64_t size, enum block_prealloc p, struct err *e); /* sets b->size */

	int (*info)(struct block *b, struct block_info *out, struct err *e);
	void (*info_specific)(struct block *b, struct json *j);
	uint64_t (*allocated)(const struct block *b); /* NULL: that of b->file */
	/* As block_same_size(), of this node and of children other than b->file and b->backing. */
	int (*same_size)(struct block *b, struct err *e);
	bool (*was_written)(struct block *b); /* as block_was_written(), of the same */
	/* As block_is_unchanged(), of the same.  NULL: that depends on b->file and b->backing alone; of a protocol: never. */
	bool (*is_unchanged)(struct block *b);
	/* As block_refresh(), of the same, when b->file and b->backing were.  NULL: a filter keeps nothing, others cannot. */
	int (*refresh)(struct block *b, struct err *e);
	/* As block_grow(), when b->file has.  NULL: its size is its own, not that of the file. */
	void (*grow)(struct block *b);
	int (*check)(struct block *b, unsigned fix, struct check_report *r, struct err *e);
	int (*snapshots)(struct block *b, struct block_snapshots *out, struct err *e);
	int (*snapshot_load)(struct block *b, const char *id_or_name, struct err *e);
	int (*snapshot_create)(struct block *b, const struct block_snapshot *what, struct err *e);
	int (*snapshot_apply)(struct block *b, const char *id_or_name, struct err *e);
	int (*snapshot_delete)(struct block *b, const char *id_or_name, struct err *e);
	const struct block_bitmap_ops *bitmaps; /* NULL: none */
	int (*change_backing)(struct block *b, const char *name, const char *format, struct err *e);
	int (*make_empty)(struct block *b, struct err *e);

	/* The VM state area (block_vmstate_pread()); NULL: none. */
	int (*vmstate_pread)(struct block *b, void *buf, size_t len, uint64_t off, struct err *e);
	int (*vmstate_pwrite)(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e);

	const struct create_opt *create_opts; /* NULL: cannot be created */
	/*
	 * Makes an empty image in `file`, an empty writable block; takes its options, "size" among them, out of opts.
	 * path is where the file is, against which relative names (backing, data file) are taken.
	 */
	int (*create)(struct block *file, const char *path, struct dict *opts, const struct block_policy *policy,
		      struct err *e);
	/* In place of create, for formats that take keys: how->policy is never NULL here. */
	int (*create_how)(struct block *file, const char *path, struct dict *opts, const struct block_create_how *how,
			  struct err *e);
	const struct create_opt *amend_opts; /* NULL: nothing can be amended */
	int (*amend)(struct block *b, struct dict *opts, const struct block_amend_how *how, struct err *e);
	int (*measure)(struct dict *opts, struct block *src, struct measure_report *out, struct err *e);

	/*
	 * A debugging filter hears of an event ("l2_update") that a format driver reports with block_event(), and
	 * takes orders about it (struct block_debug).  NULL: nobody listens.
	 */
	void (*event)(struct block *b, const char *name);
	int (*debug)(struct block *b, enum block_debug what, const char *event, const char *tag, struct err *e);

	/* Protocol drivers only: the descriptor, and whether two nodes are the same host file. */
	int (*host_fd)(const struct block *b);
	bool (*host_id)(const struct block *b, uint64_t *dev, uint64_t *ino); /* as block_host_id() */
	bool (*same_host)(const struct block *a, const struct block *b);
};

/* ---- services of the core for drivers ---- */

/*
 * Opens b's backing file from b->backing_name and ->backing_format into b->backing, read-only, under the policy,
 * unless flags say BLOCK_NO_BACKING or there is no name.  opts: what the user gave for it ("backing.*", taken out).
 */
int block_open_backing(struct block *b, struct dict *opts, const struct block_env *env, struct err *e);
/*
 * Opens another file that the image b names, as a child, under the policy; relative names are taken from where b is.
 * format NULL: the protocol node itself (plain bytes).
 */
int block_open_named(struct block *b, const char *name, const char *format, unsigned flags, struct dict *opts,
		     const struct block_env *env, struct block **out, struct err *e);
/* A path named by an image that lies at image_path; json: and absolute names are kept; free() it. */
char *block_resolve_name(const char *image_path, const char *name, struct err *e);
/* What the backing file holds, zeros past its end or where there is none: for what a driver has not allocated. */
int block_pread_backing(struct block *b, void *buf, size_t len, uint64_t off, struct err *e);
/* Opens a host file as a protocol node, for create: made when missing, if `make` is given, and then *make tells. */
int block_open_host(const char *path, unsigned flags, bool *make, struct block **out, struct err *e);
/* A protocol node over a descriptor, which it owns from now on (on failure too); no locks. */
int block_host_fd_open(int fd, const char *name, unsigned flags, struct block **out, struct err *e);
/* Opens the child that the options "KEY.*" describe; without a "driver" there it is a host file.  For filters. */
int block_open_child(struct dict *opts, const char *key, const struct block_env *env, unsigned flags, struct block **out,
		     struct err *e);
/* Reports a step of a format driver's metadata work to the node beneath it. */
static inline void block_event(struct block *file, const char *name)
{
	if (file->drv->event)
		file->drv->event(file, name);
}
/* Takes an option that is one of the words (which end at NULL): *out is its number, or stays when the key is absent. */
int block_take_word(struct dict *opts, const char *key, const char *const words[], unsigned *out, struct err *e);
/* Takes the options that any node may have (node_options.c) and sets the flags that they stand for. */
int block_take_node_options(struct dict *opts, unsigned *flags, struct err *e);
/* Flags of one node only, not of those beneath it. */
#define BLOCK_OWN_FLAGS                                                                                                \
	(BLOCK_FACTS | BLOCK_WRITETHROUGH | BLOCK_NO_DISCARD | BLOCK_DETECT_ZEROES | BLOCK_DETECT_UNMAP)
/* A new node without a driver's open: for filters.  Takes a reference on file (may be NULL). */
int block_new_filter(const struct block_driver *drv, struct block *file, struct block **out, struct err *e);

/* b ends there, or behind it; beside reads and writes. */
void block_reach(struct block *b, uint64_t end);

/* registry.c: ends at NULL. */
extern const struct block_driver *const block_drivers[];
const struct block_driver *block_driver_find(const char *name);
extern const struct block_driver block_host, block_host_device, block_raw, block_qcow2, block_luks, block_null_co,
	block_null_aio, block_http, block_https, block_nbd, block_blkdebug, block_quorum, block_copy_on_read, block_throttle;

/* ---- the fault filter: tests only ---- */

/*
 * fault.c: every read, write, zero, discard, truncate and flush through it is counted; the nth write-like call
 * (fail_write_at) or read (fail_read_at) fails with EIO; from cut_at on, all writes are dropped silently (a power cut).
 * A recorder sees each write-like call in order.
 */
enum fault_kind { FAULT_WRITE, FAULT_ZERO, FAULT_DISCARD, FAULT_TRUNCATE, FAULT_FLUSH };
struct fault_plan {
	atomic_ulong nreads, nwrites;
	unsigned long fail_read_at, fail_write_at; /* 1 is the first; 0 never */
	bool fail_all_after;	/* the failure stays (a dead disk, a full one) */
	int sys_errno;		/* what the failure says; 0: EIO */
	void (*record)(void *arg, enum fault_kind kind, const void *buf, uint64_t len, uint64_t off);
	void *arg;
};
/* plan is lent for the life of the block. */
int block_fault(struct block *over, struct fault_plan *plan, struct block **out, struct err *e);

#endif
