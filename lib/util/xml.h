/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xml.h - a streaming XML writer into a strbuf: two blanks a level, an element with a text on one line.
 *
 * Whatever a text holds, the document stays well-formed: what would be markup is escaped, bytes that are not UTF-8 become
 * U+FFFD, and characters that XML 1.0 has not (control characters but tab and newline, U+FFFE, U+FFFF) are left out.
 */
#ifndef DRYDOCK_XML_H
#define DRYDOCK_XML_H

#include "strbuf.h"

#include <stdbool.h>

struct xml {
	struct strbuf *out;
	unsigned depth;
	bool begun;	 /* something was written; it may have been taken out of the strbuf since */
	bool open, text; /* the last tag lacks its ">"; a text was the last */
};

#define XML_INIT(strbuf_ptr) { .out = (strbuf_ptr) }

void xml_declaration(struct xml *x);
/* Names are ours, and not escaped. */
void xml_start(struct xml *x, const char *name);
void xml_attribute(struct xml *x, const char *name, const char *value); /* directly behind xml_start() */
void xml_text(struct xml *x, const char *text);
void xml_end(struct xml *x, const char *name);
/* An element with nothing but a text; NULL: none. */
void xml_element(struct xml *x, const char *name, const char *text);

#endif
