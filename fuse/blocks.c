/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blocks.c - the disks of a guest, and what lies on them, as files of their bytes:
 *
 *	disk.raw  (of several disks: sda.raw, sdb.raw ...)
 *	partitions/sda1.raw
 *	volumes/vg-lv.raw  (what is made of others: logical volumes, arrays, what an encrypted volume holds)
 *	snapshots/NAME.raw  (of several disks: snapshots/sda-NAME.raw)
 *
 * Which files there are is settled at the beginning.  Each is an image, which any thread may read and write.
 */
#include "mount.h"

#include "alloc.h"
#include "limits.h"
#include "pool.h"
#include "strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct file {
	char *name;
	size_t folder;		 /* in which it is: its number, from 0; the root is in itself */
	struct dry_image *image; /* NULL: a folder */
	bool write;
};

enum { ROOT, PARTITIONS, VOLUMES, SNAPSHOTS, FOLDERS };

struct blocks {
	const struct blocks_how *how;
	const struct libfuse *f;
	struct file *files; /* the kernel's numbers are from 1 */
	size_t n;
	struct timespec now;
	struct buffers *buffers;
};

static struct blocks *blocks_of(fuse_req_t req)
{
	return libfuse_load(NULL)->fuse_req_userdata(req);
}

static void fail(struct blocks *b, fuse_req_t req, const struct dry_error *e)
{
	b->f->fuse_reply_err(req, mount_errno(e));
}

static void stat_file(const struct blocks *b, size_t i, struct stat *out)
{
	const struct file *f = &b->files[i];
	const mode_t write = f->write ? 0200 : 0;

	*out = (struct stat){
		.st_ino = i + 1,
		.st_mode = f->image ? S_IFREG | 0400 | write : S_IFDIR | 0500,
		.st_nlink = f->image ? 1 : 2,
		.st_size = f->image ? (off_t)dry_image_size(f->image) : 0,
		.st_uid = geteuid(),
		.st_gid = getegid(),
		.st_blksize = 65536,
		.st_atim = b->now,
		.st_mtim = b->now,
		.st_ctim = b->now,
	};
	if (f->image)
		out->st_blocks = (out->st_size + 511) / 512;
	mount_opts_show(b->how->mount, out);
}

/* Sizes do not change, and without -w nothing does. */
static double timeout(const struct blocks *b)
{
	return b->how->mount->attr_timeout >= 0 ? b->how->mount->attr_timeout : 365.0 * 86400;
}

static void lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct blocks *b = blocks_of(req);
	struct fuse_entry_param ent = { .attr_timeout = timeout(b), .entry_timeout = timeout(b) };

	for (size_t i = 1; i < b->n; i++) {
		if (b->files[i].folder == parent - 1 && strcmp(b->files[i].name, name) == 0) {
			ent.ino = i + 1;
			stat_file(b, i, &ent.attr);
		}
	}
	b->f->fuse_reply_entry(req, &ent);
}

static void get_attr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct blocks *b = blocks_of(req);
	struct stat st;

	(void)fi;
	stat_file(b, ino - 1, &st);
	b->f->fuse_reply_attr(req, &st, timeout(b));
}

/* As with a block device: to cut it off at opening has no effect, another size cannot be had, its facts are not ours. */
static void set_attr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi)
{
	struct blocks *b = blocks_of(req);
	struct stat st;

	(void)fi;
	stat_file(b, ino - 1, &st);
	if ((to_set & FUSE_SET_ATTR_SIZE) && attr->st_size != 0 && attr->st_size != st.st_size)
		b->f->fuse_reply_err(req, EINVAL);
	else if (to_set & (FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID))
		b->f->fuse_reply_err(req, EPERM);
	else
		b->f->fuse_reply_attr(req, &st, timeout(b));
}

static void open_file(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct blocks *b = blocks_of(req);

	/* Root, too, is told before it writes. */
	if ((fi->flags & O_ACCMODE) != O_RDONLY && !b->files[ino - 1].write) {
		b->f->fuse_reply_err(req, EROFS);
		return;
	}
	/* One disk is seen in several files: what is written to one is to be read from the other. */
	fi->direct_io = b->how->write;
	fi->keep_cache = !b->how->write;
	b->f->fuse_reply_open(req, fi);
}

