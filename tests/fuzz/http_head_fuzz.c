/* SPDX-License-Identifier: GPL-2.0-or-later */
/* http_head_fuzz.c - the head of a web server's answer, its lines told apart by their ends as libcurl does. */
#include "http_head.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct http_head h = { .status = 0 };

	/* Ends: at moves on with each line. */
	for (size_t at = 0; at < len;) {
		const uint8_t *end = memchr(data + at, '\n', len - at);
		const size_t n = end ? (size_t)(end - (data + at)) + 1 : len - at;
		/* A copy of its own, so that reading past its end is seen. */
		char *line = malloc(n);

		if (!line)
			abort();
		memcpy(line, data + at, n);
		http_head_line(&h, line, n);
		free(line);
		at += n;
	}
	if (h.has_range && h.status != 416 && !(h.begin <= h.end && h.end < h.size))
		abort();
	if (strnlen(h.etag, sizeof h.etag) == sizeof h.etag || strnlen(h.modified, sizeof h.modified) == sizeof h.modified)
		abort();
	return 0;
}
