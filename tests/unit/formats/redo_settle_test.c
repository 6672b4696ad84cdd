/* SPDX-License-Identifier: GPL-2.0-or-later */
/* redo_settle_test.c - what the next open makes of a journal: its image as it was, replaced, changed; the journal damaged. */
#include "redo_fixture.h"

#include "ondisk.h"

static char notice[1000];

static void note(void *arg, const char *sentence)
{
	(void)arg;
	snprintf(notice, sizeof notice, "%s", sentence);
}

static int open_noting(const char *path, const char *format, unsigned flags, struct block **out)
{
	struct block_open how = { .format = format, .flags = flags | (flags & BLOCK_WRITE ? BLOCK_UNSAFE : 0), .notice = note };

	notice[0] = '\0';
	return block_open(path, &how, out, &e);
}

/* Opens, looks at one byte, closes. */
static char byte_at(const char *path, unsigned flags, uint64_t off)
{
	struct block *b;
	char c;

	ok(open_noting(path, "raw", flags, &b));
	ok(block_pread(b, &c, 1, off, &e));
	if (flags & BLOCK_WRITE)
		ok(block_finish(b, &e));
	block_unref(b);
	return c;
}

/* The process that changes image a is killed at the nth write of its files; at 4 blocks, from 'o' to 'n'. */
static struct fault_plan plan;
static unsigned long die_at;

static void at_write(void *arg, enum fault_kind kind, const void *buf, uint64_t len, uint64_t off)
{
	(void)arg, (void)kind, (void)buf, (void)len, (void)off;
	if (atomic_load(&plan.nwrites) >= die_at)
		raise(SIGKILL);
}

static void fault_over(struct block **file)
{
	struct block *over;

	plan = (struct fault_plan){ .record = at_write };
	ok(block_fault(*file, &plan, &over, &e));
	over->flags = (*file)->flags;
	block_unref(*file);
	*file = over;
}

static int wrap(void *arg, struct block **file, struct err *err)
{
	(void)arg, (void)err;
	fault_over(file);
	return 0;
}

static void killed_at(const char *path, const char *format, bool journal, unsigned long nth)
{
	static const struct redo_test test = { wrap, NULL };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct block *b = open_image(path, format, BLOCK_WRITE);
		struct redo *r;

		die_at = nth;
		ok(redo_begin_tested(&b, 1, journal ? &test : NULL, &r, &e));
		for (uint64_t i = 0; i < 4; i++)
			fill(redo_disk(r, 0), 'n', 4096, i * 65536);
		if (!journal)
			fault_over(&b->file);
		redo_commit(r, NULL, NULL, NULL, &e);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
}

static void killed_writing_image(unsigned long nth)
{
	killed_at("a", "raw", false, nth);
}

/* 1 the header, 2 to 5 data, 6 and 7 index and flush, 8 and 9 "it counts", 10 "it has begun", 11 and 12 "it is done" */
static void killed_writing_journal(unsigned long nth)
{
	killed_at("a", "raw", true, nth);
}

static void make_a(void)
{
	struct block *b;

	make_image("a", "raw", SIZE);
	b = open_image("a", "raw", BLOCK_WRITE);
	fill(b, 'o', SIZE, 0);
	block_unref(b);
}

static void poke(const char *path, const char *text, off_t off)
{
	int fd = open(path, O_WRONLY);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, text, strlen(text), off), (ssize_t)strlen(text));
	close(fd);
}

START_TEST(a_reader_sees_the_change_and_writes_nothing)
{
	make_a();
	killed_writing_image(3);
	ck_assert_int_eq(byte_at("a", 0, 3 * 65536), 'n');
	ck_assert_str_eq(notice, "a: shown as a change makes it that was interrupted; the next command that writes to it completes "
				 "that");
	ck_assert_int_eq(byte_at("a", 0, 3 * 65536 + 4096), 'o');
	ck_assert(there(".a.drydock-redo"));
	ck_assert_int_eq(byte_at("a", BLOCK_WRITE, 3 * 65536), 'n');
	ck_assert_str_eq(notice, "a: a change that was interrupted is completed now (16384 bytes)");
	ck_assert_uint_eq(nfiles(), 1);
	ck_assert_int_eq(byte_at("a", 0, 0), 'n');
	ck_assert_str_eq(notice, "");
}
END_TEST

