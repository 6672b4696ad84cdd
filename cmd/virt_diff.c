/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virt_diff.c - the program under the name virt-diff. */
#include "alloc.h"
#include "guest_file.h"
#include "limits.h"
#include "line_diff.h"
#include "out.h"
#include "text.h"
#include "virt_ls.h"

#include <stdio.h>
#include <sys/stat.h>

enum {
	OPT_ALL = VIRT_OWN,
	OPT_ATIME,
	OPT_CHECKSUM,
	OPT_CSV,
	OPT_DIR_LINKS,
	OPT_DIR_TIMES,
	OPT_EXTRA,
	OPT_TIMES,
	OPT_TIME_DAYS,
	OPT_TIME_RELATIVE,
	OPT_TIME_T,
	OPT_UIDS,
	OPT_XATTRS,
};

static const struct option options[] = {
	{ "add", 1, NULL, 'a' },
	{ "all", 0, NULL, OPT_ALL },
	{ "atime", 0, NULL, OPT_ATIME },
	{ "blocksize", 2, NULL, VIRT_BLOCKSIZE },
	{ "checksum", 2, NULL, OPT_CHECKSUM },
	{ "checksums", 2, NULL, OPT_CHECKSUM },
	{ "csv", 0, NULL, OPT_CSV },
	{ "connect", 1, NULL, 'c' },
	{ "dir-link", 0, NULL, OPT_DIR_LINKS },
	{ "dir-links", 0, NULL, OPT_DIR_LINKS },
	{ "dir-nlink", 0, NULL, OPT_DIR_LINKS },
	{ "dir-nlinks", 0, NULL, OPT_DIR_LINKS },
	{ "dir-time", 0, NULL, OPT_DIR_TIMES },
	{ "dir-times", 0, NULL, OPT_DIR_TIMES },
	{ "domain", 1, NULL, 'd' },
	{ "echo-keys", 0, NULL, VIRT_ECHO_KEYS },
	{ "extra-stat", 0, NULL, OPT_EXTRA },
	{ "extra-stats", 0, NULL, OPT_EXTRA },
	{ "format", 2, NULL, VIRT_FORMAT },
	{ "help", 0, NULL, VIRT_HELP },
	{ "human-readable", 0, NULL, 'h' },
	{ "key", 1, NULL, VIRT_KEY },
	{ "keys-from-stdin", 0, NULL, VIRT_KEYS_FROM_STDIN },
	{ "long-options", 0, NULL, VIRT_LONG_OPTIONS },
	{ "short-options", 0, NULL, VIRT_SHORT_OPTIONS },
	{ "time", 0, NULL, OPT_TIMES },
	{ "times", 0, NULL, OPT_TIMES },
	{ "time-days", 0, NULL, OPT_TIME_DAYS },
	{ "time-relative", 0, NULL, OPT_TIME_RELATIVE },
	{ "time-t", 0, NULL, OPT_TIME_T },
	{ "uid", 0, NULL, OPT_UIDS },
	{ "uids", 0, NULL, OPT_UIDS },
	{ "verbose", 0, NULL, 'v' },
	{ "version", 0, NULL, 'V' },
	{ "xattr", 0, NULL, OPT_XATTRS },
	{ "xattrs", 0, NULL, OPT_XATTRS },
	{ NULL, 0, NULL, 0 },
};

static const char usage[] =
	"usage: virt-diff [options] -a DISK [-a DISK...] -A DISK [-A DISK...]\n\n"
	"Tells how the files of two guests differ.\n\n"
	"  -a, --add DISK            a disk of the first guest\n"
	"  -A DISK                   a disk of the second guest\n"
	"      --all                 --extra-stats --times --uids --xattrs\n"
	"      --atime               times of access are compared, too\n"
	"      --blocksize[=N]       sector size of the disk, 512 or 4096\n"
	"      --checksum[=ALG]      of contents: crc, md5 (the default), sha1, sha224, sha256, sha384, sha512\n"
	"      --csv                 comma separated values\n"
	"      --dir-links           link counts of directories are compared, too\n"
	"      --dir-times           times of directories are compared, too\n"
	"      --extra-stats         device, inode, links, device type, blocks\n"
	"      --format[=FMT]        format of the disks behind it; without FMT it is found\n"
	"  -h, --human-readable      sizes with K, M, G\n"
	VIRT_KEYS_HELP
	"      --times               when modified, changed\n"
	"      --time-days           times as days ago\n"
	"      --time-relative       times as seconds ago\n"
	"      --time-t              times as seconds since 1970\n"
	"      --uids                owner and group\n"
	"      --xattrs              extended attributes\n"
	"  -v, --verbose; -x         tell what is done\n"
	"  -V, --version             print the version\n"
	"      --help                print this help\n";

