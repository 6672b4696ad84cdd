/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shell_read.c - commands of the shell that read what files hold. */
#include "shell.h"

#include "alloc.h"
#include "digest.h"
#include "guest_file.h"
#include "regex.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

/* ---- whole files ---- */

struct each {
	int (*fn)(void *arg, const void *bytes, size_t len);
	void *arg;
};

static int unless_stopped(void *arg, const void *bytes, size_t len)
{
	const struct each *x = arg;

	return shell_stopped() || x->fn(x->arg, bytes, len);
}

/* Calls fn for the bytes of a file: 0, or -1 with a sentence unless nobody wanted more. */
static int each(struct shell *s, const char *path, int (*fn)(void *arg, const void *bytes, size_t len), void *arg)
{
	struct each x = { fn, arg };
	struct dry_error e = { .code = DRY_OK };

	if (guest_file_bytes(s->g, path, s->buf, unless_stopped, &x, &e) < 0)
		return shell_fail(s, path, &e);
	return shell_stopped() ? -1 : 0;
}

static int cat(struct shell *s, struct call *c)
{
	int rc = each(s, c->arg[0], shell_take_bytes, s);

	/* The peer prints a text, and a newline behind it. */
	if (rc == 0 && s->peer)
		shell_printf(s, "\n");
	return rc;
}

static int dump_pread(struct shell *s, struct call *c)
{
	struct dry_error e = { .code = DRY_OK };
	struct dry_node n;
	struct dry_stat st;
	uint64_t off = (uint64_t)c->num[2], left = (uint64_t)c->num[1];
	size_t got = 1;

	if (c->num[1] < 0 || c->num[2] < 0)
		return shell_error(s, "count and offset are not negative");
	if (guest_file_stat(s->g, c->arg[0], &n, &st, &e) < 0)
		return shell_fail(s, c->arg[0], &e);
	while (left && got && !s->lost) { /* ends: at the end of the file nothing is got */
		if (dry_node_read(s->g, n, s->buf, (size_t)MIN_OF(left, GUEST_FILE_CHUNK), off, &got, &e) < 0)
			return shell_fail(s, c->arg[0], &e);
		shell_bytes(s, s->buf, got);
		off += got;
		left -= got;
	}
	if (s->peer)
		shell_printf(s, "\n");
	return 0;
}

/* ---- lines ---- */

enum { LINE_MAX_BYTES = 64 << 20 };

struct lines {
	struct shell *s;
	struct strbuf rest;					  /* a line whose end has not come yet */
	uint64_t count;						  /* of those that came */
	int (*fn)(struct lines *l, const char *line, size_t len); /* non-zero ends it */
	bool too_long;
	/* of those who use it */
	uint64_t from, to; /* lines, from 0 */
	struct regex *re;
	struct err why;
};

static int end_line(struct lines *l)
{
	int rc;

	rc = l->rest.failed ? 1 : l->fn(l, l->rest.s, l->rest.len);
	l->too_long |= l->rest.failed;
	l->count++;
	strbuf_reset(&l->rest);
	return rc || l->s->lost;
}

static int take_lines(void *arg, const void *bytes, size_t len)
{
	struct lines *l = arg;
	const char *p = bytes;

	while (len) {
		const char *end = memchr(p, '\n', len);
		const size_t n = end ? (size_t)(end - p) : len;

		if (l->rest.len + n > LINE_MAX_BYTES) {
			l->too_long = true;
			return 1;
		}
		strbuf_add(&l->rest, p, n);
		if (end && end_line(l))
			return 1;
		p += n + (end != NULL);
		len -= n + (end != NULL);
	}
	return 0;
}

static int each_line(struct lines *l, const char *path)
{
	int rc = each(l->s, path, take_lines, l);

	if (rc == 0 && l->rest.len && !l->too_long)
		end_line(l);
	strbuf_free(&l->rest);
	return rc == 0 && l->too_long
		       ? shell_error(l->s, "%s: a line is longer than %d MiB", path, LINE_MAX_BYTES >> 20)
		       : rc;
}

