/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* windows_media.c - files of an ISO image or a folder with drivers for Windows. */
#include "windows_media.h"

#include "alloc.h"
#include "block.h"
#include "change_tree.h"
#include "io.h"
#include "limits.h"
#include "text.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE (1 * MiB)

struct windows_media {
	int folder;	     /* -1: it is an image */
	struct block *image; /* one reference */
	struct guest guest;  /* of the image's filesystem, mounted when it is first looked at */
	struct change_tree tree;
};

int windows_media_open(const char *path, struct windows_media **out, struct err *e)
{
	struct windows_media *m = alloc_zero(sizeof *m);
	const struct block_open how = { .format = "raw" };
	int rc = 0;

	if (!m)
		return err_nomem(e);
	m->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (m->folder < 0)
		rc = errno == ENOTDIR ? block_open(path, &how, &m->image, e) : err_sys(e, errno, "%s", path);
	if (rc < 0)
		windows_media_close(m);
	else
		*out = m;
	return rc;
}

void windows_media_close(struct windows_media *m)
{
	if (!m)
		return;
	guest_free(&m->guest);
	block_unref(m->image);
	close_fd(&m->folder);
	free(m);
}

/* ---- all files ---- */

typedef int (*file_fn)(void *arg, const char *path, struct err *e);

static int image_mount(struct windows_media *m, struct err *e)
{
	static const struct os none = { .type = NULL };
	struct fs *fs;
	int rc;

	if (m->guest.vfs)
		return 0;
	rc = fs_open(m->image, &fs, e);
	if (rc == 0)
		rc = vfs_new(&m->guest.vfs, e);
	else
		return rc;
	if (rc == 0)
		rc = vfs_mount(m->guest.vfs, fs, "/", e);
	if (rc < 0)
		fs_close(fs);
	change_tree_init_reading(&m->tree, &m->guest, &none);
	return rc;
}

struct image_walk {
	file_fn fn;
	void *arg;
};

static int image_file(void *arg, const char *path, uint32_t type, struct err *e)
{
	const struct image_walk *w = arg;

	return type == S_IFREG ? w->fn(w->arg, path, e) : 0;
}

