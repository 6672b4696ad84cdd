/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * posix_tool.c - does a filesystem what another one does, that of the host?
 *
 * usage: posix fsx FILE SEED N             N random reads, writes, cuts, holes, rooms and mappings of a file against a copy in
 *                                          memory; also with O_APPEND and O_DIRECT
 *        posix stress DIR MODEL SEED N     N random calls, each in DIR and in MODEL, empty folders of two filesystems
 *        posix users DIR MODEL SEED N      the same as several users: who may do what, and what becomes of modes; for root
 *        posix many DIR MODEL SEED N P     P processes: each does N such calls in folders of its own, and N more in a folder of DIR
 *                                          that all share, where nothing but their answers' sense is judged
 *
 * What two calls answer must be the same, and so the facts of both files afterwards.  The exit status is 0, or 1 with a sentence,
 * which names the seed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static uint64_t state, seed;

static uint32_t draw(uint32_t below)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 33) % below;
}

__attribute__((format(printf, 1, 2), noreturn)) static void wrong(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, " (seed %llu)\n", (unsigned long long)seed);
	exit(1);
}

/* ---- one file ---- */

#define FSX_SIZE (256u << 10)
#define DIRECT_ALIGN 4096u

static unsigned char model[FSX_SIZE];
static _Alignas(DIRECT_ALIGN) unsigned char got[FSX_SIZE];
static size_t model_size;

/* The model is so long, with zeros where there was nothing. */
static void model_reach(size_t end)
{
	if (end > model_size) {
		memset(model + model_size, 0, end - model_size);
		model_size = end;
	}
}

static void fsx_write(int fd, unsigned step, size_t off, size_t n)
{
	for (size_t i = 0; i < n; i++)
		got[i] = (unsigned char)draw(256);
	if (pwrite(fd, got, n, (off_t)off) != (ssize_t)n)
		wrong("step %u: pwrite: %s", step, strerror(errno));
	model_reach(off);
	memcpy(model + off, got, n);
	if (off + n > model_size)
		model_size = off + n;
}

/* By another descriptor, that appends. */
static void fsx_append(const char *path, unsigned step, size_t n)
{
	int fd = open(path, O_WRONLY | O_APPEND);

	if (fd < 0)
		wrong("step %u: open to append: %s", step, strerror(errno));
	if (n > FSX_SIZE - model_size)
		n = FSX_SIZE - model_size;
	for (size_t i = 0; i < n; i++)
		got[i] = (unsigned char)draw(256);
	if (write(fd, got, n) != (ssize_t)n || close(fd) != 0)
		wrong("step %u: appending: %s", step, strerror(errno));
	memcpy(model + model_size, got, n);
	model_size += n;
}

/* Past the kernel's memory, where it lets us. */
static void fsx_direct(const char *path, unsigned step, size_t off, size_t n, bool writes)
{
	int fd = open(path, O_RDWR | O_DIRECT);

	off -= off % DIRECT_ALIGN;
	n += DIRECT_ALIGN - n % DIRECT_ALIGN;
	if (n > FSX_SIZE - off)
		n = FSX_SIZE - off;
	if (fd < 0)
		return;
	if (writes) {
		fsx_write(fd, step, off, n);
	} else {
		const size_t there = off >= model_size ? 0 : n < model_size - off ? n : model_size - off;
		const ssize_t r = pread(fd, got, n, (off_t)off);

		if (r != (ssize_t)there || memcmp(got, model + off, there) != 0)
			wrong("step %u: what is read past the cache differs, %zd of %zu bytes", step, r, there);
	}
	close(fd);
}

static void fsx_allocate(int fd, unsigned step, size_t off, size_t n)
{
	static const int modes[] = { 0,
				     FALLOC_FL_KEEP_SIZE,
				     FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				     FALLOC_FL_ZERO_RANGE,
				     FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE };
	const int mode = modes[draw(sizeof modes / sizeof *modes)];

	if (fallocate(fd, mode, (off_t)off, (off_t)n) != 0) {
		if (errno == EOPNOTSUPP) /* not every filesystem has it */
			return;
		wrong("step %u: fallocate %d: %s", step, mode, strerror(errno));
	}
	if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE) && off < model_size)
		memset(model + off, 0, off + n < model_size ? n : model_size - off);
	if (!(mode & FALLOC_FL_KEEP_SIZE))
		model_reach(off + n);
}

