/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tree_nodes.c - handles of the guest, and the table of nodes that the kernel knows. */
#include "tree.h"

#include "alloc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/sysmacros.h>
#include <time.h>

/* ---- handles ---- */

/* Fills what nodes of the mounts have; false: something is mounted in another way than in the first handle. */
static bool handle_look(struct tree *t, struct handle *h, struct dry_error *e)
{
	struct handle *const first = &t->handles[0];
	struct dry_mount m, expected;
	unsigned n = 0;

	for (; dry_guest_mount_at(h->g, n, &m); n++) {
		struct dry_node at;

		if (n == TREE_FS_MAX) {
			*e = (struct dry_error){ .code = DRY_LIMIT, .msg = "too many filesystems are mounted in the guest" };
			return false;
		}
		if (h != first && (!dry_guest_mount_at(first->g, n, &expected) || m.volume_index != expected.volume_index ||
				   m.subvolume != expected.subvolume || strcmp(m.path, expected.path) != 0))
			return false;
		if (dry_guest_lookup(h->g, m.path, true, &at, e) < 0)
			return false;
		h->fs[n] = at.fs;
		if (h == first)
			t->volume[n] = m.volume_index;
	}
	if (h == first)
		t->nfs = n;
	return n == t->nfs;
}

/* By our own readers alone: a further handle would start a further machine. */
static bool handles_are_cheap(struct dry_guest *g)
{
	const struct dry_volume *v;
	struct dry_mount m;
	size_t n;

	if (dry_guest_volumes(g, &v, &n, NULL) < 0)
		return false;
	for (size_t i = 0; dry_guest_mount_at(g, i, &m); i++)
		if (m.volume_index >= n || v[m.volume_index].by_appliance)
			return false;
	return true;
}

static bool handle_usable(struct tree *t, struct handle *h)
{
	struct dry_error e = { .code = DRY_OK };

	/* Its keys are not asked for a second time: what such a handle lacks, it is not used for. */
	if (h->state == HANDLE_NEW)
		h->state = guest_mount_asked(t->how->opts, h->g, &e) >= 0 && handle_look(t, h, &e) ? HANDLE_READY : HANDLE_DEAD;
	return h->state == HANDLE_READY;
}

struct handle *tree_take(struct tree *t)
{
	for (unsigned i = 0; i < t->nhandles; i++) {
		struct handle *h = &t->handles[i];

		if (pthread_mutex_trylock(&h->lock) != 0)
			continue;
		if (handle_usable(t, h))
			return h;
		pthread_mutex_unlock(&h->lock);
	}
	pthread_mutex_lock(&t->handles[0].lock);
	return &t->handles[0];
}

void tree_give(struct handle *h)
{
	pthread_mutex_unlock(&h->lock);
}

struct dry_node node_of(const struct handle *h, const struct node *n)
{
	return (struct dry_node){ h->fs[n->fs], n->ino };
}

/* ---- a guest that others change ---- */

/* Notes what is mounted. */
static int mounts_keep(struct tree *t, struct dry_error *e)
{
	struct handle *h = &t->handles[0];
	struct dry_mount m;

	t->mounts = alloc_array(t->nfs, sizeof *t->mounts);
	for (unsigned i = 0; t->mounts && i < t->nfs && dry_guest_mount_at(h->g, i, &m); i++) {
		struct tree_mount *k = &t->mounts[i];

		k->volume = alloc_strdup(m.volume);
		k->path = alloc_strdup(m.path);
		if (m.subvolume)
			snprintf(k->options, sizeof k->options, "subvolid=%" PRIu64, m.subvolume);
		if (k->volume && k->path)
			continue;
		*e = (struct dry_error){ .code = DRY_NOMEM, .msg = "out of memory" };
		return -DRY_NOMEM;
	}
	if (t->mounts)
		return 0;
	*e = (struct dry_error){ .code = DRY_NOMEM, .msg = "out of memory" };
	return -DRY_NOMEM;
}

