/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nodes.c - numbers for files, and files for numbers.
 *
 *	bits 63-56 the mount	bit 55 the rest is an entry's index	bits 54-40 a subvolume's place	bits 39-0 an inode's number
 *
 * Where the kernel opens a file by its inode's number (a "file handle"), the number is the node and nothing is remembered.
 * Elsewhere the agent remembers the folder and the name by which it met a file, once for each pair of device and inode, so
 * that hard links have one node.  A file is then opened by opening its folder, which mostly is open, and the name in it; when it is
 * no longer there, by another name by which it was met before.
 */
#include "agent.h"
#include "alloc.h"
#include "limits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define NODE_IS_ENTRY (1ULL << 55)
#define NODE_SUBVOL_SHIFT 40
#define NODE_INO_MAX ((1ULL << NODE_SUBVOL_SHIFT) - 1)
#define NODE_SUBVOLS (1u << 15)

static uint64_t node_make(uint32_t mount, uint64_t rest)
{
	return (uint64_t)mount << 56 | rest;
}

static uint32_t dev_number(uint32_t major, uint32_t minor)
{
	return major << 20 | (minor & 0xfffff);
}

int node_mount(struct agent *a, uint64_t node, struct agent_mount **m)
{
	*m = mount_find(a, NODE_MOUNT(node));
	return *m ? 0 : agent_say(a, ESTALE, "a file of a filesystem that is not mounted");
}

/* ---- files that are open ---- */

static struct agent_fd *slot_find(struct agent_nodes *n, uint64_t node, enum agent_open how)
{
	for (size_t i = 0; i < AGENT_FDS; i++)
		if (n->fds[i].node == node && n->fds[i].how == how) {
			n->fds[i].used = ++n->tick;
			return &n->fds[i];
		}
	return NULL;
}

static struct agent_fd *slot_put(struct agent_nodes *n, uint64_t node, enum agent_open how, int fd)
{
	struct agent_fd *oldest = &n->fds[0];

	for (size_t i = 0; i < AGENT_FDS; i++) {
		if (!n->fds[i].node) {
			oldest = &n->fds[i];
			break;
		}
		if (n->fds[i].used < oldest->used)
			oldest = &n->fds[i];
	}
	if (oldest->node)
		close(oldest->fd);
	*oldest = (struct agent_fd){ .node = node, .how = how, .fd = fd, .used = ++n->tick };
	return oldest;
}

static void slots_close(struct agent_nodes *n, uint32_t mount)
{
	for (size_t i = 0; i < AGENT_FDS; i++)
		if (n->fds[i].node && (!mount || NODE_MOUNT(n->fds[i].node) == mount)) {
			close(n->fds[i].fd);
			n->fds[i].node = 0;
		}
}

void nodes_moved(struct agent *a)
{
	slots_close(&a->nodes, 0);
}

void nodes_written(struct agent *a)
{
	struct agent_nodes *n = &a->nodes;

	for (size_t i = 0; i < AGENT_FDS; i++)
		if (n->fds[i].node && n->fds[i].how == OPEN_WRITE) {
			close(n->fds[i].fd);
			n->fds[i].node = 0;
		}
}

static int open_flags(enum agent_open how)
{
	const int common = O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK;

	switch (how) {
	case OPEN_PATH:
		return O_PATH | O_CLOEXEC | O_NOFOLLOW;
	case OPEN_READ:
		return O_RDONLY | common;
	case OPEN_WRITE:
		return O_RDWR | common;
	}
	return O_PATH | O_CLOEXEC;
}

/* Only what opening does nothing to: pipes wait, devices act. */
static int judge_open(int fd, enum agent_open how)
{
	struct stat st;

	if (how == OPEN_PATH)
		return 0;
	if (fstat(fd, &st) < 0)
		return errno;
	if (S_ISREG(st.st_mode) || (how == OPEN_READ && S_ISDIR(st.st_mode)))
		return 0;
	return S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
}

/* ---- handles ---- */

struct handle {
	struct file_handle h;
	unsigned char bytes[MAX_HANDLE_SZ];
};

static void put32(unsigned char *at, uint64_t v)
{
	for (unsigned i = 0; i < 4; i++)
		at[i] = (unsigned char)(v >> (8 * i));
}

