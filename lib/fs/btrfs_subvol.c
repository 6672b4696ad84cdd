/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * btrfs_subvol.c - subvolumes and snapshots: their trees, their places, and those that mount options name.
 *
 * The root tree has an item for each tree.  Subvolumes are trees of files; each but the one at the top is an entry in a
 * directory of another, which a ROOT_REF (parent, child) and a ROOT_BACKREF (child, parent) tell, both with the directory
 * and the name.
 */
#include "btrfs.h"

#include "alloc.h"
#include "text.h"

#include <inttypes.h>
#include <sys/stat.h>

int btrfs_tree_find(struct btrfs *b, uint64_t id, struct btrfs_tree *out, struct err *e)
{
	CLEANUP(btrfs_path_free) struct btrfs_path p = { 0 };
	/* A snapshot's item has the generation of its making as offset; there is one item. */
	const struct btrfs_key key = { id, BTRFS_ROOT_ITEM, UINT64_MAX };
	struct btrfs_disk_root d;
	const void *item;
	size_t size;
	int rc = btrfs_seek_last(b, &b->root_tree, &key, &p, e);

	if (rc <= 0 || !btrfs_path_is(&p, id, BTRFS_ROOT_ITEM))
		return rc < 0 ? rc : 0;
	item = btrfs_path_item(&p, &size);
	if (size < sizeof d)
		return err_set(e, ERR_CORRUPT, "root tree: an item of %zu bytes for tree %" PRIu64, size, id);
	memcpy(&d, item, sizeof d);
	if (d.level >= BTRFS_MAX_LEVEL)
		return err_set(e, ERR_CORRUPT, "root tree: tree %" PRIu64 " has level %u", id, d.level);
	/* A subvolume that was deleted is cleared away in the background. */
	if (le32_get(d.refs) == 0)
		return 0;
	*out = (struct btrfs_tree){
		.id = id, .root = le64_get(d.bytenr), .level = d.level, .generation = le64_get(d.generation)
	};
	return 1;
}

static bool is_subvol_id(uint64_t id)
{
	return id == BTRFS_TREE_FS || (id >= BTRFS_FIRST_FREE && id <= BTRFS_LAST_FREE);
}

int btrfs_subvol_find(struct btrfs *b, uint64_t id, size_t *out, struct err *e)
{
	struct btrfs_tree t;
	int rc;

	for (size_t i = 0; i < b->nsubvols; i++)
		if (b->subvols[i].id == id) {
			*out = i;
			return 1;
		}
	if (!is_subvol_id(id))
		return 0;
	rc = btrfs_tree_find(b, id, &t, e);
	if (rc <= 0)
		return rc;
	if (b->nsubvols == LIMIT_BTRFS_SUBVOLS)
		return err_set(e, ERR_LIMIT, "more than %d subvolumes", LIMIT_BTRFS_SUBVOLS);
	if (b->nsubvols == b->subvols_cap) {
		size_t cap = b->subvols_cap ? b->subvols_cap * 2 : 8;
		struct btrfs_tree *subvols = alloc_resize(b->subvols, cap, sizeof *subvols);

		if (!subvols)
			return err_nomem(e);
		b->subvols = subvols;
		b->subvols_cap = cap;
	}
	*out = b->nsubvols;
	b->subvols[b->nsubvols++] = t;
	return 1;
}

/* The root tree has a directory in which the name "default" stands for a subvolume. */
int btrfs_default_subvol(struct btrfs *b, uint64_t *id, struct err *e)
{
	static const char name[] = "default";
	CLEANUP(btrfs_path_free) struct btrfs_path p = { 0 };
	const struct btrfs_key key = { le64_get(b->super.d.root_dir), BTRFS_DIR_ITEM, btrfs_name_hash(name, strlen(name)) };
	struct btrfs_disk_dir d;
	const uint8_t *item;
	size_t size;
	int rc = btrfs_seek_exact(b, &b->root_tree, &key, &p, e);

	*id = BTRFS_TREE_FS;
	if (rc <= 0)
		return rc;
	item = btrfs_path_item(&p, &size);
	if (size < sizeof d + strlen(name) || memcmp(item + sizeof d, name, strlen(name)) != 0)
		return err_set(e, ERR_CORRUPT, "root tree: the name of the default subvolume cannot be read");
	memcpy(&d, item, sizeof d);
	if (d.location.type == BTRFS_ROOT_ITEM && is_subvol_id(le64_get(d.location.objectid)))
		*id = le64_get(d.location.objectid);
	return 0;
}

/* ---- places ---- */

struct place {
	uint64_t dirid;
	const char *name; /* lent from the path */
	size_t len;
};

static int place_at(const struct btrfs_path *p, struct place *out, struct err *e)
{
	struct btrfs_disk_root_ref d;
	size_t size;
	const char *item = btrfs_path_item(p, &size);

	if (size >= sizeof d) {
		memcpy(&d, item, sizeof d);
		*out = (struct place){ .dirid = le64_get(d.dirid), .name = item + sizeof d, .len = le16_get(d.name_len) };
		if (out->len <= size - sizeof d && btrfs_name_ok(out->name, out->len))
			return 0;
	}
	return err_set(e, ERR_CORRUPT, "root tree: the name of subvolume %" PRIu64 " cannot be read",
		       btrfs_path_key(p).objectid);
}

