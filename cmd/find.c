/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * find.c - drydock find: the files of guests that pass all tests.
 *
 * The tests are those of find(1), as options.  Patterns and types that are given twice are passed by what passes either.
 */
#include "alloc.h"
#include "guest_entry.h"
#include "guest_run.h"
#include "limits.h"
#include "out.h"
#include "text.h"

#include <fnmatch.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

/* Text is handed on when there is this much of it. */
#define TEXT_PIECE (64u << 10)

/* "+N", "-N", "N": more than, less than, exactly. */
struct bound {
	enum { BOUND_NONE, BOUND_MORE, BOUND_LESS, BOUND_EXACT } kind;
	uint64_t n;
};

/* Larger than, and smaller than. */
enum { SIZES_MAX = 2 };

struct find {
	struct guest_opts guest;
	/* as given */
	struct opt_list names, inames, paths, types, sizes;
	const char *mtime, *atime, *ctime, *newer, *older, *perm, *user, *group, *links;
	uint64_t min_depth, max_depth;
	bool empty, one_fs, long_lines, human, json, null, xattrs;
	/* as understood */
	struct bound size[SIZES_MAX], days[3], nlinks;
	bool has_newer, has_older;
	int64_t now, newer_than, older_than;
	enum { PERM_NONE, PERM_EXACT, PERM_ALL, PERM_ANY } perm_kind;
	uint32_t perm_bits;
	char letters[16]; /* of types; "": all */
	struct guest_set *set;
	struct json j; /* around what guests print */
};

/* The work on one guest. */
struct search {
	const struct find *c;
	struct guest_ref *ref;
	struct entry_style style;
	struct strbuf text;
	struct json j;
	struct bound owner, group; /* a name is another number in another guest */
	int status;
};

/* ---- tests ---- */

static bool within(struct bound b, uint64_t n)
{
	switch (b.kind) {
	case BOUND_MORE:
		return n > b.n;
	case BOUND_LESS:
		return n < b.n;
	case BOUND_EXACT:
		return n == b.n;
	case BOUND_NONE:
		break;
	}
	return true;
}

/* Whole days, as find counts them; what lies in the future is 0 days old. */
static uint64_t days_ago(int64_t now, int64_t then)
{
	uint64_t seconds = then < now ? (uint64_t)now - (uint64_t)then : 0;

	return seconds / 86400;
}

static bool any_matches(const struct opt_list *patterns, const char *text, int flags)
{
	for (size_t i = 0; i < patterns->n; i++)
		if (fnmatch(patterns->items[i], text, flags) == 0)
			return true;
	return false;
}

static const char *name_of(const struct dry_entry *ent)
{
	const char *slash = strrchr(ent->path, '/');

	return ent->depth ? ent->name : slash && slash[1] ? slash + 1 : ent->path;
}

static bool name_matches(const struct find *c, const struct dry_entry *ent)
{
	const char *name = name_of(ent);

	if (!c->names.n && !c->inames.n)
		return true;
	return any_matches(&c->names, name, 0) || any_matches(&c->inames, name, FNM_CASEFOLD);
}

static bool type_matches(const struct find *c, uint32_t mode)
{
	static const struct {
		uint32_t bits;
		char letter;
	} types[] = { { S_IFREG, 'f' }, { S_IFDIR, 'd' }, { S_IFLNK, 'l' }, { S_IFCHR, 'c' },
		      { S_IFBLK, 'b' }, { S_IFIFO, 'p' }, { S_IFSOCK, 's' } };

	for (size_t i = 0; i < ARRAY_LEN(types) && c->letters[0]; i++)
		if (types[i].bits == (mode & S_IFMT))
			return strchr(c->letters, types[i].letter) != NULL;
	return !c->letters[0];
}

static bool perm_matches(const struct find *c, uint32_t mode)
{
	switch (c->perm_kind) {
	case PERM_EXACT:
		return (mode & 07777) == c->perm_bits;
	case PERM_ALL:
		return (mode & c->perm_bits) == c->perm_bits;
	case PERM_ANY:
		return (mode & c->perm_bits) || !c->perm_bits;
	case PERM_NONE:
		break;
	}
	return true;
}

static bool times_match(const struct find *c, const struct dry_stat *st)
{
	const struct dry_time times[] = { st->mtime, st->atime, st->ctime };

	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		if (c->days[i].kind != BOUND_NONE && !within(c->days[i], days_ago(c->now, times[i].sec)))
			return false;
	return (!c->has_newer || st->mtime.sec >= c->newer_than) && (!c->has_older || st->mtime.sec < c->older_than);
}

static int found_one(void *arg, const struct dry_entry *ent)
{
	if (!ent->depth)
		return DRY_WALK_ON;
	*(bool *)arg = true;
	return DRY_WALK_STOP;
}

