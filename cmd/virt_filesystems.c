/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virt_filesystems.c - the program under the name virt-filesystems. */
#include "alloc.h"
#include "out.h"
#include "virt.h"

#include <inttypes.h>
#include <stdio.h>

enum { OPT_ALL = VIRT_OWN, OPT_BLKDEVS, OPT_CSV, OPT_EXTRA, OPT_FILESYSTEMS, OPT_LVS, OPT_NO_TITLE, OPT_PARTS, OPT_PVS,
       OPT_UUID, OPT_VGS };

static const struct option options[] = {
	{ "add", 1, NULL, 'a' },
	{ "all", 0, NULL, OPT_ALL },
	{ "blkdevs", 0, NULL, OPT_BLKDEVS },
	{ "block-devices", 0, NULL, OPT_BLKDEVS },
	{ "blocksize", 2, NULL, VIRT_BLOCKSIZE },
	{ "connect", 1, NULL, 'c' },
	{ "csv", 0, NULL, OPT_CSV },
	{ "domain", 1, NULL, 'd' },
	{ "echo-keys", 0, NULL, VIRT_ECHO_KEYS },
	{ "extra", 0, NULL, OPT_EXTRA },
	{ "filesystems", 0, NULL, OPT_FILESYSTEMS },
	{ "format", 2, NULL, VIRT_FORMAT },
	{ "help", 0, NULL, VIRT_HELP },
	{ "human-readable", 0, NULL, 'h' },
	{ "key", 1, NULL, VIRT_KEY },
	{ "keys-from-stdin", 0, NULL, VIRT_KEYS_FROM_STDIN },
	{ "logical-volumes", 0, NULL, OPT_LVS },
	{ "logvols", 0, NULL, OPT_LVS },
	{ "long", 0, NULL, 'l' },
	{ "long-options", 0, NULL, VIRT_LONG_OPTIONS },
	{ "lvs", 0, NULL, OPT_LVS },
	{ "no-title", 0, NULL, OPT_NO_TITLE },
	{ "parts", 0, NULL, OPT_PARTS },
	{ "partitions", 0, NULL, OPT_PARTS },
	{ "physical-volumes", 0, NULL, OPT_PVS },
	{ "physvols", 0, NULL, OPT_PVS },
	{ "pvs", 0, NULL, OPT_PVS },
	{ "short-options", 0, NULL, VIRT_SHORT_OPTIONS },
	{ "uuid", 0, NULL, OPT_UUID },
	{ "uuids", 0, NULL, OPT_UUID },
	{ "verbose", 0, NULL, 'v' },
	{ "version", 0, NULL, 'V' },
	{ "vgs", 0, NULL, OPT_VGS },
	{ "volgroups", 0, NULL, OPT_VGS },
	{ "volume-groups", 0, NULL, OPT_VGS },
	{ NULL, 0, NULL, 0 },
};

static const char *const beyond[] = { "key", NULL };

static const char usage[] =
	"usage: virt-filesystems [options] -a DISK [-a DISK...]\n\n"
	"Lists filesystems, partitions and disks of a guest.\n\n"
	"  -a, --add DISK            a disk of the guest\n"
	"      --all                 everything\n"
	"      --blkdevs, --block-devices\n"
	"                            whole disks\n"
	"      --blocksize[=N]       sector size of the disk, 512 or 4096\n"
	VIRT_DOMAIN_HELP
	"      --csv                 comma separated values\n"
	"      --extra               swap and unknown content too\n"
	"      --filesystems         filesystems that can be mounted (the default)\n"
	"      --format[=FMT]        format of the disks behind it; without FMT it is found\n"
	"  -h, --human-readable      with -l: sizes with K, M, G\n"
	VIRT_KEYS_HELP
	"  -l, --long                with type, label, size, parent\n"
	"      --lvs, --logvols, --logical-volumes\n"
	"                            LVM logical volumes\n"
	"      --no-title            with -l: no title\n"
	"      --parts, --partitions\n"
	"                            partitions\n"
	"      --pvs, --physvols, --physical-volumes\n"
	"                            LVM physical volumes\n"
	"      --uuid, --uuids       with -l: UUIDs\n"
	"      --vgs, --volgroups, --volume-groups\n"
	"                            LVM volume groups\n"
	"  -v, --verbose; -x         tell what is done\n"
	"  -V, --version             print the version\n"
	"      --help                print this help\n";

