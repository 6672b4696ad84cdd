/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * line_diff.c - the shortest script of lines that turns one text into another, after Myers, "An O(ND) Difference Algorithm and
 * Its Variations" (1986), in its linear space: a range is cut at a point through which a shortest path goes, found from both
 * ends at once; both parts are ranges again.
 *
 * Every range has a beginning and an end that differ, so that a path through it has two changes at least and its middle is no
 * corner: parts are smaller than the whole, and the work ends.  It is limited all the same, as it grows with the product of
 * lines and changes.
 */
#include "line_diff.h"

#include "alloc.h"
#include "limits.h"

#include <stdint.h>
#include <xxhash.h>

#define CONTEXT 3

struct line {
	const char *s;
	size_t len; /* with its newline, where it has one */
	uint64_t hash;
};
struct side {
	struct line *lines;
	bool *changed;
	size_t n;
};
struct range {
	size_t a0, a1, b0, b1;
};
struct job {
	struct side a, b;
	struct range *todo;
	size_t ntodo, cap;
	int64_t *forth, *back; /* by diagonal: how far in a a path with so many changes gets */
	uint64_t work;
};

static void job_free(struct job *j)
{
	free(j->a.lines);
	free(j->b.lines);
	free(j->a.changed);
	free(j->b.changed);
	free(j->todo);
	free(j->forth);
	free(j->back);
}

/* false when memory is out; more lines than the limit are not looked at, and n is past it. */
static bool split_lines(const char *s, size_t size, struct side *side)
{
	size_t n = 0;

	for (const char *p = s, *end = s + size; p < end && n <= LIMIT_LINE_DIFF_LINES; n++) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));

		p = nl ? nl + 1 : end;
	}
	side->n = n;
	if (n > LIMIT_LINE_DIFF_LINES)
		return true;
	side->lines = alloc_array(n + 1, sizeof *side->lines);
	side->changed = alloc_array(n + 1, sizeof *side->changed);
	if (!side->lines || !side->changed)
		return false;
	for (size_t i = 0; i < n; i++) {
		const char *nl = memchr(s, '\n', size);
		size_t len = nl ? (size_t)(nl - s) + 1 : size;

		side->lines[i] = (struct line){ s, len, XXH3_64bits(s, len) };
		s += len;
		size -= len;
	}
	return true;
}

static bool same_line(const struct line *x, const struct line *y)
{
	return x->hash == y->hash && x->len == y->len && memcmp(x->s, y->s, x->len) == 0;
}

static bool equal(const struct job *j, size_t a, size_t b)
{
	return same_line(&j->a.lines[a], &j->b.lines[b]);
}

static bool push(struct job *j, struct range r)
{
	if (j->ntodo == j->cap) {
		struct range *todo = alloc_resize(j->todo, j->cap * 2 + 64, sizeof *todo);

		if (!todo)
			return false;
		j->todo = todo;
		j->cap = j->cap * 2 + 64;
	}
	j->todo[j->ntodo++] = r;
	return true;
}

/* Paths that leave the range: there is none on this diagonal. */
#define NO_PATH (-1)

/* Where a path with one change more comes to diagonal k, n to the right and m down at most. */
static int64_t step(const int64_t *v, int64_t k, int64_t n, int64_t m)
{
	int64_t x = NO_PATH;

	if (v[k + 1] != NO_PATH && v[k + 1] - k <= m)
		x = v[k + 1];
	if (v[k - 1] != NO_PATH && v[k - 1] + 1 <= n && v[k - 1] + 1 > x)
		x = v[k - 1] + 1;
	return x;
}

