/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan.h"

#include "alloc.h"
#include "digest.h"
#include "elf_needs.h"
#include "files.h"
#include "initrd.h"
#include "io.h"
#include "limits.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

/* ---- the agent ---- */

static int is_static(const struct plan *p, const char *path, struct err *e)
{
	CLEANUP(elf_needs_free) struct elf_needs needs = { .needed = NULL };
	int rc = elf_needs_read(p->agent, p->agent_len, &needs, e);

	if (rc < 0)
		return err_in(e, rc, "%s", path);
	if (rc == 0)
		return err_set(e, ERR_USAGE, "%s is not a program", path);
	if (needs.interp)
		return err_set(e, ERR_USAGE, "%s is not a static program: nothing in the appliance could load it", path);
	return 0;
}

static int read_agent(struct plan *p, const char *path, struct err *e)
{
	struct source_file f = { .fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) };
	int rc;

	if (f.fd < 0)
		return errno == ENOENT ? err_set(e, ERR_NOT_FOUND, "%s is not there", path) : err_sys(e, errno, "%s", path);
	if (fstat(f.fd, &f.st) < 0 || !S_ISREG(f.st.st_mode))
		rc = err_set(e, ERR_USAGE, "%s is not a regular file", path);
	else
		rc = source_file_read(&f, path, LIMIT_TOOL_FILE, false, &p->agent, &p->agent_len, e);
	source_file_close(&f);
	if (rc == 0)
		rc = is_static(p, path, e);
	if (rc == 0)
		p->agent_path = alloc_strdup(path);
	return rc < 0 || p->agent_path ? rc : err_nomem(e);
}

/* In the tree where it was built, beside the program; where it was installed, in ../lib/drydock. */
static int find_agent(struct plan *p, const char *given, struct err *e)
{
	static const char *const places[] = { "agent/drydock-agent", "../lib/drydock/drydock-agent" };
	CLEANUP(free_ptr) char *program = NULL;

	if (given)
		return read_agent(p, given, e);
	program = appliance_program_folder();
	for (size_t i = 0; program && i < ARRAY_LEN(places); i++) {
		CLEANUP(free_ptr) char *path = alloc_printf("%s/%s", program, places[i]);
		int rc = path ? read_agent(p, path, e) : err_nomem(e);

		if (rc != -ERR_NOT_FOUND)
			return rc;
	}
	return err_set(e, ERR_NOT_FOUND, "drydock-agent, the program that runs in the appliance, is not there: \"make\" builds it, "
					 "and --agent tells where it is");
}

/* ---- the key ---- */

static void key_text(struct digest *d, const char *s)
{
	digest_add(d, s, strlen(s) + 1);
}

static void key_stat(struct digest *d, const struct stat *st)
{
	char text[96];
	const int n = snprintf(text, sizeof text, "%" PRIu64 " %" PRId64 ".%09ld %o", (uint64_t)st->st_size,
			       (int64_t)st->st_mtim.tv_sec, st->st_mtim.tv_nsec, (unsigned)st->st_mode);

	digest_add(d, text, (size_t)n + 1);
}

static int key_file(struct digest *d, const struct sources *s, const char *path, struct err *e)
{
	CLEANUP(source_file_close) struct source_file f = SOURCE_FILE_NONE;
	int rc = sources_open(s, path, &f, e);

	if (rc == 0)
		return err_set(e, ERR_NOT_FOUND, "%s is not there, or may not be read", path);
	if (rc < 0)
		return rc;
	key_text(d, path);
	key_stat(d, &f.st);
	return 0;
}

static int key_kernel(struct digest *d, const struct sources *s, const struct kernel *k, struct err *e)
{
	int rc;

	if (!k->release)
		return 0;
	key_text(d, k->kind == KERNEL_UML ? "uml" : "pc");
	key_text(d, k->release);
	rc = key_file(d, s, k->path, e);
	for (size_t i = 0; rc == 0 && i < k->all.n; i++) {
		CLEANUP(free_ptr) char *path = alloc_printf("%s/%s", k->folder, k->all.list[i]->file);

		rc = path ? key_file(d, s, path, e) : err_nomem(e);
	}
	for (size_t i = 0; rc == 0 && i < k->npurposes; i++) {
		key_text(d, k->purposes[i].name);
		for (size_t m = 0; m < k->purposes[i].order.n; m++)
			key_text(d, k->purposes[i].order.list[m]->name);
	}
	return rc;
}

static void key_tools(struct digest *d, const struct tools *t)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct tool_file *f = &t->files[i];

		key_text(d, f->to);
		key_text(d, f->link ? f->link : f->text ? f->text : f->from);
		if (f->from)
			key_stat(d, &f->st);
	}
}