enum column { COL_NAME, COL_TYPE, COL_VFS, COL_LABEL, COL_MBR, COL_SIZE, COL_PARENT, COL_UUID, COLUMNS };
static const char *const titles[COLUMNS] = { "Name", "Type", "VFS", "Label", "MBR", "Size", "Parent", "UUID" };

struct row {
	char *cells[COLUMNS]; /* NULL: none */
};

struct filesystems {
	struct virt virt;
	bool want_fs, want_extra, want_parts, want_disks, want_lvs, want_vgs, want_pvs;
	bool csv, human, is_long, no_title, uuid;
	bool columns[COLUMNS];
	struct row *rows;
	size_t nrows;
	bool nomem;
};

static struct row *add_row(struct filesystems *f, const char *name, const char *type)
{
	struct row *rows = alloc_resize(f->rows, f->nrows + 1, sizeof *rows), *r;

	if (!rows) {
		f->nomem = true;
		return NULL;
	}
	f->rows = rows;
	r = &f->rows[f->nrows++];
	*r = (struct row){ { NULL } };
	r->cells[COL_NAME] = alloc_strdup(name);
	r->cells[COL_TYPE] = alloc_strdup(type);
	f->nomem |= !r->cells[COL_NAME] || !r->cells[COL_TYPE];
	return r;
}

static void set_cell(struct filesystems *f, struct row *r, enum column c, const char *text)
{
	if (!r || !text || !*text)
		return;
	r->cells[c] = alloc_strdup(text);
	f->nomem |= !r->cells[c];
}

static void set_size(struct filesystems *f, struct row *r, uint64_t bytes)
{
	char buf[24];

	if (f->human)
		virt_human(bytes, buf, sizeof buf);
	else
		snprintf(buf, sizeof buf, "%" PRIu64, bytes);
	set_cell(f, r, COL_SIZE, buf);
}

static bool is_mountable(const char *type)
{
	return type && strcmp(type, "swap") != 0 && strcmp(type, "unknown") != 0;
}

/* What the peer does not list at all, as it holds other volumes. */
static bool is_container(const char *type)
{
	const char *end = strstr(type, "_member");

	return strcmp(type, "crypto_LUKS") == 0 || strcmp(type, "BitLocker") == 0 || (end && !end[strlen("_member")]);
}

struct subvolume_rows {
	struct filesystems *f;
	const struct dry_volume *v;
};

/* The peer tells no size of a subvolume. */
static void add_subvolume(void *arg, const char *name)
{
	const struct subvolume_rows *s = arg;
	struct row *r = add_row(s->f, name, "filesystem");

	set_cell(s->f, r, COL_VFS, s->v->fs_type);
	set_cell(s->f, r, COL_LABEL, s->v->fs_label);
	set_cell(s->f, r, COL_UUID, s->v->fs_uuid);
}

/* 0, or < 0 with *e filled. */
static int add_filesystems(struct filesystems *f, struct dry_error *e)
{
	const struct dry_volume *vols;
	size_t n, nvols;
	CLEANUP(free_ptr) size_t *order = virt_filesystem_order(f->virt.guest, &n, e);
	int rc = order ? dry_guest_volumes(f->virt.guest, &vols, &nvols, e) : -1;

	for (size_t i = 0; rc >= 0 && i < n; i++) {
		const struct dry_volume *v = &vols[order[i]];
		const char *type = v->fs_type ? v->fs_type : "unknown";
		struct subvolume_rows sub = { f, v };
		struct dry_usage u;
		struct row *r;

		if (is_container(type) || !(is_mountable(type) ? f->want_fs : f->want_extra))
			continue;
		r = add_row(f, v->name, "filesystem");
		set_cell(f, r, COL_VFS, type);
		set_cell(f, r, COL_LABEL, v->fs_label);
		set_cell(f, r, COL_UUID, v->fs_uuid);
		/* What statvfs() would say; of the rest the device's size. */
		if (v->fs_readable && f->is_long && dry_guest_usage(f->virt.guest, order[i], &u, NULL) == 0)
			set_size(f, r, u.blocks * u.block_size);
		else
			set_size(f, r, v->size);
		virt_subvolumes(f->virt.guest, order[i], add_subvolume, &sub);
	}
	return rc;
}