/* A point in the middle of a shortest path through the range; false: it would cost too much. */
static bool middle(struct job *j, const struct range *r, size_t *x_out, size_t *y_out)
{
	const int64_t n = (int64_t)(r->a1 - r->a0), m = (int64_t)(r->b1 - r->b0), delta = n - m;
	int64_t *vf = j->forth + m + 1, *vb = j->back + m + 1; /* diagonals -m-1 to n+1 */

	vf[-m - 1] = vb[-m - 1] = vf[n + 1] = vb[n + 1] = NO_PATH;
	/* Ends: a path of n + m changes always is one, and two halves of it meet. */
	for (int64_t d = 0;; d++) {
		const int64_t low = -d + 2 * MAX_OF(0, d - m), high = d - 2 * MAX_OF(0, d - n);

		/* Diagonals that no path has reached yet. */
		if (low == -d)
			vf[-d - 1] = vb[-d - 1] = NO_PATH;
		if (high == d)
			vf[d + 1] = vb[d + 1] = NO_PATH;
		for (int64_t k = low; k <= high; k += 2) {
			int64_t x = d ? step(vf, k, n, m) : 0;

			while (x != NO_PATH && x < n && x - k < m && equal(j, r->a0 + (size_t)x, r->b0 + (size_t)(x - k))) {
				x++;
				j->work++;
			}
			vf[k] = x;
			if (x != NO_PATH && (delta & 1) && k - delta > -d && k - delta < d && vb[delta - k] != NO_PATH &&
			    x + vb[delta - k] >= n) {
				*x_out = r->a0 + (size_t)x;
				*y_out = r->b0 + (size_t)(x - k);
				return true;
			}
		}
		for (int64_t k = low; k <= high; k += 2) {
			int64_t x = d ? step(vb, k, n, m) : 0;

			while (x != NO_PATH && x < n && x - k < m &&
			       equal(j, r->a1 - 1 - (size_t)x, r->b1 - 1 - (size_t)(x - k))) {
				x++;
				j->work++;
			}
			vb[k] = x;
			if (x != NO_PATH && !(delta & 1) && delta - k >= -d && delta - k <= d && vf[delta - k] != NO_PATH &&
			    x + vf[delta - k] >= n) {
				*x_out = r->a1 - (size_t)x;
				*y_out = r->b1 - (size_t)(x - k);
				return true;
			}
		}
		j->work += (uint64_t)(high - low + 2);
		if (j->work > LIMIT_LINE_DIFF_WORK)
			return false;
	}
}

static void mark(struct side *s, size_t from, size_t to)
{
	for (; from < to; from++)
		s->changed[from] = true;
}

/* Marks what changed; false when memory is out. */
static bool compare(struct job *j)
{
	const size_t diagonals = j->a.n + j->b.n + 4;

	j->forth = alloc_array(diagonals, sizeof *j->forth);
	j->back = alloc_array(diagonals, sizeof *j->back);
	if (!j->forth || !j->back || !push(j, (struct range){ 0, j->a.n, 0, j->b.n }))
		return false;
	while (j->ntodo) {
		struct range r = j->todo[--j->ntodo];
		size_t x, y;

		while (r.a0 < r.a1 && r.b0 < r.b1 && equal(j, r.a0, r.b0))
			r.a0++, r.b0++;
		while (r.a0 < r.a1 && r.b0 < r.b1 && equal(j, r.a1 - 1, r.b1 - 1))
			r.a1--, r.b1--;
		if (r.a0 == r.a1 || r.b0 == r.b1 || !middle(j, &r, &x, &y)) {
			mark(&j->a, r.a0, r.a1);
			mark(&j->b, r.b0, r.b1);
		} else if (!push(j, (struct range){ r.a0, x, r.b0, y }) || !push(j, (struct range){ x, r.a1, y, r.b1 })) {
			return false;
		}
	}
	return true;
}

/*
 * A block of changed lines says the same one line further down, where the line behind it is the one that it begins with.  As
 * diff does, each is moved down as far as it goes, unless the other text has changes at the same place: these belong together.
 */
static void slide(struct side *s, const struct side *other)
{
	size_t i = 0, o = 0; /* o: the line of the other text that line i stands against */

	/* Ends: each turn goes past a line of s; lines that did not change are as many in both. */
	while (i < s->n) {
		size_t start = i, before = o;

		while (i < s->n && s->changed[i])
			i++;
		while (o < other->n && other->changed[o])
			o++;
		if (i > start && o == before) {
			while (i < s->n && same_line(&s->lines[start], &s->lines[i])) {
				s->changed[start++] = false;
				s->changed[i++] = true;
				while (o < other->n && other->changed[o])
					o++;
				o++;
				while (i < s->n && s->changed[i])
					i++;
			}
		}
		if (i < s->n) {
			while (o < other->n && other->changed[o])
				o++;
			i++, o++;
		}
	}
}

