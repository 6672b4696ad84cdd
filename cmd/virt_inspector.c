/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virt_inspector.c - the program under the name virt-inspector: options, and the elements of its document. */
#include "virt_inspector.h"

#include "alloc.h"
#include "out.h"

#include <inttypes.h>
#include <stdio.h>

enum { OPT_NO_APPLICATIONS = VIRT_OWN, OPT_NO_ICON, OPT_XPATH };

static const struct option options[] = {
	{ "add", 1, NULL, 'a' },
	{ "blocksize", 2, NULL, VIRT_BLOCKSIZE },
	{ "connect", 1, NULL, 'c' },
	{ "domain", 1, NULL, 'd' },
	{ "echo-keys", 0, NULL, VIRT_ECHO_KEYS },
	{ "format", 2, NULL, VIRT_FORMAT },
	{ "help", 0, NULL, VIRT_HELP },
	{ "key", 1, NULL, VIRT_KEY },
	{ "keys-from-stdin", 0, NULL, VIRT_KEYS_FROM_STDIN },
	{ "long-options", 0, NULL, VIRT_LONG_OPTIONS },
	{ "no-applications", 0, NULL, OPT_NO_APPLICATIONS },
	{ "no-icon", 0, NULL, OPT_NO_ICON },
	{ "short-options", 0, NULL, VIRT_SHORT_OPTIONS },
	{ "verbose", 0, NULL, 'v' },
	{ "version", 0, NULL, 'V' },
	{ "xpath", 1, NULL, OPT_XPATH },
	{ NULL, 0, NULL, 0 },
};

static const char usage[] =
	"usage: virt-inspector [options] -a DISK [-a DISK...]\n"
	"       virt-inspector --xpath QUERY <FILE\n\n"
	"Tells as XML which operating systems are in a guest.\n\n"
	"  -a, --add DISK            a disk of the guest\n"
	"      --blocksize[=N]       sector size of the disk, 512 or 4096\n"
	"      --format[=FMT]        format of the disks behind it; without FMT it is found\n"
	VIRT_KEYS_HELP
	"      --no-applications     leave out what is installed\n"
	"      --no-icon             leave out the picture of the system\n"
	"      --xpath QUERY         answer a query about such a document, on standard input\n"
	"  -v, --verbose; -x         tell what is done\n"
	"  -V, --version             print the version\n"
	"      --help                print this help\n";

static void number(struct virt_inspector *c, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof text, "%" PRIu64, value);
	xml_element(&c->xml, name, text);
}

/* What is not known has no element. */
static void known(struct virt_inspector *c, const char *name, const char *value)
{
	if (value && *value)
		xml_element(&c->xml, name, value);
}

/* ---- where things are ---- */

/* "/dev/sda2", or "btrfsvol:/dev/sda2/@home" where a subvolume is seen that is not the default one. */
static const char *device_of(struct virt_inspector *c, const struct dry_mount *m)
{
	const struct dry_subvolume *s;
	size_t n;

	if (m->subvolume && dry_guest_subvolumes(c->virt.guest, m->volume_index, &s, &n, NULL) == 0)
		for (size_t i = 0; i < n; i++)
			if (s[i].id == m->subvolume)
				return s[i].name;
	return m->volume;
}

struct mounts {
	struct dry_mount *items;
	size_t n;
};

static void mounts_free(struct mounts *l)
{
	free(l->items);
}

static int load_mounts(struct virt_inspector *c, struct mounts *l)
{
	struct dry_mount m, *items;

	for (size_t i = 0; dry_guest_mount_at(c->virt.guest, i, &m); i++) {
		items = alloc_resize(l->items, l->n + 1, sizeof *items);
		if (!items) {
			fprintf(stderr, "virt-inspector: out of memory\n");
			return EXIT_FAILED;
		}
		l->items = items;
		l->items[l->n++] = m;
	}
	return 0;
}

/* Shorter paths first: what lies in others comes behind them. */
static int by_path(const void *a, const void *b)
{
	const char *x = ((const struct dry_mount *)a)->path, *y = ((const struct dry_mount *)b)->path;
	const size_t nx = strlen(x), ny = strlen(y);

	return nx != ny ? (nx > ny) - (nx < ny) : strcmp(x, y);
}

