/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* line_diff.h - how two texts differ, line by line, as "diff -u" shows it. */
#ifndef DRYDOCK_LINE_DIFF_H
#define DRYDOCK_LINE_DIFF_H

#include "strbuf.h"

enum line_diff {
	LINE_DIFF_SAME,
	LINE_DIFF_TEXT,	  /* out has the hunks */
	LINE_DIFF_BINARY, /* they differ, and one holds a NUL */
	LINE_DIFF_LARGE,  /* they differ, and one is larger than LIMIT_LINE_DIFF_* */
	LINE_DIFF_NOMEM,
};
/*
 * Appends the hunks ("@@ -1,2 +1,3 @@" ...) with three lines around each change; where a last line has no newline, that is
 * said as diff says it.  The bytes of the texts are given as they are.
 */
enum line_diff line_diff(const void *a, size_t na, const void *b, size_t nb, struct strbuf *out);

#endif
