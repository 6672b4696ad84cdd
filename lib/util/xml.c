/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xml.h"

#include "text.h"

#include <string.h>

static void close_tag(struct xml *x)
{
	if (x->open)
		strbuf_putc(x->out, '>');
	x->open = false;
}

static void new_line(struct xml *x)
{
	if (x->begun)
		strbuf_putc(x->out, '\n');
	x->begun = true;
	for (unsigned i = 0; i < x->depth; i++)
		strbuf_puts(x->out, "  ");
}

/* Three bytes that are U+FFFE or U+FFFF, which are UTF-8 and no characters of XML. */
static bool is_noncharacter(const char *s, size_t len)
{
	return len >= 3 && memcmp(s, "\xef\xbf", 2) == 0 && (unsigned char)s[2] >= 0xbe;
}

static void put_character(struct xml *x, char c, bool attribute)
{
	switch (c) {
	case '&':
		strbuf_puts(x->out, "&amp;");
		break;
	case '<':
		strbuf_puts(x->out, "&lt;");
		break;
	case '>':
		strbuf_puts(x->out, "&gt;");
		break;
	case '"':
		strbuf_puts(x->out, "&quot;");
		break;
	case '\t':
		strbuf_puts(x->out, attribute ? "&#9;" : "\t");
		break;
	case '\n':
		strbuf_puts(x->out, attribute ? "&#10;" : "\n");
		break;
	case '\r':
		strbuf_puts(x->out, "&#13;");
		break;
	default:
		if ((unsigned char)c >= 0x20 && c != 0x7f)
			strbuf_putc(x->out, c);
		break;
	}
}

static void put_text(struct xml *x, const char *s, bool attribute)
{
	size_t len = strlen(s);

	/* Ends: each turn takes a byte at least. */
	while (len) {
		size_t valid = text_utf8_valid(s, len);

		for (size_t i = 0; i < valid; i++) {
			if (is_noncharacter(s + i, valid - i))
				i += 2;
			else
				put_character(x, s[i], attribute);
		}
		s += valid;
		len -= valid;
		if (len) {
			strbuf_puts(x->out, "\xef\xbf\xbd");
			s++;
			len--;
		}
	}
}

void xml_declaration(struct xml *x)
{
	strbuf_puts(x->out, "<?xml version=\"1.0\"?>");
	x->begun = true;
}

void xml_start(struct xml *x, const char *name)
{
	close_tag(x);
	new_line(x);
	strbuf_printf(x->out, "<%s", name);
	x->depth++;
	x->open = true;
	x->text = false;
}

void xml_attribute(struct xml *x, const char *name, const char *value)
{
	strbuf_printf(x->out, " %s=\"", name);
	put_text(x, value, true);
	strbuf_putc(x->out, '"');
}

void xml_text(struct xml *x, const char *text)
{
	close_tag(x);
	put_text(x, text, false);
	x->text = true;
}

void xml_end(struct xml *x, const char *name)
{
	x->depth--;
	if (x->open) {
		strbuf_puts(x->out, "/>");
	} else {
		if (!x->text)
			new_line(x);
		strbuf_printf(x->out, "</%s>", name);
	}
	x->open = x->text = false;
	if (!x->depth)
		strbuf_putc(x->out, '\n');
}

void xml_element(struct xml *x, const char *name, const char *text)
{
	xml_start(x, name);
	if (text)
		xml_text(x, text);
	xml_end(x, name);
}