int btrfs_subvol_is_at(struct btrfs *b, uint64_t id, uint64_t parent, uint64_t dirid, const char *name, size_t len,
		       struct err *e)
{
	CLEANUP(btrfs_path_free) struct btrfs_path p = { 0 };
	const struct btrfs_key key = { parent, BTRFS_ROOT_REF, id };
	struct place at;
	int rc = btrfs_seek_exact(b, &b->root_tree, &key, &p, e);

	if (rc <= 0)
		return rc;
	rc = place_at(&p, &at, e);
	return rc < 0 ? rc : at.dirid == dirid && at.len == len && memcmp(at.name, name, len) == 0;
}

/* The first ROOT_BACKREF of a subvolume, into p: 1, or 0 when it has none. */
static int backref_find(struct btrfs *b, uint64_t id, struct btrfs_path *p, struct err *e)
{
	const struct btrfs_key key = { id, BTRFS_ROOT_BACKREF, 0 };
	int rc = btrfs_seek(b, &b->root_tree, &key, p, e);

	return rc > 0 ? btrfs_path_is(p, id, BTRFS_ROOT_BACKREF) : rc;
}

int btrfs_subvol_parent(struct btrfs *b, uint64_t id, uint64_t *parent, uint64_t *dirid, struct err *e)
{
	CLEANUP(btrfs_path_free) struct btrfs_path p = { 0 };
	struct place at;
	int rc = backref_find(b, id, &p, e);

	if (rc <= 0)
		return rc;
	*parent = btrfs_path_key(&p).offset;
	rc = place_at(&p, &at, e);
	*dirid = rc < 0 ? 0 : at.dirid;
	return rc < 0 ? rc : 1;
}

/* ---- the path of a subvolume ---- */

/* Puts "name/" before what is there. */
static int put_before(struct strbuf *path, const char *name, size_t len, struct err *e)
{
	struct strbuf b = STRBUF_INIT;

	strbuf_add(&b, name, len);
	if (path->len) {
		strbuf_putc(&b, '/');
		strbuf_add(&b, path->s, path->len);
	}
	strbuf_free(path);
	*path = b;
	if (b.failed)
		return err_nomem(e);
	return b.len > LIMIT_PATH ? err_set(e, ERR_LIMIT, "a path of %zu bytes", b.len) : 0;
}

/* Ends: each turn makes the path longer, which has a limit. */
static int dir_path(struct btrfs *b, const struct btrfs_tree *t, uint64_t dirid, struct strbuf *path, struct err *e)
{
	int rc = 0;

	while (rc == 0 && dirid != BTRFS_FIRST_FREE) {
		CLEANUP(strbuf_free) struct strbuf name = STRBUF_INIT;

		rc = btrfs_dir_parent(b, t, dirid, &dirid, &name, e);
		if (rc == 0)
			rc = put_before(path, name.s, name.len, e);
	}
	return rc;
}

/* From the top, "" for that itself: 1, or 0 when it is nowhere.  Ends as dir_path() does. */
static int subvol_path(struct btrfs *b, uint64_t id, struct strbuf *path, struct err *e)
{
	while (id != BTRFS_TREE_FS) {
		CLEANUP(btrfs_path_free) struct btrfs_path p = { 0 };
		struct btrfs_tree parent;
		struct place at;
		int rc = backref_find(b, id, &p, e);

		if (rc <= 0)
			return rc;
		id = btrfs_path_key(&p).offset;
		rc = place_at(&p, &at, e);
		if (rc == 0)
			rc = put_before(path, at.name, at.len, e);
		if (rc < 0)
			return rc;
		if (!is_subvol_id(id))
			return 0;
		rc = btrfs_tree_find(b, id, &parent, e);
		if (rc <= 0)
			return rc;
		rc = dir_path(b, &parent, at.dirid, path, e);
		if (rc < 0)
			return rc;
	}
	return 1;
}

