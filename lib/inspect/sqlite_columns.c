/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sqlite_columns.c - which columns a table has: SQLite keeps the statement that made it, "CREATE TABLE name (id INTEGER PRIMARY
 * KEY, \"a b\" TEXT DEFAULT 'x,y', UNIQUE(id))", and nothing else tells.
 */
#include "sqlite.h"

#include "alloc.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* Words that begin a rule about columns, and not a column. */
static const char *const rules[] = { "CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN" };

/* Behind a comment that begins at p; p where there is none. */
static const char *comment_end(const char *p, const char *end)
{
	const char *close;

	if (end - p < 2 || (memcmp(p, "--", 2) != 0 && memcmp(p, "/*", 2) != 0))
		return p;
	close = *p == '-' ? memchr(p, '\n', (size_t)(end - p)) : memmem(p + 2, (size_t)(end - p) - 2, "*/", 2);
	return close ? close + (*p == '-' ? 1 : 2) : end;
}

/* The same of a quoted text or name. */
static const char *quoted_end(const char *p, const char *end)
{
	char close = *p == '[' ? ']' : *p;

	if (!*p || !strchr("'\"`[", *p))
		return p;
	for (p++; p < end; p++) {
		if (*p != close)
			continue;
		if (close == ']' || p + 1 == end || p[1] != close)
			return p + 1;
		p++; /* doubled: it stands for itself */
	}
	return end;
}

static const char *blanks_end(const char *p, const char *end)
{
	const char *behind;

	while (p < end && (behind = isspace((unsigned char)*p) ? p + 1 : comment_end(p, end)) > p)
		p = behind;
	return p;
}

/* Behind a part of the list: at its comma, at the bracket that closes the list, or at the end. */
static const char *part_end(const char *p, const char *end)
{
	unsigned depth = 0;

	while (p < end) {
		const char *q = quoted_end(p, end);

		q = q > p ? q : comment_end(p, end);
		if (q > p) {
			p = q;
			continue;
		}
		if (depth == 0 && (*p == ',' || *p == ')'))
			break;
		depth += *p == '(';
		depth -= *p == ')';
		p++;
	}
	return p;
}

static bool is_word(const char *p, size_t len, const char *word)
{
	return strlen(word) == len && strncasecmp(p, word, len) == 0;
}

int sqlite_column_place(const char *sql, size_t len, const char *column)
{
	const char *end = sql + len, *p = memchr(sql, '(', len);
	int place = 0;

	/* Each turn takes a part of the list. */
	for (p = p ? p + 1 : end; p < end; p++) {
		const char *name = blanks_end(p, end), *behind = name < end ? quoted_end(name, end) : name;
		bool rule = false;

		if (behind > name) {
			name++;
			behind--;
		} else {
			while (behind < end && (isalnum((unsigned char)*behind) || *behind == '_'))
				behind++;
		}
		for (size_t i = 0; i < ARRAY_LEN(rules); i++)
			rule |= is_word(name, (size_t)(behind - name), rules[i]);
		if (rule)
			return -1;
		if (behind >= name && is_word(name, (size_t)(behind - name), column))
			return place;
		place++;
		p = part_end(p, end);
		if (p < end && *p == ')')
			break;
	}
	return -1;
}