static void add_partition(struct filesystems *f, const struct dry_volume *v)
{
	struct row *r = add_row(f, v->name, "partition");
	struct dry_disk d;
	char type[8];

	if (strcmp(v->scheme, "mbr") == 0) {
		snprintf(type, sizeof type, "%02x", v->mbr_type);
		set_cell(f, r, COL_MBR, type);
	}
	/* Linux shows one KiB of an extended partition, so that nobody formats it. */
	set_size(f, r, v->extended ? 1024 : v->size);
	if (dry_guest_disk(f->virt.guest, v->disk, &d))
		set_cell(f, r, COL_PARENT, d.device);
}

/* ---- LVM ---- */

/* Items of a list in the order of their names. */
static size_t *sorted(struct filesystems *f, const void *items, size_t n, int (*order)(const void *, const void *, void *))
{
	size_t *at = alloc_array(n + 1, sizeof *at);

	if (!at) {
		f->nomem = true;
		return NULL;
	}
	for (size_t i = 0; i < n; i++)
		at[i] = i;
	qsort_r(at, n, sizeof *at, order, (void *)items);
	return at;
}

static int volumes_by_name(const void *a, const void *b, void *vols)
{
	const struct dry_volume *v = vols;

	return strcmp(v[*(const size_t *)a].name, v[*(const size_t *)b].name);
}

static int groups_by_name(const void *a, const void *b, void *groups)
{
	const struct dry_group *g = groups;

	return strcmp(g[*(const size_t *)a].name, g[*(const size_t *)b].name);
}

static bool is_lvm(const char *scheme)
{
	return strcmp(scheme, "lvm") == 0;
}

/* The peer prints the UUIDs of groups and physical volumes without their hyphens. */
static void set_bare_uuid(struct filesystems *f, struct row *r, const char *uuid)
{
	CLEANUP(strbuf_free) struct strbuf bare = STRBUF_INIT;

	for (; uuid && *uuid; uuid++)
		if (*uuid != '-')
			strbuf_putc(&bare, *uuid);
	f->nomem |= bare.failed;
	set_cell(f, r, COL_UUID, bare.s);
}

static void add_lvs(struct filesystems *f, const struct dry_volume *vols, size_t n)
{
	CLEANUP(free_ptr) size_t *at = sorted(f, vols, n, volumes_by_name);

	for (size_t i = 0; at && i < n; i++) {
		const struct dry_volume *v = &vols[at[i]];
		CLEANUP(free_ptr) char *parent = NULL;
		struct row *r;

		if (!is_lvm(v->scheme) || v->dormant)
			continue;
		r = add_row(f, v->name, "lv");
		set_size(f, r, v->size);
		parent = alloc_printf("/dev/%s", v->group ? v->group : "");
		f->nomem |= !parent;
		set_cell(f, r, COL_PARENT, parent);
		set_cell(f, r, COL_UUID, v->uuid);
	}
}

static void add_vg(struct filesystems *f, const struct dry_group *g, const struct dry_volume *vols)
{
	CLEANUP(free_ptr) char *name = alloc_printf("/dev/%s", g->name);
	CLEANUP(strbuf_free) struct strbuf parents = STRBUF_INIT;
	struct row *r = name ? add_row(f, name, "vg") : NULL;

	for (size_t i = 0; i < g->nmembers; i++) {
		const struct dry_member *m = &g->members[i];

		strbuf_printf(&parents, "%s%s", parents.len ? "," : "",
			      m->volume == DRY_NO_VOLUME ? m->uuid : vols[m->volume].name);
	}
	f->nomem |= !name || parents.failed;
	set_size(f, r, g->size);
	set_cell(f, r, COL_PARENT, parents.s);
	set_bare_uuid(f, r, g->uuid);
}

static void add_pv(struct filesystems *f, const struct dry_volume *v, uint64_t size)
{
	struct row *r = add_row(f, v->name, "pv");

	set_size(f, r, size);
	set_bare_uuid(f, r, v->fs_uuid);
}

