/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* text.h - sizes, UUIDs and a guest's strings as people read and type them. */
#ifndef DRYDOCK_TEXT_H
#define DRYDOCK_TEXT_H

#include "err.h"
#include "strbuf.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Parses "10G", "512", "1.5T": suffix b k K m M g G t T p P e E, powers of 1024, the whole text.  A fraction needs a
 * suffix.  false when it is not a size or does not fit 64 bits.
 */
bool text_parse_size(const char *s, uint64_t *out);
/* A name as QEMU gives them to objects and nodes: letters, digits, "-", "." and "_", beginning with a letter. */
bool text_is_identifier(const char *s);
/* An unsigned number, decimal or 0x hex, the whole text. */
bool text_parse_u64(const char *s, uint64_t *out);
/* "1.5 GiB": three significant digits, as qemu-img prints sizes. buf of at least 16 bytes; returns buf. */
char *text_size(uint64_t bytes, char *buf, size_t size);
/*
 * A guest's string made safe for a terminal: control characters, escapes, and bytes that are not UTF-8 become \xHH
 * (newline \n, tab \t, backslash \\).  Appends to out.
 */
void text_quote(struct strbuf *out, const void *bytes, size_t len);
/* How many leading bytes are well-formed UTF-8 (len when all are). */
size_t text_utf8_valid(const void *bytes, size_t len);
/* 16 bytes as 8-4-4-4-12 lower-case digits; buf of at least 37 bytes; returns buf. */
char *text_uuid(const uint8_t uuid[16], char *buf);
/* UTF-16 in little-endian order, up to nunits or a NUL, appended as UTF-8; half a surrogate pair becomes U+FFFD. */
void text_utf16le(struct strbuf *out, const void *units, size_t nunits);
/* Units in the host's order as UTF-8, in the same way, whole characters only, NUL-terminated: how many bytes. */
size_t text_from_utf16(const uint16_t *units, size_t nunits, char *buf, size_t size);
/*
 * UTF-8 as units of UTF-16 in the host's order: *n of them.  false when it is not well-formed UTF-8 or has more than max
 * units.
 */
bool text_to_utf16(const char *s, size_t len, uint16_t *units, size_t max, size_t *n);
/* Does s begin with prefix?  If so *rest (if given) is what follows. */
bool text_starts(const char *s, const char *prefix, const char **rest);

#endif