int btrfs_subvolumes(struct fs *fs, int (*fn)(void *, uint64_t, const char *, struct err *), void *arg, struct err *e)
{
	struct btrfs *b = fs->state;
	struct btrfs_key key = { BTRFS_FIRST_FREE, BTRFS_ROOT_ITEM, 0 };

	/* Each turn finds the next tree, so that fn may read others in between; ends: keys only grow. */
	for (;;) {
		CLEANUP(btrfs_path_free) struct btrfs_path p = { 0 };
		CLEANUP(strbuf_free) struct strbuf path = STRBUF_INIT;
		struct btrfs_key at;
		struct btrfs_tree t;
		struct err why = ERR_INIT;
		int rc = btrfs_seek(b, &b->root_tree, &key, &p, e);

		if (rc <= 0)
			return rc;
		at = btrfs_path_key(&p);
		if (at.objectid > BTRFS_LAST_FREE)
			return 0;
		if (at.type < BTRFS_ROOT_ITEM) {
			key = (struct btrfs_key){ at.objectid, BTRFS_ROOT_ITEM, 0 };
			continue;
		}
		key = (struct btrfs_key){ at.objectid + 1, BTRFS_ROOT_ITEM, 0 };
		if (at.type != BTRFS_ROOT_ITEM)
			continue;
		/* One whose place cannot be told is passed over: others may be what is wanted. */
		rc = btrfs_tree_find(b, at.objectid, &t, &why);
		if (rc > 0)
			rc = subvol_path(b, at.objectid, &path, &why);
		if (rc == -ERR_NOMEM)
			return err_nomem(e);
		if (rc <= 0)
			continue;
		rc = fn(arg, at.objectid, path.s, e);
		if (rc != 0)
			return rc;
	}
}

/* ---- mount options ---- */

/* The value of the last option of a name in a comma-separated list: its length, or -1 when there is none. */
static long option_value(const char *opts, const char *name, const char **value)
{
	long len = -1;

	for (const char *p = opts; *p; p += strcspn(p, ","), p += *p == ',') {
		const char *rest;

		if (text_starts(p, name, &rest) && *rest == '=') {
			*value = rest + 1;
			len = (long)strcspn(*value, ",");
		}
	}
	return len;
}

/* The entry of a directory; ERR_NOT_FOUND, too, when it is no directory. */
static int step_down(struct btrfs *b, const char *name, size_t len, uint64_t *node, struct err *e)
{
	char text[FS_NAME_MAX + 1];
	struct btrfs_inode dir;
	int rc = btrfs_inode_get(b, *node, &dir, e);

	if (rc < 0)
		return rc;
	if (!S_ISDIR(dir.mode) || len >= sizeof text)
		return err_set(e, ERR_NOT_FOUND, "no such directory");
	memcpy(text, name, len);
	text[len] = '\0';
	return btrfs_lookup(b, &dir, text, node, e);
}

/* From the top along a path, in which no symlinks are followed; its end must be a subvolume's own directory. */
static int subvol_at_path(struct btrfs *b, const char *path, uint64_t *node, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf q = STRBUF_INIT;
	struct btrfs_ref ref;
	size_t top;
	int rc = btrfs_subvol_find(b, BTRFS_TREE_FS, &top, e);

	if (rc <= 0)
		return rc < 0 ? rc : err_set(e, ERR_CORRUPT, "the subvolume at the top is not there");
	text_quote(&q, path, strlen(path));
	*node = btrfs_node_make(top, BTRFS_FIRST_FREE, false);
	/* Ends: each turn takes a part of the path. */
	while (*(path += strspn(path, "/"))) {
		size_t len = strcspn(path, "/");
		struct err why = ERR_INIT;

		rc = step_down(b, path, len, node, &why);
		if (rc == -ERR_NOT_FOUND)
			return err_set(e, ERR_NOT_FOUND, "no subvolume \"%s\"", q.s);
		if (rc < 0 && e)
			*e = why;
		if (rc < 0)
			return rc;
		path += len;
	}
	rc = btrfs_node_judge(b, *node, &ref, e);
	if (rc == 0 && (ref.ino != BTRFS_FIRST_FREE || ref.stand_in))
		return err_set(e, ERR_NOT_FOUND, "\"%s\" is not a subvolume", q.s);
	return rc;
}

int btrfs_mount_root(struct fs *fs, const char *opts, uint64_t *root, struct err *e)
{
	struct btrfs *b = fs->state;
	const char *path, *number;
	long path_len = option_value(opts, "subvol", &path), number_len = option_value(opts, "subvolid", &number);
	CLEANUP(free_ptr) char *text = NULL;
	uint64_t id = 0, node;
	size_t place;
	int rc;

	*root = fs->root;
	if (number_len >= 0) {
		text = alloc_strndup(number, (size_t)number_len);
		if (!text)
			return err_nomem(e);
		if (!text_parse_u64(text, &id))
			return err_set(e, ERR_USAGE, "subvolid=%s is not a number", text);
		id = id ? id : BTRFS_TREE_FS;
		rc = btrfs_subvol_find(b, id, &place, e);
		if (rc <= 0)
			return rc < 0 ? rc : err_set(e, ERR_NOT_FOUND, "no subvolume with the number %" PRIu64, id);
		*root = btrfs_node_make(place, BTRFS_FIRST_FREE, false);
	}
	if (path_len >= 0) {
		free(text);
		text = alloc_strndup(path, (size_t)path_len);
		if (!text)
			return err_nomem(e);
		rc = subvol_at_path(b, text, &node, e);
		if (rc < 0)
			return rc;
		if (number_len >= 0 && node != *root)
			return err_set(e, ERR_NOT_FOUND, "subvol=%s is not the subvolume with the number %" PRIu64, text, id);
		*root = node;
	}
	return 0;
}
