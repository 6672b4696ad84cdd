/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest_case.h"

#include "alloc.h"
#include "strbuf.h"

#include <stdio.h>
#include <strings.h>

struct search {
	const char *name;
	char *found;
	bool nomem;
};

static int look(void *arg, const struct dry_entry *ent)
{
	struct search *s = arg;

	if (ent->depth == 0 || strcasecmp(ent->name, s->name) != 0)
		return DRY_WALK_ON;
	s->found = alloc_strdup(ent->name);
	s->nomem = !s->found;
	return DRY_WALK_STOP;
}

/* Appends one component. */
static int step(struct dry_guest *g, struct strbuf *path, const char *name, bool last, struct dry_error *e)
{
	struct search s = { .name = name };
	const struct dry_walk walk = { .max_depth = 1, .fn = look, .arg = &s };
	const size_t before = path->len;
	struct dry_node n;
	int rc;

	strbuf_printf(path, "/%s", name);
	rc = path->failed ? 0 : dry_guest_lookup(g, path->s, true, &n, e);
	if (rc != -DRY_NOT_FOUND)
		return rc;
	path->s[path->len = before] = '\0';
	rc = dry_guest_walk(g, before ? path->s : "/", &walk, e);
	if (rc >= 0 && !s.found && !s.nomem && !last) {
		*e = (struct dry_error){ .code = DRY_NOT_FOUND };
		snprintf(e->msg, sizeof e->msg, "%.400s/%.400s: no such file or directory", path->s, name);
		rc = -DRY_NOT_FOUND;
	}
	strbuf_printf(path, "/%s", s.found ? s.found : name);
	free(s.found);
	return rc < 0 ? rc : 0;
}

int guest_case_path(struct dry_guest *g, const char *path, char **out, struct dry_error *e)
{
	CLEANUP(free_ptr) char *copy = alloc_strdup(path);
	CLEANUP(strbuf_free) struct strbuf result = STRBUF_INIT;
	char *rest = copy, *name;
	int rc = 0;

	while (rest && (name = strsep(&rest, "/")) && rc >= 0) {
		const char *more = rest ? rest + strspn(rest, "/") : NULL;

		if (*name)
			rc = step(g, &result, name, !more || !*more, e);
	}
	if (rc < 0)
		return rc;
	if (!result.len)
		strbuf_putc(&result, '/');
	*out = copy ? strbuf_detach(&result) : NULL;
	if (*out)
		return 0;
	*e = (struct dry_error){ .code = DRY_NOMEM };
	snprintf(e->msg, sizeof e->msg, "out of memory");
	return -DRY_NOMEM;
}
