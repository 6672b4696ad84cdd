/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * drydock.h - disk images and what is inside them, as a C library.
 *
 * Handles are opaque.  Offsets, lengths and sizes are bytes.  A call that can fail takes a struct dry_error (NULL is
 * fine) as its last parameter and returns 0, or a negated enum dry_code with the error filled in.  The library never
 * prints and never exits.  Strings that are returned are lent until the handle goes away, unless said otherwise.
 */
#ifndef DRYDOCK_H
#define DRYDOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define DRY_API __attribute__((visibility("default")))
#else
#define DRY_API
#endif

/* ---- errors ---- */

enum dry_code {
	DRY_OK,
	DRY_USAGE,
	DRY_SYSTEM,
	DRY_NOMEM,
	DRY_NOT_FOUND,
	DRY_CORRUPT,
	DRY_UNSUPPORTED,
	DRY_LIMIT,
	DRY_POLICY,
	DRY_CANCELED,
};

struct dry_error {
	enum dry_code code;
	int sys_errno;	/* with DRY_SYSTEM, else 0 */
	char msg[1000]; /* one sentence, outermost context first, no full stop */
};

/* ---- long work ---- */

/*
 * Told from the calling thread, at least ten times a second while the work lasts and once with done == total at the
 * end (not after a failure).  A total of 0 before that is not known.  Anything but 0 stops the work: DRY_CANCELED.
 * run NULL: nobody watches.
 */
struct dry_progress {
	int (*run)(void *arg, uint64_t done, uint64_t total);
	void *arg;
};

/* "0.1.0" */
DRY_API const char *dry_version(void);

/* ==== images ==== */

/*
 * An open disk image: a host file or device, its format, and (unless refused) its backing chain.  Data calls may be
 * made from many threads at once on one handle; every other call from one thread at a time.
 */
struct dry_image;

/* ---- options as text: "cluster_size" -> "64k", for opening and creating ---- */

struct dry_opts;
/* NULL when memory is out. */
DRY_API struct dry_opts *dry_opts_new(void);
DRY_API void dry_opts_free(struct dry_opts *o);
/* Adds "a=1,b=2,flag" (commas in a value are doubled); a first word without "=" is implied_key's value (may be NULL). */
DRY_API int dry_opts_parse(struct dry_opts *o, const char *text, const char *implied_key, struct dry_error *e);
/* Sets or replaces; a NULL value removes the key. */
DRY_API int dry_opts_set(struct dry_opts *o, const char *key, const char *value, struct dry_error *e);
/* Lent until the options change; NULL when absent. */
DRY_API const char *dry_opts_get(const struct dry_opts *o, const char *key);
/* The i-th pair, in the order of setting; false past the end. */
DRY_API bool dry_opts_at(const struct dry_opts *o, size_t i, const char **key, const char **value);

/* ---- secrets: passphrases and keys by name, held in locked memory ---- */

struct dry_secrets;
/* NULL when memory is out. */
DRY_API struct dry_secrets *dry_secrets_new(void);
DRY_API void dry_secrets_free(struct dry_secrets *s);
/*
 * Adds what the text describes, as the peers' --object does: "secret,id=ID,data=TEXT" or "secret,id=ID,file=PATH", with
 * format=base64, keyid= and iv= where it is encoded or encrypted; or the same as a JSON object.  Other kinds of objects
 * are DRY_UNSUPPORTED.
 */
DRY_API int dry_secrets_add(struct dry_secrets *s, const char *text, struct dry_error *e);
/* Adds what a file holds, all of it, under a name. */
DRY_API int dry_secrets_add_file(struct dry_secrets *s, const char *id, const char *path, struct dry_error *e);
/* Is there one of this name? */
DRY_API bool dry_secrets_have(const struct dry_secrets *s, const char *id);

/* ---- opening ---- */

/* Which host files an image may pull in by naming them: backing, data and extent files. */
enum dry_trust {
	DRY_TRUST_BESIDE, /* those in the image's own folder (and `allowed`) */
	DRY_TRUST_ANY,	  /* whatever the image says */
	DRY_TRUST_NONE,	  /* `allowed` only */
};
struct dry_policy {
	enum dry_trust trust;
	const char *const *allowed; /* further files and folders */
	size_t nallowed;
};

enum {
	DRY_OPEN_WRITE = 1u << 0,
	DRY_OPEN_RESIZE = 1u << 1,	/* with WRITE: the size may change */
	DRY_OPEN_NO_BACKING = 1u << 2,	/* leave the backing file alone: what it holds reads as zeros */
	DRY_OPEN_FORCE_SHARE = 1u << 3, /* read although somebody else is writing; take no locks */
	DRY_OPEN_CHECK = 1u << 4,	/* for dry_image_check: open in spite of damage where possible */
	DRY_OPEN_GUESS_WRITE = 1u << 5, /* write also where raw was only guessed (else DRY_USAGE) */
	DRY_OPEN_SHARE_WRITE = 1u << 6, /* for facts, not for content: others may write to a raw image meanwhile */
	DRY_OPEN_FACTS = 1u << 7,	/* no data file is opened, no key is needed; only facts and snapshots may be asked */
	DRY_OPEN_TEMPORARY = 1u << 8,	/* writes go to an unlinked temporary file; the image itself is only read */
	DRY_OPEN_COPY_ON_READ = 1u << 9, /* what is read from a backing file is written into the image */
	DRY_OPEN_CHANGE = 1u << 10,	 /* of guests, with WRITE: for dry_guest_change(), which writes when all has succeeded */
};

/* What the peers call cache modes. */
enum dry_cache {
	DRY_CACHE_WRITEBACK, /* the default: through the page cache, stable after a flush */
	DRY_CACHE_NONE,	     /* past the page cache (O_DIRECT), stable after a flush */
	DRY_CACHE_WRITETHROUGH,
	DRY_CACHE_DIRECTSYNC,
	DRY_CACHE_UNSAFE, /* flushes do nothing */
};
/* "none", "writeback" ...; false when there is no such mode. */
DRY_API bool dry_cache_parse(const char *name, enum dry_cache *out);

struct dry_open {
	const char *format;		 /* NULL: guess from magic bytes, raw when there are none */
	const struct dry_opts *opts;	 /* of the tree of nodes: "file.offset" ...; NULL: none */
	unsigned flags;			 /* DRY_OPEN_* */
	enum dry_cache cache;
	struct dry_policy policy;
	const char *snapshot;		 /* show this internal snapshot (id, else name), read only; NULL: the present */
	const struct dry_secrets *secrets; /* what key-secret options name; NULL: none.  Lent until the call returns */
	/*
	 * Told before the call returns: what became of a change of a guest that had been interrupted, one sentence for each
	 * image.  NULL: nobody is told.
	 */
	void (*notice)(void *arg, const char *sentence);
	void *notice_arg;
};

/*
 * Opens an image by path, "json:{...}", "file:PATH", or (name NULL) by how->opts alone.  how NULL: read only, guessed,
 * files beside the image.  The locks QEMU takes are honoured: DRY_SYSTEM with sys_errno EBUSY when another process is
 * writing to the image, EAGAIN when another has it open and does not share it.  *out is ended by dry_image_close().
 */
DRY_API int dry_image_open(const char *name, const struct dry_open *how, struct dry_image **out, struct dry_error *e);
/*
 * Opens the disk that comes through the descriptor fd, which stays the caller's and open as long as the image.  A raw
 * disk in a pipe can only be converted, once: it has no size yet.  Anything else in a pipe is first kept in a file
 * without a name (in TMPDIR, else /var/tmp).  Such an image names no other files, unless all are trusted.
 */
DRY_API int dry_image_open_stream(int fd, const struct dry_open *how, struct dry_image **out, struct dry_error *e);
/* Closes; NULL is fine.  A writer calls dry_image_finish() first and looks at its answer. */
DRY_API void dry_image_close(struct dry_image *img);
/* Writes cached metadata, makes everything stable, marks the image clean.  It may be used further. */
DRY_API int dry_image_finish(struct dry_image *img, struct dry_error *e);

/* ---- facts ---- */

/* Strings are lent until the image is closed; NULL where there is none. */
struct dry_info {
	const char *name;   /* as a person would name it */
	const char *format; /* "qcow2" */
	bool guessed;	    /* no format was given and no magic bytes named one: raw by default */
	bool writable;
	uint64_t size;	       /* what a guest sees */
	uint64_t allocated;    /* on the host, without the backing chain; UINT64_MAX: unknown */
	uint64_t cluster_size; /* 0: the format has none */
	bool dirty, encrypted;
	uint64_t vm_state_off; /* where an area for the state of a VM begins; 0: none */
	const char *backing_name;   /* as the image has it */
	const char *backing_format; /* as the image has it */
	const char *backing_path;   /* a name to open from here */
};
DRY_API int dry_image_info(struct dry_image *img, struct dry_info *out, struct dry_error *e);
DRY_API uint64_t dry_image_size(const struct dry_image *img);
/*
 * The facts that only this format has, as the text of one JSON object whose members are named as in the peers' "data"
 * ("compat", "lazy-refcounts" ...); lent until the image is closed or asked again.  NULL: the format has none.
 */
DRY_API const char *dry_image_specific(struct dry_image *img);
/* The backing image, or the node beneath (the host file of a format); lent.  NULL: none, or it was not opened. */
DRY_API struct dry_image *dry_image_backing(struct dry_image *img);
DRY_API struct dry_image *dry_image_file(struct dry_image *img);

struct dry_snapshot {
	const char *id, *name;
	uint64_t vm_state_size, disk_size;
	uint32_t date_sec, date_nsec;
	uint64_t vm_clock_nsec;
	uint64_t icount; /* UINT64_MAX: not recorded */
};
/* The internal snapshots, lent until the image is closed.  A format without them has none: *n is 0, no error. */
DRY_API int dry_image_snapshots(struct dry_image *img, const struct dry_snapshot **out, size_t *n, struct dry_error *e);

/* ---- data: all or error; ranges past the end are DRY_USAGE ---- */

DRY_API int dry_image_read(struct dry_image *img, void *buf, size_t len, uint64_t off, struct dry_error *e);
DRY_API int dry_image_write(struct dry_image *img, const void *buf, size_t len, uint64_t off, struct dry_error *e);
/* Whole clusters, compressed; off is cluster aligned, and len a multiple of the cluster except at the image's end. */
DRY_API int dry_image_write_compressed(struct dry_image *img, const void *buf, size_t len, uint64_t off,
				       struct dry_error *e);
enum {
	DRY_ZERO_UNMAP = 1u << 0, /* holes are welcome; else the range stays or becomes allocated */
	DRY_ZERO_FAST = 1u << 1,  /* DRY_UNSUPPORTED rather than writing zeros out */
};
DRY_API int dry_image_zero(struct dry_image *img, uint64_t len, uint64_t off, unsigned how, struct dry_error *e);
/* The content is no longer needed: a hint. */
DRY_API int dry_image_discard(struct dry_image *img, uint64_t len, uint64_t off, struct dry_error *e);
DRY_API int dry_image_flush(struct dry_image *img, struct dry_error *e);

/*
 * The area behind the guest's disk where a VM's state is kept with a snapshot; off counts from its beginning.
 * DRY_UNSUPPORTED: the format has none.
 */
DRY_API int dry_image_vmstate_read(struct dry_image *img, void *buf, size_t len, uint64_t off, struct dry_error *e);
DRY_API int dry_image_vmstate_write(struct dry_image *img, const void *buf, size_t len, uint64_t off,
				    struct dry_error *e);

/*
 * Breakpoints, for an image over a "blkdebug" node (else DRY_UNSUPPORTED): the next request that reaches `event` waits
 * under the name `tag` until it is resumed.  DRY_NOT_FOUND: nothing has this tag.
 */
DRY_API int dry_image_break(struct dry_image *img, const char *event, const char *tag, struct dry_error *e);
DRY_API int dry_image_remove_break(struct dry_image *img, const char *tag, struct dry_error *e);
DRY_API int dry_image_resume(struct dry_image *img, const char *tag, struct dry_error *e);
/* 1: a request waits under this tag; 0: none does. */
DRY_API int dry_image_is_suspended(struct dry_image *img, const char *tag, struct dry_error *e);

/* ---- where the bytes are ---- */

