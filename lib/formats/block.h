/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * block.h - a disk image as bytes: what the layers above see.
 *
 * A struct block is a node: a host file, a format over a file, a filter over another node.  Offsets and lengths are
 * bytes, any alignment.  Every call is all or error, and may be made from many threads at once on one block.
 */
#ifndef DRYDOCK_BLOCK_H
#define DRYDOCK_BLOCK_H

#include "dict.h"
#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct block;
struct json;
struct secrets; /* secret.h */

/* ---- opening ---- */

enum {
	BLOCK_WRITE = 1u << 0,	      /* open for writing; else any write is refused */
	BLOCK_RESIZE = 1u << 1,	      /* with BLOCK_WRITE: the size may change */
	BLOCK_NO_BACKING = 1u << 2,   /* do not open the backing file: what it holds reads as zeros */
	BLOCK_FORCE_SHARE = 1u << 3,  /* read although another process holds the image's locks; take none */
	BLOCK_NO_LOCK = 1u << 4,      /* take no locks at all (a temporary file of our own) */
	BLOCK_DIRECT = 1u << 5,	      /* bypass the page cache (cache mode none, directsync) */
	BLOCK_WRITETHROUGH = 1u << 6, /* a write is stable when it returns, with all that it takes to find it again */
	BLOCK_UNSAFE = 1u << 7,	      /* flush does nothing */
	BLOCK_CHECK = 1u << 8,	      /* for check and repair: damaged metadata must not stop the open where avoidable */
	BLOCK_GUESS_WRITE = 1u << 9,  /* allow writing to an image whose raw format was only guessed (the peers do) */
	BLOCK_FACTS = 1u << 11, /* for facts only: a data file is not opened, and nothing of the content can be asked */
	BLOCK_SHARE_WRITE = 1u << 10, /* others may write to a raw image meanwhile: for facts, not for content */
	BLOCK_NO_DISCARD = 1u << 12,	/* discards do nothing, and zeros that are written make no holes */
	BLOCK_DETECT_ZEROES = 1u << 13, /* a write of nothing but zeros is one of zeros, */
	BLOCK_DETECT_UNMAP = 1u << 14,	/* and may make holes */
	BLOCK_NO_LUKS = 1u << 15, /* guessing: a LUKS header is content of a raw disk, whose guest encrypts by itself */
};

/* Which host files an image may name as its backing, data or extent file. */
struct block_policy {
	bool allow_all;		    /* the peers' behaviour: whatever the image says */
	bool allow_none;	    /* not even beside the image */
	const char *const *allowed; /* folders or files, besides the image's own folder */
	size_t nallowed;
};

struct block_open {
	const char *format;		   /* NULL: guess */
	const struct dict *opts;	   /* further options of the tree ("file.offset" ...); NULL: none */
	unsigned flags;
	const struct block_policy *policy; /* NULL: only beside the image */
	const struct secrets *secrets;	   /* what key-secret options name; NULL: none.  Lent until the call returns */
	/* Told, before the call returns, each sentence that block_notice() has; NULL: nobody is told. */
	void (*notice)(void *arg, const char *sentence);
	void *notice_arg;
	unsigned write_backing; /* the backing file so many steps down is opened for writing and resizing, too; 0: none */
};

/*
 * Opens an image by host path, by "json:{...}", by "file:PATH", or (name NULL) by how->opts alone.  The format is
 * how->format, else the "driver" option, else guessed from magic bytes: exactly one claim makes it, two are
 * ERR_CORRUPT "ambiguous", none is raw.  A claimed format that then fails to open is an error, never raw.
 *
 * The locks that QEMU takes are taken and honoured.  ERR_SYSTEM with EBUSY: another process writes to the image (we
 * wanted to read or write); with EAGAIN: another process has it open and does not share writing with us.
 * On success *out holds one reference.
 */
int block_open(const char *name, const struct block_open *how, struct block **out, struct err *e);

/* Does the name (a json: name, too) lead to a network?  An image of another name may still lie over one that does. */
bool block_name_is_remote(const char *name);

struct block *block_ref(struct block *b);
/* Drops a reference; the last one closes.  Does not flush: a writer calls block_finish() first and looks at its answer. */
void block_unref(struct block *b);
void block_unrefp(struct block **b); /* for CLEANUP; NULL is fine */
/* Writes all cached metadata, flushes, marks the image clean.  Reading and writing may go on afterwards. */
int block_finish(struct block *b, struct err *e);

/* ---- facts ---- */

