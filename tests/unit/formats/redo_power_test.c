/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * redo_power_test.c - the power fails during a commit: of each file, what was made stable is there, and of what was written since,
 * all, nothing, or any part.
 */
#include "redo_fixture.h"

enum { FILES = 8, EVENTS = 2000 };

static struct {
	char path[400];
	uint8_t *base; /* what it held when recording began */
	size_t size;
	bool image;
	struct timespec mtime;
} files[FILES];
static struct fault_plan plans[FILES];
static size_t nfiles_seen;

static struct event {
	size_t file;
	enum fault_kind kind;
	uint64_t off, len;
	uint8_t *buf;
} events[EVENTS];
static size_t nevents;

static void record(void *arg, enum fault_kind kind, const void *buf, uint64_t len, uint64_t off)
{
	struct event *ev = &events[nevents++];

	ck_assert_uint_lt(nevents, EVENTS);
	*ev = (struct event){ .file = *(size_t *)arg, .kind = kind, .off = off, .len = len };
	if (buf) {
		ev->buf = malloc(len);
		memcpy(ev->buf, buf, len);
	}
}

static size_t numbers[FILES];

static int wrap(void *arg, struct block **file, struct err *err)
{
	size_t n = nfiles_seen++;
	struct block *over;
	struct stat st;
	int fd;

	ck_assert_uint_lt(n, FILES);
	numbers[n] = n;
	plans[n] = (struct fault_plan){ .record = record, .arg = &numbers[n] };
	snprintf(files[n].path, sizeof files[n].path, "%s", block_name(*file));
	files[n].image = arg != NULL;
	fd = open(files[n].path, O_RDONLY);
	ck_assert_int_eq(fstat(fd, &st), 0);
	files[n].size = (size_t)st.st_size;
	files[n].mtime = st.st_mtim;
	files[n].base = malloc(files[n].size + 1);
	ck_assert_int_eq(pread(fd, files[n].base, files[n].size, 0), st.st_size);
	close(fd);
	ok(block_fault(*file, &plans[n], &over, err));
	over->flags = (*file)->flags;
	block_unref(*file);
	*file = over;
	return 0;
}

static const struct redo_test test = { wrap, NULL };

static void commit_recorded(size_t n, const char *format)
{
	struct block *b[2];
	struct redo *r;

	for (size_t i = 0; i < n; i++) {
		b[i] = open_image(disks[i], format, BLOCK_WRITE | BLOCK_RESIZE);
		ok(wrap(b, &b[i]->file, &e));
	}
	ok(redo_begin_tested(b, n, &test, &r, &e));
	ok(write_change(r, n, &e));
	ok(redo_commit(r, NULL, NULL, NULL, &e));
	/* The files stay: their contents are put in place again and again. */
	r->stuck = true;
	redo_free(r);
	for (size_t i = 0; i < n; i++)
		block_unref(b[i]);
}

static void apply(int fd, const struct event *ev)
{
	struct stat st;
	uint64_t end;

	switch (ev->kind) {
	case FAULT_WRITE:
		ck_assert_int_eq(pwrite(fd, ev->buf, ev->len, (off_t)ev->off), (ssize_t)ev->len);
		break;
	case FAULT_TRUNCATE:
		ck_assert_int_eq(ftruncate(fd, (off_t)ev->len), 0);
		break;
	case FAULT_ZERO:
	case FAULT_DISCARD:
		ck_assert_int_eq(fstat(fd, &st), 0);
		end = ev->off + ev->len;
		if (ev->kind == FAULT_ZERO && end > (uint64_t)st.st_size)
			ck_assert_int_eq(ftruncate(fd, (off_t)end), 0);
		fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)ev->off, (off_t)ev->len);
		break;
	case FAULT_FLUSH:
		break;
	}
}

enum lost { ALL_LOST, NONE_LOST, SOME_LOST, LAST_LOST };

/* The file as it is after a power failure behind the first `cut` events. */
static void restore(size_t f, size_t cut, enum lost lost)
{
	size_t stable = 0, last = 0;
	bool touched = false;
	int fd;

	/* The image stays the same file.  Files that are cut to nothing and written anew are flushed by some filesystems. */
	if (!files[f].image)
		unlink(files[f].path);
	fd = open(files[f].path, O_RDWR | O_CREAT, 0644);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)files[f].size), 0);
	ck_assert_int_eq(pwrite(fd, files[f].base, files[f].size, 0), (ssize_t)files[f].size);
	for (size_t i = 0; i < cut; i++) {
		if (events[i].file == f && events[i].kind == FAULT_FLUSH)
			stable = i;
		if (events[i].file == f)
			last = i;
	}
	for (size_t i = 0; i < cut; i++) {
		bool there = i < stable || lost == NONE_LOST || (lost == SOME_LOST && rand() % 2) ||
			     (lost == LAST_LOST && i != last);

		if (events[i].file != f || !there)
			continue;
		apply(fd, &events[i]);
		touched |= events[i].kind != FAULT_FLUSH;
	}
	if (files[f].image && !touched) {
		const struct timespec times[] = { files[f].mtime, files[f].mtime };

		ck_assert_int_eq(futimens(fd, times), 0);
	}
	close(fd);
}

static bool is_stable(size_t f, size_t cut)
{
	for (size_t i = 0; i < cut; i++)
		if (events[i].file == f && events[i].kind == FAULT_FLUSH)
			return true;
	return false;
}

static void power_fails_anywhere(size_t n, const char *format)
{
	const bool all = getenv("DRYDOCK_TEST_KILLS");
	size_t seen[128] = { 0 };

	make_base(format);
	make_disks(n);
	commit_recorded(n, format);
	ck_assert_uint_gt(nevents, 20);
	srand(3);
	for (size_t cut = 1; cut <= nevents; cut++) {
		/* A part is lost, and one of the other three in turn; or (a longer run) each of them, and parts thrice. */
		for (unsigned round = 0; round < (all ? 6 : 2); round++) {
			enum lost lost = !round ? SOME_LOST : (enum lost)((all ? round : cut) % (SOME_LOST + 2));

			char what[60];

			snprintf(what, sizeof what, "power failure %u", round);
			mkdir("b", 0777);
			/* The record, which is the last file, before the first journal is stable that tells its name. */
			may_stay = n > 1 && !is_stable(n, cut) ? files[nfiles_seen - 1].path : NULL;
			for (size_t f = 0; f < nfiles_seen; f++)
				restore(f, cut, lost);
			seen[(unsigned char)settle(n, format, what, cut)]++;
		}
	}
	ck_assert_uint_gt(seen['o'], 10);
	ck_assert_uint_gt(seen['n'], 10);
}

START_TEST(a_raw_image)
{
	power_fails_anywhere(1, "raw");
}
END_TEST

START_TEST(a_qcow2_image)
{
	power_fails_anywhere(1, "qcow2");
}
END_TEST

START_TEST(two_raw_images)
{
	power_fails_anywhere(2, "raw");
}
END_TEST

START_TEST(two_qcow2_images)
{
	power_fails_anywhere(2, "qcow2");
}
END_TEST

TEST_MAIN("redo_power", a_raw_image, a_qcow2_image, two_raw_images, two_qcow2_images)