static void put64(unsigned char *at, uint64_t v)
{
	put32(at, v);
	put32(at + 4, v >> 32);
}

static uint64_t get64(const unsigned char *at)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 8; i++)
		v |= (uint64_t)at[i] << (8 * i);
	return v;
}

/* Types of handles as the kernel writes them; a generation of 0 is not compared. */
enum {
	HANDLE_INO32_GEN = 1,	 /* u32 inode, u32 generation */
	HANDLE_BTRFS = 0x4d,	 /* u64 inode, u64 tree, u32 generation */
	HANDLE_BTRFS_SIZE = 20,
};

static void handle_of(const struct agent_mount *m, uint64_t node, struct handle *h)
{
	uint64_t ino = node & NODE_INO_MAX;

	memset(h, 0, sizeof *h);
	if (m->by == BY_EXT) {
		h->h.handle_type = HANDLE_INO32_GEN;
		h->h.handle_bytes = 8;
		put32(h->bytes, ino);
		return;
	}
	h->h.handle_type = HANDLE_BTRFS;
	h->h.handle_bytes = HANDLE_BTRFS_SIZE;
	put64(h->bytes, ino);
	put64(h->bytes + 8, m->subvols[(node >> NODE_SUBVOL_SHIFT) & (NODE_SUBVOLS - 1)].id);
}

static int open_handle(const struct agent_mount *m, uint64_t node, enum agent_open how, int *fd)
{
	struct handle h;
	int rc;

	/* Numbers that were never given. */
	if (((node >> NODE_SUBVOL_SHIFT) & (NODE_SUBVOLS - 1)) >= (m->by == BY_BTRFS ? m->nsubvols : 1))
		return ESTALE;
	handle_of(m, node, &h);
	/* What it is, is not known before: a pipe or a device must not be opened to be read. */
	*fd = open_by_handle_at(m->fd, &h.h, O_PATH | O_CLOEXEC | O_NOFOLLOW);
	if (*fd < 0)
		return errno == ESTALE ? ENOENT : errno;
	if (how == OPEN_PATH)
		return 0;
	rc = judge_open(*fd, how);
	close(*fd);
	if (rc)
		return rc;
	*fd = open_by_handle_at(m->fd, &h.h, open_flags(how));
	return *fd < 0 ? errno : 0;
}

/* The place of a subvolume by its device; it is known from then on. */
static int subvol_place(struct agent_mount *m, uint32_t dev, int fd, const char *name, uint32_t *place)
{
	struct handle h = { .h.handle_bytes = MAX_HANDLE_SZ };
	struct agent_subvol *more;
	int mount_id;

	for (uint32_t i = 0; i < m->nsubvols; i++)
		if (m->subvols[i].dev == dev) {
			*place = i;
			return 0;
		}
	if (name_to_handle_at(fd, name ? name : "", &h.h, &mount_id, name ? 0 : AT_EMPTY_PATH) < 0)
		return errno;
	if (h.h.handle_bytes < HANDLE_BTRFS_SIZE)
		return EOPNOTSUPP;
	if (m->nsubvols == NODE_SUBVOLS)
		return ENOSPC;
	more = alloc_resize(m->subvols, m->nsubvols + 1, sizeof *more);
	if (!more)
		return ENOMEM;
	m->subvols = more;
	*place = m->nsubvols++;
	more[*place] = (struct agent_subvol){ .dev = dev, .id = get64(h.bytes + 8) };
	return 0;
}

/* ---- entries ---- */

static uint32_t hash_of(uint32_t mount, uint32_t dev, uint64_t ino)
{
	uint64_t x = (ino ^ (uint64_t)dev << 32 ^ mount) * 0x9e3779b97f4a7c15ULL;

	return (uint32_t)(x >> 32);
}

static int hash_grow(struct agent_nodes *n)
{
	uint32_t size = n->hash_size ? n->hash_size * 2 : 1024;
	uint32_t *hash = alloc_array(size, sizeof *hash);

	if (!hash)
		return ENOMEM;
	for (uint32_t i = 1; i < n->nentries; i++) {
		struct agent_entry *ent = &n->entries[i];
		uint32_t at = hash_of(ent->mount, ent->dev, ent->ino) & (size - 1);

		ent->next = hash[at];
		hash[at] = i;
	}
	free(n->hash);
	n->hash = hash;
	n->hash_size = size;
	return 0;
}