static void fsx_map(int fd, unsigned step, size_t off)
{
	unsigned char *p;

	if (!model_size)
		return;
	p = mmap(NULL, model_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		wrong("step %u: mmap: %s", step, strerror(errno));
	if (memcmp(p, model, model_size) != 0)
		wrong("step %u: what is mapped differs", step);
	for (size_t i = off % model_size, k = 0; i < model_size && k < 5000; i++, k++)
		p[i] = model[i] = (unsigned char)draw(256);
	if (draw(2) && msync(p, model_size, MS_SYNC) != 0)
		wrong("step %u: msync: %s", step, strerror(errno));
	munmap(p, model_size);
}

static void fsx_step(int fd, const char *path, unsigned step)
{
	const size_t off = draw(FSX_SIZE), len = 1 + draw(32 << 10), room = FSX_SIZE - off;
	const size_t n = len < room ? len : room;
	size_t from = 0, there;
	struct stat st;
	ssize_t r;

	switch (draw(10)) {
	case 0:
	case 1:
		fsx_write(fd, step, off, n);
		break;
	case 2:
		if (ftruncate(fd, (off_t)off) != 0)
			wrong("step %u: ftruncate: %s", step, strerror(errno));
		model_reach(off);
		model_size = off;
		break;
	case 3:
	case 4:
		fsx_allocate(fd, step, off, n);
		break;
	case 5:
		fsx_map(fd, step, off);
		break;
	case 6:
		fsx_append(path, step, n);
		break;
	case 7:
		fsx_direct(path, step, off, n, draw(2));
		break;
	default:
		break;
	}
	/* A part, and now and then all of it. */
	if (draw(16))
		from = draw(FSX_SIZE);
	there = from < model_size ? model_size - from : 0;
	if (from && there > n)
		there = n;
	r = pread(fd, got, from ? n : FSX_SIZE, (off_t)from);
	if (fstat(fd, &st) != 0 || (size_t)st.st_size != model_size)
		wrong("step %u: the size is %lld, not %zu", step, (long long)st.st_size, model_size);
	if (r != (ssize_t)there || memcmp(got, model + from, there) != 0)
		wrong("step %u: what is read at %zu differs, %zd of %zu bytes", step, from, r, there);
}

static int fsx(const char *path, unsigned n)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (fd < 0)
		wrong("%s: %s", path, strerror(errno));
	for (unsigned i = 0; i < n; i++) {
		fsx_step(fd, path, i);
		if (draw(20) == 0) {
			if (close(fd) != 0 || (fd = open(path, O_RDWR)) < 0)
				wrong("step %u: again: %s", i, strerror(errno));
		}
	}
	/* For who wants to compare it later. */
	if (fsync(fd) != 0 || close(fd) != 0)
		wrong("closing: %s", strerror(errno));
	if (fwrite(model, 1, model_size, stdout) != model_size)
		wrong("what it should be cannot be written");
	return 0;
}

/* ---- two folders ---- */

static int dirs[2];
static bool users;

/* Few names, so that they meet; some in folders that may be there or not. */
static void name(char *out)
{
	static const char *const names[] = { "a", "b", "c", "d", "a/a", "a/b", "b/a", "b/c", "a/b/c", "c/d", "d/a/b", "e" };

	strcpy(out, names[draw(sizeof names / sizeof *names)]);
}

