/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "virt.h"

#include "alloc.h"
#include "text.h"
#include "uri.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void virt_free(struct virt *v)
{
	if (v->guest && dry_guest_written(v->guest))
		fprintf(stderr, "%s: %s: " GUEST_WRITTEN "\n", v->name, dry_guest_written(v->guest));
	dry_guest_close(v->guest);
	dry_machines_stop(v->machines);
	free(v->images);
	for (size_t i = 0; i < v->ndomains; i++)
		domain_free(&v->domains[i]);
	free(v->domains);
	opt_list_free(&v->mounts);
	guest_opts_free(&v->opts);
	*v = (struct virt){ .name = v->name };
}

int virt_usage(const struct virt *v)
{
	fprintf(stderr, "Try \xe2\x80\x98%s --help\xe2\x80\x99 for more information.\n", v->name);
	return EXIT_FAILED;
}

static bool put_image(struct virt *v, struct virt_image image)
{
	struct virt_image *images = alloc_resize(v->images, v->nimages + 1, sizeof *images);

	if (!images) {
		fprintf(stderr, "%s: out of memory\n", v->name);
		return false;
	}
	v->images = images;
	v->images[v->nimages++] = image;
	return true;
}

int virt_add_image(struct virt *v, const char *name)
{
	if (text_starts(name, "file:///", NULL))
		name += strlen("file://");
	if (uri_scheme(name) && !dry_name_is_remote(name)) {
		fprintf(stderr, "%s: %s: images come from files, http, https and nbd\n", v->name, name);
		return EXIT_FAILED;
	}
	if (!uri_scheme(name) && access(name, R_OK) < 0) {
		fprintf(stderr, "%s: access: %s: %s\n", v->name, name, strerror(errno));
		return EXIT_FAILED;
	}
	if (v->format && !dry_format_known(v->format)) {
		fprintf(stderr, "%s: unknown image format \"%s\"\n", v->name, v->format);
		return EXIT_FAILED;
	}
	if (!put_image(v, (struct virt_image){ .name = name, .format = v->format }))
		return EXIT_FAILED;
	v->format_unused = false;
	return VIRT_GO_ON;
}

/* The disks of a domain behind the images so far. */
static int add_disks(struct virt *v, const char *which)
{
	struct domain *domains = alloc_resize(v->domains, v->ndomains + 1, sizeof *domains), *d;
	struct dry_error e = { .code = DRY_OK };

	if (!domains) {
		fprintf(stderr, "%s: out of memory\n", v->name);
		return EXIT_FAILED;
	}
	v->domains = domains;
	d = &v->domains[v->ndomains];
	if (domain_load(which, v->uri, d, &e) < 0) {
		fprintf(stderr, "%s: %s\n", v->name, e.msg);
		return EXIT_FAILED;
	}
	v->ndomains++;
	if (!d->ndisks) {
		fprintf(stderr, "%s: libvirt domain has no disks: %s\n", v->name, d->name);
		return EXIT_FAILED;
	}
	for (size_t i = 0; i < d->ndisks; i++)
		if (!put_image(v, (struct virt_image){ .name = d->disks[i].path, .format = d->disks[i].format }))
			return EXIT_FAILED;
	return VIRT_GO_ON;
}

int virt_add_operand(struct virt *v, const char *name)
{
	return strchr(name, '/') || access(name, F_OK) == 0 ? virt_add_image(v, name) : add_disks(v, name);
}

static int refuse(const struct virt *v, const char *what)
{
	fprintf(stderr, "%s: %s\n", v->name, what);
	return EXIT_FAILED;
}

static bool is_beyond(const struct virt *v, const char *name)
{
	for (const char *const *p = v->beyond; p && *p; p++)
		if (strcmp(*p, name) == 0)
			return true;
	return false;
}

static void list_options(const struct virt *v, bool want_long)
{
	if (want_long) {
		for (const struct option *o = v->options; o->name; o++)
			if (o->val != VIRT_LONG_OPTIONS && o->val != VIRT_SHORT_OPTIONS && !is_beyond(v, o->name))
				printf("--%s\n", o->name);
	} else {
		for (const char *p = v->letters; *p; p++)
			if (*p != ':')
				printf("-%c\n", *p);
	}
}

