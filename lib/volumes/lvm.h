/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lvm.h - what the files of the LVM2 reader share.
 *
 *	lvm.c		the stack: physical volumes found, put into groups, logical volumes listed
 *	lvm_label.c	what lies on one physical volume: label, header, metadata areas
 *	lvm_text.c	the text of the metadata as a tree
 *	lvm_vg.c	the tree as a volume group
 *	lvm_lv.c	a logical volume as a block
 *	lvm_map.c	segments after each other, linear and striped
 *	lvm_legs.c	legs of which each has everything
 *	lvm_raid.c	mirrors and RAID: how far each leg can be believed
 *	lvm_thin.c	thin pools and what lies in them
 *	lvm_snap.c	snapshots of the older kind
 */
#ifndef DRYDOCK_LVM_H
#define DRYDOCK_LVM_H

#include "lvm_text.h"
#include "volume_driver.h"

#define LVM_SECTOR 512
#define LVM_ID_LEN 32
/* 32 letters in seven groups, and a NUL. */
#define LVM_ID_TEXT (LVM_ID_LEN + 6 + 1)

/* Is it 32 letters and digits, in groups? */
bool lvm_id_is_good(const char *text);

/* ---- on one physical volume ---- */

/* One copy of the metadata that is whole. */
struct lvm_copy {
	uint64_t mda_off, mda_size, off, len; /* the area, and the text in it, which may wrap around */
	uint64_t seqno;
	uint32_t crc;
	char vg_id[LVM_ID_TEXT];
};
struct lvm_label {
	char id[LVM_ID_TEXT];
	uint64_t size; /* of the device, when it was made */
	struct lvm_copy *copies;
	size_t ncopies;
	char *damage; /* what is wrong with its metadata areas; NULL: nothing */
};
/*
 * 1 and *out filled when the block is a physical volume; 0 when it is none, or cannot be read.  Damage is told in
 * out->damage.  *budget is how many bytes of metadata may still be read, and becomes less.
 */
int lvm_label_read(struct block *b, uint64_t *budget, struct lvm_label *out, struct err *e);
void lvm_label_free(struct lvm_label *l); /* for CLEANUP */
/* The whole of a copy, parsed. */
int lvm_copy_read(struct block *b, const struct lvm_copy *c, struct lvm_text *out, struct err *e);

/* ---- a volume group ---- */

struct lvm_pv {
	const char *key; /* "pv0", by which segments name it */
	const char *id, *hint; /* the device that it was seen on; NULL: unknown */
	uint64_t start, count; /* of its extents: the first one's byte, and how many there are */
	uint64_t used;	       /* extents that segments take */
	bool flagged_missing;
	size_t item; /* where it is in the volume list; VOLUME_NO_ITEM: missing */
};

/* What a segment, or one leg of it, lies in: extents of a PV or of another LV. */
struct lvm_area {
	bool on_pv;
	uint32_t idx; /* of the PV or LV; LVM_NONE: none */
	uint64_t extent;
};
#define LVM_NONE UINT32_MAX

enum lvm_type {
	LVM_STRIPED, /* linear: one stripe */
	LVM_MIRROR,
	LVM_RAID0,
	LVM_RAID, /* with metadata: levels 1, 4, 5, 6, 10 */
	LVM_THIN_POOL,
	LVM_THIN,
	LVM_SNAPSHOT,
	LVM_ZERO,
	LVM_REFUSED, /* what is known by name only, or not at all */
};

struct lvm_segment {
	uint64_t start, count; /* extents of the LV */
	enum lvm_type type;
	const char *type_name;
	struct lvm_area *areas; /* of RAID the images */
	struct lvm_area *metas; /* with RAID that has them: the metadata volumes, one for each image */
	uint32_t nareas;
	uint64_t stripe_size, region_size, chunk_size; /* bytes; 0: none is given */
	uint32_t data_copies;
	bool reshaping;
	uint32_t log; /* these are LVs or LVM_NONE: of a mirror */
	/* merging: with a snapshot's link, the store; with a thin volume, what it is merged into. */
	uint32_t pool, meta, data, origin, external, cow, merging;
	uint64_t device_id, transaction_id;
	bool has_messages; /* a thin pool that has not been told yet what to make */
};

struct lvm_lv {
	const char *name, *id;
	bool visible, skipped;
	bool internal; /* of a type that only carries others: pools, the links of snapshots */
	struct lvm_segment *segments;
	uint32_t nsegments;
	uint64_t extents;
	uint32_t snapshot; /* it is the store of that LV's snapshot; LVM_NONE */
	uint32_t merging;  /* the snapshot that LV describes is being merged into it; LVM_NONE */

