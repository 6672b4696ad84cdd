/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lvm_text.c - the parser of LVM2's text format. */
#include "lvm_text.h"

#include "alloc.h"
#include "limits.h"

#include <inttypes.h>
#include <string.h>

struct parser {
	struct lvm_text *t;
	char *p, *end;
	unsigned line;
	/* The sections and lists that are open, outermost first, and the last value in each (0: none yet). */
	struct {
		uint32_t value, last;
	} open[LIMIT_LVM_TEXT_DEPTH + 1];
	unsigned depth;
};

void lvm_text_free(struct lvm_text *t)
{
	free(t->bytes);
	free(t->values);
	memset(t, 0, sizeof *t);
}

static int bad(const struct parser *s, struct err *e, const char *what)
{
	return err_set(e, ERR_CORRUPT, "line %u of the metadata: %s", s->line, what);
}

/* ---- words ---- */

static void blanks_skip(struct parser *s)
{
	for (; s->p < s->end; s->p++) {
		if (*s->p == '#')
			while (s->p < s->end && *s->p != '\n')
				s->p++;
		if (s->p == s->end)
			return;
		if (*s->p == '\n')
			s->line++;
		else if (*s->p != ' ' && *s->p != '\t' && *s->p != '\r')
			return;
	}
}

static bool is_key_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
	       c == '.' || c == '+';
}

/* Is c what comes next, behind blanks?  Then it is read. */
static bool accept(struct parser *s, char c)
{
	blanks_skip(s);
	if (s->p == s->end || *s->p != c)
		return false;
	s->p++;
	return true;
}

/* The opening quote has been read.  The string is unescaped where it lies, and ends where it ended or earlier. */
static int string_read(struct parser *s, const char **out, struct err *e)
{
	char *to = s->p;

	*out = to;
	for (; s->p < s->end && *s->p != '"'; s->p++) {
		if (*s->p == '\n')
			s->line++;
		if (*s->p == '\\' && s->p + 1 < s->end && (s->p[1] == '"' || s->p[1] == '\\'))
			s->p++;
		*to++ = *s->p;
	}
	if (s->p == s->end)
		return bad(s, e, "a string does not end");
	s->p++;
	*to = '\0';
	return 0;
}

/* A number, which may turn out to be none that we use. */
static void number_read(struct parser *s, struct lvm_value *v)
{
	v->kind = LVM_NUMBER;
	v->num = 0;
	if (*s->p == '-' || *s->p == '+') {
		v->kind = LVM_OTHER;
		s->p++;
	}
	for (; s->p < s->end && ((*s->p >= '0' && *s->p <= '9') || *s->p == '.'); s->p++) {
		if (*s->p == '.' || __builtin_mul_overflow(v->num, 10, &v->num) ||
		    __builtin_add_overflow(v->num, (uint64_t)(*s->p - '0'), &v->num))
			v->kind = LVM_OTHER;
	}
}

/* ---- the tree ---- */

/* A new value in what is open; void when the next one is added. */
static int value_add(struct parser *s, const char *key, struct lvm_value **out, struct err *e)
{
	struct lvm_text *t = s->t;
	uint32_t self = (uint32_t)t->n;

	if (t->n == LIMIT_LVM_VALUES)
		return err_set(e, ERR_LIMIT, "metadata of more than %d values", LIMIT_LVM_VALUES);
	if (t->n == t->cap) {
		size_t cap = t->cap ? 2 * t->cap : 256;
		struct lvm_value *values = alloc_resize(t->values, cap, sizeof *values);

		if (!values)
			return err_nomem(e);
		t->values = values;
		t->cap = cap;
	}
	t->n++;
	*out = &t->values[self];
	**out = (struct lvm_value){ .key = key };
	if (self == 0)
		return 0;
	if (s->open[s->depth].last)
		t->values[s->open[s->depth].last].next = self;
	else
		t->values[s->open[s->depth].value].first = self;
	s->open[s->depth].last = self;
	return 0;
}

/* The value that was added last is a section or list, and what follows lies in it. */
static int level_open(struct parser *s, struct err *e)
{
	if (s->depth == LIMIT_LVM_TEXT_DEPTH)
		return err_set(e, ERR_LIMIT, "line %u of the metadata: sections more than %d deep", s->line,
			       LIMIT_LVM_TEXT_DEPTH);
	s->depth++;
	s->open[s->depth].value = (uint32_t)(s->t->n - 1);
	s->open[s->depth].last = 0;
	return 0;
}

/* A value, or the beginning of a list; the next character is there. */
static int value_read(struct parser *s, const char *key, struct err *e)
{
	struct lvm_value *v;
	int rc = value_add(s, key, &v, e);

	if (rc < 0)
		return rc;
	if (*s->p == '"') {
		s->p++;
		v->kind = LVM_STRING;
		return string_read(s, &v->str, e);
	}
	if (*s->p == '[') {
		s->p++;
		v->kind = LVM_LIST;
		return level_open(s, e);
	}
	if ((*s->p < '0' || *s->p > '9') && *s->p != '-' && *s->p != '+')
		return bad(s, e, "a value is neither a number, a string nor a list");
	number_read(s, v);
	return 0;
}

