/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qemu_img_open.c - the qemu-img front end: opening images, and why one could not be opened.
 *
 * The library says what is wrong in its own words.  The peer's words are found out here, once an open has failed, by
 * looking at the file itself: can the host open it, whose header is it, is it the backing file that is missing?
 */
#include "qemu_img.h"
#include "qemu_img_node.h"
#include "qemu_img_qcow2.h"

#include "dict.h"
#include "uri.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* So many backing files are looked into to find the one that is at fault. */
enum { MAX_DEPTH = 200 };

void qi_image_closep(struct dry_image **img)
{
	dry_image_close(*img);
}

void qi_name_free(struct qi_name *n)
{
	dry_secrets_free(n->secrets);
}

void qi_opts_freep(struct dry_opts **o)
{
	dry_opts_free(*o);
}

uint64_t qi_disk_size(const struct dry_image *img)
{
	return (dry_image_size(img) + 511) & ~511ULL;
}

bool qi_cache_option(const char *what, const char *text, enum dry_cache *out)
{
	/* Two more names for what others are called too. */
	if (strcmp(text, "off") == 0)
		text = "none";
	if (dry_cache_parse(text, out))
		return true;
	qi_error("Invalid %s option: %s", what, text);
	return false;
}

/* ---- names ---- */

/* The protocol that a name begins with ("nbd" of "nbd:host"): its length, 0 for a plain path. */
static size_t protocol_len(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");

	return name[n] == ':' ? n : 0;
}

/* "file" or the outermost node's "filename" of options. */
static char *path_of_options(const struct dict *d)
{
	static const char *const keys[] = { "file.filename", "filename", "file.file.filename", "file" };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const char *v = dict_get(d, keys[i]);

		if (v)
			return alloc_strdup(v);
	}
	return NULL;
}

char *qi_host_path(const char *name)
{
	if (strncmp(name, "json:", 5) == 0) {
		CLEANUP(dict_free) struct dict d = DICT_INIT;

		return dict_from_json(&d, name + 5, NULL) < 0 ? NULL : path_of_options(&d);
	}
	if (strncmp(name, "file:", 5) == 0)
		return alloc_strdup(name + 5);
	return protocol_len(name) ? NULL : alloc_strdup(name);
}

static char *format_of_json(const char *name)
{
	CLEANUP(dict_free) struct dict d = DICT_INIT;

	if (strncmp(name, "json:", 5) != 0 || dict_from_json(&d, name + 5, NULL) < 0)
		return NULL;
	return dict_take(&d, "driver");
}

/* ---- why not ---- */

static void lock_problem(struct strbuf *out, const char *path, bool write)
{
	strbuf_printf(out, "Failed to get %s\"write\" lock\nIs another process using the image [%s]?", write ? "" : "shared ",
		      path);
}

static bool is_lock_error(const struct dry_error *e)
{
	return e->code == DRY_SYSTEM && (e->sys_errno == EAGAIN || e->sys_errno == EBUSY);
}

/* Does the host refuse the file itself?  Then says so. */
static bool host_refuses(struct strbuf *out, const char *path, unsigned flags)
{
	bool write = flags & DRY_OPEN_WRITE;
	CLEANUP(close_fd) int fd = -1;
	struct stat st;

	fd = open(path, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		strbuf_printf(out, "Could not open '%s': %s", path, strerror(errno));
		return true;
	}
	if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
		strbuf_printf(out, "'file' driver requires '%s' to be a regular file", path);
		return true;
	}
	return false;
}

/* An image that is its own backing file, or a chain without an end: whoever looks into it does not come out. */
static bool is_chain_error(const struct dry_error *e)
{
	return e->code == DRY_LIMIT || strstr(e->msg, "the backing chain comes back") != NULL;
}

static void why_not(struct strbuf *out, const char *name, const char *format, unsigned flags, const struct dry_error *e,
		    unsigned depth);

