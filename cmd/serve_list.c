/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "serve_list.h"

#include "alloc.h"
#include "json.h"
#include "strbuf.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>

/* The flags of an export by their bits, as the peer and the protocol name them. */
static const char *const flag_names[] = {
	NULL, "readonly", "flush", "fua", "rotational", "trim", "zeroes", "df", "multi", "resize", "cache", "fast-zero",
};

struct listing {
	bool json, some;
	struct json j;
	struct strbuf text;
};

/* A server's words on a terminal are a stranger's. */
static void print_quoted(const char *before, const char *s, const char *after)
{
	CLEANUP(strbuf_free) struct strbuf quoted = STRBUF_INIT;

	text_quote(&quoted, s, strlen(s));
	printf("%s%s%s\n", before, quoted.s ? quoted.s : "", after);
}

static void print_facts(const struct dry_remote_export *x)
{
	printf("  size:  %" PRIu64 "\n", x->size);
	printf("  flags: 0x%x (", x->flags);
	for (size_t i = 0; i < ARRAY_LEN(flag_names); i++)
		if (flag_names[i] && (x->flags >> i & 1))
			printf(" %s", flag_names[i]);
	printf(" )\n");
	if (x->max_block)
		printf("  min block: %" PRIu32 "\n  opt block: %" PRIu32 "\n  max block: %" PRIu32 "\n", x->min_block,
		       x->opt_block, x->max_block);
	if (x->ncontexts)
		printf("  available meta contexts: %zu\n", x->ncontexts);
	for (size_t i = 0; i < x->ncontexts; i++)
		print_quoted("   ", x->contexts[i], "");
}

static void add_object(struct json *j, const struct dry_remote_export *x)
{
	json_object(j, NULL);
	json_str(j, "name", x->name);
	if (x->description)
		json_str(j, "description", x->description);
	if (x->known) {
		json_u64(j, "size", x->size);
		json_array(j, "flags");
		for (size_t i = 0; i < ARRAY_LEN(flag_names); i++)
			if (flag_names[i] && (x->flags >> i & 1))
				json_str(j, NULL, flag_names[i]);
		json_array_end(j);
	}
	if (x->max_block) {
		json_u64(j, "min-block", x->min_block);
		json_u64(j, "opt-block", x->opt_block);
		json_u64(j, "max-block", x->max_block);
	}
	json_array(j, "contexts");
	for (size_t i = 0; i < x->ncontexts; i++)
		json_str(j, NULL, x->contexts[i]);
	json_array_end(j);
	json_object_end(j);
}

static int tell(void *arg, const struct dry_remote_export *x, size_t nth, size_t total)
{
	struct listing *l = arg;

	l->some = true;
	if (l->json) {
		add_object(&l->j, x);
		return 0;
	}
	if (nth == 0)
		printf("exports available: %zu\n", total);
	print_quoted(" export: '", x->name, "'");
	if (x->description)
		print_quoted("  description: ", x->description, "");
	if (x->known)
		print_facts(x);
	return 0;
}

int serve_list(const struct serve_live *l, const struct dry_tls *tls, const char *hostname, bool json)
{
	CLEANUP(close_fd) int fd = serve_connect(l);
	struct listing list = { .json = json, .text = STRBUF_INIT };
	struct dry_error e;
	int rc;

	if (fd < 0)
		return EXIT_FAILED;
	list.j = (struct json)JSON_INIT(&list.text, true);
	json_array(&list.j, NULL);
	rc = dry_server_list(fd, tls, hostname, tell, &list, &e);
	json_array_end(&list.j);
	if (rc < 0)
		serve_say(l, "%s", e.msg);
	else if (json)
		printf("%s\n", list.text.s);
	else if (!list.some)
		printf("exports available: 0\n");
	strbuf_free(&list.text);
	return rc < 0 ? EXIT_FAILED : EXIT_DONE;
}