struct virt_diff {
	struct virt_ls l; /* the first guest, and how lines look */
	struct virt second;
	bool atime, dir_links, dir_times, xattrs;
};

/* What is compared of an entry, and printed. */
struct shown {
	struct dry_entry ent; /* with what is not asked for set to 0 */
	struct pair_xattrs xattrs;
	char sum[DIGEST_TEXT];
	char *target;
};

static void shown_free(struct shown *s)
{
	pair_xattrs_free(&s->xattrs);
	free(s->target);
}

static int add_bytes(void *d, const void *bytes, size_t len)
{
	digest_add(d, bytes, len);
	return 0;
}

static int load(struct virt_diff *d, struct dry_guest *g, const struct dry_entry *ent, struct shown *s)
{
	struct dry_error e = { .code = DRY_OK };
	struct dry_stat *st = &s->ent.stat;
	struct digest digest;

	s->ent = *ent;
	if (!d->atime)
		st->atime = (struct dry_time){ 0, 0 };
	if (S_ISDIR(st->mode) && !d->dir_times)
		st->atime = st->mtime = st->ctime = (struct dry_time){ 0, 0 };
	if (S_ISDIR(st->mode) && !d->dir_links)
		st->nlink = 0;
	if (pair_xattrs_load(g, ent->node, &s->xattrs, &e) < 0)
		return virt_call_failed("lxattrlist", ent->path, &e);
	if (S_ISLNK(st->mode) && dry_node_readlink(g, ent->node, &s->target, &e) < 0)
		return virt_call_failed("readlink", ent->path, &e);
	if (!d->l.checksum || !S_ISREG(st->mode))
		return 0;
	if (!d->l.digest_known) {
		fprintf(stderr, "libguestfs: error: checksum: unknown checksum type, expecting "
				"crc|md5|sha1|sha224|sha256|sha384|sha512\n");
		return EXIT_FAILED;
	}
	digest_start(&digest, d->l.digest);
	if (guest_file_each(g, ent->node, d->l.buf, add_bytes, &digest, &e) < 0)
		return virt_call_failed("checksum", ent->path, &e);
	digest_end(&digest, s->sum);
	return 0;
}

static int print_entry(struct virt_diff *d, struct dry_guest *g, char mark, const struct shown *s)
{
	d->l.guest = g;
	d->l.mark = mark;
	d->l.xattrs = d->xattrs ? &s->xattrs : NULL;
	return virt_ls_record(&d->l, &s->ent);
}

/* ---- what differs ---- */

static bool same_time(struct dry_time a, struct dry_time b)
{
	return a.sec == b.sec && a.nsec == b.nsec;
}

/* Appends the names of what differs, as the peer names fields of struct stat. */
static void list_changes(const struct virt_diff *d, const struct shown *a, const struct shown *b, struct strbuf *out)
{
	const struct dry_stat *x = &a->ent.stat, *y = &b->ent.stat;
	const struct {
		const char *name;
		bool differs;
	} fields[] = {
		{ "st_ino", x->ino != y->ino },
		{ "st_mode", x->mode != y->mode },
		{ "st_nlink", x->nlink != y->nlink },
		{ "st_uid", x->uid != y->uid },
		{ "st_gid", x->gid != y->gid },
		{ "st_rdev", x->rdev_major != y->rdev_major || x->rdev_minor != y->rdev_minor },
		{ "st_size", x->size != y->size },
		{ "st_blocks", x->blocks512 != y->blocks512 },
		{ "st_atime_sec", x->atime.sec != y->atime.sec },
		{ "st_mtime_sec", x->mtime.sec != y->mtime.sec },
		{ "st_ctime_sec", x->ctime.sec != y->ctime.sec },
		{ "xattrs", !pair_xattrs_same(&a->xattrs, &b->xattrs) },
		{ "link", a->target && b->target && strcmp(a->target, b->target) != 0 && x->size == y->size && x->ino == y->ino },
	};

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (fields[i].differs)
			strbuf_printf(out, "%c%s", d->l.csv ? ',' : ' ', fields[i].name);
}

static bool differ(const struct shown *a, const struct shown *b, const struct strbuf *changes)
{
	const struct dry_stat *x = &a->ent.stat, *y = &b->ent.stat;

	return changes->len || !same_time(x->atime, y->atime) || !same_time(x->mtime, y->mtime) ||
	       !same_time(x->ctime, y->ctime) || strcmp(a->sum, b->sum) != 0;
}

