/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "line_edit_tree.h"

#include "alloc.h"
#include "limits.h"

#include <inttypes.h>
#include <stdio.h>

/* One line's way through the steps. */
struct run {
	struct strbuf line, spare;
	struct strbuf matched; /* what the last pattern that matched was tried on */
	struct regex_group groups[REGEX_GROUPS];
	uint64_t lineno;
	struct strbuf *out;
	bool next; /* this line is not to be printed */
	struct err *e;
};

void line_edit_free(struct line_edit *l)
{
	if (!l)
		return;
	while (l->made) {
		struct step *s = l->made;

		l->made = s->made_before;
		while (s->parts) {
			struct part *p = s->parts;

			s->parts = p->next;
			free(p->bytes);
			free(p);
		}
		regex_free(s->regex);
		free(s);
	}
	free(l);
}

static void line_edit_free_ptr(struct line_edit **l)
{
	line_edit_free(*l);
}

int line_edit_new(const char *expression, struct line_edit **out, struct err *e)
{
	CLEANUP(line_edit_free_ptr) struct line_edit *l = alloc_zero(sizeof *l);
	int rc;

	if (!l)
		return err_nomem(e);
	rc = line_edit_parse(expression, l, e);
	if (rc < 0)
		return rc;
	*out = take(l);
	return 0;
}

/* ---- texts ---- */

struct letters {
	enum part_kind all, once;
};

static void put(struct strbuf *out, struct letters *c, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		const enum part_kind how = c->once != PART_AS_IS ? c->once : c->all;
		char b = bytes[i];

		if ((how == PART_UPPER || how == PART_UPPER_ONCE) && b >= 'a' && b <= 'z')
			b = (char)(b - 'a' + 'A');
		else if ((how == PART_LOWER || how == PART_LOWER_ONCE) && b >= 'A' && b <= 'Z')
			b = (char)(b - 'A' + 'a');
		c->once = PART_AS_IS;
		strbuf_putc(out, b);
	}
}

static void build(const struct run *r, const struct part *p, struct strbuf *out)
{
	struct letters c = { PART_AS_IS, PART_AS_IS };
	char number[24];

	for (; p; p = p->next) {
		const struct regex_group *g = &r->groups[p->group < REGEX_GROUPS ? p->group : 0];

		switch (p->kind) {
		case PART_BYTES:
			put(out, &c, p->bytes, p->len);
			break;
		case PART_GROUP:
			if (g->from != REGEX_NONE && g->to <= r->matched.len)
				put(out, &c, r->matched.s + g->from, g->to - g->from);
			break;
		case PART_LINE:
			put(out, &c, r->line.s, r->line.len);
			break;
		case PART_LINENO:
			snprintf(number, sizeof number, "%" PRIu64, r->lineno);
			put(out, &c, number, strlen(number));
			break;
		case PART_UPPER_ONCE:
		case PART_LOWER_ONCE:
			c.once = p->kind;
			break;
		case PART_UPPER:
		case PART_LOWER:
		case PART_AS_IS:
			c.all = p->kind;
			break;
		}
	}
}

/* ---- the steps ---- */

/* What grows with each line has an end. */
static int fits(const struct run *r)
{
	if (r->line.failed || r->spare.failed || r->matched.failed || r->out->failed)
		return err_nomem(r->e);
	if (r->line.len > LIMIT_EDIT_FILE || r->spare.len > LIMIT_EDIT_FILE || r->out->len > LIMIT_EDIT_FILE)
		return err_set(r->e, ERR_LIMIT, "the text becomes larger than %llu MiB", LIMIT_EDIT_FILE / MiB);
	return 0;
}

static void swap(struct strbuf *a, struct strbuf *b)
{
	const struct strbuf t = *a;

	*a = *b;
	*b = t;
}

/* 1: it matches, and the groups are those of this match; 0: it does not. */
static int match(struct run *r, const struct step *s, size_t at, unsigned flags)
{
	struct regex_group groups[REGEX_GROUPS];
	int rc = regex_match(s->regex, r->line.s, r->line.len, at, flags, groups, REGEX_GROUPS, r->e);

	if (rc > 0)
		memcpy(r->groups, groups, sizeof groups);
	return rc;
}

static void keep_matched(struct run *r)
{
	strbuf_reset(&r->matched);
	strbuf_add(&r->matched, r->line.s, r->line.len);
}

/* Ends, as each round begins at a later byte, or at the same one behind a match that was not empty. */
static int substitute(struct run *r, const struct step *s)
{
	size_t at = 0, copied = 0, n = 0;
	unsigned flags = 0;
	int rc;

	strbuf_reset(&r->spare);
	while (at <= r->line.len && (rc = match(r, s, at, flags)) != 0) {
		if (rc < 0)
			return rc;
		flags = 0;
		if (n++ == 0)
			keep_matched(r);
		strbuf_add(&r->spare, r->line.s + copied, r->groups[0].from - copied);
		build(r, s->parts, &r->spare);
		copied = at = r->groups[0].to;
		rc = fits(r);
		if (rc < 0)
			return rc;
		if (!s->global)
			break;
		/* Behind any match, an empty one at its end counts; behind an empty one, none at the same place. */
		if (r->groups[0].from != r->groups[0].to)
			continue;
		rc = match(r, s, at, REGEX_NOT_EMPTY_HERE);
		if (rc < 0)
			return rc;
		if (rc == 0)
			at++;
		else
			flags = REGEX_NOT_EMPTY_HERE;
	}
	if (n == 0)
		return 0;
	strbuf_add(&r->spare, r->line.s + copied, r->line.len - copied);
	swap(&r->line, &r->spare);
	rc = fits(r);
	return rc < 0 ? rc : 1;
}

