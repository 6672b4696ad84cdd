/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pkg.c - which package databases a guest has. */
#include "pkg.h"

#include "alloc.h"
#include "limits.h"
#include "text.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const struct pkg_format *const formats[] = { &pkg_deb,	 &pkg_rpm,	  &pkg_rpm_var,	   &pkg_apk,	 &pkg_pacman,
						    &pkg_portage, &pkg_xbps,	  &pkg_pkgsrc,	   &pkg_pkgsrc_usr, &pkg_openbsd,
						    &pkg_freebsd, &pkg_pisi,	  &pkg_flatpak,	   &pkg_snap,	 &pkg_snap_var,
						    &pkg_windows, &pkg_winnt,	  &pkg_win32,	   &pkg_win,	 &pkg_reactos };

int pkg_walk(struct vfs *v, const struct pkg_walk *w, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		struct err why = ERR_INIT;
		struct fs_stat st;
		int rc = vfs_stat(v, formats[i]->path, true, &st, &why);

		if (rc == -ERR_NOT_FOUND || rc == -ERR_SYSTEM)
			continue;
		if (rc == 0 && w->format)
			rc = w->format(w->arg, formats[i]->name, formats[i]->path, e);
		if (rc == 0)
			rc = formats[i]->list(v, formats[i]->path, w->package, w->arg, &why);
		if (rc == -ERR_NOMEM)
			return err_nomem(e);
		if (rc < 0)
			rc = w->failed(w->arg, formats[i]->path, &why, e);
		if (rc != 0)
			return rc;
	}
	return 0;
}

struct folder_call {
	int (*fn)(void *arg, const char *name, struct err *e);
	void *arg;
};

static int on_folder(void *arg, const struct vfs_dirent *d, struct err *e)
{
	const struct folder_call *c = arg;
	struct fs_stat st;

	if (fs_stat(d->node.fs, d->node.ino, &st, NULL) < 0 || !S_ISDIR(st.mode))
		return 0;
	return c->fn(c->arg, d->name, e);
}

int pkg_each_folder(struct vfs *v, const char *path, int (*fn)(void *arg, const char *name, struct err *e), void *arg,
		    struct err *e)
{
	struct folder_call c = { fn, arg };
	struct vfs_node dir;
	int rc = vfs_lookup(v, path, true, &dir, e);

	return rc < 0 ? rc : vfs_readdir(v, dir, true, on_folder, &c, e);
}

int pkg_text(struct vfs *v, const char *folder, const char *name, char **text, struct err *e)
{
	CLEANUP(free_ptr) char *path = alloc_printf("%s/%s", folder, name);
	size_t len;
	int rc = path ? vfs_read_file(v, path, LIMIT_CONFIG_BYTES, text, &len, NULL) : -ERR_NOMEM;

	return rc == -ERR_NOMEM ? err_nomem(e) : 0;
}

char *pkg_xml_unescape(char *text)
{
	static const struct {
		const char *entity;
		char c;
	} entities[] = { { "&amp;", '&' }, { "&lt;", '<' }, { "&gt;", '>' }, { "&quot;", '"' }, { "&apos;", '\'' } };
	char *to = text;

	for (const char *p = text; *p;) {
		const char *rest = NULL;
		unsigned code;
		int used = 0;

		for (size_t i = 0; i < ARRAY_LEN(entities) && !rest; i++)
			if (text_starts(p, entities[i].entity, &rest))
				*to++ = entities[i].c;
		if (!rest && sscanf(p, "&#%3u;%n", &code, &used) == 1 && used && code && code < 128) {
			*to++ = (char)code;
			rest = p + used;
		}
		if (rest)
			p = rest;
		else
			*to++ = *p++;
	}
	*to = '\0';
	return text;
}

void pkg_version_split(char *text, struct package *p)
{
	char *colon = strchr(text, ':'), *dash;
	uint64_t epoch;

	if (colon) {
		*colon = '\0';
		if (text_parse_u64(text, &epoch) && epoch <= UINT32_MAX) {
			p->epoch = (uint32_t)epoch;
			text = colon + 1;
		} else {
			*colon = ':';
		}
	}
	dash = strrchr(text, '-');
	if (dash) {
		*dash = '\0';
		p->release = dash + 1;
	}
	p->version = text;
}
