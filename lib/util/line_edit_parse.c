/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* line_edit_parse.c - the words of an expression of line_edit.h; each rule of the grammar is a function. */
#include "line_edit_tree.h"

#include "alloc.h"
#include "limits.h"
#include "text.h"

#include <ctype.h>
#include <string.h>

struct parse {
	const char *p; /* what comes next */
	struct line_edit *l;
	unsigned depth;
	struct err *e;
};

static struct step *parse_list(struct parse *s, bool block);
static struct step *parse_or(struct parse *s);

/* Where a rule ends without a step, the error was told. */
static struct step *refuse(struct parse *s, const char *why)
{
	if (!s->e || s->e->code == ERR_NONE)
		err_set(s->e, ERR_USAGE, "%s at \"%.40s\"", why, s->p);
	return NULL;
}

static struct step *step_new(struct parse *s, enum step_kind kind)
{
	struct step *n = alloc_zero(sizeof *n);

	if (!n) {
		err_nomem(s->e);
		return NULL;
	}
	n->kind = kind;
	n->made_before = s->l->made;
	s->l->made = n;
	return n;
}

static void skip_blanks(struct parse *s)
{
	for (;; s->p++) {
		if (*s->p == '#')
			s->p += strcspn(s->p, "\n");
		if (!isspace((unsigned char)*s->p))
			return;
	}
}

