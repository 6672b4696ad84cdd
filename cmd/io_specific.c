/* SPDX-License-Identifier: GPL-2.0-or-later */
/* io_specific.c - the facts that only one format has, as the peer lists them. */
#include "io_session.h"

#include <jansson.h>
#include <stdio.h>

/* The format's facts as lines: "    compat: 1.1"; a dash in a name is a space. */
static void print_specific(json_t *o, int depth)
{
	const char *key;
	json_t *v;

	json_object_foreach(o, key, v) {
		printf("%*s", depth * 4, "");
		for (const char *p = key; *p; p++)
			putchar(*p == '-' ? ' ' : *p);
		putchar(':');
		if (json_is_object(v) || json_is_array(v)) {
			putchar('\n');
			if (json_is_object(v))
				print_specific(v, depth + 1);
			for (size_t i = 0; i < json_array_size(v); i++) {
				const char *word = json_string_value(json_array_get(v, i));

				printf("%*s[%zu]:%s%s\n", (depth + 1) * 4, "", i, word ? " " : "", word ? word : "");
				print_specific(json_array_get(v, i), depth + 2);
			}
		} else if (json_is_string(v)) {
			printf(" %s\n", json_string_value(v));
		} else if (json_is_boolean(v)) {
			printf(" %s\n", json_is_true(v) ? "true" : "false");
		} else {
			printf(" %" JSON_INTEGER_FORMAT "\n", json_integer_value(v));
		}
	}
}

void io_print_specific(const char *text)
{
	json_t *facts = json_loads(text, 0, NULL);

	print_specific(facts, 1);
	json_decref(facts);
}
