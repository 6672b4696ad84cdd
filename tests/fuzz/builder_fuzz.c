/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * builder_fuzz.c - what the builder of the appliance reads of files that came from elsewhere.  The first byte says as what the
 * rest is read: a program or library (e), a module (m), a kernel (b), a package (d).
 */
#include "alloc.h"
#include "bzimage.h"
#include "deb.h"
#include "elf_needs.h"
#include "modinfo.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* Every text that was told ends within the file. */
static void read_elf(const uint8_t *data, size_t len)
{
	CLEANUP(elf_needs_free) struct elf_needs n = { 0 };
	struct err e = ERR_INIT;
	const int rc = elf_needs_read(data, len, &n, &e);
	const char *end = (const char *)data + len;

	if (rc <= 0) {
		require(rc == 0 || e.msg[0]);
		return;
	}
	for (size_t i = 0; i < n.nneeded; i++)
		require(n.needed[i] + strlen(n.needed[i]) < end);
	require(!n.interp || n.interp + strlen(n.interp) < end);
	require(!n.runpath || n.runpath + strlen(n.runpath) < end);
}

/* A module has one line in modules.dep, and texts of its own make no further lines. */
static void read_module(const uint8_t *data, size_t len)
{
	CLEANUP(modinfo_text_free) struct modinfo_text t = MODINFO_TEXT_INIT;
	struct err e = ERR_INIT;
	const int rc = modinfo_add(&t, "kernel/a.ko", data, len, &e);

	require(rc == 0 || e.msg[0]);
	if (rc < 0)
		return;
	require(t.dep.len && strchr(t.dep.s, '\n') == t.dep.s + t.dep.len - 1);
	for (const char *line = t.alias.len ? t.alias.s : ""; *line; line = strchr(line, '\n') + 1)
		require(strncmp(line, "alias ", 6) == 0 && strchr(line, '\n'));
}

static void read_kernel(const uint8_t *data, size_t len)
{
	struct err e = ERR_INIT;
	void *out = NULL;
	size_t n = 0;
	const int rc = bzimage_unpack(data, len, &out, &n, &e);

	require(rc >= 0 || e.msg[0]);
	if (rc >= 0)
		require(n >= 4 && memcmp(out, "\177ELF", 4) == 0);
	free(out);
}

static int remove_one(const char *path, const struct stat *st, int what, struct FTW *where)
{
	(void)st, (void)what;
	/* The folder itself stays. */
	return where->level && remove(path) != 0;
}

static char folder[64];

static void remove_folder(void)
{
	if (rmdir(folder) != 0)
		perror(folder);
}

/* Nothing is written outside of the folder: what was there beside it is all that is. */
static void read_package(const uint8_t *data, size_t len)
{
	char inside[80], path[32];
	struct err e = ERR_INIT;
	unsigned n = 0;
	int fd, into;
	DIR *d;

	if (!folder[0]) {
		snprintf(folder, sizeof folder, "/dev/shm/drydock-fuzz.XXXXXX");
		require(mkdtemp(folder));
		atexit(remove_folder);
	}
	snprintf(inside, sizeof inside, "%s/in", folder);
	fd = memfd_create("deb", MFD_CLOEXEC);
	require(mkdir(inside, 0755) == 0 && fd >= 0 && write(fd, data, len) == (ssize_t)len);
	into = open(inside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	require(into >= 0);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	require(deb_unpack(path, into, &e) >= 0 || e.msg[0]);
	close(into);
	close(fd);
	d = opendir(folder);
	for (struct dirent *ent; d && (ent = readdir(d));)
		n++;
	require(d && n == 3);
	closedir(d);
	require(nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	/* Exactly as long as they are, so that a byte behind them is found out. */
	uint8_t *copy = len > 1 ? alloc_bytes(len - 1) : NULL;

	if (!copy)
		return 0;
	memcpy(copy, data + 1, len - 1);
	switch (data[0]) {
	case 'e': read_elf(copy, len - 1); break;
	case 'm': read_module(copy, len - 1); break;
	case 'b': read_kernel(copy, len - 1); break;
	case 'd': read_package(copy, len - 1); break;
	}
	free(copy);
	return 0;
}