uint64_t block_size(const struct block *b);
const char *block_format(const struct block *b); /* "qcow2" */
const char *block_name(const struct block *b);	 /* as a person would name it; lent */
bool block_writable(const struct block *b);
/* Growth, and a new image, read as zeros.  Not where the stored bytes are decrypted: there it is noise until written. */
bool block_zero_init(const struct block *b);
bool block_guessed(const struct block *b); /* its format was not given, and no magic named it: raw by default */
struct block *block_file(const struct block *b);    /* the node beneath, lent; NULL for a host file */
struct block *block_backing(const struct block *b); /* lent; NULL when there is none */
/* What shows through where b decides nothing: its backing file, or that of the node it filters; lent; NULL: nothing. */
struct block *block_shows_through(const struct block *b);
/* The backing file as the image names it (lent; NULL: none), the format it gives (NULL: none). */
const char *block_backing_name(const struct block *b);
const char *block_backing_format(const struct block *b);
/* The backing name made relative to where the image is, as a path or json: name to open; free() it.  NULL: none. */
char *block_backing_path(const struct block *b, struct err *e);
/* The same of a name that the image does not have yet. */
char *block_sibling_path(const struct block *b, const char *name, struct err *e);
/* Host bytes allocated to the file(s) of this node without its backing chain; UINT64_MAX when unknown. */
uint64_t block_allocated(const struct block *b);

/*
 * Has any file that is read here, of the whole chain, another size than when it was opened?  Then somebody writes to it,
 * and what was read may be of different moments: ERR_CORRUPT.
 */
int block_same_size(struct block *b, struct err *e);
/*
 * Has anybody written to a file that is only read here, of the whole chain, since it was opened, as far as the file's times
 * tell?  Of a block device they tell nothing: false.
 */
bool block_was_written(struct block *b);
/*
 * Has surely nobody written to any file of the chain since it was opened, or block_refresh() was last called?  Of what has no
 * times, as of a block device, nothing is sure.
 */
bool block_is_unchanged(struct block *b);
/*
 * For who only reads, without locks, while somebody else writes: what is known of the images - sizes, tables - is forgotten and
 * read anew, with no I/O beside it.  After an error nothing may be read until another call has succeeded.  ERR_UNSUPPORTED: one
 * of them cannot be read anew, or is not the image that it was.
 */
int block_refresh(struct block *b, struct err *e);
/*
 * Whoever else has made a raw file or device longer: its end is where it is now.  Nothing else changes, so this may be called
 * beside reads and writes; what has become shorter stays as long as it was.
 */
void block_grow(struct block *b);

/*
 * What opening it, or a file of its chain, did to a change that had been interrupted: the i-th sentence, lent; NULL past the
 * last.
 */
const char *block_notice(const struct block *b, size_t i);

/* Facts of the format, filled by the driver: what info prints. */
struct block_info {
	uint64_t cluster_size;	/* 0: none */
	bool dirty, encrypted;
	uint64_t vm_state_off;	/* where the VM state area begins, 0: none */
};
int block_info(struct block *b, struct block_info *out, struct err *e);
/* Writes the members of the format's "data" object as qemu-img info names them; false when the format has none. */
bool block_info_specific(struct block *b, struct json *j);

/* ---- data ---- */

int block_pread(struct block *b, void *buf, size_t len, uint64_t off, struct err *e);
int block_pwrite(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e);

enum block_zero_how {
	BLOCK_ZERO_KEEP = 0,	    /* keep or make an allocation */
	BLOCK_ZERO_UNMAP = 1u << 0, /* holes are welcome */
	BLOCK_ZERO_FAST = 1u << 1,  /* fail with ERR_UNSUPPORTED rather than write zeros out */
};
int block_zero(struct block *b, uint64_t len, uint64_t off, unsigned how, struct err *e);
/* The content is no longer needed; what is read afterwards is unspecified but never another file's bytes.  A hint. */
int block_discard(struct block *b, uint64_t len, uint64_t off, struct err *e);
/* Writes whole clusters compressed.  off is cluster aligned, len one cluster (less only at the end of the image). */
int block_pwrite_compressed(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e);
/*
 * The same in two steps, so that threads may compress side by side what is then written in order; only where
 * block_packs() says so.  The first fills out, of one cluster's size; *size 0: it does not become smaller, and is written
 * with block_pwrite().
 */
