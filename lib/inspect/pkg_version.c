/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pkg_version.c - see pkg_version.h.
 *
 * All of them cut a version into runs of digits, which count as numbers, and what is between.  deb-version(7): what is between
 * is compared by its bytes, but "~" comes before everything, even the end, and letters before other bytes.  rpm-version(7):
 * all but letters and digits only parts the runs; a number is newer than letters, more runs are newer; "~" comes before the
 * end, "^" just behind it.  vercmp(8) of pacman is that without "~" and "^", and letters that follow make it older ("1.0rc"
 * before "1.0").  apk and ebuild: numbers apart by dots, a letter, suffixes with a number ("_rc2"), and "-rN".
 *
 * Each loop ends, as it takes at least a byte of one text in each turn.
 */
#include "pkg_version.h"

#include "alloc.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int order_of(int a, int b)
{
	return (a > b) - (a < b);
}

static size_t run_length(const char *s, bool (*is)(char c))
{
	size_t n = 0;

	while (is(s[n]))
		n++;
	return n;
}

/* Two runs of digits of any length as numbers; both are gone over. */
static int number_order(const char **a, const char **b)
{
	size_t na, nb;
	int order;

	while (**a == '0')
		++*a;
	while (**b == '0')
		++*b;
	na = run_length(*a, is_digit);
	nb = run_length(*b, is_digit);
	order = na != nb ? order_of(na > nb, na < nb) : memcmp(*a, *b, na);
	*a += na;
	*b += nb;
	return order;
}

/* ---- deb ---- */

static int deb_rank(char c)
{
	return c == '~' ? -1 : c == '\0' || is_digit(c) ? 0 : is_alpha(c) ? (unsigned char)c : (unsigned char)c + 256;
}

static int deb_order(const char *a, const char *b)
{
	while (*a || *b) {
		int order;

		while ((*a && !is_digit(*a)) || (*b && !is_digit(*b))) {
			order = order_of(deb_rank(*a), deb_rank(*b));
			if (order)
				return order;
			a += *a && !is_digit(*a);
			b += *b && !is_digit(*b);
		}
		order = number_order(&a, &b);
		if (order)
			return order;
	}
	return 0;
}

/* ---- rpm and pacman ---- */

static int rpm_order(const char *a, const char *b)
{
	while (*a || *b) {
		bool number;
		size_t na, nb;
		int order;

		while (*a && !is_digit(*a) && !is_alpha(*a) && *a != '~' && *a != '^')
			a++;
		while (*b && !is_digit(*b) && !is_alpha(*b) && *b != '~' && *b != '^')
			b++;
		if (*a == '~' || *b == '~') {
			if (*a != *b)
				return *a == '~' ? -1 : 1;
			a++, b++;
			continue;
		}
		if (*a == '^' || *b == '^') {
			/* Behind the end, before anything else. */
			if (*a != *b)
				return *a == '^' ? (*b ? -1 : 1) : (*a ? 1 : -1);
			a++, b++;
			continue;
		}
		if (!*a || !*b)
			break;
		number = is_digit(*a);
		if (number != is_digit(*b))
			return number ? 1 : -1;
		if (number) {
			order = number_order(&a, &b);
		} else {
			na = run_length(a, is_alpha);
			nb = run_length(b, is_alpha);
			order = memcmp(a, b, MIN_OF(na, nb));
			if (!order)
				order = order_of(na > nb, na < nb);
			a += na;
			b += nb;
		}
		if (order)
			return order;
	}
	return order_of(*a != '\0', *b != '\0');
}

/* Bytes that only part runs. */
static bool is_parting(char c)
{
	return c && !is_digit(c) && !is_alpha(c);
}

static int pacman_order(const char *a, const char *b)
{
	while (*a && *b) {
		size_t pa = run_length(a, is_parting), pb = run_length(b, is_parting), na, nb;
		bool number;
		int order;

		a += pa;
		b += pb;
		if (!*a || !*b)
			break;
		if (pa != pb)
			return pa < pb ? -1 : 1;
		number = is_digit(*a);
		if (number != is_digit(*b))
			return number ? 1 : -1;
		if (number) {
			order = number_order(&a, &b);
		} else {
			na = run_length(a, is_alpha);
			nb = run_length(b, is_alpha);
			order = memcmp(a, b, MIN_OF(na, nb));
			if (!order)
				order = order_of(na > nb, na < nb);
			a += na;
			b += nb;
		}
		if (order)
			return order;
	}
	if (!*a && !*b)
		return 0;
	/* What goes on is newer, unless it goes on with letters. */
	return *a ? (is_alpha(*a) ? -1 : 1) : is_alpha(*b) ? 1 : -1;
}

/* ---- apk and ebuild ---- */

/* "_rc" and so on: those below no suffix are negative. */
static int suffix_rank(const char *s, size_t len)
{
	static const struct {
		const char *word;
		int rank;
	} words[] = {
		{ "alpha", -4 }, { "beta", -3 }, { "pre", -2 }, { "rc", -1 },  { "cvs", 1 },
		{ "svn", 2 },	 { "git", 3 },	 { "hg", 4 },	{ "p", 5 },
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strlen(words[i].word) == len && memcmp(words[i].word, s, len) == 0)
			return words[i].rank;
	return 0;
}

static int apk_suffixes(const char **a, const char **b)
{
	while (**a == '_' || **b == '_') {
		int ra = 0, rb = 0, order;

		if (**a == '_') {
			size_t n = run_length(++*a, is_alpha);

			ra = suffix_rank(*a, n);
			*a += n;
		}
		if (**b == '_') {
			size_t n = run_length(++*b, is_alpha);

			rb = suffix_rank(*b, n);
			*b += n;
		}
		order = order_of(ra, rb);
		if (!order)
			order = number_order(a, b);
		if (order)
			return order;
	}
	return 0;
}

static int apk_order(const char *a, const char *b)
{
	int order = number_order(&a, &b);

	while (!order && *a == '.' && *b == '.') {
		a++, b++;
		order = number_order(&a, &b);
	}
	if (order)
		return order;
	if (*a == '.' || *b == '.')
		return *a == '.' ? 1 : -1;
	order = order_of(is_alpha(*a) ? *a : 0, is_alpha(*b) ? *b : 0);
	if (order)
		return order;
	a += is_alpha(*a) != 0;
	b += is_alpha(*b) != 0;
	order = apk_suffixes(&a, &b);
	/* "-r2", and whatever else is there. */
	return order ? order : deb_order(a, b);
}

/* ---- */

int pkg_version_order(const char *format, const struct package *a, const struct package *b)
{
	static const struct {
		const char *format;
		int (*order)(const char *a, const char *b);
	} rules[] = {
		{ "rpm", rpm_order }, { "pacman", pacman_order }, { "apk", apk_order }, { "ebuild", apk_order },
	};
	int (*order)(const char *a, const char *b) = deb_order;
	int rc;

	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (strcmp(rules[i].format, format) == 0)
			order = rules[i].order;
	if (a->epoch != b->epoch)
		return a->epoch < b->epoch ? -1 : 1;
	rc = order(a->version ? a->version : "", b->version ? b->version : "");
	/* A release that is missing is as old as any, but for deb, where it is a 0. */
	if (!rc && (order == deb_order || (a->release && b->release)))
		rc = order(a->release ? a->release : "", b->release ? b->release : "");
	return rc;
}
