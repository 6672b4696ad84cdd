/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * customize_windows.c - operations on a Windows guest: what it needs to run on virtio devices.
 *
 * Files are put where the system looks for them, and the driver of the disk that it starts from is made known in the registry, as
 * the kernel takes no other way to it: in the CriticalDeviceDatabase before Windows 8, in the DriverDatabase since.  All other
 * drivers and agents Windows installs itself, by a script of the first start.
 */
#include "customize.h"

#include "alloc.h"
#include "firstboot.h"
#include "limits.h"
#include "os_windows.h"
#include "text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

/* ---- arguments ---- */

int take_media(struct customize_item *item, struct err *e)
{
	if (strcmp(item->a, "osinfo") == 0)
		return err_set(e, ERR_UNSUPPORTED,
			       "drivers are not looked up in libosinfo's database: name the ISO image or folder");
	return windows_media_open(item->a, &item->media, e);
}

/* ---- where things are ---- */

struct wanted {
	const char *name;
	char *found;
};

static int same_name(void *arg, const char *name, uint32_t type, struct err *e)
{
	struct wanted *w = arg;

	(void)type;
	/* One that is written the same is the better one. */
	if (strcasecmp(name, w->name) != 0 || (w->found && strcmp(name, w->name) != 0))
		return 0;
	free(w->found);
	w->found = alloc_strdup(name);
	return w->found ? 0 : err_nomem(e);
}

/* A path below a folder, with the letters that are there, as Windows does not tell large ones from small ones; for free(). */
static int windows_path(struct tree *t, const char *folder, const char *path, char **out, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf at = STRBUF_INIT;
	int rc = 0;

	strbuf_puts(&at, folder);
	while (*path && rc == 0) {
		CLEANUP(free_ptr) char *word = alloc_strndup(path, strcspn(path, "/"));
		struct wanted w = { .name = word };

		if (!word || at.failed)
			return err_nomem(e);
		if (tree_is_dir(t, at.s))
			rc = t->ops->list(t, at.s, same_name, &w, e);
		strbuf_printf(&at, "/%s", w.found ? w.found : word);
		free(w.found);
		path += strlen(word);
		path += *path == '/';
	}
	if (rc < 0)
		return rc;
	*out = strbuf_detach(&at);
	return *out ? 0 : err_nomem(e);
}

static int windows_only(const struct customize_job *job, struct err *e)
{
	const struct os *os = job->tree->os;

	if (!os->type || strcmp(os->type, "windows") != 0 || !os->windows || !os->windows->systemroot)
		return err_set(e, ERR_UNSUPPORTED, "this guest is no Windows");
	return 0;
}

/* "Windows Server 2022 for x86_64" ... for a sentence. */
static int nothing_for(const struct customize_job *job, const struct customize_item *item, const char *what, struct err *e)
{
	const struct os *os = job->tree->os;
	CLEANUP(strbuf_free) struct strbuf q = STRBUF_INIT;

	if (os->product_name)
		text_quote(&q, os->product_name, strlen(os->product_name));
	return err_set(e, ERR_NOT_FOUND, "%s has no %s for %s on %s", item->a, what, q.len && !q.failed ? q.s : "this Windows",
		       os->arch ? os->arch : "this processor");
}

/* ---- the registry ---- */

struct driver {
	const char *name;
	const char *devices[2]; /* of old and of new virtio */
};
static const struct driver block_drivers[] = {
	{ "viostor", { "VEN_1AF4&DEV_1001&REV_00", "VEN_1AF4&DEV_1042&REV_01" } },
	{ "vioscsi", { "VEN_1AF4&DEV_1004&REV_00", "VEN_1AF4&DEV_1048&REV_01" } },
};
#define SCSI_CLASS "{4D36E97B-E325-11CE-BFC1-08002BE10318}"
/* Of a package of drivers: its class comes behind eight bytes, its date and version are none. */
#define PACKAGE_VERSION "00ff090000000000" "7be9364d25e3ce11bfc108002be10318" "000000000000000000000000000000000000000000000000"
#define SYSTEM "HKEY_LOCAL_MACHINE\\SYSTEM\\"

