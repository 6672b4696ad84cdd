/* SPDX-License-Identifier: GPL-2.0-or-later */
/* saved_fuzz.c - a saved machine, whose key and first checksum are made right: pages stay in the memory, and reads in the file. */
#include "saved.h"

#include "alloc.h"
#include "crc32c.h"
#include "io.h"
#include "limits.h"
#include "ondisk.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where the head has them. */
enum { CRC = 20, KEY = 24, RUNS_OFF = 104, HEAD = 136, LONGEST = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int new_file(off_t size)
{
	int fd = memfd_create("saved", MFD_CLOEXEC);

	if (fd < 0 || fchmod(fd, 0600) < 0 || ftruncate(fd, size) < 0)
		abort();
	return fd;
}

static void make_right(int fd, const uint8_t *data, size_t size)
{
	uint8_t head[HEAD];
	le64 runs_off;
	le32 crc;

	memcpy(head, data, HEAD);
	memcpy(&runs_off, head + RUNS_OFF, sizeof runs_off);
	if (le64_get(runs_off) > size)
		return;
	memset(head + CRC, 0, sizeof crc);
	le32_put(&crc, crc32c(crc32c(~0u, head, HEAD), data + le64_get(runs_off), size - le64_get(runs_off)));
	if (io_pwrite(fd, &crc, sizeof crc, CRC) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct saved_of of = { .memory = 1, .khz = 1000000 };
	struct saved s;
	struct stat st;
	int fd, memory;

	if (size < HEAD || size > LONGEST)
		return 0;
	memcpy(of.key, data + KEY, SAVED_KEY);
	fd = new_file(0);
	if (io_pwrite(fd, data, size, 0) != 0)
		abort();
	make_right(fd, data, size);
	if (saved_read(fd, &of, &s, NULL) < 0)
		return 0;
	if (s.state_off + s.state_len != size)
		abort();
	memory = new_file((off_t)MiB);
	(void)saved_load(&s, memory, NULL);
	if (fstat(memory, &st) < 0 || st.st_size != (off_t)MiB)
		abort();
	close(memory);
	saved_close(&s);
	return 0;
}