static bool word_byte(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* Is this what comes next?  Then it is behind us; a word ends where no letter follows. */
static bool accept(struct parse *s, const char *what)
{
	const char *rest;

	skip_blanks(s);
	if (!text_starts(s->p, what, &rest) || (word_byte(rest[-1]) && word_byte(*rest)))
		return false;
	s->p = rest;
	return true;
}

/* ---- quoted texts ---- */

static char closing(char open)
{
	switch (open) {
	case '(':
		return ')';
	case '[':
		return ']';
	case '{':
		return '}';
	case '<':
		return '>';
	default:
		return open;
	}
}

/* The text up to its end, of pairs the matching one; *p is then behind that.  false: there is no end. */
static bool quoted(const char **p, char open, const char **text, size_t *len)
{
	const char close = closing(open);
	size_t pairs = 1;

	*text = *p;
	for (const char *q = *p; *q; q++) {
		if (*q == '\\' && q[1]) {
			q++;
		} else if (*q == close && --pairs == 0) {
			*len = (size_t)(q - *text);
			*p = q + 1;
			return true;
		} else if (*q == open && open != close) {
			pairs++;
		}
	}
	return false;
}

static struct part **part_add(struct parse *s, struct part **at, enum part_kind kind, const void *bytes, size_t len)
{
	struct part *n = alloc_zero(sizeof *n);

	if (!n) {
		err_nomem(s->e);
		return NULL;
	}
	n->kind = kind;
	*at = n;
	if (len) {
		n->bytes = alloc_bytes(len);
		if (!n->bytes) {
			err_nomem(s->e);
			return NULL;
		}
		memcpy(n->bytes, bytes, len);
		n->len = len;
	}
	return &n->next;
}

/* "$1", "${1}", "$&", "$_", "$lineno", "$.": how long it is, 0: it is none. */
static size_t variable(const char *p, size_t len, enum part_kind *kind, unsigned *group)
{
	size_t i = 1, end;
	bool braces;

	if (len < 2 || p[0] != '$')
		return 0;
	*group = 0;
	*kind = PART_GROUP;
	if (p[1] == '&')
		return 2;
	if (p[1] == '.') {
		*kind = PART_LINENO;
		return 2;
	}
	braces = p[1] == '{';
	i += braces;
	for (end = i; end < len && word_byte(p[end]); end++)
		;
	if (braces && (end == len || p[end] != '}'))
		return 0;
	if (end - i == 1 && p[i] == '_')
		*kind = PART_LINE;
	else if (end - i == 6 && memcmp(p + i, "lineno", 6) == 0)
		*kind = PART_LINENO;
	else if (end - i >= 1 && end - i <= 2 && isdigit((unsigned char)p[i]) && isdigit((unsigned char)p[end - 1]) && p[i] != '0')
		*group = end - i == 1 ? (unsigned)(p[i] - '0') : (unsigned)((p[i] - '0') * 10 + (p[i + 1] - '0'));
	else
		return 0;
	return *group < REGEX_GROUPS ? end + braces : 0;
}

/* An escape behind its backslash: how many bytes it takes, and the byte it stands for; 0: it is none that is known. */
static size_t escape(const char *p, size_t len, char *out)
{
	static const char from[] = "ntrfaeb0", to[] = "\n\t\r\f\a\033\b";
	unsigned value = 0;
	size_t i;
	const char *known = memchr(from, *p, sizeof from - 1);

	if (known) {
		*out = *known == '0' ? '\0' : to[known - from];
		return 1;
	}
	if (*p == 'x') {
		for (i = 1; i < len && i < 3 && isxdigit((unsigned char)p[i]); i++)
			value = value * 16 + (isdigit((unsigned char)p[i]) ? (unsigned)(p[i] - '0')
									   : (unsigned)((p[i] | 0x20) - 'a' + 10));
		*out = (char)value;
		return i > 1 ? i : 0;
	}
	*out = *p;
	return isalnum((unsigned char)*p) ? 0 : 1;
}

/* A text in double quotes, or behind a pattern; there \1 is $1. */
static struct part **parse_parts(struct parse *s, struct part **at, const char *p, size_t len, bool behind_pattern)
{
	CLEANUP(strbuf_free) struct strbuf plain = STRBUF_INIT;
	static const char cases[] = "ULEul";
	static const enum part_kind kinds[] = { PART_UPPER, PART_LOWER, PART_AS_IS, PART_UPPER_ONCE, PART_LOWER_ONCE };
	enum part_kind kind = PART_BYTES;
	unsigned group = 0;

	for (size_t i = 0; i <= len;) {
		size_t taken = 0;
		char byte;

		if (i < len && p[i] == '\\' && i + 1 < len) {
			const char *letter = memchr(cases, p[i + 1], sizeof cases - 1);

			if (letter) {
				kind = kinds[letter - cases];
				taken = 2;
			} else if (behind_pattern && p[i + 1] >= '1' && p[i + 1] <= '9') {
				kind = PART_GROUP;
				group = (unsigned)(p[i + 1] - '0');
				taken = 2;
			} else {
				taken = escape(p + i + 1, len - i - 1, &byte);
				if (!taken) {
					s->p = p + i;
					refuse(s, "an escape that is not known");
					return NULL;
				}
				strbuf_putc(&plain, byte);
				i += 1 + taken;
				continue;
			}
		} else if (i < len && p[i] == '$' && i + 1 < len && (word_byte(p[i + 1]) || strchr("{&.", p[i + 1]))) {
			taken = variable(p + i, len - i, &kind, &group);
			if (!taken) {
				s->p = p + i;
				refuse(s, "a variable that is not known");
				return NULL;
			}
		} else if (i < len) {
			strbuf_putc(&plain, p[i++]);
			continue;
		}
		if (plain.failed) {
			err_nomem(s->e);
			return NULL;
		}
		if (plain.len || i == len) {
			at = part_add(s, at, PART_BYTES, plain.s, plain.len);
			strbuf_reset(&plain);
		}
		if (i == len || !at)
			return at;
		at = part_add(s, at, kind, NULL, 0);
		if (!at)
			return NULL;
		/* The part that was just made is the one that "at" is the end of. */
		((struct part *)(void *)((char *)at - offsetof(struct part, next)))->group = group;
		i += taken;
	}
	return at;
}

/* "text" . 'text' . $_ . $1 */
static bool parse_text(struct parse *s, struct part **at)
{
	do {
		const char *text;
		size_t len;

		skip_blanks(s);
		if (*s->p == '"' || *s->p == '\'') {
			const char quote = *s->p++;

			if (!quoted(&s->p, quote, &text, &len))
				return refuse(s, "a text without an end") != NULL;
			if (quote == '"') {
				const char *behind = s->p;

				at = parse_parts(s, at, text, len, false);
				if (at)
					s->p = behind;
			} else {
				CLEANUP(strbuf_free) struct strbuf plain = STRBUF_INIT;

				for (size_t i = 0; i < len; i++) {
					if (text[i] == '\\' && i + 1 < len && (text[i + 1] == '\'' || text[i + 1] == '\\'))
						i++;
					strbuf_putc(&plain, text[i]);
				}
				at = part_add(s, at, PART_BYTES, plain.s, plain.len);
			}
		} else {
			len = variable(s->p, strlen(s->p), &(enum part_kind){ PART_LINE }, &(unsigned){ 0 });
			if (!len)
				return refuse(s, "a text is expected") != NULL;
			text = s->p;
			at = parse_parts(s, at, text, len, false);
			s->p = text + len;
		}
		if (!at)
			return false;
	} while (accept(s, "."));
	return true;
}

/* ---- patterns ---- */

/* A pattern must not have variables of Perl's in it: it would mean something else there. */
static bool pattern_plain(struct parse *s, const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (p[i] == '\\')
			i++;
		else if (p[i] == '$' && i + 1 < len && (isalpha((unsigned char)p[i + 1]) || p[i + 1] == '_' || p[i + 1] == '{')) {
			s->p = p + i;
			return refuse(s, "a variable in a pattern is not known here") != NULL;
		}
	}
	return len ? true : refuse(s, "an empty pattern means nothing here") != NULL;
}