static void mounts_free(struct tree *t)
{
	for (unsigned i = 0; t->mounts && i < t->nfs; i++) {
		free(t->mounts[i].volume);
		free(t->mounts[i].path);
	}
	free(t->mounts);
}

static int mount_again(struct tree *t, struct handle *h, struct dry_error *e)
{
	int rc = 0;

	dry_guest_unmount(h->g);
	for (unsigned i = 0; i < t->nfs && rc >= 0; i++)
		rc = dry_guest_mount(h->g, t->mounts[i].volume, t->mounts[i].options, t->mounts[i].path, e);
	for (unsigned i = 0; i < t->nfs && rc >= 0; i++) {
		struct dry_mount m;
		struct dry_node at;

		rc = dry_guest_lookup(h->g, t->mounts[i].path, true, &at, e);
		if (rc < 0 || !dry_guest_mount_at(h->g, i, &m))
			break;
		h->fs[i] = at.fs;
		t->volume[i] = m.volume_index;
		if (i == 0)
			t->root.ino = at.ino;
	}
	return rc;
}

/* Shows what is in the images now. */
static int look_again(struct tree *t, struct handle *h, struct dry_error *e)
{
	int rc = dry_guest_refresh(h->g, e);

	if (rc == 0 && h->state == HANDLE_READY)
		return 0;
	if (rc >= 0)
		rc = mount_again(t, h, e);
	h->state = rc < 0 ? HANDLE_TORN : HANDLE_READY;
	return rc;
}

/* A writer is between two writes for milliseconds. */
#define LOOKS 5
#define LOOKS_APART_NS 20000000

struct handle *tree_take_fresh(struct tree *t, fuse_req_t req)
{
	struct handle *h = tree_take(t);
	struct dry_error e = { .code = DRY_OK };
	int rc = t->mounts ? look_again(t, h, &e) : 0;

	for (int i = 1; rc < 0 && i < LOOKS; i++) {
		nanosleep(&(struct timespec){ .tv_nsec = LOOKS_APART_NS }, NULL);
		rc = look_again(t, h, &e);
	}
	if (rc >= 0)
		return h;
	tree_give(h);
	if (t->how->opts->verbose)
		guest_say(t->how->ref, "%s", e.msg);
	t->f->fuse_reply_err(req, EIO);
	return NULL;
}

/* ---- attributes ---- */

/* What nobody can change may be kept as long as the kernel likes, and what others change not at all. */
static double timeout(const struct tree *t)
{
	return t->mounts ? 0 : t->change ? 1.0 : 365.0 * 86400;
}

double tree_attr_timeout(const struct tree *t)
{
	return t->how->mount->attr_timeout >= 0 ? t->how->mount->attr_timeout : timeout(t);
}

static double entry_timeout(const struct tree *t)
{
	return t->how->mount->entry_timeout >= 0 ? t->how->mount->entry_timeout : timeout(t);
}

static struct timespec time_of(struct dry_time t)
{
	return (struct timespec){ .tv_sec = t.sec, .tv_nsec = (long)MIN_OF(t.nsec, 999999999u) };
}

/*
 * The kernel shows one device for the whole mount.  So that no two files have the same number, those beneath other mounts and
 * in subvolumes carry in the upper bits by what their device differs from the root's.
 */
static void stat_show(const struct tree *t, const struct dry_stat *st, struct stat *out)
{
	const uint64_t other = st->dev ^ t->root_dev;

	*out = (struct stat){
		.st_ino = st->ino ^ (other << 40 | other >> 24),
		.st_mode = st->mode,
		.st_nlink = st->nlink,
		.st_uid = st->uid,
		.st_gid = st->gid,
		.st_size = (off_t)MIN_OF(st->size, (uint64_t)INT64_MAX),
		.st_blocks = (blkcnt_t)MIN_OF(st->blocks512, (uint64_t)INT64_MAX),
		.st_blksize = 4096,
		.st_atim = time_of(st->atime),
		.st_mtim = time_of(st->mtime),
		.st_ctim = time_of(st->ctime),
	};
	if (S_ISCHR(st->mode) || S_ISBLK(st->mode))
		out->st_rdev = makedev(st->rdev_major, st->rdev_minor);
	mount_opts_show(t->how->mount, out);
}

