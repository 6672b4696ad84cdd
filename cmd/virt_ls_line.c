/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virt_ls_line.c - the records of virt-ls -lR and --csv, and the listings of virt-ls -l. */
#include "alloc.h"
#include "guest_file.h"
#include "out.h"
#include "virt_ls.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

int virt_ls_prepare(struct virt_ls *l)
{
	l->now = time(NULL);
	if (!l->checksum)
		return VIRT_GO_ON;
	/* An unknown kind is told when the first file comes, as the peer does. */
	l->digest_known = digest_kind_parse(l->checksum, &l->digest);
	l->buf = alloc_bytes(GUEST_FILE_CHUNK);
	return l->buf ? VIRT_GO_ON : EXIT_FAILED;
}

/* ---- -lR ---- */

/* Fields of one record: apart by a blank, or by a comma. */
struct record {
	const struct virt_ls *l;
	struct strbuf out;
	bool any;
};

static void between(struct record *r)
{
	if (r->any)
		strbuf_putc(&r->out, r->l->csv ? ',' : ' ');
	r->any = true;
}

__attribute__((format(printf, 2, 3))) static void field(struct record *r, const char *fmt, ...)
{
	va_list ap;

	between(r);
	va_start(ap, fmt);
	strbuf_vprintf(&r->out, fmt, ap);
	va_end(ap);
}

void virt_ls_text(const struct virt_ls *l, struct strbuf *out, const char *text)
{
	if (l->csv)
		out_csv(out, text);
	else
		strbuf_puts(out, text);
}

static void text_field(struct record *r, const char *text)
{
	between(r);
	virt_ls_text(r->l, &r->out, text);
}

static void size_field(struct record *r, uint64_t size)
{
	char buf[24];

	if (r->l->human)
		virt_human(size, buf, sizeof buf);
	else
		snprintf(buf, sizeof buf, "%" PRIu64, size);
	if (r->l->csv)
		field(r, "%s", buf);
	else
		field(r, "%10s", buf);
}

static void time_field(struct record *r, struct dry_time t)
{
	char buf[64];
	struct tm tm;
	time_t sec = t.sec;

	switch (r->l->time_style) {
	case VIRT_LS_DATE:
		if (localtime_r(&sec, &tm) && strftime(buf, sizeof buf, "%Y-%m-%d %H:%M:%S", &tm))
			field(r, "%s", buf);
		else
			field(r, "%" PRId64, t.sec);
		break;
	case VIRT_LS_TIME_T:
		field(r, "%10" PRId64, t.sec);
		break;
	case VIRT_LS_RELATIVE:
		field(r, "%8" PRId64, r->l->now - t.sec);
		break;
	case VIRT_LS_DAYS:
		field(r, "%3" PRId64, (r->l->now - t.sec) / 86400);
		break;
	}
}

/* As the kernel numbers SCSI disks and their partitions. */
static void device_field(struct record *r, struct dry_guest *g, uint64_t mount)
{
	const struct dry_volume *vols;
	struct dry_mount m;
	size_t n;

	if (!dry_guest_mount_at(g, (size_t)mount, &m) || dry_guest_volumes(g, &vols, &n, NULL) < 0)
		field(r, "0:0");
	else
		field(r, "8:%u", vols[m.volume_index].disk * 16 + vols[m.volume_index].number);
}

static int add_bytes(void *d, const void *bytes, size_t len)
{
	digest_add(d, bytes, len);
	return 0;
}

static int checksum_field(struct record *r, struct virt_ls *l, const struct dry_entry *ent)
{
	struct digest d;
	struct dry_error e = { .code = DRY_OK };
	char text[DIGEST_TEXT];

	if (!S_ISREG(ent->stat.mode)) {
		/* virt-diff leaves the field out. */
		if (l->csv && !l->mark)
			field(r, "%s", "");
		return 0;
	}
	if (!l->digest_known) {
		fwrite(r->out.s, 1, r->out.len, stdout);
		fprintf(stderr, "libguestfs: error: checksum: unknown checksum type, expecting "
				"crc|md5|sha1|sha224|sha256|sha384|sha512\n");
		return EXIT_FAILED;
	}
	digest_start(&d, l->digest);
	if (guest_file_each(l->guest, ent->node, l->buf, add_bytes, &d, &e) < 0)
		return virt_call_failed("checksum", ent->path, &e);
	digest_end(&d, text);
	field(r, "%s", text);
	return 0;
}