static int translate(struct run *r, const struct step *s)
{
	int changed = 0, last = -1;

	strbuf_reset(&r->spare);
	for (size_t i = 0; i < r->line.len; i++) {
		const unsigned char b = (unsigned char)r->line.s[i];
		const int to = s->map[b];

		if (to == TRANSLATE_KEEP) {
			strbuf_putc(&r->spare, (char)b);
			last = -1;
			continue;
		}
		changed = 1;
		if (to == TRANSLATE_DELETE || (s->squeeze && to == last))
			continue;
		strbuf_putc(&r->spare, (char)to);
		last = to;
	}
	swap(&r->line, &r->spare);
	return changed;
}

static bool compares(enum compare how, uint64_t a, uint64_t b)
{
	switch (how) {
	case COMPARE_EQ:
		return a == b;
	case COMPARE_NE:
		return a != b;
	case COMPARE_LT:
		return a < b;
	case COMPARE_LE:
		return a <= b;
	case COMPARE_GT:
		return a > b;
	case COMPARE_GE:
		return a >= b;
	}
	return false;
}

static int run_list(struct run *r, const struct step *s);

/* 1 or 0: what the step is as a condition; < 0: an error.  As deep as the expression, which has a limit. */
static int run_step(struct run *r, const struct step *s)
{
	int rc;

	switch (s->kind) {
	case STEP_IF:
		rc = run_step(r, s->a);
		return rc < 0 ? rc : run_list(r, rc ? s->b : s->orelse);
	case STEP_AND:
		rc = run_step(r, s->a);
		return rc <= 0 ? rc : run_step(r, s->b);
	case STEP_OR:
		rc = run_step(r, s->a);
		return rc != 0 ? rc : run_step(r, s->b);
	case STEP_NOT:
		rc = run_step(r, s->a);
		return rc < 0 ? rc : !rc;
	case STEP_MATCH:
		rc = match(r, s, 0, 0);
		if (rc > 0)
			keep_matched(r);
		return rc;
	case STEP_LINENO:
		return compares(s->compare, r->lineno, s->number);
	case STEP_EQUAL:
		strbuf_reset(&r->spare);
		build(r, s->parts, &r->spare);
		return r->spare.len == r->line.len && memcmp(r->spare.s, r->line.s, r->line.len) == 0;
	case STEP_SUBST:
		return substitute(r, s);
	case STEP_TRANSLATE:
		return translate(r, s);
	case STEP_SET:
	case STEP_APPEND:
		strbuf_reset(&r->spare);
		if (s->kind == STEP_APPEND)
			strbuf_add(&r->spare, r->line.s, r->line.len);
		build(r, s->parts, &r->spare);
		swap(&r->line, &r->spare);
		return 1;
	case STEP_PRINT:
		build(r, s->parts, r->out);
		return 1;
	case STEP_CHOMP:
		if (r->line.len && r->line.s[r->line.len - 1] == '\n')
			r->line.s[--r->line.len] = '\0';
		return 1;
	case STEP_NEXT:
		r->next = true;
		return 1;
	case STEP_DIE:
		strbuf_reset(&r->spare);
		build(r, s->parts, &r->spare);
		while (r->spare.len && r->spare.s[r->spare.len - 1] == '\n')
			r->spare.s[--r->spare.len] = '\0';
		return err_set(r->e, ERR_CANCELED, "line %" PRIu64 ": %s", r->lineno, r->spare.len ? r->spare.s : "died");
	}
	return 0;
}

static int run_list(struct run *r, const struct step *s)
{
	for (; s && !r->next; s = s->next) {
		int rc = run_step(r, s);

		if (rc >= 0)
			rc = fits(r);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static void run_free(struct run *r)
{
	strbuf_free(&r->line);
	strbuf_free(&r->spare);
	strbuf_free(&r->matched);
}

int line_edit_run(struct line_edit *l, const char *text, size_t len, struct strbuf *out, struct err *e)
{
	CLEANUP(run_free) struct run r = { .line = STRBUF_INIT, .spare = STRBUF_INIT, .matched = STRBUF_INIT, .out = out, .e = e };

	for (size_t i = 0; i < REGEX_GROUPS; i++)
		r.groups[i] = (struct regex_group){ REGEX_NONE, REGEX_NONE };
	while (len) {
		const char *end = memchr(text, '\n', len);
		const size_t n = end ? (size_t)(end - text) + 1 : len;
		int rc;

		strbuf_reset(&r.line);
		strbuf_add(&r.line, text, n);
		text += n;
		len -= n;
		r.lineno++;
		r.next = false;
		rc = run_list(&r, l->steps);
		if (rc < 0)
			return rc;
		if (!r.next)
			strbuf_add(out, r.line.s, r.line.len);
	}
	return fits(&r);
}