/* sed's command behind an address, which could also be a flag. */
static bool addressed(const char *p)
{
	return (*p == 'd' && !word_byte(p[1])) || (*p == 's' && p[1] && strchr("/,#@%:", p[1]));
}

static bool parse_pattern(struct parse *s, struct step *n, char open, const char *text, size_t len, bool subst)
{
	CLEANUP(strbuf_free) struct strbuf pattern = STRBUF_INIT;
	unsigned flags = 0;

	if (!pattern_plain(s, text, len))
		return false;
	/* A backslash before the mark is only there for the mark's sake, but where marks come in pairs. */
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\\' && text[i + 1] == open && closing(open) == open)
			i++;
		else if (text[i] == '\\')
			strbuf_putc(&pattern, text[i++]);
		strbuf_putc(&pattern, text[i]);
	}
	if (pattern.failed)
		return err_nomem(s->e) == 0;
	for (; isalpha((unsigned char)*s->p); s->p++) {
		if (!subst && addressed(s->p))
			break;
		if (*s->p == 'i')
			flags |= REGEX_CASELESS;
		else if (*s->p == 'm')
			flags |= REGEX_MULTILINE;
		else if (*s->p == 's')
			flags |= REGEX_DOTALL;
		else if (*s->p == 'x')
			flags |= REGEX_EXTENDED;
		else if (*s->p == 'g' && subst)
			n->global = true;
		else
			return refuse(s, "a flag that is not known") != NULL;
	}
	return regex_new(pattern.s, pattern.len, flags, &n->regex, s->e) == 0;
}

/* The mark that begins a pattern; letters and blanks are none. */
static bool mark(struct parse *s, char *out)
{
	*out = *s->p;
	if (!ispunct((unsigned char)*out) || strchr("'_\\;", *out))
		return false;
	s->p++;
	return true;
}

/* Both parts of s/// and tr///: of pairs, the second has marks of its own. */
static bool two_parts(struct parse *s, char *first_mark, const char **first, size_t *nfirst, const char **second, size_t *nsecond)
{
	char open;

	if (!mark(s, &open) || !quoted(&s->p, open, first, nfirst))
		return refuse(s, "a pattern without an end") != NULL;
	*first_mark = open;
	if (closing(open) != open) {
		skip_blanks(s);
		if (!mark(s, &open))
			return refuse(s, "the second part is missing") != NULL;
	}
	return quoted(&s->p, open, second, nsecond) || refuse(s, "the second part has no end") != NULL;
}

static struct step *parse_subst(struct parse *s)
{
	struct step *n = step_new(s, STEP_SUBST);
	const char *pattern, *text, *behind;
	size_t npattern, ntext;
	char open;