enum {
	DRY_EXTENT_DATA = 1u << 0,	 /* has stored bytes */
	DRY_EXTENT_ZERO = 1u << 1,	 /* known to read as zeros */
	DRY_EXTENT_ALLOC = 1u << 2,	 /* the image at `depth` decides the content ("present"); unset: nobody does */
	DRY_EXTENT_COMPRESSED = 1u << 3,
	DRY_EXTENT_HOST = 1u << 4,	 /* host_name and host_off tell where it lies */
	DRY_EXTENT_EOF = 1u << 5,	 /* past the end of the image at `depth` */
};
struct dry_extent {
	uint64_t off, len;
	unsigned flags;	       /* DRY_EXTENT_* */
	unsigned depth;	       /* 0 the image, 1 its backing file ... */
	const char *host_name; /* lent until the image is closed; NULL without DRY_EXTENT_HOST */
	uint64_t host_off;
};
/*
 * The longest run of one kind that begins at off, of at most len bytes (clipped to the image), through the whole
 * backing chain.  off must lie inside the image.
 */
DRY_API int dry_image_extent(struct dry_image *img, uint64_t len, uint64_t off, struct dry_extent *out,
			     struct dry_error *e);
/* The same of this image alone: what its backing file decides comes without DRY_EXTENT_ALLOC, at depth 0. */
DRY_API int dry_image_extent_own(struct dry_image *img, uint64_t len, uint64_t off, struct dry_extent *out,
				 struct dry_error *e);
/*
 * Where the run that begins at off lies on the host, of at most *len bytes: 1, and *len bytes of it lie, as they are, in that
 * host file from host_off on.  0: of *len bytes, at least 1, *zero tells whether they are known to be zeros; else they are
 * stored in another way.
 */
struct dry_place {
	uint64_t host_dev, host_ino, host_off; /* st_dev and st_ino of the host file */
	int fd; /* of the host file, lent as long as the guest or image is open: for reading; past the file's end are zeros */
};
DRY_API int dry_image_place(struct dry_image *img, uint64_t off, uint64_t *len, struct dry_place *out, bool *zero,
			    struct dry_error *e);

/* ---- check ---- */

enum { DRY_FIX_LEAKS = 1u << 0, DRY_FIX_ERRORS = 1u << 1 };
struct dry_check {
	uint64_t corruptions, leaks; /* found and not repaired */
	uint64_t check_errors;	     /* places that could not be checked */
	uint64_t corruptions_fixed, leaks_fixed;
	uint64_t image_end_offset; /* 0: unknown */
	uint64_t total_clusters, allocated_clusters, fragmented_clusters, compressed_clusters;
};
/*
 * Checks, and with fix (the image then open for writing) repairs.  Findings are no error: they are counted in *out and
 * told, one sentence each, to `finding` (may be NULL).  DRY_UNSUPPORTED: this format cannot be checked.
 */
DRY_API int dry_image_check(struct dry_image *img, unsigned fix, struct dry_check *out,
			    void (*finding)(void *arg, bool fixed, const char *text), void *arg, struct dry_error *e);
/* A finding as numbers, for those who phrase it themselves. */
enum dry_finding_kind {
	DRY_FINDING_OTHER,	/* by its text only */
	DRY_FINDING_REFCOUNT,	/* clusters whose refcount is not how often they are used */
	DRY_FINDING_L1_COPIED,	/* the flag of an L1 entry contradicts the refcount of its L2 table */
	DRY_FINDING_DATA_COPIED /* the same of an L2 entry and its cluster */
};
struct dry_finding {
	enum dry_finding_kind kind;
	bool fixed;
	const char *text;
	uint64_t cluster, nclusters;   /* REFCOUNT: the first one, and how many have the same */
	uint64_t refcount, references; /* as stored; REFCOUNT: how often used */
	uint64_t entry;		       /* COPIED: as stored */
	uint32_t l1_idx;	       /* L1_COPIED */
};
/* As dry_image_check(), with the findings as numbers; they are lent for the call. */
DRY_API int dry_image_check_detailed(struct dry_image *img, unsigned fix, struct dry_check *out,
				     void (*finding)(void *arg, const struct dry_finding *f), void *arg,
				     struct dry_error *e);

/* ---- resize ---- */

enum dry_prealloc { DRY_PREALLOC_OFF, DRY_PREALLOC_METADATA, DRY_PREALLOC_FALLOC, DRY_PREALLOC_FULL };
/* "off", "metadata", "falloc", "full"; false when there is no such mode. */
DRY_API bool dry_prealloc_parse(const char *name, enum dry_prealloc *out);
/* Needs DRY_OPEN_RESIZE.  Growth reads as zeros; shrinking cuts without asking: the caller has asked. */
DRY_API int dry_image_resize(struct dry_image *img, uint64_t size, enum dry_prealloc prealloc, struct dry_error *e);

/* ---- changing an image as a whole: it is open for writing, and finished afterwards ---- */

/*
 * Keeps what the disk holds now as an internal snapshot, with the present time as its date.  Names need not differ.
 * DRY_UNSUPPORTED: the format has no snapshots; so for the next two.
 */
DRY_API int dry_image_snapshot_create(struct dry_image *img, const char *name, struct dry_error *e);
/* The disk becomes what it was, its size too.  Found by id, else by name; DRY_NOT_FOUND when there is none. */
DRY_API int dry_image_snapshot_apply(struct dry_image *img, const char *id_or_name, struct dry_error *e);
DRY_API int dry_image_snapshot_delete(struct dry_image *img, const char *id_or_name, struct dry_error *e);

/* A dirty bitmap kept in the image: which parts of the disk were written since it was made or cleared. */
struct dry_bitmap {
	const char *name;
	uint64_t granularity; /* bytes of the disk that one bit stands for */
	bool enabled;	      /* writes are recorded */
	bool inconsistent;    /* a writer died: it can only be removed */
	uint64_t dirty;	      /* bytes marked; 0 when inconsistent */
};
/* Lent until the image is closed or asked again.  A format without bitmaps has none: *n is 0, no error. */
DRY_API int dry_image_bitmaps(struct dry_image *img, const struct dry_bitmap **out, size_t *n, struct dry_error *e);
/*
 * Changes to bitmaps.  DRY_UNSUPPORTED: the format keeps none; DRY_NOT_FOUND: there is none of that name; DRY_USAGE: a
 * name that is taken, a granularity that is no power of two from 512 to 2 GiB (0: the default).
 */
DRY_API int dry_image_bitmap_add(struct dry_image *img, const char *name, uint64_t granularity, bool disabled,
				 struct dry_error *e);
DRY_API int dry_image_bitmap_remove(struct dry_image *img, const char *name, struct dry_error *e);
DRY_API int dry_image_bitmap_clear(struct dry_image *img, const char *name, struct dry_error *e);
DRY_API int dry_image_bitmap_enable(struct dry_image *img, const char *name, bool enable, struct dry_error *e);
/* What is marked in src_name of src (which may be img itself) is marked in name, too. */
DRY_API int dry_image_bitmap_merge(struct dry_image *img, const char *name, struct dry_image *src, const char *src_name,
				   struct dry_error *e);

struct dry_amend {
	const struct dry_opts *opts;	   /* as dry_amend_opt() lists them */
	const struct dry_secrets *secrets; /* what *-secret options name; NULL: none */
	bool force;			   /* also what loses data for good, such as the last key */
	struct dry_progress progress;	   /* it cannot be stopped: what run answers does not matter */
};
/* Changes options of the format.  DRY_UNSUPPORTED: this format has none to change. */
DRY_API int dry_image_amend(struct dry_image *img, const struct dry_amend *how, struct dry_error *e);
/*
 * The image names another backing file (NULL: none) of that format (NULL: it does not say).  No data is touched, so
 * what shows through is the caller's business: see dry_rebase().
 */
DRY_API int dry_image_change_backing(struct dry_image *img, const char *name, const char *format, struct dry_error *e);

/* ---- taking back a change of a guest ---- */

struct dry_undo {
	const char *file; /* that was kept when the guest was changed */
	/*
	 * Where its disks are, in the order in which they were given then.  NULL: where the file says, if nobody but who runs
	 * this (or root) could have written it; else DRY_POLICY.
	 */
	const char *const *images;
	size_t nimages;
	const struct dry_open *open; /* policy, secrets, options, cache, notice; the formats are in the file; NULL: as they come */
	struct dry_progress progress; /* it can be stopped until the images are written to */
};
struct dry_undo_result {
	size_t nimages;
	uint64_t bytes; /* written back */
};
/*
 * Writes back what the disks held before, all or nothing, as the change itself was.  DRY_USAGE: an image was changed since, or
 * is as it was before already.
 */
DRY_API int dry_undo(const struct dry_undo *how, struct dry_undo_result *out, struct dry_error *e);

/* A view of [off, off + size) of another image, which must stay open; DRY_USAGE when it goes past the end. */
DRY_API int dry_image_window(struct dry_image *over, uint64_t off, uint64_t size, struct dry_image **out,
			     struct dry_error *e);

/* ---- formats, and creating ---- */

/* The i-th format's name, NULL past the end; writable: among those that dry_create() and dry_convert() make. */
DRY_API const char *dry_format_at(size_t i, bool writable);
DRY_API bool dry_format_known(const char *name);
/*
 * Does an image of this name come from a server (http, https, nbd)?  Such an image must be opened before dry_confine(), and
 * can be read afterwards.
 */
DRY_API bool dry_name_is_remote(const char *name);
/* Can the format store what dry_image_write_compressed() writes? */
DRY_API bool dry_format_compresses(const char *name);

struct dry_create_opt {
	const char *name, *help;
	enum { DRY_OPT_STRING, DRY_OPT_SIZE, DRY_OPT_BOOL, DRY_OPT_NUMBER } type;
	const char *def; /* as text; NULL: none */
};
/* The i-th option of a format's create (in the order of the peers' listing); false past the end or no such format. */
DRY_API bool dry_create_opt(const char *format, size_t i, struct dry_create_opt *out);

/* The same of what dry_image_amend() can change. */
DRY_API bool dry_amend_opt(const char *format, size_t i, struct dry_create_opt *out);

struct dry_create {
	const char *format;
	const struct dry_opts *opts; /* "size" and the format's own; NULL: none */
	struct dry_policy policy;    /* for the backing file */
	bool no_backing;	     /* do not look at the backing file: then "size" must be there */
	const struct dry_secrets *secrets; /* what key-secret options name; NULL: none */
};
/*
 * Judges the options and completes them: numbers and choices are normalised, a missing "size" becomes the backing
 * file's.  Nothing is written.  *out (dry_opts_free() it) is what dry_create() would use, without defaults.
 */
DRY_API int dry_create_plan(const char *path, const struct dry_create *how, struct dry_opts **out, struct dry_error *e);
/*
 * Makes an empty image.  A regular file appears under its name when it is whole and stable (made under a hidden
 * temporary name beside it, then renamed; permissions of a file it replaces are kept); a device is written in place.
 * On failure nothing is left and what was there is untouched.
 */
DRY_API int dry_create(const char *path, const struct dry_create *how, struct dry_error *e);

struct dry_measure {
	uint64_t required, fully_allocated;
	bool has_bitmaps;
	uint64_t bitmaps;
};
/*
 * The bytes that a new image of the format would take: an empty one of opts' "size", or (src not NULL) a copy of src.
 * DRY_UNSUPPORTED: the format cannot be measured.
 */
DRY_API int dry_measure(const char *format, const struct dry_opts *opts, struct dry_image *src,
			struct dry_measure *out, struct dry_error *e);

/* ---- copying and comparing ---- */

enum {
	DRY_CONVERT_COMPRESS = 1u << 0,
	DRY_CONVERT_KEEP = 1u << 1,	      /* the target exists and is written in place, not made anew */
	DRY_CONVERT_TARGET_IS_ZERO = 1u << 2, /* with KEEP: it is known to read as zeros */
	DRY_CONVERT_SALVAGE = 1u << 3,	      /* what cannot be read becomes zeros; see dry_convert_result.unread */
	DRY_CONVERT_OFFLOAD = 1u << 4,	      /* the host may copy what lies plain in files, unseen by `sparse` */
	DRY_CONVERT_GUESS_WRITE = 1u << 5,    /* with KEEP: as DRY_OPEN_GUESS_WRITE */
	DRY_CONVERT_VERIFY = 1u << 7,	      /* read the target back and compare: DRY_CORRUPT when it differs */
	/*
	 * Keep a journal beside the target.  What does not end well, or is killed, leaves that and a temporary target, and
	 * the same call goes on from there; a journal of another conversion is DRY_USAGE.
	 */
	DRY_CONVERT_RESUME = 1u << 8,
	DRY_CONVERT_BITMAPS = 1u << 10,	      /* the only source's bitmaps go into the target, too */
	DRY_CONVERT_SKIP_BROKEN = 1u << 11,   /* with BITMAPS: not the inconsistent ones, which else are DRY_CORRUPT */
	/* Threads may write in any order; else the clusters of an image lie as on the disk, alike each time. */
	DRY_CONVERT_ANY_ORDER = 1u << 12,
	DRY_CONVERT_STREAM = 1u << 6,	      /* into out_fd, front to back; `target` is only its name */
};
#define DRY_SPARSE_DEFAULT 4096

