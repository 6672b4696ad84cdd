/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qcow2.h - what the files of the qcow2 driver share.
 *
 * The specification is docs/interop/qcow2.txt of QEMU.  A guest offset is cut into an L1 index, an L2 index and an
 * offset in the cluster; with extended L2 entries a cluster has 32 subclusters, otherwise it is its own only one.
 *
 *	qcow2.c		header, features, open, close, finish, facts; the driver table
 *	qcow2_header.c	the first cluster written anew
 *	qcow2_opts.c	options of an open image
 *	qcow2_cache.c	bounded write-back cache of L2 slices and refcount blocks
 *	qcow2_map.c	L1/L2 lookup, extents
 *	qcow2_read.c	reading, compressed clusters
 *	qcow2_refs.c	refcounts, allocation
 *	qcow2_order.c	the order in which metadata reaches the disk, freeing
 *	qcow2_overlap.c	whether a write would hit metadata
 *	qcow2_write.c	copy on write, linking of new clusters, compressed writes
 *	qcow2_zero.c	zeroing, discarding
 *	qcow2_crypt.c	encryption
 *	qcow2_resize.c	truncate, growth of the L1 table, preallocation
 *	qcow2_snap.c	the snapshot table
 *	qcow2_snap_write.c	snapshots made, applied, deleted; VM state
 *	qcow2_paths.c	references from an L1 table, raised and lowered
 *	qcow2_bitmap.c, qcow2_bitmap_write.c	persistent dirty bitmaps
 *	qcow2_create.c	create, measure
 *	qcow2_amend.c	settings changed later
 *	qcow2_refwidth.c	refcounts of another width
 *	qcow2_check.c	check and repair
 *
 * Order of metadata (any crash leaves a clean or merely leaking image).  Four kinds of dirty metadata live in memory:
 * refcount blocks, refcount table, L2 slices, L1 table.  They are written in this order with a flush between two
 * kinds, so that a reference reaches the disk after the count that it needs.  A reference that goes away is first
 * written out; only then is the count lowered (`frees` holds it until then), and only then may the cluster be used
 * again.  So no count on disk is ever lower than the references on disk.
 *
 * Locks.  `lock` guards all of the state below "metadata"; it is held for lookups and metadata I/O, and dropped for
 * data I/O and (de)compression.  Data I/O is covered by a request (struct qcow2_req) on the guest range instead:
 * shared for reads and in-place writes, exclusive where the mapping changes.  So while a host cluster is read or
 * written nobody can free it.  Requests are only kept on writable images.
 */
#ifndef DRYDOCK_QCOW2_H
#define DRYDOCK_QCOW2_H

#include "alloc.h"
#include "block_driver.h"
#include "checked.h"
#include "codec.h"
#include "limits.h"
#include "ondisk.h"

#include <pthread.h>
#include <time.h>

/* ---- on disk ---- */

#define QCOW2_MAGIC 0x514649fbU /* "QFI\xfb" */

struct qcow2_header {
	be32 magic, version;
	be64 backing_off;
	be32 backing_len;
	be32 cluster_bits;
	be64 size;
	be32 crypt_method;
	be32 l1_size; /* entries */
	be64 l1_off;
	be64 reftable_off;
	be32 reftable_clusters;
	be32 nsnapshots;
	be64 snapshots_off;
	/* version 3 */
	be64 incompat, compat, autoclear;
	be32 refcount_order;
	be32 header_len;
	uint8_t compression; /* when header_len > 104 */
	uint8_t pad[7];
};
_Static_assert(sizeof(struct qcow2_header) == 112, "qcow2 header");
#define QCOW2_HEADER_V2 72
#define QCOW2_HEADER_V3 104

/* Header extensions: this, then len bytes, padded to 8. */
struct qcow2_ext {
	be32 type, len;
};
#define QCOW2_EXT_END	      0x00000000U
#define QCOW2_EXT_BACKING_FMT 0xe2792acaU
#define QCOW2_EXT_FEATURES    0x6803f857U
#define QCOW2_EXT_BITMAPS     0x23852875U
#define QCOW2_EXT_CRYPTO      0x0537be77U
#define QCOW2_EXT_DATA_FILE   0x44415441U

/* One row of the feature name table. */
struct qcow2_feature {
	uint8_t type; /* 0 incompatible, 1 compatible, 2 autoclear */
	uint8_t bit;
	char name[46]; /* padded with NUL, not terminated when full */
};
_Static_assert(sizeof(struct qcow2_feature) == 48, "qcow2 feature name");