	if (!n || !two_parts(s, &open, &pattern, &npattern, &text, &ntext) ||
	    !parse_pattern(s, n, open, pattern, npattern, true))
		return NULL;
	behind = s->p;
	if (!parse_parts(s, &n->parts, text, ntext, true))
		return NULL;
	s->p = behind;
	return n;
}

/* The bytes that "a-z\n" stands for. */
static bool range_bytes(struct parse *s, const char *p, size_t len, unsigned char *out, size_t *n)
{
	*n = 0;
	for (size_t i = 0; i < len;) {
		unsigned char from, to;
		char byte = p[i];
		size_t taken = 1;

		if (byte == '\\' && i + 1 < len) {
			taken = escape(p + i + 1, len - i - 1, &byte);
			if (!taken)
				return refuse(s, "an escape that is not known") != NULL;
			taken++;
		}
		i += taken;
		from = to = (unsigned char)byte;
		if (i + 1 < len && p[i] == '-') {
			to = (unsigned char)p[i + 1];
			i += 2;
		}
		if (to < from)
			return refuse(s, "a range that ends before it begins") != NULL;
		for (unsigned c = from; c <= to; c++) {
			if (*n == 256)
				return refuse(s, "more than 256 letters") != NULL;
			out[(*n)++] = (unsigned char)c;
		}
	}
	return true;
}

static struct step *parse_translate(struct parse *s)
{
	struct step *n = step_new(s, STEP_TRANSLATE);
	const char *first, *second;
	size_t nfirst, nsecond, nfrom, nto;
	unsigned char from[256], to[256];
	bool others = false, drop = false, named[256] = { false };
	char open;

	if (!n || !two_parts(s, &open, &first, &nfirst, &second, &nsecond) || !range_bytes(s, first, nfirst, from, &nfrom) ||
	    !range_bytes(s, second, nsecond, to, &nto))
		return NULL;
	for (; isalpha((unsigned char)*s->p); s->p++) {
		if (*s->p == 'c')
			others = true;
		else if (*s->p == 'd')
			drop = true;
		else if (*s->p == 's')
			n->squeeze = true;
		else
			return refuse(s, "a flag that is not known");
	}
	for (unsigned c = 0; c < 256; c++)
		n->map[c] = TRANSLATE_KEEP;
	for (size_t i = 0; i < nfrom; i++)
		named[from[i]] = true;
	if (others) {
		nfrom = 0;
		for (unsigned c = 0; c < 256; c++)
			if (!named[c])
				from[nfrom++] = (unsigned char)c;
	}
	for (size_t i = nfrom; i-- > 0;) { /* of a letter that is named twice the first counts */
		if (i < nto)
			n->map[from[i]] = to[i];
		else if (drop)
			n->map[from[i]] = TRANSLATE_DELETE;
		else
			n->map[from[i]] = nto ? to[nto - 1] : from[i];
	}
	return n;
}

/* "/x/", "m{x}", "s/x/y/", "tr/x/y/": all that may stand behind "$_ =~". */
static struct step *parse_match(struct parse *s)
{
	const char *p, *text;
	struct step *n;
	size_t len;
	char open;

	skip_blanks(s);
	p = s->p;
	if (*p == 's' && !word_byte(p[1]) && !isspace((unsigned char)p[1]))
		return s->p++, parse_subst(s);
	if (*p == 'y' && !word_byte(p[1]) && !isspace((unsigned char)p[1]))
		return s->p++, parse_translate(s);
	if (p[0] == 't' && p[1] == 'r' && !word_byte(p[2]) && !isspace((unsigned char)p[2]))
		return s->p += 2, parse_translate(s);
	if (*p == 'm' && !word_byte(p[1]) && !isspace((unsigned char)p[1]))
		s->p++;
	else if (*p != '/')
		return refuse(s, "this is not understood");
	n = step_new(s, STEP_MATCH);
	if (!n)
		return NULL;
	if (!mark(s, &open) || !quoted(&s->p, open, &text, &len))
		return refuse(s, "a pattern without an end");
	return parse_pattern(s, n, open, text, len, false) ? n : NULL;
}

/* ---- steps and conditions ---- */