	/* What has become of it: lvm_lv.c. */
	enum { LVM_UNTRIED, LVM_TRYING, LVM_MADE, LVM_FAILED } state;
	struct block *block;
	char *why; /* when it failed */
	enum err_code why_code;
	uint64_t *pvs; /* a bit for each PV that it lies on */
	unsigned arrays; /* as in struct volume */
	struct lvm_pool *thin_pool;
};

struct lvm_vg {
	struct lvm_text text; /* names point into it */
	const char *name, *id;
	uint64_t seqno, extent_size; /* bytes */
	bool foreign; /* see struct volume_group */
	struct lvm_pv *pvs;
	struct lvm_lv *lvs;
	uint32_t npvs, nlvs;
	struct lvm_name {
		const char *name;
		uint32_t idx;
	} *pv_names, *lv_names; /* in their order */
};
/* Takes the text over, also on failure.  PVs are all missing yet. */
int lvm_vg_new(struct lvm_text *text, struct lvm_vg *out, struct err *e);
void lvm_vg_free(struct lvm_vg *vg); /* for CLEANUP */

/* ---- blocks of it ---- */

/*
 * What the guest sees in a logical volume: with a snapshot's store the snapshot, with an origin into which one is merged
 * what it will be.  *out is a reference; the PVs that it lies on are noted in the LV.  Fails with a sentence that tells why
 * it cannot be put together; what is found on the way and should be known is warned of in l.
 */
int lvm_lv_content(struct lvm_vg *vg, uint32_t lv, struct volume_list *l, struct block **out, struct err *e);

/* lvm_map.c: pieces after each other. */
struct lvm_piece {
	uint64_t len;
	uint32_t nstripes;    /* 0: zeros */
	uint64_t stripe_size; /* with more than one stripe */
	struct lvm_stripe {
		struct block *block; /* a reference */
		uint64_t off;
	} *stripes;
};
/* Takes over the pieces, n of them, and what they hold (on failure too). */
int lvm_map_new(const char *name, struct lvm_piece *pieces, size_t n, struct block **out, struct err *e);
void lvm_pieces_free(struct lvm_piece *pieces, size_t n);

/* lvm_legs.c: legs of which each has everything.  Takes references on their blocks. */
struct lvm_leg {
	struct block *block; /* NULL: there is none */
	uint64_t good;	     /* bytes from its beginning that it really has; UINT64_MAX: all */
};
int lvm_legs_new(const char *name, uint64_t size, const struct lvm_leg *legs, size_t n, struct block **out, struct err *e);

/*
 * lvm_raid.c: RAID whose images have metadata volumes.  legs: the images, in which `good` is made to tell how far each is
 * rebuilt, by what the metadata volumes (NULL: missing) say.
 */
struct lvm_raid {
	const char *type_name;
	struct lvm_leg *legs;
	struct block **metas;
	uint32_t n, data_copies;
	uint64_t chunk, size; /* bytes; chunk: 0 with raid1 */
};
int lvm_raid_new(const struct lvm_raid *r, const char *name, struct block **out, struct err *e);
/* Does a read ask several of them?  Those of level 1 are read one at a time. */
bool lvm_raid_is_array(const struct lvm_raid *r);
/* How many bytes of each image are used; ERR_UNSUPPORTED for a type that is not read. */
int lvm_raid_image_size(const struct lvm_raid *r, uint64_t *out, struct err *e);
/*
 * Is every region of a mirror in sync, by its log?  1 yes, 0 no.  nregions: how many there are.
 */
int lvm_mirror_log(struct block *log, uint64_t nregions, struct err *e);

/* lvm_thin.c: a pool's metadata, shared by its volumes. */
struct lvm_pool;
struct lvm_pool_how {
	const char *name; /* of the pool, for sentences */
	struct block *meta, *data;
	uint64_t chunk_size, transaction_id;
	bool has_messages;
};
int lvm_pool_open(const struct lvm_pool_how *how, struct lvm_pool **out, struct err *e);
void lvm_pool_unref(struct lvm_pool *p); /* NULL is fine */
/* The kernel wants it checked before it writes to it again. */
bool lvm_pool_needs_check(const struct lvm_pool *p);
/* external (may be NULL): what is not in the pool is read from there. */
int lvm_thin_new(struct lvm_pool *p, const char *name, uint64_t device_id, uint64_t size, struct block *external,
		 struct block **out, struct err *e);

/* lvm_snap.c: an origin with what has changed since in a store. */
int lvm_snapshot_new(const char *name, struct block *origin, struct block *store, struct block **out, struct err *e);

struct block_driver;
/* A node without a file beneath it, of that name and size. */
int lvm_block_new(const struct block_driver *drv, const char *name, uint64_t size, struct block **out, struct err *e);

#endif