bool block_packs(const struct block *b);
int block_pack(struct block *b, const void *buf, size_t len, uint64_t off, void *out, size_t *size, struct err *e);
int block_pwrite_packed(struct block *b, const void *packed, size_t size, size_t len, uint64_t off, struct err *e);
/*
 * Writes what lies at src_off of the host file `src`, a node that extents name, without moving it through memory: its
 * blocks are shared by both files from then on (offsets and length in whole blocks of the host), or the kernel copies
 * them.  ERR_UNSUPPORTED: not all of it could be, so all of it is to be written in another way.
 */
enum block_from { BLOCK_FROM_SHARE, BLOCK_FROM_COPY };
int block_pwrite_from(struct block *b, struct block *src, uint64_t len, uint64_t src_off, uint64_t off,
		      enum block_from how, struct err *e);
/* Everything written so far is stable. */
int block_flush(struct block *b, struct err *e);

enum block_prealloc { PREALLOC_OFF, PREALLOC_METADATA, PREALLOC_FALLOC, PREALLOC_FULL };
/* Changes the size.  Growth reads as zeros (even over a longer backing file) if block_zero_init(); shrinking cuts. */
int block_truncate(struct block *b, uint64_t size, enum block_prealloc prealloc, struct err *e);

/* ---- where the bytes are ---- */

enum {
	EXTENT_DATA = 1u << 0,	     /* has stored bytes */
	EXTENT_ZERO = 1u << 1,	     /* reads as zeros, and we know it without reading */
	EXTENT_ALLOC = 1u << 2,	     /* this node decides the content; without it the backing file does */
	EXTENT_COMPRESSED = 1u << 3, /* stored compressed */
	EXTENT_PLAIN = 1u << 4,	     /* the bytes lie at host_off of `host` as they are; past its end they are zeros */
	EXTENT_EOF = 1u << 5,	     /* past the end of this node (shorter than what lies above it) */
};
struct extent {
	uint64_t off, len;   /* of the node that was asked */
	unsigned flags;
	unsigned depth;	     /* block_extent_chain: 0 the node itself, 1 its backing file ... */
	struct block *host;  /* with EXTENT_PLAIN: the protocol node (host file) that holds them; lent */
	uint64_t host_off;
};

/*
 * The run that begins at off: at most len bytes, at least 1, all of one kind (it may be shorter than what could be
 * merged).  Only this node: what it does not decide comes back without EXTENT_ALLOC.
 */
int block_extent(struct block *b, uint64_t len, uint64_t off, struct extent *out, struct err *e);
/* The same through the backing chain, down to the node `base` (not included; NULL: the whole chain). */
int block_extent_chain(struct block *b, struct block *base, uint64_t len, uint64_t off, struct extent *out,
		       struct err *e);
/* As block_extent_chain, and neighbouring runs of the same kind (contiguous on the host, where plain) are one. */
int block_extent_merged(struct block *b, struct block *base, uint64_t len, uint64_t off, struct extent *out,
			struct err *e);
/* The descriptor of a host file's node, for the copy engine's in-kernel copies; -1 when it has none. */
int block_host_fd(const struct block *b);
/* How many threads a job over it takes: as many as there are cores, and more where they wait for a server. */
unsigned block_threads(const struct block *b);
/* Which host file that is (st_dev, st_ino), as it was when it was opened; false: none. */
bool block_host_id(const struct block *b, uint64_t *dev, uint64_t *ino);

/* ---- snapshots inside the image ---- */

struct block_snapshot {
	char *id, *name;
	uint64_t vm_state_size, disk_size;
	uint32_t date_sec, date_nsec;
	uint64_t vm_clock_nsec;
	uint64_t icount; /* UINT64_MAX: not recorded */
};
struct block_snapshots {
	struct block_snapshot *items;
	size_t n;
};
void block_snapshots_free(struct block_snapshots *s);
/* ERR_UNSUPPORTED when the format has none. */
int block_snapshots(struct block *b, struct block_snapshots *out, struct err *e);
/* Makes this (read-only) block show a snapshot, found by id or else by name; its size becomes the snapshot's. */
int block_snapshot_load(struct block *b, const char *id_or_name, struct err *e);
/*
 * Keeps what the (writable) disk holds now.  what: name, date, clocks, vm_state_size; its id may be NULL: then one more
 * than the largest number that is an id becomes it.  disk_size is that of the disk.  ERR_USAGE when the id is taken;
 * names need not differ.
 */
int block_snapshot_create(struct block *b, const struct block_snapshot *what, struct err *e);
/* The disk becomes what it was, its size too.  Found by id or else by name; ERR_NOT_FOUND when there is none. */
int block_snapshot_apply(struct block *b, const char *id_or_name, struct err *e);
/* Found in the same way. */
int block_snapshot_delete(struct block *b, const char *id_or_name, struct err *e);