int virt_option(struct virt *v, int option, const char *long_name)
{
	const char **items;

	switch (option) {
	case 'a':
		return virt_add_image(v, optarg);
	case VIRT_FORMAT:
		v->format = optarg && *optarg ? optarg : NULL;
		v->format_unused = true;
		return VIRT_GO_ON;
	case VIRT_BLOCKSIZE:
		/* The sector size that a table counts in is found in the table; both are looked for. */
		if (optarg && strcmp(optarg, "512") != 0 && strcmp(optarg, "4096") != 0)
			return refuse(v, "--blocksize must be 512 or 4096");
		return VIRT_GO_ON;
	case 'm':
		items = alloc_resize(v->mounts.items, v->mounts.n + 1, sizeof *items);
		if (!items)
			return refuse(v, "out of memory");
		v->mounts.items = items;
		v->mounts.items[v->mounts.n++] = optarg;
		return VIRT_GO_ON;
	case 'c':
		v->uri = optarg;
		return VIRT_GO_ON;
	case 'd':
		return put_image(v, (struct virt_image){ .name = optarg, .domain = true }) ? VIRT_GO_ON : EXIT_FAILED;
	case VIRT_KEY:
		return opt_list_add(&v->opts.keys.selectors, optarg) ? VIRT_GO_ON : EXIT_FAILED;
	case VIRT_KEYS_FROM_STDIN:
		v->opts.keys.from_stdin = true;
		return VIRT_GO_ON;
	case VIRT_ECHO_KEYS:
		v->opts.keys.echo = true;
		return VIRT_GO_ON;
	case 'v':
	case 'x':
		v->verbose = true;
		return VIRT_GO_ON;
	case 'V':
		printf("%s %s (drydock %s)\n", v->name, VIRT_VERSION, dry_version());
		return EXIT_DONE;
	case VIRT_HELP:
		printf("%s\n%s", v->name, v->usage);
		return EXIT_DONE;
	case VIRT_LONG_OPTIONS:
	case VIRT_SHORT_OPTIONS:
		list_options(v, option == VIRT_LONG_OPTIONS);
		return EXIT_DONE;
	default: /* getopt has said what is wrong */
		(void)long_name;
		return virt_usage(v);
	}
}

int virt_options_end(struct virt *v)
{
	CLEANUP(free_ptr) struct virt_image *given = NULL;
	size_t n = v->nimages;
	int rc = VIRT_GO_ON;

	if (v->format_unused)
		return refuse(v, "--format parameter must appear before -a parameter");
	/* In the order in which they were given, as libvirt's URI may come behind the domain. */
	given = take(v->images);
	v->nimages = 0;
	for (size_t i = 0; i < n && rc == VIRT_GO_ON; i++) {
		if (given[i].domain)
			rc = add_disks(v, given[i].name);
		else
			rc = put_image(v, given[i]) ? VIRT_GO_ON : EXIT_FAILED;
	}
	return rc;
}

int virt_set_of_images(struct virt *v, struct guest_set *set)
{
	CLEANUP(free_ptr) const char **names = alloc_array(v->nimages, sizeof *names);
	CLEANUP(free_ptr) const char **formats = alloc_array(v->nimages, sizeof *formats);

	if (!names || !formats)
		return refuse(v, "out of memory");
	for (size_t i = 0; i < v->nimages; i++) {
		names[i] = v->images[i].name;
		formats[i] = v->images[i].format;
	}
	return guest_set_add(set, names, formats, v->nimages) ? EXIT_FAILED : VIRT_GO_ON;
}

static void domain_failed(const struct dry_error *e)
{
	cmd_warn("%s", e->msg);
}