static struct step *parse_number(struct parse *s, struct step *n)
{
	static const struct {
		const char *word;
		enum compare how;
	} words[] = {
		{ "==", COMPARE_EQ }, { "!=", COMPARE_NE }, { "<=", COMPARE_LE },
		{ ">=", COMPARE_GE }, { "<", COMPARE_LT },  { ">", COMPARE_GT },
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (!accept(s, words[i].word))
			continue;
		n->compare = words[i].how;
		skip_blanks(s);
		if (!isdigit((unsigned char)*s->p))
			return refuse(s, "a number is expected");
		for (; isdigit((unsigned char)*s->p); s->p++)
			n->number = n->number < UINT32_MAX ? n->number * 10 + (uint64_t)(*s->p - '0') : n->number;
		return n;
	}
	return refuse(s, "a comparison is expected");
}

static struct step *negate(struct parse *s, struct step *a)
{
	struct step *n = a ? step_new(s, STEP_NOT) : NULL;

	if (n)
		n->a = a;
	return n;
}

/* What stands behind "$_". */
static struct step *parse_line(struct parse *s)
{
	struct step *n;
	bool not_equal = false;

	if (accept(s, "=~"))
		return parse_match(s);
	if (accept(s, "!~"))
		return negate(s, parse_match(s));
	if (accept(s, "eq") || (not_equal = accept(s, "ne")))
		n = step_new(s, STEP_EQUAL);
	else if (accept(s, ".="))
		n = step_new(s, STEP_APPEND);
	else if (accept(s, "="))
		n = step_new(s, STEP_SET);
	else
		return refuse(s, "this is not understood");
	if (!n || !parse_text(s, &n->parts))
		return NULL;
	return not_equal ? negate(s, n) : n;
}

static struct step *parse_word(struct parse *s, enum step_kind kind, bool text)
{
	struct step *n = step_new(s, kind);

	skip_blanks(s);
	if (!n || !text || (kind == STEP_DIE && (!*s->p || *s->p == ';' || *s->p == '}')))
		return n;
	return parse_text(s, &n->parts) ? n : NULL;
}

static struct step *parse_primary(struct parse *s)
{
	struct step *n;

	if (accept(s, "(")) {
		n = parse_or(s);
		return !n || accept(s, ")") ? n : refuse(s, "\")\" is expected");
	}
	if (accept(s, "$_"))
		return parse_line(s);
	if (accept(s, "$lineno") || accept(s, "$."))
		return (n = step_new(s, STEP_LINENO)) ? parse_number(s, n) : NULL;
	if (accept(s, "print"))
		return parse_word(s, STEP_PRINT, true);
	if (accept(s, "die"))
		return parse_word(s, STEP_DIE, true);
	if (accept(s, "next"))
		return parse_word(s, STEP_NEXT, false);
	if (accept(s, "chomp")) {
		if (accept(s, "("))
			accept(s, "$_"), accept(s, ")");
		return parse_word(s, STEP_CHOMP, false);
	}
	return parse_match(s);
}

static struct step *parse_not(struct parse *s)
{
	struct step *n = NULL;

	if (++s->depth > LIMIT_EDIT_DEPTH)
		return refuse(s, "too many parentheses");
	skip_blanks(s);
	if (s->p[0] == '!' && s->p[1] != '~' && accept(s, "!"))
		n = negate(s, parse_not(s));
	else if (accept(s, "not"))
		n = negate(s, parse_not(s));
	else
		n = parse_primary(s);
	s->depth--;
	return n;
}

static struct step *parse_pair(struct parse *s, enum step_kind kind, struct step *(*part)(struct parse *s), const char *word,
			       const char *sign)
{
	struct step *a = part(s);

	while (a && (accept(s, word) || accept(s, sign))) {
		struct step *n = step_new(s, kind);

		if (!n)
			return NULL;
		n->a = a;
		n->b = part(s);
		a = n->b ? n : NULL;
	}
	return a;
}

static struct step *parse_and(struct parse *s)
{
	return parse_pair(s, STEP_AND, parse_not, "and", "&&");
}

static struct step *parse_or(struct parse *s)
{
	return parse_pair(s, STEP_OR, parse_and, "or", "||");
}

