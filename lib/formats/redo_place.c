/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "redo_place.h"

#include "alloc.h"
#include "digest.h"
#include "io.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdio.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define SYSTEM_STATE "/var/lib/drydock"

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

char *redo_sibling(const char *path, const char *name)
{
	return alloc_printf("%.*s%s", (int)(base_of(path) - path), path, name);
}

bool redo_name_is_journal(const char *path)
{
	const char *base = base_of(path);
	size_t len = strlen(base), suffix = strlen(REDO_SUFFIX);

	return *base == '.' && len > suffix + 1 && strcmp(base + len - suffix, REDO_SUFFIX) == 0;
}

bool redo_name_is_record(const char *path)
{
	return text_starts(base_of(path), REDO_RECORD_PREFIX, NULL);
}

/* ---- where ---- */

struct block *redo_host_of(struct block *image)
{
	/* Ends: down a tree of finite depth. */
	while (image->file)
		image = image->file;
	return block_host_fd(image) >= 0 ? image : NULL;
}

void redo_place_free(struct redo_place *p)
{
	free(p->path);
	for (size_t i = 0; i < p->njournals; i++)
		free(p->journals[i]);
	*p = (struct redo_place){ .path = NULL };
}

/* The path of what is open, links resolved.  Without /proc, that of the name it was opened by.  *out NULL: it has none. */
static int real_path(const struct block *host, char **out, struct err *e)
{
	char link[40], to[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof link, "/proc/self/fd/%d", block_host_fd(host));
	n = readlink(link, to, sizeof to - 1);
	if (n <= 0 || to[0] != '/') {
		*out = realpath(block_name(host), NULL);
		return !*out && errno == ENOMEM ? err_nomem(e) : 0;
	}
	to[n] = '\0';
	*out = alloc_strdup(to);
	return *out ? 0 : err_nomem(e);
}

/* What a block device is called wherever it turns up: the device mapper's own name, else its numbers. */
static void device_key(const struct stat *st, char *key, size_t size)
{
	char path[80], uuid[160];
	CLEANUP(close_fd) int fd = -1;
	size_t got = 0;

	snprintf(path, sizeof path, "/sys/dev/block/%u:%u/dm/uuid", major(st->st_rdev), minor(st->st_rdev));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && io_read(fd, uuid, sizeof uuid - 1, &got) == 0 && got > 1) {
		uuid[got] = '\0';
		snprintf(key, size, "dm:%s", uuid);
	} else {
		snprintf(key, size, "dev:%u:%u", major(st->st_rdev), minor(st->st_rdev));
	}
}

static void hash_name(const char *key, char out[64])
{
	char text[DIGEST_TEXT];
	struct digest d;

	digest_start(&d, DIGEST_SHA256);
	digest_add(&d, key, strlen(key));
	digest_end(&d, text);
	snprintf(out, 64, ".%.32s%s", text, REDO_SUFFIX);
}

/* The folder of state of who runs us; *out NULL: none is known. */
static int own_state(char **out, struct err *e)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	*out = NULL;
	if (state && *state == '/')
		*out = alloc_printf("%s/drydock", state);
	else if (geteuid() == 0)
		*out = alloc_strdup(SYSTEM_STATE);
	else if (home && *home == '/')
		*out = alloc_printf("%s/.local/state/drydock", home);
	else
		return 0;
	return *out ? 0 : err_nomem(e);
}

int redo_state_folders(char *out[2], struct err *e)
{
	int rc = own_state(&out[0], e);

	out[1] = rc == 0 ? alloc_strdup(SYSTEM_STATE) : NULL;
	return rc == 0 && !out[1] ? err_nomem(e) : rc;
}

static int add_place(struct redo_place *p, char *path, struct err *e)
{
	if (!path)
		return err_nomem(e);
	p->journals[p->njournals++] = path;
	return 0;
}