/*
 * The area behind the guest's disk where a VM's state is kept with a snapshot; off counts from its beginning.  Reading
 * what was never written gives zeros.  ERR_UNSUPPORTED when the format has none.
 */
int block_vmstate_pread(struct block *b, void *buf, size_t len, uint64_t off, struct err *e);
int block_vmstate_pwrite(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e);

/* ---- dirty bitmaps kept in the image ---- */

/*
 * A bitmap tells which parts of the disk were written since it was made or cleared.  Enabled ones take part in every
 * write.  One that a writer left open (in_use on disk) is inconsistent: it can only be removed.
 */
struct block_bitmap {
	char *name;
	uint64_t granularity;	 /* bytes of the disk that one bit stands for, a power of two */
	bool enabled;		 /* writes are recorded ("auto") */
	bool inconsistent;	 /* a writer died, or did not know bitmaps */
	uint64_t dirty;		 /* bytes of the disk that are marked; 0 when inconsistent */
};
struct block_bitmaps {
	struct block_bitmap *items;
	size_t n;
};
void block_bitmaps_free(struct block_bitmaps *s);
/* All of these: ERR_UNSUPPORTED when the format has none, ERR_NOT_FOUND when there is no bitmap of that name. */
int block_bitmaps(struct block *b, struct block_bitmaps *out, struct err *e);
/* A new empty bitmap.  granularity 0: 64 KiB, or the cluster size between 4 KiB and that.  ERR_USAGE: name taken. */
int block_bitmap_add(struct block *b, const char *name, uint64_t granularity, bool disabled, struct err *e);
int block_bitmap_remove(struct block *b, const char *name, struct err *e);
/* No bit is set any more. */
int block_bitmap_clear(struct block *b, const char *name, struct err *e);
int block_bitmap_enable(struct block *b, const char *name, bool enable, struct err *e);
/* What is marked in src_name of src (which may be b) is marked in dst too.  The granularities may differ. */
int block_bitmap_merge(struct block *b, const char *dst, struct block *src, const char *src_name, struct err *e);
/* Marks a part of the disk. */
int block_bitmap_mark(struct block *b, const char *name, uint64_t len, uint64_t off, struct err *e);
/* The first marked run at or behind off: *len 0 when there is none.  Bounds are those of bits, cut at the disk's end. */
int block_bitmap_next(struct block *b, const char *name, uint64_t off, uint64_t *run_off, uint64_t *len, struct err *e);

/* ---- check ---- */

/* CHECK_FIX_ERRORS repairs leaks too. */
enum { CHECK_FIX_LEAKS = 1u << 0, CHECK_FIX_ERRORS = 1u << 1 };
/* A finding as numbers, for those who phrase it themselves. */
enum check_kind {
	CHECK_OTHER,	  /* told by its text only */
	CHECK_REFCOUNT,	  /* clusters whose refcount is not what it should be */
	CHECK_L1_COPIED,  /* the flag of an L1 entry contradicts the refcount of its L2 table */
	CHECK_DATA_COPIED /* the same of an L2 entry and its cluster */
};
struct check_finding {
	enum check_kind kind;
	bool fixed;
	const char *text;
	uint64_t cluster, nclusters;   /* REFCOUNT: the first one, and how many have the same */
	uint64_t refcount, references; /* as stored; REFCOUNT: how often used */
	uint64_t entry;		       /* COPIED: as stored */
	uint32_t l1_idx;	       /* L1_COPIED */
};
struct check_report {
	uint64_t corruptions, leaks, check_errors; /* what is left after a repair; errors: parts that could not be read */
	uint64_t corruptions_fixed, leaks_fixed;
	uint64_t image_end_offset;
	uint64_t total_clusters, allocated_clusters, fragmented_clusters, compressed_clusters;
	/* Called for each finding, in words; fixed tells whether it was repaired.  May be NULL. */
	void (*finding)(void *arg, bool fixed, const char *text);
	/* The same findings as numbers; may be NULL. */
	void (*detail)(void *arg, const struct check_finding *f);
	void *arg;
};
/* ERR_UNSUPPORTED when the format cannot be checked.  Findings are not an error: they are in the report. */
int block_check(struct block *b, unsigned fix, struct check_report *r, struct err *e);

/* ---- changing the format's own settings ---- */

/*
 * opts as the format's amend options name them; secrets (may be NULL) holds what *-secret options name.  force allows
 * what loses data for good.  ERR_UNSUPPORTED when the format has nothing to amend.
 */