static int count_line(struct lines *l, const char *line, size_t len)
{
	(void)l;
	(void)line;
	(void)len;
	return 0;
}

static int print_line(struct lines *l, const char *line, size_t len)
{
	if (l->count >= l->to)
		return 1;
	if (l->count >= l->from) {
		shell_bytes(l->s, line, len);
		shell_printf(l->s, "\n");
	}
	return 0;
}

static int print_range(struct shell *s, const char *path, uint64_t from, uint64_t to)
{
	struct lines l = { .s = s, .rest = STRBUF_INIT, .fn = print_line, .from = from, .to = to };

	return to ? each_line(&l, path) : 0;
}

static int count_lines(struct shell *s, const char *path, uint64_t *out)
{
	struct lines l = { .s = s, .rest = STRBUF_INIT, .fn = count_line };
	int rc = each_line(&l, path);

	*out = l.count;
	return rc;
}

static int read_lines(struct shell *s, struct call *c)
{
	return print_range(s, c->arg[0], 0, UINT64_MAX);
}

static int head(struct shell *s, struct call *c)
{
	return print_range(s, c->arg[0], 0, 10);
}

static int head_n(struct shell *s, struct call *c)
{
	uint64_t n;

	if (c->num[0] >= 0)
		return print_range(s, c->arg[1], 0, (uint64_t)c->num[0]);
	/* All but so many. */
	if (count_lines(s, c->arg[1], &n))
		return -1;
	return n > (uint64_t)-c->num[0] ? print_range(s, c->arg[1], 0, n - (uint64_t)-c->num[0]) : 0;
}

static int last_lines(struct shell *s, const char *path, uint64_t want)
{
	uint64_t n;

	if (count_lines(s, path, &n))
		return -1;
	return print_range(s, path, n > want ? n - want : 0, want ? n : 0);
}

static int tail(struct shell *s, struct call *c)
{
	return last_lines(s, c->arg[0], 10);
}

static int tail_n(struct shell *s, struct call *c)
{
	if (c->num[0] >= 0)
		return last_lines(s, c->arg[1], (uint64_t)c->num[0]);
	return print_range(s, c->arg[1], (uint64_t)-c->num[0] - 1, UINT64_MAX);
}

struct counts {
	uint64_t lines, words, bytes;
	bool in_word;
};

static int count(void *arg, const void *bytes, size_t len)
{
	struct counts *n = arg;
	const unsigned char *p = bytes;

	n->bytes += len;
	for (size_t i = 0; i < len; i++) {
		const bool blank = isspace(p[i]) != 0;

		n->lines += p[i] == '\n';
		n->words += !blank && !n->in_word;
		n->in_word = !blank;
	}
	return 0;
}

static int word_count(struct shell *s, struct call *c)
{
	struct counts n = { .bytes = 0 };
	const char kind = s->cmd->name[3];

	if (each(s, c->arg[0], count, &n))
		return -1;
	shell_printf(s, "%" PRIu64 "\n", kind == 'l' ? n.lines : kind == 'w' ? n.words : n.bytes);
	return 0;
}

/* ---- grep ---- */

static int grep_line(struct lines *l, const char *line, size_t len)
{
	struct regex_group whole;
	int found = regex_match(l->re, line, len, 0, 0, &whole, 1, &l->why);

	if (found < 0)
		return 1;
	if (found) {
		shell_bytes(l->s, line, len);
		shell_printf(l->s, "\n");
	}
	return 0;
}