/* Opens without the backing file; if that works the backing file is at fault: says how. */
static bool backing_refuses(struct strbuf *out, const char *name, const char *format, unsigned flags, unsigned depth)
{
	CLEANUP(qi_image_closep) struct dry_image *img = NULL;
	struct dry_open how = { .format = format, .policy.trust = DRY_TRUST_ANY,
				.flags = (flags & ~(unsigned)DRY_OPEN_WRITE & ~(unsigned)DRY_OPEN_RESIZE) |
					 DRY_OPEN_NO_BACKING | DRY_OPEN_FORCE_SHARE };
	struct dry_open backing = { .policy.trust = DRY_TRUST_ANY, .flags = flags & DRY_OPEN_FORCE_SHARE };
	struct dry_image *opened = NULL;
	struct dry_info info;
	struct dry_error e = { 0 };

	if (flags & DRY_OPEN_NO_BACKING || depth > MAX_DEPTH || dry_image_open(name, &how, &img, NULL) < 0 ||
	    dry_image_info(img, &info, NULL) < 0 || !info.backing_path)
		return false;
	backing.format = info.backing_format;
	if (info.backing_format && !dry_format_known(info.backing_format)) {
		strbuf_printf(out, "Could not open backing file: Unknown driver '%s'", info.backing_format);
		return true;
	}
	if (dry_image_open(info.backing_path, &backing, &opened, &e) == 0) {
		dry_image_close(opened);
		return false;
	}
	strbuf_puts(out, "Could not open backing file: ");
	why_not(out, info.backing_path, info.backing_format, backing.flags, &e, depth + 1);
	return true;
}

/* The library's sentence begins with the address, which has been said. */
static void remote_reason(struct strbuf *out, const struct dry_error *e)
{
	const char *text = qi_reason(e);
	const size_t scheme = uri_scheme(text), name = strcspn(text, " ");

	strbuf_puts(out, scheme && name > scheme && text[name - 1] == ':' && text[name] ? text + name + 1 : text);
}

void qi_why_not(struct strbuf *out, const char *name, const char *format, unsigned flags, const struct dry_error *e)
{
	why_not(out, name, format, flags, e, 0);
}

/* Recursion ends: with an error of the chain as a whole, and else at MAX_DEPTH. */
static void why_not(struct strbuf *out, const char *name, const char *format, unsigned flags, const struct dry_error *e,
		    unsigned depth)
{
	CLEANUP(free_ptr) char *path = NULL, *json_format = NULL;
	size_t proto = protocol_len(name);

	if (!*name) {
		strbuf_puts(out, "The 'file' block driver requires a file name");
		return;
	}
	if (dry_name_is_remote(name) && !(format && !dry_format_known(format))) {
		remote_reason(out, e);
		return;
	}
	if (proto && strncmp(name, "json:", 5) != 0 && strncmp(name, "file:", 5) != 0) {
		strbuf_printf(out, "Unknown protocol '%.*s'", (int)proto, name);
		return;
	}
	if (!format)
		format = json_format = format_of_json(name);
	if (format && !dry_format_known(format)) {
		strbuf_printf(out, "Unknown driver '%s'", format);
		return;
	}
	path = qi_host_path(name);
	if (!path && strncmp(name, "json:", 5) == 0 && e->code == DRY_USAGE) {
		if (name[5] == '[')
			strbuf_puts(out, "Invalid JSON object given");
		else
			strbuf_puts(out, "Could not parse the JSON options: JSON parse error, premature EOI");
		return;
	}
	if (path && host_refuses(out, path, flags))
		return;
	if (path && is_lock_error(e) && !(flags & DRY_OPEN_FORCE_SHARE)) {
		lock_problem(out, path, flags & DRY_OPEN_WRITE);
		return;
	}
	if (qi_key_reason(out, e))
		return;
	if (path && qi_qcow2_problem(out, path, format, flags))
		return;
	if (!is_chain_error(e) && backing_refuses(out, name, format, flags, depth))
		return;
	strbuf_puts(out, qi_reason(e));
}

/* ---- opening ---- */

/* The options of --image-opts; says what is wrong with them. */
static struct dry_opts *image_opts(const char *text)
{
	struct dry_opts *opts = dry_opts_new();
	struct dry_error e = { 0 };
	const char *file, *driver;

	if (!opts || dry_opts_parse(opts, text, "file", &e) < 0) {
		qi_error("Could not open '%s': %s", text, qi_reason(&e));
		dry_opts_free(opts);
		return NULL;
	}
	file = dry_opts_get(opts, "file");
	driver = dry_opts_get(opts, "driver");
	if (file)
		qi_error("Could not open '%s': Cannot find device='%s' nor node-name='%s'", text, file, file);
	else if (driver && strcmp(driver, "file") != 0 && !dry_format_known(driver))
		qi_error("Could not open '%s': Unknown driver '%s'", text, driver);
	else if (!driver && !dry_opts_get(opts, "file.filename") && !dry_opts_get(opts, "file.driver"))
		qi_error("Could not open '%s': Must specify either driver or file", text);
	else
		return opts;
	dry_opts_free(opts);
	return NULL;
}