int block_amend(struct block *b, const struct dict *opts, const struct secrets *secrets, bool force, struct err *e);
struct block_amend_how {
	const struct secrets *secrets; /* NULL: none */
	bool force;
	/* Called now and then with what is done of what there is to do; may be NULL. */
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *arg;
};
int block_amend_with(struct block *b, const struct dict *opts, const struct block_amend_how *how, struct err *e);
/* The table of a format's amend options ends at name NULL; NULL when it has none. */
const struct create_opt *block_amend_opts(const char *format);

/*
 * The image names another backing file (NULL: none) of that format (NULL: it does not say).  The open one (block_backing)
 * stays as it is, and so does every byte of data: what shines through is the caller's business.
 */
int block_change_backing(struct block *b, const char *name, const char *format, struct err *e);
/* Everything is unallocated again, as in a new image of the same size; its space is free.  Snapshots stay. */
int block_make_empty(struct block *b, struct err *e);

/* ---- creating and measuring ---- */

/*
 * Makes an empty image of the format at a host path, or in place of the content of an existing file or device.
 * opts: "size" and the format's own options ("cluster_size", "backing_file" ...), each as qemu-img names it; an
 * option the format does not know is ERR_USAGE.  On failure a file that was not there before is removed.
 */
int block_create(const char *path, const char *format, const struct dict *opts, const struct block_policy *policy,
		 struct err *e);
/* The same for formats that may need keys.  how is lent until the call returns. */
struct block_create_how {
	const struct block_policy *policy; /* NULL: only beside the image */
	const struct secrets *secrets;	   /* what key-secret options name; NULL: none */
};
int block_create_with(const char *path, const char *format, const struct dict *opts,
		      const struct block_create_how *how, struct err *e);
/* One option of a format's create, for help and for the "Formatting" line. */
struct create_opt {
	const char *name, *help;
	enum { CREATE_OPT_STRING, CREATE_OPT_SIZE, CREATE_OPT_BOOL, CREATE_OPT_NUMBER } type;
	const char *def; /* printed as the default; NULL: none */
};
/* The table of a format ends at name NULL; NULL when the format is unknown or cannot be created. */
const struct create_opt *block_create_opts(const char *format);

struct measure_report {
	uint64_t required, fully_allocated, bitmaps;
	bool has_bitmaps;
};
/* Bytes a new image of the format will take: for an empty one of opts' "size", or (src not NULL) for a copy of src. */
int block_measure(const char *format, const struct dict *opts, struct block *src, struct measure_report *out,
		  struct err *e);

/* The name of the nth format, NULL past the last.  With writable_only: of those block_create knows. */
const char *block_format_at(size_t n, bool writable_only);
/* Is there a format of this name? */
bool block_format_known(const char *format);
/* Can it store compressed clusters? */
bool block_format_compresses(const char *format);

/* ---- filters ---- */

/* A view of [off, off + size) of another block, which it references. */
int block_window(struct block *over, uint64_t off, uint64_t size, struct block **out, struct err *e);
/* Writes go to an unlinked temporary file in TMPDIR (default /var/tmp); `over` is only read. */
int block_overlay(struct block *over, struct block **out, struct err *e);
/* The same with an empty file of stream_temporary() that is there already, for who may make none any more; it is taken over. */
int block_overlay_fd(struct block *over, int fd, struct block **out, struct err *e);
/*
 * Writes go to memory, at most LIMIT_SCRATCH_BYTES of them (then ERR_SYSTEM with ENOSPC); `over` is only read.  A confined
 * process can make one.
 */
int block_scratch(struct block *over, struct block **out, struct err *e);
/* What is read from `over`'s backing file is written into `over`, which must be writable. */
int block_copy_on_reads(struct block *over, struct block **out, struct err *e);

/* ---- breakpoints of the blkdebug filter, for the exerciser ---- */

enum block_debug {
	BLOCK_DEBUG_BREAK,	  /* the next request that reports `event` waits, under the name `tag` */
	BLOCK_DEBUG_REMOVE_BREAK, /* no more breakpoints of that tag; those that wait under it go on */
	BLOCK_DEBUG_RESUME,	  /* the request that waits under `tag` goes on; ERR_NOT_FOUND when there is none */
	BLOCK_DEBUG_IS_SUSPENDED, /* 1 when a request waits under `tag`, 0 when not */
};
/* Reaches the first blkdebug node beneath b; ERR_UNSUPPORTED when there is none. */
int block_debug(struct block *b, enum block_debug what, const char *event, const char *tag, struct err *e);

#endif