/* Where a basic expression has an operator behind a backslash, an extended one has it without, and the other way. */
static void pattern_of(struct strbuf *out, const char *p, bool extended, bool fixed)
{
	for (; *p; p++) {
		if (fixed) {
			if (!isalnum((unsigned char)*p) && (unsigned char)*p < 128)
				strbuf_putc(out, '\\');
			strbuf_putc(out, *p);
		} else if (*p == '\\' && p[1]) {
			p++;
			if (extended || !strchr("(){}|+?", *p))
				strbuf_putc(out, '\\');
			strbuf_putc(out, *p);
		} else {
			if (!extended && strchr("(){}|+?", *p))
				strbuf_putc(out, '\\');
			strbuf_putc(out, *p);
		}
	}
}

static int grep(struct shell *s, struct call *c)
{
	struct lines l = { .s = s, .rest = STRBUF_INIT, .fn = grep_line, .why = ERR_INIT };
	CLEANUP(strbuf_free) struct strbuf pattern = STRBUF_INIT;
	const char *name = s->cmd->name;
	bool extended = *name == 'e', fixed = *name == 'f', caseless = name[strlen(name) - 1] == 'i';
	int rc;

	if (s->cmd->args && strchr(s->cmd->args, '[') &&
	    (shell_opt_truth(s, c, "extended", &extended) || shell_opt_truth(s, c, "fixed", &fixed) ||
	     shell_opt_truth(s, c, "insensitive", &caseless)))
		return -1;
	pattern_of(&pattern, c->arg[0], extended, fixed);
	if (pattern.failed)
		return shell_nomem(s);
	if (regex_new(pattern.s, pattern.len, caseless ? REGEX_CASELESS : 0, &l.re, &l.why) < 0)
		return shell_error(s, "%s: %s", c->arg[0], l.why.msg);
	rc = each_line(&l, c->arg[1]);
	regex_free(l.re);
	return rc == 0 && l.why.code ? shell_error(s, "%s: %s", c->arg[1], l.why.msg) : rc;
}

/* ---- strings, hexdump ---- */

struct text_runs {
	struct shell *s;
	char run[4];
	size_t n; /* of the run so far; past 4 it is printed as it comes */
};

static int take_runs(void *arg, const void *bytes, size_t len)
{
	struct text_runs *t = arg;
	const unsigned char *p = bytes;

	for (size_t i = 0; i < len; i++) {
		if (p[i] == '\t' || (p[i] >= 32 && p[i] < 127)) {
			if (t->n < 4)
				t->run[t->n] = (char)p[i];
			if (++t->n == 4)
				shell_bytes(t->s, t->run, 4);
			else if (t->n > 4)
				shell_bytes(t->s, p + i, 1);
			continue;
		}
		if (t->n >= 4)
			shell_printf(t->s, "\n");
		t->n = 0;
	}
	return t->s->lost;
}

static int strings(struct shell *s, struct call *c)
{
	struct text_runs t = { .s = s };

	if (each(s, c->arg[0], take_runs, &t))
		return -1;
	if (t.n >= 4)
		shell_printf(s, "\n");
	return 0;
}

struct hex {
	struct shell *s;
	unsigned char line[16], last[16];
	unsigned n;
	uint64_t off;
	bool any, same;
};

static void hex_line(struct hex *h)
{
	if (h->any && h->n == 16 && memcmp(h->line, h->last, 16) == 0) {
		if (!h->same)
			shell_printf(h->s, "*\n");
		h->same = true;
	} else {
		h->same = false;
		shell_printf(h->s, "%08" PRIx64 " ", h->off);
		for (unsigned i = 0; i < 16; i++) {
			if (i == 8)
				shell_printf(h->s, " ");
			if (i < h->n)
				shell_printf(h->s, " %02x", h->line[i]);
			else
				shell_printf(h->s, "   ");
		}
		shell_printf(h->s, "  |");
		for (unsigned i = 0; i < h->n; i++)
			shell_printf(h->s, "%c", h->line[i] >= 32 && h->line[i] < 127 ? h->line[i] : '.');
		shell_printf(h->s, "|\n");
	}
	memcpy(h->last, h->line, 16);
	h->any = true;
	h->off += h->n;
	h->n = 0;
}

