/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * journal_files.c - all files of a guest's journal as one stream.
 *
 * A machine has a folder of its own in /var/log/journal, with files of the system and of users, present and archived ones
 * whose order is not in their names.  Entries are put in order as journalctl does: by their numbers where two files count
 * together, else by the time since boot where it is the same boot, else by the clock.  The same entry in two files is one.
 */
#include "journal.h"
#include "logs.h"

#include "alloc.h"
#include "limits.h"
#include "text.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#define FOLDER "/var/log/journal"

struct boot {
	uint8_t id[16];
};

struct journals {
	struct log_stream base;
	struct log_open how;
	struct journal_tools tools;
	struct journal *files;
	size_t nfiles;
	struct journal **heap; /* those that have an entry, the first of which is at [0] */
	size_t nheap;
	struct log_fields fields;
	struct journal_key last; /* what was given before */
	uint8_t last_seqnum_id[16];
	bool filters_boot;
	uint8_t boot[16];
	char boot_text[33];
};

/* ---- order ---- */

static int by_number(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/*
 * It is no order in the strict sense (clocks are set, and three files can be in a circle); then some order is as good as
 * another, and a heap still gives each entry once.
 */
static int journal_order(const struct journal *a, const struct journal *b)
{
	int rc = 0;

	if (memcmp(a->seqnum_id, b->seqnum_id, 16) == 0)
		rc = by_number(a->key.seqnum, b->key.seqnum);
	if (rc == 0 && memcmp(a->key.boot, b->key.boot, 16) == 0)
		rc = by_number(a->key.monotonic, b->key.monotonic);
	if (rc == 0)
		rc = by_number(a->key.realtime, b->key.realtime);
	if (rc == 0)
		rc = by_number(a->key.xor_hash, b->key.xor_hash);
	return rc ? rc : by_number(a->id, b->id);
}

static void heap_down(struct journals *s, size_t i)
{
	for (;;) {
		size_t least = i, child = 2 * i + 1;

		for (size_t k = child; k < child + 2 && k < s->nheap; k++)
			if (journal_order(s->heap[k], s->heap[least]) < 0)
				least = k;
		if (least == i)
			return;
		struct journal *j = s->heap[i];

		s->heap[i] = s->heap[least];
		s->heap[least] = j;
		i = least;
	}
}

/* ---- the stream ---- */

/* Tells of a file once. */
static int told(struct journals *s, struct journal *j, const struct err *why, struct err *e)
{
	if (why->code != ERR_NOMEM && j->told)
		return 0;
	j->told = true;
	return log_failed(s->how.walk, j->path, why, e);
}

/* The next entry of one file that can be had: 1, or 0 at its end. */
static int file_next(struct journals *s, struct journal *j, struct err *e)
{
	for (;;) {
		struct err why = ERR_INIT;
		int rc = journal_next(j, &why);

		if (rc >= 0)
			return rc;
		rc = told(s, j, &why, e);
		if (rc != 0)
			return rc;
		if (why.code != ERR_CORRUPT)
			return 0;
	}
}

static bool same_entry(const struct journals *s, const struct journal *j)
{
	const struct journal_key *a = &s->last, *b = &j->key;

	return a->monotonic == b->monotonic && a->realtime == b->realtime && a->xor_hash == b->xor_hash &&
	       memcmp(a->boot, b->boot, sizeof a->boot) == 0 &&
	       (memcmp(s->last_seqnum_id, j->seqnum_id, 16) != 0 || a->seqnum == b->seqnum);
}

/* Moves the first file of the heap on. */
static int heap_advance(struct journals *s, struct err *e)
{
	int rc = file_next(s, s->heap[0], e);

	if (rc < 0)
		return rc;
	if (rc == 0) {
		s->heap[0] = s->heap[--s->nheap];
		if (s->nheap == 0)
			return 0;
	}
	heap_down(s, 0);
	return 0;
}

static int journals_next(struct log_stream *base, struct err *e)
{
	struct journals *s = (struct journals *)base;

	while (s->nheap) {
		const struct journal *j = s->heap[0];
		bool wanted = !same_entry(s, j) && (!s->filters_boot || memcmp(j->key.boot, s->boot, 16) == 0);

		if (wanted) {
			s->last = j->key;
			memcpy(s->last_seqnum_id, j->seqnum_id, 16);
			base->usec = (int64_t)j->key.realtime;
			return 1;
		}
		int rc = heap_advance(s, e);

		if (rc < 0)
			return rc;
	}
	return 0;
}

/* What journalctl takes for the unit of an entry, and in which entries. */
static const struct {
	const char *field, *only, *with;
} unit_fields[] = {
	{ "UNIT", "_PID", "1" },
	{ "COREDUMP_UNIT", "_UID", "0" },
	{ "OBJECT_SYSTEMD_UNIT", "_UID", "0" },
	{ "_SYSTEMD_UNIT", NULL, NULL },
	{ "_SYSTEMD_USER_UNIT", NULL, NULL },
	{ "USER_UNIT", NULL, NULL },
};

static const char *unit_field(const struct log_fields *f, size_t i)
{
	const char *only = unit_fields[i].only ? log_fields_get(f, unit_fields[i].only, NULL) : NULL;

	if (unit_fields[i].only && (!only || strcmp(only, unit_fields[i].with) != 0))
		return NULL;
	return log_fields_get(f, unit_fields[i].field, NULL);
}

bool journal_unit_is(const struct log_fields *f, const char *pattern)
{
	for (size_t i = 0; i < ARRAY_LEN(unit_fields); i++) {
		const char *unit = unit_field(f, i);

		if (unit && fnmatch(pattern, unit, 0) == 0)
			return true;
	}
	return false;
}

static const char *either(const struct log_fields *f, const char *a, const char *b)
{
	const char *v = log_fields_get(f, a, NULL);

	return v ? v : log_fields_get(f, b, NULL);
}

static void hex(const uint8_t *id, char out[33])
{
	for (size_t i = 0; i < 16; i++)
		snprintf(out + 2 * i, 3, "%02x", id[i]);
}

static int journals_entry(struct log_stream *base, struct log_entry *out, struct err *e)
{
	struct journals *s = (struct journals *)base;
	struct journal *j = s->heap[0];
	const struct log_fields *f = &s->fields;
	struct err why = ERR_INIT;
	const char *text;
	uint64_t usec;
	int rc;

	log_fields_reset(&s->fields);
	rc = journal_fields(j, &s->fields, &why);
	if (rc < 0) {
		rc = told(s, j, &why, e);
		if (rc != 0)
			return rc;
		if (f->n == 0)
			return 0;
	}
	hex(j->key.boot, s->boot_text);
	*out = (struct log_entry){
		.source = LOG_JOURNAL,
		.path = j->path,
		.usec = base->usec,
		.priority = -1,
		.host = log_fields_get(f, "_HOSTNAME", NULL),
		.identifier = either(f, "SYSLOG_IDENTIFIER", "_COMM"),
		.pid = either(f, "_PID", "SYSLOG_PID"),
		.boot = s->boot_text,
		.fields = f,
	};
	out->message = log_fields_get(f, "MESSAGE", &out->message_len);
	if (!out->message) {
		out->message = "";
		out->message_len = 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(unit_fields) && !out->unit; i++)
		out->unit = unit_field(f, i);
	text = log_fields_get(f, "PRIORITY", NULL);
	if (text && text[0] >= '0' && text[0] <= '7' && !text[1])
		out->priority = text[0] - '0';
	/* When it was written, where that is known; else when it was received. */
	text = log_fields_get(f, "_SOURCE_REALTIME_TIMESTAMP", NULL);
	if (text && text_parse_u64(text, &usec) && usec > 0 && usec < INT64_MAX)
		out->usec = (int64_t)usec;
	return 1;
}

static void journals_close(struct log_stream *base)
{
	struct journals *s = (struct journals *)base;

	for (size_t i = 0; i < s->nfiles; i++)
		journal_close(&s->files[i]);
	free(s->files);
	free(s->heap);
	journal_tools_free(&s->tools);
	log_fields_free(&s->fields);
	free(s);
}

static const struct log_driver journals_driver = { journals_next, journals_entry, journals_close };

/* ---- which files ---- */

struct search {
	struct journals *s;
	const char *folder;
	unsigned depth;
};

static bool is_journal_name(const char *name)
{
	size_t len = strlen(name);

	return (len > 8 && strcmp(name + len - 8, ".journal") == 0) || (len > 9 && strcmp(name + len - 9, ".journal~") == 0);
}

static int file_add(struct journals *s, const char *path, struct err *e)
{
	struct journal *files;
	struct guest_file f;
	int rc = guest_file_find(s->how.vfs, path, &f, e);

	if (rc <= 0)
		return rc;
	if (s->nfiles == LIMIT_LOG_FILES) {
		const struct err why = { .code = ERR_LIMIT, .msg = "there are too many journals; the others are left out" };

		rc = log_failed(s->how.walk, FOLDER, &why, e);
		return rc ? rc : 1;
	}
	files = alloc_resize(s->files, s->nfiles + 1, sizeof *files);
	if (!files)
		return err_nomem(e);
	s->files = files;
	files[s->nfiles] = (struct journal){ .f = f, .id = (unsigned)s->nfiles, .path = alloc_strdup(path) };
	return files[s->nfiles++].path ? 0 : err_nomem(e);
}

static int search_folder(struct search *q, struct err *e);

static int search_entry(void *arg, const struct vfs_dirent *d, struct err *e)
{
	struct search *q = arg;
	CLEANUP(free_ptr) char *path = alloc_printf("%s/%s", q->folder, d->name);
	struct search inner = { q->s, path, q->depth + 1 };

	if (!path)
		return err_nomem(e);
	if (is_journal_name(d->name))
		return file_add(q->s, path, e);
	return q->depth == 0 && vfs_is_dir(q->s->how.vfs, path) ? search_folder(&inner, e) : 0;
}

/* Two deep at most: the folder, and one for each machine. */
static int search_folder(struct search *q, struct err *e)
{
	struct vfs_node n;
	int rc = vfs_lookup(q->s->how.vfs, q->folder, true, &n, e);

	return rc < 0 ? rc : vfs_readdir(q->s->how.vfs, n, true, search_entry, q, e);
}

/* Opens all files and puts those that have an entry in the heap; afterwards the first entry is the first file's. */
static int journals_rewind(struct journals *s, uint64_t last, struct err *e)
{
	s->nheap = 0;
	memset(&s->last, 0, sizeof s->last);
	for (size_t i = 0; i < s->nfiles; i++) {
		struct journal *j = &s->files[i];
		struct err why = ERR_INIT;
		int rc;

		*j = (struct journal){ .f = j->f, .tools = &s->tools, .path = j->path, .id = j->id, .told = j->told };
		rc = journal_open(j, &why);
		if (rc == 0 && last)
			rc = journal_skip(j, last, &why);
		if (rc < 0) {
			rc = told(s, j, &why, e);
			if (rc != 0)
				return rc;
			continue;
		}
		rc = file_next(s, j, e);
		if (rc < 0)
			return rc;
		if (rc > 0)
			s->heap[s->nheap++] = j;
	}
	for (size_t i = s->nheap; i-- > 0;)
		heap_down(s, i);
	return 0;
}

/* ---- boots ---- */

/* All boots by the first entry of each; *boots is the caller's to free. */
static int boots_list(struct journals *s, struct boot **boots, size_t *n, struct err *e)
{
	size_t cap = 0;
	int rc = 0;

	*boots = NULL;
	*n = 0;
	while ((rc = journals_next(&s->base, e)) > 0) {
		struct boot *more, b;
		size_t i = *n;

		memcpy(b.id, s->last.boot, sizeof b.id);
		/* Nearly always it is the newest. */
		while (i && memcmp((*boots)[i - 1].id, b.id, sizeof b.id) != 0)
			i--;
		if (i)
			continue;
		if (*n == LIMIT_JOURNAL_BOOTS)
			return err_set(e, ERR_LIMIT, "%s: more than %d boots", FOLDER, LIMIT_JOURNAL_BOOTS);
		if (*n == cap) {
			cap = cap ? cap * 2 : 64;
			more = alloc_resize(*boots, cap, sizeof *more);
			if (!more)
				return err_nomem(e);
			*boots = more;
		}
		(*boots)[(*n)++] = b;
	}
	return rc;
}

static bool parse_boot_id(const char *text, uint8_t id[16])
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;

	for (; *text && n < 32; text++) {
		const char *p = strchr(digits, *text >= 'A' && *text <= 'F' ? *text + 0x20 : *text);

		if (*text == '-')
			continue;
		if (!p)
			return false;
		id[n / 2] = (uint8_t)(n % 2 ? id[n / 2] << 4 | (p - digits) : p - digits);
		n++;
	}
	return n == 32 && !*text;
}