struct qcow2_bitmaps_ext {
	be32 nbitmaps, reserved;
	be64 dir_size, dir_off;
};
struct qcow2_bitmap_entry {
	be64 table_off;
	be32 table_size, flags;
	uint8_t type, granularity_bits;
	be16 name_len;
	be32 extra_len;
	/* extra data, name, padding to 8 */
};
_Static_assert(sizeof(struct qcow2_bitmap_entry) == 24, "qcow2 bitmap directory entry");

struct qcow2_snapshot_entry {
	be64 l1_off;
	be32 l1_size;
	be16 id_len, name_len;
	be32 date_sec, date_nsec;
	be64 vm_clock_nsec;
	be32 vm_state_size, extra_len;
	/* extra data (be64 vm_state_size, disk_size, icount), id, name, padding to 8 */
};
_Static_assert(sizeof(struct qcow2_snapshot_entry) == 40, "qcow2 snapshot entry");

enum { /* incompatible features */
	QCOW2_INCOMPAT_DIRTY = 1u << 0,
	QCOW2_INCOMPAT_CORRUPT = 1u << 1,
	QCOW2_INCOMPAT_DATA_FILE = 1u << 2,
	QCOW2_INCOMPAT_COMPRESSION = 1u << 3,
	QCOW2_INCOMPAT_EXTL2 = 1u << 4,
	QCOW2_INCOMPAT_ALL = (1u << 5) - 1,
};
enum { QCOW2_COMPAT_LAZY = 1u << 0 };
enum { /* autoclear features */
	QCOW2_AUTOCLEAR_BITMAPS = 1u << 0,
	QCOW2_AUTOCLEAR_DATA_FILE_RAW = 1u << 1,
	QCOW2_AUTOCLEAR_ALL = (1u << 2) - 1,
};
enum qcow2_compression { QCOW2_ZLIB, QCOW2_ZSTD };

/* Entries of L1, L2 and the refcount table. */
#define QCOW2_COPIED	  (1ULL << 63) /* L1, L2: the refcount is exactly one */
#define QCOW2_COMPRESSED  (1ULL << 62) /* L2 */
#define QCOW2_ZERO_FLAG	  1ULL	       /* L2 of version 3 without subclusters */
#define QCOW2_OFFSET_MASK 0x00fffffffffffe00ULL
#define QCOW2_L1_RESERVED 0x7f000000000001ffULL
#define QCOW2_L2_RESERVED 0x3f000000000001feULL /* of a standard descriptor; bit 0 too without the zero flag */
#define QCOW2_RT_RESERVED 0x1ffULL
#define QCOW2_SUBCLUSTERS 32
#define QCOW2_MIN_CLUSTER_BITS 9
#define QCOW2_MAX_CLUSTER_BITS 21
/* An offset in the image file has 56 bits. */
#define QCOW2_MAX_HOST_OFF (1ULL << 56)

/* ---- in memory ---- */

/* What an L2 entry (or one subcluster of it) says. */
enum qcow2_kind { QCOW2_KIND_UNALLOC, QCOW2_KIND_ZERO, QCOW2_KIND_NORMAL, QCOW2_KIND_COMPRESSED };

/* A run of guest bytes of one kind, contiguous on the host where they have a place there. */
struct qcow2_run {
	enum qcow2_kind kind;
	bool has_host;	   /* a host cluster stands behind it (NORMAL always; ZERO and UNALLOC perhaps): host_off */
	bool copied;	   /* the entry and its table have QCOW2_COPIED: may be written in place */
	uint64_t off, len; /* guest */
	uint64_t host_off; /* COMPRESSED: of its first byte */
	uint32_t csize;	   /* COMPRESSED: bytes to read, rounded up to a sector; then the run is (part of) one cluster */
};

struct qcow2_cache_entry {
	uint64_t off; /* on the host; UINT64_MAX: empty */
	uint64_t used; /* the cache's clock when it was last asked for */
	unsigned pins;
	bool dirty;
	int next;	  /* in its hash chain, -1 ends */
	int newer, older; /* in the order of use, -1 ends */
	uint8_t *data;
};
struct qcow2_cache {
	unsigned size; /* bytes of one entry, a power of two */
	int n, nhash;
	int *hash;
	int newest, oldest;
	struct qcow2_cache_entry *e;
	uint64_t clock; /* counts uses */
	unsigned ndirty;
	time_t cleaned;	      /* when entries were last dropped for being old */
	uint64_t clean_clock; /* `clock` at that time */
};

/* One guest request in flight; lies on the stack of its thread. */
struct qcow2_req {
	uint64_t off, len;
	bool exclusive;
	struct qcow2_req *next, *prev;
};

enum qcow2_why { QCOW2_FREE_REQUEST, QCOW2_FREE_SNAPSHOT, QCOW2_FREE_OTHER };
/* Clusters that lose one reference once the metadata that named them is on disk. */
struct qcow2_free {
	uint64_t idx, n;
	enum qcow2_why why;
};
#define QCOW2_MAX_FREES 1024