/* Files known may take a quarter of the memory. */
static bool room_for(struct agent *a, size_t bytes)
{
	struct sysinfo si;
	uint64_t all = sysinfo(&si) == 0 ? (uint64_t)si.totalram * si.mem_unit : 64 * MiB;

	return a->folders || bytes <= all / 4;
}

static int name_add(struct agent *a, const char *name, uint32_t *where)
{
	struct agent_nodes *n = &a->nodes;
	size_t len = strlen(name), need = n->names_len + 2 + len + 1;

	if (need > UINT32_MAX)
		return ENOSPC;
	if (need > n->names_cap) {
		size_t cap = n->names_cap ? n->names_cap + n->names_cap / 2 : 64 * KiB;
		uint8_t *names = room_for(a, cap + n->entries_cap * sizeof *n->entries) ? alloc_resize(n->names, cap, 1) : NULL;

		if (!names)
			return agent_say(a, ENOMEM, "more files than the appliance has memory for (--memory)");
		n->names = names;
		n->names_cap = cap;
	}
	*where = (uint32_t)n->names_len;
	n->names[n->names_len] = (uint8_t)len;
	n->names[n->names_len + 1] = (uint8_t)(len >> 8);
	memcpy(n->names + n->names_len + 2, name, len + 1);
	n->names_len = need;
	return 0;
}

static const char *name_at(const struct agent_nodes *n, uint32_t where)
{
	return (const char *)n->names + where + 2;
}

static int entry_index(struct agent *a, uint64_t node, uint32_t *index)
{
	uint64_t i = node & ~NODE_IS_ENTRY & ((1ULL << 56) - 1);

	if (!(node & NODE_IS_ENTRY) || i == 0 || i >= a->nodes.nentries || a->nodes.entries[i].mount != NODE_MOUNT(node))
		return ESTALE;
	*index = (uint32_t)i;
	return 0;
}

/* ---- further names ---- */

/* Of one file; who has more is found by those that were met last. */
#define ALSO_MAX 64

static void place_swap(struct agent_entry *ent, struct agent_also *also)
{
	const struct agent_also was = *also;

	also->parent = ent->parent;
	also->name = ent->name;
	ent->parent = was.parent;
	ent->name = was.name;
}

/* A place for one more; 0: there is no memory, and the name is forgotten. */
static uint32_t also_new(struct agent *a)
{
	struct agent_nodes *n = &a->nodes;
	uint32_t i = n->free_also;

	if (i) {
		n->free_also = n->also[i].next;
		return i;
	}
	if (n->nalso == n->also_cap) {
		uint32_t cap = n->also_cap ? n->also_cap + n->also_cap / 2 : 256;
		struct agent_also *more = NULL;

		if (room_for(a, cap * sizeof *more + n->names_cap + n->entries_cap * sizeof *n->entries))
			more = alloc_resize(n->also, cap, sizeof *more);
		if (!more)
			return 0;
		n->also = more;
		n->also_cap = cap;
		if (n->nalso == 0)
			n->also[n->nalso++] = (struct agent_also){ 0 };
	}
	return n->nalso++;
}

static void also_forget(struct agent_nodes *n, uint32_t *link)
{
	const uint32_t i = *link;

	*link = n->also[i].next;
	n->also[i].next = n->free_also;
	n->free_also = i;
}