static int places_fill(struct redo_place *p, bool beside, const char *key, struct err *e)
{
	CLEANUP(free_ptr) char *state = NULL;
	const char *base = base_of(p->path);
	char hashed[64];
	int rc = own_state(&state, e);

	hash_name(key, hashed);
	if (rc == 0 && beside) {
		CLEANUP(free_ptr) char *name = alloc_printf(".%s%s", base, REDO_SUFFIX);

		rc = add_place(p, name ? redo_sibling(p->path, strlen(name) <= NAME_MAX ? name : hashed) : NULL, e);
	}
	if (rc == 0 && state)
		rc = add_place(p, alloc_printf("%s/%s", state, hashed), e);
	if (rc == 0 && (!state || strcmp(state, SYSTEM_STATE) != 0))
		rc = add_place(p, alloc_printf("%s/%s", SYSTEM_STATE, hashed), e);
	return rc;
}

int redo_place_of(struct block *host, struct redo_place *p, struct err *e)
{
	char key[PATH_MAX + 80];
	int fd = block_host_fd(host);
	bool beside;

	*p = (struct redo_place){ .path = NULL };
	if (fd < 0 || io_fstat(fd, &p->st) < 0 || !(S_ISREG(p->st.st_mode) || S_ISBLK(p->st.st_mode)))
		return err_set(e, ERR_UNSUPPORTED, "%s: neither a file nor a block device", block_name(host));
	if (real_path(host, &p->path, e) < 0)
		return -(int)ERR_NOMEM;
	if (!p->path)
		return err_set(e, ERR_UNSUPPORTED, "%s: it cannot be told where it is", block_name(host));
	beside = S_ISREG(p->st.st_mode) && p->st.st_nlink == 1;
	if (S_ISBLK(p->st.st_mode))
		device_key(&p->st, key, sizeof key);
	else if (beside)
		snprintf(key, sizeof key, "path:%s", p->path);
	else
		snprintf(key, sizeof key, "inode:%llu:%llu", (unsigned long long)p->st.st_dev,
			 (unsigned long long)p->st.st_ino);
	return places_fill(p, beside, key, e);
}

int redo_place_image(struct block *host, struct redo_image *out, struct err *e)
{
	int fd = block_host_fd(host);
	struct statx sx;
	struct stat st;

	if (io_fstat(fd, &st) < 0)
		return err_sys(e, errno, "%s", block_name(host));
	out->device = S_ISBLK(st.st_mode);
	out->ino = st.st_ino;
	out->mtime_sec = st.st_mtim.tv_sec;
	out->mtime_nsec = (uint32_t)st.st_mtim.tv_nsec;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &sx) == 0 && sx.stx_mask & STATX_BTIME) {
		out->birth_sec = sx.stx_btime.tv_sec;
		out->birth_nsec = sx.stx_btime.tv_nsec;
	}
	return 0;
}

/* ---- making and removing ---- */

void redo_made_free(struct redo_made *m)
{
	close_fd(&m->fd);
	close_fd(&m->dir);
	free(m->path);
	*m = (struct redo_made)REDO_MADE_INIT;
}

bool redo_hold(int fd)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	/* A filesystem without locks: nobody else can have any there. */
	return fcntl(fd, F_OFD_SETLK, &l) == 0 || (errno != EAGAIN && errno != EACCES);
}

bool redo_is_held(int fd)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_GETLK, &l) == 0 && l.l_type != F_UNLCK;
}

/* The folder that path is in, and its last part. */
static int made_folder(struct redo_made *m, const char *path, struct err *e)
{
	CLEANUP(free_ptr) char *folder = NULL;

	m->path = alloc_strdup(path);
	folder = redo_sibling(path, ".");
	if (!m->path || !folder)
		return err_nomem(e);
	m->name = strrchr(m->path, '/') ? strrchr(m->path, '/') + 1 : m->path;
	m->dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return m->dir < 0 ? err_sys(e, errno, "%s", folder) : 0;
}

