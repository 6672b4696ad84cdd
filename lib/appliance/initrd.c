/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "initrd.h"

#include "alloc.h"
#include "cpio.h"
#include "limits.h"

char *initrd_module_place(const struct kernel *k, const struct module *m)
{
	return alloc_printf("usr/lib/modules/%s/%s", k->release, m->file);
}

static bool is_in_initrd(const struct kernel *k, const struct module *m)
{
	for (size_t i = 0; i < k->nboot; i++)
		if (k->all.list[i] == m)
			return true;
	return false;
}

static int list_module(struct strbuf *list, const struct kernel *k, const struct module *m, struct err *e)
{
	CLEANUP(free_ptr) char *place = initrd_module_place(k, m);

	if (!place)
		return err_nomem(e);
	if (is_in_initrd(k, m))
		strbuf_printf(list, " /modules/%s.ko", m->name);
	else
		strbuf_printf(list, " /tools/%s", place);
	return 0;
}

static int put_list(struct cpio *c, const struct kernel *k, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf list = STRBUF_INIT;
	int rc = 0;

	for (size_t i = 0; i < k->npurposes; i++) {
		const struct purpose_modules *p = &k->purposes[i];

		strbuf_puts(&list, p->name);
		for (size_t m = 0; rc == 0 && m < p->order.n; m++)
			rc = list_module(&list, k, p->order.list[m], e);
		strbuf_putc(&list, '\n');
	}
	if (rc == 0 && list.failed)
		rc = err_nomem(e);
	return rc < 0 ? rc : cpio_file(c, "modules.list", 0444, list.s, list.len, e);
}

static int put_module(struct cpio *c, const struct sources *s, const struct kernel *k, const struct module *m, struct err *e)
{
	CLEANUP(free_ptr) char *from = alloc_printf("%s/%s", k->folder, m->file);
	CLEANUP(free_ptr) char *to = alloc_printf("modules/%s.ko", m->name);
	CLEANUP(source_file_close) struct source_file f = SOURCE_FILE_NONE;
	CLEANUP(free_ptr) void *bytes = NULL;
	size_t len;
	int rc;

	if (!from || !to)
		return err_nomem(e);
	rc = sources_open(s, from, &f, e);
	if (rc == 0)
		return err_set(e, ERR_NOT_FOUND, "%s is not there, or may not be read", from);
	if (rc > 0)
		rc = source_file_read(&f, from, LIMIT_KERNEL_MODULE, true, &bytes, &len, e);
	return rc < 0 ? rc : cpio_file(c, to, 0444, bytes, len, e);
}

int initrd_write(const struct sources *s, const struct kernel *k, const void *agent, size_t agent_len, int fd, struct err *e)
{
	static const char *const folders[] = { "dev", "proc", "sys", "run", "tmp", "etc", "tools", "sysroot", "modules" };
	CLEANUP(cpio_free) struct cpio c = CPIO_INIT(fd);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(folders); i++)
		rc = cpio_folder(&c, folders[i], 0755, e);
	if (rc == 0)
		rc = cpio_char_device(&c, "dev/console", 0600, 5, 1, e);
	if (rc == 0)
		rc = cpio_char_device(&c, "dev/null", 0666, 1, 3, e);
	if (rc == 0)
		rc = cpio_file(&c, "init", 0555, agent, agent_len, e);
	if (rc == 0)
		rc = put_list(&c, k, e);
	for (size_t i = 0; rc == 0 && i < k->nboot; i++)
		rc = put_module(&c, s, k, k->all.list[i], e);
	return rc < 0 ? rc : cpio_end(&c, e);
}