struct qcow2_zslot { /* one decompressed cluster */
	uint64_t host_off, gen, used;
	uint8_t *data;
};
#define QCOW2_ZSLOTS 4

/* Entries lo .. hi - 1 of a table differ from the disk; none when hi is 0. */
struct qcow2_dirty {
	uint32_t lo, hi;
};

static inline void qcow2_note_dirty(struct qcow2_dirty *d, uint32_t idx)
{
	d->lo = d->hi ? MIN_OF(d->lo, idx) : idx;
	d->hi = MAX_OF(d->hi, idx + 1);
}

/* What we know of the extra data of a snapshot: sizes of VM state and disk, instruction count. */
#define QCOW2_SNAPSHOT_EXTRA 24
struct qcow2_snapshot {
	struct block_snapshot pub;
	uint64_t l1_off;
	uint32_t l1_size;
	uint64_t entry_off; /* of its entry in the image file */
	uint8_t *unknown;   /* the extra data behind what we know */
	uint32_t unknown_len;
};

enum { /* what overlap-check looks at before a write */
	QCOW2_OL_HEADER = 1u << 0,
	QCOW2_OL_L1 = 1u << 1,
	QCOW2_OL_L2 = 1u << 2,
	QCOW2_OL_REFBLOCK = 1u << 3,
	QCOW2_OL_REFTABLE = 1u << 4,
	QCOW2_OL_SNAPTABLE = 1u << 5,
	QCOW2_OL_INACTIVE_L1 = 1u << 6,
	QCOW2_OL_INACTIVE_L2 = 1u << 7,
	QCOW2_OL_BITMAPS = 1u << 8,
	QCOW2_OL_CONSTANT = QCOW2_OL_HEADER | QCOW2_OL_L1 | QCOW2_OL_REFTABLE | QCOW2_OL_SNAPTABLE | QCOW2_OL_BITMAPS,
	QCOW2_OL_CACHED = QCOW2_OL_CONSTANT | QCOW2_OL_L2 | QCOW2_OL_REFBLOCK | QCOW2_OL_INACTIVE_L1,
	QCOW2_OL_ALL = QCOW2_OL_CACHED | QCOW2_OL_INACTIVE_L2,
};

struct qcow2_bitmap;
struct luks;
struct luks_create;
struct crypt;

struct qcow2_state {
	/* -- geometry: constant after open -- */
	unsigned version;
	unsigned cluster_bits;
	uint64_t cluster_size;
	unsigned l2_entry_size; /* 8, or 16 with subclusters */
	unsigned l2_bits;	/* log2 of the entries of an L2 table */
	unsigned subclusters;	/* 1 or 32 */
	unsigned sub_bits;	/* log2 of the size of a subcluster */
	unsigned refcount_order;
	uint64_t refcount_max;
	unsigned refblock_bits; /* log2 of the refcounts in a block */
	unsigned crypt_method;
	enum qcow2_compression compression;
	uint32_t header_len;
	uint64_t disk_size; /* in the header; b->size is that of a loaded snapshot, if one is */
	uint64_t backing_off; /* of the backing name in the header */
	uint32_t backing_len;
	struct block *data_file; /* one reference; NULL: data lies in b->file */
	char *data_file_name;	 /* as the image has it */
	bool data_file_raw;
	atomic_int file_is_sparse; /* qcow2_extent: 0 not yet known, 1 yes, -1 no */
	uint64_t bitmaps_ext_off; /* of the extension's data in the header, 0: none */
	uint32_t nbitmaps;
	uint64_t bitmaps_dir_off, bitmaps_dir_size;

	/* -- encryption: constant after open -- */
	uint64_t crypto_off, crypto_len; /* of the LUKS header; 0: none */
	struct luks *luks;		 /* method 2 */
	struct crypt *legacy;		 /* method 1 */
	struct crypt *crypt;		 /* of either; NULL: no key was given */
	bool crypt_by_host;		 /* sectors are numbered by their place in the file */
	bool crypt_lock_made;
	pthread_rwlock_t crypt_lock; /* shared for writes of whole sectors, exclusive for parts */

	struct qcow2_bitmap *bm; /* under the lock: those of the image, when bm_loaded */
	uint32_t nbm, nbm_gone;
	bool bm_loaded, bm_dir_changed;
	struct qcow2_free *bm_gone; /* what they used, until they are stored */

	/* -- options -- */
	uint64_t l2_cache_size, l2_slice_size, refcount_cache_size;
	unsigned clean_interval; /* seconds, 0: never */
	bool lazy_refcounts;	 /* wanted, by the image or by option */
	bool pass_discard[3];	 /* by enum qcow2_why */
	bool discard_no_unref;
	unsigned overlap; /* QCOW2_OL_* */
	int compression_level; /* of compressed writes, as codec_compress() takes it */

