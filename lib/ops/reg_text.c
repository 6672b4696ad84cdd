/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reg_text.c - the text of regedit, read into changes. */
#include "reg_text.h"

#include "alloc.h"
#include "hive.h"
#include "limits.h"
#include "strbuf.h"
#include "text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <strings.h>

void reg_edits_free(struct reg_edits *edits)
{
	for (size_t i = 0; i < edits->n; i++) {
		free(edits->items[i].key);
		free(edits->items[i].name);
		free(edits->items[i].data);
	}
	free(edits->items);
	*edits = (struct reg_edits){ NULL, 0 };
}

int reg_edits_add(struct reg_edits *edits, const struct reg_edit *edit, struct err *e)
{
	struct reg_edit *items, *new;

	if (edits->n >= LIMIT_REG_EDITS)
		return err_set(e, ERR_LIMIT, "more than %d changes to the registry at once", LIMIT_REG_EDITS);
	if (edit->len > LIMIT_HIVE_CELL)
		return err_set(e, ERR_UNSUPPORTED, "a value of %zu bytes: what is larger than %d cannot be written", edit->len,
			       LIMIT_HIVE_CELL);
	/* Room for twice as many when it is full: n is a power of two then. */
	items = edits->items;
	if ((edits->n & (edits->n - 1)) == 0) {
		items = alloc_resize(items, edits->n ? edits->n * 2 : 1, sizeof *items);
		if (!items)
			return err_nomem(e);
		edits->items = items;
	}
	new = &items[edits->n++];
	*new = (struct reg_edit){ .kind = edit->kind, .type = edit->type, .len = edit->len };
	new->key = alloc_strdup(edit->key);
	new->name = alloc_strdup(edit->name ? edit->name : "");
	new->data = alloc_bytes(edit->len + 1);
	if (!new->key || !new->name || !new->data)
		return err_nomem(e);
	if (edit->len)
		memcpy(new->data, edit->data, edit->len);
	return 0;
}

/* ---- the text as UTF-8 ---- */

