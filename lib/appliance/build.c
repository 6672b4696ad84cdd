/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "build.h"

#include "alloc.h"
#include "bzimage.h"
#include "deb.h"
#include "ext_image.h"
#include "files.h"
#include "folders.h"
#include "initrd.h"
#include "io.h"
#include "json.h"
#include "limits.h"
#include "plan.h"
#include "text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

/* All times in the image of tools: that of the first release of its layout. */
enum { IMAGE_TIME = 1764115200 };

/* ---- files ---- */

static int create(const char *folder, const char *name, unsigned mode, struct err *e)
{
	CLEANUP(free_ptr) char *path = alloc_printf("%s/%s", folder, name);
	int fd;

	if (!path)
		return err_nomem(e);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	return fd < 0 ? err_sys(e, errno, "%s", path) : fd;
}

/* On the disk before the folder gets its name: after a crash it is whole, or not there. */
static int sync_fd(int fd, const char *name, struct err *e)
{
	return fdatasync(fd) < 0 ? err_sys(e, errno, "%s", name) : 0;
}

static int write_file(const char *folder, const char *name, unsigned mode, const void *bytes, size_t len, struct err *e)
{
	CLEANUP(close_fd) int fd = create(folder, name, mode, e);
	int failed;

	if (fd < 0)
		return fd;
	failed = io_write(fd, bytes, len);
	return failed ? err_sys(e, failed, "%s/%s", folder, name) : sync_fd(fd, name, e);
}

/* ---- kernels ---- */

static int write_kernel(const char *folder, const struct plan *p, const struct kernel *k, const char *name, struct err *e)
{
	CLEANUP(source_file_close) struct source_file f = SOURCE_FILE_NONE;
	CLEANUP(free_ptr) void *bytes = NULL;
	CLEANUP(free_ptr) void *elf = NULL;
	size_t len, elf_len;
	int rc = sources_open(&p->sources, k->path, &f, e);

	if (rc == 0)
		return err_set(e, ERR_NOT_FOUND, "%s went away", k->path);
	if (rc > 0)
		rc = source_file_read(&f, k->path, LIMIT_KERNEL_IMAGE, false, &bytes, &len, e);
	if (rc < 0)
		return rc;
	if (k->kind == KERNEL_UML)
		return write_file(folder, name, 0755, bytes, len, e);
	rc = bzimage_unpack(bytes, len, &elf, &elf_len, e);
	/* QEMU takes it as it is, too: it starts more slowly then. */
	if (rc == -ERR_UNSUPPORTED || rc == -ERR_LIMIT)
		return write_file(folder, name, 0644, bytes, len, e);
	return rc < 0 ? err_in(e, rc, "%s", k->path) : write_file(folder, name, 0644, elf, elf_len, e);
}

static int write_initrd(const char *folder, const struct plan *p, const struct kernel *k, const char *name, struct err *e)
{
	CLEANUP(close_fd) int fd = create(folder, name, 0644, e);
	int rc = fd;

	if (fd >= 0)
		rc = initrd_write(&p->sources, k, p->agent, p->agent_len, fd, e);
	return rc < 0 ? rc : sync_fd(fd, name, e);
}

static int write_kernels(const char *folder, const struct plan *p, struct err *e)
{
	int rc = 0;

	if (p->uml.release)
		rc = write_kernel(folder, p, &p->uml, "uml", e);
	if (rc == 0 && p->uml.release)
		rc = write_initrd(folder, p, &p->uml, "uml.initrd", e);
	if (rc == 0 && p->pc.release)
		rc = write_kernel(folder, p, &p->pc, "vmlinux", e);
	if (rc == 0 && p->pc.release)
		rc = write_initrd(folder, p, &p->pc, "vmlinux.initrd", e);
	return rc;
}

/* ---- the image of tools ---- */

static const char *const tool_folders[] = {
	"dev", "etc", "etc/lvm", "etc/mdadm", "mnt", "proc", "root", "run", "sys", "sysroot", "tmp", "usr", "usr/bin",
	"usr/lib", "usr/lib64", "usr/sbin", "usr/share", "var",
};

/* Those that a file is in, and that are not there yet: files come in the order of their paths. */
static int make_parents(struct ext_image *x, const char *path, const char *before, struct err *e)
{
	int rc = 0;

	for (const char *slash = strchr(path, '/'); rc == 0 && slash; slash = strchr(slash + 1, '/')) {
		CLEANUP(free_ptr) char *folder = alloc_strndup(path, (size_t)(slash - path));
		bool there = before && strncmp(before, path, (size_t)(slash - path) + 1) == 0;

		if (!folder)
			return err_nomem(e);
		for (size_t i = 0; !there && i < ARRAY_LEN(tool_folders); i++)
			there = strcmp(tool_folders[i], folder) == 0;
		rc = there ? 0 : ext_image_folder(x, folder, 0755, e);
	}
	return rc;
}