/* Links to files are followed, those to folders are not: so it ends. */
static int folder_walk(int fd, const char *above, unsigned depth, file_fn fn, void *arg, struct err *e)
{
	DIR *d = fdopendir(fd);
	struct dirent *x;
	int rc = d ? 0 : err_sys(e, errno, "%s", above);

	if (!d) {
		close(fd);
		return rc;
	}
	if (depth > LIMIT_TREE_DEPTH)
		rc = err_set(e, ERR_LIMIT, "folders lie more than %d deep", LIMIT_TREE_DEPTH);
	while (rc == 0 && (errno = 0, x = readdir(d))) {
		CLEANUP(free_ptr) char *path = NULL;
		struct stat st;
		int below;

		if (strcmp(x->d_name, ".") == 0 || strcmp(x->d_name, "..") == 0)
			continue;
		path = alloc_printf("%s/%s", above, x->d_name);
		if (!path) {
			rc = err_nomem(e);
		} else if (fstatat(dirfd(d), x->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode)) {
			below = openat(dirfd(d), x->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
			rc = below < 0 ? err_sys(e, errno, "%s", path) : folder_walk(below, path, depth + 1, fn, arg, e);
		} else if (fstatat(dirfd(d), x->d_name, &st, 0) == 0 && S_ISREG(st.st_mode)) {
			rc = fn(arg, path, e);
		}
	}
	if (rc == 0 && errno)
		rc = err_sys(e, errno, "%s", above);
	closedir(d);
	return rc;
}

static int each_file(struct windows_media *m, file_fn fn, void *arg, struct err *e)
{
	struct image_walk w = { fn, arg };
	int fd, rc;

	if (m->folder < 0) {
		rc = image_mount(m, e);
		return rc < 0 ? rc : tree_walk_types(&m->tree.tree, "/", image_file, &w, e);
	}
	fd = openat(m->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_sys(e, errno, "the folder of drivers") : folder_walk(fd, "", 0, fn, arg, e);
}

int windows_media_copy(struct windows_media *m, const char *path, struct tree *t, const char *to, struct err *e)
{
	static const struct tree_owner owner = { .mode = 0755 };
	CLEANUP(free_ptr) uint8_t *piece = alloc_bytes(PIECE);
	CLEANUP(close_fd) int fd = -1;
	uint64_t off = 0, file;
	size_t got = 0;
	int rc = piece ? tree_make_parents(t, to, e) : err_nomem(e);

	if (rc == 0 && m->folder >= 0) {
		fd = openat(m->folder, path + 1, O_RDONLY | O_CLOEXEC);
		rc = fd < 0 ? err_sys(e, errno, "%s", path) : 0;
	}
	if (rc == 0)
		rc = t->ops->create(t, to, &owner, &file, e);
	do {
		int why = 0;

		if (rc == 0 && fd < 0)
			rc = m->tree.tree.ops->pread(&m->tree.tree, path, piece, PIECE, off, &got, e);
		else if (rc == 0)
			why = io_pread(fd, piece, PIECE, off, &got);
		if (why)
			return err_sys(e, why, "%s", path);
		if (rc == 0 && got)
			rc = t->ops->pwrite(t, file, piece, got, off, e);
		off += got;
	} while (rc == 0 && got == PIECE);
	return rc;
}

/* ---- which are for a Windows ---- */

/* Names of versions in paths, for each Windows from the best to one that does, too; a name has a second form with "win". */
static const struct {
	unsigned major, minor;
	const char *osinfo; /* as os.osinfo begins */
	const char *names[6];
} versions[] = {
	{ 5, 1, "winxp", { "xp" } },
	{ 5, 2, "win2k3", { "2k3" } },
	{ 6, 0, "winvista", { "vista", "2k8" } },
	{ 6, 0, "win2k8", { "2k8" } },
	{ 6, 1, "win7", { "w7" } },
	{ 6, 1, "win2k8r2", { "2k8r2", "w7" } },
	{ 6, 2, "win8", { "w8" } },
	{ 6, 2, "win2k12", { "2k12", "w8" } },
	{ 6, 3, "win8.1", { "w8.1", "w8" } },
	{ 6, 3, "win2k12r2", { "2k12r2", "w8.1", "2k12" } },
	{ 10, 0, "win10", { "w10" } },
	{ 10, 0, "win11", { "w11", "w10" } },
	{ 10, 0, "win2k16", { "2k16", "w10" } },
	{ 10, 0, "win2k19", { "2k19", "2k16", "w10" } },
	{ 10, 0, "win2k22", { "2k22", "2k19", "2k16", "w11" } },
	{ 10, 0, "win2k25", { "2k25", "2k22", "2k19", "2k16" } },
};

/* A component of a path, as a version's name: "w10" or "win10", "2k16" or "win2016", with any letters. */
static bool is_version(const char *word, size_t len, const char *name)
{
	char long_name[16];

	if (len == strlen(name) && strncasecmp(word, name, len) == 0)
		return true;
	if (strncmp(name, "2k", 2) == 0) /* 2k12r2: win2012r2, 2k8: win2008 */
		snprintf(long_name, sizeof long_name, "win20%s%s", isdigit((unsigned char)name[3]) ? "" : "0", name + 2);
	else
		snprintf(long_name, sizeof long_name, "win%s", name + (*name == 'w'));
	return len == strlen(long_name) && strncasecmp(word, long_name, len) == 0;
}

static bool is_arch(const char *word, size_t len, const char *arch)
{
	static const struct {
		const char *arch, *word;
	} words[] = { { "i386", "x86" }, { "i386", "i386" }, { "x86_64", "amd64" }, { "x86_64", "x64" }, { "aarch64", "arm64" } };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(words[i].arch, arch) == 0 && strlen(words[i].word) == len && strncasecmp(words[i].word, word, len) == 0)
			return true;
	return false;
}

/* Folders that differ by the version alone, and the best version that was met there. */
struct family {
	char *path; /* with "*" for the version */
	unsigned best;
};
struct choice {
	const struct os *os;
	const char *const *names;
	struct family *families;
	size_t n;
	int (*fn)(void *arg, const char *path, const char *name, struct err *e);
	void *arg;
};

/* How good a file's version is, from 0, and its family; false: it is for another Windows. */
static bool path_judge(const struct choice *c, const char *path, struct strbuf *family, unsigned *rank)
{
	bool arch = false, version = false;

	for (const char *p = path; *p == '/';) {
		const char *word = p + 1, *end = word + strcspn(word, "/");
		size_t len = (size_t)(end - word);
		bool is_this = false;

		if (!*end)
			break;
		arch |= is_arch(word, len, c->os->arch);
		for (unsigned i = 0; i < 6 && c->names[i] && !version; i++) {
			is_this = is_version(word, len, c->names[i]);
			version = is_this;
			*rank = i;
		}
		strbuf_putc(family, '/');
		if (is_this)
			strbuf_putc(family, '*');
		else
			strbuf_add(family, word, len);
		p = end;
	}
	return arch && version;
}

static struct family *family_find(const struct choice *c, const char *path)
{
	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->families[i].path, path) == 0)
			return &c->families[i];
	return NULL;
}