static void read_file(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	struct blocks *b = blocks_of(req);
	const uint64_t end = dry_image_size(b->files[ino - 1].image), off = (uint64_t)offset;
	struct dry_error e = { .code = DRY_OK };
	void *buf;

	(void)fi;
	size = off >= end ? 0 : (size_t)MIN_OF(MIN_OF((uint64_t)size, end - off), (uint64_t)BUFFER_SIZE);
	buf = buffers_take(b->buffers);
	if (!buf)
		b->f->fuse_reply_err(req, ENOMEM);
	else if (size && dry_image_read(b->files[ino - 1].image, buf, size, off, &e) < 0)
		fail(b, req, &e);
	else
		b->f->fuse_reply_buf(req, buf, size);
	if (buf)
		buffers_give(b->buffers, buf);
}

static void write_file(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t offset, struct fuse_file_info *fi)
{
	struct blocks *b = blocks_of(req);
	const uint64_t end = dry_image_size(b->files[ino - 1].image), off = (uint64_t)offset;
	struct dry_error e = { .code = DRY_OK };

	(void)fi;
	if (off >= end) {
		b->f->fuse_reply_err(req, ENOSPC);
		return;
	}
	size = (size_t)MIN_OF((uint64_t)size, end - off);
	if (dry_image_write(b->files[ino - 1].image, buf, size, off, &e) < 0)
		fail(b, req, &e);
	else
		b->f->fuse_reply_write(req, size);
}

static void sync_file(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct blocks *b = blocks_of(req);
	struct dry_error e = { .code = DRY_OK };

	(void)datasync;
	(void)fi;
	if (b->how->write && dry_image_flush(b->files[ino - 1].image, &e) < 0)
		fail(b, req, &e);
	else
		b->f->fuse_reply_err(req, 0);
}

static void allocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length, struct fuse_file_info *fi)
{
	struct blocks *b = blocks_of(req);
	struct dry_image *image = b->files[ino - 1].image;
	const uint64_t off = (uint64_t)offset, len = (uint64_t)length, size = dry_image_size(image);
	struct dry_error e = { .code = DRY_OK };
	int rc = 0;

	(void)fi;
	if (off > size || len > size - off) {
		b->f->fuse_reply_err(req, ENOSPC);
		return;
	}
	if (mode == (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE))
		rc = dry_image_zero(image, len, off, DRY_ZERO_UNMAP, &e);
	else if ((mode & ~FALLOC_FL_KEEP_SIZE) == FALLOC_FL_ZERO_RANGE)
		rc = dry_image_zero(image, len, off, 0, &e);
	else if (mode & ~FALLOC_FL_KEEP_SIZE) {
		b->f->fuse_reply_err(req, EOPNOTSUPP);
		return;
	}
	if (rc < 0)
		fail(b, req, &e);
	else
		b->f->fuse_reply_err(req, 0);
}

static void seek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence, struct fuse_file_info *fi)
{
	struct blocks *b = blocks_of(req);
	struct dry_image *image = b->files[ino - 1].image;
	const uint64_t size = dry_image_size(image);
	struct dry_error e = { .code = DRY_OK };
	struct dry_extent x;
	uint64_t at = (uint64_t)off;

	(void)fi;
	if (off < 0 || at >= size) {
		b->f->fuse_reply_err(req, ENXIO);
		return;
	}
	/* It ends: each run has bytes, and at only grows. */
	for (; at < size; at += x.len) {
		if (dry_image_extent(image, MIN_OF(size - at, (uint64_t)LIMIT_REQUEST), at, &x, &e) < 0) {
			fail(b, req, &e);
			return;
		}
		if (!!(x.flags & DRY_EXTENT_ZERO) == (whence == SEEK_HOLE))
			break;
	}
	if (at >= size && whence == SEEK_DATA)
		b->f->fuse_reply_err(req, ENXIO);
	else
		b->f->fuse_reply_lseek(req, (off_t)at);
}