	struct codecs codecs; /* for (de)compression, outside the lock */

	/* -- metadata: under the lock -- */
	bool lock_made;
	pthread_mutex_t lock;
	pthread_cond_t wake; /* a request has ended */
	struct qcow2_req *newest_req; /* the others by ->prev */

	uint64_t incompat, compat, autoclear; /* as on disk */
	uint64_t *l1;			      /* host order */
	uint32_t l1_size;		      /* entries */
	uint64_t l1_off;
	uint64_t *reftable; /* host order; NULL until qcow2_load_reftable() */
	uint32_t reftable_size, reftable_clusters;
	uint32_t reftable_used; /* no entry from here on names a block */
	uint64_t reftable_off;
	struct qcow2_dirty l1_dirty, reftable_dirty;
	struct qcow2_cache l2, refs;
	bool refs_unsynced; /* refcounts (or the table) were written and not flushed since */
	bool l2_unsynced;   /* the same of L2 */
	bool l1_unsynced;   /* the same of L1 */
	bool data_unsynced; /* data that L2 entries point to was written and not flushed since */
	bool needs_recount; /* a failure left counts or flags that do not fit: finish leaves the dirty bit set */
	bool dirty_ours;    /* the dirty bit was set by this handle, so finish may clear it */
	uint64_t free_hint; /* no free cluster below this index */
	uint64_t free_byte; /* the next compressed cluster goes here, 0: nowhere yet */
	uint64_t virgin;    /* the image file from here on has never been written: it reads as zeros */
	struct qcow2_free *frees;
	unsigned nfrees;
	uint32_t *meta_set; /* clusters of L2 tables and refcount blocks: see qcow2_overlap.c; NULL: not built */
	uint32_t meta_slots, meta_used;
	bool snapshot_shown; /* the L1 table is that of a snapshot */
	uint32_t nsnapshots;
	uint64_t snapshots_off, snapshots_size;
	struct qcow2_snapshot *snapshots; /* NULL until qcow2_load_snapshots() */

	uint64_t zgen; /* counts freed compressed clusters: older slots are stale */
	uint64_t zclock;
	struct qcow2_zslot zslots[QCOW2_ZSLOTS];
};

static inline struct qcow2_state *qcow2_state(const struct block *b)
{
	return b->state;
}

/* Where guest data lies: the external data file, or the image itself. */
static inline struct block *qcow2_data(const struct block *b)
{
	const struct qcow2_state *s = b->state;

	return s->data_file ? s->data_file : b->file;
}

static inline uint64_t qcow2_l1_index(const struct qcow2_state *s, uint64_t off)
{
	return off >> (s->cluster_bits + s->l2_bits);
}

static inline uint64_t qcow2_l2_index(const struct qcow2_state *s, uint64_t off)
{
	return (off >> s->cluster_bits) & ((1ULL << s->l2_bits) - 1);
}

/* How many L1 entries a disk of this size needs. */
static inline uint64_t qcow2_l1_entries(const struct qcow2_state *s, uint64_t size)
{
	return div_round_up(size, 1ULL << (s->cluster_bits + s->l2_bits));
}

/* A compressed descriptor's first host byte, and how many bytes it may take. */
static inline uint64_t qcow2_compressed_off(const struct qcow2_state *s, uint64_t entry)
{
	return entry & ((1ULL << (62 - (s->cluster_bits - 8))) - 1);
}

static inline uint32_t qcow2_compressed_size(const struct qcow2_state *s, uint64_t entry)
{
	unsigned x = 62 - (s->cluster_bits - 8);
	uint64_t nsectors = ((entry & ~(QCOW2_COPIED | QCOW2_COMPRESSED)) >> x) + 1;

	return (uint32_t)(nsectors * 512 - (qcow2_compressed_off(s, entry) & 511));
}

/* ---- qcow2.c ---- */

/* Writes the fixed fields of the header from the state: one write below 512 bytes; not flushed. */
int qcow2_header_write(struct block *b, struct err *e);
/* The same fields into the beginning of a buffer of at least 512 bytes (72 in version 2). */
void qcow2_header_fill(const struct block *b, uint8_t *bytes);
/*
 * To be called (with the lock) before the first change of guest data or refcounts: refuses corrupt images,
 * clears autoclear bits that would become untrue, sets the dirty bit for lazy refcounts.
 */
