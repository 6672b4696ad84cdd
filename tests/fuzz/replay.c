/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * replay.c - runs a fuzzer's entry over the files named, folders included, so that every corpus is a test without the
 * fuzzer.  Prints TAP: one test a file.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static unsigned nfiles, nbad;

static void replay_file(const char *path, size_t len)
{
	FILE *f = fopen(path, "rb");
	/* Exactly as long as the file, so that a read past its end is seen. */
	uint8_t *data = malloc(len ? len : 1);

	nfiles++;
	if (!f || !data || fread(data, 1, len, f) != len) {
		printf("not ok %u - %s: %s\n", nfiles, path, strerror(errno));
		nbad++;
	} else {
		LLVMFuzzerTestOneInput(data, len);
		printf("ok %u - %s\n", nfiles, path);
	}
	fflush(stdout); /* the last line names the file before the one that crashed */
	free(data);
	if (f)
		fclose(f);
}

static void replay(const char *path)
{
	struct dirent **names;
	struct stat st;
	int n;

	if (stat(path, &st) < 0) {
		printf("not ok %u - %s: %s\n", ++nfiles, path, strerror(errno));
		nbad++;
		return;
	}
	if (!S_ISDIR(st.st_mode)) {
		replay_file(path, (size_t)st.st_size);
		return;
	}
	n = scandir(path, &names, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		char child[4096];

		if (names[i]->d_name[0] != '.' &&
		    snprintf(child, sizeof child, "%s/%s", path, names[i]->d_name) < (int)sizeof child)
			replay(child);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	printf("1..%u\n", nfiles);
	return nbad ? 1 : 0;
}