static int not_told(void *arg, const char *path, const struct dry_error *why)
{
	(void)arg;
	(void)path;
	(void)why;
	return 0;
}

/* The walk comes to what is in a directory later, and to what cannot be read then. */
static bool is_empty(struct search *s, const struct dry_entry *ent)
{
	bool any = false;
	const struct dry_walk walk = { .max_depth = 1, .fn = found_one, .failed = not_told, .arg = &any };
	struct dry_error e;

	if (S_ISREG(ent->stat.mode))
		return ent->stat.size == 0;
	return S_ISDIR(ent->stat.mode) && dry_guest_walk(s->ref->guest, ent->path, &walk, &e) >= 0 && !any;
}

static bool passes(struct search *s, const struct dry_entry *ent)
{
	const struct find *c = s->c;
	const struct dry_stat *st = &ent->stat;

	return ent->depth >= c->min_depth && type_matches(c, st->mode) && name_matches(c, ent) &&
	       (!c->paths.n || any_matches(&c->paths, ent->path, 0)) && within(c->size[0], st->size) &&
	       within(c->size[1], st->size) && within(s->owner, st->uid) && within(s->group, st->gid) &&
	       within(c->nlinks, st->nlink) && perm_matches(c, st->mode) && times_match(c, st) && (!c->empty || is_empty(s, ent));
}

/* ---- walking ---- */

static int visit(void *arg, const struct dry_entry *ent)
{
	struct search *s = arg;
	const struct find *c = s->c;

	if (!passes(s, ent))
		return DRY_WALK_ON;
	if (c->json)
		entry_json(&s->style, ent, &s->j);
	else if (c->long_lines)
		entry_line(&s->style, ent, ent->path, &s->text);
	else if (c->null)
		strbuf_puts(&s->text, ent->path);
	else
		out_guest(&s->text, ent->path);
	if (!c->json)
		strbuf_putc(&s->text, c->null ? '\0' : '\n');
	if (s->text.len >= TEXT_PIECE && guest_out(s->ref, &s->text)) {
		s->status = EXIT_FAILED;
		return DRY_WALK_STOP;
	}
	return DRY_WALK_ON;
}

static int visit_failed(void *arg, const char *path, const struct dry_error *why)
{
	struct search *s = arg;

	(void)path; /* the sentence names it */
	guest_fail(s->ref, why);
	s->status = EXIT_FAILED;
	return 0;
}

/*
 * Owners: a number, or a name that the guest's file knows ("name:x:NUMBER:..."), of which a megabyte is looked at.  false
 * with a sentence told: there is no such name.
 */
static bool look_up_owner(struct search *s, struct dry_guest *g, const char *name, const char *file, struct bound *out)
{
	CLEANUP(free_ptr) char *text = NULL;
	struct dry_error e = { .code = DRY_OK };
	struct dry_node n;
	size_t got = 0, len = name ? strlen(name) : 0;

	out->kind = name ? BOUND_EXACT : BOUND_NONE;
	if (!name || text_parse_u64(name, &out->n))
		return true;
	text = alloc_bytes(LIMIT_FSTAB_BYTES + 1);
	if (!text || dry_guest_lookup(g, file, true, &n, &e) < 0 ||
	    dry_node_read(g, n, text, LIMIT_FSTAB_BYTES, 0, &got, &e) < 0)
		got = 0;
	if (text)
		text[got] = '\0';
	/* Ends: each line begins behind the last. */
	for (char *line = got ? text : NULL; line; line = strchr(line, '\n')) {
		char *id;

		line += *line == '\n';
		if (strncmp(line, name, len) != 0 || line[len] != ':')
			continue;
		id = line + len + 1;
		id += strcspn(id, ":\n");
		if (*id++ != ':')
			continue;
		id[strcspn(id, ":\n")] = '\0';
		if (text_parse_u64(id, &out->n))
			return true;
		break;
	}
	guest_say(s->ref, "%s: there is no \"%s\"", file, name);
	return false;
}

static void search_item(struct search *s, const struct guest_item *item)
{
	const struct find *c = s->c;
	const char *path = item->path ? item->path : "/";
	struct dry_guest *g = guest_ready(&c->guest, c->set, item->guest);
	struct dry_error e = { .code = DRY_OK };
	const struct dry_walk walk = {
		.one_fs = c->one_fs,
		.max_depth = c->max_depth < DRY_DEPTH_ALL ? (unsigned)c->max_depth : DRY_DEPTH_ALL,
		.fn = visit,
		.failed = visit_failed,
		.arg = s,
	};

	if (!g || !look_up_owner(s, g, c->user, "/etc/passwd", &s->owner) ||
	    !look_up_owner(s, g, c->group, "/etc/group", &s->group)) {
		s->status = EXIT_FAILED;
		return;
	}
	if (c->json) {
		json_object(&s->j, NULL);
		json_str(&s->j, "image", s->ref->label);
		json_str(&s->j, "path", path);
		json_array(&s->j, "entries");
	} else if (c->set->nguests > 1 && !c->null) {
		strbuf_printf(&s->text, "%s%s:\n", item == c->set->items ? "" : "\n", s->ref->label);
	}
	if (dry_guest_walk(g, path, &walk, &e) < 0) {
		guest_fail(s->ref, &e);
		s->status = EXIT_FAILED;
	}
	if (c->json) {
		json_array_end(&s->j);
		json_object_end(&s->j);
	}
	s->status |= guest_out(s->ref, &s->text);
}