int qcow2_begin_write(struct block *b, struct err *e);
/* The same before the content of [off, off + len) of the disk changes: bitmaps are told. */
int qcow2_begin_write_at(struct block *b, uint64_t off, uint64_t len, struct err *e);
/*
 * Around changes that are not whole before the last of them is on disk: the dirty bit is set (version 3) and stable, and
 * cleared again once all metadata is.  A bit that lazy refcounts want anyway stays.
 */
int qcow2_dirty_begin(struct block *b, struct err *e);
int qcow2_dirty_end(struct block *b, struct err *e);
/* Sets the corrupt bit, so that nobody writes before a repair; returns ERR_CORRUPT with the sentence. */
__attribute__((format(printf, 3, 4))) int qcow2_mark_corrupt(struct block *b, struct err *e, const char *fmt, ...);
/* open for a header that was just written by create: flags of b are set, no backing file is opened. */
int qcow2_open_here(struct block *b, struct dict *opts, const struct block_env *env, struct err *e);

/* ---- qcow2_header.c ---- */

struct qcow2_ext_edit {
	uint32_t type;
	const void *data; /* NULL: the extension goes */
	size_t len;
};
/*
 * Writes the first cluster from the state, b->backing_name and its extensions as the edits say; all others stay (with the
 * lock).  Stable on return; a crash on the way leaves the old header or the new one.
 */
int qcow2_header_edit(struct block *b, const struct qcow2_ext_edit *edits, size_t n, struct err *e);
int qcow2_change_backing(struct block *b, const char *name, const char *format, struct err *e);

/* ---- qcow2_opts.c ---- */

/* Takes the driver's options out of opts into the state; what makes no sense is ERR_USAGE. */
int qcow2_take_options(struct block *b, struct dict *opts, struct err *e);

/* ---- qcow2_cache.c: all with the lock ---- */

int qcow2_cache_init(struct qcow2_cache *c, unsigned entry_size, uint64_t bytes, struct err *e);
void qcow2_cache_free(struct qcow2_cache *c);
/* Forgets everything, dirty or not. */
void qcow2_cache_drop(struct qcow2_cache *c);
/* Forgets the entries of [off, off + len), dirty or not, whose clusters have a new use; none is pinned. */
void qcow2_cache_evict(struct qcow2_cache *c, uint64_t off, uint64_t len);
/* Forgets clean entries that were not used for the interval (seconds). */
void qcow2_cache_clean(struct qcow2_cache *c, unsigned interval);
/* The entry at off if it is cached, pinned; else NULL. */
struct qcow2_cache_entry *qcow2_cache_find(struct qcow2_cache *c, uint64_t off);
/*
 * A pinned entry for off, to be filled by the caller; its content is undefined.  NULL when every entry is pinned or
 * memory is out (e says so), or when a dirty one must be written first: then *full is set.
 */
struct qcow2_cache_entry *qcow2_cache_new(struct qcow2_cache *c, uint64_t off, bool *full, struct err *e);
static inline void qcow2_cache_put(struct qcow2_cache_entry *x)
{
	if (x)
		x->pins--;
}
void qcow2_cache_dirty(struct qcow2_cache *c, struct qcow2_cache_entry *x);
/* Takes one pinned entry out again: its content could not be read. */
void qcow2_cache_forget(struct qcow2_cache *c, struct qcow2_cache_entry *x);
/* Writes all dirty entries in the order of their offsets, and reports `event` before each. */
int qcow2_cache_write(struct qcow2_cache *c, struct block *file, const char *what, const char *event, struct err *e);

/* ---- qcow2_map.c: with the lock ---- */

/* Refuses a whole L1 table, of host values, that names the same L2 tables over and over; needs no lock. */
int qcow2_l1_refuse_repeats(const uint64_t *l1, uint32_t n, struct err *e);
/* Judges one L1 entry: *off is its L2 table, 0 for none. */
int qcow2_l1_judge(struct block *b, uint64_t l1_idx, uint64_t entry, uint64_t *off, struct err *e);
/* Judges one L2 entry (bitmap 0 without subclusters) for the cluster at guest offset `guest`. */
int qcow2_l2_judge(struct block *b, uint64_t guest, uint64_t entry, uint64_t bitmap, struct err *e);
/* The kind of a judged entry's subcluster `sub`. */
enum qcow2_kind qcow2_l2_kind(const struct qcow2_state *s, uint64_t entry, uint64_t bitmap, unsigned sub);
/* Does a judged entry have a host cluster, and where? */
bool qcow2_l2_host(const struct qcow2_state *s, uint64_t entry, uint64_t *host);
/* The run that begins at off, at most len bytes.  For a run of one kind it goes past the end of L2 tables. */
int qcow2_map(struct block *b, uint64_t off, uint64_t len, struct qcow2_run *out, struct err *e);
/* The cached slice that holds the entry of guest offset off, pinned, and the index in it; *x NULL: no L2 table. */
int qcow2_l2_slice(struct block *b, uint64_t off, struct qcow2_cache_entry **x, unsigned *idx, struct err *e);
static inline uint64_t qcow2_l2_entry(const struct qcow2_state *s, const uint8_t *slice, unsigned idx)
{
	be64 v;

	memcpy(&v, slice + (size_t)idx * s->l2_entry_size, sizeof v);
	return be64_get(v);
}
static inline uint64_t qcow2_l2_bitmap(const struct qcow2_state *s, const uint8_t *slice, unsigned idx)
{
	be64 v;

	if (s->subclusters == 1)
		return 0;
	memcpy(&v, slice + (size_t)idx * s->l2_entry_size + 8, sizeof v);
	return be64_get(v);
}
int qcow2_extent(struct block *b, uint64_t len, uint64_t off, struct extent *out, struct err *e);

