/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testing.h"

#include "json.h"

static void sample(struct json *j)
{
	json_object(j, NULL);
	json_str(j, "s", "a\"b\\\n\x01\xff");
	json_u64(j, "n", UINT64_MAX);
	json_i64(j, "i", -1);
	json_array(j, "l");
	json_bool(j, NULL, true);
	json_null(j, NULL);
	json_object(j, NULL);
	json_object_end(j);
	json_array_end(j);
	json_object_end(j);
}

START_TEST(pretty_is_one_item_a_line)
{
	struct strbuf b = STRBUF_INIT;
	struct json j = JSON_INIT(&b, true);

	sample(&j);
	ck_assert_str_eq(b.s, "{\n    \"s\": \"a\\\"b\\\\\\n\\u0001\xef\xbf\xbd\",\n    \"n\": 18446744073709551615,\n"
			      "    \"i\": -1,\n    \"l\": [\n        true,\n        null,\n        {}\n    ]\n}");
	strbuf_free(&b);
}
END_TEST

START_TEST(compact_is_one_line)
{
	struct strbuf b = STRBUF_INIT;
	struct json j = JSON_INIT(&b, false);

	sample(&j);
	ck_assert_str_eq(b.s, "{\"s\": \"a\\\"b\\\\\\n\\u0001\xef\xbf\xbd\", \"n\": 18446744073709551615, \"i\": -1, "
			      "\"l\": [true, null, {}]}");
	strbuf_free(&b);
}
END_TEST

TEST_MAIN("json", pretty_is_one_item_a_line, compact_is_one_line)
