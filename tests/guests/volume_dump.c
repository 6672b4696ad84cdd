/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * volume_dump.c - the bytes of a volume, as the library reads them.
 *
 * usage: volume_dump NAME IMAGE...	writes the volume of that name ("-": the first one made of others) to standard output
 *	  volume_dump -c FILE NAME IMAGE...	does it hold what FILE begins with?
 *
 * What is to be told of the disks goes to standard error, and so does the volume's name, UUID and other names.  It is read
 * in pieces of odd sizes; what is said to be zeros or to lie in the host's file must be that.
 */
#include "alloc.h"
#include "volume.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct err e = ERR_INIT;
static FILE *wanted; /* NULL: print */

static int fail(void)
{
	fprintf(stderr, "volume_dump: %s\n", e.msg);
	return 1;
}

/* Does the extent that begins at off tell the truth of the bytes there? */
static int extent_holds(struct block *b, uint64_t off, const char *bytes, size_t len)
{
	static char host[1 << 20];
	struct extent x;

	if (block_extent(b, len, off, &x, &e) < 0)
		return fail();
	if (x.flags & EXTENT_ZERO)
		for (size_t i = 0; i < x.len; i++)
			if (bytes[i]) {
				err_set(&e, ERR_CORRUPT, "byte %llu is not zero", (unsigned long long)(off + i));
				return fail();
			}
	if ((x.flags & EXTENT_PLAIN) && pread(block_host_fd(x.host), host, x.len, (off_t)x.host_off) == (ssize_t)x.len &&
	    memcmp(host, bytes, x.len) != 0) {
		err_set(&e, ERR_CORRUPT, "byte %llu does not lie where it is said to", (unsigned long long)off);
		return fail();
	}
	return 0;
}

static int put(const char *bytes, size_t len)
{
	static char same[1 << 20];

	if (!wanted)
		return fwrite(bytes, 1, len, stdout) != len;
	if (fread(same, 1, len, wanted) == len && memcmp(bytes, same, len) == 0)
		return 0;
	err_set(&e, ERR_CORRUPT, "it differs before byte %ld", ftell(wanted));
	return fail();
}

static int dump(struct block *b)
{
	static const size_t sizes[] = { 4096, 65536, 1, 511, 300001, 8192, 12345, 1 << 20 };
	static char buf[1 << 20];
	uint64_t off = 0;

	for (size_t i = 0; off < block_size(b); i++) {
		size_t n = sizes[i % ARRAY_LEN(sizes)];

		n = (size_t)MIN_OF((uint64_t)n, block_size(b) - off);
		if (block_pread(b, buf, n, off, &e) < 0)
			return fail();
		if (extent_holds(b, off, buf, n) || put(buf, n))
			return 1;
		off += n;
	}
	return fflush(stdout) != 0;
}

int main(int argc, char **argv)
{
	const struct block_open how = { .format = "raw" };
	struct volume_list l = { 0 };
	const struct volume *v = NULL;

	if (strcmp(argv[1], "-c") == 0) {
		wanted = fopen(argv[2], "rb");
		if (!wanted)
			return 2;
		argc -= 2;
		argv += 2;
	}
	for (int i = 2; i < argc; i++) {
		struct block *b;

		if (block_open(argv[i], &how, &b, &e) < 0 || volume_scan(b, (unsigned)i - 2, &l, &e) < 0)
			return fail();
		block_unref(b);
	}
	if (volume_assemble(&l, NULL, &e) < 0)
		return fail();
	for (size_t i = 0; i < l.n && !v; i++)
		if (strcmp(argv[1], "-") == 0 ? l.items[i].nparts > 0 : volume_is_called(&l.items[i], argv[1]))
			v = &l.items[i];
	if (l.warning)
		fprintf(stderr, "%s\n", l.warning);
	if (!v) {
		err_set(&e, ERR_NOT_FOUND, "no volume %s", argv[1]);
		return fail();
	}
	fprintf(stderr, "%llu bytes: %s %s", (unsigned long long)block_size(v->block), v->name, v->uuid ? v->uuid : "-");
	for (size_t i = 0; i < v->naliases; i++)
		fprintf(stderr, " %s", v->aliases[i]);
	putc('\n', stderr);
	return dump(v->block);
}