int virt_ls_record(struct virt_ls *l, const struct dry_entry *ent)
{
	CLEANUP(free_ptr) char *target = NULL;
	const struct dry_stat *st = &ent->stat;
	struct record r = { .l = l, .out = STRBUF_INIT };
	struct dry_error e = { .code = DRY_OK };
	int rc = 0;

	if (l->mark)
		field(&r, "%c", l->mark);
	field(&r, "%c", guest_type_letter(st->mode));
	field(&r, "%04" PRIo32, st->mode & 07777);
	size_field(&r, st->size);
	if (l->uids) {
		/* In a table virt-diff does not pad them. */
		const int width = l->mark && l->csv ? 0 : 4;

		field(&r, "%*" PRIu32, width, st->uid);
		field(&r, "%*" PRIu32, width, st->gid);
	}
	if (l->times) {
		if (!l->no_atime)
			time_field(&r, st->atime);
		time_field(&r, st->mtime);
		time_field(&r, st->ctime);
	}
	if (l->extra) {
		device_field(&r, l->guest, st->dev);
		field(&r, "%" PRIu64, st->ino);
		field(&r, "%" PRIu32, st->nlink);
		field(&r, "%" PRIu32 ":%" PRIu32, st->rdev_major, st->rdev_minor);
		field(&r, "%" PRIu64, st->blocks512);
	}
	if (l->checksum)
		rc = checksum_field(&r, l, ent);
	if (!rc) {
		text_field(&r, ent->path);
		if (S_ISLNK(st->mode)) {
			if (dry_node_readlink(l->guest, ent->node, &target, &e) < 0) {
				virt_call_failed("readlink", ent->path, &e);
			} else {
				if (!l->csv)
					strbuf_puts(&r.out, " ->");
				text_field(&r, target);
			}
		}
		for (size_t i = 0; l->xattrs && i < l->xattrs->n; i++) {
			text_field(&r, l->xattrs->items[i].name);
			text_field(&r, l->xattrs->items[i].value);
		}
		strbuf_putc(&r.out, '\n');
		rc = out_flush(&r.out);
	}
	strbuf_free(&r.out);
	return rc;
}

/* ---- -l: as "ls -la" ---- */

struct line {
	struct dry_stat st;
	char *name, *target;
};
struct listing {
	struct virt_ls *l;
	struct line *items;
	size_t n;
	bool nomem;
};

static void listing_free(struct listing *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->items[i].name);
		free(s->items[i].target);
	}
	free(s->items);
	s->n = 0;
}

static bool listing_add(struct listing *s, const char *name, struct dry_node n, const struct dry_stat *st)
{
	struct line *items = alloc_resize(s->items, s->n + 1, sizeof *items), *line;
	struct dry_error e;

	if (!items) {
		s->nomem = true;
		return false;
	}
	s->items = items;
	line = &s->items[s->n++];
	*line = (struct line){ .st = *st, .name = alloc_strdup(name) };
	s->nomem |= !line->name;
	if (S_ISLNK(st->mode) && dry_node_readlink(s->l->guest, n, &line->target, &e) < 0)
		virt_call_failed("ll", name, &e);
	return !s->nomem;
}

static int collect(void *arg, const struct dry_entry *ent)
{
	struct listing *s = arg;

	return ent->depth && !listing_add(s, ent->name, ent->node, &ent->stat) ? DRY_WALK_STOP : DRY_WALK_ON;
}

static int digits(uint64_t n)
{
	int d = 1;

	for (; n >= 10; n /= 10)
		d++;
	return d;
}

static bool is_device(const struct dry_stat *st)
{
	return S_ISCHR(st->mode) || S_ISBLK(st->mode);
}

struct widths {
	int links, uid, gid, size, major, minor;
};

static struct widths widths_of(const struct listing *s)
{
	struct widths w = { 1, 1, 1, 0, 0, 0 };