/* The file was met in another place: it was moved there, or has that name, too.  A folder has one. */
static int entry_meet(struct agent *a, uint32_t index, uint32_t parent, const char *name, bool folder)
{
	struct agent_nodes *n = &a->nodes;
	uint32_t *link = &n->entries[index].also, where, i;
	unsigned count = 0;
	int rc;

	while (folder && *link)
		also_forget(n, link);
	/* Ends: each link is to an older one, and they are counted. */
	for (; *link; link = &n->also[*link].next) {
		if (n->also[*link].parent == parent && strcmp(name_at(n, n->also[*link].name), name) == 0) {
			place_swap(&n->entries[index], &n->also[*link]);
			return 0;
		}
		/* The oldest makes room. */
		if (++count == ALSO_MAX) {
			also_forget(n, link);
			break;
		}
	}
	rc = name_add(a, name, &where);
	if (rc)
		return rc;
	i = folder ? 0 : also_new(a);
	if (i) {
		n->also[i] = (struct agent_also){ n->entries[index].parent, n->entries[index].name, n->entries[index].also };
		n->entries[index].also = i;
	}
	n->entries[index].parent = parent;
	n->entries[index].name = where;
	return 0;
}

/* The index of a file that was met in a folder by a name; a known one keeps its index and gets the new place. */
static int entry_put(struct agent *a, uint32_t mount, uint32_t dev, uint64_t ino, uint32_t parent, const char *name,
		     bool folder, uint32_t *index)
{
	struct agent_nodes *n = &a->nodes;
	struct agent_entry *ent;
	uint32_t at;
	int rc;

	if (n->nentries >= n->hash_size && (rc = hash_grow(n)))
		return rc;
	at = hash_of(mount, dev, ino) & (n->hash_size - 1);
	/* Ends: each link of a chain is an entry that was there before the one that names it. */
	for (uint32_t i = n->hash[at]; i; i = n->entries[i].next) {
		ent = &n->entries[i];
		if (ent->ino != ino || ent->dev != dev || ent->mount != mount)
			continue;
		*index = i;
		if (!parent || (ent->parent == parent && strcmp(name_at(n, ent->name), name) == 0))
			return 0;
		return entry_meet(a, i, parent, name, folder);
	}
	if (n->nentries == n->entries_cap) {
		uint32_t cap = n->entries_cap ? n->entries_cap + n->entries_cap / 2 : 1024;
		struct agent_entry *more = NULL;

		if (room_for(a, cap * sizeof *more + n->names_cap))
			more = alloc_resize(n->entries, cap, sizeof *more);
		if (!more)
			return agent_say(a, ENOMEM, "more files than the appliance has memory for (--memory)");
		n->entries = more;
		n->entries_cap = cap;
		if (n->nentries == 0)
			n->entries[n->nentries++] = (struct agent_entry){ 0 };
	}
	*index = n->nentries;
	ent = &n->entries[*index];
	*ent = (struct agent_entry){ .ino = ino, .dev = dev, .parent = parent ? parent : *index, .mount = mount };
	rc = name_add(a, name, &ent->name);
	if (rc)
		return rc;
	n->nentries++;
	at = hash_of(mount, dev, ino) & (n->hash_size - 1);
	ent->next = n->hash[at];
	n->hash[at] = *index;
	return 0;
}

/* Opens an entry in its folder, which is open. */
static int open_entry(struct agent *a, uint32_t index, int dir, enum agent_open how, int *fd)
{
	const struct agent_entry *ent = &a->nodes.entries[index];
	const char *name = name_at(&a->nodes, ent->name);
	struct stat st;
	int rc;

	if (how != OPEN_PATH) {
		if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return errno;
		if (!S_ISREG(st.st_mode) && !(how == OPEN_READ && S_ISDIR(st.st_mode)))
			return S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
	}
	*fd = openat(dir, name, open_flags(how));
	if (*fd < 0)
		return errno;
	/* Somebody may have put another file there. */
	if (fstat(*fd, &st) < 0)
		rc = errno;
	else
		rc = st.st_ino != ent->ino ? ESTALE : judge_open(*fd, how);
	if (rc)
		close(*fd);
	return rc;
}

/* By the folders above that are not open, from the first that is. */
static int open_by_name(struct agent *a, const struct agent_mount *m, uint64_t node, enum agent_open how,
			struct agent_fd **slot)
{
	struct agent_nodes *n = &a->nodes;
	uint32_t mount = NODE_MOUNT(node), index;
	CLEANUP(free_ptr) uint32_t *chain = NULL;
	size_t len = 0, cap = 0;
	int rc = entry_index(a, node, &index);
	int dir;