START_TEST(a_link_leads_to_the_same_journal)
{
	make_a();
	killed_writing_image(3);
	ck_assert_int_eq(symlink("a", "link"), 0);
	ck_assert_int_eq(byte_at("link", 0, 3 * 65536), 'n');
	ck_assert_int_eq(mkdir("sub", 0777), 0);
	ck_assert_int_eq(byte_at("sub/../link", 0, 3 * 65536), 'n');
	ck_assert_int_eq(rmdir("sub"), 0);
	ck_assert_int_eq(byte_at("link", BLOCK_WRITE, 3 * 65536), 'n');
	ck_assert_uint_eq(nfiles(), 2);
}
END_TEST

START_TEST(an_image_that_was_replaced_is_left_alone)
{
	make_a();
	ck_assert_int_eq(system("cp a new"), 0);
	killed_writing_image(3);
	ck_assert_int_eq(rename("new", "a"), 0);
	ck_assert_int_eq(byte_at("a", 0, 3 * 65536), 'o');
	ck_assert_str_eq(notice, "a: a change that was interrupted is not shown: the image was replaced since");
	ck_assert_int_eq(byte_at("a", BLOCK_WRITE, 0), 'o');
	ck_assert_str_eq(notice, "a: a change that was interrupted is dropped: the image was replaced since");
	ck_assert_uint_eq(nfiles(), 1);
}
END_TEST

START_TEST(an_image_that_was_moved_with_its_journal_is_completed)
{
	make_a();
	killed_writing_image(3);
	ck_assert_int_eq(system("mkdir other && cp a .a.drydock-redo other && rm a .a.drydock-redo"), 0);
	ck_assert_int_eq(byte_at("other/a", 0, 3 * 65536), 'n');
	ck_assert_int_eq(byte_at("other/a", BLOCK_WRITE, 3 * 65536), 'n');
	ck_assert_int_eq(rmdir("other"), -1);
	ck_assert(!there("other/.a.drydock-redo"));
}
END_TEST

START_TEST(an_image_that_was_written_to_before_anything_was_applied_is_left_alone)
{
	make_a();
	killed_writing_journal(10);
	ck_assert_int_eq(byte_at("a", 0, 3 * 65536), 'n');
	poke("a", "x", 500000);
	ck_assert_int_eq(byte_at("a", 0, 3 * 65536), 'o');
	ck_assert_str_eq(notice, "a: a change that was interrupted is not shown: the image was changed since");
	ck_assert_int_eq(byte_at("a", BLOCK_WRITE, 0), 'o');
	ck_assert_str_eq(notice, "a: a change that was interrupted is dropped: the image was changed since");
}
END_TEST

START_TEST(a_change_that_counts_but_has_not_begun_is_completed)
{
	make_a();
	killed_writing_journal(10);
	ck_assert_int_eq(byte_at("a", BLOCK_WRITE, 3 * 65536), 'n');
	ck_assert_str_eq(notice, "a: a change that was interrupted is completed now (16384 bytes)");
}
END_TEST

START_TEST(a_change_that_does_not_count_yet_is_dropped)
{
	make_a();
	killed_writing_journal(7);
	ck_assert_int_eq(byte_at("a", 0, 0), 'o');
	ck_assert_str_eq(notice, "");
	ck_assert_int_eq(byte_at("a", BLOCK_WRITE, 0), 'o');
	ck_assert_str_eq(notice, "a: a change that was interrupted before it counted is dropped");
	ck_assert_uint_eq(nfiles(), 1);
}
END_TEST

START_TEST(a_change_that_is_complete_but_for_its_journal_is_told_so)
{
	make_a();
	killed_writing_journal(12);
	ck_assert_int_eq(byte_at("a", 0, 3 * 65536), 'n');
	ck_assert_str_eq(notice, "");
	ck_assert_int_eq(byte_at("a", BLOCK_WRITE, 3 * 65536), 'n');
	ck_assert_str_eq(notice, "a: the last change of it is complete; what was begun after it, if anything, is dropped");
	ck_assert_uint_eq(nfiles(), 1);
}
END_TEST

