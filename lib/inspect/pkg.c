/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pkg.c - which package databases a guest has. */
#include "pkg.h"

#include "alloc.h"
#include "text.h"

#include <string.h>

static const struct pkg_format *const formats[] = { &pkg_deb, &pkg_rpm, &pkg_rpm_var, &pkg_apk, &pkg_pacman, &pkg_portage,
						   &pkg_windows, &pkg_winnt, &pkg_reactos };

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
