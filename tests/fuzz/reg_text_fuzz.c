/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reg_text_fuzz.c - the text of regedit: whatever is merged into a registry. */
#include "reg_text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct reg_text_how how = { .ascii = len & 1, .prefix = len & 2 ? "HKLM" : NULL };
	struct reg_edits edits = { NULL, 0 };
	size_t sum = 0;

	reg_text_parse(data, len, &how, &edits, NULL);
	/* Every key, name and byte that was promised is there. */
	for (size_t i = 0; i < edits.n; i++) {
		sum += strlen(edits.items[i].key) + strlen(edits.items[i].name);
		for (size_t k = 0; k < edits.items[i].len; k++)
			sum += edits.items[i].data[k];
	}
	reg_edits_free(&edits);
	return sum == SIZE_MAX;
}