	if (rc)
		return rc;
	dir = m->fd;
	/* Ends: there are no more folders above than entries; else they go in a circle. */
	for (uint32_t i = index; n->entries[i].parent != i; i = n->entries[i].parent) {
		if (i != index) {
			struct agent_fd *open = slot_find(n, node_make(mount, NODE_IS_ENTRY | i), OPEN_PATH);

			if (open) {
				dir = open->fd;
				break;
			}
		}
		if (len == cap) {
			uint32_t *more = len < n->nentries ? alloc_resize(chain, cap = cap ? cap * 2 : 16, sizeof *more) : NULL;

			if (!more)
				return len < n->nentries ? ENOMEM : ELOOP;
			chain = more;
		}
		chain[len++] = i;
	}
	if (len == 0) { /* the root */
		int fd = openat(m->fd, ".", open_flags(how));

		if (fd < 0)
			return errno;
		rc = judge_open(fd, how);
		if (rc) {
			close(fd);
			return rc;
		}
		*slot = slot_put(n, node, how, fd);
		return 0;
	}
	while (len--) {
		enum agent_open how_here = len ? OPEN_PATH : how;
		int fd = -1;

		rc = open_entry(a, chain[len], dir, how_here, &fd);
		if (rc)
			return rc;
		*slot = slot_put(n, node_make(mount, NODE_IS_ENTRY | chain[len]), how_here, fd);
		dir = fd;
	}
	return 0;
}

/* Is that so because it is not where it was met last? */
static bool is_elsewhere(int errnum)
{
	return errnum == ENOENT || errnum == ENOTDIR || errnum == ESTALE;
}

/* By the name by which it was met last, or else by another that leads to it. */
static int open_by_names(struct agent *a, const struct agent_mount *m, uint64_t node, enum agent_open how,
			 struct agent_fd **slot)
{
	struct agent_nodes *n = &a->nodes;
	int rc = open_by_name(a, m, node, how, slot), again = rc;
	uint32_t index;

	if (!is_elsewhere(rc) || entry_index(a, node, &index))
		return rc;
	/* Ends: each link is to an older one. */
	for (uint32_t i = n->entries[index].also; i && is_elsewhere(again); i = n->also[i].next) {
		place_swap(&n->entries[index], &n->also[i]);
		again = open_by_name(a, m, node, how, slot);
		if (is_elsewhere(again))
			place_swap(&n->entries[index], &n->also[i]);
	}
	return is_elsewhere(again) ? rc : again;
}

struct agent_fd *node_open_slot(struct agent *a, uint64_t node, enum agent_open how, int *errnum)
{
	struct agent_fd *slot = slot_find(&a->nodes, node, how);
	struct agent_mount *m;
	int fd = -1;

	*errnum = node_mount(a, node, &m);
	if (*errnum)
		return NULL;
	if (slot)
		return slot;
	if (node & NODE_IS_ENTRY) {
		*errnum = open_by_names(a, m, node, how, &slot);
		return *errnum ? NULL : slot;
	}
	*errnum = m->by == BY_NAME ? ESTALE : open_handle(m, node, how, &fd);
	return *errnum ? NULL : slot_put(&a->nodes, node, how, fd);
}

int node_open(struct agent *a, uint64_t node, enum agent_open how, int *fd)
{
	int rc;
	struct agent_fd *slot = node_open_slot(a, node, how, &rc);

	if (slot)
		*fd = slot->fd;
	return rc;
}

int node_proc_path(struct agent *a, uint64_t node, char path[64])
{
	int fd = -1;
	int rc = node_open(a, node, OPEN_PATH, &fd);

	if (rc == 0)
		snprintf(path, 64, "/proc/self/fd/%d", fd);
	return rc;
}

/* ---- facts ---- */

static struct proto_time time_of(const struct statx_timestamp *t)
{
	return (struct proto_time){ .sec = t->tv_sec, .nsec = t->tv_nsec };
}

static int stat_fd(int fd, const char *name, struct statx *sx)
{
	int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (name ? 0 : AT_EMPTY_PATH);

	return statx(fd, name ? name : "", flags, STATX_BASIC_STATS | STATX_BTIME, sx) < 0 ? errno : 0;
}