/* The whole file, at most LIMIT_LINE_DIFF_BYTES and one more. */
static int read_text(struct dry_guest *g, const struct dry_entry *ent, struct strbuf *out, void *buf, struct dry_error *e)
{
	size_t got = GUEST_FILE_CHUNK;

	/* A short answer is the end. */
	while (got == GUEST_FILE_CHUNK && out->len <= LIMIT_LINE_DIFF_BYTES) {
		int rc = dry_node_read(g, ent->node, buf, GUEST_FILE_CHUNK, out->len, &got, e);

		if (rc < 0)
			return rc;
		strbuf_add(out, buf, got);
		if (out->failed) {
			*e = (struct dry_error){ .code = DRY_NOMEM, .msg = "out of memory" };
			return -DRY_NOMEM;
		}
	}
	return 0;
}

/* The lines of a guest, on a terminal without what would steer it. */
static void put_lines(const struct strbuf *text)
{
	CLEANUP(strbuf_free) struct strbuf quoted = STRBUF_INIT;
	const char *s = text->s, *end = s + text->len;

	if (!out_terminal()) {
		fwrite(text->s, 1, text->len, stdout);
		return;
	}
	while (s < end) {
		const char *nl = memchr(s, '\n', (size_t)(end - s));
		const size_t len = nl ? (size_t)(nl - s) : (size_t)(end - s);

		text_quote(&quoted, s, len);
		strbuf_putc(&quoted, '\n');
		s += len + (nl != NULL);
	}
	out_flush(&quoted);
}

static int print_lines(struct virt_diff *d, const struct shown *a, const struct shown *b)
{
	CLEANUP(strbuf_free) struct strbuf first = STRBUF_INIT;
	CLEANUP(strbuf_free) struct strbuf second = STRBUF_INIT;
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	struct dry_error e = { .code = DRY_OK };

	if (read_text(d->l.virt.guest, &a->ent, &first, d->l.buf, &e) < 0)
		return virt_call_failed("download", a->ent.path, &e);
	if (read_text(d->second.guest, &b->ent, &second, d->l.buf, &e) < 0)
		return virt_call_failed("download", b->ent.path, &e);
	switch (line_diff(first.s, first.len, second.s, second.len, &out)) {
	case LINE_DIFF_TEXT:
		put_lines(&out);
		break;
	case LINE_DIFF_LARGE:
		fprintf(stderr, "virt-diff: a file is too large for its lines to be compared\n");
		break;
	case LINE_DIFF_NOMEM:
		fprintf(stderr, "virt-diff: out of memory\n");
		return EXIT_FAILED;
	case LINE_DIFF_SAME:
	case LINE_DIFF_BINARY:
		break;
	}
	puts("@@ End of diff @@");
	return 0;
}

static int print_both(struct virt_diff *d, const struct shown *a, const struct shown *b)
{
	CLEANUP(strbuf_free) struct strbuf changes = STRBUF_INIT;
	const struct dry_stat *x = &a->ent.stat, *y = &b->ent.stat;

	list_changes(d, a, b, &changes);
	if (changes.failed) {
		fprintf(stderr, "virt-diff: out of memory\n");
		return EXIT_FAILED;
	}
	if (!differ(a, b, &changes))
		return 0;
	if (S_ISREG(x->mode) && S_ISREG(y->mode) &&
	    (x->size != y->size || x->mtime.sec != y->mtime.sec || x->ctime.sec != y->ctime.sec)) {
		int rc = print_entry(d, d->l.virt.guest, '=', a);

		return rc || d->l.csv ? rc : print_lines(d, a, b);
	}
	if (print_entry(d, d->l.virt.guest, '-', a) || print_entry(d, d->second.guest, '+', b))
		return EXIT_FAILED;
	printf(d->l.csv ? "#,changed:%s\n" : "# changed:%s\n", changes.s);
	return 0;
}

static int on_pair(void *arg, const struct dry_entry *a, const struct dry_entry *b)
{
	CLEANUP(shown_free) struct shown first = { .sum = "" };
	CLEANUP(shown_free) struct shown second = { .sum = "" };
	struct virt_diff *d = arg;

	if ((a && load(d, d->l.virt.guest, a, &first)) || (b && load(d, d->second.guest, b, &second)))
		return EXIT_FAILED;
	if (a && b)
		return print_both(d, &first, &second);
	return a ? print_entry(d, d->l.virt.guest, '-', &first) : print_entry(d, d->second.guest, '+', &second);
}

static int on_failed(void *arg, bool second, const char *path, const struct dry_error *why)
{
	(void)arg, (void)second;
	return virt_call_failed("ls0", path, why);
}

/* ---- options ---- */

