// SPDX-License-Identifier: LGPL-2.1-or-later
/* qcow2_bitmap.c - the list of persistent bitmaps. */
#include "qcow2.h"
#include "json.h"
#include "text.h"

#include <inttypes.h>

enum { BITMAP_IN_USE = 1u << 0, BITMAP_AUTO = 1u << 1 };

struct bitmap {
	const uint8_t *name;
	size_t name_len;
	uint32_t flags;
	unsigned granularity_bits;
};

/* The directory entry at *pos, which moves on; false when it goes past the end. */
static bool next_bitmap(const uint8_t *dir, size_t len, size_t *pos, struct bitmap *out)
{
	struct qcow2_bitmap_entry x;
	uint64_t total;

	if (len - *pos < sizeof x)
		return false;
	memcpy(&x, dir + *pos, sizeof x);
	total = sizeof x + (uint64_t)be32_get(x.extra_len) + be16_get(x.name_len);
	if (total > len - *pos || x.granularity_bits > 31)
		return false;
	out->name = dir + *pos + sizeof x + be32_get(x.extra_len);
	out->name_len = be16_get(x.name_len);
	out->flags = be32_get(x.flags);
	out->granularity_bits = x.granularity_bits;
	*pos += (size_t)MIN_OF(round_up(total, 8), (uint64_t)(len - *pos));
	return true;
}

/* The directory of valid bitmaps; free() it.  NULL: none, or it cannot be read. */
static uint8_t *read_bitmap_dir(struct block *b)
{
	const struct qcow2_state *s = b->state;
	CLEANUP(free_ptr) uint8_t *dir = NULL;

	if (!s->nbitmaps || !(s->autoclear & QCOW2_AUTOCLEAR_BITMAPS))
		return NULL;
	dir = alloc_bytes(s->bitmaps_dir_size + 1);
	if (!dir || block_pread(b->file, dir, s->bitmaps_dir_size, s->bitmaps_dir_off, NULL) < 0)
		return NULL;
	return take(dir);
}

void qcow2_info_bitmaps(struct block *b, struct json *j)
{
	const struct qcow2_state *s = b->state;
	CLEANUP(free_ptr) uint8_t *dir = read_bitmap_dir(b);
	struct bitmap m;
	size_t pos = 0;

	if (!dir)
		return;
	json_array(j, "bitmaps");
	for (uint32_t i = 0; i < s->nbitmaps && next_bitmap(dir, s->bitmaps_dir_size, &pos, &m); i++) {
		json_object(j, NULL);
		json_array(j, "flags");
		if (m.flags & BITMAP_IN_USE)
			json_str(j, NULL, "in-use");
		if (m.flags & BITMAP_AUTO)
			json_str(j, NULL, "auto");
		json_array_end(j);
		json_strn(j, "name", m.name, m.name_len);
		json_u64(j, "granularity", 1ULL << m.granularity_bits);
		json_object_end(j);
	}
	json_array_end(j);
}

uint64_t qcow2_bitmaps_bytes(struct block *b, uint64_t cluster_size)
{
	const struct qcow2_state *s = b->state;
	CLEANUP(free_ptr) uint8_t *dir = read_bitmap_dir(b);
	uint64_t total = 0, dir_bytes = 0;
	struct bitmap m;
	size_t pos = 0;

	for (uint32_t i = 0; dir && i < s->nbitmaps && next_bitmap(dir, s->bitmaps_dir_size, &pos, &m); i++) {
		uint64_t bits = div_round_up(b->size, 1ULL << m.granularity_bits);
		uint64_t clusters = div_round_up(div_round_up(bits, 8), cluster_size);

		total += clusters * cluster_size + round_up(clusters * 8, cluster_size);
		dir_bytes += round_up(sizeof(struct qcow2_bitmap_entry) + m.name_len, 8);
	}
	return total + round_up(dir_bytes, cluster_size);
}
