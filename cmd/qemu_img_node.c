/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qemu_img_node.c - what the peer says about options of a node ("driver=qcow2,l2-cache-size=...") that cannot be.
 *
 * Values are judged again here, once an open has failed, since the peer judges them before it looks at any file; what
 * only the library can know is told from its sentence.
 */
#include "qemu_img_node.h"

#include "qemu_img.h"

#include <ctype.h>
#include <string.h>

enum kind { KIND_BOOL, KIND_SIZE, KIND_NUMBER, KIND_WORD };

static const struct {
	const char *key;
	enum kind kind;
	const char *words; /* WORD: each with blanks around it */
	const char *no;	   /* WORD: the sentence, to which (ending in a blank) the value is added */
} rows[] = {
	{ "read-only", KIND_BOOL, NULL, NULL },
	{ "auto-read-only", KIND_BOOL, NULL, NULL },
	{ "force-share", KIND_BOOL, NULL, NULL },
	{ "cache.direct", KIND_BOOL, NULL, NULL },
	{ "cache.no-flush", KIND_BOOL, NULL, NULL },
	{ "lazy-refcounts", KIND_BOOL, NULL, NULL },
	{ "pass-discard-request", KIND_BOOL, NULL, NULL },
	{ "pass-discard-snapshot", KIND_BOOL, NULL, NULL },
	{ "pass-discard-other", KIND_BOOL, NULL, NULL },
	{ "overlap-check.main-header", KIND_BOOL, NULL, NULL },
	{ "overlap-check.active-l1", KIND_BOOL, NULL, NULL },
	{ "overlap-check.active-l2", KIND_BOOL, NULL, NULL },
	{ "overlap-check.refcount-table", KIND_BOOL, NULL, NULL },
	{ "overlap-check.refcount-block", KIND_BOOL, NULL, NULL },
	{ "overlap-check.snapshot-table", KIND_BOOL, NULL, NULL },
	{ "overlap-check.inactive-l1", KIND_BOOL, NULL, NULL },
	{ "overlap-check.inactive-l2", KIND_BOOL, NULL, NULL },
	{ "overlap-check.bitmap-directory", KIND_BOOL, NULL, NULL },
	{ "cache-size", KIND_SIZE, NULL, NULL },
	{ "l2-cache-size", KIND_SIZE, NULL, NULL },
	{ "refcount-cache-size", KIND_SIZE, NULL, NULL },
	{ "l2-cache-entry-size", KIND_SIZE, NULL, NULL },
	{ "offset", KIND_SIZE, NULL, NULL },
	{ "size", KIND_SIZE, NULL, NULL },
	{ "cache-clean-interval", KIND_NUMBER, NULL, NULL },
	{ "discard", KIND_WORD, " ignore off unmap on ", "Invalid discard option" },
	{ "detect-zeroes", KIND_WORD, " off on unmap ", "invalid parameter value: " },
	{ "aio", KIND_WORD, " threads native io_uring ", "invalid parameter value: " },
	{ "locking", KIND_WORD, " auto on off ", "invalid parameter value: " },
	{ "read-pattern", KIND_WORD, " quorum fifo ", "Please set read-pattern as fifo or quorum" },
};

/* The last part of "file.cache.direct" and the like that is an option of a node. */
static bool is_key(const char *key, const char *name)
{
	size_t n = strlen(key), m = strlen(name);

	return n >= m && strcmp(key + n - m, name) == 0 && (n == m || key[n - m - 1] == '.');
}

static bool among(const char *words, const char *value)
{
	size_t n = strlen(value);

	for (const char *at = words; (at = strstr(at, value)); at++)
		if (n && at > words && at[-1] == ' ' && at[n] == ' ')
			return true;
	return false;
}

static bool judge_value(struct strbuf *out, size_t i, const char *value)
{
	static const char switches[] = " on off yes no true false y n ";
	const char *key = rows[i].key;
	enum qi_number n;
	uint64_t size;

	switch (rows[i].kind) {
	case KIND_BOOL:
		if (among(switches, value))
			return false;
		strbuf_printf(out, "Parameter '%s' expects 'on' or 'off'", key);
		return true;
	case KIND_SIZE:
		n = qi_parse_size(value, &size);
		if (n != QI_OK)
			qi_size_problem(out, key, value, n);
		return n != QI_OK;
	case KIND_NUMBER:
		if (*value && value[strspn(value, "0123456789")] == '\0')
			return false;
		strbuf_printf(out, "Parameter '%s' expects a number", key);
		return true;
	default:
		if (among(rows[i].words, value))
			return false;
		strbuf_puts(out, rows[i].no);
		if (rows[i].no[strlen(rows[i].no) - 1] == ' ')
			strbuf_puts(out, value);
		return true;
	}
}

static bool wrong_value(struct strbuf *out, const struct dry_opts *opts)
{
	const char *key, *value;

	for (size_t i = 0; dry_opts_at(opts, i, &key, &value); i++) {
		for (size_t k = 0; k < ARRAY_LEN(rows); k++)
			if (is_key(key, rows[k].key))
				if (judge_value(out, k, value))
					return true;
	}
	return false;
}