static int made_file(struct redo_made *m, mode_t mode, struct err *e)
{
	m->fd = openat(m->dir, m->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (m->fd < 0)
		return err_sys(e, errno, "%s", m->path);
	if (redo_hold(m->fd))
		return 0;
	return err_sys(e, EAGAIN, "%s", m->path);
}

int redo_make_at(const char *path, struct redo_made *m, struct err *e)
{
	int rc = made_folder(m, path, e);

	return rc < 0 ? rc : made_file(m, 0600, e);
}

int redo_make_beside(const struct redo_made *beside, const char *name, struct redo_made *m, struct err *e)
{
	CLEANUP(free_ptr) char *path = redo_sibling(beside->path, name);
	struct stat st;
	int rc = path ? redo_make_at(path, m, e) : err_nomem(e);

	/* Whoever may look at the journal may look at it. */
	if (rc == 0 && io_fstat(beside->fd, &st) == 0) {
		int unused = fchown(m->fd, st.st_uid, st.st_gid) | fchmod(m->fd, st.st_mode & 0666);

		(void)unused;
	}
	return rc;
}

/* The folders of a path beneath the root, as far as they are missing.  What fails the opener tells better. */
static void make_folders(const char *path)
{
	CLEANUP(free_ptr) char *copy = alloc_strdup(path);

	for (char *slash = copy ? strchr(copy + 1, '/') : NULL; slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(copy, 0755);
		*slash = '/';
	}
}

int redo_place_make(const struct redo_place *p, struct redo_made *m, struct err *e)
{
	const bool beside = p->njournals && redo_name_is_journal(p->journals[0]) && S_ISREG(p->st.st_mode) && p->st.st_nlink == 1;
	int rc = -(int)ERR_SYSTEM;

	for (size_t i = 0; i < p->njournals; i++) {
		int why, unused;

		redo_made_free(m);
		if (i > 0 || !beside)
			make_folders(p->journals[i]);
		rc = made_folder(m, p->journals[i], e);
		if (rc == 0)
			rc = made_file(m, 0600, e);
		if (rc == 0) {
			/* Who may read the image may see what is being done to it. */
			unused = fchown(m->fd, p->st.st_uid, p->st.st_gid) | fchmod(m->fd, p->st.st_mode & 0666);
			(void)unused;
			return 0;
		}
		why = e ? e->sys_errno : 0;
		if (why != EACCES && why != EPERM && why != EROFS && why != ENOENT)
			break;
	}
	if (e && e->sys_errno == EEXIST)
		return err_set(e, ERR_SYSTEM, "%s: there is a journal of another change", p->journals[0]);
	return err_in(e, rc, "the journal of a change cannot be made");
}

int redo_remove(const struct redo_made *m, struct err *e)
{
	if (unlinkat(m->dir, m->name, 0) == 0 || errno == ENOENT)
		return 0;
	return err_sys(e, errno, "%s: removing it", m->path);
}

/* ---- what is there already ---- */

/* Whoever may write to the image anyway. */
static bool may_be_theirs(const struct stat *file, const struct stat *image)
{
	if (file->st_uid != 0 && file->st_uid != geteuid() && file->st_uid != image->st_uid)
		return false;
	return !(file->st_mode & ~image->st_mode & (S_IWGRP | S_IWOTH));
}

bool redo_is_trusted(const char *path, const struct stat *image)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISREG(st.st_mode) && may_be_theirs(&st, image);
}

int redo_open_file(const char *path, const struct stat *image, bool write, int *fd, struct err *e)
{
	CLEANUP(close_fd) int f = open(path, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	*fd = -1;
	if (f < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	/* A folder of state of somebody else. */
	if (f < 0 && errno == EACCES && access(path, F_OK) < 0)
		return 0;
	if (f < 0)
		return err_sys(e, errno, "%s", path);
	if (io_fstat(f, &st) < 0)
		return err_sys(e, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_POLICY, "%s: not a file", path);
	if (!may_be_theirs(&st, image))
		return err_set(e, ERR_POLICY, "%s: it belongs to somebody else than the image", path);
	*fd = f;
	f = -1;
	return 0;
}