static void put_mountpoints(struct virt_inspector *c, const struct mounts *l)
{
	xml_start(&c->xml, "mountpoints");
	for (size_t i = 0; i < l->n; i++) {
		xml_start(&c->xml, "mountpoint");
		xml_attribute(&c->xml, "dev", device_of(c, &l->items[i]));
		xml_text(&c->xml, l->items[i].path);
		xml_end(&c->xml, "mountpoint");
	}
	xml_end(&c->xml, "mountpoints");
}

static void put_filesystem(struct virt_inspector *c, const char *device, const struct dry_volume *v)
{
	xml_start(&c->xml, "filesystem");
	xml_attribute(&c->xml, "dev", device);
	known(c, "type", v->fs_type);
	known(c, "label", v->fs_label);
	known(c, "uuid", v->fs_uuid);
	xml_end(&c->xml, "filesystem");
}

struct filesystem {
	const char *device;
	size_t volume;
};

static int by_device(const void *a, const void *b)
{
	return strcmp(((const struct filesystem *)a)->device, ((const struct filesystem *)b)->device);
}

static bool is_in_fstab(struct virt_inspector *c, const char *volume)
{
	struct dry_fstab f;

	for (size_t i = 0; dry_guest_fstab(c->virt.guest, i, &f); i++)
		if (f.volume && strcmp(f.volume, volume) == 0)
			return true;
	return false;
}

/* What is mounted, each once, and the swap that the guest uses. */
static int put_filesystems(struct virt_inspector *c, const struct mounts *l)
{
	const struct dry_volume *vols;
	struct dry_error e = { .code = DRY_OK };
	struct dry_facts facts;
	CLEANUP(free_ptr) struct filesystem *list = NULL;
	size_t nvols, n = 0;

	if (dry_guest_volumes(c->virt.guest, &vols, &nvols, &e) < 0 || dry_guest_facts(c->virt.guest, &facts, &e) < 0)
		return virt_call_failed("inspect_get_filesystems", "/", &e);
	list = alloc_array(nvols + l->n + 1, sizeof *list);
	if (!list) {
		fprintf(stderr, "virt-inspector: out of memory\n");
		return EXIT_FAILED;
	}
	for (size_t i = 0; i < l->n; i++)
		list[n++] = (struct filesystem){ device_of(c, &l->items[i]), l->items[i].volume_index };
	for (size_t i = 0; i < nvols; i++)
		if (vols[i].fs_type && strcmp(vols[i].fs_type, "swap") == 0 && is_in_fstab(c, vols[i].name))
			list[n++] = (struct filesystem){ vols[i].name, i };
	qsort(list, n, sizeof *list, by_device);
	xml_start(&c->xml, "filesystems");
	for (size_t i = 0; i < n; i++)
		if (!i || strcmp(list[i].device, list[i - 1].device) != 0)
			put_filesystem(c, list[i].device, &vols[list[i].volume]);
	xml_end(&c->xml, "filesystems");
	return 0;
}

/* ---- what is installed ---- */

/* Of Windows the key is the name, and what people read is another element. */
static void put_program(struct virt_inspector *c, const struct dry_package *p)
{
	known(c, "display_name", p->name);
	known(c, "version", p->version);
	known(c, "install_path", p->location);
	known(c, "publisher", p->vendor);
	known(c, "url", p->url);
	known(c, "description", p->summary);
}

/* Of these formats the one line that there is stands for the description, and a release is written without its letter. */
static void put_words(struct virt_inspector *c, const struct dry_package *p)
{
	const bool apk = strcmp(p->format, "apk") == 0;
	const bool one_line = apk || strcmp(p->format, "pacman") == 0;

	known(c, "version", p->version);
	known(c, "release", apk && p->release && *p->release == 'r' ? p->release + 1 : p->release);
	known(c, "arch", p->arch);
	known(c, "publisher", p->vendor);
	known(c, "url", p->url);
	if (p->source && strcmp(p->source, p->name ? p->name : "") != 0)
		xml_element(&c->xml, "source_package", p->source);
	if (!one_line)
		known(c, "summary", p->summary);
	known(c, "description", one_line && !p->description ? p->summary : p->description);
}