/* ---- the table ---- */

struct node *tree_node(struct tree *t, fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? &t->root : (struct node *)(uintptr_t)ino;
}

static size_t bucket_of(size_t nbuckets, unsigned fs, uint64_t ino)
{
	uint64_t x = (ino ^ (uint64_t)fs << 56) * 0x9e3779b97f4a7c15u;

	return (size_t)(x >> 20) & (nbuckets - 1);
}

/* Twice as many buckets; where there is no memory for them, the old ones will do. */
static void table_grow(struct tree *t)
{
	struct node **buckets = alloc_array(t->nbuckets * 2, sizeof *buckets);

	if (!buckets)
		return;
	for (size_t i = 0; i < t->nbuckets; i++) {
		for (struct node *n = t->buckets[i], *next; n; n = next) {
			size_t at = bucket_of(t->nbuckets * 2, n->fs, n->ino);

			next = n->next;
			n->next = buckets[at];
			buckets[at] = n;
		}
	}
	free(t->buckets);
	t->buckets = buckets;
	t->nbuckets *= 2;
}

/* With the table's lock. */
static void table_remove(struct tree *t, struct node *n)
{
	struct node **slot = &t->buckets[bucket_of(t->nbuckets, n->fs, n->ino)];

	if (n->detached)
		return;
	while (*slot != n)
		slot = &(*slot)->next;
	*slot = n->next;
	n->detached = true;
	t->nnodes--;
}

/* With the table's lock; NULL when memory is out. */
static struct node *table_get(struct tree *t, unsigned fs, uint64_t ino, const struct stat *st)
{
	struct node **slot = &t->buckets[bucket_of(t->nbuckets, fs, ino)], *n;

	if (t->root.fs == fs && t->root.ino == ino)
		return &t->root;
	for (n = *slot; n && (n->fs != fs || n->ino != ino); n = n->next)
		;
	if (n && (n->st.st_mode ^ st->st_mode) & S_IFMT) {
		/* The number was given to another file, by somebody else. */
		table_remove(t, n);
		n = NULL;
	}
	if (n) {
		if (t->moving)
			n->st = *st;
		return n;
	}
	n = alloc_zero(sizeof *n);
	if (!n)
		return NULL;
	*n = (struct node){ .next = *slot, .fs = fs, .ino = ino, .st = *st };
	*slot = n;
	if (++t->nnodes > t->nbuckets)
		table_grow(t);
	return n;
}

unsigned tree_fs_of(const struct tree *t, const struct handle *h, struct dry_node found)
{
	unsigned fs = 0;

	/* It is one of them: the tree consists of what is mounted. */
	while (fs + 1 < t->nfs && h->fs[fs] != found.fs)
		fs++;
	return fs;
}

struct node *tree_find(struct tree *t, const struct handle *h, struct dry_node found)
{
	const unsigned fs = tree_fs_of(t, h, found);
	struct node *n;

	if (t->root.fs == fs && t->root.ino == found.ino)
		return &t->root;
	pthread_mutex_lock(&t->lock);
	for (n = t->buckets[bucket_of(t->nbuckets, fs, found.ino)]; n && (n->fs != fs || n->ino != found.ino); n = n->next)
		;
	pthread_mutex_unlock(&t->lock);
	return n;
}

void tree_detach(struct tree *t, struct node *n)
{
	if (n == &t->root)
		return;
	pthread_mutex_lock(&t->lock);
	table_remove(t, n);
	pthread_mutex_unlock(&t->lock);
}

int tree_entry(struct tree *t, struct handle *h, struct dry_node found, bool count, struct fuse_entry_param *out,
	       struct dry_error *e)
{
	struct dry_stat st;
	struct node *n;
	int rc = dry_node_stat(h->g, found, &st, e);