int virt_set_of_all_domains(struct virt *v, struct guest_set *set)
{
	struct dry_error e = { .code = DRY_OK };
	size_t n, kept = 0;

	if (domain_list(v->uri, &v->domains, &n, domain_failed, &e) < 0) {
		fprintf(stderr, "%s: %s\n", v->name, e.msg);
		return EXIT_FAILED;
	}
	v->ndomains = n;
	for (size_t i = 0; i < n; i++) {
		/* One without disks, as it may be installed over the network, has nothing to show. */
		if (!v->domains[i].ndisks) {
			domain_free(&v->domains[i]);
			continue;
		}
		if (guest_set_domain(set, &v->domains[i]))
			return EXIT_FAILED;
		v->domains[kept] = v->domains[i];
		if (kept++ != i)
			v->domains[i] = (struct domain){ .name = NULL };
	}
	v->ndomains = kept;
	return VIRT_GO_ON;
}

char *virt_guest_name(const struct virt *v, bool uuid)
{
	const char *slash = strrchr(v->images[0].name, '/');

	if (v->ndomains)
		return alloc_strdup(uuid && v->domains[0].uuid ? v->domains[0].uuid : v->domains[0].name);
	return alloc_printf("%s%s", slash ? slash + 1 : v->images[0].name, v->nimages > 1 ? "+" : "");
}

int virt_open_set(struct virt *v, struct guest_set *set, bool *fatal)
{
	const struct guest_confine confine = { .write_dir = v->writes ? v->write_dir : -1, .trust_backing = true };

	v->opts.verbose = v->verbose;
	/* Guests that are running are looked into as well, as the peers do. */
	v->opts.image.force_share = true;
	v->opts.keys.peer = v->name;
	v->opts.keys.ask |= v->opts.keys.echo;
	return guest_set_open(&v->opts, &confine, set, fatal) ? EXIT_FAILED : VIRT_GO_ON;
}

/* second NULL: there is but one. */
static int open_guests(struct virt *v, struct virt *second)
{
	CLEANUP(guest_set_free) struct guest_set set = { .guests = NULL };
	bool fatal;
	int rc = virt_set_of_images(v, &set);

	if (rc == VIRT_GO_ON && second)
		rc = virt_set_of_images(second, &set);
	if (rc == VIRT_GO_ON)
		rc = virt_open_set(v, &set, &fatal);
	if (rc != VIRT_GO_ON)
		return rc;
	v->guest = take(set.guests[0].guest);
	(second ? second : v)->machines = take(set.machines);
	if (second)
		second->guest = take(set.guests[1].guest);
	return VIRT_GO_ON;
}

int virt_open(struct virt *v)
{
	return open_guests(v, NULL);
}

int virt_open_both(struct virt *v, struct virt *second)
{
	v->opts.keys.ask = true;
	return open_guests(v, second);
}

int virt_open_asking(struct virt *v)
{
	v->opts.keys.ask = !v->mounts.n;
	return virt_open(v);
}

/* ---- volumes that stay locked ---- */

static int locked(const struct virt *v, const struct dry_volume *vol)
{
	const char *note;

	if (v->opts.keys.failed && !vol->wrong_key)
		return refuse(v, "could not read key from user");
	if (vol->wrong_key) {
		fprintf(stderr,
			"%s: could not find key to open LUKS encrypted %s.\n\nTry using --key on the command line.\n\n"
			"Original error: no key slot opens with the passphrase (0)\n",
			v->name, vol->name);
		return EXIT_FAILED;
	}
	for (size_t i = 0; (note = dry_guest_note(v->guest, i)); i++)
		fprintf(stderr, "%s: %s\n", v->name, note);
	return EXIT_FAILED;
}

int virt_unlocked(const struct virt *v)
{
	const struct dry_volume *vols;
	size_t n;

	if (dry_guest_volumes(v->guest, &vols, &n, NULL) == 0)
		for (size_t i = 0; i < n; i++)
			if (vols[i].locked && vols[i].fs_type && strcmp(vols[i].fs_type, "crypto_LUKS") == 0)
				return locked(v, &vols[i]);
	return VIRT_GO_ON;
}