/* An option that nobody took, which the library refused by name. */
static bool unknown_option(struct strbuf *out, const struct dry_error *e)
{
	static const char node[] = " node has no option \"";
	const char *at = strstr(e->msg, node), *driver = at, *key = at ? at + strlen(node) : NULL;
	size_t n = key ? strcspn(key, "\"") : 0;
	bool protocol;

	if (!at)
		return false;
	while (driver > e->msg && driver[-1] != ' ')
		driver--;
	protocol = strncmp(driver, "null-", 5) == 0 || strncmp(driver, "file ", 5) == 0;
	strbuf_printf(out, "Block %s '%.*s' %s support the option '%.*s'", protocol ? "protocol" : "format",
		      (int)(at - driver), driver, protocol ? "doesn't" : "does not", (int)n, key);
	return true;
}

/* The number that follows `word` in what the library said. */
static unsigned long long number_behind(const char *text, const char *word)
{
	const char *at = strstr(text, word);

	return at ? strtoull(at + strlen(word), NULL, 10) : 0;
}

bool qi_node_problem(struct strbuf *out, const struct dry_opts *opts, const struct dry_error *e)
{
	const struct {
		const char *ours, *theirs;
	} same[] = {
		{ "option \"read-only\": a node", "Block node is read-only" },
		{ "option \"force-share\": only", "force-share=on can only be used with read-only images" },
		{ "option \"aio\": native",
		  "aio=native was specified, but it requires cache.direct=on, which was not specified." },
		{ "no \"file\" is given", "A block device must be specified for \"file\"" },
		{ "give at most two of",
		  "cache-size, l2-cache-size and refcount-cache-size may not be set at the same time" },
		{ "lazy refcounts need a qcow2 image of version 3",
		  "Lazy refcounts require a qcow2 image with at least qemu 1.1 compatibility level" },
		{ "\"cache-size\" is less than one", dry_opts_get(opts, "l2-cache-size")
							     ? "l2-cache-size may not exceed cache-size"
							     : "refcount-cache-size may not exceed cache-size" },
		{ "a quorum needs children", "Number of provided children must be 1 or more" },
		{ "a quorum needs a \"vote-threshold\"", "Parameter 'vote-threshold' expects a value >= 1" },
		{ "a vote-threshold of", "threshold may not exceed children count" },
	};
	const char *value, *second, *quoted = strstr(e->msg, "called \"") ? strstr(e->msg, "called \"") + 8 : "";

	if (e->code != DRY_USAGE && e->code != DRY_UNSUPPORTED)
		return false;
	if (wrong_value(out, opts) || unknown_option(out, e))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(same); i++) {
		if (strstr(e->msg, same[i].ours)) {
			strbuf_puts(out, same[i].theirs);
			return true;
		}
	}
	value = dry_opts_get(opts, "overlap-check");
	second = dry_opts_get(opts, "overlap-check.template");
	if (strstr(e->msg, "contradict each other"))
		strbuf_printf(out,
			      "Conflicting values for qcow2 options 'overlap-check' ('%s') and 'overlap-check.template' ('%s')",
			      value, second);
	else if (strstr(e->msg, "\"overlap-check\" is none"))
		strbuf_printf(out, "Unsupported value '%s' for qcow2 option 'overlap-check'. Allowed are any of the following: "
			      "none, constant, cached, all", second ? second : value);
	else if (strstr(e->msg, "option \"node-name\": \""))
		strbuf_printf(out, "Invalid node-name: '%s'", dry_opts_get(opts, "node-name"));
	else if (strstr(e->msg, "goes past the end of the file ("))
		strbuf_printf(out, "The sum of offset (%llu) and size (%llu) has to be smaller or equal to the  actual size of the "
			      "containing file (%llu)", number_behind(e->msg, " at offset "), number_behind(e->msg, ": size "),
			      number_behind(e->msg, "end of the file ("));
	else if (strstr(e->msg, "lies past the end of the file ("))
		strbuf_printf(out, "Offset (%llu) cannot be greater than size of the containing file (%llu)",
			      number_behind(e->msg, ": offset "), number_behind(e->msg, "end of the file ("));
	else if (strstr(e->msg, "\"l2-cache-entry-size\" is"))
		strbuf_printf(out, "L2 cache entry size must be a power of two between 512 and the cluster size (%llu)",
			      number_behind(e->msg, "the cluster size ("));
	else if (strstr(e->msg, "no event is called"))
		strbuf_printf(out, "invalid parameter value: %.*s", (int)strcspn(quoted, "\""), quoted);
	else if (strstr(e->msg, ": not a block device"))
		strbuf_printf(out, "'host_device' driver requires '%.*s' to be either a character or block device",
			      (int)(strlen(e->msg) - strlen(": not a block device")), e->msg);
	else
		return false;
	return true;
}