/* The next item of a list, or its end. */
static int list_step(struct parser *s, struct err *e)
{
	if (accept(s, ']')) {
		s->depth--;
		return 0;
	}
	if (s->open[s->depth].last && !accept(s, ','))
		return bad(s, e, "there is no comma between the values of a list");
	/* A comma may stand behind the last one. */
	if (accept(s, ']')) {
		s->depth--;
		return 0;
	}
	if (s->p == s->end)
		return bad(s, e, "a list does not end");
	return value_read(s, NULL, e);
}

/* The next key of a section and its value, or the section's end. */
static int section_step(struct parser *s, struct err *e)
{
	char *key, *key_end;
	struct lvm_value *v;
	int rc;

	if (s->depth && accept(s, '}')) {
		s->depth--;
		return 0;
	}
	blanks_skip(s);
	if (s->p == s->end)
		return bad(s, e, "a section does not end");
	key = s->p;
	while (s->p < s->end && is_key_char(*s->p))
		s->p++;
	key_end = s->p;
	if (key == key_end)
		return bad(s, e, "there is no name where one should be");
	if (accept(s, '{')) {
		*key_end = '\0';
		rc = value_add(s, key, &v, e);
		if (rc < 0)
			return rc;
		v->kind = LVM_SECTION;
		return level_open(s, e);
	}
	if (!accept(s, '='))
		return bad(s, e, "neither \"=\" nor \"{\" follows a name");
	blanks_skip(s);
	if (s->p == s->end)
		return bad(s, e, "there is no value behind \"=\"");
	*key_end = '\0';
	return value_read(s, key, e);
}

/* Has the value that was read last completed what is asked of the head? */
static bool head_is_known(const struct parser *s)
{
	const struct lvm_text *t = s->t;
	const struct lvm_value *vg = lvm_first(t, t->values);
	const char *key = t->values[s->open[s->depth].last].key;
	uint64_t seqno;

	if (s->depth != 1 || !key || (strcmp(key, "seqno") != 0 && strcmp(key, "id") != 0))
		return false;
	return vg->kind == LVM_SECTION && lvm_string(t, vg, "id") && lvm_number(t, vg, "seqno", UINT64_MAX, &seqno);
}

int lvm_text_parse(char *bytes, size_t len, bool head, struct lvm_text *out, struct err *e)
{
	const char *nul = memchr(bytes, '\0', len);
	struct parser s = { .t = out, .p = bytes, .end = nul ? bytes + (nul - bytes) : bytes + len, .line = 1 };
	struct lvm_value *root;
	int rc;

	memset(out, 0, sizeof *out);
	out->bytes = bytes;
	rc = value_add(&s, NULL, &root, e);
	if (rc == 0)
		root->kind = LVM_SECTION;
	/* Each turn but those that end a section or list reads a value, and so at least one character. */
	while (rc == 0) {
		if (head && head_is_known(&s))
			return 0;
		blanks_skip(&s);
		if (s.depth == 0 && s.p == s.end)
			return 0;
		rc = out->values[s.open[s.depth].value].kind == LVM_LIST ? list_step(&s, e) : section_step(&s, e);
	}
	lvm_text_free(out);
	return rc;
}

/* ---- questions ---- */

const struct lvm_value *lvm_find(const struct lvm_text *t, const struct lvm_value *section, const char *key,
				 enum lvm_kind kind)
{
	for (const struct lvm_value *v = lvm_first(t, section); v; v = lvm_next(t, v))
		if (v->kind == kind && v->key && strcmp(v->key, key) == 0)
			return v;
	return NULL;
}

const char *lvm_string(const struct lvm_text *t, const struct lvm_value *section, const char *key)
{
	const struct lvm_value *v = lvm_find(t, section, key, LVM_STRING);

	return v ? v->str : NULL;
}

bool lvm_number(const struct lvm_text *t, const struct lvm_value *section, const char *key, uint64_t max, uint64_t *out)
{
	const struct lvm_value *v = lvm_find(t, section, key, LVM_NUMBER);

	if (!v || v->num > max)
		return false;
	*out = v->num;
	return true;
}

bool lvm_has_word(const struct lvm_text *t, const struct lvm_value *section, const char *key, const char *word)
{
	const struct lvm_value *list = lvm_find(t, section, key, LVM_LIST);

	for (const struct lvm_value *v = list ? lvm_first(t, list) : NULL; v; v = lvm_next(t, v))
		if (v->kind == LVM_STRING && strcmp(v->str, word) == 0)
			return true;
	return false;
}