/* The options in a json: name, with another format than it may say. */
static struct dry_opts *options_of_json(const char *name, const char *format)
{
	struct dry_opts *opts = dry_opts_new();
	CLEANUP(dict_free) struct dict d = DICT_INIT;
	struct dry_error e = { 0 };
	struct err de = ERR_INIT;
	bool ok = opts && dict_from_json(&d, name + 5, &de) == 0;

	for (size_t i = 0; ok && i < d.n; i++)
		ok = dry_opts_set(opts, d.items[i].key, d.items[i].value, &e) == 0;
	if (ok && dry_opts_set(opts, "driver", format, &e) == 0)
		return opts;
	qi_error("Could not open '%s': %s", name, de.code ? de.msg : qi_reason(&e));
	dry_opts_free(opts);
	return NULL;
}

static void warn_guessed(struct dry_image *img, const struct qi_name *n)
{
	CLEANUP(free_ptr) char *path = qi_host_path(n->name);
	struct dry_info info;

	if (dry_image_info(img, &info, NULL) < 0 || !info.guessed)
		return;
	fprintf(stderr,
		"WARNING: Image format was not specified for '%s' and probing guessed raw.\n"
		"         Automatically detecting the format is dangerous for raw images, write operations on block 0 will "
		"be restricted.\n"
		"         Specify the 'raw' format explicitly to remove the restrictions.\n",
		path ? path : n->name);
}

/* Without its key an encrypted image is good for its facts only. */
static bool readable(struct dry_image *img, unsigned flags, const struct dry_opts *opts)
{
	struct dry_info info;

	if (opts && (dry_opts_get(opts, "encrypt.key-secret") || dry_opts_get(opts, "key-secret")))
		return true;
	return (flags & DRY_OPEN_FACTS) || dry_image_info(img, &info, NULL) < 0 || !info.encrypted;
}

void qi_notice(void *arg, const char *sentence)
{
	(void)arg;
	qi_error("%s", sentence);
}

bool qi_how(const struct qi_name *n, unsigned flags, enum dry_cache cache, const char **name, struct dry_open *how,
	    struct dry_opts **opts)
{
	*how = (struct dry_open){ .format = n->format, .flags = flags, .cache = cache, .secrets = n->secrets,
				  .policy.trust = DRY_TRUST_ANY, .notice = qi_notice };
	if (n->force_share)
		how->flags |= DRY_OPEN_FORCE_SHARE;
	if (flags & DRY_OPEN_WRITE)
		how->flags |= DRY_OPEN_GUESS_WRITE;
	if (n->image_opts && n->format) {
		qi_error("--image-opts and --format are mutually exclusive");
		return false;
	}
	if (n->image_opts && !(*opts = image_opts(n->name)))
		return false;
	if (n->force_share && (flags & DRY_OPEN_WRITE)) {
		qi_error("Could not open '%s': force-share=on can only be used with read-only images", n->name);
		return false;
	}
	if (n->format && strncmp(n->name, "json:", 5) == 0 && !(*opts = options_of_json(n->name, n->format)))
		return false;
	how->opts = *opts;
	*name = *opts ? NULL : n->name;
	return true;
}

/* The file that it is about, among those that the options name. */
static const char *file_of_options(const struct dry_opts *opts, const struct dry_error *e)
{
	const char *key, *value, *name = dry_opts_get(opts, "file.filename");

	if (!name)
		name = dry_opts_get(opts, "filename");
	for (size_t i = 0; !name && dry_opts_at(opts, i, &key, &value); i++) {
		const char *dot = strrchr(key, '.');

		if (dot && strcmp(dot, ".filename") == 0 && strstr(e->msg, value))
			name = value;
	}
	return name;
}

void qi_open_reason(struct strbuf *out, const char *name, const struct dry_open *how, const struct dry_error *e)
{
	const char *format = how->format;

	if (how->opts && qi_node_problem(out, how->opts, e))
		return;
	if (!name)
		name = file_of_options(how->opts, e);
	if (!format && how->opts)
		format = dry_opts_get(how->opts, "driver");
	if (name)
		qi_why_not(out, name, format, how->flags, e);
	else if (!qi_key_reason(out, e))
		strbuf_puts(out, qi_reason(e));
}

