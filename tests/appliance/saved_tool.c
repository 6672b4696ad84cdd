/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * saved_tool.c - saved machines with one wrong thing each.
 *
 * usage: saved_tool memory|state|pages FILE
 *   memory  a bit of its first page is another, as a bad disk may have it
 *   state   what QEMU wrote is zeroes, with the right checksum
 *   pages   nothing: prints how many it has
 */
#include "crc32c.h"
#include "io.h"
#include "ondisk.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where the head has them. */
enum { CRC = 20, RUNS_OFF = 104, STATE_OFF = 112, PAGES = 132, HEAD = 136 };

static int fail(const char *what)
{
	fprintf(stderr, "%s\n", what);
	return 1;
}

static int zero_state(int fd, uint8_t *head, size_t size)
{
	le64 runs_off, state_off;
	uint8_t *rest;
	le32 crc;
	size_t len, got;

	memcpy(&runs_off, head + RUNS_OFF, sizeof runs_off);
	memcpy(&state_off, head + STATE_OFF, sizeof state_off);
	len = size - le64_get(runs_off);
	rest = malloc(len);
	if (!rest || io_pread(fd, rest, len, le64_get(runs_off), &got) != 0 || got != len)
		return fail("it is cut off");
	memset(rest + (le64_get(state_off) - le64_get(runs_off)), 0, size - le64_get(state_off));
	memset(head + CRC, 0, sizeof crc);
	le32_put(&crc, crc32c(crc32c(~0u, head, HEAD), rest, len));
	memcpy(head + CRC, &crc, sizeof crc);
	if (io_pwrite(fd, rest, len, le64_get(runs_off)) != 0 || io_pwrite(fd, head, HEAD, 0) != 0)
		return fail("it cannot be written");
	free(rest);
	return 0;
}

int main(int argc, char **argv)
{
	int fd = argc == 3 ? open(argv[2], O_RDWR | O_CLOEXEC) : -1;
	uint8_t head[HEAD], byte;
	struct stat st;
	size_t got;

	if (fd < 0 || fstat(fd, &st) < 0 || io_pread(fd, head, sizeof head, 0, &got) != 0 || got != sizeof head)
		return fail("usage: saved_tool memory|state|pages FILE");
	if (strcmp(argv[1], "pages") == 0) {
		le32 npages;

		memcpy(&npages, head + PAGES, sizeof npages);
		printf("%u\n", le32_get(npages));
		return 0;
	}
	if (strcmp(argv[1], "state") == 0)
		return zero_state(fd, head, (size_t)st.st_size);
	if (io_pread(fd, &byte, 1, 4096, &got) != 0)
		return fail("it cannot be read");
	byte ^= 1;
	return io_pwrite(fd, &byte, 1, 4096) == 0 ? 0 : fail("it cannot be written");
}
