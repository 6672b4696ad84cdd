/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest_file.h"

#include "alloc.h"
#include "io.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int guest_file_each(struct dry_guest *g, struct dry_node n, void *buf,
		    int (*fn)(void *arg, const void *bytes, size_t len), void *arg, struct dry_error *e)
{
	size_t got = GUEST_FILE_CHUNK;

	/* A short answer is the end: off grows by a chunk each time, and a file has one. */
	for (uint64_t off = 0; got == GUEST_FILE_CHUNK; off += got) {
		int rc = dry_node_read(g, n, buf, GUEST_FILE_CHUNK, off, &got, e);

		if (rc < 0)
			return rc;
		rc = got ? fn(arg, buf, got) : 0;
		if (rc)
			return rc;
	}
	return 0;
}

static int to_stdout(void *unused, const void *bytes, size_t len)
{
	int err = io_write(STDOUT_FILENO, bytes, len);

	(void)unused;
	if (!err)
		return 0;
	cmd_warn("standard output: %s", strerror(err));
	return GUEST_FILE_STDOUT;
}

int guest_file_stat(struct dry_guest *g, const char *path, struct dry_node *node, struct dry_stat *st, struct dry_error *e)
{
	int rc = dry_guest_lookup(g, path, true, node, e);

	if (rc >= 0)
		rc = dry_node_stat(g, *node, st, e);
	if (rc < 0 || S_ISREG(st->mode))
		return rc;
	*e = (struct dry_error){ .code = DRY_SYSTEM, .sys_errno = S_ISDIR(st->mode) ? EISDIR : EINVAL };
	snprintf(e->msg, sizeof e->msg, "%.800s: %s", path, S_ISDIR(st->mode) ? "Is a directory" : "not a regular file");
	return -DRY_SYSTEM;
}

int guest_file_bytes(struct dry_guest *g, const char *path, void *buf, int (*fn)(void *arg, const void *bytes, size_t len),
		    void *arg, struct dry_error *e)
{
	struct dry_node n;
	struct dry_stat st;
	int rc = guest_file_stat(g, path, &n, &st, e);

	return rc < 0 ? rc : guest_file_each(g, n, buf, fn, arg, e);
}

int guest_file_print(struct dry_guest *g, const char *path, void *buf, struct dry_error *e)
{
	fflush(stdout);
	return guest_file_bytes(g, path, buf, to_stdout, NULL, e);
}

char guest_type_letter(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return 'd';
	case S_IFREG:
		return '-';
	case S_IFLNK:
		return 'l';
	case S_IFCHR:
		return 'c';
	case S_IFBLK:
		return 'b';
	case S_IFIFO:
		return 'p';
	case S_IFSOCK:
		return 's';
	default:
		return '?';
	}
}

const char *guest_type_word(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return "directory";
	case S_IFREG:
		return "file";
	case S_IFLNK:
		return "symlink";
	case S_IFCHR:
		return "char";
	case S_IFBLK:
		return "block";
	case S_IFIFO:
		return "fifo";
	case S_IFSOCK:
		return "socket";
	default:
		return "unknown";
	}
}

/* One of the three rwx groups; special is s or t where that bit is set, S or T where it hides no x. */
static void mode_triple(uint32_t bits, bool special, char letter, char out[3])
{
	out[0] = bits & 4 ? 'r' : '-';
	out[1] = bits & 2 ? 'w' : '-';
	if (special)
		out[2] = bits & 1 ? letter : (char)(letter - 'a' + 'A');
	else
		out[2] = bits & 1 ? 'x' : '-';
}

char *guest_mode_text(uint32_t mode, char buf[11])
{
	buf[0] = guest_type_letter(mode);
	mode_triple(mode >> 6, mode & S_ISUID, 's', buf + 1);
	mode_triple(mode >> 3, mode & S_ISGID, 's', buf + 4);
	mode_triple(mode, mode & S_ISVTX, 't', buf + 7);
	buf[10] = '\0';
	return buf;
}