/* The node of what statx() has told; entry: known by its folder and name. */
static int node_of(struct agent *a, uint32_t mount, const struct statx *sx, int fd, const char *name, uint64_t dir,
		   struct proto_stat *st)
{
	struct agent_mount *m = &a->mounts[mount];
	uint32_t dev = dev_number(sx->stx_dev_major, sx->stx_dev_minor), index = 0, parent = 0;
	int rc;

	if (m->by != BY_NAME && sx->stx_ino <= NODE_INO_MAX) {
		uint32_t place = 0;

		if (m->by == BY_BTRFS) {
			rc = subvol_place(m, dev, fd, name, &place);
			if (rc)
				return rc;
			st->subvol = m->subvols[place].id;
		}
		st->node = node_make(mount, (uint64_t)place << NODE_SUBVOL_SHIFT | sx->stx_ino);
		return 0;
	}
	if (m->by != BY_NAME) /* its folder has no entry */
		return agent_say(a, EOVERFLOW, "an inode's number of more than 40 bits");
	if (name) {
		rc = entry_index(a, dir, &parent);
		if (rc)
			return rc;
	}
	/* No number of its own is known of it, but others have others. */
	if (strcmp(m->type, "btrfs") == 0)
		st->subvol = dev;
	rc = entry_put(a, mount, dev, sx->stx_ino, parent, name ? name : ".",
		       S_ISDIR(sx->stx_mode), &index);
	st->node = node_make(mount, NODE_IS_ENTRY | index);
	return rc;
}

static void facts_of(const struct statx *sx, struct proto_stat *st)
{
	st->ino = sx->stx_ino;
	st->size = sx->stx_size;
	st->blocks512 = sx->stx_blocks;
	st->mode = sx->stx_mode;
	st->nlink = sx->stx_nlink;
	st->uid = sx->stx_uid;
	st->gid = sx->stx_gid;
	st->rdev_major = sx->stx_rdev_major;
	st->rdev_minor = sx->stx_rdev_minor;
	st->atime = time_of(&sx->stx_atime);
	st->mtime = time_of(&sx->stx_mtime);
	st->ctime = time_of(&sx->stx_ctime);
	st->has_crtime = (sx->stx_mask & STATX_BTIME) != 0;
	if (st->has_crtime)
		st->crtime = time_of(&sx->stx_btime);
}

int node_stat_at(struct agent *a, uint64_t dir, const char *name, struct proto_stat *st)
{
	struct statx sx;
	int fd = -1, rc;

	*st = (struct proto_stat){ 0 };
	/* The folder above is known; what ".." names at the root of a mount is not ours. */
	if (strcmp(name, ".") == 0)
		return node_stat(a, dir, st);
	if (strcmp(name, "..") == 0) {
		uint32_t index;
		struct agent_mount *m;

		rc = node_mount(a, dir, &m);
		if (rc)
			return rc;
		if (dir == m->root)
			return node_stat(a, dir, st);
		if (m->by == BY_NAME) {
			rc = entry_index(a, dir, &index);
			if (rc)
				return rc;
			index = a->nodes.entries[index].parent;
			return node_stat(a, node_make(NODE_MOUNT(dir), NODE_IS_ENTRY | index), st);
		}
	}
	rc = node_open(a, dir, OPEN_PATH, &fd);
	if (rc)
		return rc;
	rc = stat_fd(fd, name, &sx);
	if (rc)
		return rc;
	facts_of(&sx, st);
	return node_of(a, NODE_MOUNT(dir), &sx, fd, name, dir, st);
}

int node_stat(struct agent *a, uint64_t node, struct proto_stat *st)
{
	struct statx sx;
	struct agent_mount *m;
	uint32_t place = (node >> NODE_SUBVOL_SHIFT) & (NODE_SUBVOLS - 1);
	int fd = -1;
	int rc = node_open(a, node, OPEN_PATH, &fd);

	*st = (struct proto_stat){ .node = node };
	if (rc || (rc = stat_fd(fd, NULL, &sx)) || (rc = node_mount(a, node, &m)))
		return rc;
	if (m->by == BY_BTRFS && place < m->nsubvols)
		st->subvol = m->subvols[place].id;
	else if (strcmp(m->type, "btrfs") == 0)
		st->subvol = dev_number(sx.stx_dev_major, sx.stx_dev_minor);
	facts_of(&sx, st);
	return 0;
}