static int text_decode(const uint8_t *b, size_t len, struct strbuf *out, struct err *e)
{
	bool little = len >= 2 && ((b[0] == 0xff && b[1] == 0xfe) || (b[0] && !b[1])),
	     big = len >= 2 && b[0] == 0xfe && b[1] == 0xff;

	if (len > LIMIT_REG_TEXT)
		return err_set(e, ERR_LIMIT, "a text of %zu bytes is no change of a registry", len);
	if (big)
		return err_set(e, ERR_UNSUPPORTED, "it is in big-endian UTF-16, which regedit does not write");
	if (little) {
		size_t skip = b[0] == 0xff ? 2 : 0;

		if (len % 2)
			return err_set(e, ERR_USAGE, "it is in UTF-16, and ends within a character");
		text_utf16le(out, b + skip, (len - skip) / 2);
	} else {
		size_t skip = len >= 3 && memcmp(b, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
		size_t valid = text_utf8_valid(b + skip, len - skip);

		if (valid < len - skip)
			return err_set(e, ERR_USAGE, "byte %zu: it is neither UTF-8 nor UTF-16", skip + valid);
		strbuf_add(out, b + skip, len - skip);
	}
	if (out->failed)
		return err_nomem(e);
	return memchr(out->s, 0, out->len) ? err_set(e, ERR_USAGE, "it holds a NUL") : 0;
}

/* ---- lines ---- */

struct parser {
	const char *p; /* what is left; ends at a NUL */
	unsigned line;
	const struct reg_text_how *how;
	struct reg_edits *out;
	char *key;    /* of the values that follow; NULL: none yet, or it was removed */
	bool removed;
};

static void blanks_skip(struct parser *r)
{
	r->p += strspn(r->p, " \t");
}

/* Nothing but blanks may follow; goes on with the next line. */
static int line_end(struct parser *r, struct err *e)
{
	blanks_skip(r);
	if (*r->p == '\r')
		r->p++;
	if (*r->p && *r->p != '\n')
		return err_set(e, ERR_USAGE, "something follows what should be its end");
	r->p += *r->p == '\n';
	r->line++;
	return 0;
}

/* What stands in quotes, of which the first has been read: \\ and \" are undone, and it may go on over several lines. */
static int quoted(struct parser *r, struct strbuf *out, struct err *e)
{
	for (;; r->p++) {
		switch (*r->p) {
		case '\0':
			return err_set(e, ERR_USAGE, "a quote is not closed");
		case '"':
			r->p++;
			return out->failed ? err_nomem(e) : 0;
		case '\n':
			r->line++;
			break;
		case '\\':
			if (r->p[1] == '\\' || r->p[1] == '"')
				r->p++;
			break;
		}
		strbuf_putc(out, *r->p);
	}
}

static int add(struct parser *r, const struct reg_edit *edit, struct err *e)
{
	return reg_edits_add(r->out, edit, e);
}

/* "[KEY]" or "[-KEY]"; a "]" may be a part of the name: the last of the line counts. */
static int key_line(struct parser *r, struct err *e)
{
	size_t len = strcspn(r->p, "\n");
	const char *prefix = r->how->prefix, *name = r->p + 1;
	size_t end = len, skip = 0;
	int rc;

	while (end > 1 && (r->p[end - 1] == ' ' || r->p[end - 1] == '\t' || r->p[end - 1] == '\r'))
		end--;
	if (end < 2 || r->p[end - 1] != ']')
		return err_set(e, ERR_USAGE, "a key's name is not closed by \"]\"");
	r->removed = *name == '-';
	name += r->removed;
	end -= (size_t)(name - r->p) + 1;
	if (prefix) {
		skip = strlen(prefix);
		if (end < skip || strncasecmp(name, prefix, skip) != 0 || (end > skip && name[skip] != '\\'))
			return err_set(e, ERR_USAGE, "the key does not lie below %s", prefix);
	}
	free(r->key);
	r->key = alloc_strndup(name + skip, end - skip);
	if (!r->key)
		return err_nomem(e);
	if (r->key[strspn(r->key, "\\")] == '\0' && r->removed)
		return err_set(e, ERR_USAGE, "a hive's root cannot be removed");
	rc = add(r, &(struct reg_edit){ .kind = r->removed ? REG_EDIT_KEY_DELETE : REG_EDIT_KEY, .key = r->key }, e);
	r->p += len;
	return rc < 0 ? rc : line_end(r, e);
}

static int hex_digit(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : -1;
}

/* "61,00,\" and further lines: each byte is one or two digits. */
static int hex_bytes(struct parser *r, struct strbuf *out, struct err *e)
{
	for (;;) {
		int digit, byte;

		blanks_skip(r);
		if (*r->p == '\\' && strspn(r->p + 1, " \t\r") == strcspn(r->p + 1, "\n")) {
			r->p += strcspn(r->p, "\n");
			r->p += *r->p == '\n';
			r->line++;
			continue;
		}
		byte = hex_digit(*r->p);
		if (byte < 0)
			break;
		r->p++;
		digit = hex_digit(*r->p);
		if (digit >= 0) {
			byte = byte * 16 + digit;
			r->p++;
		}
		strbuf_putc(out, (char)byte);
		blanks_skip(r);
		if (*r->p != ',')
			break;
		r->p++;
	}
	return out->failed ? err_nomem(e) : 0;
}

/* Text as Windows has it, with a NUL at its end. */
static int put_utf16(struct strbuf *out, const char *text, size_t len, struct err *e)
{
	CLEANUP(free_ptr) uint16_t *units = alloc_array(len + 1, sizeof *units);
	size_t n;

	if (!units)
		return err_nomem(e);
	if (!text_to_utf16(text, len, units, len, &n))
		return err_set(e, ERR_USAGE, "a text is not UTF-8");
	for (size_t i = 0; i <= n; i++) {
		uint16_t unit = i < n ? units[i] : 0;

		strbuf_putc(out, (char)(unit & 0xff));
		strbuf_putc(out, (char)(unit >> 8));
	}
	return 0;
}

static int text_data(struct parser *r, struct strbuf *out, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf text = STRBUF_INIT;
	int rc;

	r->p++;
	rc = quoted(r, &text, e);
	if (rc < 0)
		return rc;
	if (!r->how->ascii)
		return put_utf16(out, text.s, text.len, e);
	strbuf_add(out, text.s, text.len + 1);
	return 0;
}

/* A number in hexadecimal digits, of at most so many. */
static bool hex_number(struct parser *r, unsigned most, uint64_t *out)
{
	unsigned n = 0;

	for (*out = 0; n < most && hex_digit(r->p[n]) >= 0; n++)
		*out = *out << 4 | (unsigned)hex_digit(r->p[n]);
	r->p += n;
	return n > 0 && hex_digit(*r->p) < 0;
}

/* "(2):" behind "hex" or "str"; or ":" alone, and type stays what it is. */
static int type_in_brackets(struct parser *r, uint32_t *type, struct err *e)
{
	uint64_t number;

	if (*r->p == '(') {
		r->p++;
		if (!hex_number(r, 8, &number) || *r->p != ')')
			return err_set(e, ERR_USAGE, "the number of a type is wrong");
		*type = (uint32_t)number;
		r->p++;
	}
	if (*r->p != ':')
		return err_set(e, ERR_USAGE, "a type is not followed by \":\"");
	r->p++;
	return 0;
}

static bool word(struct parser *r, const char *w)
{
	size_t len = strlen(w);

	if (strncasecmp(r->p, w, len) != 0)
		return false;
	r->p += len;
	return true;
}

/* What stands behind the "=". */
static int data(struct parser *r, struct reg_edit *edit, struct strbuf *out, struct err *e)
{
	uint64_t number;
	int rc;

	edit->type = REG_SZ;
	if (*r->p == '"')
		return text_data(r, out, e);
	if (*r->p == '-') {
		edit->kind = REG_EDIT_VALUE_DELETE;
		r->p++;
		return 0;
	}
	if (word(r, "dword:")) {
		edit->type = REG_DWORD;
		if (!hex_number(r, 8, &number))
			return err_set(e, ERR_USAGE, "a dword has one to eight hexadecimal digits");
		for (int i = 0; i < 4; i++)
			strbuf_putc(out, (char)(number >> 8 * i));
		return 0;
	}
	if (word(r, "hex")) {
		edit->type = REG_BINARY;
		rc = type_in_brackets(r, &edit->type, e);
		return rc < 0 ? rc : hex_bytes(r, out, e);
	}
	if (word(r, "str")) {
		rc = type_in_brackets(r, &edit->type, e);
		if (rc < 0)
			return rc;
		return *r->p == '"' ? text_data(r, out, e) : err_set(e, ERR_USAGE, "a text is not in quotes");
	}
	return err_set(e, ERR_USAGE, "the kind of the value is none of \"text\", dword:, hex: and -");
}

static int value_line(struct parser *r, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf name = STRBUF_INIT;
	CLEANUP(strbuf_free) struct strbuf bytes = STRBUF_INIT;
	struct reg_edit edit = { .kind = REG_EDIT_VALUE };
	bool unnamed = *r->p == '@';
	int rc = 0;

	r->p++;
	if (!unnamed)
		rc = quoted(r, &name, e);
	if (rc < 0)
		return rc;
	blanks_skip(r);
	if (*r->p != '=')
		return err_set(e, ERR_USAGE, "the name of a value is not followed by \"=\"");
	r->p++;
	blanks_skip(r);
	if (!r->key || r->removed)
		return err_set(e, ERR_USAGE, r->key ? "a value of a key that is removed" : "a value before the first key");
	rc = data(r, &edit, &bytes, e);
	if (rc < 0)
		return rc;
	if (bytes.failed)
		return err_nomem(e);
	edit.key = r->key;
	edit.name = name.s;
	edit.data = (uint8_t *)bytes.s;
	edit.len = bytes.len;
	rc = add(r, &edit, e);
	return rc < 0 ? rc : line_end(r, e);
}

static int lines(struct parser *r, struct err *e)
{
	int rc = 0;

	/* Each line that is read is one less: the loop ends. */
	while (rc == 0 && *r->p) {
		blanks_skip(r);
		if (*r->p == '[') {
			rc = key_line(r, e);
		} else if (*r->p == '"' || *r->p == '@') {
			rc = value_line(r, e);
		} else if (*r->p == ';' || text_starts(r->p, "Windows Registry Editor", NULL) ||
			   text_starts(r->p, "REGEDIT4", NULL)) {
			r->p += strcspn(r->p, "\n");
			rc = line_end(r, e);
		} else {
			rc = line_end(r, NULL);
			if (rc < 0)
				rc = err_set(e, ERR_USAGE, "it begins neither a key nor a value");
		}
	}
	return rc;
}

int reg_text_parse(const void *bytes, size_t len, const struct reg_text_how *how, struct reg_edits *out, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf text = STRBUF_INIT;
	struct parser r = { .line = 1, .how = how, .out = out };
	int rc = text_decode(bytes, len, &text, e);

	if (rc < 0)
		return rc;
	r.p = text.s;
	rc = lines(&r, e);
	free(r.key);
	return rc < 0 ? err_in(e, rc, "line %u", r.line) : 0;
}

/* ---- a value of a command line ---- */

static int words_data(const char *text, bool multi, struct strbuf *out, struct err *e)
{
	int rc = 0;

	while (rc == 0 && multi && strstr(text, "\\0")) {
		const char *end = strstr(text, "\\0");

		rc = put_utf16(out, text, (size_t)(end - text), e);
		text = end + 2;
	}
	if (rc == 0 && (!multi || *text))
		rc = put_utf16(out, text, strlen(text), e);
	if (rc == 0 && multi)
		strbuf_add(out, "\0", 2);
	return rc;
}

static int number_data(const char *text, unsigned nbytes, struct strbuf *out, struct err *e)
{
	uint64_t number;

	if (!text_parse_u64(text, &number) || (nbytes == 4 && number > UINT32_MAX))
		return err_set(e, ERR_USAGE, "\"%s\" is no number of %u bytes", text, nbytes);
	for (unsigned i = 0; i < nbytes; i++)
		strbuf_putc(out, (char)(number >> 8 * i));
	return 0;
}

static int digits_data(const char *text, struct strbuf *out, struct err *e)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i += 2) {
		int high = hex_digit(text[i]), low = high < 0 ? -1 : hex_digit(text[i + 1]);

		if (low < 0)
			return err_set(e, ERR_USAGE, "\"%s\" are no bytes in hexadecimal digits", text);
		strbuf_putc(out, (char)(high * 16 + low));
	}
	return 0;
}

