/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lvm_text.h - the text in which LVM2 keeps its metadata, as a tree of values.
 *
 *	vg { id = "..." seqno = 3 status = ["READ", "WRITE"] physical_volumes { pv0 { ... } } }
 *
 * Comments run from # to the end of the line.  The tree points into the text, which it owns.
 */
#ifndef DRYDOCK_LVM_TEXT_H
#define DRYDOCK_LVM_TEXT_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lvm_value {
	const char *key; /* NULL: an item of a list */
	union {
		const char *str;
		uint64_t num;
	};
	uint32_t first, next; /* indices: the first value inside, the next beside it; 0: none */
	/* OTHER: a fraction, or a number that is negative or does not fit */
	enum lvm_kind { LVM_SECTION, LVM_LIST, LVM_STRING, LVM_NUMBER, LVM_OTHER } kind;
};

struct lvm_text {
	char *bytes;
	struct lvm_value *values; /* [0] is the whole: a section without a key */
	size_t n, cap;
};

/*
 * Parses len bytes, which become the tree's own (on failure too); they end early at a NUL.  head: ends as soon as the id
 * and seqno of a first section are known, and what follows is not looked at.
 */
int lvm_text_parse(char *bytes, size_t len, bool head, struct lvm_text *out, struct err *e);
void lvm_text_free(struct lvm_text *t); /* for CLEANUP */

/* The first value inside a section or list, the one beside it; NULL: none. */
static inline const struct lvm_value *lvm_first(const struct lvm_text *t, const struct lvm_value *v)
{
	return v->first ? &t->values[v->first] : NULL;
}
static inline const struct lvm_value *lvm_next(const struct lvm_text *t, const struct lvm_value *v)
{
	return v->next ? &t->values[v->next] : NULL;
}
/* The value of that key and kind in a section; NULL: there is none. */
const struct lvm_value *lvm_find(const struct lvm_text *t, const struct lvm_value *section, const char *key,
				 enum lvm_kind kind);
/* The string of that key, or NULL. */
const char *lvm_string(const struct lvm_text *t, const struct lvm_value *section, const char *key);
/* The number of that key, at most max; false when there is none such. */
bool lvm_number(const struct lvm_text *t, const struct lvm_value *section, const char *key, uint64_t max, uint64_t *out);
/* Has the list of that key this string in it? */
bool lvm_has_word(const struct lvm_text *t, const struct lvm_value *section, const char *key, const char *word);

#endif