static int search_guest(void *arg, struct guest_ref *ref, const struct guest_item *items, size_t n)
{
	const struct find *c = arg;
	struct search s = {
		.c = c,
		.ref = ref,
		.style = { .ref = ref, .human = c->human, .xattrs = c->xattrs },
		.text = STRBUF_INIT,
	};

	s.j = guest_json(&c->j, &s.text);
	for (size_t i = 0; i < n; i++)
		search_item(&s, &items[i]);
	strbuf_free(&s.text);
	return s.status || s.style.failed ? EXIT_FAILED : EXIT_DONE;
}

static int show(struct find *c, struct guest_set *s)
{
	struct guest_run run = { .opts = &c->guest, .set = s, .work = search_guest, .arg = c };

	c->set = s;
	return guest_run_list(&run, c->json, &c->j);
}

/* ---- options ---- */

/* A bound on a number, or on a size with a suffix. */
static bool parse_bound(const char *text, bool is_size, struct bound *out)
{
	const char *digits = text + (*text == '+' || *text == '-');

	out->kind = *text == '+' ? BOUND_MORE : *text == '-' ? BOUND_LESS : BOUND_EXACT;
	return is_size ? text_parse_size(digits, &out->n) : text_parse_u64(digits, &out->n);
}

/* "2024-02-29", "2024-02-29 12:00", "2024-02-29T12:00:00", local time; "@1709164800". */
static bool parse_time(const char *text, int64_t *out)
{
	static const char *const forms[] = { "%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S",
					     "%Y-%m-%dT%H:%M:%S" };
	uint64_t seconds;

	if (text[0] == '@' && text_parse_u64(text + 1, &seconds) && seconds <= INT64_MAX) {
		*out = (int64_t)seconds;
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		struct tm tm = { .tm_isdst = -1 };
		const char *end = strptime(text, forms[i], &tm);

		if (end && !*end) {
			*out = mktime(&tm);
			return true;
		}
	}
	return false;
}

/* "644": octal; with "-" all and with "/" any of the bits. */
static bool parse_perm(const char *text, struct find *c)
{
	const char *p = text + (*text == '-' || *text == '/');

	c->perm_kind = *text == '-' ? PERM_ALL : *text == '/' ? PERM_ANY : PERM_EXACT;
	c->perm_bits = 0;
	do {
		if (*p < '0' || *p > '7')
			return false;
		c->perm_bits = c->perm_bits * 8 + (uint32_t)(*p - '0');
	} while (*++p && c->perm_bits <= 07777);
	return c->perm_bits <= 07777;
}

/* "f", "f,d", "fd". */
static bool parse_types(struct find *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->types.n; i++) {
		for (const char *p = c->types.items[i]; *p; p++) {
			if (*p == ',')
				continue;
			if (!strchr("fdlcbps", *p))
				return false;
			if (!strchr(c->letters, *p))
				c->letters[n++] = *p;
		}
	}
	return !c->types.n || n;
}

/* What options say, as numbers; the exit status. */
static int understand(struct find *c)
{
	const struct {
		const char *text, *name;
		struct bound *out;
	} bounds[] = {
		{ c->mtime, "mtime", &c->days[0] },
		{ c->atime, "atime", &c->days[1] },
		{ c->ctime, "ctime", &c->days[2] },
		{ c->links, "links", &c->nlinks },
	};

	c->now = time(NULL);
	for (size_t i = 0; i < ARRAY_LEN(bounds); i++)
		if (bounds[i].text && !parse_bound(bounds[i].text, false, bounds[i].out))
			return cmd_usage("find", "--%s: \"%s\" is not a number, +N or -N", bounds[i].name, bounds[i].text);
	if (c->sizes.n > SIZES_MAX)
		return cmd_usage("find", "--size may be given twice");
	for (size_t i = 0; i < c->sizes.n; i++)
		if (!parse_bound(c->sizes.items[i], true, &c->size[i]))
			return cmd_usage("find", "--size: \"%s\" is not a size, +SIZE or -SIZE", c->sizes.items[i]);
	if (!parse_types(c))
		return cmd_usage("find", "--type: letters are f, d, l, c, b, p, s");
	if (c->perm && !parse_perm(c->perm, c))
		return cmd_usage("find", "--perm: \"%s\" is not MODE, -MODE or /MODE in octal digits", c->perm);
	c->has_newer = c->newer;
	c->has_older = c->older;
	if (c->newer && !parse_time(c->newer, &c->newer_than))
		return cmd_usage("find", "--newer: \"%s\" is not a date, as in \"2024-02-29 12:00\" or @SECONDS", c->newer);
	if (c->older && !parse_time(c->older, &c->older_than))
		return cmd_usage("find", "--older: \"%s\" is not a date, as in \"2024-02-29 12:00\" or @SECONDS", c->older);
	if (c->xattrs && !c->json)
		return cmd_usage("find", "--xattrs is for --json");
	return EXIT_DONE;
}