static int add_application(void *arg, const struct dry_package *p)
{
	struct virt_inspector *c = arg;
	const bool windows = strcmp(p->format, "windows") == 0;
	const char *name = windows && p->id ? p->id : p->name ? p->name : "";
	struct application *a;

	if (c->napplications == c->cap) {
		const size_t cap = c->cap * 2 + 256;

		a = alloc_resize(c->applications, cap, sizeof *a);
		if (!a)
			return 1;
		c->applications = a;
		c->cap = cap;
	}
	a = &c->applications[c->napplications];
	*a = (struct application){ .name = c->elements.len, .number = c->napplications };
	strbuf_add(&c->elements, name, strlen(name) + 1);
	a->start = c->elements.len;
	c->xml.out = &c->elements;
	xml_start(&c->xml, "application");
	known(c, "name", name);
	if (p->epoch)
		number(c, "epoch", p->epoch);
	if (windows)
		put_program(c, p);
	else
		put_words(c, p);
	xml_end(&c->xml, "application");
	c->xml.out = &c->text;
	a->end = c->elements.len;
	c->napplications++;
	return c->elements.failed;
}

static int by_application(const void *x, const void *y, void *elements)
{
	const struct application *a = x, *b = y;
	const int order = strcmp((const char *)elements + a->name, (const char *)elements + b->name);

	return order ? order : (a->number > b->number) - (a->number < b->number);
}

static int application_failed(void *arg, const char *path, const struct dry_error *why)
{
	(void)arg;
	fprintf(stderr, "virt-inspector: %s: %s\n", path, why->msg);
	return 0;
}

static int put_applications(struct virt_inspector *c)
{
	const struct dry_package_walk w = { .package = add_application, .failed = application_failed, .arg = c };
	struct dry_error e = { .code = DRY_OK };
	int rc;

	c->napplications = 0;
	strbuf_reset(&c->elements);
	c->xml.depth++;
	rc = dry_guest_packages(c->virt.guest, &w, &e);
	c->xml.depth--;
	xml_start(&c->xml, "applications");
	if (c->napplications) {
		/* The ">" comes before the elements that are there already. */
		xml_text(&c->xml, "");
		c->xml.text = false;
		qsort_r(c->applications, c->napplications, sizeof *c->applications, by_application, c->elements.s);
	}
	for (size_t i = 0; i < c->napplications; i++) {
		const struct application *a = &c->applications[i];

		strbuf_add(&c->text, c->elements.s + a->start, a->end - a->start);
		if (c->text.len > 64 * 1024 && out_flush(&c->text) != EXIT_DONE)
			return EXIT_FAILED;
	}
	xml_end(&c->xml, "applications");
	return rc < 0 ? virt_call_failed("inspect_list_applications2", "/", &e) : 0;
}

/* ---- a system ---- */

/* windows: NULL when it is none. */
static void put_facts(struct virt_inspector *c, const char *root, const struct dry_os *os, const struct dry_windows *windows)
{
	xml_element(&c->xml, "root", root);
	xml_element(&c->xml, "name", os->type ? os->type : "unknown");
	known(c, "arch", os->arch);
	known(c, "distro", os->distro);
	known(c, "product_name", os->product_name);
	known(c, "product_variant", os->product_variant);
	number(c, "major_version", os->has_version ? os->major : 0);
	number(c, "minor_version", os->has_version ? os->minor : 0);
	known(c, "package_format", os->package_format);
	known(c, "package_management", os->package_manager);
	if (windows) {
		known(c, "windows_systemroot", windows->systemroot);
		known(c, "windows_current_control_set", windows->control_set);
	}
	known(c, "hostname", os->hostname);
	known(c, "build_id", os->build_id);
	known(c, "osinfo", os->osinfo);
}

/* Letters of volumes that are there. */
static void put_drives(struct virt_inspector *c, const struct dry_windows *windows)
{
	bool any = false;

	for (size_t i = 0; i < windows->ndrives; i++) {
		const struct dry_drive *d = &windows->drives[i];

		if (!d->volume)
			continue;
		if (!any)
			xml_start(&c->xml, "drive_mappings");
		any = true;
		xml_start(&c->xml, "drive_mapping");
		xml_attribute(&c->xml, "name", (const char[]){ d->letter, '\0' });
		xml_text(&c->xml, d->volume);
		xml_end(&c->xml, "drive_mapping");
	}
	if (any)
		xml_end(&c->xml, "drive_mappings");
}

