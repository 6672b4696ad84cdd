/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "regex.h"

#include "alloc.h"
#include "late.h"
#include "limits.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <dlfcn.h>
#include <stdbool.h>

/* The library's functions by the names that they have for us. */
struct pcre {
	void *library;
	__typeof__(&pcre2_compile_8) compile;
	__typeof__(&pcre2_code_free_8) code_free;
	__typeof__(&pcre2_match_8) match;
	__typeof__(&pcre2_match_data_create_from_pattern_8) data_create;
	__typeof__(&pcre2_match_data_free_8) data_free;
	__typeof__(&pcre2_get_ovector_pointer_8) ovector;
	__typeof__(&pcre2_get_error_message_8) message;
	__typeof__(&pcre2_match_context_create_8) context_create;
	__typeof__(&pcre2_match_context_free_8) context_free;
	__typeof__(&pcre2_set_match_limit_8) match_limit;
	__typeof__(&pcre2_set_depth_limit_8) depth_limit;
	__typeof__(&pcre2_set_heap_limit_8) heap_limit;
};

struct regex {
	struct pcre pcre;
	pcre2_code_8 *code;
	pcre2_match_data_8 *data;
	pcre2_match_context_8 *context;
};

static bool load(struct pcre *p)
{
	const struct late_symbol symbols[] = {
		{ "pcre2_compile_8", &p->compile },
		{ "pcre2_code_free_8", &p->code_free },
		{ "pcre2_match_8", &p->match },
		{ "pcre2_match_data_create_from_pattern_8", &p->data_create },
		{ "pcre2_match_data_free_8", &p->data_free },
		{ "pcre2_get_ovector_pointer_8", &p->ovector },
		{ "pcre2_get_error_message_8", &p->message },
		{ "pcre2_match_context_create_8", &p->context_create },
		{ "pcre2_match_context_free_8", &p->context_free },
		{ "pcre2_set_match_limit_8", &p->match_limit },
		{ "pcre2_set_depth_limit_8", &p->depth_limit },
		{ "pcre2_set_heap_limit_8", &p->heap_limit },
	};

	const char *missing;

	p->library = late_load("libpcre2-8.so.0", RTLD_LOCAL, symbols, ARRAY_LEN(symbols), &missing);
	return p->library != NULL;
}

void regex_free(struct regex *r)
{
	if (!r)
		return;
	if (r->context)
		r->pcre.context_free(r->context);
	if (r->data)
		r->pcre.data_free(r->data);
	if (r->code)
		r->pcre.code_free(r->code);
	if (r->pcre.library)
		dlclose(r->pcre.library);
	free(r);
}

static void regex_free_ptr(struct regex **r)
{
	regex_free(*r);
}

int regex_new(const char *pattern, size_t len, unsigned flags, struct regex **out, struct err *e)
{
	CLEANUP(regex_free_ptr) struct regex *r = NULL;
	uint32_t options = PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP;
	PCRE2_SIZE at;
	int why;

	r = alloc_zero(sizeof *r);
	if (!r)
		return err_nomem(e);
	if (!load(&r->pcre))
		return err_set(e, ERR_UNSUPPORTED, "regular expressions need libpcre2: install libpcre2-8-0");
	if (flags & REGEX_CASELESS)
		options |= PCRE2_CASELESS;
	if (flags & REGEX_MULTILINE)
		options |= PCRE2_MULTILINE;
	if (flags & REGEX_DOTALL)
		options |= PCRE2_DOTALL;
	if (flags & REGEX_EXTENDED)
		options |= PCRE2_EXTENDED;
	r->code = r->pcre.compile((PCRE2_SPTR8)pattern, len, options, &why, &at, NULL);
	if (!r->code) {
		PCRE2_UCHAR8 text[200] = "";

		r->pcre.message(why, text, sizeof text);
		return err_set(e, ERR_USAGE, "pattern \"%.*s\": %s, at byte %zu", (int)len, pattern, (char *)text, (size_t)at);
	}
	r->data = r->pcre.data_create(r->code, NULL);
	r->context = r->pcre.context_create(NULL);
	if (!r->data || !r->context)
		return err_nomem(e);
	r->pcre.match_limit(r->context, LIMIT_REGEX_STEPS);
	r->pcre.depth_limit(r->context, LIMIT_REGEX_STEPS);
	r->pcre.heap_limit(r->context, LIMIT_REGEX_MEMORY / KiB);
	*out = take(r);
	return 0;
}

int regex_match(struct regex *r, const char *text, size_t len, size_t at, unsigned flags, struct regex_group *groups,
		size_t ngroups, struct err *e)
{
	const uint32_t options = flags & REGEX_NOT_EMPTY_HERE ? PCRE2_NOTEMPTY_ATSTART | PCRE2_ANCHORED : 0;
	int rc = r->pcre.match(r->code, (PCRE2_SPTR8)text, len, at, options, r->data, r->context);
	const PCRE2_SIZE *found;

	if (rc == PCRE2_ERROR_NOMATCH)
		return 0;
	if (rc == PCRE2_ERROR_MATCHLIMIT || rc == PCRE2_ERROR_DEPTHLIMIT || rc == PCRE2_ERROR_HEAPLIMIT)
		return err_set(e, ERR_LIMIT, "a match takes more than %llu steps", (unsigned long long)LIMIT_REGEX_STEPS);
	if (rc == PCRE2_ERROR_NOMEMORY)
		return err_nomem(e);
	if (rc < 0)
		return err_set(e, ERR_UNSUPPORTED, "libpcre2 cannot match this: error %d", rc);
	found = r->pcre.ovector(r->data);
	for (size_t i = 0; i < ngroups; i++) {
		groups[i] = (struct regex_group){ REGEX_NONE, REGEX_NONE };
		if (i < (size_t)rc && found[2 * i] != PCRE2_UNSET && found[2 * i] <= found[2 * i + 1])
			groups[i] = (struct regex_group){ found[2 * i], found[2 * i + 1] };
	}
	return 1;
}