bool qi_open(const struct qi_name *n, unsigned flags, enum dry_cache cache, const char *snapshot, struct dry_image **out)
{
	CLEANUP(qi_opts_freep) struct dry_opts *opts = NULL;
	struct dry_error e = { 0 };
	struct dry_open how;
	const char *name;

	if (!qi_how(n, flags, cache, &name, &how, &opts))
		return false;
	how.snapshot = snapshot;
	if (dry_image_open(name, &how, out, &e) < 0) {
		CLEANUP(strbuf_free) struct strbuf why = STRBUF_INIT;

		qi_open_reason(&why, name, &how, &e);
		qi_error("Could not open '%s': %s", n->name, why.s);
		return false;
	}
	if (!readable(*out, flags, opts)) {
		qi_error("Could not open '%s': Parameter 'encrypt.key-secret' is required for cipher", n->name);
		dry_image_close(take(*out));
		return false;
	}
	if (flags & DRY_OPEN_WRITE)
		warn_guessed(*out, n);
	return true;
}

/* ---- snapshots ---- */

/* Splits "snapshot.id=ID,snapshot.name=NAME"; says what is wrong with it. */
static bool parse_snapshot(struct dict *d, const char *text)
{
	struct err e = ERR_INIT;

	if (dict_parse(d, text, NULL, &e) < 0) {
		qi_error("%s", e.msg);
	} else {
		size_t i = 0;

		while (i < d->n && (strcmp(d->items[i].key, "snapshot.id") == 0 || strcmp(d->items[i].key, "snapshot.name") == 0))
			i++;
		if (i == d->n)
			return true;
		qi_error("Invalid parameter '%s'", d->items[i].key);
	}
	qi_error("Failed in parsing snapshot param '%s'", text);
	return false;
}

/* The id of the snapshot that is meant; NULL: none. */
static const char *find_snapshot(const struct dry_snapshot *list, size_t n, const char *id, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if ((!id || strcmp(list[i].id, id) == 0) && (!name || strcmp(list[i].name, name) == 0))
			return list[i].id;
	return NULL;
}

bool qi_open_snapshot(const struct qi_name *n, const char *snapshot, enum dry_cache cache, struct dry_image **out)
{
	CLEANUP(qi_image_closep) struct dry_image *img = NULL;
	CLEANUP(dict_free) struct dict d = DICT_INIT;
	const struct dry_snapshot *list;
	struct dry_error e = { 0 };
	struct dry_info info;
	const char *id;
	size_t count;

	if (!snapshot)
		return qi_open(n, 0, cache, NULL, out);
	if (strncmp(snapshot, "snapshot.", 9) == 0 && !parse_snapshot(&d, snapshot))
		return false;
	if (!qi_open(n, 0, cache, NULL, &img))
		return false;
	if (dry_image_info(img, &info, &e) < 0 || dry_image_snapshots(img, &list, &count, &e) < 0) {
		qi_error("Failed to load snapshot: %s", qi_reason(&e));
		return false;
	}
	if (strcmp(info.format, "qcow2") != 0) {
		qi_error("Failed to load snapshot: Block format '%s' used by device '' does not support temporarily loading "
			 "internal snapshots",
			 info.format);
		return false;
	}
	if (d.n) {
		id = find_snapshot(list, count, dict_get(&d, "snapshot.id"), dict_get(&d, "snapshot.name"));
	} else {
		id = find_snapshot(list, count, snapshot, NULL);
		if (!id)
			id = find_snapshot(list, count, NULL, snapshot);
	}
	if (!id) {
		qi_error("Failed to load snapshot: Can't find snapshot");
		return false;
	}
	return qi_open(n, 0, cache, id, out);
}

bool qi_replaceable(const char *path, struct strbuf *why)
{
	CLEANUP(qi_image_closep) struct dry_image *img = NULL;
	struct dry_open how = { .format = "raw", .flags = DRY_OPEN_WRITE | DRY_OPEN_RESIZE, .policy.trust = DRY_TRUST_ANY };
	struct dry_error e = { 0 };
	struct stat st;

	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || dry_image_open(path, &how, &img, &e) == 0 || !is_lock_error(&e))
		return true;
	lock_problem(why, path, true);
	return false;
}
