/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* convert_internal.h - between the files of the conversion. */
#ifndef DRYDOCK_CONVERT_INTERNAL_H
#define DRYDOCK_CONVERT_INTERNAL_H

#include "convert.h"

/* The options of create, with a size that holds all the sources, and (into open) those of opening what was created. */
int convert_plan_target(const struct convert *how, struct dict *opts, struct dict *open, struct err *e);
/* Bytes of the sources together. */
int convert_total_size(const struct copy_job *job, uint64_t *out, struct err *e);
/* Where a copy has failed (rc < 0), in the words of a conversion; after it what is left is to finish. */
void convert_stage_of_copy(struct convert_result *result, int rc);
/* Reads back what was written to target, opened anew; ERR_CORRUPT: it is not what was copied. */
int convert_verify(const struct convert *how, struct block *target, const struct copy_result *copied, struct err *e);
/* Does that need copy.hashes? */
bool convert_verifies_by_hash(const struct convert *how);
/* A conversion into how->out_fd. */
int convert_to_stream(const struct convert *how, struct convert_result *result, struct err *e);

#endif
