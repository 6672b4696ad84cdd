/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * limits.h - every cap on what an image may claim, each with its reason.
 *
 * An image that claims more is refused with ERR_LIMIT before anything is allocated for it.
 */
#ifndef DRYDOCK_LIMITS_H
#define DRYDOCK_LIMITS_H

#define KiB (1024ULL)
#define MiB (1024 * KiB)
#define GiB (1024 * MiB)
#define TiB (1024 * GiB)
#define PiB (1024 * TiB)
#define EiB (1024 * PiB)

/* Offsets must fit an off_t with room to round up to any cluster. */
#define LIMIT_IMAGE_SIZE (8 * EiB - 2 * MiB)
/* One request; larger jobs are cut up by the copy engine. */
#define LIMIT_REQUEST (1 * GiB)
/* A chain longer than this is a loop or an accident; QEMU itself runs out of stack near there. */
#define LIMIT_BACKING_DEPTH 200
/* json: names and option strings: nesting of nodes, and their text. */
#define LIMIT_NODE_DEPTH 32
#define LIMIT_JSON_NAME (64 * KiB)
/* qcow2 says a backing file name has at most 1023 bytes. */
#define LIMIT_QCOW2_BACKING_NAME 1023
/* What QEMU itself refuses above (qcow2 specification leaves it open): 32 MiB of L1, 8 MiB of refcount table. */
#define LIMIT_QCOW2_L1_BYTES (32 * MiB)
#define LIMIT_QCOW2_REFTABLE_BYTES (8 * MiB)
#define LIMIT_QCOW2_SNAPSHOTS 65536
#define LIMIT_QCOW2_SNAPSHOT_TABLE (16 * MiB)
#define LIMIT_QCOW2_SNAPSHOT_EXTRA 1024

#endif