/*
 * What the filesystems on a disk call free: stretches that hold nothing which their guest will miss.  Only filesystems
 * that were shut down well, in partitions or on the whole disk, are believed; a guest that runs must not be asked.
 */
struct dry_free_space;
struct dry_free_volume {
	const char *name, *type; /* "/dev/sda1"; "ext4", NULL: not known */
	uint64_t size, free;	 /* bytes */
	const char *why;	 /* why its free space is not known ("it needs recovery"); NULL: it is */
};
/*
 * Reads the filesystems in a process of its own that is confined to this image.  *out is dry_free_space_free()d by the
 * caller.  A volume that cannot be read is no error, but tells why.
 */
DRY_API int dry_free_space_find(struct dry_image *image, struct dry_free_space **out, struct dry_error *error);
DRY_API const struct dry_free_volume *dry_free_space_volumes(const struct dry_free_space *f, size_t *n); /* lent */
DRY_API void dry_free_space_free(struct dry_free_space *f); /* NULL is fine */

struct dry_convert {
	struct dry_image *const *sources; /* put one behind the other */
	size_t nsources;
	const char *target;	     /* NULL with KEEP: opts alone name it */
	const char *format;	     /* of the target; NULL with KEEP: guess */
	const struct dry_opts *opts; /* options of create ("size" only to make it longer), "backing_file" among them: the
					target then holds only what differs from that file.  With KEEP: of opening */
	struct dry_policy policy;    /* for the target's backing file */
	unsigned flags;		     /* DRY_CONVERT_* */
	uint64_t sparse; /* runs of zeros at least this long become holes; 0: everything is written out, allocated */
	enum dry_cache cache;	       /* of the target */
	unsigned threads;	       /* 0: as many as the machine has cores, at least 2 */
	uint64_t rate;		       /* at most so many bytes a second are copied; 0: no limit */
	struct dry_progress progress;
	/* SALVAGE: told about each stretch given up, from the calling or a worker thread, one at a time; may be NULL */
	void (*unreadable)(void *arg, uint64_t off, uint64_t len, const char *text);
	void *unreadable_arg;
	int out_fd; /* STREAM: stays the caller's */
	void (*notice)(void *arg, const char *sentence); /* KEEP: as in struct dry_open; NULL: nobody is told */
	void *notice_arg;
	const char *resume_note; /* RESUME: what tells this conversion from another of the same files (a snapshot); or NULL */
	const char *hash; /* "sha256", "sha512" ...: the digest of the sources' content, as a guest sees it; NULL: none */
	const struct dry_secrets *secrets; /* of the target; NULL: none */
	/*
	 * Of the only source: it is not read, and zeros in the copy (and so for the digest).  Not with a backing file.  NULL: all
	 * is copied.
	 */
	const struct dry_free_space *free_space;
};

/* Where a conversion failed, for those who phrase it themselves. */
enum dry_stage {
	DRY_STAGE_PREPARE, /* the arguments, or the sources' sizes */
	DRY_STAGE_CREATE,  /* making the target */
	DRY_STAGE_OPEN,	   /* opening the target */
	DRY_STAGE_MAP,	   /* asking a source where its data is */
	DRY_STAGE_READ,
	DRY_STAGE_WRITE,
	DRY_STAGE_FINISH, /* metadata, flush, rename */
	DRY_STAGE_DONE,
};
struct dry_convert_result {
	enum dry_stage stage; /* DONE, or where it failed */
	uint64_t off;	      /* MAP, READ, WRITE: at this byte of the target */
	uint64_t copied;      /* bytes written as data */
	uint64_t shared;      /* bytes whose place on the host's disk the copy shares with a source */
	uint64_t unread;      /* SALVAGE: bytes given up */
	uint64_t size;	      /* of the sources together; after a success */
	uint64_t resumed;     /* RESUME: all before it had been copied already */
	uint64_t dropped;     /* bytes of data that lay in free space, and are not in the copy */
	char digest[129];     /* hexadecimal, if `hash` asked for it; after a success */
};
/*
 * Copies what a guest sees of the sources into a target.  A new regular file appears under its name when it is whole
 * and stable, as by dry_create(); a failed, cancelled or killed conversion leaves what was there before.
 * result may be NULL.
 */
DRY_API int dry_convert(const struct dry_convert *how, struct dry_convert_result *result, struct dry_error *e);

enum dry_difference {
	DRY_SAME,
	DRY_DIFFERENT,	     /* content, at `off` */
	DRY_DIFFERENT_SIZE,  /* strict only */
	DRY_DIFFERENT_ALLOC, /* strict only: one has the range at `off` allocated, the other has not */
};
struct dry_compare {
	struct dry_image *a, *b;
	bool strict; /* sizes and allocation must agree too */
	unsigned threads;
	struct dry_progress progress;
};
struct dry_compare_result {
	enum dry_difference difference;
	uint64_t off;	   /* the first byte that differs (allocation: where the run begins) */
	bool sizes_differ; /* not strict: the longer one's rest was compared with zeros */
	/* After a failure: in which image (0 a, 1 b), at `off`, and was it data or the map that could not be read? */
	unsigned failed_image;
	bool failed_map;
};
/* Compares what a guest sees.  A difference is no error: it is in *result. */
DRY_API int dry_compare(const struct dry_compare *how, struct dry_compare_result *result, struct dry_error *e);

enum dry_commit_stage {
	DRY_COMMIT_OPEN, /* the image and its chain, the base for writing */
	DRY_COMMIT_FIND, /* DRY_NOT_FOUND: no backing file, or the base is not in the chain */
	DRY_COMMIT_GROW, /* making the base as long as the image */
	DRY_COMMIT_COPY,
	DRY_COMMIT_EMPTY, /* the image gives up what the base has now */
	DRY_COMMIT_DONE,
};
struct dry_commit {
	const char *name;	     /* the image, as for dry_image_open() */
	const struct dry_open *open; /* how; its flags without WRITE; NULL: as for dry_image_open() */
	const char *base; /* a file of its backing chain, as named there, or a path; NULL: its own backing file */
	bool keep;	  /* the image keeps its data; always so when there are images between it and the base */
	unsigned threads; /* these three as dry_convert's */
	uint64_t rate;
	struct dry_progress progress;
};
struct dry_commit_result {
	enum dry_commit_stage stage; /* DONE, or where it failed */
	enum dry_stage copy_stage;   /* with COPY: MAP, READ or WRITE ... */
	uint64_t off;		     /* ... at this byte */
	uint64_t copied;	     /* bytes written into the base as data */
	bool emptied;		     /* the image holds nothing of its own any more */
};
/*
 * Merges an image down into a file of its backing chain, which is opened for writing.  The image gives up its copy only
 * when everything in the base is stable: a commit that fails or is killed loses nothing, and can be run again.
 * result may be NULL.
 */
DRY_API int dry_commit(const struct dry_commit *how, struct dry_commit_result *result, struct dry_error *e);

struct dry_rebase {
	struct dry_image *image; /* open for writing, with its backing chain unless unsafe */
	const char *backing;	 /* the new backing file, as the image is to name it; NULL: none */
	const char *format;	 /* of it; NULL: the image does not say, and then it is guessed */
	const struct dry_opts *opts; /* of opening it; NULL: none */
	bool unsafe;		 /* only the name is changed: what shows through the image may then differ */
	bool force_share;	 /* the new backing file: as DRY_OPEN_FORCE_SHARE */
	enum dry_cache cache;	 /* of the new backing file */
	struct dry_policy policy; /* for the files that the new backing file names */
	const struct dry_secrets *secrets;
	unsigned threads;
	struct dry_progress progress;
};
enum dry_rebase_stage {
	DRY_REBASE_MAP,
	DRY_REBASE_READ_OLD,
	DRY_REBASE_READ_NEW,
	DRY_REBASE_WRITE,
	DRY_REBASE_FINISH,
	DRY_REBASE_OPEN,   /* the new backing file */
	DRY_REBASE_CHANGE, /* the name in the image */
	DRY_REBASE_DONE,
};
struct dry_rebase_result {
	enum dry_rebase_stage stage;
	uint64_t off;
	uint64_t copied; /* bytes that the image holds itself now */
};
/*
 * Puts another backing file beneath an image, whose content stays the same: where the two differ, the old content is
 * written into the image, and is stable before the name is changed.  result may be NULL.
 */
DRY_API int dry_rebase(const struct dry_rebase *how, struct dry_rebase_result *result, struct dry_error *e);

struct dry_bench {
	struct dry_image *image;
	bool write; /* else reads; the image is then open for writing, and its content is lost */
	uint64_t count;
	unsigned depth; /* requests at a time, at most 64 */
	uint64_t len;	/* of each request, at most 2 GiB - 1 */
	uint64_t off;	/* of the first */
	uint64_t step;	/* from one to the next; they begin anew at the end of the disk */
	uint8_t pattern; /* what is written */
	uint64_t flush_interval; /* a flush after so many writes; 0: none */
	bool no_drain;	/* flushes do not wait for the writes before them */
	struct dry_progress progress;
};
struct dry_bench_result {
	double seconds;
	uint64_t done, flushes; /* requests, flushes */
};
/* Sends sequential requests and takes the time. */
DRY_API int dry_bench(const struct dry_bench *how, struct dry_bench_result *result, struct dry_error *e);

/* ==== guests ==== */

/*
 * The disks of one guest, what lies on them, and its tree of files; read only but for dry_shell_open() and
 * dry_guest_change().  A handle and everything that belongs to it are used by one thread at a time.
 *
 * dry_guest_open() opens host files.  Everything after it reads what the guest, or whoever made the disk, has written:
 * a program that does not trust its guests calls dry_confine() in between.
 */
struct dry_guest;

/* ---- keys of encrypted volumes, held in locked memory ---- */

struct dry_keys;
/* NULL when memory is out. */
DRY_API struct dry_keys *dry_keys_new(void);
/* Wipes and frees; NULL is fine. */
DRY_API void dry_keys_free(struct dry_keys *k);
/*
 * Adds what a selector says; files are read, or opened, at once.
 *
 *	NAME:key:PASSPHRASE	all that is behind the second colon
 *	NAME:file:PATH		what the file holds; where that is one line, first without its newline
 *	NAME:header:PATH	the volume's LUKS header, which lies in this file
 *
 * NAME is a volume's name ("/dev/sda2", "/dev/vg/lv", or as its guest knows it, "/dev/vda2"), the UUID in its LUKS header, or
 * "all".  Others are DRY_USAGE, "NAME:clevis" is DRY_UNSUPPORTED.  No message repeats a passphrase.
 */
DRY_API int dry_keys_add(struct dry_keys *k, const char *selector, struct dry_error *e);
/* Adds a key, len bytes that are copied, for a volume named as above. */
DRY_API int dry_keys_add_bytes(struct dry_keys *k, const char *name, const void *key, size_t len, struct dry_error *e);

/*
 * Asks for the passphrase of an encrypted volume for which no key was given: for the nth time (from 0) as long as none was
 * right.  Fills at most `size` bytes of buf, which is locked and wiped afterwards, and *len, and returns 1; or 0: there is
 * none, the volume stays locked; or a negated enum dry_code, which ends the call that wanted to know.  Strings are lent
 * for the call: the disk's image, the volume's name, its UUID ("": it has none).
 */
struct dry_ask {
	int (*passphrase)(void *arg, const char *image, const char *volume, const char *uuid, unsigned nth, char *buf,
			  size_t size, size_t *len);
	void *arg;
};

/* ---- the appliance: a small virtual machine with Linux, for filesystems that are not read otherwise ---- */

/* Who reads the filesystems of a guest. */
enum dry_engine {
	DRY_ENGINE_AUTO,      /* our own readers; the appliance where they cannot, if there is one */
	DRY_ENGINE_DIRECT,    /* our own readers alone */
	DRY_ENGINE_APPLIANCE, /* the appliance alone */
};
/* What the machine runs on. */
enum dry_backend {
	DRY_BACKEND_AUTO, /* the first of these that comes up */
	DRY_BACKEND_KVM,  /* QEMU, with the processor's help */
	DRY_BACKEND_UML,  /* user-mode Linux, a process */
	DRY_BACKEND_TCG,  /* QEMU, without help */
};
struct dry_machines_how {
	enum dry_backend backend;
	uint64_t memory;    /* bytes of the machine; 0: as it needs */
	unsigned smp;	    /* processors; 0: one */
	bool network;	    /* it may reach the host's network, as the user may */
	const char *append; /* further words for its kernel; NULL: none */
	/* What happens while machines are started, a line at a time, from any thread; NULL: nobody wants to know. */
	void (*log)(void *arg, const char *line);
	void *arg;
};
struct dry_machines;
/*
 * Starts the process that will start machines, once a guest needs one: call it before dry_confine(), and before there are
 * threads.  DRY_NOT_FOUND when no appliance was built or installed.  One serves any number of guests, which must be closed
 * before it is stopped.
 */
