/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * torture.h - what the torture programs share: random numbers from a seed, TAP, a folder, images over any node, and a
 * disk in plain memory that says what an image must read as.
 *
 * DRYDOCK_TORTURE_SEED and DRYDOCK_TORTURE_OPS in the environment change where the random numbers start and how much
 * is done; a failure prints the seed of its own case.
 */
#ifndef TORTURE_H
#define TORTURE_H

#include "alloc.h"
#include "block_driver.h"
#include "checked.h"
#include "limits.h"

#include <stdio.h>

/* ---- random numbers ---- */

struct rng {
	uint64_t state;
};
uint64_t rng_next(struct rng *r);
/* 0 .. n - 1; n > 0. */
uint64_t rng_below(struct rng *r, uint64_t n);
/* True once in n. */
bool rng_one_in(struct rng *r, unsigned n);
void rng_fill(struct rng *r, void *buf, size_t len);
/* An offset and a length in [0, size), as programs choose them: some aligned, some not, most short.  size > 0. */
void rng_range(struct rng *r, uint64_t size, uint64_t *off, uint64_t *len);

/* ---- TAP ---- */

/* Prints one result; why (NULL: passed) is the reason of a failure. */
void tap_result(const char *name, const char *why);
void tap_skip(const char *name, const char *why);
/* Prints the plan; the exit status. */
int tap_done(void);
uint64_t env_number(const char *name, uint64_t otherwise);

/* ---- a folder and the peer ---- */

/* A new folder below TMPDIR. */
const char *torture_folder(void);
void torture_folder_remove(void);
/* "folder/name"; free() it. */
char *torture_path(const char *name);
/* A whole file; free() *bytes. */
int read_file(const char *path, uint8_t **bytes, size_t *len);
bool have_qemu_img(void);
/* Runs qemu-img with arguments up to NULL, output to a file shown on failure; its exit status. */
int qemu_img(const char *first, ...) __attribute__((sentinel));
/* The end of what it printed. */
void qemu_img_output(char *buf, size_t size);

/* ---- images ---- */

/* An anonymous file as a node, with these bytes; it grows by being written to. */
int memory_file(const void *bytes, size_t len, struct block **out, struct err *e);
/* Opens a qcow2 image that lies in any node, without its backing file.  flags are the image's; extra options or NULL. */
int qcow2_over(struct block *file, unsigned flags, const struct dict *extra, struct block **out, struct err *e);
/* Options of the driver that change when and how it writes, never what: tiny caches, overlap checks, discards. */
void qcow2_random_options(struct rng *r, bool v2, struct dict *opts);
/*
 * Checks an image file with our check and with the peer's: every number must be equal.  *report, if given, is ours.
 */
int compare_checks(const char *path, struct check_report *report, struct err *e);
/* Finds that a check counts anything but leaks: 0 clean, 1 leaks only, else an error with the first finding in it. */
int check_image(struct block *b, unsigned fix, struct err *e);

/* ---- the model ---- */

struct model {
	uint8_t *bytes;
	uint64_t size;
};
int model_resize(struct model *m, uint64_t size);
/* Reads a range of the image and compares it with the model. */
int model_compare(const struct model *m, struct block *b, uint64_t off, uint64_t len, struct err *e);

#endif