	if (rc < 0)
		return rc;
	*out = (struct fuse_entry_param){ .attr_timeout = tree_attr_timeout(t), .entry_timeout = entry_timeout(t) };
	stat_show(t, &st, &out->attr);
	if (!count)
		return 0;
	pthread_mutex_lock(&t->lock);
	n = table_get(t, tree_fs_of(t, h, found), found.ino, &out->attr);
	if (n)
		n->lookups++;
	pthread_mutex_unlock(&t->lock);
	if (!n) {
		*e = (struct dry_error){ .code = DRY_NOMEM, .msg = "out of memory" };
		return -DRY_NOMEM;
	}
	out->ino = n == &t->root ? FUSE_ROOT_ID : (fuse_ino_t)(uintptr_t)n;
	return 0;
}

void tree_forget(struct tree *t, fuse_ino_t ino, uint64_t count)
{
	struct node *n = tree_node(t, ino);

	if (n == &t->root)
		return;
	pthread_mutex_lock(&t->lock);
	n->lookups -= MIN_OF(count, n->lookups);
	if (n->lookups == 0) {
		table_remove(t, n);
	} else {
		n = NULL;
	}
	pthread_mutex_unlock(&t->lock);
	if (n) {
		window_unref(n->window);
		free(n->hidden);
		free(n);
	}
}

void tree_fail(struct tree *t, fuse_req_t req, const struct dry_error *e)
{
	/* What is simply not there is no news. */
	if (t->how->opts->verbose && e->code != DRY_NOT_FOUND)
		guest_say(t->how->ref, "%s", e->msg);
	t->f->fuse_reply_err(req, mount_errno(e));
}

/* ---- opening ---- */

int tree_open(struct tree *t, const struct tree_how *how)
{
	struct guest_ref *ref = how->ref;
	struct dry_error e = { .code = DRY_OK };
	struct handle *first = &t->handles[0];
	struct dry_node root;
	struct dry_stat st;

	*t = (struct tree){
		.how = how,
		.f = how->server.f,
		.change = how->change,
		.moving = how->change || how->live,
		.nbuckets = 1024,
	};
	pthread_mutex_init(&t->lock, NULL);
	for (size_t i = 0; i < STRIPES; i++)
		pthread_mutex_init(&t->stripes[i], NULL);
	for (size_t i = 0; i < HANDLES_MAX && i <= ref->nmore; i++, t->nhandles++) {
		pthread_mutex_init(&t->handles[i].lock, NULL);
		t->handles[i].g = i ? ref->more[i - 1] : ref->guest;
	}
	t->buffers = buffers_new();
	t->buckets = alloc_array(t->nbuckets, sizeof *t->buckets);
	if (!t->buffers || !t->buckets) {
		guest_say(ref, "out of memory");
		return EXIT_FAILED;
	}
	first->state = HANDLE_READY;
	if (!handle_look(t, first, &e) || dry_guest_lookup(first->g, "/", true, &root, &e) < 0 ||
	    dry_node_stat(first->g, root, &st, &e) < 0)
		return guest_fail(ref, &e);
	t->root_dev = st.dev;
	t->root = (struct node){ .fs = 0, .ino = root.ino, .lookups = 1 };
	stat_show(t, &st, &t->root.st);
	if (how->change || how->live || !handles_are_cheap(first->g))
		t->nhandles = 1;
	/* What cannot be looked at anew is better told now. */
	if (how->live && (mounts_keep(t, &e) < 0 || look_again(t, first, &e) < 0))
		return guest_fail(ref, &e);
	return EXIT_DONE;
}

void tree_close(struct tree *t)
{
	for (size_t i = 0; t->buckets && i < t->nbuckets; i++) {
		for (struct node *n = t->buckets[i], *next; n; n = next) {
			next = n->next;
			window_unref(n->window);
			free(n->hidden);
			free(n);
		}
	}
	window_unref(t->root.window);
	mounts_free(t);
	free(t->buckets);
	buffers_free(t->buffers);
}