DRY_API int dry_machines_start(const struct dry_machines_how *how, struct dry_machines **out, struct dry_error *e);
DRY_API void dry_machines_stop(struct dry_machines *m); /* NULL is fine */

struct dry_guest_image {
	const char *name;   /* as dry_image_open() takes it */
	/* NULL: guess.  A disk that begins with a LUKS header is raw and holds an encrypted volume, as is one of "luks". */
	const char *format;
	const char *snapshot; /* show this internal snapshot (id, else name); NULL: the present */
	unsigned flags;	      /* in place of the guest's: DRY_OPEN_TEMPORARY; 0: those of the guest */
};
struct dry_guest_open {
	void (*notice)(void *arg, const char *sentence); /* as in struct dry_open; NULL: nobody is told */
	void *notice_arg;
	const struct dry_guest_image *images; /* the first is /dev/sda */
	size_t nimages;
	struct dry_policy policy;
	/*
	 * DRY_OPEN_FORCE_SHARE; for dry_shell_open() and dry_server_new(): DRY_OPEN_WRITE (with DRY_OPEN_GUESS_WRITE), or
	 * DRY_OPEN_TEMPORARY; for dry_guest_change(): DRY_OPEN_WRITE and DRY_OPEN_CHANGE (with DRY_OPEN_GUESS_WRITE), or
	 * DRY_OPEN_TEMPORARY.
	 */
	unsigned flags;
	const struct dry_keys *keys; /* NULL: none.  Lent as long as the guest is used; closing it does without */
	struct dry_ask ask;	     /* NULL in it: nobody is asked.  Called when the volumes are first looked for */
	enum dry_engine engine;
	struct dry_machines *machines; /* lent as long as the guest is open; NULL: none, then DRY_ENGINE_APPLIANCE is DRY_USAGE */
	/*
	 * With DRY_OPEN_TEMPORARY: as many files of dry_temporary() as there are images, for who is confined already; they are
	 * taken over, whatever comes of the call.  NULL: they are made.
	 */
	const int *temporary;
	/*
	 * With DRY_OPEN_CHANGE: a file, which must not exist yet, that keeps what is needed to go back from what is committed;
	 * NULL: none.
	 */
	const char *undo_file;
};
/* A file without a name for what is written to an image: its descriptor, or < 0. */
DRY_API int dry_temporary(struct dry_error *e);
/* *out is ended by dry_guest_close(). */
DRY_API int dry_guest_open(const struct dry_guest_open *how, struct dry_guest **out, struct dry_error *e);
DRY_API void dry_guest_close(struct dry_guest *g); /* NULL is fine */
/* What was written to its disks is stable, and they are marked clean; as dry_image_finish(). */
DRY_API int dry_guest_finish(struct dry_guest *g, struct dry_error *e);

/* ---- disks and volumes ---- */

struct dry_disk {
	const char *device; /* "/dev/sda" */
	const char *name, *format;
	uint64_t size;
};
/* The i-th disk; false past the end. */
DRY_API bool dry_guest_disk(const struct dry_guest *g, size_t i, struct dry_disk *out);

/*
 * A partition, a whole disk without a partition table, or a volume made of such; strings are lent until the guest is
 * closed, NULL: none.
 */
struct dry_volume {
	const char *name;   /* "/dev/sda1" */
	const char *scheme; /* "mbr", "gpt"; "disk" for a whole disk; of volumes made of others their kind ("luks") */
	unsigned disk;	    /* index of the disk; of the first, when it is made of several */
	unsigned number;    /* as Linux counts partitions; 0: not a partition */
	uint64_t off, size; /* off: on the disk (or volume) whose table lists it */
	bool bootable;	    /* MBR: the active flag; GPT: legacy BIOS bootable */
	bool extended;	    /* an MBR extended partition, which holds others */
	bool in_use;	    /* other volumes are made of it */
	bool locked;	    /* encrypted, and not opened; a note tells why */
	bool wrong_key;	    /* locked, and keys were tried in vain */
	bool writable;	    /* it can be written to: its disk was opened for that, and it is not made of others */
	bool snapshot;	    /* what another volume held at some time */
	bool dormant;	    /* the guest does not activate it by itself */
	const char *group;  /* the group that it is a member or a volume of (struct dry_group) */
	const char *const *aliases; /* its other names: "/dev/mapper/vg-lv" */
	size_t naliases;
	const char *uuid;   /* of a volume made of others; of what an encrypted volume holds, that of its LUKS header */
	const size_t *parts; /* in which volumes it lies, by their numbers in this list */
	size_t nparts;
	uint8_t mbr_type;   /* with "mbr", else 0 */
	const char *part_type;	    /* "0x83", or a GPT type UUID */
	const char *part_type_name; /* "Linux filesystem", where it is known */
	const char *part_uuid, *part_label; /* GPT */
	const char *fs_type, *fs_label, *fs_uuid; /* as blkid names them */
	bool fs_readable; /* its files can be read, by the engine that was chosen */
	bool by_appliance; /* and are by the appliance, not by our own reader */
};
/* All volumes in order of disks and partitions; lent until the guest is closed.  A damaged table is in the notes. */
DRY_API int dry_guest_volumes(struct dry_guest *g, const struct dry_volume **out, size_t *n, struct dry_error *e);
/*
 * The i-th disk, or volume, as an image of its bytes, which may be used by many threads while the guest is used by another;
 * it is written to where the guest was opened for writing.  Ended by dry_image_close(), before the guest is.
 */
DRY_API int dry_guest_disk_image(struct dry_guest *g, size_t disk, struct dry_image **out, struct dry_error *e);
DRY_API int dry_guest_volume_image(struct dry_guest *g, size_t volume, struct dry_image **out, struct dry_error *e);

/* A subvolume or snapshot of a filesystem that has such. */
struct dry_subvolume {
	uint64_t id;
	const char *path; /* from the top: "@home" */
	const char *name; /* "btrfsvol:/dev/sda2/@home", as dry_guest_mount() takes it */
	bool is_default;  /* shown when no other is asked for */
};
/* Those of the i-th volume by their numbers, without the one at the top; lent until the guest is closed. */
DRY_API int dry_guest_subvolumes(struct dry_guest *g, size_t volume, const struct dry_subvolume **out, size_t *n,
				 struct dry_error *e);

/* A group of volumes out of whose space others are made: a volume group of LVM. */
struct dry_member {
	size_t volume; /* its number in the list of volumes; DRY_NO_VOLUME: it is missing */
	const char *uuid;
	uint64_t size, free; /* of what it gives to the group */
};
#define DRY_NO_VOLUME ((size_t)-1)
struct dry_group {
	const char *name;   /* "vg"; of a second one of the same name its UUID */
	const char *scheme; /* "lvm" */
	const char *uuid;
	uint64_t size, free, extent_size;
	const struct dry_member *members;
	size_t nmembers;
};
/* All groups, lent until the guest is closed. */
DRY_API int dry_guest_groups(struct dry_guest *g, const struct dry_group **out, size_t *n, struct dry_error *e);

/* What statvfs() says of a filesystem when the kernel has mounted it. */
struct dry_usage {
	uint64_t block_size, blocks, blocks_free, blocks_avail, inodes, inodes_free;
};
/* Of the i-th volume; DRY_UNSUPPORTED when its filesystem cannot be read. */
DRY_API int dry_guest_usage(struct dry_guest *g, size_t volume, struct dry_usage *out, struct dry_error *e);

/* ---- the tree ---- */

/*
 * Mounts a volume ("/dev/sda2", "LABEL=x", "UUID=...", "btrfsvol:/dev/sda2/@home"); the first must be on "/".  Options are
 * those of mount(8), of which "subvol=" and "subvolid=" choose what is shown; NULL: none.
 */
DRY_API int dry_guest_mount(struct dry_guest *g, const char *volume, const char *options, const char *mountpoint,
			    struct dry_error *e);
/*
 * Finds the root of the operating system and mounts what its /etc/fstab says.  None is DRY_NOT_FOUND, several are
 * DRY_USAGE, in words that list them; with any, a lone filesystem that is not a root will do.
 */
DRY_API int dry_guest_mount_auto(struct dry_guest *g, bool any, struct dry_error *e);

/* A filesystem, or a subvolume of one, that is the root of an operating system; strings are lent. */
struct dry_root {
	const char *volume; /* "/dev/sda2" */
	const char *opts;   /* mount options that show it ("subvolid=257"); NULL: none are needed */
	const char *fs_type;
};
/* All of them, in the order of volumes. */
DRY_API int dry_guest_roots(struct dry_guest *g, const struct dry_root **out, size_t *n, struct dry_error *e);
/* Mounts one on "/", and what its /etc/fstab says; nothing may be mounted before. */
DRY_API int dry_guest_mount_root(struct dry_guest *g, size_t root, struct dry_error *e);
/* Nothing is mounted any more; nodes from before are void. */
DRY_API void dry_guest_unmount(struct dry_guest *g);
/*
 * Of a guest that is read with DRY_OPEN_FORCE_SHARE while somebody else writes to its images: 1, and what is in them now is seen
 * from here on; nothing is mounted any more, what was known of volumes is void.  0, and nothing has happened, when as far as
 * their times tell nobody has written to them since they were opened, or since the last such call.  An image that is half
 * written may give an error; a later call may succeed, and before one has nothing can be read.
 */
DRY_API int dry_guest_refresh(struct dry_guest *g, struct dry_error *e);

struct dry_mount {
	const char *path;   /* "/boot" */
	const char *volume; /* "/dev/sda1" */
	const char *fs_type;
	size_t volume_index;
	uint64_t subvolume; /* which one of its filesystem is seen there; 0: it has none */
};
/* The i-th mount in the order of mounting; false past the end. */
DRY_API bool dry_guest_mount_at(struct dry_guest *g, size_t i, struct dry_mount *out);
/*
 * Sentences that a user may want to know: a table that is damaged but readable, an encrypted volume that was not opened, a
 * line of fstab that could not be mounted, a journal that was replayed in memory.  NULL past the end.
 */
DRY_API const char *dry_guest_note(struct dry_guest *g, size_t i);
/*
 * Sentences that a user must read: a filesystem whose log was not replayed, so that what is shown is older than what the
 * guest itself would see.  Of what was mounted or asked for its usage so far.  NULL past the end.
 */
DRY_API const char *dry_guest_warning(struct dry_guest *g, size_t i);
/*
 * To be asked when all has been read: the first image that somebody else has written to since it was opened, as its file's
 * times tell, so that what was read may be of different moments; lent until the guest is closed.  NULL: none.
 */
DRY_API const char *dry_guest_written(struct dry_guest *g);

/* ---- what is installed ---- */

/*
 * Which operating system the mounted tree is, as far as its files tell; texts are the guest's bytes, lent until the guest
 * is unmounted or closed; NULL: not known.
 */
struct dry_os {
	const char *type;	     /* "linux", "windows", "freebsd" ...; NULL: it does not look like a root */
	const char *distro;	     /* "debian", "fedora" ... */
	const char *distro_id;	     /* ID of os-release, as the guest has it */
	const char *product_name, *product_variant;
	bool has_version;
	unsigned major, minor;
	const char *version_id;	     /* VERSION_ID of os-release, as the guest has it */
	const char *arch;	     /* "x86_64" */
	const char *hostname, *build_id, *timezone;
	const char *osinfo;	     /* "debian12", as libosinfo names it */
	const char *package_format, *package_manager; /* "deb", "apt" */
	const char *init;	     /* "systemd" ... */
	const char *media;	     /* "installer", "live": no installed system, but the medium of one; NULL: installed */
	const char *const *warnings; /* sentences on what could not be read */
	size_t nwarnings;
};
DRY_API int dry_guest_os(struct dry_guest *g, struct dry_os *out, struct dry_error *e);

/*
 * What else the files of the mounted tree tell, in lists: how it boots, who can log in, what it starts, what it is for.  Texts
 * are the guest's bytes, lent until the guest is unmounted or closed; NULL: not known.  What could not be read is a sentence
 * among the warnings.
 */