int reg_value_parse(const char *type, const char *text, struct reg_edit *edit, struct err *e)
{
	static const struct {
		const char *name;
		uint32_t type;
	} types[] = {
		{ "sz", REG_SZ },	  { "expand", REG_EXPAND_SZ }, { "multi", REG_MULTI_SZ }, { "dword", REG_DWORD },
		{ "qword", REG_QWORD },	  { "binary", REG_BINARY },    { "none", REG_NONE },
	};
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	uint64_t number = UINT64_MAX;
	int rc;

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (strcasecmp(type, types[i].name) == 0)
			number = types[i].type;
	if (number == UINT64_MAX) {
		if (!text_parse_u64(type, &number) || number > UINT32_MAX)
			return err_set(e, ERR_USAGE,
				       "\"%s\" is no type: sz, expand, multi, dword, qword, binary, none or a number",
				       type);
		rc = digits_data(text, &out, e);
	} else if (number == REG_DWORD || number == REG_QWORD) {
		rc = number_data(text, number == REG_DWORD ? 4 : 8, &out, e);
	} else if (number == REG_BINARY || number == REG_NONE) {
		rc = digits_data(text, &out, e);
	} else {
		rc = words_data(text, number == REG_MULTI_SZ, &out, e);
	}
	if (rc < 0)
		return rc;
	edit->type = (uint32_t)number;
	edit->len = out.len;
	edit->data = (uint8_t *)strbuf_detach(&out);
	return edit->data ? 0 : err_nomem(e);
}