/* ---- mounting ---- */

/* That is how the peers go through them: the last ones by name. */
enum { DISK, OTHER, PARTITION, ARRAY, LOGICAL, PASSES };
static int pass_of(const struct dry_volume *v)
{
	if (v->number)
		return PARTITION;
	if (strcmp(v->scheme, "disk") == 0)
		return DISK;
	return strcmp(v->scheme, "lvm") == 0 ? LOGICAL : strcmp(v->scheme, "md") == 0 ? ARRAY : OTHER;
}

static int by_name(const void *a, const void *b, void *volumes)
{
	const struct dry_volume *v = volumes;

	return strcmp(v[*(const size_t *)a].name, v[*(const size_t *)b].name);
}

size_t *virt_filesystem_order(struct dry_guest *g, size_t *n, struct dry_error *e)
{
	const struct dry_volume *v;
	size_t nvolumes, *order;

	*n = 0;
	if (dry_guest_volumes(g, &v, &nvolumes, e) < 0)
		return NULL;
	order = alloc_array(nvolumes + 1, sizeof *order);
	if (!order) {
		*e = (struct dry_error){ .code = DRY_NOMEM, .msg = "out of memory" };
		return NULL;
	}
	for (int pass = 0; pass < PASSES; pass++) {
		size_t before = *n;

		for (size_t i = 0; i < nvolumes; i++)
			if (!v[i].extended && !v[i].in_use && !v[i].dormant && pass_of(&v[i]) == pass)
				order[(*n)++] = i;
		if (pass == LOGICAL)
			qsort_r(order + before, *n - before, sizeof *order, by_name, (void *)v);
	}
	return order;
}