START_TEST(a_block_that_somebody_else_wrote_stops_it)
{
	struct block *b;

	make_a();
	killed_writing_image(3);
	poke("a", "x", 3 * 65536 + 10);
	fails(open_noting("a", "raw", 0, &b), ERR_CORRUPT);
	ck_assert_ptr_nonnull(strstr(e.msg, "a: a change of it was interrupted that cannot be shown, and it may hold a "
				     "part of that: the image was changed since, by somebody else (/"));
	ck_assert_int_eq(byte_at("a", BLOCK_FORCE_SHARE, 3 * 65536), 'o');
	ck_assert_ptr_nonnull(strstr(notice, "a: a change of it was interrupted and is not shown: the image was changed since, by "
					     "somebody else"));
	fails(open_noting("a", "raw", BLOCK_WRITE, &b), ERR_CORRUPT);
	ck_assert_ptr_nonnull(strstr(e.msg, "a: a change of it was interrupted and cannot be completed: the image was changed "
				     "since, by somebody else; if the image is right as it is, remove /"));
	ck_assert_int_eq(unlink(".a.drydock-redo"), 0);
	ck_assert_int_eq(byte_at("a", BLOCK_WRITE, 0), 'n');
}
END_TEST

START_TEST(a_change_of_which_nothing_is_left_is_dropped)
{
	make_a();
	killed_writing_image(1);
	poke("a", "x", 3 * 65536 + 10);
	ck_assert_int_eq(byte_at("a", BLOCK_WRITE, 0), 'o');
	ck_assert_str_eq(notice, "a: a change that was interrupted is dropped: the image was changed since");
}
END_TEST

START_TEST(a_block_that_power_cut_in_two_is_completed)
{
	make_a();
	killed_writing_image(3);
	/* The fourth block: its first sector was written. */
	{
		char sector[513];

		memset(sector, 'n', 512);
		sector[512] = '\0';
		poke("a", sector, 3 * 65536);
	}
	ck_assert_int_eq(byte_at("a", BLOCK_WRITE, 3 * 65536 + 4095), 'n');
}
END_TEST

START_TEST(another_format_or_size_is_not_written_to)
{
	struct block_open how = { .format = "luks", .flags = BLOCK_WRITE };
	struct block *b;

	make_a();
	killed_writing_image(3);
	ck_assert_int_eq(truncate("a", SIZE * 2), 0);
	fails(open_noting("a", "raw", BLOCK_WRITE, &b), ERR_CORRUPT);
	ck_assert_ptr_nonnull(strstr(e.msg, "it was opened in another format, or of another size"));
	ck_assert_int_lt(block_open("a", &how, &b, &e), 0);
}
END_TEST

START_TEST(a_journal_of_somebody_else_is_not_obeyed)
{
	struct block *b;

	if (geteuid() != 0)
		return; /* nobody else can be made */
	make_a();
	killed_writing_image(3);
	ck_assert_int_eq(chown(".a.drydock-redo", 12345, 12345), 0);
	ck_assert_int_eq(byte_at("a", 0, 3 * 65536), 'o');
	ck_assert_ptr_nonnull(strstr(notice, "it belongs to somebody else than the image"));
	fails(open_noting("a", "raw", BLOCK_WRITE, &b), ERR_CORRUPT);
	ck_assert_ptr_nonnull(strstr(e.msg, "it belongs to somebody else than the image"));
	/* Their own image is theirs. */
	ck_assert_int_eq(chown("a", 12345, 12345), 0);
	ck_assert_int_eq(byte_at("a", 0, 3 * 65536), 'n');
	ck_assert_int_eq(unlink(".a.drydock-redo"), 0);
	ck_assert_int_eq(symlink("/etc/passwd", ".a.drydock-redo"), 0);
	fails(open_noting("a", "raw", BLOCK_WRITE, &b), ERR_CORRUPT);
	ck_assert_int_eq(unlink(".a.drydock-redo"), 0);
	ck_assert_int_eq(mkfifo(".a.drydock-redo", 0600), 0);
	fails(open_noting("a", "raw", BLOCK_WRITE, &b), ERR_CORRUPT);
}
END_TEST

