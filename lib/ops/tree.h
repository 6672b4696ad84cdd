/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tree.h - a guest's tree as jobs change it: a few calls by path.
 *
 * Jobs (customize.h, sysprep.h ...) know nothing of machines: what they ask goes through this table, behind which is a change
 * of a guest (change_tree.h), or a folder in a test.  Paths are the guest's, symlinks are followed inside it only.
 */
#ifndef DRYDOCK_TREE_H
#define DRYDOCK_TREE_H

#include "fs.h"
#include "os.h"
#include "strbuf.h"

struct tree_owner {
	uint32_t mode, uid, gid;
};
/* A program in the guest's root. */
struct tree_run {
	const char *const *argv; /* ends at NULL */
	const char *const *env;	 /* ends at NULL; NULL: the usual */
	/* What it says, on stream 1 or 2; NULL: forgotten. */
	int (*output)(void *arg, int stream, const void *bytes, size_t len, struct err *e);
	void *arg;
};

struct tree;
struct tree_ops {
	int (*stat)(struct tree *t, const char *path, bool follow, struct fs_stat *out, struct err *e);
	int (*read)(struct tree *t, const char *path, size_t max, char **out, size_t *len, struct err *e);
	/* At most len bytes of a regular file; *got is less only at its end. */
	int (*pread)(struct tree *t, const char *path, void *buf, size_t len, uint64_t off, size_t *got, struct err *e);
	int (*readlink)(struct tree *t, const char *path, struct strbuf *out, struct err *e);
	/* Names but "." and "..", in any order; type: S_IFMT bits, 0: unknown until it is asked for. */
	int (*list)(struct tree *t, const char *path, int (*fn)(void *arg, const char *name, uint32_t type, struct err *e),
		    void *arg, struct err *e);
	/* As change_write_file(): a file that is there keeps what it has unless owner says else. */
	int (*write)(struct tree *t, const char *path, const void *bytes, size_t len, const struct tree_owner *owner,
		     struct err *e);
	/* Makes an empty file, or empties one, and hands out a place for pwrite. */
	int (*create)(struct tree *t, const char *path, const struct tree_owner *owner, uint64_t *file, struct err *e);
	/* The same of a file that is there, as it is. */
	int (*open)(struct tree *t, const char *path, uint64_t *file, struct err *e);
	int (*pwrite)(struct tree *t, uint64_t file, const void *bytes, size_t len, uint64_t off, struct err *e);
	int (*truncate)(struct tree *t, const char *path, uint64_t size, struct err *e);
	/* And those above it that are missing; one that is there is left as it is. */
	int (*mkdir)(struct tree *t, const char *path, const struct tree_owner *owner, struct err *e);
	int (*symlink)(struct tree *t, const char *path, const char *target, struct err *e);
	/* Under a new path, which must be free or a file. */
	int (*rename)(struct tree *t, const char *from, const char *to, struct err *e);
	/* With all that is in it; the last component is not followed. */
	int (*remove)(struct tree *t, const char *path, struct err *e);
	int (*chmod)(struct tree *t, const char *path, uint32_t mode, struct err *e);
	int (*chown)(struct tree *t, const char *path, bool follow, uint32_t uid, uint32_t gid, struct err *e);
	/* Both times to this. */
	int (*touch)(struct tree *t, const char *path, const struct fs_time *when, struct err *e);
	/* What was written so far is on the disk; NULL: it is at once. */
	int (*sync)(struct tree *t, struct err *e);
	int (*run)(struct tree *t, const struct tree_run *how, int *status, struct err *e);
};
struct tree {
	const struct tree_ops *ops;
	const struct os *os; /* which system it is */
};

/* ---- what is made of these calls ---- */

bool tree_has(struct tree *t, const char *path);    /* followed */
bool tree_is_dir(struct tree *t, const char *path); /* followed */
bool tree_is_file(struct tree *t, const char *path);
/* A small file as text, NUL-terminated: 1 and free(*out), or 0 when it is not there. */
int tree_text(struct tree *t, const char *path, char **out, size_t *len, struct err *e);
/* Writes a text; a file that is there keeps mode and owner, a new one is root's with this mode. */
int tree_put(struct tree *t, const char *path, const char *text, uint32_t mode, struct err *e);
/* Removes it if it is there. */
int tree_drop(struct tree *t, const char *path, struct err *e);
/* Makes the symlink, in place of what had its name. */
int tree_relink(struct tree *t, const char *path, const char *target, struct err *e);
/* The folder that a path lies in; "/" for what lies there. */
char *tree_parent(const char *path);
/* The folders above a path are there afterwards. */
int tree_make_parents(struct tree *t, const char *path, struct err *e);

/*
 * Calls fn for each path that a pattern of the shell names ("/var/log/ *.log" without the blank), sorted; one without * ? [ is
 * that path if there is such a thing.  Symlinks are entered where a component is named, not where it is guessed.
 */
int tree_glob(struct tree *t, const char *pattern, int (*fn)(void *arg, const char *path, struct err *e), void *arg,
	      struct err *e);
/* The same; "~" in front stands for each home, the one of root and those in /home, "~~" for that of root. */
int tree_glob_homes(struct tree *t, const char *pattern, int (*fn)(void *arg, const char *path, struct err *e), void *arg,
		    struct err *e);
/*
 * Calls fn for what lies at a path and below with its kind (S_IFMT bits), what is in a folder before the folder itself; symlinks
 * are not followed.  Deeper than LIMIT_TREE_DEPTH is ERR_LIMIT.  Costs a question a folder where folders tell what is in them.
 */
int tree_walk_types(struct tree *t, const char *path, int (*fn)(void *arg, const char *path, uint32_t type, struct err *e),
		    void *arg, struct err *e);
/* The same, with all that is known of each. */
int tree_walk(struct tree *t, const char *path, int (*fn)(void *arg, const char *path, const struct fs_stat *st, struct err *e),
	      void *arg, struct err *e);

/* ---- texts of lines ---- */

/*
 * Changes a text of lines "KEY=value" as a shell reads them: the value of KEY, with its quotes, in place of the one that is there,
 * else in a line at the end.  *text is freed and made anew.
 */
int text_set_value(char **text, const char *key, const char *value, struct err *e);
/* A line at the end, in the file's kind of line ends, behind one where that is missing. */
int text_append_line(const char *text, size_t len, const char *line, struct strbuf *out, struct err *e);

#endif