static int own_option(struct virt_diff *d, int c)
{
	switch (c) {
	case 'A':
		d->second.format = d->l.virt.format;
		d->l.virt.format_unused = false;
		return virt_add_image(&d->second, optarg);
	case 'D':
		return virt_option(&d->l.virt, 'd', NULL);
	case OPT_ALL:
		d->l.extra = d->l.times = d->l.uids = d->xattrs = true;
		break;
	case OPT_ATIME:
		d->atime = true;
		break;
	case OPT_CHECKSUM:
		d->l.checksum = optarg && *optarg ? optarg : "md5";
		break;
	case OPT_CSV:
		d->l.csv = true;
		break;
	case OPT_DIR_LINKS:
		d->dir_links = true;
		break;
	case OPT_DIR_TIMES:
		d->dir_times = true;
		break;
	case OPT_EXTRA:
		d->l.extra = true;
		break;
	case OPT_TIMES:
		d->l.times = true;
		break;
	case OPT_TIME_DAYS:
		d->l.times = true;
		d->l.time_style = VIRT_LS_DAYS;
		break;
	case OPT_TIME_RELATIVE:
		d->l.times = true;
		d->l.time_style = VIRT_LS_RELATIVE;
		break;
	case OPT_TIME_T:
		d->l.times = true;
		d->l.time_style = VIRT_LS_TIME_T;
		break;
	case OPT_UIDS:
		d->l.uids = true;
		break;
	case OPT_XATTRS:
		d->xattrs = true;
		break;
	case 'h':
		d->l.human = true;
		break;
	default:
		return virt_option(&d->l.virt, c, NULL);
	}
	return VIRT_GO_ON;
}

static int usage_error(const struct virt_diff *d, const char *what)
{
	fprintf(stderr, "virt-diff: error: %s\n", what);
	return virt_usage(&d->l.virt);
}

static int check_arguments(const struct virt_diff *d, int argc, char **argv)
{
	if (optind < argc) {
		fprintf(stderr,
			"virt-diff: error: extra argument \xe2\x80\x98%s\xe2\x80\x99 on command line.\n"
			"Make sure to specify the argument for --checksum or --format like '--format=%s'.\n",
			argv[optind], argv[optind]);
		return virt_usage(&d->l.virt);
	}
	if (!d->l.virt.nimages)
		return usage_error(d, "you must specify at least one -a or -d option.");
	if (!d->second.nimages)
		return usage_error(d, "you must specify at least one -A or -D option.");
	if (d->l.csv && d->l.human) {
		fprintf(stderr, "virt-diff: you cannot use -h and --csv options together.\n");
		return EXIT_FAILED;
	}
	return VIRT_GO_ON;
}

static int run(struct virt_diff *d, int argc, char **argv)
{
	struct pair_walk both = { .fn = on_pair, .failed = on_failed, .arg = d };
	struct dry_error e = { .code = DRY_OK };
	int c, rc = VIRT_GO_ON;

	while (rc == VIRT_GO_ON && (c = getopt_long(argc, argv, d->l.virt.letters, options, NULL)) != -1)
		rc = own_option(d, c);
	if (rc == VIRT_GO_ON)
		rc = check_arguments(d, argc, argv);
	if (rc == VIRT_GO_ON)
		rc = virt_options_end(&d->l.virt);
	if (rc == VIRT_GO_ON)
		rc = virt_ls_prepare(&d->l);
	if (rc == VIRT_GO_ON && !d->l.buf) {
		d->l.buf = alloc_bytes(GUEST_FILE_CHUNK);
		rc = d->l.buf ? VIRT_GO_ON : EXIT_FAILED;
	}
	if (rc == VIRT_GO_ON)
		rc = virt_open_both(&d->l.virt, &d->second);
	if (rc == VIRT_GO_ON)
		rc = virt_mount(&d->l.virt);
	if (rc == VIRT_GO_ON)
		rc = virt_mount(&d->second);
	if (rc != VIRT_GO_ON)
		return rc;
	d->l.no_atime = !d->atime;
	both.first = d->l.virt.guest;
	both.second = d->second.guest;
	rc = pair_walk(&both, &e);
	if (rc < 0)
		return virt_call_failed("ls0", "/", &e);
	return rc ? EXIT_FAILED : EXIT_DONE;
}

int virt_diff(int argc, char **argv)
{
	struct virt_diff d = {
		.l = { .virt = { .name = "virt-diff", .letters = "a:A:c:d:D:hvVx", .options = options, .usage = usage } },
		.second = { .name = "virt-diff" },
	};
	int status = run(&d, argc, argv);

	free(d.l.buf);
	virt_free(&d.l.virt);
	virt_free(&d.second);
	return status;
}
