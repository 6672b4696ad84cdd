/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "words.h"

#include "alloc.h"
#include "strbuf.h"

#include <ctype.h>

void words_free(struct words *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->word[i]);
	free(w->word);
	free(w->pipe);
	*w = (struct words){ .word = NULL };
}

static bool add(struct words *w, char *word)
{
	char **words = word ? alloc_resize(w->word, w->n + 2, sizeof *words) : NULL;

	if (!words) {
		free(word);
		return false;
	}
	w->word = words;
	w->word[w->n++] = word;
	w->word[w->n] = NULL;
	return true;
}

static int digit(char c)
{
	return isdigit((unsigned char)c)    ? c - '0'
	       : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10
					    : -1;
}

/* What stands behind a backslash between double quotes; *p is left behind it.  false: it is nothing. */
static bool escape(const char **p, struct strbuf *out)
{
	static const char letters[] = "a\ab\bf\fn\nr\rt\tv\v\\\\\"\"'\'";
	const char *s = *p;
	const char *known = NULL;
	int value = 0;

	for (size_t i = 0; i + 1 < sizeof letters && *s; i += 2)
		if (letters[i] == *s)
			known = letters + i + 1;
	if (known) {
		strbuf_putc(out, *known);
		*p = s + 1;
		return true;
	}
	if (*s == 'x' && digit(s[1]) >= 0 && digit(s[2]) >= 0) {
		strbuf_putc(out, (char)(digit(s[1]) * 16 + digit(s[2])));
		*p = s + 3;
		return true;
	}
	if (*s < '0' || *s > '7')
		return false;
	for (int i = 0; i < 3 && *s >= '0' && *s <= '7'; i++)
		value = value * 8 + (*s++ - '0');
	strbuf_putc(out, (char)value);
	*p = s;
	return value < 256;
}

/* One word from *p on, which is left behind it. */
static bool take_word(const char **p, const char *home, struct strbuf *out, const char **why)
{
	const char *s = *p;
	const char quote = *s == '"' || *s == '\'' ? *s++ : 0;

	if (!quote && *s == '~' && (!s[1] || s[1] == '/' || isspace((unsigned char)s[1])) && home) {
		strbuf_puts(out, home);
		s++;
	}
	while (*s && (quote ? *s != quote : !isspace((unsigned char)*s))) {
		if (quote == '"' && *s == '\\') {
			s++;
			if (!escape(&s, out)) {
				*why = "there is no such escape behind a backslash";
				return false;
			}
		} else {
			strbuf_putc(out, *s++);
		}
	}
	if (quote && *s != quote) {
		*why = quote == '"' ? "unterminated double quote" : "unterminated single quote";
		return false;
	}
	s += quote != 0;
	if (*s && !isspace((unsigned char)*s)) {
		*why = "command arguments not separated by whitespace";
		return false;
	}
	*p = s;
	return true;
}

static bool split(const char *line, const char *home, bool pipes, struct words *out, const char **why)
{
	bool good = true;

	*why = "out of memory";
	*out = (struct words){ .word = NULL };
	while (good && *(line += strspn(line, " \t\r\n\f\v"))) {
		CLEANUP(strbuf_free) struct strbuf word = STRBUF_INIT;

		if (pipes && *line == '|' && out->n) {
			out->pipe = alloc_strdup(line + 1);
			good = out->pipe;
			break;
		}
		good = take_word(&line, home, &word, why) && add(out, strbuf_detach(&word));
	}
	if (good && (out->n || (out->word = alloc_array(1, sizeof *out->word))))
		return true;
	words_free(out);
	return false;
}

bool words_split(const char *line, const char *home, struct words *out, const char **why)
{
	return split(line, home, true, out, why);
}

bool words_list(const char *text, const char *home, struct words *out, const char **why)
{
	return split(text, home, false, out, why);
}