struct dry_facts {
	bool bios, uefi; /* for which firmware its disks are made: both may be */
	size_t nkernels, ninitrds, nsigns, nlogins, nservices, nfstab;
	const char *const *warnings;
	size_t nwarnings;
};
DRY_API int dry_guest_facts(struct dry_guest *g, struct dry_facts *out, struct dry_error *e);

struct dry_node {
	void *fs;
	uint64_t ino;
};

/* A kernel, the newest first.  volume: where it lies on one that the guest does not mount, else NULL. */
struct dry_kernel {
	const char *path, *volume;
	const char *version; /* as it says itself, else as its name does */
	const char *arch, *format; /* "x86_64", "bzImage" */
	uint64_t size;
	bool modules; /* there are modules for its version */
	struct dry_node node;
};
/* An initial RAM disk, and the kernel that it is for: its place in the list, or DRY_NO_KERNEL. */
struct dry_initrd {
	const char *path, *volume;
	const char *version;	 /* in its name */
	const char *compression; /* "gzip", "zstd" ... "none" */
	uint64_t size;
	size_t kernel;
	struct dry_node node;
};
#define DRY_NO_KERNEL ((size_t)-1)

/* What is seen by a file. */
enum dry_sign_kind {
	DRY_SIGN_BOOT_LOADER,  /* "grub2", "systemd-boot", "shim" ... */
	DRY_SIGN_PROVISIONING, /* "cloud-init", "ignition" ...; value: "has run", "has not run", "disabled", "installed" */
	DRY_SIGN_SECURITY,     /* "selinux"; value: "enforcing" ...; "apparmor": "enabled" or "disabled" */
	DRY_SIGN_ROLE,	       /* "docker", "libvirt", "qemu-guest-agent" ...; value: "container host" ... */
};
struct dry_sign {
	enum dry_sign_kind kind;
	const char *name, *path, *volume, *value;
};

/* A user whose shell lets somebody in. */
struct dry_login {
	const char *name, *real_name, *home, *shell;
	uint32_t uid, gid;
	/* Of the password no more is told than this. */
	enum { DRY_PASSWORD_UNKNOWN, DRY_PASSWORD_SET, DRY_PASSWORD_NONE, DRY_PASSWORD_LOCKED } password;
	bool ssh_keys; /* keys are authorized in the home */
};

struct dry_service {
	const char *name, *manager; /* "ssh.service", "systemd" */
	const char *state;	    /* "enabled"; "masked"; "preset": it will be enabled when the system is first started */
	const char *when;	    /* target or runlevel */
};

/* A line of fstab; volume: which of those here it means, NULL: none. */
struct dry_fstab {
	const char *spec, *path, *type, *options, *volume;
};

/* The i-th of each; false past the end, and before dry_guest_facts() was called. */
DRY_API bool dry_guest_kernel(const struct dry_guest *g, size_t i, struct dry_kernel *out);
DRY_API bool dry_guest_initrd(const struct dry_guest *g, size_t i, struct dry_initrd *out);
DRY_API bool dry_guest_sign(const struct dry_guest *g, size_t i, struct dry_sign *out);
DRY_API bool dry_guest_login(const struct dry_guest *g, size_t i, struct dry_login *out);
DRY_API bool dry_guest_service(const struct dry_guest *g, size_t i, struct dry_service *out);
DRY_API bool dry_guest_fstab(const struct dry_guest *g, size_t i, struct dry_fstab *out);

/* What only Windows has, from its registry; lent as dry_os is.  NULL and 0: not known. */
enum dry_flag { DRY_UNKNOWN, DRY_OFF, DRY_ON };
struct dry_drive {
	char letter;
	const char *volume; /* NULL: on none of these disks */
};
struct dry_windows_service {
	const char *name;
	const char *start; /* "boot", "system", "automatic", "manual", "disabled" */
	bool file;	   /* a driver's file is there */
};
struct dry_account {
	const char *name;
	uint32_t rid; /* the last number of its SID */
	bool disabled;
};
struct dry_windows {
	const char *systemroot;	 /* "/Windows" */
	const char *control_set; /* what CurrentControlSet is: "ControlSet001" */
	const char *software_hive, *system_hive; /* files of the guest */
	const char *edition, *display_version, *service_pack;
	uint64_t update_revision;
	int64_t install_time; /* seconds since 1970 */
	enum dry_flag group_policy; /* of a domain */
	enum dry_flag firewall_domain, firewall_private, firewall_public;
	const struct dry_drive *drives;
	size_t ndrives;
	const struct dry_windows_service *virtual_drivers; /* for the hardware of virtual machines: "viostor" */
	size_t nvirtual_drivers;
	const struct dry_windows_service *services; /* programs that start by themselves */
	size_t nservices;
	const struct dry_account *accounts; /* of the machine itself */
	size_t naccounts;
};
/* DRY_NOT_FOUND when what is mounted is no Windows with a registry. */
DRY_API int dry_guest_windows(struct dry_guest *g, struct dry_windows *out, struct dry_error *e);

/* A package that the guest's package manager says is installed; texts are the guest's, NULL: not known. */
struct dry_package {
	/*
	 * "deb", "rpm", "apk", "pacman", "ebuild", "xbps", "pkgsrc", "pkg" (the other BSDs'), "pisi", "flatpak", "snap",
	 * "windows"
	 */
	const char *format;
	const char *name;
	uint32_t epoch;
	/* Without the epoch; release NULL: there is none.  Of xbps and FreeBSD's pkg, that have no separate ones, all of it. */
	const char *version, *release;
	const char *arch, *vendor, *url, *summary, *description;
	const char *source;   /* the source package */
	const char *id;	      /* what the database calls it, where that is not its name: a key of Windows */
	const char *location; /* the folder in which it is, where that is told */
	int64_t install_time; /* seconds since 1970; 0: not known */
};
struct dry_package_walk {
	/* For each in the order of its database; what p points to is lent until it returns.  Non-zero ends the walk. */
	int (*package)(void *arg, const struct dry_package *p);
	/* A database could not be read to its end: a sentence.  0 goes on; NULL: the first failure ends the walk. */
	int (*failed)(void *arg, const char *path, const struct dry_error *why);
	void *arg;
};
/* Of the mounted tree, from every package database that it has.  A callback's end is DRY_CANCELED. */
DRY_API int dry_guest_packages(struct dry_guest *g, const struct dry_package_walk *w, struct dry_error *e);
/*
 * < 0, 0, > 0: a's version is older than, as old as, newer than b's, by the rules of a's format; of one that has no known
 * rules by those of "deb".
 */
DRY_API int dry_package_order(const struct dry_package *a, const struct dry_package *b);

/* ---- the Windows registry ----
 *
 * Keys are named by paths of names between backslashes, in any case: "HKLM\\SOFTWARE\\Microsoft" in that of a guest, whose
 * roots are HKEY_LOCAL_MACHINE (HKLM), HKEY_USERS (HKU; users by SID or by name), HKEY_CLASSES_ROOT (HKCR) and
 * HKEY_CURRENT_CONFIG (HKCC); "Software\\Microsoft" in a hive that stands alone.  Names and texts are UTF-8.
 */

struct dry_registry;
/* Of the Windows that is mounted, which must stay so as long as this is used; DRY_NOT_FOUND when it is none. */
DRY_API int dry_guest_registry(struct dry_guest *g, struct dry_registry **out, struct dry_error *e);
/*
 * One hive: a file of the mounted tree, or of the host.  Descriptors, of the hive and of as many of its two logs as there are, stay
 * the caller's, who has them open until the end; name is for sentences.
 */
DRY_API int dry_guest_hive(struct dry_guest *g, const char *path, struct dry_registry **out, struct dry_error *e);
DRY_API int dry_hive_open(int fd, const int *logs, size_t nlogs, const char *name, struct dry_registry **out,
			  struct dry_error *e);
DRY_API void dry_registry_close(struct dry_registry *r); /* NULL is fine */
/*
 * Sentences that a user must read: hives that may be older than what the guest would see, whose last write was not completed and
 * whose logs do not tell what is newer.  NULL past the end.
 */
DRY_API const char *dry_registry_warning(const struct dry_registry *r, size_t i);

/* A value: lent until the callback returns, or until the next call. */
struct dry_registry_value {
	const char *name; /* "": the default value */
	uint32_t type;	  /* as Windows numbers them */
	const void *data;
	size_t len;
};
/* "REG_SZ"; NULL for a number that has no name. */
DRY_API const char *dry_registry_type_name(uint32_t type);
/* DRY_NOT_FOUND when there is no such key or value. */
DRY_API int dry_registry_get(struct dry_registry *r, const char *key, const char *name, struct dry_registry_value *out,
			     struct dry_error *e);

struct dry_registry_key {
	const char *path;   /* in full: "HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft"; "" for the root of a hive that stands alone */
	const char *name;   /* its last name */
	unsigned depth;	    /* 0: the start */
	int64_t written;    /* when, in seconds since 1970; 0: not known */
};
struct dry_registry_walk {
	unsigned max_depth; /* 0: the start only; 1: and its subkeys ...; DRY_DEPTH_ALL */
	bool sorted;	    /* keys and values by the bytes of their names; else as the hive has them */
	/* For each key; non-zero ends the walk. */
	int (*key)(void *arg, const struct dry_registry_key *k);
	/* For each value of the key before; NULL: values are not read. */
	int (*value)(void *arg, const struct dry_registry_key *k, const struct dry_registry_value *v);
	/* A part could not be read: a sentence.  0 goes on; NULL: the first failure ends the walk. */
	int (*failed)(void *arg, const char *path, const struct dry_error *why);
	void *arg;
};
/* Visits a key and what is below it; DRY_NOT_FOUND when there is none.  A callback's end is DRY_CANCELED. */
DRY_API int dry_registry_walk(struct dry_registry *r, const char *key, const struct dry_registry_walk *w, struct dry_error *e);

/*
 * The same walk, drawn on by its caller key by key, so that two can be gone through side by side: all that is below a key of a
 * hive, names in the order of dry_registry_order().  What could not be read is told to `failed` as in struct
 * dry_registry_walk.
 */
struct dry_registry_tree;
DRY_API int dry_registry_tree_open(struct dry_registry *r, const char *key,
				   int (*failed)(void *arg, const char *path, const struct dry_error *why), void *arg,
				   struct dry_registry_tree **out, struct dry_error *e);
DRY_API void dry_registry_tree_close(struct dry_registry_tree *t); /* NULL is fine */
/* The next key, lent until the next call; *out NULL: that was the last.  After an error there is none. */
DRY_API int dry_registry_tree_next(struct dry_registry_tree *t, const struct dry_registry_key **out, struct dry_error *e);
/* The name of the i-th value of the key that came last; NULL past the end. */
DRY_API const char *dry_registry_tree_name(const struct dry_registry_tree *t, size_t i);
/* That value, lent until the next call: 1, or 0 past the end. */
DRY_API int dry_registry_tree_value(struct dry_registry_tree *t, size_t i, struct dry_registry_value *out, struct dry_error *e);
/* < 0, 0, > 0: the order of two names, or paths of keys below one start, whatever their case. */
DRY_API int dry_registry_order(const char *a, const char *b);

/* ---- logs ---- */

/* What of a guest's logs is wanted; zeros but max_priority -1: everything. */
enum dry_log_source { DRY_LOG_JOURNAL, DRY_LOG_SYSLOG, DRY_LOG_PACKAGES, DRY_LOG_LOGINS, DRY_LOG_EVTX, DRY_LOG_SOURCES };
struct dry_log_query {
	unsigned sources;	  /* a bit (1 << enum dry_log_source) for each; 0: all */
	bool has_since, has_until;
	int64_t since, until;	  /* microseconds since 1970, both included */
	const char *const *units; /* any of these, patterns of the shell; of other sources than the journal the identifier */
	size_t nunits;
	int max_priority;	  /* -1: any, and entries without one; else this and more urgent ones */
	const char *boot;	  /* NULL: any; an ID, or a number: "0" the last, "-1" the one before it, "1" the first */
	uint64_t last;		  /* 0: all; else only so many, the last ones, are of interest: earlier ones may be left out */
};
struct dry_log_field {
	const char *name, *value; /* the value is NUL-terminated, and may hold NULs */
	size_t len;
};
/* An entry; texts are the guest's, NULL: not known. */
struct dry_log_entry {
	const char *source; /* "journal", "syslog", "packages", "logins", "evtx" */
	const char *path;   /* the file that it stands in */
	int64_t usec;	    /* microseconds since 1970: when it happened, as far as the source knows */
	int64_t logged;	    /* when it was logged: the order of entries, and what since and until look at */
	int priority;	    /* 0 (emerg) to 7 (debug), -1: not known */
	const char *host, *unit, *identifier, *pid, *boot;
	const char *message; /* never NULL */
	size_t message_len;
	const struct dry_log_field *fields; /* all that the source tells of it, in its own names */
	size_t nfields;
	const char *xml; /* a Windows event as Windows exports it */
};
struct dry_log_walk {
	/* For each in the order of time; what ent points to is lent until it returns.  Non-zero ends the walk. */
	int (*entry)(void *arg, const struct dry_log_entry *ent);
	/* A log could not be read, or not wholly: a sentence.  0 goes on; NULL: the first failure ends the walk. */
	int (*failed)(void *arg, const char *path, const struct dry_error *why);
	void *arg;
};
/* Of the mounted tree, all its logs merged by time.  A callback's end is DRY_CANCELED; no such boot is DRY_NOT_FOUND. */
DRY_API int dry_guest_log(struct dry_guest *g, const struct dry_log_query *q, const struct dry_log_walk *w,
			  struct dry_error *e);