/* Over all that goes into the folder; of what may be changed by hand, the agent, the bytes. */
static int make_key(struct plan *p, struct err *e)
{
	struct digest d;
	char text[DIGEST_TEXT], layout[32];
	int rc;

	digest_start(&d, DIGEST_SHA256);
	snprintf(layout, sizeof layout, "%d", APPLIANCE_LAYOUT);
	key_text(&d, "drydock " DRYDOCK_VERSION);
	key_text(&d, layout);
	rc = key_kernel(&d, &p->sources, &p->uml, e);
	if (rc == 0)
		rc = key_kernel(&d, &p->sources, &p->pc, e);
	if (rc < 0)
		return rc;
	key_tools(&d, &p->tools);
	digest_add(&d, p->agent, p->agent_len);
	digest_end(&d, text);
	memcpy(p->key, text, sizeof p->key);
	return 0;
}

/* ---- modules among the tools ---- */

/* A name that is no path out of the folder of modules. */
static bool is_plain(const char *file)
{
	return *file != '/' && !strstr(file, "..");
}

static int add_modules(struct plan *p, const struct kernel *k, struct err *e)
{
	/* What modprobe reads. */
	static const char *const indexes[] = { "modules.dep.bin", "modules.alias.bin", "modules.softdep", "modules.builtin.bin",
					       "modules.builtin.alias.bin", "modules.symbols.bin" };
	int rc = 0;

	for (size_t i = k->nboot; rc >= 0 && i < k->all.n; i++) {
		const struct module *m = k->all.list[i];
		CLEANUP(free_ptr) char *from = alloc_printf("%s/%s", k->folder, m->file);
		CLEANUP(free_ptr) char *to = initrd_module_place(k, m);

		if (!from || !to)
			return err_nomem(e);
		if (!is_plain(m->file))
			return err_set(e, ERR_CORRUPT, "%s/modules.dep names a module outside of that folder", k->folder);
		rc = tools_add(&p->tools, &p->sources, from, to, e);
		if (rc == 0)
			return err_set(e, ERR_NOT_FOUND, "%s is not there, or may not be read", from);
	}
	for (size_t i = 0; rc >= 0 && k->release && i < ARRAY_LEN(indexes); i++) {
		CLEANUP(free_ptr) char *from = alloc_printf("%s/%s", k->folder, indexes[i]);
		CLEANUP(free_ptr) char *to = alloc_printf("usr/lib/modules/%s/%s", k->release, indexes[i]);

		rc = from && to ? tools_add(&p->tools, &p->sources, from, to, e) : err_nomem(e);
	}
	return rc < 0 ? rc : 0;
}

/* ---- together ---- */

int plan_make(struct plan *p, const char *kernel, const char *agent, struct err *e)
{
	int rc = find_agent(p, agent, e);

	if (rc == 0)
		rc = kernel_find(&p->sources, KERNEL_UML, NULL, &p->uml, e);
	if (rc >= 0)
		rc = kernel_find(&p->sources, KERNEL_PC, kernel, &p->pc, e);
	if (rc >= 0 && !p->uml.release && !p->pc.release)
		return err_set(e, ERR_NOT_FOUND, "there is no kernel to build an appliance from: install user-mode-linux or "
						 "linux-image-cloud-amd64, or give packages with --packages");
	if (rc >= 0)
		rc = tools_collect(&p->sources, &p->tools, e);
	if (rc == 0)
		rc = add_modules(p, &p->uml, e);
	if (rc == 0)
		rc = add_modules(p, &p->pc, e);
	if (rc < 0)
		return rc;
	tools_sort(&p->tools);
	return make_key(p, e);
}

void plan_free(struct plan *p)
{
	sources_free(&p->sources);
	kernel_free(&p->uml);
	kernel_free(&p->pc);
	tools_free(&p->tools);
	free(take(p->agent_path));
	free(take(p->agent));
}

int plan_filesystems(const struct plan *p, const struct kernel *k, struct strbuf *out, struct err *e)
{
	/* By programs, through FUSE. */
	static const struct {
		const char *type, *program;
	} by_fuse[] = { { "ntfs", "ntfs-3g" }, { "exfat", "mount.exfat-fuse" } };
	const char *rest;
	const size_t from = out->len;

	for (size_t i = 0; i < k->npurposes; i++) {
		if (!text_starts(k->purposes[i].name, "fs-", &rest) || strcmp(rest, "fuse") == 0 || strcmp(rest, "overlay") == 0)
			continue;
		strbuf_printf(out, "%s%s", out->len > from ? " " : "", rest);
		if (strcmp(rest, "ext4") == 0)
			strbuf_puts(out, " ext2 ext3");
	}
	for (size_t i = 0; kernel_can(k, "fs-fuse") && i < ARRAY_LEN(by_fuse); i++) {
		CLEANUP(free_ptr) char *purpose = alloc_printf("fs-%s", by_fuse[i].type);

		if (!purpose)
			return err_nomem(e);
		if (!kernel_can(k, purpose) && tools_have(&p->tools, by_fuse[i].program))
			strbuf_printf(out, " %s", by_fuse[i].type);
	}
	return out->failed ? err_nomem(e) : 0;
}