/* Those in groups have the size of what they give to it; then those in none. */
static void add_pvs(struct filesystems *f, const struct dry_volume *vols, size_t n, const struct dry_group *groups,
		    size_t ngroups, const size_t *by_name)
{
	for (size_t i = 0; i < ngroups; i++) {
		const struct dry_group *g = &groups[by_name[i]];

		for (size_t m = 0; is_lvm(g->scheme) && m < g->nmembers; m++)
			if (g->members[m].volume != DRY_NO_VOLUME)
				add_pv(f, &vols[g->members[m].volume], g->members[m].size);
	}
	for (size_t i = 0; i < n; i++)
		if (!vols[i].group && vols[i].fs_type && strcmp(vols[i].fs_type, "LVM2_member") == 0)
			add_pv(f, &vols[i], vols[i].size);
}

static int add_lvm(struct filesystems *f, const struct dry_volume *vols, size_t n, struct dry_error *e)
{
	CLEANUP(free_ptr) size_t *by_name = NULL;
	const struct dry_group *groups;
	size_t ngroups;

	if (dry_guest_groups(f->virt.guest, &groups, &ngroups, e) < 0)
		return -1;
	by_name = sorted(f, groups, ngroups, groups_by_name);
	if (f->want_lvs)
		add_lvs(f, vols, n);
	for (size_t i = 0; f->want_vgs && by_name && i < ngroups; i++)
		if (is_lvm(groups[by_name[i]].scheme))
			add_vg(f, &groups[by_name[i]], vols);
	if (f->want_pvs && by_name)
		add_pvs(f, vols, n, groups, ngroups, by_name);
	return 0;
}

static int collect(struct filesystems *f, struct dry_error *e)
{
	const struct dry_volume *vols;
	size_t n;
	struct dry_disk d;

	if (dry_guest_volumes(f->virt.guest, &vols, &n, e) < 0)
		return -1;
	if ((f->want_fs || f->want_extra) && add_filesystems(f, e) < 0)
		return -1;
	if (add_lvm(f, vols, n, e) < 0)
		return -1;
	for (size_t i = 0; f->want_parts && i < n; i++)
		if (vols[i].number)
			add_partition(f, &vols[i]);
	for (size_t i = 0; f->want_disks && dry_guest_disk(f->virt.guest, i, &d); i++)
		set_size(f, add_row(f, d.device, "device"), d.size);
	return 0;
}

/* ---- printing ---- */

static void print_csv(const struct filesystems *f)
{
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;

	for (size_t i = 0; i < f->nrows + !f->no_title; i++) {
		const char *const *cells = f->no_title	? (const char *const *)f->rows[i].cells
					   : i == 0	? titles
							: (const char *const *)f->rows[i - 1].cells;
		bool first = true;

		for (int c = 0; c < COLUMNS; c++) {
			if (!f->columns[c])
				continue;
			if (!first)
				strbuf_putc(&out, ',');
			first = false;
			if (cells[c])
				out_csv(&out, cells[c]);
		}
		strbuf_putc(&out, '\n');
	}
	out_flush(&out);
}

static const char *cell_text(const struct filesystems *f, size_t row, int c, bool title)
{
	const char *text = title ? titles[c] : f->rows[row].cells[c];

	return text ? text : "-";
}

/* Two blanks between columns while a line fits a screen of 80, else one; the last column is padded too but for it. */
static void print_table(const struct filesystems *f)
{
	size_t width[COLUMNS] = { 0 }, total = 0, ncolumns = 0, gap;
	bool first;

	for (int c = 0; c < COLUMNS; c++) {
		if (!f->columns[c])
			continue;
		width[c] = f->no_title ? 0 : strlen(titles[c]);
		for (size_t i = 0; i < f->nrows; i++)
			width[c] = MAX_OF(width[c], strlen(cell_text(f, i, c, false)));
		total += width[c];
		ncolumns++;
	}
	gap = ncolumns > 1 && total + 2 * (ncolumns - 1) > 80 ? 1 : 2;
	for (size_t i = 0; i < f->nrows + !f->no_title; i++) {
		bool title = !f->no_title && i == 0;
		size_t row = i - !f->no_title, pad = 0;

		first = true;
		for (int c = 0; c < COLUMNS; c++) {
			const char *text = f->columns[c] ? cell_text(f, row, c, title) : NULL;

			if (!text)
				continue;
			printf("%*s%s", first ? 0 : (int)(pad + gap), "", text);
			pad = width[c] - strlen(text);
			first = false;
		}
		putchar('\n');
	}
}