	for (size_t i = 0; i < s->n; i++) {
		const struct dry_stat *st = &s->items[i].st;

		w.links = MAX_OF(w.links, digits(st->nlink));
		w.uid = MAX_OF(w.uid, digits(st->uid));
		w.gid = MAX_OF(w.gid, digits(st->gid));
		if (is_device(st)) {
			w.major = MAX_OF(w.major, digits(st->rdev_major));
			w.minor = MAX_OF(w.minor, digits(st->rdev_minor));
			w.size = MAX_OF(w.size, w.major + 2 + w.minor);
		} else {
			w.size = MAX_OF(w.size, digits(st->size));
		}
	}
	return w;
}

/* The time of day for what is newer than half a year and not of the future, else the year.  The guest's clock is UTC. */
static void print_date(const struct virt_ls *l, const struct dry_stat *st)
{
	const int64_t half_year = 31556952 / 2;
	time_t sec = st->mtime.sec;
	struct tm tm;
	char buf[64];

	if (gmtime_r(&sec, &tm) &&
	    strftime(buf, sizeof buf,
		     st->mtime.sec > l->now - half_year && st->mtime.sec <= l->now ? "%b %e %H:%M" : "%b %e  %Y", &tm))
		printf("%s ", buf);
	else
		printf("%12" PRId64 " ", st->mtime.sec);
}

static void print_line(const struct virt_ls *l, const struct line *line, const struct widths *w)
{
	const struct dry_stat *st = &line->st;
	char mode[11];

	printf("%s %*" PRIu32 " %*" PRIu32 " %*" PRIu32 " ", guest_mode_text(st->mode, mode), w->links, st->nlink, w->uid,
	       st->uid, w->gid, st->gid);
	if (is_device(st))
		printf("%*" PRIu32 ", %*" PRIu32 " ", w->size - 2 - w->minor, st->rdev_major, w->minor, st->rdev_minor);
	else
		printf("%*" PRIu64 " ", w->size, st->size);
	print_date(l, st);
	fputs(line->name, stdout);
	if (line->target)
		printf(" -> %s", line->target);
	putchar('\n');
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct line *)a)->name, ((const struct line *)b)->name);
}

/* "." and "..", which a walk does not show.  The root's ".." is the root. */
static bool add_dots(struct listing *s, const char *path, struct dry_error *e)
{
	static const char *const dots[] = { ".", ".." };

	for (size_t i = 0; i < ARRAY_LEN(dots); i++) {
		CLEANUP(free_ptr) char *dot = alloc_printf("%s/%s", path, dots[i]);
		struct dry_node n;
		struct dry_stat st;

		if (!dot || dry_guest_lookup(s->l->guest, dot, true, &n, e) < 0 ||
		    dry_node_stat(s->l->guest, n, &st, e) < 0 || !listing_add(s, dots[i], n, &st))
			return false;
	}
	return true;
}

int virt_ls_long(struct virt_ls *l, const char *path)
{
	CLEANUP(listing_free) struct listing s = { .l = l };
	const struct dry_walk w = { .max_depth = 1, .fn = collect, .arg = &s };
	struct dry_error e = { .code = DRY_OK };
	struct dry_node n;
	struct dry_stat st;
	struct widths widths;
	uint64_t blocks = 0;

	if (!virt_path_is_absolute("ll", path))
		return EXIT_FAILED;
	if (dry_guest_lookup(l->guest, path, true, &n, &e) < 0 || dry_node_stat(l->guest, n, &st, &e) < 0)
		return virt_call_failed("ll", path, &e);
	if (!S_ISDIR(st.mode)) {
		/* The one line of a file, under the name that it has where the peer sees it. */
		CLEANUP(free_ptr) char *name = alloc_printf("/sysroot%s", path);

		if (!name || !listing_add(&s, name, n, &st))
			return EXIT_FAILED;
	} else if (!add_dots(&s, path, &e) || dry_guest_walk(l->guest, path, &w, &e) < 0 || s.nomem) {
		return virt_call_failed("ll", path, &e);
	}
	qsort(s.items, s.n, sizeof *s.items, by_name);
	for (size_t i = 0; i < s.n; i++)
		blocks += s.items[i].st.blocks512;
	if (S_ISDIR(st.mode))
		printf("total %" PRIu64 "\n", (blocks + 1) / 2);
	widths = widths_of(&s);
	for (size_t i = 0; i < s.n; i++)
		print_line(l, &s.items[i], &widths);
	return EXIT_DONE;
}