static int act(int dir, unsigned what, const char *a, const char *b, uint32_t x, uint32_t y)
{
	static const char bytes[3000] = "some bytes";
	int fd, rc, saved;

	switch (what) {
	case 0:
	case 1:
		fd = openat(dir, a,
			    O_CREAT | O_WRONLY | O_NONBLOCK | (x & 1 ? O_EXCL : 0) | (x & 2 ? O_TRUNC : 0) | (x & 4 ? O_APPEND : 0),
			    y & 0777);
		if (fd < 0)
			return -errno;
		rc = write(fd, bytes, x % 3000) < 0 ? -errno : 0;
		/* Without its name it is still there. */
		if (x % 5 == 0 && rc == 0 && unlinkat(dir, a, 0) == 0 && write(fd, bytes, 10) != 10)
			rc = -errno;
		saved = rc;
		return close(fd) == 0 ? saved : -errno;
	case 2:
	case 3:
		return mkdirat(dir, a, y & 0777) == 0 ? 0 : -errno;
	case 4:
		return unlinkat(dir, a, 0) == 0 ? 0 : -errno;
	case 5:
		return unlinkat(dir, a, AT_REMOVEDIR) == 0 ? 0 : -errno;
	case 6:
	case 7:
		return renameat(dir, a, dir, b) == 0 ? 0 : -errno;
	case 8:
		return renameat2(dir, a, dir, b, x & 1 ? RENAME_NOREPLACE : RENAME_EXCHANGE) == 0 ? 0 : -errno;
	case 9:
		return linkat(dir, a, dir, b, 0) == 0 ? 0 : -errno;
	case 10:
		return symlinkat(x & 1 ? "a" : "nowhere", dir, a) == 0 ? 0 : -errno;
	case 11:
		return fchmodat(dir, a, x & 07777, 0) == 0 ? 0 : -errno;
	case 12: {
		const struct timespec times[2] = { { (time_t)x, 5 }, { (time_t)y, 7 } };

		return utimensat(dir, a, times, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : -errno;
	}
	case 13:
		fd = openat(dir, a, O_WRONLY | O_NONBLOCK);
		if (fd < 0)
			return -errno;
		rc = ftruncate(fd, x % 9000) == 0 ? 0 : -errno;
		close(fd);
		return rc;
	case 14:
		return mknodat(dir, a, S_IFIFO | (y & 0777), 0) == 0 ? 0 : -errno;
	case 15:
		if (users && fchownat(dir, a, x % 3 ? 1000 + x % 3 : 0, y % 3 ? 1000 + y % 3 : 0, AT_SYMLINK_NOFOLLOW) != 0)
			return -errno;
		return 0;
	case 16: {
		DIR *d;
		int n = 0;

		fd = openat(dir, a, O_RDONLY | O_DIRECTORY | O_NONBLOCK);
		d = fd < 0 ? NULL : fdopendir(fd);
		if (!d)
			return -errno;
		while (readdir(d))
			n++;
		closedir(d);
		return n;
	}
	default:
		fd = openat(dir, a, O_RDONLY | O_NONBLOCK);
		if (fd < 0)
			return -errno;
		rc = x & 1 ? fsetxattr(fd, "user.test", &y, sizeof y, x & 2 ? XATTR_CREATE : x & 4 ? XATTR_REPLACE : 0) :
			     fremovexattr(fd, "user.test");
		rc = rc == 0 ? 0 : -errno;
		close(fd);
		return rc;
	}
}

static void compare(unsigned step, const char *path)
{
	struct stat st[2];
	int rc[2];

	for (int i = 0; i < 2; i++)
		rc[i] = fstatat(dirs[i], path, &st[i], AT_SYMLINK_NOFOLLOW) == 0 ? 0 : errno;
	if (rc[0] != rc[1])
		wrong("step %u: stat of %s: %s, in the model %s", step, path, strerror(rc[0]), strerror(rc[1]));
	if (rc[0])
		return;
	if (st[0].st_mode != st[1].st_mode)
		wrong("step %u: the mode of %s is %o, in the model %o", step, path, st[0].st_mode, st[1].st_mode);
	/* Where folders have no links of their entries, they have one. */
	if (st[0].st_nlink != st[1].st_nlink && !(S_ISDIR(st[0].st_mode) && (st[0].st_nlink == 1 || st[1].st_nlink == 1)))
		wrong("step %u: links of %s: %u, in the model %u", step, path, (unsigned)st[0].st_nlink, (unsigned)st[1].st_nlink);
	if (!S_ISDIR(st[0].st_mode) && st[0].st_size != st[1].st_size)
		wrong("step %u: the size of %s is %lld, in the model %lld", step, path, (long long)st[0].st_size,
		      (long long)st[1].st_size);
	if (users && (st[0].st_uid != st[1].st_uid || st[0].st_gid != st[1].st_gid))
		wrong("step %u: %s is of %u:%u, in the model of %u:%u", step, path, st[0].st_uid, st[0].st_gid, st[1].st_uid,
		      st[1].st_gid);
}

static void become(uint32_t who)
{
	const gid_t none[] = { 1001 };

	if (seteuid(0) != 0 || setgroups(who == 2 ? 1 : 0, none) != 0 || setegid(who ? 1000 + who : 0) != 0 ||
	    seteuid(who ? 1000 + who : 0) != 0)
		wrong("users cannot be changed: %s", strerror(errno));
}

static int stress(unsigned n)
{
	umask(0);
	for (unsigned i = 0; i < n; i++) {
		const unsigned what = draw(18);
		const uint32_t x = draw(1u << 20), y = draw(1u << 20), who = users ? draw(3) : 0;
		char a[20], b[20];
		int rc[2];

		name(a);
		name(b);
		if (users)
			become(who);
		for (int k = 0; k < 2; k++) {
			rc[k] = act(dirs[k], what, a, b, x, y);
			/* Of a folder that is not empty, XFS says it so. */
			if (rc[k] == -EEXIST && (what == 6 || what == 7))
				rc[k] = -ENOTEMPTY;
		}
		if (users)
			become(0);
		if (rc[0] != rc[1])
			wrong("step %u: call %u of %s, %s with %u, %u as %u: %d (%s), in the model %d (%s)", i, what, a, b, x, y,
			      who, rc[0], rc[0] < 0 ? strerror(-rc[0]) : "", rc[1], rc[1] < 0 ? strerror(-rc[1]) : "");
		compare(i, a);
		compare(i, b);
	}
	return 0;
}

/* ---- several processes ---- */

/* Where all act at once, any answer will do that such calls have; a filesystem that is broken has others. */
static void crowd(int dir, unsigned n)
{
	static const int known[] = { ENOENT, EEXIST, ENOTDIR, EISDIR,  ENOTEMPTY, EINVAL, ENXIO,  ENODATA,
				     ELOOP,  EPERM,  EACCES,  EMLINK, EBUSY,	 ESTALE, EOPNOTSUPP };

	for (unsigned i = 0; i < n; i++) {
		const unsigned what = draw(18);
		const uint32_t x = draw(1u << 20), y = draw(1u << 20);
		char a[20], b[20];
		bool fine;
		int rc;

		name(a);
		name(b);
		rc = act(dir, what, a, b, x, y);
		fine = rc >= 0;
		for (size_t k = 0; k < sizeof known / sizeof *known && !fine; k++)
			fine = rc == -known[k];
		if (!fine)
			wrong("step %u: call %u of %s, %s: %s", i, what, a, b, strerror(-rc));
	}
}

static int in_folder(int dir, const char *what)
{
	int fd;

	if (mkdirat(dir, what, 0777) != 0 && errno != EEXIST)
		wrong("%s: %s", what, strerror(errno));
	fd = openat(dir, what, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		wrong("%s: %s", what, strerror(errno));
	return fd;
}

static int many(unsigned n, unsigned processes)
{
	const int shared = in_folder(dirs[0], "shared");
	int status, worst = 0;

	umask(0);
	for (unsigned p = 0; p < processes; p++) {
		const pid_t pid = fork();
		char own[20];

		if (pid < 0)
			wrong("a process: %s", strerror(errno));
		if (pid)
			continue;
		seed += p;
		state = seed;
		snprintf(own, sizeof own, "p%u", p);
		for (int i = 0; i < 2; i++)
			dirs[i] = in_folder(dirs[i], own);
		stress(n);
		crowd(shared, n);
		_exit(0);
	}
	while (wait(&status) > 0)
		if (status)
			worst = 1;
	return worst;
}

int main(int argc, char **argv)
{
	const bool one = argc == 5 && strcmp(argv[1], "fsx") == 0, several = argc == 7 && strcmp(argv[1], "many") == 0;

	if (!one && !several && (argc != 6 || (strcmp(argv[1], "stress") != 0 && strcmp(argv[1], "users") != 0))) {
		fprintf(stderr, "usage: posix fsx FILE SEED N | stress|users DIR MODEL SEED N | many DIR MODEL SEED N PROCESSES\n");
		return 2;
	}
	state = seed = strtoull(argv[one ? 3 : 4], NULL, 0);
	if (one)
		return fsx(argv[2], (unsigned)strtoul(argv[4], NULL, 0));
	users = strcmp(argv[1], "users") == 0;
	for (int i = 0; i < 2; i++) {
		dirs[i] = open(argv[2 + i], O_RDONLY | O_DIRECTORY | O_NONBLOCK);
		if (dirs[i] < 0)
			wrong("%s: %s", argv[2 + i], strerror(errno));
	}
	if (several)
		return many((unsigned)strtoul(argv[5], NULL, 0), (unsigned)strtoul(argv[6], NULL, 0));
	return stress((unsigned)strtoul(argv[5], NULL, 0));
}