uint64_t node_of_entry(struct agent *a, uint64_t dir, const char *name, uint64_t ino, unsigned char type)
{
	const struct agent_mount *m = mount_find(a, NODE_MOUNT(dir));
	uint64_t subvol = dir & ((uint64_t)(NODE_SUBVOLS - 1) << NODE_SUBVOL_SHIFT);

	if (!m)
		return 0;
	if (strcmp(name, ".") == 0)
		return dir;
	if (strcmp(name, "..") == 0 && dir == m->root)
		return dir;
	if (m->by == BY_NAME || ino > NODE_INO_MAX || ino == 0)
		return 0;
	/* A folder may be another subvolume, which the listing does not tell; and so may the one above. */
	if (m->by == BY_BTRFS && type != S_IFREG >> 12 && type != S_IFLNK >> 12)
		return 0;
	return node_make(NODE_MOUNT(dir), subvol | ino);
}

/* ---- mounts ---- */

/* Do handles of this filesystem open what they should? */
static bool handles_work(struct agent_mount *m, uint32_t number, const struct statx *root)
{
	struct handle h = { .h.handle_bytes = MAX_HANDLE_SZ };
	struct statx sx;
	int mount_id, fd, rc;
	uint32_t place = 0;

	if (name_to_handle_at(m->fd, "", &h.h, &mount_id, AT_EMPTY_PATH) < 0)
		return false;
	if (strncmp(m->type, "ext", 3) == 0 && h.h.handle_type == HANDLE_INO32_GEN && h.h.handle_bytes == 8)
		m->by = BY_EXT;
	else if (strcmp(m->type, "btrfs") == 0 && h.h.handle_bytes >= HANDLE_BTRFS_SIZE)
		m->by = BY_BTRFS;
	else
		return false;
	if (m->by == BY_BTRFS && subvol_place(m, dev_number(root->stx_dev_major, root->stx_dev_minor), m->fd, NULL, &place) != 0)
		return false;
	if (root->stx_ino > NODE_INO_MAX)
		return false;
	m->root = node_make(number, (uint64_t)place << NODE_SUBVOL_SHIFT | root->stx_ino);
	if (open_handle(m, m->root, OPEN_PATH, &fd) != 0)
		return false;
	rc = stat_fd(fd, NULL, &sx);
	close(fd);
	return rc == 0 && sx.stx_ino == root->stx_ino && sx.stx_dev_minor == root->stx_dev_minor;
}

int nodes_begin(struct agent *a, uint32_t number)
{
	struct agent_mount *m = &a->mounts[number];
	struct proto_stat st = { 0 };
	struct statx sx;
	int rc = stat_fd(m->fd, NULL, &sx);

	if (rc)
		return rc;
	if (handles_work(m, number, &sx))
		return 0;
	m->by = BY_NAME;
	rc = node_of(a, number, &sx, m->fd, NULL, 0, &st);
	m->root = st.node;
	return rc;
}

void nodes_end(struct agent *a, uint32_t number)
{
	struct agent_nodes *n = &a->nodes;
	bool others = false;

	slots_close(n, number);
	free(a->mounts[number].subvols);
	a->mounts[number].subvols = NULL;
	a->mounts[number].nsubvols = 0;
	for (uint32_t i = 1; i <= AGENT_MOUNTS; i++)
		others = others || (i != number && a->mounts[i].used);
	if (!others) {
		/* Nobody knows any node: the memory begins anew. */
		free(n->entries);
		free(n->names);
		free(n->hash);
		free(n->also);
		n->also = NULL;
		n->nalso = n->also_cap = n->free_also = 0;
		n->entries = NULL;
		n->names = NULL;
		n->hash = NULL;
		n->nentries = n->entries_cap = n->hash_size = 0;
		n->names_len = n->names_cap = 0;
		return;
	}
	/* Numbers are used again: what was known of this one must not be taken for a file of the next. */
	for (uint32_t i = 1; i < n->nentries; i++)
		if (n->entries[i].mount == number)
			n->entries[i].mount = 0;
}