static int boot_choose(struct journals *s, const char *boot, struct err *e)
{
	CLEANUP(free_ptr) struct boot *boots = NULL;
	bool back = boot[0] == '-' || strcmp(boot, "0") == 0;
	uint64_t number;
	size_t n;
	int rc;

	if (!parse_boot_id(boot, s->boot)) {
		if (!text_parse_u64(boot[0] == '-' || boot[0] == '+' ? boot + 1 : boot, &number))
			return err_set(e, ERR_USAGE, "\"%s\" is neither the ID nor the number of a boot", boot);
		rc = boots_list(s, &boots, &n, e);
		if (rc < 0)
			return rc;
		if (back ? number >= n : number > n)
			return err_set(e, ERR_NOT_FOUND, "there is no boot %s among the %zu of the journal", boot, n);
		memcpy(s->boot, boots[back ? n - 1 - number : number - 1].id, sizeof s->boot);
	}
	s->filters_boot = true;
	return 0;
}

int journal_collect(const struct log_open *how, struct log_streams *out, struct err *e)
{
	const struct log_query *q = how->query;
	struct journals *s = alloc_zero(sizeof *s);
	struct search search = { s, FOLDER, 0 };
	bool all = !q->has_since && !q->has_until && !q->nunits && q->max_priority < 0 && !q->boot;
	struct err why = ERR_INIT;
	int rc;

	if (!s)
		return err_nomem(e);
	s->base.drv = &journals_driver;
	s->how = *how;
	s->fields = (struct log_fields)LOG_FIELDS_INIT;
	rc = vfs_is_dir(how->vfs, FOLDER) ? search_folder(&search, &why) : 0;
	if (rc < 0)
		rc = log_failed(how->walk, FOLDER, &why, e);
	if (rc >= 0 && s->nfiles == 0 && !q->boot) {
		journals_close(&s->base);
		return 0;
	}
	if (rc >= 0)
		rc = journal_tools_init(&s->tools, e);
	if (rc == 0) {
		s->heap = alloc_array(s->nfiles + 1, sizeof *s->heap);
		rc = s->heap ? journals_rewind(s, all ? q->last : 0, e) : err_nomem(e);
	}
	if (rc == 0 && q->boot) {
		rc = boot_choose(s, q->boot, e);
		if (rc == 0)
			rc = journals_rewind(s, 0, e);
	}
	if (rc < 0) {
		journals_close(&s->base);
		return rc;
	}
	return log_streams_add(out, &s->base, e);
}