/* A value of a key below SYSTEM, into which the names of a driver and a device are put for %D and %P. */
struct line {
	const char *key, *name, *type, *value;
};
static const struct line service_lines[] = {
	{ "CurrentControlSet\\Services\\%D", "Type", "dword", "1" },
	{ "CurrentControlSet\\Services\\%D", "Start", "dword", "0" },
	{ "CurrentControlSet\\Services\\%D", "Group", "sz", "SCSI miniport" },
	{ "CurrentControlSet\\Services\\%D", "ErrorControl", "dword", "1" },
	{ "CurrentControlSet\\Services\\%D", "ImagePath", "expand", "system32\\drivers\\%D.sys" },
};
static const struct line critical_lines[] = {
	{ "CurrentControlSet\\Control\\CriticalDeviceDatabase\\PCI#%P", "Service", "sz", "%D" },
	{ "CurrentControlSet\\Control\\CriticalDeviceDatabase\\PCI#%P", "ClassGUID", "sz", SCSI_CLASS },
};
static const struct line package_lines[] = {
	{ "DriverDatabase\\DriverInfFiles\\drydock-%D.inf", "", "multi", "drydock-%D.inf_1" },
	{ "DriverDatabase\\DriverInfFiles\\drydock-%D.inf", "Active", "sz", "drydock-%D.inf_1" },
	{ "DriverDatabase\\DriverInfFiles\\drydock-%D.inf", "Configurations", "multi", "boot" },
	{ "DriverDatabase\\DeviceIds\\PCI\\%P", "drydock-%D.inf", "binary", "01ff0000" },
	{ "DriverDatabase\\DriverPackages\\drydock-%D.inf_1", "Version", "binary", PACKAGE_VERSION },
	{ "DriverDatabase\\DriverPackages\\drydock-%D.inf_1\\Configurations\\boot", "ConfigFlags", "dword", "0" },
	{ "DriverDatabase\\DriverPackages\\drydock-%D.inf_1\\Configurations\\boot", "Service", "sz", "%D" },
	{ "DriverDatabase\\DriverPackages\\drydock-%D.inf_1\\Descriptors\\PCI\\%P", "Configuration", "sz", "boot" },
};

static char *fill_in(const char *form, const char *driver, const char *device)
{
	struct strbuf out = STRBUF_INIT;

	for (; *form; form++) {
		if (form[0] == '%' && form[1] == 'D')
			strbuf_puts(&out, driver);
		else if (form[0] == '%' && form[1] == 'P')
			strbuf_puts(&out, device);
		else
			strbuf_putc(&out, *form);
		form += form[0] == '%' && (form[1] == 'D' || form[1] == 'P');
	}
	return strbuf_detach(&out);
}

static int lines_add(struct reg_edits *edits, const struct line *lines, size_t n, const struct driver *d, const char *device,
		     struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		CLEANUP(free_ptr) char *below = fill_in(lines[i].key, d->name, device);
		CLEANUP(free_ptr) char *key = below ? alloc_printf(SYSTEM "%s", below) : NULL;
		CLEANUP(free_ptr) char *name = fill_in(lines[i].name, d->name, device);
		CLEANUP(free_ptr) char *value = fill_in(lines[i].value, d->name, device);
		struct reg_edit edit = { .kind = REG_EDIT_VALUE, .key = key, .name = name };

		rc = key && name && value ? reg_value_parse(lines[i].type, value, &edit, e) : err_nomem(e);
		if (rc == 0)
			rc = reg_edits_add(edits, &edit, e);
		free(edit.data);
	}
	return rc;
}

/* Windows finds the disk that it starts from by this driver. */
static int starts_by(struct customize_job *job, const struct driver *d, struct err *e)
{
	const struct os *os = job->tree->os;
	bool packages = os->major > 6 || (os->major == 6 && os->minor >= 2);
	int rc = lines_add(&job->edits, service_lines, ARRAY_LEN(service_lines), d, "", e);

	for (size_t i = 0; i < ARRAY_LEN(d->devices) && rc == 0; i++)
		rc = packages ? lines_add(&job->edits, package_lines, ARRAY_LEN(package_lines), d, d->devices[i], e)
			      : lines_add(&job->edits, critical_lines, ARRAY_LEN(critical_lines), d, d->devices[i], e);
	return rc;
}

/* ---- drivers ---- */

struct copying {
	struct customize_job *job;
	const struct customize_item *item;
	char *folder;	 /* of the guest, into which files go */
	const char *only; /* a file's name; NULL: all */
	bool fwcfg_null, fwcfg_real; /* drivers of the device fw_cfg, of which only one may be there */
	size_t n;
};

static int copy_one(void *arg, const char *path, const char *name, struct err *e)
{
	struct copying *c = arg;
	size_t len = strlen(name);
	CLEANUP(free_ptr) char *to = NULL;
	int rc;

	/* What debuggers read is larger than all the rest. */
	if (c->only ? strcmp(name, c->only) != 0 : len > 4 && strcmp(name + len - 4, ".pdb") == 0)
		return 0;
	to = alloc_printf("%s/%s", c->folder, name);
	rc = to ? windows_media_copy(c->item->media, path, c->job->tree, to, e) : err_nomem(e);
	c->fwcfg_null |= strcmp(name, "qemufwcfg.inf") == 0;
	c->fwcfg_real |= strcmp(name, "fwcfg.inf") == 0;
	c->n++;
	return rc;
}