START_TEST(while_its_owner_lives_it_is_nobody_elses)
{
	struct block *b, *other;
	struct redo *r;

	make_a();
	b = open_image("a", "raw", BLOCK_WRITE);
	ok(redo_begin(&b, 1, &r, &e));
	fill(redo_disk(r, 0), 'n', 4096, 0);
	fails(open_noting("a", "raw", BLOCK_WRITE, &other), ERR_SYSTEM);
	/* Past the locks of the image. */
	fails(open_noting("a", "raw", BLOCK_WRITE | BLOCK_NO_LOCK, &other), ERR_SYSTEM);
	ck_assert_ptr_nonnull(strstr(e.msg, "another process is changing this image"));
	ck_assert_int_eq(byte_at("a", BLOCK_FORCE_SHARE, 0), 'o');
	ck_assert_str_eq(notice, "");
	redo_free(r);
	block_unref(b);
}
END_TEST

/* Any byte of header or index: never more than the image is harmed, and a change counts whole or not at all. */
START_TEST(a_journal_with_any_byte_changed_does_no_harm)
{
	unsigned shown = 0, refused = 0, dropped = 0;
	off_t size;
	struct stat st;

	make_a();
	killed_writing_image(3);
	ck_assert_int_eq(stat(".a.drydock-redo", &st), 0);
	size = st.st_size;
	for (off_t at = 0; at < size; at += at < 150 || at > size - 400 ? 1 : 4093) {
		int fd = open(".a.drydock-redo", O_RDWR);
		uint8_t was, is;
		struct block *b;
		char c;

		ck_assert_int_eq(pread(fd, &was, 1, at), 1);
		is = (uint8_t)(was ^ 0x41);
		ck_assert_int_eq(pwrite(fd, &is, 1, at), 1);
		c = byte_at("a", BLOCK_FORCE_SHARE, 3 * 65536);
		ck_assert(c == 'n' || c == 'o');
		shown += c == 'n';
		refused += c == 'o' && *notice;
		dropped += c == 'o' && !*notice;
		/* As a writer it is not tried where it would be dropped. */
		if (c == 'o' && *notice) {
			fails(open_noting("a", "raw", 0, &b), ERR_CORRUPT);
			fails(open_noting("a", "raw", BLOCK_WRITE, &b), ERR_CORRUPT);
		}
		ck_assert_int_eq(pwrite(fd, &was, 1, at), 1);
		close(fd);
	}
	/* In what nobody looks at; in index and data; in the header. */
	ck_assert_uint_gt(shown, 10);
	ck_assert_uint_gt(refused, 100);
	ck_assert_uint_gt(dropped, 50);
	ck_assert_int_eq(byte_at("a", BLOCK_WRITE, 3 * 65536), 'n');
}
END_TEST

START_TEST(a_snapshot_in_the_image_is_not_of_the_change)
{
	struct block_snapshot what = { .name = (char[]){ "before" } };
	struct block *b;

	make_image("q", "qcow2", SIZE);
	b = open_image("q", "qcow2", BLOCK_WRITE);
	fill(b, 's', SIZE, 0);
	ok(block_snapshot_create(b, &what, &e));
	fill(b, 'o', 4096, 0);
	ok(block_finish(b, &e));
	block_unref(b);
	killed_at("q", "qcow2", false, 1);
	ok(open_noting("q", "qcow2", 0, &b));
	ck_assert(holds(b, 'n', 4096, 0));
	ok(block_snapshot_load(b, "before", &e));
	ck_assert(holds(b, 's', SIZE, 0));
	block_unref(b);
	ok(open_noting("q", "qcow2", BLOCK_WRITE, &b));
	ck_assert(holds(b, 'n', 4096, 0));
	ck_assert(holds(b, 's', 60000, 4096));
	ok(block_snapshot_apply(b, "before", &e));
	ck_assert(holds(b, 's', SIZE, 0));
	ok(block_finish(b, &e));
	block_unref(b);
	ck_assert_uint_eq(nfiles(), 1);
}
END_TEST