/* Modules that are compressed are unpacked here: the agent does not. */
static bool is_module(const struct tool_file *f)
{
	return text_starts(f->to, "usr/lib/modules/", NULL);
}

/* A compressed module (.ko.xz) becomes some four times as large; room that is not used takes none on the host. */
static uint64_t room_for(const struct tool_file *f)
{
	const char *ko = is_module(f) ? strstr(f->to, ".ko.") : NULL;

	return (uint64_t)f->st.st_size * (ko ? 8 : 1);
}

static int put_tool(struct ext_image *x, const struct plan *p, const struct tool_file *f, struct err *e)
{
	CLEANUP(source_file_close) struct source_file src = SOURCE_FILE_NONE;
	CLEANUP(free_ptr) void *bytes = NULL;
	size_t len;
	int rc;

	if (f->link)
		return ext_image_symlink(x, f->to, f->link, e);
	if (f->text)
		return ext_image_file(x, f->to, 0644, f->text, strlen(f->text), e);
	rc = sources_open(&p->sources, f->from, &src, e);
	if (rc == 0 || (rc > 0 && src.st.st_size != f->st.st_size))
		return err_set(e, ERR_NOT_FOUND, "%s was changed while the appliance was built", f->from);
	if (rc > 0)
		rc = source_file_read(&src, f->from, LIMIT_TOOL_FILE, is_module(f), &bytes, &len, e);
	return rc < 0 ? rc : ext_image_file(x, f->to, f->st.st_mode & 0111 ? 0755 : 0644, bytes, len, e);
}

static int fill_tools(struct ext_image *x, const struct plan *p, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(tool_folders); i++)
		rc = ext_image_folder(x, tool_folders[i], strcmp(tool_folders[i], "tmp") == 0 ? 01777 : 0755, e);
	for (size_t i = 0; rc == 0 && i < p->tools.n; i++) {
		rc = make_parents(x, p->tools.files[i].to, i ? p->tools.files[i - 1].to : NULL, e);
		if (rc == 0)
			rc = put_tool(x, p, &p->tools.files[i], e);
	}
	return rc;
}

static int write_tools(const char *folder, const struct plan *p, struct err *e)
{
	/* Not random: it is the same image each time. */
	static const uint8_t uuid[16] = { 0xd7, 0x1d, 0x0c, 0x14, 0xa9, 0x91, 0x4a, 0x6e, 0x8e, 0x5f, 0x74, 0x6f, 0x6f, 0x6c,
					  0x73, 1 };
	CLEANUP(ext_image_free) struct ext_image *x = NULL;
	CLEANUP(free_ptr) char *path = alloc_printf("%s/tools.ext4", folder);
	CLEANUP(close_fd) int fd = path ? create(folder, "tools.ext4", 0644, e) : err_nomem(e);
	uint64_t blocks = ARRAY_LEN(tool_folders);
	int rc = fd;

	for (size_t i = 0; i < p->tools.n; i++)
		blocks += 2 + ext_image_blocks(room_for(&p->tools.files[i]));
	if (rc >= 0)
		rc = ext_image_new(path, blocks, (uint32_t)(2 * p->tools.n + ARRAY_LEN(tool_folders)), uuid, IMAGE_TIME, &x, e);
	if (rc == 0)
		rc = fill_tools(x, p, e);
	if (rc == 0)
		rc = ext_image_finish(x, e);
	return rc < 0 ? rc : sync_fd(fd, "tools.ext4", e);
}

/* ---- what is told about it ---- */

static void put_words(struct json *j, const char *key, const char *words)
{
	json_array(j, key);
	while (*words) {
		size_t len = strcspn(words, " ");

		json_strn(j, NULL, words, len);
		words += len + strspn(words + len, " ");
	}
	json_array_end(j);
}

static int put_kernel(struct json *j, const char *name, const struct plan *p, const struct kernel *k, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf types = STRBUF_INIT;
	int rc;

	if (!k->release)
		return 0;
	rc = plan_filesystems(p, k, &types, e);
	if (rc < 0)
		return rc;
	json_object(j, NULL);
	json_str(j, "for", name);
	json_str(j, "release", k->release);
	json_str(j, "source", k->path);
	json_u64(j, "modules", k->all.n);
	put_words(j, "filesystems", types.s);
	json_object_end(j);
	return 0;
}