static int note_file(void *arg, const char *path, struct err *e)
{
	struct choice *c = arg;
	CLEANUP(strbuf_free) struct strbuf where = STRBUF_INIT;
	struct family *f, *more;
	unsigned rank;

	if (!path_judge(c, path, &where, &rank))
		return where.failed ? err_nomem(e) : 0;
	if (where.failed)
		return err_nomem(e);
	f = family_find(c, where.s);
	if (f) {
		f->best = MIN_OF(f->best, rank);
		return 0;
	}
	if (c->n == LIMIT_MEDIA_FOLDERS)
		return err_set(e, ERR_LIMIT, "more than %d folders of drivers", LIMIT_MEDIA_FOLDERS);
	more = alloc_resize(c->families, c->n + 1, sizeof *more);
	if (!more)
		return err_nomem(e);
	c->families = more;
	more[c->n] = (struct family){ strbuf_detach(&where), rank };
	return more[c->n++].path ? 0 : err_nomem(e);
}

/* The last component, in small letters. */
static char *small_name(const char *path)
{
	char *name = alloc_strdup(strrchr(path, '/') + 1);

	for (char *p = name; p && *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return name;
}

static int take_file(void *arg, const char *path, struct err *e)
{
	const struct choice *c = arg;
	CLEANUP(strbuf_free) struct strbuf where = STRBUF_INIT;
	CLEANUP(free_ptr) char *name = NULL;
	const struct family *f;
	unsigned rank;

	if (!path_judge(c, path, &where, &rank))
		return where.failed ? err_nomem(e) : 0;
	f = where.failed ? NULL : family_find(c, where.s);
	name = small_name(path);
	if (where.failed || !name)
		return err_nomem(e);
	return f && f->best == rank ? c->fn(c->arg, path, name, e) : 0;
}

static const char *const *version_names(const struct os *os)
{
	/* A server of a version, and the other of the same: as drivers are made for one and run on both. */
	for (size_t i = 0; i < ARRAY_LEN(versions); i++)
		if (os->osinfo && strcmp(os->osinfo, versions[i].osinfo) == 0)
			return versions[i].names;
	for (size_t i = ARRAY_LEN(versions); i-- > 0 && os->has_version;)
		if (os->major == versions[i].major && os->minor == versions[i].minor)
			return versions[i].names;
	return NULL;
}

int windows_media_drivers(struct windows_media *m, const struct os *os,
			  int (*fn)(void *arg, const char *path, const char *name, struct err *e), void *arg, struct err *e)
{
	struct choice c = { .os = os, .names = version_names(os), .fn = fn, .arg = arg };
	int rc;

	if (!c.names || !os->arch)
		return err_set(e, ERR_UNSUPPORTED, "which Windows this is cannot be told, nor which drivers are for it");
	rc = each_file(m, note_file, &c, e);
	if (rc == 0)
		rc = each_file(m, take_file, &c, e);
	for (size_t i = 0; i < c.n; i++)
		free(c.families[i].path);
	free(c.families);
	return rc;
}

struct agent {
	const char *arch;
	char *path;
};

static int agent_file(void *arg, const char *path, struct err *e)
{
	static const struct {
		const char *arch, *name;
	} names[] = { { "i386", "qemu-ga-i386.msi" },	  { "i386", "qemu-ga-x86.msi" },  { "i386", "rhev-qga.msi" },
		      { "x86_64", "qemu-ga-x86_64.msi" }, { "x86_64", "qemu-ga-x64.msi" }, { "x86_64", "rhev-qga64.msi" } };
	struct agent *a = arg;

	for (size_t i = 0; i < ARRAY_LEN(names) && !a->path; i++) {
		if (strcmp(names[i].arch, a->arch) != 0 || strcasecmp(strrchr(path, '/') + 1, names[i].name) != 0)
			continue;
		a->path = alloc_strdup(path);
		if (!a->path)
			return err_nomem(e);
	}
	return 0;
}

int windows_media_agent(struct windows_media *m, const struct os *os, char **path, char **name, struct err *e)
{
	struct agent a = { .arch = os->arch ? os->arch : "" };
	int rc = each_file(m, agent_file, &a, e);

	*path = a.path;
	*name = a.path ? small_name(a.path) : NULL;
	return rc < 0 ? rc : a.path && !*name ? err_nomem(e) : 0;
}
