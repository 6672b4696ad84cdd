/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * redo_fuzz.c - any bytes as the journal of an image: it is opened for reading, then for writing.
 *
 * Besides not crashing it has to keep two promises: what is beside the image is not touched, and the image does not change its
 * size.  The input is packed, as most of a journal is a hole: the header's first bytes, the length of the index and the index,
 * then data.  Sums are made right, and the file is the one that the journal is of, so that what they guard is reached.
 */
#include "alloc.h"
#include "block_driver.h"
#include "limits.h"
#include "redo_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { HEAD = 96, IMAGE = 128 * 1024, MAGIC = 8 };
/* Where what is put right lies: in the header, and in the first disk of the index. */
enum { SUM_AT = 12, INDEX_OFF_AT = 40, INDEX_LEN_AT = 48, INDEX_SUM_AT = 56, INO_AT = 8, BIRTH_AT = 16 };

static char folder[] = "/dev/shm/redo-fuzz-XXXXXX"; /* some KiB, in memory where that is possible */
static int image = -1, victim = -1, journal_dir = -1;

static void leave(void)
{
	static const char *const names[] = { "a", "victim", ".a.drydock-redo" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unlinkat(journal_dir, names[i], 0);
	rmdir(folder);
}

static void enter(void)
{
	if (journal_dir >= 0)
		return;
	if (access("/dev/shm", W_OK) < 0)
		memcpy(folder, "/var/tmp", strlen("/var/tmp"));
	if (!mkdtemp(folder) || (journal_dir = open(folder, O_RDONLY | O_DIRECTORY)) < 0)
		abort();
	image = openat(journal_dir, "a", O_RDWR | O_CREAT, 0600);
	victim = openat(journal_dir, "victim", O_RDWR | O_CREAT, 0600);
	if (image < 0 || victim < 0 || write(victim, "victim", 6) != 6)
		abort();
	setenv("XDG_STATE_HOME", folder, 1);
	atexit(leave);
}

static void put64(uint8_t *p, uint64_t v)
{
	memcpy(p, &v, sizeof v);
}

static void make_journal(const uint8_t *data, size_t len)
{
	uint8_t header[REDO_HEADER] = { 0 };
	uint8_t index[4096];
	size_t index_len = 0;
	struct stat st;
	uint32_t sum;
	int fd = openat(journal_dir, ".a.drydock-redo", O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || fstat(image, &st) < 0)
		abort();
	memcpy(header, data, MIN_OF(len, (size_t)HEAD));
	memcpy(header, "DryRedo\n", MAGIC);
	data += MIN_OF(len, (size_t)HEAD);
	len -= MIN_OF(len, (size_t)HEAD);
	if (len >= 2) {
		index_len = MIN_OF(MIN_OF((size_t)(data[0] | data[1] << 8), sizeof index), len - 2);
		memcpy(index, data + 2, index_len);
		data += 2 + index_len;
		len -= 2 + index_len;
	}
	if (index_len >= BIRTH_AT + 8) {
		put64(index + INO_AT, st.st_ino);
		put64(index + BIRTH_AT, 0);
	}
	if (len)
		len = (size_t)MAX_OF(pwrite(fd, data, len, REDO_DATA_OFF), (ssize_t)0);
	/* At the end, unless the header says something of its own. */
	if (!header[INDEX_OFF_AT + 7]) {
		put64(header + INDEX_OFF_AT, REDO_DATA_OFF + (len + 4095) / 4096 * 4096);
		put64(header + INDEX_LEN_AT, index_len);
	}
	sum = redo_sum_of(index, index_len);
	memcpy(header + INDEX_SUM_AT, &sum, sizeof sum);
	memset(header + SUM_AT, 0, 4);
	sum = redo_sum_of(header, sizeof header);
	memcpy(header + SUM_AT, &sum, sizeof sum);
	if (pwrite(fd, index, index_len, REDO_DATA_OFF + (off_t)(len + 4095) / 4096 * 4096) < 0 ||
	    pwrite(fd, header, sizeof header, 0) < 0)
		abort();
	close(fd);
}

static void look(unsigned flags)
{
	struct block_open how = { .format = "raw", .flags = flags | BLOCK_UNSAFE };
	char name[sizeof folder + 2];
	uint8_t buf[IMAGE];
	struct extent x;
	struct block *b;
	struct err e;

	snprintf(name, sizeof name, "%s/a", folder);
	if (block_open(name, &how, &b, &e) < 0)
		return;
	if (block_size(b) != IMAGE || block_pread(b, buf, sizeof buf, 0, &e) < 0)
		abort();
	for (uint64_t off = 0; off < IMAGE; off += x.len)
		if (block_extent(b, IMAGE - off, off, &x, &e) < 0 || !x.len)
			abort();
	block_unref(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t content[IMAGE];
	char was[8] = "";
	struct stat st;

	enter();
	memset(content, 'o', sizeof content);
	if (pwrite(image, content, sizeof content, 0) != (ssize_t)sizeof content)
		abort();
	make_journal(data, len);
	look(0);
	look(BLOCK_WRITE);
	if (fstat(image, &st) < 0 || st.st_size != IMAGE || pread(victim, was, sizeof was, 0) != 6 || strcmp(was, "victim") != 0)
		abort();
	return 0;
}