/* ---- qcow2_read.c ---- */

/* Waits (with the lock) until no older request that conflicts is left; whole clusters are taken.  No-op when read-only. */
void qcow2_req_begin(struct block *b, struct qcow2_req *r, uint64_t off, uint64_t len, bool exclusive);
void qcow2_req_end(struct block *b, struct qcow2_req *r);
int qcow2_pread(struct block *b, void *buf, size_t len, uint64_t off, struct err *e);
/* Reads from a file; what lies past its end has never been written and is zeros. */
int qcow2_read_file(struct block *file, void *buf, size_t len, uint64_t off, struct err *e);
/* As pread under a request that the caller holds; called and returning with the lock, drops it for I/O. */
int qcow2_read_locked(struct block *b, void *buf, size_t len, uint64_t off, struct err *e);
void qcow2_zslots_free(struct qcow2_state *s);

/* ---- qcow2_refs.c, qcow2_order.c, qcow2_overlap.c: with the lock ---- */

/* Reads and judges the refcount table, once. */
int qcow2_load_reftable(struct block *b, struct err *e);
/* Refcounts in a block, host side of the width; idx is within the block. */
uint64_t qcow2_refblock_get(unsigned order, const uint8_t *block, uint64_t idx);
void qcow2_refblock_set(unsigned order, uint8_t *block, uint64_t idx, uint64_t value);
/* The refcount of a host cluster; 0 past the end of the table. */
int qcow2_refcount(struct block *b, uint64_t cluster_idx, uint64_t *out, struct err *e);
/* Adds delta (1 or -1) to n clusters.  On error as much as was changed is changed back. */
int qcow2_ref_change(struct block *b, uint64_t cluster_idx, uint64_t n, int delta, struct err *e);
/*
 * Takes up to n free clusters that lie together (exactly n with `exact`), counts them once, and gives their offset
 * and number.  *virgin (may be NULL): they have never been written and read as zeros.
 */
int qcow2_alloc(struct block *b, uint64_t n, bool exact, uint64_t *off, uint64_t *got, bool *virgin, struct err *e);
/* Gives back clusters that no metadata has named yet. */
void qcow2_alloc_undo(struct block *b, uint64_t off, uint64_t n);
/* size bytes for a compressed cluster. */
int qcow2_alloc_bytes(struct block *b, uint32_t size, uint64_t *off, struct err *e);
/* One reference less for n clusters at host offset off, once it is safe; see qcow2_apply_frees. */
void qcow2_free_later(struct block *b, uint64_t off, uint64_t n, enum qcow2_why why);
/* What a replaced or cleared L2 entry referred to loses one reference (later). */
void qcow2_free_entry(struct block *b, uint64_t entry, enum qcow2_why why);
/* Writes refcount blocks, then the refcount table. */
int qcow2_write_refs(struct block *b, struct err *e);
/* Writes everything that is dirty, in order.  The last kind written is not flushed. */
int qcow2_write_meta(struct block *b, struct err *e);
/* Writes metadata, flushes, lowers the counts of what was freed, and gives its space back to the host. */
int qcow2_apply_frees(struct block *b, struct err *e);
/* Gives the host space of those of n clusters back that have no reference left.  It is only a wish. */
void qcow2_punch(struct block *b, uint64_t idx, uint64_t n);
/* Flushes the image file (and the data file) and notes it. */
int qcow2_sync(struct block *b, struct err *e);
/* A cached L2 slice or refcount block for off: read from the image, or (fresh) zeroed and to be filled. */
int qcow2_meta_get(struct block *b, struct qcow2_cache *c, uint64_t off, bool fresh, struct qcow2_cache_entry **out,
		   struct err *e);
/* Does a write of [off, off + len) to the image file hit metadata other than `ignore`?  Then the image is corrupt. */
int qcow2_overlap_check(struct block *b, uint64_t off, uint64_t len, unsigned ignore, struct err *e);