static void read_dir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct blocks *b = blocks_of(req);
	char *buf = buffers_take(b->buffers);
	size_t len = 0;

	(void)fi;
	if (!buf) {
		b->f->fuse_reply_err(req, ENOMEM);
		return;
	}
	size = MIN_OF(size, (size_t)BUFFER_SIZE);
	/* Offsets: 1 behind ".", 2 behind "..", i + 3 behind file i. */
	for (size_t at = (size_t)MAX_OF(off, 0); at < b->n + 2; at++) {
		const char *name = at == 0 ? "." : at == 1 ? ".." : b->files[at - 2].name;
		struct stat st;
		size_t need;

		if (at >= 2 && (at == 2 || b->files[at - 2].folder != ino - 1))
			continue;
		stat_file(b, at < 2 ? ino - 1 : at - 2, &st);
		need = b->f->fuse_add_direntry(req, buf + len, size - len, name, &st, (off_t)at + 1);
		if (need > size - len)
			break;
		len += need;
	}
	b->f->fuse_reply_buf(req, buf, len);
	buffers_give(b->buffers, buf);
}

static void get_xattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct blocks *b = blocks_of(req);
	const char *keeper = b->how->server.early->keeper;

	if (ino == FUSE_ROOT_ID && strcmp(name, SERVER_KEEPER) == 0)
		server_xattr(b->f, req, keeper, strlen(keeper), size);
	else
		b->f->fuse_reply_err(req, ENODATA);
}

static void init(void *userdata, struct fuse_conn_info *conn)
{
	(void)userdata;
	conn->want |= conn->capable & FUSE_CAP_ASYNC_READ;
	conn->max_readahead = BUFFER_SIZE;
	conn->max_background = 64;
	conn->congestion_threshold = 48;
}

static const struct fuse_lowlevel_ops blocks_ops = {
	.init = init,
	.lookup = lookup,
	.getattr = get_attr,
	.setattr = set_attr,
	.open = open_file,
	.read = read_file,
	.write = write_file,
	.fsync = sync_file,
	.fallocate = allocate,
	.lseek = seek,
	.readdir = read_dir,
	.getxattr = get_xattr,
};

/* ---- which files there are ---- */

/* Takes over the image; name is changed where it is no name of a file, or one that is taken. */
static int add(struct blocks *b, size_t folder, struct strbuf *name, struct dry_image *image, bool write, struct dry_error *e)
{
	struct file *files = alloc_resize(b->files, b->n + 1, sizeof *files);
	const size_t base = name->len;
	bool taken = true;

	if (!files || name->failed)
		goto nomem;
	b->files = files;
	for (char *p = name->s; p && *p; p++)
		if (*p == '/')
			*p = '-';
	/* It ends: there are fewer files than numbers. */
	for (size_t n = 2; taken; n++) {
		if (image)
			strbuf_puts(name, ".raw");
		taken = false;
		for (size_t i = 1; i < b->n && !name->failed; i++)
			taken |= b->files[i].folder == folder && strcmp(b->files[i].name, name->s) == 0;
		if (taken) {
			name->len = base;
			strbuf_printf(name, "-%zu", n);
		}
	}
	files[b->n] = (struct file){ .name = name->failed ? NULL : strbuf_detach(name), .folder = folder, .image = image,
				     .write = b->how->write && write };
	if (files[b->n].name) {
		b->n++;
		return 0;
	}
nomem:
	dry_image_close(image);
	*e = (struct dry_error){ .code = DRY_NOMEM, .msg = "out of memory" };
	return -DRY_NOMEM;
}

static const char *without_dev(const char *name)
{
	return strncmp(name, "/dev/", 5) == 0 ? name + 5 : name;
}

