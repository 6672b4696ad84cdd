/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testing.h"

#include "alloc.h"
#include "dict.h"

#include <string.h>

static struct err e;

START_TEST(option_strings_split_at_single_commas)
{
	struct dict d = DICT_INIT;

	ok(dict_parse(&d, "a=1,b=x,,y,flag,noother,last=", NULL, &e));
	ck_assert_str_eq(dict_get(&d, "a"), "1");
	ck_assert_str_eq(dict_get(&d, "b"), "x,y");
	ck_assert_str_eq(dict_get(&d, "flag"), "on");
	ck_assert_str_eq(dict_get(&d, "other"), "off");
	ck_assert_str_eq(dict_get(&d, "last"), "");
	fails(dict_parse(&d, "=1", NULL, &e), ERR_USAGE);
	dict_free(&d);
}
END_TEST

START_TEST(json_objects_become_dotted_keys)
{
	struct dict d = DICT_INIT;

	ok(dict_from_json(&d, "{\"a\": {\"b\": \"x\", \"n\": 5, \"l\": [true, \"y\"]}, \"off\": false}", &e));
	ck_assert_str_eq(dict_get(&d, "a.b"), "x");
	ck_assert_str_eq(dict_get(&d, "a.n"), "5");
	ck_assert_str_eq(dict_get(&d, "a.l.0"), "on");
	ck_assert_str_eq(dict_get(&d, "a.l.1"), "y");
	ck_assert_str_eq(dict_get(&d, "off"), "off");
	dict_free(&d);
}
END_TEST

START_TEST(hostile_json_is_refused)
{
	struct dict d = DICT_INIT;
	char deep[400] = "";
	char *big = alloc_bytes(100001);

	fails(dict_from_json(&d, "[1]", &e), ERR_USAGE);
	fails(dict_from_json(&d, "{\"a\":1,\"a\":2}", &e), ERR_USAGE);
	fails(dict_from_json(&d, "{\"a\":1.5}", &e), ERR_USAGE);
	for (int i = 0; i < 60; i++)
		strcat(deep, "{\"a\":");
	strcat(deep, "1");
	for (int i = 0; i < 60; i++)
		strcat(deep, "}");
	fails(dict_from_json(&d, deep, &e), ERR_LIMIT);
	memset(big, ' ', 100000);
	big[100000] = '\0';
	fails(dict_from_json(&d, big, &e), ERR_LIMIT);
	free(big);
	dict_free(&d);
}
END_TEST

START_TEST(a_child_takes_its_own_options)
{
	struct dict d = DICT_INIT, sub = DICT_INIT;

	ok(dict_parse(&d, "file.filename=a,filename=b,file.x.y=c,files=d", NULL, &e));
	ok(dict_take_sub(&d, "file", &sub, &e));
	ck_assert_uint_eq(d.n, 2);
	ck_assert_uint_eq(sub.n, 2);
	ck_assert_str_eq(dict_get(&sub, "x.y"), "c");
	ck_assert_str_eq(dict_first_key(&d), "filename");
	dict_free(&d);
	dict_free(&sub);
}
END_TEST

START_TEST(typed_values_are_judged)
{
	struct dict d = DICT_INIT;
	uint64_t n = 7;
	bool b = false;

	ok(dict_parse(&d, "size=64k,bad=64q,on=yes,odd=maybe", NULL, &e));
	ok(dict_take_size(&d, "size", &n, &e));
	ck_assert_uint_eq(n, 65536);
	ok(dict_take_size(&d, "absent", &n, &e));
	ck_assert_uint_eq(n, 65536);
	fails(dict_take_size(&d, "bad", &n, &e), ERR_USAGE);
	ok(dict_take_bool(&d, "on", &b, &e));
	ck_assert(b);
	fails(dict_take_bool(&d, "odd", &b, &e), ERR_USAGE);
	ck_assert_uint_eq(d.n, 0);
	dict_free(&d);
}
END_TEST

START_TEST(every_failed_allocation_is_an_error)
{
	for (unsigned long n = 1;; n++) {
		struct dict d = DICT_INIT;
		int rc;

		alloc_fault_at(n);
		rc = dict_parse(&d, "a=1,b=2,c=3,d=4,e=5,f=6,g=7,h=8,i=9", NULL, &e);
		dict_free(&d);
		if (!alloc_fault_hit()) {
			alloc_fault_at(0);
			ck_assert_int_eq(rc, 0);
			break;
		}
		ck_assert_int_eq(rc, -(int)ERR_NOMEM);
	}
}
END_TEST

TEST_MAIN("dict", option_strings_split_at_single_commas, json_objects_become_dotted_keys, hostile_json_is_refused,
	  a_child_takes_its_own_options, typed_values_are_judged, every_failed_allocation_is_an_error)