static int run(struct find *c, int argc, char **argv)
{
	CLEANUP(guest_set_free) struct guest_set set = { .guests = NULL };
	const struct guest_confine confine = { .write_dir = -1, .seconds = 3600 };
	bool fatal;
	int status = understand(c);

	if (!status)
		status = guest_set_paths("find", &c->guest, argc, argv, &set);
	if (status)
		return status;
	status = guest_set_open(&c->guest, &confine, &set, &fatal);
	return fatal ? status : status | show(c, &set);
}

int cmd_find(int argc, char **argv)
{
	struct find c = { .max_depth = DRY_DEPTH_ALL };
	const struct usage u = { "find", "[options] IMAGE[:/PATH]...", "Looks for files of guests." };
	const struct opt opts[] = {
		GUEST_OPTS(&c.guest),
		GUEST_OPT_DOMAIN(&c.guest, 'd'),
		GUEST_OPT_MOUNT(&c.guest),
		OPT_LIST('n', "name", "PATTERN", &c.names, "the name matches, as in a shell"),
		OPT_LIST(0, "iname", "PATTERN", &c.inames, "the same, upper and lower case alike"),
		OPT_LIST(0, "path", "PATTERN", &c.paths, "the whole path matches; * stands for / too"),
		OPT_LIST('t', "type", "LETTERS", &c.types, "f file, d directory, l symlink, c b devices, p fifo, s socket"),
		OPT_LIST('s', "size", "[+-]SIZE", &c.sizes, "that many bytes, or more, or less: +1M"),
		OPT_STRING(0, "mtime", "[+-]DAYS", &c.mtime, "changed so many days ago"),
		OPT_STRING(0, "atime", "[+-]DAYS", &c.atime, "read so many days ago"),
		OPT_STRING(0, "ctime", "[+-]DAYS", &c.ctime, "its owner, mode or content changed so many days ago"),
		OPT_STRING(0, "newer", "DATE", &c.newer, "changed then or later: 2024-02-29, \"2024-02-29 12:00\", @SECONDS"),
		OPT_STRING(0, "older", "DATE", &c.older, "changed before"),
		OPT_STRING(0, "user", "USER", &c.user, "belongs to the user, a number or a name of the guest's"),
		OPT_STRING(0, "group", "GROUP", &c.group, "belongs to the group"),
		OPT_STRING(0, "perm", "MODE", &c.perm, "has this mode, with -MODE all of the bits, with /MODE any"),
		OPT_STRING(0, "links", "[+-]N", &c.links, "has so many names"),
		OPT_FLAG(0, "empty", &c.empty, "a file or directory with nothing in it"),
		OPT_U64(0, "mindepth", "N", &c.min_depth, "not what is less deep than this below PATH"),
		OPT_U64(0, "maxdepth", "N", &c.max_depth, "go down so many levels"),
		OPT_FLAG('x', "one-file-system", &c.one_fs, "not into what is mounted below"),
		OPT_FLAG('l', "long", &c.long_lines, "lines as those of ls -lR"),
		OPT_FLAG('h', "human-readable", &c.human, "with -l: sizes with K, M, G ..."),
		OPT_FLAG('0', "null", &c.null, "end paths with a NUL byte, and quote none that is not in a long line"),
		OPT_FLAG(0, "xattrs", &c.xattrs, "with --json: extended attributes too"),
		OPT_FLAG(0, "json", &c.json, "print JSON"),
		OPT_END,
	};
	int status = EXIT_USAGE;

	switch (opts_parse(&u, opts, &argc, &argv)) {
	case OPTS_DONE:
		status = EXIT_DONE;
		break;
	case OPTS_OK:
		status = run(&c, argc, argv);
		break;
	case OPTS_BAD:
		break;
	}
	opt_list_free(&c.names);
	opt_list_free(&c.inames);
	opt_list_free(&c.paths);
	opt_list_free(&c.types);
	opt_list_free(&c.sizes);
	guest_opts_free(&c.guest);
	return status;
}
