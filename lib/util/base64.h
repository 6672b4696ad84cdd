/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* base64.h - bytes that are written as text, into locked memory, since they are mostly keys. */
#ifndef DRYDOCK_BASE64_H
#define DRYDOCK_BASE64_H

#include "err.h"
#include "locked.h"
#include "strbuf.h"

/*
 * RFC 4648, in groups of four with their padding; line ends and blanks between the digits are skipped.  Anything else is
 * ERR_USAGE, in words about `what` ("the iv").  *out is not freed before.
 */
int base64_decode(const void *text, size_t len, const char *what, struct locked *out, struct err *e);
/* Appends bytes as text, after every `line` digits (a multiple of 4; 0: never) `sep`; of what is no secret. */
void base64_encode(struct strbuf *out, const void *bytes, size_t len, size_t line, const char *sep);

#endif
