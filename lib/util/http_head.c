/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "http_head.h"

#include "alloc.h"
#include "text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { LINE_MAX = 1024 };

static int status_of(const char *line)
{
	const char *space = strchr(line, ' ');
	uint64_t status;
	char digits[4] = "";

	if (space)
		snprintf(digits, sizeof digits, "%.3s", space + 1);
	return text_parse_u64(digits, &status) ? (int)status : 0;
}

/* "bytes 0-65535/1048576", or for an empty file "bytes *" "/0". */
static void take_range(struct http_head *h, char *value)
{
	char *slash = strchr(value, '/'), *dash = strchr(value, '-');
	const char *rest;

	h->has_range = false;
	if (!slash || !text_starts(value, "bytes ", &rest))
		return;
	*slash = '\0';
	if (!text_parse_u64(slash + 1, &h->size))
		return;
	if (strcmp(rest, "*") == 0) {
		h->begin = h->end = 0;
		h->has_range = h->status == 416;
		return;
	}
	if (!dash || dash > slash)
		return;
	*dash = '\0';
	h->has_range = text_parse_u64(rest, &h->begin) && text_parse_u64(dash + 1, &h->end) && h->begin <= h->end &&
		       h->end < h->size;
}

void http_head_line(struct http_head *h, const char *bytes, size_t len)
{
	char line[LINE_MAX], *value, *end;

	snprintf(line, sizeof line, "%.*s", (int)MIN_OF(len, sizeof line - 1), bytes);
	end = line + strlen(line);
	while (end > line && strchr(" \t\r\n", end[-1]))
		*--end = '\0';
	if (text_starts(line, "HTTP/", NULL)) {
		*h = (struct http_head){ .status = status_of(line) };
		return;
	}
	value = strchr(line, ':');
	if (!value)
		return;
	*value++ = '\0';
	value += strspn(value, " \t");
	if (strcasecmp(line, "Content-Range") == 0)
		take_range(h, value);
	else if (strcasecmp(line, "Content-Encoding") == 0)
		h->encoded = strcasecmp(value, "identity") != 0;
	else if (strcasecmp(line, "ETag") == 0)
		snprintf(h->etag, sizeof h->etag, "%s", value);
	else if (strcasecmp(line, "Last-Modified") == 0)
		snprintf(h->modified, sizeof h->modified, "%s", value);
}