static int drivers_copy(struct copying *c, struct err *e)
{
	int rc = windows_media_drivers(c->item->media, c->job->tree->os, copy_one, c, e);

	return rc < 0 ? err_in(e, rc, "%s", c->item->a) : 0;
}

static int drop_file(void *arg, const char *path, struct err *e)
{
	return tree_drop(arg, path, e);
}

static int block_driver(struct copying *c, const struct driver *d, struct err *e)
{
	struct tree *t = c->job->tree;
	CLEANUP(free_ptr) char *from = alloc_printf("%s/%s.sys", c->folder, d->name);
	CLEANUP(free_ptr) char *below = alloc_printf("system32/drivers/%s.sys", d->name);
	CLEANUP(free_ptr) char *to = NULL;
	CLEANUP(free_ptr) char *bytes = NULL;
	size_t len;
	int rc;

	if (!from || !below)
		return err_nomem(e);
	if (!tree_is_file(t, from))
		return 0;
	rc = windows_path(t, t->os->windows->systemroot, below, &to, e);
	if (rc == 0)
		rc = t->ops->read(t, from, LIMIT_SCRIPT_BYTES, &bytes, &len, e);
	if (rc == 0)
		rc = t->ops->write(t, to, bytes, len, &(struct tree_owner){ .mode = 0755 }, e);
	return rc < 0 ? rc : starts_by(c->job, d, e);
}

int run_inject_virtio_win(struct customize_job *job, const struct customize_item *item, struct err *e)
{
	static const char script[] = "pnputil -i -a \"%SystemRoot%\\Drivers\\VirtIO\\*.inf\"\n";
	struct tree *t = job->tree;
	struct copying c = { .job = job, .item = item };
	CLEANUP(free_ptr) char *nulls = NULL;
	int rc = windows_only(job, e);

	if (rc == 0)
		rc = windows_path(t, t->os->windows->systemroot, "Drivers/VirtIO", &c.folder, e);
	if (rc == 0)
		rc = drivers_copy(&c, e);
	if (rc == 0 && !c.n)
		rc = nothing_for(job, item, "drivers", e);
	if (rc == 0 && c.fwcfg_null && c.fwcfg_real) {
		nulls = alloc_printf("%s/qemufwcfg.*", c.folder);
		rc = nulls ? tree_glob(t, nulls, drop_file, t, e) : err_nomem(e);
	}
	for (size_t i = 0; i < ARRAY_LEN(block_drivers) && rc == 0; i++)
		rc = block_driver(&c, &block_drivers[i], e);
	if (rc == 0)
		rc = firstboot_add(t, "virtio drivers", script, sizeof script - 1, &job->edits, e);
	free(c.folder);
	return rc;
}

/* ---- agents ---- */

int run_inject_qemu_ga(struct customize_job *job, const struct customize_item *item, struct err *e)
{
	struct tree *t = job->tree;
	CLEANUP(free_ptr) char *path = NULL;
	CLEANUP(free_ptr) char *name = NULL;
	CLEANUP(free_ptr) char *to = NULL;
	CLEANUP(free_ptr) char *script = NULL;
	int rc = windows_only(job, e);

	if (rc < 0)
		return rc;
	rc = windows_media_agent(item->media, t->os, &path, &name, e);
	if (rc < 0)
		return err_in(e, rc, "%s", item->a);
	if (!path)
		return nothing_for(job, item, "installer of QEMU's guest agent", e);
	to = alloc_printf("/Program Files/drydock/%s", name);
	script = alloc_printf("msiexec /i \"%%ProgramFiles%%\\drydock\\%s\" /qn /norestart /l*v "
			      "\"%%ProgramFiles%%\\drydock\\%s.log\"\n", name, name);
	rc = to && script ? windows_media_copy(item->media, path, t, to, e) : err_nomem(e);
	return rc < 0 ? rc : firstboot_add(t, "qemu guest agent", script, strlen(script), &job->edits, e);
}

int run_inject_blnsvr(struct customize_job *job, const struct customize_item *item, struct err *e)
{
	static const char script[] = "\"%ProgramFiles%\\Balloon\\blnsvr.exe\" -i\n";
	struct copying c = { .job = job, .item = item, .folder = (char *)"/Program Files/Balloon", .only = "blnsvr.exe" };
	int rc = windows_only(job, e);

	if (rc == 0)
		rc = drivers_copy(&c, e);
	if (rc == 0 && !c.n)
		rc = nothing_for(job, item, "blnsvr.exe", e);
	return rc < 0 ? rc : firstboot_add(job->tree, "balloon service", script, sizeof script - 1, &job->edits, e);
}