static int write_info(const char *folder, const struct plan *p, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf text = STRBUF_INIT;
	struct json j = JSON_INIT(&text, true);
	int rc;

	json_object(&j, NULL);
	json_str(&j, "drydock", DRYDOCK_VERSION);
	json_u64(&j, "layout", APPLIANCE_LAYOUT);
	json_str(&j, "key", p->key);
	json_str(&j, "agent", p->agent_path);
	json_array(&j, "kernels");
	rc = put_kernel(&j, "uml", p, &p->uml, e);
	if (rc == 0)
		rc = put_kernel(&j, "qemu", p, &p->pc, e);
	json_array_end(&j);
	json_array(&j, "tools");
	for (size_t i = 0; i < p->tools.ngroups; i++) {
		const struct tool_group *g = &p->tools.groups[i];

		json_object(&j, NULL);
		json_str(&j, "package", g->name);
		json_u64(&j, "programs", g->nfound);
		put_words(&j, "missing", g->missing);
		json_bool(&j, "needed-to-mount", g->mounts);
		json_object_end(&j);
	}
	json_array_end(&j);
	json_object_end(&j);
	strbuf_putc(&text, '\n');
	if (rc == 0 && text.failed)
		rc = err_nomem(e);
	return rc < 0 ? rc : write_file(folder, "info.json", 0644, text.s, text.len, e);
}

static int put_key_line(struct strbuf *text, const char *name, const struct plan *p, const struct kernel *k, struct err *e)
{
	int rc;

	if (!k->release)
		return 0;
	strbuf_puts(text, name);
	strbuf_putc(text, ' ');
	rc = plan_filesystems(p, k, text, e);
	strbuf_putc(text, '\n');
	return rc;
}

/* The last file: a folder without it is none of ours. */
static int write_key(const char *folder, const struct plan *p, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf text = STRBUF_INIT;
	int rc;

	strbuf_printf(&text, "drydock appliance %d\n%s\n", APPLIANCE_LAYOUT, p->key);
	rc = put_key_line(&text, "uml", p, &p->uml, e);
	if (rc == 0)
		rc = put_key_line(&text, "vmlinux", p, &p->pc, e);
	if (rc == 0 && text.failed)
		rc = err_nomem(e);
	return rc < 0 ? rc : write_file(folder, "key", 0644, text.s, text.len, e);
}

/* ---- the folder ---- */

static int fill_folder(const char *folder, const struct plan *p, struct err *e)
{
	int rc = write_kernels(folder, p, e);

	if (rc == 0)
		rc = write_tools(folder, p, e);
	if (rc == 0)
		rc = write_info(folder, p, e);
	return rc < 0 ? rc : write_key(folder, p, e);
}

/* Is there one of that key already? */
static bool is_made(const char *folder, const char *key)
{
	CLEANUP(appliance_files_free) struct appliance_files f = { .folder = NULL };

	return appliance_files_open(folder, &f, NULL) == 0 && strcmp(f.key, key) == 0;
}

static int make_folder(const char *parent, const char *folder, const struct plan *p, struct err *e)
{
	CLEANUP(free_ptr) char *hidden = NULL;
	int rc = folder_new_hidden(parent, &hidden, e);

	if (rc < 0)
		return rc;
	rc = fill_folder(hidden, p, e);
	if (rc == 0)
		rc = folder_replace(hidden, folder, e);
	if (rc < 0)
		(void)folder_remove(AT_FDCWD, hidden, NULL);
	return rc;
}

/* The lock is the parent's own, and ends with the process, whatever ends it. */
static int lock_parent(const char *parent, int *fd, struct err *e)
{
	int rc = folder_make_all(parent, e);

	if (rc < 0)
		return rc;
	*fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0)
		return err_sys(e, errno, "%s", parent);
	while ((rc = flock(*fd, LOCK_EX)) < 0 && errno == EINTR)
		;
	return rc < 0 ? err_sys(e, errno, "waiting for another builder in %s", parent) : folder_remove_hidden(*fd, e);
}

/* ---- where things come from, and go ---- */

/* The folder that the new one will be in: the cache, or where --output is. */
static int parent_of(const struct appliance_build *how, char **parent, char **output, struct err *e)
{
	char *slash;

	if (!how->output) {
		*parent = appliance_cache_folder();
		return *parent ? 0
			       : err_set(e, ERR_NOT_FOUND, "there is no cache to build in, as neither XDG_CACHE_HOME nor HOME is "
							   "set; --output names a folder");
	}
	*output = alloc_strdup(how->output);
	if (!*output)
		return err_nomem(e);
	for (size_t len = strlen(*output); len > 1 && (*output)[len - 1] == '/'; len--)
		(*output)[len - 1] = '\0';
	slash = strrchr(*output, '/');
	if (!slash)
		*parent = alloc_strdup(".");
	else
		*parent = alloc_strndup(*output, slash == *output ? 1 : (size_t)(slash - *output));
	return *parent ? 0 : err_nomem(e);
}