static int take_hex(void *arg, const void *bytes, size_t len)
{
	struct hex *h = arg;
	const unsigned char *p = bytes;

	for (size_t i = 0; i < len; i++) {
		h->line[h->n++] = p[i];
		if (h->n == 16)
			hex_line(h);
	}
	return h->s->lost;
}

static int hexdump(struct shell *s, struct call *c)
{
	struct hex h = { .s = s };

	if (each(s, c->arg[0], take_hex, &h))
		return -1;
	if (h.n)
		hex_line(&h);
	if (h.off)
		shell_printf(s, "%08" PRIx64 "\n", h.off);
	if (s->peer)
		shell_printf(s, "\n");
	return 0;
}

/* ---- what can be told of a content ---- */

static int add_digest(void *arg, const void *bytes, size_t len)
{
	digest_add(arg, bytes, len);
	return 0;
}

static int checksum(struct shell *s, struct call *c)
{
	enum digest_kind kind;
	struct digest d;
	char text[DIGEST_TEXT];

	if (!digest_kind_parse(c->arg[0], &kind))
		return shell_error(s, "unknown checksum type, expecting crc|md5|sha1|sha224|sha256|sha384|sha512");
	digest_start(&d, kind);
	if (each(s, c->arg[1], add_digest, &d))
		return -1;
	digest_end(&d, text);
	shell_line(s, text);
	return 0;
}

static int equal(struct shell *s, struct call *c)
{
	struct dry_error e = { .code = DRY_OK };
	CLEANUP(free_ptr) unsigned char *other = alloc_bytes(GUEST_FILE_CHUNK);
	struct dry_node n[2];
	struct dry_stat st[2];
	size_t got[2] = { GUEST_FILE_CHUNK, 0 };
	uint64_t off = 0;

	if (!other)
		return shell_nomem(s);
	for (int i = 0; i < 2; i++)
		if (guest_file_stat(s->g, c->arg[i], &n[i], &st[i], &e) < 0)
			return shell_fail(s, c->arg[i], &e);
	if (st[0].size != st[1].size)
		return shell_bool(s, false);
	while (got[0] == GUEST_FILE_CHUNK) { /* ends: off grows up to the size */
		if (dry_node_read(s->g, n[0], s->buf, GUEST_FILE_CHUNK, off, &got[0], &e) < 0 ||
		    dry_node_read(s->g, n[1], other, GUEST_FILE_CHUNK, off, &got[1], &e) < 0)
			return shell_fail(s, c->arg[0], &e);
		if (got[0] != got[1] || memcmp(s->buf, other, got[0]) != 0)
			return shell_bool(s, false);
		off += got[0];
	}
	return shell_bool(s, true);
}

static int all_zero(void *arg, const void *bytes, size_t len)
{
	bool *zero = arg;
	const unsigned char *p = bytes;

	for (size_t i = 0; i < len && *zero; i++)
		*zero = !p[i];
	return !*zero;
}

static int is_zero(struct shell *s, struct call *c)
{
	bool zero = true;

	return each(s, c->arg[0], all_zero, &zero) ? -1 : shell_bool(s, zero);
}

static int filesize(struct shell *s, struct call *c)
{
	struct dry_node n;
	struct dry_stat st;

	if (shell_stat(s, c->arg[0], true, &n, &st))
		return -1;
	shell_printf(s, "%" PRIu64 "\n", st.size);
	return 0;
}

/* Machines of ELF headers by their numbers. */
static const struct {
	uint16_t machine;
	unsigned char bits;
	const char *name;
} machines[] = {
	{ 3, 1, "i386" },      { 62, 2, "x86_64" },   { 62, 1, "x86_64" },	 { 40, 1, "arm" },
	{ 183, 2, "aarch64" }, { 20, 1, "ppc" },      { 21, 2, "ppc64" },	 { 22, 2, "s390x" },
	{ 22, 1, "s390" },     { 2, 1, "sparc" },     { 43, 2, "sparc64" },	 { 50, 2, "ia64" },
	{ 243, 1, "riscv32" }, { 243, 2, "riscv64" }, { 258, 2, "loongarch64" },
};