/* "(CONDITION) { STEPS }" and what may follow it. */
static struct step *parse_if(struct parse *s, bool unless)
{
	struct step *n = step_new(s, STEP_IF);

	if (!n)
		return NULL;
	if (!accept(s, "("))
		return refuse(s, "\"(\" is expected");
	n->a = parse_or(s);
	if (n->a && unless)
		n->a = negate(s, n->a);
	if (!n->a)
		return NULL;
	if (!accept(s, ")") || !accept(s, "{"))
		return refuse(s, "\") {\" is expected");
	n->b = parse_list(s, true);
	if (s->e->code)
		return NULL;
	if (accept(s, "elsif"))
		return (n->orelse = parse_if(s, false)) ? n : NULL;
	if (!accept(s, "else"))
		return n;
	if (!accept(s, "{"))
		return refuse(s, "\"{\" is expected");
	n->orelse = parse_list(s, true);
	return s->e->code ? NULL : n;
}

/* sed's words behind an address: "d", or another step. */
static struct step *parse_addressed(struct parse *s, struct step *address)
{
	struct step *n = step_new(s, STEP_IF);

	if (!n)
		return NULL;
	n->a = address;
	n->b = accept(s, "d") ? parse_word(s, STEP_NEXT, false) : parse_match(s);
	return n->b ? n : NULL;
}

static bool ends(struct parse *s)
{
	skip_blanks(s);
	return !*s->p || *s->p == ';' || *s->p == '}';
}

static struct step *parse_step(struct parse *s)
{
	struct step *n, *guard;
	bool unless;

	if (accept(s, "if"))
		return parse_if(s, false);
	if (accept(s, "unless"))
		return parse_if(s, true);
	if (isdigit((unsigned char)*s->p)) {
		n = step_new(s, STEP_LINENO);
		if (!n)
			return NULL;
		for (; isdigit((unsigned char)*s->p); s->p++)
			n->number = n->number < UINT32_MAX ? n->number * 10 + (uint64_t)(*s->p - '0') : n->number;
		return parse_addressed(s, n);
	}
	n = parse_or(s);
	if (!n || ends(s))
		return n;
	if (n->kind == STEP_MATCH && (*s->p == 'd' || *s->p == 's' || *s->p == 'y'))
		return parse_addressed(s, n);
	unless = accept(s, "unless");
	if (!unless && !accept(s, "if"))
		return refuse(s, "this is not understood");
	guard = step_new(s, STEP_IF);
	if (!guard)
		return NULL;
	guard->b = n;
	guard->a = parse_or(s);
	if (guard->a && unless)
		guard->a = negate(s, guard->a);
	return !guard->a || ends(s) ? (guard->a ? guard : NULL) : refuse(s, "this is not understood");
}

/* Steps up to the end, or of a block to its "}"; NULL and no error: there are none. */
static struct step *parse_list(struct parse *s, bool block)
{
	struct step *first = NULL, **at = &first;

	if (++s->depth > LIMIT_EDIT_DEPTH)
		return refuse(s, "too many blocks");
	for (;;) {
		bool ended;

		while (accept(s, ";"))
			;
		if (block && accept(s, "}"))
			break;
		skip_blanks(s);
		if (!*s->p)
			return block ? refuse(s, "\"}\" is expected") : first;
		*at = parse_step(s);
		if (!*at)
			return NULL;
		ended = (*at)->kind == STEP_IF && s->p[-1] == '}';
		at = &(*at)->next;
		if (!ended && !ends(s))
			return refuse(s, "this is not understood");
		if (!block && *s->p == '}')
			return refuse(s, "\"}\" without \"{\"");
	}
	s->depth--;
	return first;
}

int line_edit_parse(const char *text, struct line_edit *l, struct err *e)
{
	struct err own = ERR_INIT;
	struct parse s = { .p = text, .l = l, .e = e ? e : &own };

	if (strlen(text) > LIMIT_EDIT_EXPRESSION)
		return err_set(e, ERR_LIMIT, "an expression of more than %llu bytes", LIMIT_EDIT_EXPRESSION);
	err_clear(s.e);
	l->steps = parse_list(&s, false);
	if (s.e->code)
		return -(int)s.e->code;
	return 0;
}