/* A new L2 table or refcount block lies at off. */
void qcow2_meta_note(struct block *b, uint64_t off);
/* To be called when the L1 or refcount table has been replaced as a whole. */
void qcow2_meta_forget(struct block *b);

/* ---- qcow2_write.c ---- */

/* Makes sure (with the lock) that the L2 table for off exists and is ours alone. */
int qcow2_l2_writable(struct block *b, uint64_t off, struct err *e);
/* As pwrite; of an encrypted image only whole sectors. */
int qcow2_write_sectors(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e);
int qcow2_pwrite(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e);
/* Not of an encrypted image. */
int qcow2_pwrite_from(struct block *b, struct block *src, uint64_t len, uint64_t src_off, uint64_t off,
		      enum block_from how, struct err *e);
int qcow2_pwrite_compressed(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e);
int qcow2_pack(struct block *b, const void *buf, size_t len, uint64_t off, void *out, size_t *size, struct err *e);
int qcow2_pwrite_packed(struct block *b, const void *packed, size_t size, size_t len, uint64_t off, struct err *e);
/* Is it known without reading that [off, off + len) reads as zeros?  With the lock. */
bool qcow2_reads_zero(struct block *b, uint64_t off, uint64_t len);
/* Stores one L2 entry (with the lock): x is the pinned slice. */
void qcow2_l2_set(struct qcow2_state *s, struct qcow2_cache_entry *x, unsigned idx, uint64_t entry, uint64_t bitmap);

/* ---- qcow2_crypt.c ---- */

/* Judges the header extension that says where the LUKS header is. */
int qcow2_crypt_take_ext(struct block *b, const uint8_t *data, uint32_t len, struct err *e);
/* Takes "encrypt.*" out of opts and unlocks the image.  Without its key it opens for facts only (BLOCK_FACTS, _CHECK). */
int qcow2_crypt_open(struct block *b, struct dict *opts, const struct block_env *env, struct err *e);
void qcow2_crypt_close(struct qcow2_state *s);
/* The "encrypt" object of info. */
void qcow2_crypt_info(const struct block *b, struct json *j);
/* opts without "encrypt.": as luks_amend(). */
int qcow2_crypt_amend(struct block *b, struct dict *opts, const struct block_amend_how *how, struct err *e);
/* What was asked for of a new image. */
struct qcow2_crypt_plan {
	unsigned method; /* 0: none */
	char *secret;
	struct luks_create *luks;
	uint64_t header_bytes; /* of the LUKS header */
};
int qcow2_crypt_take(struct dict *opts, struct qcow2_crypt_plan *p, struct err *e);
void qcow2_crypt_plan_free(struct qcow2_crypt_plan *p);
/* Makes a new, empty image encrypted. */
int qcow2_crypt_create(struct block *b, const struct qcow2_crypt_plan *p, const struct secrets *secrets, struct err *e);
/* Guest data at a place in the file that holds it (encrypted, if it is); writes of an encrypted image: whole sectors. */
int qcow2_data_read(struct block *b, void *buf, size_t len, uint64_t host, uint64_t guest, struct err *e);
int qcow2_data_write(struct block *b, const void *buf, size_t len, uint64_t host, uint64_t guest, struct err *e);
int qcow2_pwrite_encrypted(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e);

/* ---- qcow2_zero.c ---- */

int qcow2_zero(struct block *b, uint64_t len, uint64_t off, unsigned how, struct err *e);
int qcow2_discard(struct block *b, uint64_t len, uint64_t off, struct err *e);
/* Drops the mapping of whole clusters (with the lock and an exclusive request, or alone): they become unallocated. */
int qcow2_drop(struct block *b, uint64_t off, uint64_t len, struct err *e);

/* ---- qcow2_resize.c ---- */

int qcow2_truncate(struct block *b, uint64_t size, enum block_prealloc p, struct err *e);
/* All clusters of the disk are unallocated again. */
int qcow2_make_empty(struct block *b, struct err *e);
/* Makes the L1 table hold at least n entries (with the lock). */
int qcow2_grow_l1(struct block *b, uint64_t n, struct err *e);
/* Maps all of [off, off + len) to clusters that read as zeros; called without the lock, with no I/O beside it. */
int qcow2_preallocate(struct block *b, uint64_t off, uint64_t len, enum block_prealloc p, struct err *e);

/* ---- qcow2_snap.c ---- */

/* Reads and judges the snapshot table, once. */
int qcow2_load_snapshots(struct block *b, struct err *e);
void qcow2_snapshots_free(struct qcow2_state *s);
void qcow2_snapshot_free(struct qcow2_snapshot *p);
/* By id, or else by name, of those that are loaded; NULL: none. */
const struct qcow2_snapshot *qcow2_find_snapshot(const struct qcow2_state *s, const char *id_or_name);
int qcow2_snapshots(struct block *b, struct block_snapshots *out, struct err *e);
int qcow2_snapshot_load(struct block *b, const char *id_or_name, struct err *e);