/* All packages of a folder, into a new one beside the appliances. */
static int unpack_packages(const char *folder, const char *parent, char **tree, struct err *e)
{
	CLEANUP(source_names_free) struct source_names names = { .names = NULL };
	CLEANUP(sources_free) struct sources in = { .trees = NULL };
	CLEANUP(close_fd) int into = -1;
	size_t npackages = 0;
	int rc = sources_add(&in, folder, e);

	if (rc == 0)
		rc = sources_list(&in, ".", &names, e);
	if (rc == 0)
		rc = folder_new_hidden(parent, tree, e);
	if (rc < 0)
		return rc;
	into = open(*tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (into < 0)
		return err_sys(e, errno, "%s", *tree);
	for (size_t i = 0; rc == 0 && i < names.n; i++) {
		CLEANUP(free_ptr) char *path = alloc_printf("%s/%s", folder, names.names[i]);
		const char *dot = strrchr(names.names[i], '.');

		if (!path)
			return err_nomem(e);
		if (!dot || strcmp(dot, ".deb") != 0)
			continue;
		rc = deb_unpack(path, into, e);
		npackages++;
	}
	return rc == 0 && npackages == 0 ? err_set(e, ERR_NOT_FOUND, "there is no Debian package in %s", folder) : rc;
}

static int add_sources(const struct appliance_build *how, const char *parent, struct sources *s, char **tree, struct err *e)
{
	int rc = 0;

	if (how->only_packages && !how->packages)
		return err_set(e, ERR_USAGE, "--only-packages needs --packages");
	if (!how->only_packages)
		rc = sources_add(s, "/", e);
	if (rc < 0 || !how->packages)
		return rc;
	rc = unpack_packages(how->packages, parent, tree, e);
	return rc < 0 ? rc : sources_add(s, *tree, e);
}

/* ---- the whole ---- */

/* In the user's cache the folder has the key in its name, and "appliance" leads to it. */
static int build_planned(const struct appliance_build *how, const char *parent, int lock, const struct plan *p, char **folder,
			 bool *made, struct err *e)
{
	int rc = 0;

	if (!*folder)
		*folder = alloc_printf("%s/appliance-%.32s", parent, p->key);
	if (!*folder)
		return err_nomem(e);
	if (how->force || !is_made(*folder, p->key)) {
		rc = make_folder(parent, *folder, p, e);
		*made = rc == 0;
	}
	if (rc == 0 && !how->output)
		rc = folder_point(lock, "appliance", strrchr(*folder, '/') + 1, e);
	return rc;
}

int appliance_build(const struct appliance_build *how, char **folder, bool *made, struct err *e)
{
	CLEANUP(plan_free) struct plan p = { .agent = NULL };
	CLEANUP(free_ptr) char *parent = NULL;
	CLEANUP(free_ptr) char *place = NULL; /* NULL: in the cache, by its key */
	CLEANUP(free_ptr) char *tree = NULL;
	CLEANUP(close_fd) int lock = -1;
	int rc = parent_of(how, &parent, &place, e);

	*made = false;
	if (rc == 0)
		rc = lock_parent(parent, &lock, e);
	if (rc == 0)
		rc = add_sources(how, parent, &p.sources, &tree, e);
	if (rc == 0)
		rc = plan_make(&p, how->kernel, how->agent, e);
	if (rc == 0)
		rc = build_planned(how, parent, lock, &p, &place, made, e);
	if (tree)
		(void)folder_remove(AT_FDCWD, tree, NULL);
	if (rc == 0)
		*folder = take(place);
	return rc;
}

/* ---- cleaning ---- */

/* What "appliance" leads to is in use, unless all are to go. */
static int clean_entries(int at, bool all, unsigned *removed, struct err *e)
{
	char current[256] = "";
	int fd = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *ent;
	ssize_t n = readlinkat(at, "appliance", current, sizeof current - 1);
	int rc = 0;

	current[n > 0 ? n : 0] = '\0';
	if (!d) {
		close_fd(&fd);
		return err_sys(e, errno, "reading the cache");
	}
	while (rc == 0 && (ent = readdir(d))) {
		if (!text_starts(ent->d_name, "appliance-", NULL) || (!all && strcmp(ent->d_name, current) == 0))
			continue;
		rc = folder_remove(at, ent->d_name, e);
		*removed += rc == 0;
	}
	closedir(d);
	/* Machines of one that was installed are made again where they are missed. */
	if (rc == 0)
		rc = folder_remove(at, "saved", e);
	if (rc == 0)
		rc = folder_remove(at, "saved-programs", e);
	return rc < 0 || !all ? rc : folder_remove(at, "appliance", e);
}

int appliance_clean(bool all, unsigned *removed, struct err *e)
{
	CLEANUP(free_ptr) char *cache = appliance_cache_folder();
	CLEANUP(close_fd) int lock = -1;
	int rc;

	*removed = 0;
	if (!cache || access(cache, F_OK) < 0)
		return 0;
	rc = lock_parent(cache, &lock, e);
	return rc < 0 ? rc : clean_entries(lock, all, removed, e);
}
