/* SPDX-License-Identifier: GPL-2.0-or-later */
/* write.c - drydock write: the content of a file of a guest, from standard input or from the command line. */
#include "change_words.h"

#include "alloc.h"
#include "io.h"
#include "limits.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is read and written at a time: some frames of the machine's channel. */
#define PIECE (4 * MiB)

struct write {
	struct change_opts change;
	bool append;
	const char *content, *mode, *owner;
};

/* Fills as much of the piece as there is of it; < 0: it cannot be read, which was told. */
static int64_t read_piece(const struct write *c, uint8_t *buf, uint64_t at)
{
	size_t have = 0;

	if (c->content) {
		const size_t len = strlen(c->content);

		have = at < len ? MIN_OF(len - (size_t)at, (size_t)PIECE) : 0;
		memcpy(buf, c->content + (have ? at : 0), have);
		return (int64_t)have;
	}
	while (have < PIECE) {
		ssize_t n = read(STDIN_FILENO, buf + have, PIECE - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			cmd_warn("standard input: %s", strerror(errno));
			return -1;
		}
		if (n == 0)
			break;
		have += (size_t)n;
	}
	return (int64_t)have;
}

static int copy(struct change_job *job, const struct write *c, const char *path, struct dry_node node, uint64_t off)
{
	CLEANUP(free_ptr) uint8_t *buf = alloc_bytes(PIECE);
	struct dry_error e = { .code = DRY_OK };
	int64_t n = PIECE;

	if (!buf) {
		cmd_warn("out of memory");
		return EXIT_FAILED;
	}
	for (uint64_t at = 0; n == PIECE; at += (uint64_t)n) {
		n = read_piece(c, buf, at);
		if (n < 0)
			return EXIT_FAILED;
		if (n && dry_change_write(job->c, node, buf, (size_t)n, off + at, &e) < 0)
			return change_fail_path(job, path, &e);
	}
	return 0;
}

/* The mode and owner that were asked for. */
static int give(struct change_job *job, const struct write *c, const char *path, struct dry_node node, const struct dry_stat *st)
{
	struct dry_error e = { .code = DRY_OK };
	uint32_t mode, uid = UINT32_MAX, gid = UINT32_MAX;
	int status = c->owner ? change_owner(job, c->owner, &uid, &gid) : 0;

	if (!status && c->owner && dry_change_chown(job->c, node, uid, gid, &e) < 0)
		status = change_fail_path(job, path, &e);
	if (!status && c->mode)
		status = change_mode("write", c->mode, st->mode, false, &mode);
	if (!status && c->mode && dry_change_chmod(job->c, node, mode, &e) < 0)
		status = change_fail_path(job, path, &e);
	return status;
}

static int work(struct change_job *job, const struct write *c)
{
	const char *path = change_path(job, 0);
	struct dry_error e = { .code = DRY_OK };
	struct dry_node node;
	struct dry_stat st;
	int rc = c->append ? dry_guest_lookup(job->g, path, true, &node, &e) : -DRY_NOT_FOUND;
	int status;

	/* Emptied, or made. */
	if (rc == -DRY_NOT_FOUND)
		rc = dry_change_write_file(job->c, path, "", 0, NULL, &e);
	if (rc < 0)
		return change_fail(job, &e);
	status = change_stat(job, path, true, &node, &st);
	if (!status && !S_ISREG(st.mode)) {
		guest_say(job->ref, "%s is not a regular file", path);
		status = EXIT_FAILED;
	}
	if (!status)
		status = copy(job, c, path, node, st.size);
	return status ? status : give(job, c, path, node, &st);
}

static int run(void *arg, int argc, char **argv)
{
	struct write *c = arg;
	struct change_job job;
	uint32_t unused;
	int status;

	if (argc != 1)
		return cmd_usage("write", "name one file, as in IMAGE:/path");
	if (!c->content && c->change.guest.keys.from_stdin)
		return cmd_usage("write", "standard input has the keys, so that --content must give what is written");
	if (c->mode && !change_mode_parse(c->mode, 0644, false, &unused))
		return change_mode("write", c->mode, 0644, false, &unused);
	status = change_begin("write", &c->change, argc, argv, NULL, &job);
	return change_end(&job, status ? status : work(&job, c));
}

int cmd_write(int argc, char **argv)
{
	struct write c = { .change = CHANGE_OPTS_INIT };
	const struct usage u = { "write", "[options] IMAGE:/PATH", "Writes standard input into a file of a guest." };
	const struct opt opts[] = {
		CHANGE_OPTS(&c.change, 'd'),
		OPT_STRING(0, "content", "TEXT", &c.content, "write this, and not standard input"),
		OPT_FLAG(0, "append", &c.append, "add it to what is there"),
		OPT_STRING(0, "mode", "MODE", &c.mode, "permissions, as chmod(1) takes them"),
		OPT_STRING(0, "owner", "USER[:GROUP]", &c.owner, "owner, by the guest's names or by numbers"),
		OPT_END,
	};

	return change_main(&u, opts, &c.change, argc, argv, run, &c);
}
