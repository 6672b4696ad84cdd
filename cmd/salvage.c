// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * salvage.c - a map is a line with the state of the whole, and a line for each stretch: where it begins, how long it is,
 * and "+" for what was copied, "-" for what is bad, "?" for what nobody knows of.  Together they cover the disk.
 */
#include "salvage.h"

#include "alloc.h"
#include "cmd.h"

#include <errno.h>
#include <inttypes.h>

/* 16 MiB; so many separate stretches, each of at least a block, are no disk that one saves anything from. */
enum { MAX_RANGES = 1 << 20 };

int salvage_map_begin(struct salvage_map *m, const char *path)
{
	m->path = path;
	m->file = fopen(path, "we");
	if (m->file)
		return EXIT_DONE;
	cmd_warn("%s: %s", path, strerror(errno));
	return EXIT_FAILED;
}

void salvage_map_add(struct salvage_map *m, uint64_t off, uint64_t len)
{
	if (!m->file || m->cut)
		return;
	if (m->n == m->room) {
		size_t room = m->room ? 2 * m->room : 64;
		struct salvage_range *more = room > MAX_RANGES ? NULL : alloc_resize(m->ranges, room, sizeof *more);

		m->cut = !more;
		if (!more)
			return;
		m->ranges = more;
		m->room = room;
	}
	m->ranges[m->n++] = (struct salvage_range){ off, len };
}

static int by_place(const void *a, const void *b)
{
	const struct salvage_range *x = a, *y = b;

	return (x->off > y->off) - (x->off < y->off);
}

static void put_line(FILE *f, uint64_t off, uint64_t end, char status)
{
	if (off < end)
		fprintf(f, "0x%08" PRIX64 "  0x%08" PRIX64 "  %c\n", off, end - off, status);
}

int salvage_map_write(struct salvage_map *m, uint64_t size, bool whole)
{
	const char rest = whole ? '+' : '?';
	uint64_t at = 0;
	FILE *f = m->file;
	bool bad;

	if (!f)
		return EXIT_DONE;
	m->file = NULL;
	if (m->n)
		qsort(m->ranges, m->n, sizeof *m->ranges, by_place);
	fprintf(f, "# Mapfile. Created by drydock " DRYDOCK_VERSION "\n# current_pos  current_status  current_pass\n"
		   "0x%08" PRIX64 "     %c               1\n#      pos        size  status\n", whole ? size : 0, rest);
	for (size_t i = 0; i < m->n;) {
		uint64_t from = m->ranges[i].off, to = from;

		for (; i < m->n && m->ranges[i].off <= to; i++)
			to = MAX_OF(to, m->ranges[i].off + m->ranges[i].len);
		put_line(f, at, from, rest);
		put_line(f, from, to, '-');
		at = to;
	}
	put_line(f, at, size, m->cut ? '?' : rest);
	bad = ferror(f);
	if (fclose(f) != 0 || bad) {
		cmd_warn("%s: %s", m->path, strerror(errno));
		return EXIT_FAILED;
	}
	if (m->cut)
		cmd_warn("%s: there are more bad stretches than the %zu it holds", m->path, m->n);
	return EXIT_DONE;
}

void salvage_map_free(struct salvage_map *m)
{
	if (m->file)
		fclose(m->file);
	free(m->ranges);
	*m = (struct salvage_map)SALVAGE_MAP_INIT;
}