/* ---- qcow2_snap_write.c ---- */

int qcow2_snapshot_create(struct block *b, const struct block_snapshot *what, struct err *e);
int qcow2_snapshot_apply(struct block *b, const char *id_or_name, struct err *e);
int qcow2_snapshot_delete(struct block *b, const char *id_or_name, struct err *e);
int qcow2_vmstate_pread(struct block *b, void *buf, size_t len, uint64_t off, struct err *e);
int qcow2_vmstate_pwrite(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e);

/* ---- qcow2_paths.c: with the lock ---- */

/*
 * One more reference for all that n entries of an L1 table lead to; with clear also their COPIED flags go (then l1 is
 * the active table).  On error all is as it was.
 */
int qcow2_paths_raise(struct block *b, uint64_t *l1, uint32_t n, bool clear, struct err *e);
/* One less; on error the rest leaks. */
int qcow2_paths_lower(struct block *b, uint64_t *l1, uint32_t n, struct err *e);
/* The COPIED flags of the active tables as the refcounts want them. */
int qcow2_paths_flags(struct block *b, struct err *e);

/* ---- qcow2_bitmap.c, qcow2_bitmap_write.c ---- */

/* Reads and judges the directory, once (with the lock). */
int qcow2_bitmaps_load(struct block *b, struct err *e);
void qcow2_bitmaps_free(struct qcow2_state *s);
/*
 * Enabled bitmaps learn that this part of the disk changes (with the lock, before it does).  What keeps a bitmap from
 * being true makes it inconsistent; only where even that cannot be written it is an error.
 */
int qcow2_bitmaps_note(struct block *b, uint64_t off, uint64_t len, struct err *e);
/* To be called before b->size changes (with the lock). */
int qcow2_bitmaps_may_resize(struct block *b, struct err *e);
/* Sets b->size (with the lock); what is added is marked.  Bitmaps that cannot follow become inconsistent. */
void qcow2_bitmaps_resize(struct block *b, uint64_t size);
/* Writes what has changed, and makes it valid (with the lock). */
int qcow2_bitmaps_store(struct block *b, struct err *e);
/* The driver's ops. */
int qcow2_bitmaps(struct block *b, struct block_bitmaps *out, struct err *e);
int qcow2_bitmap_add(struct block *b, const char *name, uint64_t granularity, bool disabled, struct err *e);
int qcow2_bitmap_remove(struct block *b, const char *name, struct err *e);
int qcow2_bitmap_clear(struct block *b, const char *name, struct err *e);
int qcow2_bitmap_enable(struct block *b, const char *name, bool enable, struct err *e);
int qcow2_bitmap_mark(struct block *b, const char *name, uint64_t len, uint64_t off, struct err *e);
int qcow2_bitmap_next(struct block *b, const char *name, uint64_t off, uint64_t *run_off, uint64_t *len, struct err *e);
/* Writes the "bitmaps" array of info, if the image has valid bitmaps. */
void qcow2_info_bitmaps(struct block *b, struct json *j);
/* What a copy of the image's bitmaps takes in an image of another cluster size. */
uint64_t qcow2_bitmaps_bytes(struct block *b, uint64_t cluster_size);

/* ---- qcow2_create.c ---- */

#define QCOW2_FEATURES 8
/* The features that we know, by name. */
void qcow2_feature_names(struct qcow2_feature table[QCOW2_FEATURES]);
extern const struct create_opt qcow2_create_opts[];
int qcow2_create(struct block *file, const char *path, struct dict *opts, const struct block_create_how *how,
		 struct err *e);
int qcow2_measure(struct dict *opts, struct block *src, struct measure_report *out, struct err *e);

/* ---- qcow2_amend.c, qcow2_refwidth.c ---- */

extern const struct create_opt qcow2_amend_opts[];
int qcow2_amend(struct block *b, struct dict *opts, const struct block_amend_how *how, struct err *e);
/* Refcounts of 1 << order bits.  ERR_USAGE when one of them does not fit; then nothing has changed. */
int qcow2_change_refcounts(struct block *b, unsigned order, const struct block_amend_how *how, struct err *e);

/* ---- qcow2_check.c ---- */

int qcow2_check(struct block *b, unsigned fix, struct check_report *r, struct err *e);
/* Counts all references anew and writes the refcounts; for an image whose dirty bit is set.  Clears the bit. */
int qcow2_repair_refcounts(struct block *b, struct err *e);

#endif
