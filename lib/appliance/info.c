/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "info.h"

#include "alloc.h"
#include "files.h"
#include "limits.h"
#include "sources.h"
#include "strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <unistd.h>

static int wrong(const char *folder, struct err *e)
{
	return err_set(e, ERR_CORRUPT, "%s/info.json is not what the builder of appliances writes", folder);
}

static int copy_text(const json_t *object, const char *key, char **out, struct err *e)
{
	const char *text = json_string_value(json_object_get(object, key));

	*out = alloc_strdup(text ? text : "");
	return *out ? 0 : err_nomem(e);
}

/* An array of words as one text. */
static int copy_words(const json_t *object, const char *key, char **out, struct err *e)
{
	const json_t *array = json_object_get(object, key);
	CLEANUP(strbuf_free) struct strbuf text = STRBUF_INIT;

	for (size_t i = 0; i < json_array_size(array); i++) {
		const char *word = json_string_value(json_array_get(array, i));

		strbuf_printf(&text, "%s%s", i ? " " : "", word ? word : "");
	}
	*out = strbuf_detach(&text);
	return *out ? 0 : err_nomem(e);
}

static uint64_t size_of(const struct appliance_file *f)
{
	struct stat st;

	return f->path && fstat(f->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static int read_kernel(const json_t *object, const struct appliance_files *files, struct appliance_kernel *k, struct err *e)
{
	bool uml;
	int rc = copy_text(object, "for", &k->backend, e);

	if (rc == 0)
		rc = copy_text(object, "release", &k->release, e);
	if (rc == 0)
		rc = copy_text(object, "source", &k->source, e);
	if (rc == 0)
		rc = copy_words(object, "filesystems", &k->filesystems, e);
	if (rc < 0)
		return rc;
	uml = strcmp(k->backend, "uml") == 0;
	k->size = size_of(uml ? &files->uml : &files->vmlinux);
	k->initrd_size = size_of(uml ? &files->uml_initrd : &files->vmlinux_initrd);
	return 0;
}

static int read_kernels(const json_t *top, const struct appliance_files *files, struct appliance_info *out, struct err *e)
{
	const json_t *array = json_object_get(top, "kernels");
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < json_array_size(array) && i < ARRAY_LEN(out->kernels); i++)
		rc = read_kernel(json_array_get(array, i), files, &out->kernels[out->nkernels++], e);
	return rc;
}

static int read_tools(const json_t *top, struct appliance_info *out, struct err *e)
{
	const json_t *array = json_object_get(top, "tools");
	int rc = 0;

	out->tools = alloc_array(json_array_size(array) + 1, sizeof *out->tools);
	if (!out->tools)
		return err_nomem(e);
	for (size_t i = 0; rc == 0 && i < json_array_size(array); i++) {
		const json_t *object = json_array_get(array, i);
		struct appliance_tool *t = &out->tools[out->ntools++];

		t->nprograms = (uint64_t)json_integer_value(json_object_get(object, "programs"));
		t->mounts = json_is_true(json_object_get(object, "needed-to-mount"));
		rc = copy_text(object, "package", &t->package, e);
		if (rc == 0)
			rc = copy_words(object, "missing", &t->missing, e);
	}
	return rc;
}

static int read_json(const char *folder, json_t **out, struct err *e)
{
	CLEANUP(free_ptr) char *path = alloc_printf("%s/info.json", folder);
	CLEANUP(free_ptr) void *text = NULL;
	struct source_file f = SOURCE_FILE_NONE;
	size_t len;
	int rc;

	if (!path)
		return err_nomem(e);
	f.fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (f.fd < 0)
		return err_sys(e, errno, "%s", path);
	rc = fstat(f.fd, &f.st) < 0 || !S_ISREG(f.st.st_mode)
		     ? wrong(folder, e)
		     : source_file_read(&f, path, LIMIT_APPLIANCE_INFO, false, &text, &len, e);
	source_file_close(&f);
	if (rc < 0)
		return rc;
	*out = json_loadb(text, len, 0, NULL);
	return *out ? 0 : wrong(folder, e);
}

static int read_info(const struct appliance_files *files, struct appliance_info *out, struct err *e)
{
	json_t *top = NULL;
	int rc = read_json(files->folder, &top, e);

	if (rc < 0)
		return rc;
	out->folder = alloc_strdup(files->folder);
	out->key = alloc_strdup(files->key);
	out->tools_size = size_of(&files->tools);
	rc = out->folder && out->key ? copy_text(top, "drydock", &out->version, e) : err_nomem(e);
	if (rc == 0)
		rc = read_kernels(top, files, out, e);
	if (rc == 0)
		rc = read_tools(top, out, e);
	json_decref(top);
	return rc;
}

int appliance_info_read(const char *folder, struct appliance_info *out, struct err *e)
{
	CLEANUP(appliance_files_free) struct appliance_files files = { .folder = NULL };
	int rc = folder ? appliance_files_open(folder, &files, e) : appliance_files_find(&files, e);

	*out = (struct appliance_info){ .nkernels = 0 };
	if (rc == 0)
		rc = read_info(&files, out, e);
	if (rc < 0)
		appliance_info_free(out);
	return rc;
}

void appliance_info_free(struct appliance_info *i)
{
	for (size_t k = 0; k < i->nkernels; k++) {
		free(i->kernels[k].backend);
		free(i->kernels[k].release);
		free(i->kernels[k].source);
		free(i->kernels[k].filesystems);
	}
	for (size_t t = 0; t < i->ntools; t++) {
		free(i->tools[t].package);
		free(i->tools[t].missing);
	}
	free(i->tools);
	free(i->folder);
	free(i->version);
	free(i->key);
	*i = (struct appliance_info){ .nkernels = 0 };
}