static int add_disks(struct blocks *b, struct dry_guest *g, struct dry_error *e)
{
	struct dry_disk d;
	int rc = 0;

	for (size_t i = 0; rc >= 0 && dry_guest_disk(g, i, &d); i++) {
		CLEANUP(strbuf_free) struct strbuf name = STRBUF_INIT;
		struct dry_image *image;

		strbuf_puts(&name, i == 0 && !dry_guest_disk(g, 1, &(struct dry_disk){ 0 }) ? "disk" : without_dev(d.device));
		rc = dry_guest_disk_image(g, i, &image, e);
		if (rc >= 0)
			rc = add(b, ROOT, &name, image, true, e);
	}
	return rc;
}

static int add_volumes(struct blocks *b, struct dry_guest *g, struct dry_error *e)
{
	const struct dry_volume *v;
	size_t n;
	int rc = dry_guest_volumes(g, &v, &n, e);

	for (size_t i = 0; rc >= 0 && i < n; i++) {
		CLEANUP(strbuf_free) struct strbuf name = STRBUF_INIT;
		struct dry_image *image;

		/* A disk without a table is there already; the frame of logical partitions has no content. */
		if (strcmp(v[i].scheme, "disk") == 0 || v[i].extended)
			continue;
		strbuf_puts(&name, without_dev(v[i].name));
		rc = dry_guest_volume_image(g, i, &image, e);
		if (rc >= 0)
			rc = add(b, v[i].number ? PARTITIONS : VOLUMES, &name, image, v[i].writable, e);
	}
	return rc;
}

static int add_snapshots(struct blocks *b, struct dry_error *e)
{
	const struct guest_set *set = b->how->set;
	int rc = 0;

	for (size_t i = 1; rc >= 0 && i < set->nguests; i++) {
		CLEANUP(strbuf_free) struct strbuf name = STRBUF_INIT;
		struct dry_image *image;

		if (!set->guests[i].guest)
			continue;
		strbuf_puts(&name, set->guests[i].label);
		rc = dry_guest_disk_image(set->guests[i].guest, 0, &image, e);
		if (rc >= 0)
			rc = add(b, SNAPSHOTS, &name, image, false, e);
	}
	return rc;
}

static int add_all(struct blocks *b, struct dry_error *e)
{
	static const char *const folders[FOLDERS] = { "", "partitions", "volumes", "snapshots" };
	struct dry_guest *g = b->how->set->guests[0].guest;
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < FOLDERS; i++) {
		CLEANUP(strbuf_free) struct strbuf name = STRBUF_INIT;

		strbuf_puts(&name, folders[i]);
		rc = add(b, ROOT, &name, NULL, false, e);
	}
	if (rc >= 0)
		rc = add_disks(b, g, e);
	if (rc >= 0)
		rc = add_volumes(b, g, e);
	return rc < 0 ? rc : add_snapshots(b, e);
}

/* What was written is on the host's disk, and the images are whole: 0, or the exit status. */
static int finish(struct blocks *b)
{
	const struct guest_ref *ref = &b->how->set->guests[0];
	int status = EXIT_DONE;

	for (size_t i = FOLDERS; b->how->write && i < b->n; i++) {
		struct dry_error e = { .code = DRY_OK };

		if (b->files[i].folder == ROOT && dry_image_finish(b->files[i].image, &e) < 0)
			status = guest_fail(ref, &e);
	}
	return status;
}

int blocks_serve(const struct blocks_how *how)
{
	struct blocks b = { .how = how, .f = how->server.f, .buffers = buffers_new() };
	struct server_how server = how->server;
	struct dry_error e = { .code = DRY_OK };
	int status;

	clock_gettime(CLOCK_REALTIME, &b.now);
	if (!b.buffers) {
		guest_say(&how->set->guests[0], "out of memory");
		status = EXIT_FAILED;
	} else if (add_all(&b, &e) < 0) {
		status = guest_fail(&how->set->guests[0], &e);
	} else {
		server.ops = &blocks_ops;
		server.userdata = &b;
		server.threads = pool_threads() * 2;
		status = server_run(&server);
		status = finish(&b) ? EXIT_FAILED : status;
	}
	for (size_t i = 0; i < b.n; i++) {
		dry_image_close(b.files[i].image);
		free(b.files[i].name);
	}
	free(b.files);
	buffers_free(b.buffers);
	return status;
}