/* "journal" ...; NULL past the end. */
DRY_API const char *dry_log_source_name(unsigned source);

/* ---- files ----
 *
 * Paths are the guest's, from its root; symlinks never lead out of the guest.  A node is a place in the tree: it can be
 * kept and compared as long as the guest is open.  Errors: DRY_NOT_FOUND, or DRY_SYSTEM with the errno that the guest's
 * kernel would give.
 */

struct dry_time {
	int64_t sec;
	uint32_t nsec;
};
struct dry_stat {
	/* Equal for things of one filesystem, and subvolume of it; without subvolumes the index of its first mount. */
	uint64_t dev;
	uint64_t ino, size, blocks512;
	uint32_t mode; /* type and permissions, as st_mode on Linux */
	uint32_t nlink, uid, gid, rdev_major, rdev_minor;
	uint32_t project; /* of project quotas; 0: none */
	struct dry_time atime, mtime, ctime, crtime;
	bool has_crtime;
};
DRY_API int dry_guest_lookup(struct dry_guest *g, const char *path, bool follow, struct dry_node *out,
			     struct dry_error *e);
/* What lies under one name in a directory, with a mount point crossed; a symlink is not followed. */
DRY_API int dry_node_child(struct dry_guest *g, struct dry_node dir, const char *name, struct dry_node *out,
			   struct dry_error *e);
/*
 * Each name in a directory but "." and "..", in the order of the disk, with mount points crossed; type has the S_IFMT bits of
 * st_mode, 0: not known without dry_node_stat().  The name is lent; fn's first non-zero answer ends it.
 */
DRY_API int dry_node_list(struct dry_guest *g, struct dry_node dir,
			  int (*fn)(void *arg, const char *name, struct dry_node node, uint32_t type), void *arg,
			  struct dry_error *e);
DRY_API int dry_node_stat(struct dry_guest *g, struct dry_node n, struct dry_stat *out, struct dry_error *e);
/* At most len bytes of a regular file; *got is less only at its end. */
DRY_API int dry_node_read(struct dry_guest *g, struct dry_node n, void *buf, size_t len, uint64_t off, size_t *got,
			  struct dry_error *e);
/* The run of data, or hole, that begins at off: up to the end of the file. */
DRY_API int dry_node_extent(struct dry_guest *g, struct dry_node n, uint64_t off, uint64_t *len, bool *hole,
			    struct dry_error *e);
/*
 * Where the run of a regular file that begins at off lies on the host: 1, and *len bytes of it lie, as they are, in that host
 * file from host_off on; so that runs at the same place hold the same bytes.  0: it is a hole, stored in another way, or the
 * filesystem's reader does not tell; so of *len bytes, at least 1.
 */
DRY_API int dry_node_place(struct dry_guest *g, struct dry_node n, uint64_t off, uint64_t *len, struct dry_place *out,
			   struct dry_error *e);
/* A symlink's target, NUL-terminated: free() it. */
DRY_API int dry_node_readlink(struct dry_guest *g, struct dry_node n, char **target, struct dry_error *e);
/* Each extended attribute ("user.x"), ACLs in the form that the kernel gives; fn's first non-zero answer ends it. */
DRY_API int dry_node_xattrs(struct dry_guest *g, struct dry_node n,
			    int (*fn)(void *arg, const char *name, const void *value, size_t len), void *arg,
			    struct dry_error *e);

struct dry_entry {
	const char *path; /* from the guest's root: the start as given and what lies below it */
	const char *rel;  /* below the start; "" for the start */
	const char *name; /* the last component; "" for the start */
	unsigned depth;	  /* 0: the start */
	bool leaving;	  /* the second call for a directory, after what is in it */
	struct dry_node node;
	struct dry_stat stat;
};
enum { DRY_WALK_ON = 0, DRY_WALK_SKIP = 1 /* not into this directory */, DRY_WALK_STOP = 2 };
#define DRY_DEPTH_ALL (~0u)
struct dry_walk {
	bool leave;	    /* call for directories also when leaving them */
	bool one_fs;	    /* stay in the filesystem of the start */
	unsigned max_depth; /* 0: the start only; 1: and what is in it ...; DRY_DEPTH_ALL */
	int (*fn)(void *arg, const struct dry_entry *ent);
	/* Something could not be read: a sentence.  0 goes on with the next; NULL: the first failure ends the walk. */
	int (*failed)(void *arg, const char *path, const struct dry_error *why);
	void *arg;
};
/*
 * Visits what lies at path (its last symlink is followed) and below, names sorted by their bytes, symlinks not
 * followed.  Returns 0, DRY_WALK_STOP when fn said so, or an error.
 */
DRY_API int dry_guest_walk(struct dry_guest *g, const char *path, const struct dry_walk *w, struct dry_error *e);

/*
 * The same walk, drawn on by its caller entry by entry, so that two trees can be gone through side by side.  What could not
 * be read is told to `failed` as in struct dry_walk (NULL: the first failure ends it).
 */
struct dry_tree;
DRY_API int dry_tree_open(struct dry_guest *g, const char *path,
			  int (*failed)(void *arg, const char *path, const struct dry_error *why), void *arg,
			  struct dry_tree **out, struct dry_error *e);
DRY_API void dry_tree_close(struct dry_tree *t); /* NULL is fine */
/* The next entry, lent until the next call; *out NULL: that was the last.  After an error there is none. */
DRY_API int dry_tree_next(struct dry_tree *t, const struct dry_entry **out, struct dry_error *e);
/* Not into the directory that dry_tree_next() gave last. */
DRY_API void dry_tree_skip(struct dry_tree *t);
/* < 0, 0, > 0: which of two paths below one start such a walk meets first. */
DRY_API int dry_path_order(const char *a, const char *b);

/* ---- a shell in the appliance ---- */

/* What is mounted for it, below /sysroot. */
struct dry_shell_mount {
	const char *volume;  /* as dry_guest_mount() takes it */
	const char *path;    /* in the guest: "/", "/boot" */
	const char *options; /* of mount(8); NULL: none */
	const char *type;    /* NULL: what is there */
};
struct dry_shell_how {
	const struct dry_shell_mount *mounts; /* in that order */
	size_t nmounts;
	bool inspect;	     /* mount what dry_guest_mount_auto() would */
	bool terminal;	     /* it has a terminal, and prompts; else it reads commands as from a file */
	uint16_t rows, cols; /* of the terminal */
	/* What the shell says, on stream 1 or 2 (a terminal: all on 1); non-zero ends the call with DRY_CANCELED. */
	int (*output)(void *arg, int stream, const void *bytes, size_t len);
	void *arg;
};
struct dry_shell;
/*
 * Starts a machine with the guest's disks, as they were opened, and a shell in it; nothing of the guest may be mounted, and it
 * must have been opened with an appliance.  Until the shell is closed, nothing else may be asked of the guest.
 */
DRY_API int dry_shell_open(struct dry_guest *g, const struct dry_shell_how *how, struct dry_shell **out, struct dry_error *e);
/* For poll(): readable when there is something for dry_shell_pump(). */
DRY_API int dry_shell_fd(const struct dry_shell *s);
/* Takes what has come, without waiting: 1 when the shell has ended, *status is then as waitpid() tells; else 0. */
DRY_API int dry_shell_pump(struct dry_shell *s, int *status, struct dry_error *e);
/* Types; *taken may be less than len until dry_shell_pump() has run. */
DRY_API int dry_shell_input(struct dry_shell *s, const void *bytes, size_t len, size_t *taken, struct dry_error *e);
/* Without a terminal: there is nothing more to be read. */
DRY_API int dry_shell_input_end(struct dry_shell *s, struct dry_error *e);
DRY_API int dry_shell_resize(struct dry_shell *s, uint16_t rows, uint16_t cols, struct dry_error *e);
/* All that was written reaches the disks. */
DRY_API int dry_shell_sync(struct dry_shell *s, struct dry_error *e);
/* Unmounts what is mounted below /sysroot; DRY_SYSTEM in the words of umount(8) where something is in use. */
DRY_API int dry_shell_unmount(struct dry_shell *s, struct dry_error *e);
/* The i-th command by which something was mounted ("mount -t ext4 /dev/vda1 /sysroot"); NULL past the end. */
DRY_API const char *dry_shell_command(const struct dry_shell *s, size_t i);
/*
 * Ends the shell and the machine; what was written is on the disks then, or the error says why not.  NULL is fine.  With
 * `at_once` nobody waits for what is not yet written.
 */
DRY_API int dry_shell_close(struct dry_shell *s, bool at_once, struct dry_error *e);

/* ---- changing a guest ----
 *
 * A change is one transaction.  A machine gets the guest's whole disks and mounts its filesystems for writing; all that is written
 * goes to a journal beside the images (one for each disk, named ".IMAGE.drydock-redo").  dry_change_commit() unmounts, looks
 * that each filesystem is clean, and puts the bytes that differ into the images: all of them, or none.  Whatever happens before
 * - an error, a full disk, a kill - the images are as they were; a process that is killed while the bytes are put there has its
 * work completed by whoever opens the image next.
 *
 * From dry_guest_change() until commit or abandon, every function of the sections above that looks at files, mounts or the
 * system shows the changed tree.  Nothing else may be mounted or unmounted meanwhile but by dry_change_mount() and
 * dry_change_unmount().  Nodes from before are void.
 *
 * Errors are those of reading: DRY_NOT_FOUND, or DRY_SYSTEM with the errno of the guest's kernel (EEXIST, ENOSPC, EROFS ...).
 * After an error the change may go on, unless dry_change_lost().
 */

struct dry_change_how {
	const struct dry_shell_mount *mounts; /* in that order; the first on "/" */
	size_t nmounts;
	bool inspect;	 /* mount what dry_guest_mount_auto() would */
	bool any;	 /* with inspect: a lone filesystem that is not a root will do */
	bool all_volumes; /* activate arrays, groups and keys also where nothing is mounted from them: for who lists volumes */
	struct dry_progress progress; /* of putting the bytes into the images */
};
struct dry_change;
/*
 * Begins; nothing of the guest may be mounted, and it must have been opened with an appliance.  A guest that was opened with
 * DRY_OPEN_TEMPORARY is changed in a temporary file and cannot be committed.  Ended by dry_change_commit() or
 * dry_change_abandon().
 */
DRY_API int dry_guest_change(struct dry_guest *g, const struct dry_change_how *how, struct dry_change **out,
			     struct dry_error *e);
/* The guest that is changed. */
DRY_API struct dry_guest *dry_change_guest(const struct dry_change *c);
/* Has the machine gone, so that nothing but abandoning is left? */
DRY_API bool dry_change_lost(const struct dry_change *c);

/* ---- changing files ---- */

/* Of a component of a path, with its NUL. */
#define DRY_NAME_SIZE 1021
/*
 * The folder that a path of the guest lies in, symlinks followed inside the guest only, and the last component, which is not
 * followed and need not be there.  DRY_USAGE for paths without one: "/", and those that end in "." or "..".
 */
DRY_API int dry_change_parent(struct dry_change *c, const char *path, struct dry_node *dir, char name[DRY_NAME_SIZE],
			      struct dry_error *e);

struct dry_owner {
	uint32_t mode; /* permissions; of dry_change_mknod() with the type */
	uint32_t uid, gid;
};
/* Make something under a name that is free: EEXIST.  node, of what was made, may be NULL. */
DRY_API int dry_change_create(struct dry_change *c, struct dry_node dir, const char *name, const struct dry_owner *owner,
			      struct dry_node *node, struct dry_error *e);
DRY_API int dry_change_mkdir(struct dry_change *c, struct dry_node dir, const char *name, const struct dry_owner *owner,
			     struct dry_node *node, struct dry_error *e);