/* ---- hunks ---- */

static void put_line(struct strbuf *out, char sign, const struct line *l)
{
	strbuf_putc(out, sign);
	strbuf_add(out, l->s, l->len);
	if (l->s[l->len - 1] != '\n')
		strbuf_puts(out, "\n\\ No newline at end of file\n");
}

/* "12,3", or "12" for one line; no line stands behind the one before. */
static void put_span(struct strbuf *out, char sign, size_t from, size_t to)
{
	if (to - from == 1)
		strbuf_printf(out, "%c%zu", sign, from + 1);
	else
		strbuf_printf(out, "%c%zu,%zu", sign, to == from ? from : from + 1, to - from);
}

/* The next line of either side that changed, from a and b on, which stand against each other; false: none. */
static bool next_change(const struct job *j, size_t *a, size_t *b)
{
	while (*a < j->a.n || *b < j->b.n) {
		if ((*a < j->a.n && j->a.changed[*a]) || (*b < j->b.n && j->b.changed[*b]))
			return true;
		++*a, ++*b;
	}
	return false;
}

static void past_change(const struct job *j, size_t *a, size_t *b)
{
	while (*a < j->a.n && j->a.changed[*a])
		++*a;
	while (*b < j->b.n && j->b.changed[*b])
		++*b;
}

static void put_hunk(const struct job *j, size_t a, size_t a_end, size_t b, size_t b_end, struct strbuf *out)
{
	strbuf_puts(out, "@@ ");
	put_span(out, '-', a, a_end);
	strbuf_putc(out, ' ');
	put_span(out, '+', b, b_end);
	strbuf_puts(out, " @@\n");
	while (a < a_end || b < b_end) {
		if (a < a_end && j->a.changed[a])
			put_line(out, '-', &j->a.lines[a++]);
		else if (b < b_end && j->b.changed[b])
			put_line(out, '+', &j->b.lines[b++]);
		else
			put_line(out, ' ', &j->a.lines[a++]), b++;
	}
}

static void put_hunks(const struct job *j, struct strbuf *out)
{
	size_t a = 0, b = 0;

	while (next_change(j, &a, &b)) {
		const size_t before = MIN_OF(a, CONTEXT), start_a = a - before, start_b = b - before;
		size_t end_a, end_b;

		/* Changes with no more than twice the context between them are one hunk. */
		do {
			past_change(j, &a, &b);
			end_a = a;
			end_b = b;
		} while (next_change(j, &a, &b) && a - end_a <= 2 * CONTEXT);
		put_hunk(j, start_a, MIN_OF(end_a + CONTEXT, j->a.n), start_b, MIN_OF(end_b + CONTEXT, j->b.n), out);
	}
}

enum line_diff line_diff(const void *a, size_t na, const void *b, size_t nb, struct strbuf *out)
{
	CLEANUP(job_free) struct job j = { .work = 0 };

	if (na == nb && (!na || memcmp(a, b, na) == 0))
		return LINE_DIFF_SAME;
	if ((na && memchr(a, 0, na)) || (nb && memchr(b, 0, nb)))
		return LINE_DIFF_BINARY;
	if (na > LIMIT_LINE_DIFF_BYTES || nb > LIMIT_LINE_DIFF_BYTES)
		return LINE_DIFF_LARGE;
	if (!split_lines(a, na, &j.a) || !split_lines(b, nb, &j.b))
		return LINE_DIFF_NOMEM;
	if (j.a.n > LIMIT_LINE_DIFF_LINES || j.b.n > LIMIT_LINE_DIFF_LINES)
		return LINE_DIFF_LARGE;
	if (!compare(&j))
		return LINE_DIFF_NOMEM;
	slide(&j.a, &j.b);
	slide(&j.b, &j.a);
	put_hunks(&j, out);
	return out->failed ? LINE_DIFF_NOMEM : LINE_DIFF_TEXT;
}
