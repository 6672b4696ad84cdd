/* SPDX-License-Identifier: GPL-2.0-or-later */
/* words_fuzz.c - any line of a script: it is refused with a sentence, or its words, quoted, are the same words again. */
#include "alloc.h"
#include "strbuf.h"
#include "words.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	CLEANUP(free_ptr) char *line = alloc_strndup((const char *)data, len);
	CLEANUP(words_free) struct words w = { .word = NULL }, again = { .word = NULL };
	CLEANUP(strbuf_free) struct strbuf quoted = STRBUF_INIT;
	const char *why = NULL;

	require(line);
	if (!words_split(line, "/home", &w, &why)) {
		require(why && !w.word && !w.n);
		return 0;
	}
	require(!w.word[w.n]);
	for (size_t i = 0; i < w.n; i++) {
		strbuf_puts(&quoted, " \"");
		for (const char *p = w.word[i]; *p; p++)
			strbuf_printf(&quoted, "\\x%02x", (unsigned char)*p);
		strbuf_puts(&quoted, "\"");
	}
	require(words_list(quoted.s, NULL, &again, &why) && again.n == w.n);
	for (size_t i = 0; i < w.n; i++)
		require(strcmp(w.word[i], again.word[i]) == 0);
	return 0;
}