/* A device, pipe or socket. */
DRY_API int dry_change_mknod(struct dry_change *c, struct dry_node dir, const char *name, const struct dry_owner *owner,
			     uint32_t major, uint32_t minor, struct dry_node *node, struct dry_error *e);
DRY_API int dry_change_symlink(struct dry_change *c, struct dry_node dir, const char *name, const char *target,
			       const struct dry_owner *owner, struct dry_node *node, struct dry_error *e);
/* A further name of a file; of another filesystem: EXDEV. */
DRY_API int dry_change_link(struct dry_change *c, struct dry_node node, struct dry_node dir, const char *name,
			    struct dry_error *e);
DRY_API int dry_change_unlink(struct dry_change *c, struct dry_node dir, const char *name, struct dry_error *e);
DRY_API int dry_change_rmdir(struct dry_change *c, struct dry_node dir, const char *name, struct dry_error *e);
enum {
	DRY_RENAME_NOREPLACE = 1u << 0, /* EEXIST where the new name is taken; else that is replaced */
	DRY_RENAME_EXCHANGE = 1u << 1,	/* both names change places */
};
DRY_API int dry_change_rename(struct dry_change *c, struct dry_node dir, const char *name, struct dry_node newdir,
			      const char *newname, unsigned flags, struct dry_error *e);

DRY_API int dry_change_chmod(struct dry_change *c, struct dry_node node, uint32_t mode, struct dry_error *e);
/* UINT32_MAX: left as it is. */
DRY_API int dry_change_chown(struct dry_change *c, struct dry_node node, uint32_t uid, uint32_t gid, struct dry_error *e);
/* NULL: left as it is. */
DRY_API int dry_change_utimens(struct dry_change *c, struct dry_node node, const struct dry_time *atime,
			       const struct dry_time *mtime, struct dry_error *e);
DRY_API int dry_change_truncate(struct dry_change *c, struct dry_node node, uint64_t size, struct dry_error *e);
/* All or error; several MiB in one call are as fast as the machine's channel is. */
DRY_API int dry_change_write(struct dry_change *c, struct dry_node node, const void *buf, size_t len, uint64_t off,
			     struct dry_error *e);
enum {
	DRY_ALLOCATE_PUNCH = 1u << 0,	  /* the bytes become a hole; the size stays */
	DRY_ALLOCATE_KEEP_SIZE = 1u << 1, /* room behind the end is not part of the file */
	DRY_ALLOCATE_ZERO = 1u << 2,	  /* the bytes become zeros that have room */
};
/* Room for the bytes, and the file is as long, unless how says otherwise.  What the guest's filesystem has not is EOPNOTSUPP. */
DRY_API int dry_change_allocate(struct dry_change *c, struct dry_node node, uint64_t off, uint64_t len, unsigned how,
				struct dry_error *e);
enum {
	DRY_XATTR_CREATE = 1u << 0,  /* EEXIST where it is there */
	DRY_XATTR_REPLACE = 1u << 1, /* ENODATA where it is not */
};
DRY_API int dry_change_setxattr(struct dry_change *c, struct dry_node node, const char *name, const void *value, size_t len,
				unsigned flags, struct dry_error *e);
DRY_API int dry_change_removexattr(struct dry_change *c, struct dry_node node, const char *name, struct dry_error *e);
DRY_API int dry_change_fsync(struct dry_change *c, struct dry_node node, struct dry_error *e);

/*
 * Gives a regular file this content wholly, symlinks followed.  One that is there keeps its mode, owner, extended attributes
 * (so its SELinux label) and names, unless owner says else; a new one is owner's, or root's with mode 0644 (NULL).
 */
DRY_API int dry_change_write_file(struct dry_change *c, const char *path, const void *bytes, size_t len,
				  const struct dry_owner *owner, struct dry_error *e);
/* A folder and those above it that are missing, all of this owner (NULL: root's, 0755); one that is there is left as it is. */
DRY_API int dry_change_make_folders(struct dry_change *c, const char *path, const struct dry_owner *owner, struct dry_error *e);
/* Removes what a path names, and all in it; the last component is not followed, and what is mounted in there is EBUSY. */
DRY_API int dry_change_remove_tree(struct dry_change *c, const char *path, struct dry_error *e);

/* ---- running programs ---- */

struct dry_run_how {
	const char *const *argv; /* ends at NULL; argv[0] is looked for in the usual folders unless it has a '/' */
	const char *const *env;	 /* "NAME=VALUE", ends at NULL; NULL: PATH, HOME, LANG, TERM */
	/*
	 * One of the appliance's own programs, which sees its devices ("/dev/sda" are not their names: dry_change_device());
	 * else one of the guest's, in its tree with /dev, /proc and /sys, all of which is gone with it when it ends.
	 */
	bool in_appliance;
	bool sees_guest; /* with in_appliance: the guest's tree, as it is mounted, lies below its /sysroot */
	/*
	 * In a machine with a network: while it runs, the machine's own /etc/resolv.conf lies over the guest's, also where that
	 * is a symlink or not there.
	 */
	bool network;
	/* What it reads: *got is 0 at the end, non-zero answers end the call with DRY_CANCELED.  NULL: nothing. */
	int (*input)(void *arg, void *buf, size_t len, size_t *got);
	/* What it says, on stream 1 or 2; non-zero likewise.  NULL: forgotten. */
	int (*output)(void *arg, int stream, const void *bytes, size_t len);
	uint64_t max_ms;     /* it is killed after so long; 0: ten minutes, UINT64_MAX: never */
	uint64_t max_output; /* and when it has said so many bytes; 0: 64 MiB, UINT64_MAX: any */
	bool (*stop)(void *arg); /* asked ten times a second; NULL: no */
	void *arg;
};
/*
 * Runs a program to its end; *status as waitpid() tells.  One that did not end in time, or said too much, was killed with all
 * that it began: DRY_LIMIT.
 */
DRY_API int dry_change_run(struct dry_change *c, const struct dry_run_how *how, int *status, struct dry_error *e);

/* ---- mounts and volumes of a change ---- */

/* The name by which the appliance's own programs know a volume ("/dev/vda2" for "/dev/sda2"): free() it. */
DRY_API int dry_change_device(struct dry_change *c, const char *volume, char **device, struct dry_error *e);
/* Mounts one more, for writing unless its options say "ro". */
DRY_API int dry_change_mount(struct dry_change *c, const struct dry_shell_mount *m, struct dry_error *e);
/* Unmounts what is mounted at a path; NULL: everything.  EBUSY where something is mounted beneath it. */
DRY_API int dry_change_unmount(struct dry_change *c, const char *path, struct dry_error *e);
/*
 * Looks anew what lies on the disks, which dry_guest_volumes() and so on then tell: after programs of the appliance have made
 * partitions or filesystems.  Nothing may be mounted.
 */
DRY_API int dry_change_rescan(struct dry_change *c, struct dry_error *e);
/*
 * Opens an encrypted volume (LUKS) in the machine by a key.  What is inside is among dry_guest_volumes() when the key is one of
 * the guest's and dry_change_rescan() has looked.  DRY_POLICY: the key opens nothing.
 */
DRY_API int dry_change_unlock(struct dry_change *c, const char *volume, const void *key, size_t len, bool readonly,
			      struct dry_error *e);
/* Closes it there again. */
DRY_API int dry_change_lock(struct dry_change *c, const char *volume, struct dry_error *e);
/* All that was written so far reaches the journal. */
DRY_API int dry_change_sync(struct dry_change *c, struct dry_error *e);

/* ---- changing the Windows registry ---- */

/*
 * Hives are written by libhivex, in a process of its own that ends with this one: to be called before dry_confine(), and before
 * there are threads.  DRY_UNSUPPORTED when libhivex is not installed.
 */
struct dry_hive_writer;
DRY_API int dry_hive_writer_start(struct dry_hive_writer **out, struct dry_error *e);
DRY_API void dry_hive_writer_stop(struct dry_hive_writer *w); /* NULL is fine */

/* Changes to be made, in their order. */
struct dry_registry_edits;
DRY_API struct dry_registry_edits *dry_registry_edits_new(void); /* NULL when memory is out */
DRY_API void dry_registry_edits_free(struct dry_registry_edits *edits); /* NULL is fine */
/*
 * Adds what a text of regedit (".reg") says, in UTF-16 or UTF-8.  ascii: texts become values byte by byte, not in UTF-16.
 * prefix is taken from the beginning of each key; NULL: nothing.  DRY_USAGE names the line that is wrong.
 */
DRY_API int dry_registry_edits_text(struct dry_registry_edits *edits, const void *bytes, size_t len, bool ascii,
				    const char *prefix, struct dry_error *e);
/*
 * Adds a value: type is "sz", "expand", "multi" (texts between "\\0"), "dword", "qword", "binary", "none" or a number, of which the
 * last three take bytes in hexadecimal digits.  name "": the default value; type NULL: the key alone.
 */
DRY_API int dry_registry_edits_set(struct dry_registry_edits *edits, const char *key, const char *name, const char *type,
				   const char *text, struct dry_error *e);
/* Adds the removal of a value, or (name NULL) of a key and all below it. */
DRY_API int dry_registry_edits_delete(struct dry_registry_edits *edits, const char *key, const char *name, struct dry_error *e);
/*
 * Makes them in the registry of the Windows that is mounted, or (hive not NULL) in one hive, a file of the guest.  What the logs of
 * a hive hold that is newer is in it afterwards, too; DRY_UNSUPPORTED when they do not tell all.  *nhives (if given) were
 * written; a hive that holds all already is not.
 */
DRY_API int dry_registry_change(struct dry_change *c, struct dry_hive_writer *w, const char *hive,
				const struct dry_registry_edits *edits, size_t *nhives, struct dry_error *e);
/* The same of one hive that was opened by dry_hive_open(): its new content, free(*out); NULL when nothing would change. */
DRY_API int dry_hive_change(struct dry_registry *r, struct dry_hive_writer *w, const struct dry_registry_edits *edits, void **out,
			    size_t *len, struct dry_error *e);

/* ---- customizing a guest ---- */

/* Operations with names, in the order in which they are to be done. */
struct dry_customize;
DRY_API struct dry_customize *dry_customize_new(void); /* NULL when memory is out */
DRY_API void dry_customize_free(struct dry_customize *z); /* NULL is fine */
struct dry_customize_op {
	const char *name; /* "append-line" */
	const char *arg;  /* the form of its argument, "FILE:LINE"; NULL: it has none */
	const char *help;
	bool own;	  /* no peer has it */
};
/* The i-th operation that there is, by name; false past the end. */
DRY_API bool dry_customize_op_at(size_t i, struct dry_customize_op *out);
/*
 * Takes one: its argument is judged, and files of the host that it names are read or opened.  DRY_USAGE for what is wrong with it.
 * To be called before dry_confine().
 */
DRY_API int dry_customize_add(struct dry_customize *z, const char *name, const char *arg, struct dry_error *e);
/* The i-th file or folder of the host that is read later, so that it must stay readable; NULL past the end. */
DRY_API const char *dry_customize_host_path(const struct dry_customize *z, size_t i);
struct dry_customize_how {
	/* Told of each operation when it begins; NULL: nobody wants to know. */
	void (*say)(void *arg, const char *line);
	/* What the guest's programs say, on stream 1 or 2; non-zero ends it with DRY_CANCELED.  NULL: forgotten. */
	int (*output)(void *arg, int stream, const void *bytes, size_t len);
	bool (*stop)(void *arg); /* asked while a program runs; NULL: no */
	void *arg;
	uint64_t max_ms, max_output; /* of each program, as in struct dry_run_how; 0: an hour, 64 MiB */
	bool network; /* of programs, as in struct dry_run_how */
	struct dry_hive_writer *writer; /* for Windows; NULL: then its registry cannot be changed */
	/* Unpacks an archive of the host, read from its beginning, in a folder; NULL: there is no "tar-in". */
	int (*unpack)(void *arg, struct dry_change *c, int fd, const char *folder, struct dry_error *e);
};
DRY_API int dry_customize_run(struct dry_change *c, const struct dry_customize *z, const struct dry_customize_how *how,
			      struct dry_error *e);
/* Is there an operation that runs a program of the guest? */
DRY_API bool dry_customize_runs(const struct dry_customize *z);

/* ---- making a guest ready to be cloned ---- */