START_TEST(a_backing_file_is_read_as_its_change_makes_it)
{
	struct dict o = DICT_INIT;
	struct block *b;

	make_a();
	ok(dict_set(&o, "size", "1048576", &e));
	ok(dict_set(&o, "backing_file", "a", &e));
	ok(dict_set(&o, "backing_fmt", "raw", &e));
	ok(block_create("top", "qcow2", &o, NULL, &e));
	dict_free(&o);
	killed_writing_image(3);
	ok(open_noting("top", "qcow2", BLOCK_WRITE, &b));
	ck_assert_ptr_nonnull(strstr(notice, "/a: shown as a change makes it"));
	ck_assert(holds(b, 'n', 4096, 3 * 65536));
	fill(b, 'x', 10, 3 * 65536);
	ck_assert(holds(b, 'n', 4086, 3 * 65536 + 10));
	block_unref(b);
	/* Left out, nothing of the overlay can be completed; a journal of its own there is none. */
	ok(open_noting("top", "qcow2", BLOCK_NO_BACKING, &b));
	block_unref(b);
	ck_assert(there(".a.drydock-redo"));
}
END_TEST

/* A journal that counts, looked at and completed with each allocation failing in turn. */
START_TEST(memory_that_runs_out_while_it_is_settled_is_an_error)
{
	static const unsigned flags[] = { 0, BLOCK_WRITE };

	make_a();
	killed_writing_image(3);
	for (size_t k = 0; k < ARRAY_LEN(flags); k++) {
		int rc = -1;

		for (unsigned long nth = 1; rc < 0; nth++) {
			struct block_open how = { .format = "raw", .flags = flags[k] };
			struct block *b = NULL;
			bool hit;

			alloc_fault_at(nth);
			rc = block_open("a", &how, &b, &e);
			hit = alloc_fault_hit();
			alloc_fault_at(0);
			/* What is looked for only to be removed may stay. */
			ck_assert_msg(rc == 0 || (hit && rc == -(int)ERR_NOMEM), "allocation %lu: %d (%s)", nth, rc, e.msg);
			if (rc == 0)
				ck_assert(holds(b, 'n', 4096, 3 * 65536));
			block_unref(b);
		}
	}
	ck_assert_uint_eq(nfiles(), 1);
}
END_TEST

START_TEST(memory_that_runs_out_in_a_change_leaves_old_or_new)
{
	int rc = -1;

	for (unsigned long nth = 1; rc < 0; nth++) {
		bool decided = false;
		struct redo *r = NULL;
		struct block *b;

		make_a();
		b = open_image("a", "raw", BLOCK_WRITE);
		alloc_fault_at(nth);
		rc = redo_begin(&b, 1, &r, &e);
		if (rc == 0)
			rc = redo_keep_undo(r, "u", &e);
		if (rc == 0)
			rc = block_pwrite(redo_disk(r, 0), (char[5000]){ 'n' }, 5000, 0, &e);
		if (rc == 0)
			rc = redo_commit(r, NULL, NULL, &decided, &e);
		redo_free(r);
		alloc_fault_at(0);
		block_unref(b);
		ck_assert_int_eq(byte_at("a", BLOCK_WRITE, 0), decided ? 'n' : 'o');
		ck_assert_uint_eq(nfiles(), decided ? 2 : 1);
		unlink("u");
		unlink("a");
	}
}
END_TEST

TEST_MAIN("redo_settle", a_reader_sees_the_change_and_writes_nothing, a_link_leads_to_the_same_journal,
	  an_image_that_was_replaced_is_left_alone,
	  an_image_that_was_moved_with_its_journal_is_completed, a_change_that_counts_but_has_not_begun_is_completed,
	  a_change_that_does_not_count_yet_is_dropped, a_change_that_is_complete_but_for_its_journal_is_told_so,
	  an_image_that_was_written_to_before_anything_was_applied_is_left_alone,
	  a_block_that_somebody_else_wrote_stops_it, a_change_of_which_nothing_is_left_is_dropped,
	  a_block_that_power_cut_in_two_is_completed, another_format_or_size_is_not_written_to,
	  a_journal_of_somebody_else_is_not_obeyed, while_its_owner_lives_it_is_nobody_elses,
	  a_journal_with_any_byte_changed_does_no_harm, a_snapshot_in_the_image_is_not_of_the_change,
	  a_backing_file_is_read_as_its_change_makes_it, memory_that_runs_out_while_it_is_settled_is_an_error,
	  memory_that_runs_out_in_a_change_leaves_old_or_new)
