/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lvm_assemble.h - disks of lvm_disk.h as files, the volumes that they make up, and what these hold. */
#ifndef DRYDOCK_LVM_ASSEMBLE_H
#define DRYDOCK_LVM_ASSEMBLE_H

#include "testing.h"

#include "alloc.h"
#include "lvm_disk.h"
#include "volume.h"

static struct err e = ERR_INIT;

static inline void store(const char *path, const struct disk *d)
{
	FILE *f = fopen(path, "wb");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(d->bytes, 1, sizeof d->bytes, f), sizeof d->bytes);
	ck_assert_int_eq(fclose(f), 0);
}

/* The volumes of these disks ("a b"), stored before. */
static inline int assemble(const char *disks, struct volume_list *l)
{
	const struct block_open how = { .format = "raw" };
	unsigned n = 0;

	memset(l, 0, sizeof *l);
	for (const char *p = disks; *p; p++) {
		const char path[2] = { *p, '\0' };
		struct block *block = NULL;

		if (*p == ' ')
			continue;
		ok(block_open(path, &how, &block, &e));
		ok(volume_scan(block, n++, l, &e));
		block_unref(block);
	}
	return volume_assemble(l, NULL, &e);
}

static inline const struct volume *find(const struct volume_list *l, const char *name)
{
	const struct volume *v = volume_find(l, name);

	ck_assert_msg(v != NULL, "no %s: %s", name, l->warning ? l->warning : "no warning");
	return v;
}

/* Its extents are filled with these bytes, in pieces of `each`. */
static inline void holds(const struct volume *v, const uint8_t *bytes, size_t n, size_t each)
{
	uint8_t *buf = malloc(n * each);

	ck_assert_uint_eq(v->size, n * each);
	ok(block_pread(v->block, buf, n * each, 0, &e));
	for (size_t i = 0; i < n * each; i++)
		if (buf[i] != bytes[i / each])
			ck_abort_msg("%s: byte %zu is %u, not %u", v->name, i, buf[i], bytes[i / each]);
	free(buf);
}
#define HOLDS(v, each, ...)                                                                                            \
	holds(v, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }), each)

static inline void warns(const struct volume_list *l, const char *what)
{
	ck_assert_msg(l->warning && strstr(l->warning, what), "%s", l->warning ? l->warning : "no warning");
}

#endif
