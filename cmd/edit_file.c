/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "edit_file.h"

#include "alloc.h"
#include "guest_file.h"
#include "guest_put.h"
#include "limits.h"

#include <inttypes.h>
#include <stdio.h>

static int from_util(struct dry_error *e, const struct err *why)
{
	*e = (struct dry_error){ .code = (enum dry_code)why->code, .sys_errno = why->sys_errno };
	memcpy(e->msg, why->msg, sizeof e->msg);
	return -(int)e->code;
}

static int refuse(struct dry_error *e, enum dry_code code, const char *msg)
{
	*e = (struct dry_error){ .code = code };
	snprintf(e->msg, sizeof e->msg, "%s", msg);
	return -(int)code;
}

int edit_how_expressions(struct edit_how *how, const struct opt_list *texts, struct dry_error *e)
{
	struct err why = ERR_INIT;

	how->exprs = texts->n ? alloc_array(texts->n, sizeof *how->exprs) : NULL;
	if (texts->n && !how->exprs)
		return refuse(e, DRY_NOMEM, "out of memory");
	for (; how->nexprs < texts->n; how->nexprs++)
		if (line_edit_new(texts->items[how->nexprs], &how->exprs[how->nexprs], &why) < 0)
			return from_util(e, &why);
	return 0;
}

void edit_how_free(struct edit_how *how)
{
	for (size_t i = 0; i < how->nexprs; i++)
		line_edit_free(how->exprs[i]);
	free(how->exprs);
	how->exprs = NULL;
	how->nexprs = 0;
}

int edit_host_start(struct host_side **out, struct dry_error *e)
{
	struct host_grant editor = { .kind = HOST_EDIT, .text = (char[]){ "" } };
	int rc = host_side_start(out, e);

	return rc < 0 ? rc : host_only(*out, &(struct host_allowed){ &editor, 1 }, e);
}

static int add(void *arg, const void *bytes, size_t len)
{
	struct strbuf *text = arg;

	strbuf_add(text, bytes, len);
	return text->failed || text->len > LIMIT_EDIT_FILE;
}

static int read_text(struct dry_guest *g, const char *path, struct strbuf *text, struct dry_error *e)
{
	CLEANUP(free_ptr) void *buf = alloc_bytes(GUEST_FILE_CHUNK);
	struct dry_node n;
	struct dry_stat st;
	int rc = buf ? guest_file_stat(g, path, &n, &st, e) : refuse(e, DRY_NOMEM, "out of memory");

	if (rc >= 0 && st.size > LIMIT_EDIT_FILE) {
		rc = refuse(e, DRY_LIMIT, "");
		snprintf(e->msg, sizeof e->msg, "a file of %" PRIu64 " bytes is no text to edit", st.size);
	}
	if (rc >= 0)
		rc = guest_file_each(g, n, buf, add, text, e);
	if (rc > 0 || text->failed)
		rc = refuse(e, DRY_NOMEM, "out of memory");
	return rc;
}

static int by_expressions(const struct edit_how *how, struct strbuf *text, struct dry_error *e)
{
	for (size_t i = 0; i < how->nexprs; i++) {
		CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
		struct strbuf old = *text;
		struct err why = ERR_INIT;

		if (line_edit_run(how->exprs[i], text->s, text->len, &out, &why) < 0)
			return from_util(e, &why);
		*text = out;
		out = old;
	}
	return 0;
}

int edit_file(struct dry_change *c, const char *path, const struct edit_how *how, bool *changed, struct dry_error *e)
{
	CLEANUP(strbuf_free) struct strbuf before = STRBUF_INIT, after = STRBUF_INIT;
	int rc = read_text(dry_change_guest(c), path, &before, e);

	*changed = false;
	if (rc < 0)
		return rc;
	if (how->nexprs) {
		strbuf_add(&after, before.s, before.len);
		rc = after.failed ? refuse(e, DRY_NOMEM, "out of memory") : by_expressions(how, &after, e);
		*changed = rc >= 0 && (after.len != before.len || memcmp(after.s, before.s, after.len) != 0);
	} else {
		rc = host_edit(how->h, path, before.s, before.len, &after, changed, e);
	}
	if (rc < 0 || !*changed)
		return rc;
	if (how->backup) {
		CLEANUP(free_ptr) char *copy = alloc_printf("%s%s", path, how->backup);

		rc = copy ? guest_put_copy(c, path, copy, e) : refuse(e, DRY_NOMEM, "out of memory");
	}
	return rc < 0 ? rc : dry_change_write_file(c, path, after.s, after.len, NULL, e);
}