static int put_system(struct virt_inspector *c)
{
	CLEANUP(mounts_free) struct mounts mounts = { NULL, 0 };
	struct dry_error e = { .code = DRY_OK };
	struct dry_windows windows;
	struct dry_os os;
	bool is_windows;
	int rc;

	if (dry_guest_os(c->virt.guest, &os, &e) < 0)
		return virt_call_failed("inspect_os", "/", &e);
	for (size_t i = 0; i < os.nwarnings; i++)
		fprintf(stderr, "virt-inspector: %s\n", os.warnings[i]);
	virt_warnings(&c->virt);
	if (load_mounts(c, &mounts))
		return EXIT_FAILED;
	xml_start(&c->xml, "operatingsystem");
	/* The root was mounted first. */
	is_windows = dry_guest_windows(c->virt.guest, &windows, NULL) == 0;
	put_facts(c, mounts.n ? device_of(c, &mounts.items[0]) : "", &os, is_windows ? &windows : NULL);
	if (mounts.n)
		qsort(mounts.items, mounts.n, sizeof *mounts.items, by_path);
	put_mountpoints(c, &mounts);
	rc = put_filesystems(c, &mounts);
	if (!rc && is_windows)
		put_drives(c, &windows);
	if (!rc && !c->no_applications)
		rc = put_applications(c);
	if (!rc && !c->no_icon)
		rc = virt_inspector_icon(c, &os);
	xml_end(&c->xml, "operatingsystem");
	return rc ? rc : out_flush(&c->text);
}

static int inspect(struct virt_inspector *c)
{
	struct dry_error e = { .code = DRY_OK };
	const struct dry_root *roots;
	int status = EXIT_DONE;
	size_t n;

	if (dry_guest_roots(c->virt.guest, &roots, &n, &e) < 0)
		return virt_call_failed("inspect_os", "/", &e);
	xml_declaration(&c->xml);
	xml_start(&c->xml, "operatingsystems");
	for (size_t i = 0; i < n; i++) {
		if (dry_guest_mount_root(c->virt.guest, i, &e) < 0)
			status = virt_call_failed("mount", roots[i].volume, &e);
		else
			status |= put_system(c);
		dry_guest_unmount(c->virt.guest);
	}
	xml_end(&c->xml, "operatingsystems");
	return out_flush(&c->text) != EXIT_DONE || status ? EXIT_FAILED : EXIT_DONE;
}

/* ---- options ---- */

static int own_option(struct virt_inspector *c, int option)
{
	switch (option) {
	case OPT_NO_APPLICATIONS:
		c->no_applications = true;
		break;
	case OPT_NO_ICON:
		c->no_icon = true;
		break;
	case OPT_XPATH:
		c->xpath = optarg;
		break;
	default:
		return virt_option(&c->virt, option, NULL);
	}
	return VIRT_GO_ON;
}

static int run(struct virt_inspector *c, int argc, char **argv)
{
	int option, rc = VIRT_GO_ON;

	while (rc == VIRT_GO_ON && (option = getopt_long(argc, argv, c->virt.letters, options, NULL)) != -1)
		rc = own_option(c, option);
	if (rc == VIRT_GO_ON)
		rc = virt_options_end(&c->virt);
	/* virt-inspector DISK..., as it once was */
	if (rc == VIRT_GO_ON && !c->xpath && !c->virt.nimages)
		while (rc == VIRT_GO_ON && optind < argc)
			rc = virt_add_image(&c->virt, argv[optind++]);
	if (rc != VIRT_GO_ON)
		return rc;
	if (optind < argc) {
		fprintf(stderr,
			"virt-inspector: error: extra argument \xe2\x80\x98%s\xe2\x80\x99 on command line.\n"
			"Make sure to specify the argument for --format like '--format=%s'.\n",
			argv[optind], argv[optind]);
		return virt_usage(&c->virt);
	}
	if (c->xpath) {
		if (!c->virt.nimages)
			return virt_xpath(c->xpath);
		fprintf(stderr, "virt-inspector: cannot use --xpath together with other options.\n");
		return EXIT_FAILED;
	}
	if (!c->virt.nimages) {
		fprintf(stderr, "virt-inspector: error: you must specify at least one -a or -d option.\n");
		return virt_usage(&c->virt);
	}
	rc = virt_open_asking(&c->virt);
	if (rc == VIRT_GO_ON)
		rc = virt_unlocked(&c->virt);
	return rc == VIRT_GO_ON ? inspect(c) : rc;
}

int virt_inspector(int argc, char **argv)
{
	struct virt_inspector c = {
		.virt = { .name = "virt-inspector", .letters = "a:c:d:vVx", .options = options, .usage = usage },
		.text = STRBUF_INIT,
		.elements = STRBUF_INIT,
	};
	int status;

	c.xml = (struct xml)XML_INIT(&c.text);
	status = run(&c, argc, argv);
	strbuf_free(&c.text);
	strbuf_free(&c.elements);
	free(c.applications);
	virt_free(&c.virt);
	return status;
}