struct dry_sysprep_op {
	const char *name, *help;
	bool by_default;
	bool own; /* the peer's virt-sysprep does not have it */
};
/* The i-th operation that there is, by name; false past the end. */
DRY_API bool dry_sysprep_op_at(size_t i, struct dry_sysprep_op *out);
struct dry_sysprep_how {
	/* "a,b": these alone; NULL: what operations says. */
	const char *enable;
	/* "defaults,-a,b", "all,-a": added and taken away, one after the other; NULL: the defaults. */
	const char *operations;
	bool peer; /* the defaults of virt-sysprep, which has fewer operations */
	/* Of user-account, between commas: who stays; who goes (NULL: all others).  NULL: nobody is named. */
	const char *keep_accounts, *remove_accounts;
	const struct dry_customize *customize; /* for the operation of that name; NULL: nothing */
	struct dry_customize_how how;
};
/* Are enable and operations right?  Nothing is done. */
DRY_API int dry_sysprep_judge(const struct dry_sysprep_how *how, struct dry_error *e);
DRY_API int dry_sysprep_run(struct dry_change *c, const struct dry_sysprep_how *how, struct dry_error *e);
/*
 * Of the mounted tree, secrets that its clones would share, at the places where such things usually lie: fn is called with the path
 * and what it is ("a private key of ssh"); non-zero ends it with DRY_CANCELED.  None found is no promise that there is none.
 */
DRY_API int dry_guest_secrets(struct dry_guest *g, int (*fn)(void *arg, const char *path, const char *what), void *arg,
			      struct dry_error *e);

/* ---- the end of a change ---- */

struct dry_change_result {
	uint64_t bytes; /* of the disks that differ from before, in blocks of 4 KiB */
};
/* What was done so far is in the images from here on, whatever comes; the change goes on. */
DRY_API int dry_change_checkpoint(struct dry_change *c, struct dry_change_result *result, struct dry_error *e);
/*
 * Unmounts, ends the machine, and tells how the guest was and how it would be: two guests with the same mounts, read by our own
 * readers where we have some, lent until the change is ended; the second is the changed guest itself.  All that may follow is the
 * end.
 */
DRY_API int dry_change_preview(struct dry_change *c, struct dry_guest **before, struct dry_guest **after,
			       struct dry_change_result *result, struct dry_error *e);
/*
 * Unmounts, looks that what was mounted for writing is clean, ends the machine, and puts the change into the images; result may
 * be NULL.  When it fails they are as they were; but once the journals count, an image that cannot be written to is completed by
 * whoever opens it next, and the error says so.  c is gone either way, and the guest shows nothing any more: it can only be
 * closed.
 */
DRY_API int dry_change_commit(struct dry_change *c, struct dry_change_result *result, struct dry_error *e);
/* Ends the machine at once; nothing has happened.  NULL is fine.  The guest can only be closed. */
DRY_API void dry_change_abandon(struct dry_change *c);

/* ==== the appliance: a small virtual machine for what needs a kernel ==== */

struct dry_appliance_build {
	const char *output;   /* the folder to make; NULL: one in the user's cache, where it is found from then on */
	const char *agent;    /* the program that runs in the appliance; NULL: the one that came with this library */
	const char *kernel;   /* /boot/vmlinuz-RELEASE for QEMU; NULL: the best that is there */
	const char *packages; /* a folder of Debian packages, whose files are taken where this host has none; NULL: none */
	bool only_packages;   /* take nothing from this host */
	bool force;	      /* also when the same is there already */
};
/* What is in one, and where it came from. */
struct dry_appliance;
struct dry_appliance_kernel {
	const char *backend; /* "uml" or "qemu" */
	const char *release, *source;
	const char *filesystems; /* that it mounts, blanks between */
	uint64_t size, initrd_size;
};
struct dry_appliance_tool {
	const char *package, *missing; /* names of programs that were not to be had, blanks between */
	uint64_t nprograms;
	bool mounts; /* without it, something cannot be mounted */
};
/*
 * Builds one from this host's files, without root; what is there already is not built again, of which *made (if given) tells.
 * DRY_NOT_FOUND when there is no kernel or no agent.
 */
DRY_API int dry_appliance_build(const struct dry_appliance_build *how, bool *made, struct dry_appliance **out,
				struct dry_error *e);
/* Looks at the one in that folder, or with NULL at the one that would be started; DRY_NOT_FOUND when there is none. */
DRY_API int dry_appliance_open(const char *folder, struct dry_appliance **out, struct dry_error *e);
DRY_API void dry_appliance_free(struct dry_appliance *a); /* NULL is fine */
/* The folder, the key over all that it was built from, and the version of drydock that built it. */
DRY_API const char *dry_appliance_folder(const struct dry_appliance *a);
DRY_API const char *dry_appliance_key(const struct dry_appliance *a);
DRY_API const char *dry_appliance_version(const struct dry_appliance *a);
/* The i-th kernel, and the i-th package of tools; false past the end. */
DRY_API bool dry_appliance_kernel_at(const struct dry_appliance *a, size_t i, struct dry_appliance_kernel *out);
DRY_API bool dry_appliance_tool_at(const struct dry_appliance *a, size_t i, struct dry_appliance_tool *out);
/* Bytes of the image of tools. */
DRY_API uint64_t dry_appliance_tools_size(const struct dry_appliance *a);
struct dry_appliance_trial {
	const char *backend; /* that answered: "kvm", "uml" or "tcg" */
	unsigned launch_ms;  /* until the agent was there */
	char kernel[65];     /* that it runs on */
};
/*
 * Starts the one in that folder (NULL: the one that would be started) by a backend ("auto", "kvm", "uml" or "tcg"), asks its
 * agent, runs one of its programs and ends it.  To be called before the process confines itself or makes threads.
 */
DRY_API int dry_appliance_try(const char *folder, const char *backend, struct dry_appliance_trial *out, struct dry_error *e);
/* Removes from the user's cache those that are no longer in use, or all; *removed (if given) counts them. */
DRY_API int dry_appliance_clean(bool all, unsigned *removed, struct dry_error *e);

/* ==== serving disks by NBD ==== */

/*
 * What TLS needs, read at once from a folder that is laid out as QEMU's: with certificates ca-cert.pem, ca-crl.pem (may be
 * missing), server-cert.pem and server-key.pem, or client-cert.pem and client-key.pem (may be missing both); with shared keys
 * keys.psk, lines of NAME:HEX.
 */
struct dry_tls;
struct dry_tls_how {
	const char *dir;
	bool client;	      /* of a client; else of a server */
	bool psk;	      /* shared keys; else certificates */
	const char *username; /* of a client with shared keys; NULL: "qemu" */
	bool any_client;      /* a server with certificates takes clients without one */
	const struct dry_secrets *secrets; /* that hold `passphrase`; NULL: none */
	const char *passphrase; /* its name: of the private key; NULL: it needs none */
	/* A server takes only clients whose certificate has one of these distinguished names ("CN=a,O=b"); none: all. */
	const char *const *allowed;
	size_t nallowed;
};
DRY_API int dry_tls_new(const struct dry_tls_how *how, struct dry_tls **out, struct dry_error *e);
DRY_API void dry_tls_free(struct dry_tls *t); /* NULL is fine */

/* A disk under a name: an image, or a volume of a guest; they may be closed when the server was made. */
struct dry_export {
	const char *name; /* UTF-8; "" is what a client gets that names none */
	const char *description; /* NULL: none */
	struct dry_image *image;
	struct dry_guest *guest; /* with image NULL: */
	size_t volume;		 /* its number in the list of volumes */
	uint64_t off, size; /* a part of it; size 0: what is behind off */
	bool writable;	    /* and then what is served must be, too */
	/* What clients can ask for, besides which parts are holes: */
	bool depth; /* in which image of the backing chain they are (qemu:allocation-depth) */
	const char *const *bitmaps; /* of the image: what was written (qemu:dirty-bitmap:NAME) */
	size_t nbitmaps;
};
struct dry_server_how {
	const struct dry_export *exports;
	size_t nexports;
	unsigned clients;	    /* at most so many at a time, others are DRY_LIMIT; 0: no limit */
	unsigned handshake_seconds; /* a client that has not chosen an export by then is sent away; 0: it has time */
	const struct dry_tls *tls;  /* all clients must encrypt; NULL: none can */
	/* Told in another thread, with a sentence, why a client was sent away; NULL: nobody is told. */
	void (*note)(void *arg, const char *sentence);
	void *arg;
};
struct dry_server;
/* Nothing is opened and nobody listened to: clients are what dry_server_client() is given. */
DRY_API int dry_server_new(const struct dry_server_how *how, struct dry_server **out, struct dry_error *e);
/*
 * Serves a client on a stream socket that is connected, in threads of its own, until it leaves.  fd is the server's from now
 * on, also when this fails.
 */
DRY_API int dry_server_client(struct dry_server *s, int fd, struct dry_error *e);
/* For poll(): readable when clients have left. */
DRY_API int dry_server_fd(const struct dry_server *s);
/* How many there are; *served: how many have left that had chosen an export.  Nothing is to be read at dry_server_fd() then. */
DRY_API unsigned dry_server_clients(struct dry_server *s, uint64_t *served);
/*
 * Hangs up on all clients and waits for what they have under way; NULL is fine.  The answer is the first error of an image that
 * a client has met.  A writer calls dry_image_finish() afterwards.
 */
DRY_API int dry_server_stop(struct dry_server *s, struct dry_error *e);

/* An export as a server tells of it. */
struct dry_remote_export {
	const char *name, *description; /* the server's bytes; description NULL: none */
	bool known;	/* the server told more than the name: */
	uint16_t flags; /* of the protocol (NBD_FLAG_...) */
	uint64_t size;
	uint32_t min_block, opt_block, max_block; /* max 0: not told */
	const char *const *contexts; /* "base:allocation" */
	size_t ncontexts;
};
/*
 * Asks the server on a connected socket for its exports, and tells them one by one; then leaves.  tls NULL: in the open.
 * hostname: what its certificate must name; NULL: anything.  Anything but 0 from `told` ends this with DRY_CANCELED.
 */
DRY_API int dry_server_list(int fd, const struct dry_tls *tls, const char *hostname,
			    int (*told)(void *arg, const struct dry_remote_export *x, size_t nth, size_t total), void *arg,
			    struct dry_error *e);

/* ---- the host ---- */

/* What it can do, found out by trying. */
struct dry_host;
struct dry_host_fact {
	const char *name;    /* "kvm", "namespaces" ... */
	const char *state;   /* "good"; "poor": it goes without; "missing": something needed does not work */
	const char *text;    /* what was found */
	const char *install; /* what to install or to do; NULL: nothing */
};
/* Takes some tens of milliseconds: machines and processes are made for it. */
DRY_API int dry_host_new(struct dry_host **out, struct dry_error *e);
DRY_API void dry_host_free(struct dry_host *h); /* NULL is fine */
/* The i-th fact; false past the last. */
DRY_API bool dry_host_fact_at(const struct dry_host *h, size_t i, struct dry_host_fact *out);
/* Can an appliance be started? */
DRY_API bool dry_host_appliance(const struct dry_host *h);

/* ---- confinement ---- */

enum dry_confinement {
	DRY_CONFINE_BEST,     /* what the host does not offer is left out and told */
	DRY_CONFINE_REQUIRED, /* Landlock and seccomp both, or DRY_POLICY */
	DRY_CONFINE_OFF,
};
struct dry_confine {
	enum dry_confinement want;
	const char *const *read_paths; /* files and folders that may still be opened for reading */
	size_t nread;
	bool write;	  /* files may be made beneath write_dir; for root that folder becomes the root folder */
	int write_dir;	  /* a descriptor */
	bool again;	  /* a stricter call will follow */
	bool terminal;	  /* the settings of a terminal that is open may be changed: a passphrase is not echoed */
	bool appliance;	  /* machines of a struct dry_machines will be used: what their disks and channel take stays allowed */
	bool serve;	  /* clients come over sockets that are open, and what is open for writing is written to */
	bool mount;	  /* a FUSE filesystem is served, whose descriptor comes through a socket that is open */
	bool write_images; /* images that are open for writing may be written to */
	const struct dry_guest *change; /* one opened with DRY_OPEN_CHANGE: its journals may still be removed; NULL: none */
	uint64_t memory;  /* address space in bytes, with `appliance` what is private and writable of it; 0: no limit */
	uint64_t seconds; /* of processor time, 0: no limit; then SIGXCPU */
};
struct dry_confined {
	bool privs, limits, landlock, seccomp, chroot;
	int landlock_abi;
	char missing[300]; /* what the host did not offer and why; "" when nothing was left out */
};
/*
 * The process gives up everything that reading guests does not need: no other files, programs, sockets, or processes.
 * It cannot be undone.  Open first what is needed later; call it before there are threads.  result may be NULL.
 */
DRY_API int dry_confine(const struct dry_confine *how, struct dry_confined *result, struct dry_error *e);

#ifdef __cplusplus
}
#endif

#endif
