/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * http_head.h - what a web server says in front of a part of a file (RFC 9110: status, Content-Range, ETag, Last-Modified).
 *
 * A server is a stranger: a line is cut off where it is too long, and a number that is none, or a range that cannot be, is as
 * if it had not been said.
 */
#ifndef DRYDOCK_HTTP_HEAD_H
#define DRYDOCK_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HTTP_TAG_MAX = 200 };

struct http_head {
	int status;	     /* 0: not understood */
	bool has_range;	     /* these three were said, and make sense: begin <= end < size, or 416 of a size alone */
	uint64_t begin, end; /* the last byte, too */
	uint64_t size;	     /* of the whole file */
	bool encoded;	     /* the bytes are not those of the file */
	char etag[HTTP_TAG_MAX], modified[HTTP_TAG_MAX]; /* "": not said */
};

/* One line, with or without its end.  A status line begins anew, as behind a redirection. */
void http_head_line(struct http_head *h, const char *bytes, size_t len);

#endif