void virt_subvolumes(struct dry_guest *g, size_t volume, void (*fn)(void *arg, const char *name), void *arg)
{
	const struct dry_subvolume *s;
	const struct dry_volume *vols;
	size_t n, nvols;

	if (dry_guest_volumes(g, &vols, &nvols, NULL) < 0 || !vols[volume].fs_readable ||
	    dry_guest_subvolumes(g, volume, &s, &n, NULL) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		if (!s[i].is_default)
			fn(arg, s[i].name);
}

static void suggest_subvolume(void *arg, const char *name)
{
	const struct virt *v = arg;

	fprintf(stderr, "%s: \t%s (btrfs)\n", v->name, name);
}

static void suggest_filesystems(struct virt *v, const char *device)
{
	const struct dry_volume *vols;
	size_t n, nvols;
	struct dry_error e;
	CLEANUP(free_ptr) size_t *order = virt_filesystem_order(v->guest, &n, &e);

	fprintf(stderr, "%s: \xe2\x80\x98%s\xe2\x80\x99 could not be mounted.\n", v->name, device);
	if (!order || dry_guest_volumes(v->guest, &vols, &nvols, &e) < 0)
		return;
	fprintf(stderr, "%s: Did you mean to mount one of these filesystems?\n", v->name);
	for (size_t i = 0; i < n; i++) {
		const char *type = vols[order[i]].fs_type;

		fprintf(stderr, "%s: \t%s (%s)\n", v->name, vols[order[i]].name, type ? type : "unknown");
		virt_subvolumes(v->guest, order[i], suggest_subvolume, v);
	}
}

/* "/dev/sda2:/:ro:ext4" */
static int mount_given(struct virt *v, const char *spec)
{
	CLEANUP(free_ptr) char *copy = alloc_strdup(spec);
	struct dry_error e = { .code = DRY_OK };
	const char *type, *unknown;
	struct mount_spec m;

	if (!copy)
		return refuse(v, "out of memory");
	guest_mount_split(copy, &m);
	if (m.opts && guest_mount_unknown(m.opts, &unknown)) {
		fprintf(stderr, "%s: -m: mount options \"%s\" are not known here\n", v->name, m.opts);
		return EXIT_FAILED;
	}
	type = guest_mount_type(v->guest, m.device);
	if (m.type && type && strcmp(m.type, type) != 0) {
		fprintf(stderr, "libguestfs: error: mount_vfs: %s is %s, not %s\n", m.device, type, m.type);
		suggest_filesystems(v, m.device);
		return EXIT_FAILED;
	}
	if (dry_guest_mount(v->guest, m.device, m.opts, m.dir, &e) < 0) {
		fprintf(stderr, "libguestfs: error: mount_options: %s\n", e.msg);
		suggest_filesystems(v, m.device);
		return EXIT_FAILED;
	}
	return VIRT_GO_ON;
}

int virt_mount(struct virt *v)
{
	struct dry_error e = { .code = DRY_OK };
	const char *note;
	int rc = v->mounts.n ? VIRT_GO_ON : virt_unlocked(v);

	if (rc != VIRT_GO_ON)
		return rc;
	for (size_t i = 0; i < v->mounts.n && rc == VIRT_GO_ON; i++)
		rc = mount_given(v, v->mounts.items[i]);
	if (!v->mounts.n && dry_guest_mount_auto(v->guest, false, &e) < 0) {
		if (e.code == DRY_NOT_FOUND)
			fprintf(stderr,
				"%s: no operating system was found on this disk\n\n"
				"virt-filesystems lists the filesystems that are there; -m mounts one of them.\n",
				v->name);
		else if (e.code == DRY_USAGE)
			fprintf(stderr, "%s: multi-boot operating systems are not supported: %s\n", v->name, e.msg);
		else
			fprintf(stderr, "libguestfs: error: inspect_os: %s\n", e.msg);
		rc = EXIT_FAILED;
	}
	virt_warnings(v);
	for (size_t i = 0; v->verbose && (note = dry_guest_note(v->guest, i)); i++)
		fprintf(stderr, "%s: %s\n", v->name, note);
	return rc;
}

void virt_warnings(const struct virt *v)
{
	const char *warning;

	for (size_t i = 0; (warning = dry_guest_warning(v->guest, i)); i++)
		fprintf(stderr, "%s: %s\n", v->name, warning);
}

int virt_call_failed(const char *call, const char *path, const struct dry_error *e)
{
	if (e->code == DRY_NOT_FOUND)
		fprintf(stderr, "libguestfs: error: %s: %s: %s\n", call, path, strerror(ENOENT));
	else if (e->code == DRY_SYSTEM && e->sys_errno)
		fprintf(stderr, "libguestfs: error: %s: %s: %s\n", call, path, strerror(e->sys_errno));
	else
		fprintf(stderr, "libguestfs: error: %s: %s: %s\n", call, path, e->msg);
	return EXIT_FAILED;
}

bool virt_path_is_absolute(const char *call, const char *path)
{
	if (path[0] == '/')
		return true;
	fprintf(stderr, "libguestfs: error: %s: %s_stub: path must start with a / character\n", call, call);
	return false;
}

char *virt_human(uint64_t bytes, char *buf, size_t size)
{
	static const char units[] = "KMGTPE";
	uint64_t whole = bytes, unit_bytes = 1, tenths;
	int unit = -1;

	/* To the nearest, a decimal where there is but one digit before it: unlike out_human(), which rounds up. */
	while (whole >= 1024) {
		whole >>= 10;
		unit_bytes <<= 10;
		unit++;
	}
	tenths = (uint64_t)(((unsigned __int128)bytes * 10 + unit_bytes / 2) / unit_bytes);
	whole = (uint64_t)(((unsigned __int128)bytes + unit_bytes / 2) / unit_bytes);
	if (whole == 1024 && unit + 1 < (int)sizeof units - 1)
		snprintf(buf, size, "1.0%c", units[unit + 1]);
	else if (unit >= 0 && tenths < 100)
		snprintf(buf, size, "%" PRIu64 ".%" PRIu64 "%c", tenths / 10, tenths % 10, units[unit]);
	else if (unit >= 0)
		snprintf(buf, size, "%" PRIu64 "%c", whole, units[unit]);
	else
		snprintf(buf, size, "%" PRIu64, whole);
	return buf;
}
