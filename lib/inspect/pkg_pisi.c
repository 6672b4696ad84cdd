/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pkg_pisi.c - Pardus' (and Solus' older) packages: /var/lib/pisi/package/NAME-VERSION-RELEASE/metadata.xml, whose elements are
 * few and known: PISI, in it Source and Package, in that History with an Update for each release, the newest first.
 */
#include "pkg.h"

#include "alloc.h"
#include "strbuf.h"

#include <string.h>

enum { M_NAME, M_SUMMARY, M_DESCRIPTION, M_ARCH, M_SOURCE, M_URL, M_VENDOR, M_VERSION, M_RELEASE, M_COUNT };
/* Where they stand; of several the first counts. */
static const char *const places[M_COUNT] = {
	"PISI/Package/Name",	    "PISI/Package/Summary", "PISI/Package/Description", "PISI/Package/Architecture",
	"PISI/Source/Name",	    "PISI/Source/Homepage", "PISI/Source/Packager/Name", "PISI/Package/History/Update/Version",
	"PISI/Package/History/Update@release",
};

#define DEPTH 8
struct metadata {
	char *value[M_COUNT];
};

static void metadata_free(struct metadata *m)
{
	for (size_t i = 0; i < M_COUNT; i++)
		free(m->value[i]);
}

static int value_take(struct metadata *m, const char *place, const char *text, size_t len, struct err *e)
{
	for (size_t i = 0; i < M_COUNT; i++) {
		if (m->value[i] || strcmp(place, places[i]) != 0)
			continue;
		while (len && (unsigned char)text[len - 1] <= ' ')
			len--;
		while (len && (unsigned char)*text <= ' ')
			text++, len--;
		m->value[i] = alloc_strndup(text, len);
		if (!m->value[i])
			return err_nomem(e);
		pkg_xml_unescape(m->value[i]);
	}
	return 0;
}

/* Goes through elements, with the path of those that are open.  Deeper ones than ours are counted only. */
static int metadata_parse(const char *p, struct metadata *m, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf path = STRBUF_INIT;
	size_t ends[DEPTH], depth = 0, beyond = 0;

	while ((p = strchr(p, '<'))) {
		const char *tag = ++p, *close = strchr(tag, '>');
		const char *attr;
		size_t len;
		int rc;

		if (strncmp(tag, "!--", 3) == 0)
			close = strstr(tag, "-->") ? strstr(tag, "-->") + 2 : NULL;
		if (!close)
			break;
		p = close + 1;
		if (*tag == '!' || *tag == '?')
			continue;
		if (*tag == '/') {
			if (beyond) {
				beyond--;
			} else if (depth) {
				path.len = ends[--depth];
				path.s[path.len] = '\0';
			}
			continue;
		}
		if (close[-1] == '/')
			continue;
		len = strcspn(tag, " \t\r\n>/");
		if (depth == DEPTH || len > 64 || beyond) {
			beyond++;
			continue;
		}
		ends[depth++] = path.len;
		if (path.len)
			strbuf_putc(&path, '/');
		strbuf_add(&path, tag, len);
		if (path.failed)
			return err_nomem(e);
		rc = value_take(m, path.s, p, strcspn(p, "<"), e);
		attr = memmem(tag, (size_t)(close - tag), "release=\"", 9);
		if (rc == 0 && attr) {
			CLEANUP(free_ptr) char *place = alloc_printf("%s@release", path.s);

			rc = place ? value_take(m, place, attr + 9, strcspn(attr + 9, "\""), e) : err_nomem(e);
		}
		if (rc < 0)
			return rc;
	}
	return 0;
}

struct call {
	struct vfs *v;
	const char *path;
	package_fn fn;
	void *arg;
};

static int on_folder(void *arg, const char *name, struct err *e)
{
	const struct call *c = arg;
	CLEANUP(free_ptr) char *folder = alloc_printf("%s/%s", c->path, name), *text = NULL;
	CLEANUP(metadata_free) struct metadata m = { { NULL } };
	int rc = folder ? pkg_text(c->v, folder, "metadata.xml", &text, e) : err_nomem(e);

	if (rc == 0 && text)
		rc = metadata_parse(text, &m, e);
	if (rc < 0 || !m.value[M_NAME] || !*m.value[M_NAME] || !m.value[M_VERSION])
		return rc;
	return c->fn(c->arg,
		     &(struct package){
			     .name = m.value[M_NAME],
			     .version = m.value[M_VERSION],
			     .release = m.value[M_RELEASE],
			     .arch = m.value[M_ARCH],
			     .vendor = m.value[M_VENDOR],
			     .url = m.value[M_URL],
			     .summary = m.value[M_SUMMARY],
			     .description = m.value[M_DESCRIPTION],
			     .source = m.value[M_SOURCE],
		     },
		     e);
}

static int pisi_list(struct vfs *v, const char *path, package_fn fn, void *arg, struct err *e)
{
	struct call c = { v, path, fn, arg };

	return pkg_each_folder(v, path, on_folder, &c, e);
}

const struct pkg_format pkg_pisi = { .name = "pisi", .path = "/var/lib/pisi/package", .list = pisi_list };