static void print_rows(const struct filesystems *f)
{
	if (f->is_long && f->csv) {
		print_csv(f);
	} else if (f->is_long) {
		print_table(f);
	} else {
		for (size_t i = 0; i < f->nrows; i++)
			puts(f->rows[i].cells[COL_NAME]);
	}
}

/* ---- options ---- */

static int own_option(struct filesystems *f, int c)
{
	switch (c) {
	case OPT_ALL:
		f->want_fs = f->want_extra = f->want_parts = f->want_disks = f->want_lvs = f->want_vgs = f->want_pvs = true;
		break;
	case OPT_BLKDEVS:
		f->want_disks = true;
		break;
	case OPT_CSV:
		f->csv = true;
		break;
	case OPT_EXTRA:
		f->want_fs = f->want_extra = true;
		break;
	case OPT_FILESYSTEMS:
		f->want_fs = true;
		break;
	case OPT_LVS:
		f->want_lvs = true;
		break;
	case OPT_PVS:
		f->want_pvs = true;
		break;
	case OPT_VGS:
		f->want_vgs = true;
		break;
	case OPT_NO_TITLE:
		f->no_title = true;
		break;
	case OPT_PARTS:
		f->want_parts = true;
		break;
	case OPT_UUID:
		f->uuid = true;
		break;
	case 'h':
		f->human = true;
		break;
	case 'l':
		f->is_long = true;
		break;
	default:
		return virt_option(&f->virt, c, NULL);
	}
	return VIRT_GO_ON;
}

static void choose_columns(struct filesystems *f)
{
	if (!f->want_fs && !f->want_extra && !f->want_parts && !f->want_disks && !f->want_lvs && !f->want_vgs &&
	    !f->want_pvs)
		f->want_fs = true;
	f->columns[COL_NAME] = f->columns[COL_TYPE] = f->columns[COL_SIZE] = f->columns[COL_PARENT] = true;
	f->columns[COL_VFS] = f->columns[COL_LABEL] = f->want_fs || f->want_extra;
	f->columns[COL_MBR] = f->want_parts;
	f->columns[COL_UUID] = f->uuid;
}

static int run(struct filesystems *f, int argc, char **argv)
{
	struct dry_error e = { .code = DRY_OK };
	int c, rc = VIRT_GO_ON;

	while (rc == VIRT_GO_ON && (c = getopt_long(argc, argv, f->virt.letters, options, NULL)) != -1)
		rc = own_option(f, c);
	if (rc == VIRT_GO_ON)
		rc = virt_options_end(&f->virt);
	if (rc != VIRT_GO_ON)
		return rc;
	if (optind < argc) {
		fprintf(stderr, "virt-filesystems: error: extra argument \xe2\x80\x98%s\xe2\x80\x99 on command line.\n"
				"Make sure to specify the argument for --format like '--format=%s'.\n",
			argv[optind], argv[optind]);
		return virt_usage(&f->virt);
	}
	if (!f->virt.nimages) {
		fprintf(stderr, "virt-filesystems: error: you must specify at least one -a or -d option.\n");
		return virt_usage(&f->virt);
	}
	choose_columns(f);
	rc = virt_open(&f->virt);
	if (rc != VIRT_GO_ON)
		return rc;
	if (collect(f, &e) < 0 || f->nomem) {
		fprintf(stderr, "libguestfs: error: list_filesystems: %s\n", f->nomem ? "out of memory" : e.msg);
		return EXIT_FAILED;
	}
	virt_warnings(&f->virt);
	print_rows(f);
	return EXIT_DONE;
}

int virt_filesystems(int argc, char **argv)
{
	struct filesystems f = { .virt = { .name = "virt-filesystems", .letters = "a:c:d:hlvVx", .options = options,
					   .beyond = beyond, .usage = usage } };
	int status = run(&f, argc, argv);

	for (size_t i = 0; i < f.nrows; i++)
		for (int c = 0; c < COLUMNS; c++)
			free(f.rows[i].cells[c]);
	free(f.rows);
	virt_free(&f.virt);
	return status;
}