static int file_architecture(struct shell *s, struct call *c)
{
	struct dry_error e = { .code = DRY_OK };
	struct dry_node n;
	struct dry_stat st;
	unsigned char h[20];
	size_t got;
	uint16_t machine;

	if (guest_file_stat(s->g, c->arg[0], &n, &st, &e) < 0 || dry_node_read(s->g, n, h, sizeof h, 0, &got, &e) < 0)
		return shell_fail(s, c->arg[0], &e);
	if (got < sizeof h || memcmp(h, "\177ELF", 4) != 0)
		return shell_error(s, "%s: no ELF program or library", c->arg[0]);
	machine = (uint16_t)(h[5] == 2 ? h[18] << 8 | h[19] : h[19] << 8 | h[18]);
	for (size_t i = 0; i < ARRAY_LEN(machines); i++) {
		if (machines[i].machine == machine && machines[i].bits == h[4]) {
			shell_line(s, machine == 21 && h[5] == 1 ? "ppc64le" : machines[i].name);
			return 0;
		}
	}
	return shell_error(s, "%s: unknown architecture: machine %u", c->arg[0], machine);
}

#define GREP(n, h)                                                                                                     \
	{                                                                                                              \
		n, NULL, "regex /path", h, grep, 0, "grep"                                                             \
	}
static const struct shell_command commands[] = {
	{ "cat", NULL, "/path", "list the contents of a file", cat, 0, "download" },
	{ "read-file", NULL, "/path", "print what a file holds", cat, 0, NULL },
	{ "read-lines", NULL, "/path", "print the lines of a file", read_lines, 0, NULL },
	{ "pread", NULL, "/path #count #offset", "print a part of a file", dump_pread, 0, NULL },
	{ "head", NULL, "/path", "the first ten lines of a file", head, 0, NULL },
	{ "head-n", NULL, "#nrlines /path", "the first lines of a file; a negative number: all but the last", head_n, 0,
	  NULL },
	{ "tail", NULL, "/path", "the last ten lines of a file", tail, 0, NULL },
	{ "tail-n", NULL, "#nrlines /path", "the last lines of a file; a negative number: from that line on", tail_n, 0,
	  NULL },
	{ "wc-l", NULL, "/path", "count the lines of a file", word_count, 0, NULL },
	{ "wc-w", NULL, "/path", "count the words of a file", word_count, 0, NULL },
	{ "wc-c", NULL, "/path", "count the bytes of a file", word_count, 0, NULL },
	{ "grep", NULL, "regex /path [?extended] [?fixed] [?insensitive]", "the lines that match", grep, 0, NULL },
	GREP("egrep", "the lines that match an extended expression"),
	GREP("fgrep", "the lines that hold a text"),
	GREP("grepi", "the lines that match in any case"),
	GREP("egrepi", "the lines that match an extended expression in any case"),
	GREP("fgrepi", "the lines that hold a text in any case"),
	{ "strings", NULL, "/path", "the printable texts in a file", strings, 0, NULL },
	{ "hexdump", NULL, "/path", "a file in hexadecimal digits", hexdump, 0, NULL },
	{ "checksum", NULL, "csumtype /path", "crc, md5, sha1, sha224, sha256, sha384 or sha512 of a file", checksum, 0,
	  NULL },
	{ "equal", NULL, "/file1 /file2", "do two files hold the same?", equal, 0, NULL },
	{ "is-zero", NULL, "/path", "does a file hold zeros only?", is_zero, 0, NULL },
	{ "filesize", NULL, "/file", "the size of a file in bytes", filesize, 0, NULL },
	{ "file-architecture", NULL, "/filename", "the processor that a program is for", file_architecture, 0, NULL },
};
const struct shell_group shell_read_group = SHELL_GROUP("what files hold", commands);
